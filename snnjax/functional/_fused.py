"""A whole run of a population as one kernel on a GPU, whatever the model, as long as its neurons do not see each other.

XLA runs a loop over time as several small kernels per step, each of which reads and writes the state. Here one kernel carries
the state of a block of neurons in registers through all steps (`_fused_kernel`). It is made of the model's own step, traced
for one neuron (`_fused_program`): forwards, and backwards by JAX's own `vjp`. So it works for every model and wrapper
without a matrix product, and for a model of your own.

The gradient keeps the inputs and a state every few steps. It is a `custom_vjp`, which has no forward mode: for `jax.jvp`,
`jax.hessian` and the like there is `backend="scan"`.

Inside `jax.shard_map` every device runs its own part of a population; nothing is gathered.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from . import _fused_device as device
from . import _fused_kernel as kernels
from . import _fused_scan as loops
from ._cast import at_least_float32
from ._fused_kernel import WORD, Wanted
from ._fused_layout import Shape, from_rows, parameter_leaves, storage, to_rows
from ._fused_plan import Plan, Step, plan
from ._fused_program import Leaf, alike
from ._unroll import is_zero


class How(NamedTuple):
    """Neurons per program of the kernel, and whether its blocks are carried out one by one by XLA, for tests."""

    block: int = 128
    interpret: bool = False


def fused(
    step: Step,
    params: Any,
    others: Any,
    state: Any,
    inputs: Any,
    population: Shape,
    *,
    segment: int | None = None,
    packs: bool = False,
    how: How = How(),  # noqa: B008
) -> tuple[Any, Any]:
    """Run `step((params, others), state, x) -> (state, y)` over `inputs` as one kernel.

    On CUDA that is a kernel; elsewhere XLA carries out the same program on all neurons at once.

    Args:
        step: an elementwise step.
        params: Params, whose annotations say which arrays have an axis for synapses.
        others: other numbers that the step takes and that may be differentiated.
        state: the first state, leaves `(..., *axes, N)`.
        inputs: leaves `(T, ..., *axes, N)`, `T` at least 1.
        population: `(..., N)`, not empty.
        segment: steps between two states that the gradient keeps; `None` chooses.
        packs: every output is 0 or 1, and a bit of a 32-bit word along time (see `unpacked`); they have no gradient.
        how: see `How`.

    Returns:
        The last state, and the outputs of all steps.

    Raises:
        NotElementwise: a step is more than operations on a neuron's own numbers.
    """
    if not population:
        state, inputs = jax.tree.map(lambda leaf: leaf[..., None], (state, inputs))
        out = fused(step, params, others, state, inputs, (1,), segment=segment, packs=packs, how=how)
        return jax.tree.map(lambda leaf: leaf[..., 0], out)
    numbers = parameter_leaves(params, others, population)
    made = plan(step, (params, others), [leaf for leaf, _ in numbers], state, inputs, population, segment)
    first = [to_rows(leaf, population) for leaf in jax.tree.leaves(state)]
    given = [to_rows(leaf, population, time=1) for leaf in jax.tree.leaves(inputs)]
    rows = alike(([array for _, array in numbers], first, given))
    last, outputs = _differentiable(made, packs, how)(*rows)
    last = [from_rows(array, leaf, population) for array, leaf in zip(last, made.run.state, strict=True)]
    kept = [leaf._replace(dtype=jnp.uint32) if packs else leaf for leaf in made.run.outputs]
    outputs = [from_rows(array, leaf, population, time=1) for array, leaf in zip(outputs, kept, strict=True)]
    return jax.tree.unflatten(jax.tree.structure(state), last), jax.tree.unflatten(made.output, outputs)


def unpacked(words: jax.Array, steps: int, dtype: Any = jnp.float32) -> jax.Array:
    """The outputs `(T, ...)` that are the bits of `words`.

    >>> unpacked(jnp.array([[5], [1]], jnp.uint32), 34).astype(int).ravel().tolist()[:4]
    [1, 0, 1, 0]
    """
    places = jnp.arange(WORD, dtype=jnp.uint32).reshape(1, -1, *(1,) * (words.ndim - 1))
    bits = (words[:, None] >> places) & jnp.uint32(1)
    return bits.reshape(-1, *words.shape[1:])[:steps].astype(dtype)


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class _Perturbed:
    """Which parameters and which inputs are differentiated."""

    params: tuple[int, ...]
    inputs: tuple[int, ...]


def _differentiable(made: Plan, packs: bool, how: How) -> Callable[..., tuple[list[Any], list[Any]]]:
    """The run as a function of rows, with its gradient."""

    @jax.custom_vjp
    def run(params: Any, state: Any, inputs: Any) -> Any:
        return _forwards(made, False, packs, how, params, state, inputs)[:2]

    def run_forward(*args: Any) -> Any:
        params, state, inputs = jax.tree.map(lambda arg: arg.value, args, is_leaf=_is_primal)
        perturbed = _Perturbed(*(tuple(k for k, arg in enumerate(group) if arg.perturbed) for group in (args[0], args[2])))
        last, outputs, kept = _forwards(made, True, packs, how, params, state, inputs)
        return (last, outputs), (perturbed, params, kept, inputs)

    def run_backward(residuals: Any, slopes: Any) -> Any:
        perturbed, params, kept, inputs = residuals
        floats = [k for k, leaf in enumerate(made.run.outputs) if leaf.differentiable and not packs and not is_zero(slopes[1][k])]
        wanted = Wanted(perturbed.params, perturbed.inputs, tuple(floats))
        at_last = [_dense(slope) for slope, leaf in zip(slopes[0], made.run.state, strict=True) if leaf.differentiable]
        to_state, to_inputs, to_params = _backwards(made, wanted, how, params, kept, inputs, at_last, [slopes[1][k] for k in floats])
        moved = iter(to_state)
        return (
            _placed(to_params, wanted.params, len(params)),
            [next(moved) if leaf.differentiable else None for leaf in made.run.state],
            _placed(to_inputs, wanted.inputs, len(inputs)),
        )

    run.defvjp(run_forward, run_backward, symbolic_zeros=True)
    return run


def _is_primal(node: Any) -> bool:
    return isinstance(node, jax.custom_derivatives.CustomVJPPrimal)


def _dense(slope: Any) -> jax.Array:
    return jnp.zeros(slope.aval.shape, slope.aval.dtype) if is_zero(slope) else slope


def _placed(slopes: Sequence[Any], places: Sequence[int], size: int) -> list[Any]:
    found = dict(zip(places, slopes, strict=True))
    return [found.get(k) for k in range(size)]


def _forwards(made: Plan, keeps: bool, packs: bool, how: How, params: Any, state: Any, inputs: Any) -> tuple[Any, Any, Any]:
    """The last state, the outputs, and the first state of every segment."""
    run = made.run
    coefficients = [jnp.reshape(value, (1, *jnp.shape(value))) for value in made.forward.coefficients(params)]
    steps, segments = -(-run.steps // WORD) if packs else run.steps, -(-run.steps // run.segment)
    outputs = [leaf._replace(dtype=jnp.uint32) if packs else leaf for leaf in run.outputs]
    kept = _rows(segments, run.state, run.neurons) if keeps else []
    shapes = [_rows(steps, outputs, run.neurons), _rows(None, run.state, run.neurons), kept]
    programs = run, made.forward, keeps, packs
    either = functools.partial(kernels.forward, *programs), functools.partial(loops.forward, *programs)
    outputs, last, kept = _launched(*either, alike([*coefficients, *state, *inputs]), shapes, run.neurons, how)
    return last, outputs, kept


def _backwards(
    made: Plan, wanted: Wanted, how: How, params: Any, kept: Any, inputs: Any, at_last: Any, at_outputs: Any
) -> tuple[Any, Any, Any]:
    """The slopes at the first state, the wanted inputs and the wanted parameters."""
    run, back = made.run, made.backward(wanted)
    fixed = [*made.advance.coefficients(params), *back.coefficients(params)]
    coefficients = [jnp.reshape(value, (1, *jnp.shape(value))) for value in fixed]
    asked = [made.params[k] for k in wanted.params]
    sums = [leaf._replace(dtype=at_least_float32(leaf.dtype)) for leaf in asked]
    shapes = [
        _rows(None, [leaf for leaf in run.state if leaf.differentiable], run.neurons),
        _rows(run.steps, [run.inputs[k] for k in wanted.inputs], run.neurons),
        _rows(None, sums, run.neurons),
    ]
    zeros = [jnp.zeros(shape.shape, shape.dtype) for shape in shapes[2]]
    zeros, arrays = alike((zeros, [*coefficients, *kept, *inputs, *at_last, *at_outputs]))
    programs = run, made.advance, back, wanted
    either = functools.partial(kernels.backward, *programs), functools.partial(loops.backward, *programs, zeros)
    to_state, to_inputs, to_params = _launched(*either, arrays, shapes, run.neurons, how)
    to_params = [(array if leaf.own else array.sum(axis=1)).astype(leaf.dtype) for array, leaf in zip(to_params, asked, strict=True)]
    return to_state, to_inputs, to_params


def _rows(steps: int | None, leaves: Sequence[Leaf], neurons: int) -> list[jax.ShapeDtypeStruct]:
    """What holds the rows of each leaf, at so many times."""
    times = () if steps is None else (steps,)
    return [jax.ShapeDtypeStruct((*times, leaf.rows, neurons), storage(leaf.dtype)) for leaf in leaves]


def _launched(
    kernel: Callable[..., None], loop: Callable[..., list[Any]], arrays: list[Any], shapes: list[list[Any]], neurons: int, how: How
) -> list[list[Any]]:
    """The results of a kernel, or of a loop elsewhere, in the groups of `shapes`."""
    varying = jax.typeof(arrays[-1]).manual_axis_type
    flat, tree = jax.tree.flatten(jax.tree.map(lambda shape: shape.update(manual_axis_type=varying), shapes))

    def launch(*arrays: Any) -> list[Any]:
        made = functools.partial(kernel, how.block)
        return device.launch(made, arrays, flat, block=how.block, neurons=neurons, interpret=how.interpret)

    if how.interpret:
        return jax.tree.unflatten(tree, launch(*arrays))
    # The choice is made here, inside of both rules, so that they hand on the same arrays whichever is taken.
    return jax.tree.unflatten(tree, jax.lax.platform_dependent(*arrays, cuda=launch, default=loop))
