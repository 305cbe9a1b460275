"""What IAF layers must refuse, when they are made and when they run."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

import snnjax.functional as F
from snnjax import ConfigError, DTypeError, GraphError, ParameterError, ShapeError, graph, somas

DT = 1e-3
W, BACK = np.ones((2, 3), np.float32), np.zeros((3, 3), np.float32)
X = np.ones((4, 2), np.float32)
FF, REC = somas.FeedForwardIAF, somas.RecurrentIAF

MAKING: dict[str, tuple[Any, type[Exception], str]] = {
    "no matrix": (lambda: FF(np.ones(3)), ShapeError, r"`weight` must have shape \(inputs, n\), rows that send .* got \(3,\)"),
    "a list": (lambda: FF([[1.0]]), DTypeError, "`weight` must be a matrix of real numbers, from sender"),
    "nothing": (lambda: FF(None), DTypeError, "`weight` must be a matrix .* got None"),
    "NaN": (lambda: FF(np.array([[np.nan]])), ParameterError, "`weight` must be finite; got nan"),
    "not square": (lambda: REC(None, W), ShapeError, r"`weight_rec` must have shape \(n, n\)"),
    "other width": (lambda: REC(np.ones((2, 4)), BACK), ShapeError, r"`weight` must have shape \(inputs, 3\), .* got \(2, 4\)"),
    "a misspelt parameter": (
        lambda: FF(W, tau_men=1.0),
        ConfigError,
        "`tau_men` is not an argument of `FeedForwardIAF`. Did you mean `tau_mem`",
    ),
    "its sibling's argument": (lambda: FF(W, tau_syn_rec=1.0), TypeError, "`tau_syn_rec` is not an argument of `FeedForwardIAF`"),
    "a parameter out of its domain": (lambda: FF(W, tau_mem=-1.0), ParameterError, "`tau_mem` must be > 0 s and finite; got -1.0"),
    "a parameter that does not fit": (lambda: FF(W, bias=np.ones(2)), ShapeError, r"`bias` has shape \(2,\)"),
    "reset above threshold": (lambda: FF(W, v_reset=2.0), ParameterError, "`v_reset` must be below `v_th`"),
    "a config": (lambda: FF(W, neuron=somas.LeakySomaConfig), DTypeError, "`neuron` must be a neuron under a current"),
    "synapses inside": (lambda: FF(W, neuron=F.lif), DTypeError, "'lif' has synapses of its own; the layer brings them, with `tau_syn`"),
    "recurrence inside": (lambda: FF(W, neuron=F.recurrent(F.leaky)), DTypeError, "has weights of its own"),
    "jumps of the membrane": (lambda: FF(W, neuron=F.delta(F.leaky)), DTypeError, "takes jumps of its membrane"),
    "no spikes": (lambda: FF(W, neuron=F.membrane(F.leaky)), DTypeError, "does not spike"),
    "injected already": (lambda: FF(W, neuron=F.injected(F.leaky)), DTypeError, "takes several kinds of input"),
    "a chip's neuron": (lambda: FF(W, neuron=F.dynapse_dpi), DTypeError, "'dynapse_dpi' gives no phases"),
    "tau_syn of no time": (lambda: FF(W, tau_syn=0.0), ParameterError, "`tau_syn` must be > 0 s and finite"),
    "tau_syn_rec that does not fit": (
        lambda: REC(W, BACK, tau_syn_rec=np.ones(2)),
        ShapeError,
        r"`tau_syn_rec` must be one number or one per neuron, \(3,\)",
    ),
    "tau_syn drawn without a key": (
        lambda: FF(W, tau_syn=somas.LogNormal(5e-3, 0.1)),
        ConfigError,
        "`tau_syn` is drawn from .*needs a key",
    ),
    "a negative delay": (lambda: FF(W, delay=-1e-3), ParameterError, "`delay` must be >= 0 s and finite"),
    "a delay that does not fit": (
        lambda: REC(W, BACK, delay_rec=np.ones((2, 3))),
        ShapeError,
        r"`delay_rec` must be one number or have the shape \(3, 3\)",
    ),
    "a delay of no weights": (lambda: REC(None, BACK, delay=1e-3), ConfigError, "`delay` is a delay of weights, and `weight` is None"),
    "a traced delay": (lambda: jax.jit(lambda d: FF(W, delay=d).weight)(1e-3), ConfigError, "`delay` must be known when the layer is made"),
    "a negative sigma": (lambda: FF(W, sigma=-1.0), ParameterError, "`sigma` must be >= 0 V and finite"),
    "a sigma that does not fit": (lambda: FF(W, sigma=np.ones(2)), ShapeError, r"`sigma` must be one number or one per neuron, \(3,\)"),
    "noise without a leak": (
        lambda: FF(W, neuron=F.integrate_and_fire, sigma=1.0),
        DTypeError,
        "Without a leak the noise would add up without end",
    ),
    "a dtype that is off": (lambda: FF(W, dtype=np.float64), DTypeError, "`dtype` of `FeedForwardIAF` must be a floating dtype"),
    "another model's Params": (lambda: FF.from_params(W, F.LIFParams()), DTypeError, r"must be RefractoryParams\(neuron, t_ref\); got"),
}

RUNNING: dict[str, tuple[Any, type[Exception], str]] = {
    "another width": (
        lambda: FF(W).simulate(np.ones((4, 3)), dt=DT),
        ShapeError,
        r"`inputs` must have shape \(T, ..., 2\), time first; got \(4, 3\)",
    ),
    "no time": (lambda: FF(W).simulate(np.ones(2), dt=DT), ShapeError, r"`inputs` must have shape \(T, ..., 2\)"),
    "a list": (
        lambda: FF(W).simulate([[1.0, 1.0]], dt=DT),
        DTypeError,
        "`inputs` must be an array of real numbers, or `F.Injected` of such",
    ),
    "complex": (lambda: FF(W).simulate(X + 0j, dt=DT), DTypeError, "`inputs` must be an array of real numbers"),
    "nothing injected": (
        lambda: FF(W).simulate(F.Injected(), dt=DT),
        ShapeError,
        "`inputs` must have the same time and batch axes .* got none at all",
    ),
    "another length": (
        lambda: FF(W).simulate(F.Injected(X, np.ones((5, 3))), dt=DT),
        ShapeError,
        "`inputs` must have the same time and batch axes",
    ),
    "held for other neurons": (lambda: FF(W).simulate(F.Injected(X, X), dt=DT), ShapeError, r"`inputs.held` must have shape \(T, ..., 3\)"),
    "no step": (lambda: FF(W).simulate(X, dt=0.0), ParameterError, "`dt` must be > 0 s and finite"),
    "several steps": (lambda: REC(W, BACK).simulate(X, dt=np.ones(2)), ShapeError, "`dt` must be one number"),
    "a period of no step": (
        lambda: REC(W, BACK, t_ref=1e-4).simulate(X, dt=DT),
        ParameterError,
        "`t_ref` must be 0, or more than half of `dt`",
    ),
    "a delay of no step": (
        lambda: FF(W, delay=1e-4).simulate(X, dt=DT),
        ParameterError,
        "`delay` must be 0, or more than half of `dt` = 0.001 s",
    ),
    "a recurrent delay of no step": (
        lambda: REC(W, BACK, delay_rec=1e-4).simulate(X, dt=DT),
        ParameterError,
        "`delay_rec` must be 0, or more",
    ),
    "a step too long for euler": (
        lambda: REC(W, BACK, integrator=F.euler).simulate(X, dt=0.03),
        ParameterError,
        "`dt` = 0.03 s is more than `tau_mem`",
    ),
    "a traced step and delays": (
        lambda: jax.jit(lambda dt: FF(W, delay=DT).simulate(X, dt=dt))(DT),
        ConfigError,
        "`dt` must be a plain number for a layer with a `delay`",
    ),
    "a state of delays without a step": (
        lambda: FF(W, delay=DT).init(),
        ConfigError,
        "`dt` is missing: the state of a `FeedForwardIAF` with a `delay`",
    ),
    "another kind of state": (
        lambda: FF(W).simulate(X, dt=DT, state=F.LeakyState(0.0)),
        DTypeError,
        "`state` must be an `IAFState`; got `LeakyState`",
    ),
    "a state of another batch": (
        lambda: FF(W).simulate(X, dt=DT, state=FF(W).init((2,))),
        ShapeError,
        "has shape .*A state is not broadcast over a batch",
    ),
    "a step of another batch": (
        lambda: FF(W)(FF(W).init((2,)), X[0], dt=DT),
        ShapeError,
        r"`inputs` of one step must have the batch axes \(2,\) of the state",
    ),
    "a key that is none": (lambda: FF(W, sigma=1.0).simulate(X, dt=DT, key=3), DTypeError, "`key` must be one key"),
    "a mask of numbers": (lambda: FF(W).simulate(X, dt=DT, mask=np.ones(4)), DTypeError, "`mask` must be a boolean array"),
    "a mask of another shape": (lambda: FF(W).simulate(X, dt=DT, mask=np.ones(3, bool)), ShapeError, "`mask` must have the shape"),
    "a record that is none": (lambda: REC(W, BACK).simulate(X, dt=DT, record=1), DTypeError, "`record` must be a function"),
    "half a segment": (lambda: FF(W).simulate(X, dt=DT, segment=0), ParameterError, "`segment` must be a positive number"),
    "a network with noise": (
        lambda: somas.Sequential([FF(W, sigma=1.0)]).simulate(X, dt=DT),
        ConfigError,
        "`key` is missing: this layer has noise",
    ),
    "as a graph": (lambda: graph.of(FF(W), input_shape=2), GraphError, "FeedForwardIAF"),
}
