"""Populations of neurons as data: the model by name, its parameters as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .._errors import DTypeError, describe, options
from ._data import Shape, json_of, params_of, shape_of
from ._models import model_named
from ._node import Node


@options
@dataclass(frozen=True, eq=False, repr=False)
class Neurons(Node):
    """A population of neurons of one model.

    Args:
        model: the name of the model as `Neuron.name` has it: "lif", "refractory(leaky, gate_input)", "synapses(lif, 2)".
        params: the model's Params, or a mapping from their names; nested for wrappers: `{"neuron": {...}, "t_ref": 2e-3}`. Each
            is one number for all neurons or an array; it is kept as a read-only array, with its dtype (Python numbers become
            float64). What is `None` (a synaptic gate that is absent) is left out.
        shape: of the population, without batch axes.
        choices: surrogate, reset and integrator as `somas` writes them to JSON; `None` for the model's defaults.

    Raises:
        DTypeError: a parameter is no number and no array of numbers, or `choices` are no JSON.

    With `n` synapses per neuron in the model, `input_shape` has the axis of the synapses before that of the neurons.

    >>> from snnjax import graph
    >>> node = graph.Neurons("synapses(leaky, 2)", {"neuron": {"tau_mem": 20e-3}, "tau_syn": [2e-3, 50e-3]}, 5)
    >>> node.input_shape, node.output_shape, node.params["neuron"]["tau_mem"]
    ((2, 5), (5,), array(0.02))
    """

    model: str
    params: Any
    shape: Any
    choices: Any = None

    def __post_init__(self) -> None:
        if not isinstance(self.model, str):
            raise DTypeError(
                f"`model` of `Neurons` must be the name of a neuron model, such as 'lif' (`F.lif.name`); got {describe(self.model)}.",
                where="Neurons", field="model", value=type(self.model).__name__, allowed="a string",
            )  # fmt: skip
        choices = None if self.choices is None else json_of(self.choices, "choices", "Neurons")
        self._set(params=params_of(self.params, "Neurons"), shape=shape_of(self.shape, "shape", "Neurons"), choices=choices)

    @property
    def input_shape(self) -> Shape:
        known = model_named(self.model)
        ports = (known.n_synapses,) if known and known.n_synapses else ()
        return (*self.shape[:-1], *ports, *self.shape[-1:])

    @property
    def output_shape(self) -> Shape:
        return self.shape
