"""Currents of picoamperes: nothing that counts becomes so small that float32 loses it, and a fit moves every one of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import snnjax.functional as F
from snnjax import fit

CONFIGS = {"paper": F.DPIConfig(), "dynapsim": F.DPIConfig.dynapsim()}
DT = 1e-3


def currents(n: int) -> F.BiasCurrents:
    """Any combination of currents from the dark current of a chip to its largest, evenly in their logarithms."""
    draws = np.exp(np.random.default_rng(0).uniform(np.log(5e-13), np.log(1e-6), (len(F.BiasCurrents._fields), n)))
    return F.BiasCurrents(*jnp.asarray(draws, jnp.float32))


def evaluate(program: Any, arguments: list[jax.Array], change: Callable[[jax.Array], jax.Array]) -> list[jax.Array]:
    """The outputs of a closed program, with `change` applied to the result of every single operation."""
    jaxpr = program.jaxpr
    values = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*program.consts, *arguments], strict=True))
    for equation in jaxpr.eqns:
        inputs = [atom.val if hasattr(atom, "val") else values[atom] for atom in equation.invars]
        if equation.primitive.name == "custom_jvp_call":
            results = evaluate(equation.params["call_jaxpr"], inputs, change)
        else:
            assert not any(hasattr(value, "eqns") or hasattr(value, "jaxpr") for value in equation.params.values())
            bound = equation.primitive.bind(*inputs, **equation.params)
            results = [change(it) for it in (bound if equation.primitive.multiple_results else [bound])]
        values.update(zip(equation.outvars, results, strict=True))
    return [values[atom] for atom in jaxpr.outvars]


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_no_intermediate_overflows_and_none_below_1e_30_is_felt(config: F.DPIConfig) -> None:
    """Decays over many time constants and high powers of small quotients are that small; without them the result is the same bits."""
    n = 2_000
    params = jax.tree.map(jnp.float32, F.DynapseParams(currents(n)))
    state = F.dynapse_dpi_init(params, (n,), jnp.float32)

    def step(params: Any, state: Any, events: jax.Array) -> Any:
        return F.dynapse_dpi_step(params, state, events, dt=DT, config=config)

    with jax.disable_jit():  # so that the program is one flat list of operations
        program = jax.make_jaxpr(step)(params, state, jnp.ones(n))
    small = 0

    def finite(x: jax.Array) -> jax.Array:
        assert np.isfinite(x).all()
        return x

    def flushed(x: jax.Array) -> jax.Array:
        nonlocal small
        tiny = (np.abs(np.asarray(x)) < 1e-30) & (np.asarray(x) != 0)
        small += int(tiny.sum())
        return jnp.where(tiny, jnp.zeros_like(x), x) if tiny.any() else x

    spikes = 0.0
    for events in np.random.default_rng(1).poisson(1.0, (10, n)).astype(np.float32):
        leaves = jax.tree.leaves((params, state, jnp.asarray(events)))
        whole, without = evaluate(program, leaves, finite), evaluate(program, leaves, flushed)
        for a, b in zip(whole, without, strict=True):
            np.testing.assert_array_equal(a, b)
        state, output = jax.tree.unflatten(jax.tree.structure((state, events)), whole)
        assert (state.imem >= params.process.Io).all() and (state.iahp >= params.process.Io).all() and (state.isyn > 0.0).all()
        spikes += float(output.sum())
    assert spikes > n and small > 1_000


#: Those that a gradient reaches in the run below. The others set whole numbers of steps (`Iref`) or a gate that is not there (`If_nmda`).
FITTED = {"Idc", "Igain_ahp", "Igain_mem", "Igain_syn", "Ipulse_ahp", "Ipulse", "Ispkthr", "Itau_ahp", "Itau_mem", "Itau_syn", "Iw_ahp"}


def test_adam_moves_every_current_and_the_same_with_and_without_jit(x64: None) -> None:
    like = F.DynapseParams(
        F.BiasCurrents(*[jnp.float64(value) for value in F.dynapse_dpi.default().bias._replace(Iw_ahp=2e-11, Idc=1e-11)])
    )
    events = jnp.asarray(np.random.default_rng(0).poisson(0.5, (80, 2)), jnp.float64)
    free = fit.unconstrain(like.bias)

    def bias_of(free: F.BiasCurrents) -> F.BiasCurrents:
        return fit.constrain(like.bias, free)

    def loss(free: F.BiasCurrents) -> jax.Array:
        free = free._replace(Idc=free.Idc * like.bias.Idc)  # the only one with a sign; counted in its first value
        record = F.simulate(F.dynapse_dpi, like._replace(bias=bias_of(free)), events, dt=DT, record=lambda s, _: (s.imem, s.spikes))[1]
        return (jnp.log(record[0] / like.process.Io) ** 2).mean() + record[1].mean()

    adam = optax.adam(0.02)

    def update(free: Any, state: Any) -> Any:
        updates, state = adam.update(jax.grad(loss)(free), state)
        return optax.apply_updates(free, updates), state

    def trained(update: Callable[..., Any]) -> Any:
        now = free._replace(Idc=jnp.ones(()))
        state = adam.init(now)
        for _ in range(4):
            now, state = update(now, state)
        return bias_of(now._replace(Idc=now.Idc * like.bias.Idc))

    with jax.numpy_dtype_promotion("standard"):  # Optax counts in int32 and raises floats to that power
        eager, jitted = trained(update), trained(jax.jit(update))
    for name, before, a, b in zip(F.BiasCurrents._fields, like.bias, eager, jitted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
        assert (abs(float(b) / float(before) - 1.0) > 0.01) == (name in FITTED), (name, float(before), float(b))
