"""Event-driven LIF networks: spike times and gradients without error but rounding, against independent solutions.

References: recorded networks solved with 34 digits (`event_*`, spike times and gradients), closed forms, a dense search for the first
crossing, a clock-driven simulation with ever shorter steps, and central differences.
"""

from __future__ import annotations

import json
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import require_traces, traces
from jax.flatten_util import ravel_pytree

import snnjax.functional as F
from snnjax.functional._event_crossing import Membrane, first_crossing

ABSENT = "(no traces)"
FILES = [path.stem for path in traces("brian", "event_*")] or [ABSENT]

MS = 1e-3
ROOM, NEURONS = 40, 6

Array = Any


def inputs(*times: float) -> tuple[Array, Array]:
    """Inputs at these times, all on channel 0."""
    return np.array(times), np.zeros(len(times), np.int32)


def spikes_of(run: F.EventRun) -> tuple[np.ndarray, np.ndarray]:
    """Times and neurons of the spikes that there are."""
    return np.asarray(run.times[: run.count]), np.asarray(run.neurons[: run.count])


# --- recorded networks


def load(name: str) -> tuple[Any, dict[str, Any]]:
    """A recorded network, and the arguments that run it, in seconds.

    Filled up with neurons that nobody reaches and inputs that never come: all networks are one program.
    """
    with np.load(require_traces("brian") / f"{name}.npz") as file:
        z = {key: file[key] for key in file.files}
    assert "tau_m V' = -V + I" in json.loads(str(z["meta"]))["model"]
    lif = F.LIFParams(tau_mem=z["tau_m"] * MS, tau_syn=z["tau_s"] * MS, v_th=z["v_th"])
    n = z["W_in"].shape[1]
    more, missing = max(NEURONS - n, 0), max(ROOM - z["t_in"].size, 0)
    return z, {
        "params": F.RefractoryParams(lif, z["t_ref"] * MS) if z["t_ref"] > 0 else lif,
        "times": np.append(z["t_in"] * MS, np.full(missing, np.inf)),
        "channels": np.append(z["ch_in"], np.zeros(missing, int)),
        "weight": np.pad(z["W_in"], ((0, 0), (0, more))),
        "recurrent_weight": np.pad(z["W_rec"], ((0, more), (0, more))),
        "duration": z["T"] * MS,
    }


@jax.jit
def losses_and_gradients(numbers: dict[str, Any], channels: Array, counted: Array) -> Any:
    """The run, the two recorded losses (sum of the counted neurons' spike times, integral of all v), and their gradients."""

    def losses(numbers: dict[str, Any]) -> tuple[Array, F.EventRun]:
        run = F.simulate_events(channels=channels, max_spikes=ROOM, **numbers)
        late = jnp.where((run.neurons >= 0) & counted[run.neurons], run.times, 0.0).sum()
        return jnp.stack([late, run.v_integral.sum()]) / MS, run

    values, pull_back, run = jax.vjp(losses, numbers, has_aux=True)
    return run, values, jax.vmap(pull_back)(jnp.eye(2))[0]


@pytest.mark.parametrize("name", FILES)
def test_recorded_networks_spike_and_learn_as_recorded(name: str, x64: None) -> None:
    z, arguments = load(name)
    n = z["W_in"].shape[1]
    counted = np.isin(np.arange(arguments["weight"].shape[1]), z["outs"])
    run, values, by = losses_and_gradients(arguments, arguments.pop("channels"), counted)
    times, neurons = spikes_of(run)
    assert neurons.tolist() == z["spike_n"].tolist() and run.complete
    np.testing.assert_allclose(times, z["spike_t"] * MS, rtol=0, atol=1e-14)
    np.testing.assert_allclose(run.slopes[: times.size] * MS, z["spike_dVdt"], rtol=1e-10)
    np.testing.assert_allclose(values, z["loss"], rtol=1e-13)

    def agrees(ours: Array, recorded: Array) -> None:
        known = ~np.isnan(recorded)
        np.testing.assert_allclose(
            np.asarray(ours)[known], recorded[known], rtol=1e-11, atol=1e-12 * np.abs(recorded[known]).max(initial=0)
        )

    lif = by["params"] if z["t_ref"] == 0 else by["params"].neuron
    agrees(np.where(z["W_in"] != 0, by["weight"][..., :n], 0.0), z["d_W_in"])  # the derivative by a weight that is absent was not recorded
    agrees(np.where(z["W_rec"] != 0, by["recurrent_weight"][..., :n, :n], 0.0), z["d_W_rec"])
    agrees(by["times"][:, : z["t_in"].size] * MS, z["d_t_in"])
    agrees(jnp.stack([lif.tau_mem * MS, lif.tau_syn * MS, lif.v_th], axis=-1), z["d_params"])
    assert not by["times"][:, z["t_in"].size :].any()


# --- closed forms and other solutions


@pytest.mark.parametrize("v_leak, bias, t_ref", [(0.0, 1.5, 0.0), (-65e-3, 20e-3, 3e-3), (0.9, 0.3, 0.0)])
def test_a_constant_current_gives_the_closed_form_of_the_interval(v_leak: float, bias: float, t_ref: float, x64: None) -> None:
    v_th, v_reset = v_leak + 0.7 * bias, v_leak - 0.1 * bias
    lif = F.LIFParams(tau_mem=20e-3, v_leak=v_leak, bias=bias, v_th=v_th, v_reset=v_reset)
    first = 20e-3 * math.log(1 / 0.3)
    interval = t_ref + 20e-3 * math.log(1.1 / 0.3)
    duration = first + 9.5 * interval
    run = F.simulate_events(F.RefractoryParams(lif, t_ref), *inputs(), np.zeros((1, 1)), duration=duration, max_spikes=10)
    assert run.count == 10 and run.complete
    np.testing.assert_allclose(run.times, first + interval * np.arange(10), rtol=1e-13)


@pytest.mark.parametrize("ratio", [1.0, 1.0 + 1e-9, 2.0])
def test_the_crossing_is_that_of_the_closed_forms_at_special_ratios(ratio: float, x64: None) -> None:
    tau, i = 5e-3, 6.0
    run = F.simulate_events(F.LIFParams(tau_mem=ratio * tau, tau_syn=tau), *inputs(0.0), np.array([[i]]), duration=0.1, max_spikes=5)
    if ratio == 2.0:  # v = i (x - x**2), x = exp(-t / tau_mem)
        expected = -2 * tau * math.log((1 + math.sqrt(1 - 4 / i)) / 2)
    else:  # v = i s exp(-s), s = t / tau: Newton on a well-behaved equation
        s = 0.0
        for _ in range(50):
            s -= (i * s * math.exp(-s) - 1) / (i * (1 - s) * math.exp(-s))
        expected = s * tau
    np.testing.assert_allclose(run.times[0], expected, rtol=1e-13 if ratio in (1.0, 2.0) else 1e-8)


def potential(t: np.ndarray, u: float, i: float, tau_mem: float, tau_syn: float) -> np.ndarray:
    """The membrane at `t`, by the textbook difference of exponentials or its limit, in extended precision."""
    t, u, i, tau_mem, tau_syn = (np.asarray(x, np.longdouble) for x in (t, u, i, tau_mem, tau_syn))
    leak, d = np.exp(-t / tau_mem), 1 / tau_mem - 1 / tau_syn
    grown = t if d == 0 else np.expm1(d * t) / d
    return u * leak + i * leak * grown / tau_mem


def test_no_crossing_is_missed_and_none_is_invented(x64: None) -> None:
    """Random membranes, many of them not monotone, against a dense search: the same first crossing or the same silence."""
    draw, n, horizon = np.random.default_rng(1), 400, 0.05
    tau_mem = 10 ** draw.uniform(-3, -1, n)
    tau_syn = tau_mem * np.where(draw.random(n) < 0.3, 1 + draw.choice([0, 1e-12, -1e-8, 1e-4], n), 10 ** draw.uniform(-2, 2, n))
    threshold = draw.choice([1.0, 0.5, 0.0, -0.3], n)
    u = threshold - 10 ** draw.uniform(-4, 1, n) * draw.choice([0.0, 1.0], n, p=[0.1, 0.9])
    i = draw.normal(0, 1, n) * 10 ** draw.uniform(-1, 2, n) * draw.choice([0.0, 1.0], n, p=[0.05, 0.95])
    found = np.asarray(jax.jit(first_crossing)(Membrane(*map(jnp.asarray, (u, i, threshold, tau_mem, tau_syn))), jnp.float64(horizon)))
    grid = np.unique(np.concatenate([[0.0], np.geomspace(1e-9, horizon, 3000), np.linspace(0, horizon, 3000)]))
    assert 100 < np.isfinite(found).sum() < 300
    for k in range(n):
        above = potential(grid, u[k], i[k], tau_mem[k], tau_syn[k]) > threshold[k]
        assert above.any() == np.isfinite(found[k])
        if above.any():
            first = int(np.argmax(above))
            assert grid[first - 1] <= found[k] <= grid[first]
            assert abs(potential(found[k], u[k], i[k], tau_mem[k], tau_syn[k]) - threshold[k]) < 1e-14 * (1 + abs(i[k]) + abs(u[k]))


@pytest.mark.parametrize("t_ref", [0.0, 2e-3])
def test_a_simulation_on_a_grid_converges_to_the_same_spikes_to_first_order(t_ref: float, x64: None) -> None:
    draw, steps, duration = np.random.default_rng(3), 400, 0.1
    raster = draw.random((steps, 3)) < 0.1
    weight = draw.uniform(0.2, 2.0, (3, 4))
    lif = F.LIFParams(tau_mem=np.array([10e-3, 20e-3, 5e-3, 8e-3]), tau_syn=np.array([5e-3, 6e-3, 5e-3, 12e-3]), v_reset=-0.2)
    params = F.RefractoryParams(lif, t_ref)
    when, channels = np.nonzero(raster)
    exact = F.simulate_events(params, when * (duration / steps), channels, weight, duration=duration, max_spikes=400)
    times, neurons = spikes_of(exact)
    errors = []
    for finer in (4, 16, 64):
        dt = duration / steps / finer
        jumps = np.zeros((steps * finer, 4))
        jumps[::finer] = raster @ weight
        _, spikes = F.simulate(F.lif_refrac, params, jumps, dt=dt)
        late = []
        for n in range(4):
            ends = (np.nonzero(np.asarray(spikes[:, n]))[0] + 1) * dt
            expected = times[(neurons == n) & (times < duration / 2)]
            late.append(ends[: expected.size] - expected)
            assert (late[-1] > -1e-12).all()
        errors.append(np.concatenate(late).mean())
    assert sum(map(len, late)) > 40 and errors[-1] < 5e-5
    orders = np.log(np.array(errors[:-1]) / errors[1:]) / np.log(4)
    assert (np.abs(orders - 1) < 0.15).all(), orders


def test_a_spike_that_only_just_happens_is_found_and_has_a_finite_gradient(x64: None) -> None:
    """At tau_mem = tau_syn one input of weight w lifts v to w / e at its highest: below e nobody spikes."""

    def first(w: Array) -> Array:
        lif = F.LIFParams(tau_mem=10e-3, tau_syn=10e-3)
        run = F.simulate_events(lif, *inputs(0.0), w[None, None], duration=0.1, max_spikes=2)
        return jnp.where(run.count > 0, run.times[0], 0.0)

    both = jax.jit(lambda weights: jax.lax.map(jax.value_and_grad(first), weights))
    above = 10.0 ** -np.arange(1.0, 15.0)
    times, slopes = both(jnp.asarray(math.e * (1 + above)))
    assert (times > 0).all() and (np.diff(times) > 0).all() and times[-1] <= 10e-3
    assert (slopes < 0).all() and np.isfinite(slopes).all()
    # v = w s exp(-s) with s = 1 - x crosses at x = sqrt(2 above), so that the derivative is -tau / (w sqrt(2 above)).
    np.testing.assert_allclose((slopes * math.e * np.sqrt(2 * above) / -10e-3)[4:12], 1.0, rtol=1e-2)
    times, slopes = both(jnp.asarray(math.e * (1 - above)))
    assert not times.any() and not slopes.any()
    assert np.isfinite(both(jnp.full(above.shape, math.e))[1]).all()


# --- gradients


@pytest.mark.parametrize("full", [False, True], ids=["plain", "refractory, recurrent, from a state"])
def test_every_gradient_is_that_of_central_differences(full: bool, x64: None) -> None:
    draw, n, m, k, room = np.random.default_rng(5), 3, 2, 12, 60
    lif = F.LIFParams(
        tau_mem=draw.uniform(8e-3, 20e-3, n),
        tau_syn=np.array([4e-3, 9e-3, 12e-3]),
        v_leak=draw.normal(0, 0.1, n),
        v_th=draw.uniform(0.8, 1.2, n),
        v_reset=draw.uniform(-0.3, 0.1, n),
        bias=draw.uniform(0, 1.2, n),
    )
    numbers: dict[str, Any] = {
        "params": F.RefractoryParams(lif, draw.uniform(1e-3, 4e-3, n)) if full else lif,
        "times": draw.uniform(0, 0.04, k),
        "weight": draw.uniform(-0.3, 3, (m, n)),
        "duration": np.array(0.05),
        "recurrent_weight": draw.normal(0, 0.5, (n, n)) if full else None,
        "state": F.EventState(draw.uniform(-0.2, 0.5, n), draw.uniform(0, 1, n), np.array([1e-3, 2e-3, 4e-3])) if full else None,
    }
    channels, weights = draw.integers(0, m, k), draw.normal(size=(2, room))
    flat, restore = ravel_pytree(numbers)

    def loss(flat: Array) -> Array:
        run = F.simulate_events(channels=channels, max_spikes=room, **restore(flat))
        late = jnp.where(run.neurons >= 0, run.times, 0.0) @ weights[0]
        left = 0.0 if run.state.time_left is None else run.state.time_left.sum()
        ends = (run.state.v * jnp.arange(1.0, 1.0 + n)).sum() + run.state.i.sum()
        return 100 * late + run.slopes @ weights[1] / 100 + 30 * run.v_integral.sum() + ends + 100 * left

    h = 1e-5 * jnp.maximum(jnp.abs(flat), 1e-2)
    at = jax.jit(lambda many: jax.lax.map(loss, many))
    near, far = (at(flat[None] + s * jnp.diag(h)) - at(flat[None] - s * jnp.diag(h)) for s in (1, 2))
    expected, found = (8 * near - far) / (12 * h), jax.jit(jax.grad(loss))(flat)
    assert (np.abs(found) > 1e-9).mean() > 0.9
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7 * np.abs(expected).max())


def test_gradients_exist_backwards_only(x64: None) -> None:
    def count(w: Array) -> Array:
        return F.simulate_events(F.LIFParams(), *inputs(0.0), w, duration=0.1, max_spikes=2).v_integral.sum()

    with pytest.raises(TypeError, match="forward-mode"):
        jax.jvp(count, (jnp.ones((1, 1)),), (jnp.ones((1, 1)),))


def test_what_is_kept_for_the_gradient_grows_with_the_spikes_and_not_with_the_neurons() -> None:
    def kept(room: int, neurons: int) -> int:
        def times(weight: Array) -> Array:
            run = F.simulate_events(F.LIFParams(), jnp.zeros(10), jnp.zeros(10, int), weight, duration=1.0, max_spikes=room)
            return run.times

        weight = jnp.ones((1, neurons))
        leaves = jax.tree.leaves(jax.eval_shape(lambda weight: jax.vjp(times, weight)[1], weight))
        return sum(leaf.size * leaf.dtype.itemsize for leaf in leaves)

    assert kept(3000, 2) > kept(1000, 2)
    for neurons in (2, 2000):
        assert kept(3000, neurons) - kept(1000, neurons) <= 2000 * 24  # time, kind, neuron, slope, and where it is among the spikes
