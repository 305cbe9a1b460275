"""What can be wrong with an argument, by its kind: numbers in their domains, arrays, counts, keys, masks, paths, models."""

from __future__ import annotations

from typing import Any

import numpy as np
from battery_row import UNTOLD, Errors, Wrong

import snnjax.functional as F
from snnjax import ConfigError, DTypeError, ParameterError, ShapeError

KINDS_OR_VALUES = (DTypeError, ParameterError)
NAN, INF = float("nan"), float("inf")

NO_NUMBER = [Wrong("B15", "a string", "1", DTypeError), Wrong("B15", "None", None, DTypeError), Wrong("B9", "complex", 1j, DTypeError)]
NOT_FINITE = [Wrong("A3", "NaN", NAN, ParameterError), Wrong("A3", "infinite", INF, ParameterError)]


def without_none(kind: list[Wrong]) -> list[Wrong]:
    """The same for an argument that may be `None`."""
    return [wrong for wrong in kind if wrong.value is not None]


def one_bad(good: float, bad: float) -> Wrong:
    return Wrong("A4", "bad in one of three", np.array([good, bad, good]), ParameterError)


#: Numbers, or one per neuron.
POSITIVE = [Wrong("A1", "zero", 0.0, ParameterError), Wrong("A2", "negative", -1.0, ParameterError), *NOT_FINITE, *NO_NUMBER]
NONNEGATIVE = [Wrong("A2", "negative", -1.0, ParameterError), *NOT_FINITE, *NO_NUMBER]
REAL = [*NOT_FINITE, *NO_NUMBER]
#: The length of a step: one number.
STEP = [
    Wrong("A5", "zero", 0.0, ParameterError),
    Wrong("A5", "negative", -1e-3, ParameterError),
    Wrong("A5", "NaN", NAN, ParameterError),
    Wrong("A5", "infinite", INF, ParameterError),
    *NO_NUMBER,
    Wrong("B2", "one per neuron", np.full(2, 1e-3), ShapeError),
]
#: Arrays of numbers over time.
ARRAY = [
    Wrong("B9", "complex", np.ones((5, 2), np.complex64), DTypeError),
    Wrong("B14", "a list", [[0.0, 1.0]], DTypeError),
    Wrong("B15", "strings", np.array([["a", "b"]]), DTypeError),
    Wrong("B15", "None", None, DTypeError),
    Wrong("B15", "a dictionary", {"x": 1.0}, DTypeError, UNTOLD),
]
SHAPE = [Wrong("B15", "a string", "4", ShapeError), Wrong("B2", "negative", -4, ShapeError), Wrong("B15", "a fraction", 4.5, ShapeError)]
KEY = [Wrong("B15", "a number", 3, DTypeError), Wrong("B2", "several", np.zeros((2, 2), np.uint32), DTypeError)]
MASK = [Wrong("B7", "of numbers", np.ones((5, 2)), DTypeError), Wrong("B5", "too short", np.ones((3,), bool), ShapeError)]
NEURON = [
    Wrong("D5", "a name", "lif", DTypeError),
    Wrong("D5", "a step", F.lif_step, DTypeError),
    Wrong("B15", "None", None, DTypeError),
]
GRAPH = [
    Wrong("B15", "a dictionary", {}, DTypeError),
    Wrong("B15", "None", None, DTypeError),
    Wrong("B15", "a path", "net.graph", DTypeError),
]
PARAMS = [Wrong("B15", "None", None, DTypeError), Wrong("B15", "a dictionary", {"tau_mem": 1.0}, DTypeError)]
PATH = [Wrong("B15", "a number", 3, DTypeError), Wrong("B15", "None", None, DTypeError)]
MAX_BYTES = [Wrong("D16", "negative", -1, KINDS_OR_VALUES), Wrong("D16", "a fraction", 2.5, KINDS_OR_VALUES)]
SURROGATE_NUMBER = [Wrong("A15", f"{wrong.name}", wrong.value, wrong.errors) for wrong in POSITIVE]


def count(least: int = 0) -> list[Wrong]:
    """A whole number, `least` or more."""
    return [
        Wrong("B15", "too small", least - 1, KINDS_OR_VALUES),
        Wrong("B15", "a fraction", 2.5, KINDS_OR_VALUES),
        Wrong("B15", "a bool", True, KINDS_OR_VALUES),
        Wrong("B15", "a string", "2", KINDS_OR_VALUES),
    ]


def word(error: Errors = ConfigError, other: Errors = (ConfigError, DTypeError)) -> list[Wrong]:
    """One of a few names."""
    return [Wrong("D5", "an unknown name", "nonsense", error), Wrong("D5", "a number", 3, other)]


def no(*accepted: Any) -> list[Wrong]:
    """Things that are no record and no module, without those that would do."""
    return [wrong for wrong in [*PARAMS, Wrong("B15", "a string", "x", DTypeError)] if wrong.value not in accepted]
