"""All that a training run needs to go on as if it had never stopped, and its file."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import numpy as np

from .. import _files as files
from .._errors import DTypeError, FormatError, refuses_unknown_keywords
from .._files import trees
from .._files._door import check_max_bytes, check_path
from ..functional._concrete import describe

KIND, VERSION = "train_state", 1


class Skipped(NamedTuple):
    """Which steps `guard` has skipped: how many in a row up to now, and in all; of the last one the number, and what was not finite.

    `leaf` is the path as text in bytes, so that it can be made in a compiled step.
    """

    in_a_row: Any = np.int32(0)
    total: Any = np.int32(0)
    step: Any = np.int32(-1)
    leaf: Any = np.zeros(96, np.uint8)


class TrainState(NamedTuple):
    """A training run between two steps: a pytree. Leave one of these out of a file, and the run that goes on is another one.

    Attributes:
        params: what is trained, and what is not: Params, weights, an Equinox module.
        optimizer: the state of the optimizer.
        key: of the random numbers to come.
        step: how many steps there were, int32. Where the order of the data is a function of `key` and `step`, no `cursor` is needed.
        cursor: where in the data the next step begins, if it has to be remembered: any pytree.
        neurons: the state of the neurons, if the next step goes on with it (truncated backpropagation through time).
        skipped: what `guard` counts.

    >>> import jax, jax.numpy as jnp, optax
    >>> from snnjax import fit
    >>> weight = jnp.ones((3, 2))
    >>> state = fit.TrainState(weight, optax.adam(1e-3).init(weight), jax.random.key(0))
    >>> int(state.step), int(state.skipped.total)
    (0, 0)
    """

    params: Any
    optimizer: Any
    key: Any
    step: Any = np.int32(0)
    cursor: Any = None
    neurons: Any = None
    skipped: Skipped = Skipped()


@refuses_unknown_keywords
def save_state(path: str | os.PathLike[str], state: TrainState) -> None:
    """Save a training run, so that one that `load_state` takes up ends with the same bits.

    The file is whole or not there: a process that is killed while saving leaves the old one.

    Args:
        path: where to, by convention `*.safetensors`.
        state: arrays of any dtype that safetensors has, keys, numbers; functions in it (activations) are noted by name.

    Raises:
        DTypeError: `state` is no `TrainState`, or holds something else; `path` is no path.
        OSError: the file cannot be written.

    >>> import pathlib, tempfile
    >>> import jax, jax.numpy as jnp
    >>> from snnjax import fit
    >>> state = fit.TrainState(jnp.ones(3), None, jax.random.key(7), step=jnp.int32(12))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "run.safetensors"
    ...     fit.save_state(path, state)
    ...     again = fit.load_state(path, fit.TrainState(jnp.zeros(3), None, jax.random.key(0), step=jnp.int32(0)))
    >>> int(again.step), again.key == state.key
    (12, Array(True, dtype=bool))
    """
    check_path(path, "save_state")
    check_state(state, "state", "save_state")
    described, arrays = trees.pack(state, "state", functions=True)
    files.write(path, KIND, VERSION, {"state": described}, arrays)


@refuses_unknown_keywords
def load_state(path: str | os.PathLike[str], like: TrainState, *, max_bytes: int = files.MAX_BYTES) -> TrainState:
    """The training run that `save_state` wrote.

    Args:
        path: of the file.
        like: a fresh state of the same structure, shapes and dtypes; of its values only functions matter, which must have the same names.
        max_bytes: the largest file that is read.

    Raises:
        FormatError: the file is truncated, damaged, of another kind or newer version, or of a state unlike `like`.
        DTypeError: `like` is no `TrainState`, or `path` no path.
        OSError: it cannot be opened.
    """
    check_path(path, "load_state")
    check_max_bytes(max_bytes, "load_state")
    check_state(like, "like", "load_state")
    header, arrays = files.read(path, KIND, VERSION, max_bytes=max_bytes)
    if not isinstance(header, dict) or set(header) != {"state"} or not all(name.startswith("state.") for name in arrays):
        raise FormatError(
            f"`{path}` holds more or less than a state.", where="load_state", field="path", value=str(path), allowed="a state"
        )
    return trees.unpack(header["state"], arrays, like, str(path), "state")


def check_state(value: Any, field: str, where: str) -> None:
    """`value` is a `TrainState`."""
    if not isinstance(value, TrainState):
        text = (
            f"`{field}` must be a `TrainState`; got {describe(value)}. Make one with `fit.TrainState(params, optimizer.init(params), key)`."
        )
        raise DTypeError(text, where=where, field=field, value=value, allowed="a TrainState")
