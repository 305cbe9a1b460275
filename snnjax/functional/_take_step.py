"""What every step does around the model's own arithmetic: one dtype, batch axes, and refusing what is wrong in names, types and shapes.

No values but `dt` are looked at, and nothing is added to a program: `simulate` looks at all, once for a whole run.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, ParamSpec, TypeVar

import numpy as np

from .._errors import DTypeError, ShapeError, refuses_unknown_keywords
from .._kinds import Kind, annotated
from ._cast import at_least_float32, float_dtype, numbers_as, state_as
from ._concrete import Shape, check_array, check_dt, check_real, describe
from ._rank import beside, membrane_shape

_P = ParamSpec("_P")
_R = TypeVar("_R")

Move = Callable[[Any, Any, Any, Any, Any], tuple[Any, Any]]


def take_step(move: Move, params: Any, state: Any, inputs: Any, dt: Any, config: Any) -> tuple[Any, Any]:
    """`move(params, state, inputs, dt, config) -> (state, output)` in the state's dtype, in float32 at least.

    Returns:
        The new state, with the dtypes and shapes of the old one, and the output in the state's dtype.

    Raises:
        DTypeError: `params`, `state` or `config` is not of this model, or something is no number that has to be one.
        ShapeError: `inputs` or a parameter does not fit `state`, or the step would change its shape.
        ParameterError: `dt` is not positive and finite.
    """
    _check_nest(params, "params")
    _check_nest(state, "state")
    check_dt(dt, "step")
    population, numbers = membrane_shape(state), list(annotated(params))
    _check_inputs(inputs, any(kind.axes == "synapse" for _, _, kind in numbers), population)
    _check_params(numbers, population)
    stored = float_dtype(state)
    working = at_least_float32(stored)
    params, inputs, dt = numbers_as((params, inputs, dt), working)
    before = state_as(state, working)
    params = beside(params, before)
    try:
        after, output = move(params, before, inputs, dt, config)
    except AttributeError as error:
        _name_the_record(error, params=params, state=before, config=config)
        raise
    _check_shapes_kept(before, after)
    return state_as(after, stored), output.astype(stored)


def checked_init(init: Callable[_P, _R]) -> Callable[_P, _R]:
    """Decorate the `init` of a model: Params of another model, and keywords that it does not have, are answered in a sentence."""

    @refuses_unknown_keywords
    @functools.wraps(init)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        params = args[0] if args else kwargs.get("params")
        _check_nest(params, "params", "init")
        try:
            return init(*args, **kwargs)
        except AttributeError as error:
            _name_the_record(error, params=params)
            raise

    return call


def _check_nest(record: Any, field: str, where: str = "step") -> None:
    """A NamedTuple, down to the innermost model."""
    if not hasattr(record, "_fields") or isinstance(record, type):
        what = "the Params of the model" if field.startswith("params") else "the State that the model's `init` makes"
        text = f"`{field}` must be {what}; got {describe(record)}."
        raise DTypeError(text, where=where, field=field, value=type(record).__name__, allowed=what)
    if "neuron" in record._fields:
        _check_nest(record.neuron, f"{field}.neuron", where)


def _check_inputs(inputs: Any, has_synapses: bool, population: Shape) -> None:
    parts = {f"inputs.{name}": x for name, x in inputs._asdict().items() if x is not None} if hasattr(inputs, "_fields") else {}
    for name, value in (parts or {"inputs": inputs}).items():
        if not isinstance(value, int | float):
            check_array(value, name, "step")
        shape = np.shape(value)
        if has_synapses and name in ("inputs", "inputs.inputs") and len(shape) > 1:
            shape = shape[:-2] + shape[-1:]
        if not _fits(shape, population):
            allowed = f"(..., synapses, {population[-1]})" if has_synapses else str(population)
            text = f"`{name}` of a step must have shape {allowed}, for a `state` of shape {population}; got {np.shape(value)}."
            raise ShapeError(text, where="step", field=name, value=np.shape(value), allowed=allowed)


def _check_params(numbers: list[tuple[str, Any, Kind]], population: Shape) -> None:
    for name, value, kind in numbers:
        check_real(value, name, "step")
        shape, n = np.shape(value), population[-1:]
        # The rows of a weight are neurons that send: inside `jax.shard_map` there may be more of them than receive.
        fits = {"neuron": _fits(shape, population), "synapse": True, "pre post": not n or shape[-1:] == n and len(shape) > 1}
        if not fits[kind.axes]:
            allowed = f"(..., {n[0]}, {n[0]})" if kind.axes == "pre post" else f"() or {n}"
            text = f"`{name}` has shape {shape}, which does not fit a `state` of shape {population}; expected {allowed}."
            raise ShapeError(text, where="step", field=name, value=shape, allowed=allowed)


def _fits(shape: Shape, population: Shape) -> bool:
    """Whether an array of that shape beside the population leaves it as it is."""
    try:
        return not population or np.broadcast_shapes(shape, population) == population
    except ValueError:
        return False


def _parts(record: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Everything in a nest of records, with its path."""
    yield path, record
    if hasattr(record, "_fields"):
        for name, value in zip(record._fields, record, strict=True):
            yield from _parts(value, f"{path}.{name}")


def _name_the_record(error: AttributeError, **records: Any) -> None:
    """A field that is missing in one of `records` is told as that; any other missing attribute is not."""
    for path, part in (entry for name, record in records.items() for entry in _parts(record, name)):
        if part is error.obj or hasattr(part, "_fields") and type(part) is type(error.obj):
            raise DTypeError(
                f"`{path}` has no `{error.name}`, which this model reads; got {describe(part)}. Use Params, State and config of one model.",
                where="step",
                field=path,
                value=type(part).__name__,
                allowed=f"a record with `{error.name}`",
            ) from None


def _check_shapes_kept(before: Any, after: Any) -> None:
    """A step keeps the shapes of the state; one number may stand for all neurons."""
    for (path, old), (_, new) in zip(_parts(before, "state"), _parts(after, "state"), strict=True):
        was, becomes = getattr(old, "shape", ()), getattr(new, "shape", ())
        if was and was != becomes:
            text = f"`{path}` has shape {was}, and a step keeps it; but inputs and parameters make it {becomes}."
            raise ShapeError(text, where="step", field=path, value=was, allowed=str(becomes))
