"""A soma as a node of a graph, and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .. import functional as F
from .. import graph as G
from .._errors import GraphError, did_you_mean
from ..graph._data import plain
from ..graph._models import known_models, model_named
from . import _config_text as text
from ._choices import choices_of, same_choice
from ._config import config_class
from ._named import SOMAS
from ._neuron_names import neuron_named
from ._soma import Soma

_NAMED = {made.config_class.neuron.name: made for made in SOMAS.values()}


def node_of_soma(soma: Soma, where: str, explicit: bool = False) -> G.Neurons:
    """The node of a soma; with its choices where they are not the model's defaults, or where that is asked for.

    Raises:
        GraphError: the model is of your own and not registered.
        ConfigError: a choice is a function of your own.
    """
    neuron = soma.neuron
    known = neuron_named(neuron.name)
    if known != neuron and (known is not None or model_named(neuron.name) is None):
        raise GraphError(
            f"{where} has the neuron {neuron.name!r}, which is not one that graphs know by that name. "
            "`graph.register(name, Params)` makes a model of your own known; `graph.build` then takes it as `models`.",
            where="of",
            field=where.strip("`"),
            value=neuron.name,
            allowed=", ".join(known_models()),
        )
    node = G.Neurons(neuron.name, soma.params, soma.shape)
    defaults = choices_of(neuron)
    is_default = all(same_choice(getattr(soma.config, name), default) for name, default in defaults.items())
    return node if is_default and not explicit else dataclasses.replace(node, choices=text.encode_choices(soma.config, neuron, where))


def soma_of_neurons(node: G.Neurons, where: str, models: Mapping[str, F.Neuron]) -> Soma:
    """The soma of a node.

    Raises:
        GraphError: there is no such model.
        ConfigError: its `choices` are malformed.
    """
    neuron = model_of(node, where, models)
    choices = {} if node.choices is None else text.decode_choices(plain(node.choices), neuron, where)
    named = _NAMED.get(node.model)
    made = named.config_class if named and named.config_class.neuron == neuron else config_class(neuron, "SomaConfig")
    soma = made(node.shape, **choices, skip_validation=True).build()
    return eqx.tree_at(lambda it: it.params, soma, _params(neuron.default(), node.params, neuron))


def model_of(node: G.Neurons, where: str, models: Mapping[str, F.Neuron]) -> F.Neuron:
    """The model that a node names: of `models`, of the library, or composed of them."""
    models = {**F.MODELS, **models}
    neuron = neuron_named(node.model, models)
    if neuron is None:
        raise GraphError(
            f"{where} has the model {node.model!r:.100}, which `build` does not have. Give it: `graph.build(g, models={{name: neuron}})`. "
            f"{did_you_mean(node.model[:60], models)}",
            where="build",
            field="models",
            value=node.model,
            allowed=", ".join(models),
        )
    return neuron


def _params(record: Any, given: Mapping[str, Any], neuron: F.Neuron) -> Any:
    """The Params of the class of `record` with these values."""
    if not hasattr(record, "_fields"):  # one number per synaptic gate in place of one for all
        assert neuron.gates is not None
        return neuron.gates(**{name: numbers(value) for name, value in given.items()})

    def made(name: str, value: Any) -> Any:
        return _params(getattr(record, name), value, neuron) if isinstance(value, Mapping) else numbers(value)

    return type(record)(**{name: made(name, value) for name, value in given.items()})


def numbers(array: np.ndarray) -> jax.Array:
    """An array of a node in a dtype that JAX has switched on: floats as they are, or float32; integers as floats."""
    dtype = array.dtype if jnp.issubdtype(array.dtype, jnp.floating) else np.dtype(float)
    return jnp.asarray(array, jax.dtypes.canonicalize_dtype(dtype))
