"""The loop of a layer whose spikes come back, with the gradient of their weights as one matrix product.

As in `functional._feedback`: a change of the weights is a change of what arrives,

    d arriving[t] = sum over the delays of sent[t - 1 - delay] @ d weight[delay]

so the gradient of the weights follows from that of what arrives, in one product after the loop. Left to itself, JAX adds up
a matrix in every step of the backward loop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from .. import functional as F
from ..functional._hoist import hoist
from ..functional._unroll import Perturbed, is_zero
from ._delays import Connection, seen, sent, taken_over_time

#: `step(numbers, state, back, given, mask) -> (state, spikes, recorded)`
Step = Callable[[Any, Any, jax.Array, Any, Any], tuple[Any, jax.Array, Any]]


def unroll_connected(step: Step, connection: Connection, numbers: Any, carry: Any, xs: Any, segment: int | str | None) -> tuple[Any, Any]:
    """Carry the state of the neurons, and the line of their own spikes, through `xs`.

    Args:
        step: one step of the neurons, given what arrives of their own spikes.
        connection: from the line to what arrives.
        numbers: what `step` needs beside, and may be differentiated by.
        carry: state and line before the first step.
        xs: what else arrives and the mask or `None`, time first.
        segment: as of `F.unroll`.

    Returns:
        The last state and line, and what was recorded.
    """
    steps = jax.tree.leaves(xs)[0].shape[0]
    # Weights that fetch their inputs one by one are not a matrix in a product.
    if not steps or connection.places is not None:
        return _loop(step, connection, numbers, carry, xs, None, segment, _recorded)
    row = jax.tree.map(lambda leaf: leaf[0], xs)
    closed_over, step_with = hoist(step, numbers, carry[0], connection(carry[1]), *row)
    wiring = _with(connection, None)  # the rules below outlive this call: what is traced reaches them as an argument

    def loop(primals: Any, more: Any, kept: Any) -> Any:
        matrix, numbers, carry, xs, closed_over = primals
        return _loop(step_with(closed_over), _with(wiring, matrix), numbers, carry, xs, more, segment, kept)

    def run(*primals: Any) -> Any:
        return loop(primals, None, _recorded)

    def run_jvp(primals: Any, tangents: Any) -> Any:
        if is_zero(tangents[0]):
            perturbed = Perturbed.of(primals, tangents)
            return jax.jvp(lambda *values: run(*perturbed.fill(values)), perturbed.values, perturbed.slopes)
        rest = Perturbed.of(primals[1:], tangents[1:])
        matrix, _, (_, line), (_, mask), _ = primals
        none = jnp.zeros((steps, *line.shape[:-2], matrix.shape[1]), matrix.dtype)

        def of_more(more: jax.Array, *values: Any) -> Any:
            return loop((matrix, *rest.fill(values)), more, None)

        (last, (recorded, spikes)), linear = jax.linearize(of_more, none, *rest.values)
        change = _change(wiring, tangents[0], line, spikes, mask)
        slope, (recorded_slope, _) = linear(change, *rest.slopes)
        return (last, recorded), (slope, recorded_slope)

    differentiable = jax.custom_jvp(run)
    differentiable.defjvp(run_jvp, symbolic_zeros=True)
    return differentiable(connection.matrix, numbers, carry, xs, closed_over)


def _loop(step: Step, connection: Connection, numbers: Any, carry: Any, xs: Any, more: Any, segment: int | str | None, kept: Any) -> Any:
    """`F.unroll` of the steps; `more` is added to what arrives, and `kept(carry, (recorded, spikes))` is kept."""

    def body(carry: Any, x: Any) -> tuple[Any, Any]:
        (state, line), ((given, mask), more) = carry, x
        back = connection(line) if more is None else connection(line) + more
        state, spikes, recorded = step(numbers, state, back, given, mask)
        return (state, sent(line, spikes, mask)), (recorded, spikes)

    return F.unroll(body, carry, (xs, more), record=kept, segment=segment)


def _recorded(carry: Any, noted: Any) -> Any:
    """Without the spikes, which only the gradient needs."""
    del carry
    return noted[0]


def _change(connection: Connection, matrix: jax.Array, line: jax.Array, spikes: jax.Array, mask: Any) -> jax.Array:
    """What would arrive in each step through other weights, all steps in one product."""
    before = seen(line, connection.taps)[None]
    mask = None if mask is None else mask[:-1]
    later = taken_over_time(line, spikes[:-1], connection.taps, mask)[1]
    return _with(connection, matrix).over(jnp.concatenate([before, later]))


def _with(connection: Connection, matrix: jax.Array | None) -> Connection:
    return eqx.tree_at(lambda it: it.matrix, connection, matrix, is_leaf=lambda leaf: leaf is None)
