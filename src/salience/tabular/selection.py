"""The selectors of columns by name, on tables of any columns: what the command line and `verify` ask for."""

from __future__ import annotations

import time
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from salience.lazy import resolve
from salience.results.scores import Scores
from salience.verify.encoding import MISSING_TEXT, split_columns
from salience.verify.fingerprints import fingerprint
from salience.verify.sample import Sample

__all__ = ["SELECTORS", "ColumnMethod", "Selected", "keep_best"]

LEAST = 5  # rows of a class: what a fold holds out, and what is left to learn from, needs some


class Selected(NamedTuple):
    """What a selector found."""

    scores: Scores
    selector: Any  # fitted on numbers
    owner: dict[str, str]  # of each of these the column it was made of

    def parts(self, columns: Collection[str]) -> list[str]:
        """What the selector saw of these columns, best first."""
        seen: Scores = self.selector.scores_
        names = [seen.items[row] for row in seen.order()]
        return [name for name in names if self.owner[name] in columns]


@dataclass(frozen=True)
class ColumnMethod:
    """A selector as a callable from a table and its label to Scores of the table's own columns.

    Most selectors take numbers without gaps. A gap is filled with the column's mean ("mi" scores each column where it is
    known), and a text column becomes a
    0/1 column for each of its commonest values; a column counts with the best of these: with the sum, or as one column of
    many values, it would gain by having many. Its ``q`` is right as it stands, that of the best of all columns; its ``p`` is
    Bonferroni's. Rows of classes of fewer than 5 rows are left out, with a warning.

    Parameters
    ----------
    name : str
        One of `SELECTORS`.
    one_hot : int, default=32
        Most 0/1 columns of a text column; the last one is for all other values.

    Raises
    ------
    ValueError
        If there is no selector of that name.
    ImportError
        If a library of its extra is missing; the message says which extra to install.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> town = rng.integers(0, 3, 300)
    >>> frame = pl.DataFrame({"noise": rng.normal(size=300), "town": [f"t{i}" for i in town], "y": town == 1})
    >>> ColumnMethod("mi")(frame, "y").top(1).items
    ['town']
    """

    name: str
    one_hot: int = 32

    def __post_init__(self) -> None:
        if self.name not in SELECTORS:
            raise ValueError(f"there is no selector {self.name!r}; the names are {', '.join(SELECTORS)}")
        if self.one_hot < 2:
            raise ValueError(f"one_hot={self.one_hot}: a text column needs at least 2 columns")

    def __call__(
        self,
        frame: Any,
        label: str | None,
        *,
        seed: int = 0,
        progress: Callable[[int, int], object] | None = None,
    ) -> Scores:
        """The scores of all columns of a frame but the label; parameters as in `fitted`."""
        return self.fitted(frame, label, seed=seed, progress=progress).scores

    def fitted(
        self,
        frame: Any,
        label: str | None,
        *,
        seed: int = 0,
        progress: Callable[[int, int], object] | None = None,
    ) -> Selected:
        """The same, with the fitted selector.

        Parameters
        ----------
        frame : pandas or polars frame
        label : str or None
            None of a selector that reads none: then every column is scored.
        seed : int
        progress : callable, optional
            ``progress(done, total)``, of the selectors that take long.

        Returns
        -------
        Selected
            The scores have one row for each column of the frame; ``n`` is how many numbers the selector saw of it.

        Raises
        ------
        ValueError
            If the selector needs a label and there is none, or the frame does not suit it.
        """
        if label is None and self.name not in UNLABELLED:
            raise ValueError(f"{self.name!r} needs a label; {', '.join(UNLABELLED)} reads none")
        begun = time.perf_counter()
        sample = (
            Sample.of(frame, np.zeros(len(frame))) if label is None else without_rare(Sample.of(frame, label))
        )
        numbers, owner = as_numbers(sample.X, self.one_hot, gaps=self.name in TAKE_GAPS)
        selector = SELECTORS[self.name](sample, seed)
        if progress is not None and "progress" in selector.get_params():
            selector.set_params(progress=progress)
        found = _of_owners(selector.fit(numbers, sample.target).scores_, owner)
        meta = found.meta.replace(
            method=self.name,
            seed=seed,
            data=(fingerprint(sample.X, sample.target),),
            rows=len(sample),
            seconds=time.perf_counter() - begun,
        )
        return Selected(found.replace(meta=meta), selector, owner)


def keep_best(scores: Scores, share: float) -> Scores:
    """Mark the columns to keep in a column ``kept``: the best share of all, without those that have no score or zero.

    Parameters
    ----------
    scores : Scores
    share : float
        In (0, 1]; rounded up to whole columns.

    Examples
    --------
    >>> kept = keep_best(Scores.from_values([3.0, 0.0, 1.0], ["a", "b", "c"]), 0.5)
    >>> kept.frame["kept"].to_list()
    [True, False, True]
    """
    if not 0 < share <= 1:
        raise ValueError(f"keep={share}: a share of the columns is above 0 and at most 1")
    first = scores.order()[
        : ceil(round(share * len(scores), 9))
    ]  # 0.28 of 25 is 7, not a rounding error more
    kept = np.zeros(len(scores), dtype=bool)
    kept[first] = True
    value = scores.values
    return scores.replace(
        frame=scores.frame.with_columns(kept=pl.Series(kept & (value == value) & (value != 0)))
    )


def without_rare(sample: Sample, least: int = LEAST) -> Sample:
    """The rows of the classes that have `least` rows; a warning names the others.

    Raises
    ------
    ValueError
        If fewer than two classes are left.

    Examples
    --------
    >>> sample = Sample.of(pl.DataFrame({"a": range(11), "y": ["u", "v"] * 5 + ["w"]}), "y")
    >>> with warnings.catch_warnings(action="ignore"):
    ...     len(without_rare(sample))
    10
    """
    if sample.task != "classes":
        return sample
    codes, classes = sample.codes()
    rare = np.bincount(codes) < least
    if not rare.any():
        return sample
    if (~rare).sum() < 2:
        raise ValueError(
            f"the label {sample.label!r} has {len(classes)} classes in {len(sample)} rows, and fewer than two of them "
            f"have the {least} rows that a class needs; give more rows, or join classes"
        )
    kept = sample.take(np.flatnonzero(~rare[codes]))
    warnings.warn(
        f"{len(sample) - len(kept)} rows are left out, of classes with fewer than {least} rows: "
        f"{', '.join(map(str, classes[rare][:5]))}{', ...' if rare.sum() > 5 else ''}",
        UserWarning,
        stacklevel=2,
    )
    return kept


def as_numbers(frame: Any, one_hot: int = 32, *, gaps: bool = False) -> tuple[pl.DataFrame, dict[str, str]]:
    """A frame of numbers, and for each of its columns the one it was made of; gaps become the mean, or stay NaN.

    Examples
    --------
    >>> numbers, owner = as_numbers(pl.DataFrame({"age": [20.0, None, 40.0], "town": ["u", "v", "u"]}))
    >>> numbers.columns, numbers["age"].to_list(), owner["town=u"]
    (['age', 'town=u', 'town=v'], [20.0, 30.0, 40.0], 'town')
    """
    numbers, texts = split_columns(frame)
    made: dict[str, NDArray[np.float64]] = {}
    owner: dict[str, str] = {}
    for name in map(str, frame.columns):
        if name in numbers:
            parts = [(name, _filled(numbers[name], np.nan if gaps else None))]
        else:
            parts = list(_coordinates(texts[name], one_hot))
        for part, values in parts:
            while part in made or (part != name and part in frame.columns):  # a value may be called "missing"
                part += "'"
            made[part], owner[part] = values, name
    return pl.DataFrame(made), owner


def _filled(values: NDArray[np.float64], by: float | None) -> NDArray[np.float64]:
    """Numbers with something in the place of those that are missing or infinite: their mean, if nothing is given."""
    there = np.isfinite(values)
    mean = values[there].mean() if there.any() else 0.0
    return np.where(there, values, mean if by is None else by)


def _coordinates(text: pl.Series, most: int) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """A 0/1 column for each of the commonest values, the last one for all others."""
    commonest = sorted(text.value_counts().rows(), key=lambda row: (-row[1], row[0]))
    shown = [value for value, _ in commonest[: most if len(commonest) <= most else most - 1]]
    for value in shown:
        said = "missing" if value == MISSING_TEXT else value
        yield f"{text.name}={said}", (text == value).to_numpy().astype(np.float64)
    if len(shown) < len(commonest):
        yield f"{text.name}=(other)", (~text.is_in(shown)).to_numpy().astype(np.float64)


def _of_owners(scores: Scores, owner: Mapping[str, str]) -> Scores:
    """Of each column the best of the numbers that were made of it."""
    best: dict[str, int] = {}
    for row in scores.order().tolist():
        best.setdefault(owner[scores.items[row]], row)
    size = Counter(owner.values())
    rows = [best[name] for name in size]
    frame = scores.frame[rows].with_columns(column=pl.Series(list(size)), n=pl.Series(list(size.values())))
    if "p" in frame.columns:
        frame = frame.with_columns(p=(pl.col("p") * pl.col("n")).clip(upper_bound=1.0))
    replicates = None if scores.replicates is None else scores.replicates[:, rows]
    return scores.replace(frame=frame.drop("z", strict=False), replicates=replicates)


def _mi(sample: Sample, seed: int) -> Any:
    screener = resolve("salience.tabular.screening.screener:MIScreener")
    kind = "discrete" if sample.task == "classes" else "continuous"
    return screener(outcome=kind, missing="pairwise", null_permutations=99, random_state=seed)


def _kan(sample: Sample, seed: int) -> Any:
    # the paper's 100 epochs learn a table of many 0/1 columns by heart: held-out loss is above that of the classes' shares
    return resolve("salience.tabular.kan.selector:KANSelector [torch]")(
        epochs=20, clip=True, random_state=seed
    )


def _quick(sample: Sample, seed: int) -> Any:
    selector = resolve("salience.tabular.quickselection.selector:QuickSelector")
    # of few columns its usual 13 connections per neuron would be more than there can be
    width, hidden = len(sample.items), selector().hidden
    return selector(k=1, eps=float(np.clip(width * hidden / (width + hidden), 1, 13)), random_state=seed)


def _sparse(penalty: str, sample: Sample, seed: int) -> Any:
    if sample.task == "classes" and len(sample.codes()[1]) > 2:
        raise ValueError(
            f"{penalty!r} tells two classes apart, or predicts numbers; {sample.label!r} has {len(sample.codes()[1])} "
            "classes: take mi, kan or quick"
        )
    sparse_linear = resolve("salience.tabular.sparse_linear.model:SparseLinear")
    return sparse_linear(penalty=penalty, loss="logistic" if sample.task == "classes" else "squared")


#: Those of them that read no label.
TAKE_GAPS = ("mi",)
UNLABELLED = ("quick",)
#: What `salience select --method` knows: name -> (sample, seed) -> estimator with `scores_`.
SELECTORS: dict[str, Callable[[Sample, int], Any]] = {
    "mi": _mi,
    "kan": _kan,
    "quick": _quick,
    "scad": partial(_sparse, "scad"),
    "mcp": partial(_sparse, "mcp"),
    "l1": partial(_sparse, "l1"),
}
