"""`use_all_cores`, in processes of their own: what it asks for must be asked for before JAX starts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import snnjax

ROOT = Path(__file__).parents[1]


def run(code: str, **environment: str) -> str:
    """The output of a program that begins with `import snnjax`."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    kept = {name: value for name, value in os.environ.items() if name not in ("XLA_FLAGS", "JAX_NUM_CPU_DEVICES")}
    program = f"import os, sys, snnjax\n{code}"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env={**kept, "PYTHONPATH": path, "JAX_PLATFORMS": "cpu", **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


SPREAD = """
import jax.numpy as jnp
import snnjax.functional as F
drive = jnp.full((520, 4, 4096), 0.5)
large = F.simulate(F.lif, F.LIFParams(), drive, dt=1e-3)[1]
small = F.simulate(F.lif, F.LIFParams(), drive[:, :, :8], dt=1e-3)[1]
"""


def test_the_population_of_a_large_run_is_spread_and_that_of_a_small_one_is_not() -> None:
    code = f"assert snnjax.use_all_cores(2) == 2{SPREAD}print(len(large.sharding.device_set), len(small.sharding.device_set))"
    assert run(code + "\nassert (large[:, :, :8] == small).all() and small.sum() > 0") == "2 1"


def test_without_the_call_nothing_is_spread_whatever_devices_there_are() -> None:
    assert run(f"{SPREAD}print(len(large.sharding.device_set))", JAX_NUM_CPU_DEVICES="2") == "1"


def test_it_asks_for_a_device_per_core_and_may_be_called_again() -> None:
    code = "n = snnjax.use_all_cores()\nimport jax\njax.devices()\nassert snnjax.use_all_cores() == n == snnjax.use_all_cores(n)"
    code += "\nprint(n, jax.device_count())"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert run(code) == f"{cores} {cores}"


def test_after_jax_has_started_it_says_so() -> None:
    code = """
import jax
jax.devices()
assert snnjax.use_all_cores(1) == 1
try:
    snnjax.use_all_cores(3)
except snnjax.ConfigError as error:
    print(error, error.field, error.value)
"""
    text = run(code)
    assert text.startswith("`use_all_cores` must come before the first operation of JAX: it runs already, with 1 CPU device instead of 3.")
    assert text.endswith("devices 3")


def test_a_number_in_xla_flags_is_kept_or_named() -> None:
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=4"}
    assert run("import jax\nprint(snnjax.use_all_cores(4), jax.device_count())", **flags) == "4 4"
    code = "try:\n    snnjax.use_all_cores(3)\nexcept snnjax.ConfigError as error:\n    print(error)"
    assert run(code, **flags) == "`XLA_FLAGS` asks for 4 CPU devices, and `use_all_cores` for 3. Leave one of them out."


def test_naming_it_does_not_import_jax() -> None:
    assert run("snnjax.use_all_cores\nprint('jax' in sys.modules)") == "False"


@pytest.mark.parametrize("devices", [0, -1, 2.0, True, "2", 5000])
def test_a_wrong_number_is_refused(devices: object) -> None:
    with pytest.raises(snnjax.ParameterError, match="`devices` must be a whole number from 1 to 4096, or None") as refused:
        snnjax.use_all_cores(devices)  # type: ignore[arg-type]
    assert refused.value.field == "devices"
