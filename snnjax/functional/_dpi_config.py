"""The choices of a DPI neuron: its dynamics, its surrogate, its sub-steps, how its gates inhibit."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jax.tree_util import Partial

from .._errors import DTypeError, options
from ._concrete import as_count, describe
from ._dpi_dynapsim import dynapsim
from ._dpi_log import paper
from ._surrogate import Surrogate, superspike


class Inhibition(NamedTuple):
    """How a gate inhibits: its share in the current that is taken from the input, and in the leak."""

    name: str
    subtracts: bool
    shunts: bool


#: The gate's current is subtracted from the membrane's input.
subtractive = Inhibition("subtractive", True, False)
#: The gate's current adds to the membrane's leak: it divides.
shunting = Inhibition("shunting", False, True)


@functools.partial(jax.tree_util.register_dataclass, data_fields=("spike",), meta_fields=("substeps", "gaba", "shunt", "dynamics"))
@options
@dataclasses.dataclass(frozen=True)
class DPIConfig:
    """How a DPI neuron is integrated, inhibited, and learns through its spikes.

    Attributes:
        spike: a surrogate; its argument is `ln(imem / Ispkthr)`, so its `slope` is in units of the threshold current
            and its window is one in log-current.
        substeps: the membrane takes this many steps in one `dt`.
        gaba: `subtractive` or `shunting`.
        shunt: `subtractive` or `shunting`.
        dynamics: the step, `(params, state, inputs, dt, config) -> (state, spikes)`.

    >>> from snnjax import functional as F
    >>> F.DPIConfig(substeps=2).substeps
    2
    """

    spike: Surrogate = dataclasses.field(default_factory=lambda: superspike(slope=2.0))
    substeps: int = 1
    gaba: Inhibition = subtractive
    shunt: Inhibition = shunting
    dynamics: Callable[..., Any] = paper

    def __post_init__(self) -> None:
        if isinstance(self.spike, Callable) and not isinstance(self.spike, Partial):
            object.__setattr__(self, "spike", Partial(self.spike))
        object.__setattr__(self, "substeps", as_count(self.substeps, "substeps", "DPIConfig", least=1))
        inhibition = "`F.subtractive` or `F.shunting`"
        _check("gaba", self.gaba, isinstance(self.gaba, Inhibition), inhibition)
        _check("shunt", self.shunt, isinstance(self.shunt, Inhibition), inhibition)
        _check("dynamics", self.dynamics, callable(self.dynamics), "a function, the step of the neuron")

    @staticmethod
    def dynapsim() -> DPIConfig:
        """The step of Rockpool's DynapSim, its forward Euler and its surrogate included.

        >>> from snnjax import functional as F
        >>> F.DPIConfig.dynapsim().dynamics.__name__
        'dynapsim'
        """
        return DPIConfig(dynamics=dynapsim)


def _check(field: str, value: Any, accepted: bool, wanted: str) -> None:
    if not accepted:
        raise DTypeError(f"`{field}` must be {wanted}; got {describe(value)}.", where="DPIConfig", field=field, value=value, allowed=wanted)
