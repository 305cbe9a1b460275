"""Leaky integrate-and-fire with an exponential current synapse (the "current-based" LIF).

    i <- i + inputs                              an input is a jump of the synaptic current
    tau_mem dv/dt = v_leak - v + i + bias
    tau_syn di/dt = -i
    spike where v > v_th, then reset

Reference: Gerstner, Kistler, Naud & Paninski (2014), Neuronal Dynamics, sections 1.3 and 3.1.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from .._errors import parameters, refuses_unknown_keywords
from .._kinds import Current, Potential, TimeConstant
from ._config import SpikingConfig
from ._integrators import Currents, Decaying, relax
from ._neuron import Neuron, Phases, advance, filled, population
from ._take_step import checked_init


@parameters
class LIFParams(NamedTuple):
    """Parameters of `lif`; each a number or one value per neuron.

    >>> from snnjax import functional as F
    >>> F.LIFParams(tau_mem=10e-3).tau_mem
    0.01
    """

    tau_mem: TimeConstant = 20e-3
    tau_syn: TimeConstant = 5e-3
    v_leak: Potential = 0.0
    v_th: Potential = 1.0
    v_reset: Potential = 0.0
    bias: Current = 0.0


class LIFState(NamedTuple):
    """Membrane potential `v` after reset, and synaptic current `i` after this step's decay; `(..., N)` each."""

    v: jax.Array
    i: jax.Array


@checked_init
def lif_init(params: Any, shape: int | tuple[int, ...] = (), dtype: Any = None) -> LIFState:
    """The state at rest: `v = v_leak`, `i = 0`.

    Args:
        params: `LIFParams`; arrays in it set the shape where `shape` is `()`.
        shape: of the population, leading (batch) axes first.
        dtype: of the state; by default that of the arrays in `params`, else JAX's default.

    >>> from snnjax import functional as F
    >>> F.lif_init(F.LIFParams(v_leak=-1.0), (3,)).v.tolist()
    [-1.0, -1.0, -1.0]
    """
    shape, dtype = population(params, shape, dtype)
    return LIFState(v=filled(params.v_leak, shape, dtype), i=jnp.zeros(shape, dtype))


def receive(params: Any, state: Any, inputs: Any, dt: Any, config: SpikingConfig) -> tuple[Any, Currents]:
    """The synapse jumps, drives the membrane, and decays."""
    i = state.i + inputs
    return state._replace(i=config.integrator.decay(dt, params.tau_syn) * i), (Decaying(i, params.tau_syn),)


def integrate(params: Any, state: Any, currents: Currents, dt: Any, config: SpikingConfig) -> Any:
    """The membrane leaks towards `v_leak + bias` and adds the synaptic currents."""
    v_inf = params.v_leak + params.bias
    return state._replace(v=relax(config.integrator, dt, state.v, v_inf, params.tau_mem, currents))


def fire(params: Any, state: Any, config: SpikingConfig) -> jax.Array:
    """A spike where `v > v_th`."""
    return config.spike(state.v - params.v_th, params.v_th - params.v_reset)


def reset(params: Any, state: Any, spikes: jax.Array, dt: Any, config: SpikingConfig) -> Any:
    """The membrane resets; the synapse does not notice."""
    del dt
    return state._replace(v=config.reset(state.v, spikes, params))


_PHASES = Phases(receive, integrate, fire, reset)


@refuses_unknown_keywords
def lif_step(params: Any, state: LIFState, inputs: Any, *, dt: Any, config: SpikingConfig | None = None) -> tuple[LIFState, jax.Array]:
    """One step of the leaky integrate-and-fire neuron with an exponential synapse (equations at the top of the file).

    Args:
        params: `LIFParams`.
        state: `LIFState`, leaves of shape `(..., N)`.
        inputs: the jump of the synaptic current in this step, `(..., N)`; spikes times weights.
        dt: length of the step, s.
        config: surrogate, reset and integrator; `SpikingConfig()` by default.

    Returns:
        The new state and the spikes, 0 or 1 in the state's dtype.

    >>> import jax.numpy as jnp
    >>> from snnjax import functional as F
    >>> params = F.LIFParams()
    >>> state, spikes = F.lif_step(params, F.lif_init(params, (2,)), jnp.array([0.0, 50.0]), dt=1e-3)
    >>> spikes.tolist(), state.v.tolist()
    ([0.0, 1.0], [0.0, 0.0])
    """
    return advance(_PHASES, params, state, inputs, dt=dt, config=config)


lif = Neuron("lif", LIFParams, lif_init, lif_step, _PHASES)
