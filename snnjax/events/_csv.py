"""Events as the text of a CSV file, and back.

    # snnjax events 1
    # events = 2
    # dtype = float64
    # channel_count = 10
    # duration = 1.0
    # sha256 = b6a4...
    time,channel
    0.1,3
    0.25,0

Times are in seconds, with the fewest digits that give the same number again. The SHA-256 is that of all other lines, so
that a digit which changed is noticed. The comments may be missing: two columns under `time,channel` are enough.
"""

from __future__ import annotations

import hashlib
import re
from array import array
from collections.abc import Iterator
from itertools import islice, takewhile
from typing import Any

import numpy as np

from .._errors import FormatError
from ._record import Events

VERSION = 1
_MARK, _COLUMNS, _DIGEST = "# snnjax events", "time,channel", "# sha256 = "
_ROW = re.compile(r"([+-]?(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})(?:[eE][+-]?\d{1,3})?),(\d{1,10})", re.ASCII)
_COMMENT = re.compile(r"# (events|dtype|channel_count|duration|sha256) = ([a-z0-9.+-]{1,64})", re.ASCII)


def to_csv(events: Events) -> bytes:
    """The text in UTF-8; equal events give equal text."""
    facts = {"events": len(events), "dtype": events.times.dtype.name, "channel_count": events.channel_count, "duration": events.duration}
    head = "\n".join([f"{_MARK} {VERSION}", *(f"# {name} = {value}" for name, value in facts.items() if value is not None), ""])
    rows = zip(events.times.tolist(), events.channels.tolist(), strict=True)
    table = "\n".join([_COLUMNS, *(f"{time!r},{channel}" for time, channel in rows), ""])
    return f"{head}{_DIGEST}{_digest(head, table)}\n{table}".encode()


def from_csv(data: bytes) -> Events:
    """The events in this text.

    Raises:
        FormatError: it is no such text; its own text goes on after "the file".
        ParameterError: the numbers are not those of events.
    """
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise FormatError("is no text in UTF-8") from None
    ours = text.startswith(_MARK)
    # The last row could have lost digits and would still be a row.
    if ours and not text.endswith("\n"):
        raise FormatError("is truncated: its last line does not end")
    # Of more than these, one is there twice.
    comments = list(islice(takewhile(lambda line: line.startswith("#"), _lines(text, 0)), 10)) if ours else []
    facts, start, number = _facts(comments), sum(len(line) + 1 for line in comments), len(comments) + 1
    columns = next(_lines(text, start), "")
    if columns.strip() != _COLUMNS:
        raise FormatError(f"must have the columns `{_COLUMNS}` in line {number}, times in seconds; got {columns[:60]!r}")
    times, channels = _table(text, start + len(columns) + 1, number + 1)
    if facts.pop("events", len(times)) != len(times):
        raise FormatError(f"has {len(times)} rows, not as many as it says; it is damaged")
    if ours:
        head = "".join(f"{line}\n" for line in comments if not line.startswith(_DIGEST))
        _check_digest(facts.pop("sha256", None), _digest(head, text[start:]))
    return Events(times.astype(facts.pop("dtype", np.float64)), channels, **facts)


def _lines(text: str, start: int) -> Iterator[str]:
    """The lines from `start` on, one by one: a list of them would take twenty times the memory of a text of short ones."""
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        yield text[start:end]
        start = end + 1


def _facts(comments: list[str]) -> dict[str, Any]:
    """What the comments say."""
    if not comments:
        return {}
    version = comments[0].removeprefix(_MARK).strip()
    if version != str(VERSION):
        raise FormatError(f"has format version {version[:20]!r} of events; this snnjax reads {VERSION}. Install a newer snnjax")
    facts: dict[str, Any] = {}
    for number, line in enumerate(comments[1:], start=2):
        found = _COMMENT.fullmatch(line)
        if found is None or found[1] in facts:
            raise FormatError(f"has a comment in line {number} that does not belong there: {line[:60]!r}")
        facts[found[1]] = _fact(found[1], found[2], number)
    return facts


def _fact(name: str, text: str, line: int) -> Any:
    if name == "sha256" or name == "dtype" and text in ("float32", "float64"):
        return text
    try:
        return {"events": int, "channel_count": int, "duration": float}[name](text)
    except (KeyError, ValueError):
        raise FormatError(f"has no valid {name} in line {line}: {text!r}") from None


def _table(text: str, start: int, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Times and channels from `start`, the beginning of line `number`, on."""
    times, channels = array("d"), array("q")
    for k, row in enumerate(_lines(text, start), start=number):
        found = _ROW.fullmatch(row)
        if found is None:
            raise FormatError(f"has no `{_COLUMNS}`, a number of seconds and a whole number, in line {k}: {row[:60]!r}")
        times.append(float(found[1]))
        channels.append(int(found[2]))
    return np.frombuffer(times), np.frombuffer(channels, np.int64)


def _digest(head: str, table: str) -> str:
    found = hashlib.sha256(head.encode())
    found.update(table.encode())
    return found.hexdigest()


def _check_digest(claimed: Any, found: str) -> None:
    if claimed != found:
        what = "has no SHA-256" if claimed is None else "is damaged or was edited: its SHA-256 is not the one that was written"
        raise FormatError(f"{what}. Load another copy; if the change was meant, delete the lines that begin with `#`")
