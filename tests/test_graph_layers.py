"""Nodes that are no soma and no layer of Equinox: delays, thresholds, scales; neurons of your own; and what `build` refuses."""

from __future__ import annotations

from typing import Any, NamedTuple

import chex
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from graph_reference import reference
from topologies import DT, edges, inputs_of, lif, weights

import snnjax
import snnjax.functional as F
from snnjax import graph as G
from snnjax import somas
from snnjax.graph._nodes import ACTIVATIONS
from snnjax.somas._graph_nodes import FUNCTIONS


def delayed(dtype: Any = np.float32) -> G.Graph:
    """Delays of every kind: one for all and one per channel, of no step and of many, before neurons and in their loop."""
    nodes = {
        "in": G.Input((2, 2)),
        "late": G.Delay(np.array([[0.0, 1e-3], [2.5e-3, 7.4e-3]]), (2, 2)),
        "flat": G.Flatten((2, 2)),
        "w": weights(4, 3, 1, dtype=dtype),
        "cells": lif(3, dtype),
        "there": G.Delay(2e-3, 3),
        "back": weights(3, 3, 2, shift=-0.3, dtype=dtype),
        "no_time": G.Delay(0.4e-3, 3),
        "out": G.Output(3),
    }
    return G.Graph(nodes, edges("in late flat w cells there back cells", "cells no_time out"))


def test_delays_are_whole_numbers_of_steps_and_a_cycle_takes_one_more(x64: None) -> None:
    g = delayed(np.float64)
    assert G.validate(g) == ()
    inputs = inputs_of(g)
    wanted = reference(g, inputs, DT)
    state, found = G.build(g, dt=DT).outputs(inputs["in"], dt=DT)
    for key in found:
        np.testing.assert_allclose(found[key], wanted[key], atol=1e-11, err_msg=key)
    assert state.layers["late"].shape == (2, 7, 4) and state.layers["there"].shape == (2, 2, 3)
    np.testing.assert_array_equal(found["late"][2:, :, 1, 0], inputs["in"][:-2, :, 1, 0])  # 2.5 steps are 2: halves go to the even number
    np.testing.assert_array_equal(found["no_time"], found["cells"])
    assert wanted["cells"].sum() > 10


def test_a_delayed_run_in_pieces_in_steps_and_padded_is_the_whole() -> None:
    net = G.build(delayed(), dt=DT)
    x = inputs_of(delayed(), dtype=np.float32)["in"]
    state, whole = net.simulate(x, dt=DT)
    middle, first = net.simulate(x[:20], dt=DT)
    end, second = net.simulate(x[20:], dt=DT, state=middle)
    chex.assert_trees_all_equal((end, jnp.concatenate([first, second])), (state, whole))
    step, now, outputs = eqx.filter_jit(net.__call__), net.init((2,)), []
    for frame in x:
        now, output = step(now, frame, dt=DT)
        outputs.append(output)
    chex.assert_trees_all_close((now, jnp.stack(outputs)), (state, whole), atol=1e-5)
    mask = np.arange(40)[:, None] < np.array([40, 20])
    padded, outputs = net.simulate(np.where(mask[..., None, None], x, np.nan), dt=DT, mask=mask)
    np.testing.assert_array_equal(outputs, np.where(mask[..., None], whole, 0.0))
    for found, full, short in zip(*map(jax.tree.leaves, (padded, state, middle)), strict=True):
        np.testing.assert_array_equal(found, np.stack([full[0], short[1]]))
    masked = net.init((2,))
    for frame, real in zip(x, mask, strict=True):
        masked, _ = step(masked, frame, dt=DT, mask=jnp.asarray(real))
    chex.assert_trees_all_close(masked, padded, atol=1e-5)


def test_a_gradient_goes_through_a_delay_and_its_step_is_fixed() -> None:
    nodes = {"input": G.Input(1), "delay": G.Delay(3e-3, 1), "linear": G.Linear([[2.0]]), "output": G.Output(1)}
    net = G.build(G.Graph(nodes, edges("input delay linear output")), dt=DT)
    assert isinstance(net, somas.Sequential)
    slope = jax.grad(lambda x: net.simulate(x, dt=DT)[1][4].sum())(jnp.ones((6, 1)))
    assert slope.ravel().tolist() == [0, 2, 0, 0, 0, 0]
    assert net.simulate(np.ones((3, 1), bool), dt=DT)[1].ravel().tolist() == [0, 0, 0]
    for given in (net, G.build(delayed(), dt=DT)):
        with pytest.raises(snnjax.ConfigError, match=r"`dt` is 0.002 s, but this network was built for 0.001 s: its delays") as caught:
            given.simulate(np.ones((6, 1) if given is net else (6, 2, 2), np.float32), dt=2e-3)
        assert caught.value.field == "dt"
    with pytest.raises(snnjax.ConfigError, match=r"layers\[0\] is a Delay, which a file cannot name \(`graph.save"):
        somas.save("nowhere", net)


def test_elementwise_nodes_do_what_they_say_and_come_back() -> None:
    nodes = {
        "in": G.Input((2, 3)),
        "scale": G.Scale(np.array([[1.0, -2.0, 0.5], [3.0, 0.25, -1.0]], np.float32)),
        "part": G.Flatten((2, 3), start=1),
        "threshold": G.Threshold(np.full((2, 3), 0.5, np.float32)),
        "relu": G.Activation("relu", (2, 3)),
        "out": G.Output((2, 3)),
        "events": G.Output((2, 3)),
        "sums": G.Output((2, 1)),
        "pool": G.Pool("sum", input_shape=(2, 3), kernel_size=3),
        "same": G.Threshold(np.float32(0.0), (2, 1)),
        "signs": G.Output((2, 1)),
    }
    g = G.Graph(nodes, edges("in scale relu out", "scale part threshold events", "in pool sums", "pool same signs"))
    net = G.build(g)
    x = np.random.default_rng(0).normal(size=(5, 4, 2, 3)).astype(np.float32)
    outputs = net.simulate(x, dt=DT)[1]
    scaled = x * nodes["scale"].scale  # type: ignore[attr-defined]
    np.testing.assert_allclose(outputs["out"], np.maximum(scaled, 0.0), rtol=1e-6)
    np.testing.assert_array_equal(outputs["events"], scaled > 0.5)
    np.testing.assert_allclose(outputs["sums"][..., 0], x.sum(-1), atol=1e-6)
    np.testing.assert_array_equal(outputs["signs"][..., 0], x.sum(-1) > 0)
    assert G.of(net) == g
    at_threshold = {"in": G.Input(1), "a": G.Threshold(0.5, 1), "out": G.Output(1)}
    strict = G.build(G.Graph(at_threshold, edges("in a out")))
    assert not strict.simulate(np.full((1, 1), 0.5, np.float32), dt=DT)[1].any()


def test_every_activation_of_graphs_has_a_function() -> None:
    assert set(FUNCTIONS) == set(ACTIVATIONS)
    x = np.linspace(-2.0, 2.0, 5, dtype=np.float32)[None]
    for name in ACTIVATIONS:
        net = G.build(G.connect(G.Scale(np.ones(5, np.float32)), G.Activation(name, 5)))
        assert isinstance(net, somas.Sequential)
        np.testing.assert_array_equal(net.simulate(x, dt=DT)[1][0], jax.vmap(FUNCTIONS[name])(x)[0])


def test_a_rate_neuron_is_a_membrane_with_an_activation_behind_it(x64: None) -> None:
    """In a loop with itself it settles where `r = tanh(w r + x)`: at the fixed point of the equation."""
    leaky = F.LeakyParams(tau_mem=10e-3)
    nodes = {
        "in": G.Input(1),
        "membrane": G.Neurons("membrane(leaky)", F.MembraneParams(leaky), 1),
        "rate": G.Activation("tanh", 1),
        "own": G.Linear(np.array([[0.5]])),
        "out": G.Output(1),
    }
    g = G.Graph(nodes, edges("in membrane rate own membrane", "rate out"))
    net = G.build(g)
    rate = float(net.simulate(np.full((600, 1), 0.7), dt=DT)[1][-1, 0])
    assert abs(rate - np.tanh(0.5 * rate + 0.7)) < 1e-12 and G.of(net) == g


class GradedParams(NamedTuple):
    tau_mem: F.TimeConstant = 10e-3
    v_th: F.Potential = 1.0
    v_reset: F.Potential = 0.0


class GradedState(NamedTuple):
    v: Any


def _graded() -> F.Neuron:
    """A neuron of one's own, as `docs/extending.md` makes one."""

    def receive(params: Any, state: Any, inputs: Any, dt: Any, config: Any) -> Any:
        return state, (F.Held(inputs),)

    def integrate(params: Any, state: Any, currents: Any, dt: Any, config: Any) -> Any:
        return GradedState(state.v + dt / params.tau_mem * sum(current.i for current in currents))

    def fire(params: Any, state: Any, config: Any) -> Any:
        return config.spike(state.v - params.v_th, params.v_th - params.v_reset)

    def reset(params: Any, state: Any, spikes: Any, dt: Any, config: Any) -> Any:
        return GradedState(config.reset(state.v, spikes, params))

    phases = F.Phases(receive, integrate, fire, reset)

    def init(params: Any, shape: Any = (), dtype: Any = None) -> GradedState:
        return GradedState(jnp.full(shape, params.v_reset, dtype))

    def step(params: Any, state: Any, inputs: Any, *, dt: Any, config: Any = None) -> Any:
        return F.advance(phases, params, state, inputs, dt=dt, config=config)

    return F.Neuron("graded_of_this_test", GradedParams, init, step, phases)


def test_a_neuron_of_your_own_is_registered_and_handed_over() -> None:
    mine = _graded()
    G.register(mine.name, GradedParams)
    x = np.random.default_rng(1).uniform(0.0, 4.0, (30, 2, 3)).astype(np.float32)
    for neuron in (mine, F.refractory(mine), F.recurrent(mine)):
        fields = {"weight": -0.5} if neuron.name.startswith("recurrent") else {}
        soma = somas.config_class(neuron, "OwnConfig")(shape=(3,), **fields).build()
        g = G.of(soma)
        with pytest.raises(snnjax.GraphError, match=r"has the model '.*graded_of_this_test.*`graph.build\(g, models=") as caught:
            G.build(g)
        assert caught.value.field == "models"
        net = G.build(g, models={mine.name: mine})
        spikes = soma.simulate(x, dt=DT)[1]
        np.testing.assert_array_equal(net.simulate(x, dt=DT)[1], spikes)
        assert spikes.sum() > 20 and G.of(net) == g
    for wrong in ({"other": mine}, {"lif": F.lif}, [mine], {mine.name: mine.step}):
        refused = snnjax.DTypeError if isinstance(wrong, list) else snnjax.GraphError
        with pytest.raises(refused, match=r"`models` must be a mapping from names to neurons of your own") as caught:
            G.build(g, models=wrong)  # type: ignore[arg-type]
        assert caught.value.field == "models"


def test_numbers_come_in_the_dtype_that_jax_has() -> None:
    g = G.Graph(
        {"input": G.Input(2), "linear": G.Linear(np.array([[1, 2], [3, 4]])), "lif": lif(2), "output": G.Output(2)},
        edges("input linear lif output"),
    )
    net = G.build(g)
    assert net.layers[0].weight.dtype == net.layers[1].params.tau_mem.dtype == jnp.float32
    assert net.simulate(np.ones((3, 2)), dt=DT)[1].dtype == jnp.float32
    with jax.enable_x64(True):
        wide = G.build(g)
        assert wide.layers[0].weight.dtype == wide.layers[1].params.tau_mem.dtype == jnp.float64
        narrow = G.build(G.of(somas.LIFSomaConfig(shape=(2,)).build(dtype=jnp.float32)))
        assert narrow.layers[0].params.tau_mem.dtype == jnp.float32


def _without(name: str) -> G.Graph:
    nodes = {"in": G.Input(2), "a": lif(2, bias=2.0), "out": G.Output(2)}
    wires = {"in": "a out", "out": "in a"}[name]
    return G.Graph({key: node for key, node in nodes.items() if key != name}, edges(wires))


def _with_choices(choices: Any) -> G.Graph:
    node = G.Neurons("lif", F.LIFParams(), 2, choices)
    return G.Graph({"in": G.Input(2), "a": node, "out": G.Output(2)}, edges("in a out"))


GOOD = G.of(somas.LIFSomaConfig(shape=(2,), reset=F.reset_by_subtraction).build()).nodes["lif"].choices  # type: ignore[attr-defined]
REFUSALS: dict[str, tuple[Any, type[snnjax.SnnjaxError], str, str, dict[str, Any]]] = {
    "no graph": (lambda: {"in": G.Input(2)}, snnjax.DTypeError, "g", r"`g` of `.*` must be a Graph; got the dict ", {}),
    "problems": (
        lambda: G.Graph({"in": G.Input(2), "out": G.Output(3)}, edges("in out")), snnjax.GraphError, "g", r"1 problem:\n.*\(3,\)", {},
    ),
    "no input": (lambda: _without("in"), snnjax.GraphError, "g", r"`g` has no Input, whose length says", {}),
    "no dt for delays": (delayed, snnjax.GraphError, "dt", r"node 'late' is a delay in seconds, so `build` needs.*dt=1e-3", {}),
    "a bad dt": (delayed, snnjax.ParameterError, "dt", r"`dt` must be > 0 s", {"dt": -1.0}),
    "an unknown keyword": (delayed, snnjax.ConfigError, "dtt", r"`dtt` is not an argument of `build`. Did you mean `dt`", {"dtt": 1.0}),
    "a choice that is missing": (
        lambda: _with_choices({"reset": "reset_to_value"}), snnjax.ConfigError, "spike", r"lacks the field 'spike' in `choices`", {},
    ),
    "a choice that is none": (
        lambda: _with_choices({**GOOD, "reset": "os.system"}), snnjax.ConfigError, "reset", r"`reset` of node 'a' is 'os.system'", {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("make, error, field, text, options", REFUSALS.values(), ids=REFUSALS.keys())
def test_what_build_refuses(make: Any, error: type[snnjax.SnnjaxError], field: str, text: str, options: dict[str, Any]) -> None:
    with pytest.raises(error, match=text) as caught:
        G.build(make(), **options)
    assert caught.value.field == field


def test_a_delay_cannot_be_built_for_a_step_that_is_traced() -> None:
    with pytest.raises(snnjax.ParameterError, match=r"`dt` of `build` must be a number that is there.*Build outside of `jit`") as caught:
        jax.jit(lambda dt: G.build(delayed(), dt=dt).simulate(jnp.ones((3, 2, 2)), dt=dt)[1])(DT)
    assert caught.value.field == "dt"
