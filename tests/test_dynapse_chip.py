"""Codes, ranges and mismatch: what a chip makes of currents, and says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import require_traces

import snnjax
import snnjax.functional as F
from snnjax import dynapse


def a_measured_table() -> dict[str, np.ndarray]:
    """Not monotone: 5 % lower from every 32nd fine code on for a stretch, and never off."""
    fine = np.arange(256)
    row = (fine + 1.5) / 256 * np.where((fine // 32) % 2, 0.95, 1.0)
    return {kind: np.outer([7e-11, 5.6e-10, 4.5e-9, 3.6e-8, 2.9e-7, 2.3e-6], row) for kind in "NP"}


def test_the_linear_law_is_that_of_the_chip() -> None:
    generator = dynapse.Generator()
    np.testing.assert_allclose(generator.current("Ispkthr", 4, 128), 2.82e-7 / 2 * 0.38)
    np.testing.assert_allclose(generator.current("Itau_mem", 0, 255), 7.31e-11 * 255 / 256 * 0.61)


@pytest.mark.parametrize("generator", [dynapse.Generator(), dynapse.Generator(a_measured_table())], ids=["linear", "measured"])
def test_the_nearest_code_is_the_nearest_of_all(generator: dynapse.Generator) -> None:
    rng = np.random.default_rng(0)
    for field in ("Itau_mem", "Ispkthr", "Igain_syn"):
        low, high = generator.span(field)
        asked = np.exp(rng.uniform(np.log(low), np.log(high), 200))
        got = generator.current(field, *generator.nearest(field, asked))
        table = generator.currents(field).ravel()
        best = np.abs(table[None] / asked[:, None] - 1).min(axis=1)
        np.testing.assert_allclose(np.abs(got / asked - 1), best, rtol=1e-9, atol=1e-15)


def test_every_code_with_a_current_of_its_own_comes_back() -> None:
    generator = dynapse.Generator(a_measured_table())
    currents = generator.currents("Iref")
    again = generator.current("Iref", *generator.nearest("Iref", currents))
    np.testing.assert_array_equal(again, currents)


@pytest.mark.parametrize(("coarse", "fine"), [(6, 0), (-1, 0), (0, 256), (0, -1), (0, 1.5)])
def test_a_code_that_does_not_exist_is_refused(coarse: Any, fine: Any) -> None:
    with pytest.raises(snnjax.HardwareError, match="must be a whole number from 0 to"):
        dynapse.Generator().current("Idc", coarse, fine)


def test_an_unknown_bias_is_refused_with_the_one_that_was_meant() -> None:
    with pytest.raises(snnjax.HardwareError, match="Did you mean `Itau_mem`"):
        dynapse.Generator().span("Itau_men")


def test_a_measured_table_is_read_from_csv_and_json(tmp_path: Path) -> None:
    tables = a_measured_table()
    (tmp_path / "chip.json").write_text(json.dumps({kind: table.tolist() for kind, table in tables.items()}))
    rows = [
        f"{kind},{c},{f},{table[c, f]!r}".replace("np.float64(", "").replace(")", "")
        for kind, table in tables.items()
        for c in range(6)
        for f in range(256)
    ]
    (tmp_path / "chip.csv").write_text("\n".join(["type,coarse,fine,current", *rows]))
    for name in ("chip.json", "chip.csv"):
        np.testing.assert_array_equal(dynapse.Generator.load(tmp_path / name).tables["P"], tables["P"])
    (tmp_path / "short.csv").write_text("\n".join(["type,coarse,fine,current", *rows[1:]]))
    with pytest.raises(snnjax.FormatError, match="lacks 1 of 1536 codes of type 'N', first coarse 0, fine 0"):
        dynapse.Generator.load(tmp_path / "short.csv")
    (tmp_path / "twice.csv").write_text("\n".join(["type,coarse,fine,current", *rows, rows[0]]))
    with pytest.raises(snnjax.FormatError, match="line 3074: a code that is negative, or there already"):
        dynapse.Generator.load(tmp_path / "twice.csv")
    for name, content, match in (
        ("empty.csv", "", "it has none"),
        ("empty.json", "{}", "it has none"),
        ("other.csv", rows[0].replace("N", "X").join(["type,coarse,fine,current\n", "\n"]), "transistors of the types N and P, not 'X'"),
        ("other.json", '{"X": []}', "transistors of the types N and P, not 'X'"),
        ("list.json", "[]", "is no table of currents"),
        ("true.json", json.dumps({"N": [[True] * 256] * 6}), "currents are numbers, not bool"),
        ("text.json", json.dumps({"N": [["1e-12"] * 256] * 6}), "currents are numbers, not str"),
        ("twice.json", '{"N": [], "N": []}', "'N' comes twice"),
        ("long.csv", "type,coarse,fine,current\n" + "9" * 200_000, "field larger than field limit"),
        ("large.csv", " " * 2**23, "`max_bytes`"),
    ):
        (tmp_path / name).write_text(content)
        with pytest.raises(snnjax.FormatError, match=match):
            dynapse.Generator.load(tmp_path / name)
    (tmp_path / "broken.json").write_text('{"N": [1, 2]}')
    with pytest.raises(snnjax.FormatError, match=r"must be finite currents >= 0 of shape \(6, 256\)"):
        dynapse.Generator.load(tmp_path / "broken.json")


# The last two: just out of the range of Itau_mem, 1.74e-13 to 1.40e-6 A.
@pytest.mark.parametrize("bad", [0.0, -1e-12, np.nan, np.inf, 1e-3, 1.6e-13, 1.45e-6])
def test_what_cannot_be_made_is_an_error_in_a_report_and_never_silent(bad: float) -> None:
    bias = F.BiasCurrents(Itau_mem=np.array([5e-12, bad]))
    _, report = dynapse.encode(bias)
    assert report["Itau_mem"].clipped.tolist() == [False, True]
    assert len(report.problems) == 1 and "at index 1 of 2 (1 bad)" in report.problems[0]
    with pytest.raises(snnjax.HardwareError, match="`Itau_mem` must be a current that its bias can make") as caught:
        dynapse.quantize(bias)
    assert caught.value.value["Itau_mem"].clipped.any()
    made, _ = dynapse.quantize(bias, saturate=True)
    assert np.isfinite(made.Itau_mem).all() and (made.Itau_mem > 0).all()


def test_a_time_constant_of_a_hundred_seconds_is_not_on_the_chip() -> None:
    report = dynapse.check_currents(dynapse.lif_to_dynapse(F.LIFParams(tau_mem=100.0)))
    assert any("`Itau_mem`" in problem and "1.06e-15" in problem for problem in report.problems)


def test_the_ends_of_the_range_are_within_it_in_float32_too() -> None:
    ends = np.asarray(dynapse.Generator().span("Itau_mem"), np.float32)
    assert not dynapse.encode(F.BiasCurrents(Itau_mem=ends))[1].problems


@pytest.mark.parametrize("field", ["Itau_mem", "Ispkthr", "Iref", "Ipulse_ahp", "Idc"])
def test_every_current_is_checked_against_the_dark_current(field: str) -> None:
    report = dynapse.check_currents(F.BiasCurrents(**{field: np.array([4.9e-13, 1e-11, 0.0, 5e-13])}))
    assert report[field].clipped.tolist() == [True, False, True, False]
    assert dynapse.check_currents(F.BiasCurrents(**{field: 4.9e-13}), process=F.Process(Io=1e-12)).problems


def test_codes_of_a_traced_current_are_refused() -> None:
    with pytest.raises(snnjax.DTypeError, match=r"`Itau_mem` must be a number that is there.*use `quantize_straight_through`"):
        jax.jit(lambda i: dynapse.encode(F.BiasCurrents(Itau_mem=i))[1].worst)(1e-12)


def test_the_report_says_what_was_asked_what_was_got_and_how_far_off() -> None:
    made, report = dynapse.quantize(F.BiasCurrents(Idc=1e-9))
    for entry in report.entries:
        np.testing.assert_allclose(entry.got / entry.asked - 1, entry.relative_error)
    assert 0 < report.worst < 0.2 and not report.problems
    assert float(made.Itau_mem) == float(report["Itau_mem"].got)
    assert "Itau_mem" in str(report)


@pytest.mark.parametrize("tau_mem", [5e-3, 20e-3])
def test_matched_again_with_threshold_and_gain_on_codes_the_chip_keeps_the_rates(tau_mem: float) -> None:
    lif = F.LIFParams(tau_mem=tau_mem, bias=np.array([0.5, 0.8, 1.5, 2.0, 4.0]))
    first, _ = dynapse.quantize(dynapse.match_lif(lif).params.bias, saturate=True)
    match = dynapse.match_lif(lif, Ispkthr=first.Ispkthr, Igain_mem=first.Igain_mem)
    made, _ = dynapse.quantize(match.params.bias, saturate=True)
    silence = jnp.zeros((3000, 5))

    def rates(neuron: Any, params: Any) -> np.ndarray:
        return np.asarray(F.simulate(neuron, params, silence, dt=tau_mem / 50)[1].sum(0))

    expected, found = rates(F.lif, lif), rates(F.dynapse_dpi, match.params._replace(bias=made))
    assert (found[:2] == 0).all()
    np.testing.assert_allclose(found[2:], expected[2:], rtol=0.15)


def test_straight_through_takes_the_chips_current_and_the_gradient_of_none() -> None:
    currents = jnp.array([5.3e-12, 1e-9, 4e-7])
    ideal = dynapse.quantize(F.BiasCurrents(Itau_mem=np.asarray(currents, np.float64)))[0].Itau_mem
    made = jax.jit(lambda i: dynapse.quantize_straight_through(F.BiasCurrents(Itau_mem=i)).Itau_mem)
    np.testing.assert_allclose(made(currents), ideal, rtol=0.03)
    np.testing.assert_array_equal(jax.vmap(jax.grad(made))(currents), 1.0)


def dynapsim_params(file: Any, prefix: str) -> F.DynapseParams:
    def numbers(record: Any) -> Any:
        return record(*(jnp.asarray(file[f"{prefix}_{name}"]) for name in record._fields))

    return F.DynapseParams(numbers(F.BiasCurrents), numbers(F.Process), jnp.asarray(file[f"{prefix}_Iscale"]))


@pytest.mark.parametrize("name", ["mismatch_N8_pct05_sigma3", "mismatch_N8_pct30_sigma3"])
def test_recorded_mismatch_is_drawn_again_number_by_number(name: str) -> None:
    file = np.load(require_traces("dynapse") / f"{name}.npz")
    chip = dynapse.mismatch(dynapsim_params(file, "before"), jnp.asarray(file["rng_key"]), percent=float(file["percent_deviation"]))
    for found, expected in zip(jax.tree.leaves(chip), jax.tree.leaves(dynapsim_params(file, "after")), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_recorded_mismatch_of_a_constructor_is_drawn_again() -> None:
    # DynapSim's constructor splits its key first; its defaults have 24.5 pF at the synapse, that of AMPA.
    file = np.load(require_traces("dynapse") / "mismatch_constructor_N8_pct30.npz")
    before = F.DynapseParams(process=F.Process(C_syn=24.5e-12))
    before = jax.tree.map(lambda value: jnp.full(8, value, jnp.float32), before)._replace(Iscale=jnp.full(1, 1e-8))
    key = jax.random.split(jnp.asarray(file["rng_key"]))[0]
    chip = dynapse.mismatch(before, key, percent=float(file["percent_mismatch"]))
    for found, expected in zip(jax.tree.leaves(chip), jax.tree.leaves(dynapsim_params(file, "after")), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_mismatch_of_a_mapping_is_by_its_keys() -> None:
    weights = {"hidden": jnp.ones(1000), "bias": {"Idc": jnp.ones(1000)}}
    by_default, by_name = (dynapse.mismatch(weights, jax.random.key(0), **more) for more in ({}, {"percent": {"hidden": 0.3}}))
    assert by_default["bias"]["Idc"].std() > 0.09 and (by_default["hidden"] == 1).all()
    assert by_name["hidden"].std() > 0.09 and (by_name["bias"]["Idc"] == 1).all()


def test_mismatch_without_anything_that_varies_is_refused() -> None:
    with pytest.raises(snnjax.DTypeError, match="`params` must be a tree with currents or silicon of a chip.*got bias, tau_mem"):
        dynapse.mismatch(F.LIFParams(), jax.random.key(0))


def test_mismatch_has_the_spread_that_was_asked_for_per_field() -> None:
    params = F.DynapseParams(F.BiasCurrents(Itau_mem=jnp.full(20000, 5e-12), Ispkthr=jnp.full(20000, 1e-8)))
    chip = dynapse.mismatch(params, jax.random.key(1), percent={"Itau_mem": 0.3, "Ispkthr": 0.6})
    np.testing.assert_allclose(float((chip.bias.Itau_mem / 5e-12).std()), 0.1, rtol=0.02)
    np.testing.assert_allclose(float((chip.bias.Ispkthr / 1e-8).std()), 0.2, rtol=0.02)
    assert chip.bias.Igain_mem == params.bias.Igain_mem and chip.process == params.process


def test_log_normal_mismatch_never_changes_the_sign() -> None:
    params = F.BiasCurrents(Itau_mem=jnp.full(20000, 5e-12))
    wild: dict[str, Any] = {"percent": {"Itau_mem": 1.5}}
    assert (dynapse.mismatch(params, jax.random.key(0), **wild).Itau_mem < 0).any()
    assert (dynapse.mismatch(params, jax.random.key(0), draw=dynapse.log_normal, **wild).Itau_mem > 0).all()


def test_mismatch_maps_over_chips() -> None:
    chips = jax.vmap(lambda key: dynapse.mismatch(F.DynapseParams(), key).bias.Itau_mem)(jax.random.split(jax.random.key(0), 500))
    assert chips.shape == (500,)
    np.testing.assert_allclose(chips.std() / chips.mean(), 0.1, rtol=0.15)


def test_mismatch_of_a_field_that_is_not_there_is_refused() -> None:
    with pytest.raises(snnjax.ConfigError, match="Did you mean `Itau_mem`"):
        dynapse.mismatch(F.DynapseParams(), jax.random.key(0), percent={"Itau_men": 0.1})
