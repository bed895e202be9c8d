"""The trial of distilled images: splits, baselines, intervals, and verdicts that must not hold."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from salience.instances.distillation.trial import (
    KINDS,
    Teaching,
    checks_of,
    chosen_again,
    right,
    students_of,
    tried,
    work,
)
from salience.verify import report
from salience.verify.fingerprints import fingerprint

pytestmark = pytest.mark.usefixtures("one_thread")

QUICK = Teaching(epochs=8, students=2, student_epochs=6)


@pytest.fixture(scope="module")
def digits():
    """180 real digits 0, 1 and 2, 0 twice as often."""
    found = load_digits()
    rows = np.concatenate([np.flatnonzero(found.target == d)[:n] for d, n in ((0, 90), (1, 45), (2, 45))])
    images = torch.from_numpy(found.images[rows, None].astype(np.float32) / 16)
    return images, torch.from_numpy(found.target[rows].astype(np.int64))


@pytest.fixture(scope="module")
def trial(digits):
    return tried(*digits, QUICK, seed=0, ipc=4, steps=10)


def test_a_third_of_each_class_is_held_out(trial, digits):
    _, labels = digits
    assert len(np.intersect1d(trial.train, trial.test)) == 0
    assert np.bincount(labels[trial.test]).tolist() == [27, 14, 13]
    assert trial.chance == 27 / 54
    np.testing.assert_array_equal(np.union1d(trial.train, trial.test), np.arange(180))


def test_the_two_networks_are_of_other_widths_and_know_the_classes(trial):
    assert trial.teacher[0].out_channels != trial.second[0].out_channels
    assert min(trial.known, trial.second_known) > 0.9
    assert trial.known == right(trial.teacher, trial.images[trial.test], trial.labels[trial.test]).mean()


def test_crops_are_of_training_images_only(trial):
    made = trial.distiller
    assert made.n_images_in_ == len(trial.train)
    assert made.crop_scale == (0.5, 1.0)  # of eight pixels a twelfth of the area would leave two
    assert made.scores_.meta.data == (fingerprint(trial.images[trial.train].flatten(1).numpy()),)


def test_every_student_of_every_kind_is_judged_on_the_same_images(trial):
    steps = []
    knows = students_of(trial, QUICK, lambda done, total: steps.append((done, total)))
    assert set(knows) == {(kind, mode) for kind in KINDS for mode in QUICK.modes}
    assert {known.shape for known in knows.values()} == {(2, 54)}
    assert steps == [(done, 18) for done in range(1, 19)]


def test_students_repeat_by_the_seed_and_differ_among_themselves(trial):
    by_labels = Teaching(epochs=8, students=2, student_epochs=6, modes=("onehot",))
    one, two = students_of(trial, by_labels), students_of(trial, by_labels)
    for key in one:
        np.testing.assert_array_equal(one[key], two[key])
    assert any((known[0] != known[1]).any() for known in one.values())


def test_students_learn_from_as_many_images_of_each_class_and_from_no_test_image(trial, monkeypatch):
    given = []

    def lesson(net, x, y, mode, **settings):
        given.append((x, y, settings["random_state"]))
        return net

    monkeypatch.setattr("salience.instances.distillation.trial.train_student", lesson)
    students_of(trial, QUICK)
    training = {image.numpy().tobytes() for image in trial.images[trial.train]}
    assert [y.tolist() for _, y, _ in given] == [[0] * 4 + [1] * 4 + [2] * 4] * 18
    real = given[::9][0][0], given[::9][1][0]
    for drawn in real:
        assert {image.numpy().tobytes() for image in drawn} <= training
        assert len({image.numpy().tobytes() for image in drawn}) == 12
    assert not torch.equal(*real)  # each student has its own
    assert len({seed for _, _, seed in given}) == 2
    assert torch.equal(given[3][0], trial.distiller.originals_)
    assert torch.equal(given[6][0], trial.distiller.images_)


def test_progress_ends_where_it_said(digits):
    steps = []
    tried(*digits, QUICK, seed=1, ipc=2, steps=5, tell=lambda done, total: steps.append((done, total)))
    assert steps[-1] == (24, 24)  # 8 epochs twice, 3 classes, 5 steps
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)


def test_another_seed_makes_another_trial_and_the_same_one_the_same(digits, trial):
    same, other = (tried(*digits, QUICK, seed=seed, ipc=4, steps=10) for seed in (0, 3))
    assert torch.equal(same.distiller.images_, trial.distiller.images_)
    assert same.known == trial.known
    assert not np.array_equal(other.test, trial.test)


def test_rows_chosen_again_are_all_of_them_where_nothing_is_drawn(digits):
    whole = tried(*digits, QUICK, seed=0, ipc=4, steps=0, crop_scale=(1.0, 1.0))
    before = whole.distiller.images_.clone()
    assert chosen_again(whole) == 12
    assert torch.equal(whole.distiller.images_, before)
    drawn = tried(*digits, QUICK, seed=0, ipc=4, steps=0, confidence="random")
    assert chosen_again(drawn) < 12


def known(shares, students=3, n=200, seed=0):
    """Answers of students that know a share of the test images, by kind and for one mode."""
    rng = np.random.default_rng(seed)
    draws = rng.random((students, n))
    return {(kind, "onehot"): draws < share for kind, share in zip(KINDS, shares, strict=True)}


@pytest.mark.parametrize(
    ("shares", "verdict"),
    [((0.5, 0.5, 0.7), "holds"), ((0.5, 0.9, 0.5), "fails"), ((0.7, 0.7, 0.5), "fails"), ((0.5, 0.9, 0.515), "undecided")],
)  # fmt: skip
def test_only_more_than_random_real_images_is_worth_anything(trial, shares, verdict):
    check = checks_of(trial, known(shares))[0]
    assert (check.name, check.verdict) == ("beyond random images", verdict)
    assert check.lo <= check.statistic <= check.hi
    assert check.statistic == pytest.approx(shares[2] - shares[0], abs=0.03)


def test_students_that_disagree_leave_it_undecided_however_many_images_there_are(trial):
    answers = known((0.5, 0.5, 0.5), n=5000)
    rng = np.random.default_rng(1)
    answers[KINDS[-1], "onehot"] = rng.random((3, 5000)) < np.array([[0.4], [0.6], [0.7]])
    check = checks_of(trial, answers)[0]
    assert check.verdict == "undecided"
    assert check.lo < -0.05
    assert check.hi > 0.15


def test_one_student_decides_nothing(trial):
    assert checks_of(trial, known((0.1, 0.1, 0.9), students=1))[0].verdict == "undecided"


def test_the_mean_is_over_all_ways_of_teaching(trial):
    answers = known((0.2, 0.2, 0.8)) | {
        (kind, "soft"): values for (kind, _), values in known((0.8, 0.8, 0.2)).items()
    }
    check = checks_of(trial, answers)[0]
    assert check.statistic == pytest.approx(0, abs=0.03)
    assert "onehot 0.78 against 0.19" in check.why
    assert "soft 0.19 against 0.78" in check.why


class OfOne(nn.Module):
    """A network that is right about its first image class alone, or about none that was rewritten."""

    def __init__(self, originals, labels):
        super().__init__()
        self.originals, self.labels = originals, labels

    def forward(self, x):
        seen = (x[:, None] == self.originals[None]).flatten(2).all(2)  # (n, originals)
        wrong = torch.zeros(len(x), 3)
        wrong[:, 0] = 0.5
        return wrong + seen.float() @ nn.functional.one_hot(self.labels, 3).float()


def test_a_refinement_that_speaks_to_the_teacher_alone_fails_by_the_second_network(trial):
    from dataclasses import replace

    made = trial.distiller
    blind = replace(trial, second=OfOne(made.originals_, made.labels_))
    found = checks_of(blind, known((0.5, 0.5, 0.7)))[1]
    assert (found.name, found.verdict) == ("second network", "fails")
    assert found.statistic > 0.5
    assert checks_of(trial, known((0.5, 0.5, 0.7)))[1].verdict in ("holds", "undecided")
    assert report(checks_of(blind, known((0.5, 0.5, 0.7)))).overall == "fails"


def test_images_that_were_distilled_from_are_no_test(trial):
    from dataclasses import replace

    leaked = replace(trial, test=trial.train)
    with pytest.raises(ValueError, match="made from the data it is to be judged on"):
        checks_of(leaked, known((0.5, 0.5, 0.7)))


def test_copies_of_one_image_per_class_are_worth_less_than_random_ones(trial):
    """The card's control: what students learn from is measured, not how many images there are."""
    from copy import copy
    from dataclasses import replace

    made = copy(trial.distiller)
    first = torch.arange(3).repeat_interleave(4) * 4
    made.images_ = made.originals_ = trial.distiller.originals_[first]
    lessons = Teaching(epochs=8, students=3, student_epochs=40, modes=("onehot",))
    answers = students_of(replace(trial, distiller=made), lessons)
    assert checks_of(replace(trial, distiller=made), answers)[0].verdict != "holds"
    assert answers[KINDS[-1], "onehot"].mean() < answers[KINDS[0], "onehot"].mean() - 0.1


def test_an_interrupt_is_one(digits, monkeypatch):
    from salience.networks import training

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "_epoch", stop)
    with pytest.raises(KeyboardInterrupt):
        tried(*digits, QUICK, seed=0)


def test_work_grows_with_pixels_images_and_students(digits):
    images, _ = digits
    least = work(images, 3, 10, QUICK)
    assert work(images.repeat(1, 1, 2, 2), 3, 10, QUICK) == pytest.approx(4 * least)
    assert least < work(images, 3, 20, QUICK) < 2 * least
    assert work(images.repeat(2, 1, 1, 1), 3, 10, QUICK) > least
