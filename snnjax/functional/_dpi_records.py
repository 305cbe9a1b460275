"""What a DPI neuron is made of: the currents that one sets, the silicon that one gets, and what evolves.

The differential-pair integrator (DPI) neuron of the Dynap-SE family computes with subthreshold currents from a fraction
of a picoampere to a microampere. `BiasCurrents` can be set on a chip, `Process` cannot.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax

from .._errors import parameters
from .._kinds import BiasCurrent, Capacitance, Current, Fraction, PositiveCurrent, PositivePotential


@parameters
class BiasCurrents(NamedTuple):
    """The 13 currents that set a DPI neuron, amperes; each a number, or one value per neuron.

    `Igain_syn`, `Itau_syn` and `Ipulse` may be `Gates` of numbers, one per synaptic gate.

    Attributes:
        Idc: constant input; negative is inhibitory, which the chip does not have.
        If_nmda: membrane current at which the NMDA gate is half open.
        Igain_ahp: gain of the adaptation (after-hyperpolarisation, AHP).
        Igain_mem: gain of the membrane.
        Igain_syn: gain of the synapses.
        Ipulse_ahp: sets the width of the adaptation pulse, `Vth C_pulse_ahp / Ipulse_ahp`.
        Ipulse: sets the width of a synaptic pulse, `Vth C_pulse / Ipulse`.
        Iref: sets the refractory period, `Vth C_ref / Iref`.
        Ispkthr: membrane current at which the neuron spikes.
        Itau_ahp: leak of the adaptation, `tau = (Ut / kappa) C_ahp / Itau_ahp`.
        Itau_mem: leak of the membrane.
        Itau_syn: leak of the synapses.
        Iw_ahp: weight of the adaptation.

    >>> from snnjax import functional as F
    >>> F.BiasCurrents(Ispkthr=1e-8).Ispkthr
    1e-08
    """

    Idc: Current = 5e-13
    If_nmda: BiasCurrent = 5e-13
    Igain_ahp: BiasCurrent = 2.8368794e-11
    Igain_mem: BiasCurrent = 2.1276596e-11
    Igain_syn: BiasCurrent = 8.6879433e-9
    Ipulse_ahp: BiasCurrent = 3.5e-7
    Ipulse: BiasCurrent = 3.5e-8
    Iref: BiasCurrent = 1.05e-9
    Ispkthr: PositiveCurrent = 1e-7
    Itau_ahp: BiasCurrent = 2.8368794e-11
    Itau_mem: BiasCurrent = 5.3191489e-12
    Itau_syn: BiasCurrent = 8.6879433e-11
    Iw_ahp: BiasCurrent = 5e-13


@parameters
class Process(NamedTuple):
    """The silicon: capacitances (F), dark current `Io` (A), slope factors, thermal voltage `Ut` and `Vth` (V).

    `C_syn` may be `Gates` of numbers, one per synaptic gate.

    >>> from snnjax import functional as F
    >>> F.Process().Io
    5e-13
    """

    C_ahp: Capacitance = 40e-12
    C_syn: Capacitance = 25e-12
    C_pulse_ahp: Capacitance = 0.5e-12
    C_pulse: Capacitance = 0.5e-12
    C_ref: Capacitance = 1.5e-12
    C_mem: Capacitance = 3e-12
    Io: PositiveCurrent = 5e-13
    kappa_n: Fraction = 0.75
    kappa_p: Fraction = 0.66
    Ut: PositivePotential = 25e-3
    Vth: PositivePotential = 0.7


@parameters
class DynapseParams(NamedTuple):
    """Parameters of `dynapse_dpi`: the currents, the silicon, and the current `Iscale` (A) that a weight of 1 stands for.

    >>> from snnjax import functional as F
    >>> F.DynapseParams(bias=F.BiasCurrents(Ispkthr=2e-8)).Iscale
    1e-08
    """

    bias: Any = BiasCurrents()
    process: Any = Process()
    Iscale: PositiveCurrent = 1e-8


@parameters
class Gates(NamedTuple):
    """Something per synaptic gate; a gate that is `None` is absent and costs nothing.

    AMPA and NMDA excite; NMDA only counts while the membrane current is above `If_nmda`. GABA and SHUNT inhibit, in the
    way that `DPIConfig` gives each.

    >>> from snnjax import functional as F
    >>> F.Gates(ampa=1.0).gaba is None
    True
    """

    ampa: Any = None
    nmda: Any = None
    gaba: Any = None
    shunt: Any = None


class DynapseState(NamedTuple):
    """What evolves; currents in amperes, `(..., N)` each. At rest every current is `Io`.

    Attributes:
        imem: membrane current after reset.
        isyn: synaptic current after this step's decay; `Gates` of currents where inputs are `Gates`.
        iahp: adaptation current.
        vmem: membrane potential, `(Ut / kappa) ln(imem / Io)`, V; with `DPIConfig.dynapsim()` that before the reset.
        spikes: what the last step emitted.
        steps_left: refractory steps to come, int32.
    """

    imem: jax.Array
    isyn: Any
    iahp: jax.Array
    vmem: jax.Array
    spikes: jax.Array
    steps_left: jax.Array
