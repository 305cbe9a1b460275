"""The gradient of a recurrent weight, taken in one product after the loop, is that of the plain loop."""

from __future__ import annotations

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import snnjax.functional as F
from snnjax import somas

DT, STEPS, BATCH, N = 1e-3, 30, 3, 5
KINDS = {
    "recurrent(lif)": F.recurrent(F.lif),
    "recurrent(refractory(adaptive))": F.recurrent(F.refractory(F.adaptive_leaky, F.gate_input)),
    "refractory(recurrent(lif))": F.refractory(F.recurrent(F.lif), F.clamp_to_reset),
    "refractory(refractory(recurrent))": F.refractory(F.refractory(F.recurrent(F.leaky))),
    "recurrent(synapses(lif, 2))": F.recurrent(F.synapses(F.lif, 2)),
}


def problem(kind: str, dtype: Any = np.float64) -> tuple[F.Neuron, Any, jax.Array, jax.Array]:
    """A network in which recurrent spikes matter: the neuron, its params, inputs, and weights of a loss."""
    neuron, rng = KINDS[kind], np.random.default_rng(0)
    ports = neuron.ports
    weight = jnp.asarray(rng.normal(0.0, 1.0, (*ports, N, N)), dtype)
    inputs = jnp.asarray(rng.uniform(0.0, 1.2, (STEPS, BATCH, *ports, N)), dtype) * (3.0 if "leaky" in neuron.name else 1.0)
    params = with_weight(neuron.default(), neuron, weight)
    params = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), params)
    return neuron, params, inputs, jnp.asarray(rng.normal(size=(STEPS, BATCH, N)), dtype)


def with_weight(params: Any, neuron: F.Neuron, weight: Any) -> Any:
    if hasattr(params, "weight"):
        return params._replace(weight=weight)
    return params._replace(neuron=with_weight(params.neuron, neuron, weight))


def plain(neuron: F.Neuron, params: Any, inputs: Any, record: Any, state: Any = None) -> Any:
    """What JAX makes of the loop by itself."""

    def step(now: Any, x: Any) -> Any:
        now, spikes = neuron.step(params, now, x, dt=DT, config=F.SpikingConfig(F.superspike(5.0)))
        return now, record(now, spikes)

    shape = (BATCH, inputs.shape[-1])
    return jax.lax.scan(step, neuron.init(params, shape, inputs.dtype) if state is None else state, inputs)


def ours(neuron: F.Neuron, params: Any, inputs: Any, record: Any, state: Any = None, **options: Any) -> Any:
    return F.simulate(neuron, params, inputs, dt=DT, config=F.SpikingConfig(F.superspike(5.0)), record=record, state=state, **options)


def everything(state: Any, spikes: Any) -> Any:
    return spikes, F.core(state).v


def loss(run: Any, neuron: F.Neuron, weights: Any, **options: Any) -> Any:
    def of(params: Any, inputs: Any, state: Any = None) -> Any:
        last, (spikes, v) = run(neuron, params, inputs, everything, state, **options)
        return (weights * spikes).sum() + 0.1 * (v**2).sum() + (F.core(last).v ** 2).sum()

    return of


@pytest.mark.parametrize(("kind", "segment"), [*((kind, 7) for kind in KINDS), ("recurrent(lif)", None)])
def test_the_gradient_is_that_of_the_plain_loop(kind: str, segment: int | None, x64: None) -> None:
    neuron, params, inputs, weights = problem(kind)
    assert neuron.feedback is not None
    state = neuron.init(params, (BATCH, N), jnp.float64)
    state = jax.tree.map(lambda leaf: leaf + 0.1 if leaf.dtype == jnp.float64 else leaf, state)
    gradients = [
        jax.jit(jax.grad(of, argnums=(0, 1, 2), allow_int=True))(params, inputs, state)
        for of in (loss(ours, neuron, weights, segment=segment), loss(plain, neuron, weights))
    ]
    floats = [[leaf for leaf in jax.tree.leaves(tree) if leaf.dtype == jnp.float64] for tree in gradients]
    chex.assert_trees_all_close(*floats, rtol=1e-9, atol=1e-9)
    assert all(jnp.abs(leaf).max() > 0 for leaf in jax.tree.leaves(weight_of(gradients[0][0])))


def weight_of(params: Any) -> Any:
    return params.weight if hasattr(params, "weight") else weight_of(params.neuron)


@pytest.mark.parametrize("kind", ["refractory(recurrent(lif))", "recurrent(synapses(lif, 2))"])
def test_the_weight_alone_may_be_differentiated(kind: str, x64: None) -> None:
    neuron, params, inputs, weights = problem(kind)

    def of(run: Any, weight: Any) -> Any:
        last, spikes = run(neuron, with_weight(params, neuron, weight), inputs, None if run is ours else lambda _, s: s)
        return (weights * spikes).sum()

    weight = weight_of(params)
    reverse, expected = (jax.jit(jax.grad(lambda w, run=run: of(run, w)))(weight) for run in (ours, plain))
    chex.assert_trees_all_close(reverse, expected, rtol=1e-9, atol=1e-9)
    direction = jnp.cos(jnp.arange(weight.size, dtype=weight.dtype)).reshape(weight.shape)
    _, forward = jax.jvp(lambda w: of(ours, w), (weight,), (direction,))
    np.testing.assert_allclose(forward, jnp.vdot(expected, direction), rtol=1e-9)


def test_second_derivatives_vmap_and_checkpoint_compose(x64: None) -> None:
    neuron, params, inputs, weights = problem("recurrent(lif)")
    soft = F.SpikingConfig(lambda x, scale=1.0: jax.nn.sigmoid(4.0 * x / scale) - 1.0)  # never above 0, so never a reset

    def run(run_: Any, weight: Any) -> Any:
        now = params._replace(weight=weight)
        if run_ == "ours":
            return (weights * F.simulate(neuron, now, inputs, dt=DT, config=soft)[1]).sum()
        step = lambda state, x: neuron.step(now, state, x, dt=DT, config=soft)  # noqa: E731
        return (weights * jax.lax.scan(step, neuron.init(now, (BATCH, N), jnp.float64), inputs)[1]).sum()

    weight = 0.1 * params.weight
    hessians = [jax.jit(jax.hessian(lambda w, name=name: run(name, w)))(weight) for name in ("ours", "plain")]
    chex.assert_trees_all_close(*hessians, rtol=1e-8, atol=1e-8)
    assert jnp.abs(hessians[0]).max() > 1e-3
    several = jnp.stack([weight, -weight])
    mapped = jax.vmap(jax.grad(lambda w: run("ours", w)))(several)
    alone = jnp.stack([jax.grad(jax.checkpoint(lambda w: run("ours", w)))(w) for w in several])
    chex.assert_trees_all_close(mapped, alone, rtol=1e-9)


def test_a_record_may_close_over_what_is_differentiated(x64: None) -> None:
    neuron, params, inputs, weights = problem("recurrent(lif)")

    def of(run: Any, scale: Any, weight: Any) -> Any:
        record = lambda state, spikes: scale * F.core(state).v * weight.sum() + spikes  # noqa: E731
        return (weights * run(neuron, params._replace(weight=weight), inputs, record)[1]).sum()

    got, expected = (jax.grad(lambda s, w, run=run: of(run, s, w), argnums=(0, 1))(1.5, params.weight) for run in (ours, plain))
    chex.assert_trees_all_close(got, expected, rtol=1e-9)


@pytest.mark.parametrize("given", [np.uint8, np.bool_, jnp.bfloat16])
def test_inputs_of_any_dtype_give_the_same_gradient(given: Any) -> None:
    neuron, params, inputs, weights = problem("recurrent(lif)", np.float32)
    raster = inputs > 0.9

    def of(inputs: Any) -> Any:
        return jax.grad(lambda w: (weights * ours(neuron, params._replace(weight=w), inputs, None)[1]).sum())(params.weight)

    chex.assert_trees_all_equal(of(raster.astype(given)), of(raster.astype(jnp.float32)))


def test_a_low_precision_state_has_a_gradient() -> None:
    neuron, params, inputs, weights = problem("recurrent(lif)", np.float32)
    state = neuron.init(params, (BATCH, N), jnp.bfloat16)

    def of(run: Any) -> Any:
        low = weights.astype(jnp.bfloat16)
        return jax.grad(lambda w: (low * run(neuron, params._replace(weight=w), inputs, lambda _, s: s, state)[1]).sum())(params.weight)

    got, expected = of(ours), of(plain)
    assert got.dtype == jnp.float32
    chex.assert_trees_all_close(got, expected, rtol=0.05, atol=0.05 * float(jnp.abs(expected).max()))


@pytest.mark.parametrize("steps", [0, 1])
def test_hardly_any_steps_are_fine(steps: int) -> None:
    neuron, params, inputs, weights = problem("recurrent(lif)", np.float32)
    state = neuron.init(params, (BATCH, N))._replace(spikes=jnp.ones((BATCH, N)))
    gradient = jax.grad(lambda w: F.core(ours(neuron, params._replace(weight=w), inputs[:steps], None, state)[0]).i.sum())(params.weight)
    assert bool(gradient.any()) == (steps == 1)


def test_a_run_that_is_checked_has_the_same_gradient() -> None:
    neuron, params, inputs, weights = problem("recurrent(lif)", np.float32)

    def of(checked: bool) -> Any:
        run = lambda w: ours(neuron, params._replace(weight=w), inputs, None, checked=checked)[1]  # noqa: E731
        return jax.grad(lambda w: (weights * run(w)).sum())(params.weight)

    chex.assert_trees_all_close(of(True), of(False), rtol=1e-5)


def test_a_gap_in_the_mask_keeps_the_spikes_for_the_step_after_it() -> None:
    config = somas.config_class(F.recurrent(F.lif), "FeedbackConfig")
    soma = config(shape=(N,), weight=somas.Normal(0.0, 1.0), spike=F.superspike(5.0)).build(jax.random.key(0))
    _, _, inputs, weights = problem("recurrent(lif)", np.float32)
    mask = jnp.ones((STEPS, BATCH), bool).at[10:20, 0].set(False).at[30:, 1].set(False)

    def whole(weight: Any) -> Any:
        now = soma.params._replace(weight=weight)
        _, spikes = somas.Sequential([with_params(soma, now)]).simulate(inputs, dt=DT, mask=mask)
        return (weights * spikes).sum()

    def by_hand(weight: Any) -> Any:
        now = with_params(soma, soma.params._replace(weight=weight))
        _, spikes = jax.lax.scan(lambda state, x: now(state, x[0], dt=DT, mask=x[1]), now.init((BATCH,)), (inputs, mask))
        return (weights * spikes).sum()

    got, expected = (jax.jit(jax.grad(of))(soma.params.weight) for of in (whole, by_hand))
    assert jnp.abs(expected).max() > 0
    chex.assert_trees_all_close(got, expected, rtol=1e-4, atol=1e-4)


def with_params(soma: Any, params: Any) -> Any:
    import equinox as eqx

    return eqx.tree_at(lambda soma: soma.params, soma, params)


def test_a_weight_whose_spikes_pass_a_synapse_first_is_left_to_the_loop(x64: None) -> None:
    outer = F.synapses(F.recurrent(F.lif), 2)
    assert outer.feedback is None and F.lif.feedback is None
    assert F.refractory(F.recurrent(F.lif)).feedback == ("neuron",) and F.recurrent(outer).feedback == ()


def test_the_gradient_of_a_network_is_one_product_and_takes_no_more_memory() -> None:
    neuron, steps, neurons = KINDS["recurrent(lif)"], 200, 64

    def compiled(run: Any) -> Any:
        def of(weight: Any, projection: Any, inputs: Any) -> Any:
            spikes = run(neuron, neuron.default(weight=weight), inputs @ projection)
            return (jnp.tanh(spikes @ projection) ** 2).sum()

        matrix = jnp.zeros((neurons, neurons))
        return jax.jit(jax.grad(of, argnums=(0, 1))).lower(matrix, matrix, jnp.zeros((steps, BATCH, neurons))).compile()

    hoisted = compiled(lambda *problem: ours(*problem, None)[1])
    loop = compiled(lambda *problem: plain(*problem, lambda _, spikes: spikes)[1])
    # XLA counts what is inside a loop once, however many steps it has.
    product = 2 * steps * BATCH * neurons**2
    assert hoisted.cost_analysis()["flops"] - loop.cost_analysis()["flops"] > 0.9 * product
    assert hoisted.memory_analysis().temp_size_in_bytes <= 1.05 * loop.memory_analysis().temp_size_in_bytes


def test_the_gradient_of_a_weight_alone_does_not_keep_every_step_of_a_segmented_run() -> None:
    neuron, steps, neurons = KINDS["recurrent(lif)"], 2000, 64

    def of(weight: Any, inputs: Any) -> Any:
        record = lambda state, spikes: spikes.sum()  # noqa: E731
        return ours(neuron, neuron.default(weight=weight), inputs, record, segment=40)[1].sum()

    arguments = jnp.zeros((neurons, neurons)), jnp.zeros((steps, BATCH, neurons))
    memory = jax.jit(jax.grad(of)).lower(*arguments).compile().memory_analysis().temp_size_in_bytes
    assert memory < 4 * steps * BATCH * neurons
