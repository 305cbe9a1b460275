"""The package `nir` (and with it h5py), imported when it is first needed."""

from __future__ import annotations

import importlib
from typing import Any


def package(name: str = "nir") -> Any:
    """The package `nir`, or another that comes with it.

    Raises:
        ImportError: it is not installed, or too old.
    """
    try:
        found = importlib.import_module(name)
    except ImportError as error:
        raise ImportError(f'`snnjax.interop.nir` needs the package `{name}`: `pip install "snnjax[nir]"`.') from error
    if name == "nir" and not hasattr(found.NIRGraph, "validate_structure"):
        raise ImportError('`snnjax.interop.nir` needs nir 1.0.8 or newer: `pip install -U "snnjax[nir]"`.')
    return found
