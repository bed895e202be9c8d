"""``selftest``: does this installation compute what it should? A few seconds, no files of yours."""

from __future__ import annotations

from collections.abc import Callable

import typer


def selftest() -> None:
    """Check this installation on small data whose answers are known."""
    from salience.cli import show

    failed = 0
    for name, check in CHECKS.items():
        holds = check()
        failed += not holds
        show.conclude(f"{'ok    ' if holds else 'WRONG '} {name}")
    if failed:
        raise typer.Exit(1)


def _known_information() -> bool:
    from salience.measures.contingency import Contingency
    from salience.measures.information import mutual_information
    from salience.measures.nulls import shift_score

    x, y = [0, 0, 1, 1, 0, 1, 1, 0], [0, 0, 2, 2, 0, 2, 0, 2]
    return (
        abs(mutual_information(Contingency.from_codes(x, y)) - 0.130812) < 1e-6
        and abs(shift_score([0, 0, 2, 2, 2, 2], [0, 0, 0, 1, 1, 1])) < 1e-12
    )


def _a_row_id_says_nothing() -> bool:
    from salience.tabular.ranking import StreamRanker

    columns = {"copy": [0, 1] * 500, "id": [f"r{i}" for i in range(1000)], "y": [0, 1] * 500}
    frame = StreamRanker("y").fit(columns).scores_.frame
    return frame["verdict"].to_list() == ["leak", "id"] and abs(frame["value"][1]) < 1e-12


def _threads_do_not_matter() -> bool:
    from salience.data.datasets import load
    from salience.tabular.ranking import StreamRanker

    one, two = (StreamRanker("income", n_jobs=n).fit(load("adult")).scores_.frame for n in (1, 2))
    return one.equals(two)


CHECKS: dict[str, Callable[[], bool]] = {
    "mutual information and the shifted null of known columns": _known_information,
    "a row id says nothing, a copy of the label everything": _a_row_id_says_nothing,
    "one thread and two give the same bits": _threads_do_not_matter,
}
