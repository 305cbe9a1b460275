"""The parameters of a neuron as a flat list, read from the annotations of its Params.

Wrappers nest their Params; a config lists what is in the nest under one set of names. Where a wrapper and what it wraps
have a parameter of the same name, the wrapper's is meant: it takes the inner one's place in the equations too.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from .._kinds import MEANINGS, Kind, kinds_of
from ..functional import Neuron

Shape = tuple[int, ...]


class Field(NamedTuple):
    """One parameter.

    Attributes:
        name: as in the Params.
        kind: what it is, with unit and domain.
        default: the model's own.
        path: the attributes that lead to it from the outermost Params.
        ports: the axes before the neuron axis, where it has one value per synapse.
        meaning: one line.
    """

    name: str
    kind: Kind
    default: Any
    path: tuple[str, ...]
    ports: Shape
    meaning: str

    def fits(self, shape: Shape) -> tuple[Shape, ...]:
        """The array shapes that this parameter may have in a population of `shape`."""
        n = shape[-1:]
        if self.kind.axes == "pre post":
            return ((), (*self.ports, *n, *n))
        if self.kind.axes == "synapse":
            return ((), self.ports, (*self.ports, *n))
        return ((), *(shape[k:] for k in range(len(shape))))

    def full(self, shape: Shape) -> Shape:
        """The shape with one value for each of what it belongs to; what an initialiser draws."""
        return self.fits(shape)[-1] if self.kind.axes != "neuron" else shape


@functools.cache
def fields_of(neuron: Neuron) -> Mapping[str, Field]:
    """Every parameter of `neuron` by name, innermost model first.

    >>> from snnjax import functional as F
    >>> field = fields_of(F.refractory(F.lif))["t_ref"]
    >>> field.kind.unit, field.default, field.path
    ('s', 0.002, ('t_ref',))
    """
    found: dict[str, Field] = {}
    for field in _walk(neuron.default(), (), neuron.ports):
        known = found.get(field.name)
        if known is None or len(field.path) < len(known.path):
            found[field.name] = field
    return MappingProxyType(found)


def _walk(record: Any, path: tuple[str, ...], ports: Shape) -> Iterator[Field]:
    kinds = kinds_of(type(record))
    # What is inside the synapses receives their sum, without the synapse axis.
    inside = () if any(kind.axes == "synapse" for kind in kinds.values()) else ports
    for name, value in zip(record._fields, record, strict=True):
        here = (*path, name)
        if name in kinds:
            yield Field(name, kinds[name], value, here, ports, MEANINGS.get(name, kinds[name].name.replace("_", " ")))
        elif hasattr(value, "_fields"):
            yield from _walk(value, here, inside)


def params_with(neuron: Neuron, values: Mapping[str, Any]) -> Any:
    """The neuron's Params with these values in their places."""
    params = neuron.default()
    fields = fields_of(neuron)
    for name, value in values.items():
        params = _put(params, fields[name].path, value)
    return params


def values_of(neuron: Neuron, params: Any) -> dict[str, Any]:
    """The parameters in `params` by name: the inverse of `params_with`."""
    return {name: functools.reduce(getattr, field.path, params) for name, field in fields_of(neuron).items()}


def _put(record: Any, path: tuple[str, ...], value: Any) -> Any:
    head, *rest = path
    return record._replace(**{head: _put(getattr(record, head), tuple(rest), value) if rest else value})
