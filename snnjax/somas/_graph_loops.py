"""Recurrence in two spellings: one node `recurrent(model)`, or `Neurons` and a `Linear` from them back to them.

    inputs <- inputs + spikes_previous @ weight

The edge from the `Linear` to the neurons goes backwards, so the loop carries the spikes of the previous step, as
`F.recurrent` does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping

import numpy as np

from .. import graph as G
from ..graph._node import Node

_WRAPPER = "recurrent("


def is_recurrent(node: Node) -> bool:
    """Whether two nodes can say what this one says: a population with one axis and a matrix from it to itself.

    In a population of more axes the matrix is one for every row, which a `Linear` cannot say.
    """
    return isinstance(node, G.Neurons) and node.model.startswith(_WRAPPER) and len(node.shape) == 1


def opened(node: G.Neurons) -> tuple[G.Neurons, G.Linear]:
    """The neurons inside, and the weights as a matrix from all neurons to all inputs, `(N, n * N)` with `n` synapses."""
    weight = node.params["weight"]
    matrix = weight if weight.ndim == 2 else np.moveaxis(weight, 0, 1).reshape(weight.shape[1], -1)
    inner = G.Neurons(node.model.removeprefix(_WRAPPER)[:-1], node.params["neuron"], node.shape, node.choices)
    return inner, G.Linear(matrix)


def closed(neurons: G.Neurons, linear: G.Linear) -> G.Neurons:
    """The inverse of `opened`."""
    n, ports = neurons.shape[0], neurons.input_shape[:-1]
    weight = linear.weight if not ports else np.moveaxis(linear.weight.reshape(n, *ports, n), 1, 0)
    return G.Neurons(f"{_WRAPPER}{neurons.model})", {"neuron": neurons.params, "weight": weight}, neurons.shape, neurons.choices)


def taken_in(g: G.Graph, name: str, loops: Mapping[str, str]) -> Node:
    """The node of that name, with the `Linear` of its loop where it has one."""
    node, linear = g.nodes[name], g.nodes.get(loops.get(name, ""))
    return closed(node, linear) if isinstance(node, G.Neurons) and isinstance(linear, G.Linear) else node


def loops_of(g: G.Graph, wrappable: Callable[[str, G.Neurons], bool]) -> dict[str, str]:
    """The loops of `g` that `closed` takes: the name of the `Linear` by that of the `Neurons`.

    Its `Linear` has no bias and no other connection. The sum that arrives at the neurons must come out the same when
    the recurrent part is added last: with at most one other edge it does, whatever the order.
    """
    arriving, leaving = defaultdict(list), defaultdict(list)
    for edge in g.edges:
        arriving[edge.target].append(edge)
        leaving[edge.source].append(edge)
    found = defaultdict(list)
    for name, node in g.nodes.items():
        if not isinstance(node, G.Linear) or node.bias is not None or len(arriving[name]) != 1 or len(leaving[name]) != 1:
            continue
        there, back = arriving[name][0], leaving[name][0]
        neurons = g.nodes.get(there.source)
        if there.source != back.target or not isinstance(neurons, G.Neurons) or len(neurons.shape) != 1:
            continue
        others = arriving[back.target]
        if _is_whole(there) and _is_whole(back) and (others[-1] is back or len(others) <= 2):
            found[back.target].append(name)
    return {name: linears[0] for name, linears in found.items() if len(linears) == 1 and wrappable(name, g.nodes[name])}  # type: ignore[arg-type]


def _is_whole(edge: G.Edge) -> bool:
    """Whether an edge takes all channels, each to its own place."""
    indices = (edge.source_indices, edge.target_indices)
    return all(it is None or np.array_equal(it, np.arange(it.size)) for it in indices)
