"""Train 256 spiking neurons to read scikit-learn's 8x8 digits, with surrogate gradients.

Every pixel is an input that lasts 25 ms; ten leaky integrators read the spikes of a hidden layer of LIF neurons, and the
one whose membrane is highest at the end is the answer. Weights and time constants are trained together. The
hyper-parameters were chosen on a part of the training images, not on the test images.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

import snnjax.functional as F
from snnjax import fit, somas
from snnjax._progress import ProgressBar

DT = 1e-3
STEPS = 25
HIDDEN = 256
BATCH = 64
RATE = 1e-2
NOISE = 0.2
GAIN = 2.0


class Digits(NamedTuple):
    """Images `(n, 64)` with pixels from 0 to 1, and labels `(n,)`; a quarter is held out for the test."""

    images: np.ndarray
    labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


class Trained(NamedTuple):
    """What training gives: the network, the loss and accuracy of every epoch, and what it took, s."""

    net: somas.Sequential
    losses: np.ndarray
    accuracies: np.ndarray
    compile_seconds: float
    train_seconds: float


def load(seed: int) -> Digits:
    """The 1,797 digits that come with scikit-learn, split so that each class keeps its share."""
    try:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
    except ImportError as error:
        raise ImportError("The demo needs scikit-learn for its digits: `pip install snnjax[demo]`.") from error
    images, labels = load_digits(return_X_y=True)
    images = (np.asarray(images) / 16.0).astype(np.float32)
    train, test = train_test_split(np.arange(len(labels)), test_size=0.25, stratify=labels, random_state=seed)
    return Digits(images[train], labels[train], images[test], labels[test])


def network(key: jax.Array) -> somas.Sequential:
    """Random weights; every neuron has time constants of its own to learn."""
    key_in, key_out = jax.random.split(key)
    tau_mem, tau_syn = somas.Constant(10e-3), somas.Constant(5e-3)
    hidden = somas.LIFSomaConfig(shape=(HIDDEN,), tau_mem=tau_mem, tau_syn=tau_syn, spike=F.superspike(slope=3.0))
    readout = somas.LeakyIntegratorSomaConfig(shape=(10,), tau_mem=tau_mem, tau_syn=tau_syn)
    pixels = eqx.nn.Linear(64, HIDDEN, key=key_in)
    pixels = eqx.tree_at(lambda layer: layer.weight, pixels, GAIN * pixels.weight)
    return somas.Sequential([pixels, hidden.build(), eqx.nn.Linear(HIDDEN, 10, key=key_out), readout.build()])


def respond(net: somas.Sequential, images: Any) -> tuple[jax.Array, jax.Array]:
    """Spikes `(T, batch, HIDDEN)` of the hidden layer and membranes `(T, batch, 10)` of the read-out."""
    _, outputs = net.outputs(jnp.broadcast_to(images, (STEPS, *images.shape)), dt=DT)
    return outputs[1], outputs[3]


def make_step(
    net: somas.Sequential, optimizer: optax.GradientTransformation, kinds: tuple[str, ...] = ("weight", "time_constant")
) -> tuple[Callable[..., Any], Any]:
    """One training step, `(net, state, images, labels, key) -> (net, state, (loss, accuracy))`, and the optimizer's first state."""
    spec = somas.trainable(net, kinds=kinds)

    @eqx.filter_jit
    def step(net: Any, state: Any, images: Any, labels: Any, key: jax.Array) -> tuple[Any, Any, tuple[jax.Array, jax.Array]]:
        noisy = images + NOISE * jax.random.normal(key, images.shape)
        # Time constants train as logarithms: no step of the optimizer can make one negative.
        free, fixed = eqx.partition(fit.unconstrain(net), spec)

        def loss(free: Any) -> tuple[jax.Array, jax.Array]:
            _, v = respond(fit.constrain(net, eqx.combine(free, fixed)), noisy)
            # The last membrane, not the highest over time: where one only falls, that is its start, without a gradient.
            return somas.cross_entropy(v[-1], labels), (v[-1].argmax(axis=-1) == labels).mean()

        (value, accuracy), gradient = eqx.filter_value_and_grad(loss, has_aux=True)(free)
        updates, state = optimizer.update(gradient, state, free)
        free = eqx.apply_updates(free, updates)
        return fit.constrain(net, eqx.combine(free, fixed)), state, (value, accuracy)

    return step, optimizer.init(eqx.filter(fit.unconstrain(net), spec))


def epochs_of(step: Callable[..., Any], net: Any, state: Any, digits: Digits, epochs: int, seed: int) -> Iterator[tuple[Any, np.ndarray]]:
    """Train over shuffled batches; after each epoch comes what was trained, and its mean loss and accuracy."""
    rng, key = np.random.default_rng(seed), jax.random.key(seed)
    batches = len(digits.labels) // BATCH
    for epoch in range(epochs):
        order = rng.permutation(len(digits.labels))[: batches * BATCH].reshape(batches, BATCH)
        measured = []
        for now, chosen in zip(jax.random.split(jax.random.fold_in(key, epoch), batches), order, strict=True):
            net, state, values = step(net, state, digits.images[chosen], digits.labels[chosen], now)
            measured.append(values)
        yield net, np.mean(measured, axis=0)


def adam(digits: Digits, epochs: int, rate: float = RATE) -> optax.GradientTransformation:
    """Adam with a rate that falls to 0 along a cosine."""
    return optax.adam(optax.cosine_decay_schedule(rate, epochs * (len(digits.labels) // BATCH)))


def train(digits: Digits, epochs: int, seed: int) -> Trained:
    """Train a network, with a progress bar."""
    net = network(jax.random.key(seed))
    start = time.perf_counter()
    step, state = make_step(net, adam(digits, epochs))
    step = step.lower(net, state, digits.images[:BATCH], digits.labels[:BATCH], jax.random.key(0)).compile()
    compiled = time.perf_counter()
    bar, history = ProgressBar(epochs), []
    trained = net
    for now, (loss, accuracy) in epochs_of(step, net, state, digits, epochs, seed):
        trained = now
        history.append((loss, accuracy))
        bar(len(history), f"loss {loss:.3f}, accuracy {100 * accuracy:.1f} %")
    losses, accuracies = np.transpose(history)
    return Trained(trained, losses, accuracies, compiled - start, time.perf_counter() - compiled)


@eqx.filter_jit
def evaluate(net: somas.Sequential, images: Any, labels: Any) -> tuple[jax.Array, jax.Array]:
    """The accuracy without noise, and the mean number of hidden spikes per image."""
    spikes, v = respond(net, images)
    return (v[-1].argmax(axis=-1) == labels).mean(), spikes.sum(axis=(0, 2)).mean()
