"""What a function closes over, as arguments: a rule of differentiation cannot see through closures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax


def hoist(function: Callable[..., Any], *example: Any) -> tuple[tuple[Any, ...], Callable[[Sequence[Any]], Callable[..., Any]]]:
    """The traced arrays that `function` closes over when called like `example`, and what makes it again from such arrays.

    `jax.closure_convert` leaves whole numbers where they are. Where the function is part of another loop, a rule must not
    close over those either.

    >>> import jax, jax.numpy as jnp
    >>> @jax.jit
    ... def shifted(shift):
    ...     arrays, again = hoist(lambda x: x + shift, jnp.array([0, 0]))
    ...     return again([10 * array for array in arrays])(jnp.array([1, 1]))
    >>> shifted(jnp.array([1, 2])).tolist()
    [11, 21]
    """
    import equinox as eqx  # late: importing the functions alone does not bring it along

    arrays, program = eqx.partition(eqx.filter_closure_convert(function, *example), eqx.is_array)
    leaves, tree = jax.tree.flatten(arrays)

    def again(leaves: Sequence[Any]) -> Callable[..., Any]:
        made = eqx.combine(jax.tree.unflatten(tree, leaves), program)
        return lambda *args: made(*args)  # a loop takes functions that can be hashed

    return tuple(leaves), again
