"""The choices of a spiking neuron: surrogate, reset, integrator. Each is a value; changing one changes the program."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import jax
from jax.tree_util import Partial

from .._errors import options
from ._integrators import Integrator, exact
from ._reset import Reset, reset_to_value
from ._surrogate import Surrogate, superspike


@functools.partial(jax.tree_util.register_dataclass, data_fields=("spike",), meta_fields=("reset", "integrator"))
@options
@dataclasses.dataclass(frozen=True)
class SpikingConfig:
    """How a neuron spikes, resets and is integrated.

    A pytree: the numbers of the surrogate are leaves (they can be traced and annealed without recompiling), the rest
    is structure.

    Attributes:
        spike: a surrogate such as `superspike(slope=25.0)`, or any function `(x, scale) -> spikes`.
        reset: `reset_to_value`, `reset_by_subtraction`, either one `attached(...)`, or any `(v, spikes, params) -> v`.
        integrator: `exact`, `exponential_euler` or `euler`.

    >>> from snnjax import functional as F
    >>> F.SpikingConfig(reset=F.attached(F.reset_by_subtraction)).integrator.name
    'exact'
    """

    spike: Surrogate = dataclasses.field(default_factory=superspike)
    reset: Reset = reset_to_value
    integrator: Integrator = exact

    def __post_init__(self) -> None:
        # A plain function is no pytree; Partial makes it one without leaves. Anything else came from a transform.
        if isinstance(self.spike, Callable) and not isinstance(self.spike, Partial):
            object.__setattr__(self, "spike", Partial(self.spike))
