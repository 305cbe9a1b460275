"""Read-outs, losses, what trains, and training that goes on from a file as if nothing had happened."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import snnjax
from snnjax import fit, somas
from snnjax import functional as F

DT = 1e-3


def _network(key=None):
    a, b, c = jax.random.split(jax.random.key(0) if key is None else key, 3)
    hidden = somas.config_class(F.recurrent(F.lif), "RecurrentConfig")(shape=(12,), tau_mem=somas.Uniform(5e-3, 20e-3), v_th=0.3)
    return somas.Sequential(
        [
            eqx.nn.Linear(6, 12, key=a),
            hidden.replace(weight=somas.Normal(0.0, 0.1), spike=F.superspike(10.0)).build(c),
            eqx.nn.Linear(12, 3, key=b),
            somas.LeakyIntegratorSomaConfig(shape=(3,)).build(),
        ]
    )


# Read-outs and losses


def test_the_first_spike_counts_and_later_ones_do_not():
    rng = np.random.default_rng(0)
    spikes = (rng.random((30, 4, 5)) < 0.05).astype(np.float32)
    times = somas.first_spike_time(spikes, dt=DT)
    wanted = np.where(spikes.any(0), spikes.argmax(0) + 1, 31) * DT
    np.testing.assert_allclose(times, wanted, rtol=1e-5)


def test_the_gradient_of_the_first_spike_time_is_earlier_with_more_spikes():
    spikes = jnp.zeros((5, 1)).at[3].set(1.0)
    slope = jax.grad(lambda s: somas.first_spike_time(s, dt=1.0)[0])(spikes)[:, 0]
    # A spike at step k < 3 would take 3 - k steps away; without the one at step 3 the next would be "after the end".
    assert slope.tolist() == [-3.0, -2.0, -1.0, -2.0, 0.0]


def test_read_outs_do_not_look_at_the_padding():
    rng = np.random.default_rng(0)
    values, mask = jnp.asarray(rng.normal(size=(20, 3, 4)), jnp.float32), jnp.arange(20)[:, None] < jnp.array([[20, 5, 1]])
    spikes = (values > 1.0).astype(jnp.float32)
    for k, length in enumerate([20, 5, 1]):
        for readout, given in ((somas.spike_count, spikes), (somas.mean_over_time, values), (somas.max_over_time, values)):
            np.testing.assert_allclose(readout(given, mask=mask)[k], readout(given[:length, k]), rtol=1e-6)
        alone = somas.first_spike_time(spikes[:length, k], dt=DT)
        np.testing.assert_allclose(somas.first_spike_time(spikes, dt=DT, mask=mask)[k], alone, rtol=1e-6)


def test_the_cross_entropy_is_that_of_optax():
    scores, labels = jax.random.normal(jax.random.key(0), (7, 5)), jnp.arange(7) % 5
    wanted = optax.softmax_cross_entropy_with_integer_labels(scores, labels).mean()
    np.testing.assert_allclose(somas.cross_entropy(scores, labels), wanted, rtol=1e-6)


@pytest.mark.parametrize("name", ["rate", "latency", "membrane", "peak"])
def test_losses_are_smallest_for_the_right_class_and_have_a_gradient(name):
    net = somas.Sequential([eqx.nn.Linear(6, 3, key=jax.random.key(0)), somas.LIFSomaConfig(shape=(3,), spike=F.superspike(5.0)).build()])
    if name in ("membrane", "peak"):
        net = somas.Sequential([net.layers[0], somas.LeakyIntegratorSomaConfig(shape=(3,)).build()])
    inputs = 3.0 * jax.random.uniform(jax.random.key(1), (40, 6))
    losses = {
        "rate": somas.rate_loss,
        "latency": lambda s, y: somas.latency_loss(s, y, dt=DT, tau=5e-3),
        "membrane": somas.membrane_cross_entropy,
        "peak": lambda v, y: somas.membrane_cross_entropy(v, y, pool=somas.max_over_time),
    }

    def loss(net, label):
        return losses[name](net.simulate(inputs, dt=DT)[1], label)

    value = eqx.filter_jit(eqx.filter_value_and_grad(loss))
    for label in range(3):
        now, net_label = None, net
        for _ in range(40):
            before, grad = value(net_label, jnp.array(label))
            now = before if now is None else now
            slope = optax.tree.norm(eqx.filter(grad, eqx.is_inexact_array).layers[0])
            net_label = eqx.tree_at(
                lambda n: n.layers[0], net_label, eqx.apply_updates(net_label.layers[0], jax.tree.map(lambda g: -0.05 * g, grad.layers[0]))
            )
            assert np.isfinite(float(slope))
        assert float(value(net_label, jnp.array(label))[0]) < float(now)


def test_labels_are_integers_one_per_row():
    with pytest.raises(snnjax.DTypeError, match="`labels` must be integers"):
        somas.cross_entropy(jnp.zeros((2, 3)), jnp.zeros((2, 3)))
    with pytest.raises(snnjax.ShapeError, match=r"`labels` must have the shape \(2,\)"):
        somas.cross_entropy(jnp.zeros((2, 3)), jnp.zeros((2, 1), int))
    with pytest.raises(snnjax.ShapeError, match="at least one step"):
        somas.max_over_time(jnp.zeros((0, 3)))


# What trains


def _true(spec):
    return sorted(
        jax.tree_util.keystr(p, simple=True, separator=".") for p, leaf in jax.tree_util.tree_leaves_with_path(spec) if leaf is True
    )


def test_what_trains_is_chosen_by_kind_or_by_path():
    net = _network()
    weights = ["layers.0.bias", "layers.0.weight", "layers.1.params.weight", "layers.2.bias", "layers.2.weight"]
    taus = [f"layers.{k}.params.{n}" for k, n in ((1, "neuron.tau_mem"), (1, "neuron.tau_syn"), (3, "tau_mem"), (3, "tau_syn"))]
    assert _true(somas.trainable(net, kinds="weight")) == weights
    assert _true(somas.trainable(net, kinds="time_constant")) == taus
    assert _true(somas.trainable(net, kinds=("weight", "time_constant"))) == sorted(weights + taus)
    assert _true(somas.trainable(net, paths="tau_mem")) == ["layers.1.params.neuron.tau_mem", "layers.3.params.tau_mem"]
    assert _true(somas.trainable(net, paths="layers.1.*", kinds="weight")) == ["layers.1.params.weight"]
    assert len(_true(somas.trainable(net))) == 4 + 7 + 4
    for spec in (somas.trainable(net), somas.trainable(net, kinds="weight")):
        assert jax.tree.structure(spec) == jax.tree.structure(net)
        assert all(leaf is True or leaf is False for leaf in jax.tree.leaves(spec))


def test_a_slope_that_is_an_array_does_not_train():
    soma = somas.LIFSomaConfig(shape=(2,), spike=F.superspike(jnp.array(10.0))).build()
    assert not [name for name in _true(somas.trainable(soma)) if "config" in name]
    assert somas.trainable([soma, {"more": jnp.ones(2), "n": 3}])[1] == {"more": True, "n": False}


def test_kinds_and_paths_that_nothing_has_are_refused():
    with pytest.raises(
        snnjax.ConfigError, match="`kinds` has 'time_constants', which nothing in the network is. Did you mean `time_constant`"
    ):
        somas.trainable(_network(), kinds="time_constants")
    with pytest.raises(snnjax.ConfigError, match="`paths` has 'tau'"):
        somas.trainable(_network(), paths="tau")


def _data():
    inputs = (jax.random.uniform(jax.random.key(5), (25, 24, 6)) < 0.3).astype(jnp.float32)
    labels = jnp.arange(24) % 3
    return inputs.at[:, jnp.arange(24), labels * 2].set(1.0), labels


_optimizer = optax.adam(1e-2)


@eqx.filter_jit
def _train_step(net, opt_state, key, inputs, labels):
    """Training in free coordinates, where no time constant can leave its domain."""
    free, fixed = eqx.partition(fit.unconstrain(net), somas.trainable(net, kinds=("weight", "time_constant")))
    chosen = jax.random.choice(key, inputs.shape[1], (8,), replace=False)

    def loss(free):
        now = fit.constrain(net, eqx.combine(free, fixed))
        return somas.membrane_cross_entropy(now.simulate(inputs[:, chosen], dt=DT)[1], labels[chosen])

    value, grad = eqx.filter_value_and_grad(loss)(free)
    with jax.numpy_dtype_promotion("standard"):  # optax counts its steps in integers
        updates, opt_state = _optimizer.update(grad, opt_state, free)
    return fit.constrain(net, eqx.combine(eqx.apply_updates(free, updates), fixed)), opt_state, value


def _start():
    net = _network()
    free = eqx.filter(fit.unconstrain(net), somas.trainable(net, kinds=("weight", "time_constant")))
    return net, _optimizer.init(free), jax.random.key(7)


def _train(net, opt_state, key, steps):
    inputs, labels = _data()
    losses = []
    for _ in range(steps):
        key, now = jax.random.split(key)
        net, opt_state, value = _train_step(net, opt_state, now, inputs, labels)
        losses.append(float(value))
    return net, opt_state, key, losses


def test_training_learns_and_keeps_time_constants_positive():
    net, opt_state, key = _start()
    trained, *_, losses = _train(net, opt_state, key, 60)
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])
    taus = trained.layers[1].params.neuron.tau_mem
    assert (taus > 0).all() and (taus != net.layers[1].params.neuron.tau_mem).all()
    assert (trained.layers[1].params.neuron.v_th == net.layers[1].params.neuron.v_th).all()


def test_training_that_goes_on_from_a_file_is_the_same_training(tmp_path):
    net, opt_state, key = _start()
    straight = _train(net, opt_state, key, 4)

    half = _train(net, opt_state, key, 2)
    somas.save(tmp_path / "half.safetensors", half[0], extra={"optimizer": half[1], "key": half[2], "step": 2, "best": float("inf")})
    like = _start()
    back = somas.load(tmp_path / "half.safetensors")
    extra = somas.load_extra(tmp_path / "half.safetensors", {"optimizer": like[1], "key": like[2], "step": 0, "best": 0.0})
    assert extra["step"] == 2 and extra["best"] == float("inf")
    resumed = _train(back, extra["optimizer"], extra["key"], 2)

    assert half[3] + resumed[3] == straight[3]
    for one, other in zip(jax.tree.leaves(straight[:2]), jax.tree.leaves(resumed[:2]), strict=True):
        assert np.array_equal(one, other)
    assert (jax.random.key_data(straight[2]) == jax.random.key_data(resumed[2])).all()
    without = _train(back, like[1], extra["key"], 2)
    assert without[3] != resumed[3], "the optimizer's state would not matter, so the test would show nothing"
