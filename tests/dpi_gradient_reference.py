"""Gradients of whole runs of the DPI neuron by a reverse recursion in float64 NumPy, from the equations and not from the library.

A step is written below in amperes, for complex numbers: the imaginary part, tiny, carries a derivative, which is exact to rounding
where a function is analytic (Squire & Trapp 1998, SIAM Review 40, 110-112). Where it is not, the rule is said: a spike has the
derivative of its surrogate, a maximum that of the larger argument, and the mean of both at a tie. So a step has a Jacobian, and the
reverse recursion is the product of those of all steps, from the last to the first; it is fed with the run's own states and spikes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray
Numbers = Mapping[str, Array]
H = 1e-30


class Kind(NamedTuple):
    """What a run is made of.

    Attributes:
        gates: the synaptic gates; none is the one combined synapse.
        substeps: of the membrane, in one step.
        shunting: the gates that add to the leak; other inhibitory ones subtract from the input.
        dynapsim: the step of Rockpool's DynapSim.
    """

    gates: tuple[str, ...] = ()
    substeps: int = 1
    shunting: tuple[str, ...] = ("shunt",)
    dynapsim: bool = False

    @property
    def synapses(self) -> tuple[str, ...]:
        """The names of the synaptic currents in the state."""
        return tuple(f"isyn.{gate}" for gate in self.gates) or ("isyn",)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of what arrives at them."""
        return tuple(name.replace("isyn", "inputs") for name in self.synapses)

    @property
    def state(self) -> tuple[str, ...]:
        """The names of all that evolves, but for the count of refractory steps."""
        return ("imem", *self.synapses, "iahp", "vmem", "spikes")


class Seen(NamedTuple):
    """What is known of a run, `(T, N)`: which steps were blocked, what was emitted; and the surrogate's derivative."""

    blocked: Array
    spikes: Array
    bump: Callable[[Array], Array]


def step(kind: Kind, q: Numbers, dt: float, seen: Seen) -> dict[str, Array]:
    """What a step makes of the state, the inputs and the parameters in `q`: the state after it."""
    return (_dynapsim if kind.dynapsim else _paper)(kind, q, dt, seen)


def reverse(kind: Kind, p: Numbers, starts: Numbers, inputs: Numbers, seen: Seen, on: Numbers, *, dt: float) -> dict[str, Array]:
    """Derivatives of `L = sum(on[name] * name)` over the names of the state, by parameters, inputs and the first state.

    Args:
        kind: of the run.
        p: parameters, `(N,)`.
        starts: the state at the start of each step, `(T, N)`.
        inputs: by name, `(T, N)`.
        seen: what the run did.
        on: the weights in the loss of the state after each step, `(T, N)`.
        dt: length of a step, s.
    """
    q = {**p, **starts, **inputs}

    def column(name: str) -> dict[str, Array]:
        return {out: made.imag / H for out, made in step(kind, {**q, name: q[name] + 1j * H}, dt, seen).items()}

    jacobian = {name: column(name) for name in q}
    found = {name: np.zeros_like(value) for name, value in {**p, **inputs}.items()}
    bar = {name: np.zeros_like(starts[name][0]) for name in kind.state}
    for t in reversed(range(len(seen.spikes))):
        now = {name: bar[name] + on[name][t] for name in kind.state}
        pulled = {name: sum(jacobian[name][out][t] * now[out] for out in kind.state) for name in q}
        bar = {name: pulled[name] for name in kind.state}
        for name in inputs:
            found[name][t] = pulled[name]
        for name in p:
            found[name] += pulled[name]
    return {**found, **{f"first {name}": bar[name] for name in kind.state}}


def _greater(a: Any, b: Any) -> Array:
    """The maximum; at a tie with the mean of both derivatives, JAX's convention: of an NMDA gate by a membrane at rest."""
    tie = np.real(a) == np.real(b)
    return np.where(tie, (a + b) / 2, np.where(np.real(a) > np.real(b), a, b))


def _leaking(current: Array, Io: Array) -> Array:
    """No leak or gain is below the dark current: `(current^8 + Io^8)^(1/8)`."""
    return (_eighth(current) + _eighth(Io)) ** 0.125


def _eighth(x: Array) -> Array:
    return np.square(np.square(np.square(x)))


def _of(q: Numbers, name: str, gate: str) -> Array:
    """The value for one gate, where there is one per gate."""
    return q[f"{name}.{gate}" if f"{name}.{gate}" in q else name]


class _Filter(NamedTuple):
    """A low-pass `tau dI/dt = -(I - Io)`: what a pulse adds to it, per ampere of its weight, and its time constant."""

    tau: Array
    jump: Array


def _filter(q: Numbers, capacitance: Array, leak: Array, gain: Array, pulse: Array) -> _Filter:
    """From the dissipating currents and the charge `pulse` (s) of one event."""
    tau = 2 * q["Ut"] / (q["kappa_n"] + q["kappa_p"]) * capacitance / leak
    return _Filter(tau, -np.expm1(-pulse / tau) * gain / leak)


def _paper(kind: Kind, q: Numbers, dt: float, seen: Seen) -> dict[str, Array]:
    Io, h = q["Io"], dt / kind.substeps
    filters, currents = {}, {}
    for name in kind.synapses:
        gate = name.partition(".")[2]
        leak, gain, pulse = (_leaking(_of(q, current, gate), Io) for current in ("Itau_syn", "Igain_syn", "Ipulse"))
        filters[name] = _filter(q, _of(q, "C_syn", gate), leak, gain, q["Vth"] * q["C_pulse"] / pulse)
        currents[name] = q[name] + filters[name].jump * q["Iscale"] * q[name.replace("isyn", "inputs")]
    leak, gain, pulse = (_leaking(q[current], Io) for current in ("Itau_ahp", "Igain_ahp", "Ipulse_ahp"))
    filters["iahp"] = _filter(q, q["C_ahp"], leak, gain, q["Vth"] * q["C_pulse_ahp"] / pulse)
    currents["iahp"] = q["iahp"]

    u = np.log(_greater(q["imem"], Io) / Io)
    for _ in range(kind.substeps):
        mean = {name: (currents[name] - Io) * -np.expm1(-h / f.tau) / (h / f.tau) for name, f in filters.items()}
        u = np.where(seen.blocked, 0, _membrane(q, u, *_drive(kind, q, u, mean), h))
        currents = {name: Io + (currents[name] - Io) * np.exp(-h / f.tau) for name, f in filters.items()}

    over = u - np.log(_leaking(q["Ispkthr"], Io) / Io)
    spikes = seen.spikes + np.where(seen.blocked, 0, 1j * seen.bump(np.real(over)) * np.imag(over))
    u = np.where(seen.spikes > 0, 0, u)  # detached: the reset does not see how the spike came about
    currents["iahp"] = currents["iahp"] + filters["iahp"].jump * q["Iw_ahp"] * spikes
    return {"imem": Io * np.exp(u), **currents, "vmem": 2 * q["Ut"] / (q["kappa_n"] + q["kappa_p"]) * u, "spikes": spikes}


def _drive(kind: Kind, q: Numbers, u: Array, mean: Numbers) -> tuple[Array, Array]:
    """The current into the membrane's differential pair, and the one that leaks from the membrane."""
    x, leak = q["Idc"], _leaking(q["Itau_mem"], q["Io"]) + mean["iahp"]
    for name in kind.synapses:
        gate, current = name.partition(".")[2], mean[name]
        if gate == "nmda":
            imem = q["Io"] * np.exp(u)
            x = x + current * imem / (imem + q["If_nmda"])
        elif gate in kind.shunting:
            leak = leak + current
        elif gate in ("gaba", "shunt"):
            x = x - current
        else:
            x = x + current
    return np.where(np.real(x) >= 0, x, 0), leak


def _membrane(q: Numbers, u: Array, x: Array, leak: Array, h: float) -> Array:
    """Half a step of leak and feedback, a step of the input, half a step of leak and feedback."""
    Io, gain = q["Io"], _leaking(q["Igain_mem"], q["Io"])
    kappa = (q["kappa_n"] + q["kappa_p"]) / 2
    per_ampere, gamma = kappa * h / (q["C_mem"] * q["Ut"]), kappa / (kappa + 1)
    u = _leak_and_feedback(u, leak, per_ampere / 2, gamma, Io)
    u = _input(u, per_ampere * gain * x, gain, Io)
    return _leak_and_feedback(u, leak, per_ampere / 2, gamma, Io)


def _leak_and_feedback(u: Array, leak: Array, per_ampere: Array, gamma: Array, Io: Array) -> Array:
    """`du/dt = -leak + Io e^(gamma u)` is linear in `e^(-gamma u)`; from the dark current to `e^21` times as much."""
    y = np.exp(-gamma * u)
    y = y + np.expm1(gamma * per_ampere * leak) * (y - Io / leak)
    return _greater(-np.log(_greater(y, np.exp(-21 * gamma))) / gamma, 0)


def _input(u: Array, charge: Array, gain: Array, Io: Array) -> Array:
    """The root `v` of `Io e^v + gain v = Io e^u + gain u + charge`, by Newton's method from above."""
    v = np.minimum(u + charge / (Io * np.exp(u) + gain), np.log(np.exp(u) + charge / Io)).real
    for _ in range(20):
        v = _newton(v, np.real(u), np.real(charge), np.real(gain), np.real(Io))
    return _newton(v, u, charge, gain, Io)  # one more from the root brings its derivative


def _newton(v: Array, u: Array, charge: Array, gain: Array, Io: Array) -> Array:
    return v - (Io * (np.exp(v) - np.exp(u)) + gain * (v - u) - charge) / (Io * np.exp(v) + gain)


def _dynapsim(kind: Kind, q: Numbers, dt: float, seen: Seen) -> dict[str, Array]:
    Io, kappa = q["Io"], (q["kappa_n"] + q["kappa_p"]) / 2
    leak, gain, leak_ahp, gain_ahp, leak_mem, gain_mem = (
        _greater(q[name], Io) for name in ("Itau_syn", "Igain_syn", "Itau_ahp", "Igain_ahp", "Itau_mem", "Igain_mem")
    )
    synapse = _filter(q, q["C_syn"], leak, 1, q["Vth"] * q["C_pulse"] / q["Ipulse"])
    adaptation = _filter(q, q["C_ahp"], leak_ahp, 1, q["Vth"] * q["C_pulse_ahp"] / q["Ipulse_ahp"])
    isyn = np.exp(-dt / synapse.tau) * q["isyn"]
    isyn = isyn + synapse.jump * leak * _greater(gain / leak * q["Iscale"] * q["inputs"], Io)
    iahp = np.exp(-dt / adaptation.tau) * q["iahp"] + adaptation.jump * gain_ahp * q["Iw_ahp"] * q["spikes"]
    iahp = _greater(iahp, Io)

    all_leak, m = leak_mem + iahp, q["imem"]
    x = np.where(seen.blocked, Io, _greater(isyn - all_leak + q["Idc"], Io))
    feedback = Io / all_leak * np.exp(kappa**2 / (kappa + 1) * q["vmem"] / q["Ut"]) * (m + gain_mem)
    rise = gain_mem / leak_mem * (x - all_leak) + feedback - m * (1 + iahp / leak_mem)
    tau = q["Ut"] / kappa * q["C_mem"] / all_leak
    m = _greater(m + dt * m / (tau * (m + gain_mem)) * rise, Io)

    # One spike per ampere, everywhere above the dark current. The reset is attached: it sees that derivative, but half of it where
    # the count is 0 or 1, at the ends of a clip, and none of it beyond.
    spikes = seen.spikes + 1j * np.where(np.real(m) > np.real(Io), np.imag(m), 0)
    fired = np.minimum(seen.spikes, 1) + np.where(seen.spikes <= 1, 0.5j, 0) * np.imag(spikes)
    return {
        "imem": (1 - fired) * m + fired * Io, "isyn": isyn, "iahp": iahp, "vmem": q["Ut"] / kappa * np.log(m / Io), "spikes": spikes
    }  # fmt: skip
