"""The door of this package: what is there, and of the kind that was asked for; or a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import jax
import jax.numpy as jnp
import numpy as np

from .._errors import ConfigError, DTypeError, ParameterError, ShapeError, did_you_mean
from .._kinds import Kind
from ..functional._cast import at_least_float32, float_dtype, numbers_as
from ..functional._concrete import as_count, check_domain, check_real, concrete, describe
from ..functional._rank import leading

_TRACED = (jax.errors.TracerArrayConversionError, jax.errors.ConcretizationTypeError)
HOST = "It is traced, but this function works on NumPy arrays: call it outside `jit`, `vmap` and `grad`."


def refuse_kind(field: str, value: Any, wanted: str, where: str, advice: str = "") -> NoReturn:
    """Raise for a value of another kind than `wanted`."""
    text = f"`{field}` must be {wanted}; got {describe(value)}.{' ' + advice if advice else ''}"
    raise DTypeError(text, where=where, field=field, value=value, allowed=wanted)


def refuse_shape(field: str, shape: tuple[int, ...], wanted: str, where: str, advice: str = "") -> NoReturn:
    """Raise for an array of another shape than `wanted`."""
    text = f"`{field}` must have shape {wanted}; got {shape}.{' ' + advice if advice else ''}"
    raise ShapeError(text, where=where, field=field, value=shape, allowed=wanted)


def refuse_value(field: str, value: Any, wanted: str, where: str, advice: str = "") -> NoReturn:
    """Raise for a number that is not `wanted`."""
    text = f"`{field}` must be {wanted}; got {value}.{' ' + advice if advice else ''}"
    raise ParameterError(text, where=where, field=field, value=value, allowed=wanted)


def check_choice(value: Any, field: str, allowed: Sequence[str], where: str, wanted: str = "") -> None:
    """`value` is one of the `allowed` words; `wanted` says what else there is."""
    wanted = wanted or " or ".join(f"'{word}'" for word in allowed)
    if not isinstance(value, str):
        refuse_kind(field, value, wanted, where)
    if value not in allowed:
        text = f"`{field}` must be {wanted}; got {describe(value)}. {did_you_mean(value, allowed)}"
        raise ConfigError(text, where=where, field=field, value=value, allowed=", ".join(allowed))


def array_of(value: Any, field: str, wanted: str, where: str) -> np.ndarray:
    """`value` as a NumPy array in its own dtype."""
    try:
        return np.asarray(value)
    except _TRACED:
        refuse_kind(field, value, wanted, where, HOST)
    except (TypeError, ValueError):  # a ragged list, a key
        refuse_kind(field, value, wanted, where)


def number(value: Any, field: str, domain: str, where: str) -> float:
    """`value` as one Python float in its domain, in seconds."""
    wanted = "one real number, in seconds"
    check_real(value, field, where, wanted)
    array = concrete(value)
    if array is None:
        refuse_kind(field, value, wanted, where, HOST)
    if array.shape != ():
        refuse_shape(field, array.shape, "()", where, "It is one number for all.")
    check_domain(value, field, Kind(field, "s", domain), where)
    return float(array)


def whole(value: Any, field: str, where: str, least: int = 0) -> int:
    """`value` as a Python integer that is not below `least`."""
    return as_count(value, field, where, least)


def traceable(value: Any, field: str, domain: str, where: str, unit: str = "1") -> None:
    """`value` is a real number or an array of them, in its domain where it is not traced."""
    check_real(value, field, where)
    check_domain(value, field, Kind(field, unit, domain), where)


def check_train(spikes: Any, where: str) -> None:
    """`spikes` are an array of them whose leading axis is time."""
    kinds = (jnp.floating, jnp.integer, jnp.bool_)
    if not isinstance(spikes, jax.Array | np.ndarray) or not any(jnp.issubdtype(spikes.dtype, kind) for kind in kinds):
        advice = "Convert it with `jnp.asarray(...)`." if type(spikes) in (list, tuple) else ""
        refuse_kind("spikes", spikes, "an array of spikes (floats, integers or booleans)", where, advice)
    if spikes.ndim == 0:
        refuse_shape("spikes", (), "(T, ...)", where, "Time is the leading axis.")


def floats(spikes: Any) -> jax.Array:
    """Spikes as a float array."""
    return jnp.asarray(spikes, at_least_float32(float_dtype(spikes)))


def check_row(value: Any, field: str, row: tuple[int, ...], where: str) -> None:
    """`value` is one number for all, or has the last axes of a `row`, what there is at one step."""
    if np.shape(value) not in [row[k:] for k in range(len(row) + 1)]:
        refuse_shape(field, np.shape(value), f"() or {row}", where, "Give one for all, or one per channel.")


def working(*values: Any) -> Any:
    """The values in their widest float dtype, float32 at least, and all with as many axes: they broadcast."""
    arrays = numbers_as(values, at_least_float32(float_dtype(values)))
    return tuple(leading(array, max(array.ndim for array in arrays)) for array in arrays)


def like(first: Any, *others: Any) -> Any:
    """The values in the float dtype of the first, float32 at least: it alone says in which precision to work."""
    return numbers_as((first, *others), at_least_float32(float_dtype(first)))
