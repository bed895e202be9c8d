"""The search for a model: it adds what saves log loss, counts its fits, and says what it cannot read."""

import numpy as np
import polars as pl
import pytest

from salience.tabular.streaming.forward import ForwardSearch, shortlist


@pytest.fixture(scope="module")
def frame():
    """An exclusive or of two columns beside noise."""
    rng = np.random.default_rng(0)
    data = {name: rng.integers(0, 4, 4000) for name in ("a", "b", "c", "d")}
    label = ((data["a"] + data["b"]) % 2) ^ (rng.random(4000) < 0.1)
    return pl.DataFrame({**data, "y": label.astype(int)})


def test_the_pair_is_found_and_nothing_is_added_to_it_for_nothing(frame):
    everything = [("a",), ("b",), ("c",), ("d",), ("a", "b"), ("c", "d")]
    found = ForwardSearch(frame, "y", bits=12).run(everything, steps=1)
    assert found.chosen == (("a", "b"),)
    assert found.fits == 6
    assert found.loss < 0.4 < np.log(2)


def test_it_stops_when_nothing_saves(frame):
    search = ForwardSearch(frame, "y", bits=12)
    candidates = [("a", "b"), ("b", "a"), ("c", "d")]
    found = search.run(candidates, steps=9)
    assert set(found.chosen[0]) == {"a", "b"}
    assert ("c", "d") not in found.chosen
    assert found == search.run(candidates, steps=9)
    with pytest.raises(ValueError, match="a column or a pair"):
        search.run([("a", "b", "c")], steps=1)


def test_the_shortlist_has_the_pair_that_says_most_together(frame):
    listed = shortlist(frame, "y", singles=2, pairs=1)
    assert len(listed) == 3
    assert set(listed[-1]) == {"a", "b"}


@pytest.mark.parametrize("wrong", [[-1] * 10, [9000] * 10])
def test_codes_out_of_range_are_named(wrong):
    with pytest.raises(ValueError, match="'a' must hold integers from 0 to 8191"):
        ForwardSearch(pl.DataFrame({"a": wrong, "y": [0, 1] * 5}), "y")
