"""Recorded runs of Brian2 and of Rockpool's FFIAFBrian, replayed in float64 on the library's models and wrappers.

The traces are in mV, ms and mA across 1 ohm. What Brian2 orders differently is said by values of `snnjax.interop.brian`: the steps
that it freezes, the step in which a jump arrives, the sample that the last stage of a Runge-Kutta step reads.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from conftest import require_traces, traces

import snnjax.functional as F
from snnjax.interop import brian

MV = 1e-3  # also ms and mA
INTEGRATORS = {integrator.name: integrator for integrator in (F.exact, F.exponential_euler, F.euler, F.rk4)}
by_file = {"ids": lambda path: path.stem}


def load(path: Path) -> dict[str, np.ndarray]:
    """The arrays, with everything in SI units but what was recorded."""
    arrays = dict(np.load(path))
    parameters = {"I", "W", "W_in", "W_rec", "dt", "refractory", "v_rest", "v_thresh", "v_reset", "bias", "theta0", "d_th", "b"}
    parameters |= {name for name in arrays if name.startswith("tau")}
    return {name: array * MV if name in parameters else array for name, array in arrays.items()}


def membrane(trace: dict[str, np.ndarray], threshold: str = "v_thresh") -> dict[str, Any]:
    """Arguments of the layers' functions."""
    names = {"tau_mem": "tau_m", "v_thresh": threshold, "v_reset": "v_reset", "v_rest": "v_rest", "bias": "bias"}
    given = {name: trace[key] for name, key in names.items() if key in trace}
    return {**given, "refractory": float(trace["refractory"]), "dt": float(trace["dt"])}


def replay(neuron: F.Neuron, params: Any, inputs: Any, trace: dict[str, np.ndarray], integrator: str, state: Any = None) -> Any:
    """Spikes, potentials in mV, and all states after each step."""
    config = F.SpikingConfig(integrator=INTEGRATORS[integrator])
    dt = float(trace["dt"])
    _, (spikes, states) = F.simulate(neuron, params, inputs, dt=dt, state=state, config=config, record=both)
    assert spikes.dtype == jnp.float64
    return spikes, np.asarray(F.core(states).v) / MV, states


def both(state: Any, spikes: Any) -> Any:
    return spikes, state


def assert_same(ours: Any, recorded: np.ndarray) -> None:
    np.testing.assert_allclose(ours, recorded, rtol=0, atol=1e-9)


def assert_same_spikes(ours: Any, recorded: np.ndarray) -> None:
    assert recorded.any()
    np.testing.assert_array_equal(np.asarray(ours) > 0, recorded > 0)


def test_every_kind_of_recording_is_replayed() -> None:
    require_traces("brian")
    kinds = {
        "iaf_*": 9,
        "rockpool_ffiafbrian_*": 1,
        "lif_expsyn_*": 3,
        "lif_delta_*": 1,
        "lif_rec_*": 2,
        "alif_*": 3,
        "lif_adapt_current_*": 1,
    }
    assert {kind: len(traces("brian", f"{kind}.npz")) for kind in kinds} == kinds


@pytest.mark.parametrize("method", INTEGRATORS)
@pytest.mark.parametrize("path", traces("brian", "iaf_*.npz"), **by_file)
def test_ffiaf_is_brian_s_under_every_integrator(path: Path, method: str, x64: None) -> None:
    trace = load(path)
    recorded = {"exponential_euler": "exact"}.get(method, method)
    current = jnp.broadcast_to(trace["I"], trace[f"v_{recorded}"].shape)
    neuron, inputs = F.refractory(F.leaky), current
    if method == "rk4":
        neuron, inputs = F.injected(neuron), brian.rk4_inputs(current)
    params = brian.ffiaf(**membrane(trace))
    spikes, v, _ = replay(neuron, params, inputs, trace, method)
    assert_same_spikes(spikes, trace[f"spikes_{recorded}"])
    assert_same(v, trace[f"v_{recorded}"])
    if "bias" in trace and path.stem == "iaf_defaults":
        np.testing.assert_allclose(trace["bias"], [brian.BIAS_IN_CODE, brian.BIAS_IN_DOCUMENTATION])
        assert not np.asarray(spikes)[:, 1].any()


@pytest.mark.parametrize("path", traces("brian", "iaf_*.npz"), **by_file)
def test_in_float32_no_spike_is_another_and_potentials_are_within_a_micro_volt(path: Path) -> None:
    trace = load(path)
    current = np.broadcast_to(trace["I"], trace["v_exact"].shape).astype(np.float32)
    params = brian.ffiaf(**membrane(trace))
    _, (spikes, states) = F.simulate(F.refractory(F.leaky), params, current, dt=float(trace["dt"]), record=both)
    assert spikes.dtype == jnp.float32
    assert_same_spikes(spikes, trace["spikes_exact"])
    error = np.abs(F.core(states).v / MV - trace["v_exact"])
    assert np.median(error) < 1e-4 and error.max() < 1e-3  # mV


@pytest.mark.parametrize("path", traces("brian", "iaf_noise_*.npz"), **by_file)
def test_without_the_next_sample_a_runge_kutta_step_is_not_brian_s(path: Path, x64: None) -> None:
    trace = load(path)
    _, v, _ = replay(F.refractory(F.leaky), brian.ffiaf(**membrane(trace)), trace["I"], trace, "rk4")
    assert np.abs(v - trace["v_rk4"])[:100].max() > 1e-3


@pytest.mark.parametrize("path", traces("brian", "rockpool_ffiafbrian_*.npz"), **by_file)
def test_the_layer_itself_in_its_two_calls(path: Path, x64: None) -> None:
    trace = dict(np.load(path))
    dt, names = float(trace["dt_s"]), ("tau_mem", "v_thresh", "v_reset", "v_rest", "bias")
    params = brian.ffiaf(**{name: trace[name] for name in names}, refractory=float(trace["refractory_s"]), dt=dt)
    neuron, config = F.injected(F.refractory(F.leaky)), F.SpikingConfig(integrator=F.rk4)
    current = trace["X"] @ trace["W"]
    seam = round(float(trace["out1_t"][1]) / dt)
    state, potentials, rasters = None, [], []
    for piece in (current[:seam], current[seam:]):
        state, (spikes, states) = F.simulate(neuron, params, brian.rk4_inputs(piece), dt=dt, state=state, config=config, record=both)
        potentials, rasters = [*potentials, states.neuron.v], [*rasters, spikes]
    assert_same(np.concatenate(potentials)[:-1] / MV, trace["v_start_mV"][1:])
    steps, neurons = np.nonzero(np.concatenate(rasters))
    np.testing.assert_array_equal(steps, np.round(trace["brian_t"] / dt))
    np.testing.assert_array_equal(neurons, trace["brian_i"])


@pytest.mark.parametrize("path", traces("brian", "lif_expsyn_*.npz"), **by_file)
def test_exponential_synapses_are_brian_s(path: Path, x64: None) -> None:
    trace = load(path)
    jumps = trace["S_in"] @ trace["W"]
    params = brian.ffiaf_spk_in(**membrane(trace), tau_syn=trace["tau_s"])
    method = "rk4" if path.stem.endswith("rk4") else "exact"
    spikes, v, states = replay(F.lif_refrac, params, brian.arrivals(jumps), trace, method)
    assert_same_spikes(spikes, trace["spikes"])
    assert_same(v, trace["v"])
    assert_same((states.neuron.i + jumps) / MV, trace["I_syn"])


@pytest.mark.parametrize("path", traces("brian", "lif_rec_*.npz"), **by_file)
def test_recurrent_synapses_are_brian_s(path: Path, x64: None) -> None:
    trace = load(path)
    jumps = trace["S_in"] @ trace["W_in"]
    taus = {name: trace[name] for name in ("tau_syn_inp", "tau_syn_rec")}
    params = brian.rec_iaf_spk_in(trace["W_rec"], **membrane(trace), **taus)
    method = "rk4" if "rk4" in path.stem else "exact"
    neuron = F.synapses(F.recurrent(F.lif_refrac), 1)
    spikes, v, states = replay(neuron, params, brian.arrivals(jumps)[:, None], trace, method)
    assert_same_spikes(spikes, trace["spikes"])
    assert_same(v, trace["v"])
    assert_same((states.i[:, 0] + jumps) / MV, trace["I_syn_inp"])
    assert_same((F.core(states).i + spikes @ trace["W_rec"]) / MV, trace["I_syn_rec"])


@pytest.mark.parametrize("path", traces("brian", "lif_delta_*.npz"), **by_file)
def test_delta_synapses_are_brian_s(path: Path, x64: None) -> None:
    """The reset of a step is Brian2's last word: what arrives in that step is lost, so our next step does not receive."""
    trace = load(path)
    assert trace["refractory"] == 0.0
    jumps = trace["S_in"] @ trace["W"]
    neuron = F.refractory(F.delta(F.leaky), F.gate_input)
    params = brian.ffiaf(**membrane(trace))._replace(t_ref=float(trace["dt"]))
    spikes, v, _ = replay(neuron, params, brian.arrivals(jumps), trace, "exact")
    assert_same_spikes(spikes, trace["spikes"])
    assert_same(v + np.where(spikes > 0, 0.0, jumps / MV), trace["v"])


@pytest.mark.parametrize("path", traces("brian", "alif_*.npz"), **by_file)
def test_an_adaptive_threshold_is_brian_s(path: Path, x64: None) -> None:
    trace = load(path)
    layer = brian.ffiaf(**membrane(trace, threshold="theta0"), bias=0.0)
    decay = np.exp(-trace["dt"] / trace["tau_th"])
    jump = brian.delta_th(trace["d_th"], trace["tau_th"], float(trace["dt"]))
    params = layer._replace(neuron=F.AdaptiveLeakyParams(**layer.neuron._asdict(), tau_th=trace["tau_th"], delta_th=jump))
    spikes, v, states = replay(F.refractory(F.adaptive_leaky), params, trace["I"], trace, "exact")
    assert_same_spikes(spikes, trace["spikes"])
    assert_same(v, trace["v"])
    assert_same((trace["theta0"] + np.asarray(states.neuron.th) / decay) / MV, trace["theta"])


@pytest.mark.parametrize("path", traces("brian", "lif_adapt_current_*.npz"), **by_file)
def test_an_adaptation_current_is_brian_s(path: Path, x64: None) -> None:
    trace = load(path)
    layer = brian.ffiaf(**membrane(trace, threshold="theta0"), bias=0.0)
    adaptation = {"tau_w": trace["tau_w"], "g_w": trace["a"], "delta_w": trace["b"]}
    params = layer._replace(neuron=F.AdaptiveCurrentLeakyParams(**layer.neuron._asdict(), **adaptation))
    neuron = F.injected(F.refractory(F.adaptive_current_leaky))
    spikes, v, states = replay(neuron, params, brian.rk4_inputs(trace["I"]), trace, "rk4")
    assert_same_spikes(spikes, trace["spikes"])
    assert_same(v, trace["v"])
    assert_same(states.neuron.w / MV, trace["w"])


@pytest.mark.parametrize("dt_ms", [0.1, 0.01])
def test_intervals_of_the_f_i_table_are_brian_s(dt_ms: float, x64: None) -> None:
    """Started at reset, as recorded; -1 stands for fewer than two spikes in Brian2's run."""
    curve = np.load(require_traces("brian") / "fi_curve.npz")
    tag = f"dt0p{str(dt_ms).removeprefix('0.')}"
    dt = dt_ms * MV
    si = {name: curve[key] * MV for name, key in (("tau_mem", "tau"), ("v_thresh", "v_th"), ("v_reset", "v_reset"), ("v_rest", "v_rest"))}
    params = brian.ffiaf(**si, bias=curve["RI"] * MV, refractory=curve["t_ref"] * MV, dt=dt)
    isi, wanted = curve[f"isi_steps_{tag}"], curve[f"isi_steps_predicted_{tag}"]
    start = F.RefractoryState(F.LeakyState(si["v_reset"]), 0)
    spikes = np.asarray(F.simulate(F.refractory(F.leaky), params, jnp.zeros((2 * int(wanted.max()) + 2, len(isi))), dt=dt, state=start)[1])
    np.testing.assert_array_equal(spikes.any(0), np.isfinite(curve["T_ms"]))
    checked = 0
    for k in np.flatnonzero(spikes.any(0)):
        steps = np.flatnonzero(spikes[:, k])
        assert steps[0] == curve[f"first_spike_step_{tag}"][k]
        np.testing.assert_array_equal(np.diff(steps), isi[k] if isi[k] > 0 else wanted[k])
        checked += isi[k] > 0
    assert checked >= 25
