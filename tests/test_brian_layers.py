"""The recorded layers of Brian2 and Rockpool, replayed through `FeedForwardIAF` and `RecurrentIAF` in float64.

The layers bring the weights, the synapses and what comes back. What Brian2 orders differently is said as in
`test_brian_traces`, whose functions read the recordings. Every run is cut in two pieces, at no round number of steps.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import traces
from test_brian_traces import INTEGRATORS, MV, assert_same, assert_same_spikes, both, by_file, load, membrane

import snnjax.functional as F
from snnjax import somas
from snnjax.interop import brian

CUT = 1733


def neurons(trace: dict[str, np.ndarray], method: str) -> dict[str, Any]:
    """The neurons of a recording, as a layer takes them."""
    params = brian.ffiaf(**membrane(trace))
    return {**params.neuron._asdict(), "t_ref": params.t_ref, "integrator": INTEGRATORS[method]}


def replay(layer: Any, inputs: Any, trace: dict[str, np.ndarray], cut: int = CUT) -> Any:
    """Spikes, potentials in mV, and the states of the neurons after each step."""
    first, last = (jax.tree.map(lambda array, piece=piece: array[piece], inputs) for piece in (slice(cut), slice(cut, None)))
    dt = float(trace["dt"])
    state, (spikes, states) = layer.simulate(first, dt=dt, record=both)
    _, (more_spikes, more_states) = layer.simulate(last, dt=dt, state=state, record=both)
    assert spikes.dtype == jnp.float64
    states = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), states, more_states)
    return jnp.concatenate([spikes, more_spikes]), np.asarray(F.core(states).v) / MV, states


@pytest.mark.parametrize("method", INTEGRATORS)
@pytest.mark.parametrize("path", traces("brian", "iaf_*.npz"), **by_file)
def test_a_layer_that_passes_each_current_to_its_neuron_is_brian_s(path: Path, method: str, x64: None) -> None:
    trace = load(path)
    recorded = {"exponential_euler": "exact"}.get(method, method)
    current = jnp.broadcast_to(trace["I"], trace[f"v_{recorded}"].shape)
    inputs = brian.rk4_inputs(current) if method == "rk4" else F.Injected(current)
    layer = somas.FeedForwardIAF(jnp.eye(current.shape[1]), **neurons(trace, method))
    spikes, v, _ = replay(layer, inputs, trace)
    assert_same_spikes(spikes, trace[f"spikes_{recorded}"])
    assert_same(v, trace[f"v_{recorded}"])


@pytest.mark.parametrize("path", traces("brian", "rockpool_ffiafbrian_*.npz"), **by_file)
def test_the_layer_of_rockpool_with_its_weights(path: Path, x64: None) -> None:
    trace = dict(np.load(path))
    dt, names = float(trace["dt_s"]), ("tau_mem", "v_thresh", "v_reset", "v_rest", "bias")
    params = brian.ffiaf(**{name: trace[name] for name in names}, refractory=float(trace["refractory_s"]), dt=dt)
    layer = somas.FeedForwardIAF.from_params(trace["W"], params, integrator=F.rk4)
    seam = round(float(trace["out1_t"][1]) / dt)
    # At the end of a call of `evolve` the last sample is held; what the stage at the end of a step adds is weighted by hand.
    late = jnp.concatenate([brian.rk4_inputs(piece).late for piece in (trace["X"][:seam], trace["X"][seam:])]) @ trace["W"]
    spikes, v, _ = replay(layer, F.Injected(jnp.asarray(trace["X"]), late=late), {"dt": np.asarray(dt)}, cut=seam)
    assert_same(v[:-1], trace["v_start_mV"][1:])
    steps, channels = np.nonzero(spikes)
    np.testing.assert_array_equal(steps, np.round(trace["brian_t"] / dt))
    np.testing.assert_array_equal(channels, trace["brian_i"])


@pytest.mark.parametrize("path", traces("brian", "lif_expsyn_*.npz"), **by_file)
def test_a_layer_with_input_synapses_is_brian_s(path: Path, x64: None) -> None:
    trace = load(path)
    method = "rk4" if path.stem.endswith("rk4") else "exact"
    # In Brian2 a spike moves the membrane from the next step on: that is a delay of one step.
    delay = trace.get("delay", 0.0) * MV + float(trace["dt"])
    layer = somas.FeedForwardIAF(trace["W"], tau_syn=trace["tau_s"], delay=delay, **neurons(trace, method))
    spikes, v, states = replay(layer, trace["S_in"], trace)
    assert_same_spikes(spikes, trace["spikes"])
    assert_same(v, trace["v"])
    if "delay" not in trace:
        assert_same((states.i[:, 0] + trace["S_in"] @ trace["W"]) / MV, trace["I_syn"])


@pytest.mark.parametrize("path", traces("brian", "lif_rec_*.npz"), **by_file)
def test_a_recurrent_layer_is_brian_s(path: Path, x64: None) -> None:
    trace = load(path)
    layer = somas.RecurrentIAF(
        trace["W_in"],
        trace["W_rec"],
        tau_syn=trace["tau_syn_inp"],
        tau_syn_rec=trace["tau_syn_rec"],
        **neurons(trace, "rk4" if "rk4" in path.stem else "exact"),
    )
    spikes, v, states = replay(layer, brian.arrivals(trace["S_in"]), trace)
    assert_same_spikes(spikes, trace["spikes"])
    assert_same(v, trace["v"])
    assert_same((states.i[:, 0] + trace["S_in"] @ trace["W_in"]) / MV, trace["I_syn_inp"])
    assert_same((states.i[:, 1] + spikes @ trace["W_rec"]) / MV, trace["I_syn_rec"])
