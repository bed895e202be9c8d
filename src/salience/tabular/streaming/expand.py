"""More columns from the columns there are: sub-features, and the tokens of multi-value columns.

A derived column is an item, a tuple of columns and values; its name is only for display. Values are joined
by the ordered combination of their identities, never by their texts: ``("a", "bc")`` and ``("ab", "c")`` are
two values, and a column may be called ``"this AND that"``.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from salience.data.blocks import Column
from salience.data.hashing import MISSING, as_text, combine, hash_value, identities
from salience.data.pilot import Pilot
from salience.tabular.streaming.naming import named_items, no_such_column

if TYPE_CHECKING:
    from salience.data.blocks import Block
    from salience.data.plan import Plan

__all__ = ["Explode", "SubFeatures", "parse_subfeatures", "pilot_values"]

SubFeature = tuple[str, str, str]  # column, "->" or "<->", column


class SubFeatures:
    """A derivation: a column seen through the values of another.

    ``A->B`` makes a column for every value b of B: the value of A together with b where B is b, missing
    elsewhere. ``A<->B`` makes a 0/1 column for every pair of values.

    Parameters
    ----------
    plan : Plan
        Of the scan.
    mapping : str or iterable of (str, "->" or "<->", str)
        ``"A->B;C<->D"``; see `parse_subfeatures`.
    values : mapping of str to sequence of str
        The values of B (and of A for ``<->``), as text; `pilot_values` finds them.
    most : int, default 4096
        Most columns that may come out.

    Attributes
    ----------
    names : tuple of str
        ``"A->B=b"`` and ``"A=a<->B=b"``.
    items : dict
        From name to ``(A, "->", B, b)`` or ``(A, "<->", B, a, b)``.

    Raises
    ------
    ValueError
        If a column does not exist (near names are given), its values are not given, or there are too many.
    """

    def __init__(
        self,
        plan: Plan,
        mapping: str | Iterable[SubFeature],
        values: Mapping[str, Sequence[str]],
        most: int = 4096,
    ) -> None:
        known = [c.name for c in plan.columns]
        wanted: list[tuple[str, tuple[str, ...]]] = []
        self._identity: dict[tuple[str, str], np.uint64] = {}
        for a, arrow, b in parse_subfeatures(mapping, known):
            for column in (b,) if arrow == "->" else (a, b):
                if column not in values:
                    raise ValueError(f"the values of {column!r} are not given; find them with pilot_values()")
                kind = plan.column(column).kind
                self._identity |= {(column, v): hash_value(v, kind) for v in values[column]}
            if arrow == "->":
                wanted += [(f"{a}->{b}={v}", (a, arrow, b, v)) for v in values[b]]
            else:
                wanted += [(f"{a}={u}<->{b}={v}", (a, arrow, b, u, v)) for u in values[a] for v in values[b]]
        if len(wanted) > most:
            raise ValueError(
                f"these sub-features make {len(wanted):,} columns, more than {most:,}; give fewer values"
            )
        self.items = named_items(wanted, taken=set(known))
        self.names = tuple(self.items)

    def derive(self, block: Block, name: str) -> Column:
        """One sub-feature in one block."""
        a, arrow, b, *chosen = _item(self.items, name)
        there = block.column(b).row_hashes() == self._identity[b, chosen[-1]]
        if arrow == "<->":
            return _flags(there & (block.column(a).row_hashes() == self._identity[a, chosen[0]]))
        column = block.column(a).coded()
        assert column.codes is not None  # coded
        hashes = np.append(combine(column.hashes, self._identity[b, chosen[-1]]), MISSING)
        codes = np.full(block.rows, len(hashes) - 1, dtype=np.int32)
        np.copyto(codes, column.codes, where=there)
        return Column(hashes, codes, None)


def parse_subfeatures(mapping: str | Iterable[SubFeature], columns: Iterable[str]) -> list[SubFeature]:
    """Read ``"A->B;C<->D"``; blanks around names do not count, and a name may itself contain an arrow.

    Raises
    ------
    ValueError
        If a part has no arrow or names a column that does not exist.

    Examples
    --------
    >>> parse_subfeatures("age -> city; city<->a->b", ["age", "city", "a->b"])
    [('age', '->', 'city'), ('city', '<->', 'a->b')]
    """
    known = list(columns)
    parts = [p for p in mapping.split(";") if p.strip()] if isinstance(mapping, str) else list(mapping)
    return [_read_arrow(part, known) if isinstance(part, str) else _checked(part, known) for part in parts]


def _read_arrow(part: str, known: list[str]) -> SubFeature:
    splits = []
    for arrow in ("<->", "->"):
        at = part.find(arrow)
        while at >= 0:
            if arrow == "<->" or part[at - 1 : at] != "<":
                splits.append((part[:at].strip(), arrow, part[at + len(arrow) :].strip()))
            at = part.find(arrow, at + 1)
    if not splits:
        raise ValueError(
            f"the sub-feature {part!r} has no arrow; write 'A->B' or 'A<->B', with ';' between several"
        )
    for split in splits:
        if split[0] in known and split[2] in known:
            return split
    return _checked(splits[0], known)


def _checked(part: SubFeature, known: list[str]) -> SubFeature:
    a, arrow, b = part
    if arrow not in ("->", "<->"):
        raise ValueError(f"the sub-feature {part!r} has the arrow {arrow!r}; it must be '->' or '<->'")
    for column in (a, b):
        if column not in known:
            raise no_such_column(column, known, f"the sub-feature {a + arrow + b!r}")
    return a, arrow, b


class Explode:
    """A derivation: a 0/1 column for every token of a multi-value column.

    Parameters
    ----------
    plan : Plan
        Of the scan, with ``multivalue=``; it has the tokens.
    columns : sequence of str, optional
        Multi-value columns; all of them when not given.
    most : int, default 1024
        Most tokens of a column, the most frequent ones first.

    Attributes
    ----------
    names : tuple of str
        ``"MULTIEX-column-token"``.
    items : dict
        From name to ``(column, token)``.
    """

    def __init__(self, plan: Plan, columns: Iterable[str] | None = None, most: int = 1024) -> None:
        tokens = {c.name: c.vocabulary for c in plan.columns if c.vocabulary is not None}
        chosen = tuple(tokens) if columns is None else tuple(columns)
        for column in chosen:
            if column not in tokens:
                plan.column(column)
                raise ValueError(f"column {column!r} has no tokens; plan it with multivalue=[{column!r}]")
        self._tokens = {c: {t: i for i, t in enumerate(tokens[c][:most])} for c in chosen}
        wanted = [(f"MULTIEX-{c}-{t}", (c, t)) for c in chosen for t in self._tokens[c]]
        self.items = named_items(wanted, taken={c.name for c in plan.columns})
        self.names = tuple(self.items)
        self._rows_of = _OncePerBlock(_rows_by_token)

    def derive(self, block: Block, name: str) -> Column:
        """1 where the row has the token, 0 elsewhere, also where the row has no tokens at all."""
        column, token = _item(self.items, name)
        rows, starts = self._rows_of(block, column)
        at = self._tokens[column][token]
        there = np.zeros(block.rows, dtype=bool)
        there[rows[starts[at] : starts[at + 1]]] = True
        return _flags(there)


def _rows_by_token(block: Block, column: str) -> tuple[np.ndarray, np.ndarray]:
    """Rows sorted by token, and where each token starts."""
    tokens = block.tokens(column)
    rows = np.repeat(np.arange(block.rows, dtype=np.int32), np.diff(tokens.offsets))
    order = np.argsort(tokens.codes, kind="stable")
    starts = np.searchsorted(tokens.codes[order], np.arange(len(tokens.vocabulary) + 1))
    return rows[order], starts


class _OncePerBlock:
    """Remember what was made of a block as long as the block lives: hundreds of tokens come from one
    split.
    """

    def __init__(self, make: Callable[[Block, str], Any]) -> None:
        self.make = make
        self.lock = threading.Lock()
        self.made: weakref.WeakKeyDictionary[Block, dict[str, Any]] = weakref.WeakKeyDictionary()

    def __call__(self, block: Block, key: str) -> Any:
        with self.lock:
            made = self.made.setdefault(block, {})
            if key not in made:
                made[key] = self.make(block, key)
            return made[key]

    def __reduce__(self) -> tuple[Any, ...]:
        return _OncePerBlock, (self.make,)


def pilot_values(
    source: Any, plan: Plan, columns: Iterable[str], most: int = 64, missing: bool = False
) -> dict[str, tuple[str, ...]]:
    """The values of columns in the pilot, as text, most frequent first.

    Parameters
    ----------
    source : Source
        That was planned.
    plan : Plan
        Its missing symbols, kinds and seed are used.
    columns : iterable of str
    most : int, default 64
        Values of a column.
    missing : bool, default False
        Whether the missing value is one of them (as the empty text).

    Returns
    -------
    dict
        From column to its values.
    """
    chosen = list(dict.fromkeys(columns))
    for column in chosen:
        plan.column(column)
    found = {}
    for column, values in Pilot(source, chosen, plan.pilot_bytes, plan.seed).columns():
        hashes, codes = identities(values.values, plan.column(column).kind, plan.missing)
        keys, first, place = np.unique(
            hashes if codes is None else hashes[codes], return_index=True, return_inverse=True
        )
        counts = np.bincount(place, values.counts, len(keys))
        texts = [t or "" for t in as_text(values.values.take(first)).to_pylist()] if len(keys) else []
        named = [
            ("" if key == MISSING else text, count)
            for key, text, count in zip(keys, texts, counts, strict=True)
        ]
        ranked = sorted(named, key=lambda pair: (-pair[1], pair[0]))
        found[column] = tuple(text for text, _ in ranked if missing or text)[:most]
    return found


def _item(items: Mapping[str, Any], name: str) -> Any:
    if name not in items:
        raise no_such_column(name, items, "the scan")
    return items[name]


_FLAGS = np.array([hash_value(0, "number"), hash_value(1, "number")], dtype=np.uint64)


def _flags(there: np.ndarray) -> Column:
    return Column(_FLAGS, there.astype(np.int32), there.astype(np.float64))
