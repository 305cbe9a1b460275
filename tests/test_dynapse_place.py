"""Neurons onto cores: as few as their biases allow, none forgotten, none over what a core or a neuron has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

import snnjax.functional as F
from snnjax import ConfigError, GraphError, HardwareError, ParameterError, dynapse, graph

REAL = F.DynapseParams()


def chain(*nodes: tuple[str, graph.Node]) -> graph.Graph:
    names = [name for name, _ in nodes]
    return graph.Graph(dict(nodes), [graph.Edge(*pair) for pair in zip(names, names[1:], strict=False)])


def population(n: int, params: F.DynapseParams = REAL) -> graph.Graph:
    return chain(
        ("in", graph.Input(n)),
        ("w", graph.Scale(np.ones(n))),
        ("hidden", graph.Neurons("dynapse_dpi", params, n)),
        ("out", graph.Output(n)),
    )


def placed(placement: dynapse.Placement, name: str) -> list[tuple[int, int]]:
    return [tuple(row) for row in placement.where[name].reshape(-1, 2).tolist()]


@pytest.mark.parametrize("sizes", [range(1, 4097, 64), range(254, 260), (4095, 4096), pytest.param(range(1, 4097), marks=pytest.mark.long)])
def test_any_number_of_equal_neurons_fills_as_few_cores_as_there_can_be(sizes: Sequence[int]) -> None:
    # Without a projection: its matrix of 4,096 x 4,096 is what would take long.
    for n in sizes:
        nodes = {"hidden": graph.Neurons("dynapse_dpi", REAL, n), "out": graph.Output(n), "in": graph.Input(n)}
        found = dynapse.place(graph.Graph(nodes, [graph.Edge("in", "hidden"), graph.Edge("hidden", "out")]))
        assert len(found.cores) == -(-n // 256)
        assert max(core.count for core in found.cores) <= 256 and sum(core.count for core in found.cores) == n
        assert len(set(placed(found, "hidden"))) == n and (found.where["hidden"] >= 0).all()
        assert all(list(core.codes) == list(F.BiasCurrents._fields) for core in found.cores)


def test_one_neuron_more_than_the_chip_has_is_refused() -> None:
    with pytest.raises(HardwareError, match=r"4097 neurons with 1 set of bias codes need 17 cores.*there are 16") as caught:
        dynapse.place(population(4097))
    assert (caught.value.field, caught.value.value) == ("g", 17)


@pytest.mark.parametrize(("synapses", "fits"), [(64, True), (65, False)])
def test_a_neuron_has_sixty_four_synapses_from_everywhere_together(synapses: int, fits: bool) -> None:
    weight, loop = np.zeros((40, 3)), np.zeros((3, 3))
    weight[:, 1], loop[:, 1] = 1.0, -1.0  # 43 into neuron 1, and the others from a second input
    other = np.zeros((30, 3))
    other[: synapses - 43, 1] = 0.5
    nodes = {
        "a": graph.Input(40), "b": graph.Input(30), "wa": graph.Linear(weight), "wb": graph.Linear(other),
        "hidden": graph.Neurons("dynapse_dpi", REAL, 3), "loop": graph.Linear(loop), "out": graph.Output(3),
    }  # fmt: skip
    pairs = [("a", "wa"), ("b", "wb"), ("wa", "hidden"), ("wb", "hidden"), ("hidden", "loop"), ("loop", "hidden"), ("hidden", "out")]
    g = graph.Graph(nodes, [graph.Edge(*pair) for pair in pairs])
    if fits:
        assert len(dynapse.place(g).cores) == 1
        return
    text = r"Neuron 1 of `hidden` has 65 synapses, and a neuron of the chip has 64 at most \(1 of 3"
    with pytest.raises(HardwareError, match=text) as caught:
        dynapse.place(g)
    assert (caught.value.field, caught.value.value) == ("hidden", 65)


def test_neurons_with_other_codes_go_to_another_core_and_equal_ones_of_all_populations_share_one() -> None:
    slow, fast = 5.4e-12, 20e-12
    mixed = REAL._replace(bias=REAL.bias._replace(Itau_mem=np.array([slow, fast, slow, fast, fast])))
    g = chain(
        ("in", graph.Input(5)),
        ("mixed", graph.Neurons("dynapse_dpi", mixed, 5)),
        ("w", graph.Linear(np.ones((5, 2)))),
        ("slow", graph.Neurons("dynapse_dpi", REAL._replace(bias=REAL.bias._replace(Itau_mem=slow)), 2)),
        ("out", graph.Output(2)),
    )
    found = dynapse.place(g)
    assert placed(found, "mixed") == [(0, 0), (1, 0), (0, 1), (1, 1), (1, 2)] and placed(found, "slow") == [(0, 2), (0, 3)]
    assert [{name: index.tolist() for name, index in core.neurons.items()} for core in found.cores] == [
        {"mixed": [0, 2], "slow": [0, 1]},
        {"mixed": [1, 3, 4]},
    ]
    for core, current in zip(found.cores, (slow, fast), strict=True):
        code = core.codes["Itau_mem"]
        assert dynapse.Generator().current("Itau_mem", code.coarse, code.fine) == pytest.approx(current, rel=0.05)
    assert str(found).splitlines() == ["core  neurons  populations", "   0        4  mixed (2), slow (2)", "   1        3  mixed (3)"]


def test_more_sets_of_biases_than_cores_are_refused_and_named() -> None:
    many = REAL._replace(bias=REAL.bias._replace(Itau_mem=np.geomspace(5e-12, 5e-10, 20)))
    with pytest.raises(HardwareError, match=r"20 neurons with 20 sets of bias codes need 20 cores of 256 neurons each.*same parameters"):
        dynapse.place(population(20, many))
    assert len(dynapse.place(population(20, many), chip=dynapse.Chip(cores=20)).cores) == 20


def test_a_core_tells_two_thousand_sources_apart() -> None:
    weight = np.zeros((2100, 60))
    weight[np.arange(2100), np.arange(2100) % 60] = 1.0  # 35 synapses each
    g = chain(
        ("in", graph.Input(2100)),
        ("w", graph.Linear(weight)),
        ("hidden", graph.Neurons("dynapse_dpi", REAL, 60)),
        ("out", graph.Output(60)),
    )
    with pytest.raises(HardwareError, match=r"2100 inputs and neurons send spikes to core 0, which tells 2048 apart"):
        dynapse.place(g)
    assert len(dynapse.place(g, chip=dynapse.Chip(neurons=30)).cores) == 2  # half of the sources each


def test_what_a_lowered_network_asks_for_is_in_the_report() -> None:
    g = chain(
        ("in", graph.Input(3)),
        ("w", graph.Linear(np.ones((3, 4)))),
        ("hidden", graph.Neurons("lif", F.LIFParams(), 4)),
        ("out", graph.Output(4)),
    )
    with pytest.raises(GraphError, match=r"`hidden` is of the model 'lif', and a chip has DPI neurons. Use `dynapse.lower\(g\)` first."):
        dynapse.place(g)
    lowered, report = dynapse.lower(g)
    with pytest.raises(HardwareError, match=r"`hidden`: `Idc` must be a current that its bias can make"):
        dynapse.place(lowered)
    found = dynapse.place(lowered, saturate=True)
    assert [entry.field for entry in found.report.entries] == [entry.field for entry in report.entries]
    assert found.where["hidden"].shape == (4, 2) and "`hidden`: `Idc`" in str(found)


def test_what_a_chip_cannot_do_is_refused() -> None:
    with pytest.raises(GraphError, match="The graph has no DPI neurons"):
        dynapse.place(chain(("in", graph.Input(2)), ("out", graph.Output(2))))
    pooled = chain(
        ("in", graph.Input(2)),
        ("late", graph.Delay(1e-3, 2)),
        ("hidden", graph.Neurons("dynapse_dpi", REAL, 2)),
        ("out", graph.Output(2)),
    )
    with pytest.raises(GraphError, match="`late`, a Delay, leads to `hidden`, and a chip only weighs spikes"):
        dynapse.place(pooled)
    with pytest.raises(ParameterError, match=r"`chip.cores` must be a whole number, 1 or more; got 0"):
        dynapse.place(population(2), chip=dynapse.Chip(cores=0))
    with pytest.raises(ConfigError, match=r"`core` is not a.*Did you mean `cores`\?"):
        dynapse.Chip(core=1)  # type: ignore[call-arg]
