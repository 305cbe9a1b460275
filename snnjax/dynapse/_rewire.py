"""The graph of a chip: populations, one matrix between each two, and around them what stays outside."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import NoReturn

import numpy as np

from .. import graph
from .._errors import GraphError
from ._lif_node import LIFNode
from ._paths import LINEAR, Drive

#: Synapses that a neuron of a Dynap-SE2 has.
FAN_IN = 64


def rewired(
    flat: graph.Graph, chip: Mapping[str, LIFNode], arriving: Mapping[str, Drive], made: Mapping[str, graph.Neurons], notes: list[str]
) -> graph.Graph:
    """Inputs and populations in their order, before each population the matrices that lead to it; then what stays outside.

    Raises:
        GraphError: something other than neurons, inputs and weights leads to a population.
    """
    outside = _outside(flat, chip)
    kept = {*chip, *outside, *(name for name, node in flat.nodes.items() if isinstance(node, graph.Input))}
    nodes: dict[str, graph.Node] = {}
    edges: list[graph.Edge] = []
    for name, node in flat.nodes.items():
        for source, weight, through in _matrices(name, chip[name], arriving[name]) if name in chip else ():
            _check_source(source, flat.nodes[source], name, chip)
            label = _label(source, name, through, {*kept, *nodes})
            nodes[label] = graph.Linear(weight)
            edges += [
                graph.Edge(source, label, source_indices=_all(flat.nodes[source].output_shape)),
                graph.Edge(label, name, target_indices=_all(node.output_shape)),
            ]
            if len(through) != 1:
                notes.append(f"`{label}`: {listed(through) or 'a direct connection'} between `{source}` and `{name}` became one matrix.")
        if name in chip:
            notes += _fan_in(name, [nodes[edge.source] for edge in edges if edge.target == name])
        if name in kept:
            nodes[name] = made.get(name, node)
    edges += [edge for edge in flat.edges if edge.target in outside]
    stay = [name for name in outside if not isinstance(flat.nodes[name], graph.Output)]
    if stay:
        notes.append(f"{listed(stay)}: outside of the chip; computed from its spikes.")
    return graph.Graph(nodes, edges)


def listed(names: Iterable[str]) -> str:
    """`a`, `b`, `c` ...

    >>> listed(("a", "b"))
    '`a`, `b`'
    """
    names = [name for name in names if name != "+"]
    return ", ".join(f"`{name}`" for name in names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _outside(flat: graph.Graph, chip: Mapping[str, LIFNode]) -> list[str]:
    """What an Output needs and a chip does not compute, in the order of the graph."""
    into: dict[str, list[str]] = {name: [] for name in flat.nodes}
    for edge in flat.edges:
        into[edge.target].append(edge.source)
    found, waiting = set(), [name for name, node in flat.nodes.items() if isinstance(node, graph.Output)]
    while waiting:
        name = waiting.pop()
        if name not in found and name not in chip and not isinstance(flat.nodes[name], graph.Input):
            found.add(name)
            waiting += into[name]
    return [name for name in flat.nodes if name in found]


def _matrices(name: str, lif: LIFNode, drive: Drive) -> Iterator[tuple[str, np.ndarray, tuple[str, ...]]]:
    """The matrix from each source, recurrent weights inside of the model among them."""
    size = math.prod(lif.node.input_shape)
    sources = {source: np.eye(size) if matrix is None else matrix for source, matrix in drive.weights.items()}
    sources = {source: lif.sum_of_synapses(matrix) for source, matrix in sources.items()}
    for source, matrix in sources.items():
        own = lif.weight if source == name and lif.weight is not None else None
        yield source, matrix if own is None else matrix + own, drive.through[source]
    if lif.weight is not None and name not in sources:
        yield name, np.asarray(lif.weight), (f"{name}.weight",)


def _check_source(source: str, node: graph.Node, target: str, chip: Mapping[str, LIFNode]) -> None:
    if source in chip or isinstance(node, graph.Input):
        return
    kind = f"of the model {node.model!r}" if isinstance(node, graph.Neurons) else f"a {type(node).__name__}"
    advice = {
        "Conv": "Write it as a `Linear`, or compute it before the chip and give its output as the input.",
        "Pool": "Write it as a `Linear`, or compute it before the chip and give its output as the input.",
        "Delay": "A chip has no delays: leave it out and train without.",
        "Neurons": "Only spikes travel on a chip: put a spiking population there.",
    }.get(type(node).__name__, "Compute it before the chip, and give its output as the input.")
    _refuse(f"`{source}`, {kind}, leads to `{target}`, and a chip only weighs spikes. {advice}", source, kind)


def _label(source: str, target: str, through: tuple[str, ...], taken: set[str]) -> str:
    """The projection's own name where there is one on the way and the name is free, else `source_to_target`."""
    own = [through[0]] if len(through) == 1 and through[0] != "+" else []
    plain = f"{source}_to_{target}"
    candidates = itertools.chain(own, [plain], (f"{plain}_{k}" for k in itertools.count(1)))
    return next(name for name in candidates if name not in taken)


def _all(shape: tuple[int, ...]) -> np.ndarray | None:
    """All channels by number where there are several axes: a matrix has one."""
    return None if len(shape) == 1 else np.arange(math.prod(shape))


def _fan_in(name: str, matrices: Iterable[graph.Node]) -> list[str]:
    counts = sum(np.count_nonzero(node.weight, axis=0) for node in matrices if isinstance(node, graph.Linear))
    if np.max(counts, initial=0) <= FAN_IN:
        return []
    worst = int(np.argmax(counts))
    return [f"`{name}`: neuron {worst} has {int(np.max(counts))} synapses, and one of a chip has {FAN_IN}: prune or split."]


def _refuse(text: str, field: str, value: str) -> NoReturn:
    raise GraphError(
        text, where="lower", field=field, value=value, allowed=f"{', '.join(kind.__name__ for kind in LINEAR)}, Input, neurons"
    )
