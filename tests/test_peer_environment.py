"""The peer's side of a benchmark: an .npz file in, one JSON object out."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from benchmarks import peer_environment as peers

BINARIES = Path(sys.executable).parent
SUMS = """
import json, os, sys
import numpy as np
with np.load(sys.argv[1]) as given:
    X = given["X"]
print("a message of the peer")
print(json.dumps({"sums": X.sum(axis=0).tolist(), "given": sys.argv[2:], "threads": os.environ["OMP_NUM_THREADS"]}))
print("a warning at exit", file=sys.stderr)
"""


@pytest.fixture
def scripts(tmp_path, monkeypatch):
    monkeypatch.setattr(peers, "PEERS", tmp_path)
    return tmp_path


def test_a_peer_gets_arrays_and_arguments_and_gives_its_numbers_and_its_memory(scripts):
    (scripts / "numpy.py").write_text(SUMS)  # of the name of what it imports
    found = peers.run_peer(BINARIES, "numpy", {"X": np.eye(3)}, "fast", threads=1)
    assert (found["sums"], found["given"], found["threads"]) == ([1.0, 1.0, 1.0], ["fast"], "1")
    assert found["peak_bytes"] > 0


@pytest.mark.parametrize(
    ("code", "match"), [("raise SystemExit('broken')", "broken"), ("print(1)", "no JSON object")]
)
def test_a_peer_that_fails_or_says_nothing_is_an_error_with_its_words(scripts, code, match):
    (scripts / "bad.py").write_text(code)
    with pytest.raises(RuntimeError, match=match):
        peers.run_peer(BINARIES, "bad", {"X": np.eye(1)})
