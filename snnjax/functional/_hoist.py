"""What a function closes over, as arguments: a rule of differentiation cannot see through closures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax


def hoist(function: Callable[..., Any], *example: Any) -> tuple[tuple[Any, ...], Callable[[Sequence[Any]], Callable[..., Any]]]:
    """The arrays that `function` closes over when called like `example`, and what makes it again from such arrays.

    `jax.closure_convert` leaves whole numbers where they are. Where the function is part of another loop, a rule must not
    close over those either.

    >>> import jax.numpy as jnp
    >>> shift, scale = jnp.arange(2), jnp.array(3.0)
    >>> arrays, again = hoist(lambda x: x * scale + shift, 1.0)
    >>> again([2 * array for array in arrays])(1.0).tolist()
    [6.0, 8.0]
    """
    arrays, program = eqx.partition(eqx.filter_closure_convert(function, *example), eqx.is_array)
    leaves, tree = jax.tree.flatten(arrays)

    def again(leaves: Sequence[Any]) -> Callable[..., Any]:
        made = eqx.combine(jax.tree.unflatten(tree, leaves), program)
        return lambda *args: made(*args)  # a loop takes functions that can be hashed

    return tuple(leaves), again
