"""Saving networks, and what a training run needs to go on, in one safetensors file each.

The header describes the layers (`_encode`); the arrays are stored under their paths, `layers.0.weight`. Nothing in a
file is executed or imported. What is in it is checked as if it had just been typed in: shapes, dtypes and domains.
"""

from __future__ import annotations

from typing import Any, NoReturn

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .. import _files as files
from .._errors import DTypeError, FormatError, NumericsError, ParameterError, ShapeError, refuses_unknown_keywords
from .._files import trees
from .._files._door import check_max_bytes, check_path
from .._kinds import kinds_of
from ..functional._check import check_params
from ..functional._concrete import check_domain, describe
from . import _encode as layers
from ._fields import fields_of, values_of
from ._iaf_noise import Noise
from ._soma import Soma

KIND, VERSION = "network", 1


@refuses_unknown_keywords
def save(path: Any, module: Any, extra: Any = None) -> None:
    """Save a network, so that `load` gives it back bit by bit.

    Args:
        path: where to, by convention `*.safetensors`. A file that is there is replaced only once the new one is whole.
        module: a soma, a `Sequential`, or a layer of Equinox.
        extra: any pytree of arrays, keys and numbers that belongs to it: optimizer state, step, key. `load_extra` reads it.

    Raises:
        ConfigError: the network has a layer or a function of your own, which a file cannot hold.
        NumericsError: one of its arrays is not finite.
        ParameterError, ShapeError: a parameter of a soma is outside its domain or does not fit, so that `load` would refuse it.
        DTypeError: `path` is no path, `module` no module, a parameter no float, or `extra` holds something that is no array,
            key or number.

    >>> import pathlib, tempfile
    >>> from snnjax import somas
    >>> soma = somas.LIFSomaConfig(shape=(2,), tau_mem=10e-3).build()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "soma.safetensors"
    ...     somas.save(path, soma)
    ...     bool(somas.load(path) == soma)
    True
    """
    check_path(path, "save")
    if not isinstance(module, eqx.Module):
        wanted = "a soma, a `Sequential` or a layer of Equinox"
        text = f"`module` must be {wanted}; got {describe(module)}."
        raise DTypeError(text, where="save", field="module", value=module, allowed=wanted)
    arrays, numbers = {}, {}
    for name, leaf in _parameters(module).items():
        (arrays if isinstance(leaf, jax.Array | np.ndarray | np.generic) else numbers)[name] = _writable(name, leaf)
    _check_somas(module, "save")
    described, extra_arrays = trees.pack(extra, "extra")
    header = {"module": layers.encode(module), "numbers": numbers, "extra": described}
    files.write(path, KIND, VERSION, header, {**arrays, **extra_arrays})


@refuses_unknown_keywords
def load(path: Any, *, max_bytes: int = files.MAX_BYTES) -> Any:
    """The network that `save` wrote.

    Args:
        path: of the file.
        max_bytes: the largest file that is read.

    Raises:
        FormatError: the file is truncated, damaged, of another kind or a newer version, or its parts do not fit.
        ParameterError: a parameter in it is outside its domain.
        DTypeError: it holds float64 while JAX is in 32-bit mode.
    """
    header, arrays = _read(path, max_bytes)
    template = layers.decode(header["module"])
    own = {name: array for name, array in arrays.items() if not name.startswith("extra.")}
    numbers = header["numbers"]
    if not isinstance(numbers, dict) or not all(_of_a_soma(name) and type(it) in (int, float) for name, it in numbers.items()):
        _refuse(path, "has other numbers than those of somas")
    wanted = _parameters(template)
    if sorted(wanted) != sorted([*own, *numbers]):
        odd = sorted(set(wanted) ^ {*own, *numbers})
        _refuse(path, f"does not have the arrays that its network needs; they differ in {', '.join(odd)[:200]}")
    values = [numbers[name] if name in numbers else _checked(path, name, own[name], like) for name, like in wanted.items()]
    module = _with_parameters(template, values)
    try:
        _check_somas(module, "load")
    except ShapeError as error:
        _refuse(path, f"holds a soma whose parameters do not fit: {error}")
    except ParameterError as error:
        raise ParameterError(f"`{path}`: {error}", where="load", field=error.field, value=error.value, allowed=error.allowed) from None
    return module


@refuses_unknown_keywords
def load_extra(path: Any, like: Any, *, max_bytes: int = files.MAX_BYTES) -> Any:
    """The `extra` of a file, in the structure of `like`.

    Args:
        path: of the file.
        like: a pytree of the same structure, shapes and dtypes, such as a fresh optimizer state; its values do not matter.
        max_bytes: the largest file that is read.

    Raises:
        FormatError: as of `load`, or the file has something else as `extra`.
    """
    header, arrays = _read(path, max_bytes)
    return trees.unpack(header["extra"], arrays, like, str(path), "extra")


def _read(path: Any, max_bytes: int) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    check_path(path, "load")
    check_max_bytes(max_bytes, "load")
    header, arrays = files.read(path, KIND, VERSION, max_bytes=max_bytes)
    if not isinstance(header, dict) or set(header) != {"module", "numbers", "extra"}:
        _refuse(path, "has no module, numbers and extra in its header")
    return header, arrays


def _refuse(path: Any, what: str) -> NoReturn:
    raise FormatError(
        f"`{path}` {what.removesuffix('.')}.", where="load", field="path", value=str(path), allowed="a network that `somas.save` wrote"
    )


def _is_parameter(path: Any, leaf: Any) -> bool:
    """Whether a leaf is stored by path: every array, and every number of a soma; all else is in the description."""
    names = [jax.tree_util.keystr((entry,), simple=True) for entry in path]
    return "config" not in names and (hasattr(leaf, "dtype") or "params" in names)


def _parameters(module: Any) -> dict[str, Any]:
    leaves = jax.tree_util.tree_leaves_with_path(module)
    return {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in leaves if _is_parameter(path, leaf)}


def _with_parameters(template: Any, values: list[Any]) -> Any:
    leaves, tree = jax.tree_util.tree_flatten_with_path(template)
    rest = iter(values)
    return jax.tree.unflatten(tree, [next(rest) if _is_parameter(path, leaf) else leaf for path, leaf in leaves])


def _checked(path: Any, name: str, array: np.ndarray, like: Any) -> jax.Array:
    if not jnp.issubdtype(array.dtype, jnp.floating):
        _refuse(path, f"holds {array.dtype.name} in `{name}`; expected floats")
    if jax.dtypes.canonicalize_dtype(array.dtype) != array.dtype:
        raise DTypeError(
            f"`{name}` in `{path}` is {array.dtype.name}, and JAX is in 32-bit mode. "
            '`jax.config.update("jax_enable_x64", True)` switches float64 on.',
            where="load",
            field=name,
            value=array.dtype.name,
            allowed="float32",
        )
    shape = np.shape(like)
    if not _of_a_soma(name) and array.shape != shape:
        _refuse(path, f"holds `{name}` with the shape {array.shape}; its layer has {shape}")
    if not np.isfinite(array.astype(np.float64)).all():
        _refuse(path, f"holds NaN or infinity in `{name}`")
    return jnp.asarray(array)


def _of_a_soma(name: str) -> bool:
    # The parameters of a soma may be numbers or arrays; `_check_somas` knows which shapes fit.
    return "params" in name.split(".")


def _writable(name: str, leaf: Any) -> Any:
    """A parameter as it is written; what `load` would refuse is refused here, before a file is made of it.

    Raises:
        DTypeError: it is no float, nor a number.
        NumericsError: it is not finite.
    """
    is_number, array = isinstance(leaf, int | float) and not isinstance(leaf, bool | np.generic), np.asarray(leaf)
    if not is_number and not jnp.issubdtype(array.dtype, jnp.floating):
        text = f"`{name}` must be a float to be saved; got {describe(leaf)}."
        raise DTypeError(text, where="save", field=name, value=leaf, allowed="a float")
    if not np.isfinite(array.astype(np.float64)).all():
        raise NumericsError(
            f"`{name}` is not finite, so the network is not saved. Save an earlier state, or the arrays alone as `extra`.",
            where="save",
            field=name,
            allowed="finite",
        )
    return leaf if is_number else array


def _check_somas(module: Any, where: str) -> None:
    """Every parameter of a soma fits its population and is in its domain, as in a config."""
    for soma in jax.tree.leaves(module, is_leaf=lambda node: isinstance(node, Soma | Noise)):
        if isinstance(soma, Noise):
            check_domain(soma.sigma, "sigma", kinds_of(Noise)["sigma"], where)
        if isinstance(soma, Soma):
            check_params(soma.params, soma.shape, soma.neuron.ports, (), where)
            for name, value in values_of(soma.neuron, soma.params).items():
                check_domain(value, name, fields_of(soma.neuron)[name].kind, where)
