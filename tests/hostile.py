"""Files made to do harm: run code, read other files, take all memory, or be taken for what they are not.

`FILES` maps a name to a function that writes the file at a path. `trap` is a folder with files that must not be opened;
`CODE` is what must not be run, and would leave the file `sprung` in the folder in which the test runs.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import io
import json
import marshal
import pickle
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from snnjax.events import Events, save

Write = Callable[[Path, Path], object]
CODE = "open('sprung', 'w').close()"


class Trap:
    """Unpickled, it runs `CODE`."""

    def __reduce__(self) -> Any:
        return exec, (CODE,)


def content(data: bytes | str) -> Write:
    return lambda path, trap: path.write_bytes(data.encode() if isinstance(data, str) else data)


# safetensors


def sealed(header: Any, table: str = "", buffers: bytes = b"") -> bytes:
    """A file of ours with any header (a value or its text), any table, and a checksum that fits."""
    text = header if isinstance(header, str) else json.dumps(header)
    metadata = json.dumps({"format": "snnjax", "header": text, "sha256": "0" * 64}, separators=(",", ":"))
    head = f'{{"__metadata__":{metadata}{"," if table else ""}{table}}}'.encode("utf-8", "surrogatepass")
    data = len(head).to_bytes(8, "little") + head + buffers
    return data.replace(b"0" * 64, hashlib.sha256(data).hexdigest().encode(), 1)


def of_kind(kind: str, header: Any, table: str = "", buffers: bytes = b"", version: Any = 1) -> Write:
    return content(sealed({"kind": kind, "version": version, "content": header}, table, buffers))


def named(name: str) -> Write:
    """A graph whose array, and whose node, has this name."""
    table = f'{json.dumps(name)}:{{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}'
    node = {"name": name, "type": "Scale", "scale": {"array": name}}
    return of_kind("graph", {"nodes": [node], "edges": []}, table, bytes(8))


def node_named(name: str) -> Write:
    nodes = [{"name": name, "type": "Input", "shape": [1]}]
    return content(json.dumps({"kind": "graph", "version": 1, "nodes": nodes, "edges": []}))


def claim(shape: list[int], offsets: list[int]) -> Write:
    entry = json.dumps({"dtype": "F64", "shape": shape, "data_offsets": offsets})
    scale = {"name": "s", "type": "Scale", "scale": {"array": "a"}}
    return of_kind("graph", {"nodes": [scale], "edges": []}, f'"a":{entry}', bytes(64))


def layer(**description: Any) -> Write:
    return of_kind("network", {"module": description, "numbers": {}, "extra": []})


LIF = {"class": "LIFSoma", "neuron": "lif", "choices": {"spike": "eval", "reset": "reset_to_value", "integrator": "exact"}}


# NumPy and zip


def npy(value: Any, **options: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, value, **options)
    return stream.getvalue()


def npy_header(text: str, data: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + data


def archive(members: dict[str, bytes], kind: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", kind) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return stream.getvalue()


GOOD = {
    "snnjax_events.npy": npy(np.int64(1)), "times.npy": npy(np.array([0.1])), "channels.npy": npy(np.int32([0])),
    "channel_count.npy": npy(np.int64(-1)), "duration.npy": npy(np.float64(-1)),
}  # fmt: skip


def events_with(kind: int = zipfile.ZIP_STORED, **members: bytes) -> Write:
    return content(archive({**GOOD, **{f"{name}.npy": data for name, data in members.items()}}, kind))


def twice() -> bytes:
    """An archive in which a member comes a second time, with other bytes."""
    stream = io.BytesIO()
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(stream, "w") as file:
        for name, data in [*GOOD.items(), ("times.npy", npy(np.array([0.2])))]:
            file.writestr(name, data)
    return stream.getvalue()


def many_members(count: int) -> Write:
    """A directory of members that share their bytes; it is the directory that takes the memory."""

    def write(path: Path, trap: Path) -> None:
        entry = b"PK\1\2" + bytes(24) + b"\1\0" + bytes(16) + b"a"
        end = b"PK\5\6" + bytes(4) + 2 * (count % 2**16).to_bytes(2, "little") + (len(entry) * count).to_bytes(4, "little") + bytes(6)
        path.write_bytes(entry * count + end)

    return write


def csv_with(change: Callable[[bytes], bytes]) -> Write:
    def write(path: Path, trap: Path) -> None:
        target = trap.parent / "good.csv"
        save(target, Events([0.1, 0.2], [0, 1], channel_count=2))
        path.write_bytes(change(target.read_bytes()))

    return write


def sparse(size: int) -> Write:
    def write(path: Path, trap: Path) -> None:
        path.write_bytes(b"")
        with open(path, "r+b") as file:
            file.truncate(size)

    return write


# HDF5


def hdf5(change: Callable[[Any, Any, Path], object]) -> Write:
    """A NIR file in which `change(h5py, group of a layer, trap)` puts something in the place of the weight."""

    def write(path: Path, trap: Path) -> None:
        import h5py
        import nir

        nir.write(path, nir.NIRGraph.from_list(nir.Linear(weight=np.ones((2, 3))), nir.Threshold(np.ones(2))))
        with h5py.File(path, "r+") as file:
            del file["node/nodes/linear/weight"]
            change(h5py, file["node/nodes/linear"], trap)

    return write


def external(place: str) -> Write:
    def change(h5py: Any, group: Any, trap: Path) -> None:
        group.create_dataset("weight", (2, 3), "f8", external=[(place.format(trap=trap), 0, 48)])

    return hdf5(change)


def linked(target: Callable[[Any, Any, Path], Any]) -> Write:
    return hdf5(lambda h5py, group, trap: group.__setitem__("weight", target(h5py, group, trap)))


def virtual(h5py: Any, group: Any, trap: Path) -> None:
    layout = h5py.VirtualLayout((2, 3), "f8")
    layout[:] = h5py.VirtualSource(str(trap / "secret.h5"), "x", shape=(2, 3))
    group.create_virtual_dataset("weight", layout)


def plugin(h5py: Any, group: Any, trap: Path) -> None:
    made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    made.set_chunk((2, 3))
    made.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (3,))
    h5py.h5d.create(group.id, b"weight", h5py.h5t.NATIVE_DOUBLE, h5py.h5s.create_simple((2, 3)), made)


def bomb(h5py: Any, group: Any, trap: Path) -> None:
    group.create_dataset("weight", (100_000, 1000), "f8", chunks=(100, 1000), compression="gzip")


def claims_much(h5py: Any, group: Any, trap: Path) -> None:
    group.create_dataset("weight", (2**40, 2**20), "f8", chunks=(2**10, 2**10))


def itself(h5py: Any, group: Any, trap: Path) -> None:
    group["weight"] = np.ones((2, 3))
    group.parent["again"] = group.parent.parent


NUMBERS = "NaN", "Infinity", "1e999", "9" * 100_000
PYTHON: dict[str, Write] = {
    "a pickle": content(pickle.dumps(Trap())),
    "a pickle of the first protocol": content(pickle.dumps(Trap(), 0)),
    "a pickle in gzip": content(gzip.compress(pickle.dumps(Trap()))),
    "a torch file": content(archive({"archive/data.pkl": pickle.dumps(Trap()), "archive/version": b"3\n"})),
    "an object array": content(npy(np.array([Trap()], object), allow_pickle=True)),
    "an archive with an object array": events_with(times=npy(np.array([Trap()], object), allow_pickle=True)),
    "code in the header of an array": events_with(times=npy_header(f"{{'descr': {CODE}, 'fortran_order': False, 'shape': (1,), }}\n")),
    "code in the shape of an array": events_with(times=npy_header(f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({CODE},), }}\n")),
    "compiled code": content(importlib.util.MAGIC_NUMBER + bytes(12) + marshal.dumps(compile(CODE, "x", "exec"))),
    "a program": content(CODE),
    "a string for eval": content(json.dumps({"class": f"eval({CODE!r})", "kind": "graph", "version": 1})),
    "yaml that calls": content(f'!!python/object/apply:builtins.exec ["{CODE}"]\n'),
    "a function of keras": content(json.dumps({"class_name": "Lambda", "config": {"function": [CODE, None, None]}})),
    "a class to import": layer(**{"class": "os.system", "arguments": {"command": "touch sprung"}}),
    "a neuron to evaluate": layer(**{**LIF, "neuron": f"eval({CODE!r})", "shape": [1]}),
    "a choice to evaluate": layer(**LIF, shape=[1]),
    "a function to import": layer(**{"class": "Lambda", "function": "os.getcwd"}),
    "a node to import": of_kind("graph", {"nodes": [{"name": "n", "type": "os.system"}], "edges": []}),
}
BOMBS: dict[str, Write] = {
    "three gibibytes of nothing": sparse(3 * 2**30),
    "a compressed member": events_with(zipfile.ZIP_DEFLATED, times=npy(np.zeros(4_000_000))),
    "a million members": many_members(200_000),
    "four tebibytes claimed": claim([2**39], [0, 2**42]),
    "a shape that overflows": claim([2**40, 2**40], [0, 64]),
    "a terabyte claimed in an archive": events_with(
        times=npy_header("{'descr': '<f8', 'fortran_order': False, 'shape': (125000000000,), }\n")
    ),
    "brackets": content("[" + "[]," * 2_000_000 + "[]]"),
    "deep nesting": content("[" * 200_000),
    "deep objects": content('{"a":' * 50_000),
    "deep nesting in a header": content(sealed("[" * 200_000)),
    "a population": layer(**{**LIF, "choices": {}, "shape": [2**39]}),
    "a kernel": layer(**{"class": "Linear", "arguments": {"in_features": 2**40, "out_features": 2**20, "use_bias": True}}),
    "empty lines": content("time,channel\n" + "\n" * 2_000_000),
    "comments": content("# snnjax events 1\n" + "#\n" * 1_000_000),
    **{f"the number {text[:8]}": content(f'{{"kind": "graph", "version": {text}}}') for text in NUMBERS},
}
NAMES: dict[str, Write] = {
    "a way out": named("../../x"),
    "an absolute path": named("/etc/passwd"),
    "a NUL": named("a\0b"),
    "a long name": named("a" * 10_000),
    "a letter that looks like another": named("\u0430"),
    "half of a letter": named("\ud800"),
    "a node that leads out": node_named("../../x"),
    "a node with an absolute path": node_named("/etc/passwd"),
    "a node with a NUL": node_named("a\0b"),
    "a node with a long name": node_named("a" * 100_000),
    "a node with half of a letter": node_named("\ud800"),
    "a member that leads out": content(archive({**GOOD, "../times.npy": b""})),
    "an absolute member": content(archive({**GOOD, "/etc/times.npy": b""})),
}
LIES: dict[str, Write] = {
    "nothing": content(b""),
    "random bytes": content(np.random.default_rng(0).bytes(1000)),
    **{f"version {version!r}": of_kind("graph", {"nodes": [], "edges": []}, version=version) for version in (0, 99, True, "1", None)},
    "a newer archive": events_with(snnjax_events=npy(np.int64(99))),
    "a newer text": csv_with(lambda data: data.replace(b"events 1", b"events 9", 1)),
    "a changed digit": csv_with(lambda data: data.replace(b"0.2", b"0.3")),
    "another kind": of_kind("weights", {}),
    "a key twice": content('{"kind": "graph", "version": 1, "nodes": [], "nodes": [], "edges": []}'),
    "a key twice in a header": content(sealed('{"kind": "graph", "kind": "network", "version": 1, "content": 1}')),
    "an array twice": of_kind("graph", {}, ",".join(['"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}'] * 2), b"x"),
    "a member twice": content(twice()),
    "bytes behind the end": content(archive(GOOD) + b"x"),
    "arrays over each other": of_kind(
        "graph", {}, ",".join(f'"{name}":{{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}' for name in "ab"), b"xx"
    ),
}  # fmt: skip
HDF5: dict[str, Write] = {
    "numbers in another file": external("{trap}/secret"),
    "numbers in a file beside": external("secret"),
    "numbers in a file above": external("../trap/secret"),
    "a link to another file": linked(lambda h5py, group, trap: h5py.ExternalLink(str(trap / "secret.h5"), "/x")),
    "a link": linked(lambda h5py, group, trap: h5py.SoftLink("/node/edges")),
    "a link to nothing": linked(lambda h5py, group, trap: h5py.SoftLink("/nothing")),
    "a group in itself": hdf5(itself),
    "a virtual array": hdf5(virtual),
    "a plugin": hdf5(plugin),
    "a compressed gigabyte": hdf5(bomb),
    "exabytes": hdf5(claims_much),
    "references": hdf5(lambda h5py, group, trap: group.create_dataset("weight", (1,), h5py.ref_dtype)),
}

FILES: dict[str, Write] = {
    f"{group}: {name}": write
    for group, files in (("code", PYTHON), ("bomb", BOMBS), ("name", NAMES), ("lie", LIES), ("HDF5", HDF5))
    for name, write in files.items()
}
