"""Events as the bytes of an `.npz` file, and back.

Any program with NumPy reads the arrays. They are read here by a parser of our own and not by `numpy.load`: the only
arrays that are accepted are those that `to_npz` writes, so the header of each is one fixed text with two blanks, and
nothing is left to evaluate.
"""

from __future__ import annotations

import io
import math
import re
import zipfile
import zlib
from typing import Any

import numpy as np

from .._errors import FormatError
from ._record import Events

VERSION = 1
_MARK = "snnjax_events"  # the version is stored under this name
#: Which dtypes each array may have, and how many axes it has.
_ARRAYS: dict[str, tuple[tuple[str, ...], int]] = {
    _MARK: (("<i8",), 0),
    "times": (("<f8", "<f4"), 1),
    "channels": (("<i4",), 1),
    "channel_count": (("<i8",), 0),
    "duration": (("<f8",), 0),
}
_DIRECTORY_BYTES = 2**16  # enough to tell which arrays are in a file of another program
_UNKNOWN = -1  # and no array left out: a damaged directory of the archive could lose one
_HEADER = re.compile(rb"\{'descr': '([^'\\]{1,40})', 'fortran_order': False, 'shape': \((\d{1,15})?(,[ ,0-9]{0,200})?\), \} *\n")
# What the modules of the standard library raise on a damaged archive.
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError, OverflowError, MemoryError)


def to_npz(events: Events) -> bytes:
    """The bytes; equal events give equal bytes."""
    count = _UNKNOWN if events.channel_count is None else events.channel_count
    duration = _UNKNOWN if events.duration is None else events.duration
    arrays: dict[str, Any] = {_MARK: np.int64(VERSION), "times": events.times, "channels": events.channels}
    arrays.update(channel_count=np.int64(count), duration=np.float64(duration))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            little = np.asarray(array).astype(np.asarray(array).dtype.newbyteorder("<"), copy=False)
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, little, version=(1, 0), allow_pickle=False)
    return stream.getvalue()


def from_npz(data: bytes) -> Events:
    """The events in these bytes.

    Raises:
        FormatError: the bytes are not those of `to_npz`; the text goes on after "the file".
        ParameterError: the arrays are not those of events.
    """
    _check_directory(data)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            arrays = {name: _array(name, _content(archive, entry)) for name, entry in _members(archive).items()}
    except FormatError:
        raise
    except _BROKEN as error:
        raise FormatError(f"is truncated, damaged or no .npz file ({type(error).__name__}: {str(error)[:100]})") from None
    version = int(arrays.pop(_MARK))
    if not 1 <= version <= VERSION:
        raise FormatError(f"has format version {version} of events; this snnjax reads 1 to {VERSION}. Install a newer snnjax")
    known = {name: None if value == _UNKNOWN else value.item() for name, value in arrays.items() if name in ("channel_count", "duration")}
    return Events(arrays["times"], arrays["channels"], **known)


def _check_directory(data: bytes) -> None:
    """The directory at the end of the archive is a small one: `zipfile` takes eight times its size before one looks at it.

    An archive ends with a record of 22 bytes, which has the size of the directory in bytes 12 to 16 and the length of a comment in the
    last two. Only one of 2 GiB or more has another such record before it.
    """
    end = data[-22:]
    if end[:4] != b"PK\x05\x06" or end[20:] != b"\0\0" or (len(data) < 2**31 and data[-42:-38] == b"PK\x06\x07"):
        raise FormatError("is truncated, damaged or no .npz file: it does not end like one")
    size = int.from_bytes(end[12:16], "little")
    if len(data) < 2**31 and size > _DIRECTORY_BYTES:
        raise FormatError(f"has a directory of {size} bytes; that of a file of events has {_DIRECTORY_BYTES} at most")


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    found: dict[str, zipfile.ZipInfo] = {}
    for entry in archive.infolist():
        name = entry.filename.removesuffix(".npy")
        if name not in _ARRAYS or name in found or name == entry.filename:
            raise FormatError(f"holds {entry.filename[:60]!r}, which is not in a file of events; there are {', '.join(_ARRAYS)}, once each")
        found[name] = entry
    missing = [name for name in _ARRAYS if name not in found]
    if missing:
        advice = "Read a file of another program with `numpy.load(path, allow_pickle=False)`, and make `Events` of its arrays"
        raise FormatError(f"lacks {', '.join(missing)}, so it is no file of events. {advice}")
    return found


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    # Stored as they are: a compressed member could claim to be any size.
    if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
        raise FormatError(f"has {entry.filename!r} compressed; `events.save` stores arrays as they are")
    with archive.open(entry) as member:
        content = member.read()
    if len(content) != entry.file_size:
        raise FormatError(f"is truncated: {entry.filename!r} has {len(content)} of {entry.file_size} bytes")
    return content


def _array(name: str, content: bytes) -> np.ndarray:
    dtypes, axes = _ARRAYS[name]
    length = int.from_bytes(content[8:10], "little")
    header = _HEADER.fullmatch(content[10 : 10 + length])
    if content[:8] != b"\x93NUMPY\x01\x00" or header is None:
        raise FormatError(f"has no valid array {name!r}")
    descr, first, more = header[1].decode("ascii", "replace"), header[2], header[3]
    if descr not in dtypes:
        raise FormatError(
            f"has array {name!r} of dtype {descr!r}; it must be {' or '.join(dtypes)}. Nothing else is read, objects least of all"
        )
    shape = () if first is None and more is None else (int(first or 0),)
    if len(shape) != axes or more not in (None, b","):
        raise FormatError(f"has array {name!r} of another shape than {'()' if axes == 0 else '(n,)'}")
    count, size = math.prod(shape), np.dtype(descr).itemsize
    buffer = memoryview(content)[10 + length :]
    if count * size != len(buffer):
        raise FormatError(f"claims {count} entries in array {name!r}, but has {len(buffer)} bytes for them, not {count * size}")
    return np.frombuffer(buffer, descr, count).reshape(shape)
