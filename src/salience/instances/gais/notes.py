"""What a reader of the scores should know."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from salience.instances.gais.rates import is_margin_model
from salience.instances.gais.rounds import Scored
from salience.instances.gais.table import Table

__all__ = ["after_fitting", "before_fitting", "no_rate_is_enough"]


def before_fitting(estimator: Any) -> Iterator[str]:
    """About the model that will be trained on the kept rows."""
    if is_margin_model(estimator):
        yield (
            f"{type(estimator).__name__} puts its boundary by the rows nearest to it, and rows from the middle of their "
            "class are kept: it loses more than a nearest neighbour does. Take a larger rate, or rate='auto', and compare "
            "with random rows"
        )


def no_rate_is_enough(rates: Sequence[float], tolerance: float) -> str:
    """About a search for the smallest rate that found none."""
    return (
        f"no rate of {list(rates)} keeps the accuracy within {tolerance:g} of that on all rows (see rate_table_): "
        "all rows are kept"
    )


def after_fitting(found: Scored, table: Table) -> Iterator[str]:
    """About what the network learned, and classes without a choice."""
    if found.refused:
        yield (
            f"scores are refused: the network recognises {found.accuracy:.0%} of the rows held out, and guessing "
            f"{found.chance:.0%}. All rows are kept. Are the labels right, do the columns say anything about them? "
            "More epochs= or a larger edge_share= may help"
        )
    whole = [str(name) for name in table.classes[found.whole(table)]]
    if whole:
        yield f"nothing to select from in class(es) {', '.join(whole)}: kept whole"
