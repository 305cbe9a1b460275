"""What `test_sharding.py` checks, on eight CPU devices: run as a program, this writes what went wrong, as JSON."""

from __future__ import annotations

import contextlib
import functools
import json
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P
from models import ALL, Case

import snnjax.functional as F
from snnjax import ConfigError, _cores, somas
from snnjax.functional import _spread

DEVICES = 8
DT = 1e-3
CHECKS: dict[str, Callable[[], None]] = {}
LONG: dict[str, Callable[[], None]] = {}


def check(function: Callable[[], None]) -> Callable[[], None]:
    CHECKS[function.__name__] = function
    return function


def long(function: Callable[[], None]) -> Callable[[], None]:
    LONG[function.__name__] = function
    return function


@contextlib.contextmanager
def on_all_cores() -> Iterator[None]:
    """As after `use_all_cores`, with every population large enough."""
    before = _cores._asked, _spread._LEAST
    _cores._asked, _spread._LEAST = DEVICES, (1, 1)
    yield
    _cores._asked, _spread._LEAST = before


def mesh(name: str = "devices") -> Mesh:
    return Mesh(np.array(jax.devices()), (name,))


def devices_of(tree: Any) -> int:
    return min(len(leaf.sharding.device_set) for leaf in jax.tree.leaves(tree))


def assert_same(got: Any, wanted: Any) -> None:
    """The same structure, dtypes and bits."""
    assert jax.tree.structure(got) == jax.tree.structure(wanted)
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(wanted), strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape and a.weak_type == b.weak_type
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


def assert_near(got: Any, wanted: Any, tolerance: float = 1e-6) -> None:
    """The same up to the order of sums, relative to the largest number of each array, and a little to the largest of all."""
    pairs = [(np.asarray(a, np.float64), np.asarray(b, np.float64)) for a, b in zip(*map(jax.tree.leaves, (got, wanted)), strict=True)]
    largest = max(np.abs(b).max(initial=0.0) for _, b in pairs)
    for a, b in pairs:
        assert np.isfinite(a).all()
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * max(np.abs(b).max(initial=0.0), 1e-3 * largest))


def collectives(text: str) -> list[str]:
    """The lines of a compiled program in which devices exchange something."""
    return re.findall(r"^.* = .* (?:all-gather|all-reduce|all-to-all|collective-permute|reduce-scatter)\(.*$", text, re.MULTILINE)


def compiled(function: Callable[..., Any], *args: Any) -> Any:
    return jax.jit(function).lower(*args).compile()


def both_ways(function: Callable[..., Any], *args: Any) -> tuple[Any, Any]:
    """`jax.jit(function)(*args)` on all cores, and on one."""
    # Numbers that are arguments: XLA computes with those that it knows in advance in another way.
    wanted = jax.jit(lambda *args: function(*args))(*args)
    with on_all_cores():
        return jax.jit(lambda *args: function(*args))(*args), wanted


def is_spread(function: Callable[..., Any], *args: Any) -> bool:
    """Whether anything in `function` is spread over the cores."""
    with on_all_cores():
        return "shard_map" in str(jax.make_jaxpr(lambda *args: function(*args))(*args))


def recording(neuron: F.Neuron, params: Any, inputs: Any, **options: Any) -> Any:
    """The last state, and the states and outputs of all steps."""
    return F.simulate(neuron, params, inputs, dt=DT, record=lambda state, output: (state, output), **options)


def inputs_of(cases: list[Case], shape: tuple[int, ...], steps: int = 25) -> tuple[dict[str, Any], dict[str, Any]]:
    return {case.name: case.params for case in cases}, {case.name: case.inputs(steps, shape) for case in cases}


def all_of(cases: list[Case]) -> Callable[[Any, Any], Any]:
    return lambda params, inputs: {case.name: recording(case.neuron, params[case.name], inputs[case.name]) for case in cases}


APART = [case for case in ALL if "recurrent" not in case.name]


SOME = [case for case in ALL if case.name in ("lif_refrac", "recurrent(lif)", "synapses(lif, 3)")]


def assert_cut(cases: list[Case]) -> None:
    """Along the batch, and along the neurons where they are not recurrent."""
    for case in cases:
        run = functools.partial(recording, case.neuron)
        assert is_spread(run, case.params, case.inputs(2, (8, 5))), case.name
        if "recurrent" not in case.name:
            assert is_spread(run, case.params, case.inputs(2, (3, 16))), case.name


@check
def populations_are_cut_along_their_batch_and_along_their_neurons() -> None:
    assert_cut([*SOME, Case(F.dynapse_dpi, F.dynapse_dpi.default())])


@long
def populations_of_every_model_are_cut() -> None:
    assert_cut([*ALL, Case(F.dynapse_dpi, F.dynapse_dpi.default())])


@check
def a_population_cut_along_its_batch_gives_the_same_bits() -> None:
    assert_same(*both_ways(all_of(SOME), *inputs_of(SOME, (8, 5))))


@long
def every_population_cut_along_its_batch_gives_the_same_bits() -> None:
    assert_same(*both_ways(all_of(ALL), *inputs_of(ALL, (8, 5))))


@long
def every_population_cut_along_its_neurons_gives_the_same_bits() -> None:
    assert_same(*both_ways(all_of(APART), *inputs_of(APART, (3, 16))))


@check
def parameters_with_a_value_for_each_neuron_or_each_of_the_batch_are_cut_with_them() -> None:
    drive = Case(F.lif_refrac, F.lif_refrac.default()).inputs(25, (2, 16))
    each = 1.0 + jnp.arange(32.0).reshape(2, 16) / 100
    params = F.RefractoryParams(F.LIFParams(tau_mem=20e-3 * each[0], v_th=each), t_ref=2e-3 * each)
    assert is_spread(functools.partial(recording, F.lif_refrac), params, drive)
    assert_same(*both_ways(functools.partial(recording, F.lif_refrac), params, drive))


@check
def a_population_whose_neurons_are_coupled_stays_in_one_piece() -> None:
    def inhibiting(params: Any, state: Any, inputs: Any, *, dt: Any, config: Any) -> Any:
        return F.lif_step(params, state, inputs - 0.1 * state.v.mean(-1, keepdims=True), dt=dt, config=config)

    def of_its_size(params: Any, state: Any, inputs: Any, *, dt: Any, config: Any) -> Any:
        return F.lif_step(params, state, inputs / inputs.shape[-1], dt=dt, config=config)

    def by_place(params: Any, state: Any, inputs: Any, *, dt: Any, config: Any) -> Any:
        return F.lif_step(params, state, inputs + jnp.arange(16.0)[None], dt=dt, config=config)

    drive = Case(F.lif, F.LIFParams()).inputs(25, (3, 16))
    ring = F.recurrent(F.lif)
    weights = ring.default(weight=jnp.eye(16))
    for step in (inhibiting, of_its_size, by_place):
        neuron = F.lif._replace(name=step.__name__, step=step)
        assert not is_spread(functools.partial(recording, neuron), F.LIFParams(), drive), step.__name__
        assert_same(*both_ways(functools.partial(recording, neuron), F.LIFParams(), drive))
    assert not is_spread(functools.partial(recording, ring), weights, drive)
    # Along the batch it is a model like any other.
    eight = Case(F.lif, F.LIFParams()).inputs(25, (8, 16))
    assert is_spread(functools.partial(recording, F.lif._replace(name="inhibiting", step=inhibiting)), F.LIFParams(), eight)


@check
def a_record_that_sums_or_picks_neurons_keeps_them_together() -> None:
    drive = Case(F.lif, F.LIFParams()).inputs(25, (3, 16))
    eight = Case(F.lif, F.LIFParams()).inputs(25, (8, 16))
    for record in (lambda state, spikes: spikes.sum(-1), lambda state, spikes: state.v[..., :2], lambda state, spikes: spikes[..., ::-1]):
        run = functools.partial(F.simulate, F.lif, dt=DT, record=record)
        assert not is_spread(run, F.LIFParams(), drive)
        assert is_spread(run, F.LIFParams(), eight) == (
            "rev" not in str(jax.make_jaxpr(record)(F.lif.init(F.LIFParams(), (8, 16)), eight[0]))
        )
        got, wanted = both_ways(run, F.LIFParams(), eight)
        assert_same(got[0], wanted[0])
        assert_near(got[1], wanted[1])


def potential(state: Any) -> jax.Array:
    core = F.core(state)
    return core.vmem if isinstance(core, F.DynapseState) else core.v


def assert_same_gradients(neuron: F.Neuron, shape: tuple[int, ...], params: Any = None) -> None:
    """With respect to parameters (by default the model's own), inputs and the first state."""

    def loss(params: Any, inputs: Any, floats: Any) -> jax.Array:
        last, v = F.simulate(
            neuron, params, inputs, dt=DT, state=eqx.combine(floats, counts), segment=8, record=lambda state, _: potential(state)
        )
        return (jnp.linspace(-1.0, 1.0, v.size).reshape(v.shape) * v**2).sum() + potential(last).sum()

    params = jax.tree.map(jnp.asarray, neuron.default() if params is None else params)
    floats, counts = eqx.partition(neuron.init(params, shape), eqx.is_inexact_array)
    # Gradients by a current that all neurons share are sums of large numbers of either sign.
    tolerance = 1e-5 if neuron is F.dynapse_dpi else 1e-6
    assert_near(*both_ways(jax.grad(loss, (0, 1, 2)), params, Case(neuron, params).inputs(30, shape), floats), tolerance)


@check
def gradients_of_a_population_cut_along_batch_and_neurons_are_those_of_the_whole() -> None:
    assert_same_gradients(F.lif, (2, 12))


@long
def gradients_of_a_recurrent_population_cut_along_its_batch_are_those_of_the_whole() -> None:
    params = F.RecurrentParams(F.LIFParams(), 0.3 * jnp.eye(6))
    assert_same_gradients(F.recurrent(F.lif), (8, 6), params)
    assert_same_gradients(F.refractory(F.recurrent(F.lif)), (8, 6), F.RefractoryParams(params, t_ref=2e-3))


@long
def gradients_of_wrapped_populations_are_those_of_the_whole() -> None:
    for neuron in (F.lif_refrac, F.adaptive_leaky, F.synapses(F.leaky, 2), F.dynapse_dpi):
        assert_same_gradients(neuron, (8, 6))


@long
def forward_mode_and_vmap_work_on_all_cores() -> None:
    params, drive = jax.tree.map(jnp.float32, F.LIFParams()), Case(F.lif, F.LIFParams()).inputs(25, (4, 3, 16))

    def slopes(params: Any, drive: Any) -> Any:
        run = lambda p: F.simulate(F.lif, p, drive[0], dt=DT, record=lambda state, _: state.v)[1]  # noqa: E731
        return jax.jvp(run, (params,), (jax.tree.map(jnp.ones_like, params),))

    def mapped(params: Any, drive: Any) -> Any:
        return jax.vmap(jax.grad(lambda p, x: recording(F.lif, p, x)[1][0].v.sum()), (None, 0))(params, drive)

    for function in (slopes, mapped):
        assert is_spread(function, params, drive)
        assert_near(*both_ways(function, params, drive))


@check
def a_run_goes_on_from_its_state_on_all_cores() -> None:
    drive = Case(F.lif_refrac, F.lif_refrac.default()).inputs(40, (8, 6))
    params = F.lif_refrac.default()
    whole = F.simulate(F.lif_refrac, params, drive, dt=DT)
    with on_all_cores():
        state, first = F.simulate(F.lif_refrac, params, drive[:17], dt=DT)
        state, second = F.simulate(F.lif_refrac, params, np.asarray(drive[17:]), dt=DT, state=state)
        assert devices_of((state, first, second)) == DEVICES
    assert_same((state, jnp.concatenate([first, second])), whole)


@check
def checked_runs_and_arrays_on_a_device_of_choice_stay_where_they_are() -> None:
    drive = Case(F.lif, F.LIFParams()).inputs(25, (8, 6))
    wanted = F.simulate(F.lif, F.LIFParams(), drive, dt=DT)
    with on_all_cores():
        placed = F.simulate(F.lif, F.LIFParams(), jax.device_put(drive, jax.devices()[3]), dt=DT)
        watched = F.simulate(F.lif, F.LIFParams(), drive, dt=DT, checked=True)
        with jax.default_device(jax.devices()[2]):
            chosen = F.simulate(F.lif, F.LIFParams(), np.asarray(drive), dt=DT)
    for got in (placed, watched, chosen):
        assert devices_of(got) == 1
        assert_same(got, wanted)
    assert placed[1].devices() == {jax.devices()[3]}


@check
def inside_shard_map_nothing_is_spread_again_and_jax_may_check_what_is_replicated() -> None:
    params = jax.tree.map(jnp.float32, F.LIFParams())
    for neuron, given in ((F.recurrent(F.lif), F.RecurrentParams(params, 0.3 * jnp.eye(6))),):
        drive = Case(F.lif, params).inputs(70, (8, 6))

        def loss(given: Any, drive: Any, neuron: F.Neuron = neuron) -> jax.Array:
            return F.simulate(neuron, given, drive, dt=DT, record=lambda state, _: F.core(state).v)[1].sum()

        wanted = jax.jit(jax.value_and_grad(loss))(given, drive)
        specs = {"mesh": mesh(), "in_specs": (P(), P(None, "devices")), "out_specs": P()}
        with on_all_cores():
            outside = jax.shard_map(lambda p, x, loss=loss: jax.lax.psum(loss(p, x), "devices"), **specs)
            got = jax.jit(jax.value_and_grad(outside))(given, drive)
        assert_near(got, wanted, 1e-5)


@check
def nothing_is_exchanged_during_a_run() -> None:
    params, drive = jax.tree.map(jnp.float32, F.LIFParams()), Case(F.lif, F.LIFParams()).inputs(200, (8, 6))
    with on_all_cores():
        forward = compiled(lambda p, x: F.simulate(F.lif, p, x, dt=DT)[1], params, drive).as_text()
        backward = compiled(lambda p, x: jax.grad(lambda p: recording(F.lif, p, x)[1][0].v.sum())(p), params, drive).as_text()
    assert collectives(forward) == []
    assert_only_sums_after_the_loops(backward)


def assert_only_sums_after_the_loops(text: str) -> None:
    """All-reduces, and in the main program alone."""
    main = text[text.index("\nENTRY ") :]
    assert collectives(text) == collectives(main) != []
    assert all("all-reduce(" in line for line in collectives(text))


@check
def a_layer_between_matrices_is_spread_without_exchange() -> None:
    keys = jax.random.split(jax.random.key(0), 3)
    before, after = jax.random.normal(keys[0], (12, 10)), jax.random.normal(keys[1], (10, 4))
    drive = jax.random.normal(keys[2], (70, 8, 12))

    def run(before: Any, after: Any, drive: Any) -> jax.Array:
        return F.simulate(F.lif, F.LIFParams(), drive @ before, dt=DT)[1] @ after

    with on_all_cores():
        assert collectives(compiled(run, before, after, drive).as_text()) == []
        text = compiled(jax.grad(lambda *args: (run(*args) ** 2).sum(), (0, 1)), before, after, drive).as_text()
    assert_only_sums_after_the_loops(text)


@check
def layers_of_integrate_and_fire_neurons_and_masked_somas_are_spread() -> None:
    draw = np.random.default_rng(0)
    layer = somas.FeedForwardIAF(jnp.asarray(draw.normal(size=(10, 16)), jnp.float32), tau_syn=5e-3, delay=1e-3)
    drive = jnp.asarray(2.0 * draw.normal(size=(40, 10)), jnp.float32)
    soma = somas.LIFSomaConfig(shape=(6,)).build()
    padded, mask = Case(F.lif, F.LIFParams()).inputs(25, (8, 6)), jnp.arange(25)[:, None] < jnp.arange(18, 26)[None]
    runs = (lambda: layer.simulate(drive, dt=DT), lambda: soma.simulate(padded, dt=DT, mask=mask))
    for run in runs:
        wanted = run()
        with on_all_cores():
            got = run()
        assert devices_of(got[1]) == DEVICES
        assert float(wanted[1].sum()) > 0
        assert_near(got, wanted)


def network() -> tuple[Any, Any, tuple[jax.Array, jax.Array]]:
    """The arrays of a network that trains, what puts them together, and a batch of 16 for it."""
    keys = jax.random.split(jax.random.key(0), 4)
    config = somas.config_class(F.recurrent(F.lif), "Ring")
    hidden = config(shape=(10,), weight=0.2 * np.eye(10, k=1), tau_mem=15e-3)
    readout = somas.LeakyIntegratorSomaConfig(shape=(4,))
    layers = [eqx.nn.Linear(12, 10, key=keys[0]), hidden.build(), eqx.nn.Linear(10, 4, key=keys[1]), readout.build()]
    arrays, rest = eqx.partition(somas.Sequential(layers), eqx.is_array)
    inputs = 4.0 * jax.random.bernoulli(keys[2], 0.2, (30, 16, 12))
    return arrays, rest, (inputs.astype(jnp.float32), jax.random.randint(keys[3], (16,), 0, 4))


def error(rest: Any, arrays: Any, inputs: jax.Array, labels: jax.Array) -> jax.Array:
    _, v = eqx.combine(arrays, rest).simulate(inputs, dt=DT)
    return optax.softmax_cross_entropy_with_integer_labels(v.mean(0), labels).mean()


@check
def a_training_step_on_parts_of_a_batch_is_that_on_the_whole() -> None:
    arrays, rest, batch = network()
    wanted = jax.jit(jax.value_and_grad(functools.partial(error, rest)))(arrays, *batch)
    assert all(float(jnp.abs(leaf).max()) > 0 for leaf in (wanted[1].layers[0].weight, wanted[1].layers[1].params.weight))

    def parts(arrays: Any, *batch: Any) -> jax.Array:
        return jax.lax.pmean(error(rest, arrays, *batch), "data")

    specs = {"mesh": mesh("data"), "in_specs": (P(), P(None, "data"), P("data")), "out_specs": P()}
    step = jax.shard_map(jax.value_and_grad(parts), **specs)
    program = compiled(step, arrays, *batch)
    assert_near(program(arrays, *batch), wanted, 1e-5)
    assert_only_sums_after_the_loops(program.as_text())


@check
def neurons_on_many_devices_exchange_their_spikes_as_bits() -> None:
    n = 40  # five on each device: not a whole byte
    weight = 0.3 * jax.random.normal(jax.random.key(1), (n, n))
    drive = 0.5 * jax.random.uniform(jax.random.key(0), (60, 3, n))
    dense, here = F.recurrent(F.lif), F.recurrent(F.lif, axis_name="neurons")
    params = F.RecurrentParams(jax.tree.map(jnp.float32, F.LIFParams()), weight)

    def run(neuron: F.Neuron, params: Any, drive: Any) -> Any:
        return F.simulate(neuron, params, drive, dt=DT)[1]

    along = P(None, None, "neurons")
    spread_out = jax.shard_map(
        functools.partial(run, here), mesh=mesh("neurons"), in_specs=(F.RecurrentParams(P(), P(None, "neurons")), along), out_specs=along
    )
    wanted = jax.jit(functools.partial(run, dense))(params, drive)
    assert float(wanted.sum()) > 0
    program = compiled(spread_out, params, drive)
    np.testing.assert_array_equal(np.asarray(program(params, drive)), np.asarray(wanted))
    (exchange,) = collectives(program.as_text())
    assert re.search(r" = u8\[\S+ all-gather\(", exchange), exchange

    def slopes(run: Callable[[Any, Any], Any]) -> Any:
        return jax.jit(jax.grad(lambda p, x: (jnp.linspace(-1.0, 1.0, n)[None, None] * run(p, x)).sum(), (0, 1)))(params, drive)

    assert_near(slopes(spread_out), slopes(functools.partial(run, dense)), 1e-4)


@check
def a_recurrent_population_says_where_it_must_run() -> None:
    neuron = F.refractory(F.recurrent(F.lif, axis_name="neurons"))
    params = neuron.default(neuron=F.RecurrentParams(F.LIFParams(), jnp.eye(4)))
    try:
        F.simulate(neuron, params, jnp.ones((3, 4)), dt=DT)
    except ConfigError as refused:
        assert "`jax.shard_map`" in str(refused) and refused.field == "axis_name"
    else:
        raise AssertionError("it ran outside")


def main() -> None:
    wanted = LONG if "long" in sys.argv else CHECKS
    found: dict[str, str | None] = {}
    for name, run in wanted.items():
        try:
            run()
            found[name] = None
        except Exception:
            found[name] = traceback.format_exc(limit=-6)
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
