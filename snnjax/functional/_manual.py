"""Loops inside `jax.shard_map`: a carry must begin as it goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax


def as_carried(step: Callable[[Any, Any], tuple[Any, Any]], state: Any, inputs: Any) -> Any:
    """`state`, marked as differing from device to device where `step` makes it so.

    Inside `jax.shard_map` JAX knows which arrays are the same on all devices, and a loop must not change that. A state at rest
    is the same everywhere, until the first inputs that are not.
    """
    if jax.sharding.get_abstract_mesh().empty or not jax.tree.leaves(inputs)[0].shape[0]:
        return state
    x = jax.tree.map(lambda leaf: leaf[0], inputs)
    while True:
        after = jax.tree.leaves(jax.eval_shape(step, state, x)[0])
        now, tree = jax.tree.flatten(state)
        missing = [_varying(new) - _varying(jax.typeof(old)) for old, new in zip(now, after, strict=True)]
        if not any(missing):
            return state
        state = jax.tree.unflatten(tree, map(_marked, now, missing))


def as_varying(params: Any, inputs: Any) -> Any:
    """`params`, marked as differing from device to device where `inputs` do.

    JAX sums the gradient of what is the same on all devices where it meets what is not. Without this, that is in every step.
    """
    if jax.sharding.get_abstract_mesh().empty:
        return params
    axes = frozenset[str]().union(*(_varying(jax.typeof(leaf)) for leaf in jax.tree.leaves(inputs)))
    return jax.tree.map(lambda leaf: _marked(leaf, axes - _varying(jax.typeof(leaf))), params)


def _marked(leaf: Any, axes: frozenset[str]) -> Any:
    return jax.lax.pcast(leaf, tuple(sorted(axes)), to="varying") if axes else leaf


def _varying(aval: Any) -> frozenset[str]:
    """The axes of the mesh along which an array differs; none where JAX was told not to look, `check_vma=False`."""
    return getattr(aval.manual_axis_type, "varying", frozenset())
