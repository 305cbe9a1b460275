"""Bare steps and `init`: what they accept, what they refuse besides the rows of the battery, and that compiled steps pay nothing."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import snnjax.functional as F
from snnjax import DTypeError, ShapeError
from snnjax.functional._take_step import checked_init

DT = 1e-3
PARAMS = F.LIFParams()
TWO = F.synapses(F.lif, 2)
LOOP = F.recurrent(F.lif)
WEIGHTS = F.RecurrentParams(PARAMS, np.zeros((3, 3), np.float32))


def lif(inputs: Any = 1.0, shape: Any = (3,), params: Any = PARAMS, **options: Any) -> Any:
    return F.lif_step(params, F.lif_init(PARAMS, shape), inputs, **{"dt": DT, **options})[0]


@pytest.mark.parametrize("shape", [(3,), (2, 3), (1, 3), (4, 2, 3), (0,)])
def test_inputs_of_the_state_s_shape_or_less_are_taken(shape: tuple[int, ...]) -> None:
    for inputs in (np.ones(shape), np.ones((1,) * len(shape)), 1.0, 1, True, np.ones(shape, bool), np.float64(1.0)):
        assert lif(inputs, shape).v.shape == shape


def test_parameters_may_have_batch_axes_and_one_number_may_be_the_state() -> None:
    for tau in (0.02, np.full(3, 0.02), np.full((2, 3), 0.02), np.full((2, 1), 0.02)):
        assert lif(np.ones((2, 3)), (2, 3), PARAMS._replace(tau_mem=tau)).v.shape == (2, 3)
    assert lif(np.ones((2, 3)), ()).v.shape == (2, 3)


@pytest.mark.parametrize("inputs", [np.ones((3, 1)), np.ones((2, 3)), np.ones((1, 3)), np.ones(2)], ids=np.shape)
def test_a_step_never_makes_a_batch_of_a_state_that_has_none(inputs: np.ndarray) -> None:
    with pytest.raises(ShapeError, match=r"`inputs` of a step must have shape \(3,\), for a `state` of shape \(3,\)") as caught:
        lif(inputs)
    assert (caught.value.field, caught.value.value) == ("inputs", inputs.shape)
    with pytest.raises(ShapeError, match="`inputs` of a step"):
        jax.jit(lif)(inputs)


@pytest.mark.parametrize("shape", [(4,), (2, 3)])
def test_a_parameter_that_does_not_fit_is_named(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"`v_th` has shape .*, which does not fit a `state` of shape \(3,\); expected \(\) or \(3,\)"):
        lif(params=PARAMS._replace(v_th=np.ones(shape)))


@pytest.mark.parametrize(("inputs", "tau_syn", "field"), [((3,), (2,), "inputs"), ((3, 3), (2,), "inputs"), ((2, 3), (3,), "tau_syn")])
def test_every_synapse_has_its_own_input_and_time_constant(inputs: tuple[int, ...], tau_syn: tuple[int, ...], field: str) -> None:
    params = TWO.default(tau_syn=np.ones(tau_syn))
    with pytest.raises(ShapeError, match=f"`{field}` of a step with 2 synapses must have shape .* one value per synapse") as caught:
        TWO.step(params, TWO.init(TWO.default(), (3,)), np.ones(inputs), dt=DT)
    assert caught.value.field == field
    for fine in (np.ones((2, 3)), np.ones((2, 1)), 1.0):
        assert F.core(TWO.step(TWO.default(), TWO.init(TWO.default(), (3,)), fine, dt=DT)[0]).v.shape == (3,)


def test_one_synapse_has_its_axis_too() -> None:
    one = F.synapses(F.lif, 1)
    assert F.core(one.step(one.default(), one.init(one.default(), (3,)), np.ones((1, 3)), dt=DT)[0]).v.shape == (3,)


def test_a_batch_for_synapses_of_a_state_without_one_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"must have shape \(\.\.\., synapses, 3\), for a `state` of shape \(3,\); got \(5, 2, 3\)"):
        TWO.step(TWO.default(), TWO.init(TWO.default(), (3,)), np.ones((5, 2, 3)), dt=DT)


@pytest.mark.parametrize("shape", [(4, 4), (3,), (3, 4)])
def test_a_weight_goes_to_every_neuron(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"`weight` has shape .* expected \(\.\.\., 3, 3\)"):
        LOOP.step(WEIGHTS._replace(weight=np.ones(shape)), LOOP.init(WEIGHTS, (3,)), 1.0, dt=DT)


def test_gates_of_the_input_are_those_of_the_state() -> None:
    params, gates = F.DynapseParams(), F.Gates(ampa=np.ones(3, np.float32))
    one, each = F.dynapse_dpi_init(params, (3,)), F.dynapse_dpi_init(params, (3,), inputs=gates)
    for state, inputs, text in (
        (one, gates, "must be one array, as the state is; got `Gates` of ampa"),
        (each, np.ones(3), "must be `Gates` of ampa, as the state is; got one array"),
        (each, F.Gates(nmda=np.ones(3)), "must be `Gates` of ampa, as the state is; got `Gates` of nmda"),
    ):
        with pytest.raises(DTypeError, match=text) as caught:
            F.dynapse_dpi_step(params, state, inputs, dt=DT)
        assert caught.value.field == "inputs"
    with pytest.raises(DTypeError, match="`inputs.ampa` must be an array of real numbers; got the list"):
        F.dynapse_dpi_step(params, each, F.Gates(ampa=[1.0, 1.0, 1.0]), dt=DT)


def test_records_are_named_by_their_path() -> None:
    neuron = F.lif_refrac
    params, state = neuron.default(), neuron.init(neuron.default(), (3,))
    for wrong, path in (
        ({"params": params._replace(neuron=F.LeakyParams())}, "params.neuron"),
        ({"params": params._replace(neuron=(0.02,))}, "params.neuron"),
        ({"params": PARAMS}, "params"),
        ({"params": F.LIFParams}, "params"),
        ({"state": state.neuron}, "state"),
        ({"state": state._replace(neuron=None)}, "state.neuron"),
        ({"config": F.DPIConfig()}, "config"),
    ):
        with pytest.raises(DTypeError) as caught:
            neuron.step(**{"params": params, "state": state, "inputs": 1.0, "dt": DT, **wrong})
        assert caught.value.field == path and f"`{path}`" in str(caught.value)


def test_init_says_what_is_missing() -> None:
    with pytest.raises(DTypeError, match="`params` has no `v_leak`, which this model reads; got `IntegrateAndFireParams`"):
        F.lif_init(F.IntegrateAndFireParams(), (3,))
    with pytest.raises(DTypeError, match="`params` must be the Params of the model; got None"):
        F.lif_init()  # type: ignore[call-arg]
    with pytest.raises(DTypeError, match="`params.neuron` must be the Params of the model; got the float 1.0"):
        F.lif_refrac.init(params=F.RefractoryParams(1.0, 2e-3))


class Own(NamedTuple):
    """Params and State of a model of one's own, without annotations of kinds."""

    v: Any = 0.0


def own(reset: Any) -> F.Phases:
    return F.Phases(
        receive=lambda params, state, inputs, dt, config: (state._replace(v=state.v + inputs), ()),
        integrate=lambda params, state, currents, dt, config: state,
        fire=lambda params, state, config: (state.v > 1.0).astype(state.v.dtype),
        reset=reset,
    )


def test_a_step_that_changes_the_shape_of_its_state_is_refused() -> None:
    phases = own(lambda params, state, spikes, dt, config: Own(jnp.stack([state.v, state.v])))
    with pytest.raises(ShapeError, match=r"`state.v` has shape \(3,\), and a step keeps it; but inputs and parameters make it \(2, 3\)"):
        F.advance(phases, Own(), Own(jnp.zeros(3)), 1.0, dt=DT)


def test_other_attributes_that_are_missing_stay_what_they_are() -> None:
    phases = own(lambda params, state, spikes, dt, config: np.nothing)
    with pytest.raises(AttributeError, match="nothing"):
        F.advance(phases, Own(), Own(jnp.zeros(3)), 1.0, dt=DT)

    @checked_init
    def init(params: Any) -> Any:
        return np.nothing

    with pytest.raises(AttributeError, match="nothing"):
        init(PARAMS)


def test_nothing_is_added_to_the_program_of_a_step() -> None:
    """Casts, phases and nothing else: the program of the phases alone has as many operations."""

    def phases_alone(params: Any, state: Any, x: Any) -> Any:
        it, config = F.lif.phases, F.SpikingConfig()
        assert it is not None
        state, currents = it.receive(params, state, x, jnp.float32(DT), config)
        state = it.integrate(params, state, currents, jnp.float32(DT), config)
        spikes = it.fire(params, state, config)
        return it.reset(params, state, spikes, jnp.float32(DT), config), spikes

    arguments = jax.tree.map(jnp.float32, PARAMS), F.lif_init(PARAMS, (3,)), jnp.ones(3)
    whole = jax.make_jaxpr(lambda params, state, x: F.lif_step(params, state, x, dt=jnp.float32(DT)))(*arguments)
    alone = jax.make_jaxpr(phases_alone)(*arguments)
    assert [str(e.primitive) for e in whole.eqns] == [str(e.primitive) for e in alone.eqns]
