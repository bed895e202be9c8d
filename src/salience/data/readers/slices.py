"""Rows out of the middle of a Parquet file: the pages before them are skipped, not decoded.

pyarrow decodes a row group from its first row on, whichever rows are asked for. polars leaves pages alone that hold
none of them. It reads the plain types here, and pyarrow everything else.
"""

from collections.abc import Iterator, Sequence

import pyarrow as pa

__all__ = ["is_plain", "rows_at"]


def is_plain(kind: pa.DataType) -> bool:
    """Whether `rows_at` reads columns of this type.

    Examples
    --------
    >>> [is_plain(kind) for kind in (pa.int8(), pa.string(), pa.list_(pa.int8()), pa.decimal128(9))]
    [True, True, False, False]
    """
    of = pa.types
    number = of.is_integer(kind) or of.is_float32(kind) or of.is_float64(kind) or of.is_boolean(kind)
    text = of.is_string(kind) or of.is_large_string(kind)
    return bool(number or text or of.is_date32(kind) or of.is_timestamp(kind))


def rows_at(
    path: str, columns: Sequence[str], firsts: Sequence[int], rows: int
) -> Iterator[pa.RecordBatch | None]:
    """From each of the first rows on, so many rows of a file or as many as there are.

    Parameters
    ----------
    path : str
    columns : sequence of str
        Of plain types.
    firsts : sequence of int
        Numbers of rows in the file.
    rows : int

    Yields
    ------
    RecordBatch or None
        None where polars cannot read what pyarrow perhaps can, such as text that is not UTF-8.
    """
    import polars as pl

    lazy = pl.scan_parquet(path, glob=False, hive_partitioning=False).select(columns)
    for first in firsts:
        try:
            found = lazy.slice(first, rows).collect()
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
            yield None
            continue
        yield found.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest()).combine_chunks().to_batches()[0]
