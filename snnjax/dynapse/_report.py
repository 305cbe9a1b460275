"""What was asked, what was got: the answer of everything that puts currents on a chip."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .._errors import HardwareError


class Entry(NamedTuple):
    """One field of a report; arrays have the field's shape.

    Attributes:
        field: name of the current.
        asked: amperes.
        got: amperes; where there is a problem, the nearest that is possible.
        relative_error: `got / asked - 1`; NaN where that means nothing.
        clipped: where `got` is the end of the range, or `asked` is no current at all.
        problem: the first reason, in a sentence; empty where nothing is clipped.
    """

    field: str
    asked: np.ndarray
    got: np.ndarray
    relative_error: np.ndarray
    clipped: np.ndarray
    problem: str = ""


class Report(NamedTuple):
    """The entries, one per current; `print(report)` is a table, `report.problems` is what went wrong.

    Attributes:
        entries: one per current.
        notes: what else is to know, in sentences: what was joined, folded or left out.
    """

    entries: tuple[Entry, ...]
    notes: tuple[str, ...] = ()

    def __getitem__(self, field: str) -> Entry:  # type: ignore[override]
        for entry in self.entries:
            if entry.field == field:
                return entry
        raise KeyError(f"`{field}` is not in this report; it has {', '.join(entry.field for entry in self.entries)}.")

    @property
    def problems(self) -> tuple[str, ...]:
        """A sentence for every field of which something is clipped."""
        return tuple(entry.problem for entry in self.entries if entry.problem)

    @property
    def worst(self) -> float:
        """The largest relative error of what is not clipped."""
        errors = [np.abs(entry.relative_error[~entry.clipped]) for entry in self.entries]
        return float(np.max(np.concatenate([e.ravel() for e in errors]), initial=0.0))

    def raise_if_bad(self) -> None:
        """Raise `HardwareError` for the first problem."""
        for entry in self.entries:
            if entry.problem:
                more = len(self.problems) - 1
                text = entry.problem + (f" And {more} more: see `problems` of the report in the error's `value`." if more else "")
                raise HardwareError(text, where="report", field=entry.field, value=self, allowed="a current within the range of its bias")

    def __str__(self) -> str:
        width = max([12, *(len(entry.field) + 1 for entry in self.entries)])
        lines = [f"{'field':<{width}}{'asked / A':>24}{'got / A':>24}{'worst error':>13}{'clipped':>9}"]
        for entry in self.entries:
            good = np.abs(entry.relative_error[~entry.clipped])
            error = f"{good.max():.2%}" if good.size else "-"
            lines.append(f"{entry.field:<{width}}{_span(entry.asked):>24}{_span(entry.got):>24}{error:>13}{int(entry.clipped.sum()):>9}")
        return "\n".join([*lines, *self.problems, *self.notes])


def _span(values: np.ndarray) -> str:
    if values.size == 0:
        return "-"
    low, high = values.min(), values.max()
    return f"{low:.3g}" if low == high or values.size == 1 else f"{low:.3g} .. {high:.3g}"


def entry(field: str, asked: np.ndarray, got: np.ndarray, clipped: np.ndarray, problem: str) -> Entry:
    """An entry with its relative error."""
    safe = np.where((asked > 0) & np.isfinite(asked), asked, 1.0)
    error = np.where((asked > 0) & np.isfinite(asked), got / safe - 1.0, np.nan)
    return Entry(field, asked, got, error, clipped, problem)


def of_population(name: str, report: Report) -> tuple[Entry, ...]:
    """The entries of a report as those of one population among others."""
    return tuple(it._replace(field=f"{name}.{it.field}", problem=it.problem and f"`{name}`: {it.problem}") for it in report.entries)
