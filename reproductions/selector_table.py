"""The eight data sets of the paper on KAN selectors, with selection inside the folds: `python -m reproductions.selector_table`.

The paper cross-validates its models on all rows with rankings that saw them; here every selector sees the training rows
of a fold only.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl
from sklearn.datasets import make_classification, make_regression

from reproductions import carriers
from reproductions.claims import frozen as frozen_of
from salience.data.datasets import LABELS, load
from salience.tabular import KANSelector, QuickSelector
from salience.verify import evaluate_selectors

Set = tuple[pl.DataFrame, str]

# From worst to best, as the package that the data come from describes them.
GRADES = {
    "cut": ["Fair", "Good", "Very Good", "Premium", "Ideal"],
    "color": list("JIHGFED"),
    "clarity": ["I1", "SI2", "SI1", "VS2", "VS1", "VVS2", "VVS1", "IF"],
}


def eight_sets(frozen: dict[str, Any]) -> tuple[list[dict[str, Any]], str]:
    """Evaluate the selectors on the eight sets.

    Parameters
    ----------
    frozen : dict
        With the table ``[eight_sets]`` of ``kan-selectors.toml``.

    Returns
    -------
    rows : list of dict
        One per set, predictor, share and selector: what `evaluate_selectors` says, and ``set`` and ``unit``.
    text : str
        Markdown tables.
    """
    wanted = frozen["eight_sets"]
    rows: list[dict[str, Any]] = []
    for name, read in SETS.items():
        frame, label = read(wanted["seed"])
        frame = frame.sample(min(wanted["cap"], len(frame)), seed=wanted["seed"])
        found = evaluate_selectors(
            frame, label, _selectors(wanted), keep=wanted["keep"], cv=wanted["folds"], draws=wanted["draws"],
            permuted=["mutual information"], random_state=wanted["seed"], n_jobs=2,
        )  # fmt: skip
        shape = {"set": name, "rows": len(frame), "columns": frame.width - 1, "unit": found.meta.unit}
        rows += [shape | row for row in found.frame.iter_rows(named=True)]
        print(f"{name}: {found.meta.seconds:.0f} s", file=sys.stderr, flush=True)
    return rows, markdown(rows, wanted["shown"])


def _selectors(wanted: dict[str, Any]) -> dict[str, Any]:
    return {
        **{
            f"KAN {importance}": KANSelector(importance, epochs=wanted["kan_epochs"], cv=wanted["kan_folds"])
            for importance in ("l1", "l2", "si", "ko")
        },
        "mutual information": "mutual information",
        "forest permutation": "forest permutation",
        "L1": "L1",
        "QuickSelection": QuickSelector(k=1, epochs=wanted["quick_epochs"]),  # k is not used: its scores are
    }


def _known(name: str) -> Callable[[int], Set]:
    return lambda seed: (load(name), LABELS[name])


def _california(seed: int) -> Set:
    return carriers.california(), "MedHouseVal"


def _diamonds(seed: int) -> Set:
    graded = [
        pl.col(name).replace_strict(order, range(len(order)), return_dtype=pl.Float64)
        for name, order in GRADES.items()
    ]
    return carriers.diamonds().with_columns(graded), "price"


def _classification(seed: int) -> Set:
    X, y = make_classification(500, 10, n_informative=5, random_state=seed)
    return pl.DataFrame(X).with_columns(y=pl.Series(y)), "y"


def _regression(seed: int) -> Set:
    X, y = make_regression(500, 10, n_informative=5, noise=10.0, random_state=seed)
    return pl.DataFrame(X).with_columns(y=pl.Series(y)), "y"


SETS: dict[str, Callable[[int], Set]] = {
    "breast cancer": _known("breast_cancer"),
    "wine": _known("wine"),
    "digits": _known("digits"),
    "make_classification": _classification,
    "California": _california,
    "diabetes": _known("diabetes"),
    "diamonds": _diamonds,
    "make_regression": _regression,
}


# ---------------------------------------------------------------------------------------------------- tables
def markdown(rows: Sequence[dict[str, Any]], shown: float) -> str:
    """Performance, stability and redundancy at one share, and what is gained over a random selection at all of them."""
    frame = pl.DataFrame(rows, infer_schema_length=None)
    at = frame.filter(pl.col("keep") == shown)
    parts = []
    for title, predictors in (("a linear model", ("logistic", "ridge")), ("a forest", ("forest",))):
        here = at.filter(pl.col("predictor").is_in(predictors))
        parts.append(
            f"**Kept {shown:.0%}, predicted by {title}** (macro-F1 or R2, mean and standard error)\n"
        )
        parts.append(_wide(here, lambda row: f"{row['value']:.3f} ± {row['se']:.3f}"))
    forest = at.filter(pl.col("predictor") == "forest")
    parts.append(f"**Stability of the {shown:.0%}** (mean Jaccard index of two folds)\n")
    parts.append(_wide(forest, lambda row: f"{row['stability']:.2f}"))
    parts.append(f"**Redundancy of the {shown:.0%}** (mean size of the correlation of two columns)\n")
    parts.append(_wide(forest, lambda row: f"{row['redundancy']:.2f}"))
    parts.append("**Gain over a random selection** (mean of the eight sets and its standard error)\n")
    parts.append(_gains(frame))
    parts.append("**Seconds per fold of the selector alone**\n")
    parts.append(_wide(forest, lambda row: f"{row['seconds']:.2f}"))
    return "\n".join(parts)


def _wide(frame: pl.DataFrame, cell: Callable[[dict[str, Any]], str]) -> str:
    names = frame["selector"].unique(maintain_order=True).to_list()
    lines = [["data", *names], ["---"] * (len(names) + 1)]
    for (name,), rows in frame.group_by("set", maintain_order=True):
        first = rows.row(0, named=True)
        said = {row["selector"]: cell(row) for row in rows.iter_rows(named=True)}
        size = f"{name} ({first['rows']:,} x {first['columns']})"
        lines.append([size, *(said[selector] for selector in names)])
    return _table(lines)


def _gains(frame: pl.DataFrame) -> str:
    shares = frame["keep"].unique().sort().to_list()
    predictors = {"linear": ("logistic", "ridge"), "forest": ("forest",)}
    head = [f"{share:.0%}, {name}" for name in predictors for share in shares]
    lines = [["selector", *head], ["---"] * (len(head) + 1)]
    for (selector,), rows in frame.filter(pl.col("selector") != "random").group_by(
        "selector", maintain_order=True
    ):
        cells = []
        for names in predictors.values():
            for share in shares:
                gain = rows.filter(pl.col("predictor").is_in(names), pl.col("keep") == share)[
                    "over_random"
                ].to_numpy()
                cells.append(f"{gain.mean():+.3f} ± {gain.std(ddof=1) / np.sqrt(len(gain)):.3f}")
        lines.append([str(selector), *cells])
    return _table(lines)


def _table(lines: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


if __name__ == "__main__":
    print(eight_sets(frozen_of("kan-selectors"))[1])
