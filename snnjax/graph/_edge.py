"""Edges: which channels of one node go to which of another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .._errors import DTypeError, options
from .._errors import describe as said
from ._data import describe, indices_of, same


def check_adds(adds: Any, where: str) -> None:
    if not isinstance(adds, bool):
        text = f"`adds` of `{where}` must be True or False; got {said(adds)}."
        raise DTypeError(text, where=where, field="adds", value=adds, allowed="True or False")


@options
@dataclass(frozen=True, eq=False, repr=False, slots=True)
class Edge:
    """From the outputs of one node to the inputs of another.

    Args:
        source: a name in `Graph.nodes`; `block/port` for an output of a sub-graph.
        target: likewise; `block/port` for an input of a sub-graph.
        source_indices: the channels that are taken, in the flattened output of the source; `None` for all, in order.
        target_indices: the channels that they go to, in the flattened input of the target; `None` for all, in order.
        adds: that a channel which arrives more than once at the same channel is meant to count more than once.

    Without indices both shapes must be equal. Channel `source_indices[k]` goes to `target_indices[k]`.

    Raises:
        DTypeError: a name is no string, or indices are no integers.

    >>> from snnjax import graph
    >>> graph.Edge("hidden", "out", target_indices=[0, 2])
    Edge('hidden', 'out', target_indices=[0, 2])
    """

    source: str
    target: str
    source_indices: Any = None
    target_indices: Any = None
    adds: bool = False

    def __post_init__(self) -> None:
        if not (isinstance(self.source, str) and isinstance(self.target, str)):
            field = "source" if not isinstance(self.source, str) else "target"
            wanted = "the name of a node"
            raise DTypeError(
                f"`{field}` of `Edge` must be {wanted}; got {said(getattr(self, field))}.",
                where="Edge", field=field, value=getattr(self, field), allowed=wanted,
            )  # fmt: skip
        check_adds(self.adds, "Edge")
        for field in ("source_indices", "target_indices"):
            if getattr(self, field) is not None:
                object.__setattr__(self, field, indices_of(getattr(self, field), field, "Edge"))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Edge):
            return NotImplemented
        return self is other or same(self._key(), other._key())

    def __hash__(self) -> int:
        return hash((self.source, self.target, self.adds))

    def _key(self) -> tuple[Any, ...]:
        return self.source, self.target, self.source_indices, self.target_indices, self.adds

    def __repr__(self) -> str:
        indices = {"source_indices": self.source_indices, "target_indices": self.target_indices}
        text = [f"{name}={it.tolist() if it.size <= 8 else describe(it)}" for name, it in indices.items() if it is not None]
        return f"Edge({', '.join([repr(self.source), repr(self.target), *text, *(['adds=True'] if self.adds else [])])})"

    def __reduce__(self) -> Any:
        return Edge, self._key()
