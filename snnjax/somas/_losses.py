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

from .._errors import DTypeError, ShapeError
from ._readout import first_spike_time, mean_over_time, spike_count


def cross_entropy(scores: Any, labels: Any) -> jax.Array:
    """The mean of `-log softmax(scores)[label]`.

    Args:
        scores: `(..., classes)`.
        labels: integers `(...)`, from 0.

    Raises:
        DTypeError: `labels` are not integers.
        ShapeError: they are not one per score.

    >>> import jax.numpy as jnp
    >>> round(float(cross_entropy(jnp.zeros((2, 4)), jnp.array([0, 3]))), 4)
    1.3863
    """
    labels = jnp.asarray(labels)
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise DTypeError(
            f"`labels` must be integers, the index of the right class; got {labels.dtype}. From one-hot rows take `argmax(-1)`.",
            where="cross_entropy",
            field="labels",
            value=str(labels.dtype),
            allowed="integers",
        )
    if np.shape(labels) != np.shape(scores)[:-1]:
        raise ShapeError(
            f"`labels` must have the shape {np.shape(scores)[:-1]}, one per row of the scores; got {np.shape(labels)}.",
            where="cross_entropy",
            field="labels",
            value=np.shape(labels),
            allowed=str(np.shape(scores)[:-1]),
        )
    log_probability = jax.nn.log_softmax(jnp.asarray(scores))
    return -jnp.mean(jnp.take_along_axis(log_probability, labels[..., None], axis=-1))


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
    return cross_entropy(spike_count(spikes, mask=mask), labels)


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
    times = first_spike_time(spikes, dt=dt, mask=mask)
    return cross_entropy(-times / jnp.asarray(tau, times.dtype), labels)


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
    return cross_entropy(pool(v, mask=mask), labels)
