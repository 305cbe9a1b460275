"""The record that is a neuron model, and the one order in which every model runs a step.

A step is **receive -> integrate -> fire -> reset**, in that order, and emits in the same step. A model gives these
four phases; `advance` runs them; wrappers (`refractory`, `recurrent`, `synapses`) put something between them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from .._errors import DTypeError, ShapeError, refuses_unknown_keywords
from ._cast import at_least_float32, float_dtype
from ._concrete import as_shape, describe
from ._config import SpikingConfig
from ._integrators import Currents
from ._take_step import take_step


class Receive(Protocol):
    """Takes this step's input: `(params, state, inputs, dt, config) -> (state, currents)`.

    Synapses live here: they jump, hand the membrane their currents, and decay.
    """

    def __call__(self, params: Any, state: Any, inputs: Any, dt: Any, config: SpikingConfig, /) -> tuple[Any, Currents]: ...


class Integrate(Protocol):
    """Moves the membrane over `dt` under those currents: `(params, state, currents, dt, config) -> state`."""

    def __call__(self, params: Any, state: Any, currents: Currents, dt: Any, config: SpikingConfig, /) -> Any: ...


class Fire(Protocol):
    """Decides on the output: `(params, state, config) -> spikes`, one where the threshold is strictly exceeded."""

    def __call__(self, params: Any, state: Any, config: SpikingConfig, /) -> Any: ...


class Reset(Protocol):
    """Applies what a spike does: `(params, state, spikes, dt, config) -> state`; adaptation and counters live here."""

    def __call__(self, params: Any, state: Any, spikes: Any, dt: Any, config: SpikingConfig, /) -> Any: ...


class Phases(NamedTuple):
    """The four phases of a step; and `held`, for a model whose `integrate` moves more than the membrane.

    `held` is `integrate` for neurons whose membrane is held in place (refractory ones): everything but `v` goes on, under
    the `v` that stays. `None`: there is nothing else.
    """

    receive: Receive
    integrate: Integrate
    fire: Fire
    reset: Reset
    held: Integrate | None = None


class Neuron(NamedTuple):
    """A neuron model: the whole specification, as pure functions.

    Attributes:
        name: unique among `F.MODELS`.
        default: `default(**fields) -> Params`, with the default of each field.
        init: `init(params, shape=(), dtype=None) -> State`, at rest.
        step: `step(params, state, inputs, *, dt, config) -> (state, output)`.
        phases: what wrappers build on; `None` for a model that must be taken whole.
        ports: the axes that inputs have before the neuron axis: `(n,)` with `n` synapses, else `()`.
        spiking: whether the output is spikes (else it is a potential).
        config: the class of the model's choices; `config()` are the defaults.
        gates: a NamedTuple class of arrays that inputs may be instead of one array; `init` then takes `inputs`.
        feedback: the path of field names, in Params and in State alike, to those of a `recurrent` that adds its
            `spikes @ weight` to the inputs of the step; `None` where there is none.
    """

    name: str
    default: Callable[..., Any]
    init: Callable[..., Any]
    step: Callable[..., tuple[Any, Any]]
    phases: Phases | None = None
    ports: tuple[int, ...] = ()
    spiking: bool = True
    config: Callable[..., Any] = SpikingConfig
    gates: type | None = None
    feedback: tuple[str, ...] | None = None


@refuses_unknown_keywords
def advance(phases: Phases, params: Any, state: Any, inputs: Any, *, dt: Any, config: SpikingConfig | None = None) -> tuple[Any, Any]:
    """One step of the model that has these phases.

    Arithmetic is in the state's dtype, in float32 at least; the new state has the old one's dtypes, whatever the
    dtypes of `params` and `inputs` (under x64 a NumPy scalar would otherwise turn a float32 state into float64).
    The phases see a parameter `(N,)` beside states `(..., N)` with leading axes of length 1, so that no rank is promoted.

    Returns:
        The new state, and the output in the state's dtype.

    Raises:
        DTypeError: `params`, `state` or `config` is not of this model, or something is no number that has to be one.
        ShapeError: `inputs` or a parameter does not fit `state`.
        ParameterError: `dt` is not positive and finite.
    """
    if not isinstance(phases, Phases):
        text = f"`phases` must be the Phases of a model, such as `F.lif.phases`; got {describe(phases)}."
        raise DTypeError(text, where="advance", field="phases", value=phases, allowed="Phases")
    config = SpikingConfig() if config is None else config

    def move(params: Any, state: Any, inputs: Any, dt: Any, config: SpikingConfig) -> tuple[Any, Any]:
        state, currents = phases.receive(params, state, inputs, dt, config)
        state = phases.integrate(params, state, currents, dt, config)
        output = phases.fire(params, state, config)
        return phases.reset(params, state, output, dt, config), output

    return take_step(move, params, state, inputs, dt, config)


def wrapped(name: str, default: Callable[..., Any], init: Callable[..., Any], phases: Phases, ports: tuple[int, ...]) -> Neuron:
    """A spiking Neuron whose step is `advance` of these phases; for models made from other models."""
    return Neuron(name, default, init, functools.partial(advance, phases), phases, ports)


def inside(phase: Integrate | None) -> Integrate | None:
    """`phase` of a wrapped model as one of its wrapper, whose Params and State have it as `neuron`."""
    if phase is None:
        return None

    def outside(params: Any, state: Any, currents: Currents, dt: Any, config: SpikingConfig) -> Any:
        return state._replace(neuron=phase(params.neuron, state.neuron, currents, dt, config))

    return outside


def phases_of(neuron: Neuron, wrapper: str) -> Phases:
    """The phases of a spiking model; an error that names the wrapper where there are none."""
    if not isinstance(neuron, Neuron):
        raise DTypeError(
            f"`neuron` must be a Neuron such as `F.lif`; got {describe(neuron)}.",
            where=wrapper,
            field="neuron",
            value=neuron,
            allowed="a Neuron",
        )
    if neuron.phases is None or not neuron.spiking:
        reason = "does not spike" if not neuron.spiking else "must be taken whole: it gives no phases"
        raise DTypeError(
            f"`neuron` {neuron.name!r} {reason}, so `{wrapper}` cannot wrap it. Use a model with phases such as `F.lif`.",
            where=wrapper,
            field="neuron",
            value=neuron.name,
            allowed="a spiking Neuron with phases",
        )
    if neuron.gates is not None:
        raise DTypeError(
            f"`neuron` {neuron.name!r} takes several kinds of input, so `{wrapper}` cannot wrap it. `F.injected` goes around all other "
            "wrappers, once: `F.injected(F.refractory(F.lif))`.",
            where=wrapper,
            field="neuron",
            value=neuron.name,
            allowed="a Neuron with one kind of input",
        )
    return neuron.phases


def core(record: Any) -> Any:
    """The innermost Params or State of a nest of wrappers.

    >>> from snnjax import functional as F
    >>> core(F.refractory(F.lif).default()).v_th
    1.0
    """
    while "neuron" in record._fields:
        record = record.neuron
    return record


def with_core(record: Any, new: Any) -> Any:
    """The same nest of wrappers around another innermost Params or State."""
    return record._replace(neuron=with_core(record.neuron, new)) if "neuron" in record._fields else new


def population(params: Any, shape: int | tuple[int, ...], dtype: Any) -> tuple[tuple[int, ...], Any]:
    """The shape and dtype of a state: what was asked for, or what `params` imply.

    Raises:
        ShapeError: `params` do not broadcast into `shape`.
        DTypeError: `dtype` is not floating, or is float64 while JAX is in 32-bit mode.
    """
    shape = holding(shape, *jax.tree.leaves(params))
    if dtype is None:
        return shape, at_least_float32(float_dtype(params))
    try:
        asked = jnp.dtype(dtype)
    except TypeError:
        asked = None
    if asked is None or not jnp.issubdtype(asked, jnp.floating) or jax.dtypes.canonicalize_dtype(asked) != asked:
        raise DTypeError(
            f"`dtype` must be a floating dtype that JAX has switched on; got {dtype if asked is None else asked.name}. For float64 call "
            '`jax.config.update("jax_enable_x64", True)` first.',
            where="init",
            field="dtype",
            value=dtype,
            allowed="float32, bfloat16, float16; float64 under x64",
        )
    return shape, asked


def holding(shape: int | tuple[int, ...], *values: Any) -> tuple[int, ...]:
    """`shape`, if it holds `values`; where it is `()`, the shape that they need."""
    shape = as_shape(shape, "init")
    shapes = [np.shape(value) for value in values]
    try:
        needed = np.broadcast_shapes(*shapes)
        fits = shape == () or np.broadcast_shapes(shape, needed) == shape
    except ValueError:
        needed, fits = max(shapes, key=len), False
    if not fits:
        raise ShapeError(
            f"`shape` {shape} does not hold the parameters, which have shapes {sorted(set(shapes) - {()})}. "
            f"Give one value for all neurons, or arrays of shape {shape[-1:]}.",
            where="init",
            field="shape",
            value=shape,
            allowed=f"a shape that {needed} broadcasts into",
        )
    return shape or needed


def filled(value: Any, shape: tuple[int, ...], dtype: Any) -> jax.Array:
    """`value` as an array of `shape` and `dtype`."""
    return jnp.broadcast_to(jnp.asarray(value, dtype), shape)
