"""From the layers of a network back to the graph that it was built from, with the numbers that they have now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import graph as G
from ..graph._node import Node
from ._graph_loops import opened
from ._graph_neurons import node_of_soma
from ._graph_nodes import node_of
from ._graph_plan import Plan, Slot
from ._soma import Soma


def restored(plan: Plan, layers: Mapping[str, Any]) -> G.Graph:
    """The graph of a plan; `layers` are by the name of their node in the flat graph."""
    nodes: dict[str, Node] = {}
    for name, layer in layers.items():
        slot, where = plan.nodes[name], f"node {name!r}"
        if not isinstance(layer, Soma):
            nodes[name] = node_of(layer, slot.input_shape, where)
            continue
        node = node_of_soma(layer, where, explicit=isinstance(slot, Slot) and slot.has_choices)
        if name in plan.loops:
            nodes[name], nodes[plan.loops[name]] = opened(node)
        else:
            nodes[name] = node
    return _filled(plan.skeleton, nodes, "")


def _filled(skeleton: G.Graph, nodes: Mapping[str, Node], prefix: str) -> G.Graph:
    def node(name: str, it: Node) -> Node:
        if isinstance(it, G.SubGraph):
            return G.SubGraph(_filled(it.graph, nodes, f"{prefix}{name}."))
        return nodes.get(prefix + name, it)

    return G.Graph({name: node(name, it) for name, it in skeleton.nodes.items()}, skeleton.edges)
