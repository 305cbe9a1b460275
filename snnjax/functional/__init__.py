"""Neurons as pure functions: `import snnjax.functional as F`.

A model is a record, `F.lif`; its step is a function, `F.lif_step(params, state, inputs, dt=1e-3)`; a population is run
by `F.simulate`. Everything works under `jit`, `vmap`, `grad`, `jvp` and `scan`.
"""

from collections.abc import Mapping
from types import MappingProxyType

from .._kinds import Conductance, Current, Duration, Fraction, Kind, Potential, Resistance, TimeConstant, Weight
from ._adaptive_current_leaky import (
    AdaptiveCurrentLeakyParams,
    AdaptiveCurrentLeakyState,
    adaptive_current_leaky,
    adaptive_current_leaky_init,
    adaptive_current_leaky_step,
)
from ._adaptive_leaky import AdaptiveLeakyParams, AdaptiveLeakyState, adaptive_leaky, adaptive_leaky_init, adaptive_leaky_step
from ._config import SpikingConfig
from ._delta import delta
from ._dpi_config import DPIConfig, Inhibition, shunting, subtractive
from ._dpi_records import BiasCurrents, DynapseParams, DynapseState, Gates, Process
from ._dynapse_dpi import dynapse_dpi, dynapse_dpi_init, dynapse_dpi_step
from ._event_lif import EventRun, EventState, simulate_events
from ._gather import all_gather_spikes
from ._injected import Injected, injected
from ._integrate_and_fire import (
    IntegrateAndFireParams,
    IntegrateAndFireState,
    integrate_and_fire,
    integrate_and_fire_init,
    integrate_and_fire_step,
)
from ._integrators import Decaying, Early, Held, Integrator, Late, euler, exact, exponential_euler, relax, rk4
from ._leaky import LeakyParams, LeakyState, leaky, leaky_init, leaky_step
from ._leaky_integrator import (
    LeakyIntegratorParams,
    LeakyIntegratorState,
    leaky_integrator,
    leaky_integrator_init,
    leaky_integrator_step,
)
from ._lif import LIFParams, LIFState, lif, lif_init, lif_step
from ._membrane import MembraneParams, MembraneState, membrane
from ._memory import Memory
from ._memory_estimate import memory_estimate
from ._neuron import Neuron, Phases, advance, core, with_core
from ._noise import membrane_noise
from ._recurrent import RecurrentParams, RecurrentState, recurrent
from ._refractory import (
    RefractoryParams,
    RefractoryState,
    Rule,
    clamp_to_reset,
    compute_refractory_update,
    gate_input,
    hold,
    lif_refrac,
    lif_refrac_init,
    lif_refrac_step,
    refractory,
    refractory_steps,
)
from ._reset import attached, reset_by_subtraction, reset_to_value
from ._simulate import simulate
from ._surrogate import arctan, boxcar, gaussian, heaviside, sigmoid, superspike, surrogate, tanh, triangle
from ._synapses import SynapsesParams, SynapsesState, synapses
from ._unroll import unroll

#: Every model of the library by name, computed from the names exported here.
MODELS: Mapping[str, Neuron] = MappingProxyType({model.name: model for model in list(globals().values()) if isinstance(model, Neuron)})

__all__ = [
    "AdaptiveCurrentLeakyParams",
    "AdaptiveCurrentLeakyState",
    "AdaptiveLeakyParams",
    "AdaptiveLeakyState",
    "BiasCurrents",
    "Conductance",
    "Current",
    "DPIConfig",
    "Decaying",
    "Duration",
    "DynapseParams",
    "DynapseState",
    "Early",
    "EventRun",
    "EventState",
    "Fraction",
    "Gates",
    "Held",
    "Inhibition",
    "Injected",
    "IntegrateAndFireParams",
    "IntegrateAndFireState",
    "Integrator",
    "Kind",
    "LIFParams",
    "LIFState",
    "Late",
    "LeakyIntegratorParams",
    "LeakyIntegratorState",
    "LeakyParams",
    "LeakyState",
    "MODELS",
    "MembraneParams",
    "MembraneState",
    "Memory",
    "Neuron",
    "Phases",
    "Potential",
    "Process",
    "RecurrentParams",
    "RecurrentState",
    "RefractoryParams",
    "RefractoryState",
    "Resistance",
    "Rule",
    "SpikingConfig",
    "SynapsesParams",
    "SynapsesState",
    "TimeConstant",
    "Weight",
    "adaptive_current_leaky",
    "adaptive_current_leaky_init",
    "adaptive_current_leaky_step",
    "adaptive_leaky",
    "adaptive_leaky_init",
    "adaptive_leaky_step",
    "advance",
    "all_gather_spikes",
    "arctan",
    "attached",
    "boxcar",
    "clamp_to_reset",
    "compute_refractory_update",
    "core",
    "delta",
    "dynapse_dpi",
    "dynapse_dpi_init",
    "dynapse_dpi_step",
    "euler",
    "exact",
    "exponential_euler",
    "gate_input",
    "gaussian",
    "heaviside",
    "hold",
    "injected",
    "integrate_and_fire",
    "integrate_and_fire_init",
    "integrate_and_fire_step",
    "leaky",
    "leaky_init",
    "leaky_integrator",
    "leaky_integrator_init",
    "leaky_integrator_step",
    "leaky_step",
    "lif",
    "lif_init",
    "lif_refrac",
    "lif_refrac_init",
    "lif_refrac_step",
    "lif_step",
    "membrane",
    "membrane_noise",
    "memory_estimate",
    "recurrent",
    "refractory",
    "refractory_steps",
    "relax",
    "reset_by_subtraction",
    "reset_to_value",
    "rk4",
    "shunting",
    "sigmoid",
    "simulate",
    "simulate_events",
    "subtractive",
    "superspike",
    "surrogate",
    "synapses",
    "tanh",
    "triangle",
    "unroll",
    "with_core",
]
