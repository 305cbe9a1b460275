"""Parameters and networks of other libraries; fitting; pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import optax
from battery_graph import CHAIN
from battery_kinds import (
    ARRAY,
    GRAPH,
    MAX_BYTES,
    NAN,
    NEURON,
    NO_NUMBER,
    NONNEGATIVE,
    PARAMS,
    PATH,
    POSITIVE,
    REAL,
    STEP,
    count,
    without_none,
    word,
)
from battery_row import UNTOLD, Row, Wrong, entry

import snnjax.functional as F
from snnjax import ConfigError, DTypeError, GraphError, NumericsError, ParameterError, ShapeError, fit, plot
from snnjax.interop import brian, norse, rockpool, spark

# Other libraries' parameters: each argument by what it is.

_KIND: dict[str, Any] = {
    **dict.fromkeys(
        (
            "tau_mem",
            "tau_syn",
            "tau_syn_inv",
            "tau_mem_inv",
            "alpha",
            "tau_th",
            "tau_syn_r",
            "tau_syn_inp",
            "tau_syn_rec",
            "potential_tau",
            "threshold_tau",
            "resistance",
        ),
        POSITIVE,
    ),
    **dict.fromkeys(("refractory", "cooldown", "noise_std"), NONNEGATIVE),
    **dict.fromkeys(
        ("v_leak", "v_th", "v_reset", "v_rest", "v_thresh", "bias", "rho_reset", "potential_rest", "potential_reset", "d_th"), REAL
    ),
    "dt": [wrong for wrong in STEP if wrong.name != "one per neuron"],
    "threshold": REAL,
    "threshold_delta": REAL,
    "method": word(),
    "reset": word(DTypeError, DTypeError),
    "integrator": word(DTypeError, DTypeError),
}
WEIGHTS = np.zeros((2, 2))
_MATRIX = [
    Wrong("A3", "NaN", np.full((2, 2), NAN), ParameterError),
    Wrong("B14", "a list", [[0.0]], DTypeError),
    Wrong("B15", "None", None, DTypeError),
    Wrong("B2", "of one axis", np.zeros(2), ShapeError),
    Wrong("B9", "complex", WEIGHTS * 1j, DTypeError),
]


def _converter(name: str, function: Any, good: dict[str, Any], **more: Any) -> list[Row]:
    import inspect

    arguments = inspect.signature(function).parameters
    return entry(name, function, good, **{**{argument: _KIND[argument] for argument in arguments if argument in _KIND}, **more})


OTHERS = [
    *(
        refused
        for name in ("lif", "lif_refrac", "lif_box", "li", "li_box", "surrogate", "config")
        for refused in _converter(f"interop.norse.{name}", getattr(norse, name), {})
    ),
    *(
        refused
        for name in ("leaky", "refractory_leaky", "strict_refractory_leaky", "adaptive_leaky")
        for refused in _converter(f"interop.spark.{name}", getattr(spark, name), {})
    ),
    *_converter(
        "interop.spark.steps_left",
        spark.steps_left,
        {"refractory": np.zeros(2)},
        refractory=[
            Wrong("B15", "None", None, DTypeError),
            Wrong("B15", "a string", "1", DTypeError),
            Wrong("A3", "NaN", NAN, ParameterError),
        ],
    ),
    *(
        refused
        for name in ("ffiaf", "ffiaf_constant_leak", "ffiaf_spk_in")
        for refused in _converter(f"interop.brian.{name}", getattr(brian, name), {})
    ),
    *_converter("interop.brian.rec_iaf", brian.rec_iaf, {"weights": WEIGHTS}, weights=_MATRIX),
    *_converter("interop.brian.rec_iaf_spk_in", brian.rec_iaf_spk_in, {"weights_rec": WEIGHTS}, weights_rec=_MATRIX),
    *_converter("interop.brian.delta_th", brian.delta_th, {"d_th": 1.0, "tau_th": 1.0, "dt": 0.1}),
    *_converter("interop.brian.frozen", brian.frozen, {"refractory": 1e-3, "dt": 1e-3}),
    *_converter("interop.brian.sigma", brian.sigma, {"noise_std": 1.0, "tau_mem": 1.0, "dt": 0.1}),
    *entry(
        "interop.brian.arrivals",
        brian.arrivals,
        {"jumps": np.zeros((5, 2), np.float32)},
        traced="jumps",
        jumps=ARRAY,
        before=[Wrong("B5", "of another width", np.zeros(3), ShapeError), Wrong("B15", "a string", "0", DTypeError)],
    ),
    *entry(
        "interop.brian.rk4_inputs",
        brian.rk4_inputs,
        {"currents": np.zeros((5, 2), np.float32)},
        traced="currents",
        currents=ARRAY,
        after=[Wrong("B5", "of another width", np.zeros(3), ShapeError), Wrong("B15", "a string", "0", DTypeError)],
    ),
    *_converter("interop.rockpool.lif", rockpool.lif, {}, threshold=POSITIVE),
    *_converter(
        "interop.rockpool.receive",
        rockpool.receive,
        {"x": np.zeros((5, 2), np.float32), "tau_syn": np.ones((2, 1))},
        x=ARRAY,
        also=[(Wrong("B3", "tau_syn for three neurons", ("x", (5, 2)), ShapeError), {"tau_syn": np.ones((3, 1))})],
        tau_syn=[
            *NO_NUMBER,
            Wrong("B2", "of one axis", np.ones(2), ShapeError),
            Wrong("A1", "zero", np.zeros((2, 1)), ParameterError),
        ],
    ),
    *_converter("interop.rockpool.config", rockpool.config, {}, max_spikes_per_dt=count(1)),
    *_converter(
        "interop.rockpool.vmem",
        rockpool.vmem,
        {"v": 0.0, "params": rockpool.lif(), "threshold": 1.0},
        v=REAL,
        threshold=POSITIVE,
        params=PARAMS,
    ),
]

try:
    import nir as package

    from snnjax.interop import nir
except ImportError:  # the extra `nir` is not installed
    NIR: list[Row] = []
else:

    def _nir(**changed: Any) -> Any:
        fields = {"tau": np.full(2, 0.02), "r": np.ones(2), "v_leak": np.zeros(2), "v_threshold": np.ones(2), "v_reset": np.zeros(2)}
        return package.NIRGraph.from_list(package.LIF(**{**fields, **changed}))

    SECONDS = [Wrong("D5", "an unknown unit", "min", ConfigError), *(wrong for wrong in without_none(POSITIVE) if wrong.name != "a string")]
    CHOICE = [Wrong("D5", "a name", "nonsense", ConfigError), Wrong("D5", "a number", 3, ConfigError)]
    NIR = [
        *entry(
            "interop.nir.from_nir",
            nir.from_nir,
            {"nir_graph": _nir(), "dt": 1e-3},
            dt=STEP,
            time_unit=SECONDS,
            integrator=CHOICE,
            reset=CHOICE,
            synapse=CHOICE,
            nir_graph=[
                Wrong("B15", "None", None, DTypeError),
                Wrong("B15", "a path", "net.nir", DTypeError),
                Wrong("B15", "a graph", CHAIN, DTypeError),
            ],
            also=[
                (Wrong(case, name, (field, UNTOLD), errors), {"nir_graph": made})
                for case, name, field, errors, made in [
                    ("A7", "time constants in milliseconds", "time_unit", ParameterError, _nir(tau=np.full(2, 20.0))),
                    ("F3", "a negative time constant", "nir_graph", GraphError, _nir(tau=np.array([0.02, -1.0]))),
                    ("A8", "a threshold at the reset", "nir_graph", GraphError, _nir(v_threshold=np.zeros(2))),
                    ("A3", "a resistance that is NaN", "nir_graph", GraphError, _nir(r=np.array([1.0, NAN]))),
                    ("B9", "a complex resistance", "r", DTypeError, _nir(r=np.ones(2, complex))),
                ]
            ]
            + [(Wrong("A6", "a step too long for euler", ("dt", UNTOLD), ParameterError), {"dt": 0.03, "integrator": F.euler})],
        ),
        *entry(
            "interop.nir.to_nir",
            nir.to_nir,
            {"g": CHAIN},
            g=GRAPH,
            dt=without_none(STEP),
            integrator=CHOICE,
            on_loss=CHOICE,
            also=[(Wrong("D2", "an integrator without dt", ("dt", None), ConfigError), {"integrator": F.euler})],
        ),
        *entry("interop.nir.read", nir.read, {"path": "nowhere"}, path=PATH, max_bytes=MAX_BYTES),
    ]

# Fitting


def _loss(params: Any) -> Any:
    return params.tau_mem


TRAIN = [Wrong("D5", "an unknown name", "tau_men", ConfigError, UNTOLD), Wrong("B15", "a number", 3, (ConfigError, DTypeError))]
OUTSIDE: list[Any] = [
    (Wrong("A1", "tau_mem zero", ("tau_mem", 0.0), ParameterError), {"params": F.LeakyParams(tau_mem=0.0)}),
    (
        Wrong("A4", "tau_mem bad in one of three", ("tau_mem", -1.0), ParameterError),
        {"params": F.LeakyParams(tau_mem=np.array([1.0, -1.0, 1.0]))},
    ),
    (Wrong("A3", "v_leak NaN", ("v_leak", NAN), ParameterError), {"params": F.LeakyParams(v_leak=NAN)}),
    (Wrong("A8", "a threshold at the reset", ("v_reset", 0.0), ParameterError), {"params": F.LeakyParams(v_th=0.0)}),
    (Wrong("B16", "a threshold of integers", ("v_th", UNTOLD), DTypeError), {"params": F.LeakyParams(v_th=np.ones(2, np.int32))}),
]
SQUARES = {
    "neuron": F.leaky,
    "params": F.LeakyParams(),
    "inputs": np.zeros((10, 2), np.float32),
    "target": np.zeros((10, 2), np.float32),
    "dt": 1e-3,
    "steps": 1,
}
WIDE = F.recurrent(F.leaky)
FIT = [
    *entry(
        "fit.minimize",
        fit.minimize,
        {"loss": _loss, "params": F.LeakyParams(), "steps": 1},
        steps=count(),
        trainable=TRAIN,
        optimizer=[Wrong("B15", "a number", 0.1, DTypeError), Wrong("B15", "a function", optax.adam, DTypeError)],
        loss=[Wrong("B15", "a number", 3, DTypeError)],
        progress=[],
        also=[
            *OUTSIDE,
            (Wrong("B2", "loss of three numbers", ("loss", (3,)), ShapeError), {"loss": lambda p: p.tau_mem * np.ones(3, np.float32)}),
            (Wrong("B16", "loss an integer", ("loss", UNTOLD), DTypeError), {"loss": lambda p: np.int32(1)}),
            (Wrong("B15", "params without a number", ("trainable", "none"), ConfigError), {"params": {}}),
        ],
    ),
    *entry(
        "fit.least_squares",
        fit.least_squares,
        SQUARES,
        neuron=NEURON,
        params=PARAMS,
        inputs=ARRAY,
        dt=STEP,
        steps=count(),
        trainable=TRAIN,
        target=[
            Wrong("B5", "of another length", np.zeros((9, 2), np.float32), ShapeError),
            Wrong("B16", "integers", np.zeros((10, 2), int), DTypeError, UNTOLD),
            Wrong("B15", "None", None, DTypeError),
            Wrong("B14", "a list", [[0.0, 1.0]], DTypeError),
        ],
        record=word(DTypeError, DTypeError),
        config=[Wrong("B15", "a dictionary", {}, DTypeError)],
        state=[
            Wrong("B15", "a dictionary", {}, DTypeError, "dict"),
            Wrong("B15", "of another model", F.LIFState(0.0, 0.0), DTypeError, "LIFState"),
        ],
        also=[
            *OUTSIDE[:1],
            (Wrong("B2", "record of two arrays", ("record", UNTOLD), ShapeError), {"record": lambda state, spikes: (state.v, spikes)}),
            (
                Wrong("D5", "a recurrent neuron", ("neuron", UNTOLD), DTypeError),
                {"neuron": WIDE, "params": WIDE.default(weight=np.zeros((2, 2), np.float32)), "record": lambda state, spikes: spikes},
            ),
        ],
    ),
    *entry("fit.unconstrain", fit.unconstrain, {"params": F.LeakyParams()}, also=OUTSIDE),
    *entry(
        "fit.constrain",
        fit.constrain,
        {"like": F.LeakyParams(), "free": F.LeakyParams()},
        free=[Wrong("B15", "of another model", F.LIFParams(), DTypeError, UNTOLD), Wrong("B15", "None", None, DTypeError, UNTOLD)],
        also=[(Wrong("A3", "free NaN", ("tau_mem", NAN), ParameterError), {"free": F.LeakyParams(tau_mem=NAN)})],
    ),
]

RUN = fit.TrainState({"w": np.ones(2, np.float32)}, None, np.zeros(2, np.uint32))
STATE = [*PARAMS, Wrong("B15", "the parameters alone", RUN.params, DTypeError)]
LEAF = np.frombuffer(b"loss".ljust(96, b"\0"), np.uint8)
SKIPPED = RUN._replace(skipped=fit.Skipped(np.int32(5), np.int32(5), np.int32(7), LEAF))
FIT += [
    *entry(
        "fit.guard",
        fit.guard,
        {"before": RUN, "after": RUN},
        before=STATE,
        after=STATE,
        also=[
            (
                Wrong("B2", "after with another shape", ("after", (3,)), ShapeError),
                {"after": RUN._replace(params={"w": np.ones(3, np.float32)})},
            ),
            (Wrong("D9", "after with another structure", ("after", UNTOLD), ConfigError), {"after": RUN._replace(params=3.0)}),
        ],
    )[:-1],
    *entry(
        "fit.check",
        fit.check,
        {"state": RUN},
        state=STATE,
        patience=count(1),
        also=[(Wrong("C2", "too many steps skipped", ("loss", 7), NumericsError), {"state": SKIPPED})],
    ),
    *entry("fit.save_state", fit.save_state, {"path": "nowhere", "state": RUN}, path=PATH, state=STATE),
    *entry("fit.load_state", fit.load_state, {"path": "nowhere", "like": RUN}, path=PATH, like=STATE, max_bytes=MAX_BYTES),
]

# Pictures

VALUES = [wrong._replace(came=UNTOLD) for wrong in ARRAY if wrong.name != "a list"] + [
    Wrong("B2", "of three axes", np.zeros((2, 3, 4)), ShapeError),
    Wrong("B4", "a number", np.float64(1.0), ShapeError),
]
V = np.zeros((3, 2))
AX = [Wrong("B15", "a number", 3, DTypeError)]
PLOT = [
    *entry("plot.raster", plot.raster, {"spikes": np.eye(2), "dt": 1e-3}, spikes=VALUES, dt=STEP, ax=AX),
    *entry(
        "plot.traces",
        plot.traces,
        {"v": V, "dt": 1e-3},
        v=VALUES,
        dt=STEP,
        ax=AX,
        spikes=[Wrong("B5", "of another shape", V.T, ShapeError), Wrong("B9", "complex", V * 1j, DTypeError)],
        v_th=[Wrong("B2", "for three of two", np.ones(3), ShapeError), Wrong("B15", "a string", "1", DTypeError, UNTOLD)],
    ),
    *entry(
        "plot.fi_curve",
        plot.fi_curve,
        {"currents": [1.0, 2.0], "rates": [1.0, 2.0]},
        ax=AX,
        currents=[Wrong("B9", "complex", np.ones(2) * 1j, DTypeError), Wrong("B15", "strings", np.array(["a"]), DTypeError)],
        rates=[Wrong("B5", "too few", [1.0], ShapeError, (1, 1)), Wrong("B9", "complex", np.ones(2) * 1j, DTypeError)],
    ),
    *entry("plot.graph", plot.graph, {"g": CHAIN}, g=GRAPH, ax=AX),
]

ROWS = [*OTHERS, *NIR, *FIT, *PLOT]
