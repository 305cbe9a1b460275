"""An adaptation current on paper: the pair's propagator, periods, impedance, and what goes on while the membrane is held."""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import snnjax.functional as F

DT = 1e-3
# tau_mem, tau_w, g_w: relaxing; ringing; equal eigenvalues; equal time constants; unstable; stiff both ways; both exponentials count.
PAIRS = {
    "spike-triggered": (20e-3, 100e-3, 0.0),
    "equal time constants": (20e-3, 20e-3, 0.0),
    "relaxing": (20e-3, 300e-3, 0.4),
    "ringing": (5e-3, 40e-3, 3.0),
    "ringing fast": (2e-4, 3e-4, 5.0),
    "equal eigenvalues": (10e-3, 30e-3, (1 / 10e-3 - 1 / 30e-3) ** 2 * 10e-3 * 30e-3 / 4),
    "amplifying": (30e-3, 200e-3, -0.1),
    "stiff membrane": (1e-6, 100e-3, 0.7),
    "stiff adaptation": (100e-3, 1e-6, 0.7),
    "slow": (100.0, 1000.0, 0.2),
    "of the order of a step": (3e-4, 3e-3, 0.1),
}
every_pair = pytest.mark.parametrize("pair", PAIRS)


def step_matrix(tau_mem: float, tau_w: float, g_w: float, resistance: float, drive: float, dt: float) -> np.ndarray:
    """`(v, w, 1) -> (dv, dw, 0)` over `dt`."""
    return dt * np.array([[-1 / tau_mem, -resistance / tau_mem, drive / tau_mem], [g_w / tau_w, -1 / tau_w, 0.0], [0.0, 0.0, 0.0]])


def one_step(pair: str, integrator: F.Integrator, dtype: Any = jnp.float64, resistance: float = 1.0) -> np.ndarray:
    tau_mem, tau_w, g_w = PAIRS[pair]
    params = F.AdaptiveCurrentLeakyParams(tau_mem, resistance, v_th=9e9, tau_w=tau_w, g_w=g_w / resistance, bias=0.1)
    start = F.AdaptiveCurrentLeakyState(jnp.asarray(0.4, dtype), jnp.asarray(0.25, dtype))
    config = F.SpikingConfig(integrator=integrator)
    state, _ = jax.jit(F.adaptive_current_leaky.step)(params, start, 0.5, dt=DT, config=config)
    assert state.v.dtype == dtype
    return np.asarray(state, np.float64)


def precise(point: list[Decimal]) -> np.ndarray:
    """v and w after one step: a Taylor series, squared 16 times."""
    tau_mem, tau_w, g_w, resistance, drive, v, w = point
    rows = [[-1 / tau_mem, -resistance / tau_mem, resistance * drive / tau_mem], [g_w / tau_w, -1 / tau_w, Decimal(0)], [Decimal(0)] * 3]
    matrix = np.array(rows) * Decimal(DT) / 2**16
    term = total = np.array([[Decimal(int(i == j)) for j in range(3)] for i in range(3)])
    for k in range(1, 40):
        term = term @ matrix / k
        total = total + term
    for _ in range(16):
        total = total @ total
    return (total @ [v, w, Decimal(1)])[:2]


def precise_step(*point: float) -> np.ndarray:
    """With 80 digits."""
    with localcontext(prec=80):
        return precise([Decimal(float(number)) for number in point]).astype(float)


def precise_derivatives(*point: float) -> np.ndarray:
    """Times the number that they are by: central differences, with 20 digits that are right."""
    with localcontext(prec=80):
        at = [Decimal(float(number)) for number in point]
        shift = Decimal("1e-20")
        ends = [[precise([n * (1 + sign * shift * (k == axis)) for k, n in enumerate(at)]) for sign in (1, -1)] for axis in range(7)]
        return np.array([(up - down) / (2 * shift) for up, down in ends]).astype(float).T


# Measured, in units of the larger of the result and one volt per ohm: 6e-17 and 8e-8.
@pytest.mark.parametrize(("dtype", "atol"), [(jnp.float64, 2e-16), (jnp.float32, 2e-7)])
@every_pair
def test_a_step_is_the_matrix_exponential_of_both_equations(pair: str, dtype: Any, atol: float, x64: None) -> None:
    tau_mem, tau_w, g_w = PAIRS[pair]
    for resistance in (1.0, 50.0):
        expected = precise_step(tau_mem, tau_w, g_w / resistance, resistance, 0.5 + 0.1, 0.4, 0.25)
        scale = np.maximum(np.abs(expected), [resistance, 1.0])
        np.testing.assert_allclose(one_step(pair, F.exact, dtype, resistance) / scale, expected / scale, rtol=0, atol=atol)


@pytest.mark.parametrize("pair", ["relaxing", "ringing", "equal eigenvalues", "amplifying"])
def test_a_runge_kutta_step_is_the_exponential_up_to_its_fourth_power(pair: str, x64: None) -> None:
    matrix = step_matrix(*PAIRS[pair], 1.0, 0.6, DT)
    term = total = np.array([0.4, 0.25, 1.0])
    for k in range(1, 5):
        term = matrix @ term / k
        total = total + term
    np.testing.assert_allclose(one_step(pair, F.rk4), total[:2], rtol=1e-14)
    euler = np.array([0.4, 0.25]) + (matrix @ [0.4, 0.25, 1.0])[:2]
    np.testing.assert_allclose(one_step(pair, F.euler), euler, rtol=1e-14)


@pytest.mark.parametrize(("integrator", "order"), [(F.euler, 1.0), (F.exponential_euler, 1.0), (F.rk4, 4.0)], ids=["e", "ee", "rk4"])
@pytest.mark.parametrize("pair", ["relaxing", "ringing"])
def test_the_order_of_convergence(pair: str, integrator: F.Integrator, order: float, x64: None) -> None:
    tau_mem, tau_w, g_w = PAIRS[pair]
    params = F.AdaptiveCurrentLeakyParams(tau_mem, tau_w=tau_w, g_w=g_w, v_th=9.0)

    def end(parts: int, integrator: F.Integrator) -> np.ndarray:
        config = F.SpikingConfig(integrator=integrator)
        state, _ = F.simulate(F.adaptive_current_leaky, params, jnp.full((20 * parts, 1), 0.5), dt=DT / parts, config=config)
        return np.ravel(state)

    errors = [np.abs(end(parts, integrator) - end(1, F.exact)).max() for parts in (2, 4, 8)]
    np.testing.assert_allclose(np.log2(np.divide(errors[:-1], errors[1:]))[-1], order, atol=0.15)


@pytest.mark.parametrize(("g_w", "order"), [(0.0, None), (0.6, 2.0)])
def test_behind_a_synapse_a_step_is_exact_without_g_w_and_second_order_with_it(g_w: float, order: float | None, x64: None) -> None:
    neuron = F.synapses(F.adaptive_current_leaky, 1)
    params = neuron.default(neuron=F.AdaptiveCurrentLeakyParams(g_w=g_w, tau_w=30e-3, v_th=9.0), tau_syn=jnp.array([4e-3]))

    def end(parts: int) -> np.ndarray:
        inputs = jnp.zeros((20 * parts, 1, 1)).at[0].set(1.0)
        return np.ravel(F.simulate(neuron, params, inputs, dt=DT / parts)[0].neuron)

    ends = [end(parts) for parts in (1, 2, 4, 8)]
    errors = [np.abs(a - b).max() for a, b in zip(ends[:-1], ends[1:], strict=True)]
    if order is None:
        assert max(errors) < 1e-15
    else:
        np.testing.assert_allclose(np.log2(np.divide(errors[:-1], errors[1:])), order, atol=0.1)


def test_derivatives_are_those_of_the_matrix_exponential(x64: None) -> None:
    """By every parameter and the state, for all pairs; at equal eigenvalues too, where those have none."""

    def ours(numbers: jax.Array) -> jax.Array:
        tau_mem, tau_w, g_w, resistance, drive, v, w = numbers
        params = F.AdaptiveCurrentLeakyParams(tau_mem, resistance, v_th=99.0, tau_w=tau_w, g_w=g_w, delta_w=0.0)
        state, _ = F.adaptive_current_leaky.step(params, F.AdaptiveCurrentLeakyState(v, w), drive, dt=DT)
        return jnp.stack(state)

    numbers = np.array([[*pair[:2], pair[2] / 1.3, 1.3, 0.6, 0.4, 0.25] for pair in PAIRS.values()])
    known = np.array([precise_derivatives(*point) for point in numbers])
    for derivative in (jax.jacfwd, jax.jacrev):
        found = jax.jit(jax.vmap(derivative(ours)))(jnp.asarray(numbers)) * numbers[:, None]
        np.testing.assert_allclose(found, known, rtol=0, atol=1e-14)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_a_step_and_its_derivatives_are_finite_from_tiny_to_huge_steps(dtype: Any, x64: None) -> None:
    axes = [10.0 ** np.arange(-6.0, 5.0), 10.0 ** np.arange(-6.0, 5.0), [0.0, 1e-6, 0.3, 30.0, 1e4]]
    fast, slow, g_w = (jnp.asarray(values.ravel(), dtype) for values in np.meshgrid(*axes, indexing="ij"))

    def potential(dt: jax.Array, tau_mem: jax.Array, tau_w: jax.Array, g_w: jax.Array) -> jax.Array:
        params = F.AdaptiveCurrentLeakyParams(tau_mem, v_th=9e9, tau_w=tau_w, g_w=g_w)
        state = F.AdaptiveCurrentLeakyState(jnp.asarray(0.4, dtype), jnp.asarray(0.25, dtype))
        return sum(jax.tree.leaves(F.adaptive_current_leaky.step(params, state, 0.5, dt=dt)[0]))

    dt = jnp.asarray(DT, dtype)
    values, slopes = jax.jit(jax.vmap(jax.value_and_grad(potential, (0, 1, 2, 3)), (None, 0, 0, 0)))(dt, dt / fast, dt / slow, g_w)
    assert jnp.isfinite(values).all()
    assert all(jnp.isfinite(slope).all() for slope in slopes)


def test_the_interval_under_spike_triggered_adaptation_is_the_closed_form_s(x64: None) -> None:
    """Periodic firing: w after a spike is delta_w / (1 - exp(-T/tau_w)), and v passes the threshold after T, not a step before."""
    tau, tau_w, delta_w, current = (
        axis.ravel() for axis in np.meshgrid([8e-3, 30e-3], [50e-3, 30e-3, 7e-3], [0.05, 0.4], [1.3, 3.1], indexing="ij")
    )

    def late(n: np.ndarray, w: np.ndarray) -> np.ndarray:
        """v after n steps from reset."""
        t = n * DT
        apart = np.where(tau == tau_w, 1.0, tau - tau_w)
        coupling = np.where(tau == tau_w, t / tau * np.exp(-t / tau), tau_w / apart * (np.exp(-t / tau) - np.exp(-t / tau_w)))
        return -current * np.expm1(-t / tau) - w * coupling

    params = F.AdaptiveCurrentLeakyParams(tau_mem=tau, tau_w=tau_w, delta_w=delta_w)
    inputs = jnp.broadcast_to(current, (6000, len(tau)))
    spikes, w = F.simulate(F.adaptive_current_leaky, params, inputs, dt=DT, record=lambda state, spikes: (spikes, state.w))[1]
    settled = 0
    for k in range(len(tau)):
        steps = np.flatnonzero(np.asarray(spikes)[:, k])
        n = np.diff(steps)[-20:]
        if (n != n[0]).any():  # between two numbers of steps: it alternates
            continue
        after = np.full(len(tau), delta_w[k] / -np.expm1(-n[0] * DT / tau_w[k]))
        np.testing.assert_allclose(w[steps[-1], k], after[k], rtol=1e-6)
        assert late(np.full(len(tau), n[0]), after)[k] > 1.0 >= late(np.full(len(tau), n[0] - 1), after)[k]
        settled += 1
    assert settled >= 15


def test_the_response_to_a_sine_is_the_impedance_s(x64: None) -> None:
    """Z = R (1 + i omega tau_w) / ((1 + i omega tau_mem)(1 + i omega tau_w) + R g_w): with g_w a frequency is preferred."""
    dt, frequencies = 0.1e-3, np.array([1.0, 5.0, 15.0, 60.0])
    tau_mem, tau_w, g_w, resistance = 10e-3, 80e-3, 1.5, 2.0
    t = dt * np.arange(20000)[:, None]
    current = 0.1 * np.sin(2 * np.pi * frequencies * (t + dt / 2))
    params = F.AdaptiveCurrentLeakyParams(tau_mem, resistance, v_th=9.0, tau_w=tau_w, g_w=g_w)
    v = np.asarray(F.simulate(F.adaptive_current_leaky, params, current, dt=dt, record=lambda state, spikes: state.v)[1])[10000:]
    rate = 2j * np.pi * frequencies
    impedance = resistance * (1 + rate * tau_w) / ((1 + rate * tau_mem) * (1 + rate * tau_w) + resistance * g_w)
    expected = 0.1 * (impedance * np.exp(rate * (t[10000:] + dt))).imag
    np.testing.assert_allclose(v, expected, rtol=0, atol=2e-5)
    assert np.abs(impedance).argmax() == 2


@pytest.mark.parametrize("wrap", [lambda n: n, F.recurrent, lambda n: F.synapses(n, 1)], ids=["alone", "recurrent", "synapses"])
@pytest.mark.parametrize("rule", [F.hold, F.clamp_to_reset], ids=lambda rule: rule.name)
def test_while_the_membrane_is_held_the_adaptation_sees_it_where_it_is(rule: F.Rule, wrap: Any, x64: None) -> None:
    """w relaxes to g_w (v_reset - v_leak), from the jump of the spike."""
    neuron = F.refractory(wrap(F.adaptive_current_leaky), rule)
    inner = F.AdaptiveCurrentLeakyParams(v_reset=-0.6, tau_w=30e-3, g_w=0.5, delta_w=0.2)
    inside = neuron.default().neuron
    inside = inside._replace(weight=jnp.zeros((1, 1))) if "weight" in inside._fields else inside
    params = F.RefractoryParams(F.with_core(inside, inner), t_ref=20e-3)
    inputs = jnp.full((20, *neuron.ports, 1), 40.0)
    states = F.simulate(neuron, params, inputs, dt=DT, record=lambda state, spikes: F.core(state))[1]
    v, w = states.v[:, 0], states.w[:, 0]
    np.testing.assert_array_equal(v, -0.6)
    decay = np.exp(-DT * np.arange(20) / 30e-3)
    np.testing.assert_allclose(w, -0.3 + (w[0] + 0.3) * decay, rtol=1e-13)


def test_a_gated_membrane_leaks_on_and_takes_the_adaptation_along(x64: None) -> None:
    params = F.RefractoryParams(F.AdaptiveCurrentLeakyParams(v_reset=-0.6, tau_w=30e-3, g_w=0.5), t_ref=9e-3)
    start = F.RefractoryState(F.AdaptiveCurrentLeakyState(jnp.array([-0.6]), jnp.array([0.3])), jnp.array([9]))
    neuron = F.refractory(F.adaptive_current_leaky, F.gate_input)
    gated, _ = F.simulate(neuron, params, jnp.full((9, 1), 40.0), dt=DT, state=start)
    free, _ = F.simulate(F.adaptive_current_leaky, params.neuron, jnp.zeros((9, 1)), dt=DT, state=start.neuron)
    np.testing.assert_allclose(np.ravel(gated.neuron), np.ravel(free), rtol=1e-14)
