import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salience.results.meta import Meta
from salience.results.scores import Scores
from salience.tabular.redundancy import AGGREGATES, rank_3mr

# the example of the card, worked by hand
R = {"a": 1.0, "b": 0.9, "c": 0.5, "d": 0.0}
D = {("a", "b"): 1.0, ("a", "c"): 0.1, ("a", "d"): 0.0, ("b", "c"): 0.1, ("b", "d"): 0.0, ("c", "d"): 0.0}
Q = {("a", "b"): 0.2, ("a", "c"): 0.5, ("a", "d"): 1.0, ("b", "c"): 0.4, ("b", "d"): 0.9, ("c", "d"): 0.3}


def _order(scores):
    return scores.frame["column"].to_list()


def _pairs(values):
    a, b = zip(*values, strict=True)
    frame = pl.DataFrame({"a": a, "b": b, "value": list(values.values())})
    return Scores(frame=frame, keys=("a", "b"), item="pair", better="high", meta=Meta(symmetric=True))


def test_the_example_worked_by_hand():
    ranked = rank_3mr(R, D, Q, scale=False)
    assert _order(ranked) == ["a", "d", "b", "c"]
    np.testing.assert_allclose(ranked.frame["value"].to_numpy(), [1.0, 1.0, 0.95, 0.80])
    third = ranked.frame.row(2, named=True)
    assert (third["relevance"], third["redundancy"], third["relation"]) == pytest.approx((0.9, 0.5, 0.55))
    assert ranked.frame["rank"].to_list() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("before", "candidate", "criterion"),
    [("a", "b", 0.10), ("a", "c", 0.90), ("a", "d", 1.00), ("ad", "b", 0.95), ("ad", "c", 0.85)],
)
def test_every_criterion_of_the_second_and_third_step_of_the_example(before, candidate, criterion):
    ranked = rank_3mr(R, D, Q, scale=False, start=[*before, candidate], k=len(before) + 1)
    assert ranked.frame["value"][-1] == pytest.approx(criterion)


def _naive(r, d, q, alpha, beta, agg):
    how = {"median": np.median, "mean": np.mean, "sum": np.sum}[agg]
    chosen = [int(np.argmax(r))]
    while len(chosen) < len(r):
        left = [f for f in range(len(r)) if f not in chosen]
        value = [r[f] - alpha * how(d[chosen, f]) + beta * how(q[chosen, f]) for f in left]
        chosen.append(left[int(np.argmax(value))])
    return chosen


@given(
    st.integers(1, 12),
    st.sampled_from(sorted(AGGREGATES)),
    st.floats(0, 3),
    st.floats(0, 3),
    st.integers(0, 99),
)
def test_it_equals_the_definition_for_every_aggregate(size, agg, alpha, beta, seed):
    rng = np.random.default_rng(seed)
    r, d, q = rng.random(size), rng.random((size, size)), rng.random((size, size))
    ranked = rank_3mr(r, d, q, alpha, beta, agg, scale=False)
    assert _order(ranked) == [f"x{i}" for i in _naive(r, d, q, alpha, beta, agg)]


@pytest.mark.parametrize("agg", sorted(AGGREGATES))
def test_stopping_at_k_and_continuing_from_there_is_the_whole_ranking(agg):
    rng = np.random.default_rng(0)
    r, d, q = rng.random(15), rng.random((15, 15)), rng.random((15, 15))
    whole = rank_3mr(r, d, q, agg=agg)
    head = rank_3mr(r, d, q, agg=agg, k=6)
    rest = rank_3mr(r, d, q, agg=agg, start=_order(head))
    assert _order(head) == _order(whole)[:6]
    assert rest.frame.equals(whole.frame)


def test_scores_mappings_and_matrices_are_the_same_input():
    names = list(R)
    matrix = {k: np.zeros((4, 4)) for k in "dq"}
    for (a, b), value in D.items():
        matrix["d"][names.index(a), names.index(b)] = matrix["d"][names.index(b), names.index(a)] = value
        matrix["q"][names.index(a), names.index(b)] = matrix["q"][names.index(b), names.index(a)] = Q[a, b]
    relevance = Scores(
        frame=pl.DataFrame({"column": names, "value": list(R.values())}),
        keys=("column",), item="column", better="high", meta=Meta(),
    )  # fmt: skip
    frames = [
        rank_3mr(R, D, Q).frame,
        rank_3mr(list(R.values()), matrix["d"], matrix["q"], names=names).frame,
        rank_3mr(relevance, _pairs(D), _pairs(Q)).frame,
    ]
    assert frames[0].equals(frames[1])
    assert frames[0].equals(frames[2])


def test_the_three_sets_are_scaled_each_on_its_own():
    small = {pair: value / 1000 for pair, value in D.items()}
    shifted = {pair: 5 + 3 * value for pair, value in Q.items()}
    one, two = rank_3mr(R, D, Q), rank_3mr(R, small, shifted)
    assert _order(one) == _order(two)
    np.testing.assert_allclose(one.frame["value"].to_numpy(), two.frame["value"].to_numpy())


def test_ties_go_to_the_column_that_comes_first():
    assert _order(rank_3mr(dict.fromkeys("zyxw", 1.0), {}, {})) == list("zyxw")


def test_a_missing_pair_counts_zero():
    ranked = rank_3mr({"a": 1.0, "b": 0.9, "c": 0.8}, {("a", "b"): 0.5}, {}, scale=False)
    assert _order(ranked) == ["a", "c", "b"]


def test_sets_that_are_all_zero_are_said_to_be_without_influence():
    # what the package's MI-numba-3mr hands over for every pair since its refactoring
    zeros = dict.fromkeys(D, 0.0)
    ranked = rank_3mr(R, zeros, zeros)
    assert _order(ranked) == ["a", "b", "c", "d"]
    assert any("redundancy" in warning for warning in ranked.meta.warnings)
    assert any("relation" in warning for warning in ranked.meta.warnings)
    assert np.isfinite(ranked.frame["value"].to_numpy()).all()


def test_a_name_that_holds_the_word_and_is_just_a_name():
    r = {"salt AND pepper": 1.0, "pepper": 0.4, "a AND_REL b": 0.3}
    ranked = rank_3mr(r, {("salt AND pepper", "pepper"): 1.0}, {}, scale=False)
    assert _order(ranked) == ["salt AND pepper", "a AND_REL b", "pepper"]


def test_a_column_without_a_relevance_counts_zero_and_is_named():
    ranked = rank_3mr({"a": 1.0, "b": np.nan}, {}, {})
    assert _order(ranked) == ["a", "b"]
    assert "b" in ranked.meta.warnings[0]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: rank_3mr(R, D, Q, agg="max"), "median, mean, sum"),
        (lambda: rank_3mr(R, np.zeros((3, 3)), Q), r"shape \(4, 4\)"),
        (lambda: rank_3mr(np.zeros((2, 2)), D, Q), r"shape \(d,\)"),
        (lambda: rank_3mr({}, {}, {}), "empty"),
        (lambda: rank_3mr({"a": np.inf}, {}, {}), "infinite"),
        (lambda: rank_3mr(R, {("a", "b"): np.inf}, {}), "infinite"),
        (lambda: rank_3mr(R, D, Q, start=["nobody"]), "nobody"),
        (lambda: rank_3mr(R, D, Q, k=0), "at least 1"),
        (lambda: rank_3mr(np.zeros(2), np.zeros((2, 2)), np.zeros((2, 2)), names=["a", "a"]), "distinct"),
        (lambda: rank_3mr(_pairs(D), D, Q), "ranking of columns"),
    ],
)
def test_bad_input_says_what_was_wrong(call, says):
    with pytest.raises(ValueError, match=says):
        call()
