"""A command line to call, and small files with a planted truth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from salience.cli.app import app

Call = Callable[..., Any]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Call ``salience ...`` in an empty folder; the result has exit_code, stdout, stderr."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def run(*args: object) -> Any:
        return CliRunner().invoke(app, [str(arg) for arg in args])

    return run


@pytest.fixture(scope="session")
def clicks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """600 rows: ``ad`` decides the click in four of five, ``user`` names the row, ``coin`` is noise."""
    rng = np.random.default_rng(0)
    ad = rng.integers(0, 4, 600)
    click = np.where(rng.random(600) < 0.8, ad >= 2, rng.random(600) < 0.5).astype(int)
    frame = pl.DataFrame(
        {
            "ad": [f"ad{i}" for i in ad],
            "user": [f"u{i}" for i in range(600)],
            "coin": rng.integers(0, 2, 600),
            "hour": rng.integers(0, 24, 600),
            "empty": [""] * 600,
            "click": click,
        }
    )
    path = tmp_path_factory.mktemp("data") / "clicks.csv"
    frame.write_csv(path)
    return path
