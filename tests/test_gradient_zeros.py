"""Which gradients are zero by design: the two tables of docs/semantics.md, cell by cell."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import snnjax.functional as F

DT, STEPS, SPIKE = 1e-3, 12, 4
BLOCKED = SPIKE + 2
RESETS = {
    "to value": F.reset_to_value,
    "by subtraction": F.reset_by_subtraction,
    "to value, attached": F.attached(F.reset_to_value),
    "by subtraction, attached": F.attached(F.reset_by_subtraction),
}
RULES = {"`hold`": F.hold, "`gate_input`": F.gate_input, "`clamp_to_reset`": F.clamp_to_reset}
Cell = tuple[str, str, str, bool]


def cells() -> dict[str, list[Cell]]:
    """(of, by, column, whether there is a gradient) of each cell of the tables, by the name of their first column."""
    page = (Path(__file__).parents[1] / "docs" / "semantics.md").read_text()
    section = page.split("## Which gradients are zero")[1].split("\n## ")[0]
    found: dict[str, list[Cell]] = {}
    columns: list[str] = []
    for line in re.findall(r"^\| (.*) \|$", section, flags=re.MULTILINE):
        of, by, *row = line.split(" | ")
        if of == "of":
            columns = row
            continue
        assert set(row) <= {"0", "yes"}
        found.setdefault(columns[0], []).extend((of, by, column, cell == "yes") for column, cell in zip(columns, row, strict=True))
    return found


CELLS = cells()


def every_reset(v: Any, spikes: Any, params: Any) -> Any:
    """One reset on each neuron."""
    made = [reset(v, spikes, params) for reset in RESETS.values()]
    return jnp.select([np.arange(len(made)) == k for k in range(len(made))], made)


@functools.cache
def derivatives(neuron: F.Neuron, heaviside: bool = False) -> tuple[dict[str, Any], dict[str, Any]]:
    """Of potentials and spikes, `(T, ...)`, by everything, on a population with one reset on each neuron.

    A kick in step `SPIKE` makes every neuron fire in it, and in no other.
    """
    n, core = len(RESETS), F.core(neuron.default())._replace(v_reset=-0.3)
    back = 30.0 * np.exp(-DT / core.tau_syn) if "tau_syn" in core._fields else 0.0  # takes what is left of the kick out of the synapse
    kick = jnp.zeros((STEPS, 1)).at[SPIKE].set(30.0).at[SPIKE + 1].set(-back)
    given = {name: jnp.full(n, value) for name, value in core._asdict().items()}
    given |= {"inputs": jnp.full((STEPS, n), 0.05), "first v": jnp.full(n, 0.1), "slope": jnp.full(n, 4.0), "unit": jnp.full(n, 1.1)}
    given |= {"t_ref": jnp.full(n, 3 * DT)} if "t_ref" in neuron.default()._fields else {}

    def run(given: dict[str, Any]) -> Any:
        params = F.with_core(neuron.default(), core._replace(**{name: given[name] for name in core._fields}))
        params = params._replace(t_ref=given["t_ref"]) if "t_ref" in given else params
        state = neuron.init(params, (n,))
        state = F.with_core(state, F.core(state)._replace(v=given["first v"]))
        config = F.SpikingConfig(F.heaviside() if heaviside else F.superspike(given["slope"], given["unit"]), every_reset)
        record = lambda state, spikes: (F.core(state).v, spikes)  # noqa: E731
        v, spikes = F.simulate(neuron, params, kick + given["inputs"], dt=DT, state=state, config=config, record=record)[1]
        return (v.sum(-1), spikes.sum(-1)), spikes

    (of_v, of_spikes), spikes = jax.jit(jax.jacfwd(run, has_aux=True))(given)
    np.testing.assert_array_equal(spikes, np.tile(np.arange(STEPS)[:, None] == SPIKE, n))
    return of_v, of_spikes


def exists(derivative: dict[str, Any], names: list[str], column: int, yes: bool) -> None:
    for name in names:
        size = float(jnp.abs(derivative[name][..., column]).max())
        assert (size > 0) == yes, f"the derivative by `{name}` is {size}"


def at(derivative: dict[str, Any], step: Any) -> dict[str, Any]:
    return jax.tree.map(lambda leaf: leaf[step], derivative)


def listed(by: str) -> list[str]:
    return [part.replace("first state", "first v") for part in re.sub("`|surrogate's ", "", by).split(", ")]


@pytest.mark.parametrize(("of", "by", "column", "yes"), CELLS["to value"], ids=str)
def test_the_table_of_resets(of: str, by: str, column: str, yes: bool) -> None:
    model = re.search("of `(.*)`", of)
    neuron = F.lif_refrac if by == "`t_ref`" else getattr(F, model[1]) if model else F.lif
    of_v, of_spikes = derivatives(neuron, "heaviside" in of)
    names = list(of_v) if by == "anything" else listed(by.replace(" after the spike", ""))
    end = at(of_v, -1)
    if "after the spike" in by:
        end["inputs"] = end["inputs"][SPIKE + 1 :]
    for derivative in {"potential": [end], "spikes": [of_spikes], "anything": [of_v, of_spikes]}[of.split()[0]]:
        exists(derivative, names, list(RESETS).index(column), yes)


@pytest.mark.parametrize(("of", "by", "column", "yes"), CELLS["`hold`"], ids=str)
def test_the_table_of_refractory_rules(of: str, by: str, column: str, yes: bool) -> None:
    inputs = "step" in by
    of_v, of_spikes = derivatives(F.refractory(F.lif if "synapse" in by else F.leaky, RULES[column]))
    names = ["inputs"] if inputs else list(of_v) if by == "anything" else listed(by)
    asked = {
        "spikes of a blocked step": [at(of_spikes, BLOCKED)],
        "potential of a blocked step": [at(of_v, BLOCKED)],
        "later potential": [at(of_v, -1)],
        "anything": [of_v, of_spikes],
    }[of]
    for derivative in asked:
        exists({**derivative, "inputs": derivative["inputs"][BLOCKED]} if inputs else derivative, names, 0, yes)


def test_a_membrane_alone_has_no_gradient_by_what_fires() -> None:
    def end(v_th: Any, v_reset: Any) -> Any:
        params = F.MembraneParams(F.LIFParams(v_th=v_th, v_reset=v_reset))
        return F.simulate(F.membrane(F.lif), params, jnp.ones((5, 1)), dt=DT)[1].sum()

    assert jax.grad(end, argnums=(0, 1))(1.0, 0.0) == (0.0, 0.0)


def test_every_row_of_the_tables_was_read() -> None:
    assert {columns: len(rows) for columns, rows in CELLS.items()} == {"to value": 11 * len(RESETS), "`hold`": 7 * len(RULES)}
