"""Ten small networks as graphs, and what they must do: a step-by-step reference in NumPy, from the equations and the rules alone.

    for name, make in TOPOLOGIES.items():
        g = make()
        wanted = reference(g, inputs_of(g), dt=1e-3)

The reference uses nothing that runs or orders graphs in the library: names, shapes and numbers of nodes and edges only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from snnjax import graph as G

DT = 1e-3
_LIF = {"tau_mem": 20e-3, "tau_syn": 5e-3, "v_leak": 0.0, "v_th": 1.0, "v_reset": 0.0, "bias": 0.0}
_LEAKY = {"tau_mem": 10e-3, "resistance": 2.0, "v_leak": 0.0, "v_th": 1.0, "v_reset": -0.2, "bias": 0.0}


def _numbers(record: Any, dtype: Any) -> Any:
    return {name: _numbers(it, dtype) if isinstance(it, dict) else np.asarray(it, dtype) for name, it in record.items()}


def weights(n_in: int, n_out: int, seed: int, scale: float = 1.0, shift: float = 0.3, dtype: Any = np.float64) -> G.Linear:
    """A projection under which neurons spike now and then. Its numbers are float32 numbers, whatever the dtype."""
    drawn = np.random.default_rng(seed).normal(shift, 1.0, (n_in, n_out)).astype(np.float32)
    return G.Linear((np.float32(scale) * drawn).astype(dtype))


def lif(n: int, dtype: Any = np.float64, **changed: Any) -> G.Neurons:
    return G.Neurons("lif", _numbers({**_LIF, **changed}, dtype), n)


def leaky(n: int, dtype: Any = np.float64, **changed: Any) -> G.Neurons:
    return G.Neurons("leaky", _numbers({**_LEAKY, **changed}, dtype), n)


def edges(*names: str) -> list[G.Edge]:
    """`"a b c"` is an edge from a to b and one from b to c."""
    lines = [line.split() for line in names]
    return [G.Edge(a, b) for line in lines for a, b in zip(line, line[1:], strict=False)]


def chain(dtype: Any = np.float64) -> G.Graph:
    tau_mem = np.linspace(8e-3, 25e-3, 5)
    nodes = {
        "in": G.Input(4),
        "w": weights(4, 5, 1, dtype=dtype),
        "hidden": lif(5, dtype, tau_mem=tau_mem, bias=0.1),
        "w_out": G.Linear(weights(5, 3, 2, scale=2.0, dtype=dtype).weight, np.array([0.1, 0.0, -0.1], dtype)),
        "strict": G.Neurons("lif_refrac", _numbers({"neuron": _LIF, "t_ref": 2e-3}, dtype), 3),
        "out": G.Output(3),
    }
    return G.Graph(nodes, edges("in w hidden w_out strict out"))


def branch(dtype: Any = np.float64) -> G.Graph:
    nodes = {
        "in": G.Input(4),
        "w": weights(4, 6, 3, dtype=dtype),
        "hidden": lif(6, dtype),
        "w_a": weights(6, 2, 4, scale=8.0, dtype=dtype),
        "a": leaky(2, dtype),
        "w_b": weights(6, 3, 5, dtype=dtype),
        "b": lif(3, dtype, tau_mem=9e-3),
        "out_a": G.Output(2),
        "out_b": G.Output(3),
    }
    return G.Graph(nodes, edges("in w hidden w_a a out_a", "hidden w_b b out_b"))


def join(dtype: Any = np.float64) -> G.Graph:
    nodes = {
        "left": G.Input(3),
        "right": G.Input(4),
        "w_left": weights(3, 5, 6, dtype=dtype),
        "w_right": weights(4, 5, 7, dtype=dtype),
        "both": lif(5, dtype, tau_syn=3e-3),
        "out": G.Output(5),
    }
    return G.Graph(nodes, edges("left w_left both out", "right w_right both"))


def residual(dtype: Any = np.float64) -> G.Graph:
    nodes = {
        "in": G.Input(4),
        "w": weights(4, 4, 8, dtype=dtype),
        "first": lif(4, dtype),
        "skip": G.Alias(4),
        "w_2": weights(4, 4, 9, dtype=dtype),
        "second": lif(4, dtype, tau_mem=12e-3, v_th=0.5),
        "sum": G.Alias(4),
        "w_out": weights(4, 2, 10, scale=8.0, dtype=dtype),
        "last": leaky(2, dtype),
        "out": G.Output(2),
    }
    return G.Graph(nodes, edges("in w first w_2 second sum w_out last out", "first skip sum"))


def self_loop(dtype: Any = np.float64) -> G.Graph:
    """Neurons with an edge to themselves, and others with a matrix back to themselves."""
    nodes = {
        "in": G.Input(4),
        "w": weights(4, 5, 11, dtype=dtype),
        "first": lif(5, dtype),
        "w_2": weights(5, 4, 12, dtype=dtype),
        "second": lif(4, dtype, v_reset=-0.5),
        "back": weights(4, 4, 13, shift=-0.2, dtype=dtype),
        "out": G.Output(4),
    }
    return G.Graph(nodes, edges("in w first first", "first w_2 second back second", "second out"))


def two_layer_recurrence(dtype: Any = np.float64) -> G.Graph:
    nodes = {
        "in": G.Input(4),
        "w": weights(4, 5, 14, dtype=dtype),
        "a": lif(5, dtype),
        "a_to_b": weights(5, 4, 15, scale=8.0, dtype=dtype),
        "b": leaky(4, dtype),
        "b_to_a": weights(4, 5, 16, shift=-0.2, dtype=dtype),
        "own": weights(4, 4, 17, shift=-0.3, dtype=dtype),
        "w_out": weights(4, 2, 18, dtype=dtype),
        "read": G.Neurons("leaky_integrator", _numbers({k: _LIF[k] for k in ("tau_mem", "tau_syn", "v_leak", "bias")}, dtype), 2),
        "out": G.Output(2),
        "spikes": G.Output(5),
    }
    return G.Graph(nodes, edges("in w a a_to_b b b_to_a a", "b own b", "b w_out read out", "a spikes"))


def nested(dtype: Any = np.float64) -> G.Graph:
    """A block in a block, with a cycle inside and one through the outer block."""
    inner = {
        "in": G.Input(3),
        "cells": lif(3, dtype),
        "back": weights(3, 3, 19, shift=-0.3, dtype=dtype),
        "out": G.Output(3),
    }
    middle = {
        "in": G.Input(4),
        "w": weights(4, 3, 20, dtype=dtype),
        "core": G.SubGraph(G.Graph(inner, edges("in cells back cells", "cells out"))),
        "out": G.Output(3),
        "copy": G.Output(3),
    }
    block = G.SubGraph(G.Graph(middle, edges("in w core out", "core copy")))
    nodes = {
        "in": G.Input(4),
        "block": block,
        "w": weights(3, 4, 21, scale=12.0, dtype=dtype),
        "again": lif(4, dtype, tau_mem=15e-3),
        "out": G.Output(3),
    }
    return G.Graph(nodes, edges("in block", "block/copy w again block", "block/out out"))


def multi_synapse(dtype: Any = np.float64) -> G.Graph:
    """Two projections, each to a synapse of its own; channels are counted in the flattened `(2, 4)`."""
    two = {"neuron": _LEAKY, "tau_syn": np.array([2e-3, 12e-3])}
    nodes = {
        "in": G.Input(3),
        "fast": weights(3, 4, 22, scale=3.0, dtype=dtype),
        "slow": weights(3, 4, 23, dtype=dtype),
        "cells": G.Neurons("synapses(leaky, 2)", _numbers(two, dtype), 4),
        "out": G.Output(4),
    }
    to = [G.Edge("fast", "cells", target_indices=np.arange(4)), G.Edge("slow", "cells", target_indices=np.arange(4, 8))]
    return G.Graph(nodes, [*edges("in fast", "in slow"), *to, *edges("cells out")])


def parallel_edges(dtype: Any = np.float64) -> G.Graph:
    """Several edges between the same two nodes: all channels, a permutation of some, and one that counts twice."""
    nodes = {
        "in": G.Input(4),
        "w": weights(4, 5, 24, dtype=dtype),
        "first": lif(5, dtype),
        "second": lif(5, dtype, tau_syn=8e-3, v_th=0.4),
        "out": G.Output(3),
    }
    some = [
        G.Edge("first", "second"),
        G.Edge("first", "second", source_indices=[0, 2, 2], target_indices=[4, 1, 3]),
        G.Edge("first", "second", source_indices=[1, 3], target_indices=[1, 1], adds=True),
        G.Edge("second", "out", source_indices=[4, 0, 2]),
    ]
    return G.Graph(nodes, [*edges("in w first"), *some])


def disconnected(dtype: Any = np.float64) -> G.Graph:
    nodes = {
        "in_a": G.Input(3),
        "in_b": G.Input((2, 2)),
        "flat": G.Flatten((2, 2)),
        "w_a": weights(3, 4, 25, dtype=dtype),
        "a": lif(4, dtype),
        "w_b": weights(4, 3, 26, dtype=dtype),
        "b": leaky(3, dtype),
        "out_b": G.Output(3),
        "out_a": G.Output(4),
    }
    return G.Graph(nodes, edges("in_a w_a a out_a", "in_b flat w_b b out_b"))


#: The networks by name; each takes the dtype of its numbers.
TOPOLOGIES: dict[str, Callable[..., G.Graph]] = {
    made.__name__: made
    for made in (
        chain, branch, join, residual, self_loop, two_layer_recurrence, nested, multi_synapse, parallel_edges, disconnected,
    )
}  # fmt: skip


def inputs_of(g: G.Graph, steps: int = 40, batch: tuple[int, ...] = (2,), dtype: Any = np.float64) -> dict[str, np.ndarray]:
    """Random spikes for every input, the same every time: `(T, *batch, *shape)`."""
    rng = np.random.default_rng(0)
    shapes = {name: node.output_shape for name, node in g.nodes.items() if isinstance(node, G.Input)}
    return {name: (rng.random((steps, *batch, *shape)) < 0.3).astype(dtype) for name, shape in shapes.items()}


def only(values: dict[str, Any]) -> Any:
    """The value itself, where there is one input or output; else all by name: as a network takes and gives them."""
    return next(iter(values.values())) if len(values) == 1 else values
