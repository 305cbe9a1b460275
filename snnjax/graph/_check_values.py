"""Numbers in nodes: finite, and in the domain of their kind."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from .._kinds import DOMAINS, Kind
from ._problem import Problem

REAL = Kind("number", "1")


def value_problems(where: str, name: str, array: np.ndarray, kind: Kind = REAL) -> Iterator[Problem]:
    """At most one problem: where the first bad number is, and how many there are."""
    if kind.domain == "real" and _all_finite(array):
        return
    numbers = array.astype(np.float32) if array.dtype.kind == "V" else array  # bfloat16
    finite = np.isfinite(numbers)
    good = finite & _within(numbers, kind.domain)
    if good.all():
        return
    index = np.unravel_index(int(np.argmin(good)), good.shape)
    place = ""
    if good.ndim:
        at = int(index[0]) if good.ndim == 1 else tuple(map(int, index))
        place = f" at index {at} of {good.shape if good.ndim > 1 else good.size} ({int(good.size - good.sum())} bad)"
    allowed = DOMAINS[kind.domain]
    if kind.domain in ("positive", "nonnegative"):
        allowed += f"{'' if kind.unit == '1' else f' {kind.unit}'} and finite"
    what = f"`{name}` must be {allowed}; got {float(numbers[index])}{place}."
    if finite[index]:
        yield Problem(where, what, f"`replace` the node by one with `{name}` {allowed}.", "domain")
    else:
        yield Problem(where, what, "`replace` the node by one with finite numbers: look at what made them.", "value")


def is_good(value: object, kind: object) -> bool:
    """Whether `value` is one number in the domain of `kind`, for all neurons: the most frequent case, told quickly."""
    if not isinstance(value, np.ndarray) or value.ndim or not isinstance(kind, Kind) or kind.axes == "pre post":
        return False
    number = float(value)
    if kind.domain == "positive":
        return 0.0 < number < math.inf
    if kind.domain == "nonnegative":
        return 0.0 <= number < math.inf
    return 0.0 <= number <= 1.0 if kind.domain == "fraction" else math.isfinite(number)


def _all_finite(array: np.ndarray) -> bool:
    """Whether all numbers are finite; False may also mean that their squares are too large."""
    if array.dtype.kind in "iu":
        return True
    return array.dtype.kind == "f" and math.isfinite(np.vdot(array, array))  # one product, and no array of booleans


def _within(numbers: np.ndarray, domain: str) -> np.ndarray | bool:
    if domain == "positive":
        return numbers > 0
    if domain == "nonnegative":
        return numbers >= 0
    return (numbers >= 0) & (numbers <= 1) if domain == "fraction" else True
