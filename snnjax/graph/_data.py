"""What nodes are made of: read-only arrays, read-only mappings, shapes; and their equality by value.

Nothing here imports JAX: an array of JAX becomes a NumPy array through NumPy's own protocol.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

import numpy as np

from .._errors import DTypeError, ShapeError
from .._errors import describe as said

Shape = tuple[int, ...]

DTYPES = ("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8")
MAX_CHANNELS = 2**31 - 1
_KNOWN = {np.dtype(name) for name in DTYPES if name != "bfloat16"}  # NumPy knows that one only where JAX has been
_MAX_AXES = 32
_MAX_DEPTH = 32


class ReadOnly(dict[str, Any]):
    """A dictionary that does not change, compares by value (arrays too), keeps its order, and can be copied and pickled.

    >>> ReadOnly({"tau_mem": 0.02})["tau_mem"]
    0.02
    """

    __slots__ = ()

    def _refuse(self, *args: Any, **keywords: Any) -> NoReturn:
        raise TypeError("what is in a graph does not change; make another one from `dict(...)` of it")

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return same(self, other) if isinstance(other, Mapping) else NotImplemented

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(self))

    def __reduce__(self) -> Any:
        return ReadOnly, (dict(self),)


def same(a: Any, b: Any) -> bool:
    """Whether two pieces of data have the same structure and the same bits: NaN equals NaN, 0.0 does not equal -0.0."""
    if a is b:
        return True
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and a.shape == b.shape and _same_bits(a, b)
    if isinstance(a, Mapping):
        return isinstance(b, Mapping) and set(a) == set(b) and all(same(a[name], b[name]) for name in a)
    if isinstance(a, tuple):
        return isinstance(b, tuple) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and bool(a == b)


def _same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    if a.nbytes < 4096:  # a copy costs less than a call
        return a.tobytes() == b.tobytes()
    bits = f"u{a.itemsize}"
    return bool(np.array_equal(a.view(bits), b.view(bits)))


def array_of(value: Any, field: str, where: str) -> np.ndarray:
    """`value` as a read-only array of real numbers; its dtype is kept, a Python number becomes float64.

    Raises:
        DTypeError: it is no number and no array of numbers that a file can hold, or it is being traced.
    """
    if type(value) is float:  # by far the most frequent
        array = np.array(value)
        array.setflags(write=False)
        return array
    if isinstance(value, bool | np.bool_ | str | bytes | None | Mapping):
        _refuse(value, field, where)
    array = _converted(value, field, where, np.float64 if isinstance(value, int | float) else None)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if array.dtype not in _KNOWN and array.dtype.name != "bfloat16":
        _refuse(value if array.ndim == 0 else array, field, where)
    return _frozen(array)


def _converted(value: Any, field: str, where: str, dtype: Any) -> np.ndarray:
    try:
        return np.asarray(value, dtype)
    except Exception:  # whatever a foreign array raises: JAX's tracers raise errors of JAX, which must not be imported
        # Classes of JAX are told by their names: it must not be imported.
        is_traced = "Tracer" in type(value).__name__
        what = "a traced value" if is_traced else f"{said(value)}, which is no array"
        advice = " It has no number yet: make the graph outside of `jit`." if is_traced else ""
        raise DTypeError(
            f"`{field}` of `{where}` must be a real number or an array of real numbers; got {what}.{advice}",
            where=where,
            field=field,
            value=what,
            allowed="a real number or an array of real numbers",
        ) from None


def _refuse(value: Any, field: str, where: str) -> None:
    text = said(value)
    raise DTypeError(
        f"`{field}` of `{where}` must be a real number or an array of real numbers; got {text}.",
        where=where,
        field=field,
        value=str(value.dtype) if isinstance(value, np.ndarray) else value,
        allowed=", ".join(DTYPES),
    )


def _frozen(array: np.ndarray) -> np.ndarray:
    """`array` itself where nobody can write to its memory, else a copy."""
    if not array.flags.c_contiguous or _writable(array):
        array = np.array(array, order="C")
        array.setflags(write=False)
    return array


def _writable(array: np.ndarray) -> bool:
    base: Any = array
    while isinstance(base, np.ndarray):
        if base.flags.writeable:
            return True
        base = base.base
    return base is not None and not isinstance(base, bytes)


def indices_of(value: Any, field: str, where: str) -> np.ndarray | None:
    """Channels as a read-only array of int64, or `None` for all of them in order."""
    if value is None:
        return None
    array = _converted(value, field, where, None)
    if array.size == 0 and array.dtype == np.float64:  # an empty list
        array = array.astype(np.int64)
    if array.dtype.kind not in "iu":
        advice = " Use `numpy.flatnonzero(...)` of a mask." if array.dtype.kind == "b" else ""
        raise DTypeError(
            f"`{field}` of `{where}` must be integers, the numbers of channels; got {said(array)}.{advice}",
            where=where, field=field, value=str(array.dtype), allowed="a 1-d array of integers",
        )  # fmt: skip
    if array.ndim != 1:
        raise ShapeError(
            f"`{field}` of `{where}` must have one axis, a number per channel of the flattened array; got shape {array.shape}.",
            where=where, field=field, value=array.shape, allowed="a 1-d array of integers",
        )  # fmt: skip
    return _frozen(array.astype(np.int64, copy=False))


def shape_of(value: Any, field: str, where: str) -> Shape:
    """A shape of one step as a tuple; an integer is one axis.

    Raises:
        ShapeError: it is no integer and no tuple of integers, a size is negative, or there are more than 2**31 - 1 channels.
    """
    axes = tuple(value) if isinstance(value, tuple | list) else (value,)
    if not all(isinstance(n, int | np.integer) and not isinstance(n, bool) and n >= 0 for n in axes) or len(axes) > _MAX_AXES:
        raise ShapeError(
            f"`{field}` of `{where}` must be an integer or a tuple of integers, none of them negative; got {said(value)}.",
            where=where, field=field, value=value, allowed="N or (..., N)",
        )  # fmt: skip
    axes = tuple(map(int, axes))
    if math.prod(axes) > MAX_CHANNELS:
        raise ShapeError(
            f"`{field}` of `{where}` may have 2**31 - 1 channels at most; got {said(value)}.",
            where=where, field=field, value=value, allowed=f"at most {MAX_CHANNELS} channels",
        )  # fmt: skip
    return axes


def params_of(value: Any, where: str, field: str = "params", depth: int = 0) -> ReadOnly:
    """Params (NamedTuples, mappings, nested) as read-only mappings of read-only arrays; what is `None` is left out."""
    items = value._asdict() if hasattr(value, "_asdict") else value
    if not isinstance(items, Mapping) or not all(isinstance(name, str) for name in items) or depth > _MAX_DEPTH:
        raise DTypeError(
            f"`{field}` of `{where}` must be the Params of the model or a mapping from their names; got {said(value)}.",
            where=where, field=field, value=type(value).__name__, allowed="Params, or a mapping of numbers and arrays",
        )  # fmt: skip
    made = {}
    for name, item in items.items():
        label = f"{field}.{name}" if depth else name
        if type(item) is not float and (hasattr(item, "_asdict") or isinstance(item, Mapping)):
            made[name] = params_of(item, where, label, depth + 1)
        elif item is not None:
            made[name] = array_of(item, label, where)
    return ReadOnly(made)


def json_of(value: Any, field: str, where: str, depth: int = 0) -> Any:
    """JSON values, frozen: mappings read-only, lists as tuples."""
    if depth <= _MAX_DEPTH:
        if isinstance(value, Mapping) and all(isinstance(name, str) for name in value):
            return ReadOnly({name: json_of(item, field, where, depth + 1) for name, item in value.items()})
        if isinstance(value, list | tuple):
            return tuple(json_of(item, field, where, depth + 1) for item in value)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return str(value)
        if isinstance(value, int) and abs(value) < 2**63:
            return int(value)
        if isinstance(value, float) and math.isfinite(value):
            return float(value)
    raise DTypeError(
        f"`{field}` of `{where}` must hold what JSON can hold (finite numbers, strings, lists, mappings); got {said(value)}.",
        where=where, field=field, value=type(value).__name__, allowed="JSON values",
    )  # fmt: skip


def plain(value: Any) -> Any:
    """Frozen JSON values as dictionaries and lists."""
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, tuple) else value


def describe(value: Any) -> str:
    """A value in a word: a number as it is, an array by dtype and shape.

    >>> describe(np.zeros((2, 3), np.float32)), describe(np.array(0.02))
    ('float32[2, 3]', '0.02')
    """
    if isinstance(value, np.ndarray):
        return str(value[()]) if value.ndim == 0 else f"{value.dtype.name}{list(value.shape)}"
    return repr(value)


def flat_params(params: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, np.ndarray]]:
    """Every number of a nest of parameters with its name, `neuron.tau_mem`."""
    for name, value in params.items():
        if isinstance(value, Mapping):
            yield from flat_params(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
