"""The steps of an IAF layer: what comes in is weighted, delayed and put where it belongs; then the neurons."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

from .. import functional as F
from ..functional._spread import may_spread, over_cores
from . import _project as stateless
from ._delays import Connection, seen, sent, taken_over_time
from ._iaf_feedback import unroll_connected
from ._iaf_noise import Noise, drawn
from ._mask import blank, masked_step

Shape = tuple[int, ...]


class IAFState(NamedTuple):
    """The state of an IAF layer; what a layer has no use for is `None`.

    Attributes:
        neuron: of the neurons; the membrane is `F.core(state).v`.
        inputs: of the last steps, `(..., steps, in)`, where they are delayed.
        spikes: of the last steps, `(..., steps, out)`, where they come back.
        noise: the key of the run and the number of the next step, where there is noise.
    """

    neuron: Any
    inputs: Any = None
    spikes: Any = None
    noise: Any = None


class Population(NamedTuple):
    """What a program is compiled for: the neurons, and whether what comes in, and what comes back, goes through a synapse."""

    neuron: F.Neuron
    has_synapse: tuple[bool, bool]


class Numbers(NamedTuple):
    """What is in a layer, and the length of a step."""

    params: Any
    config: Any
    incoming: Connection | None
    back: Connection | None
    noise: Noise | None
    dt: Any


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


def arriving(
    incoming: Connection | None, line: jax.Array | None, given: F.Injected, lead: Shape, mask: jax.Array | None, *, over_time: bool
) -> tuple[jax.Array | None, F.Injected]:
    """The line of delayed inputs, moved on, and `given` with its `inputs` weighted, as they arrive at the neurons."""
    if incoming is None or (given.inputs is None and line is None):
        return line, given
    inputs = incoming.matrix.shape[0] // len(incoming.taps)
    x = jnp.zeros((*lead, inputs), incoming.matrix.dtype) if given.inputs is None else given.inputs
    x = x if mask is None else blank(mask, x)  # 0 * NaN would come back through the gradient of the product
    if line is None:
        taken = x
    elif over_time:
        line, taken = taken_over_time(line, x, incoming.taps, mask)
    else:
        line = sent(line, x, mask)
        taken = seen(line, incoming.taps)
    flat = taken.reshape(*lead, incoming.matrix.shape[0])
    return line, given._replace(inputs=stateless.project(_Rows(incoming.matrix), flat, len(lead), "weight", exact=over_time))


class _Rows(eqx.Module):
    """`x @ matrix`, for one row."""

    matrix: jax.Array

    def __call__(self, x: jax.Array) -> jax.Array:
        return x @ self.matrix


def with_noise(numbers: Numbers, state: Any, given: F.Injected, shape: Shape, steps: int | None) -> tuple[Any, F.Injected]:
    """The noise of the next `steps`, or of one without an axis of time, beside the other currents."""
    if numbers.noise is None:
        return None, given
    integrator = numbers.config.integrator
    state, current = drawn(numbers.noise, state, numbers.params, shape, numbers.dt, integrator, 1 if steps is None else steps)
    current = current[0] if steps is None else current
    return state, given._replace(held=current if given.held is None else current + given.held)


def fired(
    population: Population, numbers: Numbers, state: Any, back: jax.Array | None, given: F.Injected, mask: jax.Array | None
) -> tuple[Any, jax.Array]:
    """One step of the neurons: their new state and the spikes; `back` is what arrives of their own."""
    inputs = placed(given, back, population.has_synapse)
    options = {"dt": numbers.dt, "config": numbers.config}
    if mask is None:
        return population.neuron.step(numbers.params, state, inputs, **options)
    return masked_step(population.neuron, numbers.params, state, inputs, mask, **options)


def one_step(
    population: Population, numbers: Numbers, state: IAFState, given: F.Injected, mask: jax.Array | None
) -> tuple[IAFState, jax.Array]:
    """One step of a layer."""
    batch = jax.tree.leaves(given)[0].shape[:-1]
    inputs, given = arriving(numbers.incoming, state.inputs, given, batch, mask, over_time=False)
    noise, given = with_noise(numbers, state.noise, given, F.core(state).v.shape, None)
    back = None if numbers.back is None else numbers.back(state.spikes)
    neuron, out = fired(population, numbers, state.neuron, back, given, mask)
    spikes = None if numbers.back is None else sent(state.spikes, out, mask)
    return IAFState(neuron, inputs, spikes, noise), out


# The current of many steps is a large array. Made for this many steps at a time it stays in a cache, and its memory does not grow
# with the run. A multiple of the rows at which a product of matrices has the same bits for a part as for the whole.
_STRETCH = 512


def all_steps(
    population: Population,
    numbers: Numbers,
    state: IAFState,
    given: F.Injected,
    mask: jax.Array | None,
    record: Callable[[Any, Any], Any] | None,
    segment: int | str | None,
) -> tuple[IAFState, Any]:
    """All steps of a layer, time first: the last state, and the spikes or what `record(neurons, spikes)` gave."""
    steps, neurons = jax.tree.leaves(given)[0].shape[0], F.core(state.neuron).v.shape
    over = neurons if may_spread(steps, neurons, numbers, state, given) else None
    return _all_steps(population, numbers, state, (given, mask), record, segment, over)


@functools.partial(jax.jit, static_argnames=("population", "record", "segment", "over"))
def _all_steps(population: Population, numbers: Any, state: Any, xs: Any, record: Any, segment: Any, over: Any) -> tuple[IAFState, Any]:
    def run(numbers: Numbers, state: IAFState, xs: Any) -> tuple[IAFState, Any]:
        return _by_stretches(population, numbers, state, xs, record, segment)

    return over_cores(run, numbers, state, xs, over)


def _by_stretches(
    population: Population, numbers: Numbers, state: IAFState, xs: Any, record: Callable[[Any, Any], Any] | None, segment: int | str | None
) -> tuple[IAFState, Any]:
    def some(state: IAFState, x: Any) -> tuple[IAFState, Any]:
        given, mask = x
        return _stretch(population, numbers, state, given, mask, record, segment)

    whole, rest = divmod(jax.tree.leaves(xs)[0].shape[0], _STRETCH)
    if whole < 2:
        return some(state, xs)
    cut = jax.tree.map(lambda leaf: leaf[: whole * _STRETCH].reshape(whole, _STRETCH, *leaf.shape[1:]), xs)
    state, out = F.unroll(some, state, cut, segment=1)
    out = jax.tree.map(lambda leaf: leaf.reshape(whole * _STRETCH, *leaf.shape[2:]), out)
    if not rest:
        return state, out
    state, last = some(state, jax.tree.map(lambda leaf: leaf[whole * _STRETCH :], xs))
    return state, jax.tree.map(lambda a, b: jnp.concatenate([a, b]), out, last)


def _stretch(
    population: Population,
    numbers: Numbers,
    state: IAFState,
    given: F.Injected,
    mask: jax.Array | None,
    record: Callable[[Any, Any], Any] | None,
    segment: int | str | None,
) -> tuple[IAFState, Any]:
    """As `all_steps`, with the current of all of them in memory."""
    lead = jax.tree.leaves(given)[0].shape[:-1]
    inputs, given = arriving(numbers.incoming, state.inputs, given, lead, mask, over_time=True)
    noise, given = with_noise(numbers, state.noise, given, F.core(state).v.shape, lead[0])

    def step(numbers: Numbers, neuron: Any, back: jax.Array | None, given: F.Injected, mask: Any) -> tuple[Any, jax.Array, Any]:
        neuron, spikes = fired(population, numbers, neuron, back, given, mask)
        return neuron, spikes, spikes if record is None else record(neuron, spikes)

    def alone(neuron: Any, x: Any) -> tuple[Any, Any]:
        neuron, _, recorded = step(numbers, neuron, None, *x)
        return neuron, recorded

    if numbers.back is None:
        neuron, out = F.unroll(alone, state.neuron, (given, mask), segment=segment)
        return IAFState(neuron, inputs, None, noise), out
    (neuron, spikes), out = unroll_connected(step, numbers.back, numbers, (state.neuron, state.spikes), (given, mask), segment)
    return IAFState(neuron, inputs, spikes, noise), out
