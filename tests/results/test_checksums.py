"""The checksum in a file that is read back."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from salience.results import Scores
from salience.results.checksums import ROOM, check, leave_room_in_zip, read_json, seal, with_room
from salience.results.storage import written_beside

VERSION = ("format", 2)


def sealed(path: Path, text: str) -> Path:
    with written_beside(path, sealed=True) as beside:
        beside.write_text(with_room(text), encoding="utf-8")
    return path


def test_it_is_sha256_of_the_file_with_zeros_in_place_of_it(tmp_path: Path) -> None:
    path = sealed(tmp_path / "a.json", '{"format": 2, "rows": [1, 2]}')
    text = path.read_text()
    mark, _, digits = json.loads(text)["checksum"].partition(":")
    assert mark == "salience-sha256"
    assert digits == hashlib.sha256(text.replace(digits, "0" * 64).encode()).hexdigest()
    assert read_json(path, version=VERSION) == {"format": 2, "rows": [1, 2]}


def test_any_changed_byte_is_noticed(tmp_path: Path) -> None:
    path = sealed(tmp_path / "a.json", '{"format": 2, "rows": [1, 2], "name": "x y"}')
    whole = path.read_bytes()
    for place in range(len(whole)):
        for bit in (1, 32):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
            with pytest.raises(ValueError, match=r"a\.json"):
                read_json(path, version=VERSION)


@pytest.mark.parametrize("kept", [0, 1, 50, -1, -60])
def test_a_part_of_a_file_is_refused(tmp_path: Path, kept: int) -> None:
    path = sealed(tmp_path / "a.json", '{"format": 2, "rows": [1, 2]}')
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"a\.json"):
        check(path)


def test_a_long_file_is_gone_through_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "long"
    half = b"x" * 1_500_000
    for before, after in ((half, half), (half, b""), (b"", half)):
        path.write_bytes(before + ROOM.encode() + after)
        seal(path)
        check(path)
        damaged = bytearray(path.read_bytes())
        damaged[0 if before else -1] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="damaged"):
            check(path)


def test_a_mark_across_two_pieces_is_found(tmp_path: Path) -> None:
    path = tmp_path / "long"
    for more in (1, 40, 79):
        path.write_bytes(b"x" * 10 + ROOM.encode() + b"y" * (2**20 - more))
        seal(path)
        check(path)


def test_the_last_room_counts(tmp_path: Path) -> None:
    path = tmp_path / "twice"
    path.write_text(f"{ROOM} in the data, {ROOM} in the footer")
    seal(path)
    check(path)
    assert path.read_text().startswith(ROOM)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"format": 2,\n "rows": [1,}', "line 2, column 1[23]"),
        ("[" * 100_000, "damaged"),
        ("[1]", "an object is expected"),
        ('{"a": 1}', "not written by salience"),
        ('{"format": 1}', r"older salience \(format 1, this one reads 2\); make it again"),
        ('{"format": 3}', "newer salience .*upgrade"),
        ('{"format": 2}', "no checksum"),
    ],
)
def test_json_says_what_is_wrong_where_and_what_to_do(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ValueError, match=f"a.json.*{said}"):
        read_json(tmp_path / "a.json", version=VERSION)


def test_bytes_that_are_no_text_have_their_place(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'{"a": "\xff"}')
    with pytest.raises(ValueError, match="byte 7 is not UTF-8"):
        read_json(tmp_path / "a.json")


def test_a_zip_has_it_in_its_comment(tmp_path: Path) -> None:
    import numpy as np

    path = tmp_path / "a.npz"
    np.savez(path, a=np.arange(3))
    leave_room_in_zip(path)
    seal(path)
    check(path)
    assert np.load(path)["a"].tolist() == [0, 1, 2]


def test_scores_that_are_damaged_are_refused(tmp_path: Path) -> None:
    """A flipped bit in the footer said `low` is better than `high`, or another name, and nobody noticed."""
    path = tmp_path / "s.parquet"
    Scores.from_values({"a": 1.0, "b": 0.5}).save(path)
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with pytest.raises(ValueError, match=r"s\.parquet"):
            Scores.load(path)
