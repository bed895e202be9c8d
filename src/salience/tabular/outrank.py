"""``preset="outrank"``: the numbers of the package outrank 0.97.5, batch by batch.

For comparison and for whoever must reproduce an older ranking. Rows are read as strings, every
``subsample``-th is kept, each ``batch_rows`` kept rows are a batch; a column is coded within the batch by
the order of its strings; the score of (column, label) is the shifted one, conditioned on the label; the
result is the median over batches.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import combinations, combinations_with_replacement
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from salience.data.hashing import as_text, identities
from salience.data.readers import open_source
from salience.measures.nulls import shift_score
from salience.results.meta import Meta
from salience.results.scores import Scores
from salience.tabular.streaming.batchlog import BatchLog
from salience.tabular.streaming.reference import candidate_name
from salience.tabular.streaming.schedule import Schedule

__all__ = ["OutRankRun", "outrank_batches"]

_TEXT_FORMATS = ("csv", "ndjson", "vw", "ob-raw", "ob-raw-dump")  # an empty cell is the string ""
_TAIL_OF_THE_PACKAGE = 1024  # a last batch of so few rows is dropped
Pair = tuple[tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True)
class OutRankRun:
    """What the batches gave.

    Attributes
    ----------
    pairs : Scores
        Of pairs ``a, b`` (display names; ``members_a, members_b`` are the columns): the median ``value`` in
        nats, ``q10, q90, n_batches``.
    label : str
    counts : dict
        ``rows`` kept, ``batches`` scored, batches with a ``constant_label``, ``rows_unscored``.
    log : BatchLog
        The score of every pair in every batch; item i is row i of ``pairs.frame``.
    """

    pairs: Scores
    label: str
    counts: dict[str, int]
    log: BatchLog

    def summary(self, normalize: str = "minmax") -> Scores:
        """The score of every column with the label, the label among them, as the package's summary.

        Parameters
        ----------
        normalize : {"minmax", "none"}
            ``"minmax"`` scales all of them to [0, 1], as the package does: then even the best of pure noise
            would get a 1 if the label did not stand above it, so the result says that it was scaled.
        """
        if normalize not in ("minmax", "none"):
            raise ValueError(f"normalize={normalize!r} is unknown; it must be 'minmax' or 'none'.")
        with_label = pl.col("members_b") == [self.label]
        frame = self.pairs.frame.filter(with_label).select(
            pl.col("a").alias("column"),
            "value",
            "q10",
            "q90",
            "n_batches",
            pl.col("members_a").alias("members"),
        )
        meta, raw = self.pairs.meta, frame["value"]
        if normalize == "minmax":
            low, high = float(raw.min()), float(raw.max())  # type: ignore[arg-type]
            span = high - low or 1.0
            frame = frame.with_columns((pl.col("value", "q10", "q90") - low) / span, nats=raw)
            meta = meta.replace(unit="share of the range").warn(
                f"values are min-max scaled over all columns, from {low:.6g} to {high:.6g} nats: "
                "0 and 1 are always there, even among noise; the column nats is unscaled"
            )
        return Scores(frame=frame, keys=("column",), item="column", better="high", meta=meta)

    def aggregated(self) -> Scores:
        """Per column, the median score of the combinations that hold it (order 2 and more)."""
        frame = self.summary("none").frame.filter(pl.col("members").list.len() > 1)
        per = frame.explode("members").group_by("members", maintain_order=True)
        found = per.agg(pl.col("value").median(), n=pl.len()).rename({"members": "column"})
        return Scores(frame=found, keys=("column",), item="column", better="high", meta=self.pairs.meta)


def outrank_batches(
    source: Any,
    label: str,
    *,
    columns: Sequence[str] | None = None,
    batch_rows: int = 16384,
    subsample: int = 10,
    scope: str = "target",
    order: int = 1,
    pair_budget: int = 32768,
    ratio: float = 1.0,
    min_rows: int = _TAIL_OF_THE_PACKAGE + 1,
    tail: str = "drop",
    seed: int = 0,
    threads: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> OutRankRun:
    """Score as the package outrank does with ``--heuristic MI-numba-randomized``; its defaults.

    Parameters
    ----------
    source : path, frame, Source, ...
        Whatever :func:`salience.data.readers.open_source` takes.
    label : str
    columns : sequence of str, optional
        Columns to score; default all.
    batch_rows : int
        Kept rows of a batch.
    subsample : int
        Keep rows number subsample, 2 * subsample, ... of each file (counted from 1).
    scope : {"target", "all"}
        Pairs with the label only, or all pairs with the diagonal.
    order : int
        2 and more: also the combinations of so many columns. Their strings are joined without a separator,
        as in the package, so ("a", "bc") and ("ab", "c") are one value; ``salience rank`` itself does not
        do that.
    pair_budget : int
        Most pairs, and most combinations, of a batch: the least often scored ones, ties in order.
    ratio : float
        ``mi_stratified_sampling_ratio``: score so large a share of each label value's rows, in (0, 1]. The
        package's own way of doing it reads beyond an array and keeps counts of the full batch; here rows
        are drawn (seeded) and counted again, and the result is not multiplied by the ratio.
    min_rows : int
        Smallest last batch that is scored, and fewest kept rows in all. The package's is 1025.
    tail : {"drop", "merge"}
        What becomes of a smaller one: dropped as in the package (``counts`` says how many rows), or joined
        to the batch before it.
    seed : int
        For ``ratio`` below 1 only.
    threads : int
    progress : callable, optional
        ``progress(rows read, rows in all)``.

    Returns
    -------
    OutRankRun

    Raises
    ------
    ValueError
        An option out of range, no such label, fewer kept rows than ``min_rows``, a label constant in every
        batch.

    Notes
    -----
    A batch whose label is constant is skipped and counted; the package scores 0 for every column in it. The
    package's rule that switches the correction off when ``sum(label codes - column codes) == 0`` is kept,
    although it was meant for identical columns and misfires for others.

    Examples
    --------
    >>> import polars as pl
    >>> frame = pl.DataFrame({"copy": ["n", "y"] * 1000, "y": ["0", "1"] * 1000})
    >>> run = outrank_batches(frame, "y", subsample=1)
    >>> run.pairs.frame.select("a", "b", pl.col("value").round(4)).rows()
    [('copy', 'y', 0.6931), ('y', 'y', 0.6931)]
    """
    source = source if hasattr(source, "batches") else open_source(source)
    names = _checked(
        source, label, columns, batch_rows, subsample, scope, order, pair_budget, ratio, min_rows, tail
    )
    items: dict[Pair, int] = {}
    log = BatchLog()
    counts = dict.fromkeys(("rows", "batches", "constant_label", "rows_unscored"), 0)
    singles = [(name,) for name in names]
    built = list(combinations([n for n in names if n != label], order)) if order > 1 else []
    build, pick = Schedule(len(built), pair_budget, None), None
    number = 0
    with ThreadPoolExecutor(threads) as pool:
        for rows in _batches(source, names, batch_rows, subsample, min_rows, tail, counts, progress):
            texts = {name: rows.column(name) for name in names}
            y = _codes(texts[label])
            if (y == y[0]).all():
                counts["constant_label"] += 1
                counts["rows_unscored"] += len(y)
                continue
            chosen = [built[i] for i in build.items(number)]
            pairs = _pairs([*singles, *chosen], label, scope)
            pick = Schedule(len(pairs), pair_budget, None)
            pairs = [pairs[i] for i in pick.items(number)]
            wanted = list(dict.fromkeys(one for pair in pairs for one in pair))
            codes = dict(zip(wanted, pool.map(partial(_coded, texts), wanted), strict=True))
            kept = _stratified(y, ratio, np.random.default_rng((seed, number)))

            def score(pair: Pair, codes: dict[Any, Any] = codes, kept: Any = kept) -> float:
                conditioned, scored = (pair[1], pair[0]) if pair[0] != (label,) else pair
                return shift_score(codes[scored][kept], codes[conditioned][kept], compat=True)

            numbers = np.array([items.setdefault(pair, len(items)) for pair in pairs], dtype=np.int64)
            log.add(number, numbers, score=np.array(list(pool.map(score, pairs))))
            counts["batches"] += 1
            number += 1
    if not counts["batches"] or counts["rows"] < min_rows:
        raise ValueError(_nothing(counts, label, min_rows, subsample))
    found = log.aggregate(len(items))
    frame = pl.DataFrame(
        {
            "a": [candidate_name(a) for a, _ in items],
            "b": [candidate_name(b) for _, b in items],
            "value": found["score"],
            **{name: found[name] for name in ("q10", "q90", "n_batches")},
            "members_a": [list(a) for a, _ in items],
            "members_b": [list(b) for _, b in items],
        }
    )
    params = {
        "preset": "outrank", "label": label, "batch_rows": batch_rows, "subsample": subsample, "scope": scope,
        "order": order, "pair_budget": pair_budget, "ratio": ratio, "tail": tail,
    }  # fmt: skip
    meta = Meta(
        method="outrank-0.97.5", params=params, seed=seed, unit="nats", rows=counts["rows"], symmetric=True,
        warnings=_warnings(counts, min_rows), extra=counts,
    )  # fmt: skip
    scores = Scores(frame=frame, keys=("a", "b"), item="pair", better="high", meta=meta)
    return OutRankRun(scores, label, counts, log)


def _checked(
    source: Any, label: str, columns: Sequence[str] | None, batch_rows: int, subsample: int, scope: str,
    order: int, pair_budget: int, ratio: float, min_rows: int, tail: str,
) -> list[str]:  # fmt: skip
    least = {"batch_rows": (batch_rows, 2), "subsample": (subsample, 1), "order": (order, 1)}
    for name, (value, low) in {**least, "pair_budget": (pair_budget, 1), "min_rows": (min_rows, 2)}.items():
        if value < low:
            raise ValueError(f"{name}={value}; it must be at least {low}.")
    if not 0 < ratio <= 1:
        raise ValueError(f"ratio={ratio}; the share of rows that is scored lies in (0, 1].")
    for option, word, allowed in (("scope", scope, ("target", "all")), ("tail", tail, ("drop", "merge"))):
        if word not in allowed:
            raise ValueError(f"{option}={word!r} is unknown; it must be one of {', '.join(allowed)}.")
    wanted = list(source.columns if columns is None else dict.fromkeys([*columns, label]))
    absent = [name for name in [*wanted, label] if name not in source.columns]
    if absent:
        raise ValueError(f"There is no column {absent[0]!r}; the source has {', '.join(source.columns)}.")
    return [name for name in source.columns if name in set(wanted)]


def _pairs(features: Sequence[tuple[str, ...]], label: str, scope: str) -> list[Pair]:
    """Upper triangle with the diagonal, or its pairs that hold the label, which comes second in a pair."""
    pairs = combinations_with_replacement(features, 2)
    wanted = pairs if scope == "all" else (pair for pair in pairs if (label,) in pair)
    return [(b, a) if a == (label,) else (a, b) for a, b in wanted]


def _batches(
    source: Any, names: list[str], batch_rows: int, subsample: int, min_rows: int, tail: str,
    counts: dict[str, int], progress: Callable[[int, int], None] | None,
) -> Iterator[pa.Table]:  # fmt: skip
    """Tables of ``batch_rows`` kept rows of strings; the last one of a file as `tail` and `min_rows` say."""
    files: dict[str, list[Any]] = {}
    for shard in source.shards():
        files.setdefault(str(shard.path), []).append(shard)
    read = 0
    for shards in files.values():
        waiting: pa.Table | None = None  # a full batch, held back in case the tail is to be joined to it
        rest: list[pa.Table] = []
        line = 0
        for shard in shards:
            for batch in source.batches(shard, names, 65536):
                kept = np.arange(-(line + 1) % subsample, batch.num_rows, subsample)
                line += batch.num_rows
                rest = [pa.concat_tables([*rest, _as_strings(batch.take(pa.array(kept)), source.format)])]
                counts["rows"] += len(kept)
                while rest[0].num_rows >= batch_rows:
                    if waiting is not None:
                        yield waiting
                    waiting, rest = rest[0].slice(0, batch_rows), [rest[0].slice(batch_rows)]
                read += batch.num_rows
                if progress is not None:
                    progress(read, source.rows)
        last = rest[0] if rest else None
        if last is not None and 0 < last.num_rows < min_rows:
            if tail == "merge" and waiting is not None:
                waiting, last = pa.concat_tables([waiting, last]), None
            else:
                counts["rows_unscored"] += last.num_rows
                last = None
        for table in (waiting, last):
            if table is not None and table.num_rows:
                yield table.combine_chunks()


def _as_strings(batch: pa.RecordBatch, format: str) -> pa.Table:
    columns = []
    for column in batch.columns:
        if pa.types.is_nested(column.type):  # the package knows texts only
            found = [None if v is None else json.dumps(v, default=str) for v in column.to_pylist()]
            text = pa.array(found, pa.large_string())
        else:
            text = as_text(column).cast(pa.large_string())
        columns.append(pc.fill_null(text, "") if format in _TEXT_FORMATS else text)
    return pa.table(columns, names=batch.schema.names)


def _coded(texts: dict[str, Any], members: tuple[str, ...]) -> NDArray[np.int64]:
    if len(members) == 1:
        return _codes(texts[members[0]])
    # The package joins str(value) and hashes: a missing value is the string "None" there.
    parts = [pc.fill_null(texts[member], "None") for member in members]
    joined = _array(pc.binary_join_element_wise(*parts, pa.scalar("", pa.large_string())))
    # It orders the hexadecimal digests, which is the order of the numbers.
    hashes, codes = identities(joined, "text", missing=())
    by_row = hashes if codes is None else hashes[codes]
    return np.unique(by_row, return_inverse=True)[1].astype(np.int64)


def _codes(text: pa.ChunkedArray) -> NDArray[np.int64]:
    """Codes in the order of the strings, -1 for null, as pandas' categories have them."""
    encoded = _array(text).dictionary_encode()
    order = pc.sort_indices(encoded.dictionary).to_numpy()  # by UTF-8 bytes, which is by code points
    place = np.empty(len(order) + 1, dtype=np.int64)
    place[order], place[-1] = np.arange(len(order)), -1
    return place[pc.fill_null(encoded.indices, len(order)).to_numpy(zero_copy_only=False)]


def _array(values: Any) -> pa.Array:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def _stratified(y: NDArray[np.int64], ratio: float, rng: np.random.Generator) -> Any:
    """Rows that are scored: so large a share of each label value's rows (at least one), ascending."""
    if ratio == 1:
        return slice(None)
    order = np.lexsort((rng.random(len(y)), y))
    _, start, size = np.unique(y[order], return_index=True, return_counts=True)
    place = np.arange(len(y)) - np.repeat(start, size)
    return np.sort(order[place < np.repeat(np.maximum(1, np.ceil(ratio * size)), size)])


def _warnings(counts: dict[str, int], min_rows: int) -> tuple[str, ...]:
    said = []
    if counts["constant_label"]:
        said.append(f"{counts['constant_label']} batches have one label value only; left out, not scored 0")
    if counts["rows_unscored"]:
        said.append(
            f"{counts['rows_unscored']} rows are in no scored batch (last batches below {min_rows} rows)"
        )
    return tuple(said)


def _nothing(counts: dict[str, int], label: str, min_rows: int, subsample: int) -> str:
    if counts["constant_label"] and not counts["batches"]:
        return (
            f"The label {label!r} is constant in each of the {counts['constant_label']} batches: is the file "
            "sorted by it? Raise batch_rows or shuffle the file."
        )
    return (
        f"{counts['rows']} rows were kept, fewer than min_rows={min_rows}: nothing was scored. Lower "
        f"min_rows, or lower subsample={subsample} to keep more rows."
    )
