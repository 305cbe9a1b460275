"""What a run takes: its bytes by what they hold, and the refusal of a run that cannot fit."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from .._errors import ParameterError
from ._neuron import Neuron
from ._segments import auto_segments, kept_bytes

_LARGE = 2**26  # numbers; a run over fewer is not looked at: the millisecond that it takes would show


class Memory(NamedTuple):
    """Bytes of a run.

    Attributes:
        inputs: of the inputs of all steps.
        recorded: of what is recorded of all steps.
        state: of one state.
        gradient: about what a gradient keeps beside these, at most: states between segments, and what the steps of one leave.
    """

    inputs: int
    recorded: int
    state: int
    gradient: int


def nbytes(tree: Any) -> int:
    """The bytes that the arrays of a tree, or arrays of their shapes, take in JAX."""
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in map(jax.typeof, jax.tree.leaves(tree)))


def memory_of(
    neuron: Neuron,
    params: Any,
    state: Any,
    inputs: Any,
    dt: Any,
    config: Any,
    record: Callable[[Any, Any], Any] | None,
    segment: int | None,
) -> Memory:
    """The bytes of a run that passed the door; `state` may be shapes. One step is traced, nothing is computed."""
    leaves, tree = jax.tree.flatten(inputs)
    steps = np.shape(leaves[0])[0]
    x = jax.tree.unflatten(tree, [jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype) for leaf in map(jax.typeof, leaves)])
    recorded = nbytes(_recorded.eval_shape(neuron, record, params, state, x, dt, config))
    one, stacked = nbytes(state), nbytes(x) + recorded
    if segment is None:
        segments = auto_segments(steps, one, stacked)
    else:
        segments = (segment,) if segment < steps else ()
    return Memory(nbytes(inputs), steps * recorded, one, kept_bytes(steps, segments, one, stacked))


@functools.partial(jax.jit, static_argnames=("neuron", "record"))
def _recorded(neuron: Neuron, record: Any, params: Any, state: Any, x: Any, dt: Any, config: Any) -> Any:
    state, output = neuron.step(params, state, x, dt=dt, config=config)
    return output if record is None else record(state, output)


def is_large(inputs: Any) -> bool:
    """Whether a run over these inputs is worth a look at its memory."""
    return any(math.prod(np.shape(leaf)) >= _LARGE for leaf in jax.tree.leaves(inputs))


def check_memory(memory: Memory, inputs: Any, where: str) -> None:
    """The inputs and what is recorded fit into the memory of the device."""
    there = device_bytes(inputs)
    if there is None or memory.inputs + memory.recorded <= there:
        return
    steps = np.shape(jax.tree.leaves(inputs)[0])[0]
    raise ParameterError(
        f"`record` keeps {_size(memory.recorded)} in {steps} steps, beside {_size(memory.inputs)} of `inputs`; the device has "
        f"{_size(there)}. Keep less of each step, `record=lambda state, output: ...`, or run `inputs` in pieces and hand "
        f"`state` on from one to the next. A gradient keeps about {_size(memory.gradient)} more; `segment` sets how much.",
        where=where,
        field="record",
        value=memory.recorded,
        allowed=f"{there} bytes with the inputs",
    )


def device_bytes(inputs: Any) -> int | None:
    """The memory of the devices that hold `inputs`, or will; `None` where it is not known.

    All of it, used or not: what is refused could not run at all. Devices that are CPUs share the memory of the machine.
    """
    devices = _devices(jax.tree.leaves(inputs)[0])
    if any(device.platform == "cpu" for device in devices):
        try:
            return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        except (AttributeError, OSError, ValueError):  # not on every system
            return None
    limits = [(device.memory_stats() or {}).get("bytes_limit") for device in devices]
    return None if None in limits else sum(limit for limit in limits if limit is not None)


def _devices(array: Any) -> list[Any]:
    """Where `array` is; all devices for a traced one, of which nothing is known; where JAX would put it for one of NumPy."""
    if not isinstance(array, jax.Array):
        default = jax.config.jax_default_device  # type: ignore[attr-defined]
        return [jax.local_devices(backend=default)[0] if default is None or isinstance(default, str) else default]
    try:
        return [device for device in array.devices() if device.process_index == jax.process_index()]
    except jax.errors.ConcretizationTypeError:
        return jax.local_devices()


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**29 else f"{count / 2**20:.1f} MiB"
