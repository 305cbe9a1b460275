"""Whether a run goes to the fused kernel, and the run of a model there.

`backend="auto"` takes the kernel where JAX's default device is a GPU and the model allows it, and else the scan, with all that
the scan can: forward mode, recurrence, a watch over the state. `backend="pallas"` takes it or says why not. It may be asked
for on any device: what is compiled for CUDA has the kernel, and what is compiled for another device has the same programs as
loops.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable
from typing import Any

import jax

from .._errors import ConfigError
from . import _check as check
from . import _fused_device as device
from ._fused import fused
from ._fused_tape import NotElementwise
from ._neuron import Neuron

_LONGEST = 32  # segment of a kernel: its steps are written out


def kernel_for(backend: str, checked: bool, segment: int | None) -> str | None:
    """`backend`, if it means the kernel.

    Raises:
        ConfigError: "pallas" was asked for, together with what only the scan can.
    """
    if backend == "auto":
        return "auto" if jax.default_backend() == "gpu" and not checked and segment is None and _is_there() else None
    if backend != "pallas":
        return None
    if checked:
        raise _refused("with `checked=True` the scan looks at the state after every step, which the kernel does not")
    if segment is not None and segment > _LONGEST:
        raise _refused(f"its segments have at most {_LONGEST} steps, and `segment` is {segment}")
    return "pallas" if _is_there() else None


@functools.cache
def _is_there() -> bool:
    try:
        device.find()
    except device.Missing as error:
        text = f"The fused kernel needs Pallas on Triton, which this JAX ({jax.__version__}) does not have: {error}. The scan runs instead."
        warnings.warn(text, RuntimeWarning, stacklevel=4)
        return False
    return True


def run_population(
    neuron: Neuron,
    params: Any,
    state: Any,
    inputs: Any,
    dt: Any,
    config: Any,
    *,
    record: Callable[[Any, Any], Any] | None,
    segment: int | None,
    backend: str,
) -> tuple[Any, Any] | None:
    """The last state and what was recorded, as of `simulate`; `None` where it must be the scan.

    Raises:
        ConfigError: "pallas" was asked for, and the neurons of the model see each other.
    """
    population = check.population_of(neuron, check.example(neuron, inputs, "simulate"), "simulate")
    if not math.prod(population) or not jax.tree.leaves(inputs)[0].shape[0]:
        return None

    def step(numbers: Any, now: Any, x: Any) -> tuple[Any, Any]:
        params, (dt, config) = numbers
        now, output = neuron.step(params, now, x, dt=dt, config=config)
        return now, output if record is None else record(now, output)

    try:
        if neuron.feedback is not None:
            raise NotElementwise("its spikes come back to other neurons")
        return fused(step, params, (dt, config), state, inputs, population, segment=segment)
    except NotElementwise as reason:
        if backend == "pallas":
            raise _refused(f"it runs neurons that do not see each other, and `{neuron.name}` cannot: {reason}") from reason
        return None


def _refused(why: str) -> ConfigError:
    text = f"`backend` 'pallas' is one kernel for all steps: {why}. Use `backend='scan'`."
    return ConfigError(text, where="simulate", field="backend", value="pallas", allowed="'auto', 'scan'")
