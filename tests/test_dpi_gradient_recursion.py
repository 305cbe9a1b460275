"""The DPI neuron, every gate, sub-step and surrogate: the gradient is the reverse recursion, of `dpi_gradient_reference`.

There is no choice of reset: it is detached, and attached in the step of DynapSim, which also brings its own surrogate.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from dpi_gradient_reference import Kind, Seen, reverse, step
from gradient_reference import BUMPS

import snnjax.functional as F

DT, STEPS, EACH = 2.0**-10, 60, 8
N = EACH * len(BUMPS)
IO, GATES = 5e-13, F.Gates._fields
SLOPES = dict(zip(BUMPS, (2.0, 1.0, 0.25, 1.0, 1.5, 0.5, 0.2, 1.0), strict=True))
KINDS = {
    "combined": Kind(),
    "combined, 2 substeps": Kind(substeps=2),
    "gates": Kind(GATES),
    "gates the other way, 2 substeps": Kind(GATES, substeps=2, shunting=("gaba",)),
    "dynapsim": Kind(dynapsim=True),
}


def every_surrogate(x: jax.Array, scale: Any) -> jax.Array:
    """The library's surrogates, one on each stretch of neurons."""
    made = [F.heaviside() if name == "heaviside" else getattr(F, name)(SLOPES[name]) for name in BUMPS]
    parts = [x[..., k * EACH : (k + 1) * EACH] for k in range(len(made))]
    return jnp.concatenate([spike(part, scale) for spike, part in zip(made, parts, strict=True)], axis=-1)


def every_bump(over: np.ndarray) -> np.ndarray:
    """Their derivatives."""
    parts = [over[:, k * EACH : (k + 1) * EACH] for k in range(len(BUMPS))]
    return np.concatenate([bump(SLOPES[name] * part) for (name, bump), part in zip(BUMPS.items(), parts, strict=True)], axis=-1)


def config_of(kind: Kind) -> F.DPIConfig:
    if kind.dynapsim:
        return F.DPIConfig.dynapsim()
    gaba, shunt = (F.shunting if gate in kind.shunting else F.subtractive for gate in ("gaba", "shunt"))
    return F.DPIConfig(every_surrogate, kind.substeps, gaba, shunt)


#: Where a default is not in the middle of what is interesting.
RANGES = {
    "Idc": (1e-13, 4e-12), "If_nmda": (1e-12, 1e-10), "Ispkthr": (2e-11, 5e-10), "Iw_ahp": (2e-9, 4e-8), "Iref": (4e-10, 2e-9),
    "Iscale": (1e-9, 3e-9), "kappa_n": (0.7, 0.8), "kappa_p": (0.6, 0.7), "Ut": (0.024, 0.027), "Io": (4e-13, 6e-13),
}  # fmt: skip
#: DynapSim's `1 - exp(-t_pulse/tau)` loses the digits of pulses that are short against `tau`, as they are by default.
LONG_PULSES = {"Ipulse": (2e-10, 4e-10), "Ipulse_ahp": (1e-10, 2e-10), "Iscale": (2e-11, 6e-11), "Iw_ahp": (2e-12, 1e-11)}
PER_GATE = ("Igain_syn", "Itau_syn", "Ipulse", "C_syn")
FIRST_LEFT = np.tile([0, 0, 0, 2], N // 4).astype(np.int32)


def problem(kind: Kind) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Parameters, inputs and first state, and the weights of the loss; all of them are float32 numbers."""
    rng = np.random.default_rng(5)

    def uniform(low: float, high: float, *shape: int) -> np.ndarray:
        return np.float32(rng.uniform(low, high, shape)).astype(np.float64)

    defaults = {**F.BiasCurrents()._asdict(), **F.Process()._asdict(), "Iscale": F.DynapseParams().Iscale}
    ranges = {name: (0.7 * value, 1.4 * value) for name, value in defaults.items()} | RANGES | (LONG_PULSES if kind.dynapsim else {})
    p = {name: uniform(*ranges[name], N) for name in ranges if not (kind.gates and name in PER_GATE)}
    p |= {f"{name}.{gate}": uniform(*ranges[name], N) for name in PER_GATE for gate in kind.gates}
    p["Itau_mem"][1::EACH] /= 16  # below the dark current
    # As much charge through a shunt as through an exciting synapse would silence every neuron.
    high = {f"inputs.{gate}": 0.05 if gate in kind.shunting else 0.5 for gate in ("gaba", "shunt")} | {"inputs.ampa": 2.0}
    low = 0.0 if kind.gates else -0.2
    given = {name: uniform(low, high.get(name, 1.0), STEPS, N) * (rng.random((STEPS, N)) < 0.4) for name in kind.inputs}
    given |= {f"first {name}": np.float32(uniform(1.0, 20.0, N) * p["Io"]).astype(float) for name in ("imem", *kind.synapses, "iahp")}
    given["first imem"][::EACH] = p["Io"][::EACH]  # at rest
    given |= {"first vmem": uniform(0.0, 0.1, N), "first spikes": uniform(0.0, 1.0, N)}
    units = {"imem": 1e9, "iahp": 1e11, "vmem": 4.0, "spikes": 1.0 if not kind.dynapsim else 1e9} | dict.fromkeys(kind.synapses, 1e9)
    return p, given, {name: np.float32(units[name] * uniform(-1.0, 1.0, STEPS, N)).astype(float) for name in kind.state}


def read(given: dict[str, Any], name: str) -> Any:
    """One value, or one per gate."""
    gates = {gate: given[f"{name}.{gate}"] for gate in GATES if f"{name}.{gate}" in given}
    return F.Gates(**gates) if gates else given[name]


def differentiated(kind: Kind, dtype: Any) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], np.ndarray]:
    """The library's gradient, its states after each step, and the refractory steps then left."""
    p, arrays, on = problem(kind)

    def loss(given: dict[str, Any]) -> Any:
        bias, process = (record(**{name: read(given, name) for name in record._fields}) for record in (F.BiasCurrents, F.Process))
        first = [read(given, f"first {name}") for name in F.DynapseState._fields[:-1]]
        _, states = F.simulate(
            F.dynapse_dpi, F.DynapseParams(bias, process, given["Iscale"]), read(given, "inputs"), dt=DT, config=config_of(kind),
            state=F.DynapseState(*first, steps_left=jnp.asarray(FIRST_LEFT)), record=lambda state, spikes: state._replace(spikes=spikes),
        )  # fmt: skip
        after = states._asdict() | {f"isyn.{gate}": getattr(states.isyn, gate) for gate in kind.gates}
        return sum((on[name].astype(dtype) * after[name]).sum() for name in kind.state), after

    gradient, after = jax.jit(jax.grad(loss, has_aux=True))({key: value.astype(dtype) for key, value in (p | arrays).items()})
    states = {name: np.asarray(after[name], float) for name in kind.state}
    return {key: np.asarray(leaf, float) for key, leaf in gradient.items()}, states, np.asarray(after["steps_left"])


def by_hand(kind: Kind, states: dict[str, np.ndarray], left: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], np.ndarray]:
    """The recursion's gradient; the reference's states after each step, and its `imem` before the reset."""
    p, arrays, on = problem(kind)
    starts = {name: np.vstack([arrays[f"first {name}"][None], states[name][:-1]]) for name in kind.state}
    inputs = {name: value for name, value in arrays.items() if name.startswith("inputs")}
    seen = Seen(np.vstack([FIRST_LEFT[None], left[:-1]]) > 0, states["spikes"], every_bump)
    after, before = (step(kind, {**p, **starts, **inputs}, DT, seen._replace(spikes=s)) for s in (seen.spikes, 0 * seen.spikes))
    hand = reverse(kind, p, starts, inputs, seen, on, dt=DT)
    return hand, {name: np.real(value) for name, value in after.items()}, np.real(before["imem"])


def errors(ours: np.ndarray, theirs: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Per surrogate, relative to the largest `size`; what is zero by design is zero."""
    ours, theirs, size = (leaf.reshape(-1, len(BUMPS), EACH) for leaf in (ours, theirs, size))
    scale = size.max(axis=(0, 2), keepdims=True)
    return np.where(scale > 0, np.abs(ours - theirs) / np.where(scale > 0, scale, 1.0), np.abs(ours)).max(axis=(0, 2))


def largest_term_of_Io(kind: Kind, hand: dict[str, np.ndarray]) -> np.ndarray:
    """Every current I counts in units of `Io`, so that the derivative by `Io` contains `-(I/Io) dL/dI`: the largest of these."""
    p, arrays, _ = problem(kind)
    currents = {name: value for name, value in (p | arrays).items() if name.startswith(("I", "first i")) and name != "Io"}
    return np.max([np.abs(value * hand[name]) / p["Io"] for name, value in currents.items()], axis=0)


def check_the_run(kind: Kind, states: dict[str, np.ndarray], after: dict[str, np.ndarray], before: np.ndarray, left: np.ndarray) -> None:
    """It is that of the equations."""
    p, _, _ = problem(kind)
    fired = states["spikes"] > 0
    for name in set(kind.state) - {"spikes"}:
        np.testing.assert_allclose(after[name], states[name], rtol=1e-12, atol=1e-14 if name == "vmem" else 0, err_msg=name)
    over, steps = np.log(before / p["Ispkthr"]), p["Vth"] * p["C_ref"] / p["Iref"] / DT
    np.testing.assert_array_equal(states["spikes"], np.maximum(np.ceil(over), 0) if kind.dynapsim else over > 0)
    steps = np.ceil(steps - 1e-3) if kind.dynapsim else np.round(steps)  # 1e-3 is for what rounding adds to a whole number
    np.testing.assert_array_equal(left[fired], np.broadcast_to(steps, left.shape)[fired])


def check(name: str, dtype: Any, tolerance: float) -> None:
    kind = KINDS[name]
    gradient, states, left = differentiated(kind, dtype)
    fired = states["spikes"] > 0
    assert fired.sum(0).reshape(-1, EACH).sum(-1).min() >= 20 and fired.mean() < 0.5, "every surrogate spikes"
    hand, after, before = by_hand(kind, states, left)
    if dtype is np.float64:
        check_the_run(kind, states, after, before, left)
    assert set(gradient) == set(hand)
    nothing = {"C_ref", "Iref"} | ({"Ispkthr"} if kind.dynapsim else {"first vmem", "first spikes"})
    assert {key for key, leaf in hand.items() if not leaf.any()} == nothing | (set() if kind.gates else {"If_nmda"})
    for key, ours in gradient.items():
        cancels = key == "Io" and dtype is np.float32
        error = errors(ours, hand[key], np.abs(hand[key]))
        worst = list(BUMPS)[int(error.argmax())]
        assert error.max() < (3 if cancels else 1) * tolerance, f"{name}: d/d {key} is off by {error.max():.1e} with {worst}"
    assert errors(gradient["Io"], hand["Io"], largest_term_of_Io(kind, hand)).max() < tolerance / 2


def kinds(*quick: str) -> pytest.MarkDecorator:
    """All of them; those that are not named are long."""
    return pytest.mark.parametrize("name", [pytest.param(name, marks=() if name in quick else pytest.mark.long) for name in KINDS])


@kinds("combined", "gates the other way, 2 substeps", "dynapsim")  # every part of a step occurs in them
def test_the_gradient_is_the_reverse_recursion_in_float64(name: str, x64: None) -> None:
    check(name, np.float64, 1e-12)


@kinds("combined")
def test_the_gradient_is_the_reverse_recursion_in_float32(name: str) -> None:
    # But for `Io`, whose largest term is 4 to 22 times what is left of all (`dynapsim`: up to 6), and as exact as anything else.
    check(name, np.float32, 1e-5)


def test_nothing_is_missing() -> None:
    assert {field.name for field in dataclasses.fields(F.DPIConfig)} == {"spike", "substeps", "gaba", "shunt", "dynamics"}, "no reset"
    assert F.BiasCurrents._fields + F.Process._fields + ("Iscale",) == tuple(problem(KINDS["combined"])[0])
    first, default = F.superspike(SLOPES["superspike"]), F.DPIConfig().spike
    assert jax.tree.leaves(first) == jax.tree.leaves(default) and jax.tree.structure(first) == jax.tree.structure(default)
