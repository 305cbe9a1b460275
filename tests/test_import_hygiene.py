"""Importing any module of snnjax defines things and does nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

OPTAX = tuple(int(part) for part in version("optax").split(".")[:3])

#: Run in a fresh Python: every module is imported under a hook that notes what goes on. Packages that snnjax needs come
#: first, so that what they do is told apart from what it does.
PROGRAM = """
import importlib, json, os, pkgutil, sys

seen, phase = [], "dependencies"
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
NOTED = ("socket.", "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.mkdir", "os.remove", "os.rename",
         "os.rmdir", "os.truncate", "os.chmod", "os.link", "os.symlink", "os.putenv", "shutil.", "tempfile.", "urllib.", "webbrowser.",
         "pickle.", "ctypes.dlopen", "signal.")


def hook(event, arguments):
    if event.startswith(NOTED) or event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITES:
        seen.append([phase, event, [str(it) for it in arguments]])


sys.addaudithook(hook)
import jax, equinox, optax, safetensors.numpy, numpy, ml_dtypes

phase = "snnjax"
before = {name.split(".")[0] for name in sys.modules}
import snnjax

names = ["snnjax"]
for module in pkgutil.walk_packages(snnjax.__path__, "snnjax."):
    if not module.name.endswith("__main__") and not module.name.startswith("snnjax.demo."):
        importlib.import_module(module.name)
        names.append(module.name)
print(json.dumps({"seen": seen, "names": names, "new": sorted({name.split(".")[0] for name in sys.modules} - before),
                  "stdlib": sorted(sys.stdlib_module_names), "files": len(os.listdir("."))}))
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("empty")
    done = subprocess.run([sys.executable, "-B", "-W", "error", "-c", PROGRAM], capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "" and done.stdout.count("\n") == 1, "importing prints something"
    return json.loads(done.stdout)


def test_every_module_was_imported(report: dict[str, Any]) -> None:
    package = Path(__file__).parents[1] / "snnjax"
    files = {path.relative_to(package.parent).with_suffix("") for path in package.rglob("*.py") if "demo" not in path.parts}
    wanted = {".".join(path.parts).removesuffix(".__init__") for path in files} | {"snnjax.demo"}
    assert set(report["names"]) == wanted


def test_importing_opens_no_socket_runs_no_program_and_writes_no_file(report: dict[str, Any]) -> None:
    assert [entry for entry in report["seen"] if entry[0] == "snnjax"] == []
    assert report["files"] == 0


def test_what_snnjax_needs_does_none_of_it_either(report: dict[str, Any]) -> None:
    """Beyond loading the libraries that they are made of, and what NumPy tells its own."""
    noted = [entry for entry in report["seen"] if entry[1] not in ("ctypes.dlopen", "os.putenv")]
    if OPTAX < (0, 2, 8):  # it imports absl's tools for tests, which try whether a temporary file can be written
        noted = [entry for entry in noted if not Path(entry[2][0]).is_relative_to(tempfile.gettempdir())]
    assert noted == []


def test_importing_brings_along_what_is_required_and_nothing_optional(report: dict[str, Any]) -> None:
    assert set(report["new"]) - set(report["stdlib"]) == {"snnjax"}
