"""The DPI neuron of the Dynap-SE family: one step, its state at rest, the record.

The equations are in `_dpi_log` (the papers', the default) and `_dpi_dynapsim` (Rockpool's simulator).
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from .._errors import DTypeError, refuses_unknown_keywords
from ._dpi_config import DPIConfig
from ._dpi_records import DynapseParams, DynapseState, Gates
from ._neuron import Neuron, filled, population
from ._take_step import checked_init, take_step


@checked_init
def dynapse_dpi_init(params: Any, shape: int | tuple[int, ...] = (), dtype: Any = None, inputs: Any = None) -> DynapseState:
    """The state at rest: every current is `Io`.

    Args:
        params: `DynapseParams`; arrays in it set the shape where `shape` is `()`.
        shape: of the population, leading (batch) axes first.
        dtype: of the state, float32 or float64; by default that of the arrays in `params`.
        inputs: `Gates` with something at every gate that inputs will have, for a state with those gates; by default the
            one combined synapse.

    Raises:
        DTypeError: `dtype` has too few bits for picoamperes.

    >>> from snnjax import functional as F
    >>> f"{F.dynapse_dpi_init(F.DynapseParams(), (3,)).imem[0]:.2e}"
    '5.00e-13'
    """
    _refuse_half_precision(dtype)
    shape, dtype = population(params, shape, dtype)
    Io = filled(params.process.Io, shape, dtype)
    zero = jnp.zeros(shape, dtype)
    isyn = Gates(*(None if x is None else Io for x in inputs)) if isinstance(inputs, Gates) else Io
    return DynapseState(imem=Io, isyn=isyn, iahp=Io, vmem=zero, spikes=zero, steps_left=jnp.zeros(shape, jnp.int32))


def _refuse_half_precision(dtype: Any) -> None:
    if dtype is not None and jnp.issubdtype(dtype, jnp.floating) and jnp.finfo(dtype).bits < 32:
        raise DTypeError(
            f"`dtype` {jnp.dtype(dtype).name} cannot hold the state of `dynapse_dpi`: picoamperes are 0 in float16, and bfloat16 "
            "keeps 2 digits. Use float32 or float64.",
            where="dynapse_dpi_init",
            field="dtype",
            value=jnp.dtype(dtype).name,
            allowed="float32, float64",
        )


@refuses_unknown_keywords
def dynapse_dpi_step(
    params: Any, state: DynapseState, inputs: Any, *, dt: Any, config: DPIConfig | None = None
) -> tuple[DynapseState, jax.Array]:
    """One step of the DPI neuron.

    Args:
        params: `DynapseParams`.
        state: `DynapseState`, leaves of shape `(..., N)`.
        inputs: weighted spike counts `(..., N)` of the combined synapse, where a negative count is subtractive
            inhibition; or `Gates` of them, with non-negative counts. A count of 1 is a pulse of `Iscale` amperes.
        dt: length of the step, s.
        config: `DPIConfig()` by default; `DPIConfig.dynapsim()` replays Rockpool.

    Returns:
        The new state, and the spikes in the state's dtype: 0 or 1 (a count with `DPIConfig.dynapsim()`).

    Raises:
        DTypeError: `inputs` are not for the gates of the state; and what `advance` refuses, alike.

    >>> from snnjax import functional as F
    >>> params = F.DynapseParams()
    >>> state, spikes = F.dynapse_dpi_step(params, F.dynapse_dpi_init(params, (2,)), 5000.0, dt=1e-3)
    >>> spikes.tolist(), state.steps_left.tolist()
    ([1.0, 1.0], [1, 1])
    """
    config = DPIConfig() if config is None else config

    def move(params: Any, state: Any, inputs: Any, dt: Any, config: DPIConfig) -> tuple[Any, jax.Array]:
        _check_gates(inputs, state.isyn)
        return config.dynamics(params, state, inputs, dt, config)

    return take_step(move, params, state, inputs, dt, config)


def _check_gates(inputs: Any, isyn: Any) -> None:
    """Each gate of the state has its input, and each input its gate."""
    given, there = _gates(inputs), _gates(isyn)
    if given != there:
        text = f"`inputs` must be {there}, as the state is; got {given}. Make the state with `dynapse_dpi_init(params, inputs=...)`."
        raise DTypeError(text, where="dynapse_dpi_step", field="inputs", value=given, allowed=there)


def _gates(value: Any) -> str:
    present = [name for name, x in value._asdict().items() if x is not None] if isinstance(value, Gates) else None
    return "one array" if present is None else f"`Gates` of {' and '.join(present) or 'nothing'}"


dynapse_dpi = Neuron("dynapse_dpi", DynapseParams, dynapse_dpi_init, dynapse_dpi_step, config=DPIConfig, gates=Gates)
