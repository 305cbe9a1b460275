"""All cores of a CPU: JAX is asked for as many CPU devices, before it starts.

XLA runs a loop of small elementwise steps on one core of a device. With a device for each core, a large population is cut
into pieces that run side by side.
"""

from __future__ import annotations

import os
import re

from ._errors import ConfigError, ParameterError

_MOST = 2**12
_BY_FLAG = re.compile(r"--xla_force_host_platform_device_count=(\d+)")
_asked = 1


def use_all_cores(devices: int | None = None) -> int:
    """Let `simulate` use all cores of the CPU; to be called before the first operation of JAX.

    JAX is asked for one CPU device per core. From then on large populations of `F.simulate`, of somas and of IAF layers are
    spread over them: forward, gradients, and inside `jit`. What comes out lies on several devices; that shows in its
    `sharding`, and in nothing else. Small populations and those whose neurons are coupled stay on one device.

    Calling it again with the same number does nothing. Arrays that were committed to one device (`jax.device_put(x, device)`)
    stay there, and cannot go into a `jit` that spreads a population. To lay out arrays over CPU devices yourself, do not call
    this, but `jax.config.update("jax_num_cpu_devices", n)`.

    Args:
        devices: how many; by default as many as cores that this process may use.

    Returns:
        The number of CPU devices.

    Raises:
        ParameterError: `devices` is not a positive integer.
        ConfigError: JAX runs already with another number of CPU devices, or `XLA_FLAGS` asks for another one.

    >>> import snnjax
    >>> snnjax.use_all_cores(0)
    Traceback (most recent call last):
    ...
    snnjax._errors.ParameterError: `devices` must be a whole number from 1 to 4096, or None for one per core; got 0.
    """
    global _asked
    wanted = _cores() if devices is None else _checked(devices)
    _ask(wanted)
    _asked = wanted
    return wanted


def cores_in_use() -> int:
    """The number of devices that `use_all_cores` asked for; 1 without it."""
    return _asked


def _cores() -> int:
    """Cores that this process may use: fewer than there are where it is bound to some of them."""
    bound = getattr(os, "sched_getaffinity", None)
    return len(bound(0)) if bound else os.cpu_count() or 1


def _checked(devices: int) -> int:
    if isinstance(devices, bool) or not isinstance(devices, int) or not 1 <= devices <= _MOST:
        raise ParameterError(
            f"`devices` must be a whole number from 1 to {_MOST}, or None for one per core; got {devices!r}.",
            where="use_all_cores",
            field="devices",
            value=devices,
            allowed=f"1 to {_MOST}, None",
        )
    return devices


def _ask(wanted: int) -> None:
    import jax

    flag = _BY_FLAG.findall(os.environ.get("XLA_FLAGS", ""))
    if flag:
        # JAX refuses to be told twice, when it starts; the flag is enough.
        if int(flag[-1]) != wanted:
            _refuse(f"`XLA_FLAGS` asks for {flag[-1]} CPU devices, and `use_all_cores` for {wanted}. Leave one of them out.", wanted)
        return
    try:
        jax.config.update("jax_num_cpu_devices", wanted)
    except RuntimeError:
        # JAX has started. A process with one core and one device has nothing to ask for.
        found = len(jax.local_devices(backend="cpu"))
        if found != wanted:
            _refuse(
                f"`use_all_cores` must come before the first operation of JAX: it runs already, with {found} CPU "
                f"{'device' if found == 1 else 'devices'} instead of {wanted}. Call it at the beginning of the program, "
                "right after the imports, or set JAX_NUM_CPU_DEVICES outside.",
                wanted,
            )


def _refuse(text: str, wanted: int) -> None:
    raise ConfigError(text, where="use_all_cores", field="devices", value=wanted, allowed="the number of devices that JAX has")
