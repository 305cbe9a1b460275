"""The steps of an IAF layer: where what arrives goes, and the loop of a layer whose spikes come back."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from .. import functional as F
from ._delays import Connection
from ._iaf_feedback import unroll_connected
from ._mask import masked_step


class Population(NamedTuple):
    """What a program is compiled for: the neurons, and whether what comes in, and what comes back, goes through a synapse."""

    neuron: F.Neuron
    has_synapse: tuple[bool, bool]


class Numbers(NamedTuple):
    """What a step needs beside its state and inputs, and what may be differentiated."""

    params: Any
    dt: Any
    config: Any


def placed(given: F.Injected, back: jax.Array | None, has_synapse: tuple[bool, bool]) -> F.Injected:
    """What arrives, `(..., N)` each, where the neuron has a place for it: a synapse of its own, or the membrane."""
    arriving = list(zip((given.inputs, back), has_synapse, strict=True))
    like = next(i for i in (back, *given) if i is not None)
    jumps = [jnp.zeros_like(like) if i is None else i for i, through_synapse in arriving if through_synapse]
    currents = [i for i in (*(i for i, through_synapse in arriving if not through_synapse), given.held) if i is not None]
    total = functools.reduce(jnp.add, currents) if currents else None
    if jumps:
        return F.Injected(jnp.stack(jumps, axis=-2), total, given.late)
    return F.Injected(total, late=given.late)


def one_step(
    population: Population, numbers: Numbers, state: Any, back: jax.Array | None, given: F.Injected, mask: jax.Array | None
) -> tuple[Any, jax.Array]:
    """The new state of the neurons and the spikes; `back` is what arrives of their own."""
    neuron, has_synapse = population
    params, dt, config = numbers
    inputs = placed(given, back, has_synapse)
    if mask is None:
        return neuron.step(params, state, inputs, dt=dt, config=config)
    return masked_step(neuron, params, state, inputs, mask, dt=dt, config=config)


@functools.partial(jax.jit, static_argnames=("population", "record", "segment"))
def all_steps(
    population: Population,
    numbers: Numbers,
    connection: Connection,
    state: Any,
    line: jax.Array,
    given: F.Injected,
    mask: jax.Array | None,
    record: Callable[[Any, Any], Any] | None,
    segment: int | None,
) -> tuple[tuple[Any, jax.Array], Any]:
    """All steps, time first: the last state and line, and the spikes or what `record(state, spikes)` gave."""

    def step(numbers: Numbers, state: Any, back: jax.Array, given: F.Injected, mask: Any) -> tuple[Any, jax.Array, Any]:
        state, spikes = one_step(population, numbers, state, back, given, mask)
        return state, spikes, spikes if record is None else record(state, spikes)

    return unroll_connected(step, connection, numbers, (state, line), (given, mask), segment)
