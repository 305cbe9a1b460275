"""The choices of a neuron (surrogate, reset, integrator) by name: how they are written in files and tables.

The names are keys of closed tables; a file cannot name a function that is not in them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NoReturn

import jax
import numpy as np
from jax.tree_util import Partial

from .. import functional as F
from .._errors import ConfigError, did_you_mean
from ..functional._concrete import check_real, describe

#: The surrogates that a file can name. Each is called with `slope` and `unit`, but `heaviside`, which has no numbers.
_SURROGATES: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {make.__name__: make for make in (F.superspike, F.tanh, F.triangle, F.arctan, F.sigmoid, F.gaussian, F.boxcar, F.heaviside)}
)
_CALLERS = {make().func: name for name, make in _SURROGATES.items()}
_NUMBERS = ("slope", "unit", "height")

_RESETS = {
    "reset_to_value": F.reset_to_value,
    "reset_by_subtraction": F.reset_by_subtraction,
    "attached(reset_to_value)": F.attached(F.reset_to_value),
    "attached(reset_by_subtraction)": F.attached(F.reset_by_subtraction),
}
_INTEGRATORS = {made.name: made for made in (F.exact, F.exponential_euler, F.euler, F.rk4)}
_INHIBITIONS = {made.name: made for made in (F.DPIConfig().gaba, F.DPIConfig().shunt)}
_DYNAMICS = {made.__name__: made for made in (F.DPIConfig().dynamics, F.DPIConfig.dynapsim().dynamics)}

#: What a file can name, for each choice.
_NAMED: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {"reset": _RESETS, "integrator": _INTEGRATORS, "gaba": _INHIBITIONS, "shunt": _INHIBITIONS, "dynamics": _DYNAMICS}
)


def choices_of(neuron: F.Neuron) -> dict[str, Any]:
    """The choices that matter to `neuron`, with their defaults.

    >>> list(choices_of(F.lif)), list(choices_of(F.leaky_integrator))
    (['spike', 'reset', 'integrator'], ['integrator'])
    """
    defaults = neuron.config()
    names = [field.name for field in dataclasses.fields(defaults)] if dataclasses.is_dataclass(defaults) else list(defaults._fields)
    return {name: getattr(defaults, name) for name in names if neuron.spiking or name == "integrator"}


def check_choice(name: str, value: Any, default: Any, where: str) -> None:
    """`value` is of the kind of the default: a function, an integrator, a switch."""
    right = callable(value) if callable(default) else isinstance(value, type(default))
    is_maker = any(value is make for make in (*_SURROGATES.values(), F.attached))
    if not right or isinstance(value, type | bool) or is_maker:
        such = (
            "a whole number, 1 or more" if type(default) is int else f"a value such as `{describe_choice(default)}` of `snnjax.functional`"
        )
        raise ConfigError(
            f"`{name}` of `{where}` must be {such}; got {describe(value)}.{' Call it: it makes such a value.' if is_maker else ''}",
            where=where,
            field=name,
            value=value,
            allowed=f"such as {describe_choice(default)}",
        )


def same_choice(a: Any, b: Any) -> bool:
    """Whether two choices are equal by value."""
    if jax.tree.structure(a) != jax.tree.structure(b):
        return False
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return all(x is y or (np.shape(x) == np.shape(y) and _dtype(x) == _dtype(y) and bool(np.all(x == y))) for x, y in pairs)


def _dtype(value: Any) -> str:
    return str(getattr(value, "dtype", ""))


def describe_choice(value: Any) -> str:
    """A choice as one would write it: `superspike(slope=100.0)`."""
    if isinstance(value, Partial):
        name = _CALLERS.get(value.func)
        numbers = dict(zip(_NUMBERS, value.args, strict=False))
        shown = [f"{key}={number}" for key, number in numbers.items() if not (number is None or (key == "height" and _is_one(number)))]
        return f"{name}({', '.join(shown)})" if name else f"{getattr(value.func, '__name__', 'surrogate')}(...)"
    name = next((name for table in _NAMED.values() for name, known in table.items() if known is value), None)
    return name or str(getattr(value, "__name__", value))


def _is_one(number: Any) -> bool:
    return np.shape(number) == () and number == 1.0


def encode_choice(name: str, value: Any, encode_number: Callable[[Any], Any], where: str) -> Any:
    """What a file holds for a choice: a name, or a name with numbers.

    Raises:
        ConfigError: it is a function of one's own, which has no name in the tables.
    """
    if isinstance(value, Partial) and value.func in _CALLERS and not value.keywords:
        return {"name": _CALLERS[value.func], **{key: encode_number(n) for key, n in zip(_NUMBERS, value.args, strict=False)}}
    if type(value) is int:
        return value
    table = _NAMED.get(name, {})
    known = next((key for key, known in table.items() if known is value), None)
    if known is None:
        raise ConfigError(
            f"`{name}` of `{where}` is a function of your own, which a file cannot hold: loading would have to run code. "
            f"Those with a name are: {', '.join(table or _SURROGATES)}.",
            where=where,
            field=name,
            value=value,
            allowed="a choice of snnjax.functional",
        )
    return known


def decode_choice(name: str, value: Any, default: Any, decode_number: Callable[[Any], Any], where: str) -> Any:
    """The choice that `encode_choice` wrote.

    Raises:
        ConfigError: it has no such name, or it is a choice of another kind.
    """
    if isinstance(default, Partial) and isinstance(value, dict):
        numbers = {key: decode_number(number) for key, number in value.items() if key != "name"}
        make = _look_up(value.get("name"), _SURROGATES, name, where)
        wanted = _NUMBERS if make is not F.heaviside else ()
        if set(numbers) != set(wanted):
            _refuse(f"has the numbers {sorted(numbers)}; {value['name']!r} has {sorted(wanted)}", value, name, where)
        if not numbers:
            return make()
        spike = make(numbers["slope"], numbers["unit"])
        check_real(numbers["height"], "height", where)
        return Partial(spike.func, *spike.args[:2], numbers["height"])
    if type(default) is int:
        return value if type(value) is int else _refuse(f"is {value!r:.60}; expected a whole number", value, name, where)
    return _look_up(value, _NAMED.get(name, {}), name, where)


def _look_up(key: Any, table: Mapping[str, Any], name: str, where: str) -> Any:
    if not isinstance(key, str) or key not in table:
        _refuse(f"is {key!r:.60}. {did_you_mean(str(key)[:60], table)}", key, name, where)
    return table[key]


def _refuse(what: str, value: Any, name: str, where: str) -> NoReturn:
    raise ConfigError(
        f"`{name}` of {where if where.startswith('node ') else f'`{where}`'} {what.removesuffix('.')}.",
        where=where,
        field=name,
        value=value,
        allowed="a choice of snnjax.functional",
    )
