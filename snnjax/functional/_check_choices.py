"""The door, for what is no number: the model, its config, and the options of a run."""

from __future__ import annotations

from typing import Any

from .._errors import ConfigError, DTypeError, ParameterError
from . import _surrogate as surrogates
from ._concrete import describe
from ._config import SpikingConfig
from ._integrators import Integrator
from ._neuron import Neuron

Segment = int | str | None  # the only string is "auto"

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
    if not hasattr(config, "spike"):
        return
    spike = getattr(config.spike, "func", config.spike)
    _check_kind("config.spike", spike, callable(spike), "a surrogate such as `F.superspike()`", where)
    for factory in _FACTORIES:
        _check_kind("config.spike", spike, spike is not factory, f"a surrogate: call it, `F.{factory.__name__}()`", where)
    if not isinstance(config, SpikingConfig):
        return
    _check_kind("config.reset", config.reset, callable(config.reset), "a reset such as `F.reset_to_value`", where)
    check_integrator(config.integrator, where, "config.integrator")


def check_integrator(integrator: Any, where: str, field: str = "integrator") -> None:
    """`integrator` is one, not its name."""
    _check_kind(field, integrator, isinstance(integrator, Integrator), "an Integrator such as `F.exact`", where)


def check_record_function(record: Any, where: str) -> None:
    """`record` is a function, or absent."""
    _check_kind("record", record, record is None or callable(record), "a function `record(state, output)` or None", where)


def check_step(step: Any, where: str) -> None:
    """`step` is a function."""
    _check_kind("step", step, callable(step), "a function `step(state, x) -> (state, y)`", where)


def _check_kind(field: str, value: Any, accepted: bool, wanted: str, where: str) -> None:
    if not accepted:
        raise DTypeError(f"`{field}` must be {wanted}; got {describe(value)}.", where=where, field=field, value=value, allowed=wanted)


def as_segment(segment: Any, where: str) -> int | None:
    """`segment` as a positive number of steps, or `None` where it was left open."""
    if segment is None or isinstance(segment, str) and segment == "auto":
        return None
    of_a_kind = isinstance(segment, int | str) and not isinstance(segment, bool)
    if not of_a_kind or isinstance(segment, str) or segment < 1:
        raise (ParameterError if of_a_kind else DTypeError)(
            f"`segment` must be a positive number of steps or None; got {segment!r:.60}. None, or 'auto', leaves the choice to snnjax.",
            where=where,
            field="segment",
            value=segment,
            allowed="1, 2, ..., 'auto'",
        )
    return segment


def check_backend(backend: str, where: str) -> None:
    """`backend` is one that there is."""
    if backend not in ("auto", "scan", "pallas"):
        raise (ConfigError if isinstance(backend, str) else DTypeError)(
            f"`backend` must be 'auto', 'scan' or 'pallas'; got {describe(backend)}.",
            where=where,
            field="backend",
            value=backend,
            allowed="'auto', 'scan', 'pallas'",
        )
