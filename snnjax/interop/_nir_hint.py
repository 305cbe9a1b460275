"""A node as it was here, kept as text beside its NIR node: a hint, taken only where it says exactly what the NIR node says.

NIR has no field for a reset by subtraction, an integrator, a number that all neurons share, a bias. The hint is the JSON of
a graph with this one node (`graph.to_json`), in the metadata, which other tools ignore. Who reads it exports it once more and
compares: if a tool in between has changed a number, the NIR node counts.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from .. import graph
from .._errors import SnnjaxError

KEY = "snnjax"


class Hint(NamedTuple):
    """What is remembered: the node, and for which step and which integrator of a tool it was written."""

    node: graph.Node
    dt: float | None
    tool: str | None


Again = Callable[[Hint, np.dtype], Any]


def with_hint(made: Any, hint: Hint) -> Any:
    """`made`, with a hint of what it was."""
    node = hint.node
    alone = graph.Graph(
        {"in": graph.Input(node.input_shape), "node": node, "out": graph.Output(node.output_shape)},
        [graph.Edge("in", "node"), graph.Edge("node", "out")],
    )
    rest = {name: value for name, value in (("dt", hint.dt), ("tool", hint.tool)) if value is not None}
    made.metadata = {**made.metadata, KEY: {"node": graph.to_json(alone), **rest}}
    return made


def _hint_of(made: Any) -> Hint | None:
    """The hint; `None` where there is none, or not one of ours."""
    hint = hints(made)
    try:
        alone = graph.from_json(text_of(hint["node"]))
        dt = float(np.asarray(hint["dt"], np.float64)) if "dt" in hint else None
    except (SnnjaxError, KeyError, ValueError, TypeError):
        return None
    if "node" not in alone.nodes or graph.validate(alone) or dt is not None and not 0.0 < dt < math.inf:
        return None
    return Hint(alone.nodes["node"], dt, text_of(hint["tool"]) if "tool" in hint else None)


def hints(made: Any) -> Mapping[str, Any]:
    """What is ours in the metadata of a NIR node."""
    found = made.metadata.get(KEY) if isinstance(made.metadata, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def text_of(value: Any) -> str:
    """A string, as HDF5 gives it back."""
    return value.decode() if isinstance(value, bytes) else str(value)


def recalled(made: Any, again: Again) -> Hint | None:
    """The hint, if what it remembers is written as `made`."""
    hint = _hint_of(made)
    if hint is None:
        return None
    try:
        with np.errstate(all="ignore"):
            return hint if same(again(hint, _dtype_of(made)), made) else None
    except (SnnjaxError, ArithmeticError, KeyError, TypeError, ValueError):  # a node that was never written here
        return None


def _dtype_of(made: Any) -> np.dtype:
    nodes = list(made.nodes.values()) if hasattr(made, "nodes") else [made]
    found = [it.dtype for node in nodes for it in _fields(node).values() if isinstance(it, np.ndarray) and it.dtype.kind == "f"]
    return np.result_type(*found) if found else np.dtype(np.float64)


def _fields(made: Any) -> dict[str, Any]:
    names = [field.name for field in dataclasses.fields(made)]
    return {name: getattr(made, name) for name in names if name not in ("metadata", "input_type", "output_type")}


def same(a: Any, b: Any) -> bool:
    """Whether two NIR nodes say the same, to the bit."""
    if type(a) is not type(b):
        return False
    if hasattr(a, "nodes"):
        edges = [[tuple(edge) for edge in it.edges] for it in (a, b)]
        return set(a.nodes) == set(b.nodes) and edges[0] == edges[1] and all(same(a.nodes[name], b.nodes[name]) for name in a.nodes)
    mine, yours = _fields(a), _fields(b)
    return all(_equal(mine[name], yours[name]) for name in mine)


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, str) or isinstance(b, str):
        return isinstance(a, str) and isinstance(b, str) and a == b
    a, b = np.asarray(a), np.asarray(b)
    return a.shape == b.shape and a.dtype == b.dtype and bool((a == b).all())
