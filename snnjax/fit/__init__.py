"""Fitting parameters: `fit.minimize` for any loss, `fit.least_squares` for recorded traces, or a loop of your own between
`fit.unconstrain` and `fit.constrain`.

An optimizer moves free coordinates (the logarithm of a time constant, the distance of the threshold from the reset;
table in `unconstrain`), so that no step of it makes a parameter impossible.
"""

from .._coordinates import constrain, unconstrain
from ._least_squares import LeastSquares, least_squares
from ._minimize import FitResult, minimize

__all__ = ["FitResult", "LeastSquares", "constrain", "least_squares", "minimize", "unconstrain"]
