"""Every kind of problem is found, all of them at once, with where, what and how."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from conftest import examples
from graphs import LEAKY, LIF, TOPOLOGIES, edges, graphs, lif, linear, path
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

import snnjax
import snnjax.functional as F
from snnjax import graph as G
from snnjax.graph._models import model_named

NAN = float("nan")


def between(node: G.Node) -> G.Graph:
    """The node between an input and an output that fit."""
    return path({"in": G.Input(node.input_shape), "node": node, "out": G.Output(node.output_shape)})


def wired(*more: G.Edge, **nodes: G.Node) -> G.Graph:
    """An input and an output of four channels, joined, and whatever else."""
    return G.Graph({"in": G.Input(4), **nodes, "out": G.Output(4)}, [G.Edge("in", "out"), *more])


def block(n: int = 4, **nodes: G.Node) -> G.SubGraph:
    return G.SubGraph(G.Graph({"x": G.Input(n), **nodes, "y": G.Output(n)}, edges(("x", "y"))))


def neurons(model: str, params: Any, shape: Any = 4) -> G.Graph:
    return between(G.Neurons(model, params, shape))


def tau(value: Any) -> G.Graph:
    return neurons("lif", {**LIF, "tau_mem": value})


REFRACTORY = {"neuron": LIF, "t_ref": 2e-3}
TWO = {"neuron": LEAKY, "tau_syn": [2e-3, 50e-3]}

#: The graph; then of its only problem: kind, where, what, how.
ONE = {
    # Names
    "no name": (
        path({"": G.Input(2), "out": G.Output(2)}),
        ("name", "node ''", "The name is empty", "`rename` it: names are letters, digits"),
    ),
    "a slash": (path({"a/b": G.Input(2), "out": G.Output(2)}), ("name", "node 'a/b'", "has a `/`, which separates a block", "`rename` it")),
    "a space": (path({"a b": G.Input(2), "out": G.Output(2)}), ("name", "node 'a b'", "The name is 'a b'", "`rename` it")),
    "two dots": (path({"a..b": G.Input(2), "out": G.Output(2)}), ("name", "node 'a..b'", "The name is", "single dots")),
    "a line break": (path({"a\nb": G.Input(2), "out": G.Output(2)}), ("name", r"node 'a\nb'", "The name is", "`rename` it")),
    "a letter that looks like another": (path({"\u0430": G.Input(2), "out": G.Output(2)}), ("name", "node", "The name is", "`rename` it")),
    "a long name": (path({"n" * 129: G.Input(2), "out": G.Output(2)}), ("name", "node 'nnn", "The name is", "at most 128")),
    # Edges
    "no such target": (
        wired(G.Edge("in", "uot")),
        ("edge", "edge 1, 'in' -> 'uot'", "Its `target` 'uot' is not a node", "Did you mean `out`"),
    ),
    "no such source": (
        wired(G.Edge("nin", "out")),
        ("edge", "edge 1, 'nin' -> 'out'", "Its `source` 'nin' is not a node", "Did you mean `in`"),
    ),
    "into an input": (wired(G.Edge("in", "in")), ("edge", "edge 1", "Its `target` is an Input, which has no inputs", "Use an `Alias`")),
    "out of an output": (
        wired(G.Edge("out", "out")),
        ("edge", "edge 1", "Its `source` is an Output, which has no outputs", "Use an `Alias`"),
    ),
    "a port of a plain node": (
        G.Graph({"in": G.Input(4), "a": G.Alias(4), "out": G.Output(4)}, [*edges(("in", "a"), ("a", "out")), G.Edge("a/x", "out")]),
        ("edge", "edge 2, 'a/x' -> 'out'", "Its `source` 'a/x' has no such port", "The outputs are `a`"),
    ),
    "a port of an input": (
        G.Graph({"in": G.Input(4), "out": G.Output(4)}, edges(("in/x", "out"))),
        ("edge", "edge 0, 'in/x' -> 'out'", "Its `source` 'in/x' has no such port", "The outputs are `in`"),
    ),
    "a port twice, under two names": (
        G.Graph({"in": G.Input(4), "b": block(), "out": G.Output(4)}, edges(("in", "b"), ("in", "b/x"), ("b/y", "out"))),
        ("double", "edge 1, 'in' -> 'b/x'", "by an earlier edge already", "adds=True"),
    ),
    "no such port": (
        wired(G.Edge("in", "b/z", adds=True), G.Edge("in", "b"), G.Edge("b", "out", adds=True), b=block()),
        ("edge", "edge 1, 'in' -> 'b/z'", "Its `target` 'b/z' has no such port", "The inputs are `b/x`"),
    ),
    "several ports": (
        wired(
            G.Edge("in", "b"),
            G.Edge("in", "b/x"),
            G.Edge("in", "b/z"),
            G.Edge("b/y", "out", adds=True),
            b=G.SubGraph(G.Graph({"x": G.Input(4), "z": G.Input(4), "y": G.Output(4)}, edges(("x", "y"), ("z", "y")))),
        ),
        ("edge", "edge 1, 'in' -> 'b'", "Its `target` 'b' has several ports", "The inputs are `b/x`, `b/z`"),
    ),
    # Shapes and indices
    "another size": (
        wired(G.Edge("in", "a"), G.Edge("a", "out", [0] * 4, range(4)), a=G.Alias(3)),
        ("shape", "edge 1", r"The source gives \(4,\), the target takes \(3,\)", "Say which channels go where"),
    ),
    "another shape": (
        path({"in": G.Input((2, 3)), "out": G.Output(6)}),
        ("shape", "edge 0", "The source gives", "Put a `Flatten` between"),
    ),
    "an index too large": (
        wired(G.Edge("in", "out", [4], [0])),
        ("index", "edge 1", r"`source_indices` must be from 0 to 3; got 4 \(1 bad\)", "from 0"),
    ),
    "a negative index": (
        wired(G.Edge("in", "out", [0, 1], [-1, 2])),
        ("index", "edge 1", "`target_indices` must be from 0 to 3; got -1", "from 0"),
    ),
    "unequal counts": (
        wired(G.Edge("in", "out", [0, 1], [2])),
        ("index", "edge 1", "It takes 2 channels from the source and gives 1", "as many"),
    ),
    "indices on one side": (
        wired(G.Edge("in", "out", [0, 1])),
        ("index", "edge 1", "takes 2 channels from the source and gives 4", "as many"),
    ),
    # Double connections
    "an edge twice": (
        wired(G.Edge("in", "out")),
        ("double", "edge 1", "reaches a channel of the target by an earlier edge", "say `adds=True`"),
    ),
    "a channel twice": (
        wired(G.Edge("in", "out", [1, 2], [0, 2])),
        ("double", "edge 1", "by an earlier edge already", "Leave the edge out"),
    ),
    "a channel before all": (
        G.Graph({"in": G.Input(4), "out": G.Output(4)}, [G.Edge("in", "out", [1, 2], [0, 2]), G.Edge("in", "out")]),
        ("double", "edge 1", "by an earlier edge already", ""),
    ),
    "two channels to one": (
        wired(G.Edge("in", "out", [1, 2], [0, 0])),
        ("double", "edge 1", "`target_indices` names a channel more than once", "adds"),
    ),
    # Nodes that are not connected
    "nothing reaches it": (
        wired(G.Edge("a", "out"), a=G.Alias(4)),
        ("unreachable", "node 'a'", "Nothing reaches it", "Connect it to an Input"),
    ),
    "it leads nowhere": (wired(G.Edge("in", "a"), a=G.Alias(4)), ("unreachable", "node 'a'", "It leads to no Output", "or leave it out")),
    "silent neurons": (wired(G.Edge("a", "out"), a=lif(4)), ("unreachable", "node 'a'", "Nothing reaches it", "give the neurons a `bias`")),
    "a cycle that leads nowhere": (
        wired(G.Edge("in", "a"), G.Edge("a", "a"), a=G.Alias(4)),
        ("unreachable", "node 'a'", "It leads to no", ""),
    ),
    "a cycle that nothing reaches": (wired(G.Edge("a", "out"), G.Edge("a", "a"), a=G.Alias(4)), ("unreachable", "node 'a'", "Nothing", "")),
    # Values
    "NaN in a weight": (
        between(G.Linear([[1.0, 2.0], [NAN, 3.0]])),
        ("value", "node 'node'", r"must be finite; got nan at index \(1, 0\) of \(2, 2\) \(1 bad\)", "`replace`"),
    ),
    "infinity in a bias": (
        between(G.Linear(np.ones((2, 3)), [0, np.inf, 0])),
        ("value", "node 'node'", r"`bias` must be finite; got inf at index 1 of 3", ""),
    ),
    "NaN in a scale": (between(G.Scale(np.float32(NAN))), ("value", "node 'node'", r"`scale` must be finite; got nan\.", "")),
    "NaN in a kernel": (
        between(G.Conv(np.full((1, 1, 2), NAN), input_shape=(1, 4))),
        ("value", "node 'node'", "`weight` must be finite", ""),
    ),
    "NaN in a threshold": (between(G.Threshold([0.0, NAN])), ("value", "node 'node'", "`threshold` must be finite", "")),
    "NaN in a parameter": (
        tau([0.1, NAN, 0.1, 0.1]),
        ("value", "node 'node'", r"`tau_mem` must be > 0 s and finite; got nan at index 1 of 4", "finite numbers"),
    ),
    "infinity in low precision": (
        tau(np.full(4, np.inf, F.lif_init(F.LIFParams(), 1, "bfloat16").v.dtype)),
        ("value", "node", "`tau_mem` must be .* got inf", ""),
    ),
    # Domains
    "a time constant of 0": (tau(0.0), ("domain", "node 'node'", r"`tau_mem` must be > 0 s and finite; got 0\.0\.", "`tau_mem` > 0 s")),
    "a negative refractory period": (
        neurons("refractory(lif)", {**REFRACTORY, "t_ref": -1e-3}),
        ("domain", "node", "`t_ref` must be >= 0 s and finite", ""),
    ),
    "a negative delay": (
        between(G.Delay([1e-3, -1e-3], 2)),
        ("domain", "node", "`delay` must be >= 0 s and finite; got -0.001 at index 1 of 2", ""),
    ),
    "a fraction above 1": (
        neurons("dynapse_dpi", F.DynapseParams(process=F.Process(kappa_n=1.5))),
        ("domain", "node", "`process.kappa_n` must be from 0 to 1; got 1.5", ""),
    ),
    "a current of a gate": (
        neurons("dynapse_dpi", F.DynapseParams(bias=F.BiasCurrents(Itau_syn=F.Gates(ampa=-1e-11)))),
        ("domain", "node", "`bias.Itau_syn.ampa` must be >= 0 A", ""),
    ),
    "a threshold below the reset": (
        neurons("lif", {**LIF, "v_th": -1.0}),
        ("domain", "node", "`v_reset` must be below `v_th`; got 0.0 and -1.0", "lower `v_reset`"),
    ),
    "one threshold below": (
        neurons("lif", {**LIF, "v_th": [1.0, 1.0, 0.0, 1.0]}),
        ("domain", "node", "`v_reset` must be below `v_th`; got 0.0 and 0.0", ""),
    ),
    # Models and parameters
    "a model misspelt": (neurons("leeky", LIF), ("model", "node", "The model 'leeky' is not known", "Did you mean `leaky`")),
    "a wrapper misspelt": (
        neurons("refractory(lif, hould)", REFRACTORY),
        ("model", "node", "is not known", "Around it may be `refractory"),
    ),
    "a parameter missing": (
        neurons("lif", {k: v for k, v in LIF.items() if k != "bias"}),
        ("parameter", "node", "`bias` is missing", "Give it a value"),
    ),
    "a parameter too many": (
        neurons("lif", {**LIF, "t_ref": 1e-3}),
        ("parameter", "node", "`t_ref` is not a parameter of the model", "Known names: tau_mem"),
    ),
    "parameters without the wrapper": (
        neurons("refractory(lif)", {"t_ref": 1e-3, "neuron": 3.0}),
        ("parameter", "node", "`neuron` must be a mapping of tau_mem", ""),
    ),
    "a mapping for a number": (
        neurons("lif", {**LIF, "bias": {"Idc": 0.0}}),
        ("parameter", "node", "`bias` must be a number or an array", ""),
    ),
    "a function misspelt": (
        between(G.Activation("rleu", 3)),
        ("parameter", "node", "`function` 'rleu' is not known", "Did you mean `relu`"),
    ),
    "a pooling misspelt": (
        between(G.Pool("averag", input_shape=(1, 4), kernel_size=2)),
        ("parameter", "node", "`kind` 'averag' is not known", "`average`"),
    ),
    "a window of padding": (
        between(G.Pool("max", input_shape=(1, 4), kernel_size=2, padding=2)),
        ("parameter", "node", "holds whole windows", "Pad by less"),
    ),
    # Shapes of parameters
    "five of four": (
        tau(np.full(5, 0.1)),
        ("shape", "node", r"`tau_mem` has shape \(5,\), .* the population's \(4,\); expected \(\) or \(4,\)", "one per neuron"),
    ),
    "a column": (tau(np.full((4, 1), 0.1)), ("shape", "node", r"`tau_mem` has shape \(4, 1\)", "")),
    "three of two synapses": (
        neurons("synapses(leaky, 2)", {**TWO, "tau_syn": [1e-3] * 3}),
        ("shape", "node", r"`tau_syn` has shape \(3,\).*expected \(\) or \(2,\) or \(2, 4\)", "one value per synapse"),
    ),
    "a weight of another shape": (
        neurons("recurrent(lif)", {"neuron": LIF, "weight": np.ones((4, 3))}),
        ("shape", "node", r"`weight` has shape \(4, 3\).*expected \(4, 4\)", "neurons that send"),
    ),
    "a number as a weight": (neurons("recurrent(lif)", {"neuron": LIF, "weight": 0.0}), ("shape", "node", r"`weight` has shape \(\)", "")),
    "a weight without synapses": (
        neurons("recurrent(synapses(leaky, 2))", {"neuron": TWO, "weight": np.ones((4, 4))}),
        ("shape", "node", r"expected \(2, 4, 4\)", ""),
    ),
    "one neuron without an axis": (
        between(G.Neurons("lif", LIF, ())),
        ("shape", "node", r"A population needs an axis of neurons", "Give `shape=N`"),
    ),
    "a bias of another shape": (
        between(G.Linear(np.ones((2, 3)), np.ones(2))),
        ("shape", "node", r"`bias` has shape \(2,\); expected \(3,\)", ""),
    ),
    "groups that do not divide": (
        between(G.Conv(np.ones((3, 1, 2)), input_shape=(2, 4), groups=2)),
        ("shape", "node", "`weight` of shape .* does not fit", ""),
    ),
    "a delay of another shape": (
        between(G.Delay(np.ones(3), 2)),
        ("shape", "node", r"`delay` has shape \(3,\); expected \(\) or \(2,\)", ""),
    ),
    "a threshold of another shape": (between(G.Threshold(np.ones((1, 2)), (2,))), ("shape", "node", r"`threshold` has shape \(1, 2\)", "")),
}


@pytest.mark.parametrize("g, expected", ONE.values(), ids=ONE)
def test_a_problem_is_found_with_where_what_and_how(g, expected):
    import re

    (problem,) = G.validate(g)
    found = (problem.kind, problem.where, problem.what, problem.how)
    assert found[0] == expected[0] and found[1].startswith(expected[1]), found
    assert re.search(expected[2], found[2]) and re.search(expected[3], found[3]), found
    assert all(text.endswith((".", "?")) for text in found[2:]), found


@pytest.mark.parametrize("g", TOPOLOGIES.values(), ids=TOPOLOGIES)
def test_a_graph_in_order_has_no_problems(g):
    assert G.validate(g) == ()


GOOD = {
    "nothing": G.Graph({}, []),
    "one per neuron, of a grid": between(G.Neurons("lif", {**LIF, "tau_mem": np.full((3, 4), 0.1), "v_th": np.ones(4)}, (3, 4))),
    "one value as an array": tau([0.1]),
    "integers": between(G.Linear(np.ones((2, 3), np.int8))),
    "synapses around recurrence": neurons(
        "synapses(recurrent(lif), 2)", {"neuron": {"neuron": LIF, "weight": np.ones((4, 4))}, "tau_syn": np.ones((2, 4))}
    ),
    "recurrence around synapses": neurons("recurrent(synapses(leaky, 2))", {"neuron": TWO, "weight": np.ones((2, 4, 4))}),
    "one current per gate": neurons(
        "dynapse_dpi", F.DynapseParams(bias=F.BiasCurrents(Itau_syn=F.Gates(ampa=1e-11, nmda=np.full(4, 1e-11))))
    ),
    "numbers whose squares overflow": between(G.Linear(np.full((2, 2), 3e38, np.float32))),
    "a name as flatten makes it": path({"a.b-c.9": G.Input(2), "0": G.Output(2)}),
    "a channel that fans out": wired(G.Edge("in", "a", [0, 0, 0, 0], range(4)), G.Edge("a", "out"), a=G.Alias(4)),
    "a sum of two sources": wired(G.Edge("in", "a"), G.Edge("a", "out"), a=G.Alias(4)),
    "other channels of the same": G.Graph(
        {"in": G.Input(4), "out": G.Output(4)}, [G.Edge("in", "out", [0, 1], [0, 1]), G.Edge("in", "out", [1, 0], [0, 1])]
    ),
    "an edge twice, on purpose": wired(G.Edge("in", "out", adds=True), G.Edge("in", "out", [0, 1], [2, 2], adds=True)),
    "neurons with a bias": wired(G.Edge("a", "out"), a=lif(4, bias=[0.0, 0.0, 0.0, 1.5])),
    "neurons that rest above their threshold": wired(G.Edge("a", "out"), a=lif(4, v_leak=1.5)),
    "a ring that a bias drives": G.Graph(
        {"a": lif(4, bias=1.5), "w": linear(4, 4), "b": lif(4), "out": G.Output(4)}, edges(("a", "w"), ("w", "b"), ("b", "a"), ("b", "out"))
    ),
    "a source inside a block": G.Graph(
        {"b": G.SubGraph(G.Graph({"a": lif(4, bias=2.0), "y": G.Output(4)}, edges(("a", "y")))), "out": G.Output(4)}, edges(("b", "out"))
    ),
    "an empty population": between(G.Neurons("lif", LIF, 0)),
}


@pytest.mark.parametrize("g", GOOD.values(), ids=GOOD)
def test_what_is_unusual_but_in_order_is_no_problem(g):
    assert G.validate(g) == ()


def test_all_problems_are_reported_at_once():
    inner = G.Graph({"x": G.Input(4), "bad": G.Scale([NAN] * 4), "y": G.Output(4)}, edges(("x", "bad"), ("bad", "y")))
    nodes = {"in": G.Input(4), "": lif(4, tau_mem=-1.0, v_th=NAN), "block": G.SubGraph(inner), "w": linear(3, 2), "out": G.Output(4)}
    pairs = [("in", "block"), ("block", "out"), ("in", ""), ("", "ot"), ("in", "w")]
    found = [(problem.kind, problem.where) for problem in G.validate(G.Graph(nodes, edges(*pairs)))]
    assert found == [
        ("name", "node ''"),
        ("domain", "node ''"),
        ("value", "node ''"),
        ("value", "node 'block' / node 'bad'"),
        ("edge", "edge 3, '' -> 'ot'"),
        ("shape", "edge 4, 'in' -> 'w'"),
        ("unreachable", "node ''"),
        ("unreachable", "node 'w'"),
    ]


def test_names_that_meet_when_flattened_are_found():
    nodes = {"in": G.Input(4), "b": block(h=G.Alias(4)), "b.h": G.Alias(4), "out": G.Output(4)}
    inner = G.SubGraph(G.Graph({"x": G.Input(4), "h": G.Alias(4), "y": G.Output(4)}, edges(("x", "h"), ("h", "y"))))
    g = G.Graph({**nodes, "b": inner}, edges(("in", "b"), ("b", "b.h"), ("b.h", "out")))
    (problem,) = G.validate(g)
    assert (problem.kind, problem.where) == ("name", "node 'b.h'") and "Flattened, two nodes would have this name" in problem.what
    g = path(
        {"in": G.Input(4), "b" * 100: G.SubGraph(path({"x": G.Input(4), "h" * 100: G.Alias(4), "y": G.Output(4)})), "out": G.Output(4)}
    )
    (problem,) = G.validate(g)
    assert problem.kind == "name" and "would have 201 characters" in problem.what


def test_what_uses_a_graph_refuses_one_with_problems_and_lists_them(tmp_path):
    bad = tau([0.1, NAN, -1.0, 0.1])
    for use in (lambda g: G.save(tmp_path / "x", g), G.to_json, lambda g: G.require_valid(g, "here")):
        with pytest.raises(snnjax.GraphError, match="`g` has 1 problem:\n  node 'node': `tau_mem` must be .* got nan at index 1") as caught:
            use(bad)
        assert caught.value.value == G.validate(bad) and caught.value.field == "g"
    assert not list(tmp_path.iterdir())
    many = G.Graph({f"n{k}": G.Alias(1) for k in range(3000)}, [])
    with pytest.raises(snnjax.GraphError, match=r"has 1000 problems or more:(.|\n)*and 980 more: `graph.validate\(g\)` lists all"):
        G.require_valid(many, "here")
    assert len(G.validate(many)) == 6000


def test_a_claimed_size_is_not_allocated():
    huge = 2**31 - 1
    nodes = {"in": G.Input(huge), "lif": lif(huge), "out": G.Output((huge,))}
    g = G.Graph(nodes, [*edges(("in", "lif"), ("lif", "out"), ("in", "out")), G.Edge("in", "out"), G.Edge("in", "out", [huge - 1], [0])])
    assert [problem.where for problem in G.validate(g)] == ["edge 3, 'in' -> 'out'"]


def test_many_parallel_edges_are_compared_in_one_go():
    g = G.Graph({"in": G.Input(4), "out": G.Output(4)}, [G.Edge("in", "out", [k % 4], [k % 3]) for k in range(20_000)])
    assert len(G.validate(g)) == 20_000 - 12


@examples(100, suppress_health_check=list(HealthCheck))
@given(graphs())
def test_a_flattened_graph_is_in_order_if_the_nested_one_is(g):
    assert G.validate(g) == () and G.validate(G.flatten(g)) == ()


ODD = [0.0, -1.0, 3, np.nan, np.inf, np.float16(1.0), np.array([1.0, np.nan]), np.ones((2, 2), np.int8), np.zeros(0), {}, {"tau_mem": 1.0}]
ODD += [ml_dtypes.bfloat16(0.5), np.full(3, 2, ml_dtypes.bfloat16), np.full(3, 2**63, np.uint64), {"ampa": 1.0, "x": {}}]
NAMES = ["in", "a", "b", "out", "", "a/b", "b/in", "b/nowhere", "/", "nowhere"]


@examples(300)
@given(st.data())
def test_whatever_is_wrong_it_is_reported_and_nothing_raises(data):
    def odd_node() -> G.Node:
        model = data.draw(st.sampled_from(["lif", "dynapse_dpi", "synapses(leaky, 2)", "recurrent(lif)", "lfi", ""]))
        wanted = getattr(model_named(model), "params", {})
        params = {name: data.draw(st.sampled_from(ODD)) for name in wanted if data.draw(st.integers(0, 9))}
        if "neuron" in params:
            params["neuron"] = {name: data.draw(st.sampled_from(ODD)) for name in LIF}
        shape = data.draw(st.sampled_from([(), 0, 3, (2, 3)]))
        inner = G.SubGraph(G.Graph({"in": G.Input(3), "x": G.Output(3)}, edges(("in", "x"))))
        return data.draw(
            st.sampled_from([G.Neurons(model, params, shape), G.Input(shape), G.Output(3), G.Alias(shape), inner, G.SubGraph(G.Graph())])
        )

    nodes = {name: odd_node() for name in data.draw(st.lists(st.sampled_from(NAMES), max_size=5, unique=True))}
    indices = st.sampled_from([None, None, [], [0], [-1], [5, 0], [1, 1, 1], [0, 1, 2]])
    wires = st.builds(G.Edge, st.sampled_from(NAMES), st.sampled_from(NAMES), indices, indices, st.booleans())
    g = G.Graph(nodes, data.draw(st.lists(wires, max_size=6)))
    assert all(isinstance(problem, G.Problem) and str(problem) for problem in G.validate(g)) and repr(g)
    for use in (G.flatten, G.topological_order, G.recurrent, G.to_json):
        try:
            use(g)
        except snnjax.GraphError as error:
            assert error.field


def test_validate_wants_a_graph():
    with pytest.raises(snnjax.DTypeError, match="`g` of `validate` must be a Graph; got the dict {}"):
        G.validate({})  # type: ignore[arg-type]
