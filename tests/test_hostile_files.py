"""Every hostile file through every loader: an error of snnjax, no code run, no other file opened, little memory.

What Python does is seen by an audit hook; what the HDF5 library does, which is not Python, by the system (inotify).
"""

from __future__ import annotations

import ctypes
import json
import os
import pickle
import resource
import struct
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import keeps_programs
from hostile import FILES

import snnjax
from snnjax import dynapse, events, fit, graph, somas
from snnjax.interop import nir

package: Any = pytest.importorskip("nir", reason='needs the extra: pip install "snnjax[nir]"')
h5py: Any = pytest.importorskip("h5py", reason='needs the extra: pip install "snnjax[nir]"')

STATE = fit.TrainState(jnp.zeros(2), None, jax.random.key(0))
TABLE = dynapse.Generator().tables["N"]
SOMA = somas.LIFSomaConfig(shape=(1,))


def text(path: Path) -> bytes:
    """What a user hands to a reader of text, who has read the file."""
    with open(path, "rb") as file:
        return file.read(min(path.stat().st_size, 2**26))


#: Per loader the ending of its files, how one is made, and how it is read.
LOADERS: dict[str, tuple[str, Callable[[Path], object], Callable[[Path], Any]]] = {
    "graph.load": (".safetensors", lambda p: graph.save(p, graph.connect(graph.Alias(1), graph.Alias(1))), graph.load),
    "graph.from_json": (".json", lambda p: p.write_text(graph.to_json(graph.Graph({}, []))), lambda p: graph.from_json(text(p))),
    "config.from_json": (".json", lambda p: p.write_text(SOMA.to_json()), lambda p: type(SOMA).from_json(text(p))),
    "somas.load": (".safetensors", lambda p: somas.save(p, SOMA.build(), extra=1), somas.load),
    "somas.load_extra": (".safetensors", lambda p: somas.save(p, SOMA.build(), extra=1), lambda p: somas.load_extra(p, 0)),
    "fit.load_state": (".safetensors", lambda p: fit.save_state(p, STATE), lambda p: fit.load_state(p, STATE)),
    "events.load, npz": (".npz", lambda p: events.save(p, events.Events([0.1], [0])), events.load),
    "events.load, csv": (".csv", lambda p: events.save(p, events.Events([0.1], [0])), events.load),
    "nir.read": (".nir", lambda p: package.write(p, package.NIRGraph.from_list(package.Linear(np.ones((2, 2))))), nir.read),
    "Generator.load, json": (".json", lambda p: p.write_text(json.dumps({"N": TABLE.tolist()})), dynapse.Generator.load),
    "Generator.load, csv": (
        ".csv",
        lambda p: p.write_text("type,coarse,fine,current\n" + "".join(f"N,{c},{f},{TABLE[c, f]:e}\n" for c, f in np.ndindex(6, 256))),
        dynapse.Generator.load,
    ),
}

WATCHED = ("open", "exec", "compile", "import", "socket.", "subprocess.", "pickle.", "marshal.", "ctypes.", "shutil.", "urllib.", "os.")
seen: list[tuple[str, tuple[Any, ...]]] = []
watching: list[bool] = []  # a hook cannot be taken away again


def hook(event: str, arguments: tuple[Any, ...]) -> None:
    if watching and event.startswith(WATCHED):
        seen.append((event, arguments))


@pytest.fixture(scope="module", autouse=True)
def everything_imported(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A good file through every loader: what is imported or compiled late is not counted as done by a hostile file."""
    folder = tmp_path_factory.mktemp("good")
    for ending, make, load in LOADERS.values():
        make(folder / f"x{ending}")
        load(folder / f"x{ending}")
    sys.addaudithook(hook)


class Opened:
    """Which files of a folder are opened, by whatever program."""

    def __init__(self, folder: Path) -> None:
        self._c = ctypes.CDLL(None, use_errno=True)
        self._watch = self._c.inotify_init1(os.O_NONBLOCK)
        assert self._c.inotify_add_watch(self._watch, bytes(folder), 0x20 | 0x100) > 0  # opened, made

    def names(self) -> list[str]:
        try:
            data = os.read(self._watch, 2**16)
        except BlockingIOError:
            return []
        found = []
        while data:
            length = struct.unpack("iIII", data[:16])[3]
            found.append(data[16 : 16 + length].rstrip(b"\0").decode())
            data = data[16 + length :]
        return found

    def close(self) -> None:
        os.close(self._watch)


@pytest.fixture
def trap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "trap"
    folder.mkdir()
    (folder / "secret").write_bytes(np.arange(6.0).tobytes())
    with h5py.File(folder / "secret.h5", "w") as file:
        file["x"] = np.arange(6.0).reshape(2, 3)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def opened(trap: Path) -> Iterator[Opened | None]:
    found = Opened(trap) if sys.platform == "linux" else None
    yield found
    if found:
        found.close()


def test_what_is_opened_is_seen(trap: Path, opened: Opened | None) -> None:
    if opened is None:
        pytest.skip("inotify is of Linux")
    with h5py.File(trap.parent / "x.h5", "w") as file:
        file.create_dataset("weight", (2, 3), "f8", external=[("secret", 0, 48)])
        file["weight"][()]
    assert "secret" in opened.names()


def read(load: Callable[[Path], Any], path: Path) -> tuple[BaseException | None, int]:
    """The error with which a loader refuses, and how many bytes it took at most."""
    seen.clear()
    tracemalloc.start()
    watching.append(True)
    try:
        load(path)
        return None, 0
    except BaseException as error:
        return error, tracemalloc.get_traced_memory()[1]
    finally:
        watching.clear()
        tracemalloc.stop()


def test_code_that_runs_is_seen(trap: Path, tmp_path: Path) -> None:
    FILES["code: a pickle"](tmp_path / "x", trap)
    assert read(lambda path: pickle.loads(text(path)), tmp_path / "x")[0] is None
    assert {"pickle.find_class", "compile", "exec"} <= {event for event, _ in seen} and (trap / "sprung").exists()


@keeps_programs
@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_is_refused_by_every_loader(name: str, tmp_path: Path, trap: Path, opened: Opened | None) -> None:
    FILES[name](tmp_path / "x", trap)
    path, rss = tmp_path / "x", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Sixteen times the file, for the rows of a text; but a file that is too large is not read.
    most = min(2**24 + 16 * path.stat().st_size, 2**28)
    if opened:
        opened.names()
    for loader, (ending, _, load) in LOADERS.items():
        path = path.rename(tmp_path / f"x{ending}")
        error, taken = read(load, path)
        assert isinstance(error, snnjax.SnnjaxError), (loader, error)
        assert str(error) and len(str(error)) < 2000 and error.field is not None, loader
        assert taken < most, f"{loader} took {taken / 2**20:.0f} MiB"
        others = [(event, arguments) for event, arguments in seen if event != "open" or str(arguments[0]) != str(path)]
        assert not others, (loader, others)
    assert opened is None or opened.names() == []
    assert not (trap / "sprung").exists()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - rss < 2**18  # KiB


def test_the_corpus_is_hostile_in_each_way() -> None:
    counts = {group: sum(name.startswith(group) for name in FILES) for group in ("code", "bomb", "name", "lie", "HDF5")}
    assert all(count >= 6 for count in counts.values()) and sum(counts.values()) >= 30, counts
