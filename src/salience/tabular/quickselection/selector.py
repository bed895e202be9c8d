"""Select the columns that carry the structure of a table without labels, by a truly sparse autoencoder."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from itertools import count
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, _fit_context
from sklearn.feature_selection import SelectorMixin
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted, validate_data

from salience.parallel import pmap
from salience.results import Scores
from salience.results.meta import Meta
from salience.tabular.quickselection.denoising import Batches, DenoisingAutoencoder
from salience.tabular.quickselection.scale import SCALINGS, ColumnScale
from salience.tabular.quickselection.training import Training, best
from salience.verify.checks.stability import mean_jaccard
from salience.verify.fingerprints import fingerprint

SCORES: dict[str, Callable[[Training], NDArray[Any]]] = {
    "strength": lambda run: run.epochs[-1].strength,
    "degree": lambda run: run.network.encoder.degree()[0],
    "strength_pruned": Training.strength_pruned,
}

HISTORY = {"loss": "mean_loss", "strength": "strength", "overlap": "overlap"}


class QuickSelector(SelectorMixin, BaseEstimator):
    r"""QuickSelection: the strength of the input neurons of a sparse denoising autoencoder.

    A table with many columns and no labels: which columns can be told from one another, and so carry its
    structure? An autoencoder with about `eps` connections per neuron learns to reconstruct each row from a noisy
    copy. After every epoch but the last, in both layers, the share `zeta` of the positive and of the negative
    weights that are closest to zero is removed and as many connections grow at random free cells, so the
    connections move to the columns that help. The score of column :math:`i` is its strength over the existing
    connections of the first layer,

    .. math:: s_i = \sum_j |W^1_{ij}| .

    There is no dense matrix of weights at any time; memory and time follow the number of connections,
    :math:`2 \varepsilon (d + h)`.

    It finds columns that are predictable *together*. A column that is independent of all others scores low,
    however much a label depends on it; labels are never read.

    Parameters
    ----------
    k : int, default=50
        Columns to keep.
    hidden : int, default=1000
        Hidden neurons, h.
    eps : float, default=13
        Connections: ``eps * (d + hidden)`` per layer are drawn with replacement; all, if there are no more cells.
    zeta : float, default=0.2
        Share of the connections replaced after an epoch.
    epochs : int, default=10
        More is not better: with time weight goes to columns that cannot be predicted.
    noise : float, default=0.2
        Standard deviation of the noise on the scaled inputs. Constant columns get none.
    lr, momentum, weight_decay : float, default=0.01, 0.9, 1e-5
        ``v = momentum * v - lr * g``, then ``w += v - weight_decay * w``, for weights and biases.
    dropout : float, default=0.2
        Chance of a hidden neuron to be 0 in a step.
    batch_size : int, default=100
        The rows that are left over form a smaller batch.
    output : {"linear", "tanh"}, default="linear"
        Activation of the output; the paper takes tanh for the artificial set Madelon.
    score_by : {"strength", "degree", "strength_pruned"}, default="strength"
        The strength at the end; the number of connections; or the strength right after the removal of the last
        evolution, before growth, as the official code saves it.
    n_runs : int, default=1
        Networks with different seeds; their scores are averaged.
    random_state : int, RandomState instance or None, default=None
    scaling : {"standard", "minmax"}, default="standard"
        The paper takes minmax for one set of genes and one of text.
    clip : float or None, default=5.0
        Scaled values are cut at plus and minus this, or rare values would be blown up by standardising.
    fixed_noise : bool, default=False
        The same noise in every epoch, as in the official code.
    grow : {"random", "importance"}, default="random"
        Where connections grow: at free cells anywhere, or half of them at columns in proportion to their strength
        (the idea of WAST).
    patience : int or None, default=None
        Stop when the best `k` stayed the same so many epochs in a row: a Jaccard index of at least `stable`.
    stable : float, default=0.9
    dtype : {"float32", "float64"}, default="float32"
    n_jobs : int or None, default=None
        Threads over the runs; None is one.
    progress : callable or None, default=None
        ``progress(epochs done, all epochs)``, over all runs.

    Attributes
    ----------
    scores_ : Scores
        One row per column: ``value``, ``degree``, ``out_strength`` (the same sum over the last layer), ``flag``
        ("constant": the score is forced to 0; "dead": no connection); the runs as replicates, if several.
    degree_ : ndarray of shape (d,)
        Connections of each column, mean over the runs.
    history_ : dict of ndarray
        ``loss`` (epochs,), per row; ``strength`` (epochs, d); ``overlap`` (epochs,), the Jaccard index of the
        best `k` with those one epoch before. Means over the runs; a run that stopped keeps its last numbers.
    density_ : float
        Share of the cells of the first layer that hold a connection.
    stability_ : float
        Mean Jaccard index of the best `k` of two runs; NaN for a single run.
    weight_bytes_ : int
        Bytes of weights, momentum and topology of one network.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Raises
    ------
    ValueError
        NaN or infinity, one row, `k` above the number of columns, a loss that is not finite in the first epoch.

    Notes
    -----
    Where this differs from the official code: the derivative of tanh is taken once; all rows are used, and a table
    shorter than a batch is one batch; noise is new in every epoch; the weights are those of the last epoch; the
    thresholds of the removal are exact.

    X may be a NumPy array, a memory map, a pandas or polars table, or a SciPy CSR matrix, which is made dense
    batch by batch only.

    References
    ----------
    Atashgahi et al., Quick and Robust Feature Selection: the Strength of Energy-efficient Sparse Training for
    Autoencoders, Machine Learning 2022, arXiv:2012.00560. Growth by importance: WAST, arXiv:2211.14627.

    Examples
    --------
    Twenty columns that belong together before eighty of noise:

    >>> from sklearn.datasets import make_classification
    >>> from salience.tabular import QuickSelector
    >>> X, _ = make_classification(2000, 100, n_informative=5, n_redundant=15, shuffle=False, random_state=0)
    >>> selector = QuickSelector(20, hidden=200, random_state=0).fit(X)
    >>> int(selector.get_support()[:20].sum()) >= 10
    True
    >>> selector.transform(X).shape
    (2000, 20)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "k": [Interval(Integral, 1, None, closed="left")],
        "hidden": [Interval(Integral, 1, None, closed="left")],
        "eps": [Interval(Real, 1, None, closed="left")],
        "zeta": [Interval(Real, 0, 1, closed="neither")],
        "epochs": [Interval(Integral, 1, None, closed="left")],
        "noise": [Interval(Real, 0, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "weight_decay": [Interval(Real, 0, 1, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "output": [StrOptions({"linear", "tanh"})],
        "score_by": [StrOptions(set(SCORES))],
        "n_runs": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "scaling": [StrOptions(set(SCALINGS))],
        "clip": [Interval(Real, 0, None, closed="neither"), None],
        "fixed_noise": ["boolean"],
        "grow": [StrOptions({"random", "importance"})],
        "patience": [Interval(Integral, 1, None, closed="left"), None],
        "stable": [Interval(Real, 0, 1, closed="both")],
        "dtype": [StrOptions({"float32", "float64"})],
        "n_jobs": [Integral, None],
        "progress": [callable, None],
    }

    def __init__(
        self,
        k: int = 50,
        *,
        hidden: int = 1000,
        eps: float = 13,
        zeta: float = 0.2,
        epochs: int = 10,
        noise: float = 0.2,
        lr: float = 0.01,
        momentum: float = 0.9,
        weight_decay: float = 1e-5,
        dropout: float = 0.2,
        batch_size: int = 100,
        output: str = "linear",
        score_by: str = "strength",
        n_runs: int = 1,
        random_state: Any = None,
        scaling: str = "standard",
        clip: float | None = 5.0,
        fixed_noise: bool = False,
        grow: str = "random",
        patience: int | None = None,
        stable: float = 0.9,
        dtype: str = "float32",
        n_jobs: int | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.k = k
        self.hidden = hidden
        self.eps = eps
        self.zeta = zeta
        self.epochs = epochs
        self.noise = noise
        self.lr = lr
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.batch_size = batch_size
        self.output = output
        self.score_by = score_by
        self.n_runs = n_runs
        self.random_state = random_state
        self.scaling = scaling
        self.clip = clip
        self.fixed_noise = fixed_noise
        self.grow = grow
        self.patience = patience
        self.stable = stable
        self.dtype = dtype
        self.n_jobs = n_jobs
        self.progress = progress

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Train `n_runs` networks on the rows of `X`.

        Parameters
        ----------
        X : array, memory map, table or CSR matrix of shape (n, d)
        y : ignored

        Returns
        -------
        self
        """
        started = time.perf_counter()
        given, X = X, self._checked(X, reset=True, rows=2)
        scale = ColumnScale(self.scaling, X.shape[1])
        scale.update(X)
        scaled = scale.shift_and_factor()
        runs = self._new_runs(X.shape[1])
        done = count(1)

        def train(run: Training) -> None:
            run.batches.scale(*scaled)
            while len(run.epochs) < self.epochs and not (run.settled or run.diverged):
                run.begin_epoch()
                run.learn(X)
                if self.progress is not None:
                    self.progress(next(done), self.epochs * self.n_runs)

        pmap(train, runs, n_jobs=self.n_jobs or 1, threads=True)
        in_memory = not (issparse(X) or isinstance(given, np.memmap))
        named = hasattr(self, "feature_names_in_")
        data = (fingerprint(given if named else X),) if in_memory else ()
        self._scale, self._runs = scale, runs
        self._keep(Meta(data=data, seconds=time.perf_counter() - started))
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any = None, *, new_epoch: bool = False) -> Self:
        """Learn from some more rows, for data that does not come at once.

        Call it for one part of the rows after the other, and again for every further epoch, saying so at its
        first part: then the topology evolves. The scaling is that of the rows seen in the first epoch so far, so
        the first parts are scaled by less than is known later. ``epochs`` and ``patience`` do not count here.

        Parameters
        ----------
        X : array, memory map, table or CSR matrix of shape (n, d)
            At least two rows in the first call.
        y : ignored
        new_epoch : bool
            These rows are the first of another pass over the data.

        Returns
        -------
        self
        """
        started = time.perf_counter()
        first = not hasattr(self, "_runs")
        X = self._checked(X, reset=first, rows=2 if first else 1)
        if first:
            self._scale, self._runs = ColumnScale(self.scaling, X.shape[1]), self._new_runs(X.shape[1])
        if len(self._runs[0].epochs) <= 1 and not new_epoch:
            self._scale.update(X)
        for run in self._runs:
            run.batches.scale(*self._scale.shift_and_factor())
            if new_epoch or not run.epochs:
                run.begin_epoch()
            run.learn(X)
        self._keep(Meta(seconds=time.perf_counter() - started))
        return self

    def _checked(self, X: Any, reset: bool, rows: int) -> Any:
        X = validate_data(self, X, reset=reset, accept_sparse="csr", dtype="numeric", ensure_min_samples=rows)
        if self.k > X.shape[1]:
            raise ValueError(f"k={self.k} columns are to be kept, but X has {X.shape[1]}; give a smaller k")
        return X

    def _new_runs(self, n_features: int) -> list[Training]:
        seeds = check_random_state(self.random_state).randint(np.iinfo(np.int32).max, size=self.n_runs)
        return [self._new_run(n_features, np.random.default_rng(seed)) for seed in seeds]

    def _new_run(self, n_features: int, rng: np.random.Generator) -> Training:
        network = DenoisingAutoencoder(
            n_features, self.hidden, rng, eps=self.eps, output=self.output, dropout=self.dropout, lr=self.lr,
            momentum=self.momentum, weight_decay=self.weight_decay, dtype=self.dtype,
        )  # fmt: skip
        batches = Batches(
            noise=self.noise, clip=np.inf if self.clip is None else self.clip, fixed=self.fixed_noise,
            seed=int(rng.integers(2**63)), dtype=self.dtype,
        )  # fmt: skip
        return Training(
            network, batches, rng, zeta=self.zeta, grow=self.grow, batch_size=self.batch_size, k=self.k,
            patience=self.patience, stable=self.stable,
        )  # fmt: skip

    def _keep(self, meta: Meta) -> None:
        """Learned attributes, from the runs."""
        runs, constant = self._runs, self._scale.constant
        values = np.array([SCORES[self.score_by](run) for run in runs], dtype=np.float64)
        values[:, constant] = 0
        degrees = np.array([run.network.encoder.degree()[0] for run in runs])
        chosen = [best(of_run, self.k) for of_run in values]
        self.stability_ = mean_jaccard(np.stack(chosen))
        self.degree_ = degrees[0] if len(runs) == 1 else degrees.mean(axis=0)
        self.history_ = {
            name: np.mean([_extended([getattr(e, field) for e in run.epochs], runs) for run in runs], axis=0)
            for name, field in HISTORY.items()
        }
        network = runs[0].network
        self.density_ = float(network.encoder.density)
        self.weight_bytes_ = network.encoder.nbytes + network.decoder.nbytes
        notes = list(self._loud_notes(constant))
        for note in notes:
            warnings.warn(note, stacklevel=3)
        if constant.any():
            notes.append(f"{constant.sum()} constant column(s): their score is 0")
        flag = np.full(constant.size, None, dtype=object)
        flag[self.degree_ == 0] = "dead"
        flag[constant] = "constant"
        said = self.get_params(deep=False)
        seed = said.pop("random_state")
        for name in ("progress", "n_jobs"):
            del said[name]
        self.scores_ = Scores.from_values(
            values.mean(axis=0),
            list(_check_feature_names_in(self)),
            replicates=values if len(runs) > 1 else None,
            meta=meta.replace(
                method="quickselection", params=said, seed=seed if isinstance(seed, Integral) else None,
                rows=self._scale.rows, replicate_of="seed" if len(runs) > 1 else None, warnings=tuple(notes),
            ),
            degree=self.degree_,
            out_strength=np.mean([run.epochs[-1].out_strength for run in runs], axis=0),
            flag=flag.tolist(),
        )  # fmt: skip

    def _loud_notes(self, constant: NDArray[np.bool_]) -> Iterator[str]:
        encoder = self._runs[0].network.encoder
        if encoder.size < encoder.requested / 2:
            yield (
                f"eps={self.eps} asks for {encoder.requested} connections of {constant.size} columns and "
                f"{self.hidden} hidden neurons, but only {encoder.size} different ones are there: the network is "
                "dense; give a smaller eps, or more hidden neurons"
            )
        varying = constant.size - int(constant.sum())
        if self.k > varying:
            yield f"k={self.k} columns are kept, but only {varying} are not constant"
        diverged = sum(run.diverged for run in self._runs)
        if diverged:
            yield (
                f"the loss became not finite in {diverged} of {self.n_runs} run(s), which ended one epoch before; "
                f"give a smaller lr than {self.lr}"
            )

    def _get_support_mask(self) -> NDArray[np.bool_]:
        check_is_fitted(self, "scores_")
        return best(self.scores_.values, self.k)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _extended(values: list[Any], runs: list[Training]) -> NDArray[np.float64]:
    """As long as the longest run, by repeating the last."""
    longest = max(len(run.epochs) for run in runs)
    return np.array(values + values[-1:] * (longest - len(values)), dtype=np.float64)
