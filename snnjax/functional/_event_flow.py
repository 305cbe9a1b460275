"""Current-based LIF neurons between two events: the exact flow over any interval, and its transpose.

With `u = v - v_leak - bias`, the potential above rest, and the area `a` under it,

    tau_mem du/dt = i - u        tau_syn di/dt = -i        da/dt = u

is linear, and so is its flow over an interval `h`, one matrix of five entries per neuron:

    u' = keep * u + couple * i        i' = decay * i        a' = a + area_u * u + area_i * i

While a neuron is held (refractory) its `u` stays, and its `i` decays.

Reference: Rotter & Diesmann (1999), Biological Cybernetics 81, 381-402.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ._integrators import exact


class Flow(NamedTuple):
    """The entries of the flow, `(N,)` each."""

    keep: jax.Array
    couple: jax.Array
    decay: jax.Array
    area_u: jax.Array
    area_i: jax.Array


class Covector(NamedTuple):
    """The derivative of a loss with respect to `u` and `i`, `(N,)` each."""

    u: jax.Array
    i: jax.Array


def flow(tau_mem: jax.Array, tau_syn: jax.Array, h: Any, free: jax.Array) -> Flow:
    """The flow over `h` of neurons that are `free`; the others are held."""
    keep, couple, decay = exact.decay(h, tau_mem), exact.coupling(h, tau_mem, tau_syn), exact.decay(h, tau_syn)
    # The equations integrated over h: tau_mem (u' - u) = (area under i) - (area under u), and tau_syn (i' - i) = -(area under i).
    area_u = tau_mem * (1.0 - keep)
    area_i = tau_syn * (1.0 - decay) - tau_mem * couple
    return Flow(
        keep=jnp.where(free, keep, 1.0),
        couple=jnp.where(free, couple, 0.0),
        decay=decay,
        area_u=jnp.where(free, area_u, h),
        area_i=jnp.where(free, area_i, 0.0),
    )


def pull_back(over: Flow, later: Covector, area: jax.Array) -> Covector:
    """The covector before the interval, given that after it and the (constant) one of the area."""
    u = over.keep * later.u + over.area_u * area
    i = over.couple * later.u + over.decay * later.i + over.area_i * area
    return Covector(u, i)


def pull_back_tangent(over: Flow, tangent: Flow, eta: Covector, later: Covector, area: jax.Array) -> Covector:
    """As `pull_back`, for `eta`: what the state before the interval adds to the derivative by a time constant.

    A time constant acts through every later interval. Over each, the loss changes by `later . (tangent flow) . state`,
    which is linear in the state, so that it is carried backwards as a covector and no state needs to be kept.
    """
    carried, added = pull_back(over, eta, jnp.zeros_like(area)), pull_back(tangent, later, area)
    return Covector(carried.u + added.u, carried.i + added.i)
