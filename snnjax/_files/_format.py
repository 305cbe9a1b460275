"""The one format of everything that is saved: a safetensors file with a header of our own and a checksum over all of it.

    8 bytes     length of the table, little-endian
    table       JSON: per array its dtype, shape and place; under `__metadata__` the header and the SHA-256
    buffers     the arrays, little-endian, without gaps

Any safetensors reader can read the arrays. The table is written and read here and not by the `safetensors` package
because that package orders metadata at random (equal models would give different files) and checks neither duplicate
keys nor a checksum. The SHA-256 is that of the whole file with the digits of the digest itself replaced by zeros. It
finds damage, not forgery: whoever changes a file can compute it again.

Reading executes nothing, opens no other file, and allocates nothing before the sizes that the table claims have been
compared with the size of the file.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from .._errors import DTypeError, FormatError
from . import strict_json
from ._disk import MAX_BYTES, Path_, read_bytes, refuse, write_bytes

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}")
_NO_DIGEST = "0" * 64
_NUMPY = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "|u1", "BOOL": "|b1", "BF16": "bfloat16",
}  # fmt: skip


def write(path: Path_, kind: str, version: int, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Save `header` and `arrays` in one file; either the whole file appears at `path`, or nothing changes there.

    Args:
        path: where to; a file that is there is replaced once the new one is complete and on the disk.
        kind: what the file holds, such as "network"; a reader of another kind refuses it.
        version: of that kind's header, from 1.
        header: anything that JSON can hold.
        arrays: by name.

    Raises:
        FormatError: a name has other characters than letters, digits, `_`, `.` and `-`, or more than 128.
        DTypeError: a dtype that safetensors does not have, such as complex64.
    """
    order = sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name))
    table, end = {}, 0
    for name in order:
        if not _NAME.fullmatch(name):
            raise FormatError(
                f"An array cannot be saved under the name {name!r:.140}: names are a letter, then letters, digits, `_`, `.`, `-`.",
                where="save", field=name, value=name, allowed=_NAME.pattern,
            )  # fmt: skip
        start, end = end, end + arrays[name].nbytes
        table[name] = {"dtype": _name_of(arrays[name].dtype, name), "shape": list(arrays[name].shape), "data_offsets": [start, end]}
    content = strict_json.dump({"kind": kind, "version": version, "content": header})

    def head(digest: str) -> bytes:
        metadata = {"format": "snnjax", "header": content, "sha256": digest}
        text = strict_json.dump({"__metadata__": metadata, **table}).encode("utf-8")
        text += b" " * (-len(text) % 8)
        return len(text).to_bytes(8, "little") + text

    buffers = [np.asarray(arrays[name]).astype(_little(arrays[name].dtype), copy=False).tobytes() for name in order]
    digest = hashlib.sha256(head(_NO_DIGEST))
    for buffer in buffers:
        digest.update(buffer)
    write_bytes(path, [head(digest.hexdigest()), *buffers])


def read(path: Path_, kind: str, version: int, *, max_bytes: int = MAX_BYTES) -> tuple[Any, dict[str, np.ndarray]]:
    """The header and the arrays of a file that `write` made.

    Args:
        path: of the file.
        kind: what it must hold.
        version: the newest version of that kind that the caller understands.
        max_bytes: the largest file that is read.

    Returns:
        What was given to `write`; the arrays are read-only.

    Raises:
        FormatError: the file is truncated, damaged, too large, of another kind or program, or of a newer version.
        OSError: it cannot be opened.
    """
    data = read_bytes(path, max_bytes)
    head, table = _table_of(data, path)
    metadata = table.pop("__metadata__", None)
    if not isinstance(metadata, dict) or metadata.get("format") != "snnjax" or set(metadata) != {"format", "header", "sha256"}:
        refuse(path, "was not written by snnjax: it is a safetensors file of another program")
    _check_digest(data, head, str(metadata["sha256"]), path)
    header = strict_json.parse(metadata["header"], source=f"the header of `{path}`")
    if not isinstance(header, dict) or set(header) != {"kind", "version", "content"}:
        refuse(path, "has a header without kind, version and content")
    if header["kind"] != kind:
        refuse(path, f"holds a {header['kind']!r:.40}, not a {kind!r}; use the loader of that kind")
    if type(header["version"]) is not int or not 1 <= header["version"] <= version:
        refuse(path, f"has format version {header['version']!r:.20} of {kind!r}; this snnjax reads 1 to {version}. Install a newer snnjax")
    return header["content"], _arrays_of(table, data, 8 + len(head), path)


def _table_of(data: bytes, path: Path_) -> tuple[bytes, dict[str, Any]]:
    length = int.from_bytes(data[:8], "little")
    if len(data) < 10 or not 2 <= length <= min(len(data) - 8, strict_json.MAX_BYTES):
        refuse(path, "is truncated, or not a safetensors file")
    head = data[8 : 8 + length]
    table = strict_json.parse(head, source=f"the table of `{path}`")
    if not isinstance(table, dict):
        refuse(path, "is not a safetensors file")
    return head, table


def _check_digest(data: bytes, head: bytes, digest: str, path: Path_) -> None:
    field = f'"sha256":"{digest}"'.encode()
    if not re.fullmatch("[0-9a-f]{64}", digest) or head.count(field) != 1:
        refuse(path, "has no SHA-256 where it should be")
    found = hashlib.sha256(data[:8])
    found.update(head.replace(field, f'"sha256":"{_NO_DIGEST}"'.encode()))
    found.update(memoryview(data)[8 + len(head) :])
    if found.hexdigest() != digest:
        refuse(path, "is damaged: its SHA-256 is not the one that was written. Load another copy")


def _arrays_of(table: dict[str, Any], data: bytes, start: int, path: Path_) -> dict[str, np.ndarray]:
    arrays, end = {}, 0
    entries = [(_entry(name, entry, path), name) for name, entry in table.items()]
    for (begin, stop, dtype, shape), name in sorted(entries, key=lambda item: (item[0][:2], item[1])):
        if begin != end or stop - begin != math.prod(shape) * dtype.itemsize or start + stop > len(data):
            refuse(path, f"has no {math.prod(shape) * dtype.itemsize} bytes for array {name!r} where its table says")
        flat = np.frombuffer(data, dtype, math.prod(shape), start + begin)
        if dtype == np.bool_ and flat.view(np.uint8).max(initial=0) > 1:
            refuse(path, f"has other values than false and true in array {name!r}")
        arrays[name], end = flat.reshape(shape), stop
    if start + end != len(data):
        refuse(path, f"has {len(data) - start - end} bytes that belong to no array")
    return arrays


def _entry(name: str, entry: Any, path: Path_) -> tuple[int, int, np.dtype[Any], tuple[int, ...]]:
    if not _NAME.fullmatch(name) or not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        refuse(path, f"has a malformed entry {name!r:.140} in its table")
    shape, place = entry["shape"], entry["data_offsets"]
    numbers = [*shape, *place] if isinstance(shape, list) and isinstance(place, list) and len(place) == 2 and len(shape) <= 32 else [-1]
    if not all(type(number) is int and 0 <= number < 2**48 for number in numbers) or entry["dtype"] not in list(_NUMPY):
        refuse(path, f"gives no valid dtype, shape and place for array {name!r}")
    return place[0], place[1], _dtype_of(entry["dtype"]), tuple(shape)


def _dtype_of(name: str) -> np.dtype[Any]:
    if name == "BF16":
        import ml_dtypes  # NumPy itself has no bfloat16; this package comes with JAX

        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(_NUMPY[name])


def _little(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return dtype if dtype.name == "bfloat16" else dtype.newbyteorder("<")


def _name_of(dtype: np.dtype[Any], field: str) -> str:
    for name, numpy_name in _NUMPY.items():
        if dtype.name == numpy_name or _little(dtype).str == numpy_name:
            return name
    raise DTypeError(
        f"`{field}` has dtype {dtype.name}, which a safetensors file cannot hold. Convert it to one of float, integer or bool.",
        where="save", field=field, value=dtype.name, allowed=", ".join(_NUMPY),
    )  # fmt: skip
