"""Fitting every neuron of a population to its own recorded trace: Levenberg-Marquardt in free coordinates.

    r_t = record(state_t, output_t) - target_t        J = dr / d(free coordinates)
    (J'J + damping diag(J'J)) step = -J'r             for every neuron on its own

Neurons of a population do not influence one another, so that one forward-mode pass per parameter gives the column of `J`
of that parameter for all neurons at once. `J'J` and `J'r` are summed while the population runs: memory does not grow with
the number of steps.

Reference: Marquardt (1963), J. Soc. Indust. Appl. Math. 11, 431-441.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .. import functional as F
from .._coordinates import to_free, to_natural
from .._errors import DTypeError, NumericsError, ShapeError, refuses_unknown_keywords
from .._kinds import annotated
from ..functional._concrete import check_array
from ..functional._neuron import core
from ._marquardt import Problem, descend
from ._selection import Selection, checked_steps, selected


class LeastSquares(NamedTuple):
    """What `least_squares` found.

    Attributes:
        params: in natural units; what was trained has one value per neuron.
        losses: mean squared residual of every neuron before the first step and after each, `(steps + 1, N)`.
        names: the trained parameters, in the order of `curvature`.
        curvature: `J'J` of every neuron in free coordinates, `(N, P, P)`. For residuals with standard
            deviation `s` and a fit that is right, the covariance of the free coordinates is `s**2 inv(curvature)`.
    """

    params: Any
    losses: np.ndarray
    names: tuple[str, ...]
    curvature: np.ndarray


@refuses_unknown_keywords
def least_squares(
    neuron: F.Neuron,
    params: Any,
    inputs: Any,
    target: Any,
    *,
    dt: Any,
    record: Callable[[Any, Any], Any] | None = None,
    state: Any = None,
    config: Any = None,
    steps: int = 20,
    trainable: Selection = None,
) -> LeastSquares:
    """Fit each neuron to its own trace by Levenberg-Marquardt; a step that would make a neuron's fit worse is not taken.

    Exact for what is smooth, such as a potential below threshold. Through spikes the derivative is that of the surrogate,
    so that steps are still refused where they do not help, but may stop helping before the minimum.

    Args:
        neuron: a model whose neurons are independent: not one in `F.recurrent`.
        params: where to start. What is trained becomes one value per neuron.
        inputs: `(T, ..., N)` as of `F.simulate`; axes between time and population are trials of the same neurons.
        target: `(T, ..., N)`: what `record` should give at every step. NaN where nothing was measured.
        dt: length of a step, s.
        record: `record(state, output)`, one number per neuron; by default the potential, `state.v`.
        state: the state to start from; by default the model at rest, whatever its parameters.
        config: as of `F.simulate`.
        steps: how many Levenberg-Marquardt steps.
        trainable: as of `minimize`.

    Returns:
        `LeastSquares(params, losses, names, curvature)`.

    Raises:
        ShapeError: `target` has not the shape of what is recorded.
        NumericsError: the residuals are not finite to begin with.
        DTypeError: `neuron` is recurrent.
        ConfigError, ParameterError: as of `F.simulate` and `minimize`.

    >>> import jax.numpy as jnp, numpy as np
    >>> from snnjax import fit, functional as F
    >>> current = jnp.asarray(np.random.default_rng(0).uniform(0.0, 0.4, (200, 3)), jnp.float32)
    >>> cells = F.LeakyIntegratorParams(tau_mem=jnp.array([10e-3, 20e-3, 40e-3]))
    >>> run = lambda p: F.simulate(F.leaky_integrator, p, current, dt=1e-3)[1]
    >>> start = F.LeakyIntegratorParams(tau_mem=15e-3)
    >>> found = fit.least_squares(F.leaky_integrator, start, current, run(cells), dt=1e-3, trainable=("tau_mem", "tau_syn"))
    >>> [round(1e3 * float(tau), 3) for tau in found.params.tau_mem]
    [10.0, 20.0, 40.0]
    """
    steps = checked_steps(steps, "least_squares")
    record = _potential if record is None else record
    simulate = functools.partial(F.simulate, neuron, dt=dt, state=state, config=config)
    recorded = jax.eval_shape(lambda: simulate(params, inputs, record=record))[1]  # the doors of `simulate`, without a run
    target = _checked_target(target, recorded)
    mask = selected(params, trainable, "least_squares")
    params = _one_per_neuron(params, mask, target)
    start = functools.partial(simulate, inputs=jax.tree.map(lambda x: x[:0], inputs))  # no step: the state to start from

    def residual(params: Any, state: Any, x: Any, y: Any) -> tuple[Any, Any]:
        state, output = neuron.step(params, state, x, dt=dt, config=neuron.config() if config is None else config)
        return state, jnp.where(jnp.isnan(y), 0.0, record(state, output) - jnp.where(jnp.isnan(y), 0.0, y))

    trained, held = eqx.partition(to_free(params, mask), mask)
    problem = Problem(
        natural=lambda trained: to_natural(params, eqx.combine(trained, held), mask),
        start=lambda params: start(params)[0],
        residual=residual,
        inputs=jax.tree.map(jnp.asarray, inputs),
        target=target,
    )
    trained, losses, curvature = descend(problem, trained, steps)
    count = np.maximum(np.sum(~np.isnan(target), axis=tuple(range(target.ndim - 1))), 1)
    if not np.isfinite(losses[0]).all():
        raise _not_finite(losses[0])
    return LeastSquares(problem.natural(trained), np.asarray(losses) / count, _names(params, mask), np.asarray(curvature))


def _potential(state: Any, output: Any) -> Any:
    del output
    return core(state).v


def _checked_target(target: Any, recorded: Any) -> jax.Array:
    """`target` as floats of the shape and dtype of what is recorded."""
    shape = getattr(recorded, "shape", None)
    if shape is None or len(shape) < 2:
        came = " and ".join(f"{leaf.dtype} of shape {leaf.shape}" for leaf in jax.tree.leaves(recorded)[:3]) or "no array"
        raise ShapeError(
            f"`record` must give one array `(..., N)` with the neurons last; got {came} for a whole run.",
            where="least_squares",
            field="record",
            value=came,
            allowed="one array (..., N)",
        )
    check_array(target, "target", "least_squares")
    if np.shape(target) != shape:
        raise ShapeError(
            f"`target` must have the shape {shape} of what is recorded; got {np.shape(target)}.",
            where="least_squares",
            field="target",
            value=np.shape(target),
            allowed=str(shape),
        )
    if not jnp.issubdtype(jnp.result_type(target), jnp.floating):
        raise DTypeError(
            f"`target` must hold floats; got {jnp.result_type(target)}. Convert it with `jnp.asarray(..., float)`.",
            where="least_squares",
            field="target",
            value=str(jnp.result_type(target)),
            allowed="floats",
        )
    return jnp.asarray(target, recorded.dtype)


def _one_per_neuron(params: Any, mask: Any, target: jax.Array) -> Any:
    """`params` with one value per neuron in every leaf that `mask` selects."""
    n = target.shape[-1]
    for name, _, kind in annotated(params):
        if kind.axes == "pre post":
            raise DTypeError(
                "`neuron` is recurrent, so that a parameter of one neuron changes the others; `least_squares` fits each on its own. "
                "Use `fit.minimize`.",
                where="least_squares",
                field="neuron",
                value=name,
                allowed="a model of independent neurons",
            )

    def spread(leaf: Any, chosen: bool) -> Any:
        leaf = jnp.asarray(leaf, target.dtype if chosen and not hasattr(leaf, "dtype") else None)
        return jnp.broadcast_to(leaf, (*leaf.shape[:-1], n)) if chosen else leaf

    return jax.tree.map(spread, params, mask)


def _names(params: Any, mask: Any) -> tuple[str, ...]:
    """The trained parameters by name, one entry per column of the curvature."""
    paths = jax.tree_util.tree_leaves_with_path(params)
    chosen = [(path, leaf) for (path, leaf), take in zip(paths, jax.tree.leaves(mask), strict=True) if take]
    found = []
    for path, leaf in chosen:
        name, rows = jax.tree_util.keystr(path[-1:], simple=True), leaf.size // leaf.shape[-1]
        found += [name] if rows == 1 else [f"{name}[{k}]" for k in range(rows)]
    return tuple(found)


def _not_finite(losses: Any) -> NumericsError:
    bad = int(np.argmin(np.isfinite(losses)))
    return NumericsError(
        f"The residuals of neuron {bad} are not finite at the parameters that the fit starts from.",
        where="least_squares",
        field="params",
        value=bad,
        allowed="finite residuals",
    )
