"""From the name of a neuron back to the neuron, through closed tables: `refractory(leaky, gate_input)`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from .. import functional as F
from .._errors import DTypeError

_RULES: Mapping[str, F.Rule] = MappingProxyType({rule.name: rule for rule in (F.hold, F.gate_input, F.clamp_to_reset)})
_WRAPPED = re.compile(r"(refractory|recurrent|synapses|membrane|delta|injected)\((.*?)(?:, (\w+))?\)")
_LONGEST = 200


def neuron_named(name: str, models: Mapping[str, F.Neuron] = F.MODELS) -> F.Neuron | None:
    """The neuron of that name, or `None` where none of `models` and no composition of wrappers has it.

    >>> from snnjax import functional as F
    >>> neuron_named("recurrent(refractory(lif, gate_input))") is F.recurrent(F.refractory(F.lif, F.gate_input))
    True
    """
    if name in models:
        return models[name]
    wrapped = _WRAPPED.fullmatch(name) if len(name) <= _LONGEST else None
    inner = neuron_named(wrapped[2], models) if wrapped else None
    if wrapped is None or inner is None or inner.phases is None or not inner.spiking or inner.gates is not None:
        return None
    made = _wrapped(inner, wrapped[1], wrapped[3])
    return made if made is not None and made.name == name else None


def _wrapped(inner: F.Neuron, wrapper: str, argument: str | None) -> F.Neuron | None:
    if wrapper == "refractory" and (argument or "hold") in _RULES:
        return F.refractory(inner, _RULES[argument]) if argument else F.refractory(inner)
    if wrapper == "synapses" and argument and argument.isdecimal() and 0 < int(argument) <= 64 and not inner.ports:
        return F.synapses(inner, int(argument))
    if wrapper == "recurrent" and argument is None:
        return F.recurrent(inner)
    if wrapper == "injected" and argument is None:
        return F.injected(inner)
    if wrapper == "delta" and argument is None and not inner.ports:
        return F.delta(inner)
    if wrapper == "membrane" and argument is None:
        try:
            return F.membrane(inner)
        except DTypeError:  # refractory or recurrent inside
            return None
    return None
