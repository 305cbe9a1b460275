"""Currents injected into the membrane of any spiking model, beside what it receives anyway.

    inputs = Injected(inputs, held, late)

`inputs` is what the wrapped model takes. `held` is a current held over the step: an electrode, or noise, beside a synapse.
`late` is a charge that arrives when the step ends: as much as a current `late` held over the step would bring.

`injected` goes around all other wrappers, because only it takes inputs of several kinds.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax.numpy as jnp

from .._errors import parameters, refuses_unknown_keywords
from ._config import SpikingConfig
from ._integrators import Currents, Held, Late
from ._neuron import Neuron, Phases, core, phases_of, wrapped
from ._take_step import checked_init


@parameters
class Injected(NamedTuple):
    """Inputs of an `injected` neuron; what is `None` is not there, and costs nothing.

    Attributes:
        inputs: as the wrapped model takes them, `(T, ..., N)`, or `(T, ..., n, N)` with `n` synapses.
        held: current held over the step, A, `(T, ..., N)`.
        late: charge at the end of the step, over `dt`, A, `(T, ..., N)`.

    >>> Injected(held=1.0).inputs is None
    True
    """

    inputs: Any = None
    held: Any = None
    late: Any = None


def _phases(inner: Phases, ports: tuple[int, ...]) -> Phases:
    def receive(params: Any, state: Any, inputs: Any, dt: Any, config: SpikingConfig) -> tuple[Any, Currents]:
        given = inputs if isinstance(inputs, Injected) else Injected(inputs)
        own = given.inputs
        if own is None:
            v = core(state).v
            own = jnp.zeros((*v.shape[:-1], *ports, *v.shape[-1:]), v.dtype)
        state, currents = inner.receive(params, state, own, dt, config)
        held = () if given.held is None else (Held(given.held),)
        late = () if given.late is None else (Late(given.late),)
        return state, (*currents, *held, *late)

    return inner._replace(receive=receive)


@refuses_unknown_keywords
def injected(neuron: Neuron) -> Neuron:
    """`neuron` with currents beside its input; the same argument gives the same object.

    Args:
        neuron: a spiking model with phases, wrapped in whatever else it should be.

    Returns:
        A Neuron with the Params and State of `neuron`. Its inputs are `Injected(inputs, held, late)`, or an array, which
        is `Injected(inputs)`.

    Raises:
        DTypeError: `neuron` does not spike, has no phases, or is `injected` already.

    >>> import jax.numpy as jnp
    >>> from snnjax import functional as F
    >>> electrode = F.Injected(held=jnp.full((100, 1), 1.5))
    >>> state, spikes = F.simulate(F.injected(F.lif), F.LIFParams(), electrode, dt=1e-3)
    >>> int(spikes.sum()), float(state.i[0])
    (4, 0.0)
    """
    return _injected(neuron, phases_of(neuron, "injected"))


@functools.cache
def _injected(neuron: Neuron, inner: Phases) -> Neuron:
    @checked_init
    def init(params: Any, shape: int | tuple[int, ...] = (), dtype: Any = None, inputs: Any = None) -> Any:
        del inputs
        return neuron.init(params, shape, dtype)

    made = wrapped(f"injected({neuron.name})", neuron.default, init, _phases(inner, neuron.ports), neuron.ports)
    return made._replace(gates=Injected)
