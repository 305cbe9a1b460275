"""Rasters to events and back, by the bin rule."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._errors import ParameterError, refuses_unknown_keywords
from ..functional._concrete import refuse_where
from ._bins import count_of, in_steps, step_of
from ._door import array_of, check_choice, number, refuse_kind, refuse_shape, refuse_value, whole
from ._record import Events, check_events

_PLACES = {"start": 0.0, "middle": 0.5}
_AT = "'start', 'middle', or an array of floats, in seconds"
_RASTER = "an array of counts (floats, integers or booleans)"


@refuses_unknown_keywords
def to_events(raster: Any, *, dt: Any, at: Any = "start") -> Events:
    """The events of a raster, in order of time, then of channel.

    An entry of 2 gives two events. With `at="start"` an event of step `k` is at `k dt`, which is where an input of that
    step arrives; with `"middle"` at `(k + 1/2) dt`. Both come back to step `k` by `to_raster`. A spike that a
    simulation puts out at step `k` crossed the threshold within `(k dt, (k + 1) dt]`: `shift(events, dt)` labels it
    by the end of its step, and where the crossing was is what `spike_time_held` and its like tell: give that as `at`.

    Args:
        raster: `(T, channels)`, whole numbers >= 0 of any real dtype.
        dt: length of a step, s.
        at: "start", "middle", or for each entry the time from the start of its step, s, from 0 to `dt`, `(T, channels)`;
            it is read where there are events.

    Returns:
        Events with float64 times, the number of channels, and the duration `T dt`.

    Raises:
        DTypeError: `raster` is no array of numbers, or traced.
        ShapeError: it has other axes.
        ParameterError: an entry is no count, `dt` not positive, or a time `at` not within its step.
        ConfigError: `at` is another word.

    >>> events = to_events([[1, 0], [0, 0], [0, 2]], dt=0.1)
    >>> events.times.tolist(), events.channels.tolist()
    ([0.0, 0.2, 0.2], [0, 1, 1])
    """
    step = step_of(dt, "to_events")
    counts = _counts(raster)
    steps, channels = np.nonzero(counts)
    duration = len(counts) * step
    times = steps * step + _inside(at, steps, channels, counts.shape, step)
    times = np.minimum(times, np.nextafter(duration, 0.0))  # at the end of the last step but for rounding
    order = np.argsort(times, kind="stable")
    order = np.repeat(order, counts[steps, channels].astype(np.int64)[order])
    return Events(times[order], channels[order], channel_count=counts.shape[1], duration=duration)


@refuses_unknown_keywords
def to_raster(
    events: Events, *, dt: Any, duration: Any = None, channels: int | None = None, several: str = "count", dtype: Any = np.int32
) -> np.ndarray:
    """The raster of events: step `k` has those in `[k dt, (k + 1) dt)`.

    A time that is a multiple of `dt` but for rounding (a millionth of a step, or four units in the last place) is at
    the start of its step. Nothing is dropped: events beyond `duration` or `channels` are refused.

    Args:
        events: the events.
        dt: length of a step, s.
        duration: s; as many steps as cover it. By default that of `events`.
        channels: how many. By default the number that `events` know.
        several: what several events of one channel in one step become: "count", their number; or "clip", 1.
        dtype: of the raster; counts that it cannot hold are refused.

    Returns:
        `(T, channels)`.

    Raises:
        ParameterError: an event is not before `duration` or beyond `channels`, a count does not fit `dtype`, `duration`
            or `channels` is missing or negative, or float32 times do not resolve `dt`.
        DTypeError: an argument is of the wrong kind.
        ConfigError: `several` is another word.

    >>> to_raster(Events([0.1, 0.3, 0.35], [0, 1, 1]), dt=0.1, duration=0.5, channels=2).tolist()
    [[0, 0], [1, 0], [0, 0], [0, 2], [0, 0]]
    """
    check_events(events, "to_raster")
    check_choice(several, "several", ["count", "clip"], "to_raster")
    kind = _dtype(dtype)
    length = number(_given(duration, events.duration, "duration"), "duration", "nonnegative", "to_raster")
    width = whole(_given(channels, events.channel_count, "channels"), "channels", "to_raster")
    count = count_of(length, dt, "to_raster")
    steps = _steps(events, dt, length, count)
    advice = "Select or renumber channels with `remap`."
    refuse_where(events.channels >= width, events.channels, "events.channels", f"below `channels` = {width}", "to_raster", advice)
    places, counts = np.unique(steps * width + events.channels, return_counts=True)
    raster = np.zeros(count * width, kind)
    raster[places] = 1 if several == "clip" else _fitting(counts, kind)
    return raster.reshape(count, width)


def _counts(raster: Any) -> np.ndarray:
    counts = array_of(raster, "raster", _RASTER, "to_events")
    if counts.dtype.name == "bfloat16":  # NumPy does not know it as a number
        counts = counts.astype(np.float32)
    if counts.dtype.kind not in "biuf":
        refuse_kind("raster", raster, _RASTER, "to_events")
    if counts.ndim != 2:
        advice = "Pick one example of a batch, `raster[:, 0]`; give a single channel its axis, `raster[:, None]`."
        refuse_shape("raster", counts.shape, "(T, channels)", "to_events", advice)
    if counts.dtype.kind != "b":
        whole_numbers = np.isfinite(counts) & (counts >= 0) & (counts == np.floor(counts))
        refuse_where(~whole_numbers, counts, "raster", "a count, 0, 1, 2, ...", "to_events")
    return counts


def _inside(at: Any, steps: np.ndarray, channels: np.ndarray, shape: tuple[int, ...], step: float) -> Any:
    """The times of the events from the starts of their steps."""
    if isinstance(at, str):
        check_choice(at, "at", list(_PLACES), "to_events", _AT)
        return _PLACES[at] * step
    times = array_of(at, "at", _AT, "to_events")
    if times.dtype.kind != "f":
        refuse_kind("at", at, _AT, "to_events")
    if times.shape != shape:
        refuse_shape("at", times.shape, f"{shape}, that of `raster`", "to_events")
    inside = times[steps, channels].astype(np.float64)
    refuse_where(~((inside >= 0) & (inside <= step * (1 + 1e-6))), inside, "at", f"from 0 to `dt` = {step} s at every event", "to_events")
    return inside


def _steps(events: Events, dt: Any, duration: float, count: int) -> np.ndarray:
    steps = np.floor(in_steps(events.times, dt, "events.times", "to_raster")).astype(np.int64)
    end = np.asarray(min(duration, float(np.finfo(events.times.dtype).max)), events.times.dtype)
    advice = "Cut the recording with `window`."
    refuse_where(events.times >= end, events.times, "events.times", f"before `duration` = {duration} s", "to_raster", advice)
    # What is before the end has a step, also a time that lies less than the margin before it.
    return np.minimum(steps, count - 1)


def _given(value: Any, known: Any, field: str) -> Any:
    if value is None and known is None:
        name = "channel_count" if field == "channels" else field
        raise ParameterError(
            f"`{field}` is missing, and `events` have no `{name}`. Give `{field}`, or make the events with `{name}`.",
            where="to_raster",
            field=field,
            value=None,
            allowed="a number",
        )
    return known if value is None else value


def _dtype(dtype: Any) -> np.dtype[Any]:
    try:
        kind = np.dtype(dtype)
    except TypeError:
        kind = None
    if kind is None or kind.kind not in "biuf":
        refuse_kind("dtype", dtype, "a real dtype such as `np.int32`, `np.float32` or `bool`", "to_raster")
    return kind


def _fitting(counts: np.ndarray, kind: np.dtype[Any]) -> np.ndarray:
    most = int(counts.max(initial=0))
    if int(np.asarray(most).astype(kind)) != most:
        advice = 'Give a wider dtype, or `several="clip"`.'
        refuse_value("dtype", kind.name, f"a dtype that holds {most} events of a channel in one step", "to_raster", advice)
    return counts
