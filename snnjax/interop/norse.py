"""Norse's parameters and choices as snnjax's: rates in 1/s become time constants in seconds.

| Norse | here | reset of `config` |
|---|---|---|
| `lif_step` | `F.recurrent(F.lif)`, `lif` | `F.reset_to_value` |
| `lif_feed_forward_step` | `F.lif`, `lif` | `F.attached(F.reset_to_value)` |
| `lif_refrac_step` | `F.recurrent(F.lif_refrac)`, `lif_refrac` | `F.reset_to_value` |
| `lif_refrac_feed_forward_step` | `F.lif_refrac`, `lif_refrac` | `F.attached(F.reset_to_value)` |
| `lif_box_feed_forward_step` | `F.leaky`, `lif_box` | `F.attached(F.reset_to_value)` or `F.attached(reset_subtract)` |
| `li_step`, `li_feed_forward_step` | `F.leaky_integrator`, `li` | (no reset) |
| `li_box_step`, `li_box_feed_forward_step` | `F.leaky_integrator`, `li_box` | (no reset) |

Norse's weights are `[post, pre]`: give `x @ W_in.T` as inputs and `W_rec.T` as `weight`. With `config(...)` every function
above gives Norse's spikes and states step by step, and its gradients; except for the refractory ones, whose mask carries a
surrogate in Norse and none here (see `F.refractory`). The order of integration is that of Norse 1.1.0: input first.

Reference: Pehle & Pedersen (2021), Norse: a deep learning library for spiking neural networks, Zenodo.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp

from .. import functional as F
from .._errors import ConfigError, DTypeError, did_you_mean, refuses_unknown_keywords
from .._kinds import Kind
from ..functional._concrete import check_domain, check_real, describe

_RATE = Kind("rate", "1/s", "positive")


def _time_constant(rate: Any, field: str, where: str) -> Any:
    _check(rate, field, _RATE, where)
    return 1.0 / rate


def _check(value: Any, field: str, kind: Kind, where: str) -> None:
    check_real(value, field, where)
    check_domain(value, field, kind, where)


def _check_potentials(where: str, **potentials: Any) -> None:
    for name, value in potentials.items():
        _check(value, name, Kind("potential", "V"), where)


@refuses_unknown_keywords
def lif(tau_syn_inv: Any = 200.0, tau_mem_inv: Any = 100.0, v_leak: Any = 0.0, v_th: Any = 1.0, v_reset: Any = 0.0) -> F.LIFParams:
    """Norse's `LIFParameters` for `F.lif`.

    Args:
        tau_syn_inv: 1/s, a number or one value per neuron, as all of these.
        tau_mem_inv: 1/s.
        v_leak: resting potential.
        v_th: threshold.
        v_reset: potential after a spike.

    Raises:
        ParameterError: a rate is not positive and finite.

    >>> lif().tau_mem, lif(tau_syn_inv=500.0).tau_syn
    (0.01, 0.002)
    """
    _check_potentials("norse.lif", v_leak=v_leak, v_th=v_th, v_reset=v_reset)
    tau_mem = _time_constant(tau_mem_inv, "tau_mem_inv", "norse.lif")
    tau_syn = _time_constant(tau_syn_inv, "tau_syn_inv", "norse.lif")
    return F.LIFParams(tau_mem=tau_mem, tau_syn=tau_syn, v_leak=v_leak, v_th=v_th, v_reset=v_reset)


@refuses_unknown_keywords
def lif_refrac(
    tau_syn_inv: Any = 200.0,
    tau_mem_inv: Any = 100.0,
    v_leak: Any = 0.0,
    v_th: Any = 1.0,
    v_reset: Any = 0.0,
    rho_reset: Any = 5.0,
    dt: Any = 1e-3,
) -> F.RefractoryParams:
    """Norse's `LIFRefracParameters` for `F.lif_refrac`: `t_ref = ceil(rho_reset) * dt`.

    Norse counts `rho_reset` down by one per step while it is positive, so it blocks `ceil(rho_reset)` steps, whatever
    `dt`, and none for a negative one. No gradient passes through the rounding.

    Args:
        tau_syn_inv: as in `lif`, like the other four.
        tau_mem_inv: 1/s.
        v_leak: resting potential.
        v_th: threshold.
        v_reset: potential after a spike.
        rho_reset: steps, a number or one value per neuron. XLA takes a subnormal number (below 1.2e-38 in float32) for 0.
        dt: the step of the simulation, s.

    Raises:
        ParameterError: a rate or `dt` is not positive, or `rho_reset` not finite.

    >>> [round(float(lif_refrac(rho_reset=rho).t_ref), 6) for rho in (5.0, 2.5, -1.0)]
    [0.005, 0.003, 0.0]
    """
    inner = lif(tau_syn_inv, tau_mem_inv, v_leak, v_th, v_reset)
    _check(dt, "dt", Kind("duration", "s", "positive"), "norse.lif_refrac")
    _check(rho_reset, "rho_reset", Kind("count", "1"), "norse.lif_refrac")
    steps = jnp.ceil(jnp.maximum(jnp.asarray(rho_reset), 0))
    return F.RefractoryParams(inner, t_ref=steps * dt)


@refuses_unknown_keywords
def lif_box(tau_mem_inv: Any = 100.0, v_leak: Any = 0.0, v_th: Any = 1.0, v_reset: Any = 0.0) -> F.LeakyParams:
    """Norse's `LIFBoxParameters` for `F.leaky`: a membrane of one ohm without a synapse. Arguments as in `lif`.

    >>> lif_box(tau_mem_inv=50.0).tau_mem
    0.02
    """
    _check_potentials("norse.lif_box", v_leak=v_leak, v_th=v_th, v_reset=v_reset)
    tau_mem = _time_constant(tau_mem_inv, "tau_mem_inv", "norse.lif_box")
    return F.LeakyParams(tau_mem=tau_mem, v_leak=v_leak, v_th=v_th, v_reset=v_reset)


@refuses_unknown_keywords
def li(tau_syn_inv: Any = 200.0, tau_mem_inv: Any = 100.0, v_leak: Any = 0.0) -> F.LeakyIntegratorParams:
    """Norse's `LIParameters` for `F.leaky_integrator`. Arguments as in `lif`.

    >>> li().tau_syn
    0.005
    """
    _check_potentials("norse.li", v_leak=v_leak)
    tau_mem = _time_constant(tau_mem_inv, "tau_mem_inv", "norse.li")
    tau_syn = _time_constant(tau_syn_inv, "tau_syn_inv", "norse.li")
    return F.LeakyIntegratorParams(tau_mem=tau_mem, tau_syn=tau_syn, v_leak=v_leak)


@refuses_unknown_keywords
def li_box(tau_mem_inv: Any = 100.0, v_leak: Any = 0.0, dt: Any = 1e-3) -> F.LeakyIntegratorParams:
    """Norse's `LIBoxParameters` for `F.leaky_integrator` under `F.euler`.

    `tau_syn = dt`: such a synapse passes its input on whole and forgets it in the same Euler step, so it is none. With
    another integrator it would smear the input over the next steps.

    Args:
        tau_mem_inv: as in `lif`.
        v_leak: resting potential.
        dt: the step of the simulation, s.

    Raises:
        ParameterError: `tau_mem_inv` or `dt` is not positive and finite.

    >>> state, v = F.leaky_integrator_step(li_box(), F.leaky_integrator_init(li_box()), 1.0, dt=1e-3, config=config())
    >>> round(float(v), 6), float(state.i)
    (0.1, 0.0)
    """
    _check_potentials("norse.li_box", v_leak=v_leak)
    _check(dt, "dt", Kind("duration", "s", "positive"), "norse.li_box")
    return F.LeakyIntegratorParams(tau_mem=_time_constant(tau_mem_inv, "tau_mem_inv", "norse.li_box"), tau_syn=dt, v_leak=v_leak)


def reset_subtract(v: jax.Array, spikes: jax.Array, params: Any) -> jax.Array:
    """Norse's reset by subtraction, `v - v_th`; `F.reset_by_subtraction` takes `v_th - v_reset` off instead.

    >>> reset_subtract(jnp.array([0.5, 1.5]), jnp.array([0.0, 1.0]), lif(v_reset=-1.0)).tolist()
    [0.5, 0.5]
    """
    return jnp.where(spikes > 0, v - params.v_th, v)


def _circ(y: jax.Array) -> jax.Array:
    return (1.0 + y * y) ** -1.5


def _gaussian(y: jax.Array) -> jax.Array:
    return jnp.exp(-y * y)


def _triangle(y: jax.Array) -> jax.Array:
    return jnp.clip(1.0 - jnp.abs(y), min=0.0)


# Norse's argument is v - v_th itself: unit 1.
_METHODS: Mapping[str, Callable[[Any], Callable[..., jax.Array]]] = MappingProxyType(
    {
        "heaviside": lambda alpha: F.heaviside(),
        "super": lambda alpha: F.superspike(slope=alpha, unit=1.0),
        "tanh": lambda alpha: F.tanh(slope=alpha, unit=1.0),
        "triangle": lambda alpha: F.surrogate(_triangle, unit=1.0, height=alpha),
        "circ": lambda alpha: F.surrogate(_circ, slope=1.0 / alpha, unit=1.0),
        "heavi_erfc": lambda alpha: F.surrogate(_gaussian, slope=alpha, unit=1.0, height=2.0 / math.sqrt(math.pi)),
    }
)


@refuses_unknown_keywords
def surrogate(method: str = "super", alpha: Any = 100.0) -> Callable[..., jax.Array]:
    """The spike function that Norse calls `threshold(x, method, alpha)`, `x = v - v_th`.

    | `method` | pseudo-derivative | `alpha` is |
    |---|---|---|
    | `"heaviside"` | none | not used |
    | `"super"` | `1 / (1 + alpha abs(x))**2` | a slope |
    | `"tanh"` | `1 - tanh(alpha x)**2` | a slope |
    | `"triangle"` | `alpha max(0, 1 - abs(x))` | a height |
    | `"circ"` | `alpha**3 / (alpha**2 + x**2)**1.5` | a width |
    | `"heavi_erfc"` | `2/sqrt(pi) exp(-(alpha x)**2)` | a slope |

    The wheel of Norse 1.1.0 ignores `alpha` for `"super"`: it computes `surrogate("super", 1.0)`.

    Args:
        method: one of the above.
        alpha: positive, a number or one value per neuron.

    Raises:
        ConfigError: `method` is none of the above.
        ParameterError: `alpha` is not positive and finite.

    >>> float(jax.grad(surrogate("triangle", 0.5))(0.5))
    0.25
    """
    if not isinstance(method, str) or method not in _METHODS:
        raise ConfigError(
            f"`method` must be a surrogate of Norse; got {method!r}. {did_you_mean(str(method), _METHODS)}",
            where="norse.surrogate",
            field="method",
            value=method,
            allowed=", ".join(_METHODS),
        )
    _check(alpha, "alpha", Kind("slope", "1", "positive"), "norse.surrogate")
    return _METHODS[method](alpha)


@refuses_unknown_keywords
def config(method: str = "super", alpha: Any = 100.0, reset: Callable[..., jax.Array] = F.reset_to_value) -> F.SpikingConfig:
    """Norse's choices: its surrogate, forward Euler, and a reset.

    Args:
        method: as in `surrogate`.
        alpha: as in `surrogate`.
        reset: `F.reset_to_value` (as given: detached, which of Norse's functions only the recurrent `lif_step` and
            `lif_refrac_step` do), `reset_subtract`, or either one `F.attached(...)`; see the table at the top of the file.

    Raises:
        ConfigError: `method` is unknown.
        ParameterError: `alpha` is not positive and finite.

    >>> config("tanh", alpha=4.0, reset=F.attached(F.reset_to_value)).integrator.name
    'euler'
    """
    if not callable(reset):
        wanted = "a reset such as `F.reset_to_value` or `norse.reset_subtract`"
        text = f"`reset` must be {wanted}; got {describe(reset)}."
        raise DTypeError(text, where="norse.config", field="reset", value=reset, allowed=wanted)
    return F.SpikingConfig(spike=surrogate(method, alpha), reset=reset, integrator=F.euler)
