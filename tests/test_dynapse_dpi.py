"""The DPI neuron's own physics: intervals, synapses, inhibition, adaptation, refractoriness, what a state is."""

from __future__ import annotations

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import snnjax
import snnjax.functional as F
from snnjax.dynapse._fi_curve import MembraneNumbers, dpi_interval

DT = 1e-3
IO = 5e-13


def params(**currents: Any) -> F.DynapseParams:
    return F.DynapseParams(F.BiasCurrents(**currents))


def run(bias: F.DynapseParams, inputs: Any, dt: float = DT, **options: Any) -> Any:
    return F.simulate(F.dynapse_dpi, bias, inputs, dt=dt, **options)


def drive(rate: float = 0.4, steps: int = 500, n: int = 3, seed: int = 0) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).poisson(rate, (steps, n)), jnp.float32)


def test_at_rest_every_current_is_the_dark_current_and_stays_so() -> None:
    start = F.dynapse_dpi_init(F.DynapseParams(), (3,))
    state, spikes = run(F.DynapseParams(), jnp.zeros((100, 3)))
    chex.assert_trees_all_close(state, start, rtol=1e-6, atol=1e-20)
    assert not spikes.any()


@pytest.mark.parametrize("current", [1e-10, 1e-9, 1e-8])
def test_the_firing_period_is_the_integral_of_the_membrane_equation(current: float) -> None:
    bias = params(Idc=current, Ispkthr=1e-8, Iref=1e-6)
    rate, gamma = 0.705 * IO / (3e-12 * 25e-3), 0.705 / 1.705
    membrane = MembraneNumbers(*(np.array(x) for x in (rate, gamma, bias.bias.Igain_mem / IO, 1e-8 / IO, bias.bias.Itau_mem / IO)))
    period = float(dpi_interval(np.array(current / IO), membrane)[0])
    dt = 2e-5
    spikes = run(bias, jnp.zeros((20000, 1)), dt)[1][:, 0]
    assert len(np.flatnonzero(spikes)) > 3
    np.testing.assert_allclose(np.diff(np.flatnonzero(spikes)).mean() * dt, period, rtol=0.01)


def test_the_membrane_converges_with_the_square_of_the_substep(x64: None) -> None:
    bias = params(Ispkthr=1e-3, Itau_mem=5e-11, Idc=1e-9)
    start = F.dynapse_dpi_init(bias, (1,), jnp.float64)._replace(imem=jnp.array([1e-11]))

    def v(substeps: int) -> np.ndarray:
        options: Any = {"config": F.DPIConfig(substeps=substeps), "record": lambda state, spikes: state.vmem, "state": start}
        return np.asarray(run(bias, jnp.zeros((10, 1)), **options)[1])

    exact = v(128)
    errors = [np.abs(v(k) - exact).max() for k in (4, 8, 16)]
    assert errors[0] < 1e-4 and 3.5 < errors[0] / errors[1] < 4.5 and 3.5 < errors[1] / errors[2] < 4.5


def test_a_driven_membrane_is_within_a_few_millivolts_at_a_millisecond(x64: None) -> None:
    def v(substeps: int) -> np.ndarray:
        options: Any = {"config": F.DPIConfig(substeps=substeps), "record": lambda state, spikes: state.vmem}
        return np.asarray(run(params(Ispkthr=1e-3), drive(steps=30), **options)[1])

    exact = v(128)
    assert exact.max() > 0.3 and np.abs(v(1) - exact).max() < 3e-3


def test_a_millisecond_step_keeps_the_rate_that_forward_euler_loses() -> None:
    currents = jnp.array([1e-9, 3e-9, 1e-8])
    bias = params(Idc=currents, Ispkthr=1e-8, Iref=1e-6)
    fine = run(bias, jnp.zeros((50000, 3)), 2e-5)[1].sum(0)
    coarse = run(bias, jnp.zeros((1000, 3)))[1].sum(0)
    euler = run(bias, jnp.zeros((1000, 3)), config=F.DPIConfig.dynapsim())[1].sum(0)
    assert (np.abs(coarse / fine - 1) < 0.07).all()
    assert (np.abs(euler / fine - 1) > 0.15).all()


def test_an_event_charges_the_synapse_as_its_pulse_does(x64: None) -> None:
    tau = 25e-3 / 0.705 * 25e-12 / 8.6879433e-11
    charge = -np.expm1(-0.7 * 0.5e-12 / 3.5e-8 / tau) * 8.6879433e-9 / 8.6879433e-11 * 1e-8
    state, isyn = run(F.DynapseParams(), jnp.zeros((50, 1), jnp.float64).at[0].set(2.0), record=lambda state, spikes: state.isyn[0])
    np.testing.assert_allclose(isyn - IO, 2.0 * charge * np.exp(-np.arange(1, 51) * DT / tau), rtol=1e-9)


def test_the_combined_synapse_is_the_ampa_gate_bit_for_bit() -> None:
    inputs = drive()
    state, spikes = run(F.DynapseParams(), inputs)
    gated, gated_spikes = run(F.DynapseParams(), F.Gates(ampa=inputs))
    assert spikes.sum() > 10
    chex.assert_trees_all_equal(state, gated._replace(isyn=gated.isyn.ampa))
    chex.assert_trees_all_equal(spikes, gated_spikes)


@pytest.mark.parametrize("gate", ["gaba", "shunt"])
@pytest.mark.parametrize("inhibition", [F.subtractive, F.shunting], ids=lambda inhibition: inhibition.name)
def test_either_gate_inhibits_in_either_way(gate: str, inhibition: F.Inhibition) -> None:
    excitation, config = drive(), F.DPIConfig(**{gate: inhibition})
    free = run(F.DynapseParams(), F.Gates(ampa=excitation), config=config)[1].sum()
    held = run(F.DynapseParams(), F.Gates(ampa=excitation, **{gate: 0.3 * drive(seed=1)}), config=config)[1].sum()
    assert held < 0.9 * free


def test_subtraction_shifts_the_input_and_a_shunt_is_felt_at_the_membrane() -> None:
    excitation, inhibition = drive(), 0.3 * drive(seed=1)
    counts = {
        name: float(run(F.DynapseParams(), F.Gates(ampa=excitation, gaba=inhibition), config=F.DPIConfig(gaba=how))[1].sum())
        for name, how in (("subtractive", F.subtractive), ("shunting", F.shunting))
    }
    assert counts["shunting"] < counts["subtractive"]
    # Subtraction of the same synapse with the same counts is the signed combined synapse.
    signed = run(F.DynapseParams(), excitation - inhibition)[1].sum()
    assert abs(float(signed) - counts["subtractive"]) <= 2


def test_the_nmda_gate_opens_with_the_membrane() -> None:
    inputs = drive(rate=0.05)
    closed, open_ = (run(params(If_nmda=i), F.Gates(nmda=inputs))[1].sum() for i in (1e-6, 0.0))
    ampa = run(F.DynapseParams(), F.Gates(ampa=inputs))[1].sum()
    assert open_ == ampa > 0 and closed < 0.5 * open_


def test_gates_may_have_currents_of_their_own() -> None:
    fast = run(params(Itau_syn=F.Gates(ampa=1e-9, gaba=1e-10)), F.Gates(ampa=drive(), gaba=0.0 * drive()))[0].isyn
    assert isinstance(fast, F.Gates) and fast.nmda is None
    with pytest.raises(snnjax.ParameterError, match="`nmda`"):
        run(params(Itau_syn=F.Gates(ampa=1e-9)), F.Gates(nmda=drive()))


def test_absent_gates_cost_nothing() -> None:
    def equations(inputs: Any) -> int:
        state = F.dynapse_dpi_init(F.DynapseParams(), (3,), inputs=inputs)
        return len(jax.make_jaxpr(lambda s, x: F.dynapse_dpi_step(F.DynapseParams(), s, x, dt=DT))(state, inputs).eqns)

    x = jnp.ones(3)
    assert equations(F.Gates(ampa=x)) == equations(x) < equations(F.Gates(ampa=x, gaba=x))


def test_adaptation_slows_a_spike_train_down() -> None:
    adapting = params(Idc=2e-9, Ispkthr=1e-8, Iw_ahp=3e-7)
    spikes = np.asarray(run(adapting, jnp.zeros((1000, 1)))[1][:, 0])
    intervals = np.diff(np.flatnonzero(spikes))
    assert len(intervals) > 5 and intervals[-1] > 1.3 * intervals[0]


@pytest.mark.parametrize("dt", [1e-3, 5e-4, 1e-4])
def test_the_refractory_period_survives_a_change_of_dt(dt: float) -> None:
    bias = params(Idc=1e-6, Ispkthr=1e-9, Iref=0.7 * 1.5e-12 / 5e-3)
    spikes = np.asarray(run(bias, jnp.zeros((round(0.2 / dt), 1)), dt)[1][:, 0])
    intervals = np.diff(np.flatnonzero(spikes))
    blocked = round(5e-3 / dt)
    assert set(intervals) <= {blocked + 1, blocked + 2, blocked + 3} and len(intervals) > 10


@pytest.mark.parametrize("config", [F.DPIConfig(), F.DPIConfig(substeps=3), F.DPIConfig.dynapsim()], ids=["paper", "substeps", "dynapsim"])
def test_a_resumed_run_equals_the_whole_run_bit_for_bit(config: F.DPIConfig) -> None:
    bias, inputs = params(Iw_ahp=1e-8), drive()
    end, whole = run(bias, inputs, config=config)
    middle, first = run(bias, inputs[:123], config=config)
    resumed, second = run(bias, inputs[123:], state=middle, config=config)
    assert whole.sum() > 10
    chex.assert_trees_all_equal(resumed, end)
    chex.assert_trees_all_equal(jnp.concatenate([first, second]), whole)


def test_numbers_and_arrays_of_one_value_each_give_the_same() -> None:
    inputs = drive()
    each = jax.tree.map(lambda leaf: jnp.full((3,), leaf), F.DynapseParams())
    chex.assert_trees_all_close(run(F.DynapseParams(), inputs), run(each, inputs), rtol=1e-4, atol=1e-18)


def test_float64_stays_float64_and_agrees_with_float32(x64: None) -> None:
    inputs = drive()
    wide, spikes = run(F.DynapseParams(), inputs.astype(jnp.float64))
    narrow, same = run(F.DynapseParams(), inputs)
    assert wide.imem.dtype == jnp.float64 and narrow.imem.dtype == jnp.float32
    assert abs(float(spikes.sum()) - float(same.sum())) <= 2


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16], ids=lambda dtype: dtype.__name__)
def test_half_precision_is_refused(dtype: Any) -> None:
    with pytest.raises(snnjax.DTypeError, match="cannot hold the state of `dynapse_dpi`"):
        F.dynapse_dpi_init(F.DynapseParams(), (3,), dtype)


@pytest.mark.parametrize(
    ("bias", "inputs", "error", "message"),
    [
        (params(Itau_mem=-1e-12), jnp.zeros((5, 3)), snnjax.ParameterError, "`Itau_mem` must be >= 0 A and finite; got -1e-12"),
        (params(Ispkthr=0.0), jnp.zeros((5, 3)), snnjax.ParameterError, "`Ispkthr` must be > 0 A"),
        (params(Itau_mem=np.ones(4)), jnp.zeros((5, 3)), snnjax.ShapeError, "`Itau_mem` has shape"),
        (params(), F.Gates(ampa=jnp.zeros((5, 3)), gaba=jnp.zeros((5, 2))), snnjax.ShapeError, "`inputs` must hold arrays of one shape"),
        (params(), F.Gates(), snnjax.ShapeError, "`inputs` must hold arrays of one shape"),
        (F.LIFParams(), jnp.zeros((5, 3)), snnjax.DTypeError, "`params` of `dynapse_dpi` must be DynapseParams"),
    ],
)
def test_the_door_refuses_in_a_sentence(bias: Any, inputs: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        run(bias, inputs)


def test_dynapsim_has_no_gates_and_substeps_are_whole() -> None:
    with pytest.raises(snnjax.DTypeError, match="one combined synapse"):
        run(params(), F.Gates(ampa=drive()), config=F.DPIConfig.dynapsim())
    with pytest.raises(snnjax.ParameterError, match="`substeps` must be a whole number, 1 or more; got 0"):
        F.DPIConfig(substeps=0)
    with pytest.raises(snnjax.DTypeError, match="must be an array of real numbers; got `Gates`"):
        F.simulate(F.lif, F.LIFParams(), F.Gates(ampa=drive()), dt=DT)
