"""The functional doors: running a population, from event to event or step by step, wrapping models, noise, surrogates."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from battery_kinds import ARRAY, INF, KEY, NAN, NEURON, NONNEGATIVE, PARAMS, REAL, SHAPE, STEP, SURROGATE_NUMBER, count, without_none, word
from battery_row import UNTOLD, Row, Wrong, entry, row
from door_event_lif import GOOD as GOOD_EVENTS
from door_event_lif import REFUSALS
from door_row import ZEROS, Refusal
from door_table import RUNS

import snnjax.functional as F
from snnjax import ConfigError, DTypeError, ParameterError, ShapeError

#: Which case of the battery the rows of the table of `simulate` are, by the start of their names; the first that fits.
_CASES = {
    "tau_mem zero": "A1",
    "tau_mem integer zero": "A1",
    "tau_syn zero": "A1",
    "tau_th zero": "A1",
    "resistance zero": "A1",
    "tau_mem negative": "A2",
    "resistance negative": "A2",
    "bad inside": "A1",
    "tau_mem": "A4",
    "tau_syn for": "B2",
    "tau_syn": "A4",
    "v_reset": "A8",
    "t_ref negative": "A11",
    "t_ref beyond": "A13",
    "t_ref": "A12",
    "dt zero": "A5",
    "dt negative": "A5",
    "dt NaN": "A5",
    "dt infinite": "A5",
    "dt complex": "B9",
    "dt a list": "B14",
    "dt one": "B2",
    "dt of shape": "B1",
    "dt missing": "D2",
    "dt": "B15",
    "euler": "A6",
    "state with NaN": "A16",
    "state with infinity": "A16",
    "state of five": "B2",
    "state of batch three": "B5",
    "state of batch one": "B6",
    "state without": "B6",
    "state inside": "B2",
    "state": "B15",
    "steps_left": "A13",
    "inputs complex": "B9",
    "inputs a complex": "B9",
    "inputs a list": "B14",
    "inputs a tuple": "B14",
    "inputs strings": "B15",
    "inputs None": "B15",
    "inputs a dict": "B15",
    "inputs of another batch": "B5",
    "inputs without": "B4",
    "inputs": "B3",
    "parameter as a column": "B1",
    "parameters for": "B2",
    "parameter complex": "B9",
    "parameter a complex": "B9",
    "parameter a list": "B14",
    "parameter": "B15",
    "weight": "B2",
    "params": "B15",
    "shape": "B15",
    "an unknown keyword": "D1",
    "a keyword": "D1",
    "config with": "D5",
    "config": "B15",
    "an unknown backend": "D5",
    "backend": "D5",
    "record": "B15",
    "segment": "B15",
    "a ": "B15",
}


def _of_simulate(name: str, refusal: Refusal) -> Row:
    def call(one: Any) -> Any:
        arguments = refusal.arguments()
        inputs = arguments["inputs"]
        if one is not None and isinstance(inputs, np.ndarray) and inputs.dtype == np.float32:
            arguments["inputs"] = inputs * one
        return F.simulate(**arguments)

    case = next(case for start, case in _CASES.items() if name.startswith(start))
    argument = next(iter(refusal.given), "params")
    if refusal.field == "dt" or refusal.field.startswith(("inputs", "state")):
        argument = refusal.field.split(".")[0]
    return Row("functional.simulate", argument, case, name, call, refusal.error, refusal.field, refusal.value)


def _of_estimate(name: str, refusal: Refusal) -> Row:
    one = _of_simulate(name, refusal)
    return one._replace(entry="functional.memory_estimate", call=lambda one: F.memory_estimate(**refusal.arguments()))


def _of_events(name: str, refusal: Any) -> Row:
    error, field, value, _, given = refusal
    case = {"ParameterError": "A", "ShapeError": "B", "DTypeError": "B", "ConfigError": "D"}[error.__name__]
    case = "C6" if "channel" in name and error is ParameterError else case
    argument = next(iter(given))
    return Row(
        "functional.simulate_events", argument, case, name, lambda one: F.simulate_events(**{**GOOD_EVENTS, **given}), error, field, value
    )


def add(total: Any, x: Any) -> tuple[Any, Any]:
    return total + x, total


def bump(y: Any) -> Any:
    return 1.0 / (1.0 + y * y)


UNROLL = entry(
    "functional.unroll",
    F.unroll,
    {"step": add, "state": np.float32(0.0), "inputs": np.ones(5, np.float32)},
    traced="inputs",
    segment=count(1)[:3],
    step=[Wrong("D5", "a number", 3, DTypeError), Wrong("B15", "None", None, DTypeError)],
    record=[Wrong("D5", "a name", "spikes", DTypeError)],
    also=[
        (Wrong("B4", "inputs without time", ("inputs", [()]), ShapeError), {"inputs": np.float32(1.0)}),
        (Wrong("B15", "inputs None", ("inputs", []), ShapeError), {"inputs": None}),
        (Wrong("B20", "inputs of two lengths", ("inputs", UNTOLD), ShapeError), {"inputs": (np.ones(3), np.ones(4))}),
    ],
)

WRAPPERS = [
    row
    for name in ("refractory", "recurrent", "synapses", "delta", "injected", "membrane")
    for row in entry(
        f"functional.{name}",
        getattr(F, name),
        {"neuron": F.lif, "n": 2} if name == "synapses" else {"neuron": F.lif},
        neuron=NEURON,
        **({"n": [*count(1), Wrong("B15", "None", None, DTypeError)]} if name == "synapses" else {}),
        **({"rule": word(DTypeError)} if name == "refractory" else {}),
        **({"axis_name": [Wrong("B15", "a number", 3, DTypeError)]} if name == "recurrent" else {}),
        also=[
            (Wrong("D5", "neuron a model that does not spike", ("neuron", "leaky_integrator"), DTypeError), {"neuron": F.leaky_integrator}),
        ]
        if name != "injected"
        else [],
    )
]

NOISE = entry(
    "functional.membrane_noise",
    F.membrane_noise,
    {"params": F.LeakyParams(), "sigma": 1.0, "key": jax.random.key(0), "dt": 1e-3, "shape": (3, 2)},
    sigma=NONNEGATIVE,
    key=KEY,
    dt=STEP,
    shape=SHAPE,
    params=PARAMS,
    start=[
        Wrong("C5", "negative", -1, ParameterError),
        Wrong("C5", "beyond the counter", 2**32, ParameterError),
        Wrong("B15", "a fraction", 1.5, DTypeError),
        Wrong("B15", "a string", "1", DTypeError),
    ],
    integrator=word(DTypeError, DTypeError),
    also=[
        (Wrong("A", "a membrane without a leak", ("params", "IntegrateAndFireParams"), DTypeError), {"params": F.IntegrateAndFireParams()}),
        (Wrong("A1", "tau_mem zero", ("tau_mem", 0.0), ParameterError), {"params": F.LeakyParams(tau_mem=0.0)}),
        (Wrong("C5", "a run beyond the counter", ("start", 2**32 - 2), ParameterError), {"start": 2**32 - 2}),
    ],
)

ROUNDED = entry(
    "functional.refractory_steps",
    F.refractory_steps,
    {"t_ref": 2e-3, "dt": 1e-3},
    traced="t_ref",
    t_ref=[*NONNEGATIVE, Wrong("A13", "beyond the counter", 1e7, ParameterError)],
    dt=STEP,
    convention=word(),
)

SURROGATES = [
    row
    for name in ("superspike", "tanh", "triangle", "arctan", "sigmoid", "gaussian", "boxcar", "surrogate")
    for row in entry(
        f"functional.{name}",
        getattr(F, name),
        {"bump": bump} if name == "surrogate" else {},
        slope=SURROGATE_NUMBER,
        unit=without_none(SURROGATE_NUMBER),
        **({"bump": word(DTypeError), "height": REAL} if name == "surrogate" else {}),
    )
]

#: Records refuse a name that they do not have; their numbers are refused by what takes them.
RECORDS = [
    row(f"functional.{record.__name__}", "D1", "an unknown field", ConfigError, "taau", 1.0, lambda record=record: record(taau=1.0))
    for record in (
        F.AdaptiveCurrentLeakyParams,
        F.AdaptiveLeakyParams,
        F.IntegrateAndFireParams,
        F.LIFParams,
        F.LeakyIntegratorParams,
        F.LeakyParams,
        F.MembraneParams,
        F.RecurrentParams,
        F.RefractoryParams,
        F.SynapsesParams,
        F.BiasCurrents,
        F.DynapseParams,
        F.Process,
        F.Gates,
        F.Injected,
        F.SpikingConfig,
        F.DPIConfig,
    )
]

INITS = [
    row
    for name, neuron in F.MODELS.items()
    for row in entry(
        f"functional.{name}_init",
        neuron.init,
        {"params": neuron.default(), "shape": (3,)},
        params=PARAMS,
        shape=SHAPE,
        dtype=[
            Wrong("B16", "int32", np.int32, DTypeError),
            Wrong("B9", "complex", np.complex64, DTypeError),
            Wrong("B10", "float64 in 32-bit mode", np.float64, DTypeError),
        ],
    )
]


class _Strange(NamedTuple):
    """Params or State of a model that is none of the library's."""

    strange: Any = 0.0


STRANGE = Wrong("B15", "of another model", _Strange(), DTypeError, "_Strange")


def _step(name: str, neuron: F.Neuron, function: Any, good: dict[str, Any]) -> list[Row]:
    params: Any = neuron.default()
    plain = F.core(params)
    wide = {"params": F.with_core(params, plain._replace(**{field: np.ones(4) for field in plain._fields[:1]}))}
    number = {"params": F.with_core(params, plain._replace(**{field: "1" for field in plain._fields[:1]}))}
    first = plain._fields[0]
    return entry(
        f"functional.{name}",
        function,
        {"params": params, "state": neuron.init(params, (3,)), "inputs": np.ones(3, np.float32), "dt": 1e-3, **good},
        traced="inputs",
        params=[*PARAMS, STRANGE],
        state=[Wrong("B15", "None", None, DTypeError), Wrong("B15", "a dictionary", {"v": 0.0}, DTypeError), STRANGE],
        inputs=[*ARRAY, Wrong("B3", "for four of three", np.ones(4), ShapeError), Wrong("B5", "of a batch", np.ones((2, 3)), ShapeError)],
        dt=STEP,
        config=[Wrong("D5", "a name", "exact", DTypeError), Wrong("B15", "of another model", _Strange(), DTypeError, "_Strange")],
        also=[
            (Wrong("B2", f"{first} for four of three", (first, (4,)), ShapeError), wide),
            (Wrong("B15", f"{first} a string", (first, "1"), DTypeError), number),
        ]
        if neuron is not F.dynapse_dpi
        else [],
        **({"phases": [Wrong("B15", "None", None, DTypeError), Wrong("B15", "a neuron", F.lif, DTypeError)]} if good else {}),
    )


STEPS = [
    *(row for name, neuron in F.MODELS.items() for row in _step(f"{name}_step", neuron, neuron.step, {})),
    *_step("advance", F.lif, F.advance, {"phases": F.lif.phases}),
]

OTHERS = [
    *entry("functional.attached", F.attached, {"reset": F.reset_to_value}, reset=word(DTypeError)),
    *entry(
        "functional.DPIConfig",
        F.DPIConfig,
        {},
        substeps=[*count(1)],
        gaba=word(DTypeError, DTypeError),
        shunt=word(DTypeError, DTypeError),
        dynamics=word(DTypeError, DTypeError),
    ),
]

DYNAPSE = [
    Row("functional.simulate", argument, case, f"dynapse_dpi: {name}", lambda one, given=given: _dpi(**given), error, field, came)
    for argument, case, name, error, field, came, given in [
        (
            "params",
            "F6",
            "a negative leak",
            ParameterError,
            "Itau_mem",
            -1e-12,
            {"params": F.DynapseParams(F.BiasCurrents(Itau_mem=-1e-12))},
        ),
        ("params", "F6", "a threshold of 0", ParameterError, "Ispkthr", 0.0, {"params": F.DynapseParams(F.BiasCurrents(Ispkthr=0.0))}),
        ("params", "A3", "a current that is NaN", ParameterError, "Idc", NAN, {"params": F.DynapseParams(F.BiasCurrents(Idc=NAN))}),
        (
            "params",
            "A3",
            "a constant that is infinite",
            ParameterError,
            "C_mem",
            INF,
            {"params": F.DynapseParams(process=F.Process(C_mem=INF))},
        ),
        (
            "params",
            "B2",
            "currents for four of three",
            ShapeError,
            "Itau_mem",
            (4,),
            {"params": F.DynapseParams(F.BiasCurrents(Itau_mem=np.full(4, 1e-11)))},
        ),
        ("inputs", "B3", "gates of two widths", ShapeError, "inputs", UNTOLD, {"inputs": F.Gates(np.zeros((5, 3)), np.zeros((5, 2)))}),
        ("inputs", "B15", "no gate", ShapeError, "inputs", UNTOLD, {"inputs": F.Gates()}),
        ("config", "D5", "a surrogate by name", DTypeError, "config.spike", "tanh", {"config": F.DPIConfig(spike="tanh")}),
        ("config", "B15", "a config of other models", DTypeError, "config", UNTOLD, {"config": F.SpikingConfig()}),
    ]
]


def _dpi(**given: Any) -> Any:
    return F.simulate(F.dynapse_dpi, **{"params": F.DynapseParams(), "inputs": np.zeros((5, 3), np.float32), "dt": 1e-3, **given})


LOW = row(
    "functional.dynapse_dpi_init",
    "G1",
    "dtype float16",
    DTypeError,
    "dtype",
    "float16",
    lambda: F.dynapse_dpi_init(F.DynapseParams(), (3,), np.float16),
)
REFRACTORY = {"neuron": F.lif_refrac, "params": F.lif_refrac.default(), "inputs": np.zeros((5, 4), np.float32), "dt": 1e-3}
LOW_TOO = row(
    "functional.dynapse_dpi_init",
    "G2",
    "dtype bfloat16",
    DTypeError,
    "dtype",
    "bfloat16",
    lambda: F.dynapse_dpi_init(F.DynapseParams(), (3,), jnp.bfloat16),
)
THRESHOLD = row(
    "functional.simulate",
    "A9",
    "v_th NaN",
    ParameterError,
    "v_th",
    NAN,
    lambda: F.simulate(F.lif, F.LIFParams(v_th=NAN), ZEROS, dt=1e-3),
    argument="params",
)
COUNTERS = [
    Row(
        "functional.simulate",
        "state",
        "A13",
        name,
        lambda one, left=left: F.simulate(**{**REFRACTORY, "state": refractory_state(left)}),
        ParameterError,
        "state.steps_left",
        came,
    )
    for name, left, came in [
        ("a counter below 0", -1, -1.0),
        ("a counter beyond int32", 2**31, 2.0**31),
        ("one counter below 0", np.array([0, 0, -(2**31), 1], np.int32), -(2.0**31)),
    ]
]


def refractory_state(left: Any) -> F.RefractoryState:
    return F.RefractoryState(F.LIFState(0.0, 0.0), left)


ROWS = [
    *(_of_simulate(name, refusal) for name, refusal in RUNS.items()),
    *(_of_estimate(name, refusal) for name, refusal in RUNS.items() if "backend" not in refusal.given),
    *(_of_events(name, refusal) for name, refusal in REFUSALS.items()),
    *UNROLL,
    *WRAPPERS,
    *NOISE,
    *ROUNDED,
    *STEPS,
    *SURROGATES,
    *RECORDS,
    *INITS,
    LOW,
    LOW_TOO,
    THRESHOLD,
    *COUNTERS,
    *OTHERS,
    *DYNAPSE,
]
