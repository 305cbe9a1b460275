"""Configs as dictionaries and JSON, and back, exactly.

    {"class": "LIFSomaConfig", "version": 1, "neuron": "lif", "shape": [8],
     "parameters": {"tau_mem": 0.02, "tau_syn": {"initialiser": "Uniform", "low": 0.004, "high": 0.006},
                    "v_th": {"array": "float32", "shape": [8], "values": [1.0, ...]}},
     "choices": {"reset": "reset_to_value", "integrator": "exact",
                 "spike": {"name": "superspike", "slope": 100.0, "unit": null, "height": 1.0}}}

A number is written with as many digits as bring back the same one. Every name is a key of a closed table.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any, NoReturn

import jax
import jax.numpy as jnp
import numpy as np

from .._errors import ConfigError, FormatError, did_you_mean
from .._files import strict_json
from ..functional._concrete import describe
from ._choices import choices_of, decode_choice, encode_choice
from ._fields import fields_of
from ._initialisers import INITIALISERS, Initialiser

VERSION = 1
_KEYS = ("class", "version", "neuron", "shape", "parameters", "choices")
_DTYPES = ("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8")


class ConfigTextError(ConfigError, FormatError):
    """A text or dictionary is not the config that it should be."""


def to_dict(config: Any) -> dict[str, Any]:
    where = type(config).__name__
    return {
        "class": where,
        "version": VERSION,
        "neuron": config.neuron.name,
        "shape": list(config.shape),
        "parameters": {name: encode(getattr(config, name), name, where) for name in fields_of(config.neuron)},
        "choices": encode_choices(config.choices(), config.neuron, where),
    }


def encode_choices(choices: Any, neuron: Any, where: str) -> dict[str, Any]:
    """The choices in a `SpikingConfig` by name."""

    def encoded(name: str) -> Any:
        return encode_choice(name, getattr(choices, name), lambda it: None if it is None else encode(it, name, where), where)

    return {name: encoded(name) for name in choices_of(neuron)}


def to_json(config: Any) -> str:
    return strict_json.dump(to_dict(config), indent=2)


def parsed(cls: type, content: str | bytes) -> Any:
    try:
        return strict_json.parse(content, source=f"`content`, the JSON of a `{cls.__name__}`,")
    except FormatError as error:
        start = content[:60] if isinstance(content, str | bytes) else content
        raise FormatError(
            str(error), where=f"{cls.__name__}.from_json", field="content", value=start, allowed=f"what `{cls.__name__}.to_json` gives"
        ) from None


def fields_from_dict(cls: Any, content: Any) -> dict[str, Any]:
    """The arguments of the constructor of `cls`."""
    where = cls.__name__
    _check_keys(content, _KEYS, "the config", where)
    if content["class"] != where:
        _refuse("class", content["class"], f"is of class {content['class']!r:.60}, not {where!r}; read it with its own class", where)
    if type(content["version"]) is not int or not 1 <= content["version"] <= VERSION:
        newer = type(content["version"]) is int and content["version"] > VERSION
        advice = ". Install a newer snnjax" if newer else ""
        what = f"has version {content['version']!r:.20}; this snnjax reads 1 to {VERSION}{advice}"
        _refuse("version", content["version"], what, where)
    if content["neuron"] != cls.neuron.name:
        _refuse("neuron", content["neuron"], f"is for the neuron {content['neuron']!r:.60}, not {cls.neuron.name!r}", where)
    _check_keys(content["parameters"], fields_of(cls.neuron), "`parameters`", where)
    return {
        "shape": decode_shape(content["shape"], "shape", where),
        **{name: decode(value, name, where) for name, value in content["parameters"].items()},
        **decode_choices(content["choices"], cls.neuron, where),
    }


def decode_choices(content: Any, neuron: Any, where: str) -> dict[str, Any]:
    """The choices that `encode_choices` wrote, as arguments."""
    defaults = choices_of(neuron)
    _check_keys(content, defaults, "`choices`", where)

    def decoded(name: str, value: Any) -> Any:
        return decode_choice(name, value, defaults[name], lambda number: _decode_optional(number, name, where), where)

    return {name: decoded(name, value) for name, value in content.items()}


def encode(value: Any, name: str, where: str) -> Any:
    """A number, an array or an initialiser as JSON holds it."""
    if isinstance(value, float | int) and not isinstance(value, bool):
        return _finite(value, name, where)
    if isinstance(value, Initialiser):
        numbers = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}  # type: ignore[arg-type]
        content = {key: [_encode_item(v, name, where) for v in n] if isinstance(n, tuple) else n for key, n in numbers.items()}
        return {"initialiser": type(value).__name__, **content}
    try:
        array = np.asarray(value)
    except jax.errors.TracerArrayConversionError:
        _refuse(name, value, f"holds a traced value in `{name}`, which has no number yet; save it outside of `jit`", where)
    if array.dtype.name not in _DTYPES:
        _refuse(
            name, array.dtype.name, f"holds {describe(value)} in `{name}`; a text holds numbers and arrays of {', '.join(_DTYPES)}", where
        )
    flat = array.ravel()
    integer = np.issubdtype(array.dtype, np.integer)
    values = flat.tolist() if integer else [_finite(number, name, where) for number in flat.astype(np.float64).tolist()]
    return {"array": array.dtype.name, "shape": list(array.shape), "values": values}


def _encode_item(value: Any, name: str, where: str) -> Any:
    return value if isinstance(value, int) else encode(value, name, where)


def decode(value: Any, name: str, where: str) -> Any:
    """What `encode` wrote."""
    if type(value) in (int, float):
        return _finite(value, name, where)
    if isinstance(value, dict) and "array" in value:
        return _decode_array(value, name, where)
    if isinstance(value, dict) and "initialiser" in value:
        return _decode_initialiser(value, name, where)
    _refuse(name, value, f"holds {value!r:.60} in `{name}`; expected a number, an array or an initialiser", where)


def _decode_optional(value: Any, name: str, where: str) -> Any:
    return None if value is None else decode(value, name, where)


def _finite(value: Any, name: str, where: str) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        _refuse(name, value, f"holds {value!r:.60} in `{name}`; expected a finite number", where)
    return number


def decode_shape(value: Any, name: str, where: str) -> tuple[int, ...]:
    if not isinstance(value, list) or len(value) > 32 or not all(type(n) is int and 0 <= n < 2**40 for n in value):
        _refuse(name, value, f"holds {value!r:.60} in `{name}`; expected a list of sizes", where)
    return tuple(value)


def _decode_array(content: dict[str, Any], name: str, where: str) -> np.ndarray:
    _check_keys(content, ("array", "shape", "values"), f"`{name}`", where)
    shape, values, dtype = decode_shape(content["shape"], name, where), content["values"], content["array"]
    if dtype not in list(_DTYPES) or not isinstance(values, list) or len(values) != math.prod(shape):
        _refuse(name, dtype, f"holds in `{name}` an array whose dtype, shape and values do not go together", where)
    integer = "int" in dtype
    if not all(type(v) is int if integer else type(v) in (int, float) for v in values):
        _refuse(name, values, f"holds in `{name}` an array of {dtype} with values that are none", where)
    try:
        flat = (
            np.array(values, dtype) if integer else np.array([_finite(v, name, where) for v in values], np.float64).astype(jnp.dtype(dtype))
        )
    except OverflowError:
        _refuse(name, values, f"holds in `{name}` integers beyond {dtype}", where)
    return flat.reshape(shape)


def _decode_initialiser(content: dict[str, Any], name: str, where: str) -> Initialiser:
    tag = content["initialiser"]
    if not isinstance(tag, str) or tag not in INITIALISERS:
        _refuse(name, tag, f"holds the initialiser {tag!r:.60} in `{name}`. {did_you_mean(str(tag)[:60], INITIALISERS)}", where)
    numbers = {key: value for key, value in content.items() if key != "initialiser"}
    _check_keys(numbers, [f.name for f in dataclasses.fields(INITIALISERS[tag])], f"`{name}`", where)  # type: ignore[arg-type]
    made = {key: _decode_argument(value, name, where) for key, value in numbers.items()}
    return INITIALISERS[tag](**made)


def _decode_argument(value: Any, name: str, where: str) -> Any:
    if isinstance(value, list):
        return tuple(v if type(v) is int else decode(v, name, where) for v in value)
    return _finite(value, name, where) if type(value) in (int, float) else decode(value, name, where)


def _check_keys(content: Any, known: Any, what: str, where: str) -> None:
    if not isinstance(content, dict):
        _refuse(what.strip("`"), type(content).__name__, f"must hold a dictionary in {what}; got {describe(content)}", where)
    for key in content:
        if key not in known:
            _refuse(str(key), content[key], f"has an unknown field {str(key)!r:.60} in {what}. {did_you_mean(str(key)[:60], known)}", where)
    for key in known:
        if key not in content:
            _refuse(key, None, f"lacks the field {key!r} in {what}; defaults are not filled in when loading", where)


def _refuse(field: str, value: Any, what: str, where: str) -> NoReturn:
    raise ConfigTextError(
        f"{f'The config of {where}' if where.startswith('node ') else 'This config'} {what.removesuffix('.')}.",
        where=where,
        field=field,
        value=value,
        allowed=f"what `{where}.to_dict` gives",
    )
