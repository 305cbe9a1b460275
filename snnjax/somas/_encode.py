"""Networks as plain descriptions: which layers, with which arguments; the arrays apart, by path.

The classes are keys of closed tables. A description names a class and what its constructor was given, never an import
path, and a layer is rebuilt by that constructor, so its own checks see what a file claims.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NoReturn

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._errors import ConfigError, FormatError, did_you_mean
from . import _config_text as text
from . import _iaf_file as iaf
from ._config import config_class
from ._graph_layers import Delay, Flatten, Scale, Threshold
from ._named import SOMAS
from ._network import Network
from ._neuron_names import neuron_named
from ._sequential import Sequential
from ._soma import Soma

_CONV = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "use_bias", "padding_mode")
_CONV_TRANSPOSE = (*_CONV[:5], "output_padding", *_CONV[5:])
_POOL = ("kernel_size", "stride", "padding", "use_ceil")
_NN = eqx.nn

#: The Equinox layers that a file can name, with the arguments from which each is made again.
_LAYERS: Mapping[str, tuple[Callable[..., Any], tuple[str, ...]]] = MappingProxyType(
    {
        "Linear": (_NN.Linear, ("in_features", "out_features", "use_bias")),
        **{f"Conv{n}d": (made, _CONV) for n, made in enumerate((_NN.Conv1d, _NN.Conv2d, _NN.Conv3d), start=1)},
        **{
            f"ConvTranspose{n}d": (made, _CONV_TRANSPOSE)
            for n, made in enumerate((_NN.ConvTranspose1d, _NN.ConvTranspose2d, _NN.ConvTranspose3d), start=1)
        },
        **{f"AvgPool{n}d": (made, _POOL) for n, made in enumerate((_NN.AvgPool1d, _NN.AvgPool2d, _NN.AvgPool3d), start=1)},
        **{f"MaxPool{n}d": (made, _POOL) for n, made in enumerate((_NN.MaxPool1d, _NN.MaxPool2d, _NN.MaxPool3d), start=1)},
        "LayerNorm": (_NN.LayerNorm, ("shape", "eps", "use_weight", "use_bias")),
        "RMSNorm": (_NN.RMSNorm, ("shape", "eps", "use_weight", "use_bias")),
        "Dropout": (_NN.Dropout, ("p", "inference")),
        "Identity": (_NN.Identity, ()),
    }
)
_NEEDS_KEY = ("Linear", *(name for name in _LAYERS if name.startswith("Conv")))

#: The functions that a file can name in a `Lambda`.
_FUNCTIONS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        **{f.__name__: f for f in (jax.nn.relu, jax.nn.sigmoid, jax.nn.softplus, jax.nn.gelu, jax.nn.silu, jax.nn.softmax)},
        **{name: getattr(jnp, name) for name in ("tanh", "ravel", "abs", "square")},
    }
)

_DEPTH = 16


def encode(layer: Any, path: str = "the network") -> dict[str, Any]:
    """The description of a layer.

    Raises:
        ConfigError: it is of a class, or holds a function, that a file cannot name.
    """
    if type(layer) is Sequential:
        return {"class": "Sequential", "layers": [encode(inner, f"layers[{k}]") for k, inner in enumerate(layer.layers)]}
    if isinstance(layer, Soma) and type(layer) in (Soma, *SOMAS.values()):
        _check_neuron(layer.neuron, path)
        choices = text.encode_choices(layer.config, layer.neuron, path)
        return {"class": type(layer).__name__, "neuron": layer.neuron.name, "shape": list(layer.shape), "choices": choices}
    if isinstance(layer, iaf.IAFLayer) and type(layer) in iaf.LAYERS.values():
        _check_neuron(layer.neuron, path)
        return iaf.encode(layer, path)
    if type(layer) is _NN.Lambda:
        known = next((name for name, function in _FUNCTIONS.items() if function is layer.fn), None)
        if known is None:
            _refuse_to_save(path, f"is a Lambda of a function of your own; a file can name {', '.join(_FUNCTIONS)}")
        return {"class": "Lambda", "function": known}
    known = next((name for name, (made, _) in _LAYERS.items() if type(layer) is made), None)
    if known is None:
        names = ", ".join(["Sequential", *SOMAS, "Soma", *iaf.LAYERS, "Lambda", *_LAYERS])
        as_graph = (
            " (`graph.save(path, graph.of(net))` can hold it)" if isinstance(layer, Network | Scale | Threshold | Flatten | Delay) else ""
        )
        _refuse_to_save(path, f"is a {type(layer).__name__}, which a file cannot name{as_graph}; it can name {names}")
    return {"class": known, "arguments": {name: _plain(getattr(layer, name)) for name in _LAYERS[known][1]}}


def decode(content: Any, depth: int = 0) -> Any:
    """A layer as described, with arrays of the right shapes and any values.

    Raises:
        FormatError: it names something that is in no table, or its arguments make no such layer.
    """
    if not isinstance(content, dict) or not isinstance(content.get("class"), str) or depth > _DEPTH:
        _refuse("describes a layer without a class, or nests too deep")
    name, rest = content["class"], {key: value for key, value in content.items() if key != "class"}
    if name == "Sequential" and set(rest) == {"layers"} and isinstance(rest["layers"], list):
        return Sequential([decode(inner, depth + 1) for inner in rest["layers"]])
    if (name in SOMAS or name == "Soma") and set(rest) == {"neuron", "shape", "choices"}:
        return _decode_soma(name, **rest)
    if name in iaf.LAYERS and set(rest) == set(iaf.KEYS):
        return _without_arrays(name, lambda: iaf.decode(name, rest))
    if name == "Lambda" and set(rest) == {"function"} and isinstance(rest["function"], str) and rest["function"] in _FUNCTIONS:
        return _NN.Lambda(_FUNCTIONS[rest["function"]])
    if name in _LAYERS and set(rest) == {"arguments"}:
        return _decode_layer(name, rest["arguments"])
    known = ["Sequential", *SOMAS, *iaf.LAYERS, *_LAYERS]
    _refuse(f"describes a layer {name!r:.60} that this snnjax cannot make. {did_you_mean(name[:60], known)}")


def _check_neuron(neuron: Any, path: str) -> None:
    if neuron_named(neuron.name) != neuron:
        _refuse_to_save(path, f"has the neuron {neuron.name!r}, which is not made of the models and wrappers of `snnjax.functional`")


def _decode_soma(name: str, neuron: Any, shape: Any, choices: Any) -> Any:
    model = neuron_named(neuron) if isinstance(neuron, str) else None
    wanted = SOMAS[name].config_class.neuron if name in SOMAS else model
    if model is None or model != wanted:
        _refuse(f"describes a {name} with the neuron {neuron!r:.60}")
    made = SOMAS[name].config_class if name in SOMAS else config_class(model, "SomaConfig")
    arguments = text.decode_choices(choices, model, name)
    config = made(text.decode_shape(shape, "shape", name), **arguments, skip_validation=True)
    return _without_arrays(name, config.build)


def _decode_layer(name: str, arguments: Any) -> Any:
    make, known = _LAYERS[name]
    if not isinstance(arguments, dict) or set(arguments) != set(known):
        _refuse(f"gives a {name} other arguments than {', '.join(known) or 'none'}")
    extra = {"key": jax.random.key(0)} if name in _NEEDS_KEY else {}
    arguments = {key: _tuples(value) for key, value in arguments.items()}
    return _without_arrays(name, lambda: make(**arguments, **extra))


def _without_arrays(name: str, make: Callable[[], Any]) -> Any:
    """What `make` makes, with shapes in place of arrays: a file may claim any size.

    The choices of somas stay as they are: arrays among them, slopes of surrogates, are in the description.
    """
    choices: list[Any] = []

    def noted() -> Any:
        made = make()
        choices.extend(soma.config for soma in _somas(made))
        return made

    try:
        made = eqx.filter_eval_shape(noted)
    except Exception as error:  # whatever a constructor makes of what a file claims, it is the file that is wrong
        _refuse(f"describes a {name} that cannot be made: {error!s:.200}")
    return eqx.tree_at(lambda made: [soma.config for soma in _somas(made)], made, jax.tree.map(_as_jax, choices)) if choices else made


def _somas(layer: Any) -> list[Soma]:
    return [node for node in jax.tree.leaves(layer, is_leaf=lambda node: isinstance(node, Soma)) if isinstance(node, Soma)]


def _as_jax(number: Any) -> Any:
    """An array as one of JAX, where JAX has its dtype; else as it is."""
    is_array = isinstance(number, np.ndarray) and jax.dtypes.canonicalize_dtype(number.dtype) == number.dtype
    return jnp.asarray(number) if is_array else number


def _plain(value: Any) -> Any:
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def _tuples(value: Any) -> Any:
    return tuple(_tuples(inner) for inner in value) if isinstance(value, list) else value


def _refuse_to_save(path: str, what: str) -> NoReturn:
    raise ConfigError(
        f"{path} {what}. Loading must not run code, so other classes are not saved; their arrays can be, as `extra`.",
        where="save",
        field=path,
        value=what,
        allowed="Sequential, somas, and layers of equinox.nn",
    )


def _refuse(what: str) -> NoReturn:
    raise FormatError(f"The file {what.removesuffix('.')}.", where="load", field="header", allowed="a network that `somas.save` wrote")
