"""``summarize``: the sentences that say what the others say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from salience.cli import options as o

if TYPE_CHECKING:
    from salience.runs.reader import Run
    from salience.verify.verdict import Verdict

LEAST = 4  # sentences without which nothing can be said of a ranking
FRACTIONS = (0.05, 0.1, 0.2)  # shares of the sentences that summaries take


def summarize(
    ctx: typer.Context,
    files: Annotated[
        list[str],
        typer.Argument(
            help="Texts: .txt or .md, a document a file; tables, a document a row; folders; - for stdin."
        ),
    ],
    options: o.OptionsFile = None,
    k: Annotated[int | None, o.what("--k", "-k", min=1, help="Sentences. Default: 5.")] = None,
    max_bytes: Annotated[
        int | None, o.what("--max-bytes", min=1, help="Length of the summary, instead of a number.")
    ] = None,
    method: Annotated[
        str, o.measure("--method", "-m", help="threshold, continuous, degree, centroid.")
    ] = "threshold",
    threshold: Annotated[
        float, o.measure(min=0, max=0.99, help="Sentences more alike than this are linked.")
    ] = 0.1,
    redundancy: Annotated[
        float, o.measure(min=0, max=1, help="No sentence more alike to one that is taken.")
    ] = 0.5,
    mead: Annotated[
        bool, o.measure("--mead", help="Sentences at the head of a document count more.")
    ] = False,
    min_words: Annotated[int, o.measure("--min-words", min=1, help="Shorter sentences are not ranked.")] = 5,
    language: Annotated[str, o.data("--language", "-l", help="Of the texts: en, de, fr, es, ja, ...")] = "en",
    column: Annotated[
        str | None,
        o.data("--column", "-c", help="Column of the text in a table. Default: text, or the only one."),
    ] = None,
    encoding: o.Encoding = None,
    background: Annotated[
        list[str] | None,
        o.data("--background", "-b", help="Many texts of the same kind, to tell how rare words are; repeat."),
    ] = None,
    about: Annotated[str | None, o.what(help="A title or question the summary should be near to.")] = None,
    verify: Annotated[
        bool, o.measure("--verify/--no-verify", help="Do the first sentences say more of others than any do?")
    ] = True,
    seed: o.Seed = 0,
    output: o.Output = Path("runs"),
    name: o.Name = None,
    force: o.Force = False,
    top: o.Top = 10,
    json: o.Json = False,
    report: o.Report = True,
    strict: o.Strict = False,
) -> None:
    """Which sentences say what the others say? A summary in their own words, and why each is in it."""
    import polars as pl

    from salience.cli import pictures, show
    from salience.cli.ending import shown, tabled, told
    from salience.cli.errors import demand
    from salience.cli.texts import read_documents
    from salience.report.words import plural
    from salience.runs.writer import RunWriter

    o.check_strict(strict, verify)
    documents = read_documents(files, column, encoding)
    folder = o.run_folder(output, name, files[0])
    given = {"source": files[0], **ctx.params}
    with RunWriter(folder, "summarize", given, force=force, argv=ctx.meta.get("argv")) as run:
        with show.progress("comparing", "sentences") as tell, pictures.remarks(run.note):
            found = _model(given).fit(documents, about=about, background=_others(given), progress=tell)
            chosen = found.summarize(
                k if k or max_bytes else 5,
                max_bytes=max_bytes,
                redundancy=redundancy,
                preset="mead" if mead else "lexrank",
                min_words=min_words,
            )
        scores = found.scores_
        run.write_scores("scores", scores)
        reasons = [_reason(found, one.index) for one in chosen]
        if reasons:
            tabled(
                run,
                "reasons",
                "Which sentences vote for those taken, each with its share",
                pl.concat(reasons),
            )
        said = [one.sentence for one in chosen]
        run.write_text("summary.txt", "\n".join([*said, ""]))
        pictures.keep(run, "graph", "Sentences that are alike, the best of them numbered", found.plot)
        verdict = None
        if verify:
            with show.progress("judging", "checks") as tell, pictures.remarks(run.note):
                verdict = judged(given, found, seed, tell)
            run.write_text("verdict.json", verdict.to_json())
        size = f"{plural(len(said), 'sentence')} of {len(scores):,} from {plural(len(documents), 'document')}"
        told(run, f"A summary: {size}", said, report)
    frame = scores.frame[list(scores.order())]
    shown(
        run,
        frame,
        ("sentence", "value", "degree", "doc", "position", "text"),
        top,
        said,
        json=json,
        verdict=verdict,
    )
    if strict:
        demand(verdict)


def judge_again(run: Run, source: str | None, *, seed: int, progress: Any, **_: Any) -> Verdict:
    """Do the first sentences say more of sentences they were not ranked with than any do?"""
    from salience.cli.texts import read_documents

    given = run.options
    files = [source] if source else given["files"]
    found = _model(given).fit(read_documents(files, given["column"], given["encoding"]))
    return judged(given, found, seed, progress)


def judged(given: dict[str, Any], found: Any, seed: int, tell: Any) -> Verdict:
    """The verdict on a ranking of sentences: made on half of them, judged by the other half.

    With four documents and more, halves are of documents, else every other sentence is held out.
    """
    import numpy as np

    from salience.verify import Check, report, texts, verify

    doc, sentences = found.doc_, np.array(found.sentences_, dtype=object)
    parts = doc if len(np.unique(doc)) >= 4 else np.arange(len(doc))
    names = np.random.default_rng(seed).permutation(np.unique(parts))
    own = np.isin(parts, names[::2])
    if own.all() or len(names) < 2 * LEAST:
        own = np.arange(len(doc)) % 2 == 0
    told = [text for text in sentences[~own] if text.strip()]
    if own.sum() < LEAST or not told:
        why = f"{len(doc)} sentences are too few for some to be judged by others"
        return report([Check.not_run("retention", why)], method="lexrank")

    split = [part for number in np.unique(doc) if (part := list(sentences[own & (doc == number)]))]
    scores = _model(given).fit(split, about=given["about"], background=_others(given)).scores_
    if tell is not None:
        tell(1, 2)
    bench = texts(list(sentences[own]), told)
    lengths = [len(text) for text in sentences[own]]
    covariates = {"length": lengths, "position": found.position_[own]}
    shares = [share for share in FRACTIONS if share * own.sum() >= 1] or [0.5]
    return verify(
        scores, bench, fractions=shares, covariates=covariates, leave_out=("deletion", "leak"), seed=seed
    )


def _others(given: dict[str, Any]) -> list[str] | None:
    """The texts that say how rare words are."""
    from salience.cli.texts import read_documents

    return None if not given["background"] else read_documents(given["background"], given["column"])


def _model(given: dict[str, Any]) -> Any:
    from salience.instances import LexRank

    return LexRank(
        given["method"],
        threshold=given["threshold"],
        language=given["language"],
        min_words=given["min_words"],
    )


def _reason(found: Any, sentence: int) -> Any:
    """Which sentences vote for one of the summary."""
    import polars as pl

    voters = found.explain(sentence, 5)
    told = pl.col("text") if "text" in voters.frame.columns else pl.col(voters.keys[0])
    return voters.frame.select(
        pl.lit(sentence, pl.Int64).alias("for"), pl.col(voters.keys[0]).cast(pl.String).alias("by"),
        pl.col("value").alias("share"), told.cast(pl.String).alias("text"),
    )  # fmt: skip
