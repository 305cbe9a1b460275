"""A membrane without firing and reset: closed forms, and that everything takes it like any other neuron."""

from __future__ import annotations

from pathlib import Path

import chex
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import snnjax
import snnjax.functional as F
from snnjax import fit, somas
from snnjax.somas._neuron_names import neuron_named

DT = 1e-3
STRONG = jnp.asarray(np.random.default_rng(0).normal(size=(80, 2, 3), scale=30.0), jnp.float32)


@pytest.mark.parametrize("integrator", [F.exact, F.exponential_euler, F.euler], ids=lambda i: i.name)
def test_the_membrane_of_lif_is_the_leaky_integrator(integrator: F.Integrator) -> None:
    config = F.SpikingConfig(integrator=integrator)
    params = F.MembraneParams(F.LIFParams(tau_mem=11e-3, v_leak=-0.5, bias=0.2))
    state, v = F.simulate(F.membrane(F.lif), params, STRONG, dt=DT, config=config)
    other = F.LeakyIntegratorParams(tau_mem=11e-3, v_leak=-0.5, bias=0.2)
    wanted = F.simulate(F.leaky_integrator, other, STRONG, dt=DT, config=config)
    chex.assert_trees_all_equal((state.neuron.v, state.neuron.i, v), (wanted[0].v, wanted[0].i, wanted[1]))
    assert v.max() > 2.0  # it would have fired


def test_the_membrane_of_leaky_charges_along_the_exponential(x64: None) -> None:
    params = F.MembraneParams(F.LeakyParams(tau_mem=8e-3, resistance=2.0, v_leak=0.5))
    v = F.simulate(F.membrane(F.leaky), params, jnp.full((60, 1), 3.0), dt=DT)[1][:, 0]
    np.testing.assert_allclose(v, 0.5 - 6.0 * np.expm1(-DT * np.arange(1, 61) / 8e-3), rtol=1e-12)


def test_the_membrane_of_integrate_and_fire_is_a_running_sum(x64: None) -> None:
    params = F.MembraneParams(F.IntegrateAndFireParams(tau_mem=1.0, resistance=4.0))
    inputs = STRONG.astype(float)
    v = F.simulate(F.membrane(F.integrate_and_fire), params, inputs, dt=DT)[1]
    np.testing.assert_allclose(v, 4e-3 * np.cumsum(inputs, axis=0), atol=1e-12)


def test_threshold_reset_and_surrogate_have_no_say() -> None:
    inputs, neuron = STRONG, F.membrane(F.adaptive_leaky)
    low = neuron.default(neuron=F.AdaptiveLeakyParams(v_th=0.1, v_reset=-3.0, delta_th=9.0))
    plain = F.simulate(neuron, neuron.default(), inputs, dt=DT)
    chex.assert_trees_all_equal(
        plain, F.simulate(neuron, low, inputs, dt=DT, config=F.SpikingConfig(F.heaviside(), F.reset_by_subtraction))
    )
    gradient = jax.grad(lambda p: (F.simulate(neuron, p, inputs, dt=DT)[1] ** 2).sum())(low)
    assert not gradient.neuron.v_th and not gradient.neuron.delta_th and gradient.neuron.tau_mem


def test_several_synapses_drive_it_by_their_sum(x64: None) -> None:
    neuron = F.membrane(F.synapses(F.leaky, 2))
    taus = jnp.array([2e-3, 2e-3])
    inputs = jnp.asarray(np.random.default_rng(2).normal(size=(50, 2, 3)))
    params = F.MembraneParams(F.SynapsesParams(F.LeakyParams(), taus))
    v = F.simulate(neuron, params, inputs, dt=DT)[1]
    lone = F.simulate(F.leaky_integrator, F.LeakyIntegratorParams(tau_syn=2e-3), inputs.sum(1), dt=DT)[1]
    np.testing.assert_allclose(v, lone, atol=1e-13)


@pytest.mark.parametrize("inner, what", [(F.lif_refrac, "a refractory period"), (F.synapses(F.recurrent(F.lif), 2), "recurrence")])
def test_what_needs_spikes_is_refused(inner: F.Neuron, what: str) -> None:
    with pytest.raises(snnjax.DTypeError, match=rf"`neuron` '.*' has {what}, which needs spikes.*Give the model inside") as caught:
        F.membrane(inner)
    assert (caught.value.field, caught.value.value) == ("neuron", inner.name)
    assert neuron_named(f"membrane({inner.name})") is None


def test_only_spiking_models_have_a_membrane_to_bare_and_it_cannot_be_wrapped_again() -> None:
    with pytest.raises(snnjax.DTypeError, match=r"'leaky_integrator' does not spike, so `membrane` cannot wrap it"):
        F.membrane(F.leaky_integrator)
    for wrap in (F.refractory, F.recurrent, F.membrane, lambda neuron: F.synapses(neuron, 2)):
        with pytest.raises(snnjax.DTypeError, match=r"'membrane\(lif\)' does not spike"):
            wrap(F.membrane(F.lif))


@pytest.mark.parametrize("inner", [F.lif, F.integrate_and_fire, F.synapses(F.leaky, 3)], ids=lambda n: n.name)
def test_a_soma_of_it_is_configured_fitted_trained_and_saved_like_any_other(inner: F.Neuron, tmp_path: Path) -> None:
    neuron = F.membrane(inner)
    made = somas.config_class(neuron, "ReadoutConfig")
    assert neuron_named(neuron.name) is neuron is F.membrane(inner)
    config = made(shape=(3,), tau_mem=somas.Uniform(5e-3, 20e-3), integrator=F.euler)
    assert made.from_json(config.to_json()) == config and "reset" not in config.to_dict()["choices"]
    readout = config.build(jax.random.key(0))
    net = somas.Sequential([readout, eqx.nn.Linear(3, 2, key=jax.random.key(1))])
    inputs = jnp.ones((30, 2, *neuron.ports, 3))
    somas.save(tmp_path / "net", net)
    again = somas.load(tmp_path / "net")
    assert bool(eqx.tree_equal(again, net))
    chex.assert_trees_all_equal(again.simulate(inputs, dt=DT), net.simulate(inputs, dt=DT))
    chex.assert_trees_all_close(fit.constrain(net, fit.unconstrain(net)), net, rtol=1e-5)
    assert jax.tree.leaves(somas.trainable(net, kinds="time_constant"))
