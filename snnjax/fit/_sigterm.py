"""Stopping a training run where a step ends, when the machine is taken away."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

from .._errors import ConfigError


class Stop:
    """Whether SIGTERM has come: `if stop: ...`."""

    def __init__(self) -> None:
        self.requested = False

    def __bool__(self) -> bool:
        return self.requested


@contextlib.contextmanager
def stop_on_sigterm() -> Iterator[Stop]:
    """While this is entered, SIGTERM ends nothing: it makes what is yielded true, so that a loop can save and leave.

    A cluster sends SIGTERM some seconds before it takes a machine away, and `kill` does by default. A second SIGTERM does
    what the first one would have done without this. Leave the program with the status 143, which is 128 and the number of the signal.

    Yields:
        `stop`, which is false until SIGTERM comes. Python looks at signals between two steps, not while one is computed.

    Raises:
        ConfigError: this is not the main thread; Python lets only that one handle signals.

    >>> import os, signal
    >>> from snnjax import fit
    >>> with fit.stop_on_sigterm() as stop:
    ...     for step in range(10):
    ...         if step == 3:
    ...             os.kill(os.getpid(), signal.SIGTERM)
    ...         if stop:
    ...             break
    >>> step
    3
    """
    if threading.current_thread() is not threading.main_thread():
        text = "`stop_on_sigterm` must be entered in the main thread, which alone can handle signals. Enter it there, and pass `stop` on."
        raise ConfigError(text, where="stop_on_sigterm", field="thread", value=threading.current_thread().name, allowed="the main thread")
    stop, before = Stop(), signal.getsignal(signal.SIGTERM)
    before = signal.SIG_DFL if before is None else before  # None: a handler that was not set from Python

    def handle(number: int, frame: Any) -> None:
        del number, frame
        stop.requested = True
        signal.signal(signal.SIGTERM, before)

    signal.signal(signal.SIGTERM, handle)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGTERM, before)
