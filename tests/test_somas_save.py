"""Networks in files: the same bits back, and nothing loaded from a file that is not one."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys

import chex
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import snnjax
from snnjax import _files as files
from snnjax import functional as F
from snnjax import somas
from snnjax.somas._encode import _LAYERS
from snnjax.somas._named import SOMAS
from snnjax.somas._neuron_names import neuron_named

RecurrentConfig = somas.config_class(F.recurrent(F.refractory(F.lif, F.gate_input)), "RecurrentConfig")


def _network():
    keys = iter(jax.random.split(jax.random.key(0), 20))
    return somas.Sequential(
        [
            eqx.nn.Conv2d(1, 2, 3, stride=2, padding="SAME", key=next(keys)),
            eqx.nn.ConvTranspose2d(2, 2, 3, use_bias=False, key=next(keys)),
            somas.LIFSomaConfig(shape=(2, 6, 6), tau_mem=somas.Uniform(0.01, 0.02), spike=F.tanh(3.0)).build(next(keys)),
            eqx.nn.MaxPool2d(2, 2),
            eqx.nn.AvgPool2d(2, 2),
            eqx.nn.Lambda(jnp.ravel),
            eqx.nn.LayerNorm(2),
            eqx.nn.RMSNorm(2),
            eqx.nn.Dropout(0.5, inference=True),
            eqx.nn.Identity(),
            eqx.nn.Linear(2, 4, key=next(keys)),
            RecurrentConfig(shape=(4,), weight=somas.Normal(0.0, 1.0), reset=F.attached(F.reset_by_subtraction)).build(next(keys)),
            somas.Sequential([eqx.nn.Linear(4, 3, use_bias=False, key=next(keys)), somas.LeakyIntegratorSomaConfig(shape=(3,)).build()]),
        ]
    )


@pytest.fixture
def path(tmp_path):
    somas.save(tmp_path / "net.safetensors", _network(), extra={"key": jax.random.key(1), "step": 3})
    return tmp_path / "net.safetensors"


def _rewrite(path, change):
    """The file with another header, and a checksum that fits: what someone who means harm would make."""
    header, arrays = files.read(path, "network", 1)
    arrays = dict(arrays)
    change(header, arrays)
    files.write(path, "network", 1, header, arrays)


def test_a_network_comes_back_bit_by_bit(path):
    net, back = _network(), somas.load(path)
    assert jax.tree.structure(net) == jax.tree.structure(back)
    chex.assert_trees_all_equal(net, back)
    x = jax.random.uniform(jax.random.key(2), (10, 2, 1, 8, 8))
    chex.assert_trees_all_equal(net.simulate(x, dt=1e-3), back.simulate(x, dt=1e-3))


@pytest.mark.parametrize("made", SOMAS.values(), ids=SOMAS)
def test_every_named_soma_can_be_saved(made, tmp_path):
    soma = made.config_class(shape=(2, 3), **({} if made is somas.DynapseSoma else {"integrator": F.euler})).build()
    somas.save(tmp_path / "x", soma)
    back = somas.load(tmp_path / "x")
    assert type(back) is made and bool(eqx.tree_equal(soma, back))
    assert jax.tree.structure(back) == jax.tree.structure(soma)


def test_a_saved_network_does_not_retrace(path):
    traced = []
    structure = eqx.filter_jit(lambda net: (traced.append(1), net.layers[-1].layers[0].weight.sum())[1])
    structure(_network())
    structure(somas.load(path))
    assert len(traced) == 1


def test_numbers_and_low_precision_come_back_as_they_are(tmp_path):
    soma = somas.LIFSomaConfig(shape=(2,)).build()
    soma = eqx.tree_at(lambda s: (s.params.v_th, s.params.tau_mem), soma, (0.3, jnp.full((2,), 0.1, jnp.bfloat16)))
    somas.save(tmp_path / "x", soma)
    back = somas.load(tmp_path / "x")
    assert back.params.v_th == 0.3 and type(back.params.v_th) is float and back.params.tau_mem.dtype == jnp.bfloat16
    assert bool(eqx.tree_equal(soma, back))


def test_float64_comes_back_under_x64_and_is_refused_elsewhere(tmp_path):
    with jax.enable_x64(True):
        soma = somas.LIFSomaConfig(shape=(2,), tau_mem=somas.Uniform(0.01, 0.02)).build(jax.random.key(0))
        somas.save(tmp_path / "x", soma)
        assert bool(eqx.tree_equal(somas.load(tmp_path / "x"), soma))
    with pytest.raises(snnjax.DTypeError, match="is float64, and JAX is in 32-bit mode"):
        somas.load(tmp_path / "x")


def test_every_name_of_a_composition_leads_back_to_it():
    neurons = [F.refractory(F.leaky), *(F.refractory(F.leaky, rule) for rule in (F.gate_input, F.clamp_to_reset))]
    neurons += [F.recurrent(F.synapses(F.lif, 3)), F.synapses(F.recurrent(F.refractory(F.leaky, F.gate_input)), 2), *F.MODELS.values()]
    for neuron in neurons:
        assert neuron_named(neuron.name) == neuron
    for name in ("", "os.system", "refractory(os)", "refractory(lif, eval)", "synapses(lif, 0)", "synapses(lif)", "recurrent(lif, 2)",
                 "refractory(leaky_integrator)" , "refractory(" * 1000 + "lif" + ")" * 1000, "synapses(synapses(lif, 2), 2)"):  # fmt: skip
        assert neuron_named(name) is None


def test_what_a_file_cannot_name_is_not_saved(tmp_path):
    class Own(eqx.Module):
        def __call__(self, x):
            return x

    for layer, match in (
        (Own(), r"layers\[0\] is a Own, which a file cannot name; it can name Sequential"),
        (eqx.nn.Lambda(lambda x: x), r"layers\[0\] is a Lambda of a function of your own"),
        (somas.LIFSomaConfig(shape=(2,), reset=lambda v, s, p: v).build(), r"`reset` of `layers\[0\]` is a function of your own"),
        (somas.config_class(F.lif._replace(name="mine"), "Mine")(shape=(2,)).build(), r"layers\[0\] has the neuron 'mine'"),
    ):
        with pytest.raises(snnjax.ConfigError, match=match):
            somas.save(tmp_path / "x", somas.Sequential([layer]))
    assert not list(tmp_path.iterdir())


def test_a_network_that_diverged_is_not_saved(tmp_path):
    net = eqx.tree_at(lambda n: n.weight, eqx.nn.Linear(2, 2, key=jax.random.key(0)), jnp.full((2, 2), jnp.nan))
    with pytest.raises(snnjax.NumericsError, match=r"`layers\.0\.weight` is not finite"):
        somas.save(tmp_path / "x", somas.Sequential([net]))


@pytest.mark.parametrize(
    "change, error, match",
    [
        ({"tau_mem": jnp.float32(-1.0)}, snnjax.ParameterError, "`tau_mem` must be > 0 s"),
        ({"v_th": -1.0}, snnjax.ParameterError, "`v_reset` must be below `v_th`"),
        ({"v_th": float("nan")}, snnjax.NumericsError, "`layers.0.params.v_th` is not finite"),
        ({"v_th": jnp.ones(5)}, snnjax.ShapeError, r"`v_th` has shape \(5,\)"),
        ({"v_th": jnp.array(2)}, snnjax.DTypeError, "`layers.0.params.v_th` must be a float to be saved; got int32"),
        ({"v_th": "high"}, snnjax.DTypeError, "`layers.0.params.v_th` must be a float to be saved; got"),
    ],
)
def test_what_could_not_be_loaded_is_not_saved(change, error, match, tmp_path):
    soma = somas.LIFSomaConfig(shape=(2,)).build()
    soma = eqx.tree_at(lambda s: s.params, soma, soma.params._replace(**change))
    with pytest.raises(error, match=match):
        somas.save(tmp_path / "x", somas.Sequential([soma]))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("slope", [np.array([1.0, 2.0], np.float32), np.float32(3.0), np.array([1.0, 2.0])])
def test_a_slope_that_is_an_array_comes_back(slope, tmp_path):
    slopes = [jnp.asarray(slope), slope] if slope.dtype == np.float32 else [slope]
    for spike in map(F.superspike, slopes):
        for made in (somas.LIFSomaConfig(shape=(2,), spike=spike).build(), somas.FeedForwardIAF(jnp.ones((2, 2)), spike=spike)):
            somas.save(tmp_path / "x", made)
            back = somas.load(tmp_path / "x")
            assert bool(eqx.tree_equal(made, back)) and jax.tree.structure(made) == jax.tree.structure(back)
            inputs = 2.0 * jax.random.uniform(jax.random.key(0), (20, 2))
            gradient = jax.grad(lambda x, net: net.simulate(x, dt=1e-3)[1].sum())
            assert gradient(inputs, made).any() and (gradient(inputs, made) == gradient(inputs, back)).all()


def _linear(header):
    return header["module"]["layers"][10]


@pytest.mark.parametrize(
    "change, match",
    [
        (lambda h, a: a.pop("layers.10.weight"), "does not have the arrays that its network needs.*layers.10.weight"),
        (lambda h, a: a.update({"more": np.zeros(1)}), "differ in more"),
        (lambda h, a: a.update({"layers.10.weight": np.zeros((2, 4), np.float32)}), r"with the shape \(2, 4\); its layer has \(4, 2\)"),
        (lambda h, a: a.update({"layers.10.weight": np.zeros((4, 2), np.int32)}), "holds int32 in `layers.10.weight`"),
        (lambda h, a: a.update({"layers.10.weight": np.full((4, 2), np.nan, np.float32)}), "holds NaN or infinity in `layers.10.weight`"),
        (lambda h, a: a.update({"layers.2.params.tau_mem": np.zeros(7, np.float32)}), "holds a soma whose parameters do not fit"),
        (lambda h, a: _linear(h).update({"class": "os.system"}), "describes a layer 'os.system'"),
        (lambda h, a: _linear(h).update({"class": 3}), "a layer without a class"),
        (lambda h, a: _linear(h)["arguments"].update(out_features=5), "its layer has"),
        (lambda h, a: _linear(h)["arguments"].update(out_features=-5), "its layer has|cannot be made"),
        (lambda h, a: _linear(h)["arguments"].update(out_features="x"), "cannot be made"),
        (lambda h, a: _linear(h)["arguments"].update(out_features=2**60), "its layer has|cannot be made"),
        (lambda h, a: _linear(h)["arguments"].update(more=1), "other arguments than"),
        (lambda h, a: h["module"]["layers"][5].update(function="eval"), "describes a layer 'Lambda'"),
        (lambda h, a: h["module"]["layers"][2].update(neuron="leaky"), "describes a LIFSoma with the neuron 'leaky'"),
        (lambda h, a: h["module"]["layers"][11].update(neuron="eval(lif)"), "describes a Soma with the neuron"),
        (lambda h, a: h["module"]["layers"][11].update(shape=[2**39]), "do not fit|cannot be made"),
        (lambda h, a: h["module"]["layers"][11].update(shape=[2**20]), "a soma whose parameters do not fit"),
        (lambda h, a: h["module"]["layers"][2]["choices"].update(reset="eval"), "`reset` of `LIFSoma` is 'eval'"),
        (lambda h, a: h.update(numbers={"layers.10.weight": 1.0}), "other numbers than those of somas"),
        (lambda h, a: h.update(numbers={"layers.2.params.v_th": 1.0}), "does not have the arrays that its network needs"),
        (lambda h, a: h.update(numbers={"x": "y"}), "other numbers than those of somas"),
        (lambda h, a: h.update(module={"class": "Sequential", "layers": 3}), "describes a layer 'Sequential'"),
        (lambda h, a: h.pop("extra"), "has no module, numbers and extra"),
    ],
)
def test_a_header_that_lies_is_refused(path, change, match):
    _rewrite(path, change)
    with pytest.raises((snnjax.FormatError, snnjax.ConfigError), match=match):
        somas.load(path)


def test_a_deeply_nested_description_is_refused(path):
    def nest(header, arrays):
        for _ in range(18):
            header["module"] = {"class": "Sequential", "layers": [header["module"]]}

    _rewrite(path, nest)
    with pytest.raises(snnjax.FormatError, match="nests too deep"):
        somas.load(path)


@pytest.mark.parametrize("value, match", [(-1.0, "`tau_mem` must be > 0 s"), (0.0, "`tau_mem` must be > 0 s")])
def test_values_in_a_file_are_checked_as_if_typed_in(path, value, match):
    _rewrite(path, lambda h, a: a.update({"layers.2.params.tau_mem": np.full((2, 6, 6), value, np.float32)}))
    with pytest.raises(snnjax.ParameterError, match=match) as caught:
        somas.load(path)
    assert caught.value.field == "tau_mem"


def test_a_threshold_below_the_reset_in_a_file_is_refused(path):
    _rewrite(path, lambda h, a: a.update({"layers.2.params.v_th": np.float32(-1.0)}))
    with pytest.raises(snnjax.ParameterError, match="`v_reset` must be below `v_th`"):
        somas.load(path)


def test_truncated_foreign_tampered_and_newer_files_are_refused(path):
    data = path.read_bytes()
    for spoilt, match in (
        (data[: len(data) // 2], "damaged|truncated|bytes"),
        (b"not a file of ours" * 10, "truncated, or not a safetensors file|must be"),
        (data[:-5] + bytes([data[-5] ^ 1]) + data[-4:], "is damaged: its SHA-256 is not the one that was written"),
        (data.replace(b'"LIFSoma\\"', b'"LIFSomb\\"', 1) if b'"LIFSoma\\"' in data else data.replace(b"LIFSoma", b"LIFSomb", 1), "damaged"),
    ):
        path.write_bytes(spoilt)
        with pytest.raises(snnjax.FormatError, match=match):
            somas.load(path)
    files.write(path, "network", 2, {}, {})
    with pytest.raises(snnjax.FormatError, match="has format version 2 of 'network'"):
        somas.load(path)
    files.write(path, "graph", 1, {}, {})
    with pytest.raises(snnjax.FormatError, match="holds a 'graph', not a 'network'"):
        somas.load(path)


def test_mutated_descriptions_give_named_errors_or_valid_networks(path):
    header, arrays = files.read(path, "network", 1)
    text = json.dumps(header)
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(150):
        start = int(rng.integers(len(text)))
        token = rng.choice(["0", "-1", "null", "true", '"x"', "[]", "{}", "99999999999"])
        match = re.compile(r'(?<=: )(?:-?\d[\d.e-]*|null|true|false|"[^"]*")').search(text, start)
        if match is None:
            continue
        files.write(path, "network", 1, json.loads(text[: match.start()] + str(token) + text[match.end() :]), arrays)
        try:
            somas.load(path)
        except snnjax.SnnjaxError:
            refused += 1
    assert refused > 75


def test_loading_asks_for_the_size_it_is_allowed(path):
    with pytest.raises(snnjax.FormatError, match="`max_bytes`"):
        somas.load(path, max_bytes=64)


# Extra


def test_extra_comes_back_in_the_structure_of_like(tmp_path):
    extra = {
        "keys": jax.random.split(jax.random.key(0), 3),
        "other": jax.random.key(5, impl="rbg"),
        "step": 7, "best": float("inf"), "done": True, "none": None,
        "arrays": (np.arange(3), jnp.float32(0.1), jnp.zeros((0, 2), jnp.bfloat16), jnp.array([True])),
    }  # fmt: skip
    somas.save(tmp_path / "x", somas.LIFSomaConfig(shape=(2,)).build(), extra=extra)
    back = somas.load_extra(tmp_path / "x", like=extra)
    assert jax.tree.structure(back) == jax.tree.structure(extra)
    for one, other in zip(jax.tree.leaves(back), jax.tree.leaves(extra), strict=True):
        assert type(one) is type(other) or isinstance(one, jax.Array)
        if hasattr(one, "dtype"):
            assert one.dtype == other.dtype and one.shape == other.shape
            one, other = (jax.random.key_data(k) if jnp.issubdtype(k.dtype, jax.dtypes.prng_key) else k for k in (one, other))
        assert np.array_equal(one, other)


@pytest.mark.parametrize(
    "like, match",
    [
        ({"step": 3}, "has another `extra` than `like`"),
        ({"key": jax.random.key(0), "steps": 3}, "differ in"),
        ({"key": jax.random.key(0, impl="rbg"), "step": 3}, "`extra\\['key'\\]`"),
        ({"key": jnp.zeros(3), "step": 3}, "`extra\\['key'\\]`, and `like` has float32"),
        ({"key": jax.random.key(0), "step": jnp.array(3)}, "`extra\\['step'\\]`"),
        ({"key": jax.random.key(0), "step": True}, "and `like` has a bool"),
    ],
)
def test_an_extra_of_another_structure_is_refused(path, like, match):
    with pytest.raises(snnjax.FormatError, match=match):
        somas.load_extra(path, like)


def test_extra_holds_arrays_keys_and_numbers_only(tmp_path):
    with pytest.raises(snnjax.DTypeError, match=r"`extra\['f'\]` must be an array, a key or a number; got the function"):
        somas.save(tmp_path / "x", somas.LIFSomaConfig(shape=(2,)).build(), extra={"f": lambda: 0})


def test_the_same_network_gives_the_same_file(path, tmp_path):
    somas.save(tmp_path / "again", _network(), extra={"key": jax.random.key(1), "step": 3})
    assert hashlib.sha256((tmp_path / "again").read_bytes()).digest() == hashlib.sha256(path.read_bytes()).digest()


def test_every_layer_in_the_table_is_made_from_its_own_attributes():
    for name, (made, arguments) in _LAYERS.items():
        assert made.__name__ == name
        assert all(argument in getattr(made, "__dataclass_fields__", {}) for argument in arguments), name


# Across processes

_TRAINING = """
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from snnjax import fit, somas
from snnjax import functional as F

optimizer = optax.adam(1e-2)


def network():
    a, b, c = jax.random.split(jax.random.key(0), 3)
    hidden = somas.config_class(F.recurrent(F.lif), "RecurrentConfig")(
        shape=(12,), tau_mem=somas.Uniform(5e-3, 20e-3), v_th=0.3, weight=somas.Normal(0.0, 0.1), spike=F.superspike(10.0))
    return somas.Sequential([eqx.nn.Linear(6, 12, key=a), hidden.build(c), eqx.nn.Linear(12, 3, key=b),
                             somas.LeakyIntegratorSomaConfig(shape=(3,)).build()])


def free_part(net):
    return eqx.partition(fit.unconstrain(net), somas.trainable(net, kinds=("weight", "time_constant")))


@eqx.filter_jit
def train_step(net, state, key):
    inputs = (jax.random.uniform(key, (25, 8, 6)) < 0.4).astype(jnp.float32)
    labels = inputs.sum(axis=(0, 2)).astype(jnp.int32) % 3
    free, fixed = free_part(net)

    def loss(free):
        v = fit.constrain(net, eqx.combine(free, fixed)).simulate(inputs, dt=1e-3)[1]
        return somas.membrane_cross_entropy(v, labels)

    value, slope = eqx.filter_value_and_grad(loss)(free)
    change, state = optimizer.update(slope, state, free)
    return fit.constrain(net, eqx.combine(eqx.apply_updates(free, change), fixed)), state, value


source, target, steps, half = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]
net = network()
extra = {"optimizer": optimizer.init(free_part(net)[0]), "key": jax.random.key(7), "step": 0, "losses": np.zeros(4, np.float32)}
if source != "new":
    net, extra = somas.load(source), somas.load_extra(source, extra)
for _ in range(steps):
    extra["key"], now = jax.random.split(extra["key"])
    net, extra["optimizer"], value = train_step(net, extra["optimizer"], now)
    losses = np.array(extra["losses"])
    losses[extra["step"]] = value
    extra |= {"losses": losses, "step": extra["step"] + 1}
    if half and extra["step"] == 2:
        somas.save(half[0], net, extra=extra)
somas.save(target, net, extra=extra)
"""


def _in_a_process(source, target, steps, *half):
    command = [sys.executable, "-c", _TRAINING, str(source), str(target), str(steps), *map(str, half)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target.read_bytes()


def test_a_training_run_that_another_process_resumes_ends_in_the_same_file(tmp_path):
    straight = _in_a_process("new", tmp_path / "straight", 4, tmp_path / "half")
    resumed = _in_a_process(tmp_path / "half", tmp_path / "resumed", 2)
    assert (tmp_path / "half").read_bytes() != straight, "training would change nothing, so the test would show nothing"
    # Weights, time constants, moments of the optimizer, key, step and losses, bit by bit.
    assert resumed == straight
