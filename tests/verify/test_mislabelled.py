"""`mislabelled`: labels made wrong on purpose are found by what finds them, and not by what does not."""

import numpy as np
import pytest

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


@pytest.mark.parametrize(
    ("y", "share", "message"),
    [
        (["a"] * 50, 0.1, "one class only"),
        (Y, 0.6, "up to 0.5"),
        (Y[::30], 0.1, "makes 1 labels wrong"),
    ],
)
def test_what_cannot_be_asked_is_said(y, share, message):
    with pytest.raises(ValueError, match=message):
        mislabelled(truth, y, y, share=share)


def test_a_suspicion_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"shape \(300,\); got \(2,\)"):
        mislabelled(lambda X, given: [1, 2], Y, Y)
