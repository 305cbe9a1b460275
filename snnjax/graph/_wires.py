"""The edges of a graph as integers: positions of nodes, and successors of each."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from typing import NamedTuple

import numpy as np

from .._errors import GraphError, did_you_mean
from ._graph import Graph, check_graph, split

_SOURCE, _TARGET = attrgetter("source"), attrgetter("target")


class Wires(NamedTuple):
    """The positions, in the order of `nodes`, of the sources and the targets of all edges; -1 where there is no such node."""

    sources: np.ndarray
    targets: np.ndarray


def wires(g: Graph) -> Wires:
    index = {name: k for k, name in enumerate(g.nodes)}
    return Wires(_positions(index, list(map(_SOURCE, g.edges))), _positions(index, list(map(_TARGET, g.edges))))


def _positions(index: dict[str, int], references: list[str]) -> np.ndarray:
    get = index.get
    found = np.array([get(name, -1) for name in references], np.int64)
    for k in np.flatnonzero(found < 0).tolist():  # `block/port`
        found[k] = get(split(references[k])[0], -1)
    return found


def ends(g: Graph, where: str) -> Wires:
    """As `wires`, and all of them are there.

    Raises:
        GraphError: an edge names a node that there is not.
    """
    check_graph(g, "g", where)
    found = wires(g)
    for side, get in zip(found, (_SOURCE, _TARGET), strict=True):
        if side.size and side.min() < 0:
            name = get(g.edges[int(side.argmin())])
            raise GraphError(
                f"An edge names the node {name!r:.140}, which `g` does not have. {near(name, g.nodes)} `validate` lists all such edges.",
                where=where, field="edges", value=name, allowed="names of nodes",
            )  # fmt: skip
    return found


def near(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown name; a graph may have too many to list."""
    known = list(known)
    return did_you_mean(name[:128], known) if len(known) <= 50 else f"It has {len(known)} others."


def successors(n: int, sources: np.ndarray, targets: np.ndarray) -> tuple[list[int], list[int], list[int]]:
    """For every node a range of `order`, the edges that leave it by ascending target; `(starts, order, targets of order)`."""
    order = np.lexsort((targets, sources))
    starts = np.searchsorted(sources[order], np.arange(n + 1))
    return starts.tolist(), order.tolist(), targets[order].tolist()
