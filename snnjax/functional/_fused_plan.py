"""What is decided about a fused run before it starts: the leaves of a step, its programs, the length of a segment."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax

from ._fused_kernel import Run, Wanted
from ._fused_layout import Shape, moving_leaf
from ._fused_program import Leaf, Program, program_of
from ._fused_tape import NotElementwise

Step = Callable[[Any, Any, Any], tuple[Any, Any]]

_MOST_STEPS = 16  # in a segment; their inputs are loaded ahead
_MOST_ROWS = 64  # numbers of the states of a segment, in registers while it is differentiated
_MOST_OPERATIONS = 1024  # of the steps of a segment, all of which are written out


class Plan(NamedTuple):
    """The programs of a run, of its recomputation, and of the gradient that is wanted; the structure of an output."""

    run: Run
    params: tuple[Leaf, ...]
    forward: Program
    advance: Program
    backward: Callable[[Wanted], Program]
    output: Any


def plan(step: Step, params: Any, seen: Sequence[Leaf], state: Any, inputs: Any, population: Shape, segment: int | None) -> Plan:
    """The plan for a run of `step(params, state, x)`.

    Args:
        step: an elementwise step.
        params: its parameters.
        seen: what a step of one neuron sees of each number in them.
        state: the first state.
        inputs: of all steps.
        population: `(..., N)`.
        segment: steps between two states that the gradient keeps; `None` chooses.
    """
    tree = jax.tree.structure((params, state, inputs))
    states = tuple(moving_leaf(leaf.shape, leaf.dtype, population) for leaf in jax.tree.leaves(state))
    xs = tuple(moving_leaf(leaf.shape[1:], leaf.dtype, population) for leaf in jax.tree.leaves(inputs))
    leaves = (*seen, *states, *xs)

    def flat(*leaves: Any) -> list[Any]:
        return jax.tree.leaves(step(*jax.tree.unflatten(tree, leaves)))

    program = program_of(flat, leaves, len(seen), neurons=2)
    now, y = jax.eval_shape(lambda *leaves: step(*jax.tree.unflatten(tree, leaves)), *(leaf.struct(2) for leaf in leaves))
    outputs = tuple(moving_leaf(leaf.shape, leaf.dtype, (2,)) for leaf in jax.tree.leaves(y))
    returned = tuple(moving_leaf(leaf.shape, leaf.dtype, (2,)) for leaf in jax.tree.leaves(now))
    if jax.tree.structure(now) != jax.tree.structure(state) or returned != states:
        raise NotElementwise("its step returns a state of another structure, shape or dtype than it takes")
    steps, advance = jax.tree.leaves(inputs)[0].shape[0], program.part(len(states), len(seen))
    run = Run(len(seen), states, xs, outputs, steps, math.prod(population), segment or _segment(advance, steps))
    floats = [tuple(k for k, leaf in enumerate(group) if leaf.differentiable) for group in (seen, xs, outputs)]
    # The whole gradient, though less may be asked for: it is now that a model can still go to the scan.
    _backward(flat, run, leaves, Wanted(*floats))
    return Plan(run, tuple(seen), program, advance, functools.partial(_backward, flat, run, leaves), jax.tree.structure(y))


def _segment(advance: Program, steps: int) -> int:
    """A power of two, as long as registers and the size of a program allow."""
    rows = sum(map(len, advance.outputs))
    most = min(_MOST_STEPS, steps, _MOST_ROWS // max(rows, 1), _MOST_OPERATIONS // max(len(advance.each), 1))
    return 1 << (max(most, 1).bit_length() - 1)


def _backward(flat: Callable[..., list[Any]], run: Run, leaves: Sequence[Leaf], wanted: Wanted) -> Program:
    """A step backwards: from the slopes at its new state and its outputs to those at its state, its inputs, its parameters."""
    first = run.n_params + len(run.state)
    moved = [run.n_params + k for k, leaf in enumerate(run.state) if leaf.differentiable]
    chosen = [*moved, *(first + k for k in wanted.inputs), *wanted.params]
    results = [*(k - run.n_params for k in moved), *(len(run.state) + k for k in wanted.outputs)]
    incoming = [leaves[k] for k in moved] + [run.outputs[k] for k in wanted.outputs]

    def back(*given: Any) -> list[Any]:
        def of(*values: Any) -> list[Any]:
            filled = dict(enumerate(given[: len(leaves)])) | dict(zip(chosen, values, strict=True))
            out = flat(*filled.values())
            return [out[k] for k in results]

        _, pull = jax.vjp(of, *(given[k] for k in chosen))
        slopes = pull(list(given[len(leaves) :]))
        # What all neurons share gets a slope from each; their sum is taken when the run is over.
        return [slope if leaves[k].own else slope[..., None] for k, slope in zip(chosen, slopes, strict=True)]

    return program_of(back, [*leaves, *incoming], run.n_params)
