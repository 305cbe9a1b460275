"""LIF neurons as bias currents, currents as codes of a chip, chips that differ, networks for a chip."""

from __future__ import annotations

import itertools
from typing import Any

import jax
import numpy as np
from battery_graph import CHAIN
from battery_kinds import GRAPH, KEY, NAN, NO_NUMBER, PARAMS, POSITIVE, STEP, without_none
from battery_row import UNTOLD, Row, Wrong, entry, row

import snnjax.functional as F
from snnjax import ConfigError, DTypeError, FormatError, GraphError, HardwareError, ParameterError, ShapeError, dynapse, graph

LIF = F.LIFParams()
PROCESS = [Wrong("B15", "None", None, DTypeError), Wrong("B15", "a name", "180 nm", DTypeError)]
NO_SILICON: Any = (Wrong("F3", "process with a capacitance of 0", ("C_mem", 0.0), ParameterError), {"process": F.Process(C_mem=0.0)})
SETTINGS = {"t_pulse": POSITIVE, "t_ref": POSITIVE, "Iscale": POSITIVE}
GAINS = {"r_gain_mem": POSITIVE, "r_gain_syn": POSITIVE}
LIFS = [
    *PARAMS,
    Wrong("B15", "of another model", F.LeakyParams(), DTypeError, "LeakyParams"),
]
WRONG_LIFS: list[Any] = [
    (
        Wrong("F3", "tau_mem zero in one of three", ("tau_mem", 0.0), ParameterError),
        {"params": F.LIFParams(tau_mem=np.array([1.0, 0.0, 1.0]))},
    ),
    (
        Wrong("B2", "three tau_mem, four v_th", ("v_th", (4,)), ShapeError),
        {"params": F.LIFParams(tau_mem=np.full(3, 0.01), v_th=np.ones(4))},
    ),
    (Wrong("A3", "tau_syn NaN", ("tau_syn", NAN), ParameterError), {"params": F.LIFParams(tau_syn=NAN)}),
    (Wrong("B14", "tau_mem a list", ("tau_mem", [0.01, 0.02]), DTypeError), {"params": F.LIFParams(tau_mem=[0.01, 0.02])}),
    (Wrong("F6", "a threshold below the leak", ("v_th", -1.0), HardwareError), {"params": F.LIFParams(v_th=-1.0)}),
    (Wrong("F6", "a reset that is not the leak", ("v_reset", UNTOLD), ParameterError), {"params": F.LIFParams(v_th=2.0, v_reset=0.5)}),
]
BIASES = [
    *PARAMS,
    Wrong("B15", "of a LIF", LIF, DTypeError, "LIFParams"),
    Wrong("B15", "of a whole neuron", F.DynapseParams(), DTypeError, "DynapseParams"),
]
GENERATORS = [Wrong("B15", "None", None, DTypeError), Wrong("B15", "a path", "chip.csv", DTypeError)]
MATCH = dynapse.match_lif(LIF)
BY_GATE = F.BiasCurrents(Itau_syn=F.Gates(ampa=1e-11, gaba=2e-11))
NO_CURRENTS: list[Any] = [
    (Wrong("B14", f"a current that is {name}", ("Itau_mem", value), DTypeError), {"bias": F.BiasCurrents(Itau_mem=value)})
    for name, value in [("None", None), ("a text", "1 pA"), ("a list", [1e-12, 2e-12]), ("complex", 1e-12 + 1j)]
]
USABLE = dynapse.quantize(F.BiasCurrents(), saturate=True)[0]


CONVERT = [
    *entry(
        "dynapse.lif_to_dynapse",
        dynapse.lif_to_dynapse,
        {"params": LIF},
        params=LIFS,
        process=PROCESS,
        **SETTINGS,
        **GAINS,
        also=[*WRONG_LIFS, NO_SILICON],
    ),
    *entry(
        "dynapse.match_lif",
        dynapse.match_lif,
        {"params": LIF},
        params=LIFS,
        process=PROCESS,
        **SETTINGS,
        Ispkthr=without_none(POSITIVE),
        Igain_mem=without_none(POSITIVE),
        integrator=[Wrong("D5", "another one", F.euler, ConfigError, "euler"), Wrong("D5", "a name", "exact", (ConfigError, DTypeError))],
        also=[
            *WRONG_LIFS,
            NO_SILICON,
            (Wrong("D2", "dt missing", ("integrator", "exponential_euler"), ConfigError), {"integrator": F.exponential_euler}),
            *(
                (
                    Wrong(wrong.case, f"dt {wrong.name}", ("dt", wrong.value), wrong.errors),
                    {"integrator": F.exponential_euler, "dt": wrong.value},
                )
                for wrong in STEP
                if wrong.value is not None
            ),
        ],
    ),
    *entry("dynapse.Match.on_chip", MATCH.on_chip, {}, generator=GENERATORS),
    *entry(
        "dynapse.Match.with_currents",
        MATCH.with_currents,
        {"params": MATCH.params},
        params=[*PARAMS, Wrong("B15", "the currents only", F.BiasCurrents(), DTypeError)],
        also=[(Wrong("B15", "a current gate by gate", ("Itau_syn", UNTOLD), DTypeError), {"params": F.DynapseParams(BY_GATE)})],
    ),
    *entry(
        "dynapse.dynapse_to_lif",
        dynapse.dynapse_to_lif,
        {"bias": F.BiasCurrents()},
        bias=BIASES,
        Iscale=POSITIVE,
        process=PROCESS,
        also=[
            NO_SILICON,
            (
                Wrong("B2", "two leaks, three thresholds", ("Ispkthr", (3,)), ShapeError),
                {"bias": F.BiasCurrents(Itau_mem=np.full(2, 1e-11), Ispkthr=np.full(3, 1e-9))},
            ),
            (Wrong("F3", "a leak of 0", ("Itau_mem", 0.0), ParameterError), {"bias": F.BiasCurrents(Itau_mem=0.0)}),
            (Wrong("F6", "a negative threshold", ("Ispkthr", -1.0), ParameterError), {"bias": F.BiasCurrents(Ispkthr=-1.0)}),
        ],
    ),
]

OUT_OF_RANGE: list[Any] = [
    (Wrong(case, name, (field, UNTOLD), HardwareError), {"bias": USABLE._replace(**{field: value})})
    for case, name, field, value in [
        ("F1", "a leak below the chip's range", "Itau_mem", 1.1e-15),
        ("F1", "a leak just below the chip's range", "Itau_mem", 1.6e-13),
        ("F1", "a leak above the chip's range", "Itau_mem", 1.0),
        ("F1", "a leak just above the chip's range", "Itau_mem", 1.45e-6),
        ("F4", "a current of 0", "Idc", 0.0),
        ("F4", "a negative current", "Idc", -1e-12),
        ("F4", "a current that is NaN", "Idc", NAN),
        ("F4", "one current of three out of range", "Itau_syn", np.array([1e-11, 1.0, 1e-11])),
    ]
]
NOT_CODES = [("F5", "negative", -1), ("F5", "too large", 1000), ("F5", "a fraction", 1.5)]
GENERATOR = dynapse.Generator()


CHIP = [
    *entry("dynapse.quantize", dynapse.quantize, {"bias": USABLE}, bias=BIASES, generator=GENERATORS, also=[*OUT_OF_RANGE, *NO_CURRENTS]),
    *entry("dynapse.encode", dynapse.encode, {"bias": USABLE}, bias=BIASES, generator=GENERATORS, also=NO_CURRENTS),
    *entry(
        "dynapse.quantize_straight_through",
        dynapse.quantize_straight_through,
        {"bias": USABLE},
        bias=BIASES,
        generator=GENERATORS,
        also=NO_CURRENTS,
    ),
    *entry(
        "dynapse.check_currents",
        dynapse.check_currents,
        {"params": USABLE},
        generator=GENERATORS,
        process=PROCESS,
        also=[NO_SILICON],
        params=[*PARAMS, Wrong("B15", "of a LIF", LIF, DTypeError, "LIFParams")],
    ),
    row(
        "dynapse.Report.raise_if_bad",
        "F1",
        "a report with problems",
        HardwareError,
        "Idc",
        UNTOLD,
        lambda: dynapse.encode(USABLE._replace(Idc=0.0))[1].raise_if_bad(),
    ),
    *(
        row("dynapse.Generator", case, name, FormatError, "tables[N]", UNTOLD, lambda table=table: dynapse.Generator({"N": table}))
        for case, name, table in [
            ("B2", "a table of another shape", np.ones((5, 256))),
            ("A3", "a table with NaN", np.full((6, 256), NAN)),
            ("A2", "a table with negative currents", np.full((6, 256), -1.0)),
            ("F4", "a table of zeros", np.zeros((6, 256))),
        ]
    ),
    row("dynapse.Generator", "B15", "tables that are none", DTypeError, "tables", 3, lambda: dynapse.Generator(3)),
    *(
        row(
            f"dynapse.Generator.{method}",
            "F13",
            "an unknown current",
            HardwareError,
            "Itau_men",
            "Itau_men",
            lambda method=method, more=more: getattr(GENERATOR, method)("Itau_men", *more),
            argument="field",
        )
        for method, more in [("currents", ()), ("span", ()), ("current", (0, 0)), ("nearest", (1e-11,))]
    ),
    row(
        "dynapse.Generator.currents",
        "F13",
        "a chip without that transistor",
        HardwareError,
        "Idc",
        "P",
        lambda: dynapse.Generator({"N": np.ones((6, 256))}).currents("Idc"),
    ),
    *(
        row(
            "dynapse.Generator.current",
            case,
            f"{code} {name}",
            HardwareError,
            code,
            UNTOLD,
            lambda code=code, value=value: GENERATOR.current("Idc", **{"coarse": 0, "fine": 0, code: value}),
        )
        for code in ("coarse", "fine")
        for case, name, value in NOT_CODES
    ),
    *(
        row(
            "dynapse.Generator.nearest",
            wrong.case,
            f"current {wrong.name}",
            wrong.errors,
            "current",
            wrong.value,
            lambda value=wrong.value: GENERATOR.nearest("Idc", value),
        )
        for wrong in POSITIVE
    ),
    row("dynapse.Generator.load", "B15", "path a number", DTypeError, "path", 3, lambda: dynapse.Generator.load(3)),
]

# Mismatch, populations, networks

DPI = graph.Neurons("dynapse_dpi", F.DynapseParams(), 2)
NO_IDC = graph.Neurons("dynapse_dpi", F.DynapseParams(F.BiasCurrents(Idc=0.0)), 2)
PLAIN = graph.Neurons("lif", LIF, 2)
NOT_DPI = [
    Wrong("B15", "None", None, DTypeError, UNTOLD),
    Wrong("B15", "an input", graph.Input(2), DTypeError, UNTOLD),
    Wrong("B15", "of another model", PLAIN, DTypeError, UNTOLD),
]
ODD = F.DynapseParams(F.BiasCurrents(Idc=np.full(3, 1e-12)))


def _chain(*nodes: graph.Node) -> graph.Graph:
    names = ["in", *(f"n{k}" for k in range(len(nodes))), "out"]
    all_nodes = [graph.Input(nodes[0].input_shape), *nodes, graph.Output(nodes[-1].output_shape)]
    return graph.Graph(dict(zip(names, all_nodes, strict=True)), [graph.Edge(*pair) for pair in itertools.pairwise(names)])


BIASED = _chain(graph.Linear(np.ones((2, 2)), np.ones(2)), PLAIN)
LOOP = graph.Graph(
    {"in": graph.Input(2), "a": graph.Alias(2), "b": graph.Scale(np.ones(2)), "n": PLAIN, "out": graph.Output(2)},
    [graph.Edge(*pair) for pair in [("in", "a"), ("a", "b"), ("b", "a"), ("b", "n"), ("n", "out")]],
)
CONV = graph.Conv(np.ones((1, 1, 2)), input_shape=(1, 3))
NETWORKS = [
    *entry(
        "dynapse.mismatch",
        dynapse.mismatch,
        {"params": F.DynapseParams(), "key": jax.random.key(0)},
        key=KEY,
        params=[
            Wrong("B15", "None", None, DTypeError, UNTOLD),
            Wrong("F13", "without a device of a chip", LIF, DTypeError, UNTOLD),
        ],
        percent=[Wrong("A2", "negative", -0.1, ParameterError, UNTOLD), Wrong("A3", "NaN", NAN, ParameterError, UNTOLD), *NO_NUMBER],
        sigma_rule=POSITIVE,
        draw=[Wrong("D5", "a name", "gaussian", DTypeError)],
        also=[(Wrong("F13", "percent of an unknown current", ("percent", "Itau_men"), ConfigError), {"percent": {"Itau_men": 0.1}})],
    ),
    *entry(
        "dynapse.expanded",
        dynapse.expanded,
        {"node": DPI},
        node=NOT_DPI,
        also=[(Wrong("B2", "a current for three of two", ("Idc", (3,)), ShapeError), {"node": graph.Neurons("dynapse_dpi", ODD, 2)})],
    ),
    *entry(
        "dynapse.merge",
        dynapse.merge,
        {"nodes": [DPI]},
        nodes=[Wrong("B15", "no sequence", 3, DTypeError)],
        also=[
            (Wrong("B18", "no nodes", ("nodes", 0), ShapeError), {"nodes": []}),
            (Wrong("B15", "nodes of another model", ("nodes[0]", UNTOLD), DTypeError), {"nodes": [PLAIN]}),
            *(
                (
                    Wrong("F12", f"nodes that differ in {field}", (field, UNTOLD), HardwareError),
                    {"nodes": [DPI, graph.Neurons("dynapse_dpi", other, 2)]},
                )
                for field, other in [("Iscale", F.DynapseParams(Iscale=2e-8)), ("process", F.DynapseParams(process=F.Process(C_mem=4e-12)))]
            ),
        ],
    ),
    *entry(
        "dynapse.place",
        dynapse.place,
        {"g": _chain(DPI), "saturate": True},
        g=GRAPH,
        generator=GENERATORS,
        chip=[Wrong("D5", "a number", 16, DTypeError)],
        also=[
            (Wrong(case, name, (field, UNTOLD), errors), given)
            for case, name, field, errors, given in [
                ("F9", "no neurons", "g", GraphError, {"g": _chain(graph.Linear(np.ones((2, 2))))}),
                ("E8", "neurons that are not lowered", "n0", GraphError, {"g": _chain(PLAIN)}),
                ("E8", "a delay", "n0", GraphError, {"g": _chain(graph.Delay(1e-3, 2), DPI)}),
                ("E5", "a loop without neurons", "a", GraphError, {"g": graph.Graph({**LOOP.nodes, "n": DPI}, LOOP.edges)}),
                ("F12", "65 synapses of a neuron", "n1", HardwareError, {"g": _chain(graph.Linear(np.ones((65, 2))), DPI)}),
                ("F12", "more cores than there are", "g", HardwareError, {"g": _chain(DPI), "chip": dynapse.Chip(cores=1, neurons=1)}),
                ("F12", "more sources than tags", "g", HardwareError, {"g": _chain(DPI), "chip": dynapse.Chip(tags=1)}),
                ("F12", "a current that cannot be made", "n0.Idc", HardwareError, {"g": _chain(NO_IDC), "saturate": False}),
                ("B18", "a chip without neurons", "chip.neurons", ParameterError, {"chip": dynapse.Chip(neurons=0)}),
            ]
        ],
    ),
    *entry(
        "dynapse.lower",
        dynapse.lower,
        {"g": CHAIN},
        g=GRAPH,
        **SETTINGS,
        **GAINS,
        process=PROCESS,
        convert=[
            Wrong("D5", "a name", "lif_to_dynapse", DTypeError),
            Wrong("B15", "that makes something else", dynapse.match_lif, DTypeError, "Match"),
        ],
        generator=GENERATORS,
        also=[NO_SILICON]
        + [
            (Wrong(case, name, (field, UNTOLD), errors), given)
            for case, name, field, errors, given in [
                ("F9", "no neurons", "g", GraphError, {"g": _chain(graph.Linear(np.ones((2, 2))))}),
                ("E8", "neurons without a synapse", "n0", GraphError, {"g": _chain(graph.Neurons("leaky", F.LeakyParams(), 2))}),
                ("E8", "a convolution", "n0", GraphError, {"g": _chain(CONV, graph.Flatten((1, 2)), PLAIN)}),
                ("E8", "a delay", "n0", GraphError, {"g": _chain(graph.Delay(1e-3, 2), PLAIN)}),
                ("E8", "a threshold", "n0", GraphError, {"g": _chain(graph.Threshold(0.5, 2), PLAIN)}),
                ("E5", "a loop without neurons", "a", GraphError, {"g": LOOP}),
                ("E8", "a bias into DPI neurons", "n0", GraphError, {"g": _chain(graph.Linear(np.ones((2, 2)), np.ones(2)), DPI)}),
                ("D2", "a bias without dt", "n0", GraphError, {"g": BIASED}),
                ("E6", "a graph with a problem", "g", GraphError, {"g": graph.Graph({"in": graph.Input(2)}, [])}),
                ("D5", "settings of two conversions", "r_gain_mem", ConfigError, {"convert": dynapse.lif_to_dynapse, "r_gain_mem": 2.0}),
                ("F6", "a threshold below the leak", "g", GraphError, {"g": _chain(graph.Neurons("lif", LIF._replace(v_th=-1.0), 2))}),
            ]
        ]
        + [
            (
                Wrong(wrong.case, f"dt {wrong.name}", ("dt", wrong.value), (ParameterError, DTypeError, ConfigError, ShapeError)),
                {"g": BIASED, "dt": wrong.value},
            )
            for wrong in STEP
            if wrong.value is not None
        ],
    ),
]

ROWS: list[Row] = [*CONVERT, *CHIP, *NETWORKS]
