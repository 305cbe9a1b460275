"""Dynap-SE: LIF parameters as bias currents of a DPI neuron, and those as codes of a chip.

`lif_to_dynapse` and `dynapse_to_lif` are the standard formulas; `match_lif` keeps the firing rates. `lower` makes of a
network graph one that a chip can run, `place` gives every neuron a core. `quantize`, `encode` and `check_currents` say what
a chip makes of currents; `mismatch` is another chip.
"""

from ..functional import BiasCurrents, DynapseParams, Process
from ._convert import dynapse_to_lif, lif_to_dynapse
from ._generator import BIASES, Bias, Generator
from ._lower import lower
from ._match import Match, match_lif
from ._mismatch import DEVICES, gaussian, log_normal, mismatch
from ._place import Chip, Core, Placement, place
from ._population import expanded, merge
from ._quantize import Codes, check_currents, encode, quantize, quantize_straight_through
from ._report import Entry, Report

__all__ = [
    "BIASES",
    "DEVICES",
    "Bias",
    "BiasCurrents",
    "Chip",
    "Codes",
    "Core",
    "DynapseParams",
    "Entry",
    "Generator",
    "Match",
    "Placement",
    "Process",
    "Report",
    "check_currents",
    "dynapse_to_lif",
    "encode",
    "expanded",
    "gaussian",
    "lif_to_dynapse",
    "log_normal",
    "lower",
    "match_lif",
    "merge",
    "mismatch",
    "place",
    "quantize",
    "quantize_straight_through",
]
