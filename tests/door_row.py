"""A row of the table of refusals: a good call with one thing wrong, and the answer that a user should get."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

import snnjax.functional as F
from snnjax import SnnjaxError

MISSING = object()
GOOD: Mapping[str, Any] = {"neuron": F.lif, "params": F.LIFParams(), "inputs": np.full((5, 4), 0.4, np.float32), "dt": 1e-3}


class Refusal(NamedTuple):
    """The error's class, its `field` and `value`, its text as a regular expression, and the arguments that differ from `GOOD`."""

    error: type[SnnjaxError]
    field: str
    value: Any
    text: str
    given: Mapping[str, Any]

    def arguments(self, **instead: Any) -> dict[str, Any]:
        """Keyword arguments of `simulate`."""
        merged = {**GOOD, **self.given, **instead}
        return {name: value for name, value in merged.items() if value is not MISSING}


def run(error: type[SnnjaxError], field: str, value: Any, text: str, **given: Any) -> Refusal:
    return Refusal(error, field, value, text, given)


def lif(**fields: Any) -> dict[str, Any]:
    return {"params": F.LIFParams(**fields)}


def wrapped(neuron: F.Neuron, /, **fields: Any) -> dict[str, Any]:
    return {"neuron": neuron, "params": neuron.default(**fields)}


def euler(neuron: F.Neuron, dt: float, /, **fields: Any) -> dict[str, Any]:
    return {**wrapped(neuron, **fields), "dt": dt, "config": F.SpikingConfig(integrator=F.euler)}


def state(v: Any = 0.0, i: Any = 0.0) -> dict[str, Any]:
    return {"state": F.LIFState(v, i)}


def batch(*shape: int) -> np.ndarray:
    return np.full((5, *shape), 0.4, np.float32)


def some_bad(n: int, *where: int) -> np.ndarray:
    array = np.full(n, 20e-3)
    array[list(where)] = -1.0
    return array


RECURRENT = F.recurrent(F.lif)
TWO = F.synapses(F.lif, 2)
ZEROS = np.zeros(4, np.float32)
