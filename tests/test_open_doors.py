"""What the door lets through: empty and single populations, every real dtype, traced values; and that looking costs nothing."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from models import ALL, Case, name_of

import snnjax.functional as F

DT = 1e-3
every_model = pytest.mark.parametrize("case", ALL, ids=name_of)


def run(case: Case, inputs: Any, **options: Any) -> Any:
    return F.simulate(case.neuron, case.params, inputs, dt=DT, **options)


def raster(steps: int = 60, n: int = 4) -> np.ndarray:
    return np.random.default_rng(0).random((steps, n)) < 0.3


def strong(params: Any = None, **options: Any) -> Any:
    """A function of the inputs whose spikes are worth comparing: one input spike nearly suffices."""
    params = F.LIFParams(tau_mem=5e-3) if params is None else params
    return lambda inputs: F.simulate(F.lif, params, inputs, dt=DT, record=lambda state, spikes: (spikes, state.v), **options)


def equal(a: Any, b: Any) -> bool:
    return jax.tree.structure(a) == jax.tree.structure(b) and all(
        x.dtype == y.dtype and bool((x == y).all()) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    )


@every_model
def test_no_steps_give_the_state_back(case: Case) -> None:
    inputs = case.inputs()
    state, _ = run(case, inputs)
    for checked in (False, True):
        after, outputs = run(case, inputs[:0], state=state, checked=checked)
        assert equal(after, state)
        assert outputs.shape == (0, 2, 5)


def test_no_steps_record_nothing_of_the_right_shape() -> None:
    _, (spikes, v) = strong()(jnp.zeros((0, 3, 4)))
    assert spikes.shape == v.shape == (0, 3, 4)


@every_model
@pytest.mark.parametrize("shape", [(0, 5), (1, 5)], ids=["no batch", "batch of one"])
def test_a_batch_may_be_empty_or_one(case: Case, shape: tuple[int, ...]) -> None:
    state, outputs = run(case, case.inputs(8, shape))
    assert outputs.shape == (8, *shape)
    assert F.core(state).v.shape == shape
    assert jnp.isfinite(outputs).all()


@pytest.mark.parametrize(
    "neuron", [F.lif, F.leaky, F.adaptive_leaky, F.leaky_integrator, F.lif_refrac, F.synapses(F.leaky, 2)], ids=lambda n: n.name
)
@pytest.mark.parametrize("n", [0, 1])
def test_a_population_may_be_empty_or_one(neuron: F.Neuron, n: int) -> None:
    case = Case(neuron, neuron.default())
    state, outputs = run(case, case.inputs(8, (n,)))
    assert outputs.shape == (8, n) and F.core(state).v.shape == (n,)


@pytest.mark.parametrize("n", [0, 1])
def test_recurrent_weights_may_be_of_none_or_one(n: int) -> None:
    neuron = F.recurrent(F.lif)
    _, spikes = F.simulate(neuron, neuron.default(weight=np.zeros((n, n))), jnp.full((8, n), 50.0), dt=DT)
    assert spikes.shape == (8, n) and spikes.sum() == 8 * n


def test_a_population_without_axes_is_one_neuron() -> None:
    inputs = jnp.asarray(raster(60, 1), jnp.float32) * 5.0
    state, (spikes, v) = strong()(inputs[:, 0])
    column, (spikes_of_column, v_of_column) = strong()(inputs)
    assert state.v.shape == () and spikes.shape == (60,) and spikes.sum() > 3
    assert (spikes == spikes_of_column[:, 0]).all() and (v == v_of_column[:, 0]).all()
    continued, _ = F.simulate(F.lif, F.LIFParams(), inputs[:, 0], dt=DT, state=state)
    assert continued.v.shape == ()


@pytest.mark.parametrize("dtype", [bool, np.int8, np.int32, np.uint8], ids=lambda d: d.__name__)
def test_a_raster_of_integers_or_booleans_is_one_of_floats(dtype: Any) -> None:
    # Weights live outside a step, so unit input must suffice to spike.
    reference = strong(F.LIFParams(tau_mem=5e-3, v_th=0.1))(jnp.asarray(raster(), jnp.float32))
    for inputs in (raster().astype(dtype), jnp.asarray(raster().astype(dtype))):
        result = strong(F.LIFParams(tau_mem=5e-3, v_th=0.1))(inputs)
        assert equal(result, reference)
    assert reference[1][0].sum() > 10


def test_numpy_inputs_of_any_width_are_those_of_jax() -> None:
    inputs = raster().astype(np.float32) * 5.0
    reference = strong()(jnp.asarray(inputs))
    assert equal(strong()(inputs), reference)
    assert equal(strong()(inputs.astype(np.float64)), reference)
    assert equal(strong()(np.asfortranarray(inputs)), reference)


@pytest.mark.parametrize(
    "state",
    [
        F.LIFState(0.25, 0.5),
        F.LIFState(np.float32(0.25), 0.5),
        F.LIFState(jnp.float32(0.25), jnp.full(4, 0.5)),
        F.LIFState(np.full(4, 0.25), 0.5),
    ],
    ids=["Python numbers", "NumPy scalar", "JAX scalar", "NumPy float64 array"],
)
def test_single_numbers_in_a_state_stand_for_all_neurons(state: F.LIFState) -> None:
    inputs = jnp.asarray(raster(), jnp.float32)
    full = F.LIFState(jnp.full(4, 0.25), jnp.full(4, 0.5))
    assert equal(strong(state=state)(inputs), strong(state=full)(inputs))


def test_an_integer_in_a_state_counts_or_is_a_potential() -> None:
    state = F.RefractoryState(F.LIFState(0, np.zeros(4, int)), 3)
    after, spikes = F.simulate(F.lif_refrac, F.lif_refrac.default(), jnp.full((4, 4), 50.0), dt=DT, state=state)
    assert after.neuron.v.dtype == after.neuron.i.dtype == jnp.float32 and after.steps_left.dtype == jnp.int32
    assert spikes[:, 0].tolist() == [0.0, 0.0, 0.0, 1.0]


def test_the_dtype_of_a_state_is_kept() -> None:
    inputs = jnp.full((60, 4), 0.4)
    for dtype in (jnp.float32, jnp.bfloat16, jnp.float16):
        state = F.lif_init(F.LIFParams(), (4,), dtype)
        after, spikes = F.simulate(F.lif, F.LIFParams(), inputs, dt=DT, state=state)
        assert after.v.dtype == after.i.dtype == spikes.dtype == dtype
        assert jnp.isfinite(after.v).all() and spikes.sum() > 0


def test_plain_numbers_in_a_state_take_the_dtype_beside_them() -> None:
    after, _ = F.simulate(F.lif, F.LIFParams(), jnp.zeros((5, 4)), dt=DT, state=F.LIFState(jnp.zeros(4, jnp.bfloat16), 0.0))
    assert after.v.dtype == after.i.dtype == jnp.bfloat16
    after, _ = F.simulate(F.lif, F.LIFParams(), jnp.zeros((5, 4)), dt=DT, state=F.LIFState(jnp.zeros(4, jnp.bfloat16), jnp.zeros(4)))
    assert after.v.dtype == after.i.dtype == jnp.float32


def test_float32_stays_float32_under_x64(x64: None) -> None:
    inputs = np.full((30, 4), 0.4, np.float32)
    params = F.LIFParams(tau_mem=np.float64(20e-3), v_th=np.full(4, 1.0))
    state, spikes = F.simulate(F.lif, F.LIFParams(), inputs, dt=np.float64(DT))
    assert state.v.dtype == spikes.dtype == jnp.float32
    start = F.lif_init(params, (4,), jnp.float32)
    state, spikes = F.simulate(F.lif, params, inputs.astype(np.float64), dt=DT, state=start)
    assert state.v.dtype == state.i.dtype == spikes.dtype == jnp.float32
    state, _ = F.simulate(F.lif, F.LIFParams(), inputs.astype(np.float64), dt=DT)
    assert state.v.dtype == jnp.float64


def test_integers_are_numbers_for_parameters() -> None:
    inputs = jnp.asarray(raster(), jnp.float32) * 5.0
    reference = strong(F.LIFParams(tau_mem=1.0, v_th=2.0, v_reset=-1.0))(inputs)
    assert equal(strong(F.LIFParams(tau_mem=1, v_th=2, v_reset=-1))(inputs), reference)
    assert equal(strong(F.LIFParams(tau_mem=1, v_th=np.full(4, 2), v_reset=jnp.int32(-1)))(inputs), reference)


def test_a_parameter_may_be_one_value_or_one_each_or_one_per_member_of_the_batch() -> None:
    inputs = jnp.asarray(np.random.default_rng(1).random((60, 2, 4)), jnp.float32)
    reference = strong(F.LIFParams(v_th=0.5))(inputs)
    assert reference[1][0].sum() > 10
    for shape in ((), (1,), (4,), (2, 4)):
        assert equal(strong(F.LIFParams(v_th=np.full(shape, 0.5)))(inputs), reference)


@pytest.mark.parametrize("name, bad", [("tau_mem", -1.0), ("v_th", -5.0), ("bias", np.nan), ("v_reset", 3.0)])
def test_traced_values_are_not_looked_at(name: str, bad: float) -> None:
    def total(value: Any) -> Any:
        return F.simulate(F.lif, F.LIFParams(**{name: value}), jnp.full((5, 4), 0.4), dt=DT)[1].sum()

    assert jax.jit(total)(bad).shape == ()
    assert jax.grad(total)(bad).shape == ()
    assert jax.vmap(total)(jnp.array([bad, 0.9])).shape == (2,)
    assert jax.jit(jax.vmap(jax.grad(total)))(jnp.array([bad, 0.9])).shape == (2,)


@pytest.mark.parametrize("config", [F.SpikingConfig(), F.SpikingConfig(integrator=F.euler)], ids=["exact", "euler"])
def test_a_traced_step_gives_what_a_written_one_gives(config: F.SpikingConfig) -> None:
    def spikes(dt: Any) -> Any:
        return F.simulate(F.lif_refrac, F.lif_refrac.default(), jnp.full((60, 4), 0.6), dt=dt, config=config)[1]

    assert spikes(DT).sum() > 8
    assert (jax.jit(spikes)(DT) == spikes(DT)).all()
    assert (jax.vmap(spikes)(jnp.array([0.5e-3, DT]))[1] == spikes(DT)).all()


@every_model
def test_the_checks_leave_nothing_in_the_program(case: Case) -> None:
    def whole(params: Any, state: Any, inputs: Any, dt: Any) -> Any:
        return F.simulate(case.neuron, params, inputs, dt=dt, state=state)

    state = case.neuron.init(case.params, (2, 5))
    program = jax.make_jaxpr(whole)(case.params, state, case.inputs(), DT)
    # One call of the compiled run, whose arguments are those of the caller (and numbers of the config, written out).
    assert len(program.eqns) == 1
    assert [argument for argument in program.eqns[0].invars if not hasattr(argument, "val")] == program.jaxpr.invars


def test_the_program_is_the_same_without_the_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    from snnjax.functional import _check, _check_choices, _simulate

    def whole(v_th: Any, inputs: Any) -> Any:
        params = F.RefractoryParams(F.LIFParams(v_th=v_th, tau_mem=np.full(4, 5e-3)), t_ref=3e-3)
        return F.simulate(F.lif_refrac, params, inputs, dt=DT, state=F.lif_refrac.init(params, (4,)))

    arguments = (jnp.float32(1.0), jnp.full((60, 4), 0.4))
    with_checks = jax.jit(whole).lower(*arguments).as_text()
    called: list[str] = []
    for module in (_check, _check_choices, _simulate):
        for name in [name for name in vars(module) if name.startswith("check_")]:
            monkeypatch.setattr(module, name, lambda *args, name=name, **kwargs: called.append(name))
    without = jax.jit(lambda *args: whole(*args)).lower(*arguments).as_text()
    assert {"check_params", "check_dt", "check_steps", "check_state", "check_config"} <= set(called)
    assert without.replace("_lambda", "whole").splitlines()[1:] == with_checks.splitlines()[1:]


class Weight(NamedTuple):
    """Parameters of a model of one's own."""

    weight: float = 1.0


class Counting(NamedTuple):
    """Choices of a model of one's own, in which there is no surrogate."""

    by: int = 2


def test_choices_of_a_model_of_ones_own_need_no_surrogate() -> None:
    neuron = F.Neuron(
        "counter",
        Weight,
        lambda params, shape=(), dtype=None: jnp.zeros(shape, dtype),
        lambda params, state, inputs, *, dt, config: (state + config.by * params.weight * inputs, state),
        config=Counting,
    )
    last, before = F.simulate(neuron, Weight(), jnp.ones((3, 2)), dt=DT, config=Counting(by=5))
    assert last.tolist() == [15.0, 15.0] and before[:, 0].tolist() == [0.0, 5.0, 10.0]


def test_a_surrogate_of_ones_own_is_a_choice_of_the_dpi_neuron() -> None:
    def spike(x: jax.Array, scale: jax.Array) -> jax.Array:
        return jnp.where(x > 0, jnp.ones_like(x), jnp.zeros_like(x)) + 0.0 * scale

    config = F.DPIConfig(spike=spike)
    assert jax.tree.leaves(config) == [] and jax.tree.structure(config) == jax.tree.structure(F.DPIConfig(spike=spike))
    inputs = jnp.full((50, 2), 2000.0)
    ours, theirs = (F.simulate(F.dynapse_dpi, F.DynapseParams(), inputs, dt=DT, config=c)[1] for c in (config, F.DPIConfig()))
    assert ours.sum() > 0 and (ours == theirs).all()
