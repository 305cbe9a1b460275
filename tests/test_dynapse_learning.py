"""Gradients of the DPI neuron: right, finite at zero currents, and good enough to learn through spikes."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import snnjax.functional as F
from snnjax import dynapse

DT = 1e-3
GENERATOR = dynapse.Generator()


def drive(rate: float, steps: int, n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).poisson(rate, (steps, n)).astype(np.float32)


def as_floats(params: Any) -> Any:
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, float), params)


def activity(params: Any, inputs: Any, config: F.DPIConfig) -> jax.Array:
    state = F.dynapse_dpi_init(params, (3,), jnp.float32)
    _, (v, spikes) = jax.lax.scan(lambda s, x: _both(F.dynapse_dpi_step(params, s, x, dt=DT, config=config)), state, inputs)
    return (v**2).sum() + spikes.sum()


def _both(result: Any) -> Any:
    return result[0], (result[0].vmem, result[1])


CASES = {
    "converted LIF": F.DynapseParams(dynapse.lif_to_dynapse(F.LIFParams(tau_syn=10e-3))),
    "all zero": F.DynapseParams(F.BiasCurrents(*[0.0] * 13)),
    "defaults": F.DynapseParams(),
    "every current the largest of the chip": F.DynapseParams(F.BiasCurrents(*(GENERATOR.span(name)[1] for name in F.BiasCurrents._fields))),
    "the fastest leak": F.DynapseParams(F.BiasCurrents(Itau_mem=GENERATOR.span("Itau_mem")[1])),
    "the strongest adaptation": F.DynapseParams(F.BiasCurrents(Iw_ahp=GENERATOR.span("Iw_ahp")[1], Ispkthr=1e-8)),
    "pulses that never end": F.DynapseParams(F.BiasCurrents(Ipulse=1e-20, Ipulse_ahp=1e-20)),
}


class _Static:
    """A config that `jit` does not trace."""

    def __init__(self, config: F.DPIConfig) -> None:
        self.config = config

    def __getattr__(self, name: str) -> Any:
        return getattr(self.config, name)


CONFIGS: dict[str, Any] = {"paper": _Static(F.DPIConfig()), "dynapsim": _Static(F.DPIConfig.dynapsim())}
GRADIENT = jax.jit(jax.value_and_grad(activity), static_argnums=2)
# Not "all zero" with DynapSim: it takes the logarithm of a quotient by Ispkthr, so 0 is outside its domain.
FINITE = [(config, case) for config in CONFIGS for case in CASES if (config, case) != ("dynapsim", "all zero")]


@pytest.mark.parametrize(("name", "case"), FINITE)
def test_every_gradient_is_finite(name: str, case: str) -> None:
    value, gradient = GRADIENT(as_floats(CASES[case]), drive(0.4, 60, 3), CONFIGS[name])
    assert np.isfinite(value)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))


def test_smooth_gradients_are_those_of_finite_differences(x64: None) -> None:
    config = F.DPIConfig(spike=F.heaviside(), substeps=2)
    gates = F.Gates(*(jnp.asarray(scale * drive(0.4, 30, 3, seed), jnp.float64) for seed, scale in enumerate((1.0, 0.5, 0.2, 0.02))))
    logs = jax.tree.map(lambda leaf: jnp.log(jnp.asarray(leaf)), F.DynapseParams(F.BiasCurrents(Ispkthr=1e-8, Iw_ahp=1e-8)))
    start = F.dynapse_dpi_init(F.DynapseParams(), (3,), jnp.float64, inputs=gates)
    # At `imem = Io` exactly there is a floor, and a kink in `Io`.
    start = start._replace(imem=20.0 * start.imem)

    @jax.jit
    def loss(logs: Any) -> jax.Array:
        params = jax.tree.map(jnp.exp, logs)

        def step(state: Any, x: Any) -> Any:
            state, _ = F.dynapse_dpi_step(params, state, x, dt=DT, config=config)
            return state, state.vmem

        return (jax.lax.scan(step, start, gates)[1] ** 2).sum()

    leaves, tree = jax.tree.flatten(logs)
    gradient = jax.tree.leaves(jax.grad(loss)(logs))
    for k, found in enumerate(gradient):
        up, down = (loss(jax.tree.unflatten(tree, [leaf + e * (i == k) for i, leaf in enumerate(leaves)])) for e in (1e-6, -1e-6))
        np.testing.assert_allclose(found, (up - down) / 2e-6, rtol=1e-3, atol=1e-5)


def test_the_pseudo_derivative_is_in_units_of_the_threshold_current() -> None:
    # The same distance in log-current has the same slope at a threshold of 10 pA and of 100 nA.
    def slope(threshold: float) -> float:
        state = F.dynapse_dpi_init(F.DynapseParams(), (), jnp.float32)._replace(imem=jnp.float32(0.5 * threshold))
        params = F.DynapseParams(F.BiasCurrents(Itau_mem=5e-13, Idc=0.0))

        def spikes(log_threshold: jax.Array) -> jax.Array:
            bias = params.bias._replace(Ispkthr=jnp.exp(log_threshold))
            return F.dynapse_dpi_step(params._replace(bias=bias), state, 0.0, dt=1e-6)[1]

        return float(jax.grad(spikes)(jnp.log(threshold)))

    expected = -1.0 / (1.0 + 2.0 * np.log(2.0)) ** 2
    np.testing.assert_allclose([slope(1e-11), slope(1e-7)], expected, rtol=0.02)


@pytest.mark.parametrize("start", [1e-9, 1e-6])
def test_threshold_leak_and_weights_are_trained_to_a_rate_through_spikes(start: float) -> None:
    steps, n, m = 300, 20, 4
    events = jnp.asarray((np.random.default_rng(0).random((steps, n)) < 0.02), jnp.float32)
    target = jnp.array([10.0, 30.0, 50.0, 80.0])

    def rates(free: Any) -> jax.Array:
        bias = F.BiasCurrents(Ispkthr=jnp.exp(free["Ispkthr"]), Itau_mem=jnp.exp(free["Itau_mem"]))
        return F.simulate(F.dynapse_dpi, F.DynapseParams(bias), events @ jnp.exp(free["weight"]), dt=DT)[1].mean(0) / DT

    def loss(free: Any) -> jax.Array:
        return ((jnp.log(rates(free) + 1.0) - jnp.log(target + 1.0)) ** 2).mean()

    weight = jnp.log(0.3 * jnp.asarray(np.random.default_rng(1).random((n, m)), jnp.float32))
    free = {"Ispkthr": jnp.full(m, jnp.log(start)), "Itau_mem": jnp.full(m, jnp.log(5.3e-12)), "weight": weight}
    optimizer = optax.adam(0.05)

    def step(carry: Any, _: None) -> Any:
        free, state = carry
        gradient = jax.grad(loss)(free)
        updates, state = optimizer.update(gradient, state)
        return (optax.apply_updates(free, updates), state), jax.tree.map(lambda g: jnp.abs(g).max(), gradient)

    before = rates(free)
    # Optax counts in int32 and raises floats to that power.
    with jax.numpy_dtype_promotion("standard"):
        (trained, _), gradients = jax.jit(lambda c: jax.lax.scan(step, c, None, length=120))((free, optimizer.init(free)))
    assert np.abs(before / target - 1).max() > 0.5
    np.testing.assert_allclose(rates(trained), target, rtol=0.1, atol=3.4)
    # Each of the three learnt: none was carried by the others.
    for name in free:
        assert gradients[name].max() > 1e-4
        assert np.abs(trained[name] - free[name]).max() > 0.05
