"""The second look of a ranking: combinations of columns, similarity of columns, and the order that uses both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from salience.measures.information import corrected
from salience.measures.nulltable import NullTable
from salience.results.scores import Scores
from salience.tabular.interactions import rank_combinations
from salience.tabular.redundancy import rank_3mr
from salience.tabular.streaming.similarity import pairwise_redundancy

if TYPE_CHECKING:
    from salience.tabular.streaming.passes import RankingPass


_SURE = 1e-3  # p below which the values of a number are believed to say something


class Relations(NamedTuple):
    """What `relations` found; None where it was not asked for.

    Attributes
    ----------
    pairs : Scores or None
        Combinations of `order` columns with the label, by synergy.
    pair_columns : Scores or None
        Per column, over the combinations that hold it: median ``value`` (synergy), ``best``, ``partner``, ``n``.
    redundancy : Scores or None
        Pairs of the `top_pairs` best columns with each other.
    order_3mr : Scores or None
        Those columns in 3MR order.
    """

    pairs: Scores | None = None
    pair_columns: Scores | None = None
    redundancy: Scores | None = None
    order_3mr: Scores | None = None


def relations(ranker: RankingPass, source: Any, how: dict[str, Any]) -> Relations:
    """What a ranker's `order` and `scope` ask for.

    Parameters
    ----------
    ranker : RankingPass
        With `scores_`; its first label counts.
    source : Source or None
        None when the rows are no longer at hand (`partial_fit`, `merge`): then there is nothing to look at.
    how : dict
        ``progress`` and ``threads`` of the scan.

    Returns
    -------
    Relations
    """
    if source is None or ranker.preset is not None or (ranker.order == 1 and ranker.scope == "target"):
        return Relations()
    label = ranker.plan_.labels[0].name
    singles = ranker.scores_.where(label=label) if ranker.scores_.by else ranker.scores_
    frame = singles.frame.filter((singles.frame["kind"] != "control") & (singles.frame["card"] > 1))
    columns = frame["column"].to_list()
    shared: dict[str, Any] = {
        "source": source,
        "derive": ranker.candidates_.derivations,
        "views": _views(ranker, label, columns),
        "pair_budget": ranker.pair_budget,
        "seed": ranker.random_state,
        "threads": ranker.n_jobs,
    }
    tell = how.get("progress")

    def stage(name: str, done: int, total: int) -> None:
        if tell is not None:
            tell(done, total)

    pairs = per_column = redundancy = ordered = None
    if ranker.order > 1 and len(columns) >= ranker.order:
        found = rank_combinations(
            ranker.plan_,
            label,
            columns=columns,
            order=ranker.order,
            exact=ranker.exact,
            progress=stage,
            **shared,
        )
        pairs, per_column = found.pairs, found.per_column
    best = columns[: ranker.top_pairs or None]
    if ranker.scope == "all" and len(best) >= 2:
        redundancy = pairwise_redundancy(ranker.plan_, columns=best, progress=tell, **shared)
        relation = pairs
        if relation is None or ranker.order != 2:
            relation = rank_combinations(
                ranker.plan_, label, columns=best, order=2, finalists=0, progress=stage, **shared
            ).pairs
        relevance = dict(frame.select("column", "value").filter(frame["column"].is_in(best)).iter_rows())
        joint = {(a, b): value for a, b, value in relation.frame.select("a", "b", "joint").iter_rows()}
        ordered = rank_3mr(relevance, redundancy, joint, ranker.alpha, ranker.beta, ranker.aggregate)
    return Relations(pairs, per_column, redundancy, ordered)


def _views(ranker: RankingPass, label: str, columns: list[str]) -> dict[str, str]:
    """The view of binned numbers, where the count of single columns decides it.

    Values, when the bins lose more than half of what they say: that is a code, whose order means nothing. Bins,
    when they say more. The better score alone is no reason: of a number that says nothing it is a matter of
    chance, and with the values of a measurement every combination is a row id.
    """
    tables = getattr(ranker._tally.states[label], "tables", {})
    chosen = {}
    for name in columns:
        if (name, "bins") in tables and (name, "values") in tables:
            counted = [tables[name, view].contingency() for view in ("values", "bins")]
            null = NullTable(counted[0].label_counts)
            values, bins = (corrected(table, null) for table in counted)
            if values.p < _SURE and values.score > 2 * bins.score:
                chosen[name] = "values"
            elif bins.p < _SURE and bins.score > values.score:
                chosen[name] = "bins"
    return chosen
