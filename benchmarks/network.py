"""A training step of 700 -> 256 recurrent LIF -> 20 leaky integrators, run layer by layer, against scans written by hand.

    python -m benchmarks.network [--rounds 20] [--json FILE]

Loss and gradient of 250 steps of a batch of 64, float32, in four programs that make the same spikes and gradients (checked):

* snnjax: `somas.Sequential.simulate`.
* hoisted scan: by hand; the projections outside, one product each for all steps, and a scan for the neurons of each layer.
* one scan: by hand; all layers in every step.
* stepped: one scan over `somas.Sequential.__call__`, the network's own step.

The first table trains weights alone, the second also the time constants of every neuron.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

import snnjax.functional as F
from snnjax import somas

from ._timing import Timing, compare, hardware, save_json

STEPS, BATCH, INPUTS, HIDDEN, CLASSES, DT = 250, 64, 700, 256, 20, 1e-3
SLOPE = 10.0
Run = Callable[[Any, jax.Array], tuple[jax.Array, jax.Array]]


def network(key: jax.Array) -> somas.Sequential:
    """Time constants are one per neuron."""
    keys = jax.random.split(key, 3)
    recurrent = somas.config_class(F.recurrent(F.lif), "RecurrentConfig")
    tau_mem, tau_syn = somas.Constant(20e-3), somas.Constant(10e-3)
    hidden = recurrent(shape=(HIDDEN,), weight=somas.Normal(0.0, 0.05), tau_mem=tau_mem, tau_syn=tau_syn, spike=F.superspike(SLOPE))
    readout = somas.LeakyIntegratorSomaConfig(shape=(CLASSES,), tau_mem=tau_mem, tau_syn=tau_syn)
    return somas.Sequential(
        [
            eqx.nn.Linear(INPUTS, HIDDEN, key=keys[0]),
            hidden.build(keys[1]),
            eqx.nn.Linear(HIDDEN, CLASSES, key=keys[2]),
            readout.build(),
        ]
    )


def by_layers(net: somas.Sequential, inputs: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Hidden spikes and read-out potentials, through the library."""
    _, outputs = net.outputs(inputs, dt=DT)
    return outputs[1], outputs[3]


def stepped(net: somas.Sequential, inputs: jax.Array) -> tuple[jax.Array, jax.Array]:
    """All layers in every step, by the network's own step."""

    def step(state: Any, x: jax.Array) -> Any:
        state, v = net(state, x, dt=DT)
        return state, (state[1].spikes, v)

    return jax.lax.scan(step, net.init((BATCH,)), inputs)[1]


@jax.custom_jvp
def _spike(x: jax.Array) -> jax.Array:
    return (x > 0).astype(x.dtype)


@_spike.defjvp
def _spike_jvp(primals: Any, tangents: Any) -> Any:
    return _spike(primals[0]), tangents[0] / (1.0 + SLOPE * jnp.abs(primals[0])) ** 2


def _coefficients(params: Any) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Decay of the current, gain of the membrane, and what a current adds to it; once for all steps."""
    distance = DT / params.tau_syn - DT / params.tau_mem
    coupling = DT / params.tau_mem * jnp.exp(-DT / params.tau_mem) * -jnp.expm1(-distance) / distance
    return jnp.exp(-DT / params.tau_syn), 1 - jnp.exp(-DT / params.tau_mem), coupling


def _membrane(params: Any, coefficients: Any, v: jax.Array, i: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    decay, gain, coupling = coefficients
    i = i + x
    return v + gain * (params.v_leak + params.bias - v) + coupling * i, decay * i


def _hidden(net: somas.Sequential) -> tuple[Callable[..., Any], Any]:
    """The step of the recurrent layer, and its first state."""
    params, weight = net.layers[1].params.neuron, net.layers[1].params.weight
    coefficients, rest = _coefficients(params), jnp.zeros((BATCH, HIDDEN))

    def step(state: Any, x: jax.Array) -> Any:
        v, i, spikes = state
        v, i = _membrane(params, coefficients, v, i, x + spikes @ weight)
        spikes = _spike((v - params.v_th) / (params.v_th - params.v_reset))
        return (jnp.where(spikes > 0, params.v_reset, v), i, spikes), spikes

    return step, (rest + params.v_leak, rest, rest)


def _readout(net: somas.Sequential) -> tuple[Callable[..., Any], Any]:
    params, rest = net.layers[3].params, jnp.zeros((BATCH, CLASSES))
    coefficients = _coefficients(params)

    def step(state: Any, x: jax.Array) -> Any:
        v, i = _membrane(params, coefficients, state[0], state[1], x)
        return (v, i), v

    return step, (rest + params.v_leak, rest)


def hoisted_scan(net: somas.Sequential, inputs: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Projections outside, a scan for each layer of neurons."""
    (hidden, first), (readout, rest) = _hidden(net), _readout(net)
    drive = inputs.reshape(-1, INPUTS) @ net.layers[0].weight.T + net.layers[0].bias
    _, spikes = jax.lax.scan(hidden, first, drive.reshape(STEPS, BATCH, HIDDEN))
    drive = spikes.reshape(-1, HIDDEN) @ net.layers[2].weight.T + net.layers[2].bias
    return spikes, jax.lax.scan(readout, rest, drive.reshape(STEPS, BATCH, CLASSES))[1]


def one_scan(net: somas.Sequential, inputs: jax.Array) -> tuple[jax.Array, jax.Array]:
    """All layers in every step."""
    (hidden, first), (readout, rest) = _hidden(net), _readout(net)

    def step(state: Any, x: jax.Array) -> Any:
        now, spikes = hidden(state[0], x @ net.layers[0].weight.T + net.layers[0].bias)
        after, v = readout(state[1], spikes @ net.layers[2].weight.T + net.layers[2].bias)
        return (now, after), (spikes, v)

    return jax.lax.scan(step, (first, rest), inputs)[1]


RUNS: dict[str, Run] = {"snnjax": by_layers, "hoisted scan": hoisted_scan, "one scan": one_scan, "stepped": stepped}


def measure(kinds: tuple[str, ...], rounds: int) -> dict[str, Any]:
    """The times of a loss and its gradient with respect to parameters of these kinds, and how far the programs differ."""
    net = network(jax.random.key(0))
    inputs = 4.0 * (jax.random.uniform(jax.random.key(1), (STEPS, BATCH, INPUTS)) < 0.03).astype(jnp.float32)
    labels = jnp.arange(BATCH) % CLASSES
    trained, fixed = eqx.partition(net, somas.trainable(net, kinds=kinds))

    def loss(trained: Any, inputs: jax.Array, run: Run) -> jax.Array:
        return somas.membrane_cross_entropy(run(eqx.combine(trained, fixed), inputs)[1], labels)

    def program(run: Run) -> Callable[..., Any]:
        return jax.value_and_grad(lambda trained, inputs: loss(trained, inputs, run))

    spikes = {name: eqx.filter_jit(run)(net, inputs)[0] for name, run in RUNS.items()}
    gradients = {name: jax.jit(program(run))(trained, inputs)[1] for name, run in RUNS.items()}
    return {
        "kinds": kinds,
        "rate": float(spikes["snnjax"].mean()),
        "different spikes": {name: int((spikes[name] != spikes["snnjax"]).sum()) for name in RUNS},
        "gradient error": {name: _distance(gradients[name], gradients["snnjax"]) for name in RUNS},
        "timings": compare({name: program(run) for name, run in RUNS.items()}, (trained, inputs), rounds),
    }


def _distance(tree: Any, reference: Any) -> float:
    """The largest difference of two gradients, relative to the largest value of each array."""
    pairs = zip(jax.tree.leaves(tree), jax.tree.leaves(reference), strict=True)
    return max(float(jnp.abs(a - b).max() / jnp.abs(b).max()) for a, b in pairs)


def main() -> None:
    """Measure, print the tables, save them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20, help="runs of each program (default 20)")
    parser.add_argument("--json", metavar="FILE", help="also write the numbers to FILE")
    options = parser.parse_args()
    print(f"{hardware()}\n{INPUTS} -> {HIDDEN} recurrent LIF -> {CLASSES}, T={STEPS}, B={BATCH}, float32; loss and gradient.")
    rows = []
    for kinds in (("weight",), ("weight", "time_constant")):
        row = measure(kinds, options.rounds)
        timings: dict[str, Timing] = row["timings"]
        spikes = STEPS * BATCH * HIDDEN * row["rate"]
        print(
            f"\nTrained: {' and '.join(kinds).replace('_', ' ')}s. {spikes:.0f} spikes, {100 * row['rate']:.1f} % of neurons and steps.\n"
        )
        print("| program | ms (min-max) | of snnjax | to compile, s | MiB | other spikes | other gradient |")
        print("|---|---|---|---|---|---|---|")
        for name, time in timings.items():
            cells = [name, f"{1e3 * time.median:.0f} ({1e3 * time.least:.0f}-{1e3 * time.most:.0f})"]
            cells += [f"{time.median / timings['snnjax'].median:.2f}", f"{time.compile:.1f}", f"{time.memory / 2**20:.0f}"]
            print(f"| {' | '.join(cells)} | {row['different spikes'][name]} | {row['gradient error'][name]:.0e} |")
        rows.append({**row, "timings": {name: time._asdict() for name, time in timings.items()}})
    save_json(options.json, rows)


if __name__ == "__main__":
    main()
