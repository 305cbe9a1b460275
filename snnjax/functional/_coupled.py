"""One step of two variables that drive each other, `dy/dt = M y / dt`: `y' = f(M) y`, `f` the exponential or a polynomial.

With half the trace `m`, the determinant and the discriminant `q = m^2 - det`, every such function of a 2 x 2 matrix is

    f(M) = 1 + a + b (M - m)

for two numbers `a` and `b`. They are smooth in `q`, whose sign says whether the pair relaxes or rings; the eigenvalues
`m +- sqrt(q)` are not, and their derivatives do not exist where they meet. So `a` and `b` are what a pair returns.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp

# cosh(sqrt(q)) - 1 = sum q^k/(2k)! and sinh(sqrt(q))/sqrt(q) = sum q^k/(2k+1)!; ten terms are exact to float64 up to 1.
_EVEN = tuple(1.0 / math.factorial(2 * k) for k in range(1, 11))
_ODD = tuple(1.0 / math.factorial(2 * k + 1) for k in range(11))


def _polynomial(coefficients: tuple[float, ...], q: jax.Array) -> jax.Array:
    total = jnp.zeros_like(q)
    for coefficient in reversed(coefficients):
        total = total * q + coefficient
    return total


def exponential_pair(m: Any, det: Any, q: Any) -> tuple[jax.Array, jax.Array]:
    """`a` and `b` of the matrix exponential."""
    m, det, q = jnp.asarray(m), jnp.asarray(det), jnp.asarray(q)
    near, relaxes = jnp.abs(q) < 1.0, q >= 1.0
    rings = ~near & ~relaxes
    small = jnp.where(near, q, 0.0)
    root = jnp.sqrt(jnp.where(relaxes, q, 1.0))
    # The slower eigenvalue is a small difference of large numbers; det is the product of both.
    fast = m - root
    slow = det / jnp.where(relaxes, fast, -1.0)
    angle = jnp.sqrt(jnp.where(rings, -q, 1.0))
    decay = jnp.exp(jnp.where(relaxes, 0.0, m))
    a = jnp.where(near, jnp.expm1(jnp.where(near, m, 0.0)) + decay * small * _polynomial(_EVEN, small), decay * jnp.cos(angle) - 1.0)
    b = decay * jnp.where(near, _polynomial(_ODD, small), jnp.sin(angle) / angle)
    slow, fast = jnp.where(relaxes, slow, 0.0), jnp.where(relaxes, fast, -1.0)
    return (
        jnp.where(relaxes, (jnp.expm1(slow) + jnp.expm1(fast)) / 2, a),
        jnp.where(relaxes, (jnp.exp(slow) - jnp.exp(fast)) / (2 * root), b),
    )


def taylor_pair(m: Any, det: Any, q: Any) -> tuple[jax.Array, jax.Array]:
    """`a` and `b` of the exponential up to its 4th power: a classical Runge-Kutta step."""
    del det
    even, odd = jnp.ones_like(q), jnp.zeros_like(q)
    a, b = jnp.zeros_like(q), jnp.zeros_like(q)
    for k in range(1, 5):
        even, odd = m * even + q * odd, even + m * odd
        a, b = a + even / math.factorial(k), b + odd / math.factorial(k)
    return a, b
