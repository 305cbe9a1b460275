"""Following the gradient of any loss, in one compiled loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import optax

from .._coordinates import float_like, is_record, moving_potential, to_free, to_natural
from .._errors import DTypeError, NumericsError, ShapeError, refuses_unknown_keywords
from .._kinds import kinds_of
from .._progress import ProgressBar
from ..functional._concrete import describe
from ._selection import Selection, checked_steps, selected


class FitResult(NamedTuple):
    """What `minimize` found: the `params` in natural units, and the loss before each step, `(steps,)`."""

    params: Any
    losses: np.ndarray


@refuses_unknown_keywords
def minimize(
    loss: Callable[[Any], Any],
    params: Any,
    *,
    optimizer: optax.GradientTransformation | None = None,
    steps: int,
    trainable: Selection = None,
    progress: bool = False,
) -> FitResult:
    """Follow the gradient of `loss(params)` in free coordinates, in one compiled loop.

    Args:
        loss: a differentiable function of the parameters in natural units; one number.
        params: where to start: a Params, or any pytree of arrays and Params.
        optimizer: an Optax optimizer, which sees free coordinates. By default Adam with a rate of 0.05, and along a
            cosine to 0: at first 5 % of a time constant per step. It moves potentials in units of `v_th - v_reset`,
            and currents of either sign in those of `(v_th - v_reset) / resistance`, or of the median bias current.
        steps: how many.
        trainable: what may change: names of fields (`("tau_mem", "v_th")`), of kinds (`"time_constant"`) or of what
            holds them; or a predicate on the name of the field. By default every floating number but durations, which
            have no gradient. The rest stays exactly as it is.
        progress: whether to show a bar on stderr.

    Returns:
        `FitResult(params, losses)`; `losses[k]` is the loss before step `k`.

    Raises:
        NumericsError: loss or gradient became NaN or infinite; its `value` is the `FitResult` up to the last good step.
        ConfigError: `trainable` names something unknown, or nothing.
        ParameterError: a parameter is outside its domain, or `steps` negative.
        DTypeError: an argument is of the wrong kind.
        ShapeError: the loss is not one number.

    >>> from snnjax import fit, functional as F
    >>> found = fit.minimize(lambda p: (p.tau_mem / 30e-3 - 1.0) ** 2, F.LIFParams(), steps=100, trainable="tau_mem")
    >>> round(float(found.params.tau_mem), 4), found.params.tau_syn, found.losses.shape
    (0.03, 0.005, (100,))
    """
    steps = checked_steps(steps, "minimize")
    if not callable(loss):
        raise _wrong_kind("loss", loss, "a function of the parameters")
    if optimizer is not None and not isinstance(optimizer, optax.GradientTransformation):
        raise _wrong_kind("optimizer", optimizer, "an Optax optimizer such as `optax.adam(0.05)`")
    mask = selected(params, trainable, "minimize")
    trained, held = eqx.partition(to_free(params, mask), mask)
    trained = jax.tree.map(lambda x: jnp.asarray(x, float_like(x)), trained)
    optimizer = _adam(eqx.filter(_units(params, mask), mask), steps) if optimizer is None else optimizer

    def natural(trained: Any) -> Any:
        return to_natural(params, eqx.combine(trained, held), mask)

    def value(trained: Any) -> Any:
        return loss(natural(trained))

    losses = jnp.zeros(steps, _check_loss(jax.eval_shape(value, trained)))
    if steps == 0:
        return FitResult(natural(trained), np.asarray(losses))
    run = _Run(jnp.int32(0), trained, trained, optimizer.init(trained), losses, jnp.bool_(True))
    run = _follow(run, value, optax.with_extra_args_support(optimizer), steps, progress)
    losses = np.asarray(run.losses)
    if not run.fine:
        raise _diverged(int(run.step) - 1, losses, natural(run.known))
    return FitResult(natural(run.trained), losses)


class _Run(NamedTuple):
    """A fit under way; `known` are the last parameters whose loss and gradient were finite."""

    step: jax.Array
    trained: Any
    known: Any
    optimizer: Any
    losses: jax.Array
    fine: jax.Array


def _follow(run: _Run, value: Callable[[Any], Any], optimizer: Any, steps: int, progress: bool) -> _Run:
    """Step until there were `steps`, or something is not finite."""
    gradient_of = _forward(value) if _is_cheaper_forward(value, run.trained) else jax.value_and_grad(value)

    def step(run: _Run) -> _Run:
        loss, gradient = gradient_of(run.trained)
        # Optax is not written for JAX's strict promotion, which a user may have switched on. The last three arguments
        # are for optimizers that search along a line, such as `optax.lbfgs`; others ignore them.
        with jax.numpy_dtype_promotion("standard"):
            updates, state = optimizer.update(gradient, run.optimizer, run.trained, value=loss, grad=gradient, value_fn=value)
            trained = optax.apply_updates(run.trained, updates)
        # The gradient and not the loss alone: a NaN in the data can leave the loss finite and only the gradient NaN.
        fine = jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves((loss, gradient, trained))]).all()
        known = jax.tree.map(lambda now, last: jnp.where(fine, now, last), run.trained, run.known)
        return _Run(run.step + 1, trained, known, state, run.losses.at[run.step].set(loss), fine)

    @jax.jit
    def until(stop: Any, run: _Run) -> _Run:
        return jax.lax.while_loop(lambda run: (run.step < stop) & run.fine, step, run)

    if not progress:
        return until(steps, run)
    bar, stretch = ProgressBar(steps), steps // 50 or 1
    for stop in [*range(stretch, steps, stretch), steps]:
        run = until(stop, run)  # `stop` is traced: all stretches are one compilation
        if not run.fine:
            break
        bar(stop, f"loss {float(run.losses[stop - 1]):.3g}")
    return run


# For one or two numbers the forward mode takes 0.5 to 1.0 of the time of the reverse mode, and memory that does not grow
# with the length of a run; from three on that depends on the size of the population (benchmarks/fit.py).
_FEW = 2


def _is_cheaper_forward(value: Callable[[Any], Any], trained: Any) -> bool:
    """Whether so few numbers are trained that a pass forward for each costs less than one backward, and one can be made."""
    if sum(leaf.size for leaf in jax.tree.leaves(trained)) > _FEW:
        return False
    try:
        jax.eval_shape(_forward(value), trained)
    except TypeError:  # a `jax.custom_vjp` in the loss has no forward mode
        return False
    return True


def _forward(value: Callable[[Any], Any]) -> Callable[[Any], tuple[Any, Any]]:
    """`jax.value_and_grad(value)`, in forward mode."""

    def value_and_gradient(trained: Any) -> tuple[Any, Any]:
        flat, tree = jax.flatten_util.ravel_pytree(trained)
        basis = jax.vmap(tree)(jnp.eye(flat.size, dtype=flat.dtype))
        loss, slopes = jax.vmap(lambda direction: jax.jvp(value, (trained,), (direction,)), out_axes=(None, 0))(basis)
        return loss, tree(slopes.astype(flat.dtype))

    return value_and_gradient


def _diverged(step: int, losses: np.ndarray, known: Any) -> NumericsError:
    what = (
        f"The loss became {losses[step]}" if not np.isfinite(losses[step]) else "The gradient, or the step along it, became NaN or infinite"
    )
    return NumericsError(
        f"{what} at step {step} of {len(losses)}. Use a smaller rate or `optax.clip_by_global_norm`, or look for NaN in the data; "
        "the last good parameters are in the error's `value.params`.",
        where="minimize",
        field="loss",
        value=FitResult(known, losses[:step]),
        allowed="finite",
    )


def _units(tree: Any, mask: Any) -> Any:
    """How much of each leaf one unit of the default optimizer's step is: 1, and for volts and amperes what the membrane says."""

    def of_record(params: Any, mask: Any) -> Any:
        kinds, pair = kinds_of(type(params)), moving_potential(params, mask)
        volt = float(np.mean(np.asarray(params.v_th) - np.asarray(params.v_reset))) if pair else 1.0
        ampere = volt / float(np.mean(np.asarray(getattr(params, "resistance", 1.0))))
        others = [np.ravel(getattr(params, name)) for name, kind in kinds.items() if kind.unit == "A" and kind.domain != "real"]
        if others:
            ampere = float(np.median(np.concatenate(others))) or ampere
        of_kind = {"potential": volt, "current": ampere}
        units = {name: _units(getattr(params, name), getattr(mask, name)) for name in params._fields if name not in kinds}
        units |= {name: of_kind.get(kind.name, 1.0) if kind.domain == "real" else 1.0 for name, kind in kinds.items()}
        return params._replace(**units | ({pair[0]: 1.0} if pair else {}))

    return jax.tree.map(lambda node, m: of_record(node, m) if is_record(node) else 1.0, tree, mask, is_leaf=is_record)


def _adam(units: Any, steps: int) -> optax.GradientTransformation:
    def scale(updates: Any, params: Any) -> Any:
        del params
        return jax.tree.map(lambda update, unit: update * unit, updates, units)

    # Optax's own eps, 1e-8, is more than the gradient of a squared error in volts, and its b2, 0.999, divides for a
    # thousand steps by the large gradients of the first ones: either stops a fit of a few hundred steps percents short.
    adam = optax.adam(optax.cosine_decay_schedule(0.05, max(steps, 1)), b2=0.95, eps=1e-20)
    return optax.chain(optax.stateless(scale), adam, optax.stateless(scale))


def _wrong_kind(field: str, value: Any, wanted: str) -> DTypeError:
    return DTypeError(f"`{field}` must be {wanted}; got {describe(value)}.", where="minimize", field=field, value=value, allowed=wanted)


def _check_loss(loss: Any) -> Any:
    """The dtype of the loss, which must be one real number."""
    if not jnp.issubdtype(getattr(loss, "dtype", bool), jnp.floating):
        raise _wrong_kind("loss", getattr(loss, "dtype", loss), "a function that gives one floating number")
    if loss.shape != ():
        raise ShapeError(
            f"`loss` must be a function that gives one floating number; got shape {loss.shape}. Take the mean of it.",
            where="minimize",
            field="loss",
            value=loss.shape,
            allowed="()",
        )
    return loss.dtype
