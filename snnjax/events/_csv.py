"""Events as the text of a CSV file, and back.

    # snnjax events 1
    # events = 2
    # dtype = float64
    # channel_count = 10
    # duration = 1.0
    time,channel
    0.1,3
    0.25,0

Times are in seconds, with the fewest digits that give the same number again. The comments may be missing: two columns
under `time,channel` are enough.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from .._errors import FormatError
from ._record import Events

VERSION = 1
_MARK, _COLUMNS = "# snnjax events", "time,channel"
_ROW = re.compile(r"([+-]?(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})(?:[eE][+-]?\d{1,3})?),(\d{1,10})", re.ASCII)
_COMMENT = re.compile(r"# (events|dtype|channel_count|duration) = ([a-z0-9.+-]{1,40})", re.ASCII)


def to_csv(events: Events) -> bytes:
    """The text in UTF-8; equal events give equal text."""
    facts = {"events": len(events), "dtype": events.times.dtype.name, "channel_count": events.channel_count, "duration": events.duration}
    lines = [f"{_MARK} {VERSION}", *(f"# {name} = {value}" for name, value in facts.items() if value is not None), _COLUMNS]
    rows = zip(events.times.tolist(), events.channels.tolist(), strict=True)
    return "\n".join([*lines, *(f"{time!r},{channel}" for time, channel in rows), ""]).encode("utf-8")


def from_csv(data: bytes) -> Events:
    """The events in this text.

    Raises:
        FormatError: it is no such text; its own text goes on after "the file".
        ParameterError: the numbers are not those of events.
    """
    try:
        lines = data.decode("utf-8-sig").replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError:
        raise FormatError("is no text in UTF-8") from None
    ours = lines[0].startswith(_MARK)
    # The last row could have lost digits and would still be a row.
    if ours and lines[-1] != "":
        raise FormatError("is truncated: its last line does not end")
    start = next(k for k, line in enumerate(lines) if not line.startswith("#")) if ours else 0
    facts = _facts(lines[:start])
    if lines[start].strip() != _COLUMNS:
        raise FormatError(f"must have the columns `{_COLUMNS}` in line {start + 1}, times in seconds; got {lines[start][:60]!r}")
    rows = lines[start + 1 : -1] if lines[-1] == "" else lines[start + 1 :]
    times, channels = np.empty(len(rows)), np.empty(len(rows), np.int64)
    for k, row in enumerate(rows):
        found = _ROW.fullmatch(row)
        if found is None:
            raise FormatError(f"has no `{_COLUMNS}`, a number of seconds and a whole number, in line {start + 2 + k}: {row[:60]!r}")
        times[k], channels[k] = float(found[1]), int(found[2])
    if facts.pop("events", len(rows)) != len(rows):
        raise FormatError(f"has {len(rows)} rows, not as many as it says; it is damaged")
    return Events(times.astype(facts.pop("dtype", np.float64)), channels, **facts)


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
    if name == "dtype" and text in ("float32", "float64"):
        return np.dtype(text)
    try:
        return {"events": int, "channel_count": int, "duration": float}[name](text)
    except (KeyError, ValueError):
        raise FormatError(f"has no valid {name} in line {line}: {text!r}") from None
