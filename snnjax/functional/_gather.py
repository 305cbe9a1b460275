"""Spikes of a population that lies on several devices, sent to all of them as bits."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp

from .._errors import ConfigError


def all_gather_spikes(spikes: jax.Array, axis_name: str) -> jax.Array:
    """The spikes of all neurons, from those of the neurons on this device.

    Inside `jax.shard_map`, over a mesh axis along which the neurons lie. Eight neurons travel in a byte, where
    `jax.lax.all_gather` would send four bytes for each; the values that arrive are the same. The gradient is that of
    `jax.lax.all_gather`, and travels in the dtype of the spikes.

    Args:
        spikes: 0 or 1, `(..., N)`.
        axis_name: of the mesh.

    Returns:
        `(..., devices * N)`, in the order of the devices.

    Raises:
        ConfigError: there is no such axis here.

    >>> import jax, numpy as np
    >>> from jax.sharding import PartitionSpec as P
    >>> from snnjax import functional as F
    >>> mesh = jax.sharding.Mesh(np.array(jax.devices()), ("neurons",))
    >>> everywhere = jax.shard_map(lambda s: F.all_gather_spikes(s, "neurons"), mesh=mesh, in_specs=P("neurons"), out_specs=P("neurons"))
    >>> everywhere(jax.numpy.ones(len(mesh.devices))).shape == (len(mesh.devices) ** 2,)
    True
    """
    try:
        jax.lax.axis_index(axis_name)
    except NameError:
        text = f"There is no axis {axis_name!r} here: `axis_name` is an axis of a mesh, inside `jax.shard_map` over that mesh."
        raise ConfigError(text, where="all_gather_spikes", field="axis_name", value=axis_name, allowed="an axis of the mesh") from None
    return _gathered(jnp.asarray(spikes), axis_name)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def _gathered(spikes: jax.Array, axis_name: str) -> jax.Array:
    n = spikes.shape[-1]
    bits = jax.lax.all_gather(jnp.packbits(spikes > 0, axis=-1), axis_name, axis=spikes.ndim - 1)
    return jnp.unpackbits(bits, axis=-1, count=n).reshape(*spikes.shape[:-1], -1).astype(spikes.dtype)


@_gathered.defjvp
def _gathered_jvp(axis_name: str, primals: Any, tangents: Any) -> Any:
    (spikes,), (slope,) = primals, tangents
    return _gathered(spikes, axis_name), jax.lax.all_gather(slope, axis_name, axis=spikes.ndim - 1, tiled=True)
