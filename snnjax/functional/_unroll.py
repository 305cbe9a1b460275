"""The one loop over time, with memory that does not grow with every step.

The gradient of a plain loop keeps what every step computed. Here the loop is cut into segments: the gradient keeps the
state at the start of each segment and computes the inside of a segment again when it comes back to it, so memory is
the inputs, a state per segment and one segment's worth of steps. On a CPU that is mostly faster, because less
is written; where it is not, on small runs differentiated by their inputs alone, everything is kept. The segments of a
very long run are themselves cut into segments.

Reference: Griewank & Walther (2000), ACM Transactions on Mathematical Software 26, 19-45.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

from .._errors import ShapeError, refuses_unknown_keywords
from ._check_choices import Segment, as_segment, check_record_function, check_step
from ._hoist import hoist
from ._manual import as_carried
from ._memory import nbytes
from ._segments import SHORT, auto_segments

Step = Callable[[Any, Any], tuple[Any, Any]]

_CACHE_BYTES = 32 * 2**20


@refuses_unknown_keywords
def unroll(
    step: Step, state: Any, inputs: Any, *, record: Callable[[Any, Any], Any] | None = None, segment: Segment = None
) -> tuple[Any, Any]:
    """Carry `state` through `inputs`, step by step.

    Args:
        step: `step(state, x) -> (state, y)`; may close over parameters that are differentiated.
        state: the first state, a pytree.
        inputs: a pytree of arrays whose leading axis is time.
        record: `record(state, y)`, what to keep of each step, given the state after it; by default `y`.
        segment: number of steps between two states that the gradient keeps; `None`, or "auto", chooses by the number of
            steps and the sizes of the state and of a step's inputs and outputs: about the square root of the number of
            steps; segments within segments where the states alone would take tens of MiB; the whole run where its
            gradient is small and faster so. A segment as long as the run is a plain loop.

    Returns:
        The last state, and what was recorded with time as the leading axis. `T = 0` gives the state back.

    Raises:
        ShapeError: leaves of `inputs` have no time axis, or different lengths.
        ParameterError, DTypeError: `segment` is no positive number of steps, or no number.
        DTypeError: `step` or `record` is no function.

    >>> import jax.numpy as jnp
    >>> add = lambda total, x: (total + x, total)
    >>> total, before = unroll(add, 0.0, jnp.arange(4.0))
    >>> float(total), before.tolist()
    (6.0, [0.0, 0.0, 1.0, 3.0])
    """
    check_step(step, "unroll")
    check_record_function(record, "unroll")
    length = _length(inputs)
    segment = as_segment(segment, "unroll")

    def recorded(now: Any, x: Any) -> tuple[Any, Any]:
        now, y = step(now, x)
        return now, (y if record is None else record(now, y))

    state = as_carried(recorded, state, inputs)
    if not auto_segments(length) if segment is None else segment >= length:
        return jax.lax.scan(recorded, state, inputs)

    size = nbytes(state)  # outside of `choose`, which JAX keeps: it would keep the traced state, too

    def choose(stacked: int, closed_over_is_differentiated: bool) -> tuple[int, ...]:
        if segment is not None:
            return (segment,)
        # With respect to inputs alone a step leaves about one array behind. As long as these fit into a cache, keeping
        # them is up to 1.2 times faster than computing them again; beyond, and for parameters, it is slower.
        keep = not closed_over_is_differentiated and length * size <= _CACHE_BYTES
        return () if keep else auto_segments(length, size, stacked)

    return _differentiable(recorded, state, inputs, choose)


def _length(inputs: Any) -> int:
    lengths = {jnp.shape(leaf)[:1] for leaf in jax.tree.leaves(inputs)}
    if len(lengths) != 1 or () in lengths:
        shapes = [jnp.shape(leaf) for leaf in jax.tree.leaves(inputs)]
        came = f"the shapes {', '.join(map(str, shapes))}" if shapes else "no array"
        raise ShapeError(
            f"`inputs` must have time as their leading axis, of one length for every leaf; got {came}. "
            "For a constant input give an array of shape (T, ...).",
            where="unroll",
            field="inputs",
            value=shapes,
            allowed="(T, ...)",
        )
    return lengths.pop()[0]


def _differentiable(step: Step, state: Any, inputs: Any, segments: Callable[[int, bool], tuple[int, ...]]) -> tuple[Any, Any]:
    """A plain loop where no gradient is taken, else a loop in `segments(bytes_stacked_per_step, closed_over_is_differentiated)`.

    The loop in segments copies every output twice, so evaluation alone should not pay for it. custom_jvp tells the two
    apart and, unlike custom_vjp, leaves forward mode alive. It cannot see through closures: the parameters that `step`
    closes over become arguments.
    """
    state = jax.tree.map(jnp.asarray, state)
    closed_over, step_with = hoist(step, state, jax.tree.map(lambda leaf: leaf[0], inputs))

    @jax.custom_jvp
    def run(state: Any, inputs: Any, closed_over: Any) -> tuple[Any, Any]:
        return jax.lax.scan(step_with(closed_over), state, inputs)

    def run_jvp(primals: Any, tangents: Any) -> Any:
        # Only what is differentiated is perturbed: a tangent of zeros would be computed and stored like any other.
        perturbed = Perturbed.of(primals, tangents)
        now, xs, closed = primals
        _, output = jax.eval_shape(step_with(closed), now, jax.tree.map(lambda leaf: leaf[0], xs))
        lengths = segments(nbytes(xs) // _length(xs) + nbytes(output), bool(Perturbed.of(closed, tangents[2]).values))

        def of_perturbed(*values: Any) -> tuple[Any, Any]:
            now, xs, closed = perturbed.fill(values)
            return _in_segments(step_with(closed), now, xs, lengths)

        return jax.jvp(of_perturbed, perturbed.values, perturbed.slopes)

    run.defjvp(run_jvp, symbolic_zeros=True)
    return run(state, inputs, closed_over)


def is_zero(tangent: Any) -> bool:
    """Whether a tangent that a rule with `symbolic_zeros` was given is zero."""
    return isinstance(tangent, SymbolicZero) or getattr(tangent, "dtype", None) == jax.dtypes.float0


class Perturbed(NamedTuple):
    """The leaves of a tree that have a tangent: their `values`, their `slopes`, and `fill(values)`, the tree with others."""

    values: list[Any]
    slopes: list[Any]
    fill: Callable[[Sequence[Any]], Any]

    @classmethod
    def of(cls, primals: Any, tangents: Any) -> Perturbed:
        leaves, tree = jax.tree.flatten(primals)
        slopes = jax.tree.leaves(tangents, is_leaf=is_zero)
        at = [k for k, slope in enumerate(slopes) if not is_zero(slope)]

        def fill(values: Sequence[Any]) -> Any:
            return jax.tree.unflatten(tree, (dict(enumerate(leaves)) | dict(zip(at, values, strict=True))).values())

        return cls([leaves[k] for k in at], [slopes[k] for k in at], fill)


def _in_segments(step: Step, state: Any, inputs: Any, segments: Sequence[int]) -> tuple[Any, Any]:
    """A loop over segments, each of which is computed again when its gradient is taken, itself in the segments inside it."""
    if not segments:
        return jax.lax.scan(step, state, inputs)
    segment, *inner = segments
    length = _length(inputs)
    if segment >= length:
        return _in_segments(step, state, inputs, inner)
    if length % segment:
        return _in_uneven_segments(step, state, inputs, segments)

    @jax.checkpoint
    def inside(now: Any, xs: Any) -> tuple[Any, Any]:
        return _in_segments(step, now, xs, inner)

    cut = jax.tree.map(lambda leaf: leaf.reshape(-1, segment, *leaf.shape[1:]), inputs)
    state, recorded = jax.lax.scan(inside, state, cut)
    return state, jax.tree.map(lambda leaf: leaf.reshape(length, *leaf.shape[2:]), recorded)


def _in_uneven_segments(step: Step, state: Any, inputs: Any, segments: Sequence[int]) -> tuple[Any, Any]:
    """The same where the last segment is shorter.

    The inputs cannot be given another shape then, and cutting and joining arrays would copy all of them. So a segment is read
    from where it lies, and written to where it belongs.
    """
    segment, *inner = segments
    length = _length(inputs)
    whole, rest = divmod(length, segment)

    def stretch(steps: int, now: Any, inputs: Any, start: Any) -> tuple[Any, Any]:
        xs = jax.tree.map(lambda leaf: jax.lax.dynamic_slice_in_dim(leaf, start, steps), inputs)
        return _in_segments(step, now, xs, inner if steps > SHORT else ())

    def writing(stretch: Callable[..., Any], carry: Any, start: Any) -> tuple[Any, None]:
        now, recorded = carry
        now, there = stretch(now, inputs, start)
        return (now, jax.tree.map(lambda array, part: _put(array, part, start), recorded, there)), None

    each, last = (functools.partial(stretch, steps) for steps in (segment, rest))
    _, shapes = jax.eval_shape(each, state, inputs, 0)
    recorded = jax.tree.map(lambda leaf: jnp.zeros((length, *leaf.shape[1:]), leaf.dtype), shapes)
    write = functools.partial(writing, jax.checkpoint(each))
    starts = segment * jnp.arange(whole)
    carry, _ = jax.lax.scan(write, as_carried(write, (state, recorded), starts), starts)
    # What is cut further is computed again in there; once more would only make the program longer.
    carry, _ = writing(last if inner and rest > SHORT else jax.checkpoint(last), carry, whole * segment)
    return carry


@jax.custom_jvp
def _put(array: jax.Array, part: jax.Array, start: Any) -> jax.Array:
    """`array`, 0 from row `start` on, with `part` there."""
    return jax.lax.dynamic_update_slice_in_dim(array, part, start, 0)


@_put.defjvp
def _put_jvp(primals: Any, tangents: Any) -> Any:
    # Because there was 0, one may add. The gradient of that leaves the gradient of `array` as it is, where the gradient of a
    # replacement would have to delete a part of it, in a copy.
    array, _, start = primals
    slope, part, _ = tangents
    if not is_zero(slope):
        slope = slope + jax.lax.dynamic_update_slice_in_dim(jnp.zeros_like(array), part, start, 0)
    return _put(*primals), slope
