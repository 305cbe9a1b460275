"""Device mismatch: no two transistors of a chip are alike.

Gaussian    x' = x (1 + percent / sigma_rule z)             z ~ N(0, 1), one per number
log-normal  x' = x exp(percent / sigma_rule z)              the same spread to first order; never changes sign
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from .._errors import ConfigError, DTypeError, did_you_mean, refuses_unknown_keywords
from .._kinds import Kind
from ..functional._concrete import check_domain, check_key, check_real, describe
from ..functional._dpi_records import BiasCurrents, DynapseParams, Process

Draw = Callable[[Any, Any], Any]


def gaussian(x: Any, deviation: Any) -> Any:
    """`x (1 + deviation)`, as DynapSim draws; a large percentage can change the sign."""
    return x * (1.0 + deviation)


def log_normal(x: Any, deviation: Any) -> Any:
    """`x exp(deviation)`: keeps the sign at any percentage."""
    return x * jnp.exp(deviation)


#: What varies from device to device: every current and every constant of the silicon, but not weights or `Iscale`.
DEVICES = (*BiasCurrents._fields, *Process._fields)


@refuses_unknown_keywords
def mismatch(
    params: Any, key: jax.Array, *, percent: float | Mapping[str, float] = 0.3, sigma_rule: float = 3.0, draw: Draw = gaussian
) -> Any:
    """The same parameters on another chip: a pure function of `key`; `vmap` over keys for many chips.

    Every array element gets its own deviation, so give arrays of one value per neuron for neurons that differ.

    Args:
        params: a tree of Params, such as `DynapseParams`; fields (or keys of mappings) named in `DEVICES` vary, the rest is
            returned as it is.
        key: of `jax.random`.
        percent: the deviation at `sigma_rule` standard deviations, as a fraction: 0.3 is 30 %. A mapping from names of
            fields varies only those, and may name any field, such as `Iscale`.
        sigma_rule: how many standard deviations `percent` is.
        draw: `dynapse.gaussian`, `dynapse.log_normal`, or any `(x, deviation) -> x`.

    Returns:
        A tree of the same structure.

    Raises:
        ParameterError: `percent` is negative, or `sigma_rule` not positive.
        ConfigError: `percent` names what is in no field.
        DTypeError: an argument is of the wrong kind, or there is nothing in `params` that varies.

    >>> import jax, jax.numpy as jnp
    >>> from snnjax import functional as F
    >>> params = F.DynapseParams(F.BiasCurrents(Itau_mem=jnp.full(1000, 5e-12)))
    >>> chip = mismatch(params, jax.random.key(0), percent=0.3)
    >>> round(float((chip.bias.Itau_mem / 5e-12).std()), 2), chip.Iscale
    (0.1, 1e-08)
    """
    if isinstance(percent, Mapping):
        percents = dict(percent)
        _check({f"percent[{name}]": value for name, value in percents.items()}, sigma_rule)
    else:
        percents = dict.fromkeys(DEVICES, percent)
        _check({"percent": percent}, sigma_rule)
    check_key(key, "mismatch")
    if not callable(draw):
        wanted = "a function `(x, deviation) -> x` such as `dynapse.log_normal`"
        raise DTypeError(f"`draw` must be {wanted}; got {describe(draw)}.", where="mismatch", field="draw", value=draw, allowed=wanted)
    leaves, tree = jax.tree_util.tree_flatten_with_path(params)
    names = [_name(path) for path, _ in leaves]
    _check_names(percents if isinstance(percent, Mapping) else None, names)
    keys = _keys(names, key, isinstance(params, DynapseParams))

    def varied(k: int, leaf: Any) -> Any:
        if names[k] not in percents:
            return leaf
        leaf = jnp.asarray(leaf, jnp.result_type(float) if isinstance(leaf, float | int) else None)
        return draw(leaf, percents[names[k]] / sigma_rule * jax.random.normal(keys[k], leaf.shape, leaf.dtype))

    return jax.tree.unflatten(tree, [varied(k, leaf) for k, (_, leaf) in enumerate(leaves)])


def _keys(names: list[str], key: jax.Array, as_dynapsim: bool) -> dict[int, jax.Array]:
    """A key per leaf, in the order in which DynapSim draws: sorted by name, the first unused, its `dt` and `w_rec` counted."""
    phantoms = [name for name in ("dt", "w_rec") if as_dynapsim and name not in names]
    order = sorted([(name, k) for k, name in enumerate(names)] + [(name, -1) for name in phantoms])
    split = jax.random.split(key, len(order) + 1)
    return {k: split[place] for place, (_, k) in enumerate(order, start=1) if k >= 0}


def _name(path: Any) -> str:
    """The last field or key that has a name: a gate belongs to its current."""
    named = [str(getattr(entry, "name", None) or getattr(entry, "key", "")) for entry in path if not hasattr(entry, "idx")]
    if len(named) > 1 and named[-1] in ("ampa", "nmda", "gaba", "shunt"):
        return named[-2]
    return named[-1] if named else ""


def _check_names(percents: Mapping[str, float] | None, names: list[str]) -> None:
    """Every name of `percents` is there; without any, some device of the chip is."""
    there = sorted(set(names) - {""})
    for name in percents or ():
        if name not in there:
            raise ConfigError(
                f"`percent` names {name!r}, which `params` does not have. {did_you_mean(name, there)}",
                where="mismatch",
                field="percent",
                value=name,
                allowed=", ".join(there),
            )
    if percents is None and not set(DEVICES) & set(there):
        wanted = "a tree with currents or silicon of a chip, such as DynapseParams"
        text = f"`params` must be {wanted}; got {', '.join(there) or 'no named numbers'}. Or name in `percent` what varies."
        raise DTypeError(text, where="mismatch", field="params", value=there, allowed=wanted)


def _check(percents: Mapping[str, float], sigma_rule: float) -> None:
    for name, value in percents.items():
        check_real(value, name, "mismatch")
        check_domain(value, name, Kind("deviation", "1", "nonnegative"), "mismatch")
    check_real(sigma_rule, "sigma_rule", "mismatch")
    check_domain(sigma_rule, "sigma_rule", Kind("deviations", "1", "positive"), "mismatch")
