"""Networks as graphs and back: the same layers, the same bits, the same gradients."""

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
from snnjax import graph as G
from snnjax import somas

DT, STEPS = 1e-3, 20
KEYS = jax.random.split(jax.random.key(0), 8)


def linear(n_in: int, n_out: int, scale: float = 8.0, **options: Any) -> eqx.nn.Linear:
    layer = eqx.nn.Linear(n_in, n_out, key=KEYS[0], **options)
    return eqx.tree_at(lambda it: it.weight, layer, layer.weight * scale)


def soma(neuron: F.Neuron, shape: Any, **fields: Any) -> somas.Soma:
    return somas.config_class(neuron, "Config")(shape=shape, **fields).build(KEYS[1])


WEIGHT = somas.Normal(0.0, 0.5)
DELAYS = somas.Uniform(5e-3, 20e-3)

NETWORKS: dict[str, list[Any]] = {
    "feed forward": [
        linear(6, 5), somas.LIFSomaConfig(shape=(5,), v_th=0.3, tau_mem=DELAYS).build(KEYS[2]), linear(5, 3),
        somas.LeakyIntegratorSomaConfig(shape=(3,)).build(),
    ],
    "recurrent": [
        linear(6, 5), soma(F.recurrent(F.refractory(F.lif)), 5, weight=WEIGHT, v_th=0.4), linear(5, 3, 30.0, use_bias=False),
        soma(F.recurrent(F.lif), 3, weight=0.0, v_th=0.1),
    ],
    "refractory": [
        linear(6, 5, 30.0), somas.StrictRefractoryLeakySomaConfig(shape=(5,), v_th=0.3).build(),
        linear(5, 4), somas.LIFRefracSomaConfig(shape=(4,), v_th=0.3, t_ref=3e-3).build(),
    ],
    "adaptive": [linear(6, 5, 20.0), somas.AdaptiveLeakySomaConfig(shape=(5,), v_th=0.3, delta_th=0.2).build()],
    "choices": [
        linear(6, 5),
        somas.LIFSomaConfig(
            shape=(5,), v_th=0.3, spike=F.tanh(3.0), reset=F.attached(F.reset_by_subtraction), integrator=F.euler
        ).build(),
    ],
    "silicon": [linear(6, 5, 3000.0, use_bias=False), somas.DynapseSomaConfig(shape=(5,)).build()],
    "silicon, chosen": [
        linear(6, 5, 3000.0, use_bias=False), somas.DynapseSomaConfig(shape=(5,), substeps=2, gaba=F.shunting).build(),
    ],
    "synapses": [soma(F.synapses(F.leaky, 2), 6, v_th=0.2), linear(6, 2, 30.0), soma(F.integrate_and_fire, 2, tau_mem=2e-3)],
    "recurrent synapses": [soma(F.recurrent(F.synapses(F.leaky, 2)), 6, weight=WEIGHT, v_th=0.2)],
    "recurrence inside": [linear(6, 5), soma(F.refractory(F.recurrent(F.lif)), 5, weight=WEIGHT, v_th=0.3)],
    "rate neurons": [linear(6, 5), soma(F.membrane(F.lif), 5), eqx.nn.Lambda(jnp.tanh), eqx.nn.Identity(), linear(5, 2)],
    "nested": [
        linear(6, 5),
        somas.Sequential([somas.LIFSomaConfig(shape=(5,), v_th=0.3).build(), somas.Sequential([linear(5, 4)])]),
        somas.LIFSomaConfig(shape=(4,), v_th=0.3).build(),
    ],
    "rows that share a matrix": [soma(F.recurrent(F.lif), (2, 6), weight=WEIGHT, v_th=0.3)],
}  # fmt: skip


def inputs_of(g: G.Graph) -> jax.Array:
    shape = g.nodes["input"].output_shape
    return (jax.random.uniform(KEYS[3], (STEPS, 3, *shape)) < 0.3).astype(jnp.float32)


def renamed(g: G.Graph) -> G.Graph:
    """The same graph under names that no `Sequential` has."""
    wires = [G.Edge(f"my-{e.source}", f"my-{e.target}", e.source_indices, e.target_indices, e.adds) for e in g.edges]
    return G.Graph({f"my-{name}": node for name, node in g.nodes.items()}, wires)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_sequential_comes_back_as_it_was_and_runs_bit_for_bit_the_same(name: str) -> None:
    net = somas.Sequential(NETWORKS[name])
    g = G.of(net)
    assert G.validate(g) == ()
    again = G.build(g)
    assert bool(eqx.tree_equal(again, net)) and isinstance(again, somas.Sequential)
    assert G.of(again) == g
    x = inputs_of(g)
    state, outputs = net.simulate(x, dt=DT)
    chex.assert_trees_all_equal(again.simulate(x, dt=DT), (state, outputs))
    other = G.build(renamed(g))
    assert isinstance(other, somas.Network) and G.of(other) == renamed(g)
    np.testing.assert_array_equal(other.simulate(x, dt=DT)[1], outputs)
    assert np.abs(outputs).max() > 0.0


@pytest.mark.parametrize("name", ["recurrent", "recurrent synapses"])
def test_gradients_are_those_of_the_sequential(name: str) -> None:
    net = somas.Sequential(NETWORKS[name])
    g = G.of(net)
    x = inputs_of(g)

    @eqx.filter_jit
    @eqx.filter_value_and_grad
    def loss(net: Any) -> jax.Array:
        return ((net.simulate(x, dt=DT)[1] - 0.2) ** 2).mean()

    value, gradient = loss(net)
    same_value, same_gradient = loss(G.build(g))
    other_value, other_gradient = loss(G.build(renamed(g)))
    assert value == same_value == other_value
    chex.assert_trees_all_equal(eqx.filter(same_gradient, eqx.is_array), eqx.filter(gradient, eqx.is_array))
    found, wanted = G.of(other_gradient), renamed(G.of(gradient))
    for key, node in wanted.nodes.items():
        if isinstance(node, G.Linear):
            assert np.abs(node.weight).max() > 0.0
            np.testing.assert_allclose(found.nodes[key].weight, node.weight, rtol=1e-5, atol=1e-7)  # type: ignore[attr-defined]


def test_a_recurrent_soma_is_its_neurons_and_a_matrix_back_to_them() -> None:
    weight = np.arange(8.0, dtype=np.float32).reshape(2, 2, 2)
    g = G.of(soma(F.recurrent(F.synapses(F.leaky, 2)), 2, weight=weight))
    assert list(g.nodes) == ["input", "leaky", "leaky_recurrent", "output"]
    node, back = g.nodes["leaky"], g.nodes["leaky_recurrent"]
    assert isinstance(node, G.Neurons) and node.model == "synapses(leaky, 2)" and isinstance(back, G.Linear)
    # From neuron `pre` to synapse `s` of neuron `post`, which is channel `2 * s + post`.
    np.testing.assert_array_equal(back.weight, [[0, 1, 4, 5], [2, 3, 6, 7]])
    assert G.recurrent(g).loops == (("leaky", "leaky_recurrent"),)
    silent = G.of(soma(F.recurrent(F.lif), 3, weight=0.0))
    np.testing.assert_array_equal(silent.nodes["lif_recurrent"].weight, np.zeros((3, 3)))  # type: ignore[attr-defined]


def test_choices_are_written_where_they_are_not_the_defaults() -> None:
    assert G.of(soma(F.lif, 2)).nodes["lif"].choices is None  # type: ignore[attr-defined]
    node = G.of(soma(F.lif, 2, reset=F.reset_by_subtraction)).nodes["lif"]
    assert node.choices["reset"] == "reset_by_subtraction" and node.choices["spike"]["name"] == "superspike"  # type: ignore[attr-defined]
    default = {**node.choices, "reset": "reset_to_value"}  # type: ignore[attr-defined]
    g = G.Graph(
        {"input": G.Input(2), "lif": G.Neurons("lif", node.params, 2, default), "output": G.Output(2)},  # type: ignore[attr-defined]
        [G.Edge("input", "lif"), G.Edge("lif", "output")],
    )
    assert G.of(G.build(g)) == g  # defaults that were written down stay written down


CONVOLUTIONS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "same": (eqx.nn.Conv2d(2, 4, 3, padding="SAME", key=KEYS[0]), (2, 8, 7)),
    "same, in steps of 2": (eqx.nn.Conv2d(2, 4, (3, 2), stride=2, padding="SAME", key=KEYS[0]), (2, 8, 7)),
    "dilated, valid": (eqx.nn.Conv2d(2, 4, 3, dilation=(2, 1), padding="VALID", stride=(1, 2), key=KEYS[0]), (2, 8, 7)),
    "dilated, same": (eqx.nn.Conv1d(2, 4, 3, dilation=2, padding="SAME", key=KEYS[0]), (2, 7)),
    "groups": (eqx.nn.Conv2d(4, 6, 3, groups=2, padding=((0, 1), (2, 0)), use_bias=False, key=KEYS[0]), (4, 6, 5)),
    "one axis": (eqx.nn.Conv1d(3, 5, 4, stride=3, padding="SAME", key=KEYS[0]), (3, 11)),
    "average": (eqx.nn.AvgPool2d(3, 2, padding=1), (2, 8, 7)),
    "average, rounded up": (eqx.nn.AvgPool2d(3, 2, use_ceil=True), (2, 8, 7)),
    "maximum": (eqx.nn.MaxPool2d((2, 3), 1, padding=((1, 0), (0, 1))), (2, 8, 7)),
    "maximum, one axis, rounded up": (eqx.nn.MaxPool1d(3, 2, use_ceil=True), (2, 8)),
    "sum": (eqx.nn.Pool(0, jax.lax.add, 2, 2, 2), (2, 8, 7)),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions_and_poolings_are_the_same_to_the_bit(name: str) -> None:
    layer, shape = CONVOLUTIONS[name]
    net = somas.Sequential([layer])
    g = G.of(net, input_shape=shape)
    assert G.validate(g) == ()
    again = G.build(g)
    x = jax.random.normal(KEYS[4], (4, *shape))
    outputs = again.simulate(x, dt=DT)[1]
    assert outputs.shape[1:] == g.nodes["output"].output_shape
    np.testing.assert_array_equal(outputs, net.simulate(x, dt=DT)[1])
    assert G.of(again) == g


def test_a_convolutional_network_needs_the_shape_of_its_input_and_then_keeps_it() -> None:
    layers = [
        eqx.nn.Lambda(jax.nn.relu), eqx.nn.Conv2d(1, 3, 3, key=KEYS[0]), soma(F.leaky, (3, 6, 6), v_th=0.01), eqx.nn.MaxPool2d(2, 2),
        eqx.nn.Lambda(jnp.ravel), linear(27, 4), somas.LIFSomaConfig(shape=(4,)).build(),
    ]  # fmt: skip
    net = somas.Sequential(layers)
    with pytest.raises(snnjax.GraphError, match=r"`input_shape` is not known: `layers\[0\]`.*`graph.of\(net, input_shape=") as caught:
        G.of(net)
    assert caught.value.field == "input_shape"
    g = G.of(net, input_shape=(1, 8, 8))
    again = G.build(g)
    x = inputs_of(g)
    state = net.init((3,))  # `Lambda` in front does not know how many axes an example has
    outputs = net.simulate(x, dt=DT, state=state)[1]
    np.testing.assert_array_equal(again.simulate(x, dt=DT)[1], outputs)
    assert G.of(again) == g and list(g.nodes)[1:6] == ["activation", "conv", "leaky", "pool", "flatten"]


def test_layers_that_keep_shapes_take_that_of_the_next() -> None:
    g = G.of(somas.Sequential([eqx.nn.Identity(), eqx.nn.Dropout(0.5, inference=True), eqx.nn.Lambda(jax.nn.relu), linear(4, 2)]))
    assert g.nodes["input"] == G.Input(4)
    assert list(g.nodes) == ["input", "alias", "alias_1", "activation", "linear", "output"]


def test_one_layer_alone_is_a_network() -> None:
    assert list(G.of(linear(3, 2)).nodes) == ["input", "linear", "output"]
    assert G.of(eqx.nn.Lambda(jax.nn.softmax), input_shape=3).nodes["activation"] == G.Activation("softmax", 3)
    assert G.of(somas.Sequential([]), input_shape=(2, 3)).edges == (G.Edge("input", "output"),)


class Own(eqx.Module):
    def __call__(self, x: Any) -> Any:
        return x


LIF3 = somas.LIFSomaConfig(shape=(3,)).build()
REFUSED: dict[str, tuple[Any, type[snnjax.SnnjaxError], str, str]] = {
    "a class of your own": (
        Own(), snnjax.GraphError, "layers[1]", r"`layers\[1\]` is of the class `Own`, for which a graph has no node. Write it as",
    ),
    "a function of your own": (
        eqx.nn.Lambda(lambda x: x), snnjax.GraphError, "layers[1]", r"is a Lambda of a function that has no name in graphs. Those .* relu,",
    ),
    "dropout": (
        eqx.nn.Dropout(0.5), snnjax.GraphError, "layers[1]", r"is of the class `Dropout`.*drops something.*`eqx.nn.inference_mode\(net\)`",
    ),
    "a norm": (
        eqx.nn.LayerNorm(3), snnjax.GraphError, "layers[1]", r"is of the class `LayerNorm`.*A normalisation over channels has no node",
    ),
    "layers in a layer": (
        eqx.nn.MLP(3, 2, 4, 1, key=KEYS[0]), snnjax.GraphError, "layers[1]",
        r"is of the class `MLP`.*Put its layers one by one into `somas.Sequential`",
    ),
    "three axes": (eqx.nn.AvgPool3d(2), snnjax.GraphError, "layers[1]", r"is of the class `AvgPool3d`, for which a graph has no node"),
    "axes that are missing": (eqx.nn.AvgPool2d(2), snnjax.GraphError, "layers[1]", r"pools over 2 axes behind the channels, and gets"),
    "channels that are missing": (
        eqx.nn.Conv2d(2, 2, 3, key=KEYS[0]), snnjax.GraphError, "layers[1]", r"takes inputs of shape \(2, n, n\), channels first, and gets",
    ),
    "another number of channels": (linear(4, 2), snnjax.GraphError, "layers[1]", r"takes inputs of shape \(4,\), and gets \(3,\)"),
    "a scalar": (linear("scalar", 2), snnjax.GraphError, "layers[1]", r"takes or gives single numbers.*`in_features=1`"),  # type: ignore[arg-type]
    "a choice of your own": (
        somas.LIFSomaConfig(shape=(3,), reset=lambda v, s, p: v).build(), snnjax.ConfigError, "reset", r"`reset` of .*function of your own",
    ),
    "a neuron of your own": (
        soma(F.lif._replace(name="mine"), 3), snnjax.GraphError, "layers[1]", r"has the neuron 'mine', which is not one.*`graph.register\(",
    ),
    "a neuron that only has the name": (
        soma(F.leaky._replace(name="lif"), 3), snnjax.GraphError, "layers[1]", r"has the neuron 'lif', which is not one that graphs know",
    ),
}  # fmt: skip


@pytest.mark.parametrize("layer, error, field, text", REFUSED.values(), ids=REFUSED.keys())
def test_a_layer_without_a_node_is_refused_by_name(layer: Any, error: type[snnjax.SnnjaxError], field: str, text: str) -> None:
    with pytest.raises(error, match=text) as caught:
        G.of(somas.Sequential([LIF3, layer]))
    assert caught.value.field == field


def test_convolutions_that_pad_with_something_else_are_refused() -> None:
    layer = eqx.nn.Conv1d(3, 2, 2, padding=1, padding_mode="CIRCULAR", key=KEYS[0])
    with pytest.raises(snnjax.GraphError, match=r"`network` pads with 'CIRCULAR'; .* Use `padding_mode='ZEROS'`") as caught:
        G.of(layer, input_shape=(3, 5))
    assert caught.value.field == "network"


@pytest.mark.parametrize(
    "thing", [F.lif_step, somas.LIFSomaConfig(shape=(3,)), eqx.nn.Linear, None, {"a": LIF3}], ids=lambda thing: type(thing).__name__
)
def test_what_is_no_network_is_refused(thing: Any) -> None:
    with pytest.raises(snnjax.DTypeError, match="`network` must be a soma, a `Sequential` or a layer of Equinox; got") as caught:
        G.of(thing)
    assert caught.value.field == "network"


def test_a_network_that_is_traced_has_no_numbers_yet() -> None:
    for net in (LIF3, somas.Sequential([linear(3, 2), LIF3])):
        with pytest.raises(snnjax.DTypeError, match=r"make the graph outside of `jit`"):
            eqx.filter_jit(lambda net: len(G.of(net).nodes))(net)
