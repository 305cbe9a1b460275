"""What the IAF layers refuse, how they show themselves, and their files."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import snnjax.functional as F
from snnjax import ConfigError, DTypeError, FormatError, GraphError, ParameterError, ShapeError, SnnjaxError, graph, somas
from snnjax import _files as files
from snnjax.interop import brian

DT = 1e-3
W, BACK = np.ones((2, 3), np.float32), np.zeros((3, 3), np.float32)
X = np.ones((4, 2), np.float32)
FF, REC = somas.FeedForwardIAF, somas.RecurrentIAF

MAKING: dict[str, tuple[Any, type[Exception], str]] = {
    "no matrix": (lambda: FF(np.ones(3)), ShapeError, r"`weight` must have shape \(inputs, n\), rows that send .* got \(3,\)"),
    "a list": (lambda: FF([[1.0]]), DTypeError, "`weight` must be a matrix of real numbers, from sender"),
    "nothing": (lambda: FF(None), DTypeError, "`weight` must be a matrix .* got None"),
    "NaN": (lambda: FF(np.array([[np.nan]])), ParameterError, "`weight` must be finite; got nan"),
    "not square": (lambda: REC(None, W), ShapeError, r"`weight_rec` must have shape \(n, n\)"),
    "other width": (lambda: REC(np.ones((2, 4)), BACK), ShapeError, r"`weight` must have shape \(inputs, 3\), .* got \(2, 4\)"),
    "a misspelt parameter": (
        lambda: FF(W, tau_men=1.0),
        ConfigError,
        "`tau_men` is not an argument of `FeedForwardIAF`. Did you mean `tau_mem`",
    ),
    "its sibling's argument": (lambda: FF(W, tau_syn_rec=1.0), TypeError, "`tau_syn_rec` is not an argument of `FeedForwardIAF`"),
    "a parameter out of its domain": (lambda: FF(W, tau_mem=-1.0), ParameterError, "`tau_mem` must be > 0 s and finite; got -1.0"),
    "a parameter that does not fit": (lambda: FF(W, bias=np.ones(2)), ShapeError, r"`bias` has shape \(2,\)"),
    "reset above threshold": (lambda: FF(W, v_reset=2.0), ParameterError, "`v_reset` must be below `v_th`"),
    "a config": (lambda: FF(W, neuron=somas.LeakySomaConfig), DTypeError, "`neuron` must be a neuron under a current"),
    "synapses inside": (lambda: FF(W, neuron=F.lif), DTypeError, "'lif' has synapses of its own; the layer brings them, with `tau_syn`"),
    "recurrence inside": (lambda: FF(W, neuron=F.recurrent(F.leaky)), DTypeError, "has weights of its own"),
    "jumps of the membrane": (lambda: FF(W, neuron=F.delta(F.leaky)), DTypeError, "takes jumps of its membrane"),
    "no spikes": (lambda: FF(W, neuron=F.membrane(F.leaky)), DTypeError, "does not spike"),
    "injected already": (lambda: FF(W, neuron=F.injected(F.leaky)), DTypeError, "takes several kinds of input"),
    "a chip's neuron": (lambda: FF(W, neuron=F.dynapse_dpi), DTypeError, "'dynapse_dpi' gives no phases"),
    "tau_syn of no time": (lambda: FF(W, tau_syn=0.0), ParameterError, "`tau_syn` must be > 0 s and finite"),
    "tau_syn_rec that does not fit": (
        lambda: REC(W, BACK, tau_syn_rec=np.ones(2)),
        ShapeError,
        r"`tau_syn_rec` must be one number or one per neuron, \(3,\)",
    ),
    "tau_syn drawn without a key": (
        lambda: FF(W, tau_syn=somas.LogNormal(5e-3, 0.1)),
        ConfigError,
        "`tau_syn` is drawn from .*needs a key",
    ),
    "a negative delay": (lambda: FF(W, delay=-1e-3), ParameterError, "`delay` must be >= 0 s and finite"),
    "a delay that does not fit": (
        lambda: REC(W, BACK, delay_rec=np.ones((2, 3))),
        ShapeError,
        r"`delay_rec` must be one number or have the shape \(3, 3\)",
    ),
    "a delay of no weights": (lambda: REC(None, BACK, delay=1e-3), ConfigError, "`delay` is that of weights, and there are none"),
    "a traced delay": (lambda: jax.jit(lambda d: FF(W, delay=d).weight)(1e-3), ConfigError, "`delay` must be known when the layer is made"),
    "a negative sigma": (lambda: FF(W, sigma=-1.0), ParameterError, "`sigma` must be >= 0 V and finite"),
    "a sigma that does not fit": (lambda: FF(W, sigma=np.ones(2)), ShapeError, r"`sigma` must be one number or one per neuron, \(3,\)"),
    "noise without a leak": (
        lambda: FF(W, neuron=F.integrate_and_fire, sigma=1.0),
        DTypeError,
        "Without a leak the noise would add up without end",
    ),
    "a dtype that is off": (lambda: FF(W, dtype=np.float64), DTypeError, "`dtype` of `FeedForwardIAF` must be a floating dtype"),
    "another model's Params": (lambda: FF.from_params(W, F.LIFParams()), DTypeError, r"must be RefractoryParams\(neuron, t_ref\); got"),
}

RUNNING: dict[str, tuple[Any, type[Exception], str]] = {
    "another width": (
        lambda: FF(W).simulate(np.ones((4, 3)), dt=DT),
        ShapeError,
        r"`inputs` must have shape \(T, ..., 2\), time first; got \(4, 3\)",
    ),
    "no time": (lambda: FF(W).simulate(np.ones(2), dt=DT), ShapeError, r"`inputs` must have shape \(T, ..., 2\)"),
    "a list": (
        lambda: FF(W).simulate([[1.0, 1.0]], dt=DT),
        DTypeError,
        "`inputs` must be an array of real numbers, or `F.Injected` of such",
    ),
    "complex": (lambda: FF(W).simulate(X + 0j, dt=DT), DTypeError, "`inputs` must be an array of real numbers"),
    "nothing injected": (
        lambda: FF(W).simulate(F.Injected(), dt=DT),
        ShapeError,
        "`inputs` must have the same time and batch axes .* got none at all",
    ),
    "another length": (
        lambda: FF(W).simulate(F.Injected(X, np.ones((5, 3))), dt=DT),
        ShapeError,
        "`inputs` must have the same time and batch axes",
    ),
    "held for other neurons": (lambda: FF(W).simulate(F.Injected(X, X), dt=DT), ShapeError, r"`inputs.held` must have shape \(T, ..., 3\)"),
    "no step": (lambda: FF(W).simulate(X, dt=0.0), ParameterError, "`dt` must be > 0 s and finite"),
    "several steps": (lambda: REC(W, BACK).simulate(X, dt=np.ones(2)), ShapeError, "`dt` must be one number"),
    "a period of no step": (
        lambda: REC(W, BACK, t_ref=1e-4).simulate(X, dt=DT),
        ParameterError,
        "`t_ref` must be 0, or more than half of `dt`",
    ),
    "a delay of no step": (
        lambda: FF(W, delay=1e-4).simulate(X, dt=DT),
        ParameterError,
        "`delay` must be 0, or more than half of `dt` = 0.001 s",
    ),
    "a recurrent delay of no step": (
        lambda: REC(W, BACK, delay_rec=1e-4).simulate(X, dt=DT),
        ParameterError,
        "`delay_rec` must be 0, or more",
    ),
    "a step too long for euler": (
        lambda: REC(W, BACK, integrator=F.euler).simulate(X, dt=0.03),
        ParameterError,
        "`dt` = 0.03 s is more than `tau_mem`",
    ),
    "a traced step and delays": (
        lambda: jax.jit(lambda dt: FF(W, delay=DT).simulate(X, dt=dt))(DT),
        ConfigError,
        "`dt` must be a plain number for a layer with a `delay`",
    ),
    "a state of delays without a step": (
        lambda: FF(W, delay=DT).init(),
        ConfigError,
        "`dt` is missing: the state of a `FeedForwardIAF` with a `delay`",
    ),
    "another kind of state": (
        lambda: FF(W).simulate(X, dt=DT, state=F.LeakyState(0.0)),
        DTypeError,
        "`state` must be an `IAFState`; got `LeakyState`",
    ),
    "a state of another batch": (
        lambda: FF(W).simulate(X, dt=DT, state=FF(W).init((2,))),
        ShapeError,
        "has shape .*A state is not broadcast over a batch",
    ),
    "a step of another batch": (
        lambda: FF(W)(FF(W).init((2,)), X[0], dt=DT),
        ShapeError,
        r"`inputs` of one step must have the batch axes \(2,\) of the state",
    ),
    "a key that is none": (lambda: FF(W, sigma=1.0).simulate(X, dt=DT, key=3), DTypeError, "`key` must be one key"),
    "a mask of numbers": (lambda: FF(W).simulate(X, dt=DT, mask=np.ones(4)), DTypeError, "`mask` must be a boolean array"),
    "a mask of another shape": (lambda: FF(W).simulate(X, dt=DT, mask=np.ones(3, bool)), ShapeError, "`mask` must have the shape"),
    "a record that is none": (lambda: REC(W, BACK).simulate(X, dt=DT, record=1), DTypeError, "`record` must be a function"),
    "half a segment": (lambda: FF(W).simulate(X, dt=DT, segment=0), ParameterError, "`segment` must be a positive number"),
    "a network with noise": (
        lambda: somas.Sequential([FF(W, sigma=1.0)]).simulate(X, dt=DT),
        ConfigError,
        "`key` is missing: this layer has noise",
    ),
    "as a graph": (lambda: graph.of(FF(W), input_shape=2), GraphError, "FeedForwardIAF"),
}


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
