"""The door to running a population over time."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._errors import refuses_unknown_keywords
from . import _check as check
from . import _check_choices as choices
from ._cast import at_least_float32, float_dtype, is_float_array
from ._concrete import as_shape, check_dt
from ._feedback import unroll_population
from ._fused_choice import kernel_for, run_population
from ._integrators import exact
from ._memory import check_memory, is_large, memory_of
from ._neuron import Neuron
from ._spread import may_spread, over_cores
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
    segment: choices.Segment = None,
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
            are cast to the state's dtype and mean the same as floats. A model with several kinds of input takes a
            NamedTuple of such arrays too, as `F.dynapse_dpi` takes `F.Gates`.
        dt: length of a step, s; a number or a traced scalar.
        shape: the population's shape, where it should be checked against `inputs`; else `inputs` set it.
        state: the state to start from; by default the model at rest. Its dtype is kept; plain numbers in it stand for all neurons.
        config: `SpikingConfig`; by default SuperSpike, reset to value, exact integration.
        record: `record(state, output)`, what to keep of every step, given the state after it; by default the output.
        segment: see `unroll`.
        backend: "scan", a loop of XLA; "pallas", one kernel for all steps, for models whose neurons do not see each other, without
            forward mode; "auto", the kernel on a GPU where it can, else the scan.
        checked: look for NaN and infinity in the state after every step.

    Returns:
        The last state, and what was recorded, `(T, ...)`. With `T = 0` the state is the first one.

    Raises:
        ParameterError: a number is outside its domain, or `dt` too long for it; or inputs and recorded outputs do not fit into
            the memory of the device (`memory_estimate` tells what they take; under `jit` it counts, used or not).
        ShapeError: `inputs`, `state` or a parameter does not fit.
        DTypeError: an argument is not a number, an array, or the model's own Params and State.
        ConfigError: there is no such backend or keyword, `dt` is missing, or `backend="pallas"` cannot run this.
        NumericsError: with `checked=True`, a state became NaN or infinite. Under `jit` JAX reports it, with this text
            inside its own error.

    >>> import jax.numpy as jnp
    >>> from snnjax import functional as F
    >>> state, (spikes, v) = F.simulate(
    ...     F.lif, F.LIFParams(), jnp.full((100, 1), 0.4), dt=1e-3, record=lambda state, spikes: (spikes, state.v))
    >>> spikes.shape, int(spikes.sum())
    ((100, 1), 6)
    """
    choices.check_backend(backend, "simulate")
    config, segment, population, start = checked_call(neuron, params, inputs, dt, shape, state, config, record, segment)
    if is_large(inputs):
        check_memory(memory_of(neuron, params, jax.eval_shape(start), inputs, dt, config, record, segment), inputs, "simulate")
    state = start()
    inputs = jax.tree.map(jnp.asarray, inputs)
    watch = population if checked else None
    kernel = kernel_for(backend, checked, segment)
    is_spread = not checked and kernel is None and may_spread(np.shape(jax.tree.leaves(inputs)[0])[0], population, params, state, inputs)
    over = population if is_spread else None
    state, recorded, fault = _run(neuron, params, state, inputs, dt, config, record, segment, watch, over, kernel)
    if checked:
        raise_fault(fault, population)
    return state, recorded


def checked_call(
    neuron: Neuron, params: Any, inputs: Any, dt: Any, shape: Any, state: Any, config: Any, record: Any, segment: Any
) -> tuple[Any, int | None, check.Shape, Callable[[], Any]]:
    """What `simulate` makes of its arguments once they are checked: config, segment, population, and the start of the state."""
    choices.check_neuron(neuron, "simulate")
    config = neuron.config() if config is None else config
    choices.check_config(config, neuron, "simulate")
    choices.check_record_function(record, "simulate")
    segment = choices.as_segment(segment, "simulate")
    population = _check(neuron, params, check.example(neuron, inputs, "simulate"), dt, shape, config)
    return config, segment, population, functools.partial(_start, neuron, params, inputs, population, state)


def _check(neuron: Neuron, params: Any, inputs: Any, dt: Any, shape: Any, config: Any) -> check.Shape:
    check.check_record(params, neuron.default(), neuron.name, "params", "simulate")
    check_dt(dt, "simulate")
    population = check.population_of(neuron, inputs, "simulate")
    if shape is not None:
        check.check_shape(population, as_shape(shape, "simulate"), "`shape`", np.shape(inputs), "simulate")
    check.check_params(params, population, neuron.ports, np.shape(inputs), "simulate")
    check.check_steps(params, dt, getattr(config, "integrator", exact), "simulate")
    return population


def _start(neuron: Neuron, params: Any, inputs: Any, population: check.Shape, state: Any) -> Any:
    """The given state, checked and as arrays; or the model at rest, in the dtype of `params` and `inputs`."""
    example = check.example(neuron, inputs, "simulate")
    dtype = at_least_float32(float_dtype((params, example if is_float_array(example) else None)))
    # Only a model that takes inputs in several ports needs to know which are there.
    ports = {} if example is inputs else {"inputs": inputs}
    if state is None:
        return neuron.init(params, population, dtype, **ports)
    template = jax.eval_shape(lambda: neuron.init(params, population, dtype, **ports))
    check.check_state(neuron, state, template, np.shape(example), "simulate")
    # Plain numbers take the dtype of the arrays beside them.
    kept = float_dtype(state) if any(map(is_float_array, jax.tree.leaves(state))) else dtype

    def as_array(leaf: Any, like: Any) -> jax.Array:
        stored = kept if jnp.issubdtype(like.dtype, jnp.floating) else like.dtype
        return jnp.broadcast_to(jnp.asarray(leaf, stored), like.shape)

    return jax.tree.map(as_array, state, template)


@functools.partial(jax.jit, static_argnames=("neuron", "record", "segment", "watch", "over", "kernel"))
def _run(
    neuron: Neuron,
    params: Any,
    state: Any,
    inputs: Any,
    dt: Any,
    config: Any,
    record: Record | None,
    segment: int | None,
    watch: check.Shape | None,
    over: check.Shape | None,
    kernel: str | None,
) -> tuple[Any, Any, Any]:
    if kernel is not None:
        done = run_population(neuron, params, state, inputs, dt, config, backend=kernel, record=record, segment=segment)
        if done is not None:
            return *done, None
    options = {"record": record, "segment": segment}

    def plain(shared: Any, state: Any, inputs: Any) -> tuple[Any, Any]:
        params, dt, config = shared
        step = functools.partial(_step, neuron, dt, config)
        return unroll_population(neuron, step, params, state, inputs, **options)

    if watch is None:
        return *over_cores(plain, (params, dt, config), state, inputs, over), None

    def watching(params: Any, now: Any, x: Any) -> tuple[Any, Any]:
        return watched(functools.partial(_step, neuron, dt, config, params), watch)(now, x)

    carry = (state, no_fault())
    (state, fault), recorded = unroll_population(neuron, watching, params, carry, inputs, state_of=lambda carry: carry[0], **options)
    return state, recorded, fault


def _step(neuron: Neuron, dt: Any, config: Any, params: Any, now: Any, x: Any) -> tuple[Any, Any]:
    return neuron.step(params, now, x, dt=dt, config=config)
