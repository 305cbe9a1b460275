"""One value per neuron, `(N,)`, beside a batch of states, `(..., N)`: leading axes of length 1, said and not left to promotion.

So a run promotes no ranks, and works under `jax_numpy_rank_promotion="raise"`.
"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from .._kinds import kinds_of


def leading(array: jax.Array, ndim: int) -> jax.Array:
    """`array` with leading axes of length 1 up to `ndim` axes; a single number as it is.

    >>> import jax.numpy as jnp
    >>> leading(jnp.zeros(3), 2).shape, leading(jnp.float32(0.0), 2).shape
    ((1, 3), ())
    """
    return jax.lax.expand_dims(array, range(ndim - array.ndim)) if 0 < array.ndim < ndim else array


def membrane_shape(state: Any) -> tuple[int, ...]:
    """The shape of the membrane in `state`; `()` where one number stands for all neurons.

    A state may have axes for synapses, or a count for all neurons; of the leaves with axes the membrane has the fewest.
    """
    return min(filter(None, map(np.shape, jax.tree.leaves(state))), key=len, default=())


def beside(params: Any, state: Any) -> Any:
    """`params` in which every array of values per neuron has the batch axes of `state`, of length 1.

    What is per neuron the annotations of the Params say. Arrays with axes of their own, for synapses or senders, stay as they are:
    the wrapper to which they belong knows what is beside them.
    """
    batched = len(membrane_shape(state))
    if all(leaf.ndim in (0, batched) for leaf in jax.tree.leaves(params)):
        return params
    return _along(params, batched)


def _along(params: Any, ndim: int) -> Any:
    if not hasattr(params, "_fields"):
        return params
    kinds = kinds_of(type(params))

    def field(name: str, value: Any) -> Any:
        if name not in kinds:
            return _along(value, ndim)
        return jax.tree.map(lambda leaf: leading(leaf, ndim), value) if kinds[name].axes == "neuron" else value

    return params._replace(**{name: field(name, value) for name, value in params._asdict().items()})
