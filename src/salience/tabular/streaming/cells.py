"""Counting the combined values of columns against the label, over all rows, so that each value knows its parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
from numba import njit
from numpy.typing import NDArray

from salience.data.hashing import MISSING, combine
from salience.measures.contingency import Contingency
from salience.tabular.streaming.combinationstate import encode
from salience.tabular.streaming.jointcounts import densify

if TYPE_CHECKING:
    from salience.data.blocks import Block

__all__ = ["CellState", "Cells", "key_of"]

_MISSING = np.array([MISSING], dtype=np.uint64)
_HEAVY = 4  # rows of a value in the first block from which on it is always kept


class Cells:
    """Counts of the combined values of some columns; of many values those whose identity is small.

    What a :class:`~salience.measures.counting.CountTable` does, for values that consist of several: the
    identities of the parts stay beside that of the whole, so that the rows of one part can be told.

    Parameters
    ----------
    order : int
        Columns.
    n_classes : int
    cap : int or None
        Most values that are sampled; None to count them all. The values that are frequent in the first block,
        at most half as many, are kept in any case: a sample that misses one would be far off and not show it.
    """

    def __init__(self, order: int, n_classes: int, cap: int | None) -> None:
        self.cap, self.halvings = cap, 0
        self.label_counts = np.zeros(n_classes, dtype=np.int64)
        self.heavy: NDArray[np.uint64] | None = None
        self._keys = [np.zeros(0, dtype=np.uint64)]
        self._members = [np.zeros((0, order), dtype=np.uint64)]
        self._counts = [np.zeros((0, n_classes), dtype=np.int64)]
        self._settled = self._waiting = 0

    def add(self, keys: NDArray[np.uint64], members: NDArray[np.uint64], counts: NDArray[np.int64]) -> None:
        """Count a block: its distinct values, the parts of each (u, order), and their rows by class."""
        self.label_counts += counts.sum(axis=0)
        if self.heavy is None:
            self.heavy = self._frequent(keys, counts.sum(axis=1))
        stay = self._halved(keys)
        self._keys.append(keys[stay])
        self._members.append(members[stay])
        self._counts.append(counts[stay])
        self._waiting += int(stay.sum())
        if self._waiting > max(self._settled, 4096):
            self._settle()

    def finalize(self) -> tuple[Contingency, NDArray[np.uint64]]:
        """The counts, values in ascending order of identity, and the parts of each, (d, order)."""
        self._settle()
        keys = self._keys[0]
        theta = 2.0**-self.halvings
        weight = np.where(self._is_heavy(keys), 1.0, 1.0 / theta)
        return Contingency(keys, self._counts[0], weight, self.label_counts, theta), self._members[0]

    def _frequent(self, keys: NDArray[np.uint64], rows: NDArray[np.int64]) -> NDArray[np.uint64]:
        often = np.flatnonzero(rows >= _HEAVY)
        most = 0 if self.cap is None else self.cap // 2
        often = often[np.argsort(-rows[often], kind="stable")[:most]]
        return np.union1d(keys[often], _MISSING)

    def _is_heavy(self, keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
        heavy = _MISSING if self.heavy is None else self.heavy
        return heavy[np.minimum(np.searchsorted(heavy, keys), len(heavy) - 1)] == keys

    def _halved(self, keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Which of these distinct values stay, once the sample is halved until they do not pass the cap."""
        if self.cap is None or (not self.halvings and len(keys) <= self.cap):
            return np.ones(len(keys), dtype=bool)
        heavy = self._is_heavy(keys)
        while True:
            light = (keys <= np.uint64((2**64 - 1) >> self.halvings)) & ~heavy
            if np.count_nonzero(light) <= self.cap:
                return light | heavy
            self.halvings += 1

    def _settle(self) -> None:
        """Add up what was counted of one value in several blocks, and halve the sample while it is too large."""
        keys, members = np.concatenate(self._keys), np.concatenate(self._members)
        counts = np.concatenate(self._counts)
        order = np.argsort(keys)
        keys = keys[order]
        starts = (
            np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]]) if len(keys) else np.zeros(0, dtype=np.int64)
        )
        keys, members = keys[starts], members[order[starts]]
        counts = np.add.reduceat(counts[order], starts, axis=0) if len(starts) else counts
        stay = self._halved(keys)
        keys, members, counts = keys[stay], members[stay], counts[stay]
        self._keys, self._members, self._counts = [keys], [members], [counts]
        self._settled, self._waiting = len(keys), 0


class CellState:
    """A state of the scan that counts combinations of columns, and single columns, over all rows.

    It is filled in one process, block after block: which values are frequent is read from the first one.

    Parameters
    ----------
    caps : mapping of tuple of str to (int or None)
        The combinations, and the most values of each that are sampled.
    views : mapping of str to str
        The columns, and the view of each ("values" or "bins").
    label : str
    n_classes : int
    threads : int
    """

    def __init__(
        self,
        caps: Mapping[tuple[str, ...], int | None],
        views: Mapping[str, str],
        label: str,
        n_classes: int,
        threads: int = 2,
    ) -> None:
        names = dict.fromkeys(name for item in caps for name in item)
        self.views = {name: views[name] for name in names}
        self.label, self.n_classes, self.threads = label, n_classes, threads
        self.cells = {item: Cells(len(item), n_classes, cap) for item, cap in caps.items()}

    def parts(self, block: Block) -> Iterator[Callable[[], None]]:
        """One piece: its own threads work through the combinations."""
        yield lambda: self._count(block)

    def _count(self, block: Block) -> None:
        labels = block.labels[self.label]
        rows = np.flatnonzero(labels >= 0)
        if not len(rows):
            return
        own = labels[rows]
        codes, identities = encode(block, self.views, rows, self.threads)
        place = {name: i for i, name in enumerate(self.views)}

        def one(item: tuple[str, ...]) -> None:
            at = [place[name] for name in item]
            together, distinct = _joined_codes(codes, [len(identities[i]) for i in at], at)
            counts, first = _tally(together, own, distinct, self.n_classes)
            members = np.stack([identities[i][codes[i][first]] for i in at], axis=1)
            self.cells[item].add(key_of(members), members, counts)

        with ThreadPoolExecutor(self.threads) as pool:
            for _ in pool.map(one, self.cells):
                pass


def key_of(members: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Identity of each combined value, from those of its parts, (d, order)."""
    key: NDArray[np.uint64] = reduce(combine, members.T)
    return key


def _joined_codes(
    codes: NDArray[np.int32], cards: Sequence[int], at: Sequence[int]
) -> tuple[NDArray[np.int32], int]:
    """One dense code for each combination of codes, in rows, and how many there are."""
    together, distinct = codes[at[0]].copy(), cards[0]
    slots = 1 << max(6, int(2 * len(together) - 1).bit_length())
    keys, ids = np.empty(slots, dtype=np.int64), np.empty(slots, dtype=np.int32)
    for i, card in zip(at[1:], cards[1:], strict=True):
        distinct = int(densify(together, codes[i], card, keys, ids))
    return together, distinct


@njit(nogil=True, cache=True)
def _tally(codes, labels, distinct, n_classes):  # type: ignore[no-untyped-def]
    """Rows of each code by class, and the first row of each code."""
    counts = np.zeros((distinct, n_classes), np.int64)
    first = np.full(distinct, -1, np.int64)
    for i in range(codes.size):
        if first[codes[i]] < 0:
            first[codes[i]] = i
        counts[codes[i], labels[i]] += 1
    return counts, first
