"""Delta modulation: a signal as the steps that follow it up and down."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .._errors import refuses_unknown_keywords
from ..functional._rank import leading
from ..functional._unroll import unroll
from ._door import check_choice, check_row, check_train, floats, like, refuse_kind, refuse_shape, traceable


class Delta(NamedTuple):
    """The events of delta modulation, `(T, ..., N)` each: steps `up` and steps `down`, as counts."""

    up: jax.Array
    down: jax.Array


@refuses_unknown_keywords
def encode_delta(signal: Any, *, threshold: Any, start: Any = None, several: str = "count") -> Delta:
    """An event up (down) each time the signal is a `threshold` above (below) the level that the events so far add up to.

    The level moves by whole thresholds, and their number is what is carried, so that no rounding accumulates. With
    `several="count"` a steep signal gives several events in a step, and is never a `threshold` away from
    `decode_delta`; with "clip" one per step at most, and the level lags behind a steep signal. The events have no
    gradient.

    Args:
        signal: `(T, ..., N)`.
        threshold: the size of a step, in the signal's unit; one, or one per channel.
        start: the level at the start; by default the first sample. For a run in pieces, the last level of `decode_delta`.
        several: "count" or "clip".

    Returns:
        `Delta(up, down)`, floats.

    Raises:
        ParameterError: `signal` is not finite, or `threshold` not positive.
        ShapeError: `signal` has no time axis, or `threshold` or `start` do not fit one row.
        DTypeError: an argument is of the wrong kind.
        ConfigError: `several` is another word.

    >>> import jax.numpy as jnp
    >>> up, down = encode_delta(jnp.array([0.0, 0.6, 2.1, 1.9]), threshold=0.5)
    >>> up.tolist(), down.tolist()
    ([0.0, 1.0, 3.0, 0.0], [0.0, 0.0, 0.0, 0.0])
    """
    where = "encode_delta"
    traceable(signal, "signal", "real", where)
    traceable(threshold, "threshold", "positive", where)
    check_choice(several, "several", ["count", "clip"], where)
    if np.ndim(signal) == 0 or np.shape(signal)[0] == 0:
        refuse_shape("signal", np.shape(signal), "(T, ...), with at least one step", where, "Time is the leading axis.")
    start = signal[0] if start is None else start
    traceable(start, "start", "real", where)
    check_row(threshold, "threshold", np.shape(signal)[1:], where)
    check_row(start, "start", np.shape(signal)[1:], where)
    signal, threshold, start = jax.lax.stop_gradient(like(signal, threshold, start))
    start, threshold = (leading(row, signal.ndim) for row in (start, threshold))
    return _followed((signal - start) / threshold, jnp.inf if several == "count" else 1.0)


@refuses_unknown_keywords
def decode_delta(events: Delta, *, threshold: Any, start: Any) -> jax.Array:
    """The level that the events add up to: `start + threshold * (events up - events down, so far)`.

    Args:
        events: `Delta(up, down)`, `(T, ..., N)` each.
        threshold: as in `encode_delta`.
        start: the level at the start; the first sample, where `encode_delta` was given none.

    Returns:
        `(T, ..., N)`.

    Raises:
        ParameterError: `threshold` is not positive, or `start` not finite.
        ShapeError: up and down differ in shape, or `threshold` or `start` do not fit one row.
        DTypeError: an argument is of the wrong kind.

    >>> import jax.numpy as jnp
    >>> decode_delta(Delta(jnp.array([0.0, 1.0, 3.0]), jnp.array([0.0, 0.0, 1.0])), threshold=0.5, start=2.0).tolist()
    [2.0, 2.5, 3.5]
    """
    where = "decode_delta"
    if not isinstance(events, Delta):
        refuse_kind("events", events, "a `Delta(up, down)`", where)
    traceable(threshold, "threshold", "positive", where)
    traceable(start, "start", "real", where)
    up, down = events
    for spikes in events:
        check_train(spikes, where)
    if up.shape != down.shape:
        refuse_shape("events.down", down.shape, f"{up.shape}, that of `events.up`", where)
    check_row(threshold, "threshold", up.shape[1:], where)
    check_row(start, "start", up.shape[1:], where)
    up, down, threshold, start = like(floats(up), down, threshold, start)
    start, threshold = (leading(row, up.ndim) for row in (start, threshold))
    return start + threshold * jnp.cumsum(up - down, axis=0)


@jax.jit
def _followed(signal: jax.Array, most: Any) -> Delta:
    """The whole numbers that follow a signal in units of the threshold, by at most `most` per step."""

    def step(level: jax.Array, x: jax.Array) -> tuple[jax.Array, Delta]:
        up, down = (jnp.clip(jnp.floor(way), 0.0, most) for way in (x - level, level - x))
        return level + up - down, Delta(up, down)

    return unroll(step, jnp.zeros(signal.shape[1:], signal.dtype), signal)[1]
