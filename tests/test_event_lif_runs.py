"""An event-driven run as a function: in pieces, compiled, in batches, in single precision, with too little room."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import snnjax.functional as F
from snnjax import NumericsError


def spikes_of(run: F.EventRun) -> tuple[np.ndarray, np.ndarray]:
    """Times and neurons of the spikes that there are."""
    return np.asarray(run.times[: run.count]), np.asarray(run.neurons[: run.count])


def network(**changed: Any) -> dict[str, Any]:
    """Thirty inputs into five neurons that see each other."""
    draw = np.random.default_rng(7)
    return {
        "params": F.RefractoryParams(F.LIFParams(tau_mem=10e-3, bias=0.3), 1.5e-3),
        "times": draw.uniform(0, 0.1, 30),
        "channels": draw.integers(0, 4, 30),
        "weight": draw.uniform(0, 2.5, (4, 5)),
        "recurrent_weight": draw.normal(0, 0.4, (5, 5)),
        "duration": 0.1,
        "max_spikes": 60,
        **changed,
    }


def test_a_run_in_pieces_is_the_whole_run(x64: None) -> None:
    arguments = network()
    whole = F.simulate_events(**arguments)
    times, neurons = spikes_of(whole)
    cut = float(times[len(times) // 2]) + 0.5e-3  # somebody is refractory
    pieces, state, integral = [], None, 0.0
    for start, end in ((0.0, cut), (cut, 0.1)):
        inside = (arguments["times"] >= start) & (arguments["times"] < end)
        shifted = np.where(inside, arguments["times"] - start, np.inf)
        part = {"times": shifted, "duration": end - start}
        run = F.simulate_events(**{**arguments, **part, "state": state})
        assert state is not None or (run.state.time_left > 0).any()
        state, integral = run.state, integral + run.v_integral
        pieces.append((spikes_of(run)[0] + start, spikes_of(run)[1]))
    np.testing.assert_allclose(np.concatenate([t for t, _ in pieces]), times, rtol=1e-12)
    assert np.concatenate([n for _, n in pieces]).tolist() == neurons.tolist()
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-12), (state, integral), (whole.state, whole.v_integral))


def test_neither_compilation_nor_batching_nor_the_order_of_the_inputs_changes_a_run(x64: None) -> None:
    arguments = network()
    room = arguments.pop("max_spikes")
    one = F.simulate_events(**arguments, max_spikes=room)
    compiled = jax.jit(lambda arguments: F.simulate_events(**arguments, max_spikes=room))(arguments)
    mixed = np.random.default_rng(0).permutation(30)
    shuffled = {**arguments, "times": arguments["times"][mixed], "channels": arguments["channels"][mixed]}
    empty = {**arguments, "times": np.full(30, np.inf)}
    batch = jax.tree.map(lambda *leaves: jnp.stack([jnp.asarray(leaf) for leaf in leaves]), arguments, shuffled, empty)
    runs = jax.jit(jax.vmap(lambda arguments: F.simulate_events(**arguments, max_spikes=room)))(batch)
    for run in (compiled, *(jax.tree.map(lambda leaf, k=k: leaf[k], runs) for k in (0, 1))):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), run, one)
    assert one.count > 20 and runs.count[2] < one.count and runs.complete.all()


def test_single_precision_is_as_good_as_it_can_be() -> None:
    arguments = network(weight=np.random.default_rng(2).uniform(0.5, 1.0, (4, 5)), recurrent_weight=np.zeros((5, 5)))
    run = F.simulate_events(**arguments)
    with jax.enable_x64(True):
        precise = F.simulate_events(**arguments)
    assert run.times.dtype == jnp.float32 and precise.times.dtype == jnp.float64
    for n in range(5):
        single, double = (spikes_of(r)[0][spikes_of(r)[1] == n] for r in (run, precise))
        np.testing.assert_allclose(single, double, atol=1e-6)


def test_neurons_that_cross_together_all_spike_before_any_of_their_jumps_arrives() -> None:
    def run(recurrent_weight: Any) -> tuple[np.ndarray, np.ndarray]:
        weight = np.full((1, 3), 6.0)
        arguments = {"duration": 8e-3, "max_spikes": 9, "recurrent_weight": recurrent_weight}
        return spikes_of(F.simulate_events(F.LIFParams(), np.full(2, 1e-3), np.zeros(2, int), weight, **arguments))

    times, neurons = run(-50.0 * (1 - np.eye(3)))
    apart, _ = run(np.zeros((3, 3)))
    assert neurons.tolist() == [0, 1, 2] and len(set(times.tolist())) == 1
    assert apart.size > 3 and times.tolist() == apart[:3].tolist()


def test_too_many_spikes_are_an_error_or_where_nothing_can_be_raised_a_flag() -> None:
    enough = F.simulate_events(**network())
    room = int(enough.count) - 1
    text = rf"^`max_spikes` = {room} is too few: after that many, at t = 0\.0.* s of `duration` = 0\.1 s, another one was due\."
    with pytest.raises(NumericsError, match=text) as caught:
        F.simulate_events(**network(max_spikes=room))
    assert (caught.value.field, caught.value.value) == ("max_spikes", room)
    with pytest.raises(NumericsError, match="`max_spikes`"):
        jax.grad(lambda w: F.simulate_events(**network(max_spikes=room, weight=w)).times[0])(jnp.asarray(network()["weight"]))
    short = jax.jit(lambda: F.simulate_events(**network(max_spikes=room)))()
    assert not short.complete and short.count == room
    np.testing.assert_allclose(short.times, enough.times[:room], rtol=1e-6)
    assert all(jnp.isnan(leaf).all() for leaf in jax.tree.leaves((short.state, short.v_integral)))
