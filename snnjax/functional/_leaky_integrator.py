"""A leaky integrator with an exponential synapse: the membrane of `lif` without a threshold, for read-outs.

i <- i + inputs
tau_mem dv/dt = v_leak - v + i + bias
tau_syn di/dt = -i
output v
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from .._errors import parameters, refuses_unknown_keywords
from .._kinds import Current, Potential, TimeConstant
from . import _lif
from ._config import SpikingConfig
from ._neuron import Neuron, Phases, advance, filled, population
from ._take_step import checked_init


@parameters
class LeakyIntegratorParams(NamedTuple):
    """Parameters of `leaky_integrator`; each a number or one value per neuron.

    >>> from snnjax import functional as F
    >>> F.LeakyIntegratorParams().tau_mem
    0.02
    """

    tau_mem: TimeConstant = 20e-3
    tau_syn: TimeConstant = 5e-3
    v_leak: Potential = 0.0
    bias: Current = 0.0


class LeakyIntegratorState(NamedTuple):
    """Membrane potential `v`, and synaptic current `i` after this step's decay; `(..., N)` each."""

    v: jax.Array
    i: jax.Array


@checked_init
def leaky_integrator_init(params: Any, shape: int | tuple[int, ...] = (), dtype: Any = None) -> LeakyIntegratorState:
    """The state at rest: `v = v_leak`, `i = 0`. Arguments as in `lif_init`.

    >>> from snnjax import functional as F
    >>> F.leaky_integrator_init(F.LeakyIntegratorParams(), (2,)).v.tolist()
    [0.0, 0.0]
    """
    shape, dtype = population(params, shape, dtype)
    return LeakyIntegratorState(v=filled(params.v_leak, shape, dtype), i=jnp.zeros(shape, dtype))


def _read(params: Any, state: Any, config: SpikingConfig) -> jax.Array:
    del params, config
    return state.v


def _keep(params: Any, state: Any, output: jax.Array, dt: Any, config: SpikingConfig) -> Any:
    del params, output, dt, config
    return state


_PHASES = Phases(_lif.receive, _lif.integrate, _read, _keep)


@refuses_unknown_keywords
def leaky_integrator_step(
    params: Any, state: LeakyIntegratorState, inputs: Any, *, dt: Any, config: SpikingConfig | None = None
) -> tuple[LeakyIntegratorState, jax.Array]:
    """One step of the leaky integrator (equations at the top of the file).

    Args:
        params: `LeakyIntegratorParams`.
        state: `LeakyIntegratorState`, leaves of shape `(..., N)`.
        inputs: the jump of the synaptic current in this step, `(..., N)`.
        dt: length of the step, s.
        config: only the integrator is used.

    Returns:
        The new state and the potential `v`.

    >>> from snnjax import functional as F
    >>> params = F.LeakyIntegratorParams()
    >>> state, v = F.leaky_integrator_step(params, F.leaky_integrator_init(params), 1.0, dt=1e-3)
    >>> bool(v == state.v), round(float(v), 4)
    (True, 0.0442)
    """
    return advance(_PHASES, params, state, inputs, dt=dt, config=config)


leaky_integrator = Neuron("leaky_integrator", LeakyIntegratorParams, leaky_integrator_init, leaky_integrator_step, _PHASES, spiking=False)
