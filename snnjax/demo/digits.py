"""Train 256 spiking neurons to read scikit-learn's 8x8 digits, with surrogate gradients.

Every pixel is a current into the synapses of a hidden layer of LIF neurons, held for 25 ms; ten leaky integrators read the
spikes, and the one whose membrane is highest at the end is the answer. Everything is trained together: weights, time
constants, biases, the threshold. The hyper-parameters were chosen on a part of the training images, not on the test images.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

import snnjax.functional as F
from snnjax import fit
from snnjax._progress import ProgressBar

DT = 1e-3
STEPS = 25
HIDDEN = 256
BATCH = 64
RATE = 1e-2
NOISE = 0.2
CONFIG = F.SpikingConfig(spike=F.superspike(slope=10.0))


class Digits(NamedTuple):
    """Images `(n, 64)` with pixels from 0 to 1, and labels `(n,)`; a quarter is held out for the test."""

    images: np.ndarray
    labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


class Trained(NamedTuple):
    """What training gives: the parameters, the loss and accuracy of every epoch, and what it took, s."""

    params: Any
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


def initial(key: jax.Array) -> dict[str, Any]:
    """Random weights; every neuron has time constants and a bias of its own to learn."""
    key_in, key_out = jax.random.split(key)
    hidden, classes = jnp.ones(HIDDEN), jnp.ones(10)
    return {
        "w_in": 0.1 * jax.random.normal(key_in, (64, HIDDEN)),
        "hidden": F.LIFParams(tau_mem=10e-3 * hidden, tau_syn=5e-3 * hidden, bias=0.0 * hidden),
        "w_out": jax.random.normal(key_out, (HIDDEN, 10)) / jnp.sqrt(HIDDEN),
        "readout": F.LeakyIntegratorParams(tau_mem=10e-3 * classes, tau_syn=5e-3 * classes, bias=0.0 * classes),
    }


def network(params: dict[str, Any], images: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Spikes `(T, batch, HIDDEN)` of the hidden layer and membranes `(T, batch, 10)` of the read-out."""
    # The images do not change in time, so one product serves all steps; so does one product for all spikes.
    currents = images @ params["w_in"]
    currents = jnp.broadcast_to(currents, (STEPS, *currents.shape))
    _, spikes = F.simulate(F.lif, params["hidden"], currents, dt=DT, config=CONFIG)
    # A potential common to all classes means nothing to the loss; left free, it would wander.
    readout = params["readout"]._replace(v_leak=0.0)
    _, v = F.simulate(F.leaky_integrator, readout, spikes @ params["w_out"], dt=DT)
    return spikes, v


def make_step(like: dict[str, Any], optimizer: optax.GradientTransformation) -> Callable[..., Any]:
    """One training step: the whole sequence, its gradient, the update."""

    def loss(free: Any, images: jax.Array, labels: jax.Array) -> tuple[jax.Array, jax.Array]:
        _, v = network(fit.constrain(like, free), images)
        scores = v[-1]  # not the maximum over time: where a membrane only falls, that is its start, without a gradient
        entropy = optax.softmax_cross_entropy_with_integer_labels(scores, labels).mean()
        return entropy, (scores.argmax(axis=-1) == labels).mean()

    def step(free: Any, state: Any, images: jax.Array, labels: jax.Array, key: jax.Array) -> tuple[Any, Any, tuple[jax.Array, jax.Array]]:
        images = images + NOISE * jax.random.normal(key, images.shape)
        measured, gradient = jax.value_and_grad(loss, has_aux=True)(free, images, labels)
        updates, state = optimizer.update(gradient, state, free)
        return optax.apply_updates(free, updates), state, measured

    return jax.jit(step)


def train(digits: Digits, epochs: int, seed: int) -> Trained:
    """Adam over shuffled batches, with a rate that falls to 0 along a cosine."""
    key, key_params = jax.random.split(jax.random.key(seed))
    params = initial(key_params)
    batches = len(digits.labels) // BATCH
    optimizer = optax.adam(optax.cosine_decay_schedule(RATE, epochs * batches))
    free = fit.unconstrain(params)  # time constants as logarithms: no update can make one negative
    state = optimizer.init(free)
    start = time.perf_counter()
    step = make_step(params, optimizer).lower(free, state, digits.images[:BATCH], digits.labels[:BATCH], key).compile()
    compiled = time.perf_counter()
    rng, bar, history = np.random.default_rng(seed), ProgressBar(epochs), []
    for epoch in range(epochs):
        order = rng.permutation(len(digits.labels))[: batches * BATCH].reshape(batches, BATCH)
        measured = []
        for k, chosen in zip(jax.random.split(jax.random.fold_in(key, epoch), batches), order, strict=True):
            free, state, values = step(free, state, digits.images[chosen], digits.labels[chosen], k)
            measured.append(values)
        history.append(np.mean(measured, axis=0))
        bar(epoch + 1, f"loss {history[-1][0]:.3f}, accuracy {100 * history[-1][1]:.1f} %")
    losses, accuracies = np.transpose(history)
    return Trained(fit.constrain(params, free), losses, accuracies, compiled - start, time.perf_counter() - compiled)


@jax.jit
def evaluate(params: dict[str, Any], images: jax.Array, labels: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The accuracy without noise, and the mean number of hidden spikes per image."""
    spikes, v = network(params, images)
    return (v[-1].argmax(axis=-1) == labels).mean(), spikes.sum(axis=(0, 2)).mean()
