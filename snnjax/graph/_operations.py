"""Asking graphs for nodes, and making new graphs from old ones."""

from __future__ import annotations

import dataclasses
import fnmatch
from collections.abc import Mapping
from typing import Any

from .._errors import DTypeError, GraphError, describe, refuses_unknown_keywords
from ._check_names import RULE, is_name
from ._graph import Graph, check_graph, port_shape, split
from ._neurons import Neurons
from ._node import Node
from ._wires import near


@refuses_unknown_keywords
def find(g: Graph, *, model: str | None = None, kind: type | str | None = None) -> tuple[str, ...]:
    """The names of the nodes of a model, of a kind, or both; in the order of `nodes`.

    Args:
        g: a graph; sub-graphs are not looked into (`flatten` first).
        model: of `Neurons`: the whole name, in which `*` stands for anything: "lif", "*lif*", "refractory(*)".
        kind: a class such as `graph.Linear`, or its name.

    >>> from snnjax import graph
    >>> g = graph.connect(graph.Neurons("lif", {}, 2), graph.Neurons("refractory(lif)", {}, 2))
    >>> graph.find(g, model="lif"), graph.find(g, model="*lif*"), graph.find(g, kind="Input")
    (('lif',), ('lif', 'lif_1'), ('input',))
    """
    check_graph(g, "g", "find")
    if not isinstance(model, str | None) or not isinstance(kind, type | str | None):
        field, value = ("kind", kind) if isinstance(model, str | None) else ("model", model)
        raise DTypeError(
            f"`{field}` of `find` must be a name{' or a class of nodes' if field == 'kind' else ''}; got {describe(value)}.",
            where="find", field=field, value=value, allowed="a name",
        )  # fmt: skip

    def wanted(node: Node) -> bool:
        of_model = model is None or isinstance(node, Neurons) and fnmatch.fnmatchcase(node.model, model)
        return of_model and (kind is None or (type(node).__name__ == kind if isinstance(kind, str) else isinstance(node, kind)))

    return tuple(name for name, node in g.nodes.items() if wanted(node))


@refuses_unknown_keywords
def replace(g: Graph, name: str, node: Node) -> Graph:
    """The graph with another node in the place of one; the old graph stays as it is.

    Raises:
        GraphError: there is no node of that name, or the new one has other shapes.
        DTypeError: `node` is no node.

    >>> import numpy as np
    >>> from snnjax import graph
    >>> g = graph.connect(graph.Linear(np.zeros((3, 2))), graph.Activation("relu", 2))
    >>> graph.replace(g, "linear", graph.Linear(np.ones((3, 2)))).nodes["linear"].weight[0, 0]
    np.float64(1.0)
    """
    check_graph(g, "g", "replace")
    if not isinstance(node, Node):
        raise DTypeError(
            f"`node` of `replace` must be a node such as `graph.Linear(weight)`; got {describe(node)}.",
            where="replace", field="node", value=type(node).__name__, allowed="a node",
        )  # fmt: skip
    old = g.nodes.get(name)
    if old is None:
        raise GraphError(
            f"`name` {name!r:.140} is no node of the graph. {near(str(name), g.nodes)}",
            where="replace", field="name", value=name, allowed="the name of a node",
        )  # fmt: skip
    if (old.input_shape, old.output_shape) != (node.input_shape, node.output_shape) or not _same_ports(g, name, old, node):
        raise GraphError(
            f"`node` takes {node.input_shape} and gives {node.output_shape}; {name!r:.140} takes {old.input_shape} and gives "
            f"{old.output_shape}. Both must be the same, and so must the ports that edges name.",
            where="replace", field="node", value=(node.input_shape, node.output_shape), allowed=f"{old.input_shape} to {old.output_shape}",
        )  # fmt: skip
    return Graph({key: node if key == name else it for key, it in g.nodes.items()}, g.edges)


def _same_ports(g: Graph, name: str, old: Node, new: Node) -> bool:
    for edge in g.edges:
        for reference, side in ((edge.source, "output"), (edge.target, "input")):
            at, port = (reference, None) if reference in g.nodes else split(reference)
            if at == name and port_shape(old, port, side) != port_shape(new, port, side):
                return False
    return True


@refuses_unknown_keywords
def rename(g: Graph, names: Mapping[str, str]) -> Graph:
    """The graph with other names: `{old: new}`; nodes and edges stay in their order.

    Raises:
        GraphError: an old name is not there, a new one is not allowed, or two nodes would have the same.

    >>> from snnjax import graph
    >>> g = graph.rename(graph.Graph({"a": graph.Input(2), "out": graph.Output(2)}, [graph.Edge("a", "out")]), {"a": "in"})
    >>> list(g.nodes), g.edges
    (['in', 'out'], (Edge('in', 'out'),))
    """
    check_graph(g, "g", "rename")
    if not isinstance(names, Mapping):
        raise DTypeError(
            f"`names` of `rename` must be a mapping from old names to new ones; got {describe(names)}.",
            where="rename", field="names", value=names, allowed="a mapping",
        )  # fmt: skip
    for old, new in names.items():
        if old not in g.nodes:
            raise GraphError(
                f"`names` has {old!r:.140}, which is no node of the graph. {near(str(old), g.nodes)}",
                where="rename", field="names", value=old, allowed="names of nodes",
            )  # fmt: skip
        if not isinstance(new, str) or not is_name(new):
            raise GraphError(
                f"`names` would call {old!r:.140} {new!r:.140}. Names are {RULE}.", where="rename", field="names", value=new, allowed=RULE
            )
    made = [names.get(name, name) for name in g.nodes]
    if len(set(made)) < len(made):
        seen: set[str] = set()
        twice = next(name for name in made if name in seen or seen.add(name))
        raise GraphError(
            f"`names` would give two nodes the name {twice!r}. Give each a name of its own.",
            where="rename", field="names", value=twice, allowed="every name once",
        )  # fmt: skip

    def end(reference: str) -> str:
        name, port = (reference, None) if reference in g.nodes else split(reference)
        return names.get(name, name) if port is None else f"{names.get(name, name)}/{port}"

    edges = [dataclasses.replace(edge, source=end(edge.source), target=end(edge.target)) for edge in g.edges]
    return Graph(dict(zip(made, g.nodes.values(), strict=True)), edges)


def merge(*graphs: Graph) -> Graph:
    """Several graphs side by side, as one; nothing connects them.

    Raises:
        GraphError: two of them have a node of the same name.

    >>> from snnjax import graph
    >>> a, b = (graph.Graph({f"in_{k}": graph.Input(k)}) for k in (1, 2))
    >>> list(graph.merge(a, b).nodes)
    ['in_1', 'in_2']
    """
    nodes: dict[str, Any] = {}
    edges: list[Any] = []
    for k, g in enumerate(graphs):
        check_graph(g, f"graphs[{k}]", "merge")
        refuse_clashes(nodes, g, f"graphs[{k}]", "merge")
        nodes.update(g.nodes)
        edges.extend(g.edges)
    return Graph(nodes, edges)


def refuse_clashes(nodes: Mapping[str, Any], g: Graph, field: str, where: str) -> None:
    """No node of `g` is among `nodes`."""
    both = [name for name in g.nodes if name in nodes]
    if both:
        raise GraphError(
            f"`{field}` of `{where}` has names that are taken: {', '.join(both)[:200]}. "
            'Give others first: `graph.rename(g, {name: f"other_{name}" for name in g.nodes})`.',
            where=where, field=field, value=tuple(both), allowed="other names",
        )  # fmt: skip
