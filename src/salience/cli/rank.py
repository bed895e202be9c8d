"""``rank``, ``merge`` and ``demo``: from a source to a run folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from salience.cli import options as o
from salience.cli.alone import forgo_pandas

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

    from salience.results import Scores
    from salience.runs.writer import RunWriter
    from salience.stages import Stages
    from salience.tabular.streaming.passes import RankingPass
    from salience.verify.verdict import Verdict


def rank(
    ctx: typer.Context,
    source: o.Source,
    options: o.OptionsFile = None,
    target: o.Target = None,
    format: o.Format = None,
    delimiter: o.Delimiter = None,
    encoding: o.Encoding = None,
    missing: o.Missing = None,
    read_as: o.As = None,
    heuristic: Annotated[str, o.measure(help="Score; `salience methods --heuristics` lists them.")] = "mi",
    null: Annotated[str, o.measure(help="Noise level: analytic, permute, shift, none.")] = "analytic",
    normalize: Annotated[str, o.measure(help="none, label_entropy, ami, minmax.")] = "none",
    permutations: Annotated[int, o.measure(min=1, help="Tables drawn for --null permute.")] = 10,
    bins: Annotated[int, o.measure(min=2, help="Bins of number columns.")] = 32,
    label_bins: Annotated[int, o.measure(min=2, help="Bins of a numeric label.")] = 10,
    exact: Annotated[
        bool, o.measure("--exact", help="Scan again for columns and pairs counted by sample.")
    ] = False,
    preset: Annotated[str | None, o.measure(help="outrank: exactly what OutRank computes.")] = None,
    controls: Annotated[
        bool, o.measure("--controls/--no-controls", help="Plant noise of known cardinality.")
    ] = True,
    verify: Annotated[
        bool, o.measure("--verify", help="Does the ranking hold up? Refits on splits.")
    ] = False,
    estimator: o.Estimator = "logistic",
    audit: Annotated[bool, o.measure("--audit", help="Look for odd columns too: one more pass.")] = False,
    order: Annotated[int, o.what(min=1, max=3, help="Columns combined: 1, 2 or 3.")] = 1,
    pairs: Annotated[bool, o.what("--pairs", help="Same as --order 2.")] = False,
    pair_budget: Annotated[int, o.what(min=1, help="Combinations scored in one block.")] = 32768,
    redundancy: Annotated[
        bool, o.what("--redundancy/--no-redundancy", help="Which columns say the same.")
    ] = False,
    order_3mr: Annotated[bool, o.what("--3mr", help="Max relevance, min redundancy, max relation.")] = False,
    alpha: Annotated[float, o.what(help="3MR weight of redundancy.")] = 1.0,
    beta: Annotated[float, o.what(help="3MR weight of relation.")] = 1.0,
    agg: Annotated[str, o.what(help="3MR: median, mean, sum.")] = "median",
    top_pairs: Annotated[int, o.what(min=0, help="Best columns paired for redundancy and 3MR; 0: all.")] = 40,
    focus: Annotated[list[str] | None, o.what(help="Only these columns (a,b or repeat).")] = None,
    focus_reference: Annotated[
        Path | None, o.what(help="JSON of a model: only the columns of its features.")
    ] = None,
    exclude: Annotated[list[str] | None, o.what(help="Without these columns.")] = None,
    multivalue: Annotated[
        list[str] | None, o.what(help="Columns that hold lists: NAME or NAME=SEPARATOR.")
    ] = None,
    subfeatures: Annotated[str, o.what(help="'A->B', 'A<->B', separated by ;")] = "",
    transforms: Annotated[str | None, o.what(help="Preset of transforms ranked beside the columns.")] = None,
    reference: Annotated[
        Path | None, o.what(help="JSON of the model there is: rank what it would gain.")
    ] = None,
    subsample: Annotated[int, o.machine(min=1, help="Use every k-th row.")] = 1,
    ratio: Annotated[
        float, o.machine(help="Share of each label value's rows in a batch (--preset outrank).")
    ] = 1.0,
    batch_size: Annotated[
        int, o.machine("--batch-size", "--block", min=2, help="Rows of a batch (shift, outrank).")
    ] = 16384,
    memory: o.Memory = "1GiB",
    threads: o.Threads = 2,
    scheduler: Annotated[str | None, o.machine(help="Dask cluster: tcp://host:port.")] = None,
    shards: Annotated[
        str | None, o.machine(help="Only part i/k of the rows (0/4 ... 3/4); needs --state.")
    ] = None,
    state: Annotated[Path | None, o.machine(help="Save counts for `salience merge`, no ranking.")] = None,
    seed: o.Seed = 0,
    output: o.Output = Path("runs"),
    name: o.Name = None,
    force: o.Force = False,
    resume: Annotated[bool, o.out("--resume", help="Take up an interrupted run.")] = False,
    checkpoint_every: Annotated[
        float, o.out("--checkpoint-every", min=0.0, help="Seconds between checkpoints.")
    ] = 5.0,
    top: o.Top = 25,
    json: o.Json = False,
    tsv: Annotated[bool, o.out("--tsv", help="Write scores.tsv and pairs.tsv too.")] = False,
    report: o.Report = True,
    strict: o.Strict = False,
) -> None:
    """Rank columns by what they tell about a label above noise of their own cardinality."""
    from salience.cli import show
    from salience.cli.errors import demand
    from salience.data.budget import overspent, room
    from salience.parallel import cluster
    from salience.runs.writer import RunWriter
    from salience.stages import Stages

    if not target:
        raise ValueError("rank needs a label; name the column to explain: --target COLUMN")
    if strict and not verify:
        raise ValueError("--strict judges the verdict: give --verify as well")
    if (shards is None) != (state is None):
        raise ValueError(
            "--shards i/k and --state FILE go together: count a part, save it, then `salience merge`"
        )
    forgo_pandas(ctx.obj)
    room(memory)  # refuses what cannot be, before the rows of a large file are counted
    stages = Stages()
    with stages("open"):
        opened = open_table(source, format=format, delimiter=delimiter, encoding=encoding, label=target)
    ranker = ranker_from(ctx.params, opened.columns)
    if state is not None:
        with show.progress("counting") as tell:
            ranker.fit(opened, shards=shards, progress=tell).save_state(state)
        show.conclude(f"Counts of part {shards} are in {state}; join all parts with: salience merge FILES")
        return
    folder = o.run_folder(output, name, source)
    writer = RunWriter(folder, "rank", ctx.params, force=force, resume=resume, argv=ctx.meta.get("argv"))
    with writer as run, cluster(scheduler) if scheduler else nullcontext() as client:
        kept = None if client is not None else run.checkpoint
        with show.progress("counting") as tell:
            ranker.fit(
                opened, client=client, checkpoint=kept, resume=resume, every=checkpoint_every, progress=tell
            )
        stages.add(ranker.timings_)
        verdict = odd = None
        if verify:
            with stages("verify"):
                verdict = judged(ranker, opened, target, estimator, seed)
        if audit:
            with stages("audit"):
                odd = audited(opened, target, memory, threads, seed, ranker.spec)
        ranker.notes_ += filter(None, [overspent(memory)])
        write_run(run, ranker, verdict, report, odd, stages=stages, tsv=tsv)
    present(writer, ranker, target, verdict, top, json)
    if strict:
        demand(verdict)


# Options that the ranker knows under the same name.
PASSED_ON = (
    "heuristic", "null", "normalize", "permutations", "bins", "label_bins", "exact", "preset", "controls",
    "pair_budget", "alpha", "beta", "top_pairs", "subfeatures", "transforms", "subsample", "ratio",
    "batch_size", "memory",
)  # fmt: skip


def ranker_from(given: Mapping[str, Any], columns: Sequence[str]) -> RankingPass:
    """The ranker that the options of ``rank`` describe, for a source of these columns."""
    from salience.tabular.streaming.passes import RankingPass

    target = list(given["target"])
    if given["preset"] is not None and given.get("read_as"):
        raise ValueError(f"--preset {given['preset']} compares texts as they stand: leave out --as")
    missing = given["missing"]
    multivalue = dict(_split_separator(name) for name in given["multivalue"] or ())
    # a run of an older version may lack an option: then the ranker has its default
    parameters: dict[str, Any] = {name: given[name] for name in PASSED_ON if name in given}
    parameters |= {
        "order": max(given["order"], 2 if given["pairs"] else 1),
        "scope": "all" if given["redundancy"] or given["order_3mr"] else "target",
        "aggregate": given["agg"],
        "focus": [*o.split_names(given["focus"]), *columns_of(given.get("focus_reference"))],
        "exclude": o.split_names(given["exclude"]),
        "multivalue": multivalue or (),
        "spec": o.declared(given.get("read_as"), columns) or None,
        "n_jobs": given["threads"],
        "random_state": given["seed"],
    }
    if missing:  # typer gives an empty list when the option is not there
        parameters["missing"] = tuple(missing)
    if given["reference"] is not None:
        parameters["reference"] = given["reference"]
    return RankingPass(target[0] if len(target) == 1 else target, **parameters)


def columns_of(model: str | Path | None) -> list[str]:
    """The columns that the features of a reference model are made of."""
    from salience.tabular.streaming.reference import Reference

    features = Reference.of(model).features
    return list(dict.fromkeys(column for feature in features for column in feature))


def open_table(source: str, label: list[str] | None = None, **how: Any) -> Any:
    """Open a source; only what was given is passed on. Formats without names take the one label's."""
    from salience.data.readers import open_source

    if label is not None and len(label) == 1:
        how["label"] = label[0]
    return open_source(source, **{name: value for name, value in how.items() if value is not None})


def judged(ranker: RankingPass, source: Any, target: list[str], estimator: str, seed: int) -> Verdict:
    """The verdict on a ranking, made anew inside each split of a sample of the data."""
    from salience.cli import show
    from salience.cli.judging import verdict_on

    kinds = {column.name: column.kind for column in ranker.plan_.columns}
    settings: dict[str, Any] = {"estimator": estimator, "seed": seed, "threads": ranker.n_jobs}
    with show.progress("judging", "checks") as tell:
        return verdict_on(ranker, source, target[0], kinds, progress=tell, **settings)


def audited(
    source: Any, target: list[str], memory: str, threads: int, seed: int, spec: Any = None
) -> pl.DataFrame:
    """What is odd about the columns."""
    from salience.cli import show
    from salience.tabular.auditing import audit

    with show.progress("auditing") as tell:
        return audit(source, target[0], spec=spec, memory=memory, n_jobs=threads, seed=seed, progress=tell)


def write_run(
    run: RunWriter,
    ranker: RankingPass,
    verdict: Verdict | None,
    report: bool,
    odd: pl.DataFrame | None = None,
    *,
    stages: Stages,
    tsv: bool = False,
) -> None:
    """Everything a ranker found, into the run folder, and how long each stage took."""
    from salience.cli import show

    run.write_json("plan", ranker.plan_.to_json())
    run.note(*dict.fromkeys(ranker.notes_))  # the source and the plan may say the same
    run.write_scores("scores", ranker.scores_)
    for name, scores in show.found(ranker).items():
        run.write_scores(name, scores)
    if tsv:
        for name in ("scores", "pairs"):
            if (scores := getattr(ranker, f"{name}_")) is not None:
                run.write_text(f"{name}.tsv", show.tab_separated(scores.frame))
    if odd is not None:
        run.write_frame("audit", odd)
    if verdict is not None:
        run.write_json("verdict", verdict.to_json())
    if report:
        from salience.report import render

        with stages("report"):
            run.write_text("report.html", render(run.view()))
    run.info["timings"] = {name: round(seconds, 3) for name, seconds in stages.seconds.items()}


def present(
    run: RunWriter, ranker: RankingPass, target: list[str], verdict: Any, top: int, json: bool
) -> None:
    """Show what was found: table, checks, the places of the files, and what it comes to."""
    from salience.cli import show
    from salience.report.words import headline, ranked

    show.notes(run.info["notes"])
    if json:
        show.as_json(show.records(ranker.scores_.frame))
    else:
        for label, scores in _by_label(ranker.scores_, target):
            show.ranking(scores, top, title=f"for {label}" if len(target) > 1 else None)
        show.relations(show.found(ranker))
        if verdict is not None:
            show.conclude("")
            show.verdict(verdict)
    show.files(run.path)
    for label, scores in _by_label(ranker.scores_, target):
        # the first label is the one that was verified, and for which combinations were looked at
        more = {"verdict": verdict, "pairs": ranker.pairs_} if label == target[0] else {}
        show.conclude_unless(json, " ".join(headline(ranked(scores)[0], label, **more)))


def _by_label(scores: Scores, target: list[str]) -> Iterator[tuple[str, Scores]]:
    """The ranking of each label on its own."""
    for label in target:
        yield label, scores.where(label=label) if scores.by else scores


def _split_separator(given: str) -> tuple[str, str]:
    name, equals, separator = given.rpartition("=")
    return (name, separator) if equals and name and separator else (given, ",")


def merge(
    ctx: typer.Context,
    states: Annotated[
        list[Path], typer.Argument(help="Files that `salience rank --shards i/k --state FILE` wrote.")
    ],
    output: o.Output = Path("runs"),
    name: o.Name = "merged",
    force: o.Force = False,
    top: o.Top = 25,
    json: o.Json = False,
    report: o.Report = True,
) -> None:
    """Join counts of parts, made on any machines, into the ranking of all rows."""
    from salience.runs.writer import RunWriter
    from salience.stages import Stages
    from salience.tabular.streaming.passes import RankingPass

    forgo_pandas(ctx.obj)
    for path in states:
        if not path.is_file():
            raise ValueError(
                f"there is no state file {path}; `salience rank --shards i/k --state FILE` writes them"
            )
    folder = o.run_folder(output, name, "merged")
    with RunWriter(folder, "merge", ctx.params, force=force, argv=ctx.meta.get("argv")) as run:
        stages = Stages()
        ranker = RankingPass.from_states(states)
        labels = [ranker.label] if isinstance(ranker.label, str) else list(ranker.label or [])
        run.info["options"]["target"] = labels
        stages.add(ranker.timings_)
        write_run(run, ranker, None, report, stages=stages)
    present(run, ranker, labels, None, top, json)


def demo(
    ctx: typer.Context,
    output: o.Output = Path("runs"),
    force: Annotated[bool, typer.Option("--force/--keep", help="Replace the last demo.")] = True,
    seed: o.Seed = 0,
    top: o.Top = 20,
    json: o.Json = False,
) -> None:
    """Rank the adult census with noise and a row id planted, verify the ranking, write ./runs/demo."""
    from salience.cli import show
    from salience.data.datasets import LABELS
    from salience.runs.writer import RunWriter
    from salience.stages import Stages
    from salience.tabular.streaming.passes import RankingPass

    forgo_pandas(ctx.obj)
    label = LABELS["adult"]
    stages = Stages()
    with stages("open"):
        source = demo_table()
    given = {"source": "the adult census of 1994, shipped with salience", "target": [label], "seed": seed}
    with RunWriter(output / "demo", "demo", given, force=force, argv=ctx.meta.get("argv")) as run:
        ranker = RankingPass(label, order=2, scope="all", controls=True, random_state=seed)
        with show.progress("counting") as tell:
            ranker.fit(source, progress=tell)
        stages.add(ranker.timings_)
        with stages("verify"):
            verdict = judged(ranker, source, [label], "logistic", seed)
        with stages("audit"):
            odd = audited(source, [label], "1GiB", ranker.n_jobs, seed)
        write_run(run, ranker, verdict, report=True, odd=odd, stages=stages)
    present(run, ranker, [label], verdict, top, json)


def demo_table() -> Any:
    """The shipped census with a row id, which tells nothing and has a value for every row."""
    import polars as pl

    from salience.data.datasets import LABELS, load
    from salience.data.readers import open_source

    frame = load("adult").with_columns(row_id=pl.format("r{}", pl.int_range(pl.len())))
    return open_source(frame, label=LABELS["adult"])
