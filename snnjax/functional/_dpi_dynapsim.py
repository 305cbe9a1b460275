"""The step of Rockpool's DynapSim, in units of `Io`, with its own surrogate: for replaying its models.

    isyn  = exp(-dt/tau_syn) isyn + (1 - exp(-t_pulse/tau_syn)) max((Igain_syn/Itau_syn) Iscale inputs, Io)
    iahp  = max(exp(-dt/tau_ahp) iahp + (1 - exp(-t_pulse_ahp/tau_ahp)) (Igain_ahp/Itau_ahp) Iw_ahp spikes, Io)
    Ileak = Itau_mem + iahp
    Iin   = max(isyn - Ileak + Idc, Io), or Io while refractory
    f     = Io exp(kappa^2/(kappa+1) vmem/Ut) / Ileak (imem + Igain_mem)
    imem += dt imem / (tau (imem + Igain_mem)) ((Igain_mem/Itau_mem) (Iin - Ileak) + f - imem (1 + iahp/Itau_mem))
    tau = (Ut/kappa) C_mem / Ileak
    spikes = max(ceil(ln(imem/Ispkthr)), 0), then imem = Io

Leaks and gains count as `Io` at least. The leak is subtracted twice, `1 - exp` is not `expm1`, `vmem` is not reset, and
the pseudo-derivative is one spike per ampere wherever `imem > Io`: so does the original, and so does this. The default
dynamics (`_dpi_log`) do none of that.

The one departure: where a pulse current is 0, or so small that its pulse never ends, the gradient with respect to it is 0, not NaN.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from .._errors import DTypeError
from ._dpi_records import DynapseParams, DynapseState, Gates


def dynapsim(params: DynapseParams, state: DynapseState, inputs: Any, dt: Any, config: Any) -> tuple[DynapseState, jax.Array]:
    """One step of DynapSim; forward Euler, spike counts that may exceed 1."""
    del config
    _refuse_gates(inputs)
    bias, process = params.bias, params.process
    Io = process.Io
    kappa = (process.kappa_n + process.kappa_p) / 2
    unit = process.Ut / kappa

    Itau_syn, Igain_syn = _at_least_io(bias.Itau_syn, Io), _at_least_io(bias.Igain_syn, Io)
    Itau_ahp, Igain_ahp = _at_least_io(bias.Itau_ahp, Io), _at_least_io(bias.Igain_ahp, Io)
    Itau_mem, Igain_mem = _at_least_io(bias.Itau_mem, Io), _at_least_io(bias.Igain_mem, Io)
    tau_syn = unit * (process.C_syn / Io) / Itau_syn
    tau_ahp = unit * (process.C_ahp / Io) / Itau_ahp

    # Quotients of parameters are written apart from the state: a compiler moves them out of the loop over time, and a
    # division costs as much as all the rest of a line.
    per_Io = 1.0 / Io
    pulse_syn = _charge(process.Vth * process.C_pulse, bias.Ipulse, tau_syn)
    steady = jnp.maximum((Igain_syn / Itau_syn * (params.Iscale / Io)) * inputs, 1.0)
    isyn = jnp.exp(-dt / tau_syn) * (state.isyn * per_Io) + pulse_syn * steady
    kick = _charge(process.Vth * process.C_pulse_ahp, bias.Ipulse_ahp, tau_ahp) * (Igain_ahp / Itau_ahp) * (bias.Iw_ahp / Io)
    iahp = jnp.maximum(jnp.exp(-dt / tau_ahp) * (state.iahp * per_Io) + kick * state.spikes, 1.0)

    leak = Itau_mem + iahp
    drive = jnp.maximum(jnp.where(state.steps_left == 0, isyn - leak + bias.Idc / Io, 0.0), 1.0)
    m = state.imem * per_Io
    feedback = jnp.exp((kappa**2 / (kappa + 1) / process.Ut) * state.vmem)
    # Igain_mem/Itau_mem (Iin - Ileak) - imem (1 + iahp/Itau_mem), with 1 + iahp/Itau_mem = leak/Itau_mem
    pull = (Igain_mem * (drive - leak) - m * leak) * (1.0 / Itau_mem)
    m = jnp.maximum(m + (dt / (unit * (process.C_mem / Io))) * m * (leak * pull / (m + Igain_mem) + feedback), 1.0)

    spikes = _spike_count(m, bias.Ispkthr / Io, Io)
    fired = jnp.clip(spikes, 0.0, 1.0)
    blocked = jnp.where(spikes > 0, _blocked_steps(process.Vth * process.C_ref / bias.Iref, dt), jnp.maximum(state.steps_left - 1, 0))
    after = (1 - fired) * m + fired
    return DynapseState(after * Io, isyn * Io, iahp * Io, unit * jnp.log(m), spikes, blocked.astype(jnp.int32)), spikes


def _at_least_io(current: jax.Array, Io: jax.Array) -> jax.Array:
    return jnp.maximum(current / Io, 1.0)


def _charge(charge: jax.Array, current: jax.Array, tau: jax.Array) -> jax.Array:
    """`1 - exp(-t/tau)` of a pulse of `t = charge / current`; without current it never ends."""
    # 1 - exp(-100) is 1 in float64 too, and below this the gradient of the quotient overflows.
    ends = charge < 100.0 * current * tau
    return jnp.where(ends, 1 - jnp.exp(-charge / jnp.where(ends, current * tau, 1.0)), 1.0)


def _blocked_steps(t_ref: jax.Array, dt: jax.Array) -> jax.Array:
    # The original counts a float timer down and blocks while it is not zero; 1e-3 absorbs the rounding of t_ref / dt.
    return jnp.clip(jnp.ceil(jax.lax.stop_gradient(t_ref / dt) - 1e-3), 0, 2**30).astype(jnp.int32)


@jax.custom_jvp
def _spike_count(m: jax.Array, threshold: jax.Array, Io: jax.Array) -> jax.Array:
    del Io
    return jnp.maximum(jnp.ceil(jnp.log(m / threshold)), 0.0)


@_spike_count.defjvp
def _spike_count_jvp(primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    m, threshold, Io = primals
    # One spike per ampere is Io spikes per unit of m; and a change of Io alone moves no ampere: imem is `m * Io`.
    amperes = Io * tangents[0] + m * tangents[2]
    return _spike_count(m, threshold, Io), jnp.where(m > 1, amperes, 0.0)


def _refuse_gates(inputs: Any) -> None:
    if isinstance(inputs, Gates):
        raise DTypeError(
            "`inputs` must be one array with `DPIConfig.dynapsim()`, which has one combined synapse; got Gates. "
            "Use the default `DPIConfig()`.",
            where="dynapse_dpi_step",
            field="inputs",
            value="Gates",
            allowed="an array",
        )
