"""Find `tau_mem`, `tau_syn` and `v_th` of a neuron in a recording that another integrator made, at a 50 times finer step.

Every step of the model starts from the recorded voltage, so that no error accumulates and no spike has to be
differentiated: the loss is smooth in the time constants, whatever they are at first. A step in which the recording spikes
is integrated up to the spike only, where the membrane must be at `v_th`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

import snnjax.functional as F
from snnjax import fit

DT = 1e-3
TRUE = F.LIFParams(tau_mem=18e-3, tau_syn=6e-3, v_th=0.8)
START = F.LIFParams(tau_mem=40e-3, tau_syn=2e-3, v_th=2.0)
FITTED = ("tau_mem", "tau_syn", "v_th")
SUBSTEPS = 50


class Recording(NamedTuple):
    """One neuron: `inputs` to its synapse and voltage `v` at the end of each step, `(T,)`; times of its spikes, s."""

    inputs: np.ndarray
    v: np.ndarray
    spike_times: np.ndarray


def example(seed: int) -> Recording:
    """Half a second of the true neuron under Poisson kicks."""
    kicks = 0.7 * np.random.default_rng(seed).poisson(0.25, 500)
    return record(TRUE, kicks)


def record(params: F.LIFParams, inputs: np.ndarray, dt: float = DT, substeps: int = SUBSTEPS) -> Recording:
    """The recording: the equations of `lif` in NumPy, by the classical Runge-Kutta method at `dt / substeps`."""

    def slope(y: np.ndarray) -> np.ndarray:
        v, i = y
        return np.array([(params.v_leak - v + i + params.bias) / params.tau_mem, -i / params.tau_syn])

    y, fine = np.array([params.v_leak, 0.0]), dt / substeps
    voltage, times = [], []
    for step, jump in enumerate(inputs):
        y = y + np.array([0.0, jump])
        for substep in range(1, substeps + 1):
            k1 = slope(y)
            k2 = slope(y + fine / 2 * k1)
            k3 = slope(y + fine / 2 * k2)
            y = y + fine / 6 * (k1 + 2 * k2 + 2 * k3 + slope(y + fine * k3))
            if y[0] > params.v_th:
                times.append(step * dt + substep * fine)
                y[0] = params.v_reset
        voltage.append(y[0])
    return Recording(np.asarray(inputs), np.array(voltage), np.array(times))


def one_step_loss(recording: Recording, dt: float = DT) -> Callable[[F.LIFParams], Any]:
    """Mean squared error of every step's voltage, each predicted from the recorded one before it."""
    steps = len(recording.v)
    spiked = np.minimum((recording.spike_times / dt).astype(int), steps - 1)
    length = np.full(steps, dt)
    length[spiked] = recording.spike_times - spiked * dt
    has_spike = np.isin(np.arange(steps), spiked)
    inputs, v = jnp.asarray(recording.inputs), jnp.asarray(recording.v)

    def loss(params: F.LIFParams) -> Any:
        membrane = F.LeakyIntegratorParams(params.tau_mem, params.tau_syn, params.v_leak, params.bias)
        _, i = F.simulate(F.leaky_integrator, membrane, inputs, dt=dt, record=lambda state, _: state.i)
        before = F.LeakyIntegratorState(v=jnp.append(params.v_leak, v[:-1]), i=jnp.append(0.0, i[:-1]))

        def step(state: Any, x: Any, length: Any) -> Any:
            return F.leaky_integrator_step(membrane, state, x, dt=length)[1]

        predicted = jax.vmap(step)(before, inputs, jnp.asarray(length))
        return jnp.mean((predicted - jnp.where(has_spike, params.v_th, v)) ** 2)

    return loss


def recover(recording: Recording, start: F.LIFParams = START) -> fit.FitResult:
    """The parameters that predict the recording best."""
    return fit.minimize(one_step_loss(recording), start, optimizer=optax.lbfgs(), steps=40, trainable=FITTED)


def run_free(params: F.LIFParams, recording: Recording) -> np.ndarray:
    """Spike times of the model by itself, given the inputs alone, at the step of the recording."""
    inputs = np.zeros(len(recording.inputs) * SUBSTEPS)
    inputs[::SUBSTEPS] = recording.inputs
    _, spikes = F.simulate(F.lif, params, inputs, dt=DT / SUBSTEPS)
    return (np.flatnonzero(spikes) + 1) * DT / SUBSTEPS


def coincident(times: np.ndarray, others: np.ndarray, window: float = 1e-3) -> int:
    """How many of `times` lie within `window` of one of the others."""
    if others.size == 0:
        return 0
    return int((np.abs(times[:, None] - others).min(axis=1) <= window).sum())
