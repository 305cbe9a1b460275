"""How a step of length `dt` moves a membrane `tau dv/dt = v_inf - v + i(t)`: four choices, one record.

    v' = v + gain * (v_inf - v) + gain * i         where the current `i` is held over the step
    v' = v + gain * (v_inf - v) + coupling * i     where `i` decays with `tau_syn` during the step

| integrator | `decay(tau)` | `gain(tau)` | `coupling(tau_mem, tau_syn)` |
|---|---|---|---|
| `exact` | `exp(-dt/tau)` | `1 - exp(-dt/tau)` | `tau_syn/(tau_mem - tau_syn) * (exp(-dt/tau_mem) - exp(-dt/tau_syn))` |
| `exponential_euler` | `exp(-dt/tau)` | `1 - exp(-dt/tau)` | `gain(tau_mem)` |
| `euler` | `1 - dt/tau` | `dt/tau` | `dt/tau_mem` |
| `rk4` | `exp(-dt/tau)` up to its 4th power | `1 - decay(tau)` | that of `exact` with these powers |

The equations are linear, so a classical Runge-Kutta step of order 4 is the Taylor polynomial of `exact`.

Reference: Rotter & Diesmann (1999), Biological Cybernetics 81, 381-402.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ._coupled import exponential_pair, taylor_pair


class Integrator(NamedTuple):
    """A way to advance linear membranes and synapses by one step.

    Attributes:
        name: as it is written in files and configs.
        decay: `(dt, tau) ->` the factor left of an exponentially decaying variable.
        gain: `(dt, tau) ->` the part of the way to its target that a membrane goes.
        coupling: `(dt, tau_mem, tau_syn) ->` the potential that a unit of decaying current adds.
        explicit: whether a step longer than a time constant misbehaves (it must be refused at the door).
        mean: `(dt, tau) ->` the mean over the step of a unit of decaying current, for membranes that do not leak.
        pair: how two variables that drive each other move, see `_coupled`; `None`: each with the other held over the step.
    """

    name: str
    decay: Callable[[Any, Any], jax.Array]
    gain: Callable[[Any, Any], jax.Array]
    coupling: Callable[[Any, Any, Any], jax.Array]
    explicit: bool = False
    mean: Callable[[Any, Any], Any] = lambda dt, tau: 1.0
    pair: Callable[[Any, Any, Any], tuple[jax.Array, jax.Array]] | None = None


# (1 - exp(-x)) / x = sum (-x)^k / (k+1)!; eleven terms are exact to float64 below x = 0.1.
_SERIES = tuple((-1.0) ** k / math.factorial(k + 1) for k in range(11))


def _mean_decay(x: jax.Array) -> jax.Array:
    """`(1 - exp(-x)) / x` for `x >= 0`, with an accurate derivative at and near 0.

    The quotient alone is 0/0 at 0, and its derivative loses half the digits near 0.
    """
    near = x < 0.1
    series = jnp.zeros_like(x)
    for coefficient in reversed(_SERIES):
        series = series * jnp.where(near, x, 0.0) + coefficient
    far = jnp.where(near, 1.0, x)
    return jnp.where(near, series, -jnp.expm1(-far) / far)


def _exponential_decay(dt: Any, tau: Any) -> jax.Array:
    return jnp.exp(-dt / tau)


def _exponential_gain(dt: Any, tau: Any) -> jax.Array:
    # expm1: the part that is left over is lost to rounding where tau is long against dt.
    return -jnp.expm1(-dt / tau)


def _exact_coupling(dt: Any, tau_mem: Any, tau_syn: Any) -> jax.Array:
    # The textbook difference of exponentials is 0/0 at tau_mem == tau_syn. Divided by the slower of the two it has no
    # singularity and no overflow. The two branches are one analytic function, so at equality either one has its
    # derivatives; `abs` and `maximum` would not, theirs at a tie are a convention.
    membrane_is_slower = jnp.asarray(tau_mem >= tau_syn)
    slower = jnp.where(membrane_is_slower, tau_mem, tau_syn)
    distance = dt / tau_syn * ((tau_mem - tau_syn) / tau_mem)
    return dt / tau_mem * jnp.exp(-dt / slower) * _mean_decay(jnp.where(membrane_is_slower, distance, -distance))


def _exact_mean(dt: Any, tau: Any) -> jax.Array:
    return _mean_decay(jnp.asarray(dt / tau))


def _held_coupling(dt: Any, tau_mem: Any, tau_syn: Any) -> jax.Array:
    del tau_syn
    return _exponential_gain(dt, tau_mem)


def _euler_decay(dt: Any, tau: Any) -> jax.Array:
    return 1.0 - dt / tau


def _euler_gain(dt: Any, tau: Any) -> jax.Array:
    return dt / tau


def _euler_coupling(dt: Any, tau_mem: Any, tau_syn: Any) -> jax.Array:
    del tau_syn
    return dt / tau_mem


def _taylor_mean(dt: Any, tau: Any) -> jax.Array:
    x = dt / tau
    return 1.0 - x / 2 * (1.0 - x / 3 * (1.0 - x / 4))


def _taylor_gain(dt: Any, tau: Any) -> jax.Array:
    return dt / tau * _taylor_mean(dt, tau)


def _taylor_decay(dt: Any, tau: Any) -> jax.Array:
    return 1.0 - _taylor_gain(dt, tau)


def _taylor_coupling(dt: Any, tau_mem: Any, tau_syn: Any) -> jax.Array:
    # The divided difference of the polynomial: its k-th term is the sum of all products of k powers, over (k + 1)!.
    a, b = dt / tau_mem, dt / tau_syn
    second = a * a + a * b + b * b
    third = (a + b) * (a * a + b * b)
    return a * (1.0 - (a + b) / 2 + second / 6 - third / 24)


#: The propagator of the linear equations: no error from the step's length while no spike occurs.
exact = Integrator("exact", _exponential_decay, _exponential_gain, _exact_coupling, mean=_exact_mean, pair=exponential_pair)

#: Exact decay of `v` and `i`, each with the other held over the step; first order in `dt`.
exponential_euler = Integrator("exponential_euler", _exponential_decay, _exponential_gain, _held_coupling)

#: Forward Euler, as Norse integrates; first order in `dt`, and only for `dt` below every time constant.
euler = Integrator("euler", _euler_decay, _euler_gain, _euler_coupling, explicit=True)

#: Classical Runge-Kutta of order 4, the default of Rockpool's Brian layers; only for `dt` below every time constant.
#: Its stages see the input of this step; for one that sees the next sample at the end of the step see `injected`.
rk4 = Integrator("rk4", _taylor_decay, _taylor_gain, _taylor_coupling, explicit=True, mean=_taylor_mean, pair=taylor_pair)


class Held(NamedTuple):
    """A current that stays the same over the step."""

    i: jax.Array

    def potential(self, integrator: Integrator, dt: Any, tau_mem: Any) -> jax.Array:
        """What it adds to a membrane of one ohm."""
        return integrator.gain(dt, tau_mem) * self.i

    def charge(self, integrator: Integrator, dt: Any, tau_mem: Any) -> jax.Array:
        """What it adds to a membrane of one ohm that does not leak."""
        del integrator
        return dt / tau_mem * self.i


class Decaying(NamedTuple):
    """A current that is `i` at the start of the step and decays with `tau`."""

    i: jax.Array
    tau: jax.Array

    def potential(self, integrator: Integrator, dt: Any, tau_mem: Any) -> jax.Array:
        """What it adds to a membrane of one ohm."""
        return integrator.coupling(dt, tau_mem, self.tau) * self.i

    def charge(self, integrator: Integrator, dt: Any, tau_mem: Any) -> jax.Array:
        """What it adds to a membrane of one ohm that does not leak."""
        return dt / tau_mem * integrator.mean(dt, self.tau) * self.i


class Early(NamedTuple):
    """A charge that arrives at the start of the step: as much as a current `i` held over the step would bring."""

    i: jax.Array

    def potential(self, integrator: Integrator, dt: Any, tau_mem: Any) -> jax.Array:
        """What is left at the end of the step of the jump of a membrane of one ohm."""
        return integrator.decay(dt, tau_mem) * (dt / tau_mem * self.i)

    def charge(self, integrator: Integrator, dt: Any, tau_mem: Any) -> jax.Array:
        """The jump of a membrane of one ohm that does not leak."""
        del integrator
        return dt / tau_mem * self.i


class Late(NamedTuple):
    """A charge that arrives at the end of the step: as much as a current `i` held over the step would bring."""

    i: jax.Array

    def potential(self, integrator: Integrator, dt: Any, tau_mem: Any) -> jax.Array:
        """The jump of a membrane of one ohm; nothing has leaked of it yet."""
        del integrator
        return dt / tau_mem * self.i

    charge = potential


#: What drives a membrane over one step: the sum of these.
Currents = tuple[Held | Decaying | Early | Late, ...]


def relax(integrator: Integrator, dt: Any, v: jax.Array, v_inf: Any, tau_mem: Any, currents: Currents, resistance: Any = 1.0) -> jax.Array:
    """The membrane after one step: towards `v_inf`, plus what the currents add across `resistance`."""
    v = v + integrator.gain(dt, tau_mem) * (v_inf - v)
    for current in currents:
        v = v + resistance * current.potential(integrator, dt, tau_mem)
    return v
