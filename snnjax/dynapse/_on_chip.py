"""The rates of a DPI neuron with other currents than those that were fitted: a chip's codes, a chip that differs."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..functional._dpi_records import DynapseParams
from ._door import as_there
from ._fi_curve import MembraneNumbers, dpi_interval


def floored_current(current: Any) -> Any:
    """What the neuron makes of a current, in units of `Io` (`snnjax/functional/_dpi_log.py`)."""
    return (1.0 + current**8) ** 0.125


def rates_with(fitted: DynapseParams, inputs: np.ndarray, params: DynapseParams) -> tuple[np.ndarray, np.ndarray]:
    """Input currents (A) and rates (Hz) of `params` where `inputs` are those of `fitted`.

    What came in through the synapse changes with the charge of an event, and `Idc` is another.
    """
    fitted, params = as_numpy(fitted), as_numpy(params)
    share = _charge_of_an_event(params) / _charge_of_an_event(fitted)
    # One share per neuron: of several synapses, their mean.
    share = share.mean(axis=tuple(range(max(share.ndim - inputs.ndim + 1, 0))))
    inputs = params.bias.Idc + share * (inputs - fitted.bias.Idc)
    process = params.process
    t_ref = process.Vth * process.C_ref / (process.Io * floored_current(params.bias.Iref / process.Io))
    membrane = _membrane(params)
    shape = np.broadcast_shapes(inputs.shape, membrane.leak.shape)
    inputs = np.broadcast_to(inputs, shape)
    return inputs, 1.0 / (dpi_interval(inputs / process.Io, membrane)[0] + t_ref)


def as_numpy(params: DynapseParams) -> DynapseParams:
    """Every number in float64."""
    records = (
        type(record)(*(as_there(value, name, "with_currents") for name, value in record._asdict().items()))
        for record in (params.bias, params.process)
    )
    return DynapseParams(*records, as_there(params.Iscale, "Iscale", "with_currents"))


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
