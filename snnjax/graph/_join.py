"""Taking out nodes that only pass on: the edges into them and out of them become edges from end to end."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable

import numpy as np

from ._check_edges import channels, doubled
from ._edge import Edge
from ._graph import Graph

#: Where more than so many edges would take the place of those at a node, it stays.
_MOST = 64


def without(g: Graph, names: Collection[str]) -> Graph:
    """The same graph without those nodes, which must pass on what they receive (`Alias`), edges without ports.

    A node stays where many edges meet many, and where it has an edge to itself. The edges that take the place of one stand where that
    one stood, so sums keep their order.
    """
    network = _Network(g.edges)
    gone = [name for name in names if network.take_out(name)]
    nodes = {name: node for name, node in g.nodes.items() if name not in set(gone)}
    return Graph(nodes, _summing(network.edges()))


class _Network:
    """Edges by a key that sorts as they did, and which of them enter and leave each node."""

    def __init__(self, edges: Iterable[Edge]) -> None:
        self.by_key: dict[tuple[int, ...], Edge] = {}
        self.into: dict[str, dict[tuple[int, ...], None]] = {}
        self.out_of: dict[str, dict[tuple[int, ...], None]] = {}
        for k, edge in enumerate(edges):
            self._add((k,), edge)

    def _add(self, key: tuple[int, ...], edge: Edge) -> None:
        self.by_key[key] = edge
        self.into.setdefault(edge.target, {})[key] = None
        self.out_of.setdefault(edge.source, {})[key] = None

    def _remove(self, key: tuple[int, ...]) -> None:
        edge = self.by_key.pop(key)
        del self.into[edge.target][key], self.out_of[edge.source][key]

    def take_out(self, name: str) -> bool:
        """Whether the node could be taken out."""
        entering, leaving = sorted(self.into.get(name, ())), sorted(self.out_of.get(name, ()))
        many = len(entering) > 1 and len(leaving) > 1 and len(entering) * len(leaving) > _MOST
        # Where the node sums channels of one edge, the pairs of channels may be as many as their product.
        if many or set(entering) & set(leaving) or leaving and any(_sums(self.by_key[key]) for key in entering):
            return False
        joined = [(after + before, self.by_key[before], self.by_key[after]) for after in leaving for before in entering]
        for key in (*entering, *leaving):
            self._remove(key)
        for key, first, second in joined:
            self._add(key, composed(first, second))
        return True

    def edges(self) -> list[Edge]:
        return [self.by_key[key] for key in sorted(self.by_key)]


def _sums(edge: Edge) -> bool:
    """Whether the edge brings several channels to one."""
    indices = edge.target_indices
    return edge.adds or indices is not None and np.unique(indices).size < indices.size


def composed(first: Edge, second: Edge) -> Edge:
    """The edge that does what two edges do one after the other, the first without sums; of no channel, where none passes both."""
    made = Edge(first.source, second.target, adds=first.adds or second.adds)
    before, after = channels(first), channels(second)
    if before is None or after is None:
        through = second if before is None else first
        return dataclasses.replace(made, source_indices=through.source_indices, target_indices=through.target_indices)
    (source, arrives), (leaves, target) = before, after
    order = np.argsort(arrives, kind="stable")
    place = np.minimum(np.searchsorted(arrives[order], leaves), max(arrives.size - 1, 0))
    passes = arrives[order][place] == leaves if arrives.size else np.zeros(leaves.size, bool)
    return dataclasses.replace(made, source_indices=source[order][place[passes]], target_indices=target[passes])


def _summing(edges: list[Edge]) -> list[Edge]:
    """The edges, where several ways from end to end became several edges, told that they are to be summed."""
    groups: dict[tuple[str, str], list[int]] = {}
    for k, edge in enumerate(edges):
        groups.setdefault((edge.source, edge.target), []).append(k)
    for group in groups.values():
        for i in doubled([edges[k] for k in group]) if len(group) > 1 else ():
            edges[group[i]] = dataclasses.replace(edges[group[i]], adds=True)
    return edges
