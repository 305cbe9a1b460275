"""Spikes to values, as pure functions of JAX; differentiable through the surrogate gradient of the spikes."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from .._errors import refuses_unknown_keywords
from ..functional._concrete import check_dt
from ..functional._rank import leading
from ..functional._unroll import unroll
from ._door import check_row, check_train, floats, like, refuse_shape, traceable


@refuses_unknown_keywords
def decode_rate(spikes: Any, *, dt: Any) -> jax.Array:
    """The mean rate over the whole run, Hz: the number of spikes per duration.

    Args:
        spikes: `(T, ...)`, `T >= 1`.
        dt: length of a step, s.

    Returns:
        `(...)`.

    Raises:
        ShapeError: there is no step.
        ParameterError: `dt` is not positive.
        DTypeError: an argument is of the wrong kind.

    >>> import jax.numpy as jnp
    >>> round(float(decode_rate(jnp.array([0.0, 1.0, 0.0, 1.0]), dt=1e-3)), 3)
    500.0
    """
    check_dt(dt, "decode_rate")
    spikes = _steps(spikes, "decode_rate")
    return spikes.sum(axis=0) / (spikes.shape[0] * jnp.asarray(dt, spikes.dtype))


@refuses_unknown_keywords
def decode_first_spike(spikes: Any, *, dt: Any) -> jax.Array:
    """The start of the step of the first spike, s; the duration `T dt` where there is none.

    `dt * sum_t prod_{s<=t} (1 - spikes_s)`: the steps before the first spike, counted so that the gradient of the
    spikes passes, also where there is none yet. This is the time that `to_events` gives. (`somas.first_spike_time` is the
    end of that step, one step later.)

    Args:
        spikes: `(T, ...)`, 0, 1 or counts, `T >= 1`.
        dt: length of a step, s.

    Returns:
        `(...)`.

    Raises:
        ShapeError: there is no step.
        ParameterError: `dt` is not positive.
        DTypeError: an argument is of the wrong kind.

    >>> import jax.numpy as jnp
    >>> decode_first_spike(jnp.array([[0.0, 0.0], [1.0, 0.0], [1.0, 0.0]]), dt=0.5).tolist()
    [0.5, 1.5]
    """
    check_dt(dt, "decode_first_spike")
    spikes = _steps(spikes, "decode_first_spike")
    spikes = jnp.where(spikes > 1.0, 1.0, spikes)  # and not `minimum`, which halves the gradient at 1
    return jnp.asarray(dt, spikes.dtype) * jnp.cumprod(1.0 - spikes, axis=0).sum(axis=0)


@refuses_unknown_keywords
def decode_exponential(spikes: Any, *, tau: Any, dt: Any, start: Any = 0.0) -> jax.Array:
    """The rate now, Hz: spikes through an exponential filter, `y_k = a y_{k-1} + (1 - a) spikes_k / dt`, `a = exp(-dt/tau)`.

    The filter's sum is one: a spike in every `n`-th step tends to a mean of `1 / (n dt)`.

    Args:
        spikes: `(T, ...)`, or counts.
        tau: time constant, s; one, or one per channel.
        dt: length of a step, s.
        start: the rate before the first step, Hz; for a run in pieces, the last row of the piece before.

    Returns:
        `(T, ...)`.

    Raises:
        ParameterError: `tau` or `dt` is not positive, or `start` not finite.
        ShapeError: `spikes` have no time axis, or `tau` or `start` do not fit a row of them.
        DTypeError: an argument is of the wrong kind.

    >>> import jax.numpy as jnp
    >>> round(float(decode_exponential(jnp.ones(500), tau=20e-3, dt=1e-3)[-1]), 1)
    1000.0
    """
    where = "decode_exponential"
    check_dt(dt, where)
    traceable(tau, "tau", "positive", where, "s")
    traceable(start, "start", "real", where, "Hz")
    check_train(spikes, where)
    check_row(tau, "tau", spikes.shape[1:], where)
    check_row(start, "start", spikes.shape[1:], where)
    spikes = floats(spikes)
    spikes, tau, dt, start = like(spikes, tau, dt, start)
    tau = leading(tau, spikes.ndim - 1)
    return _filtered(spikes, jnp.exp(-dt / tau), -jnp.expm1(-dt / tau) / dt, jnp.broadcast_to(start, spikes.shape[1:]))


@jax.jit
def _filtered(spikes: jax.Array, kept: jax.Array, gain: jax.Array, start: jax.Array) -> jax.Array:
    def step(rate: jax.Array, arrived: jax.Array) -> tuple[jax.Array, jax.Array]:
        rate = kept * rate + gain * arrived
        return rate, rate

    return unroll(step, start, spikes)[1]


def _steps(spikes: Any, where: str) -> jax.Array:
    check_train(spikes, where)
    if spikes.shape[0] == 0:
        refuse_shape("spikes", spikes.shape, "(T, ...), with at least one step", where)
    return floats(spikes)
