"""How strongly could features interact, in any model that predicts as well as this one?"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import HasMethods, StrOptions
from sklearn.utils._param_validation import Interval as Within
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from salience.measures.sensitivity.permutation import PermutationEffects
from salience.measures.sensitivity.shuffles import SHUFFLES
from salience.results import Meta
from salience.results.meta import Interval
from salience.tabular.rashomon import clouds
from salience.tabular.rashomon.members import Plan, Rows, held_out, listed_members, loss_of, masked_members
from salience.tabular.rashomon.parts import (
    centre_of,
    image_parts,
    image_rows,
    notes_on,
    table_of,
    table_parts,
)
from salience.verify.fingerprints import fingerprint

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["RashomonExplorer"]

UNUSED = 1e-9  # of the reference loss: an effect that counts as none
OUT_OF_SET = 0.2  # share of joint models outside the set from which a warning is due


class RashomonExplorer(BaseEstimator):
    """The range of main effects and interactions over models that predict about as well as a given one.

    Many models share the least loss, and they can differ in what they make of the features. With the loss L, the
    model f* and its loss L* on held-out rows, the *Rashomon set* is

    ``R(eps) = {f : L(f) <= L* + eps}``.

    Its members are sought among the masked models ``f_m(x) = f*(c + m (x - c))``, one factor for each feature: a walk
    in either direction finds the masks at which the loss has used up 0, delta, 2 delta, ..., 1 of eps. In each member

    ``phi_I(f) = E[L(f(X with the columns I shuffled), y)] - L(f)``

    ``FIS_I(f) = phi_I(f) - sum over i in I of phi_i(f)``

    and the *cloud* of I is ``{FIS_I(f) : f in R}``. For a pair the budget is split in all ways on the grid, each part
    in both directions: 36 joint models for ``delta=0.1``. A joint model may fall out of R though each of its masks
    alone does not: it is marked, and left out with `in_set_only`.

    For the squared error and independent features ``FIS_ij`` is minus twice the total interaction variance of i and j:
    *negative* where they interact. Correlation adds to it (two standard normal addends of correlation rho: 2 rho under
    independent shuffles, 4 rho under joint ones), so the correlation is shown beside each score.

    The set of masked models is an inner approximation of R: ranges are lower bounds.

    Parameters
    ----------
    model : fitted estimator, torch module or function of rows, optional
        The reference f*. An estimator that is not fitted yet is fitted on a part of the rows and explained on the
        others. May be None where `models` are given: the best of them is the reference.
    loss : str or callable, default="auto"
        "mean_squared_error", "mean_absolute_error", "root_mean_squared_error", "r2", "log_loss", "zero_one_loss" (also
        "accuracy"), "auc"; scores are taken as one minus the score. Or ``loss(y, predictions) -> float`` to be
        minimised. "auto": log-loss for classifiers with probabilities, error rate for those without, squared error else.
    epsilon_rate : float, default=0.05
        Tolerance as a share of the reference loss.
    epsilon : float, optional
        Tolerance in units of the loss, in place of the rate.
    delta : float, default=0.1
        Step of the budgets; must divide 1.
    centre : {"mean", "zero"} or array of shape (d,), optional
        About what masks act. By default the mean of each column ("zero" for images): scaling about 0 also shifts.
        "zero" is what the paper does.
    order : int, default=2
        Features in a subset.
    subsets : sequence of tuples of features, optional
        By default all of `order`.
    groups : mapping of str to sequence of columns, optional
        Columns that are masked and shuffled as one feature: the indicators of a category.
    segments : integer array of shape (height, width), optional
        The features are the segments of images; `X` is then (images, height, width[, channels]). A mask scales the
        pixels of a segment, a shuffle lets them change places within it.
    models : sequence of fitted models, optional
        Members to look at in place of masked models: other seeds, trees, pruned variants. Those outside R are left out.
    permutation : {"independent", "joint", "conditional"}, default="independent"
        Each column of a subset by a shuffle of its own; all by one; or from near rows in the other columns.
    shuffles : int, default=30
        Shuffles averaged, T. All members see the same ones, so a range is not made of their noise.
    screen_shuffles : int, optional
        Look at all subsets with so many shuffles first, ...
    top : int, default=20
        ... and again with all of them at the `top` subsets of the widest range.
    in_set_only : bool, default=False
        Leave joint models outside R out of ranges and replicates.
    radii : sequence of float, default=(1.0,)
        Shares of eps that joint models may spend; each is one ring of the halo.
    drop_unused : bool, default=True
        Leave out features whose main effect in the reference is 0.
    test_size : float, default=0.5
        Share of rows that an unfitted model is explained on.
    n_jobs : int, default=1
        Threads; the result does not depend on it.
    random_state : int, default=0
    progress : callable, optional
        ``progress(done, total)`` of each stage.

    Attributes
    ----------
    scores_ : Scores
        One row per subset. ``value``: FIS in the reference; ``se``: its standard error; ``lo``, ``hi``, ``range``,
        ``mean``, ``sd``: of the cloud, with the reference; ``in_set_lo``, ``in_set_hi``: of its members in R;
        ``in_set``: their share; ``correlation``. The replicates are the cloud.
    column_scores_ : Scores
        The same for main effects: how far the class of models relies on each feature.
    reference_ : PermutationEffects
    reference_loss_, epsilon_ : float
    samples_ : polars.DataFrame
        The members with one mask: feature, direction, budget, m, loss, and why the walk ended short of its budgets
        ("insensitive": the loss never changed; "plateau": it no longer did; "bound": ``|m|`` is 1000). With `models`:
        model, loss, in_set.
    attribution_cloud_, interaction_cloud_ : polars.DataFrame
        One row per feature or subset and member: masks, loss, effects, ``in_set``.
    dropped_ : list of str
        Features that the reference does not use.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Raises
    ------
    ValueError, TypeError
        When the tolerance is not positive (reference loss 0: give an absolute one), `delta` does not divide 1, columns
        are not numbers, labels or subsets are unknown, or the loss needs probabilities that the model has not.

    Warns
    -----
    UserWarning
        When rows were seen in training, a column is constant, or more than a fifth of the joint models is outside R.

    References
    ----------
    Exploring the cloud of feature interaction scores in a Rashomon set, arXiv:2305.10181. Joint effects here shuffle
    every column of the subset and all effects of a score are of one model; in the first public code only the last column
    was shuffled, and main effects came from other models.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(400, 3))
    >>> y = X @ [1.0, 0.5, 0.2] + rng.normal(size=400)
    >>> explorer = RashomonExplorer(LinearRegression().fit(X[:200], y[:200])).fit(X[200:], y[200:])
    >>> explorer.samples_.filter(pl.col("feature") == "x0")["m"].round(2).to_list()[::5]
    [1.0, 1.08, 1.13, 0.76, 0.7]
    """

    _parameter_constraints: dict = {  # noqa: RUF012  (as scikit-learn has it)
        "model": [HasMethods("predict"), callable, None],
        "loss": [str, callable],
        "epsilon_rate": [Real],
        "epsilon": [Real, None],
        "delta": [Within(Real, 0, 1, closed="right")],
        "centre": [StrOptions({"mean", "zero"}), "array-like", None],
        "order": [Within(Integral, 2, 8, closed="both")],
        "subsets": [list, tuple, None],
        "groups": [dict, None],
        "segments": ["array-like", None],
        "models": [list, tuple, None],
        "permutation": [StrOptions(set(SHUFFLES))],
        "shuffles": [Within(Integral, 1, None, closed="left")],
        "screen_shuffles": [Within(Integral, 1, None, closed="left"), None],
        "top": [Within(Integral, 1, None, closed="left")],
        "in_set_only": ["boolean"],
        "radii": [list, tuple],
        "drop_unused": ["boolean"],
        "test_size": [Within(Real, 0, 1, closed="neither")],
        "n_jobs": [Integral],
        "random_state": [Within(Integral, 0, None, closed="left")],
        "progress": [callable, None],
    }

    def __init__(
        self,
        model: Any = None,
        *,
        loss: str | Callable[..., float] = "auto",
        epsilon_rate: float = 0.05,
        epsilon: float | None = None,
        delta: float = 0.1,
        centre: Any = None,
        order: int = 2,
        subsets: Sequence[Sequence[Any]] | None = None,
        groups: Mapping[str, Sequence[Any]] | None = None,
        segments: Any = None,
        models: Sequence[Any] | None = None,
        permutation: str = "independent",
        shuffles: int = 30,
        screen_shuffles: int | None = None,
        top: int = 20,
        in_set_only: bool = False,
        radii: Sequence[float] = (1.0,),
        drop_unused: bool = True,
        test_size: float = 0.5,
        n_jobs: int = 1,
        random_state: int = 0,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.model = model
        self.loss = loss
        self.epsilon_rate = epsilon_rate
        self.epsilon = epsilon
        self.delta = delta
        self.centre = centre
        self.order = order
        self.subsets = subsets
        self.groups = groups
        self.segments = segments
        self.models = models
        self.permutation = permutation
        self.shuffles = shuffles
        self.screen_shuffles = screen_shuffles
        self.top = top
        self.in_set_only = in_set_only
        self.radii = radii
        self.drop_unused = drop_unused
        self.test_size = test_size
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.progress = progress

    def fit(self, X: Any, y: Any = None, *, seen: Any = None) -> Self:
        """Search the Rashomon set on held-out rows, and measure effects in its members.

        Parameters
        ----------
        X : array or frame of shape (n, d), or images
            Rows that the model was not trained on: on training rows the tolerance of an overfitted model is tiny.
        y : array of shape (n,)
        seen : array or frame, optional
            The rows the model was trained on; a warning where half of `X` is among them.

        Returns
        -------
        self
        """
        started = time.perf_counter()
        self.__dict__.pop("scores_", None)  # an interrupted fit is none
        self._validate_params()
        grid = clouds.budget_grid(self.delta)
        ways = clouds.splits(self.order, grid, self.radii)
        if self.model is None and not self.models:
            raise ValueError("give a fitted model, or several of them as models=[...]")
        split = (self.test_size, self.random_state)
        model, *own = held_out(self.model, *self._checked(X, y), *split)
        rows = self._rows_of(*own)
        parts, notes = rows.parts, notes_on(rows.X, rows.parts, seen)
        for note in notes:
            warnings.warn(note, UserWarning, stacklevel=2)
        questions = [rows.question(one, self.loss) for one in self.models or ()]
        question = min(questions, key=loss_of) if model is None else rows.question(model, self.loss)
        everything = [(part,) for part in range(len(parts.names))]
        alone = question.effects(everything, self.shuffles)
        self.reference_loss_ = alone.loss
        self.epsilon_ = clouds.tolerance(self.epsilon, self.epsilon_rate, alone.loss)
        unused = np.abs(alone.effect) <= UNUSED * max(abs(alone.loss), float(np.finfo(float).tiny))
        self.dropped_ = [n for n, no in zip(parts.names, unused, strict=True) if no and self.drop_unused]
        active = [part for part, name in enumerate(parts.names) if name not in self.dropped_]
        subsets = parts.subsets(self.subsets, self.order, active)
        plan = Plan(
            active, subsets, alone.loss, self.epsilon_, self.shuffles, self.screen_shuffles, self.top, self.n_jobs,
            self.progress,
        )  # fmt: skip
        if self.models is None:
            found = masked_members(question, plan, parts.names, grid, ways)
        else:
            found = listed_members(questions, plan)
        self.reference_: PermutationEffects = question.effects(everything + subsets, self.shuffles)
        self.samples_ = found.samples
        singles = [(part,) for part in active]
        frame = partial(clouds.cloud_frame, names=parts.names, limit=plan.limit)
        self.attribution_cloud_ = frame(singles, found.singles, members=found.single_members)
        self.interaction_cloud_ = frame(subsets, found.joints, members=found.joint_members)
        self._rows, self._question = rows, question
        meta = self._meta(rows, question.loss.name, notes, started)
        known = (self.reference_, parts, rows.X)
        table = partial(clouds.cloud_scores, *known, limit=plan.limit, in_set_only=self.in_set_only)
        self.column_scores_ = table(singles, found.singles, meta=meta)
        scores = table(subsets, found.joints, order=self.order, meta=meta, shuffles=found.shuffles)
        outside = 1 - float(np.mean(self.interaction_cloud_["in_set"].to_numpy())) if subsets else 0.0
        if outside > OUT_OF_SET:
            note = f"{outside:.0%} of the joint models are outside the Rashomon set; see in_set_only"
            warnings.warn(note, UserWarning, stacklevel=2)
            scores = scores.replace(meta=scores.meta.warn(note))
        self.scores_ = scores
        return self

    def _checked(self, X: Any, y: Any) -> tuple[Any, NDArray[Any], Any]:
        """Rows, target, and the frame they came in."""
        if self.segments is not None:
            return (*image_rows(X, column_or_1d(y, warn=True)), None)
        array, _, frame = (X, None, None) if hasattr(X, "tocsr") else table_of(X)
        least = {"ensure_min_samples": 2, "ensure_min_features": self.order}
        rows, target = validate_data(self, X if frame is None else array, y, dtype=np.float64, **least)
        if frame is not None:
            validate_data(self, X, skip_check_array=True)
        return rows, np.asarray(target), frame

    def _rows_of(self, X: Any, y: NDArray[Any], frame: Any) -> Rows:
        if self.segments is not None:
            parts = image_parts(X.shape[1:], self.segments)
        else:
            names = getattr(self, "feature_names_in_", [f"x{j}" for j in range(X.shape[1])])
            parts = table_parts([str(name) for name in names], self.groups)
        flat = X.reshape(len(X), -1)
        centre = centre_of(flat, parts, self.centre)
        return Rows(flat, y, frame, parts, centre, self.permutation, self.random_state)

    def _meta(self, rows: Rows, unit: str, notes: list[str], started: float) -> Meta:
        params = {k: v for k, v in self.get_params(deep=False).items() if k not in ("progress", "segments")}
        return Meta(
            method="rashomon", params=params, seed=self.random_state, data=(fingerprint(rows.X),), rows=len(rows.X),
            unit=unit, interval=Interval("range over members", 1.0), replicate_of="member", warnings=tuple(notes),
            seconds=time.perf_counter() - started,
            extra={"reference_loss": self.reference_loss_, "epsilon": self.epsilon_, "dropped": self.dropped_},
        )  # fmt: skip

    def summary(self, of: str = "interactions") -> pl.DataFrame:
        """The scores as a frame, widest range first.

        Parameters
        ----------
        of : {"interactions", "effects"}
        """
        check_is_fitted(self, "scores_")
        tables = {"interactions": self.scores_, "effects": self.column_scores_}
        if of not in tables:
            raise ValueError(f'summary of "interactions" or "effects", not {of!r}')
        return (
            tables[of]
            .to_polars()
            .rename({"value": "reference"})
            .sort("range", descending=True, maintain_order=True)
        )

    def masked_predict(self, masks: Mapping[Any, float] | Sequence[float], X: Any = None) -> NDArray[Any]:
        """What the reference predicts under masks: ``f*(c + m (x - c))``.

        Parameters
        ----------
        masks : mapping of feature to m, or one m for each feature
        X : rows, optional
            By default those of `fit`.

        Returns
        -------
        ndarray of shape (n,) or (n, classes)
            Numbers, probabilities (of the second of two classes) or class codes, as the loss takes them.
        """
        check_is_fitted(self, "scores_")
        given = masks if isinstance(masks, Mapping) else dict(zip(self._rows.parts.names, masks, strict=True))
        return np.asarray(self._question.box.predict(self._rows.masked(given, X)))

    def halo(self, subset: Sequence[Any], ax: Axes | None = None) -> Axes:
        """Loss of joint models against what their masks cost one by one; see :func:`~salience.tabular.rashomon.plots.halo`."""
        from salience.tabular.rashomon.plots import halo

        check_is_fitted(self, "scores_")
        names = tuple(self._rows.parts.names[part] for part in self._rows.parts.subset(subset))
        unit = self._question.loss.name
        return halo(self.interaction_cloud_, names, self.reference_loss_, self.epsilon_, unit, ax)

    def swarm(self, of: str = "interactions", top: int = 12, ax: Axes | None = None) -> Axes:
        """Each member a dot at its score, coloured by its loss; see :func:`~salience.tabular.rashomon.plots.swarm`."""
        from salience.tabular.rashomon.plots import swarm

        table = self.summary(of)
        cloud = self.interaction_cloud_ if of == "interactions" else self.attribution_cloud_
        shown = cloud.filter("in_set") if self.in_set_only else cloud
        return swarm(table, shown, self.reference_loss_, self.epsilon_, self._question.loss.name, top, ax)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags
