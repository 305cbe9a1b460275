"""What can be wrong within one node."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .._errors import did_you_mean
from .._kinds import Kind
from ._check_params import neuron_problems
from ._check_values import value_problems
from ._conv import POOLINGS, Conv, Pool
from ._neurons import Neurons
from ._node import Node
from ._nodes import ACTIVATIONS, Activation, Delay, Linear, Scale, Threshold
from ._problem import Problem

_DURATION = Kind("duration", "s", "nonnegative")


def node_problems(name: str, node: Node) -> Iterator[Problem]:
    return _CHECKS[type(node)](f"node {name!r:.140}", node)


def has_values(node: Node) -> bool:
    """Whether there is anything in the node that could be wrong."""
    return type(node) in _CHECKS


def _linear(where: str, node: Linear) -> Iterator[Problem]:
    yield from value_problems(where, "weight", node.weight)
    yield from _bias(where, node.bias, node.weight.shape[1])


def _bias(where: str, bias: Any, n: int) -> Iterator[Problem]:
    if bias is not None:
        if bias.shape != (n,):
            yield Problem(where, f"`bias` has shape {bias.shape}; expected ({n},).", "Give one number per output, or `None`.", "shape")
        yield from value_problems(where, "bias", bias)


def _scale(where: str, node: Scale) -> Iterator[Problem]:
    yield from value_problems(where, "scale", node.scale)


def _per_channel(where: str, name: str, array: np.ndarray, node: Node, kind: Kind) -> Iterator[Problem]:
    if array.shape not in ((), node.output_shape):
        what = f"`{name}` has shape {array.shape}; expected () or {node.output_shape}."
        yield Problem(where, what, "Give one number for all channels, or one per channel.", "shape")
    yield from value_problems(where, name, array, kind)


def _delay(where: str, node: Delay) -> Iterator[Problem]:
    return _per_channel(where, "delay", node.delay, node, _DURATION)


def _threshold(where: str, node: Threshold) -> Iterator[Problem]:
    return _per_channel(where, "threshold", node.threshold, node, Kind("threshold", "1"))


def _activation(where: str, node: Activation) -> Iterator[Problem]:
    if node.function not in ACTIVATIONS:
        how = did_you_mean(node.function[:60], ACTIVATIONS)
        yield Problem(where, f"`function` {node.function!r:.60} is not known.", how, "parameter")


def _conv(where: str, node: Conv) -> Iterator[Problem]:
    out, per_group = node.weight.shape[:2]
    channels = node.input_shape[0]
    if per_group * node.groups != channels or out % node.groups:
        what = f"`weight` of shape {node.weight.shape} with `groups` {node.groups} does not fit `input_shape` {node.input_shape}."
        how = "Its axes are (out, in / groups, ...), and `groups` divides both channel numbers."
        yield Problem(where, what, how, "shape")
    yield from value_problems(where, "weight", node.weight)
    yield from _bias(where, node.bias, out)


def _pool(where: str, node: Pool) -> Iterator[Problem]:
    if node.kind not in POOLINGS:
        yield Problem(where, f"`kind` {node.kind!r:.60} is not known.", did_you_mean(node.kind[:60], POOLINGS), "parameter")
    if any(max(pad) >= k for pad, k in zip(node.padding, node.kernel_size, strict=True)):
        what = f"`padding` {node.padding} holds whole windows of {node.kernel_size} that see nothing of the input."
        yield Problem(where, what, "Pad by less than the window's size.", "parameter")


_CHECKS: dict[type, Callable[[str, Any], Iterator[Problem]]] = {
    Activation: _activation,
    Conv: _conv,
    Delay: _delay,
    Linear: _linear,
    Neurons: neuron_problems,
    Pool: _pool,
    Scale: _scale,
    Threshold: _threshold,
}
