"""Every wrong input of encoders, decoders and spike times meets the error that says which argument, what came and what to do."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from events_row import ANY, Refusal

from snnjax import ConfigError, DTypeError, ParameterError, ShapeError, events
from snnjax.events import Delta

KEY = jax.random.key(0)
RASTER = np.zeros((5, 2))
GOOD_HELD = {"v_inf": 2.0, "v_th": 1.0, "tau_mem": 0.02}
GOOD_DECAYING = {**GOOD_HELD, "tau_syn": 0.01, "dt": 0.1}


def rate(**given: Any) -> Any:
    return events.encode_rate(**{"key": KEY, "rates": 5.0, "dt": 1e-3, "steps": 3, **given})


ENCODERS = {
    "key": Refusal(lambda: rate(key=0), DTypeError, "key", 0, "`key` must be one key, such as `jax.random.key\\(0\\)`; got the int 0"),
    "keys": Refusal(lambda: rate(key=jax.random.split(KEY)), DTypeError, "key", ANY, "`key` must be one key"),
    "negative rate": Refusal(
        lambda: rate(rates=np.array([1.0, -2.0])), ParameterError, "rates", -2.0, ">= 0 Hz and finite; got -2.0 at index 1"
    ),
    "rate above 1/dt": Refusal(
        lambda: rate(rates=1500.0), ParameterError, "rates", 1500.0, "at most 1 / dt = 1000 Hz; .* or `encode_poisson`"
    ),
    "rate of words": Refusal(lambda: rate(rates="high"), DTypeError, "rates", "high", "`rates` must be a real number"),
    "no time axis": Refusal(lambda: rate(steps=None), ShapeError, "rates", (), "Give `steps` for a constant rate"),
    "negative steps": Refusal(lambda: rate(steps=-1), ParameterError, "steps", -1, "`steps` must be a whole number, 0 or more"),
    "steps of floats": Refusal(lambda: rate(steps=3.0), DTypeError, "steps", 3.0, "`steps` must be a whole number"),
    "first step": Refusal(lambda: rate(first_step=-1), ParameterError, "first_step", -1, "`first_step` must be a whole number, 0 or more"),
    "part of a step": Refusal(lambda: rate(first_step=0.5), DTypeError, "first_step", 0.5, "`first_step` must be a whole number"),
    "misspelt": Refusal(lambda: rate(step=3), ConfigError, "step", 3, "Did you mean `steps`"),
    "poisson rate": Refusal(lambda: events.encode_poisson(KEY, -1.0, dt=1e-3, steps=3), ParameterError, "rates", -1.0, ">= 0 Hz"),
    "latency tau": Refusal(
        lambda: events.encode_latency(1.0, tau=0.0, threshold=1.0, dt=1e-3, steps=3), ParameterError, "tau", 0.0, "`tau` must be > 0 s"
    ),
    "latency threshold": Refusal(
        lambda: events.encode_latency(1.0, tau=1.0, threshold=0.0, dt=1e-3, steps=3),
        ParameterError,
        "threshold",
        0.0,
        "`threshold` must be > 0",
    ),
    "latency taus": Refusal(
        lambda: events.encode_latency(np.ones(3), tau=np.ones(2), threshold=1.0, dt=1e-3, steps=3),
        ShapeError,
        "tau",
        (2,),
        r"\(\) or \(3,\)",
    ),
    "latency value": Refusal(
        lambda: events.encode_latency(np.nan, tau=1.0, threshold=1.0, dt=1e-3, steps=3),
        ParameterError,
        "values",
        ANY,
        "`values` must be finite",
    ),
    "width": Refusal(
        lambda: events.encode_population(1.0, centres=np.ones(3), width=0.0), ParameterError, "width", 0.0, "`width` must be > 0"
    ),
    "widths": Refusal(
        lambda: events.encode_population(1.0, centres=np.ones(3), width=np.ones(2)), ShapeError, "width", (2,), r"\(\) or \(3,\)"
    ),
    "centre": Refusal(lambda: events.encode_population(1.0, centres=0.0, width=1.0), ShapeError, "centres", (), r"must have shape \(n,\)"),
    "threshold": Refusal(
        lambda: events.encode_delta(np.ones(3), threshold=-1.0), ParameterError, "threshold", -1.0, "`threshold` must be > 0"
    ),
    "signal nan": Refusal(
        lambda: events.encode_delta(np.array([0.0, np.nan]), threshold=1.0), ParameterError, "signal", ANY, "got nan at index 1"
    ),
    "signal without time": Refusal(lambda: events.encode_delta(1.0, threshold=1.0), ShapeError, "signal", (), "Time is the leading axis"),
    "signal of no steps": Refusal(
        lambda: events.encode_delta(np.ones((0, 2)), threshold=1.0), ShapeError, "signal", (0, 2), "at least one step"
    ),
    "thresholds": Refusal(
        lambda: events.encode_delta(np.ones((5, 3)), threshold=np.ones(2)), ShapeError, "threshold", (2,), r"\(\) or \(3,\); got \(2,\)"
    ),
    "start": Refusal(
        lambda: events.encode_delta(np.ones((5, 3)), threshold=1.0, start=np.ones(2)), ShapeError, "start", (2,), r"\(\) or \(3,\)"
    ),
    "several deltas": Refusal(
        lambda: events.encode_delta(np.ones(3), threshold=1.0, several="cut"), ConfigError, "several", "cut", "Known names: count, clip"
    ),
    "no delta": Refusal(lambda: events.decode_delta(RASTER, threshold=1.0, start=0.0), DTypeError, "events", ANY, r"a `Delta\(up, down\)`"),
    "up without down": Refusal(
        lambda: events.decode_delta(Delta(np.ones(3), np.ones(2)), threshold=1.0, start=0.0),
        ShapeError,
        "events.down",
        (2,),
        "that of `events.up`",
    ),
}
DECODERS = {
    "list of spikes": Refusal(
        lambda: events.decode_rate([0, 1], dt=0.1), DTypeError, "spikes", [0, 1], "`spikes` must be an array of spikes"
    ),
    "complex spikes": Refusal(
        lambda: events.decode_rate(1j * RASTER, dt=0.1), DTypeError, "spikes", ANY, "`spikes` must be an array of spikes"
    ),
    "no steps": Refusal(lambda: events.decode_rate(RASTER[:0], dt=0.1), ShapeError, "spikes", (0, 2), "with at least one step"),
    "no first step": Refusal(lambda: events.decode_first_spike(RASTER[:0], dt=0.1), ShapeError, "spikes", (0, 2), "with at least one step"),
    "spikes without time": Refusal(
        lambda: events.decode_rate(jnp.array(1.0), dt=0.1), ShapeError, "spikes", (), "Time is the leading axis"
    ),
    "rate dt": Refusal(lambda: events.decode_rate(RASTER, dt=0.0), ParameterError, "dt", 0.0, "`dt` must be > 0 s"),
    "first spike dt": Refusal(lambda: events.decode_first_spike(RASTER, dt=-1.0), ParameterError, "dt", -1.0, "`dt` must be > 0 s"),
    "filter tau": Refusal(lambda: events.decode_exponential(RASTER, tau=0.0, dt=0.1), ParameterError, "tau", 0.0, "`tau` must be > 0 s"),
    "filter taus": Refusal(
        lambda: events.decode_exponential(RASTER, tau=np.ones(3), dt=0.1), ShapeError, "tau", (3,), r"\(\) or \(2,\); got \(3,\)"
    ),
    "filter start": Refusal(
        lambda: events.decode_exponential(RASTER, tau=1.0, dt=0.1, start=np.inf), ParameterError, "start", np.inf, "finite"
    ),
}
TIMES = {
    "potential of words": Refusal(
        lambda: events.spike_time_held("rest", **GOOD_HELD), DTypeError, "v", "rest", "`v` must be a real number"
    ),
    "held nan": Refusal(lambda: events.spike_time_held(np.nan, **GOOD_HELD), ParameterError, "v", ANY, "`v` must be finite"),
    "held tau": Refusal(
        lambda: events.spike_time_held(0.0, **{**GOOD_HELD, "tau_mem": 0.0}), ParameterError, "tau_mem", 0.0, "> 0 s and finite"
    ),
    "held threshold": Refusal(lambda: events.spike_time_held(0.0, **{**GOOD_HELD, "v_th": None}), DTypeError, "v_th", None, "got None"),
    "held misspelt": Refusal(
        lambda: events.spike_time_held(0.0, **GOOD_HELD, taumem=1.0), ConfigError, "taumem", 1.0, "Did you mean `tau_mem`"
    ),
    "decaying current": Refusal(
        lambda: events.spike_time_decaying(0.0, np.inf, **GOOD_DECAYING), ParameterError, "i", np.inf, "`i` must be finite"
    ),
    "decaying tau": Refusal(
        lambda: events.spike_time_decaying(0.0, 1.0, **{**GOOD_DECAYING, "tau_syn": -1.0}),
        ParameterError,
        "tau_syn",
        -1.0,
        "`tau_syn` must be > 0",
    ),
    "decaying resistance": Refusal(
        lambda: events.spike_time_decaying(0.0, 1.0, resistance=0.0, **GOOD_DECAYING),
        ParameterError,
        "resistance",
        0.0,
        "`resistance` must be > 0",
    ),
    "decaying dt": Refusal(
        lambda: events.spike_time_decaying(0.0, 1.0, **{**GOOD_DECAYING, "dt": 0.0}), ParameterError, "dt", 0.0, "`dt` must be > 0"
    ),
    "linear": Refusal(
        lambda: events.spike_time_linear(0.0, [1.0], v_th=1.0, dt=0.1), DTypeError, "v_after", [1.0], r"Convert it with `jnp.asarray"
    ),
    "shapes": Refusal(
        lambda: events.spike_time_linear(np.zeros(2), np.ones(3), v_th=1.0, dt=0.1),
        ShapeError,
        "v_after",
        (3,),
        r"\(2,\), as .* broadcasts",
    ),
    "linear dt": Refusal(lambda: events.spike_time_linear(0.0, 2.0, v_th=1.0, dt=0.0), ParameterError, "dt", 0.0, "`dt` must be > 0"),
    "cubic slope": Refusal(
        lambda: events.spike_time_cubic(0.0, 2.0, slope_before=np.nan, slope_after=1.0, v_th=1.0, dt=0.1),
        ParameterError,
        "slope_before",
        ANY,
        "`slope_before` must be finite",
    ),
    "cubic without slope": Refusal(
        lambda: events.spike_time_cubic(0.0, 2.0, slope_before=1.0, v_th=1.0, dt=0.1),
        ConfigError,
        "slope_after",
        None,
        "`slope_after` is missing",
    ),
}
ALL = {**ENCODERS, **DECODERS, **TIMES}


@pytest.mark.parametrize("name", ALL)
def test_a_wrong_input_is_refused_with_its_field_its_value_and_what_to_do(name: str) -> None:
    ALL[name].check()


def test_values_that_are_traced_pass_where_a_function_is_one_of_jax() -> None:
    """The doors look at shapes and kinds alone; a bad value that is traced goes through, as in `simulate`."""
    spikes = jnp.zeros((5, 2))
    assert jax.jit(lambda dt: events.decode_rate(spikes, dt=dt))(-1.0).shape == (2,)
    assert jax.jit(lambda rate: events.encode_rate(KEY, rate, dt=1e-3, steps=4))(-5.0).shape == (4,)
    assert jax.jit(lambda v: events.spike_time_held(v, **GOOD_HELD))(jnp.nan) == jnp.inf
    with pytest.raises(ShapeError, match=r"\(\) or \(2,\); got \(3,\)"):
        jax.jit(lambda tau: events.decode_exponential(spikes, tau=tau, dt=0.1))(jnp.ones(3))
