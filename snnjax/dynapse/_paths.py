"""Which channel acts on which, with what weight: all that lies between two populations as one matrix.

Projections, scalings, skip edges and reshapes are linear, so that whatever way leads from one population to another, and
however many do, it is one matrix, and a constant where a projection has a bias.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from .. import graph

#: The nodes that only weigh and route.
LINEAR = (graph.Linear, graph.Scale, graph.Alias, graph.Flatten)


class Drive(NamedTuple):
    """What arrives somewhere.

    Attributes:
        weights: from each source a matrix `(channels of the source, channels here)`; `None` stands for the identity.
        bias: constant, per channel here.
        through: from each source the projections on the way.
        biased: the projections that `bias` comes from.
    """

    weights: Mapping[str, np.ndarray | None]
    bias: np.ndarray
    through: Mapping[str, tuple[str, ...]]
    biased: tuple[str, ...]


def drives(g: graph.Graph, targets: Iterable[str]) -> tuple[dict[str, Drive], tuple[str, ...]]:
    """What arrives at each of `targets`, and the nodes of a loop that has no neurons in it.

    Sources are all nodes that are not linear.
    """
    into: dict[str, list[graph.Edge]] = {name: [] for name in g.nodes}
    for edge in g.edges:
        into[edge.target].append(edge)
    linear = {name for name, node in g.nodes.items() if isinstance(node, LINEAR)}
    waiting = {name: sum(edge.source in linear for edge in into[name]) for name in linear}
    leads_to: dict[str, list[str]] = {name: [] for name in linear}
    for name in linear:
        for edge in into[name]:
            if edge.source in linear:
                leads_to[edge.source].append(name)
    done: dict[str, Drive] = {}
    ready = [name for name, count in waiting.items() if count == 0]
    while ready:
        name = ready.pop()
        done[name] = _through(name, g.nodes[name], _sum(g, name, into[name], done))
        for follower in leads_to[name]:
            waiting[follower] -= 1
            if waiting[follower] == 0:
                ready.append(follower)
    if len(done) < len(linear):
        return {}, tuple(name for name in g.nodes if name in linear and name not in done)
    return {name: _sum(g, name, into[name], done) for name in targets}, ()


def _sum(g: graph.Graph, name: str, edges: Iterable[graph.Edge], done: Mapping[str, Drive]) -> Drive:
    """What the edges bring to the input of a node."""
    size = math.prod(g.nodes[name].input_shape)
    weights: dict[str, np.ndarray | None] = {}
    through: dict[str, tuple[str, ...]] = {}
    bias, biased = np.zeros(size), ()
    for edge in edges:
        channels = math.prod(g.nodes[edge.source].output_shape)
        arriving = done.get(edge.source) or Drive({edge.source: None}, np.zeros(channels), {edge.source: ()}, ())
        for source, matrix in arriving.weights.items():
            matrix = _routed(matrix, edge, channels, size)
            known = source in weights
            weights[source] = _dense(weights[source], size) + _dense(matrix, size) if known else matrix
            through[source] = (*through.get(source, ()), *(["+"] if known else []), *arriving.through[source])
        bias = bias + _routed_vector(arriving.bias, edge, size)
        biased = (*biased, *arriving.biased)
    return Drive(weights, bias, through, tuple(dict.fromkeys(biased)))


def _through(name: str, node: graph.Node, given: Drive) -> Drive:
    """What a linear node makes of what arrives at it."""
    if isinstance(node, graph.Scale):
        scale = node.scale.ravel()
        weights = {source: _dense(matrix, scale.size) * scale for source, matrix in given.weights.items()}
        return given._replace(weights=weights, bias=given.bias * scale, through=_via(given, name))
    if not isinstance(node, graph.Linear):
        return given
    weights = {source: node.weight if matrix is None else matrix @ node.weight for source, matrix in given.weights.items()}
    bias = given.bias @ node.weight + (0.0 if node.bias is None else node.bias)
    own = (name,) if node.bias is not None and np.any(node.bias) else ()
    return Drive(weights, bias, _via(given, name), (*given.biased, *own))


def _via(given: Drive, name: str) -> dict[str, tuple[str, ...]]:
    return {source: (*path, name) for source, path in given.through.items()}


def _dense(matrix: np.ndarray | None, size: int) -> np.ndarray:
    return np.eye(size) if matrix is None else matrix


def _routed(matrix: np.ndarray | None, edge: graph.Edge, channels: int, size: int) -> np.ndarray | None:
    if edge.source_indices is None and edge.target_indices is None:
        return matrix
    sent = _dense(matrix, channels).T
    return np.ascontiguousarray(_routed_rows(sent, edge, size).T)


def _routed_vector(vector: np.ndarray, edge: graph.Edge, size: int) -> np.ndarray:
    return vector if edge.source_indices is None and edge.target_indices is None else _routed_rows(vector, edge, size)


def _routed_rows(rows: np.ndarray, edge: graph.Edge, size: int) -> np.ndarray:
    rows = rows if edge.source_indices is None else rows[edge.source_indices]
    made = np.zeros((size, *rows.shape[1:]), rows.dtype)
    np.add.at(made, np.arange(size) if edge.target_indices is None else edge.target_indices, rows)
    return made
