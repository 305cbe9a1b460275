"""Graphs as JSON values, and back, exactly.

    {"nodes": [{"name": "in", "type": "Input", "shape": [3]},
               {"name": "w", "type": "Linear", "weight": {"dtype": "float32", "shape": [3, 2], "values": [...]}, "bias": null},
               {"name": "lif", "type": "Neurons", "model": "lif", "params": {"tau_mem": 0.02, ...}, "shape": [2], "choices": null}],
     "edges": [{"source": "in", "target": "w"}, {"source": "w", "target": "lif", "target_indices": [0, 1]}]}

A number is a float64 without axes. In files, larger arrays are apart, under a name: `{"array": "a0.w.weight"}`. Types, dtypes,
fields are keys of closed tables; nothing is filled in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from .._errors import GraphError
from ._conv import Conv, Pool
from ._data import plain
from ._edge import Edge
from ._graph import Graph, SubGraph
from ._neurons import Neurons
from ._node import Node
from ._nodes import Activation, Alias, Delay, Flatten, Input, Linear, Output, Scale, Threshold

#: The kinds of nodes that a file can name.
TYPES: Mapping[str, type[Node]] = MappingProxyType(
    {
        kind.__name__: kind
        for kind in (
            Activation, Alias, Conv, Delay, Flatten, Input, Linear, Neurons, Output, Pool, Scale, SubGraph, Threshold,
        )
    }
)  # fmt: skip

#: Turns an array into JSON; the second argument says what it is, `hidden.weight`.
Store = Callable[[np.ndarray, str], Any]


def encode(g: Graph, store: Store, path: str = "") -> dict[str, Any]:
    """The graph as JSON values; arrays as `store` gives them."""
    nodes = [_node(name, node, store, f"{path}{name}") for name, node in g.nodes.items()]
    return {"nodes": nodes, "edges": [_edge(k, edge, store, path) for k, edge in enumerate(g.edges)]}


def _node(name: str, node: Node, store: Store, path: str) -> dict[str, Any]:
    kind = type(node).__name__
    if TYPES.get(kind) is not type(node):
        raise GraphError(
            f"Node {name!r:.140} is a {kind}, which a file cannot name; it can name {', '.join(TYPES)}.",
            where="save", field="g", value=kind, allowed=", ".join(TYPES),
        )  # fmt: skip
    return {"name": name, "type": kind, **{field: _value(value, store, path, field) for field, value in node.fields()}}


def _value(value: Any, store: Store, path: str, field: str) -> Any:
    if isinstance(value, np.ndarray):
        return store(value, f"{path}.{field}")
    if isinstance(value, Graph):
        return encode(value, store, f"{path}.")
    if isinstance(value, Mapping):
        return {name: _value(inner, store, path, name) for name, inner in value.items()} if field != "choices" else plain(value)
    return plain(value)


def _edge(k: int, edge: Edge, store: Store, path: str) -> dict[str, Any]:
    content: dict[str, Any] = {"source": edge.source, "target": edge.target}
    for field in ("source_indices", "target_indices"):
        indices = getattr(edge, field)
        if indices is not None:
            content[field] = store(indices, f"{path}edge_{k}.{field}")
    return {**content, "adds": True} if edge.adds else content


def inline(array: np.ndarray, name: str) -> Any:
    """An array as JSON: a number, or dtype, shape and values with as many digits as bring back the same ones."""
    del name
    if array.dtype == np.float64 and array.ndim == 0:
        return float(array)
    flat = array.astype(np.float32) if array.dtype.kind == "V" else array  # bfloat16
    return {"dtype": array.dtype.name, "shape": list(array.shape), "values": flat.ravel().tolist()}
