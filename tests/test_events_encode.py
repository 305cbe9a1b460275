"""Encoders and decoders: their laws, their gradients, and that they are pure functions of JAX.

The random encoders are tested with fixed keys, so a test passes always or never; where it passes, a fair generator
would have failed it with a probability below 1e-6 (two-sided), and one that is wrong as stated would pass with less.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from conftest import examples
from hypothesis import given
from hypothesis import strategies as st
from jax.test_util import check_grads

from snnjax import events

ALPHA = 1e-6
KEY = jax.random.key(7)
random_encoders = pytest.mark.parametrize("encode", [events.encode_rate, events.encode_poisson])
hundred = examples(100)


@pytest.mark.parametrize("rate", [2.0, 40.0, 500.0])
def test_the_number_of_spikes_is_binomial_with_the_rate_as_its_mean(rate: float) -> None:
    spikes = np.asarray(events.encode_rate(KEY, jnp.full(100, rate), dt=1e-3, steps=10_000))
    assert set(np.unique(spikes)) == {0.0, 1.0}
    count = int(spikes.sum())
    assert scipy.stats.binomtest(count, spikes.size, rate * 1e-3).pvalue > ALPHA
    if rate == 500.0:  # not the probability of at least one Poisson event, which is 0.39 here
        assert scipy.stats.binomtest(count, spikes.size, 1 - np.exp(-rate * 1e-3)).pvalue < ALPHA


def test_intervals_between_spikes_are_geometric() -> None:
    p = 0.05
    spikes = np.asarray(events.encode_rate(KEY, jnp.full(50, 50.0), dt=1e-3, steps=20_000))
    intervals = np.concatenate([np.diff(np.flatnonzero(column)) for column in spikes.T])
    edges = np.arange(1, 61)
    observed = np.array([*(np.sum(intervals == k) for k in edges), np.sum(intervals > 60)])
    expected = np.array([*(p * (1 - p) ** (k - 1.0) for k in edges), (1 - p) ** 60.0]) * intervals.size
    assert scipy.stats.chisquare(observed, expected * observed.sum() / expected.sum()).pvalue > ALPHA


@pytest.mark.parametrize("mean", [0.1, 1.0, 5.0])
def test_counts_are_poisson(mean: float) -> None:
    counts = np.asarray(events.encode_poisson(KEY, jnp.full(50, mean / 1e-2), dt=1e-2, steps=2000)).astype(int).ravel()
    top = int(scipy.stats.poisson.ppf(1 - 1e-4, mean))
    observed = np.array([*(np.sum(counts == k) for k in range(top)), np.sum(counts >= top)])
    law = np.array([*scipy.stats.poisson.pmf(range(top), mean), scipy.stats.poisson.sf(top - 1, mean)])
    assert scipy.stats.chisquare(observed, law * counts.size).pvalue > ALPHA
    # The variance is the mean; ten Bernoulli draws of the same mean, narrower by a tenth of it, would be found out.
    spread = ((counts - mean) ** 2).sum() / mean
    assert ALPHA / 2 < scipy.stats.chi2.cdf(spread, counts.size) < 1 - ALPHA / 2 or mean < 1.0
    assert scipy.stats.chi2.cdf(spread * (1 - mean / 10), counts.size) < ALPHA or mean < 1.0


@random_encoders
def test_steps_and_channels_are_independent(encode: Any) -> None:
    spikes = np.asarray(encode(KEY, jnp.full(50, 200.0), dt=1e-3, steps=2000))
    centred = spikes - spikes.mean()
    n = spikes.size
    for product in (centred[1:] * centred[:-1], centred[:, 1:] * centred[:, :-1]):
        z = product.sum() / (spikes.var() * np.sqrt(n))
        assert 2 * scipy.stats.norm.sf(abs(z)) > ALPHA


RATES = jnp.linspace(0.0, 900.0, 12).reshape(3, 4)


@random_encoders
def test_a_run_in_pieces_is_the_whole_run_bit_for_bit(encode: Any) -> None:
    whole = encode(KEY, RATES, dt=1e-3, steps=100)
    pieces = [encode(KEY, RATES, dt=1e-3, steps=50, first_step=start) for start in (0, jnp.int32(50))]
    assert whole.shape == (100, 3, 4) and (jnp.concatenate(pieces) == whole).all()
    assert (encode(KEY, jnp.broadcast_to(RATES, (100, 3, 4)), dt=1e-3) == whole).all()


@random_encoders
def test_random_encoders_are_pure_under_jit_vmap_and_grad(encode: Any) -> None:
    weight = jax.random.normal(KEY, (100, 3, 4))

    def run(key: Any, rates: Any, dt: Any) -> Any:
        spikes = encode(key, rates, dt=dt, steps=100)
        return (weight * spikes).sum(), spikes

    keys = jax.random.split(KEY, 3).at[0].set(KEY)
    slope, spikes = jax.jit(jax.vmap(jax.grad(run, 1, has_aux=True), (0, None, None)))(keys, RATES, 1e-3)
    assert (spikes[0] == encode(KEY, RATES, dt=1e-3, steps=100)).all() and (spikes[0] != spikes[1]).any()
    assert jnp.allclose(slope, 1e-3 * weight.sum(axis=0)[None], rtol=1e-5)


def test_no_rate_is_silence_and_the_highest_fires_always() -> None:
    spikes = events.encode_rate(KEY, jnp.array([0.0, 1000.0]), dt=1e-3, steps=1000)
    assert spikes.sum(axis=0).tolist() == [0.0, 1000.0]
    assert (events.encode_poisson(KEY, jnp.zeros((3, 4)), dt=1e-3, steps=100) == 0).all()


@random_encoders
def test_no_steps_and_no_channels_are_empty(encode: Any) -> None:
    assert encode(KEY, jnp.ones((5, 0)), dt=1e-3).shape == (5, 0)


@pytest.mark.usefixtures("x64")
@random_encoders
def test_float32_rates_stay_float32_in_double_precision(encode: Any) -> None:
    assert encode(KEY, jnp.float32([5.0]), dt=np.float64(1e-3), steps=3).dtype == jnp.float32
    assert events.encode_rate(KEY, 5.0, dt=1e-3, steps=3).dtype == jnp.float64


@pytest.mark.usefixtures("x64")
def test_the_signal_alone_says_in_which_precision_to_work() -> None:
    one, wide = jnp.float32([1.5, 2.0]), np.float64(1e-3)
    assert events.encode_latency(one, tau=wide, threshold=np.float64(1.0), dt=wide, steps=3).dtype == jnp.float32
    assert events.encode_population(one, centres=np.ones(3), width=wide).dtype == jnp.float32
    assert events.encode_delta(one, threshold=wide).up.dtype == jnp.float32
    assert events.decode_exponential(one, tau=wide, dt=wide).dtype == jnp.float32
    assert events.decode_rate(one, dt=wide).dtype == events.decode_first_spike(one, dt=wide).dtype == jnp.float32


def test_latency_is_the_closed_form_in_its_step() -> None:
    values = jnp.array([0.0, 1.0, 1.01, 1.3, 2.0, 10.0, 1e6])
    raster = events.encode_latency(values, tau=20e-3, threshold=1.0, dt=1e-3, steps=50)
    with np.errstate(divide="ignore", invalid="ignore"):
        times = 20e-3 * np.log(np.asarray(values, float) / (np.asarray(values, float) - 1.0))
    assert raster.sum(axis=0).tolist() == [0, 0, 0, 1, 1, 1, 1]  # 1.01 would spike at 92 ms
    assert np.asarray(raster.argmax(axis=0))[3:].tolist() == np.floor(times[3:] / 1e-3).astype(int).tolist()


def test_latency_puts_a_time_on_a_boundary_into_the_later_step() -> None:
    k = np.arange(1, 200)
    values = 1.0 / -np.expm1(-k * 1e-3 / 20e-3)  # reaches 1 after k steps, but for float32
    raster = events.encode_latency(jnp.asarray(values, jnp.float32)[:20], tau=20e-3, threshold=1.0, dt=1e-3, steps=400)
    assert np.abs(np.asarray(raster.argmax(axis=0)) - k[:20]).max() <= 1
    with jax.enable_x64(True):
        raster = events.encode_latency(jnp.asarray(values), tau=20e-3, threshold=1.0, dt=1e-3, steps=400)
        assert np.asarray(raster.argmax(axis=0)).tolist() == k.tolist()


def test_latency_is_pure_and_its_raster_without_gradient() -> None:
    values = jnp.array([[0.5, 1.5], [3.0, 9.0]])
    run = jax.jit(lambda values, tau: events.encode_latency(values, tau=tau, threshold=1.0, dt=1e-3, steps=40))
    raster = run(values, 10e-3)
    assert raster.shape == (40, 2, 2) and raster.sum() == 3
    assert (jax.vmap(run, (0, None), 1)(values, 10e-3) == raster).all()
    assert (jax.grad(lambda values: run(values, 10e-3).sum())(values) == 0).all()


def test_population_activities_are_the_published_ones() -> None:
    """The rows of Norse's own example: units of width 1 at 0, 0.5 and 1."""
    found = events.encode_population(jnp.array([0.0, 0.5, 1.0]), centres=jnp.array([0.0, 0.5, 1.0]), width=1.0)
    expected = [[1.0, 0.8825, 0.6065], [0.8825, 1.0, 0.8825], [0.6065, 0.8825, 1.0]]
    assert np.allclose(found, expected, atol=5e-5)


def test_population_has_its_derivative_and_a_width_per_unit() -> None:
    centres, width = jnp.array([-1.0, 0.0, 2.0]), jnp.array([0.5, 1.0, 2.0])
    activities = jax.jit(lambda x: events.encode_population(x, centres=centres, width=width))
    x = jnp.array([0.3, -2.0])
    slope = jax.vmap(jax.jacfwd(activities))(x)
    assert np.allclose(slope, -activities(x) * (x[:, None] - centres[None]) / width[None] ** 2, rtol=1e-5)
    assert events.encode_population(jnp.zeros((4, 5)), centres=centres, width=width).shape == (4, 5, 3)


signals = st.tuples(st.sampled_from([(1, 2), (80, 3)]), st.integers(0, 2**32 - 1)).map(
    lambda seed: np.cumsum(np.random.default_rng(seed[1]).normal(size=seed[0]), axis=0).astype(np.float32)
)


@given(signals, st.sampled_from([0.05, 0.3, 1.0, 5.0]))
@hundred
def test_delta_modulation_is_never_a_threshold_away(signal: np.ndarray, threshold: float) -> None:
    delta = events.encode_delta(signal, threshold=threshold)
    assert ((delta.up == 0) | (delta.down == 0)).all() and (delta.up[0] == 0).all() and (delta.down[0] == 0).all()
    found = events.decode_delta(delta, threshold=threshold, start=signal[0])
    assert np.abs(np.asarray(found) - signal).max(initial=0.0) < threshold * (1 + 1e-4) + 1e-5
    assert all((part == jnp.floor(part)).all() for part in delta)


def test_delta_modulation_of_a_ramp_is_regular() -> None:
    """0.25 of a threshold per step, in numbers that binary fractions hold: an event in every fourth step."""
    up, down = events.encode_delta(jnp.arange(40.0) * 0.25, threshold=1.0)
    assert jnp.flatnonzero(up).tolist() == [4, 8, 12, 16, 20, 24, 28, 32, 36] and down.sum() == 0
    up, down = events.encode_delta(jnp.arange(40.0) * -0.25, threshold=1.0)
    assert jnp.flatnonzero(down).tolist() == [4, 8, 12, 16, 20, 24, 28, 32, 36] and up.sum() == 0


def test_clipped_delta_modulation_lags_behind_a_jump_by_one_threshold_per_step() -> None:
    signal = jnp.concatenate([jnp.zeros(1), jnp.full(5, 3.5)])
    assert events.encode_delta(signal, threshold=1.0).up.tolist() == [0, 3, 0, 0, 0, 0]
    assert events.encode_delta(signal, threshold=1.0, several="clip").up.tolist() == [0, 1, 1, 1, 0, 0]


def test_delta_modulation_in_pieces_follows_on() -> None:
    signal = jnp.sin(jnp.linspace(0.0, 12.0, 200))[:, None] * jnp.array([[1.0, 3.0]])
    whole = events.encode_delta(signal, threshold=0.25)
    first = events.encode_delta(signal[:90], threshold=0.25)
    level = events.decode_delta(first, threshold=0.25, start=signal[0])[-1]
    rest = events.encode_delta(signal[90:], threshold=0.25, start=level)
    assert (jnp.concatenate([first.up, rest.up]) == whole.up).all()
    assert (jnp.concatenate([first.down, rest.down]) == whole.down).all()


def test_delta_modulation_is_pure_and_without_gradient() -> None:
    signal = jnp.sin(jnp.linspace(0.0, 12.0, 100))[:, None] * jnp.array([[1.0, 3.0]])
    encode = jax.jit(lambda signal: events.encode_delta(signal, threshold=jnp.array([0.1, 0.2])))
    assert (encode(signal).up == events.encode_delta(signal, threshold=jnp.array([0.1, 0.2])).up).all()
    assert (jax.grad(lambda signal: encode(signal).up.sum())(signal) == 0).all()
    batch = jnp.stack([signal, -signal])
    assert (jax.vmap(encode)(batch).down[0] == jax.vmap(encode)(batch).up[1]).all()


def test_rate_is_spikes_per_second() -> None:
    spikes = np.zeros((400, 2, 3), np.float32)
    spikes[::20, 0] = 1
    found = events.decode_rate(spikes, dt=1e-3)
    assert np.allclose(found[0], 50.0) and (found[1] == 0).all()
    assert np.allclose(jax.grad(lambda s: events.decode_rate(s, dt=1e-3).sum())(jnp.asarray(spikes)), 1 / 0.4)


def test_the_first_spike_is_where_the_raster_says() -> None:
    raster = np.asarray(events.encode_rate(KEY, jnp.full(200, 20.0), dt=1e-3, steps=100))
    expected = np.where(raster.any(axis=0), raster.argmax(axis=0), 100) * 1e-3
    for kind in (np.float32, bool, np.int32):
        assert np.allclose(events.decode_first_spike(raster.astype(kind), dt=1e-3), expected, rtol=1e-6)
    assert np.allclose(events.decode_first_spike(2.0 * raster, dt=1e-3), expected, rtol=1e-6)


def test_an_earlier_spike_shortens_the_time_also_where_there_is_none_yet() -> None:
    spikes = jnp.array([[0.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    slope = jax.jit(jax.grad(lambda s: events.decode_first_spike(s, dt=1.0).sum()))(spikes)
    assert slope.tolist() == [[-3.0, -1.0], [-2.0, -2.0], [-1.0, 0.0]]


def test_the_exponential_filter_is_its_closed_form() -> None:
    tau, dt = 20e-3, 1e-3
    spikes = np.zeros((300, 1), np.float32)
    spikes[[10, 40]] = [[1.0], [2.0]]
    k = np.arange(300)
    kernel = np.where(k >= 0, np.exp(-k * dt / tau), 0.0) * -np.expm1(-dt / tau) / dt
    expected = np.convolve(spikes[:, 0], kernel)[:300]
    assert np.allclose(events.decode_exponential(spikes, tau=tau, dt=dt)[:, 0], expected, rtol=1e-5)


def test_the_exponential_filter_tends_to_the_rate() -> None:
    spikes = np.zeros(4000, np.float32)
    spikes[::5] = 1.0
    assert abs(float(events.decode_exponential(spikes, tau=50e-3, dt=1e-3)[-1000:].mean()) - 200.0) < 0.01


def test_the_exponential_filter_in_pieces_is_the_whole_bit_for_bit() -> None:
    spikes = events.encode_rate(KEY, jnp.full(4, 50.0), dt=1e-3, steps=60)
    filtered = jax.jit(
        lambda spikes, start: events.decode_exponential(spikes, tau=jnp.array([5e-3, 10e-3, 20e-3, 1.0]), dt=1e-3, start=start)
    )
    whole = filtered(spikes, jnp.zeros(4))
    first = filtered(spikes[:25], jnp.zeros(4))
    assert (jnp.concatenate([first, filtered(spikes[25:], first[-1])]) == whole).all()


@pytest.mark.usefixtures("x64")
def test_the_exponential_filter_has_its_derivatives() -> None:
    spikes = (np.random.default_rng(0).random((80, 3)) < 0.2).astype(float)

    def loss(spikes: Any, tau: Any, start: Any) -> Any:
        return jnp.sum(events.decode_exponential(spikes, tau=tau, dt=1e-3, start=start) ** 2) * 1e-4

    start = np.array([3.0, 0.0, 1.0])
    check_grads(loss, (spikes, 7e-3, start), order=1, eps=1e-6, rtol=1e-6)
