"""The two kernels: forwards through time, and back. Each program carries a block of neurons in registers for the whole run.

Forwards, each step loads its inputs and stores its outputs, and the state is stored every `segment` steps. Backwards, a
segment is computed again from its first state, then its steps are differentiated from the last to the first. The memory
traffic is the inputs, the outputs and a state per segment; there is no other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from . import _fused_device as device
from ._fused_program import Leaf, Program

WORD = 32  # steps in a word of packed outputs: t >> 5 is the word of a step, t & 31 its place there

Rows = list[list[Any]]  # per leaf, per row, an array over the neurons of the program


class Run(NamedTuple):
    """What is known of a run before it starts: how many parameters, the leaves of a step, the sizes."""

    n_params: int
    state: tuple[Leaf, ...]
    inputs: tuple[Leaf, ...]
    outputs: tuple[Leaf, ...]
    steps: int
    neurons: int
    segment: int

    def named(self, *groups: Sequence[Any]) -> dict[int, Any]:
        """The leaves of a step by their place behind the parameters."""
        return dict(enumerate((leaf for group in groups for leaf in group), self.n_params))


def forward(run: Run, program: Program, keeps: bool, packs: bool, block: int, *refs: Any) -> None:
    """Kernel of a run. Takes coefficients, state, inputs; gives outputs, the last state, and the first of every segment if it `keeps`."""
    coefficients, state, inputs, outputs, last, kept = divided(
        refs, len(program.between), len(run.state), len(run.inputs), len(run.outputs), len(run.state), len(run.state) if keeps else 0
    )
    lanes = device.lanes(block, run.neurons)
    fixed = _numbers(lanes, coefficients)

    def stretch(k: Any, carry: Any, steps: int) -> Any:
        now, words = carry
        if keeps:
            _store(lanes, kept, (k,), now)
        xs = [_load(lanes, inputs, run.inputs, (k * run.segment + j,)) for j in range(steps)]
        for j, x in enumerate(xs):
            now, y = divided(program.step(fixed, run.named(now, x), lanes.whole), len(now), len(outputs))
            now = [[lanes.whole(row) for row in leaf] for leaf in now]
            t = k * run.segment + j
            if packs:
                words = [[_packed(word, row, t) for word, row in zip(*leaf, strict=True)] for leaf in zip(words, y, strict=True)]
            else:
                _store(lanes, outputs, (t,), y)
        if packs:
            t = k * run.segment + steps - 1
            _store(lanes, outputs, (t >> 5,), words, when=(t & 31 == 31) | (t == run.steps - 1))
        return now, words

    words = [[lanes.whole(np.uint32(0)) for _ in range(ref.shape[-2])] for ref in outputs] if packs else []
    carry = _load(lanes, state, run.state, ()), words
    whole, rest = divmod(run.steps, run.segment)
    carry = device.loop(whole, lambda k, carry: stretch(k, carry, run.segment), carry)
    now, _ = stretch(np.int32(whole), carry, rest) if rest else carry
    _store(lanes, last, (), now)


class Wanted(NamedTuple):
    """Of which leaves a gradient is wanted; and of which outputs, in which leaves of state and outputs, one comes in."""

    params: tuple[int, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def backward(run: Run, advance: Program, back: Program, wanted: Wanted, block: int, *refs: Any) -> None:
    """Kernel of a gradient.

    Takes the coefficients of both programs, the kept states, the inputs, and what comes in at the last state and the outputs;
    gives the gradients of the first state, the inputs and, one per neuron, the parameters.
    """
    moving = [leaf for leaf in run.state if leaf.differentiable]
    incoming = tuple(run.outputs[k] for k in wanted.outputs)
    first, second, kept, inputs, at_last, at_outputs, to_state, to_inputs, to_params = divided(
        refs, len(advance.between), len(back.between), len(run.state), len(run.inputs), len(moving), len(incoming),
        len(moving), len(wanted.inputs), len(wanted.params),
    )  # fmt: skip
    lanes = device.lanes(block, run.neurons)
    fixed, fixed_back = _numbers(lanes, first), _numbers(lanes, second)

    def stretch(k: Any, carry: Any, steps: int) -> Any:
        slopes, sums = carry
        states = [_load(lanes, kept, run.state, (k,))]
        times = [k * run.segment + j for j in range(steps)]
        xs = [_load(lanes, inputs, run.inputs, (t,)) for t in times]
        for x in xs[:-1]:
            states.append(advance.step(fixed, run.named(states[-1], x), lanes.whole))
        for t, now, x in reversed(list(zip(times, states, xs, strict=True))):
            y_slopes = _load(lanes, at_outputs, incoming, (t,))
            out = back.step(fixed_back, run.named(now, x, slopes, y_slopes), lanes.whole)
            slopes, x_slopes, changes = divided(out, len(moving), len(to_inputs), len(to_params))
            slopes = [[lanes.whole(row) for row in leaf] for leaf in slopes]
            _store(lanes, to_inputs, (t,), x_slopes)
            sums = [[total + row.astype(total.dtype) for total, row in zip(*leaf, strict=True)] for leaf in zip(sums, changes, strict=True)]
        return slopes, sums

    zeros = [[lanes.whole(np.zeros((), ref.dtype)) for _ in range(ref.shape[0])] for ref in to_params]
    carry = _load(lanes, at_last, moving, ()), zeros
    whole, rest = divmod(run.steps, run.segment)
    carry = stretch(np.int32(whole), carry, rest) if rest else carry
    slopes, sums = device.loop(whole, lambda i, carry: stretch(whole - 1 - i, carry, run.segment), carry)
    _store(lanes, to_state, (), slopes)
    _store(lanes, to_params, (), sums)


def divided(items: Sequence[Any], *sizes: int) -> list[list[Any]]:
    """The items in groups of these sizes."""
    left: Iterator[Any] = iter(items)
    return [list(islice(left, size)) for size in sizes]


def _numbers(lanes: device.Lanes, refs: Sequence[Any]) -> list[Any]:
    """The coefficients: `(1,)` for all neurons, or `(1, M)`."""
    return [lanes.load(ref, (0,)) for ref in refs]


def _load(lanes: device.Lanes, refs: Sequence[Any], leaves: Sequence[Leaf], index: tuple[Any, ...]) -> Rows:
    return [[lanes.load(ref, (*index, r)).astype(leaf.dtype) for r in range(ref.shape[-2])] for ref, leaf in zip(refs, leaves, strict=True)]


def _store(lanes: device.Lanes, refs: Sequence[Any], index: tuple[Any, ...], rows: Rows, when: Any = True) -> None:
    for ref, leaf in zip(refs, rows, strict=True):
        for r, row in enumerate(leaf):
            lanes.store(ref, (*index, r), row, when)


def _packed(word: Any, row: Any, t: Any) -> Any:
    """`word` with the bit of step `t`, that of a new word if the last one is full."""
    place = (t & 31).astype(np.uint32)
    return jnp.where(place == 0, np.uint32(0), word) | (row.astype(jnp.bool_).astype(jnp.uint32) << place)
