"""NIR's synapse, which is a filter of a signal, as the synapse of `F.lif`, which jumps; and back.

NIR writes `tau_syn di/dt = -i + w S` and `tau_mem dv/dt = v_leak - v + i`, with a signal `S(t)` that is given once per step (`w` stands
for `r w_in`). Let `d` be the decay of the synapse over a step, `g` and `g_m` the gains of synapse and membrane, `c` the
coupling of an exponentially decaying current into the membrane, all of them as the integrator has them. With `S` held over the step,

    i' = d i + g w S            v' = v_leak + (1 - g_m) (v - v_leak) + c i + (g_m - c) w S

while a synapse of ours that receives the jumps `x` does

    j = i + x    i' = d j       v' = v_leak + (1 - g_m) (v - v_leak) + c j

Both membranes are the same step by step, spikes and resets included, where `c j` is `c i + (g_m - c) w S` with NIR's `i`, that is for

    held:   x[t] = now S[t] + before S[t-1]      now = w (g_m - c) / c      before = w g - d now

For forward Euler `c` equals `g_m`: `now` is 0, and `before` a delay of one step: v sees the current of the step before, as
explicit Euler of two coupled equations must. Most tools do without this step and let the input act at once:

    jump:   x[t] = w g S[t]

The two differ by at most one step of delay. References: Rotter & Diesmann (1999), as `F.exact`; Pedersen et al. (2024), Nature
Communications 15, 8122, for NIR.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import numpy as np

from .. import graph
from .._errors import ParameterError
from ..functional import Integrator

HELD, JUMP = "held", "jump"


class Step(NamedTuple):
    """What an integrator makes of one step, in float64; the letters of the equations above."""

    d: np.ndarray
    g: np.ndarray
    g_m: np.ndarray
    c: np.ndarray


def step(integrator: Integrator, dt: float, tau_mem: Any, tau_syn: Any) -> Step:
    tau_mem, tau_syn = np.asarray(tau_mem, np.float64), np.asarray(tau_syn, np.float64)
    with jax.enable_x64(True):
        h = np.float64(dt)
        numbers = (
            integrator.decay(h, tau_syn),
            integrator.gain(h, tau_syn),
            integrator.gain(h, tau_mem),
            integrator.coupling(h, tau_mem, tau_syn),
        )
        return Step(*(np.asarray(number, np.float64) for number in numbers))


def gain(integrator: Integrator, dt: float, tau: Any) -> np.ndarray:
    """`g`, or `g_m`, alone."""
    with jax.enable_x64(True):
        return np.asarray(integrator.gain(np.float64(dt), np.asarray(tau, np.float64)), np.float64)


def mean(integrator: Integrator, dt: float, tau_syn: Any) -> np.ndarray:
    """The mean over a step of a decaying current that is 1 at its start, as the integrator has it."""
    with jax.enable_x64(True):
        return np.asarray(integrator.mean(np.float64(dt), np.asarray(tau_syn, np.float64)), np.float64)


def held_fraction(integrator: Integrator, dt: float, tau_mem: Any, tau_syn: Any) -> np.ndarray:
    """The current, held over a step, that moves a leaky membrane as far as a decaying one that is 1 at its start."""
    it = step(integrator, dt, tau_mem, tau_syn)
    return it.c / it.g_m


def time_constant(integrator: Integrator, dt: float, g: np.ndarray) -> np.ndarray:
    """That for which the step of `integrator` has the gain `g`."""
    if integrator.explicit:
        return dt / g
    if (g >= 1).any():
        text = (
            f"`dt` = {dt:g} s is as long as a time constant: an Euler step then leaves nothing of what was, as no exponential decay does."
        )
        raise ParameterError(text, where="to_nir", field="dt", value=dt, allowed="shorter than every time constant")
    return -dt / np.log1p(-g)


class Fields(NamedTuple):
    """The fields of a CubaLIF, or of an LI and the LIF that it feeds."""

    tau_mem: np.ndarray
    tau_syn: np.ndarray
    r: np.ndarray
    w_in: np.ndarray


def jumping(own: Integrator, tool: Integrator | None, dt: float | None, tau_mem: Any, tau_syn: Any, factor: Any = 1.0) -> Fields:
    """The fields with which a signal of 1, for one step, does what a jump of `factor` does here.

    Args:
        own: the integrator here.
        tool: the integrator of the tool that will read the file. With it, the steps there are those here, whatever the time constants must
            be for that. `None` keeps them.
        dt: the step; `None` for pulses without width.
    """
    tau_mem, tau_syn = np.asarray(tau_mem, np.float64), np.asarray(tau_syn, np.float64)
    one = np.ones_like(tau_mem)
    if dt is None:
        return Fields(tau_mem, tau_syn, one, factor * tau_syn)
    here = step(own, dt, tau_mem, tau_syn)
    if tool is None:
        return Fields(tau_mem, tau_syn, one, factor / here.g)
    tau_mem, tau_syn = time_constant(tool, dt, here.g_m), time_constant(tool, dt, here.g)
    # A tool that steps by Euler may take `v' = (1 - dt/tau) v + i` for granted, as snnTorch does.
    r = tau_mem / dt if tool.explicit else one
    return Fields(tau_mem, tau_syn, r, factor * here.c / (step(tool, dt, tau_mem, tau_syn).c * r * here.g))


def held(w: np.ndarray, it: Step) -> tuple[np.ndarray, np.ndarray]:
    """`now` and `before`."""
    now = w * (it.g_m - it.c) / it.c
    return now, w * it.g - it.d * now


class Block(NamedTuple):
    """Neurons behind the factors of a synapse, as a sub-graph: `x[t] = now S[t] + before S[t-1]`; `None` for no such path."""

    neurons: graph.Neurons
    now: np.ndarray | None
    before: np.ndarray | None
    delay: float | None

    def node(self) -> graph.Node:
        """One node: the neurons themselves, where nothing is in front of them."""
        if self.before is None and (self.now is None or bool((self.now == 1).all())):
            return self.neurons
        shape = self.neurons.shape
        nodes: dict[str, graph.Node] = {"input": graph.Input(shape)}
        edges = []
        if self.now is not None:
            nodes["now"] = graph.Scale(self.now)
            edges += [("input", "now"), ("now", "neurons")]
        if self.before is not None:
            nodes["delay"], nodes["before"] = graph.Delay(self.delay, shape), graph.Scale(self.before)
            edges += [("input", "delay"), ("delay", "before"), ("before", "neurons")]
        nodes |= {"neurons": self.neurons, "output": graph.Output(shape)}
        return graph.SubGraph(graph.Graph(nodes, [graph.Edge(*pair) for pair in [*edges, ("neurons", "output")]]))


def block_of(node: graph.Node) -> Block | None:
    """What `Block.node` made, or `None`."""
    nodes = node.graph.nodes if isinstance(node, graph.SubGraph) else {}
    neurons, now, before, delay = (nodes.get(name) for name in ("neurons", "now", "before", "delay"))
    if not isinstance(neurons, graph.Neurons) or not (isinstance(now, graph.Scale) or isinstance(before, graph.Scale)):
        return None
    if isinstance(before, graph.Scale) != isinstance(delay, graph.Delay) or isinstance(delay, graph.Delay) and delay.delay.size != 1:
        return None
    made = Block(
        neurons,
        now.scale if isinstance(now, graph.Scale) else None,
        before.scale if isinstance(before, graph.Scale) else None,
        float(delay.delay) if isinstance(delay, graph.Delay) else None,
    )
    return made if made.node() == node else None
