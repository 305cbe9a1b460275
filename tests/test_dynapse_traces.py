"""DynapSim replayed: recorded runs of Rockpool's simulator, states, spikes and gradients."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import require_traces, traces

import snnjax.functional as F

CONFIG = F.DPIConfig.dynapsim()
RUNS = traces("dynapse", "dynapsim_*.npz")
GRADIENTS = traces("dynapse", "dyngrad_*.npz")
LOSSES = {
    "vmem2": lambda states, spikes: (states.vmem**2).sum(),
    "spk": lambda states, spikes: spikes.sum(),
    "spk_mse": lambda states, spikes: ((spikes - 0.1) ** 2).mean(),
    "imem": lambda states, spikes: 1e8 * states.imem.sum(),
}


def params_of(file: Any) -> F.DynapseParams:
    def numbers(record: type) -> Any:
        return record(*(jnp.asarray(file[f"p_{name}"]) for name in record._fields))  # type: ignore[attr-defined]

    return F.DynapseParams(numbers(F.BiasCurrents), numbers(F.Process), jnp.asarray(file["p_Iscale"]))


@functools.partial(jax.jit, static_argnames="dt")
def run(params: F.DynapseParams, weight: Any, state: F.DynapseState, inputs: jax.Array, dt: float) -> Any:
    """All states and spikes, with the last spikes coming back through `weight`."""

    def step(now: F.DynapseState, x: jax.Array) -> Any:
        now, spikes = F.dynapse_dpi_step(params, now, x + now.spikes @ weight, dt=dt, config=CONFIG)
        return now, (now, spikes)

    return jax.lax.scan(step, state, inputs)[1]


def weight_of(file: Any) -> jax.Array:
    n = file["p_Idc"].size
    return jnp.asarray(file["p_w_rec"]) if file.get("has_rec", "p_w_rec" in file) else jnp.zeros((n, n))


def test_there_are_recorded_runs() -> None:
    require_traces("dynapse")
    assert len(RUNS) >= 10 and len(GRADIENTS) >= 3


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_every_recorded_run_is_replayed(path: Path) -> None:
    file = np.load(path)
    dt = float(file["p_dt"][0])
    inputs = file["input"] if file["input"].ndim == 3 else file["input"][None]
    names = ("imem", "isyn", "iahp", "vmem", "spikes")
    start = F.DynapseState(
        *(jnp.asarray(file[f"init_{name}"]) for name in names), jnp.asarray(np.ceil(file["init_timer_ref"] / dt - 1e-3), int)
    )
    states, spikes = jax.vmap(lambda x: run(params_of(file), weight_of(file), start, x, dt))(jnp.asarray(inputs))
    differs = (np.asarray(spikes) != file["rec_spikes"]).any(axis=(0, 2))
    first = int(np.argmax(differs)) if differs.any() else differs.size
    # The strongly adapting run may part ways: 1 - exp(-2e-5) has three digits in float32.
    assert first > 200
    for name in names:
        np.testing.assert_allclose(
            getattr(states, name)[:, :first], file[f"rec_{name}"][:, :first], rtol=1e-3, atol=1e-6 if name == "vmem" else 0
        )
    # The float timer of the original, in steps.
    blocked = np.ceil(file["rec_timer_ref"] / dt - 1e-3)
    np.testing.assert_array_equal(states.steps_left[:, :first], blocked[:, :first])
    counts, recorded = np.asarray(spikes).sum(axis=(0, 1)), file["rec_spikes"].sum(axis=(0, 1))
    assert recorded.sum() > 0
    np.testing.assert_allclose(counts, recorded, rtol=0.03, atol=1)


@pytest.mark.parametrize("path", GRADIENTS, ids=lambda path: path.stem)
def test_every_recorded_gradient_is_reproduced(path: Path) -> None:
    file = np.load(path)
    dt, Io, n = float(file["p_dt"][0]), jnp.asarray(file["p_Io"]), file["p_Io"].size
    start = F.DynapseState(Io, Io, Io, jnp.zeros(n), jnp.zeros(n), jnp.zeros(n, int))

    @jax.jit
    def gradients(*arguments: Any) -> Any:
        def pull(loss: Any) -> Any:
            return jax.grad(lambda params, weight, x: loss(*run(params, weight, start, x, dt)), argnums=(0, 1, 2))(*arguments)

        return {name: pull(loss) for name, loss in LOSSES.items() if f"loss_{name}" in file}

    found = gradients(params_of(file), weight_of(file), jnp.asarray(file["input"]))
    assert found
    for name, (params, weight, inputs) in found.items():
        every = {**params.bias._asdict(), **params.process._asdict(), "w_rec": weight, "input": inputs}
        for field, gradient in every.items():
            assert np.isfinite(gradient).all(), field
            recorded = file[f"grad_{name}_{field}"] if f"grad_{name}_{field}" in file else None
            if recorded is None or np.isnan(recorded).any():
                continue  # the recorded one is NaN where currents are 0: a fault of the original
            np.testing.assert_allclose(gradient, recorded, rtol=1e-4, atol=1e-6 * np.abs(recorded).max(), err_msg=f"{name} {field}")


def test_the_spike_count_and_its_pseudo_derivative_are_those_recorded() -> None:
    file = np.load(require_traces("dynapse") / "dynsurrogate_step_pwl.npz")
    from snnjax.functional._dpi_dynapsim import _spike_count

    Io = 5e-13
    m, threshold = jnp.asarray(file["imem"]) / Io, jnp.asarray(file["Ispkthr"]) / Io
    count, slope = jax.vmap(jax.value_and_grad(_spike_count), (0, None, None))(m, threshold, jnp.float32(Io))
    np.testing.assert_array_equal(count, file["n_spikes"])
    np.testing.assert_allclose(slope / Io, file["grad_imem"], rtol=1e-6)
