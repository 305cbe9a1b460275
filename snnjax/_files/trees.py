"""Any pytree of arrays, keys and numbers as named arrays and a description, and back into a tree of the same structure."""

from __future__ import annotations

from typing import Any, NoReturn

import jax
import jax.numpy as jnp
import numpy as np

from .._errors import DTypeError, FormatError, describe


def pack(tree: Any, name: str, *, functions: bool = False) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """The leaves of `tree`: what each is, by path, and the arrays among them.

    Args:
        tree: any pytree.
        name: what to call it, in errors and in the names of the arrays.
        functions: whether leaves may be functions; of these the name is kept, to be compared on loading.

    Raises:
        DTypeError: a leaf is something else.
    """
    described, arrays = [], {}
    for k, (path, leaf) in enumerate(jax.tree_util.tree_leaves_with_path(tree)):
        entry: dict[str, Any] = {"path": jax.tree_util.keystr(path)}
        if _is_key(leaf):
            arrays[f"{name}.{k}"] = np.asarray(jax.random.key_data(leaf))
            entry["key"] = str(jax.random.key_impl(leaf))
        elif isinstance(leaf, jax.Array | np.ndarray | np.generic):
            arrays[f"{name}.{k}"] = np.asarray(leaf)
            if getattr(leaf, "weak_type", False):
                entry["weak"] = True
        elif isinstance(leaf, bool | int | float):
            entry["number"] = repr(leaf)  # text: infinity is a legal best loss, and JSON has none
        elif functions and callable(leaf):
            entry["function"] = _name_of(leaf)
        else:
            raise DTypeError(
                f"`{name}{entry['path']}` must be an array, a key or a number; got {describe(leaf)}.",
                where="save",
                field=f"{name}{entry['path']}",
                value=leaf,
                allowed="arrays, keys and numbers",
            )
        described.append(entry)
    return described, arrays


def unpack(described: Any, arrays: dict[str, np.ndarray], like: Any, path: str, name: str) -> Any:
    """What `pack` took apart, as a tree like `like`.

    Raises:
        FormatError: `like` has other paths, shapes, dtypes, kinds of keys or functions.
    """
    if not isinstance(described, list) or not all(isinstance(entry, dict) for entry in described):
        _refuse(path, f"has a malformed `{name}`", name)
    leaves, tree = jax.tree_util.tree_flatten_with_path(like)
    wanted = [jax.tree_util.keystr(where) for where, _ in leaves]
    found = [entry.get("path") for entry in described]
    if found != wanted:
        odd = sorted({str(place) for place in found} ^ set(wanted)) or wanted
        _refuse(path, f"has another `{name}` than `like`; they differ in {', '.join(odd)[:200]}", name)
    stored = {f"{name}.{k}" for k, entry in enumerate(described) if not {"number", "function"} & set(entry)}
    spare = sorted({key for key in arrays if key.startswith(f"{name}.")} - stored)
    if spare:
        _refuse(path, f"has arrays of `{name}` that belong to nothing: {', '.join(spare)[:200]}", name)
    pairs = zip(described, leaves, strict=True)
    values = [_leaf(entry, arrays.get(f"{name}.{k}"), leaf, path, name) for k, (entry, (_, leaf)) in enumerate(pairs)]
    return jax.tree.unflatten(tree, values)


def _leaf(entry: dict[str, Any], array: np.ndarray | None, like: Any, path: str, tree: str) -> Any:
    name = f"{tree}{entry['path']}"
    if "number" in entry:
        return _number(entry["number"], like, name, path, tree)
    if "function" in entry:
        if not callable(like) or entry["function"] != _name_of(like):
            _refuse(path, f"has the function {entry['function']!r:.60} in `{name}`, and `like` has {_name_of(like)}", tree)
        return like
    wanted = jax.random.key_data(like) if _is_key(like) else like
    if array is None or np.shape(array) != np.shape(wanted) or array.dtype != getattr(wanted, "dtype", None):
        came = "nothing" if array is None else f"{array.dtype.name} of shape {array.shape}"
        kind = getattr(wanted, "dtype", type(wanted).__name__)
        _refuse(path, f"holds {came} in `{name}`, and `like` has {kind} of {np.shape(wanted)}", tree)
    if not isinstance(like, jax.Array):
        return array.copy()[() if isinstance(like, np.generic) else ...]
    if not _is_key(like):
        return _weak(jnp.asarray(array)) if entry.get("weak") is True else jnp.asarray(array)
    if entry.get("key") != str(jax.random.key_impl(like)):
        _refuse(path, f"holds a key of {entry.get('key')!r:.40} in `{name}`, and `like` has one of {jax.random.key_impl(like)}", tree)
    return jax.random.wrap_key_data(jnp.asarray(array), impl=jax.random.key_impl(like))


def _weak(array: jax.Array) -> jax.Array:
    """`array` with the weak type of what was made of Python's numbers, which decides about promotion, and about compiling again."""
    zeros = jnp.full(array.shape, 0.0 if jnp.issubdtype(array.dtype, jnp.floating) else 0)
    return zeros.at[...].set(array) if zeros.dtype == array.dtype else array


def _number(text: Any, like: Any, name: str, path: str, tree: str) -> Any:
    if type(like) is bool and text in ("True", "False"):
        return text == "True"
    try:
        if type(like) in (int, float) and isinstance(text, str) and len(text) < 40:
            return type(like)(text)
    except ValueError:
        pass
    _refuse(path, f"holds {text!r:.40} in `{name}`, and `like` has a {type(like).__name__}", tree)


def _is_key(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _name_of(function: Any) -> str:
    return str(getattr(function, "__qualname__", type(function).__name__))


def _refuse(path: str, what: str, tree: str) -> NoReturn:
    raise FormatError(f"`{path}` {what}.", where="load", field=tree, value=path, allowed=f"what was saved as `{tree}`")
