"""Reading numbers that are there, and leaving alone those that are being traced."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._errors import DTypeError, ParameterError, ShapeError, describe
from .._kinds import DOMAINS, Kind

Shape = tuple[int, ...]

_ARRAYS = (jax.Array, np.ndarray, np.generic)
_NUMBERS = "a real number or an array of real numbers"
_TRACED = (jax.errors.TracerArrayConversionError, jax.errors.ConcretizationTypeError)


def concrete(value: Any) -> np.ndarray | None:
    """`value` as a NumPy array, or `None` where it is traced by jit, vmap or grad."""
    try:
        array = np.asarray(value)
    except _TRACED:
        return None
    # NumPy does not know bfloat16 as a number; float64 holds every one of them.
    return array.astype(np.float64) if jnp.issubdtype(array.dtype, jnp.floating) else array


def as_shape(shape: Any, where: str, field: str = "shape") -> Shape:
    """`shape` as a tuple: an integer is a population without batch axes."""
    axes = shape if isinstance(shape, tuple | list) else (shape,)
    if not all(isinstance(n, int | np.integer) and not isinstance(n, bool) and n >= 0 for n in axes):
        raise ShapeError(
            f"`{field}` must be an integer or a tuple of integers, none of them negative; got {describe(shape)}.",
            where=where,
            field=field,
            value=shape,
            allowed="N or (..., N)",
        )
    return tuple(map(int, axes))


def as_count(value: Any, field: str, where: str, least: int = 0, what: str = "") -> int:
    """`value` as a Python integer that is not below `least`; `what` says what it counts."""
    wanted = f"a whole number, {least} or more{what and f', {what}'}"
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise DTypeError(f"`{field}` must be {wanted}; got {describe(value)}.", where=where, field=field, value=value, allowed=wanted)
    if value < least:
        raise ParameterError(f"`{field}` must be {wanted}; got {value}.", where=where, field=field, value=value, allowed=wanted)
    return int(value)


def check_key(key: Any, where: str) -> None:
    """`key` is one key of `jax.random`; also of the old kind, two unsigned integers."""
    dtype = getattr(key, "dtype", None)
    if dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key) and key.shape == ():
        return
    if dtype != jnp.uint32 or key.shape != (2,):
        wanted = "one key, such as `jax.random.key(0)`"
        raise DTypeError(f"`key` must be {wanted}; got {describe(key)}.", where=where, field="key", value=key, allowed=wanted)


def check_array(value: Any, field: str, where: str, axes: int = 0, wanted: str = "(...)") -> None:
    """`value` is an array of real numbers or booleans, of so many axes at least."""
    kinds = (jnp.floating, jnp.integer, jnp.bool_)
    if not isinstance(value, _ARRAYS) or not any(jnp.issubdtype(value.dtype, kind) for kind in kinds):
        advice = " Convert it with `jnp.asarray(...)`." if isinstance(value, list | tuple) else ""
        what = "an array of real numbers"
        text = f"`{field}` must be {what}; got {describe(value)}.{advice}"
        raise DTypeError(text, where=where, field=field, value=value, allowed=what)
    if value.ndim < axes:
        text = f"`{field}` must have shape {wanted}; got {value.shape}."
        raise ShapeError(text, where=where, field=field, value=value.shape, allowed=wanted)


def check_real(value: Any, field: str, where: str, wanted: str = _NUMBERS) -> None:
    """Refuse what is not a real number or an array of real numbers."""
    dtype = value.dtype if isinstance(value, _ARRAYS) else None
    if dtype is None and isinstance(value, int | float) and not isinstance(value, bool):
        return
    if dtype is not None and (jnp.issubdtype(dtype, jnp.floating) or jnp.issubdtype(dtype, jnp.integer)):
        return
    advice = " Convert it with `jnp.asarray(...)`." if type(value) in (list, tuple) and "an array" in wanted else ""
    raise DTypeError(
        f"`{field}` must be {wanted}; got {describe(value)}.{advice}",
        where=where,
        field=field,
        value=value if dtype is None else str(dtype),
        allowed=wanted,
    )


def check_domain(value: Any, field: str, kind: Kind, where: str) -> None:
    """Refuse NaN, infinity and values outside the domain of `kind`, and say where in the array they are."""
    array = concrete(value)
    if array is None:
        return
    inside = {"positive": array > 0, "nonnegative": array >= 0, "fraction": (array >= 0) & (array <= 1), "real": np.isfinite(array)}
    allowed = DOMAINS[kind.domain]
    if kind.domain in ("positive", "nonnegative"):
        allowed += f"{'' if kind.unit in ('', '1') else f' {kind.unit}'} and finite"
    refuse_where(~(np.isfinite(array) & inside[kind.domain]), array, field, allowed, where)


def check_dt(dt: Any, where: str) -> None:
    """`dt` is one positive, finite number, or a traced scalar."""
    check_real(dt, "dt", where, "one real number, the length of a step in seconds")
    if np.shape(dt) != ():
        raise ShapeError(
            f"`dt` must be one number for all neurons; got shape {np.shape(dt)}. "
            "To sweep it, make one call per `dt`; `jax.vmap` does that.",
            where=where,
            field="dt",
            value=np.shape(dt),
            allowed="()",
        )
    check_domain(dt, "dt", Kind("duration", "s", "positive"), where)


def refuse_where(bad: np.ndarray, array: np.ndarray, field: str, allowed: str, where: str, advice: str = "") -> None:
    """Raise for the first element of `array` that is `bad`."""
    if not bad.any():
        return
    index = np.unravel_index(int(np.argmax(bad)), bad.shape)
    found = np.broadcast_to(array, bad.shape)[index]
    value = int(found) if array.dtype.kind in "iu" else float(found)  # a channel is 4, not 4.0
    place = ""
    if bad.size > 1:
        position = index[0] if bad.ndim == 1 else tuple(int(k) for k in index)
        place = f" at index {position} of {bad.size if bad.ndim == 1 else bad.shape} ({int(bad.sum())} bad)"
    raise ParameterError(
        f"`{field}` must be {allowed}; got {value}{place}.{' ' + advice if advice else ''}",
        where=where,
        field=field,
        value=value,
        allowed=allowed,
    )
