"""What gradients of long runs take: temporary memory as XLA plans it, and the time to compile; nothing is run.

    python -m benchmarks.memory [--rounds 3] [--json FILE]

A LIF population, B=16, N=256, float32, differentiated by all its parameters and its inputs: under one constant input, of which
nothing is kept step by step, and with inputs of every step and a weight for every spike. "plain" keeps what every step leaves.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import jax
import jax.numpy as jnp

import snnjax.functional as F

from ._timing import hardware, save_json

BATCH, N, DT = 16, 256, 1e-3
PARAMS = F.LIFParams(*[jax.ShapeDtypeStruct((), jnp.float32)] * len(F.LIFParams()))


def step(params: Any, state: Any, x: Any) -> Any:
    return F.lif.step(params, state, x, dt=DT, config=F.SpikingConfig())


def rest(params: Any) -> Any:
    return F.lif.init(params, (BATCH, N), jnp.float32)


def constant(steps: int, segment: Any) -> tuple[Any, tuple[Any, ...]]:
    """The gradient of the number of spikes under one input for all steps."""

    def loss(params: Any, current: jax.Array) -> jax.Array:
        spikes_of = lambda _, spikes: spikes.sum()  # noqa: E731
        return F.unroll(lambda state, _: step(params, state, current), rest(params), jnp.arange(steps), record=spikes_of, segment=segment)[
            1
        ].sum()

    return jax.grad(loss, argnums=(0, 1)), (PARAMS, jax.ShapeDtypeStruct((BATCH, N), jnp.float32))


def inputs(steps: int, segment: Any) -> tuple[Any, tuple[Any, ...]]:
    """The gradient of a weighted sum of all spikes under inputs that differ from step to step."""

    def loss(params: Any, given: jax.Array, weights: jax.Array) -> jax.Array:
        # Not `F.simulate`: it refuses what does not fit into this machine.
        return (weights * F.unroll(lambda state, x: step(params, state, x), rest(params), given, segment=segment)[1]).sum()

    long = jax.ShapeDtypeStruct((steps, BATCH, N), jnp.float32)
    return jax.grad(loss, argnums=(0, 1)), (PARAMS, long, long)


def planned(program: Any, arguments: tuple[Any, ...], rounds: int) -> tuple[float, float]:
    """MiB of temporary memory, and the median of the seconds to trace and compile."""
    seconds, bytes_planned = [], 0
    for _ in range(rounds):
        jax.clear_caches()
        start = time.perf_counter()
        plan = jax.jit(program).lower(*arguments).compile().memory_analysis()
        seconds.append(time.perf_counter() - start)
        bytes_planned = 0 if plan is None else plan.temp_size_in_bytes
    return bytes_planned / 2**20, statistics.median(seconds)


def main() -> None:
    """Measure, print the table, save it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="compilations of each program (default 3)")
    parser.add_argument("--json", metavar="FILE", help="also write the numbers to FILE")
    options = parser.parse_args()
    print(f"{hardware()}\n")
    print("| program | T | plain, MiB | snnjax, MiB | plain, compiling, s | snnjax, compiling, s | ratio |")
    print("|---|---|---|---|---|---|---|")
    rows = []
    for make in (constant, inputs):
        for steps in (1_000, 100_000, 100_003, 1_000_000):
            (plain, slow), (ours, quick) = (planned(*make(steps, segment), options.rounds) for segment in (steps, "auto"))
            row = {"program": make.__name__, "T": steps, "plain": plain, "snnjax": ours, "compile plain": slow, "compile snnjax": quick}
            rows.append(row)
            print(f"| {make.__name__} | {steps} | {plain:.1f} | {ours:.1f} | {slow:.2f} | {quick:.2f} | {quick / slow:.2f} |", flush=True)
    save_json(options.json, rows)


if __name__ == "__main__":
    main()
