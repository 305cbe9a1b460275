"""Files of events: `.npz` for this library and NumPy, `.csv` for everything else.

Reading executes nothing and believes nothing: neither pickle nor any parser of Python is called, and no size that a
file claims is allocated before it has been compared with the size of the file.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from .. import _files as files
from .._errors import ConfigError, FormatError, SnnjaxError, did_you_mean, refuses_unknown_keywords
from .._files._door import check_path
from ._csv import from_csv, to_csv
from ._door import whole
from ._npz import from_npz, to_npz
from ._record import Events, check_events

_FORMATS = {".npz": (to_npz, from_npz), ".csv": (to_csv, from_csv)}


@refuses_unknown_keywords
def save(path: str | os.PathLike[str], events: Events) -> None:
    """Write `events` to a file; what `load` gives back is equal.

    The ending of the name says which kind: `.npz`, the uncompressed arrays `times`, `channels`, `channel_count` and
    `duration` (-1 where not known), beside the format's version `snnjax_events`; or `.csv`, lines `time,channel` under
    that header, times in seconds with every digit that is needed, and comments above for the rest and a SHA-256.

    Args:
        path: where to; a file that is there is replaced once the new one is complete and on the disk.
        events: the events.

    Raises:
        ConfigError: the name ends otherwise.
        DTypeError: `events` are no `Events`.
        OSError: the file cannot be written.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "events.csv"
    ...     save(path, Events([0.1, 0.3], [0, 1]))
    ...     load(path) == Events([0.1, 0.3], [0, 1])
    True
    """
    encode = _format_of(path, "save")[0]
    check_events(events, "save")
    files.write_bytes(path, [encode(events)])


@refuses_unknown_keywords
def load(path: str | os.PathLike[str], *, max_bytes: int = files.MAX_BYTES) -> Events:
    """The events of a file that `save` wrote, or of a `.csv` with the columns `time,channel`, s.

    Args:
        path: of the file, `.npz` or `.csv`.
        max_bytes: the largest file that is read.

    Raises:
        FormatError: the file is truncated, damaged, too large, of another program or newer version, or holds no valid
            events; what is wrong with them is in the message and `field`.
        ConfigError: the name ends otherwise.
        OSError: it cannot be opened.
    """
    decode = _format_of(path, "load")[1]
    data = files.read_bytes(path, whole(max_bytes, "max_bytes", "load"))
    try:
        return decode(data)
    except FormatError as error:
        raise _refusal(path, str(error)) from None
    except SnnjaxError as error:
        raise FormatError(
            f"`{path}` holds no valid events: {error}", where="load", field=error.field, value=error.value, allowed=error.allowed
        ) from None


def _format_of(path: Any, where: str) -> Any:
    check_path(path, where)
    ending = Path(path).suffix
    if ending not in _FORMATS:
        text = f"`path` must end in .npz or .csv; got {str(path)!r}. {did_you_mean(ending, _FORMATS)}"
        raise ConfigError(text, where=where, field="path", value=str(path), allowed=", ".join(_FORMATS))
    return _FORMATS[ending]


def _refusal(path: Any, what: str) -> FormatError:
    return FormatError(f"`{path}` {what}.", where="load", field="path", value=str(path), allowed="a file that `events.save` wrote")
