"""Things of the wrong kind, and options that there are not, that the door must refuse."""

from __future__ import annotations

import numpy as np
from door_row import RECURRENT, ZEROS, batch, lif, run, state, wrapped

import snnjax.functional as F
from snnjax import ConfigError, DTypeError, ParameterError

KINDS = {
    "inputs complex": run(
        DTypeError,
        "inputs",
        "complex64",
        r"`inputs` must be an array of real numbers; got complex64 of shape \(5, 4\)",
        inputs=batch(4) * 1j,
    ),
    "inputs a complex number": run(
        DTypeError, "inputs", "complex", r"`inputs` must be an array of real numbers; got the complex 1j", inputs=1j
    ),
    "inputs strings": run(
        DTypeError, "inputs", "<U1", r"`inputs` must be an array of real numbers; got strings", inputs=np.array([["a"] * 4])
    ),
    "inputs a list": run(
        DTypeError,
        "inputs",
        "list",
        r"`inputs` must be an array of real numbers; got the list.*`jnp\.asarray\(\.\.\.\)`",
        inputs=[[0.0] * 4],
    ),
    "inputs a tuple": run(DTypeError, "inputs", "tuple", r"`jnp\.asarray\(\.\.\.\)`", inputs=((0.0,) * 4,)),
    "inputs None": run(DTypeError, "inputs", "NoneType", r"`inputs` must be an array of real numbers; got None", inputs=None),
    "inputs a dict": run(DTypeError, "inputs", "dict", r"got the dict", inputs={"x": 1}),
    "parameter complex": run(
        DTypeError, "tau_mem", 0.02j, r"`tau_mem` must be a real number.*got the complex 0\.02j", **lif(tau_mem=0.02j)
    ),
    "parameter a complex array": run(
        DTypeError, "v_th", "complex64", r"`v_th`.*got complex64 of shape \(4,\)", **lif(v_th=ZEROS + 1j * ZEROS)
    ),
    "parameter a list": run(DTypeError, "v_th", [1.0] * 4, r"`v_th`.*got the list.*`jnp\.asarray", **lif(v_th=[1.0] * 4)),
    "parameter None": run(DTypeError, "bias", None, r"`bias` must be a real number.*got None", **lif(bias=None)),
    "parameter a string": run(DTypeError, "v_leak", "0", r"`v_leak`.*got the str '0'", **lif(v_leak="0")),
    "parameter a dict": run(DTypeError, "tau_syn", {"a": 1}, r"`tau_syn`.*got the dict", **lif(tau_syn={"a": 1})),
    "parameter a bool": run(DTypeError, "v_th", True, r"`v_th`.*got the bool True", **lif(v_th=True)),
    "parameter a function": run(DTypeError, "v_th", abs, r"`v_th`.*got the function `abs`", **lif(v_th=abs)),
    "weight None": run(DTypeError, "weight", None, r"`weight` must be a real", **wrapped(RECURRENT, weight=None)),
    "params of another model": run(
        DTypeError, "params", "LeakyParams", r"`params` of `lif` must be LIFParams\(tau_mem, .*got `LeakyParams`", params=F.LeakyParams()
    ),
    "params of another model in a wrapper": run(
        DTypeError,
        "params.neuron",
        "LeakyParams",
        r"`params\.neuron` of `lif_refrac`",
        neuron=F.lif_refrac,
        params=F.RefractoryParams(F.LeakyParams()),
    ),
    "params of the wrapped model alone": run(
        DTypeError, "params", "LIFParams", r"must be RefractoryParams\(neuron, t_ref\); got `LIFParams`", neuron=F.lif_refrac
    ),
    "params of wrappers in another order": run(
        DTypeError,
        "params",
        "RecurrentParams",
        r"must be RefractoryParams",
        neuron=F.refractory(RECURRENT),
        params=F.RecurrentParams(F.RefractoryParams(F.LIFParams()), np.ones((4, 4))),
    ),
    "params None": run(DTypeError, "params", "NoneType", r"`params` of `lif` must be LIFParams.*got None", params=None),
    "params a dict": run(DTypeError, "params", "dict", r"got the dict", params={"tau_mem": 0.02}),
    "params a string": run(DTypeError, "params", "str", r"got the str 'lif'", params="lif"),
    "state of another model": run(
        DTypeError,
        "state",
        "LeakyIntegratorState",
        r"`state` of `lif` must be LIFState\(v, i\).*`init`",
        state=F.LeakyIntegratorState(ZEROS, ZEROS),
    ),
    "state of the wrapped model alone": run(
        DTypeError, "state", "LIFState", r"must be RefractoryState\(neuron, steps_left\)", **wrapped(F.lif_refrac), **state()
    ),
    "state of another model in a wrapper": run(
        DTypeError,
        "state.neuron",
        "LeakyState",
        r"`state\.neuron` of",
        **wrapped(F.lif_refrac),
        state=F.RefractoryState(F.LeakyState(0.0), 0),
    ),
    "state a plain tuple": run(DTypeError, "state", "tuple", r"must be LIFState\(v, i\)", state=(ZEROS, ZEROS)),
    "state with None": run(DTypeError, "state.v", None, r"`state\.v` must be a real number.*got None", **state(None)),
    "state with a list": run(DTypeError, "state.i", [0.0] * 4, r"`state\.i`.*got the list", **state(0.0, [0.0] * 4)),
    "state with a fractional counter": run(
        DTypeError,
        "state.steps_left",
        "float32",
        r"`state\.steps_left` must be a whole number.*got float32",
        **wrapped(F.lif_refrac),
        state=F.RefractoryState(F.LIFState(0.0, 0.0), ZEROS),
    ),
    "state with NaN": run(
        ParameterError,
        "state.v",
        float("nan"),
        r"`state\.v` must be finite; got nan at index 3 of 4 \(1 bad\)",
        **state(np.array([0.0, 0, 0, np.nan])),
    ),
    "state with infinity": run(ParameterError, "state.i", float("inf"), r"`state\.i` must be finite; got inf", **state(0.0, float("inf"))),
}

CHOICES = {
    "an unknown keyword": run(ConfigError, "foo", 1, r"`foo` is not an argument of `simulate`\. Known names: neuron, .*checked", foo=1),
    "a keyword with a typing error": run(ConfigError, "sate", 1, r"Did you mean `state`\?", sate=1),
    "a step for a neuron": run(
        DTypeError, "neuron", F.lif_step, r"`neuron` must be a Neuron.*got the function `lif_step`", neuron=F.lif_step
    ),
    "a name for a neuron": run(DTypeError, "neuron", "lif", r"`neuron` must be a Neuron such as `F\.lif`; got the str 'lif'", neuron="lif"),
    "a class for a neuron": run(DTypeError, "neuron", F.LIFParams, r"got the class `LIFParams`", neuron=F.LIFParams),
    "config of another class": run(DTypeError, "config", F.exact, r"`config` must be a SpikingConfig; got `Integrator`", config=F.exact),
    "config a class": run(DTypeError, "config", F.SpikingConfig, r"got the class `SpikingConfig`", config=F.SpikingConfig),
    "config a dict": run(DTypeError, "config", {}, r"got the dict", config={}),
    "config with the name of an integrator": run(
        DTypeError,
        "config.integrator",
        "exact",
        r"must be an Integrator such as `F\.exact`; got the str 'exact'",
        config=F.SpikingConfig(integrator="exact"),
    ),
    "config with the name of a reset": run(
        DTypeError, "config.reset", "subtract", r"such as `F\.reset_to_value`", config=F.SpikingConfig(reset="subtract")
    ),
    "config with the name of a surrogate": run(
        DTypeError, "config.spike", "tanh", r"a surrogate such as `F\.superspike\(\)`", config=F.SpikingConfig(spike="tanh")
    ),
    "config with a surrogate that was not called": run(
        DTypeError, "config.spike", F.tanh, r"call it, `F\.tanh\(\)`; got the function `tanh`", config=F.SpikingConfig(spike=F.tanh)
    ),
    "an unknown backend": run(ConfigError, "backend", "cuda", r"`backend` must be 'auto'.*got the str 'cuda'", backend="cuda"),
    "backend None": run(DTypeError, "backend", None, r"`backend` must be", backend=None),
    "record a name": run(
        DTypeError, "record", "v", r"`record` must be a function `record\(state, output\)` or None; got the str 'v'", record="v"
    ),
    **{
        f"segment {bad!r}": run(error, "segment", bad, r"`segment` must be a positive number of steps or None", segment=bad)
        for error, some in ((ParameterError, (0, -1, "all")), (DTypeError, (2.5, True, [2])))
        for bad in some
    },
}
