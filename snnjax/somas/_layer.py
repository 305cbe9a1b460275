"""What a network knows of a layer that has a state."""

from __future__ import annotations

import abc
from typing import Any

import equinox as eqx
import jax

Shape = tuple[int, ...]


class Dynamic(eqx.Module):
    """A layer with a state: a soma, or a network of somas. Subclass it to put a layer of your own into `Sequential`."""

    @abc.abstractmethod
    def init(self, batch_shape: Shape = ()) -> Any:
        """The state at rest, with these axes in front."""

    @abc.abstractmethod
    def __call__(self, state: Any, inputs: Any, *, dt: Any, mask: Any = None) -> tuple[Any, Any]:
        """One step: the new state and the output."""

    @abc.abstractmethod
    def simulate(self, inputs: Any, *, dt: Any, state: Any = None, mask: Any = None, segment: int | str | None = None) -> tuple[Any, Any]:
        """All steps, time first: the last state and the outputs."""

    @abc.abstractmethod
    def feature_axes(self) -> int | None:
        """How many axes an input of one step has behind the batch axes; `None` where any number will do."""

    def batch_axes(self, state: Any) -> int:
        """How many batch axes `state` has."""
        alone, batched = jax.tree.leaves(jax.eval_shape(self.init)), jax.tree.leaves(state)
        return batched[0].ndim - alone[0].ndim if alone and batched else 0
