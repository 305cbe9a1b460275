"""Any pytree of arrays, keys and numbers as named arrays and a description, and back into a tree of the same structure."""

from __future__ import annotations

from typing import Any, NoReturn

import jax
import jax.numpy as jnp
import numpy as np

from .._errors import DTypeError, FormatError


def pack(extra: Any) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """The leaves of `extra`: what each is, by path, and the arrays among them."""
    described, arrays = [], {}
    for k, (path, leaf) in enumerate(jax.tree_util.tree_leaves_with_path(extra)):
        entry: dict[str, Any] = {"path": jax.tree_util.keystr(path)}
        if _is_key(leaf):
            arrays[f"extra.{k}"] = np.asarray(jax.random.key_data(leaf))
            entry["key"] = str(jax.random.key_impl(leaf))
        elif isinstance(leaf, jax.Array | np.ndarray | np.generic):
            arrays[f"extra.{k}"] = np.asarray(leaf)
        elif isinstance(leaf, bool | int | float):
            entry["number"] = repr(leaf)  # text: infinity is a legal best loss, and JSON has none
        else:
            raise DTypeError(
                f"`extra{entry['path']}` must be an array, a key or a number; got {type(leaf).__name__}.",
                where="save",
                field=f"extra{entry['path']}",
                value=leaf,
                allowed="arrays, keys and numbers",
            )
        described.append(entry)
    return described, arrays


def unpack(described: Any, arrays: dict[str, np.ndarray], like: Any, path: str) -> Any:
    """What `pack` took apart, as a tree like `like`."""
    if not isinstance(described, list) or not all(isinstance(entry, dict) for entry in described):
        _refuse(path, "has a malformed `extra`")
    leaves, tree = jax.tree_util.tree_flatten_with_path(like)
    wanted = [jax.tree_util.keystr(where) for where, _ in leaves]
    found = [entry.get("path") for entry in described]
    if found != wanted:
        odd = sorted({str(name) for name in found} ^ set(wanted)) or wanted
        _refuse(path, f"has another `extra` than `like`; they differ in {', '.join(odd)[:200]}")
    pairs = zip(described, leaves, strict=True)
    return jax.tree.unflatten(tree, [_leaf(entry, arrays.get(f"extra.{k}"), leaf, path) for k, (entry, (_, leaf)) in enumerate(pairs)])


def _leaf(entry: dict[str, Any], array: np.ndarray | None, like: Any, path: str) -> Any:
    name = f"extra{entry['path']}"
    if "number" in entry:
        return _number(entry["number"], like, name, path)
    wanted = jax.random.key_data(like) if _is_key(like) else like
    if array is None or np.shape(array) != np.shape(wanted) or array.dtype != getattr(wanted, "dtype", None):
        came = "nothing" if array is None else f"{array.dtype.name} of shape {array.shape}"
        _refuse(path, f"holds {came} in `{name}`, and `like` has {getattr(wanted, 'dtype', type(wanted).__name__)} of {np.shape(wanted)}")
    if not _is_key(like):
        return jnp.asarray(array) if isinstance(like, jax.Array) else array.copy()
    if entry.get("key") != str(jax.random.key_impl(like)):
        _refuse(path, f"holds a key of {entry.get('key')!r:.40} in `{name}`, and `like` has one of {jax.random.key_impl(like)}")
    return jax.random.wrap_key_data(jnp.asarray(array), impl=jax.random.key_impl(like))


def _number(text: Any, like: Any, name: str, path: str) -> Any:
    if type(like) is bool and text in ("True", "False"):
        return text == "True"
    try:
        if type(like) in (int, float) and isinstance(text, str) and len(text) < 40:
            return type(like)(text)
    except ValueError:
        pass
    _refuse(path, f"holds {text!r:.40} in `{name}`, and `like` has a {type(like).__name__}")


def _is_key(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _refuse(path: str, what: str) -> NoReturn:
    raise FormatError(f"`{path}` {what}.", where="load_extra", field="extra", value=path, allowed="what `save` got as `extra`")
