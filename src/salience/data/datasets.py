"""Real data that is at hand without a network, by name.

>>> from salience.data.datasets import load, names
>>> load("adult").shape
(48842, 15)
>>> "wine" in names()
True
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from importlib import import_module
from importlib.resources import as_file, files

import polars as pl

__all__ = ["LABELS", "TRUTH", "load", "names", "source_note"]


def load(name: str) -> pl.DataFrame:
    """Load a data set that ships with salience or with scikit-learn.

    Parameters
    ----------
    name : str
        One of `names()`.

    Returns
    -------
    pl.DataFrame
        One row per instance. The label is the column `LABELS[name]`. Missing values are null.
        ``adult`` has text columns as ``Categorical`` and numbers as ``Int32``; the sets of scikit-learn have
        ``Float64`` features and, if they are classification problems, a text label. ``compas``, ``german_credit``
        and ``taiwan_credit`` are integers throughout; ``madelon``, ``arcene`` (labels -1 and 1) and ``isolet``
        (labels "A" to "Z") have columns ``x0``, ``x1``, ...

    Raises
    ------
    ValueError
        If there is no such data set; the message lists the names there are.

    Examples
    --------
    >>> load("adult")["income"].unique().sort().to_list()
    ['<=50K', '>50K']
    """
    if name not in _LOADERS:
        near = difflib.get_close_matches(str(name), _LOADERS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"there is no data set named {name!r}; there are {', '.join(names())}.{hint}")
    return _LOADERS[name]()


def names() -> tuple[str, ...]:
    """Names that `load` takes, in alphabetical order."""
    return tuple(sorted(_LOADERS))


def source_note(name: str) -> str:
    """Where a shipped data set comes from, who made it and under which licence (Markdown).

    Raises
    ------
    ValueError
        If the data set is not one of those that ship with salience.

    Examples
    --------
    >>> "CC BY 4.0" in source_note("adult")
    True
    """
    note = files("salience.data") / "files" / f"{name}.SOURCE.md"
    if name not in _LOADERS or not note.is_file():
        raise ValueError(f"{name!r} does not ship with salience, so there is no note on its source")
    return note.read_text(encoding="utf-8")


def _shipped(name: str) -> Callable[[], pl.DataFrame]:
    def read() -> pl.DataFrame:
        with as_file(files("salience.data") / "files" / f"{name}.parquet") as path:
            return pl.read_parquet(path)

    return read


def _isolet() -> pl.DataFrame:
    frame = _shipped("isolet")()
    letters = [chr(ord("A") + code - 1) for code in frame["target"]]
    return frame.with_columns(pl.exclude("target") / 10_000, target=pl.Series(letters))


def _arcene() -> pl.DataFrame:
    on_its_side = _shipped("arcene")().to_numpy()  # (columns and the label, rows)
    wide = [*(f"x{i}" for i in range(len(on_its_side) - 1)), "target"]
    return pl.DataFrame(on_its_side.T, schema=wide).with_columns(pl.col("target").cast(pl.Int8))


def _from_sklearn(function: str) -> Callable[[], pl.DataFrame]:
    def read() -> pl.DataFrame:
        bunch = getattr(import_module("sklearn.datasets"), function)()
        features = [str(n) for n in getattr(bunch, "feature_names", range(bunch.data.shape[1]))]
        frame = pl.DataFrame({name: bunch.data[:, i].astype("float64") for i, name in enumerate(features)})
        classes = getattr(bunch, "target_names", None)
        if classes is not None and bunch.target.dtype.kind in "iu":
            target = pl.Series("target", [str(classes[t]) for t in bunch.target])
        else:
            target = pl.Series("target", bunch.target.astype("float64"))
        return frame.with_columns(target)

    return read


_LOADERS: dict[str, Callable[[], pl.DataFrame]] = {
    "adult": _shipped("adult"),
    "arcene": _arcene,
    "breast_cancer": _from_sklearn("load_breast_cancer"),
    "compas": _shipped("compas"),
    "diabetes": _from_sklearn("load_diabetes"),
    "digits": _from_sklearn("load_digits"),
    "german_credit": _shipped("german_credit"),
    "iris": _from_sklearn("load_iris"),
    "isolet": _isolet,
    "madelon": _shipped("madelon"),
    "taiwan_credit": _shipped("taiwan_credit"),
    "wine": _from_sklearn("load_wine"),
}

#: The label column of each data set.
LABELS: dict[str, str] = dict.fromkeys(_LOADERS, "target") | {
    "adult": "income",
    "compas": "Recidivate-Within-Two-Years",
    "german_credit": "is_credit_risk_good",
    "taiwan_credit": "NoDefaultNextMonth",
}

# 5 columns that decide the class and 15 linear mixtures of them.
_MADELON = (
    *(28, 48, 64, 105, 128, 153, 241, 281, 318, 336),
    *(338, 378, 433, 442, 451, 453, 455, 472, 475, 493),
)
#: The columns that carry the label, for the data sets in which that is known.
TRUTH: dict[str, tuple[str, ...]] = {"madelon": tuple(f"x{i}" for i in _MADELON)}
