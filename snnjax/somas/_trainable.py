"""What trains: a choice of the trainer, made by kind or by path, not a property of the network."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator
from typing import Any

import equinox as eqx
import jax

from .._errors import ConfigError, DTypeError, did_you_mean, refuses_unknown_keywords
from .._kinds import kinds_of
from ._iaf_noise import Noise
from ._soma import Soma

#: Arrays of Equinox layers, weights and biases alike.
_OF_LAYERS = "weight"


@refuses_unknown_keywords
def trainable(net: Any, *, kinds: str | Iterable[str] | None = None, paths: str | Iterable[str] | None = None) -> Any:
    """Which arrays of `net` train: a tree of booleans for `eqx.partition(net, trainable(net, ...))`.

    Args:
        net: a soma, a `Sequential`, or any pytree with somas in it.
        kinds: names of kinds such as "time_constant", "potential", "weight"; weights and biases of Equinox layers are
            all of kind "weight". By default any.
        paths: patterns of paths such as `"layers.0.*"` or, without a dot, of the last name, `"tau_mem"`. By default any.

    Returns:
        A tree like `net`: True for every floating array of one of the kinds and at one of the paths. What is not a
        parameter of a soma or an array of a layer (slopes of surrogates) is never among them.

    Raises:
        ConfigError: a kind or a path that nothing in `net` has.
        DTypeError: one that is no name.

    >>> import equinox as eqx
    >>> from snnjax import somas
    >>> soma = somas.LIFSomaConfig(shape=(2,)).build()
    >>> spec = somas.trainable(soma, kinds="time_constant")
    >>> spec.params.tau_mem, spec.params.v_th
    (True, False)
    >>> free, fixed = eqx.partition(soma, spec)
    """
    kinds, paths = _as_names(kinds, "kinds"), _as_names(paths, "paths")
    found = dict(_parameters(net))
    _check_known(kinds, {kind for kind in found.values()}, "kinds")
    for pattern in paths or ():
        if not any(_matches(path, pattern) for path in found):
            _refuse("paths", pattern, [".".join(path) for path in found])

    def trains(path: Any, leaf: Any) -> bool:
        del leaf
        names = _names(path)
        if names not in found or (kinds is not None and found[names] not in kinds):
            return False
        return paths is None or any(_matches(names, pattern) for pattern in paths)

    return jax.tree_util.tree_map_with_path(trains, net)


def _parameters(net: Any) -> Iterator[tuple[tuple[str, ...], str]]:
    """The path and the kind of every floating array that may train."""
    leaves = jax.tree_util.tree_leaves_with_path(net, is_leaf=lambda node: isinstance(node, Soma | Noise))
    for path, leaf in leaves:
        if isinstance(leaf, Soma):
            yield from _annotated(leaf.params, (*_names(path), "params"))
        elif isinstance(leaf, Noise):
            yield from _annotated(leaf, _names(path))
        elif eqx.is_inexact_array(leaf):
            yield _names(path), _OF_LAYERS


def _annotated(record: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    kinds = kinds_of(type(record))
    for name, value in zip(record._fields, record, strict=True):
        if name in kinds and eqx.is_inexact_array(value):
            yield (*path, name), kinds[name].name
        elif hasattr(value, "_fields"):
            yield from _annotated(value, (*path, name))


def _names(path: Any) -> tuple[str, ...]:
    return tuple(jax.tree_util.keystr((entry,), simple=True) for entry in path)


def _matches(path: tuple[str, ...], pattern: str) -> bool:
    return fnmatch.fnmatchcase(".".join(path) if "." in pattern else path[-1], pattern)


def _as_names(names: str | Iterable[str] | None, field: str) -> tuple[str, ...] | None:
    if names is None or isinstance(names, str):
        return None if names is None else (names,)
    found = tuple(names) if isinstance(names, Iterable) else (names,)
    if not all(isinstance(name, str) for name in found):
        wanted = "a name, or several"
        raise DTypeError(f"`{field}` must be {wanted}; got {names!r:.60}.", where="trainable", field=field, value=names, allowed=wanted)
    return found


def _check_known(names: tuple[str, ...] | None, known: set[str], field: str) -> None:
    for name in names or ():
        if name not in known:
            _refuse(field, name, sorted(known))


def _refuse(field: str, name: str, known: list[str]) -> None:
    raise ConfigError(
        f"`{field}` has {name!r}, which nothing in the network is. {did_you_mean(name, known)}",
        where="trainable",
        field=field,
        value=name,
        allowed=", ".join(known),
    )
