"""With a smooth function in place of the spike, whose derivative is a true one, calculus itself is the reference.

Finite differences of a spiking run see the step and not the surrogate. Here the spike is a sigmoid, never above 0 (the membrane never
resets) or always (it resets at every step), so that the run is smooth with the library's own detached resets. What an attached reset
differentiates is the reset in proportion to the spike, which is smooth by itself.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import snnjax.functional as F

DT, STEPS, EACH = 1e-3, 25, 2
MODELS = [name for name in F.MODELS if name != "dynapse_dpi"]  # that one: tests/test_dynapse_learning.py
WITHOUT = ("never", "to value"), ("never", "by subtraction")
WITH = ("always", "to value"), ("always", "by subtraction")
GRADED = ("graded", "to value"), ("graded", "by subtraction")
GROUPS = [group for group in (*WITHOUT, *WITH, *GRADED) for _ in range(EACH)]
SIGN = np.array([-1.0 if group[0] == "never" else 1.0 for group in GROUPS])


def soft(x: Any, scale: Any = 1.0) -> Any:
    """Between 0 and 1, or between -1 and 0, with the slope of a sigmoid."""
    return SIGN * jax.nn.sigmoid(SIGN * 4.0 * x / scale)


def every_reset(v: Any, spikes: Any, params: Any) -> Any:
    """The library's detached resets where spikes are all of one sign, and one in proportion to the spike in the last two groups."""
    is_graded = np.array([group[0] == "graded" for group in GROUPS])
    to_value = np.array([group[1] == "to value" for group in GROUPS])
    detached = jnp.where(to_value, F.reset_to_value(v, spikes, params), F.reset_by_subtraction(v, spikes, params))
    target = jnp.where(to_value, params.v_reset, v - (params.v_th - params.v_reset))
    return jnp.where(is_graded, v + spikes * (target - v), detached)


@pytest.mark.parametrize("integrator", [F.exact, *(pytest.param(i, marks=pytest.mark.long) for i in (F.exponential_euler, F.euler, F.rk4))])
@pytest.mark.parametrize("name", MODELS)
def test_calculus_agrees(name: str, integrator: F.Integrator, x64: None) -> None:
    neuron, rng = F.MODELS[name], np.random.default_rng(3)
    config, n = F.SpikingConfig(soft, every_reset, integrator), len(GROUPS)
    weights = jnp.asarray(rng.normal(size=(STEPS, n)))

    def loss(params: Any, inputs: Any, start: Any) -> Any:
        state = F.with_core(neuron.init(neuron.default(), (n,), jnp.float64), start)
        record = lambda state, output: (output, F.core(state).v)  # noqa: E731
        _, (output, v) = F.simulate(neuron, F.with_core(neuron.default(), params), inputs, dt=DT, config=config, state=state, record=record)
        return (weights * output).sum() + (v**2).sum()

    spread = lambda leaf: jnp.asarray(leaf + 0.05 * rng.uniform(0.1, 1.0, n) * (abs(leaf) or 1.0))  # noqa: E731
    params = jax.tree.map(spread, F.core(neuron.default()))
    start = jax.tree.map(spread, F.core(neuron.init(neuron.default(), (), jnp.float64)))
    arguments = params, jnp.asarray(rng.uniform(0.0, 0.9, (STEPS, n))), start
    check_grads(jax.jit(loss), arguments, order=1, modes=("fwd", "rev"), rtol=1e-6, atol=1e-6, eps=1e-6)
