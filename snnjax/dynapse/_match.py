"""A conversion that keeps the behaviour: the DPI neuron with the firing rates and synaptic potentials of a LIF.

The standard formulas keep time constants and lose rates, because the input gain of a DPI neuron is another, and because
its positive feedback outruns the leak long before a threshold of nanoamperes: from about `(1/(rate tau))^(1/gamma) Io`
on, 0.15 nA at 20 ms. A DPI neuron is close to a LIF where its threshold lies below that. What then is left is a bend of
the leak, which two numbers take up:

    Ispkthr, Igain_mem   a rule: where the feedback is at most 0.6 of the leak, and the gain a fortieth of the threshold
    Itau_mem, k          least squares on the logarithm of the f-I curve, `k` the input current per unit of LIF current
    Idc                  closed form: the rheobases are equal, so one is silent where the other is
    Itau_syn, Igain_syn  closed form: a spike moves the input by `k` times its weight, and that decays with `tau_syn`
    Iref                 closed form

Reference: the f-I curves in `_fi_curve`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .._errors import ConfigError, refuses_unknown_keywords
from .._kinds import Kind
from ..functional import Integrator, exact, exponential_euler
from ..functional._concrete import check_domain, check_dt, check_real, describe
from ..functional._dpi_records import BiasCurrents, DynapseParams, Process
from ._convert import DEFAULT_PROCESS, check_conversion, unwrap
from ._door import as_there, check_kind
from ._fi_curve import MembraneNumbers, dpi_interval, lif_interval, rheobase
from ._generator import Generator
from ._on_chip import floored_current, rates_with, with_axes
from ._quantize import DEFAULT_GENERATOR, quantize

#: Inputs, in units of the rheobase, at which the curves are compared.
DRIVES = (1.02, 1.05, 1.1, 1.2, 1.35, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.5, 8.0)

#: Relative error up to which a rate counts as held.
HELD = 0.25

_ITERATIONS = 40


class Match(NamedTuple):
    """What `match_lif` found.

    Attributes:
        params: the DPI neuron.
        gain: input current per unit of LIF current, A.
        drives: inputs in units of the LIF's rheobase at which rates were compared, `(D,)`.
        inputs: input currents of the DPI neuron there, `Idc` included, A, `(D, ...)`.
        lif_rates: rates of the LIF there, Hz, `(D, ...)`.
        rates: rates of the DPI neuron there, Hz, `(D, ...)`.
    """

    params: DynapseParams
    gain: np.ndarray
    drives: np.ndarray
    inputs: np.ndarray
    lif_rates: np.ndarray
    rates: np.ndarray

    @property
    def residual(self) -> np.ndarray:
        """Relative error of the rates, `(D, ...)`."""
        return self.rates / self.lif_rates - 1.0

    @property
    def held(self) -> np.ndarray:
        """Where the rate is within 25 % of the LIF's, `(D, ...)`."""
        return np.abs(self.residual) <= HELD

    @refuses_unknown_keywords
    def with_currents(self, params: DynapseParams) -> Match:
        """The rates that other currents, or another chip, give under the same synaptic inputs.

        `params` may have axes in front, as a `vmap` of `mismatch` over chips makes them.

        >>> import jax
        >>> from snnjax import dynapse, functional as F
        >>> match = match_lif(F.LIFParams())
        >>> other = match.with_currents(dynapse.mismatch(match.params, jax.random.key(0)))
        >>> bool(match.held.all()), bool(other.held.all())
        (True, False)
        """
        check_kind(params, DynapseParams, "params", "DynapseParams", "with_currents")
        inputs, rates = rates_with(self.params, self.inputs, params)
        lif_rates = np.broadcast_to(with_axes(self.lif_rates, rates.ndim - 1), rates.shape)
        return self._replace(params=params, inputs=inputs, lif_rates=lif_rates, rates=rates)

    @refuses_unknown_keywords
    def on_chip(self, *, generator: Generator = DEFAULT_GENERATOR) -> Match:
        """The rates with the currents that a chip makes of these: `held` and `print` say which it holds.

        >>> from snnjax import functional as F
        >>> print(match_lif(F.LIFParams()).on_chip())  # doctest: +ELLIPSIS
        firing rates from 12.7 to 374 Hz: median error ...%, worst ...% (neuron 0 of 1); within 25% ...
        """
        made, _ = quantize(self.params.bias, generator=generator, saturate=True)
        return self.with_currents(self.params._replace(bias=made))

    def __str__(self) -> str:
        if not self.residual.size:
            return "no neurons"
        worst = np.abs(self.residual).max(axis=0)
        kept = self.lif_rates[self.held]
        where = f"from {kept.min():.3g} to {kept.max():.3g} Hz, {self.held.mean():.0%} of all" if kept.size else "nowhere"
        where = "at all of them" if self.held.all() else where
        return (
            f"firing rates from {self.lif_rates.min():.3g} to {self.lif_rates.max():.3g} Hz: "
            f"median error {np.median(np.abs(self.residual)):.2%}, worst {worst.max():.2%} "
            f"(neuron {int(np.argmax(worst))} of {max(worst.size, 1)}); within {HELD:.0%} {where}"
        )


@refuses_unknown_keywords
def match_lif(
    params: Any,
    *,
    t_ref: Any = 1e-6,
    t_pulse: Any = 1e-5,
    Iscale: Any = 1e-8,
    Ispkthr: Any = None,
    Igain_mem: Any = None,
    process: Process = DEFAULT_PROCESS,
    integrator: Integrator = exact,
    dt: float | None = None,
) -> Match:
    """The DPI neuron that fires like a LIF: same f-I curve, same rheobase, same synaptic current, same refractory period.

    Args:
        params: `LIFParams`, with one value for all or one per neuron; or `RefractoryParams` around it.
        t_ref: refractory period, s, where `params` have none; by default practically none.
        t_pulse: width of a synaptic pulse, s.
        Iscale: current of a weight of 1, A; weights stay those of the LIF.
        Ispkthr: threshold current, A; by default 5 pA to 0.1 nA, after `tau_mem`.
        Igain_mem: gain current, A; by default a fortieth of the threshold, 2 `Io` at least.
        process: the silicon.
        integrator: how the LIF is run: `exact`, or `exponential_euler` with its `dt`, which holds a synaptic current
            over the step and so gives it `x / (1 - exp(-x))` times the charge, `x = dt / tau_syn`.
        dt: step of the LIF, s, where `integrator` is `exponential_euler`.

    Returns:
        `Match(params, gain, drives, inputs, lif_rates, rates)`; `match.residual` is the relative error of the rates and
        `print(match)` sums it up; `print(match.on_chip())` says which rates the codes of a chip hold. Concrete NumPy, float64:
        it is a fit, and is not traced.

    Raises:
        ParameterError, HardwareError: as `lif_to_dynapse`.
        ConfigError: another integrator, or `exponential_euler` without `dt`.

    >>> import numpy as np
    >>> from snnjax import functional as F
    >>> match = match_lif(F.LIFParams(tau_mem=20e-3, tau_syn=10e-3))
    >>> bool(np.abs(match.residual).max() < 0.02), float(match.params.bias.Ispkthr) < 1e-10
    (True, True)
    """
    lif, tau_syn, t_ref = unwrap(params, t_ref)
    check_conversion(lif, tau_syn, {"t_pulse": t_pulse, "t_ref": t_ref, "Iscale": Iscale}, process)
    for name, current in (("Ispkthr", Ispkthr), ("Igain_mem", Igain_mem)):
        if current is not None:
            check_real(current, name, "match_lif")
            check_domain(current, name, Kind("bias_current", "A", "positive"), "match_lif")
    if dt is not None:
        check_dt(dt, "match_lif")
    lif = type(lif)(*(as_there(value, name, "match_lif") for name, value in lif._asdict().items()))
    membrane = _working_point(lif, Ispkthr, Igain_mem, process)
    charge = _extra_charge(integrator, dt, tau_syn)
    leak, gain = _fit(membrane, lif.tau_mem)
    membrane = membrane._replace(leak=leak)
    x_0 = rheobase(membrane)[0]
    bias = _currents(lif, tau_syn, t_ref, t_pulse, Iscale, membrane, gain, x_0, process)
    bias = bias._replace(Igain_syn=bias.Igain_syn * charge)
    drives = np.array(DRIVES)
    column = drives.reshape(-1, *[1] * leak.ndim)
    inputs = x_0 + gain * (column - 1.0)
    rates = 1.0 / (dpi_interval(inputs, membrane)[0] + t_ref)
    lif_rates = np.broadcast_to(1.0 / (lif_interval(column, lif.tau_mem) + t_ref), rates.shape)
    per_current = gain * process.Io / (lif.v_th - lif.v_leak)
    return Match(DynapseParams(bias, process, Iscale), per_current, drives, inputs * process.Io, lif_rates, rates)


def _extra_charge(integrator: Integrator, dt: float | None, tau_syn: Any) -> Any:
    if integrator is exact:
        return 1.0
    name = integrator.name if isinstance(integrator, Integrator) else integrator
    if integrator is not exponential_euler or dt is None:
        came = f"`{name}`" if isinstance(integrator, Integrator) else describe(integrator)
        raise ConfigError(
            f"`integrator` must be `exact`, or `exponential_euler` together with `dt`; got {came} and dt={dt!r}.",
            where="match_lif",
            field="integrator",
            value=name,
            allowed="exact, exponential_euler",
        )
    steps = dt / np.asarray(tau_syn, np.float64)
    return steps / -np.expm1(-steps)


def _above_floor(current: Any) -> Any:
    """The current that the membrane takes for this one."""
    return np.maximum(current**8 - 1.0, 0.0) ** 0.125


def _working_point(lif: Any, Ispkthr: Any, Igain_mem: Any, process: Process) -> MembraneNumbers:
    """Threshold and gain by rule; the leak is where the fit starts."""
    kappa = (process.kappa_n + process.kappa_p) / 2
    rate = kappa * process.Io / (process.C_mem * process.Ut)
    gamma = kappa / (kappa + 1.0)
    given = (number for number in (Ispkthr, Igain_mem) if number is not None)
    shape = np.broadcast_shapes(*(np.shape(value) for value in (*lif, rate, gamma, *given)))
    loss = 1.0 / (rate * lif.tau_mem)
    threshold = np.clip((0.6 * loss) ** (1.0 / gamma), 10.0, 200.0) if Ispkthr is None else np.asarray(Ispkthr) / process.Io
    gain = np.maximum(threshold / 40.0, 2.0) if Igain_mem is None else floored_current(np.asarray(Igain_mem) / process.Io)
    numbers = (rate, gamma, gain, threshold, loss + 0.9 * threshold**gamma)
    return MembraneNumbers(*(np.broadcast_to(np.asarray(number, np.float64), shape) for number in numbers))


def _fit(membrane: MembraneNumbers, tau: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Leak and input gain, in units of `Io`: Gauss-Newton in their logarithms, damped, all neurons at once."""
    b = np.array(DRIVES).reshape(-1, *[1] * membrane.leak.ndim)
    target = np.log(lif_interval(b, tau))

    def misfit(leak: np.ndarray, gain: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        now = membrane._replace(leak=leak)
        x_0, slope = rheobase(now)
        # With a gain above the rheobase, Idc = x_0 - gain would have to be negative, which a chip does not have.
        capped = gain > x_0
        slope, held = np.where(capped, slope * b, slope), np.where(capped, 0.0, gain)
        time, by_x, by_leak = dpi_interval(x_0 + np.minimum(gain, x_0) * (b - 1.0), now)
        # Finite where the input does not reach the rheobase, so that a step there is refused and not NaN.
        wrong = np.log(np.minimum(time, 1e30)) - target
        return wrong, (by_leak + by_x * slope) * leak / time, by_x * (b - 1.0) * held / time

    leak, gain, damping = membrane.leak, rheobase(membrane)[0], np.full(membrane.leak.shape, 1e-3)
    wrong, a, c = misfit(leak, gain)
    for _ in range(_ITERATIONS):
        aa, ac, cc = (a * a).sum(0) * (1 + damping), (a * c).sum(0), np.maximum((c * c).sum(0), 1e-12) * (1 + damping)
        ra, rc = (a * wrong).sum(0), (c * wrong).sum(0)
        determinant = np.maximum(aa * cc - ac * ac, 1e-30)
        step_leak = np.clip(-(cc * ra - ac * rc) / determinant, -0.5, 0.5)
        step_gain = np.clip(-(aa * rc - ac * ra) / determinant, -0.5, 0.5)
        new_leak, new_gain = leak * np.exp(step_leak), gain * np.exp(step_gain)
        new = misfit(new_leak, new_gain)
        better = (new[0] ** 2).sum(0) < (wrong**2).sum(0)
        leak, gain = np.where(better, new_leak, leak), np.where(better, new_gain, gain)
        wrong, a, c = (np.where(better, after, before) for after, before in zip(new, (wrong, a, c), strict=True))
        damping = np.where(better, damping / 4.0, damping * 8.0)
    return leak, np.minimum(gain, rheobase(membrane._replace(leak=leak))[0])


def _currents(
    lif: Any,
    tau_syn: Any,
    t_ref: Any,
    t_pulse: Any,
    Iscale: Any,
    membrane: MembraneNumbers,
    gain: np.ndarray,
    x_0: np.ndarray,
    process: Process,
) -> BiasCurrents:
    unit = 2.0 * process.Ut / (process.kappa_n + process.kappa_p)
    per_current = gain * process.Io / (lif.v_th - lif.v_leak)
    Itau_syn = unit * process.C_syn / np.asarray(tau_syn, np.float64)
    charge = -np.expm1(-t_pulse / np.asarray(tau_syn, np.float64))
    # Adaptation and NMDA keep their defaults: next to nothing, and on the chip. A 0 would become the smallest code, and the
    # smallest Ipulse_ahp is the longest pulse.
    return BiasCurrents(
        Idc=(x_0 - gain) * process.Io + per_current * lif.bias,
        Igain_mem=_above_floor(membrane.gain) * process.Io,
        Igain_syn=per_current * Itau_syn / (charge * Iscale),
        Ipulse=process.Vth * process.C_pulse / t_pulse,
        Iref=process.Vth * process.C_ref / t_ref,
        Ispkthr=membrane.threshold * process.Io,
        Itau_mem=_above_floor(membrane.leak) * process.Io,
        Itau_syn=Itau_syn,
    )
