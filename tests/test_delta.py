"""Delta synapses: an input is a jump of the membrane. In float64."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import snnjax.functional as F
from snnjax import DTypeError

DT = 1e-3


def potential(state: F.LeakyState, spikes: jax.Array) -> jax.Array:
    return F.core(state).v


@pytest.mark.parametrize("integrator", [F.exact, F.exponential_euler, F.euler, F.rk4], ids=lambda it: it.name)
def test_a_jump_decays_with_the_membrane_s_time_constant(integrator: F.Integrator, x64: None) -> None:
    """v_n = sum of J exp(-(n - k) dt/tau), whatever the resistance; an explicit integrator has its own decay."""
    tau, resistance = np.array([5e-3, 20e-3]), np.array([1.0, 3e8])
    jumps = jnp.zeros((40, 2)).at[0].set(0.4).at[7].set(-0.1)
    params = F.LeakyParams(tau_mem=tau, resistance=resistance, v_leak=-0.2, v_th=9.0)
    config = F.SpikingConfig(integrator=integrator)
    v = F.simulate(F.delta(F.leaky), params, jumps, dt=DT, config=config, record=potential)[1]
    decay, n = np.asarray(integrator.decay(DT, tau)), np.arange(40)[:, None]
    expected = 0.4 * decay ** (n + 1) - 0.1 * np.where(n >= 7, decay ** (n - 6.0), 0.0)
    np.testing.assert_allclose(v + 0.2, expected, rtol=0, atol=1e-14)


def test_a_membrane_without_leak_counts_jumps(x64: None) -> None:
    jumps = jnp.full((10, 1), 0.25)
    params = F.IntegrateAndFireParams(tau_mem=7e-3, resistance=2.0)
    spikes = F.simulate(F.delta(F.integrate_and_fire), params, jumps, dt=DT)[1]
    assert np.flatnonzero(spikes).tolist() == [4, 9]


@pytest.mark.parametrize("rule", [F.hold, F.gate_input, F.clamp_to_reset], ids=lambda rule: rule.name)
@pytest.mark.parametrize("outside", [True, False])
def test_a_refractory_neuron_does_not_take_a_jump_in(rule: F.Rule, outside: bool, x64: None) -> None:
    neuron = F.delta(F.refractory(F.leaky, rule)) if outside else F.refractory(F.delta(F.leaky), rule)
    params = F.RefractoryParams(F.LeakyParams(v_reset=-0.5), t_ref=3e-3)
    v = F.simulate(neuron, params, jnp.full((8, 1), 1.2), dt=DT, record=potential)[1][:, 0]
    decay = np.exp(-DT / 20e-3)
    left = -0.5 * (decay**3 if rule is F.gate_input else 1.0)
    assert v[0] == -0.5
    np.testing.assert_allclose(v[3], left, rtol=1e-14)
    np.testing.assert_allclose(v[4], (left + 1.2) * decay, rtol=1e-14)


def test_spikes_that_come_back_are_jumps_too(x64: None) -> None:
    ring = F.recurrent(F.delta(F.leaky))
    params = ring.default(weight=1.5 * jnp.roll(jnp.eye(3), 1, axis=1))
    kick = jnp.zeros((4, 3)).at[0, 0].set(1.5)
    assert F.simulate(ring, params, kick, dt=DT)[1].astype(int).tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]]


@pytest.mark.parametrize(
    ("neuron", "text"),
    [
        (F.synapses(F.leaky, 2), "has a synapse axis already"),
        (F.leaky_integrator, "does not spike"),
        (F.dynapse_dpi, "must be taken whole"),
    ],
    ids=["synapses", "readout", "whole"],
)
def test_what_cannot_have_delta_synapses_is_refused(neuron: F.Neuron, text: str) -> None:
    with pytest.raises(DTypeError, match=text):
        F.delta(neuron)


def test_a_membrane_without_a_time_constant_is_refused() -> None:
    from typing import NamedTuple

    class Params(NamedTuple):
        v_th: float = 1.0

    with pytest.raises(DTypeError, match="has no `tau_mem`, so `delta` cannot wrap it"):
        F.delta(F.leaky._replace(name="mine", default=Params))
