"""Shapes that do not fit, that the door must refuse."""

from __future__ import annotations

import numpy as np
from door_row import RECURRENT, TWO, ZEROS, batch, lif, run, state, wrapped

import snnjax.functional as F
from snnjax import ShapeError

SHAPES = {
    "inputs a number": run(
        ShapeError, "inputs", (), r"`inputs` of `lif` must have shape \(T, \.\.\., N\), time first; got \(\)", inputs=1.0
    ),
    "inputs without time, shape given": run(
        ShapeError, "inputs", (4,), r"`inputs` have shape \(4,\).*`shape` has \(4,\).*`inputs\[None\]`", inputs=ZEROS, shape=(4,)
    ),
    "inputs without time, shape an integer": run(ShapeError, "inputs", (4,), r"`inputs\[None\]`", inputs=ZEROS, shape=4),
    "inputs without time, parameters per neuron": run(
        ShapeError, "inputs", (4,), r"`inputs` have shape \(4,\).*`v_th` has \(4,\).*`inputs\[None\]`", inputs=ZEROS, **lif(v_th=ZEROS + 1)
    ),
    "inputs without time, state given": run(
        ShapeError, "inputs", (4,), r"`state\.v` has \(4,\).*`inputs\[None\]`", inputs=ZEROS, **state(ZEROS, ZEROS)
    ),
    "inputs without synapse axis": run(
        ShapeError,
        "inputs",
        (5, 4),
        r"\(T, \.\.\., 2, N\), time first, then one current per synapse; got \(5, 4\)",
        inputs=batch(4),
        **wrapped(TWO),
    ),
    "inputs of one synapse too many": run(ShapeError, "inputs", (5, 3, 4), r"\(T, \.\.\., 2, N\)", inputs=batch(3, 4), **wrapped(TWO)),
    "inputs of synapses without time": run(
        ShapeError, "inputs", (2,), r"\(T, \.\.\., 2, N\), time first", inputs=ZEROS[:2], **wrapped(TWO)
    ),
    "inputs of another width than shape": run(
        ShapeError, "inputs", (5, 4), r"`inputs` have shape \(5, 4\).*`shape` has \(5,\).*\(T, \.\.\., 5\)", shape=(5,)
    ),
    "inputs of another batch than shape": run(ShapeError, "inputs", (5, 2, 4), r"`shape` has \(3, 4\)", inputs=batch(2, 4), shape=(3, 4)),
    "shape a string": run(ShapeError, "shape", "4", r"`shape` must be an integer or a tuple.*got the str '4'", shape="4"),
    "shape a float": run(ShapeError, "shape", 4.0, r"got the float 4\.0", shape=4.0),
    "shape negative": run(ShapeError, "shape", (-4,), r"none of them negative; got the tuple \(-4,\)", shape=(-4,)),
    "parameters for five of four neurons": run(
        ShapeError,
        "tau_mem",
        (5,),
        r"`tau_mem` has shape \(5,\).*population of shape \(4,\).*expected \(\) or \(4,\)",
        **lif(tau_mem=np.ones(5)),
    ),
    "parameter as a column": run(ShapeError, "tau_mem", (4, 1), r"`tau_mem` has shape \(4, 1\)", **lif(tau_mem=np.ones((4, 1)))),
    "parameter as a column, batch as large as the population": run(
        ShapeError, "tau_mem", (4, 1), r"`tau_mem` has shape \(4, 1\)", inputs=batch(4, 4), **lif(tau_mem=np.ones((4, 1)))
    ),
    "weight forgotten": run(ShapeError, "weight", (), r"`weight` has shape \(\).*expected \(4, 4\).*rows", **wrapped(RECURRENT)),
    "weight of another shape": run(ShapeError, "weight", (4, 5), r"expected \(4, 4\)", **wrapped(RECURRENT, weight=np.ones((4, 5)))),
    "weight without the synapse axis": run(
        ShapeError, "weight", (4, 4), r"expected \(2, 4, 4\)", inputs=batch(2, 4), **wrapped(F.recurrent(TWO), weight=np.ones((4, 4)))
    ),
    "tau_syn for three of two synapses": run(
        ShapeError,
        "tau_syn",
        (3,),
        r"expected \(\) or \(2,\) or \(2, 4\).*per synapse",
        inputs=batch(2, 4),
        **wrapped(TWO, tau_syn=np.ones(3)),
    ),
    "state of five neurons": run(
        ShapeError, "state.v", (5,), r"`state\.v` has shape \(5,\), but `inputs` imply \(4,\)", **state(np.zeros(5), np.zeros(5))
    ),
    "state of batch three for two": run(
        ShapeError, "state.v", (3, 4), r"imply \(2, 4\).*not broadcast", inputs=batch(2, 4), **state(np.zeros((3, 4)), np.zeros((3, 4)))
    ),
    "state of batch one for three": run(
        ShapeError, "state.v", (1, 4), r"imply \(3, 4\).*not broadcast", inputs=batch(3, 4), **state(np.zeros((1, 4)), np.zeros((1, 4)))
    ),
    "state without batch for three": run(ShapeError, "state.i", (4,), r"imply \(3, 4\)", inputs=batch(3, 4), **state(0.0, ZEROS)),
    "state inside a wrapper": run(
        ShapeError,
        "state.neuron.i",
        (5,),
        r"`state\.neuron\.i`",
        **wrapped(F.lif_refrac),
        state=F.RefractoryState(F.LIFState(ZEROS, np.zeros(5)), 0),
    ),
}
