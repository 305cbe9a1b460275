"""One of several processes that train and run together; `test_multi_host.py` starts them. Alone, it computes what they must find.

python multi_host_run.py ADDRESS PROCESSES NUMBER OUT
"""

from __future__ import annotations

import sys
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

import snnjax
import snnjax.functional as F
from snnjax import somas

T, B, CHANNELS, N, DT = 40, 8, 12, 16, 1e-3


def shared(sharding: NamedSharding, whole: np.ndarray, axis: int) -> jax.Array:
    """An array of all processes, of which each brings its own part."""
    part = np.array_split(whole, jax.process_count(), axis)[jax.process_index()]
    return jax.make_array_from_process_local_data(sharding, part)


def one_training_step() -> dict[str, Any]:
    """Data parallel: the error of a whole batch, and its gradient."""
    net = somas.Sequential([eqx.nn.Linear(CHANNELS, N, key=jax.random.key(0)), somas.LIFSomaConfig(shape=(N,)).build()])
    arrays, rest = eqx.partition(net, eqx.is_array)

    def error(arrays: Any, inputs: jax.Array, rates: jax.Array) -> jax.Array:
        _, spikes = eqx.combine(arrays, rest).simulate(inputs, dt=DT)
        return jax.lax.pmean(((spikes.mean(0) - rates) ** 2).mean(), "data")

    mesh = Mesh(np.array(jax.devices()), ("data",))
    step = jax.jit(jax.shard_map(jax.value_and_grad(error), mesh=mesh, in_specs=(P(), P(None, "data"), P("data")), out_specs=P()))
    rng = np.random.default_rng(0)
    inputs = rng.uniform(0, 3, (T, B, CHANNELS)).astype(np.float32)
    rates = rng.uniform(0, 0.2, (B, N)).astype(np.float32)
    sharded = shared(NamedSharding(mesh, P(None, "data")), inputs, 1), shared(NamedSharding(mesh, P("data")), rates, 0)
    value, gradient = step(arrays, *sharded)
    leaves = {jax.tree_util.keystr(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(gradient)}
    return {"error": value, **leaves}


def a_recurrent_run() -> dict[str, Any]:
    """Neurons on all devices, which tell each other at every step who fired."""
    mesh = Mesh(np.array(jax.devices()), ("neurons",))
    along = P(None, None, "neurons")
    ring = F.recurrent(F.lif, axis_name="neurons")
    run = jax.jit(
        jax.shard_map(
            lambda params, drive: F.simulate(ring, params, drive, dt=DT)[1].sum(0),
            mesh=mesh,
            in_specs=(F.RecurrentParams(P(), P(None, "neurons")), along),
            out_specs=P(None, "neurons"),
        )
    )
    rng = np.random.default_rng(1)
    weight = rng.normal(0, 0.3, (N, N)).astype(np.float32)
    drive = rng.uniform(0, 0.6, (T, B, N)).astype(np.float32)
    weights = shared(NamedSharding(mesh, P(None, "neurons")), weight, 1)
    counts = run(F.RecurrentParams(F.LIFParams(), weights), shared(NamedSharding(mesh, along), drive, 2))
    # Gathered on the devices: a host sees its own part only.
    return {"counts": jax.jit(lambda x: x, out_shardings=NamedSharding(mesh, P()))(counts)}


def cores_of_a_large_run() -> int:
    """On how many devices `simulate` lays a population that one process with all cores would spread."""
    _, spikes = F.simulate(F.lif, F.LIFParams(), jnp.full((512, 2**14), 0.4), dt=DT)
    return len(spikes.sharding.device_set)


def main(address: str, processes: int, number: int, out: str) -> None:
    snnjax.use_all_cores(2)
    if processes > 1:
        jax.distributed.initialize(coordinator_address=address, num_processes=processes, process_id=number)
    assert jax.process_count() == processes and jax.device_count() == 2 * processes
    assert cores_of_a_large_run() == (2 if processes == 1 else 1)
    found = {**one_training_step(), **a_recurrent_run()}
    assert found["counts"].sum() > 50
    np.savez(out, **{name: np.asarray(value) for name, value in found.items()})


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
