"""What an IAF layer refuses: when it is made, and before it runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

import jax
import jax.numpy as jnp
import numpy as np

from .. import functional as F
from .._errors import ConfigError, DTypeError, ShapeError, UnknownKeywordError, did_you_mean
from .._kinds import Kind
from ..functional._concrete import check_domain, check_key, check_real, describe
from ._choices import choices_of
from ._fields import fields_of

Shape = tuple[int, ...]
_NUMBERS = (jnp.floating, jnp.integer, jnp.bool_)


def check_membrane(neuron: Any, where: str) -> None:
    """`neuron` takes one current, held over the step, and has neither synapses nor recurrence of its own."""
    wanted = "a neuron under a current, such as `F.refractory(F.leaky)` or `F.refractory(F.integrate_and_fire)`"
    if not isinstance(neuron, F.Neuron):
        raise DTypeError(f"`neuron` must be {wanted}; got {describe(neuron)}.", where=where, field="neuron", value=neuron, allowed=wanted)
    fields = fields_of(neuron)
    reasons = {
        "does not spike": not neuron.spiking,
        "gives no phases": neuron.phases is None,
        "has synapses of its own; the layer brings them, with `tau_syn`": bool(neuron.ports) or "tau_syn" in fields,
        "has weights of its own; the layer brings them": "weight" in fields,
        "takes several kinds of input": neuron.gates is not None,
        "takes jumps of its membrane": "delta(" in neuron.name,
    }
    for reason, holds in reasons.items():
        if holds:
            raise DTypeError(
                f"`neuron` must be {wanted}; {neuron.name!r} {reason}.", where=where, field="neuron", value=neuron.name, allowed=wanted
            )


def check_fields(fields: Mapping[str, Any], neuron: F.Neuron, own: Iterable[str], where: str) -> None:
    """The keywords are the layer's `own`, parameters of `neuron`, or choices."""
    known = [*own, *fields_of(neuron), *choices_of(neuron)]
    for name in fields:
        if name not in known:
            raise UnknownKeywordError(
                f"`{name}` is not an argument of `{where}`. {did_you_mean(name, known)}",
                where=where,
                field=name,
                value=fields[name],
                allowed=", ".join(known),
            )


def as_matrices(weight: Any, weight_rec: Any, dtype: Any, where: str) -> tuple[jax.Array | None, jax.Array | None]:
    """The matrices of a layer, `(in, out)` and `(out, out)`, of `dtype`; what is `None` stays so."""
    if weight_rec is not None:
        _check_matrix_fits(weight_rec, "weight_rec", None, where)
    if weight is not None or weight_rec is None:
        _check_matrix_fits(weight, "weight", None if weight_rec is None else np.shape(weight_rec)[1], where)
    back, given = (None if value is None else jnp.asarray(value, dtype) for value in (weight_rec, weight))
    return given, back


def check_matrix(value: Any, name: str, where: str) -> None:
    """`value` is made of real numbers."""
    check_real(value, name, where, "a matrix of real numbers, from sender (row) to receiver (column)")


def _check_matrix_fits(value: Any, name: str, out: int | None, where: str) -> None:
    check_matrix(value, name, where)
    square = name == "weight_rec"
    shape = np.shape(value)
    fits = len(shape) == 2 and (out is None or shape[1] == out) and (not square or shape[0] == shape[1])
    if not fits:
        n = "n" if out is None else out
        wanted = f"({n}, {n})" if square else f"(inputs, {n})"
        raise ShapeError(
            f"`{name}` must have shape {wanted}, rows that send and columns that receive; got {shape}.",
            where=where,
            field=name,
            value=shape,
            allowed=wanted,
        )
    check_domain(value, name, Kind("weight", "1"), where)


def check_sigma(sigma: Any, where: str) -> None:
    """`sigma` is a number or several, none of them negative."""
    check_real(sigma, "sigma", where)
    check_domain(sigma, "sigma", Kind("potential", "V", "nonnegative"), where)


def check_tau(tau: Any, name: str, n: int, where: str) -> None:
    """`tau` is a positive time constant, one or one per neuron."""
    check_real(tau, name, where, "a number, one per neuron, or an initialiser such as `somas.LogNormal`")
    if np.shape(tau) not in ((), (n,)):
        raise ShapeError(
            f"`{name}` must be one number or one per neuron, ({n},); got shape {np.shape(tau)}.",
            where=where,
            field=name,
            value=np.shape(tau),
            allowed=f"() or ({n},)",
        )
    check_domain(tau, name, Kind("time_constant", "s", "positive"), where)


def read_inputs(inputs: Any, channels: int, n: int, time: int, where: str) -> tuple[F.Injected, Shape]:
    """The inputs as they came, and the axes in front of the last, `time` of which are of time.

    Raises:
        DTypeError: something is no array of real numbers.
        ShapeError: an array does not fit the layer, or the others.
    """
    given = inputs if isinstance(inputs, F.Injected) else F.Injected(inputs)
    if inputs is None:
        _lead(None, "inputs", channels, time, where)
    arrays = {name: array for name, array in given._asdict().items() if array is not None}
    leads = {name: _lead(array, name, channels if name == "inputs" else n, time, where) for name, array in arrays.items()}
    if len(set(leads.values())) != 1:
        wanted = f"the same {'time and ' if time else ''}batch axes in each of its arrays"
        text = f"`inputs` must have {wanted}; got {leads or 'none at all'}."
        raise ShapeError(text, where=where, field="inputs", value=leads, allowed=wanted)
    return F.Injected(**arrays), next(iter(leads.values()))


def _lead(array: Any, name: str, width: int, time: int, where: str) -> Shape:
    field = "inputs" if name == "inputs" else f"inputs.{name}"
    known = isinstance(array, jax.Array | np.ndarray | np.generic) and any(jnp.issubdtype(array.dtype, kind) for kind in _NUMBERS)
    if not known:
        wanted = "an array of real numbers, or `F.Injected` of such arrays"
        raise DTypeError(f"`{field}` must be {wanted}; got {describe(array)}.", where=where, field=field, value=array, allowed=wanted)
    shape = np.shape(array)
    if len(shape) < 1 + time or shape[-1] != width:
        axes = ", ".join([*(["T"] if time else []), "...", str(width)])
        raise ShapeError(
            f"`{field}` must have shape ({axes}){', time first' if time else ''}; got {shape}.",
            where=where,
            field=field,
            value=shape,
            allowed=f"({axes})",
        )
    return shape[:-1]


def check_start(layer: Any, dt: Any, key: Any) -> None:
    """`dt` and `key` are what the state of this layer needs."""
    where = type(layer).__name__
    delayed = next((name for name in ("delay", "delay_rec") if getattr(layer, name) is not None), None)
    if dt is None and delayed is not None:
        raise ConfigError(
            f"`dt` is missing: the state of a `{where}` with a `{delayed}` holds as many steps as the longest takes. Use "
            "`init(batch_shape, dt=...)`, or let `simulate` start from `state=None`.",
            where=where,
            field="dt",
            allowed="the length of a step in seconds",
        )
    if key is not None:
        check_key(key, where)
    if key is not None and layer.noise is None:
        refuse_key(key, f"`key` has no use: this `{where}` has no noise. Leave it out, or make the layer with `sigma`.", where)


def check_state(state: Any, wanted: type, where: str) -> None:
    """`state` is one of an IAF layer."""
    if not isinstance(state, wanted):
        text = f"`state` must be an `{wanted.__name__}`; got {describe(state)}. Start from `init(batch_shape)`."
        raise DTypeError(text, where=where, field="state", value=type(state).__name__, allowed=wanted.__name__)


def check_batch(batch: Shape, of_state: Shape, where: str) -> None:
    """The inputs of one step have the batch axes of the state."""
    if batch != of_state:
        raise ShapeError(
            f"`inputs` of one step must have the batch axes {of_state} of the state; got {batch}. For a sequence use `simulate`; for a "
            "batch start from `init(batch_shape)`.",
            where=where,
            field="inputs",
            value=batch,
            allowed=str(of_state),
        )


def refuse_key(key: Any, text: str, where: str) -> NoReturn:
    """A key that is missing, or one too many."""
    raise ConfigError(text, where=where, field="key", value=key, allowed="one key, where a run of a layer with noise starts")
