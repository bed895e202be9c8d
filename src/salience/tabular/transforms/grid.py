"""A grid of transformations to search over, as JSON for a later model search."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from salience.tabular.transforms.statistics import Statistics

__all__ = ["RESOLUTIONS", "WEIGHTS", "transformation_grid", "transformation_json"]

RESOLUTIONS = (0.1, 2, 4, 8, 16, 32, 64, 128)
WEIGHTS = (0, 0.5, 1.5, 2, 3, 10)
_SINGLE = ("BinnerSqrt", "BinnerLog", "BinnerSqrtPlain", "BinnerLogPlain")
_RATIO = ("BinnerLogRatioPlain", "BinnerLogRatio")


def transformation_grid(
    fitted: Mapping[str, Statistics], columns: Sequence[str] = (), thresholds: int = 15
) -> list[dict[str, Any]]:
    """Candidates for a search: a weight for every column, binned roots and logarithms, and binned ratios of
    numbers.

    Parameters
    ----------
    fitted : mapping of str to Statistics
        Of the number columns. A constant one gets a weight only.
    columns : sequence of str
        Further columns, of any kind, that get a weight.
    thresholds : int, default 15
        From the minimum in equal steps towards the maximum.

    Returns
    -------
    list of dict
        ``feature``, ``src_features``, ``transformations``, and ``weights`` or ``n`` (thresholds) and
        ``resolutions``. All pairs of numbers give ratios in both directions: d numbers give d (d - 1) of
        them.

    Examples
    --------
    >>> fitted = {"age": Statistics.from_values([0.0, 30.0]), "pay": Statistics.from_values([1.0, 9.0])}
    >>> grid = transformation_grid(fitted, columns=["sex"])
    >>> [(g["feature"], len(g.get("n", g.get("weights")))) for g in grid]
    [('age', 6), ('pay', 6), ('sex', 6), ('age', 15), ('pay', 15), ('ageRatiopay', 6), ('payRatioage', 6)]
    """
    if thresholds < 1:
        raise ValueError(f"thresholds must be at least 1, got {thresholds}")
    named = dict.fromkeys([*fitted, *columns])
    grid: list[dict[str, Any]] = [
        {"feature": c, "src_features": [c], "transformations": ["Weight"], "weights": list(WEIGHTS)}
        for c in named
    ]
    varied = {c: s for c, s in fitted.items() if s.count and s.minimum < s.maximum}
    for c, s in varied.items():
        steps = np.linspace(s.minimum, s.maximum, thresholds, endpoint=False)
        grid.append(_binner(c, [c], _SINGLE, steps))
    for (a, s), (b, t) in combinations(varied.items(), 2):
        middle = s.quantile(0.5) + t.quantile(0.5)
        ends = (0.0, s.minimum + t.minimum, middle / 10, middle / 5, middle, min(s.maximum, t.maximum))
        steps = np.unique([x for x in ends if x >= 0])
        grid += [_binner(f"{x}Ratio{y}", [x, y], _RATIO, steps) for x, y in ((a, b), (b, a))]
    return grid


def transformation_json(
    fitted: Mapping[str, Statistics], columns: Sequence[str] = (), thresholds: int = 15, epochs: int = 512
) -> str:
    """The grid as the JSON object that a random search over transformations reads."""
    grid = transformation_grid(fitted, columns, thresholds)
    return json.dumps({"random_grid_feature_transform": grid, "random_grid_epochs": epochs}, allow_nan=False)


def _binner(feature: str, sources: list[str], kinds: Sequence[str], steps: np.ndarray) -> dict[str, Any]:
    # two decimals are fine for counts, but would merge all thresholds of a column of probabilities
    digits = 2 if steps[-1] - steps[0] >= 1 else 6
    return {
        "feature": feature,
        "src_features": sources,
        "transformations": list(kinds),
        "n": np.unique(np.round(steps, digits)).tolist(),
        "resolutions": list(RESOLUTIONS),
    }
