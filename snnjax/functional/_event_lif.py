"""Networks of current-based LIF neurons from spike to spike, without a grid of steps, with exact gradients.

    tau_mem dv/dt = v_leak - v + i + bias
    tau_syn di/dt = -i
    input of channel c at time t:    i <- i + weight[c]
    spike of n where v crosses v_th upwards:    v[n] <- v_reset,  i <- i + recurrent_weight[n]

After a spike the membrane stays where it is for `t_ref` while the current goes on. Between events the equations are
solved exactly (`_event_flow`), so spike times have no error but rounding, whatever the time constants.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .._errors import NumericsError, refuses_unknown_keywords
from . import _event_check as check
from ._cast import at_least_float32, float_dtype
from ._concrete import concrete
from ._event_adjoint import Outcome, run
from ._event_run import Network
from ._lif import LIFParams
from ._neuron import filled
from ._refractory import RefractoryParams


class EventState(NamedTuple):
    """Membrane potential `v`, synaptic current `i`, and the seconds that each refractory period still has; `(N,)` each.

    `time_left` is None for neurons without refractory period.

    >>> from snnjax import functional as F
    >>> F.EventState(v=0.0, i=1.0).time_left is None
    True
    """

    v: Any
    i: Any
    time_left: Any = None


class EventRun(NamedTuple):
    """The spikes of an event-driven run in order of time, and its end.

    Attributes:
        times: of the spikes, s, `(max_spikes,)`; infinity where there is none.
        neurons: which neuron, int32; -1 where there is none.
        slopes: dv/dt just before each spike, 1/s per unit of `v`; 0 where there is none. Gradients grow as 1/slope.
        count: how many spikes there are, int32.
        complete: whether the run came to `duration`. If not, it ended where it would have needed more than `max_spikes`; the
            spikes so far and their gradients hold, and `v_integral` and `state` are NaN.
        v_integral: of `v` over the run, `(N,)`.
        state: `EventState` at `duration`, to go on from.

    >>> import jax.numpy as jnp
    >>> from snnjax import functional as F
    >>> run = F.simulate_events(
    ...     F.LIFParams(), jnp.zeros(1), jnp.array([0]), jnp.ones((1, 2)), duration=0.1, max_spikes=1)
    >>> int(run.count), bool(run.complete), run.times.tolist(), run.neurons.tolist()
    (0, True, [inf], [-1])
    """

    times: jax.Array
    neurons: jax.Array
    slopes: jax.Array
    count: jax.Array
    complete: jax.Array
    v_integral: jax.Array
    state: EventState


@refuses_unknown_keywords
def simulate_events(
    params: Any,
    times: Any,
    channels: Any,
    weight: Any,
    *,
    duration: Any,
    max_spikes: int,
    recurrent_weight: Any = None,
    state: EventState | None = None,
) -> EventRun:
    """Run a network of LIF neurons from event to event: exact spike times, and their exact gradients by EventProp.

    The equations are at the top of the file. Neurons that cross at the same instant all spike before any of their
    jumps arrives. Memory grows with the number of inputs and spikes, not with time.

    Works under `jit`, `vmap` and reverse-mode `grad` by every number: parameters, `t_ref`, `times`, both weights, `duration`, `state`;
    there is no forward mode. The gradient does not see spikes that appear or vanish. A slope at a spike counts as at least
    `sqrt(eps) * (v_th - v_reset) / tau_mem`, so that a spike that only just happens has a large and finite gradient.

    Args:
        params: `LIFParams`, or `RefractoryParams(LIFParams(...), t_ref)`; numbers, or one value per neuron.
        times: instants of the inputs, s, `(K,)`, in any order, from 0 to `duration`; infinity is an input that never comes,
            to fill up a batch.
        channels: the row of `weight` that each input takes, integers, `(K,)`.
        weight: jumps of the synaptic currents, `(channels, N)`.
        duration: length of the run, s.
        max_spikes: room for spikes, of all neurons together; a Python integer.
        recurrent_weight: jumps at a neuron's own spikes, without delay, `(N, N)` from sender (row) to receiver (column).
        state: an `EventState` to start from, by default at rest; `run.state` of an earlier run goes on where that ended, and
            `times` count from there.

    Returns:
        An `EventRun`, in the widest float dtype that came in, float32 at least.

    Raises:
        ParameterError: a number is outside its domain, an instant outside the run, a channel without row.
        ShapeError: a weight, a parameter, `times` or `channels` does not fit.
        DTypeError: an argument is not a number or an array, or another neuron's Params.
        ConfigError: there is no such keyword, or `duration` or `max_spikes` is missing.
        NumericsError: there are more than `max_spikes` spikes. Under `jit` and `vmap`, where nothing can be raised,
            `complete` says so.

    References: Brette (2006), Neural Computation 18, 2004-2027, and (2007) 19, 2604-2609 (exact simulation); Wunderlich & Pehle (2021),
    Scientific Reports 11, 12829 (EventProp).

    >>> import jax, jax.numpy as jnp
    >>> from snnjax import functional as F
    >>> def first_spike(weight):
    ...     run = F.simulate_events(
    ...         F.LIFParams(), jnp.array([1e-3, 4e-3]), jnp.array([0, 1]), weight, duration=0.1, max_spikes=8)
    ...     return run.times[0]
    >>> weight = jnp.array([[4.0], [3.0]])
    >>> f"{first_spike(weight):.6f}", [f"{g:.6f}" for g in jax.grad(first_spike)(weight)[:, 0]]
    ('0.008311', ['-0.002581', '-0.002144'])
    """
    check.check_max_spikes(max_spikes)
    rows, neurons = check.check_weights(weight, recurrent_weight)
    check.check_params(params, neurons)
    check.check_inputs(times, channels, duration, rows)
    if state is not None:
        check.check_state(state, EventState, params, neurons)
    found = _run(params, times, channels, weight, duration, recurrent_weight, state, max_spikes=int(max_spikes))
    _raise_if_incomplete(found, duration, int(max_spikes))
    return found


@functools.partial(jax.jit, static_argnames="max_spikes")
def _run(
    params: Any, times: Any, channels: Any, weight: Any, duration: Any, recurrent: Any, state: EventState | None, max_spikes: int
) -> EventRun:
    dtype = at_least_float32(float_dtype((params, times, weight, duration, recurrent, state)))
    rows, neurons = np.shape(weight)

    def per_neuron(value: Any) -> jax.Array:
        return filled(value, (neurons,), dtype)

    t_ref = per_neuron(params.t_ref) if isinstance(params, RefractoryParams) else None
    lif = LIFParams(*map(per_neuron, params if t_ref is None else params.neuron))
    v_inf = lif.v_leak + lif.bias
    state = EventState(lif.v_leak, 0.0) if state is None else state
    times, channels = _in_order(jnp.asarray(times, dtype), jnp.asarray(channels, jnp.int32))
    network = Network(
        tau_mem=lif.tau_mem,
        tau_syn=lif.tau_syn,
        threshold=lif.v_th - v_inf,
        reset=lif.v_reset - v_inf,
        t_ref=t_ref,
        # An input that never comes takes a row all the same.
        weight=jnp.asarray(weight, dtype) if rows else jnp.zeros((1, neurons), dtype),
        recurrent=None if recurrent is None else jnp.asarray(recurrent, dtype),
        times=times,
        duration=jnp.asarray(duration, dtype),
        u=per_neuron(state.v) - v_inf,
        i=per_neuron(state.i),
        time_left=None if t_ref is None else per_neuron(0.0 if state.time_left is None else state.time_left),
    )
    found: Any = run(max_spikes, network, channels) if neurons else _nobody(network, max_spikes)
    return _in_volts(found, v_inf, lif.v_th, network.duration)


def _in_order(times: jax.Array, channels: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The inputs in order of time, and at the end one that never comes."""
    order = jnp.argsort(times)
    return jnp.append(times[order], jnp.inf), jnp.append(channels[order], 0)


def _nobody(network: Network, max_spikes: int) -> Outcome:
    """The run of a population of nobody."""
    never, none = jnp.full(max_spikes, jnp.inf, network.u.dtype), jnp.full(max_spikes, -1, jnp.int32)
    end = (network.u, network.i, network.time_left, network.u)
    return Outcome(never, none, jnp.zeros_like(never), jnp.int32(0), jnp.bool_(True), *end)


def _in_volts(found: Outcome, v_inf: jax.Array, v_th: jax.Array, duration: jax.Array) -> EventRun:
    """The result, with potentials measured from 0 again."""
    v = found.u + v_inf
    # Rounding must not lift a neuron above its threshold, where no run may start.
    v = v - jax.lax.stop_gradient(jnp.maximum(v - v_th, 0.0))
    state = EventState(v, found.i, found.time_left)
    return EventRun(found.times, found.neurons, found.slopes, found.count, found.complete, found.area + v_inf * duration, state)


def _raise_if_incomplete(found: EventRun, duration: Any, max_spikes: int) -> None:
    # Under an eager grad the values are there behind tracers, and stop_gradient brings them out; under jit and vmap they are not.
    complete, times = (concrete(jax.lax.stop_gradient(value)) for value in (found.complete, found.times))
    if complete is None or times is None or complete:
        return
    raise NumericsError(
        f"`max_spikes` = {max_spikes} is too few: after that many, at t = {float(times[-1]):.6g} s of `duration` = {duration} s, another "
        "one was due. Give it more room, or look for what makes the network fire.",
        where="simulate_events",
        field="max_spikes",
        value=max_spikes,
        allowed="at least the number of spikes of the run",
    )
