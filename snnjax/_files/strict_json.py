"""JSON that means one thing: no duplicate keys, no NaN, no number that overflows, bounded size and depth.

Python's own reader takes the last of two equal keys, turns `1e999` into infinity and recurses as deep as the text does.

>>> parse('{"tau_mem": 0.02}')
{'tau_mem': 0.02}
>>> import snnjax
>>> try:
...     parse('{"tau_mem": NaN}')
... except snnjax.FormatError as error:
...     print(error)
the text must hold finite numbers only; got `NaN`.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from .._errors import FormatError, describe

MAX_BYTES = 48 * 2**20  # reading takes up to four times as much
MAX_DEPTH = 64
MAX_MEMORY = 2**28
_MAX_DIGITS = 24  # more than any 64-bit integer has

# A string that does not end goes to the end of the text: else every quote in it would be tried as the beginning of one.
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)


def parse(text: str | bytes, *, source: str = "the text") -> Any:
    """The value that `text` holds.

    Args:
        text: JSON, UTF-8.
        source: what to call it in an error.

    Raises:
        FormatError: it is not JSON, ends too early, names a key twice, holds NaN, infinity or a number beyond float64, or
            is larger or deeper than anything this library writes.
    """
    if not isinstance(text, str | bytes | bytearray):
        _refuse(source, f"be JSON text; got {describe(text)}")
    if len(text) > MAX_BYTES:
        _refuse(source, f"be at most {MAX_BYTES} bytes long; got {len(text)}")
    try:
        text = text if isinstance(text, str) else bytes(text).decode("utf-8")
    except UnicodeDecodeError as error:
        _refuse(source, f"be UTF-8; byte {error.start} is not")
    if memory_of(text) > MAX_MEMORY:
        _refuse(source, f"hold values that take {MAX_MEMORY >> 20} MiB of memory at most; these may take {memory_of(text) >> 20}")
    if _deeper_than(text, MAX_DEPTH):
        _refuse(source, f"nest at most {MAX_DEPTH} levels deep")

    def integer(digits: str) -> int:
        if len(digits) > _MAX_DIGITS:
            _refuse(source, f"hold integers of at most {_MAX_DIGITS} digits; got {len(digits)} digits")
        return int(digits)

    def real(digits: str) -> float:
        if not math.isfinite(float(digits)):
            _refuse(source, f"hold finite numbers only; got `{digits[:40]}`")
        return float(digits)

    def constant(name: str) -> NoReturn:
        _refuse(source, f"hold finite numbers only; got `{name}`")

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(items)
        if len(found) < len(items):
            seen: set[str] = set()
            twice = next(key for key, _ in items if key in seen or seen.add(key))
            _refuse(source, f"name every key once; {twice!r:.60} comes twice")
        return found

    try:
        return json.loads(text, parse_int=integer, parse_float=real, parse_constant=constant, object_pairs_hook=pairs)
    except (json.JSONDecodeError, RecursionError) as error:
        _refuse(source, f"be complete JSON; {_fault(error)}")


def dump(value: Any, *, indent: int | None = None) -> str:
    """`value` as JSON; NaN and infinity are refused with a `ValueError`.

    >>> dump({"shape": [2, 3]})
    '{"shape":[2,3]}'
    """
    return json.dumps(value, allow_nan=False, indent=indent, separators=(",", ":") if indent is None else (",", ": "))


def memory_of(text: str) -> int:
    """At most so many bytes do the values take that `text` holds: 26 times as many as the text, if it is `[[],[],...]`."""
    return 2 * len(text) + 64 * text.count(",") + 240 * text.count("{") + 80 * text.count("[")


def _fault(error: Exception) -> str:
    if not isinstance(error, json.JSONDecodeError):
        return str(error)
    what = f"{error.msg[:1].lower()}{error.msg[1:]}".removesuffix(" at").removesuffix(" starting")
    return f"line {error.lineno}, column {error.colno} is not: {what}"


def _refuse(source: str, must: str) -> NoReturn:
    raise FormatError(f"{source} must {must}.", where="json", field=source, allowed=must)


def _deeper_than(text: str, limit: int) -> bool:
    if text.count("[") + text.count("{") <= limit:
        return False
    depth = 0
    for token in _STRING_OR_BRACKET.finditer(text):
        first = text[token.start()]
        depth += 0 if first == '"' else 1 if first in "[{" else -1
        if depth > limit:
            return True
    return False
