"""What data a ranking was made from, in one short text, so that it is not judged on the same."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from salience.data.hashing import combine, hash_value, identities
from salience.verify.sample import Sample

# No column of a frame can be called this: the target counts as itself, whatever the user calls it.
TARGET = "\0target"


def fingerprint(X: Any, y: Any = None) -> str:
    """The fingerprint of rows: equal for equal data, in whatever order, file format or kind of frame.

    A wrapping sum of the 64-bit identities of the values of each column, combined with the name of the
    column. So neither the order of the rows nor that of the columns matters, 1 and 1.0 and "1" are one value,
    and the sum of two parts of a table is that of the whole: it can be taken in a scan (`column_sum`,
    `from_sums`).

    Parameters
    ----------
    X : frame, array of shape (rows, columns), or Sample
        Unnamed columns of an array are called x0, x1, ...
    y : str or array-like of shape (rows,), optional
        The target, or the name of its column in `X`.

    Returns
    -------
    str
        ``"<rows>x<columns>-<16 hexadecimal digits>"``; the target is no column.

    Examples
    --------
    >>> import polars as pl
    >>> a = pl.DataFrame({"age": [1, 2, None], "city": ["u", "v", "w"]})
    >>> b = pl.DataFrame({"city": ["w", "u", "v"], "age": [None, 1.0, 2.0]}).to_pandas()
    >>> fingerprint(a) == fingerprint(b), fingerprint(a) == fingerprint(a[:2])
    (True, False)
    >>> fingerprint(a, [0, 1, 1]) == fingerprint(a.with_columns(y=pl.Series([0, 1, 1])), "y")
    True
    """
    if isinstance(X, Sample):
        frame, target = X.frame, X.target
    elif y is None:
        frame, target = nw.from_native(_named(X), eager_only=True), None
    else:
        sample = Sample.of(X, y)
        frame, target = sample.frame, sample.target
    sums = {name: column_sum(frame[name].to_arrow()) for name in frame.columns}
    if target is not None:
        sums[TARGET] = column_sum(_arrow(target))
    return from_sums(sums, len(frame))


def column_sum(values: pa.Array | pa.ChunkedArray) -> int:
    """The wrapping uint64 sum of the identities of the values; sums of parts add up modulo 2**64.

    Examples
    --------
    >>> whole = column_sum(pa.array(["a", "b", None]))
    >>> whole == (column_sum(pa.array(["b", None])) + column_sum(pa.array(["a"]))) % 2**64
    True
    """
    temporal = pa.types.is_temporal(values.type)
    # "number" for all else: numbers that were read from CSV as text then equal those read from Parquet.
    hashes, codes = identities(values, "time" if temporal else "number", ("",))
    if codes is None:
        return int(np.add.reduce(hashes, dtype=np.uint64))
    times = np.bincount(codes, minlength=len(hashes)).astype(np.uint64)
    return int(np.add.reduce(hashes * times, dtype=np.uint64))


def from_sums(sums: dict[str, int], rows: int) -> str:
    """The fingerprint from the sums of the columns; the sum of the target stands under `TARGET`."""
    total = np.uint64(0)
    with np.errstate(over="ignore"):
        for name, value in sums.items():
            total += combine(hash_value(name, "text"), np.uint64(value))
    return f"{rows}x{len(sums) - (TARGET in sums)}-{int(total):016x}"


def refuse_same_data(made_from: Iterable[str], judged_on: Iterable[str]) -> None:
    """Refuse to judge a ranking on the data that made it.

    Raises
    ------
    ValueError
        If a fingerprint is in both.
    """
    both = sorted(set(made_from) & set(judged_on))
    if both:
        raise ValueError(
            f"the ranking was made from the data it is to be judged on (fingerprint {both[0]}): chance "
            f"patterns that "
            "put items on top would count in their favour. Judge it on rows it has not seen, or let verify "
            "refit it "
            "inside each split: verify(method, data)"
        )


def _named(X: Any) -> Any:
    return Sample.of(X, np.zeros(len(X))).X if isinstance(X, np.ndarray) else X


def _arrow(target: NDArray[Any]) -> pa.Array:
    return pa.array(target.tolist() if target.dtype.kind in "OU" else target)
