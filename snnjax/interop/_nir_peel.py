"""`Neurons` taken apart into what NIR has words for: a membrane, its synapses, a recurrent weight; and what is lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from .. import functional as F
from .. import graph
from .._errors import GraphError
from ..graph._models import WRAPPERS
from ..somas._config_text import encode_choices
from ._nir_report import Entries

#: The models that NIR has a node for.
CORES = ("lif", "leaky", "leaky_integrator", "integrate_and_fire")
#: Of models that are `leaky` with an adaptation: its parameters, and those of them that switch it off where they are 0.
_ADAPTATION = {
    "adaptive_leaky": (("tau_th", "delta_th"), ("delta_th",)),
    "adaptive_current_leaky": (("tau_w", "g_w", "delta_w"), ("g_w", "delta_w")),
}
_SURROGATE = encode_choices(F.SpikingConfig(), F.lif, "to_nir")["spike"]


class Peeled(NamedTuple):
    """A model that NIR can hold: `membrane(synapses(core, n))`, or less; and the weight of its own recurrence, `(N, N)`, or `None`."""

    model: str
    params: Mapping[str, Any]
    weight: np.ndarray | None = None


def unwrapped(model: str) -> tuple[str, str, str | None]:
    """The wrapper, the model in it, and the wrapper's argument; no wrapper for a model that is none.

    >>> unwrapped("synapses(lif, 2)"), unwrapped("lif")
    (('synapses', 'lif', '2'), ('', 'lif', None))
    """
    if model == "lif_refrac":
        return "refractory", "lif", None
    wrapper, _, rest = model.partition("(")
    if wrapper not in WRAPPERS:
        return "", model, None
    inside, _, argument = rest[:-1].rpartition(", ")
    return (wrapper, rest[:-1], None) if not inside or ")" in argument else (wrapper, inside, argument)


def peel(where: str, node: graph.Neurons, entries: Entries) -> tuple[graph.Neurons, np.ndarray | None]:
    """The neurons that NIR can hold, and the weight of their recurrence.

    Raises:
        GraphError: there is no such model in NIR.
    """
    it = _peel(where, node.model, node.params, entries)
    spike = node.choices.get("spike", _SURROGATE) if node.choices else _SURROGATE
    choices = node.choices
    if spike != _SURROGATE:
        name = spike.get("name") if isinstance(spike, Mapping) else spike
        entries.lose(where, "spike", f"NIR has no surrogate gradients: `{name}` is left out, and reading back gives the default.")
        choices = {**node.choices, "spike": _SURROGATE}
    if it.model == node.model and choices is node.choices:
        return node, it.weight
    return graph.Neurons(it.model, it.params, node.shape, choices), it.weight


def _peel(where: str, model: str, params: Mapping[str, Any], entries: Entries) -> Peeled:
    wrapper, inside, argument = unwrapped(model)
    if wrapper == "injected":  # in a graph, its inputs are those of the model inside
        return _peel(where, inside, params, entries)
    if wrapper in _WRAPPERS:
        inner = _peel(where, inside, params["neuron"], entries)
        return _WRAPPERS[wrapper](where, inner, params, argument, entries)
    if model in _ADAPTATION:
        left_out, active = _ADAPTATION[model]
        if any(np.any(params[name]) for name in active):
            entries.lose(where, active[-1], f"NIR has no adaptation: {', '.join(f'`{name}`' for name in left_out)} are left out.")
        return Peeled("leaky", {name: value for name, value in params.items() if name not in left_out})
    if model in CORES:
        return Peeled(model, params)
    raise refused(
        where, "model", f"the model {model!r:.60}", f"NIR has nodes for {', '.join(CORES)}, with and without `membrane` and `synapses`."
    )


def _refractory(where: str, inner: Peeled, params: Mapping[str, Any], _: Any, entries: Entries) -> Peeled:
    t_ref = params["t_ref"]
    if np.any(t_ref):
        longest = f"{float(np.max(t_ref)):g} s"
        entries.lose(where, "t_ref", f"NIR has no refractory period: `t_ref` (up to {longest}) is left out.")
    return inner


def _recurrent(where: str, inner: Peeled, params: Mapping[str, Any], _: Any, __: Entries) -> Peeled:
    weight = params["weight"]
    if inner.weight is not None or weight.ndim != 2:
        what = "recurrence around recurrence" if inner.weight is not None else "a recurrent weight per synapse"
        raise refused(where, "weight", what, "Write the recurrence as a loop: `Neurons` -> `Linear` -> the same `Neurons`.")
    return inner._replace(weight=weight)


def _synapses(where: str, inner: Peeled, params: Mapping[str, Any], n: Any, __: Entries) -> Peeled:
    if inner.weight is not None:
        advice = "Write the recurrence as a loop: `Neurons` -> `Linear` -> the same `Neurons`."
        raise refused(where, "weight", "recurrence inside of `synapses`", advice)
    return Peeled(f"synapses({inner.model}, {n})", {"neuron": inner.params, "tau_syn": params["tau_syn"]})


def _membrane(where: str, inner: Peeled, params: Mapping[str, Any], _: Any, __: Entries) -> Peeled:
    del where, params
    return Peeled(f"membrane({inner.model})", {"neuron": inner.params})


_WRAPPERS = {"refractory": _refractory, "recurrent": _recurrent, "synapses": _synapses, "membrane": _membrane}


def refused(where: str, field: str, what: str, advice: str) -> GraphError:
    """The error of a graph that NIR cannot hold whatever one leaves out."""
    text = f"node {where!r:.140}: NIR has no words for {what}, so `to_nir` cannot write it. {advice}"
    return GraphError(text, where="to_nir", field=field, value=where, allowed="what NIR has a node for")
