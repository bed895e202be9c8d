"""Draw rows from a recipe: into a frame, or into a file of any length, block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from salience.results.storage import written_beside

__all__ = ["Planted", "Recipe", "blocks", "generate", "write"]

Truth = tuple[tuple[str, ...], ...]
Append = Callable[[pl.DataFrame], None]


class Recipe(Protocol):
    """How rows are drawn. A recipe is frozen; everything random about a row comes from the generator given
    to `draw`."""

    @property
    def label(self) -> str:
        """Name of the label column."""
        ...

    @property
    def truth(self) -> Truth:
        """The planted items: tuples of one column name (a main effect) or more (an interaction)."""
        ...

    def draw(self, rows: int, rng: np.random.Generator, first: int = 0) -> pl.DataFrame:
        """Rows `first` to `first + rows` as a frame that includes the label."""
        ...


@dataclass(frozen=True, eq=False)
class Planted:
    """A frame and what was planted in it.

    Attributes
    ----------
    frame : pl.DataFrame
        Features and label.
    label : str
        Name of the label column.
    truth : tuple of tuple of str
        What a ranking ought to find: one name for a main effect, several for an interaction.
    notes : dict
        How the data were made.
    """

    frame: pl.DataFrame
    label: str
    truth: Truth
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def singles(self) -> tuple[str, ...]:
        """Columns with a planted effect of their own."""
        return tuple(item[0] for item in self.truth if len(item) == 1)

    @property
    def interactions(self) -> Truth:
        """Planted combinations of two or more columns."""
        return tuple(item for item in self.truth if len(item) > 1)

    @property
    def features(self) -> tuple[str, ...]:
        """All columns but the label."""
        return tuple(c for c in self.frame.columns if c != self.label)


def blocks(recipe: Recipe, rows: int, seed: int = 0, block_rows: int = 262_144) -> Iterator[pl.DataFrame]:
    """Draw `rows` rows in blocks. Block i is a function of (seed, i) alone.

    Raises
    ------
    ValueError
        If `rows`, `seed` or `block_rows` is out of range.
    """
    if rows < 1 or block_rows < 1:
        raise ValueError(f"rows and block_rows must be at least 1, got {rows} and {block_rows}")
    if seed < 0:
        raise ValueError(f"seed must be a non-negative integer, got {seed}")
    for block, first in enumerate(range(0, rows, block_rows)):
        yield recipe.draw(min(block_rows, rows - first), np.random.default_rng([seed, block]), first)


def generate(recipe: Recipe, rows: int, seed: int = 0, block_rows: int = 262_144) -> Planted:
    """Draw `rows` rows in memory.

    Parameters
    ----------
    recipe : Recipe
        What to draw.
    rows : int
        How many rows.
    seed : int, default 0
        Seed. Together with `block_rows` it determines every row.
    block_rows : int, default 262144
        Rows drawn at a time.

    Returns
    -------
    Planted
        The frame, the name of its label and the planted truth.

    Examples
    --------
    >>> from salience.data.generators import Needle, generate
    >>> planted = generate(Needle(columns=40, planted=("f3", "f7")), rows=100, seed=1)
    >>> planted.frame.shape, planted.interactions
    ((100, 41), (('f3', 'f7'),))
    """
    frame = pl.concat(list(blocks(recipe, rows, seed, block_rows)), rechunk=True)
    notes = {"recipe": repr(recipe), "rows": rows, "seed": seed, "block_rows": block_rows}
    return Planted(frame, recipe.label, recipe.truth, notes)


def write(
    recipe: Recipe,
    path: str | Path,
    rows: int,
    seed: int = 0,
    block_rows: int = 262_144,
    format: str | None = None,
    compression: str = "zstd",
) -> Path:
    """Write `rows` rows to one file with the memory of one block.

    Parameters
    ----------
    recipe : Recipe
        What to draw.
    path : str or Path
        The file; an existing one is replaced when the new one is complete.
    rows, seed, block_rows : int
        As in `generate`; the rows are the same. Every block is one row group of a Parquet file.
    format : {"parquet", "csv"}, optional
        Taken from the suffix of `path` when not given.
    compression : str, default "zstd"
        Of Parquet.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ValueError
        If the format is not known.
    OSError
        If it cannot be written; the message says why and what to do.
    """
    path = Path(path)
    kind = format or path.suffix.lstrip(".")
    if kind not in _SINKS:
        raise ValueError(
            f"cannot write {kind!r}; give format= or a suffix out of {', '.join(sorted(_SINKS))}"
        )
    with written_beside(path) as beside, _SINKS[kind](beside, compression) as append:
        for frame in blocks(recipe, rows, seed, block_rows):
            append(frame)
    return path


@contextmanager
def _to_parquet(path: Path, compression: str) -> Iterator[Append]:
    with ExitStack() as opened:
        writer: pq.ParquetWriter | None = None

        def append(frame: pl.DataFrame) -> None:
            nonlocal writer
            table = frame.to_arrow()
            if writer is None:  # the first block says what the columns are
                writer = opened.enter_context(pq.ParquetWriter(path, table.schema, compression=compression))
            writer.write_table(table, row_group_size=len(table))

        yield append


@contextmanager
def _to_csv(path: Path, compression: str) -> Iterator[Append]:
    with path.open("wb") as file:
        yield lambda frame: frame.write_csv(file, include_header=file.tell() == 0)


_SINKS: dict[str, Callable[[Path, str], AbstractContextManager[Append]]] = {
    "parquet": _to_parquet,
    "csv": _to_csv,
}
