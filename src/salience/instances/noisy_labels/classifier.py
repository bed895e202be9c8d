"""A classifier for labels of which some are wrong: its features are in an order, and it says which labels it doubts."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from salience.instances.noisy_labels import findings
from salience.instances.noisy_labels.coteaching import PAIRINGS
from salience.instances.noisy_labels.curriculum import run_curriculum
from salience.instances.noisy_labels.design import compression_of, recipes_of
from salience.instances.noisy_labels.learning import Teaching, mean_logits
from salience.instances.noisy_labels.network import COMPRESSORS, features_of
from salience.instances.noisy_labels.plots import plot_accuracy
from salience.instances.noisy_labels.reading import SCALES, held_out_rows, learned_scale
from salience.networks.nested import NestedDropout
from salience.results.meta import Meta
from salience.results.scores import Scores
from salience.verify.fingerprints import fingerprint

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["NestedClassifier"]

Ints = NDArray[np.int64]


class NestedClassifier(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClassifierMixin, BaseEstimator):
    r"""Learn from noisy labels with nested dropout and co-teaching; score neurons by position and labels by doubt.

    Stage one trains networks whose features are cut off at a random length,
    :math:`k \sim P(k) \propto e^{-((k - \mu) / \sigma)^2}`: the loss is the cross-entropy of
    :math:`W^T (m_k * \phi(x))`, where the mask :math:`m_k` keeps the first k features. So the first feature matters
    most, and a few of them carry what is regular, without the capacity to learn wrong labels by heart. On
    validation rows :math:`K^* = \arg\max_k [acc(k) - 10^{-5} k]`.

    Stage two lets two such networks teach each other: of each batch, each picks the share :math:`1 - R` of
    rows with the smallest loss, and the other learns from them. A label that is hardly ever picked is suspicious.

    Use it when labels are suspect and there are some hundred rows or more. It doubts what is *hard*, too: rare
    kinds of rows look like wrong labels, see `class_rates_`.

    Parameters
    ----------
    backbone : "mlp", Module, list of Modules or callable, default="mlp"
        What makes features (n, D) of rows. "mlp": a perceptron of two hidden layers, for tables. A torch module is
        copied with its weights for each network, which learn from batches in different orders; a function without
        arguments makes a new one for each. It should end in a ReLU. A list has stages that can each be masked.
    n_features : int, default=64
        D of "mlp".
    hidden : int, default=256
        Nodes of its first layer.
    sigma : float or pair of floats, optional
        Width of P(k); by default D/6, but not below the number of classes. Of a pair the first masks the stage
        before the last one too.
    mu : float, default=0.0
    compression : {"nested", "dropout", "none"}, default="nested"
    rate : float, default=0.3
        Of ordinary dropout.
    k_per : {"batch", "sample"}, default="batch"
        One k for a batch, or one for each row.
    alternate : bool, default=True
        Of two masked stages, mask one per step, by a fair coin.
    coteach : bool, default=True
        Whether there is a stage two. Without it there are no scores of labels.
    forget_rate : float or "auto", default="auto"
        R, in [0, 1): what share of the labels is wrong. "auto": the share of rows whose label is not what networks
        predict that have not learned from them, which counts errors of the networks too. Far below the truth wrong
        labels are learned by heart; far above it hard classes starve.
    gradual : int, default=0
        Epochs over which R grows from 0; 5 are usual for training from scratch.
    pairing : {"same", "halves"}, default="same"
        Both networks pick from the whole batch, or each from its half, as the released code does.
    epochs : pair of int, default=(60, 30)
        Of the stages.
    lr : pair of float, default=(0.1, 0.01)
        Of SGD. For hundreds of columns 0.1 is too large: take (0.02, 0.01).
    milestones : pair of sequences of int, default=((), ())
        Epochs after which the learning rate is multiplied by `gamma`.
    gamma : float, default=0.1
    warmup : int, default=0
        Steps of stage one over which the learning rate rises from 0.
    momentum, weight_decay : float, default=0.9, 5e-4
    batch_size : int, default=50
    keep : {"best", "last"}, default="best"
        Which epoch's weights stay: the best by the validation rows, or the last.
    val_fraction : float, default=0.2
        Of the rows, when no validation rows are given to `fit`. Their labels are as noisy as the others'.
    folds : int, default=3
        Of the predictions that estimate R: each trains a network.
    scale : {"standard", "minmax"} or None, default="standard"
        Of each column of a table, each channel of images (n, channels, height, width). Pixels want "minmax" (0 to 1):
        standardised, a pixel that is rarely lit is huge where it is, and wrong labels are learned by it.
    progress : callable, optional
        ``progress(epochs done, epochs in all)``.
    random_state : int, RandomState or None, default=None

    Attributes
    ----------
    classes_ : ndarray of shape (C,)
    k_star_ : int
        K*: features that predictions use.
    acc_curve_ : ndarray of shape (D,)
        Accuracy of the first k features on the validation rows, for each k.
    feature_importance_ : ndarray of shape (D,)
        acc(k) - acc(k - 1).
    scores_ : Scores
        Of the neurons: ``value`` is the chance to be kept in a step, which falls by construction; ``accuracy`` up to
        it, its ``gain``, whether it is ``used``; flag "untrained" beyond 3 sigma, where a neuron is not unimportant
        but has not learned.
    label_error_score_ : ndarray of shape (n,)
        Share of the epochs in which a row was not picked, 0 to 1. Validation rows taken from X are judged by both
        networks as well, without being learned from. With ``coteach`` only, as the next two.
    label_errors_ : Scores
        The same of rows, ranked, with the columns ``given``, ``suggested``, ``p_given`` (probability of the given
        label, which breaks ties) and ``held_out``.
    class_rates_ : ndarray of shape (C,)
        How often rows of each given label were picked.
    forget_rate_ : float
        R.
    networks_ : list of Network
        Two, or one without stage two.
    history_ : list of History
        Per training: ``records`` with loss, accuracy on the validation rows and k_star of each epoch.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Raises
    ------
    ValueError
        A sigma that is not positive or given without nested dropout, D below 2, a forget rate outside [0, 1), one
        class, no row to validate on, a class in y_val that y has not, batches below 4 rows in halves, NaN or inf.

    Warns
    -----
    UserWarning
        When the labels carry nothing, sigma is small, or a class is starved; ``scores_.meta.warnings`` has it too.

    References
    ----------
    Compressing Features for Learning with Noisy Labels, arXiv:2206.13140. In the released code a K* of one feature is
    silently replaced by all of them in co-teaching, K in file names is K - 1, the accuracy reported has the
    penalty taken off, and alternation is lost in stage two; none of it here. Numbers of the paper are of the epoch that
    is best on the validation set; compare ``keep="last"``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import make_blobs
    >>> from salience.instances import NestedClassifier
    >>> X, y = make_blobs(300, centers=3, random_state=1)
    >>> noisy = y.copy()
    >>> noisy[:30] = (y[:30] + 1) % 3  # the first 30 are wrong
    >>> model = NestedClassifier(n_features=16, epochs=(10, 5), forget_rate=0.1, random_state=0).fit(X, noisy)
    >>> len(set(model.label_errors_.top(30).items) & set(range(30))) >= 25
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "backbone": [StrOptions({"mlp"}), callable, list, tuple],
        "n_features": [Interval(Integral, 2, None, closed="left")],
        "hidden": [Interval(Integral, 1, None, closed="left")],
        "sigma": [Interval(Real, 0, None, closed="neither"), list, tuple, None],
        "mu": [Real],
        "compression": [StrOptions(set(COMPRESSORS))],
        "rate": [Interval(Real, 0, 1, closed="left")],
        "k_per": [StrOptions({"batch", "sample"})],
        "alternate": ["boolean"],
        "coteach": ["boolean"],
        "forget_rate": [StrOptions({"auto"}), Interval(Real, 0, 1, closed="left")],
        "gradual": [Interval(Integral, 0, None, closed="left")],
        "pairing": [StrOptions(set(PAIRINGS))],
        "epochs": [list, tuple],
        "lr": [list, tuple],
        "milestones": [list, tuple],
        "gamma": [Interval(Real, 0, None, closed="neither")],
        "warmup": [Interval(Integral, 0, None, closed="left")],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "batch_size": [Interval(Integral, 2, None, closed="left")],
        "keep": [StrOptions({"best", "last"})],
        "val_fraction": [Interval(Real, 0, 1, closed="neither")],
        "folds": [Interval(Integral, 2, None, closed="left")],
        "scale": [StrOptions(set(SCALES)), None],
        "progress": [callable, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        backbone: Any = "mlp",
        *,
        n_features: int = 64,
        hidden: int = 256,
        sigma: float | Sequence[float] | None = None,
        mu: float = 0.0,
        compression: str = "nested",
        rate: float = 0.3,
        k_per: str = "batch",
        alternate: bool = True,
        coteach: bool = True,
        forget_rate: float | str = "auto",
        gradual: int = 0,
        pairing: str = "same",
        epochs: tuple[int, int] = (60, 30),
        lr: tuple[float, float] = (0.1, 0.01),
        milestones: tuple[Sequence[int], Sequence[int]] = ((), ()),
        gamma: float = 0.1,
        warmup: int = 0,
        momentum: float = 0.9,
        weight_decay: float = 5e-4,
        batch_size: int = 50,
        keep: str = "best",
        val_fraction: float = 0.2,
        folds: int = 3,
        scale: str | None = "standard",
        progress: Callable[[int, int], object] | None = None,
        random_state: Any = None,
    ) -> None:
        self.backbone = backbone
        self.n_features = n_features
        self.hidden = hidden
        self.sigma = sigma
        self.mu = mu
        self.compression = compression
        self.rate = rate
        self.k_per = k_per
        self.alternate = alternate
        self.coteach = coteach
        self.forget_rate = forget_rate
        self.gradual = gradual
        self.pairing = pairing
        self.epochs = epochs
        self.lr = lr
        self.milestones = milestones
        self.gamma = gamma
        self.warmup = warmup
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.keep = keep
        self.val_fraction = val_fraction
        self.folds = folds
        self.scale = scale
        self.progress = progress
        self.random_state = random_state

    def fit(self, X: Any, y: Any, X_val: Any = None, y_val: Any = None) -> Self:
        """Train, find K*, and score neurons and labels.

        Parameters
        ----------
        X : table of shape (n, d), or images of shape (n, ...) for a backbone of your own
            Finite numbers.
        y : array of shape (n,)
            Labels, numbers or texts; they are encoded inside.
        X_val, y_val : the same, optional
            Rows for the choice of K* and of the epoch, best with labels that are right. Without them
            `val_fraction` of the rows is held out, and not learned from.

        Returns
        -------
        self
        """
        started = time.perf_counter()
        self._validate_params()
        recipes, compression = recipes_of(self), compression_of(self)
        shown = X
        X, y = validate_data(self, X, y, allow_nd=True, ensure_min_samples=2, dtype="numeric")
        check_classification_targets(y)
        classes, codes = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(f"there is one class only, {classes[0]!r}: nothing can be told apart")
        random = check_random_state(self.random_state)
        train, val, held_X, held_y = self._parts(X, codes, classes, X_val, y_val, random.randint(2**31 - 1))
        scale = learned_scale(X[train], self.scale)
        learned = run_curriculum(
            self, compression, recipes, len(classes), (scale(X[train]), codes[train]), (scale(held_X), held_y), random
        )  # fmt: skip
        self.classes_, self.scale_, self.forget_rate_ = classes, scale, learned.forget_rate
        self.networks_, self.history_ = learned.networks, learned.histories
        self.acc_curve_, self.k_star_ = learned.validation.accuracy, learned.validation.k_star
        self._conclude(shown, X, codes, train, val, held_y, learned.teaching, started)
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """The class of the largest mean logit of the first K* features, shape (n,)."""
        logits = self.decision_function(X)
        codes = (logits > 0).astype(int) if logits.ndim == 1 else logits.argmax(1)
        return self.classes_[codes]

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probabilities, shape (n, C): the softmax of the mean logits."""
        return softmax(self._logits(self._rows(X)), axis=1)

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Mean logits, shape (n, C); of two classes their difference, shape (n,)."""
        logits = self._logits(self._rows(X))
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    def transform(self, X: Any) -> NDArray[np.float32]:
        """The first K* features of the first network, the most important one first, shape (n, K*)."""
        rows = self._rows(X)
        return np.ascontiguousarray(features_of(self.networks_[0], rows)[:, : self.k_star_])

    def plot_accuracy(self, ax: Axes | None = None) -> Axes:
        """Draw the accuracy over kept features with K*; see :func:`salience.instances.noisy_labels.plots.plot_accuracy`."""
        check_is_fitted(self)
        return plot_accuracy(self.scores_, ax)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []  # features are float32, as the networks are
        return tags

    @property
    def _n_features_out(self) -> int:
        return self.k_star_

    def _rows(self, X: Any) -> torch.Tensor:
        check_is_fitted(self)
        return self.scale_(validate_data(self, X, reset=False, allow_nd=True, dtype="numeric"))

    def _logits(self, rows: torch.Tensor) -> NDArray[np.float64]:
        length = self.k_star_ if self.compression == "nested" else None
        return mean_logits(self.networks_, rows, length).double().numpy()

    def _parts(
        self, X: NDArray[Any], codes: Ints, classes: NDArray[Any], X_val: Any, y_val: Any, seed: int
    ) -> tuple[Ints, Ints, NDArray[Any], Ints]:
        """Rows to learn from, rows held out of X, and what is validated on."""
        if (X_val is None) != (y_val is None):
            raise ValueError("X_val and y_val come together: give both, or none")
        if X_val is None:
            train, val = held_out_rows(codes, self.val_fraction, seed)
            return train, val, X[val], codes[val]
        X_val, y_val = validate_data(self, X_val, y_val, reset=False, allow_nd=True, dtype="numeric")
        unknown = sorted(set(np.unique(y_val).tolist()) - set(classes.tolist()), key=str)
        if unknown:
            raise ValueError(f"y_val has the classes {unknown}, which y has not; it has {classes.tolist()}")
        return np.arange(len(X)), np.empty(0, np.int64), X_val, np.searchsorted(classes, y_val)

    def _conclude(
        self, shown: Any, X: NDArray[Any], codes: Ints, train: Ints, val: Ints, held_y: Ints,
        teaching: Teaching | None, started: float,
    ) -> None:  # fmt: skip
        """Scores of neurons and labels, and what has to be said of them."""
        mask = self.networks_[0].compressors[-1]
        nested = (mask.sigma, mask.mu) if isinstance(mask, NestedDropout) else None
        rates, not_picked = None, np.empty(len(codes))
        if teaching is not None:
            not_picked[train] = teaching.not_picked
            not_picked[val] = teaching.held_not_picked[: len(val)]  # none when validation rows were given
            rates = findings.class_rates(not_picked, codes)
        said = tuple(findings.notes(self.acc_curve_, self.k_star_, held_y, nested, rates, self.classes_))
        for note in said:
            warnings.warn(note, UserWarning, stacklevel=3)
        params = {name: value for name, value in self.get_params(deep=False).items() if name != "progress"}
        meta = Meta(
            method="nested-dropout",
            params={**params, "forget_rate": self.forget_rate_},
            seed=int(self.random_state) if isinstance(self.random_state, Integral) else None,
            data=(fingerprint(shown if hasattr(self, "feature_names_in_") else X),) if X.ndim == 2 else (),
            rows=len(X),
            unit="probability",
            warnings=said,
            seconds=time.perf_counter() - started,
            extra={"k_star": self.k_star_, "validation_rows": len(held_y)},
        )
        rate = self.rate if self.compression == "dropout" else 0.0
        self.scores_: Scores = findings.neuron_scores(
            self.acc_curve_, self.k_star_, held_y, nested, rate, meta
        )
        self.feature_importance_ = self.scores_.frame["gain"].to_numpy()
        if rates is None:
            return
        self.label_error_score_, self.class_rates_ = not_picked, rates
        held = np.zeros(len(codes), dtype=bool)
        held[val] = True
        probabilities = softmax(self._logits(self.scale_(X)), axis=1)
        by_class = {str(name): rate for name, rate in zip(self.classes_, rates, strict=True)}
        self.label_errors_: Scores = findings.label_scores(
            not_picked, probabilities, codes, self.classes_, held,
            meta.replace(unit="share of epochs", extra={**meta.extra, "picked_by_class": by_class}),
        )  # fmt: skip
