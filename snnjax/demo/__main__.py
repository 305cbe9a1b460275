"""`python -m snnjax.demo`; everything it prints is measured while it runs."""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from collections.abc import Sequence

import numpy as np

from . import digits, figure, recovery


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo with these command-line arguments.

    Returns:
        0 when all went well, 2 where a package is missing.
    """
    options = _parser().parse_args(arguments)
    # Before the training and not after it, when the figure is to be drawn.
    missing = [
        name for module, name in (("sklearn", "scikit-learn"), ("matplotlib", "Matplotlib")) if importlib.util.find_spec(module) is None
    ]
    if missing:
        print(f"The demo needs {' and '.join(missing)}: `pip install snnjax[demo]`.", file=sys.stderr)
        return 2
    read_digits(options.epochs, options.seed, options.output)
    if not options.skip_fit:
        recover(options.seed)
    return 0


def read_digits(epochs: int, seed: int, output: str) -> None:
    """Train on the digits, test on the quarter held out, and draw one of them."""
    data = digits.load(seed)
    count, steps = digits.HIDDEN, digits.STEPS
    shown = f"{len(data.labels)} digits of 8x8 pixels, each shown for {steps} steps of {1e3 * digits.DT:g} ms"
    print(f"Training {count} LIF neurons to read {shown}")
    trained = digits.train(data, epochs, seed)
    accuracy, spikes = (float(value) for value in digits.evaluate(trained.net, data.test_images, data.test_labels))
    tau_mem = 1e3 * np.asarray(trained.net.layers[1].params.tau_mem)
    print(f"  test accuracy     {100 * accuracy:.2f} % of {len(data.test_labels)} digits held out")
    print(f"  spikes per image  {spikes:.0f} ({100 * spikes / (count * steps):.1f} % of neurons and steps)")
    print(f"  learnt tau_mem    {tau_mem.min():.1f} to {tau_mem.max():.1f} ms (10 ms before)")
    print(f"  wall time         {trained.train_seconds:.1f} s for {epochs} epochs, and {trained.compile_seconds:.1f} s to compile")
    print(f"  figure            {figure.draw(trained, data, accuracy, output)}")


def recover(seed: int) -> None:
    """Record a neuron with one integrator, and find its parameters with another."""
    recording = recovery.example(seed)
    seen = f"{len(recording.v)} ms of its voltage and {len(recording.spike_times)} spikes"
    print(f"\nFitting a LIF neuron to {seen}, recorded at a {recovery.SUBSTEPS} times finer step")
    start = time.perf_counter()
    found = recovery.recover(recording)
    seconds = time.perf_counter() - start
    print("               true    start   recovered   error")
    for name in recovery.FITTED:
        true, first, last = (float(getattr(params, name)) for params in (recovery.TRUE, recovery.START, found.params))
        unit, scale = ("V", 1.0) if name == "v_th" else ("ms", 1e3)
        print(f"  {name:8} {scale * true:9.3f} {scale * first:8.3f} {scale * last:9.3f} {unit:2}  {100 * abs(last / true - 1):5.2f} %")
    spikes = recovery.run_free(found.params, recording)
    near = recovery.coincident(spikes, recording.spike_times)
    print(f"  run freely with these, the model spikes {len(spikes)} times, {near} of them within 1 ms of a recorded spike")
    print(f"  wall time     {seconds:.1f} s for {len(found.losses)} steps of L-BFGS, compilation included")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m snnjax.demo",
        description="Train a spiking network on scikit-learn's digits and draw what it does; "
        "then find the time constants and the threshold of a neuron in a recording of it.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--epochs", type=_count, default=60, help="times that training sees every digit")
    parser.add_argument("--seed", type=int, default=0, help="of the split, the weights, the noise and the recording")
    parser.add_argument("--output", default="snnjax-demo.png", help="where to save the figure, a PNG")
    parser.add_argument("--skip-fit", action="store_true", help="train on the digits only")
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 on; got {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
