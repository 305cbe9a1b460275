"""Where pictures are drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def axes(ax: Axes | None, size: tuple[float, float] | None = None) -> Axes:
    """`ax`; or those of a new figure, of `size` in inches."""
    if ax is not None:
        return ax
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError("`snnjax.plot` needs Matplotlib: `pip install snnjax[plot]`.") from error
    return plt.subplots(layout="constrained", figsize=size)[1]
