"""What the IAF layers have in common: connections into a soma, and the state that goes through them."""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .. import functional as F
from . import _iaf_door as door
from . import _project as stateless
from ._delays import Connection, Delays, connect, empty, seen, sent, taken_over_time
from ._iaf_make import Arguments, parts
from ._iaf_noise import Noise, NoiseState, drawn
from ._iaf_run import Numbers, Population, all_steps, one_step, placed
from ._iaf_table import describe
from ._layer import Dynamic
from ._mask import blank, check_mask
from ._soma import Soma

Shape = tuple[int, ...]


class IAFState(NamedTuple):
    """The state of an IAF layer; what a layer has no use for is `None`.

    Attributes:
        neuron: of the neurons; the membrane is `F.core(state).v`.
        inputs: of the last steps, `(..., steps, in)`, where they are delayed.
        spikes: of the last steps, `(..., steps, out)`, where they come back.
        noise: the key of the run and the number of the next step, where there is noise.
    """

    neuron: Any
    inputs: Any = None
    spikes: Any = None
    noise: Any = None


class IAFLayer(Dynamic):
    """Connections around a soma: a `FeedForwardIAF` or a `RecurrentIAF`."""

    weight: jax.Array | None
    weight_rec: jax.Array | None
    soma: Soma
    noise: Noise | None
    delay: Delays | None = eqx.field(static=True)
    delay_rec: Delays | None = eqx.field(static=True)
    has_synapse: tuple[bool, bool] = eqx.field(static=True, repr=False)
    neuron: F.Neuron = eqx.field(static=True, repr=False)

    def __init__(self, arguments: Arguments) -> None:
        made = parts(arguments, type(self).__name__)
        self.weight, self.weight_rec = made.weights
        self.delay, self.delay_rec = made.delays
        self.soma, self.noise = made.soma, made.noise
        self.has_synapse = (arguments.taus[0] is not None, arguments.taus[1] is not None)
        self.neuron = arguments.neuron

    @property
    def shape(self) -> Shape:
        """`(in, out)`."""
        n = self.soma.shape[0]
        return (n if self.weight is None else self.weight.shape[0], n)

    def feature_axes(self) -> int:
        return 1

    def batch_axes(self, state: Any) -> int:
        return F.core(state).v.ndim - 1

    def describe(self) -> str:
        """A table of connections, parameters and choices with their values, units and domains."""
        return describe(self)

    def init(self, batch_shape: int | Shape = (), *, dt: Any = None, key: Any = None) -> IAFState:
        """The state at rest.

        Args:
            batch_shape: axes in front.
            dt: length of a step, s; needed where there are delays, for the state holds as many steps as the longest takes.
            key: of `jax.random.key`, for the noise of the whole run.

        Raises:
            ConfigError: `dt` is needed and missing, or there is a key and no noise.
        """
        batch = (batch_shape,) if isinstance(batch_shape, int) else tuple(batch_shape)
        door.check_start(self, dt, key)
        neuron = self.soma.init(batch)
        dtype = F.core(neuron).v.dtype
        inputs = None if self.delay is None else empty(batch, self.delay, dt, self.shape[0], dtype)
        spikes = None if self.weight_rec is None else empty(batch, self.delay_rec, dt, self.shape[1], dtype)
        return IAFState(neuron, inputs, spikes, None if key is None else NoiseState(key, jnp.uint32(0)))

    def __call__(self, state: IAFState, inputs: Any, *, dt: Any, mask: Any = None) -> tuple[IAFState, jax.Array]:
        """One step.

        Args:
            state: from `init` or the step before.
            inputs: `(..., in)`, with the batch axes of `state`; or `F.Injected(inputs, held, late)`, as in `simulate`.
            dt: length of the step, s.
            mask: booleans of the batch's shape; where False the state stays and the output is 0.

        Returns:
            The new state and the spikes, `(..., out)`.

        Raises:
            ShapeError, DTypeError, ConfigError: as of `simulate`.
        """
        where = type(self).__name__
        door.check_state(state, IAFState, where)
        given, batch = door.read_inputs(inputs, *self.shape, 0, where)
        door.check_batch(batch, F.core(state).v.shape[:-1], where)
        mask = None if mask is None else check_mask(mask, batch, "that of the batch", where)
        line, given = self._arriving(state.inputs, given, batch, dt, mask, over_time=False)
        noise, given = self._with_noise(state.noise, given, batch, dt, None)
        back = None if state.spikes is None else self._connection(batch, dt)(state.spikes)
        neuron, out = one_step(self._population, self._numbers(dt), state.neuron, back, given, mask)
        spikes = None if state.spikes is None else sent(state.spikes, out, mask)
        return IAFState(neuron, line, spikes, noise), out

    def simulate(
        self,
        inputs: Any,
        *,
        dt: Any,
        state: IAFState | None = None,
        key: Any = None,
        record: Any = None,
        mask: Any = None,
        segment: int | None = None,
    ) -> tuple[IAFState, Any]:
        """All steps.

        Args:
            inputs: `(T, ..., in)`, time first; or `F.Injected(inputs, held, late)` with currents into the membranes beside it,
                `(T, ..., out)`.
            dt: length of a step, s.
            state: from `init` or from a run before; by default at rest.
            key: of `jax.random.key`, where a run of a layer with noise starts. A state has its key already.
            record: `record(state, spikes)`, what to keep of every step, given the state of the neurons; by default the spikes.
            mask: `(T, ...)`, False for steps that only fill a short sequence up; they change no state and pass no gradient.
            segment: as of `F.unroll`.

        Returns:
            The last state, and the spikes `(T, ..., out)` or what was recorded. Given back as `state`, it continues: pieces of a
            sequence give the numbers of the whole, bit for bit, with their noise and delays.

        Raises:
            ParameterError, ShapeError, DTypeError: as of `F.simulate`.
            ConfigError: a key is missing, or there are two; `dt` is traced, and there are delays.
        """
        where = "simulate"
        given, lead = door.read_inputs(inputs, *self.shape, 1, where)
        mask = None if mask is None else check_mask(mask, lead, "time and batch axes as of `inputs`", where)
        state = self._start(state, lead[1:], dt, key)
        options = {"record": record, "segment": segment}
        if self.weight_rec is not None:  # no step at all: every check of the door
            zeros = jnp.zeros((0, *lead[1:], self.shape[1]), F.core(state).v.dtype)
            self.soma.simulate(placed(F.Injected(zeros), zeros, self.has_synapse), dt=dt, state=state.neuron, **options)
        line, given = self._arriving(state.inputs, given, lead, dt, mask, over_time=True)
        noise, given = self._with_noise(state.noise, given, lead[1:], dt, lead[0])
        if self.weight_rec is None:
            neuron, out = self.soma.simulate(placed(given, None, self.has_synapse), dt=dt, state=state.neuron, mask=mask, **options)
            return IAFState(neuron, line, None, noise), out
        steps = (self._population, self._numbers(dt), self._connection(lead[1:], dt), state.neuron, state.spikes, given, mask)
        (neuron, spikes), out = all_steps(*steps, **options)
        return IAFState(neuron, line, spikes, noise), out

    @property
    def _population(self) -> Population:
        return Population(self.soma.neuron, self.has_synapse)

    def _numbers(self, dt: Any) -> Numbers:
        return Numbers(self.soma.params, dt, self.soma.config)

    def _connection(self, batch: Shape, dt: Any) -> Connection:
        assert self.weight_rec is not None
        return connect(self.weight_rec, self.delay_rec, dt, gather=int(np.prod(batch)) == 1)

    def _start(self, state: Any, batch: Shape, dt: Any, key: Any) -> IAFState:
        if state is None:
            return self.init(batch, dt=dt, key=key)
        door.check_state(state, IAFState, "simulate")
        if key is not None:
            door.refuse_key("`state` has the key of its run, and `key` would be another. Give one of them.", "simulate")
        return state

    def _arriving(self, line: Any, given: F.Injected, lead: Shape, dt: Any, mask: Any, *, over_time: bool) -> tuple[Any, F.Injected]:
        """The line of delayed inputs, moved on, and `given` with its `inputs` as they arrive at the neurons; all in one dtype."""
        dtype = (self.weight_rec if self.weight is None else self.weight).dtype
        given = jax.tree.map(lambda array: array.astype(dtype), given)
        if self.weight is None or (given.inputs is None and line is None):
            return line, given
        x = jnp.zeros((*lead, self.shape[0]), dtype) if given.inputs is None else given.inputs
        x = x if mask is None else blank(mask, x)  # 0 * NaN would come back through the gradient of the product
        connection = connect(self.weight, self.delay, dt)
        if line is None:
            taken = x[..., None, :]
        elif over_time:
            line, taken = taken_over_time(line, x, connection.taps, mask)
        else:
            line = sent(line, x, mask)
            taken = seen(line, connection.taps)
        flat = taken.reshape(*lead, connection.matrix.shape[0])
        return line, given._replace(inputs=stateless.project(_Rows(connection.matrix), flat, len(lead), "weight", exact=over_time))

    def _with_noise(self, state: Any, given: F.Injected, batch: Shape, dt: Any, steps: int | None) -> tuple[Any, F.Injected]:
        """The noise of the next `steps`, or of one without an axis of time, beside the other currents."""
        if self.noise is None:
            return None, given
        if state is None:
            text = "`key` is missing: this layer has noise. Give `key=jax.random.key(0)` to `simulate` where a run starts, or to `init`."
            door.refuse_key(text, "simulate")
        state, current = drawn(self.noise, state, self.soma, batch, dt, 1 if steps is None else steps)
        current = current[0] if steps is None else current
        return state, given._replace(held=current if given.held is None else current + given.held)


class _Rows(eqx.Module):
    """`x @ matrix`, for one row."""

    matrix: jax.Array

    def __call__(self, x: jax.Array) -> jax.Array:
        return x @ self.matrix
