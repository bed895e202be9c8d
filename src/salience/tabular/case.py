"""One row of a table and a model of the others: why this prediction, and what could change it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any

import numpy as np
import polars as pl
import polars.selectors as cs
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from salience.results.scores import Scores
from salience.tabular.dhondt.explainer import DhondtExplainer
from salience.tabular.dhondt.explanation import DhondtExplanation
from salience.tabular.responsiveness.responses import Reasons
from salience.tabular.responsiveness.scorer import ResponsivenessScorer
from salience.tabular.responsiveness.space import ActionSpace
from salience.tabular.selection import LEAST, without_rare
from salience.verify.bench import hold_columns
from salience.verify.checks.faithfulness import fidelity
from salience.verify.estimators import named_estimator
from salience.verify.filling import filled_columns, without
from salience.verify.nested import verify_scores
from salience.verify.sample import Sample
from salience.verify.verdict import Verdict, report

__all__ = ["Case", "suggested_actions"]

JUDGED = 40  # other rows that are explained when the explanations are judged
HELD = 0.25  # share of the rows that the model does not see


class Case:
    """A row, and a model fitted on other rows.

    Parameters
    ----------
    frame : polars frame
        The other rows, the label among their columns.
    label : str
    row : polars frame of one row
        What is explained, without the label.
    model : str or estimator, default="forest"
        As `named_estimator` has it.
    outcome : str, optional
        The class that is explained, and wanted; by default the last one in order.
    seed : int

    Attributes
    ----------
    fitted : estimator
        On three quarters of the rows.
    outcome : object or None
        The class; None for numbers.

    Raises
    ------
    ValueError
        If the class or the model is not known, or the row has other columns.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> frame = pl.DataFrame({"a": rng.normal(size=400), "b": rng.normal(size=400)}).with_columns(y=pl.col("a") > 0)
    >>> case = Case(frame, "y", pl.DataFrame({"a": [2.0], "b": [0.0]}), model="logistic")
    >>> case.scores(case.explained()).top(1).items
    ['a']
    """

    def __init__(
        self, frame: pl.DataFrame, label: str, row: pl.DataFrame, *, model: Any = "forest", outcome: str | None = None,
        seed: int = 0,
    ) -> None:  # fmt: skip
        names = [name for name in frame.columns if name != label]
        if row.columns != names or len(row) != 1:
            raise ValueError(f"one row of the columns {names} is explained; got {len(row)} of {row.columns}")
        plain = _plain_names(names, label)
        self._own = {new: name for name, new in plain.items()}
        sample = without_rare(Sample.of(frame.rename(plain), label))
        self.label, self.row, self.seed, self.task = label, row.rename(plain), seed, sample.task
        self.outcome = self._class(sample, outcome)
        name = "ridge" if model == "logistic" and sample.task == "numbers" else model
        if len(sample) < LEAST:
            raise ValueError(
                f"{len(sample)} other rows have a label: a model and its check need at least {LEAST}"
            )
        classes = sample.target if sample.task == "classes" else None
        train, held = train_test_split(
            np.arange(len(sample)), test_size=HELD, random_state=seed, stratify=classes
        )
        self._train, self._held = sample.take(train), sample.take(held)
        self.fitted = named_estimator(name, sample.task, seed).fit(self._train.X, self._train.target)

    def _class(self, sample: Sample, outcome: str | None) -> Any:
        if sample.task == "numbers":
            if outcome is not None:
                raise ValueError(f"{self.label!r} is a number and has no classes: leave out the outcome")
            return None
        classes = {str(value): value for value in np.unique(sample.target).tolist()}
        if outcome is not None and outcome not in classes:
            raise ValueError(f"{self.label!r} has no class {outcome!r}; it has {', '.join(classes)}")
        return classes[outcome] if outcome is not None else list(classes.values())[-1]

    def explained(self, seats: int = 100, rows: pl.DataFrame | None = None) -> DhondtExplanation:
        """The prediction for the row (or for others) as seats of its columns."""
        explainer = DhondtExplainer(self.fitted, self._train.X, target=self.outcome, random_state=self.seed)
        self.output = explainer.output
        return explainer.explain(self.row if rows is None else rows, seats=seats)

    def scores(self, found: DhondtExplanation) -> Scores:
        """What each column adds to the prediction; ``here`` is its value in the row, ``seats`` are those it has."""
        scores = found.attributions.row(0)
        parties = found.seats.filter(row=0)
        seats = {name: own for names, own in parties.select("members", "seats").rows() for name in names}
        here = ["missing" if self.row[name][0] is None else str(self.row[name][0]) for name in scores.items]
        columns = {
            "column": pl.Series([self._own[name] for name in scores.items]),
            "here": pl.Series(here),
            "seats": pl.Series([seats.get(name) for name in scores.items]),
        }
        return scores.replace(frame=scores.frame.with_columns(**columns))

    def sentence(self, found: DhondtExplanation) -> str:
        """The prediction, the usual one, and what makes the difference."""
        value = float(found.attributions.values.sum() + sum(r.sum() for r in found.residuals.values()))
        base, ratio = float(found.base_values[0]), float(found.diagnostics["ratio"][0])
        what = f"The {self.output.output} of {self.label}" + (
            "" if self.outcome is None else f" = {self.outcome}"
        )
        scores = self.scores(found)
        first = [str(name) for name in scores.top(3).items]
        trust = (
            "" if ratio <= 0.5 else f" The columns do not add up (ratio {ratio:.2f}): do not trust the split."
        )
        return f"{what} is {base + value:.3g}, usually {base:.3g}; above all {', '.join(first)} make the difference.{trust}"

    def reasons(self, actions: str | PathLike[str], at_least: float | None = None) -> Reasons:
        """Single changes of the row, within what an actionability file allows, that would reach the outcome.

        Parameters
        ----------
        actions : path
            TOML or JSON, as `ActionSpace.load` reads it; about number columns.
        at_least : float, optional
            The prediction that is wanted, where the label is a number.
        """
        if self.task == "classes" and at_least is not None:
            raise ValueError(
                f"{self.label!r} has classes: name the one that is wanted (outcome), not a number"
            )
        if self.task == "numbers" and at_least is None:
            raise ValueError(
                f"{self.label!r} is a number: say which prediction is wanted, --at-least (at_least=)"
            )
        # with the row itself, or what the data suggest might not let it stand where it stands
        known = _changeable(pl.concat([self._train.X, self.row], how="vertical_relaxed").rename(self._own))
        space = ActionSpace.load(actions, known)
        plain = {name: new for new, name in self._own.items()}
        for name in space.names:
            if self.row[plain[name]][0] is None:  # nobody can say from where it would be changed
                space[name].set(actionable=False)
        moved = [(j, plain[name]) for j, name in enumerate(space.names) if space[name].actionable]

        def predict(points: Any) -> NDArray[Any]:
            values = np.asarray(points, dtype=np.float64)
            said = self.row[np.zeros(len(values), dtype=np.int64)].with_columns(
                [pl.Series(name, values[:, j]) for j, name in moved]
            )
            answer: NDArray[Any] = np.asarray(self.fitted.predict(said))
            return answer if self.task == "numbers" else (answer == self.outcome).astype(np.int64)

        scorer = ResponsivenessScorer(space, target=1, threshold=at_least, random_state=self.seed)
        return scorer.explain(known[-1:].select(space.names), predict)

    def verdict(self, *, seed: int = 0, progress: Callable[[int, int], None] | None = None) -> Verdict:
        """Do explanations like this one, of rows the model has not seen, say what happens when columns are taken away?

        Half of the rows that the model has not seen are explained; whether the columns matter that they name is judged
        on the other half.
        """
        half = len(self._held) // 2
        told = self._held.take(np.arange(min(half, JUDGED)))
        rest = self._held.take(np.arange(half, len(self._held)))
        found = self.explained(rows=told.X)
        if progress is not None:
            progress(1, 2)
        filled = filled_columns(told, "typical", seed)

        def outputs(keep: NDArray[np.bool_]) -> NDArray[np.float64]:
            return np.array([self.output(without(told, filled, one).X) for one in keep])

        bench = hold_columns(self.fitted, rest.X, rest.target, seed=seed)
        checks = verify_scores(found.overall(), bench, seed=seed)
        if progress is not None:
            progress(2, 2)
        own = fidelity(found.attributions, outputs, seed=seed)
        rest_of = tuple(check for check in checks if check.name != own.name)
        return report([own, rest_of], explained=len(told), seed=seed)


def suggested_actions(frame: pl.DataFrame) -> ActionSpace:
    """What the data suggest about the number columns, to be corrected by somebody who knows.

    Examples
    --------
    >>> suggested_actions(pl.DataFrame({"age": [20, None], "town": ["u", "v"]})).names
    ('age',)
    """
    return ActionSpace.from_data(_changeable(frame))


def _changeable(frame: pl.DataFrame) -> pl.DataFrame:
    """The columns of numbers and of yes and no, gaps filled with a value that leaves their ranges as they are."""
    numbers = frame.select((cs.numeric() | cs.boolean()).cast(pl.Float64).fill_nan(None))
    numbers = numbers.select(one for one in numbers if one.null_count() < len(one))
    if not numbers.width:
        raise ValueError("there is no number column: only numbers can be changed by degrees")
    return numbers.fill_null(strategy="min")


def _plain_names(names: Sequence[str], label: str) -> dict[str, str]:
    """Names of columns less what means residuals (``__``) and alliances (`` + ``) in an explanation.

    Examples
    --------
    >>> _plain_names(["a", "a + b", "__a"], "y")
    {'a': 'a', 'a + b': 'a+b', '__a': 'a_'}
    """
    plain: dict[str, str] = {}
    for name in names:
        new = "+".join(name.split(" + "))
        new = (new.lstrip("_") or "column") if new.startswith("__") else new
        while new in {label, *plain.values(), *names} - {name}:
            new += "_"
        plain[name] = new
    return plain
