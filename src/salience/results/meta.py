"""Where a result comes from: method, parameters, seed, versions, data, unit."""

from __future__ import annotations

import dataclasses
import math
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Interval", "Meta", "plain"]

# Libraries whose version can change a number. Only those already loaded are recorded: a result that was made
# without torch does not depend on the torch that happens to be installed.
VERSIONED = ("salience", "numpy", "scipy", "polars", "pyarrow", "numba", "sklearn", "torch", "lightgbm")


class Interval(NamedTuple):
    """What ``lo`` and ``hi`` are.

    Attributes
    ----------
    kind : str
        How it was made, for instance ``"normal"``, ``"bootstrap"``, ``"range over members"``.
    level : float
        Nominal coverage, in (0, 1].
    """

    kind: str
    level: float


@dataclass(frozen=True, repr=False)
class Meta:
    """The provenance of a result; every field can be written as JSON, and is when the result is saved.

    Parameters
    ----------
    method : str
        Name of the method, as in ``methods.toml``; ``"given"`` for values that came from outside.
    params : mapping of str to JSON value
        Parameters of the method. Numpy scalars and arrays become plain numbers and lists, other objects
        (an estimator, say) their ``repr``.
    seed : int, optional
        What made the randomness repeatable.
    versions : mapping of str to str
        Versions of the libraries that took part; by default those loaded when the result was made.
    data : tuple of str
        Fingerprints of the data the scores were fitted on. ``verify`` refuses to judge on the same data.
    rows : int, optional
        Number of rows that were used.
    unit : str, optional
        Unit of ``value``, for instance ``"nats"``. Values are compared with others only in the same unit.
    interval : Interval or (str, float), optional
        Kind and level of ``lo`` and ``hi``.
    additive : bool
        Whether the sum of values over items means something (shares, Shapley values); else it is refused.
    net_of_null : bool, optional
        Whether ``value`` has the column ``null`` already taken off, so that chance lies at 0. When not
        said, it is so if there is a column ``mi`` and ``value`` is ``mi - null``.
    symmetric : bool
        Whether an item is the same with its keys swapped, as an unordered pair is.
    replicate_of : str, optional
        What the replicates are: ``"seed"``, ``"bootstrap"``, ``"fold"``, ``"member"``, ...
    warnings : tuple of str
        What a reader of the result should know.
    seconds : float, optional
        How long it took.
    extra : mapping of str to JSON value
        Anything else the method wants to say.

    Raises
    ------
    TypeError, ValueError
        When a field is of the wrong kind; the message says which.

    Examples
    --------
    >>> meta = Meta(method="outrank", unit="nats", interval=("normal", 0.95), rows=1000)
    >>> meta.interval.level
    0.95
    >>> Meta.from_dict(meta.to_dict()) == meta
    True
    """

    method: str = "given"
    params: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    versions: Mapping[str, str] = field(default_factory=lambda: loaded_versions())
    data: tuple[str, ...] = ()
    rows: int | None = None
    unit: str | None = None
    interval: Interval | None = None
    additive: bool = False
    net_of_null: bool | None = None
    symmetric: bool = False
    replicate_of: str | None = None
    warnings: tuple[str, ...] = ()
    seconds: float | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.method, str) or not self.method:
            raise TypeError(f"Meta.method must be a non-empty string, got {self.method!r}")
        for name in ("data", "warnings"):
            object.__setattr__(self, name, _texts(name, getattr(self, name)))
        for name in ("params", "versions", "extra"):
            given = getattr(self, name)
            if not isinstance(given, Mapping):
                raise TypeError(f"Meta.{name} must be a mapping, got {type(given).__name__}")
            object.__setattr__(self, name, MappingProxyType(plain(given)))
        for name, kind in (("seed", int), ("rows", int), ("seconds", float)):
            given = getattr(self, name)
            if given is not None:
                object.__setattr__(self, name, _number(name, given, kind))
        for name in ("additive", "symmetric"):
            object.__setattr__(self, name, bool(getattr(self, name)))
        if self.interval is not None:
            object.__setattr__(self, "interval", _interval(self.interval))

    def replace(self, **changes: Any) -> Meta:
        """The same provenance with some fields changed."""
        return dataclasses.replace(self, **changes)

    def warn(self, *messages: str) -> Meta:
        """The same provenance with more warnings at its end."""
        return self.replace(warnings=(*self.warnings, *messages))

    def to_dict(self) -> dict[str, Any]:
        """All fields as plain JSON values."""
        return {f.name: plain(getattr(self, f.name)) for f in dataclasses.fields(self)}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Meta:
        """Rebuild from :meth:`to_dict`; fields this version does not know are kept in ``extra``."""
        given = dict(fields)
        unknown = {
            name: given.pop(name) for name in fields.keys() - {f.name for f in dataclasses.fields(cls)}
        }
        return cls(**{**given, "extra": {**given.get("extra", {}), **unknown}})

    def __repr__(self) -> str:
        said = [(name, value) for name, value in self.to_dict().items() if value or value == 0]
        return f"Meta({', '.join(f'{name}={value!r}' for name, value in said if value is not False)})"

    def __getstate__(self) -> dict[str, Any]:
        return self.to_dict()  # a mappingproxy cannot be pickled

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def __hash__(self) -> int:
        return hash((self.method, self.seed, self.data, self.rows, self.unit))


def loaded_versions() -> dict[str, str]:
    """Versions of Python and of the loaded libraries that can change a number.

    Examples
    --------
    >>> {"numpy", "python"} <= set(loaded_versions())
    True
    """
    loaded = {name: getattr(sys.modules.get(name), "__version__", None) for name in VERSIONED}
    found = {name: str(version) for name, version in loaded.items() if version is not None}
    return {"python": platform.python_version(), **found}


def plain(value: Any) -> Any:
    """The JSON value closest to `value`; numbers that are not finite, which JSON lacks, become their names.

    Examples
    --------
    >>> plain({"shape": (2, 3), "limit": float("inf"), "mean": np.float32(0.5)})
    {'shape': [2, 3], 'limit': 'inf', 'mean': 0.5}
    """
    if isinstance(value, float) and not math.isfinite(value):
        return str(float(value))  # JSON has no nan and no infinity
    if value is None or type(value) in _JSON_SCALARS:
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((plain(item) for item in value), key=repr)
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist()) if type(value.tolist()) is not type(value) else repr(value)
    if isinstance(value, type) or callable(value):
        return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', repr(value))}"
    return str(value) if isinstance(value, str) else repr(value)


_JSON_SCALARS = (bool, int, float, str)


def _texts(name: str, given: Any) -> tuple[str, ...]:
    if isinstance(given, str) or not all(isinstance(text, str) for text in given):
        raise TypeError(f"Meta.{name} must be a sequence of strings, got {given!r}")
    return tuple(given)


def _number(name: str, given: Any, kind: type) -> Any:
    try:
        number = kind(given)
        exact = number == given and math.isfinite(number)
    except (TypeError, ValueError, OverflowError):
        exact = False
    if not exact or isinstance(given, str):
        raise TypeError(f"Meta.{name} must be {kind.__name__} or None, got {given!r}")
    return number


def _interval(given: Any) -> Interval:
    try:
        kind, level = given
        interval = Interval(str(kind), float(level))
    except (TypeError, ValueError):
        raise TypeError(
            f"Meta.interval must be (kind, level), for instance ('normal', 0.95), got {given!r}"
        ) from None
    if not 0 < interval.level <= 1:
        raise ValueError(f"the level of an interval lies in (0, 1], got {interval.level}")
    return interval
