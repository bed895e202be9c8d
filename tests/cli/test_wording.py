"""Messages on the command line: its own options, no Python, nothing that moves the cursor."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from salience.cli import wording
from salience.cli.app import app

pytest_plugins = ["calling"]  # the fixtures `call` and `clicks`

SOURCE = Path(wording.__file__).parents[1]
ODD = "a\x1b[31m\x1b]0;owned\x07\r\u202eb\nc\x9bd"
ARGUMENT = re.compile(r"(?<![\w./='\"`-])[a-z][a-z0-9_]*=(?!=)")


def commands() -> dict[str, Any]:
    import typer

    return typer.main.get_command(app).commands


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("heuristic='x' is unknown", "--heuristic 'x' is unknown"),
        ("give another label=, or n_jobs=1", "give another --target, or --threads 1"),
        ("aggregate='max' (see batch_rows=)", "--agg 'max' (see --batch-size)"),
        ("say quote=None, or spec={...}.", "say quote None, or spec {...}."),
        ("shards='0/3', '1/3'", "--shards '0/3', '1/3'"),
        ("null=0.1 of 'a b=2' and \"c memory=3\"", "--null 0.1 of 'a b=2' and \"c memory=3\""),
        ("x/memory=1/a.csv, memory=1/a.csv, a == b", "x/memory=1/a.csv, memory=1/a.csv, a == b"),
        ("it doesn't know memory=; isn't it", "it doesn't know --memory; isn't it"),
    ],
)
def test_arguments_are_said_as_options(said: str, told: str) -> None:
    wording.speak_to(commands()["rank"])
    assert wording.in_options(said) == told


def messages() -> Iterator[tuple[str, str]]:
    """The texts of all errors in the source, with {} for what is put in."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                for argument in node.exc.args:
                    yield f"{path.relative_to(SOURCE)}:{node.lineno}", _text(argument)


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    if isinstance(node, ast.BinOp):
        return _text(node.left) + _text(node.right)
    return _text(node.body) + " " + _text(node.orelse) if isinstance(node, ast.IfExp) else ""


@pytest.mark.parametrize("command", ["rank", "select", "choose", "merge", "index"])
def test_no_message_of_the_library_names_an_argument_there(command: str) -> None:
    wording.speak_to(commands()[command])
    # calls of numpy show how a file is made in Python; what is in quotes is data
    seen = [(where, wording.in_options(text)) for where, text in messages()]
    left = [
        (where, text)
        for where, text in seen
        if ARGUMENT.search(re.sub(r"""np\.\w+\(.*\)|(?<!\w)'[^']*'(?!\w)|"[^"]*"|`[^`]*`""", "", text))
    ]
    assert len(seen) > 500
    assert not left


def test_an_error_speaks_of_options(call, clicks: Path) -> None:
    result = call("rank", clicks, "-t", "click", "--agg", "max", "--3mr")
    assert result.exit_code == 2
    assert "--agg 'max'" in result.stderr


@pytest.fixture
def odd(call) -> Path:
    frame = pl.DataFrame({ODD: ["x\x1b[2J", "y\u2066"] * 40, "n": list(range(80)), "y": ["a", "b"] * 40})
    frame.write_csv("odd.csv")
    return Path("odd.csv")


@pytest.mark.parametrize(
    "command",
    [
        "rank odd.csv -t y",
        "rank odd.csv -t y --json",
        "rank odd.csv -t no-such",
        "audit odd.csv -t y",
        "profile odd.csv",
        "rare odd.csv -t y",
        "rank odd.csv -t y --focus n,\x1b[31m",
        "summary \x1b[31mnowhere",
        "plot runs/x --what \x1b]0;x\x07",
        "rank --\x1b[31m",
    ],
)
def test_no_escape_code_reaches_the_terminal(command: str, call, odd: Path) -> None:
    result = call(*command.split(" "))
    assert result.exit_code in (0, 2), result.stderr
    for text in (result.stdout, result.stderr):
        assert all(sign == "\n" or sign.isprintable() for sign in text), repr(text)
    if "--json" in command:
        assert ODD in [row["column"] for row in json.loads(result.stdout)]
