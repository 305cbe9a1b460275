"""Pictures of simulations: rasters, traces, f-I curves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._errors import DTypeError, ParameterError, ShapeError, describe, refuses_unknown_keywords
from ._axes import axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@refuses_unknown_keywords
def raster(spikes: Any, *, dt: float, ax: Axes | None = None) -> Axes:
    """A mark for every spike: time across, neurons upwards.

    Args:
        spikes: `(T, N)`, or `(T,)` for one neuron; anything above 0 is a spike.
        dt: length of a step, s.
        ax: where to draw; by default a new figure.

    Returns:
        The axes.

    Raises:
        ShapeError: `spikes` have other axes.
        ParameterError: `dt` is not positive.
        ImportError: Matplotlib is not installed.

    >>> import numpy as np
    >>> from snnjax import plot
    >>> plot.raster(np.eye(20), dt=1e-3).get_xlabel()
    'time (ms)'
    """
    spikes = _columns(spikes, "spikes")
    time, unit = _time(len(spikes), dt)
    ax = axes(ax)
    steps, neurons = np.nonzero(spikes > 0)
    # As high as a row, but never too small to be seen nor a line across the picture.
    points = ax.bbox.height * 72.0 / ax.figure.dpi
    size = float(np.clip(0.8 * points / max(spikes.shape[1], 1), 2.0, 24.0))
    ax.plot(time[steps], neurons, "|", color="black", markersize=size, markeredgewidth=1.0)
    ax.set(xlim=_limits(time), ylim=(-0.5, max(spikes.shape[1], 1) - 0.5), xlabel=f"time ({unit})", ylabel="neuron")
    ax.locator_params(axis="y", integer=True)
    return ax


@refuses_unknown_keywords
def traces(v: Any, *, dt: float, spikes: Any = None, v_th: Any = None, ax: Axes | None = None) -> Axes:
    """Membrane potentials over time, with the threshold as a dashed line and spikes as marks above their trace.

    Args:
        v: `(T, N)`, or `(T,)` for one neuron, V.
        dt: length of a step, s.
        spikes: of the shape of `v`, where they should be marked.
        v_th: the threshold, V; one number, or one per neuron.
        ax: where to draw; by default a new figure.

    Returns:
        The axes; its lines are in the order of the neurons, for `ax.legend(ax.lines[:N], names)`.

    Raises:
        ShapeError: `v` has other axes, or `spikes` or `v_th` do not fit it.
        ParameterError: `dt` is not positive.
        ImportError: Matplotlib is not installed.

    >>> import numpy as np
    >>> from snnjax import plot
    >>> plot.traces(np.zeros((10, 2)), dt=1.0, v_th=1.0).get_ylabel()
    'membrane potential (V)'
    """
    v = _columns(v, "v")
    time, unit = _time(len(v), dt)
    thresholds = _numbers([] if v_th is None else v_th, "v_th")
    if v_th is not None and thresholds.shape not in ((), (1,), v.shape[1:]):
        raise _misfit("v_th", thresholds.shape, f"() or {v.shape[1:]}")
    marks = _columns(np.zeros(v.shape) if spikes is None else spikes, "spikes")
    if marks.shape != v.shape:
        raise _misfit("spikes", marks.shape, str(v.shape))
    ax = axes(ax)
    lines = ax.plot(time, v, linewidth=1.2)
    for threshold in np.unique(thresholds):
        ax.axhline(threshold, color="0.4", linestyle="--", linewidth=1.0)
    for neuron in np.flatnonzero(marks.any(axis=0)):
        when, top = time[marks[:, neuron] > 0], np.max(thresholds if thresholds.size else v)
        ax.plot(when, np.full(when.shape, top), "|", color=lines[neuron].get_color(), markersize=9, markeredgewidth=1.5)
    ax.set(xlim=_limits(time), xlabel=f"time ({unit})", ylabel="membrane potential (V)")
    return ax


@refuses_unknown_keywords
def fi_curve(currents: Any, rates: Any, ax: Axes | None = None) -> Axes:
    """Firing rates against the currents that cause them.

    Args:
        currents: `(K,)`, A.
        rates: `(K,)`, or `(K, N)` for several neurons, Hz.
        ax: where to draw; by default a new figure.

    Returns:
        The axes.

    Raises:
        ShapeError: `rates` do not have one row per current.
        ImportError: Matplotlib is not installed.

    >>> from snnjax import plot
    >>> plot.fi_curve([0.0, 1.0, 2.0], [0.0, 0.0, 30.0]).get_ylabel()
    'firing rate (Hz)'
    """
    currents, rates = _numbers(currents, "currents"), _columns(rates, "rates")
    if currents.shape != rates.shape[:1]:
        raise _misfit("rates", rates.shape, f"({currents.size}, ...), one row per current")
    ax = axes(ax)
    ax.plot(currents, rates, marker="o", markersize=3.0, linewidth=1.2)
    ax.set(xlabel="input current (A)", ylabel="firing rate (Hz)")
    return ax


def _numbers(values: Any, name: str) -> np.ndarray:
    array = np.asarray(values)
    if array.dtype.name == "bfloat16":  # NumPy does not know it as a number
        array = array.astype(np.float32)
    if array.dtype.kind not in "biuf":
        wanted = f"{'a real number or ' if name == 'v_th' else ''}an array of real numbers"
        raise DTypeError(
            f"`{name}` must be {wanted}; got {describe(values if array.dtype == object else array)}.",
            where="plot",
            field=name,
            value=str(array.dtype),
            allowed="real",
        )
    return array


def _columns(values: Any, name: str) -> np.ndarray:
    """One column per neuron."""
    array = _numbers(values, name)
    if array.ndim not in (1, 2):
        advice = f" Pick one example of a batch: `{name}[:, 0]`." if array.ndim > 2 else ""
        raise ShapeError(
            f"`{name}` must have shape (T, N) or (T,); got {array.shape}.{advice}",
            where="plot",
            field=name,
            value=array.shape,
            allowed="(T, N) or (T,)",
        )
    return array[:, None] if array.ndim == 1 else array


def _misfit(name: str, shape: tuple[int, ...], wanted: str) -> ShapeError:
    return ShapeError(f"`{name}` must have shape {wanted}; got {shape}.", where="plot", field=name, value=shape, allowed=wanted)


def _time(length: int, dt: float) -> tuple[np.ndarray, str]:
    """The ends of the steps, where their states are, in ms below 10 s and in s above; and the unit."""
    _check_dt(dt)
    seconds = dt * np.arange(1, length + 1)
    return (seconds, "s") if length * dt >= 10.0 else (1e3 * seconds, "ms")


def _check_dt(dt: Any) -> None:
    number = np.asarray(dt)
    if number.dtype.kind not in "iuf":
        wanted = "one real number, the length of a step in seconds"
        raise DTypeError(f"`dt` must be {wanted}; got {describe(dt)}.", where="plot", field="dt", value=dt, allowed=wanted)
    if number.shape != ():
        text = f"`dt` must be one number for all steps; got shape {number.shape}."
        raise ShapeError(text, where="plot", field="dt", value=number.shape, allowed="()")
    if not 0 < number < np.inf:
        raise ParameterError(f"`dt` must be > 0 s and finite; got {dt}.", where="plot", field="dt", value=dt, allowed="> 0 s and finite")


def _limits(time: np.ndarray) -> tuple[float, float]:
    return (0.0, float(time[-1])) if time.size else (0.0, 1.0)
