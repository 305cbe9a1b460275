"""From a graph to a network that runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import equinox as eqx

from .. import functional as F
from .. import graph as G
from .._errors import DTypeError, GraphError, ParameterError, refuses_unknown_keywords
from ..functional._concrete import check_dt, concrete, describe
from ..graph._validate import require_valid
from ._graph_loops import loops_of, taken_in
from ._graph_neurons import model_of
from ._graph_nodes import layer_of
from ._graph_of import of
from ._graph_plan import Plan, skeleton
from ._network import Network
from ._sequential import Sequential


@refuses_unknown_keywords
def build(g: G.Graph, *, dt: float | None = None, models: Mapping[str, F.Neuron] | None = None) -> Sequential | Network:
    """The network that a graph describes.

    Args:
        g: a valid graph with inputs and outputs. Its numbers are taken in their dtype, as far as JAX has it switched on.
        dt: length of a step, s; needed where there are delays.
        models: neuron models of your own by name, as they were made known by `graph.register`.

    Returns:
        A `Sequential`, where that says all that `g` says: where `graph.of` of it is `g`, names included. Else a `Network`.
        Either way `graph.of` gives `g` back.

    Raises:
        GraphError: `g` has problems, no input or no output, a delay without `dt`, or a model that is not known.
        ConfigError: the `choices` of neurons are malformed.

    >>> import numpy as np
    >>> from snnjax import functional as F, graph
    >>> g = graph.Graph({"in": graph.Input(2), "a": graph.Linear(np.ones((2, 3), np.float32)), "out": graph.Output(3)},
    ...                 [graph.Edge("in", "a"), graph.Edge("a", "out")])
    >>> net = graph.build(g)
    >>> net.simulate(np.ones((4, 2)), dt=1e-3)[1].shape, graph.of(net) == g
    ((4, 3), True)
    """
    require_valid(g, "build")
    dt, models = _checked_dt(dt), _checked_models(models)
    for kind in (G.Input, G.Output):
        if not any(isinstance(node, kind) for node in g.nodes.values()):
            why = "whose length says for how many steps to run" if kind is G.Input else "which says what to hand out"
            raise GraphError(
                f"`g` has no {kind.__name__}, {why}. Add one.",
                where="build",
                field="g",
                value=tuple(g.nodes),
                allowed="an Input and an Output",
            )
    chain = _chain(g, dt, models)
    return _network(g, dt, models) if chain is None else chain


def _network(g: G.Graph, dt: float | None, models: Mapping[str, F.Neuron]) -> Network:
    flat = G.flatten(g)
    loops = _loops(flat, models)
    layers = {}
    for name in flat.nodes:
        taken = name in loops.values()
        layer = None if taken else layer_of(taken_in(flat, name, loops), f"node {name!r}", dt, models)
        if layer is not None:
            layers[name] = layer
    return Network(layers, Plan(g, loops))


def _chain(g: G.Graph, dt: float | None, models: Mapping[str, F.Neuron]) -> Sequential | None:
    """The `Sequential` of which `of` gives `g`, if there is one."""
    loops = _loops(g, models)
    names = _in_a_row(g, loops)
    if names is None:
        return None
    layers = []
    for name in names[1:-1]:
        node = g.nodes[name]
        if isinstance(node, G.SubGraph):
            layers.append(_chain(node.graph, dt, models) or _network(node.graph, dt, models))
        else:
            made = layer_of(taken_in(g, name, loops), f"node {name!r}", dt, models)
            layers.append(eqx.nn.Identity() if made is None else made)
    net = Sequential(layers)
    try:
        again = of(net)
    except GraphError:  # it does not say the shape of its input
        return None
    return net if skeleton(again) == skeleton(g) else None


def _in_a_row(g: G.Graph, loops: Mapping[str, str]) -> list[str] | None:
    """The nodes from `input` to `output`, where they are all there is but the loops, one behind the other."""
    taken, after = set(loops.values()), {}
    for edge in g.edges:
        if edge.source in taken or edge.target in taken:
            continue
        if edge.source in after or edge.target not in g.nodes or edge.source_indices is not None or edge.target_indices is not None:
            return None
        after[edge.source] = edge.target
    names = ["input"]
    while names[-1] in after and len(names) <= len(g.nodes):
        names.append(after[names[-1]])
    return names if names[-1] == "output" and len(names) == len(g.nodes) - len(taken) else None


def _loops(g: G.Graph, models: Mapping[str, F.Neuron]) -> dict[str, str]:
    def wrappable(name: str, node: G.Neurons) -> bool:
        neuron = model_of(node, f"node {name!r}", models)
        return neuron.spiking and neuron.phases is not None and neuron.gates is None

    return loops_of(g, wrappable)


def _checked_dt(dt: Any) -> float | None:
    if dt is None:
        return None
    check_dt(dt, "build")
    number = concrete(dt)
    if number is None:
        raise ParameterError(
            "`dt` of `build` must be a number that is there, since delays become whole numbers of steps; got a traced value. "
            "Build outside of `jit`.",
            where="build",
            field="dt",
            value="traced",
            allowed="> 0 s",
        )
    return float(number)


def _checked_models(models: Any) -> Mapping[str, F.Neuron]:
    models = {} if models is None else models
    wanted = "a mapping from names to neurons of your own, `{neuron.name: neuron}`"
    if not isinstance(models, Mapping):
        text = f"`models` must be {wanted}; got {describe(models)}."
        raise DTypeError(text, where="build", field="models", value=models, allowed=wanted)
    wrong = [name for name, it in models.items() if not isinstance(it, F.Neuron) or it.name != name or name in F.MODELS]
    if wrong:
        it = models[wrong[0]]
        came = f"the neuron {it.name!r:.100}" if isinstance(it, F.Neuron) else describe(it)
        own = ", and the library has one of that name" if wrong[0] in F.MODELS else ""
        raise GraphError(
            f"`models` must be {wanted}; got {came} for {wrong[0]!r:.100}{own}.",
            where="build",
            field="models",
            value=models,
            allowed="{neuron.name: neuron}, with names that the library does not have",
        )
    return models
