"""Values that are drawn when a soma is built: a population in which neurons differ.

An initialiser is a frozen description, compared by value and written to JSON by its name and numbers; it draws one value
per neuron (for weights, one per pair).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._errors import ParameterError, ShapeError, options
from .._kinds import Kind
from ..functional._concrete import check_domain, check_real

Shape = tuple[int, ...]
_REAL, _NONNEGATIVE, _POSITIVE = Kind("number", "1"), Kind("number", "1", "nonnegative"), Kind("number", "1", "positive")


class Initialiser:
    """What every initialiser can do."""

    #: Whether a key is needed.
    random = True

    def draw(self, key: Any, shape: Shape, dtype: Any) -> jax.Array:
        """An array of `shape` and `dtype`."""
        raise NotImplementedError

    def support(self) -> tuple[float, float]:
        """The smallest and the largest value that `draw` can give."""
        return -math.inf, math.inf

    def check_shape(self, shape: Shape) -> None:
        """Refuse an array that this cannot fill with a `ShapeError`."""

    def _check(self, **kinds: Kind) -> None:
        """Make the named fields floats in their domains."""
        for name, kind in kinds.items():
            value = getattr(self, name)
            check_real(value, name, type(self).__name__, "one real number")
            if np.shape(value) != ():
                raise ShapeError(
                    f"`{name}` of `{type(self).__name__}` must be one number; got shape {np.shape(value)}. "
                    "For one value per neuron give the array itself as the parameter.",
                    where=type(self).__name__,
                    field=name,
                    value=np.shape(value),
                    allowed="()",
                )
            check_domain(value, name, kind, type(self).__name__)
            object.__setattr__(self, name, float(value))

    def _check_order(self, low: float, high: float) -> None:
        if not low < high:
            raise ParameterError(
                f"`low` of `{type(self).__name__}` must be below `high`; got {low} and {high}.",
                where=type(self).__name__,
                field="low",
                value=low,
                allowed=f"< {high}",
            )


@options
@dataclasses.dataclass(frozen=True)
class Constant(Initialiser):
    """The same value for every neuron, each with its own copy: after training they differ.

    >>> import jax.numpy as jnp
    >>> Constant(0.02).draw(None, (2,), jnp.float32).shape
    (2,)
    """

    value: float
    random = False

    def __post_init__(self) -> None:
        self._check(value=_REAL)

    def draw(self, key: Any, shape: Shape, dtype: Any) -> jax.Array:
        del key
        return jnp.full(shape, self.value, dtype)

    def support(self) -> tuple[float, float]:
        return self.value, self.value


@options
@dataclasses.dataclass(frozen=True)
class Uniform(Initialiser):
    """Uniform between `low` and `high`.

    >>> import jax, jax.numpy as jnp
    >>> x = Uniform(1.0, 2.0).draw(jax.random.key(0), (1000,), jnp.float32)
    >>> bool((x >= 1.0).all() & (x <= 2.0).all()), round(float(x.mean()), 1)
    (True, 1.5)
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        self._check(low=_REAL, high=_REAL)
        self._check_order(self.low, self.high)

    def draw(self, key: Any, shape: Shape, dtype: Any) -> jax.Array:
        return jax.random.uniform(key, shape, dtype, self.low, self.high)

    def support(self) -> tuple[float, float]:
        return self.low, self.high


@options
@dataclasses.dataclass(frozen=True)
class Normal(Initialiser):
    """Normal with this mean and standard deviation; of any sign, so for weights rather than for time constants."""

    mean: float
    std: float

    def __post_init__(self) -> None:
        self._check(mean=_REAL, std=_NONNEGATIVE)

    def draw(self, key: Any, shape: Shape, dtype: Any) -> jax.Array:
        return self.mean + self.std * jax.random.normal(key, shape, dtype)


@options
@dataclasses.dataclass(frozen=True)
class TruncatedNormal(Initialiser):
    """A normal with this mean and standard deviation, drawn again where it is not between `low` and `high`.

    They must come within ten `std` of `mean`: farther out float32 has no probabilities.
    """

    mean: float
    std: float
    low: float
    high: float

    def __post_init__(self) -> None:
        self._check(mean=_REAL, std=_POSITIVE, low=_REAL, high=_REAL)
        self._check_order(self.low, self.high)
        reach = 10.0 * self.std
        if self.low > self.mean + reach or self.high < self.mean - reach:
            raise ParameterError(
                f"`low` to `high` of `TruncatedNormal` must come within 10 `std` of `mean`, else there is nothing to draw; got {self}. "
                "For values all over an interval use `Uniform`.",
                where="TruncatedNormal",
                field="low",
                value=self.low,
                allowed=f"an interval that meets {self.mean - reach:g} to {self.mean + reach:g}",
            )

    def draw(self, key: Any, shape: Shape, dtype: Any) -> jax.Array:
        low, high = (self.low - self.mean) / self.std, (self.high - self.mean) / self.std
        # The lower tail has all its digits, 3e-5 at -4; the upper one is rounded to 1, and its last value would come far too often.
        sign = -1.0 if low + high > 0 else 1.0
        wide = dtype if jnp.finfo(dtype).bits >= 32 else jnp.float32
        below, above = (jax.scipy.special.ndtr(jnp.asarray(edge, wide)) for edge in sorted((sign * low, sign * high)))
        share = jax.random.uniform(key, shape, wide) + 0.5 * jnp.finfo(wide).eps  # neither 0 nor 1
        drawn = self.mean + sign * self.std * jax.scipy.special.ndtri(below + share * (above - below))
        return jnp.clip(drawn.astype(dtype), self.low, self.high)  # rounding alone can leave the interval

    def support(self) -> tuple[float, float]:
        return self.low, self.high


@options
@dataclasses.dataclass(frozen=True)
class LogNormal(Initialiser):
    """`median * exp(sigma * z)` with a standard normal `z`: positive, and right for time constants and currents."""

    median: float
    sigma: float

    def __post_init__(self) -> None:
        self._check(median=_POSITIVE, sigma=_NONNEGATIVE)

    def draw(self, key: Any, shape: Shape, dtype: Any) -> jax.Array:
        return self.median * jnp.exp(self.sigma * jax.random.normal(key, shape, dtype))

    def support(self) -> tuple[float, float]:
        return np.nextafter(0.0, 1.0), math.inf


@options
@dataclasses.dataclass(frozen=True)
class PerGroup(Initialiser):
    """One value or initialiser per group of neighbouring neurons, along the last axis.

    Attributes:
        sizes: neurons in each group; together the whole population.
        values: a number or an initialiser for each group.

    >>> import jax.numpy as jnp
    >>> PerGroup(sizes=(2, 1), values=(0.5, 0.25)).draw(None, (3,), jnp.float32).tolist()
    [0.5, 0.5, 0.25]
    """

    sizes: tuple[int, ...]
    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        sizes, values = (tuple(given) if isinstance(given, list | tuple) else (given,) for given in (self.sizes, self.values))
        if len(sizes) != len(values) or not all(type(size) is int and size >= 0 for size in sizes):
            raise ShapeError(
                f"`sizes` and `values` of `PerGroup` must be one number of neurons and one value per group; got {sizes} and {values}.",
                where="PerGroup",
                field="sizes",
                value=sizes,
                allowed="as many sizes as values",
            )
        object.__setattr__(self, "sizes", sizes)
        for value in values:
            if not isinstance(value, Initialiser):
                check_real(value, "values", "PerGroup", "real numbers or initialisers, one per group")
                check_domain(value, "values", _REAL, "PerGroup")
        object.__setattr__(self, "values", tuple(v if isinstance(v, Initialiser) else Constant(v) for v in values))

    @property
    def random(self) -> bool:  # type: ignore[override]
        return any(value.random for value in self.values)

    def check_shape(self, shape: Shape) -> None:
        if shape[-1:] != (sum(self.sizes),):
            raise ShapeError(
                f"`sizes` {self.sizes} of `PerGroup` are {sum(self.sizes)} neurons together, but the shape to fill is {shape}.",
                where="PerGroup",
                field="sizes",
                value=self.sizes,
                allowed=f"sizes with the sum {shape[-1:]}",
            )
        for size, value in zip(self.sizes, self.values, strict=True):
            value.check_shape((*shape[:-1], size))

    def draw(self, key: Any, shape: Shape, dtype: Any) -> jax.Array:
        self.check_shape(shape)
        groups = [
            value.draw(None if key is None else jax.random.fold_in(key, k), (*shape[:-1], size), dtype)
            for k, (size, value) in enumerate(zip(self.sizes, self.values, strict=True))
        ]
        return jnp.concatenate(groups, axis=-1)

    def support(self) -> tuple[float, float]:
        supports = [value.support() for value in self.values]
        return min((low for low, _ in supports), default=0.0), max((high for _, high in supports), default=0.0)


#: The initialisers that a file can name.
INITIALISERS: Mapping[str, type[Initialiser]] = MappingProxyType(
    {made.__name__: made for made in (Constant, Uniform, Normal, TruncatedNormal, LogNormal, PerGroup)}
)
