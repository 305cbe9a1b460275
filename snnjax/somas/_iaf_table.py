"""An IAF layer as a table."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._choices import choices_of
from ._config import config_class
from ._config_docs import Row, aligned, rows, show

_WEIGHTS = {
    "weight": "weights, from input (row) to neuron (column)",
    "weight_rec": "recurrent weights, from sender (row) to receiver (column)",
}
_DELAYS = {"delay": "delay of the inputs", "delay_rec": "delay of the recurrent spikes"}
_SYNAPSES = {"tau_syn": "time constant of the input synapses", "tau_syn_rec": "time constant of the recurrent synapses"}


def describe(layer: Any) -> str:
    """The connections, then the parameters and choices of the neurons."""
    soma = layer.soma
    choices = {name: getattr(soma.config, name) for name in choices_of(soma.neuron)}
    config = config_class(soma.neuron, "Neurons").from_params(soma.params, soma.shape, **choices)
    neurons = [row for row in rows(config) if row[0] != "tau_syn"]
    return aligned(type(layer).__name__, [("shape", str(layer.shape), "", "", "inputs, neurons"), *_connections(layer), *neurons])


def _connections(layer: Any) -> list[Row]:
    weights = [(name, getattr(layer, name)) for name in _WEIGHTS]
    found = [(name, show(np.asarray(matrix)), "A", "finite", _WEIGHTS[name]) for name, matrix in weights if matrix is not None]
    delays = [(name, getattr(layer, name)) for name in _DELAYS]
    found += [(name, show(delay.seconds), "s", ">= 0", _DELAYS[name]) for name, delay in delays if delay is not None]
    names = [name for name, there in zip(_SYNAPSES, layer.has_synapse, strict=True) if there]
    taus = np.asarray(layer.soma.params.tau_syn) if names else ()
    found += [(name, show(tau), "s", "> 0", _SYNAPSES[name]) for name, tau in zip(names, taus, strict=True)]
    if layer.noise is not None:
        found.append(("sigma", show(np.asarray(layer.noise.sigma)), "V", ">= 0", "standard deviation of the membrane, without threshold"))
    return found
