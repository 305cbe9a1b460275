"""Orders of convergence, and what a step does that is no propagator. In float64; Brian2's own figures are `convergence.npz`."""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import require_traces

import snnjax.functional as F
from snnjax import ParameterError

INTEGRATORS = {integrator.name: integrator for integrator in (F.exact, F.exponential_euler, F.euler, F.rk4)}
every_integrator = pytest.mark.parametrize("integrator", INTEGRATORS)


def orders(errors: np.ndarray) -> np.ndarray:
    """The order between one `dt` and its half."""
    return np.log2(errors[:-1] / errors[1:])


@pytest.mark.parametrize(("integrator", "order"), [("euler", 1.0), ("exponential_euler", 1.0), ("rk4", 4.0)])
def test_the_order_of_a_free_membrane_behind_its_synapse(integrator: str, order: float, x64: None) -> None:
    """From v = 0.3 and i = 1 without input for 40 ms; `exact` knows the answer."""
    dts = 0.8e-3 / 2.0 ** np.arange(5)
    params = F.LIFParams(tau_mem=10e-3, tau_syn=4e-3, v_th=9.0, bias=0.2)

    def end(dt: float, integrator: F.Integrator) -> float:
        config = F.SpikingConfig(integrator=integrator)
        return float(F.simulate(F.lif, params, jnp.zeros((round(40e-3 / dt), 1)), dt=dt, state=F.LIFState(0.3, 1.0), config=config)[0].v[0])

    errors = np.abs(np.array([end(dt, INTEGRATORS[integrator]) for dt in dts]) - end(dts[0], F.exact))
    assert errors.min() > 1e-13
    np.testing.assert_allclose(orders(errors), order, atol=0.3)
    np.testing.assert_allclose(orders(errors)[-1], order, atol=0.05)


def test_brian_finds_the_same_orders_on_a_model_of_its_own() -> None:
    known = np.load(require_traces("brian") / "convergence.npz")
    for integrator, order in (("euler", 1.0), ("exponential_euler", 1.0), ("rk4", 4.0)):
        np.testing.assert_allclose(orders(known[f"err_{integrator}"]), order, atol=0.3)


@pytest.mark.parametrize("integrator", ["euler", "exact", "rk4"])
def test_the_tenth_spike_is_as_far_off_as_brian_s(integrator: str, x64: None) -> None:
    """Resets happen on the grid, so spikes are first order in `dt`, whatever the integrator."""
    known = np.load(require_traces("brian") / "convergence.npz")
    period = 20.0 * np.log(3.0)
    for dt, error in zip(known["lif_dts"], known[f"lif10_{integrator}"], strict=True):
        params = F.LeakyParams(tau_mem=20e-3, v_th=10.0, bias=15.0)
        config = F.SpikingConfig(integrator=INTEGRATORS[integrator])
        spikes = F.simulate(F.leaky, params, jnp.zeros((round(223 / dt), 1)), dt=dt * 1e-3, config=config)[1]
        tenth = np.flatnonzero(spikes)[9]
        np.testing.assert_allclose(abs((tenth + 1) * dt - 10 * period), error, atol=1e-9)


@every_integrator
def test_gain_and_decay_add_up_to_one_and_a_mean_is_the_charge_that_left(integrator: str, x64: None) -> None:
    it, dt, tau = INTEGRATORS[integrator], 1e-3, jnp.array([1.1e-3, 7e-3, 3.0])
    np.testing.assert_allclose(it.decay(dt, tau) + it.gain(dt, tau), 1.0, rtol=1e-15)
    if integrator != "exponential_euler":  # it holds the current over the step while that decays
        np.testing.assert_allclose(it.mean(dt, tau) * dt / tau, it.gain(dt, tau), rtol=1e-14)


def test_rk4_is_four_stages_of_the_equations(x64: None) -> None:
    """Written out, for membrane and synapse together."""
    dt, tau_mem, tau_syn, v_inf = 1e-3, 7e-3, 3e-3, 0.4

    def slope(y: np.ndarray) -> np.ndarray:
        return np.array([(v_inf - y[0] + y[1]) / tau_mem, -y[1] / tau_syn])

    y = np.array([0.1, 0.9])
    k1 = slope(y)
    k2 = slope(y + dt / 2 * k1)
    k3 = slope(y + dt / 2 * k2)
    k4 = slope(y + dt * k3)
    params = F.LIFParams(tau_mem, tau_syn, v_leak=0.3, bias=0.1, v_th=5.0)
    state, _ = F.lif_step(params, F.LIFState(0.1, 0.9), 0.0, dt=dt, config=F.SpikingConfig(integrator=F.rk4))
    np.testing.assert_allclose([state.v, state.i], y + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4), rtol=1e-14)


@pytest.mark.parametrize(
    ("integrator", "factor", "text"),
    [
        ("euler", 1.5, "`euler` oscillates around the solution"),
        ("euler", 2.5, "`euler` diverges"),
        ("rk4", 1.5, "`rk4` is far from the solution"),
        ("rk4", 2.8, "`rk4` diverges"),
    ],
)
def test_a_step_that_is_too_long_for_an_explicit_integrator_is_refused(integrator: str, factor: float, text: str) -> None:
    params, config = F.LeakyParams(tau_mem=10e-3), F.SpikingConfig(integrator=INTEGRATORS[integrator])
    with pytest.raises(ParameterError, match=text) as refusal:
        F.simulate(F.leaky, params, np.zeros((3, 1), np.float32), dt=factor * 10e-3, config=config)
    assert refusal.value.field == "dt"
    jax.jit(lambda x: F.simulate(F.leaky, params, x, dt=10e-3, config=config))(np.zeros((3, 1), np.float32))


@every_integrator
@pytest.mark.parametrize("current", [F.Early, F.Late])
def test_a_charge_at_either_end_of_a_step_is_a_jump(current: Any, integrator: str, x64: None) -> None:
    it, dt, tau = INTEGRATORS[integrator], 1e-3, 8e-3
    jump = 0.3
    left = it.decay(dt, tau) if current is F.Early else 1.0
    v = F.relax(it, dt, jnp.zeros(()), 0.0, tau, (current(jump * tau / dt / 5.0),), resistance=5.0)
    np.testing.assert_allclose(v, jump * left, rtol=1e-14)
    np.testing.assert_allclose(current(2.0).charge(it, dt, tau), 2.0 * dt / tau, rtol=1e-15)


def test_the_float32_propagator_is_right_to_3e_7_where_the_textbook_form_is_to_1e_4() -> None:
    """On the 120 recorded points as float32 holds them, against 60 digits. Measured: 2.6e-7 (a rounding is 0.6e-7) and 1.2e-4."""
    known = np.load(require_traces("brian") / "propagators.npz")
    dt, tau_mem, tau_syn = (jnp.asarray(known[name], jnp.float32) for name in ("h", "tau_m", "tau_s"))
    right = []
    with localcontext(prec=60):
        for h, m, s in zip(*(map(Decimal, np.asarray(values, float)) for values in (dt, tau_mem, tau_syn)), strict=True):
            s = s + (s == m) * s * Decimal("1e-25")
            right.append(float(s / (m - s) * ((-h / m).exp() - (-h / s).exp())))
    error = np.abs(np.asarray(F.exact.coupling(dt, tau_mem, tau_syn), float) / right - 1.0)
    assert error.max() < 3e-7
    apart = np.asarray(jnp.abs(tau_syn / tau_mem - 1.0)) > 0.05
    textbook = tau_syn / (tau_mem - tau_syn) * (jnp.exp(-dt / tau_mem) - jnp.exp(-dt / tau_syn))
    assert np.abs(np.asarray(textbook, float) / right - 1.0)[apart].max() > 5e-5
