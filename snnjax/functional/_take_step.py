"""What every step does around the model's own arithmetic: one dtype, batch axes, and what is wrong already in its shapes and names.

Values are not looked at, and nothing is added to a program: `simulate` looks at them, once for a whole run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from .._errors import DTypeError, ShapeError
from .._kinds import Kind
from ._cast import at_least_float32, float_dtype, numbers_as, state_as
from ._concrete import check_array, check_domain, check_real, describe
from ._rank import beside

Move = Callable[[Any, Any, Any, Any], tuple[Any, Any]]


def take_step(move: Move, params: Any, state: Any, inputs: Any, dt: Any) -> tuple[Any, Any]:
    """`move(params, state, inputs, dt) -> (state, output)` in the state's dtype, in float32 at least.

    Returns:
        The new state, with the dtypes and shapes of the old one, and the output in the state's dtype.

    Raises:
        DTypeError: `params` or `state` is no record of this model, or `inputs` or `dt` is not a number.
        ShapeError: the shapes of `state`, `inputs` and `params` do not go together.
    """
    check_nest(params, "params")
    check_nest(state, "state")
    _check_inputs(inputs)
    _check_dt(dt)
    stored = float_dtype(state)
    working = at_least_float32(stored)
    params, inputs, dt = numbers_as((params, inputs, dt), working)
    before = state_as(state, working)
    params = beside(params, before)
    try:
        after, output = move(params, before, inputs, dt)
    except AttributeError as error:
        _name_the_record(error, params, before)
        raise
    except (TypeError, ValueError):
        _name_the_shapes(params, before, inputs)
        raise
    _check_shapes_kept(before, after, inputs)
    return state_as(after, stored), output.astype(stored)


def check_nest(record: Any, field: str, where: str = "step") -> None:
    """A NamedTuple, down to the innermost model."""
    if not hasattr(record, "_fields") or isinstance(record, type):
        what = "the Params of the model" if field.startswith("params") else "the State that the model's `init` makes"
        text = f"`{field}` must be {what}; got {describe(record)}."
        raise DTypeError(text, where=where, field=field, value=type(record).__name__, allowed=what)
    if "neuron" in record._fields:
        check_nest(record.neuron, f"{field}.neuron", where)


def _check_inputs(inputs: Any) -> None:
    if hasattr(inputs, "_fields"):
        for name, value in inputs._asdict().items():
            if value is not None:
                _check_number(value, f"inputs.{name}")
    else:
        _check_number(inputs, "inputs")


def _check_number(value: Any, field: str) -> None:
    if not isinstance(value, int | float):
        check_array(value, field, "step")


def _check_dt(dt: Any) -> None:
    check_real(dt, "dt", "step", "one real number, the length of a step in seconds")
    if np.shape(dt) != ():
        text = f"`dt` must be one number for the whole step; got shape {np.shape(dt)}."
        raise ShapeError(text, where="step", field="dt", value=np.shape(dt), allowed="()")
    if isinstance(dt, int | float):
        check_domain(dt, "dt", Kind("duration", "s", "positive"), "step")


def _parts(record: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Everything in a nest of records, with its path."""
    yield path, record
    if hasattr(record, "_fields"):
        for name, value in zip(record._fields, record, strict=True):
            yield from _parts(value, f"{path}.{name}")


def _name_the_record(error: AttributeError, params: Any, state: Any) -> None:
    """A field that is missing in `params` or `state` is told as that; any other missing attribute is not."""
    for path, part in (*_parts(params, "params"), *_parts(state, "state")):
        if part is error.obj or hasattr(part, "_fields") and type(part) is type(error.obj):
            raise DTypeError(
                f"`{path}` of this step has no `{error.name}`; got {describe(part)}. Use the Params class and `init` of the same model.",
                where="step",
                field=path,
                value=type(part).__name__,
                allowed=f"a record with `{error.name}`",
            ) from None


def _name_the_shapes(params: Any, state: Any, inputs: Any) -> None:
    """Where `state`, `inputs` and `params` do not broadcast, say so; any other fault is not of shapes."""
    parts = (*_parts(state, "state"), *_parts(inputs, "inputs"), *_parts(params, "params"))
    shapes = {path: part.shape for path, part in parts if getattr(part, "shape", ())}
    try:
        np.broadcast_shapes(*shapes.values())
    except ValueError:
        told = ", ".join(f"`{path}` {shape}" for path, shape in shapes.items())
        raise ShapeError(
            f"The shapes of this step do not go together: {told}. A state has shape (..., N), and so have the inputs of the step.",
            where="step",
            field="inputs",
            value=np.shape(inputs) if not hasattr(inputs, "_fields") else tuple(map(np.shape, inputs)),
            allowed=str(max((np.shape(leaf) for leaf in jax.tree.leaves(state)), key=len)),
        ) from None


def _check_shapes_kept(before: Any, after: Any, inputs: Any) -> None:
    """A step keeps the shapes of the state; one number may stand for all neurons."""
    for (path, old), (_, new) in zip(_parts(before, "state"), _parts(after, "state"), strict=True):
        was = getattr(old, "shape", ())
        if was and was != np.shape(new):
            raise ShapeError(
                f"`{path}` has shape {was}, but inputs of shape {_told(inputs)} and the parameters make it {np.shape(new)}. A state is not "
                f"broadcast over a batch by itself: start from `init(params, {np.shape(new)})`.",
                where="step",
                field=path,
                value=was,
                allowed=str(np.shape(new)),
            )


def _told(inputs: Any) -> str:
    return " and ".join(dict.fromkeys(str(np.shape(leaf)) for leaf in jax.tree.leaves(inputs)))
