"""NRR-DD: what the distiller says of its images, by kind, in scores, in warnings, by another network and in a picture."""

import copy
from dataclasses import asdict
from inspect import signature

import numpy as np
import pytest
import torch
from channel_teacher import SIDE, by_channel, searched, stripes
from matplotlib.figure import Figure
from torch import nn

from salience.instances import NRRDistiller
from salience.instances.distillation.crosscheck import cross_checked
from salience.instances.distillation.refinement import Refinement
from salience.networks import small_convnet

pytestmark = pytest.mark.usefixtures("one_thread")


def half_known(right, n=10):
    """Images of class 0, of which the teacher knows so many, and as many of class 1 as it knows of them."""
    zero = torch.cat(
        [stripes([4] * right, [0.9] * right, 0), stripes([4] * (n - right), [0.9] * (n - right), 1)]
    )
    one = torch.cat(
        [stripes([4] * right, [0.9] * right, 1), stripes([4] * (n - right), [0.9] * (n - right), 0)]
    )
    return torch.cat([zero, one]), torch.arange(2 * n) // n


@pytest.fixture
def graded():
    y = torch.arange(40) % 2
    bright = torch.linspace(0.2, 0.9, 40)
    return torch.cat([stripes([4], [b], int(c)) for b, c in zip(bright, y, strict=True)]), y


# ---- kinds and scores -----------------------------------------------------------------------------------


def test_images_are_of_the_kind_of_the_images_and_labels_of_that_of_tensors(graded):
    x, y = graded
    for images, labels, kinds in (
        (x, y.numpy(), (torch.Tensor, torch.Tensor)),
        (x.numpy(), y, (np.ndarray, torch.Tensor)),
        (x.numpy(), y.numpy(), (np.ndarray, np.ndarray)),
    ):
        found = searched(images, labels, by_channel())
        assert isinstance(found.images_, kinds[0])
        assert isinstance(found.originals_, kinds[0])
        assert isinstance(found.labels_, kinds[1])


@pytest.mark.parametrize("confidence", ["low", "high", "random"])
def test_the_first_of_the_scores_are_the_kept_rows(graded, confidence):
    found = searched(*graded, ipc=5, confidence=confidence)
    chosen = found.scores_.select(k=5, per="class").items
    assert sorted(chosen) == found.get_support(indices=True).tolist() == sorted(found.source_index_[:, 0])


def test_rows_of_all_cells_are_kept(graded):
    found = searched(*graded, ipc=2, factor=2)
    assert set(found.get_support(indices=True)) == set(found.source_index_.ravel())
    assert found.get_support().sum() == 16


def test_scores_say_which_seed_and_settings_made_them(graded):
    scores = searched(*graded, random_state=3).scores_
    assert scores.meta.seed == 3
    assert scores.meta.params["teacher"] == "Sequential of 12 weights"
    assert searched(*graded, random_state=np.random.RandomState(0)).scores_.meta.seed is None


def test_a_pixel_of_exactly_eps_is_critical_and_stays(graded):
    x, y = graded
    x[:, :, :, 4] = x[:, :, :, 0] / 2
    found = searched(x, y, by_channel(), steps=3, eps=0.5)
    assert np.array_equal(found.critical_mask_, found.activation_ >= 0.5)
    assert (found.activation_ == 0.5).any()
    assert found.mask_share_ == pytest.approx(3 / 8)


# ---- what is said ---------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("error")
def test_a_teacher_that_knows_half_of_the_crops_knows_enough():
    assert searched(*half_known(5)).scores_.meta.warnings == ()


def test_a_teacher_that_knows_less_than_half_of_the_crops_is_named():
    with pytest.warns(UserWarning, match="classifies only 40% of the crops"):
        found = searched(*half_known(4))
    (note,) = found.scores_.meta.warnings
    assert "40%" in note


@pytest.mark.filterwarnings("error")
def test_crops_that_were_not_looked_at_are_not_counted():
    searched(*half_known(9), mipc=3)


def test_sides_are_both_looked_at():
    x, y = half_known(10)
    for images in (x[:, :, :7], x[:, :, :, :7]):
        with pytest.raises(ValueError, match="must be divisible by factor=2"):
            searched(images, y, factor=2)


def test_without_steps_nothing_is_asked_of_normalisations(graded):
    assert searched(*graded, steps=0, alpha_bn=0.01).history_ == {}


@pytest.mark.parametrize("value", [torch.inf, -torch.inf])
def test_an_image_that_is_not_finite_is_named(graded, value):
    x, y = graded
    x[7, 0, 0, 0] = value
    with pytest.raises(ValueError, match="image 7 of images has NaN or inf"):
        searched(x, y)


@pytest.mark.parametrize("value", [-0.01, 1.01])
def test_an_image_out_of_range_is_refused(graded, value):
    x, y = graded
    x[7, 0, 0, 0] = value
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\]"):
        searched(x, y)


def test_a_teacher_that_gives_maps_is_refused(graded):
    with pytest.raises(ValueError, match=r"the teacher must give logits of shape \(n, classes\)"):
        searched(*graded, nn.Conv2d(3, 2, 1))


def test_settings_are_those_of_the_card_when_nothing_is_said():
    defaults = {name: parameter.default for name, parameter in signature(NRRDistiller).parameters.items()}
    expected = {
        "ipc": 10, "factor": 1, "confidence": "low", "eps": 0.5, "steps": 100, "step_size": 1.0, "alpha_bn": 0.01,
        "first_bn": 10.0, "augment": None, "mipc": 300, "crops": 5, "crop_scale": (0.08, 1.0), "correct_only": True,
    }  # fmt: skip
    assert {name: defaults[name] for name in expected} == expected
    refinement = asdict(Refinement())
    assert {name: defaults.get(name, value) for name, value in refinement.items()} == refinement


# ---- another network ------------------------------------------------------------------------------------


def test_a_drop_is_what_another_network_knew_before_and_not_after():
    before, after = stripes([8] * 4, [0.9] * 4, 0), stripes([8] * 4, [0.9] * 4, 1)
    after[0] = before[0]
    check = cross_checked(by_channel(), before, after, torch.zeros(4, dtype=torch.long), 3)
    assert check == (1.0, 0.25, 0.75)


def test_the_other_network_is_asked_in_evaluation_and_left_as_it_was(graded):
    net = small_convnet(2, channels=3).train()
    statistics = net[1].running_mean.clone()
    searched(*graded).cross_check(net)
    assert net.training
    assert torch.equal(net[1].running_mean, statistics)


# ---- the picture ----------------------------------------------------------------------------------------


def columns_of(ax):
    """Source, map and refined image of each column, as drawn."""
    canvas = np.asarray(ax.images[0].get_array())
    step = SIDE + 2
    count = (canvas.shape[1] + 2) // step
    cut = [[canvas[r * step :][:SIDE, c * step :][:, :SIDE] for r in range(3)] for c in range(count)]
    return np.array(cut)


def test_each_column_is_source_map_and_refined_image_of_its_row(graded):
    found = searched(*graded, ipc=2)
    found.images_ = 1 - found.originals_
    drawn = columns_of(found.plot_mosaic([3, 0], ax=Figure().subplots()))
    for (source, activation, refined), row in zip(drawn, (3, 0), strict=True):
        assert source == pytest.approx(found.originals_[row].permute(1, 2, 0).numpy())
        assert refined == pytest.approx(found.images_[row].permute(1, 2, 0).numpy())
        order = np.argsort(found.activation_[row], axis=None, kind="stable")
        assert (np.diff(activation.sum(2).ravel()[order]) >= -1e-9).all()  # the brighter the more critical


def test_the_first_of_each_class_is_drawn_but_of_ten_classes_at_most():
    y = torch.arange(24) // 2
    x = torch.zeros(24, 12, SIDE, SIDE)
    for image, label in zip(x, y, strict=True):
        image[label, :, :4] = 0.8
    net = nn.Sequential(
        nn.Conv2d(12, 12, 1, bias=False), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 12)
    )
    with torch.no_grad():
        net[0].weight.copy_(torch.eye(12)[:, :, None, None])
        net[4].weight.copy_(torch.eye(12))
        net[4].bias.zero_()
    found = searched(x, y, net, ipc=2)
    with pytest.raises(ValueError, match="1 or 3 channels can be drawn, these have 12"):
        found.plot_mosaic(ax=Figure().subplots())
    found.images_, found.originals_ = found.images_[:, :1], found.originals_[:, :1]
    ax = found.plot_mosaic(ax=Figure().subplots())
    assert [label.get_text() for label in ax.get_xticklabels()] == [str(label) for label in range(10)]


def test_the_outline_goes_around_the_critical_pixels_of_source_and_refined_image(graded):
    found = copy.copy(searched(*graded))
    found.critical_mask_ = np.zeros((2, SIDE, SIDE), dtype=bool)
    found.critical_mask_[0, 2, 3:5] = True
    ax = found.plot_mosaic([0], ax=Figure().subplots())
    drawn = {tuple(map(tuple, line)) for part in ax.collections for line in part.get_segments()}
    wanted = set()
    for top in (0, 2 * (SIDE + 2)):  # nothing around the map
        for row in (top + 1.5, top + 2.5):
            wanted |= {((2.5, row), (3.5, row)), ((3.5, row), (4.5, row))}
        wanted |= {((column, top + 1.5), (column, top + 2.5)) for column in (2.5, 4.5)}
    assert drawn == wanted
