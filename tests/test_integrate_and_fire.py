"""What a membrane without leak must do, on paper. In float64 unless it says otherwise."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

import snnjax.functional as F

DT = 1e-3


def steps_of_spikes(spikes: np.ndarray) -> list[np.ndarray]:
    return [np.flatnonzero(train) for train in np.asarray(spikes).T]


@pytest.mark.parametrize("t_ref", [0.0, 3e-3])
def test_under_a_constant_current_it_fires_at_every_crossing_of_the_line(t_ref: float, x64: None) -> None:
    current, tau = (axis.ravel() for axis in np.meshgrid([0.0317, 0.4131, 2.7183], [7.3e-3, 19.7e-3, 0.3141], indexing="ij"))
    rise = DT * 2.5 * (current + 0.1) / tau
    gap = 1.0 + 0.3
    assert (np.abs(gap / rise - np.round(gap / rise)) > 1e-6).all()
    isi = np.floor(gap / rise).astype(int) + 1 + round(t_ref / DT)
    params = F.RefractoryParams(F.IntegrateAndFireParams(tau, resistance=2.5, v_th=1.0, v_reset=-0.3, bias=0.1), t_ref)
    inputs = jnp.broadcast_to(current, (3 * int(isi.max()), len(current)))
    spikes = F.simulate(F.refractory(F.integrate_and_fire), params, inputs, dt=DT)[1]
    for steps, wanted in zip(steps_of_spikes(spikes), isi, strict=True):
        assert steps[0] == wanted - 1 - round(t_ref / DT)  # it starts at `v_reset`
        np.testing.assert_array_equal(np.diff(steps), wanted)


def test_with_reset_by_subtraction_no_charge_is_lost(x64: None) -> None:
    current = np.random.default_rng(0).uniform(0.0, 0.9, (400, 6))
    params = F.IntegrateAndFireParams(tau_mem=DT, v_th=0.7, v_reset=-0.3)
    config = F.SpikingConfig(reset=F.reset_by_subtraction)
    state, spikes = F.simulate(F.integrate_and_fire, params, current, dt=DT, config=config)
    np.testing.assert_allclose(state.v + 0.3 + spikes.sum(0), current.sum(0), atol=1e-12)
    assert spikes.sum() > 100


def test_a_negative_bias_is_a_leak_of_constant_speed(x64: None) -> None:
    params = F.IntegrateAndFireParams(tau_mem=10e-3, resistance=3.0, bias=-0.2)
    inputs = jnp.zeros((20, 1)).at[0].set(3.0)
    v = F.simulate(F.integrate_and_fire, params, inputs, dt=DT, record=lambda state, spikes: state.v)[1][:, 0]
    np.testing.assert_allclose(v, 0.9 - 0.06 * np.arange(1, 21), atol=1e-12)


@pytest.mark.parametrize("tau_syn", [0.2e-3, 5e-3, 300.0])
def test_a_decaying_current_adds_its_whole_charge_however_long_the_step(tau_syn: float, x64: None) -> None:
    neuron = F.synapses(F.integrate_and_fire, 1)
    params = neuron.default(neuron=F.IntegrateAndFireParams(resistance=2.0, v_th=1e9), tau_syn=jnp.array([tau_syn]))
    for dt in (0.1e-3, 2e-3):
        time = dt * np.arange(1, 51)
        inputs = jnp.zeros((50, 1, 1)).at[0].set(0.7)
        v = F.simulate(neuron, params, inputs, dt=dt, record=lambda state, spikes: F.core(state).v)[1][:, 0]
        np.testing.assert_allclose(v, 2.0 * 0.7 * tau_syn / 20e-3 * -np.expm1(-time / tau_syn), rtol=1e-12)


def test_it_is_the_limit_of_the_leaky_neuron_with_a_long_time_constant(x64: None) -> None:
    inputs = jnp.asarray(np.random.default_rng(1).normal(size=(100, 5)))
    long, stretched = 1e9, 1e9 / 20e-3
    params = F.LeakyParams(tau_mem=long, resistance=stretched, bias=0.3)
    leaky = F.simulate(F.leaky, params, inputs, dt=DT, record=lambda state, spikes: (state.v, spikes))[1]
    ours = F.simulate(
        F.integrate_and_fire, F.IntegrateAndFireParams(bias=0.3), inputs, dt=DT, record=lambda state, spikes: (state.v, spikes)
    )[1]
    np.testing.assert_allclose(ours[0], leaky[0], atol=1e-9)
    np.testing.assert_array_equal(ours[1], leaky[1])
