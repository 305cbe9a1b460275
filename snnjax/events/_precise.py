"""Spike times inside a step, exact or interpolated, and differentiable.

Every function gives the time from the start of the step to the first upward crossing of `v_th`, or infinity where
there is none. Its derivatives are those of the crossing, by the implicit function theorem,

    dt/dp = -(dV/dp - dv_th/dp) / V'(t)

and 0 where there is no crossing. They grow without bound as `V'(t)` goes to 0, where a crossing is about to vanish.

References: Morrison, Straube, Plesser & Diesmann (2007), Neural Computation 19, 47-79; Hanuschkin, Kunkel, Helias,
Morrison & Diesmann (2010), Frontiers in Neuroinformatics 4, 113.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._errors import refuses_unknown_keywords
from ..functional._event_crossing import Membrane, first_crossing
from ..functional._integrators import exact
from ._door import refuse_shape, traceable, working
from ._root import as_root, bracketed


@refuses_unknown_keywords
def spike_time_held(v: Any, *, v_inf: Any, v_th: Any, tau_mem: Any) -> jax.Array:
    """When a membrane under a constant current reaches the threshold: `tau_mem ln((v_inf - v) / (v_inf - v_th))`.

    Args:
        v: the potential at the start, V.
        v_inf: where it tends to, V: `v_leak + resistance * (inputs + bias)`.
        v_th: the threshold, V.
        tau_mem: time constant, s.

    Returns:
        s; infinity where `v_inf <= v_th`, or `v > v_th` already. The arguments broadcast.

    Raises:
        ParameterError: an argument is not finite, or `tau_mem` not positive.
        ShapeError: the arguments do not broadcast.
        DTypeError: an argument is no number.

    >>> round(float(spike_time_held(-65e-3, v_inf=-50e-3, v_th=-55e-3, tau_mem=20e-3)), 6)
    0.021972
    """
    where = "spike_time_held"
    _check({"v": v, "v_inf": v_inf, "v_th": v_th}, {"tau_mem": tau_mem}, where)
    v, v_inf, v_th, tau_mem = working(v, v_inf, v_th, tau_mem)
    found = (v <= v_th) & (v_inf > v_th)
    way, gap = jnp.where(found, v_th - v, 0.0), jnp.where(found, v_inf - v_th, 1.0)
    time = tau_mem * jnp.log1p(way / gap)
    return as_root(_held, jnp.where(found, time, jnp.inf), (v, v_inf, v_th, tau_mem))


@refuses_unknown_keywords
def spike_time_decaying(v: Any, i: Any, *, v_inf: Any, v_th: Any, tau_mem: Any, tau_syn: Any, dt: Any, resistance: Any = 1.0) -> jax.Array:
    """When a membrane under a decaying synaptic current reaches the threshold, for any ratio of time constants.

        tau_mem dv/dt = v_inf - v + resistance i,     tau_syn di/dt = -i

    No crossing within the step is missed, also where the membrane is below the threshold again at its end: the
    potential has one extremum at most, and both it and the end are looked at. It is the search that
    `F.simulate_events` makes.

    Args:
        v: the potential at the start, V.
        i: the synaptic current at the start, after the jump by this step's inputs, A.
        v_inf: where the membrane tends to without it, V: `v_leak + bias` for `F.lif`.
        v_th: the threshold, V.
        tau_mem: time constant of the membrane, s.
        tau_syn: time constant of the current, s.
        dt: how far to look, s.
        resistance: of the membrane, ohm; 1 for `F.lif`.

    Returns:
        s, at most `dt`; else infinity. The arguments broadcast.

    Raises:
        ParameterError: an argument is not finite, or a time constant, `resistance` or `dt` not positive.
        ShapeError: the arguments do not broadcast.
        DTypeError: an argument is no number.

    >>> import jax
    >>> time = lambda i: spike_time_decaying(0.0, i, v_inf=0.0, v_th=1.0, tau_mem=20e-3, tau_syn=10e-3, dt=1e-2)
    >>> round(float(time(8.0)), 6), float(jax.grad(time)(8.0)) < 0.0, float(time(1.0))
    (0.003167, True, inf)
    """
    where = "spike_time_decaying"
    positive = {"tau_mem": tau_mem, "tau_syn": tau_syn, "dt": dt, "resistance": resistance}
    _check({"v": v, "i": i, "v_inf": v_inf, "v_th": v_th}, positive, where)
    v, i, v_inf, v_th, tau_mem, tau_syn, dt, resistance = working(v, i, v_inf, v_th, tau_mem, tau_syn, dt, resistance)
    arguments = (v, resistance * i, v_inf, v_th, tau_mem, tau_syn)
    return as_root(_decaying, _first_crossing(*jax.lax.stop_gradient((*arguments, dt))), arguments)


@refuses_unknown_keywords
def spike_time_linear(v_before: Any, v_after: Any, *, v_th: Any, dt: Any) -> jax.Array:
    """When the straight line between the potentials at both ends of a step reaches the threshold; off by `O(dt**2)`.

    Args:
        v_before: the potential at the start of the step, V.
        v_after: at its end, before the reset, V.
        v_th: the threshold, V.
        dt: length of the step, s.

    Returns:
        s; infinity unless `v_before <= v_th < v_after`. The arguments broadcast.

    Raises:
        ParameterError: an argument is not finite, or `dt` not positive.
        ShapeError: the arguments do not broadcast.
        DTypeError: an argument is no number.

    >>> round(float(spike_time_linear(0.5, 1.5, v_th=1.0, dt=1e-3)), 7)
    0.0005
    """
    _check({"v_before": v_before, "v_after": v_after, "v_th": v_th}, {"dt": dt}, "spike_time_linear")
    v_before, v_after, v_th, dt = working(v_before, v_after, v_th, dt)
    found = (v_before <= v_th) & (v_after > v_th)
    part = jnp.where(found, v_th - v_before, 0.0) / jnp.where(found, v_after - v_before, 1.0)
    return as_root(_linear, jnp.where(found, dt * part, jnp.inf), (v_before, v_after, v_th, dt))


@refuses_unknown_keywords
def spike_time_cubic(v_before: Any, v_after: Any, *, slope_before: Any, slope_after: Any, v_th: Any, dt: Any) -> jax.Array:
    """When the cubic through potential and slope at both ends of a step reaches the threshold; off by `O(dt**4)`.

    Args:
        v_before: the potential at the start of the step, V.
        v_after: at its end, before the reset, V.
        slope_before: `dv/dt` at the start, V/s: `(v_inf - v_before + resistance * i) / tau_mem`.
        slope_after: at the end, before the reset, V/s.
        v_th: the threshold, V.
        dt: length of the step, s.

    Returns:
        s; infinity unless `v_before <= v_th < v_after`. The arguments broadcast.

    Raises:
        ParameterError: an argument is not finite, or `dt` not positive.
        ShapeError: the arguments do not broadcast.
        DTypeError: an argument is no number.

    >>> slopes = {"slope_before": 1000.0, "slope_after": 1000.0}
    >>> round(float(spike_time_cubic(0.5, 1.5, **slopes, v_th=1.0, dt=1e-3)), 7)
    0.0005
    """
    real = {"v_before": v_before, "v_after": v_after, "slope_before": slope_before, "slope_after": slope_after, "v_th": v_th}
    _check(real, {"dt": dt}, "spike_time_cubic")
    arguments = working(v_before, v_after, slope_before, slope_after, v_th, dt)
    return as_root(_cubic, bracketed(_cubic, arguments[-1], arguments[0] <= arguments[4], arguments), arguments)


def _check(real: dict[str, Any], positive: dict[str, Any], where: str) -> None:
    shape: tuple[int, ...] = ()
    for values, domain in ((real, "real"), (positive, "positive")):
        for name, value in values.items():
            traceable(value, name, domain, where, "ohm" if name == "resistance" else "s")
            try:
                shape = np.broadcast_shapes(shape, np.shape(value))
            except ValueError:
                refuse_shape(name, np.shape(value), f"{shape}, as the arguments before it, or one that broadcasts with that", where)


def _held(t: Any, v: Any, v_inf: Any, v_th: Any, tau_mem: Any) -> jax.Array:
    return (v - v_inf) * jnp.exp(-t / tau_mem) + (v_inf - v_th)


def _decaying(t: Any, v: Any, drive: Any, v_inf: Any, v_th: Any, tau_mem: Any, tau_syn: Any) -> jax.Array:
    return _held(t, v, v_inf, v_th, tau_mem) + drive * exact.coupling(t, tau_mem, tau_syn)


def _linear(t: Any, v_before: Any, v_after: Any, v_th: Any, dt: Any) -> jax.Array:
    return (v_before - v_th) + (v_after - v_before) * (t / dt)


def _cubic(t: Any, v_before: Any, v_after: Any, slope_before: Any, slope_after: Any, v_th: Any, dt: Any) -> jax.Array:
    s = t / dt
    ends = (v_before - v_th) * (1.0 - s) ** 2 * (1.0 + 2.0 * s) + (v_after - v_th) * s**2 * (3.0 - 2.0 * s)
    return ends + dt * s * (1.0 - s) * (slope_before * (1.0 - s) - slope_after * s)


@jax.jit  # or the search would be compiled at every call outside `jit`
def _first_crossing(v: Any, drive: Any, v_inf: Any, v_th: Any, tau_mem: Any, tau_syn: Any, dt: Any) -> jax.Array:
    starts = v <= v_th
    membrane = jnp.broadcast_arrays(jnp.where(starts, v, v_th) - v_inf, drive, v_th - v_inf, tau_mem, tau_syn, dt)
    return jnp.where(starts, first_crossing(Membrane(*membrane[:-1]), membrane[-1]), jnp.inf)
