"""What event-driven runs refuse, in which words, and the smallest runs that they accept."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from door_event_lif import GOOD, REFRACTORY, REFUSALS

import snnjax.functional as F
from snnjax import ConfigError, DTypeError, ShapeError


@pytest.mark.parametrize("error, field, value, text, given", REFUSALS.values(), ids=REFUSALS.keys())
def test_a_wrong_argument_is_refused_in_a_sentence(error: Any, field: str, value: Any, text: str, given: dict[str, Any]) -> None:
    with pytest.raises(error, match=text) as caught:
        F.simulate_events(**{**GOOD, **given})
    came = caught.value.value
    assert caught.value.field == field
    assert came is value or came == value or (came != came and value != value)
    assert str(caught.value).startswith(f"`{field}`") and str(caught.value).endswith(".")
    assert caught.value.where and caught.value.allowed


@pytest.mark.parametrize("missing", ["duration", "max_spikes"])
def test_what_has_no_default_is_missed_by_name(missing: str) -> None:
    with pytest.raises(ConfigError, match=f"`{missing}` is missing: `simulate_events`"):
        F.simulate_events(**{name: value for name, value in GOOD.items() if name != missing})


def test_shapes_are_refused_where_every_number_is_traced() -> None:
    with pytest.raises(ShapeError, match="`channels` must have shape"):
        jax.jit(lambda times: F.simulate_events(**{**GOOD, "times": times}))(jnp.zeros(3))


def test_room_for_spikes_cannot_be_traced() -> None:
    with pytest.raises(DTypeError, match="`max_spikes` must be a whole number, 1 or more"):
        jax.jit(lambda room: F.simulate_events(**{**GOOD, "max_spikes": room}))(5)


def silent(run: F.EventRun) -> bool:
    return run.count == 0 and bool(run.complete) and bool(jnp.isinf(run.times).all() and (run.neurons == -1).all() and not run.slopes.any())


@pytest.mark.parametrize(
    "k, rows, n, params",
    [(0, 0, 3, F.LIFParams()), (2, 1, 0, REFRACTORY), (0, 0, 0, F.LIFParams()), (2, 1, 1, REFRACTORY)],
)
def test_no_input_no_channel_and_no_neuron_are_silent_runs(k: int, rows: int, n: int, params: Any) -> None:
    arguments = {**GOOD, "params": params, "times": np.zeros(k), "channels": np.zeros(k, int), "recurrent_weight": np.ones((n, n))}

    def integral(weight: Any) -> Any:
        run = F.simulate_events(**{**arguments, "weight": weight})
        return run.v_integral.sum(), run

    weight = jnp.full((rows, n), 0.1)
    gradient, run = jax.grad(integral, has_aux=True)(weight)
    assert silent(run) and run.v_integral.shape == run.state.v.shape == (n,)
    assert gradient.shape == weight.shape and jnp.isfinite(gradient).all() and bool(gradient.any()) == (k * n > 0)


@jax.jit
def run(times: Any, weight: Any, duration: Any = 0.1) -> F.EventRun:
    """Two inputs, on channels 0 and 1, into three neurons."""
    return F.simulate_events(F.LIFParams(), times, np.array([0, 1]), weight, duration=duration, max_spikes=30)


AT_ONCE = jnp.zeros(2)


def test_a_run_of_no_time_takes_the_inputs_of_its_instant() -> None:
    end = run(AT_ONCE, jnp.ones((2, 3)), 0.0)
    assert silent(end) and end.state.i.tolist() == [2.0] * 3 and not end.state.v.any() and not end.v_integral.any()


def test_inputs_of_one_instant_add_up() -> None:
    apart = run(AT_ONCE, jnp.array([[1.0, 4.0, 9.0], [3.0, 3.0, 3.0]]))
    together = run(jnp.array([0.0, jnp.inf]), jnp.array([[4.0, 7.0, 12.0], [0.0, 0.0, 0.0]]))
    assert apart.count > 0
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a, b), apart, together)


def test_a_neuron_with_nan_is_silent_and_alone() -> None:
    end = run(AT_ONCE, jnp.array([[8.0, jnp.nan, 0.0], [0.0, 0.0, 0.0]]))
    assert end.count > 0 and set(end.neurons[: end.count].tolist()) == {0}
    assert jnp.isnan(end.state.v).tolist() == [False, True, False]


@pytest.mark.parametrize("bad", [-1.0, np.nan])
def test_an_instant_that_makes_no_sense_and_could_not_be_seen_ends_the_run_with_the_flag_down(bad: float) -> None:
    end = run(jnp.array([0.0, bad]), jnp.ones((2, 3)))
    assert not end.complete and jnp.isnan(end.state.v).all()
