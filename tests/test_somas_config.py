"""Config classes: derived, frozen, exact in text, and strict about what they are given."""

from __future__ import annotations

import copy
import inspect
import json
import math
import pydoc
import re

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import examples
from hypothesis import given
from hypothesis import strategies as st

import snnjax
from snnjax import functional as F
from snnjax import somas
from snnjax._kinds import MEANINGS, kinds_of
from snnjax.functional._check import annotated
from snnjax.somas._config_text import ConfigTextError
from snnjax.somas._fields import fields_of
from snnjax.somas._named import SOMAS
from snnjax.somas._resolve import key_of

CONFIGS = {name: soma.config_class for name, soma in SOMAS.items()}
each = pytest.mark.parametrize("made", CONFIGS.values(), ids=CONFIGS)
RecurrentConfig = somas.config_class(F.recurrent(F.lif), "RecurrentConfig")
TwoSynapsesConfig = somas.config_class(F.recurrent(F.synapses(F.lif, 2)), "TwoSynapsesConfig")


@each
def test_fields_are_those_of_the_models_params(made):
    config = made(shape=(3,))
    wanted = {name: value for name, value, _ in annotated(made.neuron.default())}
    assert {name: getattr(config, name) for name in fields_of(made.neuron)} == wanted
    assert set(wanted) <= set(dir(made)) <= set(dir(config))


@each
def test_signature_and_help_show_fields_with_units_and_defaults(made):
    parameters = inspect.signature(made).parameters
    text = pydoc.plain(pydoc.render_doc(made))
    for name, value, kind in annotated(made.neuron.default()):
        assert parameters[name].default == value
        assert repr(parameters[name].annotation) == kind.unit
        assert f"{name}: {kind.unit} = {value}" in text
        assert MEANINGS[name] in text
    assert ("dynamics=paper" if made is somas.DynapseSomaConfig else "integrator=exact") in text


def test_no_parameter_name_is_written_in_the_source_of_the_somas():
    names = {name for model in F.MODELS.values() for name, _, _ in annotated(model.default())} | {"weight"}
    code = {name: inspect.getsource(module) for name, module in vars(somas).items() if name.startswith("_") and inspect.ismodule(module)}
    assert len(code) > 10
    found = set()
    for module, text in code.items():
        # A layer has a `tau_syn` of its own, beside that of its recurrent synapses.
        allowed = {"weight", "bias", *(["tau_syn"] if module.startswith("_iaf") else [])}
        without_examples = re.sub(r'""".*?"""', "", text, flags=re.DOTALL)
        found |= {(module, name) for name in names - allowed if re.search(rf"\b{name}\b", without_examples)}
    assert not found


def test_a_nest_of_wrappers_is_flattened():
    config = somas.AdaptiveLeakySomaConfig(shape=(8,), tau_mem=10e-3, t_ref=3e-3, tau_th=50e-3, delta_th=0.2)
    params = config.build().params
    assert float(params.neuron.tau_mem) == np.float32(10e-3)
    assert float(params.t_ref) == np.float32(3e-3)
    assert float(params.neuron.delta_th) == np.float32(0.2)


def test_where_a_wrapper_and_its_neuron_share_a_name_the_wrappers_is_meant():
    made = somas.config_class(F.synapses(F.lif, 2), "TwoConfig")
    soma = made(shape=(3,), tau_syn=np.array([1e-3, 2e-3])).build()
    np.testing.assert_allclose(soma.params.tau_syn, [1e-3, 2e-3], rtol=1e-6)
    assert float(soma.params.neuron.tau_syn) == np.float32(F.LIFParams().tau_syn)


def test_a_config_is_frozen():
    config = somas.LIFSomaConfig(shape=(2,), tau_mem=np.array([10e-3, 20e-3]))
    with pytest.raises(snnjax.ConfigError, match="`v_th` cannot be set: a config is frozen. Use `config.replace"):
        config.v_th = 2.0
    with pytest.raises(AttributeError, match="frozen"):
        del config.shape
    with pytest.raises(ValueError, match="read-only"):
        config.tau_mem[0] = 1.0


def test_a_config_does_not_follow_the_array_it_was_made_from():
    taus = np.array([10e-3, 20e-3])
    config = somas.LIFSomaConfig(shape=(2,), tau_mem=taus)
    taus[0] = 1.0
    assert config.tau_mem[0] == 10e-3


def test_copies_of_a_config_are_frozen_too():
    config = somas.LIFSomaConfig(shape=(2,), tau_mem=np.array([10e-3, 20e-3]))
    for made in (copy.copy(config), copy.deepcopy(config), copy.deepcopy([config])[0], config.replace(v_th=2.0)):
        with pytest.raises(ValueError, match="read-only"):
            made.tau_mem[0] = 1.0


def test_configs_are_compared_by_value():
    one = somas.LIFSomaConfig(shape=(2,), tau_mem=np.array([1.0, 2.0]), v_th=somas.Uniform(1.0, 2.0), spike=F.tanh(2.0))
    same = somas.LIFSomaConfig(shape=2, tau_mem=[1.0, 2.0], v_th=somas.Uniform(1, 2), spike=F.tanh(2.0))
    assert one == same and hash(one) == hash(same) and copy.deepcopy(one) == one
    for change in (
        {"tau_mem": np.array([1.0, 3.0])}, {"tau_mem": np.array([1.0, 2.0], np.float32)}, {"v_th": 1.5}, {"spike": F.tanh(3.0)},
        {"spike": F.arctan(2.0)}, {"reset": F.reset_by_subtraction}, {"integrator": F.euler}, {"v_th": somas.Normal(1.0, 2.0)},
    ):  # fmt: skip
        assert one.replace(**change) != one
        assert list(one.diff(one.replace(**change))) == list(change)
    assert one.replace(shape=(1, 2)) != one
    assert somas.LeakySomaConfig(shape=(2,)) != somas.LIFSomaConfig(shape=(2,))


def test_replace_gives_a_checked_copy():
    config = somas.LIFSomaConfig(shape=(2,))
    assert config.replace(v_th=3.0).v_th == 3.0 and config.v_th == 1.0
    with pytest.raises(snnjax.ConfigError, match="Did you mean `v_th`"):
        config.replace(v_tth=1.0)
    with pytest.raises(snnjax.ParameterError, match="`tau_mem` must be > 0 s"):
        config.replace(tau_mem=-1.0)


def test_describe_is_a_table_with_units():
    text = somas.LIFRefracSomaConfig(shape=(4,), tau_mem=somas.LogNormal(20e-3, 0.1), v_th=np.linspace(1, 2, 4)).describe()
    rows = {line.split()[0]: line for line in text.splitlines()[1:]}
    assert "LogNormal(median=0.02, sigma=0.1)" in rows["tau_mem"] and " s " in rows["tau_mem"] and "> 0" in rows["tau_mem"]
    assert "1 to 2" in rows["v_th"] and " V " in rows["v_th"]
    assert "refractory period" in rows["t_ref"] and "0.002" in rows["t_ref"]
    assert "superspike(slope=100.0)" in rows["spike"]


# What is refused


def test_an_unknown_keyword_is_answered_with_the_known_one():
    with pytest.raises(snnjax.ConfigError, match="`tau_men` is not a field of `LIFSomaConfig`. Did you mean `tau_mem`") as caught:
        somas.LIFSomaConfig(shape=(2,), tau_men=10e-3)
    assert caught.value.field == "tau_men" and isinstance(caught.value, TypeError)


@pytest.mark.parametrize(
    "made, field, value",
    [
        (somas.LeakySomaConfig, "tau_mem", 0.0),
        (somas.LeakySomaConfig, "tau_mem", -1.0),
        (somas.LeakySomaConfig, "tau_mem", math.nan),
        (somas.LeakySomaConfig, "tau_mem", math.inf),
        (somas.LeakySomaConfig, "tau_mem", np.array([1.0, 1.0, -1.0])),
        (somas.LeakySomaConfig, "v_th", math.nan),
        (somas.LeakySomaConfig, "v_reset", 1.0),
        (somas.LeakySomaConfig, "v_reset", np.array([0.0, 5.0, 0.0])),
        (somas.LeakySomaConfig, "v_reset", somas.Constant(1.0)),
        (somas.RefractoryLeakySomaConfig, "t_ref", -1e-3),
        (somas.LeakySomaConfig, "tau_mem", somas.Uniform(-1.0, 1.0)),
        (somas.LeakySomaConfig, "tau_mem", somas.Constant(0.0)),
    ],
)
def test_values_outside_their_domain_are_refused_by_name(made, field, value):
    with pytest.raises(snnjax.ParameterError, match=f"`{field}` must be") as caught:
        made(shape=(3,), **{field: value})
    assert caught.value.field == field
    assert made(shape=(3,), skip_validation=True, **{field: value}).shape == (3,)


def test_an_integer_beyond_all_floats_is_refused():
    with pytest.raises(snnjax.ParameterError, match="`tau_mem` must be finite"):
        somas.LIFSomaConfig(tau_mem=10**400)


def test_a_threshold_at_the_reset_is_refused_with_both_numbers():
    with pytest.raises(snnjax.ParameterError, match="`v_reset` must be below `v_th`; got 2.0. Its `v_th` is 1.5"):
        somas.LIFSomaConfig(shape=(2,), v_reset=2.0, v_th=1.5)


@pytest.mark.parametrize("value", [np.ones(5), np.ones((3, 1)), np.ones((1,)), [1.0, 2.0]])
def test_a_wrong_shape_is_refused_with_what_fits(value):
    with pytest.raises(snnjax.ShapeError, match=r"`tau_mem` has shape .*`shape` \(3,\).*expected \(\) or \(3,\)") as caught:
        somas.LeakySomaConfig(shape=(3,), tau_mem=value)
    assert caught.value.value == np.shape(value)


@pytest.mark.parametrize("value", ["20 ms", None, True, {"a": 1}, np.array([True]), 1j, [[1.0], [1.0, 2.0]]])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(snnjax.DTypeError, match="`tau_mem` must be a number, an array of numbers or an initialiser"):
        somas.LeakySomaConfig(shape=(3,), tau_mem=value)


@pytest.mark.parametrize("shape", [-1, (2.0,), "3", (True,), None])
def test_a_shape_is_made_of_whole_numbers(shape):
    with pytest.raises(snnjax.ShapeError, match="`shape` must be"):
        somas.LeakySomaConfig(shape=shape)


@pytest.mark.parametrize(
    "name, value",
    [
        ("reset", "subtract"),
        ("integrator", F.reset_to_value),
        ("spike", 3.0),
        ("integrator", "exact"),
        ("spike", F.superspike),
        ("reset", F.attached),
    ],
)
def test_a_choice_is_a_value_of_functional(name, value):
    with pytest.raises(snnjax.ConfigError, match=f"`{name}` of `LIFSomaConfig` must be a value such as") as caught:
        somas.LIFSomaConfig(shape=(2,), **{name: value})
    assert caught.value.field == name


def test_what_is_drawn_is_checked_when_it_is_drawn():
    config = somas.LIFSomaConfig(shape=(1000,), tau_mem=somas.Normal(20e-3, 20e-3))
    with pytest.raises(snnjax.ParameterError, match="`tau_mem` must be > 0 s.*It was drawn from Normal.*`LogNormal`"):
        config.build(jax.random.key(0))
    config = somas.LIFSomaConfig(shape=(1000,), v_reset=somas.Uniform(0.0, 2.0))
    with pytest.raises(snnjax.ParameterError, match="`v_reset` must be below `v_th`"):
        config.build(jax.random.key(0))


def test_drawing_needs_a_key():
    with pytest.raises(snnjax.ConfigError, match="`tau_mem` is drawn from Uniform.*so `build` needs a key"):
        somas.LIFSomaConfig(shape=(2,), tau_mem=somas.Uniform(1.0, 2.0)).build()


def test_validation_can_be_skipped_also_in_the_spelling_of_spark():
    assert somas.LeakySomaConfig(shape=(2,), skip_validation=True, tau_mem=-1.0).tau_mem == -1.0
    assert float(somas.LeakySomaConfig(shape=(2,), __skip_validation__=True, tau_mem=-1.0).build().params.tau_mem) == -1.0
    with pytest.raises(snnjax.ConfigError, match="Did you mean `tau_mem`"):
        somas.LeakySomaConfig(shape=(2,), skip_validation=True, tau_men=-1.0)


def test_a_config_of_traced_values_can_be_built_and_differentiated():
    def loss(tau):
        soma = somas.LeakySomaConfig(shape=(2,), tau_mem=tau).build()
        return soma.simulate(jnp.full((20, 2), 0.5), dt=1e-3, record=lambda s, z: s.v)[1].sum()

    assert float(jax.jit(jax.grad(loss))(20e-3)) < 0.0


# Initialisers


def test_each_field_has_its_own_key_of_its_name_alone():
    key = jax.random.key(3)
    one = somas.AdaptiveLeakySomaConfig(shape=(16,), tau_mem=somas.Uniform(1.0, 2.0)).build(key)
    more = somas.AdaptiveLeakySomaConfig(shape=(16,), tau_mem=somas.Uniform(1.0, 2.0), tau_th=somas.Uniform(1.0, 2.0)).build(key)
    other = somas.LIFSomaConfig(shape=(16,), tau_mem=somas.Uniform(1.0, 2.0)).build(key)
    assert (one.params.neuron.tau_mem == more.params.neuron.tau_mem).all()
    assert (one.params.neuron.tau_mem == other.params.tau_mem).all()
    assert (more.params.neuron.tau_th != more.params.neuron.tau_mem).any()


def test_keys_of_fields_do_not_depend_on_the_process():
    # A number from another process: Python's own hash of a text differs from one to the next.
    assert jax.random.key_data(key_of(jax.random.key(0), "tau_mem")).tolist() == [3853473221, 2978944686]


def test_keys_of_all_fields_differ():
    names = {name for model in F.MODELS.values() for name, _, _ in annotated(model.default())} | set(MEANINGS)
    keys = {tuple(jax.random.key_data(key_of(jax.random.key(0), name)).tolist()) for name in names}
    assert len(keys) == len(names)


@pytest.mark.parametrize(
    "initialiser, mean, std",
    [
        (somas.Constant(2.0), 2.0, 0.0),
        (somas.Uniform(4.0, 6.0), 5.0, 2.0 / math.sqrt(12.0)),
        (somas.Normal(-1.0, 3.0), -1.0, 3.0),
        (somas.TruncatedNormal(0.0, 1.0, -1.0, 1.0), 0.0, 0.5396),
        (somas.TruncatedNormal(0.0, 1.0, 4.0, 9.0), 4.2256, 0.2161),
        (somas.TruncatedNormal(1.0, 2.0, -17.0, -7.0), 1.0 - 2.0 * 4.2256, 2.0 * 0.2161),
        (somas.LogNormal(2.0, 0.5), 2.0 * math.exp(0.125), 2.0 * math.exp(0.125) * math.sqrt(math.expm1(0.25))),
        (somas.PerGroup((20000, 20000), (1.0, somas.Uniform(3.0, 5.0))), 2.5, math.sqrt(0.5 * (1 + 16 + 4 / 12) - 6.25)),
    ],
)
def test_initialisers_have_the_moments_of_their_distributions(initialiser, mean, std):
    x = np.asarray(initialiser.draw(jax.random.key(1), (40000,), jnp.float32), np.float64)
    low, high = initialiser.support()
    assert abs(x.mean() - mean) < 5 * (std + 1e-6) / 200 and abs(x.std() - std) < 0.02 * std + 1e-6
    assert low <= x.min() and x.max() <= high


def test_groups_must_add_up():
    match = r"`sizes` \(2, 2\) of `PerGroup` are 4 neurons together, but the shape to fill is \(5,\)"
    with pytest.raises(snnjax.ShapeError, match=f"`tau_mem`: {match}") as caught:
        somas.LIFSomaConfig(shape=(5,), tau_mem=somas.PerGroup((2, 2), (1.0, 2.0)))
    assert caught.value.field == "tau_mem"
    with pytest.raises(snnjax.ShapeError, match=match):
        somas.PerGroup((2, 2), (1.0, 2.0)).draw(None, (5,), jnp.float32)
    with pytest.raises(snnjax.ShapeError, match=r"`tau_mem`: `sizes` \(1,\) of `PerGroup` are 1 neurons together, but .* is \(2,\)"):
        somas.LIFSomaConfig(shape=(4,), tau_mem=somas.PerGroup((2, 2), (1.0, somas.PerGroup((1,), (2.0,)))))
    with pytest.raises(snnjax.ShapeError, match="`sizes` and `values` of `PerGroup` must be"):
        somas.PerGroup((2, 2), (1.0,))


@pytest.mark.parametrize(
    "make, match",
    [
        (lambda: somas.Uniform(2.0, 1.0), "`low` of `Uniform` must be below `high`"),
        (lambda: somas.Normal(0.0, -1.0), "`std` must be >= 0"),
        (lambda: somas.LogNormal(-1.0, 1.0), "`median` must be > 0"),
        (lambda: somas.Uniform(math.nan, 1.0), "`low` must be finite"),
        (lambda: somas.TruncatedNormal(0.0, 0.1, 1.5, 1.6), "`low` to `high` of `TruncatedNormal` must come within 10 `std` of `mean`"),
        (lambda: somas.TruncatedNormal(0.0, 0.1, -1.6, -1.5), "`low` to `high` of `TruncatedNormal` must come within 10 `std` of `mean`"),
    ],
)
def test_initialisers_refuse_numbers_that_are_no_distribution(make, match):
    with pytest.raises(snnjax.ParameterError, match=match):
        make()


def test_a_number_is_shared_and_an_initialiser_is_one_value_per_neuron():
    soma = somas.LIFSomaConfig(shape=(4,), tau_mem=10e-3, tau_syn=somas.Constant(5e-3)).build()
    assert soma.params.tau_mem.shape == () and soma.params.tau_syn.shape == (4,)


def test_recurrent_weights_are_a_matrix_a_number_or_an_initialiser():
    assert not RecurrentConfig(shape=(3,)).build().params.weight.any()
    assert (RecurrentConfig(shape=(3,), weight=0.5).build().params.weight == 0.5).all()
    drawn = RecurrentConfig(shape=(30,), weight=somas.Normal(0.0, 1.0)).build(jax.random.key(0)).params.weight
    assert drawn.shape == (30, 30) and 0.9 < float(drawn.std()) < 1.1
    with pytest.raises(snnjax.ShapeError, match=r"`weight` has shape \(3,\).*expected \(\) or \(3, 3\)"):
        RecurrentConfig(shape=(3,), weight=np.ones(3))
    assert TwoSynapsesConfig(shape=(3,), weight=somas.Constant(1.0)).build().params.weight.shape == (2, 3, 3)


def test_parameters_are_arrays_of_one_dtype(x64):
    soma = somas.LIFSomaConfig(shape=(3,), tau_mem=np.float32(10e-3), v_th=2).build()
    assert {leaf.dtype.name for leaf in jax.tree.leaves(soma.params)} == {"float64"}
    soma = somas.LIFSomaConfig(shape=(3,), tau_mem=np.float64(10e-3)).build(dtype=jnp.float32)
    assert {leaf.dtype.name for leaf in jax.tree.leaves(soma.params)} == {"float32"}


def test_float64_is_refused_where_jax_would_not_give_it():
    with pytest.raises(snnjax.DTypeError, match="`dtype` of `LIFSomaConfig` must be a floating dtype that JAX has switched on"):
        somas.LIFSomaConfig(shape=(3,)).build(dtype=jnp.float64)
    for dtype, named in ((int, "int"), ("single precision", "the str 'single precision'"), (3.0, "the float 3.0")):
        with pytest.raises(snnjax.DTypeError, match=f"`dtype` of `LIFSomaConfig` must be a floating dtype .*got {named}"):
            somas.LIFSomaConfig(shape=(3,)).build(dtype=dtype)


# Text

values = st.floats(1e-6, 1e3) | st.builds(somas.Uniform, st.floats(0.1, 1.0), st.floats(2.0, 3.0))
values |= st.builds(somas.LogNormal, st.floats(0.1, 1.0), st.floats(0.0, 1.0)) | st.builds(somas.Normal, st.floats(-1, 1), st.floats(0, 1))
values |= st.builds(somas.TruncatedNormal, st.floats(0, 1), st.floats(0.5, 1), st.just(0.5), st.just(1.0))
values |= st.builds(lambda v: somas.PerGroup((1, 2), v), st.tuples(st.floats(0.1, 1.0), st.builds(somas.Constant, st.floats(0.1, 1.0))))
values |= st.lists(st.floats(0.125, 1024.0, width=32), min_size=3, max_size=3).map(lambda v: np.array(v, np.float32))
values |= st.lists(st.floats(1e-6, 1e3), min_size=3, max_size=3).map(np.array)
spikes = st.sampled_from([F.superspike, F.tanh, F.triangle, F.arctan, F.sigmoid, F.gaussian, F.boxcar])
choices = st.fixed_dictionaries(
    {
        "spike": st.builds(lambda make, slope, unit: make(slope, unit), spikes, st.floats(0.1, 100.0), st.none() | st.floats(0.1, 1.0))
        | st.just(F.heaviside()) | st.just(F.superspike(jnp.array([1.0, 2.0, 3.0]))),
        "reset": st.sampled_from([F.reset_to_value, F.reset_by_subtraction, F.attached(F.reset_to_value)]),
        "integrator": st.sampled_from([F.exact, F.exponential_euler, F.euler]),
    }
)  # fmt: skip


@examples(100)
@given(st.dictionaries(st.sampled_from(["tau_mem", "tau_th", "t_ref", "resistance", "bias"]), values), choices)
def test_text_brings_back_an_equal_config(fields, choices):
    config = somas.AdaptiveLeakySomaConfig(shape=(3,), skip_validation=True, **fields, **choices)
    text = config.to_json()
    back = somas.AdaptiveLeakySomaConfig(**somas._config_text.fields_from_dict(type(config), json.loads(text)), skip_validation=True)
    assert back == config and back.to_json() == text


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16", "int32", "uint8"])
def test_arrays_keep_their_dtype_in_text(dtype):
    config = somas.LeakySomaConfig(shape=(2, 3), tau_mem=np.arange(1, 7).reshape(2, 3).astype(jnp.dtype(dtype)))
    back = somas.LeakySomaConfig.from_json(config.to_json())
    assert back == config and back.tau_mem.dtype.name == dtype and back.tau_mem.shape == (2, 3)


@pytest.mark.parametrize("dtype", [">f8", ">f4", ">i4", "<u2"])
def test_the_byte_order_of_an_array_does_not_matter(dtype):
    values = np.array([1, 2, 3])
    config = somas.LeakySomaConfig(shape=(3,), tau_mem=values.astype(dtype))
    assert config == config.replace(tau_mem=values.astype(np.dtype(dtype).newbyteorder("=")))
    assert somas.LeakySomaConfig.from_json(config.to_json()) == config
    np.testing.assert_array_equal(config.build().params.tau_mem, values)


@pytest.mark.parametrize("value", [math.nan, math.inf, np.array([1.0, math.nan]), None, True, "a", np.array([True, False]), 1j])
def test_what_no_text_brings_back_is_not_written(value):
    config = somas.LeakySomaConfig(shape=(2,), tau_mem=value, skip_validation=True)
    for write in (config.to_dict, config.to_json):
        with pytest.raises(ConfigTextError, match="This config holds .* in `tau_mem`") as caught:
            write()
        assert caught.value.field == "tau_mem"


def test_the_choices_of_a_chip_go_through_text():
    config = somas.DynapseSomaConfig(shape=(2,), substeps=3, dynamics=F.DPIConfig.dynapsim().dynamics, gaba=F.DPIConfig().shunt)
    assert somas.DynapseSomaConfig.from_json(config.to_json()) == config and config.choices().substeps == 3
    for change in ({"substeps": 1.5}, {"substeps": "exact"}, {"gaba": "exact"}, {"dynamics": "eval"}):
        content = config.to_dict()
        content["choices"].update(change)
        with pytest.raises(snnjax.ConfigError, match=f"`{next(iter(change))}` of `DynapseSomaConfig` is"):
            somas.DynapseSomaConfig.from_dict(content)
    with pytest.raises(snnjax.ParameterError, match="`substeps` must be"):
        somas.DynapseSomaConfig(shape=(2,), substeps=0)


def test_a_surrogate_of_another_height_keeps_it():
    bump = F.superspike().func.__closure__[0].cell_contents
    config = somas.LIFSomaConfig(shape=(2,), spike=F.surrogate(bump, 10.0, 1.0, 0.3))
    assert somas.LIFSomaConfig.from_json(config.to_json()) == config


def test_a_function_of_ones_own_is_not_written():
    config = somas.LIFSomaConfig(shape=(2,), reset=lambda v, spikes, params: v)
    with pytest.raises(snnjax.ConfigError, match="`reset` of `LIFSomaConfig` is a function of your own"):
        config.to_json()


def _changed(change):
    content = somas.LIFSomaConfig(shape=(2,), tau_mem=somas.Uniform(1.0, 2.0), tau_syn=np.array([1.0, 2.0])).to_dict()
    change(content)
    return content


@pytest.mark.parametrize(
    "change, match",
    [
        (lambda c: c.update({"class": "LeakySomaConfig"}), "is of class 'LeakySomaConfig', not 'LIFSomaConfig'"),
        (lambda c: c.update(version=2), "has version 2; this snnjax reads 1 to 1. Install a newer snnjax.$"),
        (lambda c: c.update(version=True), "has version True; this snnjax reads 1 to 1.$"),
        (lambda c: c.update(neuron="leaky"), "is for the neuron 'leaky'"),
        (lambda c: c.update(extra=1), "unknown field 'extra'"),
        (lambda c: c.pop("shape"), "lacks the field 'shape'"),
        (lambda c: c.update(shape=[-1]), "expected a list of sizes"),
        (lambda c: c.update(shape="(2,)"), "expected a list of sizes"),
        (lambda c: c["parameters"].update(tau_men=1.0), "unknown field 'tau_men' in `parameters`. Did you mean `tau_mem`.*[a-z][.]$"),
        (lambda c: c["parameters"].pop("v_th"), "lacks the field 'v_th'"),
        (lambda c: c["parameters"].update(v_th=True), "holds True in `v_th`"),
        (lambda c: c["parameters"].update(v_th="1.0"), "holds '1.0' in `v_th`"),
        (lambda c: c["parameters"].update(v_th=None), "holds None in `v_th`"),
        (lambda c: c["parameters"].update(v_th=math.nan), "expected a finite number"),
        (lambda c: c["parameters"]["tau_mem"].update(initialiser="os.system"), "the initialiser 'os.system'"),
        (lambda c: c["parameters"]["tau_mem"].update(high=None), "holds None in `tau_mem`"),
        (lambda c: c["parameters"]["tau_syn"].update(shape=[3]), "do not go together"),
        (lambda c: c["parameters"]["tau_syn"].update(array="object"), "do not go together"),
        (lambda c: c["parameters"]["tau_syn"].update(values=[1.0, True]), "with values that are none"),
        (lambda c: c["parameters"]["tau_syn"].update(array="int8", values=[1, 300]), "integers beyond int8"),
        (lambda c: c["choices"].update(reset="eval"), "`reset` of `LIFSomaConfig` is 'eval'"),
        (lambda c: c["choices"].update(reset="exact"), "`reset` of `LIFSomaConfig` is 'exact'"),
        (lambda c: c["choices"]["spike"].update(name="lambda"), "`spike` of `LIFSomaConfig` is 'lambda'"),
        (lambda c: c["choices"]["spike"].pop("slope"), "has the numbers"),
        (lambda c: c["choices"]["spike"].update(slope=math.nan), "holds nan in `spike`"),
        (lambda c: c["choices"].pop("integrator"), "lacks the field 'integrator'"),
    ],
)  # fmt: skip
def test_a_dictionary_that_is_not_this_config_is_refused(change, match):
    with pytest.raises(snnjax.ConfigError, match=match) as caught:
        somas.LIFSomaConfig.from_dict(_changed(change))
    assert caught.value.field is not None


@pytest.mark.parametrize("field", ["slope", "height"])
@pytest.mark.parametrize("value", [None, {"initialiser": "Constant", "value": 1.0}])
def test_the_numbers_of_a_surrogate_in_a_text_are_numbers(field, value):
    with pytest.raises(snnjax.DTypeError, match=f"`{field}` must be a real number"):
        somas.LIFSomaConfig.from_dict(_changed(lambda c: c["choices"]["spike"].update({field: value})))


@pytest.mark.parametrize("field, value", [("tau_mem", -1.0), ("v_th", -1.0)])
def test_values_in_a_text_are_checked_like_any_other(field, value):
    with pytest.raises(snnjax.ParameterError):
        somas.LIFSomaConfig.from_dict(_changed(lambda c: c["parameters"].update({field: value})))


@pytest.mark.parametrize(
    "spoil, match",
    [
        (lambda t: t[: len(t) // 2], "must be complete JSON"),
        (lambda t: "", "must be complete JSON"),
        (lambda t: t.replace("1.0", "NaN", 1), "finite numbers only; got `NaN`"),
        (lambda t: t.replace("1.0", "-Infinity", 1), "finite numbers only; got `-Infinity`"),
        (lambda t: t.replace("1.0", "1e999", 1), "finite numbers only; got `1e999`"),
        (lambda t: t.replace('"v_th"', '"tau_mem"', 1), "'tau_mem' comes twice"),
        (lambda t: t.replace("1.0", "9" * 1000, 1), "at most 24 digits"),
        (lambda t: t.replace("1.0", "[" * 1000 + "]" * 1000, 1), "at most 64 levels deep"),
        (lambda t: "[" * 200000, "at most 64 levels deep"),
        (lambda t: b"\xff\xfe", "must be UTF-8"),
        (lambda t: 3, "must be JSON text; got the int 3"),
    ],
)  # fmt: skip
def test_text_that_is_not_strict_json_is_refused(spoil, match):
    text = somas.LIFSomaConfig(shape=(2,)).to_json()
    with pytest.raises(snnjax.FormatError, match=match):
        somas.LIFSomaConfig.from_json(spoil(text))


def test_an_error_of_the_text_is_a_config_error_and_a_format_error():
    with pytest.raises(ConfigTextError) as caught:
        somas.LIFSomaConfig.from_dict([])
    assert isinstance(caught.value, snnjax.ConfigError) and isinstance(caught.value, snnjax.FormatError)


def test_params_go_into_a_config_and_come_out():
    params = F.RefractoryParams(F.LIFParams(tau_mem=np.array([10e-3, 20e-3])), t_ref=4e-3)
    config = somas.LIFRefracSomaConfig.from_params(params, shape=(2,), reset=F.reset_by_subtraction)
    assert eqx.tree_equal(config.params(), params)
    assert config.choices().reset is F.reset_by_subtraction
    with pytest.raises(snnjax.DTypeError, match="`params` of `LIFSomaConfig` must be the LIFParams"):
        somas.LIFSomaConfig.from_params(params)


def test_a_config_class_can_be_made_of_any_neuron():
    with pytest.raises(snnjax.ConfigError, match="`SomaConfig` has no `neuron`"):
        somas.SomaConfig(shape=(2,))
    with pytest.raises(snnjax.DTypeError, match="`neuron` must be a Neuron"):
        somas.config_class(F.lif_step, "Wrong")
    assert type(RecurrentConfig(shape=(2,)).build()) is somas.Soma
    assert kinds_of(type(RecurrentConfig(shape=(2,)).params()))["weight"].name == "weight"
