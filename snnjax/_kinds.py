"""The vocabulary of parameters: what a number is, in which unit, and which values make sense.

A parameter is annotated once, `tau_mem: TimeConstant = 20e-3`, and that annotation feeds validation at the
doors, the transform used in fitting, the unit columns of the documentation and of saved files.

>>> from snnjax import functional as F
>>> kinds_of(F.LIFParams)["tau_mem"]
Kind(name='time_constant', unit='s', domain='positive', axes='neuron')
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, Any, NamedTuple, get_args, get_type_hints

#: A number, or an array of NumPy or JAX. `Any`, because a parameter must also be able to hold a tracer, a
#: transform's marker or a specification, as every leaf of a pytree must.
Value = Any


class Kind(NamedTuple):
    """What a parameter is.

    Attributes:
        name: what `kinds="time_constant"` selects it by.
        unit: SI, without prefix; "1" for a pure number.
        domain: "positive" (> 0), "nonnegative" (>= 0), "fraction" (0 to 1) or "real" (any finite number).
        axes: which array shapes are accepted: "neuron" (one value, or one per neuron), "synapse" (one per synapse,
            or one per synapse and neuron), "pre post" (a matrix from sender to receiver).
    """

    name: str
    unit: str
    domain: str = "real"
    axes: str = "neuron"


TimeConstant = Annotated[Value, Kind("time_constant", "s", "positive")]
SynapseTimeConstant = Annotated[Value, Kind("time_constant", "s", "positive", axes="synapse")]
Duration = Annotated[Value, Kind("duration", "s", "nonnegative")]
Potential = Annotated[Value, Kind("potential", "V")]
Current = Annotated[Value, Kind("current", "A")]
Resistance = Annotated[Value, Kind("resistance", "ohm", "positive")]
Conductance = Annotated[Value, Kind("conductance", "S")]
BiasCurrent = Annotated[Value, Kind("bias_current", "A", "nonnegative")]
PositiveCurrent = Annotated[Value, Kind("bias_current", "A", "positive")]
Capacitance = Annotated[Value, Kind("capacitance", "F", "positive")]
PositivePotential = Annotated[Value, Kind("potential", "V", "positive")]
Fraction = Annotated[Value, Kind("fraction", "1", "fraction")]
Weight = Annotated[Value, Kind("weight", "1", axes="pre post")]

DOMAINS: Mapping[str, str] = MappingProxyType({"positive": "> 0", "nonnegative": ">= 0", "fraction": "from 0 to 1", "real": "finite"})

#: One line per parameter, for the tables of configs and of the documentation.
MEANINGS: Mapping[str, str] = MappingProxyType(
    {
        "tau_mem": "time constant of the membrane",
        "tau_syn": "time constant of the synaptic current",
        "tau_th": "time constant with which the threshold relaxes",
        "resistance": "membrane resistance: potential per current",
        "v_leak": "potential that the membrane leaks to, and starts at",
        "v_th": "threshold: a spike needs a potential above it",
        "v_reset": "potential after a spike",
        "delta_th": "jump of the threshold at every spike",
        "bias": "constant current",
        "tau_w": "time constant of the adaptation current",
        "g_w": "adaptation current per potential above v_leak",
        "delta_w": "jump of the adaptation current at every spike",
        "t_ref": "refractory period after a spike",
        "weight": "recurrent weights, from sender (row) to receiver (column)",
        "Idc": "constant input current",
        "If_nmda": "membrane current at which the NMDA gate is half open",
        "Igain_ahp": "gain of the adaptation",
        "Igain_mem": "gain of the membrane",
        "Igain_syn": "gain of the synapses",
        "Ipulse_ahp": "sets the width of an adaptation pulse",
        "Ipulse": "sets the width of a synaptic pulse",
        "Iref": "sets the refractory period",
        "Ispkthr": "membrane current at which the neuron spikes",
        "Itau_ahp": "leak of the adaptation",
        "Itau_mem": "leak of the membrane",
        "Itau_syn": "leak of the synapses",
        "Iw_ahp": "weight of the adaptation",
        "Iscale": "current that a weight of 1 stands for",
        "C_ahp": "capacitance of the adaptation",
        "C_syn": "capacitance of the synapses",
        "C_pulse_ahp": "capacitance of the adaptation's pulse extender",
        "C_pulse": "capacitance of the synapses' pulse extender",
        "C_ref": "capacitance of the refractory circuit",
        "C_mem": "capacitance of the membrane",
        "Io": "dark current of a transistor",
        "kappa_n": "slope factor of n-type transistors",
        "kappa_p": "slope factor of p-type transistors",
        "Ut": "thermal voltage",
        "Vth": "threshold voltage of a transistor",
    }
)


@functools.cache
def kinds_of(params_class: type) -> Mapping[str, Kind]:
    """The kind of every annotated field of a Params class, in the order of the fields."""
    hints = get_type_hints(params_class, include_extras=True)
    found = {name: [a for a in get_args(hint) if isinstance(a, Kind)] for name, hint in hints.items()}
    return MappingProxyType({name: kinds[0] for name, kinds in found.items() if kinds})


def annotated(params: Any) -> Iterator[tuple[str, Any, Kind]]:
    """Every number in a nest of Params: its name, its value, its kind."""
    kinds = kinds_of(type(params))
    for name, value in zip(params._fields, params, strict=True):
        if name in kinds:
            yield from ((label, number, kinds[name]) for label, number in numbers_of(name, value))
        elif hasattr(value, "_fields"):
            yield from annotated(value)


def numbers_of(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The number of that name; or those of its gates, where it has one per gate."""
    if not hasattr(value, "_fields"):
        yield name, value
    else:
        yield from ((f"{name}.{gate}", number) for gate, number in value._asdict().items() if number is not None)
