"""The door: everything that can be known to be wrong before a simulation is compiled, refused in a sentence.

Shapes, dtypes and structure are checked always; values only where they are concrete. Under `jit` this happens while
tracing and leaves nothing in the program.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._errors import ConfigError, DTypeError, ParameterError, ShapeError
from .._kinds import Kind, kinds_of
from ._concrete import check_domain, check_real, concrete, describe, refuse_where
from ._neuron import Neuron, core

Shape = tuple[int, ...]


def check_dt(dt: Any, where: str) -> None:
    """`dt` is one positive, finite number, or a traced scalar."""
    check_real(dt, "dt", where)
    if np.shape(dt) != ():
        raise ShapeError(
            f"`dt` must be one number for the whole simulation; got shape {np.shape(dt)}. "
            "To sweep it, `jax.vmap` over `simulate` with a scalar `dt` each.",
            where=where,
            field="dt",
            value=np.shape(dt),
            allowed="()",
        )
    check_domain(dt, "dt", Kind("duration", "s", "positive"), where)


def check_record(params: Any, template: Any, neuron: str, field: str, where: str) -> None:
    """`params` (or a state) is the NamedTuple that the model works on, down to the innermost."""
    if type(params) is not type(template):
        wanted = f"{type(template).__name__}({', '.join(template._fields)})"
        raise DTypeError(
            f"`{field}` of `{neuron}` must be {wanted}; got {describe_record(params)}. "
            f"Use the {'Params class' if 'param' in field else '`init`'} of the same model.",
            where=where,
            field=field,
            value=type(params).__name__,
            allowed=wanted,
        )
    if "neuron" in template._fields:
        check_record(params.neuron, template.neuron, neuron, f"{field}.neuron", where)


def describe_record(value: Any) -> str:
    return f"a {type(value).__name__}" if isinstance(value, tuple) else describe(value)


def annotated(params: Any) -> Iterator[tuple[str, Any, Kind]]:
    """Every number in a nest of Params: its name, its value, its kind."""
    kinds = kinds_of(type(params))
    for name, value in zip(params._fields, params, strict=True):
        if name in kinds:
            yield name, value, kinds[name]
        elif name == "neuron":
            yield from annotated(value)


def population_of(neuron: Neuron, inputs: Any, where: str) -> Shape:
    """The population's shape that `inputs` `(T, ..., *ports, N)` imply."""
    if isinstance(inputs, list | tuple | str | dict) or inputs is None:
        raise DTypeError(
            f"`inputs` must be an array; got {describe(inputs)}. Convert it with `jnp.asarray(inputs)`.",
            where=where,
            field="inputs",
            value=type(inputs).__name__,
            allowed="an array of shape (T, ..., N)",
        )
    dtype = jnp.asarray(inputs).dtype if isinstance(inputs, int | float | bool) else getattr(inputs, "dtype", None)
    if dtype is None or not (jnp.issubdtype(dtype, jnp.floating) or jnp.issubdtype(dtype, jnp.integer) or dtype == np.dtype(bool)):
        raise DTypeError(
            f"`inputs` must be real (float; integers and booleans are cast); got {describe(inputs)}.",
            where=where,
            field="inputs",
            value=str(dtype),
            allowed="float, integer or bool",
        )
    shape, ports = np.shape(inputs), neuron.ports
    axes = ", ".join(("T", "...", *map(str, ports), "N"))
    if len(shape) < 1 + (len(ports) + 1 if ports else 0):
        raise _inputs_error(shape, f"`inputs` must have time as their leading axis, ({axes}); got shape {shape}.", axes, where)
    if not ports:
        return shape[1:]
    if shape[-1 - len(ports) : -1] != ports:
        text = f"`inputs` of `{neuron.name}` must have shape ({axes}), one current per synapse; got {shape}."
        raise _inputs_error(shape, text, axes, where)
    return shape[1 : -1 - len(ports)] + shape[-1:]


def _inputs_error(shape: Shape, text: str, allowed: str, where: str) -> ShapeError:
    return ShapeError(text, where=where, field="inputs", value=shape, allowed=f"({allowed})")


def check_shape(population: Shape, expected: Shape, source: str, inputs: Shape, where: str) -> None:
    """The population that `inputs` imply ends in the `expected` shape that `source` names."""
    if not expected or population[-len(expected) :] == expected:
        return
    advice = f"For a single step add the time axis: `inputs[None]`, of shape (1, {', '.join(map(str, inputs))})."
    if inputs != expected:
        advice = f"Their last axes must be those of {source}: (T, ..., {', '.join(map(str, expected))})."
    text = f"`inputs` have shape {inputs}, time first, so a population of shape {population}; {source} has {expected}. {advice}"
    raise _inputs_error(inputs, text, f"T, ..., {', '.join(map(str, expected))}", where)


def check_params(params: Any, population: Shape, ports: Shape, where: str) -> None:
    """Every parameter is real, of a shape that fits, and in its domain."""
    for name, value, kind in annotated(params):
        check_real(value, name, where)
        _check_param_shape(name, np.shape(value), kind.axes, population, ports, where)
        check_domain(value, name, kind, where)
    membrane = core(params)
    if "v_reset" in membrane._fields:
        _check_reset_below_threshold(membrane, where)


def _check_param_shape(name: str, shape: Shape, axes: str, population: Shape, ports: Shape, where: str) -> None:
    n = population[-1:]
    fits: list[Shape] = {
        "neuron": [(), (1,), *(population[k:] for k in range(len(population)))],
        "synapse": [(), ports, ports + n],
        "pre post": [ports + n + n],
    }[axes]
    if shape in fits:
        return
    wanted = " or ".join(dict.fromkeys(str(fit) for fit in fits if fit != (1,)))
    raise ShapeError(
        f"`{name}` has shape {shape}, which does not fit the population of shape {population} that `inputs` imply; expected {wanted}. "
        "Give one value for all, or an array of exactly that shape.",
        where=where,
        field=name,
        value=shape,
        allowed=wanted,
    )


def _check_reset_below_threshold(params: Any, where: str) -> None:
    v_reset, v_th = concrete(params.v_reset), concrete(params.v_th)
    if v_reset is not None and v_th is not None:
        v_reset, v_th = np.broadcast_arrays(v_reset, v_th)
        advice = (
            "Otherwise the neuron fires at every step." if v_th.ndim else f"`v_th` is {float(v_th)}: the neuron would fire at every step."
        )
        refuse_where(v_reset >= v_th, v_reset, "v_reset", "below `v_th`", where, advice)


def check_steps(params: Any, dt: Any, explicit: bool, where: str) -> None:
    """`dt` resolves the refractory period, and an explicit integrator's time constants."""
    step = concrete(dt)
    if step is None:
        return
    for name, value, kind in annotated(params):
        array = concrete(value)
        if array is None or array.size == 0:
            continue
        if kind.name == "duration":
            steps = np.round(array / step)
            advice = f"With `dt` = {float(step)} s it rounds to no step at all; use 0 for none, or a shorter `dt`."
            refuse_where((array > 0) & (steps == 0), array, name, f"0 or at least {float(step) / 2} s", where, advice)
            refuse_where(steps > np.iinfo(np.int32).max, array, name, "fewer than 2**31 steps long", where)
        if kind.name == "time_constant" and explicit and float(step) > float(array.min()):
            _refuse_euler(name, float(array.min()), float(step), where)


def _refuse_euler(name: str, tau: float, dt: float, where: str) -> None:
    what = "diverges" if dt > 2 * tau else "oscillates around the solution"
    raise ParameterError(
        f"`dt` = {dt} s is more than {'twice ' if dt > 2 * tau else ''}`{name}` = {tau} s: a forward Euler step of that length {what}. "
        f"Use `dt` <= {tau} s, or `integrator=F.exact`.",
        where=where,
        field="dt",
        value=dt,
        allowed=f"<= {tau} s",
    )


def check_state(neuron: Neuron, state: Any, template: Any, where: str) -> None:
    """`state` has the structure and the shapes of `template`; single numbers may stand for all neurons."""
    if isinstance(template, tuple) and "neuron" in getattr(template, "_fields", ()):
        check_record(state, template, neuron.name, "state", where)
    if jax.tree.structure(state) != jax.tree.structure(template):
        check_record(state, template, neuron.name, "state", where)
        raise DTypeError(f"`state` of `{neuron.name}` must be like {jax.tree.structure(template)}.", where=where, field="state")
    for (path, leaf), wanted in zip(jax.tree_util.tree_leaves_with_path(state), jax.tree.leaves(template), strict=True):
        name = f"state{jax.tree_util.keystr(path)}"
        check_real(leaf, name, where)
        if np.shape(leaf) not in ((), wanted.shape):
            raise ShapeError(
                f"`{name}` has shape {np.shape(leaf)}, but `inputs` imply {wanted.shape}. A state is not broadcast over a batch by itself: "
                "start from `state=None`, or broadcast it with `jnp.broadcast_to`.",
                where=where,
                field=name,
                value=np.shape(leaf),
                allowed=str(wanted.shape),
            )
        check_domain(leaf, name, Kind("state", "", "real"), where)


def check_config(config: Any, neuron: Neuron, where: str) -> None:
    """`config` is the model's own class of choices."""
    if not isinstance(config, neuron.config):  # type: ignore[arg-type]
        wanted = neuron.config.__name__
        raise DTypeError(
            f"`config` of `{neuron.name}` must be a {wanted}; got {describe_record(config)}.",
            where=where,
            field="config",
            value=type(config).__name__,
            allowed=wanted,
        )


def check_backend(backend: str, where: str) -> None:
    """`backend` is one that this version has."""
    if backend not in ("auto", "scan"):
        raise ConfigError(
            f"`backend` must be 'auto' or 'scan'; got {backend!r}. The fused 'pallas' kernel is not in this version.",
            where=where,
            field="backend",
            value=backend,
            allowed="'auto', 'scan'",
        )
