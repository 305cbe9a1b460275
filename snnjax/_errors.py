"""The errors of snnjax: every one names the field, what came and what is allowed.

>>> import snnjax
>>> error = snnjax.ParameterError("`tau_mem` must be > 0 s; got 0.0.", field="tau_mem", value=0.0, allowed="> 0 s")
>>> isinstance(error, ValueError), error.field, error.value, error.allowed
(True, 'tau_mem', 0.0, '> 0 s')
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar

import numpy as np

_P = ParamSpec("_P")
_R = TypeVar("_R")
_C = TypeVar("_C", bound=type)


class SnnjaxError(Exception):
    """The base of all errors of snnjax.

    Attributes:
        where: the function or object that refused the input.
        field: the name of the offending argument or parameter.
        value: what came.
        allowed: what would have been accepted, in words.
    """

    def __init__(
        self, message: str = "", *, where: str | None = None, field: str | None = None, value: Any = None, allowed: str | None = None
    ) -> None:
        super().__init__(message)
        self.where, self.field, self.value, self.allowed = where, field, value, allowed


class ParameterError(SnnjaxError, ValueError):
    """A number is outside the domain of its parameter."""


class ShapeError(SnnjaxError, ValueError):
    """An array has a shape that does not fit."""


class DTypeError(SnnjaxError, TypeError):
    """An argument is of the wrong kind: its dtype, or its type."""


class ConfigError(SnnjaxError, ValueError):
    """A choice, an option or a key is unknown or does not go with the others."""


class UnknownKeywordError(ConfigError, TypeError):
    """A keyword that the function does not have; also a `TypeError`, as Python's own."""


class MissingKeywordError(ConfigError, TypeError):
    """A keyword that the function needs and did not get; also a `TypeError`, as Python's own."""


class GraphError(SnnjaxError, ValueError):
    """A network graph is not well formed."""


class HardwareError(SnnjaxError, ValueError):
    """A chip cannot do what was asked."""


class FormatError(SnnjaxError, ValueError):
    """A file or text is not what it claims to be."""


class NumericsError(SnnjaxError, ArithmeticError):
    """A running simulation produced NaN or infinity."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: the nearest known one, then all of them.

    >>> did_you_mean("tau_men", ["tau_mem", "v_th"])
    'Did you mean `tau_mem`? Known names: tau_mem, v_th.'
    """
    known = list(known)
    as_written = {candidate.lower(): candidate for candidate in known}
    near = difflib.get_close_matches(name.lower(), as_written, n=1)
    hint = f"Did you mean `{as_written[near[0]]}`? " if near else ""
    return f"{hint}Known names: {', '.join(known)}."


def refuses_unknown_keywords(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Decorate `function` so that a misspelt keyword is answered with the name that was meant, a missing one with its name."""
    arguments = inspect.signature(function).parameters
    known = [name for name in arguments if name != "self"]  # nobody gives that one by name
    needed = [name for name, it in arguments.items() if it.kind is it.KEYWORD_ONLY and it.default is it.empty]
    where = _written(function)

    @functools.wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        _refuse_unknown(kwargs, known, "an argument", where)
        _refuse_missing([name for name in needed if name not in kwargs], where)
        return function(*args, **kwargs)

    return call


def options(choices: _C) -> _C:
    """Decorate a dataclass so that an unknown field name is answered with the one that was meant."""
    create = choices.__init__
    arguments = inspect.signature(choices).parameters
    needed = [name for name, it in arguments.items() if it.kind is it.KEYWORD_ONLY and it.default is it.empty]

    @functools.wraps(create)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        _refuse_unknown(kwargs, list(arguments), "an option", choices.__name__)
        _refuse_missing([name for name in needed if name not in kwargs], choices.__name__)
        create(self, *args, **kwargs)

    choices.__init__ = init
    return choices


def parameters(record: _C) -> _C:
    """Decorate a NamedTuple class so that an unknown field name is answered with the one that was meant."""
    fields: tuple[str, ...] = record._fields  # type: ignore[attr-defined]
    defaults: Mapping[str, Any] = record._field_defaults  # type: ignore[attr-defined]
    create = record.__new__

    @functools.wraps(create)
    def new(cls: type, *args: Any, **kwargs: Any) -> Any:
        _refuse_unknown(kwargs, fields, "a parameter", record.__name__)
        _refuse_missing([name for name in fields[len(args) :] if name not in kwargs and name not in defaults], record.__name__)
        return create(cls, *args, **kwargs)

    record.__new__ = new  # type: ignore[method-assign]
    return record


def _written(function: Callable[..., Any]) -> str:
    """The name by which a user calls `function`: of `__init__` that of its class."""
    return function.__qualname__.split(".")[-2] if function.__name__ == "__init__" else function.__name__


def _refuse_unknown(given: Mapping[str, Any], known: Sequence[str], what: str, where: str) -> None:
    for name in given:
        if name not in known:
            raise UnknownKeywordError(
                f"`{name}` is not {what} of `{where}`. {did_you_mean(name, known)}",
                where=where,
                field=name,
                value=given[name],
                allowed=", ".join(known),
            )


def _refuse_missing(missing: Sequence[str], where: str) -> None:
    if missing:
        raise MissingKeywordError(
            f"`{missing[0]}` is missing: `{where}` has no default for it. Give it by name, `{missing[0]}=...`.",
            where=where,
            field=missing[0],
            allowed="a value",
        )


def describe(value: Any) -> str:
    """What came, in a word or two: dtype and shape of an array, the name of a function, else type and value.

    >>> describe(None), describe(2.5), describe([1, 2]), describe(np.zeros(3)), describe(len)
    ('None', 'the float 2.5', 'the list [1, 2]', 'float64 of shape (3,)', 'the function `len`')
    """
    jax = sys.modules.get("jax")  # graphs do without it
    if isinstance(value, np.ndarray | np.generic) or jax and isinstance(value, jax.Array):
        kind = {"U": "strings", "S": "bytes", "O": "objects"}.get(getattr(value.dtype, "kind", ""), value.dtype)
        return f"{kind} of shape {np.shape(value)}"
    if value is None:
        return "None"
    if isinstance(value, type):
        return f"the class `{value.__name__}`"
    if isinstance(value, np.dtype):
        return str(value)
    if hasattr(value, "_fields") or dataclasses.is_dataclass(value):
        return f"`{type(value).__name__}`"
    if callable(value):
        return f"the function `{getattr(value, '__name__', type(value).__name__)}`"
    return _shown(value)


def _shown(value: Any) -> str:
    """Type and value, where that is a short line without Python's own words for an object."""
    kind, text = type(value).__name__, repr(value)
    odd = not isinstance(value, str) and ("<" in text or "\n" in text)
    if isinstance(value, list | tuple | set | Mapping) and (odd or len(text) > 60):
        return f"a {kind} of length {len(value)}"
    if odd or text.startswith(f"{kind}("):
        return f"`{kind}`" if odd or len(text) > 60 else f"`{text}`"
    return f"the {kind} {text if len(text) <= 60 else f'{text[:56]}...{text[-1]}'}"
