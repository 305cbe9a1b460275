"""How the leaves of a run lie in memory for a kernel: rows over all neurons of all batch axes, `(..., rows, M)`.

A population `(..., N)` is `M` neurons. Synapses, `(..., n, N)`, are `n` rows of them. A parameter is either a few numbers
shared by all neurons or rows like the rest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp

from .._kinds import kinds_of
from ._fused_program import Leaf
from ._fused_tape import NotElementwise

Shape = tuple[int, ...]


def moving_leaf(shape: Shape, dtype: Any, population: Shape) -> Leaf:
    """What a step sees of an array `(..., *axes, N)` of its state, inputs or outputs."""
    lead = len(population) - 1
    if shape[:lead] != population[:-1] or shape[-1:] != population[-1:] or len(shape) <= lead:
        raise NotElementwise(f"it has an array of shape {shape}, not one value per neuron")
    if jnp.issubdtype(dtype, jax.dtypes.extended):
        raise NotElementwise("it has random keys in its state or inputs")
    return Leaf(shape[lead:-1], True, jnp.dtype(dtype))


def to_rows(array: jax.Array, population: Shape, time: int = 0) -> jax.Array:
    """`(T, ..., *axes, N)` as `(T, rows, M)`, or without the time axis; only synapses beside batch axes cost a copy."""
    lead = len(population) - 1
    axes = range(time + lead, array.ndim - 1)
    order = [*range(time), *axes, *range(time, time + lead), array.ndim - 1]
    rows = math.prod(array.shape[k] for k in axes)
    return stored(array.transpose(order).reshape(*array.shape[:time], rows, math.prod(population)))


def from_rows(rows: jax.Array, leaf: Leaf, population: Shape, time: int = 0) -> jax.Array:
    """The inverse of `to_rows`."""
    array = rows.reshape(*rows.shape[:time], *leaf.axes, *population)
    n, lead = len(leaf.axes), len(population) - 1
    order = [*range(time), *range(time + n, time + n + lead), *range(time, time + n), array.ndim - 1]
    return array.transpose(order).astype(leaf.dtype)


def storage(dtype: Any) -> Any:
    """The dtype that stands for `dtype` in memory: a kernel cannot load a bit."""
    return jnp.dtype(jnp.int8) if dtype == jnp.bool_ else jnp.dtype(dtype)


def stored(array: jax.Array) -> jax.Array:
    return array.astype(storage(array.dtype))


def parameter_leaves(params: Any, others: Any, population: Shape) -> list[tuple[Leaf, Any]]:
    """Every number of `params` and of `others` as a step sees it, and in memory: `(rows,)` for all neurons, or `(rows, M)`."""
    numbers = [*_numbers(params), *((leaf, False) for leaf in jax.tree.leaves(others))]
    return [_parameter(leaf, of_synapses, population) for leaf, of_synapses in numbers]


def _numbers(params: Any, of_synapses: bool = False) -> Iterator[tuple[Any, bool]]:
    """The leaves in the order of `jax.tree.leaves`, and whether each has an axis for synapses."""
    if hasattr(params, "_fields"):
        kinds = kinds_of(type(params))
        for name, value in zip(params._fields, params, strict=True):
            yield from _numbers(value, name in kinds and kinds[name].axes == "synapse")
    else:
        yield from ((leaf, of_synapses) for leaf in jax.tree.leaves(params))


def _parameter(leaf: Any, of_synapses: bool, population: Shape) -> tuple[Leaf, Any]:
    array = jnp.asarray(leaf)
    weak = bool(jax.typeof(array).weak_type)
    shape = array.shape
    if of_synapses and array.ndim > 1:
        own, axes = True, shape[:-1]
    else:
        own, axes = not of_synapses and math.prod(shape) != 1 and shape == population[len(population) - len(shape) :], ()
    if not own:
        return Leaf(shape, False, array.dtype, weak), array.reshape(-1)
    lead = len(population) - 1
    spread = array.reshape(*axes, *(1,) * (lead + len(axes) + 1 - array.ndim), *array.shape[len(axes) :])
    whole = jnp.broadcast_to(spread, (*axes, *population))
    return Leaf(axes, True, array.dtype, weak), whole.reshape(math.prod(axes), -1)
