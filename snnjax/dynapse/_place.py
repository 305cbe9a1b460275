"""Neurons onto the cores of a chip.

What a core has once is a set of bias codes; what a neuron has is a number of synapses. So neurons with other codes go to
another core, cores are filled in the order of the graph, and whatever does not fit is refused by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from .. import graph
from .._errors import GraphError, HardwareError, parameters, refuses_unknown_keywords
from ..functional._concrete import as_count
from ..functional._dpi_records import BiasCurrents
from ._door import check_kind
from ._generator import Generator, check_generator
from ._lif_node import is_read_out
from ._paths import drives
from ._population import MODEL, record_of
from ._quantize import DEFAULT_GENERATOR, Codes, encode
from ._report import Report, of_population
from ._rewire import FAN_IN, listed


@parameters
class Chip(NamedTuple):
    """What a board has; by default four Dynap-SE2 with four cores each.

    Attributes:
        cores: cores of all its chips.
        neurons: neurons of a core.
        synapses: synapses of a neuron.
        tags: addresses that the neurons of a core can tell apart, one for each source of spikes.
    """

    cores: int = 16
    neurons: int = 256
    synapses: int = FAN_IN
    tags: int = 2048


class Core(NamedTuple):
    """One core: its codes, gate by gate where a current is, and the neurons of each population on it, as flat indices."""

    codes: dict[str, Codes]
    neurons: dict[str, np.ndarray]

    @property
    def count(self) -> int:
        """How many neurons are on it."""
        return sum(map(len, self.neurons.values()))


class Placement(NamedTuple):
    """Where every neuron is; `print(placement)` is a table.

    Attributes:
        cores: those that are used.
        where: of every population `(*shape, 2)` whole numbers, the core and the place on it.
        report: every current as asked and as made.
    """

    cores: tuple[Core, ...]
    where: dict[str, np.ndarray]
    report: Report

    def __str__(self) -> str:
        lines = [f"{'core':>4}{'neurons':>9}  populations"]
        for k, core in enumerate(self.cores):
            lines.append(f"{k:>4}{core.count:>9}  {', '.join(f'{name} ({len(index)})' for name, index in core.neurons.items())}")
        return "\n".join([*lines, *self.report.problems])


@refuses_unknown_keywords
def place(g: graph.Graph, *, chip: Chip = Chip(), generator: Generator = DEFAULT_GENERATOR, saturate: bool = False) -> Placement:  # noqa: B008
    """A core for every neuron of a lowered graph, in as few cores as its biases allow.

    Neurons share a core if all their currents have the same codes and the same `Iscale`. Each synapse that is not 0 takes
    one of a neuron's; each population or input channel that reaches a core takes a tag there.

    Args:
        g: a graph of DPI neurons, as `lower` makes it.
        chip: how many there are of each.
        generator: which currents become which codes.
        saturate: whether a current that cannot be made becomes the end of the range, instead of an error.

    Raises:
        GraphError: the graph has problems, or neurons that are not lowered.
        ParameterError, DTypeError: a number of `chip` is no whole number, 1 or more.
        HardwareError: too many synapses of a neuron, sources of a core, or cores; a current that cannot be made.

    >>> from snnjax import dynapse, functional as F, graph
    >>> nodes = {"in": graph.Input(3), "w": graph.Linear(np.ones((3, 300))), "hidden": graph.Neurons("dynapse_dpi", F.DynapseParams(), 300),
    ...          "out": graph.Output(300)}
    >>> g = graph.Graph(nodes, [graph.Edge(*pair) for pair in [("in", "w"), ("w", "hidden"), ("hidden", "out")]])
    >>> print(str(dynapse.place(g, saturate=True)).splitlines()[2])
       1       44  hidden (44)
    """
    graph.require_valid(g, "place")
    check_generator(generator, "place")
    _check_chip(chip)
    flat = graph.flatten(g)
    populations = _populations(flat)
    sources = _connected(flat, populations, chip)
    groups: dict[Any, tuple[dict[str, Codes], list[np.ndarray]]] = {}  # rows of population and neuron
    entries = []
    for number, (name, node) in enumerate(populations.items()):
        codes, report = encode(record_of(BiasCurrents, node.params["bias"]), generator=generator)
        entries += of_population(name, report)
        for key, of_core, index in _alike(node, codes):
            groups.setdefault(key, (of_core, []))[1].append(np.stack([np.full(len(index), number), index], axis=1))
    report = Report(tuple(entries))
    if not saturate:
        report.raise_if_bad()
    cores = list(_filled(groups.values(), list(populations), chip))
    _check_tags(cores, sources, chip)
    return Placement(tuple(cores), _where(populations, cores), report)


def _check_chip(chip: Any) -> None:
    check_kind(chip, Chip, "chip", "a `dynapse.Chip`", "place")
    for field, number in chip._asdict().items():
        as_count(number, f"chip.{field}", "place", least=1)


def _populations(flat: graph.Graph) -> dict[str, graph.Neurons]:
    neurons = {name: node for name, node in flat.nodes.items() if isinstance(node, graph.Neurons) and not is_read_out(node)}
    for name, node in neurons.items():
        if node.model != MODEL:
            raise GraphError(
                f"`{name}` is of the model {node.model!r}, and a chip has DPI neurons. Use `dynapse.lower(g)` first.",
                where="place", field=name, value=node.model, allowed=MODEL,
            )  # fmt: skip
    if not neurons:
        raise GraphError(
            "The graph has no DPI neurons. Use `dynapse.lower(g)` on a graph of LIF neurons first.",
            where="place", field="g", value=tuple(flat.nodes), allowed=MODEL,
        )  # fmt: skip
    return neurons


def _connected(flat: graph.Graph, populations: dict[str, graph.Neurons], chip: Chip) -> dict[str, dict[str, np.ndarray]]:
    """Of each population, from each source, `(channels of the source, neurons)`: where there is a synapse."""
    arriving, loop = drives(flat, populations)
    if loop:
        raise GraphError(
            f"The nodes {listed(loop)} form a loop without neurons, which a chip cannot have. Put neurons into it.",
            where="place", field=loop[0], value=loop, allowed="neurons in every loop",
        )  # fmt: skip
    found = {}
    for name, node in populations.items():
        size = int(np.prod(node.shape))
        for source in arriving[name].weights:
            if source not in populations and not isinstance(flat.nodes[source], graph.Input):
                raise GraphError(
                    f"`{source}`, a {type(flat.nodes[source]).__name__}, leads to `{name}`, and a chip only weighs spikes. "
                    "`dynapse.lower` says what to write instead.",
                    where="place", field=source, value=type(flat.nodes[source]).__name__, allowed="Input, Linear, DPI neurons",
                )  # fmt: skip
        weights = arriving[name].weights.items()
        found[name] = {source: np.eye(size, dtype=bool) if matrix is None else matrix != 0 for source, matrix in weights}
        counts = sum((there.sum(axis=0) for there in found[name].values()), np.zeros(size, int))
        if counts.max(initial=0) > chip.synapses:
            worst = int(np.argmax(counts))
            raise HardwareError(
                f"Neuron {worst} of `{name}` has {counts[worst]} synapses, and a neuron of the chip has {chip.synapses} at most "
                f"({int((counts > chip.synapses).sum())} of {size} neurons have too many). Prune its weights, or split it.",
                where="place", field=name, value=int(counts[worst]), allowed=f"at most {chip.synapses}",
            )  # fmt: skip
    return found


def _alike(node: graph.Neurons, codes: dict[str, Codes]) -> list[tuple[Any, dict[str, Codes], np.ndarray]]:
    """The neurons of a population that can share a core: a key, their codes, and their flat indices in order."""
    columns = [np.broadcast_to(code, node.shape).ravel() for pair in codes.values() for code in pair]
    columns.append(np.broadcast_to(np.asarray(node.params["Iscale"], np.float64), node.shape).ravel())
    rows, first, group = np.unique(np.stack(columns, axis=1), axis=0, return_index=True, return_inverse=True)
    found = []
    for k in np.argsort(first):
        here = {name: Codes(*(np.asarray(code, int) for code in rows[k, 2 * j : 2 * j + 2])) for j, name in enumerate(codes)}
        found.append(((tuple(codes), tuple(rows[k])), here, np.flatnonzero(group.ravel() == k)))
    return found


def _filled(groups: Iterable[tuple[dict[str, Codes], list[np.ndarray]]], names: list[str], chip: Chip) -> Iterator[Core]:
    """The cores of all groups, each full before the next is begun."""
    together = [(codes, np.concatenate(rows)) for codes, rows in groups]
    needed = sum(-(-len(rows) // chip.neurons) for _, rows in together)
    if needed > chip.cores:
        total = sum(len(rows) for _, rows in together)
        raise HardwareError(
            f"{_many(total, 'neuron')} with {_many(len(together), 'set')} of bias codes need {_many(needed, 'core')} of "
            f"{_many(chip.neurons, 'neuron')} each, and there are {chip.cores}. A core has one set of biases: give neurons the same "
            "parameters, or use fewer neurons.",
            where="place", field="g", value=needed, allowed=f"at most {chip.cores} cores",
        )  # fmt: skip
    for codes, rows in together:
        for start in range(0, len(rows), chip.neurons):
            here = rows[start : start + chip.neurons]
            yield Core(codes, {names[k]: here[here[:, 0] == k, 1] for k in dict.fromkeys(here[:, 0].tolist())})


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _check_tags(cores: list[Core], connected: dict[str, dict[str, np.ndarray]], chip: Chip) -> None:
    for number, core in enumerate(cores):
        reaching: dict[str, Any] = {}
        for name, index in core.neurons.items():
            for source, there in connected[name].items():
                reaching[source] = reaching.get(source, False) | there[:, index].any(axis=1)
        count = sum(int(there.sum()) for there in reaching.values())
        if count > chip.tags:
            raise HardwareError(
                f"{count} inputs and neurons send spikes to core {number}, which tells {chip.tags} apart. "
                "Use fewer inputs, or sparser weights.",
                where="place", field="g", value=count, allowed=f"at most {chip.tags}",
            )  # fmt: skip


def _where(populations: dict[str, graph.Neurons], cores: list[Core]) -> dict[str, np.ndarray]:
    found = {name: np.full((int(np.prod(node.shape)), 2), -1) for name, node in populations.items()}
    for number, core in enumerate(cores):
        start = 0
        for name, index in core.neurons.items():
            found[name][index] = np.stack([np.full(len(index), number), start + np.arange(len(index))], axis=1)
            start += len(index)
    return {name: array.reshape(*populations[name].shape, 2) for name, array in found.items()}
