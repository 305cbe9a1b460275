"""Absolute refractoriness around any spiking model.

A spike is followed by exactly `round(t_ref / dt)` blocked steps. A blocked neuron does not spike, and its membrane
follows one of three rules; everything else (synapses, adaptation) goes on.

| rule | the membrane of a blocked neuron | found in |
|---|---|---|
| `hold` | stays where it is | Norse, Brian2 |
| `gate_input` | receives no current and goes on leaking | Spark's `RefractoryLeakySoma` |
| `clamp_to_reset` | is set to `v_reset` | Spark's `StrictRefractoryLeakySoma` |

The mask and the count carry no gradient. A surrogate on them multiplies the gradient by the number of blocked steps at
every step, and it overflows within a few hundred (`docs/decisions/refractory-mask.md`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from .._errors import ConfigError, DTypeError, did_you_mean, parameters, refuses_unknown_keywords
from .._kinds import Duration, Kind
from ._concrete import check_domain, check_dt, check_real, concrete, describe, refuse_where
from ._config import SpikingConfig
from ._integrators import Currents
from ._lif import lif
from ._neuron import Neuron, Phases, advance, core, holding, inside, phases_of, with_core, wrapped
from ._take_step import checked_init


@parameters
class RefractoryParams(NamedTuple):
    """The wrapped model's parameters, and the refractory period in seconds.

    >>> from snnjax import functional as F
    >>> F.RefractoryParams(F.LIFParams(), t_ref=3e-3).t_ref
    0.003
    """

    neuron: Any
    t_ref: Duration = 2e-3


class RefractoryState(NamedTuple):
    """The wrapped model's state, and the number of steps that are still blocked (int32)."""

    neuron: Any
    steps_left: jax.Array


class Blocked(NamedTuple):
    """What a rule may use: the membrane before and after integration, and the value that a reset goes to."""

    before: jax.Array
    after: jax.Array
    v_reset: jax.Array


class Rule(NamedTuple):
    """What the membrane does while blocked.

    Attributes:
        name: as it is written in files and configs.
        membrane: `(Blocked) -> v` of a blocked neuron.
        gates: whether its currents are switched off.
    """

    name: str
    membrane: Callable[[Blocked], jax.Array]
    gates: bool = False


hold = Rule("hold", lambda blocked: blocked.before)
gate_input = Rule("gate_input", lambda blocked: blocked.after, gates=True)
clamp_to_reset = Rule("clamp_to_reset", lambda blocked: blocked.v_reset)


def _round(steps: jax.Array) -> jax.Array:
    # The quotient of two float32 numbers can miss a half by an ulp; it is snapped to halves first, so that float32 and
    # float64 agree.
    half = jnp.round(2.0 * steps) / 2.0
    return jnp.round(jnp.where(jnp.abs(steps - half) <= 4 * jnp.finfo(steps.dtype).eps * steps, half, steps))


def _brian(steps: jax.Array) -> jax.Array:
    # Brian2 is ready again once floor(t_ref/dt + 0.001) steps have begun since the spike, that of the spike included.
    return jnp.maximum(jnp.floor(steps + 1e-3) - 1.0, 0.0)


_MOST = 2**31 - 1  # steps, what int32 can count
_CONVENTIONS: Mapping[str, Callable[[jax.Array], jax.Array]] = MappingProxyType({"frozen": _round, "brian": _brian})


@refuses_unknown_keywords
def refractory_steps(t_ref: Any, dt: Any, convention: str = "frozen") -> jax.Array:
    """How many steps after the step of a spike are blocked, as int32.

    | `convention` | steps | interval between spikes, `n` steps from reset to above threshold |
    |---|---|---|
    | `"frozen"` | `round(t_ref/dt)`, halves to the even number | `n + round(t_ref/dt)` |
    | `"brian"` | `max(floor(t_ref/dt + 0.001) - 1, 0)` | `n + max(floor(t_ref/dt + 0.001) - 1, 0)` |

    The step of a model counts as `"frozen"`. For Brian2's count give it `t_ref = refractory_steps(t_ref, dt, "brian") * dt`,
    as `snnjax.interop.brian` does. No gradient passes.

    Args:
        t_ref: refractory period, s; a number or an array.
        dt: length of a step, s.
        convention: "frozen" or "brian".

    Raises:
        ConfigError: there is no such convention.
        ParameterError: `t_ref` is negative or not finite, or longer than int32 can count; or `dt` is not positive.
        DTypeError, ShapeError: one of them is no number, or `dt` more than one.

    >>> import jax.numpy as jnp
    >>> refractory_steps(jnp.array([2e-3, 2.5e-3, 3.5e-3]), 1e-3).tolist()
    [2, 2, 4]
    >>> refractory_steps(jnp.array([0.0, 1e-3, 2e-3, 2.5e-3]), 1e-3, "brian").tolist()
    [0, 0, 1, 1]
    """
    if not isinstance(convention, str) or convention not in _CONVENTIONS:
        raise (ConfigError if isinstance(convention, str) else DTypeError)(
            f"`convention` must be 'frozen' or 'brian'; got {describe(convention)}. {did_you_mean(str(convention), _CONVENTIONS)}",
            where="refractory_steps",
            field="convention",
            value=convention,
            allowed=", ".join(_CONVENTIONS),
        )
    check_dt(dt, "refractory_steps")
    check_real(t_ref, "t_ref", "refractory_steps")
    check_domain(t_ref, "t_ref", Kind("duration", "s", "nonnegative"), "refractory_steps")
    period, step = concrete(t_ref), concrete(dt)
    if period is not None and step is not None:
        advice = f"A step is `dt` = {float(step)} s, and steps are counted in 32 bits."
        refuse_where(period / step > _MOST, period, "t_ref", "shorter than 2**31 steps", "refractory_steps", advice)
    return blocked_steps(t_ref, dt, convention)


def blocked_steps(t_ref: Any, dt: Any, convention: str = "frozen") -> jax.Array:
    """`refractory_steps` inside a step, where nothing is checked."""
    steps = jax.lax.stop_gradient(jnp.asarray(t_ref) / dt)
    return _CONVENTIONS[convention](steps).astype(jnp.int32)


def compute_refractory_update(steps_left: jax.Array, spikes: jax.Array, steps: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Silence blocked neurons, and count: `steps` after a spike, else one less, down to 0.

    Args:
        steps_left: blocked steps before this one, int32.
        spikes: what the neuron would emit.
        steps: blocked steps that a spike causes, int32.

    Returns:
        The spikes that are emitted, and the new `steps_left`.

    >>> import jax.numpy as jnp
    >>> spikes, left = compute_refractory_update(jnp.array([0, 0, 2]), jnp.array([1.0, 0.0, 1.0]), jnp.int32(5))
    >>> spikes.tolist(), left.tolist()
    ([1.0, 0.0, 0.0], [5, 0, 1])
    """
    spikes = jnp.where(steps_left > 0, 0.0, spikes)
    left = jnp.where(spikes > 0, steps, jnp.maximum(steps_left, 1) - 1)
    return spikes, left.astype(jnp.int32)


def _phases(inner: Phases, rule: Rule) -> Phases:
    def receive(params: Any, state: Any, inputs: Any, dt: Any, config: SpikingConfig) -> tuple[Any, Currents]:
        neuron, currents = inner.receive(params.neuron, state.neuron, inputs, dt, config)
        return state._replace(neuron=neuron), currents

    def integrate(params: Any, state: Any, currents: Currents, dt: Any, config: SpikingConfig) -> Any:
        if rule.gates:
            currents = tuple(c._replace(i=jnp.where(state.steps_left > 0, 0.0, c.i)) for c in currents)
        neuron = inner.integrate(params.neuron, state.neuron, currents, dt, config)
        membrane, is_blocked = core(neuron), state.steps_left > 0
        if inner.held is not None and not rule.gates:
            held = core(inner.held(params.neuron, state.neuron, currents, dt, config))
            membrane = jax.tree.map(functools.partial(jnp.where, is_blocked), held, membrane)
        blocked = Blocked(core(state).v, membrane.v, core(params).v_reset)
        v = jnp.where(is_blocked, rule.membrane(blocked), membrane.v)
        return state._replace(neuron=with_core(neuron, membrane._replace(v=v)))

    def fire(params: Any, state: Any, config: SpikingConfig) -> jax.Array:
        spikes = inner.fire(params.neuron, state.neuron, config)
        return compute_refractory_update(state.steps_left, spikes, jnp.int32(0))[0]

    def reset(params: Any, state: Any, spikes: jax.Array, dt: Any, config: SpikingConfig) -> Any:
        neuron = inner.reset(params.neuron, state.neuron, spikes, dt, config)
        _, left = compute_refractory_update(state.steps_left, spikes, blocked_steps(params.t_ref, dt))
        return RefractoryState(neuron, left)

    return Phases(receive, integrate, fire, reset, inside(inner.held))


@refuses_unknown_keywords
def refractory(neuron: Neuron, rule: Rule = hold) -> Neuron:
    """`neuron` with an absolute refractory period; the same arguments give the same object.

    Args:
        neuron: a spiking model with phases.
        rule: `hold`, `gate_input` or `clamp_to_reset`.

    Returns:
        A Neuron with `RefractoryParams(neuron, t_ref)` and `RefractoryState(neuron, steps_left)`.

    Raises:
        DTypeError: `neuron` does not spike or has no phases, or `rule` is none.

    >>> from snnjax import functional as F
    >>> strict = F.refractory(F.leaky, F.clamp_to_reset)
    >>> params = strict.default(t_ref=3e-3)
    >>> state, spikes = strict.step(params, strict.init(params), 100.0, dt=1e-3)
    >>> float(spikes), int(state.steps_left)
    (1.0, 3)
    """
    inner = phases_of(neuron, "refractory")
    _check_rule(rule)
    return _refractory(neuron, inner, rule)


@functools.cache
def _refractory(neuron: Neuron, inner: Phases, rule: Rule) -> Neuron:
    def default(**fields: Any) -> RefractoryParams:
        return RefractoryParams(**{"neuron": neuron.default(), **fields})

    @checked_init
    def init(params: Any, shape: int | tuple[int, ...] = (), dtype: Any = None) -> RefractoryState:
        state = neuron.init(params.neuron, holding(shape, params.t_ref), dtype)
        return RefractoryState(state, jnp.zeros(core(state).v.shape, jnp.int32))

    suffix = "" if rule is hold else f", {rule.name}"
    feedback = None if neuron.feedback is None else ("neuron", *neuron.feedback)
    made = wrapped(f"refractory({neuron.name}{suffix})", default, init, _phases(inner, rule), neuron.ports)
    return made._replace(feedback=feedback)


def _check_rule(rule: Any) -> None:
    if not isinstance(rule, Rule):
        allowed = "`F.hold`, `F.gate_input` or `F.clamp_to_reset`"
        text = f"`rule` must be {allowed}; got {describe(rule)}."
        raise DTypeError(text, where="refractory", field="rule", value=rule, allowed=allowed)


_lif_refractory = refractory(lif)
_LIF_PHASES = phases_of(_lif_refractory, "lif_refrac")


@checked_init
def lif_refrac_init(params: Any, shape: int | tuple[int, ...] = (), dtype: Any = None) -> RefractoryState:
    """The state of `lif_refrac` at rest and ready to spike. Arguments as in `lif_init`.

    >>> from snnjax import functional as F
    >>> F.lif_refrac_init(F.RefractoryParams(F.LIFParams()), (2,)).steps_left.tolist()
    [0, 0]
    """
    return _lif_refractory.init(params, shape, dtype)


@refuses_unknown_keywords
def lif_refrac_step(
    params: Any, state: RefractoryState, inputs: Any, *, dt: Any, config: SpikingConfig | None = None
) -> tuple[RefractoryState, jax.Array]:
    """One step of `refractory(lif)`: the membrane is held while blocked, the synapse goes on.

    Args:
        params: `RefractoryParams(LIFParams(...), t_ref)`.
        state: `RefractoryState(LIFState, steps_left)`.
        inputs: the jump of the synaptic current in this step, `(..., N)`.
        dt: length of the step, s.
        config: surrogate, reset and integrator; `SpikingConfig()` by default.

    Returns:
        The new state and the spikes, 0 or 1 in the state's dtype.

    >>> from snnjax import functional as F
    >>> params = F.RefractoryParams(F.LIFParams(), t_ref=5e-3)
    >>> state, spikes = F.lif_refrac_step(params, F.lif_refrac_init(params), 50.0, dt=1e-3)
    >>> float(spikes), int(state.steps_left)
    (1.0, 5)
    """
    return advance(_LIF_PHASES, params, state, inputs, dt=dt, config=config)


lif_refrac = _lif_refractory._replace(name="lif_refrac", step=lif_refrac_step, init=lif_refrac_init)
