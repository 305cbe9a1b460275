"""Fitting parameters: `fit.minimize` for any loss, `fit.least_squares` for recorded traces, or a loop of your own between
`fit.unconstrain` and `fit.constrain`.

An optimizer moves free coordinates (the logarithm of a time constant, the distance of the threshold from the reset;
table in `unconstrain`), so that no step of it makes a parameter impossible.

For training that outlives its process: `TrainState` with `save_state` and `load_state`; `guard` and `check` against NaN;
`stop_on_sigterm`. The loop is in docs/training.md.
"""

from .._coordinates import constrain, unconstrain
from ._guard import check, guard
from ._least_squares import LeastSquares, least_squares
from ._minimize import FitResult, minimize
from ._sigterm import Stop, stop_on_sigterm
from ._train_state import Skipped, TrainState, load_state, save_state

__all__ = [
    "FitResult",
    "LeastSquares",
    "Skipped",
    "Stop",
    "TrainState",
    "check",
    "constrain",
    "guard",
    "least_squares",
    "load_state",
    "minimize",
    "save_state",
    "stop_on_sigterm",
    "unconstrain",
]
