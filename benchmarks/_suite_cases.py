"""The cases of `benchmarks.suite`: each gives programs that do the same work, the first of which is the baseline."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import snnjax.functional as F

from ._adex import AdExParams, adex
from .dpi import population
from .lif import by_hand, by_snnjax, gradient

DT = 1e-3
Programs = dict[str, Callable[..., Any]]


class Case(NamedTuple):
    """Programs of equal work on the same arguments.

    bytes: what has to move at least, where that is the limit; run: False where only the memory and the time to compile are asked for.
    same: what of the results of two programs must agree, as a function to an array; None where nothing is compared.
    """

    id: str
    name: str
    programs: Programs
    args: tuple[Any, ...]
    bytes: int = 0
    run: bool = True
    same: Callable[[Any], Any] | None = None


def drive(shape: tuple[int, ...], high: float = 0.65) -> jax.Array:
    """Inputs at which about 5 % of LIF neurons and steps fire."""
    return high * jax.random.uniform(jax.random.key(0), shape)


def weights(shape: tuple[int, ...]) -> jax.Array:
    """Random weights of the spikes in a loss."""
    return jax.random.normal(jax.random.key(1), shape)


def lif_params(shape: tuple[int, ...] = ()) -> Any:
    """LIF in float32; with a shape, its time constants and threshold are one per neuron."""
    params = jax.tree.map(jnp.float32, F.LIFParams())
    each = jnp.ones(shape, jnp.float32)
    return params._replace(tau_mem=params.tau_mem * each, tau_syn=params.tau_syn * each, v_th=params.v_th * each)


def linear_and_lif() -> Iterator[Case]:
    """B1: a linear layer n -> n and LIF. The product in every step, or one for all steps."""
    n, steps, batch = 512, 500, 16
    inputs = (jax.random.uniform(jax.random.key(0), (steps, batch, n)) < 0.05).astype(jnp.float32)
    weight = 0.25 * jax.random.normal(jax.random.key(1), (n, n)) + 0.012
    params = lif_params()

    def in_each_step(weight: Any, inputs: Any) -> Any:
        start = F.lif_init(params, (batch, n), jnp.float32)
        return jax.lax.scan(lambda state, x: F.lif_step(params, state, x @ weight, dt=DT), start, inputs)[1]

    def hoisted(weight: Any, inputs: Any) -> Any:
        return by_snnjax(params, (inputs.reshape(-1, n) @ weight).reshape(steps, batch, n))

    programs: Programs = {"product in each step": in_each_step, "snnjax, one product": hoisted}
    name = f"linear {n} -> {n} and LIF, T={steps}, B={batch}"
    yield Case("B1", f"{name}, forward", programs, (weight, inputs), same=lambda spikes: spikes.mean())
    gradients = {key: gradient(program, 0) for key, program in programs.items()}
    yield Case("B1", f"{name}, gradient of the weight", gradients, (weight, inputs, weights(inputs.shape)))


def neurons_alone() -> Iterator[Case]:
    """B2 and B9: LIF by the plainest scan and by the library, in the cache and beyond it."""
    for id, shape in (("B2", (500, 1024)), ("B2", (500, 16384)), ("B9", (1000, 10, 1000))):
        inputs, programs, params = drive(shape), {"plain scan": by_hand, "snnjax": by_snnjax}, lif_params()
        name = f"LIF, T={shape[0]}, N={' x '.join(map(str, shape[1:]))}"
        yield Case(id, f"{name}, forward", programs, (params, inputs), 8 * inputs.size, same=lambda spikes: spikes.mean())
        gradients = {key: gradient(program, 1) for key, program in programs.items()}
        yield Case(id, f"{name}, gradient of the inputs", gradients, (params, inputs, weights(shape)), 12 * inputs.size)


def trainable() -> Iterator[Case]:
    """B3: time constants and thresholds one per neuron, trained with the inputs; the gradient goes through the reset to zero."""
    shape = (500, 16384)
    config = F.SpikingConfig(reset=F.attached(F.reset_to_value))

    def ours(params: Any, inputs: Any, segment: int | None = None) -> Any:
        return F.simulate(F.lif, params, inputs, dt=DT, config=config, segment=segment)[1]

    programs = {"plain scan of the step": functools.partial(ours, segment=shape[0]), "snnjax": ours}
    gradients = {key: gradient(program, (0, 1)) for key, program in programs.items()}
    args = lif_params(shape[1:]), drive(shape), weights(shape)
    yield Case("B3", f"LIF, all trained, T={shape[0]}, N={shape[1]}, gradient", gradients, args, 12 * args[1].size, same=_mean_slope)


def _mean_slope(slopes: Any) -> Any:
    return jnp.stack([jnp.abs(leaf).mean() for leaf in jax.tree.leaves(slopes)])


def dpi_neuron() -> Iterator[Case]:
    """B4: the DPI neuron of Dynap-SE, every parameter one per neuron; gradients of parameters and inputs."""
    steps, n = 1000, 4096
    params = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), population(n))
    inputs = jax.random.poisson(jax.random.key(0), 0.3, (steps, n)).astype(jnp.float32)

    def ours(params: Any, inputs: Any, segment: int | None = None) -> Any:
        return F.simulate(F.dynapse_dpi, params, inputs, dt=DT, segment=segment)[1]

    programs = {"plain scan of the step": functools.partial(ours, segment=steps), "snnjax": ours}
    gradients = {key: gradient(program, (0, 1)) for key, program in programs.items()}
    yield Case("B4", f"DPI, T={steps}, N={n}, gradient", gradients, (params, inputs, weights(inputs.shape)), 12 * inputs.size)


def user_defined() -> Iterator[Case]:
    """B5: a user's adaptive exponential neuron beside LIF: three states and an exponential instead of two states."""
    shape = (500, 16384)
    inputs, params = drive(shape), (lif_params(), jax.tree.map(jnp.float32, AdExParams()))

    def of_lif(params: Any, inputs: Any) -> Any:
        return by_snnjax(params[0], inputs)

    def of_adex(params: Any, inputs: Any) -> Any:
        return F.simulate(adex, params[1], inputs, dt=DT)[1]

    programs: Programs = {"lif": of_lif, "adex": of_adex}
    name = f"AdEx beside LIF, T={shape[0]}, N={shape[1]}"
    yield Case("B5", f"{name}, forward", programs, (params, inputs), 8 * inputs.size)
    gradients = {key: gradient(program, 1) for key, program in programs.items()}
    yield Case("B5", f"{name}, gradient of the inputs", gradients, (params, inputs, weights(shape)), 12 * inputs.size)


def long_runs() -> Iterator[Case]:
    """B7: memory of a gradient over a long time; compiled and not run."""
    steps, n = 100_000, 4096
    inputs = jax.ShapeDtypeStruct((steps, n), jnp.float32)

    def ours(params: Any, inputs: Any, segment: int | None = None) -> Any:
        return F.simulate(F.lif, params, inputs, dt=DT, segment=segment)[1]

    programs = {"plain scan of the step": functools.partial(ours, segment=steps), "snnjax": ours}
    gradients = {key: gradient(program, (0, 1)) for key, program in programs.items()}
    yield Case("B7", f"LIF, T={steps}, N={n}, gradient", gradients, (lif_params(), inputs, inputs), run=False)


def unrolled() -> Iterator[Case]:
    """B9: what `unroll` does to a scan on this device."""
    shape, params = (500, 4096), lif_params()
    step = functools.partial(F.lif_step, params, dt=DT)

    def scan(inputs: Any, unroll: int) -> Any:
        start = F.lif_init(params, shape[1:], jnp.float32)
        return jax.lax.scan(lambda state, x: step(state, x), start, inputs, unroll=unroll)[1]

    programs = {f"unroll={k}": functools.partial(scan, unroll=k) for k in (1, 2, 4, 8)}
    inputs = drive(shape)
    yield Case("B9", f"LIF, T={shape[0]}, N={shape[1]}, forward", programs, (inputs,), 8 * inputs.size)
    slopes = {key: jax.grad(lambda inputs, weights, run=run: (run(inputs) * weights).sum()) for key, run in programs.items()}
    yield Case("B9", f"LIF, T={shape[0]}, N={shape[1]}, gradient of the inputs", slopes, (inputs, weights(shape)), 12 * inputs.size)


def compiling() -> Iterator[Case]:
    """B10: time to compile a gradient of parameters and inputs, for any number of steps."""
    n = 1024
    models: dict[str, tuple[Any, Any]] = {
        "LIF": (F.lif, lif_params()),
        "DPI": (F.dynapse_dpi, jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), population(n))),
    }
    for name, (model, params) in models.items():
        for steps in (100, 1000, 10_000):
            inputs = jax.ShapeDtypeStruct((steps, n), np.float32)

            def ours(params: Any, inputs: Any, segment: int | None = None, model: Any = model) -> Any:
                return F.simulate(model, params, inputs, dt=DT, segment=segment)[1]

            programs: Programs = {"plain scan of the step": functools.partial(ours, segment=steps), "snnjax": ours}
            if model is F.lif:
                programs = {"plain scan": by_hand, **programs}
            gradients = {key: gradient(program, (0, 1)) for key, program in programs.items()}
            yield Case("B10", f"{name}, T={steps}, N={n}, gradient", gradients, (params, inputs, inputs), run=False)


CASES = (linear_and_lif, neurons_alone, trainable, dpi_neuron, user_defined, long_runs, unrolled, compiling)
