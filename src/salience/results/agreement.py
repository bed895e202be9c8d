"""How far two rankings of the same items agree."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from salience.results.ordering import contexts, positions, sort_key

if TYPE_CHECKING:
    from salience.results.scores import Scores

__all__ = ["Agreement", "agreement", "common_items", "rank_biased_overlap"]

# Weight of the first ranks in the rank-biased overlap: at 0.9 the first ten carry 86 % (Webber et al. 2010).
PERSISTENCE = 0.9


@dataclass(frozen=True)
class Agreement:
    """Measures of agreement over the items that both rankings have scored.

    Attributes
    ----------
    k : int
        Size of the compared tops; at most `common`.
    common, only_left, only_right : int
        How many items both have scored, and how many only one of them.
    overlap : float
        Share of the top k that is the same, in [0, 1].
    jaccard : float
        Common part of the two tops over their union, in [0, 1].
    kendall, spearman : float
        Rank correlations (tau-b; ties share a rank), in [-1, 1]; NaN when one ranking is all ties.
    rbo : float
        Extrapolated rank-biased overlap with persistence 0.9, in [0, 1]: the first ranks count most.
    pearson : float or None
        Correlation of the values, when both name the same unit.
    """

    k: int
    common: int
    only_left: int
    only_right: int
    overlap: float
    jaccard: float
    kendall: float
    spearman: float
    rbo: float
    pearson: float | None = None

    def to_dict(self) -> dict[str, float | int | None]:
        """All measures by name."""
        return dataclasses.asdict(self)

    def __repr__(self) -> str:
        alone = f", {self.only_left:,} and {self.only_right:,} in one only"
        return (
            f"Agreement on {self.common:,} items{alone if self.only_left or self.only_right else ''}: "
            f"top-{self.k} overlap {self.overlap:.2f} (Jaccard {self.jaccard:.2f}), "
            f"Kendall {self.kendall:.2f}, Spearman {self.spearman:.2f}, RBO {self.rbo:.2f}"
        )


def agreement(left: Scores, right: Scores, k: int = 10) -> Agreement:
    """Compare two rankings of the same kind of items, on the items both have scored.

    Ranks are compared, not values; the values are correlated only when both name the same unit.

    Parameters
    ----------
    left, right : Scores
        With the same keys and one context each.
    k : int
        Size of the tops; at most the number of common items is used.

    Raises
    ------
    ValueError
        When the keys differ, a side has several contexts, or fewer than two scored items are common.

    Examples
    --------
    >>> from salience.results import Scores
    >>> a = Scores.from_values({"x": 3.0, "y": 2.0, "z": 1.0})
    >>> b = Scores.from_values({"x": 9.0, "y": 1.0, "z": 5.0, "w": 7.0})
    >>> found = a.compare(b, k=2)
    >>> found.common, found.only_right, found.overlap, round(found.kendall, 2)
    (3, 1, 0.5, 0.33)
    """
    from scipy import stats

    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise ValueError(f"k is a whole number from 1 up, got {k!r}")
    both = common_items(left, right)
    common = both.height
    if common < 2:
        raise ValueError(f"{common} scored items are common to both; agreement needs at least 2")
    k = min(int(k), common)
    key_a, key_b = both["key"].to_numpy(), both["key_right"].to_numpy()
    order_a, order_b = np.argsort(both["place"].to_numpy()), np.argsort(both["place_right"].to_numpy())
    shared = np.intersect1d(order_a[:k], order_b[:k]).size
    tied = key_a.min() == key_a.max() or key_b.min() == key_b.max()
    same_unit = left.meta.unit is not None and left.meta.unit == right.meta.unit and not tied
    values = both.select("amount", "amount_right").to_numpy().T
    return Agreement(
        k=k,
        common=common,
        only_left=_scored(left) - common,
        only_right=_scored(right) - common,
        overlap=shared / k,
        jaccard=shared / (2 * k - shared),
        kendall=float("nan") if tied else float(stats.kendalltau(key_a, key_b).statistic),
        spearman=float("nan") if tied else float(stats.spearmanr(key_a, key_b).statistic),
        rbo=rank_biased_overlap(order_a, order_b),
        pearson=float(np.corrcoef(values)[0, 1]) if same_unit and np.isfinite(values).all() else None,
    )


def rank_biased_overlap(
    left: NDArray[np.int64], right: NDArray[np.int64], persistence: float = PERSISTENCE
) -> float:
    """Extrapolated rank-biased overlap of two orders of the items 0, ..., n - 1.

    Webber et al. (2010), eq. 32: with ``A_d`` the share of the first d that is the same,
    ``(1 - p) sum_d p^(d-1) A_d + p^n A_n``.

    Examples
    --------
    >>> import numpy as np
    >>> rank_biased_overlap(np.array([0, 1, 2]), np.array([0, 1, 2]))
    1.0
    """
    n = left.size
    place_left, place_right = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    place_left[left], place_right[right] = np.arange(n), np.arange(n)
    # an item is in both heads from the later of its two places on
    depth = np.arange(1, n + 1)
    share = np.cumsum(np.bincount(np.maximum(place_left, place_right), minlength=n)) / depth
    weight = (1 - persistence) * persistence ** (depth - 1)
    return float(min(1.0, weight @ share + persistence**n * share[-1]))


def common_items(left: Scores, right: Scores) -> pl.DataFrame:
    """The items that both rankings have scored, and where each stands among them.

    Returns
    -------
    frame : polars.DataFrame
        The keys; ``place`` (int64, 1 is best, among the common items), ``key`` (float64, smaller is better,
        equal for ties) and ``amount`` (the value); the same of the other side with ``_right``.

    Raises
    ------
    ValueError
        When the keys differ in name or type, or a side has several contexts.

    Examples
    --------
    >>> from salience.results import Scores
    >>> a, b = Scores.from_values({"x": 3.0, "y": 2.0}), Scores.from_order(["w", "y", "x"])
    >>> common_items(a, b).select("column", "place", "place_right").rows()
    [('x', 1, 2), ('y', 2, 1)]
    """
    if left.keys != right.keys:
        raise ValueError(f"items of different kinds cannot be compared: {left.keys} and {right.keys}")
    if left.meta.symmetric != right.meta.symmetric:
        raise ValueError(
            "one side has unordered pairs (Meta(symmetric=True)), the other has not; agree on one"
        )
    a, b = _keyed(left, "left"), _keyed(right, "right")
    types_a, types_b = a.select(left.keys).schema, b.select(left.keys).schema
    if types_a != types_b and a.height and b.height:
        raise ValueError(
            f"the keys have different types: {dict(types_a)} and {dict(types_b)}; cast one of them"
        )
    both = a.join(
        b.cast({name: types_a[name] for name in left.keys}),
        on=list(left.keys),
        suffix="_right",
        maintain_order="left",
    )
    return both.with_columns(pl.col("place", "place_right").rank("ordinal").cast(pl.Int64))


def _keyed(scores: Scores, side: str) -> pl.DataFrame:
    """Names, places and values of the scored items; the two names of an unordered pair in ascending order."""
    if np.unique(contexts(scores.frame, scores.by)).size > 1:
        raise ValueError(
            f"the {side} scores have a ranking per {', '.join(scores.by)}; choose one with where(...)"
        )
    names = scores.frame.select(scores.keys)
    if scores.meta.symmetric and len(scores.keys) == 2:
        a, b = scores.keys
        names = names.select(pl.min_horizontal(a, b).alias(a), pl.max_horizontal(a, b).alias(b))
    known = "value" in scores.frame.columns
    frame = names.with_columns(
        pl.Series("place", positions(scores.frame, scores.by, scores.better)),
        pl.Series("key", sort_key(scores.frame, scores.better)),
        pl.Series("amount", scores.values if known else np.full(names.height, np.nan)),
    )
    return frame.filter(pl.col("place") > 0)


def _scored(scores: Scores) -> int:
    return int((~np.isnan(sort_key(scores.frame, scores.better))).sum())
