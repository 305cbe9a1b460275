"""The bin rule: every time in its step, in both precisions, and rasters that come back."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from conftest import examples
from hypothesis import given
from hypothesis import strategies as st

from snnjax import events
from snnjax.events import Events

STEPS = [1e-3, 1e-4, 1e-2, 0.1, 0.2, 0.3, 0.7, 1 / 3, 1 / 7, 5e-5, 2.5e-3, 1e-6, 0.5, math.pi * 1e-3]
every_step = pytest.mark.parametrize("dt", STEPS)
hundred = examples(100)
rasters = st.tuples(st.integers(0, 40), st.integers(0, 4), st.integers(0, 2**32 - 1)).map(
    lambda seed: np.random.default_rng(seed[2]).poisson(0.6, seed[:2])
)


def rows_of(times: Any, dt: Any, steps: int) -> np.ndarray:
    """The step that each time was put into, by a channel of its own for every event."""
    record = Events(times, np.arange(len(times)), channel_count=len(times))
    out = []
    for start in range(0, len(times), 500):
        table = np.full(len(times), -1)
        table[start : start + 500] = np.arange(len(times[start : start + 500]))
        piece = events.remap(record, table, channel_count=500)
        raster = events.to_raster(piece, dt=dt, duration=steps * float(dt), dtype=np.int8)
        assert (raster.sum(axis=0)[: len(piece)] == 1).all()
        out.append(raster.argmax(axis=0)[: len(piece)])
    return np.concatenate(out) if out else np.zeros(0, int)


def counts_of(times: Any, dt: Any, steps: int) -> np.ndarray:
    return events.to_raster(Events(times, np.zeros(len(times), int)), dt=dt, duration=steps * float(dt), channels=1)[:, 0]


@every_step
def test_multiples_in_float64_are_at_the_start_of_their_step(dt: float) -> None:
    k = np.arange(200_000)
    assert (counts_of(k * dt, dt, k.size) == 1).all()


@every_step
def test_multiples_in_float32_are_at_the_start_of_their_step(dt: float) -> None:
    k = np.arange(200_000)
    in_float32 = k.astype(np.float32) * np.float32(dt)
    rounded = (k * dt).astype(np.float32)
    for times in (in_float32, rounded):
        for step in (dt, np.float32(dt), jnp.float32(dt)):
            assert (counts_of(times, step, k.size) == 1).all()
    assert (counts_of(k * dt, np.float32(dt), k.size) == 1).all()


@pytest.mark.parametrize("decimals", [1, 2, 3, 4])
def test_decimal_literals_are_at_the_start_of_their_step(decimals: int) -> None:
    times = np.array([float(f"{k}e-{decimals}") for k in range(20_000)])
    assert (counts_of(times, float(f"1e-{decimals}"), times.size) == 1).all()
    naive = np.floor(times / float(f"1e-{decimals}")).astype(int)
    assert (naive != np.arange(times.size)).any()  # the plain quotient would fail this test


def test_a_duration_of_three_steps_has_three_steps() -> None:
    empty = Events([], [])
    assert events.to_raster(empty, dt=0.1, duration=3 * 0.1, channels=1).shape == (3, 1)
    assert events.to_raster(empty, dt=0.1, duration=0.3, channels=1).shape == (3, 1)
    assert events.to_raster(empty, dt=0.1, duration=0.35, channels=1).shape == (4, 1)
    assert [len(events.to_raster(empty, dt=1e-4, duration=k * 1e-4, channels=0)) for k in range(3000)] == list(range(3000))


def test_the_margin_is_a_millionth_of_a_step() -> None:
    dt = 1e-3
    assert rows_of([(7 - 2e-6) * dt], dt, 9).tolist() == [6]
    assert rows_of([(7 - 5e-7) * dt], dt, 9).tolist() == [7]
    assert rows_of([(7 + 5e-7) * dt], dt, 9).tolist() == [7]


@given(st.lists(st.floats(0.0, 50.0, allow_nan=False), min_size=1, max_size=50), st.sampled_from(STEPS[:7]))
@hundred
def test_any_time_is_in_the_step_that_exact_arithmetic_puts_it_in(times: list[float], dt: float) -> None:
    times = sorted(times)
    quotients = [Fraction(t) / Fraction(dt) for t in times]
    exact = np.array([math.floor(q) for q in quotients])
    near = np.array([abs(q - round(q)) <= Fraction(2, 10**6) for q in quotients])
    found = events.to_raster(Events(times, np.arange(len(times))), dt=dt, duration=50.0 + dt, channels=len(times), dtype=np.int8).argmax(0)
    assert (found[~near] == exact[~near]).all()
    assert (abs(found - exact) <= near).all()


@given(
    rasters, st.sampled_from(STEPS), st.sampled_from(["start", "middle"]), st.sampled_from([np.int64, np.float32, np.uint8, jnp.bfloat16])
)
@hundred
def test_a_raster_comes_back_from_its_events(raster: np.ndarray, dt: float, at: str, dtype: Any) -> None:
    record = events.to_events(jnp.asarray(raster).astype(dtype) if dtype is jnp.bfloat16 else raster.astype(dtype), dt=dt, at=at)
    assert len(record) == raster.sum() and record.channel_count == raster.shape[1]
    assert np.array_equal(events.to_raster(record, dt=dt), raster)
    assert np.array_equal(events.to_raster(record, dt=dt, duration=len(raster) * dt, channels=raster.shape[1]), raster)
    assert np.array_equal(events.to_raster(record, dt=dt, several="clip", dtype=bool), raster > 0)


@given(rasters, st.sampled_from([1e-3, 1e-4, 0.1, 0.3]), st.integers(0, 10**6))
@hundred
def test_a_shift_by_whole_steps_moves_the_raster_by_them(raster: np.ndarray, dt: float, steps: int) -> None:
    record = events.to_events(raster, dt=dt)
    there = events.shift(record, steps * dt)
    back = events.shift(there, -(steps * dt))
    assert np.array_equal(events.to_raster(back, dt=dt, duration=len(raster) * dt), raster)
    if steps <= 1000:
        moved = events.to_raster(there, dt=dt, duration=(steps + len(raster)) * dt)
        assert np.array_equal(moved, np.concatenate([np.zeros((steps, raster.shape[1]), int), raster]))


def test_events_at_the_starts_of_600_steps_are_all_found_again() -> None:
    raster = (np.random.default_rng(0).random((6000, 5)) < 0.02).astype(int)
    record = events.to_events(raster, dt=0.1)
    assert (np.floor(record.times / 0.1).astype(int) != np.nonzero(raster)[0]).any()  # the plain floor loses some
    assert np.array_equal(events.to_raster(record, dt=0.1), raster)


def test_the_raster_starts_at_0_s_and_not_at_the_first_event() -> None:
    assert events.to_raster(Events([0.35], [0]), dt=0.1, duration=0.5, channels=1)[:, 0].tolist() == [0, 0, 0, 1, 0]


def test_one_channel_of_several_is_one_column() -> None:
    record = Events([0.1, 0.2], [0, 1], channel_count=3, duration=0.4)
    only = events.remap(record, [-1, 0, -1])
    assert events.to_raster(only, dt=0.1)[:, 0].tolist() == [0, 0, 1, 0]


def test_a_spike_of_step_k_is_in_row_k_and_its_end_in_the_next() -> None:
    raster = np.eye(4, dtype=int)
    record = events.to_events(raster, dt=1e-3)
    assert np.array_equal(events.to_raster(record, dt=1e-3), raster)
    ends = events.shift(record, 1e-3)
    assert np.array_equal(events.to_raster(ends, dt=1e-3)[1:], raster)
    assert np.allclose(events.to_events(raster, dt=1e-3, at="middle").times, [0.5e-3, 1.5e-3, 2.5e-3, 3.5e-3], rtol=1e-15)


def test_events_inside_their_steps_are_in_order_and_come_back() -> None:
    raster = np.array([[1, 2, 0], [1, 0, 1]])
    inside = np.array([[0.9, 0.2, np.inf], [0.0, np.nan, 1.0]]) * 1e-3
    record = events.to_events(raster, dt=1e-3, at=inside)
    assert record.channels.tolist() == [1, 1, 0, 0, 2]
    assert np.allclose(record.times, [0.2e-3, 0.2e-3, 0.9e-3, 1e-3, 2e-3], rtol=1e-12)
    assert record.times[-1] < record.duration  # though it was at the end of the last step
    assert np.array_equal(events.to_raster(record, dt=1e-3), raster)


def test_a_time_just_before_the_duration_is_in_the_last_step() -> None:
    for duration, dt in ((1.0, 0.1), (0.7, 1e-3)):
        record = Events([np.nextafter(duration, 0.0)], [0], duration=duration, channel_count=1)
        assert events.to_raster(record, dt=dt)[-1].tolist() == [1]


def test_several_events_in_a_step_are_counted_or_clipped_as_said() -> None:
    record = Events([0.1, 0.15, 0.3], [0, 0, 1], channel_count=2, duration=0.4)
    assert events.to_raster(record, dt=0.1).tolist() == [[0, 0], [2, 0], [0, 0], [0, 1]]
    assert events.to_raster(record, dt=0.1, several="count", dtype=np.float32).dtype == np.float32
    assert events.to_raster(record, dt=0.1, several="clip").tolist() == [[0, 0], [1, 0], [0, 0], [0, 1]]


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
def test_empty_rasters_come_back(shape: tuple[int, int]) -> None:
    record = events.to_events(np.zeros(shape), dt=1e-3)
    assert len(record) == 0 and events.to_raster(record, dt=1e-3).shape == shape
