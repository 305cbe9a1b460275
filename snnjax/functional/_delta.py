"""Delta synapses around any spiking model: an input is a jump of the membrane itself.

    v <- v + inputs         at the start of the step, before the membrane integrates

In the law of order that is receiving. The jump is the charge `inputs * tau_mem / resistance`, and reaches the membrane
as a current does: a refractory neuron does not take it in, under whichever rule. The wrapped model's own input is zero.
"""

from __future__ import annotations

import functools
from typing import Any

import jax.numpy as jnp

from .._errors import DTypeError, refuses_unknown_keywords
from ._config import SpikingConfig
from ._integrators import Currents, Early
from ._neuron import Neuron, Phases, core, phases_of, wrapped


def _phases(inner: Phases, has_resistance: bool) -> Phases:
    def receive(params: Any, state: Any, inputs: Any, dt: Any, config: SpikingConfig) -> tuple[Any, Currents]:
        state, own = inner.receive(params, state, jnp.zeros_like(core(state).v), dt, config)
        membrane = core(params)
        per_ohm = inputs / membrane.resistance if has_resistance else inputs
        return state, (*own, Early(per_ohm * (membrane.tau_mem / dt)))

    return inner._replace(receive=receive)


@refuses_unknown_keywords
def delta(neuron: Neuron) -> Neuron:
    """`neuron` with delta synapses: an input is a jump of `v`; the same argument gives the same object.

    Args:
        neuron: a spiking model with phases and a `tau_mem`, without synapse axis.

    Returns:
        A Neuron with the Params and State of `neuron`, whose inputs are in volts.

    Raises:
        DTypeError: `neuron` does not spike, has no phases, no `tau_mem`, or a synapse axis.

    >>> import jax.numpy as jnp
    >>> from snnjax import functional as F
    >>> jumps = jnp.array([[0.5], [0.0], [0.7]])
    >>> state, spikes = F.simulate(F.delta(F.leaky), F.LeakyParams(), jumps, dt=1e-3)
    >>> spikes.ravel().tolist()
    [0.0, 0.0, 1.0]
    """
    inner = phases_of(neuron, "delta")
    fields = core(neuron.default())._fields
    if "tau_mem" not in fields or neuron.ports:
        what = "has a synapse axis already" if neuron.ports else "has no `tau_mem`"
        raise DTypeError(
            f"`neuron` {neuron.name!r} {what}, so `delta` cannot wrap it. Use a model such as `F.leaky`.",
            where="delta",
            field="neuron",
            value=neuron.name,
            allowed="a spiking Neuron with `tau_mem` and without synapse axis",
        )
    return _delta(neuron, inner)


@functools.cache
def _delta(neuron: Neuron, inner: Phases) -> Neuron:
    phases = _phases(inner, "resistance" in core(neuron.default())._fields)
    return wrapped(f"delta({neuron.name})", neuron.default, neuron.init, phases, ())
