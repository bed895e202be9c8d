"""Which columns have drifted between two files?

A column has drifted when its value tells which file a row is from. So drift is scored like everything else here: mutual information
with the origin of the row, minus what a column of that cardinality shows when the files are alike. A new id in the second file is
no drift; a shifted distribution is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import polars as pl

from salience.data.plan import plan
from salience.data.readers import open_source
from salience.data.scan import scan
from salience.measures.counting import Contingency
from salience.results.meta import Interval, Meta
from salience.results.scores import Scores
from salience.tabular.streaming.heuristics import heuristic
from salience.tabular.streaming.parts import Origin, OriginState, column_items, described, row_namers
from salience.tabular.streaming.scoring import score_columns


def compare(
    a: Any,
    b: Any,
    *,
    exclude: tuple[str, ...] = (),
    spec: Mapping[str, Mapping[str, Any]] | None = None,
    memory: str | int = "1GiB",
    n_jobs: int = 2,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Scores:
    """Rank columns by how much they tell two sources apart.

    Parameters
    ----------
    a, b : path, list of paths, or a table in memory
        What was known, and what is new. The plan (kinds, bins) is made from `a`.
    exclude : tuple of str
        Columns to leave out.
    spec : mapping, optional
        Overrides of the plan (of `a`) by column, e.g. ``{"zip": {"kind": "text"}}``.
    memory : str or int
        What the process may use.
    n_jobs, seed : int
    progress : callable, optional
        ``progress(rows done, rows in all)`` for each source.

    Returns
    -------
    Scores
        One row per column that both have, most drifted first: value (nats), the usual interval and null, ``psi`` (population
        stability index over bins or values), ``missing_a``, ``missing_b``. Columns of only one side are named in the warnings.

    Raises
    ------
    ValueError
        When the two have no column in common.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> a = {"same": rng.integers(0, 9, 4000), "moved": rng.integers(0, 9, 4000)}
    >>> b = {"same": rng.integers(0, 9, 4000), "moved": rng.integers(3, 12, 4000)}
    >>> compare(a, b).frame.select("column", "verdict").rows()
    [('moved', 'signal'), ('same', 'noise')]
    """
    started = time.perf_counter()
    first, second = open_source(a), open_source(b)
    common = [name for name in first.columns if name in second.columns and name not in exclude]
    if not common:
        raise ValueError(
            f"the two sources have no column in common: one has {', '.join(first.columns[:8])}, "
            f"the other {', '.join(second.columns[:8])}"
        )
    lonely = [
        f"only in the {side} source: {', '.join(names)}"
        for side, names in (
            ("first", [c for c in first.columns if c not in second.columns]),
            ("second", [c for c in second.columns if c not in first.columns]),
        )
        if names
    ]
    known = plan(first, spec=spec, memory=memory, seed=seed)
    same = {
        c.name: {"kind": c.kind, "edges": c.edges}
        for c in known.columns
        if c.name in common and c.kind != "list"
    }
    new = plan(second, memory=memory, seed=seed, spec=same)
    items = column_items(known, exclude=[name for name in first.columns if name not in common])
    total = OriginState(items, known, Origin(0), 2)
    part = OriginState(items, known, Origin(1), 2)
    scan(known, {"a": total}, source=first, columns=common, progress=progress, threads=n_jobs)
    scan(new, {"b": part}, source=second, columns=common, progress=progress, threads=n_jobs)
    total.merge(part)
    tables = total.finalize()
    frame = score_columns(tables, described(known), heuristic("mi"), row_namers=row_namers(known))
    extra = pl.DataFrame(
        [
            {
                "column": name,
                "psi": stability_index(
                    tables[name, "bins"] if (name, "bins") in tables else tables[name, "values"]
                ),
                **_missing(tables[name, "values"]),
            }
            for name in frame["column"]
        ]
    )
    rows = next(iter(tables.values())).label_counts
    return Scores(
        frame=frame.join(extra, on="column", how="left", maintain_order="left"),
        keys=("column",),
        item="column",
        better="high",
        meta=Meta(
            method="drift",
            seed=seed,
            rows=int(rows.sum()),
            unit="nats",
            interval=Interval("normal", 0.95),
            warnings=(*lonely, *first.notes, *second.notes),
            seconds=time.perf_counter() - started,
            extra={"rows_a": int(rows[0]), "rows_b": int(rows[1])},
        ),
    )


def stability_index(table: Contingency) -> float:
    """Population stability index of a two-column table: sum of (p - q) ln(p / q), half a row added to empty cells.

    Under 0.1 is usually called stable, above 0.25 shifted.

    Examples
    --------
    >>> stability_index(Contingency.from_counts([[50, 50], [50, 50]]))
    0.0
    """
    counts = np.maximum(table.counts, 0.5)
    shares = counts / table.label_counts
    terms = (shares[:, 0] - shares[:, 1]) * np.log(shares[:, 0] / shares[:, 1])
    return float((table.weight * terms).sum())


def _missing(table: Contingency) -> dict[str, float]:
    gaps = table.counts[table.keys == np.uint64(table.missing)].sum(axis=0)
    return dict(zip(("missing_a", "missing_b"), (gaps / table.label_counts).tolist(), strict=True))
