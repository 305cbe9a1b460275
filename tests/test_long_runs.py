"""Long runs: what they take is known before, what cannot fit is refused, and pieces give the numbers of the whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import keeps_programs

import snnjax
import snnjax.functional as F
from snnjax import ParameterError, somas
from snnjax.functional import _memory as memory

DT, BATCH, N = 1e-3, 2, 3
RECURRENT = F.recurrent(F.refractory(F.lif))
CASES = {
    "lif": (F.lif, F.LIFParams()),
    "recurrent": (RECURRENT, RECURRENT.default(weight=0.4 * jnp.eye(N))),
    "two synapses": (F.synapses(F.leaky, 2), F.synapses(F.leaky, 2).default(tau_syn=np.array([2e-3, 5e-3]))),
    "adaptive": (F.adaptive_leaky, F.AdaptiveLeakyParams(v_th=0.5)),
}
every_case = pytest.mark.parametrize(("neuron", "params"), CASES.values(), ids=CASES.keys())


def spikes_and_potential(state: Any, spikes: Any) -> Any:
    return spikes, F.core(state).v


def inputs_of(neuron: Any, steps: int) -> jax.Array:
    return jnp.asarray(np.random.default_rng(0).uniform(0.0, 1.5, (steps, BATCH, *neuron.ports, N)), jnp.float32)


def bytes_of(tree: Any) -> int:
    return sum(leaf.nbytes for leaf in jax.tree.leaves(tree))


@pytest.fixture
def compiled() -> Iterator[list[str]]:
    """The programs that were compiled meanwhile."""
    seen: list[str] = []

    def listen(event: str, duration: float, **about: Any) -> None:
        if event.endswith("backend_compile_duration"):
            seen.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield seen
    jax.monitoring.unregister_event_duration_listener(listen)


@every_case
def test_the_estimate_is_what_a_run_takes(neuron: Any, params: Any) -> None:
    given = inputs_of(neuron, 40)
    state, recorded = F.simulate(neuron, params, given, dt=DT, record=spikes_and_potential)
    for inputs in (given, np.asarray(given), jax.ShapeDtypeStruct(given.shape, given.dtype)):
        estimate = F.memory_estimate(neuron, params, inputs, dt=DT, record=spikes_and_potential)
        assert estimate[:3] == (bytes_of(given), bytes_of(recorded), bytes_of(state))


def test_the_estimate_sees_dtypes_and_what_a_given_state_makes_of_them() -> None:
    raster = jax.ShapeDtypeStruct((100, BATCH, N), jnp.uint8)
    low = F.lif.init(F.LIFParams(), (BATCH, N), jnp.bfloat16)
    estimate = F.memory_estimate(F.lif, F.LIFParams(), raster, dt=DT, state=low)
    assert estimate[:3] == (100 * BATCH * N, 2 * 100 * BATCH * N, 2 * 2 * BATCH * N)
    nothing = F.memory_estimate(F.lif, F.LIFParams(), raster, dt=DT, record=lambda state, spikes: None)
    assert nothing.recorded == 0
    empty = F.memory_estimate(F.lif, F.LIFParams(), jnp.zeros((0, BATCH, N)), dt=DT)
    assert (empty.inputs, empty.recorded) == (0, 0)


@pytest.mark.parametrize("segment", [None, 10_000])
def test_the_estimate_of_a_gradient_is_near_what_xla_plans(segment: int | None) -> None:
    given = jax.ShapeDtypeStruct((10_000, 8, 64), jnp.float32)
    options: dict[str, Any] = {"dt": DT, "segment": segment, "record": lambda state, spikes: spikes.sum()}

    def loss(params: Any, given: Any) -> Any:
        return F.simulate(F.lif, params, given, **options)[1].sum()

    params = jax.tree.map(jnp.float32, F.LIFParams())
    planned = jax.jit(jax.grad(loss, argnums=(0, 1))).lower(params, given).compile().memory_analysis().temp_size_in_bytes
    estimate = F.memory_estimate(F.lif, params, given, **options).gradient
    assert 0.25 * estimate < planned < 1.2 * estimate


def test_an_estimate_computes_nothing_and_compiles_nothing(compiled: list[str]) -> None:
    estimate = F.memory_estimate(F.lif, F.LIFParams(), jax.ShapeDtypeStruct((10**9, 16, 256), jnp.float32), dt=DT)
    assert estimate.inputs == estimate.recorded == 4 * 10**9 * 16 * 256
    assert not compiled


def test_the_estimate_refuses_what_a_run_refuses() -> None:
    with pytest.raises(ParameterError, match="`tau_mem` must be > 0 s and finite; got -1.0"):
        F.memory_estimate(F.lif, F.LIFParams(tau_mem=-1.0), jax.ShapeDtypeStruct((10, 3), jnp.float32), dt=DT)
    with pytest.raises(snnjax.ShapeError, match=r"`inputs` have shape \(10, 3\)"):
        F.memory_estimate(F.lif, F.LIFParams(), jax.ShapeDtypeStruct((10, 3), jnp.float32), dt=DT, shape=4)
    with pytest.raises(snnjax.ConfigError, match="`segments` is not an argument of `memory_estimate`. Did you mean `segment`"):
        F.memory_estimate(F.lif, F.LIFParams(), jnp.zeros((10, 3)), dt=DT, segments=3)


HUGE = np.broadcast_to(np.float32(0), (10**8, 16, 256))  # 1.5 TiB that are not there
REFUSAL = (
    r"^`record` keeps 1525\.9 GiB in 100000000 steps, beside 1525\.9 GiB of `inputs`; the device has \d+\.\d GiB\. Keep less of each step, "
    r"`record=.*in pieces and hand `state` on.*A gradient keeps about \d\.\d GiB more; `segment` sets how much\."
)


@keeps_programs
def test_a_run_that_cannot_fit_is_refused_with_its_bytes_before_anything_is_compiled(compiled: list[str]) -> None:
    with pytest.raises(ParameterError, match=REFUSAL) as caught:
        F.simulate(F.lif, F.LIFParams(), HUGE, dt=DT)
    assert (caught.value.field, caught.value.value) == ("record", HUGE.nbytes)
    soma = somas.LIFSomaConfig(shape=(256,)).build()
    with pytest.raises(ParameterError, match=REFUSAL):
        soma.simulate(HUGE, dt=DT)
    assert not compiled


def test_the_same_run_is_refused_where_its_numbers_are_traced() -> None:
    def total(inputs: Any) -> Any:
        return F.simulate(F.lif, F.LIFParams(), inputs, dt=DT)[1].sum()

    shape = jax.ShapeDtypeStruct(HUGE.shape, HUGE.dtype)
    for traced in (jax.jit(total), jax.jit(jax.grad(total))):
        with pytest.raises(ParameterError, match=REFUSAL):
            traced.lower(shape)


def test_what_is_recorded_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    given = inputs_of(F.lif, 100)
    monkeypatch.setattr(memory, "_LARGE", 0)
    monkeypatch.setattr(memory, "device_bytes", lambda _: 2 * given.nbytes)
    run = lambda record: F.simulate(F.lif, F.LIFParams(), given, dt=DT, record=record)  # noqa: E731
    assert run(None)[1].shape == given.shape
    assert run(lambda state, spikes: spikes.sum())[1].shape == (100,)
    with pytest.raises(ParameterError, match=r"`record` keeps 0\.0 MiB in 100 steps") as caught:
        run(spikes_and_potential)
    assert caught.value.value == 2 * given.nbytes
    monkeypatch.setattr(memory, "device_bytes", lambda _: None)  # a device that does not tell
    assert len(run(spikes_and_potential)[1]) == 2


class Device:
    def __init__(self, platform: str, stats: Any) -> None:
        self.platform, self.stats = platform, stats

    def memory_stats(self) -> Any:
        return self.stats


@pytest.mark.parametrize(
    ("devices", "expected"),
    [
        ([Device("gpu", {"bytes_limit": 10}), Device("gpu", {"bytes_limit": 20})], 30),
        ([Device("gpu", None)], None),
        ([Device("tpu", {})], None),
    ],
)
def test_the_memory_of_accelerators_is_what_they_say(devices: list[Any], expected: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_devices", lambda array: devices)
    assert memory.device_bytes(jnp.zeros(3)) == expected


def test_cpus_share_the_memory_of_the_machine() -> None:
    there = memory.device_bytes(jnp.zeros(3))
    assert there == memory.device_bytes(np.zeros(3)) and there is not None and there > 2**28
    traced = []
    jax.jit(lambda x: traced.append(memory.device_bytes(x)))(1.0)
    assert traced == [there]


@every_case
@pytest.mark.parametrize("cuts", [(0, 1, 2, 30, 97), (0, 97), (0, 96, 97)])
def test_a_run_in_pieces_gives_the_bits_of_the_whole(neuron: Any, params: Any, cuts: tuple[int, ...]) -> None:
    given = inputs_of(neuron, 97)
    state, parts = None, []
    for start, stop in zip(cuts, cuts[1:], strict=False):
        state, part = F.simulate(neuron, params, given[start:stop], dt=DT, state=state, record=spikes_and_potential)
        parts.append(part)
    whole = F.simulate(neuron, params, given, dt=DT, record=spikes_and_potential)
    chex.assert_trees_all_equal((state, jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *parts)), whole)


def test_a_soma_and_a_network_leave_the_segments_to_the_loop() -> None:
    soma = somas.LIFSomaConfig(shape=(N,)).build()
    given = inputs_of(F.lif, 70)
    mask = jnp.ones((70, BATCH), bool)
    for run in (soma.simulate, somas.Sequential([soma]).simulate, lambda x, **kw: somas.Sequential([soma]).simulate(x, mask=mask, **kw)):
        chex.assert_trees_all_equal(run(given, dt=DT, segment="auto"), run(given, dt=DT))


@pytest.mark.parametrize("error", [AttributeError, OSError, ValueError])
def test_where_the_system_does_not_say_its_memory_nothing_is_refused(error: type, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str) -> int:
        raise error(name)

    inputs = jnp.ones((5, N))
    assert memory.device_bytes(inputs) > 0
    monkeypatch.setattr(memory.os, "sysconf", unknown)
    assert memory.device_bytes(inputs) is None
    F.simulate(F.lif, F.LIFParams(), inputs, dt=DT)
