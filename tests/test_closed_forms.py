"""What a leaky membrane must do, on paper: f-I curves, propagators, trajectories, orders of convergence.

Everything is in float64 unless it says otherwise; the equations are those of Gerstner et al. (2014), Neuronal Dynamics,
section 1.3, and of Rotter & Diesmann (1999), Biological Cybernetics 81, 381-402.
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import require_traces

import snnjax.functional as F

RULES = {"hold": F.hold, "clamp_to_reset": F.clamp_to_reset, "gate_input": F.gate_input}


def raster(neuron: F.Neuron, params: Any, current: np.ndarray, dt: Any, steps: int, state: Any = None) -> jax.Array:
    """The raster under a constant current."""
    return F.simulate(neuron, params, jnp.broadcast_to(current, (steps, *current.shape)), dt=dt, state=state)[1]


def steps_above(v_start: Any, v_inf: Any, v_th: Any, tau: Any, dt: float) -> np.ndarray:
    """The first step whose end is strictly above threshold, where one is not within rounding of it."""
    quotient = tau * np.log((v_inf - v_start) / (v_inf - v_th)) / dt
    assert (np.abs(quotient - np.round(quotient)) > 1e-9 * quotient).all()
    return np.floor(quotient).astype(int) + 1


def grid(*axes: Any) -> list[np.ndarray]:
    return [values.ravel() for values in np.meshgrid(*axes, indexing="ij")]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dt", [1e-3, 0.4e-3, 0.1e-3])
def test_the_interval_between_spikes_is_the_closed_form_s(rule: str, dt: float, x64: None):
    """`n_rise` steps from reset to above threshold, plus `round(t_ref / dt)` blocked ones."""
    drive, tau, t_ref = grid([1.03, 1.4, 2.5, 11.0], [5e-3, 20e-3, 50e-3], [0.0, 2e-3, 5.2e-3])
    v_leak, v_th, v_reset, resistance = -65e-3, -50e-3, -71e-3, 1e8
    current = drive * (v_th - v_leak) / resistance
    params = F.RefractoryParams(F.LeakyParams(tau, resistance, v_leak, v_th, v_reset), t_ref)
    blocked = np.round(t_ref / dt).astype(int)
    gap = v_reset - v_leak
    v_start = v_leak + gap * np.exp(-blocked * dt / tau) if rule == "gate_input" else v_reset
    isi = blocked + steps_above(v_start, v_leak + resistance * current, v_th, tau, dt)
    first = steps_above(v_leak, v_leak + resistance * current, v_th, tau, dt) - 1

    spikes = raster(F.refractory(F.leaky, RULES[rule]), params, current, dt, int(3 * isi.max()))
    for steps, wanted, start in zip(map(np.flatnonzero, np.asarray(spikes).T), isi, first, strict=True):
        assert len(steps) > 2 and steps[0] == start
        np.testing.assert_array_equal(np.diff(steps), wanted)


def test_the_rate_converges_to_the_textbook_s_from_below(x64: None):
    """`0 < ISI - T <= dt`, with T = t_ref + tau ln((v_inf - v_reset)/(v_inf - v_th))."""
    drive, tau = grid([1.1, 2.0, 6.0], [10e-3, 30e-3])
    period = 2e-3 + tau * np.log((drive + 0.5) / (drive - 1.0))
    params = F.RefractoryParams(F.LeakyParams(tau_mem=tau, v_reset=-0.5), t_ref=2e-3)
    dts = 1e-3 / 2.0 ** np.arange(7)
    steps = int(2.5 * period.max() / dts[-1])
    spikes = jax.vmap(lambda dt: raster(F.refractory(F.leaky), params, drive, dt, steps))(dts)
    for dt, trains in zip(dts, np.asarray(spikes), strict=True):
        late = np.array([np.diff(np.flatnonzero(train))[0] for train in trains.T]) * dt - period
        assert (late > 0).all() and (late <= dt).all()
    np.testing.assert_allclose(1.0 / (late + period), 1.0 / period, rtol=1e-3)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@pytest.mark.parametrize("port", ["inputs", "bias"])
def test_a_neuron_is_silent_up_to_rheobase_and_fires_above(dtype: Any, port: str, x64: None):
    """At rheobase the membrane reaches the threshold, up to rounding, and must not pass it."""
    below = 1.0 - 4 * np.asarray(jnp.finfo(dtype).eps)
    tau, drive = (jnp.asarray(values, dtype) for values in grid(np.linspace(3e-3, 30e-3, 91), [0.5, below, 1.0, 1.002]))
    current, bias = (drive, jnp.zeros_like(drive)) if port == "inputs" else (jnp.zeros_like(drive), drive)
    params = F.LeakyParams(tau_mem=tau, resistance=jnp.ones((), dtype), bias=bias)
    _, (spikes, v) = F.simulate(
        F.leaky, params, jnp.broadcast_to(current, (1500, *current.shape)), dt=1e-3, record=lambda state, spikes: (spikes, state.v)
    )
    count, top = np.asarray(spikes.sum(0)).reshape(-1, 4), np.asarray(v.max(0)).reshape(-1, 4)
    assert not count[:, :3].any() and (count[:, 3] > 0).all()
    assert (top[:, 2] > 1.0 - 1e-5).all() and (top[:, 2] <= 1.0).all()
    at_threshold, held = F.simulate(F.leaky, F.LeakyParams(bias=1.0), jnp.zeros((9, 1), dtype), dt=1e-3, state=F.LeakyState(1.0))
    assert at_threshold.v == 1.0 and not held.any()


@pytest.mark.parametrize("dt_ms", [0.1, 0.01])
def test_intervals_are_those_of_brian(dt_ms: float, x64: None):
    """Brian freezes one step less than its refractory period has, and none where it has none or one. It began at reset."""
    curve = np.load(require_traces("brian") / "fi_curve.npz")
    tag = f"dt0p{'1' if dt_ms == 0.1 else '01'}"
    period = np.round(curve["t_ref"] / dt_ms)
    t_ref = np.maximum(period - 1, 0) * dt_ms * 1e-3
    membrane = F.LeakyParams(
        tau_mem=curve["tau"] * 1e-3, v_leak=curve["v_rest"] * 1e-3, v_th=curve["v_th"] * 1e-3, v_reset=curve["v_reset"] * 1e-3
    )
    isi, first = curve[f"isi_steps_{tag}"], curve[f"first_spike_step_{tag}"]
    state = F.RefractoryState(F.LeakyState(membrane.v_reset), 0)
    params = F.RefractoryParams(membrane, t_ref)
    spikes = raster(F.refractory(F.leaky), params, curve["RI"] * 1e-3, dt_ms * 1e-3, int(2.5 * isi.max()), state)
    fires = np.isfinite(curve["T_ms"])
    np.testing.assert_array_equal(np.asarray(spikes).any(0), fires)
    # One of Brian's runs ended between the first spike and the second.
    assert (isi[fires] > 0).sum() >= fires.sum() - 1 >= 25 and not fires.all()
    for k in np.flatnonzero(fires):
        steps = np.flatnonzero(spikes[:, k])
        assert steps[0] == first[k]
        np.testing.assert_array_equal(np.diff(steps), isi[k] if isi[k] > 0 else curve[f"isi_steps_predicted_{tag}"][k])


# Measured: 4.5e-16 and 2.7e-7, the latter with `dt` and `tau` rounded to float32.
@pytest.mark.parametrize(("dtype", "rtol"), [(jnp.float64, 1e-15), (jnp.float32, 4e-7)])
def test_the_exact_propagator_has_the_digits_of_its_dtype(dtype: Any, rtol: float, x64: None):
    """120 points, `tau_syn == tau_mem` and distances down to 1e-12 among them, known to 60 digits."""
    known = np.load(require_traces("brian") / "propagators.npz")
    dt, tau_mem, tau_syn = (jnp.asarray(known[name], dtype) for name in ("h", "tau_m", "tau_s"))
    assert (tau_mem == tau_syn).sum() >= 12
    for value, name in (
        (F.exact.decay(dt, tau_syn), "P11"),
        (F.exact.decay(dt, tau_mem), "P22"),
        (F.exact.gain(dt, tau_mem), "one_minus_P22"),
        (F.exact.coupling(dt, tau_mem, tau_syn), "P21"),
    ):
        assert value.dtype == dtype
        np.testing.assert_allclose(np.asarray(value, np.float64), known[name], rtol=rtol, err_msg=name)


def precise_coupling(dt: Decimal, tau_mem: Decimal, tau_syn: Decimal) -> Decimal:
    tau_syn += (tau_syn == tau_mem) * tau_syn * Decimal("1e-60")
    return tau_syn / (tau_mem - tau_syn) * ((-dt / tau_mem).exp() - (-dt / tau_syn).exp())


def precise_gradient(*point: float) -> list[float]:
    """Central differences with 160 digits: 60 of them are right."""
    with localcontext(prec=160):
        exact = [Decimal(float(number)) for number in point]
        shifts = [[number * Decimal("1e-30") * (k == axis) for k, number in enumerate(exact)] for axis in range(3)]
        up, down = ([precise_coupling(*(p + sign * s for p, s in zip(exact, shift, strict=True))) for shift in shifts] for sign in (1, -1))
        return [float((u - d) / (2 * shift[k])) for k, (u, d, shift) in enumerate(zip(up, down, shifts, strict=True))]


@pytest.mark.parametrize(("dtype", "rtol"), [(jnp.float64, 3e-15), (jnp.float32, 1.5e-6)])
@pytest.mark.parametrize("derivative", [jax.jacfwd, jax.jacrev])
def test_the_coupling_s_derivatives_are_right_at_and_around_equal_time_constants(derivative: Any, dtype: Any, rtol: float, x64: None):
    """With respect to `dt`, `tau_mem` and `tau_syn`; in units of coupling / argument, as they pass through zero."""
    distances = np.concatenate([[0.0], 10.0 ** np.arange(-12, 0), -(10.0 ** np.arange(-12, 0))])
    dt, tau_mem, distance = grid([1e-5, 1e-4, 1e-3, 5e-3, 20e-3, 100e-3], [5e-3, 20e-3], distances)
    points = np.stack([dt, tau_mem, tau_mem * (1.0 + distance)]).astype(dtype)
    known = np.array([precise_gradient(*point) for point in points.T]).T
    value = np.asarray(F.exact.coupling(*points), np.float64)
    found = jax.jit(jax.vmap(derivative(F.exact.coupling, (0, 1, 2))))(*jnp.asarray(points))
    assert all(slope.dtype == dtype for slope in found)
    # The relative error of exp(-x) is x roundings. Measured with this scale: 1.4e-15 and 7.5e-7.
    scale = value / points * (1.0 + dt / tau_mem)
    np.testing.assert_allclose(np.asarray(found, np.float64) / scale, known / scale, rtol=0, atol=rtol)


def test_the_coupling_is_smooth_through_equal_time_constants(x64: None):
    """Its second derivative at equality, which Newton's method sees, is that of the limit."""
    dt, tau = 2e-3, 8e-3
    x = dt / tau
    curvature = jax.grad(jax.grad(F.exact.coupling, 2), 2)(dt, tau, tau)
    # c(tau_syn) = x e^-x q(d) with q = 1 - d/2 + d^2/6 and d = dt/tau_syn - dt/tau.
    np.testing.assert_allclose(curvature, x * np.exp(-x) * (x**2 / 3 - x) / tau**2, rtol=1e-12)


@pytest.mark.parametrize("dtype", [jnp.float64, jnp.float32])
def test_the_propagator_and_its_derivatives_are_finite_from_tiny_to_huge_steps(dtype: Any, x64: None):
    """dt/tau from 1e-6 to 1e4, every pair of them."""
    dt = jnp.asarray(1e-3, dtype)
    tau_mem, tau_syn = (jnp.asarray(1e-3 / values, dtype) for values in grid(*2 * [np.logspace(-6, 4, 31)]))
    for function, taus in ((F.exact.decay, (tau_mem,)), (F.exact.gain, (tau_mem,)), (F.exact.coupling, (tau_mem, tau_syn))):
        axes = (None, *(0 for _ in taus))
        arguments = tuple(range(len(axes)))
        value, slopes = jax.jit(jax.vmap(jax.value_and_grad(function, arguments), axes))(dt, *taus)
        assert ((value >= 0) & (value <= 1)).all()
        assert all(jnp.isfinite(slope).all() for slope in slopes)


def response(rate: complex, t: float, tau_mem: float = 20e-3, tau_syn: float = 5e-3) -> complex:
    """v(t) from rest, of `di/dt = -i/tau_syn + exp(rate t)` per second."""
    driven, syn, mem = np.exp(rate * t), np.exp(-t / tau_syn), np.exp(-t / tau_mem)
    return ((driven - mem) / (1.0 + rate * tau_mem) - (syn - mem) / (1.0 - tau_mem / tau_syn)) / (rate + 1.0 / tau_syn)


INTEGRATORS = {integrator.name: integrator for integrator in (F.exact, F.exponential_euler, F.euler)}
END, HALVINGS = 50e-3, 1e-3 / 2.0 ** np.arange(1, 8)
GRIDS = [np.arange(round(END / dt)) * dt for dt in HALVINGS]


def end_potentials(integrator: str, drives: list[np.ndarray]) -> np.ndarray:
    """v at the end of each of the `GRIDS`, driven by jumps on it."""
    longest = len(GRIDS[-1])
    inputs = np.stack([np.pad(drive, (0, longest - len(drive))) for drive in drives])
    config = F.SpikingConfig(integrator=INTEGRATORS[integrator])

    def run(dt: jax.Array, drive: jax.Array) -> tuple[jax.Array, jax.Array]:
        params = F.LIFParams(tau_mem=20e-3, tau_syn=5e-3, v_th=10.0)
        return F.simulate(F.lif, params, drive, dt=dt, config=config, record=lambda state, spikes: (state.v, spikes))[1]

    v, spikes = jax.vmap(run)(HALVINGS, inputs)
    assert not spikes.any()
    return np.array([trace[len(times) - 1] for trace, times in zip(v, GRIDS, strict=True)])


def order(errors: np.ndarray) -> float:
    """The slope of log error against log dt, where `dt` halves from one to the next."""
    return float(np.polyfit(-np.arange(len(errors)), np.log2(np.abs(errors)), 1)[0])


@pytest.mark.parametrize(("integrator", "expected"), [("exact", 2.0), ("exponential_euler", 1.0), ("euler", 1.0)])
def test_the_order_of_convergence_under_a_smooth_drive(integrator: str, expected: float, x64: None):
    """A 47 Hz sine for 50 ms, sampled as jumps.

    With the exact integrator what is left is the error of the sampling: the rectangle rule of the convolution with a
    kernel that is 0 at 0, so the trapezoidal rule where the drive starts at 0, too.
    """
    omega = 2 * np.pi * 47.0
    errors = (
        end_potentials(integrator, [dt * np.sin(omega * t) for dt, t in zip(HALVINGS, GRIDS, strict=True)]) - response(1j * omega, END).imag
    )
    assert np.abs(errors).min() > 1e-12
    assert order(errors) == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("integrator", INTEGRATORS)
def test_jumps_on_the_grid_are_exact_with_the_exact_integrator_and_first_order_with_the_others(integrator: str, x64: None):
    jumps = {0.0: 0.4, 11e-3: -0.2, 20e-3: 0.7, 42e-3: 0.3}
    drives = [np.zeros_like(times) for times in GRIDS]
    for dt, drive in zip(HALVINGS, drives, strict=True):
        for t, jump in jumps.items():
            drive[round(t / dt)] = jump
    kernel = {t: 5e-3 / 15e-3 * (np.exp((t - END) / 20e-3) - np.exp((t - END) / 5e-3)) for t in jumps}
    errors = end_potentials(integrator, drives) - sum(jump * kernel[t] for t, jump in jumps.items())
    if integrator == "exact":
        assert np.abs(errors).max() < 1e-13
    else:
        assert np.abs(errors).min() > 1e-7
        assert order(errors) == pytest.approx(1.0, abs=0.1)


def test_the_response_to_one_jump_is_the_closed_form_s_at_every_step(x64: None):
    """Steps of 1 ms to 0.12 us for 10 ms, `tau_syn` below, at, next to and above `tau_mem`."""
    tau_mem, tau_syn = 20e-3, np.array([5e-3, 20e-3, 20e-3 * (1 + 1e-9), 50e-3])
    dts = 1e-3 * 2.0 ** -np.arange(14)
    inputs = jnp.zeros((10 * 2**13, 4)).at[0].set(1.0)
    params = F.LIFParams(tau_mem, tau_syn, v_th=10.0)
    run = jax.vmap(lambda dt: F.simulate(F.lif, params, inputs, dt=dt, record=lambda state, spikes: state)[1])
    for dt, *found in zip(dts, *map(np.asarray, run(dts)), strict=True):
        n = np.arange(1, round(10e-3 / dt) + 1)[:, None]
        distance = n * dt / tau_syn * ((tau_mem - tau_syn) / tau_mem)
        mean_decay = np.where(distance == 0, 1.0, -np.expm1(-distance) / np.where(distance == 0, 1.0, distance))
        # The factor exp(-dt/tau) is rounded once and applied n times: at 10 ms in 81920 steps that is 2e-12, in any
        # method that multiplies by it. Up to 900 steps 1e-13 is all that is left.
        allowed = np.maximum(1e-13, n * 2.0**-53)
        v, i = (values[: len(n)] for values in found)
        assert (np.abs(i - np.exp(-n * dt / tau_syn)) <= allowed).all()
        assert (np.abs(v - n * dt / tau_mem * np.exp(-n * dt / tau_mem) * mean_decay) <= allowed).all()
