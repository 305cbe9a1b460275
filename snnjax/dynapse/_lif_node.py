"""What of a population of a graph a DPI neuron can be: the LIF inside of its wrappers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, NoReturn

import numpy as np

from .. import graph
from .._errors import GraphError
from ..functional import LIFParams, RefractoryParams
from ._population import MODEL


class LIFNode(NamedTuple):
    """A population that goes on a chip.

    Attributes:
        node: as it is in the graph.
        params: `LIFParams`, or `RefractoryParams` around it, with NumPy arrays; `None` where it is a DPI neuron already.
        weight: its recurrent weights `[pre, post]`, where the model has some inside.
        n_synapses: the size of the synapse axis of its inputs, 0 for none.
        notes: what is lost or joined.
    """

    node: graph.Neurons
    params: Any = None
    weight: np.ndarray | None = None
    n_synapses: int = 0
    notes: tuple[str, ...] = ()

    def sum_of_synapses(self, matrix: np.ndarray) -> np.ndarray:
        """`(S, inputs)` as `(S, neurons)`: what arrives at the synapses of a neuron arrives at its one synapse."""
        if not self.n_synapses:
            return matrix
        shape = (len(matrix), *self.node.input_shape)
        return matrix.reshape(shape).sum(axis=-2).reshape(len(matrix), -1)


def is_read_out(node: graph.Neurons) -> bool:
    """Whether a population hands out potentials, so that it can only be outside of a chip."""
    return node.model == "leaky_integrator" or node.model.startswith("membrane(")


def lif_of(name: str, node: graph.Neurons) -> LIFNode:
    """The LIF in a population.

    Raises:
        GraphError: there is none, or it has synapses with different time constants.
    """
    if node.model == MODEL:
        return LIFNode(node)
    found, t_ref, tau_syn = LIFNode(node), None, None
    model, params = node.model, node.params
    while model != "lif":
        wrapper, model, argument = _opened(model)
        if wrapper == "refractory":
            t_ref = params["t_ref"]
        elif wrapper == "recurrent":
            found = found._replace(weight=_matrix(name, node, params["weight"]))
        elif wrapper == "synapses":
            tau_syn = _one_tau(name, params["tau_syn"], int(argument))
            found = found._replace(n_synapses=int(argument))
        else:
            advice = (
                "A chip's neuron has a synapse, as `lif` has: train with that." if "leaky" in node.model else "Use `lif` or `lif_refrac`."
            )
            _refuse(name, f"is of the model {node.model!r}, which a chip does not have. {advice}", node.model)
        params = params["neuron"]
    lif = LIFParams(**_numbers(params))
    lif = lif if tau_syn is None else lif._replace(tau_syn=tau_syn)
    return found._replace(params=lif if t_ref is None else RefractoryParams(lif, t_ref), notes=_notes(node, found.n_synapses))


def _opened(model: str) -> tuple[str, str, str]:
    """`("refractory", "lif", "gate_input")` of `refractory(lif, gate_input)`."""
    if model == "lif_refrac":
        return "refractory", "lif", ""
    wrapper, _, rest = model.partition("(")
    rest = rest[:-1]
    inside, _, argument = (rest, "", "") if rest.endswith(")") or ", " not in rest else rest.rpartition(", ")
    return wrapper, inside, argument


def _numbers(params: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: np.asarray(value, np.float64) for name, value in params.items()}


def _one_tau(name: str, tau_syn: np.ndarray, n: int) -> np.ndarray:
    tau = np.asarray(tau_syn, np.float64)
    if tau.ndim and (tau != tau[:1]).any():
        _refuse(
            name,
            f"has {n} synapses with different `tau_syn` per neuron, and the combined synapse of a chip has one. "
            "Give them one time constant, or put a population of its own behind each.",
            tau,
        )
    return tau[0] if tau.ndim else tau


def _matrix(name: str, node: graph.Neurons, weight: np.ndarray) -> np.ndarray:
    n = int(np.prod(node.shape))
    weight = np.asarray(weight)
    summed = weight.sum(axis=0) if weight.ndim == 3 else weight
    if len(node.shape) != 1 or summed.shape not in ((), (n, n)):
        _refuse(name, "has recurrent weights over several axes; write the population with one axis.", weight.shape)
    return np.broadcast_to(summed, (n, n))


def _notes(node: graph.Neurons, n_synapses: int) -> tuple[str, ...]:
    notes = [f"{n_synapses} synapses of equal time constant became one."] if n_synapses else []
    if "subtraction" in str((node.choices or {}).get("reset", "")):
        notes.append("it resets by subtraction; a DPI neuron resets to rest, so rates differ where it fires fast.")
    return tuple(notes)


def _refuse(name: str, what: str, value: Any) -> NoReturn:
    raise GraphError(f"`{name}` {what}", where="lower", field=name, value=value, allowed="lif, lif_refrac, and wrappers around them")
