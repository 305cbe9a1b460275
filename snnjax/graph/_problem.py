"""What `validate` reports."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a graph.

    Attributes:
        where: the node, the edge or the parameter: `node 'hidden', weight`; `edge 3, 'a' -> 'b'`.
        what: what was found, in a sentence.
        how: how to put it right, in a sentence.
        kind: "name", "edge", "shape", "index", "double", "unreachable", "value", "domain", "model" or "parameter".

    >>> from snnjax import graph
    >>> print(graph.validate(graph.Graph({"in": graph.Input(3)}))[0])
    node 'in': It leads to no Output. Connect it, or leave it out.
    """

    where: str
    what: str
    how: str
    kind: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what} {self.how}"

    def inside(self, block: str) -> Problem:
        """The same problem, seen from the graph around."""
        return Problem(f"{block} / {self.where}", self.what, self.how, self.kind)
