"""Nodes without neurons as nodes of NIR."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from .. import graph
from ._nir_peel import refused
from ._nir_to_context import Export, real


def plain_node(to: Export, where: str, node: graph.Node) -> Any:
    """A node that is neither neurons nor a graph.

    Raises:
        GraphError: there is none like it in NIR.
    """
    return _NODES[type(node)](to, where, node)


def _input(to: Export, where: str, node: graph.Input) -> Any:
    return to.nir.Input(np.array(node.shape, int))


def _output(to: Export, where: str, node: graph.Output) -> Any:
    return to.nir.Output(np.array(node.shape, int))


def _alias(to: Export, where: str, node: graph.Alias) -> Any:
    return to.nir.Scale(to.full(1.0, node.shape))


def _linear(to: Export, where: str, node: graph.Linear) -> Any:
    weight = np.ascontiguousarray(real(node.weight).T)
    return to.nir.Linear(weight) if node.bias is None else to.nir.Affine(weight, np.array(real(node.bias)))


def _scale(to: Export, where: str, node: graph.Scale) -> Any:
    return to.nir.Scale(np.array(real(node.scale)))


def _threshold(to: Export, where: str, node: graph.Threshold) -> Any:
    return to.nir.Threshold(to.full(node.threshold, node.shape))


def _delay(to: Export, where: str, node: graph.Delay) -> Any:
    return to.nir.Delay(np.array(np.broadcast_to(real(node.delay), node.shape)))


def _flatten(to: Export, where: str, node: graph.Flatten) -> Any:
    return to.nir.Flatten(input_type={"input": np.array(node.shape)}, start_dim=node.start, end_dim=node.end)


def _activation(to: Export, where: str, node: graph.Activation) -> Any:
    if node.function == "identity":
        return to.nir.Scale(to.full(1.0, node.shape))
    raise refused(where, "function", f"the activation {node.function!r:.40}", "Leave it to the tool that reads the file.")


def _conv(to: Export, where: str, node: graph.Conv) -> Any:
    weight = np.array(real(node.weight))
    bias = np.zeros(weight.shape[0], weight.dtype) if node.bias is None else np.array(real(node.bias))
    numbers: dict[str, Any] = {"stride": node.stride, "padding": _padding(where, node), "dilation": node.dilation}
    if weight.ndim == 3:
        numbers = {name: it if isinstance(it, str) else it[0] for name, it in numbers.items()}
        kind, size = to.nir.Conv1d, node.input_shape[1]
    else:
        kind, size = to.nir.Conv2d, node.input_shape[1:]
    made = kind(input_shape=size, weight=weight, groups=node.groups, bias=bias, **numbers)
    if node.groups > 1:
        text = "nir 1.0.8 forgets `groups` in what the node takes: to other tools the file reads with `type_check=False` only."
        to.entries.note(where, "groups", text)
    return _typed(made, node)


def _padding(where: str, node: graph.Conv) -> Any:
    if all(before == after for before, after in node.padding):
        return tuple(before for before, _ in node.padding)
    if node.padding == same_padding(node.weight.shape[2:], node.dilation) and set(node.stride) == {1}:
        return "same"
    raise refused(where, "padding", f"the padding {node.padding}, which is not the same before and after", "Pad both sides alike.")


def same_padding(kernel: tuple[int, ...], dilation: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """What "same" stands for with a stride of 1: the odd zero, if there is one, comes after."""
    totals = [step * (k - 1) for k, step in zip(kernel, dilation, strict=True)]
    return tuple((total // 2, total - total // 2) for total in totals)


def _pool(to: Export, where: str, node: graph.Pool) -> Any:
    kinds = {"sum": to.nir.SumPool2d, "average": to.nir.AvgPool2d}
    if node.kind not in kinds or len(node.kernel_size) != 2:
        what = f"the {node.kind!r:.20} of windows over {len(node.kernel_size)} axes"
        raise refused(where, "kind", what, "It has the sum and the average over two axes.")
    if any(before != after for before, after in node.padding):
        raise refused(where, "padding", f"the padding {node.padding}, which is not the same before and after", "Pad both sides alike.")
    padding = np.array([before for before, _ in node.padding])
    made = kinds[node.kind](kernel_size=np.array(node.kernel_size), stride=np.array(node.stride), padding=padding)
    return _typed(made, node)


def _typed(made: Any, node: graph.Node) -> Any:
    """Says what goes in and out, which nir leaves open (pools) or gets wrong (groups)."""
    made.input_type, made.output_type = {"input": np.array(node.input_shape)}, {"output": np.array(node.output_shape)}
    return made


_NODES: Mapping[type, Callable[[Export, str, Any], Any]] = MappingProxyType(
    {
        graph.Activation: _activation,
        graph.Alias: _alias,
        graph.Conv: _conv,
        graph.Delay: _delay,
        graph.Flatten: _flatten,
        graph.Input: _input,
        graph.Linear: _linear,
        graph.Output: _output,
        graph.Pool: _pool,
        graph.Scale: _scale,
        graph.Threshold: _threshold,
    }
)
