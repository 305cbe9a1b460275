"""Exchange with other tools through NIR, the Neuromorphic Intermediate Representation. Needs the extra: `pip install "snnjax[nir]"`.

NIR writes neurons as differential equations, without time step, integrator or unit of time. So `from_nir` is told `dt`, and the rest
where it matters; what a tool assumes is in `docs/interop.md`. Refractory periods, adaptation and surrogate gradients have no
place in NIR: `to_nir` refuses them, or says in its report that they are lost.

Reference: Pedersen et al. (2024), Neuromorphic intermediate representation, Nature Communications 15, 8122.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import functional as F
from .. import graph
from .._errors import refuses_unknown_keywords
from ..graph._graph import check_graph
from ..graph._validate import refuse_problems, require_valid
from . import _nir_door as door
from ._nir_file import read
from ._nir_from import imported
from ._nir_from_context import Import
from ._nir_hint import Hint
from ._nir_package import package
from ._nir_report import Entries, Entry, Report
from ._nir_to import exported, exported_node
from ._nir_to_context import INTEGRATORS, Export, common_dtype

__all__ = ["Entry", "Report", "from_nir", "read", "to_nir"]


@refuses_unknown_keywords
def to_nir(g: graph.Graph, *, dt: Any = None, integrator: F.Integrator | None = None, on_loss: str = "raise") -> tuple[Any, Report]:
    """A graph as a `nir.NIRGraph`, for `nir.write` and other tools.

    Times are in seconds. Every parameter is an array of the population's shape. What NIR has no field for (numbers shared by all
    neurons, `bias`, integrator, reset by subtraction) is also kept as a hint in the metadata, which `from_nir` takes only
    where it agrees with the NIR node. A connection by channel numbers becomes a `Linear` of zeros and ones.

    Args:
        g: a graph without problems.
        dt: the step that the synapses of `F.lif` are to be written for, s. An input of ours is a jump of the current; the synapse
            of NIR filters its input, and other tools send pulses of height 1 that last one step. With `dt`, `w_in` is such that these
            make jumps of 1. Without, it is `tau_syn`: for pulses without width, which is what NIR's equations are for.
        integrator: that of the tool which will read the file, if its steps of `dt` are to be those here: most tools step by `F.euler`.
            Time constants, `r` and `w_in` are then what they must be for that. Left out, they are what they are here, and the
            steps of another integrator differ by a little.
        on_loss: "raise" refuses a graph that NIR cannot carry whole; "report" leaves out a refractory period, an adaptation, a surrogate,
            and says so. What cannot be left out (another model, an activation) is always refused.

    Returns:
        The NIR graph and a `Report`.

    Raises:
        GraphError: the graph has problems, or NIR cannot carry it; `.value` is then the report.
        DTypeError: `g` is no graph.
        ParameterError, ConfigError: `dt` or `on_loss` is not one of the above.
        ImportError: the package `nir` is not installed.

    >>> from snnjax import graph, somas
    >>> from snnjax.interop import nir
    >>> g = graph.of(somas.LIFSomaConfig(shape=(2,), tau_syn=5e-3).build())
    >>> made, report = nir.to_nir(g, dt=1e-3)
    >>> [type(node).__name__ for node in made.nodes.values()], report.problems
    (['Input', 'CubaLIF', 'Output'], ())
    """
    check_graph(g, "g", "to_nir")
    door.check_on_loss(on_loss)
    dt = None if dt is None else door.checked_dt(dt, "to_nir")
    door.check_integrator(integrator, "to_nir")
    door.check_steps_known(integrator, dt)
    nir = package()
    require_valid(g, "to_nir")
    entries = Entries()
    if _many_ports(g):
        g = graph.flatten(g)
        entries.note("", "graph", "Nested graphs with several ports are flattened: edges of NIR cannot name a port.")
    made = exported(Export(nir, dt, integrator, common_dtype(g), entries), g)
    report = entries.report()
    if on_loss == "raise":
        report.raise_if_bad()
    return made, report


@refuses_unknown_keywords
def from_nir(
    nir_graph: Any,
    *,
    dt: Any,
    time_unit: str | float | None = None,
    integrator: F.Integrator | None = None,
    reset: Callable[..., Any] | None = None,
    synapse: str | None = None,
) -> tuple[graph.Graph, Report]:
    """A `nir.NIRGraph` as a graph, to be run with `graph.build(g, dt=dt)`.

    Every field of every node counts, neuron by neuron. Each cycle has a delay of one step, on the edges that `graph.back_edges` names.

    Args:
        nir_graph: from `read`, or from another tool.
        dt: the step of the simulation, s. Delays and the factors in front of synapses depend on it; the rest does not.
        time_unit: of the time constants and delays: "s" (the default), "ms", "steps" (of `dt`), or a number of seconds. Left open,
            a time constant above 1 s is refused with the question whether it is one.
        integrator: `F.exact` by default, or what the file's hint says. Tools that write decays `1 - dt/tau` mean `F.euler`.
        reset: `F.reset_to_value` by default, or what the hint says; NIR knows no other.
        synapse: what the input of CubaLIF and CubaLI does. "held" is NIR's equation with an input that is held over the step, exact; "jump"
            is what Norse, snnTorch and others do. By default what the hint says, else "held".

    Returns:
        The graph, validated, and a `Report` of what was decided.

    Raises:
        GraphError: a node means nothing here, a shape is open, or the graph has problems (`graph.validate`).
        ParameterError: `dt` is not positive or too long for Euler, or a time constant raises the question above.
        ConfigError: `time_unit`, `integrator`, `reset` or `synapse` is none of the above.
        DTypeError, ShapeError: `nir_graph` is none, or a field is not what NIR says it is.
        ImportError: the package `nir` is not installed.

    >>> import nir as package, numpy as np
    >>> from snnjax import graph
    >>> from snnjax.interop import nir
    >>> tau, one, zero = np.full(2, 20e-3), np.ones(2), np.zeros(2)
    >>> made = package.NIRGraph.from_list(package.LIF(tau=tau, r=one, v_leak=zero, v_threshold=one, v_reset=zero))
    >>> g, report = nir.from_nir(made, dt=1e-3)
    >>> state, spikes = graph.build(g).simulate(np.full((50, 2), 2.0), dt=1e-3)
    >>> spikes.sum(axis=0).tolist()
    [3.0, 3.0]
    """
    dt = door.checked_dt(dt, "from_nir")
    unit = door.checked_unit(time_unit, dt)
    door.check_choices(integrator, reset, synapse)
    door.check_nir_graph(nir_graph)
    entries = Entries()
    it = Import(dt, unit, integrator, reset, synapse, _again, entries)
    g = imported(it, nir_graph)
    refuse_problems(g, "from_nir", "nir_graph", "The graph that `nir_graph` gives")
    for k in graph.back_edges(g):
        edge = g.edges[k]
        entries.note(edge.target, "edges", f"What comes from {edge.source!r} arrives one step later: the edge closes a cycle.")
    return g, entries.report()


def _again(hint: Hint, dtype: np.dtype) -> Any:
    """A node as `to_nir` writes it, to compare a hint with."""
    tool = None if hint.tool is None else INTEGRATORS[hint.tool]
    return exported_node(Export(package(), hint.dt, tool, dtype, Entries()), "node", hint.node)


def _many_ports(g: graph.Graph) -> bool:
    blocks = [node for node in g.nodes.values() if isinstance(node, graph.SubGraph)]
    return any(len(node.inputs) > 1 or len(node.outputs) > 1 or _many_ports(node.graph) for node in blocks)
