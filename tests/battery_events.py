"""Events, rasters, signals, encoders, decoders, spike times and their files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import CodeType, FunctionType
from typing import Any

import jax
import numpy as np
import test_events_doors as on_host
import test_events_doors_jax as in_jax
from battery_kinds import INF, KEY, MAX_BYTES, NAN, NO_NUMBER, NONNEGATIVE, PATH, POSITIVE, REAL, STEP, count, word
from battery_row import UNTOLD, Row, Wrong, entry
from events_row import ANY

from snnjax import ConfigError, DTypeError, ParameterError, ShapeError, events

_HELPERS = {"hold": "sample_hold", "line": "interpolate", "rate": "encode_rate"}


def _names(call: Any) -> Iterator[str]:
    """The public functions that occur in a function, in what it closes over and in its defaults."""
    if isinstance(call, CodeType):
        yield from (_HELPERS.get(name, name) for name in call.co_names if _HELPERS.get(name, name) in events.__all__)
        for inner in call.co_consts:
            yield from _names(inner)
    elif isinstance(call, FunctionType):
        if _HELPERS.get(call.__name__, call.__name__) in events.__all__:
            yield _HELPERS.get(call.__name__, call.__name__)
        yield from _names(call.__code__)
        for cell in call.__closure__ or ():
            yield from _names(cell.cell_contents)
        for default in call.__defaults__ or ():
            yield from _names(default)


def _first(call: Callable[[], Any]) -> str:
    found = list(_names(call))
    return next((name for name in found if name not in ("Events", "Delta")), found[0] if found else "")


def _row(name: str, refusal: Any) -> Row:
    letter = {ParameterError: "A", ShapeError: "B", DTypeError: "B"}.get(refusal.error, "D")
    argument = refusal.field.split(".")[0].split("[")[0]
    came = UNTOLD if refusal.value is ANY else refusal.value
    return Row(f"events.{_first(refusal.call)}", argument, letter, name, lambda one: refusal.call(), refusal.error, refusal.field, came)


RECORD = events.Events([0.1, 0.2], [0, 3], channel_count=4, duration=0.5)
RASTER = np.zeros((5, 2), np.float32)
EVENTS = [
    Wrong("B15", "None", None, DTypeError),
    Wrong("B15", "a raster", RASTER, DTypeError),
    Wrong("B15", "a string", "events.npz", DTypeError),
]
SPIKES = [
    Wrong("B14", "a list", [0, 1], DTypeError),
    Wrong("B9", "complex", RASTER * 1j, DTypeError),
    Wrong("B15", "None", None, DTypeError),
    Wrong("B4", "without time", np.array(1.0), ShapeError),
]
WHOLE = count()
TIME = [
    Wrong("A2", "negative", -1.0, ParameterError),
    Wrong("A3", "NaN", NAN, ParameterError),
    Wrong("A3", "infinite", INF, ParameterError),
    *NO_NUMBER,
]
SIGNAL = {"times": [0.0, 0.1], "values": [1.0, 2.0], "dt": 0.1, "duration": 0.2}
BEFORE = [
    Wrong("B15", "a string", "x", DTypeError),
    Wrong("A3", "NaN", np.array([0.0, NAN]), ParameterError),
    Wrong("B15", "whole numbers", [0, 1], DTypeError),
    Wrong("C6", "not in order", [0.1, 0.0], ParameterError),
    Wrong("B2", "of two axes", np.zeros((1, 2)), ShapeError),
]
RATES = {"key": jax.random.key(0), "rates": 5.0, "dt": 1e-3, "steps": 3}
HELD = {"v": 0.0, "v_inf": 2.0, "v_th": 1.0, "tau_mem": 0.02}
DECAYING = {**HELD, "i": 0.0, "tau_syn": 0.01, "dt": 0.1}
LINEAR = {"v_before": 0.0, "v_after": 2.0, "v_th": 1.0, "dt": 0.1}
STEPS = [wrong for wrong in STEP if wrong.name != "one per neuron"]  # one per neuron is fine where nothing is run

ENTRIES = [
    *entry(
        "events.Events",
        events.Events,
        {"times": [0.1], "channels": [0]},
        times=[wrong for wrong in BEFORE if wrong.name != "A"],
        channels=[Wrong("C6", "negative", [-1], ParameterError), Wrong("C6", "fractions", [0.5], DTypeError)],
        channel_count=WHOLE,
        duration=[wrong for wrong in TIME if wrong.value is not None],
    ),
    *entry(
        "events.to_raster",
        events.to_raster,
        {"events": RECORD, "dt": 0.1},
        events=EVENTS,
        dt=STEP,
        several=word(),
        channels=WHOLE,
        duration=[wrong for wrong in TIME if wrong.value is not None],
        dtype=[Wrong("B9", "complex", np.complex64, DTypeError), Wrong("D5", "a string", "spikes", DTypeError)],
    ),
    *entry(
        "events.to_events",
        events.to_events,
        {"raster": RASTER, "dt": 0.1},
        dt=STEP,
        at=word(other=(ShapeError, DTypeError)),
        raster=[
            Wrong("B9", "complex", RASTER * 1j, DTypeError),
            Wrong("A3", "NaN", RASTER * NAN, ParameterError),
            Wrong("A2", "negative", RASTER - 1, ParameterError),
            Wrong("B15", "None", None, DTypeError),
        ],
    ),
    *entry("events.window", events.window, {"events": RECORD, "start": 0.0, "stop": 0.3}, events=EVENTS, start=TIME, stop=TIME),
    *entry("events.shift", events.shift, {"events": RECORD, "offset": 0.0}, events=EVENTS, offset=REAL),
    *(
        refused
        for name in ("concatenate", "merge")
        for refused in entry(
            f"events.{name}",
            getattr(events, name),
            {"recordings": [RECORD]},
            recordings=[
                Wrong("B15", "None", None, DTypeError),
                Wrong("B15", "one alone", RECORD, DTypeError),
                Wrong("B18", "none at all", [], ParameterError, UNTOLD),
            ],
        )
    ),
    *entry(
        "events.remap",
        events.remap,
        {"events": RECORD, "table": [0, 1, 2, 3]},
        events=EVENTS,
        channel_count=WHOLE,
        table=[
            Wrong("C6", "fractions", [0.5] * 4, DTypeError),
            Wrong("C6", "below -1", [0, 1, 2, -2], ParameterError, -2),
            Wrong("C6", "too short", [0, 1], ShapeError),
        ],
    ),
    *(
        refused
        for name in ("sample_hold", "interpolate")
        for refused in entry(
            f"events.{name}",
            getattr(events, name),
            SIGNAL,
            times=BEFORE,
            dt=STEP,
            duration=TIME,
            first_step=WHOLE,
            values=[
                Wrong("B9", "complex", [1j, 2j], DTypeError),
                Wrong("A3", "NaN", [0.0, NAN], ParameterError),
                Wrong("B2", "too few", [1.0], ShapeError),
                Wrong("B15", "None", None, DTypeError),
            ],
        )
    ),
    *(
        refused
        for name in ("encode_rate", "encode_poisson")
        for refused in entry(
            f"events.{name}",
            getattr(events, name),
            RATES,
            traced="rates",
            key=KEY,
            rates=NONNEGATIVE,
            dt=STEP,
            steps=WHOLE,
            first_step=[*WHOLE, Wrong("C5", "beyond the counter", 2**32, ParameterError)],
        )
    ),
    *entry(
        "events.encode_latency",
        events.encode_latency,
        {"values": 1.0, "tau": 1.0, "threshold": 0.5, "dt": 0.1, "steps": 3},
        traced="values",
        values=REAL,
        tau=POSITIVE,
        threshold=POSITIVE,
        dt=STEP,
        steps=WHOLE,
    ),
    *entry(
        "events.encode_population",
        events.encode_population,
        {"values": 1.0, "centres": np.ones(3), "width": 1.0},
        traced="values",
        values=REAL,
        width=POSITIVE,
        centres=[*REAL, Wrong("B2", "one number", 0.0, ShapeError)],
    ),
    *entry(
        "events.encode_delta",
        events.encode_delta,
        {"signal": np.ones(3, np.float32), "threshold": 1.0},
        traced="signal",
        threshold=POSITIVE,
        several=word(),
        start=[wrong for wrong in REAL if wrong.value is not None],
        signal=[
            Wrong("A3", "NaN", np.array([NAN, 0.0]), ParameterError),
            Wrong("B17", "of no steps", np.ones((0, 2)), ShapeError),
            *NO_NUMBER,
        ],
    ),
    *entry(
        "events.decode_delta",
        events.decode_delta,
        {"events": events.Delta(np.zeros(3), np.zeros(3)), "threshold": 1.0, "start": 0.0},
        events=EVENTS,
        threshold=POSITIVE,
        start=REAL,
    ),
    *entry("events.decode_rate", events.decode_rate, {"spikes": RASTER, "dt": 0.1}, traced="spikes", spikes=SPIKES, dt=STEP),
    *entry("events.decode_first_spike", events.decode_first_spike, {"spikes": RASTER, "dt": 0.1}, traced="spikes", spikes=SPIKES, dt=STEP),
    *entry(
        "events.decode_exponential",
        events.decode_exponential,
        {"spikes": RASTER, "tau": 1.0, "dt": 0.1},
        traced="spikes",
        spikes=SPIKES,
        dt=STEP,
        tau=POSITIVE,
        start=REAL,
    ),
    *entry("events.spike_time_held", events.spike_time_held, HELD, traced="v", v=REAL, v_inf=REAL, v_th=REAL, tau_mem=POSITIVE),
    *entry(
        "events.spike_time_decaying",
        events.spike_time_decaying,
        DECAYING,
        traced="v",
        v=REAL,
        i=REAL,
        v_inf=REAL,
        v_th=REAL,
        tau_mem=POSITIVE,
        tau_syn=POSITIVE,
        dt=STEPS,
        resistance=POSITIVE,
    ),
    *entry(
        "events.spike_time_linear", events.spike_time_linear, LINEAR, traced="v_before", v_before=REAL, v_after=REAL, v_th=REAL, dt=STEPS
    ),
    *entry(
        "events.spike_time_cubic",
        events.spike_time_cubic,
        {**LINEAR, "slope_before": 0.0, "slope_after": 1.0},
        traced="v_before",
        v_before=REAL,
        v_after=REAL,
        slope_before=REAL,
        slope_after=REAL,
        v_th=REAL,
        dt=STEPS,
    ),
    *entry(
        "events.save",
        events.save,
        {"path": "nowhere.npz", "events": RECORD},
        events=EVENTS,
        path=[*PATH, Wrong("D5", "with another ending", "x.txt", ConfigError)],
    ),
    *entry(
        "events.load",
        events.load,
        {"path": "nowhere.npz"},
        max_bytes=MAX_BYTES,
        path=[*PATH, Wrong("D5", "with another ending", "x.txt", ConfigError)],
    ),
]

KNOWN = {row.title for row in ENTRIES}
ROWS = ENTRIES + [row for name, refusal in {**on_host.ALL, **in_jax.ALL}.items() if (row := _row(name, refusal)).title not in KNOWN]
