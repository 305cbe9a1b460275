"""snnjax: spiking-neuron dynamics in pure JAX.

Namespaces are loaded when they are first used, so that a script that reads a network graph need not import JAX.

>>> import snnjax.functional as F
>>> sorted(F.MODELS)
['adaptive_current_leaky', 'adaptive_leaky', 'dynapse_dpi', 'integrate_and_fire', 'leaky', 'leaky_integrator', 'lif', 'lif_refrac']
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

from ._cores import use_all_cores
from ._errors import (
    ConfigError,
    DTypeError,
    FormatError,
    GraphError,
    HardwareError,
    NumericsError,
    ParameterError,
    ShapeError,
    SnnjaxError,
)

if TYPE_CHECKING:
    from . import dynapse, events, fit, functional, graph, interop, plot, somas

__version__ = "0.1.0"

_NAMESPACES = ("dynapse", "events", "fit", "functional", "graph", "interop", "plot", "somas")


def __getattr__(name: str) -> ModuleType:
    if name in _NAMESPACES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module `{__name__}` has no attribute `{name}`")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])


__all__ = [
    "ConfigError",
    "DTypeError",
    "FormatError",
    "GraphError",
    "HardwareError",
    "NumericsError",
    "ParameterError",
    "ShapeError",
    "SnnjaxError",
    "dynapse",
    "events",
    "fit",
    "functional",
    "graph",
    "interop",
    "plot",
    "somas",
    "use_all_cores",
]
