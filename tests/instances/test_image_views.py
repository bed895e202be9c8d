"""NRR-DD, stage 3: views of images from a seed, what each part of them does, and what mixing puts where."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from salience.instances import ImageViews
from salience.instances.distillation.views import cropped

pytestmark = pytest.mark.usefixtures("one_thread")


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 99), number=st.integers(0, 99), mix=st.sampled_from(["cutmix", "mixup", None]))
def test_a_view_depends_on_its_seed_and_number_alone(seed, number, mix):
    x, y = torch.rand(5, 1, 6, 6, generator=seeded(1)), torch.arange(5)
    views = ImageViews(factor=2, shift=1, mix=mix)
    one, two = (views.make(x, y, seed=seed, number=number) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    assert one.x.shape == x.shape
    assert float(one.share.min()) >= 0
    assert float(one.share.max()) <= 1
    assert float(one.x.min()) >= 0
    assert float(one.x.max()) <= 1 + 1e-6


def test_two_views_differ(images, labels):
    one, two = (ImageViews().make(images, labels, seed=0, number=n) for n in (0, 1))
    assert not torch.equal(one.x, two.x)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), height=st.integers(2, 9), width=st.integers(2, 9))
def test_the_share_is_the_area_that_is_the_images_own(seed, height, width):
    own = torch.arange(6).float()
    x = own[:, None, None, None].expand(6, 1, height, width)
    view = ImageViews(flip=False).make(x, torch.arange(6), seed=seed, number=0)
    apart = view.y_org != view.y_aug  # an image may be its own partner
    found = (view.x == own[:, None, None, None]).float().mean((1, 2, 3))
    assert torch.allclose(found[apart], view.share[apart], atol=1e-6)
    partner = (view.x == view.y_aug[:, None, None, None]).float().mean((1, 2, 3))
    assert torch.allclose((found + partner)[apart], torch.ones(int(apart.sum())))


def test_mixing_up_is_a_weighted_mean(images, labels):
    views = ImageViews(flip=False, mix="mixup")
    view = views.make(images, labels, seed=0, number=0)
    partner = views.draw(12, (8, 8), seed=0, number=0).partner
    share = view.share[:, None, None, None]
    assert torch.allclose(view.x, share * images + (1 - share) * images[partner], atol=1e-6)
    assert torch.equal(view.y_aug, labels[partner])


def test_without_anything_a_view_is_the_images(images, labels):
    view = ImageViews(flip=False, mix=None).make(images, labels, seed=0, number=0)
    assert torch.equal(view.x, images)
    assert torch.equal(view.y_org, view.y_aug)
    assert (view.share == 1).all()


def test_patches_change_places_and_stay_whole():
    x = torch.arange(4).float().repeat_interleave(9).view(4, 9)
    image = torch.cat(
        [torch.cat([x[0].view(3, 3), x[1].view(3, 3)], 1), torch.cat([x[2].view(3, 3), x[3].view(3, 3)], 1)]
    )
    many = image.expand(50, 1, 6, 6)
    views = ImageViews(factor=2, crop=(1, 1), flip=False, mix=None)
    found = views.make(many, torch.zeros(50, dtype=torch.long), seed=0, number=0).x
    cells = found[:, 0, ::3, ::3].flatten(1)
    assert torch.equal(cells.sort(1).values, torch.arange(4).float().expand(50, 4))
    assert len({tuple(row) for row in cells.tolist()}) > 10
    assert torch.equal(found, cells.view(50, 1, 2, 2).repeat_interleave(3, 2).repeat_interleave(3, 3))


def test_a_crop_keeps_the_least_area_and_a_shift_moves():
    assert ImageViews(factor=2).areas == (0.5, 1.0)
    assert ImageViews().areas == (1.0, 1.0)
    spot = torch.zeros(40, 1, 7, 7)
    spot[:, 0, 3, 3] = 1
    moved = ImageViews(flip=False, shift=2, mix=None).make(spot, torch.zeros(40).long(), seed=0, number=0).x
    at = moved.flatten(1).argmax(1)
    assert (moved.flatten(1).sum(1) == 1).all()
    assert set((at // 7).tolist()) | set((at % 7).tolist()) == {1, 2, 3, 4, 5}


@pytest.mark.parametrize(
    "how",
    [
        {"factor": 0},
        {"shift": -1},
        {"shift": 0.5},
        {"crop": (0, 1)},
        {"crop": (0.9, 0.5)},
        {"crop": (0.5, 1.1)},
        {"mix": "cut"},
    ],
)
def test_views_out_of_range_are_refused(how):
    with pytest.raises(ValueError, match=next(iter(how))):
        ImageViews(**how)


def test_patches_that_do_not_fit_are_refused(images, labels):
    with pytest.raises(ValueError, match="factor=3 does not divide"):
        ImageViews(factor=3).make(images, labels, seed=0, number=0)


def alone(**how):
    """Views in which nothing happens but what is asked for."""
    return ImageViews(**{"flip": False, "mix": None, **how})


def test_half_of_the_images_are_mirrored_left_to_right():
    x = torch.rand(400, 2, 3, 5, generator=seeded())
    found = alone(flip=True).make(x, torch.zeros(400).long(), seed=0, number=0).x
    mirrored = (found == x.flip(3)).flatten(1).all(1)
    assert (mirrored | (found == x).flatten(1).all(1)).all()
    assert mirrored.float().mean() == pytest.approx(0.5, abs=0.08)


def test_an_image_goes_down_and_right_by_its_shift_and_what_comes_in_is_0():
    views = alone(shift=2)
    x = torch.arange(1.0, 31).view(1, 1, 5, 6).expand(100, 1, 5, 6)
    drawn = views.draw(100, (5, 6), seed=0, number=0)
    for image, (down, right) in zip(views.moved(x, drawn), drawn.shift.tolist(), strict=True):
        whole = torch.zeros(9, 10)
        whole[2 + down : 7 + down, 2 + right : 8 + right] = x[0, 0]
        assert torch.equal(image[0], whole[2:7, 2:8])
    assert set(drawn.shift.flatten().tolist()) == {-2, -1, 0, 1, 2}


def test_crops_have_areas_between_the_two_shares():
    x = ((torch.arange(16) + 0.5) / 16).expand(500, 1, 16, 16)
    found = alone(crop=(0.2, 1.0)).make(x, torch.zeros(500).long(), seed=0, number=0).x
    area = (16 * found[:, 0, 0].diff(dim=1).median(1).values) ** 2
    assert 0.2 - 1e-4 <= area.min() < 0.22
    assert 0.98 < area.max() <= 1 + 1e-4
    assert area.mean() == pytest.approx(0.6, abs=0.03)
    at = found.mean((1, 2, 3))
    assert at.min() < 0.35
    assert at.max() > 0.65


@pytest.mark.parametrize(
    ("centre", "rows", "columns"),
    [((-1.0, 1.0), (0, 4), (4, 8)), ((1.0, -1.0), (4, 8), (0, 4)), ((0.0, 0.0), (2, 6), (2, 6))],
)
def test_a_crop_lies_down_and_right_as_its_centre_says(centre, rows, columns):
    down, across = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")
    x = torch.stack([down, across])[None]
    found = cropped(x, torch.tensor([0.5]), torch.tensor([centre]))[0]
    for part, (low, high) in zip(found, (rows, columns), strict=True):
        wanted = (torch.arange(8) + 0.5) / 2 + low - 0.5  # in the middle of half pixels
        assert torch.allclose(part.unique(), wanted.clamp(0, 7).unique(), atol=1e-5)
        assert part.mean() == pytest.approx((low + high - 1) / 2, abs=0.1)


def test_a_crop_of_everything_is_the_image_and_of_one_colour_that_colour(images):
    assert torch.allclose(cropped(images, torch.ones(12), torch.rand(12, 2)), images, atol=1e-5)
    for corner in ([-1.0, -1.0], [1.0, 1.0]):
        found = cropped(torch.ones(1, 1, 8, 8), torch.tensor([0.3]), torch.tensor([corner]))
        assert torch.allclose(found, torch.ones(1, 1, 8, 8), atol=1e-6)


@pytest.mark.parametrize("mix", ["cutmix", "mixup"])
def test_what_is_mixed_in_is_the_view_of_the_partner(images, labels, mix):
    views = ImageViews(shift=2, mix=mix)
    drawn = views.draw(12, (8, 8), seed=0, number=3)
    moved, view = views.moved(images, drawn), views.make(images, labels, seed=0, number=3)
    partner, share = moved[drawn.partner], view.share[:, None, None, None]
    mixed = share * moved + (1 - share) * partner
    wanted = mixed if drawn.inside is None else torch.where(drawn.inside, partner, moved)
    assert torch.allclose(view.x, wanted, atol=1e-6)


def test_boxes_are_uniform_in_their_area_before_the_border_cuts_them():
    """Of sides u ** .5 a border leaves (u ** .5 - u / 4) ** 2 on the mean of all places: .3208 over all u."""
    drawn = ImageViews().draw(4000, (64, 64), seed=0, number=0)
    assert (1 - drawn.share).mean() == pytest.approx(0.3208, abs=0.015)
    assert (1 - drawn.share).max() > 0.9
    place = torch.arange(64.0)
    rows, columns = (drawn.inside[:, 0].any(axis).float() for axis in (2, 1))
    middles = torch.stack([(part * place).sum(1) / part.sum(1).clamp(min=1) for part in (rows, columns)])
    assert abs(torch.corrcoef(middles)[0, 1]) < 0.1


def test_partners_and_weights_differ_between_images():
    for mix in ("cutmix", "mixup"):
        drawn = ImageViews(mix=mix).draw(50, (8, 8), seed=0, number=0)
        assert sorted(drawn.partner.tolist()) == list(range(50))
        assert len({int(p) - i for i, p in enumerate(drawn.partner)}) > 10
        assert len(drawn.share.unique()) > 10


def test_neighbouring_seeds_and_numbers_are_not_the_same_views():
    one, two = (ImageViews().draw(20, (8, 8), seed=s, number=n) for s, n in ((0, 1), (1, 0)))
    assert not torch.equal(one.partner, two.partner)
