"""Coordinates of parameters in which no step of an optimizer can leave their domain.

| domain of the field | free coordinate |
|---|---|
| positive | `log(x)` |
| nonnegative | `log(exp(x) - 1)`, the inverse of softplus |
| fraction | `log(x / (1 - x))` |
| real | `x` |
| `v_th` beside a `v_reset` | `log(v_th - v_reset)`: the threshold stays above the reset |

The domain is that of the field's kind, so a model that names its kinds is fitted like any other.

Reference: Gelman et al. (2013), Bayesian Data Analysis, 3rd edition, section 1.8.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ._errors import DTypeError, refuses_unknown_keywords
from ._kinds import Kind, kinds_of
from .functional._concrete import check_domain, check_real, concrete, describe, refuse_where
from .functional._rank import leading


@refuses_unknown_keywords
def unconstrain(params: Any) -> Any:
    """The free coordinates of `params` (table at the top of the file); any finite change of them is allowed.

    Args:
        params: a Params, or any pytree with Params in it; what is outside of a Params (weights) passes unchanged.

    Returns:
        The same tree, each parameter as a free number in float32 at least. A nonnegative 0 becomes about -87 (float32)
        and comes back as 0; the gradient vanishes there, so a fit leaves it at 0.

    Raises:
        ParameterError: a concrete value is outside its domain, or `v_reset` not below `v_th`.
        DTypeError: a parameter is not a floating number.

    >>> from snnjax import fit, functional as F
    >>> free = fit.unconstrain(F.LIFParams(tau_mem=1.0, v_th=2.0, v_reset=1.0))
    >>> float(free.tau_mem), float(free.v_th)
    (0.0, 0.0)
    """
    return to_free(params, jax.tree.map(lambda _: True, params))


@refuses_unknown_keywords
def constrain(like: Any, free: Any) -> Any:
    """The parameters in natural units that have these free coordinates: the inverse of `unconstrain`.

    Args:
        like: params of the same structure; they give the dtypes, and their values do not matter.
        free: what `unconstrain` made, changed as one likes; may be traced.

    Returns:
        The tree of `free` with every parameter inside its domain.

    Raises:
        DTypeError: `free` has another structure than `like`.
        ParameterError: a concrete coordinate is NaN or infinite.

    >>> from snnjax import fit, functional as F
    >>> params = F.LIFParams()
    >>> free = fit.unconstrain(params)
    >>> far = fit.constrain(params, free._replace(v_th=free.v_th - 50.0))
    >>> bool(far.v_th > far.v_reset)
    True
    """
    if jax.tree.structure(like) != jax.tree.structure(free):
        raise DTypeError(
            f"`free` must have the structure of `like`, {describe(like)}; got {describe(free)}. Make it with `fit.unconstrain(like)`.",
            where="constrain",
            field="free",
            value=describe(free),
            allowed=describe(like),
        )
    return to_natural(like, free, jax.tree.map(lambda _: True, like))


def to_free(params: Any, mask: Any) -> Any:
    """The coordinates of a fit that changes what `mask`, a tree of booleans like `params`, selects."""
    return jax.tree.map(lambda node, m: _free_record(node, m) if is_record(node) else node, params, mask, is_leaf=is_record)


def to_natural(like: Any, free: Any, mask: Any) -> Any:
    """What `mask` selects, from its coordinate in `free`; the rest exactly as it is in `like`."""

    def visit(node: Any, coordinate: Any, m: Any) -> Any:
        if is_record(node):
            return _natural_record(node, coordinate, m)
        return coordinate if m else node

    return jax.tree.map(visit, like, free, mask, is_leaf=is_record)


def is_record(node: Any) -> bool:
    """Whether `node` is a Params: a NamedTuple with kinds."""
    if not (isinstance(node, tuple) and hasattr(node, "_fields")):
        return False
    try:
        return len(kinds_of(type(node))) > 0
    except NameError:  # annotated with names that only a type checker sees: a container, not a Params
        return False


def float_like(value: Any) -> Any:
    """The dtype of a number as JAX holds it; its default for a plain number."""
    return jax.dtypes.canonicalize_dtype(getattr(value, "dtype", float))


def moving_potential(params: Any, mask: Any) -> tuple[str, str, float] | None:
    """Which of `v_th` and `v_reset` has their distance as its coordinate, the other, and the sign of the distance.

    It is `v_th`, unless `v_th` is held while `v_reset` moves.
    """
    if not {"v_th", "v_reset"} <= set(params._fields):
        return None
    return ("v_reset", "v_th", -1.0) if mask.v_reset and not mask.v_th else ("v_th", "v_reset", 1.0)


def _free_record(params: Any, mask: Any) -> Any:
    kinds, free = kinds_of(type(params)), {}
    numbers = {name: _number(value, name, kinds[name]) for name, value in params._asdict().items() if name in kinds}
    if pair := moving_potential(params, mask):
        _check_order(params.v_th, params.v_reset)
    for name, value in params._asdict().items():
        free[name] = _TRANSFORMS[kinds[name].domain][0](numbers[name]) if name in kinds else to_free(value, getattr(mask, name))
    if pair:
        moving, other, sign = pair
        free[moving] = jnp.log(sign * (numbers[moving] - _nearest(moving, numbers[moving], numbers[other])))
    return params._replace(**free)


def _natural_record(like: Any, free: Any, mask: Any) -> Any:
    kinds, natural = kinds_of(type(like)), {}
    for name, value in like._asdict().items():
        coordinate, selected = getattr(free, name), getattr(mask, name)
        if name not in kinds:
            natural[name] = to_natural(value, coordinate, selected)
        elif not selected:
            natural[name] = value
        else:
            check_domain(coordinate, name, _COORDINATE, "constrain")
            natural[name] = _as(_TRANSFORMS[kinds[name].domain][1](jnp.asarray(coordinate)), value)
    pair = moving_potential(like, mask)
    if pair and getattr(mask, pair[0]):
        moving, other, sign = pair
        value, distance = getattr(like, moving), _positive(jnp.asarray(getattr(free, moving)))
        edge = _nearest(moving, distance, jnp.asarray(natural[other], distance.dtype))
        # A distance that rounding swallows would put the threshold on the reset.
        least = 4.0 * float(jnp.finfo(float_like(value)).eps) * jnp.abs(edge)
        natural[moving] = _as(edge + sign * jnp.maximum(distance, least), value)
    return like._replace(**natural)


def _nearest(moving: str, like: jax.Array, other: jax.Array) -> jax.Array:
    """The other potential beside each element of `like`; where one number bounds many, the one next to it."""
    other = other.astype(like.dtype)
    if jnp.broadcast_shapes(other.shape, like.shape) == like.shape:
        return leading(other, like.ndim)
    return jnp.max(other) if moving == "v_th" else jnp.min(other)


def _check_order(v_th: Any, v_reset: Any) -> None:
    threshold, reset = concrete(v_th), concrete(v_reset)
    if threshold is not None and reset is not None:
        reset, threshold = np.broadcast_arrays(reset, threshold)
        bad = reset >= threshold
        advice = f"Its `v_th` is {float(threshold[bad][0])}: the threshold is fitted as its distance from the reset." if bad.any() else ""
        refuse_where(bad, reset, "v_reset", "below `v_th`", "unconstrain", advice)


def _number(value: Any, name: str, kind: Kind) -> jax.Array:
    """A parameter as a floating array, in float32 at least, checked as far as it is concrete."""
    check_real(value, name, "unconstrain")
    if not jnp.issubdtype(float_like(value), jnp.floating):
        raise DTypeError(
            f"`{name}` must hold floats, as gradients need; got {float_like(value)}. Convert it with `jnp.asarray(..., float)`.",
            where="unconstrain",
            field=name,
            value=value,
            allowed="float, or array of floats",
        )
    check_domain(value, name, kind, "unconstrain")
    half = jnp.finfo(float_like(value)).bits < 32
    return jnp.asarray(value, jnp.float32 if half else float_like(value))


def _as(x: jax.Array, like: Any) -> jax.Array:
    return x.astype(float_like(like)) if hasattr(like, "dtype") else x


_COORDINATE = Kind("coordinate", "", "real")


def _lowest(free: jax.Array) -> float:
    # One above the logarithm of the smallest normal number: XLA flushes what is below that number to 0.
    return float(np.log(float(jnp.finfo(free.dtype).tiny))) + 1.0


def _positive(free: jax.Array) -> jax.Array:
    # Clipped before exp, not after: the derivative of an exp that overflows is inf, and inf * 0 is NaN.
    return jnp.exp(jnp.clip(free, _lowest(free), -_lowest(free)))


def _free_nonnegative(x: jax.Array) -> jax.Array:
    x = jnp.maximum(x, jnp.finfo(x.dtype).tiny)
    return x + jnp.log(-jnp.expm1(-x))


def _nonnegative(free: jax.Array) -> jax.Array:
    return jnp.where(free <= _lowest(free), 0.0, jax.nn.softplus(free))


def _free_fraction(x: jax.Array) -> jax.Array:
    info = jnp.finfo(x.dtype)
    x = jnp.clip(x, info.tiny, 1.0 - info.epsneg)
    return jnp.log(x) - jnp.log1p(-x)


def _fraction(free: jax.Array) -> jax.Array:
    return jnp.where(free <= _lowest(free), 0.0, jax.nn.sigmoid(free))


def _same(x: jax.Array) -> jax.Array:
    return x


#: Per domain: to the free coordinate, and back.
_TRANSFORMS: Mapping[str, tuple[Callable[[jax.Array], jax.Array], Callable[[jax.Array], jax.Array]]] = {
    "positive": (jnp.log, _positive),
    "nonnegative": (_free_nonnegative, _nonnegative),
    "fraction": (_free_fraction, _fraction),
    "real": (_same, _same),
}
