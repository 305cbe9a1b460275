"""Where pictures are drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._errors import DTypeError, describe

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def axes(ax: Axes | None, size: tuple[float, float] | None = None) -> Axes:
    """`ax`; or those of a new figure, of `size` in inches."""
    check_axes(ax)
    if ax is not None:
        return ax
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError("`snnjax.plot` needs Matplotlib: `pip install snnjax[plot]`.") from error
    return plt.subplots(layout="constrained", figsize=size)[1]


def check_axes(ax: Any) -> None:
    """`ax` are axes, or `None`."""
    if ax is not None and not hasattr(ax, "get_figure"):
        wanted = "axes of Matplotlib"
        text = f"`ax` must be {wanted}; got {describe(ax)}."
        raise DTypeError(text, where="plot", field="ax", value=ax, allowed=wanted)
