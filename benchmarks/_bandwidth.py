"""How fast this machine copies memory: what a program that streams its arrays once is measured by."""

from __future__ import annotations

import os
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

_FLOATS = 2**26  # 256 MiB, beyond any cache


def copy_bandwidth(threads: int | None = None, rounds: int = 7) -> float:
    """Bytes per second, read and written, of a copy of 256 MiB on a CPU by `threads` threads (all cores by default)."""
    threads = threads or os.cpu_count() or 1
    sources = np.array_split(np.ones(_FLOATS, np.float32), threads)
    targets = np.array_split(np.zeros(_FLOATS, np.float32), threads)
    times = []
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(rounds):
            start = time.perf_counter()
            list(pool.map(np.copyto, targets, sources))
            times.append(time.perf_counter() - start)
    return 2 * 4 * _FLOATS / statistics.median(times)
