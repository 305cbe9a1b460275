"""One layer as one node of a graph, and back: the same numbers in the same operations.

| node | layer |
|---|---|
| `Linear`, `Conv` | `eqx.nn.Linear`; `eqx.nn.Conv1d`, `Conv2d` |
| `Pool` | `eqx.nn.AvgPool1d`, `AvgPool2d`, `MaxPool1d`, `MaxPool2d`; `eqx.nn.Pool` of `jax.lax.add` |
| `Neurons` | a soma |
| `Alias` | `eqx.nn.Identity`; also `eqx.nn.Dropout` that drops nothing |
| `Activation`, `Flatten` | `eqx.nn.Lambda` of a named function; of `jnp.ravel` |
| `Scale`, `Threshold`, `Delay` | those of `_graph_layers` |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NoReturn

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .. import graph as G
from .._errors import GraphError
from . import _graph_layers as own
from ._graph_neurons import numbers, soma_of_neurons
from ._soma import Soma

Shape = tuple[int, ...]
_NN = eqx.nn

#: The functions that an `Activation` names.
FUNCTIONS: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {
        **{
            f.__name__: f for f in (jax.nn.identity, jax.nn.relu, jax.nn.sigmoid, jax.nn.softplus, jax.nn.gelu, jax.nn.silu, jax.nn.softmax)
        },
        **{name: getattr(jnp, name) for name in ("tanh", "abs", "square")},
    }
)
_CONVS = {1: _NN.Conv1d, 2: _NN.Conv2d}
_POOLS = {
    ("average", 1): _NN.AvgPool1d,
    ("average", 2): _NN.AvgPool2d,
    ("max", 1): _NN.MaxPool1d,
    ("max", 2): _NN.MaxPool2d,
}


def layer_of(node: G.Node, where: str, dt: float | None, models: Mapping[str, Any]) -> Any:
    """The layer that computes what `node` says; `None` for nodes that only pass on.

    Raises:
        GraphError: a delay without `dt`, or a model that is not known.
        ConfigError: `choices` of neurons are malformed.
    """
    if isinstance(node, G.Neurons):
        return soma_of_neurons(node, where, models)
    if isinstance(node, G.Linear):
        return _linear(node)
    if isinstance(node, G.Conv):
        return _conv(node)
    if isinstance(node, G.Pool):
        return _pool(node)
    if isinstance(node, G.Scale):
        return own.Scale(numbers(node.scale))
    if isinstance(node, G.Threshold):
        return own.Threshold(numbers(node.threshold))
    if isinstance(node, G.Activation):
        return _NN.Lambda(FUNCTIONS[node.function])
    if isinstance(node, G.Flatten):
        whole = node.start == 0 and node.end == len(node.shape) - 1
        return _NN.Lambda(jnp.ravel) if whole else own.Flatten(node.start, node.end)
    if isinstance(node, G.Delay):
        return _delay(node, where, dt)
    return None


def _linear(node: G.Linear) -> Any:
    (n_in,), (n_out,) = node.input_shape, node.output_shape
    shaped = eqx.filter_eval_shape(lambda: _NN.Linear(n_in, n_out, use_bias=node.bias is not None, key=jax.random.key(0)))
    return _filled(shaped, node.weight.T, node.bias)


def _conv(node: G.Conv) -> Any:
    n_out, per_group, *kernel = node.weight.shape
    made = _CONVS[len(kernel)]
    options = {"stride": node.stride, "padding": node.padding, "dilation": node.dilation, "groups": node.groups}
    shaped = eqx.filter_eval_shape(
        lambda: made(
            per_group * node.groups, n_out, tuple(kernel), **options, use_bias=node.bias is not None, key=jax.random.key(0)
        )  # fmt: skip
    )
    return _filled(shaped, node.weight, None if node.bias is None else node.bias.reshape(-1, *[1] * len(kernel)))


def _filled(shaped: Any, weight: np.ndarray, bias: np.ndarray | None) -> Any:
    if bias is None:
        return eqx.tree_at(lambda layer: layer.weight, shaped, numbers(weight))
    return eqx.tree_at(lambda layer: (layer.weight, layer.bias), shaped, (numbers(weight), numbers(bias)))


def _pool(node: G.Pool) -> Any:
    axes = len(node.kernel_size)
    if node.kind == "sum":
        return _NN.Pool(0, jax.lax.add, axes, node.kernel_size, node.stride, node.padding)
    return _POOLS[node.kind, axes](node.kernel_size, node.stride, node.padding)


def _delay(node: G.Delay, where: str, dt: float | None) -> own.Delay:
    if dt is None:
        raise GraphError(
            f"`dt` is missing: {where} is a delay in seconds, so `build` needs the length of a step, `graph.build(g, dt=1e-3)`.",
            where="build",
            field="dt",
            value=None,
            allowed="> 0 s",
        )
    return own.Delay(node, dt)


def node_of(layer: Any, shape: Shape, where: str) -> G.Node:
    """The node that says what `layer` computes of an input of `shape`.

    Raises:
        GraphError: a graph has no node for it.
    """
    if type(layer) is _NN.Linear:
        if "scalar" in (layer.in_features, layer.out_features):
            _refuse(where, "takes or gives single numbers, which a graph has no axis for. Use `in_features=1`, `out_features=1`.", layer)
        return G.Linear(layer.weight.T, layer.bias)
    if type(layer) in _CONVS.values():
        return _node_of_conv(layer, shape, where)
    if isinstance(layer, _NN.Pool):
        return _node_of_pool(layer, shape, where)
    if isinstance(layer, own.Delay):
        return layer.node
    if isinstance(layer, own.Scale):
        return G.Scale(layer.scale)
    if isinstance(layer, own.Threshold):
        return G.Threshold(layer.threshold, shape)
    if isinstance(layer, own.Flatten):
        return G.Flatten(shape, layer.start, layer.end)
    if type(layer) is _NN.Lambda:
        return _node_of_function(layer.fn, shape, where)
    if type(layer) is _NN.Identity or type(layer) is _NN.Dropout and (layer.inference or layer.p == 0):
        return G.Alias(shape)
    refuse_layer(layer, where)


def input_shape_of(layer: Any) -> Shape | None:
    """The shape of one step that `layer` takes, where the layer alone says it."""
    if isinstance(layer, Soma):
        return (*layer.shape[:-1], *layer.neuron.ports, *layer.shape[-1:])
    if isinstance(layer, _NN.Linear) and isinstance(layer.in_features, int):
        return (layer.in_features,)
    if isinstance(layer, own.Delay):
        return layer.node.shape
    if isinstance(layer, own.Scale):
        return layer.scale.shape
    if isinstance(layer, own.Threshold) and layer.threshold.ndim:
        return layer.threshold.shape
    return None


def keeps_shape(layer: Any) -> bool:
    """Whether what comes out of `layer` has the shape of what goes in, whatever that is."""
    elementwise = type(layer) is _NN.Lambda and any(layer.fn is function for function in FUNCTIONS.values())
    return elementwise or isinstance(layer, _NN.Identity | _NN.Dropout | own.Threshold)


def _node_of_conv(layer: Any, shape: Shape, where: str) -> G.Conv:
    if layer.padding_mode.upper() != "ZEROS":
        _refuse(
            where, f"pads with {layer.padding_mode!r}; a graph has convolutions that pad with zeros. Use `padding_mode='ZEROS'`.", layer
        )
    if len(shape) != layer.num_spatial_dims + 1 or shape[0] != layer.in_channels:
        wanted = f"({layer.in_channels}, {', '.join('n' * layer.num_spatial_dims)})"
        _refuse(
            where, f"takes inputs of shape {wanted}, channels first, and gets {shape}. Correct `input_shape` or a layer before it.", shape
        )
    padding = layer.padding
    if isinstance(padding, str):
        padding = _resolved(padding.upper(), shape[1:], layer.kernel_size, layer.stride, layer.dilation)
    bias = None if layer.bias is None else layer.bias.ravel()
    options = {"stride": layer.stride, "padding": padding, "dilation": layer.dilation, "groups": layer.groups}
    return G.Conv(layer.weight, bias, input_shape=shape, **options)


def _resolved(padding: str, sizes: Shape, kernel: Shape, stride: Shape, dilation: Shape) -> tuple[tuple[int, int], ...]:
    """The zeros of "SAME": as many as make `ceil(size / stride)` outputs, the odd one behind; of "VALID" none."""
    if padding == "VALID":
        return ((0, 0),) * len(sizes)
    pairs = []
    for n, k, step, spread in zip(sizes, kernel, stride, dilation, strict=True):
        missing = max((-(-n // step) - 1) * step + spread * (k - 1) + 1 - n, 0)
        pairs.append((missing // 2, missing - missing // 2))
    return tuple(pairs)


def _node_of_pool(layer: Any, shape: Shape, where: str) -> G.Pool:
    known = next((kind for (kind, _), made in _POOLS.items() if type(layer) is made), None)
    is_sum = type(layer) is _NN.Pool and layer.operation is jax.lax.add and isinstance(layer.init, int | float) and layer.init == 0
    kind = "sum" if is_sum else known
    if kind is None or layer.num_spatial_dims not in (1, 2):
        refuse_layer(layer, where)
    if len(shape) != layer.num_spatial_dims + 1:
        _refuse(where, f"pools over {layer.num_spatial_dims} axes behind the channels, and gets {shape}. Correct `input_shape`.", shape)
    padding = tuple((int(before), int(after)) for before, after in layer.padding)
    if layer.use_ceil:  # one window more where some of the input is left over: as many zeros as that takes
        left = [(n + sum(pad) - k) % s for n, pad, k, s in zip(shape[1:], padding, layer.kernel_size, layer.stride, strict=True)]
        more = [(s - rest) % s for s, rest in zip(layer.stride, left, strict=True)]
        padding = tuple((before, after + extra) for (before, after), extra in zip(padding, more, strict=True))
    return G.Pool(kind, input_shape=shape, kernel_size=layer.kernel_size, stride=layer.stride, padding=padding)


def _node_of_function(function: Any, shape: Shape, where: str) -> G.Node:
    if function is jnp.ravel:
        return G.Flatten(shape)
    name = next((name for name, known in FUNCTIONS.items() if known is function), None)
    if name is None:
        names = ", ".join([*FUNCTIONS, "ravel"])
        _refuse(
            where, f"is a Lambda of a function that has no name in graphs. Those of `jax.nn` and `jax.numpy` that have: {names}.", function
        )
    return G.Activation(name, shape)


def refuse_layer(layer: Any, where: str) -> NoReturn:
    """Raise for a layer without a node."""
    advice = "Write it as layers that have one: Linear, Conv1d, Conv2d, poolings, Lambda of a named function, somas."
    if isinstance(layer, _NN.Dropout):
        advice = "It drops something: make it `eqx.nn.Dropout(p, inference=True)` with `eqx.nn.inference_mode(net)`."
    elif isinstance(layer, _NN.Sequential | _NN.MLP):
        advice = "Put its layers one by one into `somas.Sequential`."
    elif isinstance(layer, _NN.LayerNorm | _NN.RMSNorm):
        advice = "A normalisation over channels has no node; use a `Linear` or leave it out."
    _refuse(where, f"is of the class `{type(layer).__name__}`, for which a graph has no node. {advice}", layer)


def _refuse(where: str, what: str, value: Any) -> NoReturn:
    raise GraphError(f"{where} {what}", where="of", field=where.strip("`"), value=value, allowed="layers that a graph has nodes for")
