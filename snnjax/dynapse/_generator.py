"""The bias generator: which currents a chip can make, by coarse and fine code.

A code is one of 6 coarse currents and a fraction of it in 256 steps, from an N or a P transistor, times a factor of the
bias. Without a measured chip the law is linear, `current = coarse current * fine / 256 * factor`. A measured table need
not be monotone, and is not: real currents drop where fine passes a multiple of 32.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from .. import _files as files
from .._errors import FormatError, HardwareError, did_you_mean
from .._files import strict_json
from .._files._door import check_path
from .._kinds import Kind
from ..functional._concrete import check_domain
from ._door import as_there, check_kind

COARSE, FINE = 6, 256
_MAX_BYTES = 2**22  # both tables, with 17 digits for every current, are 100 kB

_COARSE_CURRENTS = {
    "N": (7.31e-11, 5.82e-10, 4.65e-9, 3.72e-8, 2.97e-7, 2.31e-6),
    "P": (6.80e-11, 5.44e-10, 4.37e-9, 3.51e-8, 2.82e-7, 2.25e-6),
}


class Bias(NamedTuple):
    """A bias of the chip: its name, whose last letter is the transistor's type, and its factor."""

    name: str
    factor: float

    @property
    def transistor(self) -> str:
        return self.name[-1]


#: The chip's bias of each current. AMPA stands for the four gates, whose biases have the same type and factor.
BIASES: Mapping[str, Bias] = MappingProxyType(
    {
        "Idc": Bias("SOIF_DC_P", 0.38),
        "If_nmda": Bias("DENM_NMREV_N", 1.05),
        "Igain_ahp": Bias("SOAD_GAIN_P", 0.68),
        "Igain_mem": Bias("SOIF_GAIN_N", 1.05),
        "Igain_syn": Bias("DEAM_EGAIN_P", 0.68),
        "Ipulse_ahp": Bias("SOAD_PWTAU_N", 0.92),
        "Ipulse": Bias("SYPD_EXT_N", 0.92),
        "Iref": Bias("SOIF_REFR_N", 1.05),
        "Ispkthr": Bias("SOIF_SPKTHR_P", 0.38),
        "Itau_ahp": Bias("SOAD_TAU_P", 0.2),
        "Itau_mem": Bias("SOIF_LEAK_N", 0.61),
        "Itau_syn": Bias("DEAM_ETAU_P", 0.2),
        "Iw_ahp": Bias("SOAD_W_N", 0.92),
        "Iw_0": Bias("SYAM_W0_P", 0.22),
        "Iw_1": Bias("SYAM_W1_P", 0.22),
        "Iw_2": Bias("SYAM_W2_P", 0.22),
        "Iw_3": Bias("SYAM_W3_P", 0.22),
    }
)


class Generator:
    """The currents of every code, before the factor of a bias.

    Args:
        tables: per transistor type, `(6, 256)` amperes; by default the linear law.

    >>> generator = Generator()
    >>> [f"{current:.2e}" for current in generator.span("Itau_mem")]
    ['1.74e-13', '1.40e-06']
    """

    def __init__(self, tables: Mapping[str, Any] | None = None) -> None:
        if tables is None:
            tables = {kind: np.outer(coarse, np.arange(FINE) / FINE) for kind, coarse in _COARSE_CURRENTS.items()}
        check_kind(tables, Mapping, "tables", "a mapping from the types of transistors to their currents", "Generator")
        self.tables = MappingProxyType({kind: _checked(kind, table) for kind, table in tables.items()})

    @staticmethod
    def load(path: str | Path) -> Generator:
        """The table of a measured chip.

        Args:
            path: `.csv` with columns `type, coarse, fine, current` and a row per code; or `.json`, an object with keys
                "N" and "P", each 6 lists of 256 amperes.

        Raises:
            FormatError: a code is missing, twice, or not a current.
        """
        check_path(path, "Generator.load")
        path = Path(path)
        tables = _from_json(path) if path.suffix == ".json" else _from_csv(path)
        if not tables:
            raise _no_table(path, "it has none")
        return Generator(tables)

    def currents(self, field: str) -> np.ndarray:
        """The currents of the bias behind `field`, `(6, 256)`, A."""
        if field not in BIASES:
            raise HardwareError(
                f"`{field}` has no bias on the chip. {did_you_mean(field, BIASES)}",
                where="Generator",
                field=field,
                value=field,
                allowed=", ".join(BIASES),
            )
        bias = BIASES[field]
        if bias.transistor not in self.tables:
            raise HardwareError(
                f"`{field}` needs the table of type {bias.transistor} transistors; this generator has {', '.join(self.tables)}. "
                "Give it in `tables`.",
                where="Generator",
                field=field,
                value=bias.transistor,
                allowed=", ".join(self.tables),
            )
        return self.tables[bias.transistor] * bias.factor

    def span(self, field: str) -> tuple[float, float]:
        """The smallest current above 0 and the largest that the bias can make, A."""
        currents = self.currents(field)
        return float(currents[currents > 0].min()), float(currents.max())

    def current(self, field: str, coarse: Any, fine: Any) -> np.ndarray:
        """The current of a code, A.

        Raises:
            HardwareError: a code is not in 0..5 and 0..255.

        >>> f"{float(Generator().current('Ispkthr', 4, 243)):.2e}"
        '1.02e-07'
        """
        for name, code, size in (("coarse", coarse, COARSE), ("fine", fine, FINE)):
            code = np.asarray(code)
            if not np.issubdtype(code.dtype, np.integer) or (code < 0).any() or (code >= size).any():
                raise HardwareError(
                    f"`{name}` must be a whole number from 0 to {size - 1}, or an array of them; got {_first(code, size)}.",
                    where="current",
                    field=name,
                    value=code,
                    allowed=f"0..{size - 1}",
                )
        return self.currents(field)[coarse, fine]

    def nearest(self, field: str, current: Any) -> tuple[np.ndarray, np.ndarray]:
        """The codes whose currents have the least relative error, as `(coarse, fine)`; `current` must be positive.

        Out of range it is the code of the end: `dynapse.encode` reports that.

        >>> coarse, fine = Generator().nearest("Itau_mem", 5.3e-12)
        >>> int(coarse), int(fine)
        (0, 30)
        """
        table = self.currents(field).ravel()
        current = as_there(current, "current", "nearest")
        check_domain(current, "current", Kind("current", "A", "positive"), "nearest")
        order = np.argsort(table, kind="stable")
        order = order[table[order] > 0]
        right = np.clip(np.searchsorted(table[order], current), 0, len(order) - 1)
        left = np.maximum(right - 1, 0)
        near_left = np.abs(table[order[left]] - current) <= np.abs(table[order[right]] - current)
        return np.divmod(np.where(near_left, order[left], order[right]), FINE)


def _first(code: np.ndarray, size: int) -> str:
    """The first that is no code."""
    bad = code if not np.issubdtype(code.dtype, np.integer) else code[(code < 0) | (code >= size)]
    return str(bad.ravel()[0])


def check_generator(generator: Any, where: str) -> None:
    """`generator` is one."""
    check_kind(generator, Generator, "generator", "a `dynapse.Generator`", where)


def _checked(kind: str, table: Any) -> np.ndarray:
    array = np.asarray(table, np.float64)
    if array.shape != (COARSE, FINE) or not np.isfinite(array).all() or (array < 0).any() or not (array > 0).any():
        raise FormatError(
            f"`tables[{kind}]` must be finite currents >= 0 of shape ({COARSE}, {FINE}), in A and not all 0; got shape {array.shape}"
            f"{'' if array.shape != (COARSE, FINE) else f', from {array.min()} to {array.max()}'}.",
            where="Generator",
            field=f"tables[{kind}]",
            value=array.shape,
            allowed=f"({COARSE}, {FINE}), finite, >= 0, not all 0",
        )
    return array


def _from_json(path: Path) -> dict[str, Any]:
    content = strict_json.parse(files.read_bytes(path, _MAX_BYTES), source=f"`{path}`")
    try:
        return {_known(kind): _amperes(table) for kind, table in content.items()}
    except (AttributeError, ValueError, TypeError, OverflowError) as error:
        raise _no_table(path, error) from None


def _amperes(table: Any) -> np.ndarray:
    array = np.asarray(table)
    if array.size and array.dtype.kind not in "iuf":
        raise ValueError(f"currents are numbers, not {array.dtype.name}")
    return array.astype(np.float64)


def _from_csv(path: Path) -> dict[str, np.ndarray]:
    data = files.read_bytes(path, _MAX_BYTES)
    try:
        return _from_rows(path, csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise _no_table(path, error) from None


def _no_table(path: Path, why: object) -> FormatError:
    text = f"{path.name} is no table of currents: {why!s:.200}."
    return FormatError(text, where="Generator.load", field="path", value=str(path), allowed="amperes of every code, for N and P")


def _known(kind: Any) -> str:
    if kind not in _COARSE_CURRENTS:
        raise ValueError(f"there are transistors of the types {' and '.join(_COARSE_CURRENTS)}, not {kind!r:.60}")
    return kind


def _from_rows(path: Path, rows: csv.DictReader[str]) -> dict[str, np.ndarray]:
    tables: dict[str, np.ndarray] = {}
    for number, row in enumerate(rows, start=2):
        try:
            kind, coarse, fine, current = row["type"], int(row["coarse"]), int(row["fine"]), float(row["current"])
            table = tables.setdefault(_known(kind), np.full((COARSE, FINE), np.nan))
            twice = min(coarse, fine) < 0 or not np.isnan(table[coarse, fine])
            table[coarse, fine] = current
        except (KeyError, ValueError, IndexError, TypeError) as error:
            raise _bad_row(path, number, row, f"{type(error).__name__} {error}") from None
        if twice:
            raise _bad_row(path, number, row, "a code that is negative, or there already")
    for kind, table in tables.items():
        if np.isnan(table).any():
            coarse, fine = np.argwhere(np.isnan(table))[0]
            missing = int(np.isnan(table).sum())
            raise FormatError(
                f"{path.name} lacks {missing} of {table.size} codes of type {kind!r}, first coarse {coarse}, fine {fine}.",
                where="Generator.load",
                field=str(kind),
                value=str(path),
                allowed="every code once",
            )
    return tables


def _bad_row(path: Path, number: int, row: Any, reason: str) -> FormatError:
    return FormatError(
        f"{path.name}, line {number}: {reason:.200}, in {str(dict(row)):.200}. "
        "Each row needs type (N or P), coarse (0..5), fine (0..255), current (A).",
        where="Generator.load",
        field="path",
        value=str(path),
        allowed="type,coarse,fine,current",
    )
