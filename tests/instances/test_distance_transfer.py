"""NRR-DD, stage 3: two distances in place of soft labels, and the store that keeps them."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from salience.instances import DBRStore, ImageViews, train_student
from salience.instances.distillation.losses import distances, label_loss, soft_loss, transfer_loss
from salience.networks import small_convnet
from salience.results.checksums import leave_room_in_zip, seal

CLASSES = 4


pytestmark = pytest.mark.usefixtures("one_thread")


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def net(seed=0, widths=(6, 8)):
    return small_convnet(CLASSES, widths=widths, generator=seeded(seed))


# ---- distances and losses -------------------------------------------------------------------------------


@given(seed=st.integers(0, 999), classes=st.integers(2, 9))
def test_distances_are_entries_of_the_log_softmax(seed, classes):
    logits = torch.randn(6, classes, generator=seeded(seed))
    pairs = torch.randint(classes, (6, 2), generator=seeded(seed))
    found = distances(logits, pairs)
    for column in (0, 1):
        assert torch.equal(found[:, column], -logits.log_softmax(1)[torch.arange(6), pairs[:, column]])
        entropy = functional.cross_entropy(logits, pairs[:, column], reduction="none")
        assert torch.allclose(found[:, column], entropy, atol=1e-6)


def test_labels_alone_are_the_mixed_cross_entropy():
    logits, pairs = torch.randn(5, 3, generator=seeded()), torch.tensor([[0, 1]] * 5)
    share = torch.rand(5, generator=seeded(1))
    by_hand = share * functional.cross_entropy(logits, pairs[:, 0], reduction="none")
    by_hand = by_hand + (1 - share) * functional.cross_entropy(logits, pairs[:, 1], reduction="none")
    assert label_loss(logits, pairs, share).item() == pytest.approx(by_hand.mean().item(), rel=1e-6)


def test_a_student_that_is_the_teacher_is_asked_for_the_labels_only(images, labels):
    teacher = net().eval()
    store = DBRStore.build(teacher, images, labels, views=2, dtype="float32")
    for number in (0, 1):
        view = store.view(images, number)
        logits = teacher(view.x).detach().requires_grad_()
        assert store.loss(logits, number, sce_weight=0.0).item() == 0
        (transfer,) = torch.autograd.grad(store.loss(logits, number, sce_weight=1.0), logits)
        pairs = torch.stack([view.y_org, view.y_aug], 1)
        (by_labels,) = torch.autograd.grad(label_loss(logits, pairs, view.share), logits)
        assert torch.equal(transfer, by_labels)


def test_the_loss_is_the_formula(images, labels):
    store = DBRStore.build(net(), images, labels, views=1, dtype="float32")
    view, logits = store.view(images, 0), torch.randn(12, CLASSES, generator=seeded(5))
    org, aug = (functional.cross_entropy(logits, y, reduction="none") for y in (view.y_org, view.y_aug))
    wanted = store.answers(0)
    by_hand = 0.3 * (view.share * org + (1 - view.share) * aug)
    by_hand = by_hand + 2.0 * ((org - wanted[:, 0]).abs() + (aug - wanted[:, 1]).abs())
    assert store.loss(logits, 0, alpha=2.0, sce_weight=0.3).item() == pytest.approx(
        by_hand.mean().item(), rel=1e-5
    )
    pairs = torch.stack([view.y_org, view.y_aug], 1)
    assert transfer_loss(logits, pairs, view.share, wanted).item() == pytest.approx(
        store.loss(logits, 0).item()
    )


def test_soft_labels_are_a_divergence_at_a_temperature():
    one, two = (torch.randn(4, 3, generator=seeded(s)) for s in (0, 1))
    p, q = (two / 3).softmax(1), (one / 3).softmax(1)
    assert soft_loss(one, two, 3.0).item() == pytest.approx(
        (p * (p / q).log()).sum(1).mean().item(), rel=1e-5
    )
    assert soft_loss(one, one, 20.0).item() == pytest.approx(0, abs=1e-7)


# ---- the store ------------------------------------------------------------------------------------------


def test_it_keeps_two_numbers_per_view_and_image(images, labels):
    for dtype, size in (("float16", 2), ("float32", 4)):
        store = DBRStore.build(net(), images, labels, views=5, dtype=dtype)
        assert store.nbytes == 2 * size * 5 * 12
        assert store.distances.shape == (5, 12, 2)
        assert len(store) == 5


def test_what_it_keeps_is_what_the_teacher_says_of_the_view(images, labels):
    teacher = net().eval()
    store = DBRStore.build(teacher, images.numpy(), labels.numpy(), views=3, seed=7)
    view = store.view(images, 2)
    logp = teacher(view.x).log_softmax(1).detach()
    for column, y in enumerate((view.y_org, view.y_aug)):
        assert np.allclose(store.distances[2, :, column], -logp[torch.arange(12), y], rtol=2e-3, atol=1e-3)
    assert torch.equal(store.view(images, 5).x, view.x)  # numbers start again


def test_the_loss_of_a_view_goes_by_the_seed_and_numbers_start_again(images, labels):
    store = DBRStore.build(net(), images, labels, views=3, seed=7, dtype="float32")
    logits = torch.randn(12, CLASSES, generator=seeded(5))
    for number in (1, 4):
        view, wanted = store.view(images, number), torch.from_numpy(store.distances[1])
        assert torch.equal(store.answers(number), wanted)
        by_hand = transfer_loss(logits, torch.stack([view.y_org, view.y_aug], 1), view.share, wanted)
        assert store.loss(logits, number).item() == by_hand.item()


def test_a_teacher_without_weights_can_be_asked(images, labels):
    quarters = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten())
    assert DBRStore.build(quarters, images, labels, views=1).distances.shape == (1, 12, 2)


def test_half_floats_lose_a_two_thousandth(images, labels):
    half, full = (
        DBRStore.build(net(), images, labels, views=3, dtype=d).distances for d in ("float16", "float32")
    )
    assert np.abs(half - full).max() <= np.abs(full).max() / 2000


def test_it_is_saved_and_loaded(images, labels, tmp_path):
    views = ImageViews(factor=2, crop=(0.6, 1.0), shift=1)
    store = DBRStore.build(net(), images, labels, views=2, seed=3, augment=views)
    store.save(tmp_path / "teacher.dbr")
    back = DBRStore.load(tmp_path / "teacher.dbr")
    assert back.augment == views
    assert torch.equal(back.view(images, 1).x, store.view(images, 1).x)
    logits = torch.zeros(12, CLASSES)
    assert back.loss(logits, 1).item() == store.loss(logits, 1).item()
    back.check_data(images, labels)


def test_a_store_of_oblong_images_is_loaded_as_it_was(images, labels, tmp_path):
    oblong = images[:, :, :6]
    store = DBRStore.build(net(), oblong, labels, views=1)
    store.save(tmp_path / "teacher.dbr")
    back = DBRStore.load(tmp_path / "teacher.dbr")
    assert back.augment == store.augment == ImageViews()
    back.check_data(oblong, labels)
    assert back.loss(torch.eye(12)[:, :CLASSES], 0) == store.loss(torch.eye(12)[:, :CLASSES], 0)


def test_a_file_of_something_else_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", a=np.arange(3))
    np.save(tmp_path / "other.npy", np.arange(3))
    (tmp_path / "other.txt").write_text("distances")
    np.savez(tmp_path / "half.npz", distances=np.zeros((1, 1, 2)), made=np.array("{}"))
    for name in ("other.npz", "half.npz", "other.npy", "other.txt"):
        with pytest.raises(ValueError, match="no checksum of salience"):
            DBRStore.load(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        DBRStore.load(tmp_path / "nothing")


def test_a_damaged_store_is_refused(images, labels, tmp_path):
    path = tmp_path / "teacher.dbr"
    DBRStore.build(net(), images, labels, views=1).save(path)
    whole = path.read_bytes()
    for place in range(0, len(whole), max(1, len(whole) // 50)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(ValueError, match=r"teacher\.dbr .*; build the store again"):
            DBRStore.load(path)


def test_objects_in_a_file_are_not_made(tmp_path):
    made = '{"format": 1, "seed": 0, "size": [8, 8], "augment": {"crop": null}, "data": ""}'
    np.savez(tmp_path / "objects", distances=np.array([{}]), labels=np.arange(1), made=np.array(made))
    leave_room_in_zip(tmp_path / "objects.npz")
    seal(tmp_path / "objects.npz")
    with pytest.raises(ValueError, match="allow_pickle=False"):
        DBRStore.load(tmp_path / "objects.npz")


def test_the_teacher_is_left_as_it_was(images, labels):
    teacher = net().train()
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    told = []
    DBRStore.build(teacher, images, labels, views=2, progress=lambda *at: told.append(at))
    assert teacher.training
    assert told == [(1, 2), (2, 2)]
    assert all(torch.equal(before[name], value) for name, value in teacher.state_dict().items())


def test_other_images_are_refused(images, labels):
    store = DBRStore.build(net(), images, labels, views=1)
    with pytest.raises(ValueError, match="built for 12 images of 8 x 8"):
        store.view(images[:5], 0)
    with pytest.raises(ValueError, match=r"8 x 8 pixels, got \(12, 1, 6, 8\)"):
        store.view(images[:, :, :6], 0)
    with pytest.raises(ValueError, match=r"shape \(12, classes\)"):
        store.loss(torch.zeros(5, CLASSES), 0)
    with pytest.raises(ValueError, match=r"shape \(12, classes\)"):
        store.loss(torch.zeros(12), 0)
    with pytest.raises(ValueError, match=r"built for 12 images.*got \(5, 1, 8, 8\)"):
        train_student(net(), images[:5], labels[:5], "dbr", store=store)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"views": 0}, "views"),
        ({"views": 1.5}, "views"),
        ({"views": True}, "views"),
        ({"seed": -1}, "seed must be a whole number from 0 up"),
        ({"dtype": "int8"}, "dtype"),
    ],
)
def test_stores_out_of_range_are_refused(images, labels, how, said):
    with pytest.raises(ValueError, match=said):
        DBRStore.build(net(), images, labels, **how)
