"""Gradients of few parameters, and fits to traces: `python -m benchmarks.fit [--json PATH]`.

1. The gradient of a loss in P numbers, in reverse mode (segmented recomputation) and in forward mode.
2. Time and residual of `fit.least_squares` and of `fit.minimize`, for as many passes over the data.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import snnjax.functional as F
from benchmarks._timing import compare, hardware, save_json
from snnjax import fit

DT, STEPS = 1e-3, 500
NAMES = ("tau_mem", "tau_syn", "v_leak", "bias")


def inputs(n: int) -> jax.Array:
    return jnp.asarray(np.random.default_rng(0).uniform(0.0, 0.4, (STEPS, n)), jnp.float32)


def loss_of(n: int, count: int) -> tuple[Callable[[Any], Any], jax.Array]:
    x = inputs(n)

    def loss(values: jax.Array) -> jax.Array:
        params = F.LIFParams()._replace(**dict(zip(NAMES[:count], values, strict=True)))
        return jnp.mean(F.simulate(F.lif, params, x, dt=DT, record=lambda state, _: state.v)[1] ** 2)

    return loss, jnp.asarray([getattr(F.LIFParams(), name) for name in NAMES[:count]], jnp.float32)


def forward(loss: Callable[[Any], Any], count: int) -> Callable[[Any], Any]:
    def gradient(values: jax.Array) -> Any:
        basis = jnp.eye(count, dtype=values.dtype)
        return jax.vmap(lambda d: jax.jvp(loss, (values,), (d,)), out_axes=(None, 0))(basis)

    return gradient


def gradients() -> list[dict[str, Any]]:
    rows = []
    print(f"{'N':>6}{'P':>4}{'reverse/ms':>12}{'forward/ms':>12}{'ratio':>8}{'memory ratio':>14}")
    for n in (64, 256, 2048):
        for count in range(1, len(NAMES) + 1):
            loss, values = loss_of(n, count)
            both = compare({"reverse": jax.value_and_grad(loss), "forward": forward(loss, count)}, (values,))
            time_ratio = both["forward"].median / both["reverse"].median
            memory = both["forward"].memory / max(both["reverse"].memory, 1)
            reverse_ms, forward_ms = 1e3 * both["reverse"].median, 1e3 * both["forward"].median
            print(f"{n:>6}{count:>4}{reverse_ms:>12.2f}{forward_ms:>12.2f}{time_ratio:>8.2f}{memory:>14.3f}")
            rows.append({"N": n, "P": count, "time ratio": time_ratio, "memory ratio": memory})
    return rows


def fits(n: int = 256) -> list[dict[str, Any]]:
    x, draw = inputs(n), np.random.default_rng(1)
    cells = F.LIFParams(*(jnp.asarray(draw.uniform(low, high, n), jnp.float32) for low, high in ((10e-3, 40e-3), (3e-3, 9e-3))), v_th=1e6)

    def run(params: Any) -> jax.Array:
        return F.simulate(F.lif, params, x, dt=DT, record=lambda state, _: state.v)[1]

    target, start, chosen = run(cells), F.LIFParams(v_th=1e6), ("tau_mem", "tau_syn")
    spread = start._replace(**{name: jnp.full(n, getattr(start, name)) for name in chosen})
    programs = {
        "least_squares, 15 steps": lambda: fit.least_squares(F.lif, start, x, target, dt=DT, steps=15, trainable=chosen),
        "minimize, 15 steps": lambda: fit.minimize(lambda p: jnp.mean((run(p) - target) ** 2), spread, steps=15, trainable=chosen),
        "minimize, 300 steps": lambda: fit.minimize(lambda p: jnp.mean((run(p) - target) ** 2), spread, steps=300, trainable=chosen),
    }
    rows = []
    print(f"{'fit of tau_mem and tau_syn of ' + str(n) + ' neurons':<44}{'s with compiling':>18}{'worst error':>14}")
    for name, program in programs.items():
        began = time.perf_counter()
        found = jax.block_until_ready(program().params)
        took = time.perf_counter() - began
        worst = max(float(jnp.max(jnp.abs(getattr(found, field) / getattr(cells, field) - 1.0))) for field in chosen)
        print(f"{name:<44}{took:>18.2f}{worst:>14.1e}")
        rows.append({"fit": name, "seconds": took, "worst relative error": worst})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json")
    path = parser.parse_args().json
    print(hardware())
    save_json(path, gradients() + fits())


if __name__ == "__main__":
    main()
