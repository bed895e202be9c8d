"""What the tables of the benchmarks and of the reproductions say."""

from __future__ import annotations

import sys

import numpy as np
import polars as pl
import pytest
from benchmarks.harness import ERROR, HEADER, Row, alternate, attempt, markdown, watch
from benchmarks.scale_data import Wide
from reproductions.claims import Claim, interval
from reproductions.hashed_logistic import converged_loss, quick_loss, slots_of

from salience.data.generators import generate


def test_a_row_says_how_many_times_the_peer_takes() -> None:
    row = Row("count", 2.0, 5.0, "s", ">= 2x", True, "equal")
    assert row.cells()[1:6] == ["2 s", "5 s", "2.5x", ">= 2x", "holds"]


def test_a_limit_has_no_peer_and_no_ratio() -> None:
    cells = Row("memory", 0.5, None, "GiB", "<= 1", False, "-").cells()
    assert cells[2:4] == ["-", "-"]
    assert cells[5] == "does not hold"


def test_a_bar_in_a_cell_does_not_break_the_table() -> None:
    table = markdown([Row("a | b", 1.0, None, "s", "", None, "")])
    assert {line.count("|") for line in table.splitlines()} == {len(HEADER) + 1}


def test_medians_are_of_what_each_side_measured() -> None:
    ours, peer = iter([1.0, 9.0, 2.0]), iter([4.0, 5.0, 60.0])
    assert alternate(lambda: next(ours), lambda: next(peer), runs=3) == (2.0, 5.0)


def test_an_error_becomes_a_row_and_keeps_those_before() -> None:
    def measure():
        yield Row("first", 1.0, None, "s", "", True, "")
        raise RuntimeError("no peer")

    rows = list(attempt("second", measure))
    assert [row.name for row in rows] == ["first", "second"]
    assert rows[1].equal == ERROR
    assert "no peer" in rows[1].note


def test_memory_counts_the_children_of_a_command() -> None:
    child = "import time; x = bytearray(80_000_000); time.sleep(0.6)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    done = watch([sys.executable, "-c", parent])
    assert done.code == 0
    assert done.peak > 80_000_000


def test_the_scale_data_has_its_informative_columns() -> None:
    recipe = Wide(columns=20, largest=50)
    planted = generate(recipe, 4000)
    rates = {name: planted.frame.group_by(name).agg(pl.col(recipe.label).mean()) for name in planted.features}
    spread = {name: rate[recipe.label].std() for name, rate in rates.items()}
    assert min(spread[name] for name in planted.singles) > 3 * spread["c001"]


@pytest.mark.parametrize(
    ("values", "verdict"),
    [([0.95, 0.96, 0.97], "holds"), ([0.1, 0.2, 0.1], "does not hold"), ([0.8, 1.0, 0.9], "undecided")],
)
def test_a_mean_is_judged_by_its_interval(values: list[float], verdict: str) -> None:
    assert Claim.mean("share", values, least=0.9).verdict == verdict


def test_equal_values_have_an_interval_of_no_width() -> None:
    assert interval([0.5] * 5) == (0.5, 0.5)


def test_an_interval_needs_two_seeds() -> None:
    with pytest.raises(ValueError, match="two seeds"):
        interval([0.5])


def test_both_logistic_models_learn_a_hashed_value_and_not_noise() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 20, 6000)
    y = (rng.random(6000) < np.where(codes % 2, 0.8, 0.2)).astype(np.int64)
    said = slots_of(codes, 1, 12)[None]
    noise = slots_of(rng.integers(0, 20, 6000), 2, 12)[None]
    entropy = float(-(0.8 * np.log(0.8) + 0.2 * np.log(0.2)))
    for slots, low, high in ((said, entropy - 0.03, entropy + 0.03), (noise, 0.68, 0.72)):
        fit, test = slots[:, :4000], slots[:, 4000:]
        assert low < quick_loss(fit, y[:4000], test, y[4000:], 12, 3, 0.2) < high
        assert low < converged_loss(fit, y[:4000], test, y[4000:], 1.0) < high
