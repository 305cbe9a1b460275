"""What event-driven runs must refuse: a good call with one thing wrong, and the answer."""

from __future__ import annotations

from typing import Any

import numpy as np

import snnjax
import snnjax.functional as F
from snnjax import ConfigError, DTypeError, ParameterError, ShapeError

GOOD: dict[str, Any] = {
    "params": F.LIFParams(),
    "times": np.array([0.0, 0.01]),
    "channels": np.array([0, 1]),
    "weight": np.ones((2, 3)),
    "duration": 0.1,
    "max_spikes": 5,
}
REFRACTORY = F.RefractoryParams(F.LIFParams())


def lif(**fields: Any) -> dict[str, Any]:
    return {"params": F.LIFParams(**fields)}


def start(v: Any = 0.0, i: Any = 0.0, time_left: Any = None) -> dict[str, Any]:
    return {"state": F.EventState(v, i, time_left)}


REFUSALS: dict[str, tuple[type[snnjax.SnnjaxError], str, Any, str, dict[str, Any]]] = {
    "params of another model": (
        DTypeError,
        "params",
        "LeakyParams",
        r"must be LIFParams, or.*got `LeakyParams`",
        {"params": F.LeakyParams()},
    ),
    "no params": (DTypeError, "params", "NoneType", r"got None", {"params": None}),
    "another model inside": (DTypeError, "params.neuron", "LeakyParams", r"LIFParams\(", {"params": F.RefractoryParams(F.LeakyParams())}),
    "tau_mem zero": (ParameterError, "tau_mem", 0.0, r"> 0 s and finite; got 0\.0", lif(tau_mem=0.0)),
    "tau_syn NaN": (ParameterError, "tau_syn", np.nan, r"got nan", lif(tau_syn=np.nan)),
    "v_th of two": (ShapeError, "v_th", (2,), r"\(\) or \(3,\).*got \(2,\)", lif(v_th=np.ones(2))),
    "bias a list": (DTypeError, "bias", [1.0], r"real number.*the list", lif(bias=[1.0])),
    "v_reset above v_th": (ParameterError, "v_reset", 2.0, r"below `v_th`; got 2\.0", lif(v_reset=2.0)),
    "t_ref negative": (ParameterError, "t_ref", -1.0, r">= 0 s", {"params": F.RefractoryParams(F.LIFParams(), -1.0)}),
    "times in two axes": (ShapeError, "times", (1, 2), r"\(K,\).*`jax\.vmap`", {"times": np.zeros((1, 2))}),
    "times a list": (DTypeError, "times", [0.0, 0.1], r"array of real numbers.*got the list", {"times": [0.0, 0.1]}),
    "times negative": (
        ParameterError,
        "times",
        -0.5,
        r"from 0 to `duration` = 0\.1 s, or inf.*got -0\.5 at index 1",
        {"times": np.array([0, -0.5])},
    ),
    "times after the end": (ParameterError, "times", 0.2, r"got 0\.2 at index 0", {"times": np.array([0.2, 0.0])}),
    "times NaN": (ParameterError, "times", np.nan, r"got nan", {"times": np.array([0.0, np.nan])}),
    "times complex": (DTypeError, "times", "complex128", r"got complex128", {"times": np.zeros(2) * 1j}),
    "channels floating": (DTypeError, "channels", "float64", r"integers.*got float64", {"channels": np.zeros(2)}),
    "channels a list": (DTypeError, "channels", [0, 1], r"got the list", {"channels": [0, 1]}),
    "one channel missing": (ShapeError, "channels", (1,), r"\(2,\), one per instant.*got \(1,\)", {"channels": np.zeros(1, int)}),
    "a channel without row": (ParameterError, "channels", 2.0, r"from 0 to 1, a row of `weight`; got 2", {"channels": np.array([0, 2])}),
    "a negative channel": (ParameterError, "channels", -1.0, r"got -1", {"channels": np.array([-1, 0])}),
    "weight a vector": (ShapeError, "weight", (2,), r"\(channels, N\).*got \(2,\)", {"weight": np.ones(2)}),
    "weight infinite": (
        ParameterError,
        "weight",
        np.inf,
        r"finite; got inf at index \(1, 2\) of \(2, 3\)",
        {"weight": np.array([[0, 0, 0], [0, 0, np.inf]])},
    ),
    "weight None": (DTypeError, "weight", None, r"got None", {"weight": None}),
    "recurrent weight not square": (
        ShapeError,
        "recurrent_weight",
        (2, 3),
        r"\(3, 3\).*got \(2, 3\)",
        {"recurrent_weight": np.ones((2, 3))},
    ),
    "recurrent weight NaN": (ParameterError, "recurrent_weight", np.nan, r"finite", {"recurrent_weight": np.full((3, 3), np.nan)}),
    "duration negative": (ParameterError, "duration", -1.0, r">= 0 s", {"duration": -1.0}),
    "duration infinite": (ParameterError, "duration", np.inf, r"finite", {"duration": np.inf}),
    "duration an array": (ShapeError, "duration", (2,), r"one number.*got \(2,\)", {"duration": np.ones(2)}),
    "duration None": (DTypeError, "duration", None, r"got None", {"duration": None}),
    "no room": (ParameterError, "max_spikes", 0, r"a whole number, 1 or more.*got 0\.", {"max_spikes": 0}),
    "half a spike": (DTypeError, "max_spikes", 2.5, r"got the float 2\.5", {"max_spikes": 2.5}),
    "room True": (DTypeError, "max_spikes", True, r"got the bool True", {"max_spikes": True}),
    "state of the other loop": (
        DTypeError,
        "state",
        "LIFState",
        r"EventState\(v, i, time_left\).*got `LIFState`",
        {"state": F.LIFState(0.0, 0.0)},
    ),
    "state of two": (ShapeError, "state.v", (2,), r"\(\) or \(3,\)", start(np.zeros(2))),
    "state NaN": (ParameterError, "state.i", np.nan, r"finite", start(0.0, np.nan)),
    "state above the threshold": (ParameterError, "state.v", 1.5, r"at or below `v_th`; got 1\.5", start(1.5)),
    "time_left without refractory period": (DTypeError, "state.time_left", 1e-3, r"must be None: LIFParams", start(time_left=1e-3)),
    "time_left negative": (ParameterError, "state.time_left", -1.0, r">= 0 s", {"params": REFRACTORY, **start(time_left=-1.0)}),
    "a misspelt keyword": (ConfigError, "max_spike", 3, r"Did you mean `max_spikes`\?", {"max_spike": 3}),
}
