"""Select columns by what a small Kolmogorov-Arnold network learns from them."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from math import ceil
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.base import BaseEstimator
from sklearn.feature_selection import SelectorMixin
from sklearn.model_selection import KFold, StratifiedKFold, check_cv
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, RealNotInt, StrOptions
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted, validate_data

from salience.results.meta import Meta
from salience.results.scores import Scores
from salience.tabular.kan.fold import Design, Fold, overlap, redundancy, trained_fold
from salience.tabular.kan.shares import SCORES, kind_of, shares
from salience.tabular.kan.targets import TASKS, Target, target_of
from salience.verify.fingerprints import fingerprint

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["KANSelector"]

Floats = NDArray[np.float64]

OUTSIDE = 0.05  # share of the inputs beyond the knots from which it is said
COMPARED = (("l1", "contrib"), ("l2", "contrib"))
AGREE = 0.5  # rank correlation of L1 and L2 below which the cause is looked for


class KANSelector(SelectorMixin, BaseEstimator):
    r"""Keep the columns that matter to the first layer of a Kolmogorov-Arnold network.

    In each fold the columns are standardised and a network ``[d, hidden, outputs]`` of splines is trained; on the
    rows it has not seen, each column gets a score from the functions :math:`\phi_{oi}` of its edges. Scores are
    divided by their sum (shares), and averaged over the folds:

    - **l1**, **l2**: how large what the column adds is, on average, :math:`\overline{|\phi|}` or
      :math:`\sqrt{\overline{\phi^2}}`; or how large its coefficients are;
    - **si**: how fast the outputs change with it, :math:`\overline{|\partial_i \sum_c |f_c||}`;
    - **ko**: how much the held-out loss grows when its functions are set to 0, :math:`\max(0, \Delta)`;
    - **attr**: how much of the spread of the outputs comes through it, traced back edge by edge.

    Use it for tables of numbers of up to a few hundred columns, when the one-dimensional curve of each kept column
    is wanted as well (`plot_curves`). Do not use **ko** alone where columns are correlated: taking out one of two
    twins changes little, and both look unimportant. **l2** is ruled by outliers.

    Parameters
    ----------
    importance : {"l1", "l2", "si", "ko", "attr"}, default="l1"
        Not called ``score``: scikit-learn takes an attribute of that name for a method.
    kind : str, optional
        ``"contrib"`` (default), ``"coef"`` or ``"contrib_centred"`` for l1 and l2; ``"abs"`` (default) or
        ``"jacobian"`` for si. The paper's text says coefficients for l1 and l2, its code takes contributions.
        Coefficients say nothing of the silu branch.
    keep : float or int, default=0.4
        A share of the columns in (0, 1], rounded up, or their number.
    grid, order : int, default=2, 1
        Of the splines: intervals, and degree.
    epochs : int, default=100
    lr : float, default=1e-3
        Of Adam.
    batch_size : int, default=64
    hidden : int, optional
        Nodes between the layers; ``2 d + 1`` by default, which makes ``2 d**2`` edges.
    cv : int or splitter, default=5
        Folds; an int is shuffled, with even shares of the classes.
    task : {"auto", "classes", "numbers"}, default="auto"
        What `y` is: see :func:`salience.tabular.kan.targets.target_of`.
    span : float or "auto", default="auto"
        The grid covers ``[-span, span]`` standard deviations: 1 as in the paper up to order 2, and 2 from order 3,
        where a third of the values would have left it. Beyond the knots, `order` steps further out, the spline
        part is 0.
    clip : bool, default=False
        Clip the standardised columns to the span of the knots. Else a value of 10 standard deviations meets the
        silu, which has no bound, and rules **l2**.
    progress : callable, optional
        ``progress(epochs done, epochs in all)``, over all folds.
    random_state : int, RandomState or None, default=0
        Of the folds, the first weights and the order of the rows.

    Attributes
    ----------
    scores_ : Scores
        ``value``: mean share over the folds; ``se``: of that mean (folds share rows: a lower bound); ``raw``: the mean
        before normalising; for l1 and l2 the share of each other kind; replicates: the folds. When the network learned
        nothing all columns have the flag "untrained", and the values of ``ko`` are signed differences of loss.
    fold_scores_ : ndarray of shape (folds, d)
        Shares.
    stability_ : float
        Mean Jaccard index of the columns kept by two folds; NaN where there is one fold.
    redundancy_ : Redundancy
        Mean absolute correlation among the kept and among all columns.
    heldout_loss_, null_loss_ : ndarray of shape (folds,)
        Cross-entropy, or mean squared error in units of the variance; and that of the class shares or the mean.
    models_ : list of KAN
        One per fold, on columns standardised by `centre_` and `spread_`, both of shape (folds, d).
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Raises
    ------
    ValueError
        NaN or inf, a constant target, fewer than 2 rows of a class on a side of a fold, `keep` out of range, an
        unknown score or kind.

    Warns
    -----
    UserWarning
        When more than 5 % of the standardised values lie beyond the knots, when the held-out loss is not below
        that of knowing nothing, and when L1 and L2 disagree. ``scores_.meta.warnings`` has the texts too.

    References
    ----------
    Splines-Based Feature Importance in Kolmogorov-Arnold Networks: A Framework for Supervised Tabular Data
    Dimensionality Reduction, arXiv:2509.23366. Their evaluation lets the selection see the test rows; put this
    selector into a pipeline instead, and cross-validate that.

    Examples
    --------
    >>> from sklearn.datasets import make_friedman1
    >>> from salience.tabular import KANSelector
    >>> X, y = make_friedman1(300, 8, random_state=0)  # x0 to x4 matter
    >>> KANSelector(keep=5, epochs=30, lr=0.01, cv=2).fit(X, y).get_support()
    array([ True,  True,  True,  True,  True, False, False, False])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "importance": [StrOptions(set(SCORES))],
        "kind": [str, None],
        "keep": [
            Interval(Integral, 1, None, closed="left"),
            Interval(RealNotInt, 0, 1, closed="right"),
        ],
        "grid": [Interval(Integral, 1, None, closed="left")],
        "order": [Interval(Integral, 1, None, closed="left")],
        "epochs": [Interval(Integral, 1, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "hidden": [Interval(Integral, 1, None, closed="left"), None],
        "cv": ["cv_object"],
        "task": [StrOptions({"auto", *TASKS})],
        "span": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "clip": ["boolean"],
        "progress": [callable, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        importance: str = "l1",
        *,
        kind: str | None = None,
        keep: float | int = 0.4,
        grid: int = 2,
        order: int = 1,
        epochs: int = 100,
        lr: float = 1e-3,
        batch_size: int = 64,
        hidden: int | None = None,
        cv: Any = 5,
        task: str = "auto",
        span: float | str = "auto",
        clip: bool = False,
        progress: Callable[[int, int], object] | None = None,
        random_state: Any = 0,
    ) -> None:
        self.importance = importance
        self.kind = kind
        self.keep = keep
        self.grid = grid
        self.order = order
        self.epochs = epochs
        self.lr = lr
        self.batch_size = batch_size
        self.hidden = hidden
        self.cv = cv
        self.task = task
        self.span = span
        self.clip = clip
        self.progress = progress
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Self:
        """Train a network per fold and score the columns on the rows it has not seen.

        Parameters
        ----------
        X : array, pandas or polars table of shape (n, d)
            Finite numbers.
        y : array of shape (n,) or (n, T)
            Classes or numbers.

        Returns
        -------
        self
        """
        started = time.perf_counter()
        self._validate_params()
        kind = kind_of(self.importance, self.kind)
        values, y = validate_data(self, X, y, dtype=np.float64, multi_output=True, ensure_min_samples=2)
        width = values.shape[1]
        if isinstance(self.keep, Integral) and self.keep > width:
            raise ValueError(
                f"keep={self.keep} columns, but there are {width}; keep at most so many, or a share"
            )
        target = target_of(y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y, self.task)
        random = check_random_state(self.random_state)
        splits = list(self._splitter(target, random).split(values, target.strata()))
        folds = [
            trained_fold(values, target, *split, design=self._design(), scores=self._scored(kind),
                         seed=int(random.randint(2**31)), progress=self._telling(number, len(splits)))
            for number, split in enumerate(splits)
        ]  # fmt: skip
        self.models_ = [fold.model for fold in folds]
        self.centre_ = np.array([fold.centre for fold in folds])
        self.spread_ = np.array([fold.spread for fold in folds])
        self.heldout_loss_ = np.array([fold.loss for fold in folds])
        self.null_loss_ = np.array([fold.null for fold in folds])
        self.slopes_ = np.array([fold.slopes for fold in folds])
        self.fold_scores_ = np.array([shares(fold.raw[self.importance, kind]) for fold in folds])
        self.n_kept_ = self.keep if isinstance(self.keep, Integral) else ceil(round(self.keep * width, 9))
        notes = tuple(self._notes(folds))
        for note in notes:
            warnings.warn(note, UserWarning, stacklevel=2)
        meta = Meta(
            method="kan",
            params=self.get_params(deep=False) | {"kind": kind},
            seed=int(self.random_state) if isinstance(self.random_state, Integral) else None,
            data=(fingerprint(X if hasattr(X, "columns") else values),),
            rows=len(values),
            unit="loss" if self.importance == "ko" and not self._learned() else "share",
            additive=True,
            replicate_of="fold",
            warnings=notes,
            seconds=time.perf_counter() - started,
            extra={"heldout_loss": self.heldout_loss_, "null_loss": self.null_loss_},
        )
        self.scores_: Scores = self._scores_of(folds, kind, np.ptp(values, axis=0) == 0, meta)
        self.stability_ = overlap(self.fold_scores_, self.n_kept_)
        self.redundancy_ = redundancy(values, self._get_support_mask())
        return self

    def plot_curves(
        self, columns: Sequence[str] | None = None, *, output: int = -1, ax: Axes | None = None
    ) -> Axes:
        """Draw the learned curve of each kept column, see :func:`salience.tabular.kan.curves.plot_curves`."""
        from salience.tabular.kan.curves import plot_curves  # matplotlib is loaded by those who draw

        return plot_curves(self, columns, output=output, ax=ax)

    def _get_support_mask(self) -> NDArray[np.bool_]:
        check_is_fitted(self, "scores_")
        mask = np.zeros(self.n_features_in_, dtype=bool)
        mask[self.scores_.order()[: self.n_kept_]] = True
        return mask

    def _splitter(self, target: Target, random: np.random.RandomState) -> Any:
        if not isinstance(self.cv, Integral):
            return check_cv(self.cv)
        shuffled = StratifiedKFold if target.strata() is not None else KFold
        return shuffled(self.cv, shuffle=True, random_state=int(random.randint(2**31)))

    def _design(self) -> Design:
        wide = 1.0 if self.order < 3 else 2.0
        span = wide if self.span == "auto" else float(self.span)
        return Design(
            self.grid, self.order, span, self.clip, self.hidden, self.epochs, self.lr, self.batch_size
        )

    def _scored(self, kind: str) -> list[tuple[str, str]]:
        """The score, its other kinds, and what L1 and L2 are compared by."""
        kinds = [(self.importance, kind), *((self.importance, other) for other in SCORES[self.importance])]
        return list(dict.fromkeys([*kinds, *COMPARED] if self.importance in ("l1", "l2") else kinds))

    def _telling(self, fold: int, folds: int) -> Callable[[int], object] | None:
        tell = self.progress
        if tell is None:
            return None
        return lambda epoch: tell(fold * self.epochs + epoch, folds * self.epochs)

    def _learned(self) -> bool:
        return bool(self.heldout_loss_.mean() < self.null_loss_.mean())

    def _notes(self, folds: Sequence[Fold]) -> Iterator[str]:
        outside = float(np.mean([fold.outside for fold in folds]))
        if outside > OUTSIDE:
            yield (
                f"{outside:.0%} of the standardised values lie beyond the knots, where the splines are 0 and only the "
                "silu is left: take a wider span=, or clip=True"
            )
        if not self._learned():
            yield (
                f"the network learned nothing: its held-out loss is {self.heldout_loss_.mean():.3g}, that of knowing "
                f"nothing {self.null_loss_.mean():.3g}. The scores are noise. If there is something to learn, it learned its "
                "rows by heart: take fewer epochs="
            )
        elif self.importance in ("l1", "l2") and self.n_features_in_ > 3:
            l1, l2 = (np.mean([shares(fold.raw[key]) for fold in folds], axis=0) for key in COMPARED)
            agree = spearmanr(l1, l2).statistic
            if agree < AGREE:
                first = np.argsort(-l2)[: self.n_kept_]
                reach = np.max([fold.reach for fold in folds], axis=0)[first]
                yield (
                    f"l1 and l2 order the columns differently (rank correlation {agree:.2f}): l2 is ruled by outliers; "
                    f"{self._names()[first[reach.argmax()]]!r}, among its first, reaches {reach.max():.0f} standard "
                    'deviations. Use clip=True, or kind="contrib_centred"'
                )

    def _scores_of(self, folds: Sequence[Fold], kind: str, constant: NDArray[np.bool_], meta: Meta) -> Scores:
        raw = np.array([fold.raw[self.importance, kind] for fold in folds])
        values = self.fold_scores_ if meta.unit == "share" else raw
        others = {
            other: np.mean([shares(fold.raw[self.importance, other]) for fold in folds], axis=0)
            for other in SCORES[self.importance]
            if other != kind
        }
        flag = None if self._learned() else "untrained"
        return Scores.from_values(
            values.mean(0),
            self._names(),
            replicates=values,
            meta=meta,
            se=values.std(0, ddof=1) / np.sqrt(len(values))
            if len(values) > 1
            else np.full(values.shape[1], np.nan),
            raw=raw.mean(0),
            flag=pl.Series(["constant" if still else flag for still in constant], dtype=pl.String),
            **others,
        )

    def _names(self) -> list[str]:
        return [str(name) for name in _check_feature_names_in(self)]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        return tags
