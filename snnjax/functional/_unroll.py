"""The one loop over time, with memory that does not grow with every step.

The gradient of a plain loop keeps what every step computed. Here the loop is cut into segments: the gradient keeps the
state at the start of each segment and computes the inside of a segment again when it comes back to it, so memory is
the inputs, a state per segment and one segment's worth of steps. On a CPU that is mostly faster, because less
is written; where it is not, on small runs differentiated by their inputs alone, everything is kept.

Reference: Griewank & Walther (2000), ACM Transactions on Mathematical Software 26, 19-45.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

from .._errors import ShapeError, refuses_unknown_keywords
from ._check_choices import check_segment

Step = Callable[[Any, Any], tuple[Any, Any]]

_SHORT = 64  # steps; a gradient over fewer is one segment
_CACHE_BYTES = 32 * 2**20


@refuses_unknown_keywords
def unroll(
    step: Step, state: Any, inputs: Any, *, record: Callable[[Any, Any], Any] | None = None, segment: int | None = None
) -> tuple[Any, Any]:
    """Carry `state` through `inputs`, step by step.

    Args:
        step: `step(state, x) -> (state, y)`; may close over parameters that are differentiated.
        state: the first state, a pytree.
        inputs: a pytree of arrays whose leading axis is time.
        record: `record(state, y)`, what to keep of each step, given the state after it; by default `y`.
        segment: number of steps between two states that the gradient keeps; `None` chooses: about the square root of
            the number of steps, or the whole run where its gradient is small and faster so. A segment as long as the
            run is a plain loop.

    Returns:
        The last state, and what was recorded with time as the leading axis. `T = 0` gives the state back.

    Raises:
        ShapeError: leaves of `inputs` have no time axis, or different lengths.
        ParameterError: `segment` is not a positive integer.

    >>> import jax.numpy as jnp
    >>> add = lambda total, x: (total + x, total)
    >>> total, before = unroll(add, 0.0, jnp.arange(4.0))
    >>> float(total), before.tolist()
    (6.0, [0.0, 0.0, 1.0, 3.0])
    """
    length = _length(inputs)
    check_segment(segment, "unroll")

    def recorded(now: Any, x: Any) -> tuple[Any, Any]:
        now, y = step(now, x)
        return now, (y if record is None else record(now, y))

    longest = auto_segment(length) if segment is None else segment
    if longest >= length:
        return jax.lax.scan(recorded, state, inputs)

    def choose(closed_over_is_differentiated: bool) -> int:
        # With respect to inputs alone a step leaves about one array behind. As long as these fit into a cache, keeping
        # them is up to 1.2 times faster than computing them again; beyond, and for parameters, it is slower.
        kept = length * sum(jnp.asarray(leaf).nbytes for leaf in jax.tree.leaves(state))
        keep = segment is None and not closed_over_is_differentiated and kept <= _CACHE_BYTES
        return length if keep else longest

    return _differentiable(recorded, state, inputs, choose)


def auto_segment(length: int) -> int:
    """The segment used by default: about the square root of the number of steps, a divisor of it where one is near.

    >>> auto_segment(50), auto_segment(500), auto_segment(1000), auto_segment(1009)
    (50, 20, 25, 31)
    """
    if length <= _SHORT:
        return max(length, 1)
    root = math.isqrt(length)
    dividing = [k for k in range(root // 4, 4 * root) if length % k == 0]
    return min(dividing, key=lambda k: abs(math.log(k / root)), default=root)


def _length(inputs: Any) -> int:
    lengths = {jnp.shape(leaf)[:1] for leaf in jax.tree.leaves(inputs)}
    if len(lengths) != 1 or () in lengths:
        shapes = [jnp.shape(leaf) for leaf in jax.tree.leaves(inputs)]
        raise ShapeError(
            f"`inputs` must have time as their leading axis, of one length for every leaf; got shapes {shapes}. "
            "For a constant input give an array of shape (T, ...).",
            where="unroll",
            field="inputs",
            value=shapes,
            allowed="(T, ...)",
        )
    return lengths.pop()[0]


def _differentiable(step: Step, state: Any, inputs: Any, segment: Callable[[bool], int]) -> tuple[Any, Any]:
    """A plain loop where no gradient is taken, else a loop in segments of `segment(closed_over_is_differentiated)`.

    The loop in segments copies every output twice, so evaluation alone should not pay for it. custom_jvp tells the two
    apart and, unlike custom_vjp, leaves forward mode alive. It cannot see through closures: the parameters that `step`
    closes over become arguments.
    """
    state = jax.tree.map(jnp.asarray, state)
    step, closed_over = jax.closure_convert(step, state, jax.tree.map(lambda leaf: leaf[0], inputs))

    @jax.custom_jvp
    def run(state: Any, inputs: Any, closed_over: Any) -> tuple[Any, Any]:
        return jax.lax.scan(lambda now, x: step(now, x, *closed_over), state, inputs)

    def run_jvp(primals: Any, tangents: Any) -> Any:
        # Only what is differentiated is perturbed: a tangent of zeros would be computed and stored like any other.
        perturbed = Perturbed.of(primals, tangents)
        length = segment(bool(Perturbed.of(primals[2], tangents[2]).values))

        def of_perturbed(*values: Any) -> tuple[Any, Any]:
            now, xs, closed = perturbed.fill(values)
            return _in_segments(lambda now, x: step(now, x, *closed), now, xs, length)

        return jax.jvp(of_perturbed, perturbed.values, perturbed.slopes)

    run.defjvp(run_jvp, symbolic_zeros=True)
    return run(state, inputs, tuple(closed_over))


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


def _in_segments(step: Step, state: Any, inputs: Any, segment: int) -> tuple[Any, Any]:
    """A loop over segments, each of which is computed again when its gradient is taken."""

    @jax.checkpoint
    def inside(now: Any, xs: Any) -> tuple[Any, Any]:
        return jax.lax.scan(step, now, xs)

    length = _length(inputs)
    if segment >= length:
        return jax.lax.scan(step, state, inputs)
    whole = length // segment
    cut = jax.tree.map(lambda leaf: leaf[: whole * segment].reshape(whole, segment, *leaf.shape[1:]), inputs)
    state, recorded = jax.lax.scan(inside, state, cut)
    recorded = jax.tree.map(lambda leaf: leaf.reshape(whole * segment, *leaf.shape[2:]), recorded)
    if whole * segment == length:
        return state, recorded
    state, rest = inside(state, jax.tree.map(lambda leaf: leaf[whole * segment :], inputs))
    return state, jax.tree.map(lambda a, b: jnp.concatenate([a, b]), recorded, rest)
