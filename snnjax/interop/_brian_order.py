"""What Brian2 orders differently, as values: how long it holds a membrane, when a spike arrives, what a stage reads."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .. import functional as F
from .._errors import ShapeError, refuses_unknown_keywords
from .._kinds import Kind
from ..functional._check_choices import check_integrator
from ..functional._concrete import check_array, check_domain, check_real

_TIME_CONSTANT = Kind("time_constant", "s", "positive")
_KINDS = {
    **dict.fromkeys(("tau_mem", "tau_syn", "tau_syn_r", "tau_syn_inp", "tau_syn_rec", "tau_th"), _TIME_CONSTANT),
    "dt": Kind("duration", "s", "positive"),
    "refractory": Kind("duration", "s", "nonnegative"),
    "noise_std": Kind("potential", "V", "nonnegative"),
}
_REAL = Kind("number", "")


def check_weights(weights: Any, field: str, where: str) -> None:
    """`weights` are a square matrix of finite numbers."""
    check(where, **{field: weights})
    shape = np.shape(weights)
    if len(shape) != 2 or shape[0] != shape[1]:
        wanted = "(N, N), from sender (row) to receiver (column)"
        raise ShapeError(f"`{field}` must have shape {wanted}; got {shape}.", where=where, field=field, value=shape, allowed=wanted)


def check(where: str, **numbers: Any) -> None:
    """Refuse what is no number, or outside the domain that its name has."""
    for name, value in numbers.items():
        check_real(value, name, where)
        check_domain(value, name, _KINDS.get(name, _REAL), where)


@refuses_unknown_keywords
def frozen(refractory: Any, dt: Any) -> Any:
    """The `t_ref` under which `F.refractory` holds a membrane for as many steps as Brian2 does with `refractory`.

    That is `max(floor(refractory/dt + 0.001) - 1, 0)` steps: with `r = refractory/dt` the next spike comes `r` steps later at
    the earliest, and none or one are the same. It depends on `dt`, so use the result with that `dt` only.

    Args:
        refractory: s, a number or one value per neuron.
        dt: length of a step, s.

    Raises:
        ParameterError: `refractory` is negative or `dt` not positive.

    >>> frozen(2e-3, 1e-3), frozen(0.0, 1e-3)
    (0.001, 0.0)
    """
    check("brian.frozen", refractory=refractory, dt=dt)
    # Plain numbers stay plain numbers inside jit, too.
    with jax.ensure_compile_time_eval():
        steps = F.refractory_steps(refractory, dt, "brian")
    if isinstance(refractory, int | float) and isinstance(dt, int | float):
        return int(steps) * float(dt)
    dtype = jnp.asarray(refractory / dt).dtype
    return steps.astype(dtype) * jnp.asarray(dt, dtype)


@refuses_unknown_keywords
def arrivals(jumps: Any, before: Any = None) -> jax.Array:
    """Inputs that move a synapse when Brian2's do: those of each step arrive in the next.

    In Brian2 the current that a recording shows at the end of step k holds the jump of step k already: it is ours, plus
    `jumps[k]`. A delay of d steps is d steps more of this.

    Args:
        jumps: `(T, ..., N)`, what arrives in each step.
        before: `(..., N)`, the last of the piece before; by default zeros.

    Returns:
        `before` and all of `jumps` but the last, `(T, ..., N)`.

    Raises:
        ShapeError: `before` is not of the shape of one step.

    >>> import jax.numpy as jnp
    >>> arrivals(jnp.array([1.0, 2.0, 3.0])).tolist(), arrivals(jnp.array([4.0]), before=3.0).tolist()
    ([0.0, 1.0, 2.0], [3.0])
    """
    check_array(jumps, "jumps", "brian.arrivals", 1, "(T, ..., N), time first")
    _check_sample(before, jumps, "before", "brian.arrivals")
    jumps = jnp.asarray(jumps)
    first = jnp.zeros_like(jumps, shape=jumps.shape[1:]) if before is None else jnp.asarray(before, jumps.dtype)
    return jnp.concatenate([first[None], jumps])[:-1]


@refuses_unknown_keywords
def rk4_inputs(currents: Any, after: Any = None) -> F.Injected:
    """A sampled current as a Runge-Kutta step of Brian2 reads it, for `F.injected(...)` with `F.rk4`.

    Stages 1 to 3 see the sample of their step, stage 4, at the end of the step, the next one. Stage 4 has a weight of 1/6,
    so that is the current held over the step, and a sixth of the change to the next sample as a charge at the end.

    Args:
        currents: `(T, ..., N)`.
        after: `(..., N)`, the sample that follows; by default the last one, which is what Brian2 holds when its input ends. So
            an `evolve` in two calls is not one in one call; with `after` it is.

    Returns:
        `F.Injected(inputs=currents, late=...)`: the inputs of `F.injected(F.leaky)`. For a neuron with synapses, to which the
        current is not an input, give it as `F.Injected(inputs=jumps, held=result.inputs, late=result.late)`.

    Raises:
        ShapeError: `after` is not of the shape of one step.

    >>> import jax.numpy as jnp
    >>> rk4_inputs(jnp.array([0.0, 6.0, 6.0])).late.tolist()
    [1.0, 0.0, 0.0]
    """
    check_array(currents, "currents", "brian.rk4_inputs", 1, "(T, ..., N), time first")
    _check_sample(after, currents, "after", "brian.rk4_inputs")
    currents = jnp.asarray(currents)
    last = currents[-1:] if after is None else jnp.asarray(after, currents.dtype)[None]
    return F.Injected(inputs=currents, late=(jnp.concatenate([currents[1:], last]) - currents) / 6)


def _check_sample(sample: Any, samples: Any, field: str, where: str) -> None:
    """`sample` is one step of `samples`, or absent."""
    if sample is None:
        return
    check_real(sample, field, where)
    if np.shape(sample) != samples.shape[1:]:
        raise ShapeError(
            f"`{field}` must have the shape {samples.shape[1:]} of one step; got {np.shape(sample)}.",
            where=where,
            field=field,
            value=np.shape(sample),
            allowed=str(samples.shape[1:]),
        )


@refuses_unknown_keywords
def delta_th(d_th: Any, tau_th: Any, dt: Any, integrator: F.Integrator = F.exact) -> Any:
    """The `delta_th` of `F.adaptive_leaky` for a threshold that Brian2 raises by `d_th` at a spike.

    Brian2 compares with a threshold that has decayed in the same step already, ours with that of the step before. So our
    `th` is Brian2's `theta - theta0` decayed by one more step, the jump too:

        delta_th = d_th * decay          theta = v_th + th / decay         decay = exp(-dt/tau_th)

    Args:
        d_th: V.
        tau_th: s.
        dt: s.
        integrator: the one that the model runs with.

    Raises:
        ParameterError: `tau_th` or `dt` is not positive.

    >>> round(float(delta_th(1e-3, 10e-3, 1e-3)), 6)
    0.000905
    """
    check("brian.delta_th", d_th=d_th, tau_th=tau_th, dt=dt)
    check_integrator(integrator, "brian.delta_th")
    return d_th * integrator.decay(dt, tau_th)


@refuses_unknown_keywords
def sigma(noise_std: Any, tau_mem: Any, dt: Any) -> Any:
    """The `sigma` of `F.membrane_noise` that is the noise of the layers: 1.63 `noise_std`, for short steps.

    They draw a current of standard deviation `1.63 noise_std sqrt(2 tau_mem/dt)` at every step, under which the free membrane
    has this stationary standard deviation. They call it that after a second, or per second; it is neither.

    Args:
        noise_std: V, across 1 ohm.
        tau_mem: s.
        dt: s.

    Raises:
        ParameterError: `noise_std` is negative, or `tau_mem` or `dt` not positive.

    >>> round(float(sigma(1e-3, 20e-3, 1e-4)), 5)
    0.00163
    """
    check("brian.sigma", noise_std=noise_std, tau_mem=tau_mem, dt=dt)
    gain = F.exact.gain(dt, tau_mem)
    return 1.63 * noise_std * jnp.sqrt(2.0 * tau_mem / dt * gain / (2.0 - gain))
