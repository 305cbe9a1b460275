"""A NIR graph as a graph."""

from __future__ import annotations

import json
import math
import re
from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import graph
from .._errors import GraphError, SnnjaxError
from ..graph._check_names import MAX_LENGTH, is_name
from ..graph._graph import MAX_DEPTH
from ._nir_from_context import Import
from ._nir_from_neurons import NEURONS, neurons, recalled_synapses
from ._nir_from_nodes import PLAIN, lone_shape, own_shape, plain
from ._nir_from_values import unknown
from ._nir_hint import hints, text_of

Shape = tuple[int, ...]


def imported(it: Import, made: Any, prefix: str = "", arrives: Shape | None = None, depth: int = 0) -> graph.Graph:
    """The graph of a NIR graph, not yet validated; `arrives` is what a nested one takes, where it does not say.

    Raises:
        GraphError: a node means nothing here, a shape is open, or graphs are nested too deep.
    """
    if depth > MAX_DEPTH:
        text = f"Graphs may be nested {MAX_DEPTH} deep; {prefix[:140]!r} is deeper, or contains itself."
        raise GraphError(text, where="from_nir", field="nir_graph", value=depth, allowed=f"at most {MAX_DEPTH}")
    ordered = _ordered(made)
    names = _names(it, prefix, list(ordered))
    nodes = _converted(it, made, prefix, ordered, arrives, depth)
    edges = [_edge(nodes, names, *pair) for pair in _pairs(made, prefix)]
    return graph.Graph({names[name]: nodes[name] for name in ordered}, edges)


def _ordered(made: Any) -> Mapping[str, Any]:
    """The nodes in the order that they had here: HDF5 brings them back by the alphabet."""
    try:
        order = json.loads(text_of(hints(made).get("order", "[]")))
    except (ValueError, RecursionError):
        order = []
    known = isinstance(order, list) and len(order) == len(made.nodes) and set(map(str, order)) == set(made.nodes)
    return {name: made.nodes[name] for name in order} if known else made.nodes


def _names(it: Import, prefix: str, names: list[str]) -> dict[str, str]:
    """Names that graphs and files can have; most of them are as they were."""
    taken = {name for name in names if is_name(name)}
    found = {}
    for name in names:
        found[name] = name
        if is_name(name):
            continue
        stem = ".".join(re.sub(r"[^A-Za-z0-9_-]", "_", part).lstrip("-") or "_" for part in name.split("."))[: MAX_LENGTH - 8].rstrip(".")
        new, k = stem or "_", 1
        while new in taken:
            k += 1
            new = f"{stem}_{k}"
        taken.add(new)
        found[name] = new
        it.entries.note(prefix + new, "name", f"It was called {name!r:.140}.")
    return found


def _pairs(made: Any, prefix: str) -> list[tuple[str, str]]:
    pairs = [(text_of(source), text_of(target)) for source, target in made.edges]
    for pair in pairs:
        for name in pair:
            if name not in made.nodes:
                known = ", ".join(list(map(str, made.nodes))[:20])
                block = prefix.rstrip(".") or "the NIR graph"
                text = f"An edge of {block!r:.140} names the node {name!r:.140}, which there is not. Its nodes: {known}."
                raise GraphError(text, where="from_nir", field="edges", value=name, allowed=known)
    return pairs


def _converted(it: Import, made: Any, prefix: str, ordered: Mapping[str, Any], arrives: Shape | None, depth: int) -> dict[str, graph.Node]:
    """All nodes; a node whose shape is open waits for what leads to it."""
    nodes: dict[str, graph.Node] = {}
    after: dict[str, list[str]] = {name: [] for name in ordered}
    for source, target in _pairs(made, prefix):
        after[source].append(target)
    shapes = {name: own_shape(node, prefix + name) if _known(prefix + name, node) else None for name, node in ordered.items()}
    inputs = [name for name, node in ordered.items() if type(node).__name__ == "Input"]
    shapes |= {name: arrives for name in inputs if shapes[name] is None and len(inputs) == 1}
    for round_ in (shapes, {name: lone_shape(node, prefix + name) for name, node in ordered.items()}):
        waiting = deque((name, shape) for name, shape in round_.items() if shape is not None and name not in nodes)
        while waiting:
            name, shape = waiting.popleft()
            if name in nodes:
                continue
            nodes[name] = _node(it, prefix + name, ordered[name], shape, depth)
            leaves = nodes[name].output_shape
            waiting.extend((target, leaves) for target in after[name] if target not in nodes and shapes[target] is None)
    for name, node in ordered.items():
        if name not in nodes:
            text = (
                f"node {prefix + name!r:.140}: the shape of what this {type(node).__name__} takes is not known: it does not say, and "
                "nothing of known shape leads to it. Give the Input of the NIR graph a shape."
            )
            raise GraphError(text, where="from_nir", field=prefix + name, value=None, allowed="a graph whose shapes can be told")
    return nodes


def _known(where: str, node: Any) -> bool:
    if type(node).__name__ not in (*PLAIN, *NEURONS, "NIRGraph"):
        raise unknown(where, node, ", ".join((*PLAIN, *NEURONS)))
    return True


def _node(it: Import, where: str, made: Any, shape: Shape, depth: int) -> graph.Node:
    kind = type(made).__name__
    try:
        if kind == "NIRGraph":
            return _nested(it, where, made, shape, depth)
        node = neurons(it, where, made, shape) if kind in NEURONS else plain(it, where, made, shape)
    except SnnjaxError as error:
        if error.where == "from_nir":
            raise
        # A constructor does not know the name of its node.
        text = f"node {where!r:.140}: {error}"
        raise type(error)(text, where="from_nir", field=error.field, value=error.value, allowed=error.allowed) from None
    if isinstance(node, graph.Delay):
        steps = node.delay / it.dt
        if (np.abs(steps - np.round(steps)) > 1e-3).any():
            it.entries.note(
                where, "delay", f"It is no whole number of steps of {it.dt:g} s: {float(steps.max()):g} at most. It is rounded."
            )
    return node


def _nested(it: Import, where: str, made: Any, shape: Shape, depth: int) -> graph.Node:
    population = recalled_synapses(it, where, made)
    if population is not None:
        return population
    node = graph.SubGraph(imported(it, made, f"{where}.", shape, depth + 1))
    for side, ports in (("inputs", node.inputs), ("outputs", node.outputs)):
        if len(ports) > 1:
            text = f"node {where!r:.140} is a graph with the {side} {', '.join(ports)}; edges of NIR cannot say which one they mean."
            raise GraphError(text, where="from_nir", field=where, value=tuple(ports), allowed="one input and one output")
    return node


def _edge(nodes: Mapping[str, graph.Node], names: Mapping[str, str], source: str, target: str) -> graph.Edge:
    leaves, takes = nodes[source].output_shape, nodes[target].input_shape
    node = nodes[target]
    if leaves != takes and isinstance(node, graph.Neurons) and leaves == (math.prod(takes),):  # synapses, their channels in one axis
        every = np.arange(leaves[0])
        return graph.Edge(names[source], names[target], every, every)
    return graph.Edge(names[source], names[target])
