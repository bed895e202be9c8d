"""NRR-DD, stage 3: students taught by labels, by two distances, or by all probabilities."""

from inspect import signature

import pytest
import torch
from torch import nn

from salience.instances import DBRStore, ImageViews, train_student
from salience.instances.distillation.losses import label_loss, soft_loss
from salience.networks import small_convnet

CLASSES = 4


pytestmark = pytest.mark.usefixtures("one_thread")


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def net(seed=0, widths=(6, 8)):
    return small_convnet(CLASSES, widths=widths, generator=seeded(seed))


def corners(n=40, seed=0):
    """The class is the quarter that is bright."""
    y = torch.arange(n) % CLASSES
    x = 0.4 * torch.rand(n, 1, 8, 8, generator=seeded(seed))
    for image, label in zip(x, y.tolist(), strict=True):
        top, left = 4 * (label // 2), 4 * (label % 2)
        image[0, top : top + 4, left : left + 4] += 0.5
    return x, y


class Flat(nn.Sequential):
    """A linear model: it sees where things are."""

    def __init__(self, seed=0):
        super().__init__(nn.Flatten(), nn.Linear(64, CLASSES))
        nn.init.normal_(self[1].weight, std=0.01, generator=seeded(seed))


@pytest.mark.parametrize("mode", ["onehot", "dbr", "soft"])
def test_a_student_learns_in_every_mode(mode):
    x, y = corners()
    views = ImageViews(flip=False, shift=1)
    teacher = train_student(Flat(), x, y, "onehot", augment=views, epochs=40, lr=0.02)
    student = train_student(Flat(1), x, y, mode, teacher=teacher, augment=views, tau=1.0, epochs=40, lr=0.02)
    test, truth = corners(seed=9)
    assert not student.training
    assert (student(test).argmax(1) == truth).float().mean() > 0.9


@pytest.mark.parametrize(("mix", "tau"), [("cutmix", 20.0), ("mixup", 4.0), (None, 20.0)])
def test_soft_labels_have_the_temperature_that_goes_with_the_mixing(images, labels, mix, tau):
    how = {"teacher": net(2), "augment": ImageViews(mix=mix), "epochs": 2}
    said, same, other = (
        train_student(net(1), images, labels, "soft", tau=t, **how)(images) for t in (None, tau, 1.0)
    )
    assert torch.equal(said, same)
    assert not torch.equal(said, other)


def taught_by_hand(student, images, labels, mode, teacher, views, tau):
    """Three epochs of the formulas, all images in one batch, a view for each epoch."""
    store = DBRStore.build(teacher, images, labels, views=3, seed=5, augment=views)
    adam = torch.optim.AdamW(student.parameters(), 0.02, weight_decay=0.5)
    student.train()
    for number in range(3):
        view = views.make(images, labels, seed=5, number=number)
        logits = student(view.x)
        adam.zero_grad()
        losses = {
            "onehot": label_loss(logits, torch.stack([view.y_org, view.y_aug], 1), view.share),
            "dbr": store.loss(logits, number, alpha=0.7, sce_weight=0.3),
            "soft": soft_loss(logits, teacher.eval()(view.x).detach(), tau),
        }
        losses[mode].backward()
        adam.step()
    return student.eval()


@pytest.mark.parametrize("mode", ["onehot", "dbr", "soft"])
def test_training_is_the_loss_of_the_mode_on_a_new_view_in_each_epoch(images, labels, mode):
    teacher, views = net(2).train(), ImageViews(shift=1)
    student = train_student(
        net(1), images, labels, mode, teacher=teacher, augment=views, tau=3.0, alpha_dbr=0.7, sce_weight=0.3,
        epochs=3, lr=0.02, weight_decay=0.5, random_state=5,
    )  # fmt: skip
    assert teacher.training
    assert all(weight.grad is None for weight in teacher.parameters())
    by_hand = taught_by_hand(net(1), images, labels, mode, teacher, views, 3.0)
    assert torch.allclose(student(images), by_hand(images), atol=2e-4)


def test_a_store_brings_its_views_along(images, labels):
    views = ImageViews(shift=2, mix=None)
    store = DBRStore.build(net(2), images, labels, views=2, seed=0, augment=views)
    for mode in ("dbr", "onehot"):
        own, said = (
            train_student(net(1), images, labels, mode, store=store, augment=how, epochs=2)(images)
            for how in (None, views)
        )
        assert torch.equal(own, said)


def test_by_labels_alone_a_store_of_other_images_and_views_is_no_matter(images, labels):
    store = DBRStore.build(net(2), images.flip(0), labels, views=2)
    how = {"augment": ImageViews(shift=1), "epochs": 2}
    one, two = (
        train_student(net(1), images, labels, "onehot", store=s, **how)(images) for s in (None, store)
    )
    assert torch.equal(one, two)


def test_the_order_of_the_images_goes_by_the_seed(images, labels):
    store = DBRStore.build(net(2), images, labels, views=2)
    how = {"store": store, "epochs": 2, "batch_size": 4}
    one, same, other = (
        train_student(net(1), images, labels, random_state=s, **how)(images) for s in (0, 0, 1)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_settings_are_those_of_the_card_when_nothing_is_said():
    defaults = {
        name: parameter.default
        for function in (DBRStore.build, train_student)
        for name, parameter in signature(function).parameters.items()
    }
    expected = {
        "views": 100, "seed": 0, "dtype": "float16", "mode": "dbr", "alpha_dbr": 1.0, "sce_weight": 0.1, "tau": None,
        "epochs": 300, "batch_size": 50, "lr": 1e-3, "weight_decay": 0.01, "random_state": 0,
    }  # fmt: skip
    assert {name: defaults[name] for name in expected} == expected
    of_loss = signature(DBRStore.loss).parameters
    assert (of_loss["alpha"].default, of_loss["sce_weight"].default) == (1.0, 0.1)


def test_distances_of_wrong_answers_teach_wrong_answers():
    x, y = corners()
    views = ImageViews(flip=False, mix=None)
    wrong = train_student(Flat(), x, (y + 1) % CLASSES, "onehot", augment=views, epochs=40, lr=0.02)
    student = train_student(
        Flat(1), x, y, "dbr", teacher=wrong, augment=views, sce_weight=0.0, epochs=40, lr=0.02
    )
    assert (student(x).argmax(1) == y).float().mean() < 0.2


def test_the_teacher_is_not_asked_during_training_by_distances(images, labels):
    teacher, calls = net(), []
    teacher.register_forward_hook(lambda *_: calls.append(1))
    store = DBRStore.build(teacher, images, labels, views=3)
    before = len(calls)
    train_student(net(1), images, labels, "dbr", teacher=teacher, store=store, epochs=4, batch_size=4)
    assert len(calls) == before
    train_student(net(1), images, labels, "soft", teacher=teacher, epochs=4, batch_size=4)
    assert len(calls) == before + 4 * 3


def test_all_modes_see_the_same_views_in_the_same_order(images, labels):
    seen = []
    for mode in ("onehot", "dbr", "soft"):
        student, inputs = net(1), []
        student.register_forward_hook(
            lambda module, given, out, inputs=inputs: inputs.append(given[0]) if module.training else None
        )
        train_student(student, images, labels, mode, teacher=net(), epochs=3, batch_size=5, random_state=4)
        seen.append(torch.cat(inputs))
    assert torch.equal(seen[0], seen[1])
    assert torch.equal(seen[0], seen[2])


def test_a_seed_repeats_to_the_bit(images, labels):
    runs = [
        train_student(net(1), images, labels, "onehot", epochs=3, random_state=seed)(images)
        for seed in (0, 0, 1)
    ]
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


def test_ctrl_c_goes_through(images, labels):
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_student(net(1), images, labels, "onehot", epochs=3, progress=stop)


def test_progress_counts_epochs(images, labels):
    told = []
    train_student(net(1), images, labels, "onehot", epochs=2, progress=lambda *at: told.append(at))
    assert told == [(1, 2), (2, 2)]


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"mode": "hard"}, "'dbr', 'soft', 'onehot'"),
        ({"mode": "soft"}, "give teacher="),
        ({"mode": "dbr"}, "needs a store="),
        ({"mode": "onehot", "tau": 0.0}, "tau"),
        ({"mode": "onehot", "epochs": 0}, "epochs"),
        ({"mode": "onehot", "batch_size": 0}, "batch_size"),
        ({"mode": "onehot", "random_state": None}, "random_state must be a whole number"),
    ],
)
def test_a_mode_without_what_it_needs_is_refused(images, labels, how, said):
    with pytest.raises(ValueError, match=said):
        train_student(net(), images, labels, **how)


def test_a_store_of_other_images_labels_or_views_is_refused(images, labels):
    store = DBRStore.build(net(), images, labels, views=1)
    with pytest.raises(ValueError, match="images are not those"):
        train_student(net(), images[[4, *range(1, 4), 0, *range(5, 12)]], labels, "dbr", store=store)
    with pytest.raises(ValueError, match="labels are not those"):
        train_student(net(), images, labels.flip(0), "dbr", store=store)
    with pytest.raises(ValueError, match="not that of the store"):
        train_student(net(), images, labels, "dbr", store=store, augment=ImageViews(shift=1))


def test_a_class_without_an_output_is_refused(images, labels):
    with pytest.raises(ValueError, match="a class 4, and the net has outputs 0 to 3"):
        train_student(net(), images, labels + 1, "onehot")
    with pytest.raises(ValueError, match="a class 4, and the teacher"):
        DBRStore.build(net(), images, labels + 1)
