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


def test_the_gradient_of_a_long_run_keeps_few_states() -> None:
    xs = jnp.ones((10_000, 8, 64))

    def bytes_of(segment: int | None) -> int:
        def loss(tau: Any, xs: Any) -> Any:
            record = lambda state, spikes: spikes.sum()  # noqa: E731
            return F.simulate(F.lif, F.LIFParams(tau_mem=tau), xs, dt=1e-3, segment=segment, record=record)[1].sum()

        return jax.jit(jax.grad(loss)).lower(20e-3, xs).compile().memory_analysis().temp_size_in_bytes

    assert bytes_of(None) < bytes_of(10_000) / 10


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


@pytest.mark.parametrize("segment", [0, -3, 2.5, True, "auto"])
def test_a_segment_that_is_not_a_positive_integer_is_refused(segment: Any) -> None:
    with pytest.raises(snnjax.ParameterError, match="`segment` must be a positive number of steps or None; got") as caught:
        F.unroll(leak(0.5), jnp.zeros(3), inputs(4), segment=segment)
    assert caught.value.field == "segment"


@pytest.mark.parametrize("xs", [{"a": jnp.ones((4, 3)), "b": jnp.ones((5, 3))}, {"a": jnp.ones(()), "b": jnp.ones(())}])
def test_inputs_without_one_time_axis_are_refused(xs: Any) -> None:
    with pytest.raises(snnjax.ShapeError, match="`inputs` must have time as their leading axis"):
        F.unroll(leak(0.5), jnp.zeros(3), xs)
