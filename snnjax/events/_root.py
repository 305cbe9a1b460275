"""Roots of elementwise functions, with the derivatives of the implicit function theorem."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

#: `excess(t, *arguments)`, elementwise; a module-level function, so that equal calls compile once.
Excess = Callable[..., jax.Array]


def as_root(excess: Excess, time: jax.Array, arguments: tuple[Any, ...]) -> jax.Array:
    """`time`, known to be a root of `excess` where it is finite, as a function of `arguments`.

    The derivative is `-(d excess/d arguments) / (d excess/dt)` at the root, and 0 where there is none.
    """
    return _as_root(excess, jax.lax.stop_gradient(time), arguments)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _as_root(excess: Excess, time: jax.Array, arguments: tuple[Any, ...]) -> jax.Array:
    del excess, arguments
    return time


@_as_root.defjvp
def _as_root_jvp(excess: Excess, primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    time, arguments = primals
    root = _as_root(excess, time, arguments)  # itself, and not `time`, so that higher derivatives are right too
    found = jnp.isfinite(root)
    # A harmless place where there is no root: what is computed there must be finite, though it is not used.
    at = jnp.where(found, root, 0.0)
    slope = jax.jvp(lambda t: excess(t, *arguments), (at,), (jnp.ones_like(at),))[1]
    moved = jax.jvp(lambda *values: excess(at, *values), arguments, tangents[1])[1]
    # Below the square root of the smallest number the quotient could overflow.
    steep = found & (slope > jnp.finfo(slope.dtype).tiny ** 0.5)
    return root, jnp.where(steep, -moved / jnp.where(steep, slope, 1.0), 0.0)


def bracketed(excess: Excess, high: Any, starts: Any, arguments: tuple[Any, ...]) -> jax.Array:
    """The root between 0 and `high`, where `starts` (at or below 0 at the start) and above 0 at `high`; else infinity.

    Newton's method, and bisection wherever Newton leaves the bracket. Not differentiated: see `as_root`.
    """
    return _bracketed(excess, *jax.lax.stop_gradient((high, starts, arguments)))


@functools.partial(jax.jit, static_argnums=0)  # or the loop would be compiled at every call outside `jit`
def _bracketed(excess: Excess, high: Any, starts: Any, arguments: tuple[Any, ...]) -> jax.Array:
    found = starts & (excess(high, *arguments) > 0.0)
    shape, dtype = found.shape, jnp.result_type(high)
    high = jnp.broadcast_to(high, shape)

    def narrow(_: Any, bracket: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array, jax.Array]:
        low, high, t = bracket
        value, slope = jax.jvp(lambda t: excess(t, *arguments), (t,), (jnp.ones_like(t),))
        low, high = jnp.where(value > 0.0, low, t), jnp.where(value > 0.0, t, high)
        newton = t - value / jnp.where(slope > 0.0, slope, 1.0)
        inside = (slope > 0.0) & (newton > low) & (newton < high)
        return low, high, jnp.where(inside, newton, low + 0.5 * (high - low))

    rounds = jnp.finfo(dtype).nmant + 8  # bisection alone would do; Newton needs a few
    root = jax.lax.fori_loop(0, rounds, narrow, (jnp.zeros(shape, dtype), high, 0.5 * high))[2]
    return jnp.where(found, root, jnp.inf)
