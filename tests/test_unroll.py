"""The loop: segments, records, shapes, and what it keeps for the gradient."""

from __future__ import annotations

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import snnjax
import snnjax.functional as F
from snnjax.functional._segments import auto_segments, kept_bytes
from snnjax.functional._unroll import _in_segments as in_segments


def leak(decay: Any) -> Any:
    def step(total: Any, x: Any) -> Any:
        total = decay * total + x["a"] * x["b"]
        return total, jnp.tanh(total)

    return step


def inputs(steps: int) -> dict[str, jax.Array]:
    rng = np.random.default_rng(0)
    return {name: jnp.asarray(rng.normal(size=(steps, 3)), jnp.float32) for name in "ab"}


@pytest.mark.parametrize("steps", [0, 1, 2, 63, 64, 65, 101, 120])
@pytest.mark.parametrize("segment", [None, 1, 7, 64, 1000])
def test_segments_give_the_numbers_of_a_plain_scan_and_its_gradient(steps: int, segment: int | None) -> None:
    xs, start = inputs(steps), jnp.ones(3)

    def loss(run: Any, decay: Any, start: Any, xs: Any) -> Any:
        last, kept = run(leak(decay), start, xs)
        return (last**2).sum() + (kept * kept).sum()

    def ours(step: Any, state: Any, xs: Any) -> Any:
        return F.unroll(step, state, xs, segment=segment)

    chex.assert_trees_all_equal(jax.jit(lambda d: ours(leak(d), start, xs))(0.9), jax.jit(lambda d: jax.lax.scan(leak(d), start, xs))(0.9))
    got, expected = (
        jax.jit(jax.value_and_grad(lambda *a, run=run: loss(run, *a), argnums=(0, 1, 2)))(0.9, start, xs) for run in (ours, jax.lax.scan)
    )
    chex.assert_trees_all_close(got, expected, rtol=2e-5, atol=1e-5)


@pytest.mark.parametrize(("steps", "segments"), [(120, (40, 10, 2)), (100, (33, 7)), (7, (5, 3, 2)), (30, (1000, 10))])
def test_segments_within_segments_give_the_numbers_of_a_plain_scan_and_its_gradient(steps: int, segments: tuple[int, ...]) -> None:
    xs, start = inputs(steps), jnp.ones(3)

    def counted(decay: Any) -> Any:
        def step(state: Any, x: Any) -> Any:
            total, output = leak(decay)(state[0], x)
            return (total, state[1] + 1), (output, state[1], output > 0)

        return step

    def loss(run: Any, decay: Any, start: Any, xs: Any) -> Any:
        (last, _), (kept, count, sign) = ended = run(counted(decay), (start, jnp.int32(0)), xs)
        return (last**2).sum() + (jnp.where(sign, kept, 0.3 * kept).T * count.astype(kept.dtype)[None]).sum() / steps, ended

    def nested(step: Any, state: Any, xs: Any) -> Any:
        return in_segments(step, state, xs, segments)

    (got, got_run), got_slopes, (expected, run), slopes = (
        part
        for of in (nested, jax.lax.scan)
        for part in jax.jit(jax.value_and_grad(lambda *a, of=of: loss(of, *a), argnums=(0, 1, 2), has_aux=True))(0.9, start, xs)
    )
    chex.assert_trees_all_equal(got_run, run)
    chex.assert_trees_all_close((got, got_slopes), (expected, slopes), rtol=2e-5, atol=1e-5)


@pytest.mark.parametrize("neuron", [F.lif_refrac, F.recurrent(F.lif)], ids=lambda neuron: neuron.name)
def test_a_run_in_two_levels_has_the_same_gradient_in_either_mode(neuron: Any, monkeypatch: Any, x64: None) -> None:
    steps = 50
    given = jnp.asarray(np.random.default_rng(0).uniform(0.0, 0.8, (steps, 2, 3)))
    weight = {"weight": 0.5 * jnp.eye(3)} if neuron.feedback is not None else {}
    params = jax.tree.map(jnp.float64, neuron.default(**weight))

    def loss(segment: Any, params: Any, given: Any) -> Any:
        last, (spikes, v) = F.simulate(
            neuron, params, given, dt=1e-3, segment=segment, record=lambda state, spikes: (spikes, F.core(state).v)
        )
        return (v * jnp.arange(steps, dtype=v.dtype)[:, None, None]).sum() + spikes.sum() + (F.core(last).v ** 2).sum()

    expected = jax.jit(jax.grad(lambda *a: loss(steps, *a), argnums=(0, 1)))(params, given)
    monkeypatch.setattr(snnjax.functional._unroll, "auto_segments", lambda *_: (16, 4))
    monkeypatch.setattr(snnjax.functional._unroll, "_CACHE_BYTES", 0)
    monkeypatch.setattr(snnjax.functional._feedback, "_KEPT_BYTES", 0)
    got = jax.jit(jax.grad(lambda *a: loss("auto", *a), argnums=(0, 1)))(params, given)
    chex.assert_trees_all_close(got, expected, rtol=1e-9, atol=1e-12)
    _, forward = jax.jit(lambda *a: jax.jvp(lambda given: loss(None, params, given), a, a))(given)
    np.testing.assert_allclose(forward, (expected[1] * given).sum(), rtol=1e-9)


def test_the_gradient_of_a_long_run_keeps_few_states() -> None:
    xs = jnp.ones((10_000, 8, 64))

    def bytes_of(segment: int | None) -> int:
        def loss(tau: Any, xs: Any) -> Any:
            record = lambda state, spikes: spikes.sum()  # noqa: E731
            return F.simulate(F.lif, F.LIFParams(tau_mem=tau), xs, dt=1e-3, segment=segment, record=record)[1].sum()

        return jax.jit(jax.grad(loss)).lower(20e-3, xs).compile().memory_analysis().temp_size_in_bytes

    assert bytes_of(None) < bytes_of(10_000) / 10


BATCH, N = 16, 256


def gradient_of(kind: str, steps: int, segment: Any = None) -> Any:
    """The gradient of a LIF population, lowered and not run: a constant input, or inputs and a loss that weighs all spikes."""
    params = F.LIFParams(*[jax.ShapeDtypeStruct((), jnp.float32)] * len(F.LIFParams()))

    def run(params: Any, current: Any, given: Any, record: Any) -> Any:
        def step(state: Any, x: Any) -> Any:
            return F.lif.step(params, state, x if current is None else current, dt=1e-3, config=F.SpikingConfig())

        return F.unroll(step, F.lif.init(params, (BATCH, N), jnp.float32), given, record=record, segment=segment)[1]

    def constant(params: Any, current: Any) -> Any:
        return run(params, current, jnp.arange(steps), lambda _, spikes: spikes.sum()).sum()

    def weighed(params: Any, given: Any, weights: Any) -> Any:
        return (weights * run(params, None, given, None)).sum()

    long = jax.ShapeDtypeStruct((steps, BATCH, N), jnp.float32)
    if kind == "constant":
        return jax.jit(jax.grad(constant, argnums=(0, 1))).lower(params, jax.ShapeDtypeStruct((BATCH, N), jnp.float32))
    return jax.jit(jax.grad(weighed, argnums=(0, 1))).lower(params, long, long)


@pytest.mark.parametrize(("kind", "most"), [("constant", 16), ("all", 128)])
def test_the_gradient_of_a_million_steps_takes_little_beside_its_inputs_and_outputs(kind: str, most: int) -> None:
    assert gradient_of(kind, 10**6).compile().memory_analysis().temp_size_in_bytes < most * 2**20


@pytest.mark.parametrize(("divisible", "indivisible", "mebibytes"), [(100_000, 100_003, 64), (1_000_000, 1_000_003, 128)])
def test_a_length_without_divisors_is_cut_without_copies_of_all_inputs_or_outputs(divisible: int, indivisible: int, mebibytes: int) -> None:
    even, prime = (gradient_of("all", steps).compile() for steps in (divisible, indivisible))
    assert all(program.memory_analysis().temp_size_in_bytes < mebibytes * 2**20 for program in (even, prime))
    # XLA counts the inside of a loop once: a copy of everything in there would be as much as it counts otherwise.
    assert prime.cost_analysis()["bytes accessed"] < 1.2 * even.cost_analysis()["bytes accessed"]


def test_the_program_does_not_grow_with_the_number_of_steps() -> None:
    short, long = (len(gradient_of("all", steps).as_text().splitlines()) for steps in (1_000, 100_000))
    assert long < 1.1 * short


def test_segments_are_few_and_no_deeper_than_the_memory_asks_for() -> None:
    assert auto_segments(64) == ()
    for steps in (65, 127, 500, 1009, 99_991, 10**5, 10**6, 10**7 + 19):
        for state in (4, 2**15, 2**20):
            for stacked in (0, state):
                segments = auto_segments(steps, state, stacked)
                assert steps > segments[0] and all(a >= b >= 1 for a, b in zip(segments, segments[1:], strict=False))
                one = kept_bytes(steps, segments[:1], state, stacked)
                assert len(segments) == 1 or kept_bytes(steps, segments, state, stacked) < one


def test_auto_is_as_none() -> None:
    programs = {str(gradient_of("all", 500, segment).as_text()) for segment in (None, "auto")}
    assert len(programs) == 1


def test_record_sees_the_state_after_the_step_and_its_output() -> None:
    last, (states, outputs) = F.unroll(leak(0.5), jnp.zeros(3), inputs(4), record=lambda state, y: (state, y))
    np.testing.assert_array_equal(states[-1], last)
    np.testing.assert_array_equal(jnp.tanh(states), outputs)


def test_integer_and_boolean_states_are_carried_through_a_gradient() -> None:
    def step(state: Any, x: Any) -> Any:
        total, count, seen = state
        total = total + jnp.where(seen, 2.0, 1.0) * x
        return (total, count + 1, seen | (x > 0)), total

    def loss(xs: Any) -> Any:
        (total, count, _), _ = F.unroll(step, (jnp.zeros(()), jnp.int32(0), jnp.array(False)), xs, segment=9)
        return total * count.astype(jnp.float32)

    gradient = jax.jit(jax.grad(loss))(jnp.ones(100))
    np.testing.assert_allclose(gradient, [100.0] + [200.0] * 99)


def test_second_derivatives_exist() -> None:
    def loss(decay: Any) -> Any:
        return F.unroll(leak(decay), jnp.ones(3), inputs(100), segment=10)[1].sum()

    def plain(decay: Any) -> Any:
        return jax.lax.scan(leak(decay), jnp.ones(3), inputs(100))[1].sum()

    np.testing.assert_allclose(jax.jit(jax.hessian(loss))(0.9), jax.jit(jax.hessian(plain))(0.9), rtol=1e-4)


def test_parameters_closed_over_are_differentiated_under_vmap_and_jit() -> None:
    def loss(decay: Any, xs: Any) -> Any:
        return F.unroll(leak(decay), jnp.ones(3), xs, segment=10)[1].sum()

    decays = jnp.array([0.5, 0.9])
    mapped = jax.vmap(jax.grad(loss), in_axes=(0, None))(decays, inputs(100))
    alone = jnp.stack([jax.grad(loss)(decay, inputs(100)) for decay in decays])
    np.testing.assert_allclose(mapped, alone, rtol=1e-5)


@pytest.mark.parametrize("segment", [0, -3, 2.5, True, "all"])
def test_a_segment_that_is_not_a_positive_integer_is_refused(segment: Any) -> None:
    error = snnjax.ParameterError if type(segment) in (int, str) else snnjax.DTypeError
    with pytest.raises(error, match="`segment` must be a positive number of steps or None; got") as caught:
        F.unroll(leak(0.5), jnp.zeros(3), inputs(4), segment=segment)
    assert caught.value.field == "segment"


@pytest.mark.parametrize("xs", [{"a": jnp.ones((4, 3)), "b": jnp.ones((5, 3))}, {"a": jnp.ones(()), "b": jnp.ones(())}])
def test_inputs_without_one_time_axis_are_refused(xs: Any) -> None:
    with pytest.raises(snnjax.ShapeError, match="`inputs` must have time as their leading axis"):
        F.unroll(leak(0.5), jnp.zeros(3), xs)


def test_a_loop_in_a_loop_is_differentiated_though_it_closes_over_whole_numbers() -> None:
    places = jnp.array([2, 0, 1])

    @jax.jit
    def total(x: jax.Array, places: jax.Array) -> jax.Array:
        def row(state: jax.Array, xs: jax.Array) -> tuple[jax.Array, jax.Array]:
            return F.unroll(lambda now, x: (0.9 * now[places] + x, now), state, xs, segment=3)

        return jnp.sum(F.unroll(row, jnp.zeros(3), x, segment=1)[0] * jnp.arange(3.0))

    # After 8 steps, input k of step t is at one place, times 0.9**(7 - t).
    found = np.asarray(jax.grad(total)(jnp.zeros((2, 4, 3)), places)).reshape(8, 3)
    at = np.arange(3)
    for t in reversed(range(8)):
        np.testing.assert_allclose(found[t], 0.9 ** (7 - t) * at, rtol=1e-6)
        at = at[np.argsort(np.array(places))]
