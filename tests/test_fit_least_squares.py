"""Levenberg-Marquardt: what it sums, what it finds, what it refuses; and forward mode in `minimize`."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import snnjax
import snnjax.functional as F
from snnjax import fit

DT = 1e-3
DRAW = np.random.default_rng(3)


def current(*shape: int, top: float = 0.4) -> jax.Array:
    return jnp.asarray(DRAW.uniform(0.0, top, shape), float)


def potential(state: Any, _: Any) -> Any:
    return state.v


@pytest.mark.usefixtures("x64")
def test_the_curvature_and_the_slope_are_those_of_a_dense_jacobian() -> None:
    x, target = current(30, 2), current(30, 2)
    start = F.LeakyIntegratorParams(tau_mem=15e-3, v_leak=0.1)
    found = fit.least_squares(F.leaky_integrator, start, x, target, dt=DT, steps=0, trainable=("tau_mem", "v_leak"))

    def residual(free: jax.Array) -> jax.Array:
        params = start._replace(tau_mem=jnp.exp(free[0]), v_leak=free[1])
        return F.simulate(F.leaky_integrator, params, x, dt=DT)[1] - target

    dense = jax.jacrev(residual)(jnp.array([[np.log(15e-3)] * 2, [0.1] * 2]))  # (T, N, P, N)
    own = jnp.stack([dense[:, n, :, n] for n in range(2)])
    assert found.names == ("tau_mem", "v_leak")
    np.testing.assert_allclose(found.curvature, jnp.einsum("ntk,ntl->nkl", own, own), rtol=1e-10)
    np.testing.assert_allclose(found.losses[0], jnp.mean(residual(jnp.array([[np.log(15e-3)] * 2, [0.1] * 2])) ** 2, axis=0), rtol=1e-10)


@pytest.mark.usefixtures("x64")
def test_every_neuron_finds_its_own_parameters_to_rounding() -> None:
    cells = F.LIFParams(tau_mem=jnp.array([8e-3, 20e-3, 60e-3]), tau_syn=jnp.array([3e-3, 5e-3, 9e-3]), v_th=1e3)
    x = current(300, 3)
    target = F.simulate(F.lif, cells, x, dt=DT, record=potential)[1]
    found = fit.least_squares(F.lif, F.LIFParams(v_th=1e3), x, target, dt=DT, trainable=("tau_mem", "tau_syn"))
    np.testing.assert_allclose(found.params.tau_mem, cells.tau_mem, rtol=1e-9)
    np.testing.assert_allclose(found.params.tau_syn, cells.tau_syn, rtol=1e-9)
    assert found.params.v_th == 1e3 and found.losses.shape == (21, 3)
    assert np.all(np.diff(found.losses, axis=0) <= 0.0)


def test_trials_of_the_same_neurons_are_fitted_together_and_what_was_not_measured_does_not_count() -> None:
    cells = F.LeakyParams(tau_mem=jnp.array([10e-3, 30e-3]), v_th=1e3)
    x = current(200, 4, 2)
    target = F.simulate(F.leaky, cells, x, dt=DT, record=potential)[1].at[50:80, 1].set(jnp.nan)
    found = fit.least_squares(F.leaky, F.LeakyParams(v_th=1e3), x, target, dt=DT, trainable="tau_mem")
    np.testing.assert_allclose(found.params.tau_mem, cells.tau_mem, rtol=1e-4)
    assert np.isfinite(found.losses).all()


def test_a_population_with_counters_and_spikes_gets_no_worse() -> None:
    neuron = F.lif_refrac
    cells = neuron.default(neuron=F.LIFParams(tau_mem=jnp.array([12e-3, 25e-3])))
    x = current(200, 2, top=2.0)
    target = F.simulate(neuron, cells, x, dt=DT, record=lambda s, _: s.neuron.v)[1]
    start = neuron.default(neuron=F.LIFParams(tau_mem=18e-3))
    found = fit.least_squares(neuron, start, x, target, dt=DT, trainable="tau_mem")
    assert np.all(found.losses[-1] < found.losses[0])


def test_each_synapse_has_its_own_column() -> None:
    neuron = F.synapses(F.leaky, 2)
    cells = neuron.default(neuron=F.LeakyParams(v_th=1e3), tau_syn=jnp.array([4e-3, 12e-3]))
    x = current(200, 2, 3)
    target = F.simulate(neuron, cells, x, dt=DT, record=lambda s, _: s.neuron.v)[1]
    start = neuron.default(neuron=F.LeakyParams(v_th=1e3), tau_syn=jnp.broadcast_to(jnp.array([[6e-3], [9e-3]]), (2, 3)))
    found = fit.least_squares(neuron, start, x, target, dt=DT, trainable="tau_syn")
    assert found.names == ("tau_syn[0]", "tau_syn[1]") and found.curvature.shape == (3, 2, 2)
    np.testing.assert_allclose(found.params.tau_syn, [[4e-3] * 3, [12e-3] * 3], rtol=1e-3)


def test_memory_does_not_grow_with_the_number_of_steps() -> None:
    from snnjax.fit._marquardt import Problem, accumulate

    def memory(steps: int) -> int:
        def sums(x: jax.Array, y: jax.Array, free: jax.Array) -> Any:
            def residual(tau: Any, state: Any, x: Any, y: Any) -> Any:
                state, v = F.leaky_integrator_step(F.LeakyIntegratorParams(tau_mem=tau), state, x, dt=DT)
                return state, v - y

            start = F.leaky_integrator_init(F.LeakyIntegratorParams(), (64,))
            return accumulate(Problem(jnp.exp, lambda _: start, residual, x, y), free)

        shape = jax.ShapeDtypeStruct((steps, 64), "float32")
        return jax.jit(sums).lower(shape, shape, jax.ShapeDtypeStruct((64,), "float32")).compile().memory_analysis().temp_size_in_bytes

    assert memory(4000) <= memory(100) + 1024


@pytest.mark.parametrize(
    ("change", "kind", "field"),
    [
        ({"target": jnp.zeros((9, 2))}, snnjax.ShapeError, "target"),
        ({"target": jnp.zeros((10, 2), int)}, snnjax.DTypeError, "target"),
        ({"inputs": jnp.full((10, 2), jnp.nan)}, snnjax.NumericsError, "params"),
        ({"record": lambda s, o: (s.v, o)}, snnjax.ShapeError, "record"),
        ({"trainable": "tau_men"}, snnjax.ConfigError, "trainable"),
        ({"steps": -1}, snnjax.ParameterError, "steps"),
        ({"steps": 1.5}, snnjax.DTypeError, "steps"),
        ({"dt": 0.0}, snnjax.ParameterError, "dt"),
        ({"dtt": 0.1}, snnjax.ConfigError, "dtt"),
        (
            {"neuron": F.recurrent(F.leaky), "params": F.recurrent(F.leaky).default(weight=jnp.zeros((2, 2)))},
            snnjax.DTypeError,
            "neuron",
        ),
    ],
)
def test_what_cannot_be_fitted_is_refused(change: dict[str, Any], kind: type[snnjax.SnnjaxError], field: str) -> None:
    arguments: dict[str, Any] = {"neuron": F.leaky, "params": F.LeakyParams(), "inputs": jnp.zeros((10, 2)), "target": jnp.zeros((10, 2))}
    arguments |= {"dt": DT, "record": lambda state, _: getattr(state, "neuron", state).v} | change
    order = [arguments.pop(name) for name in ("neuron", "params", "inputs", "target")]
    with pytest.raises(kind) as refused:
        fit.least_squares(*order, **arguments)
    assert refused.value.field == field


@pytest.mark.parametrize("trainable", ["tau_mem", ("tau_mem", "tau_syn"), ("tau_mem", "tau_syn", "v_leak")])
def test_minimize_follows_the_same_gradient_in_either_mode(trainable: Any) -> None:
    x = current(100, 4)

    def loss(p: Any) -> Any:
        return jnp.mean(F.simulate(F.lif, p, x, dt=DT, record=potential)[1] ** 2)

    @jax.custom_vjp
    def in_reverse_only(p: Any) -> Any:
        return loss(p)

    in_reverse_only.defvjp(lambda p: (loss(p), p), lambda p, g: (jax.tree.map(lambda leaf: leaf * g, jax.grad(loss)(p)),))
    free = fit.minimize(loss, F.LIFParams(), steps=5, trainable=trainable)
    forced = fit.minimize(in_reverse_only, F.LIFParams(), steps=5, trainable=trainable)
    np.testing.assert_allclose(free.losses, forced.losses, rtol=1e-5)
    np.testing.assert_allclose(free.params.tau_mem, forced.params.tau_mem, rtol=1e-5)
