"""Columns that hold several values in a row: lists, and texts such as ``"sports,news"`` or ``"12-7-33"``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from salience.data.hashing import as_text

SEPARATORS = (",", "-", ";", "|")  # of a column that is said to hold several values
TELLING = (";", "|", ",")  # seen in a column, these may tell that it does; a dash or a blank is in any text
MOST_TOKENS = 1024
_LOOKED_AT = 4096  # distinct values
_MARKUP = r"^\s*[\[{<\"]"
# decimal commas and commas between thousands; of the latter all but the first group have three digits
_WRITTEN_NUMBER = r"^\s*[+-]?(?:\d*,\d+|\d{1,3}(?:,\d{3})+(?:\.\d*)?|\d{1,3}(?:\.\d{3})+,\d*)\s*$"


@dataclass(frozen=True, eq=False)
class Tokens:
    """The tokens of a multi-value column in one block; row i has ``codes[offsets[i]:offsets[i + 1]]``.

    Attributes
    ----------
    offsets : int64 (n + 1,)
    codes : int32 (tokens,)
        Index into `vocabulary`; tokens outside of it are left out.
    vocabulary : tuple of str
    """

    offsets: NDArray[np.int64]
    codes: NDArray[np.int32]
    vocabulary: tuple[str, ...]


def split(array: pa.Array, separator: str) -> tuple[NDArray[np.int64], pa.Array]:
    """The tokens of every row of a list column or of a column of separated texts.

    Parameters
    ----------
    array : pyarrow.Array, length n
    separator : str
        Of texts; blanks around a token do not belong to it.

    Returns
    -------
    offsets : int64 (n + 1,)
    tokens : pyarrow.Array of large_string

    Examples
    --------
    >>> offsets, tokens = split(pa.array(["a, b", None, "b"]), ",")
    >>> offsets, tokens.to_pylist()
    (array([0, 2, 2, 3]), ['a', 'b', 'b'])
    """
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if not pa.types.is_nested(array.type):
        array = pc.split_pattern(as_text(array).cast(pa.large_string()), separator)
    array = array.cast(pa.large_list(array.type.value_type))
    lengths = pc.list_value_length(array).fill_null(0).to_numpy(zero_copy_only=False)
    tokens = as_text(array.flatten()).cast(pa.large_string())
    return np.concatenate([[0], np.cumsum(lengths)]), pc.utf8_trim_whitespace(tokens)


def separator_of(values: pa.Array) -> tuple[str, str] | None:
    """What separates the tokens of texts that look like lists, and one of the texts; None if they do not.

    They do when half of the distinct texts fall into several tokens, in differing number, and the tokens occur
    in three texts each on average, most of them both in front and further behind. Names, dates, addresses and
    codes have their parts in fixed places, prose hardly repeats what is between its commas.

    Parameters
    ----------
    values : pyarrow.Array of strings
        A pilot; a text may occur several times.

    Examples
    --------
    >>> tags = ["a", "b", "c", "a;b", "a;c", "b;c", "a;b;c"]
    >>> separator_of(pa.array(tags)), separator_of(pa.array(["Kim, Ann", "Kim, Bo", "Lee, Ann", "Lee, Bo"]))
    ((';', 'a;b'), None)
    """
    spread = np.linspace(0, max(len(values) - 1, 0), min(len(values), _LOOKED_AT)).astype(np.int64)
    texts = pc.unique(as_text(values.take(pa.array(spread))).cast(pa.large_string())).drop_null()
    if _share(pc.match_substring_regex(texts, _MARKUP)) > 1 / 50:
        return None
    for mark in TELLING:
        parted = texts.filter(pc.match_substring(texts, mark))
        if len(parted) == 0 or 2 * len(parted) < len(texts) or not _recur(*split(texts, mark)):
            continue
        if mark != "," or _share(pc.match_substring_regex(parted, _WRITTEN_NUMBER)) <= 0.98:
            short = np.argmax(pc.count_substring(parted, mark).to_numpy() <= 2)
            return mark, parted[int(short)].as_py()
    return None


def _share(true: pa.Array) -> float:
    return float(pc.mean(true).as_py() or 0.0)


def _recur(offsets: NDArray[np.int64], tokens: pa.Array) -> bool:
    """Whether tokens come again and again, in any place of lists of any length."""
    lengths = np.diff(offsets)
    codes = np.asarray(tokens.dictionary_encode().indices)
    vocabulary = int(codes.max()) + 1
    first = np.zeros(len(codes), bool)
    first[offsets[:-1]] = True
    anywhere = np.isin(np.arange(vocabulary), codes[first]) & np.isin(np.arange(vocabulary), codes[~first])
    return bool(
        len(codes) >= 3 * vocabulary
        and np.bincount(lengths).max() <= 0.9 * len(lengths)
        and anywhere[codes].mean() >= 0.5
    )


def vocabularies(
    batches: Iterable[pa.RecordBatch], separators: Mapping[str, str | None], missing: tuple[str, ...]
) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Separator and tokens of multi-value columns.

    Parameters
    ----------
    batches : iterable of pyarrow.RecordBatch
        A pilot.
    separators : mapping of str to str or None
        Column -> separator. None: of `SEPARATORS` the one that occurs most often.
    missing : tuple of str
        Tokens that stand for no value.

    Returns
    -------
    dict
        Column -> (separator, its `MOST_TOKENS` most frequent tokens, most frequent first).

    Examples
    --------
    >>> pilot = pa.RecordBatch.from_pydict({"tags": ["a-b", "b", "c-b-a"]})
    >>> vocabularies([pilot], {"tags": None}, ("",))
    {'tags': ('-', ('b', 'a', 'c'))}
    """
    counts: dict[tuple[str, str], Counter[str]] = {
        (name, candidate): Counter()
        for name, given in separators.items()
        for candidate in (SEPARATORS if given is None else (given,))
    }
    for batch in batches:
        for (name, separator), counter in counts.items():
            _, tokens = split(batch.column(name), separator)
            counted = pc.value_counts(tokens)
            for token, count in zip(
                counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True
            ):
                counter[token] += count
    found = {}
    for name in separators:
        candidates = [separator for n, separator in counts if n == name]
        best = max(candidates, key=lambda separator: counts[name, separator].total())
        tokens = [
            (-n, t) for t, n in counts[name, best].items() if t is not None and t != "" and t not in missing
        ]
        found[name] = best, tuple(token for _, token in sorted(tokens)[:MOST_TOKENS])
    return found
