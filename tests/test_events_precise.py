"""Spike times inside a step: against closed forms, roots found otherwise, recorded events, and finite differences."""

from __future__ import annotations

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import scipy.special
from conftest import require_traces

import snnjax.functional as F
from snnjax import events
from snnjax.events._root import as_root

in_double = pytest.mark.usefixtures("x64")
EXTREMES = [-1e30, -1e3, -1.0, -1e-12, 0.0, 1e-12, 0.999999, 1.0, 1.0000001, 1e3, 1e30]


def potential(t: Any, v: float, i: float, v_inf: float, tau_mem: float, tau_syn: float) -> Any:
    """The textbook solution, for unequal time constants."""
    b = -i * tau_syn / (tau_mem - tau_syn)
    return v_inf + (v - v_inf - b) * np.exp(-t / tau_mem) + b * np.exp(-t / tau_syn)


def first_crossing(v: float, i: float, v_inf: float, v_th: float, tau_mem: float, tau_syn: float, dt: float) -> float:
    """By brute force: the first sign change on a fine grid, then Brent's method."""
    t = np.linspace(0.0, dt, 20_001)
    above = potential(t, v, i, v_inf, tau_mem, tau_syn) > v_th
    if v > v_th or not above.any():
        return np.inf
    k = int(np.argmax(above))
    return scipy.optimize.brentq(lambda t: potential(t, v, i, v_inf, tau_mem, tau_syn) - v_th, t[k - 1], t[k], xtol=1e-18)


@in_double
def test_held_current_gives_the_first_spike_of_the_f_i_curve() -> None:
    for drive, tau in itertools.product((12e-3, 15e-3, 20e-3, 30e-3), (10e-3, 20e-3, 50e-3)):
        found = events.spike_time_held(-65e-3, v_inf=-65e-3 + drive, v_th=-55e-3, tau_mem=tau)
        assert abs(found - tau * np.log(drive / (drive - 10e-3))) < 1e-15
    assert abs(events.spike_time_held(-65e-3, v_inf=-50e-3, v_th=-55e-3, tau_mem=20e-3) - 21.9722457733622e-3) < 1e-16


def test_held_current_gives_infinity_where_the_threshold_is_out_of_reach() -> None:
    found = events.spike_time_held(jnp.array([0.0, 0.0, 1.5, 1.0]), v_inf=jnp.array([1.0, 0.5, 2.0, 2.0]), v_th=1.0, tau_mem=0.02)
    assert found.tolist() == [np.inf, np.inf, np.inf, 0.0]


@in_double
@pytest.mark.parametrize("v_inf", [0.0, 0.6, 1.0, 1.5])
def test_a_decaying_current_with_tau_mem_twice_tau_syn_gives_the_quadratic_solution(v_inf: float) -> None:
    for v, i in itertools.product((-1.0, 0.0, 0.9), (0.5, 2.0, 4.0, 9.0, 100.0)):
        v0, gap = v - v_inf, 1.0 - v_inf
        a2, inner = v0 + i, (v0 + i) ** 2 - 4 * i * gap
        x = (a2 + np.sqrt(inner)) / (2 * i) if inner > 0 else np.nan
        expected = -20e-3 * np.log(x) if 0 < x < 1 else np.inf
        found = events.spike_time_decaying(v, i, v_inf=v_inf, v_th=1.0, tau_mem=20e-3, tau_syn=10e-3, dt=1.0)
        assert found == expected or abs(found - expected) < 1e-14


@in_double
@pytest.mark.parametrize("v_inf", [0.0, 0.6, 1.0, 1.5])
def test_a_decaying_current_with_equal_time_constants_gives_the_lambert_solution(v_inf: float) -> None:
    for v, i in itertools.product((-1.0, 0.0, 0.9), (0.5, 2.0, 4.0, 9.0, 100.0)):
        v0, gap = v - v_inf, 1.0 - v_inf
        argument = -(gap / i) * np.exp(-v0 / i)
        u = -v0 / i - scipy.special.lambertw(argument).real if argument > -1 / np.e else np.nan
        expected = 20e-3 * u if u > 0 else np.inf
        found = events.spike_time_decaying(v, i, v_inf=v_inf, v_th=1.0, tau_mem=20e-3, tau_syn=20e-3, dt=10.0)
        assert found == expected or abs(found - expected) < 1e-13


@in_double
@pytest.mark.parametrize("tau_syn", [1e-3, 4e-3, 19.9e-3, 33e-3, 200e-3])
def test_any_ratio_of_time_constants_gives_the_root_of_the_textbook_solution(tau_syn: float) -> None:
    rng = np.random.default_rng(0)
    n, found_some = 60, 0
    v, i, v_inf = rng.uniform(-2.0, 1.0, n), rng.choice([-1, 1], n) * rng.exponential(5.0, n), rng.choice([0.0, 0.9, 1.3], n)
    dt = rng.choice([1e-3, 20e-3, 300e-3], n)
    found = np.asarray(jax.jit(events.spike_time_decaying)(v, i, v_inf=v_inf, v_th=1.0, tau_mem=20e-3, tau_syn=tau_syn, dt=dt))
    for k in range(n):
        expected = first_crossing(v[k], i[k], v_inf[k], 1.0, 20e-3, tau_syn, dt[k])
        assert found[k] == expected or abs(found[k] - expected) < 1e-12
        found_some += np.isfinite(expected)
    assert 5 < found_some < n - 5


@in_double
def test_a_crossing_up_and_down_inside_a_step_is_not_missed() -> None:
    v, i, dt = 0.95, 2.0, 20e-3
    assert potential(dt, v, i, 0.0, 10e-3, 2e-3) < 1.0
    found = events.spike_time_decaying(v, i, v_inf=0.0, v_th=1.0, tau_mem=10e-3, tau_syn=2e-3, dt=dt)
    assert abs(found - first_crossing(v, i, 0.0, 1.0, 10e-3, 2e-3, dt)) < 1e-14
    assert events.spike_time_decaying(v, 1.2, v_inf=0.0, v_th=1.0, tau_mem=10e-3, tau_syn=2e-3, dt=dt) == np.inf


@in_double
@pytest.mark.parametrize("tau_syn", [1e-3, 19e-3, 20e-3, 21e-3, 90e-3])
@pytest.mark.parametrize("v", [-0.1, 0.0, 0.3])
def test_the_potential_is_looked_at_where_it_is_highest(tau_syn: float, v: float) -> None:
    """A threshold a little below the peak is reached, one a little above it is not."""

    def below(t: float) -> float:
        return -(v * np.exp(-t / 20e-3) + 4.0 * float(F.exact.coupling(t, 20e-3, tau_syn)))

    peak = -scipy.optimize.minimize_scalar(below, bounds=(0.0, 0.2), method="bounded", options={"xatol": 1e-12}).fun
    arguments = {"v_inf": 0.0, "tau_mem": 20e-3, "tau_syn": tau_syn, "dt": 1.0}
    found = events.spike_time_decaying(v, 4.0, v_th=jnp.array([peak - 1e-9, peak + 1e-9]), **arguments)
    assert abs(-below(float(found[0])) - (peak - 1e-9)) < 1e-14 and found[1] == np.inf


@in_double
def test_an_inhibitory_current_delays_the_crossing_of_a_driven_membrane() -> None:
    time = [events.spike_time_decaying(0.5, i, v_inf=1.5, v_th=1.0, tau_mem=20e-3, tau_syn=5e-3, dt=1.0) for i in (-5.0, -1.0, 0.0)]
    assert time[0] > time[1] > time[2]
    assert abs(time[2] - events.spike_time_held(0.5, v_inf=1.5, v_th=1.0, tau_mem=20e-3)) < 1e-15


@in_double
def test_resistance_multiplies_the_current_alone() -> None:
    arguments = {"v_inf": 0.0, "v_th": 1.0, "tau_mem": 20e-3, "tau_syn": 7e-3, "dt": 0.1}
    assert events.spike_time_decaying(0.1, 2e-9, resistance=5e9, **arguments) == events.spike_time_decaying(0.1, 10.0, **arguments)


DERIVATIVES = {
    "held": (events.spike_time_held, {"v": -0.3, "v_inf": 1.7, "v_th": 1.0, "tau_mem": 20e-3}),
    "decaying": (
        events.spike_time_decaying,
        {"v": 0.1, "i": 7.0, "v_inf": 0.2, "v_th": 1.0, "tau_mem": 20e-3, "tau_syn": 6e-3, "dt": 30e-3, "resistance": 1.3},
    ),
    "equal": (
        events.spike_time_decaying,
        {"v": 0.1, "i": 7.0, "v_inf": 0.2, "v_th": 1.0, "tau_mem": 20e-3, "tau_syn": 20e-3, "dt": 30e-3, "resistance": 1.0},
    ),
    "linear": (events.spike_time_linear, {"v_before": 0.4, "v_after": 1.3, "v_th": 1.0, "dt": 1e-3}),
    "cubic": (
        events.spike_time_cubic,
        {"v_before": 0.4, "v_after": 1.3, "slope_before": 1100.0, "slope_after": 600.0, "v_th": 1.0, "dt": 1e-3},
    ),
}
every_form = pytest.mark.parametrize("form", DERIVATIVES)


@in_double
@every_form
def test_derivatives_are_those_of_finite_differences(form: str) -> None:
    function, arguments = DERIVATIVES[form]
    slopes = jax.grad(lambda arguments: function(**arguments))(arguments)
    for name, value in arguments.items():
        step = 1e-5 * abs(value)
        moved = [function(**{**arguments, name: value + sign * step}) for sign in (1, -1)]
        expected = float(moved[0] - moved[1]) / (2 * step)
        # How far to look does not matter to what is found; in an interpolation it is the length of the step.
        assert abs(slopes[name] - expected) < 1e-7 * abs(expected) + 1e-12, name
    assert form not in ("decaying", "equal") or slopes["dt"] == 0.0


@in_double
@every_form
def test_second_derivatives_and_forward_mode_are_right_too(form: str) -> None:
    function, arguments = DERIVATIVES[form]
    name = next(iter(arguments))
    value = arguments[name]

    def time(x: Any) -> Any:
        return function(**{**arguments, name: x})

    step = 1e-4
    expected = (jax.grad(time)(value + step) - jax.grad(time)(value - step)) / (2 * step)
    assert abs(jax.grad(jax.grad(time))(value) - expected) < 1e-5 * abs(expected)
    assert abs(jax.jacfwd(time)(value) - jax.grad(time)(value)) < 1e-12


@every_form
def test_derivatives_are_finite_everywhere(form: str) -> None:
    """Also at the threshold, without a crossing, without a current, and for numbers of any size, in float32."""
    function, arguments = DERIVATIVES[form]
    names = [name for name in arguments if not name.startswith(("tau", "dt", "resistance"))]
    rng = np.random.default_rng(0)
    rows = [rng.choice(EXTREMES, len(names)) for _ in range(4000)] + list(itertools.product([0.0, 1.0, 2.0], repeat=len(names)))[:500]
    table = dict(zip(names, jnp.asarray(np.array(rows), jnp.float32).T, strict=True))
    rest = {name: jnp.float32(value) for name, value in arguments.items() if name not in names}

    def total(table: Any, rest: Any) -> Any:
        time = jax.vmap(lambda row: function(**row, **rest))(table)
        return jnp.where(jnp.isfinite(time), time, 0.0).sum()

    for name, slope in jax.jit(jax.grad(total))(table, rest).items():
        assert jnp.isfinite(slope).all(), name
    each = jax.jit(jax.vmap(lambda row: jax.grad(lambda rest: function(**row, **rest))(rest)))(table)
    assert all(jnp.isfinite(slope).all() for slope in each.values())


def test_a_root_where_the_function_is_flat_has_no_gradient() -> None:
    assert jax.grad(lambda p: as_root(lambda t, p: t**3 - p, jnp.zeros(()), (p,)))(0.0) == 0.0
    assert abs(jax.grad(lambda p: as_root(lambda t, p: t**3 - p, jnp.ones(()), (p,)))(1.0) - 1 / 3) < 1e-6


@every_form
def test_spike_times_are_pure_under_jit_and_vmap(form: str) -> None:
    function, arguments = DERIVATIVES[form]
    name, value = next(iter(arguments.items()))
    values = value + jnp.linspace(-0.2, 0.2, 7)

    def time(x: Any) -> Any:
        return function(**{**arguments, name: x})

    assert np.allclose(jax.jit(jax.vmap(time))(values), jnp.stack([time(x) for x in values]), rtol=1e-6)
    assert np.allclose(jax.jit(time)(values), jax.vmap(time)(values), rtol=1e-6)


@in_double
@pytest.mark.parametrize(("kind", "order"), [("linear", 2), ("cubic", 4)])
def test_interpolation_converges_with_its_order(kind: str, order: int) -> None:
    i, tau_mem, tau_syn = 8.0, 20e-3, 6e-3
    exact = first_crossing(0.0, i, 0.0, 1.0, tau_mem, tau_syn, 10e-3)
    errors, steps = [], np.array([2e-3, 1e-3, 0.5e-3, 0.25e-3])
    for dt in steps:
        inside = np.linspace(0.05, 0.95, 31) * dt
        ends = exact - inside + np.array([0.0, dt])[:, None]
        v = potential(ends, 0.0, i, 0.0, tau_mem, tau_syn)
        slopes = (i * np.exp(-ends / tau_syn) - v) / tau_mem
        more = {"slope_before": slopes[0], "slope_after": slopes[1]} if kind == "cubic" else {}
        function = events.spike_time_cubic if kind == "cubic" else events.spike_time_linear
        errors.append(np.abs(np.asarray(function(v[0], v[1], v_th=1.0, dt=dt, **more)) - inside).max())
    assert abs(np.polyfit(np.log(steps), np.log(errors), 1)[0] - order) < 0.15


@in_double
def test_the_closed_form_makes_a_simulation_on_a_grid_exact() -> None:
    """A leaky neuron under a constant current: the first spike of every step length is at the same time."""
    params = F.LeakyParams(tau_mem=20e-3)
    for dt in (1e-3, 3e-3, 10e-3):
        _, (v, spikes) = F.simulate(F.leaky, params, jnp.full((40, 1), 1.5), dt=dt, record=lambda state, spikes: (state.v, spikes))
        k = int(spikes[:, 0].argmax())
        start = jnp.concatenate([jnp.zeros((1, 1)), v[:-1]])
        inside = events.spike_time_held(start[k], v_inf=1.5, v_th=params.v_th, tau_mem=params.tau_mem)
        assert 0 < inside[0] <= dt and abs(k * dt + inside[0] - 20e-3 * np.log(3.0)) < 1e-12


def recorded(name: str) -> dict[str, np.ndarray]:
    with np.load(require_traces("brian") / f"{name}.npz", allow_pickle=False) as file:
        return {key: file[key] for key in file}


@in_double
@pytest.mark.parametrize("name", ["event_single", "event_single_tm2ts", "event_single_tmeqts"])
def test_recorded_events_of_a_neuron_are_replayed_with_their_gradients(name: str) -> None:
    """From event to event; 34-digit arithmetic gave the times and the gradients of their sum. Milliseconds."""
    trace = recorded(name)
    assert not trace["W_rec"].any() and trace["t_ref"] == 0
    kinds = np.concatenate([np.zeros(len(trace["t_in"]), int), np.ones(len(trace["spike_t"]), int)])
    order = np.argsort(np.concatenate([trace["t_in"], trace["spike_t"]]), kind="stable")
    index = np.concatenate([np.arange(len(trace["t_in"])), np.zeros(len(trace["spike_t"]), int)])[order]
    kinds = kinds[order]

    def times(parameters: Any, weights: Any, arrivals: Any) -> Any:
        tau_mem, tau_syn, v_th = parameters
        jumps = weights[trace["ch_in"], 0]

        def step(state: Any, event: Any) -> Any:
            now, v, i = state
            is_spike, k = event
            ahead = events.spike_time_decaying(v, i, v_inf=0.0, v_th=v_th, tau_mem=tau_mem, tau_syn=tau_syn, dt=float(trace["T"]))
            wait = jnp.where(is_spike == 1, ahead, arrivals[k] - now)
            early = (is_spike == 0) & (ahead < wait)  # a spike that was not recorded
            v = v * jnp.exp(-wait / tau_mem) + i * F.exact.coupling(wait, tau_mem, tau_syn)
            i = i * jnp.exp(-wait / tau_syn) + jnp.where(is_spike == 1, 0.0, jumps[k])
            return (now + wait, jnp.where(is_spike == 1, 0.0, v), i), (now + wait, early)

        return jax.lax.scan(step, (0.0, 0.0, 0.0), (kinds, index))[1]

    arguments = (jnp.stack([trace["tau_m"], trace["tau_s"], trace["v_th"]]), jnp.asarray(trace["W_in"]), jnp.asarray(trace["t_in"]))
    at, early = jax.jit(times)(*arguments)
    assert not early.any()
    assert np.abs(np.asarray(at)[kinds == 1] - trace["spike_t"]).max() < 1e-9  # ms
    slopes = jax.jit(jax.grad(lambda *a: jnp.sum(jnp.where(kinds == 1, times(*a)[0], 0.0)), (0, 1, 2)))(*arguments)
    for found, expected in zip(slopes, (trace["d_params"][0], trace["d_W_in"][0], trace["d_t_in"][0]), strict=True):
        known = np.isfinite(expected)
        assert np.abs(np.asarray(found) - expected)[known].max() < 1e-7 * np.abs(expected[known]).max()
