"""Mutated files for every loader: `python -m benchmarks.fuzz_files [--files 100000] [--seed 0] [--json PATH]`.

"as found": a file with a checksum, damaged. It must be refused, or mean the same (the damage hit nothing that counts).
"repaired": the damage, then the checksum made to fit, as someone can who means harm; or a text or file of a kind that
has no checksum (JSON, NIR, tables of a chip). It must be refused with an error of snnjax, or be another valid file.

Anything else is a failure: an undetected change as found, an error of another kind, a crash or an endless loop. Each
kind runs in a process of its own, whose memory is measured. The exit status is 1 if anything failed.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks._mutations import mutated
from benchmarks._timing import save_json
from snnjax import SnnjaxError

_LIMIT = 900  # seconds for a kind
_FAST = "/dev/shm"  # a disk takes twenty times as long as the loaders
_COLUMNS = ("refused", "same", "other valid", "SILENT", "OTHER ERROR", "CRASH")


def answer(kind: Any, path: Path, original: Any, repaired: bool) -> tuple[str, str]:
    """What the loader makes of the file, and which error it was."""
    try:
        found = kind.load(path)
    except SnnjaxError as error:
        told = bool(str(error)) and error.field is not None
        return ("refused" if told else "OTHER ERROR"), f"{type(error).__name__}: {error}"
    except Exception as error:  # that is what is looked for
        return "OTHER ERROR", f"{type(error).__name__}: {error}"
    if kind.same(found, original):
        return "same", ""
    return ("other valid" if repaired else "SILENT"), ""


def fuzz(kind: Any, folder: Path, count: int, seed: int, repaired: bool) -> dict[str, Any]:
    """`count` files, counted by what came of them."""
    ending = ".npz" if "npz" in kind.name else ".csv" if "csv" in kind.name or "Generator" in kind.name else ".file"
    path, rng = folder / f"file{ending}", random.Random(f"{kind.name} {seed} {repaired}")
    kind.make(path)
    data, original = path.read_bytes(), kind.load(path)
    counts: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    bad: list[str] = []
    start, began = 0, time.perf_counter()
    for number in range(count):
        changed = kind.damage(data, rng) if repaired and rng.random() < 0.5 else mutated(data, rng)
        path.write_bytes(kind.repair(changed) if repaired and kind.repair else changed)
        told, text = answer(kind, path, original, repaired)
        counts[told] += 1
        errors[text.split(":")[0]] += 1
        if told in _COLUMNS[3:] and len(bad) < 3:
            bad.append(f"{told} {text[:300]}")
            (folder / f"bad_{len(bad)}_{int(repaired)}{ending}").write_bytes(path.read_bytes())
        if number == min(200, count - 1):  # what is loaded late and what is kept for later calls is there by now
            start = _peak()
    return {
        "counts": counts,
        "errors": {name: n for name, n in errors.items() if name},
        "bad": bad,
        "seconds": time.perf_counter() - began,
        "MiB": (_peak() - start) / 2**20,
    }


def _peak() -> int:
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def one_kind(name: str, folder: Path, files: int, seed: int) -> None:
    """What the process of one kind does."""
    from benchmarks._file_kinds import kinds

    found = kinds()
    kind = next(kind for kind in found if kind.name == name)
    results = {}
    for mode, weight in enumerate(kind.weight):
        count = round(files * weight / sum(it.weight[mode] for it in found))
        if weight:
            results[("as found", "repaired")[mode]] = fuzz(kind, folder, max(count, 1), seed, bool(mode))
    print(json.dumps(results))


def all_kinds(files: int, seed: int, folder: Path) -> list[dict[str, Any]]:
    """A row per kind and mode, printed as it comes."""
    from benchmarks._file_kinds import kinds

    rows = []
    print(f"{'loader':<24}{'files':>10}{'number':>8}" + "".join(f"{name:>13}" for name in _COLUMNS) + f"{'s':>7}{'MiB':>7}")
    for kind in kinds():
        for mode, result in _in_a_process(kind.name, files, seed, folder).items():
            rows.append({"loader": kind.name, "files": mode, **result})
            numbers = "".join(f"{result['counts'].get(name, 0):>13}" for name in _COLUMNS)
            total = sum(result["counts"].values())
            print(f"{kind.name:<24}{mode:>10}{total:>8}{numbers}{result['seconds']:>7.1f}{result['MiB']:>7.0f}", flush=True)
            for text in result["bad"]:
                print(f"    {text}")
    return rows


def _in_a_process(name: str, files: int, seed: int, folder: Path) -> dict[str, Any]:
    place = folder / name.replace(" ", "_")
    place.mkdir()
    arguments = ["--kind", name, "--folder", str(place), "--files", str(files), "--seed", str(seed)]
    try:
        command = [sys.executable, "-m", "benchmarks.fuzz_files", *arguments]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=_LIMIT, check=False)
        if done.returncode == 0:
            return json.loads(done.stdout)
        what = f"exit status {done.returncode}"
    except subprocess.TimeoutExpired:
        what = f"no end within {_LIMIT} s"
    return {"?": {"counts": {"CRASH": 1}, "errors": {}, "bad": [f"{what}; the file is in {place}"], "seconds": 0.0, "MiB": 0.0}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=100_000, help="of each of the two groups")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json")
    parser.add_argument("--kind", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.kind:
        one_kind(given.kind, Path(given.folder), given.files, given.seed)
        return
    began, folder = time.perf_counter(), Path(tempfile.mkdtemp(prefix="snnjax_fuzz_", dir=_FAST if Path(_FAST).is_dir() else None))
    rows = all_kinds(given.files, given.seed, folder)
    save_json(given.json, rows)
    sums = {mode: Counter[str]() for mode in ("as found", "repaired", "?")}
    for row in rows:
        sums[row["files"]].update(row["counts"])
    failed = sum(counts[name] for counts in sums.values() for name in _COLUMNS[3:])
    for mode, counts in sums.items():
        if not counts:
            continue
        print(f"{mode}: {sum(counts.values())} files, " + ", ".join(f"{counts[name]} {name}" for name in _COLUMNS))
    print(f"{time.perf_counter() - began:.0f} s; {failed} failures" + (f", files in {folder}" if failed else ""))
    if not failed:
        shutil.rmtree(folder)
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
