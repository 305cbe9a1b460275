"""Norse, snnTorch and Spyx, as far as an exchange of NIR files with them needs: run a file, and write one of a network of their own.

Everything is imported when a tool is asked for. What is done here is what their documentation tells their users to do.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import io
import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from snnjax import functional as F

Weights = Sequence[np.ndarray]


class Tool(NamedTuple):
    """Another tool.

    Attributes:
        run: `(NIR graph, inputs (T, 1, N), dt) ->` spikes `(T, 1, N)`.
        export: `(kind, weights, inputs, dt) ->` a network of its own as a NIR graph, and its spikes; `kind` is "LIF" or "CubaLIF".
        options: how its files are to be read here, `dt -> {kind: keywords of from_nir}`.
        mend: `(neurons of NIR, dt) ->` the fields that its export leaves out or gets wrong.
        v_reset: `(kind, v_th, dt / tau_mem) ->` the `v_reset` of a file that means what its neurons do anyway.
    """

    run: Callable[[Any, np.ndarray, float], np.ndarray]
    export: Callable[[str, Weights, np.ndarray, float], tuple[Any, np.ndarray]]
    options: Callable[[float], Mapping[str, Mapping[str, Any]]]
    mend: Callable[[Any, float], Mapping[str, Any]] | None = None
    v_reset: Callable[[str, Any, Any], Any] = lambda kind, v_th, leak: 0.0 * v_th


@contextlib.contextmanager
def quiet() -> Any:
    """Without what the tools print and warn."""
    logging.disable(logging.WARNING)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
    logging.disable(logging.NOTSET)


def _stepped(net: Any, inputs: np.ndarray, stateful: bool) -> np.ndarray:
    """A module of PyTorch, step by step."""
    torch = importlib.import_module("torch")
    out, state = [], None
    with torch.no_grad():
        for x in torch.from_numpy(inputs):
            made = net(x, state) if stateful else net(x)
            spikes, state = made if isinstance(made, tuple) else (made, None)
            out.append(spikes.numpy())
    return np.array(out)


def _linears(weights: Weights) -> list[Any]:
    torch = importlib.import_module("torch")
    made = [torch.nn.Linear(*weight.shape, bias=False) for weight in weights]
    for linear, weight in zip(made, weights, strict=True):
        linear.weight.data = torch.from_numpy(np.ascontiguousarray(weight.T))
    return made


def _between(linears: Sequence[Any], neurons: Sequence[Any]) -> list[Any]:
    return [layer for pair in zip(linears, neurons, strict=True) for layer in pair]


def _norse_run(made: Any, inputs: np.ndarray, dt: float) -> np.ndarray:
    norse = importlib.import_module("norse.torch")
    return _stepped(norse.from_nir(made, ignore_warnings=True, dt=dt), inputs, stateful=True)


def _norse_export(kind: str, weights: Weights, inputs: np.ndarray, dt: float) -> tuple[Any, np.ndarray]:
    norse, torch = importlib.import_module("norse.torch"), importlib.import_module("torch")

    # One number for all neurons would be an array without axes, which `nir.write` cannot pack.
    def cell(n: int) -> Any:
        def full(number: float) -> Any:
            return torch.full((n,), number)

        rest = {"v_th": full(0.1), "v_leak": full(0.0), "v_reset": full(0.0)}
        if kind == "LIF":
            return norse.LIFBoxCell(norse.LIFBoxParameters(tau_mem_inv=full(500.0), **rest), dt=dt)
        return norse.LIFCell(norse.LIFParameters(tau_mem_inv=full(500.0), tau_syn_inv=full(2000.0), **rest), dt=dt)

    cells = [cell(weight.shape[1]) for weight in weights]
    net = norse.SequentialState(*_between(_linears(weights), cells))
    return norse.to_nir(net, torch.from_numpy(inputs[0, 0]), dt=dt), _stepped(net, inputs, stateful=True)


def _norse_options(dt: float) -> Mapping[str, Mapping[str, Any]]:
    # Norse 1.1.0 writes `tau = dt / tau_mem_inv`: a time constant in units of 1/dt seconds.
    options = {"integrator": F.euler, "time_unit": 1.0 / dt}
    return {"LIF": options, "CubaLIF": {**options, "synapse": "jump"}}


def _norse_mend(node: Any, dt: float) -> Mapping[str, Any]:
    """An input of its CubaLIF is a jump of 1."""
    return {"w_in": node.tau_syn / dt**2} if type(node).__name__ == "CubaLIF" else {}


def _snntorch_run(made: Any, inputs: np.ndarray, dt: float) -> np.ndarray:
    return _stepped(importlib.import_module("snntorch.import_nir").import_from_nir(made), inputs, stateful=False)


def _snntorch_export(kind: str, weights: Weights, inputs: np.ndarray, dt: float) -> tuple[Any, np.ndarray]:
    torch, snn = importlib.import_module("torch"), importlib.import_module("snntorch")
    common = {"reset_mechanism": "zero", "init_hidden": True, "reset_delay": False}

    def neurons(n: int) -> Any:  # with one number for all, it cannot write the file
        beta, threshold = torch.full((n,), 0.95), torch.full((n,), 2.0)
        if kind == "LIF":
            return snn.Leaky(beta=beta, threshold=threshold, **common)
        return snn.Synaptic(alpha=torch.full((n,), 0.8), beta=beta, threshold=threshold, **common)

    net = torch.nn.Sequential(*_between(_linears(weights), [neurons(weight.shape[1]) for weight in weights]))
    spikes = _stepped(net, inputs, stateful=False)
    to_nir = importlib.import_module("snntorch.export_nir").export_to_nir
    return to_nir(net, torch.from_numpy(inputs[0]), ignore_dims=[0]), spikes


def _snntorch_options(dt: float) -> Mapping[str, Mapping[str, Any]]:
    return {"LIF": {"integrator": F.euler}, "CubaLIF": {"integrator": F.euler, "synapse": "jump"}}


def _spyx_run(made: Any, inputs: np.ndarray, dt: float) -> np.ndarray:
    return np.asarray(importlib.import_module("spyx.nir").from_nir(made, inputs, dt=dt)[1])


def _spyx_export(kind: str, weights: Weights, inputs: np.ndarray, dt: float) -> tuple[Any, np.ndarray]:
    nnx, nn, exchange = (importlib.import_module(name) for name in ("flax.nnx", "spyx.nn", "spyx.nir"))
    rngs, layers = nnx.Rngs(0), []
    for weight in weights:
        linear = nnx.Linear(*weight.shape, use_bias=False, rngs=rngs)
        linear.kernel[...] = weight
        shape = (weight.shape[1],)
        neurons = nn.LIF(shape, 0.95, 2.0, rngs=rngs) if kind == "LIF" else nn.CuBaLIF(shape, 0.8, 0.95, 2.0, rngs=rngs)
        layers += [linear, neurons]
    net = nn.Sequential(*layers)
    ends = {"input": np.array(weights[0].shape[:1])}, {"output": np.array(weights[-1].shape[1:])}
    return exchange.to_nir(net, *ends, dt=dt), np.asarray(nn.run(net, inputs)[0])


def _spyx_options(dt: float) -> Mapping[str, Mapping[str, Any]]:
    options = {"integrator": F.euler, "reset": F.reset_by_subtraction}
    return {"LIF": options, "CubaLIF": {**options, "synapse": "jump"}}


def _spyx_mend(node: Any, dt: float) -> Mapping[str, Any]:
    """An input is a jump of 1 of v, or of the current; a current is one of v."""
    if type(node).__name__ == "CubaLIF":
        return {"r": node.tau_mem / dt, "w_in": node.tau_syn / dt}
    return {"r": node.tau / dt, "v_reset": _spyx_v_reset("LIF", node.v_threshold, dt / node.tau)}


def _spyx_v_reset(kind: str, v_th: Any, leak: Any) -> Any:
    """Its LIF takes the threshold away after the leak; before the leak that is `v_th / (1 - leak)`."""
    return v_th - v_th / (1 - leak) if kind == "LIF" else 0.0 * v_th


#: The tools by the name of their package.
TOOLS: Mapping[str, Tool] = MappingProxyType(
    {
        "norse": Tool(_norse_run, _norse_export, _norse_options, _norse_mend),
        "snntorch": Tool(_snntorch_run, _snntorch_export, _snntorch_options),
        "spyx": Tool(_spyx_run, _spyx_export, _spyx_options, _spyx_mend, _spyx_v_reset),
    }
)


def version_of(package: str) -> str | None:
    """The version that is installed, `None` if it is not."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
