"""Surrogate gradients: a spike is a step forwards and a smooth bump backwards.

    spike(x) = 1 if x > 0 else 0            x = v - v_th
    d spike / dx := h(slope * x / unit) / unit

`h` has its peak, 1, at the threshold. `unit` makes the argument dimensionless, so that one slope serves a membrane in
volts and one in picoamperes; `unit=None` takes `v_th - v_reset` of the neuron. NaN does not spike.

Reference: Neftci, Mostafa & Zenke (2019), IEEE Signal Processing Magazine 36, 51-63.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from .._errors import DTypeError, refuses_unknown_keywords
from .._kinds import Kind
from ._concrete import check_domain, check_real, describe
from ._rank import leading

Surrogate = Callable[..., jax.Array]


# custom_jvp and not custom_vjp: forward mode stays alive, and only custom_jvp lowers inside GPU kernels.
@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _spike(bump: Callable[[jax.Array], jax.Array], x: jax.Array, slope: Any, unit: Any, height: Any) -> jax.Array:
    del bump, slope, unit, height
    return (x > 0).astype(x.dtype)


@_spike.defjvp
def _spike_jvp(bump: Callable[[jax.Array], jax.Array], primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    x, slope, unit, height = primals
    slope, unit, height = (leading(jnp.asarray(number, x.dtype), x.ndim) for number in (slope, unit, height))
    pseudo_derivative = height * bump(slope * (x / unit)) / unit
    return _spike(bump, x, slope, unit, height), pseudo_derivative * tangents[0]


@functools.cache
def _caller(bump: Callable[[jax.Array], jax.Array]) -> Callable[..., jax.Array]:
    # One function object per bump: equal surrogates then have equal tree structure, and do not retrace.
    def call(slope: Any, unit: Any, height: Any, x: Any, scale: Any = 1.0) -> jax.Array:
        return _spike(bump, jnp.asarray(x), slope, scale if unit is None else unit, height)

    return call


@refuses_unknown_keywords
def surrogate(bump: Callable[[jax.Array], jax.Array], slope: Any = 1.0, unit: Any = None, height: Any = 1.0) -> Surrogate:
    """A spike function with the pseudo-derivative `height * bump(slope * x / unit) / unit`.

    Args:
        bump: an elementwise function of a dimensionless argument, finite everywhere; a module-level function, so
            that two surrogates made from it are equal.
        slope: a number or an array per neuron; an array can be annealed without recompiling.
        unit: what `x` is measured in; `None` means the neuron's `v_th - v_reset`.
        height: the value at threshold, times `unit`.

    Returns:
        A function `spike(x, scale=1.0)` of `x = v - v_th`; `scale` is used where `unit` is `None`.

    Raises:
        ParameterError: `slope` or `unit` is not positive and finite, or `height` not finite.
        DTypeError: one of them is no number, or `bump` no function.

    >>> import jax, jax.numpy as jnp
    >>> lorentzian = surrogate(lambda y: 1 / (1 + y * y), slope=2.0, unit=1.0)
    >>> float(lorentzian(jnp.array(0.5))), float(jax.grad(lorentzian)(0.5))
    (1.0, 0.5)
    """
    if not callable(bump):
        wanted = "a function of one dimensionless argument"
        text = f"`bump` must be {wanted}; got {describe(bump)}."
        raise DTypeError(text, where="surrogate", field="bump", value=bump, allowed=wanted)
    for name, number, domain in (("slope", slope, "positive"), ("unit", unit, "positive"), ("height", height, "real")):
        if number is not None or name != "unit":
            check_real(number, name, "surrogate")
            check_domain(number, name, Kind(name, "1", domain), "surrogate")
    return Partial(_caller(bump), slope, unit, height)


def _superspike(y: jax.Array) -> jax.Array:
    return 1.0 / (1.0 + jnp.abs(y)) ** 2


def _tanh(y: jax.Array) -> jax.Array:
    t = jnp.tanh(y)
    return (1.0 - t) * (1.0 + t)


def _triangle(y: jax.Array) -> jax.Array:
    return jnp.clip(1.0 - jnp.abs(y), min=0.0)


def _arctan(y: jax.Array) -> jax.Array:
    return 1.0 / (1.0 + y * y)


def _sigmoid(y: jax.Array) -> jax.Array:
    # Not exp(-y) / (1 + exp(-y))**2, which is inf / inf from y = -45 on.
    return 4.0 * jax.nn.sigmoid(y) * jax.nn.sigmoid(-y)


def _gaussian(y: jax.Array) -> jax.Array:
    return jnp.exp(-y * y)


def _boxcar(y: jax.Array) -> jax.Array:
    return (jnp.abs(y) < 0.5).astype(y.dtype)


@refuses_unknown_keywords
def superspike(slope: Any = 100.0, unit: Any = None) -> Surrogate:
    """`h(y) = 1 / (1 + |y|)**2` (Zenke & Ganguli 2018, Neural Computation 30, 1514-1541).

    >>> import jax
    >>> float(jax.grad(superspike(slope=3.0))(1.0))
    0.0625
    """
    return surrogate(_superspike, slope, unit)


@refuses_unknown_keywords
def tanh(slope: Any = 4.0, unit: Any = None) -> Surrogate:
    """`h(y) = 1 - tanh(y)**2`.

    >>> import jax
    >>> float(jax.grad(tanh(slope=1.0))(0.0))
    1.0
    """
    return surrogate(_tanh, slope, unit)


@refuses_unknown_keywords
def triangle(slope: Any = 1.0, unit: Any = None) -> Surrogate:
    """`h(y) = max(0, 1 - |y|)` (Bellec et al. 2018, NeurIPS 31); zero beyond `unit / slope` from the threshold.

    >>> import jax
    >>> float(jax.grad(triangle(slope=1.0))(0.75))
    0.25
    """
    return surrogate(_triangle, slope, unit)


@refuses_unknown_keywords
def arctan(slope: Any = 4.0, unit: Any = None) -> Surrogate:
    """`h(y) = 1 / (1 + y**2)` (Fang et al. 2021, ICCV, 2661-2671).

    >>> import jax
    >>> float(jax.grad(arctan(slope=1.0))(1.0))
    0.5
    """
    return surrogate(_arctan, slope, unit)


@refuses_unknown_keywords
def sigmoid(slope: Any = 8.0, unit: Any = None) -> Surrogate:
    """`h(y) = 4 sigmoid(y) sigmoid(-y)`.

    >>> import jax
    >>> float(jax.grad(sigmoid(slope=25.0))(-5.0)) < 1e-30
    True
    """
    return surrogate(_sigmoid, slope, unit)


@refuses_unknown_keywords
def gaussian(slope: Any = 4.0, unit: Any = None) -> Surrogate:
    """`h(y) = exp(-y**2)` (Yin, Corradi & Bohte 2021, Nature Machine Intelligence 3, 905-913).

    >>> import jax
    >>> float(jax.grad(gaussian(slope=1.0))(0.0))
    1.0
    """
    return surrogate(_gaussian, slope, unit)


@refuses_unknown_keywords
def boxcar(slope: Any = 1.0, unit: Any = None) -> Surrogate:
    """`h(y) = 1` for `|y| < 1/2`, else 0.

    >>> import jax
    >>> float(jax.grad(boxcar(slope=1.0))(0.25)), float(jax.grad(boxcar(slope=1.0))(0.75))
    (1.0, 0.0)
    """
    return surrogate(_boxcar, slope, unit)


def _step(x: Any, scale: Any = 1.0) -> jax.Array:
    del scale
    x = jax.lax.stop_gradient(jnp.asarray(x))
    return (x > 0).astype(x.dtype)


@refuses_unknown_keywords
def heaviside() -> Surrogate:
    """The spike without any gradient: nothing is learnt through it.

    >>> import jax
    >>> float(jax.grad(heaviside())(0.0))
    0.0
    """
    return Partial(_step)
