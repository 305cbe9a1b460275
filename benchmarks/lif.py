"""`F.simulate(F.lif, ...)` against the plainest hand-written scan of the same equations: time and gradient memory.

    python -m benchmarks.lif [--rounds 20] [--json FILE]

Both make the same spikes (checked) from the same input; the hand-written scan computes its coefficients once, outside
the loop, and uses the same surrogate. Gradients of a weighted sum of the spikes are taken with respect to the inputs
alone, and to the inputs and all parameters.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

import snnjax.functional as F

from ._timing import Timing, compare, hardware, save_json

STEPS, BATCH, DT = 500, 16, 1e-3


@jax.custom_jvp
def _spike(x: jax.Array) -> jax.Array:
    return (x > 0).astype(x.dtype)


@_spike.defjvp
def _spike_jvp(primals: Any, tangents: Any) -> Any:
    return _spike(primals[0]), tangents[0] / (1.0 + 100.0 * jnp.abs(primals[0])) ** 2


def by_hand(params: F.LIFParams, inputs: jax.Array) -> jax.Array:
    """What one writes without a library: coefficients outside, a step of four lines, `lax.scan`."""
    decay = jnp.exp(-DT / params.tau_syn)
    gain = 1 - jnp.exp(-DT / params.tau_mem)
    distance = DT / params.tau_syn - DT / params.tau_mem
    coupling = DT / params.tau_mem * jnp.exp(-DT / params.tau_mem) * -jnp.expm1(-distance) / distance
    unit = params.v_th - params.v_reset

    def step(state: Any, x: jax.Array) -> Any:
        v, i = state
        i = i + x
        v = v + gain * (params.v_leak + params.bias - v) + coupling * i
        i = decay * i
        spikes = _spike((v - params.v_th) / unit)
        return (jnp.where(spikes > 0, params.v_reset, v), i), spikes

    rest = jnp.zeros(inputs.shape[1:])
    return jax.lax.scan(step, (rest + params.v_leak, rest), inputs)[1]


def by_snnjax(params: F.LIFParams, inputs: jax.Array) -> jax.Array:
    """The same through the library."""
    return F.simulate(F.lif, params, inputs, dt=DT)[1]


def gradient(run: Callable[..., jax.Array], argnums: Any) -> Callable[..., Any]:
    """The gradient of a weighted sum of the spikes."""
    return jax.grad(lambda params, inputs, weights: (run(params, inputs) * weights).sum(), argnums=argnums)


def measure(neurons: int, rounds: int) -> list[dict[str, Any]]:
    """The rows of the table for one size."""
    keys = jax.random.split(jax.random.key(0))
    inputs = 0.5 * jax.random.uniform(keys[0], (STEPS, BATCH, neurons))
    weights = jax.random.normal(keys[1], inputs.shape)
    params = jax.tree.map(jnp.float32, F.LIFParams())
    runs = {"scan": by_hand, "snnjax": by_snnjax}
    spikes = {name: jax.jit(run)(params, inputs) for name, run in runs.items()}
    same = {"neurons": neurons, "spikes": int(spikes["scan"].sum()), "different": int((spikes["scan"] != spikes["snnjax"]).sum())}
    cases: dict[str, tuple[dict[str, Callable[..., Any]], tuple[Any, ...]]] = {
        "forward": (dict(runs), (params, inputs)),
        "gradient, inputs": ({name: gradient(run, 1) for name, run in runs.items()}, (params, inputs, weights)),
        "gradient, inputs and parameters": ({name: gradient(run, (0, 1)) for name, run in runs.items()}, (params, inputs, weights)),
    }
    rows = []
    for case, (programs, args) in cases.items():
        timings = compare(programs, args, rounds)
        rows.append({"case": case, **same, **_row(timings)})
    return rows


def _row(timings: dict[str, Timing]) -> dict[str, Any]:
    scan, ours = timings["scan"], timings["snnjax"]
    return {
        "scan": scan._asdict(),
        "snnjax": ours._asdict(),
        "time ratio": ours.median / scan.median,
        "memory ratio": ours.memory / max(scan.memory, 1),
        "compile ratio": ours.compile / scan.compile,
    }


def main() -> None:
    """Measure, print the table, save it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20, help="runs of each program (default 20)")
    parser.add_argument("--json", metavar="FILE", help="also write the numbers to FILE")
    options = parser.parse_args()
    rows = [row for neurons in (256, 2048) for row in measure(neurons, options.rounds)]
    spikes, different = (sum({row["neurons"]: row[key] for row in rows}.values()) for key in ("spikes", "different"))
    print(f"{hardware()}\nLIF, T={STEPS}, B={BATCH}, float32; {different} of {spikes} spikes differ.\n")
    print("| N | case | scan, ms (min-max) | snnjax, ms (min-max) | time ratio | scan, MiB | snnjax, MiB | memory ratio |")
    print("|---|---|---|---|---|---|---|---|")
    for row in rows:
        cells = [f"{t['median'] * 1e3:.1f} ({t['least'] * 1e3:.1f}-{t['most'] * 1e3:.1f})" for t in (row["scan"], row["snnjax"])]
        memory = [f"{t['memory'] / 2**20:.1f}" for t in (row["scan"], row["snnjax"])]
        ratio = "" if row["case"] == "forward" else f"{row['memory ratio']:.2f}"
        columns = [row["neurons"], row["case"], *cells, f"{row['time ratio']:.2f}", *memory, ratio]
        print(f"| {' | '.join(map(str, columns))} |")
    save_json(options.json, rows)


if __name__ == "__main__":
    main()
