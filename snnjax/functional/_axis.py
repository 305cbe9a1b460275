"""Following an axis through a program: whether the pieces along it can be computed apart from each other.

The program is a jaxpr. Each of its values has the place of the axis in it, or `None` where all pieces have the same value. An
operation that mixes the pieces (a sum over the axis, a product of matrices along it) or that is not known here says no.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from ._concrete import concrete

Place = int | None
Places = list[Place]


class Coupled(Exception):
    """The program mixes the pieces along the axis, or does something that is not known here."""


_ELEMENTWISE = frozenset(
    "abs acos acosh add add_any and asin asinh atan atan2 atanh cbrt ceil clamp convert_element_type copy cos cosh digamma div eq erf "
    "erf_inv erfc exp exp2 expm1 floor ge gt integer_pow is_finite le lgamma log log1p logistic lt max min mul ne neg nextafter not or "
    "population_count pow reduce_precision rem round rsqrt select_n shift_left shift_right_arithmetic shift_right_logical sign sin sinh "
    "sqrt square stop_gradient sub tan tanh xor zeros_like".split()
)
_CALLS = {"jit": "jaxpr", "pjit": "jaxpr", "closed_call": "call_jaxpr", "custom_jvp_call": "call_jaxpr", "custom_vjp_call": "call_jaxpr",
          "checkpoint": "jaxpr", "remat": "jaxpr", "remat2": "jaxpr"}  # fmt: skip


def follow(function: Callable[..., Any], whole: Sequence[Any], piece: Sequence[Any], places: Sequence[Place]) -> Places | None:
    """Where the axis is in the leaves that `function` returns; `None` if its pieces cannot be computed apart.

    Args:
        function: a function of arrays; it is traced here and not run.
        whole: its arguments, arrays or their shapes.
        piece: the same, as they would be for one piece.
        places: the axis that was cut in each argument, `None` in one that all pieces share.
    """
    all_ = jax.make_jaxpr(function)(*whole)
    try:
        one = jax.make_jaxpr(function)(*piece)
    except (TypeError, ValueError):
        return None  # What takes the whole and not a piece of it holds arrays or sizes of the whole.
    try:
        return _through(one, all_, list(places))
    except (Coupled, LookupError):
        return None  # A version of JAX that describes an operation in another way is no reason to fail.


def _through(piece: Any, whole: Any, places: Places) -> Places:
    """The places in the results of a (closed) jaxpr, given it for a piece and for the whole."""
    inner, outer = getattr(piece, "jaxpr", piece), getattr(whole, "jaxpr", whole)
    _check_same(_held(piece), _held(whole))
    known = dict(zip(inner.invars, places, strict=True))

    def place(atom: Any) -> Place:
        return None if hasattr(atom, "val") else known.get(atom)

    if [equation.primitive.name for equation in inner.eqns] != [equation.primitive.name for equation in outer.eqns]:
        raise Coupled
    for one, all_ in zip(inner.eqns, outer.eqns, strict=True):
        # A number that is another one for a piece was made of a size, as in `x / x.size`.
        _check_same(_numbers(one), _numbers(all_))
        known.update(zip(one.outvars, _after(one, all_, [place(atom) for atom in one.invars]), strict=True))
    return [place(atom) for atom in inner.outvars]


def _held(closed: Any) -> list[Any]:
    """The numbers and arrays that a jaxpr holds."""
    return list(getattr(closed, "consts", ()))


def _numbers(equation: Any) -> list[Any]:
    """The numbers that are written into an operation."""
    literals = [atom.val for atom in equation.invars if hasattr(atom, "val")]
    return literals + [option for option in equation.params.values() if isinstance(option, int | float)]


def _check_same(piece: list[Any], whole: list[Any]) -> None:
    if len(piece) != len(whole) or not all(map(_same, piece, whole)):
        raise Coupled


def _same(a: Any, b: Any) -> bool:
    # An array that the function holds has one value per neuron, perhaps; a number has not.
    if np.size(a) > 1 or np.size(b) > 1:
        return False
    return a is b or np.shape(a) == np.shape(b) and concrete(a) is not None and bool(np.all(a == b))


def _after(one: Any, all_: Any, places: Places) -> Places:
    """The places in what an operation gives, from those in what it takes."""
    name = one.primitive.name
    if name in _CALLS:
        return _through(one.params[_CALLS[name]], all_.params[_CALLS[name]], places)
    if name in _INSIDE:
        return _INSIDE[name](one, all_, places)
    if name in _ELEMENTWISE:
        return [_joined(places)] * len(one.outvars)
    if name == "broadcast_in_dim":
        return _broadcast(one, places)
    if one.effects:
        raise Coupled
    shared = all(place is None for place in places)
    found: Places = [None] * len(one.outvars) if shared else _ruled(one, places)
    # Apart from the axis, nothing may have a size of the piece: it has the same value in every place then, and that may change here.
    atoms = zip([*one.invars, *one.outvars], [*all_.invars, *all_.outvars], [*places, *found], strict=True)
    if not all(_same_sizes(a.aval.shape, b.aval.shape, place) for a, b, place in atoms):
        raise Coupled
    return found


def _same_sizes(piece: tuple[int, ...], whole: tuple[int, ...], place: Place) -> bool:
    return len(piece) == len(whole) and all(a == b or k == place for k, (a, b) in enumerate(zip(piece, whole, strict=True)))


def _joined(places: Sequence[Place]) -> Place:
    """The one place that all have, or `None`."""
    found = {place for place in places if place is not None}
    if len(found) > 1:
        raise Coupled
    return found.pop() if found else None


def _less(place: Place, removed: Sequence[int]) -> Place:
    """The place when the axes `removed` are gone."""
    if place is None:
        return None
    if place in removed:
        raise Coupled
    return place - sum(axis < place for axis in removed)


def _shapes(equation: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return equation.invars[0].aval.shape, equation.outvars[0].aval.shape


def _broadcast(equation: Any, places: Places) -> Places:
    if places[0] is None:
        return [None]
    (before, after), place = _shapes(equation), equation.params["broadcast_dimensions"][places[0]]
    if after[place] != before[places[0]]:
        raise Coupled
    return [place]


def _reshape(equation: Any, place: int) -> Place:
    before, after = _shapes(equation)
    in_front = math.prod(before[:place])
    kept = [k for k, size in enumerate(after) if size == before[place] > 1 and math.prod(after[:k]) == in_front]
    if not kept:
        raise Coupled
    return kept[0]


def _slice(equation: Any, place: int) -> Place:
    before, after = _shapes(equation)
    if before[place] != after[place]:
        raise Coupled
    return place


def _reduction(equation: Any, place: int) -> Place:
    return _less(place, equation.params["axes"])


def _concatenate(equation: Any, places: Places) -> Places:
    place = _joined(places)
    if place == equation.params["dimension"]:
        raise Coupled
    return [place]


def _stack(equation: Any, places: Places) -> Places:
    place, axis = _joined(places), equation.params["axis"]
    return [None if place is None else place + (axis <= place)]


def _product(equation: Any, places: Places) -> Places:
    (contracted, batch), (left, right) = equation.params["dimension_numbers"], places
    if left is not None and right is not None:
        raise Coupled
    side, place = (1, right) if left is None else (0, left)
    free = _less(place, (*contracted[side], *batch[side]))
    before = len(batch[0]) + side * (_rank(equation.invars[0]) - len(contracted[0]) - len(batch[0]))
    return [None if free is None else before + free]


def _loop(one: Any, all_: Any, places: Places) -> Places:
    """`scan`: a carry keeps its place from step to step; in what is stacked, time is in front."""
    closed = one.params["jaxpr"]
    # Constants, carries, what is stacked: told by their ranks, for the options of a scan are not the same in every JAX.
    is_carry = [_rank(atom) == _rank(inner) for atom, inner in zip(one.outvars, closed.jaxpr.outvars, strict=True)]
    stacked = sum(_rank(atom) > _rank(inner) for atom, inner in zip(one.invars, closed.jaxpr.invars, strict=True))
    carries, fixed = sum(is_carry), len(places) - stacked - sum(is_carry)
    constants, carry, xs = places[:fixed], places[fixed : fixed + carries], places[fixed + carries :]
    xs = [_less(place, (0,)) for place in xs]
    while True:  # every round but the last gives a place to a carry that had none
        out = _through(closed, all_.params["jaxpr"], [*constants, *carry, *xs])
        joined = [_joined(pair) for pair in zip(carry, out[:carries], strict=True)]
        if joined == carry:
            return [*carry, *(None if place is None else place + 1 for place in out[carries:])]
        carry = joined


def _rank(atom: Any) -> int:
    return len(atom.aval.shape)


def _choice(one: Any, all_: Any, places: Places) -> Places:
    """`cond`: of the same branch for all pieces."""
    if places[0] is not None:
        raise Coupled
    pairs = zip(one.params["branches"], all_.params["branches"], strict=True)
    branches = [_through(piece, whole, places[1:]) for piece, whole in pairs]
    return [_joined(found) for found in zip(*branches, strict=True)]


_INSIDE: dict[str, Callable[[Any, Any, Places], Places]] = {"scan": _loop, "cond": _choice}
#: Rules for operations on one array, some of whose places go on; and for those on several.
_OF_ONE: dict[str, Callable[[Any, int], Place]] = {
    "reshape": _reshape,
    "squeeze": lambda equation, place: _less(place, equation.params["dimensions"]),
    "transpose": lambda equation, place: equation.params["permutation"].index(place),
    "slice": _slice,
    **dict.fromkeys("reduce_sum reduce_max reduce_min reduce_prod reduce_and reduce_or argmax argmin".split(), _reduction),
}
_OF_SEVERAL: dict[str, Callable[[Any, Places], Places]] = {"concatenate": _concatenate, "stack": _stack, "dot_general": _product}


def _ruled(equation: Any, places: Places) -> Places:
    """The places after an operation that moves axes."""
    name, found = equation.primitive.name, [place for place in places if place is not None]
    if name in _OF_SEVERAL:
        return _OF_SEVERAL[name](equation, places)
    if name not in _OF_ONE or len(found) != 1:
        raise Coupled
    return [_OF_ONE[name](equation, found[0])]
