"""The picture of kept rows: all rows behind, the kept ones in front, and nothing unbounded."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from salience.instances import GraphAttentionSelector, plot_kept


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    X = rng.normal(size=(200, 4)) + 3.0 * y[:, None]
    return GraphAttentionSelector(rate=0.1, epochs=20, random_state=0).fit(X, np.array(["a", "b"])[y]), X


def drawn(ax):
    return [len(points.get_offsets()) for points in ax.collections]


def test_kept_rows_stand_in_front_of_all_others(fitted):
    selector, X = fitted
    ax = Figure().subplots()
    assert plot_kept(selector, X, ax=ax) is ax
    assert drawn(ax) == [90, 10, 90, 10]
    assert ax.get_title(loc="left") == "20 of 200 rows kept"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]


def test_wrong_labels_get_a_cross(fitted):
    selector, X = fitted
    wrong = np.zeros(200, dtype=bool)
    wrong[:7] = True
    ax = plot_kept(selector, X, Figure().subplots(), wrong=wrong)
    assert sum(drawn(ax)[-2:]) == 7


def test_only_so_many_others_are_drawn_and_it_says_so(fitted):
    selector, X = fitted
    ax = plot_kept(selector, pd.DataFrame(X), Figure().subplots(), most=50)
    assert sum(drawn(ax)) == 70
    assert "130 rows not drawn" in [text.get_text() for text in ax.texts]


def test_a_single_column_lies_on_a_line(fitted):
    selector, X = fitted
    ax = plot_kept(selector, X[:, :1], Figure().subplots())
    assert not np.concatenate([points.get_offsets() for points in ax.collections])[:, 1].any()


def test_another_table_is_refused(fitted):
    selector, X = fitted
    with pytest.raises(ValueError, match="X has 199 rows"):
        plot_kept(selector, X[1:])
