"""What every fit is asked: which parameters change (by name, by kind, or by a predicate), and how many steps."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from .._coordinates import is_record
from .._errors import ConfigError, DTypeError, ParameterError, did_you_mean
from .._kinds import kinds_of
from ..functional._concrete import describe

Selection = str | Iterable[str] | Callable[[str], bool] | None


def selected(params: Any, trainable: Selection, where: str) -> Any:
    """`params` with True where a leaf is to be trained, else False."""
    kinds = jax.tree_util.tree_leaves_with_path(_kind_names(params))
    paths = [[str(k) for key in path if isinstance(k := getattr(key, "name", getattr(key, "key", None)), str)] for path, _ in kinds]
    leaves = list(zip(paths, (kind for _, kind in kinds), jax.tree.leaves(params), strict=True))
    if trainable is None:
        chosen = [kind != "duration" for _, kind, _ in leaves]
    elif callable(trainable):
        chosen = [bool(trainable(names[-1] if names else "")) for names, _, _ in leaves]
    else:
        wanted = (trainable,) if isinstance(trainable, str) or not isinstance(trainable, Iterable) else tuple(trainable)
        known = dict.fromkeys(name for names, kind, _ in leaves for name in (*names, kind) if name)
        for name in wanted:
            if name not in known:
                raise _untrainable(f"names {name!r}, which `params` do not have. {did_you_mean(str(name), known)}", name, known, where)
        chosen = [not {*names, kind}.isdisjoint(wanted) for names, kind, _ in leaves]
    # A parameter that is an integer array is not passed over in silence: unconstraining it refuses it by name.
    able = [kind != "" or _is_floating(value) for _, kind, value in leaves]
    if not any(take and can for take, can in zip(chosen, able, strict=True)):
        known = dict.fromkeys(names[-1] for (names, _, _), can in zip(leaves, able, strict=True) if can and names)
        raise _untrainable(f"selects nothing that can be trained. Known names: {', '.join(known) or 'none'}.", trainable, known, where)
    return jax.tree.unflatten(jax.tree.structure(params), [take and can for take, can in zip(chosen, able, strict=True)])


def _kind_names(tree: Any) -> Any:
    """`tree` with the name of its kind in place of each leaf; "" outside of a Params."""

    def of_record(params: Any) -> Any:
        kinds = kinds_of(type(params))
        named = {name: jax.tree.map(lambda _, kind=kind: kind.name, getattr(params, name)) for name, kind in kinds.items()}
        return params._replace(**{name: named.get(name) or _kind_names(getattr(params, name)) for name in params._fields})

    return jax.tree.map(lambda node: of_record(node) if is_record(node) else "", tree, is_leaf=is_record)


def _is_floating(value: Any) -> bool:
    return isinstance(value, float) or (eqx.is_array_like(value) and jnp.issubdtype(jnp.result_type(value), jnp.floating))


def _untrainable(problem: str, value: Any, known: Iterable[str], where: str) -> ConfigError:
    return ConfigError(
        f"`trainable` {problem}",
        where=where,
        field="trainable",
        value="none" if value is None else value,
        allowed=", ".join(known) or "a floating number",
    )


def checked_steps(steps: Any, where: str) -> int:
    """The number of steps of a fit, as an integer."""
    try:
        count = None if isinstance(steps, bool) else operator.index(steps)
    except TypeError:
        count = None
    wanted = "a whole number, 0 or more"
    if count is None:
        raise DTypeError(f"`steps` must be {wanted}; got {describe(steps)}.", where=where, field="steps", value=steps, allowed=wanted)
    if count < 0:
        raise ParameterError(f"`steps` must be {wanted}; got {count}.", where=where, field="steps", value=count, allowed=wanted)
    return count
