"""A network with any graph: branches, joins, cycles, several inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from .. import graph as G
from .._errors import refuses_unknown_keywords
from ..functional._cast import at_least_float32, float_dtype
from ..functional._check_choices import as_segment
from ..functional._concrete import as_shape, check_dt
from ._graph_layers import Delay
from ._graph_plan import Group, Plan
from ._graph_restore import restored
from ._layer import Dynamic
from ._mask import blank, check_mask
from ._network_door import check_state, read_inputs
from ._network_run import NetworkState, cycle, one_step, over_time

Shape = tuple[int, ...]


class Network(Dynamic):
    """A network that runs a graph; made by `graph.build`.

    A spike passes all nodes along forward edges in the step in which it occurs; along edges that go back it arrives one
    step later (`graph.topological_order`, `graph.back_edges`). Parts without a cycle run layer by layer over the whole
    sequence, as in `Sequential`; the nodes of a cycle go together, step by step.

    Attributes:
        layers: the layers by the name of their node (`block.hidden` for one in a sub-graph). Neurons with a matrix back to
            themselves are one recurrent soma, under the name of the neurons.
        plan: the order of the nodes, and their edges.

    >>> import jax.numpy as jnp, numpy as np
    >>> from snnjax import functional as F, graph
    >>> nodes = {"in": graph.Input(1), "a": graph.Neurons("lif", F.LIFParams(), 1), "w": graph.Linear(np.array([[50.0]])),
    ...          "b": graph.Neurons("lif", F.LIFParams(), 1), "out": graph.Output(1)}
    >>> pairs = [("in", "a"), ("a", "w"), ("w", "b"), ("b", "a"), ("b", "out")]
    >>> net = graph.build(graph.Graph(nodes, [graph.Edge(*pair) for pair in pairs]))
    >>> state, spikes = net.simulate(jnp.zeros((3, 1)).at[0].set(50.0), dt=1e-3)
    >>> spikes.ravel().tolist()
    [1.0, 1.0, 1.0]
    """

    layers: dict[str, Any]
    plan: Plan = eqx.field(static=True)

    def graph(self) -> G.Graph:
        """The graph, with the numbers that the layers have now."""
        return restored(self.plan, self.layers)

    def feature_axes(self) -> int | None:
        shape = self.input_shape()
        return None if shape is None else len(shape)

    def input_shape(self) -> Shape | None:
        """The shape of one step of the only input; `None` where there are several."""
        return next(iter(self.plan.inputs.values())) if len(self.plan.inputs) == 1 else None

    @refuses_unknown_keywords
    def init(self, batch_shape: int | Shape = ()) -> NetworkState:
        """The state at rest."""
        return self._at_rest(as_shape(batch_shape, "Network", "batch_shape"), set(self.plan.nodes))

    @refuses_unknown_keywords
    def __call__(self, state: Any, inputs: Any, *, dt: Any, mask: Any = None) -> tuple[NetworkState, Any]:
        """One step of all nodes. Arguments and errors as of `simulate`, without the axis of time."""
        self._check(state, dt)
        given, batch = read_inputs(inputs, self.plan.inputs, 0)
        mask = None if mask is None else check_mask(mask, batch, "that of the batch", "Network")
        given = jax.tree.map(jnp.asarray, given)
        given = given if mask is None else {name: blank(mask, x) for name, x in given.items()}
        names = [name for group in self.plan.groups for name in group.names]
        state, values = one_step(self.plan, self.layers, names, state, given, {}, batch, dt, mask)
        return state, self._written(values)

    @refuses_unknown_keywords
    def simulate(
        self, inputs: Any, *, dt: Any, state: Any = None, mask: Any = None, segment: int | str | None = None, checked: bool = False
    ) -> tuple[NetworkState, Any]:
        """All steps of all nodes.

        Args:
            inputs: of the one `Input`, `(T, ..., *shape)`, time first; of several, a mapping from their names.
            dt: length of a step, s; where there are delays, the one that the network was built for.
            state: from `init` or from a run before; by default at rest.
            mask: `(T, ...)`, False for steps that only fill a short sequence up: they change no state and pass no gradient.
            segment: as of `F.unroll`.
            checked: look for NaN and infinity in the state of every neuron after every step.

        Returns:
            The last state, and what arrives at the one `Output`, time first; for several, a dictionary by their names. Given
            back as `state`, it continues: pieces of a sequence give the numbers of the whole, bit for bit.

        Raises:
            ShapeError: `inputs` or `mask` do not fit.
            DTypeError: `inputs` are not for the inputs that there are, or `state` is none of this network.
            ParameterError, ConfigError: `dt` is no length of a step, or not the one of the delays.
            NumericsError: with `checked=True`, a state became NaN or infinite: layer, step and neuron are in the text.
        """
        state, values = self._run(inputs, dt, state, mask, segment, checked, self.plan.leaving)
        return state, self._written(values)

    @refuses_unknown_keywords
    def outputs(
        self, inputs: Any, *, dt: Any, state: Any = None, mask: Any = None, segment: int | str | None = None, checked: bool = False
    ) -> tuple[NetworkState, dict[str, jax.Array]]:
        """`simulate`, with the outputs of every node by name: for a penalty on the rates of hidden neurons, or for plots."""
        return self._run(inputs, dt, state, mask, segment, checked, lambda group: group.names)

    def _run(
        self, inputs: Any, dt: Any, state: Any, mask: Any, segment: Any, checked: bool, kept: Callable[[Group], tuple[str, ...]]
    ) -> tuple[NetworkState, dict[str, jax.Array]]:
        self._check(state, dt)
        as_segment(segment, "simulate")
        values, lead = read_inputs(inputs, self.plan.inputs, 1)
        if mask is not None:
            mask = check_mask(mask, lead, "time and batch axes as of `inputs`", "simulate")
        values = {name: jnp.asarray(x) if mask is None else blank(mask, jnp.asarray(x)) for name, x in values.items()}
        after, given = NetworkState({}, {}), set(values)
        for group in self.plan.groups:
            name, mine = group.names[0], {name: self.layers[name] for name in group.names if name in self.layers}
            if group.cyclic:
                before = self._at_rest(lead[1:], set(group.names)) if state is None else _part(state, group.names)
                now, found = cycle(self.plan, group, mine, values, lead, before, dt, mask, segment, kept(group), checked)
                after = NetworkState(after.layers | now.layers, after.previous | now.previous)
                values |= found
            elif name not in given:
                before = None if state is None else state.layers.get(name)
                now, values[name] = over_time(self.plan, name, mine.get(name), values, lead, before, dt, mask, segment, checked)
                after = after if now is None else NetworkState({**after.layers, name: now}, after.previous)
        return after, values

    def _at_rest(self, batch: Shape, names: set[str]) -> NetworkState:
        layers = {name: layer for name, layer in self.layers.items() if name in names}
        dtype = at_least_float32(float_dtype([leaf for leaf in jax.tree.leaves(layers) if eqx.is_inexact_array(leaf)]))
        sources = [name for name in self.plan.previous if name in names]
        return NetworkState(
            {name: layer.init(batch) for name, layer in layers.items() if isinstance(layer, Dynamic)},
            {name: jnp.zeros((*batch, *self.plan.nodes[name].output_shape), dtype) for name in sources},
        )

    def _check(self, state: Any, dt: Any) -> None:
        check_dt(dt, "simulate")
        for layer in self.layers.values():
            if isinstance(layer, Delay):
                layer.check(dt)
        if state is not None:
            dynamic = {name for name, layer in self.layers.items() if isinstance(layer, Dynamic)}
            check_state(state, NetworkState, (dynamic, set(self.plan.previous)))

    def _written(self, values: dict[str, jax.Array]) -> Any:
        found = {name: values[name] for name in self.plan.outputs}
        return next(iter(found.values())) if len(found) == 1 else found


def _part(state: NetworkState, names: tuple[str, ...]) -> NetworkState:
    """The part of a state that belongs to these nodes."""
    layers, previous = ({name: it[name] for name in names if name in it} for it in state)
    return NetworkState(layers, previous)
