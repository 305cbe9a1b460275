"""Graphs: nodes and edges, what is done with graphs, their files, and building networks of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import numpy as np
from battery_kinds import GRAPH, MAX_BYTES, NAN, PATH, STEP
from battery_row import UNTOLD, Row, Wrong, entry, row
from test_graph_validate import ONE

import snnjax.functional as F
from snnjax import ConfigError, DTypeError, FormatError, GraphError, ParameterError, ShapeError, somas
from snnjax import graph as G

LIF = F.LIFParams()._asdict()
CHAIN = G.Graph(
    {"in": G.Input(2), "w": G.Linear(np.eye(2)), "lif": G.Neurons("lif", LIF, 2), "out": G.Output(2)},
    [G.Edge("in", "w"), G.Edge("w", "lif"), G.Edge("lif", "out")],
)
LATE = G.Graph({"in": G.Input(2), "late": G.Delay(2e-3, 2), "out": G.Output(2)}, [G.Edge("in", "late"), G.Edge("late", "out")])

# Nodes

SHAPE = [
    Wrong("B15", "a string", "4", ShapeError),
    Wrong("B2", "negative", -4, ShapeError),
    Wrong("B15", "a fraction", 4.5, ShapeError),
    Wrong("B15", "None", None, ShapeError),
    Wrong("B19", "of too many channels", (2**20, 2**20), ShapeError),
]
NUMBERS = [
    Wrong("B15", "a string", "1", DTypeError),
    Wrong("B15", "None", None, DTypeError),
    Wrong("D3", "a bool", True, DTypeError),
    Wrong("B9", "complex", 1j, DTypeError),
    Wrong("B20", "ragged", [[1], [1, 2]], DTypeError),
    Wrong("B15", "an object array", np.array([None]), DTypeError),
]
OPTIONAL = [wrong for wrong in NUMBERS if wrong.value is not None]
SIZES = [Wrong("B15", "zero", 0, ShapeError), Wrong("B15", "a fraction", 1.5, ShapeError), Wrong("B15", "a string", "1", ShapeError)]
PADDING = [Wrong("B15", "negative", -1, ShapeError), Wrong("B15", "a string", "same", ShapeError)]
KERNEL = np.ones((2, 2, 3))
CONV = {"weight": KERNEL, "input_shape": (2, 8)}
INDICES = [
    Wrong("C6", "fractions", [0.5], DTypeError, UNTOLD),
    Wrong("C6", "a mask", [True, False], DTypeError, UNTOLD),
    Wrong("C6", "of two axes", [[0]], ShapeError),
]
NAME = [Wrong("D19", "a number", 3, DTypeError), Wrong("D19", "None", None, DTypeError)]

NODES = [
    *(refused for made in (G.Input, G.Output, G.Alias) for refused in entry(f"graph.{made.__name__}", made, {"shape": 2}, shape=SHAPE)),
    *entry(
        "graph.Linear",
        G.Linear,
        {"weight": np.ones((2, 2))},
        weight=[*NUMBERS, Wrong("B2", "of one axis", np.ones(3), ShapeError)],
        bias=OPTIONAL,
    ),
    *entry("graph.Scale", G.Scale, {"scale": 1.0}, scale=NUMBERS),
    *entry(
        "graph.Flatten",
        G.Flatten,
        {"shape": (2, 3)},
        shape=SHAPE,
        start=[Wrong("B2", "beyond the axes", 2, ShapeError)],
        end=[Wrong("B2", "beyond the axes", -3, ShapeError)],
    ),
    *entry("graph.Delay", G.Delay, {"delay": 1e-3, "shape": 2}, delay=NUMBERS, shape=SHAPE),
    *entry(
        "graph.Threshold",
        G.Threshold,
        {"threshold": 1.0, "shape": 2},
        threshold=NUMBERS,
        shape=[wrong for wrong in SHAPE if wrong.value is not None],
    ),
    *entry(
        "graph.Activation",
        G.Activation,
        {"function": "relu", "shape": 2},
        shape=SHAPE,
        function=[Wrong("D5", "a function", np.tanh, DTypeError), Wrong("B15", "None", None, DTypeError)],
    ),
    *entry(
        "graph.Conv",
        G.Conv,
        CONV,
        weight=[*NUMBERS, Wrong("B2", "without axes", np.ones((2, 2)), (ShapeError, DTypeError), UNTOLD)],
        bias=OPTIONAL,
        input_shape=SHAPE[:3],
        stride=SIZES,
        padding=PADDING,
        dilation=SIZES,
        groups=SIZES,
        also=[(Wrong("B2", "input_shape without channels", ("weight", (2, 2, 3)), ShapeError), {"input_shape": 8})],
    ),
    *entry(
        "graph.Pool",
        G.Pool,
        {"kind": "max", "input_shape": (2, 8), "kernel_size": 2},
        kernel_size=SIZES,
        stride=SIZES,
        padding=PADDING,
        input_shape=[*SHAPE[:3], Wrong("B2", "without channels", 8, ShapeError, UNTOLD)],
        kind=[Wrong("D5", "a function", max, DTypeError), Wrong("B15", "None", None, DTypeError)],
    ),
    *entry(
        "graph.Neurons",
        G.Neurons,
        {"model": "lif", "params": LIF, "shape": 2},
        shape=SHAPE,
        model=[Wrong("D5", "a model", F.lif, DTypeError), Wrong("B15", "None", None, DTypeError)],
        params=[Wrong("B15", "a list", [1.0], DTypeError), Wrong("B15", "None", None, DTypeError)],
        choices=[Wrong("D15", "a function", {"reset": len}, DTypeError, UNTOLD), Wrong("D3", "NaN", {"slope": NAN}, DTypeError, UNTOLD)],
        also=[(Wrong("B15", "a parameter that is text", ("v_th", UNTOLD), DTypeError), {"params": {"v_th": "1"}})],
    ),
    *entry("graph.SubGraph", G.SubGraph, {"graph": CHAIN}, graph=GRAPH),
    *entry(
        "graph.Edge",
        G.Edge,
        {"source": "a", "target": "b"},
        source=NAME,
        target=NAME,
        source_indices=INDICES,
        target_indices=INDICES,
        adds=[Wrong("B15", "a number", 1, DTypeError)],
    ),
    *entry(
        "graph.Graph",
        G.Graph,
        {"nodes": {}, "edges": []},
        nodes=[
            Wrong("B15", "a number in it", {"a": 3}, DTypeError, UNTOLD),
            Wrong("D19", "a number as a name", {1: G.Input(2)}, DTypeError, UNTOLD),
            Wrong("B15", "without names", [G.Input(2)], DTypeError, UNTOLD),
            Wrong("E2", "two of a name", [("a", G.Input(2)), ("a", G.Input(3))], (GraphError, DTypeError), UNTOLD),
        ],
        edges=[Wrong("B15", "pairs", [("a", "b")], DTypeError, UNTOLD), Wrong("B15", "a number", 3, DTypeError, UNTOLD)],
    ),
]


def _nested() -> G.Graph:
    g = G.Graph({"in": G.Input(1)}, [])
    for _ in range(8):
        g = G.Graph({"block": G.SubGraph(g)}, [])
    return g


def _traced(make: Callable[[Any], Any]) -> Any:
    return jax.jit(lambda x: (make(x), x)[1])(np.ones((2, 2)))


DEEP = [
    row("graph.SubGraph", "E11", "nested too deep", GraphError, "graph", UNTOLD, lambda: G.SubGraph(_nested())),
    row("graph.Linear", "G10", "a traced weight", DTypeError, "weight", UNTOLD, lambda: _traced(G.Linear)),
]

# What a graph must be: each of these has one problem, which everything that uses a graph lists.

_CASE_OF_KIND = {
    "name": "D19",
    "edge": "E1",
    "shape": "E6",
    "index": "C6",
    "double": "E2",
    "unreachable": "E3",
    "value": "A3",
    "domain": "A1",
    "model": "D5",
    "parameter": "D2",
}
LOOP = G.Graph(
    {"in": G.Input(2), "a": G.Alias(2), "b": G.Scale(np.ones(2)), "out": G.Output(2)},
    [G.Edge("in", "a"), G.Edge("a", "b", adds=True), G.Edge("b", "a", adds=True), G.Edge("b", "out")],
)
PROBLEMS = [
    *(
        row("graph.require_valid", _CASE_OF_KIND[expected[0]], name, GraphError, "g", UNTOLD, lambda g=g: G.require_valid(g, "run"))
        for name, (g, expected) in ONE.items()
    ),
    *(
        row(name, "E6", "g with a problem", GraphError, "g", UNTOLD, call)
        for name, call in [
            ("graph.build", lambda: G.build(BAD)),
            ("graph.save", lambda: G.save("nowhere", BAD)),
            ("graph.to_json", lambda: G.to_json(BAD)),
        ]
    ),
    row("graph.build", "E3", "g without an input", GraphError, "g", UNTOLD, lambda: G.build(SILENT)),
]
BAD = G.Graph({"in": G.Input(2), "out": G.Output(3)}, [G.Edge("in", "out")])
SILENT = G.Graph(
    {"a": G.Neurons("lif", {**LIF, "bias": 2.0}, 2), "out": G.Output(2)},
    [G.Edge("a", "out")],
)

# What is done with graphs

TEXT = G.to_json(CHAIN)
NODE = G.Neurons("lif", LIF, 2)
OF_GRAPH = {
    "back_edges": {},
    "topological_order": {},
    "recurrent": {},
    "flatten": {},
    "validate": {},
    "find": {},
    "to_json": {},
    "require_valid": {"where": "run"},
    "rename": {"names": {}},
    "replace": {"name": "lif", "node": NODE},
    "build": {},
}
OPERATIONS = [
    *(
        refused
        for name, more in OF_GRAPH.items()
        for refused in entry(f"graph.{name}", G.build if name == "build" else getattr(G, name), {"g": CHAIN, **more}, g=GRAPH)
    ),
    *entry("graph.equal", G.equal, {"a": CHAIN, "b": CHAIN}, a=GRAPH, b=GRAPH),
    *entry(
        "graph.connect",
        G.connect,
        {"a": CHAIN, "b": G.Linear(np.eye(2))},
        a=GRAPH,
        b=GRAPH,
        source_indices=INDICES[:1],
        target_indices=INDICES[:1],
        adds=[Wrong("B15", "a number", 1, DTypeError)],
        also=[
            (Wrong("E6", "b of another size", ("b", UNTOLD), GraphError), {"b": G.Linear(np.ones((3, 2)))}),
            (Wrong("C6", "source_indices beyond the channels", ("source_indices", UNTOLD), GraphError), {"source_indices": [0, 4]}),
            (Wrong("E2", "b with the same names", ("b", UNTOLD), GraphError), {"b": CHAIN}),
        ],
    ),
    row("graph.merge", "B15", "graphs that are none", DTypeError, "graphs[1]", UNTOLD, lambda: G.merge(CHAIN, NODE)),
    row("graph.merge", "E2", "graphs with the same names", GraphError, "graphs[1]", UNTOLD, lambda: G.merge(CHAIN, CHAIN)),
    *(
        row("graph.rename", case, name, errors, "names", UNTOLD, lambda names=names: G.rename(CHAIN, names))
        for case, name, names, errors in [
            ("E1", "names an unknown node", {"lfi": "x"}, GraphError),
            ("E2", "names two alike", {"lif": "w"}, GraphError),
            ("D19", "names with a slash", {"lif": "a/b"}, GraphError),
            ("D19", "names with a number", {"lif": 3}, (GraphError, DTypeError)),
            ("B15", "names that are none", 3, (GraphError, DTypeError)),
        ]
    ),
    row("graph.replace", "E1", "name of no node", GraphError, "name", "lfi", lambda: G.replace(CHAIN, "lfi", NODE)),
    row("graph.replace", "B15", "node that is none", DTypeError, "node", UNTOLD, lambda: G.replace(CHAIN, "lif", 3)),
    row(
        "graph.replace", "E6", "node of another size", GraphError, "node", UNTOLD, lambda: G.replace(CHAIN, "lif", G.Neurons("lif", LIF, 3))
    ),
    row("graph.find", "B15", "model that is no name", DTypeError, "model", 3, lambda: G.find(CHAIN, model=3)),
    row("graph.find", "B15", "kind that is none", DTypeError, "kind", UNTOLD, lambda: G.find(CHAIN, kind=NODE)),
    *entry(
        "graph.register",
        G.register,
        {"model": "of_the_battery", "params": F.LIFParams},
        n_synapses=[
            Wrong("B15", "negative", -1, ParameterError),
            Wrong("B15", "a fraction", 2.5, DTypeError),
            Wrong("B15", "a bool", True, DTypeError),
        ],
        model=[
            Wrong("D19", "of the library", "lif", GraphError),
            Wrong("D19", "no identifier", "a b", GraphError),
            Wrong("B15", "a number", 3, DTypeError),
        ],
        params=[Wrong("B15", "a number", 3, DTypeError), Wrong("B15", "without kinds", {"tau": 3}, DTypeError, UNTOLD)],
    ),
]

# Networks of graphs and back


class Own(eqx.Module):
    """A layer that a graph has no node for."""

    def __call__(self, x: Any) -> Any:
        return x


BUILDING = [
    *entry(
        "graph.build",
        G.build,
        {"g": LATE},
        dt=[wrong for wrong in STEP if wrong.value is not None],
        models=[Wrong("B15", "a list", [F.lif], DTypeError, UNTOLD), Wrong("D5", "of the library", {"lif": F.lif}, GraphError, UNTOLD)],
    )[:-1],
    row("graph.build", "D2", "dt missing for delays", GraphError, "dt", None, lambda: G.build(LATE)),
    row(
        "graph.build", "G10", "a traced dt", ParameterError, "dt", UNTOLD, lambda: jax.jit(lambda dt: G.build(LATE, dt=dt).init((1,)))(1e-3)
    ),
    row(
        "graph.build",
        "D5",
        "an unknown choice",
        ConfigError,
        "reset",
        "os.system",
        lambda: G.build(
            G.Graph({"in": G.Input(2), "a": G.Neurons("lif", LIF, 2, CHOICES), "out": G.Output(2)}, [G.Edge("in", "a"), G.Edge("a", "out")])
        ),
    ),
    row(
        "graph.build",
        "D2",
        "a choice left out",
        ConfigError,
        "spike",
        None,
        lambda: G.build(
            G.Graph(
                {"in": G.Input(2), "a": G.Neurons("lif", LIF, 2, {"reset": "reset_to_value"}), "out": G.Output(2)},
                [G.Edge("in", "a"), G.Edge("a", "out")],
            )
        ),
    ),
    *entry(
        "graph.of",
        G.of,
        {"network": somas.LIFSomaConfig(shape=2).build()},
        network=[
            Wrong("B15", "None", None, DTypeError),
            Wrong("B15", "a function", np.tanh, DTypeError),
            Wrong("B15", "a config", somas.LIFSomaConfig(shape=2), DTypeError),
        ],
        input_shape=[wrong for wrong in SHAPE[:3]],
        also=[
            (
                Wrong("E8", "network a layer of one's own", ("network", UNTOLD), (GraphError, DTypeError)),
                {"network": Own(), "input_shape": 2},
            ),
            (
                Wrong("E6", "input_shape missing", ("input_shape", None), GraphError),
                {"network": somas.Sequential([eqx.nn.Lambda(jax.nn.relu)])},
            ),
        ],
    ),
]
CHOICES = {**G.of(somas.LIFSomaConfig(shape=2, reset=F.reset_by_subtraction).build()).nodes["lif"].choices, "reset": "os.system"}  # type: ignore[attr-defined]

# Files

FILES = [
    *entry("graph.save", G.save, {"path": "nowhere", "g": CHAIN}, path=PATH, g=GRAPH),
    *entry("graph.load", G.load, {"path": "nowhere"}, path=PATH, max_bytes=MAX_BYTES),
    *(
        row("graph.from_json", case, name, errors, "text", UNTOLD, lambda text=text: G.from_json(text))
        for case, name, text, errors in [
            ("D7", "half of it", TEXT[: len(TEXT) // 2], FormatError),
            ("D7", "nothing", "", FormatError),
            ("B15", "a number", 3, FormatError),
            ("D7", "no text", b"\xff\xfe", FormatError),
            ("D6", "nested too deep", "[" * 200000, FormatError),
            ("D3", "NaN", TEXT.replace("1.0", "NaN", 1), FormatError),
            ("D3", "1e999", TEXT.replace("1.0", "1e999", 1), FormatError),
            ("D6", "an integer of 1000 digits", TEXT.replace("1.0", "9" * 1000, 1), FormatError),
            ("D4", "a key twice", TEXT.replace('"v_th"', '"tau_mem"', 1), FormatError),
        ]
    ),
    row("graph.from_json", "D12", "another kind of text", FormatError, "text", None, lambda: G.from_json("{}")),
    *(
        row("graph.from_json", case, name, GraphError, "text", UNTOLD, lambda text=text: G.from_json(text))
        for case, name, text in [
            ("D1", "an unknown key", TEXT.replace('"v_th"', '"v_tt"', 1)),
            ("D14", "a negative time constant", TEXT.replace("0.02", "-0.02", 1)),
        ]
    ),
]

ROWS: list[Row] = [*NODES, *DEEP, *PROBLEMS, *OPERATIONS, *BUILDING, *FILES]
