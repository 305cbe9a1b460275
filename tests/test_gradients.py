"""Gradients of whole runs, against a reverse recursion written by hand in NumPy, and against finite differences.

Finite differences of a spiking run see the step and not the surrogate. So: (a) the recursion below, from the run's own
membranes and spikes, checks the composition; (b) with a smooth function in place of the spike, whose derivative is the
surrogate, calculus itself is the reference.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import snnjax.functional as F

DT, STEPS, N = 1e-3, 120, 6
RESETS = {
    "to value": F.reset_to_value,
    "to value, attached": F.attached(F.reset_to_value),
    "by subtraction": F.reset_by_subtraction,
    "by subtraction, attached": F.attached(F.reset_by_subtraction),
}
every_reset = pytest.mark.parametrize("reset", RESETS)


def problem() -> tuple[F.LIFParams, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    params = F.LIFParams(
        tau_mem=rng.uniform(5e-3, 30e-3, N), tau_syn=rng.uniform(2e-3, 9e-3, N), v_leak=-0.1, v_th=0.9, v_reset=-0.2, bias=0.1
    )
    return params, rng.uniform(0, 0.9, (STEPS, N)), rng.normal(size=(STEPS, N))


def run(params: Any, inputs: Any, reset: str, spike: Any, integrator: F.Integrator = F.exact) -> Any:
    config = F.SpikingConfig(spike, RESETS[reset], integrator)
    return F.simulate(F.lif, params, inputs, dt=DT, config=config, record=lambda state, spikes: (spikes, state), segment=17)[1]


def by_hand(
    params: F.LIFParams, inputs: np.ndarray, weights: np.ndarray, spikes: np.ndarray, v: np.ndarray, i: np.ndarray, reset: str
) -> Any:
    """dL/d inputs, dL/d v_th, dL/d v_reset of L = sum(weights * spikes), recomputed backwards in float64."""
    slow, fast = np.exp(-DT / params.tau_mem), np.exp(-DT / params.tau_syn)
    coupling = params.tau_syn / (params.tau_mem - params.tau_syn) * (slow - fast)
    unit = params.v_th - params.v_reset
    to_value, attached = "value" in reset, "attached" in reset
    v_before = np.vstack([np.full((1, N), params.v_leak), v[:-1]])
    i_before = np.vstack([np.zeros((1, N)), i[:-1]])
    peak = v_before + (1 - slow) * (params.v_leak + params.bias - v_before) + coupling * (i_before + inputs)
    bar_v, bar_i, bar_th, bar_reset = (np.zeros(N) for _ in range(4))
    bar_inputs = np.zeros_like(inputs)
    for t in reversed(range(STEPS)):
        bump = 1 / (1 + 5.0 * np.abs((peak[t] - params.v_th) / unit)) ** 2 / unit
        fired = spikes[t] > 0
        jump = (params.v_reset - peak[t]) if to_value else -np.broadcast_to(unit, (N,))
        bar_spike = weights[t] + (bar_v * jump if attached else 0.0)
        bar_reset += np.where(fired, bar_v, 0.0)
        bar_th -= bump * bar_spike + (0.0 if to_value else np.where(fired, bar_v, 0.0))
        bar_peak = bump * bar_spike + (np.where(fired, 0.0, bar_v) if to_value else bar_v)
        bar_inputs[t] = coupling * bar_peak + fast * bar_i
        bar_v, bar_i = slow * bar_peak, bar_inputs[t]
    return bar_inputs, bar_th, bar_reset


@every_reset
@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-5), ("float64", 1e-12)])
def test_the_gradient_is_the_reverse_recursion(reset: str, precision: str, tolerance: float) -> None:
    params, inputs, weights = problem()
    with jax.enable_x64(precision == "float64"):
        dtype = np.dtype(precision)

        def loss(inputs: Any, v_th: Any, v_reset: Any) -> Any:
            given = jax.tree.map(lambda leaf: np.asarray(leaf, dtype), params)._replace(v_th=v_th, v_reset=v_reset)
            spikes, state = run(given, inputs, reset, F.superspike(5.0))
            return (spikes * weights.astype(dtype)).sum(), (spikes, state)

        arguments = inputs.astype(dtype), np.full(N, params.v_th, dtype), np.full(N, params.v_reset, dtype)
        gradient, (spikes, state) = jax.jit(jax.grad(loss, argnums=(0, 1, 2), has_aux=True))(*arguments)
        spikes, v, i = (np.asarray(leaf, float) for leaf in (spikes, state.v, state.i))
    assert 20 < spikes.sum() < 400
    for ours, hand in zip(gradient, by_hand(params, inputs, weights, spikes, v, i, reset), strict=True):
        np.testing.assert_allclose(ours, hand, rtol=0, atol=tolerance * np.abs(hand).max())


@pytest.mark.parametrize("reset", ["to value", "by subtraction"])  # an attached reset adds to the derivative alone: (a) checks it
@pytest.mark.parametrize("integrator", [F.exact, F.exponential_euler, F.euler], ids=lambda i: i.name)
def test_with_a_smooth_spike_calculus_agrees(reset: str, integrator: F.Integrator, x64: None) -> None:
    params, inputs, weights = problem()

    def soft(x: Any, scale: Any = 1.0) -> Any:  # graded output; `reset` switches where it is above 0, which is smooth only if it never is
        return -jax.nn.sigmoid(-4.0 * x / scale)

    def loss(params: Any, inputs: Any) -> Any:
        output, state = run(params, inputs, reset, soft, integrator)
        return (output * weights[:30]).sum() + (state.v**2).sum()

    params = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), params)
    check_grads(jax.jit(loss), (params, jnp.asarray(inputs[:30])), order=1, modes=("fwd", "rev"), rtol=1e-6, atol=1e-6, eps=1e-6)


@pytest.mark.parametrize("reset", ["to value", "to value, attached"])
def test_an_overflowing_membrane_does_not_become_nan(reset: str) -> None:
    inputs = jnp.array([1e30, 0.0, 0.0, 2e-30])[:, None]

    def v_and_spikes(x: Any) -> Any:
        config = F.SpikingConfig(reset=RESETS[reset])
        params = F.LeakyParams(resistance=1e30)
        return F.simulate(F.leaky, params, x, dt=DT, config=config, record=lambda state, spikes: (state.v, spikes))[1]

    v, spikes = v_and_spikes(inputs)
    assert spikes[0] == 1
    assert jnp.isfinite(v).all()
    assert jnp.isfinite(jax.grad(lambda x: v_and_spikes(x)[0].sum())(inputs)[1:]).all()


def test_the_gradient_of_a_detached_reset_ignores_the_spike_and_that_of_an_attached_one_does_not() -> None:
    def after(v: Any, reset: Any) -> Any:
        config = F.SpikingConfig(F.superspike(1.0), reset)
        return F.leaky_step(F.LeakyParams(), F.LeakyState(v), 0.0, dt=1e-9, config=config)[0].v

    spiking = jnp.array(1.5)
    slopes = {name: float(jax.grad(after)(spiking, reset)) for name, reset in RESETS.items()}
    bump = 1 / 1.5**2
    np.testing.assert_allclose(list(slopes.values()), [0.0, -1.5 * bump, 1.0, 1.0 - bump], rtol=1e-5)


def test_the_refractory_period_and_the_mask_carry_no_gradient() -> None:
    def spikes(t_ref: Any) -> Any:
        return F.simulate(F.lif_refrac, F.RefractoryParams(F.LIFParams(), t_ref), jnp.full((50, 1), 0.5), dt=DT)[1].sum()

    assert spikes(2e-3) > spikes(10e-3) > 0
    assert jax.grad(spikes)(2e-3) == 0.0


@pytest.mark.parametrize("surrogate", [F.superspike(1.0), F.arctan(0.4), F.gaussian(0.5)], ids=["superspike", "arctan", "gaussian"])
def test_gradients_through_refractoriness_stay_of_the_size_of_those_without(surrogate: Any) -> None:
    inputs = jnp.asarray(np.random.default_rng(0).uniform(0, 0.8, (300, 8)), jnp.float32)

    def largest(neuron: Any, params: Any) -> float:
        config = F.SpikingConfig(surrogate)
        gradient = jax.jit(jax.grad(lambda x: (F.simulate(neuron, params, x, dt=DT, config=config)[1] ** 2).sum()))(inputs)
        return float(jnp.abs(gradient).max())

    plain = largest(F.lif, F.LIFParams())
    refractory = largest(F.lif_refrac, F.RefractoryParams(F.LIFParams(), t_ref=5e-3))
    assert 0 < refractory < 10 * plain
