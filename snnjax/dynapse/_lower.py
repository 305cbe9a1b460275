"""A network graph for a Dynap-SE chip: its LIF neurons become DPI neurons, and one weight matrix joins each two populations.

A chip has neurons and weights of spikes, and nothing else. So everything linear between two populations becomes one
matrix; what only the outside needs (read-outs, what leads to an `Output`) stays as it is, to be computed off the chip; and
what a chip cannot do is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from .. import graph
from .._errors import ConfigError, DTypeError, GraphError, refuses_unknown_keywords
from ..functional import RefractoryParams
from ..functional._concrete import check_dt, describe
from ..functional._dpi_records import BiasCurrents, DynapseParams, Process
from ._convert import DEFAULT_PROCESS, lif_to_dynapse
from ._door import check_process
from ._generator import Generator, check_generator
from ._lif_node import LIFNode, is_read_out, lif_of
from ._paths import Drive, drives
from ._population import MODEL, record_of
from ._quantize import DEFAULT_GENERATOR, check_currents
from ._report import Entry, Report, of_population
from ._rewire import listed, rewired

Convert = Callable[[Any], DynapseParams]


@refuses_unknown_keywords
def lower(
    g: graph.Graph,
    *,
    dt: float | None = None,
    convert: Convert | None = None,
    r_gain_mem: Any = 4.0,
    r_gain_syn: Any = 100.0,
    t_pulse: Any = 1e-5,
    t_ref: Any = 1e-3,
    Iscale: Any = 1e-8,
    process: Process = DEFAULT_PROCESS,
    generator: Generator = DEFAULT_GENERATOR,
) -> tuple[graph.Graph, Report]:
    """The graph that a chip can run: LIF neurons as DPI neurons, everything between them as weights.

    Args:
        g: a graph of `lif` neurons, also `refractory`, `recurrent`, or with several synapses of equal time constant; layers
            and loops of any number. DPI neurons stay as they are.
        dt: the time step that the network was trained with, s; needed where a projection has a bias, which arrives at every
            step: a bias `b` is then the constant current `b tau_syn / dt`.
        convert: from the LIF's Params to `DynapseParams`, such as `lambda lif: dynapse.match_lif(lif).params`; by default
            `lif_to_dynapse` with the arguments that follow.
        r_gain_mem, r_gain_syn, t_pulse, t_ref, Iscale, process: as of `lif_to_dynapse`.
        generator: the chip, for the report.

    Returns:
        The graph, and a report: every current of every population (`hidden.Itau_mem`) as asked and as the chip makes it;
        in `notes`, what was joined, folded, or left outside of the chip.

    Raises:
        GraphError: the graph has problems, or something that a chip does not have; the sentence says what to change.
        ConfigError: `convert` together with arguments of `lif_to_dynapse`.
        HardwareError, ParameterError: as of `lif_to_dynapse`.

    >>> import numpy as np
    >>> from snnjax import dynapse, functional as F, graph
    >>> nodes = {"in": graph.Input(3), "w": graph.Linear(np.ones((3, 2))), "hidden": graph.Neurons("lif", F.LIFParams(), 2),
    ...          "out": graph.Output(2)}
    >>> g = graph.Graph(nodes, [graph.Edge(*pair) for pair in [("in", "w"), ("w", "hidden"), ("hidden", "out")]])
    >>> lowered, report = dynapse.lower(g)
    >>> lowered.nodes["hidden"].model, f"{report['hidden.Itau_mem'].asked:.3e}"
    ('dynapse_dpi', '5.319e-12')
    """
    keywords = {"r_gain_mem": r_gain_mem, "r_gain_syn": r_gain_syn, "t_pulse": t_pulse, "t_ref": t_ref, "Iscale": Iscale}
    graph.require_valid(g, "lower")
    check_process(process, "lower")
    check_generator(generator, "lower")
    flat = graph.flatten(g)
    populations = {name: node for name, node in flat.nodes.items() if isinstance(node, graph.Neurons) and not is_read_out(node)}
    if not populations:
        _refuse("The graph has no neurons for a chip, which runs `lif` and `dynapse_dpi` neurons.", "g", tuple(flat.nodes))
    chip = {name: lif_of(name, node) for name, node in populations.items()}
    arriving, loop = drives(flat, chip)
    if loop:
        _refuse(f"The nodes {listed(loop)} form a loop without neurons, which a chip cannot have. Put neurons into it.", loop[0], loop)
    make = _conversion(convert, keywords, process)
    notes: list[str] = []
    made = {name: _converted(name, lif, arriving[name], dt, make, notes) for name, lif in chip.items()}
    lowered = rewired(flat, chip, arriving, made, notes)
    entries = [entry for name, node in made.items() for entry in _checked(name, node, generator)]
    return lowered, Report(tuple(entries), tuple(notes))


def _conversion(convert: Convert | None, keywords: dict[str, Any], process: Process) -> Convert:
    defaults = lower.__wrapped__.__kwdefaults__  # type: ignore[attr-defined]
    changed = [name for name, value in keywords.items() if value is not defaults[name]] + (
        ["process"] if process != DEFAULT_PROCESS else []
    )
    if convert is None:
        return lambda params: DynapseParams(lif_to_dynapse(params, process=process, **keywords), process, keywords["Iscale"])
    if not callable(convert):
        raise DTypeError(
            f"`convert` must be a function from LIF parameters to DynapseParams; got {describe(convert)}.",
            where="lower", field="convert", value=convert, allowed="a function",
        )  # fmt: skip
    if changed:
        raise ConfigError(
            f"`{changed[0]}` is an argument of the standard conversion, and `convert` replaces that. Give it to the function in `convert`.",
            where="lower", field=changed[0], value=keywords.get(changed[0], process), allowed="not together with `convert`",
        )  # fmt: skip
    return convert


def _converted(name: str, lif: LIFNode, drive: Drive, dt: Any, make: Convert, notes: list[str]) -> graph.Neurons:
    """The population as DPI neurons; the biases of its projections are in its constant current."""
    notes += [f"`{name}`: {note}" for note in lif.notes]
    bias = lif.sum_of_synapses(drive.bias[None])[0]
    if lif.params is None:
        if bias.any():
            _refuse_bias(name, drive, "They are DPI neurons, whose constant input is `Idc`: set that, and leave the bias out.")
        return lif.node
    params = lif.params
    if bias.any():
        if dt is None:
            _refuse_bias(
                name, drive, "It arrives at every step, so its current depends on the step: give `dt`, or set `bias` of the neurons."
            )
        inner = params.neuron if isinstance(params, RefractoryParams) else params
        inner = inner._replace(bias=inner.bias + bias.reshape(lif.node.shape) * inner.tau_syn / _step(dt))
        params = params._replace(neuron=inner) if isinstance(params, RefractoryParams) else inner
        notes.append(f"`{name}`: the bias of {listed(drive.biased)} became a constant current, b tau_syn / dt.")
    made = make(params)
    if not isinstance(made, DynapseParams):
        raise DTypeError(
            f"`convert` must return DynapseParams; got {describe(made)}. Of `match_lif` return `.params`.",
            where="lower", field="convert", value=type(made).__name__, allowed="DynapseParams",
        )  # fmt: skip
    return graph.Neurons(MODEL, made, lif.node.shape)


def _step(dt: Any) -> float:
    check_dt(dt, "lower")
    return float(dt)


def _checked(name: str, node: graph.Neurons, generator: Generator) -> tuple[Entry, ...]:
    params = DynapseParams(record_of(BiasCurrents, node.params["bias"]), record_of(Process, node.params["process"]), node.params["Iscale"])
    return of_population(name, check_currents(params, generator=generator))


def _refuse_bias(name: str, drive: Drive, advice: str) -> NoReturn:
    _refuse(f"{listed(drive.biased)} has a bias that leads to {name!r}. {advice}", drive.biased[0], drive.bias)


def _refuse(text: str, field: str, value: Any) -> NoReturn:
    raise GraphError(text, where="lower", field=field, value=value, allowed="spiking neurons and weights of spikes")
