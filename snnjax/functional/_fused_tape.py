"""A step of one neuron as a list of operations on single numbers.

A kernel that keeps a neuron in registers knows no axes: only numbers, one per neuron, and operations on them. So a step is
traced once, and what its program does with axes (synapses, ports, sub-steps) is carried out here, on arrays of names. What
is left are elementwise operations, each kept once however often it is written.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ._concrete import concrete

Names = np.ndarray  # of integers, in the shape of the array that they stand for


class NotElementwise(Exception):
    """A step does what a kernel with one neuron per lane cannot; the text says what."""


class Input(NamedTuple):
    """A number from outside: which leaf, which row of it, and of which neuron (`None`: of all)."""

    leaf: int
    row: int
    neuron: int | None


class Constant(NamedTuple):
    """A number that is written in the step."""

    value: Any


class Operation(NamedTuple):
    """`apply(*args)`; `what` names the operation for comparison."""

    what: Any
    apply: Callable[..., Any]
    args: tuple[int, ...]


_ELEMENTWISE = frozenset(
    "abs acos acosh add add_any and asin asinh atan atan2 atanh bitcast_convert_type cbrt ceil clamp clz cos cosh div eq erf_inv exp exp2 "
    "expm1 floor ge gt integer_pow is_finite le log log1p logistic lt max min mul ne neg not one_minus_square or population_count pow rem "
    "rsqrt select_n shift_left shift_right_arithmetic shift_right_logical sign sin sinh sqrt square sub tan tanh xor".split()
)
#: Elementwise too, but unknown to Triton: for parameters alone, outside of the kernel.
ONLY_ONCE = frozenset({"erf", "erfc", "lgamma", "digamma", "nextafter", "round"})
_INLINED = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "remat2": "jaxpr",
    "checkpoint": "jaxpr",
}
_FOLDS = {"reduce_sum": jax.lax.add, "reduce_prod": jax.lax.mul, "reduce_max": jax.lax.max, "reduce_min": jax.lax.min}
#: What says where an array is, and not what it holds; none of it concerns a neuron in a register.
_SAME = {"copy", "optimization_barrier", "pbroadcast", "pcast", "pvary", "reshard", "sharding_constraint", "stop_gradient"}
_SHORT = (jnp.dtype(jnp.bfloat16), jnp.dtype(jnp.float16))
_MOST_ROUNDS = 64  # of a scan inside a step


class Tape:
    """The operations of a step in the order in which they can be carried out; a name is a place in `values`."""

    def __init__(self) -> None:
        self.values: list[Input | Constant | Operation] = []
        self._known: dict[Any, int] = {}

    def name(self, key: Any, value: Input | Constant | Operation) -> int:
        """The name of `value`: that of an equal one, if there is one."""
        if key not in self._known:
            self._known[key] = len(self.values)
            self.values.append(value)
        return self._known[key]

    def constant(self, value: Any) -> Names:
        """Names of the numbers of an array."""
        array = np.asarray(value)
        names = [self.name(("constant", str(x.dtype), x.tobytes()), Constant(x)) for x in (np.asarray(x) for x in array.reshape(-1))]
        return np.array(names, int).reshape(array.shape)

    def operation(self, what: Any, apply: Callable[..., Any], args: Sequence[Names]) -> Names:
        """Names of the results of an elementwise operation; single numbers go with every element."""
        args = np.broadcast_arrays(*args)
        flat = zip(*(arg.reshape(-1).tolist() for arg in args), strict=True)
        names = [self.name((what, each), Operation(what, apply, each)) for each in flat]
        return np.array(names, int).reshape(args[0].shape)

    def run(self, jaxpr: Any, consts: Sequence[Any], args: Sequence[Names]) -> list[Names]:
        """The names of what a traced program returns."""
        env: dict[Any, Names] = dict(zip(jaxpr.invars, args, strict=True))
        env |= {var: self.constant(_written(value)) for var, value in zip(jaxpr.constvars, consts, strict=True)}

        def read(atom: Any) -> Names:
            return self.constant(np.asarray(atom.val, atom.aval.dtype)) if hasattr(atom, "val") else env[atom]

        for equation in jaxpr.eqns:
            results = self._carry_out(equation, [read(atom) for atom in equation.invars])
            env |= dict(zip(equation.outvars, results, strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def _carry_out(self, equation: Any, args: list[Names]) -> list[Names]:
        name, params = equation.primitive.name, equation.params
        if name == "convert_element_type":
            return [self._converted(args[0], params["new_dtype"])]
        if name in _ELEMENTWISE | ONLY_ONCE:
            return [self._elementwise(equation, args)]
        if name in _INLINED:
            inner = params[_INLINED[name]]
            return self.run(getattr(inner, "jaxpr", inner), getattr(inner, "consts", ()), args)
        if name in _FOLDS:
            return [self._fold(name, args[0], params["axes"])]
        if name == "scan":
            return self._unrolled(equation, args)
        if name == "iota":
            shape, axis = params["shape"], params["dimension"]
            along = np.arange(shape[axis]).astype(params["dtype"]).reshape([-1 if k == axis else 1 for k in range(len(shape))])
            return [self.constant(np.broadcast_to(along, shape))]
        if name in _SAME:
            return args
        if name in _AXES:
            return _AXES[name](params, *args)
        raise NotElementwise(f"its step has the operation `{name}`")

    def _converted(self, array: Names, dtype: Any) -> Names:
        return self.operation(("convert", str(dtype)), functools.partial(jax.lax.convert_element_type, new_dtype=dtype), [array])

    def _elementwise(self, equation: Any, args: list[Names]) -> Names:
        """An operation as it is; of two bytes in float32, for Triton does not divide those, and rounded to the same number."""
        name, params, result = equation.primitive.name, equation.params, equation.outvars[0].aval.dtype
        if name != "bitcast_convert_type":
            short = [atom.aval.dtype in _SHORT for atom in equation.invars]
            args = [self._converted(arg, np.dtype("float32")) if is_short else arg for arg, is_short in zip(args, short, strict=True)]
        what = (name, tuple(sorted((key, str(value)) for key, value in params.items())))
        names = self.operation(what, functools.partial(equation.primitive.bind, **params), args)
        return self._converted(names, result) if result in _SHORT and name != "bitcast_convert_type" else names

    def _fold(self, name: str, array: Names, axes: Sequence[int]) -> Names:
        rest = [k for k in range(array.ndim) if k not in axes]
        columns = array.transpose(*axes, *rest).reshape(-1, *(array.shape[k] for k in rest))
        if not len(columns):
            raise NotElementwise("its step reduces an empty axis")
        fold = _FOLDS[name]
        return functools.reduce(lambda a, b: self.operation((name,), fold, (a, b)), columns)

    def _unrolled(self, equation: Any, args: list[Names]) -> list[Names]:
        """A loop of few rounds inside a step, as sub-steps are."""
        params = equation.params
        rounds, inner = params["length"], params["jaxpr"]
        # What is stacked over the rounds has an axis more outside; this way of counting does not depend on the version of JAX.
        n_xs, n_ys = (
            sum(a.aval.ndim != b.aval.ndim for a, b in zip(outer, within, strict=True))
            for outer, within in ((equation.invars, inner.jaxpr.invars), (equation.outvars, inner.jaxpr.outvars))
        )
        n_carry = len(equation.outvars) - n_ys
        n_consts = len(args) - n_xs - n_carry
        if rounds > _MOST_ROUNDS:
            raise NotElementwise(f"its step has a loop of {rounds} rounds, more than {_MOST_ROUNDS}")
        consts, carry, xs = args[:n_consts], args[n_consts : n_consts + n_carry], args[n_consts + n_carry :]
        stacked = []
        order = range(rounds - 1, -1, -1) if params["reverse"] else range(rounds)
        for k in order:
            out = self.run(inner.jaxpr, inner.consts, [*consts, *carry, *(x[k] for x in xs)])
            carry = out[:n_carry]
            stacked.append(out[n_carry:])
        rows = stacked[::-1] if params["reverse"] else stacked
        ys = [np.stack(column) for column in zip(*rows, strict=True)]
        return [*carry, *ys]


def _written(value: Any) -> np.ndarray:
    """An array that a step closes over."""
    if concrete(value) is None:
        raise NotElementwise("its step closes over a traced array; make that a parameter")
    return np.asarray(value)


def _broadcast(params: Any, array: Names) -> list[Names]:
    shape, axes = params["shape"], params["broadcast_dimensions"]
    sizes = [array.shape[axes.index(k)] if k in axes else 1 for k in range(len(shape))]
    return [np.broadcast_to(array.reshape(sizes), shape)]


def _sliced(params: Any, array: Names) -> list[Names]:
    strides = params["strides"] or (1,) * array.ndim
    return [array[tuple(map(slice, params["start_indices"], params["limit_indices"], strides))]]


def _padded(params: Any, array: Names, filling: Names) -> list[Names]:
    config = params["padding_config"]
    spread = np.full([n + max(n - 1, 0) * inner for n, (_, _, inner) in zip(array.shape, config, strict=True)], filling)
    spread[tuple(slice(None, None, inner + 1) for _, _, inner in config)] = array
    # Less than nothing cuts, as the derivative of padding does.
    inside = [slice(max(-low, 0), size - max(-high, 0)) for size, (low, high, _) in zip(spread.shape, config, strict=True)]
    around = [(max(low, 0), max(high, 0)) for low, high, _ in config]
    return [np.pad(spread[tuple(inside)], around, constant_values=filling.item())]


def _split(params: Any, array: Names) -> list[Names]:
    return np.split(array, np.cumsum(params["sizes"])[:-1], params["axis"])


#: What moves numbers about without changing them.
_AXES: dict[str, Callable[..., list[Names]]] = {
    "broadcast_in_dim": _broadcast,
    "concatenate": lambda params, *arrays: [np.concatenate(arrays, params["dimension"])],
    "pad": _padded,
    "reshape": lambda params, array: [array.reshape(params["new_sizes"])],
    "rev": lambda params, array: [np.flip(array, params["dimensions"])],
    "slice": _sliced,
    "split": _split,
    "squeeze": lambda params, array: [np.squeeze(array, params["dimensions"])],
    "stack": lambda params, *arrays: [np.stack(arrays, params["axis"])],
    "unstack": lambda params, array: list(np.moveaxis(array, params["axis"], 0)),
    "transpose": lambda params, array: [array.transpose(params["permutation"])],
}
