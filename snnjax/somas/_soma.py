"""The one soma: parameters, choices and a neuron, as an Equinox module."""

from __future__ import annotations

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .. import functional as F
from .._errors import ConfigError, DTypeError, ShapeError, describe, refuses_unknown_keywords
from ..functional._check import check_record
from ..functional._concrete import as_shape, check_array, check_dt
from ._config import SomaConfig
from ._layer import Dynamic
from ._mask import check_mask, masked_step, simulate_masked

Shape = tuple[int, ...]


class Soma(Dynamic):
    """A population of neurons of one model.

    Its parameters are the only arrays in it, so `eqx.filter_grad`, `eqx.partition` and optimizers see them and nothing
    else; changing their values does not recompile. The neuron, the shape and the choices are compared by value, so a
    soma that is built twice does not compile twice.

    Attributes:
        params: the model's Params, arrays of `shape` or single numbers shared by all neurons.
        config: surrogate, reset and integrator: a `SpikingConfig`.
        neuron: the model.
        shape: of the population, without batch axes.

    >>> import jax.numpy as jnp
    >>> from snnjax import somas
    >>> soma = somas.LIFSomaConfig(shape=(3,), tau_mem=10e-3).build()
    >>> state, spikes = soma.simulate(jnp.full((100, 3), 0.5), dt=1e-3)
    >>> spikes.shape, int(spikes.sum())
    ((100, 3), 48)
    """

    params: Any
    config: Any
    neuron: F.Neuron = eqx.field(static=True, repr=False)
    shape: Shape = eqx.field(static=True)

    config_class: ClassVar[type[SomaConfig]] = SomaConfig

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "config_class" in cls.__dict__:
            cls.config_class.soma_class = cls

    def __init__(self, config: SomaConfig, key: Any = None, *, dtype: Any = None) -> None:
        if not isinstance(config, self.config_class):
            raise DTypeError(
                f"`config` of `{type(self).__name__}` must be of the class `{self.config_class.__name__}`; got {describe(config)}.",
                where=type(self).__name__,
                field="config",
                value=type(config).__name__,
                allowed=self.config_class.__name__,
            )
        self.params = config.resolve(key, dtype=dtype)
        self.config = config.choices()
        self.neuron = config.neuron
        self.shape = config.shape

    def feature_axes(self) -> int:
        return len(self.shape) + len(self.neuron.ports)

    @refuses_unknown_keywords
    def init(self, batch_shape: int | Shape = ()) -> Any:
        """The state at rest, with leaves `(*batch_shape, *shape)`.

        >>> from snnjax import somas
        >>> somas.LeakySomaConfig(shape=(3,)).build().init((2,)).v.shape
        (2, 3)
        """
        return self.neuron.init(self.params, (*as_shape(batch_shape, type(self).__name__, "batch_shape"), *self.shape))

    @refuses_unknown_keywords
    def __call__(self, state: Any, inputs: Any, *, dt: Any, mask: Any = None) -> tuple[Any, Any]:
        """One step.

        Args:
            state: from `init` or the step before.
            inputs: `(..., *shape)`, with the batch axes of `state`.
            dt: length of the step, s.
            mask: booleans of the batch's shape; where False the state stays and the output is 0.

        Returns:
            The new state and the spikes, in the state's dtype.

        Raises:
            ShapeError: `inputs` or `mask` do not have the shape of the state.
            DTypeError, ParameterError: an argument is of the wrong kind, or `dt` not positive.
        """
        check_dt(dt, type(self).__name__)
        batch = self._check_step(state, inputs)
        if mask is None:
            return self.neuron.step(self.params, state, inputs, dt=dt, config=self.config)
        mask = check_mask(mask, batch, "that of the batch", type(self).__name__)
        return masked_step(self.neuron, self.params, state, inputs, mask, dt=dt, config=self.config)

    @refuses_unknown_keywords
    def simulate(
        self,
        inputs: Any,
        *,
        dt: Any,
        state: Any = None,
        record: Any = None,
        mask: Any = None,
        segment: int | str | None = None,
        checked: bool = False,
    ) -> tuple[Any, Any]:
        """All steps of `inputs`, `(T, ..., *shape)`: `F.simulate` with the soma's neuron, parameters and choices.

        Args:
            inputs, dt, state, record, segment, checked: as of `F.simulate`.
            mask: `(T, ...)`, False for steps that only fill a short sequence up to the length of the others.

        Returns:
            The last state, and the spikes or what `record(state, spikes)` gave, time first. Given back as `state`, it
            continues: pieces of a sequence give the same numbers as the whole, bit for bit.

        Raises:
            ParameterError, ShapeError, DTypeError, NumericsError: as of `F.simulate`.
            ConfigError: `checked` together with `mask`.
        """
        where = {"dt": dt, "shape": self.shape, "state": state, "config": self.config, "record": record, "segment": segment}
        if mask is None:
            return F.simulate(self.neuron, self.params, inputs, checked=checked, **where)
        if checked:
            raise ConfigError(
                "`checked=True` and `mask` do not go together; check a run without the padding.",
                where="simulate",
                field="checked",
                value=True,
                allowed="False with a mask",
            )
        return simulate_masked(self.neuron, self.params, inputs, mask, **where)

    def _check_step(self, state: Any, inputs: Any) -> Shape:
        """The batch shape, where `state` and `inputs` agree on it."""
        where, template = type(self).__name__, jax.eval_shape(lambda: self.init())
        check_record(state, template, self.neuron.name, "state", where)
        for array in inputs if hasattr(inputs, "_fields") else (inputs,):
            if not (isinstance(array, int | float) or array is None and array is not inputs):
                check_array(array, "inputs", where)
        population = jax.tree.leaves(template)[0].shape
        leaf = jnp.shape(jax.tree.leaves(state)[0])
        batch = leaf[: len(leaf) - len(population)]
        expected = (*batch, *self.shape[: len(self.shape) - 1], *self.neuron.ports, *self.shape[-1:])
        for given in map(np.shape, jax.tree.leaves(inputs)):
            if given == expected:
                continue
            raise ShapeError(
                f"`inputs` of one step must have the shape {expected} of the state; got {given}. "
                f"For a sequence use `simulate`; for a batch start from `init(batch_shape)`.",
                where=where,
                field="inputs",
                value=given,
                allowed=str(expected),
            )
        return batch


SomaConfig.soma_class = Soma
