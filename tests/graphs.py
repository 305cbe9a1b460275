"""Graphs for tests: ten topologies, and random graphs without problems."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import ml_dtypes
import numpy as np
from hypothesis import strategies as st

from snnjax import graph as G
from snnjax._kinds import Kind
from snnjax.graph._data import DTYPES
from snnjax.graph._models import MODELS, model_named

LIF = {"tau_mem": 20e-3, "tau_syn": 5e-3, "v_leak": 0.0, "v_th": 1.0, "v_reset": 0.0, "bias": 0.0}
LEAKY = {"tau_mem": 20e-3, "resistance": 1.0, "v_leak": 0.0, "v_th": 1.0, "v_reset": 0.0, "bias": 0.0}


def lif(n: Any, **params: Any) -> G.Neurons:
    return G.Neurons("lif", {**LIF, **params}, n)


def linear(n_in: int, n_out: int, seed: int = 0) -> G.Linear:
    return G.Linear(np.random.default_rng(seed).normal(size=(n_in, n_out)).astype(np.float32))


def edges(*pairs: tuple[str, str]) -> list[G.Edge]:
    return [G.Edge(*pair) for pair in pairs]


def path(nodes: Mapping[str, G.Node]) -> G.Graph:
    """These nodes in a row."""
    names = list(nodes)
    return G.Graph(nodes, edges(*zip(names, names[1:], strict=False)))


def _nested() -> G.Graph:
    block = path({"in": G.Input(4), "half": G.Scale([0.5] * 4), "out": G.Output(4)})
    return path({"in": G.Input(4), "block": G.SubGraph(block), "lif": lif(4), "out": G.Output(4)})


def topologies() -> dict[str, G.Graph]:
    """Every way in which nodes can be joined, small."""
    back = edges(("w1", "h1"), ("h1", "r1"), ("r1", "h1"), ("h1", "w2"), ("w2", "h2"), ("h2", "r2"), ("r2", "h2"))
    two = {"w1": linear(3, 4), "h1": lif(4), "r1": linear(4, 4, 1), "w2": linear(4, 4, 2), "h2": lif(4), "r2": linear(4, 4, 3)}
    ends = {"in": G.Input(3), "out": G.Output(4)}
    synapses = G.Neurons("synapses(leaky, 2)", {"neuron": LEAKY, "tau_syn": [2e-3, 50e-3]}, 4)
    return {
        "chain": path({"in": G.Input(3), "w": linear(3, 4), "lif": lif(4), "out": G.Output(4)}),
        "branch": G.Graph(
            {"in": G.Input(3), "w": linear(3, 4), "a": lif(4), "b": lif(4, v_th=2.0), "x": G.Output(4), "y": G.Output(4)},
            edges(("in", "w"), ("w", "a"), ("w", "b"), ("a", "x"), ("b", "y")),
        ),
        "join": G.Graph(
            {"p": G.Input(3), "q": G.Input(3), "v": linear(3, 4), "w": linear(3, 4, 1), "lif": lif(4), "out": G.Output(4)},
            edges(("p", "v"), ("q", "w"), ("v", "lif"), ("w", "lif"), ("lif", "out")),
        ),
        "residual": G.Graph(
            {"in": G.Input(4), "w": linear(4, 4), "lif": lif(4), "skip": G.Alias(4), "out": G.Output(4)},
            edges(("in", "w"), ("w", "lif"), ("in", "skip"), ("lif", "out"), ("skip", "out")),
        ),
        "self loop": G.Graph(
            {"in": G.Input(4), "lif": lif(4), "out": G.Output(4)}, [*edges(("in", "lif")), G.Edge("lif", "lif"), *edges(("lif", "out"))]
        ),
        "two-layer recurrence": G.Graph({**two, **ends}, [*edges(("in", "w1")), *back, *edges(("h2", "out"))]),
        "nested": _nested(),
        "multi-synapse": G.Graph(
            {"in": G.Input(3), "fast": linear(3, 4), "slow": linear(3, 4, 1), "lif": synapses, "out": G.Output(4)},
            [*edges(("in", "fast"), ("in", "slow")), G.Edge("fast", "lif", None, [0, 1, 2, 3]),
             G.Edge("slow", "lif", None, [4, 5, 6, 7]), *edges(("lif", "out"))],
        ),
        "parallel edges": G.Graph(
            {"in": G.Input(4), "lif": lif(4), "out": G.Output(4)},
            [G.Edge("in", "lif", [0, 1], [2, 3]), G.Edge("in", "lif", [1, 0], [2, 3]), G.Edge("in", "lif", [0], [2], adds=True),
             *edges(("lif", "out"))],
        ),
        "disconnected": G.Graph(
            {"a": G.Input(2), "x": G.Output(2), "b": G.Input(3), "lif": lif(3), "y": G.Output(3)},
            edges(("a", "x"), ("b", "lif"), ("lif", "y")),
        ),
    }  # fmt: skip


TOPOLOGIES = topologies()

# Random graphs: what is drawn is the structure, so that a failure shrinks to a small one; numbers come from a seed.

_NAMES = st.sampled_from(
    ["0", "1", "2", "lif", "LIF", "a.b", "a", "x-y", "_", "__init__", "con", "a0.weight", "n" * 40, "9.9.9", "name", "type"]
)
_SHAPES = st.lists(st.integers(1, 3), min_size=0, max_size=3).map(tuple)
_WRAPPERS = ("refractory({})", "refractory({}, gate_input)", "recurrent({})", "synapses({}, 2)", "delta({})", "membrane({})")
_KINDS = (
    G.Linear, G.Scale, G.Conv, G.Pool, G.Flatten, G.Delay, G.Threshold, G.Activation, G.Neurons, G.Neurons, G.Alias, G.Output, G.SubGraph,
)  # fmt: skip
_CHOICES = (None, {"reset": "reset_to_value", "spike": {"name": "tanh", "slope": 4.0, "unit": None, "list": [1, [2.5, "\u00e9"], {}]}})


def numbers(rng: np.random.Generator, shape: tuple[int, ...], domain: str = "real") -> np.ndarray:
    """An array of any dtype, with extreme values among its numbers."""
    dtype = str(rng.choice(DTYPES if domain == "real" else DTYPES[:4]))
    if "int" in dtype:
        limits = np.iinfo(dtype)
        return rng.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)
    limits = ml_dtypes.finfo(dtype)
    values = rng.normal(size=shape) * 10.0 ** rng.integers(-3, 3)
    extremes = [float(limits.max), float(limits.tiny), float(limits.smallest_subnormal), -0.0, 0.1]
    values = np.where(rng.random(shape) < 0.2, rng.choice(extremes, shape), values)
    if domain == "positive":
        values = np.maximum(np.abs(values), float(limits.tiny))
    elif domain in ("nonnegative", "fraction"):
        values = np.abs(values) if domain == "nonnegative" else rng.random(shape)
    return np.asarray(values).astype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)


def model_names() -> st.SearchStrategy[str]:
    def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.builds(str.format, st.sampled_from(_WRAPPERS), inner)

    return st.recursive(st.sampled_from(sorted(MODELS)), grown, max_leaves=3).filter(lambda name: model_named(name) is not None)


def _params(rng: np.random.Generator, wanted: Any, shape: tuple[int, ...], ports: tuple[int, ...]) -> dict[str, Any]:
    around = any(isinstance(kind, Kind) and kind.axes == "synapse" for kind in wanted.values())
    made: dict[str, Any] = {}
    for name, kind in wanted.items():
        if not isinstance(kind, Kind):
            made[name] = _params(rng, kind, shape, () if around else ports)
        elif kind.axes == "pre post":
            made[name] = numbers(rng, (*ports, *shape[-1:], *shape[-1:]))
        else:
            fits = [(), shape, shape[-1:]] if kind.axes == "neuron" else [(), ports, ports + shape[-1:]]
            made[name] = numbers(rng, fits[rng.integers(len(fits))], kind.domain)
    if "v_reset" in made:
        made["v_th"], made["v_reset"] = np.float32(rng.random()), np.full(shape, -1.0 - rng.random())
    return made


@st.composite
def nodes(draw: Any, kind: type, depth: int) -> G.Node:
    """A node of that kind, with numbers in their domains."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = draw(_SHAPES)
    if kind is G.Linear:
        n_in, n_out = (*shape, 1, 2)[:2]
        return G.Linear(numbers(rng, (n_in, n_out)), numbers(rng, (n_out,)) if draw(st.booleans()) else None)
    if kind is G.Scale:
        return G.Scale(numbers(rng, shape))
    if kind is G.Conv or kind is G.Pool:
        return _spatial(draw, rng, kind)
    if kind is G.Flatten:
        shape = shape or (2,)
        return G.Flatten(shape, draw(st.integers(0, len(shape) - 1)))
    if kind is G.Delay:
        return G.Delay(numbers(rng, shape if draw(st.booleans()) else (), "nonnegative"), shape)
    if kind is G.Threshold:
        return G.Threshold(numbers(rng, shape))
    if kind is G.Activation:
        return G.Activation(draw(st.sampled_from(["relu", "tanh", "softmax"])), shape)
    if kind is G.SubGraph:
        return G.SubGraph(draw(graphs(max_nodes=3, depth=depth + 1)))
    if kind is not G.Neurons:
        return kind(shape)
    name, shape = draw(model_names()), shape or (2,)
    model = model_named(name)
    ports = (model.n_synapses,) if model.n_synapses else ()
    return G.Neurons(name, _params(rng, model.params, shape, ports), shape, draw(st.sampled_from(_CHOICES)))


def _spatial(draw: Any, rng: np.random.Generator, kind: type) -> G.Node:
    axes, groups = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    kernel = tuple(draw(st.integers(1, 3)) for _ in range(axes))
    size = tuple(k * 2 + draw(st.integers(0, 2)) for k in kernel)
    stride = tuple(draw(st.integers(1, 3)) for _ in range(axes))
    padding = tuple((draw(st.integers(0, k - 1)), draw(st.integers(0, k - 1))) for k in kernel)
    if kind is G.Pool:
        how = draw(st.sampled_from(["sum", "average", "max"]))
        return G.Pool(how, input_shape=(groups, *size), kernel_size=kernel, stride=stride, padding=padding)
    weight = numbers(rng, (2 * groups, 2, *kernel))
    bias = numbers(rng, (2 * groups,)) if draw(st.booleans()) else None
    return G.Conv(weight, bias, input_shape=(2 * groups, *size), stride=stride, padding=padding, groups=groups)


@st.composite
def graphs(draw: Any, max_nodes: int = 6, depth: int = 0) -> G.Graph:
    """A graph of any kinds of nodes and edges, in which `validate` finds nothing."""
    kinds = [G.Input, *draw(st.lists(st.sampled_from(_KINDS if depth < 2 else _KINDS[:-1]), min_size=1, max_size=max_nodes))]
    names = draw(st.lists(_NAMES, min_size=len(kinds) + 1, max_size=len(kinds) + 1, unique=True))
    made: dict[str, G.Node] = {}
    wires: list[G.Edge] = []
    for name, kind in zip(names, kinds, strict=False):
        made[name] = G.Input(draw(_SHAPES)) if kind is G.Input else draw(nodes(kind, depth))
        for port in _ports(made[name], name, "inputs") if kind is not G.Input else ():
            sources = [end for other, node in made.items() if other != name for end in _ports(node, other, "outputs")]
            wires += _joined(draw, sources, [port], False)
    made[names[-1]] = G.Output(draw(_SHAPES))
    sources = [end for other, node in made.items() for end in _ports(node, other, "outputs")]
    for source in sources:  # everything leads to an output
        wires += _joined(draw, [source], [(names[-1], made[names[-1]].shape)], True)
    targets = [end for other, node in made.items() for end in _ports(node, other, "inputs")]
    for _ in range(draw(st.integers(0, 3))):
        wires += _joined(draw, sources, targets, True)
    order = draw(st.permutations(list(made))) if draw(st.booleans()) else list(made)
    return G.Graph({name: made[name] for name in order}, wires)


def _ports(node: G.Node, name: str, side: str) -> list[tuple[str, tuple[int, ...]]]:
    if isinstance(node, G.SubGraph):
        return [(f"{name}/{port}", shape) for port, shape in getattr(node, side).items()]
    if isinstance(node, G.Input if side == "inputs" else G.Output):
        return []
    return [(name, node.input_shape if side == "inputs" else node.output_shape)]


def _joined(draw: Any, sources: list[Any], targets: list[Any], adds: bool) -> list[G.Edge]:
    if not sources or not targets:
        return []
    (source, gives), (target, takes) = draw(st.sampled_from(sources)), draw(st.sampled_from(targets))
    if gives == takes and draw(st.booleans()):
        return [G.Edge(source, target, adds=adds)]
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    count = int(rng.integers(1, math.prod(takes) + 1))
    to = rng.permutation(math.prod(takes))[:count]
    return [G.Edge(source, target, rng.integers(0, math.prod(gives), count), to, adds=adds)]
