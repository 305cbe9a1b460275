"""Rockpool's LIF (`LIFJax`) by its own parameters: `tau_mem`, `tau_syn`, `bias`, `threshold`, and its `dt`.

    isyn  = beta (isyn + x)                      beta = exp(-dt/tau_syn)
    vmem  = alpha vmem + isyn + bias             alpha = exp(-dt/tau_mem): no factor 1 - alpha, so dt is part of the model
    spikes = floor(vmem/threshold), vmem -= spikes threshold

is `F.lif` with `F.exponential_euler`, with the same inputs and the same synaptic current, and with the membrane in
units of `beta / (1 - alpha)`:

    v = vmem (1 - alpha) / beta,    v_th = threshold (1 - alpha) / beta,    bias' = bias / beta

Rockpool's layers on Brian2 (`FFIAFBrian` and its siblings) are in `snnjax.interop.brian`; their parameters are here too, under the
same names: `ffiaf`, `ffiaf_constant_leak`, `ffiaf_spk_in`, `rec_iaf`, `rec_iaf_spk_in`, and the two biases that are published for
`FFIAFBrian`, `BIAS_IN_CODE` (15 mA) and `BIAS_IN_DOCUMENTATION` (10 mA).

>>> import jax.numpy as jnp
>>> from snnjax import functional as F
>>> params = lif(tau_mem=20e-3, tau_syn=20e-3, bias=0.1, threshold=1.0, dt=1e-3)
>>> state, spikes = F.simulate(F.lif, params, jnp.zeros((100, 1)), dt=1e-3, config=config())
>>> int(spikes.sum())
7
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from .. import functional as F
from .._errors import DTypeError, ShapeError, refuses_unknown_keywords
from .._kinds import Kind
from ..functional._concrete import as_count, check_array, check_domain, check_dt, check_real, describe
from .brian import BIAS_IN_CODE, BIAS_IN_DOCUMENTATION, ffiaf, ffiaf_constant_leak, ffiaf_spk_in, rec_iaf, rec_iaf_spk_in

MAX_SPIKES_PER_DT = 65536

__all__ = [
    "BIAS_IN_CODE",
    "BIAS_IN_DOCUMENTATION",
    "MAX_SPIKES_PER_DT",
    "config",
    "ffiaf",
    "ffiaf_constant_leak",
    "ffiaf_spk_in",
    "lif",
    "rec_iaf",
    "rec_iaf_spk_in",
    "receive",
    "vmem",
]


@refuses_unknown_keywords
def lif(tau_mem: Any = 20e-3, tau_syn: Any = 20e-3, bias: Any = 0.0, threshold: Any = 1.0, dt: float = 1e-3) -> Any:
    """The parameters of `F.lif` that replay a LIFJax of this `dt`, run with `config()`.

    Args:
        tau_mem: s, a number or `(N,)`.
        tau_syn: s, a number, `(N,)`, or as Rockpool has it `(N, S)` for `S` synapses per neuron.
        bias: a number or `(N,)`, added to the membrane in every step.
        threshold: a number or `(N,)`.
        dt: length of a step, s.

    Returns:
        `LIFParams`. With `S > 1` synapses `SynapsesParams` for `F.synapses(F.lif, S)`, whose inputs are `receive(x)`.

    Raises:
        ParameterError: a number is not in its domain.
    """
    given = {"tau_mem": tau_mem, "tau_syn": tau_syn, "threshold": threshold, "dt": dt, "bias": bias}
    for name, value in given.items():
        check_real(value, name, "rockpool.lif")
        unit, domain = "" if name in ("threshold", "bias") else "s", "real" if name == "bias" else "positive"
        check_domain(value, name, Kind(name, unit, domain), "rockpool.lif")
    leak = _gain(tau_mem, dt)
    if np.ndim(tau_syn) == 2 and np.shape(tau_syn)[1] > 1:
        params = F.LIFParams(tau_mem=tau_mem, v_th=threshold * leak, bias=bias)
        return F.SynapsesParams(params, tau_syn=tau_syn.T)
    tau_syn = tau_syn[:, 0] if np.ndim(tau_syn) == 2 else tau_syn
    beta = _decay(tau_syn, dt)
    return F.LIFParams(tau_mem=tau_mem, tau_syn=tau_syn, v_th=threshold * leak / beta, bias=bias / beta)


@refuses_unknown_keywords
def receive(x: Any, tau_syn: Any, dt: float = 1e-3) -> Any:
    """Rockpool's inputs `(..., N S)`, neuron by neuron, as inputs `(..., S, N)` of `F.synapses`: decayed, as it does first.

    >>> import jax.numpy as jnp
    >>> receive(jnp.arange(6.0), jnp.full((3, 2), 20e-3)).shape
    (2, 3)
    """
    where = "rockpool.receive"
    check_dt(dt, where)
    check_array(x, "x", where, 1, "(..., N S)")
    check_real(tau_syn, "tau_syn", where)
    if np.ndim(tau_syn) != 2:
        text = f"`tau_syn` must have shape (N, S), for S synapses per neuron; got {np.shape(tau_syn)}."
        raise ShapeError(text, where=where, field="tau_syn", value=np.shape(tau_syn), allowed="(N, S)")
    check_domain(tau_syn, "tau_syn", Kind("time_constant", "s", "positive"), where)
    n, s = np.shape(tau_syn)
    if np.shape(x)[-1] != n * s:
        raise ShapeError(
            f"`x` must have shape (..., {n * s}), one channel per synapse of `tau_syn` {(n, s)}; got {np.shape(x)}.",
            where=where,
            field="x",
            value=np.shape(x),
            allowed=f"(..., {n * s})",
        )
    batch = np.shape(x)[:-1]
    return jnp.swapaxes(jnp.reshape(x, (*batch, n, s)) * _decay(tau_syn, dt)[(None,) * len(batch)], -1, -2)


@refuses_unknown_keywords
def config(max_spikes_per_dt: int = MAX_SPIKES_PER_DT) -> F.SpikingConfig:
    """LIFJax's choices: held synaptic current, several spikes per step, each of which takes a threshold from the membrane.

    The pseudo-derivative is `1 / v_th` from half a threshold on, upwards without end.
    """
    as_count(max_spikes_per_dt, "max_spikes_per_dt", "rockpool.config", least=1)
    return F.SpikingConfig(spike=_spikes(float(max_spikes_per_dt)), reset=_reset, integrator=F.exponential_euler)


@refuses_unknown_keywords
def vmem(v: Any, params: Any, threshold: Any) -> Any:
    """LIFJax's membrane, of threshold `threshold`, from that of `F.lif`."""
    if not hasattr(params, "_fields"):
        wanted = "the Params that `rockpool.lif` gives"
        text = f"`params` must be {wanted}; got {describe(params)}."
        raise DTypeError(text, where="rockpool.vmem", field="params", value=params, allowed=wanted)
    for name, value, domain in (("v", v, "real"), ("threshold", threshold, "positive")):
        check_real(value, name, "rockpool.vmem")
        check_domain(value, name, Kind("potential", "", domain), "rockpool.vmem")
    return v * (threshold / F.core(params).v_th)


def _decay(tau: Any, dt: float) -> Any:
    return jnp.exp(-dt / tau) if isinstance(tau, jax.Array) else np.exp(-dt / np.asarray(tau, np.float64))


def _gain(tau: Any, dt: float) -> Any:
    return -jnp.expm1(-dt / tau) if isinstance(tau, jax.Array) else -np.expm1(-dt / np.asarray(tau, np.float64))


def _reset(v: jax.Array, spikes: jax.Array, params: Any) -> jax.Array:
    return v - spikes * (params.v_th - params.v_reset)


@functools.cache
def _spikes(most: float) -> Partial:
    return Partial(functools.partial(_count, most))


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _count(most: float, x: jax.Array, scale: Any) -> jax.Array:
    # At least the threshold, not above it: so does LIFJax.
    return jnp.where(x >= 0, jnp.minimum(jnp.floor(x / scale) + 1.0, most), 0.0)


@_count.defjvp
def _count_jvp(most: float, primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    x, scale = primals
    near = (x >= -0.5 * scale).astype(x.dtype)
    return _count(most, x, scale), near * (tangents[0] / scale - (x / scale) * tangents[1] / scale)
