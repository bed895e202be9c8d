"""The bench of single rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

from salience.results.attributions import Attributions
from salience.verify import fidelity, instances, verify
from salience.verify.fingerprints import fingerprint


def test_values_are_mean_scores_over_the_background_with_the_others_replaced():
    rng = np.random.default_rng(0)
    X, background = rng.normal(size=(4, 3)), rng.normal(size=(10, 3))
    bench = instances(lambda Z: Z[:, 0] * Z[:, 1] + Z[:, 2], X, background)
    keep = np.array([[True, False, True], [True, True, True], [False, False, False]])
    expected = []
    for mask in keep:
        mixed = np.where(mask, X[:, None, :], background[None])  # (rows, background, columns)
        expected.append((mixed[..., 0] * mixed[..., 1] + mixed[..., 2]).mean(axis=1))
    np.testing.assert_allclose(bench.values(keep), expected)
    assert bench.items == ("x0", "x1", "x2")
    assert bench.how == "hold"
    assert bench.data == {fingerprint(X)}


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame])
def test_frames_stay_frames_and_text_is_no_obstacle(kind):
    X, background = kind({"n": [1.0, 2.0], "t": ["u", "v"]}), kind({"n": [5.0, 7.0], "t": ["u", "u"]})

    def score(frame):
        assert isinstance(frame, kind)
        return np.asarray(frame["n"]) + 10.0 * (np.asarray(frame["t"]) == "v")

    bench = instances(score, X, background)
    np.testing.assert_allclose(
        bench.values([[True, True], [True, False], [False, True]]), [[1, 12], [1, 2], [6, 16]]
    )


def test_exact_attributions_of_an_additive_model_pass_and_wrong_ones_fail():
    rng = np.random.default_rng(0)
    X, background, weights = rng.normal(size=(30, 5)), rng.normal(size=(40, 5)), np.arange(1.0, 6.0)
    bench = instances(lambda Z: Z @ weights, X, background)
    exact = (X - background.mean(axis=0)) * weights
    assert fidelity(Attributions(exact, bench.items), bench).statistic == pytest.approx(1.0)
    assert fidelity(Attributions(-exact, bench.items), bench).verdict == "fails"
    noise = Attributions(rng.normal(size=exact.shape), bench.items)
    assert fidelity(noise, bench).verdict == "fails"


def test_several_outputs_at_once_are_refused():
    with pytest.raises(ValueError, match="one"):
        instances(lambda Z: Z, np.zeros((2, 2)), np.ones((2, 2))).values([[True, True]])


def test_a_ranking_made_from_the_same_rows_is_refused():
    X = np.random.default_rng(0).normal(size=(20, 3))
    bench = instances(lambda Z: Z.sum(axis=1), X, X + 1)
    from salience.results.meta import Meta
    from salience.results.scores import Scores

    with pytest.raises(ValueError, match="judged on"):
        verify(Scores.from_values([1.0, 2.0, 3.0], meta=Meta(data=(fingerprint(X),))), bench)
