"""What a step may do with axes of its own inside one kernel: it is carried out on single numbers; and what it may not."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import snnjax.functional as F
from snnjax.functional import _fused_device as device
from snnjax.functional._fused import fused
from snnjax.functional._fused_tape import NotElementwise

N, STEPS = 3, 4


def loop(reverse: bool) -> Callable[..., Any]:
    """Sub-steps with a constant, inputs of their own, and something kept of each."""

    def advance(v: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        drives = jnp.stack([x, 2.0 * x, -x])
        v, kept = jax.lax.scan(lambda v, drive: (0.5 * v + drive + 0.1 * x, v * drive), v, drives, reverse=reverse)
        return v, kept[0] - 3.0 * kept[2]

    return advance


def padded(v: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    rows = jax.lax.pad(jnp.stack([v, x]), jnp.float32(0.25), ((1, 0, 1), (0, 0, 0)))  # 1/4, v, 1/4, x
    first, second = jnp.split(rows, 2)
    cut = jax.lax.pad(rows, jnp.float32(0.5), ((-1, -2, 0), (0, 0, 0)))  # v alone
    return first[1] + second[0] * second[1], jnp.flip(rows, 0)[0] * cut[0]


def folded(v: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    rows = jnp.stack([v, x, v * x])
    weights = jnp.arange(3.0)[:, None]
    return (rows * weights).sum(0), rows.max(0) - rows.min(0) + jnp.prod(rows, axis=0)


def run(step: Any, xs: Any, state: Any = None) -> Any:
    state = jnp.linspace(-1.0, 1.0, N) if state is None else state
    return fused(lambda _, now, x: step(now, x), (), (), state, xs, (N,), segment=2)


STEPS_WITH_AXES = {"a loop": loop(False), "a loop backwards": loop(True), "pads and splits": padded, "sums and extremes": folded}


@pytest.mark.parametrize("step", STEPS_WITH_AXES.values(), ids=STEPS_WITH_AXES)
def test_axes_inside_of_a_step_are_carried_out_on_single_numbers(step: Callable[..., Any]) -> None:
    xs = jnp.asarray(np.random.default_rng(0).uniform(-1, 1, (STEPS, N)), jnp.float32)

    def scan(xs: Any) -> Any:
        return jax.lax.scan(step, jnp.linspace(-1.0, 1.0, N), xs)

    for got, wanted in zip(jax.tree.leaves(run(step, xs)), jax.tree.leaves(scan(xs)), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-6)
    slopes = (
        jax.grad(lambda xs, way=way: sum((leaf * leaf).sum() for leaf in jax.tree.leaves(way(xs))))(xs)
        for way in (lambda xs: run(step, xs), scan)
    )
    np.testing.assert_allclose(*slopes, rtol=1e-5, atol=1e-5)


LONG = jnp.zeros(65)
REFUSED = {
    "a long loop": (lambda v, x: (jax.lax.scan(lambda v, _: (v * 0.5 + x, None), v, LONG)[0], x), "a loop of 65 rounds, more than 64"),
    "an empty axis": (lambda v, x: (v, x + jnp.stack([v, x])[:0].sum(0)), "reduces an empty axis"),
    "a state of another shape": (lambda v, x: (jnp.stack([v, x]), x), "a state of another structure, shape or dtype"),
    "a state of another dtype": (lambda v, x: (v.astype(jnp.bfloat16), x), "a state of another structure, shape or dtype"),
    "a fixed number of neurons": (lambda v, x: (v + jnp.zeros(N), x), "does not run on neurons one by one"),
}  # fmt: skip


@pytest.mark.parametrize(("step", "text"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_step_of_single_neurons_is_refused(step: Any, text: str) -> None:
    with pytest.raises(NotElementwise, match=text):
        run(step, jnp.ones((STEPS, N)))


def test_random_keys_and_arrays_of_another_population_are_refused() -> None:
    with pytest.raises(NotElementwise, match="random keys in its state or inputs"):
        run(lambda v, key: (v + jax.random.normal(key, v.shape), v), jax.random.split(jax.random.key(0), (STEPS, N)))
    with pytest.raises(NotElementwise, match=r"an array of shape \(5,\), not one value per neuron"):
        run(lambda v, x: (v, v), jnp.ones((STEPS, 5)))


def test_a_step_that_closes_over_a_traced_array_is_told_to_make_it_a_parameter() -> None:
    with pytest.raises(NotElementwise, match="closes over a traced array; make that a parameter"):
        jax.jit(lambda gain: run(lambda v, x: (v * gain, x), jnp.ones((STEPS, N))))(jnp.ones(()))


def test_where_pallas_does_not_import_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    device.find.cache_clear()
    monkeypatch.setitem(sys.modules, "jax.experimental.pallas.triton", None)
    monkeypatch.setitem(sys.modules, "jax.experimental.pallas", None)
    with pytest.raises(device.Missing):
        device.find()


def test_time_constants_of_every_synapse_of_every_neuron_are_its_own() -> None:
    neuron = F.synapses(F.leaky, 2)
    params = neuron.default(tau_syn=jnp.asarray([[2e-3, 3e-3, 4e-3], [8e-3, 9e-3, 7e-3]]))
    inputs = jnp.asarray(np.random.default_rng(1).uniform(0, 2, (40, 5, 2, N)), jnp.float32)
    kernel, scan = (F.simulate(neuron, params, inputs, dt=1e-3, backend=backend)[1] for backend in ("pallas", "scan"))
    assert kernel.sum() > 0 and (kernel == scan).all()
