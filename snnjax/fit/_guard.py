"""Steps that would leave NaN or infinity behind are not taken."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._errors import ConfigError, DTypeError, NumericsError, ShapeError, refuses_unknown_keywords
from ..functional._concrete import as_count, concrete, describe
from ._train_state import Skipped, TrainState, check_state

_HELD = ("params", "optimizer", "neurons")


def guard(before: TrainState, after: TrainState, **watched: Any) -> TrainState:
    """`after`, or what it was `before` where the step between them went wrong.

    A step went wrong if anything in `watched` is NaN or infinite, or a number of params, optimizer or neurons became so. Then none of
    these three changes; key, step and cursor go on, so that the next step takes other data; and `skipped` notes step and leaf. An Adam
    that has once seen a NaN gives nothing else any more, and a spike can hide a NaN from the loss but not from the gradient: give both.

    `check` raises when too many steps in a row were skipped. No parameter is ever taken from a bad step, however many there are.

    Args:
        before: the state with which the step began.
        after: the state that the step made, of the same structure.
        **watched: what else must be finite, by name: `loss=loss, gradient=gradient`.

    Raises:
        ConfigError: `before` and `after` differ in structure.
        ShapeError: or in the shape of an array.
        DTypeError: one of them is no `TrainState`.

    >>> import jax, jax.numpy as jnp
    >>> from snnjax import fit
    >>> before = fit.TrainState(jnp.ones(2), None, jax.random.key(0), step=jnp.int32(4))
    >>> after = before._replace(params=jnp.zeros(2), step=before.step + 1)
    >>> bad = fit.guard(before, after, gradient={"w": jnp.array([1.0, jnp.nan])})
    >>> bad.params, int(bad.step), int(bad.skipped.in_a_row)
    (Array([1., 1.], dtype=float32), 5, 1)
    """
    for name, state in (("before", before), ("after", after)):
        check_state(state, name, "guard")
    held, made = ({name: getattr(state, name) for name in _HELD} for state in (before, after))
    if jax.tree.structure(held) != jax.tree.structure(made):
        text = f"`after` must have the structure of `before`; {_difference(held, made)}."
        raise ConfigError(text, where="guard", field="after", value=after, allowed="the structure of `before`")
    for old, new in zip(jax.tree.leaves(held), jax.tree.leaves(made), strict=True):
        if np.shape(old) != np.shape(new):
            text = f"`after` must have the shapes of `before`; got {describe(new)} where there was {describe(old)}."
            raise ShapeError(text, where="guard", field="after", value=np.shape(new), allowed=str(np.shape(old)))
    paths, bad = _found(watched, held, made)
    wrong = jnp.stack(bad).any() if bad else jnp.bool_(False)
    kept = jax.tree.map(lambda old, new: _selected(wrong, old, new), held, made)
    return after._replace(**kept, skipped=_counted(before, wrong, paths, bad))


def _difference(held: Any, made: Any) -> str:
    """The first leaf that one of the two has alone."""
    before, after = ([_path(path) for path, _ in jax.tree_util.tree_leaves_with_path(tree)] for tree in (held, made))
    new, gone = ([path for path in some if path not in others] for some, others in ((after, before), (before, after)))
    found = [f"got `{new[0]}`, which was not there" if new else "", f"`{gone[0]}` is missing" if gone else ""]
    return ", and ".join(filter(None, found)) or "got other containers with leaves of the same names"


def _path(path: Any) -> str:
    return jax.tree_util.keystr(path, simple=True, separator=".")


def _found(watched: Any, held: Any, made: Any) -> tuple[list[str], list[Any]]:
    """The path of every leaf that is looked at, and whether it is bad."""
    paths, bad = [], []
    for path, leaf in jax.tree_util.tree_leaves_with_path(watched):
        if _is_inexact(leaf):
            paths.append(path)
            bad.append(~jnp.isfinite(leaf).all())
    for (path, new), old in zip(jax.tree_util.tree_leaves_with_path(made), jax.tree.leaves(held), strict=True):
        if _is_inexact(new):
            # An optimizer may begin with infinity, as a best loss so far.
            paths.append(path)
            bad.append((~jnp.isfinite(new) & jnp.isfinite(jnp.asarray(old))).any())
    return [_path(path) for path in paths], bad


def _is_inexact(leaf: Any) -> bool:
    return isinstance(leaf, float | complex) or (hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jnp.inexact))


def _selected(wrong: jax.Array, old: Any, new: Any) -> Any:
    if old is new or not hasattr(new, "dtype"):  # a function, or a number that the compiler knows
        return new
    return jnp.where(wrong, old, new)


def _counted(before: TrainState, wrong: jax.Array, paths: list[str], bad: list[Any]) -> Skipped:
    last, step = before.skipped, jnp.asarray(before.step, jnp.int32)
    names = np.zeros((len(paths) + 1, np.shape(last.leaf)[0]), np.uint8)
    for name, path in zip(names, paths, strict=False):
        text = np.frombuffer(path.encode()[-names.shape[1] :], np.uint8)  # the end of a long path says more than its beginning
        name[: text.size] = text
    first = jnp.asarray(names)[jnp.argmax(jnp.stack(bad))] if bad else last.leaf
    return Skipped(
        in_a_row=jnp.where(wrong, last.in_a_row + 1, 0),
        total=last.total + wrong.astype(jnp.int32),
        step=jnp.where(wrong, step, last.step),
        leaf=jnp.where(wrong, first, last.leaf),
    )


@refuses_unknown_keywords
def check(state: TrainState, *, patience: int = 5) -> None:
    """Raise if the last `patience` steps were all skipped by `guard`.

    It waits for the step to be computed, so on a GPU call it every few steps. Not for inside of `jit`.

    Args:
        state: what `guard` returned; its parameters are the last good ones, and can still be saved.
        patience: how many steps in a row are too many, from 1.

    Raises:
        NumericsError: so many were skipped; `field` is the leaf that was not finite, `value` the number of the last step.
        ParameterError: `patience` is below 1.
        DTypeError: `state` is no `TrainState`, or traced, or `patience` no whole number.

    >>> import jax, jax.numpy as jnp
    >>> from snnjax import fit
    >>> state = fit.TrainState(jnp.ones(2), None, jax.random.key(0))
    >>> for _ in range(3):
    ...     state = fit.guard(state, state._replace(step=state.step + 1), loss=jnp.nan)
    >>> fit.check(state, patience=3)
    Traceback (most recent call last):
    ...
    snnjax._errors.NumericsError: The last 3 steps were skipped: `loss` was NaN or infinite in step 2. The parameters are those before ...
    """
    check_state(state, "state", "check")
    as_count(patience, "patience", "check", least=1)
    known = concrete(state.skipped.in_a_row)
    if known is None:
        text = "`state` is traced; call `check` with the state that the compiled step returned."
        raise DTypeError(text, where="check", field="state", value=state, allowed="numbers")
    if known < patience:
        return
    step, leaf = int(state.skipped.step), np.asarray(state.skipped.leaf).tobytes().rstrip(b"\0").decode("utf-8", "replace")
    what = "The last step was" if known == 1 else f"The last {known} steps were"
    raise NumericsError(
        f"{what} skipped: `{leaf}` was NaN or infinite in step {step}. The parameters are those before the first of "
        "them. Look for NaN in the data, or use a smaller rate or `optax.clip_by_global_norm`.",
        where="check", field=leaf, value=step, allowed="finite",
    )  # fmt: skip
