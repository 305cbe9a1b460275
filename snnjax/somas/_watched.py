"""Watching the layers of a network for NaN and infinity: which layer, which step, which neuron.

The flags of every step are kept, a byte per neuron, and looked at when the layer has run.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import jax

from ..functional._concrete import concrete
from ..functional._watch import first_fault, not_finite, raise_fault
from ._soma import Soma


@functools.cache  # one function for each `record`, so that a run is compiled once
def with_flags(record: Callable[[Any, Any], Any] | None) -> Callable[[Any, Any], Any]:
    """What `record` keeps, and which neurons are not finite after the step."""

    def both(state: Any, output: Any) -> tuple[Any, jax.Array]:
        return output if record is None else record(state, output), not_finite(state, output.shape)

    return both


def simulate_watched(layer: Any, name: str, x: Any, **options: Any) -> tuple[Any, Any]:
    """`layer.simulate(x, **options)`, which raises `NumericsError` with the layer's `name`."""
    if not isinstance(layer, Soma):
        known = "checked" in inspect.signature(type(layer).simulate).parameters
        return layer.simulate(x, **options, **({"checked": True} if known else {}))
    state, (output, bad) = layer.simulate(x, **options, record=with_flags(None))
    raise_fault(first_fault(bad), bad.shape[1:], name)
    return state, output


def raise_first(flags: Mapping[str, jax.Array]) -> None:
    """Raise for the layer whose state was the first that is not finite; `flags` by the names of the layers."""
    faults = {name: first_fault(bad) for name, bad in flags.items()}

    def step(name: str) -> float:
        known = concrete(faults[name].step)
        return 0.0 if known is None or known < 0 else float(known)

    for name in sorted(faults, key=step):
        raise_fault(faults[name], flags[name].shape[1:], name)
