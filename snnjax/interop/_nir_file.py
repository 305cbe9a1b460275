"""Reading a NIR file that one has not written oneself.

NIR files are HDF5, and HDF5 can do more than hold arrays: a dataset may lie in another file, be computed from other files, or need a
plugin to be decoded; a link may lead out of the file, a group may contain itself, a few bytes may stand for gigabytes. All
of that is looked for, object by object, before an array is read. It cannot be helped here that the HDF5 library itself,
which is written in C, has to parse the file.
"""

from __future__ import annotations

import math
import mmap
import os
import stat
from typing import Any, NoReturn

import numpy as np

from .._errors import FormatError, refuses_unknown_keywords
from .._files._door import check_max_bytes, check_path
from ._nir_package import package

Path_ = str | os.PathLike[str]

_MAX_OBJECTS = 1_000_000
_MAX_DEPTH = 64
#: deflate, shuffle, fletcher32, szip, nbit, scaleoffset, and the LZF of h5py: what the library decodes without a plugin.
_FILTERS = frozenset({1, 2, 3, 4, 5, 6, 32000})
#: No filter of these makes data more than this much smaller.
_MAX_RATIO = 1100


@refuses_unknown_keywords
def read(path: Path_, *, max_bytes: int = 2**30) -> Any:
    """The NIR graph in a file, as `nir.read` gives it, of files that may be damaged or hostile.

    Unlike `nir.read` it does not check types, so that files of older tools can be read (`from_nir` checks what it needs), and refuses what
    leads out of the file or is larger than it may be.

    Args:
        path: of the file.
        max_bytes: of the file, and of all arrays in it together.

    Raises:
        FormatError: the file is no NIR file, damaged, too large, or has parts that do not belong in one.
        OSError: it cannot be opened.
        ImportError: the package `nir` is not installed.

    >>> import os, tempfile
    >>> import nir as package, numpy as np
    >>> from snnjax.interop import nir
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "net.nir")
    ...     package.write(path, package.NIRGraph.from_list(package.Linear(weight=np.ones((2, 3)))))
    ...     made = nir.read(path)
    >>> list(made.nodes), made.edges
    (['input', 'linear', 'output'], [('input', 'linear'), ('linear', 'output')])
    """
    check_path(path, "read")
    check_max_bytes(max_bytes, "read")
    nir, h5py = package(), package("h5py")
    found = os.stat(path)
    if not stat.S_ISREG(found.st_mode):
        _refuse(path, "", "is not a regular file")
    if found.st_size > max_bytes:
        _refuse(path, "", f"has {found.st_size} bytes; `max_bytes` is {max_bytes}")
    _check_heaps(path)
    try:
        with h5py.File(path, "r") as file:
            content = _Reader(h5py, path, max_bytes, found.st_size).group(file, "", 0)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError, UnicodeError) as error:
        if isinstance(error, FormatError):
            raise
        _refuse(path, "", f"is not an HDF5 file, or is damaged ({type(error).__name__}: {error!s:.120})")
    root = content.get("node")
    if not isinstance(root, dict):
        _refuse(path, "", "is not a NIR file: it has no group `node`")
    made = _node(nir, path, "node", root)
    if not isinstance(made, nir.NIRGraph):
        _refuse(path, "node", f"holds a single {type(made).__name__}, not a graph")
    return made


def _refuse(path: Path_, place: str, what: str) -> NoReturn:
    inside = f" in `{place[:200]}`" if place else ""
    text = f"`{path}`{inside} {what}." if not place else f"`{path}`: `{place[:200]}` {what}."
    raise FormatError(text, where="read", field="path", value=str(path), allowed="a NIR file")


def _check_heaps(path: Path_) -> None:
    """The collections of strings are whole: in a damaged one, HDF5 1.14 can search for ever.

    A collection is `GCOL`, a version, its size (8 bytes at 8), then objects: a number (2 bytes at 0; 0 for what is free), their size
    (8 bytes at 8), and that many bytes, rounded up to 8. The free one counts its 16 bytes of header in its size.
    """
    if os.path.getsize(path) == 0:
        return
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        start = data.find(b"GCOL\x01\0\0\0")
        while start >= 0:
            end = start + int.from_bytes(data[start + 8 : start + 16], "little")
            at = start + 16
            while at + 16 <= min(end, len(data)):
                size = int.from_bytes(data[at + 8 : at + 16], "little")
                used = data[at] or data[at + 1]
                at += 16 + -(-size // 8) * 8 if used else max(size, 16) if size >= 16 else len(data) + 1
            if at > end or end > len(data):
                _refuse(path, "", "is damaged: a collection of strings does not end where it says")
            start = data.find(b"GCOL\x01\0\0\0", start + 1)


class _Reader:
    """Reads groups as dictionaries, within a budget."""

    def __init__(self, h5py: Any, path: Path_, max_bytes: int, file_bytes: int) -> None:
        self._h5py, self._path, self._left, self._max = h5py, path, max_bytes, max_bytes
        self._file_bytes = max(file_bytes, 1)
        self._seen: set[int] = set()

    def group(self, group: Any, place: str, depth: int) -> dict[str, Any]:
        if depth > _MAX_DEPTH:
            _refuse(self._path, place, f"is nested more than {_MAX_DEPTH} deep")
        found = {}
        for name in group:
            at = f"{place}/{name}"
            link = group.get(name, getlink=True)
            if not isinstance(link, self._h5py.HardLink):
                _refuse(self._path, at, f"is a link ({type(link).__name__}), to another place or another file")
            it = group[name]
            address = self._h5py.h5o.get_info(it.id).addr
            if address in self._seen or len(self._seen) >= _MAX_OBJECTS:
                what = "is a second way to the same object, or contains itself" if address in self._seen else "is one object too many"
                _refuse(self._path, at, what)
            self._seen.add(address)
            if isinstance(it, self._h5py.Group):
                found[name] = self.group(it, at, depth + 1)
            elif isinstance(it, self._h5py.Dataset):
                found[name] = self._array(it, at)
            else:
                _refuse(self._path, at, f"is a {type(it).__name__}, neither a group nor an array")
        return found

    def _array(self, it: Any, at: str) -> Any:
        storage = it.id.get_create_plist()
        if storage.get_layout() == self._h5py.h5d.VIRTUAL or storage.get_external_count():
            _refuse(self._path, at, "has its numbers in another file")
        filters = [storage.get_filter(k)[0] for k in range(storage.get_nfilters())]
        if not _FILTERS.issuperset(filters):
            _refuse(self._path, at, f"needs a plugin to be decoded (HDF5 filters {filters})")
        text = self._h5py.check_string_dtype(it.dtype)
        if it.shape is None or (text is None and (it.dtype.kind not in "biuf" or it.dtype.itemsize > 8)):
            bf16 = "; bfloat16 must be written as float32" if it.dtype.kind == "V" else ""
            _refuse(self._path, at, f"is of dtype {it.dtype}, which no NIR node has{bf16}")
        if text is not None and text.length is None:
            size, most = self._text_bytes(it, at), self._file_bytes
        else:
            size, most = math.prod(it.shape) * it.dtype.itemsize, 2**16 + _MAX_RATIO * it.id.get_storage_size()
        self._spend(size, at)
        if size > most:
            _refuse(self._path, at, f"claims {size} bytes; what the file holds of it is {most} at most")
        if it.chunks is not None:
            self._check_chunks(it, at)
        return _decoded(it[()])

    def _text_bytes(self, it: Any, at: str) -> int:
        """The length of all strings in an array. HDF5 sets so much memory aside before it looks whether they are there."""
        offset, size = it.id.get_offset(), 16 * math.prod(it.shape)
        if offset is None and size or size > self._file_bytes:
            _refuse(self._path, at, "has its strings in pieces or not at all; NIR files have them in one place")
        with open(self._path, "rb") as file:
            file.seek(offset or 0)
            raw = np.frombuffer(file.read(size), np.uint32)
        return int(raw[::4].sum(dtype=np.int64)) + size  # each is a length, and where in which collection (12 bytes)

    def _check_chunks(self, it: Any, at: str) -> None:
        """No piece is larger than the array, or in the file larger than the file."""
        if math.prod(it.chunks) > 2 * max(math.prod(it.shape), 2**16):
            _refuse(self._path, at, f"comes in pieces of shape {it.chunks}, larger than the whole {it.shape}")
        pieces = [it.id.get_chunk_info(k).size for k in range(it.id.get_num_chunks())]
        if sum(pieces) > self._file_bytes:
            _refuse(self._path, at, "has pieces larger than the file")

    def _spend(self, size: int, at: str) -> None:
        self._left -= size
        if self._left < 0:
            _refuse(self._path, at, f"is too large: the arrays together may have `max_bytes` = {self._max} bytes")


def _decoded(value: Any) -> Any:
    return value.decode("utf-8") if isinstance(value, bytes) else value


def _node(nir: Any, path: Path_, place: str, content: dict[str, Any]) -> Any:
    kind = content.get("type")
    known = [name for name in nir.ir.__all__ if name not in ("NIRNode", "str2NIRNode", "dict2NIRNode")]
    if not isinstance(kind, str) or kind not in known:
        _refuse(path, place, f"is of type {kind!r:.60}; nir knows {', '.join(known)}")
    metadata = content.get("metadata", {})
    if not isinstance(metadata, dict):
        _refuse(path, place, "has `metadata` that are no group")
    try:
        if kind == "NIRGraph":
            nodes = {name: _node(nir, path, f"{place}/nodes/{name}", it) for name, it in _groups(path, place, content.get("nodes")).items()}
            edges = [(_decoded(source), _decoded(target)) for source, target in content["edges"]]
            return nir.NIRGraph(nodes=nodes, edges=edges, metadata=metadata, type_check=False)
        return nir.dict2NIRNode(dict(content))
    except (AssertionError, AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, FormatError):
            raise
        _refuse(path, place, f"is no {kind} ({type(error).__name__}: {error!s:.120})")


def _groups(path: Path_, place: str, nodes: Any) -> dict[str, dict[str, Any]]:
    if not isinstance(nodes, dict) or not all(isinstance(it, dict) for it in nodes.values()):
        _refuse(path, place, "has no group `nodes` of groups")
    return nodes
