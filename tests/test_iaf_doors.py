"""What the IAF layers refuse, how they show themselves, and their files."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from door_iaf import BACK, DT, FF, MAKING, REC, RUNNING, W, X

import snnjax.functional as F
from snnjax import ConfigError, FormatError, ParameterError, SnnjaxError, somas
from snnjax import _files as files
from snnjax.interop import brian


@pytest.mark.parametrize("case", MAKING.values(), ids=MAKING)
def test_a_layer_is_not_made_of_what_does_not_fit(case: Any) -> None:
    make, kind, text = case
    with pytest.raises(kind, match=text) as caught:
        make()
    assert isinstance(caught.value, SnnjaxError) and caught.value.field and caught.value.allowed


@pytest.mark.parametrize("case", RUNNING.values(), ids=RUNNING)
def test_a_layer_does_not_run_on_what_does_not_fit(case: Any) -> None:
    run, kind, text = case
    with pytest.raises(kind, match=text) as caught:
        run()
    assert isinstance(caught.value, SnnjaxError) and caught.value.field


def test_an_empty_run_and_a_layer_without_neurons_work() -> None:
    layer = REC(W, BACK, delay=2e-3, delay_rec=1e-3, sigma=0.1)
    state, spikes = layer.simulate(X[:0], dt=DT, key=jax.random.key(0))
    assert spikes.shape == (0, 3) and int(state.noise.step) == 0
    assert FF(np.ones((2, 0))).simulate(X, dt=DT)[1].shape == (4, 0)
    assert FF(np.ones((0, 2))).simulate(np.ones((4, 0)), dt=DT)[1].shape == (4, 2)


def test_a_layer_describes_itself_with_units() -> None:
    layer = REC(W, BACK, tau_syn=5e-3, tau_syn_rec=np.array([2e-3, 3e-3, 4e-3]), delay_rec=1e-3, sigma=0.1, tau_mem=10e-3)
    rows = {line.split()[0]: line.split() for line in layer.describe().splitlines()}
    assert layer.describe().startswith("RecurrentIAF\n")
    assert rows["shape"][1:3] == ["(2,", "3)"]
    units = {
        "weight_rec": "A",
        "tau_syn": "s",
        "tau_syn_rec": "s",
        "delay_rec": "s",
        "sigma": "V",
        "tau_mem": "s",
        "resistance": "ohm",
        "t_ref": "s",
    }
    for name, unit in units.items():
        assert unit in rows[name], name
    assert rows["tau_mem"][1] == "0.01" and rows["sigma"][1] == "0.1" and "delay" not in rows


def test_parameters_may_be_drawn() -> None:
    layer = FF(np.ones((2, 100)), tau_mem=somas.LogNormal(20e-3, 0.2), tau_syn=somas.Uniform(2e-3, 4e-3), key=jax.random.key(0))
    assert layer.soma.params.neuron.neuron.tau_mem.shape == (100,) and layer.soma.params.tau_syn.shape == (1, 100)
    assert 2e-3 <= float(layer.soma.params.tau_syn.min()) < float(layer.soma.params.tau_syn.max()) <= 4e-3


def test_a_layer_has_one_dtype() -> None:
    with jax.enable_x64(True):
        for dtype in (np.float32, np.float64):
            layer = REC(W.astype(dtype), BACK.astype(dtype), tau_syn=5e-3, sigma=0.1, delay=2e-3)
            state, spikes = layer.simulate(np.ones((4, 2)), dt=DT, key=jax.random.key(0))
            floats = [leaf for leaf in jax.tree.leaves((layer, state, spikes)) if eqx.is_inexact_array(leaf)]
            assert {leaf.dtype for leaf in floats} == {np.dtype(dtype)}
        assert REC(W, BACK, dtype=np.float64).weight_rec.dtype == np.float64


def test_rockpool_s_defaults_are_a_layer() -> None:
    for layer in (FF.from_params(W, brian.ffiaf()), REC.from_params(None, BACK, brian.ffiaf(bias=10.5e-3), tau_syn_rec=50e-3)):
        spikes = layer.simulate(np.zeros((300, layer.shape[0])), dt=1e-4)[1]
        assert int(spikes.argmax(axis=0)[0]) == 219 if isinstance(layer, FF) else not spikes.any()


# Files

SAVED: dict[str, Any] = {
    "plain": lambda: FF(W),
    "all": lambda: REC(
        W, BACK, tau_syn=5e-3, tau_syn_rec=somas.Uniform(1e-3, 2e-3), delay=2e-3, delay_rec=BACK, sigma=np.ones(3), key=jax.random.key(0)
    ),
    "unweighted": lambda: REC(None, BACK, neuron=F.refractory(F.adaptive_leaky, F.gate_input), sigma=0.1, reset=F.reset_by_subtraction),
    "constant leak": lambda: FF(W, neuron=F.integrate_and_fire, tau_syn=5e-3, spike=F.tanh(3.0), integrator=F.euler),
}


@pytest.mark.parametrize("name", SAVED)
def test_a_layer_comes_back_from_a_file(name: str, tmp_path: Any) -> None:
    net = somas.Sequential([eqx.nn.Linear(2, 3 if name == "unweighted" else 2, key=jax.random.key(0)), SAVED[name]()])
    somas.save(tmp_path / "net", net)
    back = somas.load(tmp_path / "net")
    assert bool(eqx.tree_equal(net, back)) and jax.tree.structure(net) == jax.tree.structure(back)


def _altered(path: Any, change: Any) -> None:
    header, arrays = files.read(path, "network", 1)
    arrays = dict(arrays)
    change(header["module"], arrays)
    files.write(path, "network", 1, header, arrays)


LIES: dict[str, tuple[Any, type[Exception], str]] = {
    "another neuron": (lambda m, a: m.update(neuron="evil"), FormatError, "no neuron is called 'evil'"),
    "a neuron with synapses": (lambda m, a: m.update(neuron="lif"), FormatError, "cannot be made"),
    "another shape": (lambda m, a: m.update(shape=[2, 4]), FormatError, "its layer has|cannot be made"),
    "a shape of one": (lambda m, a: m.update(shape=[2]), FormatError, "cannot be made"),
    "delays that are none": (lambda m, a: m.update(delays=[1.0]), FormatError, "are not two"),
    "synapses that are not there": (lambda m, a: m.update(has_synapse=[False, False]), FormatError, "does not have the arrays"),
    "an unknown key": (lambda m, a: m.update(code="import os"), FormatError, "cannot make"),
    "a negative sigma": (lambda m, a: a.update({"noise.sigma": -a["noise.sigma"]}), ParameterError, "`sigma` must be >= 0 V"),
    "NaN": (lambda m, a: a.update({"weight": a["weight"] * np.nan}), FormatError, "holds NaN or infinity in `weight`"),
    "a time constant of 0": (
        lambda m, a: a.update({"soma.params.tau_syn": 0 * a["soma.params.tau_syn"]}),
        ParameterError,
        "`tau_syn` must be > 0",
    ),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_a_file_that_lies_is_refused(lie: Any, tmp_path: Any) -> None:
    change, kind, text = lie
    somas.save(tmp_path / "x", SAVED["all"]())
    somas.load(tmp_path / "x")
    _altered(tmp_path / "x", change)
    with pytest.raises(kind, match=text):
        somas.load(tmp_path / "x")


def test_a_neuron_of_one_s_own_is_not_saved(tmp_path: Any) -> None:
    own = F.leaky._replace(name="my_neuron")
    with pytest.raises(ConfigError, match="has the neuron 'my_neuron', which is not made of the models"):
        somas.save(tmp_path / "x", FF(W, neuron=own))


def test_the_arrays_are_jax_arrays_and_the_same_layer_twice_is_one_program() -> None:
    layers = [SAVED["all"]() for _ in range(2)]
    assert all(isinstance(leaf, jax.Array) for leaf in (layers[0].weight, layers[0].weight_rec, layers[0].noise.sigma))
    assert jax.tree.structure(layers[0]) == jax.tree.structure(layers[1])
    assert jax.tree.structure(layers[0]) != jax.tree.structure(
        REC(W, BACK, tau_syn=5e-3, tau_syn_rec=1e-3, delay=3e-3, delay_rec=BACK, sigma=1.0)
    )
    assert jnp.shape(layers[0].delay.seconds) == ()
