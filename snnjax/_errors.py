"""The errors of snnjax: every one names the field, what came and what is allowed.

>>> import snnjax
>>> error = snnjax.ParameterError("`tau_mem` must be > 0 s; got 0.0.", field="tau_mem", value=0.0, allowed="> 0 s")
>>> isinstance(error, ValueError), error.field, error.value, error.allowed
(True, 'tau_mem', 0.0, '> 0 s')
"""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any, ParamSpec, TypeVar

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


class GraphError(SnnjaxError, ValueError):
    """A network graph is not well formed."""


class HardwareError(SnnjaxError, ValueError):
    """A chip cannot do what was asked."""


class FormatError(SnnjaxError, ValueError):
    """A file or text is not what it claims to be."""


class NumericsError(SnnjaxError, ArithmeticError):
    """A running simulation produced NaN or infinity."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: the nearest known one, then all of them."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean `{near[0]}`? " if near else ""
    return f"{hint}Known names: {', '.join(known)}."


def refuses_unknown_keywords(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Decorate `function` so that a misspelt keyword is answered with the name that was meant."""
    known = list(inspect.signature(function).parameters)

    @functools.wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        for name in kwargs:
            if name not in known:
                raise UnknownKeywordError(
                    f"`{name}` is not an argument of `{function.__name__}`. {did_you_mean(name, known)}",
                    where=function.__name__,
                    field=name,
                    value=kwargs[name],
                    allowed=", ".join(known),
                )
        return function(*args, **kwargs)

    return call


def parameters(record: _C) -> _C:
    """Decorate a NamedTuple class so that an unknown field name is answered with the one that was meant."""
    fields: tuple[str, ...] = record._fields  # type: ignore[attr-defined]
    create = record.__new__

    @functools.wraps(create)
    def new(cls: type, *args: Any, **kwargs: Any) -> Any:
        for name in kwargs:
            if name not in fields:
                raise UnknownKeywordError(
                    f"`{name}` is not a parameter of `{record.__name__}`. {did_you_mean(name, fields)}",
                    where=record.__name__,
                    field=name,
                    value=kwargs[name],
                    allowed=", ".join(fields),
                )
        return create(cls, *args, **kwargs)

    record.__new__ = new  # type: ignore[method-assign]
    return record
