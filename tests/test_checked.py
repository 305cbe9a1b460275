"""`checked=True`: which step, which neuron; and without it, NaN in one neuron never reaches another."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import examples
from hypothesis import given
from hypothesis import strategies as st
from models import ALL, Case, name_of

import snnjax.functional as F
from snnjax import NumericsError

DT = 1e-3
STEPS, SHAPE = 12, (2, 5)

every_model = pytest.mark.parametrize("case", ALL, ids=name_of)
# Those that take every input in: a blocked neuron of the others does not notice what comes.
DEAF = ("refractory(leaky", "refractory(adaptive", "refractory(delta")
WATCHFUL = [case for case in ALL if not any(name in case.name for name in DEAF)]
every_watchful_model = pytest.mark.parametrize("case", WATCHFUL, ids=name_of)

steps, rows, neurons = st.integers(0, STEPS - 1), st.integers(0, SHAPE[0] - 1), st.integers(0, SHAPE[1] - 1)
a_few = examples(8)


def run(case: Case, inputs: Any, **options: Any) -> Any:
    return F.simulate(case.neuron, case.params, inputs, dt=DT, **options)


def both(state: Any, output: Any) -> Any:
    return state, output


def lif(inputs: Any, **options: Any) -> Any:
    return F.simulate(F.lif, F.LIFParams(), inputs, dt=DT, **options)


def spoilt(case: Case, step: int, row: int, neuron: int, bad: float = np.nan) -> jax.Array:
    """Inputs with one bad element, in the last synapse where there are several."""
    inputs = np.array(case.inputs(STEPS, SHAPE))
    inputs[(step, row, *(n - 1 for n in case.neuron.ports), neuron)] = bad
    return jnp.asarray(inputs)


@every_watchful_model
def test_step_and_neuron_of_the_first_nan_are_named(case: Case) -> None:
    @a_few
    @given(steps, rows, neurons)
    def check(step: int, row: int, neuron: int) -> None:
        with pytest.raises(NumericsError, match=rf"not finite after step {step}, at neuron \({row}, {neuron}\).*`inputs`.*`dt`") as caught:
            run(case, spoilt(case, step, row, neuron), checked=True)
        assert (caught.value.field, caught.value.value) == ("state", (step, (row, neuron)))

    check()


@every_model
def test_a_clean_run_is_the_same_when_it_is_watched(case: Case) -> None:
    plain, watched = run(case, case.inputs(STEPS, SHAPE)), run(case, case.inputs(STEPS, SHAPE), checked=True)
    for a, b in zip(jax.tree.leaves(plain), jax.tree.leaves(watched), strict=True):
        assert a.dtype == b.dtype and (a == b).all()


@every_model
def test_what_is_not_finite_stays_in_its_neuron(case: Case) -> None:
    clean = np.asarray(run(case, case.inputs(STEPS, SHAPE), record=both)[1][1])
    connected = "recurrent" in case.name

    @a_few
    @given(steps, rows, neurons, st.sampled_from([np.nan, np.inf, -np.inf]))
    def check(step: int, row: int, neuron: int, bad: float) -> None:
        state, (states, outputs) = run(case, spoilt(case, step, row, neuron, bad), record=both)
        others = np.ones(SHAPE, bool)
        others[row, neuron] = False
        for leaf in jax.tree.leaves((states, outputs)):
            assert np.isfinite(np.moveaxis(np.asarray(leaf), -2 if leaf.ndim == 4 else 0, 0)[..., others]).all()
        if connected:
            others[row] = False
        assert (np.asarray(outputs)[:, others] == clean[:, others]).all()

    check()


def test_infinity_is_a_fault_too() -> None:
    inputs = jnp.full((9, 4), 0.1)
    for bad in (jnp.inf, -jnp.inf):
        with pytest.raises(NumericsError) as caught:
            lif(inputs.at[6, 2].set(bad), checked=True)
        assert caught.value.value == (6, (2,))


def test_divergence_is_a_fault() -> None:
    # Traced, because the door refuses such a step where it can see it.
    config = F.SpikingConfig(integrator=F.euler)
    diverge = jax.jit(lambda dt: F.simulate(F.leaky_integrator, F.LeakyIntegratorParams(), inputs, dt=dt, config=config, checked=True))
    inputs = jnp.ones((100, 2))
    assert jnp.isfinite(diverge(1e-3)[0].v).all()
    with pytest.raises(Exception, match=r"not finite after step \d+, at neuron \(0,\).*too long a `dt`"):
        jax.block_until_ready(diverge(0.1))


def test_the_first_of_several_faults_is_named() -> None:
    inputs = jnp.zeros((9, 2, 4)).at[7, 0, 0].set(jnp.nan).at[3, 1, 2].set(jnp.nan).at[3, 1, 1].set(jnp.nan)
    with pytest.raises(NumericsError) as caught:
        lif(inputs, checked=True)
    assert caught.value.value == (3, (1, 1))


def test_a_neuron_without_axes_is_named_by_the_empty_tuple() -> None:
    with pytest.raises(NumericsError, match=r"at neuron \(\)") as caught:
        lif(jnp.zeros(9).at[4].set(jnp.nan), checked=True)
    assert caught.value.value == (4, ())


@pytest.mark.parametrize("segment", [None, 1, 7, 200])
def test_the_step_is_counted_through_segments_and_gradients(segment: int | None) -> None:
    def total(inputs: Any) -> Any:
        return lif(inputs, checked=True, segment=segment, record=lambda state, spikes: state.v)[1].sum()

    with pytest.raises(NumericsError, match=r"after step 150, at neuron \(1,\)"):
        jax.grad(total)(jnp.zeros((200, 4)).at[150, 1].set(jnp.nan))


def test_whatever_is_recorded_the_state_is_watched() -> None:
    inputs = jnp.full((9, 4), 0.1)
    for record in (lambda state, spikes: spikes.sum(), lambda state, spikes: state.v[:2], lambda state, spikes: ()):
        lif(inputs, record=record, checked=True)
        with pytest.raises(NumericsError, match=r"after step 5, at neuron \(3,\)"):
            lif(inputs.at[5, 3].set(jnp.nan), record=record, checked=True)


def test_what_record_makes_of_a_finite_state_is_no_fault() -> None:
    _, recorded = lif(jnp.zeros((9, 4)), record=lambda state, spikes: jnp.log(state.v), checked=True)
    assert jnp.isneginf(recorded).all()


@pytest.mark.parametrize("shape", [(0, 4), (5, 0), (5, 0, 4), (0,)], ids=["no steps", "no neurons", "no batch", "no steps, no axes"])
def test_nothing_is_watched_without_complaint(shape: tuple[int, ...]) -> None:
    for run_it in (lif, jax.jit(lif, static_argnames="checked")):
        state, spikes = run_it(jnp.zeros(shape), checked=True)
        assert spikes.shape == shape and state.v.shape == shape[1:]


@pytest.mark.parametrize("transform", ["jit", "jit of grad", "jit of vmap"])
def test_under_jit_the_text_reaches_the_user(transform: str) -> None:
    def total(inputs: Any) -> Any:
        return lif(inputs, checked=True, record=lambda state, spikes: state.v)[1].sum()

    bad = jnp.zeros((9, 4)).at[2, 3].set(jnp.nan)
    inside = {"jit": total, "jit of grad": jax.grad(total), "jit of vmap": jax.vmap(total)}[transform]
    with pytest.raises(Exception, match=r"NumericsError: The state is not finite after step 2, at neuron \(3,\)"):
        jax.block_until_ready(jax.jit(inside)(jnp.stack([0.0 * bad, bad]) if "vmap" in transform else bad))


def test_vmap_without_jit_raises_the_error_itself() -> None:
    bad = jnp.zeros((9, 4)).at[2, 3].set(jnp.nan)
    with pytest.raises(NumericsError) as caught:
        jax.vmap(lambda inputs: lif(inputs, checked=True))(jnp.stack([jnp.zeros((9, 4)), bad]))
    assert caught.value.value == (2, (3,))


@pytest.mark.parametrize("jit", [False, True], ids=["eager", "jit"])
def test_gradients_flow_as_without_watching(jit: bool) -> None:
    def total(inputs: Any, tau_mem: Any, checked: bool) -> Any:
        params = F.LIFParams(tau_mem=tau_mem)
        return (F.simulate(F.lif, params, inputs, dt=DT, checked=checked, record=lambda state, spikes: spikes + state.v)[1] ** 2).sum()

    grad = jax.grad(total, argnums=(0, 1))
    grad = jax.jit(grad, static_argnums=2) if jit else grad
    arguments = (jnp.asarray(np.random.default_rng(0).random((100, 4)), jnp.float32), jnp.float32(10e-3))
    plain, watched = grad(*arguments, False), grad(*arguments, True)
    assert abs(plain[1]) > 0 and (plain[0] != 0).any()
    np.testing.assert_allclose(watched[0], plain[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(watched[1], plain[1], rtol=1e-5)
