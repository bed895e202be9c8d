"""Feature evolution: grow a model by the single or the combination that adds most, until nothing adds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import comb
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import ndtri

from salience.parallel import pmap
from salience.results.meta import Meta
from salience.results.scores import Scores
from salience.tabular.streaming.categorical import CategoricalSample
from salience.tabular.streaming.reference import Candidate, Reference, ReferenceLike, candidate_name
from salience.tabular.streaming.schedule import Schedule, unrank_combinations
from salience.tabular.streaming.surrogates import SURROGATES, Judge, surrogate_scores

__all__ = ["Evolution", "Round", "additions", "evolve"]

# Rows added to every value in the screening test: values of one or two rows must not win by luck.
_SHRINK = 5.0


@dataclass(frozen=True)
class Round:
    """One round of an evolution.

    Attributes
    ----------
    number : int
        From 1.
    added : tuple of str
        The columns of the feature that was appended.
    gain, se : float
        Log loss saved on rows that took no part in the choice, nats, and its standard error (paired by row).
    cv_gain : float
        Log loss saved in the cross-validation that chose it: too high by the choosing.
    log_loss : float
        Of the grown model, on the held-out rows.
    considered, fitted : int
        Candidates that were screened, and of those fitted.
    """

    number: int
    added: Candidate
    gain: float
    se: float
    cv_gain: float
    log_loss: float
    considered: int
    fitted: int


@dataclass(frozen=True)
class Evolution:
    """What `evolve` did.

    Attributes
    ----------
    reference : Reference
        The grown model; ``reference.to_json()`` is OutRank's form.
    rounds : tuple of Round
    stopped : str
        Why it ended.
    scores : Scores
        The appended features in order: ``column, value`` (gain on held-out rows), ``rank, se, cv_gain,
        log_loss, members``.
    """

    reference: Reference
    rounds: tuple[Round, ...]
    stopped: str
    scores: Scores


def evolve(
    X: Any,
    y: Any,
    *,
    reference: ReferenceLike = None,
    order: int = 2,
    rounds: int = 80,
    heuristic: str = "surrogate-SGD",
    shortlist: int = 30,
    pair_budget: int = 4096,
    min_gain: float = 0.0,
    alpha: float = 0.05,
    tries: int = 3,
    rows: int | None = None,
    held_out: float = 0.3,
    folds: int = 2,
    seed: int = 0,
    n_jobs: int = 1,
    progress: Callable[[Round], None] | None = None,
) -> Evolution:
    """Repeat: rank, append the best single or combination; stop when nothing adds.

    Each round screens every single and up to ``pair_budget`` combinations by how well their values explain
    what the model so far leaves unexplained, fits the ``shortlist`` best beside the model, and appends the
    one with the lowest cross-validated log loss (the simplest of those within one standard error of it),
    provided that it also saves log loss on rows held out from the choice.

    Parameters
    ----------
    X : frame, mapping of columns, or array of shape (n, d)
    y : str or array-like of shape (n,)
        The label, a column of X or an array.
    reference : optional
        The model to start from; see :func:`~salience.tabular.streaming.surrogates.surrogate_scores`.
    order : int
        Most columns a feature combines.
    rounds : int
        Most features that are appended.
    heuristic : str
        One of ``SURROGATES``.
    shortlist : int
        Candidates fitted per round; 0 fits all of them.
    pair_budget : int
        Combinations screened per round and order; the rounds take turns through all of them.
    min_gain : float
        Log loss (nats) a feature must save on the held-out rows.
    alpha : float
        Level at which the saving must be above zero (paired by row, one-sided, over all tries of the round).
    tries : int
        How many of the best candidates of a round may fail that test before the evolution ends.
    rows : int, optional
        Size of the sample; default as for the heuristic.
    held_out : float
        Share of the sample that only confirms.
    folds, seed, n_jobs : int
        As for ``surrogate_scores``.
    progress : callable, optional
        Called with each `Round` as soon as it is done.

    Returns
    -------
    Evolution

    Raises
    ------
    ValueError
        For an option outside its range, an unknown heuristic or column, a constant label.

    Examples
    --------
    The label is the exclusive or of two bits, and noise stands beside them.

    >>> rng = np.random.default_rng(0)
    >>> X = {name: rng.integers(2, size=600) for name in ("a", "b", "noise")}
    >>> grown = evolve(X, X["a"] ^ X["b"], heuristic="surrogate-LR")
    >>> grown.reference.features
    (('a', 'b'),)
    >>> grown.stopped
    'nothing adds'
    """
    _check(order, rounds, shortlist, pair_budget, tries, held_out, alpha, heuristic)
    surrogate, model = SURROGATES[heuristic], Reference.of(reference)
    sample = CategoricalSample(X, y, rows=surrogate.rows if rows is None else rows, seed=seed)
    model.check(sample.columns)
    growth = _Growth(sample, Judge(sample, surrogate, folds, seed), held_out, seed)
    done: list[Round] = []
    stopped = "all rounds done"
    for number in range(1, rounds + 1):
        found = _round(number, growth, model, order, shortlist, pair_budget, tries, min_gain, alpha, n_jobs)
        if found is None:
            stopped = "nothing adds"
            break
        model = model.with_feature(found.added)
        done.append(found)
        if progress is not None:
            progress(found)
    meta = Meta(
        method="evolution",
        params={"heuristic": heuristic, "order": order, "shortlist": shortlist, "held_out": held_out},
        seed=seed,
        rows=len(sample.labels),
        unit="nats",
        extra={"stopped": stopped, "model": [list(c) for c in model.features]},
    )
    return Evolution(model, tuple(done), stopped, _scores(done, meta))


def additions(
    X: Any,
    y: Any,
    reference: ReferenceLike = None,
    *,
    order: int = 2,
    heuristic: str = "surrogate-SGD",
    shortlist: int = 30,
    pair_budget: int = 32768,
    rows: int | None = None,
    folds: int = 2,
    seed: int = 0,
    n_jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Scores:
    """What would add to the model we have: singles and combinations by the log loss each would save.

    Parameters
    ----------
    X, y, reference, order, heuristic, shortlist, pair_budget, rows, folds, seed, n_jobs
        As for `evolve`.
    progress : callable, optional
        ``progress(done, total)`` over the shortlist.

    Returns
    -------
    Scores
        As of :func:`~salience.tabular.streaming.surrogates.surrogate_scores`, of the shortlist, with the columns
        ``gain`` (log loss saved, nats) and ``members``.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = {name: rng.integers(2, size=600) for name in ("a", "b", "noise")}
    >>> additions(X, X["a"] ^ X["b"], ["a"], heuristic="surrogate-LR").top(1).items
    ['a AND b']
    """
    _check(order, 1, shortlist, pair_budget, 1, 0.5, 0.05, heuristic)
    surrogate, model = SURROGATES[heuristic], Reference.of(reference)
    wanted = surrogate.rows if rows is None else rows
    sample = CategoricalSample(X, y, rows=wanted, seed=seed)
    model.check(sample.columns)
    growth = _Growth(sample, Judge(sample, surrogate, folds, seed), 0.5, seed)
    candidates = list(_candidates(sample.columns, model, order, pair_budget, 0, seed))
    best = growth.screened(model.features, candidates, shortlist)
    return surrogate_scores(
        X, y, candidates=best, reference=model, heuristic=heuristic, rows=wanted, folds=folds, seed=seed,
        n_jobs=n_jobs, progress=progress,
    )  # fmt: skip


def _check(
    order: int,
    rounds: int,
    shortlist: int,
    pair_budget: int,
    tries: int,
    held_out: float,
    alpha: float,
    heuristic: str,
) -> None:
    if heuristic not in SURROGATES:
        raise ValueError(f"heuristic={heuristic!r} is unknown; the surrogates are {', '.join(SURROGATES)}.")
    least = {"order": (order, 1), "rounds": (rounds, 1), "shortlist": (shortlist, 0), "tries": (tries, 1)}
    for name, (value, low) in {**least, "pair_budget": (pair_budget, 1)}.items():
        if value < low:
            raise ValueError(f"{name}={value}; it must be at least {low}.")
    for name, share in {"held_out": held_out, "alpha": alpha}.items():
        if not 0 < share < 1:
            raise ValueError(f"{name}={share}; it must lie between 0 and 1.")


def _candidates(
    columns: Sequence[str], model: Reference, order: int, budget: int, turn: int, seed: int
) -> Iterator[Candidate]:
    """Singles, then the combinations whose turn it is; none the model has already."""
    taken = {frozenset(feature) for feature in model.features}
    for k in range(1, min(order, len(columns)) + 1):
        total = comb(len(columns), k)
        whose_turn = Schedule(total, total if k == 1 else budget, seed).items(turn)
        for places in unrank_combinations(whose_turn, len(columns), k):
            candidate = tuple(columns[i] for i in places)
            if frozenset(candidate) not in taken:
                yield candidate


def _round(
    number: int,
    growth: _Growth,
    model: Reference,
    order: int,
    shortlist: int,
    budget: int,
    tries: int,
    min_gain: float,
    alpha: float,
    n_jobs: int,
) -> Round | None:
    """Choose by cross-validation, confirm on the held-out rows; None when nothing passes."""
    columns = growth.judge.sample.columns
    candidates = list(_candidates(columns, model, order, budget, number - 1, growth.seed))
    best = growth.screened(model.features, candidates, shortlist or len(candidates))
    base = growth.chosen_losses(model.features)
    losses = pmap(lambda c: growth.chosen_losses((*model.features, c)), best, n_jobs=n_jobs, threads=True)
    cv_gains = base.mean() - np.array([loss.mean() for loss in losses])
    before = growth.confirming_losses(model.features)
    # Each of the tries is a chance to pass by luck: together they have the level alpha.
    needed = float(ndtri(1 - alpha / tries))
    for place in _by_preference(best, losses)[:tries]:
        if cv_gains[place] <= 0:
            break
        after = growth.confirming_losses((*model.features, best[place]))
        saved = before - after
        gain, se = float(saved.mean()), float(saved.std(ddof=1) / np.sqrt(len(saved)))
        if gain > max(min_gain, needed * se):
            return Round(
                number,
                best[place],
                gain,
                se,
                float(cv_gains[place]),
                float(after.mean()),
                len(candidates),
                len(best),
            )
    return None


def _by_preference(candidates: Sequence[Candidate], losses: Sequence[NDArray[np.float64]]) -> list[int]:
    """Places by cross-validated log loss, but first the simplest within one standard error of the best."""
    order = sorted(range(len(candidates)), key=lambda i: float(losses[i].mean()))
    for place in sorted(
        order, key=lambda i: len(candidates[i])
    ):  # stable: the better one of equal length first
        worse = losses[place] - losses[order[0]]
        if worse.mean() <= worse.std() / np.sqrt(len(worse)):
            return [place, *(i for i in order if i != place)]
    return order


class _Growth:
    """A sample cut in two: rows that choose a feature, and rows that confirm it."""

    def __init__(self, sample: CategoricalSample, judge: Judge, held_out: float, seed: int) -> None:
        shuffled = np.random.default_rng((seed, 1)).permutation(len(sample.labels))
        cut = round(len(shuffled) * (1 - held_out))
        self.choosing, self.confirming = np.sort(shuffled[:cut]), np.sort(shuffled[cut:])
        self.judge, self.seed = judge, seed
        kept = np.zeros(len(shuffled), dtype=bool)
        kept[self.choosing] = True
        self.splits = [(train[kept[train]], test[kept[test]]) for train, test in judge.splits]

    def chosen_losses(self, features: Sequence[Candidate]) -> NDArray[np.float64]:
        """Cross-validated log loss of each choosing row, fold after fold."""
        return np.concatenate([self.judge.row_losses(features, *split) for split in self.splits])

    def confirming_losses(self, features: Sequence[Candidate]) -> NDArray[np.float64]:
        """Log loss of each confirming row under the model fitted on the choosing rows."""
        return self.judge.row_losses(features, self.choosing, self.confirming)

    def screened(
        self, features: Sequence[Candidate], candidates: Sequence[Candidate], keep: int
    ) -> list[Candidate]:
        """The candidates whose values explain most of what the model leaves unexplained.

        The score test for adding a one-hot code: sum over values of (sum of residuals)^2 / (rows + shrink),
        minus its expectation for values assigned at random, so that high cardinality is no advantage.
        """
        if 0 < len(candidates) <= keep:
            return list(candidates)
        sample, rows = self.judge.sample, self.choosing
        labels = sample.labels[rows]
        chances = self.judge.probabilities(features, rows, rows)
        residuals = (labels[:, None] == np.arange(chances.shape[1])) - chances
        spread = float((residuals**2).sum(axis=1).mean())
        gains = np.empty(len(candidates))
        for place, candidate in enumerate(candidates):
            codes = sample.codes(candidate)[rows]
            counts = np.bincount(codes).astype(np.float64)
            sums = np.stack([np.bincount(codes, weights=r) for r in residuals.T])
            gains[place] = ((sums**2).sum(axis=0) / (counts + _SHRINK)).sum()
            gains[place] -= spread * (counts / (counts + _SHRINK)).sum()
        return [candidates[i] for i in np.sort(np.argsort(-gains, kind="stable")[:keep])]


def _scores(done: Sequence[Round], meta: Meta) -> Scores:
    frame = pl.DataFrame(
        {
            "column": [candidate_name(r.added) for r in done],
            "value": [r.gain for r in done],
            "rank": [r.number for r in done],
            "se": [r.se for r in done],
            "cv_gain": [r.cv_gain for r in done],
            "log_loss": [r.log_loss for r in done],
            "members": [list(r.added) for r in done],
        },
        schema_overrides={
            **dict.fromkeys(("value", "se", "cv_gain", "log_loss"), pl.Float64),
            "column": pl.String,
            "rank": pl.UInt32,
            "members": pl.List(pl.String),
        },
    )
    return Scores(frame=frame, keys=("column",), item="column", better="high", meta=meta)
