"""Edges: both ends there, shapes and indices that fit, nothing connected twice without saying so."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from ._data import Shape
from ._edge import Edge
from ._graph import Graph, SubGraph, flat_name, port_shape, ports_of, split
from ._nodes import Input, Output
from ._problem import Problem
from ._wires import Wires, near


def edge_problems(g: Graph, found: Wires) -> Iterator[Problem]:
    """Everything that is wrong with the edges of `g`; what is inside of sub-graphs is not looked at."""
    pairs: dict[tuple[str, str], list[int]] = {}
    for k in _not_plain(g, found):
        edge = g.edges[k]
        source, target = _shape_at(g, edge.source, "output"), _shape_at(g, edge.target, "input")
        if source is None or target is None:
            yield from _dangling(g, k, edge)
            continue
        if edge.source_indices is None and edge.target_indices is None:
            if source != target:
                yield _unequal(k, edge, source, target)
                continue
        elif bad := list(_bad_indices(k, edge, math.prod(source), math.prod(target))):
            yield from bad
            continue
        pairs.setdefault((flat_name(g, edge.source, "output"), flat_name(g, edge.target, "input")), []).append(k)
    for group in pairs.values():
        yield from _doubles(g.edges, group)


def _not_plain(g: Graph, found: Wires) -> list[int]:
    """The edges that have to be looked at one by one; not those between plain nodes of one shape, once, without indices."""
    names, nodes = list(g.nodes), list(g.nodes.values())
    sources, targets = (side.tolist() for side in found)
    leave = [None if isinstance(node, Output | SubGraph) else node.output_shape for node in nodes]
    enter = [None if isinstance(node, Input | SubGraph) else node.input_shape for node in nodes]
    codes = found.sources * len(nodes) + found.targets
    _, first, counts = np.unique(codes, return_inverse=True, return_counts=True)
    many = (counts[first] > 1).tolist() if len(codes) else []
    return [
        k
        for k, (edge, source, target) in enumerate(zip(g.edges, sources, targets, strict=True))
        if source < 0
        or target < 0
        or many[k]
        or leave[source] is None
        or leave[source] != enter[target]
        or names[source] != edge.source
        or names[target] != edge.target
        or edge.source_indices is not None
        or edge.target_indices is not None
    ]


def _shape_at(g: Graph, reference: str, side: str) -> Shape | None:
    node, port = g.nodes.get(reference), None
    if node is None:
        name, port = split(reference)
        node = g.nodes.get(name) if port is not None else None
    return None if node is None else port_shape(node, port, side)


def _place(k: int, edge: Edge) -> str:
    return f"edge {k}, {edge.source!r:.140} -> {edge.target!r:.140}"


def _dangling(g: Graph, k: int, edge: Edge) -> Iterator[Problem]:
    for reference, side, end in ((edge.source, "output", "source"), (edge.target, "input", "target")):
        if _shape_at(g, reference, side) is not None:
            continue
        name, port = (reference, None) if reference in g.nodes else split(reference)
        node = g.nodes.get(name)
        if node is None:
            what, how = f"Its `{end}` {reference!r:.140} is not a node.", near(name, g.nodes)
        elif port is None and isinstance(node, Input | Output):
            kind = type(node).__name__
            what, how = f"Its `{end}` is an {kind}, which has no {side}s.", "Use an `Alias` for a node that passes on what it receives."
        else:
            ports = [it for it in ports_of(node, side) if it is not None]
            which = ", ".join(f"`{name}/{it}`" for it in ports) or f"`{name}`"
            asked = "several ports" if port is None and ports else "no such port" if port is not None else f"no {side} port"
            what, how = f"Its `{end}` {reference!r:.140} has {asked}.", f"The {side}s are {which}."
            if not ports and port is None:
                how = f"Give the graph inside an `{side.capitalize()}` node."
        yield Problem(_place(k, edge), what, how, "edge")


def _unequal(k: int, edge: Edge, source: Shape, target: Shape) -> Problem:
    how = "Say which channels go where with `source_indices` and `target_indices`, or correct a shape."
    if math.prod(source) == math.prod(target):
        how = "Put a `Flatten` between, or give the indices of all channels."
    return Problem(_place(k, edge), f"The source gives {source}, the target takes {target}.", how, "shape")


def _bad_indices(k: int, edge: Edge, n_source: int, n_target: int) -> Iterator[Problem]:
    counts = []
    for name, indices, n in (("source_indices", edge.source_indices, n_source), ("target_indices", edge.target_indices, n_target)):
        counts.append(n if indices is None else indices.size)
        if indices is not None and indices.size and not (indices.min() >= 0 and indices.max() < n):
            bad = indices[(indices < 0) | (indices >= n)]
            what = f"`{name}` must be from 0 to {n - 1}; got {int(bad[0])} ({bad.size} bad)."
            yield Problem(_place(k, edge), what, "Channels are counted in the flattened array, from 0.", "index")
    if counts[0] != counts[1]:
        what = f"It takes {counts[0]} channels from the source and gives {counts[1]} to the target."
        yield Problem(_place(k, edge), what, "Give as many `source_indices` as `target_indices`.", "index")
    targets = edge.target_indices
    if targets is not None and not edge.adds and targets.size > 1 and np.unique(targets).size < targets.size:
        what = "`target_indices` names a channel more than once."
        yield Problem(_place(k, edge), what, "Say `adds=True` if they are to be summed.", "double")


def _doubles(edges: Sequence[Edge], group: list[int]) -> Iterator[Problem]:
    """Later edges between the same two ports that bring a channel where it has been brought."""
    again = doubled([edges[k] for k in group]) if len(group) > 1 else ()
    for k in (group[i] for i in again):
        if not edges[k].adds:
            what = "A channel of the source reaches a channel of the target by an earlier edge already."
            yield Problem(_place(k, edges[k]), what, "Leave the edge out, or say `adds=True` if it is to count twice.", "double")


def doubled(edges: Sequence[Edge]) -> list[int]:
    """Which of the edges between the same two ports connect a pair of channels that an earlier one of them connects."""
    whole, owners, pairs = [], [np.empty(0, np.int64)], [np.empty((0, 2), np.int64)]
    for i, edge in enumerate(edges):
        connected = channels(edge)
        if connected is None:
            whole.append(i)
        else:
            owners.append(np.full(connected[0].size, i))
            pairs.append(np.stack(connected, axis=1))
    owner, pair = np.concatenate(owners), np.concatenate(pairs)
    order = np.lexsort((owner, pair[:, 1], pair[:, 0]))
    equal = (np.diff(pair[order], axis=0) == 0).all(axis=1) & (np.diff(owner[order]) > 0)
    found = {*owner[order][1:][equal].tolist(), *whole[1:]}
    straight = set(owner[pair[:, 0] == pair[:, 1]].tolist())  # channels that an edge without indices connects too
    if whole:
        found |= {i for i in straight if i > whole[0]} | ({whole[0]} if any(i < whole[0] for i in straight) else set())
    return sorted(found)


def channels(edge: Edge) -> tuple[np.ndarray, np.ndarray] | None:
    """The channels that an edge takes and those it gives them to; `None` for all, each to its own."""
    source, target = edge.source_indices, edge.target_indices
    if source is None and target is None:
        return None
    every = np.arange((target if source is None else source).size)
    return every if source is None else source, every if target is None else target
