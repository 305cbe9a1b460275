"""The DPI neuron against the scan that one would write by hand: time per neuron-step, and memory of a gradient.

    python -m benchmarks.dpi [--steps 1000] [--neurons 65536] [--repeats 3]

The hand-written scan is forward Euler in amperes, as it is found in simulators of the chip. It needs two exponentials
per step, the library's integrator many more, so times are also given per exponential (any of exp, expm1, log, pow that
depends on the state; those of parameters alone are computed once).
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

DT = 1e-3
_EXPONENTIALS = ("exp", "exp2", "expm1", "log", "log1p", "pow", "tanh", "logistic")


def population(n: int) -> F.DynapseParams:
    """Every neuron different, as on a chip."""
    spread = np.random.default_rng(0).lognormal(0.0, 0.2, (len(F.BiasCurrents._fields), n)).astype(np.float32)
    bias = F.BiasCurrents(Ispkthr=1e-8, Iw_ahp=1e-9)
    return F.DynapseParams(F.BiasCurrents(*(jnp.asarray(value * row) for value, row in zip(bias, spread, strict=True))))


def by_hand(params: F.DynapseParams) -> Callable[[Any, Any], tuple[Any, Any]]:
    """Forward Euler in amperes."""
    bias, process = params.bias, params.process
    kappa = (process.kappa_n + process.kappa_p) / 2
    unit = process.Ut / kappa
    tau_syn, tau_ahp = unit * process.C_syn / bias.Itau_syn, unit * process.C_ahp / bias.Itau_ahp
    jump_syn = (1 - jnp.exp(-process.Vth * process.C_pulse / bias.Ipulse / tau_syn)) * bias.Igain_syn / bias.Itau_syn * params.Iscale
    jump_ahp = (1 - jnp.exp(-process.Vth * process.C_pulse_ahp / bias.Ipulse_ahp / tau_ahp)) * bias.Igain_ahp / bias.Itau_ahp * bias.Iw_ahp
    decay_syn, decay_ahp = jnp.exp(-DT / tau_syn), jnp.exp(-DT / tau_ahp)
    t_ref = process.Vth * process.C_ref / bias.Iref
    surrogate = F.superspike(slope=2.0)

    def step(state: Any, x: Any) -> Any:
        isyn, iahp, imem, spikes, left = state
        isyn = decay_syn * isyn + jump_syn * x
        iahp = decay_ahp * iahp + jump_ahp * spikes
        leak = bias.Itau_mem + iahp
        drive = jnp.maximum(jnp.where(left > 0, 0.0, isyn + bias.Idc), process.Io)
        feedback = process.Io * jnp.exp(kappa / (kappa + 1) * jnp.log(imem / process.Io))
        slope = imem / (imem + bias.Igain_mem) * (bias.Igain_mem * drive - (leak - feedback) * (imem + bias.Igain_mem))
        imem = jnp.maximum(imem + DT * slope * kappa / (process.C_mem * process.Ut), process.Io)
        spikes = surrogate((imem - bias.Ispkthr) / bias.Ispkthr)
        imem = jnp.where(spikes > 0, process.Io, imem)
        left = jnp.where(spikes > 0, t_ref, jnp.maximum(left - DT, 0.0))
        return (isyn, iahp, imem, spikes, left), spikes

    return step


def run_by_hand(params: F.DynapseParams, inputs: jax.Array) -> jax.Array:
    zero = jnp.zeros(inputs.shape[1:])
    start = (zero, zero, zero + params.process.Io, zero, zero)
    return jax.lax.scan(by_hand(params), start, inputs)[1]


def run(config: F.DPIConfig) -> Callable[[F.DynapseParams, jax.Array], jax.Array]:
    return lambda params, inputs: F.simulate(F.dynapse_dpi, params, inputs, dt=DT, config=config)[1]


def exponentials(step: Callable[[Any, Any], Any], state: Any, x: Any) -> int:
    """How many exponentials of one step depend on its state or input."""
    closed = jax.make_jaxpr(step)(state, x)
    return _count(closed.jaxpr, [True] * len(closed.jaxpr.invars))[0]


def _count(jaxpr: Any, moving: list[bool]) -> tuple[int, list[bool]]:
    known = {id(variable) for variable, moves in zip(jaxpr.invars, moving, strict=True) if moves}
    count = 0
    for equation in jaxpr.eqns:
        inputs = [id(variable) in known for variable in equation.invars]
        inner = next((value for name, value in equation.params.items() if name in ("jaxpr", "call_jaxpr")), None)
        if inner is None:
            outputs = [any(inputs)] * len(equation.outvars)
            count += any(inputs) and equation.primitive.name in _EXPONENTIALS
        else:
            inner = getattr(inner, "jaxpr", inner)
            more, outputs = _count(inner, inputs[-len(inner.invars) :])
            count += more * equation.params.get("length", 1)
        known |= {id(variable) for variable, moves in zip(equation.outvars, outputs, strict=True) if moves}
    return count, [id(variable) in known for variable in jaxpr.outvars]


def seconds(function: Callable[..., Any], *arguments: Any, repeats: int) -> float:
    """The shortest of several runs, without compilation."""
    compiled = jax.jit(function).lower(*arguments).compile()
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        jax.block_until_ready(compiled(*arguments))
        times.append(time.perf_counter() - start)
    return min(times)


def gradient_bytes(function: Callable[..., jax.Array], *arguments: Any) -> int:
    """Temporary memory of the gradient of a mean rate with respect to parameters and inputs."""
    gradient = jax.grad(lambda *a: function(*a).mean(), argnums=(0, 1))
    analysis = jax.jit(gradient).lower(*arguments).compile().memory_analysis()
    assert analysis is not None
    return analysis.temp_size_in_bytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--neurons", type=int, default=65536)
    parser.add_argument("--repeats", type=int, default=2)
    options = parser.parse_args()
    steps, n = options.steps, options.neurons
    params = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), population(n))
    inputs = jax.random.poisson(jax.random.key(0), 0.3, (steps, n)).astype(jnp.float32)
    one = jax.tree.map(lambda leaf: leaf[:1] if jnp.ndim(leaf) else leaf, params)
    zero = jnp.zeros(1)
    cases: dict[str, tuple[Callable[..., jax.Array], int]] = {
        "by hand": (run_by_hand, exponentials(by_hand(one), (zero, zero, zero + 5e-13, zero, zero), zero))
    }
    for name, config in (("default", F.DPIConfig()), ("substeps=4", F.DPIConfig(substeps=4)), ("dynapsim", F.DPIConfig.dynapsim())):

        def step(state: Any, x: Any, config: F.DPIConfig = config) -> Any:
            return F.dynapse_dpi_step(one, state, x, dt=DT, config=config)

        cases[name] = (run(config), exponentials(step, F.dynapse_dpi_init(one, (1,)), zero))

    print(f"{jax.devices()[0].platform}, {steps} steps of {n} neurons, float32, every parameter one per neuron")
    heads = ("ns/neuron-step", "exponentials", "ns each", "of by hand", "gradient B/neuron-step", "of by hand")
    widths = (15, 14, 9, 11, 24, 11)
    print(" " * 12 + "".join(f"{head:>{width}}" for head, width in zip(heads, widths, strict=True)))
    hand_time = hand_bytes = 0.0
    for name, (function, count) in cases.items():
        each = 1e9 * seconds(function, params, inputs, repeats=options.repeats) / (steps * n)
        memory = gradient_bytes(function, params, inputs) / (steps * n)
        if name == "by hand":
            hand_time, hand_bytes = each / count, memory
        ratios = each / count / hand_time, memory / hand_bytes
        print(f"{name:<12}{each:>15.2f}{count:>14}{each / count:>9.2f}{ratios[0]:>11.2f}{memory:>24.2f}{ratios[1]:>11.3f}", flush=True)


if __name__ == "__main__":
    main()
