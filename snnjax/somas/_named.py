"""The somas by name: each is the generic soma, bound to a functional model or to a model in a wrapper."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from .. import functional as F
from ._config import SomaConfig
from ._soma import Soma


class LeakySomaConfig(SomaConfig, neuron=F.leaky):
    """The config of a `LeakySoma`."""


class LeakySoma(Soma):
    """A leaky membrane under a current: `F.leaky`."""

    config_class = LeakySomaConfig


class RefractoryLeakySomaConfig(SomaConfig, neuron=F.refractory(F.leaky, F.gate_input)):
    """The config of a `RefractoryLeakySoma`."""


class RefractoryLeakySoma(Soma):
    """A leaky membrane that gets no input after a spike, and goes on leaking: `F.refractory(F.leaky, F.gate_input)`."""

    config_class = RefractoryLeakySomaConfig


class StrictRefractoryLeakySomaConfig(SomaConfig, neuron=F.refractory(F.leaky, F.clamp_to_reset)):
    """The config of a `StrictRefractoryLeakySoma`."""


class StrictRefractoryLeakySoma(Soma):
    """A leaky membrane that stays at its reset value after a spike: `F.refractory(F.leaky, F.clamp_to_reset)`."""

    config_class = StrictRefractoryLeakySomaConfig


class AdaptiveLeakySomaConfig(SomaConfig, neuron=F.refractory(F.adaptive_leaky, F.gate_input)):
    """The config of an `AdaptiveLeakySoma`."""


class AdaptiveLeakySoma(Soma):
    """A leaky membrane with an adaptive threshold and gated input: `F.refractory(F.adaptive_leaky, F.gate_input)`."""

    config_class = AdaptiveLeakySomaConfig


class LIFSomaConfig(SomaConfig, neuron=F.lif):
    """The config of a `LIFSoma`."""


class LIFSoma(Soma):
    """A leaky integrate-and-fire neuron with an exponential synapse: `F.lif`."""

    config_class = LIFSomaConfig


class LIFRefracSomaConfig(SomaConfig, neuron=F.lif_refrac):
    """The config of a `LIFRefracSoma`."""


class LIFRefracSoma(Soma):
    """A leaky integrate-and-fire neuron that is held after a spike: `F.lif_refrac`."""

    config_class = LIFRefracSomaConfig


class DynapseSomaConfig(SomaConfig, neuron=F.dynapse_dpi):
    """The config of a `DynapseSoma`."""


class DynapseSoma(Soma):
    """The neuron of a Dynap-SE chip, which computes with currents: `F.dynapse_dpi`."""

    config_class = DynapseSomaConfig


class LeakyIntegratorSomaConfig(SomaConfig, neuron=F.leaky_integrator):
    """The config of a `LeakyIntegratorSoma`."""


class LeakyIntegratorSoma(Soma):
    """A read-out: a membrane with an exponential synapse and without a threshold, whose output is its potential."""

    config_class = LeakyIntegratorSomaConfig


#: The soma classes that a file can name.
SOMAS: Mapping[str, type[Soma]] = MappingProxyType(
    {
        made.__name__: made
        for made in (
            LeakySoma,
            RefractoryLeakySoma,
            StrictRefractoryLeakySoma,
            AdaptiveLeakySoma,
            LIFSoma,
            LIFRefracSoma,
            DynapseSoma,
            LeakyIntegratorSoma,
        )
    }
)
