"""Values to spikes, as pure functions of JAX: for networks that train, under `jit`, `vmap` and `grad`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._errors import refuses_unknown_keywords
from ..functional._concrete import check_dt, concrete, refuse_where
from ..functional._rank import leading
from ._bins import one_hot
from ._door import check_row, like, refuse_kind, refuse_shape, refuse_value, traceable, whole
from ._precise import spike_time_held

_KEY = "one key, such as `jax.random.key(0)`"


@refuses_unknown_keywords
def encode_rate(key: Any, rates: Any, *, dt: Any, steps: int | None = None, first_step: Any = 0) -> jax.Array:
    """A spike with probability `rates * dt` in each step, independently: at most one per step, and the mean rate exact.

    The random numbers of a step depend on `key` and on the number of the step alone: a run in pieces, each with its
    `first_step`, is the whole run bit for bit. Backwards a spike is its probability (a straight-through gradient), so
    its derivative by the rate is `dt`.

    Args:
        key: a key of `jax.random.key`.
        rates: Hz; `(..., N)` with `steps`, or without it one row per step, `(T, ..., N)`.
        dt: length of a step, s.
        steps: how many, where the rates are constant.
        first_step: number of the first step.

    Returns:
        `(T, ..., N)`, 0 or 1, in the float dtype of `rates`.

    Raises:
        ParameterError: a rate is negative or above `1 / dt`, or `steps` negative.
        ShapeError: `rates` have no time axis and there are no `steps`.
        DTypeError: an argument is of the wrong kind.

    >>> import jax
    >>> spikes = encode_rate(jax.random.key(0), jax.numpy.array([0.0, 100.0]), dt=1e-3, steps=10_000)
    >>> spikes.shape, float(spikes[:, 0].sum()), abs(float(spikes[:, 1].sum()) - 1000.0) < 150.0
    ((10000, 2), 0.0, True)
    """
    _check_resolved(rates, dt)
    rates, keys = _checked(key, rates, dt, steps, first_step, "encode_rate")
    rates, dt = like(rates, dt)
    return _drawn(_spikes, steps is None, keys, rates * dt)


@refuses_unknown_keywords
def encode_poisson(key: Any, rates: Any, *, dt: Any, steps: int | None = None, first_step: Any = 0) -> jax.Array:
    """The number of events of a Poisson process in each step: 0, 1, 2, ..., of mean `rates * dt`.

    The law is exact at any `dt`; at small `rates * dt` it is that of `encode_rate`. Keys and gradients are as there.

    Args:
        key: a key of `jax.random.key`, of JAX's default kind (threefry).
        rates: Hz; `(..., N)` with `steps`, or without it one row per step, `(T, ..., N)`.
        dt: length of a step, s.
        steps: how many, where the rates are constant.
        first_step: number of the first step.

    Returns:
        `(T, ..., N)`, counts, in the float dtype of `rates`.

    Raises:
        ParameterError: a rate is negative, or `steps` negative.
        ShapeError: `rates` have no time axis and there are no `steps`.
        DTypeError: an argument is of the wrong kind.

    >>> import jax
    >>> counts = encode_poisson(jax.random.key(0), jax.numpy.array([500.0]), dt=1e-2, steps=1000)
    >>> abs(float(counts.mean()) - 5.0) < 0.3
    True
    """
    rates, keys = _checked(key, rates, dt, steps, first_step, "encode_poisson")
    rates, dt = like(rates, dt)
    return _drawn(_counts, steps is None, keys, rates * dt)


@refuses_unknown_keywords
def encode_latency(values: Any, *, tau: Any, threshold: Any, dt: Any, steps: int) -> jax.Array:
    """One spike per value, the earlier the larger it is: when a leaky membrane under that input reaches the threshold.

    The time is `tau ln(values / (values - threshold))`, that is `spike_time_held(0, v_inf=values, v_th=threshold,
    tau_mem=tau)`, and falls into a step by the bin rule. Values up to the threshold are silent, and so are those whose
    time is not within the `steps`. The raster has no gradient; the times have.

    Args:
        values: `(..., N)`.
        tau: time constant, s; one, or one per channel.
        threshold: positive; one, or one per channel.
        dt: length of a step, s.
        steps: how many.

    Returns:
        `(steps, ..., N)`, 0 or 1.

    Raises:
        ParameterError: a number is not finite, or `tau`, `threshold` or `dt` not positive, or `steps` negative.
        ShapeError: `tau` or `threshold` do not fit `values`.
        DTypeError: an argument is of the wrong kind.

    >>> import jax.numpy as jnp
    >>> encode_latency(jnp.array([0.9, 1.5, 4.0]), tau=10e-3, threshold=1.0, dt=5e-3, steps=4).argmax(0).tolist()
    [0, 2, 0]
    """
    where = "encode_latency"
    traceable(values, "values", "real", where)
    traceable(threshold, "threshold", "positive", where)
    traceable(tau, "tau", "positive", where, "s")
    check_dt(dt, where)
    check_row(threshold, "threshold", np.shape(values), where)
    check_row(tau, "tau", np.shape(values), where)
    count = whole(steps, "steps", where)
    values, threshold, tau, dt = like(values, threshold, tau, dt)
    times = spike_time_held(0.0, v_inf=values, v_th=threshold, tau_mem=tau)
    return one_hot(jax.lax.stop_gradient(times), dt, count)


@refuses_unknown_keywords
def encode_population(values: Any, *, centres: Any, width: Any) -> jax.Array:
    """Each value as the activities of `n` units with Gaussian tuning, `exp(-(values - centres)**2 / (2 width**2))`.

    The activities are between 0 and 1 and differentiable; `encode_rate` and `encode_latency` make spikes of them.

    Args:
        values: `(...)`.
        centres: `(n,)`, the value that each unit prefers.
        width: standard deviation; one, or one per unit.

    Returns:
        `(..., n)`.

    Raises:
        ParameterError: a number is not finite, or `width` not positive.
        ShapeError: `centres` are not flat, or `width` has another length.
        DTypeError: an argument is of the wrong kind.

    >>> import jax.numpy as jnp
    >>> activities = encode_population(0.5, centres=jnp.array([0.0, 0.5, 1.0]), width=1.0)
    >>> [round(float(activity), 4) for activity in activities]
    [0.8825, 1.0, 0.8825]
    """
    where = "encode_population"
    traceable(values, "values", "real", where)
    traceable(centres, "centres", "real", where)
    traceable(width, "width", "positive", where)
    if np.ndim(centres) != 1:
        refuse_shape("centres", np.shape(centres), "(n,)", where)
    if np.shape(width) not in ((), np.shape(centres)):
        refuse_shape("width", np.shape(width), f"() or {np.shape(centres)}", where, "Give one for all, or one per centre.")
    values, centres, width = like(values, centres, width)
    centres, width = (leading(units, values.ndim + 1) for units in (centres, width))
    return jnp.exp(-0.5 * ((values[..., None] - centres) / width) ** 2)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _drawn(draw: Callable[[Any, jax.Array], jax.Array], in_time: bool, keys: jax.Array, mean: jax.Array) -> jax.Array:
    """A row of random numbers per key, of the one `mean` or each of its own row."""
    return jax.vmap(draw, (0, 0 if in_time else None))(keys, mean)


def _spikes(key: Any, probability: jax.Array) -> jax.Array:
    uniform = jax.random.uniform(key, probability.shape, probability.dtype)
    return _with_slope_of(probability, (uniform < probability).astype(probability.dtype))


def _counts(key: Any, mean: jax.Array) -> jax.Array:
    counts = jax.random.poisson(key, jax.lax.stop_gradient(mean), mean.shape)
    return _with_slope_of(mean, counts.astype(mean.dtype))


@jax.custom_jvp
def _with_slope_of(mean: jax.Array, sample: jax.Array) -> jax.Array:
    """`sample`, with the derivative of `mean`."""
    del mean
    return sample


@_with_slope_of.defjvp
def _with_slope_of_jvp(primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    return primals[1], tangents[0]


def _checked(key: Any, rates: Any, dt: Any, steps: Any, first_step: Any, where: str) -> tuple[Any, jax.Array]:
    """The rates, and a key per step."""
    check_dt(dt, where)
    traceable(rates, "rates", "nonnegative", where, "Hz")
    if steps is None and np.ndim(rates) == 0:
        advice = "Give `steps` for a constant rate, or one row of rates per step."
        refuse_shape("rates", (), "(T, ..., N) where there are no `steps`", where, advice)
    count = np.shape(rates)[0] if steps is None else whole(steps, "steps", where)
    if not jnp.issubdtype(getattr(first_step, "dtype", np.asarray(first_step).dtype), jnp.integer) or np.shape(first_step) != ():
        refuse_kind("first_step", first_step, "a whole number, 0 or more", where)
    if (first := concrete(first_step)) is not None:
        if first < 0:
            refuse_value("first_step", int(first), "a whole number, 0 or more", where)
        if int(first) > 2**32 - count:
            refuse_value("first_step", int(first), f"at most 2**32 - {count}, so that every step has a number of its own", where)
        first_step = np.uint32(first)
    kind = getattr(key, "dtype", None)
    is_raw = isinstance(key, jax.Array) and kind == jnp.uint32 and key.ndim == 1
    is_key = kind is not None and jnp.issubdtype(kind, jax.dtypes.prng_key) and np.shape(key) == ()
    if not (is_raw or is_key):
        refuse_kind("key", key, _KEY, where)
    numbers = jnp.asarray(first_step).astype(jnp.uint32) + jnp.arange(count, dtype=jnp.uint32)
    return rates, jax.vmap(lambda step: jax.random.fold_in(key, step))(numbers)


def _check_resolved(rates: Any, dt: Any) -> None:
    check_dt(dt, "encode_rate")
    traceable(rates, "rates", "nonnegative", "encode_rate", "Hz")
    array, step = concrete(rates), concrete(dt)
    if array is not None and step is not None:
        above = array * step > 1.0 + 1e-6
        advice = "A step holds one spike at most: take a shorter `dt`, or `encode_poisson`."
        refuse_where(above, array, "rates", f"at most 1 / dt = {1.0 / float(step):g} Hz", "encode_rate", advice)
