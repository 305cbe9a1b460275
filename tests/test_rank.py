"""One value per neuron beside a batch of states: where the leading axes of length 1 go, and that nothing else is touched."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import snnjax.functional as F
from snnjax.functional._rank import beside

N = 3


def shapes(params: Any) -> Any:
    return jax.tree.map(np.shape, params)


def per_neuron(params: Any) -> Any:
    return jax.tree.map(lambda leaf: jnp.full(N, leaf) if np.shape(leaf) == () else jnp.asarray(leaf), params)


def test_values_per_neuron_get_the_batch_axes_of_the_state_and_others_none() -> None:
    neuron = F.refractory(F.recurrent(F.synapses(F.lif, 2)))
    params = neuron.default(t_ref=jnp.ones(N))
    params = F.with_core(params, F.LIFParams(tau_mem=jnp.ones(N), v_th=jnp.ones(1), bias=jnp.ones((4, N)), v_leak=jnp.float32(0.0)))
    params = params._replace(neuron=params.neuron._replace(weight=jnp.zeros((2, N, N))))
    state = neuron.init(params, (5, 4, N))
    made = beside(jax.tree.map(jnp.asarray, params), state)
    assert made.t_ref.shape == (1, 1, N)
    assert made.neuron.weight.shape == (2, N, N) and made.neuron.neuron.tau_syn.shape == (2,)
    lif = F.core(made)
    assert (lif.tau_mem.shape, lif.v_th.shape, lif.bias.shape, lif.v_leak.shape) == ((1, 1, N), (1, 1, 1), (1, 4, N), ())


def test_currents_per_synaptic_gate_get_them_too() -> None:
    params = F.DynapseParams(F.BiasCurrents(Itau_syn=F.Gates(jnp.full(N, 1e-10), jnp.float32(1e-10))))
    made = beside(jax.tree.map(jnp.asarray, params), F.dynapse_dpi_init(params, (2, N))).bias.Itau_syn
    assert (made.ampa.shape, made.nmda.shape, made.gaba) == ((1, N), (), None)


@pytest.mark.parametrize("shape", [(), (N,)])
def test_without_batch_axes_params_stay_the_same_object(shape: tuple[int, ...]) -> None:
    params = jax.tree.map(lambda leaf: jnp.full(shape, leaf), F.LIFParams())
    assert beside(params, F.lif_init(params, (N,))) is params
    numbers = jax.tree.map(jnp.float32, F.LIFParams())
    assert beside(numbers, F.lif_init(numbers, (2, 4, N))) is numbers


def test_a_count_for_the_whole_population_is_no_membrane() -> None:
    params = jax.tree.map(lambda leaf: jnp.full(N, leaf), F.LIFParams())
    assert shapes(beside(params, {"steps": jnp.int32(0), "v": jnp.zeros((2, N))})).v_th == (1, N)


class OwnParams(NamedTuple):
    tau_mem: F.TimeConstant = 10e-3
    v_th: F.Potential = 1.0
    v_reset: F.Potential = 0.0
    filter: Any = 0.5  # without a kind: what its axes are, only the model knows


class OwnState(NamedTuple):
    v: Any


def own_integrate(params: Any, state: Any, currents: Any, dt: Any, config: Any) -> Any:
    assert params.filter.shape == (2,)
    return OwnState(state.v + dt / params.tau_mem * (params.filter[0] * currents[0].i - params.filter[1] * state.v))


OWN = F.Phases(
    lambda params, state, inputs, dt, config: (state, (F.Held(inputs),)),
    own_integrate,
    lambda params, state, config: config.spike(state.v - params.v_th, params.v_th - params.v_reset),
    lambda params, state, spikes, dt, config: OwnState(config.reset(state.v, spikes, params)),
)


def test_a_model_of_your_own_says_by_its_annotations_what_is_per_neuron() -> None:
    def step(params: Any, state: Any, inputs: Any, *, dt: Any, config: Any = None) -> Any:
        return F.advance(OWN, params, state, inputs, dt=dt, config=config)

    params = OwnParams(tau_mem=jnp.array([5e-3, 10e-3, 20e-3]), v_th=jnp.array([0.3, 0.4, 0.5]), filter=jnp.array([1.0, 0.2]))
    inputs = jnp.asarray(np.random.default_rng(0).uniform(0.0, 2.0, (40, 2, N)), jnp.float32)
    own = F.Neuron("own", OwnParams, lambda p, shape=(), dtype=None: OwnState(jnp.zeros(shape, dtype)), step, OWN)
    for neuron, given in ((own, params), (F.refractory(own), F.RefractoryParams(params, jnp.array([0.0, 2e-3, 3e-3])))):
        _, spikes = F.simulate(neuron, given, inputs, dt=1e-3)
        assert spikes.sum((0, 1)).min() > 0
        one_by_one = [F.simulate(neuron, given, inputs[:, k], dt=1e-3)[1] for k in range(2)]
        np.testing.assert_array_equal(spikes, jnp.stack(one_by_one, axis=1))


def test_a_batch_is_its_elements_one_by_one_and_so_is_its_gradient() -> None:
    neuron = F.synapses(F.integrate_and_fire, 2)
    config = F.SpikingConfig(
        F.superspike(slope=jnp.array([5.0, 10.0, 20.0]), unit=jnp.array([1.0, 2.0, 3.0])), F.attached(F.reset_by_subtraction)
    )
    params = jax.tree.map(jnp.asarray, per_neuron(neuron.default()))
    params = params._replace(tau_syn=jnp.array([[4e-3, 5e-3, 6e-3], [1e-2, 2e-2, 3e-2]]))
    inputs = jnp.asarray(np.random.default_rng(1).uniform(0.0, 1.5, (20, 2, 2, N)), jnp.float32)

    def loss(params: Any, config: Any, inputs: Any) -> jax.Array:
        return F.simulate(neuron, params, inputs, dt=1e-3, config=config, record=lambda s, z: z + F.core(s).v)[1].sum()

    run = jax.jit(jax.value_and_grad(loss))
    value, slopes = run(params, config, inputs)
    each = [run(params, config, inputs[:, k]) for k in range(2)]
    np.testing.assert_allclose(value, sum(v for v, _ in each), rtol=1e-5)
    total = jax.tree.map(lambda *leaves: sum(leaves), *(g for _, g in each))
    for a, b, p in zip(jax.tree.leaves(slopes), jax.tree.leaves(total), jax.tree.leaves(params), strict=True):
        assert a.shape == p.shape
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=1e-3)


def test_what_is_no_value_per_neuron_still_meets_the_setting() -> None:
    params = F.LIFParams()
    with jax.numpy_rank_promotion("raise"), pytest.raises(ValueError, match="rank_promotion"):
        F.lif_step(params, F.lif_init(params, (2, N)), jnp.zeros(N), dt=1e-3)
