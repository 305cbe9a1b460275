"""Nodes of NIR without neurons as nodes of a graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from .. import graph
from .._errors import GraphError, ShapeError
from ._nir_from_context import Import, full
from ._nir_from_values import real, shape_of, whole
from ._nir_hint import recalled
from ._nir_to_nodes import same_padding

Shape = tuple[int, ...]


def own_shape(made: Any, where: str) -> Shape | None:
    """What a node takes in one step, as far as its own fields tell; `None` where what arrives decides."""
    kind = type(made).__name__
    if kind in _FIRST_FIELD:
        array = real(getattr(made, _FIRST_FIELD[kind]), where, _FIRST_FIELD[kind])
        return None if array.size == 1 else array.shape
    if kind in ("Affine", "Linear"):
        weight = real(made.weight, where, "weight")
        return weight.shape[-1:] if weight.ndim == 2 else _refuse_weight(where, weight, "two axes, (out, in)")
    if kind in ("Conv1d", "Conv2d"):
        sizes = shape_of(made.input_shape, where, "input_shape")
        groups, weight = whole(made.groups, where, "groups", 1)[0], real(made.weight, where, "weight")
        if weight.ndim != 2 + int(kind[4]):
            _refuse_weight(where, weight, f"{2 + int(kind[4])} axes, (out, in, ...)")
        return None if sizes is None else (weight.shape[1] * groups, *sizes)
    types = made.output_type if kind == "Output" else made.input_type
    if kind == "NIRGraph":
        types = types if types and len(types) == 1 else None
    return shape_of(next(iter(types.values()), None), where, "shape") if types else None


_FIRST_FIELD: Mapping[str, str] = MappingProxyType(
    {"Scale": "scale", "Delay": "delay", "Threshold": "threshold", "I": "r", "IF": "r", "LI": "tau", "LIF": "tau", "CubaLI": "tau_mem",
     "CubaLIF": "tau_mem"}
)  # fmt: skip


def lone_shape(made: Any, where: str) -> Shape | None:
    """The shape of a node with one number, where nothing arrives that decides."""
    return (1,) if type(made).__name__ in _FIRST_FIELD else None


def _refuse_weight(where: str, weight: np.ndarray, wanted: str) -> Any:
    text = f"node {where!r:.140}: `weight` must have {wanted}; got shape {weight.shape}."
    raise ShapeError(text, where="from_nir", field="weight", value=weight.shape, allowed=wanted)


def plain(it: Import, where: str, made: Any, shape: Shape) -> graph.Node:
    """A node that is neither neurons nor a graph; `shape` is what it takes."""
    hint = recalled(made, it.again) if it.unit in (None, 1.0) else None
    return _NODES[type(made).__name__](it, where, made, shape) if hint is None else hint.node


def _linear(it: Import, where: str, made: Any, shape: Shape) -> graph.Node:
    bias = getattr(made, "bias", None)
    return graph.Linear(real(made.weight, where, "weight").T, None if bias is None else real(bias, where, "bias"))


def _scale(it: Import, where: str, made: Any, shape: Shape) -> graph.Node:
    return graph.Scale(full(real(made.scale, where, "scale"), shape))


def _threshold(it: Import, where: str, made: Any, shape: Shape) -> graph.Node:
    return graph.Threshold(full(real(made.threshold, where, "threshold"), shape), shape)


def _delay(it: Import, where: str, made: Any, shape: Shape) -> graph.Node:
    return graph.Delay(full(it.seconds(made.delay, where, "delay"), shape), shape)


def _flatten(it: Import, where: str, made: Any, shape: Shape) -> graph.Node:
    start, end = (whole(getattr(made, field), where, field, 1)[0] for field in ("start_dim", "end_dim"))
    return graph.Flatten(shape, start, end)


def _conv(it: Import, where: str, made: Any, shape: Shape) -> graph.Node:
    weight = real(made.weight, where, "weight")
    axes = weight.ndim - 2
    stride, dilation = (whole(getattr(made, field), where, field, axes) for field in ("stride", "dilation"))
    bias = None if made.bias is None else real(made.bias, where, "bias")
    padding = _padding(where, made.padding, weight.shape[2:], stride, dilation)
    groups = whole(made.groups, where, "groups", 1)[0]
    return graph.Conv(weight, bias, input_shape=shape, stride=stride, padding=padding, dilation=dilation, groups=groups)


def _padding(where: str, padding: Any, kernel: Shape, stride: Shape, dilation: Shape) -> Any:
    if not isinstance(padding, str | bytes):
        return tuple((n, n) for n in whole(padding, where, "padding", len(kernel)))
    name = padding if isinstance(padding, str) else padding.decode(errors="replace")
    if name == "same" and set(stride) == {1}:
        return same_padding(kernel, dilation)
    if name == "valid":
        return ((0, 0),) * len(kernel)
    text = f'node {where!r:.140}: `padding` must be "valid", "same" with a stride of 1, or numbers; got {name!r:.40} with stride {stride}.'
    raise GraphError(text, where="from_nir", field="padding", value=name, allowed='"valid", "same", integers')


def _pool(it: Import, where: str, made: Any, shape: Shape) -> graph.Node:
    if len(shape) != 3:
        text = f"node {where!r:.140} pools over two axes of (channels, height, width); what arrives has shape {shape}."
        raise ShapeError(text, where="from_nir", field=where, value=shape, allowed="three axes")
    kernel, stride, padding = (whole(getattr(made, field), where, field, 2) for field in ("kernel_size", "stride", "padding"))
    kind = "sum" if type(made).__name__ == "SumPool2d" else "average"
    return graph.Pool(kind, input_shape=shape, kernel_size=kernel, stride=stride, padding=tuple((n, n) for n in padding))


_NODES: Mapping[str, Callable[[Import, str, Any, Shape], graph.Node]] = MappingProxyType(
    {
        "Affine": _linear,
        "AvgPool2d": _pool,
        "Conv1d": _conv,
        "Conv2d": _conv,
        "Delay": _delay,
        "Flatten": _flatten,
        "Input": lambda it, where, made, shape: graph.Input(shape),
        "Linear": _linear,
        "Output": lambda it, where, made, shape: graph.Output(shape),
        "Scale": _scale,
        "SumPool2d": _pool,
        "Threshold": _threshold,
    }
)
PLAIN = tuple(_NODES)
