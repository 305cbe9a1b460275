"""Networks as pure data: nodes, edges, operations on them, files. NumPy only; JAX is not imported."""

from __future__ import annotations

import importlib
from typing import Any

from ._components import Recurrent, recurrent
from ._connect import connect
from ._conv import Conv, Pool
from ._edge import Edge
from ._flatten import flatten
from ._graph import Graph, SubGraph, equal
from ._neurons import Neurons
from ._node import Node
from ._nodes import Activation, Alias, Delay, Flatten, Input, Linear, Output, Scale, Threshold
from ._operations import find, merge, rename, replace
from ._order import back_edges, topological_order
from ._problem import Problem
from ._register import register
from ._save import from_json, load, save, to_json
from ._validate import require_valid, validate

#: What needs JAX lives with the somas, and is loaded when it is first asked for.
_OF_SOMAS = {"of": "_graph_of", "build": "_graph_build"}


def __getattr__(name: str) -> Any:
    if name in _OF_SOMAS:
        return getattr(importlib.import_module(f"{__name__.rpartition('.')[0]}.somas.{_OF_SOMAS[name]}"), name)
    raise AttributeError(f"module `{__name__}` has no attribute `{name}`")


def __dir__() -> list[str]:
    return sorted([*__all__, *_OF_SOMAS])


__all__ = [
    "Activation", "Alias", "Conv", "Delay", "Edge", "Flatten", "Graph", "Input", "Linear", "Neurons", "Node", "Output", "Pool", "Problem",
    "Recurrent", "Scale", "SubGraph", "Threshold", "back_edges", "connect", "equal", "find", "flatten", "from_json", "load", "merge",
    "recurrent", "register", "rename", "replace", "require_valid", "save", "to_json", "topological_order", "validate",
]  # fmt: skip
