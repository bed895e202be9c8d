"""`mislabelled`: labels made wrong on purpose are found by what finds them, and not by what does not."""

from inspect import signature

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from salience.verify import mislabelled


def truth(X, given):
    return given != X


def blind(X, given):
    return np.random.default_rng(5).random(len(given))


def backwards(X, given):
    return given == X


Y = np.repeat(["a", "b", "c"], 100)


def test_who_knows_the_truth_passes_and_its_shuffle_fails():
    check, control = mislabelled(truth, Y, Y, share=0.2)
    assert (check.statistic, check.verdict) == (1.0, "holds")
    assert "of 60 labels made wrong, 60 are" in check.why
    assert control.is_control
    assert control.verdict == "fails"


@pytest.mark.parametrize("find", [blind, backwards])
def test_who_does_not_know_fails(find):
    assert mislabelled(find, Y, Y)[0].verdict == "fails"


def test_every_wrong_label_is_of_another_class_and_the_callers_stay_as_they_are():
    seen = {}

    def find(X, given):
        seen["changed"] = (given != X).sum()
        return np.zeros(len(given))

    before = Y.copy()
    check, _ = mislabelled(find, Y, Y, share=0.3)
    assert seen["changed"] == 90
    assert (before == Y).all()
    assert check.statistic == 0.5


def made_wrong(seed=0, share=0.5, y=Y):
    """Which labels were changed, and to what."""
    seen = []
    mislabelled(
        lambda X, given: seen.append(given) or np.zeros(len(given)), y, y, share=share, draws=2, seed=seed
    )
    return seen[0]


def test_a_wrong_label_is_any_of_the_other_classes_with_equal_chances():
    y = np.repeat(["a", "b", "c", "d"], 300)
    given = made_wrong(y=y)
    assert (given != y).sum() == 600
    for own in "abcd":
        others = {other: ((y == own) & (given == other)).sum() for other in "abcd" if other != own}
        share = np.array(list(others.values())) / sum(others.values())
        assert share == pytest.approx([1 / 3] * 3, abs=0.12)


def test_which_labels_are_made_wrong_goes_by_the_seed():
    assert (made_wrong(1) == made_wrong(1)).all()
    assert (made_wrong(1) != made_wrong(2)).any()


def partly(X, given):
    """Suspects half of the wrong labels, and a tenth of the others."""
    random = np.random.default_rng(3).random(len(given))
    return np.where(given != X, random < 0.5, random < 0.1).astype(float)


def test_the_statistic_is_the_area_with_the_quantiles_of_resampled_rows_around_it():
    seen = {}

    def find(X, given):
        seen["wrong"], seen["found"] = given != X, partly(X, given)
        return seen["found"]

    check, control = mislabelled(find, Y, Y, share=0.2, level=0.8, draws=300, threshold=0.6, seed=4)
    wrong, found = seen["wrong"], seen["found"]
    assert check.statistic == pytest.approx(roc_auc_score(wrong, found))
    rng, areas = np.random.default_rng(0), []
    for _ in range(300):
        rows = rng.integers(0, 300, 300)
        areas.append(roc_auc_score(wrong[rows], found[rows]))
    assert [check.lo, check.hi] == pytest.approx(np.quantile(areas, [0.1, 0.9]), abs=0.02)
    assert (check.threshold, check.reference) == (control.threshold, control.reference) == (0.6, 0.5)
    assert dict(check.settings) == {"share": 0.2, "level": 0.8, "seed": 4}
    assert control.lo < 0.5 < control.hi


def test_the_first_of_equal_suspects_are_counted_among_the_most_suspect():
    given = made_wrong(share=0.2)
    check, _ = mislabelled(lambda X, labels: np.zeros(len(labels)), Y, Y, share=0.2, draws=2)
    assert f"of 60 labels made wrong, {(given != Y)[:60].sum()} are among the 60 most suspect" in check.why


@pytest.mark.filterwarnings("error")
def test_of_few_wrong_labels_a_draw_may_have_none_and_is_left_out():
    y = np.arange(100) % 2
    check, _ = mislabelled(lambda X, given: given != X, y, y, share=0.05, draws=400)
    assert (check.lo, check.hi) == (1.0, 1.0)


def test_half_of_the_labels_and_five_of_them_are_allowed():
    assert mislabelled(truth, Y[::30], Y[::30], share=0.5, draws=10)[0].statistic == 1.0
    with pytest.raises(ValueError, match="makes 4 labels wrong"):
        mislabelled(truth, Y[::30], Y[::30], share=0.4)


def test_one_sample_has_no_interval():
    with pytest.raises(ValueError, match="at least 2"):
        mislabelled(truth, Y, Y, draws=1)


def test_settings_when_nothing_is_said():
    defaults = {name: each.default for name, each in signature(mislabelled).parameters.items()}
    assert {name: defaults[name] for name in ("share", "threshold", "level", "draws", "seed")} == {
        "share": 0.1, "threshold": 0.7, "level": 0.95, "draws": 500, "seed": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("y", "share", "message"),
    [
        (["a"] * 50, 0.1, "one class only"),
        (Y, 0.6, "up to 0.5"),
        (Y, -0.1, "up to 0.5"),
        (Y[::30], 0.1, "makes 1 labels wrong"),
    ],
)
def test_what_cannot_be_asked_is_said(y, share, message):
    with pytest.raises(ValueError, match=message):
        mislabelled(truth, y, y, share=share)


def test_a_suspicion_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"shape \(300,\); got \(2,\)"):
        mislabelled(lambda X, given: [1, 2], Y, Y)
    with pytest.raises(ValueError, match=r"shape \(300,\); got \(300, 1\)"):
        mislabelled(lambda X, given: np.zeros((300, 1)), Y, Y)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_suspicion_that_is_no_number_is_named(value):
    with pytest.raises(ValueError, match=f"find gives finite numbers; row 7 has {value}"):
        mislabelled(lambda X, given: np.where(np.arange(300) == 7, value, 0.0), Y, Y)
