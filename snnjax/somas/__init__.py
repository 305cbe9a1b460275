"""Somas: populations of neurons as Equinox modules, their configs, and networks that train.

A config describes a population; `build` makes the soma; `Sequential` chains somas with the layers of Equinox. Training
is `eqx.partition` with `trainable(...)`, any optimizer of Optax, and a loop of one's own.
"""

from ._config import SomaConfig, config_class
from ._iaf import FeedForwardIAF, RecurrentIAF
from ._iaf_run import IAFState
from ._initialisers import Constant, Initialiser, LogNormal, Normal, PerGroup, TruncatedNormal, Uniform
from ._layer import Dynamic
from ._losses import cross_entropy, latency_loss, membrane_cross_entropy, rate_loss
from ._named import (
    AdaptiveLeakySoma,
    AdaptiveLeakySomaConfig,
    DynapseSoma,
    DynapseSomaConfig,
    LeakyIntegratorSoma,
    LeakyIntegratorSomaConfig,
    LeakySoma,
    LeakySomaConfig,
    LIFRefracSoma,
    LIFRefracSomaConfig,
    LIFSoma,
    LIFSomaConfig,
    RefractoryLeakySoma,
    RefractoryLeakySomaConfig,
    StrictRefractoryLeakySoma,
    StrictRefractoryLeakySomaConfig,
)
from ._network import Network
from ._network_run import NetworkState
from ._readout import first_spike_time, max_over_time, mean_over_time, spike_count
from ._save import load, load_extra, save
from ._sequential import Sequential
from ._soma import Soma
from ._trainable import trainable

__all__ = [
    "AdaptiveLeakySoma",
    "AdaptiveLeakySomaConfig",
    "Constant",
    "Dynamic",
    "DynapseSoma",
    "DynapseSomaConfig",
    "FeedForwardIAF",
    "IAFState",
    "Initialiser",
    "LIFRefracSoma",
    "LIFRefracSomaConfig",
    "LIFSoma",
    "LIFSomaConfig",
    "LeakyIntegratorSoma",
    "LeakyIntegratorSomaConfig",
    "LeakySoma",
    "LeakySomaConfig",
    "LogNormal",
    "Network",
    "NetworkState",
    "Normal",
    "PerGroup",
    "RecurrentIAF",
    "RefractoryLeakySoma",
    "RefractoryLeakySomaConfig",
    "Sequential",
    "Soma",
    "SomaConfig",
    "StrictRefractoryLeakySoma",
    "StrictRefractoryLeakySomaConfig",
    "TruncatedNormal",
    "Uniform",
    "config_class",
    "cross_entropy",
    "first_spike_time",
    "latency_loss",
    "load",
    "load_extra",
    "max_over_time",
    "mean_over_time",
    "membrane_cross_entropy",
    "rate_loss",
    "save",
    "spike_count",
    "trainable",
]
