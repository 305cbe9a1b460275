"""From a config to the model's Params: numbers become arrays, initialisers are drawn."""

from __future__ import annotations

import hashlib
from typing import Any

import jax
import jax.numpy as jnp

from .._errors import ConfigError, ParameterError
from ..functional._check import check_params
from ..functional._concrete import check_domain, check_key
from ._config_check import is_filled
from ._fields import Field, fields_of, params_with
from ._initialisers import Initialiser


def resolve(config: Any, key: Any, dtype: Any) -> Any:
    """The Params of `config`, every number an array of `dtype`."""
    where = type(config).__name__
    if key is not None:
        check_key(key, where)
    values = {}
    for name, field in fields_of(config.neuron).items():
        value = getattr(config, name)
        if isinstance(value, Initialiser):
            values[name] = _draw(value, field, config, key, dtype)
        else:
            array = jnp.asarray(value, dtype)
            values[name] = jnp.broadcast_to(array, field.full(config.shape)) if is_filled(value, field) else array
    # A wrapper may have taken the place of an inner parameter, which then rests at its default.
    params = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), params_with(config.neuron, values))
    if config._validated:
        check_params(params, config.shape, config.neuron.ports, (), where)
    return params


def key_of(key: Any, name: str) -> Any:
    """The key with which the field `name` is drawn; of the name alone, so that other fields do not matter."""
    # Not Python's hash(), which differs from one process to the next.
    return jax.random.fold_in(key, int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "little"))


def _draw(value: Initialiser, field: Field, config: Any, key: Any, dtype: Any) -> jax.Array:
    if value.random and key is None:
        raise ConfigError(
            f"`{field.name}` is drawn from {value}, so `build` needs a key: `config.build(jax.random.key(0))`.",
            where="build",
            field="key",
            value=None,
            allowed="a key of jax.random",
        )
    drawn = value.draw(None if key is None else key_of(key, field.name), field.full(config.shape), dtype)
    if config._validated:
        try:
            check_domain(drawn, field.name, field.kind, type(config).__name__)
        except ParameterError as error:
            raise ParameterError(
                f"{error} It was drawn from {value}; `LogNormal` and `TruncatedNormal` stay inside a domain.",
                where=error.where,
                field=error.field,
                value=error.value,
                allowed=error.allowed,
            ) from None
    return drawn
