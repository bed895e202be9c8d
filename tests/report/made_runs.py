"""Made-up runs that look like real ones: a census of 15 columns, a click log of 300 with long names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from salience.results import Meta, Scores
from salience.runs import Run, RunWriter
from salience.verify.check import Check
from salience.verify.verdict import Verdict, report

ROWS = 48842
CENSUS = [
    ("relationship", 0.114, 6),
    ("marital_status", 0.109, 7),
    ("capital_gain", 0.081, 119),
    ("education", 0.064, 16),
    ("occupation", 0.063, 14),
    ("age", 0.061, 73),
    ("hours_per_week", 0.041, 94),
    ("capital_loss", 0.035, 92),
    ("sex", 0.026, 2),
    ("workclass", 0.014, 8),
    ("native_country", 0.006, 41),
    ("race", 0.0056, 5),
    ("fnlwgt", 0.0, 28523),
    ("row_id", -0.0005, ROWS),
    ("constant", 0.0, 1),
]
WORDS = ["user", "item", "session", "last", "first", "click", "purchase", "view", "ratio", "hash", "creative"]


def click_log(columns: int, rng: np.random.Generator) -> list[tuple[str, float, int]]:
    """Columns with names of up to 60 characters, two in five of them informative, of any cardinality."""
    values = np.where(rng.random(columns) < 0.4, rng.exponential(0.02, columns), 0.0)
    cards = np.minimum(10 ** rng.uniform(0.3, 5.5, columns), ROWS).astype(int)
    names = [f"{'_'.join(rng.choice(WORDS, int(rng.integers(2, 9))))}_{i}"[-60:] for i in range(columns)]
    return list(zip(names, values.tolist(), cards.tolist(), strict=True))


def row(name: str, value: float, card: int, kind: str, rng: np.random.Generator) -> dict[str, Any]:
    """One column as a ranking has it."""
    null = float(min((card - 1) / (2 * ROWS), 0.52 * (1 - np.exp(-card / 40_000))))
    se = float(0.0008 + 0.02 * abs(value) + 0.15 * null * rng.random())
    value = value + float(rng.normal(0, 0.3 * se)) * (card > 1)
    p = float(0.5 * np.exp(-((value / se) ** 2) / 2)) if value > 0 else float(rng.random())
    found = "signal" if p < 1e-3 else "id" if card > 0.9 * ROWS else "noise"
    return {
        "column": name,
        "value": value,
        "se": se,
        "lo": value - 1.96 * se,
        "hi": value + 1.96 * se,
        "null": null,
        "z": value / se,
        "p": p,
        "q": min(1.0, 2 * p),
        "n": ROWS,
        "flag": "constant" if card == 1 else None,
        "mi": max(0.0, value + null),
        "view": "values",
        "card": card,
        "coverage": float(rng.choice([1.0, 0.943, 0.31])),
        "kind": kind,
        "verdict": "constant" if card == 1 else found,
    }


def made_ranking(columns: int = 15) -> Scores:
    rng = np.random.default_rng(columns)
    spec = CENSUS if columns == 15 else click_log(columns, rng)
    rows = [row(name, value, card, "text", rng) for name, value, card in spec]
    rows.append(row("control: label copy", 0.54, 2, "control", rng))
    rows += [
        row(f"control: noise of {card:,} values", 0.0, card, "control", rng) for card in (2, 100, 2001, 50001)
    ]
    frame = pl.DataFrame(rows).sort("value", descending=True)
    frame = frame.with_columns(rank=pl.int_range(1, pl.len() + 1, dtype=pl.UInt32))
    meta = Meta(
        method="outrank",
        unit="nats",
        interval=("normal", 0.95),
        rows=ROWS,
        seed=0,
        data=("a3f1c8e29b7d4410",),
    )
    return Scores(frame, keys=("column",), meta=meta)


def made_pairs(scores: Scores, most: int = 80) -> dict[str, Scores]:
    """Combinations, redundancy in groups, and a 3MR order of the best columns."""
    rng = np.random.default_rng(1)
    frame = scores.frame.filter(pl.col("kind") != "control")
    names = frame["column"].to_list()[:most]
    group = dict(zip(names, rng.integers(0, max(3, len(names) // 4), len(names)), strict=True))
    both = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    alike = [0.4 + 0.3 * rng.random() if group[a] == group[b] else 0.08 * rng.random() for a, b in both]
    some = both[:: max(1, len(both) // 60)]
    value = rng.exponential(0.05, len(some))
    terms = {name: rng.random(len(names)) for name in ("relevance", "redundancy", "relation")}
    two = Meta(method="outrank", unit="nats", symmetric=True)
    return {
        "pairs": Scores.from_values(
            value - 0.03,
            some,
            keys=("a", "b"),
            item="pair",
            meta=two,
            lo=value - 0.04,
            hi=value - 0.02,
            joint=value,
            interaction=value - 0.05,
            verdict=["signal" if v > 0.04 else "noise" for v in value],
        ),
        "redundancy": Scores.from_values(alike, both, keys=("a", "b"), item="pair", meta=two),
        "order_3mr": Scores.from_values(
            terms["relevance"] - terms["redundancy"] + terms["relation"],
            names,
            meta=Meta(method="3mr"),
            **terms,
        ),
    }


def made_verdict() -> Verdict:
    curves = {
        "ranking": [0.56, 0.87, 0.98],
        "random": [0.19, 0.43, 0.68],
        "reversed": [0.0, 0.06, 0.31],
        "permuted target": [0.12, 0.31, 0.74],
    }
    checks = [
        Check.judged(
            "retention",
            statistic=0.21 if subject == "ranking" else -0.2,
            lo=0.18 if subject == "ranking" else -0.25,
            hi=0.24 if subject == "ranking" else -0.15,
            threshold=0.0,
            reference=-0.1,
            why="keeping the top 2, 4, 8 of 15 keeps 80% of the full gain; random rankings 43%",
            subject=subject,
            unit="share of the full gain",
            how="refit",
            curve=pl.DataFrame(
                {
                    "size": [2, 4, 8],
                    "share": share,
                    "random": curves["random"],
                    "random_lo": [0.02, 0.2, 0.42],
                    "random_hi": [0.42, 0.66, 0.9],
                }
            ),
        )
        for subject, share in curves.items()
    ]
    stable = {"statistic": 0.93, "lo": 0.88, "hi": 0.97, "threshold": 0.7}
    disguise = {"statistic": 0.21, "lo": -0.3, "hi": 0.64, "threshold": 0.5, "better": "low"}
    checks.append(Check.judged("stability", why="the top 5 are the top 5 in 19 of 20 bootstraps", **stable))
    checks.append(
        Check.judged("nuisance[card]", why="rank follows cardinality too loosely to tell", **disguise)
    )
    checks.append(Check.not_run("agreement", "there is no second ranking"))
    return report(checks, estimator="logistic", seed=0)


def made_audit() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "column": ["fnlwgt", "constant", None],
            "finding": ["nearly all values differ", "one value", "duplicate rows"],
            "severity": ["medium", "high", "low"],
            "detail": ["28,523 values in 48,842 rows", "'?' in every row", "52 rows occur twice"],
        }
    )


def write_made_run(path: Path, columns: int) -> Run:
    scores = made_ranking(columns)
    options = {"source": "data/census.parquet", "target": "income", "seed": 0, "null": "analytic"}
    argv = ["salience", "rank", "data/census.parquet", "--target", "income", "--pairs", "--3mr"]
    planned = [
        {"name": r["column"], "kind": r["kind"], "distinct": r["card"]} for r in scores.frame.to_dicts()
    ]
    label = {"name": "income", "kind": "classes", "classes": ["<=50K", ">50K"]}
    with RunWriter(path, "rank", options, argv=argv) as run:
        run.write_scores("scores", scores)
        for name, found in made_pairs(scores).items():
            run.write_scores(name, found)
        run.write_frame("audit", made_audit())
        run.write_json("plan", {"rows": ROWS, "memory": "1GiB", "labels": [label], "columns": planned})
        run.write_json("verdict", made_verdict().to_json())
        run.note("3 ragged rows left out: lines 7, 9, 12")
    return Run.open(path)
