"""Every loader of the library, with an example of what it reads; for `benchmarks.fuzz_files`."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

import snnjax.functional as F
from benchmarks import _mutations as mutations
from snnjax import _files as files
from snnjax import dynapse, events, fit, graph, somas


class Kind(NamedTuple):
    """A kind of file: how one is made, read and compared, how its checksum is repaired (`None`: it has none), how many are tried."""

    name: str
    make: Callable[[Path], object]
    load: Callable[[Path], Any]
    same: Callable[[Any, Any], bool]
    repair: Callable[[bytes], bytes] | None
    weight: tuple[float, float]  # how many of the files are of this kind: as found, repaired
    damage: Callable[[bytes, Random], bytes] = mutations.with_other_header  # beside `mutated`, where the checksum is repaired


def equal_trees(a: Any, b: Any) -> bool:
    """The same structure, dtypes, shapes and bits."""
    if jax.tree.structure(a) != jax.tree.structure(b):
        return False
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return all(one is other or _bits(one) == _bits(other) for one, other in pairs)


def _bits(leaf: Any) -> Any:
    if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    array = np.asarray(leaf)
    return array.dtype, array.shape, array.tobytes()


def _arrays() -> dict[str, np.ndarray]:
    names = ("float64", "float32", "float16", "bfloat16", "int64", "int8", "uint32", "bool")
    made: dict[str, Any] = {f"a.{name}": np.arange(12).reshape(3, 4).astype(jnp.dtype(name)) for name in names}
    return {**made, "scalar": np.asarray(np.float32(0.1)), "empty": np.zeros((0, 4), np.float32)}


def _graph() -> graph.Graph:
    rng = np.random.default_rng(0)
    inner = graph.connect(graph.Linear(rng.normal(size=(4, 3))), graph.Scale([1.0, 2.0, 3.0]))
    nodes = {
        "in": graph.Input(4),
        "lif": graph.Neurons("lif", F.LIFParams(tau_mem=np.linspace(0.01, 0.02, 4)), 4),
        "block": graph.SubGraph(inner),
        "delay": graph.Delay(2e-3, 3),
        "out": graph.Output(3),
    }
    names = list(nodes)
    return graph.Graph(nodes, [graph.Edge(a, b) for a, b in zip(names, names[1:], strict=False)])


def _network() -> Any:
    keys = jax.random.split(jax.random.key(0), 3)
    hidden = somas.LIFSomaConfig(shape=(4,), tau_mem=somas.Uniform(0.01, 0.02)).build(keys[1])
    return somas.Sequential([eqx.nn.Linear(3, 4, key=keys[0]), hidden, eqx.nn.Linear(4, 2, key=keys[2])])


def _state(seed: int) -> fit.TrainState:
    params = {"weight": jax.random.normal(jax.random.key(seed), (3, 2)), "low": jnp.full(3, seed, jnp.bfloat16)}
    return fit.TrainState(params, optax.adam(1e-3).init(params), jax.random.key(seed), step=jnp.int32(seed), cursor=(seed, jnp.arange(2)))


def _save_events(path: Path) -> None:
    events.save(path, events.Events([0.1, 0.2, 0.2, 0.5], [3, 0, 1, 0], channel_count=4, duration=1.0))


def _config() -> Any:
    return somas.AdaptiveLeakySomaConfig(shape=(3,), tau_mem=np.array([0.01, 0.02, 0.03], np.float32), t_ref=somas.Uniform(1e-3, 3e-3))


def _chip(path: Path) -> None:
    tables = dynapse.Generator().tables
    rows = [f"{kind},{c},{f},{float(tables[kind][c, f])!r}" for kind in tables for c in range(6) for f in range(256)]
    path.write_text("\n".join(["type,coarse,fine,current", *rows, ""]))


def _same_tables(a: Any, b: Any) -> bool:
    return {k: v.tobytes() for k, v in a.tables.items()} == {k: v.tobytes() for k, v in b.tables.items()}


def kinds() -> list[Kind]:
    """All kinds; that of NIR where the package is installed."""
    safetensors, like = mutations.repaired_safetensors, _state(0)
    found = [
        Kind("arrays and a header", lambda p: files.write(p, "test", 1, {"a": [1, "x"]}, _arrays()), lambda p: files.read(p, "test", 1),
             equal_trees, safetensors, (20, 30)),
        Kind("graph.load", lambda p: graph.save(p, _graph()), graph.load, graph.equal, safetensors, (15, 12)),
        Kind("somas.load", lambda p: somas.save(p, _network(), extra={"step": 3}), somas.load, equal_trees, safetensors, (15, 5)),
        Kind("fit.load_state", lambda p: fit.save_state(p, _state(1)), lambda p: fit.load_state(p, like), equal_trees, safetensors,
             (15, 10)),
        Kind("events.load, .npz", _save_events, events.load, events.Events.__eq__, mutations.repaired_zip, (15, 15), mutations.mutated),
        Kind("events.load, .csv", _save_events, events.load, events.Events.__eq__, mutations.repaired_csv, (20, 15), mutations.mutated),
        Kind("graph.from_json", lambda p: p.write_text(graph.to_json(_graph())), lambda p: graph.from_json(p.read_bytes()),
             graph.equal, None, (0, 10), mutations.with_other_word),
        Kind("config.from_json", lambda p: p.write_text(_config().to_json()), lambda p: type(_config()).from_json(p.read_bytes()),
             lambda a, b: a == b, None, (0, 5), mutations.with_other_word),
        Kind("dynapse.Generator.load", _chip, dynapse.Generator.load, _same_tables, None, (0, 1), mutations.mutated),
    ]  # fmt: skip
    return found + ([_nir()] if importlib.util.find_spec("nir") else [])


def _nir() -> Kind:
    import nir as package

    from snnjax.interop import nir

    def make(path: Path) -> None:
        numbers: dict[str, Any] = {
            name: np.full(2, value) for name, value in (("tau", 0.02), ("r", 1.0), ("v_leak", 0.0), ("v_threshold", 1.0))
        }
        package.write(path, package.NIRGraph.from_list(package.Linear(weight=np.ones((2, 3))), package.LIF(**numbers)))

    def load(path: Path) -> graph.Graph:
        return nir.from_nir(nir.read(path), dt=1e-3)[0]

    return Kind("interop.nir.read", make, load, graph.equal, None, (0, 1), mutations.mutated)
