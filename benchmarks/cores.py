"""The same populations on one CPU device, and on a device for each core (`snnjax.use_all_cores`).

    python -m benchmarks.cores [--devices N] [--rounds 20] [--json FILE]

LIF, T=500, B=16, float32, as in `benchmarks.lif`: forward, and gradients of a weighted sum of the spikes with respect to the inputs
alone, and to the inputs and all parameters. "laid out" starts from inputs that lie on all cores already, as what comes out of a
layer before does; otherwise they come from one device, and moving them is in the time. The programs take turns, and must make the
same spikes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

import snnjax
import snnjax.functional as F
from snnjax.functional import _spread

from ._timing import Timing, compare, hardware, save_json

STEPS, BATCH, DT = 500, 16, 1e-3
NEVER = 2**62


def spikes_of(params: F.LIFParams, inputs: jax.Array) -> jax.Array:
    """The run that is measured."""
    return F.simulate(F.lif, params, inputs, dt=DT)[1]


def total(params: F.LIFParams, inputs: jax.Array, weights: jax.Array) -> jax.Array:
    """What is differentiated."""
    return (spikes_of(params, inputs) * weights).sum()


def on(least: int, function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, traced while populations of so many neurons and more are spread."""

    def traced(*args: Any) -> Any:
        before, _spread._LEAST = _spread._LEAST, (least, 1)
        try:
            return function(*args)
        finally:
            _spread._LEAST = before

    return traced


def measure(neurons: int, rounds: int) -> list[dict[str, Any]]:
    """The rows of the table for one size."""
    keys = jax.random.split(jax.random.key(0))
    inputs = 0.5 * jax.random.uniform(keys[0], (STEPS, BATCH, neurons))
    weights = jax.random.normal(keys[1], inputs.shape)
    params = jax.tree.map(jnp.float32, F.LIFParams())
    one, all_ = (jax.jit(on(least, spikes_of))(params, inputs) for least in (NEVER, 1))
    assert len(all_.sharding.device_set) > len(one.sharding.device_set) == 1
    same = {"neurons": neurons, "spikes": int(one.sum()), "different": int((jnp.asarray(jax.device_get(all_)) != one).sum())}
    cases: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
        "forward": (spikes_of, (params, inputs)),
        "gradient, inputs": (jax.grad(total, 1), (params, inputs, weights)),
        "gradient, inputs and parameters": (jax.grad(total, (0, 1)), (params, inputs, weights)),
    }
    rows = []
    for case, (function, args) in cases.items():
        # A compiled program takes what lies where it was compiled for; `jit` moves what does not.
        runs = {"one device": jax.jit(on(NEVER, function)), "all cores": jax.jit(on(1, function))}
        placed = jax.device_put(args, (None, *(all_.sharding for _ in args[1:])))
        timings = compare(runs, args, rounds) | {"laid out": compare({"laid out": runs["all cores"]}, placed, rounds)["laid out"]}
        rows.append({"case": case, **same, **{name: timing._asdict() for name, timing in timings.items()}, **_ratios(timings)})
    return rows


def _ratios(timings: dict[str, Timing]) -> dict[str, float]:
    one = timings["one device"].median
    return {f"{name}, times faster": one / timings[name].median for name in ("all cores", "laid out")}


def main() -> None:
    """Measure, print the table, save it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=None, help="CPU devices (default: one per core)")
    parser.add_argument("--rounds", type=int, default=20, help="runs of each program (default 20)")
    parser.add_argument("--json", metavar="FILE", help="also write the numbers to FILE")
    options = parser.parse_args()
    devices = snnjax.use_all_cores(options.devices)
    if devices == 1:
        parser.error("there is one core; give `--devices 2` to see what two devices on it do")
    rows = [row for neurons in (256, 2048) for row in measure(neurons, options.rounds)]
    different = sum({row["neurons"]: row["different"] for row in rows}.values())
    print(f"{hardware()}\nLIF, T={STEPS}, B={BATCH}, float32, {devices} CPU devices; {different} spikes differ.\n")
    print("| N | case | one device, ms (min-max) | all cores, ms (min-max) | times faster | laid out, ms (min-max) | times faster |")
    print("|---|---|---|---|---|---|---|")
    for row in rows:
        one, spread, placed = (
            f"{row[name]['median'] * 1e3:.1f} ({row[name]['least'] * 1e3:.1f}-{row[name]['most'] * 1e3:.1f})"
            for name in ("one device", "all cores", "laid out")
        )
        gain, more = (f"{row[f'{name}, times faster']:.2f}" for name in ("all cores", "laid out"))
        print(f"| {row['neurons']} | {row['case']} | {one} | {spread} | {gain} | {placed} | {more} |")
    save_json(options.json, rows)


if __name__ == "__main__":
    main()
