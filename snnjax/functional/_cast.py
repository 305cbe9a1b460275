"""Dtypes: that of a state, that in which a step is computed, and everything in it."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def is_array(leaf: Any) -> bool:
    """Whether `leaf` has a dtype of its own; a plain Python number takes that of its surroundings."""
    return isinstance(leaf, jax.Array | np.ndarray | np.generic)


def is_float_array(leaf: Any) -> bool:
    return is_array(leaf) and jnp.issubdtype(leaf.dtype, jnp.floating)


def float_dtype(tree: Any) -> Any:
    """The widest dtype of the floating arrays in `tree`; JAX's default where there are only Python numbers."""
    dtypes = [jax.dtypes.canonicalize_dtype(leaf.dtype) for leaf in jax.tree.leaves(tree) if is_float_array(leaf)]
    return max(dtypes, key=_bits, default=jax.dtypes.canonicalize_dtype(float))


def at_least_float32(dtype: Any) -> Any:
    """`dtype`, or float32 where that is wider: what decays by a little in each step cannot live in 8 bits of precision."""
    return max(dtype, jnp.dtype(jnp.float32), key=_bits)


def _bits(dtype: Any) -> int:
    return jnp.finfo(dtype).bits


def numbers_as(tree: Any, dtype: Any) -> Any:
    """`tree` with every number in `dtype`."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), tree)


def state_as(state: Any, dtype: Any) -> Any:
    """`state` with its floating arrays and Python floats in `dtype`; counters stay integers."""

    def cast(leaf: Any) -> Any:
        is_counter = isinstance(leaf, int) or (is_array(leaf) and not is_float_array(leaf))
        return jnp.asarray(leaf) if is_counter else jnp.asarray(leaf, dtype)

    return jax.tree.map(cast, state)
