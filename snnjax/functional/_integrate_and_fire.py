"""Perfect integrate-and-fire: a membrane without leak, under a current that is held over the step.

    tau_mem dv/dt = resistance * (inputs + bias)
    spike where v > v_th, then reset

A negative `bias` is a leak that does not depend on `v`, as neuromorphic chips and event-driven simulators have it.

Reference: Abbott (1999), Brain Research Bulletin 50, 303-304, on Lapicque (1907).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax

from .._errors import parameters, refuses_unknown_keywords
from .._kinds import Current, Potential, Resistance, TimeConstant
from ._config import SpikingConfig
from ._integrators import Currents
from ._leaky import receive
from ._lif import fire, reset
from ._neuron import Neuron, Phases, advance, filled, population
from ._take_step import checked_init


@parameters
class IntegrateAndFireParams(NamedTuple):
    """Parameters of `integrate_and_fire`; each a number or one value per neuron.

    `tau_mem / resistance` is the capacitance: only their quotient matters.

    >>> from snnjax import functional as F
    >>> F.IntegrateAndFireParams(tau_mem=1.0).v_reset
    0.0
    """

    tau_mem: TimeConstant = 20e-3
    resistance: Resistance = 1.0
    v_th: Potential = 1.0
    v_reset: Potential = 0.0
    bias: Current = 0.0


class IntegrateAndFireState(NamedTuple):
    """Membrane potential `v` after reset, `(..., N)`."""

    v: jax.Array


@checked_init
def integrate_and_fire_init(params: Any, shape: int | tuple[int, ...] = (), dtype: Any = None) -> IntegrateAndFireState:
    """The state at the start: `v = v_reset`, for want of a potential to rest at. Arguments as in `lif_init`.

    >>> from snnjax import functional as F
    >>> F.integrate_and_fire_init(F.IntegrateAndFireParams(v_reset=-1.0), (2,)).v.tolist()
    [-1.0, -1.0]
    """
    shape, dtype = population(params, shape, dtype)
    return IntegrateAndFireState(v=filled(params.v_reset, shape, dtype))


def integrate(params: Any, state: Any, currents: Currents, dt: Any, config: SpikingConfig) -> Any:
    """The membrane adds up the charge."""
    v = state.v + dt / params.tau_mem * (params.resistance * params.bias)
    for current in currents:
        v = v + params.resistance * current.charge(config.integrator, dt, params.tau_mem)
    return state._replace(v=v)


_PHASES = Phases(receive, integrate, fire, reset)


@refuses_unknown_keywords
def integrate_and_fire_step(
    params: Any, state: IntegrateAndFireState, inputs: Any, *, dt: Any, config: SpikingConfig | None = None
) -> tuple[IntegrateAndFireState, jax.Array]:
    """One step of the integrate-and-fire neuron without leak (equations at the top of the file).

    Args:
        params: `IntegrateAndFireParams`.
        state: `IntegrateAndFireState`, of shape `(..., N)`.
        inputs: current during the step, A, `(..., N)`.
        dt: length of the step, s.
        config: surrogate, reset and integrator; `SpikingConfig()` by default. Under a held current all integrators agree.

    Returns:
        The new state and the spikes, 0 or 1 in the state's dtype.

    >>> from snnjax import functional as F
    >>> params = F.IntegrateAndFireParams(tau_mem=8e-3)
    >>> state, spikes = F.integrate_and_fire_step(params, F.integrate_and_fire_init(params), 0.5, dt=1e-3)
    >>> float(spikes), round(float(state.v), 6)
    (0.0, 0.0625)
    """
    return advance(_PHASES, params, state, inputs, dt=dt, config=config)


integrate_and_fire = Neuron("integrate_and_fire", IntegrateAndFireParams, integrate_and_fire_init, integrate_and_fire_step, _PHASES)
