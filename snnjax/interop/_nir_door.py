"""The arguments of the exchange with NIR, checked before anything is done."""

from __future__ import annotations

from typing import Any

from .. import functional as F
from .._errors import ConfigError, DTypeError
from .._kinds import Kind
from ..functional._concrete import check_domain, check_dt, check_real, concrete, describe
from ..somas._config_text import encode_choices
from ._nir_package import package
from ._nir_synapse import HELD, JUMP
from ._nir_to_context import INTEGRATORS

_UNITS = {"s": 1.0, "ms": 1e-3}
_UNITS_TEXT = '"s", "ms", "steps", or seconds per unit'


def checked_dt(dt: Any, where: str) -> float:
    """`dt` as a number of seconds."""
    check_dt(dt, where)
    if concrete(dt) is None:
        text = "`dt` must be a number that is known now: a graph is data. Exchange graphs outside of `jit`."
        raise DTypeError(text, where=where, field="dt", value=type(dt).__name__, allowed="a number of seconds")
    return float(dt)


def checked_unit(time_unit: Any, dt: float) -> float | None:
    """The unit of time in seconds; `None` where nobody said."""
    if time_unit is None:
        return None
    if isinstance(time_unit, str):
        if time_unit == "steps":
            return dt
        if time_unit not in _UNITS:
            raise ConfigError(
                f"`time_unit` must be {_UNITS_TEXT}; got {time_unit!r:.40}.",
                where="from_nir", field="time_unit", value=time_unit, allowed=_UNITS_TEXT,
            )  # fmt: skip
        return _UNITS[time_unit]
    check_real(time_unit, "time_unit", "from_nir", _UNITS_TEXT)
    check_domain(time_unit, "time_unit", Kind("duration", "s", "positive"), "from_nir")
    return float(time_unit)


def check_choices(integrator: Any, reset: Any, synapse: Any) -> None:
    """Each is `None` or a choice that a graph can hold."""
    check_integrator(integrator, "from_nir")
    if reset is not None:
        if not callable(reset):
            wanted = "`F.reset_to_value` or `F.reset_by_subtraction`"
            raise ConfigError(
                f"`reset` must be {wanted}; got {describe(reset)}.", where="from_nir", field="reset", value=reset, allowed=wanted
            )
        choices: Any = F.SpikingConfig(reset=reset)  # type: ignore[arg-type]
        encode_choices(choices, F.lif, "from_nir")
    if synapse not in (None, HELD, JUMP):
        raise ConfigError(
            f'`synapse` must be "{HELD}" or "{JUMP}"; got {synapse!r:.40}.',
            where="from_nir", field="synapse", value=synapse, allowed=f'"{HELD}", "{JUMP}"',
        )  # fmt: skip


def check_integrator(integrator: Any, where: str) -> None:
    if integrator is not None and (not isinstance(integrator, F.Integrator) or integrator not in INTEGRATORS.values()):
        wanted = "`F.exact`, `F.exponential_euler` or `F.euler`"
        text = f"`integrator` must be {wanted}; got {describe(integrator)}."
        raise ConfigError(text, where=where, field="integrator", value=integrator, allowed=wanted)


def check_steps_known(integrator: Any, dt: float | None) -> None:
    """To write for the steps of an integrator, one must know how long they are."""
    if integrator is not None and dt is None:
        text = f"`integrator=F.{integrator.name}` asks for the steps of a tool, but `dt` is not given. Give `dt`, the step there."
        raise ConfigError(text, where="to_nir", field="dt", value=None, allowed="a number of seconds")


def check_on_loss(on_loss: Any) -> None:
    if on_loss not in ("raise", "report"):
        raise ConfigError(
            f'`on_loss` must be "raise" or "report"; got {on_loss!r:.40}.',
            where="to_nir", field="on_loss", value=on_loss, allowed='"raise", "report"',
        )  # fmt: skip


def check_nir_graph(value: Any) -> None:
    if not isinstance(value, package().NIRGraph):
        is_path = isinstance(value, str) or hasattr(value, "__fspath__")
        advice = " Read a file first: `nir.read(path)`." if is_path else ""
        raise DTypeError(
            f"`nir_graph` must be a NIRGraph of the package `nir`; got {describe(value)}.{advice}",
            where="from_nir", field="nir_graph", value=type(value).__name__, allowed="a NIRGraph",
        )  # fmt: skip
