"""The demo: what it prints is what it measured, and a full run reads the digits."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import snnjax.functional as F
from snnjax.demo import digits, recovery
from snnjax.demo.__main__ import main

NEEDED = "needs what the demo needs: pip install snnjax[demo]"
pytest.importorskip("sklearn", reason=NEEDED)
pytest.importorskip("matplotlib", reason=NEEDED)


@pytest.fixture(autouse=True)
def standard_promotion() -> Iterator[None]:
    """Optax's Adam does not run under the strict promotion that the suite switches on."""
    with jax.numpy_dtype_promotion("standard"):
        yield


# The digits


def test_a_quarter_of_every_class_is_held_out() -> None:
    data = digits.load(3)
    assert data.images.shape == (1347, 64) and data.test_images.shape == (450, 64)
    assert data.images.dtype == np.float32 and data.images.min() == 0.0 and data.images.max() == 1.0
    train, test = (np.bincount(labels, minlength=10) for labels in (data.labels, data.test_labels))
    assert np.all(np.abs(test / (train + test) - 0.25) < 0.01)


def test_the_split_holds_every_image_once_and_follows_the_seed() -> None:
    first, again, other = digits.load(0), digits.load(0), digits.load(1)
    np.testing.assert_array_equal(first.test_images, again.test_images)
    assert not np.array_equal(first.test_images, other.test_images)
    whole, whole_of_other = (np.concatenate([data.images, data.test_images]) for data in (first, other))
    np.testing.assert_array_equal(*(images[np.lexsort(images.T)] for images in (whole, whole_of_other)))


@pytest.fixture(scope="module")
def trained() -> digits.Trained:
    with jax.numpy_dtype_promotion("standard"):
        return digits.train(digits.load(0), epochs=5, seed=0)


def test_training_learns_weights_and_time_constants(trained: digits.Trained) -> None:
    data = digits.load(0)
    accuracy, spikes = digits.evaluate(trained.net, data.test_images, data.test_labels)
    assert accuracy > 0.85 and trained.losses[-1] < 0.5 * trained.losses[0] and trained.accuracies[-1] > 0.8
    assert 10 < spikes < digits.HIDDEN * digits.STEPS
    hidden, readout = trained.net.layers[1].params, trained.net.layers[3].params
    for tau in (hidden.tau_mem, hidden.tau_syn, readout.tau_mem):
        assert bool(jnp.all(tau > 0)) and float(jnp.std(tau)) > 1e-5
    assert float(hidden.v_th) == 1.0 and float(readout.v_leak) == 0.0


def test_accuracy_and_spikes_are_those_of_the_network(trained: digits.Trained) -> None:
    data = digits.load(0)
    images, labels = jnp.asarray(data.test_images[:40]), data.test_labels[:40]
    spikes, v = digits.respond(trained.net, images)
    accuracy, count = digits.evaluate(trained.net, images, labels)
    assert spikes.shape == (digits.STEPS, 40, digits.HIDDEN) and v.shape == (digits.STEPS, 40, 10)
    assert accuracy == pytest.approx(np.mean(np.asarray(v[-1]).argmax(axis=1) == labels))
    assert count == pytest.approx(float(spikes.sum()) / 40)


# The recording


def test_the_recording_agrees_with_the_exact_integrator_between_spikes() -> None:
    kicks = 0.3 * np.random.default_rng(0).uniform(size=100)
    params = recovery.TRUE._replace(v_th=100.0)
    recording = recovery.record(params, kicks)
    _, v = F.simulate(F.lif, params, kicks, dt=recovery.DT, record=lambda state, _: state.v)
    assert recording.spike_times.size == 0
    np.testing.assert_allclose(recording.v, v, rtol=1e-5)


def test_the_recording_spikes_as_the_closed_form_says() -> None:
    params = F.LIFParams(tau_mem=10e-3, tau_syn=1e6, v_th=1.0)  # a synapse so slow that its current is constant
    kicks = np.zeros(100)
    kicks[0] = 2.0
    period = 10e-3 * np.log(2.0 / (2.0 - 1.0))
    times = recovery.record(params, kicks).spike_times
    assert len(times) == int(0.1 / period)
    np.testing.assert_allclose(times, period * np.arange(1, len(times) + 1), rtol=0.003)  # each up to a fine step late


@pytest.mark.parametrize(
    "start",
    [recovery.START, F.LIFParams(tau_mem=5e-3, tau_syn=30e-3, v_th=0.3), F.LIFParams(tau_mem=5e-3, tau_syn=5e-3, v_th=0.1)],
    ids=["default", "exchanged", "equal"],
)
def test_the_neuron_is_recovered_within_a_percent_from_far_away(start: F.LIFParams) -> None:
    found = recovery.recover(recovery.example(0), start).params
    for name in recovery.FITTED:
        assert getattr(found, name) == pytest.approx(getattr(recovery.TRUE, name), rel=0.01), name
    assert found.v_reset == recovery.TRUE.v_reset and found.bias is start.bias


def test_the_recovered_neuron_spikes_like_the_recording_and_another_does_not() -> None:
    recording = recovery.example(0)
    times = recovery.run_free(recovery.TRUE, recording)
    assert len(recording.spike_times) == len(times) == recovery.coincident(times, recording.spike_times) > 10
    wrong = recovery.run_free(recovery.TRUE._replace(tau_mem=40e-3), recording)
    assert recovery.coincident(wrong, recording.spike_times) < len(recording.spike_times) / 2


def test_coincidences_are_counted() -> None:
    assert recovery.coincident(np.array([0.1, 0.2, 0.3]), np.array([0.1005, 0.25])) == 1
    assert recovery.coincident(np.array([0.1]), np.array([])) == recovery.coincident(np.array([]), np.array([0.1])) == 0


# The command


def number(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    assert found, f"{pattern!r} is not in what was printed:\n{text}"
    return float(found[1])


def test_the_command_trains_draws_and_recovers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "new folder" / "demo.png"
    assert main(["--epochs", "4", "--seed", "2", "--output", str(picture)]) == 0
    out, err = capsys.readouterr()
    assert picture.read_bytes().startswith(b"\x89PNG") and str(picture) in out
    assert 80.0 < number(r"test accuracy +([\d.]+) % of 450 digits", out) <= 100.0
    assert 10.0 < number(r"spikes per image +(\d+)", out) < 6400.0
    assert number(r"wall time +([\d.]+) s for 4 epochs", out) >= 0.0 and number(r"and ([\d.]+) s to compile", out) > 0.0
    assert "4/4  loss" in err
    for name, value in (("tau_mem", "18.000"), ("tau_syn", "6.000"), ("v_th", "0.800")):
        assert number(rf"{name} +{value} +[\d.]+ +[\d.]+ \w+ +([\d.]+) %", out) < 1.0


def test_the_fit_can_be_left_out(
    tmp_path: Path, trained: digits.Trained, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digits, "train", lambda data, epochs, seed: trained)
    assert main(["--epochs", "1", "--skip-fit", "--output", str(tmp_path / "demo.png")]) == 0
    out = capsys.readouterr().out
    assert "test accuracy" in out and "Fitting" not in out


@pytest.mark.parametrize("module, name", [("sklearn", "scikit-learn"), ("matplotlib", "Matplotlib")])
def test_a_missing_package_is_named_before_anything_is_trained(
    module: str, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    assert main([]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err == f"The demo needs {name}: `pip install snnjax[demo]`.\n"


def test_loading_the_digits_without_scikit_learn_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match=r"scikit-learn.*`pip install snnjax\[demo\]`"):
        digits.load(0)


@pytest.mark.parametrize("epochs", ["0", "-3", "many"])
def test_epochs_are_counted_from_one(epochs: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([f"--epochs={epochs}"])
    assert f"must be a whole number from 1 on; got '{epochs}'" in capsys.readouterr().err


def test_help_names_every_option_and_loads_neither_scikit_learn_nor_matplotlib() -> None:
    script = (
        "import runpy, sys\n"
        "sys.argv = ['demo', '--help']\n"
        "try: runpy.run_module('snnjax.demo', run_name='__main__')\n"
        "except SystemExit as end: assert end.code == 0\n"
        "assert not {'sklearn', 'matplotlib'} & set(sys.modules)\n"
    )
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    for option in ("--epochs", "--seed", "--output", "--skip-fit", "python -m snnjax.demo"):
        assert option in shown.stdout


@pytest.mark.long
def test_a_full_run_reads_the_held_out_digits() -> None:
    accuracies = []
    for seed in range(5):
        data = digits.load(seed)
        trained = digits.train(data, epochs=60, seed=seed)
        accuracies.append(float(digits.evaluate(trained.net, data.test_images, data.test_labels)[0]))
    assert min(accuracies) >= 0.97 and np.mean(accuracies) >= 0.98
