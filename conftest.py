"""Leaves out the doctests of modules whose optional package is not installed."""

from __future__ import annotations

import importlib.util

collect_ignore = [] if importlib.util.find_spec("nir") else ["snnjax/interop/nir.py", "snnjax/interop/_nir_file.py"]
