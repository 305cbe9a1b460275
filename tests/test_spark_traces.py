"""Spark's leaky somas, step by step, against recordings of Spark 0.1, 1.0 and 1.2; all in float32."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import require_traces, traces

import snnjax.functional as F
from snnjax import ParameterError
from snnjax.interop import spark


class Soma(NamedTuple):
    """What runs a class of Spark: the neuron, its parameters, and whether its counter is the strict one."""

    neuron: F.Neuron
    convert: Callable[..., Any]
    strict: bool | None


GATED, CLAMPED = F.refractory(F.leaky, F.gate_input), F.refractory(F.leaky, F.clamp_to_reset)

SOMAS = {
    "LeakySoma": Soma(F.leaky, spark.leaky, None),
    "RefractoryLeakySoma": Soma(GATED, spark.refractory_leaky, False),
    "StrictRefractoryLeakySoma": Soma(CLAMPED, spark.strict_refractory_leaky, True),
    "AdaptiveLeakySoma": Soma(F.refractory(F.adaptive_leaky, F.gate_input), spark.adaptive_leaky, False),
}

# Spark 1.2 has one soma with optional mechanisms. A counter that must reach `c` is the strict one of before; gate and
# clamp together, each with its own duration, are two wrappers.
MECHANISMS = {
    "r": ("cooldown", GATED),
    "c": ("clamp_duration", CLAMPED),
    "rc": ("clamp_duration", F.refractory(CLAMPED, F.gate_input)),
}

OLD = [path for kind in ("leaky", "refractory", "strict", "adaptive") for path in traces("spark", f"v[01][01]0_{kind}_*_f32*.npz")]
NEW = [(mechanism, path) for mechanism in MECHANISMS for path in traces("spark", f"v122_adlif_{mechanism}_*.npz")]


class Case(NamedTuple):
    """One recording, with its input in amperes and its step in both units."""

    arrays: dict[str, np.ndarray]
    soma: str
    given: dict[str, np.ndarray]
    inputs: np.ndarray
    dt_ms: float
    dt: float


def load(path: Path) -> Case:
    arrays = dict(np.load(path))
    meta = json.loads(str(arrays["meta"]))
    given = {name.removeprefix("param_"): value for name, value in arrays.items() if name.startswith("param_")}
    inputs = arrays["current"] * np.float32(1e-12)
    assert inputs.dtype == np.float32 and not jax.config.jax_enable_x64
    return Case(arrays, meta["cls"], given, inputs, meta["dt_ms"], meta["dt_ms"] * 1e-3)


def replay(neuron: F.Neuron, params: Any, case: Case, state: Any) -> tuple[np.ndarray, np.ndarray, Any]:
    """Spikes, potentials in mV, and all states after each step."""
    _, (spikes, states) = F.simulate(neuron, params, case.inputs, dt=case.dt, state=state, record=lambda state, spikes: (spikes, state))
    assert spikes.dtype == jnp.float32
    return np.asarray(spikes), 1e3 * np.asarray(F.core(states).v), states


def assert_same_potential(v: np.ndarray, case: Case) -> None:
    # Spark takes 1 - exp(-dt/tau) with the cancellation in it; at dt = 0.1 ms that is 1e-5 of the input.
    np.testing.assert_allclose(v, case.arrays["potential"], rtol=0, atol=1e-3 if case.dt_ms > 0.2 else 2e-3)


def started(soma: Soma, params: Any, case: Case) -> Any:
    """The state that the recording starts from."""
    state = soma.neuron.init(params, case.inputs.shape[1:], jnp.float32)
    assert not case.arrays["potential0"].any()
    if soma.strict is None:
        return state
    left = spark.steps_left(case.arrays["refractory0"], case.given.get("cooldown", 2.0), case.dt_ms, strict=soma.strict)
    return state._replace(steps_left=jnp.broadcast_to(left, case.inputs.shape[1:]))


@functools.cache
def run(path: Path) -> tuple[Case, Soma, Any, np.ndarray, np.ndarray, Any, Any]:
    case = load(path)
    soma = SOMAS[case.soma]
    params = soma.convert(**case.given) if soma.strict is None else soma.convert(**case.given, dt=case.dt_ms)
    state = started(soma, params, case)
    return case, soma, params, *replay(soma.neuron, params, case, state), state


def test_all_recordings_of_the_leaky_somas_are_replayed():
    require_traces("spark")
    kinds = [path.name.split("_")[1] for path in OLD]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {"leaky": 4, "refractory": 4, "strict": 5, "adaptive": 4}
    assert len(NEW) == 6


@pytest.mark.parametrize("path", OLD, ids=lambda path: path.stem)
def test_spikes_and_potentials_are_those_of_spark(path: Path):
    case, _, _, spikes, v, *_ = run(path)
    assert case.arrays["spikes"].sum() > 10
    np.testing.assert_array_equal(spikes, case.arrays["spikes"])
    assert_same_potential(v, case)


@pytest.mark.parametrize("path", [path for path in OLD if "adaptive" in path.name], ids=lambda path: path.stem)
def test_the_adaptive_threshold_is_that_of_spark(path: Path):
    case, _, params, _, _, states, _ = run(path)
    threshold = 1e3 * (np.asarray(params.neuron.v_th) + np.asarray(states.neuron.th))
    assert np.ptp(case.arrays["threshold"]) > 1.0
    np.testing.assert_allclose(threshold, case.arrays["threshold"], rtol=0, atol=2e-3)


@pytest.mark.parametrize("path", [path for path in OLD if "_leaky_" not in path.name], ids=lambda path: path.stem)
def test_blocked_steps_are_those_of_spark_s_counter(path: Path):
    case, soma, params, _, _, states, start = run(path)
    before = np.concatenate([np.asarray(start.steps_left)[None], np.asarray(states.steps_left[:-1])])
    np.testing.assert_array_equal(before == 0, case.arrays["is_ready"])
    cooldown = case.given.get("cooldown", 2.0)
    np.testing.assert_array_equal(states.steps_left, spark.steps_left(case.arrays["refractory"], cooldown, case.dt_ms, strict=soma.strict))
    blocked = case.arrays["const_cooldown"] + (0 if soma.strict else 1)
    np.testing.assert_array_equal(F.refractory_steps(params.t_ref, case.dt), blocked)


def test_a_new_refractory_soma_of_spark_1_ignores_its_first_input():
    """Started ready, as `init` does, the replay must differ: the recorded counter is needed."""
    path = require_traces("spark") / "v100_refractory_const_f32.npz"
    case, soma, params, *_ = run(path)
    assert not case.arrays["is_ready"][0].any()
    ready = soma.neuron.init(params, case.inputs.shape[1:], jnp.float32)
    spikes, _, _ = replay(soma.neuron, params, case, ready)
    assert (spikes != case.arrays["spikes"]).any()
    spikes, _, _ = replay(soma.neuron, params, case, ready._replace(steps_left=1))
    np.testing.assert_array_equal(spikes, case.arrays["spikes"])


def test_the_leaky_soma_of_spark_1_2_is_that_of_1_0():
    case = load(require_traces("spark") / "v122_leaky_random_f32.npz")
    spikes, v, _ = replay(F.leaky, spark.leaky(**case.given), case, None)
    np.testing.assert_array_equal(spikes, case.arrays["spikes"])
    assert_same_potential(v, case)


@pytest.mark.parametrize(("mechanism", "path"), NEW, ids=lambda value: getattr(value, "stem", value))
def test_gate_and_clamp_of_spark_1_2_are_wrappers(mechanism: str, path: Path):
    case = load(path)
    name, neuron = MECHANISMS[mechanism]
    durations = {key: case.given.pop(key) for key in ("cooldown", "clamp_duration") if key in case.given}
    params = spark.strict_refractory_leaky(**case.given, cooldown=durations[name], dt=case.dt_ms)
    if mechanism == "rc":
        params = F.RefractoryParams(params, t_ref=durations["cooldown"] * np.float32(1e-3))
        assert (case.arrays["const_cooldown"] != case.arrays["const_clamp_duration"]).any()
    spikes, v, _ = replay(neuron, params, case, None)
    np.testing.assert_array_equal(spikes, case.arrays["spikes"])
    assert_same_potential(v, case)


@pytest.mark.parametrize("dt", [1.0, 0.5, 0.25, 0.1, 0.01])
@pytest.mark.parametrize("as_array", [float, np.float32, jnp.float32], ids=["float", "numpy", "jax"])
def test_the_dead_time_is_a_whole_number_of_steps_in_every_precision(dt: float, as_array: Callable[..., Any]):
    """`round_half_even(cooldown / dt)` steps, one more for the gated somas; 0.35 ms of 0.1 ms are 3.5, hence 4."""
    for half_steps in (0, 1, 2, 3, 5, 7, 40, 401, 2047, 30001):
        cooldown, wanted = as_array(round(half_steps * dt / 2, 10)), round(half_steps / 2)
        for convert, extra in ((spark.strict_refractory_leaky, 0), (spark.refractory_leaky, 1), (spark.adaptive_leaky, 1)):
            t_ref = convert(cooldown=cooldown, dt=dt).t_ref
            assert int(F.refractory_steps(t_ref, dt * 1e-3)) == wanted + extra


def test_numbers_stay_numbers_and_arrays_stay_differentiable():
    params = spark.adaptive_leaky(cooldown=3.0, dt=0.5)
    assert all(type(leaf) is float for leaf in jax.tree.leaves(params))

    def last_potential(rest: jax.Array, tau: jax.Array) -> jax.Array:
        params = spark.refractory_leaky(potential_rest=rest, potential_tau=tau, cooldown=tau / 10)
        state, _ = F.simulate(GATED, params, jnp.full((5, 2), 100e-12), dt=1e-3)
        return 1e3 * state.neuron.v.sum() - 2 * spark.leaky(potential_rest=rest).v_th

    rest, tau = jnp.float32(-60.0), jnp.array([10.0, 20.0])
    slope_rest, slope_tau = jax.jit(jax.grad(last_potential, (0, 1)))(rest, tau)
    # v = 10 mV (1 - exp(-5/tau)); v_th - rest falls by 1e-3 V per mV of rest.
    np.testing.assert_allclose(slope_rest, 2e-3, rtol=1e-6)
    np.testing.assert_allclose(slope_tau, -50.0 / tau**2 * np.exp(-5.0 / tau), rtol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dt": 1e-3}, r"`dt` of `refractory_leaky` is in milliseconds, as in Spark; got 0.001.*Give `dt=1` for a step of 1 ms"),
        ({"dt": 0.0}, r"`dt` must be > 0 ms and finite; got 0.0"),
        ({"cooldown": -1.0}, r"`cooldown` must be >= 0 ms and finite; got -1.0"),
        ({"cooldown": np.array([1.0, np.nan])}, r"`cooldown` must be >= 0 ms and finite; got nan at index 1 of 2"),
        ({"potential_tau": np.array([1.0, 0.0])}, r"`potential_tau` must be > 0 ms and finite; got 0.0 at index 1 of 2"),
        ({"resistance": 0.0}, r"`resistance` must be > 0 GOhm and finite; got 0.0"),
        ({"threshold": float("inf")}, r"`threshold` must be finite; got inf"),
    ],
)
def test_bad_numbers_are_refused_in_spark_s_names_and_units(arguments: dict[str, Any], message: str):
    with pytest.raises(ParameterError, match=message):
        spark.refractory_leaky(**arguments)


def test_a_misspelt_parameter_is_answered():
    with pytest.raises(TypeError, match="Did you mean `potential_tau`"):
        spark.leaky(potential_tua=3.0)  # type: ignore[call-arg]
