"""EventProp: the exact gradient of an event-driven run, backwards through its log.

Between events the derivatives of the loss by `u` and `i` follow the transpose of the flow. An event at time `t` at which
currents jump by `w` has the derivative

    dL/dt = sum over receivers of w * (dL/di / tau_syn - dL/du / tau_mem)        (`dL/du` of held neurons left out)

for its jumps come later. A spike of `n` has that, what the loss says about its time, and the delay of what `n` does next:
`-dL/du * du/dt` just after the reset, or the derivative by the instant of its release. With `G` the sum of these,

    dL/du before the spike = -G / (du/dt before the spike)

and `dL/dw` is `dL/di` at the event. Only spike times and slopes are needed from the forward run. Time constants act through
the flow: `_event_flow.pull_back_tangent`.

References: Wunderlich & Pehle (2021), Scientific Reports 11, 12829 (EventProp). Refractory periods, time constants, biases, slopes and the
duration are derived here in the same way.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ._event_flow import Covector, flow, pull_back, pull_back_tangent
from ._event_run import INPUT, NOTHING, RELEASE, SPIKE, Log, Network, Now, repeat, run_forward


class Outcome(NamedTuple):
    """What a run gives: of every spike its time, neuron and slope, and the end; potentials are above rest."""

    times: jax.Array
    neurons: jax.Array
    slopes: jax.Array
    count: jax.Array
    complete: jax.Array
    u: jax.Array
    i: jax.Array
    time_left: jax.Array | None
    area: jax.Array


class _Back(NamedTuple):
    """The backward run at time `t`.

    Attributes:
        left: entries of the log that are still to come.
        loss: the derivative of the loss by the state.
        by_mem, by_syn: what the state adds to the derivative by `tau_mem` and by `tau_syn`.
        free: who is not held.
        late: the derivative by the instant of a held neuron's release, `(N,)`.
        grads: what there is of the result.
    """

    t: jax.Array
    left: jax.Array
    loss: Covector
    by_mem: Covector
    by_syn: Covector
    free: jax.Array
    late: jax.Array
    grads: Network


class _Entry(NamedTuple):
    """One entry of the log, as flags and indices, with what the loss says about its time and slope."""

    time: jax.Array
    slope: jax.Array
    k: jax.Array
    n: jax.Array
    arrives: jax.Array
    spikes: jax.Array
    releases: jax.Array
    by_time: jax.Array
    by_slope: jax.Array


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def run(max_spikes: int, network: Network, channels: jax.Array) -> Outcome:
    """The spikes and the end of a run; its gradient by every number in `network`."""
    return _outcome(network, run_forward(network, channels, max_spikes), max_spikes)


def _outcome(network: Network, end: Now, max_spikes: int) -> Outcome:
    def taken(values: jax.Array, empty: Any) -> jax.Array:
        return jnp.full(max_spikes, empty, values.dtype).at[slots].set(values, mode="drop")

    def known(values: jax.Array) -> jax.Array:
        return jnp.where(end.complete, values, jnp.nan)

    slots = _slots(end.log, max_spikes)
    left = jnp.where(end.release == jnp.inf, 0.0, end.release - end.t)
    return Outcome(
        times=taken(end.log.time, jnp.inf),
        neurons=taken(end.log.index, -1),
        slopes=taken(end.log.slope, 0.0),
        count=end.spikes,
        complete=end.complete,
        u=known(end.u),
        i=known(end.i),
        time_left=None if network.time_left is None else known(left),
        area=known(end.area),
    )


def _slots(log: Log, max_spikes: int) -> jax.Array:
    """Which spike each entry of the log is; `max_spikes` for what is none."""
    spikes = log.kind == SPIKE
    return jnp.where(spikes, jnp.cumsum(spikes) - 1, max_spikes)


def _forward(max_spikes: int, network: Network, channels: jax.Array) -> tuple[Outcome, Any]:
    end = run_forward(network, channels, max_spikes)
    return _outcome(network, end, max_spikes), (network, channels, end.log, end.entries, end.u, end.i, end.release == jnp.inf)


def _backward(max_spikes: int, kept: Any, loss: Outcome) -> tuple[Network, None]:
    network, channels, log, entries, u, i, free = kept
    slots = _slots(log, max_spikes)
    by_time = jnp.append(loss.times, 0.0)[slots]
    by_slope = jnp.append(loss.slopes, 0.0)[slots]
    back = _end(network, loss, entries, u, i, free)

    def step(back: _Back) -> _Back:
        entry = _entry(log, by_time, by_slope, back)
        return _undo(network, channels, loss.area, entry, _rewind(network, loss.area, entry.time, back))

    back = repeat(step, lambda back: back.left > 0, back)
    return _begin(network, _rewind(network, loss.area, jnp.zeros_like(back.t), back)), None


def _end(network: Network, loss: Outcome, entries: jax.Array, u: jax.Array, i: jax.Array, free: jax.Array) -> _Back:
    """The backward run at the end of the forward one."""
    nothing = Covector(jnp.zeros_like(u), jnp.zeros_like(i))
    late = jnp.zeros_like(u) if loss.time_left is None else jnp.where(free, 0.0, loss.time_left)
    moves = jnp.where(free, loss.u * (i - u) / network.tau_mem, 0.0) - loss.i * i / network.tau_syn
    grads = jax.tree.map(jnp.zeros_like, network)._replace(duration=jnp.sum(moves + loss.area * u - late))
    return _Back(network.duration, entries, Covector(loss.u, loss.i), nothing, nothing, free, late, grads)


def _entry(log: Log, by_time: jax.Array, by_slope: jax.Array, back: _Back) -> _Entry:
    """The last entry that is left; one of kind NOTHING, at the present time, where there is none."""
    at = jnp.maximum(back.left - 1, 0)
    kind = jnp.where(back.left > 0, log.kind[at], NOTHING)
    arrives = kind == INPUT
    return _Entry(
        time=jnp.where(back.left > 0, log.time[at], back.t),
        slope=log.slope[at],
        k=jnp.where(arrives, log.index[at], 0),
        n=jnp.where(arrives, 0, log.index[at]),
        arrives=arrives,
        spikes=kind == SPIKE,
        releases=kind == RELEASE,
        by_time=by_time[at],
        by_slope=by_slope[at],
    )


def _rewind(network: Network, area: jax.Array, time: jax.Array, back: _Back) -> _Back:
    """From `back.t` to the earlier `time`, with no event in between."""
    one, h = jnp.ones_like(network.tau_mem), back.t - time
    over, by_mem = jax.jvp(lambda tau: flow(tau, network.tau_syn, h, back.free), (network.tau_mem,), (one,))
    _, by_syn = jax.jvp(lambda tau: flow(network.tau_mem, tau, h, back.free), (network.tau_syn,), (one,))
    return back._replace(
        t=time,
        loss=pull_back(over, back.loss, area),
        by_mem=pull_back_tangent(over, by_mem, back.by_mem, back.loss, area),
        by_syn=pull_back_tangent(over, by_syn, back.by_syn, back.loss, area),
    )


def _undo(network: Network, channels: jax.Array, area: jax.Array, entry: _Entry, back: _Back) -> _Back:
    """From just after an event to just before it."""
    channel = channels[entry.k]
    jump = jnp.where(entry.arrives, network.weight[channel], 0.0)
    grads, by_i = back.grads, back.loss.i
    weight = grads.weight.at[channel].add(jnp.where(entry.arrives, by_i, 0.0))
    recurrent = grads.recurrent
    if network.recurrent is not None and recurrent is not None:
        jump = jump + jnp.where(entry.spikes, network.recurrent[entry.n], 0.0)
        recurrent = recurrent.at[entry.n].add(jnp.where(entry.spikes, by_i, 0.0))
    later = jnp.sum(jump * (by_i / network.tau_syn - jnp.where(back.free, back.loss.u, 0.0) / network.tau_mem))
    grads = grads._replace(
        weight=weight,
        recurrent=recurrent,
        times=grads.times.at[entry.k].add(jnp.where(entry.arrives, later, 0.0)),
        tau_mem=grads.tau_mem + back.by_mem.i * jump,
        tau_syn=grads.tau_syn + back.by_syn.i * jump,
    )
    back = _undo_spike(network, area, entry, later, back._replace(left=jnp.maximum(back.left - 1, 0), grads=grads))
    if network.t_ref is None:
        return back
    n, releases = entry.n, entry.releases
    return back._replace(
        late=back.late.at[n].set(jnp.where(releases, -back.loss.u[n] * entry.slope, back.late[n])),
        free=back.free.at[n].set(back.free[n] & ~releases),
    )


def _undo_spike(network: Network, area: jax.Array, entry: _Entry, later: jax.Array, back: _Back) -> _Back:
    """The jump of the derivative by `u` at a spike, and everything that the reset cuts off; nothing where there is no spike."""
    n, spikes = entry.n, entry.spikes
    tau_mem, tau_syn, threshold, reset = (values[n] for values in network[:4])
    u, i = back.loss.u[n], entry.slope * tau_mem + threshold
    onward = -u * (i - reset) / tau_mem if network.t_ref is None else back.late[n]
    # A later reset leaves the membrane at its threshold for longer; the slope falls with the current.
    onward = onward + area[n] * (threshold - reset) - entry.by_slope * i / (tau_syn * tau_mem)
    by_time = entry.by_time + later + onward
    by_threshold = by_time / _safe_slope(entry.slope, threshold - reset, tau_mem)

    def put(values: jax.Array, value: jax.Array) -> jax.Array:
        return values.at[n].set(jnp.where(spikes, value, values[n]))

    def add(values: jax.Array, value: jax.Array) -> jax.Array:
        return values.at[n].add(jnp.where(spikes, value, 0.0))

    grads, per_slope = back.grads, entry.by_slope / tau_mem
    return back._replace(
        loss=Covector(put(back.loss.u, -by_threshold), add(back.loss.i, per_slope)),
        by_mem=back.by_mem._replace(u=put(back.by_mem.u, jnp.zeros_like(u))),
        by_syn=back.by_syn._replace(u=put(back.by_syn.u, jnp.zeros_like(u))),
        free=put(back.free, jnp.bool_(True)),
        late=put(back.late, jnp.zeros_like(u)),
        grads=grads._replace(
            threshold=add(grads.threshold, by_threshold - per_slope),
            reset=add(grads.reset, u),
            t_ref=None if grads.t_ref is None else add(grads.t_ref, back.late[n]),
            tau_mem=add(grads.tau_mem, back.by_mem.u[n] * reset - per_slope * entry.slope),
            tau_syn=add(grads.tau_syn, back.by_syn.u[n] * reset),
        ),
    )


def _safe_slope(slope: jax.Array, swing: jax.Array, tau_mem: jax.Array) -> jax.Array:
    # At a spike that only just happens the slope tends to 0 and the gradient to infinity. Rounding leaves sqrt(eps) of the slope
    # undetermined there: below that the gradient means nothing, and is kept finite.
    return jnp.maximum(slope, jnp.sqrt(jnp.finfo(slope.dtype).eps) * swing / tau_mem)


def _begin(network: Network, back: _Back) -> Network:
    """The gradient, once the backward run has come to time 0."""
    u, i = network.u, network.i
    return back.grads._replace(
        u=back.loss.u,
        i=back.loss.i,
        time_left=None if network.time_left is None else back.late,
        tau_mem=back.grads.tau_mem + back.by_mem.u * u + back.by_mem.i * i,
        tau_syn=back.grads.tau_syn + back.by_syn.u * u + back.by_syn.i * i,
    )


run.defvjp(_forward, _backward)
