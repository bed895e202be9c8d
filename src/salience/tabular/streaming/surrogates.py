"""How much a small model gains from a candidate: OutRank's surrogate heuristics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import TruncatedSVD
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.random_projection import SparseRandomProjection
from sklearn.svm import SVC

from salience.parallel import pmap
from salience.results.meta import Meta
from salience.results.scores import Scores
from salience.tabular.streaming.categorical import CategoricalSample
from salience.tabular.streaming.reference import (
    Candidate,
    Reference,
    ReferenceLike,
    as_candidate,
    candidate_name,
)

__all__ = ["SURROGATES", "Surrogate", "surrogate_scores"]


@dataclass(frozen=True)
class Surrogate:
    """A small model by name.

    Attributes
    ----------
    build : callable
        ``build(n_features, seed)`` makes the unfitted classifier.
    rows : int
        Rows it is fitted on unless the caller says otherwise: what it does within a fraction of a second.
    meaning : str
        One line for the command line and the docs.
    """

    build: Callable[[int, int], Any]
    rows: int
    meaning: str


def _sgd(n_features: int, seed: int) -> Any:
    return SGDClassifier(loss="log_loss", max_iter=100_000, random_state=seed)


def _svm(n_features: int, seed: int) -> Any:
    return CalibratedClassifierCV(SVC(gamma="auto", random_state=seed), cv=2, ensemble=False)


def _projected(n_features: int, seed: int) -> Any:
    width = min(n_features, 1024)
    return make_pipeline(SparseRandomProjection(n_components=width, random_state=seed), _sgd(width, seed))


def _svd(n_features: int, seed: int) -> Any:
    if n_features <= _SVD_DIMS:
        return _sgd(n_features, seed)
    return make_pipeline(TruncatedSVD(n_components=_SVD_DIMS, random_state=seed), _sgd(_SVD_DIMS, seed))


def _lr(n_features: int, seed: int) -> Any:
    return LogisticRegression(max_iter=1000, random_state=seed)


_SVD_DIMS = 2  # as in the package

SURROGATES: Mapping[str, Surrogate] = {
    "surrogate-SGD": Surrogate(_sgd, 20_000, "logistic regression by stochastic gradient descent"),
    "surrogate-SVM": Surrogate(_svm, 2_000, "RBF support vector machine with calibrated probabilities"),
    "surrogate-SGD-RP": Surrogate(_projected, 20_000, "the same as SGD on a sparse random projection"),
    "surrogate-SGD-SVD": Surrogate(_svd, 20_000, "the same as SGD on two singular directions"),
    "surrogate-LR": Surrogate(_lr, 20_000, "logistic regression, solved to convergence"),
}


def surrogate_scores(
    X: Any,
    y: Any,
    *,
    candidates: Iterable[str | Sequence[str]] | None = None,
    reference: ReferenceLike = None,
    heuristic: str = "surrogate-SGD",
    rows: int | None = None,
    folds: int = 2,
    seed: int = 0,
    n_jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Scores:
    """Score candidates by the log loss of a small model that has them beside what it has already.

    The score is ``1 - median over folds of the log loss`` of a classifier on the one-hot code of the
    reference model's features and the candidate. With a reference it answers "what would add to the model
    we have?".

    Parameters
    ----------
    X : frame, mapping of columns, or array of shape (n, d)
        Values are taken as categories; missing is a category; floating-point columns are binned.
    y : str or array-like of shape (n,)
        The label, a column of X or an array.
    candidates : sequence of str or tuple of str, optional
        Columns, or tuples of columns that are combined; default: every column but those the reference has
        as singles.
    reference : optional
        The model we have: a path or object in OutRank's JSON form, a list of features, or None for no model.
    heuristic : str
        One of ``SURROGATES``.
    rows : int, optional
        Size of the seeded, stratified sample of rows; the default depends on the model.
    folds : int
        Of the cross-validation; the same folds for every candidate, so gains are paired.
    seed : int
    n_jobs : int
        Threads; the model fits of scikit-learn release the GIL for most of their time.
    progress : callable, optional
        ``progress(done, total)``.

    Returns
    -------
    Scores
        Of columns: ``column`` (display name), ``value``, ``gain`` (value minus that of the reference alone,
        or of the
        class shares when there is none), ``se`` (of the gain, over folds), ``log_loss``, ``members``.

    Raises
    ------
    ValueError
        For an unknown heuristic or column, a constant label, a class with fewer rows than folds.

    Notes
    -----
    In the package these heuristics raise "Expected 2D array" without a reference model, and "surrogate-LR"
    silently scores 0. The package embeds all rows before it splits (SVD) and scores folds in file order;
    here the embedding is part of the model and rows are shuffled.

    Examples
    --------
    >>> X = {"good": ["a", "b"] * 200, "noise": ["u", "u", "v", "v"] * 100}
    >>> scores = surrogate_scores(X, [0, 1] * 200, heuristic="surrogate-LR")
    >>> scores.top(1).items
    ['good']
    """
    if heuristic not in SURROGATES:
        raise ValueError(f"heuristic={heuristic!r} is unknown; the surrogates are {', '.join(SURROGATES)}.")
    surrogate, model = SURROGATES[heuristic], Reference.of(reference)
    sample = CategoricalSample(X, y, rows=surrogate.rows if rows is None else rows, seed=seed)
    model.check(sample.columns)
    wanted = _wanted(candidates, model, sample)
    judge = Judge(sample, surrogate, folds, seed)
    base = judge.losses(model.features)
    losses = np.array(
        pmap(
            lambda c: judge.losses((*model.features, c)),
            wanted,
            n_jobs=n_jobs,
            threads=True,
            progress=progress,
        )
    ).reshape(len(wanted), folds)
    gains = base - losses
    frame = pl.DataFrame(
        {
            "column": [candidate_name(c) for c in wanted],
            "value": 1 - np.median(losses, axis=1),
            "gain": np.median(base) - np.median(losses, axis=1),
            "se": gains.std(axis=1, ddof=1) / np.sqrt(folds),
            "log_loss": np.median(losses, axis=1),
            "members": [list(c) for c in wanted],
        },
        schema_overrides={"members": pl.List(pl.String)},
    )
    reference_loss = float(np.median(base))
    params = {"heuristic": heuristic, "folds": folds, "reference": [list(c) for c in model.features]}
    return Scores(
        frame=frame,
        keys=("column",),
        item="column",
        better="high",
        meta=Meta(
            method=heuristic,
            params=params,
            seed=seed,
            rows=len(sample.labels),
            unit="1 - nats",
            extra={"reference_log_loss": reference_loss, "rows_in_all": sample.rows_in_all},
        ),
    )


class Judge:
    """Cross-validated log loss of a surrogate on any set of features, always over the same folds."""

    def __init__(self, sample: CategoricalSample, surrogate: Surrogate, folds: int, seed: int) -> None:
        fewest = int(np.bincount(sample.labels).min())
        if folds < 2 or fewest < folds:
            raise ValueError(
                f"folds={folds}: it must be at least 2, and at most the {fewest} rows of the rarest class "
                f"in the sample of {len(sample.labels)} rows. Raise rows, or join rare classes."
            )
        self.sample, self.surrogate, self.seed = sample, surrogate, seed
        splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
        self.splits = list(splitter.split(np.zeros(len(sample.labels)), sample.labels))

    def losses(self, features: Sequence[Candidate]) -> NDArray[np.float64]:
        """Log loss per fold in nats, shape (folds,); without a feature, that of the class shares."""
        return np.array([self.row_losses(features, *split).mean() for split in self.splits])

    def row_losses(
        self, features: Sequence[Candidate], train: NDArray[Any], test: NDArray[Any]
    ) -> NDArray[np.float64]:
        """Log loss of each row of ``test`` under the model fitted on ``train``, shape (len(test),)."""
        chances = self.probabilities(features, train, test)
        own = chances[np.arange(len(test)), self.sample.labels[test]]
        return -np.log(np.maximum(own, np.finfo(np.float64).eps))  # as scikit-learn clips

    def probabilities(
        self, features: Sequence[Candidate], train: NDArray[Any], test: NDArray[Any]
    ) -> NDArray[np.float64]:
        """Class probabilities of ``test`` under the model fitted on ``train``, shape (len(test), classes)."""
        y, n_classes = self.sample.labels[train], len(self.sample.classes)
        if not features:
            shares = np.bincount(y, minlength=n_classes) / len(train)
            return np.tile(shares, (len(test), 1))
        design = self.sample.one_hot(features)
        fitted = self.surrogate.build(design.shape[1], self.seed).fit(design[train], y)
        chances = np.zeros((len(test), n_classes))
        chances[:, fitted.classes_] = fitted.predict_proba(design[test])
        return chances


def _wanted(
    candidates: Iterable[str | Sequence[str]] | None, model: Reference, sample: CategoricalSample
) -> list[Candidate]:
    taken = {frozenset(feature) for feature in model.features}
    wanted: list[Candidate]
    if candidates is None:
        wanted = [(c,) for c in sample.columns if frozenset((c,)) not in taken]
    else:
        wanted = list(dict.fromkeys(as_candidate(c) for c in candidates))
    unknown = [c for candidate in wanted for c in candidate if c not in sample.columns]
    if unknown:
        raise ValueError(
            f"candidates name columns the data do not have: {', '.join(dict.fromkeys(unknown))}. "
            f"The data have: {', '.join(sample.columns)}."
        )
    if not wanted:
        raise ValueError("There is no candidate: the reference model has every column already.")
    return wanted
