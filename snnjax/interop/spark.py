"""The leaky somas of Spark (spark-snn 1.0), from its parameter names and units to ours.

| Spark | parameters | neuron | steps blocked after a spike |
|---|---|---|---|
| `LeakySoma` | `leaky` | `F.leaky` | none |
| `RefractoryLeakySoma` | `refractory_leaky` | `F.refractory(F.leaky, F.gate_input)` | c + 1 |
| `StrictRefractoryLeakySoma` | `strict_refractory_leaky` | `F.refractory(F.leaky, F.clamp_to_reset)` | c |
| `AdaptiveLeakySoma` | `adaptive_leaky` | `F.refractory(F.adaptive_leaky, F.gate_input)` | c + 1 |

with c = cooldown / dt, rounded to the nearest whole number, halves to the even one.

Arguments are Spark's: mV, ms (`dt` too) and GOhm, by default Spark's defaults. What comes out is SI: potentials in
volts, inputs in amperes (1e-12 times Spark's pA). As in Spark, potentials are stored relative to rest: `v_leak` is 0,
and `potential_rest` must be added to a recorded `v` to see the absolute potential. In float32, recordings of Spark are
met to 5e-5 mV at dt = 1 ms and 2e-4 mV at 0.1 ms; with absolute potentials around -60 mV, to 1e-4 and 4e-4 mV.

A reset at or above the threshold, which Spark takes, is refused by `F.simulate`.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from .. import functional as F
from .._errors import ParameterError, refuses_unknown_keywords
from .._kinds import Kind
from ..functional._concrete import check_domain, check_real, concrete

_POTENTIAL = Kind("potential", "mV")
_TIME_CONSTANT = Kind("time_constant", "ms", "positive")
_KINDS = {
    "potential_rest": _POTENTIAL,
    "potential_reset": _POTENTIAL,
    "potential_tau": _TIME_CONSTANT,
    "resistance": Kind("resistance", "GOhm", "positive"),
    "threshold": _POTENTIAL,
    "cooldown": Kind("duration", "ms", "nonnegative"),
    "threshold_tau": _TIME_CONSTANT,
    "threshold_delta": _POTENTIAL,
    "dt": Kind("duration", "ms", "positive"),
}

# Spark's own default step is 1 ms. Steps of a few ms in seconds are below this, steps of 10 us in ms are above.
_SHORTEST_STEP_MS = 5e-3


def _check(where: str, **numbers: Any) -> None:
    for name, value in numbers.items():
        check_real(value, name, where)
        check_domain(value, name, _KINDS[name], where)
    step = concrete(numbers.get("dt", 1.0))
    if step is not None and (step < _SHORTEST_STEP_MS).any():
        shortest = float(step.min())
        raise ParameterError(
            f"`dt` of `{where}` is in milliseconds, as in Spark; got {shortest}, which reads like seconds. "
            f"Give `dt={1e3 * shortest:g}` for a step of {1e3 * shortest:g} ms.",
            where=where,
            field="dt",
            value=shortest,
            allowed=f">= {_SHORTEST_STEP_MS} ms",
        )


def _blocked_steps(cooldown: Any, dt: Any, strict: bool) -> jax.Array:
    """Steps that a spike blocks: Spark's strict soma compares its count with `>=`, the others with `>`."""
    # Plain numbers stay plain numbers inside jit, too.
    with jax.ensure_compile_time_eval():
        return F.refractory_steps(cooldown, dt) + (0 if strict else 1)


def _t_ref(cooldown: Any, dt: Any, strict: bool) -> Any:
    """Seconds that `F.refractory_steps` turns back into exactly the blocked steps."""
    steps = _blocked_steps(cooldown, dt, strict)
    if isinstance(cooldown, int | float) and isinstance(dt, int | float):
        return int(steps) * float(dt) * 1e-3
    dtype = jnp.asarray(cooldown / dt).dtype
    return steps.astype(dtype) * jnp.asarray(dt * 1e-3, dtype)


@refuses_unknown_keywords
def leaky(
    potential_rest: Any = -60.0,
    potential_reset: Any = -50.0,
    potential_tau: Any = 20.0,
    resistance: Any = 0.1,
    threshold: Any = -40.0,
) -> F.LeakyParams:
    """The parameters of Spark's `LeakySoma`; run them with `F.leaky`.

        tau_mem = potential_tau       v_th = threshold - potential_rest       v_leak = 0
        resistance = resistance       v_reset = potential_reset - potential_rest

    Args:
        potential_rest: potential without input, mV; a number or one value per neuron, as all of them.
        potential_reset: potential after a spike, mV.
        potential_tau: membrane time constant, ms.
        resistance: GOhm.
        threshold: potential that a spike has to exceed, mV.

    Returns:
        `F.LeakyParams` in SI units, relative to rest.

    Raises:
        ParameterError: a time constant or resistance is not positive, or a number not finite.

    >>> import jax.numpy as jnp
    >>> from snnjax import functional as F
    >>> params = leaky()
    >>> params.tau_mem, params.v_th
    (0.02, 0.02)
    >>> state, spikes = F.simulate(F.leaky, params, jnp.full((100, 1), 250e-12), dt=1e-3)
    >>> int(spikes.sum())
    4
    """
    _check(
        "leaky",
        potential_rest=potential_rest,
        potential_reset=potential_reset,
        potential_tau=potential_tau,
        resistance=resistance,
        threshold=threshold,
    )
    return F.LeakyParams(
        tau_mem=potential_tau * 1e-3,
        resistance=resistance * 1e9,
        v_leak=0.0,
        v_th=(threshold - potential_rest) * 1e-3,
        v_reset=(potential_reset - potential_rest) * 1e-3,
    )


@refuses_unknown_keywords
def refractory_leaky(
    potential_rest: Any = -60.0,
    potential_reset: Any = -50.0,
    potential_tau: Any = 20.0,
    resistance: Any = 0.1,
    threshold: Any = -40.0,
    cooldown: Any = 2.0,
    dt: Any = 1.0,
) -> F.RefractoryParams:
    """The parameters of Spark's `RefractoryLeakySoma`; run them with `F.refractory(F.leaky, F.gate_input)`.

    Its dead time is one step longer than `cooldown`, and so depends on `dt`: use the result with that `dt` only.

    Args:
        potential_rest, potential_reset, potential_tau, resistance, threshold: as in `leaky`.
        cooldown: ms, >= 0; one step more than `cooldown / dt` is blocked after a spike.
        dt: step of the simulation, ms; 1e3 times that of `F.simulate`.

    Returns:
        `F.RefractoryParams` around `F.LeakyParams`.

    Raises:
        ParameterError: a number is outside its domain, or `dt` is so small that it must be in seconds.

    >>> params = refractory_leaky(cooldown=2.0, dt=0.5)
    >>> params.t_ref
    0.0025
    """
    _check("refractory_leaky", cooldown=cooldown, dt=dt)
    membrane = leaky(potential_rest, potential_reset, potential_tau, resistance, threshold)
    return F.RefractoryParams(membrane, _t_ref(cooldown, dt, strict=False))


@refuses_unknown_keywords
def strict_refractory_leaky(
    potential_rest: Any = -60.0,
    potential_reset: Any = -50.0,
    potential_tau: Any = 20.0,
    resistance: Any = 0.1,
    threshold: Any = -40.0,
    cooldown: Any = 2.0,
    dt: Any = 1.0,
) -> F.RefractoryParams:
    """The parameters of Spark's `StrictRefractoryLeakySoma`; run them with `F.refractory(F.leaky, F.clamp_to_reset)`.

    Args, units and errors as in `refractory_leaky`; the dead time is `cooldown / dt` steps, none of them extra.

    >>> params = strict_refractory_leaky(cooldown=2.0, dt=0.5)
    >>> params.t_ref
    0.002
    """
    _check("strict_refractory_leaky", cooldown=cooldown, dt=dt)
    membrane = leaky(potential_rest, potential_reset, potential_tau, resistance, threshold)
    return F.RefractoryParams(membrane, _t_ref(cooldown, dt, strict=True))


@refuses_unknown_keywords
def adaptive_leaky(
    potential_rest: Any = -60.0,
    potential_reset: Any = -50.0,
    potential_tau: Any = 20.0,
    resistance: Any = 0.1,
    threshold: Any = -40.0,
    cooldown: Any = 2.0,
    threshold_tau: Any = 20.0,
    threshold_delta: Any = 100.0,
    dt: Any = 1.0,
) -> F.RefractoryParams:
    """The parameters of Spark's `AdaptiveLeakySoma`; run them with `F.refractory(F.adaptive_leaky, F.gate_input)`.

    Spark's threshold is `v_th + th` of the state, relative to rest. `dt` and the dead time are as in `refractory_leaky`.

    Args:
        potential_rest, potential_reset, potential_tau, resistance, threshold: as in `leaky`.
        cooldown, dt: ms, as in `refractory_leaky`.
        threshold_tau: time constant of the threshold, ms.
        threshold_delta: what a spike adds to the threshold, mV.

    Returns:
        `F.RefractoryParams` around `F.AdaptiveLeakyParams`.

    Raises:
        ParameterError: as in `refractory_leaky`.

    >>> params = adaptive_leaky(threshold_delta=5.0)
    >>> params.neuron.delta_th, params.t_ref
    (0.005, 0.003)
    """
    _check("adaptive_leaky", cooldown=cooldown, threshold_tau=threshold_tau, threshold_delta=threshold_delta, dt=dt)
    membrane = leaky(potential_rest, potential_reset, potential_tau, resistance, threshold)
    neuron = F.AdaptiveLeakyParams(**membrane._asdict(), tau_th=threshold_tau * 1e-3, delta_th=threshold_delta * 1e-3)
    return F.RefractoryParams(neuron, _t_ref(cooldown, dt, strict=False))


@refuses_unknown_keywords
def steps_left(refractory: Any, cooldown: Any = 2.0, dt: Any = 1.0, *, strict: bool = False) -> jax.Array:
    """Spark's count of steps since the last spike, as the `steps_left` of a `F.RefractoryState`.

        steps_left = max(c + 1 - refractory, 0)       strict: max(c - refractory, 0)

    A new soma of Spark 1.0 starts with `refractory` = c. The refractory and the adaptive soma therefore begin with one
    blocked step, and ignore their first input, which `init` does not do: start them from
    `F.RefractoryState(state, steps_left=1)` to get Spark's numbers. The strict soma, and all of Spark 0.1 (which starts
    at c + 1), begin ready, as `init` does.

    Args:
        refractory: Spark's counter, before the step that is simulated first.
        cooldown: ms.
        dt: ms.
        strict: whether it is the counter of a `StrictRefractoryLeakySoma`.

    Returns:
        int32, of the shape that the arguments broadcast to.

    >>> steps_left(2, cooldown=2.0).tolist(), steps_left(2, cooldown=2.0, strict=True).tolist()
    (1, 0)
    """
    _check("steps_left", cooldown=cooldown, dt=dt)
    check_real(refractory, "refractory", "steps_left")
    check_domain(refractory, "refractory", Kind("count", "1", "nonnegative"), "steps_left")
    blocked, count = jnp.broadcast_arrays(_blocked_steps(cooldown, dt, strict), jnp.asarray(refractory).astype(jnp.int32))
    return jnp.maximum(blocked - count, 0)
