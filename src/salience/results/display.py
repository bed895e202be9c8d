"""Scores as a compact text table and as an HTML one."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from salience.results.ordering import contexts, order_within, positions

if TYPE_CHECKING:
    from salience.results.scores import Scores

__all__ = ["as_html", "as_text", "number", "shortened"]

ROWS = 10
COLUMNS = ("value", "rank", "lo", "hi", "se", "null", "z", "q", "p", "n", "flag", "parent")
WIDEST = 28
UNKNOWN = "\N{EN DASH}"


def as_text(scores: Scores) -> str:
    """The first rows of each of the first contexts, best first, in aligned columns."""
    header, table, aligned_right = _table(scores)
    if not table:
        return _title(scores)
    widths = [max(len(row[i]) for row in [header, *table]) for i in range(len(header))]
    lines = []
    for row in [header, *table]:
        cells = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, aligned_right, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    more = _more(scores, len(table))
    return "\n".join([_title(scores), *lines, *([more] if more else [])])


def as_html(scores: Scores) -> str:
    """The same table as HTML; every name is escaped."""
    header, table, aligned_right = _table(scores)

    def row(cells: list[str], tag: str) -> str:
        styles = ["right" if right else "left" for right in aligned_right]
        inside = "".join(
            f'<{tag} style="text-align:{style}">{html.escape(cell)}</{tag}>'
            for cell, style in zip(cells, styles, strict=True)
        )
        return f"<tr>{inside}</tr>"

    body = "".join(row(cells, "td") for cells in table)
    more = _more(scores, len(table))
    return (
        f"<div><p>{html.escape(_title(scores))}</p><table><thead>{row(header, 'th')}</thead>"
        f"<tbody>{body}</tbody></table>{f'<p>{html.escape(more)}</p>' if more else ''}</div>"
    )


def number(value: Any) -> str:
    """A value in at most four significant digits.

    Examples
    --------
    >>> [number(v) for v in (0.123456, 1234567, None, "city", 3.0, 1e-12)]
    ['0.1235', '1,234,567', '–', 'city', '3', '1e-12']
    """
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return UNKNOWN
    if isinstance(value, bool) or not isinstance(value, int | float):
        return shortened(str(value))
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def shortened(text: str, width: int = WIDEST) -> str:
    """The text in one line of at most `width` characters, an ellipsis where it was cut.

    The cut is inside: long names of columns often differ only at their ends.

    Examples
    --------
    >>> shortened("a_rather_long_column_name_7", 14)
    'a_rather_…me_7'
    """
    line = text.replace("\n", "⏎").replace("\t", " ")
    if len(line) <= width:
        return line
    tail = width // 3
    return f"{line[: width - tail - 1]}…{line[len(line) - tail :]}"


def _title(scores: Scores) -> str:
    items = scores.frame.select(scores.keys).n_unique() if scores.by else len(scores)
    parts = [f"Scores of {items:,} {scores.item}{'s' if items != 1 else ''}"]
    if scores.by:
        parts.append(
            f"{np.unique(contexts(scores.frame, scores.by)).size:,} rankings by {', '.join(scores.by)}"
        )
    parts.append(scores.meta.method)
    parts.append("largest size first" if scores.better == "abs" else f"{scores.better} is better")
    if scores.meta.unit:
        parts.append(scores.meta.unit)
    if scores.meta.rows is not None:
        parts.append(f"{scores.meta.rows:,} rows")
    if scores.replicates is not None:
        parts.append(f"{len(scores.replicates):,} replicates")
    return " · ".join(parts)


def _table(scores: Scores) -> tuple[list[str], list[list[str]], list[bool]]:
    """Header, rows of text, and which columns stand to the right."""
    order = order_within(scores.frame, scores.by, scores.better)[:ROWS]
    place = positions(scores.frame, scores.by, scores.better)[order]
    shown = scores.frame[order]
    columns = [*scores.by, *scores.keys, *(c for c in COLUMNS if _worth_showing(scores.frame, c))]
    right = [True, *(shown.schema[column].is_numeric() for column in columns)]
    table = [
        [str(i) if i else UNKNOWN, *map(number, row)]
        for i, row in zip(place.tolist(), shown.select(columns).rows(), strict=True)
    ]
    return ["#", *map(shortened, columns)], table, right


def _worth_showing(frame: pl.DataFrame, column: str) -> bool:
    return column in frame.columns and (column == "value" or frame[column].null_count() < frame.height)


def _more(scores: Scores, shown: int) -> str:
    return f"… {len(scores) - shown:,} more" if len(scores) > shown else ""
