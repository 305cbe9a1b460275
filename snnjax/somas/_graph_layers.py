"""Layers for nodes of a graph that Equinox and the somas have none for."""

from __future__ import annotations

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .. import functional as F
from .. import graph as G
from .._errors import ConfigError
from ..functional._concrete import concrete
from ._layer import Dynamic
from ._mask import blank, spread

Shape = tuple[int, ...]


class Scale(eqx.Module):
    """`x * scale`, element by element.

    >>> import jax.numpy as jnp
    >>> Scale(jnp.array([1.0, 2.0]))(jnp.ones(2)).tolist()
    [1.0, 2.0]
    """

    scale: jax.Array

    def __call__(self, x: jax.Array) -> jax.Array:
        return x * self.scale


class Threshold(eqx.Module):
    """1 where `x > threshold`, strictly, else 0. It has no gradient.

    >>> import jax.numpy as jnp
    >>> Threshold(jnp.array(0.5))(jnp.array([0.4, 0.5, 0.6])).tolist()
    [0.0, 0.0, 1.0]
    """

    threshold: jax.Array

    def __call__(self, x: jax.Array) -> jax.Array:
        return (x > self.threshold).astype(self.threshold.dtype)


class Flatten(eqx.Module):
    """The axes `start` to `end`, the last included, as one.

    >>> import jax.numpy as jnp
    >>> Flatten(1, 2)(jnp.ones((2, 3, 4))).shape
    (2, 12)
    """

    start: int = eqx.field(static=True)
    end: int = eqx.field(static=True)

    def __call__(self, x: jax.Array) -> jax.Array:
        return x.reshape(*x.shape[: self.start], -1, *x.shape[self.end + 1 :])


class Delay(Dynamic):
    """Hands out what it received `round(delay / dt)` steps before, halves to the even number; 0 where there was no such step.

    Its state is what it received in the last steps, the oldest first, `(..., steps, channels)`. Over a sequence nothing is
    left in a loop. In a cycle the state moves by one place per step; a ring that stays in place is faster to run, and
    several times slower to differentiate.

    Attributes:
        node: the node of the graph, with the delay in seconds.
        dt: the step that the delays were counted in, s.
        steps: one number for all channels, or one per channel.

    >>> import jax.numpy as jnp
    >>> from snnjax import graph
    >>> delay = Delay(graph.Delay(2e-3, 1), dt=1e-3)
    >>> delay.simulate(jnp.arange(1.0, 6.0)[:, None], dt=1e-3)[1].ravel().tolist()
    [0.0, 0.0, 1.0, 2.0, 3.0]
    """

    node: G.Delay = eqx.field(static=True)
    dt: float = eqx.field(static=True)
    steps: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, node: G.Delay, dt: float) -> None:
        self.node, self.dt = node, float(dt)
        # The longest delay is a size in the program.
        with jax.ensure_compile_time_eval():
            self.steps = tuple(np.asarray(F.refractory_steps(node.delay, self.dt)).ravel().tolist())

    def feature_axes(self) -> int:
        return len(self.node.shape)

    def init(self, batch_shape: int | Shape = (), dtype: Any = None) -> jax.Array:
        """The state before anything was received."""
        batch = (batch_shape,) if isinstance(batch_shape, int) else tuple(batch_shape)
        return jnp.zeros((*batch, self._longest, math.prod(self.node.shape)), float if dtype is None else dtype)

    def __call__(self, state: jax.Array, inputs: Any, *, dt: Any, mask: Any = None) -> tuple[jax.Array, jax.Array]:
        """One step. Arguments as of `Soma`."""
        self.check(dt)
        x = jnp.asarray(inputs, state.dtype)
        known = jnp.concatenate([state, x.reshape(*state.shape[:-2], 1, state.shape[-1])], axis=-2)
        place = self._longest - np.broadcast_to(np.asarray(self.steps, int), state.shape[-1:])
        now = jnp.take_along_axis(known, place.reshape(*[1] * (state.ndim - 1), -1), axis=-2).reshape(x.shape)
        new = known[..., 1:, :]
        if mask is None:
            return new, now
        return jnp.where(spread(mask, new), new, state), blank(mask, now)

    def simulate(
        self, inputs: Any, *, dt: Any, state: Any = None, mask: Any = None, segment: int | str | None = None
    ) -> tuple[jax.Array, jax.Array]:
        """All steps, time first. Arguments as of `Soma`."""
        self.check(dt)
        x = jnp.asarray(inputs)
        if state is None:
            batch = x.shape[1 : x.ndim - len(self.node.shape)]
            state = self.init(batch, x.dtype if jnp.issubdtype(x.dtype, jnp.floating) else None)
        if mask is not None:
            return _masked(self, state, x, mask, segment)
        known = jnp.concatenate([jnp.moveaxis(state, -2, 0), x.reshape(len(x), *state.shape[:-2], state.shape[-1]).astype(state.dtype)])
        when = np.arange(len(x))[:, None] + self._longest - np.broadcast_to(np.asarray(self.steps, int), state.shape[-1:])
        now = jnp.take_along_axis(known, when.reshape(len(x), *[1] * (state.ndim - 2), -1), axis=0)
        return jnp.moveaxis(known[len(x) :], 0, -2), now.reshape(x.shape)

    @property
    def _longest(self) -> int:
        return max(self.steps, default=0)

    def check(self, dt: Any) -> None:
        """Refuse another `dt` than the delays were counted in."""
        given = concrete(dt)
        if given is not None and not np.isclose(given, self.dt, rtol=1e-6, atol=0.0):
            raise ConfigError(
                f"`dt` is {float(given)} s, but this network was built for {self.dt} s: its delays are whole numbers of such steps. "
                "Build it again, `graph.build(g, dt=...)`.",
                where="simulate",
                field="dt",
                value=float(given),
                allowed=f"{self.dt} s",
            )


@eqx.filter_jit
def _masked(delay: Delay, state: jax.Array, x: jax.Array, mask: jax.Array, segment: int | str | None) -> tuple[jax.Array, jax.Array]:
    return F.unroll(lambda now, it: delay(now, it[0], dt=delay.dt, mask=it[1]), state, (x, mask), segment=segment)
