"""The parameters of `Neurons`: all of the model's and no others, in shapes that fit, in their domains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from .._errors import did_you_mean
from .._kinds import Kind
from ._check_values import is_good, value_problems
from ._data import Shape
from ._models import GATED, GATES, WRAPPERS, Parameters, known_models, model_named
from ._neurons import Neurons
from ._problem import Problem

_WRAPPERS = f"Around it may be {', '.join(f'`{it}(...)`' for it in WRAPPERS)}; `register` makes a model of your own known."
_ADVICE = {
    "neuron": "Give one value for all, or one per neuron.",
    "synapse": "Give one value per synapse, or one per synapse and neuron.",
    "pre post": "Its rows are the neurons that send, its columns those that receive.",
}


def neuron_problems(where: str, node: Neurons) -> Iterator[Problem]:
    """Everything that is wrong with the node at `where`."""
    model = model_named(node.model)
    if model is None:
        near = did_you_mean(node.model[:100], known_models())
        yield Problem(where, f"The model {node.model!r:.100} is not known.", f"{near} {_WRAPPERS}", "model")
    elif not node.shape:
        yield Problem(where, "A population needs an axis of neurons; its shape is ().", "Give `shape=N`.", "shape")
    else:
        ports = (model.n_synapses,) if model.n_synapses else ()
        yield from _record(where, node.params, model.params, "", node.shape, ports)


def _record(where: str, given: Mapping[str, Any], wanted: Parameters, prefix: str, shape: Shape, ports: Shape) -> Iterator[Problem]:
    for name in given:
        if name not in wanted:
            how = f"Leave it out. {did_you_mean(name[:60], wanted)}"
            yield Problem(where, f"`{prefix}{name:.60}` is not a parameter of the model.", how, "parameter")
    for name, kind in wanted.items():
        if is_good(given.get(name), kind):
            continue
        label = prefix + name
        if name not in given:
            yield Problem(where, f"`{label}` is missing.", "Give it a value: a graph holds every parameter.", "parameter")
        elif isinstance(kind, Kind) and isinstance(given[name], np.ndarray):
            yield from _number(where, label, given[name], kind, shape, ports)
        elif isinstance(kind, Kind) and name in GATED:
            yield from _gates(where, label, given[name], kind, shape)
        elif isinstance(kind, Mapping) and isinstance(given[name], Mapping):
            # A model inside the synapses receives their sum, without the synapse axis.
            around = any(isinstance(it, Kind) and it.axes == "synapse" for it in wanted.values())
            yield from _record(where, given[name], kind, f"{label}.", shape, () if around else ports)
        else:
            wants = "a number or an array" if isinstance(kind, Kind) else f"a mapping of {', '.join(kind)}"
            came = "a mapping" if isinstance(given[name], Mapping) else "a number" if given[name].ndim == 0 else "an array"
            yield Problem(where, f"`{label}` must be {wants}; got {came}.", f"`replace` the node by one with {wants} there.", "parameter")
    yield from _reset_below_threshold(where, given, wanted, prefix, shape)


def _gates(where: str, label: str, given: Mapping[str, Any], kind: Kind, shape: Shape) -> Iterator[Problem]:
    for gate, number in given.items():
        if gate not in GATES or not isinstance(number, np.ndarray):
            how = f"Give a number per gate: {did_you_mean(gate[:60], GATES)}"
            yield Problem(where, f"`{label}` has {gate!r:.60}, which is no synaptic gate with a number.", how, "parameter")
        else:
            yield from _number(where, f"{label}.{gate}", number, kind, shape, ())


def _number(where: str, label: str, array: np.ndarray, kind: Kind, shape: Shape, ports: Shape) -> Iterator[Problem]:
    if array.ndim or kind.axes == "pre post":
        fits = _fits(kind.axes, shape, ports)
        if array.shape not in fits:
            wanted = " or ".join(dict.fromkeys(str(fit) for fit in fits if fit != (1,) or shape == (1,)))
            what = f"`{label}` has shape {array.shape}, which does not fit the population's {shape}; expected {wanted}."
            yield Problem(where, what, _ADVICE[kind.axes], "shape")
    yield from value_problems(where, label, array, kind)


def _fits(axes: str, shape: Shape, ports: Shape) -> list[Shape]:
    n = shape[-1:]
    if axes == "synapse":
        return [(), ports, ports + n]
    if axes == "pre post":
        return [ports + n + n]
    return [(), *(shape[k:] for k in range(len(shape) - 1, -1, -1)), (1,)]


def _reset_below_threshold(where: str, given: Mapping[str, Any], wanted: Parameters, prefix: str, shape: Shape) -> Iterator[Problem]:
    v_reset, v_th = given.get("v_reset"), given.get("v_th")
    if "v_reset" not in wanted or "v_th" not in wanted or not isinstance(v_reset, np.ndarray) or not isinstance(v_th, np.ndarray):
        return
    if v_reset.ndim == 0 and v_th.ndim == 0 and float(v_reset) < float(v_th):
        return
    fits = _fits("neuron", shape, ())
    if v_reset.shape not in fits or v_th.shape not in fits:  # reported already; and they might broadcast into something large
        return
    v_reset, v_th = (it.astype(np.float64) for it in (v_reset, v_th))  # bfloat16 and float16 have no common dtype
    bad = np.greater_equal(v_reset, v_th)
    if bad.any():
        reset, threshold = (float(np.broadcast_to(it, bad.shape)[bad][0]) for it in (v_reset, v_th))
        what = f"`{prefix}v_reset` must be below `v_th`; got {reset} and {threshold}."
        yield Problem(where, what, "The neuron could fire at every step: lower `v_reset`.", "domain")
