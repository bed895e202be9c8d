"""The report: one file, offline, complete, safe, and it works in a browser."""

from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest
from made_runs import write_made_run

from salience.report import render, write_report
from salience.report.sections import SECTIONS
from salience.results import Scores
from salience.results.storage import save_frame
from salience.runs import Run, RunWriter

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
VOID = {"meta", "link", "input", "br", "img", "hr"}


@pytest.fixture(scope="module")
def census_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return write_made_run(tmp_path_factory.mktemp("runs") / "census", 15)


@pytest.fixture(scope="module")
def clicks_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return write_made_run(tmp_path_factory.mktemp("runs") / "clicks", 300)


class Balanced(HTMLParser):
    """Complains about tags that are not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("wbr",):
            assert self.open.pop() == tag


def run_with(path: Path, **scores: Scores) -> Run:
    with RunWriter(path, "rank", {"target": ["y"]}) as run:
        for name, found in scores.items():
            run.write_scores(name, found)
    return Run.open(path)


def sections_of(page: str) -> list[str]:
    return re.findall(r'<section id="(\w+)"', page)


@pytest.mark.parametrize("which", ["census_run", "clicks_run"])
def test_the_report_is_one_small_offline_file(which: str, request: pytest.FixtureRequest) -> None:
    page = render(request.getfixturevalue(which))
    assert len(page.encode()) < 2_000_000
    assert not re.search(r'(src|href)="(?!#)', page)
    assert not re.search(r"url\(|@import|https?://", page)


def test_a_thousand_columns_stay_below_two_megabytes(tmp_path: Path) -> None:
    names = [f"a_column_with_a_name_that_is_quite_long_to_fill_sixty_{i:06d}" for i in range(3000)]
    values = np.linspace(1, 0, 3000)
    measures = {
        "null": values / 2,
        "mi": values * 1.5,
        "card": np.arange(1, 3001),
        "lo": values,
        "hi": values,
    }
    page = render(run_with(tmp_path / "wide", scores=Scores.from_values(values, names, **measures)))
    assert len(page.encode()) < 2_000_000
    assert "2,000 lower rows of the ranking left out" in page


def test_every_section_appears_when_the_run_has_its_file(census_run: Run) -> None:
    others = ("pictures", "tables")  # of the commands that draw and measure
    assert sections_of(render(census_run)) == [s.name for s in SECTIONS if s.name not in others]


def test_the_first_rows_of_a_table_are_shown_and_the_rest_is_counted(tmp_path: Path) -> None:
    save_frame(tmp_path / "orders.parquet", pl.DataFrame({"order": ["<b>"] * 70, "recall": [0.5] * 70}))
    tables = [
        {"file": "orders.parquet", "title": "Recall"},
        {"file": "../secret.parquet", "title": "elsewhere"},
    ]
    page = render(Run(tmp_path, {"command": "index", "options": {}, "tables": tables}))
    assert page.count("&lt;b&gt;") == 60
    assert "10 more in orders.parquet" in page
    assert "elsewhere" not in page


def test_a_picture_of_the_run_is_shown_as_an_image_that_runs_nothing(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "a", "interactions", {}) as run:
        run.write_picture("swarm", '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>')
        run.info["pictures"] = [
            {"file": "swarm.svg", "title": "A <swarm>"},
            {"file": "../secret.svg", "title": "elsewhere"},
        ]
    page = render(Run.open(tmp_path / "a"))
    assert page.count("<img ") == 1
    assert "A &lt;swarm&gt;" in page
    assert "<script>alert" not in page


def test_sections_without_a_file_are_left_out(tmp_path: Path) -> None:
    page = render(run_with(tmp_path / "a", scores=Scores.from_values({"age": 0.2, "city": 0.7})))
    assert sections_of(page) == ["summary", "ranking", "repeat"]


def test_a_run_without_scores_still_says_how_to_repeat_it(tmp_path: Path) -> None:
    assert sections_of(render(run_with(tmp_path / "a"))) == ["repeat"]


@pytest.mark.parametrize("which", ["census_run", "clicks_run"])
def test_tags_are_balanced_and_pictures_are_well_formed(which: str, request: pytest.FixtureRequest) -> None:
    page = render(request.getfixturevalue(which))
    parser = Balanced()
    parser.feed(re.sub(r"<script>.*?</script>|<wbr>", "", page, flags=re.DOTALL))
    assert parser.open == []
    for picture in re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL):
        ElementTree.fromstring(picture)
        assert "nan" not in picture
        assert "inf" not in re.sub("information", "", picture)


def test_names_from_the_data_are_never_markup(tmp_path: Path) -> None:
    evil = '<script>alert(1)</script>"&\n{{7*7}}'
    scores = Scores.from_values(
        [0.3, 0.2, 0.1], [evil, "b", "c"], mi=[0.4, 0.3, 0.2], null=[0.1] * 3, card=[9, 5, 2]
    )
    pairs = Scores.from_values(
        [0.1, 0.2, 0.3], [(evil, "b"), (evil, "c"), ("b", "c")], keys=("a", "b"), item="pair"
    )
    with RunWriter(tmp_path / "evil", "rank", {"target": [evil], "source": evil}) as run:
        run.write_scores("scores", scores)
        run.write_scores("redundancy", pairs)
        run.write_scores("pairs", pairs)
        run.note(evil)
    page = render(Run.open(tmp_path / "evil"))
    assert page.count("<script>") == 1
    assert "alert(1)" in page
    assert "49" not in re.findall(r"<h1>.*?</h1>", page, flags=re.DOTALL)[0]


def test_the_counts_of_the_headline_are_those_of_the_table(census_run: Run) -> None:
    page = render(census_run)
    rows = re.findall(r'<span class="pill (?:good|warn|bad|mute)">([^<]*)</span></td>\n</tr>', page)
    assert sum(text.strip() == "matters" for text in rows) == 12
    assert "12 of 15 columns tell something about income" in page


def test_how_to_repeat_it_has_command_seed_versions_and_fingerprint(census_run: Run) -> None:
    part = render(census_run).split('<section id="repeat">')[1]
    assert "salience rank data/census.parquet --target income --pairs --3mr" in part
    for needed in ("<dt>seed</dt><dd>0</dd>", "a3f1c8e29b7d4410", "numpy", "3 ragged rows left out"):
        assert needed in part


def test_unscored_and_odd_values_do_not_break_the_page(tmp_path: Path) -> None:
    scores = Scores.from_values(
        [0.1, float("nan"), -0.2], ["a", "b", "c"], mi=[0.0, None, 0.0], null=[0.0, None, 0.0], card=[1, 0, 1]
    )
    page = render(run_with(tmp_path / "odd", scores=scores))
    assert 'data-v="nan"' not in page


def test_a_ranking_per_label_reports_the_first(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"label": ["u", "u", "v", "v"], "column": ["a", "b"] * 2, "value": [0.1, 0.2, 0.4, 0.3]}
    )
    page = render(run_with(tmp_path / "two", scores=Scores(frame, keys=("column",), by=("label",))))
    assert re.findall(r'<td class="name">(\w)</td>', page) == ["b", "a"]


def test_write_report_replaces_the_file_at_once(tmp_path: Path) -> None:
    run = run_with(tmp_path / "a", scores=Scores.from_values({"age": 0.2, "city": 0.7}))
    path = write_report(run)
    assert path == run.path / "report.html"
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert sorted(p.name for p in run.path.iterdir()) == [
        "log.txt",
        "report.html",
        "run.json",
        "scores.parquet",
    ]


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.parametrize(
    ("act", "expected"),
    [
        ("", "50 1"),
        ("document.querySelector('th[data-sort=num]:nth-child(7)').click();", "50 50001"),
        ("document.getElementById('all').click();", "305 1"),
        (
            "var f=document.getElementById('filter');f.value='control';f.dispatchEvent(new Event('input'));",
            "5 1",
        ),
    ],
    ids=["start", "sort by values", "show all", "filter"],
)
def test_the_table_sorts_filters_and_opens(clicks_run: Run, tmp_path: Path, act: str, expected: str) -> None:
    """Told are how many rows show, and the sort value of the first (its place, or its number of values)."""
    tell = (
        "var r=[...document.querySelectorAll('#ranks tbody tr')];"
        "r=r.filter(x=>getComputedStyle(x).display!='none');"
        "var c=document.querySelector('th[aria-sort]').cellIndex;"
        "document.title=r.length+' '+r[0].cells[c].dataset.v;"
    )
    file = tmp_path / "page.html"
    file.write_text(
        render(clicks_run).replace("</body>", f"<script>{act}{tell}</script></body>"), encoding="utf-8"
    )
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
    ]
    flags += ["--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}"]
    command = [str(CHROMIUM), *flags, "--dump-dom", file.as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=60).stdout
    assert re.findall(r"<title>(.*?)</title>", dom)[0] == expected
