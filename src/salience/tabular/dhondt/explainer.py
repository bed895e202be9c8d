"""Single predictions as parliaments: removal effects, votes, seats, and values that add up."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from typing import Any

import numpy as np

from salience.measures.sensitivity.removal import REPLACEMENTS
from salience.measures.sensitivity.rows import column_names, conformed, native, table_of, taken
from salience.results.attributions import Attributions
from salience.results.meta import Meta
from salience.tabular.dhondt.alliances import named_groups
from salience.tabular.dhondt.campaign import Campaign
from salience.tabular.dhondt.explanation import DhondtExplanation
from salience.tabular.dhondt.output import ModelOutput
from salience.tabular.dhondt.rules import BUDGETS, Budget, ElectionRules, one_of, whole_from_one
from salience.verify.fingerprints import fingerprint

__all__ = ["DhondtExplainer"]

# What is worked on between two reports of progress: predictions, their columns squared (32 MB an array), model rows.
MOST_ROWS, MOST_CELLS, MOST_MODEL_ROWS = 1 << 10, 1 << 22, 1 << 18


class DhondtExplainer:
    r"""Explain single predictions as parliaments of columns.

    With the score :math:`g` (a probability, a logit, a predicted number), background rows :math:`z^{(1)}, \ldots,
    z^{(M)}` and their mean score :math:`\mu`, the difference :math:`\delta = g(x) - \mu` is to be explained.

    1. The removal effect of a set A of columns is :math:`e_A = g(x) - \frac 1 M \sum_m g(x \text{ with A from }
       z^{(m)})`.
    2. A column, or an alliance of columns P, has :math:`|e_P| + \lambda \sum |I_{ij}|` votes, where :math:`I_{ij} =
       e_{ij} - e_i - e_j`: for the prediction if :math:`e_P > 0`, against it if :math:`e_P < 0`.
    3. The seats are split between the two sides by their votes, and inside a side by D'Hondt. A threshold keeps small
       parties out.
    4. A party's value is its share of the seats of its side times the effects :math:`\sum |e_P|` of that side.
    5. The values are corrected so that they add up to :math:`\delta`. A large correction (`ratio`) is kept apart as a
       residual: the effects of single removals then do not add up, and above .5 the split is not to be trusted.

    Parameters
    ----------
    model : estimator or callable
        With ``predict_proba``, ``decision_function`` or ``predict``; or a function from a table to numbers.
    background : array or frame of shape (m, d)
        Rows of ordinary instances; frames may hold categories and text.
    output : {"auto", "probability", "logit", "decision", "prediction"}, default="auto"
        What is explained. Logits add up better than probabilities.
    target : class label or int, optional
        Which class, or which of several outputs. Without it the second class, with a warning if there are more.
    budget : {"fast", "balanced", "accurate", "research"} or Budget, default="balanced"
        Background rows / seats / pairs / columns whose pairs are looked at: 25 / 1,000 / 200 / 20, 100 / 5,000 /
        1,000 / 40, 250 / 10,000 / 5,000 / 80, 500 / 20,000 / all / all.
    n_background : int, optional
        Background rows, in place of those of the budget.
    replacement : {"joint", "conditional_knn"} or callable, default="joint"
        What replaces removed columns: all background rows in turn; for each row and set the `neighbors` background rows
        nearest in the other columns; or ``sampler(row, names, background, m)``, a table of m rows.
    neighbors : int, default=25
    baseline_mode : {"full", "sample", "auto"}, default="full"
        :math:`\mu` over all background rows, or over those that were sampled: then an additive model leaves no
        residual. "auto": "sample" where rows were sampled.
    random_state : int, default=0
        Seed of the sampled background rows and of random ties.

    Attributes
    ----------
    names : tuple
        Columns of the background; x0, x1, ... for an array.
    output : ModelOutput
        The function that is explained.

    Raises
    ------
    TypeError, ValueError
        When a parameter is not as described; the message says what is allowed.

    See Also
    --------
    Parliament : seats from one importance per column.

    Notes
    -----
    Different from the package dhondtxai 0.9.5.6: a budget is the one that was named; pairs inside alliances that the
    user names are always measured; the background sample is drawn once for all rows; the nearest rows count equally; a
    party below the threshold gets nothing, and one without an effect exactly 0. Votes of an alliance whose effect is 0
    have no side, so they elect nobody.

    References
    ----------
    Explainable AI through a Democratic Lens: DhondtXAI for Proportional Feature Importance Using the D'Hondt Method,
    arXiv:2411.05196.

    Examples
    --------
    >>> import numpy as np
    >>> from salience.tabular import DhondtExplainer
    >>> background = np.random.default_rng(0).choice([-1.0, 1.0], (100, 3))
    >>> explainer = DhondtExplainer(lambda X: X @ [2.0, -1.0, 0.0], background)
    >>> explanation = explainer.explain([1.5, 1.5, 1.5])
    >>> dict(explanation.seats.select("party", "seats").iter_rows())
    {'x0': 65, 'x1': -35, 'x2': 0}
    """

    def __init__(
        self,
        model: Any,
        background: Any,
        *,
        output: str = "auto",
        target: Any = None,
        budget: str | Budget = "balanced",
        n_background: int | None = None,
        replacement: str | Callable[..., Any] = "joint",
        neighbors: int = 25,
        baseline_mode: str = "full",
        random_state: int = 0,
    ) -> None:
        self.background = table_of(background, "background")
        self.names = column_names(self.background)
        reserved = [name for name in self.names if str(name).startswith("__") or " + " in str(name)]
        if reserved:
            raise ValueError(
                f"names that start with '__' or hold ' + ' mean residuals and alliances: rename {reserved}"
            )
        if not isinstance(budget, Budget):
            one_of("budget", budget, BUDGETS)
            budget = BUDGETS[budget]
        if not callable(replacement):
            one_of("replacement", replacement, [name for name in REPLACEMENTS if name != "sampler"])
        one_of("baseline_mode", baseline_mode, ("full", "sample", "auto"))
        whole_from_one("neighbors", neighbors)
        if n_background is not None:
            whole_from_one("n_background", n_background)
        self.output = ModelOutput(model, output, target)
        self.budget = budget
        self.n_background = n_background
        self.replacement = replacement
        self.neighbors = neighbors
        self.baseline_mode = baseline_mode
        self.random_state = random_state

    def explain(
        self,
        X: Any,
        *,
        seats: int = 100,
        threshold: float | None = None,
        redistribute: bool = False,
        alliances: str | Sequence[Sequence[Any]] = "none",
        progress: Callable[[int, int], None] | None = None,
        **rules: Any,
    ) -> DhondtExplanation:
        """Explain the predictions for one row or many.

        Parameters
        ----------
        X : array or frame of shape (n, d); or one row, shape (d,)
        seats, threshold, redistribute, alliances, **rules
            Fields of :class:`~salience.tabular.dhondt.rules.ElectionRules`.
        progress : callable, optional
            ``progress(predictions done, predictions in all)``.

        Returns
        -------
        DhondtExplanation

        Raises
        ------
        TypeError, ValueError
            Rules that are not as described; unknown, repeated or overlapping names; no column left; a row budget below
            one row per column; columns that the background lacks; scores that are not finite.
        """
        started = time.perf_counter()
        known = [rule.name for rule in fields(ElectionRules)]
        if unknown := [name for name in rules if name not in known]:
            raise TypeError(f"there is no rule {unknown[0]!r}; the rules are {', '.join(known)}")
        how = ElectionRules(
            seats=seats, threshold=threshold, redistribute=redistribute, alliances=alliances, **rules
        )
        table, background = conformed(_rows_of(X, self.background), self.background)
        asked = self.output.rows
        ordinary = self.output(native(background))
        campaign = self._campaign(how, background, float(np.abs(ordinary).max()))
        prediction = self.output(native(table))
        full = float(ordinary.mean())
        part = full if campaign.sample is background else float(self.output(native(campaign.sample)).mean())
        base = part if self.baseline_mode == "sample" or self.baseline_mode == "auto" else full
        n, p = table.shape[0], len(campaign.kept)
        cells, model_rows = p * p if campaign.needs_pairs else p, p * campaign.sample.shape[0]
        size = max(1, min(MOST_ROWS, MOST_CELLS // cells, MOST_MODEL_ROWS // model_rows))
        found = []
        for start in range(0, n, size):
            rows = np.arange(start, min(start + size, n))
            found.append(campaign.explained(taken(table, rows), prediction[rows], base))
            if progress is not None:
                progress(int(rows[-1]) + 1, n)
        one = {name: np.concatenate([block[name] for block in found]) for name in found[0]}
        values = np.zeros((n, len(self.names)))
        values[:, campaign.kept] = one["values"]
        labels = np.full(values.shape, -1, dtype=np.int64)
        labels[:, campaign.kept] = one["labels"]
        warnings = tuple(campaign.notes)
        if (one["ratio"] > 0.5).any():
            share = float((one["ratio"] > 0.5).mean())
            warnings += (
                f"the ratio is above .5 for {share:.0%} of the rows: do not trust the split of their predictions",
            )
        meta = Meta(
            method="dhondt",
            params={**asdict(how), "output": self.output.output, "target": self.output.target,
                    "background": campaign.sample.shape[0], "replacement": self.replacement,
                    "baseline_mode": self.baseline_mode},
            seed=self.random_state,
            data=tuple(fingerprint(native(t)) for t in (table, background)),
            rows=n,
            unit=self.output.output,
            additive=True,
            warnings=warnings,
            seconds=time.perf_counter() - started,
        )  # fmt: skip
        residual = {
            name: one[name] for name, there in campaign.residuals.items() if there or np.any(one[name] != 0)
        }
        return DhondtExplanation(
            Attributions(
                values, self.names, base=base, residual=residual, prediction=prediction, data=native(table), meta=meta
            ),
            labels,
            {name: one[name] for name in ("effects", "votes", "eligible", "for_votes", "against_votes", "for_seats",
                                          "against_seats")},
            {"ratio": one["ratio"], "correction": one["gap"], "pairs": one["pairs"],
             "sampling_gap": part - full, "background_rows": campaign.sample.shape[0],
             "model_rows": self.output.rows - asked, "allocation_seats": campaign.fine_seats, "notes": campaign.notes},
        )  # fmt: skip

    def _campaign(self, how: ElectionRules, background: Any, scale: float) -> Campaign:
        unknown = [name for name in how.exclude if name not in self.names]
        if isinstance(how.exclude, str) or unknown or len(set(how.exclude)) < len(how.exclude):
            raise ValueError(f"exclude must list columns of the background, each once; got {how.exclude!r}")
        out = tuple(self.names.index(name) for name in how.exclude)
        kept = np.setdiff1d(np.arange(len(self.names)), out)
        if not len(kept):
            raise ValueError("no column is left: all of them are excluded")
        named = (
            named_groups(how.groups, self.names, how.exclude) if how.alliances in ("user", "hybrid") else []
        )
        place = {int(j): i for i, j in enumerate(kept)}
        notes: list[str] = []
        m = min(self.n_background or self.budget.rows, background.shape[0])
        sets_left = None
        if how.max_model_rows is not None:
            if how.max_model_rows < len(kept):
                raise ValueError(
                    f"max_model_rows={how.max_model_rows} is less than one row for each of {len(kept)} columns"
                )
            if m * len(kept) > how.max_model_rows:
                m = how.max_model_rows // len(kept)
                notes.append(f"max_model_rows left {m} background rows")
            sets_left = how.max_model_rows // m - len(kept)
        rng = np.random.default_rng(self.random_state)
        chosen = rng.choice(background.shape[0], m, replace=False) if m < background.shape[0] else None
        return Campaign(
            self.output, background, background if chosen is None else taken(background, np.sort(chosen)), self.replacement,
            self.neighbors, how, self.budget, kept, out, [tuple(place[j] for j in group) for group in named], sets_left, rng,
            notes, scale,
        )  # fmt: skip


def _rows_of(X: Any, background: Any) -> Any:
    """X as a table; a single row becomes one of one row."""
    if hasattr(X, "to_frame") and getattr(X, "ndim", 0) == 1:  # a row of a pandas frame
        return table_of(X.to_frame().T.infer_objects())
    if isinstance(background, np.ndarray) and not hasattr(X, "columns") and np.ndim(X) == 1:
        return table_of(np.asarray(X)[None])
    return table_of(X)
