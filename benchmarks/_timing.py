"""Timing several programs side by side on a machine that is not quiet."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax


class Timing(NamedTuple):
    """Seconds per call: median, least, most; seconds to compile; bytes of temporary memory; seconds of all cores together, median."""

    median: float
    least: float
    most: float
    compile: float
    memory: int
    cores: float = 0.0


def compare(programs: Mapping[str, Callable[..., Any]], args: Sequence[Any], rounds: int = 20) -> dict[str, Timing]:
    """Compile each program, then run them in turn, `rounds` times each, so that a slow moment meets all of them."""
    compiled, compile_time = {}, {}
    for name, program in programs.items():
        start = time.perf_counter()
        compiled[name] = jax.jit(program).lower(*args).compile()
        compile_time[name] = time.perf_counter() - start
        jax.block_until_ready(compiled[name](*args))
    times: dict[str, list[float]] = {name: [] for name in programs}
    cores: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(rounds):
        for name, program in compiled.items():
            start, start_of_cores = time.perf_counter(), time.process_time()
            jax.block_until_ready(program(*args))
            times[name].append(time.perf_counter() - start)
            cores[name].append(time.process_time() - start_of_cores)
    return {
        name: Timing(
            statistics.median(times[name]),
            min(times[name]),
            max(times[name]),
            compile_time[name],
            compiled[name].memory_analysis().temp_size_in_bytes,
            statistics.median(cores[name]),
        )
        for name in programs
    }


def hardware() -> str:
    """What this was measured on, in a line."""
    device = jax.devices()[0]
    cpu = platform.processor() or platform.machine()
    try:
        info = Path("/proc/cpuinfo").read_text()
        cpu = next(line.split(":")[1].strip() for line in info.splitlines() if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    place = cpu if device.platform == "cpu" else device.device_kind
    return f"{place}, {os.cpu_count()} CPU cores, jax {jax.__version__}, Python {platform.python_version()}"


def save_json(path: str | None, rows: list[dict[str, Any]]) -> None:
    """Write the rows beside the table, where a path was given."""
    if path:
        Path(path).write_text(json.dumps({"hardware": hardware(), "rows": rows}, indent=1))
