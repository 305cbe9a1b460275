"""The cases of one library on one device, beside the plainest programs of the same work: time, memory, time to compile.

    python -m benchmarks.suite [--only B3,B10] [--rounds 20] [--json FILE]

B1 a linear layer and LIF; B2 neurons alone; B3 all parameters trained; B4 the DPI neuron; B5 a user's AdEx neuron; B7 the memory of
long runs; B9 the shape of Rockpool's benchmark, and unrolling; B10 compiling. `docs/performance.md` says which program has the others.

The first program of a case is the baseline: "relative" is to it. "cores" is the time of all cores together, which other work on the
machine disturbs less than that of the clock. What has to move at least (inputs and spikes; inputs, weights of the loss and gradient) is
given as a part of what this machine copies in that time. Memory is what XLA reports as temporary.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import jax
import numpy as np

from ._bandwidth import copy_bandwidth
from ._malloc import restart_keeping_memory
from ._suite_cases import CASES, Case
from ._timing import Timing, compare, hardware, save_json

COMPILES = 3


def compile_only(case: Case) -> dict[str, Timing]:
    """Seconds to trace and compile, the median of some tries in turn; and the memory."""
    tries: dict[str, list[tuple[float, float]]] = {name: [] for name in case.programs}
    memory = {}
    for _ in range(COMPILES):
        for name, program in case.programs.items():
            jax.clear_caches()
            start, cores = time.perf_counter(), time.process_time()
            compiled = jax.jit(program).lower(*case.args).compile()
            tries[name].append((time.perf_counter() - start, time.process_time() - cores))
            analysis = compiled.memory_analysis()
            assert analysis is not None
            memory[name] = analysis.temp_size_in_bytes
    timings = {}
    for name in case.programs:
        wall, cores = np.median(tries[name], axis=0)
        timings[name] = Timing(*[float("nan")] * 3, compile=float(wall), memory=memory[name], cores=float(cores))
    return timings


def check(case: Case) -> None:
    """Programs that are compared do the same."""
    if case.same is None:
        return
    results = [np.asarray(case.same(jax.jit(run)(*case.args))) for run in case.programs.values()]
    for result in results[1:]:
        np.testing.assert_allclose(result, results[0], rtol=1e-2, err_msg=f"{case.id}: the programs of one case differ")
    jax.clear_caches()  # the time to compile is measured next


def rows_of(case: Case, rounds: int, bandwidth: float) -> list[dict[str, Any]]:
    """Measure one case."""
    if case.run:
        check(case)
    timings = compare(case.programs, case.args, rounds) if case.run else compile_only(case)
    base = next(iter(timings.values()))
    rows = []
    for name, timing in timings.items():
        relative = {
            f"relative {key}": getattr(timing, key) / max(getattr(base, key), 1e-9) for key in ("median", "cores", "compile", "memory")
        }
        part = case.bytes / timing.median / bandwidth if case.bytes else None
        rows.append({"id": case.id, "case": case.name, "program": name, **timing._asdict(), **relative, "of the copy bandwidth": part})
    return rows


def print_row(row: dict[str, Any], run: bool) -> None:
    """A line of the table; what was not run has only compiling and memory."""
    times = ["", "", "", "", ""]
    if run:
        times = [f"{1e3 * row['median']:.1f} ({1e3 * row['least']:.1f}-{1e3 * row['most']:.1f})", f"{row['relative median']:.2f}"]
        times += [f"{1e3 * row['cores']:.1f}", f"{row['relative cores']:.2f}"]
        times += [f"{100 * row['of the copy bandwidth']:.0f} %" if row["of the copy bandwidth"] else ""]
    compiling = [f"{row['compile']:.2f}", f"{row['relative compile']:.2f}"]
    memory = [f"{row['memory'] / 2**20:.1f}", f"{row['relative memory']:.3f}"]
    print(f"| {' | '.join([row['id'], row['case'], row['program'], *times, *compiling, *memory])} |", flush=True)


def main() -> None:
    """Measure, print the table, save it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="IDS", help="such as B3,B10; all by default")
    parser.add_argument("--rounds", type=int, default=20, help="runs of each program (default 20)")
    parser.add_argument("--system-malloc", action="store_true", help="leave it to the C library when memory goes back to the system")
    parser.add_argument("--json", metavar="FILE", help="also write the numbers to FILE")
    options = parser.parse_args()
    if not options.system_malloc:
        restart_keeping_memory()
    wanted = options.only.split(",") if options.only else None
    bandwidth, rows = copy_bandwidth(), []
    print(f"{hardware()}\nfloat32; copies {bandwidth / 1e9:.1f} GB/s on all cores.\n")
    heads = ["", "case", "program", "ms (min-max)", "relative", "cores, ms", "relative", "of the copy bandwidth"]
    heads += ["to compile, s", "relative", "MiB", "relative"]
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|", flush=True)
    for cases in CASES:
        if wanted and not any(id in (cases.__doc__ or "").split(":")[0] for id in wanted):
            continue
        for case in cases():
            if not wanted or case.id in wanted:
                rows += (more := rows_of(case, options.rounds, bandwidth))
                for row in more:
                    print_row(row, case.run)
    save_json(options.json, rows)


if __name__ == "__main__":
    main()
