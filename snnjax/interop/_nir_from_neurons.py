"""Neurons of NIR as `Neurons`, and what has to stand in front of them.

| NIR | here |
|---|---|
| `LIF`, `LI` | `leaky`, `membrane(leaky)`, with `r` as `resistance` |
| `IF`, `I` | `integrate_and_fire`, `membrane(integrate_and_fire)`: `tau_mem` is the unit of time |
| `CubaLIF`, `CubaLI` | `lif`, `leaky_integrator`, behind the factors that make NIR's synapse of ours (`_nir_synapse.py`) |

A resistance that is 0 or negative becomes a factor in front of neurons of one ohm.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import functional as F
from .. import graph
from .._errors import ParameterError, ShapeError
from ..somas._config_text import encode_choices
from ._nir_from_context import Import, full
from ._nir_from_values import real
from ._nir_hint import recalled
from ._nir_synapse import HELD, JUMP, Block, block_of, gain, held, step
from ._nir_to_context import integrator_of

NEURONS = ("I", "IF", "LI", "LIF", "CubaLI", "CubaLIF")
_DEFAULTS = encode_choices(F.SpikingConfig(), F.lif, "from_nir")


def neurons(it: Import, where: str, made: Any, shape: tuple[int, ...]) -> graph.Node:
    """A population: `Neurons`, or a sub-graph of them and what stands in front."""
    _check_shapes(where, made, shape)
    hint = recalled(made, it.again) if it.unit in (None, 1.0) else None
    block = None
    if hint is not None:
        node = hint.node
        block = Block(node, None, None, None) if isinstance(node, graph.Neurons) else block_of(node)
    form = it.synapse or (None if block is None else JUMP if block.before is None else HELD)
    integrator = it.integrator or (F.exact if block is None else integrator_of(block.neurons))
    choices = _choices(it, where, block, integrator, fires=type(made).__name__.endswith("F"))
    _check_euler(it, where, made, integrator)
    if block is not None and hint is not None and _holds(it, made, block, hint.dt, integrator, form):
        return block._replace(neurons=_with(block.neurons, choices)).node()
    kind = type(made).__name__
    if kind.startswith("Cuba"):
        return _behind_synapse(it, where, made, shape, choices, integrator, form or HELD)
    return _membrane(it, where, made, shape, choices)


def _check_shapes(where: str, made: Any, shape: tuple[int, ...]) -> None:
    """Every field has one number, or one for each neuron."""
    for name, value in vars(made).items():
        if name not in ("metadata", "input_type", "output_type") and value is not None:
            array = real(value, where, name)
            if array.size != 1 and array.shape != shape:
                text = f"node {where!r:.140}: `{name}` has shape {array.shape}, but what arrives has {shape}. Give one number per neuron."
                raise ShapeError(text, where="from_nir", field=name, value=array.shape, allowed=str(shape))


def recalled_synapses(it: Import, where: str, made: Any) -> graph.Node | None:
    """The population that was written as a nested graph, if that is what the nested graph still says."""
    hint = recalled(made, it.again) if it.unit in (None, 1.0) and it.synapse != HELD else None
    if hint is None or not isinstance(hint.node, graph.Neurons):
        return None
    node = hint.node
    fires = not node.model.startswith("membrane(")
    return _with(node, _choices(it, where, Block(node, None, None, None), it.integrator or integrator_of(node), fires))


def _holds(it: Import, made: Any, block: Block, dt: float | None, integrator: F.Integrator, form: str | None) -> bool:
    """Whether the hint is what was asked for: factors in front are for one `dt` and one integrator."""
    if not type(made).__name__.startswith("Cuba"):
        return True
    mine = HELD if block.before is not None else JUMP
    plain = block.before is None and block.now is None
    return form == mine and (plain or dt == it.dt and integrator_of(block.neurons) is integrator)


def _choices(it: Import, where: str, block: Block | None, integrator: F.Integrator, fires: bool) -> Any:
    given = (block.neurons.choices if block else None) or {}
    told = [given.get(name, default) for name, default in _DEFAULTS.items() if name != "spike" and getattr(it, name) is None]
    if told and any(name not in _DEFAULTS.values() for name in told):
        it.entries.note(where, "integrator", f"{' and '.join(f'`{name}`' for name in told)}: from the hint in the file.")
    if block is not None and it.integrator is None and it.reset is None:
        return block.neurons.choices
    reset = given.get("reset", _DEFAULTS["reset"])
    if it.reset is not None:
        reset = encode_choices(F.SpikingConfig(reset=it.reset), F.lif, "from_nir")["reset"]
    choices = {**_DEFAULTS, "reset": reset, "integrator": integrator.name} if fires else {"integrator": integrator.name}
    default = all(_DEFAULTS[name] == value for name, value in choices.items())
    return None if default else choices


def _with(node: graph.Neurons, choices: Any) -> graph.Neurons:
    return graph.Neurons(node.model, node.params, node.shape, choices)


def _check_euler(it: Import, where: str, made: Any, integrator: F.Integrator) -> None:
    for field in ("tau", "tau_mem", "tau_syn") if integrator.explicit else ():
        shortest = it.seconds(getattr(made, field), where, field).min(initial=np.inf) if hasattr(made, field) else np.inf
        if it.dt > shortest * (1 + 1e-5):
            raise ParameterError(
                f"node {where!r:.140}: `dt` = {it.dt:g} s is longer than `{field}` = {float(shortest):g} s; a forward Euler step of that "
                f"length {'diverges' if it.dt > 2 * shortest else 'oscillates'}. Use a shorter `dt`, or `integrator=F.exact`.",
                where="from_nir", field="dt", value=it.dt, allowed=f"<= {float(shortest):g} s",
            )  # fmt: skip


def _rest(it: Import, where: str, made: Any, shape: tuple[int, ...]) -> np.ndarray:
    v_leak = real(made.v_leak, where, "v_leak")
    if v_leak.any():
        it.entries.note("", "v_leak", "Neurons start at `v_leak`, integrators without leak at `v_reset`; NIR does not say where.")
    return full(v_leak, shape)


def _thresholds(made: Any, where: str, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    v_th = real(made.v_threshold, where, "v_threshold")
    reset = getattr(made, "v_reset", None)
    v_reset = np.zeros_like(v_th) if reset is None else real(reset, where, "v_reset")
    return {"v_th": full(v_th, shape), "v_reset": full(v_reset, shape)}


def _membrane(it: Import, where: str, made: Any, shape: tuple[int, ...], choices: Any) -> graph.Node:
    kind, r = type(made).__name__, real(made.r, where, "r")
    params: dict[str, Any] = {"bias": 0.0, "v_th": 1.0, "v_reset": 0.0}
    if kind in ("I", "IF"):
        # A time constant of one step where the unit of `r` is the step: then an input of 1 adds exactly `r`.
        unit = 1.0 if it.unit is None else it.unit
        model, params["tau_mem"] = "integrate_and_fire", it.dt if unit == it.dt else 1.0
        r = r if unit == params["tau_mem"] else (r * (params["tau_mem"] / unit)).astype(r.dtype)
    else:
        model = "leaky"
        params |= {"tau_mem": full(it.seconds(made.tau, where, "tau"), shape), "v_leak": _rest(it, where, made, shape)}
    if kind.endswith("F"):
        params |= _thresholds(made, where, shape)
    positive = bool((r > 0).all())
    params["resistance"] = full(r, shape) if positive else 1.0
    node = _population(model, params, shape, choices, readout=not kind.endswith("F"))
    return node if positive else Block(node, np.array(full(r, shape)), None, None).node()


def _population(model: str, params: Any, shape: tuple[int, ...], choices: Any, readout: bool) -> graph.Neurons:
    if readout:
        return graph.Neurons(f"membrane({model})", {"neuron": params}, shape, choices)
    return graph.Neurons(model, params, shape, choices)


def _behind_synapse(it: Import, where: str, made: Any, shape: Any, choices: Any, integrator: F.Integrator, form: str) -> graph.Node:
    tau_mem, tau_syn = (it.seconds(getattr(made, field), where, field) for field in ("tau_mem", "tau_syn"))
    params = {"tau_mem": full(tau_mem, shape), "tau_syn": full(tau_syn, shape), "v_leak": _rest(it, where, made, shape)}
    fires = type(made).__name__ == "CubaLIF"
    params |= {"bias": 0.0, **(_thresholds(made, where, shape) if fires else {})}
    node = graph.Neurons("lif" if fires else "leaky_integrator", params, shape, choices)
    dtype = np.result_type(tau_mem, tau_syn)
    w = real(made.r, where, "r").astype(np.float64) * real(made.w_in, where, "w_in").astype(np.float64)
    if not _positive(tau_mem, tau_syn):  # `validate` says what is wrong, and where
        return node
    if form == JUMP:
        it.entries.note(
            where, "w_in", "The input arrives as a jump, in its own step: its factor is `r w_in` times the gain of the synapse."
        )
        now = (w * gain(integrator, it.dt, tau_syn)).astype(dtype)
        return Block(node, np.array(full(now, shape)), None, None).node()
    text = 'The input is held over the step, as in NIR\'s equations; Norse, snnTorch and others let it act at once: `synapse="jump"`.'
    it.entries.note("", "w_in", text)
    now, before = (np.array(full(part.astype(dtype), shape)) for part in held(w, step(integrator, it.dt, tau_mem, tau_syn)))
    return Block(node, now if now.any() else None, before, it.dt).node()


def _positive(*taus: np.ndarray) -> bool:
    return all(bool((np.isfinite(tau) & (tau > 0)).all()) for tau in taus)
