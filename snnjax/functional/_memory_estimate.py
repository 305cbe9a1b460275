"""The door to knowing what a run takes, before it is run."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from .._errors import refuses_unknown_keywords
from ._check_choices import Segment
from ._memory import Memory, memory_of
from ._simulate import Record, checked_call


@refuses_unknown_keywords
def memory_estimate(
    neuron: Any,
    params: Any,
    inputs: Any,
    *,
    dt: Any,
    shape: int | tuple[int, ...] | None = None,
    state: Any = None,
    config: Any = None,
    record: Record | None = None,
    segment: Segment = None,
) -> Memory:
    """The bytes that `simulate` takes with the same arguments; nothing is computed or compiled.

    Args:
        neuron, params, dt, shape, state, config, record, segment: as of `simulate`.
        inputs: as of `simulate`; or `jax.ShapeDtypeStruct`, shapes and dtypes alone.

    Returns:
        `Memory`, in bytes: `inputs`, `recorded`, one `state`, and about what a `gradient` keeps beside them. The last is an
        estimate: what a step leaves behind depends on the model and on what is differentiated.

    Raises:
        The errors of `simulate`.

    >>> import jax, jax.numpy as jnp
    >>> from snnjax import functional as F
    >>> F.memory_estimate(F.lif, F.LIFParams(), jax.ShapeDtypeStruct((1000, 16, 256), jnp.float32), dt=1e-3)
    Memory(inputs=16384000, recorded=16384000, state=32768, gradient=6225920)
    """
    # An array of the same shape that takes no memory: every check of the door is for arrays.
    inputs = jax.tree.map(_standing_for, inputs)
    config, segment, _, start = checked_call(neuron, params, inputs, dt, shape, state, config, record, segment)
    return memory_of(neuron, params, jax.eval_shape(start), inputs, dt, config, record, segment)


def _standing_for(leaf: Any) -> Any:
    is_shape = isinstance(leaf, jax.ShapeDtypeStruct)
    return np.broadcast_to(np.zeros((), leaf.dtype), leaf.shape) if is_shape else leaf
