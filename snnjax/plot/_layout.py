"""Where the nodes of a network are drawn: in layers from top to bottom, edges between them without running into boxes.

A layered layout after Sugiyama, Tagawa & Toda (1981), IEEE Transactions on Systems, Man, and Cybernetics 11, 109-125. An edge
that passes layers gets a narrow slot in each of them. A backward edge goes up beside the boxes, from a slot in the
layer of its source to one in the layer of its target.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ._place import columns

_SLOT, _GAP = 0.12, 0.2  # inches


class Link(NamedTuple):
    """An edge between nodes, by their positions in the list of nodes."""

    source: int
    target: int
    backward: bool


class Layout(NamedTuple):
    """Where everything goes.

    Attributes:
        x: of the middle of every node and slot.
        layer: of every node and slot, from 0 at the top.
        routes: for every edge the nodes and slots that it passes, from source to target.
    """

    x: np.ndarray
    layer: np.ndarray
    routes: list[list[int]]


def layout(order: Sequence[int], links: Sequence[Link], widths: Sequence[float]) -> Layout:
    """Places for nodes of those widths, which come in a topological `order` of the forward links."""
    grid = _Grid(_layers(order, links), list(widths))
    routes = [grid.route(link) for link in links]
    rows = [[k for k, at in enumerate(grid.layer) if at == row] for row in range(max(grid.layer, default=-1) + 1)]
    rows = _ordered(rows, grid)
    return Layout(columns(rows, grid.steps, grid.beside, np.array(grid.widths), len(widths), _GAP), np.array(grid.layer), routes)


def _layers(order: Sequence[int], links: Sequence[Link]) -> list[int]:
    """Below everything that feeds it; a node that nothing feeds stands right above the first that it feeds."""
    layer = [0] * len(order)
    after: dict[int, list[int]] = {k: [] for k in order}
    fed = set()
    for link in links:
        if not link.backward:
            after[link.source].append(link.target)
            fed.add(link.target)
    for node in order:
        for other in after[node]:
            layer[other] = max(layer[other], layer[node] + 1)
    for node in order:
        if node not in fed and after[node]:
            layer[node] = min(layer[other] for other in after[node]) - 1
    return layer


class _Grid:
    """Nodes and slots, their layers, and the steps between adjacent layers."""

    def __init__(self, layer: list[int], widths: list[float]) -> None:
        self.layer, self.widths = layer, widths
        self.steps: list[tuple[int, int]] = []  # (upper, lower)
        self.beside: dict[int, int] = {}  # a slot to the node of the same layer that it belongs to

    def _slot(self, layer: int) -> int:
        self.layer.append(layer)
        self.widths.append(_SLOT)
        return len(self.layer) - 1

    def route(self, link: Link) -> list[int]:
        upper, lower = (link.target, link.source) if link.backward else (link.source, link.target)
        top, bottom = self.layer[upper], self.layer[lower]
        passed = [self._slot(row) for row in (range(top, bottom + 1) if link.backward else range(top + 1, bottom))]
        chain = passed if link.backward else [upper, *passed, lower]
        self.steps += zip(chain, chain[1:], strict=False)
        if link.backward:
            self.beside[passed[0]] = upper
            self.beside[passed[-1]] = lower
            return [link.source, *reversed(passed), link.target]
        return chain


def _ordered(rows: list[list[int]], grid: _Grid) -> list[list[int]]:
    """The order within layers: by the middle of what is above and what is below, in turn; the one with fewest crossings."""
    above: dict[int, list[int]] = {}
    below: dict[int, list[int]] = {}
    for upper, lower in grid.steps:
        above.setdefault(lower, []).append(upper)
        below.setdefault(upper, []).append(lower)
    best, fewest = rows, _crossings(rows, grid)
    for sweep in range(16):
        down = sweep % 2 == 0
        rows = [list(row) for row in rows]
        place = {k: float(i) for row in rows for i, k in enumerate(row)}
        for row in rows if down else reversed(rows):
            _sort(row, above if down else below, place, grid.beside)
        crossings = _crossings(rows, grid)
        if crossings < fewest:
            best, fewest = rows, crossings
    return best


def _sort(row: list[int], neighbours: dict[int, list[int]], place: dict[int, float], beside: dict[int, int]) -> None:
    def wish(k: int) -> float:
        if k in neighbours:
            return sum(place[other] for other in neighbours[k]) / len(neighbours[k])
        return wish(beside[k]) + 0.4 if k in beside else place[k]

    row.sort(key=wish)
    place.update({k: float(i) for i, k in enumerate(row)})


def _crossings(rows: list[list[int]], grid: _Grid) -> int:
    """How often lines cross between adjacent layers; a slot that is far from its node counts as crossing what is between."""
    place = np.zeros(len(grid.layer))
    for row in rows:
        place[row] = np.arange(len(row))
    count = sum(int(abs(place[slot] - place[node])) - 1 for slot, node in grid.beside.items())
    steps = np.array(grid.steps, int).reshape(-1, 2)
    layer = np.array(grid.layer)
    for row in range(len(rows) - 1):
        here = steps[layer[steps[:, 0]] == row]
        upper, lower = place[here[:, 0]], place[here[:, 1]]
        count += int(((upper[:, None] < upper) & (lower[:, None] > lower)).sum())
    return count
