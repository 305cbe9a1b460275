"""The graph itself, nodes by name and edges between them; and a graph as a node of another."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .._errors import DTypeError, GraphError, describe, options, refuses_unknown_keywords
from ._data import ReadOnly, Shape
from ._edge import Edge
from ._node import Node
from ._nodes import Input, Output
from ._table import table

MAX_DEPTH = 8


class Graph:
    """A network as data: frozen, equal by value, without time step and without code.

    Args:
        nodes: by name, in an order that is kept and means something: it decides among equals in `topological_order`.
        edges: from node to node; what several of them bring to one node is summed in their order.

    Raises:
        DTypeError: something that is no node or no edge is among them.
        GraphError: two nodes are given under one name.

    This checks types only. `validate` finds everything else; what uses a graph asks it first.

    >>> import numpy as np
    >>> from snnjax import graph
    >>> g = graph.Graph({"in": graph.Input(3), "weights": graph.Linear(np.zeros((3, 2))), "out": graph.Output(2)},
    ...                 [graph.Edge("in", "weights"), graph.Edge("weights", "out")])
    >>> graph.validate(g)
    ()
    """

    __slots__ = ("nodes", "edges")

    nodes: Mapping[str, Node]
    edges: tuple[Edge, ...]

    @refuses_unknown_keywords
    def __init__(self, nodes: Mapping[str, Node] | Iterable[tuple[str, Node]] = (), edges: Iterable[Edge] = ()) -> None:
        object.__setattr__(self, "nodes", _named(nodes))
        object.__setattr__(self, "edges", _edges(edges))

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("a Graph does not change; every function of `snnjax.graph` returns a new one")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("a Graph does not change; every function of `snnjax.graph` returns a new one")

    def __eq__(self, other: object) -> bool:
        return equal(self, other) if isinstance(other, Graph) else NotImplemented

    def __hash__(self) -> int:
        return hash((tuple(self.nodes), self.edges))

    def __repr__(self) -> str:
        return table(self)

    def __reduce__(self) -> Any:
        return Graph, (self.nodes, self.edges)


@refuses_unknown_keywords
def equal(a: Graph, b: Graph) -> bool:
    """Whether two graphs have the same nodes and edges, in the same order, with the same numbers to the bit.

    >>> from snnjax import graph
    >>> graph.equal(graph.Graph({"in": graph.Input(3)}), graph.Graph({"in": graph.Input(4)}))
    False
    """
    for name, it in (("a", a), ("b", b)):
        check_graph(it, name, "equal")
    return a is b or list(a.nodes) == list(b.nodes) and list(a.nodes.values()) == list(b.nodes.values()) and a.edges == b.edges


def check_graph(value: Any, field: str, where: str) -> None:
    if not isinstance(value, Graph):
        raise DTypeError(
            f"`{field}` of `{where}` must be a Graph; got {describe(value)}.",
            where=where, field=field, value=type(value).__name__, allowed="a Graph",
        )  # fmt: skip


def _named(nodes: Any) -> ReadOnly:
    pairs = list(nodes.items()) if isinstance(nodes, Mapping) else [it if isinstance(it, tuple) else (it, None) for it in _listed(nodes)]
    for pair in pairs:
        if len(pair) != 2 or not isinstance(pair[0], str) or not isinstance(pair[1], Node):
            shown = f"{pair[0]!r:.60}: {pair[1]!r:.60}" if len(pair) == 2 else repr(pair)[:120]
            raise DTypeError(
                f"`nodes` of `Graph` must be a mapping from names to nodes such as `graph.Input(3)`; got {shown}.",
                where="Graph", field="nodes", value=pair, allowed="a mapping from names to nodes",
            )  # fmt: skip
    made = ReadOnly(dict(pairs))
    if len(made) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))
        raise GraphError(
            f"`nodes` of `Graph` has two nodes {twice!r:.140}. Give each a name of its own.",
            where="Graph", field="nodes", value=twice, allowed="every name once",
        )  # fmt: skip
    return made


def _listed(nodes: Any) -> Any:
    return nodes if isinstance(nodes, Iterable) else (nodes,)


def _edges(edges: Any) -> tuple[Edge, ...]:
    made = tuple(_listed(edges))
    for k, edge in enumerate(made):
        if not isinstance(edge, Edge):
            raise DTypeError(
                f"`edges` of `Graph` must be Edges, `graph.Edge(source, target)`; got {describe(edge)} at index {k}.",
                where="Graph", field="edges", value=type(edge).__name__, allowed="a sequence of Edge",
            )  # fmt: skip
    return made


@options
@dataclass(frozen=True, eq=False, repr=False)
class SubGraph(Node):
    """A graph as one node. Its `Input` and `Output` nodes are its ports.

    An edge names a port as `block/port`; `block` alone is enough where there is one.

    Raises:
        DTypeError: `graph` is no Graph.
        GraphError: graphs are nested more than 8 deep.

    >>> from snnjax import graph
    >>> inner = graph.Graph({"in": graph.Input(3), "out": graph.Output(3)}, [graph.Edge("in", "out")])
    >>> graph.SubGraph(inner).inputs
    {'in': (3,)}
    """

    graph: Graph

    def __post_init__(self) -> None:
        check_graph(self.graph, "graph", "SubGraph")
        if self.depth > MAX_DEPTH:
            raise GraphError(
                f"`graph` of `SubGraph` may be nested {MAX_DEPTH} deep at most; got {self.depth}. Use `graph.flatten` on the inner ones.",
                where="SubGraph",
                field="graph",
                value=self.depth,
                allowed=f"at most {MAX_DEPTH}",
            )

    @functools.cached_property
    def depth(self) -> int:
        """How many graphs lie in each other from here on."""
        return 1 + max((node.depth for node in self.graph.nodes.values() if isinstance(node, SubGraph)), default=0)

    @property
    def inputs(self) -> dict[str, Shape]:
        """The shapes of the input ports, by name."""
        return {name: node.shape for name, node in self.graph.nodes.items() if isinstance(node, Input)}

    @property
    def outputs(self) -> dict[str, Shape]:
        """The shapes of the output ports, by name."""
        return {name: node.shape for name, node in self.graph.nodes.items() if isinstance(node, Output)}

    @property
    def input_shape(self) -> Shape:
        """The shape of the only input port; the number of all channels where there are several."""
        return _joined(self.inputs)

    @property
    def output_shape(self) -> Shape:
        """The shape of the only output port; the number of all channels where there are several."""
        return _joined(self.outputs)


def _joined(ports: Mapping[str, Shape]) -> Shape:
    shapes = list(ports.values())
    return shapes[0] if len(shapes) == 1 else (sum(map(math.prod, shapes)),)


def split(reference: str) -> tuple[str, str | None]:
    """The node and the port that an edge names: `block/port` or `node`."""
    name, slash, port = reference.partition("/")
    return name, port if slash else None


def ports_of(node: Node, side: str) -> Mapping[str | None, Shape]:
    """The ports of a node on its "input" or "output" side; a plain node has one without a name."""
    if isinstance(node, SubGraph):
        return {**(node.inputs if side == "input" else node.outputs)}
    if isinstance(node, Input if side == "input" else Output):
        return {}
    return {None: node.input_shape if side == "input" else node.output_shape}


def port_shape(node: Node, port: str | None, side: str) -> Shape | None:
    """The shape of the port that an edge names, `None` where there is no such port or more than one could be meant."""
    ports = ports_of(node, side)
    if port is None and isinstance(node, SubGraph):
        return next(iter(ports.values())) if len(ports) == 1 else None
    return ports.get(port)


def flat_name(g: Graph, reference: str, side: str) -> str:
    """What the flattened graph calls the node or the port that an edge names; both must be there."""
    name, port = (reference, None) if reference in g.nodes else split(reference)
    node = g.nodes[name]
    return f"{name}.{port or next(iter(ports_of(node, side)))}" if isinstance(node, SubGraph) else name
