"""Lazy namespaces (PEP 562): a package lists its public names, and each is imported when first asked for."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["lazy_namespace", "resolve"]


def lazy_namespace(
    package: str, names: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Make the ``__getattr__`` and ``__dir__`` of a package whose names are imported when first used.

    Parameters
    ----------
    package : str
        ``__name__`` of the package.
    names : mapping of str to str
        Public name to where it lives, in the syntax of entry points: ``"package.module:attribute"``, or
        ``"package.module"`` for the module itself; ``"package.module:attribute [torch]"`` when it needs the
        extra ``torch``. Write it as a literal: the tests read it from the source.

    Returns
    -------
    getattr, dir : callables
        To be bound to ``__getattr__`` and ``__dir__`` of the package.

    Examples
    --------
    >>> get, names = lazy_namespace("salience", {"Fraction": "fractions:Fraction"})
    >>> get("Fraction")(1, 2)
    Fraction(1, 2)
    >>> names()
    ['Fraction']
    """

    def __getattr__(name: str) -> Any:
        if name not in names:
            raise AttributeError(
                f"module {package!r} has no attribute {name!r}; it has {', '.join(sorted(names))}"
            )
        value = resolve(names[name])
        if package in sys.modules:
            setattr(sys.modules[package], name, value)  # asked once: the next look-up does not come here
        return value

    def __dir__() -> list[str]:
        return sorted(names)

    return __getattr__, __dir__


def resolve(target: str) -> Any:
    """Import what an entry point such as ``"package.module:attribute [extra]"`` names.

    Raises
    ------
    ImportError
        When a library of the extra is missing; the message says which extra to install.

    Examples
    --------
    >>> resolve("fractions:Fraction.from_float")(0.5)
    Fraction(1, 2)
    """
    path, _, extra = target.partition(" ")
    module, _, attribute = path.partition(":")
    try:
        value: Any = importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if not extra or missing.partition(".")[0] == "salience":
            raise
        raise ImportError(
            f"{attribute or module} needs {missing!r}, which is not installed; "
            f"install it with: pip install 'salience{extra.strip()}'",
            name=missing,
        ) from error
    for part in filter(None, attribute.split(".")):
        value = getattr(value, part)
    return value
