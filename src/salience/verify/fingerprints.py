"""What data a ranking was made from, in one short text, so that it is not judged on the same."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa

from salience.data.hashing import combine, element_kind, hash_value, identities
from salience.data.kinds import decide_kind
from salience.data.pilot import value_counts

# What a plan takes for missing unless told otherwise: a fingerprint must be that of a scan of the same rows.
MISSING_TEXTS = ("", "{}")


def fingerprint(X: Any, y: Any = None) -> str:
    """The fingerprint of the columns of a table: equal for equal data, in whatever order, file format or
    frame.

    A wrapping sum of the 64-bit identities of the values of each column, combined with the name of the
    column. So neither the order of the rows nor that of the columns matters, 1 and 1.0 and "1" are one value,
    and the sum of two parts of a table is that of the whole: it can be taken in a scan (`column_sum`,
    `from_sums`).

    Parameters
    ----------
    X : frame, array of shape (rows, columns), or Sample
        Unnamed columns of an array are called x0, x1, ...
    y : str or array-like of shape (rows,), optional
        The target, or the name of its column in `X`. It has no part in the fingerprint: the same columns with
        another target are the same data to a ranking's chance patterns.

    Returns
    -------
    str
        ``"<rows>x<columns>-<16 hexadecimal digits>"``.

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
    import narwhals as nw

    from salience.verify.sample import Sample  # scikit-learn with it, which the sums of a scan do without

    if isinstance(X, Sample):
        frame = X.frame
    elif y is None:
        named = Sample.of(X, np.zeros(len(X))).X if isinstance(X, np.ndarray) else X
        frame = nw.from_native(named, eager_only=True)
    else:
        frame = Sample.of(X, y).frame
    sums = {name: column_sum(frame[name].to_arrow()) for name in frame.columns}
    return from_sums(sums, len(frame))


def column_sum(values: pa.Array | pa.ChunkedArray, kind: str | None = None) -> int:
    """The wrapping uint64 sum of the identities of the values; sums of parts of one kind add up modulo 2**64.

    Parameters
    ----------
    values : pyarrow.Array or ChunkedArray
    kind : {"text", "number", "time", "list"}, optional
        What a plan takes the column for; found out when not given, as a plan does.

    Examples
    --------
    >>> whole = column_sum(pa.array(["a", "b", None]))
    >>> whole == (column_sum(pa.array(["b", None])) + column_sum(pa.array(["a"]))) % 2**64
    True
    """
    hashes, codes = identities(values, kind or planned_kind(values), MISSING_TEXTS)
    if codes is None:
        return int(np.add.reduce(hashes, dtype=np.uint64))
    times = np.bincount(codes, minlength=len(hashes)).astype(np.uint64)
    return int(np.add.reduce(hashes * times, dtype=np.uint64))


def planned_kind(values: pa.Array | pa.ChunkedArray) -> str:
    """What a plan takes a column for: a text column of numbers is one of numbers.

    Examples
    --------
    >>> planned_kind(pa.array(["1", "2.5"])), planned_kind(pa.array(["1", "two"]))
    ('number', 'text')
    """
    kind = element_kind(values.type.value_type if pa.types.is_dictionary(values.type) else values.type)
    if kind != "text" or not len(values):
        return kind
    one = pa.concat_arrays(values.chunks) if isinstance(values, pa.ChunkedArray) else values
    return decide_kind(*value_counts(one), "text", MISSING_TEXTS)[0]


def from_sums(sums: dict[str, int], rows: int) -> str:
    """The fingerprint from the sums of the columns."""
    total = np.uint64(0)
    with np.errstate(over="ignore"):
        for name, value in sums.items():
            total += combine(hash_value(name, "text"), np.uint64(value))
    return f"{rows}x{len(sums)}-{int(total):016x}"


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
            "patterns that put items on top would count in their favour. Judge it on rows it has not "
            "seen, or let verify refit it inside each split: verify(method, data)"
        )
