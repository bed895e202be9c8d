"""ROUGE (Lin 2004): how far a text has the words, pairs of words and sequences of words of a reference.

Words are runs of letters and digits in small letters, not stemmed, and a text is one sequence, as in the package
``rouge-score`` 0.1.2, which the reproduction of LexRank compares with.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

KINDS = ("rouge1", "rouge2", "rougeL")
_WORD = re.compile(r"[a-z0-9]+")


def words(text: str) -> list[str]:
    """The words that are compared."""
    return _WORD.findall(text.lower())


def rouge(found: Sequence[str], reference: Sequence[str]) -> tuple[float, float, float]:
    """F1 by common words, by common pairs of neighbours, and by the longest common subsequence."""
    pairs = [_f1(_common(found, reference, n), len(found) - n + 1, len(reference) - n + 1) for n in (1, 2)]
    return pairs[0], pairs[1], _f1(_longest(found, reference), len(found), len(reference))


def _common(found: Sequence[str], reference: Sequence[str], n: int) -> int:
    counts = [Counter(zip(*(text[i:] for i in range(n)), strict=False)) for text in (found, reference)]
    return sum((counts[0] & counts[1]).values())


def _f1(common: int, found: int, reference: int) -> float:
    return 2 * common / (found + reference) if common else 0.0


def _longest(found: Sequence[str], reference: Sequence[str]) -> int:
    row = np.zeros(len(reference) + 1, dtype=int)
    for word in found:
        diagonal = np.append(0, row[:-1] + [word == other for other in reference])
        row = np.maximum.accumulate(np.maximum(row, diagonal))
    return int(row[-1])
