"""Read-outs: what the output of a network over time says, as one number per neuron.

All take time first and give what is behind it; `mask` `(T, ...)` is False where a sequence is over.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._errors import ShapeError
from ._mask import blank, check_mask, spread


def spike_count(spikes: Any, *, mask: Any = None) -> jax.Array:
    """The number of spikes of each neuron.

    >>> import jax.numpy as jnp
    >>> spike_count(jnp.array([[0.0, 1.0], [0.0, 1.0]])).tolist()
    [0.0, 2.0]
    """
    return jnp.sum(_masked(spikes, mask), axis=0)


def first_spike_time(spikes: Any, *, dt: Any, mask: Any = None) -> jax.Array:
    """The time from the start to the end of the step of the first spike, s; one step beyond the last where there is none.

    `dt * (1 + sum_t prod_{s<=t} (1 - spikes_s))`: the steps before the first spike, counted so that the surrogate's
    gradient passes. An earlier spike shortens the time, also where there is none yet.

    >>> import jax.numpy as jnp
    >>> first_spike_time(jnp.array([[0.0, 0.0], [1.0, 0.0], [1.0, 0.0]]), dt=1.0).tolist()
    [2.0, 4.0]
    """
    spikes = _masked(spikes, mask)
    silent = jnp.cumprod(1.0 - spikes, axis=0)
    if mask is not None:
        silent = blank(jnp.asarray(mask), silent)
    return jnp.asarray(dt, spikes.dtype) * (1.0 + jnp.sum(silent, axis=0))


def mean_over_time(values: Any, *, mask: Any = None) -> jax.Array:
    """The mean over the steps that count; 0 where there are none.

    >>> import jax.numpy as jnp
    >>> mean_over_time(jnp.array([[1.0], [3.0], [9.0]]), mask=jnp.array([True, True, False])).tolist()
    [2.0]
    """
    values = _masked(values, mask)
    if mask is None:
        return jnp.sum(values, axis=0) / max(values.shape[0], 1)
    steps = jnp.maximum(jnp.sum(jnp.asarray(mask).astype(values.dtype), axis=0), 1.0)
    return jnp.sum(values, axis=0) / steps.reshape(steps.shape + (1,) * (values.ndim - 1 - steps.ndim))


def max_over_time(values: Any, *, mask: Any = None) -> jax.Array:
    """The largest value over the steps that count.

    >>> import jax.numpy as jnp
    >>> max_over_time(jnp.array([[-1.0], [-3.0], [9.0]]), mask=jnp.array([True, True, False])).tolist()
    [-1.0]
    """
    values = _floats(values)
    if mask is not None:
        mask = check_mask(mask, values.shape[: np.ndim(mask)], "time and batch axes of the values", "max_over_time")
        values = jnp.where(spread(mask, values), values, jnp.finfo(values.dtype).min)
    if values.shape[0] == 0:
        raise ShapeError("`values` have no step to take the largest of.", where="max_over_time", field="values", value=values.shape)
    return jnp.max(values, axis=0)


def _floats(values: Any) -> jax.Array:
    values = jnp.asarray(values)
    return values if jnp.issubdtype(values.dtype, jnp.floating) else values.astype(jnp.result_type(float))


def _masked(values: Any, mask: Any) -> jax.Array:
    values = _floats(values)
    if mask is None:
        return values
    return blank(check_mask(mask, values.shape[: np.ndim(mask)], "time and batch axes of the values", "read-out"), values)
