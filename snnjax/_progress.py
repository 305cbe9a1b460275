"""A progress bar on stderr."""

from __future__ import annotations

import sys


class ProgressBar:
    """Draws itself in place on a terminal; elsewhere (a log, a pipe) it is one line per tenth.

    >>> bar = ProgressBar(200)
    >>> bar(1, "loss 2.30")
    """

    def __init__(self, total: int) -> None:
        self._total, self._tenths = total, 0

    def __call__(self, done: int, note: str = "") -> None:
        """Show that `done` of the total are done."""
        terminal, tenths = sys.stderr.isatty(), 10 * done // self._total
        if not terminal and tenths == self._tenths:
            return
        self._tenths = tenths
        filled = 30 * done // self._total
        line = f"[{'#' * filled}{'.' * (30 - filled)}] {done}/{self._total}  {note}"
        end = "\n" if done == self._total else ""
        sys.stderr.write(f"\r{line}\x1b[K{end}" if terminal else f"{line}\n")
        sys.stderr.flush()
