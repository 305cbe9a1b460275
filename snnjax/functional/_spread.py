"""A population cut into pieces that run side by side, one on each core."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from .._cores import cores_in_use
from ._axis import Place, follow

Shape = tuple[int, ...]
Run = Callable[[Any, Any, Any], tuple[Any, Any]]

_SHARED, _STATE, _INPUTS = range(3)
# The smallest population, and the fewest steps of single neurons. Below, a step is over before a second core has helped, and moving
# the inputs costs more than it saves.
_LEAST = (2**14, 2**23)


def may_spread(steps: int, population: Shape, *trees: Any) -> bool:
    """Whether a run is large enough to be spread over the cores, and nobody has laid it out otherwise."""
    cores = cores_in_use()
    neurons = math.prod(population)
    if cores < 2 or neurons < _LEAST[0] or steps * neurons < _LEAST[1]:
        return False
    if jax.default_backend() != "cpu" or getattr(jax.config, "jax_default_device", None) is not None or jax.process_count() > 1:
        return False
    # Inside `jax.shard_map`, or under `jax.set_mesh`, somebody says where everything is.
    if not jax.sharding.get_abstract_mesh().empty or len(jax.local_devices()) != cores:
        return False
    return all(_free(leaf, cores) for leaf in jax.tree.leaves(trees))


def _free(leaf: Any, cores: int) -> bool:
    """Whether an array may be moved: it was not put onto a device of choice. Of a traced one nothing is known."""
    try:
        return not getattr(leaf, "committed", False) or len(leaf.sharding.device_set) == cores
    except jax.errors.ConcretizationTypeError:
        return True


def over_cores(run: Run, shared: Any, state: Any, inputs: Any, population: Shape | None) -> tuple[Any, Any]:
    """`run(shared, state, inputs)`, on all cores if the population can be cut into as many pieces.

    Batch axes are cut first: a matrix of weights before or after the neurons then needs no exchange. Each piece is a program of
    its own, so nothing is exchanged during the run, and the gradients of what is shared are summed once, after it.

    Args:
        run: of `(shared, state, inputs)` to `(state, recorded)`, at any size of the population.
        shared: parameters and other numbers.
        state: leaves `(*batch, ..., N)`.
        inputs: leaves `(T, *batch, ..., N)`; or without the last axis.
        population: `(*batch, N)`; `None` where it is not to be spread (`may_spread`).
    """
    if population is None:
        return run(shared, state, inputs)
    leaves, tree = jax.tree.flatten((shared, state, inputs))
    kinds = [kind for kind, it in enumerate((shared, state, inputs)) for _ in jax.tree.leaves(it)]

    def flat(*leaves: Any) -> list[Any]:
        return jax.tree.leaves(run(*jax.tree.unflatten(tree, leaves)))

    step = [_first_step(kind, leaf) for kind, leaf in zip(kinds, leaves, strict=True)]
    cuts: list[_Cut] = []
    left = cores_in_use()
    for axis, size in enumerate(population):
        parts = math.gcd(size, left)
        places = [_place(kind, leaf.shape, axis, population) for kind, leaf in zip(kinds, step, strict=True)]
        # To see whether it can be cut into that many, it is cut into few: an axis of length 1 looks like none.
        few = next((k for k in range(2, parts) if parts % k == 0), parts)
        piece = [_piece(leaf, place, few) for leaf, place in zip(step, places, strict=True)]
        found = None if parts == 1 else follow(flat, step, piece, places)
        if found is not None:
            cuts.append(_Cut(parts, places, found))
            left //= parts
    if left > 1:
        return run(shared, state, inputs)
    mesh = _mesh(tuple(cut.parts for cut in cuts))
    before = tuple(_spec([cut.before[k] for cut in cuts]) for k in range(len(leaves)))
    after = [_spec([cut.after[k] for cut in cuts]) for k in range(len(cuts[0].after))]
    out = jax.shard_map(flat, mesh=mesh, in_specs=before, out_specs=after, check_vma=False)(*leaves)
    shape = jax.eval_shape(lambda *leaves: run(*jax.tree.unflatten(tree, leaves)), *step)
    return jax.tree.unflatten(jax.tree.structure(shape), out)


class _Cut(NamedTuple):
    """An axis of the population: into how many parts, and where it is in what goes in and in what comes out."""

    parts: int
    before: list[Place]
    after: list[Place]


def _first_step(kind: int, leaf: Any) -> Any:
    """The shape of a leaf; of inputs, that of one step of them."""
    kept = jax.typeof(leaf)
    shape = (1, *kept.shape[1:]) if kind == _INPUTS else kept.shape
    return jax.ShapeDtypeStruct(shape, kept.dtype, weak_type=kept.weak_type)


def _place(kind: int, shape: Shape, axis: int, population: Shape) -> Place:
    """Where an axis of the population is in a leaf: batch axes in front, neurons behind; in parameters counted from behind."""
    if kind == _SHARED:
        place = len(shape) - len(population) + axis
    else:
        time = 1 if kind == _INPUTS else 0
        is_last = axis == len(population) - 1
        place = len(shape) - 1 if is_last and len(shape) >= time + len(population) else time + axis
    return place if 0 <= place < len(shape) and shape[place] == population[axis] else None


def _piece(leaf: Any, place: Place, parts: int) -> Any:
    if place is None:
        return leaf
    shape = (*leaf.shape[:place], leaf.shape[place] // parts, *leaf.shape[place + 1 :])
    return jax.ShapeDtypeStruct(shape, leaf.dtype, weak_type=leaf.weak_type)


def _spec(places: list[Place]) -> PartitionSpec:
    names = {place: f"cores_{k}" for k, place in enumerate(places) if place is not None}
    return PartitionSpec(*(names.get(k) for k in range(max(names, default=-1) + 1)))


@functools.cache
def _mesh(parts: Shape) -> Mesh:
    return Mesh(np.array(jax.local_devices()).reshape(parts), tuple(f"cores_{k}" for k in range(len(parts))))
