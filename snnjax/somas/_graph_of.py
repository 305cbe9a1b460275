"""From a network that runs to a graph."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import numpy as np

from .. import graph as G
from .._errors import DTypeError, GraphError, describe, refuses_unknown_keywords
from ..functional._concrete import as_shape
from ..graph._connect import called, fresh
from ._graph_loops import is_recurrent, opened
from ._graph_neurons import node_of_soma
from ._graph_nodes import input_shape_of, keeps_shape, node_of
from ._network import Network
from ._sequential import Sequential
from ._soma import Soma

Shape = tuple[int, ...]


@refuses_unknown_keywords
def of(network: Any, *, input_shape: int | Shape | None = None) -> G.Graph:
    """The graph of a network; `graph.build` makes a network with the same outputs, bit for bit, of it.

    Args:
        network: a soma, a `Sequential`, what `graph.build` made, or a layer of Equinox that a node stands for: Linear,
            Conv1d, Conv2d, AvgPool, MaxPool, Identity, Lambda of a named function, Dropout that drops nothing.
        input_shape: of one step, without batch and time; needed only where no layer says it, as before a convolution.

    Returns:
        A chain from `input` to `output`, with nodes named after what they are: `linear`, `lif`, `linear_1`. A recurrent
        soma becomes its neurons and a `Linear` back to them, `lif_recurrent`. A nested network becomes a `SubGraph`.
        What `graph.build` made gives the graph that it was built from, with the numbers that it has now.

    Raises:
        GraphError: a layer has no node, or the shape of the input is not known.
        ConfigError: a choice (surrogate, reset, integrator) is a function of your own, which has no name.
        DTypeError: `network` is no network, or it is being traced.

    >>> import equinox as eqx, jax
    >>> from snnjax import graph, somas
    >>> net = somas.Sequential([eqx.nn.Linear(4, 3, key=jax.random.key(0)), somas.LIFSomaConfig(shape=(3,)).build()])
    >>> list(graph.of(net).nodes)
    ['input', 'linear', 'lif', 'output']
    """
    if isinstance(network, Network):
        return network.graph()
    if not isinstance(network, eqx.Module) or isinstance(network, type):
        what = describe(network)
        raise DTypeError(
            f"`network` must be a soma, a `Sequential` or a layer of Equinox; got {what}."
            f"{' Build it first: `config.build(key)`.' if hasattr(network, 'build') else ''}",
            where="of",
            field="network",
            value=network,
            allowed="a soma, a Sequential, a layer of Equinox",
        )
    layers = network.layers if isinstance(network, Sequential) else (network,)
    given = None if input_shape is None else as_shape(input_shape, "of", "input_shape")
    return _chain(layers, given, "layers" if isinstance(network, Sequential) else "")


class _Chain:
    """A graph while it grows at its end."""

    def __init__(self, shape: Shape) -> None:
        self.nodes: dict[str, G.Node] = {"input": G.Input(shape)}
        self.edges: list[G.Edge] = []
        self.end, self.shape = "input", shape

    def add(self, node: G.Node) -> str:
        name = self._free(called(node))
        self.nodes[name] = node
        self.edges.append(G.Edge(self.end, name))
        self.end, self.shape = name, node.output_shape
        return name

    def add_loop(self, neurons: G.Neurons, linear: G.Linear) -> None:
        name = self.add(neurons)
        back = self._free(f"{name}_recurrent")
        self.nodes[back] = linear
        whole = None if linear.output_shape == neurons.input_shape else np.arange(linear.weight.shape[1])
        self.edges += [G.Edge(name, back), G.Edge(back, name, target_indices=whole)]

    def graph(self) -> G.Graph:
        return G.Graph({**self.nodes, "output": G.Output(self.shape)}, [*self.edges, G.Edge(self.end, "output")])

    def _free(self, base: str) -> str:
        return fresh(base, {*self.nodes, "output"})


def _chain(layers: tuple[Any, ...], given: Shape | None, path: str) -> G.Graph:
    known = _shape_taken(layers)
    shape = given if given is not None else known
    if shape is None:
        first = f"`{path}[0]`" if path else "the layer"
        raise GraphError(
            f"`input_shape` is not known: {first} takes inputs of more than one shape. Give that of one step, "
            "`graph.of(net, input_shape=(channels, height, width))`.",
            where="of",
            field="input_shape",
            value=None,
            allowed="an integer or a tuple of integers",
        )
    chain = _Chain(shape)
    for k, layer in enumerate(layers):
        where = f"`{path}[{k}]`" if path else "`network`"
        wanted = input_shape_of(layer)
        if wanted is not None and wanted != chain.shape:
            raise GraphError(
                f"{where} takes inputs of shape {wanted}, and gets {chain.shape}. "
                f"{'Correct `input_shape`' if given is not None else 'Correct a layer'}, or a layer before it.",
                where="of",
                field=where.strip("`"),
                value=chain.shape,
                allowed=str(wanted),
            )
        _add(chain, layer, where)
    return chain.graph()


def _add(chain: _Chain, layer: Any, where: str) -> None:
    if isinstance(layer, Soma):
        node = node_of_soma(layer, where)
        if is_recurrent(node):
            chain.add_loop(*opened(node))
        else:
            chain.add(node)
    elif isinstance(layer, Network):
        chain.add(G.SubGraph(layer.graph()))
    elif isinstance(layer, Sequential):
        chain.add(G.SubGraph(_chain(layer.layers, chain.shape, f"{where.strip('`')}.layers")))
    else:
        chain.add(node_of(layer, chain.shape, where))


def _shape_taken(layers: tuple[Any, ...]) -> Shape | None:
    """The shape that the first layers take, where one of them says it and those before it keep shapes."""
    for layer in layers:
        if isinstance(layer, Sequential | Network):
            shape = _shape_taken(layer.layers) if isinstance(layer, Sequential) else layer.input_shape()
        else:
            shape = input_shape_of(layer)
        if shape is not None or not keeps_shape(layer):
            return shape
    return None
