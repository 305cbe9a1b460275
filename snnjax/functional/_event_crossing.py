"""When a membrane next crosses its threshold upwards, for any two time constants, in closed form up to one safe root search.

Between events `u(t) = keep(t) u + couple(t) i` has at most one extremum, where

    expm1(d t) / d = tau_syn (i - u) / i,     d = 1/tau_mem - 1/tau_syn     (t = tau_syn (i - u) / i at d = 0)

It cuts the interval into two pieces on which `u` is monotone. The first piece that ends above the threshold holds the
first crossing and brackets it; a Newton iteration that falls back on bisection finds it. A crossing up and down again inside
the interval is therefore never missed, and a membrane that only touches its threshold does not spike.

Closed forms of the root itself exist for `tau_mem = tau_syn` and `tau_mem = 2 tau_syn` only (Goeltz et al. 2021, Nature
Machine Intelligence 3, 823-835); the search needs no special ratio. Reference for the search of the first crossing: Brette (2007),
Neural Computation 19, 2604-2609.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from ._integrators import exact

# Bisection needs 52 halvings in float64; a Newton step that does not halve the last one is replaced by a bisection.
_MOST_STEPS = 128


class Membrane(NamedTuple):
    """Neurons at the start of an interval: potential above rest, current, threshold above rest, time constants; `(N,)` each."""

    u: jax.Array
    i: jax.Array
    threshold: jax.Array
    tau_mem: jax.Array
    tau_syn: jax.Array

    def excess(self, t: jax.Array) -> tuple[jax.Array, jax.Array]:
        """How far `u` is above the threshold after `t`, and with which slope it moves."""
        i = exact.decay(t, self.tau_syn) * self.i
        u = exact.decay(t, self.tau_mem) * self.u + exact.coupling(t, self.tau_mem, self.tau_syn) * self.i
        return u - self.threshold, (i - u) / self.tau_mem


class _Search(NamedTuple):
    """Brackets, `low` at or below the threshold and `high` above it; the latest point and the length of the step to it."""

    low: jax.Array
    high: jax.Array
    t: jax.Array
    step: jax.Array
    excess: jax.Array
    slope: jax.Array
    done: jax.Array
    steps: jax.Array


def first_crossing(membrane: Membrane, horizon: jax.Array) -> jax.Array:
    """The time after which `u` is first above the threshold, `(N,)`; infinity where it is not within `horizon`.

    Args:
        membrane: the neurons now, none of them above its threshold.
        horizon: length of the interval, s.
    """
    turn = jnp.clip(_extremum(membrane), 0.0, horizon)
    ends = jnp.stack([turn, jnp.broadcast_to(horizon, turn.shape)])
    before, after = jax.tree.map(lambda leaf: leaf[None], membrane).excess(ends)[0] > 0
    low = jnp.where(before, 0.0, turn)
    high = jnp.where(before, turn, horizon)
    crosses = before | after
    return jnp.where(crosses, _root(membrane, low, high, crosses), jnp.inf)


def _extremum(membrane: Membrane) -> jax.Array:
    """When `u` turns; infinity where it does not."""
    d = (membrane.tau_syn - membrane.tau_mem) / (membrane.tau_mem * membrane.tau_syn)
    drives = membrane.i != 0
    stretched = membrane.tau_syn * (membrane.i - membrane.u) / jnp.where(drives, membrane.i, 1.0)
    x = d * stretched
    turns = drives & (stretched > 0) & (x > -1)
    safe = jnp.where(turns & (x != 0), x, 1.0)
    t = stretched * jnp.where(x == 0, 1.0, jnp.log1p(safe) / safe)
    return jnp.where(turns, t, jnp.inf)


def _root(membrane: Membrane, low: jax.Array, high: jax.Array, wanted: jax.Array) -> jax.Array:
    """The root of `excess` in each bracket where `wanted`: Newton's step, or a bisection where that leaves the bracket or is slow."""
    tolerance = 2 * jnp.finfo(high.dtype).eps * high

    def advance(now: _Search) -> _Search:
        newton = now.t - now.excess / now.slope
        # Written so that NaN, from a slope of 0, bisects too.
        good = (newton >= now.low) & (newton <= now.high) & (2 * jnp.abs(now.excess) <= jnp.abs(now.step * now.slope))
        t = jnp.where(now.done, now.t, jnp.where(good, newton, 0.5 * (now.low + now.high)))
        excess, slope = membrane.excess(t)
        low = jnp.where(excess > 0, now.low, t)
        high = jnp.where(excess > 0, t, now.high)
        step = jnp.abs(t - now.t)
        done = now.done | (step <= tolerance) | (high - low <= tolerance)
        return _Search(low, high, t, step, excess, slope, done, now.steps + 1)

    def unfinished(now: _Search) -> jax.Array:
        return ~now.done.all() & (now.steps < _MOST_STEPS)

    # Infinitely far off: the first step is a bisection.
    far = jnp.full_like(high, jnp.inf)
    start = _Search(low, high, low, high - low, far, far, ~wanted, jnp.int32(0))
    return jax.lax.while_loop(unfinished, advance, start).t
