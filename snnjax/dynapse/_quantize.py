"""Bias currents as codes of the chip, with a report; and as a differentiable rounding."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .._errors import refuses_unknown_keywords
from ..functional._concrete import check_real
from ..functional._dpi_records import BiasCurrents, DynapseParams, Process
from ._convert import DEFAULT_PROCESS
from ._door import as_there, check_bias, check_process
from ._generator import Generator, check_generator
from ._report import Entry, Report, entry

DEFAULT_GENERATOR = Generator()

_ROUNDING = 1e-6  # of an end of the range, in float32


class Codes(NamedTuple):
    """Coarse (0..5) and fine (0..255) codes of one bias, arrays of the current's shape."""

    coarse: np.ndarray
    fine: np.ndarray


@refuses_unknown_keywords
def encode(bias: BiasCurrents, *, generator: Generator = DEFAULT_GENERATOR) -> tuple[dict[str, Codes], Report]:
    """The nearest code of every current, by relative error.

    Never raises for a current: what the chip cannot make (zero, negative, NaN, out of range) gets the end of the range
    and a problem in the report. `report.raise_if_bad()` turns problems into an error.

    Returns:
        The codes by name (`Igain_syn.gaba` for one per gate), and the report.

    >>> codes, report = encode(BiasCurrents(Itau_mem=5.3e-12, Idc=0.0))
    >>> (int(codes["Itau_mem"].coarse), int(codes["Itau_mem"].fine)), report.problems[0].split(";")[0]
    ((0, 30), '`Idc` must be a current that its bias can make, 1.01e-13 to 8.52e-07 A')
    """
    check_bias(bias, "encode")
    check_generator(generator, "encode")
    codes, entries = {}, []
    for name, field, current in _currents(bias):
        asked = as_there(current, name, "encode", "Inside `jit` use `quantize_straight_through`.")
        low, high = generator.span(field)
        usable = np.isfinite(asked) & (asked > 0)
        clipped = ~usable | (asked < low * (1 - _ROUNDING)) | (asked > high * (1 + _ROUNDING))
        coarse, fine = generator.nearest(field, np.where(np.isnan(asked), low, np.clip(asked, low, high)))
        codes[name] = Codes(coarse, fine)
        entries.append(entry(name, asked, generator.current(field, coarse, fine), clipped, _problem(name, asked, clipped, low, high)))
    return codes, Report(tuple(entries))


def _problem(name: str, asked: np.ndarray, clipped: np.ndarray, low: float, high: float) -> str:
    if not clipped.any():
        return ""
    index = np.unravel_index(int(np.argmax(clipped)), clipped.shape)
    place = f" at index {', '.join(map(str, index))} of {clipped.size} ({int(clipped.sum())} bad)" if clipped.size > 1 else ""
    value = float(asked[index])
    advice = " A chip cannot switch a current off: the smallest stands for 0." if value == 0 else ""
    return f"`{name}` must be a current that its bias can make, {low:.3g} to {high:.3g} A; got {value:.3g}{place}.{advice}"


@refuses_unknown_keywords
def quantize(bias: BiasCurrents, *, generator: Generator = DEFAULT_GENERATOR, saturate: bool = False) -> tuple[BiasCurrents, Report]:
    """The currents that the chip really makes.

    Args:
        bias: what is asked for.
        generator: the chip.
        saturate: whether what cannot be made becomes the end of the range, instead of an error.

    Returns:
        The currents, and the report.

    Raises:
        HardwareError: a current cannot be made; its `value` is the report.
        DTypeError: `bias` or `generator` is none.

    >>> got, report = quantize(BiasCurrents(), saturate=True)
    >>> f"{float(got.Itau_mem):.3e}", f"{report['Itau_mem'].relative_error:.1%}"
    ('5.400e-12', '1.5%')
    """
    _, report = encode(bias, generator=generator)
    if not saturate:
        report.raise_if_bad()
    made = {entry.field: entry.got for entry in report.entries}
    return BiasCurrents(*(_like(value, name, made) for name, value in bias._asdict().items())), report


def _like(value: Any, name: str, made: dict[str, Any]) -> Any:
    if not hasattr(value, "_fields"):
        return made[name]
    return value._replace(**{gate: made[f"{name}.{gate}"] for gate, number in value._asdict().items() if number is not None})


@refuses_unknown_keywords
def check_currents(
    params: BiasCurrents | DynapseParams, *, process: Process = DEFAULT_PROCESS, generator: Generator = DEFAULT_GENERATOR
) -> Report:
    """Every current against the chip's range and against `Io`, below which a transistor only leaks.

    >>> from snnjax import functional as F
    >>> from snnjax.dynapse import lif_to_dynapse
    >>> check_currents(lif_to_dynapse(F.LIFParams(tau_mem=0.5)))["Itau_mem"].problem
    '`Itau_mem` must be at least `Io` = 5e-13 A, below which a transistor only leaks; got 2.13e-13.'
    """
    check_bias(params, "check_currents", "params", (DynapseParams,))
    check_process(process, "check_currents")
    bias = params.bias if isinstance(params, DynapseParams) else params
    process = params.process if isinstance(params, DynapseParams) else process
    report = encode(bias, generator=generator)[1]
    return Report(tuple(_against_dark_current(entry, float(np.max(process.Io))) for entry in report.entries))


def _against_dark_current(entry: Entry, Io: float) -> Entry:
    low = (entry.asked > 0) & (entry.asked < Io * (1 - _ROUNDING))
    if not low.any():
        return entry
    problem = f"`{entry.field}` must be at least `Io` = {Io:.3g} A, below which a transistor only leaks; got {entry.asked[low].min():.3g}."
    return entry._replace(clipped=entry.clipped | low, problem=entry.problem or problem)


def _currents(bias: BiasCurrents) -> Iterator[tuple[str, str, Any]]:
    """Name, field and amperes of every current, gate by gate where there is one per gate."""
    for field, value in bias._asdict().items():
        if not hasattr(value, "_fields"):
            yield field, field, value
            continue
        for gate, number in value._asdict().items():
            if number is not None:
                yield f"{field}.{gate}", field, number


@refuses_unknown_keywords
def quantize_straight_through(bias: BiasCurrents, *, generator: Generator = DEFAULT_GENERATOR) -> BiasCurrents:
    """The currents that the chip makes, with the gradient of no rounding: for training that knows the chip.

    Works under `jit`, `vmap` and `grad`. Out of range the end of the range is taken, zero and below stay what they are
    (a switched-off current is no code; see `encode`).

    >>> import jax
    >>> from snnjax import functional as F
    >>> made = lambda i: quantize_straight_through(F.BiasCurrents(Itau_mem=i)).Itau_mem
    >>> f"{made(5.4e-12):.3e}", float(jax.grad(made)(5.4e-12))
    ('5.400e-12', 1.0)
    """

    check_bias(bias, "quantize_straight_through")
    check_generator(generator, "quantize_straight_through")
    for name, _, current in _currents(bias):
        check_real(current, name, "quantize_straight_through")

    def rounded(field: str, current: Any) -> Any:
        table = np.sort(generator.currents(field).ravel())
        table = table[table > 0]
        current = jnp.asarray(current, jnp.result_type(float) if isinstance(current, float | int) else None)
        levels = jnp.asarray(table, current.dtype)
        right = jnp.clip(jnp.searchsorted(levels, current), 1, len(table) - 1)
        low, high = levels[right - 1], levels[right]
        near = jnp.where(current - low <= high - current, low, high)
        near = jnp.where(current > 0, near, current)
        return current + jax.lax.stop_gradient(near - current)

    return BiasCurrents(*(jax.tree.map(lambda number, f=field: rounded(f, number), value) for field, value in bias._asdict().items()))
