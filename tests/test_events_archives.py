"""Archives that mean harm: refused for what is wrong with them, before anything is allocated or run."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import snnjax
from snnjax import events
from snnjax.events import Events

GOOD = {
    "snnjax_events": np.int64(1),
    "times": np.array([0.1]),
    "channels": np.int32([0]),
    "channel_count": np.int64(-1),
    "duration": np.float64(-1),
}


class Trap:
    """Unpickled, it would leave a mark."""

    sprung: list[int] = []

    def __reduce__(self) -> Any:
        return Trap.sprung.append, (1,)


def npz(**arrays: Any) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def with_member(name: str, content: bytes, kind: int = zipfile.ZIP_STORED) -> bytes:
    """The example's file with other bytes in one of its members."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", kind) as archive:
        for other, value in GOOD.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.asarray(value), version=(1, 0))
            archive.writestr(f"{other}.npy", content if other == name else member.getvalue())
    return stream.getvalue()


def npy(descr: str, shape: str, data: bytes = b"", order: str = "False") -> bytes:
    header = f"{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data


HOSTILE: dict[str, tuple[bytes, str]] = {
    "foreign": (
        npz(times=np.array([0.1]), channels=np.int32([0])),
        r"lacks snnjax_events, channel_count, duration, so it is no file of events\. Read a file",
    ),
    "positional": (npz(arr_0=np.ones(3)), r"holds 'arr_0\.npy', which is not in a file of events"),
    "extra": (npz(**GOOD, weights=np.ones(3)), r"holds 'weights\.npy'"),
    "missing": (npz(**{name: value for name, value in GOOD.items() if name != "channels"}), "lacks channels, so"),
    "newer": (npz(**{**GOOD, "snnjax_events": np.int64(2)}), "has format version 2 of events; this snnjax reads 1 to 1. Install a newer"),
    "objects": (npz(**{**GOOD, "times": np.array([Trap()], object)}), r"array 'times' of dtype '\|O'; .* Nothing else is read, objects"),
    "strings": (npz(**{**GOOD, "times": np.array(["0.1"])}), "array 'times' of dtype '<U3'"),
    "integers": (npz(**{**GOOD, "times": np.array([1])}), "array 'times' of dtype '<i8'"),
    "big-endian": (npz(**{**GOOD, "times": np.array([0.1], ">f8")}), "array 'times' of dtype '>f8'"),
    "two axes": (npz(**{**GOOD, "times": np.array([[0.1]])}), r"array 'times' of another shape than \(n,\)"),
    "scalar": (npz(**{**GOOD, "times": np.float64(0.1)}), r"array 'times' of another shape"),
    "huge": (
        with_member("times", npy("<f8", "(1000000000000,)", bytes(8))),
        r"claims 1000000000000 entries in array 'times', but has 8 bytes",
    ),
    "short": (with_member("times", npy("<f8", "(2,)", bytes(8))), "claims 2 entries in array 'times', but has 8 bytes for them, not 16"),
    "long": (with_member("times", npy("<f8", "(1,)", bytes(16))), "claims 1 entries in array 'times', but has 16 bytes"),
    "negative": (with_member("times", npy("<f8", "(-1,)")), "has no valid array 'times'"),
    "code": (with_member("times", npy("<f8", "(__import__('os').getpid(),)", bytes(8))), "has no valid array 'times'"),
    "record": (with_member("times", npy("<f8', 'x': '", "(1,)", bytes(8))), "has no valid array 'times'"),
    "no array": (with_member("times", b"0.1"), "has no valid array 'times'"),
    "version 2": (with_member("times", b"\x93NUMPY\x02\x00" + bytes(20)), "has no valid array 'times'"),
    "bomb": (
        with_member("times", npy("<f8", "(2500000,)", bytes(20_000_000)), zipfile.ZIP_DEFLATED),
        "compressed; `events.save` stores arrays",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused_and_nothing_runs(tmp_path: Path, name: str) -> None:
    content, text = HOSTILE[name]
    (tmp_path / "x.npz").write_bytes(content)
    tracemalloc.start()
    with pytest.raises(snnjax.FormatError, match=text) as caught:
        events.load(tmp_path / "x.npz")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * len(content) + 5e6 and Trap.sprung == []
    assert caught.value.field == "path" and caught.value.value == str(tmp_path / "x.npz")


def test_an_archive_of_no_valid_events_is_refused_with_their_field(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(npz(**{**GOOD, "times": np.array([0.2, 0.1]), "channels": np.int32([0, 0])}))
    with pytest.raises(snnjax.FormatError, match="holds no valid events: `times` must be in order; got 0.1 at index 1") as caught:
        events.load(tmp_path / "x.npz")
    assert caught.value.field == "times" and caught.value.value == 0.1


def test_the_archives_are_refused_for_what_is_wrong_with_them_alone(tmp_path: Path) -> None:
    for content in (npz(**GOOD), with_member("", b"")):
        (tmp_path / "x.npz").write_bytes(content)
        assert events.load(tmp_path / "x.npz") == Events([0.1], [0])


def test_a_name_that_is_twice_in_an_archive_is_refused(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        for _ in range(2):
            archive.writestr("times.npy", npy("<f8", "(0,)"))
    with pytest.raises(snnjax.FormatError, match="once each"):
        events.load(tmp_path / "x.npz")
