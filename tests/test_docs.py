"""What README and the pages say exists: commands parse, names import, links lead somewhere."""

from __future__ import annotations

import importlib
import inspect
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

import salience
from salience.cli.app import app

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(
    [
        ROOT / "README.md",
        *(p for p in DOCS.rglob("*.md") if not {"_build", "gallery"} & set(p.relative_to(DOCS).parts)),
    ]
)
FENCE = re.compile(r"^```[^\n]*\n.*?^```", re.M | re.S)


def page_name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def command_lines(text: str) -> set[str]:
    """Every ``salience ...`` of a page: lines of fenced blocks, and code in a sentence or a table."""
    fenced = "\n".join(FENCE.findall(text))
    lines = {line.strip().removeprefix("$ ") for line in fenced.splitlines()}
    lines |= set(re.findall(r"`(salience [^`]*)`", FENCE.sub("", text)))
    # A command may stand behind a pipe; what follows a comment sign is for the reader.
    pieces = {piece.split("  #")[0].strip() for line in lines for piece in line.split(" | ")}
    return {piece for piece in pieces if piece.startswith("salience ")}


COMMANDS = sorted({(page_name(page), line) for page in PAGES for line in command_lines(page.read_text())})


def named(dotted: str) -> Any:
    """The object of a dotted name below ``salience``."""
    parts = dotted.removeprefix("salience.").split(".")
    found: Any = salience
    for depth, part in enumerate(parts):
        if not hasattr(found, part):
            found = importlib.import_module(".".join(["salience", *parts[: depth + 1]]))
        else:
            found = getattr(found, part)
    return found


def test_the_pages_show_commands() -> None:
    assert len(COMMANDS) > 80


@pytest.mark.parametrize(("page", "line"), COMMANDS)
def test_a_command_line_that_is_shown_parses(
    page: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where the option file of the page is, and nothing else
    (option_file,) = re.findall(r"```toml\n(.*?)```", (DOCS / "command-line.md").read_text(), re.S)
    Path("rank.toml").write_text(option_file)
    words = shlex.split(line)[1:]
    group: Any = typer.main.get_command(app)
    if words == ["--help"]:
        return
    assert words[0] in group.commands, f"{page} shows {line!r}, and there is no command {words[0]!r}"
    command = group.commands[words[0]]
    if len(words) == 1 or "--help" in words:
        return
    given = command.make_context(words[0], words[1:]).params  # raises what the command line would say
    if words[0] == "rank":
        assert given["target"], f"{page} shows {line!r}, which has no label"


def test_an_option_that_does_not_exist_would_be_noticed() -> None:
    command = typer.main.get_command(app).commands["rank"]  # type: ignore[attr-defined]
    with pytest.raises(typer.BadParameter.__bases__[0]):
        command.make_context("rank", ["clicks.csv", "--targets", "click"])


def test_every_command_has_a_section() -> None:
    text = (DOCS / "command-line.md").read_text()
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert set(re.findall(r"^\(cmd-([a-z0-9-]+)\)=\n## ", text, re.M)) == set(commands)


def options_of_commands() -> list[tuple[str, list[str]]]:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    return [
        (command, [*option.opts, *option.secondary_opts])
        for command, parsed in commands.items()
        for option in parsed.params
        if option.param_type_name == "option"
    ]


def test_every_option_is_on_the_page_of_the_command_line() -> None:
    text = (DOCS / "command-line.md").read_text()
    absent = [
        (command, names) for command, names in options_of_commands() if not any(n in text for n in names)
    ]
    assert absent == []


def test_pictures_and_recipes_are_on_the_page_under_their_names() -> None:
    text = (DOCS / "command-line.md").read_text()
    for picture in named("cli.runs.DRAWN_FROM"):
        assert f"`{picture}`" in text
    for recipe in named("data.generators.RECIPES"):
        assert f"salience generate {recipe} " in text


def test_names_that_an_option_takes_are_the_real_ones() -> None:
    text = (DOCS / "command-line.md").read_text()
    listed = re.search(r"^Presets: (.+?)\. ", text, re.M)
    assert listed is not None
    assert set(re.findall(r"`([^`]+)`", listed[1])) == set(named("tabular.transforms.PRESETS"))
    for name in set(re.findall(r"--heuristic (\S+)", text)) - {"MI`"}:
        named("tabular.streaming.heuristics.heuristic")(name)


API_NAMES = sorted(
    {
        name
        for page in (DOCS / "api").glob("*.md")
        for name in re.findall(r"auto(?:class|function):: (salience\.\S+)", page.read_text())
    }
)


@pytest.mark.parametrize("name", API_NAMES)
def test_a_name_of_the_api_pages_imports(name: str) -> None:
    assert callable(named(name))
    assert inspect.getdoc(named(name))


@pytest.mark.parametrize("family", ["results", "measures", "verify", "tabular"])
def test_every_public_name_of_a_family_is_on_an_api_page(family: str) -> None:
    public = set(importlib.import_module(f"salience.{family}").__all__)
    assert public <= {name.rsplit(".", 1)[1] for name in API_NAMES}


# The blocks of the architecture page are interfaces, not programs.
PROGRAMS = [page for page in PAGES if page.name != "architecture.md"]


@pytest.mark.parametrize("page", PROGRAMS, ids=page_name)
def test_what_python_blocks_import_exists(page: Path) -> None:
    for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.S):
        compile(block, page_name(page), "exec")
        for module, names in re.findall(r"^from (salience[\w.]*) import (.+)$", block, re.M):
            for name in names.split(", "):
                named(f"{module}.{name.strip()}")


def feature_rows() -> list[dict[str, str]]:
    """The feature table of the OutRank page."""
    section = (DOCS / "methods" / "outrank.md").read_text().split("## Everything it does")[1]
    lines = [line for line in section.split("\n## ")[0].splitlines() if line.startswith("| ")]
    heads, *rows = ([cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines)
    return [dict(zip(heads, row, strict=True)) for row in rows if not row[0].startswith("---")]


@pytest.mark.parametrize("row", feature_rows(), ids=lambda row: row["area"].replace(" ", "-"))
def test_a_row_of_the_feature_table_names_what_exists(row: dict[str, str]) -> None:
    calls = re.findall(r"`([^`]+)`", row["API"])
    assert calls
    for call in calls:
        name, _, arguments = call.partition("(")
        parameters = inspect.signature(named(f"salience.{name}")).parameters
        for argument in re.findall(r"(\w+)=", arguments):
            assert argument in parameters, f"{name} has no parameter {argument}"
    assert row["described"].startswith("[")


def anchors(page: Path) -> set[str]:
    """What a link into a page can name: explicit targets and headings."""
    text = FENCE.sub("", page.read_text())
    headings = re.findall(r"^#+ (.+)$", text, re.M)
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
    return slugs | set(re.findall(r"^\(([\w-]+)\)=$", text, re.M))


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_internal_links_lead_somewhere(page: Path) -> None:
    text = FENCE.sub("", page.read_text())
    figures = re.findall(r":::\{figure\} (\S+)", text)
    for link in [*re.findall(r"\]\(([^)\s]+)\)", text), *figures]:
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        assert target.exists(), f"{page_name(page)} links to {link}"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), f"{page_name(page)} links to {link}"


def test_every_page_is_in_a_table_of_contents() -> None:
    entries = set(re.findall(r"^([\w/-]+)$", (DOCS / "index.md").read_text(), re.M))
    pages = {page.relative_to(DOCS).with_suffix("").as_posix() for page in PAGES if page.is_relative_to(DOCS)}
    assert pages - {"index"} <= entries


def test_every_method_has_a_page() -> None:
    for method in salience.methods.table():
        assert (DOCS / method.docs).is_file(), f"{method.name} names the page {method.docs}"


def test_pictures_of_the_pages_are_small() -> None:
    for picture in (DOCS / "_static").glob("*.png"):
        assert picture.stat().st_size < 60_000
