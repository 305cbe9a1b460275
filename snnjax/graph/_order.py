"""The order in which the nodes of a graph take their turn in a step, and the edges that carry the value of the step before."""

from __future__ import annotations

import heapq

import numpy as np

from .._errors import refuses_unknown_keywords
from ._components import components
from ._graph import Graph
from ._wires import ends, successors


@refuses_unknown_keywords
def topological_order(g: Graph) -> tuple[str, ...]:
    """Every node once, each after those that feed it, except along `back_edges`.

    Strongly connected components come in topological order; where several could be next, the one with the first node in the order
    of `nodes`. A component stays together. It is entered at its first node, in the order of `nodes`, with an edge from
    outside (its first node, where there is none). The edges from inside to that entry are backward edges; loops that are left are
    entered where a depth-first walk from there, nodes in their order, first meets them, and so on.

    Args:
        g: a graph; a sub-graph counts as one node (`flatten` first to see inside).

    Raises:
        GraphError: an edge names a node that there is not.

    >>> from snnjax import graph
    >>> nodes = {"out": graph.Output(1), "b": graph.Alias(1), "a": graph.Alias(1), "in": graph.Input(1)}
    >>> pairs = [("in", "a"), ("a", "b"), ("b", "a"), ("b", "out")]
    >>> graph.topological_order(graph.Graph(nodes, [graph.Edge(*pair) for pair in pairs]))
    ('in', 'a', 'b', 'out')
    """
    order = _ordered(g, "topological_order")[0]
    return tuple(map(list(g.nodes).__getitem__, order))


@refuses_unknown_keywords
def back_edges(g: Graph) -> tuple[int, ...]:
    """The positions, in `edges`, of those that carry the value of the previous step (0 before the first).

    A signal passes along all other edges within the step in which it occurs. Arguments, errors and rule as of
    `topological_order`.

    >>> from snnjax import graph
    >>> nodes = {"in": graph.Input(1), "a": graph.Alias(1), "b": graph.Alias(1)}
    >>> graph.back_edges(graph.Graph(nodes, [graph.Edge("b", "a"), graph.Edge("in", "a"), graph.Edge("a", "b")]))
    (0,)
    """
    return tuple(np.flatnonzero(_ordered(g, "back_edges")[1]).tolist())


def _ordered(g: Graph, where: str) -> tuple[list[int], np.ndarray]:
    """The nodes in their order, and which edges go backward."""
    sources, targets = ends(g, where)
    n, backward = len(g.nodes), np.zeros(len(g.edges), bool)
    if not (sources >= targets).any():  # the order of `nodes` is one, and no other comes before it
        return list(range(n)), backward
    order = _without_cycles(n, sources, targets, list(range(n)))
    if len(order) == n:
        return order, backward
    component = components(n, sources, targets)
    inside = component[sources] == component[targets]
    backward[inside] = _backward(n, sources, targets, inside)
    return _by_component(n, sources, targets, component, backward), backward


def _by_component(n: int, sources: np.ndarray, targets: np.ndarray, component: np.ndarray, backward: np.ndarray) -> list[int]:
    first = np.full(component.max() + 1, n)
    np.minimum.at(first, component, np.arange(n))
    crosses = component[sources] != component[targets]
    order = _without_cycles(len(first), component[sources[crosses]], component[targets[crosses]], first.tolist())
    rank = np.empty(len(first), np.int64)
    rank[order] = np.arange(len(order))
    # Within a component its own order, by what is left of its edges; across components the rank decides.
    inner = ~crosses & ~backward
    position = np.empty(n, np.int64)
    position[_without_cycles(n, sources[inner], targets[inner], list(range(n)))] = np.arange(n)
    return np.lexsort((position, rank[component])).tolist()


def _without_cycles(n: int, sources: np.ndarray, targets: np.ndarray, priority: list[int]) -> list[int]:
    """Nodes after all that feed them, smallest priority first (Kahn 1962); those on or behind a cycle are left out."""
    starts, _, after = successors(n, sources, targets)
    missing = np.bincount(targets, minlength=n).tolist()
    ready = [(priority[k], k) for k in range(n) if not missing[k]]
    heapq.heapify(ready)
    order = []
    while ready:
        node = heapq.heappop(ready)[1]
        order.append(node)
        for k in range(starts[node], starts[node + 1]):
            other = after[k]
            missing[other] -= 1
            if not missing[other]:
                heapq.heappush(ready, (priority[other], other))
    return order


def _backward(n: int, sources: np.ndarray, targets: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Of the edges inside components, those to a node that the depth-first walk is still inside of."""
    entered = np.zeros(n, bool)
    entered[targets[~inside]] = True
    roots = np.lexsort((np.arange(n), ~entered)).tolist()  # nodes with an edge from outside first
    starts, order, after = successors(n, sources[inside], targets[inside])
    backward = np.zeros(int(inside.sum()), bool)
    state = [0] * n  # 1 on the way, 2 done
    cursor = starts[:-1]
    for root in roots:
        path = [] if state[root] else [root]
        while path:
            node = path[-1]
            state[node] = 1
            if cursor[node] == starts[node + 1]:
                state[node] = 2
                path.pop()
                continue
            k = cursor[node]
            cursor[node] += 1
            if state[after[k]] == 1:
                backward[order[k]] = True
            elif not state[after[k]]:
                path.append(after[k])
    return backward
