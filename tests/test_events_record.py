"""Events as a record: frozen, compared by value; cut, moved, joined and renumbered without losing or doubling one."""

from __future__ import annotations

import copy
import dataclasses
import functools
import math
import operator
import pickle

import jax.numpy as jnp
import numpy as np
import pytest
from conftest import examples
from hypothesis import given
from hypothesis import strategies as st

from snnjax import events
from snnjax.events import Events

hundred = examples(100)
EXAMPLE = Events([0.1, 0.2, 0.2, 0.5], [3, 0, 1, 0], channel_count=4, duration=1.0)
rasters = st.tuples(st.integers(1, 30), st.integers(1, 3), st.integers(0, 2**32 - 1)).map(
    lambda seed: np.random.default_rng(seed[2]).poisson(0.5, seed[:2])
)
steps_of_time = st.sampled_from([1e-3, 1e-4, 0.1, 0.3, 1 / 3])


@st.composite
def records(draw: st.DrawFn) -> Events:
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    times = np.sort(np.array(draw(st.lists(st.floats(0.0, 100.0, width=32), max_size=30)), dtype))
    channels = draw(st.lists(st.integers(0, 9), min_size=times.size, max_size=times.size))
    return Events(times, channels, channel_count=draw(st.sampled_from([None, 10])), duration=draw(st.sampled_from([None, 101.0])))


def test_fields_and_arrays_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        EXAMPLE.duration = 2.0  # type: ignore[misc]
    for array in (EXAMPLE.times, EXAMPLE.channels):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_arrays_are_copies() -> None:
    times, channels = np.array([0.1, 0.2]), np.array([0, 1])
    record = Events(times, channels)
    times[0] = channels[0] = 5
    assert record.times.tolist() == [0.1, 0.2] and record.channels.tolist() == [0, 1]


def test_times_keep_their_precision_and_channels_are_int32() -> None:
    assert Events([0.1], [0]).times.dtype == np.float64
    assert Events(np.float32([0.1]), np.uint8([0])).times.dtype == np.float32
    assert Events(jnp.float32([0.1]), jnp.int8([0])).times.dtype == np.float32
    assert Events(np.array([0.1], ">f8"), np.array([0], ">i8")) == Events([0.1], [0])
    assert Events([0.1], np.uint64([7])).channels.dtype == np.int32


def test_records_are_equal_by_value() -> None:
    same = Events(EXAMPLE.times.copy(), EXAMPLE.channels.tolist(), channel_count=4, duration=1.0)
    assert same == EXAMPLE and len(same) == 4
    assert pickle.loads(pickle.dumps(EXAMPLE)) == copy.deepcopy(EXAMPLE) == EXAMPLE
    others = [
        Events([0.1, 0.2, 0.2, 0.6], [3, 0, 1, 0], channel_count=4, duration=1.0),
        Events([0.1, 0.2, 0.2, 0.5], [3, 0, 1, 1], channel_count=4, duration=1.0),
        dataclasses.replace(EXAMPLE, channel_count=5),
        dataclasses.replace(EXAMPLE, duration=None),
        dataclasses.replace(EXAMPLE, times=np.float32(EXAMPLE.times)),
        "events",
    ]
    assert not any(EXAMPLE == other for other in others)


def test_a_record_says_what_it_holds() -> None:
    assert repr(EXAMPLE) == "Events(4 events, 4 channels, 1.0 s)"
    assert repr(Events([], [])) == "Events(0 events, channels unknown, duration unknown)"


def test_a_window_is_half_open_and_starts_its_own_clock() -> None:
    piece = events.window(EXAMPLE, 0.2, 0.5)
    assert piece.times.tolist() == [0.0, 0.0] and piece.channels.tolist() == [0, 1]
    assert piece.duration == 0.3 and piece.channel_count == 4
    assert events.window(EXAMPLE, 0.0, 1.0) == EXAMPLE
    assert len(events.window(EXAMPLE, 0.5, 0.5)) == 0


@given(rasters, steps_of_time, st.data())
@hundred
def test_windows_that_meet_have_every_event_once_and_their_rows_of_the_raster(raster: np.ndarray, dt: float, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(raster)))
    record = events.to_events(raster, dt=dt)
    bounds = [0.0, cut * dt, len(raster) * dt]
    pieces = [events.window(record, start, stop) for start, stop in zip(bounds, bounds[1:], strict=False)]
    for piece, rows in zip(pieces, (raster[:cut], raster[cut:]), strict=True):
        assert np.array_equal(events.to_raster(piece, dt=dt), rows)
    assert np.array_equal(events.to_raster(events.concatenate(pieces), dt=dt), raster)


def test_a_bound_that_is_off_by_rounding_is_the_bound() -> None:
    record = Events([3 * 0.1], [0])  # 0.30000000000000004
    assert len(events.window(record, 0.0, 0.3)) == 0 and len(events.window(record, 0.3, 0.4)) == 1
    below = Events([np.nextafter(0.3, 0.0)], [0])
    assert len(events.window(below, 0.0, 0.3)) == 0 and events.window(below, 0.3, 0.4).times.tolist() == [0.0]
    assert len(events.window(Events(np.float32([0.7]), [0]), 0.0, 0.7)) == 0


@given(records(), st.floats(0.0, 1000.0))
@hundred
def test_a_shift_there_and_back_moves_no_event_further_than_rounding(record: Events, offset: float) -> None:
    back = events.shift(events.shift(record, offset), -offset)
    eps = np.finfo(record.times.dtype).eps
    assert np.abs(back.times.astype(float) - record.times).max(initial=0.0) <= 4 * eps * (offset + 101.0)
    assert np.array_equal(back.channels, record.channels)
    assert (back.duration is None) == (record.duration is None)


def test_a_shift_moves_the_end_too() -> None:
    assert events.shift(EXAMPLE, 0.5).duration == 1.5
    assert events.shift(EXAMPLE, -0.1).times[0] == 0.0


@given(st.lists(rasters.map(lambda raster: raster[:, :1]), min_size=1, max_size=5), steps_of_time)
@hundred
def test_recordings_follow_each_other_without_a_hole(pieces: list[np.ndarray], dt: float) -> None:
    whole = events.concatenate([events.to_events(piece, dt=dt) for piece in pieces])
    assert np.array_equal(events.to_raster(whole, dt=dt), np.concatenate(pieces))


def test_a_thousand_durations_add_up_without_drift() -> None:
    piece = events.to_events(np.ones((1, 1)), dt=0.1)
    whole = events.concatenate([piece] * 10_000)
    assert (events.to_raster(whole, dt=0.1) == 1).all() and len(events.to_raster(whole, dt=0.1)) == 10_000
    assert whole.duration == math.fsum([0.1] * 10_000) != functools.reduce(operator.add, [0.1] * 10_000)


def test_rounding_takes_no_event_out_of_its_recording() -> None:
    record = Events([np.nextafter(0.1, 0.0)], [0], duration=0.1)
    later = events.shift(record, 1000.0)  # where both round to the same number
    assert later.times[0] < later.duration
    joined = events.concatenate([Events([], [], duration=1000.0), record, record])
    assert joined.times[0] < 1000.1 <= joined.times[1] < joined.duration


def test_the_last_recording_need_not_know_its_end() -> None:
    whole = events.concatenate([EXAMPLE, Events([0.25], [2])])
    assert whole.times[-1] == 1.25 and whole.duration is None and whole.channel_count == 4


@given(rasters, st.integers(0, 2**32 - 1), steps_of_time)
@hundred
def test_a_merge_adds_rasters(raster: np.ndarray, seed: int, dt: float) -> None:
    other = np.random.default_rng(seed).poisson(0.5, raster.shape)
    both = events.merge([events.to_events(raster, dt=dt), events.to_events(other, dt=dt)])
    assert np.array_equal(events.to_raster(both, dt=dt), raster + other)


def test_a_merge_keeps_the_order_of_recordings_at_equal_times() -> None:
    both = events.merge([Events([0.2], [5]), Events([0.1, 0.2], [0, 1])])
    assert both.channels.tolist() == [0, 5, 1]


@given(rasters, st.permutations(range(3)))
@hundred
def test_remap_moves_the_columns(raster: np.ndarray, order: list[int]) -> None:
    table = np.array(order)[: raster.shape[1]]
    moved = events.to_raster(events.remap(events.to_events(raster, dt=0.1), table, channel_count=3), dt=0.1)
    expected = np.zeros((len(raster), 3), int)
    expected[:, table] = raster
    assert np.array_equal(moved, expected)


def test_remap_joins_and_drops_what_it_is_told_to() -> None:
    joined = events.remap(EXAMPLE, [0, 0, -1, -1])
    assert joined.channels.tolist() == [0, 0, 0] and joined.channel_count == 1 and joined.duration == 1.0
    assert events.remap(EXAMPLE, [-1] * 4).channel_count == 0
