"""``shrink`` and ``index``: on small files whose truth is planted."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from salience.cli.shrink import share_kept
from salience.results import Scores
from salience.runs import Run

pytest_plugins = ["calling"]  # the fixture `call`
needs_torch = pytest.mark.skipif(not find_spec("torch"), reason="torch is not installed")


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """450 rows of three clear classes, every fifth label wrong."""
    rng = np.random.default_rng(0)
    y = np.arange(450) % 3
    x = rng.normal(size=(450, 5)) + 3.0 * np.eye(3, 5)[y]
    given = np.where(np.arange(450) % 5 == 0, (y + 1) % 3, y)
    path = tmp_path_factory.mktemp("shrink") / "noisy.csv"
    pl.DataFrame(x, schema=list("abcde")).with_columns(y=pl.Series([f"c{v}" for v in given])).write_csv(path)
    return path


@needs_torch
def test_shrink_keeps_a_share_of_each_class_and_hardly_a_wrong_label(call, noisy: Path) -> None:
    result = call(
        "shrink", noisy, "-t", "y", "--keep", "10%", "--rounds", 1, "--kept", "kept.csv", "--no-verify"
    )
    assert result.exit_code == 0, result.stderr
    scores = Scores.load("runs/noisy/scores.parquet").frame
    rows = scores.filter("kept")["row"].to_numpy()
    assert np.mean(rows % 5 == 0) <= 0.05
    kept = pl.read_csv("kept.csv")
    assert kept["y"].value_counts(sort=True)["count"].to_list() == [15, 15, 15]
    assert pl.read_parquet("runs/noisy/kept.parquet")["y"].to_list() == kept["y"].to_list()
    assert "The kept rows" in Path("runs/noisy/report.html").read_text()


@needs_torch
def test_shrink_is_judged_on_rows_held_out(call, noisy: Path) -> None:
    result = call("shrink", noisy, "-t", "y", "--keep", "10%", "--rounds", 1)
    assert result.exit_code == 0, result.stderr
    verdict = Run.open("runs/noisy").verdict
    check = verdict.named("retention")
    assert check.verdict in ("holds", "undecided")  # the best of 20 random rankings do as well on so few rows
    [row] = check.curve.rows(named=True)
    assert row["share"] > row["random"] + 0.05
    assert not [check for check in verdict if check.name in ("deletion", "leak")]


@needs_torch
def test_shrink_says_when_labels_carry_nothing(call, noisy: Path) -> None:
    frame = pl.read_csv(noisy)
    frame.with_columns(frame["y"].sample(fraction=1, shuffle=True, seed=3)).write_csv("shuffled.csv")
    result = call("shrink", "shuffled.csv", "-t", "y", "--rounds", 1)
    assert result.exit_code == 0, result.stderr
    assert "there is no verdict" in result.stderr
    assert Run.open("runs/shuffled").verdict is None


@pytest.mark.parametrize("keep", ["0", "5%%", "half", "120%", "-1"])
def test_a_share_that_is_none_is_refused_before_the_work(keep: str) -> None:
    with pytest.raises(ValueError, match="--keep"):
        share_kept(keep)


def test_a_graph_that_is_none_is_refused_before_the_work(call, noisy: Path) -> None:
    result = call("shrink", noisy, "-t", "y", "--graph", "full")
    assert result.exit_code == 2
    assert "--graph full: give one of minibatch, lsh" in result.stderr
    assert not Path("runs").exists()


@pytest.fixture(scope="module")
def cone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten clusters in a narrow cone: the inner product finds the longest rows, whatever is asked."""
    rng = np.random.default_rng(0)
    y = np.arange(600) % 10
    x = rng.normal(size=(10, 24))[y] + 0.25 * rng.normal(size=(600, 24))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    x[:, 0] += 20
    folder = tmp_path_factory.mktemp("index")
    np.save(folder / "cone.npy", x.astype(np.float32))
    np.save(folder / "y.npy", y)
    return folder


def test_index_finds_the_metric_that_loses_the_task(call, cone: Path) -> None:
    result = call("index", cone / "cone.npy", "--labels", cone / "y.npy", "--seeds", 2, "--n-queries", 100)
    assert result.exit_code == 0, result.stderr
    metrics = pl.read_parquet("runs/cone/metrics.parquet")
    value = dict(metrics.select("metric", "value").rows())
    assert value["l2"] > 0.95
    assert value["ip"] < 0.3
    assert "l2" in result.stdout
    scores = Scores.load("runs/cone/scores.parquet")
    assert (scores.keys, scores.item, len(scores)) == (("row",), "row", 600)
    assert Scores.load("runs/cone/configurations.parquet").keys == ("metric", "index", "params")
    verdict = Run.open("runs/cone").verdict
    assert {check.name for check in verdict} == {"recall", "insertion order", "metric"}
    funnel = pl.read_parquet("runs/cone/funnel.parquet")
    total = funnel.group_by("metric", "index", "params").agg(pl.col("loss").sum())
    assert total["loss"].is_between(-1e-9, 1 + 1e-9).all()
    assert Path("runs/cone/words.txt").read_text().strip()


def test_the_wrong_metric_gets_a_verdict_that_fails(call, cone: Path) -> None:
    arguments = ("--labels", cone / "y.npy", "--seeds", 1, "--n-queries", 100, "--metric", "ip", "--strict")
    assert call("index", cone / "cone.npy", *arguments).exit_code == 1
    assert Run.open("runs/cone").verdict.named("metric").verdict == "fails"


def test_index_without_labels_of_some_rows_of_a_table(call, cone: Path) -> None:
    X = np.load(cone / "cone.npy")
    pl.DataFrame({"id": range(len(X)), "vector": list(X)}).write_parquet("table.parquet")
    result = call("index", "table.parquet", "--rows", 300, "--seeds", 1, "--n-queries", 60, "--json")
    assert result.exit_code == 0, result.stderr
    assert {row["metric"] for row in json.loads(result.stdout)} == {"l2", "ip", "cosine"}
    assert "300 of 600 rows" in result.stderr
    assert Scores.load("runs/table/scores.parquet").frame["row"].max() > 300


def test_index_shows_orders_and_dimensions_for_more_answers_than_the_graph_is_wide(call, cone: Path) -> None:
    result = call("index", cone / "cone.npy", "-k", 50, "--seeds", 1, "--n-queries", 60)
    assert result.exit_code == 0, result.stderr
    assert "the intrinsic dimension around a row is" in result.stdout
    page = Path("runs/cone/report.html").read_text()
    assert "Recall by order of insertion" in page
    assert "Recall by the dimension around the query" in page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--labels", "few.npy"), "10 labels for 600 vectors"),
        (("--labels", "bad.npy"), "pickle"),
        (("--query-labels", "few.npy"), "give both"),
        (("--queries", "narrow.npy"), "dimensions"),
        (("--metric", "cos"), "--metric cos"),
        (("--k", "5000"), "5,?000"),
        (("--k", "300", "--rows", "200"), r"200 rows \(--rows\)"),
        (("--labels", "nowhere.txt"), "no such file"),
        (("--labels", "YQ", "--queries", "few_queries.npy", "--query-labels", "odd.npy"), "77.*--on-missing"),
    ],
)
def test_index_says_what_does_not_fit(call, cone: Path, arguments, message: str) -> None:
    np.save("few.npy", np.arange(10))
    np.save("narrow.npy", np.ones((4, 3)))
    np.save("bad.npy", np.array([{}]), allow_pickle=True)
    np.save("few_queries.npy", np.ones((4, 24)))
    np.save("odd.npy", np.array([1, 2, 77, 3]))
    arguments = [cone / "y.npy" if given == "YQ" else given for given in arguments]
    result = call("index", cone / "cone.npy", *arguments)
    assert result.exit_code == 2
    assert re.search(message, result.stderr)
    assert not list(Path().glob("runs/*"))


def test_rows_that_queries_look_for_keep_their_names_when_few_are_drawn(call, cone: Path) -> None:
    X = np.load(cone / "cone.npy")
    np.save("q.npy", X[500:600] + np.float32(1e-4))
    np.save("sought.npy", np.arange(500, 600))
    arguments = ("--queries", "q.npy", "--query-labels", "sought.npy", "--rows", 300, "--seeds", 1)
    assert call("index", cone / "cone.npy", *arguments).exit_code == 0
    worth = pl.read_parquet("runs/cone/indexes.parquet").filter(metric="l2")["value"]
    assert worth.max() > 0.9


def test_index_tells_what_was_left_out(call, cone: Path) -> None:
    X = np.load(cone / "cone.npy")
    X[7] = 0
    np.save("zero.npy", X)
    np.save("q.npy", X[:60] + np.float32(0.01))
    np.save("yq.npy", np.where(np.arange(60) == 3, 77, np.arange(60) % 10))
    given = ("zero.npy", "--labels", cone / "y.npy", "--queries", "q.npy", "--seeds", 1)
    result = call("index", *given, "--query-labels", "yq.npy", "--on-missing", "drop")
    assert result.exit_code == 0, result.stderr
    assert "row 7 of the vectors has length 0" in result.stderr
    assert "1 queries were dropped" in result.stderr
    assert "measure recall only" in call("index", *given).stderr
    assert re.search("length 0 has no cosine", call("index", *given, "--metric", "cosine").stderr)
