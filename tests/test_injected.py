"""Currents beside a synaptic input."""

from __future__ import annotations

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from models import ALL

import snnjax.functional as F
from snnjax import DTypeError, ShapeError

DT = 1e-3
INSIDE = {
    case.name: case
    for case in ALL
    if case.name in ("leaky", "lif_refrac", "refractory(leaky, gate_input)", "recurrent(lif)", "synapses(recurrent(lif), 2)")
}
every_inside = pytest.mark.parametrize("name", INSIDE)


def given(name: str, steps: int = 40, shape: tuple[int, ...] = (2, 5), dtype: Any = np.float32) -> tuple[F.Neuron, Any, F.Injected]:
    case = INSIDE[name]
    random = np.random.default_rng(3)
    held, late = (jnp.asarray(random.normal(0.6, 0.8, (steps, *shape)), dtype) for _ in range(2))
    return F.injected(case.neuron), case.params, F.Injected(case.inputs(steps, shape, dtype, 0.5), held, late)


def test_the_compositions_of_this_file_exist() -> None:
    assert len(INSIDE) == 5


def both(state: Any, spikes: Any) -> Any:
    return state, spikes


def test_a_held_current_is_the_input_of_a_neuron_that_takes_currents() -> None:
    case = INSIDE["leaky"]
    inputs = case.inputs()
    whole = F.simulate(F.leaky, case.params, inputs, dt=DT, record=both)
    for injected in (F.Injected(inputs), F.Injected(held=inputs), inputs):
        chex.assert_trees_all_equal(F.simulate(F.injected(F.leaky), case.params, injected, dt=DT, record=both), whole)
    halves = F.Injected(0.5 * inputs, 0.5 * inputs)
    chex.assert_trees_all_close(F.simulate(F.injected(F.leaky), case.params, halves, dt=DT)[0].v, whole[0].v, atol=1e-5)


@pytest.mark.parametrize("tau_mem", [5e-3, 5.0])
def test_a_held_current_beside_a_synapse_is_the_closed_form_s(tau_mem: float, x64: None) -> None:
    params = F.LIFParams(tau_mem, tau_syn=4e-3, v_th=9.0)
    inputs = F.Injected(jnp.zeros((30, 1)).at[0].set(0.7), jnp.full((30, 1), 0.3))
    v = F.simulate(F.injected(F.lif), params, inputs, dt=DT, record=lambda state, spikes: state.v)[1][:, 0]
    t = DT * np.arange(1, 31)
    synapse = 0.7 * 4e-3 / (tau_mem - 4e-3) * (np.exp(-t / tau_mem) - np.exp(-t / 4e-3))
    np.testing.assert_allclose(v, synapse - 0.3 * np.expm1(-t / tau_mem), rtol=1e-12)


def test_a_late_charge_is_a_jump_at_the_end_of_its_step(x64: None) -> None:
    params = F.LeakyParams(tau_mem=10e-3, resistance=4.0, v_th=9.0)
    inputs = F.Injected(late=jnp.zeros((3, 1)).at[1].set(0.2))
    v = F.simulate(F.injected(F.leaky), params, inputs, dt=DT, record=lambda state, spikes: state.v)[1][:, 0]
    np.testing.assert_allclose(v, [0.0, 0.08, 0.08 * np.exp(-0.1)], rtol=1e-14)


def test_a_gated_neuron_gets_none_of_it(x64: None) -> None:
    neuron = F.injected(F.refractory(F.leaky, F.gate_input))
    params = F.RefractoryParams(F.LeakyParams(v_reset=-0.5), t_ref=2e-3)
    current = jnp.full((4, 1), 50.0)
    v = F.simulate(neuron, params, F.Injected(held=current, late=current), dt=DT, record=lambda state, spikes: state.neuron.v)[1][:, 0]
    np.testing.assert_allclose(v, [-0.5, -0.5 * np.exp(-0.05), -0.5 * np.exp(-0.1), -0.5], rtol=1e-14)


@every_inside
def test_a_run_in_pieces_equals_the_whole_bit_for_bit(name: str) -> None:
    neuron, params, inputs = given(name)
    whole = F.simulate(neuron, params, inputs, dt=DT, record=both)
    assert 0.01 < float(whole[1][1].mean()) < 0.6
    first, second = (jax.tree.map(lambda leaf, piece=piece: leaf[piece], inputs) for piece in (slice(17), slice(17, None)))
    middle, before = F.simulate(neuron, params, first, dt=DT, record=both)
    end, after = F.simulate(neuron, params, second, dt=DT, state=middle, record=both)
    chex.assert_trees_all_equal(end, whole[0])
    chex.assert_trees_all_equal(jax.tree.map(lambda a, b: jnp.concatenate([a, b]), before, after), whole[1])


@every_inside
def test_gradients_are_finite_and_reach_every_current(name: str) -> None:
    neuron, params, inputs = given(name)

    def loss(inputs: F.Injected) -> jax.Array:
        states, spikes = F.simulate(neuron, params, inputs, dt=DT, record=both)[1]
        return spikes.sum() + (F.core(states).v ** 2).sum()

    for gradient in jax.jit(jax.grad(loss))(inputs):
        assert jnp.isfinite(gradient).all() and jnp.abs(gradient).max() > 0


@pytest.mark.parametrize("wrapper", [F.refractory, F.recurrent, F.membrane, F.delta, F.injected, lambda n: F.synapses(n, 2)])
def test_injected_goes_around_the_other_wrappers(wrapper: Any) -> None:
    with pytest.raises(DTypeError, match=r"takes several kinds of input.*`F\.injected` goes around all other wrappers, once"):
        wrapper(F.injected(F.lif))


def test_the_same_wrapper_twice_is_the_same_object() -> None:
    assert F.injected(F.lif) is F.injected(neuron=F.lif)
    assert F.delta(F.lif) is F.delta(neuron=F.lif)


@pytest.mark.parametrize(
    ("neuron", "inputs", "error", "text"),
    [
        (F.lif, F.Injected(np.zeros((5, 4)), np.zeros((5, 3))), ShapeError, r"one shape \(T, ..., N\); got \{'inputs': \(5, 4\), 'held'"),
        (F.lif, F.Injected(), ShapeError, r"must hold arrays of one shape"),
        (F.lif, F.Injected(held=[0.0]), DTypeError, r"`inputs\.held` must be an array of real numbers; got the list"),
        (F.synapses(F.lif, 2), F.Injected(held=np.zeros((5, 4))), ShapeError, r"`inputs\.inputs` is missing: give the 2 synapses"),
        (F.synapses(F.lif, 2), F.Injected(np.zeros((5, 4)), np.zeros((5, 4))), ShapeError, r"\(2,\) synapses before the last axis"),
        (F.synapses(F.lif, 2), F.Injected(np.zeros((5, 3, 4)), np.zeros((5, 4))), ShapeError, r"must have shape \(T, ..., 2, N\)"),
    ],
)
def test_currents_that_do_not_fit_are_refused(neuron: F.Neuron, inputs: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        F.simulate(F.injected(neuron), F.injected(neuron).default(), inputs, dt=DT)
