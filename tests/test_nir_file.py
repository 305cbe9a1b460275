"""NIR files that are damaged or made to do harm: a clear error, and nothing read that lies outside of the file."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snnjax import FormatError, SnnjaxError
from snnjax.interop import nir

package: Any = pytest.importorskip("nir", reason='needs the extra: pip install "snnjax[nir]"')
h5py: Any = pytest.importorskip("h5py", reason='needs the extra: pip install "snnjax[nir]"')

WEIGHT = "node/nodes/linear/weight"


def good() -> Any:
    numbers = {name: np.full(2, value) for name, value in (("tau", 0.02), ("r", 1.0), ("v_leak", 0.0), ("v_threshold", 1.0))}
    return package.NIRGraph.from_list(package.Linear(weight=np.ones((2, 3))), package.LIF(**numbers))


def changed(path: Path, change: Callable[[Any], None]) -> Path:
    package.write(path, good())
    with h5py.File(path, "r+") as file:
        change(file)
    return path


def without_weight(file: Any) -> Any:
    del file[WEIGHT]
    return file["node/nodes/linear"]


def external_link(file: Any) -> None:
    without_weight(file)["weight"] = h5py.ExternalLink("secret.h5", "/x")


def soft_link(file: Any) -> None:
    without_weight(file)["weight"] = h5py.SoftLink("/node/edges")


def two_names(file: Any) -> None:
    without_weight(file)["weight"] = file["node/nodes/lif/tau"]


def self_containing(file: Any) -> None:
    file["node/nodes/again"] = file["node"]


def external_storage(file: Any) -> None:
    without_weight(file).create_dataset("weight", (2, 3), "f8", external=[("secret", 0, 48)])


def virtual(file: Any) -> None:
    layout = h5py.VirtualLayout((2, 3), "f8")
    layout[:] = h5py.VirtualSource("secret.h5", "x", shape=(2, 3))
    without_weight(file).create_virtual_dataset("weight", layout)


def plugin(file: Any) -> None:
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((2, 3))
    plist.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (3,))
    space = h5py.h5s.create_simple((2, 3))
    h5py.h5d.create(without_weight(file).id, b"weight", h5py.h5t.NATIVE_DOUBLE, space, plist)


def claims_much(file: Any) -> None:
    without_weight(file).create_dataset("weight", (100_000, 1000), "f8", chunks=(100, 1000), compression="gzip")


def claims_too_much(file: Any) -> None:
    without_weight(file).create_dataset("weight", (100_000, 100_000), "f8", chunks=(1000, 1000), compression="gzip")


def deep(file: Any) -> None:
    group = file["node/nodes"]
    for _ in range(100):
        group = group.create_group("x")


def a_type(file: Any) -> None:
    without_weight(file)["weight"] = np.dtype("f8")


def references(file: Any) -> None:
    without_weight(file).create_dataset("weight", (1,), h5py.ref_dtype)


def ragged(file: Any) -> None:
    without_weight(file).create_dataset("weight", (2,), h5py.vlen_dtype(float))


def strings_in_pieces(file: Any) -> None:
    del file["node/edges"]
    file["node"].create_dataset("edges", data=[["input", "linear"]], dtype=h5py.string_dtype(), chunks=(1, 2))


def put(place: str, value: Any) -> Callable[[Any], None]:
    def change(file: Any) -> None:
        if place in file:
            del file[place]
        if value is not None:
            file[place] = value

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (external_link, "weight` is a link (ExternalLink), to another place or another file"),
        (soft_link, "weight` is a link (SoftLink)"),
        (two_names, "is a second way to the same object"),
        (self_containing, "is a second way to the same object, or contains itself"),
        (external_storage, "weight` has its numbers in another file"),
        (virtual, "weight` has its numbers in another file"),
        (plugin, "needs a plugin to be decoded (HDF5 filters [32015])"),
        (claims_much, "claims 800000000 bytes; what the file holds of it is"),
        (claims_too_much, "is too large: the arrays together may have `max_bytes` = 1073741824 bytes"),
        (deep, "is nested more than 64 deep"),
        (a_type, "weight` is a Datatype, neither a group nor an array"),
        (references, "is of dtype object, which no NIR node has"),
        (ragged, "is of dtype object, which no NIR node has"),
        (strings_in_pieces, "edges` has its strings in pieces"),
        (put(WEIGHT, np.zeros((2, 3), "V2")), "bfloat16 must be written as float32"),
        (put(WEIGHT, np.zeros((2, 3), complex)), "is of dtype complex128"),
        (put(WEIGHT, h5py.Empty("f8")), "which no NIR node has"),
        (put(WEIGHT, None), "`node/nodes/linear` is no Linear (TypeError"),
        (put("node/nodes/linear/evil", np.ones(2)), "`node/nodes/linear` is no Linear (TypeError"),
        (put("node/nodes/linear/type", "os.system"), "is of type 'os.system'; nir knows Conv1d"),
        (put("node/nodes/linear/type", 3), "is of type "),
        (put("node/nodes/linear/metadata", 3), "has `metadata` that are no group"),
        (put("node/nodes/linear", np.ones(2)), "has no group `nodes` of groups"),
        (put("node/type", "Linear"), "`node` is no Linear"),
        (put("node/edges", np.ones((2, 3))), "`node` is no NIRGraph"),
        (put("node/edges", None), "`node` is no NIRGraph (KeyError"),
        (put("node", None), "is not a NIR file: it has no group `node`"),
    ],
)
def test_what_does_not_belong_in_a_nir_file_is_refused(change: Callable[[Any], None], words: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError) as caught:
        nir.read(changed(tmp_path / "net.nir", change))
    assert words in str(caught.value) and caught.value.field == "path" and "net.nir" in str(caught.value)


def test_a_single_node_is_no_network(tmp_path: Path) -> None:
    package.write(tmp_path / "net.nir", package.Linear(np.ones((2, 2))))
    with pytest.raises(FormatError, match="holds a single Linear, not a graph"):
        nir.read(tmp_path / "net.nir")


def test_no_other_file_is_opened(tmp_path: Path) -> None:
    """A pipe would wait for a writer for ever."""
    os.mkfifo(tmp_path / "secret")
    os.mkfifo(tmp_path / "secret.h5")
    opened: list[str] = []
    watching = [True]
    sys.addaudithook(lambda event, arguments: opened.append(str(arguments[0])) if watching and event == "open" else None)
    for change in (external_link, external_storage, virtual):
        path = changed(tmp_path / "net.nir", change)
        opened.clear()
        with pytest.raises(FormatError):
            nir.read(path)
        assert set(opened) <= {str(path)}
    watching.clear()


@pytest.mark.parametrize("part", [0.0, 0.01, 0.5, 0.99])
def test_a_file_that_ends_too_early_is_refused(part: float, tmp_path: Path) -> None:
    data = changed(tmp_path / "net.nir", lambda file: None).read_bytes()
    (tmp_path / "cut.nir").write_bytes(data[: int(part * len(data))])
    with pytest.raises(FormatError, match="is not an HDF5 file, or is damaged"):
        nir.read(tmp_path / "cut.nir")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(FormatError, match="is not a regular file"):
            nir.read(path)
    with pytest.raises(FileNotFoundError):
        nir.read(tmp_path / "nothing.nir")
    (tmp_path / "text.nir").write_text("hello")
    with pytest.raises(FormatError, match="is not an HDF5 file"):
        nir.read(tmp_path / "text.nir")


def test_a_bound_on_the_size_is_kept(tmp_path: Path) -> None:
    path = changed(tmp_path / "net.nir", lambda file: None)
    with pytest.raises(FormatError, match="`max_bytes` is 100"):
        nir.read(path, max_bytes=100)
    path = changed(path, put(WEIGHT, np.zeros((1000, 1000))))
    with pytest.raises(FormatError, match="`max_bytes`"):
        nir.read(path, max_bytes=2**22)
    assert nir.read(path, max_bytes=2**24).nodes["linear"].weight.shape == (1000, 1000)


def test_older_files_without_a_reset_are_read_as_nir_reads_them(tmp_path: Path) -> None:
    made = nir.read(changed(tmp_path / "net.nir", put("node/nodes/lif/v_reset", None)))
    np.testing.assert_array_equal(made.nodes["lif"].v_reset, [0.0, 0.0])


def test_a_nested_graph_of_an_older_tool_is_read_although_its_types_do_not_fit(tmp_path: Path) -> None:
    inner = package.NIRGraph({"i": package.Input(np.array([1])), "o": package.Output(np.array([2]))}, [("i", "o")], type_check=False)
    nodes = {"i": package.Input(np.array([2])), "inner": inner, "o": package.Output(np.array([2]))}
    package.write(tmp_path / "net.nir", package.NIRGraph(nodes, [("i", "inner"), ("inner", "o")], type_check=False))
    with pytest.raises(ValueError, match="type mismatch"):
        package.read(tmp_path / "net.nir", type_check=False)
    assert list(nir.read(tmp_path / "net.nir").nodes) == ["i", "inner", "o"]


def test_lists_and_texts_in_metadata_survive(tmp_path: Path) -> None:
    made = good()
    made.metadata = {"note": "ü", "numbers": np.arange(3), "names": ["a", "bc"], "deep": {"yes": True}}
    package.write(tmp_path / "net.nir", made)
    again = nir.read(tmp_path / "net.nir").metadata
    assert again["note"] == "ü" and again["numbers"].tolist() == [0, 1, 2] and again["names"].tolist() == [b"a", b"bc"]
    nir.from_nir(nir.read(tmp_path / "net.nir"), dt=1e-3)


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    made = bytearray(data)
    for at in rng.integers(0, len(made), rng.integers(1, 6)):
        made[at] = rng.choice([0, 255, rng.integers(256)])
    return bytes(made)


def fuzz(count: int, path: Path) -> tuple[int, int]:
    """How many of the changed files are refused, and by how many bytes the process grows at most."""
    data, rng, refused = path.read_bytes(), np.random.default_rng(0), 0
    start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(count):
        path.write_bytes(mutated(data, rng))
        try:
            nir.from_nir(nir.read(path), dt=1e-3)
        except SnnjaxError:
            refused += 1
    return refused, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start) * 1024


def test_changed_bytes_give_a_clear_error_or_a_graph(tmp_path: Path) -> None:
    """Some of these files made HDF5 search for ever, or set gigabytes aside."""
    refused, growth = fuzz(60, changed(tmp_path / "net.nir", lambda file: None))
    assert 0 < refused < 60 and growth < 200 * 2**20


@pytest.mark.long
def test_many_changed_bytes_give_a_clear_error_or_a_graph(tmp_path: Path) -> None:
    refused, growth = fuzz(5000, changed(tmp_path / "net.nir", lambda file: None))
    assert 0 < refused < 5000 and growth < 200 * 2**20
