"""Continuous signals on the grid of steps: each sample's place is a number of steps, never a sum of floats.

A grid point is compared with a sample's time by the bin rule, so a sample at a multiple of `dt` is at that grid point
whatever rounding did to its time; and a grid that starts at `first_step` has the numbers of one that starts at 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._errors import refuses_unknown_keywords
from ..functional._concrete import refuse_where
from ._bins import count_of, in_steps
from ._door import array_of, number, refuse_kind, refuse_shape, refuse_value, whole

_TIMES = "an array of floats (float32 or float64), times in seconds"
_VALUES = "an array of real numbers, a row per sample"


@refuses_unknown_keywords
def sample_hold(times: Any, values: Any, *, dt: Any, duration: Any, first_step: int = 0) -> np.ndarray:
    """At every grid point the last sample that has come: `values[j]` from `times[j]` on.

    Row `k` of the result is the signal at `(first_step + k) dt`. The last sample holds on.

    Args:
        times: `(n,)`, s, increasing.
        values: `(n, ...)`, a row per sample.
        dt: length of a step, s.
        duration: of the result, s; as many steps as cover it.
        first_step: the step that the result starts at, for a run in pieces.

    Returns:
        `(T, ...)`, in the dtype of `values`.

    Raises:
        ParameterError: times are not finite and increasing, values not finite, the grid starts before the first sample,
            or float32 times do not resolve `dt`.
        ShapeError: there is not one value, or row of values, per time.
        DTypeError: an argument is of the wrong kind.

    >>> sample_hold([0.0, 0.3], [1.0, 5.0], dt=0.1, duration=0.5).tolist()
    [1.0, 1.0, 1.0, 5.0, 5.0]
    """
    places, values, grid = _checked(times, values, dt, duration, first_step, "sample_hold")
    return values[np.searchsorted(np.ceil(places), grid, side="right") - 1]


@refuses_unknown_keywords
def interpolate(times: Any, values: Any, *, dt: Any, duration: Any, first_step: int = 0) -> np.ndarray:
    """At every grid point the straight line between the samples before and after it.

    Row `k` of the result is the signal at `(first_step + k) dt`. Nothing is extrapolated.

    Args:
        times: `(n,)`, s, increasing.
        values: `(n, ...)`, a row per sample.
        dt: length of a step, s.
        duration: of the result, s; as many steps as cover it.
        first_step: the step that the result starts at, for a run in pieces.

    Returns:
        `(T, ...)`, in the float dtype of `values`, else float64.

    Raises:
        ParameterError: times are not finite and increasing, values not finite, the grid is not within the samples, or
            float32 times do not resolve `dt`.
        ShapeError: there is not one value, or row of values, per time.
        DTypeError: an argument is of the wrong kind.

    >>> interpolate([0.0, 0.4], [0.0, 8.0], dt=0.1, duration=0.4).tolist()
    [0.0, 2.0, 4.0, 6.0]
    """
    places, values, grid = _checked(times, values, dt, duration, first_step, "interpolate")
    if grid.size and grid[-1] > places[-1]:
        advice = f"The last sample is at step {places[-1]:.6g}, the grid goes on to step {grid[-1]}. Shorten `duration`, or add a sample."
        refuse_value("duration", duration, "within the samples", "interpolate", advice)
    left = np.searchsorted(places, grid, side="right") - 1
    right = np.minimum(left + 1, len(places) - 1)
    gap = places[right] - places[left]
    part = np.where(gap > 0, (grid - places[left]) / np.where(gap > 0, gap, 1.0), 0.0)
    part = part.reshape(part.shape + (1,) * (values.ndim - 1))
    # In this form a constant signal stays constant, bit for bit.
    wide = values.astype(np.float64)
    line = wide[left] + part * (wide[right] - wide[left])
    return line.astype(values.dtype if values.dtype.kind == "f" else np.float64)


def _checked(times: Any, values: Any, dt: Any, duration: Any, first_step: Any, where: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The places of the samples in steps, the samples, and the grid points in steps."""
    times, values = _samples(times, values, where)
    places = in_steps(times, dt, "times", where)
    count = count_of(number(duration, "duration", "nonnegative", where), dt, where)
    first = whole(first_step, "first_step", where)
    grid = np.arange(first, first + count)
    if count and places[0] > first:
        advice = f"That is step {places[0]:.6g}. Add a sample at the start of the grid."
        refuse_value("times[0]", float(times[0]), f"at or before the start of the grid, step {first}", where, advice)
    return places, values, grid


def _samples(times: Any, values: Any, where: str) -> tuple[np.ndarray, np.ndarray]:
    when, rows = array_of(times, "times", _TIMES, where), array_of(values, "values", _VALUES, where)
    if when.dtype.kind != "f" or when.dtype.itemsize not in (4, 8):
        refuse_kind("times", times, _TIMES, where)
    if when.ndim != 1 or when.size == 0:
        refuse_shape("times", when.shape, "(n,), with at least one sample", where)
    if rows.dtype.kind not in "biuf":
        refuse_kind("values", values, _VALUES, where)
    if rows.shape[:1] != when.shape:
        refuse_shape("values", rows.shape, f"({when.size}, ...), a row per time", where)
    refuse_where(~np.isfinite(when), when, "times", "finite", where)
    advice = "Sort the samples, and keep one of each time."
    refuse_where(np.diff(when, prepend=-np.inf) <= 0, when, "times", "increasing", where, advice)
    refuse_where(~np.isfinite(rows), rows, "values", "finite", where, "Replace what is missing before it reaches a neuron.")
    return when, rows
