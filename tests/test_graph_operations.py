"""New graphs from old ones: what they compute stays what it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conftest import examples
from graphs import LIF, TOPOLOGIES, edges, graphs, lif, linear, path
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

import snnjax
from snnjax import graph as G
from snnjax.graph._check_edges import channels

# A small interpreter of graphs without neurons, one step at a time, to compare graphs by what they compute.


def step(g: G.Graph, inputs: dict[str, np.ndarray], before: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The outputs of all nodes, from the inputs and from the outputs of all nodes in the step before."""
    now, back = {}, G.back_edges(g)
    for name in G.topological_order(g):
        node = g.nodes[name]
        given = np.zeros(node.input_shape).ravel()
        for k, edge in enumerate(g.edges):
            if edge.target == name:
                add(given, edge, (before if k in back else now)[edge.source].ravel())
        given = inputs[name] if isinstance(node, G.Input) else given.reshape(node.input_shape)
        now[name] = given @ node.weight if isinstance(node, G.Linear) else given * node.scale if isinstance(node, G.Scale) else given
    return now


def add(given: np.ndarray, edge: G.Edge, gives: np.ndarray) -> None:
    source, target = channels(edge) or (np.arange(gives.size),) * 2
    np.add.at(given, target, gives[source])


def run(g: G.Graph, steps: int = 4) -> list[np.ndarray]:
    """All outputs over some steps, under inputs that differ by name and step."""
    g = G.flatten(g)
    before = {name: np.zeros(node.output_shape) for name, node in g.nodes.items()}
    made = []
    for k in range(steps):
        rng = np.random.default_rng(k)
        inputs = {name: rng.normal(size=node.shape) for name, node in g.nodes.items() if isinstance(node, G.Input)}
        before = step(g, inputs, before)
        made += [before[name] for name, node in g.nodes.items() if isinstance(node, G.Output)]
    return made


def assert_same_numbers(a: list[np.ndarray], b: list[np.ndarray]) -> None:
    for one, other in zip(a, b, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


@st.composite
def maps(draw: Any, n_in: int, n_out: int, prefix: str) -> G.Graph:
    """A graph from one input to one output, of what is linear, with any edges that are allowed between them."""
    sizes = draw(st.lists(st.integers(1, 4), max_size=4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    nodes: dict[str, G.Node] = {f"{prefix}in": G.Input(n_in)}
    for k, size in enumerate(sizes):
        nodes[f"{prefix}{k}"] = draw(st.sampled_from([G.Alias(size), G.Scale(rng.normal(size=size)), G.Linear(rng.normal(size=(size, 2)))]))
    nodes[f"{prefix}out"] = G.Output(n_out)
    sources, targets = list(nodes)[:-1], list(nodes)[1:]
    made = []
    for _ in range(draw(st.integers(2, 7))):
        source, target = draw(st.sampled_from(sources)), draw(st.sampled_from(targets))
        gives, takes = nodes[source].output_shape[0], nodes[target].input_shape[0]
        if gives == takes and draw(st.booleans()):
            made.append(G.Edge(source, target, adds=True))
        else:
            to = rng.permutation(takes)[: draw(st.integers(1, takes))]
            made.append(G.Edge(source, target, rng.integers(0, gives, len(to)), to, adds=draw(st.booleans())))
    return G.Graph(nodes, made)


def forward(g: G.Graph) -> G.Graph:
    """Without the edges that go back, so that a nested graph can be computed on its own."""
    back = set(G.back_edges(g))
    return G.Graph(g.nodes, [edge for k, edge in enumerate(g.edges) if k not in back])


@examples(200)
@given(st.data())
def test_connected_graphs_compute_one_after_the_other(data):
    a, b = (forward(data.draw(maps(3, 3, prefix))) for prefix in ("a", "b"))
    indices = data.draw(st.sampled_from([(None, None), ([2, 0], [0, 1]), (None, [2, 1, 0]), ([1, 1, 1], None), ([0], [2])]))
    g = G.connect(a, b, *indices)
    x = np.random.default_rng(0).normal(size=3)
    between = np.zeros(3)
    add(between, G.Edge("a", "b", *indices), step(a, {"ain": x}, {})["aout"])
    expected = step(b, {"bin": between}, {})["bout"]
    np.testing.assert_allclose(step(g, {"ain": x}, {})["bout"], expected, rtol=1e-12, atol=1e-12)
    assert not any(problem.kind == "double" for problem in G.validate(g)) or any(
        p.kind == "double" for p in (*G.validate(a), *G.validate(b))
    )


@examples(200)
@given(st.data())
def test_a_nested_graph_computes_what_it_does_inside(data):
    inner, outer = (data.draw(maps(3, 3, prefix)) for prefix in ("i", "o"))
    inner = forward(inner)
    block = path({"in": G.Input(3), "block": G.SubGraph(inner), "out": G.Output(3)})
    assert_same_numbers(run(block), run(inner))
    # The same block in the place of an Alias, with whatever goes into it and comes out of it.
    alias = G.Graph({**outer.nodes, "block": G.Alias(3)}, [*outer.edges, G.Edge("oin", "block"), G.Edge("block", "oout", adds=True)])
    passing = path({"x": G.Input(3), "y": G.Output(3)})
    assert_same_numbers(run(G.replace(alias, "block", G.SubGraph(passing))), run(alias))


def test_the_boundaries_between_connected_graphs_disappear():
    g = G.connect(TOPOLOGIES["chain"], G.rename(TOPOLOGIES["residual"], {name: f"{name}_2" for name in TOPOLOGIES["residual"].nodes}))
    assert list(g.nodes) == ["in", "w", "lif", "w_2", "lif_2", "skip_2", "out_2"]
    assert g.edges[2:4] == (G.Edge("lif", "w_2"), G.Edge("w_2", "lif_2")) and G.Edge("lif", "skip_2") in g.edges and G.validate(g) == ()


def test_a_chain_of_bare_nodes_has_names_of_its_own():
    g = linear(3, 4)
    for node in (lif(4), linear(4, 4), G.Neurons("refractory(lif, gate_input)", {"neuron": LIF, "t_ref": 1e-3}, 4), G.SubGraph(path_of(4))):
        g = G.connect(g, node)
    assert list(g.nodes) == ["input", "linear", "lif", "linear_1", "lif_1", "block", "output"] and G.validate(g) == ()
    g = G.connect(G.Alias(3), g)
    assert list(g.nodes)[:3] == ["input", "alias", "linear"] and G.validate(g) == ()


def path_of(n: int) -> G.Graph:
    return path({"x": G.Input(n), "y": G.Output(n)})


def test_where_many_edges_meet_many_an_alias_stays():
    spread = {f"a{k}": G.Alias(1) for k in range(9)}
    a = G.Graph(
        {"in": G.Input(1), **spread, "out": G.Output(1)}, edges(*(("in", name) for name in spread), *((name, "out") for name in spread))
    )
    b = G.rename(a, {name: f"b_{name}" for name in a.nodes})
    g = G.connect(a, b)
    assert isinstance(g.nodes["joint"], G.Alias) and len(g.edges) == 36 and G.validate(g) == ()
    assert_same_numbers(run(g), [9 * 9 * x for x in run(path({"in": G.Input(1), "out": G.Output(1)}))])


def test_channels_that_meet_after_connecting_are_still_summed():
    a = G.Graph({"in": G.Input(1), "out": G.Output(2)}, [G.Edge("in", "out", [0, 0], [0, 1])])
    b = G.Graph({"b_in": G.Input(2), "b_out": G.Output(1)}, [G.Edge("b_in", "b_out", [0], [0]), G.Edge("b_in", "b_out", [1], [0])])
    g = G.connect(a, b)
    assert G.validate(g) == () and g.edges[1].adds and not g.edges[0].adds
    assert_same_numbers(run(g), [2 * x for x in run(path({"in": G.Input(1), "out": G.Output(1)}))])


def test_an_edge_that_sums_channels_keeps_its_port():
    inner = G.Graph({"x": G.Input(2), "y": G.Output(2)}, [G.Edge("x", "y", [0, 1], [0, 0], adds=True)])
    flat = G.flatten(path({"in": G.Input(2), "b": G.SubGraph(inner), "out": G.Output(2)}))
    assert list(flat.nodes) == ["in", "b.y", "out"] and G.validate(flat) == ()


@pytest.mark.parametrize(
    "call, match",
    [
        (lambda c: G.connect(c, G.Linear(np.ones((3, 2)))), r"`a` gives \(4,\) and `b` takes \(3,\)\. Say which channels go where"),
        (lambda c: G.connect(c, lif(3), [0, 1, 4]), "`a` gives .* `source_indices` must be from 0 to 3; got 4"),
        (lambda c: G.connect(c, lif(3), [0, 1]), "It takes 2 channels from the source and gives 3 to the target"),
        (lambda c: G.connect(c, lif(3), [0, 1], [2, 2]), "`target_indices` names a channel more than once"),
        (lambda c: G.connect(c, c), r"`b` of `connect` has names that are taken: w, lif.*graph\.rename\(g"),
        (lambda c: G.connect(TOPOLOGIES["branch"], c), "`a` of `connect` must have one Output; it has 2: x, y"),
        (lambda c: G.connect(c, TOPOLOGIES["join"]), "`b` of `connect` must have one Input; it has 2: p, q"),
        (lambda c: G.connect(G.Input(3), c), "`a` of `connect` must be a Graph, or a node that does something; got `Input`"),
        (lambda c: G.connect(c, None), "`b` of `connect` must be a Graph, or a node that does something; got None"),  # type: ignore
        (lambda c: G.connect(c, lif(4), [0.5]), "`source_indices` of `connect` must be integers"),
        (lambda c: G.connect(c, lif(4), target_index=[0]), "Did you mean `target_indices`?"),
        (lambda c: G.merge(c, TOPOLOGIES["residual"]), r"`graphs\[1\]` of `merge` has names that are taken: in, w, lif, out"),
        (lambda c: G.merge(c, lif(2)), r"`graphs\[1\]` of `merge` must be a Graph; got `Neurons`"),
        (lambda c: G.rename(c, {"lfi": "x"}), "`names` has 'lfi', which is no node of the graph. Did you mean `lif`?"),
        (lambda c: G.rename(c, {"lif": "w"}), "`names` would give two nodes the name 'w'"),
        (lambda c: G.rename(c, {"lif": "a/b"}), "`names` would call 'lif' 'a/b'. Names are letters"),
        (lambda c: G.rename(c, {"lif": 3}), "`names` would call 'lif' 3"),
        (lambda c: G.replace(c, "lfi", lif(4)), "`name` 'lfi' is no node of the graph. Did you mean `lif`?"),
        (lambda c: G.replace(c, "lif", lif(5)), r"`node` takes \(5,\) and gives \(5,\); 'lif' takes \(4,\) and gives \(4,\)"),
        (lambda c: G.replace(c, "lif", 3), "`node` of `replace` must be a node such as"),
        (lambda c: G.replace(TOPOLOGIES["nested"], "block", G.SubGraph(path({"a": G.Input(4), "b": G.Input(4)}))), "`node` takes"),
        (lambda c: G.find(c, model=3), "`model` of `find` must be a name; got the int 3"),
        (lambda c: G.find(c, kind=lif(2)), "`kind` of `find` must be a name or a class of nodes"),
        (lambda c: G.find(c, name="x"), "`name` is not an argument of `find`"),
        (lambda c: G.find({}), "`g` of `find` must be a Graph"),
        (
            lambda c: G.flatten(G.Graph({"b": G.SubGraph(c), "o": G.Output(4)}, edges(("b/ot", "o")))),
            "An edge names 'b/ot', which is no output",
        ),
        (
            lambda c: G.flatten(G.Graph({"b": G.SubGraph(c), "b.w": G.Alias(1)}, [])),
            "node 'b.w': Flattened, two nodes would have this name",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_sentence(call, match):
    with pytest.raises(snnjax.SnnjaxError, match=match) as caught:
        call(TOPOLOGIES["chain"])
    assert caught.value.field


def test_a_node_is_replaced_in_a_new_graph():
    g = TOPOLOGIES["chain"]
    new = G.replace(g, "lif", lif(4, v_th=2.0))
    assert new.nodes["lif"].params["v_th"] == 2.0 and g.nodes["lif"].params["v_th"] == 1.0
    assert list(new.nodes) == list(g.nodes) and new.edges is g.edges and new.nodes["w"] is g.nodes["w"]


def test_a_block_is_replaced_by_one_with_the_ports_that_edges_name():
    g = G.Graph({"in": G.Input(2), "b": G.SubGraph(path_of(2)), "out": G.Output(2)}, edges(("in", "b/x"), ("b", "out")))
    assert G.replace(g, "b", G.SubGraph(path({"x": G.Input(2), "s": G.Scale([1.0, 2.0]), "z": G.Output(2)})))
    for other in (G.Alias(2), G.SubGraph(path({"a": G.Input(2), "y": G.Output(2)}))):
        with pytest.raises(snnjax.GraphError, match="so must the ports that edges name"):
            G.replace(g, "b", other)


def test_nodes_are_found_by_model_and_kind():
    g = G.merge(TOPOLOGIES["chain"], path({"a": lif(2), "b": G.Neurons("refractory(lif)", {}, 2), "c": G.Neurons("leaky", {}, 2)}))
    assert G.find(g, model="lif") == ("lif", "a") and G.find(g, model="*lif*") == ("lif", "a", "b")
    assert G.find(g, kind=G.Linear) == G.find(g, kind="Linear") == ("w",) and G.find(g, kind="Linear", model="lif") == ()
    assert G.find(g, kind=G.Node) == G.find(g) == tuple(g.nodes)


def test_names_change_in_edges_too_and_can_be_swapped():
    g = G.rename(TOPOLOGIES["nested"], {"block": "lif", "lif": "block"})
    assert list(g.nodes) == ["in", "lif", "block", "out"] and isinstance(g.nodes["lif"], G.SubGraph)
    assert g.edges == tuple(edges(("in", "lif"), ("lif", "block"), ("block", "out")))
    ported = G.Graph({"in": G.Input(2), "b": G.SubGraph(path_of(2))}, edges(("in", "b/x")))
    assert G.rename(ported, {"b": "c"}).edges == (G.Edge("in", "c/x"),)


def test_graphs_side_by_side_keep_their_order():
    a, b = TOPOLOGIES["chain"], G.rename(TOPOLOGIES["chain"], {name: name.upper() for name in TOPOLOGIES["chain"].nodes})
    g = G.merge(a, b)
    assert list(g.nodes) == [*a.nodes, *b.nodes] and g.edges == (*a.edges, *b.edges) and G.validate(g) == ()
    assert G.merge() == G.Graph({}, []) and G.merge(a) == a


def test_flattening_opens_every_block():
    inner = path({"x": G.Input(2), "s": G.Scale([2.0, 3.0]), "y": G.Output(2)})
    middle = path({"x": G.Input(2), "inner": G.SubGraph(inner), "y": G.Output(2)})
    g = path({"in": G.Input(2), "a": G.SubGraph(middle), "b": G.SubGraph(middle), "out": G.Output(2)})
    flat = G.flatten(g)
    assert list(flat.nodes) == ["in", "a.inner.s", "b.inner.s", "out"] and flat == G.flatten(flat) and G.flatten(flat) is flat
    assert flat.edges == tuple(edges(("in", "a.inner.s"), ("a.inner.s", "b.inner.s"), ("b.inner.s", "out")))


def test_sums_at_a_port_keep_their_order():
    inner = path({"x": G.Input(1), "y": G.Output(1)})
    nodes = {"p": G.Input(1), "q": G.Input(1), "r": G.Input(1), "b": G.SubGraph(inner), "out": G.Output(1)}
    g = G.Graph(nodes, edges(("q", "b"), ("p", "b"), ("b", "out"), ("r", "out")))
    assert [edge.source for edge in G.flatten(g).edges] == ["q", "p", "r"]


def test_a_wire_around_a_block_that_only_passes_on_stays_a_loop():
    g = G.Graph({"in": G.Input(1), "b": G.SubGraph(path_of(1)), "out": G.Output(1)}, edges(("in", "b"), ("b", "b"), ("b", "out")))
    flat = G.flatten(g)
    assert G.validate(flat) == () and len(G.recurrent(flat).components) == 1
    x = [float(k[0]) for k in run(path_of(1))]
    np.testing.assert_allclose(np.ravel(run(g)), np.cumsum(x))  # what came out before comes in again


@examples(100, suppress_health_check=list(HealthCheck))
@given(graphs())
def test_flattening_keeps_every_node_that_does_something(g):
    def count(g: G.Graph, top: bool) -> int:
        ports = (G.Alias,) if top else (G.Alias, G.Input, G.Output)
        return sum(count(node.graph, False) if isinstance(node, G.SubGraph) else not isinstance(node, ports) for node in g.nodes.values())

    flat = G.flatten(g)
    assert count(flat, True) == count(g, True) and G.flatten(flat) is flat
