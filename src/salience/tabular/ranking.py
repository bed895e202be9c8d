"""Rank the columns of a table of any size by information above their own noise level."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sklearn.base import BaseEstimator

from salience.results.scores import Scores
from salience.tabular.streaming.inputs import checked
from salience.tabular.streaming.passes import RankingPass


class StreamRanker(BaseEstimator, RankingPass):
    """Rank columns, and what can be made of them, against a label in one pass.

    The score of a column is its mutual information with the label minus what a column with the same histogram and no
    relation to the label would show (its *null*): noise of any cardinality scores about 0. Counts are integers and mergeable, so
    any order of rows, threads or workers gives the same bits. Columns with too many values are sampled by value.

    Parameters
    ----------
    label : str or list of str or None, default=None
        Column(s) to explain. None when `fit` gets `y`.
    heuristic : str, default="mi"
        Name of the score; ``salience methods --heuristics`` lists them. OutRank's names work too.
    null : {"analytic", "permute", "shift", "none"}, default="analytic"
        "analytic": exact expectation with both histograms fixed (Vinh, Epps, Bailey 2010); "permute": tables drawn with the same
        margins; "shift": OutRank's shifted batches; "none": the raw score.
    normalize : {"none", "label_entropy", "ami", "minmax"}, default="none"
        Scale of the reported value.
    order : int, default=1
        2 and more: also rank combinations of that many columns by synergy (`pairs_`).
    scope : {"target", "all"}, default="target"
        "all": also measure every pair of columns against each other (`redundancy_`) and order them by 3MR (`order_3mr_`).
    top_pairs : int, default=40
        With ``scope="all"``: how many of the best columns are paired; 0 means all.
    pair_budget : int, default=32768
        Combinations scored in one block at most.
    alpha, beta : float, default=1
        Weights of redundancy and relation in 3MR.
    aggregate : {"median", "mean", "sum"}, default="median"
        How 3MR combines over the selected columns, and how batch scores combine over batches.
    controls : bool, default=False
        Add noise columns of known cardinality, a label copy and a row hash beside the real ones.
    transforms : str or None, default=None
        Preset of numeric transformations to rank beside the columns ("minimal", "default", "extended", ...).
    multivalue : mapping or sequence of str, default=()
        Columns that hold lists of tokens, each token becomes a 0/1 column.
    subfeatures : str, default=""
        ``"A->B"``, ``"A<->B"``, separated by ``;``.
    focus, exclude : sequence of str, default=()
        Rank only / leave out these columns.
    reference : path, mapping or list of features, optional
        The model there is: surrogate heuristics score what a column adds to it.
    preset : {"outrank"} or None, default=None
        Compute exactly what OutRank 0.97.5 computes: medians over batches of 16384 rows of the shifted score.
    batch_size : int, default=16384
        Rows of a batch for ``null="shift"``.
    subsample : int, default=1
        Use every `subsample`-th row.
    ratio : float, default=1
        With ``preset="outrank"``: score so large a share of each label value's rows in a batch
        (``mi_stratified_sampling_ratio``).
    min_rows : int, default=2
        Fewest labelled rows a ranking is made from.
    missing : tuple of str, default=("", "{}")
        Texts that stand for a missing value, which is a value of its own in every score.
    bins, label_bins : int
        Ordered bins of number columns (32) and of a numeric label (10).
    exact : bool, default=False
        Scan once more for the columns that were sampled by value, without a limit on memory, and count every value of
        the best combinations.
    spec : mapping or None, default=None
        Overrides of the plan by column, e.g. ``{"zip": {"kind": "text"}}``.
    memory : str or int, default="1GiB"
        What the whole process may use.
    permutations : int, default=10
        Tables drawn for ``null="permute"``.
    n_jobs : int, default=2
        Threads.
    random_state : int, default=0
        Seed of the pilot, the controls and the permutations.

    Attributes
    ----------
    scores_ : Scores
        One row per column (and per label, when there are several): value, rank, se, lo, hi, null, z, p, q, n, flag, mi, view,
        card, coverage, kind, verdict. Nats.
    ranking_ : list of str
        Columns, best first (of the first label).
    pairs_, redundancy_, order_3mr_ : Scores or None
        Combinations by synergy, ``value``: what they say above chance beyond the best of their columns (``joint`` is what
        they say in all); similarity of columns; max-relevance, min-redundancy, max-relation order.
    pair_columns_ : Scores or None
        Per column the median ``value`` (synergy) of the combinations that hold it, the ``best`` of them, the ``partner`` in
        that one and how many there are, ``n``.
    timings_ : dict of str to float
        Seconds by stage: open, plan, count, score, pairs.
    plan_ : Plan
        What was decided before the scan.
    notes_ : list of str
        What was odd about the data and what was done about it.

    Raises
    ------
    ValueError
        Unknown heuristic, null or preset; label absent or constant; fewer than `min_rows` labelled rows; no columns left.

    References
    ----------
    OutRank, arXiv:2309.01552 (RecSys 2023).

    Examples
    --------
    >>> import polars as pl
    >>> from salience.tabular import StreamRanker
    >>> frame = pl.DataFrame({"copy": [0, 1] * 500, "id": range(1000), "y": [0, 1] * 500})
    >>> ranker = StreamRanker("y").fit(frame)
    >>> ranker.ranking_
    ['copy', 'id']
    >>> ranker.scores_.frame["verdict"].to_list()
    ['leak', 'id']
    """

    def _checked(self, X: Any, y: Any, reset: bool) -> tuple[Any, Any]:
        return checked(self, X, y, reset)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self.label is None
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags


def rank(source: Any, label: str | Sequence[str], **options: Any) -> Scores:
    """Rank the columns of a source by what they say about a label.

    Parameters
    ----------
    source : path, directory, list of paths, or a table in memory
    label : str or list of str
    **options
        Parameters of `StreamRanker`.

    Returns
    -------
    Scores
        One row per column.

    Examples
    --------
    >>> import salience
    >>> from salience.data import datasets
    >>> scores = salience.rank(datasets.load("adult"), label="income")
    >>> scores.top(3).items
    ['relationship', 'marital-status', 'capital-gain']
    """
    return RankingPass(label, **options).fit(source).scores_
