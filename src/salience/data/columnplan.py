"""What is decided about one column, from its values in the pilot: kind, bins, frequent values, number of values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from salience.data.hashing import KINDS, MISSING
from salience.data.kinds import Finding, decide_kind, read
from salience.data.multivalues import separator_of
from salience.data.pilot import Values

BINNED_ABOVE = 64  # distinct numbers in the pilot
HEAVY_SHARE = 1 / 2048
MOST_HEAVY = 1024


@dataclass(frozen=True, eq=False)
class ColumnPlan:
    """What was decided about one column.

    Attributes
    ----------
    name : str
    kind : {"text", "number", "time", "list"}
        As what its values are identified, in whatever way they are stored.
    edges : float64 (bins - 1,) or None
        Inner edges of the ordered bins, ascending: bin i is ``edges[i-1] <= x < edges[i]``. None: not binned.
        Of times: seconds since 1970.
    heavy : uint64 (h,)
        Identities of the values that are frequent in the pilot, ascending; sampling by value always keeps
        them.
    cap : int
        Most values that a table of this column may sample.
    distinct : int
        Estimated number of distinct values in the whole source, without missing.
    vocabulary : tuple of str or None
        Of a multi-value column: its tokens, most frequent first.
    separator : str
        Between the tokens of a multi-value column of texts.
    coverage : float
        Share of pilot rows with a value.
    mean, sd, low, high : float or None
        Of the finite numbers (times) in the pilot.
    whole : bool
        Whether it is of numbers, and those in the pilot have no fractions.
    """

    name: str
    kind: str
    edges: NDArray[np.float64] | None = None
    heavy: NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, np.uint64))
    cap: int = 1024
    distinct: int = 0
    vocabulary: tuple[str, ...] | None = None
    separator: str = ","
    coverage: float = 1.0
    mean: float | None = None
    sd: float | None = None
    low: float | None = None
    high: float | None = None
    whole: bool = False

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; identities as strings of digits: other JSON readers have no 64-bit integers."""
        content = dict(self.__dict__)
        content["edges"] = None if self.edges is None else self.edges.tolist()
        content["heavy"] = [str(h) for h in self.heavy.tolist()]
        content["vocabulary"] = None if self.vocabulary is None else list(self.vocabulary)
        return content

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> ColumnPlan:
        """The inverse of `to_dict`."""
        content = dict(content)
        content["edges"] = None if content["edges"] is None else np.array(content["edges"], np.float64)
        content["heavy"] = np.array([int(h) for h in content["heavy"]], np.uint64)
        content["vocabulary"] = None if content["vocabulary"] is None else tuple(content["vocabulary"])
        return cls(**content)


def column_plan(
    name: str,
    values: Values,
    physical: str,
    missing: tuple[str, ...],
    bins: int,
    rows: int,
    given: Mapping[str, Any],
) -> tuple[ColumnPlan, Finding | None]:
    """Decide everything about a column but its cap and vocabulary, and find what is to be said about its kind.

    Parameters
    ----------
    values : Values
        Its pilot.
    physical : str
        Its type in the source.
    rows : int
        Rows of the whole source.
    given : mapping
        What the user decided instead.
    """
    kind, finding = given.get("kind"), None
    if kind is None:
        kind, finding = decide_kind(values.values, values.counts, physical, missing)
    nested = physical == "list"  # then the values are identities already
    row_hashes, numeric = (values.values.to_numpy(), None) if nested else read(values.values, kind, missing)
    # sorting the rows of a pilot takes a third of finding the place of each of its values
    keys, counts = np.unique(np.repeat(row_hashes, values.counts), return_counts=True)
    pilot = int(counts.sum())
    present = keys != MISSING
    keys, counts = keys[present], counts[present]
    plan: dict[str, Any] = {
        "distinct": expected_distinct(counts, rows / pilot if pilot else 1.0),
        "heavy": heavy_values(keys, counts, pilot),
        "coverage": float(counts.sum() / pilot) if pilot else 0.0,
    }
    if numeric is not None:
        finite = np.isfinite(numeric)
        plan |= _moments(numeric[finite], values.counts[finite])
        plan["whole"] = kind == "number" and bool((numeric[finite] == np.floor(numeric[finite])).all())
        if len(keys) > BINNED_ABOVE:
            plan["edges"] = quantile_edges(numeric[finite], values.counts[finite], bins)
    if not nested and (kind == "list" or (kind == "text" and given.get("kind") is None)):
        lists = separator_of(values.values.filter(pa.array(row_hashes != MISSING)))
        finding = finding if lists is None else Finding("list", lists[0], lists[1:])
    plan |= {k: v for k, v in given.items() if k in _GIVEN}
    return ColumnPlan(name=name, kind=kind, **plan), finding


_GIVEN = ("edges", "heavy", "cap", "distinct", "vocabulary", "separator")


def _moments(values: NDArray[np.float64], counts: NDArray[np.int64]) -> dict[str, float | None]:
    if not len(values):
        return {}
    with np.errstate(over="ignore", invalid="ignore"):
        mean = float(np.average(values, weights=counts))
        sd = float(np.sqrt(np.average((values - mean) ** 2, weights=counts)))
    finite = np.isfinite(mean) and np.isfinite(sd)  # values near the largest float64 overflow
    return {
        "mean": mean if finite else None,
        "sd": sd if finite else None,
        "low": float(values.min()),
        "high": float(values.max()),
    }


def quantile_edges(
    values: NDArray[np.float64], counts: NDArray[np.int64], bins: int
) -> NDArray[np.float64] | None:
    """Inner edges of about `bins` bins of equal weight; a value with the weight of a bin gets a bin of its
    own.

    Parameters
    ----------
    values : float64 (u,)
        Finite; need not be sorted or distinct.
    counts : int64 (u,)
    bins : int

    Returns
    -------
    float64 (e,) or None
        Ascending and distinct, all above the smallest value: no bin is empty in the pilot. None without two
        values.

    Examples
    --------
    >>> quantile_edges(np.array([0.0, 1.0, 2.0, 3.0]), np.array([97, 1, 1, 1]), 4)
    array([1., 2., 3.])
    """
    distinct, inverse = np.unique(values, return_inverse=True)
    if len(distinct) < 2:
        return None
    weight = np.bincount(inverse, counts, len(distinct))
    alone = weight >= weight.sum() / bins
    light = np.where(alone, 0.0, weight)
    own = np.flatnonzero(alone)
    starts = [own, own + 1]  # a heavy value starts a bin, and the next value starts another
    left = max(bins - len(own), 1)
    if light.sum() > 0 and left > 1:
        before = np.cumsum(light) - light
        starts.append(np.searchsorted(before, light.sum() * np.arange(1, left) / left))
    at = np.unique(np.concatenate(starts))
    edges: NDArray[np.float64] = distinct[at[(at > 0) & (at < len(distinct))]]
    return edges if len(edges) else None


def heavy_values(keys: NDArray[np.uint64], counts: NDArray[np.int64], rows: int) -> NDArray[np.uint64]:
    """Identities with at least `HEAVY_SHARE` of the rows, at most `MOST_HEAVY` of them, ascending."""
    enough = np.flatnonzero(counts >= max(2.0, rows * HEAVY_SHARE))
    first = enough[np.lexsort((keys[enough], -counts[enough]))][:MOST_HEAVY]
    return np.sort(keys[first])


def expected_distinct(counts: NDArray[np.int64], times: float) -> int:
    """Expected number of distinct values in a population `times` as large as the sample (Chao and Lin, 2012).

    The estimator for sampling without replacement: a column of distinct values is expected to stay one.

    Parameters
    ----------
    counts : int64 (d,)
        How often each value occurs in the sample.
    times : float
        Population over sample, at least 1.

    Examples
    --------
    >>> expected_distinct(np.ones(100, dtype=np.int64), 50.0), expected_distinct(np.full(7, 20), 50.0)
    (5000, 7)
    """
    seen, once, twice = len(counts), int((counts == 1).sum()), int((counts == 2).sum())
    if once == 0 or times <= 1.0:
        return seen
    n = int(counts.sum())
    ratio = 1.0 / (times - 1.0)  # q / (1 - q)
    unseen = once**2 / (n / max(n - 1, 1) * 2.0 * twice + ratio * once)
    return int(min(round(seen + unseen), round(n * times)))


def check_kind(name: str, kind: str) -> None:
    """Raise a ValueError for a kind that does not exist."""
    if kind not in KINDS:
        raise ValueError(
            f"spec of column {name!r}: kind={kind!r} is unknown; allowed are {', '.join(map(repr, KINDS))}."
        )
