"""Files of events: exact, whole or refused, and nothing believed or run that a file says."""

from __future__ import annotations

import hashlib
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from conftest import examples
from hypothesis import given
from hypothesis import strategies as st

import snnjax
from snnjax import events
from snnjax.events import Events

EXAMPLES = {
    "full": Events([0.1, 0.2, 0.2, 0.5], [3, 0, 1, 0], channel_count=4, duration=1.0),
    "bare": Events([0.1, 1 / 3], [2**31 - 1, 0]),
    "empty": Events([], [], channel_count=0, duration=0.0),
    "float32": Events(np.float32([0.1, 1 / 3]), [0, 1], duration=1 / 3 + 1e-3),
    "extreme": Events([5e-324, 1e-300, 1.7976931348623157e308], [0, 0, 0]),
}
endings = pytest.mark.parametrize("ending", [".npz", ".csv"])


@pytest.fixture(params=[".npz", ".csv"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / f"events{request.param}"
    events.save(path, EXAMPLES["full"])
    return path


@endings
@pytest.mark.parametrize("name", EXAMPLES)
def test_what_is_loaded_is_what_was_saved(tmp_path: Path, ending: str, name: str) -> None:
    events.save(tmp_path / f"x{ending}", EXAMPLES[name])
    found = events.load(str(tmp_path / f"x{ending}"))
    assert found == EXAMPLES[name] and found.times.tobytes() == EXAMPLES[name].times.tobytes()


@given(st.lists(st.floats(0.0, 1e6), max_size=20), st.sampled_from([".npz", ".csv"]), st.booleans(), st.integers(0, 2**31 - 1))
@examples(100)
def test_every_digit_comes_back(
    tmp_path_factory: pytest.TempPathFactory, times: list[float], ending: str, wide: bool, channel: int
) -> None:
    path = tmp_path_factory.mktemp("events") / f"x{ending}"
    record = Events(np.sort(np.array(times, np.float64 if wide else np.float32)), np.full(len(times), channel))
    events.save(path, record)
    assert events.load(path) == record


def test_equal_events_give_equal_files(path: Path, tmp_path: Path) -> None:
    again = tmp_path / f"again{path.suffix}"
    events.save(again, EXAMPLES["full"])
    assert again.read_bytes() == path.read_bytes()


def test_numpy_reads_the_arrays(tmp_path: Path) -> None:
    events.save(tmp_path / "x.npz", EXAMPLES["full"])
    with np.load(tmp_path / "x.npz", allow_pickle=False) as file:
        assert set(file) == {"snnjax_events", "times", "channels", "channel_count", "duration"}
        assert file["times"].tolist() == [0.1, 0.2, 0.2, 0.5] and file["channels"].tolist() == [3, 0, 1, 0]


def test_the_text_is_plain(tmp_path: Path) -> None:
    events.save(tmp_path / "x.csv", EXAMPLES["full"])
    head, _, rows = (tmp_path / "x.csv").read_text().partition("time,channel\n")
    assert rows == "0.1,3\n0.2,0\n0.2,1\n0.5,0\n"
    head, _, digest = head.partition("# sha256 = ")
    assert head == "# snnjax events 1\n# events = 4\n# dtype = float64\n# channel_count = 4\n# duration = 1.0\n"
    assert digest.strip() == hashlib.sha256((head + "time,channel\n" + rows).encode()).hexdigest()


def test_a_changed_digit_in_a_text_is_noticed_and_a_meant_change_has_a_way(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    events.save(path, EXAMPLES["full"])
    changed = path.read_text().replace("0.5,0", "0.6,0")
    path.write_text(changed)
    with pytest.raises(snnjax.FormatError, match="is damaged or was edited: its SHA-256 is not .* delete the lines that begin with `#`"):
        events.load(path)
    path.write_text(changed[changed.index("time,channel") :])
    assert events.load(path).times[-1] == 0.6


def test_line_ends_of_another_system_are_no_change(tmp_path: Path) -> None:
    events.save(tmp_path / "x.csv", EXAMPLES["full"])
    (tmp_path / "x.csv").write_bytes(b"\xef\xbb\xbf" + (tmp_path / "x.csv").read_bytes().replace(b"\n", b"\r\n"))
    assert events.load(tmp_path / "x.csv") == EXAMPLES["full"]


@pytest.mark.parametrize("text", ["time,channel\n0.1,3\n.5,0\n", "time,channel\r\n1e-1,3\r\n5.E-1,0", "\ufefftime,channel\n+0.1,3\n0.5,0"])
def test_two_columns_of_another_program_are_enough(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.csv").write_bytes(text.encode())
    assert events.load(tmp_path / "x.csv") == Events([0.1, 0.5], [3, 0])


def test_a_file_is_replaced_as_a_whole(path: Path) -> None:
    events.save(path, EXAMPLES["bare"])
    assert events.load(path) == EXAMPLES["bare"]
    assert os.listdir(path.parent) == [path.name]


def test_every_truncation_is_refused(path: Path) -> None:
    data = path.read_bytes()
    for length in range(0, len(data), 5 if path.suffix == ".npz" else 1):
        path.write_bytes(data[:length])
        with pytest.raises(snnjax.FormatError):
            events.load(path)


def refusals_among(flips: np.ndarray, path: Path) -> int:
    """How many single flipped bits are refused; all others must leave the same events."""
    events.save(path, EXAMPLES["full"])
    data = path.read_bytes()
    refused = 0
    for place in flips[flips < 8 * len(data)]:
        k, bit = divmod(int(place), 8)
        path.write_bytes(data[:k] + bytes([data[k] ^ (1 << bit)]) + data[k + 1 :])
        try:
            assert events.load(path) == EXAMPLES["full"], (k, bit)
        except snnjax.FormatError:
            refused += 1
    return refused


def test_a_flipped_bit_is_refused_or_changes_nothing(tmp_path: Path) -> None:
    assert refusals_among(np.random.default_rng(0).permutation(8 * 1500)[:1000], tmp_path / "x.npz") > 500


@pytest.mark.long
def test_every_flipped_bit_is_refused_or_changes_nothing(tmp_path: Path) -> None:
    assert refusals_among(np.arange(8 * 2000), tmp_path / "x.npz") > 6000


def test_bytes_of_any_kind_are_refused_with_a_sentence(path: Path) -> None:
    rng = np.random.default_rng(0)
    data = path.read_bytes()
    foreign = [
        b"",
        b"abc",
        b"PK\x03\x04" + bytes(60),
        b"PK\x05\x06" + bytes(18),
        b"\x89HDF\r\n\x1a\n" + bytes(90),
        pickle.dumps([1.0]),
        b"\xff\xfe\x00",
    ]
    for _ in range(500):
        changed = bytearray(data)
        for _ in range(rng.integers(1, 6)):
            changed[rng.integers(len(data))] = rng.integers(256)
        foreign.append(bytes(changed))
    for content in foreign:
        path.write_bytes(content)
        try:
            events.load(path)
        except snnjax.FormatError as error:
            assert str(path) in str(error) and error.field is not None
        else:
            assert content not in foreign[:7]


OURS = "# snnjax events 1\n# events = 1\n# dtype = float64\ntime,channel\n0.1,0\n"
TEXTS: dict[str, tuple[str, str]] = {
    "no header": ("0.1,3\n", r"must have the columns `time,channel` in line 1, times in seconds; got '0\.1,3'"),
    "other columns": ("t_ms,unit\n100,3\n", "must have the columns `time,channel`"),
    "empty": ("", "must have the columns `time,channel` in line 1"),
    "comments alone": ("# snnjax events 1\n", r"must have the columns `time,channel` in line 2, times in seconds; got ''"),
    "three columns": ("time,channel\n0.1,3,5\n", r"has no `time,channel`, .* in line 2: '0\.1,3,5'"),
    "blank line": ("time,channel\n0.1,3\n\n0.2,3\n", "in line 3: ''"),
    "words": ("time,channel\nnow,3\n", "in line 2: 'now,3'"),
    "underscore": ("time,channel\n1_0,3\n", "in line 2"),
    "fraction of a channel": ("time,channel\n0.1,3.0\n", "in line 2"),
    "other digits": ("time,channel\n\u0661,3\n", "in line 2"),
    "nan": ("time,channel\nnan,3\n", "in line 2"),
    "long": ("time,channel\n0.1," + "9" * 100_000 + "\n", "in line 2"),
    "newer": (OURS.replace("events 1", "events 2", 1), "has format version '2' of events; this snnjax reads 1"),
    "fewer": (OURS.replace("0.1,0\n", ""), "has 0 rows, not as many as it says"),
    "more": (OURS + "0.2,0\n", "has 2 rows, not as many as it says"),
    "cut": (OURS[:-1], "is truncated: its last line does not end"),
    "unknown comment": (OURS.replace("dtype", "weight"), "has a comment in line 3 that does not belong there"),
    "comment twice": (OURS.replace("time,", "# dtype = float64\ntime,"), "has a comment in line 4"),
    "other dtype": (OURS.replace("float64", "float16"), "has no valid dtype in line 3: 'float16'"),
    "no checksum": (OURS, "has no SHA-256. Load another copy; if the change was meant"),
    "count": (OURS.replace("= 1", "= 1.5"), r"has no valid events in line 2: '1\.5'"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_that_is_no_table_of_events_is_refused_with_the_line(tmp_path: Path, name: str) -> None:
    content, text = TEXTS[name]
    (tmp_path / "x.csv").write_text(content, encoding="utf-8")
    with pytest.raises(snnjax.FormatError, match=text):
        events.load(tmp_path / "x.csv")


def test_a_text_of_no_valid_events_is_refused_with_their_field(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("time,channel\n0.2,0\n0.1,0\n")
    with pytest.raises(snnjax.FormatError, match="holds no valid events: `times` must be in order; got 0.1 at index 1") as caught:
        events.load(tmp_path / "x.csv")
    assert caught.value.field == "times" and caught.value.value == 0.1


def test_a_larger_file_than_allowed_is_not_read(path: Path) -> None:
    with pytest.raises(snnjax.FormatError, match="more than the 20 of `max_bytes`"):
        events.load(path, max_bytes=20)
    assert events.load(path, max_bytes=path.stat().st_size) == EXAMPLES["full"]


def test_a_pipe_or_a_folder_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.csv")
    (tmp_path / "x.npz").mkdir()
    for ending in (".csv", ".npz"):
        with pytest.raises(snnjax.FormatError, match="is not a regular file"):
            events.load(tmp_path / f"x{ending}")
    with pytest.raises(FileNotFoundError):
        events.load(tmp_path / "none.npz")


def test_other_endings_are_refused() -> None:
    for refused in (lambda: events.save("x.npy", EXAMPLES["full"]), lambda: events.load("x.npy")):
        with pytest.raises(snnjax.ConfigError, match=r"`path` must end in \.npz or \.csv; got 'x\.npy'\. Did you mean `\.npz`\?") as caught:
            refused()
        assert caught.value.field == "path" and caught.value.value == "x.npy"
