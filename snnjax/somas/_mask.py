"""Sequences of different length in one batch: padded steps change no state, emit nothing and pass no gradient."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .. import functional as F
from .._errors import DTypeError, ShapeError
from ..functional._check import example, population_of
from ..functional._feedback import unroll_population
from ..functional._spread import may_spread, over_cores

Shape = tuple[int, ...]


def check_mask(mask: Any, shape: Shape, axes: str, where: str) -> jax.Array:
    """`mask` as an array: boolean, True where a step is real, one per step and batch element."""
    dtype = getattr(mask, "dtype", None)
    if dtype is None or dtype != np.dtype(bool):
        raise DTypeError(
            f"`mask` must be a boolean array, True where a step is real; got {dtype or type(mask).__name__}. "
            "For sequences of known length: `jnp.arange(T)[:, None] < lengths[None]`.",
            where=where,
            field="mask",
            value=str(dtype or type(mask).__name__),
            allowed="bool",
        )
    if np.shape(mask) != shape:
        raise ShapeError(
            f"`mask` must have the shape {shape}, {axes}; got {np.shape(mask)}.",
            where=where,
            field="mask",
            value=np.shape(mask),
            allowed=str(shape),
        )
    return jnp.asarray(mask)


def spread(mask: jax.Array, like: Any) -> jax.Array:
    """`mask` with axes of length 1 behind, as many as `like` has more."""
    return mask.reshape(mask.shape + (1,) * (jnp.ndim(like) - mask.ndim))


def blank(mask: jax.Array, values: jax.Array) -> jax.Array:
    """`values` where `mask`, else 0."""
    return jnp.where(spread(mask, values), values, jnp.zeros((), values.dtype))


def masked_step(neuron: F.Neuron, params: Any, state: Any, inputs: Any, mask: jax.Array, *, dt: Any, config: Any) -> tuple[Any, Any]:
    """One step of `neuron` where `mask`; elsewhere the old state and an output of 0."""
    # Inputs are blanked as well: a NaN in the padding would come back through the gradient as 0 * NaN.
    inputs = jax.tree.map(lambda leaf: blank(mask, jnp.asarray(leaf)), inputs)
    new, output = neuron.step(params, state, inputs, dt=dt, config=config)
    new = jax.tree.map(lambda after, before: jnp.where(spread(mask, after), after, before), new, state)
    return new, blank(mask, output)


def simulate_masked(
    neuron: F.Neuron, params: Any, inputs: Any, mask: Any, *, dt: Any, shape: Shape, state: Any, config: Any, record: Any, segment: Any
) -> tuple[Any, Any]:
    """`F.simulate` with a mask."""
    population_of(neuron, example(neuron, inputs, "simulate"), "simulate")
    whole = np.shape(jax.tree.leaves(inputs)[0])
    batch = whole[: len(whole) - len(shape) - len(neuron.ports)]
    mask = check_mask(mask, batch, "time and batch axes as of `inputs`", "simulate")
    # No step at all: every check of the door, and the state to start from.
    none = jax.tree.map(lambda leaf: leaf[:0], inputs)
    state, _ = F.simulate(neuron, params, none, dt=dt, shape=shape, state=state, config=config)
    population = (*batch[1:], *shape)
    over = population if may_spread(batch[0], population, params, state, inputs) else None
    return _run(neuron, params, state, inputs, mask, dt, config, record, segment, over)


@functools.partial(jax.jit, static_argnames=("neuron", "record", "segment", "over"))
def _run(
    neuron: F.Neuron, params: Any, state: Any, inputs: Any, mask: Any, dt: Any, config: Any, record: Any, segment: Any, over: Shape | None
) -> tuple[Any, Any]:
    # The output that `mask` blanks is not the spikes that the state keeps, so `record` is never left out.
    record = (lambda state, output: output) if record is None else record

    def run(shared: Any, state: Any, inputs: Any) -> tuple[Any, Any]:
        params, dt, config = shared

        def step(params: Any, now: Any, x: Any) -> tuple[Any, Any]:
            return masked_step(neuron, params, now, x[0], x[1], dt=dt, config=config)

        return unroll_population(neuron, step, params, state, inputs, record=record, segment=segment)

    return over_cores(run, (params, dt, config), state, (inputs, mask), over)
