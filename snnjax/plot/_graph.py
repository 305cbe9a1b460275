"""A picture of a network graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import graph as graphs
from .._errors import DTypeError, GraphError, describe, refuses_unknown_keywords
from ._axes import check_axes
from ._draw import Box, draw
from ._layout import Link, layout

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST = 200


@refuses_unknown_keywords
def graph(g: Any, *, ax: Axes | None = None) -> Axes:
    """A network as boxes in layers, from top to bottom; dashed lines carry the value of the previous step.

    Every box has the name of a node, what it is, and the shapes that it takes and gives. A line that takes or gives only some
    channels says which. Readable up to some 30 nodes; a `SubGraph` is one box.

    Args:
        g: a `snnjax.graph.Graph`.
        ax: where to draw; the picture is made to fit. By default a new figure in which the text has its full size.

    Returns:
        The axes.

    Raises:
        DTypeError: `g` is no graph.
        GraphError: an edge names a node that there is not, or the graph has more than 200 nodes.
        ImportError: Matplotlib is not installed.

    >>> import numpy as np
    >>> from snnjax import graph, plot
    >>> g = graph.connect(graph.Linear(np.ones((3, 2))), graph.Activation("relu", 2))
    >>> [text.get_text() for text in plot.graph(g).texts][:2]
    ['input', 'Input  3']
    """
    if not isinstance(g, graphs.Graph):
        raise DTypeError(
            f"`g` of `graph` must be a Graph; got {describe(g)}. `snnjax.graph.of(network)` makes one of a network.",
            where="plot.graph", field="g", value=type(g).__name__, allowed="a Graph",
        )  # fmt: skip
    check_axes(ax)
    if len(g.nodes) > _MOST:
        raise GraphError(
            f"`g` has {len(g.nodes)} nodes; nobody can read a picture of more than {_MOST}. Put parts of it into `SubGraph`s.",
            where="plot.graph", field="g", value=len(g.nodes), allowed=f"at most {_MOST} nodes",
        )  # fmt: skip
    order = graphs.topological_order(g)
    boxes = [_box(name, node) for name, node in g.nodes.items()]
    index = {name: k for k, name in enumerate(g.nodes)}
    backward = set(graphs.back_edges(g))
    links = [Link(index[_at(g, edge.source)], index[_at(g, edge.target)], k in backward) for k, edge in enumerate(g.edges)]
    places = layout([index[name] for name in order], links, [box.width for box in boxes])
    return draw(boxes, [_label(edge) for edge in g.edges], [link.backward for link in links], places, ax)


def _at(g: graphs.Graph, reference: str) -> str:
    return reference if reference in g.nodes else reference.partition("/")[0]


def _box(name: str, node: graphs.Node) -> Box:
    kind = getattr(node, "model", None) or getattr(node, "function", None) or type(node).__name__
    into, out = (_shape(shape) for shape in (node.input_shape, node.output_shape))
    shapes = into if into == out else f"{into} \u2192 {out}"
    return Box(_short(name), f"{_short(kind, 34)}  {shapes}", type(node).__name__)


def _shape(shape: tuple[int, ...]) -> str:
    return "\u00d7".join(map(str, shape)) or "1"


def _short(text: str, most: int = 26) -> str:
    half = most // 2
    return text if len(text) <= most else f"{text[: half - 1]}\u2026{text[-half:]}"


def _label(edge: graphs.Edge) -> str:
    """The ports that a line joins, and the channels, where these are not all."""
    ports = [reference.partition("/")[2] for reference in (edge.source, edge.target)]
    channels = [_channels(indices) for indices in (edge.source_indices, edge.target_indices)]
    sides = [" ".join(filter(None, pair)) for pair in zip(ports, channels, strict=True)]
    return f"{sides[0] or 'all'} \u2192 {sides[1] or 'all'}" if any(sides) else ""


def _channels(indices: Any) -> str:
    if indices is None:
        return ""
    return str(indices.tolist()) if indices.size <= 3 else f"[{indices.size} channels]"
