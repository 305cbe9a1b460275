"""A layer of integrate-and-fire neurons against Brian2: seconds per simulated second.

    python -m benchmarks.iaf [--brian-python PATH] [--seconds 10] [--json FILE]

1,000 neurons with 100 inputs, steps of 0.1 ms, a refractory period of 2 ms. In the case "currents" the inputs are continuous
(Rockpool's FFIAFBrian), in "spikes" each is a Poisson train of 20 Hz behind an exponential synapse (FFIAFSpkInBrian). The weighting
of the inputs is in the time, compiling is apart. The programs take turns, one simulated second each, and all spikes are compared.
The time is that of the clock and that of all cores together, which other work on the machine disturbs less.

Brian2 runs in an environment of its own, `pip install brian2 "numpy<2.4"` (and `cython`, with a C++ compiler): give its Python with
`--brian-python`. Without it only snnjax is measured.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from snnjax import somas
from snnjax.interop import brian

from ._timing import hardware, save_json

DT, INPUTS, NEURONS = 1e-4, 100, 1000
STEPS = 10_000  # a simulated second
MEMBRANE = {"tau_mem": 20e-3, "v_thresh": -55e-3, "v_reset": -65e-3, "v_rest": -65e-3, "refractory": 2e-3}
TAU_SYN = 5e-3
WORKER = Path(__file__).with_name("_brian_worker.py")
TARGETS = ("numpy", "cython")


class Cost(NamedTuple):
    """Seconds of the clock, and of all cores together."""

    wall: float
    cores: float

    @classmethod
    def now(cls) -> Cost:
        return cls(time.perf_counter(), time.process_time())

    def since(self, began: Cost) -> Cost:
        return Cost(self.wall - began.wall, self.cores - began.cores)


class Program(NamedTuple):
    """Something that runs a simulated second at a time: `second(k)`. `spikes()` is the raster of all of them, at the end."""

    name: str
    compile: Cost
    second: Callable[[int], Cost]
    spikes: Callable[[], np.ndarray]


def arrays_of(case: str, seconds: int) -> dict[str, Any]:
    """Inputs and weights, the same for every program; the neurons fire at some tens of Hz."""
    draw = np.random.default_rng(0)
    if case == "currents":
        inputs = draw.normal(size=(seconds * STEPS, INPUTS))
        weight, bias = draw.normal(size=(INPUTS, NEURONS)) * 1e-3, 15e-3
    else:
        inputs = draw.random((seconds * STEPS, INPUTS)) < 20.0 * DT
        weight, bias = draw.normal(0.2e-3, 0.4e-3, size=(INPUTS, NEURONS)), 9e-3
    return {"inputs": inputs, "weight": weight, "bias": bias, "dt": DT, "tau_syn": TAU_SYN, "case": case, "seconds": seconds, **MEMBRANE}


def fired(state: Any, spikes: jax.Array) -> jax.Array:
    """What is recorded: a byte for every neuron and step. Brian2 records events."""
    del state
    return spikes > 0


def by_snnjax(arrays: dict[str, Any], dtype: str) -> Program:
    """`somas.FeedForwardIAF`, second by second."""
    synapse: dict[str, Any] = {"tau_syn": TAU_SYN, "delay": DT} if arrays["case"] == "spikes" else {}
    x64 = dtype == "float64"
    found: list[np.ndarray] = []
    with jax.enable_x64(x64):
        params = brian.ffiaf(**MEMBRANE, bias=arrays["bias"], dt=DT)
        layer = somas.FeedForwardIAF.from_params(jnp.asarray(arrays["weight"]), params, **synapse)
        state = layer.init(dt=DT)

    def run(k: int, state: Any) -> Any:
        return jax.block_until_ready(layer.simulate(arrays["inputs"][k * STEPS : (k + 1) * STEPS], dt=DT, state=state, record=fired))

    def second(k: int) -> Cost:
        nonlocal state
        with jax.enable_x64(x64):
            began = Cost.now()
            state, spikes = run(k, state)
            took = Cost.now().since(began)
        found.append(np.asarray(spikes))
        return took

    costs = []
    with jax.enable_x64(x64):
        for _ in range(2):
            began = Cost.now()
            run(0, state)
            costs.append(Cost.now().since(began))
    return Program(f"snnjax, {dtype}", costs[0].since(costs[1]), second, lambda: np.concatenate(found))


def by_brian(arrays: dict[str, Any], target: str, python: str, folder: Path) -> Program:
    """The same equations in Brian2, in a process of its own."""
    path = folder / "arrays.npz"
    np.savez(path, **arrays)
    process = subprocess.Popen([python, str(WORKER), str(path), target], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None and process.stdout is not None
    send, answer = process.stdin, process.stdout

    def read() -> Cost:
        line = answer.readline()
        if not line:
            raise RuntimeError(f"Brian2 with the target {target} stopped: exit status {process.wait()}. What it said is above.")
        return Cost(*map(float, line.split()))

    def second(k: int) -> Cost:
        del k
        send.write("go\n")
        send.flush()
        return read()

    def spikes() -> np.ndarray:
        process.wait()
        events = np.load(folder / f"spikes_{target}.npz")
        raster = np.zeros((arrays["seconds"] * STEPS, NEURONS), bool)
        raster[events["steps"], events["neurons"]] = True
        return raster

    return Program(f"Brian2, {target}", read(), second, spikes)


def measure(case: str, seconds: int, python: str | None) -> list[dict[str, Any]]:
    """All programs in turn, a simulated second each."""
    arrays = arrays_of(case, seconds)
    with tempfile.TemporaryDirectory() as folder:
        programs = [by_snnjax(arrays, dtype) for dtype in ("float32", "float64")]
        for target in TARGETS if python else ():
            try:
                programs.append(by_brian(arrays, target, str(python), Path(folder)))
            except RuntimeError as error:
                print(error, file=sys.stderr)
        costs = [[program.second(k) for program in programs] for k in range(seconds)]
        rasters = [program.spikes() for program in programs]
    return [
        _row(case, program, list(its), raster, rasters[1])
        for program, its, raster in zip(programs, zip(*costs, strict=True), rasters, strict=True)
    ]


def _row(case: str, program: Program, costs: list[Cost], spikes: np.ndarray, reference: np.ndarray) -> dict[str, Any]:
    walls = [cost.wall for cost in costs]
    return {
        "case": case,
        "program": program.name,
        "wall": statistics.median(walls),
        "least": min(walls),
        "most": max(walls),
        "cores": statistics.median(cost.cores for cost in costs),
        "compile": program.compile.wall,
        "spikes": int(spikes.sum()),
        "different": int((spikes != reference).sum()),
    }


def main() -> None:
    """Measure, print the table, save it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--brian-python", metavar="PATH", help="the Python of an environment with Brian2 (default: this one, if it has it)")
    parser.add_argument("--seconds", type=int, default=10, help="simulated seconds (default 10)")
    parser.add_argument("--json", metavar="FILE", help="also write the numbers to FILE")
    options = parser.parse_args()
    python = options.brian_python or (sys.executable if importlib.util.find_spec("brian2") else None)
    rows = [row for case in ("currents", "spikes") for row in measure(case, options.seconds, python)]
    print(f"{hardware()}\n{NEURONS} neurons, {INPUTS} inputs, {options.seconds} s in steps of {DT * 1e3:g} ms.\n")
    heads = (
        "case",
        "program",
        "s per simulated s (min-max)",
        "relative",
        "s of all cores",
        "relative",
        "compiling, s",
        "spikes",
        "different",
    )
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
    ours = {row["case"]: row for row in rows if row["program"] == "snnjax, float64"}
    for row in rows:
        took = f"{row['wall']:.3f} ({row['least']:.3f}-{row['most']:.3f})"
        wall, cores = (f"{row[key] / ours[row['case']][key]:.1f}" for key in ("wall", "cores"))
        columns = [
            row["case"],
            row["program"],
            took,
            wall,
            f"{row['cores']:.3f}",
            cores,
            f"{row['compile']:.1f}",
            row["spikes"],
            row["different"],
        ]
        print(f"| {' | '.join(map(str, columns))} |")
    if not python:
        print("\nBrian2 was not measured: give the Python of an environment that has it, `--brian-python PATH`.")
    save_json(options.json, rows)


if __name__ == "__main__":
    main()
