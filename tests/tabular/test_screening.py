"""Screening by information: the same scores from every table, honest nulls, and the flaws of the package absent."""

import tracemalloc

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from KDEpy import FFTKDE
from matplotlib.figure import Figure
from scipy.sparse import csr_matrix, random_array
from sklearn.ensemble import RandomForestRegressor
from sklearn.feature_selection import mutual_info_classif, mutual_info_regression
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mutual_info_score, roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from salience.tabular import MIScreener
from salience.tabular.screening.dependence import robust
from salience.tabular.screening.screener import CLUMP
from salience.verify import columns, retention, verify


@parametrize_with_checks(
    [
        MIScreener(),
        MIScreener(method="bin"),
        MIScreener(method="pearson", clump=True),
        MIScreener(method="knn", k=2),
        MIScreener(missing="pairwise", k=2),
    ]
)
def test_it_passes_scikit_learns_checks(estimator, check):
    check(estimator)


def squares(n=1000, p=60, planted=8, seed=0):
    """An outcome of the squares of the first columns: no correlation with any."""
    rng = np.random.default_rng(seed)
    X, planted = rng.normal(size=(n, p)), min(planted, p)
    signal = (X[:, :planted] ** 2) @ rng.uniform(0.5, 1.5, planted)
    return X, signal + rng.normal(size=n) * signal.std() / np.sqrt(3), np.arange(p) < planted


def auroc(screener, X, y, truth):
    return roc_auc_score(truth, screener.fit(X, y).scores_.values)


# ---- what it finds --------------------------------------------------------------------------------------


@pytest.mark.parametrize("binary", [False, True], ids=["continuous", "binary"])
def test_densities_find_what_correlation_and_neighbours_miss(binary):
    X, y, truth = squares(p=100, planted=20)
    y = (y > np.median(y)).astype(int) if binary else y
    by = {
        method: auroc(MIScreener(method=method), X, y, truth) for method in ("fft", "bin", "knn", "pearson")
    }
    assert by["fft"] > 0.9
    assert by["fft"] >= by["knn"] + 0.15
    assert by["fft"] >= by["pearson"] + 0.15
    assert by["bin"] > 0.75


def test_a_bandwidth_of_one_ranks_well_though_its_values_are_far_too_small():
    X, y, truth = squares()
    rough, fine = MIScreener(bandwidth=1.0), MIScreener()
    assert auroc(rough, X, y, truth) > 0.9
    assert auroc(fine, X, y, truth) > 0.9
    assert rough.scores_.values[:8].mean() < 0.3 * fine.scores_.values[:8].mean()


def test_it_gives_the_information_of_fasthdmi_at_its_settings():
    X, y, _ = squares(n=300, p=3, planted=2)
    found = MIScreener(bandwidth=1.0, grid=(300, 300), scaling="robust").fit(X, y).scores_.values
    for value, x in zip(found, X.T, strict=True):
        pair = np.vstack([robust(x), robust(y)]).T
        p = FFTKDE(kernel="epa", norm=2).fit(pair).evaluate((300, 300))[1].reshape(300, 300).clip(0)
        p = p / p.sum()
        there = p > 0
        expected = (p[there] * np.log((p / np.outer(p.sum(1), p.sum(0)))[there])).sum()
        assert value == pytest.approx(expected, abs=1e-10)


def test_neighbours_are_those_of_scikit_learn():
    X, y, _ = squares(n=200, p=5, planted=2)
    seed = np.random.RandomState(0).randint(2**31 - 1)
    found = MIScreener(method="knn").fit(X, y).scores_.values
    assert found == pytest.approx(
        mutual_info_regression(X, y, discrete_features=False, random_state=seed), abs=1e-12
    )
    g = (y > np.median(y)).astype(int)
    found = MIScreener(method="knn", n_neighbors=5).fit(X, g).scores_.values
    theirs = mutual_info_classif(X, g, discrete_features=False, n_neighbors=5, random_state=seed)
    assert found == pytest.approx(theirs, abs=1e-12)


def test_correlation_gives_the_information_of_a_gaussian_and_linfoots_measure_gives_it_back():
    X, y, _ = squares(p=5)
    y = y + X[:, 0]
    screener = MIScreener(method="pearson").fit(X, y)
    r = np.array([np.corrcoef(x, y)[0, 1] for x in X.T])
    assert screener.scores_.values == pytest.approx(-np.log(1 - r**2) / 2)
    assert screener.linfoot_ == pytest.approx(np.abs(r))


def test_correlation_with_classes_is_the_share_between_them():
    X, y, _ = squares(p=3)
    g = (y > np.median(y)).astype(int)
    r = np.array([np.corrcoef(x, g)[0, 1] for x in X.T])
    binary = MIScreener(method="pearson").fit(X, g).scores_.values
    assert binary == pytest.approx(-np.log(1 - r**2) / 2)
    three = MIScreener(method="pearson").fit(X, np.digitize(X[:, 0], [-0.5, 0.5])).scores_
    assert three.top(1).items == ["x0"]


def test_a_copy_of_the_outcome_has_a_finite_score():
    y = np.random.default_rng(0).normal(size=100)
    for method in ("fft", "bin", "knn", "pearson"):
        screener = MIScreener(method=method).fit(np.column_stack([y, -y]), y)
        assert np.isfinite(screener.scores_.values).all()
        assert (screener.linfoot_ < 1).all()


def test_a_genotype_is_scored_by_the_density_of_the_outcome_for_each_of_its_values():
    rng = np.random.default_rng(0)
    g = rng.integers(0, 3, size=(600, 4)).astype(float)
    y = rng.normal(size=600) * np.array([0.5, 1.0, 2.0])[g[:, 1].astype(int)]  # it changes the spread only
    scores = MIScreener().fit(g, y).scores_
    assert scores.top(1).items == ["x1"]
    assert scores.values[1] > 0.1
    assert scores.values[[0, 2, 3]].max() < 0.03
    as_numbers = MIScreener(discrete_features=False).fit(g, y).scores_
    assert not np.allclose(as_numbers.values, scores.values)


def test_two_discrete_sides_have_the_information_of_their_table():
    rng = np.random.default_rng(0)
    g = rng.integers(0, 3, size=(300, 2)).astype(float)
    y = np.where(rng.random(300) < 0.7, g[:, 0], 2)
    for method in ("fft", "bin", "knn"):
        found = MIScreener(method=method).fit(g, y).scores_.values
        assert found == pytest.approx([mutual_info_score(x, y) for x in g.T], abs=1e-9)


def test_text_classes_are_scored_as_their_codes():
    X, y, _ = squares(n=200, p=4)
    g = (y > np.median(y)).astype(int)
    named = MIScreener().fit(X, np.array(["low", "high"])[g])
    assert named.discrete_outcome_
    assert named.classes_.tolist() == ["high", "low"]
    assert named.scores_.values == pytest.approx(MIScreener().fit(X, 1 - g).scores_.values)


@pytest.mark.parametrize(
    ("y", "discrete"),
    [
        (np.arange(100) % 2, True),
        (np.arange(100) % 10, True),
        (np.arange(100.0) % 4, True),
        (np.arange(100), False),
        (np.arange(100) % 4 / 3, False),
        (np.arange(100) % 2 == 0, True),
    ],
)
def test_the_kind_of_an_outcome_is_told_from_its_values(y, discrete):
    X = np.random.default_rng(0).normal(size=(100, 2))
    assert MIScreener(method="pearson").fit(X, y).discrete_outcome_ is discrete


@pytest.mark.parametrize("scaling", ["winsor", "rank"])
def test_heavy_tails_hide_a_column_unless_they_are_pulled_in(scaling):
    rng = np.random.default_rng(0)
    X = rng.standard_t(1, size=(800, 10))
    y = np.abs(X[:, 0]) ** 0.5 + 0.3 * rng.normal(size=800)
    plain, pulled = (MIScreener(scaling=name).fit(X, y).scores_ for name in ("standard", scaling))
    assert pulled.top(1).items == ["x0"]
    rest = {name: np.sort(scores.values[1:])[-1] for name, scores in (("plain", plain), ("pulled", pulled))}
    assert pulled.values[0] - rest["pulled"] > plain.values[0] - rest["plain"]


@settings(max_examples=10, deadline=None)
@given(power=st.sampled_from([1.0, 3.0, 5.0]), seed=st.integers(0, 50))
def test_by_ranks_no_monotone_transformation_matters(power, seed):
    X, y, _ = squares(n=100, p=2, planted=1, seed=seed)
    plain = MIScreener(scaling="rank").fit(X, y).scores_.values
    bent = MIScreener(scaling="rank").fit(np.sign(X) * np.abs(X) ** power, np.exp(y / 10)).scores_.values
    assert bent == pytest.approx(plain, abs=1e-9)


# ---- chance ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["fft", "bin", "pearson"])
def test_a_permuted_outcome_leaves_no_column(method):
    X, y, _ = squares(n=300)
    kept = []
    for seed in range(5):
        permuted = np.random.default_rng(seed).permutation(y)
        screener = MIScreener(k=None, method=method, null_permutations=39, random_state=seed).fit(X, permuted)
        kept.append(screener.get_support().sum())
        assert screener.pvalues_.mean() == pytest.approx(0.5, abs=0.15)
    assert sum(map(bool, kept)) <= 1  # 5 % in each run


def test_columns_beyond_the_null_are_the_planted_ones():
    X, y, truth = squares(n=1500, p=30, planted=4)
    screener = MIScreener(k=None, null_permutations=39).fit(X, y)
    assert screener.get_support().tolist() == truth.tolist()
    frame = screener.scores_.frame
    assert (frame["p"].to_numpy()[truth] == 1 / 40).all()
    assert (frame["q"].to_numpy() >= frame["p"].to_numpy()).all()
    assert screener.scores_.select(beats_null=True).items == screener.scores_.top(4).items
    assert (frame["null"].to_numpy() > 0).all()  # the bias of the estimate


def test_a_p_value_counts_the_permutations_that_do_as_well():
    X, y, _ = squares(n=100, p=3, planted=1)
    screener = MIScreener(method="pearson", null_permutations=19, random_state=5).fit(X, y)
    random = np.random.RandomState(5)
    random.randint(2**31 - 1)  # the seed of the neighbours' jitter
    null = [MIScreener(method="pearson").fit(X, y[random.permutation(100)]).scores_.values for _ in range(19)]
    reached = (np.array(null) >= screener.scores_.values).sum(axis=0)
    assert screener.pvalues_ == pytest.approx((1 + reached) / 20)
    best = np.max(null, axis=1)
    assert screener.scores_.frame["q"].to_list() == pytest.approx(
        [(1 + (best >= value).sum()) / 20 for value in screener.scores_.values]
    )


def test_the_picture_names_what_is_beyond_the_null():
    X, y, _ = squares(n=1000, p=20, planted=3)
    screener = MIScreener(null_permutations=19).fit(X, y)
    ax = screener.plot(Figure().subplots())
    assert {text.get_text() for text in ax.texts} == {"x0", "x1", "x2"}
    with pytest.raises(ValueError, match="null_permutations"):
        MIScreener().fit(X, y).plot()


def test_verify_judges_it_on_rows_it_has_not_seen():
    X, y, truth = squares(n=600, p=12, planted=3)
    screener = MIScreener(k=3).fit(X[:300], y[:300])
    forest = RandomForestRegressor(30, random_state=0, min_samples_leaf=5)
    bench = columns(forest, X[300:], y[300:])
    assert retention(screener.scores_, bench, fractions=(0.25,), random=5).verdict in ("holds", "undecided")
    with pytest.raises(ValueError, match="made from the data"):
        verify(screener.scores_, columns(forest, X[:300], y[:300]))
    assert screener.get_support().tolist() == truth.tolist()


# ---- clumping -------------------------------------------------------------------------------------------


def test_clumping_keeps_the_best_of_alike_columns_wherever_it_stands():
    rng = np.random.default_rng(0)
    best = rng.normal(size=500)
    y = best + 0.3 * rng.normal(size=500)
    other = rng.normal(size=500)
    X = np.column_stack([best + 0.5 * rng.normal(size=500), other, best, best + 0.4 * rng.normal(size=500)])
    y = y + 0.5 * other
    assert MIScreener(k=2).fit(X, y).get_support().tolist() == [False, False, True, True]
    clumped = MIScreener(k=2, clump=True).fit(X, y)
    # from left to right, as the package goes, column 0 would drop the best one
    assert clumped.get_support().tolist() == [False, True, True, False]
    assert MIScreener(k=4, clump=True).fit(X, y).get_support().sum() == 2
    assert MIScreener(k=4, clump=10.0).fit(X, y).get_support().sum() == 4


def test_the_clumping_threshold_is_the_information_at_a_correlation_of_six_tenths():
    assert pytest.approx(0.2231, abs=1e-4) == CLUMP


# ---- tables ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "table",
    [
        lambda X: pd.DataFrame(X, columns=["a", "b", "c"]),
        lambda X: pl.DataFrame(X, schema=["a", "b", "c"]),
        csr_matrix,
        np.asfortranarray,
        lambda X: X.astype(np.float32).astype(object),
    ],
    ids=["pandas", "polars", "sparse", "fortran", "objects"],
)
def test_every_kind_of_table_gives_the_same_scores(table):
    X = np.round(squares(n=200, p=3)[0] * 8) / 8
    y = X[:, 1] ** 2
    expected = MIScreener().fit(X, y).scores_
    found = MIScreener().fit(table(X), y).scores_
    assert np.array_equal(found.values, expected.values)
    if len(found.items[0]) == 1:
        assert found.items == ["a", "b", "c"]


def test_a_memory_map_and_a_sparse_matrix_are_read_a_block_at_a_time(tmp_path):
    shape = (200, 10_000)
    mapped = np.memmap(tmp_path / "wide.bin", np.float32, "w+", shape=shape)
    mapped[:] = np.random.default_rng(0).normal(size=shape)
    mapped[:, 17] = y = np.linspace(0, 1, 200)
    sparse = random_array(shape, density=0.01, format="csc", rng=np.random.default_rng(0))
    for table in (mapped, sparse):
        tracemalloc.start()
        screener = MIScreener(k=1, method="pearson", discrete_features=False).fit(table, y)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 0.75 * shape[0] * shape[1] * 8
        if table is mapped:
            assert screener.scores_.top(1).items == ["x17"]


def test_an_interrupted_fit_leaves_the_last_one_as_it_was(monkeypatch):
    X, y, _ = squares(n=100, p=4)
    screener = MIScreener(k=2, clump=True).fit(X, y)
    scores, kept = screener.scores_, screener.get_support()

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(screener, "_clumped", interrupted)
    with pytest.raises(KeyboardInterrupt):
        screener.fit(X[:, ::-1], y)
    assert screener.scores_ is scores
    assert np.array_equal(screener.get_support(), kept)


def test_the_number_of_threads_changes_no_bit():
    X, y, _ = squares(n=150, p=150)
    one, two = (MIScreener(n_jobs=jobs, null_permutations=3).fit(X, y).scores_ for jobs in (1, 2))
    assert one.frame.equals(two.frame)


def test_progress_counts_blocks_of_columns():
    X, y, _ = squares(n=50, p=150)
    seen = []
    MIScreener(method="pearson", n_jobs=1, progress=lambda done, of: seen.append((done, of))).fit(X, y)
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_it_selects_in_a_pipeline_inside_a_grid_search():
    X, y, _ = squares(n=300)
    y = y + 3 * X[:, 0]
    X = pd.DataFrame(X).add_prefix("c")
    search = GridSearchCV(
        make_pipeline(MIScreener(), LinearRegression()), {"miscreener__method": ["fft", "pearson"]}, cv=3
    ).fit(X, y)
    kept = search.best_estimator_[0].set_output(transform="pandas").transform(X)
    assert "c0" in kept.columns


# ---- bad data -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("binary", [False, True], ids=["continuous", "binary"])
@pytest.mark.parametrize("method", ["fft", "bin", "knn", "pearson"])
def test_pairs_of_known_rows_are_scored_as_if_the_others_were_not_there(method, binary):
    X, y, _ = squares(n=120, p=3)
    y = np.where(y > np.median(y), 1.0, 0.0) if binary else y.copy()
    X[5:25, 1] = np.nan
    y[[0, 1]] = np.nan
    found = MIScreener(method=method, missing="pairwise").fit(X, y).scores_
    for column in range(3):
        rows = ~(np.isnan(X[:, column]) | np.isnan(y))
        alone = MIScreener(method=method).fit(X[rows][:, [column]], y[rows]).scores_
        assert found.values[column] == pytest.approx(alone.values[0], abs=1e-6 if method != "knn" else 0.05)
        assert found.frame["n"][column] == rows.sum()


@pytest.mark.parametrize("method", ["fft", "bin", "knn", "pearson"])
def test_columns_with_missing_values_are_clumped_on_the_rows_they_share(method):
    X, y, _ = squares(n=400, p=4, planted=2)
    genotype = (X[:, 3] > 1).astype(float)
    X = np.column_stack([X[:, :2], X[:, 0], X[:, 1], genotype])
    X[::5, 0] = np.nan
    X[1::7, 4] = np.nan
    screener = MIScreener(k=5, method=method, missing="pairwise", clump=True).fit(X, y)
    assert screener.get_support()[[0, 2]].sum() == 1
    assert screener.get_support()[[1, 3]].sum() == 1


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("method", ["fft", "bin", "pearson"])
def test_numbers_near_the_limits_have_the_information_of_ordinary_ones(method, binary):
    X, y, _ = squares(n=200, p=3, planted=1)
    y = (y > np.median(y)).astype(int) if binary else y
    ordinary = MIScreener(method=method).fit(X, y).scores_.values
    for power in (-1000, 1000):
        outcome = y if binary else np.ldexp(y, power)
        found = MIScreener(method=method).fit(np.ldexp(X, power), outcome).scores_.values
        assert found == pytest.approx(ordinary, abs=1e-9)


def test_missing_rows_have_a_permutation_null_of_their_own():
    X, y, _ = squares(n=400, p=4, planted=1)
    X[::3, 0] = np.nan
    screener = MIScreener(k=None, missing="pairwise", null_permutations=39).fit(X, y)
    assert screener.get_support().tolist() == [True, False, False, False]


def test_a_column_that_is_known_for_one_class_only_says_so():
    X, y, _ = squares(n=60, p=2)
    g = (y > np.median(y)).astype(int)
    X[g == 0, 1] = np.nan
    scores = MIScreener(missing="pairwise").fit(X, g).scores_
    assert scores.values[1] == 0
    assert scores.frame["flag"].to_list() == [None, "too_few"]
    assert "one outcome in them" in scores.meta.warnings[0]


def test_constant_and_unknown_columns_score_0_and_say_so():
    X, y, _ = squares(n=50, p=4)
    X[:, 1] = 3.3
    X[:, 2] = np.nan
    X[:2, 2] = [1.0, 2.0]
    for method in ("fft", "bin", "knn", "pearson"):
        screener = MIScreener(method=method, missing="pairwise", null_permutations=3).fit(X, y)
        assert screener.scores_.values[[1, 2]].tolist() == [0.0, 0.0]
        assert screener.scores_.frame["flag"].to_list() == [None, "constant", "too_few", None]
        assert screener.pvalues_[[1, 2]].tolist() == [1.0, 1.0]
        assert any("constant" in text for text in screener.scores_.meta.warnings)


@pytest.mark.parametrize(
    ("params", "change", "message"),
    [
        ({}, {"y": np.zeros(60)}, "1 value"),
        ({}, {"y": np.r_[np.zeros(58), 1, 1]}, "needs at least 3"),
        ({"outcome": "continuous"}, {"y": np.array(["a", "b"] * 30)}, "needs numbers"),
        ({}, {"X": np.full((60, 2), np.nan)}, "NaN"),
        ({}, {"X": np.full((60, 2), np.inf)}, "infinity"),
        ({"missing": "pairwise"}, {"X": np.full((60, 2), np.inf)}, "infinity"),
        ({}, {"X": np.array([["a", "b"]] * 60)}, "numeric values|could not convert"),
        ({}, {"X": np.zeros((59, 2))}, "inconsistent"),
        ({}, {"X": np.zeros((2, 2)), "y": np.arange(2)}, "minimum of 3"),
        ({"k": None}, {}, "null_permutations=99"),
        ({"k": 0}, {}, "'k' parameter"),
        ({"method": "chi2"}, {}, "'method' parameter"),
        ({"bandwidth": -1.0}, {}, "'bandwidth' parameter"),
        ({"grid": (8, 128)}, {}, "16 or more"),
        ({"discrete_features": [True]}, {}, "2 booleans"),
    ],
)
def test_what_cannot_be_scored_is_refused_with_what_is_allowed(params, change, message):
    rng = np.random.default_rng(0)
    data = {"X": rng.normal(size=(60, 2)), "y": rng.normal(size=60)} | change
    with pytest.raises(ValueError, match=message):
        MIScreener(**params).fit(data["X"], data["y"])
