"""Pictures: what they show, in which units, and what they leave alone."""

from __future__ import annotations

import builtins
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import snnjax
from snnjax import plot

matplotlib = pytest.importorskip("matplotlib", reason="needs Matplotlib: pip install snnjax[plot]")
matplotlib.use("agg")
plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def no_figures_left() -> Iterator[None]:
    plt.close("all")
    yield
    plt.close("all")


def calls(ax: Any = None) -> list[Any]:
    """Every picture once."""
    return [
        plot.raster(np.eye(5), dt=1e-3, ax=ax),
        plot.traces(np.zeros((5, 2)), dt=1e-3, spikes=np.eye(5)[:, :2], v_th=1.0, ax=ax),
        plot.fi_curve([0.0, 1.0], [0.0, 10.0], ax=ax),
    ]


def test_a_raster_marks_every_spike_at_the_end_of_its_step() -> None:
    spikes = np.zeros((4, 3))
    spikes[1, 0] = spikes[3, 2] = 1.0
    ax = plot.raster(jnp.asarray(spikes), dt=2e-3)
    np.testing.assert_allclose(ax.lines[0].get_xydata(), [[4.0, 0.0], [8.0, 2.0]])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time (ms)", "neuron")
    assert ax.get_xlim() == (0.0, 8.0) and ax.get_ylim() == (-0.5, 2.5)


def test_traces_show_potentials_threshold_and_spikes() -> None:
    v = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
    ax = plot.traces(v, dt=1e-3, v_th=6.0, spikes=np.array([[0, 0], [1, 0], [0, 0]]))
    np.testing.assert_allclose(ax.lines[1].get_xydata(), [[1.0, 1.0], [2.0, 3.0], [3.0, 5.0]])
    assert list(ax.lines[2].get_ydata()) == [6.0, 6.0]
    np.testing.assert_allclose(ax.lines[3].get_xydata(), [[2.0, 6.0]])
    assert ax.lines[3].get_color() == ax.lines[0].get_color() != ax.lines[1].get_color()
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time (ms)", "membrane potential (V)")


def test_spikes_without_a_threshold_are_marked_at_the_top_of_the_traces() -> None:
    ax = plot.traces(np.array([0.0, 2.0, 1.0]), dt=1e-3, spikes=np.array([0, 0, 1]))
    np.testing.assert_allclose(ax.lines[1].get_xydata(), [[3.0, 2.0]])


def test_each_threshold_has_one_line() -> None:
    ax = plot.traces(np.zeros((5, 3)), dt=1e-3, v_th=jnp.array([1.0, 2.0, 2.0]))
    assert [line.get_ydata()[0] for line in ax.lines[3:]] == [1.0, 2.0]


def test_an_fi_curve_has_a_line_per_neuron() -> None:
    ax = plot.fi_curve(jnp.arange(3.0), np.arange(6.0).reshape(3, 2))
    assert len(ax.lines) == 2 and list(ax.lines[1].get_ydata()) == [1.0, 3.0, 5.0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("input current (A)", "firing rate (Hz)")


def test_long_simulations_are_in_seconds() -> None:
    assert plot.raster(np.zeros((9999, 1)), dt=1e-3).get_xlabel() == "time (ms)"
    ax = plot.traces(np.zeros(10000), dt=1e-3)
    assert ax.get_xlabel() == "time (s)" and ax.get_xlim() == (0.0, 10.0)


@pytest.mark.parametrize("steps, neurons", [(0, 3), (4, 0), (0, 0)])
def test_nothing_is_a_picture_too(steps: int, neurons: int) -> None:
    nothing = np.zeros((steps, neurons))
    plot.raster(nothing, dt=1e-3).figure.canvas.draw()
    plot.traces(nothing, dt=1e-3, spikes=nothing).figure.canvas.draw()
    plot.traces(nothing, dt=1e-3, spikes=nothing, v_th=1.0).figure.canvas.draw()


@pytest.mark.parametrize("dtype", ["bool", "int32", "bfloat16", "float16"])
def test_every_real_dtype_is_drawn(dtype: str) -> None:
    assert len(plot.raster(jnp.eye(3).astype(dtype), dt=1e-3).lines[0].get_xdata()) == 3


def test_the_given_axes_are_drawn_on_and_returned() -> None:
    figure, ax = plt.subplots()
    other, _ = plt.subplots()
    assert all(drawn is ax for drawn in calls(ax))
    assert plt.get_fignums() == [figure.number, other.number] and plt.gcf() is other


def test_without_axes_each_picture_is_a_figure_of_its_own() -> None:
    assert len({id(ax.figure) for ax in calls()}) == 3 and len(plt.get_fignums()) == 3


def test_nothing_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    def show(*args: Any, **keywords: Any) -> None:
        raise AssertionError("a plot function called show")

    monkeypatch.setattr(plt, "show", show)
    monkeypatch.setattr(matplotlib.figure.Figure, "show", show)
    calls()


def test_a_figure_without_pyplot_will_do() -> None:
    from matplotlib.figure import Figure

    figure = Figure()
    calls(figure.subplots())
    figure.canvas.draw()
    assert plt.get_fignums() == []


def test_importing_loads_no_matplotlib() -> None:
    script = "import sys, snnjax.plot; sys.exit(any(name.split('.')[0] == 'matplotlib' for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_a_missing_matplotlib_is_named_with_the_command_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **keywords: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *args, **keywords)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"needs Matplotlib: `pip install snnjax\[plot\]`"):
        plot.raster(np.eye(2), dt=1e-3)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (
            lambda: plot.raster(np.zeros((2, 3, 4)), dt=1e-3),
            snnjax.ShapeError,
            r"`spikes` must have shape \(T, N\) or \(T,\); got \(2, 3, 4\)",
        ),
        (lambda: plot.raster(np.float64(1.0), dt=1e-3), snnjax.ShapeError, r"`spikes` must have shape .* got \(\)"),
        (lambda: plot.raster(np.eye(2), dt=0.0), snnjax.ParameterError, r"`dt` must be > 0 s and finite; got 0\.0"),
        (lambda: plot.raster(np.eye(2), dt=float("nan")), snnjax.ParameterError, "`dt` must be > 0 s and finite; got nan"),
        (lambda: plot.traces(np.array([1j]), dt=1e-3), snnjax.DTypeError, "`v` must be an array of real numbers; got complex128"),
        (lambda: plot.traces(np.array(["a"]), dt=1e-3), snnjax.DTypeError, "`v` must be an array of real numbers"),
        (lambda: plot.traces(np.zeros((3, 2)), dt=1e-3, spikes=np.zeros((2, 3))), snnjax.ShapeError, r"`spikes` must have shape \(3, 2\)"),
        (
            lambda: plot.traces(np.zeros((3, 2)), dt=1e-3, v_th=np.ones(3)),
            snnjax.ShapeError,
            r"`v_th` must have shape \(\) or \(2,\); got \(3,\)",
        ),
        (lambda: plot.fi_curve([1.0, 2.0], [1.0]), snnjax.ShapeError, r"`rates` must have shape \(2, \.\.\.\), one row per current; got"),
        (
            lambda: plot.raster(np.eye(2), dt=1e-3, axis=None),
            snnjax.ConfigError,
            "`axis` is not an argument of `raster`. Did you mean `ax`?",
        ),
    ],
)
def test_bad_input_is_refused_in_a_sentence(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        call()
    assert caught.value.field in message  # pyright: ignore
    assert plt.get_fignums() == []
