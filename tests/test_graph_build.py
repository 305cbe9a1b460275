"""Graphs that run: ten topologies against a step-by-step reference, in one run, in pieces, step by step, padded, compiled."""

from __future__ import annotations

from typing import Any

import chex
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from graph_reference import reference
from topologies import DT, TOPOLOGIES, edges, inputs_of, lif, only, weights

import snnjax
import snnjax.functional as F
from snnjax import fit, somas
from snnjax import graph as G

every_topology = pytest.mark.parametrize("name", TOPOLOGIES)
_QUICK = ("residual", "two_layer_recurrence", "parallel_edges")  # compiling a gradient takes a second or two


def run(net: Any, inputs: dict[str, Any], **options: Any) -> Any:
    return net.simulate(only(inputs), dt=DT, **options)


@every_topology
def test_a_graph_does_what_the_reference_does(name: str, x64: None) -> None:
    g = TOPOLOGIES[name]()
    assert G.validate(g) == ()
    inputs = inputs_of(g)
    wanted = reference(g, inputs, DT)
    _, found = G.build(g).outputs(only(inputs), dt=DT)
    neurons = [key for key, node in G.flatten(g).nodes.items() if isinstance(node, G.Neurons)]
    assert neurons and set(found) <= set(wanted)
    for key in found:
        if set(np.unique(wanted[key])) <= {0.0, 1.0}:
            np.testing.assert_array_equal(found[key], wanted[key], key)
        else:
            np.testing.assert_allclose(found[key], wanted[key], rtol=0, atol=1e-11, err_msg=key)
    for key in neurons:
        assert 0.01 < np.mean(wanted[key] != 0.0), f"{key} does nothing, so this would be no test"


@every_topology
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_graph_comes_back_to_the_bit_with_names_and_order(name: str, dtype: Any) -> None:
    with jax.enable_x64(dtype is np.float64):
        g = TOPOLOGIES[name](dtype)
        net = G.build(g)
        again = G.of(net)
        assert again == g and isinstance(net, somas.Network)
        assert bool(eqx.tree_equal(G.build(again), net))


@every_topology
def test_a_run_in_two_pieces_equals_the_whole_bit_for_bit(name: str) -> None:
    net = G.build(TOPOLOGIES[name](np.float32))
    inputs = inputs_of(net.graph(), dtype=np.float32)
    state, whole = run(net, inputs)
    middle, first = run(net, {key: x[:20] for key, x in inputs.items()})
    end, second = run(net, {key: x[20:] for key, x in inputs.items()}, state=middle)
    chex.assert_trees_all_equal(end, state)
    chex.assert_trees_all_equal(jax.tree.map(lambda a, b: jnp.concatenate([a, b]), first, second), whole)


@every_topology
def test_step_by_step_it_is_the_same_network(name: str) -> None:
    net = G.build(TOPOLOGIES[name](np.float32))
    inputs = inputs_of(net.graph(), steps=20, dtype=np.float32)
    state, whole = run(net, inputs)
    step, now, outputs = eqx.filter_jit(net.__call__), net.init((2,)), []
    for t in range(20):
        now, output = step(now, only({key: jnp.asarray(x[t]) for key, x in inputs.items()}), dt=DT)
        outputs.append(output)
    chex.assert_trees_all_close(now, state, atol=1e-5)
    chex.assert_trees_all_close(jax.tree.map(lambda *leaves: jnp.stack(leaves), *outputs), whole, atol=1e-5)


@every_topology
def test_what_a_mask_leaves_out_has_no_effect_and_emits_nothing(name: str) -> None:
    net = G.build(TOPOLOGIES[name](np.float32))
    inputs = inputs_of(net.graph(), dtype=np.float32)
    mask = np.arange(40)[:, None] < np.array([40, 20])
    dirty = {key: np.where(mask.reshape(40, 2, *[1] * (x.ndim - 2)), x, np.nan).astype(np.float32) for key, x in inputs.items()}
    state, outputs = run(net, dirty, mask=mask)
    whole, wanted = run(net, inputs)
    short, _ = run(net, {key: x[:20] for key, x in inputs.items()})
    for found, full in zip(jax.tree.leaves(outputs), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_array_equal(found, np.where(mask.reshape(40, 2, *[1] * (full.ndim - 2)), full, 0.0))
    for found, full, part in zip(*map(jax.tree.leaves, (state, whole, short)), strict=True):
        np.testing.assert_array_equal(found[0], full[0])
        np.testing.assert_array_equal(found[1], part[1])


@pytest.mark.parametrize("seeds", [range(3), pytest.param(range(3, 60), marks=pytest.mark.long)], ids=["few", "many"])
def test_random_graphs_with_cycles_do_what_the_reference_does(seeds: range, x64: None) -> None:
    spikes = cycles = 0
    for seed in seeds:
        g = _random(np.random.default_rng(seed))
        inputs = inputs_of(g)
        wanted = reference(g, inputs, DT, set(G.back_edges(g)))
        _, found = G.build(g).outputs(only(inputs), dt=DT)
        for key in found:
            np.testing.assert_allclose(found[key], wanted[key], rtol=0, atol=1e-9, err_msg=f"{seed} {key}")
            spikes += int(wanted[key].sum()) if isinstance(g.nodes[key], G.Neurons) else 0
        cycles += len(G.back_edges(g)) > 1
    assert spikes > 30 * len(seeds) and 2 * cycles > len(seeds)


def _random(rng: np.random.Generator) -> G.Graph:
    """Populations of 2 or 3 neurons, matrices between some of them in any direction, some channels straight."""
    sizes = rng.integers(2, 4, rng.integers(2, 6)).tolist()
    nodes: dict[str, Any] = {"in": G.Input(3), **{f"n{k}": lif(n, tau_syn=rng.uniform(2e-3, 9e-3)) for k, n in enumerate(sizes)}}
    wires = []
    for k, n in enumerate(sizes):
        nodes[f"w{k}"] = weights(3, n, int(rng.integers(1000)))
        wires += edges(f"in w{k} n{k}")
    for k in range(int(rng.integers(2, 9))):
        a, b = rng.integers(len(sizes), size=2)
        if rng.random() < 0.7:
            nodes[f"m{k}"] = weights(sizes[a], sizes[b], int(rng.integers(1000)), shift=0.0)
            wires += edges(f"n{a} m{k} n{b}")
        else:
            wires.append(G.Edge(f"n{a}", f"n{b}", source_indices=[0, 1, 1], target_indices=[1, 0, 1], adds=True))
    order = rng.permutation(len(nodes))
    names = list(nodes)
    nodes = {names[k]: nodes[names[k]] for k in order}
    for k, n in enumerate(sizes):
        nodes[f"out{k}"] = G.Output(n)
        wires.append(G.Edge(f"n{k}", f"out{k}"))
    return G.Graph(nodes, [wires[k] for k in rng.permutation(len(wires))])


@pytest.mark.parametrize("name", [it if it in _QUICK else pytest.param(it, marks=pytest.mark.long) for it in TOPOLOGIES])
def test_gradients_reach_every_weight_and_time_constant(name: str) -> None:
    net = G.build(TOPOLOGIES[name](np.float32))
    inputs = inputs_of(net.graph(), dtype=np.float32)

    def loss(net: Any) -> jax.Array:
        outputs = jax.tree.leaves(run(net, inputs)[1])
        return sum((((x - 0.3) ** 2).mean() for x in outputs), start=jnp.zeros(()))

    gradient = eqx.filter_jit(eqx.filter_grad(loss))(net)
    spec = somas.trainable(net, kinds=("weight", "time_constant"))
    found = jax.tree.leaves(eqx.filter(gradient, spec))
    assert found and all(np.isfinite(leaf).all() and np.abs(leaf).max() > 0 for leaf in found)
    again = fit.constrain(net, fit.unconstrain(net))
    chex.assert_trees_all_close(eqx.filter(again, eqx.is_array), eqx.filter(net, eqx.is_array), rtol=1e-5)


def test_a_network_that_is_built_twice_is_compiled_once() -> None:
    @eqx.filter_jit
    @chex.assert_max_traces(n=1)
    def last(net: Any, x: Any) -> Any:
        return net.simulate(x, dt=DT)[1]

    chex.clear_trace_counter()
    g = TOPOLOGIES["nested"](np.float32)
    x = only(inputs_of(g, dtype=np.float32))
    first = last(G.build(g), x)
    chex.assert_trees_all_equal(last(G.build(G.from_json(G.to_json(g))), x), first)
    other = last(fit.constrain(G.build(g), fit.unconstrain(G.build(g))), x)  # other numbers, up to rounding
    assert other.shape == first.shape


def test_an_edge_that_goes_back_carries_the_step_before_in_the_loop_of_a_recurrent_soma_too() -> None:
    """The same recurrence as one node, as a loop of two nodes, and as two loops: fused or not, the spikes are the same."""
    weight = np.random.default_rng(0).normal(0.0, 0.5, (4, 4)).astype(np.float32)
    inner = lif(4, np.float32)
    nodes = {"in": G.Input(3), "w": weights(3, 4, 1, dtype=np.float32), "a": inner, "back": G.Linear(weight), "out": G.Output(4)}
    loop = G.Graph(nodes, edges("in w a back a", "a out"))
    one = {**nodes, "a": G.Neurons("recurrent(lif)", {"neuron": inner.params, "weight": weight}, 4)}
    single = G.Graph({key: node for key, node in one.items() if key != "back"}, edges("in w a out"))
    halves = {**nodes, "back": G.Linear(weight * np.float32(0.5)), "more": G.Linear(weight * np.float32(0.5))}
    twice = G.Graph(halves, edges("in w a back a", "a more a", "a out"))
    nets = [G.build(g) for g in (loop, single, twice)]
    assert [bool(net.plan.loops) for net in nets] == [True, False, True]  # of two loops one is taken in
    assert [any(group.cyclic for group in net.plan.groups) for net in nets] == [False, False, True]
    x = inputs_of(loop, dtype=np.float32)["in"]
    spikes = [np.asarray(net.simulate(x, dt=DT)[1]) for net in nets]
    np.testing.assert_array_equal(spikes[0], spikes[1])
    np.testing.assert_array_equal(spikes[0], spikes[2])
    assert spikes[0].sum() > 10
    assert [G.of(net) == g for net, g in zip(nets, (loop, single, twice), strict=True)] == [True] * 3


def test_neurons_that_need_no_input_run_as_long_as_the_input_of_others() -> None:
    nodes = {
        "in": G.Input(1),
        "clock": lif(2, np.float32, bias=1.5),
        "w": G.Linear(np.array([[0.0, 1.0], [1.0, 0.0]], np.float32)),
        "out": G.Output(2),
        "copy": G.Output(1),
    }
    net = G.build(G.Graph(nodes, edges("clock w clock out", "in copy")))
    state, outputs = net.simulate(np.zeros((100, 3, 1), np.float32), dt=DT)
    assert outputs["out"].shape == (100, 3, 2) and outputs["out"].sum() > 10 and not outputs["copy"].any()
    alone = F.simulate(F.recurrent(F.lif), net.layers["clock"].params, jnp.zeros((100, 3, 2)), dt=DT)
    chex.assert_trees_all_equal((state.layers["clock"], outputs["out"]), alone)


def test_a_raster_of_booleans_is_as_good_as_floats_and_no_steps_are_none() -> None:
    net = G.build(TOPOLOGIES["join"](np.float32))
    inputs = inputs_of(net.graph(), dtype=bool)
    floats = {key: x.astype(np.float32) for key, x in inputs.items()}
    chex.assert_trees_all_equal(run(net, inputs), run(net, floats))
    for name in TOPOLOGIES:
        net = G.build(TOPOLOGIES[name](np.float32))
        state, outputs = run(net, inputs_of(net.graph(), steps=0, dtype=np.float32))
        chex.assert_trees_all_equal(state, net.init((2,)))
        assert all(x.shape[:2] == (0, 2) for x in jax.tree.leaves(outputs))


def test_a_network_is_a_layer_like_any_other() -> None:
    nodes = {"in": G.Input(4), "w": weights(4, 4, 1, dtype=np.float32), "a": lif(4, np.float32), "out": G.Output(4)}
    inner = G.build(G.Graph(nodes, edges("in w a a", "a out")))
    net = somas.Sequential([eqx.nn.Linear(3, 4, key=jax.random.key(0)), inner, somas.LeakyIntegratorSomaConfig(shape=(4,)).build()])
    x = jnp.ones((30, 2, 3))
    again = G.build(G.of(net))
    assert isinstance(again, somas.Sequential) and isinstance(again.layers[1], somas.Network)
    chex.assert_trees_all_equal(again.simulate(x, dt=DT), net.simulate(x, dt=DT))
    mask = np.arange(30)[:, None] < np.array([30, 11])
    chex.assert_trees_all_equal(again.simulate(x, dt=DT, mask=mask), net.simulate(x, dt=DT, mask=mask))


def test_choices_hold_inside_of_a_cycle_too() -> None:
    """Two populations in a ring: with a reset by subtraction it spikes more; without surrogate it has no gradient."""
    nodes = {
        "in": G.Input(2),
        "a": lif(2, np.float32),
        "b": lif(2, np.float32),
        "w": G.Linear(np.eye(2, dtype=np.float32)),
        "out": G.Output(2),
    }
    wires = edges("in a w b a", "b out")
    x = jnp.asarray(np.random.default_rng(0).uniform(0.0, 3.0, (40, 2, 2)), jnp.float32)

    def net(**choices: Any) -> somas.Network:
        node = G.of(somas.LIFSomaConfig(shape=(2,), tau_syn=20e-3, **choices).build()).nodes["lif"]
        return G.build(G.Graph({**nodes, "a": node, "b": node}, wires))  # type: ignore[return-value]

    def slope(net: Any) -> Any:
        return jax.grad(lambda x: net.simulate(x, dt=DT)[1].sum())(x)

    plain, kept, silent = net(), net(reset=F.reset_by_subtraction), net(spike=F.heaviside())
    spikes = plain.simulate(x, dt=DT)[1]
    assert kept.simulate(x, dt=DT)[1].sum() > spikes.sum() > 0
    np.testing.assert_array_equal(silent.simulate(x, dt=DT)[1], spikes)
    assert np.abs(slope(plain)).max() > 0 and not slope(silent).any()


REFUSALS: dict[str, tuple[Any, str, str, dict[str, Any]]] = {
    "one input too many": (snnjax.DTypeError, "inputs", r"got one for 'middle'", {"inputs": {"left": 0, "right": 0, "middle": 0}}),
    "one too few": (snnjax.DTypeError, "inputs", r"'right' is missing. Give zeros", {"inputs": {"left": np.ones((5, 2, 3))}}),
    "an array for two": (snnjax.DTypeError, "inputs", r"a mapping from the names of the inputs, left, right", {"inputs": np.ones((5, 3))}),
    "a list": (snnjax.DTypeError, "inputs", r"an array of real numbers; got the list .* for 'left'", {"left": [[1.0, 2.0, 3.0]]}),
    "complex": (snnjax.DTypeError, "inputs", r"an array of real numbers; got complex", {"left": np.ones((5, 2, 3), complex)}),
    "other channels": (snnjax.ShapeError, "inputs", r"'left' must have shape \(T, ..., 3\), time first; got", {"left": np.ones((5, 2, 4))}),
    "no time": (snnjax.ShapeError, "inputs", r"\(T, ..., 3\), time first; got \(3,\)", {"left": np.ones(3)}),
    "two lengths": (snnjax.ShapeError, "inputs", r"must all have the same time and batch axes; got", {"left": np.ones((6, 2, 3))}),
    "no state": (snnjax.DTypeError, "state", r"must be a NetworkState of this network.*`init", {"state": ()}),
    "another's state": (snnjax.DTypeError, "state", r"must be a NetworkState", {"state": somas.NetworkState({}, {})}),
    "dt": (snnjax.ParameterError, "dt", r"`dt` must be > 0 s", {"dt": 0.0}),
    "a mask of floats": (snnjax.DTypeError, "mask", r"`mask` must be a boolean", {"mask": np.ones((5, 2))}),
    "a short mask": (snnjax.ShapeError, "mask", r"`mask` must have the shape \(5, 2\)", {"mask": np.ones((4, 2), bool)}),
}


@pytest.mark.parametrize("error, field, text, given", REFUSALS.values(), ids=REFUSALS.keys())
def test_what_a_network_refuses(error: type[snnjax.SnnjaxError], field: str, text: str, given: dict[str, Any]) -> None:
    net = G.build(TOPOLOGIES["join"](np.float32))
    inputs = {"left": np.ones((5, 2, 3), np.float32), "right": np.ones((5, 2, 4), np.float32)}
    inputs |= {key: given.pop(key) for key in list(given) if key in inputs}
    with pytest.raises(error, match=text) as caught:
        net.simulate(**{"inputs": inputs, "dt": DT, **given})
    assert caught.value.field == field


def test_a_network_is_saved_as_its_graph(tmp_path: Any) -> None:
    net = G.build(TOPOLOGIES["branch"](np.float32))
    with pytest.raises(snnjax.ConfigError, match=r"is a Network, which a file cannot name \(`graph.save\(path, graph.of\(net\)\)` can"):
        somas.save(tmp_path / "x", net)
    G.save(tmp_path / "net.safetensors", G.of(net))
    assert bool(eqx.tree_equal(G.build(G.load(tmp_path / "net.safetensors")), net))
