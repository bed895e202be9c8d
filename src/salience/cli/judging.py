"""From a run's own options to a verdict: a sample of the source, the same ranker, the checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from salience.results import Scores
    from salience.runs.reader import Run
    from salience.tabular.streaming.passes import RankingPass
    from salience.verify.verdict import Verdict

__all__ = [
    "VERIFY_ROWS",
    "as_arrays",
    "of_source",
    "read_numbered",
    "read_planned",
    "read_row",
    "read_sample",
    "reopened",
    "verdict_on",
]

VERIFY_ROWS = 5000  # rows judged on by default: some 700 refits take a minute or two
SPREAD = 20  # the sample is drawn from this many times as many rows, spread over the source


def verdict_on(
    ranker: RankingPass,
    source: Any,
    target: str,
    kinds: Mapping[str, str],
    *,
    estimator: str = "logistic",
    rows: int = VERIFY_ROWS,
    seed: int = 0,
    threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Verdict:
    """Judge a ranker on a sample of its source: it is fitted anew inside each split.

    Parameters
    ----------
    ranker : RankingPass
        Its parameters are used, not what it has learned.
    source : Source
    target : str
        The label.
    kinds : mapping of column to kind
        From the plan: a text source does not know which of its columns are numbers.
    estimator : str
    rows : int
        Rows in the sample.
    seed, threads : int
    progress : callable, optional

    Returns
    -------
    Verdict
    """
    from salience.tabular.ranking import StreamRanker
    from salience.tabular.streaming.engines import PACKAGE_MIN_ROWS
    from salience.verify import verify

    frame = read_sample(source, target, kinds, rows, seed)
    least = PACKAGE_MIN_ROWS * 5 // 4 + 1  # a split fits on four of five rows
    if ranker.preset == "outrank" and len(frame) < least:
        raise ValueError(
            f"--preset outrank scores batches of at least {PACKAGE_MIN_ROWS} rows, as the package does, and inside the "
            f"splits of {len(frame)} rows there are fewer: it can be judged on {least} rows and more (--rows), or rank "
            "without the preset"
        )
    # What is judged is the order of the real columns; planted noise has no place in a model.
    plain: dict[str, Any] = {
        "label": None,
        "controls": False,
        "scope": "target",
        "order": 1,
        "n_jobs": threads,
        "exact": False,
        "subsample": 1,  # the rows judged on are a sample already
    }
    known: dict[str, Any] = ranker.get_params(deep=False)
    kept = set(frame.columns)
    for name in ("focus", "exclude"):
        plain[name] = [column for column in known[name] if column in kept]
    settings = {"estimator": estimator, "seed": seed, "n_jobs": threads, "progress": progress}
    return verify(StreamRanker(**{**known, **plain}), (frame, target), **settings)


def read_sample(
    source: Any, target: str | None, kinds: Mapping[str, str], rows: int, seed: int
) -> pl.DataFrame:
    """Draw rows of a source, from pieces spread over all of it, numbers as numbers.

    Parameters
    ----------
    source : Source
    target : str or None
        Only rows that have this label are drawn.
    kinds : mapping of column to kind
        ``"number"`` columns become Float64; columns that are not named are left out, lists too.
    rows, seed : int

    Returns
    -------
    polars.DataFrame
        At most `rows` rows, in random order.
    """
    import polars as pl

    from salience.data.pilot import PIECE_ROWS, choose_pieces

    columns = _columns_read(source, target, kinds)
    shards = source.shards()
    parts = []
    for position, wanted in choose_pieces(shards, SPREAD * rows, seed).items():
        for number, batch in enumerate(source.batches(shards[position], columns, PIECE_ROWS)):
            if number in wanted:
                parts.append(batch)
            if number >= max(wanted):
                break
    frame = _as_frame(parts, columns, kinds)
    if target is not None:
        frame = frame.filter(pl.col(target).is_not_null())
    return frame.sample(min(rows, len(frame)), seed=seed, shuffle=True)


def read_row(source: Any, target: str, row: int, seed: int) -> pl.DataFrame:
    """One row of a source, by its number from 0, as `read_planned` reads rows.

    Raises
    ------
    ValueError
        If the source is shorter.
    """
    from salience.data.pilot import PIECE_ROWS

    if row >= source.rows:
        raise ValueError(f"there is no row {row:,}: the source has {source.rows:,}, numbered from 0")
    kinds = _kinds(source, target, seed)
    columns = _columns_read(source, target, kinds)
    first = 0
    for shard in source.shards():
        if row >= first + shard.rows:
            first += shard.rows
            continue
        for batch in source.batches(shard, columns, PIECE_ROWS):
            if row < first + batch.num_rows:
                return _as_frame([batch.slice(row - first, 1)], columns, kinds)
            first += batch.num_rows
    raise ValueError(f"row {row:,} could not be read: the source has changed")


def read_numbered(source: Any, target: str, rows: int, seed: int) -> tuple[pl.DataFrame, NDArray[np.int64]]:
    """Rows of a source in their order and their numbers in it, from 0; of a larger one so many drawn evenly.

    Rows without a label are left out; columns as in `read_sample`.
    """
    import numpy as np

    from salience.data.pilot import PIECE_ROWS

    kinds = _kinds(source, target, seed)
    columns = _columns_read(source, target, kinds)
    drawn = np.random.default_rng(seed).permutation(source.rows)[:rows]
    drawn.sort()
    parts, first = [], 0
    for shard in source.shards():
        for batch in source.batches(shard, columns, PIECE_ROWS):
            here = drawn[slice(*np.searchsorted(drawn, [first, first + batch.num_rows]))] - first
            parts.append(batch.take(here) if len(here) < batch.num_rows else batch)
            first += batch.num_rows
    frame = _as_frame(parts, columns, kinds)
    there = frame[target].is_not_null().to_numpy()
    return frame.filter(there), drawn[there]


def as_arrays(frame: pl.DataFrame, label: str) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """The columns besides the label as numbers, text as 0 and 1; and the labels as text."""
    from salience.tabular.selection import as_numbers

    return as_numbers(frame.drop(label))[0].to_numpy(), frame[label].cast(str).to_numpy()


def of_source(scores: Scores, place: NDArray[np.int64]) -> Scores:
    """Scores of the rows that were looked at, by their numbers in the source."""
    import polars as pl

    numbers = pl.Series(place[scores.frame["row"].to_numpy()])
    return replace(scores, frame=scores.frame.with_columns(row=numbers))


def read_planned(source: Any, target: str | None, rows: int, seed: int) -> pl.DataFrame:
    """The same for a source that has no plan yet."""
    return read_sample(source, target, _kinds(source, target, seed), rows, seed)


def reopened(run: Run, moved: str | None) -> Any:
    """The data of a finished run of `select`, `explain` or `interactions`, or those that stand in for them."""
    from salience.data.readers import open_source

    given = run.options
    if (source := moved or given["source"]) == "-":
        raise ValueError("the rows of this run came from a pipe and are gone; name the data with --source")
    how = {} if moved or given["format"] is None else {"format": given["format"]}
    return open_source(source, label=given["target"][0], **how)


def _kinds(source: Any, target: str | None, seed: int) -> dict[str, str]:
    from salience.data.plan import plan

    planned = plan(source, label=target, seed=seed)
    kinds = {column.name: column.kind for column in planned.columns}
    # a label of few numbers is one of classes, whose names are texts
    return kinds | {label.name: "number" for label in planned.labels if label.kind == "bins"}


def _columns_read(source: Any, target: str | None, kinds: Mapping[str, str]) -> list[str]:
    names = [
        name for name in source.columns if name == target or kinds.get(name) in ("number", "text", "time")
    ]
    if not set(names) - {target}:
        raise ValueError("there is no column of numbers, text or times besides the label: nothing to weigh")
    return names


def _as_frame(batches: Sequence[Any], columns: Sequence[str], kinds: Mapping[str, str]) -> pl.DataFrame:
    """Batches as one frame, numbers as numbers; an infinite one is as good as missing, and so is an empty text."""
    import polars as pl

    from salience.verify.fingerprints import MISSING_TEXTS

    # readers code text where it repeats; polars cannot make numbers of codes
    parts = [
        pl.DataFrame(batch).with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String)) for batch in batches
    ]
    numbers = [pl.col(n).cast(pl.Float64, strict=False) for n in columns if kinds.get(n) == "number"]
    known = [pl.when(number.is_finite()).then(number) for number in numbers]
    told = pl.col(pl.String)
    frame = pl.concat(parts, how="vertical_relaxed").with_columns(
        pl.when(~told.is_in(MISSING_TEXTS)).then(told)
    )
    return frame.with_columns(known)
