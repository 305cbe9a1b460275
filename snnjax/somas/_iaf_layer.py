"""What the IAF layers have in common: connections into a soma, and the state that goes through them."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .. import functional as F
from .._errors import refuses_unknown_keywords
from ..functional._concrete import as_shape, check_dt
from ..functional._watch import first_fault, raise_fault
from . import _iaf_door as door
from ._delays import Delays, connect, empty
from ._iaf_make import Arguments, parts
from ._iaf_noise import Noise, NoiseState
from ._iaf_run import IAFState, Numbers, Population, all_steps, one_step
from ._iaf_table import describe
from ._layer import Dynamic
from ._mask import check_mask
from ._soma import Soma
from ._watched import with_flags

Shape = tuple[int, ...]


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
    def shape(self) -> tuple[int, int]:
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

    @refuses_unknown_keywords
    def init(self, batch_shape: int | Shape = (), *, dt: Any = None, key: Any = None) -> IAFState:
        """The state at rest.

        Args:
            batch_shape: axes in front.
            dt: length of a step, s; needed where there are delays, for the state holds as many steps as the longest takes.
            key: of `jax.random.key`, for the noise of the whole run.

        Raises:
            ConfigError: `dt` is needed and missing, or there is a key and no noise.
        """
        batch = as_shape(batch_shape, type(self).__name__, "batch_shape")
        door.check_start(self, dt, key)
        neuron = self.soma.init(batch)
        dtype = F.core(neuron).v.dtype
        inputs = None if self.delay is None else empty(batch, self.delay, dt, self.shape[0], dtype)
        spikes = None if self.weight_rec is None else empty(batch, self.delay_rec, dt, self.shape[1], dtype)
        return IAFState(neuron, inputs, spikes, None if key is None else NoiseState(key, jnp.uint32(0)))

    @refuses_unknown_keywords
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
        check_dt(dt, where)
        door.check_state(state, IAFState, where)
        given, batch = door.read_inputs(inputs, *self.shape, 0, where)
        door.check_batch(batch, F.core(state).v.shape[:-1], where)
        mask = None if mask is None else check_mask(mask, batch, "that of the batch", where)
        numbers = self._numbers(batch, dt, state)
        return one_step(self._population, numbers, state, self._cast(given), mask)

    @refuses_unknown_keywords
    def simulate(
        self,
        inputs: Any,
        *,
        dt: Any,
        state: IAFState | None = None,
        key: Any = None,
        record: Any = None,
        mask: Any = None,
        segment: int | str | None = None,
        checked: bool = False,
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
            checked: look for NaN and infinity in the state of the neurons after every step.

        Returns:
            The last state, and the spikes `(T, ..., out)` or what was recorded. Given back as `state`, it continues: pieces of a
            sequence give the numbers of the whole, bit for bit, with their noise and delays.

        Raises:
            ParameterError, ShapeError, DTypeError: as of `F.simulate`.
            ConfigError: a key is missing, or there are two; `dt` is traced, and there are delays.
            NumericsError: with `checked=True`, a state became NaN or infinite.
        """
        where = "simulate"
        check_dt(dt, where)
        given, lead = door.read_inputs(inputs, *self.shape, 1, where)
        mask = None if mask is None else check_mask(mask, lead, "time and batch axes as of `inputs`", where)
        state = self._start(state, lead[1:], dt, key)
        # Nothing is run: every check of the door for the neurons.
        none = jnp.zeros((0, *lead[1:], *self.soma.neuron.ports, self.shape[1]), F.core(state).v.dtype)
        jax.eval_shape(lambda: self.soma.simulate(none, dt=dt, state=state.neuron, record=record, segment=segment))
        numbers = self._numbers(lead[1:], dt, state)
        kept = with_flags(record) if checked else record
        after, out = all_steps(self._population, numbers, state, self._cast(given), mask, kept, segment)
        if checked:
            out, bad = out
            raise_fault(first_fault(bad), bad.shape[1:])
        return after, out

    @property
    def _population(self) -> Population:
        return Population(self.soma.neuron, self.has_synapse)

    def _numbers(self, batch: Shape, dt: Any, state: IAFState) -> Numbers:
        if self.noise is not None and state.noise is None:
            text = "`key` is missing: this layer has noise. Give `key=jax.random.key(0)` to `simulate` where a run starts, or to `init`."
            door.refuse_key(None, text, "simulate")
        alone = int(np.prod(batch)) == 1
        incoming = None if self.weight is None else connect(self.weight, self.delay, dt)
        back = None if self.weight_rec is None else connect(self.weight_rec, self.delay_rec, dt, gather=alone)
        return Numbers(self.soma.params, self.soma.config, incoming, back, self.noise, dt)

    def _cast(self, given: F.Injected) -> F.Injected:
        """All that arrives in the dtype of the weights."""
        dtype = jax.tree.leaves((self.weight, self.weight_rec))[0].dtype
        return jax.tree.map(lambda array: jnp.asarray(array, dtype), given)

    def _start(self, state: Any, batch: Shape, dt: Any, key: Any) -> IAFState:
        if state is None:
            return self.init(batch, dt=dt, key=key)
        door.check_state(state, IAFState, "simulate")
        if key is not None:
            door.refuse_key(key, "`state` has the key of its run, and `key` would be another. Give one of them.", "simulate")
        return state
