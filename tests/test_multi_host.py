"""Several processes as several hosts: the numbers of one process, on each of them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

PROGRAM = Path(__file__).with_name("multi_host_run.py")


def free_address() -> str:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{s.getsockname()[1]}"


def start(processes: int, folder: Path) -> list[dict[str, np.ndarray]]:
    """What each of the processes found; every one has two devices."""
    path = os.pathsep.join([str(PROGRAM.parents[1]), os.environ.get("PYTHONPATH", "")])
    flags = {"JAX_PLATFORMS": "cpu", "PYTHONPATH": path}
    environment, address = {**os.environ, **flags}, free_address()
    files = [folder / f"{processes}-{k}.npz" for k in range(processes)]
    running = [
        subprocess.Popen(
            [sys.executable, str(PROGRAM), address, str(processes), str(k), str(file)], stderr=subprocess.PIPE, text=True, env=environment
        )
        for k, file in enumerate(files)
    ]
    said = [process.communicate(timeout=300)[1] for process in running]
    assert all(process.returncode == 0 for process in running), "\n\n".join(said)
    return [dict(np.load(file)) for file in files]


@pytest.mark.long
def test_two_processes_find_what_one_finds(tmp_path: Path) -> None:
    (alone,) = start(1, tmp_path)
    for found in start(2, tmp_path):
        assert found.keys() == alone.keys() and len(alone) > 3
        np.testing.assert_array_equal(found["counts"], alone["counts"])
        for name, wanted in alone.items():
            assert wanted.size == 1 or np.abs(wanted).max() > 0, name
            np.testing.assert_allclose(found[name], wanted, rtol=0, atol=1e-6 * np.abs(wanted).max(), err_msg=name)
