"""The fused kernel on a GPU: against the plain scan, and against the speed at which the device copies memory.

    python -m benchmarks.kernel [--rounds 20] [--json FILE]

For LIF populations of several sizes, a DPI neuron, and an AdEx neuron as a user would write it (`_adex.py`): time per
neuron-step of a run and of a run with its gradient with respect to inputs and parameters, `backend="pallas"` and
`backend="scan"`. Both make the same spikes, up to crossings within rounding of the threshold, which are counted. The share of the
bandwidth is that of the bytes that must move at least: inputs and outputs forwards; inputs, their gradient and the gradient of the
outputs backwards; 4 bytes each.

Without a GPU nothing is measured.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

import snnjax.functional as F

from ._adex import adex
from ._timing import Timing, compare, hardware, save_json

STEPS, DT = 500, 1e-3
LIF_SIZES = (8_192, 65_536, 524_288, 4_194_304)
SIZE = 524_288
_FORWARD, _GRADIENT = 8, 20  # bytes per neuron-step, float32


def main() -> None:
    """Measure, print the table, save it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20, help="runs of each program (default 20)")
    parser.add_argument("--json", metavar="FILE", help="also write the numbers to FILE")
    options = parser.parse_args()
    if jax.default_backend() != "gpu":
        print(f"Nothing was measured: {hardware()} has no GPU that JAX can use.")
        return
    bandwidth = copy_bandwidth(options.rounds)
    print(f"{hardware()}\nT={STEPS}, float32; memory is copied at {bandwidth / 1e12:.2f} TB/s (read and written).\n")
    head = "model | neurons | case | scan, ms (min-max) | kernel, ms (min-max) | scan / kernel | G n-steps/s | of bandwidth | differ"
    print(f"| {head} | compile, s |\n|{'---|' * 10}")
    cases = [*((F.lif, n) for n in LIF_SIZES), (adex, SIZE), (F.dynapse_dpi, SIZE)]
    rows = [row for neuron, neurons in cases for row in measure(neuron, neurons, bandwidth, options.rounds)]
    save_json(options.json, [{"bandwidth": bandwidth}, *rows])


def copy_bandwidth(rounds: int) -> float:
    """Bytes per second that a copy of 1 GiB reads and writes."""
    array = jnp.ones(2**28, jnp.float32)
    # Another number each, for what is written to be what is computed and not the same buffer.
    timing = compare({"copy": lambda array: array + 1.0}, [array], rounds)["copy"]
    return 2 * array.nbytes / timing.median


def measure(neuron: F.Neuron, neurons: int, bandwidth: float, rounds: int) -> list[dict[str, Any]]:
    """The rows of one model at one size, each printed as soon as it is known."""
    keys = jax.random.split(jax.random.key(0))
    # Arrays of 500 steps of 4 million neurons take 8 GB each, and a gradient needs several.
    steps = STEPS if neurons < 2**21 else STEPS // 5
    if neuron is F.dynapse_dpi:
        inputs = 2000.0 * jax.random.poisson(keys[0], 1.0, (steps, neurons)).astype(jnp.float32)
    else:
        inputs = 0.5 * jax.random.uniform(keys[0], (steps, neurons))
    weights = jax.random.normal(keys[1], (steps, neurons))
    params = jax.tree.map(jnp.float32, neuron.default())
    runs = {backend: _run(neuron, backend) for backend in ("scan", "pallas")}
    differ = int(sum(jax.jit(lambda *args: (runs["scan"](*args) != runs["pallas"](*args)).sum(axis=1))(params, inputs)))
    found = []
    for case, least, programs, args in (
        ("forward", _FORWARD, runs, (params, inputs)),
        ("forward and gradient", _GRADIENT, {name: _gradient(run) for name, run in runs.items()}, (params, inputs, weights)),
    ):
        timings = compare(programs, args, rounds)
        rate = steps * neurons / timings["pallas"].median
        row = {"model": neuron.name, "neurons": neurons, "steps": steps, "case": case, "differ": differ, "rate": rate}
        row |= {"of bandwidth": rate * least / bandwidth, **{name: timing._asdict() for name, timing in timings.items()}}
        found.append(row)
        _print(row, timings)
    return found


def _run(neuron: F.Neuron, backend: str) -> Callable[..., jax.Array]:
    return lambda params, inputs: F.simulate(neuron, params, inputs, dt=DT, backend=backend)[1]


def _gradient(run: Callable[..., jax.Array]) -> Callable[..., Any]:
    return jax.value_and_grad(lambda params, inputs, weights: (run(params, inputs) * weights).sum(), argnums=(0, 1))


def _print(row: dict[str, Any], timings: dict[str, Timing]) -> None:
    scan, kernel = timings["scan"], timings["pallas"]
    times = [f"{t.median * 1e3:.2f} ({t.least * 1e3:.2f}-{t.most * 1e3:.2f})" for t in (scan, kernel)]
    cells = [row["model"], row["neurons"], row["case"], *times, f"{scan.median / kernel.median:.1f}", f"{row['rate'] / 1e9:.1f}"]
    print(f"| {' | '.join(map(str, cells))} | {row['of bandwidth']:.0%} | {row['differ']} | {scan.compile:.1f}, {kernel.compile:.1f} |")


if __name__ == "__main__":
    main()
