"""Everything that is wrong with a graph, at once."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from .._errors import GraphError, refuses_unknown_keywords
from ._check_edges import edge_problems
from ._check_names import flat_name_problems, name_problems
from ._check_nodes import has_values, node_problems
from ._check_reach import reach_problems
from ._graph import Graph, SubGraph, check_graph
from ._problem import Problem
from ._wires import wires

_SHOWN, _MOST = 20, 1000


@refuses_unknown_keywords
def validate(g: Graph) -> tuple[Problem, ...]:
    """All problems of a graph: of its names, of each node, of its edges, of what is not connected; none if it is in order.

    Args:
        g: a graph; sub-graphs are looked into.

    Returns:
        A `Problem` each, with `where`, `what`, `how` to put it right, and `kind`.

    >>> import numpy as np
    >>> from snnjax import graph
    >>> nodes = {"in": graph.Input(3), "w": graph.Linear(np.ones((2, 2))), "out": graph.Output(2)}
    >>> for problem in graph.validate(graph.Graph(nodes, [graph.Edge("in", "w"), graph.Edge("w", "uot")])):
    ...     print(problem.kind, "|", problem)  # doctest: +ELLIPSIS
    shape | edge 0, 'in' -> 'w': The source gives (3,), the target takes (2,). Say which channels ...
    edge | edge 1, 'w' -> 'uot': Its `target` 'uot' is not a node. Did you mean `out`? Known names: in, w, out.
    unreachable | node 'out': Nothing reaches it. Connect it to an Input, or leave it out.
    unreachable | node 'in': It leads to no Output. Connect it, or leave it out.
    unreachable | node 'w': It leads to no Output. Connect it, or leave it out.
    """
    check_graph(g, "g", "validate")
    return tuple(_all_problems(g))


def _all_problems(g: Graph) -> Iterator[Problem]:
    yield from _problems(g)
    yield from flat_name_problems(g)


def _problems(g: Graph) -> Iterator[Problem]:
    yield from name_problems(g)
    good = set()  # of those that `g` has more than once; `g` keeps them, so an `id` stays that of one node
    for name, node in g.nodes.items():
        if id(node) in good or not (has_values(node) or isinstance(node, SubGraph)):
            continue
        if isinstance(node, SubGraph):
            found = [problem.inside(f"node {name!r:.140}") for problem in _problems(node.graph)]
        else:
            found = list(node_problems(name, node))
        yield from found
        if not found:
            good.add(id(node))
    ends = wires(g)
    yield from edge_problems(g, ends)
    yield from reach_problems(g, ends)


@refuses_unknown_keywords
def require_valid(g: Graph, where: str) -> None:
    """Refuse a graph with problems: what everything that uses a graph asks first.

    Args:
        g: a graph.
        where: the name of what asks, for the error.

    Raises:
        GraphError: `g` has problems; they are in the message, and as a tuple in `value`.

    >>> from snnjax import graph
    >>> graph.require_valid(graph.Graph({"in": graph.Input(2)}), "lower")
    Traceback (most recent call last):
    ...
    snnjax._errors.GraphError: `g` has 1 problem:
      node 'in': It leads to no Output. Connect it, or leave it out.
    """
    check_graph(g, "g", where)
    refuse_problems(g, where, "g", "`g`")


def refuse_problems(g: Graph, where: str, field: str, which: str) -> None:
    """Refuse a graph with problems, of which the argument `field` is the graph or holds it; `which` says so."""
    problems = tuple(itertools.islice(_all_problems(g), _MOST))  # a hostile file can have a million
    if not problems:
        return
    count = "1 problem" if len(problems) == 1 else f"{len(problems)}{' problems or more' if len(problems) == _MOST else ' problems'}"
    lines = [f"  {problem}" for problem in problems[:_SHOWN]]
    more = [f"  ... and {len(problems) - _SHOWN} more: `graph.validate(g)` lists all."] if len(problems) > _SHOWN else []
    raise GraphError(
        "\n".join([f"{which} has {count}:", *lines, *more]), where=where, field=field, value=problems, allowed="a graph without problems"
    )
