"""Rockpool's LIFJax replayed by `F.lif` with the mapped parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import require_traces, traces

import snnjax
import snnjax.functional as F
from snnjax.interop import rockpool

RUNS = traces("dynapse", "lifjax_*.npz")


def per_synapse(x: Any, synapses: int) -> Any:
    """Neuron-major channels `(..., N S)` as `(..., S, N)`."""
    return np.swapaxes(np.reshape(x, (*x.shape[:-1], -1, synapses)), -1, -2)


def replay(file: Any) -> tuple[Any, Any, Any]:
    """Membranes in Rockpool's units, synaptic currents `(B, T, N, S)` and spikes of a recorded run."""
    dt, synapses, n = float(file["p_dt"]), int(file["n_synapses"]), int(file["shape"][-1])
    given = {name: file[f"p_{name}"] for name in ("tau_mem", "tau_syn", "bias", "threshold")}
    params = rockpool.lif(dt=dt, **given)
    config = rockpool.config(int(file["p_max_spikes_per_dt"]))
    weight = file["p_w_rec"] if file["has_rec"] else np.zeros((n, n * synapses), np.float32)
    neuron = F.lif if synapses == 1 else F.synapses(F.lif, synapses)
    scale = float(given["threshold"]) if np.ndim(given["threshold"]) == 0 else given["threshold"]

    def arrive(x: jax.Array) -> jax.Array:
        return x if synapses == 1 else rockpool.receive(x, jnp.asarray(given["tau_syn"]), dt)

    membrane = jnp.asarray(file["init_vmem"] * (F.core(params).v_th / scale), jnp.float32)
    current = per_synapse(file["init_isyn"].reshape(-1), synapses)
    if synapses == 1:
        start: Any = F.LIFState(membrane, jnp.asarray(current[0]))
    else:
        start = F.SynapsesState(
            F.LIFState(membrane, jnp.zeros(n)), jnp.asarray(current) * rockpool.receive(jnp.ones(n * synapses), params.tau_syn.T, dt)
        )

    def step(carry: Any, x: jax.Array) -> Any:
        state, spikes = carry
        state, spikes = neuron.step(params, state, arrive(x + spikes @ weight), dt=dt, config=config)
        i = state.i if synapses == 1 else state.i / jnp.exp(-dt / jnp.asarray(params.tau_syn, jnp.float32))
        return (state, spikes), (rockpool.vmem(F.core(state).v, params, scale), i if synapses == 1 else i.T, spikes)

    inputs = file["input"] if file["input"].ndim == 3 else file["input"][None]
    run = jax.jit(jax.vmap(lambda x: jax.lax.scan(step, (start, jnp.asarray(file["init_spikes"])), x)[1]))
    v, i, spikes = run(jnp.asarray(inputs))
    return v, i.reshape(file["rec_isyn"].shape), spikes


def test_there_are_recorded_runs() -> None:
    require_traces("dynapse")
    assert len(RUNS) >= 6


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_every_recorded_run_is_replayed(path: Path) -> None:
    file = np.load(path)
    with jax.numpy_dtype_promotion("standard"):
        v, i, spikes = replay(file)
    assert file["rec_spikes"].sum() > 0
    np.testing.assert_array_equal(spikes, file["rec_spikes"])
    np.testing.assert_allclose(v, file["rec_vmem"], rtol=0, atol=5e-4)
    np.testing.assert_allclose(i, file["rec_isyn"], rtol=5e-4, atol=5e-4)


def test_the_bias_that_makes_it_fire_is_the_leak_of_a_step() -> None:
    # Published figure of the model: vmem gains its input in full per step, so 1 - exp(-dt/tau_mem) = 0.0488 suffices.
    def fires(bias: float) -> bool:
        params = rockpool.lif(tau_mem=20e-3, bias=bias, dt=1e-3)
        return bool(F.simulate(F.lif, params, jnp.zeros((500, 1)), dt=1e-3, config=rockpool.config())[1].any())

    assert not fires(0.0487) and fires(0.0489)


def test_a_time_constant_of_zero_is_refused() -> None:
    with pytest.raises(snnjax.ParameterError, match="`tau_mem` must be > 0"):
        rockpool.lif(tau_mem=0.0)


def test_inputs_that_do_not_fit_the_synapses_are_refused() -> None:
    with pytest.raises(
        snnjax.ShapeError, match=r"`x` must have shape \(\.\.\., 6\), one channel per synapse of `tau_syn` \(3, 2\); got \(5,\)\."
    ):
        rockpool.receive(jnp.zeros(5), jnp.full((3, 2), 20e-3))
