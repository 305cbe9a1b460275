"""What is easily got wrong in a gradient: overflow, a reset that should be detached, the refractory mask.

That gradients are right is shown in three other files: `test_gradient_recursion.py` (a reverse recursion in NumPy),
`test_gradient_smooth.py` (a smooth spike, and calculus) and `test_gradient_zeros.py` (which are zero by design).
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import snnjax.functional as F

DT = 1e-3
RESETS = {
    "to value": F.reset_to_value,
    "to value, attached": F.attached(F.reset_to_value),
    "by subtraction": F.reset_by_subtraction,
    "by subtraction, attached": F.attached(F.reset_by_subtraction),
}


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


@pytest.mark.parametrize("reset", [F.reset_to_value, F.reset_by_subtraction])
def test_an_attached_reset_of_an_infinite_membrane_has_a_finite_derivative(reset: Any) -> None:
    """The jump of a reset to value is minus infinity there; times the derivative of a spike, 0, it would be NaN."""
    v, spikes = jnp.array([jnp.inf, 2.0]), jnp.ones(2)
    params = jax.tree.map(jnp.float32, F.LeakyParams())
    _, derivative = jax.jvp(lambda spikes: F.attached(reset)(v, spikes, params), (spikes,), (jnp.array([0.0, 1.0]),))
    np.testing.assert_array_equal(derivative, [0.0, -2.0 if reset is F.reset_to_value else -1.0])


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
