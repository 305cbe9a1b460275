"""Leaky integrate-and-fire with a threshold that jumps at every spike and relaxes.

    tau_mem dv/dt = v_leak - v + resistance * (inputs + bias)
    spike where v > v_th + th, with `th` as the previous step left it; then reset
    th' = th * exp(-dt/tau_th) + delta_th * spikes

Reference: Bellec, Salaj, Subramoney, Legenstein & Maass (2018), NeurIPS 31, 787-797.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from .._errors import parameters, refuses_unknown_keywords
from .._kinds import Current, Potential, Resistance, TimeConstant
from . import _leaky
from ._config import SpikingConfig
from ._neuron import Neuron, Phases, advance, filled, population
from ._take_step import checked_init


@parameters
class AdaptiveLeakyParams(NamedTuple):
    """Parameters of `adaptive_leaky`; each a number or one value per neuron.

    >>> from snnjax import functional as F
    >>> F.AdaptiveLeakyParams().delta_th
    0.1
    """

    tau_mem: TimeConstant = 20e-3
    resistance: Resistance = 1.0
    v_leak: Potential = 0.0
    v_th: Potential = 1.0
    v_reset: Potential = 0.0
    bias: Current = 0.0
    tau_th: TimeConstant = 20e-3
    delta_th: Potential = 0.1


class AdaptiveLeakyState(NamedTuple):
    """Membrane potential `v` after reset, and `th`, the part of the threshold above `v_th`; `(..., N)` each."""

    v: jax.Array
    th: jax.Array


@checked_init
def adaptive_leaky_init(params: Any, shape: int | tuple[int, ...] = (), dtype: Any = None) -> AdaptiveLeakyState:
    """The state at rest: `v = v_leak`, `th = 0`. Arguments as in `lif_init`.

    >>> from snnjax import functional as F
    >>> F.adaptive_leaky_init(F.AdaptiveLeakyParams(), (2,)).th.tolist()
    [0.0, 0.0]
    """
    shape, dtype = population(params, shape, dtype)
    return AdaptiveLeakyState(v=filled(params.v_leak, shape, dtype), th=jnp.zeros(shape, dtype))


def fire(params: Any, state: Any, config: SpikingConfig) -> jax.Array:
    """A spike where `v > v_th + th`."""
    return config.spike(state.v - (params.v_th + state.th), params.v_th - params.v_reset)


def reset(params: Any, state: Any, spikes: jax.Array, dt: Any, config: SpikingConfig) -> Any:
    """The membrane resets; the threshold relaxes, then jumps (the jump does not decay in its own step)."""
    th = config.integrator.decay(dt, params.tau_th) * state.th + params.delta_th * spikes
    return state._replace(v=config.reset(state.v, spikes, params), th=th)


_PHASES = Phases(_leaky.receive, _leaky.integrate, fire, reset)


@refuses_unknown_keywords
def adaptive_leaky_step(
    params: Any, state: AdaptiveLeakyState, inputs: Any, *, dt: Any, config: SpikingConfig | None = None
) -> tuple[AdaptiveLeakyState, jax.Array]:
    """One step of the leaky neuron with an adaptive threshold (equations at the top of the file).

    Args:
        params: `AdaptiveLeakyParams`.
        state: `AdaptiveLeakyState`, leaves of shape `(..., N)`.
        inputs: current during the step, A, `(..., N)`.
        dt: length of the step, s.
        config: surrogate, reset and integrator; `SpikingConfig()` by default.

    Returns:
        The new state and the spikes, 0 or 1 in the state's dtype.

    >>> from snnjax import functional as F
    >>> params = F.AdaptiveLeakyParams(delta_th=0.5)
    >>> state, spikes = F.adaptive_leaky_step(params, F.adaptive_leaky_init(params), 30.0, dt=1e-3)
    >>> float(spikes), float(state.th)
    (1.0, 0.5)
    """
    return advance(_PHASES, params, state, inputs, dt=dt, config=config)


adaptive_leaky = Neuron("adaptive_leaky", AdaptiveLeakyParams, adaptive_leaky_init, adaptive_leaky_step, _PHASES)
