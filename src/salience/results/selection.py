"""Which items to keep: the rules, and the selection they lead to."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from salience.results.construction import items_of
from salience.results.meta import Meta
from salience.results.ordering import KEYS, null_level, positions, sort_key

if TYPE_CHECKING:
    from salience.results.scores import Scores

__all__ = ["RULES", "Selection", "chosen", "the_one_rule"]


@dataclass(frozen=True, eq=False)
class Selection:
    """The items that a rule kept, best first.

    Parameters
    ----------
    frame : polars.DataFrame
        The kept rows, context after context, best first within each.
    keys, by : tuple of str
        Columns that name the item and the context, as in :class:`~salience.results.scores.Scores`.
    mask : ndarray of bool, shape (rows,)
        Which rows of the scores were kept, in the order of their frame.
    rule : mapping
        The rule and what it ran per, for instance ``{"k": 10, "per": ["class"]}``.
    meta : Meta
        Where the scores came from.

    Examples
    --------
    >>> from salience.results import Scores
    >>> kept = Scores.from_values([0.1, 0.9, 0.5], ["a", "b", "c"]).select(k=2)
    >>> kept.items, "a" in kept, len(kept)
    (['b', 'c'], False, 2)
    >>> kept.indices
    array([1, 2])
    """

    frame: pl.DataFrame
    keys: tuple[str, ...]
    by: tuple[str, ...]
    mask: NDArray[np.bool_]
    rule: Mapping[str, Any]
    meta: Meta = field(default_factory=Meta)

    @property
    def items(self) -> list[Any]:
        """Names of the kept items, best first: strings (or numbers) for one key, tuples for several."""
        return items_of(self.frame, self.keys)

    @property
    def indices(self) -> NDArray[np.int64]:
        """Row numbers of the kept items in the frame of the scores, ascending."""
        return np.flatnonzero(self.mask).astype(np.int64)

    def to_polars(self) -> pl.DataFrame:
        """The kept rows, best first."""
        return self.frame

    def __len__(self) -> int:
        return self.frame.height

    def __iter__(self) -> Iterator[Any]:
        return iter(self.items)

    def __contains__(self, item: object) -> bool:
        return item in self.items

    def __repr__(self) -> str:
        rule = ", ".join(f"{name}={value!r}" for name, value in self.rule.items())
        shown = ", ".join(str(item) for item in self.items[:8])
        more = f", … {len(self) - 8:,} more" if len(self) > 8 else ""
        return f"Selection of {len(self):,} of {self.mask.size:,} by {rule}: {shown}{more}"


def chosen(scores: Scores, by: Sequence[str], rule: str, argument: Any) -> NDArray[np.bool_]:
    """Which rows of `scores` a rule keeps, shape (rows,); unscored items never are.

    Parameters
    ----------
    scores : Scores
    by : sequence of str
        The rule runs in each combination of these columns by itself.
    rule : {"k", "fraction", "above", "beats_null"}
    argument : int, float or bool
        Of the rule.
    """
    there = scores.frame.columns
    unknown = [name for name in by if name not in there]
    if unknown:
        raise ValueError(f"per={', '.join(unknown)} is not a column; there are {', '.join(there)}")
    return RULES[rule](scores, by, argument) & ~np.isnan(sort_key(scores.frame, scores.better))


def the_one_rule(**offered: Any) -> tuple[str, Any]:
    """Name and argument of the one rule that is not None.

    Raises
    ------
    ValueError
        When none is given, or several.

    Examples
    --------
    >>> the_one_rule(k=3, fraction=None, above=None, beats_null=None)
    ('k', 3)
    """
    given = [(rule, argument) for rule, argument in offered.items() if argument is not None]
    if len(given) != 1:
        said = ", ".join(rule for rule, _ in given) or "none"
        raise ValueError(f"select takes exactly one of {', '.join(RULES)}, got {said}")
    return given[0]


def _first_k(scores: Scores, by: Sequence[str], k: Any) -> NDArray[np.bool_]:
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise ValueError(f"select(k=...) takes a whole number from 1 up, got {k!r}")
    return positions(scores.frame, by, scores.better) <= k


def _first_fraction(scores: Scores, by: Sequence[str], share: Any) -> NDArray[np.bool_]:
    if isinstance(share, bool) or not isinstance(share, int | float | np.number) or not 0 < share <= 1:
        raise ValueError(f"select(fraction=...) takes a number in (0, 1], got {share!r}")
    size = scores.frame.select(pl.len().over(by) if by else pl.len()).to_series().to_numpy()
    # the small step back keeps 0.07 of 100 at 7: the product is 7.000000000000001
    allowed = np.array([math.ceil(share * int(n) - 1e-9) for n in np.atleast_1d(size)])
    return positions(scores.frame, by, scores.better) <= allowed


def _above(scores: Scores, by: Sequence[str], threshold: Any) -> NDArray[np.bool_]:
    if isinstance(threshold, bool) or not isinstance(threshold, int | float | np.number):
        raise ValueError(f"select(above=...) takes a number, got {threshold!r}")
    if math.isnan(threshold):
        raise ValueError("select(above=...) takes a number, got nan")
    key = KEYS[scores.better](_values(scores))
    limit = KEYS[scores.better](float(threshold))
    return np.asarray(key < limit)


def _beats_null(scores: Scores, by: Sequence[str], level: Any) -> NDArray[np.bool_]:
    if level is not True and (
        isinstance(level, bool) or not isinstance(level, float | np.floating) or not 0 < level < 1
    ):
        raise ValueError(
            f"select(beats_null=...) takes True (a level of 0.05) or a level in (0, 1), got {level!r}"
        )
    frame = scores.frame
    alpha = 0.05 if level is True else float(level)
    for column, passes in NULL_TESTS.items():
        if column in frame.columns:
            return np.asarray(passes(frame[column].to_numpy().astype(np.float64), alpha))
    null = null_level(frame, scores.meta.net_of_null)
    if null is None or level is not True:
        raise ValueError(
            "select(beats_null=...) reads the columns q, p or z (at a level) or null (beats_null=True); "
            f"these scores have {', '.join(frame.columns)}"
        )
    key = KEYS[scores.better]
    return np.asarray(key(frame["value"].to_numpy()) < key(null))


# The strongest evidence first: adjusted for many items, then for one, then a one-sided z.
NULL_TESTS: dict[str, Callable[[NDArray[np.float64], float], NDArray[np.bool_]]] = {
    "q": lambda q, alpha: q <= alpha,
    "p": lambda p, alpha: p <= alpha,
    "z": lambda z, alpha: z >= NormalDist().inv_cdf(1 - alpha),
}

RULES: dict[str, Callable[[Scores, Sequence[str], Any], NDArray[np.bool_]]] = {
    "k": _first_k,
    "fraction": _first_fraction,
    "above": _above,
    "beats_null": _beats_null,
}


def _values(scores: Scores) -> NDArray[np.float64]:
    if "value" not in scores.frame.columns:
        raise ValueError(
            "select(above=...) needs the column 'value'; these scores are an order without numbers: "
            "use k or fraction"
        )
    return scores.values
