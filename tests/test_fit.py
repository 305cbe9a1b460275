"""Fitting: what `minimize` changes, what it finds, and what it refuses."""

from __future__ import annotations

import sys
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import snnjax
import snnjax.functional as F
from snnjax import fit

DT = 1e-3


def current(steps: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(0.0, 0.4, (steps, 1))


def voltage_loss(params: Any, neuron: F.Neuron = F.leaky_integrator) -> Any:
    """A loss whose minimum is at `params`, over an input below threshold."""

    def run(p: Any) -> jax.Array:
        return F.simulate(neuron, p, current(100), dt=DT, record=lambda state, _: state.v)[1]

    target = run(params)
    return lambda p: jnp.mean((run(p) - target) ** 2)


@pytest.mark.parametrize("start", [5e-3, 100e-3])
def test_a_known_time_constant_is_recovered(start: float) -> None:
    loss = voltage_loss(F.LeakyIntegratorParams(tau_mem=20e-3))
    found = fit.minimize(loss, F.LeakyIntegratorParams(tau_mem=start), steps=200, trainable="tau_mem")
    assert found.params.tau_mem == pytest.approx(20e-3, rel=1e-3)
    assert found.losses.shape == (200,) and found.losses[-1] < 1e-4 * found.losses[0]
    assert isinstance(found.losses, np.ndarray)


def test_the_default_optimizer_fits_volts_and_amperes_of_a_real_cell() -> None:
    cell = {"tau_mem": 15e-3, "resistance": 100e6, "v_leak": -65e-3, "v_th": -50e-3, "v_reset": -70e-3, "bias": 20e-12}
    kicks = 1e-10 * current(200)

    def run(p: F.LeakyParams) -> jax.Array:
        return F.simulate(F.leaky, p, kicks, dt=DT, record=lambda state, _: state.v)[1]

    target = run(F.LeakyParams(**cell))
    start = F.LeakyParams(**{**cell, "v_leak": -60e-3, "tau_mem": 40e-3})
    found = fit.minimize(lambda p: jnp.mean((run(p) - target) ** 2), start, steps=300, trainable=("v_leak", "tau_mem"))
    assert found.params.v_leak == pytest.approx(-65e-3, rel=1e-3)
    assert found.params.tau_mem == pytest.approx(15e-3, rel=0.02)
    current_only = fit.minimize(
        lambda p: jnp.mean((run(p) - target) ** 2), F.LeakyParams(**{**cell, "bias": 50e-12}), steps=200, trainable="bias"
    )
    assert current_only.params.bias == pytest.approx(20e-12, rel=0.01)


def test_the_default_optimizer_moves_a_chip_current_by_the_size_of_its_neighbours() -> None:
    bias = F.dynapse_dpi.default().bias
    found = fit.minimize(lambda b: (b.Idc / 3e-11 - 1.0) ** 2, bias._replace(Idc=5e-13), steps=200, trainable="Idc")
    assert found.params.Idc == pytest.approx(3e-11, rel=0.01)


def test_spikes_are_fitted_through_the_surrogate() -> None:
    config = F.SpikingConfig(spike=F.superspike(slope=5.0))
    inputs = np.full((100, 1), 0.5)

    def rate(params: Any) -> Any:
        return F.simulate(F.lif, params, inputs, dt=DT, config=config)[1].mean()

    target = rate(F.LIFParams(v_th=0.7))
    start = F.LIFParams(v_th=1.6)
    found = fit.minimize(lambda p: (rate(p) - target) ** 2, start, steps=60, trainable="v_th")
    assert rate(start) < 0.8 * target
    assert rate(found.params) == pytest.approx(float(target), abs=0.011)  # a spike of the hundred steps


def test_an_optimizer_that_searches_along_a_line_is_served() -> None:
    loss = voltage_loss(F.LeakyIntegratorParams(tau_mem=20e-3, tau_syn=8e-3))
    found = fit.minimize(loss, F.LeakyIntegratorParams(50e-3, 2e-3), optimizer=optax.lbfgs(), steps=25, trainable=("tau_mem", "tau_syn"))
    assert found.params.tau_mem == pytest.approx(20e-3, rel=5e-3) and found.params.tau_syn == pytest.approx(8e-3, rel=5e-3)


def test_weights_and_neurons_are_trained_together() -> None:
    x = jnp.asarray(np.random.default_rng(1).normal(size=(30, 8, 3)), jnp.float32)
    labels = (x.mean(axis=0)[:, 0] > 0).astype(jnp.int32)

    def loss(p: Any) -> jax.Array:
        _, v = F.simulate(F.leaky_integrator, p["neuron"], x @ p["w"], dt=DT)
        return optax.softmax_cross_entropy_with_integer_labels(v.mean(axis=0), labels).mean()

    start = {"w": jnp.zeros((3, 2)), "neuron": F.LeakyIntegratorParams(tau_mem=jnp.full(2, 20e-3))}
    found = fit.minimize(loss, start, steps=150)
    assert found.losses[-1] < 0.3 * found.losses[0]
    assert not jnp.array_equal(found.params["w"], start["w"]) and bool(jnp.all(found.params["neuron"].tau_mem > 0))


def test_a_module_is_fitted_with_what_it_holds() -> None:
    class Layer(eqx.Module):
        weight: jax.Array
        params: F.LeakyIntegratorParams
        activation: Any

    layer = Layer(jnp.ones(3), F.LeakyIntegratorParams(), jnp.tanh)
    found = fit.minimize(lambda p: jnp.sum(p.activation(p.weight) ** 2), layer, steps=50, trainable="weight")
    assert found.losses[-1] < 0.5 * found.losses[0]
    assert found.params.activation is jnp.tanh and found.params.params is layer.params or found.params.params == layer.params


def pull(names: tuple[str, ...]) -> Any:
    """A loss that pulls on the named fields of a `RefractoryParams(LIFParams)`."""

    def loss(p: Any) -> Any:
        core = p.neuron
        return sum((getattr(core if hasattr(core, name) else p, name) - 0.5) ** 2 for name in names)

    return loss


ALL = ("tau_mem", "tau_syn", "v_leak", "v_th", "v_reset", "bias", "t_ref")


@pytest.mark.parametrize(
    "trainable, changed",
    [
        (("tau_mem", "v_th"), {"tau_mem", "v_th"}),
        ("tau_syn", {"tau_syn"}),
        (lambda name: name.startswith("tau"), {"tau_mem", "tau_syn"}),
        ("time_constant", {"tau_mem", "tau_syn"}),
        (("t_ref", "bias"), {"t_ref", "bias"}),
        ("neuron", set(ALL) - {"t_ref"}),
        (None, set(ALL) - {"t_ref"}),
    ],
)
def test_only_what_is_trainable_changes(trainable: Any, changed: set[str]) -> None:
    start = F.RefractoryParams(F.LIFParams())
    found = fit.minimize(pull(ALL), start, steps=5, trainable=trainable).params
    for name in ALL:
        before, after = (getattr(p if name == "t_ref" else p.neuron, name) for p in (start, found))
        assert (after != before) == (name in changed), name
        if name not in changed:
            assert after is before  # not even rounded


def test_a_held_threshold_stays_when_the_reset_moves() -> None:
    start = F.LIFParams(v_th=1.0, v_reset=0.0)
    found = fit.minimize(lambda p: (p.v_reset - 5.0) ** 2, start, steps=100, trainable="v_reset").params
    assert found.v_th is start.v_th and 0.8 < found.v_reset < 1.0


def test_a_threshold_is_pulled_to_the_reset_and_no_further() -> None:
    found = fit.minimize(lambda p: (p.v_th + 5.0) ** 2, F.LIFParams(), optimizer=optax.sgd(10.0), steps=50, trainable="v_th").params
    assert bool(found.v_th > found.v_reset) and found.v_th < 1e-3


@pytest.mark.parametrize(
    "trainable, message",
    [
        ("tau_men", "`trainable` names 'tau_men', which `params` do not have. Did you mean `tau_mem`?"),
        (("tau_mem", "threshold"), "names 'threshold', .* Known names: tau_mem"),
        ((), "`trainable` selects nothing that can be trained. Known names: tau_mem, tau_syn"),
        (lambda name: name == "x", "`trainable` selects nothing"),
    ],
)
def test_unknown_names_are_refused(trainable: Any, message: str) -> None:
    with pytest.raises(snnjax.ConfigError, match=message) as caught:
        fit.minimize(lambda p: p.tau_mem, F.LIFParams(), steps=1, trainable=trainable)
    assert caught.value.field == "trainable"


@pytest.mark.parametrize(
    "keywords, error, message",
    [
        ({"steps": 1.5}, snnjax.DTypeError, "`steps` must be a whole number, 0 or more; got the float 1.5"),
        ({"steps": -1}, snnjax.ParameterError, "`steps` must be a whole number, 0 or more; got -1"),
        ({"steps": 1, "optimizer": 0.1}, snnjax.DTypeError, "`optimizer` must be an Optax optimizer such as .*; got the float 0.1"),
        ({"steps": 1, "loss": lambda p: p.tau_mem * jnp.ones(3)}, snnjax.ShapeError, r"gives one floating number; got shape \(3,\)"),
        (
            {"steps": 1, "loss": lambda p: jnp.int32(p.tau_mem)},
            snnjax.DTypeError,
            "`loss` must be a function that gives one floating number",
        ),
        ({"steps": 1, "optimiser": None}, snnjax.ConfigError, "`optimiser` is not an argument of `minimize`. Did you mean `optimizer`?"),
        ({"steps": 1, "params": F.LIFParams(tau_mem=-1.0)}, snnjax.ParameterError, "`tau_mem` must be > 0 s"),
    ],
)
def test_arguments_are_checked(keywords: dict[str, Any], error: type[Exception], message: str) -> None:
    keywords = {"loss": lambda p: p.tau_mem, "params": F.LIFParams(), **keywords}
    with pytest.raises(error, match=message):
        fit.minimize(**keywords)


def test_a_loss_that_becomes_nan_is_named_with_its_step() -> None:
    def loss(p: Any) -> jax.Array:  # falls until tau_mem has doubled, and is NaN from there on
        return jnp.where(p.tau_mem > 40e-3, jnp.nan, -p.tau_mem)

    with pytest.raises(snnjax.NumericsError, match=r"The loss became nan at step \d+ of 500") as caught:
        fit.minimize(loss, F.LIFParams(), steps=500, trainable="tau_mem")
    found = caught.value.value
    assert 20e-3 < found.params.tau_mem <= 40e-3
    assert np.isfinite(found.losses).all() and 0 < len(found.losses) < 500
    assert f"step {len(found.losses)} of" in str(caught.value)


def test_a_gradient_that_is_nan_under_a_finite_loss_is_named() -> None:
    def loss(p: Any) -> jax.Array:
        return jnp.where(p.v_leak >= 0.0, p.tau_mem, 0.0) + 0.0 * jnp.sqrt(p.v_leak)

    with pytest.raises(snnjax.NumericsError, match="The gradient, or the step along it, became NaN or infinite at step 0 of 3") as caught:
        fit.minimize(loss, F.LIFParams(), steps=3, trainable=("v_leak", "tau_mem"))
    assert caught.value.value.params.v_leak == 0.0 and caught.value.value.losses.shape == (0,)


def test_no_steps_change_nothing() -> None:
    found = fit.minimize(lambda p: p.tau_mem, F.LIFParams(), steps=0, trainable="tau_mem", progress=True)
    assert found.losses.shape == (0,) and found.params.tau_mem == pytest.approx(20e-3)


def test_the_loss_is_traced_the_same_few_times_however_many_steps(capsys: pytest.CaptureFixture[str]) -> None:
    def traces(steps: int, progress: bool) -> int:
        calls = []

        def loss(p: Any) -> Any:
            calls.append(None)
            return p.tau_mem

        fit.minimize(loss, F.LIFParams(), steps=steps, progress=progress)
        return len(calls)

    assert traces(10, False) == traces(500, False) == traces(501, True)
    capsys.readouterr()


def test_progress_goes_to_stderr_and_changes_no_number(capsys: pytest.CaptureFixture[str]) -> None:
    loss = voltage_loss(F.LeakyIntegratorParams(tau_mem=20e-3))
    quiet, shown = (fit.minimize(loss, F.LeakyIntegratorParams(30e-3), steps=120, progress=p) for p in (False, True))
    out, err = capsys.readouterr()
    assert out == "" and "120/120  loss " in err and err.count("\n") == 10
    np.testing.assert_array_equal(quiet.losses, shown.losses)


def test_a_terminal_shows_one_line_in_place(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    fit.minimize(lambda p: p.tau_mem**2, F.LIFParams(), steps=120, progress=True)
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and err.count("\r") == 60


def test_double_precision_is_kept(x64: None) -> None:
    params = F.LeakyIntegratorParams(tau_mem=np.float64(30e-3))
    found = fit.minimize(lambda p: (p.tau_mem / 20e-3 - 1.0) ** 2, params, optimizer=optax.sgd(0.25), steps=60, trainable="tau_mem")
    assert found.params.tau_mem.dtype == jnp.float64 and found.losses.dtype == np.float64
    assert found.params.tau_mem == pytest.approx(20e-3, rel=1e-12)
