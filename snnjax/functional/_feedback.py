"""The loop of a recurrent population, with the gradient of its weight as one matrix product.

In a recurrent step the drive is `inputs[t] + spikes[t-1] @ weight`, so a change of the weight is a change of the inputs,

    d inputs[t] = spikes[t-1] @ d weight

and the weight's gradient follows from that of the inputs: `sum over t of spikes[t-1].T @ gradient[t]`. Left to itself,
JAX adds this up inside the backward loop, a small product and a sum of matrices at every step, and keeps the spikes for
it a second time. Here it is one product after the loop. Only the order of a sum differs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from ._cast import at_least_float32, float_dtype
from ._check_choices import Segment, as_segment
from ._manual import as_carried, as_varying
from ._memory import nbytes
from ._neuron import Neuron
from ._unroll import Perturbed, is_zero, unroll

_KEPT_BYTES = 64 * 2**20


def unroll_population(
    neuron: Neuron,
    step: Callable[[Any, Any, Any], tuple[Any, Any]],
    params: Any,
    carry: Any,
    inputs: Any,
    *,
    record: Callable[[Any, Any], Any] | None = None,
    segment: Segment = None,
    state_of: Callable[[Any], Any] = lambda carry: carry,
) -> tuple[Any, Any]:
    """`unroll` of the steps of a model; where it has a recurrent weight, the gradient of that is one product for all steps.

    Args:
        neuron: the model.
        step: `step(params, carry, x) -> (carry, output)`, a step of the model; without `record` its output must be the model's.
        params: of the model.
        carry: the model's state, or something that holds it.
        inputs: of the model, time first; or a tuple of them and of other arrays.
        record: `record(state, output)`, as of `simulate`.
        segment: as of `unroll`.
        state_of: finds the model's state in `carry`.
    """

    segment = as_segment(segment, "simulate")

    def recorded(carry: Any, output: Any) -> Any:
        return output if record is None else record(state_of(carry), output)

    params, path = as_varying(params, inputs), neuron.feedback
    if path is None or not jax.tree.leaves(inputs)[0].shape[0]:
        return unroll(lambda now, x: step(params, now, x), carry, inputs, record=recorded, segment=segment)

    def noting(weight: Any, now: Any, x: Any) -> tuple[Any, tuple[Any, Any]]:
        now, output = step(_replaced(params, path, weight), now, x)
        # Without `record` the spikes are the output itself, and need not be kept a second time.
        return now, (recorded(now, output), None if record is None else _at(state_of(now), path).spikes)

    carry = jax.tree.map(jnp.asarray, carry)
    before = _at(state_of(carry), path).spikes
    dtype = at_least_float32(float_dtype(state_of(carry)))
    return _hoisted(noting, jnp.asarray(_at(params, path).weight), carry, inputs, before, dtype, segment)


def _hoisted(step: Any, weight: jax.Array, carry: Any, inputs: Any, before: jax.Array, dtype: Any, segment: int | None) -> tuple[Any, Any]:
    """`unroll` of `step(weight, carry, x) -> (carry, (y, spikes))` without the spikes; `before` are those before the first step."""
    carry = as_carried(functools.partial(step, weight), carry, inputs)
    step, closed_over = jax.closure_convert(step, weight, carry, jax.tree.map(lambda leaf: leaf[0], inputs))

    def loop(weight: Any, carry: Any, inputs: Any, closed_over: Any, **options: Any) -> tuple[Any, Any]:
        return unroll(lambda now, x: step(weight, now, x, *closed_over), carry, inputs, **options)

    def without_spikes(weight: Any, carry: Any, before: Any, inputs: Any, closed_over: Any, *, segment: int | None) -> Any:
        del before
        return loop(weight, carry, inputs, closed_over, record=lambda _, noted: noted[0], segment=segment)

    def run_jvp(primals: Any, tangents: Any) -> Any:
        weight, carry, before, inputs, closed_over = primals
        stretch = segment or _stretch(carry, inputs, Perturbed.of(closed_over, tangents[4]))
        (drive, *others), tree = jax.tree.flatten(inputs)
        slope, *slopes = jax.tree.leaves(tangents[3], is_leaf=is_zero)
        # The product needs the gradient of the inputs at every step. On a long run that nobody else asks for it, segments of
        # the loop get along with less memory.
        in_loop = is_zero(slope) and stretch != len(drive)
        if is_zero(tangents[0]) or in_loop:
            perturbed = Perturbed.of(primals, tangents)
            return jax.jvp(lambda *values: without_spikes(*perturbed.fill(values), segment=stretch), perturbed.values, perturbed.slopes)
        rest = Perturbed.of((carry, others, closed_over), (tangents[1], slopes, tangents[4]))

        def of_drive(drive: Any, *values: Any) -> tuple[Any, Any]:
            carry, others, closed_over = rest.fill(values)
            return loop(weight, carry, jax.tree.unflatten(tree, [drive, *others]), closed_over, segment=stretch)

        (last, (y, spikes)), linear = jax.linearize(of_drive, drive.astype(dtype), *rest.values)
        earlier = jnp.concatenate([before[None], y if spikes is None else spikes])[:-1]
        change = _returned(earlier.astype(dtype), tangents[0].astype(dtype))
        change = change if is_zero(slope) else change + slope.astype(dtype)
        last_slope, (y_slope, _) = linear(change, *rest.slopes)
        return (last, y), (last_slope, y_slope)

    run = jax.custom_jvp(lambda *primals: without_spikes(*primals, segment=segment))
    run.defjvp(run_jvp, symbolic_zeros=True)
    return run(weight, carry, before, inputs, tuple(closed_over))


def _stretch(carry: Any, inputs: Any, parameters: Perturbed) -> int | None:
    """The segment of a gradient: the whole run, for a product of matrices is dear to compute again, or that of `unroll`.

    With respect to inputs and the weight a step leaves little behind, less than a state. Keeping it took 0.8 of the time of
    recomputing. With respect to other parameters a step leaves several arrays, and both took the same time.
    """
    steps = jax.tree.leaves(inputs)[0].shape[0]
    kept = steps * nbytes(carry)
    return steps if not parameters.values and kept <= _KEPT_BYTES else None


def _returned(spikes: jax.Array, weight: jax.Array) -> jax.Array:
    """`spikes @ weight`, `(..., N)` or `(..., n, N)`, for all steps and the whole batch in one product."""
    columns = jnp.moveaxis(weight, -2, 0)
    product = spikes.reshape(-1, spikes.shape[-1]) @ columns.reshape(columns.shape[0], -1)
    return product.reshape(*spikes.shape[:-1], *columns.shape[1:])


def _at(record: Any, path: tuple[str, ...]) -> Any:
    """The Params or State at the end of a path of field names."""
    return functools.reduce(getattr, path, record)


def _replaced(params: Any, path: tuple[str, ...], weight: Any) -> Any:
    """`params` with another recurrent weight at the end of the path."""
    if not path:
        return params._replace(weight=weight)
    return params._replace(**{path[0]: _replaced(getattr(params, path[0]), path[1:], weight)})
