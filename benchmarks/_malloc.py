"""Freed memory kept by the process, so that a benchmark does not measure how the system gives it out again.

A program that allocates its results anew at each call, as JAX and PyTorch do on a CPU, gets them from the C library. glibc gives large
blocks back to the system when they are freed, and each page costs a fault when it is touched again: for an array of 64 MiB, 16,000
faults, which took longer than a LIF layer that fills it. Whether it does so depends on what was allocated before. With
these settings it never does, in every program alike. Other C libraries ignore them.
"""

from __future__ import annotations

import os
import sys

KEEPING = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**62), "MALLOC_ARENA_MAX": "1"}


def restart_keeping_memory() -> None:
    """Start this program again with these settings, which are read before it starts; does nothing where they are there."""
    if any(os.environ.get(name) != value for name, value in KEEPING.items()):
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **KEEPING})
