"""`Neurons` as nodes of NIR.

| here | NIR |
|---|---|
| `leaky`, `membrane(leaky)` | `LIF`, `LI` |
| `integrate_and_fire`, `membrane(integrate_and_fire)` | `IF`, `I`, `r = resistance / tau_mem` |
| `lif`, `leaky_integrator` or `membrane(lif)` | `CubaLIF`, `CubaLI`, with the `w_in` that makes an input a jump of the same height |
| `synapses(model, n)` | a nested graph: `LI`, one per synapse and neuron, `Linear` (their sum), then `LIF`, `LI`, `IF` or `I` |

A constant `bias` moves `v_leak` by what it adds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import functional as F
from .. import graph
from ._nir_peel import refused, unwrapped
from ._nir_synapse import Block, Fields, Step, gain, held, held_fraction, jumping, mean, step
from ._nir_to_context import Export, integrator_of

Params = Mapping[str, Any]


def neurons_node(to: Export, where: str, node: graph.Neurons) -> Any:
    """A population on its own; `node` is peeled."""
    model, params, fires = _core(node)
    own = integrator_of(node)
    wrapper, inside, argument = unwrapped(model)
    if wrapper == "synapses":
        return _with_synapses(to, where, inside, params, int(argument or 1), node, fires)
    if model in ("lif", "leaky_integrator"):
        return _with_synapse(to, where, params, node.shape, fires, _jumping(to, own, params))
    return _membrane(to, where, own, model, params, node.shape, fires)


def _core(node: graph.Neurons) -> tuple[str, Params, bool]:
    """The model inside of a `membrane`, its parameters, and whether it fires."""
    wrapper, inside, _ = unwrapped(node.model)
    if wrapper == "membrane":
        return inside, node.params["neuron"], False
    return node.model, node.params, node.model != "leaky_integrator"


def block_node(to: Export, where: str, block: Block) -> Any:
    """Neurons behind the factors of a synapse, if they are such factors; else `None`."""
    model, params, fires = _core(block.neurons)
    own, shape = integrator_of(block.neurons), block.neurons.shape
    if model not in ("lif", "leaky_integrator") or (to.dt if block.before is None else block.delay) is None:
        return None
    if block.before is None:
        return _with_synapse(to, where, params, shape, fires, _jumping(to, own, params, block.now))
    w = _weight_of(block, step(own, block.delay or 0.0, params["tau_mem"], params["tau_syn"]))
    if w is None or to.tool is not None:
        return None
    tau_mem, tau_syn = (np.asarray(params[name], np.float64) for name in ("tau_mem", "tau_syn"))
    return _with_synapse(to, where, params, shape, fires, Fields(tau_mem, tau_syn, np.ones(()), w))


def _weight_of(block: Block, it: Step) -> np.ndarray | None:
    """The `w` of which `now` and `before` were made, `None` if they were made otherwise."""
    now, before = (np.zeros(block.neurons.shape) if part is None else part.astype(np.float64) for part in (block.now, block.before))
    w = (before + it.d * now) / it.g
    scale = np.abs(w * it.g) + 1e-30
    close = all(bool((np.abs(a - b) <= 1e-5 * scale).all()) for a, b in zip(held(w, it), (now, before), strict=True))
    return w if close else None


def _jumping(to: Export, own: F.Integrator, params: Params, factor: Any = 1.0) -> Fields:
    """The fields of a synapse that jumps by `factor`."""
    if to.dt is None:
        text = (
            "`w_in` is `tau_syn`, for an input of pulses without width: with `dt=...` it is for pulses of height 1 that last one step, "
            "as other tools send them."
        )
    else:
        text = (
            "NIR leaves open in which step an input reaches v. `w_in` is for tools in which it is the step of the input, as here "
            "(Norse, snnTorch, Sinabs); where v sees the current of the step before, the same happens one step later."
        )
    to.entries.note("", "w_in", text)
    return jumping(own, to.tool, to.dt, params["tau_mem"], params["tau_syn"], factor)


def _rest(to: Export, where: str, params: Params, resistance: Any) -> np.ndarray:
    """`v_leak`, moved by the bias."""
    bias = np.asarray(params["bias"], np.float64)
    if bias.any():
        to.entries.note(where, "bias", "`bias` is in `v_leak`: it becomes `v_leak + resistance * bias`, where other tools may also start.")
    return np.asarray(params["v_leak"], np.float64) + np.asarray(resistance, np.float64) * bias


def _with_synapse(to: Export, where: str, params: Params, shape: Any, fires: bool, it: Fields) -> Any:
    fields = {**it._asdict(), "v_leak": _rest(to, where, params, 1.0)}
    if fires:
        fields |= {"v_threshold": params["v_th"], "v_reset": params["v_reset"]}
    made = {name: to.full(value, shape) for name, value in fields.items()}
    return to.nir.CubaLIF(**made) if fires else to.nir.CubaLI(**made)


def _membrane(to: Export, where: str, own: F.Integrator, model: str, params: Params, shape: Any, fires: bool) -> Any:
    """A membrane under a current that is held; that of `lif` too, whose own synapse rests."""
    resistance = np.asarray(params.get("resistance", 1.0), np.float64)
    fields: dict[str, Any] = {"v_threshold": params["v_th"], "v_reset": params["v_reset"]} if fires else {}
    if model == "integrate_and_fire":
        for name in ("bias",) if fires else ("bias", "v_reset"):
            if np.any(params[name]):
                to.entries.lose(where, name, f"NIR's {'IF' if fires else 'I'} has no `{name}`: it is left out.")
        fields["r"] = resistance / np.asarray(params["tau_mem"], np.float64)
    else:
        fields |= {"tau": to.tau(own, params["tau_mem"]), "r": resistance, "v_leak": _rest(to, where, params, resistance)}
    kind = {(True, True): "IF", (True, False): "I", (False, True): "LIF", (False, False): "LI"}[model == "integrate_and_fire", fires]
    return getattr(to.nir, kind)(**{name: to.full(value, shape) for name, value in fields.items()})


def _with_synapses(to: Export, where: str, model: str, params: Params, n: int, node: graph.Neurons, fires: bool) -> Any:
    if len(node.shape) != 1:
        raise refused(where, "shape", "synapses of a population with several axes", "Give the population one axis, `shape=N`.")
    own, size = integrator_of(node), n * node.shape[0]
    tau_syn, tau_mem = np.asarray(params["tau_syn"], np.float64), np.asarray(params["neuron"]["tau_mem"], np.float64)
    tau_syn = np.broadcast_to(tau_syn[:, None] if tau_syn.ndim == 1 else tau_syn, (n, *node.shape))
    it = _jumping(to, own, {"tau_mem": tau_mem, "tau_syn": tau_syn})
    to.entries.note(where, "tau_syn", "The synapses are LI nodes in a nested graph, their channels in one axis.")
    r = it.w_in
    if to.tool is not None and to.dt is not None:
        # The tool holds the current that LI hands on; here it decays during the step.
        fraction = mean(own, to.dt, tau_syn) if model == "integrate_and_fire" else held_fraction(own, to.dt, tau_mem, tau_syn)
        r = fraction / gain(own, to.dt, tau_syn)
    flat = {"tau": it.tau_syn, "r": r, "v_leak": 0.0}
    nodes = {
        "input": to.nir.Input(np.array([size])),
        "currents": to.nir.LI(**{name: to.full(value, tau_syn.shape).ravel() for name, value in flat.items()}),
        "sum": to.nir.Linear(np.tile(np.eye(*node.shape, dtype=to.dtype), (1, n))),
        "neurons": _membrane(to, where, own, model, params["neuron"], node.shape, fires),
        "output": to.nir.Output(np.array(node.shape)),
    }
    names = list(nodes)
    return to.nir.NIRGraph(nodes=nodes, edges=list(zip(names[:-1], names[1:], strict=True)), type_check=False)
