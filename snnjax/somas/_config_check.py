"""What a config refuses, before anything is built."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._errors import DTypeError, ShapeError
from ..functional._check import check_params
from ..functional._concrete import check_domain, check_real, describe
from ._choices import check_choice, choices_of
from ._fields import Field, fields_of, params_with
from ._initialisers import Constant, Initialiser


def check_config(config: Any) -> None:
    """Every field alone, then the fields against each other.

    Raises:
        ParameterError: a value is outside its domain, or the fields contradict each other.
        ShapeError: an array does not fit the shape.
        DTypeError: a value is no number.
        ConfigError: a choice is of another kind.
    """
    where = type(config).__name__
    drawn: dict[str, Any] = {}
    known: dict[str, Any] = {}
    for name, field in fields_of(config.neuron).items():
        value = getattr(config, name)
        if isinstance(value, Initialiser):
            _check_support(value, field, where)
            _check_groups(value, field, config.shape, where)
            if isinstance(value, Constant) and field.kind.axes == "neuron":
                known[name] = value.value
            else:
                drawn[name] = jax.ShapeDtypeStruct(field.full(config.shape), jnp.float32)
        else:
            check_real(value, name, where, "a number, an array of numbers or an initialiser such as `somas.Uniform`")
            _check_shape(value, field, config.shape, where)
            check_domain(value, name, field.kind, where)
            if is_filled(value, field):
                drawn[name] = jax.ShapeDtypeStruct(field.full(config.shape), jnp.float32)
    for name, default in choices_of(config.neuron).items():
        check_choice(name, getattr(config, name), default, where)
    config.choices()  # the record of choices has checks of its own
    given = {name: known.get(name, getattr(config, name)) for name in fields_of(config.neuron) if name not in drawn}

    def check(drawn: Any) -> None:
        check_params(params_with(config.neuron, {**given, **drawn}), config.shape, config.neuron.ports, (), where)

    # What is drawn later is traced now, and the check passes over what is traced.
    jax.eval_shape(check, drawn)


def is_filled(value: Any, field: Field) -> bool:
    """Whether `value` is a single number that stands for a whole matrix."""
    return field.kind.axes == "pre post" and np.shape(value) == ()


_X64 = ' For float64 call `jax.config.update("jax_enable_x64", True)` first.'


def check_dtype(dtype: Any, where: str) -> Any:
    """`dtype`, or JAX's float; refused where JAX would silently take another."""
    if dtype is None:
        return jax.dtypes.canonicalize_dtype(float)
    try:
        name = jnp.dtype(dtype).name
    except TypeError:
        name = describe(dtype)
    else:
        if jnp.issubdtype(dtype, jnp.floating) and jax.dtypes.canonicalize_dtype(dtype) == jnp.dtype(dtype):
            return jnp.dtype(dtype)
    raise DTypeError(
        f"`dtype` of `{where}` must be a floating dtype that JAX has switched on; got {name}.{_X64 if name == 'float64' else ''}",
        where=where,
        field="dtype",
        value=name,
        allowed="float32; float64 under x64",
    )


def _check_support(value: Initialiser, field: Field, where: str) -> None:
    # An unbounded distribution may be fine: ten standard deviations from 0 it is. What it gives is checked when drawn.
    for bound in value.support():
        if math.isfinite(bound):
            check_domain(bound, field.name, field.kind, where)


def _check_groups(value: Initialiser, field: Field, shape: tuple[int, ...], where: str) -> None:
    try:
        value.check_shape(field.full(shape))
    except ShapeError as error:
        raise ShapeError(f"`{field.name}`: {error}", where=where, field=field.name, value=error.value, allowed=error.allowed) from None


def _check_shape(value: Any, field: Field, shape: tuple[int, ...], where: str) -> None:
    fits = field.fits(shape)
    if np.shape(value) in fits:
        return
    wanted = " or ".join(dict.fromkeys(map(str, fits)))
    raise ShapeError(
        f"`{field.name}` has shape {np.shape(value)}, which does not fit `shape` {shape} of this `{where}`; expected {wanted}. "
        "Give one value for all, or an array of exactly that shape.",
        where=where,
        field=field.name,
        value=np.shape(value),
        allowed=wanted,
    )
