"""What responsiveness says: of many people, of one person, of a ranking that was given as reasons."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from salience.measures.proportions import clopper_pearson, p_below, upper_bound
from salience.results.attributions import Attributions
from salience.results.meta import Meta
from salience.results.scores import Scores
from salience.tabular.responsiveness.interventions import Tally
from salience.tabular.responsiveness.rule import Floats, Mask

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Audit", "Reasons", "Recourse", "Responsiveness", "judged"]

SILENT = (
    "A score says how many of the allowed changes of a column reach the target, not how hard or dear they are.",
    "It says what the model would answer, not whether the change would alter the true outcome.",
    "It does not tell an improvement from a change made only to please the model.",
    "All values within reach count alike: the ranges that were declared decide the score. They stand beside it.",
)


class Responsiveness(Attributions):
    """Per person and feature: the share of the interventions within reach that lead to the target.

    Everything of :class:`~salience.results.attributions.Attributions`, and:

    Attributes
    ----------
    scores : ndarray of float64, shape (n, items)
        The same as ``values``.
    n_points, hits : ndarray of int, shape (n, items)
        Points that were tried, and those that reach the target.
    draws : ndarray of float64, shape (n, items)
        How many independent draws they are worth; infinite where they are all there are.
    exact : ndarray of bool, shape (n, items)
        Whether every intervention was tried.
    status : ndarray of str, shape (n, items)
        "exact"; "sampled"; "incomplete": the solver stopped at its limit; "blocked": no change is allowed for this
        person, or (where not `exact`) none was found in many draws; "immutable": not actionable.
    ci : ndarray of float64, shape (n, items, 2)
        Clopper-Pearson interval of level ``1 - alpha``; the value itself where exact, [0, 1] where incomplete.
    responsive : ndarray of bool, shape (n, items)
        Whether some intervention reaches the target: score > 0.
    fixed_1d : ndarray of bool, shape (n,)
        No intervention on one item does.
    approved : ndarray of bool, shape (n,)
        Who has the target already.
    examples : ndarray of float64, shape (n, items) or (n, items, 2) for pairs
        The nearest value that reaches the target; NaN where none does.
    low, high : ndarray of float64, shape (n, items)
        Range of the values within reach: the score is a share of these.
    """

    n_points: NDArray[np.int64]
    hits: NDArray[np.int64]
    draws: Floats
    approved: Mask
    examples: Floats
    low: Floats
    high: Floats
    alpha: float
    eps: float

    def __init__(
        self, tally: Tally, items: Any, approved: Mask, *, alpha: float, eps: float, data: Any, meta: Meta
    ) -> None:
        ends = _intervals(tally, alpha)
        pairs = bool(items) and isinstance(items[0], tuple)
        super().__init__(
            tally.score, items, ("a", "b") if pairs else ("column",), lo=ends[0], hi=ends[1],
            exact=np.isinf(tally.draws), status=tally.status,
            data=data, item="pair" if pairs else "column", meta=meta,
        )  # fmt: skip
        own = {
            "n_points": tally.n_points, "hits": tally.hits.astype(np.int64), "draws": tally.draws,
            "approved": approved, "examples": tally.example if pairs else tally.example[:, :, 0],
            "low": tally.low, "high": tally.high, "alpha": alpha, "eps": eps,
        }  # fmt: skip
        for name, value in own.items():
            object.__setattr__(self, name, value)

    @property
    def scores(self) -> Floats:
        return self.values

    @property
    def ci(self) -> Floats:
        return np.stack([self.lo, self.hi], axis=2)  # type: ignore[list-item]

    @property
    def responsive(self) -> Mask:
        return np.asarray(self.values > 0)

    @property
    def fixed_1d(self) -> Mask:
        return np.asarray(~self.responsive.any(axis=1))

    @property
    def upper(self) -> Floats:
        """Upper bound of each score at confidence ``1 - alpha``; the score itself where exact."""
        return np.asarray(_sampled(self, lambda k, n: upper_bound(k, n, self.alpha), self.hi))

    @property
    def p_unresponsive(self) -> Floats:
        """P(Bin(n, eps) <= k) of sampled scores: small says that the score is below `eps`. NaN where not sampled."""
        return np.asarray(_sampled(self, lambda k, n: p_below(np.floor(k), n, self.eps), np.nan))

    def denied(self) -> Scores:
        """Of those who lack the target: mean score of each item, and for which share of them it is responsive.

        Returns
        -------
        scores : Scores
            ``value``: the mean score; ``responsive``: the share of people, with its interval ``responsive_lo``,
            ``responsive_hi``; ``n``: how many people.

        Raises
        ------
        ValueError
            When nobody is denied.
        """
        rows = ~self.approved
        n = int(rows.sum())
        if not n:
            raise ValueError("everybody has the target already: nobody is denied")
        some = self.responsive[rows].sum(axis=0)
        low, high = clopper_pearson(some, n, self.alpha)
        meta = self.meta.replace(extra={**self.meta.extra, "over": "denied", "how": "mean"})
        return Scores.from_values(
            self.values[rows].mean(axis=0), list(self.items), keys=self.keys, item=self.item, meta=meta,
            responsive=some / n, responsive_lo=low, responsive_hi=high, n=np.full(len(self.items), n),
        )  # fmt: skip

    def plot(self, i: int | None = None, ax: Axes | None = None, **options: Any) -> Axes:
        """Bars of one person `i`, or, without it, over all who are denied."""
        from salience.tabular.responsiveness import pictures

        if i is None:
            return pictures.over_denied(self, ax=ax, **options)
        return pictures.of_person(self, i, ax=ax, **options)

    def report(self) -> dict[str, Any]:
        """What a page shows, as plain values; first of all what a score does not say."""
        denied = int((~self.approved).sum())
        table = self.denied().frame.to_dicts() if denied else []
        return {
            "people": len(self), "denied": denied, "approved": len(self) - denied,
            "no_single_change": int((self.fixed_1d & ~self.approved).sum()),
            "items": table, "exact": float(np.mean(self.exact)) if self.exact is not None else None,
            "warnings": list(self.meta.warnings), "does_not_say": list(SILENT),
        }  # fmt: skip


@dataclass(frozen=True)
class Reasons:
    """What one person could change.

    Attributes
    ----------
    verdict : {"approved", "responsive", "recourse", "fixed", "unknown"}
        The person has the target already; a single change reaches it; only changes of several columns do; none does;
        none was found, and not everything could be tried.
    scores : Scores
        The best columns: ``value``, ``lo``, ``hi``, ``direction``, ``now``, ``example`` (nearest value that works),
        ``low``, ``high`` (range within reach), ``n``, ``flag``.
    changes : dict of str to dict
        For each of them the whole change of the example, with what moves along.
    witness : dict or None
        Several columns changed at once that reach the target, where no single one does.
    responsiveness : Responsiveness
        All columns.
    """

    verdict: str
    scores: Scores
    changes: dict[str, dict[str, float]]
    witness: dict[str, float] | None
    responsiveness: Responsiveness = field(repr=False)

    def plot(self, ax: Axes | None = None, **options: Any) -> Axes:
        """Bars of the columns, and the nearest change that works beside each."""
        from salience.tabular.responsiveness import pictures

        return pictures.of_person(self.responsiveness, 0, ax=ax, changes=self.changes, **options)

    def __str__(self) -> str:
        lines = [_VERDICTS[self.verdict]]
        if self.verdict == "approved":  # the scores say which changes would keep it
            return lines[0]
        for row in self.scores.frame.iter_rows(named=True):
            along = {k: v for k, v in self.changes[row["column"]].items() if k != row["column"]}
            more = f"; with it {', '.join(f'{k} = {v:g}' for k, v in along.items())}" if along else ""
            lines.append(
                f"  {row['column']}: {row['direction']} from {row['now']:g} to {row['example']:g}{more} "
                f"({row['value']:.0%} of {row['n']} changes between {row['low']:g} and {row['high']:g})"
            )
        if self.witness is not None:
            lines.append(f"  together: {', '.join(f'{k} = {v:g}' for k, v in self.witness.items())}")
        return "\n".join(lines)


_VERDICTS = {
    "approved": "The target is reached already.",
    "responsive": "Single changes that can reach the target:",
    "recourse": "No single change helps; several together do:",
    "fixed": "No single change helps, and no combination of allowed changes does: this prediction is fixed.",
    "unknown": "No single change was found to help, nor a combination; not all of them could be tried.",
}


class Recourse(NamedTuple):
    """Whether any allowed change of any columns reaches the target.

    Attributes
    ----------
    status : ndarray of str, shape (n,)
        "recourse"; "fixed": every point within reach was tried; "unknown": not all could be; "approved": reached already.
    witness : ndarray of float64, shape (n, d)
        A point that reaches the target; NaN where none is known.
    tried : ndarray of int64, shape (n,)
        Points at which the model was asked.
    """

    status: NDArray[np.str_]
    witness: Floats
    tried: NDArray[np.int64]


@dataclass(frozen=True)
class Audit:
    """How far the reasons that a ranking gives to denied people can change the decision. Shares are NaN over nobody.

    Attributes
    ----------
    denied, with_reasons, fixed, undecided : int
        People; ``undecided``: whether their prediction is fixed could not be settled.
    all_unresponsive, some_unresponsive, some_responsive, all_responsive : float
        Shares of the people with reasons.
    mean_reasons : float
        Mean number of reasons of those who get any.
    reasons_without_recourse : float
        Share of the people with a fixed prediction who are given reasons all the same.
    """

    denied: int
    with_reasons: int
    all_unresponsive: float
    some_unresponsive: float
    some_responsive: float
    all_responsive: float
    mean_reasons: float
    fixed: int
    undecided: int
    reasons_without_recourse: float

    def to_dict(self) -> dict[str, float]:
        """As plain values."""
        return asdict(self)


def judged(strength: Floats, k: int, helpful: Mask, status: NDArray[np.str_]) -> Audit:
    """The audit of one ranking.

    Parameters
    ----------
    strength : ndarray, shape (n, d)
        How much of a reason each feature is; none at 0.
    helpful : ndarray of bool, shape (n, d)
        Which features are responsive.
    status : ndarray of str, shape (n,)
        As in :class:`Recourse`.
    """
    places = np.argsort(-strength, axis=1, kind="stable")[:, :k]
    reason = np.take_along_axis(strength, places, axis=1) > 0
    helps = np.take_along_axis(helpful, places, axis=1) & reason
    denied = status != "approved"
    told = denied & reason.any(axis=1)
    number, good = reason.sum(axis=1)[told], helps.sum(axis=1)[told]
    fixed = status == "fixed"
    return Audit(
        denied=int(denied.sum()),
        with_reasons=int(told.sum()),
        all_unresponsive=_share(good == 0),
        some_unresponsive=_share(good < number),
        some_responsive=_share(good > 0),
        all_responsive=_share(good == number),
        mean_reasons=_share(number),
        fixed=int(fixed.sum()),
        undecided=int((status == "unknown").sum()),
        reasons_without_recourse=_share(told[fixed]),
    )


def _share(of: NDArray[Any]) -> float:
    return float(np.mean(of)) if len(of) else math.nan


def _intervals(tally: Tally, alpha: float) -> tuple[Floats, Floats]:
    lo, hi = tally.score.copy(), tally.score.copy()
    sampled = tally.status == "sampled"
    k, n = tally.score[sampled] * tally.draws[sampled], tally.draws[sampled]
    lo[sampled], hi[sampled] = clopper_pearson(np.minimum(k, n), n, alpha)
    lo[tally.status == "incomplete"], hi[tally.status == "incomplete"] = 0.0, 1.0
    return lo, hi


def _sampled(of: Responsiveness, rule: Any, otherwise: Any) -> Floats:
    found = np.array(np.broadcast_to(otherwise, of.values.shape), dtype=np.float64)
    here = np.asarray(of.status == "sampled")
    n = of.draws[here]
    found[here] = rule(np.minimum(of.values[here] * n, n), n)
    return found
