"""Which single features could a person change to get the other decision, and is there any at all?"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils import _param_validation as allowed
from sklearn.utils import check_random_state

from salience.measures.proportions import draws_to_exclude
from salience.results.attributions import Attributions
from salience.results.meta import Interval, Meta
from salience.results.scores import Scores
from salience.tabular.numbers import like, numbers_of
from salience.tabular.responsiveness.interventions import CHUNK, Decision, Tally, count, doubles, singles
from salience.tabular.responsiveness.reachable import Reachable
from salience.tabular.responsiveness.recourse import recourse
from salience.tabular.responsiveness.responses import Audit, Reasons, Recourse, Responsiveness, judged
from salience.tabular.responsiveness.rule import Floats
from salience.tabular.responsiveness.space import ActionSpace
from salience.verify.fingerprints import fingerprint

__all__ = ["ResponsivenessScorer"]


class ResponsivenessScorer(BaseEstimator):
    """Score features by how often changing them, within what a person can do, leads to the target.

    Someone who was turned down is owed reasons, and most of the columns that moved the model are of no use to them:
    they cannot be changed, or no change of them is enough. For a person x and a feature j let A_j(x) be the
    interventions on j: actions a with a_j != 0 in which only j moves, and what joint rules tie to it. The points within
    reach are R_j(x) = {x + a : a in A_j(x)}, and the score is the share of them that the model f decides well,

        mu_j(x) = P( f(x') = y* ),   x' uniform on R_j(x),

    and 0 where R_j(x) is empty. A feature is responsive when mu_j > 0. A prediction is fixed when no point of the whole
    reachable set, all features together, has f(x') = y*.

    Listed features are enumerated and their scores exact; a float without a grid is drawn `n_samples` times, and so is
    only what is tied to one. The answer is as good as the declared ranges, for it is a share of them.

    Parameters
    ----------
    space : ActionSpace
        What people can change.
    target : label, default=1
        The good outcome y*.
    completion : {"alone_first", "all"}, default="alone_first"
        Which completions count where joint rules allow several. "alone_first": a value of j that is allowed with
        nothing else moved counts as that one point, any other with all its completions. "all": all completions always.
    n_samples : int, default=500
        Draws for a feature that cannot be listed.
    alpha : float, default=0.05
        Intervals have the level ``1 - alpha``.
    eps : float, default=0.1
        A sampled score is tested against "below `eps`"; without a hit that takes ``ln(alpha) / ln(1 - eps)`` draws.
    max_points : int, default=100_000
        Most values in a list, and most points tried in the test for a fixed prediction.
    threshold : float or None, default=None
        Decide by probability (decision value, number) >= threshold, not by the label.
    weights : callable or None, default=None
        From changes a_j, shape (m,), to weights, shape (m,): the probability is taken under this density, so that hard
        changes can count less. Pairs give changes of shape (m, 2). None: all changes alike.
    random_state : int, RandomState or None, default=0
        A person's draws depend on it and on the columns concerned, not on the other people.

    Attributes
    ----------
    result_ : Responsiveness
        Of the last call of :meth:`score`.

    References
    ----------
    Feature Responsiveness Scores: Model-Agnostic Explanations for Recourse, arXiv:2410.22598. Reachable sets:
    arXiv:2308.12820. Unlike the authors' package, chains of rules tie all their columns together, bounds are checked,
    a float column does not make listed ones sampled, and drawing ends where nothing is feasible.

    Examples
    --------
    >>> import numpy as np
    >>> from salience.tabular import ActionSpace, Feature, ResponsivenessScorer
    >>> space = ActionSpace([Feature("savings", "int", 0, 5), Feature("owner", "bool")])
    >>> scorer = ResponsivenessScorer(space)
    >>> def approve(X):
    ...     return (X[:, 0] > 2).astype(int)
    >>> scorer.score(np.array([[0, 0], [2, 1]]), approve).scores
    array([[0.6, 0. ],
           [0.6, 0. ]])
    >>> print(scorer.explain([2, 1], approve))
    Single changes that can reach the target:
      savings: up from 2 to 3 (60% of 5 changes between 0 and 5)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "space": [ActionSpace],
        "target": "no_validation",
        "completion": [allowed.StrOptions({"alone_first", "all"})],
        "n_samples": [allowed.Interval(Integral, 1, None, closed="left")],
        "alpha": [allowed.Interval(Real, 0, 1, closed="neither")],
        "eps": [allowed.Interval(Real, 0, 1, closed="neither")],
        "max_points": [allowed.Interval(Integral, 1, None, closed="left")],
        "threshold": [Real, None],
        "weights": [callable, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        space: ActionSpace,
        *,
        target: Any = 1,
        completion: str = "alone_first",
        n_samples: int = 500,
        alpha: float = 0.05,
        eps: float = 0.1,
        max_points: int = 100_000,
        threshold: float | None = None,
        weights: Callable[[Floats], ArrayLike] | None = None,
        random_state: Any = 0,
    ) -> None:
        self.space = space
        self.target = target
        self.completion = completion
        self.n_samples = n_samples
        self.alpha = alpha
        self.eps = eps
        self.max_points = max_points
        self.threshold = threshold
        self.weights = weights
        self.random_state = random_state

    def score(
        self,
        X: Any,
        predict: Any,
        *,
        k: int = 1,
        pairs: Sequence[tuple[str, str]] | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Responsiveness:
        """Score every feature, or every pair of features, for every person.

        Parameters
        ----------
        X : array, pandas or polars table of shape (n, d)
            The columns of the space, all numbers.
        predict : estimator or callable
            A fitted model, or a function from a table like `X` to labels (to numbers when there is a `threshold`).
        k : {1, 2}, default=1
            2: interventions that change two features; some help only together.
        pairs : sequence of (str, str), optional
            Which pairs; by default all pairs of actionable features.
        progress : callable, optional
            ``progress(done, in_all)``, counted in people times items.

        Returns
        -------
        responsiveness : Responsiveness

        Raises
        ------
        TypeError, ValueError
            A column of text, NaN, a person outside the space, a range without end, a target the model does not know.
        """
        base, decide = self._door(X, predict)
        started = time.perf_counter()
        if k not in (1, 2):
            raise ValueError(f"k={k}; scores are for single features (k=1) or for pairs (k=2)")
        if k == 1 and pairs is not None:
            raise ValueError("pairs are scored with k=2")
        items: list[Any] = list(self.space.names) if k == 1 else self._pairs(pairs)
        tally = Tally(len(base), len(items), k, whole=False)
        pieces = singles(self._reachable(), base) if k == 1 else doubles(self._reachable(), base, items)
        count(pieces, base, decide, tally, self.weights, progress, len(base) * len(items))
        result = self._result(X, base, items, tally, decide, started)
        if k == 1:
            self.result_ = result
        return result

    def explain(self, x: Any, predict: Any, *, k: int = 4) -> Reasons:
        """Say what one person could change: the `k` most responsive features, or that none is and whether any change helps.

        Parameters
        ----------
        x : array-like of shape (d,), or a table with one row
        """
        if hasattr(x, "to_frame") and hasattr(x, "index"):  # a row of a pandas table
            x = x.to_frame().T.infer_objects()
        elif not hasattr(x, "columns") and np.ndim(x) == 1:
            x = np.asarray(x, dtype=np.float64)[None]
        base, decide = self._door(x, predict)
        if len(base) != 1:
            raise ValueError(f"explain is about one person, got {len(base)} rows; score takes many")
        if k < 1:
            raise ValueError(f"k={k}; at least one reason is needed")
        started = time.perf_counter()
        names = list(self.space.names)
        tally = count(
            singles(self._reachable(), base), base, decide, Tally(1, len(names), 1, whole=True), self.weights
        )
        result = self._result(x, base, names, tally, decide, started)
        best = [int(j) for j in np.argsort(-result.scores[0], kind="stable")[:k] if result.scores[0, j] > 0]
        witness = None
        verdict = "approved" if result.approved[0] else "responsive"
        if not best and verdict != "approved":
            found = recourse(self._reachable(), base, decide, self.max_points)
            verdict = str(found.status[0])
            witness = self._change(base[0], found.witness[0]) if verdict == "recourse" else None
        changes = {}
        for j in best:
            point = base[0].copy()
            columns, values = tally.nearest[0, j]
            point[columns] = values
            changes[names[j]] = self._change(base[0], point)
        example, now = result.examples[0, best], base[0, best]
        scores = Scores.from_values(
            result.scores[0, best], [names[j] for j in best], lo=result.ci[0, best, 0], hi=result.ci[0, best, 1],
            n=result.n_points[0, best], direction=["up" if up else "down" for up in example > now], now=now,
            example=example, low=result.low[0, best], high=result.high[0, best], meta=result.meta,
        )  # fmt: skip
        return Reasons(verdict, scores, changes, witness, result)

    def is_fixed(self, X: Any, predict: Any) -> Recourse:
        """Tell for each person whether some allowed change of any columns reaches the target.

        "fixed" is said only when every point within reach was tried; past `max_points`, or where columns are drawn, a
        person without a witness is "unknown".

        Returns
        -------
        recourse : Recourse
            ``status``, ``witness``, ``tried``.
        """
        base, decide = self._door(X, predict)
        return recourse(self._reachable(), base, decide, self.max_points)

    def audit(self, ranking: Any, X: Any, predict: Any, *, k: int = 4, by: str = "abs") -> Audit:
        """Judge any ranking as reasons: could the denied change the decision by what they are told?

        Parameters
        ----------
        ranking : array-like or Attributions of shape (n, d)
            SHAP values, LIME weights, scores of your own. A zero or NaN is no reason.
        k : int, default=4
            Reasons per person.
        by : {"abs", "high", "low"}, default="abs"
            Reasons are the largest in size, the most positive, or the most negative values.

        Returns
        -------
        audit : Audit
        """
        return self.audits({"": ranking}, X, predict, k=k, by=by)[""]

    def audits(
        self, rankings: Mapping[str, Any], X: Any, predict: Any, *, k: int = 4, by: str = "abs"
    ) -> dict[str, Audit]:
        """:meth:`audit` of several rankings of the same people by name; the model is asked once for all of them."""
        base, decide = self._door(X, predict)
        if by not in _REASONS:
            raise ValueError(f"by={by!r}; it must be one of {', '.join(map(repr, _REASONS))}")
        if k < 1:
            raise ValueError(f"k={k}; at least one reason is needed")
        strengths = {}
        for name, ranking in rankings.items():
            given = np.asarray(
                ranking.values if isinstance(ranking, Attributions) else ranking, dtype=np.float64
            )
            if given.shape != base.shape:
                raise ValueError(
                    f"a ranking has one value per person and feature, shape {base.shape}; {name or 'this'} has {given.shape}"
                )
            strengths[name] = np.nan_to_num(_REASONS[by](given), nan=0.0)
        tally = Tally(len(base), len(self.space), 1, whole=False)
        helpful = count(singles(self._reachable(), base), base, decide, tally, self.weights).score > 0
        status = recourse(self._reachable(), base, decide, self.max_points).status
        return {name: judged(strength, k, helpful, status) for name, strength in strengths.items()}

    def report(self) -> dict[str, Any]:
        """The last scores as plain values for a page: numbers, ranges, and what they do not say."""
        if not hasattr(self, "result_"):
            raise ValueError("there is nothing to report yet: call score(X, predict) first")
        return {
            **self.result_.report(), "space": self.space.to_dict(), "completion": self.completion,
            "target": str(self.target), "method": "responsiveness",
        }  # fmt: skip

    def _door(self, X: Any, predict: Any) -> tuple[Floats, Decision]:
        """Everything is checked here: parameters, space, people, model."""
        self._validate_params()
        self.space.require()
        base = numbers_of(X, self.space.names)
        if not len(base):
            raise ValueError("X has no rows: there is nobody to score")
        wrong = self.space.check(like(X, base, self.space.names))
        if len(wrong):
            row, columns, rule, value = wrong.row(0)
            raise ValueError(
                f"{len(wrong)} value{'s' if len(wrong) > 1 else ''} of X not in the action space; first, row {row}: "
                f"{columns} = {value} breaks {rule}. space.check(X) lists them; "
                f"change the space with space[...].set(lb=, ub=, kind=, grid=, actionable=), or the data"
            )
        for j, feature in enumerate(self.space):
            feature.require_finite(base[:, j])
        return base, Decision(predict, self.target, self.threshold, X, self.space.names)

    def _reachable(self) -> Reachable:
        """What is within reach, remembered as long as nothing it depends on changes."""
        key = (self.space.digest(), self.completion, self.n_samples, self.max_points, repr(self.random_state))
        if getattr(self, "_kept", (None,))[0] != key:
            seed = int(check_random_state(self.random_state).randint(2**31 - 1))
            self._kept = (key, Reachable(self.space, self.completion, self.n_samples, self.max_points, seed))
        return self._kept[1]

    def _pairs(self, given: Sequence[tuple[str, str]] | None) -> list[tuple[str, str]]:
        able = [feature.name for feature in self.space if feature.actionable]
        pairs = list(combinations(able, 2)) if given is None else [(a, b) for a, b in given]
        for a, b in pairs:
            if not (self.space[a].actionable and self.space[b].actionable) or a == b:
                raise ValueError(f"a pair is two different actionable features, got {(a, b)}")
        if not pairs:
            raise ValueError("there are fewer than two actionable features: there is no pair")
        return pairs

    def _result(
        self, X: Any, base: Floats, items: list[Any], tally: Tally, decide: Decision, started: float
    ) -> Responsiveness:
        approved = np.concatenate([decide(base[i : i + CHUNK]) for i in range(0, len(base), CHUNK)])
        said = []
        if approved.any():
            said.append(
                f"{int(approved.sum())} of {len(base)} have the target already: their scores are how safe it is"
            )
        unfinished = int((tally.status == "incomplete").sum())
        if unfinished:
            said.append(f"{unfinished} scores rest on the points the solver found before its limit")
        needed = draws_to_exclude(self.eps, self.alpha)
        if (tally.status == "sampled").any() and self.n_samples < needed:
            said.append(
                f"n_samples={self.n_samples} is too few to say that a score is below {self.eps:g}: {needed} misses would"
            )
        params = {name: value for name, value in self.get_params(deep=False).items() if name != "space"}
        meta = Meta(
            method="responsiveness", params={**params, "space": self.space.digest()},
            seed=self.random_state if isinstance(self.random_state, int) else None, data=(fingerprint(X),),
            rows=len(base), unit="share of interventions", interval=Interval("Clopper-Pearson", 1 - self.alpha),
            warnings=tuple(said), seconds=time.perf_counter() - started,
        )  # fmt: skip
        return Responsiveness(tally, items, approved, alpha=self.alpha, eps=self.eps, data=base, meta=meta)

    def _change(self, before: Floats, after: Floats) -> dict[str, float]:
        return {self.space.names[j]: float(after[j]) for j in np.flatnonzero(after != before)}


_REASONS: dict[str, Callable[[Floats], Floats]] = {
    "abs": np.abs, "high": lambda v: np.maximum(v, 0.0), "low": lambda v: np.maximum(-v, 0.0)
}  # fmt: skip
