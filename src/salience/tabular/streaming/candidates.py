"""What is ranked: the columns of a plan and everything that is derived from them, each with its views."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from salience.data.blocks import Derivation
from salience.data.plan import Plan
from salience.measures.counting import Item
from salience.tabular.streaming.controls import CONTROLS, DRAWN, Controls
from salience.tabular.streaming.expand import Explode, SubFeatures, parse_subfeatures, pilot_values
from salience.tabular.streaming.naming import no_such_column
from salience.tabular.transforms import Transforms, pilot_statistics


@dataclass(frozen=True)
class Candidates:
    """Items of a ranking.

    Attributes
    ----------
    items : tuple of (name, view)
        A number column with bins has two views. Without the controls whose counts are drawn.
    kinds : dict
        From name to what it is: the kind of its column ("text", "number", "time", "list"), or "control", "transform",
        "sub-feature", "token".
    derivations : tuple of Derivation
        What makes the columns that are not in the source.
    reads : tuple of str
        Columns of the source that are needed.
    """

    items: tuple[Item, ...]
    kinds: dict[str, str]
    derivations: tuple[Derivation, ...]
    reads: tuple[str, ...]

    @classmethod
    def of(
        cls,
        plan: Plan,
        source: Any,
        *,
        focus: Sequence[str] = (),
        exclude: Sequence[str] = (),
        controls: bool = False,
        drawn: bool = False,
        transforms: str | Sequence[str] | None = None,
        subfeatures: str = "",
    ) -> Candidates:
        """Collect the columns of `plan` and what is asked to be made of them.

        Parameters
        ----------
        plan, source
            Of the scan.
        focus, exclude : sequence of str
            Only these columns; all but these.
        controls, transforms, subfeatures
            As in `StreamRanker`. Multi-value columns are exploded where the plan has a vocabulary.
        drawn : bool
            The controls that need no rows are no items: their counts are drawn at the end.

        Raises
        ------
        ValueError
            A column that does not exist, or nothing left to rank.
        """
        known = [column.name for column in plan.columns]
        for name in (*focus, *exclude):
            if name not in known:
                raise no_such_column(name, known, "focus" if name in focus else "exclude")
        chosen = [name for name in known if (not focus or name in focus) and name not in exclude]
        if not chosen:
            raise ValueError(
                "no column is left to rank: the source has only the label, or focus/exclude leave nothing"
            )
        kinds = {name: plan.column(name).kind for name in chosen}
        derivations: list[Derivation] = []
        if any(plan.column(name).vocabulary is not None for name in chosen):
            lists = [name for name in chosen if plan.column(name).vocabulary is not None]
            derivations.append(_add(kinds, Explode(plan, lists), "token"))
        if subfeatures:
            parts = parse_subfeatures(subfeatures, known)
            values = pilot_values(source, plan, {c for a, arrow, b in parts for c in (a, b)})
            derivations.append(_add(kinds, SubFeatures(plan, parts, values), "sub-feature"))
        if transforms:
            numbers = [name for name in chosen if plan.column(name).kind == "number"]
            fitted = pilot_statistics(source, plan, numbers)
            derivations.append(_add(kinds, Transforms(plan, transforms, numbers, fitted), "transform"))
        if controls:
            # the hash of some columns only would repeat what they say
            wanted = [name for name in CONTROLS if name != "CONTROL-row-hash"] if chosen != known else None
            derivations.append(_add(kinds, Controls(plan, wanted, columns=chosen), "control"))
        edges = {name: plan.column(name).edges for name in chosen}
        for derivation in derivations:
            for name in derivation.names:
                edges[name] = derivation.edges(name) if hasattr(derivation, "edges") else None
        items: list[Item] = []
        for name in kinds:
            if drawn and kinds[name] == "control" and name in DRAWN:
                continue
            items += [(name, "values")] if edges[name] is None else [(name, "values"), (name, "bins")]
        labels = [label.name for label in plan.labels]
        reads = tuple(dict.fromkeys([*(known if subfeatures else chosen), *labels]))
        return cls(tuple(items), kinds, tuple(derivations), reads)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of what is ranked, in order."""
        return tuple(self.kinds)


def _add(kinds: dict[str, str], derivation: Any, kind: str) -> Derivation:
    kinds.update(dict.fromkeys(derivation.names, kind))
    found: Derivation = derivation
    return found
