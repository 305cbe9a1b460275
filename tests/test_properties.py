"""Laws of every model, on inputs and parameters that hypothesis draws.

Shapes are fixed, so each law is compiled once per model. How many examples: `conftest.examples`.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import examples
from hypothesis import given
from hypothesis import strategies as st
from models import Case, jumps

import snnjax.functional as F

DT, STEPS, BATCH, N = 1e-3, 16, 2, 4
CASES = {
    name: Case(neuron, neuron.default())
    for name, neuron in {
        **F.MODELS,
        "refractory(leaky)": F.refractory(F.leaky, F.gate_input),
        "synapses(lif, 2)": F.synapses(F.lif, 2),
    }.items()
    if name in ("leaky", "lif_refrac", "adaptive_current_leaky", "integrate_and_fire", "refractory(leaky)", "synapses(lif, 2)")
}
every_model = pytest.mark.parametrize("name", CASES)
seeds, steps = st.integers(0, 2**32 - 1), st.integers(0, STEPS)
POTENTIALS = ("v_leak", "v_th", "v_reset", "bias", "delta_th", "delta_w")


@functools.cache
def compiled(name: str) -> Any:
    """`(params, inputs, state, dt) -> states, outputs` of every step, in one program per model."""

    def run(params: Any, inputs: Any, state: Any, dt: Any) -> Any:
        return F.simulate(CASES[name].neuron, params, inputs, dt=dt, state=state, record=lambda state, output: (state, output))[1]

    return jax.jit(run)


def rest(name: str, params: Any) -> Any:
    return CASES[name].neuron.init(params, (BATCH, N), jnp.float32)


def run(name: str, params: Any, inputs: Any, state: Any = None, dt: Any = DT) -> Any:
    return jax.tree.map(np.asarray, compiled(name)(params, inputs, rest(name, params) if state is None else state, np.float32(dt)))


def drawn(name: str, seed: int) -> tuple[Any, np.ndarray]:
    """Parameters per neuron, multiples of 2**-12, and inputs under which it spikes now and then."""
    case, rng = CASES[name], np.random.default_rng(seed)
    ranges = {"tau": (4e-3, 40e-3), "v_leak": (-0.2, 0.2), "v_th": (0.6, 1.2), "v_reset": (-0.5, 0.3), "bias": (-0.1, 0.1)}
    core = F.core(case.params)
    fields = {
        field: np.float32(rng.uniform(*ranges.get("tau" if field.startswith("tau") else field, (0.1, 1.0)), N)) for field in core._fields
    }
    params = F.with_core(case.params, core._replace(**fields))
    if "t_ref" in params._fields:
        params = params._replace(t_ref=np.float32(DT) * rng.integers(0, 5, N).astype(np.float32))
    if "tau_syn" in params._fields:
        params = params._replace(tau_syn=np.float32(rng.uniform(3e-3, 30e-3, (2, N))))
    inputs = rng.normal(0.3, 1.0, (STEPS, BATCH, *case.neuron.ports, N)) * (1.5 if jumps(case) else 8.0)
    return params, inputs.astype(np.float32)


def same(a: Any, b: Any) -> None:
    for ours, theirs in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@every_model
def test_a_run_that_starts_from_any_of_its_states_is_the_rest_of_the_run(name: str) -> None:
    @examples(60)
    @given(seeds, st.integers(1, STEPS - 1))
    def law(seed: int, cut: int) -> None:
        params, inputs = drawn(name, seed)
        states, outputs = run(name, params, inputs)
        again = run(name, params, np.roll(inputs, -cut, axis=0), jax.tree.map(lambda leaf: leaf[cut - 1], states))
        same(jax.tree.map(lambda leaf: leaf[: STEPS - cut], again), jax.tree.map(lambda leaf: leaf[cut:], (states, outputs)))

    law()


@every_model
def test_what_comes_later_changes_nothing_before(name: str) -> None:
    @examples(60)
    @given(seeds, steps)
    def law(seed: int, cut: int) -> None:
        params, inputs = drawn(name, seed)
        other = np.concatenate([inputs[:cut], drawn(name, seed + 1)[1][cut:]])
        same(*(jax.tree.map(lambda leaf: leaf[:cut], run(name, params, x)) for x in (inputs, other)))

    law()


@every_model
def test_a_row_of_a_batch_does_not_see_the_others(name: str) -> None:
    @examples(60)
    @given(seeds)
    def law(seed: int) -> None:
        params, inputs = drawn(name, seed)
        other = np.array(drawn(name, seed + 1)[1])
        other[:, 0] = inputs[:, 0]
        same(*(jax.tree.map(lambda leaf: leaf[:, 0], run(name, params, x)) for x in (inputs, other)))

    law()


@every_model
def test_neurons_in_another_order_do_the_same_in_that_order(name: str) -> None:
    @examples(60)
    @given(seeds, st.permutations(range(N)))
    def law(seed: int, order: list[int]) -> None:
        params, inputs = drawn(name, seed)
        moved = run(name, jax.tree.map(lambda leaf: leaf[..., order] if np.ndim(leaf) else leaf, params), inputs[..., order])
        same(moved, jax.tree.map(lambda leaf: leaf[..., order], run(name, params, inputs)))

    law()


@every_model
def test_silence_before_the_input_delays_the_output_by_its_length(name: str) -> None:
    @examples(60)
    @given(seeds, st.integers(0, STEPS // 2))
    def law(seed: int, delay: int) -> None:
        params, inputs = drawn(name, seed)
        core = F.core(params)
        still = {"bias": np.zeros(N, np.float32)} | ({"v_leak": np.zeros(N, np.float32)} if "v_leak" in core._fields else {})
        params = F.with_core(params, core._replace(**still))
        inputs[STEPS // 2 :] = 0.0
        late = np.roll(inputs, delay, axis=0)
        same(
            jax.tree.map(lambda leaf: leaf[delay:], run(name, params, late)),
            jax.tree.map(lambda leaf: leaf[: STEPS - delay], run(name, params, inputs)),
        )

    law()


@every_model
def test_potentials_and_currents_in_another_unit_give_the_same_spikes(name: str) -> None:
    @examples(60)
    @given(seeds, st.integers(-40, 40))
    def law(seed: int, power: int) -> None:
        params, inputs = drawn(name, seed)
        unit, core = np.float32(2.0**power), F.core(params)
        scaled = F.with_core(params, core._replace(**{field: getattr(core, field) * unit for field in POTENTIALS if field in core._fields}))
        (states, spikes), (other, others) = run(name, params, inputs), run(name, scaled, inputs * unit)
        same(others, spikes)
        same(F.core(other), jax.tree.map(lambda leaf: leaf * unit, F.core(states)))

    law()


@every_model
def test_time_in_another_unit_gives_the_same_run(name: str) -> None:
    @examples(60)
    @given(seeds, st.integers(-20, 20))
    def law(seed: int, power: int) -> None:
        params, inputs = drawn(name, seed)
        unit = np.float32(2.0**power)

        def scaled(record: Any) -> Any:
            times = {field: getattr(record, field) * unit for field in record._fields if field.startswith("tau") or field == "t_ref"}
            inner = {"neuron": scaled(record.neuron)} if "neuron" in record._fields else {}
            return record._replace(**times, **inner)

        same(run(name, scaled(params), inputs, rest(name, params), np.float32(DT) * unit), run(name, params, inputs))

    law()


@pytest.mark.parametrize("name", [name for name in CASES if name != "adaptive_current_leaky"])  # whose `w` may ring
def test_more_input_is_never_a_later_first_spike(name: str) -> None:
    @examples(60)
    @given(seeds)
    def law(seed: int) -> None:
        params, inputs = drawn(name, seed)
        more = inputs + np.float32(np.random.default_rng(seed).choice([0.0, 0.5], inputs.shape))
        first, earlier = (np.where(s.any(0), s.argmax(0), STEPS) for s in (run(name, params, x)[1] for x in (inputs, more)))
        assert (earlier <= first).all()

    law()


@every_model
def test_without_spikes_responses_add_up(name: str) -> None:
    @examples(60)
    @given(seeds)
    def law(seed: int) -> None:
        params, one = drawn(name, seed)
        core = F.core(params)
        silent = {"v_th": np.full(N, 1e6, np.float32)} | {
            f: np.zeros(N, np.float32) for f in ("bias", "v_leak", "v_reset") if f in core._fields
        }
        params, other = F.with_core(params, core._replace(**silent)), drawn(name, seed + 1)[1]
        a, b, both = (F.core(run(name, params, x)[0]).v for x in (one, other, one + other))
        np.testing.assert_allclose(both, a + b, rtol=1e-4, atol=2e-5)

    law()


@every_model
def test_every_spike_leaves_the_membrane_at_its_reset_and_no_other_step_above_threshold(name: str) -> None:
    @examples(60)
    @given(seeds)
    def law(seed: int) -> None:
        params, inputs = drawn(name, seed)
        states, spikes = run(name, params, inputs)
        core, v = F.core(params), F.core(states).v
        fired = spikes > 0
        same(v[fired], np.broadcast_to(core.v_reset, v.shape)[fired])
        assert (v[~fired] <= np.broadcast_to(core.v_th, v.shape)[~fired]).all()

    law()


@pytest.mark.parametrize("rule", ["hold", "gate_input", "clamp_to_reset"])
def test_a_saturated_neuron_fires_every_blocked_steps_plus_one(rule: str) -> None:
    neuron = F.refractory(F.leaky, getattr(F, rule))
    spikes_of = jax.jit(lambda t_ref: F.simulate(neuron, neuron.default(t_ref=t_ref), jnp.full((30, 1), 1e4), dt=DT)[1][:, 0])

    @examples(200)
    @given(st.integers(0, 40))
    def law(halves: int) -> None:
        steps = round(halves / 2)  # Python rounds halves to the even number, too
        np.testing.assert_array_equal(np.flatnonzero(spikes_of(np.float32(halves / 2 * DT))), np.arange(0, 30, steps + 1))

    law()


def test_the_recurrent_spikes_of_neurons_in_another_order_are_those_in_that_order() -> None:
    neuron = F.recurrent(F.lif)
    spikes_of = jax.jit(lambda weight, x: F.simulate(neuron, neuron.default(weight=weight), x, dt=DT)[1])

    @examples(100)
    @given(seeds, st.permutations(range(6)))
    def law(seed: int, order: list[int]) -> None:
        rng = np.random.default_rng(seed)
        weight = rng.integers(-64, 65, (6, 6)).astype(np.float32) / 8  # sums of these are exact in any order
        inputs = rng.integers(0, 65, (STEPS, 6)).astype(np.float32) / 8
        same(spikes_of(weight[order][:, order], inputs[:, order]), np.asarray(spikes_of(weight, inputs))[:, order])

    law()
