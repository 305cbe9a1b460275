"""Noise of a layer: drawn before the loop, from the key of the run and the number of each step."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .. import functional as F
from .._errors import ShapeError
from .._kinds import Kind
from ._soma import Soma

Shape = tuple[int, ...]


class Noise(NamedTuple):
    """Noise of the membrane: its stationary standard deviation without threshold, V."""

    sigma: Annotated[Any, Kind("potential", "V", "nonnegative")]


class NoiseState(NamedTuple):
    """The key of a run, and the number of its next step (uint32)."""

    key: Any
    step: Any


def noise_of(soma: Soma, sigma: Any, where: str) -> Noise:
    """Noise of `sigma` for the neurons of `soma`.

    Raises:
        DTypeError: their membrane has no leak, or `sigma` is no number.
        ParameterError: `sigma` is negative.
        ShapeError: it is neither one number nor one per neuron.
    """
    if np.shape(sigma) not in ((), soma.shape):
        raise ShapeError(
            f"`sigma` must be one number or one per neuron, {soma.shape}; got shape {np.shape(sigma)}.",
            where=where,
            field="sigma",
            value=np.shape(sigma),
            allowed=f"() or {soma.shape}",
        )
    # What noise can be is for the one who draws it to say; nothing is drawn here.
    jax.eval_shape(lambda key: F.membrane_noise(soma.params, sigma, key, dt=1.0, shape=(0, *soma.shape)), jax.random.key(0))
    return Noise(jnp.asarray(sigma, jax.tree.leaves(soma.params)[0].dtype))


def drawn(
    noise: Noise, state: NoiseState, params: Any, batch: Shape, dt: Any, integrator: F.Integrator, steps: int
) -> tuple[NoiseState, jax.Array]:
    """The state `steps` later, and the current of these steps, `(steps, *batch)`."""
    current = F.membrane_noise(params, noise.sigma, state.key, dt=dt, shape=(steps, *batch), start=state.step, integrator=integrator)
    return NoiseState(state.key, state.step + np.uint32(steps)), current
