"""The order of a step, the edges that carry the step before, and the parts that feed back."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from conftest import examples
from graphs import edges, lif, linear, path
from hypothesis import given
from hypothesis import strategies as st

import snnjax
from snnjax import graph as G

MANY = 100_000


def wires(n: int, pairs: list[tuple[int, int]]) -> G.Graph:
    """Nodes n0, n1, ... and edges between them."""
    alias = G.Alias(1)
    return G.Graph({f"n{k}": alias for k in range(n)}, edges(*((f"n{a}", f"n{b}") for a, b in pairs)))


networks = st.integers(1, 7).flatmap(
    lambda n: st.builds(wires, st.just(n), st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=14))
)


def reaches(g: G.Graph, without: frozenset[int] = frozenset()) -> dict[str, set[str]]:
    """For every node all that it leads to, by repeated squaring of nothing cleverer than a loop."""
    found = {name: {edge.target for k, edge in enumerate(g.edges) if edge.source == name and k not in without} for name in g.nodes}
    for middle, start in itertools.product(g.nodes, g.nodes):
        if middle in found[start]:
            found[start] |= found[middle]
    return found


@examples(300)
@given(networks)
def test_every_edge_that_is_not_backward_goes_forward(g):
    order, back = G.topological_order(g), G.back_edges(g)
    assert sorted(order) == sorted(g.nodes) and all(0 <= k < len(g.edges) for k in back)
    place = {name: k for k, name in enumerate(order)}
    for k, edge in enumerate(g.edges):
        assert (place[edge.source] < place[edge.target]) == (k not in back)


@examples(300)
@given(networks)
def test_a_backward_edge_closes_a_cycle_of_forward_edges(g):
    back = G.back_edges(g)
    forward = reaches(g, frozenset(back))
    assert all(g.edges[k].source in forward[g.edges[k].target] or g.edges[k].source == g.edges[k].target for k in back)


@examples(300)
@given(networks)
def test_components_are_those_in_which_all_reach_each_other(g):
    found = reaches(g)
    parts = {tuple(other for other in g.nodes if other in found[name] and name in found[other]) for name in g.nodes if name in found[name]}
    names = list(g.nodes)
    assert list(G.recurrent(g).components) == sorted(parts, key=lambda part: [names.index(name) for name in part])


@examples(300)
@given(networks)
def test_components_stay_together_and_are_entered_at_the_first_node_with_an_edge_from_outside(g):
    order, back = G.topological_order(g), G.back_edges(g)
    for part in G.recurrent(g).components:
        first = order.index(next(name for name in order if name in part))
        assert set(order[first : first + len(part)]) == set(part)
        entered = [name for name in part if any(edge.target == name and edge.source not in part for edge in g.edges)]
        entry = [*entered, *part][0]
        assert order[first] == entry
        assert all(k in back for k, edge in enumerate(g.edges) if edge.target == entry and edge.source in part)


@examples(300)
@given(networks)
def test_among_parts_that_could_be_next_comes_the_one_with_the_first_node(g):
    cyclic = {name: part for part in G.recurrent(g).components for name in part}
    part_of = {name: cyclic.get(name, (name,)) for name in g.nodes}
    waiting, expected = list(dict.fromkeys(part_of.values())), []
    while waiting:
        ready = (
            part for part in waiting if not any(e.target in part and e.source not in part and part_of[e.source] in waiting for e in g.edges)
        )
        expected.append(next(ready))
        waiting.remove(expected[-1])
    assert list(dict.fromkeys(part_of[name] for name in G.topological_order(g))) == expected


def test_a_loop_that_is_entered_from_outside_goes_backward_where_it_is_entered():
    nodes = {"r": linear(2, 2), "lif": lif(2), "in": G.Input(2), "out": G.Output(2)}
    g = G.Graph(nodes, edges(("r", "lif"), ("in", "lif"), ("lif", "r"), ("lif", "out")))
    assert G.topological_order(g) == ("in", "lif", "r", "out") and G.back_edges(g) == (0,)


def test_a_loop_within_a_loop_has_a_backward_edge_of_its_own():
    g = wires(4, [(0, 1), (1, 2), (2, 1), (2, 3), (3, 0)])
    assert G.back_edges(g) == (2, 4) and G.topological_order(g) == ("n0", "n1", "n2", "n3")


def test_neighbours_that_drive_each_other_feed_back_to_the_one_before():
    g = wires(5, [(k, k + 1) for k in range(4)] + [(k + 1, k) for k in range(4)])
    assert G.back_edges(g) == (4, 5, 6, 7)


def test_a_port_counts_as_its_block():
    block = G.SubGraph(path({"in": G.Input(2), "out": G.Output(2)}))
    g = G.Graph({"out": G.Output(2), "b": block, "a": G.Input(2)}, edges(("a", "b/in"), ("b/out", "out"), ("b/out", "b/in")))
    assert G.topological_order(g) == ("a", "b", "out") and G.back_edges(g) == (2,)
    assert G.recurrent(g).loops == (("b",),)


def test_loops_of_one_module_are_told_from_larger_ones():
    nodes = {"a": lif(2), "ra": linear(2, 2), "b": lif(2), "c": lif(2), "d": lif(2), "e": lif(2), "f": lif(2)}
    pairs = [("a", "ra"), ("ra", "a"), ("a", "b"), ("b", "b"), ("c", "d"), ("d", "c"), ("e", "f")]
    found = G.recurrent(G.Graph(nodes, edges(*pairs)))
    assert found.components == (("a", "ra"), ("b",), ("c", "d")) and found.loops == (("a", "ra"), ("b",))


def test_a_matrix_between_two_populations_is_not_recurrent():
    nodes = {"a": lif(2), "w": linear(2, 2), "b": lif(2)}
    g = G.Graph(nodes, edges(("a", "w"), ("w", "a"), ("w", "b"), ("b", "w")))
    assert G.recurrent(g).components == (("a", "w", "b"),) and G.recurrent(g).loops == ()


@pytest.mark.parametrize("ask", [G.topological_order, G.back_edges, G.recurrent])
def test_an_edge_to_nowhere_is_refused(ask):
    with pytest.raises(snnjax.GraphError, match="names the node 'nowhere', which `g` does not have. .*`validate` lists all"):
        ask(G.Graph({"in": G.Input(1)}, edges(("in", "nowhere"))))
    with pytest.raises(snnjax.DTypeError, match="`g` of .* must be a Graph"):
        ask({})


def test_nothing_has_an_order_too():
    g = G.Graph({}, [])
    assert G.topological_order(g) == G.back_edges(g) == () and G.recurrent(g) == ((), ())


SHAPES = {
    "chain": [(k, k + 1) for k in range(MANY - 1)],
    "backward chain": [(k + 1, k) for k in range(MANY - 1)],
    "ring": [(k, (k + 1) % MANY) for k in range(MANY)],
    "both ways": [pair for k in range(MANY - 1) for pair in ((k, k + 1), (k + 1, k))],
    "random": np.random.default_rng(0).integers(0, MANY, (MANY, 2)).tolist(),
}


@pytest.mark.parametrize("pairs", SHAPES.values(), ids=SHAPES)
def test_a_hundred_thousand_nodes_need_no_recursion(pairs):
    g = wires(MANY, pairs)
    place = {name: k for k, name in enumerate(G.topological_order(g))}
    back = set(G.back_edges(g))
    assert all((place[edge.source] < place[edge.target]) == (k not in back) for k, edge in enumerate(g.edges))
    assert sum(map(len, G.recurrent(g).components)) <= MANY


def test_long_chains_are_validated_saved_and_read(tmp_path):
    def chain(n: int) -> G.Graph:
        return path({"in": G.Input(1), **{f"n{k}": G.Alias(1) for k in range(n)}, "out": G.Output(1)})

    assert G.validate(chain(MANY)) == ()
    g = chain(20_000)
    G.save(tmp_path / "g", g)
    assert G.load(tmp_path / "g") == g
