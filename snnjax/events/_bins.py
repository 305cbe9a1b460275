"""The bin rule: which step a time belongs to.

Step `k` is the half-open interval `[k dt, (k + 1) dt)`. A time that is a multiple of `dt` but for rounding is at the
start of its step: `0.3` is in step 3 of `dt = 0.1`, although `floor(0.3 / 0.1)` is 2. "But for rounding" is a
millionth of a step, or four units in the last place of the dtype where these are more. The margin must not exceed a
quarter of a step; beyond, the dtype does not tell steps apart, and the times are refused.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._errors import ParameterError
from ..functional._concrete import check_dt, concrete
from ._door import HOST, refuse_kind

_MARGIN = 1e-6  # of a step; what is left of an exact multiple after a shift by 4e9 steps in float64
_ULPS = 4  # one rounding each of `dt`, of the product, of the quotient; and one to spare


def step_of(dt: Any, where: str) -> float:
    """`dt` as a Python float; it cannot be traced here."""
    check_dt(dt, where)
    array = concrete(dt)
    if array is None:
        refuse_kind("dt", dt, "one real number, the length of a step in seconds", where, HOST)
    return float(array)


def snapped(quotient: Any, eps: float, xp: Any = np) -> Any:
    """Times in units of steps, with those that are whole but for rounding made whole."""
    nearest = xp.rint(quotient)
    margin = xp.maximum(_MARGIN, _ULPS * eps * xp.abs(quotient))
    return xp.where(xp.abs(quotient - nearest) <= margin, nearest, quotient)


def in_steps(times: np.ndarray, dt: Any, field: str, where: str) -> np.ndarray:
    """`times` in units of `dt`, float64, snapped; refused where their dtype does not resolve the steps."""
    step = step_of(dt, where)
    coarsest = max(times.dtype, getattr(dt, "dtype", np.dtype(np.float64)), key=_eps)
    with np.errstate(over="ignore"):
        quotient = times.astype(np.float64) / step
    largest = float(np.max(np.abs(quotient), initial=0.0))
    if _ULPS * _eps(coarsest) * largest > 0.25:
        text = (
            f"`{field}` must be within the steps of `dt` = {step:g} s that {coarsest} tells apart; got {largest:.3g} steps. "
            f"{_advice(coarsest)}"
        )
        raise ParameterError(text, where=where, field=field, value=largest * step, allowed=f"times that {coarsest} resolves")
    return snapped(quotient, _eps(coarsest))


def _advice(coarsest: Any) -> str:
    if coarsest == np.float64:
        return "Take a longer `dt`."
    return "Keep times and `dt` in float64, or cut the recording with `window`."


def count_of(duration: float, dt: Any, where: str) -> int:
    """The number of steps that cover `duration`: three for 0.3 s in steps of 0.1 s."""
    steps = math.ceil(in_steps(np.asarray(duration, np.float64), dt, "duration", where))
    if steps > np.iinfo(np.int32).max:
        text = f"`duration` must be of fewer than 2**31 steps; got {steps} steps of `dt` = {step_of(dt, where):g} s. Take a longer `dt`."
        raise ParameterError(text, where=where, field="duration", value=duration, allowed="fewer than 2**31 steps")
    return steps


def one_hot(times: jax.Array, dt: Any, steps: int) -> jax.Array:
    """`(steps, ...)`, 1 in the step that each of the `times` belongs to; the bin rule in JAX."""
    inside = jnp.isfinite(times)
    quotient = snapped(jnp.where(inside, times, -1.0) / dt, float(jnp.finfo(times.dtype).eps), jnp)
    index = jnp.where(inside, jnp.floor(quotient), -1.0)
    return (jnp.arange(steps).astype(times.dtype).reshape((steps,) + (1,) * times.ndim) == index[None]).astype(times.dtype)


def _eps(dtype: Any) -> float:
    return float(jnp.finfo(dtype).eps) if jnp.issubdtype(dtype, jnp.floating) else float(np.finfo(np.float64).eps)
