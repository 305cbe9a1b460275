"""A row of the battery: one public function, one thing wrong, and the answer that a user should get.

An `entry` is a function with a good call; `wrong` values of the kind of each argument, from `battery_kinds`, make its rows.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from snnjax import ConfigError, SnnjaxError

MISSING = object()
#: Where what came has no short description: something must be said.
UNTOLD = object()
Errors = type[SnnjaxError] | tuple[type[SnnjaxError], ...]


class Wrong(NamedTuple):
    """A wrong value: the case of the battery that it stands for, in words, itself, which errors may answer it, and as what."""

    case: str
    name: str
    value: Any
    errors: Errors
    came: Any = MISSING

    @property
    def told(self) -> Any:
        """What the error should hold of it."""
        return self.value if self.came is MISSING else self.came


class Row(NamedTuple):
    """A call that must be refused.

    Attributes:
        entry: the public name, "functional.simulate".
        argument: which of its arguments is wrong; or several, with blanks between.
        case: as in the list of cases, "A1"; or their letter alone.
        name: what is wrong, unique within the entry.
        call: of a factor of 1 for its good numbers, which is traced inside a transformation; or of `None`.
        errors: the class that the error must be of.
        field: its `field`.
        came: its `value`, or what that may describe by type, dtype or shape.
        inside: whether it is refused inside transformations too; not where what is wrong becomes a traced value there.
    """

    entry: str
    argument: str
    case: str
    name: str
    call: Callable[[Any], Any]
    errors: Errors
    field: str
    came: Any
    inside: bool = True

    @property
    def title(self) -> str:
        return f"{self.entry}: {self.name}"


def row(
    entry: str, case: str, name: str, errors: Errors, field: str, came: Any, call: Callable[[], Any], argument: str | None = None
) -> Row:
    """A row whose call has nothing to trace; the argument is that of its field, unless it is given."""
    argument = field.split(".")[0].split("[")[0] if argument is None else argument
    return Row(entry, argument, case, name, lambda one: call(), errors, field, came)


def entry(
    name: str,
    function: Callable[..., Any],
    good: Mapping[str, Any],
    /,
    *,
    traced: str = "",
    fields: Mapping[str, str] = {},  # noqa: B006
    also: Iterable[Wrong | tuple[Wrong, Mapping[str, Any]]] = (),
    **kinds: Sequence[Wrong],
) -> list[Row]:
    """The rows of one function.

    Args:
        name: as of a `Row`.
        function: what is called, by keywords.
        good: arguments that it accepts.
        traced: the one of them that is a traced value inside a transformation.
        fields: under which name the error knows an argument, where that is another.
        also: more rows, of which `case`, `name` and `errors` are as in `Wrong`; their `value` is the pair (field, value) of the
            error, and the arguments that make it are given beside.
        kinds: for each argument the wrong values of its kind.
    """

    def calling(given: Mapping[str, Any]) -> Callable[[Any], Any]:
        def call(one: Any) -> Any:
            arguments = {**good, **given}
            if one is not None and traced and traced not in given:
                arguments[traced] = jax.tree.map(lambda leaf: leaf * one, arguments[traced])
            own = [arguments.pop("self")] if "self" in arguments else []
            return function(*own, **{key: value for key, value in arguments.items() if value is not MISSING})

        return call

    def made(argument: str, wrong: Wrong) -> Row:
        label, field = f"{argument} {wrong.name}", fields.get(argument, argument)
        return Row(name, argument, wrong.case, label, calling({argument: wrong.value}), wrong.errors, field, wrong.told)

    rows = [made(argument, wrong) for argument, kind in kinds.items() for wrong in kind]
    for wrong, given in also:  # type: ignore[misc]
        field, came = wrong.value
        argument = " ".join(given) if given else field
        rows.append(Row(name, argument, wrong.case, wrong.name, calling(given), wrong.errors, field, came))
    return [*rows, *_of_keywords(name, function, calling)]


def _of_keywords(name: str, function: Callable[..., Any], calling: Callable[[Mapping[str, Any]], Callable[[Any], Any]]) -> list[Row]:
    """One keyword too many, and each that is needed left out."""
    rows = [Row(name, "nonsense", "D1", "an unknown keyword", calling({"nonsense": 1}), ConfigError, "nonsense", 1)]
    for argument, it in inspect.signature(function).parameters.items():
        if it.kind is it.KEYWORD_ONLY and it.default is it.empty:
            rows.append(Row(name, argument, "D2", f"{argument} missing", calling({argument: MISSING}), ConfigError, argument, None))
    return rows


def tells(value: Any, came: Any) -> bool:
    """Whether the `value` of an error is what came, or names its type, its dtype, its shape or one of its elements."""
    if came is UNTOLD:
        return value is not None
    if _same(value, came):
        return True
    kind = came if isinstance(came, type) else type(came)
    described = [kind.__name__, getattr(came, "__name__", None), _shape(came), str(getattr(came, "dtype", ""))]
    if any(isinstance(value, type(text)) and value == text for text in described if text not in (None, "")):
        return True
    if isinstance(value, str) and value:
        return any(isinstance(text, str) and text and text in value for text in described)
    numbers = np.asarray(came) if isinstance(came, np.ndarray) or isinstance(came, list) and _shape(came) else np.zeros(0)
    return numbers.dtype.kind in "fi" and any(_same(value, float(x)) for x in numbers.ravel())


def _shape(value: Any) -> Any:
    try:
        return np.shape(value)
    except ValueError:  # a ragged list
        return None


def _same(a: Any, b: Any) -> bool:
    if a is b:
        return True
    if isinstance(a, np.ndarray | jax.Array) or isinstance(b, np.ndarray | jax.Array):
        return type(a) is type(b) and np.shape(a) == np.shape(b) and np.array_equal(a, b)
    both_nan = isinstance(a, float) and isinstance(b, float) and np.isnan(a) and np.isnan(b)
    return both_nan or (type(a) is type(b) or isinstance(a, int | float) and isinstance(b, int | float)) and bool(a == b)
