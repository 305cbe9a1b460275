"""Graphs through NIR, a file, and back: equal spikes; what is lost is said; what is wrong is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from graph_reference import reference
from topologies import TOPOLOGIES, inputs_of, only

from snnjax import ConfigError, DTypeError, GraphError, ParameterError, ShapeError, graph, somas
from snnjax import functional as F
from snnjax.interop import nir

DT = 1e-3
LIF = {"tau_mem": 0.02, "tau_syn": 5e-3, "v_leak": 0.0, "v_th": 1.0, "v_reset": 0.0, "bias": 0.0}


def lif_graph(**changed: Any) -> graph.Graph:
    return graph.of(somas.LIFSomaConfig(shape=(3,), **changed).build())


package: Any = pytest.importorskip("nir", reason='needs the extra: pip install "snnjax[nir]"')


def through_a_file(made: Any, tmp_path: Path) -> Any:
    package.write(tmp_path / "net.nir", made)
    package.read(tmp_path / "net.nir")  # the types are in order
    return nir.read(tmp_path / "net.nir")


def simulated(g: graph.Graph, inputs: Any) -> dict[str, np.ndarray]:
    out = graph.build(g, dt=DT).simulate(inputs, dt=DT)[1]
    return {name: np.asarray(it) for name, it in (out.items() if isinstance(out, dict) else [("", out)])}


def assert_same(a: graph.Graph, b: graph.Graph, inputs: Any) -> None:
    mine, yours = simulated(a, inputs), simulated(b, inputs)
    assert mine.keys() == yours.keys() and sum(np.abs(it).sum() for it in mine.values()) > 0
    for name, it in mine.items():
        np.testing.assert_array_equal(it, yours[name])


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_a_network_comes_back_with_the_same_spikes(name: str, tmp_path: Path) -> None:
    g = TOPOLOGIES[name](np.float32)
    if name == "chain":  # its second layer is refractory
        strict = g.nodes["strict"]
        assert isinstance(strict, graph.Neurons)
        g = graph.replace(g, "strict", graph.Neurons("lif", strict.params["neuron"], strict.shape))
    made, report = nir.to_nir(g, dt=DT)
    assert report.problems == ()
    again, _ = nir.from_nir(through_a_file(made, tmp_path), dt=DT)
    assert_same(g, again, only(inputs_of(g, dtype=np.float32)))


def tangled(rng: np.random.Generator) -> graph.Graph:
    """Neurons in any number of cycles, through all sorts of edges, in any order."""
    n = 3
    names = [f"{letter}{k}" for k, letter in enumerate("zyxwv"[: rng.integers(2, 6)])]
    nodes: dict[str, graph.Node] = {name: graph.Neurons("lif", {**LIF, "tau_mem": 8e-3}, n) for name in names}
    nodes |= {"in": graph.Input(n), "out": graph.Output(n)}
    edges = [graph.Edge(*pair) for name in names for pair in (("in", name), (name, "out")) if rng.random() < 0.6]
    for a, b in [(a, b) for a in names for b in names if rng.random() < 0.4]:
        kind = rng.integers(3)
        if kind == 0:
            nodes[f"{a}_{b}"] = graph.Linear(rng.normal(0.3, 1.0, (n, n)))
            edges += [graph.Edge(a, f"{a}_{b}"), graph.Edge(f"{a}_{b}", b)]
        else:
            some = [rng.permutation(n)[:2] if kind == 1 else None for _ in range(2)]
            edges.append(graph.Edge(a, b, *some))
    order = rng.permutation(list(nodes)).tolist()
    return graph.Graph({name: nodes[name] for name in order}, [edges[k] for k in rng.permutation(len(edges))])


def test_cycles_come_back_with_their_delays_where_they_were() -> None:
    inputs, found = {"in": 3.0 * (np.random.default_rng(0).random((25, 3)) < 0.4)}, 0
    for seed in range(60):
        g = tangled(np.random.default_rng(seed))
        if graph.validate(g):
            continue
        again, _ = nir.from_nir(nir.to_nir(g, dt=DT)[0], dt=DT)
        mine, yours = (reference(it, inputs, DT, set(graph.back_edges(it)))["out"] for it in (g, again))
        np.testing.assert_allclose(yours, mine, atol=1e-9)
        found += len(graph.back_edges(g)) > 1
    assert found > 15


@pytest.mark.parametrize("dt", [None, 1e-4])
def test_a_hint_makes_the_step_of_the_export_irrelevant(dt: Any, tmp_path: Path) -> None:
    g = TOPOLOGIES["two_layer_recurrence"](np.float32)
    made, _ = nir.to_nir(g, dt=dt)
    assert_same(g, nir.from_nir(through_a_file(made, tmp_path), dt=DT)[0], only(inputs_of(g, dtype=np.float32)))


def forgotten(made: Any) -> Any:
    """Without metadata, as a tool may hand it on."""
    made.metadata = {}
    for node in getattr(made, "nodes", {}).values():
        forgotten(node)
    return made


@pytest.mark.parametrize("tool", [F.euler, F.exact, F.exponential_euler], ids=lambda it: it.name)
@pytest.mark.parametrize("name", ["join", "multi_synapse"])
def test_written_for_the_integrator_of_a_tool_its_steps_are_ours(name: str, tool: F.Integrator) -> None:
    g = TOPOLOGIES[name]()
    made = forgotten(nir.to_nir(g, dt=DT, integrator=tool)[0])
    again, _ = nir.from_nir(made, dt=DT, integrator=tool, synapse="jump")
    with jax.enable_x64(True):
        assert_same(g, again, only(inputs_of(g)))


def test_a_reset_by_subtraction_an_integrator_a_bias_and_shared_numbers_come_back(tmp_path: Path) -> None:
    g = lif_graph(tau_mem=7e-3, bias=0.3, v_leak=-0.2, v_reset=-0.4, reset=F.reset_by_subtraction, integrator=F.euler)
    made, report = nir.to_nir(g, dt=DT)
    assert np.allclose(made.nodes["lif"].v_leak, 0.1) and np.allclose(made.nodes["lif"].v_reset, -0.4)
    assert np.allclose(made.nodes["lif"].w_in, 5.0)  # tau_syn / dt
    assert any("reset by subtraction is kept as a hint" in note for note in report.notes)
    assert any("`bias` is in `v_leak`" in note for note in report.notes)
    again, report = nir.from_nir(through_a_file(made, tmp_path), dt=DT)
    assert again == g
    assert "lif: `reset_by_subtraction` and `euler`: from the hint in the file." in report.notes


def test_what_is_asked_for_goes_before_the_hint() -> None:
    made, _ = nir.to_nir(lif_graph(reset=F.reset_by_subtraction, integrator=F.euler), dt=DT)
    g, _ = nir.from_nir(made, dt=DT, integrator=F.exact, reset=F.reset_to_value)
    assert g == lif_graph()
    held, _ = nir.from_nir(made, dt=DT, synapse="held")
    assert isinstance(held.nodes["lif"], graph.SubGraph)


def test_a_hint_does_not_outlive_a_change_of_its_node() -> None:
    made, _ = nir.to_nir(lif_graph(), dt=DT)
    made.nodes["lif"].tau_mem[1] = 0.05
    g, _ = nir.from_nir(made, dt=DT, synapse="jump")
    (name,) = graph.find(g, model="lif")
    assert g.nodes[name].params["tau_mem"][1] == np.float32(0.05)  # type: ignore[union-attr]


def test_a_hint_that_is_not_ours_is_ignored() -> None:
    text = nir.to_nir(lif_graph(), dt=DT)[0].nodes["lif"].metadata["snnjax"]["node"]
    bad = [
        text.replace("0.0199", "-0.0199"),
        text.replace('"lif"', '"dynapse_dpi"'),
        text.replace('"node"', '"other"'),
        "{}",
        "x",
        3.0,
        None,
    ]
    steps = [{"dt": 0.0}, {"dt": "y"}, {"dt": np.nan}, {"dt": DT, "tool": "x"}]
    for hint in ("lif", *({"node": it} for it in bad), *({"node": text, **it} for it in steps)):
        made, _ = nir.to_nir(lif_graph(), dt=DT)
        made.nodes["lif"].metadata = {"snnjax": hint}
        assert nir.from_nir(made, dt=DT)[0] == nir.from_nir(forgotten(made), dt=DT)[0]


@pytest.mark.parametrize("form", ["held", "jump"])
def test_what_comes_from_nir_goes_back_to_the_same_node(form: str) -> None:
    n, rng = 4, np.random.default_rng(0)
    fields = {name: rng.uniform(1e-3, 30e-3, n) for name in ("tau_mem", "tau_syn")} | {"v_leak": rng.normal(size=n)}
    made = package.NIRGraph.from_list(package.CubaLI(**fields, r=np.full(n, 2.0), w_in=rng.normal(size=n)))
    g, _ = nir.from_nir(made, dt=DT, synapse=form)
    node = nir.to_nir(g, dt=DT)[0].nodes["cubali"]
    for name, value in fields.items():
        np.testing.assert_array_equal(getattr(node, name), value)
    np.testing.assert_allclose(node.r * node.w_in, 2.0 * made.nodes["cubali"].w_in, rtol=1e-12)


REFRACTORY = graph.of(somas.LIFRefracSomaConfig(shape=(2,)).build())
ADAPTIVE = graph.of(somas.AdaptiveLeakySomaConfig(shape=(2,), t_ref=0.0).build())
SURROGATE = lif_graph(spike=F.tanh(slope=3.0))


@pytest.mark.parametrize(
    ("g", "field", "words"),
    [
        (REFRACTORY, "t_ref", "NIR has no refractory period: `t_ref` (up to 0.002 s) is left out."),
        (ADAPTIVE, "delta_th", "NIR has no adaptation: `tau_th`, `delta_th` are left out."),
        (SURROGATE, "spike", "NIR has no surrogate gradients: `tanh` is left out, and reading back gives the default."),
    ],
    ids=["refractory", "adaptive", "surrogate"],
)
def test_what_is_lost_is_refused_or_said(g: graph.Graph, field: str, words: str) -> None:
    with pytest.raises(GraphError, match="NIR cannot carry all of this graph") as caught:
        nir.to_nir(g, dt=DT)
    assert caught.value.field == field and words in str(caught.value) and isinstance(caught.value.value, nir.Report)
    made, report = nir.to_nir(g, dt=DT, on_loss="report")
    assert len(report.problems) == 1 and report.problems[0].endswith(words) and words in str(report)
    again, _ = nir.from_nir(made, dt=DT)
    nir.to_nir(again, dt=DT)  # nothing left to lose


def test_nothing_is_lost_where_a_feature_is_switched_off() -> None:
    off = graph.of(somas.AdaptiveLeakySomaConfig(shape=(2,), t_ref=0.0, delta_th=0.0).build())
    assert nir.to_nir(off, dt=DT)[1].problems == ()


def test_the_recurrent_weight_becomes_a_loop() -> None:
    weight = np.arange(9.0, dtype=np.float32).reshape(3, 3)
    params = {"neuron": lif_graph().nodes["lif"].params, "weight": weight}  # type: ignore[union-attr]
    nodes = {"in": graph.Input(3), "n": graph.Neurons("recurrent(lif)", params, 3), "out": graph.Output(3)}
    g = graph.Graph(nodes, [graph.Edge("in", "n"), graph.Edge("n", "out")])
    made, _ = nir.to_nir(g, dt=DT)
    np.testing.assert_array_equal(made.nodes["n_recurrent"].weight, weight.T)
    again, report = nir.from_nir(made, dt=DT)
    assert_same(g, again, (np.random.default_rng(0).random((50, 3)) < 0.3).astype(np.float32))
    assert any("the edge closes a cycle" in note for note in report.notes)


@pytest.mark.parametrize("node", [graph.Alias(3), graph.Activation("identity", 3), graph.Delay(2e-3, 3), graph.Threshold(0.5, 3)])
def test_nodes_with_a_hint_come_back_as_they_were(node: graph.Node, tmp_path: Path) -> None:
    g = graph.Graph({"b": graph.Input(3), "a": node, "0": graph.Output(3)}, [graph.Edge("b", "a"), graph.Edge("a", "0")])
    again, _ = nir.from_nir(through_a_file(nir.to_nir(g)[0], tmp_path), dt=DT)
    assert again == g and list(again.nodes) == ["b", "a", "0"]  # a file has them by the alphabet


def test_convolutions_and_pools_come_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    conv = graph.Conv(rng.normal(size=(4, 2, 3, 3)), rng.normal(size=4), input_shape=(2, 8, 8), stride=(1, 2), padding=1, dilation=2)
    even = graph.Conv(rng.normal(size=(3, 4, 2, 2)), rng.normal(size=3), input_shape=conv.output_shape, padding=((0, 1), (0, 1)))
    pool = graph.Pool("average", input_shape=even.output_shape, kernel_size=2, stride=(2, 1), padding=(1, 0))
    nodes = {"input": graph.Input((2, 8, 8)), "conv": conv, "even": even, "pool": pool}
    nodes |= {"flat": graph.Flatten(pool.output_shape, 1), "output": graph.Output((3, int(np.prod(pool.output_shape[1:]))))}
    names = list(nodes)
    g = graph.Graph(nodes, [graph.Edge(*pair) for pair in zip(names[:-1], names[1:], strict=True)])
    made, _ = nir.to_nir(g)
    assert made.nodes["even"].padding == "same"
    assert nir.from_nir(through_a_file(made, tmp_path), dt=DT)[0] == g


def test_groups_are_kept_although_nir_forgets_them() -> None:
    conv = graph.Conv(np.ones((4, 1, 3)), np.zeros(4), input_shape=(2, 8), groups=2)
    g = graph.Graph({"i": graph.Input((2, 8)), "c": conv, "o": graph.Output((4, 6))}, [graph.Edge("i", "c"), graph.Edge("c", "o")])
    made, report = nir.to_nir(g)
    assert nir.from_nir(made, dt=DT)[0] == g and "nir 1.0.8 forgets `groups`" in report.notes[0]


def test_bfloat16_and_integers_are_written_as_floats(tmp_path: Path) -> None:
    weight = jax.numpy.ones((3, 2), jax.numpy.bfloat16)
    nodes = {"i": graph.Input(3), "w": graph.Linear(weight, np.arange(2)), "o": graph.Output(2)}
    made, _ = nir.to_nir(graph.Graph(nodes, [graph.Edge("i", "w"), graph.Edge("w", "o")]))
    assert made.nodes["w"].weight.dtype == np.float32 and made.nodes["w"].bias.dtype == np.float64
    through_a_file(made, tmp_path)


def graph_of(node: graph.Node) -> graph.Graph:
    nodes = {"i": graph.Input(node.input_shape), "node": node, "o": graph.Output(node.output_shape)}
    return graph.Graph(nodes, [graph.Edge("i", "node"), graph.Edge("node", "o")])


DPI = F.DynapseParams()


@pytest.mark.parametrize(
    ("node", "field", "words"),
    [
        (graph.Activation("relu", 3), "function", "the activation 'relu'"),
        (graph.Pool("max", input_shape=(1, 4, 4), kernel_size=2), "kind", "the 'max' of windows over 2 axes"),
        (graph.Pool("sum", input_shape=(1, 4), kernel_size=2), "kind", "the 'sum' of windows over 1 axes"),
        (graph.Conv(np.ones((1, 1, 3)), input_shape=(1, 8), padding=((0, 1),)), "padding", "not the same before and after"),
        (graph.Neurons("dynapse_dpi", DPI, 3), "model", "the model 'dynapse_dpi'"),
        (graph.Neurons("delta(lif)", LIF, 3), "model", "the model 'delta(lif)'"),
        (
            graph.Neurons("recurrent(synapses(lif, 2))", {"neuron": {"neuron": LIF, "tau_syn": 5e-3}, "weight": np.zeros((2, 3, 3))}, 3),
            "weight",
            "a recurrent weight per synapse",
        ),
        (
            graph.Neurons("synapses(lif, 2)", {"neuron": LIF, "tau_syn": 5e-3}, (2, 3)),
            "shape",
            "synapses of a population with several axes",
        ),
    ],
)
def test_what_nir_has_no_words_for_is_refused(node: graph.Node, field: str, words: str) -> None:
    with pytest.raises(GraphError, match="NIR has no words for") as caught:
        nir.to_nir(graph_of(node), dt=DT, on_loss="report")
    assert caught.value.field == field and words in str(caught.value) and "'node'" in str(caught.value)


def test_an_integrator_that_there_is_not_is_refused() -> None:
    with pytest.raises(GraphError, match="name the integrator 'leapfrog'; there are exact") as caught:
        nir.to_nir(graph_of(graph.Neurons("lif", LIF, 2, {"integrator": "leapfrog"})), dt=DT)
    assert caught.value.field == "integrator"


def test_channels_by_number_into_several_axes_are_refused() -> None:
    nodes = {"i": graph.Input(4), "o": graph.Output((2, 2))}
    g = graph.Graph(nodes, [graph.Edge("i", "o", source_indices=[0, 1, 3, 2])])
    with pytest.raises(GraphError, match="'i -> o': NIR has no words for channels by number into the axes") as caught:
        nir.to_nir(g)
    assert caught.value.field == "target_indices"


def test_a_bias_of_integrate_and_fire_is_lost() -> None:
    node = graph.Neurons("integrate_and_fire", {"tau_mem": 0.02, "resistance": 1.0, "v_th": 1.0, "v_reset": 0.0, "bias": 0.1}, 2)
    with pytest.raises(GraphError, match="NIR's IF has no `bias`"):
        nir.to_nir(graph_of(node))


@pytest.mark.parametrize(
    ("arguments", "error", "field", "words"),
    [
        ({"g": 3}, DTypeError, "g", "`g` of `to_nir` must be a Graph; got the int 3"),
        ({"g": graph.Graph({"i": graph.Input(2)}, [])}, GraphError, "g", "leads to no Output"),
        ({"dt": 0.0}, ParameterError, "dt", "`dt` must be > 0 s"),
        ({"dt": "1 ms"}, DTypeError, "dt", "`dt` must be one real number"),
        ({"on_loss": "ignore"}, ConfigError, "on_loss", '`on_loss` must be "raise" or "report"; got \'ignore\''),
        ({"integrator": "euler", "dt": DT}, ConfigError, "integrator", "`integrator` must be `F.exact`"),
        ({"integrator": F.euler}, ConfigError, "dt", "asks for the steps of a tool, but `dt` is not given"),
        ({"integrator": F.exact, "dt": 6e-3, "g": lif_graph(integrator=F.euler)}, ParameterError, "dt", "as long as a time constant"),
        ({"onloss": "raise"}, ConfigError, "onloss", "Did you mean `on_loss`"),
    ],
)
def test_wrong_arguments_of_to_nir(arguments: Any, error: type, field: str, words: str) -> None:
    with pytest.raises(error) as caught:
        nir.to_nir(**{"g": lif_graph(), **arguments})
    assert caught.value.field == field and words in str(caught.value)


def one(**changed: Any) -> Any:
    fields = {"tau": np.full(2, 0.02), "r": np.ones(2), "v_leak": np.zeros(2), "v_threshold": np.ones(2), "v_reset": np.zeros(2)}
    return package.NIRGraph.from_list(package.LIF(**{**fields, **changed}))


@pytest.mark.parametrize(
    ("arguments", "error", "field", "words"),
    [
        ({"nir_graph": "net.nir"}, DTypeError, "nir_graph", "Read a file first: `nir.read(path)`"),
        ({"dt": -1.0}, ParameterError, "dt", "`dt` must be > 0 s"),
        ({"time_unit": "min"}, ConfigError, "time_unit", '`time_unit` must be "s", "ms", "steps"'),
        ({"time_unit": 0.0}, ParameterError, "time_unit", "`time_unit` must be > 0 s"),
        ({"nir_graph": one(tau=np.full(2, 20.0))}, ParameterError, "time_unit", "`tau` is 20. Are these seconds? NIR does not say."),
        ({"integrator": F.SpikingConfig()}, ConfigError, "integrator", "`integrator` must be"),
        ({"reset": "subtract"}, ConfigError, "reset", "`reset` must be `F.reset_to_value` or"),
        ({"reset": lambda v, s, p: v}, ConfigError, "reset", "a function of your own"),
        ({"synapse": "alpha"}, ConfigError, "synapse", '`synapse` must be "held" or "jump"'),
        ({"dt": 0.03, "integrator": F.euler}, ParameterError, "dt", "'lif': `dt` = 0.03 s is longer than `tau` = 0.02 s"),
        (
            {"nir_graph": one(tau=np.array([0.02, -1.0]))},
            GraphError,
            "nir_graph",
            "`tau_mem` must be > 0 s and finite; got -1.0 at index 1 of 2",
        ),
        ({"nir_graph": one(v_threshold=np.zeros(2))}, GraphError, "nir_graph", "`v_reset` must be below `v_th`"),
        ({"nir_graph": one(r=np.array([1.0, np.nan]))}, GraphError, "nir_graph", "must be finite"),
        ({"nir_graph": one(r=np.ones(2, complex))}, DTypeError, "r", "`r` must be an array of real numbers; got complex128"),
        ({"nir_graph": one(r=np.ones(2, "V2"))}, DTypeError, "r", "It looks like bfloat16, which HDF5 cannot hold"),
    ],
)
def test_wrong_arguments_of_from_nir(arguments: Any, error: type, field: str, words: str) -> None:
    with pytest.raises(error) as caught:
        nir.from_nir(**{"nir_graph": one(), "dt": DT, **arguments})
    assert caught.value.field == field and words in str(caught.value)


def test_seconds_above_one_are_taken_where_someone_vouches_for_them() -> None:
    g, _ = nir.from_nir(one(tau=np.full(2, 20.0)), dt=DT, time_unit="s")
    assert float(g.nodes["lif"].params["tau_mem"][0]) == 20.0  # type: ignore[union-attr]


def chain(*nodes: Any, names: Any = None, ends: tuple[Any, Any] = ((2,), (2,))) -> Any:
    named = dict(zip(names or [f"n{k}" for k in range(len(nodes))], nodes, strict=True))
    made = {"input": package.Input(None if ends[0] is None else np.array(ends[0])), **named}
    made["output"] = package.Output(None if ends[1] is None else np.array(ends[1]))
    keys = list(made)
    return package.NIRGraph(made, list(zip(keys[:-1], keys[1:], strict=True)), type_check=False)


def test_where_neurons_start_is_said() -> None:
    _, report = nir.from_nir(one(v_leak=np.full(2, -0.1)), dt=DT)
    assert report.notes == ("Neurons start at `v_leak`, integrators without leak at `v_reset`; NIR does not say where.",)


def test_numbers_without_axes_are_for_all_neurons_that_arrive() -> None:
    """As Norse writes them."""
    number = np.array(0.02)
    made = chain(package.LIF(tau=number, r=number, v_leak=0 * number, v_threshold=number, v_reset=-number), package.Scale(np.array(2.0)))
    g, _ = nir.from_nir(made, dt=DT)
    assert g.nodes["n0"].output_shape == (2,) and g.nodes["n1"].scale.tolist() == [2.0, 2.0]  # type: ignore[union-attr]


def test_names_that_a_graph_cannot_have_are_changed_and_said() -> None:
    scale = package.Scale(np.ones(2))
    g, report = nir.from_nir(chain(scale, scale, scale, names=["a/b", "a_b", "ü b."]), dt=DT)
    assert list(g.nodes) == ["input", "a_b_2", "a_b", "__b._", "output"]
    assert report.notes[0] == "a_b_2: It was called 'a/b'."


@pytest.mark.parametrize(
    ("made", "error", "words"),
    [
        (lambda: chain(package.Linear(np.ones((2, 3)))), GraphError, "The source gives (2,), the target takes (3,)"),
        (lambda: chain(package.Linear(np.ones((4, 2, 2)))), ShapeError, "'n0': `weight` must have two axes, (out, in)"),
        (lambda: chain(package.SumPool2d(2, 2, 0)), ShapeError, "'n0' pools over two axes"),
        (lambda: chain(package.Flatten(None), ends=(None, None)), GraphError, "nothing of known shape leads to it"),
        (lambda: chain(package.Flatten(None, 1)), ShapeError, "'n0': `start` of `Flatten` must be one of the 1 axes"),
        (lambda: chain(package.ir.graph.Identity({"input": np.array([2])})), GraphError, "'n0' is a Identity; `from_nir` knows Affine"),
        (lambda: package.NIRGraph({"i": package.Input(np.array([2]))}, [("i", "x")], type_check=False), GraphError, "names the node 'x'"),
        (
            lambda: chain(package.Conv1d(9, np.ones((1, 1, 3)), 2, "same", 1, 1, np.zeros(1)), ends=((1, 9), (1, 9))),
            GraphError,
            "\"same\" with a stride of 1",
        ),
        (lambda: chain(package.Conv2d((9, 9), np.ones((1, 1, 3)), 1, 0, 1, 1, None)), ShapeError, "`weight` must have 4 axes"),
        (lambda: chain(package.Conv1d(None, np.ones((1, 1, 3)), 1.5, 0, 1, 1, None)), ShapeError, "`stride` must be an integer"),
    ],
)  # fmt: skip
def test_wrong_nir_graphs_are_refused_by_name(made: Any, error: type, words: str) -> None:
    with pytest.raises(error) as caught:
        nir.from_nir(made(), dt=DT)
    assert words in str(caught.value)


def test_a_graph_that_contains_itself_is_refused() -> None:
    made = chain(package.Scale(np.ones(2)))
    made.nodes["n0"] = made
    with pytest.raises(GraphError, match="nested 8 deep; .* is deeper, or contains itself"):
        nir.from_nir(made, dt=DT)


def test_two_ports_of_a_nested_graph_are_refused() -> None:
    inner = chain(package.Scale(np.ones(2)))
    inner.nodes["other"] = package.Output(np.array([2]))
    inner.edges.append(("n0", "other"))
    with pytest.raises(GraphError, match="'n0' is a graph with the outputs output, other; edges of NIR cannot say"):
        nir.from_nir(chain(inner), dt=DT)


def test_fields_of_different_lengths_are_refused() -> None:
    made = one()
    made.nodes["lif"].r = np.ones(3)
    with pytest.raises(ShapeError, match=r"node 'lif': `r` has shape \(3,\), but what arrives has \(2,\)") as caught:
        nir.from_nir(made, dt=DT)
    assert caught.value.field == "r"


def test_delays_that_are_no_whole_steps_are_said() -> None:
    _, report = nir.from_nir(chain(package.Delay(np.array([1e-3, 2.4e-3]))), dt=DT)
    assert report.notes == ("n0: It is no whole number of steps of 0.001 s: 2.4 at most. It is rounded.",)


def test_a_large_graph_takes_no_quadratic_time() -> None:
    n = 3000
    made, _ = nir.to_nir(graph.Graph(
        {"i": graph.Input(1), **{f"s{k}": graph.Scale(np.ones(1)) for k in range(n)}, "o": graph.Output(1)},
        [graph.Edge("i", "s0"), *(graph.Edge(f"s{k}", f"s{k + 1}") for k in range(n - 1)), graph.Edge(f"s{n - 1}", "o")],
    ))  # fmt: skip
    assert len(nir.from_nir(made, dt=DT)[0].nodes) == n + 2
