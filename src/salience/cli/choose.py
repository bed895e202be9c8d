"""``choose``: which documents of a large pool look like the texts one wants."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from salience.cli import options as o

if TYPE_CHECKING:
    import polars as pl

    from salience.runs.reader import Run
    from salience.verify.verdict import Verdict

EXPLAINED = 5  # documents whose n-grams are kept
JUDGED = 2_000  # documents of the pool that a verdict is on


def choose(
    ctx: typer.Context,
    raw: Annotated[
        str,
        typer.Argument(help="Pool of texts: NDJSON, Parquet, Arrow, CSV, or .txt with a document a line."),
    ],
    options: o.OptionsFile = None,
    like: Annotated[
        list[str] | None, o.data("--like", "-l", help="Texts to look like, in any of these forms; repeat.")
    ] = None,
    n: Annotated[int, o.what("--n", "-n", min=1, help="How many to draw.")] = 1000,
    column: Annotated[
        str | None, o.data("--column", "-c", help="Column of the text. Default: text, or the only one.")
    ] = None,
    chunk_words: Annotated[
        int, o.measure("--chunk-words", min=0, help="Cut documents after so many words; 0: never.")
    ] = 128,
    min_words: Annotated[
        int, o.measure("--min-words", min=0, help="Pieces of fewer tokens are not drawn.")
    ] = 100,
    temperature: Annotated[float, o.measure(help="Above 1, the draw is less of a top list.")] = 1.0,
    separate: Annotated[
        bool, o.measure("--separate", help="Draw for one --like after the other, each its share.")
    ] = False,
    quality: Annotated[bool, o.measure("--quality", help="Draw prose only.")] = False,
    kept: Annotated[
        Path | None, o.out("--kept", help="Write the texts drawn there: .parquet, .csv or .jsonl.")
    ] = None,
    verify: Annotated[
        bool, o.measure("--verify/--no-verify", help="Do the drawn say more of held-out target texts?")
    ] = True,
    scheduler: Annotated[str | None, o.machine(help="Dask scheduler, tcp://...")] = None,
    threads: o.Threads = 2,
    seed: o.Seed = 0,
    output: o.Output = Path("runs"),
    name: o.Name = None,
    force: o.Force = False,
    top: o.Top = 15,
    json: o.Json = False,
    report: o.Report = True,
    strict: o.Strict = False,
) -> None:
    """Which texts of a pool look like these? Draws in proportion to how much more likely they are there."""
    import numpy as np

    from salience.cli import pictures, show
    from salience.cli.ending import shown, tabled, told
    from salience.cli.errors import demand
    from salience.cli.kept import check_kept
    from salience.cli.texts import open_texts
    from salience.instances import plot_weights
    from salience.instances.dsir.choice import TooFewPieces
    from salience.parallel import cluster
    from salience.report.words import name_list, number, plural
    from salience.runs.writer import RunWriter

    if not like:
        raise ValueError("choose draws texts that look like others; name those: --like FILE")
    o.check_strict(strict, verify)
    if temperature <= 0:
        raise ValueError(
            f"--temperature {temperature:g} must be above 0; --temperature 1 draws by the weights as they are"
        )
    if kept is not None:
        check_kept("--kept", kept, force, WRITERS)
    pool = open_texts(raw)
    targets = {path: open_texts(path) for path in dict.fromkeys(like)}
    folder = o.run_folder(output, name, raw)
    with RunWriter(
        folder, "choose", {"source": raw, **ctx.params}, force=force, argv=ctx.meta.get("argv")
    ) as run:
        with (
            show.progress("weighing", "documents") as tell,
            pictures.remarks(run.note),
            cluster(scheduler) if scheduler else nullcontext() as client,
        ):
            try:
                found = _resampler(run.info["options"], tell).fit(pool, targets, client=client)
            except TooFewPieces as error:
                raise ValueError(f"--n {n}, but {error.said}; give a smaller --n or --min-words") from None
        scores = found.scores_
        run.write_scores("scores", scores)
        pictures.keep(
            run,
            "weights",
            "Log weights of the pool, the target, what is drawn, and chance",
            lambda: plot_weights(found),
        )
        drawn = scores.frame.filter("kept").sort("value", descending=True)
        reasons = _reasons(found)
        tabled(run, "reasons", "Why the first texts are drawn: the n-grams that add most", reasons)
        nearer, signal = _nearer_than_chance(found, seed), float(np.min(found.signal_))
        side = "nearer to" if nearer >= 0 else "farther from"
        said = [
            f"{plural(len(drawn), 'text')} of {plural(pool.rows, 'document')} are drawn; their n-grams are "
            f"{number(abs(nearer))} nats {side} the target than those of as many drawn blindly.",
            f"Log weights vary {number(signal)} times as much as by chance, "
            f"{name_list([repr(ngram) for ngram in _shared(reasons)], 8)}.",
        ]
        if short := int((found.n_tokens_ < min_words).sum()):
            said.append(
                f"{plural(short, 'piece')} of fewer than {min_words} tokens (--min-words) had no chance."
            )
        verdict = None
        if verify:
            with show.progress("judging", "fits") as tell, pictures.remarks(pictures.unsaid):
                verdict = judged(run.info["options"], pool, targets, seed, tell)
            run.write_json("verdict", verdict.to_json())
        told(run, "Which texts look like the target", said, report)
        if kept is not None:
            _write_kept(kept, found)
    columns = ("row", "piece", "target", "value", "tokens")
    shown(run, drawn, columns, top, said, json=json, verdict=verdict)
    if strict:
        demand(verdict)


def judge_again(run: Run, source: str | None, *, seed: int, progress: Any, **_: Any) -> Verdict:
    """Do the texts drawn say more of target texts that were held out than others of the pool?"""
    from salience.cli.texts import open_texts

    given = run.options
    targets = {path: open_texts(path) for path in given["like"]}
    return judged(given, open_texts(source or given["raw"]), targets, seed, progress)


def judged(given: dict[str, Any], pool: Any, targets: dict[str, Any], seed: int, tell: Any) -> Verdict:
    """The verdict on a draw: fitted again on half of the target and some of the pool, judged by the other half."""
    import numpy as np

    from salience.instances.dsir.ngrams import TOKEN
    from salience.verify import Check, report, texts, verify

    rng = np.random.default_rng(seed)
    words = given["chunk_words"]
    wanted = [
        text for target in targets.values() for text in _sampled(target, given["column"], JUDGED, words, rng)
    ]
    looked_for = set(wanted)  # a copy of it in the pool is no evidence
    some = [
        text
        for text in _sampled(pool, given["column"], JUDGED, words, rng)
        if len(TOKEN.findall(text)) >= given["min_words"] and text not in looked_for
    ]
    if len(wanted) < 2 or len(some) < 10:
        why = f"{len(wanted)} texts to look like and {len(some)} others in the pool are too few"
        return report([Check.not_run("retention", why)], method="dsir")
    half = len(wanted) // 2
    share = min(max(given["n"] / pool.rows, 5 / len(some)), 0.5)
    fits = iter(range(1, 4))

    def weighed(target: list[str]) -> Any:
        how = {"n_select": 1, "chunk_words": None, "min_words": 0, "separate_targets": False, "column": None}
        found = _resampler(given, None, **how, quality_filter=False, top_k=True).fit(some, target).scores_
        if tell is not None:
            tell(next(fits), 3)
        return found

    scores = weighed(wanted[:half])
    return verify(
        scores,
        texts(some, wanted[half:], keys=("row",)),
        fractions=(share,),
        again=[weighed(wanted[half:])],
        null=weighed([some[i] for i in rng.permutation(len(some))[:half]]),
        covariates={"length": [len(text) for text in some]},
        leave_out=("deletion", "leak"),
        seed=seed,
    )


def _sampled(source: Any, column: str | None, most: int, words: int, rng: Any) -> list[str]:
    """Texts drawn evenly from a source in their order, each cut to the length that is weighed."""
    from salience.instances.dsir.pools import TextPool

    pool = TextPool(source, "texts", column)
    found = pool.take(sorted(rng.permutation(pool.rows)[:most].tolist()))
    return [" ".join(text.split()[:words]) if words else text for text in found]


def _resampler(given: dict[str, Any], tell: Any, **other: Any) -> Any:
    from salience.instances import ImportanceResampler

    settings = {
        "n_select": given["n"],
        "chunk_words": given["chunk_words"] or None,
        "min_words": given["min_words"],
        "temperature": given["temperature"],
        "separate_targets": given["separate"],
        "quality_filter": given["quality"],
        "column": given["column"],
        "n_jobs": given["threads"],
        "random_state": given["seed"],
        "progress": tell,
    }
    return ImportanceResampler(**{**settings, **other})


def _reasons(found: Any) -> pl.DataFrame:
    """The n-grams that add most to the first texts drawn for each target."""
    import numpy as np
    import polars as pl

    weights = found.log_weights_.reshape(len(found.n_tokens_), -1)
    tables = []
    for t in np.unique(found.selected_for_).tolist():
        pieces = found.selected_[found.selected_for_ == t]
        for i in pieces[np.argsort(-weights[pieces, t], kind="stable")[:EXPLAINED]].tolist():
            table = found.explain(i, 8, target=t).select("ngram", "count", "contribution")
            tables.append(
                table.select(
                    pl.lit(int(found.row_[i])).alias("row"),
                    pl.lit(found.target_names_[t]).alias("target"),
                    pl.all(),
                )
            )
    return pl.concat(tables).drop([] if found.separate_targets else ["target"])


def _nearer_than_chance(found: Any, seed: int) -> float:
    """The KL reduction of the texts drawn over that of as many others: small selections miss n-grams, any of them."""
    import numpy as np

    blind = np.zeros(len(found.n_tokens_), np.bool_)
    rng = np.random.default_rng(seed)
    blind[rng.choice(np.flatnonzero(found.eligible_), len(found.selected_), replace=False)] = True
    return float(found.kl_reduction() - found.kl_reduction(blind))


def _shared(reasons: pl.DataFrame) -> list[str]:
    """N-grams that added most over all texts that are explained."""
    import polars as pl

    summed = reasons.group_by("ngram", maintain_order=True).agg(pl.col("contribution").sum())
    return summed.sort("contribution", descending=True, maintain_order=True)["ngram"].to_list()


WRITERS = {
    ".parquet": "write_parquet",
    ".csv": "write_csv",
    ".jsonl": "write_ndjson",
    ".ndjson": "write_ndjson",
}


def _write_kept(path: Path, found: Any) -> None:
    import polars as pl

    from salience.results.storage import written_beside

    rows = {"row": found.row_[found.selected_], "text": list(found.selected_texts())}
    with written_beside(path) as beside:
        getattr(pl.DataFrame(rows), WRITERS[path.suffix])(beside)
