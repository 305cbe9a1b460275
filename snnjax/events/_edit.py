"""Cutting, moving and joining recordings of events. Every function returns a new record."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from .._errors import ParameterError, refuses_unknown_keywords
from ..functional._concrete import refuse_where
from ._door import array_of, number, refuse_kind, refuse_shape, refuse_value, whole
from ._record import Events, check_events

_TABLE = "an array of whole numbers, the new channel of each old one"


@refuses_unknown_keywords
def window(events: Events, start: Any, stop: Any) -> Events:
    """The recording from `start` to before `stop`, on a clock that is 0 at `start`.

    A time that equals a bound but for rounding, four units in the last place, is at the bound; so windows that meet
    have every event once. `shift(piece, start)` takes a piece back to the clock of the whole.

    Args:
        events: the events.
        start: s, from 0.
        stop: s, not before `start`, not after the duration where that is known.

    Returns:
        Events of the duration `stop - start`.

    Raises:
        ParameterError: the bounds are not in order, or outside the recording.
        DTypeError: an argument is of the wrong kind.

    >>> piece = window(Events([0.1, 0.3, 0.6], [0, 1, 2]), 0.3, 0.6)
    >>> piece.times.tolist(), piece.channels.tolist(), piece.duration
    ([0.0], [1], 0.3)
    """
    check_events(events, "window")
    start = number(start, "start", "nonnegative", "window")
    stop = number(stop, "stop", "nonnegative", "window")
    if stop < start:
        refuse_value("stop", stop, f"at or after `start` = {start} s", "window")
    if events.duration is not None and stop > events.duration + _rounding(events.times.dtype, events.duration):
        refuse_value("stop", stop, f"within the recording, which lasts {events.duration} s", "window", "Nothing is known of later times.")
    first, last = (np.searchsorted(events.times, bound - _rounding(events.times.dtype, bound)) for bound in (start, stop))
    times = _moved(events.times[first:last], -start, stop - start)
    return Events(times, events.channels[first:last], channel_count=events.channel_count, duration=stop - start)


@refuses_unknown_keywords
def shift(events: Events, offset: Any) -> Events:
    """The same events `offset` seconds later (earlier where negative), in a recording longer (shorter) by that.

    Args:
        events: the events.
        offset: s; no event may come before 0 s, else cut first with `window`.

    Raises:
        ParameterError: an event, or the end of the recording, would come before 0 s.
        DTypeError: an argument is of the wrong kind.

    >>> shift(Events([0.25], [0], duration=0.5), 0.5)
    Events(1 events, channels unknown, 1.0 s)
    """
    check_events(events, "shift")
    offset = number(offset, "offset", "real", "shift")
    slack = _rounding(events.times.dtype, offset)
    first = min(events.times[0] if len(events) else math.inf, math.inf if events.duration is None else events.duration)
    if first + offset < -slack:
        what = "the first event" if len(events) else "the end of the recording"
        refuse_value("offset", offset, f"at least -{first} s, where {what} is", "shift", "Cut first: `window(events, start, stop)`.")
    duration = None if events.duration is None else max(events.duration + offset, 0.0)
    return Events(_moved(events.times, offset, duration), events.channels, channel_count=events.channel_count, duration=duration)


@refuses_unknown_keywords
def concatenate(recordings: Sequence[Events]) -> Events:
    """One recording after the other; each starts where the one before it ends.

    Args:
        recordings: at least one; all but the last must know their duration, and all the same number of channels.

    Raises:
        ParameterError: there is none, a duration is missing, or the numbers of channels differ.
        DTypeError: an argument is of the wrong kind.

    >>> concatenate([Events([0.1], [0], duration=0.5), Events([0.2], [1])]).times.tolist()
    [0.1, 0.7]
    """
    _check_recordings(recordings, "concatenate")
    durations = [events.duration for events in recordings]
    for place, duration in enumerate(durations[:-1]):
        if duration is None:
            field = f"recordings[{place}].duration"
            refuse_value(field, None, "known: the next recording starts there", "concatenate", "Make the events with `duration`.")
    # Exact sums: a running float would be off by its roundings, and soon by a step.
    sums = [float(total) for total in itertools.accumulate(Fraction(duration or 0.0) for duration in durations)]
    starts, ends = [0.0, *sums[:-1]], [*sums[:-1], None if durations[-1] is None else sums[-1]]
    moved = [_moved(events.times, start, end) for events, start, end in zip(recordings, starts, ends, strict=True)]
    channels = np.concatenate([events.channels for events in recordings])
    return Events(np.concatenate(moved), channels, channel_count=_common(recordings, "channel_count", "concatenate"), duration=ends[-1])


@refuses_unknown_keywords
def merge(recordings: Sequence[Events]) -> Events:
    """The events of all recordings on one clock, in order; at equal times in the order of the recordings.

    Channels keep their numbers: to put recordings side by side, `remap` them first. Nothing is dropped, so an event
    that is in two recordings is there twice.

    Args:
        recordings: at least one; durations and numbers of channels, where known, must be equal.

    Raises:
        ParameterError: there is none, or they differ in duration or number of channels.
        DTypeError: an argument is of the wrong kind.

    >>> both = merge([Events([0.1, 0.3], [0, 0]), Events([0.2], [1])])
    >>> both.times.tolist(), both.channels.tolist()
    ([0.1, 0.2, 0.3], [0, 1, 0])
    """
    _check_recordings(recordings, "merge")
    times = np.concatenate([events.times for events in recordings])
    channels = np.concatenate([events.channels for events in recordings])
    order = np.argsort(times, kind="stable")
    known = {name: _common(recordings, name, "merge") for name in ("channel_count", "duration")}
    return Events(times[order], channels[order], **known)


@refuses_unknown_keywords
def remap(events: Events, table: Any, *, channel_count: int | None = None) -> Events:
    """The same events on other channels: old channel `c` becomes `table[c]`; -1 drops its events.

    Args:
        events: the events.
        table: a whole number per old channel. Several may go to one.
        channel_count: of the result; by default as many as the largest number in `table` needs.

    Raises:
        ShapeError: `table` has not one number for every channel.
        ParameterError: a number is below -1, or not below `channel_count`.
        DTypeError: an argument is of the wrong kind.

    >>> remap(Events([0.1, 0.2, 0.3], [0, 1, 2]), [-1, 7, 0]).channels.tolist()
    [7, 0]
    """
    check_events(events, "remap")
    numbers = array_of(table, "table", _TABLE, "remap")
    if numbers.dtype.kind not in "iu":
        refuse_kind("table", table, _TABLE, "remap")
    needed = int(events.channels.max(initial=-1)) + 1
    fits = numbers.ndim == 1 and (len(numbers) >= needed if events.channel_count is None else len(numbers) == events.channel_count)
    if not fits:
        wanted = f"({needed},) or longer" if events.channel_count is None else f"({events.channel_count},)"
        refuse_shape("table", numbers.shape, wanted, "remap", "Give one number per old channel, -1 to drop it.")
    count = int(numbers.max(initial=-1)) + 1 if channel_count is None else whole(channel_count, "channel_count", "remap")
    refuse_where((numbers < -1) | (numbers >= count), numbers, "table", f"a channel from 0 to {count - 1}, or -1", "remap")
    channels = numbers[events.channels]
    kept = channels >= 0
    return Events(events.times[kept], channels[kept], channel_count=count, duration=events.duration)


def _check_recordings(recordings: Any, where: str) -> None:
    if not isinstance(recordings, list | tuple):
        refuse_kind("recordings", recordings, "a list or tuple of `Events`", where)
    if not recordings:
        refuse_value("recordings", "none", "a list or tuple of one `Events` at least", where)
    for place, events in enumerate(recordings):
        check_events(events, where, f"recordings[{place}]")


def _common(recordings: Sequence[Events], name: str, where: str) -> Any:
    """What the recordings that know it agree on."""
    known = [getattr(events, name) for events in recordings if getattr(events, name) is not None]
    for value in known:
        if value != known[0]:
            raise ParameterError(
                f"`recordings` must have one `{name}`; got {known[0]} and {value}. Use `remap`, `window` or `Events` to make them equal.",
                where=where,
                field="recordings",
                value=value,
                allowed=str(known[0]),
            )
    return known[0] if known else None


def _rounding(dtype: Any, time: float) -> float:
    """What a time near `time` may be off by and still be meant as it."""
    return 4.0 * float(np.finfo(dtype).eps) * abs(time)


def _moved(times: np.ndarray, offset: float, end: float | None) -> np.ndarray:
    """`times + offset`, kept within `[0, end)` where rounding alone would take a time out of it."""
    moved = np.maximum(times.astype(np.float64) + offset, 0.0).astype(times.dtype)
    if end is None:
        return moved
    return np.minimum(moved, np.nextafter(np.asarray(end, times.dtype), np.asarray(0, times.dtype)))
