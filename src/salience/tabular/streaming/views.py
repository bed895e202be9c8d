"""A column under the view it is looked at: its values, or its ordered bins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from salience.data.blocks import Column
from salience.tabular.streaming.naming import named_items

if TYPE_CHECKING:
    from salience.data.blocks import Block

__all__ = ["ViewColumns"]


class ViewColumns:
    """A derivation that gives each column's view a name, so that other derivations can combine it.

    Parameters
    ----------
    views : mapping of str to str
        Column name to ``"values"`` or ``"bins"``.
    taken : iterable of str
        Names in use.

    Attributes
    ----------
    names : tuple of str
    name_of : dict
        From the column to the name of its view.
    """

    def __init__(self, views: Mapping[str, str], taken: Iterable[str] = ()) -> None:
        wanted = [(f"{name} ({view})", (name, view)) for name, view in views.items()]
        self.items = named_items(wanted, taken={*taken, *views})
        self.names = tuple(self.items)
        self.name_of = {column: name for name, (column, _) in self.items.items()}

    def derive(self, block: Block, name: str) -> Column:
        """The view of one column."""
        column, view = self.items[name]
        return block.binned(column) if view == "bins" else block.column(column)
