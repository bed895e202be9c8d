"""NRR-DD, stage 1, with a teacher whose maps and confidence are known: which crops are drawn, and which are taken."""

import numpy as np
import pytest
import torch
from channel_teacher import CLASSES, by_channel, searched, stripes
from torch import nn

from salience.instances.distillation.discovery import _padded, true_confidence

pytestmark = pytest.mark.usefixtures("one_thread")


# ---- which are taken ------------------------------------------------------------------------------------


@pytest.fixture
def planted():
    """Of class 0: the dullest is narrow, row 1 is wide and dull, row 3 wide and of the other class to the teacher."""
    zero = stripes([7, 6, 5, 7, 2], [0.9, 0.4, 0.9, 0.9, 0.1], 0)
    zero[3] = stripes([7], [0.9], 1)[0]
    one = stripes([7, 6], [0.5, 0.9], 1)
    return torch.cat([zero, one]), torch.tensor([0] * 5 + [1] * 2)


@pytest.mark.parametrize(("confidence", "taken"), [("low", [1, 5]), ("high", [0, 6])])
def test_of_the_widest_maps_that_are_right_the_least_sure_is_taken(planted, confidence, taken):
    found = searched(*planted, confidence=confidence)
    assert found.source_index_[:, 0].tolist() == taken
    known = ~found.scores_.frame["value"].is_null().to_numpy()
    assert known.tolist() == [True, True, False, False, False, True, True]  # twice as many as wanted
    assert found.scores_.frame["correct"].to_list() == [True] * 3 + [False] + [True] * 3


def test_a_pixel_of_exactly_half_the_strongest_counts(planted):
    x, y = planted
    x[0, 0, 4:] = 0.45  # of 0.9; the last column is 0 above and below it
    x[1, 0, 4:] = 0.19  # of 0.4
    ratio = searched(x, y).scores_.frame["cam_ratio"]
    assert ratio[0] == (4 * 7 + 4 * 8) / 64
    assert ratio[1] == 4 * 6 / 64


def test_a_class_with_just_enough_images_is_enough(planted):
    x, y = planted
    rows = [0, 1, 5, 6]
    assert searched(x[rows], y[rows], ipc=2).get_support().all()
    with pytest.raises(
        ValueError, match=r"3 crops that the teacher classifies correctly.*0 \(2 of 2 images\), 1 \(2 of 2"
    ):
        searched(x[rows], y[rows], ipc=3)
    with pytest.raises(ValueError, match="3 crops are needed"):
        searched(x[rows], y[rows], ipc=3, correct_only=False)


def many(n=60):
    y = torch.arange(n) % 2
    bright = torch.linspace(0.2, 0.9, n)
    return torch.cat([stripes([4], [b], int(c)) for b, c in zip(bright, y, strict=True)]), y


def test_random_takes_the_smallest_of_draws_that_know_nothing_of_confidence():
    x, y = many()
    one, two, other = (searched(x, y, ipc=10, confidence="random", random_state=seed) for seed in (1, 1, 2))
    assert np.array_equal(one.source_index_, two.source_index_)
    assert not np.array_equal(one.source_index_, other.source_index_)
    frame = one.scores_.frame.drop_nulls("value")
    assert len(frame) == 40
    assert frame.filter(frame["kept"] & (frame["class"] == 0))["value"].max() < 0.9
    assert abs(np.corrcoef(frame["value"], frame["confidence"])[0, 1]) < 0.5
    assert one.scores_.meta.unit == "draw"
    assert searched(x, y).scores_.meta.unit == "probability"


def test_images_of_a_class_beyond_the_number_looked_at_are_left_out_by_chance():
    looked = searched(*many(), mipc=5).scores_.frame["confidence"].is_not_null().arg_true()
    assert len(looked) == 10
    assert looked.max() > 20


def test_confidence_is_that_of_the_own_class_however_sure_the_teacher_is_of_another():
    teacher, x = by_channel(), stripes([8, 8, 8], [0.25, 0.5, 1.0], 0)
    sure, right = true_confidence(teacher.eval(), x, torch.tensor([0, 1, 1]), 2)
    expected = [1 / (1 + np.exp(-1)), 1 / (1 + np.exp(2)), 1 / (1 + np.exp(4))]
    assert sure.numpy() == pytest.approx(expected, rel=1e-5)
    assert right.tolist() == [True, False, False]


def test_confidence_before_and_after_are_of_the_originals_and_of_the_images():
    x, y = many()
    teacher = by_channel()
    found = searched(0.1 + 0.8 * x, y, teacher, ipc=3, steps=5)
    assert (found.confidence_after_ > found.confidence_before_).all()
    for images, said in (
        (found.originals_, found.confidence_before_),
        (found.images_, found.confidence_after_),
    ):
        own = teacher(images).softmax(1)[torch.arange(6), found.labels_]
        assert said == pytest.approx(own.detach().numpy(), rel=1e-5)


# ---- which are drawn ------------------------------------------------------------------------------------


def places(n=200, side=16):
    """Each pixel says where it is: across, nothing, down; the fourth channel says of which image."""
    at = (torch.arange(side) + 0.5) / side
    x = torch.zeros(n, 4, side, side)
    x[:, 0], x[:, 2] = at, at[:, None]
    x[:, 3] = (torch.arange(n) / n)[:, None, None]
    return x, torch.zeros(n, dtype=torch.long)


def one_class(channels):
    net = by_channel(channels)
    net[4] = nn.Linear(CLASSES, 1)
    with torch.no_grad():
        net[4].weight.copy_(torch.tensor([[1.0, 0.0]]))
    return net


def test_crops_lie_anywhere_and_have_areas_between_the_two_shares():
    x, y = places()
    found = searched(x, y, one_class(4), ipc=200, crops=1, crop_scale=(0.1, 0.4), batch_size=64)
    across, down = found.originals_[:, 0], found.originals_[:, 2]
    width = 16 * across[:, 0].diff(dim=1).median(1).values
    height = 16 * down[:, :, 0].diff(dim=1).median(1).values
    area = width * height
    assert torch.allclose(width, height, atol=1e-4)
    assert 0.1 - 1e-4 <= area.min() < 0.12
    assert 0.38 < area.max() <= 0.4 + 1e-4
    assert area.mean() == pytest.approx(0.25, abs=0.02)  # uniform in the area, not in the side
    free = [(place.mean((1, 2)) - width / 2) / (1 - width) for place in (across, down)]
    for part in free:
        assert part.min() < 0.05
        assert part.max() > 0.95
        assert part.mean() == pytest.approx(0.5, abs=0.06)
    assert abs(np.corrcoef(free[0], free[1])[0, 1]) < 0.2


def test_a_crop_is_of_the_image_that_is_named():
    x, y = places()
    found = searched(x, y, one_class(4), ipc=50, crops=4, crop_scale=(0.1, 0.4))
    assert torch.allclose(
        found.originals_[:, 3].mean((1, 2)), torch.from_numpy(found.source_index_[:, 0]) / 200
    )


def test_of_the_crops_of_an_image_the_one_with_the_widest_map_is_kept():
    x, y = stripes([2] * 40 + [6] * 40, [0.5] * 80, 0), torch.zeros(80, dtype=torch.long)
    one, many = (
        searched(x, y, one_class(3), ipc=20, crops=n, crop_scale=(0.2, 0.6)).scores_.frame["cam_ratio"]
        for n in (1, 8)
    )
    assert many.mean() > one.mean() + 0.15


def test_the_ratio_is_that_of_the_crop_that_is_kept():
    x, y = stripes([2] * 20 + [6] * 20, [0.5] * 40, 0), torch.zeros(40, dtype=torch.long)
    found = searched(x, y, one_class(3), ipc=10, crops=5, crop_scale=(0.2, 0.9))
    ratio = found.scores_.frame["cam_ratio"].to_numpy()[found.source_index_[:, 0]]
    assert (found.activation_ >= 0.5).mean((1, 2)) == pytest.approx(ratio)


def test_the_same_crops_are_drawn_however_many_are_looked_at_at_once():
    """Two images of five crops at a time are less than one."""
    x, y = many()
    one, two = (searched(x, y, ipc=3, crops=5, batch_size=size, crop_scale=(0.5, 1.0)) for size in (500, 2))
    assert np.array_equal(one.source_index_, two.source_index_)
    assert torch.allclose(one.originals_, two.originals_)
    assert one.scores_.frame["cam_ratio"].equals(two.scores_.frame["cam_ratio"])


def test_a_crop_of_white_is_not_whiter_than_white():
    """Weights of bilinear samples can sum to one and a bit; stores and students refuse that."""
    x, y = torch.ones(200, 3, 33, 33), torch.zeros(200, dtype=torch.long)
    found = searched(x, y, one_class(3), ipc=100, crops=4, crop_scale=(0.08, 1.0))
    assert found.originals_.max() <= 1


@pytest.mark.parametrize(("height", "width"), [(3, 5), (4, 2)])
def test_a_crop_of_odd_sides_is_padded_to_the_whole_image(height, width):
    padded = _padded(torch.ones(1, 1, height, width), 2)
    assert padded.shape == (1, 1, 2 * height, 2 * width)
    top, left = height // 2, width // 2
    assert padded[0, 0, top : top + height, left : left + width].all()
    assert padded.sum() == height * width
