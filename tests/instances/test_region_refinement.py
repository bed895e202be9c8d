"""NRR-DD, stage 2, step by step: what the teacher is shown, how far a pixel goes, and where it ends."""

import numpy as np
import pytest
import torch
from torch import nn

from salience.instances import ImageViews, NRRDistiller
from salience.instances.distillation.refinement import Refinement, batch_norm_gap, normalisations, refine
from salience.networks import small_convnet

CLASSES, SIDE = 3, 8


pytestmark = pytest.mark.usefixtures("one_thread")


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def teacher():
    return small_convnet(CLASSES, widths=(4, 6), generator=seeded()).eval()


@pytest.fixture
def batch():
    """Images, their classes, and maps on which all pixels are free."""
    x = torch.rand(12, 1, SIDE, SIDE, generator=seeded(1))
    return x, torch.arange(12) % CLASSES, torch.zeros(12, SIDE, SIDE)


def brightness(sign):
    """Class 0 is bright, or dark: its gradient is the same in all pixels."""
    net = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, 2, bias=False))
    with torch.no_grad():
        net[2].weight.copy_(torch.tensor([[sign], [-sign]]))
    return net


# ---- one step -------------------------------------------------------------------------------------------


def test_a_step_is_the_formula(teacher, batch):
    x, y, _ = batch
    x = 0.3 + 0.4 * x  # away from the ends of the range
    maps = torch.rand(12, SIDE, SIDE, generator=seeded(2))
    how = Refinement(eps=0.6, steps=1, step_size=0.2, alpha_bn=0.3, first_bn=5.0)
    found, history = refine(teacher, x, y, maps, how)
    pixels = x.clone().requires_grad_()
    logits, gap = batch_norm_gap(teacher, pixels, 5.0)
    entropy = nn.functional.cross_entropy(logits, y)
    (gradient,) = torch.autograd.grad(entropy + 0.3 * gap, pixels)
    unit = gradient / gradient.flatten(1).norm(dim=1)[:, None, None, None]
    mask = (0.6 - maps).clamp(min=0)[:, None]
    assert torch.allclose(found, x - mask * 0.2 * unit, atol=1e-6)
    assert history["cross_entropy"] == [pytest.approx(entropy.item())]
    assert history["bn"] == [pytest.approx(gap.item())]


@pytest.mark.parametrize("count", [5, 6])
def test_batches_are_no_more_than_needed_and_hold_all_classes(teacher, batch, count):
    x, y, maps = batch
    y = y.sort().values
    seen = []
    teacher.register_forward_pre_hook(lambda module, given: seen.append(given[0].detach().clone()))
    refine(teacher, x, y, maps, Refinement(steps=1, batch_size=count))
    rows = [[int((x == image).flatten(1).all(1).nonzero()) for image in part] for part in seen]
    assert sorted(row for part in rows for row in part) == list(range(12))
    assert len(rows) == -(-12 // count)
    assert all(set(y[part].tolist()) == {0, 1, 2} for part in rows)


@pytest.mark.parametrize(("sign", "end"), [(1.0, 1.0), (-1.0, 0.0)])
def test_pixels_stop_at_the_ends_of_the_range(batch, sign, end):
    x, _, maps = batch
    how = Refinement(steps=20, step_size=5.0, alpha_bn=0.0)
    found, _ = refine(brightness(sign), x, torch.zeros(12, dtype=torch.long), maps, how)
    assert torch.equal(found, torch.full_like(x, end))


def test_without_a_gradient_nothing_moves(batch):
    x, y, maps = batch
    found, history = refine(brightness(0.0), x, y % 2, maps, Refinement(steps=3, alpha_bn=0.0))
    assert torch.equal(found, x)
    assert history["bn"] == [0, 0, 0]


class Cusp(nn.Module):
    """Leaves images as they are, and makes gradients that are not numbers of the first."""

    def forward(self, x):
        return torch.cat([x[:1] + (0 * x[:1]).sqrt(), x[1:]])


def test_a_gradient_that_is_not_a_number_moves_nothing_although_the_loss_is_one(batch):
    x, y, maps = batch
    net = nn.Sequential(Cusp(), *brightness(1.0))
    found, history = refine(net, x, y % 2, maps, Refinement(steps=3, alpha_bn=0.0))
    assert history.stopped == "epochs"
    assert torch.equal(found[0], x[0])
    assert (found[1:] != x[1:]).any()
    assert torch.isfinite(found).all()


# ---- the statistics -------------------------------------------------------------------------------------


def test_normalisations_without_running_statistics_hold_nothing(batch):
    x, y, _ = batch
    net = small_convnet(CLASSES, widths=(4, 6), generator=seeded())
    net[1] = nn.BatchNorm2d(4, track_running_stats=False)
    assert normalisations(net) == [net[5]]
    assert batch_norm_gap(net.eval(), x, first=2.0)[1] == 2 * batch_norm_gap(net, x, first=1.0)[1] > 0
    net[5] = nn.BatchNorm2d(6, track_running_stats=False)
    with pytest.raises(ValueError, match="no BatchNorm2d with running statistics"):
        NRRDistiller(net, ipc=2).fit(x, y)
    assert batch_norm_gap(net, x)[1] == 0


def test_hooks_come_off(teacher, batch):
    batch_norm_gap(teacher, batch[0])
    assert not any(module._forward_pre_hooks for module in teacher.modules())


# ---- views inside the refinement ------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.0, 0.01])
def test_the_teacher_is_shown_a_new_view_in_each_step_unmixed(teacher, batch, alpha):
    x, y, maps = batch
    views, seen = ImageViews(crop=(0.5, 1.0), shift=1), []
    teacher.register_forward_pre_hook(lambda module, given: seen.append(given[0].detach().clone()))
    how = Refinement(eps=0.0, steps=3, alpha_bn=alpha, augment=views, seed=7)  # all pixels stay
    refine(teacher, x, y, maps, how)
    for number, found in enumerate(seen):
        assert torch.equal(found, views.moved(x, views.draw(12, (SIDE, SIDE), seed=7, number=number)))
    assert not torch.equal(seen[0], seen[1])


def test_views_of_the_refinement_go_by_the_seed(teacher, batch):
    x, y, _ = batch
    how = {"ipc": 4, "steps": 2, "crop_scale": (1, 1), "correct_only": False}
    views = ImageViews(crop=(0.5, 1.0))
    one, same, other = (NRRDistiller(teacher, **how, augment=views, random_state=seed) for seed in (0, 0, 1))
    with pytest.warns(UserWarning, match="classifies only"):
        images = [model.fit(x, y).images_ for model in (one, same, other)]
    assert torch.equal(one.originals_, other.originals_)
    assert torch.equal(images[0], images[1])
    assert not torch.equal(images[0], images[2])


# ---- what the distiller passes on -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"eps": 0.9},
        {"step_size": 0.3},
        {"alpha_bn": 1.0},
        {"first_bn": 0.0},
        {"augment": ImageViews(shift=1)},
        {"batch_size": 6},
        {"steps": 1},
    ],
    ids=lambda change: next(iter(change)),
)
@pytest.mark.filterwarnings("ignore:the teacher classifies only")
def test_every_parameter_of_the_refinement_counts(teacher, batch, change):
    x, y, _ = batch
    how = {"ipc": 4, "steps": 2, "crop_scale": (1, 1), "correct_only": False}
    plain, other = (NRRDistiller(teacher, **{**how, **more}).fit(x, y) for more in ({}, change))
    assert np.array_equal(plain.source_index_, other.source_index_)
    assert not torch.equal(plain.images_, other.images_)
