"""The parts of an IAF layer, made of its arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .. import functional as F
from .._errors import ConfigError
from ..functional._cast import float_dtype
from ..functional._concrete import check_key
from . import _iaf_door as door
from ._config import config_class
from ._config_check import check_dtype
from ._delays import Delays
from ._iaf_noise import Noise, noise_of
from ._initialisers import Initialiser
from ._resolve import key_of
from ._soma import Soma

_OWN = ("weight", "neuron", "tau_syn", "delay", "sigma", "key", "dtype")
_OWN_REC = (*_OWN, "weight_rec", "tau_syn_rec", "delay_rec")


class Arguments(NamedTuple):
    """What both kinds of layer are made of; the pairs are for what comes in and for what comes back."""

    weights: tuple[Any, Any]
    taus: tuple[Any, Any]
    delays: tuple[Any, Any]
    neuron: Any
    sigma: Any
    key: Any
    dtype: Any
    fields: Mapping[str, Any]


class Parts(NamedTuple):
    """What a layer holds."""

    weights: tuple[jax.Array | None, jax.Array | None]
    delays: tuple[Delays | None, Delays | None]
    soma: Soma
    noise: Noise | None


def parts(given: Arguments, where: str) -> Parts:
    """The parts, checked; `where` is the class of the layer."""
    is_recurrent = given.weights[1] is not None
    door.check_membrane(given.neuron, where)
    door.check_fields(given.fields, given.neuron, _OWN_REC if is_recurrent else _OWN, where)
    if given.key is not None:
        check_key(given.key, where)
    if given.sigma is not None:
        door.check_sigma(given.sigma, where)
    dtype = float_dtype(given.weights) if given.dtype is None else check_dtype(given.dtype, where)
    weights = door.as_matrices(*given.weights, dtype, where)
    n = next(weight.shape[1] for weight in reversed(weights) if weight is not None)
    delays = (_delays(given.delays[0], weights[0], "delay"), _delays(given.delays[1], weights[1], "delay_rec"))
    soma = _soma(given, n, dtype, where)
    return Parts(weights, delays, soma, None if given.sigma is None else noise_of(soma, given.sigma, where))


def _delays(delay: Any, weight: jax.Array | None, name: str) -> Delays | None:
    if delay is None:
        return None
    if weight is None:
        weights = "weight" if name == "delay" else "weight_rec"
        text = f"`{name}` is a delay of weights, and `{weights}` is None. Give weights, such as `jnp.eye(n)`, or leave `{name}` out."
        raise ConfigError(text, where="IAF layer", field=name, value=delay, allowed="None without weights")
    return Delays(delay, weight.shape, name)


def _soma(given: Arguments, n: int, dtype: Any, where: str) -> Soma:
    """The neurons, with a synapse for each time constant of one, and a place for currents beside them."""
    named = {name: tau for name, tau in zip(("tau_syn", "tau_syn_rec"), given.taus, strict=True) if tau is not None}
    neuron, fields = given.neuron, dict(given.fields)
    config_class(neuron, where)(shape=(n,), **fields)  # refuses before the time constants below are made arrays
    if named:
        neuron = F.synapses(neuron, len(named))
        taus = [_time_constant(tau, name, n, given.key, dtype, where) for name, tau in named.items()]
        per_neuron = any(map(np.shape, taus))
        fields["tau_syn"] = jnp.stack([jnp.broadcast_to(jnp.asarray(tau, dtype), (n,) if per_neuron else ()) for tau in taus])
    return config_class(F.injected(neuron), where)(shape=(n,), **fields).build(given.key, dtype=dtype)


def _time_constant(tau: Any, name: str, n: int, key: Any, dtype: Any, where: str) -> Any:
    if isinstance(tau, Initialiser):
        if tau.random and key is None:
            door.refuse_key(None, f"`{name}` is drawn from {tau}, so `{where}` needs a key: `key=jax.random.key(0)`.", where)
        tau = tau.draw(None if key is None else key_of(key, name), (n,), dtype)
    door.check_tau(tau, name, n, where)
    return tau
