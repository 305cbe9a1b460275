"""Layers without a state, applied to all time steps and batch elements at once.

A layer of Equinox works on one example. Over a sequence it is one matrix product for `eqx.nn.Linear`, and one batched
call for any other layer; nothing of it is left inside the loop over time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from .._errors import ShapeError

# A matrix product picks its algorithm, and with it the order of its sums, by the number of rows. With whole multiples
# of this many rows the sums of a row do not depend on how many others there are, so that a recording in pieces gives
# the bits of the whole (measured on CPUs with JAX 0.10 and 0.12; fewer rows, or odd numbers of them, do differ).
_ROWS = 128


def feature_axes(layer: Any) -> int | None:
    """How many axes one example of `layer` has; `None` where any number will do.

    >>> import equinox as eqx, jax
    >>> feature_axes(eqx.nn.Conv2d(1, 1, 3, key=jax.random.key(0))), feature_axes(eqx.nn.Identity())
    (3, None)
    """
    if isinstance(layer, eqx.nn.Linear):
        return 0 if layer.in_features == "scalar" else 1
    if isinstance(layer, eqx.nn.MLP):
        return 0 if layer.in_size == "scalar" else 1
    if isinstance(layer, eqx.nn.Conv | eqx.nn.ConvTranspose | eqx.nn.Pool):
        return layer.num_spatial_dims + 1
    if isinstance(layer, eqx.nn.LayerNorm | eqx.nn.RMSNorm):
        return len(layer.shape)
    return None


def project(layer: Callable[..., Any], x: jax.Array, lead: int, where: str, *, exact: bool) -> jax.Array:
    """`layer` over the first `lead` axes of `x`.

    Args:
        layer: a callable on one example.
        x: an array, or a raster of integers or booleans, which are cast to the dtype of the layer's weights.
        lead: number of time and batch axes.
        where: what to call the layer in an error.
        exact: whether the result for one row must not depend on the number of rows.

    Raises:
        ShapeError: an `eqx.nn.Linear` has another number of inputs, or a convolution other channels or axes.
    """
    linear = layer if isinstance(layer, eqx.nn.Linear) and "scalar" not in (layer.in_features, layer.out_features) else None
    if linear is not None:
        _check_linear(linear, x.shape[lead:], where)
    if isinstance(layer, eqx.nn.Conv | eqx.nn.ConvTranspose):
        _check_channels(layer, x.shape[lead:], where)
    weights = [leaf for leaf in jax.tree.leaves(layer) if eqx.is_inexact_array(leaf)]
    x = jnp.asarray(x, weights[0].dtype) if weights else jnp.asarray(x)
    rows = math.prod(x.shape[:lead])
    flat = x.reshape(rows, *x.shape[lead:])
    if exact and weights:
        flat = jnp.pad(flat, [(0, max(-rows % _ROWS, _ROWS - rows)), *[(0, 0)] * (flat.ndim - 1)])
    if linear is not None:
        out = flat @ linear.weight.T
        out = out if linear.bias is None else out + linear.bias[None]
    else:
        out = jax.vmap(layer)(flat)
    return out[:rows].reshape(*x.shape[:lead], *out.shape[1:])


def _check_linear(layer: eqx.nn.Linear, shape: tuple[int, ...], where: str) -> None:
    if shape != (layer.in_features,):
        raise ShapeError(
            f"`inputs` of `{where}` must have {layer.in_features} features in the last axis; got {shape} behind those of time and batch. "
            "Time comes first, where there is a sequence.",
            where=where,
            field="inputs",
            value=shape,
            allowed=f"({layer.in_features},)",
        )


def _check_channels(layer: eqx.nn.Conv | eqx.nn.ConvTranspose, shape: tuple[int, ...], where: str) -> None:
    if shape[:1] != (layer.in_channels,) or len(shape) != 1 + layer.num_spatial_dims:
        sizes = ", ".join(["size"] * layer.num_spatial_dims)
        raise ShapeError(
            f"`inputs` of `{where}` must be ({layer.in_channels}, {sizes}), channels of {layer.num_spatial_dims} axes; "
            f"got {shape} behind those of time and batch. Time comes first, where there is a sequence.",
            where=where,
            field="inputs",
            value=shape,
            allowed=f"({layer.in_channels}, {sizes})",
        )
