"""Horizontal places of nodes whose order in every layer is given: near what they are joined to, never overlapping."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_SWEEPS = 60
_STRAIGHT = 6.0  # how much more the slots of one line keep together than other neighbours


def columns(
    rows: Sequence[Sequence[int]], steps: Sequence[tuple[int, int]], beside: dict[int, int], widths: np.ndarray, nodes: int, gap: float
) -> np.ndarray:
    """The middle of every node and slot, from 0 at the left-most edge; the first `nodes` are nodes, the others slots."""
    joined: dict[int, list[int]] = {k: [] for k in range(len(widths))}
    for upper, lower in steps:
        joined[upper].append(lower)
        joined[lower].append(upper)
    x = np.zeros(len(widths))
    for row in rows:
        x[list(row)] = _apart(widths[list(row)], gap)
        x[list(row)] -= x[list(row)].mean()
    for sweep in range(_SWEEPS):
        for row in rows if sweep % 2 == 0 else reversed(rows):
            members = list(row)
            wishes = np.array([_wish(nodes, k, joined, beside, x, widths, gap) for k in members])
            least = _apart(widths[members], gap)
            x[members] = least + _rising(wishes - least)
    return x - (x - widths / 2).min() if len(x) else x


def _wish(nodes: int, k: int, joined: dict[int, list[int]], beside: dict[int, int], x: np.ndarray, widths: np.ndarray, gap: float) -> float:
    others = joined[k]
    if not others and k not in beside:
        return float(x[k])
    wishes = [float(x[other]) for other in others]
    weights = [_STRAIGHT if k >= nodes and other >= nodes else 1.0 for other in others]
    if k in beside:
        node = beside[k]
        side = 1.0 if x[k] >= x[node] else -1.0
        wishes.append(float(x[node] + side * ((widths[k] + widths[node]) / 2 + gap)))
        weights.append(1.0)
    return float(np.average(wishes, weights=weights))


def _apart(widths: np.ndarray, gap: float) -> np.ndarray:
    """Middles of boxes in a row, as close as they may be."""
    return np.concatenate([[0.0], np.cumsum((widths[1:] + widths[:-1]) / 2 + gap)])


def _rising(wishes: np.ndarray) -> np.ndarray:
    """The numbers nearest to `wishes` that do not fall (pool adjacent violators)."""
    pools: list[tuple[float, int]] = []
    for wish in wishes.tolist():
        pools.append((wish, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (a, n), (b, m) = pools[-2:]
            pools[-2:] = [((a * n + b * m) / (n + m), n + m)]
    return np.repeat([mean for mean, _ in pools], [n for _, n in pools])
