"""Strongly connected components: the parts of a graph in which every node reaches every other."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .._errors import refuses_unknown_keywords
from ._graph import Graph
from ._neurons import Neurons
from ._nodes import Linear
from ._wires import ends, successors


class Recurrent(NamedTuple):
    """The recurrent parts of a graph.

    Attributes:
        components: every strongly connected component that has a cycle, by the names of its nodes.
        loops: those of them that are one module with itself: a node with an edge to itself, or `Neurons` and one `Linear`.
    """

    components: tuple[tuple[str, ...], ...]
    loops: tuple[tuple[str, ...], ...]


@refuses_unknown_keywords
def recurrent(g: Graph) -> Recurrent:
    """The parts of a graph that feed back to themselves; within each, and among them, in the order of `nodes`.

    Args:
        g: a graph; a sub-graph counts as one node (`flatten` first to see inside).

    Raises:
        GraphError: an edge names a node that there is not.

    Reference: Tarjan (1972), SIAM Journal on Computing 1, 146-160.

    >>> import numpy as np
    >>> from snnjax import graph
    >>> nodes = {"lif": graph.Neurons("lif", {}, 2), "back": graph.Linear(np.eye(2)), "out": graph.Output(2)}
    >>> graph.recurrent(graph.Graph(nodes, [graph.Edge("lif", "back"), graph.Edge("back", "lif"), graph.Edge("lif", "out")])).loops
    (('lif', 'back'),)
    """
    sources, targets = ends(g, "recurrent")
    if not (sources >= targets).any():  # every edge goes forward in the order of `nodes`
        return Recurrent((), ())
    own = set(sources[sources == targets].tolist())
    component = components(len(g.nodes), sources, targets)
    order = np.argsort(component, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(component[order])) + 1)
    names = list(g.nodes)
    cyclic = sorted(part.tolist() for part in parts if len(part) > 1 or int(part[0]) in own)
    named = tuple(tuple(names[k] for k in part) for part in cyclic)
    return Recurrent(named, tuple(part for part in named if _is_one_module(g, part)))


def _is_one_module(g: Graph, part: tuple[str, ...]) -> bool:
    kinds = [type(g.nodes[name]) for name in part]
    return len(part) == 1 or len(part) == 2 and Neurons in kinds and Linear in kinds


def components(n: int, sources: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The number of the strongly connected component of every node (Tarjan's algorithm, with a stack of its own)."""
    starts, _, after = successors(n, sources, targets)
    found, low, component = [0] * n, [0] * n, [-1] * n
    waiting: list[int] = []
    clock = parts = 0
    for root in range(n):
        path = [] if found[root] else [root]
        cursor = {}
        while path:
            node = path[-1]
            if not found[node]:
                clock += 1
                found[node] = low[node] = clock
                waiting.append(node)
                cursor[node] = starts[node]
            k, end, lowest = cursor[node], starts[node + 1], low[node]
            while k < end:
                other = after[k]
                k += 1
                if not found[other]:
                    path.append(other)
                    break
                if component[other] < 0 and low[other] < lowest:
                    lowest = low[other]
            else:
                path.pop()
                if lowest == found[node]:
                    _close(node, parts, waiting, component)
                    parts += 1
                elif path:
                    low[path[-1]] = min(low[path[-1]], lowest)
            cursor[node], low[node] = k, lowest
    return np.array(component, np.int64)


def _close(root: int, number: int, waiting: list[int], component: list[int]) -> None:
    """The nodes that wait above `root` are its component."""
    while True:
        node = waiting.pop()
        component[node] = number
        if node == root:
            return
