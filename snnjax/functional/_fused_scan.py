"""What the two kernels of `_fused_kernel` compute, as loops of XLA: for devices that have no kernel.

The programs are the same, carried out on all neurons at once, and so are the arrays that go in and come out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from ._fused_kernel import WORD, Run, Wanted, divided
from ._fused_layout import stored
from ._fused_program import Program, alike

Arrays = Sequence[jax.Array]


def forward(run: Run, program: Program, keeps: bool, packs: bool, *arrays: jax.Array) -> list[jax.Array]:
    """As the kernel of that name: outputs, last state, kept states."""
    fixed, state, inputs = divided(arrays, len(program.between), len(run.state), len(run.inputs))

    def step(now: Arrays, x: Arrays) -> tuple[Any, Any]:
        now, y = divided(_step(run, program, fixed, now, x), len(run.state), len(run.outputs))
        return now, y

    def stretch(now: Arrays, xs: Arrays) -> tuple[Any, Any]:
        last, ys = jax.lax.scan(step, now, xs)
        return last, (ys, now if keeps else [])

    whole, rest = divmod(run.steps, run.segment)
    last, (ys, kept) = jax.lax.scan(stretch, state, [_cut(x, whole, run.segment) for x in inputs])
    ys = [y.reshape(-1, *y.shape[2:]) for y in ys]
    if rest:
        last, (more, first) = stretch(last, [x[-rest:] for x in inputs])
        ys = [jnp.concatenate(pair) for pair in zip(ys, more, strict=True)]
        kept = [jnp.concatenate([a, b[None]]) for a, b in zip(kept, first, strict=True)]
    return [*(map(_packed, ys) if packs else ys), *last, *kept]


def backward(run: Run, advance: Program, back: Program, wanted: Wanted, sums: Arrays, *arrays: jax.Array) -> list[jax.Array]:
    """As the kernel of that name: the slopes at the first state, the inputs, the parameters; `sums` are zeros for these."""
    moving = [leaf for leaf in run.state if leaf.differentiable]
    first, second, kept, inputs, at_last, at_outputs = divided(
        arrays, len(advance.between), len(back.between), len(run.state), len(run.inputs), len(moving), len(wanted.outputs)
    )

    def again(now: Arrays, x: Arrays) -> tuple[Any, Any]:
        return _step(run, advance, first, now, x), now

    def undo(carry: Any, at: Any) -> tuple[Any, Any]:
        slopes, totals = carry
        now, x, y_slopes = at
        out = _step(run, back, second, now, x, slopes, y_slopes)
        slopes, to_inputs, changes = divided(out, len(moving), len(wanted.inputs), len(wanted.params))
        return (slopes, [total + change.astype(total.dtype) for total, change in zip(totals, changes, strict=True)]), to_inputs

    def stretch(carry: Any, at: Any) -> tuple[Any, Any]:
        now, xs, y_slopes = at
        states = jax.lax.scan(again, now, xs)[1]
        return jax.lax.scan(undo, carry, (states, xs, y_slopes), reverse=True)

    whole, rest = divmod(run.steps, run.segment)
    carry, more = (at_last, list(sums)), []
    if rest:
        carry, more = stretch(carry, ([k[-1] for k in kept], *([a[-rest:] for a in group] for group in (inputs, at_outputs))))
    cut = [[_cut(a, whole, run.segment) for a in group] for group in (inputs, at_outputs)]
    (slopes, totals), to_inputs = jax.lax.scan(stretch, carry, ([k[:whole] for k in kept], *cut), reverse=True)
    to_inputs = [x.reshape(-1, *x.shape[2:]) for x in to_inputs]
    if rest:
        to_inputs = [jnp.concatenate(pair) for pair in zip(to_inputs, more, strict=True)]
    return [*slopes, *to_inputs, *totals]


def _step(run: Run, program: Program, fixed: Arrays, now: Arrays, x: Arrays, *more: Arrays) -> list[jax.Array]:
    """The outputs of a step, `(rows, M)` each."""
    now, x = (
        [array.astype(leaf.dtype) for array, leaf in zip(group, leaves, strict=True)]
        for group, leaves in ((now, run.state), (x, run.inputs))
    )
    out = program.step([number[0] for number in fixed], run.named(now, x, *more), lambda number: number)
    whole = [stored(jnp.stack([jnp.broadcast_to(row, (run.neurons,)) for row in rows])) for rows in out]
    return alike([*whole, *now])[: len(whole)]


def _cut(array: jax.Array, whole: int, segment: int) -> jax.Array:
    return array[: whole * segment].reshape(whole, segment, *array.shape[1:])


def _packed(bits: jax.Array) -> jax.Array:
    padded = jnp.pad(bits != 0, [(0, -len(bits) % WORD), *[(0, 0)] * (bits.ndim - 1)])
    places = jnp.arange(WORD, dtype=jnp.uint32)[None, :, None, None]
    return jnp.sum(padded.reshape(-1, WORD, *bits.shape[1:]).astype(jnp.uint32) << places, axis=1, dtype=jnp.uint32)
