"""Vectors of an index: will approximate search serve the task, and which rows does it not reach?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from salience.lazy import lazy_namespace

__all__: list[str] = []

__getattr__, __dir__ = lazy_namespace(
    __name__,
    {},
)

if TYPE_CHECKING:
    pass
