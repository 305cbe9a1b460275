"""A graph as a table for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from .._errors import GraphError
from ._data import describe

if TYPE_CHECKING:
    from ._edge import Edge
    from ._graph import Graph
    from ._node import Node

_ROWS = 40
_WIDTH = 140


def table(g: Graph) -> str:
    """Nodes with their kinds, shapes and parameters in short; then edges, with those marked that carry the previous step."""
    nodes, edges = _counted(len(g.nodes), "node"), _counted(len(g.edges), "edge")
    rows = [(name, _kind(node), _shapes(node), _content(node)) for name, node in _first(g.nodes.items())]
    backward = _backward(g)
    lines = [(edge.source, "->", edge.target, _wiring(edge, k in backward)) for k, edge in enumerate(_first(g.edges))]
    text = [f"Graph of {nodes} and {edges}", *_aligned(rows), *_more(len(g.nodes), "nodes")]
    return "\n".join([*text, *(["", *_aligned(lines), *_more(len(g.edges), "edges")] if lines else [])])


def _counted(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def _first(items: Iterable[Any]) -> list[Any]:
    return list(items)[:_ROWS]


def _more(n: int, what: str) -> list[str]:
    return [f"  ... and {n - _ROWS:,} more {what}"] if n > _ROWS else []


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(len(rows[0]) if rows else 0)]
    lines = ("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return [line.rstrip() if len(line.rstrip()) <= _WIDTH else line[: _WIDTH - 3] + "..." for line in lines]


def _kind(node: Node) -> str:
    model = getattr(node, "model", None)
    return f"Neurons {model:.60}" if model is not None else type(node).__name__


def _shapes(node: Node) -> str:
    into, out = node.input_shape, node.output_shape
    return f"{out}" if into == out else f"{into} -> {out}"


def _content(node: Node) -> str:
    graph = getattr(node, "graph", None)
    if graph is not None:
        return f"{_counted(len(graph.nodes), 'node')}: {', '.join(list(graph.nodes)[:8])}"
    return ", ".join(node.described(("shape", "input_shape", "model")))


def _wiring(edge: Edge, backward: bool) -> str:
    sides = (edge.source_indices, edge.target_indices)
    indices = " -> ".join("all" if it is None else str(it.tolist()) if it.size <= 6 else describe(it) for it in sides)
    parts = [indices if any(it is not None for it in sides) else "", "adds" if edge.adds else "", "one step later" if backward else ""]
    return ", ".join(filter(None, parts))


def _backward(g: Graph) -> set[int]:
    from ._order import back_edges

    try:
        return set(back_edges(g))
    except GraphError:  # an edge to nowhere; a picture of it helps to see that
        return set()
