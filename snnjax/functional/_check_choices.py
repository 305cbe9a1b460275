"""The door, for what is no number: the model, its config, and the options of a run."""

from __future__ import annotations

from typing import Any

from .._errors import ConfigError, DTypeError, ParameterError
from . import _surrogate as surrogates
from ._concrete import describe
from ._config import SpikingConfig
from ._integrators import Integrator
from ._neuron import Neuron

_FACTORIES = (
    surrogates.superspike,
    surrogates.tanh,
    surrogates.triangle,
    surrogates.arctan,
    surrogates.sigmoid,
    surrogates.gaussian,
    surrogates.boxcar,
    surrogates.heaviside,
)


def check_neuron(neuron: Any, where: str) -> None:
    """`neuron` is a model, not its step."""
    _check_kind("neuron", neuron, isinstance(neuron, Neuron), "a Neuron such as `F.lif`", where)


def check_config(config: Any, neuron: Neuron, where: str) -> None:
    """`config` is the model's own class of choices, and each choice is of its kind."""
    wanted = f"a {neuron.config.__name__}"
    _check_kind("config", config, isinstance(config, neuron.config), wanted, where)  # type: ignore[arg-type]
    if not isinstance(config, SpikingConfig):
        return
    spike = getattr(config.spike, "func", config.spike)
    _check_kind("config.spike", spike, callable(spike), "a surrogate such as `F.superspike()`", where)
    for factory in _FACTORIES:
        _check_kind("config.spike", spike, spike is not factory, f"a surrogate: call it, `F.{factory.__name__}()`", where)
    _check_kind("config.reset", config.reset, callable(config.reset), "a reset such as `F.reset_to_value`", where)
    is_integrator = isinstance(config.integrator, Integrator)
    _check_kind("config.integrator", config.integrator, is_integrator, "an Integrator such as `F.exact`", where)


def check_record_function(record: Any, where: str) -> None:
    """`record` is a function, or absent."""
    _check_kind("record", record, record is None or callable(record), "a function `record(state, output)` or None", where)


def _check_kind(field: str, value: Any, accepted: bool, wanted: str, where: str) -> None:
    if not accepted:
        raise DTypeError(f"`{field}` must be {wanted}; got {describe(value)}.", where=where, field=field, value=value, allowed=wanted)


def check_segment(segment: Any, where: str) -> None:
    """`segment` is a positive number of steps, or absent."""
    if segment is not None and (isinstance(segment, bool) or not isinstance(segment, int) or segment < 1):
        raise ParameterError(
            f"`segment` must be a positive number of steps or None; got {segment!r}.",
            where=where,
            field="segment",
            value=segment,
            allowed="1, 2, ...",
        )


def check_backend(backend: str, where: str) -> None:
    """`backend` is one that this version has."""
    if backend not in ("auto", "scan"):
        raise ConfigError(
            f"`backend` must be 'auto' or 'scan'; got {backend!r}. The fused 'pallas' kernel is not in this version.",
            where=where,
            field="backend",
            value=backend,
            allowed="'auto', 'scan'",
        )
