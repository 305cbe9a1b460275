"""Running the nodes of a plan: one of them over a whole sequence, or many for one step."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .. import functional as F
from ..functional._cast import float_dtype
from ..functional._watch import not_finite
from . import _project as stateless
from ._graph_plan import Group, Plan
from ._layer import Dynamic
from ._mask import blank, spread
from ._soma import Soma
from ._watched import raise_first, simulate_watched

Shape = tuple[int, ...]
Values = Mapping[str, jax.Array]


class NetworkState(NamedTuple):
    """The states of the layers by name, and the last outputs of the nodes from which an edge goes back."""

    layers: dict[str, Any]
    previous: dict[str, jax.Array]


def over_time(
    plan: Plan, name: str, layer: Any, values: Values, lead: Shape, state: Any, dt: Any, mask: Any, segment: Any, checked: bool
) -> tuple[Any, jax.Array]:
    """All steps of one node: its last state, and its output."""
    x = _arriving(plan, name, lead, lambda k: _routed(plan, k, values[plan.edges[k].source], lead))
    if layer is None:
        return None, x
    if isinstance(layer, Dynamic):
        run = functools.partial(simulate_watched, layer, f"layers[{name!r}]") if checked else layer.simulate
        return run(x, dt=dt, state=state, mask=mask, segment=segment)
    x = stateless.project(layer, x, len(lead), f"layers[{name!r}]", exact=True)
    return None, x if mask is None else blank(mask, x)


def cycle(
    plan: Plan,
    group: Group,
    layers: Any,
    values: Values,
    lead: Shape,
    state: NetworkState,
    dt: Any,
    mask: Any,
    segment: Any,
    kept: Any,
    checked: bool,
) -> tuple[NetworkState, dict[str, jax.Array]]:
    """All steps of the nodes of a cycle: their last states, and the outputs of those in `kept`."""
    entering = {k: _routed(plan, k, values[plan.edges[k].source], lead) for k in plan.entering(group)}
    layers = jax.tree.map(_with_traced_choices, layers, is_leaf=lambda node: isinstance(node, Soma))
    arguments = (state, entering, jnp.arange(lead[0]), mask, jnp.asarray(dt), segment, tuple(kept), checked)
    state, (outputs, bad) = _loop(plan, group.names, layers, *arguments)
    raise_first(bad)
    return state, outputs


@eqx.filter_jit
def _loop(
    plan: Plan,
    names: Sequence[str],
    layers: Any,
    state: Any,
    entering: Any,
    time: jax.Array,
    mask: Any,
    dt: Any,
    segment: Any,
    kept: Any,
    checked: bool,
) -> tuple[NetworkState, Any]:
    def step(now: NetworkState, x: Any) -> tuple[NetworkState, Any]:
        entering, mask, _ = x
        now, values = one_step(plan, layers, names, now, {}, entering, batch, dt, mask)
        watched = [name for name in names if checked and isinstance(layers.get(name), Soma)]
        bad = {f"layers[{name!r}]": not_finite(now.layers[name], (*batch, *layers[name].shape)) for name in watched}
        return now, ({name: values[name] for name in kept}, bad)

    batch = _batch(plan, state)
    return F.unroll(step, state, (entering, mask, time), segment=segment)


def _batch(plan: Plan, state: NetworkState) -> Shape:
    """The batch axes of a cycle: it goes back over some edge, whose value has them."""
    name, value = next(iter(state.previous.items()))
    return value.shape[: value.ndim - len(plan.nodes[name].output_shape)]


def one_step(
    plan: Plan, layers: Any, names: Sequence[str], state: NetworkState, given: Values, entering: Any, batch: Shape, dt: Any, mask: Any
) -> tuple[NetworkState, dict[str, jax.Array]]:
    """One step of the nodes `names`, in that order: their states, and their outputs.

    Args:
        plan, layers, state: of the network, or the part of them that these nodes need.
        given: the outputs of nodes that do not run here, by name.
        entering: what arrives over edges from outside, by the position of the edge.
        batch: the batch axes.
        dt: length of the step, s.
        mask: booleans of the shape `batch`, or `None`.
    """
    values, states = dict(given), dict(state.layers)

    def over(k: int) -> jax.Array:
        if k in entering:
            return entering[k]
        source = plan.edges[k].source
        return _routed(plan, k, state.previous[source] if k in plan.back else values[source], batch)

    for name in names:
        if name in given:
            continue
        x, layer = _arriving(plan, name, batch, over), layers.get(name)
        if isinstance(layer, Dynamic):
            states[name], x = layer(state.layers[name], x, dt=dt)
        elif layer is not None:
            x = stateless.project(layer, x, len(batch), f"layers[{name!r}]", exact=False)
        values[name] = x if mask is None else blank(mask, x)
    previous = {name: values[name].astype(before.dtype) for name, before in state.previous.items()}
    new = NetworkState(states, previous)
    if mask is not None:
        new = jax.tree.map(lambda after, before: jnp.where(spread(mask, after), after, before), new, state)
    return new, values


def _arriving(plan: Plan, name: str, lead: Shape, over: Callable[[int], jax.Array]) -> jax.Array:
    """The sum of what arrives at a node, in the order of the edges."""
    parts = [over(k) for k in plan.arriving[name]]
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return jnp.zeros((*lead, *plan.nodes[name].input_shape), bool)  # a raster without spikes: it asks for no dtype
    dtype = float_dtype(parts)
    total = parts[0].astype(dtype)
    for part in parts[1:]:
        total = total + part.astype(dtype)
    return total


def _routed(plan: Plan, k: int, value: jax.Array, lead: Shape) -> jax.Array:
    """What an edge makes of the output of its source: the channels that it takes, at the places that it gives them."""
    edge = plan.edges[k]
    source, target = edge.source_indices, edge.target_indices
    if source is None and target is None:
        return value
    shape = plan.nodes[edge.target].input_shape
    size = math.prod(shape)
    flat = value.reshape(*lead, math.prod(value.shape[len(lead) :]))
    flat = flat if source is None else flat[..., source]
    if target is not None and not (target.size == size and np.array_equal(target, np.arange(size))):
        flat = flat if jnp.issubdtype(flat.dtype, jnp.floating) else flat.astype(float)
        flat = jnp.zeros((*lead, size), flat.dtype).at[..., target].add(flat)
    return flat.reshape(*lead, *shape)


def _with_traced_choices(layer: Any) -> Any:
    """A soma with the numbers of its choices as arrays: `filter_jit` would compile numbers in, and once for each value."""
    if not isinstance(layer, Soma):
        return layer
    return jax.tree.map(lambda leaf: jnp.asarray(leaf) if isinstance(leaf, int | float) else leaf, layer)
