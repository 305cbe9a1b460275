"""Boxes and lines of a network on axes whose unit is an inch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ._axes import axes
from ._layout import Layout

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HEIGHT, _LAYER, _MARGIN = 0.44, 0.9, 0.2
_NAME, _KIND, _LABEL = 9.0, 7.0, 6.5
_LETTER = 0.62 / 72.0  # width of a letter of size 1, in inches: a little more than most fonts have
_LINE, _INK = "#444444", "#222222"
_LEGEND = "dashed: the value of the previous step"
_COLOURS = {
    "Input": "#e6e6e6", "Output": "#e6e6e6", "Alias": "#f7f7f7", "Neurons": "#cde3f6", "SubGraph": "#e2d8f1",
    "Linear": "#fde4c9", "Conv": "#fde4c9", "Scale": "#fde4c9",
}  # fmt: skip
_OTHER = "#dcefd8"

Point = tuple[float, float]


class Box(NamedTuple):
    """What is written into a box, and the kind of its node."""

    name: str
    kind: str
    colour: str

    @property
    def width(self) -> float:
        return 0.16 + _LETTER * max(_NAME * len(self.name), _KIND * len(self.kind))


def draw(boxes: Sequence[Box], labels: Sequence[str], backward: Sequence[bool], places: Layout, ax: Axes | None) -> Axes:
    """The boxes of the nodes, and for every edge a line along its route."""
    widths = np.array([box.width for box in boxes])
    right = max((places.x[k] + box.width / 2 for k, box in enumerate(boxes)), default=1.0)
    width = max(right, places.x.max(initial=1.0)) + 2 * _MARGIN
    height = (places.layer.max(initial=0) + 1) * _LAYER + (0.25 if any(backward) else 0.0)
    width = max(width, _LETTER * _LABEL * len(_LEGEND) if any(backward) else 0.0)
    scale = 1.0
    if ax is not None:
        available = ax.get_window_extent().transformed(ax.figure.dpi_scale_trans.inverted())
        scale = min(available.width / width, available.height / height)
    ax = axes(ax, (width, height))
    ax.set(xlim=(-_MARGIN, width - _MARGIN), ylim=(-height + _LAYER / 2, _LAYER / 2))
    ax.set_aspect("equal")
    ax.axis("off")
    middles = [(float(x), -_LAYER * int(layer)) for x, layer in zip(places.x, places.layer, strict=True)]
    for k, box in enumerate(boxes):
        _draw_box(ax, box, middles[k], scale)
    leave, enter = (_ports(places, widths, middles, end, towards, backward) for end, towards in ((0, 1), (-1, -2)))
    for k, route in enumerate(places.routes):
        points = _points(middles, route, leave[k], enter[k], backward[k])
        _draw_line(ax, points, backward[k], scale)
    for k, at in _label_places(labels, places, leave, enter).items():
        plate = {"boxstyle": "round,pad=0.12", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}
        ax.text(*at, labels[k], ha="center", va="center", fontsize=_LABEL * scale, color=_INK, bbox=plate, zorder=5)
    if any(backward):
        ax.text(-_MARGIN / 2, -height + _LAYER / 2 + 0.06, _LEGEND, fontsize=_LABEL * scale, color=_LINE)
    for text in ax.texts:
        text.set_in_layout(False)  # there is room for it
    return ax


def _draw_box(ax: Axes, box: Box, middle: Point, scale: float) -> None:
    from matplotlib.patches import FancyBboxPatch

    x, y = middle
    corner = (x - box.width / 2 + 0.04, y - _HEIGHT / 2 + 0.04)
    colour = _COLOURS.get(box.colour, _OTHER)
    shape = FancyBboxPatch(corner, box.width - 0.08, _HEIGHT - 0.08, boxstyle="round,pad=0.04,rounding_size=0.06")
    shape.set(facecolor=colour, edgecolor=_LINE, linewidth=(2.0 if box.colour == "SubGraph" else 0.9) * scale, zorder=3)
    ax.add_patch(shape)
    for text, dy, size, weight in ((box.name, 0.085, _NAME, "bold"), (box.kind, -0.095, _KIND, "normal")):
        ax.text(x, y + dy, text, ha="center", va="center", fontsize=size * scale, weight=weight, color=_INK, zorder=4)


def _ports(places: Layout, widths: np.ndarray, middles: Sequence[Point], end: int, towards: int, backward: Sequence[bool]) -> list[float]:
    """Where along its box every line begins or ends: in the order of where they come from or go to.

    A line that goes backward turns beside the box; of two that do, the outer one is nearer to the middle, so they do not cross.
    """
    lines: dict[int, list[tuple[int, float, int]]] = {}
    for k, route in enumerate(places.routes):
        x, node = middles[route[towards]][0], middles[route[end]][0]
        side = (1 if x > node else -1) if backward[k] else 0
        lines.setdefault(route[end], []).append((side, -x if side else x, k))
    found = [0.0] * len(places.routes)
    for node, joined in lines.items():
        step = min(0.22, 0.8 * widths[node] / len(joined))
        for i, (_, _, k) in enumerate(sorted(joined)):
            found[k] = middles[node][0] + step * (i - (len(joined) - 1) / 2)
    return found


def _points(middles: Sequence[Point], route: Sequence[int], leave: float, enter: float, backward: bool) -> list[tuple[Point, float]]:
    """The points that a line passes, each with its direction: -1 down, 1 up."""
    half = _HEIGHT / 2
    first, last = middles[route[0]][1] - half, middles[route[-1]][1] + half
    inner: list[tuple[Point, float]] = []
    for slot in route[1:-1]:
        x, y = middles[slot]
        inner += [((x, y - half), 1.0), ((x, y + half), 1.0)] if backward else [((x, y + half), -1.0), ((x, y - half), -1.0)]
    return [((leave, first), -1.0), *inner, ((enter, last), -1.0)]


def _draw_line(ax: Axes, points: Sequence[tuple[Point, float]], backward: bool, scale: float) -> None:
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    vertices, codes = [points[0][0]], [Path.MOVETO]
    for ((x0, y0), before), ((x1, y1), after) in zip(points, points[1:], strict=False):
        turns = before != after
        reach = min(0.12 + 0.08 * abs(x1 - x0), 0.3) if turns else 0.5 * abs(y1 - y0)
        vertices += [(x0, y0 + before * reach), (x1, y1 - after * reach), (x1, y1)]
        codes += [Path.CURVE4] * 3
    line: Any = FancyArrowPatch(path=Path(vertices, codes), arrowstyle="-|>", mutation_scale=8.0 * scale, color=_LINE)
    line.set(linewidth=1.0 * scale, linestyle=(0, (4, 2.5)) if backward else "-", zorder=2)
    ax.add_patch(line)


def _label_places(labels: Sequence[str], places: Layout, leave: Sequence[float], enter: Sequence[float]) -> dict[int, Point]:
    """Under the box that the line leaves; one below the other, where several lines of a box have labels."""
    groups: dict[int, list[int]] = {}
    for k, label in enumerate(labels):
        if label:
            groups.setdefault(places.routes[k][0], []).append(k)
    found = {}
    for source, group in groups.items():
        for i, k in enumerate(group):
            down = (i + 1) / (len(group) + 1)
            end = enter[k] if len(places.routes[k]) == 2 else places.x[places.routes[k][1]]
            y = -_LAYER * int(places.layer[source]) - _HEIGHT / 2 - down * (_LAYER - _HEIGHT)
            found[k] = (leave[k] + down * (float(end) - leave[k]), y)
    return found
