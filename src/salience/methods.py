"""The table of all methods, read from each family's ``methods.toml`` without importing any family."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from typing import Any

from salience.lazy import resolve

__all__ = ["Method", "find", "table"]


@dataclass(frozen=True)
class Method:
    """One row of the table of methods.

    Parameters
    ----------
    name : str
        What the method is called, on the command line and in ``Meta.method``.
    family : str
        The package it lives in.
    target : str
        Import path of its class or function, ``"package.module:Name"``.
    item : str
        What it scores: column, pair, value, row, ...
    purpose : str
        One line.
    docs : str
        Its page, below ``docs/``.
    bench : str
        The builder of :mod:`salience.verify` on which its scores are judged.
    extra : str
        The extra to install for it; empty when none.
    paper, arxiv, command : str
        Title and arXiv id of its paper, and its command ``salience ...``; empty when there is none.

    Examples
    --------
    >>> find("outrank").item
    'column'
    """

    name: str
    family: str
    target: str
    item: str
    purpose: str
    docs: str
    bench: str
    extra: str = ""
    paper: str = ""
    arxiv: str = ""
    command: str = ""

    @property
    def public(self) -> str:
        """Where a user imports it from: its family lists it.

        Examples
        --------
        >>> find("outrank").public
        'salience.tabular.StreamRanker'
        """
        return f"salience.{self.family}.{self.target.partition(':')[2]}"

    def load(self) -> Any:
        """Import the class or function.

        Raises
        ------
        ImportError
            When a library of its extra is missing; the message says which extra to install.
        """
        return resolve(f"{self.target} [{self.extra}]" if self.extra else self.target)


# The key of each field in a methods.toml, where it differs: `class` is a word of Python.
_KEYS = {"target": "class"}


@cache
def table() -> tuple[Method, ...]:
    """All methods, family after family, in the order of their ``methods.toml``.

    Raises
    ------
    ValueError
        When a row lacks a field or has one that is not known, or two methods have one name.

    Examples
    --------
    >>> [method.name for method in table() if method.family == "tabular"][:3]
    ['outrank', 'selector', '3mr']
    """
    methods = tuple(
        _method(row, family.name)
        for family in sorted(files("salience").iterdir(), key=lambda entry: entry.name)
        if family.is_dir() and family.joinpath("methods.toml").is_file()
        for row in tomllib.loads(family.joinpath("methods.toml").read_text("utf-8")).get("method", [])
    )
    names = [method.name for method in methods]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two methods have one name: {', '.join(twice)}; rename one in its methods.toml")
    return methods


def find(name: str) -> Method:
    """The method of this name.

    Raises
    ------
    ValueError
        When there is none; the message lists the nearest names.

    Examples
    --------
    >>> find("outrank").family
    'tabular'
    """
    known = {method.name: method for method in table()}
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.4) or sorted(known)
        raise ValueError(f"there is no method {name!r}; did you mean {', '.join(near)}? table() lists all")
    return known[name]


def _method(row: Mapping[str, Any], family: str) -> Method:
    keys = {_KEYS.get(field.name, field.name): field for field in fields(Method) if field.name != "family"}
    unknown = sorted(set(row) - set(keys))
    missing = sorted(key for key, field in keys.items() if key not in row and field.default != "")
    if unknown or missing:
        lacks, odd = ", ".join(missing) or "nothing", ", ".join(unknown) or "nothing"
        raise ValueError(
            f"{family}/methods.toml, method {row.get('name', '?')!r}: missing {lacks}, unknown {odd}; "
            f"the keys are {', '.join(keys)}"
        )
    return Method(family=family, **{field.name: row[key] for key, field in keys.items() if key in row})
