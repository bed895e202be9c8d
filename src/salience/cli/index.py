"""``index``: will approximate search over these vectors serve its task, and which rows does it not reach."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from salience.cli import options as o

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from salience.runs.reader import Run
    from salience.verify.verdict import Verdict

ROWS = 20_000  # of which graphs are built, a dozen of them
LEAST_LISTS = 2_000  # rows from which lists of codes make sense
SPREAD = 0.02  # recall that the order of insertion may move
LOST = 0.01  # worth that the metric may lose
LEAST_DRAWN = 50  # queries of known dimension that make a curve


def index(
    ctx: typer.Context,
    vectors: Annotated[
        str,
        typer.Argument(
            help="Vectors: .npy, .npz, Parquet or Arrow with a column of lists, or a folder of these."
        ),
    ],
    options: o.OptionsFile = None,
    labels: Annotated[
        str | None,
        o.data("--labels", "-y", help="A label per vector: file, or column of the table of vectors."),
    ] = None,
    queries: Annotated[
        str | None, o.data("--queries", "-q", help="Vectors that are looked for. Default: rows drawn.")
    ] = None,
    query_labels: Annotated[
        str | None,
        o.data("--query-labels", help="A label per query, or without --labels the row it looks for: a file."),
    ] = None,
    on_missing: Annotated[
        str, o.data("--on-missing", help="Queries whose label no vector has: error, or drop them.")
    ] = "error",
    column: Annotated[
        str | None,
        o.data("--column", "-c", help="Array of an .npz or column of a table that has the vectors."),
    ] = None,
    k: Annotated[int, o.measure("--k", "-k", min=1, help="Answers per query.")] = 10,
    metric: Annotated[
        str | None, o.measure(help="l2, ip or cosine. Default: what serves the task best.")
    ] = None,
    target: Annotated[float, o.measure("--target", min=0, max=1, help="Recall that is wanted.")] = 0.95,
    graphs: Annotated[
        tuple[int, int, int], o.measure("--graph", help="M, ef_construction and ef_search of the graph.")
    ] = (16, 128, 40),
    n_queries: Annotated[int, o.measure("--n-queries", min=10, help="Rows drawn as queries.")] = 1000,
    seeds: Annotated[int, o.measure(min=1, help="Graphs per order of insertion.")] = 3,
    rows: Annotated[
        int, o.machine(min=100, help="Rows that graphs are built of; of more, so many are drawn.")
    ] = ROWS,
    memory: o.Memory = "4GiB",
    seed: o.Seed = 0,
    output: o.Output = Path("runs"),
    name: o.Name = None,
    force: o.Force = False,
    top: o.Top = 25,
    json: o.Json = False,
    report: o.Report = True,
    strict: o.Strict = False,
) -> None:
    """Will an index over these vectors serve? Task, metric, index, recall, order of insertion, rows out of reach."""
    from salience.cli import pictures, show
    from salience.cli.ending import shown, tabled, told
    from salience.cli.errors import demand
    from salience.cli.judging import of_source
    from salience.data.budget import room
    from salience.data.vectors import read_vectors
    from salience.runs.writer import RunWriter

    left = room(memory) // 2  # searching takes as much
    X = read_vectors(vectors, column, memory=left)
    y = None if labels is None else _labels(labels, len(X), vectors)
    Q = None if queries is None else read_vectors(queries, memory=left)
    wanted = None if query_labels is None else _labels(query_labels, _count(Q))
    folder = o.run_folder(output, name, vectors)
    given = {"source": vectors, **ctx.params}
    with RunWriter(folder, "index", given, force=force, argv=ctx.meta.get("argv")) as run:
        metrics = _metrics(X, Q, run.note)
        if metric is not None and metric not in metrics:
            why = "" if "cosine" in metrics else ", for a vector of length 0 has no cosine"
            raise ValueError(f"--metric {metric}: compared are {', '.join(metrics)}{why}")
        drawn = _drawn(len(X), rows, seed)
        if k >= len(drawn):
            raise ValueError(f"--k {k}: graphs are built of {len(drawn)} rows (--rows); give fewer answers")
        if Q is not None and wanted is None:
            run.note(
                "the queries come without --query-labels: they measure recall only, and rows drawn measure the worth"
            )
        if len(drawn) < len(X):
            run.note(
                f"indexes are built of {len(drawn):,} of {len(X):,} rows, drawn evenly (--rows); exact search has all"
            )
        with show.progress("searching", "steps") as tell, pictures.remarks(run.note):
            whole = _funnel(given, X, y, Q, wanted, metrics, tell, graphs=len(drawn) == len(X))
        with show.progress("building", "steps") as tell, pictures.remarks(run.note):
            part = whole
            if len(drawn) < len(X):
                few = {**given, "on_missing": "drop"}  # what they look for may not be drawn
                part = _funnel(
                    few, X[drawn], drawn if y is None else y[drawn], Q, wanted, metrics, tell, graphs=True
                )
        told_before = run.info["notes"]
        run.note(*(n for n in (*whole.notes, *whole.meta_features.notes) if n not in told_before))
        used = metric or whole.verdict.metric
        with show.progress("inserting", "graphs") as tell, pictures.remarks(run.note):
            audit = _audit(given, X[drawn], Q, None if y is None else y[drawn], used, seed, tell)
        with show.progress("widening", "graphs") as tell:
            advice = audit.recommend(target, progress=tell)
        scores = of_source(audit.scores_, drawn)
        run.write_scores("scores", scores)
        run.write_scores("dimension", of_source(audit.lid_, drawn))
        run.write_scores("configurations", part.scores)
        tabled(run, "metrics", "Exact search by each metric", whole.by_metric)
        tabled(
            run, "indexes", "Indexes: worth for the task, recall, and where the rest is lost", part.by_index
        )
        tabled(run, "funnel", "The funnel: losses with their intervals", part.funnel)
        if part.rank_shift is not None:
            title = f"By recall and by worth: the orders agree to {part.rank_shift.tau:.2f} (Kendall's tau)"
            tabled(run, "rank_shift", title, part.rank_shift.table)
        tabled(run, "orders", f"Recall of a graph by {used}, by order of insertion", audit.table_)
        tabled(run, "parameters", f"Which parameters reach a recall of {target:g}", advice.grid)
        tabled(run, "tree", "The published tree, question by question", _path(whole))
        run.write_json("meta_features", whole.meta_features.to_dict())
        for picture, (title, draw) in _pictures(part, audit).items():
            pictures.keep(run, picture, title, draw)
        verdict = _judged(audit, advice, whole, used, target)
        run.write_json("verdict", verdict.to_json())
        said = [*_of_exact_search(whole), *str(advice).splitlines(), _dimension(audit), _unreached(scores)]
        run.write_text("words.txt", f"{whole}\n\n{audit.table_}\n\n{advice}\n")
        told(run, "Will an index over these vectors serve", said, report)
    columns = (
        "metric",
        "index",
        "params",
        "value",
        "recall",
        "loss_embedding",
        "loss_metric",
        "loss_index",
        "seconds",
    )
    shown(run, part.by_index, columns, top, said, json=json, verdict=verdict)
    if strict:
        demand(verdict)


def judge_again(run: Run, source: str | None, *, seed: int, progress: Any, **_: Any) -> Verdict:
    """The same audit of recall with other queries, on the same rows."""
    from salience.data.vectors import read_vectors

    given = run.options
    X = read_vectors(source or given["vectors"], given["column"])
    Q = None if given["queries"] is None else read_vectors(given["queries"])
    drawn = _drawn(len(X), given["rows"], given["seed"])
    y = None if given["labels"] is None else _labels(given["labels"], len(X), given["vectors"])
    metrics = _metrics(X, Q, lambda *_: None)
    wanted = None if given["query_labels"] is None else _labels(given["query_labels"], _count(Q))
    whole = _funnel({**given, "seed": seed}, X, y, Q, wanted, metrics, None, graphs=False)
    used = given["metric"] or whole.verdict.metric
    audit = _audit(given, X[drawn], Q, None if y is None else y[drawn], used, seed, progress)
    return _judged(audit, audit.recommend(given["target"]), whole, used, given["target"])


def _labels(given: str, n: int, vectors: str = "") -> NDArray[Any]:
    """Labels from a file, or from a column of the table of vectors."""
    from salience.data.vectors import read_labels

    beside = vectors and not Path(given).exists()
    if beside and vectors.endswith(".npy"):
        raise ValueError(f"--labels {given}: there is no such file, and {vectors} has no columns")
    found = read_labels(vectors, given) if beside else read_labels(given)
    if len(found) != n:
        raise ValueError(f"{given} has {len(found):,} labels for {n:,} vectors")
    return found


def _count(Q: NDArray[Any] | None) -> int:
    if Q is None:
        raise ValueError("--query-labels are those of --queries; give both")
    return len(Q)


def _metrics(X: NDArray[Any], Q: NDArray[Any] | None, note: Any) -> tuple[str, ...]:
    """The metrics that can be compared: there is no angle to a vector of length 0."""
    import numpy as np

    if X.shape[1:] != (X if Q is None else Q).shape[1:]:
        raise ValueError(f"queries have {Q.shape[1]} dimensions, vectors {X.shape[1]}")  # type: ignore[union-attr]
    for rows, what in ((X, "vectors"), (Q, "queries")):
        for at in range(0, 0 if rows is None else len(rows), 1 << 16):
            zero = ~np.asarray(rows[at : at + (1 << 16)]).any(axis=1)  # type: ignore[index]
            if zero.any():
                note(
                    f"row {at + int(zero.argmax()):,} of the {what} has length 0 and so no cosine; that metric is left out"
                )
                return ("l2", "ip")
    return ("l2", "ip", "cosine")


def _drawn(n: int, most: int, seed: int) -> NDArray[np.int64]:
    import numpy as np

    return np.sort(np.random.default_rng(seed).permutation(n)[:most])


def _funnel(
    given: dict[str, Any],
    X: Any,
    y: Any,
    Q: Any,
    wanted: Any,
    metrics: tuple[str, ...],
    tell: Any,
    *,
    graphs: bool,
) -> Any:
    """What exact search and indexes do for the task; without labels, that of finding a row again (y may name rows)."""
    from salience.vectors import FunnelAudit

    k = given["k"]
    indexes = _indexes(given, len(X), metrics) if graphs else {}
    breadths = sorted({max(k, given["graphs"][2]) * factor for factor in (1, 2, 4, 8)})
    audit = FunnelAudit(
        k,
        task="hit" if given["labels"] is None else "label",
        metrics=metrics,
        indexes=indexes or None,
        sweep={
            name: {"ef_search": breadths} if "hnsw" in name or name == "usearch" else {"nprobe": (4, 16, 64)}
            for name in indexes
        }
        or None,
        n_queries=min(given["n_queries"], len(X)),
        on_missing=given["on_missing"],
        random_state=given["seed"],
        progress=tell,
    )
    if Q is not None and wanted is not None:
        return audit.fit(X, y, queries=Q, query_labels=wanted).report_
    return audit.fit(X, y).report_


def _indexes(given: dict[str, Any], n: int, metrics: tuple[str, ...]) -> dict[str, Any]:
    """The graphs of hnswlib, or of faiss where that is not installed, and the lists of codes of faiss."""
    from importlib.util import find_spec

    from salience import vectors as v

    m, construction, search = given["graphs"]
    graph = v.HnswIndex if find_spec("hnswlib") else v.FaissHnswIndex
    shape = {"M": m, "ef_construction": construction, "ef_search": max(search, given["k"])}
    found: dict[str, Any] = {f"hnsw-{metric}": graph(**shape, metric=metric) for metric in metrics}
    if n >= LEAST_LISTS:
        found |= {"ivf-pq": v.IvfPqIndex(), "rabitq": v.RabitqIndex()}
    return found


def _audit(given: dict[str, Any], X: Any, Q: Any, y: Any, metric: str, seed: int, tell: Any) -> Any:
    from salience.vectors import HnswRecallAudit

    m, construction, search = given["graphs"]
    orders = ("random", "given", "lid_desc", "lid_asc", *(("category",) if y is not None else ()))
    audit = HnswRecallAudit(
        M=m,
        ef_construction=construction,
        ef_search=max(search, given["k"] + (Q is None)),
        k=given["k"],
        orders=orders,
        seeds=given["seeds"],
        metric=metric,
        n_queries=min(given["n_queries"], len(X) // 2),
        random_state=seed,
        progress=tell,
    )
    return audit.fit(X, queries=Q, groups=y)


def _judged(audit: Any, advice: Any, whole: Any, used: str, target: float) -> Verdict:
    from salience.verify import Check, report

    by_metric = whole.by_metric.filter(whole.by_metric["metric"] == used).row(0, named=True)
    lo, hi = audit.spread_interval_
    return report(
        [
            Check.judged(
                "recall", statistic=advice.recall, lo=advice.lo, hi=advice.hi, threshold=target, unit="recall",
                why=f"of {len(audit.queries_)} queries, rows inserted in random order",
            ),
            Check.judged(
                "insertion order", statistic=audit.spread_, lo=lo, hi=hi, threshold=SPREAD, better="low", unit="recall",
                why=f"the recall of the best of {len(audit.orders_)} orders less that of the worst",
            ),
            Check.judged(
                "metric", statistic=by_metric["behind"], lo=by_metric["behind_lo"], hi=by_metric["behind_hi"],
                threshold=LOST, better="low", unit=whole.unit,
                why=f"what {used} loses to the metric that serves the task best",
            ),
        ],
        method="index",
    )  # fmt: skip


def _of_exact_search(whole: Any) -> list[str]:
    """The words of the verdict without those on each configuration, which are rows of the table."""
    names = tuple(f"{name} (" for name in set(whole.by_index["index"]))
    return [words for words in whole.verdict.words if not words.startswith(names)]


def _path(whole: Any) -> Any:
    """The meta-features as the tree asks for them, with the margin of each answer."""
    import polars as pl

    fields = ("question", "value", "threshold", "answer", "margin", "share", "close")
    return pl.DataFrame(
        [{name: getattr(step, name) for name in fields} for step in whole.recommendation.path]
    )


def _dimension(audit: Any) -> str:
    mean = audit.lid_.meta.extra["mean"]
    rho, lo, hi = audit.lid_correlation_
    found = "" if rho != rho else f"; recall against it: rank correlation {rho:.2f} ({lo:.2f} to {hi:.2f})"
    return f"the intrinsic dimension around a row is {mean:.1f} on average{found}"


def _unreached(scores: Any) -> str:
    from salience.report.words import plural

    looked = scores.frame.filter(scores.frame["value"].is_not_null() & scores.frame["value"].is_not_nan())
    missed = int((looked["value"] < 0.5).sum())
    return (
        f"{plural(missed, 'row')} of {len(looked):,} that were looked for do not come first in most graphs."
    )


def _pictures(part: Any, audit: Any) -> dict[str, tuple[str, Any]]:
    """Name, title and how it is drawn."""
    from salience.vectors.iceberg.pictures import draw_funnel, draw_shift

    drawn = {
        "losses": ("What each configuration finds, and where the rest is lost", lambda: draw_funnel(part))
    }
    if part.rank_shift is not None:
        drawn["shift"] = (
            "Configurations by recall and by what they are worth",
            lambda: draw_shift(part.rank_shift),
        )
    drawn["orders"] = ("Recall by order of insertion", lambda: audit.plot("orders"))
    if audit.queries_["lid"].is_finite().sum() >= LEAST_DRAWN:
        drawn["dimension"] = (
            "Recall by the dimension around the query, rows in random order",
            lambda: audit.plot("dimension"),
        )
    return drawn
