"""The exchange with NIR where the package `nir` is not installed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from snnjax import graph, somas
from snnjax.interop import nir

DT = 1e-3


def test_without_the_package_every_function_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nir", None)
    g = graph.of(somas.LIFSomaConfig(shape=(3,)).build())
    for call in (lambda: nir.to_nir(g), lambda: nir.from_nir(object(), dt=DT), lambda: nir.read(__file__)):
        with pytest.raises(ImportError, match=r'needs the package `nir`: `pip install "snnjax\[nir\]"`'):
            call()


def test_importing_the_module_does_not_import_the_package() -> None:
    code = "import sys; from snnjax.interop import nir; print('nir' in sys.modules, 'h5py' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
