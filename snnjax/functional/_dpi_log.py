"""The DPI neuron of the papers: synapses, adaptation, membrane with positive feedback, refractory period.

Each synapse and the adaptation is a first-order low-pass (a spike is a pulse of `t_pulse = Vth C_pulse / Ipulse`):

    tau dI/dt = -(I - Io),  tau = (Ut / kappa) C / Itau        I jumps by (1 - exp(-t_pulse/tau)) (Igain/Itau) Iw per spike

The membrane is a capacitor that obeys Kirchhoff's law in the logarithm of its current (`_dpi_membrane`). `imem` above
`Ispkthr` spikes, goes to `Io` and stays there for `round(t_ref / dt)` steps, `t_ref = Vth C_ref / Iref`.

All is computed in units of `Io`: amperes squared underflow in float32. Leaks and gains count as `Io` at least.

Reference: Bartolozzi & Indiveri (2007), Neural Computation 19, 2581-2603; Livi & Indiveri (2009), ISCAS, 2898-2901;
Chicca, Stefanini, Bartolozzi & Indiveri (2014), Proceedings of the IEEE 102, 1367-1388.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from .._errors import ParameterError
from ._dpi_membrane import Membrane, advance_membrane
from ._dpi_records import DynapseParams, DynapseState, Gates
from ._integrators import _mean_decay
from ._refractory import blocked_steps

_MOST_STEPS = 2**30


class LowPass(NamedTuple):
    """A synapse over a step `h`: its current above `Io` now, and the factors to its mean and to its end."""

    i: jax.Array
    mean: jax.Array
    decay: jax.Array


def paper(params: DynapseParams, state: DynapseState, inputs: Any, dt: Any, config: Any) -> tuple[DynapseState, jax.Array]:
    """One step of the published dynamics; spikes are 0 or 1."""
    process, Io = params.process, params.process.Io
    unit = 2.0 * process.Ut / (process.kappa_n + process.kappa_p)
    h = dt / config.substeps
    synapses = _receive(params, state, inputs, h, unit)
    ahp = _adaptation(params, state.iahp, h, unit)
    membrane = membrane_of(params, h)
    blocked = state.steps_left > 0

    def substep(carry: Any) -> Any:
        u, synapses, ahp = carry
        x, leak = drive(params, u, means(synapses), ahp.i * ahp.mean, config)
        u = jnp.where(blocked, 0.0, advance_membrane(u, x, leak, membrane))
        return u, _decayed(synapses), _decayed(ahp)

    u = jnp.log(jnp.maximum(state.imem / Io, 1.0))
    carry = (u, synapses, ahp)
    if config.substeps == 1:
        carry = substep(carry)
    else:
        # Computed again in the backward pass: else a gradient keeps every sub-step.
        again = jax.checkpoint(substep, prevent_cse=False)
        carry, _ = jax.lax.scan(lambda now, _: (again(now), None), carry, None, length=config.substeps)
    return _fire(params, state, carry, dt, unit, config)


def _fire(params: DynapseParams, state: DynapseState, carry: Any, dt: Any, unit: Any, config: Any) -> tuple[DynapseState, jax.Array]:
    u, synapses, ahp = carry
    Io = params.process.Io
    spikes = config.spike(u - jnp.log(floored(params.bias.Ispkthr / Io)), 1.0)
    spikes = jnp.where(state.steps_left > 0, 0.0, spikes)
    u = jnp.where(spikes > 0, 0.0, u)
    iahp = ahp.i + _jump_of_adaptation(params, unit) * spikes
    t_ref = params.process.Vth * params.process.C_ref / (Io * floored(params.bias.Iref / Io))
    steps = jnp.minimum(blocked_steps(t_ref, dt), _MOST_STEPS)
    left = jnp.where(spikes > 0, steps, jnp.maximum(state.steps_left - 1, 0)).astype(jnp.int32)
    isyn = jax.tree.map(lambda synapse: Io * (1.0 + synapse.i), synapses, is_leaf=_is_low_pass)
    return DynapseState(Io * jnp.exp(u), isyn, Io * (1.0 + iahp), unit * u, spikes, left), spikes


def membrane_of(params: DynapseParams, h: Any) -> Membrane:
    """The membrane's constants for a step of length `h`."""
    process = params.process
    kappa = (process.kappa_n + process.kappa_p) / 2
    rate = kappa / process.Ut * (process.Io / process.C_mem) * h
    return Membrane(rate, floored(params.bias.Igain_mem / process.Io), kappa / (kappa + 1.0))


def drive(params: DynapseParams, u: jax.Array, synapses: Any, iahp: jax.Array, config: Any) -> tuple[jax.Array, jax.Array]:
    """The membrane's input and leak, in units of `Io`, from the currents of its synapses and adaptation.

    Args:
        params: `DynapseParams`.
        u: `ln(imem / Io)`, which opens the NMDA gate.
        synapses: a current above `Io`, or `Gates` of them.
        iahp: adaptation current above `Io`.
        config: `DPIConfig`.

    Returns:
        Input (at least 0) and leak.
    """
    bias, Io = params.bias, params.process.Io
    x, leak = bias.Idc / Io, floored(bias.Itau_mem / Io) + iahp
    if not isinstance(synapses, Gates):
        x = x + synapses
        return jnp.where(x >= 0, x, 0.0), leak
    if synapses.ampa is not None:
        x = x + synapses.ampa
    if synapses.nmda is not None:
        x = x + synapses.nmda / (1.0 + bias.If_nmda / Io * jnp.exp(-u))
    for current, inhibition in ((synapses.gaba, config.gaba), (synapses.shunt, config.shunt)):
        if current is not None and inhibition.subtracts:
            x = x - current
        if current is not None and inhibition.shunts:
            leak = leak + current
    return jnp.where(x >= 0, x, 0.0), leak


def _receive(params: DynapseParams, state: DynapseState, inputs: Any, h: Any, unit: Any) -> Any:
    """The synapses right after this step's input."""
    if not isinstance(inputs, Gates):
        return _synapse(params, state.isyn, inputs, h, unit, None)
    isyn = state.isyn if isinstance(state.isyn, Gates) else Gates(*[state.isyn] * 4)
    present = {name: x for name, x in inputs._asdict().items() if x is not None}
    return Gates(**{name: _synapse(params, getattr(isyn, name), x, h, unit, name) for name, x in present.items()})


def _synapse(params: DynapseParams, isyn: jax.Array, x: jax.Array, h: Any, unit: Any, gate: str | None) -> LowPass:
    bias, process = params.bias, params.process
    Itau, Igain, Ipulse, C = (of_gate(value, gate) for value in (bias.Itau_syn, bias.Igain_syn, bias.Ipulse, process.C_syn))
    Itau, Igain = floored(Itau / process.Io), floored(Igain / process.Io)
    tau = unit * (C / process.Io) / Itau
    jump = charge(process.Vth * process.C_pulse / process.Io, Ipulse / process.Io, tau) * (Igain / Itau) * (params.Iscale / process.Io)
    return _low_pass(isyn / process.Io - 1.0 + jump * x, h, tau)


def _adaptation(params: DynapseParams, iahp: jax.Array, h: Any, unit: Any) -> LowPass:
    process = params.process
    return _low_pass(iahp / process.Io - 1.0, h, unit * (process.C_ahp / process.Io) / floored(params.bias.Itau_ahp / process.Io))


def _jump_of_adaptation(params: DynapseParams, unit: Any) -> jax.Array:
    bias, process = params.bias, params.process
    Itau = floored(bias.Itau_ahp / process.Io)
    pulse = charge(process.Vth * process.C_pulse_ahp / process.Io, bias.Ipulse_ahp / process.Io, unit * (process.C_ahp / process.Io) / Itau)
    return pulse * (floored(bias.Igain_ahp / process.Io) / Itau) * (bias.Iw_ahp / process.Io)


def _low_pass(i: jax.Array, h: Any, tau: jax.Array) -> LowPass:
    return LowPass(i, _mean_decay(h / tau), jnp.exp(-h / tau))


def _is_low_pass(node: Any) -> bool:
    return isinstance(node, LowPass)


def means(synapses: Any) -> Any:
    """The mean current over the step, per synapse."""
    return jax.tree.map(lambda synapse: synapse.i * synapse.mean, synapses, is_leaf=_is_low_pass)


def _decayed(synapses: Any) -> Any:
    return jax.tree.map(lambda synapse: synapse._replace(i=synapse.i * synapse.decay), synapses, is_leaf=_is_low_pass)


def charge(charge: jax.Array, current: jax.Array, tau: jax.Array) -> jax.Array:
    """`1 - exp(-t_pulse/tau)`, the part of its steady state that a synapse reaches in a pulse of `charge / current`."""
    return -jnp.expm1(-charge / (floored(current) * tau))


def of_gate(value: Any, gate: str | None) -> Any:
    """The value of one gate, where there is one per gate; the combined synapse has AMPA's."""
    if not isinstance(value, Gates):
        return value
    gate = gate or "ampa"
    if getattr(value, gate) is None:
        raise ParameterError(
            f"`inputs` reach the gate `{gate}`, for which the parameters have currents only for some gates; got {value}. Give it one.",
            where="dynapse_dpi_step",
            field=gate,
            allowed="a number for every gate that has inputs",
        )
    return getattr(value, gate)


def floored(current: jax.Array) -> jax.Array:
    """`current`, in units of `Io`, but 1 at least: a transistor leaks. `(1 + current^8)^(1/8)`, without overflow.

    Smooth, so that a current that a fit has brought below `Io` finds the way back; 1e-9 off at 10 `Io`.
    """
    high, low = jnp.maximum(current, 1.0), jnp.minimum(current, 1.0)
    return high * (1.0 + (low / high) ** 8) ** 0.125
