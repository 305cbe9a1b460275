"""The few things that a kernel says to a GPU, for Pallas on Triton: load, store, loop, launch.

JAX calls its Triton back end deprecated and Mosaic GPU the successor; another back end is another version of this file.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

_WARP = 32


class Missing(Exception):
    """This JAX has no Pallas on Triton."""


@functools.cache
def find() -> tuple[Any, Any]:
    """Pallas and its Triton part, imported by the first kernel: it takes a second.

    Raises:
        Missing: they cannot be imported.
    """
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=DeprecationWarning)
            from jax.experimental import pallas
            from jax.experimental.pallas import triton
    except (ImportError, AttributeError) as error:
        raise Missing(str(error)) from error
    return pallas, triton


class Lanes(NamedTuple):
    """The neurons of one program: `block` of them from `start` on; `mask` says which of them exist, `None`: all."""

    start: Any
    block: int
    mask: Any

    def load(self, ref: Any, index: tuple[Any, ...]) -> jax.Array:
        """A row of `ref`; a single number, where it has no axis for neurons, stands for all."""
        triton = find()[1]
        if len(ref.shape) == len(index):
            return self.whole(ref[index])
        at = self._at(ref, index)
        return triton.load(at) if self.mask is None else triton.load(at, mask=self.mask, other=np.zeros((), ref.dtype))

    def store(self, ref: Any, index: tuple[Any, ...], value: Any, when: Any = True) -> None:
        """Write a row of `ref`; only if `when`."""
        mask = self.mask if when is True else self.whole(when) if self.mask is None else self.mask & when
        find()[1].store(self._at(ref, index), self.whole(value).astype(ref.dtype), mask=mask)

    def _at(self, ref: Any, index: tuple[Any, ...]) -> Any:
        return ref.at[(*(np.int32(k) if isinstance(k, int) else k for k in index), find()[0].ds(self.start, self.block))]

    def whole(self, value: Any) -> jax.Array:
        """A number as an array over the neurons."""
        return jnp.broadcast_to(value, (self.block,))


def lanes(block: int, neurons: int) -> Lanes:
    """Those of this program."""
    start = find()[0].program_id(0) * block
    return Lanes(start, block, None if neurons % block == 0 else start + jnp.arange(block, dtype=jnp.int32) < neurons)


def loop(rounds: int, body: Callable[[Any, Any], Any], carry: Any) -> Any:
    """`carry = body(k, carry)` for k from 0 on, in 32 bits also under x64."""
    if not rounds:
        return carry
    return jax.lax.fori_loop(0, rounds, lambda k, carry: body(jax.lax.convert_element_type(k, np.int32), carry), carry)


def launch(
    kernel: Callable[..., None],
    arrays: Sequence[Any],
    outputs: Sequence[jax.ShapeDtypeStruct],
    *,
    block: int,
    neurons: int,
    interpret: bool,
) -> list[Any]:
    """Run `kernel` on blocks of neurons; `interpret` carries it out operation by operation, on any device, for tests."""
    pallas, triton = find()
    # JAX must be told which back end: which one is the default has changed. Its deprecation is known here.
    options = {} if interpret else {"compiler_params": triton.CompilerParams(num_warps=max(block // _WARP, 1), num_stages=1)}
    grid = (pallas.cdiv(neurons, block),)
    return list(pallas.pallas_call(kernel, out_shape=list(outputs), grid=grid, interpret=interpret, **options)(*arrays))
