"""Every wrong recording, raster, signal or file meets the error that says which argument, what came and what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from events_row import ANY, Refusal

from snnjax import ConfigError, DTypeError, ParameterError, ShapeError, events
from snnjax.events import Events

RECORD = Events([0.1, 0.2], [0, 3], channel_count=4, duration=0.5)
UNKNOWN = Events([0.1, 0.2], [0, 3])
RASTER = np.zeros((5, 2))


def hold(**given: Any) -> Any:
    return events.sample_hold(**{"times": [0.0, 0.1], "values": [1.0, 2.0], "dt": 0.1, "duration": 0.2, **given})


def line(**given: Any) -> Any:
    return events.interpolate(**{"times": [0.0, 0.1], "values": [1.0, 2.0], "dt": 0.1, "duration": 0.2, **given})


def traced(function: Callable[[Any], Any], value: Any) -> Callable[[], Any]:
    return lambda: jax.jit(function)(value)


RECORDS = {
    "integer times": Refusal(
        lambda: Events([100, 200], [0, 1]), DTypeError, "times", [100, 200], r"Are they microseconds\? Give `1e-6 \* times`"
    ),
    "half precision": Refusal(
        lambda: Events(np.float16([0.1]), [0]), DTypeError, "times", ANY, "must be an array of floats .float32 or float64."
    ),
    "bfloat16": Refusal(lambda: Events(jnp.bfloat16([0.1]), [0]), DTypeError, "times", ANY, "got bfloat16 of shape"),
    "words": Refusal(lambda: Events("now", [0]), DTypeError, "times", "now", "`times` must be an array of floats"),
    "ragged": Refusal(lambda: Events([[0.1], [0.2, 0.3]], [0]), DTypeError, "times", ANY, "`times` must be an array of floats"),
    "traced times": Refusal(traced(lambda t: Events(t, [0]), jnp.ones(1)), DTypeError, "times", ANY, "It is traced, .* outside `jit`"),
    "a number": Refusal(lambda: Events(0.1, [0]), ShapeError, "times", (), r"must have shape \(n,\); got \(\)"),
    "nan": Refusal(lambda: Events([0.1, np.nan], [0, 1]), ParameterError, "times", ANY, r">= 0 s and finite; got nan at index 1 of 2"),
    "negative time": Refusal(lambda: Events([-0.1], [0]), ParameterError, "times", -0.1, ">= 0 s and finite; got -0.1"),
    "infinite time": Refusal(lambda: Events([np.inf], [0]), ParameterError, "times", np.inf, "got inf"),
    "order": Refusal(
        lambda: Events([0.2, 0.1], [0, 1]), ParameterError, "times", 0.1, "in order; got 0.1 at index 1 of 2 .1 bad.. Sort first"
    ),
    "float channels": Refusal(lambda: Events([0.1], [0.0]), DTypeError, "channels", [0.0], "`channels` must be an array of whole numbers"),
    "bool channels": Refusal(lambda: Events([0.1], [True]), DTypeError, "channels", [True], "`channels` must be an array of whole"),
    "channel axes": Refusal(lambda: Events([0.1], [[0]]), ShapeError, "channels", (1, 1), r"must have shape \(n,\)"),
    "negative channel": Refusal(lambda: Events([0.1], [-1]), ParameterError, "channels", -1, "`channels` must be >= 0 and below"),
    "large channel": Refusal(lambda: Events([0.1], [2**31]), ParameterError, "channels", 2**31, r"below 2\*\*31"),
    "lengths": Refusal(
        lambda: Events([0.1, 0.2], [0]), ShapeError, "channels", (1,), r"that of `times`; got \(1,\)\. Give one channel per event"
    ),
    "beyond the count": Refusal(
        lambda: Events([0.1], [4], channel_count=4), ParameterError, "channels", 4, "below `channel_count` = 4; got 4"
    ),
    "negative count": Refusal(
        lambda: Events([], [], channel_count=-1), ParameterError, "channel_count", -1, "a whole number, 0 or more; got -1"
    ),
    "float count": Refusal(
        lambda: Events([], [], channel_count=4.0), DTypeError, "channel_count", 4.0, "`channel_count` must be a whole number"
    ),
    "bool count": Refusal(
        lambda: Events([], [], channel_count=True), DTypeError, "channel_count", True, "`channel_count` must be a whole number"
    ),
    "at the end": Refusal(
        lambda: Events([0.5], [0], duration=0.5), ParameterError, "times", 0.5, r"before `duration` = 0.5 s; .* half-open"
    ),
    "float32 at the end": Refusal(
        lambda: Events(np.float32([0.7]), [0], duration=0.7), ParameterError, "times", ANY, "before `duration` = 0.7"
    ),
    "negative duration": Refusal(
        lambda: Events([], [], duration=-1.0), ParameterError, "duration", -1.0, "`duration` must be >= 0 s and finite"
    ),
    "infinite duration": Refusal(
        lambda: Events([], [], duration=np.inf), ParameterError, "duration", np.inf, "`duration` must be >= 0 s and fin"
    ),
    "durations": Refusal(lambda: Events([], [], duration=np.ones(2)), ShapeError, "duration", (2,), r"must have shape \(\)"),
    "word as duration": Refusal(
        lambda: Events([], [], duration="1 s"), DTypeError, "duration", "1 s", "`duration` must be one real number"
    ),
    "unknown keyword": Refusal(lambda: Events([], [], channel_cont=4), ConfigError, "channel_cont", 4, "Did you mean `channel_count`"),
}
RASTERS = {
    "raster of words": Refusal(lambda: events.to_events([["a"]], dt=0.1), DTypeError, "raster", ANY, "`raster` must be an array of counts"),
    "complex raster": Refusal(
        lambda: events.to_events(RASTER * 1j, dt=0.1), DTypeError, "raster", ANY, "`raster` must be an array of counts"
    ),
    "traced raster": Refusal(traced(lambda r: events.to_events(r, dt=0.1), RASTER), DTypeError, "raster", ANY, "It is traced"),
    "flat raster": Refusal(
        lambda: events.to_events(RASTER[0], dt=0.1), ShapeError, "raster", (2,), r"\(T, channels\); got \(2,\)\. Pick one example"
    ),
    "half an event": Refusal(
        lambda: events.to_events([[0, 0.5]], dt=0.1), ParameterError, "raster", 0.5, r"0\.5 at index \(0, 1\) of \(1, 2\)"
    ),
    "negative count of events": Refusal(lambda: events.to_events([[-1]], dt=0.1), ParameterError, "raster", -1, "a count, 0, 1, 2"),
    "nan events": Refusal(lambda: events.to_events([[np.nan]], dt=0.1), ParameterError, "raster", ANY, "a count, 0, 1, 2"),
    "place": Refusal(
        lambda: events.to_events(RASTER, dt=0.1, at="end"), ConfigError, "at", "end", "got the str 'end'. Known names: start, middle"
    ),
    "one time for all": Refusal(lambda: events.to_events(RASTER, dt=0.1, at=0.05), ShapeError, "at", (), r"\(5, 2\), that of `raster`"),
    "whole seconds": Refusal(
        lambda: events.to_events(RASTER, dt=0.1, at=RASTER > 0), DTypeError, "at", ANY, "'start', 'middle', or an array"
    ),
    "after its step": Refusal(
        lambda: events.to_events(RASTER + 1, dt=0.1, at=RASTER + 0.11), ParameterError, "at", 0.11, "from 0 to `dt` = 0.1 s at every event"
    ),
    "no crossing": Refusal(lambda: events.to_events(RASTER + 1, dt=0.1, at=RASTER + np.inf), ParameterError, "at", np.inf, "got inf"),
    "zero dt": Refusal(lambda: events.to_events(RASTER, dt=0.0), ParameterError, "dt", 0.0, "`dt` must be > 0 s and finite; got 0.0"),
    "missing dt": Refusal(lambda: events.to_events(RASTER), ConfigError, "dt", None, "`dt` is missing"),
    "traced dt": Refusal(traced(lambda dt: events.to_events(RASTER, dt=dt), 0.1), DTypeError, "dt", ANY, "It is traced"),
    "no events": Refusal(
        lambda: events.to_raster(RASTER, dt=0.1), DTypeError, "events", ANY, r"must be `Events`; got float64 .* Make them"
    ),
    "unknown duration": Refusal(
        lambda: events.to_raster(UNKNOWN, dt=0.1, channels=4), ParameterError, "duration", None, "Give `duration`, or"
    ),
    "unknown channels": Refusal(
        lambda: events.to_raster(UNKNOWN, dt=0.1, duration=1.0), ParameterError, "channels", None, "make the events with `channel_count`"
    ),
    "events beyond": Refusal(
        lambda: events.to_raster(RECORD, dt=0.1, duration=0.2),
        ParameterError,
        "events.times",
        0.2,
        r"before `duration` = 0.2 s; .* `window`",
    ),
    "channels beyond": Refusal(
        lambda: events.to_raster(RECORD, dt=0.1, channels=3), ParameterError, "events.channels", 3, r"below `channels` = 3; .* `remap`"
    ),
    "several": Refusal(
        lambda: events.to_raster(RECORD, dt=0.1, several="sum"),
        ConfigError,
        "several",
        "sum",
        "`several` must be 'count' or 'clip'; got the str 'sum'. .*count, clip",
    ),
    "dtype": Refusal(lambda: events.to_raster(RECORD, dt=0.1, dtype="c8"), DTypeError, "dtype", "c8", "a real dtype such as"),
    "no dtype": Refusal(lambda: events.to_raster(RECORD, dt=0.1, dtype="spikes"), DTypeError, "dtype", "spikes", "a real dtype such as"),
    "small dtype": Refusal(
        lambda: events.to_raster(Events([0.1] * 300, [0] * 300), dt=0.1, duration=1.0, channels=1, dtype=np.uint8),
        ParameterError,
        "dtype",
        "uint8",
        "holds 300 events of a channel in one step; got uint8. Give a wider dtype",
    ),
    "two in a bool": Refusal(
        lambda: events.to_raster(Events([0.1, 0.1], [0, 0]), dt=0.1, duration=1.0, channels=1, dtype=bool),
        ParameterError,
        "dtype",
        "bool",
        'or `several="clip"`',
    ),
    "float32 too late": Refusal(
        lambda: events.to_raster(Events(np.float32([60.0]), [0]), dt=1e-4, duration=61.0, channels=1),
        ParameterError,
        "events.times",
        60.0,
        r"within the steps of `dt` = 0.0001 s that float32 tells apart; got 6e\+05 steps",
    ),
    "a tiny step": Refusal(
        lambda: events.to_raster(RECORD, dt=1e-310),
        ParameterError,
        "duration",
        ANY,
        "the steps of `dt` = 1e-310 s that float64 tells apart; got inf steps",
    ),
    "too many steps": Refusal(
        lambda: events.to_raster(RECORD, dt=1e-9, duration=10.0),
        ParameterError,
        "duration",
        10.0,
        "fewer than 2\\*\\*31 steps; got 10000000000 steps",
    ),
}
EDITS = {
    "window of nothing": Refusal(lambda: events.window(None, 0.0, 1.0), DTypeError, "events", None, "`events` must be `Events`; got None"),
    "window backwards": Refusal(lambda: events.window(RECORD, 0.3, 0.2), ParameterError, "stop", 0.2, "at or after `start` = 0.3 s"),
    "window before 0": Refusal(lambda: events.window(RECORD, -0.1, 0.2), ParameterError, "start", -0.1, "`start` must be >= 0 s"),
    "window after the end": Refusal(lambda: events.window(RECORD, 0.0, 0.6), ParameterError, "stop", 0.6, "which lasts 0.5 s; got 0.6"),
    "shift too early": Refusal(
        lambda: events.shift(RECORD, -0.2), ParameterError, "offset", -0.2, "at least -0.1 s, where the first event is"
    ),
    "shift of an end": Refusal(
        lambda: events.shift(Events([], [], duration=0.1), -0.2), ParameterError, "offset", -0.2, "where the end of the recording is"
    ),
    "shift by nan": Refusal(lambda: events.shift(RECORD, np.nan), ParameterError, "offset", ANY, "`offset` must be finite"),
    "nothing to join": Refusal(lambda: events.concatenate([]), ParameterError, "recordings", "none", "one `Events` at least"),
    "one record alone": Refusal(lambda: events.concatenate(RECORD), DTypeError, "recordings", RECORD, "a list or tuple of `Events`"),
    "raster among them": Refusal(
        lambda: events.merge([RECORD, RASTER]), DTypeError, r"recordings[1]", ANY, r"`recordings\[1\]` must be `Events`"
    ),
    "no end": Refusal(
        lambda: events.concatenate([UNKNOWN, RECORD]), ParameterError, "recordings[0].duration", None, "the next recording starts there"
    ),
    "other channels": Refusal(
        lambda: events.merge([RECORD, Events([], [], channel_count=5)]),
        ParameterError,
        "recordings",
        5,
        "one `channel_count`; got 4 and 5",
    ),
    "other duration": Refusal(
        lambda: events.merge([RECORD, Events([], [], duration=0.6)]), ParameterError, "recordings", 0.6, "one `duration`; got 0.5 and 0.6"
    ),
    "table of floats": Refusal(
        lambda: events.remap(RECORD, [0.0] * 4), DTypeError, "table", [0.0] * 4, "`table` must be an array of whole"
    ),
    "short table": Refusal(
        lambda: events.remap(RECORD, [0, 1]), ShapeError, "table", (2,), r"must have shape \(4,\); got \(2,\)\. .* -1 to drop"
    ),
    "short table of unknown": Refusal(lambda: events.remap(UNKNOWN, [0]), ShapeError, "table", (1,), r"\(4,\) or longer"),
    "table below -1": Refusal(lambda: events.remap(RECORD, [0, 1, 2, -2]), ParameterError, "table", -2, "a channel from 0 to 2, or -1"),
    "table beyond": Refusal(lambda: events.remap(RECORD, [0, 1, 2, 3], channel_count=3), ParameterError, "table", 3, "from 0 to 2"),
}
SIGNALS = {
    f"{function.__name__}: {name}": Refusal(lambda f=function, g=given: f(**g), error, field, value, text)
    for function in (hold, line)
    for name, given, error, field, value, text in [
        ("integer times", {"times": [0, 1]}, DTypeError, "times", [0, 1], "`times` must be an array of floats"),
        ("no samples", {"times": [], "values": []}, ShapeError, "times", (0,), "at least one sample"),
        ("times not increasing", {"times": [0.1, 0.1]}, ParameterError, "times", 0.1, "increasing; got 0.1 at index 1"),
        ("times nan", {"times": [0.0, np.nan]}, ParameterError, "times", ANY, "`times` must be finite"),
        ("complex values", {"values": [1j, 2j]}, DTypeError, "values", [1j, 2j], "`values` must be an array of real numbers"),
        ("fewer values", {"values": [1.0]}, ShapeError, "values", (1,), r"\(2, \.\.\.\), a row per time"),
        ("missing values", {"values": [1.0, np.nan]}, ParameterError, "values", ANY, "Replace what is missing"),
        ("late start", {"times": [0.1, 0.2]}, ParameterError, "times[0]", 0.1, "at or before the start of the grid, step 0"),
        ("half a step", {"first_step": 0.5}, DTypeError, "first_step", 0.5, "`first_step` must be a whole number"),
        ("step before 0", {"first_step": -1}, ParameterError, "first_step", -1, "0 or more; got -1"),
        ("negative dt", {"dt": -0.1}, ParameterError, "dt", -0.1, "`dt` must be > 0 s"),
    ]
} | {
    "extrapolation": Refusal(
        lambda: line(duration=0.3), ParameterError, "duration", 0.3, "The last sample is at step 1, the grid goes on to step 2"
    ),
    "traced signal": Refusal(traced(lambda v: hold(values=v), jnp.ones(2)), DTypeError, "values", ANY, "It is traced"),
    "float32 signal": Refusal(
        lambda: hold(times=np.float32([0.0, 100.0]), dt=1e-4), ParameterError, "times", ANY, "that float32 tells apart"
    ),
}
FILES = {
    "save to nowhere": Refusal(lambda: events.save(3, RECORD), DTypeError, "path", 3, "`path` must be a path"),
    "save a raster": Refusal(lambda: events.save("x.npz", RASTER), DTypeError, "events", ANY, "`events` must be `Events`"),
    "load a number": Refusal(lambda: events.load(3), DTypeError, "path", 3, "`path` must be a path"),
    "limit": Refusal(
        lambda: events.load("x.npz", max_bytes=-1), ParameterError, "max_bytes", -1, "`max_bytes` must be a whole number, 0 or more"
    ),
}
ALL = {**RECORDS, **RASTERS, **EDITS, **SIGNALS, **FILES}


@pytest.mark.parametrize("name", ALL)
def test_a_wrong_input_is_refused_with_its_field_its_value_and_what_to_do(name: str) -> None:
    ALL[name].check()


def test_the_public_names_are_listed_sorted_and_documented() -> None:
    assert list(events.__all__) == sorted(events.__all__)
    for name in events.__all__:
        text = getattr(events, name).__doc__
        assert text and (">>>" in text or name in ("Delta", "load")), name
