"""Nodes that nothing reaches, and nodes that lead nowhere.

Every node must be reached from an `Input`, or from `Neurons` that can be active without input; and every node must lead to
an `Output`. Parts that are not connected with each other may each have their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ._graph import Graph, SubGraph
from ._models import model_named
from ._neurons import Neurons
from ._node import Node
from ._nodes import Input, Output
from ._problem import Problem
from ._wires import Wires, successors


def reach_problems(g: Graph, found: Wires) -> Iterator[Problem]:
    names, nodes = list(g.nodes), list(g.nodes.values())
    both = (found.sources >= 0) & (found.targets >= 0)
    sources, targets = found.sources[both], found.targets[both]
    reached, leading = _reached(nodes, _starts, sources, targets), _reached(nodes, _ends, targets, sources)
    for k in np.flatnonzero(~reached).tolist():
        how = "Connect it to an Input, or leave it out."
        if isinstance(nodes[k], Neurons):
            how = "Connect it to an Input, give the neurons a `bias` that drives them, or leave it out."
        yield Problem(f"node {names[k]!r:.140}", "Nothing reaches it.", how, "unreachable")
    for k in np.flatnonzero(~leading).tolist():
        yield Problem(f"node {names[k]!r:.140}", "It leads to no Output.", "Connect it, or leave it out.", "unreachable")


def _starts(node: Node) -> bool:
    if isinstance(node, Neurons):
        return model_named(node.model) is None or _drives_itself(node.params)
    return isinstance(node, Input) or isinstance(node, SubGraph) and not node.inputs


def _ends(node: Node) -> bool:
    return isinstance(node, Output) or isinstance(node, SubGraph) and not node.outputs


def _drives_itself(params: Mapping[str, Any]) -> bool:
    """Whether neurons can be active without input: a bias that is not 0, or a rest above the threshold."""
    while isinstance(params.get("neuron"), Mapping):
        params = params["neuron"]
    bias = params.get("bias")
    constant = bias.get("Idc") if isinstance(bias, Mapping) else bias
    if isinstance(constant, np.ndarray) and constant.any():
        return True
    v_leak, v_th = params.get("v_leak"), params.get("v_th")
    if not isinstance(v_leak, np.ndarray) or not isinstance(v_th, np.ndarray) or v_leak.size == 0 or v_th.size == 0:
        return False
    return float(v_leak.max()) > float(v_th.min())


def _reached(nodes: Sequence[Node], begins: Callable[[Node], bool], sources: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Which nodes are reached from those that `begins` says."""
    reached = np.zeros(len(nodes), bool)
    reached[targets] = True
    for k in np.flatnonzero(~reached).tolist():
        reached[k] = begins(nodes[k])
    if reached.all() and ((sources < targets).all() or (sources > targets).all()):
        return reached  # there are no cycles, so every way back from a node ends at one that begins
    starts, _, after = successors(len(nodes), sources, targets)
    found = list(map(begins, nodes))
    waiting = [k for k, it in enumerate(found) if it]
    while waiting:
        node = waiting.pop()
        for other in after[starts[node] : starts[node + 1]]:
            if not found[other]:
                found[other] = True
                waiting.append(other)
    return np.array(found, bool)
