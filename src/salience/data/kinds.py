"""What a column is read as: numbers, times, lists or texts.

A stored type decides by itself. Texts are read as numbers (or times) when nearly all of them read as such
and nothing but writing is lost by it, that is, unless

* zeros stand in front ("007", the zip code "01234"): no writer of numbers puts them there, they fill up a
  code. That is so when more than a fiftieth of the rows have them, or when all texts are of one length;
* one number is written in several ways ("1.0" and "1.00", "+5" and "5", "1e3" and "1000"; numbers that
  float64 cannot hold or tell apart, such as "3e450" and "inf"), and that says something: the numbers have
  less than 49 fiftieths of the entropy of the texts. The entropy that is lost is the most that a reading
  as numbers can hide from any score, and the tolerance is the one for texts that are no numbers at all.

Ways in which writers differ about one and the same number or time are no difference: "5" and "5.0",
"-0.0" and "0", blanks around, "2020-01-01", "2020-01-01 00:00:00" and "2020-01-01T00:00:00Z". A way that
occurs in a single row of the pilot is an accident. Whichever it is, the notes of the plan say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from salience.data.encoding import encode
from salience.data.hashing import MISSING, as_text, identities, text_buffers

__all__ = ["Finding", "decide_kind", "notes_on"]

READ_SHARE = 0.98  # of the texts that are not missing, and of their entropy
_NAMED = 3  # columns that a note names
_FORMS: dict[str, tuple[tuple[str, str], ...]] = {  # what different writers make of the same value
    "number": ((r"^(-?\d+)\.0$", r"\1"), (r"^-(0(?:\.0+)?)$", r"\1")),
    "time": (
        (r"[Tt]", " "),
        (r"(?:[Zz]|[+-]00:?00)$", ""),
        (r"\.0+$", ""),
        (r"^(.{16}):00$", r"\1"),
        (r"^(.{10}) 00:00$", r"\1"),
    ),
}


class Finding(NamedTuple):
    """What is to be said about how a column of texts is read.

    Attributes
    ----------
    what : {"zeros", "spellings", "merged", "list"}
        It stays text for zeros in front, or for several spellings of a value; spellings are read as one value
        after all; it looks like lists.
    kind : str
        The kind that it could have been, or was, read as; of lists the separator.
    seen : tuple of str
        Texts that show it.
    """

    what: str
    kind: str
    seen: tuple[str, ...]


def decide_kind(
    values: pa.Array, counts: NDArray[np.int64], physical: str, missing: tuple[str, ...]
) -> tuple[str, Finding | None]:
    """Kind of a column from its stored type and, for texts, from how they are spelled.

    Parameters
    ----------
    values : pyarrow.Array, length u
        Values of a pilot; one may occur several times.
    counts : int64 (u,)
        Rows of each.
    physical : str
        "integer", "real", "boolean", "text", "time" or "list".
    missing : tuple of str

    Examples
    --------
    >>> once = np.ones(3, np.int64)
    >>> decide_kind(pa.array(["7", "12", "5.0"]), once, "text", ())
    ('number', None)
    >>> decide_kind(pa.array(["07", "12", "007"]), once, "text", ())
    ('text', Finding(what='zeros', kind='number', seen=('007',)))
    """
    if physical in _KIND_OF:
        return _KIND_OF[physical], None
    for kind in ("number", "time"):
        identity, numeric = read(values, kind, missing)
        assert numeric is not None
        present = identity != MISSING
        told = present & ~np.isnan(numeric)
        total = counts[present].sum()
        if not total or counts[told].sum() < READ_SHARE * total:
            continue
        at = np.flatnonzero(told)
        texts = as_text(values) if len(at) == len(values) else as_text(values).take(pa.array(at))
        # times are exact in their identity only; of numbers also what float64 makes one must not be merged
        worth = numeric[at] if kind == "number" else identity[at]
        found = _zeros_in_front(texts, counts[at]) if kind == "number" else None
        found = found or _spellings(texts, counts[at], worth, kind)
        return (kind if found is None or found.what == "merged" else "text"), found
    return "text", None


_KIND_OF = {"integer": "number", "real": "number", "boolean": "number", "time": "time", "list": "list"}


def read(
    values: pa.Array, kind: str, missing: tuple[str, ...]
) -> tuple[NDArray[np.uint64], NDArray[np.float64] | None]:
    """Identity of each value and, of a kind that has them, its number."""
    hashes, codes, made = encode(values, kind, missing)
    return hashes if codes is None else hashes[codes], made() if callable(made) else made


def _zeros_in_front(texts: pa.Array, counts: NDArray[np.int64]) -> Finding | None:
    """Texts such as "007", by which codes are told from numbers."""
    texts = pc.ascii_trim(texts.cast(pa.large_string()), " \t")
    data, offsets, _, _ = text_buffers(texts)
    first, ends = offsets[:-1], offsets[1:]
    first = first + np.isin(data[first], (43, 45))  # a sign
    second = data[np.minimum(first + 1, ends - 1)]
    zeros = (data[first] == 48) & (first + 1 < ends) & (second >= 48) & (second <= 57)
    if not zeros.any():
        return None
    of_one_length = np.ptp(np.diff(offsets)) == 0
    if not of_one_length and counts[zeros].sum() <= (1 - READ_SHARE) * counts.sum():
        return None
    return Finding("zeros", "number", (min(texts.filter(pa.array(zeros)).to_pylist()),))


def _spellings(texts: pa.Array, counts: NDArray[np.int64], worth: NDArray[Any], kind: str) -> Finding | None:
    """Whether texts of the same worth say more than it does."""
    hashes = identities(texts, "text", ())[0]
    if _distinct(hashes) == _distinct(worth):
        return None
    spelled, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
    value_of = np.unique(worth[first], return_inverse=True)[1]
    values = int(value_of.max()) + 1
    rows = np.bincount(inverse, counts, len(spelled))
    several = np.flatnonzero(np.bincount(value_of)[value_of] > 1)
    doubtful = texts.take(pa.array(first[several]))
    written = pc.ascii_trim(doubtful.cast(pa.large_string()), " \t")
    for pattern, instead in _FORMS[kind]:
        written = pc.replace_substring_regex(written, pattern, instead)
    form = np.asarray(written.dictionary_encode().indices)
    of_form = np.zeros(form.max() + 1, np.int64)
    of_form[form] = value_of[several]
    count = np.bincount(form, rows[several])
    count[count < 2] = 0
    doubted = np.bincount(of_form, count > 0, values) > 1
    if not doubted.any():
        return None
    count[~doubted[of_form]] = 0
    together = np.bincount(of_form, count, values)
    lost = _entropy_terms(together).sum() - _entropy_terms(count).sum()
    known = _entropy_terms(rows.sum()).sum() - _entropy_terms(np.bincount(value_of, rows)).sum()
    there = np.flatnonzero(of_form == together.argmax())
    shown = there[np.argsort(-count[there], kind="stable")[:2]]
    seen = sorted(doubtful[int(np.where(form == f, rows[several], -1).argmax())].as_py() for f in shown)
    what = "spellings" if known < READ_SHARE * (known + lost) else "merged"
    return Finding(what, kind, tuple(map(str, seen)))


def _distinct(values: NDArray[Any]) -> int:
    """How many there are; sorting is much faster here than the hash table of numpy's `unique`."""
    ordered = np.sort(values)
    return 1 + int(np.count_nonzero(ordered[1:] != ordered[:-1]))


def _entropy_terms(counts: Any) -> NDArray[np.float64]:
    """n log n: the entropy of counts is that of their sum less theirs, over their sum."""
    return np.asarray(counts * np.log(np.maximum(counts, 1)))


_MORE = {
    "zeros": "stay text for zeros in front",
    "spellings": "stay text for spellings of one value",
    "merged": "have spellings that are read as one value",
    "list": "look like lists",
}


def notes_on(findings: Mapping[str, Finding]) -> list[str]:
    """Notes on columns: each is named with what to do about it, or counted where there are many.

    Options are named as the command line has them; ``--as KIND:COLUMN`` is ``spec={COLUMN: {"kind": KIND}}``
    in a call.

    Examples
    --------
    >>> print(*notes_on({"zip": Finding("zeros", "number", ("01234",))}))
    column 'zip' stays text, for '01234' has zeros in front (--as number:zip reads numbers)
    >>> print(*notes_on({"price": Finding("merged", "number", ("2.5", "2.50"))}))
    column 'price' is read as numbers: '2.5' and '2.50' are one (--as text:price keeps them apart)
    >>> print(*notes_on({"tags": Finding("list", ";", ("a;b;c",))}))
    column 'tags' looks like lists, such as 'a;b;c' (--multivalue 'tags=;' ranks the tokens)
    """
    groups: dict[str, dict[str, Finding]] = {}
    for name, finding in findings.items():
        groups.setdefault(finding.what, {})[name] = finding
    notes = []
    for what, group in groups.items():
        names = list(group)
        notes += [_note(name, group[name]) for name in names[:_NAMED]]
        if more := names[_NAMED:]:
            shown = ", ".join(map(repr, more[:_NAMED])) + (", ..." if len(more) > _NAMED else "")
            notes.append(f"{len(more)} more columns {_MORE[what]}: {shown}")
    return notes


def _note(name: str, finding: Finding) -> str:
    what, kind, seen = finding
    texts = " and ".join(map(repr, seen))
    said, instead = {
        "zeros": (f"stays text, for {texts} has zeros in front", f"--as {kind}:{name} reads {kind}s"),
        "spellings": (f"stays text, for {texts} are one {kind}", f"--as {kind}:{name} reads {kind}s"),
        "merged": (f"is read as {kind}s: {texts} are one", f"--as text:{name} keeps them apart"),
        "list": (f"looks like lists, such as {texts}", f"--multivalue '{name}={kind}' ranks the tokens"),
    }[what]
    return f"column {name!r} {said} ({instead})"
