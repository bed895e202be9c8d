"""What was kept of a source, written as a table: some of its columns, some of its rows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from salience.cli import options as o

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def check_kept(option: str, path: Path, force: bool, endings: Collection[str] = (".parquet", ".csv")) -> None:
    """What can be known about the file before the work is done."""
    if path.suffix not in endings:
        raise ValueError(f"{option} {path}: the name ends in {' or '.join(endings)}")
    o.check_new(path, force)


def write_kept(
    path: Path,
    source: Any,
    names: Sequence[str] | None = None,
    *,
    rows: NDArray[np.int64] | None = None,
    numbers: Collection[str] = (),
) -> None:
    """Columns and rows as they stand in the source, beside and then renamed.

    Parameters
    ----------
    path : Path
        ``.parquet`` or ``.csv``.
    source : Source
    names : sequence of str, optional
        Columns; all by default.
    rows : ndarray of int64, optional
        Numbers of the rows, from 0, ascending; all by default.
    numbers : collection of str
        Columns that are written as numbers, of a source that knows only text.
    """
    import numpy as np
    import polars as pl
    from pyarrow.csv import CSVWriter
    from pyarrow.parquet import ParquetWriter

    from salience.data.encoding import numbers as as_numbers
    from salience.data.pilot import PIECE_ROWS
    from salience.results.storage import written_beside

    columns = list(source.columns if names is None else names)

    def tables() -> Iterator[Any]:
        first = 0
        for shard in source.shards():
            for batch in source.batches(shard, columns, PIECE_ROWS):
                kept = batch
                if rows is not None:
                    kept = batch.take(
                        rows[slice(*np.searchsorted(rows, [first, first + len(batch)]))] - first
                    )
                first += len(batch)
                frame = pl.DataFrame(kept).with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String))
                told = [name for name in numbers if frame.schema[name] == pl.String]
                yield frame.with_columns(
                    pl.Series(name, as_numbers(frame[name].to_arrow(), "number"), nan_to_null=True)
                    for name in told
                ).to_arrow()

    parts = tables()
    head = next(parts)
    writer = ParquetWriter if path.suffix == ".parquet" else CSVWriter
    with written_beside(path) as beside, writer(beside, head.schema) as out:
        for part in chain([head], parts):
            out.write_table(part.cast(head.schema))
