"""`checked=True` in somas and networks: which layer, which step, which neuron; and where NaN goes when nobody looks."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import examples
from hypothesis import given
from hypothesis import strategies as st

import snnjax.functional as F
from snnjax import NumericsError, graph, somas

DT, STEPS, BATCH, N = 1e-3, 9, 2, 3
LIF = somas.LIFSomaConfig(shape=(N,)).build()
EYE = np.eye(N, dtype=np.float32)
steps, rows, neurons = st.integers(0, STEPS - 1), st.integers(0, BATCH - 1), st.integers(0, N - 1)
a_few = examples(6)


def drive() -> np.ndarray:
    return np.random.default_rng(0).uniform(0.0, 2.0, (STEPS, BATCH, N)).astype(np.float32)


def spoilt(step: int, row: int, neuron: int, bad: float = np.nan) -> jax.Array:
    inputs = drive()
    inputs[step, row, neuron] = bad
    return jnp.asarray(inputs)


def network(*edges: tuple[str, str], **nodes: graph.Node) -> Any:
    ends = {"in": graph.Input(N), **nodes, "out": graph.Output(N)}
    return graph.build(graph.Graph(ends, [graph.Edge(*pair) for pair in edges]))


def node() -> graph.Node:
    return graph.of(LIF).nodes["lif"]


def chain() -> Any:
    return somas.Sequential([eqx.nn.Lambda(jnp.abs), LIF, eqx.nn.Lambda(jnp.square), LIF])


#: Each network, and which layer meets the inputs first.
NETWORKS: dict[str, tuple[Any, str]] = {
    "soma": (LIF, ""),
    "chain": (chain(), "`layers[1]`"),
    "chain in a chain": (somas.Sequential([chain()]), "`layers[1]`"),
    "branches": (network(("in", "a"), ("in", "b"), ("a", "out"), ("b", "out"), a=node(), b=node()), "`layers['a']`"),
    "cycle": (network(("in", "a"), ("a", "b"), ("b", "a"), ("b", "out"), a=node(), b=node()), "`layers['a']`"),
    "layer with weights": (somas.FeedForwardIAF(EYE, tau_syn=5e-3), ""),
    "layer with delays": (somas.RecurrentIAF(EYE, 0.1 * EYE, tau_syn=5e-3, delay_rec=2e-3), ""),
}
every_network = pytest.mark.parametrize("name", NETWORKS)


@every_network
def test_layer_step_and_neuron_of_the_first_nan_are_named(name: str) -> None:
    net, layer = NETWORKS[name]

    @a_few
    @given(steps, rows, neurons)
    def check(step: int, row: int, neuron: int) -> None:
        if isinstance(net, somas.FeedForwardIAF | somas.RecurrentIAF):
            neuron = 0  # a product with weights takes NaN to all neurons of the example
            inputs = spoilt(step, row, 1)
        else:
            inputs = spoilt(step, row, neuron)
        with pytest.raises(NumericsError) as caught:
            net.simulate(inputs, dt=DT, checked=True)
        whose = f"The state of {layer}" if layer else "The state"
        assert str(caught.value).startswith(f"{whose} is not finite after step {step}, at neuron ({row}, {neuron})")
        assert caught.value.field == (f"{layer.strip('`')}.state" if layer else "state")
        assert caught.value.value == (step, (row, neuron))

    check()


@every_network
def test_a_clean_run_is_the_same_when_it_is_watched(name: str) -> None:
    net, _ = NETWORKS[name]
    for inputs in (jnp.asarray(drive()), jnp.zeros((0, BATCH, N))):
        plain, watched = net.simulate(inputs, dt=DT), net.simulate(inputs, dt=DT, checked=True)
        assert jax.tree.structure(plain) == jax.tree.structure(watched)
        assert all(bool((a == b).all()) for a, b in zip(jax.tree.leaves(plain), jax.tree.leaves(watched), strict=True))


@pytest.mark.parametrize("name", ["chain", "cycle", "layer with delays"])
def test_under_jit_the_text_reaches_the_user(name: str) -> None:
    net, _ = NETWORKS[name]
    with pytest.raises(Exception, match=r"NumericsError: The state .*is not finite after step 4, at neuron \(1, 0\)"):
        jax.block_until_ready(jax.jit(lambda x: net.simulate(x, dt=DT, checked=True)[1])(spoilt(4, 1, 0)))


def test_a_mask_hides_what_is_in_the_padding() -> None:
    net, _ = NETWORKS["chain"]
    mask = np.ones((STEPS, BATCH), bool)
    mask[6:, 1] = False
    net.simulate(spoilt(7, 1, 0), dt=DT, mask=mask, checked=True)
    with pytest.raises(NumericsError, match="after step 5"):
        net.simulate(spoilt(5, 1, 0), dt=DT, mask=mask, checked=True)


@pytest.mark.parametrize("name", ["soma", "chain", "branches"])
def test_without_connections_nan_stays_in_its_neuron(name: str) -> None:
    net, _ = NETWORKS[name]
    clean = np.asarray(net.simulate(jnp.asarray(drive()), dt=DT)[1])

    @a_few
    @given(steps, rows, neurons, st.sampled_from([np.nan, np.inf]))
    def check(step: int, row: int, neuron: int, bad: float) -> None:
        out = np.asarray(net.simulate(spoilt(step, row, neuron, bad), dt=DT)[1])
        others = np.ones((BATCH, N), bool)
        others[row, neuron] = False
        assert np.isfinite(out).all() and (out[:, others] == clean[:, others]).all()

    check()


def test_through_spikes_nan_does_not_travel_but_silence_does() -> None:
    """A neuron with NaN is silent: its partners in a cycle stay finite, and miss its spikes. The other examples do not notice."""
    net, _ = NETWORKS["cycle"]
    clean, _ = net.outputs(jnp.asarray(drive()), dt=DT)
    state, out = net.outputs(spoilt(2, 1, 0), dt=DT)
    assert jnp.isnan(state.layers["a"].v[1, 0]) and jnp.isfinite(state.layers["a"].v).sum() == BATCH * N - 1
    assert jnp.isfinite(state.layers["b"].v).all() and all(jnp.isfinite(out[name]).all() for name in ("a", "b"))
    assert (state.layers["b"].v[0] == clean.layers["b"].v[0]).all()


@a_few
@given(steps, neurons)
def test_the_state_of_a_dpi_neuron_is_watched_and_nan_stays_there(step: int, neuron: int) -> None:
    inputs = np.zeros((STEPS, N), np.float32)
    inputs[:, 0] = 1.0
    clean, _ = F.simulate(F.dynapse_dpi, F.DynapseParams(), inputs, dt=DT)
    inputs[step, neuron] = np.nan
    state, spikes = F.simulate(F.dynapse_dpi, F.DynapseParams(), inputs, dt=DT)
    others = np.arange(N) != neuron
    for leaf, before in zip(jax.tree.leaves(state), jax.tree.leaves(clean), strict=True):
        np.testing.assert_array_equal(np.asarray(leaf)[..., others], np.asarray(before)[..., others])
    assert np.isfinite(np.asarray(spikes)[:, others]).all()
    with pytest.raises(NumericsError, match=rf"after step {step}, at neuron \({neuron},\)"):
        F.simulate(F.dynapse_dpi, F.DynapseParams(), inputs, dt=DT, checked=True)


# Counters


@pytest.mark.parametrize("left", [2**31 - 1, 5, 1, 0, -1, -(2**31)])
def test_a_refractory_counter_never_wraps(left: int) -> None:
    """Down by one per step to 0; below 0, where only traced values can be, it is 0 at once and not 2**31 - 1."""
    spikes, after = F.compute_refractory_update(jnp.int32(left), jnp.float32(1.0), jnp.int32(3))
    assert int(after) == (left - 1 if left > 0 else 3) and float(spikes) == (left <= 0)
    silent = F.compute_refractory_update(jnp.int32(left), jnp.float32(0.0), jnp.int32(3))[1]
    assert int(silent) == max(left - 1, 0)


@pytest.mark.parametrize("t_ref", [1e6, 1e30, np.inf, np.nan, -1.0])
def test_a_traced_period_beyond_the_counter_blocks_for_long_and_never_less_than_no_step(t_ref: float) -> None:
    steps = jax.jit(F.refractory_steps)(jnp.float32(t_ref), 1e-3)
    wanted = {1e6: 10**9, 1e30: 2**31 - 1, np.inf: 2**31 - 1, -1.0: -1000}.get(t_ref, 0)
    assert int(steps) == pytest.approx(wanted, rel=1e-6)
    neuron = F.lif_refrac
    run = jax.jit(lambda t: F.simulate(neuron, neuron.default(t_ref=t), jnp.full((6, 1), 50.0), dt=1e-3))
    state, spikes = run(jnp.float32(t_ref))
    assert int(spikes.sum()) == (1 if t_ref > 0 else 6) and int(state.steps_left[0]) >= (2**29 if t_ref > 0 else -1000)
