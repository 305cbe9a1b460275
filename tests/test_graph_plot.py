"""Pictures of graphs: everything is there, and nothing lies on anything else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from conftest import examples
from graphs import LEAKY, TOPOLOGIES, edges, lif, path
from hypothesis import given
from hypothesis import strategies as st

import snnjax
from snnjax import graph as G
from snnjax import plot

matplotlib = pytest.importorskip("matplotlib", reason="needs Matplotlib: pip install snnjax[plot]")
matplotlib.use("agg")
plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def no_figures_left() -> Iterator[None]:
    plt.close("all")
    yield
    plt.close("all")


def boxes(ax: Any) -> list[tuple[float, float, float, float]]:
    """Left, bottom, right, top of every box, in the order of the nodes."""
    pad = 0.04
    found = [it for it in ax.patches if isinstance(it, matplotlib.patches.FancyBboxPatch)]
    return [(b.get_x() - pad, b.get_y() - pad, b.get_x() + b.get_width() + pad, b.get_y() + b.get_height() + pad) for b in found]


def lines(ax: Any) -> list[np.ndarray]:
    """Points on every line, in the order of the edges."""
    found = []
    for arrow in (it for it in ax.patches if isinstance(it, matplotlib.patches.FancyArrowPatch)):
        corners, t = arrow._path_original.vertices, np.linspace(0.0, 1.0, 40)[:, None]
        pieces = [corners[k : k + 4] for k in range(0, len(corners) - 1, 3)]
        found.append(
            np.concatenate([(1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t**2 * c + t**3 * d for a, b, c, d in pieces])
        )
    return found


def dashed(ax: Any) -> list[bool]:
    return [it.get_linestyle() != "-" for it in ax.patches if isinstance(it, matplotlib.patches.FancyArrowPatch)]


def texts(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.texts]


def assert_readable(g: G.Graph, ax: Any) -> None:
    """Boxes lie apart; lines lead from bottom to top of the right boxes, and through no other."""
    rectangles, drawn = boxes(ax), lines(ax)
    assert len(rectangles) == len(g.nodes) and len(drawn) == len(g.edges)
    for k, (left, bottom, right, top) in enumerate(rectangles):
        for other in rectangles[:k]:
            assert left >= other[2] or right <= other[0] or bottom >= other[3] or top <= other[1]
        for line in drawn:
            x, y, eps = line[:, 0], line[:, 1], 0.02
            assert not ((x > left + eps) & (x < right - eps) & (y > bottom + eps) & (y < top - eps)).any()
    names = list(g.nodes)
    for edge, line in zip(g.edges, drawn, strict=True):
        start, end = (rectangles[names.index(reference.partition("/")[0])] for reference in (edge.source, edge.target))
        assert start[0] < line[0, 0] < start[2] and line[0, 1] == pytest.approx(start[1])
        assert end[0] < line[-1, 0] < end[2] and line[-1, 1] == pytest.approx(end[3])
    low, high = ax.get_xlim(), ax.get_ylim()
    for line in drawn:
        assert low[0] <= line[:, 0].min() and line[:, 0].max() <= low[1] and high[0] <= line[:, 1].min() and line[:, 1].max() <= high[1]


@pytest.mark.parametrize("g", TOPOLOGIES.values(), ids=TOPOLOGIES)
def test_every_node_and_every_edge_is_drawn_and_can_be_told_apart(g):
    ax = plot.graph(g)
    ax.figure.canvas.draw()
    assert_readable(g, ax)
    assert set(g.nodes) <= set(texts(ax))
    assert dashed(ax) == [k in G.back_edges(g) for k in range(len(g.edges))]


@examples(40)
@given(st.integers(3, 30), st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=15), st.integers(0, 2**32))
def test_a_graph_of_thirty_nodes_is_drawn_without_a_line_through_a_box(n, more, seed):
    rng = np.random.default_rng(seed)
    pairs = [(int(rng.integers(k)), k) for k in range(1, n)] + [(a % n, b % n) for a, b in more]
    g = G.Graph({f"node_{k}": G.Alias(1) for k in range(n)}, edges(*((f"node_{a}", f"node_{b}") for a, b in pairs)))
    assert_readable(g, plot.graph(g))
    plt.close("all")


def test_a_chain_is_a_straight_line():
    ax = plot.graph(path({"in": G.Input(4), "a_long_name_of_a_node": G.Alias(4), "b": lif(4), "out": G.Output(4)}))
    assert all(np.ptp(line[:, 0]) == pytest.approx(0.0, abs=1e-9) for line in lines(ax))
    middles = [(top + bottom) / 2 for _, bottom, _, top in boxes(ax)]
    assert middles == sorted(middles, reverse=True)


def test_a_box_says_what_a_node_is_and_which_shapes_it_has():
    synapses = G.Neurons("synapses(leaky, 2)", {"neuron": LEAKY, "tau_syn": [1e-3, 1e-2]}, 3)
    g = path({"in": G.Input((2, 8)), "f": G.Flatten((2, 8)), "w": G.Linear(np.ones((16, 6))), "relu": G.Activation("relu", 6)})
    g = G.merge(g, G.Graph({"lif": synapses}))
    assert texts(plot.graph(g))[1::2] == ["Input  2\u00d78", "Flatten  2\u00d78 \u2192 16", "Linear  16 \u2192 6", "relu  6",
                                          "synapses(leaky, 2)  2\u00d73 \u2192 3"]  # fmt: skip


def test_a_line_says_which_channels_and_ports_it_joins():
    block = G.SubGraph(G.Graph({"x": G.Input(4), "y": G.Output(4)}, edges(("x", "y"))))
    wires = [G.Edge("in", "b/x", [0, 1], [2, 3]), G.Edge("b/y", "out"), G.Edge("in", "out", range(4), range(4)), *edges(("in", "out"))]
    ax = plot.graph(G.Graph({"in": G.Input(4), "b": block, "out": G.Output(4)}, wires))
    labels = [text for text in texts(ax) if "\u2192" in text]
    assert labels == ["[0, 1] \u2192 x [2, 3]", "[4 channels] \u2192 [4 channels]", "y \u2192 all"]


def test_dashes_are_explained_where_there_are_any():
    assert texts(plot.graph(TOPOLOGIES["self loop"]))[-1] == "dashed: the value of the previous step"
    assert "dashed" not in texts(plot.graph(TOPOLOGIES["chain"]))[-1]


def test_a_picture_fits_into_given_axes():
    figure, pair = plt.subplots(1, 2, figsize=(6, 3))
    for ax, g in zip(pair, (TOPOLOGIES["two-layer recurrence"], TOPOLOGIES["chain"]), strict=True):
        assert plot.graph(g, ax=ax) is ax
    figure.canvas.draw()
    assert plt.get_fignums() == [figure.number]
    for text in (text for text in pair[0].texts if text.get_text() in TOPOLOGIES["two-layer recurrence"].nodes):
        assert pair[0].get_window_extent().padded(2).contains(*text.get_window_extent().p0)
        assert text.get_fontsize() < 9.0


def test_a_figure_without_pyplot_will_do():
    from matplotlib.figure import Figure

    figure = Figure()
    plot.graph(TOPOLOGIES["nested"], ax=figure.subplots())
    figure.canvas.draw()
    assert plt.get_fignums() == []


def test_nothing_and_one_node_are_pictures_too():
    for g in (G.Graph({}, []), G.Graph({"in": G.Input(3)}, [])):
        plot.graph(g).figure.canvas.draw()


def test_importing_loads_no_matplotlib_and_no_jax():
    script = "import sys, snnjax.plot; sys.exit(any(name.split('.')[0] in ('matplotlib', 'jax') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@pytest.mark.parametrize(
    "g, match",
    [
        ({}, "`g` of `graph` must be a Graph; got the dict {}"),
        (path({f"n{k}": G.Alias(1) for k in range(201)}), "`g` has 201 nodes; nobody can read a picture of more than 200"),
        (G.Graph({"in": G.Input(1)}, edges(("in", "nowhere"))), "names the node 'nowhere', which `g` does not have"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_a_sentence(g, match):
    with pytest.raises(snnjax.SnnjaxError, match=match) as caught:
        plot.graph(g)
    assert caught.value.field and plt.get_fignums() == []
