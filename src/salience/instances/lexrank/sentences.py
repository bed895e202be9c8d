"""Texts as sentences that know their document and their place in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Sentences", "flattened", "splitter"]

Split = Callable[[str], Iterable[str]]
_PARAGRAPH = re.compile(r"\n[^\S\n]*\n\s*")
_WINDOW = 20_000  # characters that pysbd is given at once: its time grows with the square of them
# and with the cube of what may be an abbreviation or the number of an item: "Mr.", "e.g.", "a)", "12."
_MARK = re.compile(r"(?<!\w)\w{1,5}[.)]")
_MARKS = 100


@dataclass(frozen=True)
class Sentences:
    """The sentences of some documents, one after the other.

    Attributes
    ----------
    texts : list of str
    doc, position : ndarray of int64, shape (n,)
        Number of the document, and place in it from 0.
    empty : tuple of int
        Documents without a sentence.
    documents : int
        How many there are, empty ones included.
    given : tuple of list of str
        The texts by which one can tell what was read: the sentences, and the documents, if they were not split.
    """

    texts: list[str]
    doc: NDArray[np.int64]
    position: NDArray[np.int64]
    empty: tuple[int, ...] = ()
    documents: int = 1
    given: tuple[list[str], ...] = ()

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Sentences of the document that each sentence is in, shape (n,)."""
        _, place, counts = np.unique(self.doc, return_inverse=True, return_counts=True)
        return np.asarray(counts[place], dtype=np.int64)


def flattened(documents: Any, split: Split) -> Sentences:
    """The sentences of documents that are texts, or lists of sentences already.

    Parameters
    ----------
    documents : str, sequence of str, or sequence of sequences of str
        One text, texts, or texts that are split. A sentence of a list is kept even if it is empty, so that numbers of
        sentences are those of the caller.
    split : callable
        From a text to its sentences.

    Raises
    ------
    TypeError
        If something is not text; the message says which.
    ValueError
        If there is no sentence at all.

    Examples
    --------
    >>> found = flattened([["One here.", "Two."], [], ["Three."]], str.split)
    >>> found.doc.tolist(), found.position.tolist(), found.empty
    ([0, 0, 2], [0, 1, 0], (1,))
    """
    given = _as_list(documents)
    texts: list[str] = []
    doc: list[int] = []
    position: list[int] = []
    empty = []
    for number, document in enumerate(given):
        parts = _parts(document, number, split)
        if not parts:
            empty.append(number)
        texts += parts
        doc += [number] * len(parts)
        position += range(len(parts))
    if not any(text.strip() for text in texts):
        raise ValueError(
            f"there is no sentence in the {len(given)} documents given; give texts, or lists of sentences"
        )
    whole = [document for document in given if isinstance(document, str)]
    read = (texts, whole) if whole and whole != texts else (texts,)
    return Sentences(
        texts, np.array(doc, np.int64), np.array(position, np.int64), tuple(empty), len(given), read
    )


def splitter(split: Split | None, language: str) -> Split:
    """The caller's own, or pysbd for a language.

    pysbd sees one paragraph at a time (an empty line ends a sentence, the end of a line does not), in windows.

    Raises
    ------
    ValueError
        If pysbd has no rules for the language; the message lists those it has.

    Examples
    --------
    >>> splitter(None, "en")("Mr. Fox sleeps at 3 p.m. today.\\nDoes he? Yes!")
    ['Mr. Fox sleeps at 3 p.m. today.', 'Does he?', 'Yes!']
    """
    if split is not None:
        return split
    import pysbd
    from pysbd.languages import LANGUAGE_CODES

    if language not in LANGUAGE_CODES:
        raise ValueError(
            f"there are no rules to split language={language!r}; there are {', '.join(sorted(LANGUAGE_CODES))}. "
            "For another language give split=, a function from a text to its sentences, or lists of sentences"
        )
    segment = pysbd.Segmenter(language=language, clean=False).segment

    def sentences(text: str) -> list[str]:
        found: list[str] = []
        for paragraph in _PARAGRAPH.split(text):
            found += _in_windows(" ".join(paragraph.split()), segment)
        return found

    return sentences


def _in_windows(paragraph: str, segment: Split) -> list[str]:
    """Sentences of one paragraph; the last one of a window may go on in the next."""
    found: list[str] = []
    rest, start = "", 0
    while start < len(paragraph):
        piece = _piece(paragraph, start)
        window = rest + piece
        start += len(piece)
        parts = _whole(window, segment(window))
        short = len(window) < 4 * _WINDOW and len(_MARK.findall(window)) < 2 * _MARKS
        goes_on = start < len(paragraph) and (len(parts) > 1 or short)
        rest = parts.pop() if goes_on else ""
        found += filter(None, map(str.strip, parts))
    return found


def _piece(paragraph: str, start: int) -> str:
    """What pysbd is given next: it ends after so many characters, or so many marks."""
    piece = paragraph[start : start + _WINDOW]
    last = next(islice(_MARK.finditer(piece), _MARKS - 1, None), None)
    return piece if last is None else piece[: last.end()]


def _whole(text: str, parts: Iterable[str]) -> list[str]:
    """The parts, and what pysbd lost between them: a sentence with a sign by which it marks places, such as in "2 M☉"."""
    found, start = [], 0
    for part in parts:
        at = max(text.find(part, start), start)
        found += [text[start:at], part]
        start = at + len(part)
    return [part for part in (*found, text[start:]) if part.strip()]


def _as_list(documents: Any) -> Sequence[Any]:
    if isinstance(documents, str):
        return [documents]
    if not _in_a_row(documents) or hasattr(documents, "columns"):
        raise TypeError(
            f"documents are texts or lists of sentences, got {type(documents).__name__}; of a table or a "
            "mapping give the texts: one column, list(d.values())"
        )
    return list(documents)


def _in_a_row(given: Any) -> bool:
    """Whether it can be gone through, and its parts have numbers."""
    return isinstance(given, Iterable) and not isinstance(given, bytes | Mapping | Set)


def _parts(document: Any, number: int, split: Split) -> list[str]:
    if isinstance(document, str):
        parts = list(split(document))
        where = f"what split gave for document {number}"
    elif _in_a_row(document):
        parts = list(document)
        where = f"document {number}"
    else:
        raise TypeError(
            f"document {number} is {document!r:.60} ({type(document).__name__}); a document is a text or a list "
            "of sentences. Leave it out, or put '' in its place"
        )
    odd = [place for place, part in enumerate(parts) if not isinstance(part, str)]
    if odd:
        raise TypeError(f"sentence {odd[0]} of {where} is {parts[odd[0]]!r:.60}, which is not text")
    return parts
