"""Delays of single synapses: what is sent waits in a line, and each weight takes it out as late as its delay says.

    arriving[t, n] = sum over m of weight[m, n] * sent[t - steps[m, n], m],     steps = round(delay / dt)

The line holds what was sent in the last steps, the newest last. It moves by one place per step. A ring, which stays and
is written at a place that moves, was 2 to 4 times faster to run and 5 to 12 times slower to differentiate (100 steps, CPU);
beside the product with the weights neither matters.
"""

from __future__ import annotations

import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .. import functional as F
from .._errors import ConfigError, ShapeError
from .._kinds import Kind
from ..functional._check import _check_duration
from ..functional._concrete import check_domain, check_dt, check_real, concrete
from ..functional._rank import leading
from ._mask import spread

Shape = tuple[int, ...]

_SECONDS = Kind("duration", "s", "nonnegative")


class Delays:
    """Delays in seconds, one or one per weight; frozen, and compared by value.

    They are no arrays of the layer: how many steps the longest takes is a size in the program.

    >>> delays = Delays(np.array([[0.0, 2e-3]]), (1, 2), "delay")
    >>> delays.steps(1e-3).tolist()
    [[0, 2]]
    """

    def __init__(self, seconds: Any, shape: Shape, name: str) -> None:
        check_real(seconds, name, "IAF layer")
        check_domain(seconds, name, _SECONDS, "IAF layer")
        known = concrete(seconds)
        if known is None:
            raise ConfigError(
                f"`{name}` must be known when the layer is made; got a traced value. Delays are whole numbers of steps, without gradient.",
                where="IAF layer",
                field=name,
                value="traced",
                allowed="numbers",
            )
        if known.shape not in ((), shape):
            raise ShapeError(
                f"`{name}` must be one number or have the shape {shape} of its weights; got {known.shape}.",
                where="IAF layer",
                field=name,
                value=known.shape,
                allowed=f"() or {shape}",
            )
        self.seconds = np.array(known, np.float64)
        self.seconds.setflags(write=False)
        self.shape, self.name = shape, name
        self._hash = hash((shape, name, self.seconds.shape, self.seconds.tobytes()))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Delays):
            return NotImplemented
        same = (self.shape, self.name) == (other.shape, other.name)
        return self is other or (same and np.array_equal(self.seconds, other.seconds))

    def __repr__(self) -> str:
        return f"Delays({self.seconds.min(initial=np.inf):g} to {self.seconds.max(initial=0.0):g} s)"

    def steps(self, dt: Any) -> np.ndarray:
        """The delays as numbers of steps of `dt`, of the shape of the weights, halves to the even number.

        Raises:
            ConfigError: `dt` is traced.
            ParameterError: a delay rounds to no step, and is not 0.
        """
        check_dt(dt, "simulate")
        given = concrete(dt)
        if given is None:
            raise ConfigError(
                f"`dt` must be a plain number for a layer with a `{self.name}`; it is traced. How many steps a delay takes is a size in "
                "the program: make `dt` a static argument of `jit`.",
                where="simulate",
                field="dt",
                value="traced",
                allowed="a number",
            )
        return _steps(self, float(given))


@functools.lru_cache(maxsize=64)
def _steps(delays: Delays, dt: float) -> np.ndarray:
    _check_duration(delays.name, delays.seconds, dt, "simulate")
    with jax.ensure_compile_time_eval():
        steps = np.asarray(F.refractory_steps(delays.seconds, dt))
    steps = np.broadcast_to(steps, delays.shape)
    steps.setflags(write=False)
    return steps


class Connection(eqx.Module):
    """Weights with their delays in steps, ready to run.

    Attributes:
        matrix: the weights, `(len(taps) * in, out)`, each in the block of its delay; or as they are, `(in, out)`, with `places`.
        places: where in the line each weight takes its input, `(in, out)`; `None` where it is a product with `matrix`.
        taps: the delays that occur, in steps.
    """

    matrix: jax.Array
    places: jax.Array | None
    taps: tuple[int, ...] = eqx.field(static=True)

    def over(self, taken: jax.Array) -> jax.Array:
        """What arrives: `(..., out)` from `(..., taps, in)`."""
        return taken.reshape(*taken.shape[:-2], -1).astype(self.matrix.dtype) @ self.matrix

    def __call__(self, line: jax.Array) -> jax.Array:
        """What arrives, `(..., out)`, out of a line `(..., length, in)`."""
        if self.places is None:
            return self.over(seen(line, self.taps))
        taken = line.reshape(*line.shape[:-2], -1).astype(self.matrix.dtype)[..., self.places]
        return (leading(self.matrix, taken.ndim) * taken).sum(-2)


def connect(weight: jax.Array, delays: Delays | None, dt: Any, *, gather: bool = False) -> Connection:
    """`weight` with its delays in steps of `dt`.

    Args:
        weight: `(in, out)`.
        delays: of it; `None` for none.
        dt: length of a step, s.
        gather: for one line at a time. Each weight then fetches its own input, in a time that does not grow with the number
            of different delays, as a product does, whose matrix soon is larger than the cache: 0.6 ms instead of 10 ms
            for 1,000 to 1,000 neurons and ten delays. For a batch a product is faster.
    """
    if delays is None:
        return Connection(weight, None, (0,))
    steps = delays.steps(dt)
    taps = tuple(np.unique(steps).tolist()) or (0,)
    if len(taps) == 1:
        return Connection(weight, None, taps)
    if gather and len(taps) > 2:
        places = (taps[-1] - steps) * weight.shape[0] + np.arange(weight.shape[0])[:, None]
        return Connection(weight, jnp.asarray(places, jnp.int32), taps)
    return Connection(jnp.concatenate([jnp.where(steps == tap, weight, 0) for tap in taps]), None, taps)


def empty(batch: Shape, delays: Delays | None, dt: Any, channels: int, dtype: Any) -> jax.Array:
    """The line of a connection before anything was sent: as long as the longest delay, and the step itself."""
    longest = 0 if delays is None else int(delays.steps(dt).max(initial=0))
    return jnp.zeros((*batch, longest + 1, channels), dtype)


def seen(line: jax.Array, taps: tuple[int, ...]) -> jax.Array:
    """What was sent so many steps ago, `(..., taps, in)`; 0 is the newest."""
    return jnp.stack([line[..., line.shape[-2] - 1 - tap, :] for tap in taps], axis=-2)


def sent(line: jax.Array, row: jax.Array, mask: jax.Array | None = None) -> jax.Array:
    """The line one step later, with `row` as its newest; where `mask` is False as it was."""
    moved = jnp.concatenate([line[..., 1:, :], row[..., None, :].astype(line.dtype)], axis=-2)
    return moved if mask is None else jnp.where(spread(mask, moved), moved, line)


def taken_over_time(line: jax.Array, x: jax.Array, taps: tuple[int, ...], mask: jax.Array | None) -> tuple[jax.Array, jax.Array]:
    """All steps at once: the line after `x`, `(T, ..., in)`, and what its taps see in each step, `(T, ..., taps, in)`."""
    length = line.shape[-2]
    if mask is not None:

        def step(line: jax.Array, now: Any) -> tuple[jax.Array, jax.Array]:
            line = sent(line, *now)
            return line, seen(line, taps)

        return F.unroll(step, line, (x, mask))
    known = jnp.concatenate([jnp.moveaxis(line, -2, 0), x.astype(line.dtype)])
    taken = jnp.stack([known[length - tap :][: len(x)] for tap in taps], axis=-2)
    return jnp.moveaxis(known[len(x) :], 0, -2), taken
