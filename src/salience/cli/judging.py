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

Spec = Mapping[str, Mapping[str, Any]] | None  # overrides of a plan, by column

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
    if ranker.preset is None:  # a sample must not be read in another way than the whole
        decided = {name: {"kind": kind} for name, kind in kinds.items() if name in kept}
        given = {name: own for name, own in (ranker.spec or {}).items() if name in kept}
        plain["spec"] = decided | given
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
        Numbers become Float64, texts String, written times Datetime; columns that are not named are left out, lists
        too.
    rows, seed : int

    Returns
    -------
    polars.DataFrame
        At most `rows` rows, in random order.
    """
    import polars as pl

    from salience.data.pilot import chosen_pieces, read_pieces

    columns = _columns_read(source, target, kinds)
    shards = source.shards()
    parts: list[Any] = []
    for position, wanted in chosen_pieces(source, SPREAD * rows, seed).items():
        parts += read_pieces(source, shards[position], columns, wanted)
    frame = _as_frame(parts, columns, kinds)
    if target is not None:
        frame = frame.filter(pl.col(target).is_not_null())
    return frame.sample(min(rows, len(frame)), seed=seed, shuffle=True)


def read_row(source: Any, target: str, row: int, seed: int, spec: Spec = None) -> pl.DataFrame:
    """One row of a source, by its number from 0, as `read_planned` reads rows.

    Raises
    ------
    ValueError
        If the source is shorter.
    """
    from salience.data.pilot import PIECE_ROWS

    if row >= source.rows:
        raise ValueError(f"there is no row {row:,}: the source has {source.rows:,}, numbered from 0")
    kinds = _kinds(source, target, seed, spec)
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


def read_numbered(
    source: Any, target: str, rows: int, seed: int, spec: Spec = None
) -> tuple[pl.DataFrame, NDArray[np.int64]]:
    """Rows of a source in their order and their numbers in it, from 0; of a larger one so many drawn evenly.

    Rows without a label are left out; columns as in `read_sample`.
    """
    import numpy as np

    from salience.data.pilot import PIECE_ROWS

    kinds = _kinds(source, target, seed, spec)
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


def read_planned(source: Any, target: str | None, rows: int, seed: int, spec: Spec = None) -> pl.DataFrame:
    """What `read_sample` reads of a source that has no plan yet; `spec` is what the person declares of columns."""
    return read_sample(source, target, _kinds(source, target, seed, spec), rows, seed)


def reopened(run: Run, moved: str | None) -> Any:
    """The data of a finished run of `select`, `explain` or `interactions`, or those that stand in for them."""
    from salience.data.readers import open_source

    given = run.options
    if (source := moved or given["source"]) == "-":
        raise ValueError("the rows of this run came from a pipe and are gone; name the data with --source")
    how = {} if moved or given["format"] is None else {"format": given["format"]}
    return open_source(source, label=given["target"][0], **how)


def _kinds(source: Any, target: str | None, seed: int, spec: Spec) -> dict[str, str]:
    from salience.data.plan import plan

    planned = plan(source, label=target, seed=seed, spec=spec)
    kinds = {column.name: column.kind for column in planned.columns}
    # a label of few numbers is one of classes, whose names are texts
    return kinds | {
        label.name: "number" if label.kind == "bins" else "text"
        for label in planned.labels
        if label.kind == "bins" or label.column.kind == "text"
    }


def _columns_read(source: Any, target: str | None, kinds: Mapping[str, str]) -> list[str]:
    names = [
        name for name in source.columns if name == target or kinds.get(name) in ("number", "text", "time")
    ]
    if not set(names) - {target}:
        raise ValueError("there is no column of numbers, text or times besides the label: nothing to weigh")
    return names


def _as_frame(batches: Sequence[Any], columns: Sequence[str], kinds: Mapping[str, str]) -> pl.DataFrame:
    """Batches as one frame, columns of the kinds they are planned as; what is infinite or empty is missing."""
    import polars as pl

    parts = [
        pl.DataFrame([_as_series(name, batch.column(name), kinds.get(name)) for name in columns])
        for batch in batches
    ]
    return pl.concat(parts, how="vertical_relaxed")


def _as_series(name: str, values: Any, kind: str | None) -> pl.Series:
    """A column as its kind; one without a kind as it is stored."""
    import numpy as np
    import polars as pl

    from salience.data.encoding import numbers
    from salience.data.hashing import as_text
    from salience.data.readers.schema import physical
    from salience.verify.fingerprints import MISSING_TEXTS

    stored = physical(values.type)
    if kind == "number" or (kind == "time" and stored == "text"):
        found = numbers(values, kind, MISSING_TEXTS)
        known = pl.Series(name, np.where(np.isfinite(found), found, np.nan), nan_to_null=True)
        return known if kind == "number" else (1e6 * known).round().cast(pl.Int64).cast(pl.Datetime("us"))
    told = pl.Series(name, as_text(values) if kind == "text" and stored != "text" else values)
    if told.dtype in (pl.Categorical, pl.Enum):  # readers code text where it repeats
        told = told.cast(pl.String)
    if told.dtype == pl.String:
        told = told.set(told.is_in(MISSING_TEXTS), None)
    return told
