"""What checking costs, and how far runs agree: rows of docs/reliability.md that are measured and not tested.

    python -m benchmarks.reliability [--repeats 100] [--json FILE]

* the cost of `checked=True`, per run of 2,000 steps, B=4, N=32, as a ratio to the same run without it, in turns;
* repeated runs and gradients: the same bits? In this process, in another one, and in one with a single thread;
* the compiled run against one operation after the other: the largest difference in units in the last place of the
  largest value, and spikes that differ.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import os
import subprocess
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import snnjax.functional as F

from ._timing import compare, hardware, save_json

DT = 1e-3


def drive(steps: int, *shape: int) -> jax.Array:
    return 2.0 * jax.random.normal(jax.random.key(0), (steps, *shape)) + 0.5


def run(inputs: jax.Array, **options: Any) -> Any:
    return F.simulate(F.lif_refrac, params(), inputs, dt=DT, record=lambda state, spikes: (spikes, F.core(state).v), **options)


def params() -> Any:
    return F.RefractoryParams(F.LIFParams(), t_ref=2e-3)


def cost_of_checking(rounds: int) -> dict[str, float]:
    """Of the medians."""
    programs = {"plain": run, "checked": functools.partial(run, checked=True)}
    timings = compare(programs, [drive(2000, 4, 32)], rounds)
    return {"checked / plain": timings["checked"].median / timings["plain"].median}


def digest() -> str:
    """Of a run, and of a gradient with products of matrices."""

    def loss(weight: jax.Array) -> jax.Array:
        _, (spikes, v) = run(inputs @ weight)
        return (spikes + v).mean()

    inputs, weight = drive(300, 16, 64), 0.3 * jax.random.normal(jax.random.key(1), (64, 32))
    leaves = jax.tree.leaves((run(inputs @ weight), jax.grad(loss)(weight)))
    return hashlib.sha256(b"".join(np.asarray(leaf).tobytes() for leaf in leaves)).hexdigest()


def elsewhere(flags: str) -> str:
    """The digest of a process of its own."""
    environment = {**os.environ, "XLA_FLAGS": flags}
    code = "from benchmarks.reliability import digest; print(digest())"
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True).stdout.strip()


def against_single_operations() -> dict[str, float]:
    inputs = drive(200, 8)
    _, (spikes, v) = jax.jit(run)(inputs)
    state, found = F.lif_refrac.init(params(), (8,)), []
    with jax.disable_jit():
        for x in inputs:
            state, out = F.lif_refrac.step(params(), state, x, dt=DT)
            found.append((out, F.core(state).v))
    loose, potentials = (jnp.stack(parts) for parts in zip(*found, strict=True))
    ulp = np.spacing(np.abs(np.asarray(v)).max())
    return {"ulp": float(jnp.abs(v - potentials).max() / ulp), "spikes that differ": float(jnp.abs(spikes - loose).sum())}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--json", help="write what is measured to this file")
    options = parser.parse_args()
    first = digest()
    measured: dict[str, Any] = {
        **cost_of_checking(30),
        "repeats with other bits": sum(digest() != first for _ in range(options.repeats)),
        "another process": elsewhere("") == first,
        "one thread": elsewhere("--xla_cpu_multi_thread_eigen=false") == first,
        **against_single_operations(),
    }
    print(hardware())
    for name, value in measured.items():
        print(f"{name}: {value if isinstance(value, bool | int) else f'{value:.2f}'}")
    save_json(options.json, [measured])
    return 0


if __name__ == "__main__":
    sys.exit(main())
