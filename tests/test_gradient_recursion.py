"""Every model x surrogate x reset x detached or attached: the gradient is the reverse recursion, of `gradient_reference`.

Neurons without recurrence do not see each other, so every combination is a few neurons of one population: one compiled program per
model differentiates them all.
"""

from __future__ import annotations

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gradient_reference import BUMPS, EQUATIONS, INTEGRATORS, Choices, Run, blocked_steps, reverse

import snnjax.functional as F

DT, STEPS, EACH = 1e-3, 60, 3
RESETS = [F.reset_to_value, F.reset_by_subtraction, F.attached(F.reset_to_value), F.attached(F.reset_by_subtraction)]
SLOPES = dict(zip(BUMPS, (6.0, 3.0, 1.0, 4.0, 5.0, 3.0, 1.0, 1.0), strict=True))
COMBINATIONS = list(itertools.product(BUMPS, range(len(RESETS))))
N = EACH * len(COMBINATIONS)

CHOICES = Choices(
    surrogate=[name for name, _ in COMBINATIONS for _ in range(EACH)],
    slope=np.repeat([SLOPES[name] for name, _ in COMBINATIONS], EACH),
    to_value=np.repeat([k % 2 == 0 for _, k in COMBINATIONS], EACH),
    attached=np.repeat([k >= 2 for _, k in COMBINATIONS], EACH),
)


def every_surrogate(x: jax.Array, scale: jax.Array) -> jax.Array:
    """The library's surrogates, one on each stretch of neurons."""
    width = N // len(BUMPS)
    made = [F.heaviside() if name == "heaviside" else getattr(F, name)(SLOPES[name]) for name in BUMPS]
    parts = [slice(k * width, (k + 1) * width) for k in range(len(made))]
    return jnp.concatenate([spike(x[..., part], scale[..., part]) for spike, part in zip(made, parts, strict=True)], axis=-1)


def every_reset(v: jax.Array, spikes: jax.Array, params: Any) -> jax.Array:
    """The library's resets, one on each neuron."""
    which = np.repeat([k for _, k in COMBINATIONS], EACH)
    return jnp.select([which == k for k in range(len(RESETS))], [reset(v, spikes, params) for reset in RESETS])


RANGES = {
    "tau_mem": (6e-3, 30e-3), "tau_syn": (3e-3, 9e-3), "tau_th": (10e-3, 40e-3), "tau_w": (10e-3, 60e-3), "resistance": (0.7, 1.5),
    "v_leak": (-0.2, 0.1), "v_th": (0.7, 1.1), "v_reset": (-0.4, -0.1), "bias": (0.0, 0.2), "delta_th": (0.05, 0.3),
    "delta_w": (0.05, 0.3), "g_w": (0.0, 1.5),
}  # fmt: skip


def problem(name: str) -> tuple[F.Neuron, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The neuron, its parameters, and the arrays of a run; multiples of 2**-12, so that float32 and float64 start from the same numbers."""
    neuron, model, rng = F.MODELS[name], EQUATIONS[name], np.random.default_rng(11)

    def uniform(low: float, high: float, *shape: int) -> np.ndarray:
        return np.float32(rng.uniform(low, high, shape)).astype(np.float64)

    p = {field: uniform(*RANGES[field], N) for field in F.core(neuron.default())._fields}
    if "tau_syn" in p:
        p["tau_syn"][::EACH] = p["tau_mem"][::EACH]  # the textbook formula is 0/0 there
    high = 0.9 if model.jump else 6.0
    arrays = {
        "inputs": uniform(-0.1 * high, high, STEPS, N), "first v": uniform(-0.2, 0.5, N), "first e": uniform(0.0, 0.2, N),
        "on spikes": uniform(-1.0, 1.0, STEPS, N), "on v": uniform(-1.0, 1.0, STEPS, N),
    }  # fmt: skip
    return neuron, p, arrays


def differentiated(name: str, integrator: F.Integrator, dtype: Any) -> tuple[dict[str, np.ndarray], Run, int]:
    """The library's gradient, and the run that it belongs to."""
    neuron, p, arrays = problem(name)
    extra, config = EQUATIONS[name].extra, F.SpikingConfig(every_surrogate, every_reset, integrator)
    fixed = neuron.default()
    steps = blocked_steps(fixed.t_ref, DT) if "t_ref" in fixed._fields else 0

    def loss(given: dict[str, Any]) -> Any:
        params = F.with_core(fixed, F.core(fixed)._replace(**{field: given[field] for field in p}))
        state = neuron.init(params, (N,), dtype)
        inside = F.core(state)._replace(v=given["first v"], **({extra: given["first e"]} if extra else {}))
        record = lambda state, output: (F.core(state), output)  # noqa: E731
        _, (states, output) = F.simulate(
            neuron, params, given["inputs"], dt=DT, state=F.with_core(state, inside), config=config, record=record
        )
        spikes = output if EQUATIONS[name].fires else jnp.zeros_like(output)
        return (arrays["on spikes"].astype(dtype) * spikes + arrays["on v"].astype(dtype) * states.v).sum(), (states, spikes)

    given = {key: value.astype(dtype) for key, value in (p | arrays).items() if not key.startswith("on ")}
    gradient, (states, spikes) = jax.jit(jax.grad(loss, has_aux=True))(given)
    v, e, spikes = (np.asarray(leaf, float) for leaf in (states.v, getattr(states, extra) if extra else 0 * states.v, spikes))
    run = Run(arrays["inputs"], v, e, spikes, arrays["first v"], arrays["first e"] if extra else np.zeros(N))
    return {key: np.asarray(leaf, float) for key, leaf in gradient.items() if extra or key != "first e"}, run, steps


def check(name: str, integrator: F.Integrator, dtype: Any, tolerance: float) -> None:
    gradient, run, steps = differentiated(name, integrator, dtype)
    _, p, arrays = problem(name)
    hand = reverse(
        EQUATIONS[name], p, run, arrays["on spikes"], arrays["on v"], CHOICES, dt=DT, integrator=integrator.name, blocked_steps=steps
    )
    assert set(gradient) | {"first e"} == set(hand)
    if EQUATIONS[name].fires:
        counts = run.spikes.sum(0).reshape(-1, EACH)
        assert counts.sum(-1).min() >= 3 and run.spikes.mean() < 0.5, "every combination spikes"
    for key, ours in gradient.items():
        ours, theirs = (leaf.reshape(-1, len(COMBINATIONS), EACH) for leaf in (ours, hand[key]))
        scale = np.abs(theirs).max(axis=(0, 2), keepdims=True)  # of each combination by itself
        # What is zero by design is zero: a threshold under `heaviside` and reset to value, say.
        error = np.where(scale > 0, np.abs(ours - theirs) / np.where(scale > 0, scale, 1.0), np.abs(ours)).max(axis=(0, 2))
        worst = COMBINATIONS[int(error.argmax())]
        assert error.max() < tolerance, f"{name}: d/d {key} is off by {error.max():.1e} with {worst[0]}, reset {worst[1]}"


every_model = pytest.mark.parametrize("name", EQUATIONS)


@every_model
def test_the_gradient_is_the_reverse_recursion_in_float64(name: str, x64: None) -> None:
    check(name, F.exact, np.float64, 1e-12)


SOME = ("lif", "lif_refrac", "adaptive_leaky")  # in which every part of a step occurs; the others are `long`


@pytest.mark.parametrize("name", [pytest.param(name, marks=() if name in SOME else pytest.mark.long) for name in EQUATIONS])
def test_the_gradient_is_the_reverse_recursion_in_float32(name: str) -> None:
    check(name, F.exact, np.float32, 1e-5)


@pytest.mark.long
@every_model
@pytest.mark.parametrize("integrator", [F.exponential_euler, F.euler, F.rk4], ids=lambda i: i.name)
def test_so_it_is_with_every_integrator(name: str, integrator: F.Integrator, x64: None) -> None:
    check(name, integrator, np.float64, 1e-12)


def test_nothing_is_missing() -> None:
    resets = {getattr(F, name) for name in F.__all__ if name.startswith("reset_")}
    assert set(EQUATIONS) == set(F.MODELS) - {"dynapse_dpi"}  # not of this family: tests/test_dpi_gradient_recursion.py
    assert resets == set(RESETS[:2])
    assert {integrator.name for integrator in vars(F).values() if isinstance(integrator, F.Integrator)} == set(INTEGRATORS)
