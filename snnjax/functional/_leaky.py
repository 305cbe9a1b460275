"""Leaky integrate-and-fire driven by a current that is held over the step.

    tau_mem dv/dt = v_leak - v + resistance * (inputs + bias)
    spike where v > v_th, then reset

Reference: Gerstner, Kistler, Naud & Paninski (2014), Neuronal Dynamics, section 1.3.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax

from .._errors import parameters, refuses_unknown_keywords
from .._kinds import Current, Potential, Resistance, TimeConstant
from ._config import SpikingConfig
from ._integrators import Currents, Held, relax
from ._lif import fire, reset
from ._neuron import Neuron, Phases, advance, filled, population
from ._take_step import checked_init


@parameters
class LeakyParams(NamedTuple):
    """Parameters of `leaky`; each a number or one value per neuron.

    >>> from snnjax import functional as F
    >>> F.LeakyParams(resistance=2.0).resistance
    2.0
    """

    tau_mem: TimeConstant = 20e-3
    resistance: Resistance = 1.0
    v_leak: Potential = 0.0
    v_th: Potential = 1.0
    v_reset: Potential = 0.0
    bias: Current = 0.0


class LeakyState(NamedTuple):
    """Membrane potential `v` after reset, `(..., N)`."""

    v: jax.Array


@checked_init
def leaky_init(params: Any, shape: int | tuple[int, ...] = (), dtype: Any = None) -> LeakyState:
    """The state at rest: `v = v_leak`. Arguments as in `lif_init`.

    >>> from snnjax import functional as F
    >>> F.leaky_init(F.LeakyParams(), (2,)).v.tolist()
    [0.0, 0.0]
    """
    shape, dtype = population(params, shape, dtype)
    return LeakyState(v=filled(params.v_leak, shape, dtype))


def receive(params: Any, state: Any, inputs: Any, dt: Any, config: SpikingConfig) -> tuple[Any, Currents]:
    """The input is the current itself."""
    del params, dt, config
    return state, (Held(inputs),)


def integrate(params: Any, state: Any, currents: Currents, dt: Any, config: SpikingConfig) -> Any:
    """The membrane leaks towards `v_leak + resistance * bias` and adds the currents across `resistance`."""
    v_inf = params.v_leak + params.resistance * params.bias
    return state._replace(v=relax(config.integrator, dt, state.v, v_inf, params.tau_mem, currents, params.resistance))


_PHASES = Phases(receive, integrate, fire, reset)


@refuses_unknown_keywords
def leaky_step(
    params: Any, state: LeakyState, inputs: Any, *, dt: Any, config: SpikingConfig | None = None
) -> tuple[LeakyState, jax.Array]:
    """One step of the leaky integrate-and-fire neuron with a held input current (equations at the top of the file).

    Args:
        params: `LeakyParams`.
        state: `LeakyState`, of shape `(..., N)`.
        inputs: current during the step, A, `(..., N)`.
        dt: length of the step, s.
        config: surrogate, reset and integrator; `SpikingConfig()` by default.

    Returns:
        The new state and the spikes, 0 or 1 in the state's dtype.

    >>> from snnjax import functional as F
    >>> params = F.LeakyParams()
    >>> state, spikes = F.leaky_step(params, F.leaky_init(params), 30.0, dt=1e-3)
    >>> float(spikes), float(state.v)
    (1.0, 0.0)
    """
    return advance(_PHASES, params, state, inputs, dt=dt, config=config)


leaky = Neuron("leaky", LeakyParams, leaky_init, leaky_step, _PHASES)
