"""A LIF layer alone beside other libraries, at equal dynamics: time, memory of the gradient, and the spikes compared.

    python -m benchmarks.peers [--python NAME=PATH ...] [--rounds 20] [--json FILE]

T=500, B=16, N=256 and 2048 (`--steps`, `--batch`, `--neurons`), float32, on the CPU; forward, and forward with the gradient of
a weighted sum of the spikes with respect to the inputs. About 5 % of neurons and steps fire.

NAME is spyx, rockpool, norse, snntorch or spikingjelly, PATH the Python of an environment that has it. Every program runs in a
process of its own library; they take turns, so that a slow moment meets all of them. Compiling and the first run are apart.
Decays, inputs and threshold are chosen so that each library makes the spikes of snnjax; how many differ is in the table, as is the
distance of the gradients. A program is compared with snnjax under the same reset: by subtraction or to a value, with the gradient
of the spike in it or without. "relative" is the median time of the program over that of snnjax on one device, "of least" the same of
the shortest times, which other work on the machine disturbs less; "cores" is the time of all cores together (waiting threads of
PyTorch count in it). A program that takes more than 2 s runs 3 times instead of `--rounds`.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

import snnjax
import snnjax.functional as F

from ._bandwidth import copy_bandwidth
from ._malloc import restart_keeping_memory
from ._timing import hardware, save_json

DT, TAU_MEM, TAU_SYN = 1e-3, 20e-3, 5e-3
SLOW, FEW = 2.0, 3
CASES = ("forward", "gradient")
FLOATS = {"forward": 2, "gradient": 3}  # that have to move at least: inputs and spikes; inputs, weights and gradient
TORCH = ("norse", "snntorch", "spikingjelly")
PEERS = ("spyx", "rockpool", *TORCH)


class Worker:
    """A process with one library, and what it offers."""

    def __init__(self, library: str, python: str, problem: Path) -> None:
        here = Path(__file__).parent
        script = here / ("_peer_torch.py" if library in TORCH else "_peer_jax.py")
        environment = {"JAX_PLATFORMS": "cpu", **os.environ}
        if python == sys.executable:
            environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(here.parent), os.environ.get("PYTHONPATH")]))
        self.library = library
        command = [python, str(script), library, str(problem)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        self.version, self.programs = self._read().values()

    def ask(self, **request: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.library} stopped with exit status {self._process.wait()}. What it said is above.")
        return json.loads(line)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


class Layer(NamedTuple):
    """The problem: inputs, weights of the spikes, and the same run by snnjax here."""

    inputs: np.ndarray
    weights: np.ndarray

    @classmethod
    def draw(cls, steps: int, batch: int, neurons: int) -> Layer:
        draw = np.random.default_rng(0)
        inputs = draw.random((steps, batch, neurons), np.float32) * np.float32(0.65)
        weights = draw.standard_normal(inputs.shape, np.float32)
        weights[-1] = 0.0  # a library that fires a step later does not know the last spikes
        return cls(inputs, weights)

    def save(self, path: Path) -> None:
        distance = DT / TAU_SYN - DT / TAU_MEM
        alpha, beta = math.exp(-DT / TAU_SYN), math.exp(-DT / TAU_MEM)
        coupling = DT / TAU_MEM * beta * -math.expm1(-distance) / distance
        np.savez(path, inputs=self.inputs, weights=self.weights, alpha=alpha, beta=beta, coupling=coupling)

    def expected(self, case: str, dynamics: dict[str, Any]) -> np.ndarray:
        """What a program of these dynamics should give."""
        return _expected(self, case, dynamics["reset"], dynamics["attached"], dynamics["v_reset"])


def _expected(layer: Layer, case: str, reset: str, attached: bool, v_reset: float) -> np.ndarray:
    rule = {"subtraction": F.reset_by_subtraction, "value": F.reset_to_value}[reset]
    config = F.SpikingConfig(spike=F.superspike(1.0, unit=1.0), reset=F.attached(rule) if attached else rule)
    params = F.LIFParams(tau_mem=TAU_MEM, tau_syn=TAU_SYN, v_reset=v_reset)

    def run(inputs: Any) -> Any:
        return F.simulate(F.lif, params, inputs, dt=DT, config=config)[1]

    if case == "forward":
        return np.asarray(run(layer.inputs))
    return np.asarray(jax.grad(lambda inputs: (run(inputs) * layer.weights).sum())(layer.inputs))


def start(pythons: dict[str, str], problem: Path) -> list[Worker]:
    """snnjax on one device and, where it can, on all cores; and the libraries that were given."""
    own = ["snnjax", *(["cores"] if hasattr(snnjax, "use_all_cores") else [])]
    workers = []
    for library, python in [*((name, sys.executable) for name in own), *pythons.items()]:
        try:
            workers.append(Worker(library, python, problem))
        except (RuntimeError, OSError) as error:
            print(f"{library} is left out: {error}", file=sys.stderr)
    return workers


def take_turns(requests: dict[str, Any], rounds: int) -> dict[str, list[dict[str, float]]]:
    """One run of each in turn; fewer of those that are slow."""
    times: dict[str, list[dict[str, float]]] = {name: [] for name in requests}
    for k in range(rounds):
        for name, request in requests.items():
            if k < FEW or min(time["wall"] for time in times[name]) <= SLOW:
                times[name].append(request(do="run"))
    return times


def measure(layer: Layer, case: str, workers: Iterable[Worker], rounds: int, folder: Path) -> list[dict[str, Any]]:
    """The rows of one table."""
    homes = {name: worker for worker in workers for name in worker.programs}
    requests = {name: functools.partial(home.ask, program=name, case=case) for name, home in homes.items()}
    prepared = {name: request(do="prepare") for name, request in requests.items()}
    times = take_turns(requests, rounds)
    rows, path = [], folder / "result.npy"
    for name, home in homes.items():
        requests[name](do="save", path=str(path))
        dynamics = home.programs[name]
        row = {"case": case, "neurons": layer.inputs.shape[-1], "program": name, "version": home.version, **dynamics, **prepared[name]}
        row |= _difference(np.load(path), layer.expected(case, dynamics), case)
        walls = [time["wall"] for time in times[name]]
        row |= {"first": row.pop("wall"), "wall": statistics.median(walls), "least": min(walls), "most": max(walls), "runs": len(walls)}
        rows.append({**row, "cores": statistics.median(time["cores"] for time in times[name])})
    return rows


def _difference(result: np.ndarray, expected: np.ndarray, case: str) -> dict[str, Any]:
    result, expected = result[:-1], expected[:-1]
    if case == "forward":
        return {"spikes": int(expected.sum()), "different": int((result != expected).sum())}
    return {"distance": float(np.linalg.norm(result - expected) / np.linalg.norm(expected))}


def relative(row: dict[str, Any], rows: list[dict[str, Any]], key: str = "wall", suffix: str = "") -> str:
    """The time of a program over that of snnjax with the same reset; with `suffix`, of snnjax on all cores."""
    named = {("subtraction", False): "snnjax", ("subtraction", True): "snnjax, attached reset"}
    name = named.get((row["reset"], row["attached"]), "snnjax, attached reset to value") + suffix
    return next((f"{row[key] / other[key]:.2f}" for other in rows if other["program"] == name), "")


def print_table(rows: list[dict[str, Any]], steps: int, batch: int, bandwidth: float) -> None:
    """Times, the same relative to snnjax on one device and on all cores, and how far the results differ."""
    case, neurons = rows[0]["case"], rows[0]["neurons"]
    print(f"\n{case}, N={neurons}\n")
    suffix = next((f", {row['program'].split(', ')[-1]}" for row in rows if row["program"].endswith(" cores")), "")
    heads = ["program", "ms (min-max)", "runs", "relative", "of least", *([f"of least{suffix}"] if suffix else []), "cores, ms"]
    heads += ["first run, s", "of the copy bandwidth", "MiB", "different spikes" if case == "forward" else "gradient's distance"]
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
    for row in rows:
        least = 4 * FLOATS[case] * steps * batch * neurons
        cells = [row["program"], f"{1e3 * row['wall']:.1f} ({1e3 * row['least']:.1f}-{1e3 * row['most']:.1f})", str(row["runs"])]
        cells += [relative(row, rows), relative(row, rows, "least"), *([relative(row, rows, "least", suffix)] if suffix else [])]
        cells += [f"{1e3 * row['cores']:.1f}"]
        cells += [f"{row['first']:.1f}", f"{100 * least / row['wall'] / bandwidth:.1f} %"]
        cells += ["" if row["memory"] is None else f"{row['memory'] / 2**20:.1f}"]
        own = f"{row['distance']:.0e}" if case == "gradient" else f"{row['different']} of {row['spikes']}"
        print(f"| {' | '.join([*cells, own if row['surrogate'] or case == 'forward' else 'another surrogate'])} |", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", action="append", default=[], metavar="NAME=PATH", help=f"NAME is one of {', '.join(PEERS)}")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--neurons", type=int, nargs="+", default=[256, 2048])
    parser.add_argument("--cases", nargs="+", choices=CASES, default=CASES)
    parser.add_argument("--rounds", type=int, default=20, help="runs of each program (default 20)")
    parser.add_argument("--system-malloc", action="store_true", help="leave it to the C library when memory goes back to the system")
    parser.add_argument("--json", metavar="FILE", help="also write the numbers to FILE")
    options = parser.parse_args()
    options.pythons = dict(given.split("=", 1) for given in options.python if given.split("=")[0] in PEERS)
    if len(options.pythons) < len(options.python):
        parser.error(f"--python takes NAME=PATH with a NAME of {', '.join(PEERS)}; got {', '.join(options.python)}")
    return options


def main() -> None:
    """Measure, print the tables, save them."""
    options, rows = _options(), []
    if not options.system_malloc:
        restart_keeping_memory()
    bandwidth = copy_bandwidth()
    print(f"{hardware()}\nLIF, T={options.steps}, B={options.batch}, float32, CPU; copies {bandwidth / 1e9:.1f} GB/s on all cores.")
    for neurons in options.neurons:
        layer = Layer.draw(options.steps, options.batch, neurons)
        with tempfile.TemporaryDirectory() as folder:
            problem = Path(folder) / "problem.npz"
            layer.save(problem)
            workers = start(options.pythons, problem)
            if not rows:
                print("; ".join(sorted({worker.version for worker in workers})))
            for case in options.cases:
                rows += (more := measure(layer, case, workers, options.rounds, Path(folder)))
                print_table(more, options.steps, options.batch, bandwidth)
            for worker in workers:
                worker.close()
    save_json(options.json, [{**row, "copy bandwidth": bandwidth} for row in rows])


if __name__ == "__main__":
    main()
