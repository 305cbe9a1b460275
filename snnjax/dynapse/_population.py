"""Populations of DPI neurons as nodes of a graph: one record of currents per neuron, and several populations as one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .. import graph
from .._errors import DTypeError, HardwareError, ShapeError, refuses_unknown_keywords
from ..functional._concrete import describe
from ..functional._dpi_records import BiasCurrents, Gates
from ._door import check_kind

MODEL = "dynapse_dpi"


@refuses_unknown_keywords
def expanded(node: graph.Neurons) -> dict[str, np.ndarray]:
    """Every bias current of a population as one value per neuron.

    Args:
        node: `graph.Neurons("dynapse_dpi", ...)`.

    Returns:
        The 13 currents by name in the order of `BiasCurrents`, amperes, arrays of the population's shape. Where a current
        is set gate by gate, one per gate: `Itau_syn.ampa`.

    Raises:
        DTypeError: `node` is no population of DPI neurons.
        ShapeError: a current has neither one value nor one per neuron.

    >>> from snnjax import dynapse, functional as F, graph
    >>> node = graph.Neurons("dynapse_dpi", F.DynapseParams(F.BiasCurrents(Idc=[1e-12, 2e-12])), 2)
    >>> dynapse.expanded(node)["Itau_mem"].tolist()
    [5.3191489e-12, 5.3191489e-12]
    """
    _check_node(node, "node", "expanded")
    found = {}
    for name in BiasCurrents._fields:
        value = node.params["bias"][name]
        gates = {name: value} if isinstance(value, np.ndarray) else {f"{name}.{gate}": number for gate, number in value.items()}
        found |= {field: _full(number, field, node.shape) for field, number in gates.items()}
    return found


@refuses_unknown_keywords
def merge(nodes: Sequence[graph.Neurons]) -> graph.Neurons:
    """Several populations of DPI neurons as one, in the order given.

    Args:
        nodes: populations with the same `Iscale`, silicon and choices; each is flattened.

    Returns:
        One population of `(N1 + N2 + ...,)` neurons. It is connected to nothing.

    Raises:
        DTypeError: one is no population of DPI neurons.
        ShapeError: there are none, or a current has neither one value nor one per neuron.
        HardwareError: they differ in something that a chip has once.

    >>> from snnjax import dynapse, functional as F, graph
    >>> two, three = (graph.Neurons("dynapse_dpi", F.DynapseParams(), n) for n in (2, 3))
    >>> dynapse.merge([two, three]).shape
    (5,)
    """
    check_kind(nodes, Iterable, "nodes", "populations in a list or a tuple", "merge")
    nodes = tuple(nodes)
    if not nodes:
        raise ShapeError("`nodes` must hold one population at least; got none.", where="merge", field="nodes", value=0, allowed="1 or more")
    for k, node in enumerate(nodes):
        _check_node(node, f"nodes[{k}]", "merge")
    for field in ("Iscale", "process", "choices"):
        first, *others = (_shared(node, field) for node in nodes)
        for k, other in enumerate(others, start=1):
            if other != first:
                here, there = _differing(first, other)
                raise HardwareError(
                    f"`{field}` must be the same for all populations that are merged; `nodes[0]` has {here}, `nodes[{k}]` has {there}.",
                    where="merge",
                    field=field,
                    value=other,
                    allowed=str(first),
                )
    currents = [expanded(node) for node in nodes]
    if any(list(one) != list(currents[0]) for one in currents):
        raise HardwareError(
            "`nodes` must set the same currents gate by gate; write them all as one value, or all as one per gate.",
            where="merge",
            field="nodes",
            value=[sorted(one) for one in currents],
            allowed="the same currents in all",
        )
    bias: dict[str, Any] = {}
    for name in currents[0]:
        field, _, gate = name.partition(".")
        together = np.concatenate([one[name].ravel() for one in currents])
        bias.setdefault(field, {})[gate] = together
    bias = {field: gates[""] if "" in gates else gates for field, gates in bias.items()}
    total = sum(math.prod(node.shape) for node in nodes)
    params = {"bias": bias, "process": nodes[0].params["process"], "Iscale": nodes[0].params["Iscale"]}
    return graph.Neurons(MODEL, params, (total,), nodes[0].choices)


def record_of(kind: type, numbers: Any) -> Any:
    """The record of a node's mapping from names to numbers, or to numbers gate by gate."""
    return kind(**{name: Gates(**value) if hasattr(value, "items") else value for name, value in numbers.items()})


def _check_node(node: Any, field: str, where: str) -> None:
    if not isinstance(node, graph.Neurons) or node.model != MODEL:
        got = f"one of the model {node.model!r:.60}" if isinstance(node, graph.Neurons) else describe(node)
        raise DTypeError(
            f"`{field}` must be a population of DPI neurons, `graph.Neurons({MODEL!r}, ...)`; got {got}. `dynapse.lower` makes them.",
            where=where,
            field=field,
            value=got,
            allowed=f"graph.Neurons({MODEL!r}, ...)",
        )


def _full(value: np.ndarray, name: str, shape: tuple[int, ...]) -> np.ndarray:
    try:
        return np.array(np.broadcast_to(value, shape))
    except ValueError:
        raise ShapeError(
            f"`{name}` must be one value, or one per neuron of {shape}; got the shape {value.shape}.",
            where="expanded",
            field=name,
            value=value.shape,
            allowed=f"() or {shape}",
        ) from None


def _shared(node: graph.Neurons, field: str) -> Any:
    """What a chip has once, as plain values that compare."""
    value = node.choices if field == "choices" else node.params[field]
    return _plain(value)


def _differing(one: Any, other: Any) -> tuple[Any, Any]:
    """The two; of mappings with the same names only the entries that differ."""
    if not isinstance(one, dict) or not isinstance(other, dict) or one.keys() != other.keys():
        return one, other
    names = [name for name in one if one[name] != other[name]]
    return {name: one[name] for name in names}, {name: other[name] for name in names}


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    return {name: _plain(item) for name, item in value.items()} if hasattr(value, "items") else value
