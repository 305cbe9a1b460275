"""A graph as a NIR graph.

NIR has edges between whole nodes, at most one from a node to another. What an edge of ours says beyond that becomes a node in
between, in front of the target: `Linear` of zeros and ones for channels by number, `Flatten` where axes are taken together,
`Scale` by one for a second edge between the same nodes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import graph
from ..graph._graph import split
from ._nir_hint import KEY, Hint, with_hint
from ._nir_peel import peel, refused
from ._nir_report import Entries
from ._nir_synapse import block_of
from ._nir_to_context import Export
from ._nir_to_neurons import block_node, neurons_node
from ._nir_to_nodes import plain_node


def exported(to: Export, g: graph.Graph, prefix: str = "") -> Any:
    """The NIR graph of `g`, which is in order and whose sub-graphs have one port on each side."""
    g = _without_wrappers(to, g, prefix)
    nodes = {name: exported_node(to, prefix + name, node) for name, node in g.nodes.items()}
    shapes = {name: (_input_shape(node), node.output_shape) for name, node in g.nodes.items()}
    before: dict[str, dict[str, Any]] = {name: {} for name in nodes}  # what goes in front of each node
    names, pairs, edges = set(nodes), set[tuple[str, str]](), []
    for edge in g.edges:
        source, target = split(edge.source)[0], split(edge.target)[0]
        where = f"{prefix}{source} -> {prefix}{target}"
        way = list(_between(to, where, edge, shapes[source][1], shapes[target][0]))
        if not way and (source, target) in pairs:
            way = [to.nir.Scale(to.full(1.0, shapes[source][1]))]
        pairs.add((source, target))
        for made in way:
            name = _free(f"{source}_to_{target}"[:100], names)
            before[target][name] = made
            edges.append((source, name))
            source = name
        edges.append((source, target))
    ordered = {name: made for target in nodes for name, made in (*before[target].items(), (target, nodes[target]))}
    order = {"order": json.dumps(list(ordered))}
    return to.nir.NIRGraph(nodes=ordered, edges=edges, metadata={KEY: order}, type_check=False)


def exported_node(to: Export, where: str, node: graph.Node) -> Any:
    """The NIR node of a node, with a hint where it says less."""
    if isinstance(node, graph.SubGraph):
        block = block_of(node)
        made = block_node(to, where, block) if block else None
        return exported(to, node.graph, f"{where}.") if made is None else with_hint(made, _hint(to, node))
    if isinstance(node, graph.Neurons):
        _note_choices(to, where, node)
        return with_hint(neurons_node(to, where, node), _hint(to, node))
    made = plain_node(to, where, node)
    shared = any(isinstance(value, np.ndarray) and not value.ndim for _, value in node.fields())
    return with_hint(made, Hint(node, None, None)) if shared or isinstance(node, graph.Alias | graph.Activation) else made


def _hint(to: Export, node: graph.Node) -> Hint:
    return Hint(node, to.dt, None if to.tool is None else to.tool.name)


def _note_choices(to: Export, where: str, node: graph.Neurons) -> None:
    reset = str(node.choices.get("reset", "")) if node.choices else ""
    if "subtraction" in reset:
        text = "NIR resets to `v_reset`; the reset by subtraction is kept as a hint for snnjax. With a short `dt` the two come close."
        to.entries.note(where, "reset", text)


def _without_wrappers(to: Export, g: graph.Graph, prefix: str) -> graph.Graph:
    """Neurons as NIR can hold them, their own recurrence as a loop through a `Linear`."""
    nodes: dict[str, graph.Node] = {}
    loops, names = [], set(g.nodes)
    for name, node in g.nodes.items():
        weight = None
        if isinstance(node, graph.Neurons):
            node, weight = peel(prefix + name, node, to.entries)
        elif (block := block_of(node)) is not None:
            found = Entries()
            neurons, inner = peel(prefix + name, block.neurons, found)
            if inner is None:  # else its graph is written as any other
                to.entries.extend(found)
                node = block._replace(neurons=neurons).node()
        nodes[name] = node
        if weight is not None:
            loop = _free(f"{name}_recurrent", names)
            nodes[loop] = graph.Linear(weight)
            loops += [graph.Edge(name, loop), graph.Edge(loop, name)]
    return graph.Graph(nodes, (*g.edges, *loops)) if loops or nodes != dict(g.nodes) else g


def _input_shape(node: graph.Node) -> tuple[int, ...]:
    """What the NIR node takes: synapses have their channels in one axis."""
    if isinstance(node, graph.Neurons) and len(node.input_shape) > len(node.shape):
        return (math.prod(node.input_shape),)
    return node.input_shape


def _between(to: Export, where: str, edge: graph.Edge, source: tuple[int, ...], target: tuple[int, ...]) -> Iterator[Any]:
    """The nodes that an edge passes on its way."""
    taken, given = _channels(edge, math.prod(source), math.prod(target))
    if taken is None or given is None:
        if source != target:
            yield _flatten(to, where, source, target)
        return
    if len(source) > 1:
        yield _flatten(to, where, source, (math.prod(source),))
    if len(target) > 1:
        raise refused(where, "target_indices", f"channels by number into the axes {target}", "Connect nodes of one axis by number.")
    weight = np.zeros((math.prod(target), math.prod(source)), to.dtype)
    np.add.at(weight, (given, taken), 1.0)
    yield to.nir.Linear(weight)


def _channels(edge: graph.Edge, n_source: int, n_target: int) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Which channels go where; `None` where all of them go each to its own."""
    taken = np.arange(n_source) if edge.source_indices is None else edge.source_indices
    given = np.arange(n_target) if edge.target_indices is None else edge.target_indices
    every = np.arange(n_source)
    straight = n_source == n_target and np.array_equal(taken, every) and np.array_equal(given, every)
    return (None, None) if straight else (taken, given)


def _flatten(to: Export, where: str, source: tuple[int, ...], target: tuple[int, ...]) -> Any:
    if len(target) != 1:
        raise refused(where, "shape", f"an edge from the axes {source} to {target}", "It can only take all axes together.")
    return to.nir.Flatten(input_type={"input": np.array(source)}, start_dim=0, end_dim=len(source) - 1)


def _free(name: str, names: set[str]) -> str:
    """`name`, or `name_2`, ...; taken from now on."""
    made, k = name, 1
    while made in names:
        k += 1
        made = f"{name}_{k}"
    names.add(made)
    return made
