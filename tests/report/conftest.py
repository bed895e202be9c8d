"""Made-up runs that look like real ones: a census of 15 columns, a click log of 300 with long names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from salience.results import Meta, Scores
from salience.runs import Run, RunWriter
from salience.verify.check import Check
from salience.verify.verdict import report

CENSUS = (
    ("relationship", 0.114, 6, "text"),
    ("marital_status", 0.109, 7, "text"),
    ("capital_gain", 0.081, 119, "number"),
    ("education", 0.064, 16, "text"),
    ("occupation", 0.063, 14, "text"),
    ("age", 0.061, 73, "number"),
    ("hours_per_week", 0.041, 94, "number"),
    ("capital_loss", 0.035, 92, "number"),
    ("sex", 0.026, 2, "text"),
    ("workclass", 0.014, 8, "text"),
    ("native_country", 0.006, 41, "text"),
    ("race", 0.0056, 5, "text"),
    ("fnlwgt", 0.0, 28523, "number"),
    ("row_id", -0.0005, 48842, "number"),
    ("constant", 0.0, 1, "text"),
)
WORDS = (
    "user",
    "item",
    "session",
    "last",
    "first",
    "click",
    "purchase",
    "view",
    "ratio",
    "hash",
    "bucket",
    "creative",
)


def ranking(columns: int) -> Scores:
    rng = np.random.default_rng(columns)
    rows = 48842
    if columns == 15:
        spec = list(CENSUS)
    else:
        values = np.where(rng.random(columns) < 0.4, rng.exponential(0.02, columns), 0.0)
        cards = np.minimum(10 ** rng.uniform(0.3, 5.5, columns), rows).astype(int)
        names = [f"{'_'.join(rng.choice(WORDS, int(rng.integers(2, 9))))}_{i}"[-60:] for i in range(columns)]
        spec = [(n, float(v), int(c), "number") for n, v, c in zip(names, values, cards, strict=True)]
    spec += [("control: label copy", 0.54, 2, "control")]
    spec += [(f"control: noise of {c:,} values", 0.0, c, "control") for c in (2, 100, 2001, 50001)]
    records = []
    for name, value, card, kind in spec:
        null = min((card - 1) / (2 * rows), 0.52 * (1 - np.exp(-card / 40_000)))
        se = float(0.0008 + 0.02 * value + 0.15 * null * rng.random())
        value = value + float(rng.normal(0, 0.3 * se)) * (card > 1)
        z = value / se
        p = float(0.5 * np.exp(-(z**2) / 2)) if z > 0 else float(rng.random())
        word = "constant" if card == 1 else "signal" if p < 1e-3 else "id" if card > 0.9 * rows else "noise"
        records.append(
            {
                "column": name,
                "value": value,
                "se": se,
                "lo": value - 1.96 * se,
                "hi": value + 1.96 * se,
                "null": null,
                "z": z,
                "p": p,
                "q": min(1.0, 2 * p),
                "n": rows,
                "flag": "constant" if card == 1 else None,
                "mi": max(0.0, value + null),
                "view": "values",
                "card": card,
                "coverage": float(rng.choice([1.0, 0.943, 0.31])),
                "kind": kind,
                "verdict": word,
            }
        )
    frame = pl.DataFrame(records).sort("value", descending=True)
    frame = frame.with_columns(rank=pl.int_range(1, pl.len() + 1, dtype=pl.UInt32))
    meta = Meta(
        method="outrank",
        unit="nats",
        interval=("normal", 0.95),
        rows=rows,
        seed=0,
        data=("a3f1c8e29b7d4410",),
    )
    return Scores(frame, keys=("column",), item="column", better="high", meta=meta)


def pairs(scores: Scores, most: int = 80) -> tuple[Scores, Scores, Scores]:
    rng = np.random.default_rng(1)
    names = [n for n, k in zip(scores.frame["column"], scores.frame["kind"], strict=True) if k != "control"][
        :most
    ]
    group = rng.integers(0, max(3, len(names) // 4), len(names))
    both = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    index = {n: i for i, n in enumerate(names)}
    alike = [
        0.4 + 0.3 * rng.random() if group[index[a]] == group[index[b]] else 0.08 * rng.random()
        for a, b in both
    ]
    redundancy = pl.DataFrame({"a": [a for a, _ in both], "b": [b for _, b in both], "value": alike})
    some = both[:: max(1, len(both) // 60)]
    value = rng.exponential(0.05, len(some))
    synergy = pl.DataFrame(
        {"a": [a for a, _ in some], "b": [b for _, b in some], "value": value, "synergy": value - 0.03}
    )
    order = pl.DataFrame(
        {
            "column": names,
            "value": np.sort(rng.normal(0, 1, len(names)))[::-1],
            "rank": np.arange(1, len(names) + 1, dtype=np.uint32),
            "relevance": np.sort(rng.random(len(names)))[::-1],
            "redundancy": rng.random(len(names)),
            "relation": rng.random(len(names)),
        }
    )
    two = {
        "keys": ("a", "b"),
        "item": "pair",
        "better": "high",
        "meta": Meta(method="outrank", unit="nats", symmetric=True),
    }
    return (
        Scores(synergy, **two),
        Scores(redundancy, **two),
        Scores(
            order,
            keys=("column",),
            item="column",
            better="high",
            meta=Meta(method="3mr", params={"alpha": 1, "beta": 1}),
        ),
    )


def verdict():
    x = [0.0, 0.1, 0.25, 0.5, 0.75, 1.0]
    curve = {
        "ranking": [0, 0.09, 0.14, 0.158, 0.16, 0.161],
        "random": [0, 0.03, 0.07, 0.11, 0.14, 0.161],
        "reversed": [0, 0.001, 0.01, 0.05, 0.1, 0.161],
        "permuted target": [0, 0.02, 0.05, 0.12, 0.13, 0.161],
    }
    checks = []
    for subject, y in curve.items():
        frame = pl.DataFrame(
            {
                "fraction": x,
                "value": [float(v) for v in y],
                "lo": [v - 0.008 for v in y],
                "hi": [v + 0.008 for v in y],
            }
        )
        good = subject == "ranking"
        checks.append(
            Check.judged(
                "retention",
                statistic=0.88 if good else 0.3,
                lo=0.84 if good else 0.2,
                hi=0.91 if good else 0.41,
                threshold=0.6,
                reference=0.41,
                why="the top quarter keeps 88 % of what all columns give",
                subject=subject,
                unit="log loss saved, nats",
                how="refit",
                curve=frame,
            )
        )
    checks.append(
        Check.judged(
            "stability",
            statistic=0.93,
            lo=0.88,
            hi=0.97,
            threshold=0.7,
            why="the top 5 are the top 5 in 19 of 20 bootstraps",
        )
    )
    checks.append(
        Check.judged(
            "nuisance[cardinality]",
            statistic=0.21,
            lo=-0.3,
            hi=0.64,
            threshold=0.5,
            better="low",
            why="rank follows cardinality too loosely to tell",
        )
    )
    checks.append(Check.not_run("agreement", "there is no second ranking"))
    return report(checks, estimator="logistic", seed=0)


def write_made_run(path: Path, columns: int) -> Run:
    scores = ranking(columns)
    synergy, redundancy, order = pairs(scores)
    options = {"source": "data/census.parquet", "target": "income", "seed": 0, "null": "analytic"}
    argv = ["salience", "rank", "data/census.parquet", "--target", "income", "--pairs", "--3mr"]
    with RunWriter(path, "rank", options, argv=argv) as run:
        run.write_scores("scores", scores)
        run.write_scores("pairs", synergy)
        run.write_scores("redundancy", redundancy)
        run.write_scores("order_3mr", order)
        run.write_frame(
            "audit",
            pl.DataFrame(
                {
                    "column": ["fnlwgt", "constant", None],
                    "finding": ["nearly all values differ", "one value", "duplicate rows"],
                    "severity": ["medium", "high", "low"],
                    "detail": ["28,523 values in 48,842 rows", "'?' in every row", "52 rows occur twice"],
                }
            ),
        )
        run.write_json(
            "plan",
            {
                "rows": 48842,
                "block_rows": 65536,
                "memory": "1GiB",
                "seed": 0,
                "missing": ["", "{}"],
                "labels": [{"name": "income", "kind": "classes", "classes": ["<=50K", ">50K"]}],
                "columns": [
                    {"name": r["column"], "kind": r["kind"], "distinct": r["card"], "edges": None}
                    for r in scores.frame.to_dicts()
                ],
            },
        )
        run.write_text("verdict.json", verdict().to_json())
        run.note("3 ragged rows left out: lines 7, 9, 12")
    return Run.open(path)


@pytest.fixture(scope="session")
def census_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return write_made_run(tmp_path_factory.mktemp("runs") / "census", 15)


@pytest.fixture(scope="session")
def clicks_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return write_made_run(tmp_path_factory.mktemp("runs") / "clicks", 300)
