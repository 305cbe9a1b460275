"""What a graph does, step by step in NumPy and float64, written from the equations and from the rules of order.

A signal passes all nodes along forward edges in one step. Within a strongly connected component the edges from inside to
its entry go backwards and carry the value of the step before, 0 at first. The entry is the first node, in the order of
`nodes`, with an edge from outside the component, or its first node; without these edges the rule is applied again to what is
still a cycle.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from snnjax import graph as G

Wire = tuple[str, str, G.Edge]


def flat(g: G.Graph) -> tuple[dict[str, Any], list[Wire]]:
    """Nodes by full name, and edges between them; inputs and outputs of blocks are nodes that pass on."""
    nodes: dict[str, Any] = {}
    ports: dict[str, str] = {}
    wires: list[Wire] = []
    for name, node in g.nodes.items():
        if not isinstance(node, G.SubGraph):
            nodes[name] = node
            continue
        inner, between = flat(node.graph)
        nodes |= {f"{name}.{key}": G.Alias(it.shape) if isinstance(it, G.Input | G.Output) else it for key, it in inner.items()}
        wires += [(f"{name}.{a}", f"{name}.{b}", edge) for a, b, edge in between]
        for side, kind in (("in", G.Input), ("out", G.Output)):
            of_kind = [key for key, it in node.graph.nodes.items() if isinstance(it, kind)]
            ports |= {f"{side}:{name}/{key}": f"{name}.{key}" for key in of_kind}
            if len(of_kind) == 1:
                ports[f"{side}:{name}"] = f"{name}.{of_kind[0]}"
    for edge in g.edges:
        wires.append((ports.get(f"out:{edge.source}", edge.source), ports.get(f"in:{edge.target}", edge.target), edge))
    return nodes, wires


def back_wires(names: list[str], pairs: list[tuple[str, str]]) -> set[int]:
    """Positions of the edges that go backwards, by the rule, as slow as it is simple."""
    index = {name: k for k, name in enumerate(names)}
    back: set[int] = set()

    def split(inside: set[int]) -> None:
        """Handle the components among the nodes `inside`, without the edges in `back`."""
        live = [(index[a], index[b]) for k, (a, b) in enumerate(pairs) if k not in back]
        reach = np.zeros((len(names), len(names)), bool)
        for a, b in live:
            reach[a, b] = a in inside and b in inside
        for k in range(len(names)):
            reach |= np.outer(reach[:, k], reach[k])
        done: set[int] = set()
        for node in sorted(inside):
            if node in done or not reach[node, node]:
                continue
            part = {other for other in inside if reach[node, other] and reach[other, node]}
            done |= part
            entered = [b for a, b in live if b in part and a not in part]
            entry = min(entered, default=min(part))
            back.update(k for k, (a, b) in enumerate(pairs) if index[b] == entry and index[a] in part)
            split(part)

    split(set(range(len(names))))
    return back


def reference(g: G.Graph, inputs: dict[str, np.ndarray], dt: float, back: set[int] | None = None) -> dict[str, np.ndarray]:
    """The output of every node over time, by full name; `back`, where it is not by the rule above, are positions of edges."""
    nodes, wires = flat(g)
    back = back_wires(list(nodes), [(a, b) for a, b, _ in wires]) if back is None else back
    arriving = {name: [(k, a, edge) for k, (a, b, edge) in enumerate(wires) if b == name] for name in nodes}
    steps, *batch = next(iter(inputs.values())).shape[: -len(next(n for n in nodes.values() if isinstance(n, G.Input)).shape)]
    states: dict[str, Any] = {name: {} for name in nodes}
    before = {name: np.zeros((*batch, *node.output_shape)) for name, node in nodes.items()}
    found: dict[str, list[np.ndarray]] = {name: [] for name in nodes}

    def step(t: int) -> dict[str, np.ndarray]:
        now: dict[str, np.ndarray] = {}

        def value(name: str) -> np.ndarray:
            if name not in now:
                node = nodes[name]
                if isinstance(node, G.Input):
                    now[name] = inputs[name][t].astype(float)
                else:
                    x = np.zeros((*batch, *node.input_shape))
                    for k, source, edge in arriving[name]:
                        x = x + _carried(edge, before[source] if k in back else value(source), node.input_shape, len(batch))
                    now[name] = _KINDS[type(node)](node, x, states[name], dt)
            return now[name]

        return {name: value(name) for name in nodes}

    for t in range(steps):
        before = step(t)
        for name in nodes:
            found[name].append(before[name])
    return {name: np.stack(values) for name, values in found.items()}


def _carried(edge: G.Edge, value: np.ndarray, shape: tuple[int, ...], lead: int) -> np.ndarray:
    batch = value.shape[:lead]
    channels = value.reshape(*batch, -1)
    taken = range(channels.shape[-1]) if edge.source_indices is None else edge.source_indices
    given = range(len(taken)) if edge.target_indices is None else edge.target_indices
    made = np.zeros((*batch, math.prod(shape)))
    for a, b in zip(taken, given, strict=True):
        made[..., b] += channels[..., a]
    return made.reshape(*batch, *shape)


def _neurons(node: G.Neurons, x: np.ndarray, state: dict[str, Any], dt: float) -> np.ndarray:
    p = node.params
    rest = 0.0
    if node.model == "lif_refrac":
        p, rest = p["neuron"], p["t_ref"]
    if node.model == "synapses(leaky, 2)":
        p, taus = p["neuron"], np.asarray(p["tau_syn"], float)[:, None]
    else:
        taus = np.asarray(p["tau_syn"], float) if "tau_syn" in p else None
    p = {name: np.asarray(it, float) for name, it in p.items()}
    decay = np.exp(-dt / p["tau_mem"])
    resistance = p.get("resistance", 1.0)
    rests_at = p["v_leak"] + resistance * p["bias"]
    v = state.get("v", np.broadcast_to(p["v_leak"], (*x.shape[: x.ndim - len(node.input_shape)], *node.shape)))
    if taus is None:
        driven = resistance * x * (1.0 - decay)
    else:
        i = state.get("i", 0.0) + x
        coupling = taus / (p["tau_mem"] - taus) * (decay - np.exp(-dt / taus))
        driven = resistance * coupling * i
        driven = driven.sum(-2) if taus.ndim == 2 else driven
        state["i"] = i * np.exp(-dt / taus)
    moved = rests_at + (v - rests_at) * decay + driven
    if node.model == "leaky_integrator":
        state["v"] = moved
        return moved
    left = state.get("left", np.zeros(v.shape, int))
    moved = np.where(left > 0, v, moved)
    spikes = (moved > p["v_th"]) & (left == 0)
    state["v"] = np.where(spikes, p["v_reset"], moved)
    state["left"] = np.where(spikes, int(np.round(rest / dt)), np.maximum(left - 1, 0))
    return spikes.astype(float)


def _linear(node: G.Linear, x: np.ndarray, state: Any, dt: float) -> np.ndarray:
    return x @ np.asarray(node.weight, float) + (0.0 if node.bias is None else np.asarray(node.bias, float))


def _flatten(node: G.Flatten, x: np.ndarray, state: Any, dt: float) -> np.ndarray:
    return x.reshape(*x.shape[: x.ndim - len(node.shape)], *node.output_shape)


def _delay(node: G.Delay, x: np.ndarray, state: dict[str, Any], dt: float) -> np.ndarray:
    state.setdefault("past", []).append(x)
    steps = np.broadcast_to(np.round(np.asarray(node.delay, float) / dt).astype(int), node.shape)
    made = np.zeros_like(x)
    for place in np.ndindex(*node.shape):
        k = len(state["past"]) - 1 - steps[place]
        if k >= 0:
            made[..., *place] = state["past"][k][..., *place]
    return made


_KINDS: dict[type, Callable[[Any, np.ndarray, Any, float], np.ndarray]] = {
    G.Neurons: _neurons,
    G.Linear: _linear,
    G.Flatten: _flatten,
    G.Delay: _delay,
    G.Alias: lambda node, x, state, dt: x,
    G.Output: lambda node, x, state, dt: x,
    G.Scale: lambda node, x, state, dt: x * np.asarray(node.scale, float),
    G.Threshold: lambda node, x, state, dt: (x > np.asarray(node.threshold, float)).astype(float),
}
