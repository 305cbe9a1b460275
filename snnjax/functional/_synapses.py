"""Several exponential synapses per neuron, each with its own time constant, around any spiking model.

    i_s <- i_s + inputs_s                   a jump per synapse s
    tau_syn_s di_s/dt = -i_s
    the membrane receives the sum of all i_s

The synapses take all of the input; the model's own input is zero. So `synapses(leaky, n)` is the membrane with `n`
synapses, and the single synapse of `lif` rests when it is wrapped (with recurrence inside, it carries that). With the
exact integrator each synapse has its exact propagator into the membrane.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .._errors import ParameterError, ShapeError, parameters, refuses_unknown_keywords
from .._kinds import SynapseTimeConstant
from ._concrete import as_count, as_shape
from ._config import SpikingConfig
from ._integrators import Currents, Decaying
from ._neuron import Neuron, Phases, core, inside, phases_of, wrapped
from ._rank import leading
from ._take_step import checked_init


@parameters
class SynapsesParams(NamedTuple):
    """The wrapped model's parameters, and `tau_syn`, one per synapse `(n,)` or per synapse and neuron `(n, N)`.

    >>> import jax.numpy as jnp
    >>> from snnjax import functional as F
    >>> F.SynapsesParams(F.LeakyParams(), tau_syn=jnp.array([2e-3, 50e-3])).tau_syn.shape
    (2,)
    """

    neuron: Any
    tau_syn: SynapseTimeConstant


class SynapsesState(NamedTuple):
    """The wrapped model's state, and the synaptic currents `i` after this step's decay, `(..., n, N)`."""

    neuron: Any
    i: jax.Array


def _check(inputs: tuple[int, ...], tau_syn: tuple[int, ...], n: int) -> None:
    """One array for all synapses would be broadcast over them, and each neuron take it `n` times."""
    for name, shape, axis in (("inputs", inputs, -2), ("tau_syn", tau_syn, 0)):
        if shape and (len(shape) < -axis or shape[axis] != n):
            allowed = f"(..., {n}, N)" if name == "inputs" else f"({n},) or ({n}, N)"
            text = f"`{name}` of a step with {n} synapses must have shape {allowed}, one value per synapse; got {shape}."
            raise ShapeError(text, where="step", field=name, value=shape, allowed=allowed)


def _phases(inner: Phases, n: int) -> Phases:
    def receive(params: Any, state: Any, inputs: Any, dt: Any, config: SpikingConfig) -> tuple[Any, Currents]:
        _check(np.shape(inputs), np.shape(params.tau_syn), n)
        taus = params.tau_syn if params.tau_syn.ndim > 1 else params.tau_syn[..., None]
        neuron, own = inner.receive(params.neuron, state.neuron, jnp.zeros_like(core(state).v), dt, config)
        i = state.i + inputs
        each = [leading(tau, i.ndim - 1) for tau in jnp.broadcast_to(taus, (n, taus.shape[-1]))]
        currents = tuple(Decaying(i[..., s, :], tau) for s, tau in enumerate(each))
        return SynapsesState(neuron, leading(config.integrator.decay(dt, taus), i.ndim) * i), own + currents

    def integrate(params: Any, state: Any, currents: Currents, dt: Any, config: SpikingConfig) -> Any:
        return state._replace(neuron=inner.integrate(params.neuron, state.neuron, currents, dt, config))

    def fire(params: Any, state: Any, config: SpikingConfig) -> jax.Array:
        return inner.fire(params.neuron, state.neuron, config)

    def reset(params: Any, state: Any, spikes: jax.Array, dt: Any, config: SpikingConfig) -> Any:
        return state._replace(neuron=inner.reset(params.neuron, state.neuron, spikes, dt, config))

    return Phases(receive, integrate, fire, reset, inside(inner.held))


@refuses_unknown_keywords
def synapses(neuron: Neuron, n: int) -> Neuron:
    """`neuron` with `n` synapses per neuron; the same arguments give the same object.

    Args:
        neuron: a spiking model with phases and without synapse axis of its own.
        n: number of synapses per neuron.

    Returns:
        A Neuron with `SynapsesParams(neuron, tau_syn)`, `SynapsesState(neuron, i)` and inputs of shape `(..., n, N)`.
        By default the time constants are 5 ms, 10 ms, 20 ms, ...

    Raises:
        DTypeError: `neuron` does not spike or has no phases, or `n` is no whole number.
        ParameterError: `n` is below 1, or `neuron` has a synapse axis already.

    >>> import jax.numpy as jnp
    >>> from snnjax import functional as F
    >>> neuron = F.synapses(F.lif, 2)
    >>> state = neuron.init(neuron.default(), (3,))
    >>> state.i.shape, neuron.step(neuron.default(), state, jnp.ones((2, 3)), dt=1e-3)[1].shape
    ((2, 3), (3,))
    """
    inner = phases_of(neuron, "synapses")
    n = as_count(n, "n", "synapses", least=1)
    if neuron.ports:
        raise ParameterError(
            f"`neuron` must be without a synapse axis; got {neuron.name!r}, which has {neuron.ports[0]} synapses. Give `n` all of them.",
            where="synapses",
            field="neuron",
            value=neuron.name,
            allowed="a neuron without synapse axis",
        )
    return _synapses(neuron, inner, n)


@functools.cache
def _synapses(neuron: Neuron, inner: Phases, n: int) -> Neuron:
    def default(**fields: Any) -> SynapsesParams:
        return SynapsesParams(**{"neuron": neuron.default(), "tau_syn": 5e-3 * 2.0 ** np.arange(n), **fields})

    @checked_init
    def init(params: Any, shape: int | tuple[int, ...] = (), dtype: Any = None) -> SynapsesState:
        per_neuron = jnp.shape(params.tau_syn)[1:]
        state = neuron.init(params.neuron, as_shape(shape, "init") or per_neuron or (1,), dtype)
        v = core(state).v
        return SynapsesState(state, jnp.zeros((*v.shape[:-1], n, v.shape[-1]), v.dtype))

    return wrapped(f"synapses({neuron.name}, {n})", default, init, _phases(inner, n), (n,))
