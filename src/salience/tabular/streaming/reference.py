"""The model we have: which columns and combinations it already uses."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

from salience.data.files import unreadable

__all__ = ["Candidate", "Reference", "ReferenceLike", "as_candidate", "candidate_name"]

ReferenceLike: TypeAlias = "Reference | str | PathLike[str] | Mapping[str, Any] | Iterable[Any] | None"
Candidate: TypeAlias = tuple[str, ...]  # the columns that are combined; one for a single


def candidate_name(candidate: Candidate) -> str:
    """Name of a single or a combination for display: ``"city"``, ``"city AND hour"``; never taken apart
    again."""
    return " AND ".join(candidate)


def as_candidate(given: str | Sequence[str]) -> Candidate:
    """A column name, or the columns of a combination, as a tuple.

    Examples
    --------
    >>> as_candidate("a AND b"), as_candidate(["a", "b"])
    (('a AND b',), ('a', 'b'))
    """
    candidate = (given,) if isinstance(given, str) else tuple(given)
    if not candidate or not all(isinstance(part, str) for part in candidate):
        raise TypeError(f"A candidate is a column name or a tuple of names; got {given!r}.")
    if len(set(candidate)) != len(candidate):
        raise ValueError(f"The combination {candidate} holds a column twice.")
    return candidate


@dataclass(frozen=True)
class Reference:
    """The features of an existing model.

    Attributes
    ----------
    features : tuple of tuple of str
        Singles and combinations the model is made of.
    fields : tuple of tuple of str
        Further columns the model knows (factorisation-machine fields): part of ``columns``, not of the
        model's design.

    Examples
    --------
    >>> model = Reference.read({"desc": {"features": ["hour", "city,hour"], "fields": ["ad"]}})
    >>> model.features
    (('hour',), ('city', 'hour'))
    >>> model.columns
    ('hour', 'city', 'ad')
    """

    features: tuple[Candidate, ...] = ()
    fields: tuple[Candidate, ...] = ()

    @classmethod
    def read(cls, source: str | PathLike[str] | Mapping[str, Any]) -> Reference:
        """Read ``{"desc": {"features": ["f0", "f0,f1"], "fields": [...]}}``.

        Parameters
        ----------
        source : path or mapping
            A JSON file, or its content. A combination joins its columns with commas, or is a list of names
            (the way to name a column that holds a comma).

        Raises
        ------
        ValueError
            When the file is missing, is no JSON, or does not have this form; the message says where.
        """
        where, content = _load(source)
        desc = content.get("desc") if isinstance(content, Mapping) else None
        if not isinstance(desc, Mapping):
            raise ValueError(f'{where}: there is no object "desc". {_FORM}')
        if "features" not in desc and "fields" not in desc:
            held = sorted(desc)
            raise ValueError(f'{where}: "desc" has neither "features" nor "fields" but {held}. {_FORM}')
        features, fields = (_candidates(desc.get(key, []), f"{where}: desc.{key}") for key in _KEYS)
        return cls(features, fields)

    @classmethod
    def of(cls, given: ReferenceLike) -> Reference:
        """A reference from whatever names one: None (no model), a path, a JSON object, a list of features."""
        if given is None:
            return cls()
        if isinstance(given, Reference):
            return given
        if isinstance(given, str | PathLike | Mapping):
            return cls.read(given)
        return cls(tuple(dict.fromkeys(as_candidate(feature) for feature in given)))

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is named anywhere, in order of appearance."""
        return tuple(dict.fromkeys(c for candidate in (*self.features, *self.fields) for c in candidate))

    def with_feature(self, candidate: Candidate) -> Reference:
        """The model with one more feature."""
        return Reference((*self.features, candidate), self.fields)

    def to_json(self) -> str:
        """The form that `read` takes; combinations as lists where a name holds a comma."""

        def plain(candidate: Candidate) -> str | list[str]:
            return list(candidate) if any("," in part for part in candidate) else ",".join(candidate)

        desc = {"features": [plain(c) for c in self.features], "fields": [plain(c) for c in self.fields]}
        return json.dumps({"desc": desc}, indent=2)

    def check(self, columns: Iterable[str]) -> None:
        """Raise ValueError when a feature names a column the data do not have."""
        known = set(columns)
        unknown = [c for feature in self.features for c in feature if c not in known]
        if unknown:
            raise ValueError(
                "The reference model names columns the data do not have: "
                f"{_some(list(dict.fromkeys(unknown)))}. The data have: {_some(sorted(known))}."
            )


_KEYS = ("features", "fields")
_FORM = 'Expected {"desc": {"features": ["a", "a,b"], "fields": ["c"]}}.'


def _load(source: str | PathLike[str] | Mapping[str, Any]) -> tuple[str, Any]:
    if isinstance(source, Mapping):
        return "reference model", source
    path = Path(source)
    if odd := unreadable(path):  # it is read wherever a ranker is made of the same options
        raise ValueError(f"The reference model {odd}")
    try:
        return str(path), json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"There is no reference model at {path}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"The reference model {path} cannot be read: {error}") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not JSON (line {error.lineno}: {error.msg}). {_FORM}") from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, lists in lists in lists
        raise ValueError(f"{path} cannot be read: {error}. {_FORM}") from error


def _candidates(listed: Any, where: str) -> tuple[Candidate, ...]:
    if not isinstance(listed, list | tuple):
        raise ValueError(f"{where} must be a list, not {type(listed).__name__}. {_FORM}")
    found = []
    for place, entry in enumerate(listed):
        parts = entry.split(",") if isinstance(entry, str) else entry
        if (
            not isinstance(parts, list | tuple)
            or not parts
            or not all(isinstance(p, str) and p for p in parts)
        ):
            raise ValueError(
                f"{where}[{place}] is {entry!r}; it must be a name, names joined by commas, or a list."
            )
        found.append(as_candidate(parts))
    return tuple(dict.fromkeys(found))


def _some(names: list[str], most: int = 20) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
