"""The membrane of a spiking model alone: it receives and integrates, and neither fires nor resets; the output is `v`.

For read-outs, and, with an activation behind it, for rate neurons:

| | |
|---|---|
| `membrane(leaky)` | a leaky integrator of a current |
| `membrane(lif)` | the same behind an exponential synapse: `leaky_integrator` |
| `membrane(integrate_and_fire)` | a perfect integrator |
| `membrane(synapses(leaky, n))` | a leaky integrator behind `n` synapses |
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax

from .._errors import DTypeError, parameters, refuses_unknown_keywords
from ._config import SpikingConfig
from ._integrators import Currents
from ._neuron import Neuron, Phases, core, phases_of, wrapped
from ._recurrent import RecurrentParams
from ._refractory import RefractoryParams
from ._take_step import checked_init


@parameters
class MembraneParams(NamedTuple):
    """The wrapped model's parameters; those of threshold and reset are there and do nothing.

    >>> from snnjax import functional as F
    >>> F.MembraneParams(F.LeakyParams(tau_mem=5e-3)).neuron.tau_mem
    0.005
    """

    neuron: Any


class MembraneState(NamedTuple):
    """The wrapped model's state."""

    neuron: Any


def _phases(inner: Phases) -> Phases:
    def receive(params: Any, state: Any, inputs: Any, dt: Any, config: SpikingConfig) -> tuple[Any, Currents]:
        neuron, currents = inner.receive(params.neuron, state.neuron, inputs, dt, config)
        return MembraneState(neuron), currents

    def integrate(params: Any, state: Any, currents: Currents, dt: Any, config: SpikingConfig) -> Any:
        return MembraneState(inner.integrate(params.neuron, state.neuron, currents, dt, config))

    def read(params: Any, state: Any, config: SpikingConfig) -> jax.Array:
        del params, config
        return core(state).v

    def keep(params: Any, state: Any, output: jax.Array, dt: Any, config: SpikingConfig) -> Any:
        del params, output, dt, config
        return state

    return Phases(receive, integrate, read, keep)


@refuses_unknown_keywords
def membrane(neuron: Neuron) -> Neuron:
    """`neuron` without firing and reset; the same argument gives the same object.

    Args:
        neuron: a spiking model with phases, without refractory period and recurrence: both need spikes.

    Returns:
        A Neuron that does not spike, with `MembraneParams(neuron)` and `MembraneState(neuron)`. Its output is the
        potential; of the choices only the integrator is used.

    Raises:
        DTypeError: `neuron` does not spike, has no phases, or is refractory or recurrent.

    >>> import jax.numpy as jnp
    >>> from snnjax import functional as F
    >>> readout = F.membrane(F.integrate_and_fire)
    >>> params = readout.default(neuron=F.IntegrateAndFireParams(tau_mem=1e-3))
    >>> F.simulate(readout, params, jnp.ones((4, 1)), dt=1e-3)[1].ravel().tolist()
    [1.0, 2.0, 3.0, 4.0]
    """
    inner = phases_of(neuron, "membrane")
    _refuse_what_needs_spikes(neuron)
    return _membrane(neuron, inner)


@functools.cache
def _membrane(neuron: Neuron, inner: Phases) -> Neuron:
    def default(**fields: Any) -> MembraneParams:
        return MembraneParams(**{"neuron": neuron.default(), **fields})

    @checked_init
    def init(params: Any, shape: int | tuple[int, ...] = (), dtype: Any = None) -> MembraneState:
        return MembraneState(neuron.init(params.neuron, shape, dtype))

    made = wrapped(f"membrane({neuron.name})", default, init, _phases(inner), neuron.ports)
    return made._replace(spiking=False)


def _refuse_what_needs_spikes(neuron: Neuron) -> None:
    params = neuron.default()
    while "neuron" in params._fields:
        if isinstance(params, RefractoryParams | RecurrentParams):
            what = "a refractory period" if isinstance(params, RefractoryParams) else "recurrence"
            raise DTypeError(
                f"`neuron` {neuron.name!r} has {what}, which needs spikes, and a `membrane` has none. Give the model inside of it, such as "
                "`F.lif`.",
                where="membrane",
                field="neuron",
                value=neuron.name,
                allowed="a spiking Neuron without refractory period and recurrence",
            )
        params = params.neuron
