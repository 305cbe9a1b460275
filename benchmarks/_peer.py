"""What the processes of `benchmarks.peers` have in common: a problem to read, programs to run on request, a line per answer.

The parent writes one JSON object per line to the standard input of a worker, and reads one per line from its standard output:

    {"do": "prepare", "program": NAME, "case": CASE}          -> {"wall": SECONDS, "memory": BYTES or null}
    {"do": "run", "program": NAME, "case": CASE}              -> {"wall": SECONDS, "cores": SECONDS OF ALL CORES}
    {"do": "save", "program": NAME, "case": CASE, "path": P}  -> {}, with the result in snnjax's units in P

The first line of a worker says what it is: {"version": TEXT, "programs": {NAME: DYNAMICS}}. It needs NumPy and nothing of snnjax.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Problem(NamedTuple):
    """The layer: `i' = alpha * i` after each step, `v' = beta * v + coupling * i` with the input in `i`, threshold 1.

    `inputs` and `weights` are (T, B, N), float32; the gradient is that of the sum of spikes times weights with respect to the inputs.
    """

    inputs: np.ndarray
    weights: np.ndarray
    alpha: float
    beta: float
    coupling: float

    @classmethod
    def read(cls, path: str) -> "Problem":
        with np.load(path) as arrays:
            return cls(arrays["inputs"], arrays["weights"], *(float(arrays[name]) for name in ("alpha", "beta", "coupling")))


class Program(NamedTuple):
    """One way to run the layer.

    dynamics: what it is compared with: how it resets ("subtraction" or "value"), to where, whether the gradient goes through
        the spike in the reset, and whether it has the surrogate gradient of the comparison.
    prepare: compiles a case, "forward" or "gradient", and gives what runs it until its result is there, and the temporary bytes if known.
    ours: a result as a (T, B, N) array of snnjax's spikes, or of the gradient in snnjax's units.
    """

    dynamics: dict[str, Any]
    prepare: Callable[[str], tuple[Callable[[], Any], int | None]]
    ours: Callable[[str, Any], np.ndarray]


def dynamics(reset: str = "subtraction", *, attached: bool, v_reset: float = 0.0, surrogate: bool = True) -> dict[str, Any]:
    """What a program does, as the parent needs it to compute the spikes that it ought to make."""
    return {"reset": reset, "attached": attached, "v_reset": v_reset, "surrogate": surrogate}


def earlier(array: np.ndarray, steps: int) -> np.ndarray:
    """What a program that fires some steps later would have given; the last steps are not known and zero."""
    return np.concatenate([array[steps:], np.zeros_like(array[:steps])])


def later(array: np.ndarray, steps: int) -> np.ndarray:
    """The inverse: weights for spikes that come some steps later."""
    return np.concatenate([np.zeros_like(array[:steps]), array[: array.shape[0] - steps]])


def serve(version: str, programs: dict[str, Program]) -> None:
    """Answer requests until there are none. What a library prints goes to standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    runs: dict[tuple[str, str], Callable[[], Any]] = {}

    def answer(values: dict[str, Any]) -> None:
        print(json.dumps(values), file=answers, flush=True)

    answer({"version": version, "programs": {name: program.dynamics for name, program in programs.items()}})
    for line in sys.stdin:
        request = json.loads(line)
        key = request["program"], request["case"]
        wall, cores = time.perf_counter(), time.process_time()
        if request["do"] == "prepare":
            runs[key], memory = programs[key[0]].prepare(key[1])
            runs[key]()
            answer({"wall": time.perf_counter() - wall, "memory": memory})
        elif request["do"] == "run":
            runs[key]()
            answer({"wall": time.perf_counter() - wall, "cores": time.process_time() - cores})
        else:
            np.save(request["path"], programs[key[0]].ours(key[1], runs[key]()))
            answer({})
