"""The fused kernel: carried out block by block on a CPU, lowered to CUDA without a GPU, refused where it cannot be."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec

import snnjax
import snnjax.functional as F
from snnjax.functional import _fused_choice as choice
from snnjax.functional import _fused_device as device
from snnjax.functional._fused import How, fused, unpacked
from tests.models import ALL, Case

# In JAX 0.11 and 0.12 the back end says so whenever it is used.
pytestmark = pytest.mark.filterwarnings("ignore:The Pallas Triton backend is deprecated:DeprecationWarning")

DPI = Case(F.dynapse_dpi, F.DynapseParams())
CASES = [case for case in ALL if "recurrent" not in case.name] + [DPI]
BLOCKS = How(block=8, interpret=True)


def parameters(*covering: str) -> list[Any]:
    return [pytest.param(case, id=case.name, marks=() if case.name in covering else pytest.mark.long) for case in CASES]


class AdExState(NamedTuple):
    v: Any
    w: Any
    i: Any


class AdExParams(NamedTuple):
    tau_mem: Any = 20e-3
    v_th: Any = 1.0
    width: Any = 0.2


def adex_init(params: Any, shape: Any = (), dtype: Any = None) -> AdExState:
    return AdExState(*(jnp.zeros(shape, dtype) for _ in range(3)))


def adex_step(params: Any, state: AdExState, inputs: Any, *, dt: Any, config: Any) -> Any:
    """Adaptive exponential integrate-and-fire in ten lines, as a user writes it: float arithmetic, `where`, no `advance`."""
    p = params
    i = state.i * jnp.exp(-dt / 5e-3) + inputs
    upstroke = p.width * jnp.exp(jnp.minimum((state.v - p.v_th) / p.width, 2.0))
    v = state.v + dt / p.tau_mem * (upstroke - state.v - state.w + 4.0 * i)
    spikes = config.spike(v - 1.2 * p.v_th, p.v_th)
    w = state.w + dt / 0.1 * (0.2 * v - state.w) + 0.1 * spikes
    return AdExState(jnp.where(spikes > 0, 0.0, v), w, i), spikes


LEAKY = Case(F.leaky, F.LeakyParams())
ADEX = Case(F.Neuron("adex", AdExParams, adex_init, adex_step), AdExParams())


def inputs_of(case: Case, steps: int, shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
    if case.name == "dynapse_dpi":
        return jnp.asarray(np.random.default_rng(0).poisson(1.0, (steps, *shape)) * 2000.0, dtype)
    return case.inputs(steps, shape).astype(dtype)


def problem(
    case: Case, shape: tuple[int, ...], steps: int, dtype: Any = jnp.float32, **options: Any
) -> tuple[Callable[..., Any], Callable[..., Any], tuple[Any, ...]]:
    """The fused run and the scan as functions of `(params, dt, state, inputs)`, and arguments; `record` is everything there is."""
    neuron, config = case.neuron, case.neuron.config()
    params = jax.tree.map(lambda number: jnp.asarray(number, dtype), case.params)
    inputs = inputs_of(case, steps, shape, dtype)

    def step(numbers: Any, now: Any, x: Any) -> Any:
        params, (dt, config) = numbers
        now, output = neuron.step(params, now, x, dt=dt, config=config)
        return now, (output, now)

    def ours(params: Any, dt: Any, state: Any, inputs: Any) -> Any:
        return fused(step, params, (dt, config), state, inputs, shape, **options)

    def scan(params: Any, dt: Any, state: Any, inputs: Any) -> Any:
        return jax.lax.scan(lambda now, x: step((params, (dt, config)), now, x), state, inputs)

    return ours, scan, (params, jnp.asarray(1e-3, dtype), neuron.init(params, shape, dtype), inputs)


def gradient(run: Callable[..., Any]) -> Callable[..., Any]:
    """The gradient of a weighted sum of everything that is real, by everything that is real."""

    def loss(floats: Any, args: Any) -> jax.Array:
        results = filter(is_float, jax.tree.leaves(run(*filled(args, floats))))
        return sum((jnp.cos(jnp.arange(leaf.size, dtype=leaf.dtype)).reshape(leaf.shape) * leaf / scale_of(leaf)).sum() for leaf in results)

    return lambda args: jax.value_and_grad(loss)([leaf for leaf in jax.tree.leaves(args) if is_float(leaf)], args)


def scale_of(leaf: Any) -> Any:
    """Picoamperes and volts count the same."""
    return jax.lax.stop_gradient(jnp.maximum(jnp.abs(leaf).max(), 1e-14))


def is_float(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jnp.floating)


def filled(args: Any, floats: Any) -> Any:
    left = iter(floats)
    return jax.tree.map(lambda leaf: next(left) if is_float(leaf) else leaf, args)


def assert_same(got: Any, expected: Any, tolerance: float) -> None:
    """Whole numbers are equal; real ones are to `tolerance` of the largest of their array."""
    assert jax.tree.structure(got) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        a, b = np.asarray(a, float), np.asarray(b, float)
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * max(np.abs(b).max(initial=0), 1e-25))


def check(case: Case, shape: tuple[int, ...], steps: int, cancels: bool, **options: Any) -> None:
    ours, scan, args = problem(case, shape, steps, **options)
    (last, (output, states)), expected = jax.jit(ours)(*args), jax.jit(scan)(*args)
    if case.neuron.spiking:
        np.testing.assert_array_equal(output, expected[1][0])
    assert_same((last, (output, states)), expected, 1e-6)
    got, wanted = (jax.jit(gradient(run))(args) for run in (ours, scan))
    if not cancels:
        assert_same(got, wanted, 1e-5)
        return
    with jax.enable_x64(True):
        exact = jax.jit(gradient(scan))(jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf), float) if is_float(leaf) else leaf, args))
    # The DPI neuron's gradients by its currents pass through the largest factors.
    assert_near_exact(got, wanted, exact, 3e-5 if case.neuron is F.dynapse_dpi else 1e-5)


def assert_near_exact(got: Any, wanted: Any, exact: Any, tolerance: float) -> None:
    """To `tolerance` of the largest number of an array; where large numbers cancel, as near as the scan is to float64."""
    three = [[np.asarray(leaf, float) for leaf in jax.tree.leaves(tree)] for tree in (got, wanted, exact)]
    largest = max(np.abs(leaf).max(initial=0) for leaf in three[2])
    for a, b, c in zip(*three, strict=True):
        allowed = max(tolerance * np.abs(b).max(initial=0), 2 * np.abs(b - c).max(initial=0), 1e-7 * largest)
        np.testing.assert_allclose(a, b, rtol=0, atol=allowed)


#: Models with a gradient that is nothing but rounding here, a sum of large numbers that cancel: it is compared with float64 too.
CANCELLING = {"adaptive_current_leaky", "refractory(delta(leaky))"}
IN_BLOCKS = CANCELLING | {"refractory(adaptive_current_leaky)", "dynapse_dpi"}
IN_LOOPS = CANCELLING | {"refractory(leaky, gate_input)", "refractory(leaky, clamp_to_reset)"}


@pytest.mark.once
@pytest.mark.parametrize("case", [*parameters("leaky"), pytest.param(ADEX, id="adex", marks=pytest.mark.long)])
def test_the_kernel_in_blocks_gives_the_spikes_and_the_gradient_of_the_scan(case: Case) -> None:
    check(case, (2, 5), 3, case.name in IN_BLOCKS, segment=2, how=BLOCKS)


@pytest.mark.once
@pytest.mark.parametrize("case", [*parameters(), pytest.param(ADEX, id="adex")])
def test_where_there_is_no_kernel_the_same_programs_run_as_loops(case: Case) -> None:
    check(case, (2, 5), 13, case.name in IN_LOOPS, segment=4)


@pytest.mark.once
@pytest.mark.parametrize("how", [pytest.param(BLOCKS, id="blocks"), pytest.param(None, id="loops")])
@pytest.mark.parametrize("case", [*parameters("leaky"), pytest.param(ADEX, id="adex", marks=pytest.mark.long)])
def test_but_for_rounding_states_and_gradients_are_those_of_the_scan(case: Case, how: How | None) -> None:
    # In float64: what differs in float32 is the order in which products are added up.
    with jax.enable_x64(True):
        ours, scan, args = problem(case, (2, 5), 5, jnp.float64, segment=2, **({} if how is None else {"how": how}))
        assert_same(jax.jit(ours)(*args), jax.jit(scan)(*args), 1e-13)
        got, wanted = (jax.tree.leaves(jax.jit(gradient(run))(args)) for run in (ours, scan))
    largest = max(np.abs(leaf).max(initial=0) for leaf in wanted)
    for a, b in zip(got, wanted, strict=True):  # a sum that cancels is as exact as what it is made of
        assert a.dtype == b.dtype == np.float64
        np.testing.assert_allclose(a, b, rtol=0, atol=max(1e-11 * np.abs(b).max(initial=0), 1e-14 * largest))


def exact_step(numbers: Any, now: Any, x: Any) -> Any:
    """Halves and small whole numbers: every operation is exact, so that only what is loaded, stored and summed counts."""
    (weight,), (total, pair, count) = numbers[0], now
    first, second = (x["a"][..., k, :].astype(jnp.float32) for k in range(2))
    pair = 0.5 * pair + jnp.stack([second, first], axis=-2)
    total = total * 0.5 + weight * first + 4.0 * pair[..., 1, :] + x["b"].astype(jnp.float32)
    return (total, pair, count + 1), {"total": total, "pair": pair, "count": count, "high": total > 1.0}


@pytest.mark.parametrize(("shape", "steps", "shared"), [((8,), 4, True), ((3, 7), 3, False), ((13,), 1, False)])
def test_what_is_loaded_stored_and_summed_is_exact_to_the_bit(shape: tuple[int, ...], steps: int, shared: bool) -> None:
    rng = np.random.default_rng(0)
    pairs = (*shape[:-1], 2, *shape[-1:])
    xs = {"a": jnp.asarray(rng.integers(-4, 5, (steps, *pairs)), jnp.bfloat16), "b": jnp.asarray(rng.random((steps, *shape)) < 0.3)}
    state = jnp.zeros(shape), jnp.ones(pairs), jnp.full(shape, 3, jnp.int32)

    def ours(weight: Any, xs: Any) -> Any:
        return fused(exact_step, (weight,), (), state, xs, shape, segment=2, how=BLOCKS)

    def scan(weight: Any, xs: Any) -> Any:
        return jax.lax.scan(lambda now, x: exact_step(((jnp.broadcast_to(weight, shape),),), now, x), state, xs)

    def slopes(run: Any) -> Any:
        times = jnp.arange(1.0, steps + 1).reshape(-1, *[1] * len(shape))
        return jax.grad(lambda weight, a: (run(weight, xs | {"a": a})[1]["total"] * times).sum(), argnums=(0, 1))

    weight = jnp.float32(3.0) if shared else jnp.asarray(rng.integers(1, 4, shape[-1:]), jnp.float32)
    for program, last in ((lambda run: run, xs), (slopes, xs["a"])):
        got, expected = (jax.jit(program(run))(weight, last) for run in (ours, scan))
        for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("how", [BLOCKS, How()], ids=["kernel", "loops"])
@pytest.mark.parametrize("steps", [31, 70])
def test_packed_spikes_are_the_bits_of_the_spikes(how: How, steps: int) -> None:
    state, xs = jnp.zeros((2, 5)), inputs_of(LEAKY, steps, (2, 5))

    def step(numbers: Any, now: Any, x: Any) -> Any:
        del numbers
        return now * 0.5 + x, (now > 1.5).astype(jnp.float32)

    words = jax.jit(lambda xs: fused(step, (), (), state, xs, (2, 5), segment=4, packs=True, how=how)[1])(xs)
    spikes = jax.lax.scan(lambda now, x: step((), now, x), state, xs)[1]
    assert words.dtype == jnp.uint32 and words.shape == (-(-steps // 32), 2, 5) and 0 < spikes.mean() < 1
    np.testing.assert_array_equal(unpacked(words, steps), spikes)


def leaky(backend: str, **options: Any) -> Callable[..., Any]:
    return lambda params, xs: F.simulate(F.leaky, params, xs, dt=1e-3, backend=backend, **options)[1]


def slopes_of(run: Callable[..., Any]) -> Callable[..., Any]:
    def loss(params: Any, xs: Any) -> jax.Array:
        return (run(params, xs).astype(jnp.float32) * jnp.broadcast_to(jnp.arange(1.0, 6.0), xs.shape)).sum()

    return jax.grad(loss, argnums=(0, 1))


@pytest.mark.once
def test_a_shared_parameter_has_the_summed_gradient_of_one_per_neuron_and_of_one_per_batch() -> None:
    xs = inputs_of(LEAKY, 40, (2, 5))
    found = []
    for tau in (jnp.float32(0.02), jnp.full((2, 5), 0.02)):
        found.append(jax.jit(slopes_of(leaky("pallas")))(F.LeakyParams(tau_mem=tau), xs)[0].tau_mem)
        assert found[-1].shape == tau.shape
    np.testing.assert_allclose([slope.sum() for slope in found], found[0], rtol=1e-5)


@pytest.mark.once
def test_it_maps_and_takes_a_population_without_axes() -> None:
    xs = jnp.stack([inputs_of(LEAKY, 20, (5,)) * k for k in (1.0, 0.5)])
    params = jax.tree.map(jnp.float32, F.LeakyParams())
    got, expected = (jax.jit(jax.vmap(slopes_of(leaky(backend)), in_axes=(None, 0)))(params, xs) for backend in ("pallas", "scan"))
    assert_same(got, expected, 1e-5)
    np.testing.assert_array_equal(leaky("pallas")(params, xs[0, :, 0]), leaky("scan")(params, xs[0, :, 0]))


@pytest.mark.once
def test_inputs_in_bfloat16_have_a_gradient_in_bfloat16_and_outputs_may_be() -> None:
    xs = inputs_of(LEAKY, 20, (5,)).astype(jnp.bfloat16)
    params, record = jax.tree.map(jnp.float32, F.LeakyParams()), lambda state, spikes: spikes.astype(jnp.bfloat16)  # noqa: E731
    got, expected = (jax.jit(slopes_of(leaky(backend, record=record)))(params, xs)[1] for backend in ("pallas", "scan"))
    assert got.dtype == jnp.bfloat16 and jax.eval_shape(leaky("pallas", record=record), params, xs).dtype == jnp.bfloat16
    np.testing.assert_allclose(np.asarray(got, float), np.asarray(expected, float), rtol=0.01, atol=1e-3)


@pytest.mark.parametrize("check_vma", [True, False])
def test_each_device_runs_its_own_neurons_inside_shard_map(check_vma: bool) -> None:
    mesh = jax.make_mesh((1,), ("n",), axis_types=(jax.sharding.AxisType.Auto,))
    params = jax.tree.map(jnp.float32, F.LeakyParams())
    xs, last = inputs_of(LEAKY, 20, (5,)), PartitionSpec(None, "n")
    local = jax.shard_map(leaky("pallas"), mesh=mesh, in_specs=(PartitionSpec(), last), out_specs=last, check_vma=check_vma)
    got = jax.jit(slopes_of(local)).lower(params, xs).compile()
    assert_same(got(params, xs), jax.jit(slopes_of(leaky("pallas")))(params, xs), 1e-6)
    assert "all-gather" not in got.as_text()


def test_double_precision_is_kept(x64: None) -> None:
    xs, state = jnp.asarray(inputs_of(LEAKY, 9, (5,)), jnp.float64), jnp.zeros(5)

    def step(numbers: Any, now: Any, x: Any) -> Any:
        return now * numbers[0][0] + x, now > 1

    words = fused(step, (0.5,), (), state, xs, (5,), segment=4, packs=True, how=BLOCKS)[1]
    last, high = fused(step, (0.5,), (), state, xs, (5,), segment=4, how=BLOCKS)
    assert words.dtype == jnp.uint32 and last.dtype == jnp.float64
    np.testing.assert_array_equal(unpacked(words, 9, bool), high)
    np.testing.assert_allclose(last, jax.lax.scan(lambda now, x: step(((0.5,), ()), now, x), state, xs)[0], rtol=1e-15)
    assert "triton" in cuda(jax.grad(lambda xs: leaky("pallas")(F.LeakyParams(), xs).sum()), xs)


def test_it_has_no_forward_mode_and_the_scan_has() -> None:
    xs = jnp.ones((5, 3))
    with pytest.raises(TypeError, match="forward-mode"):
        jax.jvp(lambda xs: leaky("pallas")(F.LeakyParams(), xs), (xs,), (xs,))
    jax.jvp(lambda xs: leaky("auto")(F.LeakyParams(), xs), (xs,), (xs,))


REFUSED = {
    "a recurrent model": (F.recurrent(F.lif), {}, "`recurrent\\(lif\\)` cannot: its spikes come back to other neurons"),
    "a sum over neurons": (F.leaky, {"record": lambda state, spikes: spikes.sum()}, "has shape \\(\\), not one value per neuron"),
    "a neighbour": (F.leaky, {"record": lambda state, spikes: jnp.roll(spikes, 1)}, "depends on other neurons"),
    "a place": (F.leaky, {"record": lambda state, spikes: spikes * jnp.cumsum(jnp.ones_like(spikes))}, "has the operation `cumsum`"),
    "a number by place": (
        F.leaky,
        {"record": lambda state, spikes: spikes * jnp.arange(1.0, spikes.size + 1)},
        "or on its place among them",
    ),
    "what Triton lacks": (F.leaky, {"record": lambda state, spikes: jnp.round(state.v)}, "`round`, which Triton does not know"),
    "a watch": (F.leaky, {"checked": True}, "with `checked=True` the scan looks at the state"),
    "a long segment": (F.leaky, {"segment": 33}, "at most 32 steps, and `segment` is 33"),
}


@pytest.mark.once
@pytest.mark.parametrize(("neuron", "options", "text"), REFUSED.values(), ids=REFUSED)
def test_what_a_kernel_cannot_run_is_refused_with_the_reason_and_auto_runs_it(
    neuron: F.Neuron, options: Any, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = neuron.default(weight=jnp.eye(3)) if "recurrent" in neuron.name else neuron.default()
    with pytest.raises(snnjax.ConfigError, match=text) as caught:
        F.simulate(neuron, params, jnp.ones((40, 3)), dt=1e-3, backend="pallas", **options)
    assert caught.value.field == "backend" and "`backend='scan'`" in str(caught.value)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    F.simulate(neuron, params, jnp.ones((40, 3)), dt=1e-3, backend="auto", **options)


def test_auto_is_the_kernel_on_a_gpu_and_the_scan_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choice.kernel_for("auto", False, None) is None and choice.kernel_for("pallas", False, None) == "pallas"
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert choice.kernel_for("auto", False, None) == "auto"
    assert choice.kernel_for("auto", True, None) is choice.kernel_for("auto", False, 10) is choice.kernel_for("scan", False, None) is None


def test_without_pallas_the_scan_runs_after_one_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Any:
        raise device.Missing("no module")

    monkeypatch.setattr(device, "find", missing)
    choice._is_there.cache_clear()
    try:
        with pytest.warns(
            RuntimeWarning, match="needs Pallas on Triton, which this JAX .* does not have: no module. The scan runs instead"
        ):
            first = leaky("pallas")(F.LeakyParams(), jnp.ones((5, 3)))
        np.testing.assert_array_equal(leaky("pallas")(F.LeakyParams(), jnp.ones((5, 3))), first)
    finally:
        choice._is_there.cache_clear()


def test_nothing_to_run_is_nothing() -> None:
    assert leaky("pallas")(F.LeakyParams(), jnp.ones((0, 3))).shape == (0, 3)
    assert leaky("pallas")(F.LeakyParams(), jnp.ones((4, 0))).shape == (4, 0)


def on_paper() -> Any:
    """A GPU that is not there: from JAX 0.11 on a kernel is lowered for one in particular."""
    if jax.__version_info__ < (0, 11):
        return contextlib.nullcontext()
    gpu = jax.sharding.AbstractDevice("NVIDIA H100", 132, "gpu")
    return jax.sharding.use_abstract_mesh(jax.sharding.AbstractMesh((1,), ("x",), abstract_device=gpu))


def cuda(function: Callable[..., Any], *args: Any) -> str:
    with on_paper():
        return jax.jit(function).trace(*args).lower(lowering_platforms=("cuda",)).as_text()


@pytest.mark.parametrize("case", [*parameters("lif_refrac", "synapses(leaky, 2)"), pytest.param(ADEX, id="adex")])
def test_run_and_gradient_are_lowered_to_two_kernels_for_cuda_without_a_loop_beside_them(case: Case) -> None:
    ours, _, args = problem(case, (2, 5), 50)
    text = cuda(gradient(ours), args)
    assert text.count("custom_call @__gpu$xla.gpu.triton") + text.count("custom_call @triton_kernel_call") == 2
    assert "stablehlo.while" not in text


def test_packed_spikes_and_two_byte_states_are_lowered_for_cuda() -> None:
    def step(numbers: Any, now: Any, x: Any) -> Any:
        del numbers
        return now / 2 + jax.nn.sigmoid(x), now > 1

    def loss(xs: Any) -> Any:
        return fused(step, (), (), jnp.zeros(5, jnp.bfloat16), xs, (5,))[0].astype(jnp.float32).sum()

    xs = jnp.ones((40, 5), jnp.bfloat16)
    assert "triton" in cuda(lambda xs: fused(step, (), (), jnp.zeros(5, jnp.bfloat16), xs, (5,), packs=True), xs)
    assert "triton" in cuda(jax.grad(loss), xs)


@pytest.mark.parametrize("config", [F.DPIConfig(substeps=3), F.DPIConfig.dynapsim()], ids=["substeps", "dynapsim"])
@pytest.mark.long
def test_every_dynamics_of_the_dpi_neuron_is_lowered_for_cuda(config: F.DPIConfig) -> None:
    run = lambda xs: F.simulate(F.dynapse_dpi, F.DynapseParams(), xs, dt=1e-3, config=config, backend="pallas")[1].sum()  # noqa: E731
    assert "triton" in cuda(jax.grad(run), inputs_of(DPI, 40, (5,)))


@pytest.mark.gpu
@pytest.mark.parametrize("case", [*CASES, ADEX], ids=lambda case: case.name)
def test_on_a_gpu_the_kernel_gives_the_spikes_and_the_gradient_of_the_scan(case: Case) -> None:
    ours, scan, args = problem(case, (3, 1000), 500)
    got, expected = jax.jit(ours)(*args)[1][0], jax.jit(scan)(*args)[1][0]
    # A crossing within rounding of the threshold may fall to either side, and the neuron goes another way from there.
    assert float(jnp.mean(got != expected)) < 1e-3 if case.neuron.spiking else float(jnp.abs(got - expected).max()) < 1e-4
    ours, scan, args = problem(case, (3, 1000), 20)
    assert_same(jax.jit(gradient(ours))(args), jax.jit(gradient(scan))(args), 1e-4)


@pytest.mark.gpu
def test_on_a_gpu_auto_is_the_kernel() -> None:
    assert jax.default_backend() == "gpu" and choice.kernel_for("auto", False, None) == "auto"
