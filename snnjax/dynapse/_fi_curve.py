"""The f-I curves of the LIF and of the DPI neuron: interval between spikes as a function of constant input.

A LIF under `b` times its rheobase spikes every `tau ln(b / (b - 1))`. A DPI neuron, in units of `Io` and without
adaptation, takes from a reset to its threshold

    T(x) = integral over u from 0 to ln thr of du / (rate (g x / (e^u + g) - leak + e^(gamma u)))

and its rheobase is the input at which the denominator touches 0 somewhere below threshold,

    x_0 = max over m in [1, thr] of (m + g) (leak - m^gamma) / g

Derivation from the membrane equation of Chicca, Stefanini, Bartolozzi & Indiveri (2014), Proceedings of the IEEE 102,
1367-1388.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

Array = np.ndarray

# The integrand is steep at the threshold, next to the rheobase: u = ln(thr) (1 - s^4) puts the nodes there.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(48)
_S = (_NODES + 1.0) / 2.0
_FRACTION = 1.0 - _S**4
_FRACTION_WEIGHTS = 0.5 * _WEIGHTS * 4.0 * _S**3
_GRID = np.linspace(0.0, 1.0, 65)


class MembraneNumbers(NamedTuple):
    """A DPI membrane in units of `Io`, one value per neuron: `rate` in 1/s, the rest dimensionless."""

    rate: Array
    gamma: Array
    gain: Array
    threshold: Array
    leak: Array


def lif_interval(b: Array, tau: Array) -> Array:
    """Time between spikes of a LIF under `b > 1` times its rheobase, s."""
    return tau * np.log(b / (b - 1.0))


def rheobase(membrane: MembraneNumbers) -> tuple[Array, Array]:
    """The smallest input that makes the neuron spike, and its derivative with respect to the leak.

    >>> import numpy as np
    >>> x, slope = rheobase(MembraneNumbers(*map(np.array, (4.7, 0.41, 3.0, 60.0, 18.5))))
    >>> round(float(x)), round(float(slope))
    (276, 21)
    """
    m = np.exp(np.log(membrane.threshold) * _GRID.reshape(-1, *[1] * membrane.threshold.ndim))
    needed = (m + membrane.gain) * (membrane.leak - m**membrane.gamma) / membrane.gain
    where = np.argmax(needed, axis=0)[None]
    return (
        np.take_along_axis(needed, where, axis=0)[0],
        np.take_along_axis((m + membrane.gain) / membrane.gain, where, axis=0)[0],
    )


def dpi_interval(x: Array, membrane: MembraneNumbers) -> tuple[Array, Array, Array]:
    """Time between spikes under a constant input `x`, s; and its derivatives with respect to `x` and to the leak.

    Infinite where the input does not reach the rheobase.
    """
    top = np.log(membrane.threshold)
    u = top * _FRACTION.reshape(-1, *[1] * x.ndim)
    weight = top / membrane.rate * _FRACTION_WEIGHTS.reshape(-1, *[1] * x.ndim)
    share = membrane.gain / (np.exp(u) + membrane.gain)
    speed = share * x - membrane.leak + np.exp(membrane.gamma * u)
    fires = (speed > 0).all(axis=0) & (x > rheobase(membrane)[0])
    speed = np.where(fires, speed, 1.0)
    time = (weight / speed).sum(axis=0)
    by_x, by_leak = -(weight * share / speed**2).sum(axis=0), (weight / speed**2).sum(axis=0)
    return np.where(fires, time, np.inf), by_x, by_leak
