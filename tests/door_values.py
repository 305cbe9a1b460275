"""Numbers outside their domain, and steps that are too long, that the door must refuse."""

from __future__ import annotations

import numpy as np
from door_row import MISSING, TWO, batch, euler, lif, run, some_bad, wrapped

import snnjax.functional as F
from snnjax import ConfigError, DTypeError, ParameterError, ShapeError

VALUES = {
    "tau_mem zero": run(ParameterError, "tau_mem", 0.0, r"^`tau_mem` must be > 0 s and finite; got 0\.0\.", **lif(tau_mem=0.0)),
    "tau_mem integer zero": run(ParameterError, "tau_mem", 0.0, r"`tau_mem` must be > 0 s", **lif(tau_mem=0)),
    "tau_mem negative": run(ParameterError, "tau_mem", -0.02, r"`tau_mem` must be > 0 s.*got -0\.02\.", **lif(tau_mem=-0.02)),
    "tau_mem one bad of 256": run(
        ParameterError, "tau_mem", -1.0, r"got -1\.0 at index 17 of 256 \(1 bad\)", inputs=batch(256), **lif(tau_mem=some_bad(256, 17))
    ),
    "tau_mem three bad of 256": run(
        ParameterError, "tau_mem", -1.0, r"index 17 of 256 \(3 bad\)", inputs=batch(256), **lif(tau_mem=some_bad(256, 17, 40, 255))
    ),
    "tau_mem bad in a batch": run(
        ParameterError,
        "tau_mem",
        -1.0,
        r"index \(1, 2\) of \(2, 4\) \(1 bad\)",
        inputs=batch(2, 4),
        **lif(tau_mem=some_bad(8, 6).reshape(2, 4)),
    ),
    "tau_syn zero": run(ParameterError, "tau_syn", 0.0, r"`tau_syn` must be > 0 s", **lif(tau_syn=0.0)),
    "tau_syn of one of two synapses": run(
        ParameterError, "tau_syn", -1e-3, r"index 1 of 2", inputs=batch(2, 4), **wrapped(TWO, tau_syn=np.array([5e-3, -1e-3]))
    ),
    "tau_syn of one synapse of one neuron": run(
        ParameterError,
        "tau_syn",
        -1.0,
        r"index \(1, 3\) of \(2, 4\)",
        inputs=batch(2, 4),
        **wrapped(TWO, tau_syn=some_bad(8, 7).reshape(2, 4)),
    ),
    "tau_th zero": run(ParameterError, "tau_th", 0.0, r"`tau_th` must be > 0 s", **wrapped(F.adaptive_leaky, tau_th=0.0)),
    "resistance zero": run(ParameterError, "resistance", 0.0, r"`resistance` must be > 0 ohm", **wrapped(F.leaky, resistance=0.0)),
    "resistance negative": run(
        ParameterError, "resistance", -5.0, r"`resistance` must be > 0", **wrapped(F.adaptive_leaky, resistance=-5.0)
    ),
    "bad inside a wrapper": run(
        ParameterError, "tau_mem", 0.0, r"`tau_mem` must be > 0", **wrapped(F.lif_refrac, neuron=F.LIFParams(tau_mem=0.0))
    ),
    "v_reset equal to v_th": run(
        ParameterError, "v_reset", 1.0, r"`v_reset` must be below `v_th`; got 1\.0\. Its `v_th` is 1\.0", **lif(v_reset=1.0)
    ),
    "v_reset above v_th": run(ParameterError, "v_reset", 2.0, r"`v_reset` must be below `v_th`", **lif(v_reset=2.0)),
    "v_reset above v_th in one neuron": run(
        ParameterError,
        "v_reset",
        0.0,
        r"got 0\.0 at index 2 of 4 \(1 bad\)\. Its `v_th` is -0\.5",
        **lif(v_th=np.array([1.0, 0.5, -0.5, 1.0])),
    ),
    "v_reset above v_th inside a wrapper": run(
        ParameterError, "v_reset", 2.0, r"below `v_th`", **wrapped(F.lif_refrac, neuron=F.LIFParams(v_reset=2.0))
    ),
    "t_ref negative": run(ParameterError, "t_ref", -1e-3, r"`t_ref` must be >= 0 s", **wrapped(F.lif_refrac, t_ref=-1e-3)),
    "t_ref rounds to no step": run(
        ParameterError,
        "t_ref",
        1e-4,
        r"`t_ref` must be 0, or more than half of `dt` = 0\.001 s; got 0\.0001",
        **wrapped(F.lif_refrac, t_ref=1e-4),
    ),
    "t_ref of half a step rounds to the even number": run(
        ParameterError, "t_ref", 5e-4, r"more than half of `dt`.*no step at all", **wrapped(F.lif_refrac, t_ref=5e-4)
    ),
    "t_ref of half a step in float32": run(
        ParameterError, "t_ref", float(np.float32(5e-4)), r"more than half of `dt`", **wrapped(F.lif_refrac, t_ref=np.float32(5e-4))
    ),
    "t_ref of one neuron": run(
        ParameterError, "t_ref", 1e-4, r"at index 3 of 4", **wrapped(F.lif_refrac, t_ref=np.array([0.0, 1e-3, 2e-3, 1e-4]))
    ),
    "t_ref beyond the counter": run(
        ParameterError, "t_ref", 1e7, r"`t_ref` must be shorter than 2\*\*31 steps; got 10000000\.0", **wrapped(F.lif_refrac, t_ref=1e7)
    ),
}

STEPS = {
    "dt zero": run(ParameterError, "dt", 0.0, r"^`dt` must be > 0 s and finite; got 0\.0\.", dt=0.0),
    "dt negative": run(ParameterError, "dt", -1e-3, r"`dt` must be > 0 s", dt=-1e-3),
    "dt NaN": run(ParameterError, "dt", float("nan"), r"`dt` must be > 0 s and finite; got nan", dt=float("nan")),
    "dt infinite": run(ParameterError, "dt", float("inf"), r"`dt` must be > 0 s and finite; got inf", dt=np.float32("inf")),
    "dt a string": run(DTypeError, "dt", "1e-3", r"`dt` must be one real number.*in seconds; got the str '1e-3'", dt="1e-3"),
    "dt None": run(DTypeError, "dt", None, r"`dt` must be one real number.*; got None", dt=None),
    "dt a bool": run(DTypeError, "dt", True, r"`dt` must be one real number.*; got the bool True", dt=True),
    "dt a NumPy bool": run(DTypeError, "dt", "bool", r"got bool of shape \(\)", dt=np.bool_(True)),
    "dt complex": run(DTypeError, "dt", 1e-3j, r"got the complex 0\.001j", dt=1e-3j),
    "dt a list": run(DTypeError, "dt", [1e-3], r"got the list \[0\.001\]\.", dt=[1e-3]),
    "dt one per neuron": run(ShapeError, "dt", (4,), r"`dt` must be one number.*got shape \(4,\).*`jax\.vmap`", dt=np.full(4, 1e-3)),
    "dt of shape (1,)": run(ShapeError, "dt", (1,), r"got shape \(1,\)", dt=np.full(1, 1e-3)),
    "dt missing": run(ConfigError, "dt", None, r"`dt` is missing: `simulate` has no default.*`dt=\.\.\.`", dt=MISSING),
    "euler beyond two tau_mem": run(
        ParameterError, "dt", 0.05, r"`dt` = 0\.05 s is more than twice `tau_mem` = 0\.02 s.*diverges.*F\.exact", **euler(F.leaky, 0.05)
    ),
    "euler between tau_mem and two tau_mem": run(
        ParameterError, "dt", 0.03, r"`dt` = 0\.03 s is more than `tau_mem` = 0\.02 s.*oscillates", **euler(F.leaky, 0.03)
    ),
    "euler at two tau_mem": run(ParameterError, "dt", 0.04, r"more than `tau_mem` = 0\.02 s.*oscillates", **euler(F.leaky, 0.04)),
    "euler beyond tau_syn": run(ParameterError, "dt", 0.006, r"more than `tau_syn` = 0\.005 s", **euler(F.lif, 0.006)),
    "euler beyond tau_th": run(ParameterError, "dt", 0.015, r"`tau_th` = 0\.01 s", **euler(F.adaptive_leaky, 0.015, tau_th=0.01)),
    "euler beyond one of the taus": run(
        ParameterError, "dt", 0.015, r"`tau_mem` = 0\.01 s", **euler(F.leaky, 0.015, tau_mem=np.array([0.02, 0.01, 0.02, 0.02]))
    ),
    "euler in a synapse": run(
        ParameterError,
        "dt",
        0.006,
        r"`tau_syn` = 0\.004 s",
        inputs=batch(2, 4),
        **euler(F.synapses(F.leaky, 2), 0.006, tau_syn=np.array([8e-3, 4e-3])),
    ),
}
