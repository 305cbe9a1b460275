"""The door to running a population over time."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._errors import DTypeError, refuses_unknown_keywords
from . import _check as check
from ._neuron import Neuron, float_dtype, is_float_array
from ._unroll import unroll
from ._watch import no_fault, raise_fault, watched

Record = Callable[[Any, Any], Any]


@refuses_unknown_keywords
def simulate(
    neuron: Neuron,
    params: Any,
    inputs: Any,
    *,
    dt: Any,
    shape: int | tuple[int, ...] | None = None,
    state: Any = None,
    config: Any = None,
    record: Record | None = None,
    segment: int | None = None,
    backend: str = "auto",
    checked: bool = False,
) -> tuple[Any, Any]:
    """Run a population of neurons over `inputs`.

    The arguments are checked once, before anything is compiled; inside `jit` the checks cost nothing at run time, and
    values that are traced are not looked at.

    Args:
        neuron: a model, such as `F.lif` or `F.refractory(F.leaky)`.
        params: the model's Params; numbers, or arrays with one value per neuron.
        inputs: `(T, ..., N)`, time first; `(T, ..., n, N)` for `n` synapses. Integers and booleans (a spike raster)
            are cast to the state's dtype and mean the same as floats.
        dt: length of a step, s; a number or a traced scalar.
        shape: the population's shape, where it should be checked against `inputs`; else `inputs` set it.
        state: the state to start from; by default the model at rest. Its dtypes are kept.
        config: `SpikingConfig`; by default SuperSpike, reset to value, exact integration.
        record: `record(state, output)`, what to keep of every step, given the state after it; by default the output.
        segment: see `unroll`.
        backend: "auto" or "scan".
        checked: look for NaN and infinity in every step.

    Returns:
        The last state, and what was recorded, `(T, ...)`. With `T = 0` the state is the first one.

    Raises:
        ParameterError: a number is outside its domain, or `dt` too long for it.
        ShapeError: `inputs`, `state` or a parameter does not fit.
        DTypeError: an argument is not a number, an array, or the model's own Params and State.
        NumericsError: with `checked=True`, a state became NaN or infinite. Under `jit` JAX reports it, with this text
            inside its own error.

    >>> import jax.numpy as jnp
    >>> from snnjax import functional as F
    >>> state, (spikes, v) = F.simulate(
    ...     F.lif, F.LIFParams(), jnp.full((100, 1), 0.4), dt=1e-3, record=lambda state, spikes: (spikes, state.v))
    >>> spikes.shape, int(spikes.sum())
    ((100, 1), 6)
    """
    if not isinstance(neuron, Neuron):
        raise DTypeError(
            f"`neuron` must be a Neuron such as `F.lif`; got {check.describe_record(neuron)}.",
            where="simulate",
            field="neuron",
            value=neuron,
            allowed="a Neuron",
        )
    config = neuron.config() if config is None else config
    check.check_config(config, neuron, "simulate")
    check.check_backend(backend, "simulate")
    population = _check(neuron, params, inputs, dt, shape, config)
    if not isinstance(inputs, jax.Array):
        inputs = jnp.asarray(inputs)
    state = _start(neuron, params, inputs, population, state)
    state, recorded, fault = _run(neuron, params, state, inputs, dt, config, record, segment, checked)
    if checked:
        raise_fault(fault, population)
    return state, recorded


def _check(neuron: Neuron, params: Any, inputs: Any, dt: Any, shape: Any, config: Any) -> check.Shape:
    check.check_record(params, neuron.default(), neuron.name, "params", "simulate")
    check.check_dt(dt, "simulate")
    population = check.population_of(neuron, inputs, "simulate")
    if shape is not None:
        expected = (shape,) if isinstance(shape, int) else tuple(shape)
        check.check_shape(population, expected, "`shape`", np.shape(inputs), "simulate")
    check.check_params(params, population, neuron.ports, "simulate")
    check.check_steps(params, dt, config.integrator.explicit, "simulate")
    return population


def _start(neuron: Neuron, params: Any, inputs: jax.Array, population: check.Shape, state: Any) -> Any:
    """The given state, checked and as arrays; or the model at rest, in the dtype of `params` and `inputs`."""
    inputs_like = inputs if is_float_array(inputs) else None
    dtype = jnp.promote_types(float_dtype((params, inputs_like)), jnp.float32)
    if state is None:
        return neuron.init(params, population, dtype)
    template = jax.eval_shape(lambda: neuron.init(params, population, dtype))
    check.check_state(neuron, state, template, "simulate")

    def as_array(leaf: Any, like: Any) -> jax.Array:
        return jnp.broadcast_to(jnp.asarray(leaf, None if is_float_array(leaf) else like.dtype), like.shape)

    return jax.tree.map(as_array, state, template)


@functools.partial(jax.jit, static_argnames=("neuron", "record", "segment", "checked"))
def _run(
    neuron: Neuron, params: Any, state: Any, inputs: Any, dt: Any, config: Any, record: Record | None, segment: int | None, checked: bool
) -> tuple[Any, Any, Any]:
    def step(now: Any, x: Any) -> tuple[Any, Any]:
        now, output = neuron.step(params, now, x, dt=dt, config=config)
        return now, (output if record is None else record(now, output))

    if not checked:
        return *unroll(step, state, inputs, segment=segment), None
    (state, fault), recorded = unroll(watched(step), (state, no_fault()), inputs, segment=segment)
    return state, recorded, fault
