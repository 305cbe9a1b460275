"""The JAX programs of `benchmarks.peers`, one library per process; started by that program with the Python that has it.

python _peer_jax.py snnjax|cores|spyx|rockpool PROBLEM.npz
"""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from _peer import Problem, Program, dynamics, earlier, later, serve

DT = 1e-3


def program(run: Callable[[Any], Any], inputs: np.ndarray, weights: np.ndarray, what: dict[str, Any], ours: Any = None) -> Program:
    """A function of JAX arrays; the gradient of its weighted spikes with respect to its inputs."""
    import jax
    import jax.numpy as jnp

    def prepare(case: str) -> tuple[Callable[[], Any], int | None]:
        arrays = (jnp.asarray(inputs),) if case == "forward" else (jnp.asarray(inputs), jnp.asarray(weights))
        gradient = jax.grad(lambda inputs, weights: (run(inputs) * weights).sum())
        compiled = jax.jit(run if case == "forward" else gradient).lower(*arrays).compile()
        analysis = compiled.memory_analysis()
        memory = None if analysis is None else analysis.temp_size_in_bytes
        return lambda: jax.block_until_ready(compiled(*arrays)), memory

    return Program(what, prepare, ours or (lambda case, result: np.asarray(result)))


def snnjax_programs(problem: Problem, suffix: str = "") -> tuple[str, dict[str, Program]]:
    """`F.simulate(F.lif, ...)` with the resets of the others, and, on one device, a scan written by hand."""
    import jax

    import snnjax.functional as F

    def ours(reset: Any) -> Callable[[Any], Any]:
        config = F.SpikingConfig(spike=F.superspike(1.0, unit=1.0), reset=reset)
        return lambda inputs: F.simulate(F.lif, F.LIFParams(), inputs, dt=DT, config=config)[1]

    given = problem.inputs, problem.weights
    attached, to_value = F.attached(F.reset_by_subtraction), F.attached(F.reset_to_value)
    programs = {
        "snnjax": program(ours(F.reset_by_subtraction), *given, dynamics(attached=False)),
        "snnjax, attached reset": program(ours(attached), *given, dynamics(attached=True)),
        "snnjax, attached reset to value": program(ours(to_value), *given, dynamics("value", attached=True)),
    }
    if not suffix:
        programs["plain scan"] = program(by_hand(problem), *given, dynamics(attached=False))
    return f"jax {jax.__version__}", {name + suffix: what for name, what in programs.items()}


def by_hand(problem: Problem) -> Callable[[Any], Any]:
    """The plainest scan of the same equations."""
    import jax
    import jax.numpy as jnp

    alpha, beta, coupling = problem.alpha, problem.beta, problem.coupling

    @jax.custom_jvp
    def spike(x: Any) -> Any:
        return (x > 0).astype(x.dtype)

    @spike.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        return spike(primals[0]), tangents[0] / (1.0 + jnp.abs(primals[0])) ** 2

    def step(state: Any, x: Any) -> Any:
        v, i = state
        i = i + x
        v = beta * v + coupling * i
        spikes = spike(v - 1.0)
        return (jnp.where(spikes > 0, v - 1.0, v), alpha * i), spikes

    def run(inputs: Any) -> Any:
        rest = jnp.zeros(inputs.shape[1:])
        return jax.lax.scan(step, (rest, rest), inputs)[1]

    return run


def cores_programs(problem: Problem) -> tuple[str, dict[str, Program]]:
    """The same on all cores. JAX must not have started before."""
    import snnjax

    count = snnjax.use_all_cores()
    return snnjax_programs(problem, f", {count} cores")


def spyx_programs(problem: Problem) -> tuple[str, dict[str, Program]]:
    """Spyx compares with the threshold before it integrates: the same spikes, a step later."""
    import importlib.metadata

    import spyx.axn  # pyright: ignore[reportMissingImports]
    import spyx.nn  # pyright: ignore[reportMissingImports]
    from flax import nnx  # pyright: ignore[reportMissingImports]

    shape = (problem.inputs.shape[-1],)
    layer = spyx.nn.CuBaLIF(shape, problem.alpha, problem.beta, activation=spyx.axn.superspike(1.0), rngs=nnx.Rngs(0))
    graph, state = nnx.split(layer)

    def ours(case: str, result: Any) -> np.ndarray:
        return earlier(np.asarray(result), 1) if case == "forward" else problem.coupling * np.asarray(result)

    def run(inputs: Any) -> Any:
        return spyx.nn.run(nnx.merge(graph, state), inputs)[0]

    spyx_inputs = np.float32(problem.coupling) * problem.inputs
    what = program(run, spyx_inputs, later(problem.weights, 1), dynamics(attached=True), ours)
    return f"Spyx {importlib.metadata.version('spyx')}", {"Spyx CuBaLIF": what}


def rockpool_programs(problem: Problem) -> tuple[str, dict[str, Program]]:
    """Rockpool decays the current before the membrane takes it, has batches first, and a surrogate gradient of its own."""
    sys.modules["samna"] = None  # pyright: ignore[reportArgumentType]  # the driver of the chips installs software when imported
    import importlib.metadata

    from rockpool.nn.modules import LIFJax  # pyright: ignore[reportMissingImports]

    taus = {"tau_mem": -DT / np.log(problem.beta), "tau_syn": -DT / np.log(problem.alpha)}
    layer = LIFJax(problem.inputs.shape[-1], **taus, dt=DT, has_rec=False, threshold=1.0, max_spikes_per_dt=1.0)
    scale = problem.coupling / problem.alpha

    def batch_first(array: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(np.swapaxes(array, 0, 1))

    def ours(case: str, result: Any) -> np.ndarray:
        return np.swapaxes(np.asarray(result), 0, 1) * (1.0 if case == "forward" else scale)

    inputs, weights = batch_first(np.float32(scale) * problem.inputs), batch_first(problem.weights)
    what = program(lambda inputs: layer(inputs)[0], inputs, weights, dynamics(attached=True, surrogate=False), ours)
    return f"Rockpool {importlib.metadata.version('rockpool')}", {"Rockpool LIFJax": what}


LIBRARIES = {"snnjax": snnjax_programs, "cores": cores_programs, "spyx": spyx_programs, "rockpool": rockpool_programs}

if __name__ == "__main__":
    serve(*LIBRARIES[sys.argv[1]](Problem.read(sys.argv[2])))
