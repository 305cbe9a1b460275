"""Losses for classification: pure functions of the output over time and the right class.

    rate        the right neuron fires most
    latency     the right neuron fires first
    membrane    the right read-out has the highest potential

Each is the cross entropy `-log softmax(score)[label]`, averaged over the batch; they differ in the score.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._errors import DTypeError, ShapeError, refuses_unknown_keywords
from .._kinds import Kind
from ..functional._concrete import check_array, check_domain, check_real, concrete, describe, refuse_where
from ._readout import first_spike_time, max_over_time, mean_over_time, spike_count

_OVER_TIME = "(T, ..., classes), time first"


@refuses_unknown_keywords
def cross_entropy(scores: Any, labels: Any) -> jax.Array:
    """The mean of `-log softmax(scores)[label]`.

    Args:
        scores: `(..., classes)`.
        labels: integers `(...)`, from 0.

    Raises:
        DTypeError: `labels` are not integers.
        ShapeError: they are not one per score.
        ParameterError: one of them is no class. Labels that are traced are not looked at: JAX would take the nearest class.

    >>> import jax.numpy as jnp
    >>> round(float(cross_entropy(jnp.zeros((2, 4)), jnp.array([0, 3]))), 4)
    1.3863
    """
    check_array(scores, "scores", "cross_entropy", 1, "(..., classes)")
    _check_labels(labels, np.shape(scores))
    log_probability = jax.nn.log_softmax(jnp.asarray(scores))
    return -jnp.mean(jnp.take_along_axis(log_probability, jnp.asarray(labels)[..., None], axis=-1))


def _check_labels(labels: Any, scores: tuple[int, ...]) -> None:
    """`labels` are one class per row of the scores."""
    where = "cross_entropy"
    dtype = getattr(labels, "dtype", None if not isinstance(labels, int) or isinstance(labels, bool) else np.dtype(int))
    if dtype is None or not jnp.issubdtype(dtype, jnp.integer):
        raise DTypeError(
            f"`labels` must be integers, the index of the right class; got {describe(labels)}. From one-hot rows take `argmax(-1)`.",
            where=where,
            field="labels",
            value=labels if dtype is None else str(dtype),
            allowed="integers",
        )
    if np.shape(labels) != scores[:-1]:
        raise ShapeError(
            f"`labels` must have the shape {scores[:-1]}, one per example; got {np.shape(labels)}.",
            where=where,
            field="labels",
            value=np.shape(labels),
            allowed=str(scores[:-1]),
        )
    known = concrete(labels)
    if known is not None:
        refuse_where((known < 0) | (known >= scores[-1]), known, "labels", f"a class, from 0 to {scores[-1] - 1}", where)


@refuses_unknown_keywords
def rate_loss(spikes: Any, labels: Any, *, mask: Any = None) -> jax.Array:
    """Cross entropy with the spike counts as scores.

    Args:
        spikes: `(T, ..., classes)`.
        labels: integers `(...)`.
        mask: `(T, ...)`, False where a sequence is over.

    >>> import jax.numpy as jnp
    >>> spikes = jnp.array([[1.0, 0.0], [1.0, 0.0]])
    >>> bool(rate_loss(spikes, jnp.array(0)) < rate_loss(spikes, jnp.array(1)))
    True
    """
    check_array(spikes, "spikes", "rate_loss", 2, _OVER_TIME)
    _check_labels(labels, np.shape(spikes)[1:])
    return cross_entropy(spike_count(spikes, mask=mask), labels)


@refuses_unknown_keywords
def latency_loss(spikes: Any, labels: Any, *, dt: Any, tau: Any, mask: Any = None) -> jax.Array:
    """Cross entropy with `-first_spike_time / tau` as scores.

    Args:
        spikes: `(T, ..., classes)`.
        labels: integers `(...)`.
        dt: length of a step, s.
        tau: how much earlier, s, is a factor `e` more probable.
        mask: `(T, ...)`, False where a sequence is over.

    >>> import jax.numpy as jnp
    >>> spikes = jnp.array([[1.0, 0.0], [0.0, 1.0]])
    >>> bool(latency_loss(spikes, jnp.array(0), dt=1e-3, tau=1e-3) < latency_loss(spikes, jnp.array(1), dt=1e-3, tau=1e-3))
    True
    """
    check_real(tau, "tau", "latency_loss")
    check_domain(tau, "tau", Kind("time_constant", "s", "positive"), "latency_loss")
    check_array(spikes, "spikes", "latency_loss", 2, _OVER_TIME)
    _check_labels(labels, np.shape(spikes)[1:])
    times = first_spike_time(spikes, dt=dt, mask=mask)
    return cross_entropy(-times / jnp.asarray(tau, times.dtype), labels)


@refuses_unknown_keywords
def membrane_cross_entropy(v: Any, labels: Any, *, pool: Callable[..., jax.Array] = mean_over_time, mask: Any = None) -> jax.Array:
    """Cross entropy with potentials as scores, pooled over time.

    Args:
        v: `(T, ..., classes)`, the output of a `leaky_integrator`.
        labels: integers `(...)`.
        pool: `mean_over_time`, `max_over_time`, or any function of `v` and `mask`.
        mask: `(T, ...)`, False where a sequence is over.

    >>> import jax.numpy as jnp
    >>> v = jnp.array([[2.0, 0.0], [2.0, 0.0]])
    >>> bool(membrane_cross_entropy(v, jnp.array(0)) < membrane_cross_entropy(v, jnp.array(1)))
    True
    """
    if not callable(pool):
        wanted = "a function of `v` and `mask` such as `mean_over_time`"
        text = f"`pool` must be {wanted}; got {describe(pool)}."
        raise DTypeError(text, where="membrane_cross_entropy", field="pool", value=pool, allowed=wanted)
    check_array(v, "v", "membrane_cross_entropy", 2, _OVER_TIME)
    if pool in (mean_over_time, max_over_time):
        _check_labels(labels, np.shape(v)[1:])
    return cross_entropy(pool(v, mask=mask), labels)
