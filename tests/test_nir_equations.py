"""Every neuron of NIR against an independent integration of its equations, and every other node against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from nir_reference import integrate, parameters

from snnjax import functional as F
from snnjax import graph
from snnjax.interop import nir

package = pytest.importorskip("nir", reason='needs the extra: pip install "snnjax[nir]"')
pytestmark = pytest.mark.usefixtures("x64")

DT, N = 1e-3, 6
NEURONS = ("I", "IF", "LI", "LIF", "CubaLI", "CubaLIF")


def signal(n: int = N, steps: int = 80) -> np.ndarray:
    """Spikes, and now and then a larger or negative one."""
    rng = np.random.default_rng(1)
    return (rng.random((steps, n)) < 0.4) * rng.choice([1.0, 1.0, 2.5, -1.0], (steps, n)) * 3.0


def one(node: Any) -> Any:
    return package.NIRGraph.from_list(node)


def run(made: Any, inputs: np.ndarray, **options: Any) -> np.ndarray:
    g, _ = nir.from_nir(made, **{"dt": DT, **options})
    return np.asarray(graph.build(g, dt=options.get("dt", DT)).simulate(inputs, dt=options.get("dt", DT))[1])


@pytest.mark.parametrize("kind", NEURONS)
def test_a_neuron_follows_its_equations_exactly(kind: str) -> None:
    p = parameters(kind, N)
    out = run(one(getattr(package, kind)(**p)), signal())
    wanted = integrate(kind, p, signal(), DT, substeps=40)
    np.testing.assert_allclose(out, wanted, rtol=0, atol=2e-9)
    assert np.abs(wanted).sum() > 20 and len({tuple(column) for column in wanted.T}) == N


@pytest.mark.parametrize("kind", NEURONS)
def test_with_euler_a_neuron_is_the_explicit_euler_step_of_its_equations(kind: str) -> None:
    p = parameters(kind, N, seed=3)
    out = run(one(getattr(package, kind)(**p)), signal(), integrator=F.euler)
    np.testing.assert_allclose(out, integrate(kind, p, signal(), DT, substeps=1, euler=True), rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", NEURONS)
def test_a_resistance_of_any_sign_counts(kind: str) -> None:
    p = parameters(kind, N, seed=4)
    p["r"][:3] = -p["r"][:3]
    p["r"][3] = 0.0
    out = run(one(getattr(package, kind)(**p)), signal())
    np.testing.assert_allclose(out, integrate(kind, p, signal(), DT, substeps=40), rtol=0, atol=2e-9)


@pytest.mark.parametrize("integrator", [F.exact, F.exponential_euler, F.euler], ids=lambda it: it.name)
def test_a_synapse_that_jumps_lets_the_input_act_in_its_own_step(integrator: F.Integrator) -> None:
    """What Norse, snnTorch and others do: the current takes in the input, then v sees the current."""
    p = parameters("CubaLIF", N, seed=5)
    decay = 1 - DT / p["tau_syn"] if integrator is F.euler else np.exp(-DT / p["tau_syn"])
    leak = 1 - DT / p["tau_mem"] if integrator is F.euler else np.exp(-DT / p["tau_mem"])
    if integrator is F.exact:
        with np.errstate(invalid="ignore"):
            c = (leak - decay) / (1 - p["tau_syn"] / p["tau_mem"]) * p["tau_syn"] / p["tau_mem"]
        c[0] = DT / p["tau_mem"][0] * leak[0]  # the limit of equal time constants
    else:
        c = 1 - leak
    i, v, wanted = np.zeros(N), p["v_leak"].copy(), []
    for s in signal():
        j = i + (1 - decay) * p["w_in"] * s
        v = p["v_leak"] + leak * (v - p["v_leak"]) + c * p["r"] * j
        spikes = v > p["v_threshold"]
        v, i = np.where(spikes, p["v_reset"], v), decay * j
        wanted.append(spikes)
    out = run(one(package.CubaLIF(**p)), signal(), integrator=integrator, synapse="jump")
    np.testing.assert_array_equal(out, wanted)
    assert out.sum() > 20


def test_a_held_synapse_under_euler_is_the_jumping_one_a_step_later() -> None:
    made = one(package.CubaLIF(**parameters("CubaLIF", N)))
    held, jump = (run(made, signal(), integrator=F.euler, synapse=synapse) for synapse in ("held", "jump"))
    rest = run(made, 0 * signal()[:1], integrator=F.euler)
    np.testing.assert_array_equal(held[1:], jump[:-1])
    np.testing.assert_array_equal(held[:1], rest)


def test_reset_by_subtraction_takes_off_what_the_reset_is_below_the_threshold() -> None:
    p = parameters("LIF", N)
    v, wanted = p["v_leak"].copy(), []
    a = np.exp(-DT / p["tau"])
    for s in signal():
        v = p["v_leak"] + (v - p["v_leak"]) * a + p["r"] * s * (1 - a)
        spikes = v > p["v_threshold"]
        v = v - spikes * (p["v_threshold"] - p["v_reset"])
        wanted.append(spikes)
    out = run(one(package.LIF(**p)), signal(), reset=F.reset_by_subtraction)
    np.testing.assert_array_equal(out, wanted)
    assert not np.array_equal(out, run(one(package.LIF(**p)), signal()))


@pytest.mark.parametrize("kind", NEURONS)
@pytest.mark.parametrize("time_unit", ["ms", "steps", 0.01])
def test_the_unit_of_time_is_that_of_all_times(kind: str, time_unit: Any) -> None:
    """`r` of I and IF is a potential per time."""
    unit = {"ms": 1e-3, "steps": DT}.get(time_unit, time_unit)
    p = parameters(kind, N)
    other = {name: value / unit if name.startswith("tau") else value for name, value in p.items()}
    if kind in ("I", "IF"):
        other["r"] = p["r"] * unit
    out = run(one(getattr(package, kind)(**other)), signal(), time_unit=time_unit)
    np.testing.assert_allclose(out, run(one(getattr(package, kind)(**p)), signal()), rtol=0, atol=1e-9)


def test_integrate_and_fire_per_step_adds_its_input_exactly() -> None:
    """Sinabs writes r = 1 and means `v += x` per step."""
    made = one(package.IF(r=np.ones(1), v_threshold=np.array([2.5])))
    with np.testing.assert_raises(AssertionError):
        np.testing.assert_array_equal(run(made, np.ones((9, 1))).ravel(), [0, 0, 1] * 3)
    np.testing.assert_array_equal(run(made, np.ones((9, 1)), time_unit="steps").ravel(), [0, 0, 1] * 3)


def test_the_other_nodes_do_what_they_say() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(5, 3))
    w, b, s = rng.normal(size=(2, 3)), rng.normal(size=2), rng.normal(size=3)
    np.testing.assert_allclose(run(one(package.Linear(w)), x), x @ w.T, atol=1e-12)
    np.testing.assert_allclose(run(one(package.Affine(w, b)), x), x @ w.T + b, atol=1e-12)
    np.testing.assert_allclose(run(one(package.Scale(s)), x), x * s, atol=1e-12)
    np.testing.assert_array_equal(run(one(package.Threshold(s)), np.vstack([x, s])), np.vstack([x, s]) > s)
    late = run(one(package.Delay(np.array([0.0, DT, 2 * DT]))), x)
    np.testing.assert_array_equal(late[:, 0], x[:, 0])
    np.testing.assert_array_equal(late[1:, 1], x[:-1, 1])
    np.testing.assert_array_equal(late[2:, 2], x[:-2, 2])


def convolved(x: np.ndarray, w: np.ndarray, b: np.ndarray, stride: int, before: int, after: int, dilation: int, groups: int) -> np.ndarray:
    """Two spatial axes, one step."""
    x = np.pad(x, ((0, 0), (before, after), (before, after)))
    reach = dilation * (w.shape[-1] - 1) + 1
    size = (x.shape[-1] - reach) // stride + 1
    out = np.zeros((w.shape[0], size, size))
    per_in, per_out = w.shape[1], w.shape[0] // groups
    for o in range(w.shape[0]):
        part = x[o // per_out * per_in :][:per_in]
        for r in range(size):
            for c in range(size):
                window = part[:, r * stride : r * stride + reach : dilation, c * stride : c * stride + reach : dilation]
                out[o, r, c] = (window * w[o]).sum() + b[o]
    return out


@pytest.mark.parametrize(
    ("padding", "before", "after", "stride", "dilation", "groups", "k"),
    [
        (0, 0, 0, 1, 1, 1, 3),
        ("valid", 0, 0, 2, 1, 2, 3),
        ("same", 1, 2, 1, 1, 1, 4),
        ((2, 2), 2, 2, 2, 2, 1, 3),
        ("same", 2, 2, 1, 2, 2, 3),
    ],
)
def test_convolutions_and_pools(padding: Any, before: int, after: int, stride: int, dilation: int, groups: int, k: int) -> None:
    rng = np.random.default_rng(0)
    x, w, b = rng.normal(size=(2, 2, 12, 12)), rng.normal(size=(4, 2 // groups, k, k)), rng.normal(size=4)
    conv = package.Conv2d(input_shape=(12, 12), weight=w, stride=stride, padding=padding, dilation=dilation, groups=groups, bias=b)
    pools = [
        getattr(package, kind)(kernel_size=np.array([2, 2]), stride=np.array([1, 2]), padding=np.array([1, 0]))
        for kind in ("SumPool2d", "AvgPool2d")
    ]
    nodes = {"in": package.Input(np.array([2, 12, 12])), "conv": conv, "sum": pools[0], "average": pools[1]}
    nodes |= {"flat": package.Flatten(None, 0, -1), "out": package.Output(None)}
    names = list(nodes)
    made = package.NIRGraph(nodes, list(zip(names[:-1], names[1:], strict=True)), type_check=False)
    y = np.stack([convolved(it, w, b, stride, before, after, dilation, groups) for it in x])

    def windows(y: np.ndarray) -> np.ndarray:
        y = np.pad(y, ((0, 0), (0, 0), (1, 1), (0, 0)))
        rows, columns = y.shape[2] - 1, (y.shape[3] - 2) // 2 + 1
        return np.stack(
            [np.stack([y[:, :, r : r + 2, 2 * c : 2 * c + 2].sum((2, 3)) for c in range(columns)], -1) for r in range(rows)], -2
        )

    np.testing.assert_allclose(run(made, x), (windows(windows(y)) / 4).reshape(2, -1), atol=1e-10)


def test_convolution_over_one_axis() -> None:
    rng = np.random.default_rng(0)
    x, w, b = rng.normal(size=(3, 2, 9)), rng.normal(size=(4, 2, 3)), rng.normal(size=4)
    conv = package.Conv1d(input_shape=9, weight=w, stride=2, padding=1, dilation=1, groups=1, bias=b)
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1)))
    wanted = np.stack([np.einsum("tik,oik->to", padded[:, :, 2 * c : 2 * c + 3], w) for c in range(5)], -1) + b[:, None]
    np.testing.assert_allclose(run(one(conv), x), wanted, atol=1e-12)


def test_a_cycle_has_a_delay_of_one_step_and_the_report_says_where() -> None:
    p = parameters("LIF", 3)
    w = np.random.default_rng(0).normal(size=(3, 3))
    nodes = {"in": package.Input(np.array([3])), "n": package.LIF(**p), "w": package.Linear(w), "out": package.Output(np.array([3]))}
    made = package.NIRGraph(nodes, [("in", "n"), ("n", "w"), ("w", "n"), ("n", "out")])
    x, a = signal(3), np.exp(-DT / p["tau"])
    v, z, wanted = p["v_leak"].copy(), np.zeros(3), []
    for s in x:
        v = p["v_leak"] + (v - p["v_leak"]) * a + p["r"] * (s + w @ z) * (1 - a)
        z = (v > p["v_threshold"]).astype(float)
        v = np.where(z > 0, p["v_reset"], v)
        wanted.append(z)
    np.testing.assert_array_equal(run(made, x), wanted)
    assert "n: What comes from 'w' arrives one step later: the edge closes a cycle." in nir.from_nir(made, dt=DT)[1].notes
