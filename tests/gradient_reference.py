"""Gradients of whole runs by a reverse recursion in float64 NumPy, derived from the equations and not from the library.

Between two spikes every model of the leaky family is linear: `d(v, e, x, 1)/dt = G (v, e, x, 1)`, with `e` the model's second
variable and `x` the input held over the step. So a step is one matrix `P`, the exponential of `G dt` (or what an integrator
makes of it), and its derivative by a parameter is the imaginary part of `P` at a parameter shifted by a tiny imaginary number,
which is exact. The reverse recursion is written out below; it is fed with the run's own states and spikes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray
Numbers = Mapping[str, Array]

#: `d spike/dx` in units of the distance from reset to threshold, as functions of `slope * x / unit`.
BUMPS: dict[str, Callable[[Array], Array]] = {
    "superspike": lambda y: 1 / (1 + np.abs(y)) ** 2,
    "tanh": lambda y: 1 - np.tanh(y) ** 2,
    "triangle": lambda y: np.maximum(0, 1 - np.abs(y)),
    "arctan": lambda y: 1 / (1 + y**2),
    "sigmoid": lambda y: 1 / np.cosh(y / 2) ** 2,
    "gaussian": lambda y: np.exp(-(y**2)),
    "boxcar": lambda y: (np.abs(y) < 0.5).astype(float),
    "heaviside": np.zeros_like,
}
IMAGINARY = 1e-30j


class Linear(NamedTuple):
    """The equations of a model.

    Attributes:
        rows: `(parameters) -> (dv/dt, de/dt)`, each as the factors of `(v, e, x, 1)`.
        extra: the name of `e` in the state; empty where there is none.
        jump: whether an input is a jump of `e` (else a current held over the step).
        kick: the parameter by which a spike raises `e`.
        raises: whether `e`, as the step found it, is added to the threshold.
        fires: whether there are spikes.
    """

    rows: Callable[[Any], tuple[Any, Any]]
    extra: str = ""
    jump: bool = False
    kick: str = ""
    raises: bool = False
    fires: bool = True


def _leaky(p: Any) -> tuple[Any, Any]:
    return (-1 / p["tau_mem"], 0, p["resistance"] / p["tau_mem"], (p["v_leak"] + p["resistance"] * p["bias"]) / p["tau_mem"]), (0, 0, 0, 0)


def _lif(p: Any) -> tuple[Any, Any]:
    return (-1 / p["tau_mem"], 1 / p["tau_mem"], 0, (p["v_leak"] + p["bias"]) / p["tau_mem"]), (0, -1 / p["tau_syn"], 0, 0)


def _perfect(p: Any) -> tuple[Any, Any]:
    return (0, 0, p["resistance"] / p["tau_mem"], p["resistance"] * p["bias"] / p["tau_mem"]), (0, 0, 0, 0)


def _threshold(p: Any) -> tuple[Any, Any]:
    return _leaky(p)[0], (0, -1 / p["tau_th"], 0, 0)


def _adaptation(p: Any) -> tuple[Any, Any]:
    v = _leaky(p)[0]
    return (v[0], -v[2], v[2], v[3]), (p["g_w"] / p["tau_w"], -1 / p["tau_w"], 0, -p["g_w"] * p["v_leak"] / p["tau_w"])


EQUATIONS = {
    "leaky": Linear(_leaky),
    "lif": Linear(_lif, extra="i", jump=True),
    "lif_refrac": Linear(_lif, extra="i", jump=True),
    "adaptive_leaky": Linear(_threshold, extra="th", kick="delta_th", raises=True),
    "adaptive_current_leaky": Linear(_adaptation, extra="w", kick="delta_w"),
    "integrate_and_fire": Linear(_perfect),
    "leaky_integrator": Linear(_lif, extra="i", jump=True, fires=False),
}


def _powers(generator: Array, terms: int) -> Array:
    """The exponential of `(N, 4, 4)` matrices, up to a power."""
    total = np.broadcast_to(np.eye(4, dtype=generator.dtype), generator.shape)
    term = total
    for k in range(1, terms + 1):
        term = generator @ term / k
        total = total + term
    return total


def _separately(generator: Array) -> Array:
    """Each variable exactly, with the other one held over the step."""
    rows = [_powers(generator * (np.arange(4) == k)[:, None], 30)[:, k] for k in range(4)]
    return np.stack(rows, axis=1)


INTEGRATORS: dict[str, Callable[[Array], Array]] = {
    "exact": lambda generator: _powers(generator, 30),
    "exponential_euler": _separately,
    "euler": lambda generator: _powers(generator, 1),
    "rk4": lambda generator: _powers(generator, 4),
}


def propagator(model: Linear, p: Any, dt: float, integrator: str) -> Array:
    """What a step makes of `(v, e, x, 1)`: `(N, 4, 4)`."""
    rows = [*model.rows(p), (0, 0, 0, 0), (0, 0, 0, 0)]
    shape = p["tau_mem"].shape
    generator = np.stack([np.stack([np.broadcast_to(np.asarray(entry), shape) for entry in row], -1) for row in rows], -2)
    return INTEGRATORS[integrator](generator * dt)


class Run(NamedTuple):
    """What is known of a run: `inputs`, and after each step `v`, `e`, `spikes`, all `(T, N)`; and the first `v` and `e`."""

    inputs: Array
    v: Array
    e: Array
    spikes: Array
    first_v: Array
    first_e: Array


class Choices(NamedTuple):
    """Per neuron: the surrogate's name and slope, and whether the reset goes to a value and is attached."""

    surrogate: list[str]
    slope: Array
    to_value: Array
    attached: Array


def blocked_before(spikes: Array, steps: Any) -> Array:
    """Whether a step is blocked, from the spikes before it."""
    blocked = np.zeros(spikes.shape, bool)
    for t in range(len(spikes)):
        for ago in range(1, int(np.max(steps)) + 1):
            blocked[t] |= (spikes[t - ago] > 0) & (ago <= steps) if t >= ago else False
    return blocked


def _slopes(model: Linear, p: Numbers, choices: Choices, peak: Array, e: Array) -> Array:
    """The surrogates' derivatives at the potentials before the reset."""
    if not model.fires:
        return np.zeros_like(peak)
    unit = p["v_th"] - p["v_reset"]
    y = choices.slope * (peak - p["v_th"] - (e if model.raises else 0.0)) / unit
    return np.array([BUMPS[name](y[:, k]) for k, name in enumerate(choices.surrogate)]).T / unit


def reverse(
    model: Linear,
    p: Numbers,
    run: Run,
    on_spikes: Array,
    on_v: Array,
    choices: Choices,
    *,
    dt: float,
    integrator: str = "exact",
    blocked_steps: Any = 0,
) -> dict[str, Array]:
    """Derivatives of `L = sum(on_spikes * spikes) + sum(on_v * v)` by every parameter, the inputs, and the first `v` and `e`.

    A blocked neuron's membrane stays where it is, and it does not spike.
    """
    step = propagator(model, p, dt, integrator)
    found = {name: np.zeros_like(run.first_v) for name in p}
    z, blocked = _starts(model, run), blocked_before(run.spikes, blocked_steps)
    peak = np.where(blocked, z[..., 0], np.einsum("nab,tnb->tna", step, z)[..., 0])
    slopes = np.where(blocked, 0.0, _slopes(model, p, choices, peak, z[..., 1]))
    bar_made, bar_inputs = np.zeros((*run.v.shape, 4)), np.zeros_like(run.inputs)
    bar_v, bar_e = np.zeros_like(run.first_v), np.zeros_like(run.first_v)
    for t in reversed(range(len(run.inputs))):
        bar_peak, bar_over = bar_v + on_v[t], np.zeros_like(bar_e)
        if model.fires:
            bars = bar_peak, bar_e, on_spikes[t]
            bar_peak, bar_over = _through_the_spike(model, p, choices, found, bars, run.spikes[t] > 0, peak[t], slopes[t])
        bar_made[t, :, 0], bar_made[t, :, 1] = np.where(blocked[t], 0.0, bar_peak), bar_e
        bar_z = np.einsum("nab,na->nb", step, bar_made[t])
        bar_v = bar_z[:, 0] + np.where(blocked[t], bar_peak, 0.0)
        bar_e = bar_z[:, 1] - (bar_over if model.raises else 0.0)
        bar_inputs[t] = bar_e if model.jump else bar_z[:, 2]
    for name in p:
        shifted = propagator(model, {**p, name: p[name] + IMAGINARY}, dt, integrator).imag / abs(IMAGINARY)
        found[name] += np.einsum("tna,nab,tnb->n", bar_made, shifted, z)
    return {**found, "inputs": bar_inputs, "first v": bar_v, "first e": bar_e}


def _through_the_spike(
    model: Linear, p: Numbers, choices: Choices, found: dict[str, Array], bars: Any, fired: Array, peak: Array, slope: Array
) -> tuple[Array, Array]:
    """Back through reset and spike: the derivatives by the potential before both, and by its distance from the threshold.

    Adds to `found` what the parameters of both are due.
    """
    bar_v, bar_e, bar_spike = bars
    jump = np.where(choices.to_value, p["v_reset"] - peak, p["v_reset"] - p["v_th"])
    bar_spike = bar_spike + np.where(choices.attached, bar_v * jump, 0.0)
    if model.kick:
        bar_spike = bar_spike + bar_e * p[model.kick]
        found[model.kick] += bar_e * fired
    bar_over = slope * bar_spike
    found["v_reset"] += np.where(fired, bar_v, 0.0)
    found["v_th"] -= np.where(fired & ~choices.to_value, bar_v, 0.0) + bar_over
    return bar_over + np.where(fired & choices.to_value, 0.0, bar_v), bar_over


def _starts(model: Linear, run: Run) -> Array:
    """`(v, e, x, 1)` at the start of each step, after the input has jumped."""
    v, e = np.vstack([run.first_v[None], run.v[:-1]]), np.vstack([run.first_e[None], run.e[:-1]])
    x = np.zeros_like(v) if model.jump else run.inputs
    return np.stack([v, e + run.inputs if model.jump else e, x, np.ones_like(v)], axis=-1)


def blocked_steps(t_ref: float, dt: float) -> int:
    """As many steps as the period has, rounded."""
    return math.floor(t_ref / dt + 0.5)
