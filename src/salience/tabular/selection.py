"""The selectors of columns by name, on tables of any columns: what the command line and `verify` ask for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from salience.lazy import resolve
from salience.results.scores import Scores
from salience.verify.encoding import MISSING_TEXT, split_columns
from salience.verify.fingerprints import fingerprint
from salience.verify.sample import Sample

__all__ = ["SELECTORS", "ColumnMethod", "keep_best"]


@dataclass(frozen=True)
class ColumnMethod:
    """A selector as a callable from a table and its label to Scores of the table's own columns.

    Most selectors take numbers without gaps. Here a gap is filled with the column's mean, and a text column becomes a
    0/1 column for each of its commonest values; of the scores of these, a column has the best one: with the sum, a
    column would gain by having many values.

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
        label: str,
        *,
        seed: int = 0,
        progress: Callable[[int, int], object] | None = None,
    ) -> Scores:
        """The scores of all columns of a frame but the label.

        Parameters
        ----------
        frame : pandas or polars frame
        label : str
        seed : int
        progress : callable, optional
            ``progress(done, total)``, of the selectors that take long.

        Returns
        -------
        Scores
            One row for each column of the frame; ``members`` is how many numbers the selector saw of it.
        """
        begun = time.perf_counter()
        sample = Sample.of(frame, label)
        numbers, owner = as_numbers(sample.X, self.one_hot)
        selector = SELECTORS[self.name](sample, seed)
        if progress is not None and "progress" in selector.get_params():
            selector.set_params(progress=progress)
        found: Scores = selector.fit(numbers, sample.target).scores_
        meta = found.meta.replace(
            method=self.name,
            seed=seed,
            data=(fingerprint(sample.X, sample.target),),
            rows=len(sample),
            seconds=time.perf_counter() - begun,
        )
        return _of_owners(found, owner).replace(meta=meta)


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
    first = scores.order()[: ceil(share * len(scores))]
    kept = np.zeros(len(scores), dtype=bool)
    kept[first] = True
    value = scores.values
    return scores.replace(
        frame=scores.frame.with_columns(kept=pl.Series(kept & (value == value) & (value != 0)))
    )


def as_numbers(frame: Any, one_hot: int = 32) -> tuple[pl.DataFrame, dict[str, str]]:
    """A frame of numbers without gaps, and for each of its columns the one it was made of.

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
        parts = (
            {name: _filled(numbers[name])} if name in numbers else dict(_coordinates(texts[name], one_hot))
        )
        made |= parts
        owner |= dict.fromkeys(parts, name)
    return pl.DataFrame(made), owner


def _filled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    there = np.isfinite(values)
    return np.where(there, values, values[there].mean() if there.any() else 0.0)


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
    """Scores of the columns that others were made of."""
    if all(made == name for made, name in owner.items()):
        return scores
    parts = scores.frame.rename({"column": "part"})
    parts = parts.with_columns(column=pl.Series([owner[name] for name in scores.items]))
    return scores.replace(frame=parts, keys=("part",)).rollup("column", how="max")


def _mi(sample: Sample, seed: int) -> Any:
    screener = resolve("salience.tabular.screening.screener:MIScreener")
    kind = "discrete" if sample.task == "classes" else "continuous"
    # a density cannot hold a spike, such as the zeros of an amount; for classes a histogram does
    method = "bin" if kind == "discrete" else "fft"
    return screener(method=method, outcome=kind, null_permutations=99, random_state=seed)


def _kan(sample: Sample, seed: int) -> Any:
    return resolve("salience.tabular.kan.selector:KANSelector [torch]")(random_state=seed)


def _quick(sample: Sample, seed: int) -> Any:
    return resolve("salience.tabular.quickselection.selector:QuickSelector")(k=1, random_state=seed)


def _sparse(penalty: str, sample: Sample, seed: int) -> Any:
    sparse_linear = resolve("salience.tabular.sparse_linear.model:SparseLinear")
    return sparse_linear(penalty=penalty, loss="logistic" if sample.task == "classes" else "squared")


#: What `salience select --method` knows: name -> (sample, seed) -> estimator with `scores_`.
SELECTORS: dict[str, Callable[[Sample, int], Any]] = {
    "mi": _mi,
    "kan": _kan,
    "quick": _quick,
    "scad": partial(_sparse, "scad"),
    "mcp": partial(_sparse, "mcp"),
    "l1": partial(_sparse, "l1"),
}
