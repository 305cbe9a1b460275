"""Coordinates of parameters: they come back, and no change of them leaves a domain."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import examples
from hypothesis import given
from hypothesis import strategies as st

import snnjax
import snnjax.functional as F
from snnjax import fit
from snnjax._kinds import Duration, Fraction, Potential, TimeConstant


class Everything(NamedTuple):
    """One field of each domain."""

    tau: TimeConstant
    t_ref: Duration
    share: Fraction
    v: Potential


def leaves_close(a: Any, b: Any, rtol: float) -> None:
    assert jax.tree.structure(a) == jax.tree.structure(b)
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_allclose(np.asarray(x), np.asarray(y), rtol=rtol, atol=0.0)


def back(params: Any) -> Any:
    return fit.constrain(params, fit.unconstrain(params))


# Round trips

unit = st.floats(2.0**-20, 2.0**20, width=32)
voltage = st.floats(-100.0, 100.0, width=32)


@given(tau=unit, t_ref=unit, share=st.floats(2.0**-20, 1.0, width=32), v=voltage)
@examples(60)
def test_every_domain_comes_back(tau: float, t_ref: float, share: float, v: float) -> None:
    params = Everything(*(np.float32(x) for x in (tau, t_ref, share, v)))
    # The coordinate of 1e6 is 14, and half a unit in its last place is a relative error of 5e-7.
    leaves_close(back(params), params, rtol=2e-6)


@given(tau=unit, t_ref=unit, share=st.floats(2.0**-20, 1.0), v=voltage)
@examples(40)
def test_every_domain_comes_back_in_double_precision(tau: float, t_ref: float, share: float, v: float) -> None:
    with jax.enable_x64(True):
        leaves_close(back(Everything(tau, t_ref, share, v)), Everything(tau, t_ref, share, v), rtol=1e-14)


@given(v_reset=voltage, gap=st.floats(2.0**-7, 100.0, width=32))
@examples(40)
def test_a_threshold_comes_back(v_reset: float, gap: float) -> None:
    params = F.LIFParams(v_reset=np.float32(v_reset), v_th=np.float32(v_reset) + np.float32(gap))
    found = back(params)
    assert abs(found.v_th - params.v_th) <= 1e-6 * (abs(params.v_th) + abs(v_reset) + gap)
    assert found.v_reset == params.v_reset


def test_the_ends_of_a_domain_come_back() -> None:
    params = Everything(1.0, 0.0, jnp.array([0.0, 1.0]), 0.0)
    found = back(params)
    assert float(found.t_ref) == 0.0
    np.testing.assert_allclose(found.share, [0.0, 1.0], atol=1e-7)
    # 0 is no borderline case that hangs on how a device rounds exp(-87.3): a little above its coordinate is 0 as well.
    free = fit.unconstrain(params)
    near = fit.constrain(params, free._replace(t_ref=free.t_ref + 0.3, share=free.share + jnp.array([0.3, 0.0])))
    assert float(near.t_ref) == 0.0 and float(near.share[0]) == 0.0


@pytest.mark.parametrize("neuron", [F.MODELS[name] for name in sorted(F.MODELS)] + [F.refractory(F.adaptive_leaky)], ids=lambda n: n.name)
def test_the_defaults_of_every_model_come_back(neuron: F.Neuron) -> None:
    leaves_close(back(neuron.default()), neuron.default(), rtol=2e-6)


def test_wrappers_are_transformed_inside() -> None:
    params = F.recurrent(F.refractory(F.lif)).default(weight=jnp.eye(2))
    free = fit.unconstrain(params)
    np.testing.assert_allclose(free.neuron.neuron.tau_mem, np.log(20e-3), rtol=1e-6)
    assert free.weight is params.weight or jnp.array_equal(free.weight, params.weight)
    leaves_close(fit.constrain(params, free), params, rtol=2e-6)


def test_what_is_not_a_params_passes_unchanged() -> None:
    class Point(NamedTuple):
        x: float

    tree = {"w": jnp.ones((2, 3)), "neuron": F.LIFParams(), "name": "layer 1", "points": [Point(-1.0), None]}
    free = fit.unconstrain(tree)
    assert free["w"] is tree["w"] and free["name"] == "layer 1" and free["points"] == tree["points"]
    np.testing.assert_allclose(free["neuron"].tau_syn, np.log(5e-3), rtol=1e-6)
    assert fit.constrain(tree, free)["w"] is tree["w"]


def test_a_tuple_with_names_that_cannot_be_resolved_is_a_container() -> None:
    class Pair(NamedTuple):
        first: OnlyForATypeChecker  # noqa: F821  # pyright: ignore
        second: Any

    free = fit.unconstrain(Pair(-1.0, F.LIFParams(tau_mem=1.0)))
    assert free.first == -1.0 and float(free.second.tau_mem) == 0.0


def test_arrays_keep_their_dtype() -> None:
    params = F.LIFParams(tau_mem=np.full(3, 20e-3), tau_syn=jnp.full(3, 5e-3, jnp.bfloat16), v_th=np.float32(1.0))
    found = back(params)
    assert found.tau_mem.dtype == jnp.float32  # NumPy's float64, as JAX holds it
    assert found.tau_syn.dtype == jnp.bfloat16 and found.v_th.dtype == jnp.float32
    assert jnp.array_equal(found.tau_syn, params.tau_syn)


def test_one_threshold_stays_above_the_resets_of_all_neurons() -> None:
    params = F.LIFParams(v_th=1.0, v_reset=np.array([-1.0, 0.0, 0.5]))
    free = fit.unconstrain(params)
    assert free.v_th.shape == ()
    np.testing.assert_allclose(fit.constrain(params, free).v_th, 1.0, rtol=1e-6)
    moved = fit.constrain(params, free._replace(v_th=free.v_th - 30.0, v_reset=free.v_reset + 3.0))
    assert bool(jnp.all(moved.v_th > moved.v_reset))


# Domains under any step


@given(
    step=st.lists(st.floats(-1e6, 1e6, width=32), min_size=4, max_size=4),
    v=st.floats(-1e6, 1e6, width=32),
    th=st.floats(-1e6, 1e6, width=32),
)
@examples(100)
def test_no_step_leaves_the_domain(step: list[float], v: float, th: float) -> None:
    for params in (Everything(1.0, 1.0, 0.5, 0.0), Everything(*(jnp.ones(2, jnp.bfloat16) / 2 for _ in range(4)))):
        found = fit.constrain(params, jax.tree.map(lambda free, d: free + np.float32(d), fit.unconstrain(params), Everything(*step)))
        assert all(bool(jnp.all(jnp.isfinite(leaf))) for leaf in found)
        assert bool(jnp.all((found.tau > 0) & (found.t_ref >= 0) & (found.share >= 0) & (found.share <= 1)))
    for params in (F.LIFParams(), F.LIFParams(v_th=jnp.bfloat16(1.0), v_reset=jnp.bfloat16(0.0))):
        free = fit.unconstrain(params)
        found = fit.constrain(params, free._replace(v_reset=jnp.float32(v), v_th=jnp.float32(th)))
        assert bool(jnp.isfinite(found.v_th)) and bool(found.v_th > found.v_reset)


@given(value=st.floats(-1e4, 1e4, width=32))
@examples(60)
def test_gradients_are_finite_everywhere(value: float) -> None:
    def total(free: Any, params: Any) -> jax.Array:
        return sum(jnp.sum(leaf) for leaf in fit.constrain(params, free))  # pyright: ignore

    for params in (Everything(1.0, 1.0, 0.5, 0.0), F.AdaptiveLeakyParams()):
        free = type(params)(*(jnp.float32(value) for _ in params))
        assert all(bool(jnp.isfinite(g)) for g in jax.grad(total)(free, params))


def test_both_ways_work_under_jit_vmap_and_grad() -> None:
    taus = jnp.array([5e-3, 20e-3, 80e-3])

    def again(tau: jax.Array) -> jax.Array:
        params = F.RefractoryParams(F.LIFParams(tau_mem=tau, v_th=1.0 + tau))
        there = fit.constrain(params, fit.unconstrain(params))
        return there.neuron.tau_mem + there.neuron.v_th

    np.testing.assert_allclose(jax.jit(jax.vmap(again))(taus), 1.0 + 2 * taus, rtol=1e-6)
    np.testing.assert_allclose(jax.vmap(jax.grad(again))(taus), 2.0, rtol=1e-5)


# Bad input


@pytest.mark.parametrize(
    "params, message",
    [
        (F.LIFParams(tau_mem=0.0), r"`tau_mem` must be > 0 s and finite; got 0\.0"),
        (F.LIFParams(tau_mem=np.array([1.0, -1.0, 2.0])), r"`tau_mem` must be > 0 s and finite; got -1\.0 at index 1 of 3"),
        (F.LIFParams(v_leak=np.nan), "`v_leak` must be finite"),
        (F.LIFParams(v_th=0.0), "`v_reset` must be below `v_th`.* got 0.0. Its `v_th` is 0.0: the threshold is fitted as its distance"),
        (F.LIFParams(v_th=1.0, v_reset=np.array([0.0, 1.5])), "`v_reset` must be below `v_th`"),
        (F.RefractoryParams(F.LIFParams(), t_ref=-1e-3), "`t_ref` must be >= 0 s"),
        ({"layer": [Everything(1.0, 1.0, 1.5, 0.0)]}, "`share` must be from 0 to 1; got 1.5"),
    ],
)
def test_values_outside_their_domain_are_refused(params: Any, message: str) -> None:
    with pytest.raises(snnjax.ParameterError, match=message):
        fit.unconstrain(params)


def test_an_integer_array_is_refused_by_name() -> None:
    with pytest.raises(snnjax.DTypeError, match="`v_th` must hold floats, as gradients need; got int32") as caught:
        fit.unconstrain(F.LIFParams(v_th=np.ones(2, np.int32)))
    assert caught.value.field == "v_th"


def test_coordinates_must_fit_and_be_finite() -> None:
    params = F.LIFParams()
    free = fit.unconstrain(params)
    with pytest.raises(snnjax.DTypeError, match="`free` must have the structure of `like`"):
        fit.constrain(F.LeakyParams(), free)
    with pytest.raises(snnjax.ParameterError, match="`tau_mem` must be finite; got nan"):
        fit.constrain(params, free._replace(tau_mem=jnp.nan))
