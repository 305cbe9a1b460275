"""Watching a run for NaN and infinity: which step, which neuron."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .._errors import NumericsError
from ._cast import is_float_array
from ._concrete import concrete

Step = Callable[[Any, Any], tuple[Any, Any]]


class Fault(NamedTuple):
    """The first step at which a number was not finite (-1: none yet), the neuron, and the steps so far."""

    step: jax.Array
    index: jax.Array
    now: jax.Array


def no_fault() -> Fault:
    return Fault(jnp.int32(-1), jnp.int32(-1), jnp.int32(0))


def watched(step: Step, shape: tuple[int, ...]) -> Step:
    """`step` over `(state, Fault)`, which notes the first state of a population of `shape` that is not finite."""

    def watching(carry: tuple[Any, Fault], x: Any) -> tuple[tuple[Any, Fault], Any]:
        state, fault = carry
        state, y = step(state, x)
        bad = not_finite(state, shape)
        if bad.size == 0:
            return (state, fault), y
        first = bad.any() & (fault.step < 0)
        index = jnp.argmax(bad.ravel()).astype(jnp.int32)
        fault = Fault(jnp.where(first, fault.now, fault.step), jnp.where(first, index, fault.index), fault.now + 1)
        return (state, fault), y

    return watching


def not_finite(state: Any, shape: tuple[int, ...]) -> jax.Array:
    """Which neurons of a population of `shape` have NaN or infinity anywhere in their state."""
    bad = jnp.zeros(shape, bool)
    for leaf in filter(is_float_array, jax.tree.leaves(state)):
        # What has more axes than the population has one value per synapse: (..., n, N).
        synapses = tuple(range(len(shape) - 1, leaf.ndim - 1))
        bad = bad | ~jnp.isfinite(leaf).all(axis=synapses)
    return bad


def first_fault(bad: jax.Array) -> Fault:
    """The fault of a run that kept of every step which neurons were not finite, `(T, ...)`."""
    if bad.size == 0:
        return no_fault()
    flat = bad.reshape(bad.shape[0], -1)
    step = jnp.argmax(flat.any(axis=1)).astype(jnp.int32)
    index = jnp.argmax(flat[step]).astype(jnp.int32)
    return Fault(jnp.where(flat.any(), step, -1), index, jnp.int32(bad.shape[0]))


def raise_fault(fault: Fault, shape: tuple[int, ...], layer: str = "") -> None:
    """Raise where a fault was noted: at once, or when the compiled program gets there. In a network `layer` names whose it is."""
    name, field = (f"The state of `{layer}`", f"{layer}.state") if layer else ("The state", "state")

    def complain(step: Any, index: Any) -> None:
        if int(step) >= 0:
            place = tuple(int(k) for k in np.unravel_index(int(index), shape)) if shape else ()
            raise NumericsError(
                f"{name} is not finite after step {int(step)}, at neuron {place}. "
                "Look for NaN or infinity in `inputs` up to there, and for too long a `dt`.",
                where="simulate",
                field=field,
                value=(int(step), place),
                allowed="finite",
            )

    if concrete(fault.step) is None:
        jax.debug.callback(complain, fault.step, fault.index)
    else:
        complain(fault.step, fault.index)
