"""From a network graph to one for a chip: populations, the matrices between them, what stays outside, what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conftest import require_traces

import snnjax
import snnjax.functional as F
from snnjax import dynapse, graph

DRAW = np.random.default_rng(5)
LIF = F.LIFParams(tau_mem=20e-3, tau_syn=10e-3)


def chain(*nodes: graph.Node, names: str | None = None) -> graph.Graph:
    """Nodes one after the other, between an Input and an Output."""
    full = [graph.Input(nodes[0].input_shape), *nodes, graph.Output(nodes[-1].output_shape)]
    labels = ["in", *(names.split() if names else [f"n{k}" for k in range(len(nodes))]), "out"]
    edges = [graph.Edge(a, b) for a, b in zip(labels, labels[1:], strict=False)]
    return graph.Graph(dict(zip(labels, full, strict=True)), edges)


def weights(*shape: int) -> np.ndarray:
    return DRAW.normal(size=shape)


def lif(n: int, params: Any = LIF, model: str = "lif", **choices: Any) -> graph.Neurons:
    return graph.Neurons(model, params, n, **choices)


def between(g: graph.Graph, source: str, target: str) -> np.ndarray:
    """The one matrix from `source` to `target`."""
    found = [e.target for e in g.edges if e.source == source and any(f.source == e.target and f.target == target for f in g.edges)]
    assert len(found) == 1
    return g.nodes[found[0]].weight


def test_merged_populations_are_those_of_the_trace() -> None:
    data = np.load(require_traces("dynapse") / "conv_merge_2_3_1.npz")
    nodes = [
        graph.Neurons("dynapse_dpi", F.DynapseParams(dynapse.lif_to_dynapse(F.LIFParams(tau, syn, v_th=float(th), bias=bias))), int(n))
        for n, tau, syn, th, bias in zip(*(data[k] for k in ("n_list", "tau_mem", "tau_syn", "threshold", "bias")), strict=True)
    ]
    merged = dynapse.merge(nodes)
    assert merged.input_shape == merged.output_shape == (int(data["n_out"]),)
    for name, current in dynapse.expanded(merged).items():
        np.testing.assert_allclose(current, data[f"out_{name}"], rtol=1e-12, err_msg=name)


def test_a_merged_population_keeps_what_is_set_gate_by_gate() -> None:
    gated = F.BiasCurrents(Itau_syn=F.Gates(ampa=1e-11, gaba=[2e-11, 3e-11]))
    node = graph.Neurons("dynapse_dpi", F.DynapseParams(gated), 2)
    assert dynapse.expanded(node)["Itau_syn.gaba"].tolist() == [2e-11, 3e-11]
    assert dynapse.expanded(dynapse.merge([node, node]))["Itau_syn.gaba"].tolist() == [2e-11, 3e-11] * 2


@pytest.mark.parametrize(
    ("nodes", "kind", "field"),
    [
        ([], snnjax.ShapeError, "nodes"),
        ([graph.Input(2)], snnjax.DTypeError, "nodes[0]"),
        ([graph.Neurons("lif", LIF, 2)], snnjax.DTypeError, "nodes[0]"),
        ([graph.Neurons("dynapse_dpi", F.DynapseParams(Iscale=scale), 2) for scale in (1e-8, 2e-8)], snnjax.HardwareError, "Iscale"),
        (
            [graph.Neurons("dynapse_dpi", F.DynapseParams(process=F.Process(C_mem=c)), 2) for c in (3e-12, 4e-12)],
            snnjax.HardwareError,
            "process",
        ),
        ([graph.Neurons("dynapse_dpi", F.DynapseParams(F.BiasCurrents(Idc=[1e-12] * 3)), 2)], snnjax.ShapeError, "Idc"),
    ],
)
def test_what_cannot_be_merged_is_refused(nodes: Any, kind: type[snnjax.SnnjaxError], field: str) -> None:
    with pytest.raises(kind) as refused:
        dynapse.merge(nodes)
    assert refused.value.field == field


def test_scalar_parameters_and_layers_of_any_number_are_lowered() -> None:
    w1, w2, w3 = weights(4, 3), weights(3, 5), weights(5, 2)
    g = chain(graph.Linear(w1), lif(3), graph.Linear(w2), lif(5), graph.Linear(w3), lif(2))
    lowered, report = dynapse.lower(g)
    assert graph.validate(lowered) == ()
    assert [lowered.nodes[name].weight.tolist() for name in ("n0", "n2", "n4")] == [w1.tolist(), w2.tolist(), w3.tolist()]
    assert {node.model for node in lowered.nodes.values() if isinstance(node, graph.Neurons)} == {"dynapse_dpi"}
    expected = dynapse.lif_to_dynapse(LIF)
    assert report["n3.Itau_mem"].asked == pytest.approx(expected.Itau_mem, rel=1e-15) and report.notes == ()


def test_projections_in_a_row_skip_edges_and_scales_become_one_matrix() -> None:
    w1, w2, scale = weights(3, 4), weights(4, 3), weights(3)
    nodes = {
        "in": graph.Input(3), "w1": graph.Linear(w1), "w2": graph.Linear(w2), "scale": graph.Scale(scale), "skip": graph.Alias(3),
        "hidden": lif(3), "out": graph.Output(3),
    }  # fmt: skip
    pairs = [("in", "w1"), ("w1", "w2"), ("w2", "scale"), ("scale", "hidden"), ("in", "skip"), ("skip", "hidden"), ("hidden", "out")]
    lowered, report = dynapse.lower(graph.Graph(nodes, [graph.Edge(*pair) for pair in pairs]))
    np.testing.assert_allclose(between(lowered, "in", "hidden"), (w1 @ w2) * scale + np.eye(3), rtol=1e-14)
    assert "`w1`, `w2`, `scale`" in report.notes[0] and graph.validate(lowered) == ()


def test_edges_with_indices_are_part_of_the_matrix() -> None:
    nodes = {"in": graph.Input((2, 2)), "hidden": lif(3), "out": graph.Output(3)}
    edges = [graph.Edge("in", "hidden", [3, 0], [0, 2]), graph.Edge("in", "hidden", [3], [0], adds=True), graph.Edge("hidden", "out")]
    lowered, _ = dynapse.lower(graph.Graph(nodes, edges))
    expected = np.zeros((4, 3))
    expected[3, 0], expected[0, 2] = 2.0, 1.0
    assert between(lowered, "in", "hidden").tolist() == expected.tolist() and graph.validate(lowered) == ()


def test_loops_and_recurrent_models_become_recurrent_matrices() -> None:
    w, back = weights(3, 3), weights(3, 3)
    loop = graph.Graph(
        {"in": graph.Input(3), "w": graph.Linear(w), "hidden": lif(3), "back": graph.Linear(back), "out": graph.Output(3)},
        [graph.Edge(*pair) for pair in [("in", "w"), ("w", "hidden"), ("hidden", "back"), ("back", "hidden"), ("hidden", "out")]],
    )
    inside = chain(graph.Linear(w), lif(3, {"neuron": LIF, "weight": back}, "recurrent(lif)"), names="w hidden")
    for g in (loop, inside):
        lowered, _ = dynapse.lower(g)
        assert between(lowered, "hidden", "hidden").tolist() == back.tolist()
        assert graph.recurrent(lowered).loops


def test_synapses_of_one_time_constant_become_one_and_others_are_refused() -> None:
    w = weights(4, 6)

    def with_taus(taus: Any) -> graph.Graph:
        node = lif(3, {"neuron": LIF, "tau_syn": taus}, "synapses(lif, 2)")
        nodes = {"in": graph.Input(4), "w": graph.Linear(w), "hidden": node, "out": graph.Output(3)}
        edges = [graph.Edge("in", "w"), graph.Edge("w", "hidden", np.arange(6), np.arange(6)), graph.Edge("hidden", "out")]
        return graph.Graph(nodes, edges)

    lowered, report = dynapse.lower(with_taus([8e-3, 8e-3]))
    np.testing.assert_allclose(between(lowered, "in", "hidden"), w[:, :3] + w[:, 3:], rtol=1e-15)
    assert report["hidden.Itau_syn"].asked == pytest.approx(dynapse.lif_to_dynapse(LIF._replace(tau_syn=8e-3)).Itau_syn)
    with pytest.raises(snnjax.GraphError, match="different `tau_syn`") as refused:
        dynapse.lower(with_taus([8e-3, 9e-3]))
    assert refused.value.field == "hidden"


def test_read_outs_stay_outside_of_the_chip() -> None:
    out = weights(3, 2)
    g = chain(
        graph.Linear(weights(4, 3)), lif(3), graph.Linear(out, np.ones(2)), graph.Neurons("leaky_integrator", F.LeakyIntegratorParams(), 2)
    )
    lowered, report = dynapse.lower(g)
    assert lowered.nodes["n2"] == g.nodes["n2"] and lowered.nodes["n3"] == g.nodes["n3"]
    assert report.notes == ("`n2`, `n3`: outside of the chip; computed from its spikes.",)


def test_a_bias_becomes_the_current_that_it_is_on_average() -> None:
    b = np.array([0.02, 0.0, 0.1])
    g = chain(graph.Linear(weights(4, 3), b), lif(3))
    with pytest.raises(snnjax.GraphError, match="give `dt`"):
        dynapse.lower(g)
    lowered, report = dynapse.lower(g, dt=1e-3)
    np.testing.assert_allclose(lowered.nodes["n1"].params["bias"]["Idc"], b * 10e-3 / 1e-3 * 1e-8, rtol=1e-14)
    assert "tau_syn / dt" in report.notes[0] and lowered.nodes["n0"].bias is None
    # The mean of the LIF's synaptic current under a jump of `b` at every step, once it is stationary.
    steps = np.broadcast_to(b, (400, 3)).astype(np.float32)
    _, i = F.simulate(F.lif, LIF._replace(v_th=1e6), steps, dt=1e-3, record=lambda state, _: state.i)
    mean = (np.asarray(i[-1]) * np.expm1(1e-3 / 10e-3)) * 10e-3 / 1e-3
    np.testing.assert_allclose(mean, b * 10e-3 / 1e-3, rtol=1e-4)


def test_a_negative_bias_is_reported_not_lost() -> None:
    lowered, report = dynapse.lower(chain(graph.Linear(weights(2, 2)), lif(2, LIF._replace(bias=-0.1))))
    assert lowered.nodes["n1"].params["bias"]["Idc"] == pytest.approx(-1e-9)
    assert any("`n1`: `Idc`" in problem for problem in report.problems)


def test_the_refractory_period_is_that_of_the_neurons() -> None:
    _, report = dynapse.lower(chain(graph.Linear(weights(2, 2)), lif(2, {"neuron": LIF, "t_ref": 5e-3}, "lif_refrac")))
    assert report["n1.Iref"].asked == pytest.approx(0.7 * 1.5e-12 / 5e-3)


def test_another_conversion_can_be_given() -> None:
    match = dynapse.match_lif(LIF)
    lowered, _ = dynapse.lower(chain(graph.Linear(weights(2, 2)), lif(2)), convert=lambda params: dynapse.match_lif(params).params)
    assert lowered.nodes["n1"].params["bias"]["Itau_mem"] == pytest.approx(float(match.params.bias.Itau_mem))
    assert lowered.nodes["n1"].params["Iscale"] == pytest.approx(float(match.params.Iscale))


def test_dpi_neurons_stay_what_they_are() -> None:
    node = graph.Neurons("dynapse_dpi", F.DynapseParams(), 2)
    lowered, _ = dynapse.lower(chain(graph.Linear(weights(2, 2)), node))
    assert lowered.nodes["n1"] == node


def test_nested_graphs_and_several_axes_are_lowered() -> None:
    inner = chain(graph.Linear(weights(4, 3)), lif(3), names="w hidden")
    g = chain(graph.Flatten((2, 2)), graph.SubGraph(inner), names="flat block")
    lowered, _ = dynapse.lower(g)
    assert graph.validate(lowered) == () and "block.hidden" in lowered.nodes
    assert between(lowered, "in", "block.hidden").tolist() == inner.nodes["w"].weight.tolist()


def test_too_many_synapses_and_reset_by_subtraction_are_noted() -> None:
    choices = {"reset": "reset_by_subtraction", "integrator": "exact"}
    _, report = dynapse.lower(chain(graph.Linear(weights(100, 2)), lif(2, choices=choices)))
    assert any("100 synapses" in note for note in report.notes) and any("by subtraction" in note for note in report.notes)


CONV = graph.Conv(np.ones((1, 1, 2)), input_shape=(1, 4), stride=(1,), padding=((0, 0),), dilation=(1,), groups=1)


@pytest.mark.parametrize(
    ("g", "field", "says"),
    [
        (chain(graph.Linear(weights(2, 2))), "g", "no neurons"),
        (chain(graph.Neurons("leaky", F.LeakyParams(), 2)), "n0", "has a synapse"),
        (chain(CONV, graph.Flatten((1, 3)), lif(3)), "n0", "Write it as a `Linear`"),
        (chain(graph.Delay(1e-3, 2), lif(2)), "n0", "no delays"),
        (chain(graph.Neurons("leaky_integrator", F.LeakyIntegratorParams(), 2), lif(2)), "n0", "Only spikes travel"),
        (chain(graph.Threshold(0.5, 2), lif(2)), "n0", "before the chip"),
        (
            graph.Graph(
                {"in": graph.Input(2), "a": graph.Alias(2), "b": graph.Scale(np.ones(2)), "n": lif(2), "out": graph.Output(2)},
                [graph.Edge(*pair) for pair in [("in", "a"), ("a", "b"), ("b", "a"), ("b", "n"), ("n", "out")]],
            ),
            "a",
            "loop without neurons",
        ),
        (chain(graph.Linear(np.ones((2, 2)), np.ones(2)), graph.Neurons("dynapse_dpi", F.DynapseParams(), 2)), "n0", "`Idc`"),
    ],
)
def test_what_a_chip_cannot_do_is_refused_with_a_way_out(g: graph.Graph, field: str, says: str) -> None:
    with pytest.raises(snnjax.GraphError, match=says) as refused:
        dynapse.lower(g)
    assert refused.value.field == field


def test_arguments_of_two_conversions_do_not_go_together() -> None:
    g = chain(graph.Linear(weights(2, 2)), lif(2))
    with pytest.raises(snnjax.ConfigError, match="replaces that") as refused:
        dynapse.lower(g, convert=lambda lif: dynapse.match_lif(lif).params, r_gain_mem=2.0)
    assert refused.value.field == "r_gain_mem"
    with pytest.raises(snnjax.DTypeError, match=r"return `\.params`"):
        dynapse.lower(g, convert=dynapse.match_lif)
    with pytest.raises(snnjax.ParameterError, match="must be > 0 s"):
        dynapse.lower(chain(graph.Linear(weights(2, 2), np.ones(2)), lif(2)), dt=-1.0)
    with pytest.raises(snnjax.GraphError, match="problem"):
        dynapse.lower(graph.Graph({"in": graph.Input(2)}, []))


def test_a_lowered_network_runs_as_the_same_somas_do_by_hand() -> None:
    w1, w2, back = 20.0 * np.abs(weights(4, 3)), 20.0 * np.abs(weights(3, 2)), weights(3, 3)
    nodes = {
        "in": graph.Input(4), "w1": graph.Linear(w1), "a": lif(3), "back": graph.Linear(back), "w2": graph.Linear(w2), "b": lif(2),
        "out": graph.Output(2),
    }  # fmt: skip
    pairs = [("in", "w1"), ("w1", "a"), ("a", "back"), ("back", "a"), ("a", "w2"), ("w2", "b"), ("b", "out")]
    lowered, _ = dynapse.lower(graph.Graph(nodes, [graph.Edge(*pair) for pair in pairs]))
    x = (DRAW.random((60, 4)) < 0.3).astype(np.float32)
    _, spikes = graph.build(lowered).simulate(x, dt=1e-3)

    params = F.DynapseParams(dynapse.lif_to_dynapse(LIF))
    a, b, before, found = F.dynapse_dpi_init(params, (3,)), F.dynapse_dpi_init(params, (2,)), np.zeros(3, np.float32), []
    for now in x:
        a, before_next = F.dynapse_dpi_step(params, a, (now @ w1 + before @ back).astype(np.float32), dt=1e-3)
        b, out = F.dynapse_dpi_step(params, b, (np.asarray(before_next) @ w2).astype(np.float32), dt=1e-3)
        before = np.asarray(before_next)
        found.append(np.asarray(out))
    assert np.sum(found) > 0
    assert np.asarray(spikes).tolist() == np.asarray(found).tolist()
