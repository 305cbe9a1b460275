"""Training runs that are interrupted: across processes, by SIGTERM, and by SIGKILL while they save."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import training_run

import snnjax
from snnjax import fit

ROOT = Path(__file__).parents[1]
PROGRAM = ROOT / "tests" / "training_run.py"
STEPS = 30


def run(*arguments: object) -> None:
    command = [sys.executable, str(PROGRAM), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def go_on(state: fit.TrainState, steps: int) -> fit.TrainState:
    for _ in range(steps):
        state = training_run.next_state(state)
    return state


def saved(path: Path, state: fit.TrainState) -> bytes:
    fit.save_state(path, state)
    return path.read_bytes()


def test_a_run_that_another_process_takes_up_ends_with_the_same_bits(tmp_path: Path) -> None:
    split = random.randrange(1, STEPS)
    half = go_on(training_run.fresh(), split)
    straight = saved(tmp_path / "straight", go_on(half, STEPS - split))
    assert saved(tmp_path / "half", half) != straight
    run(tmp_path / "half", tmp_path / "resumed", STEPS)
    assert (tmp_path / "resumed").read_bytes() == straight, split
    end = fit.load_state(tmp_path / "resumed", training_run.fresh())
    assert int(end.step) == STEPS and int(end.skipped.total) == 4 and int(end.cursor["epoch"]) == 1
    assert all((end.params[name] != value).any() for name, value in training_run.fresh().params.items())


@pytest.mark.long
def test_a_run_taken_up_at_twenty_points_ends_with_the_same_bits(tmp_path: Path) -> None:
    splits = random.Random(3).sample(range(1, STEPS), 20)
    run("new", tmp_path / "straight", STEPS, *splits)
    for split in splits:
        run(tmp_path / f"straight.{split}", tmp_path / "resumed", STEPS)
        assert (tmp_path / "resumed").read_bytes() == (tmp_path / "straight").read_bytes(), split


@pytest.mark.parametrize("left_out", ["optimizer", "key", "cursor", "neurons"])
def test_without_any_part_of_the_state_another_run_goes_on(left_out: str) -> None:
    """So each part is needed, and the tests around this one would notice if one were lost."""
    half = go_on(training_run.fresh(), 3)
    whole = go_on(half, 3).params["weight"]
    without = go_on(half._replace(**{left_out: getattr(training_run.fresh(), left_out)}), 3).params["weight"]
    assert (go_on(half, 3).params["weight"] == whole).all() and (without != whole).any()


def test_sigterm_saves_and_leaves_with_143_and_another_process_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    target = tmp_path / "run.safetensors"
    with subprocess.Popen([sys.executable, str(PROGRAM), "new", str(target), "0"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) == 5:
                break
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
    assert process.returncode == 143 and [file.name for file in tmp_path.iterdir()] == [target.name]
    steps = int(fit.load_state(target, training_run.fresh()).step) + 5
    run(target, target, steps)
    assert steps >= 10 and target.read_bytes() == saved(tmp_path / "straight", go_on(training_run.fresh(), steps))


def test_a_second_sigterm_does_what_the_first_would_have_done() -> None:
    code = (
        "import os, signal, time; from snnjax import fit\n"
        "with fit.stop_on_sigterm() as stop:\n"
        "    os.kill(os.getpid(), signal.SIGTERM); print(bool(stop), flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == -signal.SIGTERM and done.stdout == "True\n"


def test_the_handler_is_as_before_when_the_block_is_left() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyError), fit.stop_on_sigterm() as stop:
        assert not stop and signal.getsignal(signal.SIGTERM) is not before
        signal.raise_signal(signal.SIGTERM)
        assert stop and stop.requested
        raise KeyError
    assert signal.getsignal(signal.SIGTERM) is before


def test_other_threads_are_told_to_leave_signals_to_the_main_one() -> None:
    caught: list[Exception] = []

    def enter() -> None:
        try:
            with fit.stop_on_sigterm():
                pass
        except snnjax.ConfigError as error:
            caught.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert "must be entered in the main thread" in str(caught[0])


def test_ten_processes_killed_while_they_save_lose_nothing() -> None:
    command = [sys.executable, "-m", "benchmarks.kill_saves", "--kills", "10", "--seed", str(time.time_ns())]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0 and done.stdout.startswith("10 whole"), done.stdout + done.stderr
