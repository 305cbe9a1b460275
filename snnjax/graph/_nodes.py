"""Nodes with at most one array: inputs and outputs, projections, elementwise operations.

Channels are numbered as in the flattened array (the last axis fastest). What arrives over several edges is summed, in the
order of the edges. A constructor refuses only what would leave the node without a shape; `validate` finds the rest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._errors import DTypeError, ShapeError, describe, options
from ._data import Shape, array_of, shape_of
from ._node import Node

#: The functions that an `Activation` can name. `softmax` is over the last axis; the others are elementwise.
ACTIVATIONS = ("identity", "relu", "tanh", "sigmoid", "softplus", "gelu", "silu", "softmax", "abs", "square")


@dataclass(frozen=True, eq=False, repr=False)
class _Wire(Node):
    """Nodes that are a shape and nothing else."""

    shape: Any

    def __post_init__(self) -> None:
        self._set(shape=shape_of(self.shape, "shape", type(self).__name__))

    @property
    def input_shape(self) -> Shape:
        return self.shape

    @property
    def output_shape(self) -> Shape:
        return self.shape


@options
@dataclass(frozen=True, eq=False, repr=False)
class Input(_Wire):
    """Where a graph receives; `shape` is that of one step, without batch and time.

    >>> from snnjax import graph
    >>> graph.Input(3).output_shape
    (3,)
    """


@options
@dataclass(frozen=True, eq=False, repr=False)
class Output(_Wire):
    """Where a graph hands out.

    >>> from snnjax import graph
    >>> graph.Output((2, 8, 8))
    Output(shape=(2, 8, 8))
    """


@options
@dataclass(frozen=True, eq=False, repr=False)
class Alias(_Wire):
    """Passes on what it receives: for skip edges, and to name a sum.

    >>> from snnjax import graph
    >>> graph.Alias(3) == graph.Alias((3,))
    True
    """


@options
@dataclass(frozen=True, eq=False, repr=False)
class Linear(Node):
    """`x @ weight + bias`, with `weight[in, out]`.

    Args:
        weight: `(in, out)`.
        bias: `(out,)`, or `None` for none.

    Raises:
        ShapeError: `weight` does not have two axes.
        DTypeError: one of them is no array of real numbers.

    >>> import numpy as np
    >>> from snnjax import graph
    >>> graph.Linear(np.zeros((3, 2), np.float32))
    Linear(weight=float32[3, 2])
    """

    weight: Any
    bias: Any = None

    def __post_init__(self) -> None:
        self._set(weight=array_of(self.weight, "weight", "Linear"))
        if self.weight.ndim != 2:
            raise ShapeError(
                f"`weight` of `Linear` must have two axes, (in, out); got shape {self.weight.shape}.",
                where="Linear", field="weight", value=self.weight.shape, allowed="(in, out)",
            )  # fmt: skip
        if self.bias is not None:
            self._set(bias=array_of(self.bias, "bias", "Linear"))

    @property
    def input_shape(self) -> Shape:
        return self.weight.shape[:1]

    @property
    def output_shape(self) -> Shape:
        return self.weight.shape[1:]


@options
@dataclass(frozen=True, eq=False, repr=False)
class Scale(Node):
    """`x * scale`, element by element; `scale` has the shape of `x`.

    >>> import numpy as np
    >>> from snnjax import graph
    >>> graph.Scale(np.array([1.0, 2.0])).input_shape
    (2,)
    """

    scale: Any

    def __post_init__(self) -> None:
        self._set(scale=array_of(self.scale, "scale", "Scale"))

    @property
    def input_shape(self) -> Shape:
        return self.scale.shape

    @property
    def output_shape(self) -> Shape:
        return self.scale.shape


@options
@dataclass(frozen=True, eq=False, repr=False)
class Flatten(Node):
    """The axes `start` to `end` (inclusive) become one; axes are those of one step, without batch and time.

    >>> from snnjax import graph
    >>> graph.Flatten((2, 8, 8)).output_shape, graph.Flatten((2, 8, 8), start=1).output_shape
    ((128,), (2, 64))
    """

    shape: Any
    start: int = 0
    end: int = -1

    def __post_init__(self) -> None:
        shape = shape_of(self.shape, "shape", "Flatten")
        self._set(shape=shape, start=_axis(self.start, "start", shape), end=_axis(self.end, "end", shape))
        if self.start > self.end:
            raise ShapeError(
                f"`start` of `Flatten` must not come after `end`; got axes {self.start} and {self.end} of {shape}.",
                where="Flatten", field="start", value=self.start, allowed=f"0 to {self.end}",
            )  # fmt: skip

    @property
    def input_shape(self) -> Shape:
        return self.shape

    @property
    def output_shape(self) -> Shape:
        together = math.prod(self.shape[self.start : self.end + 1])
        return (*self.shape[: self.start], together, *self.shape[self.end + 1 :])


def _axis(axis: Any, field: str, shape: Shape) -> int:
    if not isinstance(axis, int | np.integer) or isinstance(axis, bool) or not -len(shape) <= axis < len(shape):
        raise ShapeError(
            f"`{field}` of `Flatten` must be one of the {len(shape)} axes of {shape}; got {describe(axis)}.",
            where="Flatten", field=field, value=axis, allowed=f"{-len(shape)} to {len(shape) - 1}",
        )  # fmt: skip
    return int(axis) % len(shape)


@options
@dataclass(frozen=True, eq=False, repr=False)
class Delay(Node):
    """Hands out what it received `delay` seconds before; `delay` is one number, or one per channel.

    >>> from snnjax import graph
    >>> graph.Delay(2e-3, 4)
    Delay(delay=0.002, shape=(4,))
    """

    delay: Any
    shape: Any

    def __post_init__(self) -> None:
        self._set(delay=array_of(self.delay, "delay", "Delay"), shape=shape_of(self.shape, "shape", "Delay"))

    @property
    def input_shape(self) -> Shape:
        return self.shape

    @property
    def output_shape(self) -> Shape:
        return self.shape


@options
@dataclass(frozen=True, eq=False, repr=False)
class Threshold(Node):
    """1 where `x > threshold`, strictly, else 0. `threshold` is one number, or one per channel, which then is the `shape`.

    >>> from snnjax import graph
    >>> graph.Threshold(0.5, 4).output_shape
    (4,)
    """

    threshold: Any
    shape: Any = None

    def __post_init__(self) -> None:
        self._set(threshold=array_of(self.threshold, "threshold", "Threshold"))
        self._set(shape=self.threshold.shape if self.shape is None else shape_of(self.shape, "shape", "Threshold"))

    @property
    def input_shape(self) -> Shape:
        return self.shape

    @property
    def output_shape(self) -> Shape:
        return self.shape


@options
@dataclass(frozen=True, eq=False, repr=False)
class Activation(Node):
    """A function by name, such as "relu"; behind `Neurons("membrane(leaky)", ...)` it makes a rate neuron.

    >>> from snnjax import graph
    >>> graph.Activation("tanh", 4)
    Activation(function='tanh', shape=(4,))
    """

    function: str
    shape: Any

    def __post_init__(self) -> None:
        if not isinstance(self.function, str):
            raise DTypeError(
                f"`function` of `Activation` must be a name, one of {', '.join(ACTIVATIONS)}; got {describe(self.function)}.",
                where="Activation", field="function", value=self.function, allowed=", ".join(ACTIVATIONS),
            )  # fmt: skip
        self._set(shape=shape_of(self.shape, "shape", "Activation"))

    @property
    def input_shape(self) -> Shape:
        return self.shape

    @property
    def output_shape(self) -> Shape:
        return self.shape
