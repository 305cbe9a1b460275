"""The forward half of an event-driven run: from event to event, with a log of what happened.

Three things happen to a network: an input arrives, a neuron spikes, a neuron is released from its refractory period.
Between them it follows `_event_flow`. The log has one entry for each, in order of time; it is all that the backward half needs, so
memory grows with the number of events and not with time or with the number of neurons.

Neurons that cross their thresholds at the same instant all spike before any of their jumps arrives.

Reference: Brette (2006), Neural Computation 18, 2004-2027.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp

from ._event_crossing import Membrane, first_crossing
from ._event_flow import flow

_C = TypeVar("_C")

NOTHING, INPUT, SPIKE, RELEASE = range(4)

# Under vmap a while_loop copies its whole carry at every turn, the gradient of the weights included: so it turns once for this many
# events. With 1000 recurrent neurons and a batch of 8 a gradient took 2.6 times as long with one event per turn.
_EVENTS_PER_TURN = 16


class Network(NamedTuple):
    """Every number that a run depends on and can be differentiated by; potentials are above rest, `u = v - v_leak - bias`.

    Attributes:
        tau_mem, tau_syn, threshold, reset: `(N,)`.
        t_ref: `(N,)`, or None for no refractory period.
        weight: `(channels, N)`.
        recurrent: `(N, N)`, from sender (row) to receiver (column), or None.
        times: of the inputs, in order, `(K,)`; the last one is infinity, an input that never comes.
        duration: `()`.
        u, i: at the start, `(N,)`.
        time_left: of the refractory period at the start, `(N,)`; None with `t_ref`.
    """

    tau_mem: jax.Array
    tau_syn: jax.Array
    threshold: jax.Array
    reset: jax.Array
    t_ref: jax.Array | None
    weight: jax.Array
    recurrent: jax.Array | None
    times: jax.Array
    duration: jax.Array
    u: jax.Array
    i: jax.Array
    time_left: jax.Array | None


class Log(NamedTuple):
    """What happened: when, what, to which input or neuron, and the slope of the membrane that spiked or was released."""

    time: jax.Array
    kind: jax.Array
    index: jax.Array
    slope: jax.Array

    def write(self, at: jax.Array, *entry: jax.Array) -> Log:
        return Log(*(array.at[at].set(value, mode="drop") for array, value in zip(self, entry, strict=True)))


class Now(NamedTuple):
    """The network at time `t`.

    Attributes:
        release: when a held neuron will be free; infinity for one that is.
        due: neurons that have crossed and not spiked yet.
        arriving: jumps of the spikes of this instant, which wait until nobody is due; None without recurrent weights.
        inputs, spikes, entries: how many there were.
        running: whether there is anything left to do.
        complete: whether the end was reached.
    """

    t: jax.Array
    u: jax.Array
    i: jax.Array
    area: jax.Array
    release: jax.Array
    due: jax.Array
    arriving: jax.Array | None
    inputs: jax.Array
    spikes: jax.Array
    entries: jax.Array
    running: jax.Array
    complete: jax.Array
    log: Log


def repeat(step: Callable[[_C], _C], running: Callable[[_C], jax.Array], carry: _C) -> _C:
    """`step` while `running`; it must do nothing when it is called once more."""

    def turn(carry: _C) -> _C:
        return jax.lax.fori_loop(0, _EVENTS_PER_TURN, lambda _, carry: step(carry), carry)

    return jax.lax.while_loop(running, turn, carry)


def run_forward(network: Network, channels: jax.Array, max_spikes: int) -> Now:
    """The network at the end, or where it ran out of room for spikes (then not `complete`)."""
    return repeat(lambda now: _next_event(network, channels, max_spikes, now), lambda now: now.running, _start(network, max_spikes))


def _start(network: Network, max_spikes: int) -> Now:
    size, dtype = network.u.size, network.u.dtype
    held = jnp.zeros(size, dtype) if network.time_left is None else network.time_left
    releases = 0 if network.t_ref is None else max_spikes + size
    room = network.times.size + max_spikes + releases
    none = jnp.zeros(room, jnp.int32)
    zero = jnp.int32(0)
    return Now(
        t=jnp.zeros((), dtype),
        u=jnp.minimum(network.u, network.threshold),
        i=network.i,
        area=jnp.zeros(size, dtype),
        release=jnp.where(held > 0, held, jnp.inf),
        due=jnp.zeros(size, bool),
        arriving=None if network.recurrent is None else jnp.zeros(size, dtype),
        inputs=zero,
        spikes=zero,
        entries=zero,
        running=jnp.bool_(True),
        complete=jnp.bool_(False),
        log=Log(jnp.zeros(room, dtype), none, none, jnp.zeros(room, dtype)),
    )


def _next_event(network: Network, channels: jax.Array, max_spikes: int, now: Now) -> Now:
    """To the next spike, release, input, or to the end, whichever is first."""
    waiting = now.due.any()
    now = _deliver(now, waiting)
    next_input = network.times[now.inputs]
    next_release = now.release.min()
    stop = jnp.minimum(jnp.minimum(next_input, next_release), network.duration)
    backwards = stop < now.t
    stop = jnp.where(waiting | backwards | ~now.running, now.t, stop)
    now = _move(network, now, stop)
    spikes = now.due.any()
    quiet = now.running & ~spikes & ~backwards
    releases = quiet & (next_release == stop)
    arrives = quiet & ~releases & (next_input == stop)
    ends = quiet & ~releases & ~arrives
    full = spikes & (now.spikes == max_spikes)
    now = now._replace(running=now.running & ~ends & ~full & ~backwards, complete=now.complete | (ends & (stop == network.duration)))
    return _happen(network, channels, now, spikes & ~full & now.running, releases, arrives)


def _deliver(now: Now, waiting: jax.Array) -> Now:
    """The jumps of the last spikes arrive, unless more neurons are due at the same instant."""
    if now.arriving is None:
        return now
    return now._replace(i=now.i + jnp.where(waiting, 0.0, now.arriving), arriving=jnp.where(waiting, now.arriving, 0.0))


def _move(network: Network, now: Now, stop: jax.Array) -> Now:
    """To the first crossing before `stop`, or to `stop`."""
    horizon, free = stop - now.t, now.release == jnp.inf
    membrane = Membrane(now.u, now.i, network.threshold, network.tau_mem, network.tau_syn)
    crossing = jnp.where(free, first_crossing(membrane, horizon), jnp.inf)
    soonest = crossing.min()
    crosses = soonest < jnp.inf
    h = jnp.where(crosses, soonest, horizon)
    over = flow(network.tau_mem, network.tau_syn, h, free)
    # Nobody has crossed before: what is above its threshold now is so by rounding alone.
    u = jnp.minimum(over.keep * now.u + over.couple * now.i, network.threshold)
    return now._replace(
        t=jnp.where(crosses, jnp.minimum(now.t + soonest, stop), stop),
        u=u,
        i=over.decay * now.i,
        area=now.area + over.area_u * now.u + over.area_i * now.i,
        due=now.due | (crosses & (crossing == soonest)),
    )


def _happen(network: Network, channels: jax.Array, now: Now, spikes: jax.Array, releases: jax.Array, arrives: jax.Array) -> Now:
    """One spike, one release or one input: at most one of the three flags is set."""
    n = jnp.where(spikes, jnp.argmax(now.due), jnp.argmin(now.release)).astype(jnp.int32)
    level = jnp.where(spikes, network.threshold[n], now.u[n])
    slope = (now.i[n] - level) / network.tau_mem[n]
    kind = jnp.where(spikes, SPIKE, jnp.where(releases, RELEASE, jnp.where(arrives, INPUT, NOTHING))).astype(jnp.int32)
    happens = kind != NOTHING
    at = jnp.where(happens, now.entries, now.log.time.size)
    log = now.log.write(at, now.t, kind, jnp.where(arrives, now.inputs, n), jnp.where(arrives, 0.0, slope))
    back = jnp.inf if network.t_ref is None else jnp.where(spikes, now.t + network.t_ref[n], jnp.inf)
    jump = network.weight[channels[now.inputs]]
    if now.arriving is not None and network.recurrent is not None:
        now = now._replace(arriving=now.arriving + jnp.where(spikes, network.recurrent[n], 0.0))
    return now._replace(
        u=now.u.at[n].set(jnp.where(spikes, network.reset[n], now.u[n])),
        i=now.i + jnp.where(arrives, jump, 0.0),
        release=now.release.at[n].set(jnp.where(spikes | releases, back, now.release[n])),
        due=now.due.at[n].set(now.due[n] & ~spikes),
        inputs=now.inputs + arrives.astype(jnp.int32),
        spikes=now.spikes + spikes.astype(jnp.int32),
        entries=now.entries + happens.astype(jnp.int32),
        log=log,
    )
