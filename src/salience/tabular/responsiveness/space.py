"""What a person can change: per column which values are within reach, and rules that tie columns together."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from hashlib import sha256
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from salience.data.files import unreadable
from salience.results.storage import written_beside
from salience.tabular.numbers import names_of, numbers_of
from salience.tabular.responsiveness.feature import CLOSE, Feature
from salience.tabular.responsiveness.rule import Floats, Mask, Rule
from salience.tabular.responsiveness.rules import Link, rule_from

__all__ = ["ActionSpace", "Feature"]

LISTED = (
    100  # a whole-number column with a wider range is suggested as float: it would be a grid of its range
)


class ActionSpace:
    """The actions that people can take: a :class:`Feature` per column, and rules over several columns.

    Parameters
    ----------
    features : iterable of Feature
    rules : iterable of rule
        OneHot, Thermometer, Ordinal, Reachability, Link, IfThen, Switch.

    Examples
    --------
    >>> import polars as pl
    >>> people = pl.DataFrame({"age": [23, 54, 31], "savings": [0.0, 900.0, 120.0], "owner": [0, 1, 0]})
    >>> space = ActionSpace.from_data(people)
    >>> _ = space["age"].set(actionable=False)
    >>> _ = space["savings"].set(ub=2000, direction=+1)
    >>> space
    ActionSpace of 3 features, 2 actionable, 0 rules (? = suggested by the data)
    feature  kind    actionable  range     change
    age      int?    no          23..54?
    savings  float?  yes?        0..2000?  up
    owner    bool?   yes?        0..1?
    """

    def __init__(self, features: Iterable[Feature], rules: Iterable[Rule] = ()) -> None:
        given = list(features)
        self._features = {feature.name: feature for feature in given}
        if not given or len(self._features) < len(given):
            raise ValueError("an action space needs features, each with a name of its own")
        self._rules: list[Rule] = []
        for rule in rules:
            self.add(rule)

    @classmethod
    def from_data(cls, X: Any) -> ActionSpace:
        """Suggest a space: all columns actionable, kinds and bounds as in the data.

        A column with only 0 and 1 becomes bool; whole numbers over a range of at most 100 become int; all else is
        float, because a grid of every whole income would be thousands of values. All of it is marked with ``?`` until
        somebody says otherwise: what a person can change is knowledge about the world, not about the sample.

        Parameters
        ----------
        X : array, pandas, polars or pyarrow table of shape (n, d)
        """
        names, values = names_of(X), numbers_of(X)
        if not len(values):
            raise ValueError("X has no rows: there is nothing to suggest kinds and bounds from")
        features = []
        for name, column in zip(names, values.T, strict=True):
            if not np.isfinite(column).all():
                raise ValueError(f"column {name!r} has NaN or infinite values; fill or drop them first")
            low, high = float(column.min()), float(column.max())
            whole = bool(np.all(column == np.round(column)))
            kind = (
                "bool"
                if whole and low >= 0 and high <= 1
                else "int"
                if whole and high - low <= LISTED
                else "float"
            )
            low, high = (0.0, 1.0) if kind == "bool" else (low, high)
            features.append(
                Feature(name, kind, low, high, suggested=frozenset(("kind", "lb", "ub", "actionable")))
            )
        return cls(features)

    @property
    def names(self) -> tuple[str, ...]:
        """Columns, in order."""
        return tuple(self._features)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules over several columns."""
        return tuple(self._rules)

    @property
    def actionable(self) -> Mask:
        """Which columns a person can change, shape (d,)."""
        return np.array([feature.actionable for feature in self])

    def __len__(self) -> int:
        return len(self._features)

    def __iter__(self) -> Iterator[Feature]:
        return iter(self._features.values())

    def __getitem__(self, name: str) -> Feature:
        if name not in self._features:
            raise ValueError(
                f"there is no feature {name!r}; the features are {', '.join(map(str, self.names))}"
            )
        return self._features[name]

    def set(self, names: str | Sequence[str], **changes: Any) -> ActionSpace:
        """:meth:`Feature.set` for several columns."""
        for name in (names,) if isinstance(names, str) else names:
            self[name].set(**changes)
        return self

    def add(self, *rules: Rule) -> ActionSpace:
        """Add rules.

        Raises
        ------
        TypeError, ValueError
            When it is not a rule, names an unknown column, does not fit the kind of a column, or closes a circle of links.
        """
        for rule in rules:
            if not isinstance(rule, Rule):
                raise TypeError(f"add takes rules such as OneHot([...]), got {type(rule).__name__}")
            self._require(rule)
            self._rules.append(rule)
            try:
                self.links_first(self.names)
            except CycleError as error:
                self._rules.pop()
                raise ValueError(f"links go in a circle: {' -> '.join(reversed(error.args[1]))}") from None
        return self

    def require(self) -> None:
        """Raise ValueError where a rule no longer fits the features, which may have been set since."""
        for rule in self._rules:
            self._require(rule)

    def components(self) -> list[tuple[int, ...]]:
        """Numbers of the columns that rules tie together, directly or by a chain of rules; single ones for the rest."""
        place = {name: j for j, name in enumerate(self.names)}
        edges = [(place[rule.columns[0]], place[name]) for rule in self._rules for name in rule.columns]
        d = len(self)
        rows, columns = zip(*edges, strict=True) if edges else ((), ())
        graph = csr_array((np.ones(len(edges)), (np.array(rows, int), np.array(columns, int))), shape=(d, d))
        label = connected_components(graph, directed=False)[1]
        order = {name: i for i, name in enumerate(self.links_first(self.names))}
        groups: dict[int, list[int]] = {}
        for name in [name for rule in self._rules for name in rule.columns] + list(self.names):
            group = groups.setdefault(int(label[place[name]]), [])
            if place[name] not in group:
                group.append(place[name])
        return [tuple(sorted(group, key=lambda j: order[self.names[j]])) for group in groups.values()]

    def links_first(self, names: Sequence[str]) -> list[str]:
        """The columns in such an order that what moves a column comes before it."""
        sources: dict[str, set[str]] = {name: set() for name in names}
        for rule in self._rules:
            if isinstance(rule, Link):
                for target in rule.targets:
                    sources[target].add(rule.source)
        if not any(sources.values()):
            ruled = dict.fromkeys(name for rule in self._rules for name in rule.columns)
            return [*ruled, *(name for name in names if name not in ruled)]
        return list(TopologicalSorter(sources).static_order())

    def check(self, X: Any) -> pl.DataFrame:
        """What in `X` is not in the space.

        Returns
        -------
        violations : polars.DataFrame
            One row each: ``row``, ``columns``, ``rule``, ``value``; empty when all is well.
        """
        values = numbers_of(X, self.names)
        found: list[tuple[int, str, str, str]] = []
        for j, feature in enumerate(self):
            column = values[:, j]
            bad = ~np.isfinite(column)
            self._note(found, bad, feature.name, "a finite number", values[:, [j]])
            if feature.actionable:
                kind = feature.valid(column) & ~bad
                self._note(found, ~kind & ~bad, feature.name, f"kind {feature.kind}", values[:, [j]])
                outside = (column < feature.lb - CLOSE) | (column > feature.ub + CLOSE)
                said = f"bounds {feature.lb:g} to {feature.ub:g}"
                self._note(found, outside & kind, feature.name, said, values[:, [j]])
                if feature.grid is not None:
                    off = ~feature.on_grid(column) & kind & ~outside
                    self._note(
                        found, off, feature.name, f"grid of {len(feature.grid)} values", values[:, [j]]
                    )
        place = {name: j for j, name in enumerate(self.names)}
        for rule in self._rules:
            part = values[:, [place[name] for name in rule.columns]]
            self._note(found, ~rule.holds(part), ", ".join(rule.columns), str(rule), part)
        schema = {"row": pl.Int64, "columns": pl.String, "rule": pl.String, "value": pl.String}
        return pl.DataFrame(found, schema=schema, orient="row").sort("row", maintain_order=True)

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {"feature": [one.to_dict() for one in self], "rule": [rule.to_dict() for rule in self._rules]}

    @classmethod
    def from_dict(cls, given: Mapping[str, Any], X: Any = None) -> ActionSpace:
        """The space of :meth:`to_dict`; with `X`, on top of what :meth:`from_data` suggests for it."""
        unknown = set(given) - {"feature", "rule"} if isinstance(given, Mapping) else {type(given).__name__}
        unknown |= {part for part in given if not _are_tables(given[part])} if not unknown else set()
        if unknown:
            raise ValueError(
                f"an action space has [[feature]] and [[rule]] tables, not {', '.join(sorted(unknown))}"
            )
        space = None if X is None else cls.from_data(X)
        features = []
        for one in given.get("feature", ()):
            if "name" not in one:
                raise ValueError(
                    f"every [[feature]] needs a name; one has only {', '.join(one) or 'nothing'}"
                )
            changes = {name: value for name, value in one.items() if name != "name"}
            feature = Feature(one["name"]) if space is None else space[one["name"]]
            features.append(feature.set(**changes))
        space = cls(features) if space is None else space
        return space.add(*(rule_from(rule) for rule in given.get("rule", ())))

    def save(self, path: str | PathLike[str]) -> None:
        """Write to a ``.toml`` or ``.json`` file that a person can edit."""
        text = _WRITERS[_suffix(path)](self.to_dict())
        with written_beside(path) as beside:
            beside.write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, path: str | PathLike[str], X: Any = None) -> ActionSpace:
        """Read a ``.toml`` or ``.json`` file; with `X` the file says only what differs from :meth:`from_data`."""
        suffix = _suffix(path)
        if odd := unreadable(path):
            raise ValueError(odd)
        try:
            given = _READERS[suffix](Path(path).read_text("utf-8"))
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path} is not {suffix[1:].upper()}: {error}") from None
        return cls.from_dict(given, X)

    def digest(self) -> str:
        """A fingerprint of everything in it."""
        return sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()[:16]

    def __repr__(self) -> str:
        header = ("feature", "kind", "actionable", "range", "change")
        table = [header, *(_cells(feature) for feature in self)]
        widths = [max(len(row[i]) for row in table) for i in range(len(header))]
        lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in table]
        hint = " (? = suggested by the data)" if any(feature.suggested for feature in self) else ""
        title = (
            f"ActionSpace of {len(self)} features, {int(self.actionable.sum())} actionable, "
            f"{len(self._rules)} rule{'s' if len(self._rules) != 1 else ''}{hint}"
        )
        return "\n".join([title, *lines, *map(str, self._rules)])

    def _require(self, rule: Rule) -> None:
        for name in rule.columns:
            if name not in self._features:
                raise ValueError(
                    f"{type(rule).__name__} is about {name!r}, which is no feature of this space"
                )
        rule.require(self)

    @staticmethod
    def _note(
        found: list[tuple[int, str, str, str]], bad: Mask, columns: str, rule: str, values: Floats
    ) -> None:
        for i in np.flatnonzero(bad):
            found.append((int(i), columns, rule, ", ".join(f"{value:g}" for value in values[i])))


def _are_tables(given: Any) -> bool:
    return isinstance(given, list | tuple) and all(isinstance(one, Mapping) for one in given)


def _cells(feature: Feature) -> tuple[str, ...]:
    def guess(*names: str) -> str:
        return "?" if feature.suggested & set(names) else ""

    change = [{-1: "down", 0: "", 1: "up"}[feature.direction]]
    if feature.step != (-math.inf, math.inf):
        change.append(f"{feature.step[0]:g}..{feature.step[1]:+g}")
    if feature.grid is not None:
        change.append(f"{len(feature.grid)} values")
    return (
        str(feature.name),
        feature.kind + guess("kind"),
        ("yes" if feature.actionable else "no") + guess("actionable"),
        f"{feature.lb:g}..{feature.ub:g}" + guess("lb", "ub"),
        " ".join(filter(None, change)),
    )


def _suffix(path: str | PathLike[str]) -> str:
    suffix = Path(path).suffix.lower()
    if suffix not in _READERS:
        raise ValueError(
            f"{path}: an action space is a .toml or a .json file, not {suffix or 'one without suffix'}"
        )
    return suffix


def _as_toml(given: Mapping[str, Any]) -> str:
    """JSON strings, numbers, booleans and lists are TOML too; only None and tables are not."""
    lines = ["# What a person can change. Edit it, and read it with ActionSpace.load."]
    for section, tables in given.items():
        for table in tables:
            lines += ["", f"[[{section}]]"]
            lines += [f"{name} = {json.dumps(value)}" for name, value in table.items() if value is not None]
    return "\n".join(lines) + "\n"


_READERS = {".toml": tomllib.loads, ".json": json.loads}
_WRITERS = {".toml": _as_toml, ".json": lambda given: json.dumps(given, indent=2) + "\n"}
