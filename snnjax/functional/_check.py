"""The door, for numbers: whatever can be known to be wrong before a simulation is compiled, refused in a sentence.

Shapes, dtypes and structure are checked always; values only where they are concrete. Under `jit` this happens while
tracing and leaves nothing in the program.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._errors import DTypeError, ParameterError, ShapeError
from .._kinds import Kind, annotated, kinds_of, numbers_of
from ._cast import is_array
from ._concrete import Shape, check_domain, check_real, concrete, describe, refuse_where
from ._integrators import Integrator
from ._neuron import Neuron

# Quotients of float32 numbers are this far from those of the decimals that were written.
_ROUNDING = 4 * float(np.finfo(np.float32).eps)


def check_record(params: Any, template: Any, neuron: str, field: str, where: str) -> None:
    """`params` (or a state) is the NamedTuple that the model works on, down to the innermost."""
    if type(params) is not type(template):
        fields = getattr(template, "_fields", ())
        wanted = f"{type(template).__name__}({', '.join(fields)})" if fields else describe(template)
        raise DTypeError(
            f"`{field}` of `{neuron}` must be {wanted}; got {describe(params)}. "
            f"Use the {'Params class' if 'param' in field else '`init`'} of the same model.",
            where=where,
            field=field,
            value=type(params).__name__,
            allowed=wanted,
        )
    for name in getattr(template, "_fields", ()):
        if hasattr(getattr(template, name), "_fields"):
            check_record(getattr(params, name), getattr(template, name), neuron, f"{field}.{name}", where)


def population_of(neuron: Neuron, inputs: Any, where: str) -> Shape:
    """The population's shape that `inputs` `(T, ..., *ports, N)` imply."""
    _check_inputs_are_numbers(inputs, where)
    shape, ports = np.shape(inputs), neuron.ports
    axes = ", ".join(("T", "...", *map(str, ports), "N"))
    fits = len(shape) >= 2 + len(ports) and shape[-1 - len(ports) : -1] == ports if ports else len(shape) >= 1
    if not fits:
        what = "time first, then one current per synapse" if ports else "time first"
        raise _inputs_error(shape, f"`inputs` of `{neuron.name}` must have shape ({axes}), {what}; got {shape}.", axes, where)
    return shape[1 : -1 - len(ports)] + shape[-1:] if ports else shape[1:]


def example(neuron: Neuron, inputs: Any, where: str) -> Any:
    """`inputs`; or the first of the arrays in them, where they are the model's NamedTuple of arrays of one shape.

    Where the model has synapses, the array that goes to them is the one called `inputs`, and has their axis.
    """
    if neuron.gates is None or not isinstance(inputs, neuron.gates):
        return inputs
    arrays = {name: array for name, array in inputs._asdict().items() if array is not None}
    for name, array in arrays.items():
        _check_inputs_are_numbers(array, where, f"inputs.{name}")
    shapes = {name: np.shape(array) for name, array in arrays.items()}
    if neuron.ports and "inputs" not in arrays:
        text = f"`inputs.inputs` is missing: give the {neuron.ports[0]} synapses of `{neuron.name}` zeros at least."
        raise _inputs_error(tuple(shapes.values()), text, f"T, ..., {neuron.ports[0]}, N", where)
    without = {name: shape[:-2] + shape[-1:] if neuron.ports and name == "inputs" else shape for name, shape in shapes.items()}
    if len(set(without.values())) != 1:
        what = f"(T, ..., N), and `inputs.inputs` {(neuron.ports[0],)} synapses before the last axis" if neuron.ports else "(T, ..., N)"
        raise _inputs_error(
            tuple(shapes.values()), f"`inputs` must hold arrays of one shape {what}; got {shapes or 'none'}.", "T, ..., N", where
        )
    return next(iter(arrays.values()))


def _check_inputs_are_numbers(inputs: Any, where: str, field: str = "inputs") -> None:
    dtype = getattr(inputs, "dtype", None) if is_array(inputs) else None
    if dtype is None and isinstance(inputs, int | float):
        return
    if dtype is not None and any(jnp.issubdtype(dtype, kind) for kind in (jnp.floating, jnp.integer, jnp.bool_)):
        return
    what = "an array of real numbers"
    advice = " Convert it with `jnp.asarray(...)`." if type(inputs) in (list, tuple) else ""
    raise DTypeError(
        f"`{field}` must be {what}; got {describe(inputs)}.{advice}",
        where=where,
        field=field,
        value=type(inputs).__name__ if dtype is None else str(dtype),
        allowed="a float, integer or bool array of shape (T, ..., N)",
    )


def _inputs_error(shape: tuple[Any, ...], text: str, allowed: str, where: str) -> ShapeError:
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


def check_params(params: Any, population: Shape, ports: Shape, inputs: Shape, where: str) -> None:
    """Every parameter is real, of a shape that fits, and in its domain."""
    kinds = kinds_of(type(params))
    # A model inside the synapses receives their sum, without the synapse axis.
    inner_ports = () if any(kind.axes == "synapse" for kind in kinds.values()) else ports
    for name, value in zip(params._fields, params, strict=True):
        if name in kinds:
            for label, number in numbers_of(name, value):
                check_real(number, label, where)
                _check_param_shape(label, np.shape(number), kinds[name].axes, population, ports, inputs, where)
                check_domain(number, label, kinds[name], where)
        elif hasattr(value, "_fields"):
            check_params(value, population, inner_ports, inputs, where)
    if "v_reset" in kinds:
        _check_reset_below_threshold(params, where)


_ADVICE = {
    "neuron": "Give one value for all, or an array of exactly that shape.",
    "synapse": "Give one value per synapse, or one per synapse and neuron.",
    "pre post": "Its rows are the neurons that send, its columns those that receive.",
}


def _check_param_shape(name: str, shape: Shape, axes: str, population: Shape, ports: Shape, inputs: Shape, where: str) -> None:
    n = population[-1:]
    fits: list[Shape] = {
        "neuron": [(), (1,), *(population[k:] for k in range(len(population)))],
        "synapse": [(), ports, ports + n],
        "pre post": [ports + tuple(devices * size for size in n) + n for devices in _senders()],
    }[axes]
    if shape in fits:
        return
    if shape == inputs:
        check_shape(population, shape, f"`{name}`", inputs, where)
    wanted = " or ".join(dict.fromkeys(str(fit) for fit in fits if fit != (1,)))
    raise ShapeError(
        f"`{name}` has shape {shape}, which does not fit the population of shape {population} that `inputs` imply; expected {wanted}. "
        f"{_ADVICE[axes]}",
        where=where,
        field=name,
        value=shape,
        allowed=wanted,
    )


def _senders() -> dict[int, None]:
    """How many times as many neurons may send as receive: inside `jax.shard_map` a device may have some of the columns."""
    return dict.fromkeys((1, *jax.sharding.get_abstract_mesh().shape.values()))


def _check_reset_below_threshold(params: Any, where: str) -> None:
    v_reset, v_th = concrete(params.v_reset), concrete(params.v_th)
    if v_reset is None or v_th is None:
        return
    v_reset, v_th = np.broadcast_arrays(v_reset, v_th)
    bad = v_reset >= v_th
    if bad.any():
        advice = f"Its `v_th` is {float(v_th[bad][0])}: the neuron could fire at every step."
        refuse_where(bad, v_reset, "v_reset", "below `v_th`", where, advice)


def check_steps(params: Any, dt: Any, integrator: Integrator, where: str) -> None:
    """`dt` resolves the refractory period, and an explicit integrator's time constants."""
    step = concrete(dt)
    if step is None:
        return
    for name, value, kind in annotated(params):
        array = concrete(value)
        if array is None or array.size == 0:
            continue
        if kind.name == "duration":
            _check_duration(name, array, float(step), where)
        if kind.name == "time_constant" and integrator.explicit:
            _check_explicit(name, float(array.min()), float(step), integrator, where)


def _check_duration(name: str, array: np.ndarray, dt: float, where: str) -> None:
    steps = array / dt
    allowed = f"0, or more than half of `dt` = {dt} s"
    advice = f"It rounds to no step at all: use 0 for no {'delay' if 'delay' in name else 'refractory period'}, or a shorter `dt`."
    refuse_where((array > 0) & (steps <= 0.5 * (1 + _ROUNDING)), array, name, allowed, where, advice)
    advice = f"A step is `dt` = {dt} s, and steps are counted in 32 bits."
    refuse_where(steps > np.iinfo(np.int32).max, array, name, "shorter than 2**31 steps", where, advice)


def _check_explicit(name: str, tau: float, dt: float, integrator: Integrator, where: str) -> None:
    if dt <= tau * (1 + _ROUNDING):
        return
    with jax.ensure_compile_time_eval():
        left = float(integrator.decay(dt, tau))
    with np.errstate(over="ignore"):  # of what was a float32 not the digits that float64 adds
        told = str(np.float32(tau)) if float(np.float32(tau)) == tau else str(tau)
    what = "diverges" if abs(left) > 1 else "oscillates around the solution" if left < 0 else "is far from the solution"
    raise ParameterError(
        f"`dt` = {dt} s is more than {'twice ' if dt > 2 * tau else ''}`{name}` = {told} s: a step of that length with `{integrator.name}` "
        f"{what}. Use `dt` <= {told} s, or `integrator=F.exact`.",
        where=where,
        field="dt",
        value=dt,
        allowed=f"<= {tau} s",
    )


def check_state(neuron: Neuron, state: Any, template: Any, inputs: Shape, where: str) -> None:
    """`state` has the structure and the shapes of `template`; single numbers may stand for all neurons."""
    for name, leaf, wanted in _numbers_of_state(neuron, state, template, "state", where):
        counts = jnp.issubdtype(wanted.dtype, jnp.integer)
        check_real(leaf, name, where)
        if counts and not (isinstance(leaf, int) or is_array(leaf) and jnp.issubdtype(leaf.dtype, jnp.integer)):
            what = "a whole number or an array of whole numbers"
            text = f"`{name}` must be {what}; got {describe(leaf)}. It counts steps: use the `init` of `{neuron.name}`."
            raise DTypeError(text, where=where, field=name, value=str(leaf.dtype) if is_array(leaf) else leaf, allowed=what)
        if np.shape(leaf) not in ((), wanted.shape):
            if np.shape(leaf) == inputs:
                check_shape(wanted.shape, inputs, f"`{name}`", inputs, where)
            raise ShapeError(
                f"`{name}` has shape {np.shape(leaf)}, but `inputs` imply {wanted.shape}. A state is not broadcast over a batch by itself: "
                "start from `state=None`, or broadcast it with `jnp.broadcast_to`.",
                where=where,
                field=name,
                value=np.shape(leaf),
                allowed=str(wanted.shape),
            )
        check_domain(leaf, name, Kind("state", ""), where)
        if counts and (array := concrete(leaf)) is not None:
            bad = (array < 0) | (array > np.iinfo(wanted.dtype).max)
            refuse_where(bad, array, name, f"from 0 to {np.iinfo(wanted.dtype).max}", where, "It counts steps.")


def _numbers_of_state(neuron: Neuron, state: Any, template: Any, field: str, where: str) -> Iterator[tuple[str, Any, Any]]:
    """Every number in a nest of States: its path, its value, and its shape and dtype in `template`."""
    if isinstance(template, jax.ShapeDtypeStruct):
        yield field, state, template
        return
    check_record(state, template, neuron.name, field, where)
    for name in getattr(template, "_fields", ()):
        yield from _numbers_of_state(neuron, getattr(state, name), getattr(template, name), f"{field}.{name}", where)
