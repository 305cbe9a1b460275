"""A neuron as a user would write it: the adaptive exponential integrate-and-fire neuron, without units.

    tau_mem dv/dt = -v + delta * exp((v - 1) / delta) - w + i       v = 0 at rest, 1 where the exponential takes over
    tau_w   dw/dt = a * v - w                                       w <- w + b at a spike
    tau_syn di/dt = -i                                              i <- i + inputs

Reference: Brette & Gerstner (2005), Journal of Neurophysiology 94, 3637-3642.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp

import snnjax.functional as F


class AdExParams(NamedTuple):
    tau_mem: F.TimeConstant = 20e-3
    tau_w: F.TimeConstant = 100e-3
    tau_syn: F.TimeConstant = 5e-3
    delta: F.Potential = 0.1
    a: F.Potential = 0.1
    b: F.Potential = 0.05
    v_th: F.Potential = 1.5
    v_reset: F.Potential = 0.0


class AdExState(NamedTuple):
    v: Any
    w: Any
    i: Any


def _init(params: Any, shape: Any = (), dtype: Any = None) -> AdExState:
    del params
    return AdExState(*(jnp.zeros(shape, dtype) for _ in AdExState._fields))


def _step(params: Any, state: AdExState, inputs: Any, *, dt: Any, config: Any = None) -> tuple[AdExState, Any]:
    config = F.SpikingConfig() if config is None else config
    i = state.i + inputs
    rise = params.delta * jnp.exp(jnp.minimum((state.v - 1) / params.delta, 5.0))
    v = state.v + dt / params.tau_mem * (rise - state.v - state.w + i)
    w = state.w + dt / params.tau_w * (params.a * state.v - state.w)
    spikes = config.spike(v - params.v_th, params.v_th - params.v_reset)
    v = config.reset(v, spikes, params)
    return AdExState(v, w + params.b * spikes, i - dt / params.tau_syn * i), spikes


adex = F.Neuron("adex", AdExParams, _init, _step)
