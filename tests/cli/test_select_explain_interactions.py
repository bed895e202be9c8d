"""``select``, ``explain`` and ``interactions``: on small files whose truth is planted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from salience.cli.select import share_of
from salience.results import Scores
from salience.runs import Run

pytest_plugins = ["calling"]  # the fixture `call`


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """500 rows: ``a`` and ``b`` decide together, ``town`` alone a little, ``n0`` to ``n2`` are noise."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 5))
    town = rng.integers(0, 3, 500)
    y = (x[:, 0] * 2 + x[:, 1] + (town == 0) + 0.3 * rng.normal(size=500)) > 0.5
    path = tmp_path_factory.mktemp("choose") / "table.csv"
    names = ["a", "b", "n0", "n1", "n2"]
    pl.DataFrame(
        {
            **{n: x[:, i] for i, n in enumerate(names)},
            "town": [f"t{t}" for t in town],
            "y": np.where(y, "yes", "no"),
        }
    ).write_csv(path)
    return path


@pytest.mark.parametrize("method", ["mi", "scad", "mcp", "l1"])
def test_select_keeps_the_planted_columns(call, table: Path, method: str) -> None:
    result = call("select", table, "-t", "y", "--method", method, "--keep", "2")
    assert result.exit_code == 0, result.stderr
    kept = Scores.load("runs/table/scores.parquet").frame.filter("kept")["column"].to_list()
    assert sorted(kept) == ["a", "b"]
    assert Path("runs/table/report.html").stat().st_size < 2_000_000


def test_select_writes_the_kept_columns(call, table: Path) -> None:
    assert call("select", table, "-t", "y", "-k", "2", "--kept", "kept.parquet").exit_code == 0
    assert set(pl.read_parquet("kept.parquet").columns) == {"a", "b", "y"}


def test_select_is_verified_inside_splits(call, table: Path) -> None:
    assert call("select", table, "-t", "y").exit_code == 0
    result = call("verify", "runs/table", "--rows", "400", "--json")
    assert result.exit_code == 0, result.stderr
    found = {row["check"]: row["verdict"] for row in json.loads(result.stdout)["checks"]}
    assert found["retention"] == "holds"


@pytest.mark.parametrize(("keep", "share"), [("40%", 0.4), ("0.4", 0.4), ("2", 0.2), ("100", 1.0)])
def test_keep_is_a_share_or_a_number(keep: str, share: float) -> None:
    assert share_of(keep, 10) == pytest.approx(share)


@pytest.mark.parametrize("keep", ["0", "0%", "1.5", "half", "-1"])
def test_a_keep_that_means_nothing_is_refused(keep: str) -> None:
    with pytest.raises(ValueError, match="--keep"):
        share_of(keep, 10)


def test_an_unknown_method_lists_those_there_are(call, table: Path) -> None:
    result = call("select", table, "-t", "y", "--method", "magic")
    assert result.exit_code == 2
    assert "mi, kan, quick, scad, mcp, l1" in result.stderr


def test_explain_names_the_columns_of_the_row(call, table: Path) -> None:
    result = call("explain", table, "-t", "y", "--row", "3", "--model", "logistic")
    assert result.exit_code == 0, result.stderr
    scores = Run.open("runs/table").scores
    row = pl.read_csv(table).row(3, named=True)
    here = dict(scores.frame.select("column", "here").rows())
    assert float(here["a"]) == pytest.approx(row["a"])
    assert here["town"] == row["town"]
    assert scores.better == "abs"
    assert Path("runs/table/parliament.svg").read_text().count("<svg") == 1


def test_explain_says_what_would_turn_the_prediction(call, table: Path) -> None:
    assert call("explain", table, "-t", "y", "--suggest-actions", "actions.toml").exit_code == 0
    rows = pl.read_csv(table)
    denied = int((rows["a"] * 2 + rows["b"]).arg_min())
    result = call(
        "explain", table, "-t", "y", "--row", str(denied), "--model", "logistic", "--actions", "actions.toml"
    )
    assert result.exit_code == 0, result.stderr
    assert "a: up from" in Path("runs/table/reasons.txt").read_text() or "together" in result.stdout
    assert Run.open("runs/table").read_scores("responsiveness") is not None


def test_an_explanation_is_verified_on_other_rows(call, table: Path) -> None:
    assert call("explain", table, "-t", "y", "--model", "logistic").exit_code == 0
    result = call("verify", "runs/table", "--json")
    assert result.exit_code == 0, result.stderr
    found = {row["check"]: row["verdict"] for row in json.loads(result.stdout)["checks"]}
    assert found["fidelity"] == "holds"


def test_a_row_that_is_not_there_is_named(call, table: Path) -> None:
    result = call("explain", table, "-t", "y", "--row", "500")
    assert result.exit_code == 2
    assert "no row 500" in result.stderr


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``y`` is the product of ``a`` and ``b``."""
    x = np.random.default_rng(0).normal(size=(600, 4))
    path = tmp_path_factory.mktemp("pairs") / "product.csv"
    pl.DataFrame({**{n: x[:, i] for i, n in enumerate("abcd")}, "y": x[:, 0] * x[:, 1]}).write_csv(path)
    return path


def test_interactions_find_the_pair_and_survive_their_controls(call, product: Path) -> None:
    result = call("interactions", product, "-t", "y", "--delta", "0.5", "--shuffles", "3")
    assert result.exit_code == 0, result.stderr
    run = Run.open("runs/product")
    assert run.scores.top(1).items == [("a", "b")]
    assert "a and b interact most, each works through the other" in result.stdout
    assert {p["file"] for p in run.info["pictures"]} == {"swarm.svg", "halo.svg"}
    judged = call("verify", "runs/product", "--json")
    assert judged.exit_code == 0, judged.stderr
    verdict = json.loads(judged.stdout)
    assert verdict["overall"] == "holds"
    assert [row["verdict"] for row in verdict["controls"]] == ["fails"]
