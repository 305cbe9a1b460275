"""LIF parameters as bias currents of a DPI neuron, and back: pure arithmetic.

    Itau  = (Ut / kappa) C / tau            kappa = (kappa_n + kappa_p) / 2
    Igain = r_gain Itau
    Ipulse = Vth C_pulse / t_pulse          Iref = Vth C_ref / t_ref
    Ispkthr = (v_th - v_leak) Iscale        Idc = bias Iscale

These are the standard formulas. They set time constants and threshold, and they do not keep the firing rates: a DPI
neuron has its own input gain and a positive feedback. `match_lif` keeps the behaviour.

Reference: Chicca, Stefanini, Bartolozzi & Indiveri (2014), Proceedings of the IEEE 102, 1367-1388.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._errors import DTypeError, HardwareError, ParameterError, refuses_unknown_keywords
from .._kinds import Kind, kinds_of
from ..functional import LIFParams, RefractoryParams, SynapsesParams
from ..functional._concrete import check_domain, check_real, concrete, describe
from ..functional._dpi_records import BiasCurrents, Process
from ._door import check_bias, check_one_population, check_process

DEFAULT_PROCESS = Process()


@refuses_unknown_keywords
def lif_to_dynapse(
    params: Any,
    *,
    r_gain_mem: Any = 4.0,
    r_gain_syn: Any = 100.0,
    t_pulse: Any = 1e-5,
    t_ref: Any = 1e-3,
    Iscale: Any = 1e-8,
    process: Process = DEFAULT_PROCESS,
) -> BiasCurrents:
    """The bias currents of the DPI neuron whose time constants and threshold are those of a LIF.

    Works on numbers, NumPy arrays (without tracing) and JAX arrays (differentiable, under `jit` and `vmap`). Numbers stay
    numbers and broadcast. Adaptation and NMDA gate are off: their currents are 0.

    Args:
        params: `LIFParams`; or `RefractoryParams` or `SynapsesParams` around it, whose `t_ref` or `tau_syn` are then
            used. `tau_syn` may have one row per synapse, `(n, N)`, and so has `Itau_syn` then; the neuron takes rows as
            `Gates(ampa=rows[0], nmda=rows[1])`.
        r_gain_mem: `Igain_mem / Itau_mem`.
        r_gain_syn: `Igain_syn / Itau_syn`.
        t_pulse: width of a synaptic pulse, s.
        t_ref: refractory period, s.
        Iscale: current that a membrane of 1 or a weight of 1 stands for, A.
        process: the silicon.

    Returns:
        `BiasCurrents`. A negative `bias` gives a negative `Idc`, which `check_currents` reports: a chip has none.

    Raises:
        ParameterError: a number is not in its domain; the LIF resets elsewhere than to its leak.
        ShapeError: the parameters are of populations of different sizes.
        HardwareError: the threshold is not above the leak.

    >>> from snnjax import functional as F
    >>> bias = lif_to_dynapse(F.LIFParams(tau_mem=20e-3, tau_syn=10e-3))
    >>> f"{bias.Itau_mem:.4e} {bias.Igain_syn:.4e} {bias.Ispkthr:.4e}"
    '5.3191e-12 8.8652e-09 1.0000e-08'
    """
    lif, tau_syn, t_ref = unwrap(params, t_ref)
    tau_syn = _one_per_neuron(tau_syn, lif)
    given = {"r_gain_mem": r_gain_mem, "r_gain_syn": r_gain_syn, "t_pulse": t_pulse, "t_ref": t_ref, "Iscale": Iscale}
    check_conversion(lif, tau_syn, given, process)
    unit = process.Ut / ((process.kappa_n + process.kappa_p) / 2)
    Itau_mem = unit * process.C_mem / lif.tau_mem
    Itau_syn = unit * process.C_syn / tau_syn
    return BiasCurrents(
        Idc=lif.bias * Iscale,
        If_nmda=0.0,
        Igain_ahp=0.0,
        Igain_mem=r_gain_mem * Itau_mem,
        Igain_syn=r_gain_syn * Itau_syn,
        Ipulse_ahp=0.0,
        Ipulse=process.Vth * process.C_pulse / t_pulse,
        Iref=process.Vth * process.C_ref / t_ref,
        Ispkthr=(lif.v_th - lif.v_leak) * Iscale,
        Itau_ahp=0.0,
        Itau_mem=Itau_mem,
        Itau_syn=Itau_syn,
        Iw_ahp=0.0,
    )


@refuses_unknown_keywords
def dynapse_to_lif(bias: BiasCurrents, *, Iscale: Any = 1e-8, process: Process = DEFAULT_PROCESS) -> LIFParams:
    """The LIF whose standard conversion has these time constants, threshold and constant input.

    The inverse of `lif_to_dynapse` where `v_leak = v_reset = 0` and `Iscale` and `process` are the same. Gains, pulse
    width and adaptation have no counterpart in a LIF; the refractory period is `Vth C_ref / Iref`.

    Raises:
        ParameterError: a leak, the threshold or `Iscale` is not positive.

    >>> from snnjax import functional as F
    >>> lif = F.LIFParams(tau_mem=30e-3, tau_syn=4e-3, v_th=0.5, bias=0.25)
    >>> back = dynapse_to_lif(lif_to_dynapse(lif))
    >>> all(abs(a - b) < 1e-15 for a, b in zip(lif, back))
    True
    """
    where = "dynapse_to_lif"
    check_bias(bias, where)
    for name, value in (("Itau_mem", bias.Itau_mem), ("Itau_syn", bias.Itau_syn), ("Ispkthr", bias.Ispkthr), ("Iscale", Iscale)):
        check_real(value, name, where)
        check_domain(value, name, Kind("bias_current", "A", "positive"), where)
    check_real(bias.Idc, "Idc", where)
    check_domain(bias.Idc, "Idc", Kind("current", "A"), where)
    check_one_population({name: getattr(bias, name) for name in ("Itau_mem", "Itau_syn", "Ispkthr", "Idc")}, where)
    check_process(process, where)
    unit = process.Ut / ((process.kappa_n + process.kappa_p) / 2)
    return LIFParams(
        tau_mem=unit * process.C_mem / bias.Itau_mem,
        tau_syn=unit * process.C_syn / bias.Itau_syn,
        v_leak=0.0,
        v_th=bias.Ispkthr / Iscale,
        v_reset=0.0,
        bias=bias.Idc / Iscale,
    )


def unwrap(params: Any, t_ref: Any) -> tuple[LIFParams, Any, Any]:
    """The LIF inside, its synaptic time constants, and its refractory period where it has one of its own."""
    tau_syn = None
    while isinstance(params, RefractoryParams | SynapsesParams):
        if isinstance(params, RefractoryParams):
            t_ref = params.t_ref
        else:
            tau_syn = params.tau_syn
        params = params.neuron
    if not isinstance(params, LIFParams):
        raise DTypeError(
            f"`params` must be LIFParams, or RefractoryParams or SynapsesParams around it; got {describe(params)}.",
            where="lif_to_dynapse",
            field="params",
            value=type(params).__name__,
            allowed="LIFParams",
        )
    return params, params.tau_syn if tau_syn is None else tau_syn, t_ref


def _one_per_neuron(tau_syn: Any, lif: LIFParams) -> Any:
    """`(N, 1)`, as other tools write one synapse per neuron, becomes `(N,)`."""
    n = np.shape(lif.tau_mem) or np.shape(lif.v_th)
    return tau_syn[:, 0] if n and np.shape(tau_syn) == (*n, 1) else tau_syn


def check_conversion(lif: LIFParams, tau_syn: Any, given: dict[str, Any], process: Process) -> None:
    """Refuse what has no DPI neuron, before anything is computed."""
    where = "lif_to_dynapse"
    kinds = kinds_of(LIFParams)
    for name, value in lif._replace(tau_syn=tau_syn)._asdict().items():
        check_real(value, name, where)
        check_domain(value, name, kinds[name], where)
    for name, value in given.items():
        unit = "s" if name.startswith("t_") else "A" if name == "Iscale" else "1"
        check_real(value, name, where)
        check_domain(value, name, Kind("setting", unit, "positive"), where)
    check_one_population({**lif._replace(tau_syn=tau_syn)._asdict(), **given}, where)
    check_process(process, where)
    v_th, v_leak, v_reset = concrete(lif.v_th), concrete(lif.v_leak), concrete(lif.v_reset)
    if v_th is not None and v_leak is not None and (bad := v_th <= v_leak).any():
        threshold, leak = _first(bad, v_th, v_leak)
        raise HardwareError(
            f"`v_th` must be above `v_leak`: the threshold current `(v_th - v_leak) * Iscale` is positive; got {threshold} and {leak}. "
            "Raise `v_th`.",
            where=where,
            field="v_th",
            value=threshold,
            allowed="> v_leak",
        )
    if v_leak is not None and v_reset is not None and (bad := v_leak != v_reset).any():
        reset, leak = _first(bad, v_reset, v_leak)
        raise ParameterError(
            f"`v_reset` must be `v_leak`: a DPI neuron resets to where it rests; got {reset} and {leak}. Shift `v_reset` and refit.",
            where=where,
            field="v_reset",
            value=reset,
            allowed="v_leak",
        )


def _first(bad: np.ndarray, *values: np.ndarray) -> list[float]:
    """What the values are where something is bad first."""
    return [float(np.broadcast_to(value, bad.shape)[bad][0]) for value in values]
