"""What the doors refuse, in which words, before anything is compiled; the same under jit, vmap and grad."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from door_row import GOOD, RECURRENT, ZEROS, Refusal
from door_table import RUNS

import snnjax
import snnjax.functional as F
from snnjax import ConfigError, DTypeError, ParameterError, ShapeError
from snnjax._kinds import kinds_of

EULER = F.SpikingConfig(integrator=F.euler)

every_refusal = pytest.mark.parametrize("row", RUNS.values(), ids=RUNS.keys())


def same(a: Any, b: Any) -> bool:
    return a is b or a == b or (isinstance(a, float) and isinstance(b, float) and np.isnan(a) and np.isnan(b))


def refuses(row: Any, call: Callable[[], Any]) -> None:
    """`call` meets the error that the row describes, and that error is a sentence about its field."""
    with pytest.raises(row.error, match=row.text) as caught:
        call()
    error = caught.value
    assert error.field == row.field
    assert same(error.value, row.value), f"{error.value!r} and not {row.value!r}"
    assert str(error).startswith(f"`{row.field}`") and str(error).endswith(".")
    assert error.where and error.allowed


def scaled(inputs: Any, factor: Any) -> Any:
    """`inputs` as a traced value where they are numbers that could be traced."""
    is_float = isinstance(inputs, np.ndarray) and inputs.dtype == np.float32
    return inputs * factor if is_float else inputs


@pytest.fixture
def compiled() -> Iterator[list[str]]:
    """The programs that were compiled meanwhile."""
    seen: list[str] = []

    def listen(event: str, duration: float, **about: Any) -> None:
        if event.endswith("backend_compile_duration"):
            seen.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield seen
    jax.monitoring.unregister_event_duration_listener(listen)


def counting(neuron: F.Neuron) -> tuple[F.Neuron, list[int]]:
    """The same model, and a list that grows with every trace of its step."""
    traces: list[int] = []

    def step(*args: Any, **kwargs: Any) -> Any:
        traces.append(1)
        return neuron.step(*args, **kwargs)

    return neuron._replace(step=step), traces


def test_a_good_call_traces_a_step_and_compiles(compiled: list[str]) -> None:
    neuron, traces = counting(F.lif)
    F.simulate(**{**GOOD, "neuron": neuron})
    assert traces and compiled


@every_refusal
def test_a_bad_call_is_refused_in_a_sentence_before_anything_is_compiled(row: Refusal, compiled: list[str]) -> None:
    arguments, traces = row.arguments(), []
    if isinstance(arguments["neuron"], F.Neuron):
        arguments["neuron"], traces = counting(arguments["neuron"])
    refuses(row, lambda: F.simulate(**arguments))
    assert not traces
    assert not compiled


@every_refusal
@pytest.mark.parametrize("transform", ["jit", "vmap", "grad"])
def test_the_same_call_is_refused_alike_inside_a_transformation(row: Refusal, transform: str) -> None:
    def total(factor: Any) -> Any:
        _, outputs = F.simulate(**row.arguments(inputs=scaled(row.arguments()["inputs"], factor)))
        return outputs.sum()

    inside = {"jit": jax.jit(total), "vmap": jax.vmap(total), "grad": jax.grad(total)}[transform]
    refuses(row, lambda: inside(jnp.ones(2) if transform == "vmap" else jnp.float32(1.0)))


@pytest.mark.parametrize("name", [name for name, row in RUNS.items() if row.error is ShapeError and row.field not in ("shape", "dt")])
def test_shapes_are_refused_where_every_number_is_traced(name: str) -> None:
    row = RUNS[name]
    arguments = row.arguments()
    numbers = {key: arguments.pop(key) for key in ("params", "inputs", "state", "dt") if key in arguments}
    refuses(row, lambda: jax.jit(lambda numbers: F.simulate(**arguments, **numbers))(numbers))


def test_the_shape_of_a_traced_dt_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"`dt` must be one number.*\(3,\)"):
        jax.jit(lambda dt: F.simulate(**{**GOOD, "dt": dt}))(jnp.full(3, 1e-3))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("neuron", [F.lif, F.leaky, F.adaptive_leaky, F.leaky_integrator], ids=lambda neuron: neuron.name)
def test_a_parameter_that_is_not_finite_is_refused_by_name(neuron: F.Neuron, bad: float) -> None:
    for name in kinds_of(type(neuron.default())):
        with pytest.raises(ParameterError, match=rf"^`{name}` must be .*finite; got {bad}\.$") as caught:
            F.simulate(neuron, neuron.default(**{name: bad}), np.zeros((5, 4), np.float32), dt=1e-3)
        assert caught.value.field == name
        assert same(caught.value.value, bad)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_wrappers_parameter_that_is_not_finite_is_refused_by_name(bad: float) -> None:
    weight = np.zeros((4, 4), np.float32)
    weight[2, 1] = bad
    two = F.synapses(F.leaky, 2)
    with pytest.raises(ParameterError, match=rf"`weight` must be finite; got {bad} at index \(2, 1\) of \(4, 4\)"):
        F.simulate(**{**GOOD, "neuron": RECURRENT, "params": RECURRENT.default(weight=weight)})
    with pytest.raises(ParameterError, match=rf"`t_ref` must be >= 0 s and finite; got {bad}"):
        F.simulate(**{**GOOD, "neuron": F.lif_refrac, "params": F.lif_refrac.default(t_ref=bad)})
    with pytest.raises(ParameterError, match=rf"`tau_syn` must be > 0 s and finite; got {bad} at index 1 of 2"):
        F.simulate(two, two.default(tau_syn=np.array([5e-3, bad])), np.zeros((5, 2, 4), np.float32), dt=1e-3)


@pytest.mark.parametrize(
    "config, dt",
    [
        (F.SpikingConfig(integrator=F.exact), 1.0),
        (F.SpikingConfig(integrator=F.exponential_euler), 1.0),
        (EULER, 5e-3),
        (EULER, np.float32(5e-3)),
    ],
    ids=["exact", "exponential_euler", "euler at tau", "euler at tau in float32"],
)
def test_a_step_that_the_integrator_can_take_is_taken(config: F.SpikingConfig, dt: Any) -> None:
    for tau_syn in (5e-3, jnp.float32(5e-3)):
        state, _ = F.simulate(F.lif, F.LIFParams(tau_syn=tau_syn), np.full((5, 4), 0.4, np.float32), dt=dt, config=config)
        assert jnp.isfinite(state.v).all()


def test_no_refractory_period_is_legal_and_so_is_one_of_just_a_step() -> None:
    for t_ref, steps in ((0, 0), (0.0, 0), (0.6e-3, 1), (1e-3, 1)):
        neuron = F.lif_refrac
        state, spikes = F.simulate(neuron, neuron.default(t_ref=t_ref), np.full((1, 4), 50.0, np.float32), dt=1e-3)
        assert spikes.all() and (state.steps_left == steps).all()


@pytest.mark.parametrize(
    "wrap", [F.refractory, F.recurrent, lambda neuron: F.synapses(neuron, 2)], ids=["refractory", "recurrent", "synapses"]
)
def test_only_spiking_models_are_wrapped(wrap: Callable[[Any], F.Neuron]) -> None:
    with pytest.raises(DTypeError, match=r"`neuron` 'leaky_integrator' does not spike.*cannot wrap it.*`F\.lif`") as caught:
        wrap(F.leaky_integrator)
    assert (caught.value.field, caught.value.value) == ("neuron", "leaky_integrator")
    with pytest.raises(DTypeError, match=r"`neuron` must be a Neuron such as `F\.lif`; got the function `lif_step`") as caught:
        wrap(F.lif_step)
    assert caught.value.value is F.lif_step
    with pytest.raises(DTypeError, match=r"gives no phases"):
        wrap(F.lif._replace(phases=None))


@pytest.mark.parametrize("n", [0, -1, 1.5, "2", None])
def test_the_number_of_synapses_is_a_positive_integer(n: Any) -> None:
    error = ParameterError if type(n) is int else DTypeError
    with pytest.raises(error, match=r"`n` must be a whole number, 1 or more; got ") as caught:
        F.synapses(F.lif, n)
    assert (caught.value.field, caught.value.value) == ("n", n)


def test_synapses_do_not_nest() -> None:
    for inner in (F.synapses(F.lif, 2), F.refractory(F.synapses(F.lif, 2))):
        with pytest.raises(ParameterError, match=r"`neuron` must be without a synapse axis; got '.*', which has 2 synapses") as caught:
            F.synapses(inner, 3)
        assert caught.value.field == "neuron"


@pytest.mark.parametrize("make", [F.superspike, F.tanh, F.triangle, F.arctan, F.sigmoid, F.gaussian, F.boxcar])
@pytest.mark.parametrize("argument", ["slope", "unit"])
def test_slope_and_unit_of_a_surrogate_are_positive_and_finite(make: Callable[..., Any], argument: str) -> None:
    for bad in (0, -1.0, np.inf, np.nan, np.array([1.0, 0.0])):
        with pytest.raises(ParameterError, match=rf"`{argument}` must be > 0 and finite; got") as caught:
            make(**{argument: bad})
        assert caught.value.field == argument
    for bad in ("steep", 1j, [1.0], True):
        with pytest.raises(DTypeError, match=rf"`{argument}` must be a real number.*; got the") as caught:
            make(**{argument: bad})
        assert same(caught.value.value, bad)


def test_an_unknown_parameter_is_answered_with_the_one_that_was_meant() -> None:
    with pytest.raises(ConfigError, match=r"`tau_men` is not a parameter of `LIFParams`\. Did you mean `tau_mem`\? Known") as caught:
        F.LIFParams(tau_men=1.0)
    assert (caught.value.field, caught.value.value) == ("tau_men", 1.0)
    with pytest.raises(ConfigError, match=r"`t_reff`.*Did you mean `t_ref`\?"):
        F.lif_refrac.default(t_reff=1.0)


def test_a_weight_that_was_not_given_is_missed_by_name() -> None:
    with pytest.raises(ConfigError, match=r"`weight` is missing: `RecurrentParams`") as caught:
        F.RecurrentParams(F.LIFParams())
    assert caught.value.field == "weight"


@pytest.mark.parametrize("neuron", [*F.MODELS.values()], ids=lambda neuron: neuron.name)
def test_a_state_is_floating_and_not_wider_than_jax_is_set_to(neuron: F.Neuron) -> None:
    for bad, name in ((jnp.float64, "float64"), ("float64", "float64"), (jnp.int32, "int32"), (complex, "complex128")):
        with pytest.raises(DTypeError, match=rf"`dtype` must be a floating dtype.*got {name}.*jax_enable_x64") as caught:
            neuron.init(neuron.default(), (4,), bad)
        assert caught.value.field == "dtype" and caught.value.value is bad


@pytest.mark.parametrize("shape", [(4, 1), (3,), (2, 3)])
def test_a_shape_that_does_not_hold_the_parameters_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"`shape` .* does not hold the parameters, which have shapes \[\(4,\)\]") as caught:
        F.lif_init(F.LIFParams(tau_mem=ZEROS + 0.02), shape)
    assert (caught.value.field, caught.value.value) == ("shape", shape)


UNROLLS = {
    "no time axis": (
        ShapeError,
        "inputs",
        r"`inputs` must have time as their leading axis.*got the shapes \(\)\. ",
        {"inputs": jnp.float32(1.0)},
    ),
    "two lengths": (ShapeError, "inputs", r"of one length.*the shapes \(3,\), \(4,\)", {"inputs": (jnp.ones(3), jnp.ones(4))}),
    "no inputs": (ShapeError, "inputs", r"`inputs` must have time", {"inputs": None}),
    "an unknown keyword": (
        ConfigError,
        "segments",
        r"`segments` is not an argument of `unroll`\. Did you mean `segment`\?",
        {"segments": 2},
    ),
    **{
        f"segment {bad!r}": (error, "segment", r"`segment` must be a positive number of steps or None; got", {"segment": bad})
        for error, bad in ((ParameterError, 0), (ParameterError, -1), (DTypeError, 2.5), (DTypeError, True))
    },
}


@pytest.mark.parametrize("error, field, text, given", UNROLLS.values(), ids=UNROLLS.keys())
def test_unroll_refuses_too(error: type[snnjax.SnnjaxError], field: str, text: str, given: dict[str, Any]) -> None:
    arguments = {"inputs": jnp.ones(5), **given}
    with pytest.raises(error, match=text) as caught:
        F.unroll(lambda total, x: (total + x, total), jnp.float32(0.0), **arguments)
    assert caught.value.field == field


def test_a_rule_that_is_none_is_refused() -> None:
    with pytest.raises(DTypeError, match="`rule` must be `F.hold`, `F.gate_input` or `F.clamp_to_reset`; got the str 'hold'") as caught:
        F.refractory(F.lif, "hold")  # type: ignore[arg-type]
    assert caught.value.field == "rule"


def test_an_unknown_choice_is_answered_with_the_one_that_was_meant() -> None:
    with pytest.raises(ConfigError, match="`resets` is not an option of `SpikingConfig`. Did you mean `reset`") as caught:
        F.SpikingConfig(resets=F.reset_to_value)  # type: ignore[call-arg]
    assert caught.value.field == "resets"


def test_a_reset_that_is_no_function_is_refused() -> None:
    with pytest.raises(DTypeError, match="`reset` must be a reset such as `F.reset_to_value`; got the str 'value'") as caught:
        F.attached("value")  # type: ignore[arg-type]
    assert caught.value.field == "reset"
