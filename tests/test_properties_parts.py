"""Laws of the parts: surrogates, resets, integrators, refractory counts, segments, noise, codes, and conversions there and back."""

from __future__ import annotations

import functools
import math
from fractions import Fraction
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import examples
from hypothesis import example, given
from hypothesis import strategies as st

import snnjax.functional as F
from snnjax import events, graph, somas
from snnjax.functional._segments import auto_segments
from snnjax.interop import norse, rockpool, spark

SURROGATES = ["superspike", "tanh", "triangle", "arctan", "sigmoid", "gaussian", "boxcar"]
INTEGRATORS = {integrator.name: integrator for integrator in (F.exact, F.exponential_euler, F.euler, F.rk4)}
seeds = st.integers(0, 2**32 - 1)
taus = st.floats(1e-3, 1.0)
potentials = st.floats(-10.0, 10.0, width=32)


@functools.cache
def slope_of(name: str) -> Any:
    return jax.jit(jax.vmap(jax.grad(lambda x, slope, unit: getattr(F, name)(slope, unit)(x)), in_axes=(0, None, None)))


@pytest.mark.parametrize("name", SURROGATES)
def test_a_surrogate_is_even_falls_to_both_sides_and_lies_between_0_and_its_peak(name: str) -> None:
    @examples()
    @given(seeds, st.floats(0.1, 100.0), st.integers(-20, 20))
    def law(seed: int, slope: float, power: int) -> None:
        unit = np.float32(2.0**power)
        x = np.sort(np.random.default_rng(seed).exponential(size=16).astype(np.float32)) * unit
        right, left = (np.asarray(slope_of(name)(sign * x, np.float32(slope), unit)) for sign in (1, -1))
        np.testing.assert_allclose(right, left, rtol=1e-6)
        assert (np.diff(right) <= 1e-6 / unit).all() and (right >= 0).all() and (right * unit <= 1 + 1e-6).all()
        np.testing.assert_allclose(slope_of(name)(x / unit, np.float32(slope), np.float32(1.0)), right * unit, rtol=1e-6, atol=1e-30)

    law()


@examples()
@given(seeds, st.booleans())
def test_a_reset_is_the_same_attached_and_moves_only_what_fired(seed: int, to_value: bool) -> None:
    rng = np.random.default_rng(seed)
    params = F.LeakyParams(
        v_th=jnp.asarray(rng.uniform(0.5, 1.0, 8), jnp.float32), v_reset=jnp.asarray(rng.uniform(-1.0, 0.4, 8), jnp.float32)
    )
    v, spikes = jnp.asarray(rng.normal(size=8), jnp.float32), jnp.asarray(rng.integers(0, 2, 8), jnp.float32)
    reset = F.reset_to_value if to_value else F.reset_by_subtraction
    after = np.asarray(reset(v, spikes, params))
    np.testing.assert_array_equal(F.attached(reset)(v, spikes, params), after)
    excess = (after if to_value else after - (np.asarray(v) - np.asarray(params.v_th))) - np.asarray(params.v_reset)
    np.testing.assert_allclose(np.where(spikes > 0, excess, after - v), 0.0, atol=1e-6)


@functools.cache
def coefficients(name: str) -> Any:
    """decay, gain, coupling both ways round, and the decay of half a step."""
    chosen = INTEGRATORS[name]

    def of(dt: Any, a: Any, b: Any) -> Any:
        return chosen.decay(dt, a), chosen.gain(dt, a), chosen.coupling(dt, a, b), chosen.coupling(dt, b, a), chosen.decay(dt / 2, a)

    return jax.jit(of)


@examples()
@given(st.floats(1e-5, 1e-3), taus, taus)
def test_the_exact_propagator_is_symmetric_in_its_time_constants_and_two_halves_are_a_whole(dt: float, tau: float, other: float) -> None:
    with jax.enable_x64(True):
        decay, gain, coupling, swapped, half = map(float, coefficients("exact")(dt, tau, other))
    assert 0 < decay < 1 and 0 < coupling < 1
    assert math.isclose(decay + gain, 1.0, rel_tol=1e-15)
    assert math.isclose(half**2, decay, rel_tol=1e-14)
    assert math.isclose(coupling * tau, swapped * other, rel_tol=1e-12)


@examples()
@given(st.floats(1e-5, 1e-3), taus, taus)
def test_integrators_agree_up_to_their_order(dt: float, tau: float, other: float) -> None:
    with jax.enable_x64(True):
        exact, held, euler, rk4 = (np.array(list(map(float, coefficients(name)(dt, tau, other)[:3]))) for name in INTEGRATORS)
    x = dt / min(tau, other)
    assert (np.abs(rk4 - exact) <= x**5 / 20 + 1e-15).all()
    assert (np.abs(euler - exact) <= x**2).all() and (np.abs(held - exact) <= x**2).all()


@examples()
@given(st.integers(0, 10_000), st.sampled_from([1e-4, 2.5e-4, 1e-3, 3e-3, 0.1]))
def test_half_a_step_of_refractoriness_goes_to_the_even_number(halves: int, dt: float) -> None:
    wanted = round(Fraction(halves, 2))
    assert int(F.refractory_steps(halves / 2 * dt, dt)) == wanted
    assert int(F.refractory_steps(wanted * dt, dt)) == wanted
    assert int(F.refractory_steps(halves / 2 * dt, dt, "brian")) == max(halves // 2 - 1, 0)


@examples()
@given(st.lists(st.integers(0, 6), min_size=4, max_size=4), st.lists(st.booleans(), min_size=4, max_size=4), st.integers(0, 9))
def test_the_counter_never_lets_a_blocked_spike_out_and_never_goes_below_zero(left: list[int], wanted: list[bool], steps: int) -> None:
    spikes, after = F.compute_refractory_update(jnp.array(left), jnp.array(wanted, jnp.float32), jnp.int32(steps))
    out = [want and not count for count, want in zip(left, wanted, strict=True)]
    assert spikes.tolist() == out
    assert after.tolist() == [steps if fired else max(count - 1, 0) for count, fired in zip(left, out, strict=True)]


@examples()
@given(st.integers(0, 10**7))
def test_a_segment_fits_the_run_and_is_near_its_square_root(length: int) -> None:
    segments = auto_segments(length)
    assert len(segments) == (length > 64)
    assert all(math.isqrt(length) // 4 <= segment < 4 * math.isqrt(length) for segment in segments)


@examples(50)
@given(st.integers(0, 2**31), st.integers(0, 8))
def test_noise_from_any_step_on_is_that_of_the_whole(seed: int, start: int) -> None:
    def noise(steps: int, start: int) -> np.ndarray:
        return np.asarray(F.membrane_noise(F.LeakyParams(), 0.5, jax.random.key(seed), dt=1e-3, shape=(steps, 3), start=start))

    np.testing.assert_array_equal(noise(4, start), noise(12, 0)[start : start + 4])


@examples(100)
@given(st.lists(st.floats(0.3, 5.0), min_size=2, max_size=2), st.floats(1e-3, 20e-3))
def test_a_stronger_value_never_fires_later_in_a_latency_code(values: list[float], tau: float) -> None:
    spikes = np.asarray(events.encode_latency(jnp.array(sorted(values)), tau=tau, threshold=0.2, dt=1e-3, steps=32))
    assert (spikes.sum(0) <= 1).all()
    weak, strong = np.where(spikes.any(0), spikes.argmax(0), 32)
    assert strong <= weak


@examples(100)
@given(seeds)
def test_decoded_rates_count_the_spikes_and_first_spikes_are_in_the_raster(seed: int) -> None:
    rng = np.random.default_rng(seed)
    raster = (rng.random((16, 4)) < rng.choice([0.05, 0.5])).astype(np.float32)
    rates, first = np.asarray(events.decode_rate(raster, dt=2**-10)), np.asarray(events.decode_first_spike(raster, dt=2**-10))
    np.testing.assert_array_equal(rates, raster.sum(0) * 2**10 / 16)
    for column, time in zip(raster.T, first, strict=True):
        assert time == (column.argmax() * 2**-10 if column.any() else 16 * 2**-10)


@examples()
@given(taus, taus, potentials, potentials, potentials)
def test_norse_there_and_back(tau_mem: float, tau_syn: float, v_leak: float, v_th: float, v_reset: float) -> None:
    params = norse.lif(1 / tau_syn, 1 / tau_mem, v_leak, v_th, v_reset)
    np.testing.assert_allclose(params, F.LIFParams(tau_mem, tau_syn, v_leak, v_th, v_reset), rtol=1e-15)
    assert norse.lif_box(1 / tau_mem, v_leak, v_th, v_reset) == F.LeakyParams(params.tau_mem, 1.0, v_leak, v_th, v_reset)


@examples()
@example(3.0310085783345793e-42)
@given(st.floats(-2.0, 12.0, width=32))
def test_norse_counts_down_as_many_steps_as_are_blocked(rho: float) -> None:
    params, blocked = norse.lif_refrac(rho_reset=rho, dt=1e-3), 0
    rho = 0.0 if 0.0 < rho < np.finfo(np.float32).tiny else rho  # XLA takes what is subnormal for 0
    while rho > 0:
        rho, blocked = rho - 1, blocked + 1
    assert int(F.refractory_steps(params.t_ref, 1e-3)) == blocked


@examples()
@given(st.floats(-80.0, -50.0), st.floats(0.1, 10.0), st.floats(0.1, 40.0), st.floats(1.0, 100.0), st.floats(0.01, 10.0))
def test_spark_there_and_back(rest: float, reset: float, gap: float, tau: float, resistance: float) -> None:
    params = spark.leaky(rest, rest + reset, tau, resistance, rest + reset + gap)
    back = rest + 1e3 * params.v_reset, 1e3 * params.tau_mem, 1e-9 * params.resistance, rest + 1e3 * params.v_th
    np.testing.assert_allclose(back, (rest + reset, tau, resistance, rest + reset + gap), rtol=1e-12)
    assert params.v_leak == 0.0


@examples()
@given(st.integers(0, 30), st.integers(0, 40), st.booleans())
def test_spark_s_counter_lets_go_when_it_has_counted_enough(cooldown: int, counted: int, strict: bool) -> None:
    left, now = 0, counted
    while not (now >= cooldown if strict else now > cooldown):
        now, left = now + 1, left + 1
    assert int(spark.steps_left(counted, float(cooldown), 1.0, strict=strict)) == left


@examples()
@given(st.floats(2e-3, 0.5), st.floats(2e-3, 0.5), st.floats(0.1, 5.0), st.floats(-1.0, 1.0))
def test_rockpool_there_and_back(tau_mem: float, tau_syn: float, threshold: float, bias: float) -> None:
    params = rockpool.lif(tau_mem, tau_syn, bias, threshold, dt=1e-3)
    alpha, beta = math.exp(-1e-3 / tau_mem), math.exp(-1e-3 / tau_syn)
    assert (params.tau_mem, params.tau_syn) == (tau_mem, tau_syn)
    assert math.isclose(float(params.v_th) * beta / (1 - alpha), threshold, rel_tol=1e-5)
    assert math.isclose(float(params.bias) * beta, bias, rel_tol=1e-5, abs_tol=1e-12)
    assert math.isclose(float(rockpool.vmem(params.v_th, params, threshold)), threshold, rel_tol=1e-5)


@examples(60)
@given(seeds, st.sampled_from(["leaky", "lif"]))
def test_a_population_comes_back_from_nir_to_the_bit(seed: int, model: str) -> None:
    pytest.importorskip("nir")
    from snnjax.interop import nir

    rng = np.random.default_rng(seed)
    fields = {"tau_mem": rng.uniform(5e-3, 50e-3, 3), "v_th": rng.uniform(0.5, 1.0, 3), "v_leak": rng.uniform(-0.2, 0.2, 3)}
    fields |= {"tau_syn": rng.uniform(2e-3, 9e-3, 3)} if model == "lif" else {"resistance": rng.uniform(0.5, 2.0, 3)}
    config = {"leaky": somas.LeakySomaConfig, "lif": somas.LIFSomaConfig}[model]
    g = graph.of(config(shape=(3,), **{name: value.astype(np.float32) for name, value in fields.items()}).build())
    made, _ = nir.to_nir(g, dt=1e-3)
    back, _ = nir.from_nir(made, dt=1e-3)
    assert back == g
