"""Strict promotion everywhere, and the recorded traces of other simulators where they are at hand."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import jax
import pytest

jax.config.update("jax_numpy_rank_promotion", "allow")
jax.config.update("jax_numpy_dtype_promotion", "strict")

TRACES = Path(os.environ.get("SNNJAX_TRACES", Path(__file__).parents[2] / "shared" / "traces"))


def traces(folder: str, pattern: str) -> list[Path]:
    """The trace files of one simulator, sorted; empty where there are none."""
    return sorted((TRACES / folder).glob(pattern))


def require_traces(folder: str) -> Path:
    """The folder of one simulator's traces, or a skip that says what is missing."""
    if not (TRACES / folder).is_dir():
        pytest.skip(f"needs the recorded traces in {TRACES / folder} (set SNNJAX_TRACES to the folder that holds `{folder}`)")
    return TRACES / folder


@pytest.fixture
def x64() -> Iterator[None]:
    """Double precision for one test."""
    with jax.enable_x64(True):
        yield
