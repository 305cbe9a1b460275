"""How a config class shows itself: signature, help, tables; all made from the fields of its model."""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as np

from .._kinds import DOMAINS
from ._choices import choices_of, describe_choice, same_choice
from ._fields import Field, fields_of
from ._initialisers import Initialiser

#: A line of a table: field, value, unit, domain, meaning.
Row = tuple[str, str, str, str, str]


class _Shown:
    """A default in a signature, shown as one would write it."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def document(cls: type) -> None:
    """Give a config class its signature, a property per field, and a docstring that lists them."""
    neuron = cls.neuron  # type: ignore[attr-defined]
    fields, choices = fields_of(neuron), choices_of(neuron)
    for field in fields.values():
        setattr(cls, field.name, _property("_values", field.name, f"{_line(field)}."))
    for name, default in choices.items():
        setattr(cls, name, _property("_choices", name, f"A choice, by default `{describe_choice(default)}`."))
    cls.__signature__ = _signature(fields, choices)  # type: ignore[attr-defined]
    about = inspect.cleandoc(own) if (own := cls.__dict__.get("__doc__")) else f"The config of a soma with the neuron `{neuron.name}`."
    lines = [f"    {field.name}: {_line(field)}" for field in fields.values()]
    lines += [f"    {name}: a choice [{describe_choice(default)}]" for name, default in choices.items()]
    where = "Each parameter is a number, an array of the shape, or an initialiser such as `somas.Uniform`."
    cls.__doc__ = "\n".join([about, "", where, "", "Args:", "    shape: of the population, an integer or a tuple [()]", *lines])


def _property(store: str, name: str, doc: str) -> property:
    return property(lambda self: getattr(self, store)[name], doc=doc)


def _line(field: Field) -> str:
    domain = DOMAINS[field.kind.domain] if field.kind.domain != "real" else ""
    unit = "" if field.kind.unit == "1" else f", {field.kind.unit}"
    limits = f", {domain}" if domain else ""
    return f"{field.meaning}{unit}{limits} [{_number(field.default)}]"


def _signature(fields: Any, choices: dict[str, Any]) -> inspect.Signature:
    kind = inspect.Parameter.KEYWORD_ONLY
    parameters = [inspect.Parameter("shape", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=())]
    # The annotation of a parameter is its unit: it is what one wants to see while typing.
    parameters += [inspect.Parameter(f.name, kind, default=f.default, annotation=_Shown(f.kind.unit)) for f in fields.values()]
    parameters += [inspect.Parameter(name, kind, default=_Shown(describe_choice(default))) for name, default in choices.items()]
    parameters.append(inspect.Parameter("skip_validation", kind, default=False))
    return inspect.Signature(parameters)


def table(config: Any) -> str:
    """Every field of `config` in a row: value, unit, domain, meaning."""
    return aligned(type(config).__name__, [("shape", str(config.shape), "", "", "neurons"), *rows(config)])


def rows(config: Any) -> list[Row]:
    """The parameters and choices of `config`."""
    fields = fields_of(config.neuron)
    found = [(name, show(getattr(config, name)), it.kind.unit, DOMAINS[it.kind.domain], it.meaning) for name, it in fields.items()]
    return found + [(name, describe_choice(getattr(config, name)), "", "", "a choice") for name in choices_of(config.neuron)]


def aligned(title: str, rows: list[Row]) -> str:
    """A title, and the rows in columns."""
    rows = [("field", "value", "unit", "domain", "meaning"), *rows]
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([title, *lines])


def representation(config: Any) -> str:
    """The config as one would write it, without what is at its default."""
    shown = [f"shape={config.shape}"]
    for name, field in fields_of(config.neuron).items():
        value = getattr(config, name)
        if not (isinstance(value, float) and np.shape(field.default) == () and value == field.default):
            shown.append(f"{name}={show(value)}")
    for name, default in choices_of(config.neuron).items():
        value = getattr(config, name)
        if not same_choice(value, default):
            shown.append(f"{name}={describe_choice(value)}")
    return f"{type(config).__name__}({', '.join(shown)})"


def show(value: Any) -> str:
    """A value in a few characters: a number, an initialiser, or dtype, shape and range of an array."""
    if isinstance(value, np.ndarray) and value.ndim > 0:
        span = f", {_number(value.min())} to {_number(value.max())}" if value.size else ""
        return f"{value.dtype} {value.shape}{span}"
    return repr(value) if isinstance(value, Initialiser) else _number(value)


def _number(value: Any) -> str:
    if isinstance(value, np.ndarray) and value.ndim > 0:
        return ", ".join(map(_number, value.ravel()[:4]))
    try:
        # An array's own text has the digits of its dtype: 0.02, and not 0.019999999552965164.
        number = float(str(value)) if isinstance(value, np.ndarray | np.generic) else float(value)
    except (TypeError, ValueError):
        return str(value)
    return f"{number:g}" if math.isclose(number, float(f"{number:g}"), rel_tol=1e-9, abs_tol=0.0) else repr(number)
