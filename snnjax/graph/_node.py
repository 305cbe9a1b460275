"""What all nodes have in common: they are frozen, compare by value, and know the shapes of one step."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ._data import Shape, describe, flat_params, same


class Node:
    """A node of a graph; the base of all kinds, for `isinstance` and `graph.find`.

    Attributes:
        input_shape: what arrives in one step, without batch and time.
        output_shape: what leaves in the same step.
    """

    if TYPE_CHECKING:  # not at run time: `input_shape` is a field of some kinds

        @property
        def input_shape(self) -> Shape: ...

        @property
        def output_shape(self) -> Shape: ...

    def fields(self) -> Iterator[tuple[str, Any]]:
        """Names and values, in the order of the constructor."""
        for name in type(self).__dataclass_fields__:  # type: ignore[attr-defined]
            yield name, getattr(self, name)

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Node):
            return NotImplemented
        if type(self) is not type(other):
            return False
        return self is other or all(same(mine, yours) for (_, mine), (_, yours) in zip(self.fields(), other.fields(), strict=True))

    def __hash__(self) -> int:
        return hash((type(self).__name__, self.output_shape))  # what `input_shape` is may depend on what is registered

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self.described())})"

    def described(self, without: Collection[str] = ()) -> Iterator[str]:
        """The fields in short: numbers as they are, arrays by dtype and shape, what is `None` not at all."""
        for name, value in self.fields():
            if name == "choices" and value is not None:
                yield from (f"{choice}={it['name'] if isinstance(it, Mapping) and 'name' in it else it}" for choice, it in value.items())
            elif isinstance(value, Mapping):
                yield from (f"{inner}={describe(number)}" for inner, number in flat_params(value))
            elif value is not None and name not in without:
                yield f"{name}={describe(value)}"

    def __reduce__(self) -> Any:
        return _made, (type(self), dict(self.fields()))


def _made(kind: type, fields: dict[str, Any]) -> Any:
    return kind(**fields)
