"""How a graph runs: its nodes in order, in groups that can run over a whole sequence alone; everything but the numbers.

A plan is compared by value and holds no array that changes, so networks of equal plans share compiled programs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from .. import graph as G
from ..graph._node import Node

Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False, repr=False)
class Slot(Node):
    """A node without its numbers, which are in a layer: its kind, its shapes, and what else tells it from others."""

    kind: str
    takes: Shape
    gives: Shape
    about: tuple[Any, ...]

    @property
    def input_shape(self) -> Shape:
        return self.takes

    @property
    def output_shape(self) -> Shape:
        return self.gives

    @property
    def has_choices(self) -> bool:
        """Whether these are neurons whose choices were written down, be they the defaults."""
        return ("choices", True) in self.about


_WITH_NUMBERS = (G.Linear, G.Conv, G.Scale, G.Threshold, G.Neurons)


def skeleton(g: G.Graph) -> G.Graph:
    """`g` with slots for the nodes that hold numbers."""
    return G.Graph({name: _slot(node) for name, node in g.nodes.items()}, g.edges)


def _slot(node: Node) -> Node:
    if isinstance(node, G.SubGraph):
        return G.SubGraph(skeleton(node.graph))
    if not isinstance(node, _WITH_NUMBERS):
        return node
    if isinstance(node, G.Neurons):
        about: tuple[Any, ...] = (("model", node.model), ("choices", node.choices is not None))
    else:
        about = tuple((name, it.shape if isinstance(it, np.ndarray) else it) for name, it in node.fields())
    return Slot(type(node).__name__, node.input_shape, node.output_shape, about)


class Group(NamedTuple):
    """Nodes that run together: one that has all it needs before it, or a cycle, which goes step by step."""

    names: tuple[str, ...]
    cyclic: bool


class Plan:
    """The order in which a network runs.

    Attributes:
        skeleton: the graph without numbers, sub-graphs nested.
        nodes: those of the flat graph by name.
        edges: of the flat graph; the loops that recurrent somas have taken in are not among them.
        arriving: the edges that arrive at a node, as positions in `edges`, in their order.
        back: positions of the edges that carry the value of the previous step.
        groups: in the order in which they run.
        previous: the nodes whose last output is part of the state.
        loops: the `Linear` that the recurrent soma of a name has taken in.
    """

    def __init__(self, g: G.Graph, loops: Mapping[str, str]) -> None:
        """`loops` are pairs of names in the flat graph."""
        self.skeleton, self.loops = skeleton(g), dict(loops)
        flat = G.flatten(self.skeleton)
        taken, backward = set(self.loops.values()), set(G.back_edges(flat))
        kept = [k for k, edge in enumerate(flat.edges) if edge.source not in taken and edge.target not in taken]
        self.nodes = {name: node for name, node in flat.nodes.items() if name not in taken}
        self.edges = tuple(flat.edges[k] for k in kept)
        self.back = frozenset(i for i, k in enumerate(kept) if k in backward)
        self.previous = tuple(dict.fromkeys(self.edges[i].source for i in sorted(self.back)))
        self.arriving: dict[str, list[int]] = {name: [] for name in self.nodes}
        for i, edge in enumerate(self.edges):
            self.arriving[edge.target].append(i)
        self.groups = _groups(flat, taken, {self.edges[i].target for i in self.back})
        self.inputs = {name: node.output_shape for name, node in self.nodes.items() if isinstance(node, G.Input)}
        self.outputs = tuple(name for name, node in self.nodes.items() if isinstance(node, G.Output))
        self._hash = hash((self.skeleton, tuple(self.loops.items())))

    def leaving(self, group: Group) -> tuple[str, ...]:
        """The nodes of a group whose output others take."""
        inside = set(group.names)
        return tuple(dict.fromkeys(e.source for e in self.edges if e.source in inside and e.target not in inside))

    def entering(self, group: Group) -> tuple[int, ...]:
        """The positions of the edges from outside to a group."""
        inside = set(group.names)
        return tuple(k for name in group.names for k in self.arriving[name] if self.edges[k].source not in inside)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Plan):
            return NotImplemented
        return self is other or (self._hash == other._hash and self.loops == other.loops and self.skeleton == other.skeleton)

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        cycles = sum(group.cyclic for group in self.groups)
        return f"Plan({len(self.nodes)} nodes, {len(self.edges)} edges, {cycles} cycles)"


def _groups(flat: G.Graph, taken: set[str], entries: set[str]) -> tuple[Group, ...]:
    """The components of the graph in order, without the nodes `taken`; those with a node in `entries` are cycles."""
    member = {name: k for k, part in enumerate(G.recurrent(flat).components) for name in part}
    parts: list[list[str]] = []
    last: int | None = None
    for name in G.topological_order(flat):
        now = member.get(name)
        if name in taken:
            continue
        if now is not None and now == last:
            parts[-1].append(name)
        else:
            parts.append([name])
        last = now
    return tuple(Group(tuple(part), not entries.isdisjoint(part)) for part in parts)
