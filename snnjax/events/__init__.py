"""Events and signals on a clock: records of spikes, rasters, files, encoders, decoders, precise times.

Two kinds of function are here. What has to do with recordings (`Events`, rasters, signals on a grid, files) works on
NumPy arrays, outside `jit`. Encoders, decoders and spike times inside a step are pure functions of JAX, for `jit`, `vmap`
and `grad`.
"""

from ._decode import decode_exponential, decode_first_spike, decode_rate
from ._delta import Delta, decode_delta, encode_delta
from ._edit import concatenate, merge, remap, shift, window
from ._encode import encode_latency, encode_poisson, encode_population, encode_rate
from ._files import load, save
from ._precise import spike_time_cubic, spike_time_decaying, spike_time_held, spike_time_linear
from ._raster import to_events, to_raster
from ._record import Events
from ._signals import interpolate, sample_hold

__all__ = [
    "Delta",
    "Events",
    "concatenate",
    "decode_delta",
    "decode_exponential",
    "decode_first_spike",
    "decode_rate",
    "encode_delta",
    "encode_latency",
    "encode_poisson",
    "encode_population",
    "encode_rate",
    "interpolate",
    "load",
    "merge",
    "remap",
    "sample_hold",
    "save",
    "shift",
    "spike_time_cubic",
    "spike_time_decaying",
    "spike_time_held",
    "spike_time_linear",
    "to_events",
    "to_raster",
    "window",
]
