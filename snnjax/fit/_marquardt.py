"""Levenberg-Marquardt for many small problems at once, with the derivatives carried forward through time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

# The damping falls by the one factor after a step that helped, and rises by the other after one that did not.
_DOWN, _UP = 1.0 / 3.0, 4.0
_FIRST = 1e-2


class Problem(NamedTuple):
    """A population whose neurons are fitted one by one.

    Attributes:
        natural: from free coordinates to Params.
        start: from Params to the state before the first step.
        residual: `(params, state, x, y) -> (state, r)`, one step, `r` of shape `(..., N)`.
        inputs: `(T, ..., N)`.
        target: `(T, ..., N)`.
    """

    natural: Callable[[Any], Any]
    start: Callable[[Any], Any]
    residual: Callable[[Any, Any, Any, Any], tuple[Any, Any]]
    inputs: Any
    target: jax.Array


class Sums(NamedTuple):
    """Of every neuron: the sum of squares `(N,)`, `J'r` `(N, P)` and `J'J` `(N, P, P)`."""

    squares: jax.Array
    slope: jax.Array
    curvature: jax.Array


class _Descent(NamedTuple):
    free: Any
    sums: Sums
    damping: jax.Array


def descend(problem: Problem, free: Any, steps: int) -> tuple[Any, jax.Array, jax.Array]:
    """The free coordinates after `steps` steps, the sums of squares before and after each, and the last `J'J`."""

    def step(now: _Descent, _: None) -> tuple[_Descent, jax.Array]:
        scale = jnp.diagonal(now.sums.curvature, axis1=-2, axis2=-1)
        scale = jnp.where(scale > 0.0, scale, jnp.ones_like(scale))  # a parameter without any effect stays
        damped = now.sums.curvature + now.damping[:, None, None] * scale[:, :, None] * jnp.eye(scale.shape[-1], dtype=scale.dtype)[None]
        move = -jnp.linalg.solve(damped, now.sums.slope[..., None])[..., 0]
        tried = jax.tree.map(jnp.add, now.free, _as_tree(move, now.free))
        sums = accumulate(problem, tried)
        better = sums.squares < now.sums.squares  # False where it is NaN

        def pick(new: jax.Array, old: jax.Array, axis: int) -> jax.Array:
            return jnp.where(jnp.expand_dims(better, [k for k in range(new.ndim) if k != axis % new.ndim]), new, old)

        kept = Sums(*(pick(new, old, 0) for new, old in zip(sums, now.sums, strict=True)))
        free = jax.tree.map(lambda new, old: pick(new, old, -1), tried, now.free)
        damping = jnp.clip(now.damping * jnp.where(better, _DOWN, _UP).astype(now.damping.dtype), 1e-9, 1e9)
        return _Descent(free, kept, damping), kept.squares

    @jax.jit
    def run(free: Any) -> tuple[_Descent, jax.Array]:
        sums = accumulate(problem, free)
        first = _Descent(free, sums, jnp.full_like(sums.squares, _FIRST))
        last, squares = jax.lax.scan(step, first, None, length=steps)
        return last, jnp.concatenate([sums.squares[None], squares])

    last, squares = run(free)
    return last.free, squares, last.sums.curvature


def accumulate(problem: Problem, free: Any) -> Sums:
    """`r'r`, `J'r` and `J'J` of every neuron in one pass: all columns of `J` are tangents, carried along with the state."""
    basis = _basis(free)
    params, params_moves = _push(problem.natural, (free,), (basis,))
    moving, fixed = eqx.partition(params, jax.tree.map(lambda leaf: eqx.is_inexact_array(leaf), params))

    def with_state(moving: Any) -> tuple[Any, Any]:
        return _split(problem.start(eqx.combine(moving, fixed)))

    moves, _ = eqx.partition(params_moves, jax.tree.map(eqx.is_inexact_array, params))
    (state, state_moves), counters = _push_aux(with_state, (moving,), (moves,))

    def step(carry: tuple[Any, Any, Any, Sums], xy: tuple[Any, Any]) -> tuple[tuple[Any, Any, Any, Sums], None]:
        state, state_moves, counters, sums = carry

        def one(moving: Any, state: Any) -> tuple[Any, Any]:
            new, r = problem.residual(eqx.combine(moving, fixed), eqx.combine(state, counters), *xy)
            floats, counts = _split(new)
            return (floats, r), counts

        ((state, r), (state_moves, columns)), counters = _push_aux(one, (moving, state), (moves, state_moves))
        return (state, state_moves, counters, _added(sums, r, columns)), None

    n, p = problem.target.shape[-1], jax.tree.leaves(basis)[0].shape[0]
    zero = [jnp.zeros(shape, problem.target.dtype) for shape in ((n,), (n, p), (n, p, p))]
    carry = (state, state_moves, counters, Sums(*zero))
    return jax.lax.scan(step, carry, (problem.inputs, problem.target))[0][-1]


def _added(sums: Sums, r: jax.Array, columns: jax.Array) -> Sums:
    """The sums, with those of one step: `r` is `(..., N)`, `columns` `(P, ..., N)`."""
    n = r.shape[-1]
    r, columns = r.reshape(-1, n), columns.reshape(columns.shape[0], -1, n)
    return Sums(
        sums.squares + jnp.sum(r * r, axis=0),
        sums.slope + jnp.einsum("kbn,bn->nk", columns, r),
        sums.curvature + jnp.einsum("kbn,lbn->nkl", columns, columns),
    )


def _push(function: Any, primals: Any, moves: Any) -> tuple[Any, Any]:
    """`function` and its derivatives along each of the stacked `moves`."""
    return jax.vmap(lambda *m: jax.jvp(function, primals, m), out_axes=(None, 0))(*moves)


def _push_aux(function: Any, primals: Any, moves: Any) -> tuple[tuple[Any, Any], Any]:
    """The same for a function with a second result that is not differentiated."""
    value, moved, aux = jax.vmap(lambda *m: jax.jvp(function, primals, m, has_aux=True), out_axes=(None, 0, None))(*moves)
    return (value, moved), aux


def _split(state: Any) -> tuple[Any, Any]:
    """What of a state has a derivative, and its counters."""
    return eqx.partition(state, eqx.is_inexact_array)


def _rows(leaf: jax.Array) -> int:
    return leaf.size // leaf.shape[-1]


def _basis(free: Any) -> Any:
    """One direction per parameter, the same for all neurons: leaves `(P, *leaf.shape)`."""
    leaves, tree = jax.tree.flatten(free)
    total, start, made = sum(map(_rows, leaves)), 0, []
    for leaf in leaves:
        rows = _rows(leaf)
        block = jnp.eye(total, dtype=leaf.dtype)[:, start : start + rows]
        made.append(jnp.broadcast_to(block[..., None], (total, rows, leaf.shape[-1])).reshape(total, *leaf.shape))
        start += rows
    return jax.tree.unflatten(tree, made)


def _as_tree(move: jax.Array, free: Any) -> Any:
    """`(N, P)` as a tree like `free`."""
    leaves, tree = jax.tree.flatten(free)
    start, made = 0, []
    for leaf in leaves:
        rows = _rows(leaf)
        made.append(move.T[start : start + rows].reshape(leaf.shape).astype(leaf.dtype))
        start += rows
    return jax.tree.unflatten(tree, made)
