"""The picture of the demo: one test image through the trained network, and how the network got there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from snnjax import plot

from .digits import DT, Digits, Trained, respond


def draw(trained: Trained, digits: Digits, accuracy: float, path: str | Path, image: int = 0) -> Path:
    """Save the figure as PNG.

    Args:
        trained: what `train` gave.
        digits: the data; one of its test images is shown.
        accuracy: on the test images, 0 to 1.
        path: where to save it; folders on the way are made.
        image: which of the test images.

    Returns:
        The path.
    """
    try:
        from matplotlib.figure import Figure
        from matplotlib.layout_engine import ConstrainedLayoutEngine
    except ImportError as error:
        raise ImportError("The demo needs Matplotlib for its figure: `pip install snnjax[demo]`.") from error

    spikes, v = respond(trained.net, jnp.asarray(digits.test_images[image : image + 1]))
    # A figure without pyplot: no window, no backend to choose, nothing left behind.
    figure = Figure(figsize=(11.0, 3.4), layout=ConstrainedLayoutEngine(wspace=0.04))
    axes = figure.subplots(1, 4, width_ratios=(0.6, 1.1, 1.0, 1.0))
    _image(axes[0], digits.test_images[image])
    answer = int(v[-1].argmax())
    _hidden(axes[1], np.asarray(spikes[:, 0]), np.asarray(trained.net.layers[2].weight).argmax(axis=0), answer)
    _read_out(axes[2], np.asarray(v[:, 0]), int(digits.test_labels[image]))
    _learning(axes[3], trained, accuracy)
    for ax in axes[1:]:
        ax.spines[["top", "right"]].set_visible(False)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=160)
    return path


def _image(ax: Any, pixels: np.ndarray) -> None:
    ax.imshow(pixels.reshape(8, 8), cmap="gray_r", vmin=0.0, vmax=1.0)
    ax.set(xticks=[], yticks=[], title="a test image")


def _hidden(ax: Any, spikes: np.ndarray, favours: np.ndarray, answer: int) -> None:
    """The raster, neurons that speak most for the same digit side by side, those of the answer on blue."""
    plot.raster(spikes[:, np.argsort(favours)], dt=DT, ax=ax)
    ends = np.searchsorted(np.sort(favours), np.arange(11))
    for end in ends[1:-1]:
        ax.axhline(end - 0.5, color="0.85", linewidth=0.8, zorder=0)
    ax.axhspan(ends[answer] - 0.5, ends[answer + 1] - 0.5, color="tab:blue", alpha=0.15, linewidth=0.0, zorder=0)
    ax.set(title="hidden layer: spikes", ylabel="neurons, by the digit they favour")
    ax.set_yticks((ends[:-1] + ends[1:] - 1) / 2, [str(digit) for digit in range(10)])
    ax.tick_params(axis="y", length=0)


def _read_out(ax: Any, v: np.ndarray, label: int) -> None:
    """The ten membranes: the answer and the runner-up in colour and by name, the others in grey."""
    plot.traces(v, dt=DT, ax=ax).set_title("read-out: membranes")
    answer, second = np.argsort(v[-1])[::-1][:2]
    for digit, line in enumerate(ax.lines):
        shade = {answer: "tab:blue", second: "tab:orange"}.get(digit, "0.75")
        line.set(color=shade, linewidth=2.0 if digit == answer else 1.2, zorder=3 if shade != "0.75" else 1)
    names = [f"answer: {answer} ({'right' if answer == label else f'wrong, it is a {label}'})", f"next: {second}"]
    ax.legend([ax.lines[answer], ax.lines[second]], names, frameon=False, fontsize=9, loc="best")


def _learning(ax: Any, trained: Trained, accuracy: float) -> None:
    epochs = np.arange(1, len(trained.losses) + 1)
    ax.plot(epochs, trained.losses, color="tab:red")
    ax.set(title="learning", xlabel="epoch", yscale="log")
    ax.set_ylabel("training loss", color="tab:red")
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.yaxis.get_major_locator().set_params(subs=(1.0, 2.0, 5.0))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter("")
    right = ax.twinx()
    right.plot(epochs, 100.0 * trained.accuracies, color="tab:blue")
    right.axhline(100.0 * accuracy, color="black", linestyle="--", linewidth=1.0)
    lowest = 10.0 * np.floor(10.0 * min(accuracy, *trained.accuracies))
    right.set(ylim=(lowest, 100.0 + 0.02 * (100.0 - lowest)))
    right.text(epochs[-1], 100.0 * accuracy - 0.04 * (100.0 - lowest), f"test: {100.0 * accuracy:.1f} %", ha="right", va="top")
    right.set_ylabel("training accuracy (%)", color="tab:blue")
    right.spines["top"].set_visible(False)
