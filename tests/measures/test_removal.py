"""Effects of removing columns: exact for what can be written down, the same for every kind of table."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from salience.measures.sensitivity import removal_effects, removed_means

RNG = np.random.default_rng(0)
Z, X, W = RNG.normal(size=(40, 4)), RNG.normal(size=(6, 4)), np.array([1.0, -2.0, 0.5, 3.0])


def linear(table):
    return np.asarray(table, dtype=float) @ W


def test_the_effect_in_a_linear_score_is_the_weight_times_the_distance_from_the_mean():
    effects = removal_effects(linear, X, Z, [[0], [1], [2], [3]])
    assert effects == pytest.approx(W * (X - Z.mean(axis=0)), abs=1e-13)


def test_columns_are_replaced_jointly_from_one_row():
    product = removed_means(lambda T: T[:, 0] * T[:, 1], X, Z, [[0, 1]])
    assert product == pytest.approx(np.full((6, 1), (Z[:, 0] * Z[:, 1]).mean()))


def test_batches_do_not_change_the_answer_and_stay_small():
    largest = []

    def watched(table):
        largest.append(len(table))
        return linear(table)

    sets = [[0], [1, 2], [3], [0, 3]]
    whole = removed_means(linear, X, Z, sets)
    assert removed_means(watched, X, Z, sets, cells=4 * 90) == pytest.approx(whole, abs=1e-13)
    assert max(largest) <= 90
    # a batch holds one row with all its replacements at least
    assert removed_means(linear, X, Z, sets, cells=1) == pytest.approx(whole, abs=1e-13)


def test_batches_of_arrays_are_written_to_one_place():
    places = set()

    def watched(table):
        places.add(table.__array_interface__["data"][0])
        return linear(table)

    removed_means(watched, X, Z, [[0], [1, 2], [3]], cells=4 * 90)
    assert len(places) == 1


def test_equal_replacements_are_sent_once():
    seen = []
    binary = np.array([[0.0, 1.0], [1.0, 1.0], [1.0, 2.0], [0.0, 3.0]])

    def watched(table):
        seen.append(len(table))
        return table @ [1.0, 1.0]

    means = removed_means(watched, np.array([[5.0, 5.0]]), binary, [[0], [1]])
    assert means.tolist() == [[5.5, 6.75]]
    assert sum(seen) == 2 + 3


def test_only_what_is_wanted_is_measured():
    where = np.array([[True, False]] * 5 + [[False, False]])
    means = removed_means(linear, X, Z, [[0], [1]], where=where)
    assert np.isnan(means).tolist() == (~where).tolist()


def test_many_outputs_are_kept_apart():
    both = removed_means(lambda T: np.column_stack([linear(T), -linear(T)]), X, Z, [[0], [1]])
    assert both.shape == (6, 2, 2)
    assert both[..., 0] == pytest.approx(-both[..., 1])


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
@pytest.mark.parametrize("replacement", ["joint", "conditional_knn"])
def test_frames_with_text_keep_their_types(make, replacement):
    background = make({"a": [1, 2, 3, 4], "c": ["u", "v", "u", "w"]})
    rows = make({"c": ["v", "u"], "a": [2.2, 1.2]})  # another order, and numbers of another type

    def score(table):
        assert list(table.columns) == ["a", "c"]
        return np.asarray(table["a"], dtype=float) + 10 * (np.asarray(table["c"]).astype(str) == "u")

    effects = removal_effects(score, rows, background, [[1]],
                              replacement=replacement, neighbors=1)  # fmt: skip
    # nearest by the column that stays: the row of 2, which has v; the row of 1, which has u
    assert effects.ravel() == pytest.approx([-5.0, 5.0] if replacement == "joint" else [0.0, 0.0])


def test_the_nearest_rows_are_those_by_the_other_columns():
    pool = np.array([[0.0, 0.0], [0.0, 1.0], [9.0, 10.0], [9.0, 11.0]])
    means = removed_means(
        lambda T: T[:, 0], [[5.0, 10.4]], pool, [[0]], replacement="conditional_knn", neighbors=2
    )
    assert means.tolist() == [[9.0]]


def test_more_neighbours_than_rows_are_all_rows_and_all_count_equally():
    means = removed_means(lambda T: T[:, 0], X, Z, [[0]], replacement="conditional_knn", neighbors=99)
    assert means == pytest.approx(np.full((6, 1), Z[:, 0].mean()))


def test_a_sampler_of_the_user_draws_the_rows():
    def ones(row, names, background, m):
        assert row.shape == (1, 4)
        assert names == ("x1",)
        return np.ones((m, 4))

    assert removed_means(linear, X, Z, [[1]], replacement=ones)[:, 0] == pytest.approx(
        linear(np.column_stack([X[:, 0], np.ones(6), X[:, 2:]]))
    )
    with pytest.raises(ValueError, match="must return 40 rows, it returned 3"):
        removed_means(linear, X, Z, [[1]], replacement=lambda *given: np.ones((3, 4)))


def test_a_number_that_is_missing_is_a_value_like_others():
    pool = np.array([[np.nan, 1.0], [0.0, 2.0], [0.1, 3.0]])
    near = removed_means(
        lambda T: T[:, 1], [[np.nan, 7.0]], pool, [[1]], replacement="conditional_knn", neighbors=1
    )
    assert near.tolist() == [[1.0]]


def test_progress_counts_to_the_end():
    told = []
    removed_means(
        linear, X, Z, [[0], [1]], cells=400, progress=lambda done, total: told.append((done, total))
    )
    assert told[-1] == (12, 12)
    assert told == sorted(told)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sets": [[]]}, "positions, 0 to 3"),
        ({"sets": [[4]]}, "positions, 0 to 3"),
        ({"X": X[:0]}, "at least one row"),
        ({"X": X[0]}, r"must have the shape \(rows, columns\)"),
        ({"X": X[:, :3]}, "3 columns, the background 4"),
        ({"background": pd.DataFrame(Z)}, "both be arrays or both be frames"),
        ({"score": lambda T: np.zeros(1)}, "must have the shape"),
        ({"score": lambda T: np.full(len(T), np.nan)}, "NaN or infinite"),
        ({"replacement": "none such"}, "'joint', 'conditional_knn'"),
        ({"neighbors": 0}, "at least 1"),
        ({"where": np.ones((2, 2))}, "where must have the shape"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would(arguments, message):
    given = {"score": linear, "X": X, "background": Z, "sets": [[0], [1]], **arguments}
    with pytest.raises((TypeError, ValueError), match=message):
        removed_means(given.pop("score"), given.pop("X"), given.pop("background"), given.pop("sets"), **given)


def test_frames_that_do_not_fit_are_refused_by_the_name_of_the_column():
    background = pd.DataFrame({"a": [1.0], "c": pd.Categorical(["u"])})
    with pytest.raises(ValueError, match="'z', which is no category"):
        removal_effects(len, pd.DataFrame({"a": [1.0], "c": pd.Categorical(["z"])}), background, [[0]])
    with pytest.raises(ValueError, match="background has no column 'b'"):
        removal_effects(len, pd.DataFrame({"a": [1.0], "b": [1]}), background, [[0]])
    with pytest.raises(ValueError, match="X has no column 'c'"):
        removal_effects(len, pd.DataFrame({"a": [1.0]}), background, [[0]])


def test_whole_numbers_that_are_equally_near_are_equally_near():
    pool = np.array([[2.0, 0.0], [3.0, 1.0], [7.0, 2.0]])
    near = removed_means(
        lambda T: T[:, 1], [[2.5, 9.0]], pool, [[1]], replacement="conditional_knn", neighbors=1
    )
    assert near.tolist() == [[0.0]]  # the earlier one


def test_a_frame_of_numbers_reaches_the_model_as_that_frame():
    names = ["a", "b", "c", "d"]
    rows, background = pd.DataFrame(X, columns=names), pd.DataFrame(Z, columns=names)

    def score(table):
        assert isinstance(table, pd.DataFrame)
        assert list(table.columns) == names
        assert set(table.dtypes) == {np.dtype(float)}
        return linear(table)

    expected = removed_means(linear, X, Z, [[0], [1, 3]])
    assert removed_means(score, rows, background, [[0], [1, 3]]) == pytest.approx(expected, abs=1e-13)
    whole = removed_means(lambda T: T["a"] * 1.0, rows.astype(int), background.astype(int), [[0]])
    assert whole == pytest.approx(np.full((6, 1), background["a"].astype(int).mean()))
