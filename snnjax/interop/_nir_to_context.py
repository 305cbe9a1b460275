"""What every part of an export needs to know."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .. import functional as F
from .. import graph
from .._errors import GraphError
from ..graph._data import flat_params
from ._nir_report import Entries
from ._nir_synapse import gain, time_constant

INTEGRATORS = {it.name: it for it in (F.exact, F.exponential_euler, F.euler)}


class Export(NamedTuple):
    """An export under way.

    Attributes:
        nir: the package.
        dt: the step that `w_in` is for, s; `None` for pulses without width.
        tool: the integrator of the tool that will read the file, if its steps are to be those here.
        dtype: of what has none of its own, plain numbers, and of all parameters of neurons.
        entries: the report so far.
    """

    nir: Any
    dt: float | None
    tool: F.Integrator | None
    dtype: np.dtype
    entries: Entries

    def full(self, value: Any, shape: tuple[int, ...]) -> np.ndarray:
        """One number per channel: an array without axes is a population of nobody to other tools."""
        return np.array(np.broadcast_to(np.asarray(value, self.dtype), shape))

    def tau(self, own: F.Integrator, tau: Any) -> np.ndarray:
        """A time constant for the integrator of the tool."""
        if self.tool is None or self.dt is None:
            return np.asarray(tau, np.float64)
        return time_constant(self.tool, self.dt, gain(own, self.dt, tau))


def integrator_of(node: graph.Neurons) -> F.Integrator:
    """The integrator among the choices of `node`."""
    name = node.choices.get("integrator", F.exact.name) if node.choices else F.exact.name
    if not isinstance(name, str) or name not in INTEGRATORS:
        allowed = ", ".join(INTEGRATORS)
        text = f"`choices` of the neurons {node.model!r:.60} name the integrator {name!r:.40}; there are {allowed}."
        raise GraphError(text, where="to_nir", field="integrator", value=name, allowed=allowed)
    return INTEGRATORS[name]


def real(array: np.ndarray) -> np.ndarray:
    """Weights as HDF5 and the other tools can hold them: bfloat16 as float32, integers as floats."""
    if array.dtype.name == "bfloat16":
        return array.astype(np.float32)
    return array if array.dtype.kind == "f" else array.astype(np.float64 if array.dtype.itemsize > 2 else np.float32)


def common_dtype(g: graph.Graph) -> np.dtype:
    """The widest floating dtype in `g`, plain numbers (float64 without axes) aside; float64 where there is nothing else."""
    found = [it for node in g.nodes.values() for it in _arrays(node)]
    return np.result_type(*found) if found else np.dtype(np.float64)


def _arrays(node: graph.Node) -> list[np.dtype]:
    if isinstance(node, graph.SubGraph):
        return [it for inner in node.graph.nodes.values() for it in _arrays(inner)]
    if isinstance(node, graph.Delay):  # seconds, whatever the network computes in
        return []
    values = [value for _, value in (flat_params(node.params) if isinstance(node, graph.Neurons) else node.fields())]
    return [real(it).dtype for it in values if isinstance(it, np.ndarray) and (it.ndim or it.dtype != np.float64)]
