"""A few steps of every model and wrapper, step by step and without compiling, against the propagators of `gradient_reference`.

Fast, and sensitive to every operation of a step: `benchmarks/mutants.py` runs this file first.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gradient_reference import EQUATIONS, INTEGRATORS, Linear, propagator
from models import ALL, Case, name_of

import snnjax
import snnjax.functional as F

DT, STEPS, N = 1e-3, 14, 4
TO_VALUE = np.array([True, True, False, False])
RULES = {"hold": F.hold, "gate_input": F.gate_input, "clamp_to_reset": F.clamp_to_reset}
integrators = pytest.mark.parametrize("integrator", [F.exact, F.exponential_euler, F.euler, F.rk4], ids=lambda i: i.name)
NUMBERS = {
    "tau_mem": [5e-3, 12e-3, 20e-3, 9e-3], "tau_syn": [5e-3, 15e-3, 4e-3, 9e-3], "tau_th": [30e-3, 9e-3, 5e-3, 14e-3],
    "tau_w": [40e-3, 10e-3, 6e-3, 25e-3], "resistance": [1.3, 0.8, 1.1, 0.9], "v_leak": [-0.1, 0.1, 0.05, -0.2],
    "v_th": [0.9, 1.1, 0.7, 1.0], "v_reset": [-0.3, -0.1, -0.2, 0.1], "bias": [0.1, 0.2, -0.1, 0.05], "delta_th": [0.2, 0.1, 0.4, 0.3],
    "g_w": [0.0, 1.5, 0.5, 8.0], "delta_w": [0.3, 0.1, 0.5, 0.2],
}  # fmt: skip


def either_reset(v: Any, spikes: Any, params: Any) -> Any:
    return jnp.where(TO_VALUE, F.reset_to_value(v, spikes, params), F.reset_by_subtraction(v, spikes, params))


def numbers(neuron: F.Neuron) -> dict[str, np.ndarray]:
    return {name: np.array(NUMBERS[name]) for name in F.core(neuron.default())._fields}


def library(neuron: F.Neuron, params: Any, inputs: Any, integrator: F.Integrator, first: Any = ()) -> tuple[Any, np.ndarray]:
    """States and outputs of every step, none of it compiled."""
    state, seen = neuron.init(params, (N,), jnp.float64), []
    state = F.with_core(state, F.core(state)._replace(**{name: jnp.asarray(value) for name, value in dict(first).items()}))
    config = F.SpikingConfig(F.superspike(), either_reset, integrator)
    with jax.disable_jit():
        for t in range(STEPS):
            state, output = neuron.step(params, state, jax.tree.map(lambda leaf, t=t: leaf[t], inputs), dt=DT, config=config)
            seen.append((state, output))
    states, outputs = jax.tree.map(lambda *leaves: np.stack(leaves), *seen)
    return states, outputs


def by_hand(
    model: Linear, p: Any, x: Any, integrator: str, *, late: Any = None, rule: str = "", steps: Any = 0, first: Any = (0.0, 0.0)
) -> Any:
    """`v`, `e` and spikes of every step."""
    step = propagator(model, p, DT, integrator)
    alone = propagator(model._replace(rows=lambda p: ((0, 0, 0, 0), model.rows(p)[1])), p, DT, integrator)
    v, e, left, seen = np.full(N, 1.0) * first[0], np.full(N, 1.0) * first[1], np.zeros(N, int), []
    for t in range(STEPS):
        blocked, current = left > 0, np.zeros(N) if model.jump else x[t]
        e = e + x[t] if model.jump else e
        z = np.stack([v, e, current, np.ones(N)], -1)
        made_v, made_e, *_ = np.einsum("nab,nb->an", step, z)
        made_v = made_v if late is None else made_v + p["resistance"] * DT / p["tau_mem"] * late[t]
        if rule == "gate_input":
            without = np.einsum("nab,nb->an", step, z * [1, not model.jump, 0, 1])
            made_v, made_e = np.where(blocked, without[0], made_v), np.where(blocked, made_e if model.jump else without[1], made_e)
        elif rule:
            held = np.einsum("nab,nb->an", alone, z)
            made_v, made_e = np.where(blocked, v if rule == "hold" else p["v_reset"], made_v), np.where(blocked, held[1], made_e)
        threshold = p["v_th"] + (e if model.raises else 0.0) if model.fires else np.inf
        spikes = (made_v > threshold) & ~blocked
        if model.fires:
            made_v = np.where(spikes, np.where(TO_VALUE, p["v_reset"], made_v - (p["v_th"] - p["v_reset"])), made_v)
        v, e = made_v, made_e + (p[model.kick] * spikes if model.kick else 0.0)
        left = np.where(spikes, steps, np.maximum(left - 1, 0))
        seen.append((v, e, spikes))
    return [np.stack(leaves) for leaves in zip(*seen, strict=True)]


def drive(model: Linear, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).uniform(-1.0, 5.0, (STEPS, N))
    return 0.5 * noise if model.jump else 2.5 * noise


def close(ours: Any, theirs: Any) -> None:
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-14)


@integrators
@pytest.mark.parametrize("name", [name for name in EQUATIONS if name != "lif_refrac"])
def test_steps_of_a_model(name: str, integrator: F.Integrator, x64: None) -> None:
    neuron, model = F.MODELS[name], EQUATIONS[name]
    p = numbers(neuron)
    first = {"v": [0.3, -0.2, 0.1, 0.4]} | ({model.extra: [0.2, 0.1, 0.3, 0.0]} if model.extra else {})
    states, outputs = library(neuron, neuron.default(**p), drive(model), integrator, first)
    v, e, spikes = by_hand(model, p, drive(model), integrator.name, first=(np.array(first["v"]), np.array(first.get(model.extra, 0.0))))
    close(states.v, v)
    close(getattr(states, model.extra) if model.extra else e, e)
    if model.fires:
        assert spikes.any(0).all()
        np.testing.assert_array_equal(outputs, spikes)
    else:
        close(outputs, v)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", ["leaky", "lif", "adaptive_current_leaky"])
def test_steps_of_a_refractory_model(name: str, rule: str, x64: None) -> None:
    neuron, model, steps = F.refractory(getattr(F, name), RULES[rule]), EQUATIONS[name], np.array([3, 1, 2, 0])
    p = numbers(neuron)
    params = neuron.default(neuron=F.core(neuron.default())._replace(**p), t_ref=np.array([2.9, 1.4, 2.0, 0.0]) * DT)
    states, outputs = library(neuron, params, 2 * drive(model), F.exact)
    v, e, spikes = by_hand(model, p, 2 * drive(model), "exact", rule=rule, steps=steps, first=(p["v_leak"], 0.0))
    assert spikes.sum(0).min() >= 2
    np.testing.assert_array_equal(outputs, spikes)
    close(F.core(states).v, v)
    close(getattr(F.core(states), model.extra) if model.extra else e, e)
    assert states.steps_left.max() == 3 and states.steps_left.dtype == np.int32 and (states.steps_left[:, 3] == 0).all()


@integrators
@pytest.mark.parametrize("name", ["leaky", "integrate_and_fire", "adaptive_current_leaky"])
def test_steps_with_a_jump_or_a_charge_at_the_end(name: str, integrator: F.Integrator, x64: None) -> None:
    neuron, model = getattr(F, name), EQUATIONS[name]
    p, x, late = numbers(neuron) | {"g_w": np.zeros(N), "delta_w": np.zeros(N)}, drive(model), drive(model, 1)
    params = neuron.default(**{field: p[field] for field in neuron.default()._fields})
    states, _ = library(F.injected(neuron), params, F.Injected(x, held=0.5 * x, late=late), integrator)
    start = p.get("v_leak", p["v_reset"]), 0.0
    close(states.v, by_hand(model, p, 1.5 * x, integrator.name, late=late, first=start)[0])
    # A jump of v at the start of a step is what is left of it at the end; the membrane fires by then.
    jumps, silent = 0.02 * x, neuron.default(**{field: p[field] for field in neuron.default()._fields})._replace(v_th=np.full(N, 1e3))
    states, _ = library(F.delta(neuron), silent, jumps, integrator)
    step, v = propagator(model, p, DT, integrator.name), start[0]
    for t in range(STEPS):
        v = step[:, 0, 0] * (v + jumps[t]) + step[:, 0, 3]
        close(states.v[t], v)


def test_steps_of_lif_with_a_jump_of_the_membrane_and_currents_beside_the_synapse(x64: None) -> None:
    p, x, params = numbers(F.lif), drive(EQUATIONS["lif"]), F.LIFParams(**numbers(F.lif))._replace(v_th=np.full(N, 1e3))
    step, v, beside, late = propagator(EQUATIONS["lif"], p, DT, "exact"), p["v_leak"], p["v_leak"], drive(EQUATIONS["leaky"])
    jumped, injected = (
        library(F.delta(F.lif), params, x, F.exact)[0],
        library(F.injected(F.lif), params, F.Injected(None, x, late), F.exact)[0],
    )
    for t in range(STEPS):
        v = step[:, 0, 0] * (v + x[t]) + step[:, 0, 3]
        beside = step[:, 0, 0] * beside + step[:, 0, 3] + (1 - step[:, 0, 0]) * x[t] + DT / p["tau_mem"] * late[t]
        close(jumped.v[t], v)
        close(injected.v[t], beside)
    assert not jumped.i.any() and not injected.i.any()


@integrators
@pytest.mark.parametrize("name", ["leaky", "integrate_and_fire"])
def test_steps_behind_two_synapses(name: str, integrator: F.Integrator, x64: None) -> None:
    neuron, taus = F.synapses(getattr(F, name), 2), np.array([[5e-3, 15e-3, 4e-3, 9e-3], [20e-3, 3e-3, 7e-3, 6e-3]])
    p, x = numbers(neuron), drive(EQUATIONS["lif"])[:, None] * np.array([[1.0], [-0.3]])
    params = neuron.default(neuron=F.core(neuron.default())._replace(**p), tau_syn=taus)
    states, outputs = library(neuron, params, x, integrator)

    def one_synapse(p: Any) -> Any:
        v = EQUATIONS[name].rows(p)[0]
        return (v[0], p["resistance"] / p["tau_mem"], 0, v[3]), (0, -1 / p["tau_syn"], 0, 0)

    steps = [propagator(Linear(one_synapse), {**p, "tau_syn": tau}, DT, integrator.name) for tau in taus]
    v, i = p.get("v_leak", p["v_reset"]), np.zeros((2, N))
    for t in range(STEPS):
        i = i + x[t]
        v = steps[0][:, 0, 0] * v + steps[0][:, 0, 3] + sum(step[:, 0, 1] * i[s] for s, step in enumerate(steps))
        i = np.stack([step[:, 1, 1] * i[s] for s, step in enumerate(steps)])
        spikes = v > p["v_th"]
        v = np.where(spikes, np.where(TO_VALUE, p["v_reset"], v - (p["v_th"] - p["v_reset"])), v)
        close(states.neuron.v[t], v)
        close(states.i[t], i)
        np.testing.assert_array_equal(outputs[t], spikes)


def test_steps_of_a_recurrent_model(x64: None) -> None:
    neuron, weight = F.recurrent(F.lif), np.random.default_rng(5).normal(size=(N, N))
    p, x, model = numbers(neuron), drive(EQUATIONS["lif"]), EQUATIONS["lif"]
    states, outputs = library(neuron, neuron.default(neuron=F.LIFParams(**p), weight=weight), x, F.exact)
    before = np.vstack([np.zeros((1, N)), outputs[:-1]])
    v, i, spikes = by_hand(model, p, x + before @ weight, "exact", first=(p["v_leak"], 0.0))
    assert spikes[:-1].any(0).all()
    close(states.neuron.v, v)
    close(states.neuron.i, i)
    np.testing.assert_array_equal(outputs, spikes)
    np.testing.assert_array_equal(states.spikes, outputs)


def test_a_recurrent_model_with_synapses_sends_each_its_own(x64: None) -> None:
    neuron, weight = F.recurrent(F.synapses(F.leaky, 2)), np.random.default_rng(5).normal(size=(2, N, N))
    state = neuron.init(neuron.default(weight=weight), (N,), jnp.float64)._replace(spikes=jnp.array([1.0, 0.0, 1.0, 0.0]))
    state, _ = neuron.step(neuron.default(weight=weight), state, jnp.zeros((2, N)), dt=DT)
    decays = np.exp(-DT / np.array([[5e-3], [10e-3]]))
    close(state.neuron.i, decays * (weight[:, 0] + weight[:, 2]))


@pytest.mark.parametrize("name", EQUATIONS)
def test_the_first_state_is_at_rest(name: str) -> None:
    neuron = F.MODELS[name]
    params = neuron.default()
    params = F.with_core(params, F.core(params)._replace(**{f: 0.25 for f in ("v_leak", "v_reset") if f in F.core(params)._fields}))
    state = F.core(neuron.init(params, (2, 3)))
    assert (state.v == 0.25).all() and all((leaf == 0).all() for leaf in state[1:]) and {leaf.shape for leaf in state} == {(2, 3)}
    many = F.with_core(params, F.core(params)._replace(tau_mem=np.full(5, 0.01, np.float32)))
    assert {leaf.shape for leaf in jax.tree.leaves(neuron.init(many))} == {(5,)}


def test_wrappers_take_the_size_of_their_population_from_their_own_parameters() -> None:
    two = F.synapses(F.leaky, 2)
    assert [two.init(two.default(tau_syn=taus)).i.shape for taus in (np.ones(2), np.ones((2, 4)))] == [(2, 1), (2, 4)]
    assert F.recurrent(F.lif).init(F.recurrent(F.lif).default(weight=np.zeros((3, 3)))).spikes.shape == (3,)
    assert F.refractory(F.lif).init(F.refractory(F.lif).default(t_ref=np.zeros(5))).steps_left.shape == (5,)


@pytest.mark.parametrize("shape", [(5,), (2, 5), (3, 2, 5)], ids=str)
@pytest.mark.parametrize("case", [*ALL, Case(F.dynapse_dpi, F.DynapseParams())], ids=name_of)
def test_one_value_per_neuron_promotes_no_ranks(case: Case, shape: tuple[int, ...]) -> None:
    params = jax.tree.map(lambda leaf: jnp.full((5,), leaf) if np.shape(leaf) == () else jnp.asarray(leaf), case.params)
    state, x = case.neuron.init(params, shape), case.inputs(steps=1, shape=shape)[0]

    def step(params: Any, state: Any, x: Any) -> Any:
        return case.neuron.step(params, state, x, dt=DT)

    with jax.numpy_rank_promotion("raise"):
        tangent = jax.eval_shape(lambda *a: jax.jvp(lambda p: step(p, *a[1:]), a[:1], a[:1]), params, state, x)
    assert jax.tree.structure(tangent[0]) == jax.tree.structure(tangent[1])


def test_steps_much_longer_than_the_time_constants_of_synapses_have_finite_gradients() -> None:
    slopes = jax.grad(F.exact.mean, argnums=(0, 1))(1.0, 1e-7), jax.grad(F.exact.coupling, argnums=(0, 1, 2))(1.0, 1e-3, 1e-7)
    assert all(np.isfinite(slope) for slope in jax.tree.leaves(slopes))
    np.testing.assert_allclose(slopes[0], (-1e-7, 1.0), rtol=1e-5)


@pytest.mark.parametrize("dtype", ["no dtype", object()])
def test_what_is_no_dtype_of_a_state_is_refused(dtype: Any) -> None:
    with pytest.raises(snnjax.DTypeError, match="`dtype` must be a floating dtype") as caught:
        F.lif.init(F.LIFParams(), (2,), dtype)
    assert caught.value.field == "dtype"


def test_all_integrators_are_here() -> None:
    assert set(INTEGRATORS) == {"exact", "exponential_euler", "euler", "rk4"}
