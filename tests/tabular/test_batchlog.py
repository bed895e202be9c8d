import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salience.tabular.streaming.batchlog import BatchLog


def _log(records):
    log = BatchLog(("score", "mi"))
    for batch, items, values in records:
        log.add(batch, np.array(items), score=np.array(values), mi=np.array(values) + 1.0)
    return log


records = st.lists(
    st.lists(
        st.tuples(st.integers(0, 4), st.floats(-1, 1)), min_size=1, max_size=5, unique_by=lambda r: r[0]
    ),
    max_size=12,
)


@settings(deadline=None)
@given(records, st.randoms(use_true_random=False))
def test_any_order_and_split_of_the_batches_gives_the_same_bits(batches, random):
    rows = [(number, *map(list, zip(*batch, strict=True))) for number, batch in enumerate(batches)]
    whole = _log(rows)
    shuffled = random.sample(rows, len(rows))
    cut = random.randint(0, len(rows))
    parts = [_log(shuffled[:cut]), _log(shuffled[cut:])]
    parts[1].merge(parts[0])
    assert parts[1].to_arrow().equals(whole.to_arrow())
    for how in ("median", "mean"):
        one, two = whole.aggregate(5, how), parts[1].aggregate(5, how)
        for name, values in one.items():
            np.testing.assert_array_equal(values, two[name])


def test_median_quantiles_and_spread_are_those_of_numpy():
    rng = np.random.default_rng(0)
    values = {item: rng.normal(size=size) for item, size in enumerate([1, 2, 3, 8, 51])}
    log = BatchLog()
    for item, scores in values.items():
        for batch, score in enumerate(scores):
            log.add(batch, np.array([item]), score=np.array([score]))
    found = log.aggregate(6)
    for item, scores in values.items():
        assert found["score"][item] == pytest.approx(np.median(scores))
        assert found["q10"][item] == pytest.approx(np.quantile(scores, 0.1))
        assert found["q90"][item] == pytest.approx(np.quantile(scores, 0.9))
        if len(scores) > 1:
            assert found["sd"][item] == pytest.approx(np.std(scores, ddof=1))
    assert found["n_batches"].tolist() == [1, 2, 3, 8, 51, 0]
    assert np.isnan(found["score"][5])
    assert np.isnan(found["sd"][0])
    np.testing.assert_allclose(log.aggregate(6, "mean")["score"][3], values[3].mean())


def test_a_median_of_equal_scores_is_that_score_to_the_bit():
    log = BatchLog()
    for batch in range(4):
        log.add(batch, np.array([0]), score=np.array([0.1 + 0.2]))
    assert log.aggregate(1)["score"][0] == 0.1 + 0.2


def test_saving_and_loading_keeps_all_records():
    log = _log([(7, [0, 2], [0.5, 0.25]), (3, [1], [1.0])])
    back = BatchLog(("score", "mi"))
    back.load_arrow(log.to_arrow())
    assert back.to_arrow().equals(log.to_arrow())
    assert len(back) == len(log) == 3


def test_many_small_records_are_joined_on_the_way():
    log = BatchLog()
    for batch in range(9000):
        log.add(batch, np.array([0]), score=np.array([float(batch)]))
    assert len(log._pieces) + len(log._recent) < 4100
    assert log.aggregate(1)["score"][0] == 4499.5


def test_what_does_not_fit_is_refused():
    log = BatchLog(("score",))
    with pytest.raises(ValueError, match="keeps"):
        log.add(0, np.array([0]), mi=np.array([1.0]))
    with pytest.raises(ValueError, match="Cannot merge"):
        log.merge(BatchLog(("mi",)))
    with pytest.raises(ValueError, match="median, mean"):
        log.aggregate(1, "mode")
