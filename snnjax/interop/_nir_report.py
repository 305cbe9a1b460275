"""What an exchange with NIR could not carry, and what one should know about what it did."""

from __future__ import annotations

from typing import NamedTuple

from .._errors import GraphError


class Entry(NamedTuple):
    """One thing to know.

    Attributes:
        where: the name of the node; empty for the graph as a whole.
        field: what of it: a parameter, a choice, an edge.
        text: the sentence.
        lost: whether it is missing in the result; else it is there in another form, or was decided for you.
    """

    where: str
    field: str
    text: str
    lost: bool = False

    def __str__(self) -> str:
        return f"{self.where}: {self.text}" if self.where else self.text


class Report(NamedTuple):
    """The entries; `print(report)` shows them, `report.problems` is what was lost, `report.notes` the rest."""

    entries: tuple[Entry, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        """A sentence for everything that is missing in the result."""
        return tuple(str(entry) for entry in self.entries if entry.lost)

    @property
    def notes(self) -> tuple[str, ...]:
        """A sentence for everything that is there in another form, or was decided."""
        return tuple(str(entry) for entry in self.entries if not entry.lost)

    def raise_if_bad(self) -> None:
        """Raise `GraphError` where something was lost."""
        lost = [entry for entry in self.entries if entry.lost]
        if lost:
            lines = [f"  {problem}" for problem in self.problems]
            raise GraphError(
                "\n".join(["NIR cannot carry all of this graph:", *lines, 'Leave it out of the graph, or accept it: on_loss="report".']),
                where="to_nir", field=lost[0].field, value=self, allowed="what NIR has a field for",
            )  # fmt: skip

    def __str__(self) -> str:
        lines = [f"lost  {problem}" for problem in self.problems] + [f"note  {note}" for note in self.notes]
        return "\n".join(lines or ["nothing lost, nothing to note"])


class Entries(list[Entry]):
    """A report in the making."""

    def note(self, where: str, field: str, text: str) -> None:
        """Once for the graph as a whole, however often it comes up."""
        if (entry := Entry(where, field, text)) not in self:
            self.append(entry)

    def lose(self, where: str, field: str, text: str) -> None:
        self.append(Entry(where, field, text, lost=True))

    def report(self) -> Report:
        return Report(tuple(self))
