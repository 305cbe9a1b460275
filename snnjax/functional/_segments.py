"""How a long run is cut for its gradient: into segments, and very long ones into segments of segments.

With segments of `s` out of `T` steps a gradient keeps `T / s` states and what `s` steps leave behind: both are few at
`s = sqrt(T)`. Two levels, segments of about `T**(2/3)` and inside them of `T**(1/3)`, keep about twice `T**(1/3)` states,
and so on; but each level takes one more evaluation of every step. So there are as few levels as will do.
"""

from __future__ import annotations

import math

SHORT = 64  # steps; a gradient over fewer is one segment
_ENOUGH_BYTES = 64 * 2**20
_MOST_LEVELS = 4
_STATES_LEFT = 5  # states that fill what a step leaves behind; measured: 2 (LIF) to 5 (adaptation currents)


def auto_segments(length: int, state: int = 0, stacked: int = 0) -> tuple[int, ...]:
    """The lengths of segments used by default, outermost first; () is a plain loop.

    Args:
        length: number of steps.
        state: bytes of the state.
        stacked: bytes of the inputs and the recorded outputs of a step.

    >>> auto_segments(50), auto_segments(500), auto_segments(1009)
    ((), (20,), (31,))
    >>> auto_segments(1_000_000, state=2**15), auto_segments(1_000_000, state=2**18)
    ((10000, 100), (31250, 1250, 25))
    """
    if length <= SHORT:
        return ()
    # In a longer segment its inputs and outputs fill more than the states between such segments.
    longest = math.sqrt(length * state / stacked) if stacked else length
    segments, kept = (), math.inf
    for levels in range(1, _MOST_LEVELS + 1):
        deeper = _nested(length, levels, longest)
        less = kept_bytes(length, deeper, state, stacked)
        if less > kept / 2:  # not worth another evaluation
            break
        segments, kept = deeper, less
        if kept <= _ENOUGH_BYTES:
            break
    return segments


def kept_bytes(length: int, segments: tuple[int, ...], state: int, stacked: int = 0) -> int:
    """About what a gradient keeps at a time, beside the inputs and outputs of the run: at every level a state per segment and a
    segment's inputs and outputs, and what every step of one innermost segment leaves behind.

    >>> kept_bytes(10_000, (100,), state=1000), kept_bytes(10_000, (), state=1000)
    (600000, 50000000)
    """
    kept, steps = 0, length
    for segment in segments:
        kept += -(-steps // segment) * state + segment * stacked
        steps = segment
    return kept + steps * _STATES_LEFT * state


def _nested(length: int, levels: int, longest: float) -> tuple[int, ...]:
    """That many segments within each other, each about `length**(1 / (levels + 1))` times the next."""
    if not levels:
        return ()
    root = length ** (levels / (levels + 1))
    outermost = _divisor_near(length, root if levels == 1 else min(root, longest), levels)
    return (outermost, *_nested(outermost, levels - 1, longest))


def _divisor_near(length: int, root: float, levels: int) -> int:
    """The divisor of `length` nearest to `root`; where none is near, what leaves a short rest and has such divisors itself."""
    whole = max(int(root + 1e-9), 1)
    near = _near(length, whole, rest=0)
    if not near:
        near = [k for k in _near(length, whole, rest=SHORT) if levels == 1 or _near(k, int(k ** ((levels - 1) / levels)), rest=0)]
    return min(near, key=lambda k: abs(math.log(k / whole)), default=2 ** round(math.log2(whole)))


def _near(length: int, root: int, rest: int) -> list[int]:
    """The lengths between a quarter of `root` and four times `root` that leave at most `rest` of `length`."""
    return [k for k in range(max(root // 4, 1), 4 * root) if length % k <= rest]
