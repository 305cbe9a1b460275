"""What a spike does to the membrane: reset to a value, or reset by subtraction; detached from the gradient, or attached.

    reset_to_value          v' = v_reset              where there is a spike
    reset_by_subtraction    v' = v - (v_th - v_reset) where there is a spike

A detached reset (the default) treats the spike in it as a constant of the backward pass: the gradient of the reset then
does not pass through the surrogate a second time, which trains more reliably (Zenke & Vogels 2021, Neural Computation
33, 899-925). `attached(reset)` lets it through.

Both are selections, not the sum `s*v_reset + (1-s)*v`: a membrane that overflowed would make that sum inf * 0 = NaN,
and the neuron would be dead from then on.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from .._errors import DTypeError, refuses_unknown_keywords
from ._concrete import describe

Reset = Callable[[jax.Array, jax.Array, Any], jax.Array]


def reset_to_value(v: jax.Array, spikes: jax.Array, params: Any) -> jax.Array:
    """`params.v_reset` where `spikes`, else `v`; no gradient through `spikes`.

    >>> import jax.numpy as jnp
    >>> from snnjax import functional as F
    >>> reset_to_value(jnp.array([0.5, 1.5]), jnp.array([0.0, 1.0]), F.LIFParams(v_reset=-1.0)).tolist()
    [0.5, -1.0]
    """
    return jnp.where(spikes > 0, params.v_reset, v)


def reset_by_subtraction(v: jax.Array, spikes: jax.Array, params: Any) -> jax.Array:
    """`v - (params.v_th - params.v_reset)` where `spikes`, else `v`: what was above threshold is kept.

    >>> import jax.numpy as jnp
    >>> from snnjax import functional as F
    >>> reset_by_subtraction(jnp.array([0.5, 1.5]), jnp.array([0.0, 1.0]), F.LIFParams()).tolist()
    [0.5, 0.5]
    """
    # The selection is of what is subtracted, so that the gradient of `v` needs not know where the spikes were.
    return v - jnp.where(spikes > 0, params.v_th - params.v_reset, 0.0)


@refuses_unknown_keywords
def attached(reset: Reset) -> Reset:
    """The same reset with the gradient through the spike let in.

    Adds `d v' / d spikes = reset(v, 1) - v` to the derivative; the value is unchanged. The same reset gives the same
    object. Raises `DTypeError` for what is no function.

    >>> import jax, jax.numpy as jnp
    >>> from snnjax import functional as F
    >>> slope = lambda reset: float(jax.grad(lambda s: reset(jnp.array(1.5), s, F.LIFParams()))(1.0))
    >>> slope(F.reset_to_value), slope(F.attached(F.reset_to_value))
    (0.0, -1.5)
    """
    if not callable(reset):
        allowed = "a reset such as `F.reset_to_value`"
        text = f"`reset` must be {allowed}; got {describe(reset)}."
        raise DTypeError(text, where="attached", field="reset", value=reset, allowed=allowed)
    return _attached(reset)


@functools.cache
def _attached(reset: Reset) -> Reset:
    def through(v: jax.Array, spikes: jax.Array, params: Any) -> jax.Array:
        return _through(reset(v, spikes, params), spikes, _jump(reset, v, spikes, params))

    return through


def _jump(reset: Reset, v: jax.Array, spikes: jax.Array, params: Any) -> jax.Array:
    if reset is reset_by_subtraction:  # a number: a gradient keeps no array for it
        return jnp.asarray(params.v_reset - params.v_th, v.dtype)
    jump = reset(v, jnp.ones_like(spikes), params) - v
    return jnp.where(jnp.isfinite(jump), jump, 0.0)


# A rule of its own: without a gradient the jump is never computed, and with one no array of zeros is carried for it.
@jax.custom_jvp
def _through(value: jax.Array, spikes: jax.Array, jump: jax.Array) -> jax.Array:
    del spikes, jump
    return value


@_through.defjvp
def _through_jvp(primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    value, spikes, jump = primals
    slope, slope_of_spikes, _ = tangents  # a change of the jump counts where there is a spike, which is in `slope`
    return _through(value, spikes, jump), slope + jump * slope_of_spikes
