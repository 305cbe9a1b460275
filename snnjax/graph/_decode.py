"""Graphs from JSON values, of which nothing is believed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

import numpy as np

from .._errors import FormatError, SnnjaxError, did_you_mean
from ._data import DTYPES, MAX_CHANNELS
from ._edge import Edge
from ._encode import TYPES
from ._graph import Graph
from ._node import Node

#: Gives the array that a file has under a name.
Fetch = Callable[[Any], np.ndarray]

_ARRAY = {"dtype", "shape", "values"}
_OPTIONAL = ("source_indices", "target_indices", "adds")


def decode(content: Any, fetch: Fetch) -> Graph:
    """The graph that `encode` described.

    Raises:
        FormatError: it is none.
    """
    nodes, edges = _fields(content, ("nodes", "edges"), "a graph")
    if not isinstance(nodes, list) or not isinstance(edges, list):
        refuse("has nodes and edges that are no lists")
    made: dict[str, Node] = {}
    for entry in nodes:
        name, node = _node(entry, fetch)
        if name in made:
            refuse(f"has two nodes {name!r:.140}")
        made[name] = node
    return Graph(made, [_edge(k, entry, fetch) for k, entry in enumerate(edges)])


def _node(entry: Any, fetch: Fetch) -> tuple[str, Node]:
    name, kind = (entry.get("name"), entry.get("type")) if isinstance(entry, dict) else (None, None)
    if not isinstance(name, str) or not isinstance(kind, str):
        refuse("has a node without a name or a type")
    if kind not in TYPES:
        refuse(f"has a node {name!r:.140} of the type {kind!r:.60}. {did_you_mean(kind[:60], TYPES)}")
    known = list(TYPES[kind].__dataclass_fields__)  # type: ignore[attr-defined]
    values = _fields(entry, ("name", "type", *known), f"node {name!r:.140}")[2:]
    arguments = {field: _value(field, value, fetch, name) for field, value in zip(known, values, strict=True)}
    return name, _made(lambda: TYPES[kind](**arguments), f"node {name!r:.140}")


def _edge(k: int, entry: Any, fetch: Fetch) -> Edge:
    given = [field for field in _OPTIONAL if isinstance(entry, dict) and field in entry]
    values = dict(zip(("source", "target", *given), _fields(entry, ("source", "target", *given), f"edge {k}"), strict=True))
    for field in ("source_indices", "target_indices"):
        if field in values:
            values[field] = _array(values[field], fetch, f"edge {k}")
    return _made(lambda: Edge(**values), f"edge {k}")


def _value(field: str, value: Any, fetch: Fetch, name: str) -> Any:
    if field == "graph":
        return decode(value, fetch)
    if field == "params":
        return _params(value, fetch, name)
    if field != "choices" and (type(value) is float or isinstance(value, dict)):
        return _array(value, fetch, f"`{field}` of node {name!r:.140}")
    return tuple(_tuples(value)) if isinstance(value, list) and field != "choices" else value


def _tuples(value: list[Any]) -> Iterable[Any]:
    return (tuple(_tuples(item)) if isinstance(item, list) else item for item in value)


def _params(content: Any, fetch: Fetch, name: str) -> dict[str, Any]:
    if not isinstance(content, dict):
        refuse(f"has no mapping as the parameters of node {name!r:.140}")
    return {
        key: _params(value, fetch, name) if _is_nested(value) else _array(value, fetch, f"`{key:.60}` of node {name!r:.140}")
        for key, value in content.items()
    }


def _is_nested(value: Any) -> bool:
    # What a parameter is called cannot be told from what describes an array, but a parameter is never a string.
    return isinstance(value, dict) and not isinstance(value.get("dtype", value.get("array")), str)


def _array(value: Any, fetch: Fetch, what: str) -> np.ndarray:
    if type(value) in (int, float):
        return np.array(_finite(value, what), np.float64)
    if isinstance(value, dict) and set(value) == {"array"}:
        return fetch(value["array"])
    dtype, shape, values = _fields(value, ("dtype", "shape", "values"), what)
    known = isinstance(dtype, str) and dtype in DTYPES and isinstance(shape, list) and len(shape) <= 32
    if not known or not all(type(n) is int and 0 <= n <= MAX_CHANNELS for n in shape):
        refuse(f"has in {what} an array without a known dtype or shape")
    if not isinstance(values, list) or len(values) != math.prod(shape):
        refuse(f"has in {what} an array whose shape and values do not go together")
    wanted = (int,) if "int" in dtype else (int, float)
    if not all(type(it) in wanted for it in values):
        refuse(f"has in {what} an array of {dtype} with values that are none")
    return _numbers(dtype, values, what).reshape(shape)


def _numbers(dtype: str, values: list[Any], what: str) -> np.ndarray:
    try:
        if "int" in dtype:
            return np.array(values, dtype)
        wanted: Any = dtype
        if dtype == "bfloat16":
            import ml_dtypes  # NumPy itself has no bfloat16; this package comes with JAX

            wanted = ml_dtypes.bfloat16
        with np.errstate(over="ignore"):  # asked below
            array = np.array(values, np.float64).astype(wanted)
    except (OverflowError, ImportError) as error:
        refuse(f"has in {what} an array that cannot be {dtype}: {error!s:.100}")
    if not np.isfinite(array.astype(np.float64)).all():
        refuse(f"has in {what} numbers that {dtype} cannot hold")
    return array


def _finite(value: float, what: str) -> float:
    try:
        return float(value)
    except OverflowError:
        refuse(f"has in {what} a number beyond float64")


def _fields(content: Any, known: Iterable[str], what: str) -> list[Any]:
    """The values of exactly these keys."""
    known = list(known)
    if not isinstance(content, dict):
        refuse(f"has no mapping where {what} should be")
    for key in content:
        if key not in known:
            refuse(f"has an unknown field {key!r:.60} in {what}. {did_you_mean(key[:60], known)}")
    for key in known:
        if key not in content:
            refuse(f"lacks the field {key!r} in {what}; nothing is filled in when loading")
    return [content[key] for key in known]


def _made(make: Callable[[], Any], what: str) -> Any:
    """What `make` makes; its refusal is the file's fault."""
    try:
        return make()
    except SnnjaxError as error:
        refuse(f"describes {what} wrongly: {error}")


def refuse(what: str) -> NoReturn:
    raise FormatError(
        f"The graph that was read {what.removesuffix('.')}.", where="load", field="graph", allowed="a graph that `save` or `to_json` wrote"
    )
