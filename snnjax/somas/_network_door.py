"""What a network refuses before it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

import jax
import jax.numpy as jnp
import numpy as np

from .._errors import DTypeError, ShapeError, did_you_mean
from ..functional._concrete import describe

Shape = tuple[int, ...]
_NUMBERS = (jnp.floating, jnp.integer, jnp.bool_)


def read_inputs(inputs: Any, shapes: Mapping[str, Shape], time: int) -> tuple[dict[str, Any], Shape]:
    """The inputs by name, as they came, and the axes that they have before those of one step, `time` of which are of time.

    Raises:
        ShapeError: an array does not fit its input, or their axes in front differ.
        DTypeError: `inputs` are no arrays of real numbers, or not for the inputs that there are.
    """
    if not isinstance(inputs, Mapping):
        if len(shapes) != 1:
            _refuse(f"a mapping from the names of the inputs, {', '.join(shapes)}; got {describe(inputs)}", inputs)
        inputs = {next(iter(shapes)): inputs}
    for name in inputs:
        if name not in shapes:
            _refuse(f"only for inputs that the network has; got one for {name!r:.100}. {did_you_mean(str(name)[:60], shapes)}", name)
    for name in shapes:
        if name not in inputs:
            _refuse(f"for all inputs of the network; {name!r:.100} is missing. Give zeros to one that is silent", name)
    given = {name: _array(inputs[name], name, shape, time) for name, shape in shapes.items()}
    leads = {name: x.shape[: x.ndim - len(shapes[name])] for name, x in given.items()}
    lead = next(iter(leads.values()))
    if any(other != lead for other in leads.values()):
        raise ShapeError(
            f"`inputs` must all have the same {'time and ' if time else ''}batch axes; got {leads}.",
            where="Network",
            field="inputs",
            value=leads,
            allowed="the same axes in front",
        )
    return given, lead


def _array(value: Any, name: str, shape: Shape, time: int) -> Any:
    is_array = isinstance(value, jax.Array | np.ndarray | np.generic)
    if not is_array or not any(jnp.issubdtype(value.dtype, kind) for kind in _NUMBERS):
        _refuse(f"an array of real numbers; got {describe(value)} for {name!r}", value)
    lead = value.ndim - len(shape)
    if lead < time or value.shape[lead:] != shape:
        axes = ", ".join([*(["T"] if time else []), "...", *map(str, shape)])
        raise ShapeError(
            f"`inputs` of {name!r} must have shape ({axes}){', time first' if time else ''}; got {value.shape}.",
            where="Network",
            field="inputs",
            value=value.shape,
            allowed=f"({axes})",
        )
    return value


def check_state(state: Any, wanted: Any, names: tuple[set[str], set[str]]) -> None:
    """`state` is of the class `wanted`, with an entry for each of the `names` of layers and of previous outputs."""
    if isinstance(state, wanted) and (set(state.layers), set(state.previous)) == names:
        return
    raise DTypeError(
        f"`state` must be a {wanted.__name__} of this network; got {describe(state)}. Start from `init(batch_shape)`.",
        where="Network",
        field="state",
        value=type(state).__name__,
        allowed="what `init`, a step or `simulate` gave",
    )


def _refuse(what: str, value: Any) -> NoReturn:
    raise DTypeError(
        f"`inputs` must be {what.removesuffix('.')}.", where="Network", field="inputs", value=value, allowed="an array, or arrays by name"
    )
