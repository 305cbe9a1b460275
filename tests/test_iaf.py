"""The IAF layers: their sums by hand, their delays and noise, runs in pieces, gradients. `test_brian_layers` replays recordings."""

from __future__ import annotations

from typing import Any

import chex
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import snnjax
import snnjax.functional as F
from snnjax import fit, somas

DT, IN, OUT = 1e-3, 5, 7
CONSTANT_LEAK = F.refractory(F.integrate_and_fire)


def matrix(rows: int, columns: int, seed: int = 0, scale: float = 1.0) -> np.ndarray:
    return scale * np.random.default_rng(seed).normal(size=(rows, columns)).astype(np.float32)


def steps_of(rows: int, columns: int, longest: int = 6) -> np.ndarray:
    return np.random.default_rng(3).integers(0, longest, (rows, columns))


W, BACK = matrix(IN, OUT), matrix(OUT, OUT, 1, 0.6)
DELAY, DELAY_REC = steps_of(IN, OUT) * DT, steps_of(OUT, OUT) * DT

LAYERS: dict[str, Any] = {
    "currents": lambda: somas.FeedForwardIAF(2.0 * W),
    "noise": lambda: somas.FeedForwardIAF(2.0 * W, sigma=0.3, integrator=F.exponential_euler),
    "synapses": lambda: somas.FeedForwardIAF(2.0 * W, tau_syn=5e-3),
    "delays": lambda: somas.FeedForwardIAF(2.0 * W, delay=DELAY),
    "constant leak": lambda: somas.FeedForwardIAF(2.0 * W, neuron=CONSTANT_LEAK, tau_syn=5e-3, delay=2 * DT, bias=-0.2),
    "adaptive": lambda: somas.FeedForwardIAF(2.0 * W, neuron=F.refractory(F.adaptive_leaky, F.gate_input)),
    "recurrent": lambda: somas.RecurrentIAF(2.0 * W, BACK),
    "recurrent, unweighted": lambda: somas.RecurrentIAF(None, BACK, tau_syn_rec=5e-3),
    "recurrent, input synapses": lambda: somas.RecurrentIAF(2.0 * W, BACK, tau_syn=5e-3, delay=DELAY),
    "recurrent, synapses": lambda: somas.RecurrentIAF(
        2.0 * W, BACK, tau_syn=5e-3, tau_syn_rec=np.linspace(2e-3, 9e-3, OUT), delay=DELAY, delay_rec=DELAY_REC, sigma=0.2
    ),
}
each_layer = pytest.mark.parametrize("name", LAYERS)


def drive(layer: Any, steps: int = 90, batch: tuple[int, ...] = (3,), seed: int = 2) -> jax.Array:
    """Spikes for a layer with input synapses, else currents."""
    shape = (steps, *batch, layer.shape[0])
    draw = np.random.default_rng(seed)
    return jnp.asarray(draw.random(shape) < 0.2 if layer.has_synapse[0] else 3.0 * draw.normal(size=shape), np.float32)


def start(layer: Any, batch: tuple[int, ...] = (3,), seed: int = 7) -> somas.IAFState:
    return layer.init(batch, dt=DT, key=None if layer.noise is None else jax.random.key(seed))


def v_and_spikes(state: Any, spikes: Any) -> Any:
    return spikes, F.core(state).v


# What arrives


def by_hand(raster: np.ndarray, weight: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """`arriving[t, n] = sum over m of weight[m, n] * raster[t - steps[m, n], m]`, one weight after the other."""
    out = np.zeros((len(raster), weight.shape[1]))
    for m, n in np.ndindex(*weight.shape):
        late = steps[m, n]
        out[late:, n] += weight[m, n] * raster[: len(raster) - late, m]
    return out


@pytest.mark.parametrize("neuron", [F.refractory(F.leaky), CONSTANT_LEAK], ids=["leaky", "integrate_and_fire"])
def test_a_layer_is_its_weights_and_its_neurons(neuron: F.Neuron, x64: None) -> None:
    x, weight = np.random.default_rng(0).normal(size=(200, IN)), matrix(IN, OUT).astype(np.float64)
    params = neuron.default(t_ref=3e-3)
    layer = somas.FeedForwardIAF.from_params(weight, params, neuron=neuron)
    ours = layer.simulate(x, dt=DT, record=v_and_spikes)[1]
    alone = F.simulate(neuron, params, jnp.asarray(x @ weight), dt=DT, record=v_and_spikes)[1]
    assert alone[0].any()
    np.testing.assert_array_equal(ours[0], alone[0])
    np.testing.assert_allclose(ours[1], alone[1], rtol=0, atol=1e-12)


@pytest.mark.parametrize("batch", [(), (2,)])
def test_each_weight_has_its_own_delay(batch: tuple[int, ...], x64: None) -> None:
    raster = np.random.default_rng(0).random((150, *batch, IN)) < 0.1
    layer = somas.FeedForwardIAF(W.astype(np.float64), tau_syn=5e-3, delay=DELAY, v_th=100.0)
    v = layer.simulate(raster, dt=DT, record=lambda state, _: F.core(state).v)[1]
    for example in np.ndindex(*batch):
        pick = (slice(None), *example)
        jumps = by_hand(raster[pick], W.astype(np.float64), steps_of(IN, OUT))
        wanted = F.simulate(F.lif, F.LIFParams(tau_syn=5e-3, v_th=100.0), jnp.asarray(jumps), dt=DT, record=lambda s, _: s.v)[1]
        np.testing.assert_allclose(v[pick], wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("batch", [(), (2,)], ids=["fetched one by one", "as a product"])
def test_recurrent_spikes_come_back_a_step_and_a_delay_later(batch: tuple[int, ...], x64: None) -> None:
    x, back, steps = np.random.default_rng(0).normal(0.8, 4.0, (150, *batch, OUT)), 3.0 * BACK.astype(np.float64), steps_of(OUT, OUT)
    layer = somas.RecurrentIAF(None, back, tau_syn_rec=5e-3, delay_rec=DELAY_REC, t_ref=2e-3)
    spikes, v = layer.simulate(x, dt=DT, record=v_and_spikes)[1]
    assert len(np.unique(steps)) > 2 and 20 < spikes.sum() < spikes.size / 4
    for example in np.ndindex(*batch):
        pick = (slice(None), *example)
        # The loop is closed by hand: the recorded spikes, weighted and delayed, must be what made them.
        came_back = by_hand(np.asarray(spikes[pick]), back, steps + 1)
        neuron = F.injected(F.synapses(F.refractory(F.leaky), 1))
        given = F.Injected(jnp.asarray(came_back)[:, None], held=jnp.asarray(x[pick]))
        params = neuron.default(tau_syn=np.array([5e-3]))
        again, v_again = F.simulate(neuron, params, given, dt=DT, record=v_and_spikes)[1]
        np.testing.assert_array_equal(spikes[pick], again)
        np.testing.assert_allclose(v[pick], v_again, rtol=0, atol=1e-12)


def test_a_delay_is_in_seconds_so_it_survives_a_change_of_dt() -> None:
    layer = somas.FeedForwardIAF(np.ones((1, 1)), tau_syn=20e-3, delay=12e-3, v_th=1e9)
    onsets = []
    for dt in (0.5e-3, 1e-3, 2e-3):
        pulse = np.zeros((round(50e-3 / dt), 1))
        pulse[round(10e-3 / dt)] = 1.0
        v = layer.simulate(pulse, dt=dt, record=lambda state, _: F.core(state).v)[1]
        onsets.append(float(np.flatnonzero(v[:, 0])[0] * dt))
    np.testing.assert_allclose(onsets, 22e-3, rtol=1e-6)


def test_without_synapses_a_recurrent_layer_is_the_recurrent_wrapper(x64: None) -> None:
    neuron, x = F.recurrent(F.refractory(F.leaky)), np.random.default_rng(0).normal(size=(120, 2, OUT)) * 4.0
    params = neuron.default(weight=jnp.asarray(BACK, float))
    spikes, v = F.simulate(neuron, params, jnp.asarray(x), dt=DT, record=v_and_spikes)[1]
    ours, our_v = somas.RecurrentIAF(None, BACK.astype(np.float64)).simulate(x, dt=DT, record=v_and_spikes)[1]
    assert spikes.any()
    np.testing.assert_array_equal(ours, spikes)
    np.testing.assert_allclose(our_v, v, rtol=0, atol=1e-12)


def test_currents_can_be_injected_beside_the_weighted_input(x64: None) -> None:
    x, held, late = (np.random.default_rng(seed).normal(size=(80, 2, n)) for seed, n in ((0, IN), (1, OUT), (2, OUT)))
    weight = W.astype(np.float64)
    layer = somas.FeedForwardIAF(weight, tau_syn=5e-3)
    ours = layer.simulate(F.Injected(x, held, late), dt=DT, record=v_and_spikes)[1]
    neuron = F.injected(F.refractory(F.lif))
    given = F.Injected(jnp.asarray(x @ weight), jnp.asarray(held), jnp.asarray(late))
    wanted = F.simulate(neuron, neuron.default(), given, dt=DT, record=v_and_spikes)[1]
    assert wanted[0].any()
    chex.assert_trees_all_close(ours, wanted, rtol=0, atol=1e-12)
    alone = layer.simulate(F.Injected(held=held), dt=DT, record=v_and_spikes)[1]
    silent = layer.simulate(F.Injected(np.zeros_like(x), held=held), dt=DT, record=v_and_spikes)[1]
    chex.assert_trees_all_equal(alone, silent)


# Runs


@each_layer
def test_pieces_of_a_run_are_the_whole_bit_for_bit(name: str) -> None:
    layer = LAYERS[name]()
    x, state = drive(layer, 74), start(layer)
    whole, out = layer.simulate(x, dt=DT, state=state)
    assert 0 < float(out.mean()) < 0.5
    pieces = []
    for k in (slice(0, 37), slice(37, 74)):
        state, piece = layer.simulate(x[k], dt=DT, state=state)
        pieces.append(piece)
    np.testing.assert_array_equal(jnp.concatenate(pieces), out)
    assert jax.tree.structure(state) == jax.tree.structure(whole)
    chex.assert_trees_all_equal(jax.tree.map(_bits, state), jax.tree.map(_bits, whole))


def _bits(leaf: jax.Array) -> jax.Array:
    return jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf


def test_pieces_of_a_wide_layer_are_the_whole_bit_for_bit() -> None:
    layer = somas.FeedForwardIAF(matrix(100, 300, scale=0.3), sigma=0.1)
    x = drive(layer, 700, ())
    state, out = layer.simulate(x, dt=DT, key=jax.random.key(0))
    state, first = layer.simulate(x[:301], dt=DT, key=jax.random.key(0))
    _, last = layer.simulate(x[301:], dt=DT, state=state)
    assert out.any()
    np.testing.assert_array_equal(jnp.concatenate([first, last]), out)


@each_layer
def test_step_by_step_is_the_run(name: str) -> None:
    layer = LAYERS[name]()
    x, state = drive(layer, 40), start(layer)
    last, (spikes, v) = layer.simulate(x, dt=DT, state=state, record=v_and_spikes)
    step = jax.jit(lambda state, row: layer(state, row, dt=DT))
    for k, row in enumerate(x):
        state, out = step(state, row)
        np.testing.assert_array_equal(out, spikes[k])
        np.testing.assert_allclose(F.core(state).v, v[k], rtol=1e-6, atol=2e-6)
    chex.assert_trees_all_close(jax.tree.map(_bits, state), jax.tree.map(_bits, last), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["currents", "delays", "recurrent, unweighted", "recurrent, synapses"])
def test_what_stands_in_the_padding_changes_nothing(name: str) -> None:
    layer = LAYERS[name]()
    x, state, lengths = drive(layer, 60), start(layer), np.array([60, 25, 41])
    mask = jnp.arange(60)[:, None] < lengths[None]
    last, out = layer.simulate(jnp.where(mask[..., None], x, jnp.nan), dt=DT, state=state, mask=mask)
    whole = layer.simulate(x, dt=DT, state=state)[1]
    np.testing.assert_array_equal(out, jnp.where(mask[..., None], whole, 0.0))
    ended = layer.simulate(x[:25], dt=DT, state=state)[0]
    for field in ("neuron", "inputs", "spikes"):
        at_1 = jax.tree.map(lambda leaf: leaf[1], (getattr(last, field), getattr(ended, field)))
        chex.assert_trees_all_equal(*at_1)
    step = jax.jit(lambda state, row, real: layer(state, row, dt=DT, mask=real)[0])
    stepped = state
    for row, real in zip(x[:30], mask[:30], strict=True):
        stepped = step(stepped, jnp.where(real[:, None], row, jnp.nan), real)
    chex.assert_trees_all_close(*(jax.tree.map(lambda leaf: leaf[1], it.neuron) for it in (stepped, ended)), rtol=0, atol=2e-6)


def test_vmap_of_a_run_is_a_batch() -> None:
    layer = LAYERS["recurrent, synapses"]()
    layer = eqx.tree_at(lambda it: it.noise, layer, None)
    x = drive(layer)
    batch = layer.simulate(x, dt=DT)[1]
    mapped = jax.vmap(lambda x: layer.simulate(x, dt=DT)[1], in_axes=1, out_axes=1)(x)
    assert batch.any()
    np.testing.assert_array_equal(batch, mapped)


def test_new_values_and_a_new_dt_compile_nothing() -> None:
    traced = []

    @eqx.filter_jit
    def run(layer: Any, x: Any, dt: Any) -> Any:
        traced.append(1)
        return layer.simulate(x, dt=dt)[1]

    for scale, dt in ((1.0, 1e-3), (2.0, 0.5e-3)):
        layer = somas.RecurrentIAF(scale * W, scale * BACK, tau_syn=scale * 2e-3)
        run(layer, drive(layer), jnp.asarray(dt))
    delayed = [somas.FeedForwardIAF(W, delay=DELAY) for _ in range(2)]
    for layer in delayed:
        run(layer, drive(layer), 1e-3)
    assert len(traced) == 2 and hash(delayed[0].delay) == hash(delayed[1].delay)


# Noise


def test_the_free_membrane_fluctuates_by_sigma_whatever_dt() -> None:
    """20,000 values two time constants apart: the relative standard error is about 0.5 %; the tolerance is five of these."""
    sigma = np.array([0.2, 0.4])
    layer = somas.FeedForwardIAF(np.zeros((1, 2)), sigma=sigma, tau_mem=5e-3, t_ref=0.0, v_th=1e6, resistance=3.0)
    for dt in (0.2e-3, 5e-3):
        every = round(10e-3 / dt)
        none = np.zeros((every * 22, 1000, 1))
        v = layer.simulate(none, dt=dt, key=jax.random.key(1), record=lambda state, _: F.core(state).v)[1]
        np.testing.assert_allclose(v[3 * every - 1 :: every].std(axis=(0, 1)), sigma, rtol=0.025)


def test_noise_needs_one_key_where_a_run_starts() -> None:
    layer = LAYERS["noise"]()
    x = drive(layer)
    with pytest.raises(snnjax.ConfigError, match="`key` is missing: this layer has noise"):
        layer.simulate(x, dt=DT)
    with pytest.raises(snnjax.ConfigError, match="`key` is missing"):
        layer(layer.init((3,)), x[0], dt=DT)
    state, spikes = layer.simulate(x, dt=DT, key=jax.random.key(0))
    np.testing.assert_array_equal(spikes, layer.simulate(x, dt=DT, state=layer.init((3,), key=jax.random.key(0)))[1])
    assert (spikes != layer.simulate(x, dt=DT, key=jax.random.key(1))[1]).any()
    with pytest.raises(snnjax.ConfigError, match="`state` has the key of its run"):
        layer.simulate(x, dt=DT, state=state, key=jax.random.key(0))
    with pytest.raises(snnjax.ConfigError, match="`key` has no use: this `FeedForwardIAF` has no noise"):
        LAYERS["currents"]().simulate(x, dt=DT, key=jax.random.key(0))


# Gradients


def loss(layer: Any, x: jax.Array, state: Any) -> jax.Array:
    """Of spikes and potentials, all differently weighted."""
    spikes, v = layer.simulate(x, dt=DT, state=state, record=v_and_spikes)[1]
    weight = jnp.sin(jnp.arange(v.size, dtype=v.dtype)).reshape(v.shape)
    return jnp.sum(weight * (v + spikes))


@pytest.mark.parametrize("synapse", [None, 5e-3], ids=["current", "synapse"])
def test_the_gradient_of_the_recurrent_weights_is_that_of_the_recurrent_wrapper(synapse: float | None, x64: None) -> None:
    """There it is checked against finite differences; here the loop is another."""
    x = np.random.default_rng(0).normal(0.5, 3.0, size=(70, 2, OUT))
    layer = somas.RecurrentIAF(None, BACK.astype(np.float64), tau_syn_rec=synapse)
    got = eqx.filter_grad(loss)(layer, jnp.asarray(x), None)
    membrane = F.refractory(F.leaky)
    neuron = F.injected(F.recurrent(membrane if synapse is None else F.synapses(membrane, 1)))
    inner = membrane.default() if synapse is None else F.SynapsesParams(membrane.default(), tau_syn=jnp.asarray([synapse]))
    params = jax.tree.map(lambda leaf: jnp.asarray(leaf, float), F.RecurrentParams(inner, BACK if synapse is None else BACK[None]))

    def wanted(params: Any) -> jax.Array:
        given = F.Injected(jnp.asarray(x)) if synapse is None else F.Injected(jnp.zeros((70, 2, 1, OUT)), jnp.asarray(x))
        spikes, v = F.simulate(neuron, params, given, dt=DT, record=v_and_spikes)[1]
        return jnp.sum(jnp.sin(jnp.arange(v.size, dtype=v.dtype)).reshape(v.shape) * (v + spikes))

    slope = jax.grad(wanted)(params)
    assert float(jnp.abs(slope.weight).max()) > 1e-3
    np.testing.assert_allclose(got.weight_rec, slope.weight.reshape(OUT, OUT), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(F.core(got.soma.params).tau_mem, F.core(slope).tau_mem, rtol=1e-9)


@pytest.mark.parametrize("lengths", [[30], [30, 17]], ids=["fetched one by one", "as a product"])
def test_gradients_through_delays_are_those_of_a_loop_written_out(lengths: list[int], x64: None) -> None:
    steps, late, batch = steps_of(OUT, OUT), steps_of(IN, OUT), len(lengths)
    x = jnp.asarray(np.random.default_rng(0).normal(0.5, 3.0, size=(30, batch, IN)))
    mask = jnp.arange(30)[:, None] < jnp.asarray(lengths)[None]
    weights = jnp.asarray(np.random.default_rng(1).normal(size=(30, batch, OUT)))
    weight, back = 4.0 * W.astype(np.float64), 3.0 * BACK.astype(np.float64)
    layer = somas.RecurrentIAF(weight, back, tau_syn_rec=5e-3, delay=DELAY, delay_rec=DELAY_REC, spike=F.superspike(5.0))

    def written_out(layer: Any) -> jax.Array:
        """A plain scan over all that was ever sent, with a tensor of weights that are zero but at their delay."""
        came_in, came_back = (
            jnp.stack([jnp.where(delays == d, matrix, 0.0) for d in range(6)])
            for delays, matrix in ((late, layer.weight), (steps, layer.weight_rec))
        )

        def step(now: Any, given: Any) -> Any:
            state, seen, sent = now
            x, real = given
            seen = jnp.concatenate([x[None], seen[:-1]])
            held, jumps = (jnp.einsum("dbm,dmn->bn", *pair) for pair in ((seen, came_in), (sent, came_back)))
            new, spikes = layer.soma.neuron.step(
                layer.soma.params, state, F.Injected(jumps[:, None], held), dt=DT, config=layer.soma.config
            )

            def pick(new: jax.Array, old: jax.Array) -> jax.Array:
                return jnp.where(real.reshape(-1, *[1] * (new.ndim - 1)), new, old)

            spikes = pick(spikes, jnp.zeros_like(spikes))
            return (jax.tree.map(pick, new, state), seen, jnp.concatenate([spikes[None], sent[:-1]])), spikes

        nothing = (layer.soma.init((batch,)), jnp.zeros((6, batch, IN)), jnp.zeros((6, batch, OUT)))
        return jnp.sum(weights * jax.lax.scan(step, nothing, (x, mask))[1])

    def ours(layer: Any) -> jax.Array:
        return jnp.sum(weights * layer.simulate(x, dt=DT, mask=mask)[1])

    (value, slope), (wanted_value, wanted) = (eqx.filter_value_and_grad(eqx.filter_jit(f))(layer) for f in (ours, written_out))
    assert abs(float(wanted_value)) > 1e-3 and float(jnp.abs(wanted.weight_rec).max()) > 1e-3
    np.testing.assert_allclose(value, wanted_value, rtol=1e-12)
    for get in (lambda it: it.weight, lambda it: it.weight_rec, lambda it: it.soma.params.tau_syn):
        np.testing.assert_allclose(get(slope), get(wanted), rtol=1e-8, atol=1e-12)


def test_forward_and_reverse_mode_agree(x64: None) -> None:
    layer = somas.RecurrentIAF(W.astype(np.float64), BACK.astype(np.float64), tau_syn=5e-3, delay_rec=2 * DT, sigma=0.2)
    x, state = drive(layer, 30).astype(float), start(layer)
    free, fixed = eqx.partition(layer, eqx.is_inexact_array)
    direction = jax.tree.map(lambda leaf: jnp.cos(jnp.arange(leaf.size, dtype=leaf.dtype)).reshape(leaf.shape) * leaf, free)

    def of_free(free: Any) -> jax.Array:
        return loss(eqx.combine(free, fixed), x, state)

    forward = jax.jvp(of_free, (free,), (direction,))[1]
    reverse = jax.tree.map(lambda a, b: jnp.sum(a * b), jax.grad(of_free)(free), direction)
    assert abs(float(forward)) > 1e-3
    np.testing.assert_allclose(forward, sum(jax.tree.leaves(reverse)), rtol=1e-9)


def test_the_gradient_of_potentials_is_the_slope_of_finite_differences(x64: None) -> None:
    """Below threshold, where the loss is smooth: weights, time constants and the strength of the noise."""
    layer = somas.FeedForwardIAF(W.astype(np.float64), tau_syn=5e-3, delay=DELAY, sigma=0.2, v_th=1e3)
    x, state = drive(layer, 30).astype(float), start(layer)
    free, fixed = eqx.partition(layer, eqx.is_inexact_array)
    for get in (
        lambda it: it.weight,
        lambda it: it.noise.sigma,
        lambda it: F.core(it.soma.params).tau_mem,
        lambda it: it.soma.params.tau_syn,
    ):
        here = get(free)

        def along(h: Any, get: Any = get, here: Any = here) -> jax.Array:
            return loss(eqx.combine(eqx.tree_at(get, free, here * (1.0 + h)), fixed), x, state)

        slope = float(jax.grad(along)(0.0))
        assert abs(slope) > 1e-3
        np.testing.assert_allclose(slope, (along(1e-5) - along(-1e-5)) / 2e-5, rtol=1e-6)


def test_a_network_with_iaf_layers_learns() -> None:
    keys = jax.random.split(jax.random.key(0), 3)
    net = somas.Sequential(
        [
            somas.FeedForwardIAF(jax.random.normal(keys[0], (10, 20)), tau_syn=5e-3, delay=2e-3),
            somas.RecurrentIAF(0.5 * jax.random.normal(keys[1], (20, 20)), jnp.zeros((20, 20)), tau_syn=5e-3, delay_rec=1e-3),
            eqx.nn.Linear(20, 2, key=keys[2]),
            somas.LeakyIntegratorSomaConfig(shape=(2,)).build(),
        ]
    )
    x = (jax.random.uniform(jax.random.key(1), (40, 16, 10)) < 0.2).astype(jnp.float32)
    labels = jnp.arange(16) % 2
    spec = somas.trainable(net, kinds="weight")
    assert spec.layers[1].weight_rec is True and spec.layers[0].soma.params.tau_syn is False

    @eqx.filter_jit
    def improved(net: Any) -> Any:
        free, fixed = eqx.partition(net, spec)

        def of_free(free: Any) -> jax.Array:
            return somas.membrane_cross_entropy(eqx.combine(free, fixed).simulate(x, dt=DT)[1], labels)

        value, slope = eqx.filter_value_and_grad(of_free)(free)
        return eqx.combine(jax.tree.map(lambda a, b: a - 0.05 * jnp.sign(b), free, slope), fixed), value

    values = []
    for _ in range(15):
        net, value = improved(net)
        values.append(float(value))
    assert values[-1] < 0.9 * values[0]
    # A file, a batch in pieces, a step: what a network asks of its layers.
    state, out = net.simulate(x[:20], dt=DT)
    again = net.simulate(x[20:], dt=DT, state=state)[1]
    np.testing.assert_array_equal(jnp.concatenate([out, again]), net.simulate(x, dt=DT)[1])


def test_parameters_of_a_layer_are_fitted_inside_their_domains() -> None:
    layer = LAYERS["noise"]()
    free = fit.unconstrain(layer)
    far = fit.constrain(layer, jax.tree.map(lambda leaf: leaf - 40.0, free))
    assert 0.0 <= float(far.noise.sigma) < 1e-6 and 0.0 < float(F.core(far.soma.params).tau_mem) < 1e-6
    assert somas.trainable(layer, kinds="potential").noise.sigma is True
    assert somas.trainable(layer, kinds="weight").noise.sigma is False


# Long runs, whose currents are made some steps at a time


@pytest.mark.parametrize("name", [*(pytest.param(name, marks=pytest.mark.long) for name in ("noise", "delays")), "recurrent, synapses"])
def test_a_long_run_has_the_bits_of_its_pieces_and_their_gradient(name: str) -> None:
    layer = LAYERS[name]()
    steps, cut = 1300, 700  # more than two stretches and a rest; pieces that are cut elsewhere, one of them in no stretch
    x, readout = drive(layer, steps, ()), jnp.asarray(matrix(steps, OUT, 5))

    def in_pieces(layer: Any, x: jax.Array, cuts: tuple[int, ...]) -> Any:
        state, found = start(layer, ()), []
        for piece in jnp.split(x, list(cuts)):
            state, out = layer.simulate(piece, dt=DT, state=state, record=v_and_spikes)
            found.append(out)
        return state, jax.tree.map(lambda *parts: jnp.concatenate(parts), *found)

    chex.assert_trees_all_equal(in_pieces(layer, x, ()), in_pieces(layer, x, (cut,)))

    def loss(layer: Any, x: jax.Array, cuts: tuple[int, ...]) -> jax.Array:
        _, (spikes, v) = in_pieces(layer, x, cuts)
        return jnp.mean(readout * (spikes + v))

    def gradient(cuts: tuple[int, ...]) -> Any:
        return eqx.filter_grad(lambda both: loss(*both, cuts))((layer, x))

    whole, parts = gradient(()), gradient((300, 600, 900))
    chex.assert_trees_all_close(whole, parts, rtol=2e-4, atol=1e-7)
    assert all(jnp.abs(leaf).max() > 0 for leaf in (whole[0].weight, whole[1]))


def test_no_traced_array_outlives_a_recurrent_run_or_its_gradient() -> None:
    layer = somas.RecurrentIAF(None, BACK.astype(np.float32))
    inputs = jnp.full((6, 2, OUT), 3.0, jnp.float32)
    with jax.checking_leaks():
        layer.simulate(inputs, dt=DT)
        jax.grad(lambda x: layer.simulate(x, dt=DT, record=v_and_spikes)[1][1].sum())(inputs)
