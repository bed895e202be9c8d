"""Texts from files: tables with a column of text, and plain text."""

from __future__ import annotations

import codecs
import gzip
import io
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from salience.data.budget import megabytes

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
    ValueError
        Nothing there, nothing that can be read, or a folder of texts and tables.
    """
    from salience.data.readers import open_source

    plain = _plain_of(Path(path)) if Path(path).is_dir() else []
    if plain or is_plain(path):
        return open_source([str(name) for name in plain] or path, format="lines")
    return open_source(path)


def _plain_of(folder: Path) -> list[Path]:
    """The plain texts of a folder, none of which may lie beside a table: which of the two is meant?"""
    from salience.data.readers.locate import format_by_name

    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    plain = [path for path in files if is_plain(path)]
    tables = [path for path in files if format_by_name(str(path))]
    if plain and tables:
        raise ValueError(
            f"{folder} holds texts ({plain[0].name}, ...) and tables ({tables[0].name}, ...): name those to read, "
            f"like {folder}/*{plain[0].suffix}"
        )
    return plain


def read_documents(
    paths: list[str], column: str | None = None, encoding: str | None = None, most: int | None = None
) -> list[str]:
    """Documents, all in memory: a file of plain text is one, a row of a table is one.

    Parameters
    ----------
    paths : list of str
        Files, folders and globs; ``-`` is standard input, one document, and so is a pipe without a name that says more.
    column : str, optional
        Of the tables; by default ``text``, or the only one.
    encoding : str, optional
        Of plain text, standard input and CSV; UTF-8 by default.
    most : int, optional
        Bytes of all texts together.

    Raises
    ------
    ValueError
        More text than `most`, nothing there, no text in it, a folder of texts and tables, another encoding, or a table
        without that column.
    """
    from salience.data.files import kind_of
    from salience.data.readers.locate import format_by_name, matching

    documents: list[str] = []
    left = _Left(most)
    for path in paths:
        if path == "-":
            documents.append(_decoded(left.of_file(sys.stdin.buffer), "standard input", encoding))
            continue
        if kind_of(path) == "pipe" and not (is_plain(path) or format_by_name(path)):
            documents.append(_text_of(Path(path), encoding, left))
            continue
        if Path(path).is_dir():
            plain, tables = _plain_of(Path(path)), []
        else:
            given = list(map(Path, [path] if kind_of(path) != "nothing" else matching(path) or [path]))
            plain = [name for name in given if is_plain(name)]
            tables = [str(name) for name in given if name not in plain]
        documents += [_text_of(name, encoding, left) for name in plain]
        if tables or not plain:
            documents += _column_of(tables if plain else path, column, encoding, left)
    if not any(document.strip() for document in documents):
        raise ValueError(f"there is no text in {', '.join(paths)}")
    return documents


@dataclass
class _Left:
    """Bytes of text that may still be read; None is any."""

    most: int | None
    taken: int = 0

    def of_file(self, file: Any) -> bytes:
        """All of an opened file, of which no more is read than may be."""
        raw: bytes = file.read(-1 if self.most is None else self.most - self.taken + 1)
        self.take(len(raw))
        return raw

    def take(self, size: int) -> None:
        self.taken += size
        if self.most is not None and self.taken > self.most:
            raise ValueError(
                f"there are more than {megabytes(max(self.most, 0))} of text, which is what --memory leaves room for: give "
                "fewer texts, or more memory"
            )


def _text_of(path: Path, encoding: str | None, left: _Left) -> str:
    from salience.data.files import kind_of, read_whole

    try:
        with open(path, "rb") if kind_of(path) == "file" else io.BytesIO(read_whole(path)) as file:
            unpacked = gzip.GzipFile(fileobj=file) if path.suffix.lower() == ".gz" else file
            return _decoded(left.of_file(unpacked), str(path), encoding)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{path} cannot be decompressed: {error}; write it again, or leave it out") from None


def _decoded(raw: bytes, where: str, encoding: str | None) -> str:
    """Text from bytes, whatever ends its lines, without the mark that some editors put before it."""
    try:
        text = raw.decode(encoding or "utf-8").removeprefix("\ufeff")
    except LookupError:
        raise ValueError(f"--encoding {encoding} is unknown; try utf-8, latin-1, cp1252 or utf-16") from None
    except UnicodeDecodeError as error:
        likely = "utf-16" if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "latin-1"
        raise ValueError(
            f"{where} is not {encoding or 'UTF-8'} (byte {error.start:,}); name the encoding it is written in: "
            f"--encoding {likely}"
        ) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _column_of(path: str | list[str], column: str | None, encoding: str | None, left: _Left) -> list[str]:
    from salience.data.readers import open_source
    from salience.data.readers.schema import value_bytes
    from salience.data.readers.source import near

    try:
        source = open_source(path, **({} if encoding is None else {"encoding": encoding}))
    except TypeError:  # Parquet, say, has no encoding to name
        source = open_source(path)
    texts = [name for name, kind in source.types.items() if kind == "text"]
    name = column or ("text" if "text" in texts else texts[0] if len(texts) == 1 else None)
    if name is None:
        raise ValueError(
            f"{path} has several columns of text; name one: --column {'|'.join(texts) or 'NAME'}"
        )
    if name not in source.columns:
        raise ValueError(f"{path} has no column {near(name, source.columns)}")
    found: list[str] = []
    for shard in source.shards():
        for batch in source.batches(shard, [name], 1 << 16, left.most):
            left.take(int(value_bytes(batch.column(0)).sum()))
            found += [value or "" for value in batch.column(0).to_pylist()]
    return found
