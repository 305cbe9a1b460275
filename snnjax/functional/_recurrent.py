"""Recurrence around any spiking model: the spikes of the previous step come back through a weight matrix.

    inputs <- inputs + spikes_previous @ weight         weight[pre, post]

The matrix product happens at every step, so this is for recurrent connections alone; a feed-forward projection is
cheaper outside the loop, one product for the whole sequence.

A population may lie on several devices, each with some of the neurons and the columns of the weight that lead to them.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from .._errors import DTypeError, parameters, refuses_unknown_keywords
from .._kinds import Weight
from ._concrete import as_shape, describe
from ._config import SpikingConfig
from ._gather import all_gather_spikes
from ._integrators import Currents
from ._neuron import Neuron, Phases, core, inside, phases_of, wrapped
from ._take_step import checked_init


@parameters
class RecurrentParams(NamedTuple):
    """The wrapped model's parameters, and `weight[pre, post]` of shape `(N, N)`; `(n, N, N)` around `n` synapses.

    Where the neurons lie on several devices, each has the columns of its own: `(devices * N, N)`.

    >>> import jax.numpy as jnp
    >>> from snnjax import functional as F
    >>> F.RecurrentParams(F.LIFParams(), weight=jnp.zeros((3, 3))).weight.shape
    (3, 3)
    """

    neuron: Any
    weight: Weight


class RecurrentState(NamedTuple):
    """The wrapped model's state, and the spikes of the last step, `(..., N)`."""

    neuron: Any
    spikes: jax.Array


def _phases(inner: Phases, ports: tuple[int, ...], axis_name: str | None) -> Phases:
    def receive(params: Any, state: Any, inputs: Any, dt: Any, config: SpikingConfig) -> tuple[Any, Currents]:
        sent = state.spikes if axis_name is None else all_gather_spikes(state.spikes, axis_name)
        spikes = jnp.expand_dims(sent, -2) if ports else sent
        back = jnp.squeeze(jnp.expand_dims(spikes, -2) @ params.weight, -2)
        neuron, currents = inner.receive(params.neuron, state.neuron, inputs + back, dt, config)
        return state._replace(neuron=neuron), currents

    def integrate(params: Any, state: Any, currents: Currents, dt: Any, config: SpikingConfig) -> Any:
        return state._replace(neuron=inner.integrate(params.neuron, state.neuron, currents, dt, config))

    def fire(params: Any, state: Any, config: SpikingConfig) -> jax.Array:
        return inner.fire(params.neuron, state.neuron, config)

    def reset(params: Any, state: Any, spikes: jax.Array, dt: Any, config: SpikingConfig) -> Any:
        return RecurrentState(inner.reset(params.neuron, state.neuron, spikes, dt, config), spikes)

    return Phases(receive, integrate, fire, reset, inside(inner.held))


@refuses_unknown_keywords
def recurrent(neuron: Neuron, *, axis_name: str | None = None) -> Neuron:
    """`neuron` with its own spikes fed back one step later; the same arguments give the same object.

    Args:
        neuron: a spiking model with phases.
        axis_name: inside `jax.shard_map`, the axis of the mesh along which the neurons lie; the devices exchange their spikes
            in every step, as bits (`F.all_gather_spikes`).

    Returns:
        A Neuron with `RecurrentParams(neuron, weight)` and `RecurrentState(neuron, spikes)`. `weight` has no
        sensible default: `default(weight=...)` must be given one before the model runs.

    Raises:
        DTypeError: `neuron` does not spike or has no phases, or `axis_name` is no text.

    >>> import jax.numpy as jnp
    >>> from snnjax import functional as F
    >>> ring = F.recurrent(F.lif)
    >>> params = ring.default(weight=50.0 * jnp.roll(jnp.eye(3), 1, axis=1))
    >>> kick = jnp.zeros((4, 3)).at[0, 0].set(50.0)
    >>> F.simulate(ring, params, kick, dt=1e-3)[1].astype(int).tolist()
    [[1, 0, 0], [1, 1, 0], [1, 1, 1], [1, 1, 1]]
    """
    inner = phases_of(neuron, "recurrent")
    if not isinstance(axis_name, str | None):
        wanted = "the name of an axis of the mesh, or None"
        text = f"`axis_name` must be {wanted}; got {describe(axis_name)}."
        raise DTypeError(text, where="recurrent", field="axis_name", value=axis_name, allowed=wanted)
    return _recurrent(neuron, inner, axis_name)


@functools.cache
def _recurrent(neuron: Neuron, inner: Phases, axis_name: str | None) -> Neuron:
    def default(**fields: Any) -> RecurrentParams:
        return RecurrentParams(**{"neuron": neuron.default(), "weight": 0.0, **fields})

    @checked_init
    def init(params: Any, shape: int | tuple[int, ...] = (), dtype: Any = None) -> RecurrentState:
        state = neuron.init(params.neuron, as_shape(shape, "init") or jnp.shape(params.weight)[-1:], dtype)
        return RecurrentState(state, jnp.zeros_like(core(state).v))

    where = "" if axis_name is None else f", axis_name={axis_name!r}"
    made = wrapped(f"recurrent({neuron.name}{where})", default, init, _phases(inner, neuron.ports, axis_name), neuron.ports)
    # The gradient of the weight as one product needs the spikes of all neurons at all steps on every device.
    return made if axis_name else made._replace(feedback=())
