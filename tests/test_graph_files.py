"""Graphs in files and as JSON: the same bits back, and a clear refusal of everything else."""

from __future__ import annotations

import hashlib
import json
import random
import re
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import examples
from graphs import TOPOLOGIES, graphs, lif, linear, numbers, path
from hypothesis import HealthCheck, given

import snnjax
from snnjax import _files as files
from snnjax import graph as G
from snnjax._files import strict_json

LIMIT = 200 * 10**6  # bytes that loading any of these files may take


def rich() -> G.Graph:
    """A graph with every kind of node and every dtype, nested, with indices and choices."""
    rng = np.random.default_rng(0)
    nodes: dict[str, G.Node] = {"in": G.Input(4)}
    for k in range(12):
        nodes[f"scale_{k}"] = G.Scale(numbers(rng, (4,)))
    nodes["conv"] = G.Conv(np.ones((4, 1, 1), np.float32), np.zeros(4), input_shape=(4, 1), groups=4)
    nodes["pool"] = G.Pool("average", input_shape=(4, 1), kernel_size=1)
    nodes["flatten"] = G.Flatten((4, 1))
    nodes["delay"] = G.Delay(2e-3, 4)
    nodes["threshold"] = G.Threshold(np.float16(0.1), 4)
    nodes["activation"] = G.Activation("relu", 4)
    nodes["w"] = linear(4, 4)
    nodes["lif"] = lif(4, tau_mem=np.linspace(0.01, 0.02, 4, dtype=np.float32))
    nodes["block"] = G.SubGraph(TOPOLOGIES["nested"])
    nodes["out"] = G.Output(4)
    names = list(nodes)
    wires = [
        G.Edge(a, b) if nodes[a].output_shape == nodes[b].input_shape else G.Edge(a, b, range(4), range(4))
        for a, b in zip(names, names[1:], strict=False)
    ]
    return G.Graph(nodes, [*wires, G.Edge("lif", "w", [0, 1], [1, 0]), G.Edge("in", "out", [0, 0], [1, 1], adds=True)])


RICH = rich()


@pytest.fixture
def saved(tmp_path):
    G.save(tmp_path / "g.safetensors", RICH)
    return tmp_path / "g.safetensors"


def with_digest(data: bytes) -> bytes:
    """The file with a checksum that fits again, as someone would who means harm."""
    length = int.from_bytes(data[:8], "little")
    head = re.sub(rb'"sha256":"[^"]*"', b'"sha256":"' + b"0" * 64 + b'"', data[8 : 8 + length], count=1)
    digest = hashlib.sha256(data[:8] + head + data[8 + length :]).hexdigest().encode()
    return data[:8] + head.replace(b"0" * 64, digest, 1) + data[8 + length :]


def rewritten(saved: Path, change: Any) -> None:
    """The file with another header, and a checksum that fits."""
    header, arrays = files.read(saved, "graph", 1)
    arrays = dict(arrays)
    change(header, arrays)
    files.write(saved, "graph", 1, header, arrays)


# There and back


@pytest.mark.parametrize("g", [*TOPOLOGIES.values(), RICH, G.Graph({}, [])], ids=[*TOPOLOGIES, "rich", "nothing"])
def test_a_graph_comes_back_to_the_bit(g, tmp_path):
    G.save(tmp_path / "g", g)
    assert G.load(tmp_path / "g") == g and G.from_json(G.to_json(g)) == g and G.from_json(G.to_json(g, indent=2).encode()) == g


def round_trip(g: G.Graph, folder: Path) -> None:
    assert G.validate(g) == ()
    G.save(folder / "g", g)
    assert G.load(folder / "g") == g
    assert G.from_json(G.to_json(g)) == g


@examples(200, suppress_health_check=list(HealthCheck))
@given(graphs())
def test_any_graph_comes_back_to_the_bit(tmp_path_factory, g):
    round_trip(g, tmp_path_factory.getbasetemp())


def test_equal_graphs_give_equal_files_and_texts(saved, tmp_path):
    G.save(tmp_path / "again", rich())
    assert (tmp_path / "again").read_bytes() == saved.read_bytes() and G.to_json(rich()) == G.to_json(RICH)


def test_a_loaded_graph_cannot_be_changed(saved):
    weight = G.load(saved).nodes["w"].weight
    with pytest.raises(ValueError, match="read-only"):
        weight[0, 0] = 1.0


def test_other_tools_read_the_arrays_under_the_names_of_nodes(saved):
    import safetensors.numpy

    found = safetensors.numpy.load_file(saved)
    (weight,) = (array for name, array in found.items() if name.endswith(".w.weight"))
    assert np.array_equal(weight, RICH.nodes["w"].weight)


def test_the_json_of_a_graph_is_what_the_documentation_says():
    g = path({"in": G.Input(2), "s": G.Scale(np.array([0.5, -0.0], np.float32)), "d": G.Delay(2e-3, 2), "out": G.Output(2)})
    assert json.loads(G.to_json(G.Graph(g.nodes, [*g.edges, G.Edge("in", "out", [0], [1], adds=True)]))) == {
        "kind": "graph",
        "version": 1,
        "nodes": [
            {"name": "in", "type": "Input", "shape": [2]},
            {"name": "s", "type": "Scale", "scale": {"dtype": "float32", "shape": [2], "values": [0.5, -0.0]}},
            {"name": "d", "type": "Delay", "delay": 0.002, "shape": [2]},
            {"name": "out", "type": "Output", "shape": [2]},
        ],
        "edges": [
            {"source": "in", "target": "s"},
            {"source": "s", "target": "d"},
            {"source": "d", "target": "out"},
            {
                "source": "in",
                "target": "out",
                "source_indices": {"dtype": "int64", "shape": [1], "values": [0]},
                "target_indices": {"dtype": "int64", "shape": [1], "values": [1]},
                "adds": True,
            },
        ],
    }


def test_a_graph_too_large_for_text_is_refused_before_it_cannot_be_read_back(monkeypatch):
    monkeypatch.setattr(strict_json, "MAX_MEMORY", 10_000)
    with pytest.raises(snnjax.FormatError, match="more than `from_json` reads. Use `graph.save`"):
        G.to_json(RICH)


def test_saving_refuses_what_it_could_not_give_back(tmp_path):
    with pytest.raises(snnjax.GraphError, match="got nan"):
        G.save(tmp_path / "x", path({"in": G.Input(()), "s": G.Scale(float("nan")), "out": G.Output(())}))
    own = type("Own", (G.Alias,), {})
    with pytest.raises(snnjax.GraphError, match="Node 'own' is a Own, which a file cannot name; it can name Activation, Alias"):
        G.save(tmp_path / "x", path({"in": G.Input(2), "own": own(2), "out": G.Output(2)}))
    with pytest.raises(snnjax.DTypeError, match="`path` must be a path, a string or a `pathlib.Path`; got `Graph`"):
        G.save(TOPOLOGIES["chain"], "x")  # type: ignore[arg-type]
    with pytest.raises(snnjax.DTypeError, match="`g` of `save` must be a Graph; got the str 'chain'"):
        G.save(tmp_path / "x", "chain")  # type: ignore[arg-type]


# What is not a graph


def _node(header: Any, name: str) -> Any:
    return next(node for node in header["nodes"] if node["name"] == name)


def _key(arrays: Any, end: str) -> str:
    return next(name for name in arrays if name.endswith(end))


def number(dtype: Any, value: Any) -> Any:
    return {"dtype": dtype, "shape": [], "values": [value]}


HOSTILE = {
    "an unknown type": (lambda h, a: _node(h, "w").update(type="os.system"), "node 'w' of the type 'os.system'"),
    "a type of another library": (lambda h, a: _node(h, "w").update(type="__import__"), "of the type '__import__'"),
    "a type that is no text": (lambda h, a: _node(h, "w").update(type=["Linear"]), "a node without a name or a type"),
    "no name": (lambda h, a: _node(h, "w").pop("name"), "a node without a name or a type"),
    "a name twice": (lambda h, a: _node(h, "w").update(name="lif"), "has two nodes 'lif'"),
    "a path as a name": (lambda h, a: _node(h, "w").update(name="../../etc/passwd"), "has a `/`"),
    "a NUL in a name": (lambda h, a: _node(h, "w").update(name="w\0"), r"The name is 'w\\x00'"),
    "a field too many": (lambda h, a: _node(h, "w").update(more=1), "unknown field 'more' in node 'w'"),
    "a field missing": (lambda h, a: _node(h, "w").pop("bias"), "lacks the field 'bias' in node 'w'; nothing is filled in"),
    "a node that is none": (lambda h, a: h["nodes"].append(3), "a node without a name or a type"),
    "nodes that are no list": (lambda h, a: h.update(nodes={}), "nodes and edges that are no lists"),
    "an edge that is none": (lambda h, a: h["edges"].append("in"), "no mapping where edge"),
    "an edge to nowhere": (lambda h, a: h["edges"].append({"source": "in", "target": "nowhere"}), "'nowhere' is not a node"),
    "an edge of numbers": (lambda h, a: h["edges"].append({"source": 1, "target": 2}), "describes edge .* wrongly: `source` of `Edge`"),
    "an edge with a weight": (lambda h, a: h["edges"][0].update(weight=1.0), "unknown field 'weight' in edge 0"),
    "no header": (lambda h, a: h.clear(), "lacks the field 'nodes' in a graph"),
    "no arrays": (lambda h, a: a.clear(), "names an array .* that the file does not have"),
    "an array too many": (lambda h, a: a.update(more=np.zeros(3)), "uses no array 'more'"),
    "an array twice": (lambda h, a: _node(h, "scale_1").update(scale=_node(h, "scale_0")["scale"]), "or names it twice"),
    "a path for an array": (lambda h, a: _node(h, "w").update(weight={"array": "/etc/passwd"}), "names an array '/etc/passwd'"),
    "text for an array": (lambda h, a: _node(h, "w").update(weight="ones"), "describes node 'w' wrongly: `weight` of `Linear`"),
    "nothing for an array": (lambda h, a: _node(h, "w").update(weight=None), "describes node 'w' wrongly"),
    "an array of another shape": (lambda h, a: a.update({_key(a, "w.weight"): np.zeros((4, 5), np.float32)}), "has 1 problem"),
    "an array of one axis": (lambda h, a: a.update({_key(a, "w.weight"): np.zeros(4)}), "must have two axes"),
    "an array of bools": (lambda h, a: a.update({_key(a, "w.weight"): np.ones((4, 4), bool)}), r"got bool of shape \(4, 4\)"),
    "NaN": (lambda h, a: a.update({_key(a, "w.weight"): np.full((4, 4), np.nan)}), "`weight` must be finite; got nan"),
    "a value outside its domain": (lambda h, a: a.update({_key(a, "tau_mem"): np.zeros(4)}), "`tau_mem` must be > 0 s"),
    "indices of floats": (lambda h, a: a.update({_key(a, "target_indices"): np.zeros(2)}), "must be integers"),
    "a huge claim inline": (
        lambda h, a: _node(h, "threshold").update(threshold={"dtype": "float64", "shape": [2**30], "values": [0.0]}),
        "whose shape and values do not go together",
    ),
    "a huge shape": (lambda h, a: _node(h, "in").update(shape=[2**30, 2**30]), r"2\*\*31 - 1 channels at most"),
    "a huge population": (lambda h, a: _node(h, "lif").update(shape=[2**30]), "does not fit the population"),
    "a negative shape": (lambda h, a: _node(h, "in").update(shape=[-4]), "none of them negative"),
    "a fractional shape": (lambda h, a: _node(h, "in").update(shape=[4.0]), "describes node 'in' wrongly"),
    "a shape of text": (lambda h, a: _node(h, "in").update(shape="4"), "describes node 'in' wrongly"),
    "a shape of forty axes": (lambda h, a: _node(h, "in").update(shape=[1] * 40), "describes node 'in' wrongly"),
    "a stride of 0": (lambda h, a: _node(h, "conv").update(stride=[0]), "describes node 'conv' wrongly: `stride`"),
    "a huge kernel": (lambda h, a: _node(h, "pool").update(kernel_size=[2**40]), "describes node 'pool' wrongly"),
    "choices that are text": (lambda h, a: _node(h, "lif").update(choices={"reset": {"a": [1]}}), None),
    "parameters that are none": (lambda h, a: _node(h, "lif").update(params=[1]), "no mapping as the parameters of node 'lif'"),
    "a parameter too many": (lambda h, a: _node(h, "lif")["params"].update(more=1.0), "`more` is not a parameter"),
    "a parameter missing": (lambda h, a: _node(h, "lif")["params"].pop("bias"), "`bias` is missing"),
    "an unknown model": (lambda h, a: _node(h, "lif").update(model="eval(lif)"), r"The model 'eval\(lif\)' is not known"),
    "a model that is no name": (lambda h, a: _node(h, "lif").update(model=3), "`model` of `Neurons` must be the name"),
    "a number that is none": (lambda h, a: _node(h, "delay").update(delay=True), "describes node 'delay' wrongly"),
    "an unknown dtype": (lambda h, a: _node(h, "threshold").update(threshold=number("object", 0)), "without a known dtype"),
    "a dtype that is none": (lambda h, a: _node(h, "threshold").update(threshold=number(3, 0)), "without a known dtype"),
    "a number beyond its dtype": (
        lambda h, a: _node(h, "threshold").update(threshold=number("float16", 1e6)), "that float16 cannot hold"),
    "an integer beyond its dtype": (
        lambda h, a: _node(h, "threshold").update(threshold=number("int8", 300)), "that cannot be int8"),
    "a fraction as an integer": (
        lambda h, a: _node(h, "threshold").update(threshold=number("int8", 0.5)), "with values that are none"),
    "a block that is none": (lambda h, a: _node(h, "block").update(graph=3), "no mapping where a graph should be"),
}  # fmt: skip


@pytest.mark.parametrize("change, match", HOSTILE.values(), ids=HOSTILE)
def test_a_header_that_lies_is_refused(saved, change, match):
    rewritten(saved, change)
    if match is None:
        assert isinstance(G.load(saved), G.Graph)  # what choices mean is for `build` to say
        return
    with pytest.raises((snnjax.FormatError, snnjax.GraphError), match=match):
        G.load(saved)


def test_a_deeply_nested_graph_is_refused(saved):
    def nest(header, arrays):
        for _ in range(9):
            block = {"name": "b", "type": "SubGraph", "graph": {"nodes": header["nodes"], "edges": header["edges"]}}
            header.update(nodes=[block], edges=[])

    rewritten(saved, nest)
    with pytest.raises(snnjax.FormatError, match="`graph` of `SubGraph` may be nested 8 deep at most; got 9|nest at most 64"):
        G.load(saved)


HOSTILE_TEXTS = {
    "nothing": ("", "be complete JSON"),
    "no JSON": ("graph", "be complete JSON"),
    "a pickle": (b"\x80\x04\x95\x10\x00\x00\x00", "be UTF-8"),
    "a number": ("3", "is not of the kind 'graph'"),
    "another kind": ('{"kind": "network", "version": 1}', "is not of the kind 'graph'"),
    "a newer version": ('{"kind": "graph", "version": 2, "nodes": [], "edges": []}', "has version 2; this snnjax reads 1 to 1"),
    "a version that is none": ('{"kind": "graph", "version": true, "nodes": [], "edges": []}', "has version True"),
    "a key twice": ('{"kind": "graph", "kind": "graph", "version": 1, "nodes": [], "edges": []}', "'kind' comes twice"),
    "NaN": ('{"kind": "graph", "version": NaN, "nodes": [], "edges": []}', "finite numbers only"),
    "infinity by digits": ('{"kind": "graph", "version": 1e999, "nodes": [], "edges": []}', "finite numbers only"),
    "a giant integer": ('{"kind": "graph", "version": ' + "9" * 5000 + "}", "integers of at most 24 digits"),
    "deep nesting": ("[" * 100_000, "nest at most 64 levels deep"),
    "a key twice among many": ("{" + "".join(f'"{k}": 0, ' for k in range(100_000)) + '"99999": 0}', "'99999' comes twice"),
    "brackets behind quotes that do not end": ("[" * 65 + '"' + '\\"' * 200_000, "nest at most 64 levels deep"),
    "deep nesting behind a quote": ('"' + '\\"' * 100_000 + "[" * 100_000, "be complete JSON"),
    "small text for much memory": ("[" + "[]," * 3_500_000 + "[]]", "of memory at most; these may take"),
    "an array of a file": (
        '{"kind": "graph", "version": 1, "edges": [], "nodes": [{"name": "s", "type": "Scale", "scale": {"array": "a0"}}]}',
        "names an array 'a0' of a file, and text has none",
    ),
    "no text": (3, "be JSON text; got the int 3"),
}


@pytest.mark.parametrize("text, match", HOSTILE_TEXTS.values(), ids=HOSTILE_TEXTS)
def test_a_text_that_is_no_graph_is_refused(text, match):
    with pytest.raises(snnjax.FormatError, match=match):
        bounded(lambda: G.from_json(text))


@pytest.mark.parametrize("content", [b"", b"abc", b"\x80\x04\x95pickle.", b"PK\x03\x04" + b"\0" * 50, b"\x89HDF\r\n\x1a\n" + b"\0" * 90])
def test_a_file_of_another_kind_is_refused(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(snnjax.FormatError):
        G.load(tmp_path / "x")
    files.write(tmp_path / "x", "network", 1, {}, {})
    with pytest.raises(snnjax.FormatError, match="holds a 'network', not a 'graph'"):
        G.load(tmp_path / "x")
    files.write(tmp_path / "x", "graph", 2, {}, {})
    with pytest.raises(snnjax.FormatError, match="format version 2 of 'graph'; this snnjax reads 1 to 1"):
        G.load(tmp_path / "x")


def test_a_file_larger_than_allowed_is_not_read(saved):
    with pytest.raises(snnjax.FormatError, match="`max_bytes`"):
        G.load(saved, max_bytes=100)


def test_many_hostile_edges_are_refused_in_little_memory(tmp_path):
    wires = [{"source": "a", "target": "b"}] * 50_000
    files.write(tmp_path / "x", "graph", 1, {"nodes": [], "edges": wires}, {})
    with pytest.raises((snnjax.GraphError, snnjax.FormatError)):
        bounded(lambda: G.load(tmp_path / "x"))


# Damage


def bounded(call: Any) -> Any:
    """What `call` gives, in less memory than `LIMIT`."""
    tracemalloc.start()
    try:
        return call()
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < LIMIT, f"{peak / 1e6:.0f} MB"


TOKENS = [
    "0",
    "-1",
    "1e300",
    "99999999999",
    "null",
    "true",
    '"x"',
    '""',
    "[]",
    "{}",
    "[[]]",
    '{"array":"a0"}',
    "0.5",
    '"../x"',
    '"float32"',
]
_TOKEN = re.compile(rb'(?<=[:\[,])(?:-?\d[\d.eE+-]*|null|true|false|\\"[^"\\]*\\"|"[^"\\]*")')


def damaged(data: bytes, rng: random.Random) -> bytes:
    """The file after a bit flipped, a piece lost or doubled, or another word in its header; often with its checksum repaired."""
    kind = rng.randrange(6)
    k = rng.randrange(len(data))
    if kind == 0:
        return data[:k] + bytes([data[k] ^ (1 << rng.randrange(8))]) + data[k + 1 :]
    if kind == 1:
        return data[:k]
    length = int.from_bytes(data[:8], "little")
    if kind == 2:
        changed = bytearray(data)
        for _ in range(rng.randint(1, 5)):
            changed[rng.randrange(len(data))] = rng.randrange(256)
        return with_digest(bytes(changed))
    if kind == 3:
        end = k + rng.randint(1, 40)
        return with_digest(data[:k] + data[k:end] * rng.choice([0, 2]) + data[end:])
    words = list(_TOKEN.finditer(data, 8, 8 + length))
    for _ in range(rng.randint(1, 2)):
        word = rng.choice(words)
        token = rng.choice(TOKENS).encode()
        token = token.replace(b'"', b'\\"') if b"\\" in word.group() or kind == 4 else token
        if word.end() <= 8 + length:
            data = data[: word.start()] + token + data[word.end() :]
            length += len(token) - len(word.group())
            words = list(_TOKEN.finditer(data, 8, 8 + length))
    return with_digest(length.to_bytes(8, "little") + data[8:])


def damaged_text(text: str, rng: random.Random) -> str:
    kind, k = rng.randrange(3), rng.randrange(len(text))
    if kind == 0:
        return text[:k]
    if kind == 1:
        return text[:k] + rng.choice('[]{},:"0-e.\\ nx\u00e9\0') + text[k + rng.randint(0, 2) :]
    words = list(re.compile(r'(?<=[:\[,])(?:-?\d[\d.eE+-]*|null|true|false|"[^"\\]*")').finditer(text))
    word = rng.choice(words)
    return text[: word.start()] + rng.choice(TOKENS) + text[word.end() :]


VALUES: list[Any] = [
    None, True, 0, -1, 3, 2**31, 10**23, 0.5, -0.0, 1e300, "", "w", "in", "lif", "a/b", "../x", "Linear", "SubGraph", "float32", "object",
    [], [0], [1, 2], [2**40, 2**40], [[]], {}, {"array": "a0"}, {"dtype": "int8", "shape": [], "values": [1]}, {"nodes": [], "edges": []},
    {"dtype": "bfloat16", "shape": [2], "values": [1e39, 0]}, {"neuron": {}}, [[[[[[[[[[]]]]]]]]]],
]  # fmt: skip


def _containers(value: Any) -> list[Any]:
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return ([value] if inner else []) + [found for item in inner for found in _containers(item)]


def changed(content: Any, rng: random.Random) -> None:
    """Something in the description is another value, or gone, or there twice, or in the place of something else."""
    places = _containers(content)
    place, other = rng.choice(places), rng.choice(places)
    keys, others = (list(it) if isinstance(it, dict) else list(range(len(it))) for it in (place, other))
    key, other_key = rng.choice(keys), rng.choice(others)
    kind = rng.randrange(5)
    if kind == 0:
        place[key] = json.loads(json.dumps(rng.choice(VALUES)))
    elif kind == 1:
        del place[key]
    elif kind == 2:
        place[key] = json.loads(json.dumps(other[other_key]))
    elif kind == 3 and isinstance(place, list):
        place.append(json.loads(json.dumps(place[key])))
    else:
        place[key if isinstance(place, list) else rng.choice(["more", "name", "shape", "graph"])] = json.loads(
            json.dumps(rng.choice(VALUES))
        )


def rearranged(arrays: dict[str, np.ndarray], rng: random.Random) -> None:
    """An array of another shape, dtype or value, or under another name."""
    name = rng.choice(sorted(arrays))
    array = arrays.pop(name)
    kind = rng.randrange(5)
    if kind == 0:
        arrays[name] = array.reshape(-1)[: rng.randrange(array.size + 1)]
    elif kind == 1:
        arrays[name] = np.zeros(array.shape, rng.choice(["bool", "int8", "float64", "uint64"]))
    elif kind == 2:
        arrays[name] = np.full(array.shape, rng.choice([np.nan, np.inf, -1.0, 0.0, 1e300]))
    elif kind == 3:
        arrays[rng.choice(["a0", "x.y", name + "_"])] = array


def corruptions(count: int, seed: int, folder: Path) -> dict[str, int]:
    """How `count` damaged files and texts were answered; any answer but a clear error or another good graph is a failure."""
    rng = random.Random(seed)
    originals = [RICH, *TOPOLOGIES.values()]
    data = []
    for g in originals:
        G.save(folder / "original", g)
        data.append(((folder / "original").read_bytes(), files.read(folder / "original", "graph", 1), G.to_json(g)))
    answers: dict[str, int] = {}
    for k in range(count):
        content, (header, arrays), text = data[k % len(data)]
        read = _load(folder / "damaged")
        if k % 4 == 0:
            (folder / "damaged").write_bytes(damaged(content, rng))
        elif k % 4 == 1:
            header, arrays = json.loads(json.dumps(header)), dict(arrays)
            for _ in range(rng.randint(1, 2)):
                changed(header, rng)
            if rng.random() < 0.3 and arrays:
                rearranged(arrays, rng)
            files.write(folder / "damaged", "graph", 1, header, arrays)
        elif k % 4 == 2:
            description = json.loads(text)
            changed(description, rng)
            read = _parse(json.dumps(description))
        else:
            read = _parse(damaged_text(text, rng))
        answer = answered(read, originals[k % len(data)])
        answers[answer] = answers.get(answer, 0) + 1
    return answers


def _load(path: Path) -> Any:
    return lambda: G.load(path)


def _parse(text: str) -> Any:
    return lambda: G.from_json(text)


def answered(read: Any, original: G.Graph) -> str:
    """The kind of error, or what came; both as they must be."""
    try:
        g = bounded(read)
    except snnjax.SnnjaxError as error:
        assert str(error) and error.field
        return type(error).__name__
    assert G.validate(g) == ()
    return "same" if g == original else "another graph"


def test_a_thousand_damaged_files_are_refused_or_another_good_graph(tmp_path):
    answers = corruptions(1000, 0, tmp_path)
    assert answers["FormatError"] > 400 and answers["GraphError"] > 50 and answers["another graph"] > 5, answers


@pytest.mark.long
def test_ten_thousand_damaged_files_are_refused_or_another_good_graph(tmp_path):
    answers = corruptions(10_000, 1, tmp_path)
    print(answers)
    assert answers["FormatError"] > 4000 and answers["GraphError"] > 500 and answers["another graph"] > 50, answers


def test_a_damaged_file_without_a_repaired_checksum_is_always_refused(saved):
    data, rng = saved.read_bytes(), random.Random(2)
    for _ in range(300):
        k = rng.randrange(len(data))
        saved.write_bytes(data[:k] + bytes([data[k] ^ (1 << rng.randrange(8))]) + data[k + 1 :])
        with pytest.raises(snnjax.FormatError):
            G.load(saved)
