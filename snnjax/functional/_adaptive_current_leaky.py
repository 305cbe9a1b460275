"""Leaky integrate-and-fire with an adaptation current, which every spike raises and the potential drives.

    tau_mem dv/dt = v_leak - v + resistance * (inputs + bias - w)
    tau_w   dw/dt = g_w * (v - v_leak) - w
    spike where v > v_th; then reset, and w jumps by delta_w

With `g_w = 0` the adaptation is triggered by spikes alone. With `g_w > 0` the pair can ring, and the neuron prefers a
frequency. `v` and `w` are integrated together: exactly, with `exact`, under currents that are held over the step. With
`g_w` a synaptic current reaches `w` within the step as the held one that moves `v` as far: that is second order in `dt`.

Reference: Richardson, Brunel & Hakim (2003), Journal of Neurophysiology 89, 2538-2554.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from .._errors import parameters, refuses_unknown_keywords
from .._kinds import Conductance, Current, Potential, Resistance, TimeConstant
from ._config import SpikingConfig
from ._integrators import Currents, Late
from ._leaky import receive
from ._lif import fire
from ._neuron import Neuron, Phases, advance, filled, population
from ._take_step import checked_init


@parameters
class AdaptiveCurrentLeakyParams(NamedTuple):
    """Parameters of `adaptive_current_leaky`; each a number or one value per neuron. `g_w` must not be `-1/resistance`.

    >>> from snnjax import functional as F
    >>> F.AdaptiveCurrentLeakyParams(delta_w=0.3).tau_w
    0.1
    """

    tau_mem: TimeConstant = 20e-3
    resistance: Resistance = 1.0
    v_leak: Potential = 0.0
    v_th: Potential = 1.0
    v_reset: Potential = 0.0
    bias: Current = 0.0
    tau_w: TimeConstant = 100e-3
    g_w: Conductance = 0.0
    delta_w: Current = 0.1


class AdaptiveCurrentLeakyState(NamedTuple):
    """Membrane potential `v` after reset, and adaptation current `w` after its jump; `(..., N)` each."""

    v: jax.Array
    w: jax.Array


@checked_init
def adaptive_current_leaky_init(params: Any, shape: int | tuple[int, ...] = (), dtype: Any = None) -> AdaptiveCurrentLeakyState:
    """The state at rest: `v = v_leak`, `w = 0`. Arguments as in `lif_init`.

    >>> from snnjax import functional as F
    >>> F.adaptive_current_leaky_init(F.AdaptiveCurrentLeakyParams(), (2,)).w.tolist()
    [0.0, 0.0]
    """
    shape, dtype = population(params, shape, dtype)
    return AdaptiveCurrentLeakyState(v=filled(params.v_leak, shape, dtype), w=jnp.zeros(shape, dtype))


def integrate(params: Any, state: Any, currents: Currents, dt: Any, config: SpikingConfig) -> Any:
    """`v` and `w` move towards where they would balance; what arrives at the end of the step moves `v` alone."""
    integrator = config.integrator
    gain = integrator.gain(dt, params.tau_mem)
    during = late = jnp.zeros_like(state.v)
    for current in currents:
        added = current.potential(integrator, dt, params.tau_mem)
        during, late = (during, late + added) if isinstance(current, Late) else (during + added, late)
    drive = params.resistance * (params.bias + during / gain)
    if integrator.pair is None:
        v = state.v + gain * (params.v_leak + drive - params.resistance * state.w - state.v)
        w = _towards(params, state, dt, config)
    else:
        dv, dw = _pair_step(params, state, drive, dt, integrator.pair)
        v, w = state.v + dv, state.w + dw
    return state._replace(v=v + params.resistance * late, w=w)


def _pair_step(params: Any, state: Any, drive: Any, dt: Any, pair: Any) -> tuple[jax.Array, jax.Array]:
    """`(f(M) - 1)` times the distance of `(v - v_leak, w)` from its balance, `M` the matrix of both equations times `dt`."""
    fast, slow = dt / params.tau_mem, dt / params.tau_w
    stiffening = 1.0 + params.resistance * params.g_w
    balance = drive / stiffening
    v, w = state.v - params.v_leak - balance, state.w - params.g_w * balance
    half = (slow - fast) / 2
    q = half * half - params.resistance * params.g_w * (fast * slow)
    a, b = pair(-(fast + slow) / 2, fast * slow * stiffening, q)
    return a * v + b * (half * v - fast * params.resistance * w), a * w + b * (slow * params.g_w * v - half * w)


def _towards(params: Any, state: Any, dt: Any, config: SpikingConfig) -> jax.Array:
    """`w` after a step in which `v` stays where it is."""
    return state.w + config.integrator.gain(dt, params.tau_w) * (params.g_w * (state.v - params.v_leak) - state.w)


def held(params: Any, state: Any, currents: Currents, dt: Any, config: SpikingConfig) -> Any:
    """What goes on while the membrane is held: the adaptation, under the potential that it sees."""
    del currents
    return state._replace(w=_towards(params, state, dt, config))


def reset(params: Any, state: Any, spikes: jax.Array, dt: Any, config: SpikingConfig) -> Any:
    """The membrane resets, and the adaptation jumps."""
    del dt
    return state._replace(v=config.reset(state.v, spikes, params), w=state.w + params.delta_w * spikes)


_PHASES = Phases(receive, integrate, fire, reset, held)


@refuses_unknown_keywords
def adaptive_current_leaky_step(
    params: Any, state: AdaptiveCurrentLeakyState, inputs: Any, *, dt: Any, config: SpikingConfig | None = None
) -> tuple[AdaptiveCurrentLeakyState, jax.Array]:
    """One step of the leaky neuron with an adaptation current (equations at the top of the file).

    Args:
        params: `AdaptiveCurrentLeakyParams`.
        state: `AdaptiveCurrentLeakyState`, leaves of shape `(..., N)`.
        inputs: current during the step, A, `(..., N)`.
        dt: length of the step, s.
        config: surrogate, reset and integrator; `SpikingConfig()` by default.

    Returns:
        The new state and the spikes, 0 or 1 in the state's dtype.

    >>> from snnjax import functional as F
    >>> params = F.AdaptiveCurrentLeakyParams(delta_w=0.5)
    >>> state, spikes = F.adaptive_current_leaky_step(params, F.adaptive_current_leaky_init(params), 30.0, dt=1e-3)
    >>> float(spikes), float(state.w)
    (1.0, 0.5)
    """
    return advance(_PHASES, params, state, inputs, dt=dt, config=config)


adaptive_current_leaky = Neuron(
    "adaptive_current_leaky", AdaptiveCurrentLeakyParams, adaptive_current_leaky_init, adaptive_current_leaky_step, _PHASES
)
