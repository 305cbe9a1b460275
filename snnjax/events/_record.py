"""Events: at which times, on which channels. Plain NumPy arrays, checked once, then read-only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .._errors import options
from ..functional._concrete import refuse_where
from ._door import array_of, number, refuse_kind, refuse_shape, whole

_TIMES = "an array of floats (float32 or float64), times in seconds"
_CHANNELS = "an array of whole numbers, a channel per event"


@options
@dataclass(frozen=True, eq=False, repr=False)
class Events:
    """Events on a clock that starts at 0 s.

    The recording is the half-open interval `[0, duration)`. Two events may share time and channel. The arrays are
    copies and read-only; equality is by value.

    Attributes:
        times: `(n,)`, s, in order; float64, or float32 where that came.
        channels: `(n,)`, int32, from 0.
        channel_count: how many channels there are, with or without events; `None` where that is not known.
        duration: length of the recording, s; `None` where that is not known.

    Raises:
        DTypeError: times are not floats, channels not integers, or something is traced.
        ShapeError: an array is not flat, or the two differ in length.
        ParameterError: a time is negative, not finite, out of order or not before `duration`; a channel is negative, or
            not below `channel_count`.

    >>> Events([0.1, 0.3], [0, 1], channel_count=2, duration=1.0)
    Events(2 events, 2 channels, 1.0 s)
    """

    times: Any
    channels: Any
    channel_count: Any = field(default=None, kw_only=True)
    duration: Any = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        times, channels = _times(self.times), _channels(self.channels)
        if times.shape != channels.shape:
            refuse_shape("channels", channels.shape, f"{times.shape}, that of `times`", "Events", "Give one channel per event.")
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "channels", channels)
        object.__setattr__(self, "channel_count", _channel_count(self.channel_count, channels))
        object.__setattr__(self, "duration", _duration(self.duration, times))

    def __len__(self) -> int:
        return self.times.size

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Events):
            return NotImplemented
        same = (self.channel_count, self.duration, self.times.dtype) == (other.channel_count, other.duration, other.times.dtype)
        return same and np.array_equal(self.times, other.times) and np.array_equal(self.channels, other.channels)

    def __repr__(self) -> str:
        channels = "channels unknown" if self.channel_count is None else f"{self.channel_count} channels"
        duration = "duration unknown" if self.duration is None else f"{self.duration} s"
        return f"Events({len(self)} events, {channels}, {duration})"


def check_events(value: Any, where: str, name: str = "events") -> None:
    """`value` is a record of events."""
    if not isinstance(value, Events):
        refuse_kind(name, value, "`Events`", where, "Make them with `Events(times, channels)` or `to_events(raster, dt=...)`.")


def _times(value: Any) -> np.ndarray:
    given = array_of(value, "times", _TIMES, "Events")
    if given.dtype.kind != "f" or given.dtype.itemsize not in (4, 8):
        advice = "Are they microseconds? Give `1e-6 * times`." if given.dtype.kind in "iu" else ""
        refuse_kind("times", value, _TIMES, "Events", advice)
    if given.ndim != 1:
        refuse_shape("times", given.shape, "(n,)", "Events")
    times = np.array(given, given.dtype.newbyteorder("="))
    advice = "Sort first: `order = np.argsort(times, kind='stable')`, then `times[order]`, `channels[order]`."
    refuse_where(~np.isfinite(times) | (times < 0), times, "times", ">= 0 s and finite", "Events")
    refuse_where(np.diff(times, prepend=times[:1]) < 0, times, "times", "in order", "Events", advice)
    times.flags.writeable = False
    return times


def _channels(value: Any) -> np.ndarray:
    given = array_of(value, "channels", _CHANNELS, "Events")
    if given.size == 0 and isinstance(value, list | tuple):
        given = given.astype(np.int32)
    if given.dtype.kind not in "iu":
        refuse_kind("channels", value, _CHANNELS, "Events")
    if given.ndim != 1:
        refuse_shape("channels", given.shape, "(n,)", "Events")
    refuse_where((given < 0) | (given > np.iinfo(np.int32).max), given, "channels", ">= 0 and below 2**31", "Events")
    channels = np.array(given, np.int32)
    channels.flags.writeable = False
    return channels


def _channel_count(value: Any, channels: np.ndarray) -> int | None:
    if value is None:
        return None
    count = whole(value, "channel_count", "Events")
    refuse_where(channels >= count, channels, "channels", f"below `channel_count` = {count}", "Events")
    return count


def _duration(value: Any, times: np.ndarray) -> float | None:
    if value is None:
        return None
    duration = number(value, "duration", "nonnegative", "Events")
    # In the dtype of the times, or the float32 number next to 0.7 would be before a duration of 0.7 s.
    late = times >= np.asarray(min(duration, float(np.finfo(times.dtype).max)), times.dtype)
    refuse_where(late, times, "times", f"before `duration` = {duration} s", "Events", "The recording is half-open, [0, duration).")
    return duration
