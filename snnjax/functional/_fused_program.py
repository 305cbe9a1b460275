"""The three programs of a fused run: a step, a step without its output, and a step backwards.

Each is a list of elementwise operations (`_fused_tape`) in two parts. What depends on parameters alone is computed once, for
the whole run, outside of any loop; what is left is done at every step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ._fused_tape import ONLY_ONCE, Constant, Input, Names, NotElementwise, Operation, Tape

Rows = Sequence[Any]  # the numbers of one leaf: one array over neurons per row


class Leaf(NamedTuple):
    """An array as a step of few neurons sees it: `(*axes, n)` of its `own` per neuron, or `axes` shared by all."""

    axes: tuple[int, ...]
    own: bool
    dtype: Any
    weak: bool = False

    def shape(self, neurons: int) -> tuple[int, ...]:
        return (*self.axes, neurons) if self.own else self.axes

    @property
    def rows(self) -> int:
        return math.prod(self.axes)

    def struct(self, neurons: int) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(self.shape(neurons), self.dtype, weak_type=self.weak)

    @property
    def differentiable(self) -> bool:
        return jnp.issubdtype(self.dtype, jnp.floating)


class Program(NamedTuple):
    """Operations by name, those done `once` and those done at `each` step, and the rows of every output.

    `between` are the names that the first part hands to the second.
    """

    values: tuple[Any, ...]
    once: tuple[int, ...]
    each: tuple[int, ...]
    between: tuple[int, ...]
    outputs: tuple[tuple[int, ...], ...]

    def part(self, outputs: int, n_params: int) -> Program:
        """The same for the first few outputs alone."""
        return _in_two_parts(self.values, self.outputs[:outputs], n_params)

    def coefficients(self, params: Sequence[Rows]) -> list[Any]:
        """What the steps need of the parameters, one number or one per neuron."""
        env = {name: params[v.leaf][v.row] for name, v in enumerate(self.values) if isinstance(v, Input) and v.leaf < len(params)}
        env = self._constants(env, lambda value: value) | env
        for name in self.once:
            env[name] = _apply(self.values[name], env)
        return [env[name] for name in self.between]

    def step(self, coefficients: Sequence[Any], leaves: dict[int, Rows], fill: Callable[[Any], Any]) -> list[list[Any]]:
        """The outputs of a step, row by row.

        Args:
            coefficients: of `coefficients`.
            leaves: the rows of every leaf that is no parameter, by its place among all leaves.
            fill: makes a number an array over neurons.
        """
        env: dict[int, Any] = dict(zip(self.between, coefficients, strict=True))
        env |= {n: leaves[v.leaf][v.row] for n, v in enumerate(self.values) if isinstance(v, Input) and v.leaf in leaves}
        env = self._constants(env, fill) | env
        for name in self.each:
            env[name] = _apply(self.values[name], env)
        return [[env[name] for name in rows] for rows in self.outputs]

    def _constants(self, env: dict[int, Any], fill: Callable[[Any], Any]) -> dict[int, Any]:
        return {name: fill(v.value) for name, v in enumerate(self.values) if isinstance(v, Constant) and name not in env}


def _apply(operation: Operation, env: dict[int, Any]) -> Any:
    """The operation on numbers and arrays over neurons, which an operation of JAX wants in one shape."""
    args = alike([env[name] for name in operation.args])
    shape = jnp.broadcast_shapes(*(jnp.shape(arg) for arg in args))
    return operation.apply(*(arg if jnp.shape(arg) == shape else jnp.broadcast_to(arg, shape) for arg in args))


def alike(tree: Any) -> Any:
    """The arrays of a tree, inside of `jax.shard_map` all varying along the same axes of the mesh; elsewhere as they are."""
    varying = [frozenset(jax.typeof(leaf).manual_axis_type.varying) for leaf in jax.tree.leaves(tree)]
    axes = frozenset().union(*varying)

    def cast(leaf: Any) -> Any:
        missing = tuple(sorted(axes - jax.typeof(leaf).manual_axis_type.varying))
        return jax.lax.pcast(leaf, missing, to="varying") if missing else leaf

    return jax.tree.map(cast, tree) if axes else tree


def program_of(function: Callable[..., Sequence[Any]], leaves: Sequence[Leaf], n_params: int, neurons: int = 1) -> Program:
    """The program of a function of flat leaves, the parameters first, for one neuron.

    Args:
        function: from leaves to a sequence of arrays `(*axes, neurons)`.
        leaves: what it takes.
        n_params: how many of them are parameters.
        neurons: with 2, that no neuron looks at another is checked.

    Raises:
        NotElementwise: the function is more than operations on one neuron.
    """
    tape = Tape()
    try:
        closed = jax.make_jaxpr(function)(*(leaf.struct(neurons) for leaf in leaves))
    except (TypeError, ValueError) as error:  # JAX's own about shapes are among them
        raise NotElementwise(f"its step does not run on neurons one by one ({str(error).splitlines()[0]})") from error
    args = [_inputs(tape, k, leaf, neurons) for k, leaf in enumerate(leaves)]
    outputs = tape.run(closed.jaxpr, closed.consts, args)
    for names in outputs:
        if names.shape[-1:] != (neurons,):
            raise NotElementwise(f"what it returns or records has shape {names.shape}, not one value per neuron")
        if neurons > 1:
            _check_columns(tape.values, names)
    return _in_two_parts(tape.values, [tuple(names[..., 0].reshape(-1).tolist()) for names in outputs], n_params)


def _inputs(tape: Tape, k: int, leaf: Leaf, neurons: int) -> Names:
    shape = leaf.shape(neurons)
    columns = neurons if leaf.own else 1
    flat = [
        tape.name(("input", k, row, column if leaf.own else None), Input(k, row, column if leaf.own else None))
        for row in range(leaf.rows)
        for column in range(columns)
    ]
    return np.array(flat, int).reshape(shape)


def _check_columns(values: Sequence[Any], names: Names) -> None:
    """The second neuron does with its own numbers what the first does with its own, and neither looks at the other."""
    pairs = list(zip(names[..., 0].reshape(-1).tolist(), names[..., 1].reshape(-1).tolist(), strict=True))
    seen = set()
    while pairs:
        pair = pairs.pop()
        if pair in seen:
            continue
        seen.add(pair)
        first, second = (values[name] for name in pair)
        match first, second:
            case Operation(), Operation() if first.what == second.what:
                pairs += zip(first.args, second.args, strict=True)
            case Input(), Input() if first == second._replace(neuron=first.neuron) and (first.neuron, second.neuron) in (
                (0, 1),
                (None, None),
            ):
                pass
            case Constant(), Constant() if pair[0] == pair[1]:
                pass
            case _:
                raise NotElementwise("in its step a neuron depends on other neurons, or on its place among them")


def _in_two_parts(values: Sequence[Any], outputs: Sequence[tuple[int, ...]], n_params: int) -> Program:
    """What is needed for the outputs, sorted by whether it depends on parameters alone."""
    needed = {name for rows in outputs for name in rows}
    for name in range(len(values) - 1, -1, -1):
        if name in needed and isinstance(values[name], Operation):
            needed |= set(values[name].args)
    fixed = set()
    for name in sorted(needed):
        value = values[name]
        of_params = isinstance(value, Input) and value.leaf < n_params
        if isinstance(value, Constant) or of_params or isinstance(value, Operation) and fixed.issuperset(value.args):
            fixed.add(name)
    operations = [name for name in sorted(needed) if isinstance(values[name], Operation)]
    each = [name for name in operations if name not in fixed]
    for name in each:
        if values[name].what[0] in ONLY_ONCE:
            raise NotElementwise(f"its step has the operation `{values[name].what[0]}`, which Triton does not know")
    used = {arg for name in each for arg in values[name].args} | {name for rows in outputs for name in rows}
    between = [name for name in sorted(used & fixed) if not isinstance(values[name], Constant)]
    once = [name for name in operations if name in fixed]
    kept = tuple(value if name in needed else None for name, value in enumerate(values))
    return Program(kept, tuple(once), tuple(each), tuple(between), tuple(outputs))
