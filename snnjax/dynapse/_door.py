"""What everything that is done with a chip refuses: other records, and what is no generator or no silicon."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._errors import DTypeError, ShapeError
from .._kinds import Kind, kinds_of
from ..functional._concrete import check_domain, check_real, concrete, describe
from ..functional._dpi_records import BiasCurrents, DynapseParams, Process


def check_bias(bias: Any, where: str, field: str = "bias", others: tuple[type, ...] = ()) -> None:
    """`bias` are the currents of a neuron, or of one of the `others`."""
    if not isinstance(bias, (BiasCurrents, *others)):
        wanted = " or ".join(kind.__name__ for kind in (BiasCurrents, *others))
        advice = " Of a DynapseParams give `params.bias`." if isinstance(bias, DynapseParams) or not others else ""
        text = f"`{field}` must be {wanted}; got {describe(bias)}.{advice}"
        raise DTypeError(text, where=where, field=field, value=type(bias).__name__, allowed=wanted)


def check_process(process: Any, where: str) -> None:
    """`process` is silicon: positive constants."""
    check_kind(process, Process, "process", "a Process", where)
    for name, kind in kinds_of(Process).items():
        check_real(getattr(process, name), name, where)
        check_domain(getattr(process, name), name, Kind(kind.name, kind.unit, "positive"), where)


def as_there(value: Any, field: str, where: str, advice: str = "") -> np.ndarray:
    """`value` in float64; refuse what is no real number, and what is being traced."""
    check_real(value, field, where)
    array = concrete(value)
    if array is None:
        wanted = "a number that is there, or an array"
        text = f"`{field}` must be {wanted}: `{where}` computes in NumPy; got a traced value. {advice or 'Call it outside of `jit`.'}"
        raise DTypeError(text, where=where, field=field, value="traced", allowed=wanted)
    return np.asarray(array, np.float64)


def check_one_population(values: dict[str, Any], where: str) -> None:
    """All are numbers, or have one value per neuron of the same neurons."""
    shape: tuple[int, ...] = ()
    for field, value in values.items():
        try:
            shape = np.broadcast_shapes(shape, np.shape(value))
        except ValueError:
            wanted = "one value, or one per neuron"
            text = f"`{field}` must be {wanted}; got the shape {np.shape(value)}, and what came before it has {shape}."
            raise ShapeError(text, where=where, field=field, value=np.shape(value), allowed=wanted) from None


def check_kind(value: Any, kind: type, field: str, wanted: str, where: str) -> None:
    """`value` is of the class `kind`."""
    if not isinstance(value, kind):
        raise DTypeError(f"`{field}` must be {wanted}; got {describe(value)}.", where=where, field=field, value=value, allowed=wanted)
