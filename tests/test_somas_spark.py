"""Recordings of Spark's four somas, replayed through the somas and configs that have their names."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import require_traces, traces

from snnjax import functional as F
from snnjax import somas
from snnjax.interop import spark

#: Spark's class: our config, the conversion, and whether its counter is the strict one (`None`: it has none).
SOMAS: dict[str, tuple[type[somas.SomaConfig], Callable[..., Any], bool | None]] = {
    "LeakySoma": (somas.LeakySomaConfig, spark.leaky, None),
    "RefractoryLeakySoma": (somas.RefractoryLeakySomaConfig, spark.refractory_leaky, False),
    "StrictRefractoryLeakySoma": (somas.StrictRefractoryLeakySomaConfig, spark.strict_refractory_leaky, True),
    "AdaptiveLeakySoma": (somas.AdaptiveLeakySomaConfig, spark.adaptive_leaky, False),
}
RECORDINGS = [path for kind in ("leaky", "refractory", "strict", "adaptive") for path in traces("spark", f"v[01][01]0_{kind}_*_f32*.npz")]


def test_all_recordings_of_the_four_somas_are_replayed():
    require_traces("spark")
    assert len(RECORDINGS) == 17
    assert {json.loads(str(np.load(path)["meta"]))["cls"] for path in RECORDINGS} == set(SOMAS)


def _soma(path: Path) -> tuple[dict[str, np.ndarray], float, Any, Any]:
    """The recording, its step in ms, the soma built from a config that went through JSON, and the recorded first state."""
    arrays = dict(np.load(path))
    meta = json.loads(str(arrays["meta"]))
    made, convert, strict = SOMAS[meta["cls"]]
    given = {name.removeprefix("param_"): value for name, value in arrays.items() if name.startswith("param_")}
    params = convert(**given) if strict is None else convert(**given, dt=meta["dt_ms"])
    config = made.from_params(params, shape=arrays["current"].shape[1:])
    config = made.from_json(config.to_json())
    soma = config.build()
    assert type(soma).__name__ == meta["cls"]
    state = soma.init()
    if strict is not None:
        left = spark.steps_left(arrays["refractory0"], given.get("cooldown", 2.0), meta["dt_ms"], strict=strict)
        state = state._replace(steps_left=jnp.broadcast_to(left, soma.shape))
    return arrays, meta["dt_ms"], soma, state


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_spikes_and_potentials_of_a_soma_are_those_of_spark(path: Path):
    arrays, dt_ms, soma, state = _soma(path)
    inputs = arrays["current"] * np.float32(1e-12)
    _, (spikes, states) = soma.simulate(inputs, dt=1e-3 * dt_ms, state=state, record=lambda state, spikes: (spikes, state))
    assert spikes.dtype == jnp.float32 and arrays["spikes"].sum() > 10
    np.testing.assert_array_equal(spikes, arrays["spikes"])
    tolerance = 1e-3 if dt_ms > 0.2 else 2e-3
    np.testing.assert_allclose(1e3 * np.asarray(F.core(states).v), arrays["potential"], rtol=0, atol=tolerance)
    if isinstance(soma, somas.AdaptiveLeakySoma):
        threshold = 1e3 * (np.asarray(F.core(soma.params).v_th) + np.asarray(F.core(states).th))
        np.testing.assert_allclose(threshold, arrays["threshold"], rtol=0, atol=2e-3)


@pytest.mark.parametrize("name", SOMAS)
def test_one_step_at_a_time_gives_sparks_spikes_too(name: str):
    paths = [path for path in RECORDINGS if json.loads(str(np.load(path)["meta"]))["cls"] == name]
    assert paths, require_traces("spark")
    arrays, dt_ms, soma, state = _soma(paths[0])
    inputs = jnp.asarray(arrays["current"] * np.float32(1e-12))
    step = eqx.filter_jit(lambda soma, state, x: soma(state, x, dt=1e-3 * dt_ms))
    for x, wanted in zip(inputs, arrays["spikes"], strict=True):
        state, spikes = step(soma, state, x)
        np.testing.assert_array_equal(spikes, wanted)


def test_the_potential_of_these_recordings_depends_on_the_soma():
    """The dead-time rules must not be interchangeable here, or the replay would show nothing."""
    path = require_traces("spark") / "v100_strict_const_f32.npz"
    arrays, dt_ms, soma, _ = _soma(path)
    gated = somas.RefractoryLeakySomaConfig.from_params(soma.params, shape=soma.shape).build()
    spikes = gated.simulate(arrays["current"] * np.float32(1e-12), dt=1e-3 * dt_ms)[1]
    assert (np.asarray(spikes) != arrays["spikes"]).any()
    assert jax.tree.structure(gated.params) == jax.tree.structure(soma.params)
