"""Continuous signals on the grid: the right sample at every step, for every `dt`, wherever the grid starts."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from conftest import examples
from hypothesis import given
from hypothesis import strategies as st

from snnjax import events

hundred = examples(100)
PAIRS = [(dt, first) for dt in (1e-3, 1e-4, 1e-2, 0.1, 0.3, 1 / 3) for first in (0, 3500)]
both = pytest.mark.parametrize("on_grid", [events.sample_hold, events.interpolate])


@pytest.mark.parametrize(("dt", "first"), PAIRS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@both
def test_a_signal_sampled_on_the_grid_is_itself(on_grid: Any, dt: float, first: int, dtype: Any) -> None:
    values = np.random.default_rng(0).normal(size=10_000)
    for times in (np.arange(10_000).astype(dtype) * dtype(dt), (np.arange(10_000) * dt).astype(dtype)):
        found = on_grid(times, values, dt=dt, duration=1000 * dt, first_step=first)
        assert np.array_equal(found, values[first : first + 1000])


def test_accumulated_floats_would_read_earlier_samples() -> None:
    """The defect that integers rule out: at `t0 + arange(T) dt` the sample before is found."""
    wrong = {}
    for dt, first in PAIRS:
        times = np.arange(10_000) * dt
        grid = first * dt + np.arange(1000) * dt
        wrong[dt, first] = int((np.searchsorted(times, grid, side="right") - 1 != first + np.arange(1000)).sum())
    assert sum(count > 50 for count in wrong.values()) >= 3


@both
def test_a_run_in_pieces_reads_what_the_whole_run_reads(on_grid: Any) -> None:
    rng = np.random.default_rng(1)
    times = np.concatenate([[0.0], np.sort(rng.uniform(0.0, 12.0, 200)), [12.0]])
    values = rng.normal(size=(202, 2))
    whole = on_grid(times, values, dt=0.1, duration=10.0)
    pieces = [on_grid(times, values, dt=0.1, duration=0.1 * n, first_step=start) for start, n in ((0, 37), (37, 1), (38, 62))]
    assert np.array_equal(np.concatenate(pieces), whole) and whole.shape == (100, 2)


@given(st.lists(st.integers(1, 10**7), max_size=40), st.sampled_from([1e-3, 0.1, 0.25]), st.integers(0, 20))
@hundred
def test_hold_is_the_last_sample_that_has_come(places: list[int], dt: float, first: int) -> None:
    places = [0, *sorted(set(places))]
    times = np.array(places) * 3e-6  # some on the grid of every dt
    held = events.sample_hold(times, np.arange(len(times)), dt=dt, duration=50 * dt, first_step=first)
    exact, step = [Fraction(place) * Fraction(3, 10**6) for place in places], Fraction(str(dt))
    for k, found in enumerate(held):
        assert found == max(j for j, time in enumerate(exact) if time <= (first + k) * step)


@given(st.integers(2, 40), st.sampled_from([1e-3, 0.1, 1 / 3]), st.integers(0, 2**32 - 1))
@hundred
def test_interpolation_is_the_straight_line(n: int, dt: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    times = np.concatenate([[0.0], np.sort(rng.uniform(0.0, 100 * dt, n)), [100 * dt]])
    values = rng.normal(size=n + 2)
    found = events.interpolate(times, values, dt=dt, duration=100 * dt)
    assert np.allclose(found, np.interp(np.arange(100) * dt, times, values), rtol=0, atol=1e-3)
    assert np.allclose(
        events.interpolate(times, 3.0 - 2.0 * times, dt=dt, duration=100 * dt), 3.0 - 2.0 * np.arange(100) * dt, atol=1e-4 * dt
    )


def test_a_constant_signal_stays_constant_bit_for_bit() -> None:
    times = np.sort(np.random.default_rng(0).uniform(0.0, 1.0, 50))
    times[0], times[-1] = 0.0, 1.0
    assert (events.interpolate(times, np.full(50, 0.1), dt=1e-3, duration=1.0) == 0.1).all()


def test_the_last_sample_holds_and_a_line_does_not_go_on() -> None:
    assert events.sample_hold([0.0, 0.1], [1, 2], dt=0.1, duration=0.5).tolist() == [1, 2, 2, 2, 2]
    assert events.interpolate([0.0, 0.1], [1, 2], dt=0.1, duration=0.2).tolist() == [1.0, 2.0]


def test_samples_denser_than_the_grid_leave_the_last_of_each_step() -> None:
    assert events.sample_hold(np.arange(41) * 0.025, np.arange(41), dt=0.1, duration=1.0).tolist() == list(range(0, 40, 4))


def test_dtypes_of_signals_are_kept() -> None:
    for dtype in (np.float32, np.float64, np.int16, bool):
        assert events.sample_hold([0.0, 0.1], np.zeros(2, dtype), dt=0.1, duration=0.2).dtype == dtype
    assert events.interpolate([0.0, 0.1], np.zeros(2, np.float32), dt=0.1, duration=0.2).dtype == np.float32
    assert events.interpolate([0.0, 0.1], np.zeros(2, np.int16), dt=0.1, duration=0.2).dtype == np.float64


def test_no_steps_are_no_rows() -> None:
    assert events.sample_hold([5.0], [[1.0, 2.0]], dt=0.1, duration=0.0).shape == (0, 2)
    assert events.interpolate([5.0], [[1.0, 2.0]], dt=0.1, duration=0.0).shape == (0, 2)


def test_one_sample_is_a_signal() -> None:
    assert events.sample_hold([0.0], [7.0], dt=0.1, duration=0.3).tolist() == [7.0] * 3
    assert events.interpolate([0.0], [7.0], dt=0.1, duration=0.1).tolist() == [7.0]
