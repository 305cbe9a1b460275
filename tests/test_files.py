"""The file format: whole, exact, and nothing believed that a file claims."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import subprocess
import sys
import textwrap
import tracemalloc

import jax.numpy as jnp
import numpy as np
import pytest
import safetensors
import safetensors.numpy

import snnjax
from snnjax import _files as files

DTYPES = ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8", "bool"]
HEADER = {"layers": [{"class": "Linear", "arguments": {"in": 3}}], "name": "\u00e9\u4e2d\"\\"}  # fmt: skip


def _arrays():
    rng = np.random.default_rng(0)
    arrays = {f"a.{name}": rng.integers(0, 2, (3, 5)).astype(jnp.dtype(name)) for name in DTYPES}
    return {**arrays, "scalar": np.float32(0.1), "empty": np.zeros((0, 4), np.float32), "odd": np.arange(3, dtype=np.int8)}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a.safetensors"
    files.write(path, "test", 1, HEADER, _arrays())
    return path


def _same(a, b):
    return set(a) == set(b) and all(
        a[k].dtype == b[k].dtype and a[k].shape == b[k].shape and np.asarray(a[k]).tobytes() == np.asarray(b[k]).tobytes() for k in a
    )


def _with_digest(data):
    """The file with a checksum that fits again, as someone would who means harm."""
    length = int.from_bytes(data[:8], "little")
    head = re.sub(rb'"sha256":"[^"]*"', b'"sha256":"' + b"0" * 64 + b'"', data[8 : 8 + length])
    digest = hashlib.sha256(data[:8] + head + data[8 + length :]).hexdigest().encode()
    return data[:8] + head.replace(b"0" * 64, digest) + data[8 + length :]


def _with_table(data, change):
    length = int.from_bytes(data[:8], "little")
    table = json.loads(data[8 : 8 + length])
    change(table)
    text = json.dumps(table, separators=(",", ":")).encode()
    return _with_digest(len(text).to_bytes(8, "little") + text + data[8 + length :])


def test_arrays_and_header_come_back_bit_by_bit(path):
    header, arrays = files.read(path, "test", 1)
    assert header == HEADER and _same(arrays, {k: np.asarray(v) for k, v in _arrays().items()})


def test_equal_contents_give_equal_files(path, tmp_path):
    again = tmp_path / "b.safetensors"
    files.write(again, "test", 1, HEADER, dict(reversed(_arrays().items())))
    assert again.read_bytes() == path.read_bytes()


def test_big_endian_and_strided_arrays_are_stored_by_value(tmp_path):
    given = {"big": np.arange(6, dtype=">f8"), "strided": np.arange(12, dtype=np.float32).reshape(3, 4).T[::2]}
    files.write(tmp_path / "x", "test", 1, {}, given)
    arrays = files.read(tmp_path / "x", "test", 1)[1]
    assert all(np.array_equal(arrays[name], given[name]) for name in given)


def test_the_safetensors_package_reads_the_same_arrays(path):
    with safetensors.safe_open(path, "np") as file:
        assert file.metadata()["format"] == "snnjax"
    found = safetensors.numpy.load_file(path)
    assert set(found) == set(_arrays())
    assert all(np.array_equal(found[k], v) for k, v in _arrays().items() if k != "a.bfloat16")


def test_a_file_of_another_program_is_refused(tmp_path):
    safetensors.numpy.save_file({"a": np.ones(3)}, tmp_path / "x")
    with pytest.raises(snnjax.FormatError, match="was not written by snnjax"):
        files.read(tmp_path / "x", "test", 1)


@pytest.mark.parametrize("content", [b"", b"abc", b"\x80\x04\x95pickle.", b"PK\x03\x04" + b"\0" * 50, b"\x89HDF\r\n\x1a\n" + b"\0" * 90])
def test_what_is_no_safetensors_file_is_refused(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(snnjax.FormatError, match="truncated, or not a safetensors file|must be") as caught:
        files.read(tmp_path / "x", "test", 1)
    assert caught.value.field is not None


def test_another_kind_and_a_newer_version_are_refused(path, tmp_path):
    with pytest.raises(snnjax.FormatError, match="holds a 'test', not a 'graph'"):
        files.read(path, "graph", 1)
    files.write(tmp_path / "new", "test", 3, HEADER, {})
    with pytest.raises(snnjax.FormatError, match="has format version 3 of 'test'; this snnjax reads 1 to 2. Install a newer snnjax"):
        files.read(tmp_path / "new", "test", 2)


def test_a_larger_file_than_allowed_is_not_read(path):
    with pytest.raises(snnjax.FormatError, match="more than the 100 of `max_bytes`"):
        files.read(path, "test", 1, max_bytes=100)


def test_a_pipe_or_a_folder_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(snnjax.FormatError, match="is not a regular file"):
            files.read(path, "test", 1)


def test_every_truncation_is_refused(path):
    data = path.read_bytes()
    for length in range(0, len(data), 7):
        path.write_bytes(data[:length])
        with pytest.raises(snnjax.FormatError):
            files.read(path, "test", 1)


def test_every_flipped_bit_is_noticed(path):
    data = path.read_bytes()
    rng = random.Random(0)
    for _ in range(1500):
        k, bit = rng.randrange(len(data)), rng.randrange(8)
        path.write_bytes(data[:k] + bytes([data[k] ^ (1 << bit)]) + data[k + 1 :])
        with pytest.raises(snnjax.FormatError):
            files.read(path, "test", 1)


def test_mutations_with_a_repaired_checksum_are_refused_or_another_valid_file(path):
    data = path.read_bytes()
    rng = random.Random(1)
    refused = 0
    for _ in range(1500):
        mutated = bytearray(data)
        for _ in range(rng.randint(1, 4)):
            mutated[rng.randrange(len(mutated))] = rng.randrange(256)
        path.write_bytes(_with_digest(bytes(mutated)))
        try:
            files.read(path, "test", 1)
        except snnjax.FormatError:
            refused += 1
    assert refused > 500


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t["odd"].update(dtype="F64"),
        lambda t: t["odd"].update(dtype="O"),
        lambda t: t["odd"].update(dtype=["F32"]),
        lambda t: t["odd"].update(shape=[2]),
        lambda t: t["odd"].update(shape=[-3]),
        lambda t: t["odd"].update(shape=[3.0]),
        lambda t: t["odd"].update(shape=[True, 3]),
        lambda t: t["odd"].update(shape=[1] * 40 + [3]),
        lambda t: t["odd"].update(shape=[2**40, 2**40]),
        lambda t: t["odd"].update(data_offsets=[0, 3]),
        lambda t: t["odd"].update(data_offsets=[0, 2**60]),
        lambda t: t["odd"].update(data_offsets="ab"),
        lambda t: t["odd"].update(more=1),
        lambda t: t.update({"../../etc/passwd": t.pop("odd")}),
        lambda t: t.update({"a" * 200: t.pop("odd")}),
        lambda t: t.update({"nul\0": t.pop("odd")}),
        lambda t: t.pop("odd"),
        lambda t: t.update(odd=[1]),
        lambda t: t.pop("__metadata__"),
        lambda t: t.update(__metadata__=[]),
        lambda t: t["__metadata__"].update(header="{}"),
        lambda t: t["__metadata__"].update(header=json.dumps({"kind": "test", "version": True, "content": 1})),
        lambda t: t["__metadata__"].update(header='{"kind": "test", "kind": "test", "version": 1, "content": 1}'),
        lambda t: t["__metadata__"].update(header=3),
        lambda t: t["__metadata__"].update(more="x"),
    ],
)
def test_a_hostile_table_is_refused(path, change):
    path.write_bytes(_with_table(path.read_bytes(), change))
    with pytest.raises(snnjax.FormatError):
        files.read(path, "test", 1)


def test_a_repaired_table_without_a_change_is_read(path):
    path.write_bytes(_with_table(path.read_bytes(), lambda table: None))
    assert files.read(path, "test", 1)[0] == HEADER


def test_two_arrays_in_the_same_place_are_refused(path):
    path.write_bytes(_with_table(path.read_bytes(), lambda t: t.update(twin=t["odd"])))
    with pytest.raises(snnjax.FormatError, match="where its table says"):
        files.read(path, "test", 1)


def test_a_boolean_is_0_or_1(tmp_path):
    files.write(tmp_path / "x", "test", 1, {}, {"b": np.array([True, False])})
    data = (tmp_path / "x").read_bytes()
    (tmp_path / "x").write_bytes(_with_digest(data[:-2] + b"\x02\x00"))
    with pytest.raises(snnjax.FormatError, match="other values than false and true"):
        files.read(tmp_path / "x", "test", 1)


def test_a_claimed_size_is_not_allocated(tmp_path):
    def claim(table):
        table["a"].update(shape=[2**37], data_offsets=[0, 2**40])

    files.write(tmp_path / "x", "test", 1, {}, {"a": np.zeros(4)})
    (tmp_path / "x").write_bytes(_with_table((tmp_path / "x").read_bytes(), claim))
    tracemalloc.start()
    with pytest.raises(snnjax.FormatError):
        files.read(tmp_path / "x", "test", 1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


@pytest.mark.parametrize("name", ["a/b", "../x", "", "1a", "a b", "a" * 129, "\u0430"])
def test_names_that_cannot_be_read_back_are_not_written(tmp_path, name):
    with pytest.raises(snnjax.FormatError, match="cannot be saved under the name"):
        files.write(tmp_path / "x", "test", 1, {}, {name: np.zeros(1)})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("array", [np.zeros(2, complex), np.array([object()]), np.array(["a"])])
def test_dtypes_that_the_format_does_not_have_are_not_written(tmp_path, array):
    with pytest.raises(snnjax.DTypeError, match="`x` has dtype .*, which a safetensors file cannot hold"):
        files.write(tmp_path / "x", "test", 1, {}, {"x": array})
    assert not list(tmp_path.iterdir())


def test_a_failed_save_leaves_the_old_file(path, monkeypatch):
    before = path.read_bytes()

    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        files.write(path, "test", 1, {}, {})
    assert path.read_bytes() == before and [p.name for p in path.parent.iterdir()] == [path.name]


def test_reading_opens_one_file_and_runs_nothing(path):
    code = f"""
        import sys
        import ml_dtypes
        from snnjax import _files as files
        seen = []
        sys.addaudithook(lambda event, args: seen.append((event, args)))
        files.read({str(path)!r}, "test", 1)
        opened = [args[0] for event, args in seen if event == "open"]
        assert [str(name) for name in opened] == [{str(path)!r}], opened
        assert not [event for event, _ in seen if event in ("exec", "compile", "import", "subprocess.Popen", "socket.connect")], seen
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)


def test_the_format_needs_no_jax():
    subprocess.run([sys.executable, "-c", "import sys, snnjax._files; assert 'jax' not in sys.modules"], check=True)
