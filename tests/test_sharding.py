"""Populations on many devices: eight of the CPU, in a process of its own, because JAX is told their number before it starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("sharding_checks.py")


@pytest.mark.parametrize("which", ["short", pytest.param("long", marks=pytest.mark.long)])
def test_every_check_holds_on_eight_devices(which: str) -> None:
    # One test for all, so that one worker starts one process.
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=8", "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
    path = os.pathsep.join([str(PROGRAM.parents[1]), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, **flags, "JAX_PLATFORMS": "cpu", "JAX_NUMPY_RANK_PROMOTION": "raise", "PYTHONPATH": path}
    done = subprocess.run([sys.executable, str(PROGRAM), which], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    found: dict[str, str | None] = json.loads(done.stdout)
    wrong = [f"{name}\n{said}" for name, said in found.items() if said]
    assert found and not wrong, "\n\n".join(wrong)
