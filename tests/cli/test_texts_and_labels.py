"""``summarize``, ``choose`` and ``labels``: on small files whose truth is planted."""

from __future__ import annotations

import gzip
import io
import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from salience.cli.kept import write_kept
from salience.cli.texts import open_texts, read_documents
from salience.data.readers import open_source
from salience.results import Scores
from salience.runs import Run

pytest_plugins = ["calling"]  # the fixture `call`
needs_torch = pytest.mark.skipif(not find_spec("torch"), reason="torch is not installed")

TOPIC = ["river", "flood", "water", "town", "rain", "bridge", "dam", "level", "rescue", "storm"]


def prose(rng: np.random.Generator, words: list[str], n: int) -> str:
    return " ".join(rng.choice(words, n))


@pytest.fixture(scope="module")
def filler() -> list[str]:
    return [f"word{i}" for i in range(800)]


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory, filler: list[str]) -> Path:
    """Six files of five sentences: the first two of each are about one thing, the others about anything."""
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("reports")
    for number in range(6):
        told = [f"Flood{i} {prose(rng, TOPIC, 9)} {prose(rng, filler, 3)}." for i in range(2)]
        rest = [f"Other{i} {prose(rng, filler, 12)}." for i in range(3)]
        (folder / f"{number}.txt").write_text(" ".join(told + rest))
    return folder


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory, filler: list[str]) -> Path:
    """Beside ``pool.jsonl``, 40 of 400 documents of which are about the topic, ``like.jsonl`` with 40 others that are."""
    rng = np.random.default_rng(1)
    folder = tmp_path_factory.mktemp("pool")
    about = [f"{prose(rng, TOPIC, 20)} {prose(rng, filler, 20)}" for _ in range(80)]
    rest = [prose(rng, filler, 40) for _ in range(360)]
    pl.DataFrame({"text": about[:40] + rest}).write_ndjson(folder / "pool.jsonl")
    pl.DataFrame({"text": about[40:]}).write_ndjson(folder / "like.jsonl")
    (folder / "pool.txt").write_text("\n".join(about[:40] + rest))
    return folder


def test_a_summary_takes_the_sentences_about_what_all_are_about(call, reports: Path) -> None:
    result = call("summarize", reports, "--k", 4, "--method", "continuous")
    assert result.exit_code == 0, result.stderr
    summary = Path("runs/reports0/summary.txt").read_text().splitlines()
    assert len(summary) == 4
    assert all(sentence.startswith("Flood") for sentence in summary)
    assert summary[0] in result.stdout
    curve = Run.open("runs/reports0").verdict.named("retention").curve
    assert curve["share"].mean() > curve["random"].mean()
    assert "Sentences that are alike" in Path("runs/reports0/report.html").read_text()
    reasons = pl.read_parquet("runs/reports0/reasons.parquet")
    assert set(reasons.columns) == {"for", "by", "share", "text"}


def test_sentences_without_a_common_topic_are_not_said_to_have_one(call, tmp_path: Path) -> None:
    path = tmp_path / "odd.txt"
    path.write_text(" ".join(f"A{i} b{i} c{i} d{i} e{i} f{i} g{i} h{i} j{i} k{i}." for i in range(12)))
    result = call("summarize", path)
    assert result.exit_code == 0, result.stderr
    assert "no structure" in result.stderr
    assert Run.open("runs/odd").verdict.named("retention").verdict != "holds"


def test_few_sentences_get_a_summary_and_no_verdict(call, tmp_path: Path, reports: Path) -> None:
    path = tmp_path / "note.txt"
    path.write_text(
        "The river rose after the rain. The rain flooded the old town. A dog barked. Nobody slept."
    )
    result = call("summarize", path, "--k", 1, "--background", reports)
    assert result.exit_code == 0, result.stderr
    assert [check.verdict for check in Run.open("runs/note").verdict] == ["not run"]


@pytest.mark.parametrize(
    "text", ["The same words stand here again. " * 12, "Head.\n\nThe river rose after the rain.\n\n" * 6]
)
def test_copies_of_one_sentence_get_a_summary_and_no_verdict_on_what_it_keeps(
    call, tmp_path: Path, text
) -> None:
    (tmp_path / "copies.txt").write_text(text)
    result = call("summarize", tmp_path / "copies.txt")
    assert result.exit_code == 0, result.stderr
    assert [check.verdict for check in Run.open("runs/copies").verdict] == ["not run"]


def test_the_controls_of_a_summary_fail_and_a_run_is_judged_again_alike(call, reports: Path) -> None:
    arguments = ("--method", "continuous", "--about", "river", "--no-self-links", "--name", "one")
    result = call("summarize", reports, *arguments)
    assert result.exit_code == 0, result.stderr
    assert "isolated" not in result.stderr
    first = Run.open("runs/one").verdict
    assert first.named("retention", "reversed").verdict == "fails"
    assert call("verify", "runs/one").exit_code == 0
    again = Run.open("runs/one").verdict.named("retention")
    assert again.statistic == first.named("retention").statistic


def test_words_without_spaces_are_compared(call, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    topic, rest = list("雨河水城灾救"), [chr(0x5000 + i) for i in range(400)]
    said = ["".join(rng.choice(topic, 12)) + "。" for _ in range(8)]
    other = ["".join(rng.choice(rest, 12)) + "。" for _ in range(24)]
    (tmp_path / "zh.txt").write_text("".join(rng.permutation(said + other)), encoding="utf-8")
    result = call("summarize", tmp_path / "zh.txt", "--language", "zh", "--method", "continuous")
    assert result.exit_code == 0, result.stderr
    assert Run.open("runs/zh").verdict.named("retention", "ranking").statistic > 0


def test_the_encoding_is_that_of_all_that_is_read(call, tmp_path: Path, monkeypatch) -> None:
    text = "Die Straße führt über die Brücke nach Köln. In Köln führt die Straße zum Dom. Es regnet."
    (tmp_path / "a.txt").write_bytes(text.encode("latin-1"))
    (tmp_path / "b.csv").write_bytes("text\nÜber Köln regnet es\nÄrger am Dom\n".encode("latin-1"))
    arguments = ("--encoding", "latin-1", "--background", tmp_path / "b.csv", "--no-verify", "--json")
    result = call("summarize", tmp_path / "a.txt", *arguments)
    assert result.exit_code == 0, result.stderr
    assert "Straße führt über die Brücke" in result.stdout
    assert "latin-1" in call("summarize", tmp_path / "a.txt").stderr
    assert "--encoding foo is unknown" in call("summarize", tmp_path / "a.txt", "--encoding", "foo").stderr


def test_one_document_is_no_background(call, tmp_path: Path, reports: Path) -> None:
    (tmp_path / "one.txt").write_text("A single text. It has two sentences.")
    result = call("summarize", reports, "--background", tmp_path / "one.txt")
    assert result.exit_code == 2
    assert "the background is one document" in result.stderr


def test_texts_are_chosen_that_look_like_others(call, pool: Path) -> None:
    result = call(
        "choose",
        pool / "pool.jsonl",
        "--like",
        pool / "like.jsonl",
        "--n",
        40,
        "--min-words",
        20,
        "--kept",
        "kept.jsonl",
        "--json",
    )
    assert result.exit_code == 0, result.stderr
    drawn = {row["row"] for row in json.loads(result.stdout)}
    assert len(drawn & set(range(40))) >= 36
    assert set(pl.read_ndjson("kept.jsonl")["row"]) == drawn
    run = Run.open("runs/pool")
    assert run.verdict.named("retention").verdict == "holds"
    assert run.verdict.named("retention", "permuted target").verdict == "fails"
    reasons = pl.read_parquet("runs/pool/reasons.parquet").sort("contribution")
    assert set(reasons["ngram"].tail(5).str.split(" ").explode()) <= set(TOPIC)
    assert call("verify", "runs/pool", "--strict").exit_code == 0


def test_copies_of_the_target_in_the_pool_are_no_evidence(call, pool: Path) -> None:
    both = [pl.read_ndjson(pool / name, schema={"text": pl.String}) for name in ("pool.jsonl", "like.jsonl")]
    pl.concat(both).write_ndjson("both.jsonl")
    few = ("--n", 20, "--min-words", 20)
    result = call("choose", "both.jsonl", "--like", pool / "like.jsonl", *few)
    assert result.exit_code == 0, result.stderr
    assert Run.open("runs/both").verdict.named("retention").verdict == "holds"
    result = call("choose", pool / "like.jsonl", "--like", pool / "like.jsonl", *few)
    assert result.exit_code == 0, result.stderr
    assert "0 others in the pool are too few" in " ".join(result.stdout.split())


def test_lines_of_a_text_are_documents_for_choose(call, pool: Path) -> None:
    arguments = ("--like", pool / "like.jsonl", "--n", 40, "--min-words", 20, "--no-verify", "--json")
    lines = json.loads(call("choose", pool / "pool.txt", *arguments).stdout)
    table = json.loads(call("choose", pool / "pool.jsonl", *arguments).stdout)
    assert lines == table


def test_choose_on_a_cluster_draws_the_same(call, pool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed")
    monkeypatch.chdir(pool)
    arguments = ("--like", "like.jsonl", "--n", 40, "--min-words", 20, "--no-verify", "--json")
    here = call("choose", "pool.jsonl", *arguments)
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None, protocol="tcp"
    ) as cluster:
        there = call("choose", "pool.jsonl", *arguments, "--scheduler", cluster.scheduler_address)
    assert there.exit_code == 0, there.stderr
    assert json.loads(there.stdout) == json.loads(here.stdout)


def test_each_separate_target_explains_its_own_draws(call, pool: Path, filler: list[str]) -> None:
    rng = np.random.default_rng(3)
    pl.DataFrame({"text": [prose(rng, filler[:20], 40) for _ in range(400)]}).write_ndjson("other.jsonl")
    named = ("--like", pool / "like.jsonl", "--like", "other.jsonl", "--separate")
    result = call("choose", pool / "pool.jsonl", *named, "--n", 40, "--min-words", 41, "--no-verify")
    assert "--n 40, but only 0 of the 400 pieces of raw have at least 41 tokens" in result.stderr
    result = call("choose", pool / "pool.jsonl", *named, "--n", 40, "--min-words", 40, "--no-verify")
    assert result.exit_code == 0, result.stderr
    reasons = pl.read_parquet("runs/pool/reasons.parquet")
    assert reasons["target"].unique().sort().to_list() == sorted([str(pool / "like.jsonl"), "other.jsonl"])
    drawn = Scores.load("runs/pool/scores.parquet").frame.filter("kept")
    for name in (str(pool / "like.jsonl"), "other.jsonl"):
        mine = reasons.filter(target=name)
        assert set(mine["row"]) <= set(drawn.filter(target=name)["row"])
    # shares of a target of ten times as many texts: its own words add most
    assert set(mine.sort("contribution")["ngram"].tail(1).str.split(" ").explode()) <= set(filler[:20])


def test_few_texts_are_compared_with_as_many_others_and_short_ones_are_counted(call, pool: Path) -> None:
    lines = (pool / "pool.txt").read_text().splitlines()
    Path("pool.txt").write_text("\n".join([*lines, "too short"]))
    result = call(
        "choose", "pool.txt", "--like", pool / "like.jsonl", "--n", 3, "--min-words", 40, "--no-verify"
    )
    assert "nats nearer to the target than those of as many drawn blindly" in result.stdout
    assert "1 piece of fewer than 40 tokens" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("pool.jsonl", "--like", "pool.jsonl", "--temperature", "0"), "--temperature 0"),
        (("pool.jsonl",), "--like"),
        (("pool.jsonl", "--like", "pool.jsonl", "--kept", "kept.doc"), "--kept kept.doc"),
        (("pool.jsonl", "--like", "pool.jsonl", "--n", "5000"), "--n 5000"),
        (("nowhere.jsonl", "--like", "pool.jsonl"), "nowhere"),
    ],
)
def test_choose_says_what_is_missing_and_leaves_nothing(call, pool: Path, arguments, message: str) -> None:
    Path("pool.jsonl").write_bytes((pool / "pool.jsonl").read_bytes())
    result = call("choose", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not list(Path().glob("runs/*"))


@pytest.fixture(scope="module")
def doubtful(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """400 rows of two clear classes; the first 40 labels are wrong, and one row has none."""
    rng = np.random.default_rng(2)
    y = rng.integers(0, 2, 400)
    x = rng.normal(size=(400, 4)) + 2.5 * y[:, None]
    given = np.where(np.arange(400) < 40, 1 - y, y)
    frame = pl.DataFrame(x, schema=["a", "b", "c", "d"]).with_columns(
        town=pl.Series([f"t{v}" for v in given * 0 + rng.integers(0, 3, 400)]),
        y=pl.Series([None if i == 399 else f"class{v}" for i, v in enumerate(given)]),
    )
    path = tmp_path_factory.mktemp("labels") / "doubtful.csv"
    frame.write_csv(path)
    return path


@needs_torch
def test_wrong_labels_come_first_and_are_left_out_when_asked(call, doubtful: Path) -> None:
    arguments = ("-t", "y", "--noise", 0.1, "--epochs", 30, "--clean", "clean.csv", "--no-verify")
    result = call("labels", doubtful, *arguments)
    assert result.exit_code == 0, result.stderr
    scores = Scores.load("runs/doubtful/scores.parquet")
    ranked = scores.frame[list(scores.order())]["row"].to_list()
    assert 399 not in ranked
    assert len(set(ranked[:40]) & set(range(40))) >= 36
    clean = pl.read_csv("clean.csv")
    assert len(clean) == 360
    assert clean["y"].is_in(["class0", "class1"]).sum() == 359


@needs_torch
def test_labels_are_judged_by_some_made_wrong_on_purpose(call, doubtful: Path) -> None:
    result = call("labels", doubtful, "-t", "y", "--noise", 0.1, "--epochs", 6, "--rows", 200)
    assert result.exit_code == 0, result.stderr
    verdict = Run.open("runs/doubtful").verdict
    assert verdict.named("wrong labels").verdict == "holds"
    assert verdict.named("wrong labels", "random").verdict == "fails"
    page = Path("runs/doubtful/report.html").read_text()
    assert "labels made wrong" in page
    assert "the label given and the one suggested" in page
    classes = pl.read_parquet("runs/doubtful/classes.parquet")
    assert classes["rows"].sum() == 200
    assert classes["picked"].is_sorted()


@needs_torch
def test_a_label_is_named_and_numbers_of_rows_are_those_of_the_source(call, doubtful: Path) -> None:
    assert "--target" in call("labels", doubtful).stderr
    result = call("labels", doubtful, "-t", "y", "--rows", 100, "--epochs", 2, "--no-verify", "--json")
    assert result.exit_code == 0, result.stderr
    rows = [row["row"] for row in json.loads(result.stdout)]
    assert len(rows) in (99, 100)
    assert max(rows) > 150


def test_rows_are_written_as_they_stand(tmp_path: Path) -> None:
    source = open_source({"a": list(range(10)), "t": list("abcdefghij")})
    write_kept(tmp_path / "kept.parquet", source, rows=np.array([0, 3, 9]))
    assert pl.read_parquet(tmp_path / "kept.parquet").rows() == [(0, "a"), (3, "d"), (9, "j")]


def test_documents_are_files_or_rows(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Eins. Zwei.")
    with gzip.open(tmp_path / "b.txt.gz", "wt") as file:
        file.write("Drei.")
    pl.DataFrame({"id": ["x", "y"], "text": ["Vier.", None]}).write_parquet(tmp_path / "c.parquet")
    files = [str(tmp_path / name) for name in ("a.txt", "b.txt.gz", "c.parquet")]
    assert read_documents(files) == ["Eins. Zwei.", "Drei.", "Vier.", ""]
    assert read_documents([f"{tmp_path}/*.txt"]) == ["Eins. Zwei."]
    with pytest.raises(ValueError, match="no column"):
        read_documents(files[2:], "txt")
    (tmp_path / "latin.txt").write_bytes("Straße.".encode("latin-1"))
    with pytest.raises(ValueError, match="--encoding"):
        read_documents([str(tmp_path / "latin.txt")])
    assert read_documents([str(tmp_path / "latin.txt")], encoding="latin-1") == ["Straße."]


def test_more_text_than_memory_holds_is_refused_before_it_is_unpacked(tmp_path):
    with gzip.open(tmp_path / "bomb.txt.gz", "wb") as file:
        file.write(b"0" * (4 << 20))
    (tmp_path / "a.txt").write_text("Eins. " * 100)
    pl.DataFrame({"text": ["Drei. " * 100]}).write_parquet(tmp_path / "c.parquet")
    for files in (["bomb.txt.gz"], ["a.txt", "a.txt"], ["c.parquet", "a.txt"]):
        with pytest.raises(ValueError, match=r"more than 1MB of text.* --memory"):
            read_documents([str(tmp_path / name) for name in files], most=1000)
    assert len(read_documents([str(tmp_path / "a.txt"), str(tmp_path / "c.parquet")], most=1200)) == 2


@pytest.mark.parametrize("read", [lambda path: read_documents([path]), open_texts])
def test_a_folder_of_texts_and_tables_is_not_guessed_at(tmp_path: Path, read) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "README.md").write_text("What is in the tables.")
    (tmp_path / "notes.toml").write_text("")  # neither
    read(str(tmp_path))
    pl.DataFrame({"text": ["One."]}).write_parquet(tmp_path / "deep" / "part.parquet")
    with pytest.raises(ValueError, match=r"texts \(README.md, ...\) and tables \(part.parquet, ...\)"):
        read(str(tmp_path))


@pytest.mark.parametrize(
    ("raw", "encoding", "text"),
    [
        ("\ufeffEins.".encode(), None, "Eins."),
        ("Straße.".encode("utf-16"), "utf-16", "Straße."),
        (b"Eins\r\n\r\nzwei\rdrei", None, "Eins\n\nzwei\ndrei"),
    ],
)
def test_marks_of_editors_and_ends_of_lines_are_no_text(
    tmp_path: Path, monkeypatch, raw, encoding, text
) -> None:
    (tmp_path / "a.txt").write_bytes(raw)
    assert read_documents([str(tmp_path / "a.txt")], encoding=encoding) == [text]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(raw)))
    assert read_documents(["-"], encoding=encoding) == [text]


def test_the_likely_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("Straße.".encode("utf-16"))
    with pytest.raises(ValueError, match=r"\(byte 0\).* --encoding utf-16"):
        read_documents([str(tmp_path / "a.txt")])


def test_a_glob_of_texts_and_tables_gives_both_and_folders_are_no_texts(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Eins.")
    (tmp_path / "b.txt").mkdir()
    pl.DataFrame({"text": ["Zwei."]}).write_csv(tmp_path / "c.csv")
    assert read_documents([f"{tmp_path}/*"]) == ["Eins.", "Zwei."]
    (tmp_path / "c.csv").unlink()
    assert read_documents([str(tmp_path)]) == ["Eins."]
