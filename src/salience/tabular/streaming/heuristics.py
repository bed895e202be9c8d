"""The ways to score a column against a label, by name.

A heuristic turns the contingency table of one column (or of one of its views) into a number. Every one of them is
judged the same way afterwards: against its value when the label is shuffled, with the histogram of the column and of
the label held fixed. An unknown name is an error that lists the names.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from salience.measures import association, information
from salience.measures.counting import Contingency

Reads = Literal["counts", "moments", "numbers", "rows"]


@dataclass(frozen=True)
class Heuristic:
    """One way to score a column.

    Parameters
    ----------
    name : str
        The name it is asked for by.
    reads : {"counts", "moments", "numbers", "rows"}
        What it is computed from: the contingency table, streaming moments, a sample of numbers, or a sample of rows.
    unit : str
        Unit of the score ("nats", "statistic", "share", "correlation").
    statistic : callable
        ``Contingency -> float`` for ``reads="counts"``; otherwise the name of the statistic to the engine that reads it.
    better : {"high", "abs"}
        Whether the score or its absolute value is ranked.
    meaning : str
        One line for ``salience methods`` and the docs.
    """

    name: str
    reads: Reads
    unit: str
    statistic: Callable[[Contingency], float] | str
    meaning: str
    better: Literal["high", "abs"] = "high"


_ALL = (
    Heuristic("mi", "counts", "nats", information.mutual_information, "mutual information"),
    Heuristic(
        "ami", "counts", "share", association.adjusted_mutual_information, "adjusted mutual information"
    ),
    Heuristic("chi2", "counts", "statistic", association.chi2, "Pearson's chi-squared statistic"),
    Heuristic("cramers-v", "counts", "share", association.cramers_v, "Cramer's V"),
    Heuristic(
        "theils-u", "counts", "share", association.theils_u, "share of the label's entropy that is explained"
    ),
    Heuristic(
        "max-value-coverage",
        "counts",
        "share",
        association.max_value_coverage,
        "share of the commonest (value, label) pair",
    ),
    Heuristic(
        "log-loss-gain",
        "counts",
        "nats",
        association.log_loss_gain,
        "log loss saved by leave-one-out target encoding",
    ),
    Heuristic("constant", "counts", "statistic", lambda table: 0.0, "the same score for all: a baseline"),
    Heuristic("pearson", "moments", "correlation", "pearson", "Pearson's correlation", better="abs"),
    Heuristic("spearman", "numbers", "correlation", "spearman", "Spearman's rank correlation", better="abs"),
    Heuristic("mi-numeric", "numbers", "nats", "mi-numeric", "mutual information of two numbers on a grid"),
    Heuristic("surrogate-sgd", "rows", "score", "surrogate-SGD", "1 - log loss of a linear model by SGD"),
    Heuristic("surrogate-svm", "rows", "score", "surrogate-SVM", "1 - log loss of a linear SVM"),
    Heuristic("surrogate-sgd-rp", "rows", "score", "surrogate-SGD-RP", "the same on a random projection"),
    Heuristic("surrogate-sgd-svd", "rows", "score", "surrogate-SGD-SVD", "the same on two SVD components"),
    Heuristic("surrogate-lr", "rows", "score", "surrogate-LR", "1 - log loss of logistic regression"),
)

HEURISTICS: dict[str, Heuristic] = {heuristic.name: heuristic for heuristic in _ALL}

# OutRank's own names: (heuristic, null)
OUTRANK_NAMES: dict[str, tuple[str, str]] = {
    "MI": ("mi", "none"),
    "MI-numba": ("mi", "none"),
    "MI-numba-3mr": ("mi", "none"),
    "MI-numba-randomized": ("mi", "shift"),
    "AMI": ("ami", "analytic"),
    "max-value-coverage": ("max-value-coverage", "none"),
    "correlation-Pearson": ("pearson", "none"),
    "Constant": ("constant", "none"),
    **{
        f"surrogate-{m}": (f"surrogate-{m.lower()}", "none")
        for m in ("SGD", "SVM", "SGD-RP", "SGD-SVD", "LR")
    },
}


def heuristic(name: str) -> Heuristic:
    """Look a heuristic up by its name (OutRank's names are understood too).

    Raises
    ------
    ValueError
        For an unknown name; the message lists the names.

    Examples
    --------
    >>> heuristic("cramers-v").meaning
    "Cramer's V"
    >>> heuristic("MI-numba-randomized").name
    'mi'
    """
    known = OUTRANK_NAMES[name][0] if name in OUTRANK_NAMES else name
    if known in HEURISTICS:
        return HEURISTICS[known]
    near = difflib.get_close_matches(name, [*HEURISTICS, *OUTRANK_NAMES], n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"unknown heuristic {name!r}; known are {', '.join(sorted(HEURISTICS))}.{hint}")
