"""Membrane noise as an input: the held current under which the free membrane is an Ornstein-Uhlenbeck process.

    inputs[k] = sigma / resistance * sqrt((2 - gain) / gain) * xi[k],     gain = 1 - exp(-dt/tau_mem),  xi[k] ~ N(0, 1)

A membrane that does nothing but receive this has, at every step, the law of `tau_mem dv = (v_leak - v) dt + sigma sqrt(2
tau_mem) dW`: its stationary standard deviation is `sigma` and its autocorrelation `exp(-t/tau_mem)`, whatever `dt`.
For the equation is linear, and a step of the process is `v' = v + gain (v_leak - v) + sigma sqrt(1 - exp(-2 dt/tau_mem)) xi`.

A step draws with a key of its own, made from `key` and the number of the step. So a run in pieces gets the noise of the
whole, bit for bit, and there is no key inside a step.

Reference: Gillespie (1996), Physical Review E 54, 2084-2091.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._errors import DTypeError, ParameterError, refuses_unknown_keywords
from .._kinds import Kind
from ._cast import at_least_float32, float_dtype
from ._check_choices import check_integrator
from ._concrete import Shape, as_shape, check_domain, check_dt, check_key, check_real, concrete, describe
from ._integrators import Integrator, exact
from ._neuron import core
from ._rank import leading

_SIGMA = Kind("potential", "V", "nonnegative")
_POSITIVE = Kind("time_constant", "s", "positive")
_MOST = 2**32  # what the counter of a key can hold


@refuses_unknown_keywords
def membrane_noise(
    params: Any,
    sigma: Any,
    key: Any,
    *,
    dt: Any,
    shape: tuple[int, ...],
    start: Any = 0,
    integrator: Integrator = exact,
) -> jax.Array:
    """The current, held over each step, that makes the free membrane fluctuate by `sigma` (equations at the top of the file).

    Add it to the inputs of a model that takes a current; to one with synapses give it beside them, with `F.injected`.

    Args:
        params: of the model, wrapped or not; its `tau_mem` and, if it has one, its `resistance` are used.
        sigma: stationary standard deviation of the membrane without threshold, V; a number or one value per neuron.
        key: of `jax.random.key`.
        dt: length of a step, s.
        shape: `(T, ..., N)`, that of the current.
        start: number of the first step, where this is a piece of a longer run.
        integrator: the one that the model runs with.

    Returns:
        The current, A, of that shape, in the dtype of the arrays among `params` and `sigma`.

    Raises:
        DTypeError: the membrane does not leak, or an argument is of the wrong kind.
        ParameterError: `sigma` or `start` is negative, `dt` or a parameter not positive, or a step beyond 2**32.

    >>> import jax, jax.numpy as jnp
    >>> from snnjax import functional as F
    >>> params = F.LeakyParams(tau_mem=10e-3, v_th=100.0)
    >>> noise = F.membrane_noise(params, 0.5, jax.random.key(0), dt=1e-3, shape=(2000, 100))
    >>> _, v = F.simulate(F.leaky, params, noise, dt=1e-3, record=lambda state, spikes: state.v)
    >>> round(float(v[200:].std()), 2)
    0.5
    >>> rest = F.membrane_noise(params, 0.5, jax.random.key(0), dt=1e-3, shape=(500, 100), start=1500)
    >>> bool((rest == noise[1500:]).all())
    True
    """
    membrane = _leaking(params)
    check_real(sigma, "sigma", "membrane_noise")
    check_domain(sigma, "sigma", _SIGMA, "membrane_noise")
    for name in ("tau_mem", "resistance"):
        number = getattr(membrane, name, 1.0)
        check_real(number, name, "membrane_noise")
        check_domain(number, name, _POSITIVE, "membrane_noise")
    check_dt(dt, "membrane_noise")
    check_integrator(integrator, "membrane_noise")
    check_key(key, "membrane_noise")
    key = jax.random.wrap_key_data(key) if key.dtype == jnp.uint32 else key
    steps, *population = as_shape(shape, "membrane_noise")
    start = _first(start, steps)
    dtype = at_least_float32(float_dtype((params, sigma)))
    tau_mem, dt, sigma, resistance = (jnp.asarray(x, dtype) for x in (membrane.tau_mem, dt, sigma, getattr(membrane, "resistance", 1.0)))
    gain = integrator.gain(dt, tau_mem)
    xi = _normals(key, start, steps, tuple(population), dtype)
    return leading(sigma / resistance * jnp.sqrt((2.0 - gain) / gain), xi.ndim) * xi


@functools.partial(jax.jit, static_argnames=("steps", "population", "dtype"))
def _normals(key: jax.Array, start: Any, steps: int, population: Shape, dtype: Any) -> jax.Array:
    numbers = jnp.asarray(start).astype(jnp.uint32) + jnp.arange(steps, dtype=jnp.uint32)
    # Step by step: all at once, the bits of a number depend on how many there are (JAX 0.12).
    return jax.lax.map(lambda number: jax.random.normal(jax.random.fold_in(key, number), population, dtype), numbers)


def _leaking(params: Any) -> Any:
    """The innermost Params, if they are those of a membrane with a leak."""
    membrane = core(params) if hasattr(params, "_fields") else params
    if not {"tau_mem", "v_leak"} <= set(getattr(membrane, "_fields", ())):
        wanted = "Params of a membrane with `tau_mem` and `v_leak`"
        text = f"`params` must be {wanted}; got {describe(membrane)}. Without a leak the noise would add up without end."
        raise DTypeError(text, where="membrane_noise", field="params", value=type(membrane).__name__, allowed=wanted)
    return membrane


def _first(start: Any, steps: int) -> Any:
    """The number of the first step, as the key takes it; what is traced is not looked at."""
    dtype = getattr(start, "dtype", np.dtype(int) if type(start) is int else np.dtype(object))
    if np.shape(start) != () or not jnp.issubdtype(dtype, jnp.integer):
        wanted = "a whole number, that of the first step"
        text = f"`start` must be {wanted}; got {describe(start)}."
        raise DTypeError(text, where="membrane_noise", field="start", value=start, allowed=wanted)
    first = concrete(start)
    if first is None:
        return start
    if not 0 <= int(first) <= _MOST - steps:
        wanted = f"from 0 to 2**32 - {steps}, so that every step has a number of its own"
        raise ParameterError(
            f"`start` must be {wanted}; got {int(first)}.", where="membrane_noise", field="start", value=int(first), allowed=wanted
        )
    return np.uint32(first)
