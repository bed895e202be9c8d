"""NRR-DD, stages 1 and 2: which crops are taken, which pixels stay, and what is refused."""

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from torch import nn

from salience.instances import ImageViews, NRRDistiller
from salience.instances.distillation.discovery import _tiled
from salience.instances.distillation.refinement import (
    Refinement,
    batch_norm_gap,
    normalisations,
    refine,
    refinement_mask,
)
from salience.networks import TensorBatches, class_activation_map, fit, small_convnet, supervised_step
from salience.networks.evaluating import evaluating
from salience.results import Scores

CLASSES, SIDE = 3, 12


pytestmark = pytest.mark.usefixtures("one_thread")


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def squares(n=240, seed=0, channels=1):
    """The class is the form of a bright thing at a random place of a dark noisy canvas."""
    random = seeded(seed)
    y = torch.arange(n) % CLASSES
    x = 0.3 * torch.rand(n, channels, SIDE, SIDE, generator=random)
    forms = [(4, 4), (2, 6), (6, 2)]
    for image, label in zip(x, y.tolist(), strict=True):
        height, width = forms[label]
        top, left = (int(torch.randint(SIDE - s + 1, (1,), generator=random)) for s in (height, width))
        image[:, top : top + height, left : left + width] = 0.9
    return x, y


@pytest.fixture(scope="module")
def data():
    return squares()


@pytest.fixture(scope="module")
def teacher(data):
    net = small_convnet(CLASSES, widths=(8, 16), generator=seeded())
    step = supervised_step(net, nn.functional.cross_entropy, torch.optim.Adam(net.parameters(), 0.01))
    fit(step, TensorBatches(*data, size=32), epochs=25, generator=seeded())
    return net


@pytest.fixture(scope="module")
def fitted(teacher, data):
    return NRRDistiller(teacher, ipc=4, steps=30, crop_scale=(0.5, 1.0)).fit(*data)


# ---- what was learned -----------------------------------------------------------------------------------


def test_shapes_kinds_and_classes(fitted):
    assert fitted.images_.shape == fitted.originals_.shape == (12, 1, SIDE, SIDE)
    assert fitted.labels_.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert fitted.critical_mask_.shape == fitted.activation_.shape == (12, SIDE, SIDE)
    assert fitted.source_index_.shape == (12, 1)
    assert isinstance(fitted.images_, torch.Tensor)
    assert 0 < fitted.mask_share_ < 1
    assert float(fitted.images_.min()) >= 0
    assert float(fitted.images_.max()) <= 1


def test_every_crop_is_of_an_image_of_its_class(fitted, data):
    assert torch.equal(data[1][fitted.source_index_[:, 0]], fitted.labels_)


def test_critical_pixels_stay_bit_for_bit_and_others_change(fitted):
    stay = torch.from_numpy(fitted.critical_mask_)[:, None]
    assert torch.equal(fitted.images_[stay], fitted.originals_[stay])
    assert not torch.equal(fitted.images_[~stay], fitted.originals_[~stay])
    assert np.array_equal(fitted.critical_mask_, fitted.activation_ >= 0.5)


def test_the_teacher_becomes_surer(fitted):
    assert fitted.confidence_after_.mean() > fitted.confidence_before_.mean()
    assert fitted.confidence_after_.min() > 0.99
    assert fitted.history_["cross_entropy"][0] > fitted.history_["cross_entropy"][-1]


def test_the_map_is_that_of_the_crop(fitted, teacher):
    seen = class_activation_map(teacher, fitted.originals_, fitted.labels_)
    assert np.allclose(fitted.activation_, seen.numpy(), atol=1e-4)


def test_scores_name_the_kept_rows(fitted, data, tmp_path):
    scores = fitted.scores_
    kept = scores.frame.filter(scores.frame["kept"])["row"].to_list()
    assert (scores.item, scores.keys, len(scores)) == ("row", ("row",), len(data[0]))
    assert sorted(scores.select(k=4, per="class").items) == kept == fitted.get_support(indices=True).tolist()
    assert fitted.get_support().sum() == len(kept) == 12
    assert not scores.frame.filter(~scores.frame["correct"])["value"].drop_nulls().len()
    assert scores.top(3).frame["value"].is_sorted()
    scores.save(tmp_path / "scores.parquet")
    assert Scores.load(tmp_path / "scores.parquet").equals(scores)
    assert scores.plot(ax=Figure().subplots()).get_title(loc="left").startswith("nrr-dd")
    assert scores.meta.extra["mask_share"] == fitted.mask_share_


@pytest.mark.parametrize(("which", "sign"), [("low", 1), ("high", -1)])
def test_the_least_and_the_most_sure_are_taken(teacher, data, which, sign):
    found = NRRDistiller(teacher, ipc=3, steps=0, confidence=which, crop_scale=(0.5, 1.0)).fit(*data)
    frame = found.scores_.frame.drop_nulls("value")
    for _, rows in frame.group_by("class"):
        taken = sign * rows.filter(rows["kept"])["confidence"].to_numpy()
        left = sign * rows.filter(~rows["kept"])["confidence"].to_numpy()
        assert len(rows) == 6  # twice as many as wanted: those with the highest CAM ratio
        assert taken.max() <= left.min()


def test_random_is_neither(teacher, data):
    one, two = (
        NRRDistiller(teacher, ipc=3, steps=0, confidence="random", random_state=seed).fit(*data)
        for seed in (1, 2)
    )
    assert one.get_support(indices=True).tolist() != two.get_support(indices=True).tolist()


def test_wrong_labels_are_picked_only_without_the_gate(teacher, data):
    x, y = data
    wrong = y.clone()
    flipped = torch.arange(0, 60)
    wrong[flipped] = (y[flipped] + 1) % CLASSES
    how = {"ipc": 40, "steps": 0, "crop_scale": (1, 1)}  # 60 of the 80 images of a class have their own label
    with_gate = NRRDistiller(teacher, **how).fit(x, wrong).get_support(indices=True)
    without = NRRDistiller(teacher, **how, correct_only=False).fit(x, wrong).get_support(indices=True)
    assert (with_gate < 60).mean() < 0.05
    assert (without < 60).mean() > 0.4


def test_only_so_many_images_of_a_class_are_looked_at(teacher, data):
    found = NRRDistiller(teacher, ipc=2, steps=0, mipc=10, crop_scale=(1, 1)).fit(*data)
    looked = found.scores_.frame.drop_nulls("confidence")
    assert looked.group_by("class").len()["len"].to_list() == [10] * CLASSES


def test_whole_images_are_the_images(teacher, data):
    found = NRRDistiller(teacher, ipc=4, steps=0, crop_scale=(1.0, 1.0)).fit(*data)
    assert torch.equal(found.images_, data[0][found.source_index_[:, 0]])
    assert torch.equal(found.images_, found.originals_)


def test_the_ratio_is_the_share_of_pixels_of_half_the_strongest_and_the_confidence_the_teachers(
    teacher, data
):
    x, y = data
    frame = NRRDistiller(teacher, ipc=2, steps=0, crop_scale=(1, 1)).fit(x, y).scores_.frame
    share = (class_activation_map(teacher, x, y) >= 0.5).float().mean((1, 2))
    assert (
        np.abs(frame["cam_ratio"].to_numpy() - share.numpy()).max() < 0.01
    )  # a pixel of 144 may lie at the border
    with evaluating(teacher), torch.no_grad():
        sure = teacher(x).softmax(1)[torch.arange(len(y)), y]
    assert np.allclose(frame["confidence"].to_numpy(), sure.numpy(), atol=1e-5)


# ---- grids of crops -------------------------------------------------------------------------------------


def test_a_grid_holds_a_crop_in_each_cell(teacher, data):
    found = NRRDistiller(teacher, ipc=2, factor=2, steps=5, crop_scale=(1.0, 1.0), correct_only=False).fit(
        *data
    )
    assert found.images_.shape == (6, 1, SIDE, SIDE)
    assert found.source_index_.shape == (6, 4)
    halved = nn.functional.avg_pool2d(data[0], 2)
    for image, rows in zip(found.originals_, found.source_index_, strict=True):
        cells = image.view(1, 2, 6, 2, 6).permute(1, 3, 0, 2, 4).reshape(4, 1, 6, 6)
        assert torch.allclose(cells, halved[rows], atol=1e-6)
    assert torch.equal(data[1][found.source_index_[:, 3]], found.labels_)


def test_a_small_crop_is_judged_in_the_middle_of_an_image_of_zeros(teacher, data):
    x, y = data
    found = NRRDistiller(teacher, ipc=1, factor=2, steps=0, crop_scale=(1, 1), correct_only=False).fit(x, y)
    padded = torch.zeros_like(x)
    padded[:, :, 3:9, 3:9] = nn.functional.avg_pool2d(x, 2)
    with evaluating(teacher), torch.no_grad():
        sure = teacher(padded).softmax(1)[torch.arange(len(y)), y]
    assert np.allclose(found.scores_.frame["confidence"].to_numpy(), sure.numpy(), atol=1e-5)


def test_every_image_gets_some_of_the_first_and_some_of_the_last(teacher, data):
    found = NRRDistiller(teacher, ipc=2, factor=2, steps=0, correct_only=False).fit(*data)
    confidence = found.scores_.frame["confidence"].to_numpy()[found.source_index_]
    for rows in confidence.reshape(CLASSES, 2, 4):
        assert (np.diff(rows.T.ravel()) >= 0).all()  # cell by cell over the images, the least sure first


def test_each_cell_has_a_map_of_its_own(teacher, data):
    found = NRRDistiller(teacher, ipc=2, factor=2, steps=0, correct_only=False).fit(*data)
    tops = found.activation_.reshape(6, 2, 6, 2, 6).max(axis=(2, 4))
    assert np.isin(tops, (0, 1)).all()
    assert tops.mean() > 0.5


@given(factor=st.integers(1, 4), h=st.integers(1, 3), w=st.integers(1, 3))
def test_tiles_lie_row_by_row(factor, h, w):
    tiles = torch.arange(factor**2).float()[:, None, None, None].expand(-1, 2, h, w)
    image = _tiled(tiles, factor)
    assert image.shape == (2, factor * h, factor * w)
    assert image[0, ::h, ::w].flatten().tolist() == list(range(factor**2))


# ---- refinement -----------------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(eps=st.floats(0, 1.5), seed=st.integers(0, 99))
def test_the_mask_is_0_exactly_where_a_pixel_is_critical(eps, seed):
    activation = torch.rand(3, 4, 4, generator=seeded(seed)).round(decimals=1)
    mask = refinement_mask(activation, eps)
    assert torch.equal(mask == 0, activation >= eps)


def test_eps_0_rewrites_nothing_and_above_1_everything(teacher, data):
    nothing = NRRDistiller(teacher, ipc=2, eps=0, steps=5, crop_scale=(1, 1)).fit(*data)
    assert torch.equal(nothing.images_, nothing.originals_)
    assert nothing.mask_share_ == 0
    everything = NRRDistiller(teacher, ipc=2, eps=1.2, steps=5, crop_scale=(1, 1)).fit(*data)
    assert everything.mask_share_ == 1
    assert not everything.critical_mask_.any()
    moved = everything.images_ != everything.originals_
    assert moved.float().mean() > 0.9  # others stand at the end of the range, or their step is below a bit


def test_a_batch_with_the_running_statistics_has_no_gap(teacher, data):
    layer = nn.BatchNorm2d(2)
    x = torch.rand(5, 2, 4, 4, generator=seeded())
    variance, mean = torch.var_mean(x, (0, 2, 3), correction=0)
    layer.running_mean, layer.running_var = mean, variance
    pixels = x.clone().requires_grad_()
    _, gap = batch_norm_gap(nn.Sequential(layer.eval(), nn.Flatten()), pixels)
    assert gap.item() == 0
    (gradient,) = torch.autograd.grad(gap, pixels)
    assert torch.isfinite(gradient).all()


def test_the_gap_is_the_sum_of_the_formula():
    net = small_convnet(2, widths=(3, 4), generator=seeded()).eval()
    x = torch.rand(4, 1, 6, 6, generator=seeded(1))
    inputs = net[0](x), net[:5](x)
    terms = [
        (i.mean((0, 2, 3)) - n.running_mean).norm() + (i.var((0, 2, 3), correction=0) - n.running_var).norm()
        for i, n in zip(inputs, normalisations(net), strict=True)
    ]
    logits, gap = batch_norm_gap(net, x, first=7.0)
    assert gap.item() == pytest.approx((7 * terms[0] + terms[1]).item(), rel=1e-5)
    assert torch.equal(logits, net(x))


@pytest.mark.parametrize("activation", [0.0, 0.75])
def test_a_step_is_as_long_as_its_size_times_how_free_the_pixels_are(teacher, data, activation):
    x, y = 0.25 + data[0][:6] / 2, data[1][:6]  # away from the ends of the range
    maps = torch.full((6, SIDE, SIDE), activation)
    with evaluating(teacher):
        one, _ = refine(teacher, x, y, maps, Refinement(eps=1.0, steps=1, step_size=0.1))
    length = torch.full((6,), 0.1 * (1 - activation))
    assert torch.allclose((one - x).flatten(1).norm(dim=1), length, atol=1e-5)


def test_the_statistics_pull_as_hard_as_alpha_says(teacher, data):
    images, maps = data[0][:60], torch.zeros(60, SIDE, SIDE)
    ends = []
    with evaluating(teacher):
        for alpha in (1e-9, 10.0):
            _, history = refine(teacher, images, data[1][:60], maps, Refinement(alpha_bn=alpha, steps=15))
            parts = np.array(history["cross_entropy"]) + alpha * np.array(history["bn"])
            assert history["loss"] == pytest.approx(parts, rel=1e-5)
            ends.append(history["bn"][-1])
    assert ends[1] < ends[0] / 2


def test_a_gradient_that_is_not_a_number_touches_nothing(data):
    net = small_convnet(CLASSES, widths=(4,), generator=seeded()).eval()
    with torch.no_grad():
        net[0].weight.fill_(torch.nan)
    x, y = data[0][:6], data[1][:6]
    with pytest.warns(RuntimeWarning, match="loss was nan"):
        refined, history = refine(net, x, y, torch.zeros(6, SIDE, SIDE), Refinement(steps=3))
    assert history.stopped == "not finite"
    assert torch.equal(refined, x)


def test_batches_hold_all_classes(teacher, data, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "salience.instances.distillation.refinement.batch_norm_gap",
        lambda net, x, first: (seen.append(len(x)), batch_norm_gap(net, x, first))[1],
    )
    NRRDistiller(teacher, ipc=4, steps=2, batch_size=5, crop_scale=(1, 1)).fit(*data)
    assert seen == [4, 4, 4] * 2


def test_views_inside_the_refinement_leave_critical_pixels_alone_too(teacher, data):
    views = ImageViews(crop=(0.7, 1.0), shift=1)
    found = NRRDistiller(teacher, ipc=3, steps=10, augment=views, crop_scale=(1, 1)).fit(*data)
    stay = torch.from_numpy(found.critical_mask_)[:, None]
    assert torch.equal(found.images_[stay], found.originals_[stay])
    assert found.confidence_after_.mean() > found.confidence_before_.mean()


def test_shuffled_classes_make_the_teacher_wrong(fitted, teacher):
    wrong = (fitted.labels_ + 1) % CLASSES
    with evaluating(teacher):
        images, _ = refine(
            teacher, fitted.originals_, wrong, torch.from_numpy(fitted.activation_), Refinement(steps=30)
        )
        said = teacher(images).argmax(1)
    assert (said == fitted.labels_).float().mean() < 0.2


def test_another_network_is_asked(fitted, teacher, data):
    same = fitted.cross_check(teacher)
    assert (same.before, same.after, same.drop) == (1.0, 1.0, 0.0)
    blind = fitted.cross_check(small_convnet(CLASSES, widths=(4,), generator=seeded(3)))
    assert blind.before < 0.7


# ---- how it behaves -------------------------------------------------------------------------------------


def test_the_teacher_is_left_as_it_was(teacher, data):
    teacher.train()
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    NRRDistiller(teacher, ipc=2, steps=3).fit(*data)
    assert teacher.training
    assert all(torch.equal(before[name], value) for name, value in teacher.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in teacher.modules())
    teacher.eval()


def test_images_of_the_caller_are_left_as_they_were(teacher, data):
    x = data[0].clone()
    NRRDistiller(teacher, ipc=2, steps=3, crop_scale=(1, 1)).fit(x, data[1])
    assert torch.equal(x, data[0])


def test_numpy_in_numpy_out(teacher, data):
    x, y = data[0].double().numpy(), data[1].numpy().astype(np.uint8)
    found = NRRDistiller(teacher, ipc=2, steps=3)
    images, labels = found.fit_resample(x, y)
    assert isinstance(images, np.ndarray)
    assert isinstance(labels, np.ndarray)
    assert images.dtype == np.float32
    tensors = NRRDistiller(teacher, ipc=2, steps=3).fit_resample(*data)
    assert np.array_equal(images, tensors[0].numpy())


@pytest.mark.filterwarnings("error")
def test_arrays_that_are_read_only_backwards_or_of_half_floats_are_taken(teacher, data):
    x, y = data[0].numpy().copy(), data[1].numpy()
    expected = NRRDistiller(teacher, ipc=2, steps=0, crop_scale=[1, 1]).fit(x, y).images_
    x.setflags(write=False)
    backwards = np.ascontiguousarray(x[:, :, ::-1])[:, :, ::-1]
    for images in (x, backwards, x.astype(">f4")):
        assert np.array_equal(
            NRRDistiller(teacher, ipc=2, steps=0, crop_scale=(1, 1)).fit(images, y).images_, expected
        )
    assert NRRDistiller(teacher, ipc=2, steps=0).fit(x.astype(np.float16), y).images_.dtype == np.float32


def test_a_seed_repeats_to_the_bit(teacher, data):
    runs = [NRRDistiller(teacher, ipc=2, steps=5, random_state=seed).fit(*data) for seed in (4, 4, 5)]
    assert torch.equal(runs[0].images_, runs[1].images_)
    assert runs[0].scores_.frame.equals(runs[1].scores_.frame)
    assert not torch.equal(runs[0].images_, runs[2].images_)


def test_it_is_cloned_and_pickled(fitted, data):
    fresh = clone(fitted)
    assert fresh.get_params()["ipc"] == 4
    assert not hasattr(fresh, "scores_")
    assert torch.equal(fresh.fit(*data).images_, fitted.images_)
    back = pickle.loads(pickle.dumps(fitted))
    assert torch.equal(back.images_, fitted.images_)
    assert back.scores_.equals(fitted.scores_)


def test_progress_counts_classes_and_steps(teacher, data):
    told = []
    NRRDistiller(teacher, ipc=2, steps=4, progress=lambda *at: told.append(at)).fit(*data)
    assert told == [(done, CLASSES + 4) for done in range(1, CLASSES + 5)]


@pytest.mark.parametrize("at", [2, 5])
def test_ctrl_c_goes_through_and_leaves_nothing_behind(teacher, data, at):
    def stop(done, total):
        if done == at:
            raise KeyboardInterrupt

    distiller = NRRDistiller(teacher, ipc=2, steps=4, progress=stop)
    with pytest.raises(KeyboardInterrupt):
        distiller.fit(*data)
    assert not hasattr(distiller, "images_")
    assert not any(module._forward_pre_hooks for module in teacher.modules())


def test_a_mosaic_of_source_map_and_refined_image(fitted):
    ax = fitted.plot_mosaic(ax=Figure().subplots())
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0", "1", "2"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["source", "critical", "refined"]
    assert ax.images[0].get_array().shape == (3 * (SIDE + 2) - 2, 3 * (SIDE + 2) - 2, 3)
    with pytest.raises(ValueError, match="from 0 to 11"):
        fitted.plot_mosaic([12])


def test_before_fit_there_is_nothing(teacher):
    for call in ("get_support", "plot_mosaic"):
        with pytest.raises(NotFittedError):
            getattr(NRRDistiller(teacher), call)()
    with pytest.raises(NotFittedError):
        NRRDistiller(teacher).cross_check(teacher)


# ---- what is refused ------------------------------------------------------------------------------------


def without_normalisation():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, CLASSES)
    )


def test_a_teacher_without_normalisation_needs_alpha_0(data):
    with pytest.raises(ValueError, match="alpha_bn=0"):
        NRRDistiller(without_normalisation(), ipc=2).fit(*data)
    found = NRRDistiller(without_normalisation(), ipc=2, alpha_bn=0, steps=2, correct_only=False)
    with pytest.warns(UserWarning, match="the teacher classifies only"):
        found.fit(*data)
    assert found.history_["bn"] == [0, 0]


def test_a_teacher_without_a_linear_head_is_told_about_layers(data):
    net = nn.Sequential(nn.BatchNorm2d(1), nn.Flatten(), nn.Linear(SIDE * SIDE, CLASSES))
    with pytest.raises(ValueError, match=r"name a layer=.*Grad-CAM"):
        NRRDistiller(net, ipc=2).fit(*data)


def test_an_untrained_teacher_has_too_few_crops_that_it_knows(data):
    with pytest.raises(ValueError, match="too few have class"):
        NRRDistiller(small_convnet(CLASSES, widths=(4,), generator=seeded(1)), ipc=20).fit(*data)


def test_classes_with_too_few_images_are_all_named(teacher, data):
    x, y = data
    few = torch.cat([(y == 0).nonzero()[:40, 0], (y == 1).nonzero()[:1, 0]])
    with pytest.raises(ValueError, match=r"class 1 \(\d of 1 images\), 2 \(0 of 0 images\)"):
        NRRDistiller(teacher, ipc=3, steps=0, crop_scale=(1, 1)).fit(x[few], y[few])


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (lambda x, y: (x[:, 0], y), ValueError, r"images\[:, None\]"),
        (lambda x, y: (x[:0], y[:0]), ValueError, r"shape \(N, channels"),
        (lambda x, y: ((x * 255).to(torch.uint8), y), TypeError, "divide whole numbers of 0 to 255"),
        (lambda x, y: (x.numpy().astype(object), y), TypeError, "object"),
        (lambda x, y: (x.tolist(), y), TypeError, "list"),
        (lambda x, y: (x * 2 - 1, y), ValueError, r"must lie in \[0, 1\]"),
        (lambda x, y: (torch.where(torch.arange(240)[:, None, None, None] == 7, torch.nan, x), y), ValueError,
         "image 7 of images has NaN"),
        (lambda x, y: (x, y[:-1]), ValueError, "one class per image"),
        (lambda x, y: (x, y.float()), TypeError, "whole numbers"),
        (lambda x, y: (x, [str(label) for label in y.tolist()]), TypeError, "return_inverse"),
        (lambda x, y: (x, y - 1), ValueError, "from 0 up"),
        (lambda x, y: (x, y + 1), ValueError, "a class 3, and the teacher has outputs 0 to 2"),
    ],
)  # fmt: skip
def test_bad_images_and_classes_are_refused(teacher, data, change, error, said):
    with pytest.raises(error, match=said):
        NRRDistiller(teacher, ipc=2, steps=1).fit(*change(*data))


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"factor": 5}, "divisible by factor=5"),
        ({"ipc": 0}, "ipc"),
        ({"confidence": "middle"}, "confidence"),
        ({"eps": -0.1}, "eps"),
        ({"steps": -1}, "steps"),
        ({"step_size": 0.0}, "step_size"),
        ({"crop_scale": (0.0, 1.0)}, "crop_scale"),
        ({"crop_scale": (0.9, 0.5)}, "crop_scale"),
        ({"crop_scale": ("a", 1.0)}, "crop_scale must be two shares"),
        ({"random_state": "x"}, "random_state"),
    ],
)
def test_parameters_out_of_range_are_refused(teacher, data, how, said):
    with pytest.raises(ValueError, match=said):
        NRRDistiller(teacher, **how).fit(*data)


def test_a_teacher_that_is_no_network_is_refused(data):
    with pytest.raises(ValueError, match="teacher"):
        NRRDistiller(lambda x: x).fit(*data)
