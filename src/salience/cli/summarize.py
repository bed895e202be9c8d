"""``summarize``: the sentences that say what the others say."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from salience.cli import options as o

if TYPE_CHECKING:
    from salience.runs.reader import Run
    from salience.verify.verdict import Verdict


ITSELF = 448 << 20  # bytes of libraries, rules and pictures
TEXT_BYTES = 64  # of a byte of text: sentences, and their words one by one


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
    self_links: Annotated[
        bool,
        o.measure(
            "--self-links/--no-self-links",
            help="Sentences vote for themselves; else isolated ones rank last.",
        ),
    ] = True,
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
    memory: o.Memory = "1GiB",
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
    from salience.report.words import plural
    from salience.runs.writer import RunWriter

    o.check_strict(strict, verify)
    documents, others = _texts(files, ctx.params)
    folder = o.run_folder(output, name, files[0])
    given = {"source": files[0], **ctx.params}
    with RunWriter(folder, "summarize", given, force=force, argv=ctx.meta.get("argv")) as run:
        with show.progress("comparing", "sentences") as tell, pictures.remarks(run.note):
            found = _model(given).fit(documents, about=about, background=others, progress=tell)
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
                verdict = judged(given, documents, others, seed, tell)
            run.write_json("verdict", verdict.to_json())
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
    given = run.options
    files = [source] if source else given["files"]
    if "-" in files:
        raise ValueError("the texts of this run came from a pipe and are gone; name them with --source")
    documents, others = _texts(files, given)
    return judged(given, documents, others, seed, progress)


def judged(
    given: dict[str, Any], documents: list[str], others: list[str] | None, seed: int, tell: Any
) -> Verdict:
    """The verdict on a ranking of sentences: made of each half of the documents, judged by the other half."""
    from salience.instances.lexrank.words import words_of
    from salience.verify import verify

    def ranked(parts: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is odd was said of the whole
            return _model(given).fit(parts, about=given["about"], background=others).scores_

    return verify(ranked, documents, analyzer=words_of, background=others, seed=seed, progress=tell)


def _texts(files: list[str], given: dict[str, Any]) -> tuple[list[str], list[str] | None]:
    """The documents, and the texts that say how rare words are."""
    from salience.cli.texts import read_documents
    from salience.data.budget import room

    most = room(given.get("memory", "1GiB"), ITSELF) // TEXT_BYTES
    documents = read_documents(files, given["column"], given["encoding"], most)
    if not given["background"]:
        return documents, None
    most -= sum(map(len, documents))
    return documents, read_documents(given["background"], given["column"], given["encoding"], most)


def _model(given: dict[str, Any]) -> Any:
    from salience.data.budget import room
    from salience.instances import LexRank

    return LexRank(
        given["method"],
        threshold=given["threshold"],
        self_links=given["self_links"],
        language=given["language"],
        min_words=given["min_words"],
        memory=room(given.get("memory", "1GiB"), ITSELF) // 2,
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
