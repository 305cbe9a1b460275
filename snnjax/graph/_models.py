"""Which parameters a neuron model has, by the model's name, without importing the models.

A test pins the table to the models' own annotations. Names of wrapped models follow a small grammar:

    refractory(MODEL)   refractory(MODEL, gate_input)   refractory(MODEL, clamp_to_reset)
    recurrent(MODEL)    synapses(MODEL, n)              delta(MODEL)    injected(MODEL)    membrane(MODEL)
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, get_args

from .._kinds import (
    BiasCurrent,
    Capacitance,
    Conductance,
    Current,
    Duration,
    Fraction,
    Kind,
    PositiveCurrent,
    PositivePotential,
    Potential,
    Resistance,
    SynapseTimeConstant,
    TimeConstant,
    Weight,
)

#: Names of parameters to their kinds; a mapping in place of a kind is a nested record.
Parameters = Mapping[str, "Kind | Parameters"]


class Model(NamedTuple):
    """What a graph knows of a neuron model.

    Attributes:
        params: the kinds of its parameters, nested for wrappers.
        n_synapses: the size of the synapse axis of its inputs; 0 where they have none.
        spiking: whether the output is spikes.
        wrappable: whether wrappers take it.
    """

    params: Parameters
    n_synapses: int = 0
    spiking: bool = True
    wrappable: bool = True


def _kinds(**annotations: Any) -> dict[str, Any]:
    return {name: it if isinstance(it, dict) else _kind(it) for name, it in annotations.items()}


def _kind(annotation: Any) -> Kind:
    return next(it for it in get_args(annotation) if isinstance(it, Kind))


_LEAKY = _kinds(tau_mem=TimeConstant, resistance=Resistance, v_leak=Potential, v_th=Potential, v_reset=Potential, bias=Current)
_LIF = _kinds(tau_mem=TimeConstant, tau_syn=TimeConstant, v_leak=Potential, v_th=Potential, v_reset=Potential, bias=Current)
_BIAS = _kinds(
    Idc=Current, If_nmda=BiasCurrent, Igain_ahp=BiasCurrent, Igain_mem=BiasCurrent, Igain_syn=BiasCurrent, Ipulse_ahp=BiasCurrent,
    Ipulse=BiasCurrent, Iref=BiasCurrent, Ispkthr=PositiveCurrent, Itau_ahp=BiasCurrent, Itau_mem=BiasCurrent, Itau_syn=BiasCurrent,
    Iw_ahp=BiasCurrent,
)  # fmt: skip
_PROCESS = _kinds(
    C_ahp=Capacitance, C_syn=Capacitance, C_pulse_ahp=Capacitance, C_pulse=Capacitance, C_ref=Capacitance, C_mem=Capacitance,
    Io=PositiveCurrent, kappa_n=Fraction, kappa_p=Fraction, Ut=PositivePotential, Vth=PositivePotential,
)  # fmt: skip
_LEAKY_INTEGRATOR = _kinds(tau_mem=TimeConstant, tau_syn=TimeConstant, v_leak=Potential, bias=Current)

#: The models of `snnjax.functional`.
MODELS: Mapping[str, Model] = MappingProxyType(
    {
        "adaptive_current_leaky": Model({**_LEAKY, **_kinds(tau_w=TimeConstant, g_w=Conductance, delta_w=Current)}),
        "adaptive_leaky": Model({**_LEAKY, **_kinds(tau_th=TimeConstant, delta_th=Potential)}),
        "dynapse_dpi": Model(_kinds(bias=_BIAS, process=_PROCESS, Iscale=PositiveCurrent), wrappable=False),
        "integrate_and_fire": Model({name: kind for name, kind in _LEAKY.items() if name != "v_leak"}),
        "leaky": Model(_LEAKY),
        "leaky_integrator": Model(_LEAKY_INTEGRATOR, spiking=False),
        "lif": Model(_LIF),
        "lif_refrac": Model(_kinds(neuron=_LIF, t_ref=Duration)),
    }
)
#: Parameters that may be one number, or one per synaptic gate by these names; a gate that is not there is absent.
GATED = ("Igain_syn", "Itau_syn", "Ipulse", "C_syn")
GATES = ("ampa", "nmda", "gaba", "shunt")

_REGISTERED: dict[str, Model] = {}
_RULES = ("gate_input", "clamp_to_reset")
WRAPPERS = ("refractory", "recurrent", "synapses", "delta", "injected", "membrane")
_WRAPPED = re.compile(rf"({'|'.join(WRAPPERS)})\((.*?)(?:, (\w+))?\)", re.ASCII)
_LONGEST = 200
MAX_SYNAPSES = 64
AXES = ("neuron", "synapse", "pre post")


def known_models() -> tuple[str, ...]:
    return (*MODELS, *_REGISTERED)


def remember(name: str, model: Model) -> bool:
    """Add a model; False where there is another one of that name."""
    if _REGISTERED.setdefault(name, model) != model:
        return False
    model_named.cache_clear()
    return True


@functools.lru_cache(maxsize=1024)
def model_named(name: str) -> Model | None:
    """What is known of the model of that name, or `None`.

    >>> model_named("synapses(leaky, 2)").n_synapses
    2
    """
    base = MODELS.get(name) or _REGISTERED.get(name)
    if base is not None or len(name) > _LONGEST:
        return base
    wrapped = _WRAPPED.fullmatch(name)
    inner = model_named(wrapped[2]) if wrapped else None
    if wrapped is None or inner is None or not inner.wrappable or not inner.spiking:
        return None
    return _wrapped(inner, wrapped[1], wrapped[3])


def _wrapped(inner: Model, wrapper: str, argument: str | None) -> Model | None:
    nested = {"neuron": inner.params}
    if wrapper == "refractory" and argument in (None, *_RULES):
        return Model({**nested, "t_ref": _kind(Duration)}, inner.n_synapses)
    if wrapper == "synapses" and argument and re.fullmatch("[1-9][0-9]?", argument) and int(argument) <= MAX_SYNAPSES:
        return None if inner.n_synapses else Model({**nested, "tau_syn": _kind(SynapseTimeConstant)}, int(argument))
    if argument is not None:
        return None
    if wrapper == "recurrent":
        return Model({**nested, "weight": _kind(Weight)}, inner.n_synapses)
    if wrapper == "delta" and not inner.n_synapses and "tau_mem" in _innermost(inner.params):
        return inner
    if wrapper == "injected":
        return inner._replace(wrappable=False)
    if wrapper == "membrane" and not _needs_spikes(inner.params):
        return Model(nested, inner.n_synapses, spiking=False)
    return None


def _innermost(params: Any) -> Parameters:
    return _innermost(params["neuron"]) if "neuron" in params else params


def _needs_spikes(params: Any) -> bool:
    """Whether there is a refractory period or recurrence inside."""
    return "neuron" in params and ("t_ref" in params or "weight" in params or _needs_spikes(params["neuron"]))
