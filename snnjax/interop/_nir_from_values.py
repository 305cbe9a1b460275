"""What stands in the fields of a NIR node, as arrays that can be counted on; whatever does not is refused by name."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from .._errors import DTypeError, GraphError, ShapeError

_BF16 = " It looks like bfloat16, which HDF5 cannot hold: write it as float32."


def real(value: Any, where: str, field: str) -> np.ndarray:
    """A field as an array of floating numbers: of NumPy, JAX or Torch, or a plain number."""
    try:
        array = np.asarray(value)
    except Exception as error:  # whatever a foreign array raises: one of Torch that wants gradients is a RuntimeError
        _refuse(where, field, type(value).__name__, f"which cannot be read ({error!s:.80})")
    if array.dtype.name == "bfloat16":
        return array.astype(np.float32)
    if array.dtype.kind in "iub":
        return array.astype(np.float64)
    if array.dtype.kind != "f" or array.dtype.itemsize > 8:
        _refuse(where, field, str(array.dtype) if array.dtype != object else type(value).__name__, "", array.dtype.kind == "V")
    return array


def _refuse(where: str, field: str, came: str, more: str, bf16: bool = False) -> NoReturn:
    raise DTypeError(
        f"node {where!r:.140}: `{field}` must be an array of real numbers; got {came}{', ' + more if more else ''}.{_BF16 if bf16 else ''}",
        where="from_nir", field=field, value=came, allowed="an array of real numbers",
    )  # fmt: skip


def whole(value: Any, where: str, field: str, axes: int) -> tuple[int, ...]:
    """`axes` integers: one for all of them, or one each."""
    array = np.asarray(value)
    if array.dtype.kind not in "iu" or array.shape not in ((), (1,), (axes,)):
        raise ShapeError(
            f"node {where!r:.140}: `{field}` must be an integer{f', or {axes} of them' if axes > 1 else ''}; got {value!r:.60}.",
            where="from_nir", field=field, value=value, allowed="integers",
        )  # fmt: skip
    return tuple(np.broadcast_to(array, (axes,)).tolist())


def shape_of(value: Any, where: str, field: str) -> tuple[int, ...] | None:
    """A shape as a tuple; `None` where NIR leaves it open."""
    if value is None:
        return None
    array = np.asarray(value)
    if array.size == 0:
        return ()
    if array.dtype.kind not in "iu" or array.ndim > 1 or (array < 0).any():
        raise ShapeError(
            f"node {where!r:.140}: `{field}` must be a shape, integers that are not negative; got {value!r:.60}.",
            where="from_nir", field=field, value=value, allowed="a shape",
        )  # fmt: skip
    return tuple(np.atleast_1d(array).tolist())


def unknown(where: str, made: Any, known: str) -> GraphError:
    """The error for a node that means nothing here."""
    text = f"node {where!r:.140} is a {type(made).__name__}; `from_nir` knows {known} and nested graphs."
    return GraphError(text, where="from_nir", field=where, value=type(made).__name__, allowed=known)
