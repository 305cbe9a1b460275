"""Surrogates: values against their formulas, finite for anything, and none of the famous NaNs."""

from __future__ import annotations

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import snnjax.functional as F

FORMULAS: dict[str, Any] = {
    "superspike": lambda y: 1 / (1 + np.abs(y)) ** 2,
    "tanh": lambda y: 1 - np.tanh(y) ** 2,
    "triangle": lambda y: np.maximum(0, 1 - np.abs(y)),
    "arctan": lambda y: 1 / (1 + y**2),
    "sigmoid": lambda y: 1 / np.cosh(y / 2) ** 2,
    "gaussian": lambda y: np.exp(-(y**2)),
    "boxcar": lambda y: (np.abs(y) < 0.5).astype(float),
}
every_surrogate = pytest.mark.parametrize("name", FORMULAS)
EXTREME = jnp.array([0.0, 1e-30, 1e-3, 1.0, 5.0, 100.0, 1e8, 1e30, 3e38])


def slopes(spike: Any, x: jax.Array) -> jax.Array:
    return jax.jit(jax.vmap(jax.grad(spike)))(x)


@every_surrogate
@pytest.mark.parametrize(("slope", "unit"), [(1.0, 1.0), (25.0, 1.0), (3.0, 0.02), (0.5, 1e-9)])
def test_the_pseudo_derivative_is_its_formula(name: str, slope: float, unit: float, x64: None) -> None:
    x = np.linspace(-3, 3, 60) * unit
    got = slopes(getattr(F, name)(slope, unit), jnp.asarray(x))
    np.testing.assert_allclose(got, FORMULAS[name](slope * x / unit) / unit, rtol=1e-12, atol=1e-14 / unit)


@every_surrogate
def test_it_peaks_at_one_at_the_threshold(name: str) -> None:
    got = slopes(getattr(F, name)(unit=1.0), jnp.arange(-100.0, 101.0) / 100)
    assert got.max() == got[100] == 1.0


@every_surrogate
@pytest.mark.parametrize("slope", [1e-3, 1.0, 25.0, 1e3])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16], ids=lambda d: d.__name__)
def test_it_is_finite_for_every_membrane_and_slope(name: str, slope: float, dtype: Any) -> None:
    x = jnp.concatenate([EXTREME, -EXTREME]).astype(dtype)
    got = slopes(getattr(F, name)(slope), x[jnp.isfinite(x)])
    assert jnp.isfinite(got).all()
    assert ((got >= 0) & (got <= 1.002)).all()


@every_surrogate
def test_an_infinite_membrane_passes_no_gradient(name: str) -> None:
    np.testing.assert_array_equal(slopes(getattr(F, name)(2.0), jnp.array([jnp.inf, -jnp.inf])), 0.0)


def test_the_sigmoid_survives_where_the_naive_product_is_nan() -> None:
    x, k = np.float32(-5.0), np.float32(25.0)
    with np.errstate(over="ignore", invalid="ignore"):
        naive = k * np.exp(-k * x) / (1 + np.exp(-k * x)) ** 2
    assert np.isnan(naive)
    assert 0.0 <= float(jax.grad(F.sigmoid(25.0))(-5.0)) < 1e-30


@pytest.mark.parametrize("name", [*FORMULAS, "heaviside"])
def test_the_spike_is_strict_and_nan_is_silent(name: str) -> None:
    x = jnp.array([-1.0, -0.0, 0.0, 1e-37, 1.0, jnp.inf, -jnp.inf, jnp.nan])
    np.testing.assert_array_equal(getattr(F, name)()(x), [0, 0, 0, 1, 1, 1, 0, 0])


def test_the_unit_defaults_to_the_distance_from_reset_to_threshold() -> None:
    params = F.LeakyParams(v_th=-0.05, v_reset=-0.07, v_leak=-0.07)
    state = F.LeakyState(jnp.array(-0.055))

    def spikes(v: jax.Array, surrogate: Any) -> jax.Array:
        return F.leaky_step(params, state._replace(v=v), 0.0, dt=1e-9, config=F.SpikingConfig(surrogate))[1]

    ours, given = (jax.grad(spikes)(state.v, F.superspike(10.0, unit)) for unit in (None, 0.02))
    np.testing.assert_allclose(ours, given, rtol=1e-6)
    np.testing.assert_allclose(ours, 50.0 / (1 + 10 * 0.005 / 0.02) ** 2, rtol=1e-3)


def test_equal_surrogates_do_not_trace_again_and_a_slope_can_be_annealed() -> None:
    @jax.jit
    @chex.assert_max_traces(1)
    def slope_at(config: F.SpikingConfig, x: jax.Array) -> jax.Array:
        return jax.grad(config.spike)(x)

    for slope in (1.0, 1.0, 7.0):
        got = slope_at(F.SpikingConfig(F.superspike(slope)), jnp.array(1.0))
        np.testing.assert_allclose(got, 1 / (1 + slope) ** 2, rtol=1e-6)
    chex.clear_trace_counter()


def test_a_slope_per_neuron_works() -> None:
    spike = F.triangle(jnp.array([1.0, 2.0, 4.0]))
    got = jax.grad(lambda x: spike(x).sum())(jnp.full(3, 0.25))
    np.testing.assert_allclose(got, [0.75, 0.5, 0.0])


def test_the_edges_of_the_boxcar_and_of_the_triangle_are_outside() -> None:
    np.testing.assert_array_equal(slopes(F.boxcar(1.0, 1.0), jnp.array([-0.5, -0.499, 0.499, 0.5])), [0.0, 1.0, 1.0, 0.0])
    np.testing.assert_array_equal(slopes(F.triangle(1.0, 1.0), jnp.array([-1.0, 1.0])), 0.0)


def test_slope_and_unit_get_no_gradient() -> None:
    assert jax.grad(lambda slope: F.tanh(slope, 1.0)(jnp.array(0.1)))(2.0) == 0.0


def test_any_function_can_be_a_surrogate() -> None:
    config = F.SpikingConfig(spike=lambda x, scale=1.0: jax.nn.sigmoid(x / scale))
    state, output = F.simulate(F.leaky, F.LeakyParams(), jnp.zeros((2, 3)), dt=1e-3, config=config)
    np.testing.assert_allclose(output[0], jax.nn.sigmoid(-1.0), rtol=1e-6)
