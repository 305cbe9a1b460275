"""One graph behind the other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .._errors import DTypeError, GraphError, describe, refuses_unknown_keywords
from ._check_edges import edge_problems
from ._data import indices_of
from ._edge import Edge, check_adds
from ._graph import Graph, SubGraph
from ._join import without
from ._neurons import Neurons
from ._node import Node
from ._nodes import Alias, Input, Output
from ._operations import refuse_clashes
from ._wires import wires


@refuses_unknown_keywords
def connect(a: Graph | Node, b: Graph | Node, source_indices: Any = None, target_indices: Any = None, *, adds: bool = False) -> Graph:
    """The outputs of `a` to the inputs of `b`. The `Output` of `a` and the `Input` of `b` disappear.

    A node stands for the graph of this node alone, with an `input` and an `output`; it is called after its kind or model: `linear`,
    `lif`, `linear_1`, ... Where many edges meet many, an `Alias` stays between them.

    Args:
        a: a graph with one `Output`, or a node.
        b: a graph with one `Input`, or a node.
        source_indices: the channels of the output of `a` that are taken; `None` for all.
        target_indices: the channels of the input of `b` that they go to; `None` for all. Others receive nothing.
        adds: as of `Edge`.

    Raises:
        GraphError: a graph has none or several of them, shapes or indices do not fit, or both graphs use a name.
        DTypeError: `a` or `b` is no graph and no node, or indices are no integers.

    >>> import numpy as np
    >>> from snnjax import graph
    >>> g = graph.connect(graph.connect(graph.Linear(np.ones((3, 2))), graph.Activation("tanh", 2)), graph.Linear(np.ones((2, 1))))
    >>> g.edges  # doctest: +NORMALIZE_WHITESPACE
    (Edge('input', 'linear'), Edge('linear', 'activation'), Edge('activation', 'linear_1'), Edge('linear_1', 'output'))
    """
    first, second = _as_graphs(a, b)
    leaves, enters = _only(first, Output, "a"), _only(second, Input, "b")
    kept_first = {name: node for name, node in first.nodes.items() if name != leaves}
    kept_second = {name: node for name, node in second.nodes.items() if name != enters}
    refuse_clashes(kept_first, Graph(kept_second), "b", "connect")
    taken = {*kept_first, *kept_second}
    joint_a = fresh("joint", taken)
    joint_b = fresh("joint", {*taken, joint_a})
    out, into = first.nodes[leaves].output_shape, second.nodes[enters].input_shape
    source_indices, target_indices = (
        indices_of(it, field, "connect") for field, it in (("source_indices", source_indices), ("target_indices", target_indices))
    )
    check_adds(adds, "connect")
    joint = Edge(joint_a, joint_b, source_indices, target_indices, adds)
    _check_fits(Graph({joint_a: Alias(out), joint_b: Alias(into)}, [joint]), out, into)
    nodes = {**kept_first, joint_a: Alias(out), joint_b: Alias(into), **kept_second}
    edges = [*_moved(first, leaves, joint_a), joint, *_moved(second, enters, joint_b)]
    return without(Graph(nodes, edges), [joint_b, joint_a])


def _as_graphs(a: Any, b: Any) -> tuple[Graph, Graph]:
    for field, it in (("a", a), ("b", b)):
        if not isinstance(it, Graph | Node) or isinstance(it, Input | Output):
            raise DTypeError(
                f"`{field}` of `connect` must be a Graph, or a node that does something; got {describe(it)}. "
                "`connect` makes the Input and the Output by itself.",
                where="connect", field=field, value=type(it).__name__, allowed="a Graph or a node",
            )  # fmt: skip
    first = a if isinstance(a, Graph) else _alone(a, _names_but(b, Input))
    return first, b if isinstance(b, Graph) else _alone(b, _names_but(first, Output))


def _names_but(g: Any, kind: type) -> set[str]:
    return {name for name, node in g.nodes.items() if not isinstance(node, kind)} if isinstance(g, Graph) else set()


def _alone(node: Node, taken: set[str]) -> Graph:
    name = fresh(called(node), taken)
    before, behind = fresh("input", {*taken, name}), fresh("output", {*taken, name})
    ends = {before: Input(node.input_shape), name: node, behind: Output(node.output_shape)}
    return Graph(ends, [Edge(before, name), Edge(name, behind)])


def called(node: Node) -> str:
    """A name for a node: its model without wrappers, or its kind."""
    if isinstance(node, Neurons):
        return node.model.rpartition("(")[2].partition(",")[0].rstrip(")") or "neurons"
    return "block" if isinstance(node, SubGraph) else type(node).__name__.lower()


def fresh(name: str, taken: set[str]) -> str:
    """`name`, or the first of `name_1`, `name_2`, ... that is free."""
    k, made = 0, name
    while made in taken:
        k += 1
        made = f"{name}_{k}"
    return made


def _only(g: Graph, kind: type, field: str) -> str:
    names = [name for name, node in g.nodes.items() if isinstance(node, kind)]
    if len(names) != 1:
        raise GraphError(
            f"`{field}` of `connect` must have one {kind.__name__}; it has {len(names)}{': ' + ', '.join(names)[:200] if names else ''}. "
            "For several, `merge` the graphs and add the edges.",
            where="connect", field=field, value=tuple(names), allowed=f"one {kind.__name__}",
        )  # fmt: skip
    return names[0]


def _moved(g: Graph, old: str, new: str) -> list[Edge]:
    ends = {old: new}
    return [replace(edge, source=ends.get(edge.source, edge.source), target=ends.get(edge.target, edge.target)) for edge in g.edges]


def _check_fits(joint: Graph, out: tuple[int, ...], into: tuple[int, ...]) -> None:
    for problem in edge_problems(joint, wires(joint)):
        field = "b" if problem.kind == "shape" else "target_indices" if problem.what.startswith("`target_") else "source_indices"
        what = "." if problem.kind == "shape" else f": {problem.what}"
        raise GraphError(
            f"`a` gives {out} and `b` takes {into}{what} {problem.how}",
            where="connect", field=field, value=(out, into), allowed="shapes and indices that fit",
        )  # fmt: skip
