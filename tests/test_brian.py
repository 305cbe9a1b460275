"""What `snnjax.interop.brian` says about counting, order and defaults, and what it refuses."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import snnjax.functional as F
from snnjax import ConfigError, ParameterError, ShapeError
from snnjax.interop import brian, rockpool


def test_of_the_two_published_biases_one_fires_and_one_reaches_the_threshold(x64: None) -> None:
    """15 mA: first crossing at 20 ms ln 3 = 21.97 ms, in step 219. 10 mA: the potential tends to the threshold."""
    assert brian.ffiaf().neuron.bias == brian.BIAS_IN_CODE == 15e-3
    params = brian.ffiaf(bias=np.array([brian.BIAS_IN_CODE, brian.BIAS_IN_DOCUMENTATION]))
    state, spikes = F.simulate(F.refractory(F.leaky), params, jnp.zeros((6000, 2)), dt=1e-4)
    assert np.flatnonzero(spikes[:, 0])[:2].tolist() == [219, 439]
    assert not spikes[:, 1].any()
    np.testing.assert_allclose(state.neuron.v[1], -55e-3, rtol=1e-12)


def test_rockpool_s_layers_are_found_under_rockpool_too() -> None:
    names = {"ffiaf", "ffiaf_constant_leak", "ffiaf_spk_in", "rec_iaf", "rec_iaf_spk_in", "BIAS_IN_CODE", "BIAS_IN_DOCUMENTATION"}
    assert all(getattr(rockpool, name) is getattr(brian, name) for name in names) and names <= set(rockpool.__all__)


def test_defaults_are_the_layers_own() -> None:
    assert brian.ffiaf() == F.RefractoryParams(F.LeakyParams(20e-3, 1.0, -65e-3, -55e-3, -65e-3, 15e-3), 0.0)
    assert brian.ffiaf_spk_in() == F.RefractoryParams(F.LIFParams(20e-3, 20e-3, -65e-3, -55e-3, -65e-3, 10e-3), 0.0)
    assert brian.ffiaf_constant_leak().neuron == F.IntegrateAndFireParams(20e-3, 1.0, -55e-3, -65e-3, 15e-3)
    recurrent = brian.rec_iaf(np.zeros((2, 2)))
    assert recurrent.neuron.neuron == F.LIFParams(20e-3, 50e-3, -65e-3, -55e-3, -65e-3, 10.5e-3)
    both = brian.rec_iaf_spk_in(np.zeros((2, 2)))
    assert both.neuron.neuron == recurrent.neuron
    np.testing.assert_allclose(both.tau_syn, [50e-3])


# refractory in steps of 0.1 ms: blocked steps as Brian2 counts, and as `round` does.
COUNTS = {0.0: (0, 0), 0.4: (0, 0), 1.0: (0, 1), 1.5: (0, 2), 2.0: (1, 2), 2.5: (1, 2), 2.9995: (2, 3), 20.0: (19, 20), 50.0: (49, 50)}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("dt", [1e-4, 1e-3, 0.37e-3])
def test_both_conventions_count_as_their_formulas_say(dt: float, dtype: Any, x64: None) -> None:
    t_ref = np.array(list(COUNTS), dtype) * dtype(dt)
    frozen, rounded = np.array(list(COUNTS.values())).T
    np.testing.assert_array_equal(F.refractory_steps(t_ref, dtype(dt), "brian"), frozen)
    np.testing.assert_array_equal(F.refractory_steps(t_ref, dtype(dt)), rounded)
    np.testing.assert_array_equal(F.refractory_steps(t_ref, dtype(dt), convention="frozen"), rounded)
    for steps, wanted in zip(COUNTS, frozen, strict=True):
        for period in (steps * dt, dtype(steps * dt), jnp.asarray(steps * dt, dtype)):
            assert int(F.refractory_steps(brian.frozen(period, dt), dt)) == wanted


@pytest.mark.parametrize("refractory", [0.0, 0.1e-3, 0.2e-3, 2e-3, 5e-3])
def test_the_interval_between_spikes_is_brian_s(refractory: float, x64: None) -> None:
    """`n_rise + max(r - 1, 0)` steps; the first spike does not know of `r`."""
    params = brian.ffiaf(refractory=refractory)
    spikes = F.simulate(F.refractory(F.leaky), params, jnp.zeros((1000, 1)), dt=1e-4)[1]
    r = round(refractory / 1e-4)
    assert np.flatnonzero(spikes)[:2].tolist() == [219, 219 + 220 + max(r - 1, 0)]


def test_a_convention_that_there_is_not_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"`convention` must be 'frozen' or 'brian'; got the str 'brain'\. Did you mean `brian`\?"):
        F.refractory_steps(1e-3, 1e-4, convention="brain")
    with pytest.raises(TypeError, match="Did you mean `convention`"):
        F.refractory_steps(1e-3, 1e-4, conventoin="brian")  # type: ignore[call-arg]


def test_no_gradient_passes_through_a_count_of_steps() -> None:
    for convention in ("frozen", "brian"):
        assert jax.grad(lambda t, c=convention: F.refractory_steps(t, 1e-4, c).astype(float))(2e-3) == 0.0
    params = jax.jit(lambda t: brian.ffiaf(refractory=t).t_ref)(2e-3)
    np.testing.assert_allclose(params, 1.9e-3, rtol=1e-6)


def test_arrivals_in_pieces_are_those_of_the_whole() -> None:
    jumps = jnp.arange(24.0).reshape(6, 2, 2)
    pieces = brian.arrivals(jumps[:4]), brian.arrivals(jumps[4:], before=jumps[3])
    np.testing.assert_array_equal(jnp.concatenate(pieces), brian.arrivals(jumps))
    np.testing.assert_array_equal(brian.arrivals(jumps)[1:], jumps[:-1])
    assert not brian.arrivals(jumps)[0].any()


def test_rk4_inputs_in_pieces_are_those_of_the_whole_if_the_next_sample_is_given() -> None:
    current = jnp.asarray(np.random.default_rng(0).normal(size=(9, 3)), jnp.float32)
    whole = brian.rk4_inputs(current)
    pieces = brian.rk4_inputs(current[:5], after=current[5]), brian.rk4_inputs(current[5:])
    for a, b in zip(jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *pieces), whole, strict=True):
        np.testing.assert_array_equal(a, b) if a is not None else None
    assert not brian.rk4_inputs(current[:5]).late[-1].any()


def test_stage_four_reads_the_next_sample(x64: None) -> None:
    """One step of classical Runge-Kutta, written out."""
    tau, dt, now, following = 7e-3, 1e-3, 0.3, 0.9

    def slope(v: float, current: float) -> float:
        return (2.0 * current - v) / tau

    v = 0.2
    k1 = slope(v, now)
    k2 = slope(v + dt / 2 * k1, now)
    k3 = slope(v + dt / 2 * k2, now)
    k4 = slope(v + dt * k3, following)
    params, config = F.LeakyParams(tau, resistance=2.0, v_th=9.0), F.SpikingConfig(integrator=F.rk4)
    inputs = brian.rk4_inputs(jnp.array([[now], [following]]))
    first = jax.tree.map(lambda leaf: leaf[:1], inputs)
    state, _ = F.simulate(F.injected(F.leaky), params, first, dt=dt, state=F.LeakyState(v), config=config)
    np.testing.assert_allclose(state.v[0], v + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4), rtol=1e-14)


def test_the_recurrent_layer_with_currents_is_its_equations(x64: None) -> None:
    """RecIAFBrian: the external current enters unweighted and held; a spike of step k moves the membrane from k + 1 on."""
    weights = 1e-3 * np.random.default_rng(1).normal(2.0, 6.0, (4, 4))
    current = 1e-3 * np.random.default_rng(2).normal(0.0, 8.0, (3000, 4))
    params = brian.rec_iaf(weights, refractory=1e-3)
    neuron, inputs = F.injected(F.recurrent(F.lif_refrac)), F.Injected(held=current)
    spikes, v = map(np.asarray, F.simulate(neuron, params, inputs, dt=1e-4, record=lambda s, z: (z, F.core(s).v))[1])
    decay_m, decay_s = np.exp(-1e-4 / 20e-3), np.exp(-1e-4 / 50e-3)
    coupling = 50e-3 / (20e-3 - 50e-3) * (decay_m - decay_s)
    potential, synapse, last = np.full(4, -65e-3), np.zeros(4), np.full(4, -(10**6))
    for k in range(3000):
        x = -65e-3 + 10.5e-3 + current[k]
        ready = k - last >= 10
        potential = np.where(ready, x + (potential - x) * decay_m + coupling * synapse, potential)
        fired = (potential > -55e-3) & ready
        last = np.where(fired, k, last)
        synapse = synapse * decay_s + fired @ weights
        potential = np.where(fired, -65e-3, potential)
        np.testing.assert_array_equal(spikes[k] > 0, fired)
        np.testing.assert_allclose(v[k], potential, rtol=0, atol=1e-14)
    assert spikes.sum() > 20


@pytest.mark.parametrize("r", [0, 1, 2, 20])
def test_delta_synapses_of_a_refractory_neuron_in_brian_s_order(r: int, x64: None) -> None:
    """Brian2's step, written out: update, threshold, synapses, reset. A jump is lost in the step of a spike and while refractory.

    So a jump is lost in `max(r, 1)` of our steps, and the membrane held in `max(r - 1, 0)` of them: two wrappers.
    """
    dt, steps = 1e-4, 4000
    jumps = np.where(np.random.default_rng(4).random((steps, 3)) < 0.06, [3e-3, 4e-3, 6e-3], 0.0)
    layer = brian.ffiaf(bias=4e-3, refractory=r * dt, dt=dt)
    neuron = F.refractory(F.refractory(F.delta(F.leaky)), F.gate_input)
    params = F.RefractoryParams(layer, t_ref=max(r, 1) * dt)
    record = F.simulate(neuron, params, brian.arrivals(jumps), dt=dt, record=lambda s, z: (z, F.core(s).v))[1]
    spikes, v = map(np.asarray, record)
    potential, last, rest = np.full(3, -65e-3), np.full(3, -(10**6)), -65e-3 + 4e-3
    for k in range(steps):
        ready = k - last >= r
        potential = np.where(ready, rest + (potential - rest) * np.exp(-dt / 20e-3), potential)
        fired = (potential > -55e-3) & ready
        last = np.where(fired, k, last)
        taken = np.where(ready & ~fired, jumps[k], 0.0)
        potential = np.where(fired, -65e-3, potential + taken)
        np.testing.assert_array_equal(spikes[k] > 0, fired)
        np.testing.assert_allclose(v[k] + taken, potential, rtol=0, atol=1e-14)
    assert spikes.sum() > 50


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: brian.ffiaf(tau_mem=0.0), r"`tau_mem` must be > 0 s and finite; got 0\.0"),
        (lambda: brian.ffiaf(refractory=-1e-3), r"`refractory` must be >= 0 s"),
        (lambda: brian.ffiaf(dt=0.0), r"`dt` must be > 0 s"),
        (lambda: brian.ffiaf(bias=np.array([1.0, np.inf])), r"`bias` must be finite; got inf at index 1 of 2"),
        (lambda: brian.ffiaf_spk_in(tau_syn=-1.0), r"`tau_syn` must be > 0 s"),
        (lambda: brian.rec_iaf(np.full((2, 2), np.nan)), r"`weights` must be finite"),
        (lambda: brian.rec_iaf_spk_in(np.zeros((2, 2)), tau_syn_inp=0.0), r"`tau_syn_inp` must be > 0 s"),
        (lambda: brian.delta_th(1.0, 0.0, 1e-4), r"`tau_th` must be > 0 s"),
        (lambda: brian.sigma(-1.0, 1e-2, 1e-4), r"`noise_std` must be >= 0 V"),
    ],
)
def test_bad_numbers_are_refused_in_the_layers_names(call: Any, text: str) -> None:
    with pytest.raises(ParameterError, match=text):
        call()


def test_misspelt_and_misshapen_arguments_are_refused() -> None:
    with pytest.raises(TypeError, match="Did you mean `v_thresh`"):
        brian.ffiaf(v_tresh=-55e-3)  # type: ignore[call-arg]
    with pytest.raises(ShapeError, match=r"`before` must have the shape \(3,\) of one step; got \(2,\)"):
        brian.arrivals(jnp.zeros((5, 3)), before=jnp.zeros(2))
    with pytest.raises(ShapeError, match=r"`after` must have the shape \(3,\) of one step; got \(\)"):
        brian.rk4_inputs(jnp.zeros((5, 3)), after=1.0)
