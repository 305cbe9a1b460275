"""Bytes from the disk and to it: bounded before they are read, whole or not at all when they are written."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from .._errors import FormatError

Path_ = str | os.PathLike[str]

MAX_BYTES = 2 * 2**30


def read_bytes(path: Path_, max_bytes: int = MAX_BYTES) -> bytes:
    """What the file holds.

    Raises:
        FormatError: it is no regular file, or larger than `max_bytes`.
        OSError: it cannot be opened.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):  # opening a pipe would wait for its writer
        refuse(path, "is not a regular file")
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > max_bytes:
            refuse(path, f"has {size} bytes, more than the {max_bytes} of `max_bytes`")
        return file.read(size)


def write_bytes(path: Path_, chunks: Sequence[bytes]) -> None:
    """Write beside `path`, wait for the disk, rename: whoever opens `path` finds the old file or the new one, never a part.

    A process that is killed meanwhile leaves a file `.*.tmp` behind.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name[:40]}.{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.writelines(chunks)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def refuse(path: Path_, what: str) -> NoReturn:
    """Say what is wrong with a file."""
    raise FormatError(f"`{path}` {what}.", where="load", field="path", value=str(path), allowed="a file that snnjax saved")
