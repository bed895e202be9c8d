"""Texts from files: tables with a column of text, and plain text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

PLAIN = (".txt", ".text", ".md")  # and these with what is packed: .txt.gz


def is_plain(path: str | Path) -> bool:
    """Whether a name is that of plain text.

    Examples
    --------
    >>> is_plain("news/a.txt"), is_plain("pool.txt.gz"), is_plain("pool.jsonl")
    (True, True, False)
    """
    return any(suffix.lower() in PLAIN for suffix in Path(path).suffixes[-2:])


def open_texts(path: str) -> Any:
    """Open a file, folder or glob of texts; in plain text each line is a document.

    Raises
    ------
    SourceError
        Nothing there, or nothing that can be read.
    """
    from salience.data.readers import open_source

    folder = Path(path)
    plain = [name for name in sorted(folder.rglob("*")) if is_plain(name)] if folder.is_dir() else []
    if plain or is_plain(path):
        return open_source([str(name) for name in plain] or path, format="lines")
    return open_source(path)
