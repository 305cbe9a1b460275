"""The door of event-driven runs: what can be known to be wrong is refused before anything is compiled."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from .._errors import DTypeError, ShapeError
from .._kinds import Kind, annotated
from . import _check as check
from ._cast import is_array
from ._concrete import Shape, as_count, check_domain, check_real, concrete, describe, refuse_where
from ._lif import LIFParams
from ._refractory import RefractoryParams

WHERE = "simulate_events"

_TIME = Kind("duration", "s", "nonnegative")
_PARAMS = "LIFParams, or RefractoryParams(LIFParams, t_ref)"


def check_params(params: Any, neurons: int) -> None:
    """`params` are those of `lif` or `lif_refrac`, each number real, of a shape that fits, and in its domain."""
    if isinstance(params, RefractoryParams):
        check.check_record(params, RefractoryParams(LIFParams()), "lif_refrac", "params", WHERE)
    elif not isinstance(params, LIFParams):
        text = f"`params` must be {_PARAMS}; got {describe(params)}. Only these neurons have exact events."
        raise DTypeError(text, where=WHERE, field="params", value=type(params).__name__, allowed=_PARAMS)
    for name, value, kind in annotated(params):
        _check_numbers(value, name, [(), (1,), (neurons,)], "one value for all neurons, or one per column of `weight`")
        check_domain(value, name, kind, WHERE)
    lif = params.neuron if isinstance(params, RefractoryParams) else params
    v_reset, v_th = concrete(lif.v_reset), concrete(lif.v_th)
    if v_reset is not None and v_th is not None:
        v_reset, v_th = np.broadcast_arrays(v_reset, v_th)
        bad = v_reset >= v_th
        advice = f"Its `v_th` is {float(v_th[bad][0])}: the neuron could spike again at the same instant." if bad.any() else ""
        refuse_where(bad, v_reset, "v_reset", "below `v_th`", WHERE, advice)


def check_weights(weight: Any, recurrent: Any) -> Shape:
    """`weight` is `(channels, N)` and `recurrent_weight`, where there is one, `(N, N)`; the shape of the first."""
    check_real(weight, "weight", WHERE)
    shape = np.shape(weight)
    if len(shape) != 2:
        raise _shape_error("weight", shape, "(channels, N), from input (row) to neuron (column)")
    check_domain(weight, "weight", Kind("weight", "1"), WHERE)
    if recurrent is not None:
        n = shape[1]
        _check_numbers(recurrent, "recurrent_weight", [(n, n)], "from sender (row) to receiver (column), as many as `weight` has columns")
        check_domain(recurrent, "recurrent_weight", Kind("weight", "1"), WHERE)
    return shape


def check_inputs(times: Any, channels: Any, duration: Any, rows: int) -> None:
    """Every input has a time from 0 to `duration`, or infinity, and the row of `weight` that it takes."""
    check_real(duration, "duration", WHERE, "one real number, the length of the run in seconds")
    _check_numbers(duration, "duration", [()], "one number, the length of the run in seconds")
    check_domain(duration, "duration", _TIME, WHERE)
    check_real(times, "times", WHERE, "an array of real numbers, the instants of the inputs in seconds")
    if len(np.shape(times)) != 1:
        raise _shape_error("times", np.shape(times), "(K,), one instant per input", "Put `jax.vmap` around the call for a batch.")
    when, end = concrete(times), concrete(duration)
    if when is not None:
        late = np.zeros(when.shape, bool) if end is None else (when > end) & (when != np.inf)
        allowed = "from 0 to `duration`" + ("" if end is None else f" = {float(end)} s") + ", or infinity for no input"
        refuse_where(~(when >= 0) | late, when, "times", allowed, WHERE)
    _check_channels(channels, np.shape(times), rows)


def _check_channels(channels: Any, shape: Shape, rows: int) -> None:
    wanted = "an array of integers, the row of `weight` that each input takes"
    if not (is_array(channels) and jnp.issubdtype(channels.dtype, jnp.integer)):
        value = str(channels.dtype) if is_array(channels) else channels
        advice = " Convert it with `jnp.asarray(...)`." if type(channels) in (list, tuple) else ""
        text = f"`channels` must be {wanted}; got {describe(channels)}.{advice}"
        raise DTypeError(text, where=WHERE, field="channels", value=value, allowed=wanted)
    if np.shape(channels) != shape:
        raise _shape_error("channels", np.shape(channels), f"{shape}, one per instant in `times`")
    which = concrete(channels)
    if which is not None:
        refuse_where((which < 0) | (which >= rows), which, "channels", f"from 0 to {rows - 1}, a row of `weight`", WHERE)


def check_max_spikes(max_spikes: Any) -> None:
    """`max_spikes` is a whole number from 1, known when the program is compiled."""
    as_count(max_spikes, "max_spikes", WHERE, least=1, what="the room for the spikes of the run")


def check_state(state: Any, record: type, params: Any, neurons: int) -> None:
    """`state` is the end of another run of such neurons, or numbers of its shape; nobody starts above the threshold."""
    if not isinstance(state, record):
        wanted = "an EventState(v, i, time_left)"
        text = f"`state` must be {wanted} or None; got {describe(state)}."
        raise DTypeError(text, where=WHERE, field="state", value=type(state).__name__, allowed=wanted)
    refractory = isinstance(params, RefractoryParams)
    numbers: dict[str, Any] = {name: value for name, value in state._asdict().items() if name != "time_left" or value is not None}
    if "time_left" in numbers and not refractory:
        text = (
            f"`state.time_left` must be None: LIFParams have no refractory period; got {describe(state.time_left)}. Use RefractoryParams."
        )
        raise DTypeError(text, where=WHERE, field="state.time_left", value=state.time_left, allowed="None")
    for name, value in numbers.items():
        _check_numbers(value, f"state.{name}", [(), (neurons,)], "one value for all neurons, or one per neuron")
        check_domain(value, f"state.{name}", _TIME if name == "time_left" else Kind("state", ""), WHERE)
    v, v_th = concrete(state.v), concrete((params.neuron if refractory else params).v_th)
    if v is not None and v_th is not None:
        v, v_th = np.broadcast_arrays(v, v_th)
        bad = v > v_th
        advice = f"Its `v_th` is {float(v_th[bad][0])}: the neuron would have spiked already." if bad.any() else ""
        refuse_where(bad, v, "state.v", "at or below `v_th`", WHERE, advice)


def _check_numbers(value: Any, field: str, shapes: list[Shape], what: str) -> None:
    check_real(value, field, WHERE)
    if np.shape(value) not in shapes:
        raise _shape_error(field, np.shape(value), f"{' or '.join(str(shape) for shape in shapes if shape != (1,))}: {what}")


def _shape_error(field: str, shape: Shape, wanted: str, advice: str = "") -> ShapeError:
    text = f"`{field}` must have shape {wanted}; got {shape}.{' ' + advice if advice else ''}"
    return ShapeError(text, where=WHERE, field=field, value=shape, allowed=wanted)
