"""One call of the explainer: what is asked of the model for a block of rows, and what comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from salience.measures.sensitivity.removal import removed_means
from salience.tabular.dhondt.alliances import (
    affinity,
    found_alliances,
    inner_pairs,
    interactions,
    relabelled,
    screened_pairs,
)
from salience.tabular.dhondt.mandates import elect, project, within_groups
from salience.tabular.dhondt.output import ModelOutput
from salience.tabular.dhondt.rules import Budget, ElectionRules

__all__ = ["Campaign"]

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass
class Campaign:
    """Everything that is the same for all rows of one call."""

    output: ModelOutput
    background: Any
    sample: Any
    replacement: Any
    neighbors: int
    how: ElectionRules
    budget: Budget
    kept: Labels  # positions of the columns that stand for election, (p,)
    out: tuple[int, ...]  # positions of the excluded ones
    groups: list[tuple[int, ...]]  # alliances the user named, as places in `kept`
    sets_left: int | None  # sets beyond the single columns that the row budget allows
    rng: np.random.Generator
    notes: list[str]
    scale: float  # largest size of a score of the background: what is 1e-13 of it is rounding

    @property
    def needs_pairs(self) -> bool:
        return self.how.by_affinity or self.how.moves_votes or any(len(group) > 1 for group in self.groups)

    @property
    def fine_seats(self) -> int:
        return self.how.fine_seats(self.budget, len(self.kept))

    @property
    def residuals(self) -> dict[str, bool]:
        """Names of the residuals, and which are shown even when they are 0."""
        below = self.how.threshold is not None and not self.how.redistribute
        return {
            "__excluded__": bool(self.out),
            "__below_threshold__": below,
            "__projection_residual__": False,
        }

    def explained(self, X: Any, prediction: Floats, base: float) -> dict[str, NDArray[Any]]:
        """Explain a block of rows."""
        n, p = X.shape[0], len(self.kept)
        strict = bool(self.out) and self.how.exclude_mode == "strict"
        start = self._means(X, [()])[:, 0] if strict else prediction
        effects = self._effects(X, start, [(j,) for j in range(p)])
        pairs, where = self._pairs(effects)
        pair_effects = self._effects(X, start, pairs, where)
        inside = interactions(effects, pairs, pair_effects) if pairs else None
        likes = affinity(effects, inside, self.how.affinity) if inside is not None else None
        labels = self._labels(n, likes)
        group_effects = self._group_effects(X, start, effects, labels, inside)
        election = elect(
            group_effects, self._extra(labels, inside), labels,
            (np.zeros((n, p, p)) if likes is None else likes) if self.how.moves_votes else None,
            seats=self.how.seats, fine_seats=self.fine_seats, threshold=self.how.threshold, tie=self.how.tie, rng=self.rng,
        )  # fmt: skip
        active = prediction - base if not self.out else start - base
        if self.out and not strict:
            active = prediction - self._means(X, [tuple(range(p))], also=())[:, 0]
        elected = np.take_along_axis(election.eligible, labels, axis=1)  # (n, p)
        target = active
        if self.how.threshold is not None and not self.how.redistribute:
            target = self._part_of(X, prediction, base, active, elected)
        done = project(election.raw, target, self.how.projection, self.how.projection_threshold)
        values = within_groups(
            done.values, labels, effects, inside, self.how.interaction_weight, self.how.beta
        )
        if not self.how.redistribute:
            values = np.where(elected, values, 0.0)
        return {
            "values": values, "labels": labels, "ratio": done.ratio, "gap": done.gap, "pairs": where.sum(axis=1),
            "effects": group_effects, "votes": election.votes, "eligible": election.eligible,
            "for_votes": election.for_votes, "against_votes": election.against_votes,
            "for_seats": election.for_seats, "against_seats": election.against_seats,
            "__excluded__": prediction - base - active, "__below_threshold__": active - target,
            "__projection_residual__": done.residual,
        }  # fmt: skip

    def _means(
        self,
        X: Any,
        sets: Sequence[tuple[int, ...]],
        where: Mask | None = None,
        *,
        also: tuple[int, ...] | None = None,
    ) -> Floats:
        """Mean scores without sets of places in `kept` and without `also`: by default what is strictly excluded."""
        if not sets:
            return np.zeros((X.shape[0], 0))
        also = (self.out if self.how.exclude_mode == "strict" else ()) if also is None else also
        columns = [(*also, *(int(self.kept[j]) for j in places)) for places in sets]
        return removed_means(
            lambda table: self.output(table), X, self.sample, columns, where=where, replacement=self.replacement,
            pool=self.background, neighbors=self.neighbors,
        )  # fmt: skip

    def _effects(
        self, X: Any, start: Floats, sets: Sequence[tuple[int, ...]], where: Mask | None = None
    ) -> Floats:
        """Removal effects; those that are nothing but rounding are 0, so that a column without effect has no side."""
        found = start[:, None] - self._means(X, sets, where)
        found[np.abs(found) <= 1e-13 * (self.scale + np.abs(start[:, None]))] = 0.0
        return found

    def _pairs(self, effects: Floats) -> tuple[list[tuple[int, int]], Mask]:
        looked_for = self.how.by_affinity or self.how.moves_votes
        most = self.budget.pairs if looked_for else 0
        required = inner_pairs(self.groups)
        if self.sets_left is not None:
            if len(required) > self.sets_left:
                required = required[: self.sets_left]
                self._note("max_model_rows left out pairs inside alliances")
            room = self.sets_left - len(required)
            if looked_for and (most is None or room < most):
                self._note(f"max_model_rows left room for {room} pairs beside those of named alliances")
                most = room
        return screened_pairs(effects, self.budget.top, most, required)

    def _labels(self, n: int, likes: Floats | None) -> Labels:
        p = len(self.kept)
        fixed = np.full(p, -1)
        for number, group in enumerate(self.groups):
            fixed[list(group)] = number
        if self.how.by_affinity:
            given = np.zeros((n, p, p)) if likes is None else likes
            return found_alliances(given, self.how.rho, self.how.linkage, fixed)
        alone = np.where(fixed < 0, len(self.groups) + np.arange(p), fixed)
        return np.repeat(relabelled(alone[None]), n, axis=0)

    def _group_effects(
        self, X: Any, start: Floats, effects: Floats, labels: Labels, inside: Floats | None
    ) -> Floats:
        """Effects of the groups, shape (n, p): measured once for each distinct alliance."""
        found = np.zeros_like(effects)
        np.put_along_axis(found, labels, effects, axis=1)  # right for groups of one, the rest follows
        alliances: dict[tuple[int, ...], list[int]] = {}
        for i, row in enumerate(labels):
            for group in np.flatnonzero(np.bincount(row) > 1):
                alliances.setdefault(tuple(np.flatnonzero(row == group).tolist()), []).append(i)
        wanted: list[tuple[int, ...]] = []
        left = np.full(len(labels), np.iinfo(np.int64).max if self.sets_left is None else self.sets_left)
        if inside is not None:
            left -= (~np.isnan(inside)).sum(axis=(1, 2)) // 2
        where = np.zeros((len(labels), len(alliances)), dtype=bool)
        for members, rows in alliances.items():
            place, slot = np.array(rows), labels[rows, members[0]]
            known = np.full(len(rows), np.nan)
            if len(members) == 2 and inside is not None:
                known = inside[place, members[0], members[1]] + effects[place][:, list(members)].sum(axis=1)
            short = np.isnan(known) & (left[place] <= 0)
            if short.any():
                self._note("max_model_rows: effects of alliances are the sum of their members'")
                known[short] = effects[place[short]][:, list(members)].sum(axis=1)
            found[place, slot] = known
            open_rows = place[np.isnan(known)]
            left[open_rows] -= 1
            where[open_rows, len(wanted)] = True
            wanted.append(members)
        measured = self._effects(X, start, wanted, where)
        for s, members in enumerate(wanted):
            rows_open = np.flatnonzero(where[:, s])
            found[rows_open, labels[rows_open, members[0]]] = measured[rows_open, s]
        return found

    def _extra(self, labels: Labels, inside: Floats | None) -> Floats:
        """lambda times the interactions inside each group, shape (n, p)."""
        extra = np.zeros(labels.shape)
        if inside is not None and self.how.interaction_weight > 0:
            same = labels[:, :, None] == labels[:, None, :]
            claims = 0.5 * np.abs(np.nan_to_num(inside) * same).sum(axis=2)
            for j in range(labels.shape[1]):
                extra[np.arange(len(labels)), labels[:, j]] += claims[:, j]
        return self.how.interaction_weight * extra

    def _part_of(self, X: Any, prediction: Floats, base: float, active: Floats, elected: Mask) -> Floats:
        """The part of the difference that the eligible columns are answerable for."""
        some = ~elected.all(axis=1)
        if not some.any():
            return active
        strict = self.how.threshold_mode == "strict"
        patterns, which = np.unique(elected[some], axis=0, return_inverse=True)
        removed = ~patterns if strict else patterns
        sets = [tuple(np.flatnonzero(row).tolist()) for row in removed]
        where = np.zeros((len(elected), len(sets)), dtype=bool)
        where[np.flatnonzero(some), which.ravel()] = True
        means = self._means(X, sets, where, also=self.out if strict else ())
        mean = np.where(where, means, 0.0).sum(axis=1)
        part = mean - base if strict else prediction - mean
        return np.where(some, part, active)

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)
