"""Rockpool's Brian layers (`FFIAFBrian` and its siblings) and Brian2's own counting, as snnjax's parameters and inputs.

| layer | parameters | neuron |
|---|---|---|
| `FFIAFBrian` | `ffiaf` | `F.refractory(F.leaky)` |
| `FFIAFBrian`, `neuron_eq=eqNeuronCLIAFFF` | `ffiaf_constant_leak` | `F.refractory(F.integrate_and_fire)` |
| `FFIAFSpkInBrian` | `ffiaf_spk_in` | `F.lif_refrac` |
| `RecIAFBrian` | `rec_iaf` | `F.injected(F.recurrent(F.lif_refrac))`, its input a held current |
| `RecIAFSpkInBrian` | `rec_iaf_spk_in` | `F.synapses(F.recurrent(F.lif_refrac), 1)` |
| `FFExpSynBrian` | | `F.lif`'s synaptic current |

Arguments have the layers' names and defaults, in SI units as Brian's quantities hold them: `-55 * mV` is -0.055. A
resistance is not among them, it is 1 ohm, so that 15 mA are 15 mV. Inputs of a layer are `ts_input @ W`, and its
integrator is `F.SpikingConfig(integrator=F.rk4)`. Three things are ordered differently, and each is a value:

* Brian2 counts the step of the spike as refractory: `frozen` says how long the membrane is held.
* A spike that arrives in step k moves the synapse at the end of it, and the membrane from step k + 1 on: `arrivals`.
* The last stage of a Runge-Kutta step reads the next sample of the input: `rk4_inputs`.

Reference: Stimberg, Brette & Goodman (2019), eLife 8, e47314.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from .. import functional as F
from .._errors import refuses_unknown_keywords
from ._brian_order import arrivals, check, check_weights, delta_th, frozen, rk4_inputs, sigma

__all__ = [
    "BIAS_IN_CODE",
    "BIAS_IN_DOCUMENTATION",
    "arrivals",
    "delta_th",
    "ffiaf",
    "ffiaf_constant_leak",
    "ffiaf_spk_in",
    "frozen",
    "rec_iaf",
    "rec_iaf_spk_in",
    "rk4_inputs",
    "sigma",
]

#: The default bias of `FFIAFBrian`: of the two that are published, the one in its code.
BIAS_IN_CODE = 15e-3
#: And the one in its documentation. It drives the membrane to the threshold and not beyond: with it the neuron never fires.
BIAS_IN_DOCUMENTATION = 10e-3


@refuses_unknown_keywords
def ffiaf(
    tau_mem: Any = 20e-3,
    v_thresh: Any = -55e-3,
    v_reset: Any = -65e-3,
    v_rest: Any = -65e-3,
    bias: Any = BIAS_IN_CODE,
    refractory: Any = 0.0,
    dt: Any = 1e-4,
) -> F.RefractoryParams:
    """The parameters of `FFIAFBrian`; run them with `F.refractory(F.leaky)` and this `dt`.

        tau_mem dv/dt = v_rest - v + inputs + bias          in volts and amperes, across 1 ohm

    Args:
        tau_mem: s; a number or one value per neuron, as all of them.
        v_thresh: potential that a spike has to exceed, V.
        v_reset: potential after a spike, V.
        v_rest: potential without input and bias, V; the membrane starts there.
        bias: A. The default is `BIAS_IN_CODE`, 15 mA; the documentation says `BIAS_IN_DOCUMENTATION`, 10 mA.
        refractory: s, counted as Brian2 does: see `frozen`.
        dt: length of a step, s.

    Returns:
        `F.RefractoryParams` around `F.LeakyParams`.

    Raises:
        ParameterError: a number is outside its domain.

    >>> import jax.numpy as jnp
    >>> from snnjax import functional as F
    >>> def first_spike(bias):
    ...     raster = F.simulate(F.refractory(F.leaky), ffiaf(bias=bias), jnp.zeros((600, 1)), dt=1e-4)[1]
    ...     return int(raster.argmax()) if raster.any() else None
    >>> first_spike(BIAS_IN_CODE), first_spike(BIAS_IN_DOCUMENTATION)
    (219, None)
    """
    check("brian.ffiaf", tau_mem=tau_mem, v_thresh=v_thresh, v_reset=v_reset, v_rest=v_rest, bias=bias)
    membrane = F.LeakyParams(tau_mem=tau_mem, v_leak=v_rest, v_th=v_thresh, v_reset=v_reset, bias=bias)
    return F.RefractoryParams(membrane, frozen(refractory, dt))


@refuses_unknown_keywords
def ffiaf_constant_leak(
    tau_mem: Any = 20e-3,
    v_thresh: Any = -55e-3,
    v_reset: Any = -65e-3,
    bias: Any = BIAS_IN_CODE,
    refractory: Any = 0.0,
    dt: Any = 1e-4,
) -> F.RefractoryParams:
    """The parameters of `FFIAFBrian` with the equations `eqNeuronCLIAFFF`; run them with `F.refractory(F.integrate_and_fire)`.

        tau_mem dv/dt = inputs + bias

    The layer's membrane starts at its `v_rest`, which these equations have no other use for; ours starts at `v_reset`.
    Args, returns (around `F.IntegrateAndFireParams`) and errors as in `ffiaf`.

    >>> ffiaf_constant_leak(bias=-1e-3).neuron.bias
    -0.001
    """
    check("brian.ffiaf_constant_leak", tau_mem=tau_mem, v_thresh=v_thresh, v_reset=v_reset, bias=bias)
    membrane = F.IntegrateAndFireParams(tau_mem=tau_mem, v_th=v_thresh, v_reset=v_reset, bias=bias)
    return F.RefractoryParams(membrane, frozen(refractory, dt))


@refuses_unknown_keywords
def ffiaf_spk_in(
    tau_mem: Any = 20e-3,
    tau_syn: Any = 20e-3,
    v_thresh: Any = -55e-3,
    v_reset: Any = -65e-3,
    v_rest: Any = -65e-3,
    bias: Any = 10e-3,
    refractory: Any = 0.0,
    dt: Any = 1e-4,
) -> F.RefractoryParams:
    """The parameters of `FFIAFSpkInBrian`; run them with `F.lif_refrac` on `arrivals(spikes @ W)`.

    A weight is the jump of the synaptic current, A. Args and errors as in `ffiaf`; `tau_syn` is that of the synapses, s.

    >>> ffiaf_spk_in().neuron.tau_syn
    0.02
    """
    check("brian.ffiaf_spk_in", tau_mem=tau_mem, tau_syn=tau_syn, v_thresh=v_thresh, v_reset=v_reset, v_rest=v_rest, bias=bias)
    neuron = F.LIFParams(tau_mem=tau_mem, tau_syn=tau_syn, v_leak=v_rest, v_th=v_thresh, v_reset=v_reset, bias=bias)
    return F.RefractoryParams(neuron, frozen(refractory, dt))


@refuses_unknown_keywords
def rec_iaf(
    weights: Any,
    tau_mem: Any = 20e-3,
    tau_syn_r: Any = 50e-3,
    v_thresh: Any = -55e-3,
    v_reset: Any = -65e-3,
    v_rest: Any = -65e-3,
    bias: Any = 10.5e-3,
    refractory: Any = 0.0,
    dt: Any = 1e-4,
) -> F.RecurrentParams:
    """The parameters of `RecIAFBrian`; run them with `F.injected(F.recurrent(F.lif_refrac))` on `F.Injected(held=current)`.

    The external current enters without weights, one channel per neuron. A spike in step k moves the membrane from step
    k + 1 on, in both.

    Args:
        weights: from sender (row) to receiver (column), with those to itself, A; `(N, N)`.
        tau_syn_r: time constant of the recurrent synapses, s.
        tau_mem, v_thresh, v_reset, v_rest, bias, refractory, dt: as in `ffiaf`.

    Returns:
        `F.RecurrentParams` around `F.RefractoryParams` around `F.LIFParams`.

    Raises:
        ParameterError: a number is outside its domain.

    >>> import jax.numpy as jnp
    >>> from snnjax import functional as F
    >>> current = F.Injected(held=jnp.full((300, 2), 5e-3))
    >>> neuron, params = F.injected(F.recurrent(F.lif_refrac)), rec_iaf(jnp.array([[0.0, 0.02], [0.0, 0.0]]))
    >>> F.simulate(neuron, params, current, dt=1e-4)[1].sum(axis=0).tolist()
    [1.0, 2.0]
    """
    check_weights(weights, "weights", "brian.rec_iaf")
    check("brian.rec_iaf", tau_syn_r=tau_syn_r)
    neuron = ffiaf_spk_in(tau_mem, tau_syn_r, v_thresh, v_reset, v_rest, bias, refractory, dt)
    return F.RecurrentParams(neuron, weight=weights)


@refuses_unknown_keywords
def rec_iaf_spk_in(
    weights_rec: Any,
    tau_mem: Any = 20e-3,
    tau_syn_inp: Any = 50e-3,
    tau_syn_rec: Any = 50e-3,
    v_thresh: Any = -55e-3,
    v_reset: Any = -65e-3,
    v_rest: Any = -65e-3,
    bias: Any = 10.5e-3,
    refractory: Any = 0.0,
    dt: Any = 1e-4,
) -> F.SynapsesParams:
    """The parameters of `RecIAFSpkInBrian`; run them with `F.synapses(F.recurrent(F.lif_refrac), 1)`.

    Its inputs are `arrivals(spikes @ weights_in)[..., None, :]`: one synapse for the input, and that of `lif` for the spikes that
    come back.

    Args:
        weights_rec: as `weights` of `rec_iaf`.
        tau_syn_inp: time constant of the input synapses, s; a number or one value per neuron. The documentation says 20 ms.
        tau_syn_rec: time constant of the recurrent synapses, s. The documentation says 20 ms.
        tau_mem, v_thresh, v_reset, v_rest, bias, refractory, dt: as in `ffiaf`.

    Returns:
        `F.SynapsesParams` around what `rec_iaf` returns.

    Raises:
        ParameterError: a number is outside its domain.

    >>> import jax.numpy as jnp
    >>> rec_iaf_spk_in(jnp.zeros((3, 3)), tau_syn_inp=5e-3).tau_syn.shape
    (1,)
    """
    check_weights(weights_rec, "weights_rec", "brian.rec_iaf_spk_in")
    check("brian.rec_iaf_spk_in", tau_syn_inp=tau_syn_inp, tau_syn_rec=tau_syn_rec)
    neuron = rec_iaf(weights_rec, tau_mem, tau_syn_rec, v_thresh, v_reset, v_rest, bias, refractory, dt)
    tau_syn = tau_syn_inp[None] if np.ndim(tau_syn_inp) else jnp.asarray([tau_syn_inp])
    return F.SynapsesParams(neuron, tau_syn=tau_syn)
