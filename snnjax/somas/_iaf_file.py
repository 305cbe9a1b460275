"""An IAF layer as a plain description, from which its constructor makes it again; the arrays are stored by path.

{"class": "RecurrentIAF", "shape": [4, 8], "has_weight": true, "neuron": "refractory(leaky)",
 "choices": {...}, "has_synapse": [true, true], "delays": [null, 0.001], "sigma": [8]}
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import jax.numpy as jnp

from .._errors import FormatError
from . import _config_text as text
from ._iaf import FeedForwardIAF, RecurrentIAF
from ._iaf_layer import IAFLayer
from ._neuron_names import neuron_named

#: The layers that a file can name.
LAYERS: Mapping[str, type[IAFLayer]] = MappingProxyType({made.__name__: made for made in (FeedForwardIAF, RecurrentIAF)})
KEYS = ("shape", "has_weight", "neuron", "choices", "has_synapse", "delays", "sigma")


def encode(layer: IAFLayer, path: str) -> dict[str, Any]:
    """The description.

    Raises:
        ConfigError: a choice is a function of one's own.
    """
    delays = [None if it is None else text.encode(it.seconds, it.name, path) for it in (layer.delay, layer.delay_rec)]
    return {
        "class": type(layer).__name__,
        "shape": list(layer.shape),
        "has_weight": layer.weight is not None,
        "neuron": layer.neuron.name,
        "choices": text.encode_choices(layer.soma.config, layer.soma.neuron, path),
        "has_synapse": list(layer.has_synapse),
        "delays": delays,
        "sigma": None if layer.noise is None else list(jnp.shape(layer.noise.sigma)),
    }


def decode(name: str, content: Mapping[str, Any]) -> IAFLayer:
    """The layer as described, with zeros for weights; whatever does not make one raises."""
    inputs, n = text.decode_shape(content["shape"], "shape", name)
    neuron = neuron_named(content["neuron"])
    if neuron is None:
        raise FormatError(f"no neuron is called {content['neuron']!r:.60}")
    is_recurrent = LAYERS[name] is RecurrentIAF
    pairs = [
        [1.0 if there is True else None for there in content["has_synapse"]],
        [None if it is None else text.decode(it, "delay", name) for it in content["delays"]],
    ]
    if any(len(pair) != 2 or (pair[1] is not None and not is_recurrent) for pair in pairs):
        raise FormatError("its synapses or delays are not two, one for what comes in and one for what comes back")
    (tau_syn, tau_syn_rec), (delay, delay_rec) = pairs
    common = {
        "neuron": neuron,
        "tau_syn": tau_syn,
        "delay": delay,
        "sigma": None if content["sigma"] is None else jnp.zeros(text.decode_shape(content["sigma"], "sigma", name)),
        **text.decode_choices(content["choices"], neuron, name),
    }
    weight = jnp.zeros((inputs, n)) if content["has_weight"] is True else None
    if is_recurrent:
        return RecurrentIAF(weight, jnp.zeros((n, n)), tau_syn_rec=tau_syn_rec, delay_rec=delay_rec, **common)
    return FeedForwardIAF(weight, **common)
