"""Somas and networks: the numbers of the functional core, whole or in pieces, one trace per network."""

from __future__ import annotations

import re

import chex
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import snnjax
from snnjax import functional as F
from snnjax import somas
from snnjax.somas._named import SOMAS
from snnjax.somas._project import project

DT = 1e-3
RecurrentConfig = somas.config_class(F.recurrent(F.lif), "RecurrentConfig")
TwoConfig = somas.config_class(F.synapses(F.lif, 2), "TwoConfig")
each = pytest.mark.parametrize("made", SOMAS.values(), ids=SOMAS)


def _key(k=0):
    return jax.random.key(k)


def _inputs(*shape, k=0, scale=3.0):
    return scale * jax.random.uniform(_key(k), shape)


def _network(key, hidden=16, recurrent=False):
    a, b, c = jax.random.split(key, 3)
    made = RecurrentConfig(shape=(hidden,), weight=somas.Normal(0.0, 0.3)) if recurrent else somas.LIFSomaConfig(shape=(hidden,))
    return somas.Sequential(
        [
            eqx.nn.Linear(10, hidden, key=a),
            made.replace(tau_mem=somas.Uniform(10e-3, 30e-3), v_th=0.5).build(c),
            eqx.nn.Linear(hidden, 4, key=b),
            somas.LeakyIntegratorSomaConfig(shape=(4,)).build(),
        ]
    )


def _convolutional(key):
    a, b = jax.random.split(key)
    return somas.Sequential(
        [
            eqx.nn.Conv2d(1, 3, 3, key=a),
            somas.LIFSomaConfig(shape=(3, 6, 6), v_th=0.3).build(),
            eqx.nn.AvgPool2d(2, 2),
            eqx.nn.Lambda(jnp.ravel),
            eqx.nn.Linear(27, 2, key=b),
            somas.LIFSomaConfig(shape=(2,), v_th=0.1).build(),
        ]
    )


@each
def test_a_soma_gives_the_numbers_of_its_neuron(made):
    chip = made is somas.DynapseSoma
    config = made.config_class(shape=(5,), **({"substeps": 2} if chip else {"integrator": F.exponential_euler}))
    soma, inputs = config.build(), _inputs(50, 2, 5, scale=200.0 if chip else 3.0)
    state, out = soma.simulate(inputs, dt=DT, record=lambda state, out: (state, out))
    wanted = F.simulate(
        soma.neuron, soma.neuron.default(), inputs, dt=DT, config=config.choices(), record=lambda state, out: (state, out)
    )  # fmt: skip
    # The same program but for parameters as Python numbers: the last bits alone may differ.
    chex.assert_trees_all_close((state, out), wanted, rtol=1e-5, atol=0.0 if chip else 1e-6)
    assert type(soma) is made and out[1].any()


@each
def test_steps_are_the_steps_of_a_simulation(made):
    soma, inputs = made.config_class(shape=(5,)).build(), _inputs(30, 2, 5)
    state, out = soma.simulate(inputs, dt=DT)
    step = eqx.filter_jit(lambda soma, state, x: soma(state, x, dt=DT))
    now, outs = soma.init((2,)), []
    for x in inputs:
        now, y = step(soma, now, x)
        outs.append(y)
    chex.assert_trees_all_equal((now, jnp.stack(outs)), (state, out))


def test_a_soma_is_made_from_its_own_config_only():
    assert somas.LIFSoma(somas.LIFSomaConfig(shape=(2,))).shape == (2,)
    with pytest.raises(snnjax.DTypeError, match="`config` of `LeakySoma` must be of the class `LeakySomaConfig`; got `LIFSomaConfig"):
        somas.LeakySoma(somas.LIFSomaConfig(shape=(2,)))


def test_inputs_of_another_shape_are_refused():
    soma = somas.LIFSomaConfig(shape=(3,)).build()
    with pytest.raises(snnjax.ShapeError, match=r"`shape` has \(3,\)"):
        soma.simulate(jnp.zeros((10, 4)), dt=DT)
    for x in (jnp.zeros(4), jnp.zeros((2, 3)), jnp.zeros(())):
        with pytest.raises(snnjax.ShapeError, match=r"`inputs` of one step must have the shape \(3,\) of the state"):
            soma(soma.init(), x, dt=DT)


def test_a_soma_with_synapses_takes_one_input_per_synapse():
    soma = TwoConfig(shape=(3,)).build()
    assert soma(soma.init((4,)), jnp.zeros((4, 2, 3)), dt=DT)[1].shape == (4, 3)
    assert soma.simulate(jnp.zeros((5, 4, 2, 3)), dt=DT)[1].shape == (5, 4, 3)
    with pytest.raises(snnjax.ShapeError, match=r"\(4, 2, 3\)"):
        soma(soma.init((4,)), jnp.zeros((4, 3)), dt=DT)


# Networks


@pytest.mark.parametrize("batch, recurrent", [((), False), ((2, 3), True)])
def test_layer_by_layer_and_step_by_step_are_the_same_numbers(batch, recurrent):
    net, inputs = _network(_key(), recurrent=recurrent), _inputs(40, *batch, 10)
    state, v = net.simulate(inputs, dt=DT)
    run = eqx.filter_jit(lambda net, inputs: F.unroll(lambda s, x: net(s, x, dt=DT), net.init(batch), inputs))
    stepped, steps = run(net, inputs)
    assert v.shape == (40, *batch, 4) and float(jnp.abs(v).max()) > 0.01
    chex.assert_trees_all_close((stepped, steps), (state, v), rtol=1e-4, atol=1e-5)


def _products(jaxpr, looped=False):
    """The shapes of all matrix products in a program, and whether they are in a loop."""
    for eqn in jaxpr.eqns:
        if eqn.primitive.name == "dot_general":
            yield looped, eqn.outvars[0].aval.shape
        inner = [value.jaxpr if hasattr(value, "jaxpr") else value for value in eqn.params.values()]
        for program in (program for program in inner if hasattr(program, "eqns")):
            yield from _products(program, looped or eqn.primitive.name == "scan")


@pytest.mark.parametrize("recurrent", [False, True])
def test_a_projection_is_one_product_for_all_steps_outside_of_the_loop(recurrent):
    net, inputs = _network(_key(), recurrent=recurrent), _inputs(64, 3, 10)
    whole = list(_products(jax.make_jaxpr(lambda x: net.simulate(x, dt=DT))(inputs).jaxpr))
    assert [shape for looped, shape in whole if not looped] == [(256, 16), (256, 4)]
    assert {shape for looped, shape in whole if looped} == ({(3, 1, 16)} if recurrent else set())
    stepped = jax.make_jaxpr(lambda x: F.unroll(lambda s, x: net(s, x, dt=DT), net.init((3,)), x))(inputs)
    assert sum(looped for looped, _ in _products(stepped.jaxpr)) >= 2, "the count would not see a product in a loop"


def test_convolutions_and_images_work_in_both_orders():
    net, inputs = _convolutional(_key()), _inputs(20, 3, 1, 8, 8)
    state, spikes = net.simulate(inputs, dt=DT)
    run = eqx.filter_jit(lambda net, inputs: F.unroll(lambda s, x: net(s, x, dt=DT), net.init((3,)), inputs))
    stepped, steps = run(net, inputs)
    assert spikes.shape == (20, 3, 2) and 0 < float(spikes.sum())
    assert (steps == spikes).all()
    chex.assert_trees_all_close(stepped, state, rtol=1e-4, atol=1e-5)


def test_the_state_tells_batch_axes_where_the_first_layer_does_not():
    linear, soma = eqx.nn.Linear(6, 4, key=_key()), somas.LIFSomaConfig(shape=(4,), v_th=0.1).build()
    net, inputs = somas.Sequential([eqx.nn.Lambda(jnp.ravel), linear, soma]), _inputs(20, 5, 2, 3)
    state, spikes = net.simulate(inputs, dt=DT, state=net.init((5,)))
    wanted = somas.Sequential([linear, soma]).simulate(inputs.reshape(20, 5, 6), dt=DT)[1]
    assert spikes.any() and (spikes == wanted).all()
    assert net(net.init((5,)), inputs[0], dt=DT)[1].shape == (5, 4)


@pytest.mark.parametrize("kind, jitted", [("dense", False), ("recurrent", True), ("convolutional", True)])
def test_a_recording_in_pieces_gives_the_bits_of_the_whole(kind, jitted):
    net = _convolutional(_key()) if kind == "convolutional" else _network(_key(), recurrent=kind == "recurrent")
    inputs = _inputs(41, 3, *((1, 8, 8) if kind == "convolutional" else (10,)))
    run = lambda net, inputs, state: net.simulate(inputs, dt=DT, state=state)  # noqa: E731
    run = eqx.filter_jit(run) if jitted else run
    whole = run(net, inputs, net.init((3,)))
    for cuts in ([0, 17, 41], [0, 0, 1, 2, 41])[: 1 + jitted]:
        state, outs = net.init((3,)), []
        for start, stop in zip(cuts, cuts[1:], strict=False):
            state, out = run(net, inputs[start:stop], state)
            outs.append(out)
        chex.assert_trees_all_equal((state, jnp.concatenate(outs)), whole)


@pytest.mark.parametrize("features", [(5, 3), (64, 32), (256, 20), (64, 1)])
def test_a_row_of_a_projection_does_not_depend_on_the_other_rows(features):
    inputs, outputs = features
    layer = eqx.nn.Linear(inputs, outputs, key=_key())
    x = jax.random.normal(_key(1), (300, inputs))
    whole = project(layer, x, 1, "layer", exact=True)
    for start, stop in ((0, 1), (100, 201)):
        assert (project(layer, x[start:stop], 1, "layer", exact=True) == whole[start:stop]).all()


def test_a_raster_of_booleans_is_as_good_as_floats():
    net, raster = _network(_key()), _inputs(20, 2, 10) > 1.5
    wanted = net.simulate(raster.astype(jnp.float32), dt=DT)
    chex.assert_trees_all_equal(net.simulate(raster, dt=DT), wanted)
    chex.assert_trees_all_equal(net.simulate(np.asarray(raster).astype(np.uint8), dt=DT), wanted)


def test_no_steps_and_no_neurons_are_fine():
    net = _network(_key())
    state, v = net.simulate(jnp.zeros((0, 2, 10)), dt=DT)
    assert v.shape == (0, 2, 4)
    chex.assert_trees_all_equal(state, net.init((2,)))
    assert net.simulate(jnp.zeros((5, 0, 10)), dt=DT)[1].shape == (5, 0, 4)


def test_networks_nest():
    inner, inputs = _network(_key()), _inputs(20, 2, 10)
    outer = somas.Sequential([inner, eqx.nn.Linear(4, 2, key=_key(5)), somas.LIFSomaConfig(shape=(2,)).build()])
    state, spikes = outer.simulate(inputs, dt=DT)
    flat = somas.Sequential([*inner.layers, *outer.layers[1:]])
    assert (spikes == flat.simulate(inputs, dt=DT)[1]).all() and spikes.shape == (20, 2, 2)
    now, y = outer(outer.init((2,)), inputs[0], dt=DT)
    assert y.shape == (2, 2) and jax.tree.structure(now) == jax.tree.structure(state)


def test_the_outputs_of_all_layers_are_at_hand():
    net, inputs = _network(_key()), _inputs(20, 2, 10)
    outputs = net.outputs(inputs, dt=DT)[1]
    assert [out.shape[2:] for out in outputs] == [(16,), (16,), (4,), (4,)]
    assert (outputs[-1] == net.simulate(inputs, dt=DT)[1]).all()


@pytest.mark.parametrize("recurrent", [False, True])
def test_building_a_network_twice_or_changing_a_value_does_not_retrace(recurrent):
    chex.clear_trace_counter()

    @eqx.filter_jit
    @chex.assert_max_traces(n=1)
    def loss(net, x):
        return net.simulate(x, dt=DT)[1].sum()

    inputs = _inputs(10, 2, 10)
    values = [float(loss(_network(_key(k), recurrent=recurrent), inputs)) for k in (0, 0, 1)]
    net = _network(_key(), recurrent=recurrent)
    changed = eqx.tree_at(lambda net: net.layers[0].weight, net, net.layers[0].weight * 2.0)
    values.append(float(loss(changed, inputs)))
    assert values[0] == values[1] and len(set(values)) == 3


@each
def test_a_soma_that_is_built_twice_is_the_same_program(made):
    one, two = (made.config_class(shape=(3,), **({"spike": F.tanh(2.0)} if made.config_class.neuron.spiking else {})).build() for _ in "ab")
    assert jax.tree.structure(one) == jax.tree.structure(two) and hash(jax.tree.structure(one)) == hash(jax.tree.structure(two))
    traced = []
    run = jax.jit(lambda soma, x: (traced.append(1), soma.simulate(x, dt=DT)[1])[1])
    run(one, jnp.ones((4, 3)))
    run(eqx.tree_at(lambda soma: soma.params, two, jax.tree.map(lambda x: 1.1 * x + 1e-3, two.params)), jnp.ones((4, 3)))
    assert len(traced) == 1


def test_a_network_works_under_vmap_over_networks():
    nets = eqx.filter_jit(eqx.filter_vmap(_network))(jax.random.split(_key(), 3))
    inputs = _inputs(20, 2, 10)
    together = eqx.filter_jit(eqx.filter_vmap(lambda net: net.simulate(inputs, dt=DT)[1]))(nets)
    alone = _network(jax.random.split(_key(), 3)[1]).simulate(inputs, dt=DT)[1]
    assert together.shape == (3, 20, 2, 4)
    np.testing.assert_allclose(together[1], alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "layer, match",
    [
        (somas.LIFSomaConfig(shape=(2,)), r"`LIFSomaConfig\(shape=\(2,\)\)`. Build it first"),
        (eqx.nn.Linear, "the class `Linear`. Give an instance"),
        (jnp.tanh, "the function `tanh`. Wrap a function in `eqx.nn.Lambda"),
        (3.0, "the float 3.0. A layer is a soma"),
        (None, "None. A layer is a soma"),
    ],
)
def test_what_is_no_layer_is_refused(layer, match):
    with pytest.raises(snnjax.ConfigError, match=rf"`layers\[0\]` cannot be {match}"):
        somas.Sequential([layer])


def test_a_network_names_the_layer_whose_input_does_not_fit():
    net = _network(_key())
    with pytest.raises(snnjax.ShapeError, match=r"`inputs` of `layers\[0\]` must have 10 features in the last axis; got \(11,\)"):
        net.simulate(jnp.zeros((5, 2, 11)), dt=DT)
    with pytest.raises(snnjax.ShapeError, match="Is the time axis missing"):
        net.simulate(jnp.zeros(10), dt=DT)
    for net_2d, shape in (
        (_convolutional(_key()), (5, 2, 8, 8)),
        (somas.Sequential([eqx.nn.ConvTranspose1d(3, 2, 3, key=_key())]), (5, 2, 8)),
    ):
        with pytest.raises(
            snnjax.ShapeError, match=rf"`inputs` of `layers\[0\]` must be \(., size.*channels.*got {re.escape(str(shape[1:]))}"
        ):
            net_2d.simulate(jnp.zeros(shape), dt=DT)
    with pytest.raises(snnjax.ShapeError, match=r"`inputs` must have shape \(T, ...\), time first; got \(\)"):
        net.simulate(jnp.zeros(()), dt=DT)
    with pytest.raises(snnjax.ShapeError, match="state"):
        net.simulate(jnp.zeros((5, 3, 10)), dt=DT, state=net.init((2,)))
    with pytest.raises(snnjax.DTypeError, match="`state` must be a tuple with one entry for each of the 4 layers; got None"):
        net(None, jnp.zeros(10), dt=DT)


# Masks


def _lengths_mask(steps, lengths):
    return jnp.arange(steps)[:, None] < jnp.asarray(lengths)[None]


@pytest.mark.parametrize("recurrent", [False, True])
def test_padding_changes_no_state_and_no_output(recurrent):
    net, inputs = _network(_key(), recurrent=recurrent), _inputs(30, 3, 10)
    lengths = [30, 12, 0]
    mask = _lengths_mask(30, lengths)
    padded = jnp.where(mask[..., None], inputs, jnp.nan)
    state, v = net.simulate(padded, dt=DT, mask=mask)
    for k, length in enumerate(lengths):
        alone, out = net.simulate(inputs[:length], dt=DT)
        chex.assert_trees_all_equal(*(jax.tree.map(lambda leaf, k=k: leaf[k], tree) for tree in (state, alone)))
        assert (v[:length, k] == out[:, k]).all() and not v[length:, k].any()


def test_padding_passes_no_gradient():
    net, inputs = _network(_key()), _inputs(30, 2, 10)
    mask = _lengths_mask(30, [30, 12])

    def loss(net, inputs, mask):
        _, v = net.simulate(inputs, dt=DT, mask=mask)
        return somas.membrane_cross_entropy(v, jnp.array([0, 1]), mask=mask)

    grad = eqx.filter_jit(eqx.filter_grad(loss))
    clean = grad(net, jnp.where(mask[..., None], inputs, 0.0), mask)
    spoilt = grad(net, jnp.where(mask[..., None], inputs, jnp.nan), mask)
    other = grad(net, jnp.where(mask[..., None], inputs, 1e6), mask)
    chex.assert_trees_all_equal(clean, spoilt)
    chex.assert_trees_all_equal(clean, other)
    assert float(jnp.abs(clean.layers[0].weight).max()) > 0
    by_inputs = jax.grad(lambda x: loss(net, x, mask))(inputs)
    assert by_inputs[:12, 1].any() and not by_inputs[12:, 1].any()


def test_a_mask_works_step_by_step():
    net, inputs = _network(_key()), _inputs(20, 2, 10)
    mask = _lengths_mask(20, [20, 7])
    wanted = net.simulate(inputs, dt=DT, mask=mask)
    run = eqx.filter_jit(lambda net: F.unroll(lambda s, x: net(s, x[0], dt=DT, mask=x[1]), net.init((2,)), (inputs, mask)))
    chex.assert_trees_all_close(run(net), wanted, rtol=1e-4, atol=1e-5)


def test_a_mask_that_is_all_true_changes_nothing():
    net, inputs = _network(_key()), _inputs(20, 2, 10)
    chex.assert_trees_all_equal(net.simulate(inputs, dt=DT, mask=jnp.ones((20, 2), bool)), net.simulate(inputs, dt=DT))
    soma = somas.LIFRefracSomaConfig(shape=(10,)).build()
    chex.assert_trees_all_equal(soma.simulate(inputs, dt=DT, mask=jnp.ones((20, 2), bool)), soma.simulate(inputs, dt=DT))


def test_a_mask_is_boolean_and_of_the_shape_of_time_and_batch():
    soma, inputs = somas.LIFSomaConfig(shape=(3,)).build(), jnp.zeros((5, 2, 3))
    with pytest.raises(snnjax.DTypeError, match="`mask` must be a boolean array"):
        soma.simulate(inputs, dt=DT, mask=jnp.ones((5, 2)))
    with pytest.raises(snnjax.ShapeError, match=r"`mask` must have the shape \(5, 2\)"):
        soma.simulate(inputs, dt=DT, mask=jnp.ones((5, 3), bool))
    with pytest.raises(snnjax.ShapeError, match=r"`mask` must have the shape \(5, 2\)"):
        somas.Sequential([soma]).simulate(inputs, dt=DT, mask=jnp.ones(5, bool))
    with pytest.raises(snnjax.ConfigError, match="`checked=True` and `mask`"):
        soma.simulate(inputs, dt=DT, mask=jnp.ones((5, 2), bool), checked=True)


def test_checked_finds_the_step_of_a_nan():
    soma = somas.LIFSomaConfig(shape=(3,)).build()
    with pytest.raises(snnjax.NumericsError, match="step 2"):
        soma.simulate(jnp.zeros((5, 3)).at[2, 1].set(jnp.nan), dt=DT, checked=True)
