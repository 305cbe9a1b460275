"""Convolution and pooling over one or two spatial axes, channels first.

Padding is in numbers, `(before, after)` per spatial axis; whoever has "same" or "valid" resolves it when making the node.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from .._errors import DTypeError, ShapeError, describe, options
from ._data import Shape, array_of, shape_of
from ._node import Node

POOLINGS = ("sum", "average", "max")


@options
@dataclass(frozen=True, eq=False, repr=False)
class Conv(Node):
    """Cross-correlation with `weight`, as every deep-learning library calls convolution.

    Args:
        weight: `(out, in / groups, k)` or `(out, in / groups, k, k)`.
        bias: `(out,)`, or `None`.
        input_shape: `(in, n)` or `(in, n, n)`.
        stride, dilation: a number, or one per spatial axis.
        padding: zeros around the input: a number, one per spatial axis, or a pair (before, after) per spatial axis.
        groups: the channels are divided into so many groups, each with its own kernels.

    Raises:
        ShapeError: the numbers of axes do not go together, or the kernel is larger than the padded input.

    >>> import numpy as np
    >>> from snnjax import graph
    >>> graph.Conv(np.zeros((4, 2, 3, 3)), input_shape=(2, 8, 8), stride=2, padding=1).output_shape
    (4, 4, 4)
    """

    weight: Any
    bias: Any = None
    _: KW_ONLY
    input_shape: Any
    stride: Any = 1
    padding: Any = 0
    dilation: Any = 1
    groups: int = 1

    def __post_init__(self) -> None:
        self._set(weight=array_of(self.weight, "weight", "Conv"), input_shape=shape_of(self.input_shape, "input_shape", "Conv"))
        if self.bias is not None:
            self._set(bias=array_of(self.bias, "bias", "Conv"))
        if self.weight.ndim not in (3, 4) or len(self.input_shape) != self.weight.ndim - 1:
            raise ShapeError(
                "`weight` of `Conv` must be (out, in / groups, k) with `input_shape` (in, n), or (out, in / groups, k, k) with (in, n, n); "
                f"got shapes {self.weight.shape} and {self.input_shape}.",
                where="Conv", field="weight", value=self.weight.shape, allowed="3 or 4 axes",
            )  # fmt: skip
        axes = self.weight.ndim - 2
        self._set(stride=_per_axis(self.stride, "stride", axes, "Conv"), dilation=_per_axis(self.dilation, "dilation", axes, "Conv"))
        self._set(padding=_pairs(self.padding, axes, "Conv"), groups=_per_axis(self.groups, "groups", 1, "Conv")[0])
        _spatial(self.input_shape[1:], self.weight.shape[2:], self.stride, self.padding, self.dilation, "Conv")

    @property
    def output_shape(self) -> Shape:
        kernel = self.weight.shape[2:]
        return (self.weight.shape[0], *_spatial(self.input_shape[1:], kernel, self.stride, self.padding, self.dilation, "Conv"))


@options
@dataclass(frozen=True, eq=False, repr=False)
class Pool(Node):
    """The "sum", "average" or "max" of every window. An average counts the zeros of the padding; a maximum does not see them.

    Args:
        kind: "sum", "average" or "max".
        input_shape: `(channels, n)` or `(channels, n, n)`.
        kernel_size: a number, or one per spatial axis.
        stride: likewise; by default `kernel_size`, windows side by side.
        padding: as of `Conv`.

    Raises:
        ShapeError: the numbers of axes do not go together, or the window is larger than the padded input.

    >>> from snnjax import graph
    >>> graph.Pool("average", input_shape=(4, 8, 8), kernel_size=2).output_shape
    (4, 4, 4)
    """

    kind: str
    _: KW_ONLY
    input_shape: Any
    kernel_size: Any
    stride: Any = None
    padding: Any = 0

    def __post_init__(self) -> None:
        if not isinstance(self.kind, str):
            raise DTypeError(
                f"`kind` of `Pool` must be one of {', '.join(POOLINGS)}; got {describe(self.kind)}.",
                where="Pool", field="kind", value=self.kind, allowed=", ".join(POOLINGS),
            )  # fmt: skip
        shape = shape_of(self.input_shape, "input_shape", "Pool")
        if len(shape) not in (2, 3):
            raise ShapeError(
                f"`input_shape` of `Pool` must be (channels, n) or (channels, n, n); got {shape}.",
                where="Pool", field="input_shape", value=shape, allowed="2 or 3 axes",
            )  # fmt: skip
        axes = len(shape) - 1
        kernel = _per_axis(self.kernel_size, "kernel_size", axes, "Pool")
        stride = kernel if self.stride is None else _per_axis(self.stride, "stride", axes, "Pool")
        self._set(input_shape=shape, kernel_size=kernel, stride=stride, padding=_pairs(self.padding, axes, "Pool"))
        _spatial(shape[1:], kernel, stride, self.padding, (1,) * axes, "Pool")

    @property
    def output_shape(self) -> Shape:
        spatial = self.input_shape[1:]
        return (self.input_shape[0], *_spatial(spatial, self.kernel_size, self.stride, self.padding, (1,) * len(spatial), "Pool"))


def _whole(value: Any, least: int) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and least <= int(value) < 2**31


def _per_axis(value: Any, field: str, axes: int, where: str) -> Shape:
    values = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else (value,) * axes
    if len(values) != axes or not all(_whole(n, 1) for n in values):
        raise ShapeError(
            f"`{field}` of `{where}` must be a positive integer{f', or {axes} of them' if axes > 1 else ''}; got {describe(value)}.",
            where=where, field=field, value=value, allowed=f"1, 2, ...; or {axes} of them",
        )  # fmt: skip
    return tuple(map(int, values))


def _pairs(value: Any, axes: int, where: str) -> tuple[tuple[int, int], ...]:
    values = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else (value,) * axes
    pairs = tuple(tuple(it) if isinstance(it, Sequence) and not isinstance(it, str) else (it, it) for it in values)
    if len(pairs) != axes or not all(len(pair) == 2 and all(_whole(n, 0) for n in pair) for pair in pairs):
        raise ShapeError(
            f"`padding` of `{where}` must be a number of zeros >= 0, or a pair (before, after) per spatial axis ({axes}); "
            f"got {describe(value)}.",
            where=where, field="padding", value=value, allowed="integers >= 0",
        )  # fmt: skip
    return tuple((int(before), int(after)) for before, after in pairs)


def _spatial(sizes: Shape, kernel: Shape, stride: Shape, padding: Any, dilation: Shape, where: str) -> Shape:
    room = [n + sum(pad) - step * (k - 1) - 1 for n, k, pad, step in zip(sizes, kernel, padding, dilation, strict=True)]
    if min(room) < 0 or min(kernel) < 1:
        raise ShapeError(
            f"`input_shape` of `{where}` has spatial sizes {sizes}, which with padding {padding} do not hold a kernel of {kernel}.",
            where=where, field="input_shape", value=sizes, allowed="at least the extent of the kernel",
        )  # fmt: skip
    return tuple(left // step + 1 for left, step in zip(room, stride, strict=True))
