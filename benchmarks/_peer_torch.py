"""The PyTorch programs of `benchmarks.peers`, one library per process; started by that program with the Python that has it.

python _peer_torch.py norse|snntorch|spikingjelly PROBLEM.npz

The loop over time is here, over `inputs.unbind(0)`. The loops of Norse and SpikingJelly themselves take `inputs[t]`, whose gradient is
an array of the size of all inputs in every step: with T=500, B=16 and N=256 their gradients took 30 times the processor time and more.
"""

import importlib.metadata
import os
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch  # pyright: ignore[reportMissingImports]
from _peer import Problem, Program, dynamics, serve

DT = 1e-3
CHUNK = 10  # steps that torch.compile makes one program of


def program(run: Callable[[Any], Any], problem: Problem, scale: float, what: dict[str, Any]) -> Program:
    """A function of tensors; the gradient of its weighted spikes with respect to its inputs, which are snnjax's times `scale`."""

    def prepare(case: str) -> tuple[Callable[[], Any], int | None]:
        inputs, weights = torch.from_numpy(np.float32(scale) * problem.inputs), torch.from_numpy(problem.weights)

        def forward() -> Any:
            with torch.no_grad():
                return run(inputs)

        def gradient() -> Any:
            inputs.requires_grad_()
            inputs.grad = None
            (run(inputs) * weights).sum().backward()
            return inputs.grad

        return forward if case == "forward" else gradient, None

    def ours(case: str, result: Any) -> np.ndarray:
        return result.numpy() * (1.0 if case == "forward" else scale)

    return Program(what, prepare, ours)


def norse_programs(problem: Problem) -> tuple[str, dict[str, Program]]:
    """Forward Euler with the decays of the problem; a reset to a value, with the gradient through it."""
    from norse.torch.functional.lif import (  # pyright: ignore[reportMissingImports]
        LIFFeedForwardState,
        LIFParameters,
        lif_feed_forward_step,
    )
    from norse.torch.module.lif import LIFCell  # pyright: ignore[reportMissingImports]

    gain = 1 - problem.beta
    rates = {"tau_syn_inv": (1 - problem.alpha) / DT, "tau_mem_inv": gain / DT}
    params = LIFParameters(**{name: torch.as_tensor(rate) for name, rate in rates.items()})
    cell = LIFCell(params, dt=DT)

    def eager(inputs: Any) -> Any:
        state, outputs = None, []
        for x in inputs.unbind(0):
            spikes, state = cell(x, state)
            outputs.append(spikes)
        return torch.stack(outputs)

    @torch.compile
    def steps(inputs: list[Any], v: Any, i: Any) -> Any:
        state, outputs = LIFFeedForwardState(v, i), []
        for x in inputs:
            spikes, state = lif_feed_forward_step(x, state, params, DT)
            outputs.append(spikes)
        return outputs, state.v, state.i

    def compiled(inputs: Any) -> Any:
        rows, outputs = inputs.unbind(0), []
        v = i = torch.zeros_like(rows[0])
        for k in range(0, len(rows), CHUNK):
            more, v, i = steps(list(rows[k : k + CHUNK]), v, i)
            outputs += more
        return torch.stack(outputs)

    what, scale = dynamics("value", attached=True), problem.coupling / gain
    return f"Norse {importlib.metadata.version('norse')}", {
        "Norse LIFCell": program(eager, problem, scale, what),
        f"Norse, torch.compile of {CHUNK} steps": program(compiled, problem, scale, what),
    }


def snntorch_programs(problem: Problem) -> tuple[str, dict[str, Program]]:
    """A reset that comes a step later and does not decay: a subtraction of 1 / beta at once. Detached."""
    import snntorch  # pyright: ignore[reportMissingImports]

    spike = snntorch.surrogate.fast_sigmoid(slope=1)
    layer = snntorch.Synaptic(alpha=problem.alpha, beta=problem.beta, threshold=1.0, spike_grad=spike)

    def run(inputs: Any) -> Any:
        current, v = (torch.zeros_like(inputs[0]) for _ in range(2))
        outputs = []
        for x in inputs.unbind(0):
            spikes, current, v = layer(x, current, v)
            outputs.append(spikes)
        return torch.stack(outputs)

    what = dynamics(attached=False, v_reset=1 - 1 / problem.beta)
    return f"snnTorch {importlib.metadata.version('snntorch')}", {"snnTorch Synaptic": program(run, problem, problem.coupling, what)}


def spikingjelly_programs(problem: Problem) -> tuple[str, dict[str, Program]]:
    """The torch back end, the one for a CPU; a reset by subtraction, detached."""
    from spikingjelly.activation_based import functional, neuron, surrogate  # pyright: ignore[reportMissingImports]

    decays = {"c_decay": problem.alpha, "v_decay": problem.beta}
    layer = neuron.CUBALIFNode(**decays, v_threshold=1.0, v_reset=None, surrogate_function=surrogate.SuperSpike(alpha=1.0))
    layer.step_mode, layer.detach_reset = "s", True

    def run(inputs: Any) -> Any:
        functional.reset_net(layer)
        return torch.stack([layer(x) for x in inputs.unbind(0)])

    what = dynamics(attached=False)
    version = f"SpikingJelly {importlib.metadata.version('spikingjelly')}"
    return version, {"SpikingJelly CUBALIFNode": program(run, problem, problem.coupling, what)}


LIBRARIES = {"norse": norse_programs, "snntorch": snntorch_programs, "spikingjelly": spikingjelly_programs}

if __name__ == "__main__":
    torch.set_num_threads(os.cpu_count() or 1)
    version, programs = LIBRARIES[sys.argv[1]](Problem.read(sys.argv[2]))
    serve(f"{version}, torch {torch.__version__}", programs)
