"""Names of derived columns. They are for display and look-up; what a column is made of stands in its item,
never in its name."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Hashable, Iterable, Mapping
from typing import TypeVar

__all__ = ["named_items", "no_such_column"]

Item = TypeVar("Item", bound=Hashable)


def named_items(items: Iterable[tuple[str, Item]], taken: Collection[str] = ()) -> dict[str, Item]:
    """Give every item a name of its own: the wanted one, with a number behind it where that is taken.

    Parameters
    ----------
    items : iterable of (str, item)
        The wanted name and what it stands for. Equal items are taken once.
    taken : collection of str
        Names that are in use already, of the columns of the source for example.

    Returns
    -------
    dict
        From name to item, in the order given.

    Examples
    --------
    >>> named_items([("a AND b", ("a", "b")), ("a AND b", ("a AND b",))], taken={"x"})
    {'a AND b': ('a', 'b'), 'a AND b (2)': ('a AND b',)}
    """
    used = set(taken)
    named: dict[str, Item] = {}
    seen: set[Item] = set()
    for wanted, item in items:
        if item in seen:
            continue
        name, number = wanted, 1
        while name in used:
            number += 1
            name = f"{wanted} ({number})"
        seen.add(item)
        used.add(name)
        named[name] = item
    return named


def no_such_column(name: str, columns: Iterable[str] | Mapping[str, object], where: str) -> ValueError:
    """The error for a column that is not there, with the names that are near.

    Examples
    --------
    >>> no_such_column("agee", ["age", "sex"], "a combination")
    ValueError("a combination names the column 'agee', which does not exist; did you mean 'age'?")
    """
    known = list(columns)
    near = difflib.get_close_matches(str(name), known, n=3, cutoff=0.5)
    if near:
        hint = f"did you mean {' or '.join(map(repr, near))}?"
    else:
        hint = f"there are {', '.join(map(repr, known[:20]))}{' and more' if len(known) > 20 else ''}"
    return ValueError(f"{where} names the column {name!r}, which does not exist; {hint}")
