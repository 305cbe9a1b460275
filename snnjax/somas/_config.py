"""Config classes: the declarative description of a soma, derived from its model.

A config class has a field for every parameter in the Params of its neuron and one for every choice. Names, units,
domains and defaults are those of the model; nothing is typed in a second time.
"""

from __future__ import annotations

import math
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Self

import jax
import numpy as np

from .._errors import ConfigError, DTypeError, ParameterError, UnknownKeywordError, describe, did_you_mean, refuses_unknown_keywords
from ..functional import Neuron
from ..functional._concrete import as_shape
from . import _config_text as text
from ._choices import choices_of, same_choice
from ._config_check import check_config, check_dtype
from ._config_docs import document, representation, table
from ._fields import fields_of, params_with, values_of
from ._initialisers import Initialiser
from ._resolve import resolve

Shape = tuple[int, ...]


class FrozenConfigError(ConfigError, AttributeError):
    """A config does not change; also an `AttributeError`, as of Python's frozen dataclasses."""


class SomaConfig:
    """The base of all config classes: `class MySomaConfig(SomaConfig, neuron=F.refractory(F.lif)): ...`.

    A config is frozen and compared by value. Each parameter is a number (shared by all neurons), an array of the
    population's shape, or an initialiser (one value per neuron, drawn when the soma is built).
    """

    neuron: ClassVar[Neuron]
    #: What `build` makes; a soma class sets it.
    soma_class: ClassVar[Callable[..., Any]]

    shape: Shape
    _values: dict[str, Any]
    _choices: dict[str, Any]
    _validated: bool

    def __init_subclass__(cls, neuron: Neuron | None = None) -> None:
        super().__init_subclass__()
        if neuron is not None:
            cls.neuron = neuron
            document(cls)

    def __init__(self, shape: int | Shape = (), *, skip_validation: bool = False, **fields: Any) -> None:
        if type(self) is SomaConfig:
            text = "`SomaConfig` has no `neuron`. Use `LIFSomaConfig`, ..., or `config_class(neuron, name)`."
            raise ConfigError(text, where="SomaConfig", field="neuron", allowed="a config class with a neuron")
        # The second spelling is that of Spark 0.1.
        skip_validation = bool(fields.pop("__skip_validation__", skip_validation))
        known, choices = fields_of(self.neuron), choices_of(self.neuron)
        _refuse_unknown(fields, ["shape", *known, *choices], type(self).__name__)
        put = object.__setattr__
        put(self, "shape", as_shape(shape, type(self).__name__))
        put(self, "_values", {name: _frozen(name, fields.get(name, field.default)) for name, field in known.items()})
        put(self, "_choices", {name: fields.get(name, default) for name, default in choices.items()})
        put(self, "_validated", not skip_validation)
        if not skip_validation:
            check_config(self)

    @classmethod
    def from_params(cls, params: Any, shape: int | Shape = (), **choices: Any) -> Self:
        """The config whose soma has these Params.

        >>> from snnjax import functional as F, somas
        >>> somas.LIFSomaConfig.from_params(F.LIFParams(tau_mem=10e-3), shape=(2,)).tau_mem
        0.01
        """
        if type(params) is not type(cls.neuron.default()):
            wanted = type(cls.neuron.default()).__name__
            raise DTypeError(
                f"`params` of `{cls.__name__}` must be the {wanted} of `{cls.neuron.name}`; got {describe(params)}.",
                where=cls.__name__,
                field="params",
                value=type(params).__name__,
                allowed=wanted,
            )
        return cls(shape, **values_of(cls.neuron, params), **choices)

    def build(self, key: Any = None, *, dtype: Any = None) -> Any:
        """The soma.

        Args:
            key: for the initialisers; each field draws with a key of its own, made from this one and the field's name,
                so that one more field changes no other's values.
            dtype: of the parameters; by default JAX's float.

        Raises:
            ConfigError: there is something to draw, and no key.
            ParameterError: what was drawn is outside the domain of its parameter.
        """
        return self.soma_class(self, key, dtype=dtype)

    def resolve(self, key: Any = None, *, dtype: Any = None) -> Any:
        """The model's Params, as arrays of `dtype`; arguments and errors as in `build`."""
        return resolve(self, key, check_dtype(dtype, type(self).__name__))

    def params(self) -> Any:
        """The model's Params as they were given: with initialisers in them where there are any."""
        return params_with(self.neuron, self._values)

    def choices(self) -> Any:
        """The choices as `simulate` takes them: a `SpikingConfig`."""
        return self.neuron.config(**self._choices)

    def fields(self) -> dict[str, Any]:
        """Shape, parameters and choices by name; what the constructor takes."""
        return {"shape": self.shape, **self._values, **self._choices}

    def replace(self, *, skip_validation: bool = False, **fields: Any) -> Self:
        """The same config with other values in these fields.

        >>> from snnjax import somas
        >>> somas.LIFSomaConfig(shape=(2,)).replace(tau_mem=5e-3).tau_mem
        0.005
        """
        return type(self)(**{**self.fields(), **fields}, skip_validation=skip_validation)

    def diff(self, other: SomaConfig) -> dict[str, tuple[Any, Any]]:
        """The fields in which `other` differs: what they are here and what there.

        >>> from snnjax import somas
        >>> somas.LIFSomaConfig(shape=(2,)).diff(somas.LIFSomaConfig(shape=(2,), v_th=2.0))
        {'v_th': (1.0, 2.0)}
        """
        if type(other) is not type(self):
            raise DTypeError(
                f"`other` must be a `{type(self).__name__}` as well; got {describe(other)}.",
                where="diff",
                field="other",
                value=type(other).__name__,
                allowed=type(self).__name__,
            )
        mine, theirs = self.fields(), other.fields()
        return {name: (mine[name], theirs[name]) for name in mine if not _same(mine[name], theirs[name])}

    def describe(self) -> str:
        """A table of all fields with values, units, domains and meanings."""
        return table(self)

    def to_dict(self) -> dict[str, Any]:
        """The config as dictionaries, lists, strings and numbers, with class tag and format version.

        Raises:
            ConfigError: a choice is a function of one's own, or a value is traced.
        """
        return text.to_dict(self)

    @classmethod
    def from_dict(cls, content: Any) -> Self:
        """The config that `to_dict` wrote.

        Raises:
            ConfigError: it is of another class or a newer version, or a field is unknown, missing or malformed.
            ParameterError, ShapeError, DTypeError: as of the constructor.
        """
        return cls(**text.fields_from_dict(cls, content))

    def to_json(self) -> str:
        """The config as JSON text; exact: `from_json` gives an equal config."""
        return text.to_json(self)

    @classmethod
    def from_json(cls, content: str | bytes) -> Self:
        """The config that `to_json` wrote.

        Raises:
            FormatError: the text is truncated, names a key twice, or holds NaN or infinity.
            ConfigError, ParameterError, ShapeError, DTypeError: as of `from_dict`.
        """
        return cls.from_dict(text.parsed(cls, content))

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return not self.diff(other)  # type: ignore[arg-type]

    def __hash__(self) -> int:
        return hash((type(self), self.shape, *(v if isinstance(v, float) else type(v) for v in self._values.values())))

    def __repr__(self) -> str:
        return representation(self)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: Any) -> Self:
        # What does not change needs no copy; NumPy's copies of read-only arrays could be written to.
        return self

    if TYPE_CHECKING:  # the fields, which are those of `neuron`

        def __getattr__(self, name: str) -> Any: ...

    def __setattr__(self, name: str, value: Any) -> None:
        raise FrozenConfigError(
            f"`{name}` cannot be set: a config is frozen. Use `config.replace({name}=...)`, which gives a new one.",
            where=type(self).__name__,
            field=name,
            value=value,
            allowed="replace",
        )

    def __delattr__(self, name: str) -> None:
        raise FrozenConfigError(f"`{name}` cannot be deleted: a config is frozen.", where=type(self).__name__, field=name)


@refuses_unknown_keywords
def config_class(neuron: Neuron, name: str) -> type[SomaConfig]:
    """A config class for any neuron; `build` then makes a `Soma` of that neuron.

    Args:
        neuron: a model or a composition of wrappers.
        name: of the class, and the tag in its files.

    Raises:
        DTypeError: `neuron` is no Neuron, or `name` no text.
        ConfigError: `name` cannot be that of a class.

    >>> from snnjax import functional as F, somas
    >>> RecurrentConfig = somas.config_class(F.recurrent(F.lif), "RecurrentConfig")
    >>> RecurrentConfig(shape=(3,), weight=somas.Constant(0.1)).build().params.weight.shape
    (3, 3)
    """
    if not isinstance(neuron, Neuron):
        raise DTypeError(
            f"`neuron` must be a Neuron such as `F.lif`; got {describe(neuron)}.",
            where="config_class",
            field="neuron",
            value=neuron,
            allowed="a Neuron",
        )
    if not isinstance(name, str) or not name.isidentifier():
        wanted = "the name of a class, letters, digits and `_`"
        refused = ConfigError if isinstance(name, str) else DTypeError
        raise refused(f"`name` must be {wanted}; got {describe(name)}.", where="config_class", field="name", value=name, allowed=wanted)
    return types.new_class(name, (SomaConfig,), {"neuron": neuron}, lambda body: body.update(__module__="snnjax.somas"))


def _refuse_unknown(fields: dict[str, Any], known: list[str], where: str) -> None:
    for name in fields:
        if name not in known:
            raise UnknownKeywordError(
                f"`{name}` is not a field of `{where}`. {did_you_mean(name, known)}",
                where=where,
                field=name,
                value=fields[name],
                allowed=", ".join(known),
            )


def _frozen(name: str, value: Any) -> Any:
    """`value` as something that does not change: a float, a read-only array; what cannot be one is left for the check."""
    if isinstance(value, Initialiser | bool):
        return value
    if isinstance(value, int | float):
        try:
            return float(value)
        except OverflowError:
            text = f"`{name}` must be finite; got an integer beyond float64."
            raise ParameterError(text, where="config", field=name, value=math.inf, allowed="finite") from None
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        try:
            value = np.asarray(value)
        except ValueError:
            return value
    if isinstance(value, jax.Array):
        try:
            value = np.asarray(value)
        except jax.errors.TracerArrayConversionError:
            return value
    if isinstance(value, np.ndarray | np.generic):
        value = np.array(value, value.dtype.newbyteorder("="))  # JAX and texts know the byte order of the machine alone
        value.setflags(write=False)
    return value


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b)
    if isinstance(a, np.ndarray | jax.Array) or isinstance(b, np.ndarray | jax.Array):
        return a is b
    if isinstance(a, float | tuple | Initialiser) and not hasattr(a, "_fields"):
        return type(a) is type(b) and a == b
    return same_choice(a, b)
