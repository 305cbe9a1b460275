"""The same NIR file and the same input here and in other tools, both ways.

    python -m benchmarks.nir_exchange

Runs the tools that are installed beside snnjax, and says which are not: `pip install "snnjax[nir]" norse snntorch spyx`. It compares
spikes, step by step, of two layers (8 -> 12 -> 4) over 300 steps of 0.1 ms, and measures no time. docs/interop.md holds its table.

| way | what is compared |
|---|---|
| to | a network of ours, written by `to_nir`; here it runs as it was, there from the file |
| from | a network of the tool, written by the tool; there it runs as it was, here from the file (mended: with the fields it forgot) |
| same file | a file that neither has written, read by both |
| back | a network of the tool, read here (mended), and written again by `to_nir`; here it runs as read, there from the second file |
"""

from __future__ import annotations

import importlib
import importlib.metadata
import pathlib
import sys
import tempfile
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import numpy as np

from snnjax import functional as F
from snnjax import graph, somas
from snnjax.interop import nir

from ._nir_tools import TOOLS, Tool, quiet, version_of

DT = 1e-4  # snnTorch knows no other
STEPS = 300
WEIGHTS = [np.random.default_rng(0).normal(0.3, 1.0, shape).astype(np.float32) for shape in ((8, 12), (12, 4))]
INPUTS = (np.random.default_rng(1).random((STEPS, 1, 8)) < 0.2).astype(np.float32)
TAU_MEM, TAU_SYN = 2e-3, 0.5e-3


class Row(NamedTuple):
    """One comparison: with what, which way, of what, how it runs or is read here, and what came of it."""

    tool: str
    way: str
    network: str
    here: str
    result: str


def compared(there: np.ndarray, here: np.ndarray) -> str:
    """In words: equal, equal but late, or where the first difference is."""
    there, here = (np.asarray(it).reshape(STEPS, -1) > 0 for it in (there, here))
    for late in range(4):
        if np.array_equal(there[late:], here[: STEPS - late]) and not there[:late].any():
            return f"equal ({int(here.sum())} spikes){f', there {late} steps later' if late else ''}"
    first = int(np.nonzero((there != here).any(axis=1))[0][0])
    return f"differs from step {first} on ({int(there.sum())} spikes there, {int(here.sum())} here)"


def ours(kind: str, integrator: F.Integrator) -> graph.Graph:
    """Two layers of `F.leaky` or `F.lif`."""
    layers: list[Any] = []
    for weight in WEIGHTS:
        linear = eqx.nn.Linear(*weight.shape, use_bias=False, key=jax.random.key(0))
        layers.append(eqx.tree_at(lambda it: it.weight, linear, weight.T))
        fields: dict[str, Any] = {"shape": weight.shape[1:], "tau_mem": TAU_MEM, "v_th": 0.1, "integrator": integrator}
        config = somas.LeakySomaConfig(**fields) if kind == "LIF" else somas.LIFSomaConfig(**fields, tau_syn=TAU_SYN)
        layers.append(config.build())
    return graph.of(somas.Sequential(layers))


def spikes_of(g: graph.Graph) -> np.ndarray:
    return np.asarray(graph.build(g, dt=DT).simulate(INPUTS, dt=DT)[1])


def foreign(kind: str, per_neuron: bool, v_reset: float = 0.0) -> Any:
    """A NIR graph that no tool has written; `per_neuron`: every field is used, with a number of its own for every neuron."""
    package, rng = importlib.import_module("nir"), np.random.default_rng(2)

    def numbers(n: int, plain: float, low: float, high: float) -> np.ndarray:
        return (rng.uniform(low, high, n) if per_neuron else np.full(n, plain)).astype(np.float32)

    def neurons(n: int) -> Any:
        fields = {"v_leak": numbers(n, 0, -0.2, 0.2), "v_threshold": numbers(n, 2, 1, 2), "v_reset": numbers(n, v_reset, -0.5, 0.2)}
        tau, r = numbers(n, TAU_MEM, 1e-3, 4e-3), numbers(n, TAU_MEM / DT, 10, 20)
        if kind == "LIF":
            return package.LIF(tau=tau, r=r, **fields)
        tau_syn, w_in = numbers(n, TAU_SYN, 0.3e-3, 1e-3), numbers(n, TAU_SYN / DT, 2, 6)
        return package.CubaLIF(tau_mem=tau, tau_syn=tau_syn, r=r, w_in=w_in, **fields)

    nodes = {"input": package.Input(np.array([8]))}
    for k, weight in enumerate(WEIGHTS):
        nodes |= {f"fc{k}": package.Linear(np.ascontiguousarray(weight.T)), f"neurons{k}": neurons(weight.shape[1])}
    nodes["output"] = package.Output(np.array([4]))
    names = list(nodes)
    return package.NIRGraph(nodes, list(zip(names[:-1], names[1:], strict=True)))


def filed(made: Any) -> Any:
    """Written and read again."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "net.nir"
        importlib.import_module("nir").write(path, made)
        return nir.read(path)


def attempted(there: Callable[[], np.ndarray], here: Callable[[], np.ndarray]) -> str:
    """The comparison, or why the tool does not take part."""
    try:
        with quiet():
            result = there()
    except Exception as error:  # whatever a tool raises
        reason = (str(error) or "no reason given").splitlines()[0]
        return f"{type(error).__name__} there: {reason}"[:100]
    return compared(result, here())


def written_here(name: str, tool: Tool, kind: str, integrator: F.Integrator) -> Row:
    g = ours(kind, integrator)
    made = filed(nir.to_nir(g, dt=DT, integrator=F.euler)[0])  # all of them step by Euler
    result = attempted(lambda: tool.run(made, INPUTS, DT), lambda: spikes_of(g))
    return Row(name, "to", kind, f"`F.{integrator.name}`", result)


def mended(made: Any, kind: str, mend: Callable[[Any, float], Mapping[str, Any]] | None) -> Any:
    """With the fields of its neurons set right, where there is something to."""
    for node in made.nodes.values():
        if mend and type(node).__name__ == kind:
            vars(node).update(mend(node, DT))
    return made


def written_there(name: str, tool: Tool, kind: str, options: Mapping[str, Any]) -> list[Row]:
    """As the tool writes it; and, where that is not what it runs, with the fields set right."""

    def attempt(network: str, mend: Callable[[Any, float], Mapping[str, Any]] | None) -> Row:
        written: list[Any] = []

        def there() -> np.ndarray:
            made, spikes = tool.export(kind, WEIGHTS, INPUTS, DT)
            written.append(made)
            return spikes

        def here() -> np.ndarray:
            return spikes_of(nir.from_nir(mended(filed(written[0]), kind, mend), dt=DT, **options)[0])

        return Row(name, "from", network, told(options), attempted(there, here))

    found = [attempt(kind, None)]
    if tool.mend and not found[0].result.startswith("equal"):
        found.append(attempt(f"{kind}, mended", tool.mend))
    return found


def read_and_written_back(name: str, tool: Tool, kind: str, options: Mapping[str, Any]) -> Row:
    found: list[graph.Graph] = []

    def there() -> np.ndarray:
        made, _ = tool.export(kind, WEIGHTS, INPUTS, DT)
        found.append(nir.from_nir(mended(filed(made), kind, tool.mend), dt=DT, **options)[0])
        return tool.run(filed(nir.to_nir(found[0], dt=DT, integrator=F.euler)[0]), INPUTS, DT)

    return Row(name, "back", kind, told(options), attempted(there, lambda: spikes_of(found[0])))


def read_by_both(name: str, tool: Tool, kind: str, per_neuron: bool, options: Mapping[str, Any]) -> Row:
    here = {key: value for key, value in options.items() if key != "time_unit"}
    v_reset = tool.v_reset(kind, 2.0, DT / TAU_MEM)
    result = attempted(
        lambda: tool.run(foreign(kind, per_neuron, v_reset), INPUTS, DT),
        lambda: spikes_of(nir.from_nir(foreign(kind, per_neuron, v_reset), dt=DT, **here)[0]),
    )
    return Row(name, "same file", f"{kind}, all fields, per neuron" if per_neuron else kind, told(here), result)


def rows(name: str, tool: Tool) -> list[Row]:
    found = []
    for kind in ("LIF", "CubaLIF"):
        options = tool.options(DT)[kind]
        found += [written_here(name, tool, kind, integrator) for integrator in (F.euler, F.exact)]
        found += written_there(name, tool, kind, options)
        found.append(read_and_written_back(name, tool, kind, options))
        found += [read_by_both(name, tool, kind, per_neuron, options) for per_neuron in (False, True)]
    return found


def told(options: Mapping[str, Any]) -> str:
    """Options as one would write them, without those that only say Euler."""

    def text(value: Any) -> str:
        if isinstance(value, F.Integrator):
            return f"F.{value.name}"
        return f"F.{value.__name__}" if callable(value) else f"{value:g}" if isinstance(value, float) else f'"{value}"'

    return ", ".join(f"`{name}={text(value)}`" for name, value in options.items())


def main() -> int:
    versions = {name: version_of(name) for name in ("nir", *TOOLS)}
    there = [name for name in TOOLS if versions[name]]
    for name in TOOLS:
        if not versions[name]:
            print(f"{name} is not installed: `pip install {name}`. It is left out.")
    if not versions["nir"] or not there:
        print("Nothing to compare with.")
        return 1
    print("Versions: " + ", ".join(f"{name} {versions[name]}" for name in ("nir", *there)) + f", jax {jax.__version__}\n")
    print("| tool | way | network | here | spikes |\n|---|---|---|---|---|")
    for name in there:
        for row in rows(name, TOOLS[name]):
            print("| " + " | ".join(row) + " |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
