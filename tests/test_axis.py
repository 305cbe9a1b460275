"""An axis followed through a program: where it is afterwards, and that whatever mixes its pieces is told from what does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from snnjax.functional._axis import Place, follow

N = 8
HELD = jnp.arange(8.0)


def shape(*sizes: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(sizes, jnp.float32)


def places(function: Callable[..., Any], axes: tuple[Place, ...], *shapes: tuple[int, ...]) -> list[Place] | None:
    """`follow` for arguments of `shapes`, in which -1 is the axis that is cut: 8 long, and 2 in a piece."""
    whole, piece = ([shape(*(size if k < 0 else k for k in sizes)) for sizes in shapes] for size in (N, 2))
    return follow(function, whole, piece, axes)


def loop(x: jax.Array) -> Any:
    return jax.lax.scan(lambda carry, row: (carry + row, carry * row), jnp.zeros_like(x[0]), x)


def swapping(x: jax.Array) -> Any:
    """A carry whose place moves from step to step."""
    return jax.lax.scan(lambda carry, _: (carry.T, None), x, None, length=3)[0]


def handing_on(x: jax.Array) -> Any:
    """The first carry has the place only after two rounds."""
    return jax.lax.scan(lambda carry, _: ((carry[1], carry[1] + x), None), (jnp.zeros_like(x), jnp.zeros_like(x)), None, length=2)[0]


def noisy(x: jax.Array) -> jax.Array:
    jax.debug.callback(lambda value: None, x)
    return x + 1.0


APART: list[tuple[str, Callable[..., Any], tuple[Place, ...], tuple[tuple[int, ...], ...], list[Place]]] = [
    ("arithmetic", lambda x, y: jnp.exp(x) * y, (0, 0), ((-1,), (-1,)), [0]),
    ("beside what all share", lambda x, y: x + y, (1, None), ((3, -1), (3, 1)), [1]),
    ("what all share alone", lambda x, y: (x, y.sum()), (0, None), ((-1,), (3,)), [0, None]),
    ("a sum over another axis", lambda x: x.sum(0), (1,), ((3, -1),), [0]),
    ("the largest of another axis", lambda x: jnp.argmax(x, axis=1), (0,), ((-1, 3),), [0]),
    ("a transposition", lambda x: x.T, (0,), ((-1, 3),), [1]),
    ("a new axis", lambda x: x[:, None, None] + jnp.zeros((1, 5, 1)), (0,), ((-1,),), [0]),
    ("another shape around it", lambda x: x.reshape(6, x.shape[2]), (2,), ((2, 3, -1),), [1]),
    ("a slice of another axis", lambda x: x[1:], (1,), ((3, -1),), [1]),
    ("joined along another axis", lambda x, y: jnp.concatenate([x, y]), (1, 1), ((3, -1), (2, -1)), [1]),
    ("a product from the right", lambda x, y: x @ y, (0, None), ((-1, 3), (3, 4)), [0]),
    ("a product from the left", lambda x, y: x @ y, (None, 1), ((4, 3), (3, -1)), [1]),
    ("a loop over time", loop, (1,), ((5, -1),), [0, 1]),
    ("a loop over what all share", lambda x, w: jax.lax.scan(lambda c, wk: (c * wk, wk), x, w), (0, None), ((-1,), (5,)), [0, None]),
    ("a loop that hands it on", handing_on, (0,), ((-1,),), [0, 0]),
    ("a choice that is one for all", lambda x, y: jax.lax.cond(y[0] > 0, lambda: 2 * x, lambda: x), (0, None), ((-1,), (2,)), [0]),
]  # fmt: skip
TOGETHER: list[tuple[str, Callable[..., Any], tuple[Place, ...], tuple[tuple[int, ...], ...]]] = [
    ("a sum", jnp.sum, (0,), ((-1,),)),
    ("a mean", lambda x: x - x.mean(), (0,), ((-1,),)),
    ("its own size", lambda x: x / x.size, (0,), ((-1,),)),
    ("an array of its size that it holds", lambda x: x + HELD, (0,), ((-1,),)),
    ("an array that it holds, summed", lambda x: x + jnp.sum(HELD), (0,), ((-1,),)),
    ("something that happens beside it", noisy, (0,), ((-1,),)),
    ("an array that it makes of its size", lambda x: x + jnp.arange(1.0 * x.shape[0]), (0,), ((-1,),)),
    ("two axes", lambda x, y: x[:, None] * y, (0, 1), ((-1,), (1, -1))),
    ("a product along it", lambda x, y: x @ y, (1, None), ((3, -1), (8, 2))),
    ("a product of two cut arrays", lambda x, y: x @ y, (0, 1), ((-1, 3), (3, -1))),
    ("a slice of it", lambda x: x[1:], (0,), ((-1,),)),
    ("the same first elements of any size", lambda x: x[:2], (0,), ((-1,),)),
    ("joined along it", lambda x: jnp.concatenate([x, x]), (0,), ((-1,),)),
    ("laid into another axis", lambda x: x.reshape(-1), (1,), ((3, -1),)),
    ("sorted", jnp.sort, (0,), ((-1,),)),
    ("rolled", lambda x: jnp.roll(x, 1), (0,), ((-1,),)),
    ("random numbers of its size", lambda x: x + jax.random.normal(jax.random.key(0), x.shape), (0,), ((-1,),)),
    ("a choice by one of them", lambda x: jax.lax.cond(x[0] > 0, lambda: 2 * x, lambda: x), (0,), ((-1,),)),
    ("a choice along it", lambda k, x: jax.lax.cond(k, lambda: 2 * x, lambda: x), (0, 0), ((), (-1,))),
    ("a loop along it", loop, (0,), ((-1, 5),)),
    ("a place that moves from step to step", swapping, (0,), ((-1, -1),)),
    ("a loop that ends when one says so", lambda x: jax.lax.while_loop(lambda y: y.sum() < 9, lambda y: y + 1, x), (0,), ((-1,),)),
    ("another program for another size", lambda x: x + 1 if x.size > 4 else x * 2 + 1, (0,), ((-1,),)),
    ("no program for a piece", lambda x: x.reshape(2, 4), (0,), ((-1,),)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "function", "axes", "shapes", "after"), APART, ids=[case[0] for case in APART])
def test_what_keeps_the_pieces_apart_says_where_the_axis_is(name: str, function: Any, axes: Any, shapes: Any, after: list[Place]) -> None:
    assert places(function, axes, *shapes) == after


@pytest.mark.parametrize(("name", "function", "axes", "shapes"), TOGETHER, ids=[case[0] for case in TOGETHER])
def test_what_mixes_the_pieces_is_refused(name: str, function: Any, axes: Any, shapes: Any) -> None:
    assert places(function, axes, *shapes) is None


def test_a_piece_of_one_that_is_spread_is_refused() -> None:
    assert follow(lambda x: jnp.broadcast_to(x, (3, N)), [shape(N)], [shape(1)], [0]) is None
