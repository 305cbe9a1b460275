"""Read-outs: what the output of a network over time says, as one number per neuron.

All take time first and give what is behind it; `mask` `(T, ...)` is False where a sequence is over. What is no array of real
numbers over time is refused with a `DTypeError` or `ShapeError`, and so is a mask that is none.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._errors import ShapeError, refuses_unknown_keywords
from ..functional._concrete import check_array, check_dt
from ._mask import blank, check_mask, spread

_OVER_TIME = "(T, ...), time first"
_AXES = "time and batch axes of the values"


@refuses_unknown_keywords
def spike_count(spikes: Any, *, mask: Any = None) -> jax.Array:
    """The number of spikes of each neuron.

    >>> import jax.numpy as jnp
    >>> spike_count(jnp.array([[0.0, 1.0], [0.0, 1.0]])).tolist()
    [0.0, 2.0]
    """
    return jnp.sum(_masked(spikes, mask, "spikes", "spike_count"), axis=0)


@refuses_unknown_keywords
def first_spike_time(spikes: Any, *, dt: Any, mask: Any = None) -> jax.Array:
    """The time from the start to the end of the step of the first spike, s; one step beyond the last where there is none.

    `dt * (1 + sum_t prod_{s<=t} (1 - spikes_s))`: the steps before the first spike, counted so that the surrogate's
    gradient passes. An earlier spike shortens the time, also where there is none yet.

    >>> import jax.numpy as jnp
    >>> first_spike_time(jnp.array([[0.0, 0.0], [1.0, 0.0], [1.0, 0.0]]), dt=1.0).tolist()
    [2.0, 4.0]
    """
    check_dt(dt, "first_spike_time")
    spikes = _masked(spikes, mask, "spikes", "first_spike_time")
    silent = jnp.cumprod(1.0 - spikes, axis=0)
    if mask is not None:
        silent = blank(jnp.asarray(mask), silent)
    return jnp.asarray(dt, spikes.dtype) * (1.0 + jnp.sum(silent, axis=0))


@refuses_unknown_keywords
def mean_over_time(values: Any, *, mask: Any = None) -> jax.Array:
    """The mean over the steps that count; 0 where there are none.

    >>> import jax.numpy as jnp
    >>> mean_over_time(jnp.array([[1.0], [3.0], [9.0]]), mask=jnp.array([True, True, False])).tolist()
    [2.0]
    """
    values = _masked(values, mask, "values", "mean_over_time")
    if mask is None:
        return jnp.sum(values, axis=0) / max(values.shape[0], 1)
    steps = jnp.maximum(jnp.sum(jnp.asarray(mask).astype(values.dtype), axis=0), 1.0)
    return jnp.sum(values, axis=0) / steps.reshape(steps.shape + (1,) * (values.ndim - 1 - steps.ndim))


@refuses_unknown_keywords
def max_over_time(values: Any, *, mask: Any = None) -> jax.Array:
    """The largest value over the steps that count.

    >>> import jax.numpy as jnp
    >>> max_over_time(jnp.array([[-1.0], [-3.0], [9.0]]), mask=jnp.array([True, True, False])).tolist()
    [-1.0]
    """
    where = "max_over_time"
    check_array(values, "values", where, 1, _OVER_TIME)
    if values.shape[0] == 0:
        raise ShapeError(
            f"`values` must have at least one step, to take the largest of; got {values.shape}.",
            where=where,
            field="values",
            value=values.shape,
            allowed="(T, ...) with T > 0",
        )
    mask = None if mask is None else check_mask(mask, values.shape[: np.ndim(mask)], _AXES, where)
    values = _floats(values)
    if mask is not None:
        values = jnp.where(spread(mask, values), values, jnp.finfo(values.dtype).min)
    return jnp.max(values, axis=0)


def _floats(values: Any) -> jax.Array:
    values = jnp.asarray(values)
    return values if jnp.issubdtype(values.dtype, jnp.floating) else values.astype(jnp.result_type(float))


def _masked(values: Any, mask: Any, field: str, where: str) -> jax.Array:
    """`values` as floats, checked, and 0 where `mask` is False."""
    check_array(values, field, where, 1, _OVER_TIME)
    mask = None if mask is None else check_mask(mask, values.shape[: np.ndim(mask)], _AXES, where)
    return _floats(values) if mask is None else blank(mask, _floats(values))
