"""What the gradient of a plain loop keeps of a reset by subtraction: nothing."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest

import snnjax.functional as F

STEPS, NEURONS = 50, 4096


@pytest.mark.parametrize("reset", [F.reset_by_subtraction, F.attached(F.reset_by_subtraction)], ids=["detached", "attached"])
def test_a_plain_loop_keeps_one_number_per_step_and_neuron_with_a_reset_by_subtraction(reset: Any) -> None:
    def loss(inputs: jax.Array, weights: jax.Array) -> jax.Array:
        spikes = F.simulate(F.lif, F.LIFParams(), inputs, dt=1e-3, config=F.SpikingConfig(reset=reset), segment=STEPS)[1]
        return (spikes * weights).sum()

    array = jax.ShapeDtypeStruct((STEPS, NEURONS), jnp.float32)
    compiled = jax.jit(jax.grad(loss)).lower(array, array).compile()
    analysis = compiled.memory_analysis()
    assert analysis is not None
    # The surrogate's slope in every step, and a few rows of states; a mask of spikes or a jump would be a quarter or all of it again.
    assert analysis.temp_size_in_bytes < 1.2 * 4 * STEPS * NEURONS
