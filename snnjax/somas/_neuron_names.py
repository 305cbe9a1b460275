"""From the name of a neuron back to the neuron, through closed tables: `refractory(leaky, gate_input)`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from .. import functional as F

_RULES: Mapping[str, F.Rule] = MappingProxyType({rule.name: rule for rule in (F.hold, F.gate_input, F.clamp_to_reset)})
_WRAPPED = re.compile(r"(refractory|recurrent|synapses)\((.*?)(?:, (\w+))?\)")
_LONGEST = 200


def neuron_named(name: str) -> F.Neuron | None:
    """The neuron of that name, or `None` where no model and no composition of wrappers has it.

    >>> from snnjax import functional as F
    >>> neuron_named("recurrent(refractory(lif, gate_input))") is F.recurrent(F.refractory(F.lif, F.gate_input))
    True
    """
    if name in F.MODELS:
        return F.MODELS[name]
    wrapped = _WRAPPED.fullmatch(name) if len(name) <= _LONGEST else None
    inner = neuron_named(wrapped[2]) if wrapped else None
    if wrapped is None or inner is None or inner.phases is None or not inner.spiking:
        return None
    wrapper, argument = wrapped[1], wrapped[3]
    if wrapper == "refractory" and (argument or "hold") in _RULES:
        made = F.refractory(inner, _RULES[argument]) if argument else F.refractory(inner)
    elif wrapper == "synapses" and argument and argument.isdecimal() and 0 < int(argument) <= 64 and not inner.ports:
        made = F.synapses(inner, int(argument))
    elif wrapper == "recurrent" and argument is None:
        made = F.recurrent(inner)
    else:
        return None
    return made if made.name == name else None
