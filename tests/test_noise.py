"""Membrane noise: its law, its independence of `dt`, and that a run in pieces gets that of the whole."""

from __future__ import annotations

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import snnjax.functional as F
from snnjax import DTypeError, ParameterError
from snnjax.interop import brian

KEY = jax.random.key(7)
# Every statistic below is one number with a known distribution, close to normal. 4.4 standard errors are exceeded by a right
# implementation once in 100,000 keys, and the key is fixed.
CONFIDENCE = 4.4


def free(**fields: Any) -> F.LeakyParams:
    return F.LeakyParams(v_th=1e9, **fields)


def potentials(params: Any, sigma: Any, dt: float, steps: int, n: int, v: Any = None) -> np.ndarray:
    """`(steps, n)` of the free membrane."""
    noise = F.membrane_noise(params, sigma, KEY, dt=dt, shape=(steps, n))
    state = None if v is None else F.LeakyState(v)
    return np.asarray(F.simulate(F.leaky, params, noise, dt=dt, state=state, record=lambda state, spikes: state.v)[1], np.float64)


def error_of_variance(decay: float, steps: int, n: int) -> float:
    """Relative standard error of the mean square of `n` stationary processes over `steps`, correlated as `decay ** distance`."""
    distance = np.arange(1, steps)
    return np.sqrt(2.0 / n / steps**2 * (steps + 2 * ((steps - distance) * decay ** (2.0 * distance)).sum()))


@pytest.mark.parametrize("dt", [0.1e-3, 1e-3])
@pytest.mark.parametrize("tau", [5e-3, 20e-3, 100e-3])
def test_the_stationary_deviation_is_sigma_for_every_step_and_time_constant(tau: float, dt: float) -> None:
    """From a stationary start for two time constants; the standard error of the variance is below 1.7 percent."""
    sigma, n, steps = 3e-3, 4000, round(2 * tau / dt)
    params = free(tau_mem=tau, resistance=2e8, v_leak=-65e-3)
    start = -65e-3 + sigma * jax.random.normal(jax.random.key(1), (n,))
    v = potentials(params, sigma, dt, steps, n, start) + 65e-3
    decay = np.exp(-dt / tau)
    error = error_of_variance(decay, steps, n)
    assert error < 0.017
    assert abs((v**2).mean() / sigma**2 - 1) < CONFIDENCE * error
    # The last step alone: its memory of the start is exp(-2).
    assert abs((v[-1] ** 2).mean() / sigma**2 - 1) < CONFIDENCE * np.sqrt(2 / n)
    assert abs(v.mean()) < CONFIDENCE * sigma * np.sqrt(2 * tau / (steps * dt) / n)


@pytest.mark.parametrize("dt", [0.1e-3, 1e-3])
def test_its_memory_is_that_of_the_membrane(dt: float) -> None:
    """The correlation over one time constant is 1/e."""
    tau, n = 20e-3, 20000
    lag = round(tau / dt)
    start = jax.random.normal(jax.random.key(2), (n,))
    last = potentials(free(tau_mem=tau), 1.0, dt, lag, n, start)[-1]
    rho = np.exp(-1.0)
    assert abs(np.corrcoef(start, last)[0, 1] - rho) < CONFIDENCE * (1 - rho**2) / np.sqrt(n)


@pytest.mark.parametrize("integrator", [F.exact, F.euler, F.rk4], ids=lambda it: it.name)
@pytest.mark.parametrize(("dtype", "rtol"), [(jnp.float64, 1e-14), (jnp.float32, 2e-6)])
def test_the_variance_that_a_step_adds_is_the_one_that_it_loses(integrator: F.Integrator, dtype: Any, rtol: float, x64: None) -> None:
    """`(gain R s)^2 = (1 - decay^2) sigma^2`, without randomness, from tiny to huge steps."""
    tau = jnp.asarray(1e-3 / np.array([1e-6, 1e-4, 1e-2, 0.3, 1.0] + [10.0] * (integrator is F.exact)), dtype)
    params = F.LeakyParams(tau_mem=tau, resistance=jnp.asarray(3.0, dtype))
    sigma = jnp.asarray(0.7, dtype)
    noise = F.membrane_noise(params, sigma, KEY, dt=1e-3, shape=(1, len(tau)), integrator=integrator)[0]
    xi = jax.random.normal(jax.random.fold_in(KEY, 0), (len(tau),), dtype)
    assert noise.dtype == dtype
    gain = np.asarray(integrator.gain(1e-3, tau), np.float64)
    added = (gain * 3.0 * np.asarray(noise / xi, np.float64)) ** 2
    np.testing.assert_allclose(added, gain * (2 - gain) * 0.7**2, rtol=rtol)


def test_steps_and_neurons_are_independent() -> None:
    xi = np.asarray(F.membrane_noise(free(), 1.0, KEY, dt=1e-3, shape=(400, 50)), np.float64)
    xi = xi / xi.std()
    for product in (xi[1:] * xi[:-1], xi[:, 1:] * xi[:, :-1], xi):
        assert abs(product.mean()) < CONFIDENCE / np.sqrt(product.size)
    assert abs((xi**4).mean() - 3.0) < CONFIDENCE * np.sqrt(96 / xi.size)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_a_run_in_pieces_equals_the_whole_bit_for_bit(dtype: Any, x64: None) -> None:
    params = jax.tree.map(lambda x: jnp.asarray(x, dtype), F.LeakyParams(v_th=0.5))

    def run(start: Any, steps: int, state: Any = None) -> Any:
        noise = F.membrane_noise(params, 0.4, KEY, dt=1e-3, shape=(steps, 2, 37), start=start)
        return F.simulate(F.leaky, params, noise, dt=1e-3, state=state, record=lambda state, spikes: (state.v, spikes))

    state, whole = run(0, 103)
    middle, first = run(0, 41)
    end, second = run(jnp.int32(41), 62, middle)
    assert whole[1].sum() > 0 and whole[0].dtype == dtype
    chex.assert_trees_all_equal(end, state)
    chex.assert_trees_all_equal(jax.tree.map(lambda a, b: jnp.concatenate([a, b]), first, second), whole)


def test_a_traced_first_step_gives_the_same_noise() -> None:
    whole = F.membrane_noise(free(), 0.4, KEY, dt=1e-3, shape=(9, 3))
    piece = jax.jit(lambda start: F.membrane_noise(free(), 0.4, KEY, dt=1e-3, shape=(4, 3), start=start))(5)
    np.testing.assert_allclose(piece, whole[5:], rtol=1e-6)
    old = F.membrane_noise(free(), 0.4, jax.random.PRNGKey(7), dt=1e-3, shape=(9, 3))
    np.testing.assert_array_equal(old, whole)


NESTS = {
    "lif_refrac": (F.lif_refrac, F.RefractoryParams(F.LIFParams(v_th=1e9), 2e-3)),
    "recurrent(lif)": (F.recurrent(F.lif), F.RecurrentParams(F.LIFParams(v_th=1e9), np.ones((300, 300)))),
    "synapses(leaky, 2)": (F.synapses(F.leaky, 2), F.SynapsesParams(F.LeakyParams(v_th=1e9, resistance=3.0), np.array([5e-3, 9e-3]))),
}


@pytest.mark.parametrize("name", NESTS)
def test_beside_synapses_it_is_the_same_noise(name: str) -> None:
    """The membrane is that of `leaky` under the same current, spikes of the input on top."""
    neuron, params = NESTS[name]
    noise = F.membrane_noise(params, 0.4, KEY, dt=1e-3, shape=(200, 300))
    jumps = jnp.zeros((200, *neuron.ports, 300))
    inputs = F.Injected(jumps, noise)
    v = F.simulate(F.injected(neuron), params, inputs, dt=1e-3, record=lambda state, spikes: F.core(state).v)[1]
    resistance = getattr(F.core(params), "resistance", 1.0)
    expected = potentials(free(resistance=resistance), 0.4, 1e-3, 200, 300)
    np.testing.assert_allclose(v, expected, atol=2e-6)


def test_gradients_by_sigma_and_time_constant_go_through_the_noise() -> None:
    def last(sigma: jax.Array, tau: jax.Array) -> jax.Array:
        params = free(tau_mem=tau)
        noise = F.membrane_noise(params, sigma, KEY, dt=1e-3, shape=(50, 4))
        return F.simulate(F.leaky, params, noise, dt=1e-3)[0].v.sum()

    sigma, tau = jnp.float32(0.3), jnp.float32(0.01)
    by_sigma, by_tau = jax.jit(jax.grad(last, (0, 1)))(sigma, tau)
    np.testing.assert_allclose(by_sigma, last(sigma, tau) / sigma, rtol=1e-5)
    numeric = (last(sigma, 1.01 * tau) - last(sigma, 0.99 * tau)) / (0.02 * tau)
    np.testing.assert_allclose(by_tau, numeric, rtol=1e-2)
    silent = jax.grad(last, (0, 1))(jnp.float32(0.0), tau)
    assert all(jnp.isfinite(slope) for slope in silent)


@pytest.mark.parametrize("dt", [0.1e-3, 1e-3])
@pytest.mark.parametrize("tau", [5e-3, 20e-3, 100e-3])
def test_the_noise_of_rockpool_s_layers_is_1_63_times_what_they_call_it(tau: float, dt: float, x64: None) -> None:
    """Their current has the deviation 1.63 noise_std sqrt(2 tau/dt); the free membrane was measured at 1.58 to 1.67 noise_std."""
    published = 1.63 * 1e-3 * np.sqrt(2 * tau / dt)
    sigma = brian.sigma(1e-3, tau, dt)
    assert 1.58e-3 < sigma < 1.67e-3
    noise = F.membrane_noise(free(tau_mem=tau), sigma, KEY, dt=dt, shape=(1, 1))
    np.testing.assert_allclose(noise / jax.random.normal(jax.random.fold_in(KEY, 0), (1, 1)), published, rtol=1e-12)


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ({"sigma": -1.0}, ParameterError, r"`sigma` must be >= 0 V and finite; got -1\.0"),
        ({"sigma": np.array([1.0, np.nan])}, ParameterError, r"`sigma` must be .* got nan at index 1 of 2"),
        ({"dt": 0.0}, ParameterError, r"`dt` must be > 0 s"),
        ({"start": -1}, ParameterError, r"`start` must be from 0 to 2\*\*32 - 3, so that .*; got -1"),
        ({"start": 1.5}, DTypeError, r"`start` must be a whole number.*got the float 1\.5"),
        ({"key": 3}, DTypeError, r"`key` must be one key, such as `jax\.random\.key\(0\)`; got the int 3"),
        ({"key": jax.random.split(KEY, 2)}, DTypeError, r"`key` must be one key"),
        ({"params": F.IntegrateAndFireParams()}, DTypeError, r"`params` must be .*`v_leak`; got `IntegrateAndFireParams`\. Without a leak"),
        ({"params": 3.0}, DTypeError, r"`params` must be Params of a membrane"),
        ({"sgima": 1.0}, TypeError, r"Did you mean `sigma`"),
    ],
)
def test_what_makes_no_noise_is_refused(given: dict[str, Any], error: type[Exception], text: str) -> None:
    good = {"params": free(), "sigma": 1.0, "key": KEY, "dt": 1e-3, "shape": (3, 2)}
    with pytest.raises(error, match=text):
        F.membrane_noise(**{**good, **given})
