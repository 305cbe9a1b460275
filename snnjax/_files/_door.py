"""What everything that opens a file refuses before it looks at the disk."""

from __future__ import annotations

import os
from typing import Any

from .._errors import DTypeError, ParameterError, describe


def check_path(path: Any, where: str) -> None:
    """`path` is one. A number would be a file descriptor, of whatever is open.

    >>> import snnjax
    >>> try:
    ...     check_path(3, "load")
    ... except snnjax.DTypeError as error:
    ...     print(error)
    `path` must be a path, a string or a `pathlib.Path`; got the int 3.
    """
    if not isinstance(path, str | os.PathLike):
        wanted = "a path, a string or a `pathlib.Path`"
        raise DTypeError(f"`path` must be {wanted}; got {describe(path)}.", where=where, field="path", value=path, allowed=wanted)


def check_max_bytes(max_bytes: Any, where: str) -> None:
    """`max_bytes` is a number of bytes."""
    if isinstance(max_bytes, int) and not isinstance(max_bytes, bool) and max_bytes >= 0:
        return
    wanted = "a whole number, 0 or more"
    refused = ParameterError if type(max_bytes) is int else DTypeError
    text = f"`max_bytes` must be {wanted}; got {describe(max_bytes) if refused is DTypeError else max_bytes}."
    raise refused(text, where=where, field="max_bytes", value=max_bytes, allowed=wanted)
