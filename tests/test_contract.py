"""What every model of the library promises, and every composition of the wrappers."""

from __future__ import annotations

from typing import Any

import chex
import jax
import jax.numpy as jnp
import jaxlib
import numpy as np
import pytest
from models import ALL, MODELS, SPIKING, Case, differentiable, jumps, parameters_of

import snnjax.functional as F
from snnjax._kinds import kinds_of

every_model = pytest.mark.parametrize("case", parameters_of(ALL))
every_spiking_model = pytest.mark.parametrize("case", parameters_of(SPIKING))
DT = 1e-3


def run(case: Case, inputs: Any, params: Any = None, **options: Any) -> Any:
    return F.simulate(case.neuron, case.params if params is None else params, inputs, dt=DT, **options)


def both(state: Any, output: Any) -> Any:
    """A `record` that keeps everything."""
    return state, output


def loss(case: Case, params: Any, inputs: Any, state: Any = None, **options: Any) -> jax.Array:
    """Something that every parameter has a say in: outputs and membranes, weighted by position."""
    _, (states, outputs) = run(case, inputs, params, state=state, record=both, **options)
    ramp = jnp.linspace(-1.0, 1.0, outputs.size, dtype=outputs.dtype).reshape(outputs.shape)
    return (ramp * outputs).sum() + (F.core(states).v ** 2).sum()


@every_model
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64, jnp.bfloat16], ids=lambda d: d.__name__)
def test_structure_shape_and_dtype_of_the_state_are_kept(case: Case, dtype: Any) -> None:
    with jax.enable_x64(dtype is jnp.float64):
        state = case.neuron.init(case.params, (2, 5), dtype)
        new, outputs = run(case, case.inputs(), state=state)
        chex.assert_trees_all_equal_shapes_and_dtypes(state, new)
        assert outputs.shape == (60, 2, 5)
        assert outputs.dtype == dtype


@every_model
def test_numpy_float64_parameters_under_x64_keep_a_float32_state(case: Case, x64: None) -> None:
    params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), case.params)
    state = case.neuron.init(case.params, (2, 5), jnp.float32)
    new, outputs = run(case, case.inputs(dtype=np.float64), params, state=state)
    chex.assert_trees_all_equal_shapes_and_dtypes(state, new)
    assert outputs.dtype == jnp.float32


@every_model
def test_one_value_for_all_is_the_same_as_one_value_each(case: Case) -> None:
    params = jax.tree.map(lambda leaf: jnp.full((5,), leaf) if np.shape(leaf) == () else leaf, case.params)
    chex.assert_trees_all_equal(run(case, case.inputs()), run(case, case.inputs(), params))


@every_spiking_model
def test_without_input_the_model_rests_and_is_silent(case: Case) -> None:
    start = case.neuron.init(case.params, (2, 5))
    state, spikes = run(case, jnp.zeros_like(case.inputs()))
    chex.assert_trees_all_equal(state, start)
    assert not spikes.any()


@every_spiking_model
def test_the_drive_of_these_tests_makes_it_spike(case: Case) -> None:
    spikes = run(case, case.inputs())[1]
    assert set(np.unique(spikes)) == {0.0, 1.0}
    assert 0.01 < float(spikes.mean()) < 0.5


@every_model
def test_jit_of_a_run_equals_the_run_bit_for_bit(case: Case) -> None:
    # The parameters are arguments: as constants of the program XLA would fold `exp(-dt/tau)`, and round it differently.
    jitted = jax.jit(lambda params, dt, x: F.simulate(case.neuron, params, x, dt=dt, record=both))(case.params, DT, case.inputs())
    chex.assert_trees_all_equal(jitted, run(case, case.inputs(), record=both))


@every_model
def test_a_loop_over_jitted_steps_equals_the_run_bit_for_bit(case: Case) -> None:
    inputs = case.inputs(steps=20)
    step = jax.jit(case.neuron.step)
    state = case.neuron.init(case.params, (2, 5), jnp.float32)
    for x in inputs:
        state, _ = step(case.params, state, x, dt=DT)
    chex.assert_trees_all_equal(state, run(case, inputs)[0])


@every_model
def test_a_step_without_jit_differs_by_rounding_only(case: Case) -> None:
    inputs = case.inputs(steps=8)
    state = case.neuron.init(case.params, (2, 5), jnp.float32)
    with jax.disable_jit():
        for x in inputs:
            state, _ = case.neuron.step(case.params, state, x, dt=DT)
    chex.assert_trees_all_close(state, run(case, inputs)[0], atol=2e-6)


def assert_same_products(case: Case, actual: Any, expected: Any) -> None:
    """To the bit; but XLA before jaxlib 0.10.2 may round the products of a batch and those of one row otherwise."""
    if "recurrent" in case.neuron.name and jaxlib.version.__version_info__ < (0, 10, 2):
        chex.assert_trees_all_close(actual, expected, rtol=1e-6, atol=1e-6)
    else:
        chex.assert_trees_all_equal(actual, expected)


@every_model
def test_vmap_equals_a_loop_bit_for_bit(case: Case) -> None:
    inputs = case.inputs(shape=(3, 5))
    state, recorded = jax.vmap(lambda x: run(case, x, record=both), in_axes=1)(inputs)
    for k in range(3):
        alone = run(case, inputs[:, k], record=both)
        assert_same_products(case, jax.tree.map(lambda leaf, k=k: leaf[k], (state, recorded)), alone)


@every_model
@pytest.mark.parametrize("cut", [0, 23])
def test_a_run_in_two_pieces_equals_the_whole_bit_for_bit(case: Case, cut: int) -> None:
    inputs = case.inputs()
    state, whole = run(case, inputs, record=both)
    middle, first = run(case, inputs[:cut], record=both)
    end, second = run(case, inputs[cut:], state=middle, record=both)
    chex.assert_trees_all_equal(end, state)
    chex.assert_trees_all_equal(jax.tree.map(lambda a, b: jnp.concatenate([a, b]), first, second), whole)


@every_model
def test_new_values_do_not_trace_again(case: Case) -> None:
    traces = 0

    def counting(*args: Any, **kwargs: Any) -> Any:
        nonlocal traces
        traces += 1
        return case.neuron.step(*args, **kwargs)

    counted = case._replace(neuron=case.neuron._replace(step=counting))
    run(counted, case.inputs())
    once = traces
    for factor in (1.1, 1.2):
        params = jax.tree.map(lambda leaf, factor=factor: leaf * factor if np.shape(leaf) else leaf + 1e-3 * factor, case.params)
        F.simulate(
            counted.neuron, params, case.inputs(strength=factor), dt=DT * factor, config=F.SpikingConfig(F.superspike(10.0 * factor))
        )
    assert traces == once


@every_model
def test_gradients_of_every_parameter_input_and_state_are_finite(case: Case) -> None:
    params, inputs = differentiable(case.params), case.inputs()
    state = case.neuron.init(case.params, (2, 5))
    gradients = jax.jit(jax.grad(lambda p, x, s: loss(case, p, x, s), argnums=(0, 1, 2), allow_int=True))(params, inputs, state)
    for path, leaf in jax.tree_util.tree_leaves_with_path(gradients):
        if leaf.dtype != jax.dtypes.float0:
            assert jnp.isfinite(leaf).all(), jax.tree_util.keystr(path)
    assert jnp.abs(gradients[1]).max() > 0


def _moves_nothing(case: Case) -> set[str]:
    """Parameters whose gradient is zero by design."""
    synapses = {"tau_syn"} if case.neuron.ports and "recurrent(lif)" not in case.name else set()
    firing = {"v_th", "v_reset", "tau_th", "delta_th"} if "membrane" in case.name else set()
    scale = {"resistance"} if "delta" in case.name else set()  # a jump is one in potential
    return {"t_ref"} | synapses | firing | scale


@every_model
def test_every_parameter_has_a_gradient_but_those_that_are_zero_by_design(case: Case) -> None:
    gradients = jax.jit(jax.grad(lambda p: loss(case, p, case.inputs())))(differentiable(case.params))

    def check(record: Any, depth: int) -> None:
        for name, leaf in zip(record._fields, record, strict=True):
            if name == "neuron":
                check(leaf, depth + 1)
            elif name not in _moves_nothing(case) or (name == "tau_syn" and record is gradients):
                assert jnp.abs(leaf).max() > 0, f"{case.name}.{name}"
            elif name == "t_ref":
                assert jnp.abs(leaf).max() == 0

    check(gradients, 0)


@every_model
def test_forward_mode_and_reverse_mode_agree(case: Case, x64: None) -> None:
    params, inputs = differentiable(case.params), case.inputs(dtype=np.float64)
    direction = jax.tree.map(lambda leaf: 0.01 * jnp.cos(jnp.arange(leaf.size, dtype=leaf.dtype)).reshape(leaf.shape), (params, inputs))
    of = jax.jit(lambda p, x: loss(case, p, x, segment=7))
    value, forward = jax.jvp(of, (params, inputs), direction)
    gradient = jax.grad(of, argnums=(0, 1))(params, inputs)
    reverse = sum(jnp.vdot(g, d) for g, d in zip(jax.tree.leaves(gradient), jax.tree.leaves(direction), strict=True))
    assert jnp.isfinite(value)
    np.testing.assert_allclose(forward, reverse, rtol=1e-9)


@every_model
def test_vmap_of_gradients_equals_a_loop(case: Case) -> None:
    params, inputs = differentiable(case.params), case.inputs(shape=(3, 5))
    gradient = jax.jit(jax.grad(lambda x, p: loss(case, p, x), argnums=(0, 1)))
    tangent = jax.jit(lambda x, p: jax.jvp(lambda y: loss(case, p, y), (x,), (jnp.ones_like(x),))[1])
    mapped = jax.vmap(gradient, in_axes=(1, None))(inputs, params)
    mapped_tangent = jax.vmap(tangent, in_axes=(1, None))(inputs, params)
    for k in range(3):
        alone = gradient(inputs[:, k], params)
        chex.assert_trees_all_close(jax.tree.map(lambda leaf, k=k: leaf[k], mapped), alone, rtol=2e-4, atol=2e-4)
        np.testing.assert_allclose(mapped_tangent[k], tangent(inputs[:, k], params), rtol=1e-3, atol=1e-3)


@every_model
def test_segments_change_memory_and_not_the_gradient(case: Case, x64: None) -> None:
    params, inputs = differentiable(case.params), case.inputs(dtype=np.float64)
    gradients = [
        jax.jit(jax.grad(lambda p, x, s=segment: loss(case, p, x, segment=s), argnums=(0, 1)))(params, inputs) for segment in (7, 60)
    ]
    for other in gradients[1:]:
        chex.assert_trees_all_close(other, gradients[0], rtol=1e-9, atol=1e-9)


@every_model
def test_every_parameter_has_a_kind_and_a_default_in_its_domain(case: Case) -> None:
    record = case.neuron.default()
    while True:
        kinds = kinds_of(type(record))
        assert set(kinds) | {"neuron"} >= set(record._fields)
        for name, kind in kinds.items():
            value = np.asarray(getattr(record, name))
            assert np.isfinite(value).all()
            assert {"positive": value > 0, "nonnegative": value >= 0, "fraction": (value >= 0) & (value <= 1)}.get(
                kind.domain, value == value
            ).all()
        if "neuron" not in record._fields:
            return
        record = record.neuron


ORDERS = {"exact": None, "exponential_euler": 1.0, "euler": 1.0, "rk4": 4.0}


@pytest.mark.parametrize("integrator", [F.exact, F.exponential_euler, F.euler, F.rk4], ids=lambda i: i.name)
@pytest.mark.parametrize("case", parameters_of([case for case in ALL if "recurrent" not in case.name]))
def test_halving_dt_converges_at_the_order_of_the_integrator(case: Case, integrator: F.Integrator, x64: None) -> None:
    params = F.with_core(case.params, F.core(case.params)._replace(v_th=1e9)) if case.neuron.spiking else case.params
    coarse = case.inputs(steps=20, shape=(5,), dtype=np.float64)

    def end(halvings: int, integrator: F.Integrator) -> jax.Array:
        parts = 2**halvings
        fine = jnp.repeat(coarse, parts, axis=0)
        if jumps(case):
            fine = fine * (jnp.arange(len(fine)) % parts == 0).astype(fine.dtype).reshape(-1, *[1] * (fine.ndim - 1))
        config = F.SpikingConfig(integrator=integrator)
        return F.core(F.simulate(case.neuron, params, fine, dt=DT / parts, config=config)[0]).v

    truth = end(0, F.exact)
    errors = [float(jnp.abs(end(halvings, integrator) - truth).max()) for halvings in ((1, 2) if integrator is F.rk4 else (4, 5))]
    leaks = "integrate_and_fire" not in case.name  # without leak a held current is added up without error, whatever the integrator
    synapse = jumps(case) and "delta" not in case.name
    exact_here = integrator is F.exact or (not synapse and (integrator is F.exponential_euler or not leaks))
    if exact_here:
        assert max(errors) < 1e-12
    else:
        orders = np.log2(np.divide(errors[:-1], errors[1:]))
        np.testing.assert_allclose(orders[-1], ORDERS[integrator.name], atol=0.1)


def test_the_two_orders_of_refractory_and_recurrent_agree_on_spikes() -> None:
    weight = np.random.default_rng(2).normal(size=(5, 5)).astype(np.float32)
    inner = F.recurrent(F.refractory(F.lif)), F.RecurrentParams(F.RefractoryParams(F.LIFParams()), weight)
    outer = F.refractory(F.recurrent(F.lif)), F.RefractoryParams(F.RecurrentParams(F.LIFParams(), weight))
    inputs = MODELS[0].inputs(strength=0.4)
    spikes = [F.simulate(neuron, params, inputs, dt=DT)[1] for neuron, params in (inner, outer)]
    assert spikes[0].sum() > 0
    chex.assert_trees_all_equal(*spikes)


def test_one_synapse_around_leaky_is_lif(x64: None) -> None:
    inputs = Case(F.lif, F.LIFParams()).inputs(dtype=np.float64)
    one = F.synapses(F.leaky, 1)
    _, spikes = F.simulate(F.lif, F.LIFParams(tau_syn=7e-3), inputs, dt=DT)
    _, other = F.simulate(one, one.default(tau_syn=jnp.array([7e-3])), inputs[:, :, None], dt=DT)
    chex.assert_trees_all_equal(spikes, other)


def test_the_same_wrapper_twice_is_the_same_object() -> None:
    assert F.refractory(F.leaky, F.gate_input) is F.refractory(F.leaky, F.gate_input)
    assert F.refractory(F.leaky) is F.refractory(F.leaky, rule=F.hold) is F.refractory(neuron=F.leaky, rule=F.hold)
    assert F.recurrent(F.lif) is F.recurrent(neuron=F.lif)
    assert F.synapses(F.lif, 2) is F.synapses(F.lif, n=2)
    assert F.attached(F.reset_to_value) is F.attached(F.reset_to_value)


def test_models_are_computed_from_the_exports() -> None:
    assert set(F.MODELS) >= {"lif", "lif_refrac", "leaky", "adaptive_leaky", "leaky_integrator"}
    for name, neuron in F.MODELS.items():
        assert getattr(F, name) is neuron
        assert getattr(F, f"{name}_step") is neuron.step
        assert getattr(F, f"{name}_init") is neuron.init
