"""Pictures of simulations and of networks. Every function takes an axis or makes one, and returns it.

Nothing here calls `show` or touches a figure that it was not given. Matplotlib is imported when a function is called.
"""

from ._graph import graph
from ._signals import fi_curve, raster, traces

__all__ = ["fi_curve", "graph", "raster", "traces"]
