"""What every part of an import needs to know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .. import functional as F
from .._errors import ParameterError
from ._nir_from_values import real
from ._nir_hint import Again
from ._nir_report import Entries


class Import(NamedTuple):
    """An import under way.

    Attributes:
        dt: the step of the simulation, s.
        unit: the unit of time of the file, s; `None` for seconds that nobody has vouched for.
        integrator, reset, synapse: what was asked for; `None` where the hint in the file decides, or the default.
        again: what `to_nir` writes for a hint, to compare it with what is there.
        entries: the report so far.
    """

    dt: float
    unit: float | None
    integrator: F.Integrator | None
    reset: Callable[..., Any] | None
    synapse: str | None
    again: Again
    entries: Entries

    def seconds(self, value: Any, where: str, field: str) -> np.ndarray:
        """A field that is a time, in seconds."""
        times = real(value, where, field)
        if self.unit is None and times.size and times.max() > 1.0:
            raise ParameterError(
                f"node {where!r:.140}: `{field}` is {float(times.max()):g}. Are these seconds? NIR does not say. Give "
                '`time_unit="ms"`, `"steps"` (of `dt`), or `"s"` if they are.',
                where="from_nir", field="time_unit", value=float(times.max()), allowed='"s", "ms", "steps", or seconds per unit',
            )  # fmt: skip
        return times if self.unit in (None, 1.0) else (times * self.unit).astype(times.dtype)


def full(value: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """One value per neuron; what was one value for all is repeated."""
    return np.broadcast_to(value, shape) if value.size == 1 else value
