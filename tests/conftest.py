"""Strict promotion everywhere, and the recorded traces of other simulators where they are at hand."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import pytest
from hypothesis import HealthCheck, settings

# The library works under the strictest settings that a user may have. One value per neuron, `(N,)`, beside a batch of states, `(..., N)`,
# is what `params` mean, and `F.advance` says so by leading axes of length 1; a promotion of ranks anywhere else is a mistake.
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")
#: `SNNJAX_CHECK_LEAKS=1` (`make test-leaks`): JAX looks for tracers that outlive their transform, in every test.
LEAKS = os.environ.get("SNNJAX_CHECK_LEAKS") == "1"
jax.config.update("jax_check_tracer_leaks", LEAKS)
keeps_programs = pytest.mark.skipif(LEAKS, reason="while JAX looks for leaks it keeps programs in files alone: it compiles and opens more")

TRACES = Path(os.environ.get("SNNJAX_TRACES", Path(__file__).parents[2] / "shared" / "traces"))

#: Files of tests that say nothing about the version of JAX or Python: pure NumPy, refusals, replays of recorded numbers. `make test`
#: runs them on one Python only.
ONCE = {
    "test_layers", "test_doors", "test_open_doors", "test_files", "test_plot", "test_demo",
    "test_events_doors", "test_events_doors_jax", "test_events_files", "test_events_archives", "test_events_raster", "test_events_record",
    "test_events_signals", "test_graph", "test_graph_validate", "test_graph_files", "test_graph_operations", "test_graph_order",
    "test_graph_plot", "test_graph_of", "test_nir", "test_nir_equations", "test_nir_file", "test_nir_package", "test_event_lif_doors",
    "test_norse_traces", "test_spark_traces", "test_somas_spark", "test_brian_traces", "test_brian_layers", "test_dynapse_traces",
    "test_battery", "test_hostile_files", "test_training_survives", "test_guard", "test_train_state", "test_checked_networks",
    "test_iaf_doors", "test_notebooks", "test_adaptive_current_leaky", "test_injected", "test_delta", "test_membrane", "test_norse",
    "test_integrate_and_fire", "test_iaf", "test_gradient_smooth", "test_gradient_zeros", "test_steps", "test_properties",
    "test_somas_config", "test_somas_save", "test_dynapse_convert", "test_dynapse_chip", "test_fit_coordinates", "test_event_lif_runs",
    "test_dynapse_learning", "test_dynapse_match", "test_dynapse_rockpool", "test_dynapse_lower", "test_dynapse_place", "test_noise",
    "test_brian", "test_dpi_gradient_recursion", "test_rank", "test_dynapse_range", "test_supply_chain", "test_take_step",
}  # fmt: skip


#: `SNNJAX_HYPOTHESIS=nightly` looks at 10,000 examples of every property, and other ones each time.
NIGHTLY = os.environ.get("SNNJAX_HYPOTHESIS", "ci") == "nightly"
settings.register_profile("ci", max_examples=200, deadline=None, derandomize=True, database=None)
settings.register_profile("nightly", max_examples=10_000, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck))
settings.register_profile("leaks", max_examples=3, deadline=None, derandomize=True, database=None)
settings.load_profile("nightly" if NIGHTLY else "leaks" if LEAKS else "ci")


def examples(number: int = 200, nightly: int = 10_000, **more: Any) -> settings:
    """How many examples of a property are looked at: at every change, and in a nightly run."""
    return settings(max_examples=nightly if NIGHTLY else min(number, 3) if LEAKS else number, **more)


def pytest_runtest_setup() -> None:
    """JAX collects garbage at the end of every transform that it looks at: what was there before the test is not looked through again."""
    if LEAKS:
        gc.collect()
        gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.stem in ONCE:
            item.add_marker(pytest.mark.once)


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
