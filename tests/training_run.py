"""A training run with everything that must be in its file: `training_run.py SOURCE TARGET STEPS [SPLITS...]`.

It takes up the run in SOURCE (or begins one, `new`), goes on to STEPS, and saves to TARGET; on the way it saves to `TARGET.<split>`.
With STEPS = 0 it trains until SIGTERM, slowly.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import snnjax.functional as F
from snnjax import fit

OPTIMIZER = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(optax.cosine_decay_schedule(1e-1, 40)))
DATA = (np.random.default_rng(5).uniform(size=(64, 20, 6)) < 0.3).astype(np.float32)


def fresh() -> fit.TrainState:
    params = {
        "weight": 0.4 * jax.random.normal(jax.random.key(3), (6, 4)),
        "scale": jnp.ones(4, jnp.bfloat16),
        "tau": jnp.full(4, np.log(0.01), jnp.float32),
    }
    cursor = {"order": np.random.default_rng(0).permutation(len(DATA)), "next": 0, "epoch": 0}
    neurons = F.lif_init(F.LIFParams(), (4, 4), jnp.float32)
    return fit.TrainState(params, OPTIMIZER.init(params), jax.random.key(9), cursor=cursor, neurons=neurons)


@jax.jit
def train_step(state: fit.TrainState, inputs: Any) -> fit.TrainState:
    """Truncated backpropagation: the neurons go on where the last step left them."""
    key, noise = jax.random.split(state.key)

    def objective(params: Any) -> Any:
        scale, shift = params["scale"].astype(jnp.float32), 0.1 * jax.random.uniform(noise, (4,))
        currents = inputs @ params["weight"] * scale[None, None] + shift[None, None]
        lif = F.LIFParams(tau_mem=jnp.exp(params["tau"]), v_th=0.5)
        neurons, spikes = F.simulate(F.lif, lif, currents, dt=1e-3, state=state.neurons)
        return jnp.mean((spikes.mean(axis=0) - 0.1) ** 2), neurons

    (loss, neurons), gradient = jax.value_and_grad(objective, has_aux=True)(state.params)
    with jax.numpy_dtype_promotion("standard"):  # Optax is not written for strict promotion
        change, optimizer = OPTIMIZER.update(gradient, state.optimizer, state.params)
        params = optax.apply_updates(state.params, change)
    after = state._replace(params=params, optimizer=optimizer, key=key, step=state.step + 1, neurons=neurons)
    return fit.guard(state, after, loss=loss, gradient=gradient)


def next_batch(cursor: Any) -> Any:
    """Four sequences, and where the next ones are: in an order that is drawn anew for every epoch."""
    start, order, epoch = cursor["next"], cursor["order"], cursor["epoch"]
    if start + 4 > len(order):
        start, epoch = 0, epoch + 1
        order = np.random.default_rng(epoch).permutation(len(order))
    return DATA[order[start : start + 4]].swapaxes(0, 1), {"order": order, "next": start + 4, "epoch": epoch}


def next_state(state: fit.TrainState) -> fit.TrainState:
    inputs, cursor = next_batch(state.cursor)
    if int(state.step) % 7 == 3:
        inputs = inputs * np.float32(np.nan)
    return train_step(state._replace(cursor=None), inputs)._replace(cursor=cursor)


def main(source: str, target: str, steps: int, splits: set[int]) -> None:
    state = fresh() if source == "new" else fit.load_state(source, fresh())
    with fit.stop_on_sigterm() as stop:
        while steps == 0 or int(state.step) < steps:
            state = next_state(state)
            if int(state.step) in splits:
                fit.save_state(f"{target}.{int(state.step)}", state)
            if steps == 0:
                print(int(state.step), flush=True)
                time.sleep(0.02)
            if stop:
                fit.save_state(target, state)
                raise SystemExit(143)
    fit.save_state(target, state)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), {int(split) for split in sys.argv[4:]})
