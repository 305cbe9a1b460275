"""The whole battery; run as a script it prints every answer, what was compiled for it, and can write the golden file.

python tests/battery.py --write     # writes tests/golden/errors.txt and the lists in docs/errors.md
"""

from __future__ import annotations

import collections
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.monitoring
from battery_dynapse import ROWS as DYNAPSE
from battery_events import ROWS as EVENTS
from battery_functional import ROWS as FUNCTIONAL
from battery_graph import ROWS as GRAPH
from battery_interop import ROWS as INTEROP
from battery_row import Row
from battery_somas import ROWS as SOMAS

from snnjax import SnnjaxError

ROWS: list[Row] = [*FUNCTIONAL, *SOMAS, *GRAPH, *DYNAPSE, *EVENTS, *INTEROP]
GOLDEN = Path(__file__).parent / "golden" / "errors.txt"
PAGE = Path(__file__).parents[1] / "docs" / "errors.md"


def answer(row: Row) -> SnnjaxError | None:
    """The error that a row meets; `None` where it meets none of this library."""
    try:
        row.call(None)
    except SnnjaxError as error:
        return error
    except Exception:
        return None
    return None


def line(row: Row) -> str:
    """A row of the golden file."""
    error = answer(row)
    told = "not refused" if error is None else f"{public(error)} | {error.field} | {text(error)}"
    return f"{row.entry} | {row.case} | {row.name} | {told}"


def public(error: SnnjaxError) -> str:
    """The class that a user would name: the first in the order of resolution that `snnjax` exports."""
    import snnjax

    return next(kind.__name__ for kind in type(error).__mro__ if hasattr(snnjax, kind.__name__))


def text(error: SnnjaxError) -> str:
    """The message in one line, without addresses in memory."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(error).replace("\n", " / "))


def lines() -> list[str]:
    return sorted(map(line, ROWS))


def by_area(golden: list[str]) -> dict[str, list[str]]:
    """The sentences of each area, each once, with all fields of which it is said."""
    found: dict[str, dict[str, tuple[str, list[str]]]] = collections.defaultdict(dict)
    for entry, _, _, kind, field, message in (row.split(" | ", 5) for row in golden):
        if message.startswith("`nonsense` is not") or " is missing: `" in message:
            continue  # alike for every function; the page has them once
        area = ".".join(entry.split(".")[: 2 if entry.startswith("interop.") else 1])
        shown = message if len(message) <= 300 else message[:297] + "..."
        _, fields = found[area].setdefault(f"{kind} {_sentence(message)}", (f"{kind}: {shown}", []))
        fields.append(field)
    return {area: sorted(map(_with_fields, told.values())) for area, told in sorted(found.items())}


def _sentence(message: str) -> str:
    """A message without its first name and without what came: `got ...` up to the end of the sentence."""
    without = re.sub(r"^`[^`]+`(?: of `[^`]+`)?", "", message)
    return re.sub(r"(got|has shape|have shape|holds) .*?(?=\. |\.$|;|$)", r"\1", without)


def _with_fields(told: tuple[str, list[str]]) -> str:
    """A message, and the other fields of which the same is said."""
    message, fields = told
    others = [field for field in dict.fromkeys(fields) if f"`{field}`" not in message]
    return f"{message} [so for {', '.join(others)}]" if others else message


def page(golden: list[str]) -> str:
    """`docs/errors.md` with the lists of today."""
    head = PAGE.read_text().split("<!-- the lists -->")[0]
    parts = [f"### `{area}`\n\n```\n" + "\n".join(messages) + "\n```\n" for area, messages in by_area(golden).items()]
    return head + "<!-- the lists -->\n\n" + "\n".join(parts)


def answers() -> Iterator[dict[str, Any]]:
    """Every row in a fresh process: its line, and which programs were traced or compiled meanwhile."""
    seen: list[str] = []
    jax.monitoring.register_event_duration_secs_listener(lambda event, duration, **about: seen.append(event))
    for row in ROWS:
        seen.clear()
        told = line(row)
        yield {"title": row.title, "line": told, "compiled": sorted({event.rsplit("/", 1)[-1] for event in seen if "compile" in event})}


if __name__ == "__main__":
    if "--write" in sys.argv:
        golden = lines()
        if passed := [told for told in golden if told.endswith("| not refused")]:
            sys.exit("Nothing is written, for these are not refused:\n" + "\n".join(passed))
        GOLDEN.write_text("\n".join(golden) + "\n")
        PAGE.write_text(page(GOLDEN.read_text().splitlines()))
    else:
        print(json.dumps({"debug": __debug__, "answers": list(answers())}))
