"""The rates of a DPI neuron with other currents than those that were fitted: a chip's codes, a chip that differs."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..functional._dpi_records import DynapseParams
from ._door import as_there, check_one_population
from ._fi_curve import MembraneNumbers, dpi_interval

_WHERE = "with_currents"


def floored_current(current: Any) -> Any:
    """What the neuron makes of a current, in units of `Io` (`snnjax/functional/_dpi_log.py`)."""
    return (1.0 + current**8) ** 0.125


def rates_with(fitted: DynapseParams, inputs: np.ndarray, params: DynapseParams) -> tuple[np.ndarray, np.ndarray]:
    """Input currents (A) and rates (Hz) of `params` where `inputs` `(D, ...)` are those of `fitted`.

    What came in through the synapse changes with the charge of an event, and `Idc` is another. `params` may have axes in
    front of those of `fitted`, one value per chip.
    """
    fitted, params = _as_numpy(fitted), _as_numpy(params)
    check_one_population({"params": inputs[0], **params.bias._asdict(), **params.process._asdict()}, _WHERE)
    share = _charge_of_an_event(params) / _charge_of_an_event(fitted)
    if fitted.bias.Itau_syn.ndim >= inputs.ndim:
        share = share.mean(axis=-inputs.ndim)  # one share per neuron: of several synapses, their mean
    membrane, process = _membrane(params), params.process
    t_ref = process.Vth * process.C_ref / (process.Io * floored_current(params.bias.Iref / process.Io))
    shape = np.broadcast_shapes(*(value.shape for value in (inputs[0], share, membrane.leak, t_ref, params.bias.Idc)))
    inputs = np.broadcast_to(params.bias.Idc + share * (with_axes(inputs, len(shape)) - fitted.bias.Idc), (len(inputs), *shape))
    membrane = MembraneNumbers(*(np.broadcast_to(number, shape) for number in membrane))
    return inputs, 1.0 / (dpi_interval(inputs / process.Io, membrane)[0] + t_ref)


def with_axes(values: np.ndarray, ndim: int) -> np.ndarray:
    """`(D, ...)` with so many axes behind the first."""
    return values.reshape(len(values), *[1] * (ndim + 1 - values.ndim), *values.shape[1:])


def _as_numpy(params: DynapseParams) -> DynapseParams:
    """Every number in float64."""

    def numbers(record: Any) -> Any:
        return record._make(as_there(value, name, _WHERE) for name, value in record._asdict().items())

    return DynapseParams(numbers(params.bias), numbers(params.process), as_there(params.Iscale, "Iscale", _WHERE))


def _membrane(params: DynapseParams) -> MembraneNumbers:
    bias, process = params.bias, params.process
    kappa = (process.kappa_n + process.kappa_p) / 2
    rate = kappa * process.Io / (process.C_mem * process.Ut)
    numbers = (
        rate,
        kappa / (kappa + 1.0),
        *(floored_current(current / process.Io) for current in (bias.Igain_mem, bias.Ispkthr, bias.Itau_mem)),
    )
    return MembraneNumbers(*np.broadcast_arrays(*numbers))


def _charge_of_an_event(params: DynapseParams) -> np.ndarray:
    bias, process = params.bias, params.process
    Itau, Igain, Ipulse = (process.Io * floored_current(i / process.Io) for i in (bias.Itau_syn, bias.Igain_syn, bias.Ipulse))
    tau = 2.0 * process.Ut / (process.kappa_n + process.kappa_p) * process.C_syn / Itau
    return np.asarray(-np.expm1(-process.Vth * process.C_pulse / (Ipulse * tau)) * Igain / Itau * params.Iscale * tau)
