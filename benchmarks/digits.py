"""Digits read by spiking networks: accuracy over five seeds, and the time to get there; Spyx beside it, where it is installed.

    python -m benchmarks.digits [--seeds 5] [--epochs 60] [--validation] [--json FILE]

The data are scikit-learn's 1,797 digits, a quarter of every class held out for the test, another quarter for every seed.
Both libraries get the same images, noise, order and batches, 25 steps, 256 hidden neurons, leaky integrators as read-out,
Adam with a cosine to 0, and one compiled training step, called from the same loop. They take turns. A program is compiled
once and serves all seeds.

Hyper-parameters were chosen with `--validation`, which never touches the test part: a fifth of the training part is held out
in its place. For snnjax these are those of the demo (scale of the first weights, slope, noise, rate). For Spyx: neuron (LIF,
CuBaLIF), surrogate (its superspike, triangular and arctan, slopes), biases, rate from 0.002 to 0.02; the best is used.

The second table trains snnjax's weights alone on ever longer schedules, until the mean accuracy is that of Spyx.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from snnjax.demo import digits

from ._timing import hardware, save_json

SCHEDULES = (12, 15, 20, 30, 60)
QUICK_RATE = 2e-2
SPYX_RATE = 1e-2


class Program(NamedTuple):
    """A library's part: `start(seed, step's optimizer) -> (step, net, state)`, and `accuracy(net, images, labels)`."""

    start: Callable[[digits.Digits, int, int], tuple[Any, Any, Any]]
    accuracy: Callable[[Any, Any, Any], Any]


class Outcome(NamedTuple):
    """Of all seeds: accuracies, 0 to 1; seconds to compile, once; seconds to train, each."""

    accuracies: list[float]
    compile: float
    train: list[float]

    @property
    def mean(self) -> float:
        return statistics.mean(self.accuracies)

    @property
    def total(self) -> float:
        return self.compile + sum(self.train)


def snnjax_program(kinds: tuple[str, ...], rate: float = digits.RATE) -> Program:
    """The network of the demo; `kinds` train."""

    def start(data: digits.Digits, epochs: int, seed: int) -> tuple[Any, Any, Any]:
        net = digits.network(jax.random.key(seed))
        step, state = digits.make_step(net, digits.adam(data, epochs, rate), kinds)
        return step, net, state

    return Program(start, lambda *arguments: digits.evaluate(*arguments)[0])


def spyx_program() -> Program:
    """The same network of Spyx's layers: LIF and LI with a decay per neuron that trains, as Spyx has it."""
    import optax
    import spyx  # pyright: ignore[reportMissingImports]
    from flax import nnx  # pyright: ignore[reportMissingImports]

    def network(seed: int) -> Any:
        rngs = nnx.Rngs(seed)
        first, last = (nnx.Linear(*sizes, use_bias=False, rngs=rngs) for sizes in ((64, digits.HIDDEN), (digits.HIDDEN, 10)))
        hidden = spyx.nn.LIF((digits.HIDDEN,), activation=spyx.axn.arctan(), rngs=rngs)
        return nnx.split(spyx.nn.Sequential(first, hidden, last, spyx.nn.LI((10,), rngs=rngs)))

    graph, _ = network(0)
    entropy = spyx.fn.integral_crossentropy(time_axis=0)

    def respond(params: Any, images: Any) -> jax.Array:
        return spyx.nn.run(nnx.merge(graph, params), jnp.broadcast_to(images, (digits.STEPS, *images.shape)))[0]

    def accuracy_of(v: jax.Array, labels: Any) -> jax.Array:
        return (v.sum(axis=0).argmax(axis=-1) == labels).mean()

    def start(data: digits.Digits, epochs: int, seed: int) -> tuple[Any, Any, Any]:
        optimizer, params = digits.adam(data, epochs, SPYX_RATE), network(seed)[1]

        def step(params: Any, state: Any, images: Any, labels: Any, key: jax.Array) -> Any:
            noisy = images + digits.NOISE * jax.random.normal(key, images.shape)

            def loss(params: Any) -> tuple[jax.Array, jax.Array]:
                v = respond(params, noisy)
                return entropy(v, labels), accuracy_of(v, labels)

            measured, gradient = jax.value_and_grad(loss, has_aux=True)(params)
            updates, state = optimizer.update(gradient, state, params)
            return optax.apply_updates(params, updates), state, measured

        return jax.jit(step), params, optimizer.init(params)

    return Program(start, jax.jit(lambda params, images, labels: accuracy_of(respond(params, images), labels)))


def held_out(seed: int, validation: bool) -> digits.Digits:
    """The data of a seed; with `validation`, a fifth of the training part stands in for the test part."""
    data = digits.load(seed)
    if not validation:
        return data
    from sklearn.model_selection import train_test_split

    at = np.arange(len(data.labels))
    train, rest = train_test_split(at, test_size=0.2, stratify=data.labels, random_state=seed)
    return digits.Digits(data.images[train], data.labels[train], data.images[rest], data.labels[rest])


def compare(programs: Mapping[str, tuple[Program, int]], seeds: int, validation: bool) -> dict[str, Outcome]:
    """Train every program with every seed, in turn; the number beside a program is its epochs."""
    data = [held_out(seed, validation) for seed in range(seeds)]
    steps, outcomes = {}, {}
    for name, (program, epochs) in programs.items():
        step, net, state = program.start(data[0], epochs, 0)
        start = time.perf_counter()
        batch = data[0].images[: digits.BATCH], data[0].labels[: digits.BATCH]
        steps[name] = step.lower(net, state, *batch, jax.random.key(0)).compile()
        outcomes[name] = Outcome([], time.perf_counter() - start, [])
    for seed, now in enumerate(data):
        for name, (program, epochs) in programs.items():
            start = time.perf_counter()
            _, net, state = program.start(now, epochs, seed)
            *_, (trained, _) = digits.epochs_of(steps[name], net, state, now, epochs, seed)
            outcomes[name].train.append(time.perf_counter() - start)
            outcomes[name].accuracies.append(float(program.accuracy(trained, now.test_images, now.test_labels)))
    return outcomes


def show(name: str, epochs: int, outcome: Outcome) -> None:
    """A row of the table."""
    spread = statistics.stdev(outcome.accuracies) if len(outcome.accuracies) > 1 else 0.0
    train = f"{statistics.median(outcome.train):.1f} ({min(outcome.train):.1f}-{max(outcome.train):.1f})"
    accuracies = ", ".join(f"{100 * value:.1f}" for value in outcome.accuracies)
    columns = [name, epochs, f"{100 * outcome.mean:.2f} ± {100 * spread:.2f}", accuracies, f"{outcome.compile:.1f}", train]
    print(f"| {' | '.join(map(str, columns))} | {outcome.total:.1f} |", flush=True)


def reach(target: Outcome, seeds: int, validation: bool) -> tuple[int, Outcome] | None:
    """The first schedule whose mean accuracy is that of `target`, and its outcome."""
    program = snnjax_program(("weight",), QUICK_RATE)
    for epochs in SCHEDULES:
        outcome = compare({"snnjax": (program, epochs)}, seeds, validation)["snnjax"]
        show("snnjax, weights", epochs, outcome)
        if outcome.mean >= target.mean:
            return epochs, outcome
    return None


def _head(validation: bool) -> None:
    part = "validation" if validation else "test"
    print(f"\n| program | epochs | {part} accuracy, % | of each seed | to compile, s | to train, s (min-max) | together, s |")
    print("|---|---|---|---|---|---|---|")


def main() -> None:
    """Measure, print the tables, save them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="how many splits and initial weights (default 5)")
    parser.add_argument("--epochs", type=int, default=60, help="times that training sees every digit (default 60)")
    parser.add_argument("--validation", action="store_true", help="hold out a part of the training part instead of the test part")
    parser.add_argument("--json", metavar="FILE", help="also write the numbers to FILE")
    options = parser.parse_args()
    print(f"{hardware()}\n64 inputs, {digits.HIDDEN} neurons, 10 read-outs, T={digits.STEPS}, B={digits.BATCH}, {options.seeds} seeds.")
    programs = {"snnjax": (snnjax_program(("weight", "time_constant")), options.epochs)}
    if importlib.util.find_spec("spyx"):
        programs["Spyx"] = (spyx_program(), options.epochs)
    outcomes = compare(programs, options.seeds, options.validation)
    _head(options.validation)
    for name, outcome in outcomes.items():
        show(name, options.epochs, outcome)
    if "Spyx" not in outcomes:
        print("\nSpyx is not installed (`pip install spyx`); there is nothing to compare with.")
    else:
        target = outcomes["Spyx"]
        _head(options.validation)
        reached = reach(target, options.seeds, options.validation)
        if reached is None:
            print(f"\nNo schedule reached the {100 * target.mean:.2f} % of Spyx.")
        else:
            epochs, outcome = reached
            outcomes[f"snnjax, weights, {epochs} epochs"] = outcome
            one, other = (outcome.compile + statistics.median(outcome.train) for outcome in (outcome, target))
            seconds = outcome.total / target.total
            print(
                f"\nThe {100 * target.mean:.2f} % of Spyx are reached in {seconds:.2f} of its time: {options.seeds} seeds, compiled once."
            )
            print(f"With one seed, compiling included: {one / other:.2f}.")
    save_json(options.json, [{"program": name, **outcome._asdict()} for name, outcome in outcomes.items()])


if __name__ == "__main__":
    main()
