"""Processes killed while they save: `python -m benchmarks.kill_saves [--kills 500] [--seed 0]`.

A process saves one thing after the other to the same path, as fast as it can, and gets SIGKILL at a random moment. What
is at the path then must load, and be one of the things that were saved, whole. Each kind of file gets its share of the
kills. The exit status is 1 if one was lost.

SIGKILL shows that no half-written file appears under the name. It does not show what a power failure leaves: the file is
synced before it is renamed, and the folder after.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from snnjax import events, graph

SIZE = 200_000  # numbers in a file: long enough to be hit in the middle


def _graph(k: int) -> graph.Graph:
    return graph.connect(graph.Scale(np.full(SIZE, float(k))), graph.Scale(np.full(SIZE, float(k))))


def _events(k: int) -> events.Events:
    return events.Events(np.full(SIZE // 10, float(k)), np.full(SIZE // 10, k))


def _whole_graph(path: Path) -> bool:
    scales = [node.scale for node in graph.load(path).nodes.values() if isinstance(node, graph.Scale)]
    return len({float(x) for scale in scales for x in (scale.min(), scale.max())}) == 1


def _whole_events(path: Path) -> bool:
    found = events.load(path)
    return len(found) == SIZE // 10 and bool((found.times == found.channels).all()) and bool((found.times == found.times[0]).all())


#: By ending: how thing `k` is made, saved, and found whole. `somas.save` and `fit.save_state` write as `graph.save` does.
KINDS: dict[str, tuple[Callable[[int], Any], Callable[[Path, Any], None], Callable[[Path], bool]]] = {
    ".safetensors": (_graph, graph.save, _whole_graph),
    ".npz": (_events, events.save, _whole_events),
    ".csv": (_events, events.save, _whole_events),
}


def save_for_ever(path: Path, things: list[Any], ready: int) -> None:
    """What is killed."""
    save, k = KINDS[path.suffix][1], 0
    os.write(ready, b"!")
    while True:
        save(path, things[k % len(things)])
        k += 1


def kill_one(path: Path, things: list[Any], wait: float) -> str:
    """Whether a process that is killed after `wait` seconds of saving leaves a whole file: "whole", or what is wrong."""
    reading, writing = os.pipe()
    child = os.fork()  # a new Python would take a second to import what this one has
    if child == 0:
        try:
            save_for_ever(path, things, writing)
        finally:
            os._exit(1)
    os.read(reading, 1)
    time.sleep(wait)
    os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    os.close(reading)
    os.close(writing)
    if not os.WIFSIGNALED(status):
        return f"ended by itself, with status {status}"
    try:
        return "whole" if KINDS[path.suffix][2](path) else "lost"
    except Exception as error:
        return f"lost: {type(error).__name__}: {error}"


def kill(kills: int, seed: int, folder: Path) -> dict[str, int]:
    """How often each answer came, with how many were hit while a file was being written (a temporary one was left)."""
    rng, answers = random.Random(seed), {"whole": 0, "hit while writing": 0}
    things = {ending: [make(k) for k in range(1, 5)] for ending, (make, _, _) in KINDS.items()}
    for number in range(kills):
        ending = list(KINDS)[number % len(KINDS)]
        path = folder / f"saved{ending}"
        if not path.exists():
            KINDS[ending][1](path, things[ending][0])
        answer = kill_one(path, things[ending], rng.uniform(0.0, 0.05))
        left = list(folder.glob(".*.tmp"))
        answers["hit while writing"] += bool(left)
        for file in left:
            file.unlink()
        answers[answer] = answers.get(answer, 0) + 1
    return answers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        answers = kill(given.kills, given.seed, Path(folder))
    lost = given.kills - answers["whole"]
    print(", ".join(f"{count} {answer}" for answer, count in answers.items()) + f"; {lost} lost; {time.perf_counter() - began:.0f} s")
    sys.exit(lost > 0)


if __name__ == "__main__":
    main()
