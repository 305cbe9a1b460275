"""Steps that go wrong are not taken, and too many of them are an error that names step and leaf."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from conftest import examples
from hypothesis import given
from hypothesis import strategies as st

import snnjax
import snnjax.functional as F
from snnjax import fit

OPTIMIZER = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(1e-1))
X = np.random.default_rng(0).normal(size=(16, 5, 3)).astype(np.float32)
STEPS = len(X)


def fresh() -> fit.TrainState:
    params = {"weight": jnp.ones(3), "bias": jnp.zeros(())}
    return fit.TrainState(params, OPTIMIZER.init(params), jax.random.key(0), cursor=np.int32(0), neurons={"v": jnp.zeros(5)})


@jax.jit
def step(state: fit.TrainState, x: Any, spoil: Any) -> fit.TrainState:
    """A step in which a number is added to the loss, the gradient of a leaf, the neurons or the parameters themselves."""
    key, now = jax.random.split(state.key)

    def objective(params: Any) -> Any:
        v = 0.5 * state.neurons["v"] + x @ params["weight"] + params["bias"] + jax.random.normal(now, (5,)) * 0.01
        return jnp.mean((v - 1.0) ** 2), {"v": v}

    (loss, neurons), gradient = jax.value_and_grad(objective, has_aux=True)(state.params)
    loss, gradient["bias"] = loss + spoil[0], gradient["bias"] + spoil[1]
    with jax.numpy_dtype_promotion("standard"):  # Optax is not written for strict promotion
        change, optimizer = OPTIMIZER.update(gradient, state.optimizer, state.params)
        params = optax.apply_updates(state.params, change)
    params["weight"] += spoil[2]
    after = fit.TrainState(params, optimizer, key, state.step + 1, state.cursor + 5, {"v": neurons["v"] + spoil[3]}, state.skipped)
    return fit.guard(state, after, loss=loss, gradient=gradient)


GOOD = np.zeros(4, np.float32)
SPOILT = st.tuples(st.integers(0, 3), st.sampled_from([np.nan, np.inf, -np.inf]))


def spoil(kind: tuple[int, float] | None) -> np.ndarray:
    made = GOOD.copy()
    if kind is not None:
        made[kind[0]] = kind[1]
    return made


@examples(100)
@given(st.lists(st.one_of(st.none(), SPOILT), min_size=STEPS, max_size=STEPS))
def test_after_any_pattern_of_bad_batches_the_parameters_are_those_of_the_good_ones(pattern: list[tuple[int, float] | None]) -> None:
    state, expected = fresh(), fresh()
    for x, kind in zip(X, pattern, strict=True):
        state = step(state, x, spoil(kind))
        after = step(expected, x, GOOD)
        kept = {name: getattr(expected, name) for name in ("params", "optimizer", "neurons")}
        expected = after if kind is None else after._replace(**kept)
    bad = [kind is not None for kind in pattern]
    for name in ("params", "optimizer", "neurons", "key", "step", "cursor"):
        for one, other in zip(jax.tree.leaves(getattr(state, name)), jax.tree.leaves(getattr(expected, name)), strict=True):
            assert np.array_equal(*((jax.random.key_data(it) if name == "key" else it) for it in (one, other))), name
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((state.params, state.optimizer, state.neurons)))
    assert int(state.skipped.total) == sum(bad) and int(state.step) == STEPS and int(state.cursor) == 5 * STEPS
    assert int(state.skipped.in_a_row) == (STEPS if all(bad) else bad[::-1].index(False))
    assert int(state.skipped.step) == (STEPS - 1 - bad[::-1].index(True) if any(bad) else -1)


@pytest.mark.parametrize(
    "kind, leaf", [((0, np.nan), "loss"), ((1, np.inf), "gradient.bias"), ((2, np.nan), "params.weight"), ((3, -np.inf), "neurons.v")]
)
def test_after_k_bad_steps_in_a_row_the_error_names_step_and_leaf(kind: tuple[int, float], leaf: str) -> None:
    state = step(fresh(), X[0], GOOD)
    good = state.params
    for k in range(1, 4):
        state = step(state, X[k], spoil(kind))
        if k < 3:
            fit.check(state, patience=3)
    with pytest.raises(snnjax.NumericsError, match=rf"The last 3 steps were skipped: `{leaf}` was NaN or infinite in step 3\.") as caught:
        fit.check(state, patience=3)
    assert caught.value.field == leaf and caught.value.value == 3 and caught.value.allowed == "finite"
    assert np.array_equal(state.params["weight"], good["weight"])
    fit.check(step(state, X[4], GOOD), patience=1)


def test_parameters_stay_finite_where_optax_gives_in() -> None:
    theirs, weight = optax.apply_if_finite(optax.sgd(0.1), 5), jnp.ones(3)
    opt_state = theirs.init(weight)
    for _ in range(8):
        change, opt_state = theirs.update(jnp.full(3, jnp.nan), opt_state, weight)
        weight = optax.apply_updates(weight, change)
    assert not jnp.isfinite(weight).any(), "if that is mended, docs/training.md is to be changed"
    state = fresh()
    for x in X:
        state = step(state, x, spoil((1, np.nan)))
    assert np.array_equal(state.params["weight"], np.ones(3)) and int(state.skipped.in_a_row) == STEPS


def test_a_nan_that_spikes_hide_from_the_loss_is_found_in_the_gradient() -> None:
    inputs = jnp.zeros((4, 2)).at[1, 0].set(jnp.nan)

    def loss_of(weight: Any) -> Any:
        return F.simulate(F.leaky, F.LeakyParams(), inputs * weight[None], dt=1e-3)[1].mean()

    weight = jnp.ones(2)
    loss, gradient = jax.value_and_grad(loss_of)(weight)
    assert jnp.isfinite(loss) and not jnp.isfinite(gradient).all()
    state = fit.TrainState(weight, None, jax.random.key(0))
    after = fit.guard(state, state._replace(params=weight - gradient), loss=loss, gradient=gradient)
    assert np.array_equal(after.params, weight) and int(after.skipped.total) == 1


def test_an_infinity_that_was_there_before_is_none_of_the_steps() -> None:
    state = fit.TrainState(jnp.ones(2), {"best": jnp.array([jnp.inf, 1.0])}, jax.random.key(0))
    assert int(fit.guard(state, state).skipped.total) == 0
    worse = state._replace(optimizer={"best": jnp.array([jnp.inf, jnp.inf])})
    assert int(fit.guard(state, worse).skipped.total) == 1


def test_a_guard_is_scanned_mapped_and_compiled_once() -> None:
    traced = []

    def body(state: fit.TrainState, x: Any) -> Any:
        traced.append(1)
        return step(state, x, jnp.zeros(4)), None

    start = jax.tree.map(jnp.asarray, fresh())
    scanned, _ = jax.lax.scan(body, start, X)
    looped = start
    for x in X:
        looped = step(looped, x, GOOD)
    assert all(np.allclose(*pair, rtol=1e-5) for pair in zip(jax.tree.leaves(scanned.params), jax.tree.leaves(looped.params), strict=True))
    spoils = jnp.stack([jnp.asarray(spoil(None)), jnp.asarray(spoil((1, np.nan)))])
    mapped = jax.vmap(step, in_axes=(None, None, 0))(start, X[0], spoils)
    assert mapped.skipped.total.tolist() == [0, 1] and len(traced) <= 2


def test_whole_modules_are_guarded_with_their_functions() -> None:
    net = eqx.nn.MLP(2, 1, 4, 1, key=jax.random.key(0))
    state = fit.TrainState(net, None, jax.random.key(0))
    spoilt = eqx.tree_at(lambda n: n.layers[1].bias, net, jnp.array([jnp.nan]))
    after = fit.guard(state, state._replace(params=spoilt))
    assert bool(eqx.tree_equal(after.params, net))
    with pytest.raises(snnjax.NumericsError, match=r"`params\.layers\.1\.bias`"):
        fit.check(after, patience=1)


def test_of_a_long_path_the_end_is_kept() -> None:
    deep: Any = jnp.nan
    for k in range(60):
        deep = {f"level{k}": deep}
    state = fit.TrainState(jnp.ones(1), None, jax.random.key(0))
    with pytest.raises(snnjax.NumericsError) as caught:
        fit.check(fit.guard(state, state, gradient=deep), patience=1)
    assert caught.value.field is not None and len(caught.value.field) == 96 and caught.value.field.endswith("level2.level1.level0")


STATE = fit.TrainState(jnp.ones(2), None, jax.random.key(0))


@pytest.mark.parametrize(
    "call, error, match, field",
    [
        (lambda: fit.guard({}, STATE), snnjax.DTypeError, "`before` must be a `TrainState`; got ", "before"),  # type: ignore[arg-type]
        (lambda: fit.guard(STATE, None), snnjax.DTypeError, "`after` must be a `TrainState`; got None", "after"),  # type: ignore[arg-type]
        (lambda: fit.guard(STATE, STATE._replace(params={})), snnjax.ConfigError, "`after` must have the structure of `before`", "after"),
        (lambda: fit.guard(STATE, STATE._replace(params=jnp.ones(3))), snnjax.ShapeError, r"got float32 of shape \(3,\) where", "after"),
        (lambda: fit.check(3), snnjax.DTypeError, "`state` must be a `TrainState`", "state"),  # type: ignore[arg-type]
        (lambda: fit.check(STATE, patience=0), snnjax.ParameterError, "`patience` must be a whole number, 1 or more; got 0", "patience"),
        (lambda: fit.check(STATE, patience=True), snnjax.DTypeError, "`patience` must be", "patience"),
        (lambda: fit.check(STATE, patients=3), snnjax.ConfigError, "Did you mean `patience`", "patients"),  # type: ignore[call-arg]
        (lambda: jax.jit(fit.check)(STATE), snnjax.DTypeError, "`state` is traced", "state"),
    ],
)  # fmt: skip
def test_what_is_no_state_is_refused(call: Any, error: Any, match: str, field: str) -> None:
    with pytest.raises(error, match=match) as caught:
        call()
    assert caught.value.field == field
