"""A network as a chain of layers: Equinox layers carry the weights, somas the dynamics."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._errors import ConfigError, DTypeError, ShapeError, refuses_unknown_keywords
from ..functional._check_choices import as_segment
from ..functional._concrete import as_shape, check_array, check_dt, describe
from . import _project as stateless
from ._config import SomaConfig
from ._layer import Dynamic
from ._mask import blank, check_mask
from ._watched import simulate_watched

Shape = tuple[int, ...]


class Sequential(Dynamic):
    """Layers one after the other; a spike passes all of them in the step in which it occurs.

    `simulate` runs layer by layer: all time steps of one layer, then those of the next. A projection is then one matrix
    product for the whole sequence, and only the neurons are in a loop. Calling the network runs one step of all layers;
    the numbers are the same up to the rounding of the matrix products.

    Attributes:
        layers: Equinox layers (`eqx.nn.Linear`, `eqx.nn.Conv2d`, `eqx.nn.Lambda`, ...), which work on one example, and
            somas or other `Dynamic` layers. The first layer that knows how many axes an example has (all of the above
            but `Lambda`) tells batch axes from feature axes, unless a state does; a network that begins with a `Lambda`
            that flattens must be started from `init(batch_shape)`.

    >>> import equinox as eqx, jax, jax.numpy as jnp
    >>> from snnjax import somas
    >>> net = somas.Sequential([
    ...     eqx.nn.Linear(4, 3, key=jax.random.key(0)), somas.LIFSomaConfig(shape=(3,)).build(),
    ...     eqx.nn.Linear(3, 2, key=jax.random.key(1)), somas.LeakyIntegratorSomaConfig(shape=(2,)).build()])
    >>> state, v = net.simulate(jnp.ones((50, 8, 4)), dt=1e-3)
    >>> v.shape
    (50, 8, 2)
    """

    layers: tuple[Any, ...]

    def __init__(self, layers: Iterable[Any]) -> None:
        if not isinstance(layers, Iterable):
            wanted = "layers, in a list or a tuple"
            text = f"`layers` must be {wanted}; got {describe(layers)}."
            raise DTypeError(text, where="Sequential", field="layers", value=layers, allowed=wanted)
        self.layers = tuple(layers)
        for k, layer in enumerate(self.layers):
            _check_layer(k, layer)

    def feature_axes(self) -> int | None:
        known = (_feature_axes(layer) for layer in self.layers)
        return next((axes for axes in known if axes is not None), None)

    @refuses_unknown_keywords
    def init(self, batch_shape: int | Shape = ()) -> tuple[Any, ...]:
        """The state: one entry per layer, `None` where a layer has none."""
        batch = as_shape(batch_shape, "Sequential", "batch_shape")
        return tuple(layer.init(batch) if isinstance(layer, Dynamic) else None for layer in self.layers)

    @refuses_unknown_keywords
    def __call__(self, state: Any, inputs: Any, *, dt: Any, mask: Any = None) -> tuple[Any, Any]:
        """One step of all layers. Arguments and errors as of `Soma`."""
        check_dt(dt, "Sequential")
        check_array(inputs, "inputs", "Sequential")
        self._check_state(state)
        lead = self._batch_axes(np.ndim(inputs), state)
        mask = None if mask is None else check_mask(mask, np.shape(inputs)[:lead], "that of the batch", "Sequential")
        new, x = [], inputs if mask is None else blank(mask, jnp.asarray(inputs))
        for k, (layer, now) in enumerate(zip(self.layers, state, strict=True)):
            if isinstance(layer, Dynamic):
                now, x = layer(now, x, dt=dt, mask=mask)
            else:
                x = stateless.project(layer, x, lead, f"layers[{k}]", exact=False)
            new.append(now)
        return tuple(new), x if mask is None else blank(mask, x)

    @refuses_unknown_keywords
    def simulate(
        self, inputs: Any, *, dt: Any, state: Any = None, mask: Any = None, segment: int | str | None = None, checked: bool = False
    ) -> tuple[Any, Any]:
        """All steps of all layers.

        Args:
            inputs: `(T, ..., *features)`, time first; a raster of booleans or integers is as good as floats.
            dt: length of a step, s.
            state: from `init` or from a run before; by default at rest.
            mask: `(T, ...)`, False for steps that only fill a short sequence up; they change no state, and pass no
                gradient.
            segment: as of `F.unroll`.
            checked: look for NaN and infinity in the state of every neuron after every step.

        Returns:
            The last state, and the output of the last layer, `(T, ..., *features)`; 0 where `mask` is False. Given
            back as `state`, it continues: pieces of a sequence give the numbers of the whole, bit for bit.

        Raises:
            ParameterError, ShapeError, DTypeError: as of `F.simulate`.
            NumericsError: with `checked=True`, a state became NaN or infinite: layer, step and neuron are in the text.
        """
        state, outputs = self.outputs(inputs, dt=dt, state=state, mask=mask, segment=segment, checked=checked)
        return state, outputs[-1] if outputs else jnp.asarray(inputs)

    @refuses_unknown_keywords
    def outputs(
        self, inputs: Any, *, dt: Any, state: Any = None, mask: Any = None, segment: int | str | None = None, checked: bool = False
    ) -> tuple[Any, tuple[jax.Array, ...]]:
        """`simulate`, with the outputs of every layer: for a penalty on the rates of hidden neurons, or for plots."""
        state = (None,) * len(self.layers) if state is None else state
        self._check_state(state)
        check_dt(dt, "simulate")
        as_segment(segment, "simulate")
        check_array(inputs, "inputs", "simulate", 1, "(T, ...), time first")
        lead = 1 + self._batch_axes(np.ndim(inputs) - 1, state)
        mask = None if mask is None else check_mask(mask, np.shape(inputs)[:lead], "time and batch axes as of `inputs`", "simulate")
        # A NaN in the padding would come back through the gradient of a projection as 0 * NaN.
        new, outputs, x = [], [], inputs if mask is None else blank(mask, jnp.asarray(inputs))
        for k, (layer, now) in enumerate(zip(self.layers, state, strict=True)):
            if isinstance(layer, Dynamic):
                run = functools.partial(simulate_watched, layer, f"layers[{k}]") if checked else layer.simulate
                now, x = run(x, dt=dt, state=now, mask=mask, segment=segment)
            else:
                x = stateless.project(layer, x, lead, f"layers[{k}]", exact=True)
                x = x if mask is None else blank(mask, x)
            new.append(now)
            outputs.append(x)
        return tuple(new), tuple(outputs)

    def _batch_axes(self, axes: int, state: Any) -> int:
        """How many of the `axes` of one step are batch axes: as many as the state has, or what the first layer leaves."""
        for layer, now in zip(self.layers, state, strict=True):
            if now is not None and isinstance(layer, Dynamic):
                return layer.batch_axes(now)
        known = self.feature_axes()  # layers before the one that knows keep the number of axes, as elementwise functions do
        return 0 if known is None else _at_least_0(axes - known, axes, known)

    def _check_state(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) != len(self.layers):
            raise DTypeError(
                f"`state` must be a tuple with one entry for each of the {len(self.layers)} layers; got {_describe(state)}. "
                "Start from `init(batch_shape)`.",
                where="Sequential",
                field="state",
                value=_describe(state),
                allowed=f"a tuple of {len(self.layers)}",
            )


def _feature_axes(layer: Any) -> int | None:
    return layer.feature_axes() if isinstance(layer, Dynamic) else stateless.feature_axes(layer)


def _at_least_0(batch: int, axes: int, known: int) -> int:
    if batch < 0:
        raise ShapeError(
            f"`inputs` must have {known} {'axis' if known == 1 else 'axes'} for one step, behind those of time and batch; got {axes}. "
            "Is the time axis missing?",
            where="Sequential",
            field="inputs",
            value=axes,
            allowed=f"{known} axes or more, time in front",
        )
    return batch


def _describe(state: Any) -> str:
    return f"a tuple of {len(state)}" if isinstance(state, tuple) else describe(state)


def _check_layer(k: int, layer: Any) -> None:
    advice = None
    if isinstance(layer, SomaConfig) or (isinstance(layer, type) and issubclass(layer, eqx.Module)):
        advice = "Build it first: `config.build(key)`." if isinstance(layer, SomaConfig) else "Give an instance, not the class."
    elif isinstance(layer, eqx.nn.StatefulLayer) and not isinstance(layer, eqx.nn.Sequential):
        advice = "Layers that keep statistics (`BatchNorm`) are not part of `Sequential`; `LayerNorm` has none."
    elif not callable(layer):
        advice = "A layer is a soma, a layer of `equinox.nn`, or a function in `eqx.nn.Lambda`."
    elif not isinstance(layer, eqx.Module):
        advice = "Wrap a function in `eqx.nn.Lambda(function)`."
    if advice:
        raise ConfigError(
            f"`layers[{k}]` cannot be {describe(layer)}. {advice}",
            where="Sequential",
            field=f"layers[{k}]",
            value=type(layer).__name__,
            allowed="a soma or an Equinox layer",
        )
