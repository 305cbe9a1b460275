"""Somas, configs, networks, IAF layers, read-outs, losses and their files."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import numpy as np
from battery_kinds import (
    ARRAY,
    INF,
    KEY,
    MASK,
    MAX_BYTES,
    NAN,
    NEURON,
    NO_NUMBER,
    PARAMS,
    PATH,
    POSITIVE,
    SHAPE,
    STEP,
    without_none,
    word,
)
from battery_row import UNTOLD, Row, Wrong, entry, row
from door_iaf import MAKING, RUNNING, W

import snnjax.functional as F
from snnjax import ConfigError, DTypeError, FormatError, ParameterError, ShapeError, somas
from snnjax._kinds import Kind
from snnjax.somas._choices import choices_of
from snnjax.somas._fields import fields_of

KINDS_OF_VALUE = (DTypeError, ParameterError)
INPUTS = np.full((5, 2), 0.4, np.float32)
CONFIGS = [
    made for made in vars(somas).values() if isinstance(made, type) and issubclass(made, somas.SomaConfig) and made is not somas.SomaConfig
]
DTYPES = [Wrong("B10", "float64 in 32-bit mode", np.float64, DTypeError), Wrong("B16", "int32", np.int32, DTypeError)]

# Configs: every field of every class.


def _outside(kind: Kind) -> list[tuple[str, float]]:
    below = {"positive": [("A1", 0.0)], "nonnegative": [("A2", -1.0)], "fraction": [("A2", 1.5)], "real": []}[kind.domain]
    return [*below, ("A3", NAN)]


def _of_config(made: Any) -> list[Row]:
    name = f"somas.{made.__name__}"
    rows = []

    def refused(case: str, what: str, error: Any, field: str, value: Any, came: Any = UNTOLD, **given: Any) -> Row:
        return Row(name, field, case, f"{field} {what}", lambda one: made(shape=(3,), **{field: value, **given}), error, field, came)

    for field, it in fields_of(made.neuron).items():
        rows += [refused(case, f"{value}", ParameterError, field, value, value) for case, value in _outside(it.kind)]
        rows += [refused("B15", "a string", DTypeError, field, "20 ms", "20 ms"), refused("B2", "of five", ShapeError, field, np.ones(5))]
    for field in choices_of(made.neuron):
        rows.append(refused("D5", "a name", ConfigError, field, "nonsense", "nonsense"))
    rows += [
        Row(name, "shape", wrong.case, f"shape {wrong.name}", lambda one, w=wrong: made(shape=w.value), ShapeError, "shape", wrong.value)
        for wrong in SHAPE
    ]
    rows.append(row(name, "D1", "an unknown field", ConfigError, "taau", 1.0, lambda: made(shape=3, taau=1.0)))
    return rows


LIF = somas.LIFSomaConfig(shape=(2,))
TEXT = LIF.to_json()


def _spoilt(change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    content = LIF.to_dict()
    change(content)
    return content


CONFIG = [
    *(refused for made in CONFIGS for refused in _of_config(made)),
    row(
        "somas.LIFSomaConfig",
        "A8",
        "a threshold below the reset",
        ParameterError,
        "v_reset",
        2.0,
        lambda: somas.LIFSomaConfig(shape=2, v_reset=2.0),
    ),
    row(
        "somas.LIFSomaConfig",
        "A10",
        "a threshold of 0 with reset by subtraction",
        ParameterError,
        "v_reset",
        0.0,
        lambda: somas.LIFSomaConfig(shape=2, v_th=0.0, reset=F.reset_by_subtraction),
    ),
    row(
        "somas.LIFSomaConfig",
        "A4",
        "tau_mem bad in one of three",
        ParameterError,
        "tau_mem",
        -1.0,
        lambda: somas.LIFSomaConfig(shape=3, tau_mem=np.array([1.0, -1.0, 1.0])),
    ),
    row(
        "somas.LIFSomaConfig",
        "B1",
        "tau_mem a column",
        ShapeError,
        "tau_mem",
        (2, 1),
        lambda: somas.LIFSomaConfig(shape=2, tau_mem=np.ones((2, 1))),
    ),
    row(
        "somas.LIFSomaConfig",
        "A1",
        "tau_mem drawn from below 0",
        ParameterError,
        "tau_mem",
        -1.0,
        lambda: somas.LIFSomaConfig(shape=2, tau_mem=somas.Uniform(-1.0, 1.0)),
    ),
    row(
        "somas.LIFSomaConfig",
        "A3",
        "tau_mem beyond all floats",
        ParameterError,
        "tau_mem",
        INF,
        lambda: somas.LIFSomaConfig(shape=2, tau_mem=10**400),
    ),
    row("somas.SomaConfig", "B15", "without a neuron", ConfigError, "neuron", None, lambda: somas.SomaConfig(shape=2)),
    *entry(
        "somas.LIFSomaConfig.build",
        somas.LIFSomaConfig(shape=2, tau_mem=somas.Uniform(1.0, 2.0)).build,
        {"key": jax.random.key(0)},
        key=KEY,
        dtype=DTYPES,
        also=[(Wrong("D2", "without a key", ("key", None), ConfigError), {"key": None})],
    )[:-1],
    *entry("somas.LIFSomaConfig.resolve", LIF.resolve, {}, key=KEY, dtype=DTYPES)[:-1],
    *entry(
        "somas.LIFSomaConfig.from_params",
        somas.LIFSomaConfig.from_params,
        {"params": F.LIFParams(), "shape": 2},
        params=[*PARAMS, Wrong("B15", "of another model", F.LeakyParams(), DTypeError)],
        shape=SHAPE,
    ),
    *entry("somas.LIFSomaConfig.replace", LIF.replace, {}, tau_mem=POSITIVE[:1]),
    row(
        "somas.LIFSomaConfig.diff",
        "B15",
        "of another class",
        DTypeError,
        "other",
        "LeakySomaConfig",
        lambda: LIF.diff(somas.LeakySomaConfig(shape=2)),
    ),
    row("somas.LIFSomaConfig", "D5", "set after it was made", ConfigError, "tau_mem", 1.0, lambda: setattr(LIF, "tau_mem", 1.0)),
    *(
        row(
            "somas.LIFSomaConfig.from_dict",
            case,
            name,
            errors,
            field.strip("!"),
            None if "!" in field else UNTOLD,
            lambda change=change: LIF.from_dict(_spoilt(change)),
            "content",
        )
        for case, name, errors, field, change in [
            ("D1", "an unknown field", ConfigError, "taau", lambda c: c["parameters"].update(taau=1.0)),
            ("D2", "a field left out", ConfigError, "v_th!", lambda c: c["parameters"].pop("v_th")),
            ("D3", "a bool for a number", ConfigError, "v_th", lambda c: c["parameters"].update(v_th=True)),
            ("D3", "NaN", ConfigError, "v_th", lambda c: c["parameters"].update(v_th=NAN)),
            ("D3", "text for a number", ConfigError, "v_th", lambda c: c["parameters"].update(v_th="1.0")),
            ("D5", "an unknown choice", ConfigError, "reset", lambda c: c["choices"].update(reset="eval")),
            ("D11", "of another class", ConfigError, "class", lambda c: c.update({"class": "LeakySomaConfig"})),
            ("D12", "of a newer version", ConfigError, "version", lambda c: c.update(version=2)),
            ("D14", "a negative time constant", ParameterError, "tau_mem", lambda c: c["parameters"].update(tau_mem=-1.0)),
            ("D19", "a shape that is text", ConfigError, "shape", lambda c: c.update(shape="(2,)")),
        ]
    ),
    *(
        row("somas.LIFSomaConfig.from_json", case, name, FormatError, "content", UNTOLD, lambda text=text: LIF.from_json(text))
        for case, name, text in [
            ("D7", "half of it", TEXT[: len(TEXT) // 2]),
            ("D7", "nothing", ""),
            ("D7", "no text", b"\xff\xfe"),
            ("B15", "a number", 3),
            ("D3", "NaN", TEXT.replace("1.0", "NaN", 1)),
            ("D3", "Infinity", TEXT.replace("1.0", "-Infinity", 1)),
            ("D3", "1e999", TEXT.replace("1.0", "1e999", 1)),
            ("D4", "a key twice", TEXT.replace('"v_th"', '"tau_mem"', 1)),
            ("D6", "nested too deep", "[" * 200000),
            ("D6", "an integer of 1000 digits", TEXT.replace("1.0", "9" * 1000, 1)),
        ]
    ),
    *entry(
        "somas.config_class",
        somas.config_class,
        {"neuron": F.lif, "name": "MyConfig"},
        neuron=NEURON,
        name=[Wrong("B15", "a number", 3, DTypeError), Wrong("D19", "no identifier", "my config", (ConfigError, DTypeError))],
    ),
]

NUMBER = [Wrong("A3", "NaN", NAN, ParameterError), *without_none(NO_NUMBER), Wrong("B2", "one per neuron", np.ones(2), ShapeError)]
GOOD_DRAWS: dict[str, tuple[Any, dict[str, float], dict[str, float]]] = {
    "Constant": (somas.Constant, {"value": 1.0}, {}),
    "Uniform": (somas.Uniform, {"low": 1.0, "high": 2.0}, {"low": 3.0}),
    "Normal": (somas.Normal, {"mean": 0.0, "std": 1.0}, {"std": -1.0}),
    "TruncatedNormal": (somas.TruncatedNormal, {"mean": 0.0, "std": 1.0, "low": -1.0, "high": 1.0}, {"std": 0.0, "low": 2.0}),
    "LogNormal": (somas.LogNormal, {"median": 1.0, "sigma": 0.1}, {"median": 0.0, "sigma": -1.0}),
}
DRAWS = [
    refused
    for name, (made, good, bad) in GOOD_DRAWS.items()
    for refused in [
        *entry(f"somas.{name}", made, good, **dict.fromkeys(good, NUMBER)),
        *(
            row(
                f"somas.{name}",
                "A2",
                f"{field} {value}",
                ParameterError,
                field,
                value,
                lambda f=field, v=value, m=made, g=good: m(**{**g, f: v}),
            )
            for field, value in bad.items()
        ),
    ]
] + [
    row("somas.PerGroup", "B2", "more sizes than values", ShapeError, "sizes", (2, 2), lambda: somas.PerGroup((2, 2), (1.0,))),
    row("somas.PerGroup", "B15", "sizes that are no sizes", ShapeError, "sizes", (2.5,), lambda: somas.PerGroup((2.5,), (1.0,))),
    row("somas.PerGroup", "A3", "values NaN", ParameterError, "values", NAN, lambda: somas.PerGroup((2,), (NAN,))),
    row(
        "somas.PerGroup",
        "B2",
        "sizes that do not add up",
        ShapeError,
        "tau_mem",
        (2, 1),
        lambda: somas.LIFSomaConfig(shape=2, tau_mem=somas.PerGroup((2, 1), (1.0, 2.0))),
        argument="sizes",
    ),
]

# Somas and networks

SOMA = LIF.build()
NET = somas.Sequential([eqx.nn.Linear(2, 2, key=jax.random.key(0)), SOMA])
STATES = [Wrong("B15", "a dictionary", {}, DTypeError), Wrong("B15", "of another model", F.LeakyState(0.0), DTypeError, UNTOLD)]
BATCHES = [Wrong("B15", "a string", "3", ShapeError), Wrong("B2", "negative", -1, ShapeError), Wrong("B15", "a fraction", 2.5, ShapeError)]
SEGMENT = [Wrong("B15", "of no step", 0, ParameterError), Wrong("B15", "a fraction", 2.5, DTypeError)]
WIDE = Wrong("B3", "of another width", np.zeros((5, 3), np.float32), ShapeError, UNTOLD)
FLAT = Wrong("B4", "without time", np.zeros(2, np.float32), ShapeError)


def _module(name: str, module: Any, **more: Any) -> list[Row]:
    """The rows of everything that one can do with a soma or a network."""
    run = {"inputs": INPUTS, "dt": 1e-3}
    long = {"dt": STEP, "mask": MASK, "segment": SEGMENT, "inputs": [*ARRAY, WIDE, FLAT], "state": STATES}
    one_step = {"state": module.init(), "inputs": INPUTS[0], "dt": 1e-3}
    steps = {
        "dt": STEP,
        "mask": MASK,
        "state": STATES,
        "inputs": [*ARRAY, Wrong("B3", "of another width", np.zeros(3, np.float32), ShapeError)],
    }
    rows = entry(f"somas.{name}.simulate", module.simulate, run, traced="inputs", **long, **more)
    rows += entry(f"somas.{name}.__call__", type(module).__call__, {"self": module, **one_step}, traced="inputs", **steps)
    rows += entry(f"somas.{name}.init", module.init, {}, batch_shape=BATCHES)
    return [*rows, *(entry(f"somas.{name}.outputs", module.outputs, run, traced="inputs", **long) if hasattr(module, "outputs") else [])]


def _network() -> Any:
    from snnjax import graph

    nodes = {
        "in": graph.Input(2),
        "w": graph.Linear(np.eye(2, dtype=np.float32)),
        "lif": graph.of(SOMA).nodes["lif"],
        "out": graph.Output(2),
    }
    return graph.build(
        graph.Graph(nodes, [graph.Edge("in", "w"), graph.Edge("w", "lif"), graph.Edge("lif", "w"), graph.Edge("lif", "out")])
    )


BATCH_OF_STATE = (Wrong("B5", "state of another batch", ("state.v", (3, 2)), ShapeError), {"state": SOMA.init((3,))})
SOMAS = [
    *_module(
        "Soma",
        SOMA,
        record=word(DTypeError, DTypeError),
        also=[
            BATCH_OF_STATE,
            (Wrong("C1", "checked with a mask", ("checked", True), ConfigError), {"checked": True, "mask": np.ones(5, bool)}),
        ],
    ),
    *_module("Sequential", NET),
    *_module("Network", _network()),
    *(
        row(
            f"somas.{name}",
            "B15",
            "the config of another class",
            DTypeError,
            "config",
            "LeakySomaConfig",
            lambda made=made: made(somas.LeakySomaConfig(shape=2) if made is not somas.LeakySoma else LIF),
        )
        for name, made in vars(somas).items()
        if isinstance(made, type) and issubclass(made, somas.Soma) and made is not somas.Soma and made is not somas.LeakySoma
    ),
    *entry(
        "somas.Soma",
        somas.Soma,
        {"config": LIF},
        config=[*PARAMS, Wrong("B15", "the class", somas.LIFSomaConfig, DTypeError, "type")],
        dtype=DTYPES,
        key=KEY,
    )[:-1],
    *entry(
        "somas.LeakySoma",
        somas.LeakySoma,
        {"config": somas.LeakySomaConfig(shape=2)},
        config=[Wrong("B15", "of another class", LIF, DTypeError)],
    )[:-1],
    *(
        row("somas.Sequential", "B15", name, ConfigError, "layers[0]", type(layer).__name__, lambda layer=layer: somas.Sequential([layer]))
        for name, layer in [
            ("a config as a layer", LIF),
            ("a class as a layer", eqx.nn.Linear),
            ("a function as a layer", np.tanh),
            ("nothing as a layer", None),
            ("statistics as a layer", eqx.nn.BatchNorm(2, "batch", mode="ema")),
        ]
    ),
    row("somas.Sequential", "B15", "no list of layers", DTypeError, "layers", 3, lambda: somas.Sequential(3)),
]

# IAF layers

_RECURRENT = (
    "not square",
    "other width",
    "tau_syn_rec that does not fit",
    "a delay that does not fit",
    "a delay of no weights",
    "a recurrent delay of no step",
    "a period of no step",
    "a step too long for euler",
    "several steps",
    "a record that is none",
)
_OF_RUNS = {
    "a step of another batch": "__call__",
    "a state of delays without a step": "init",
    "as a graph": None,
    "a network with noise": None,
}


def _of_layer(table: dict[str, Any]) -> list[Row]:
    rows = []
    for name, (call, error, text) in table.items():
        kind = "RecurrentIAF" if name in _RECURRENT else "FeedForwardIAF"
        method = "" if table is MAKING else f".{_OF_RUNS.get(name, 'simulate')}"
        if name == "another model's Params":
            method = ".from_params"
        found = re.match(r"`([\w.\[\]]+)`", text.replace("\\", ""))
        if found and not method.endswith("None"):
            letter = {ParameterError: "A", ShapeError: "B", DTypeError: "B"}.get(error, "D")
            field = "tau_syn_rec" if name == "its sibling's argument" else "dt" if text.startswith("`dt` = ") else found[1]
            field = "key" if name == "tau_syn drawn without a key" else field
            came = None if " is missing" in text or name in ("nothing", "tau_syn drawn without a key") else UNTOLD
            # Inside a transformation the layer that the row makes has traced parameters.
            inside = name not in ("a period of no step", "a step too long for euler")
            rows.append(row(f"somas.{kind}{method}", letter, name, error, field, came, call)._replace(inside=inside))
    return rows


FF, BACK = somas.FeedForwardIAF(W), np.zeros((3, 3), np.float32)
GOOD_REC = {"weight": W, "weight_rec": BACK, "tau_syn": 5e-3, "tau_syn_rec": 5e-3, "delay": 1e-3, "delay_rec": 1e-3, "sigma": 1.0}
TAU = without_none(POSITIVE)
DELAY = [Wrong("A2", "negative", -1e-3, ParameterError), Wrong("A3", "NaN", NAN, ParameterError), *without_none(NO_NUMBER)]
MATRIX = [
    Wrong("A3", "NaN", np.full((3, 3), NAN), ParameterError),
    Wrong("B2", "of one axis", np.ones(3), ShapeError),
    Wrong("B9", "complex", np.ones((3, 3)) * 1j, DTypeError),
    Wrong("B14", "a list", [[1.0]], DTypeError),
]
IAF = [
    *_of_layer(MAKING),
    *_of_layer(RUNNING),
    *entry(
        "somas.RecurrentIAF",
        somas.RecurrentIAF,
        GOOD_REC,
        weight=MATRIX,
        weight_rec=[*MATRIX, Wrong("B15", "None", None, DTypeError)],
        tau_syn=TAU,
        tau_syn_rec=TAU,
        delay=DELAY,
        delay_rec=DELAY,
        sigma=DELAY,
        neuron=NEURON,
        dtype=DTYPES,
        key=KEY,
        also=[(Wrong("A1", "tau_mem zero", ("tau_mem", 0.0), ParameterError), {"tau_mem": 0.0})],
    ),
    *entry(
        "somas.FeedForwardIAF",
        somas.FeedForwardIAF,
        {k: v for k, v in GOOD_REC.items() if not k.endswith("_rec")},
        weight=MATRIX,
        tau_syn=TAU,
        delay=DELAY,
        sigma=DELAY,
        neuron=NEURON,
        dtype=DTYPES,
        key=KEY,
    ),
    *entry(
        "somas.FeedForwardIAF.from_params",
        somas.FeedForwardIAF.from_params,
        {"weight": W, "params": F.refractory(F.leaky).default()},
        params=PARAMS,
        weight=MATRIX,
        neuron=NEURON,
    ),
    *entry(
        "somas.RecurrentIAF.from_params",
        somas.RecurrentIAF.from_params,
        {"weight": W, "weight_rec": BACK, "params": F.refractory(F.leaky).default()},
        params=PARAMS,
        weight=MATRIX,
        weight_rec=MATRIX,
        neuron=NEURON,
    ),
    *entry("somas.FeedForwardIAF.init", somas.FeedForwardIAF(W, sigma=1.0).init, {}, key=KEY)[:-1],
    *_module("FeedForwardIAF", FF, key=[Wrong("D1", "without noise", jax.random.key(0), ConfigError)], record=word(DTypeError, DTypeError)),
]

# Read-outs, losses, training, files

SPIKES = np.zeros((5, 2), np.float32)
LABELS = [
    Wrong("B16", "floats", np.zeros(2, np.float32), DTypeError),
    Wrong("B5", "too many", np.zeros(3, int), ShapeError),
    Wrong("C6", "below 0", np.array([0, -1]), ParameterError),
    Wrong("C6", "beyond the classes", np.array([0, 2]), ParameterError),
    Wrong("B15", "None", None, DTypeError),
    Wrong("B15", "a string", "0", DTypeError),
]
VALUES = [*(wrong for wrong in ARRAY if wrong.name != "a list"), Wrong("B4", "without time", np.float32(1.0), ShapeError)]
CLASSES = np.zeros((5, 2, 2), np.float32)
LABEL = np.array([0, 1])
MASKS = [Wrong("B7", "of numbers", np.ones((5, 2)), DTypeError), Wrong("B5", "too short", np.ones((3, 2), bool), ShapeError)]
READ_OUTS = [
    *entry("somas.spike_count", somas.spike_count, {"spikes": SPIKES}, traced="spikes", spikes=VALUES, mask=MASK),
    *entry(
        "somas.first_spike_time", somas.first_spike_time, {"spikes": SPIKES, "dt": 1e-3}, traced="spikes", spikes=VALUES, mask=MASK, dt=STEP
    ),
    *entry("somas.mean_over_time", somas.mean_over_time, {"values": SPIKES}, traced="values", values=VALUES, mask=MASK),
    *entry(
        "somas.max_over_time",
        somas.max_over_time,
        {"values": SPIKES},
        traced="values",
        mask=MASK,
        values=[*VALUES, Wrong("B17", "of no step", SPIKES[:0], ShapeError)],
    ),
    *entry(
        "somas.cross_entropy",
        somas.cross_entropy,
        {"scores": SPIKES[:2], "labels": LABEL},
        traced="scores",
        labels=LABELS,
        scores=[*(wrong for wrong in ARRAY if wrong.name != "a list"), Wrong("B2", "without classes", np.float32(1.0), ShapeError)],
    ),
    *entry(
        "somas.rate_loss", somas.rate_loss, {"spikes": CLASSES, "labels": LABEL}, traced="spikes", spikes=VALUES, labels=LABELS, mask=MASKS
    ),
    *entry(
        "somas.latency_loss",
        somas.latency_loss,
        {"spikes": CLASSES, "labels": LABEL, "dt": 1e-3, "tau": 1e-2},
        traced="spikes",
        spikes=VALUES,
        labels=LABELS,
        mask=MASKS,
        dt=STEP,
        tau=POSITIVE,
    ),
    *entry(
        "somas.membrane_cross_entropy",
        somas.membrane_cross_entropy,
        {"v": CLASSES, "labels": LABEL},
        traced="v",
        v=VALUES,
        labels=LABELS,
        mask=MASKS,
        pool=word(DTypeError, DTypeError),
    ),
    *entry(
        "somas.trainable",
        somas.trainable,
        {"net": NET},
        kinds=[Wrong("D5", "an unknown name", "nonsense", ConfigError), Wrong("B15", "a number", 3, DTypeError)],
        paths=[Wrong("D5", "an unknown name", "nonsense", ConfigError), Wrong("B15", "a number", 3, DTypeError)],
    ),
    *entry(
        "somas.save",
        somas.save,
        {"path": "nowhere", "module": SOMA},
        path=PATH,
        also=[
            (Wrong("B15", "a module that is none", ("module", 3), (ConfigError, DTypeError)), {"module": 3}),
            (Wrong("B15", "an extra that is none", ("extra['f']", np.tanh), DTypeError), {"extra": {"f": np.tanh}}),
        ],
    ),
    *entry("somas.load", somas.load, {"path": "nowhere"}, path=PATH, max_bytes=MAX_BYTES),
    *entry("somas.load_extra", somas.load_extra, {"path": "nowhere", "like": {}}, path=PATH, max_bytes=MAX_BYTES),
]

ROWS = [*CONFIG, *DRAWS, *SOMAS, *IAF, *READ_OUTS]
