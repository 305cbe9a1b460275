"""Nodes, edges and graphs as data: frozen, equal by value, known without JAX."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import textwrap
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import examples
from graphs import LIF, TOPOLOGIES, edges, lif, linear, path
from hypothesis import given
from hypothesis import strategies as st
from models import ALL, Case, name_of

import snnjax
import snnjax.functional as F
from snnjax import graph as G
from snnjax._kinds import Kind, kinds_of
from snnjax.graph._data import ReadOnly
from snnjax.graph._models import MODELS, model_named

EVERY_NODE = [
    G.Input(3),
    G.Output((2, 3)),
    G.Alias(()),
    G.Linear(np.ones((3, 2)), np.ones(2)),
    G.Scale([1.0, 2.0]),
    G.Conv(np.ones((4, 1, 3, 3)), np.zeros(4), input_shape=(2, 8, 8), stride=2, padding=((1, 0), (0, 1)), dilation=2, groups=2),
    G.Pool("max", input_shape=(2, 8), kernel_size=3, stride=2, padding=1),
    G.Flatten((2, 3, 4), 1),
    G.Delay(2e-3, 3),
    G.Threshold(np.array([0.5, 1.0])),
    G.Activation("tanh", 3),
    G.Neurons("lif", F.LIFParams(), 3, {"reset": "reset_to_value", "spike": {"name": "tanh", "slope": 4.0}}),
    G.SubGraph(TOPOLOGIES["chain"]),
]


def test_a_graph_is_read_where_there_is_no_jax(tmp_path):
    G.save(tmp_path / "g.safetensors", TOPOLOGIES["nested"])
    code = f"""
        import sys
        sys.modules.update(dict.fromkeys(["jax", "jaxlib", "equinox", "ml_dtypes", "matplotlib"]))  # an import of them fails
        from snnjax import graph
        g = graph.load({str(tmp_path / "g.safetensors")!r})
        assert graph.from_json(graph.to_json(g)) == g and not graph.validate(g)
        assert graph.topological_order(graph.flatten(g)) and graph.recurrent(g) and repr(g)
        try:
            graph.build
        except ImportError:
            print("no jax")
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True)
    assert done.stdout.strip() == "no jax", done.stderr


@pytest.mark.parametrize("node", EVERY_NODE, ids=lambda node: type(node).__name__)
def test_a_node_is_equal_to_its_copies_and_to_nothing_else(node):
    fields = dict(node.fields())
    for same in (type(node)(**fields), copy.deepcopy(node), pickle.loads(pickle.dumps(node))):
        assert same == node and hash(same) == hash(node) and same is not node
    assert all((node == other) == (node is other) for other in EVERY_NODE)
    assert node != "node" and node != 3


@pytest.mark.parametrize("node", EVERY_NODE, ids=lambda node: type(node).__name__)
def test_a_node_cannot_be_changed(node):
    field = next(iter(dict(node.fields())))
    with pytest.raises(AttributeError):
        setattr(node, field, 0)
    for _, value in node.fields():
        if isinstance(value, np.ndarray):
            with pytest.raises(ValueError, match="read-only"):
                value[...] = 0


@pytest.mark.parametrize("node", EVERY_NODE, ids=lambda node: type(node).__name__)
def test_a_node_is_shown_in_one_line_with_its_shapes(node):
    assert repr(node).startswith(type(node).__name__ + "(") and "\n" not in repr(node)[:-1] or isinstance(node, G.SubGraph)


def test_shapes_are_those_of_one_step():
    shapes = [(node.input_shape, node.output_shape) for node in EVERY_NODE]
    assert shapes == [
        ((3,), (3,)),
        ((2, 3), (2, 3)),
        ((), ()),
        ((3,), (2,)),
        ((2,), (2,)),
        ((2, 8, 8), (4, 3, 3)),
        ((2, 8), (2, 4)),
        ((2, 3, 4), (2, 12)),
        ((3,), (3,)),
        ((2,), (2,)),
        ((3,), (3,)),
        ((3,), (3,)),
        ((3,), (4,)),
    ]


@pytest.mark.parametrize("stride, padding, dilation", [(1, 0, 1), (2, 1, 1), (3, (2, 1), (1, 2)), ((2, 1), ((0, 2), (1, 0)), 2)])
def test_the_output_shape_of_a_convolution_is_that_of_jax(stride, padding, dilation):
    node = G.Conv(np.ones((4, 3, 3, 2)), input_shape=(3, 9, 10), stride=stride, padding=padding, dilation=dilation)
    made = jax.lax.conv_general_dilated(
        jnp.zeros((1, 3, 9, 10)), jnp.ones((4, 3, 3, 2)), node.stride, node.padding, rhs_dilation=node.dilation
    )
    assert made.shape[1:] == node.output_shape


def test_arrays_are_copied_unless_nobody_can_write_to_them():
    mine = np.ones((3, 2))
    node = G.Linear(mine)
    mine[0, 0] = 5.0
    view = mine[:]
    view.flags.writeable = False
    other = G.Linear(view)
    mine[0, 0] = 7.0
    assert node.weight[0, 0] == 1.0 and other.weight[0, 0] == 5.0
    assert G.Linear(node.weight).weight is node.weight
    scale = np.array(2.0)
    assert G.Scale(scale).scale == 2.0 and scale.flags.writeable


@pytest.mark.parametrize("value, dtype", [(1.0, "float64"), (2, "float64"), (np.float32(1), "float32"), (np.int8(3), "int8"),
                                          (jnp.float32(1), "float32"), (jnp.bfloat16(1), "bfloat16"), ([1, 2], "int64"),
                                          (np.ones(2, ">f4"), "float32"), (np.asfortranarray(np.ones((2, 3))), "float64")])  # fmt: skip
def test_a_dtype_is_kept_and_a_python_number_is_float64(value, dtype):
    scale = G.Scale(value).scale
    assert scale.dtype.name == dtype and scale.dtype.isnative and scale.flags.c_contiguous


@pytest.mark.parametrize("value", [True, np.True_, "1", None, 1j, np.array([1j]), np.array(["a"]), [[1], [1, 2]], object(), {"a": 1.0}])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(snnjax.DTypeError, match="`scale` of `Scale` must be a "):
        G.Scale(value)


def test_a_traced_value_is_refused_with_advice():
    with pytest.raises(snnjax.DTypeError, match="`weight` of `Linear`.*make the graph outside of `jit`"):
        jax.jit(lambda w: G.Linear(w).weight)(jnp.ones((2, 2)))


REFUSED = {
    "a negative size": (lambda: G.Input(-1), "`shape` of `Input` must be .* integers, none of them negative; got the int -1"),
    "a fraction": (lambda: G.Output((2, 2.0)), "`shape` of `Output`"),
    "a bool as a size": (lambda: G.Alias(True), "`shape` of `Alias`"),
    "too many channels": (lambda: G.Input((2**20, 2**20)), r"may have 2\*\*31 - 1 channels at most"),
    "a weight of one axis": (lambda: G.Linear(np.ones(3)), r"`weight` of `Linear` must have two axes, \(in, out\); got shape \(3,\)"),
    "a kernel without axes": (lambda: G.Conv(np.ones((2, 2)), input_shape=(2, 2)), "`weight` of `Conv` must be"),
    "an input without channels": (lambda: G.Conv(np.ones((2, 2, 3)), input_shape=8), "`weight` of `Conv` must be"),
    "a large kernel": (lambda: G.Conv(np.ones((2, 2, 9)), input_shape=(2, 8)), "do not hold a kernel of"),
    "a stride of 0": (lambda: G.Conv(np.ones((2, 2, 3)), input_shape=(2, 8), stride=0), "`stride` of `Conv` must be a positive integer"),
    "two strides": (lambda: G.Conv(np.ones((2, 2, 3)), input_shape=(2, 8), stride=(1, 1)), "`stride` of `Conv`"),
    "negative padding": (lambda: G.Pool("max", input_shape=(2, 8), kernel_size=2, padding=-1), "`padding` of `Pool`"),
    "a pool without channels": (lambda: G.Pool("max", input_shape=8, kernel_size=2), "`input_shape` of `Pool` must be"),
    "an axis too many": (lambda: G.Flatten((2, 3), 2), "`start` of `Flatten` must be one of the 2 axes"),
    "axes in the wrong order": (lambda: G.Flatten((2, 3), 1, 0), "`start` of `Flatten` must not come after `end`"),
    "nothing to flatten": (lambda: G.Flatten(()), "must be one of the 0 axes"),
    "indices with two axes": (lambda: G.Edge("a", "b", [[0]]), r"`source_indices` of `Edge` must have one axis.*got shape \(1, 1\)"),
    "fractional indices": (lambda: G.Edge("a", "b", [0.5]), "`source_indices` of `Edge` must be integers.*got float64"),
    "a mask as indices": (lambda: G.Edge("a", "b", None, [True, False]), r"`target_indices`.*Use `numpy\.flatnonzero"),
    "a node as a source": (lambda: G.Edge(G.Input(2), "b"), "`source` of `Edge` must be the name of a node; got `Input`"),
    "adds as a number": (lambda: G.Edge("a", "b", adds=1), "`adds` of `Edge` must be True or False"),
    "a model that is no name": (lambda: G.Neurons(F.lif, {}, 2), "`model` of `Neurons` must be the name of a neuron model"),
    "params that are no mapping": (lambda: G.Neurons("lif", [1.0], 2), "`params` of `Neurons` must be the Params of the model"),
    "a parameter that is text": (lambda: G.Neurons("lif", {"v_th": "1"}, 2), "`v_th` of `Neurons` must be a real number"),
    "choices that are functions": (lambda: G.Neurons("lif", {}, 2, {"reset": len}), "`choices` of `Neurons` must hold what JSON can hold"),
    "choices with NaN": (lambda: G.Neurons("lif", {}, 2, {"slope": float("nan")}), "`choices` of `Neurons`"),
    "a function that is no name": (lambda: G.Activation(np.tanh, 2), "`function` of `Activation` must be a name"),
    "a pooling that is no name": (lambda: G.Pool(max, input_shape=(2, 8), kernel_size=2), "`kind` of `Pool` must be one of"),
    "nodes that are none": (lambda: G.Graph({"a": 3}, []), "`nodes` of `Graph` must be a mapping from names to nodes.*got 'a': 3"),
    "names that are none": (lambda: G.Graph({1: G.Input(2)}, []), "`nodes` of `Graph` must be"),
    "a list of nodes": (lambda: G.Graph([G.Input(2)], []), "`nodes` of `Graph` must be"),
    "two nodes of a name": (lambda: G.Graph([("a", G.Input(2)), ("a", G.Input(3))], []), "`nodes` of `Graph` has two nodes 'a'"),
    "edges that are pairs": (lambda: G.Graph({}, [("a", "b")]), "`edges` of `Graph` must be Edges.*got the tuple .* at index 0"),
    "a sub-graph that is none": (lambda: G.SubGraph({}), "`graph` of `SubGraph` must be a Graph"),
    "an option that there is not": (lambda: G.Linear(np.ones((2, 2)), weigth=1), "Did you mean `weight`?"),
    "a keyword that there is not": (lambda: G.Graph(node={}), "Did you mean `nodes`?"),
}  # fmt: skip


@pytest.mark.parametrize("make, match", REFUSED.values(), ids=REFUSED)
def test_what_is_of_the_wrong_kind_is_refused_when_it_is_made(make: Any, match: str) -> None:
    with pytest.raises(snnjax.SnnjaxError, match=match) as caught:
        make()
    assert caught.value.field


def test_graphs_nest_eight_deep():
    g = G.Graph({"in": G.Input(1)}, [])
    for _ in range(8):
        g = G.Graph({"block": G.SubGraph(g)}, [])
    with pytest.raises(snnjax.GraphError, match="`graph` of `SubGraph` may be nested 8 deep at most; got 9"):
        G.SubGraph(g)


def test_a_graph_cannot_be_changed():
    g = TOPOLOGIES["chain"]
    for change in (lambda: setattr(g, "nodes", {}), lambda: delattr(g, "edges"), lambda: setattr(g, "more", 1)):
        with pytest.raises(AttributeError):
            change()
    for change in (lambda: g.nodes.update(a=1), lambda: g.nodes.pop("in"), lambda: g.nodes.__setitem__("a", 1), g.nodes.clear):
        with pytest.raises(TypeError, match="does not change"):
            change()


@pytest.mark.parametrize("g", TOPOLOGIES.values(), ids=TOPOLOGIES)
def test_a_graph_is_equal_to_its_copies(g):
    copies = (
        G.Graph(dict(g.nodes), list(g.edges)),
        copy.deepcopy(g),
        pickle.loads(pickle.dumps(g)),
        G.Graph(list(g.nodes.items()), g.edges),
    )
    for same in copies:
        assert G.equal(same, g) and same == g and hash(same) == hash(g)
    assert sum(g == other for other in TOPOLOGIES.values()) == 1


def test_order_and_bits_make_a_difference():
    g = path({"in": G.Input(2), "s": G.Scale([0.0, 1.0]), "out": G.Output(2)})
    others = [
        G.Graph(dict(reversed(g.nodes.items())), g.edges),
        G.Graph(g.nodes, g.edges[::-1]),
        G.Graph(g.nodes, [*g.edges[:1], G.Edge("s", "out", adds=True)]),
        G.Graph(g.nodes, [*g.edges[:1], G.Edge("s", "out", [0, 1])]),
        G.replace(g, "s", G.Scale([-0.0, 1.0])),
        G.replace(g, "s", G.Scale(np.array([0.0, 1.0], np.float32))),
        G.replace(g, "s", G.Threshold([0.0, 1.0])),
    ]
    assert all(g != other for other in others)
    nan = G.Scale([np.nan])
    assert nan == G.Scale([np.nan])


def test_equal_wants_graphs():
    with pytest.raises(snnjax.DTypeError, match="`b` of `equal` must be a Graph; got the dict {}"):
        G.equal(TOPOLOGIES["chain"], {})  # type: ignore[arg-type]


def test_params_of_any_kind_give_the_same_node():
    params = F.RefractoryParams(F.LIFParams(tau_mem=jnp.array([0.01, 0.02])), t_ref=3e-3)
    node = G.Neurons("lif_refrac", params, 2)
    assert node == G.Neurons("lif_refrac", {"neuron": params.neuron, "t_ref": np.float64(3e-3)}, (2,))
    assert isinstance(node.params, ReadOnly) and node.params["neuron"]["tau_mem"].dtype == np.float32
    assert list(node.params["neuron"]) == list(F.LIFParams._fields)


def test_a_gate_that_is_absent_is_left_out():
    bias = F.BiasCurrents(Itau_syn=F.Gates(ampa=1e-11, gaba=2e-11))
    node = G.Neurons("dynapse_dpi", F.DynapseParams(bias=bias), 2)
    assert list(node.params["bias"]["Itau_syn"]) == ["ampa", "gaba"]
    wrong = G.Neurons("dynapse_dpi", F.DynapseParams(bias=F.BiasCurrents(Itau_syn={"apma": 1e-11})), 2)
    assert [p.kind for p in G.validate(path({"in": G.Input(2), "n": wrong, "out": G.Output(2)}))] == ["parameter"]


# What graphs know of the models


def _kinds(params: Any) -> Any:
    kinds = kinds_of(type(params))
    return {name: kinds[name] if name in kinds else _kinds(value) for name, value in params._asdict().items()}


@pytest.mark.parametrize("case", [*ALL, Case(F.dynapse_dpi, F.dynapse_dpi.default())], ids=name_of)
def test_a_graph_knows_the_parameters_of_every_model(case):
    known = model_named(case.name)
    assert known is not None, f"Add {case.name!r} to `snnjax/graph/_models.py`."
    assert known.params == _kinds(case.params)
    assert (known.n_synapses,) * bool(known.n_synapses) == case.neuron.ports and known.spiking == case.neuron.spiking


def test_the_table_holds_the_models_and_no_others():
    assert sorted(MODELS) == sorted(F.MODELS)


NOT_KNOWN = [
    "", "Lif", "lif ", "lif\n", "refractory(lif, eval)", "refractory()", "refractory(leaky_integrator)", "refractory(dynapse_dpi)",
    "refractory(injected(lif))", "refractory(membrane(lif))", "synapses(lif)", "synapses(lif, 0)", "synapses(lif, 65)",
    "synapses(lif, \u0662)",
    "synapses(synapses(lif, 2), 2)", "recurrent(lif, 2)", "membrane(refractory(lif))", "membrane(lif_refrac)", "delta(synapses(lif, 2))",
    "refractory(" * 40 + "lif" + ")" * 40,
]  # fmt: skip


@pytest.mark.parametrize("name", NOT_KNOWN)
def test_other_names_are_not_known(name):
    from snnjax.somas._neuron_names import neuron_named

    assert model_named(name) is None and neuron_named(name) is None


_WRAPPERS = ["refractory({})", "refractory({}, gate_input)", "refractory({}, hold)", "recurrent({})", "synapses({}, 2)", "delta({})",
             "injected({})", "membrane({})", "{}"]  # fmt: skip


@examples(300)
@given(st.sampled_from(sorted(MODELS)), st.lists(st.sampled_from(_WRAPPERS), max_size=4))
def test_graphs_and_somas_know_the_same_names(model, wrappers):
    from snnjax.somas._neuron_names import neuron_named

    for wrapper in wrappers:
        model = wrapper.format(model)
    assert (model_named(model) is None) == (neuron_named(model) is None)


class QIFParams(NamedTuple):
    tau_mem: F.TimeConstant = 10e-3
    v_th: F.Potential = 5.0


def test_a_model_of_ones_own_is_checked_once_it_is_registered():
    def problems(model: str) -> list[str]:
        node = G.Neurons(model, {"neuron": {"tau_mem": -1.0, "v_thh": 5.0}, "t_ref": 1e-3}, 3)
        return [f"{it.kind} {it.what}" for it in G.validate(path({"in": G.Input(3), "n": node, "out": G.Output(3)}))]

    assert problems("refractory(own_qif)") == ["model The model 'refractory(own_qif)' is not known."]
    G.register("own_qif", QIFParams)
    G.register("own_qif", {"tau_mem": F.TimeConstant, "v_th": kinds_of(QIFParams)["v_th"]})  # the same again
    assert problems("refractory(own_qif)") == [
        "parameter `neuron.v_thh` is not a parameter of the model.",
        "domain `neuron.tau_mem` must be > 0 s and finite; got -1.0.",
        "parameter `neuron.v_th` is missing.",
    ]
    G.register("own_two", QIFParams, n_synapses=2)
    assert G.Neurons("own_two", {}, (4, 3)).input_shape == (4, 2, 3)


@pytest.mark.parametrize(
    "call, match",
    [
        (lambda: G.register("lif", QIFParams), "that the library does not use itself; got the str 'lif'"),
        (lambda: G.register("recurrent", QIFParams), "that the library does not use itself"),
        (lambda: G.register("a b", QIFParams), "must be a name of letters, digits and `_`"),
        (lambda: G.register("q\u00e9", QIFParams), "must be a name of letters"),
        (lambda: G.register(3, QIFParams), "must be a name of letters"),  # type: ignore[arg-type]
        (lambda: G.register("q1", {"tau": float}), "`params` gives 'tau' no kind"),
        (lambda: G.register("q1", {"tau": Kind("tau", "s", "odd")}), "`params` gives 'tau' no kind"),
        (lambda: G.register("q1", ["tau"]), r"`params` is the list \['tau'\]"),
        (lambda: G.register("q1", QIFParams, n_synapses=65), "`n_synapses` must be an integer from 0 to 64"),
        (lambda: (G.register("q2", QIFParams), G.register("q2", {})), "'q2' is registered already, with other parameters"),
        (lambda: G.register("q1", QIFParams, synapses=2), "`synapses` is not an argument of `register`. Did you mean `n_synapses`?"),
    ],
)
def test_a_registration_that_makes_no_sense_is_refused(call, match):
    with pytest.raises(snnjax.SnnjaxError, match=match):
        call()


# The table


def test_a_graph_is_shown_as_a_table():
    g = G.Graph(
        {"in": G.Input(3), "w": linear(3, 2), "lif": lif(2, tau_mem=np.array([0.01, 0.02])), "out": G.Output(2)},
        [*edges(("in", "w"), ("w", "lif")), G.Edge("lif", "lif", [0, 1], [1, 0]), G.Edge("lif", "out", adds=True)],
    )
    assert repr(g).splitlines() == [
        "Graph of 4 nodes and 4 edges",
        "  in   Input        (3,)",
        "  w    Linear       (3,) -> (2,)  weight=float32[3, 2]",
        "  lif  Neurons lif  (2,)          tau_mem=float64[2], tau_syn=0.005, v_leak=0.0, v_th=1.0, v_reset=0.0, bias=0.0",
        "  out  Output       (2,)",
        "",
        "  in   ->  w",
        "  w    ->  lif",
        "  lif  ->  lif  [0, 1] -> [1, 0], one step later",
        "  lif  ->  out  adds",
    ]


def test_a_large_graph_is_shown_in_part_and_a_broken_one_too():
    g = path({f"n{k}": G.Alias(1) for k in range(1000)})
    assert "... and 960 more nodes" in repr(g) and "... and 959 more edges" in repr(g) and len(repr(g).splitlines()) == 84
    assert "nowhere" in repr(G.Graph({"in": G.Input(1)}, edges(("in", "nowhere"))))
    assert repr(G.Graph({}, [])) == "Graph of 0 nodes and 0 edges"
    assert all(len(line) <= 140 for line in repr(path({"n" * 100: lif(1), "m": G.Neurons("l" * 200, LIF, 1)})).splitlines())


def test_the_namespace_lists_what_it_has():
    assert {"of", "build", "Graph", "validate"} <= set(dir(G)) and list(G.__all__) == sorted(G.__all__)
    assert snnjax.graph is G
    with pytest.raises(AttributeError, match="module `snnjax.graph` has no attribute `biuld`"):
        G.biuld  # noqa: B018  # pyright: ignore
