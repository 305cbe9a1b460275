"""Nested graphs without the nesting."""

from __future__ import annotations

import dataclasses

from .._errors import GraphError, refuses_unknown_keywords
from ._check_names import flat_name_problems
from ._edge import Edge
from ._graph import Graph, SubGraph, check_graph, flat_name, port_shape, split
from ._join import without
from ._node import Node
from ._nodes import Alias, Input, Output
from ._wires import near


@refuses_unknown_keywords
def flatten(g: Graph) -> Graph:
    """The graph without sub-graphs: their nodes under the names `block.node`, in the place of the block, ports taken out.

    A nested graph means what its flattened graph means. Where many edges meet many at a port, an `Alias` stays in its place.

    Args:
        g: any graph; one without sub-graphs is returned as it is.

    Raises:
        GraphError: an edge names a node or a port that there is not, or two nodes would have the same name.

    >>> from snnjax import graph
    >>> inner = graph.Graph({"in": graph.Input(3), "half": graph.Scale([0.5] * 3), "out": graph.Output(3)},
    ...                     [graph.Edge("in", "half"), graph.Edge("half", "out")])
    >>> g = graph.Graph({"in": graph.Input(3), "block": graph.SubGraph(inner), "out": graph.Output(3)},
    ...                 [graph.Edge("in", "block"), graph.Edge("block/out", "out")])
    >>> list(graph.flatten(g).nodes), graph.flatten(g).edges
    (['in', 'block.half', 'out'], (Edge('in', 'block.half'), Edge('block.half', 'out')))
    """
    check_graph(g, "g", "flatten")
    if not any(isinstance(node, SubGraph) for node in g.nodes.values()):
        return g
    for problem in flat_name_problems(g):
        raise GraphError(str(problem), where="flatten", field="g", value=problem.where, allowed="names that stay apart")
    nodes: dict[str, Node] = {}
    edges: list[Edge] = []
    ports = _spread(g, "", nodes, edges)
    return without(Graph(nodes, edges), ports)


def _spread(g: Graph, prefix: str, nodes: dict[str, Node], edges: list[Edge]) -> list[str]:
    """Add the nodes and edges of `g`, under `prefix`, and of what is in it; the names of the ports, which become `Alias`es."""
    ports = []
    for name, node in g.nodes.items():
        if isinstance(node, SubGraph):
            ports += _spread(node.graph, f"{prefix}{name}.", nodes, edges)
        elif prefix and isinstance(node, Input | Output):
            nodes[prefix + name] = Alias(node.shape)
            ports.append(prefix + name)
        else:
            nodes[prefix + name] = node
    for edge in g.edges:
        source, target = (prefix + _end(g, end, side) for end, side in ((edge.source, "output"), (edge.target, "input")))
        edges.append(dataclasses.replace(edge, source=source, target=target))
    return ports


def _end(g: Graph, reference: str, side: str) -> str:
    name, port = (reference, None) if reference in g.nodes else split(reference)
    node = g.nodes.get(name)
    if node is None or port_shape(node, port, side) is None:
        raise GraphError(
            f"An edge names {reference!r:.140}, which is no {side} of the graph. {near(name, g.nodes)} `validate` lists all such edges.",
            where="flatten", field="edges", value=reference, allowed="names of nodes, or of ports",
        )  # fmt: skip
    return flat_name(g, reference, side)
