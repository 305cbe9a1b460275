"""LIF parameters as bias currents, and back: recorded conversions, inverses, transforms, refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import examples, require_traces, traces
from hypothesis import given
from hypothesis import strategies as st

import snnjax
import snnjax.functional as F
from snnjax import dynapse

CONVERSIONS = [path for path in traces("dynapse", "conv_*.npz") if "merge" not in path.name and "gives_nan" not in path.name]


def lif_of(file: Any) -> F.LIFParams:
    return F.LIFParams(file["in_tau_mem"], file["in_tau_syn"], v_th=file["in_threshold"], bias=file["in_bias"])


def process_of(file: Any) -> tuple[F.Process, dict[str, Any]]:
    """The silicon of a recorded conversion, and its other keywords."""
    keywords = {name.removeprefix("kw_"): file[name].item() for name in file.files if name.startswith("kw_")}
    silicon = {name: keywords.pop(name) for name in list(keywords) if name.startswith("C_")}
    return F.Process(**silicon), keywords


def test_there_are_recorded_conversions() -> None:
    require_traces("dynapse")
    assert len(CONVERSIONS) >= 10


@pytest.mark.parametrize("path", CONVERSIONS, ids=lambda path: path.stem)
def test_every_recorded_conversion_is_reproduced(path: Path) -> None:
    file = np.load(path)
    process, keywords = process_of(file)
    bias = dynapse.lif_to_dynapse(lif_of(file), process=process, **keywords)
    for name, current in bias._asdict().items():
        expected = file[f"out_{name}"]
        assert np.size(current) in (1, expected.size), name
        np.testing.assert_allclose(np.broadcast_to(np.ravel(current), expected.size), expected.ravel(), rtol=1e-12, atol=0, err_msg=name)


def test_a_time_constant_of_zero_is_refused_with_its_index() -> None:
    file = np.load(require_traces("dynapse") / "conv_14_vec3_zero_tau_mem_gives_nan.npz")
    with pytest.raises(snnjax.ParameterError, match=r"`tau_mem` must be > 0 s and finite; got 0.0 at index 1 of 3"):
        dynapse.lif_to_dynapse(lif_of(file))


positive = st.floats(1e-4, 10.0)


@examples(50)
@given(positive, positive, positive, st.floats(-5.0, 5.0), st.floats(1e-10, 1e-6))
def test_the_two_conversions_are_inverses(tau_mem: float, tau_syn: float, v_th: float, bias: float, scale: float) -> None:
    lif = F.LIFParams(tau_mem, tau_syn, v_th=v_th, bias=bias)
    there = dynapse.lif_to_dynapse(lif, Iscale=scale)
    np.testing.assert_allclose(dynapse.dynapse_to_lif(there, Iscale=scale), lif, rtol=1e-13, atol=1e-290)
    again = dynapse.lif_to_dynapse(dynapse.dynapse_to_lif(there, Iscale=scale), Iscale=scale)
    np.testing.assert_allclose(again, there, rtol=1e-13, atol=1e-290)


def test_numpy_stays_numpy_and_numbers_stay_numbers() -> None:
    bias = dynapse.lif_to_dynapse(F.LIFParams(tau_mem=np.array([0.01, 0.02])))
    assert type(bias.Itau_mem) is np.ndarray and type(bias.Ispkthr) is float
    assert not any(isinstance(current, jax.Array) for current in bias)


def test_the_conversion_is_differentiable_and_maps_over_populations() -> None:
    slope = jax.grad(lambda tau: dynapse.lif_to_dynapse(F.LIFParams(tau_mem=tau)).Itau_mem * 1e12)(0.02)
    np.testing.assert_allclose(slope, -(25e-3 / 0.705) * 3e-12 / 0.02**2 * 1e12, rtol=1e-5)
    taus = jnp.array([0.01, 0.02, 0.04])
    mapped = jax.jit(jax.vmap(lambda tau: dynapse.lif_to_dynapse(F.LIFParams(tau_mem=tau)).Igain_mem))(taus)
    np.testing.assert_allclose(mapped, dynapse.lif_to_dynapse(F.LIFParams(tau_mem=np.asarray(taus))).Igain_mem, rtol=1e-6)


def test_the_way_back_is_differentiable_and_maps_over_populations() -> None:
    slope = jax.grad(lambda i: dynapse.dynapse_to_lif(F.BiasCurrents(Itau_mem=i)).tau_mem)(5e-12)
    np.testing.assert_allclose(slope, -(25e-3 / 0.705) * 3e-12 / 5e-12**2, rtol=1e-5)
    taus = jnp.array([0.01, 0.02])
    back = jax.vmap(lambda tau: dynapse.dynapse_to_lif(dynapse.lif_to_dynapse(F.LIFParams(tau_mem=tau))).tau_mem)(taus)
    np.testing.assert_allclose(back, taus, rtol=1e-6)


def test_several_synapses_per_neuron_have_a_leak_each() -> None:
    params = F.SynapsesParams(F.LIFParams(), tau_syn=np.array([[5e-3, 5e-3], [20e-3, 40e-3]]))
    bias = dynapse.lif_to_dynapse(params)
    np.testing.assert_allclose(bias.Itau_syn, (25e-3 / 0.705) * 25e-12 / params.tau_syn)
    np.testing.assert_allclose(bias.Igain_syn, 100 * bias.Itau_syn)


def test_the_refractory_period_of_the_lif_is_kept() -> None:
    bias = dynapse.lif_to_dynapse(F.RefractoryParams(F.LIFParams(), t_ref=5e-3))
    np.testing.assert_allclose(0.7 * 1.5e-12 / bias.Iref, 5e-3)


def test_a_negative_bias_is_kept_and_reported() -> None:
    bias = dynapse.lif_to_dynapse(F.LIFParams(bias=np.array([0.1, -0.2])))
    np.testing.assert_allclose(bias.Idc, [1e-9, -2e-9])
    report = dynapse.check_currents(bias)
    assert "`Idc`" in report.problems[0] and "got -2e-09 at index 1 of 2 (1 bad)" in report.problems[0]


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        (F.LIFParams(tau_syn=np.nan), snnjax.ParameterError, "`tau_syn` must be > 0 s and finite; got nan"),
        (F.LIFParams(v_th=-1.0), snnjax.HardwareError, "`v_th` must be above `v_leak`"),
        (F.LIFParams(v_th=2.0, v_reset=0.5), snnjax.ParameterError, "`v_reset` must be `v_leak`"),
        (F.LIFParams(tau_mem=[0.01, 0.02]), snnjax.DTypeError, "`tau_mem` must be a real number"),
        (
            F.LIFParams(tau_mem=np.ones(3), v_th=np.ones(4)),
            snnjax.ShapeError,
            r"`v_th` must be one value, or one per neuron; got the shape \(4,\)",
        ),
        (F.LIFParams(tau_mem=np.ones(3), tau_syn=np.ones((3, 2))), snnjax.ShapeError, "`tau_syn` must be one value, or one per neuron"),
        (F.LeakyParams(), snnjax.DTypeError, "`params` must be LIFParams"),
    ],
)
def test_what_has_no_dpi_neuron_is_refused(params: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        dynapse.lif_to_dynapse(params)


def test_a_current_without_time_constant_is_refused_on_the_way_back() -> None:
    with pytest.raises(snnjax.ParameterError, match="`Itau_mem` must be > 0 A and finite; got 0.0"):
        dynapse.dynapse_to_lif(F.BiasCurrents(Itau_mem=0.0))


def test_a_misspelt_keyword_is_answered_with_the_one_that_was_meant() -> None:
    with pytest.raises(TypeError, match="Did you mean `r_gain_mem`"):
        dynapse.lif_to_dynapse(F.LIFParams(), r_gain_mm=3.0)  # type: ignore[call-arg]


def test_what_is_no_bias_currents_is_refused() -> None:
    with pytest.raises(snnjax.DTypeError, match="`bias` must be BiasCurrents; got `LIFParams`. Of a DynapseParams give `params.bias`"):
        dynapse.dynapse_to_lif(F.LIFParams())  # type: ignore[arg-type]
