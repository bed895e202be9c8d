"""Class activation maps: what they are equal to, what they leave alone, and what they refuse."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from salience.networks import class_activation_map, small_convnet
from salience.networks.cam import class_maps, normalised_maps
from salience.networks.evaluating import evaluating


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def images(n=6, channels=1, size=16, seed=1):
    return torch.rand(n, channels, size, size, generator=seeded(seed))


@pytest.fixture
def net():
    return small_convnet(4, widths=(8, 8), generator=seeded())


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999), classes=st.integers(1, 6), size=st.integers(4, 20))
def test_the_mean_of_the_map_and_the_bias_are_the_logit(seed, classes, size):
    net = small_convnet(classes, 2, (6, 5), generator=seeded(seed))
    with torch.no_grad():
        net[-1].bias.normal_(generator=seeded(seed))
    x = images(5, 2, size, seed)
    y = torch.randint(classes, (5,), generator=seeded(seed))
    maps, logits = class_maps(net, x, y)
    own = logits.gather(1, y[:, None])[:, 0]
    assert torch.allclose(maps.mean((1, 2)) + net[-1].bias[y], own, atol=1e-5)
    assert torch.equal(logits, net.eval()(x))


def test_gradients_at_the_last_feature_map_give_the_same_map(net):
    x = images()
    for layer in ("6", net[6]):  # 5 is a normalisation; the ReLU after it is what is averaged
        assert isinstance(net[6], nn.ReLU)
        assert torch.allclose(
            class_activation_map(net, x, 2, layer=layer), class_activation_map(net, x, 2), atol=1e-5
        )


def test_a_map_lies_from_0_to_1_and_has_the_size_of_the_images(net):
    found = class_activation_map(net, images(), [0, 1, 2, 3, 0, 1])
    assert found.shape == (6, 16, 16)
    assert not found.requires_grad
    lit = found.amax((1, 2)) > 0
    assert torch.equal(found.amin((1, 2)), torch.zeros(6))
    assert torch.equal(found.amax((1, 2))[lit], torch.ones(int(lit.sum())))
    assert class_activation_map(net, images(), 1, size=(5, 7)).shape == (6, 5, 7)


def test_images_that_are_not_square_have_maps_of_their_height_and_width(net):
    assert class_activation_map(net, images()[:, :, :12], 1).shape == (6, 12, 16)


def by_hand(net, at, x, label):
    """Grad-CAM of the definition: mean gradients of the logit as weights of the channels of layer `at`."""
    features = net.eval()[: at + 1](x).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(net[at + 1 :](features)[:, label].sum(), features)
    return (gradient.mean((2, 3), keepdim=True) * features).sum(1).detach()


@pytest.mark.parametrize("at", [2, 3])
def test_the_weights_of_a_layer_further_down_are_mean_gradients(net, at):
    x = images()
    found = class_maps(net, x, 2, layer=str(at))
    assert torch.allclose(found.maps, by_hand(net, at, x, 2), atol=1e-6)
    assert torch.equal(found.logits, net(x))
    assert not any(part.requires_grad for part in found)


def test_gradients_are_there_where_the_caller_wants_none(net):
    with torch.no_grad():
        found = class_activation_map(net, images(), 2, layer="6")
    assert torch.equal(found, class_activation_map(net, images(), 2, layer="6"))


def test_of_a_layer_that_is_used_twice_the_last_use_counts():
    relu = nn.ReLU()
    net = small_convnet(4, widths=(8, 8), generator=seeded())
    twice = nn.Sequential(*(relu if isinstance(layer, nn.ReLU) else layer for layer in net))
    assert torch.equal(
        class_maps(twice, images(), 2, layer=relu).maps, class_maps(net, images(), 2, layer="6").maps
    )


def test_batches_change_nothing(net):
    x = images(7)
    y = torch.arange(7) % 4
    assert torch.allclose(
        class_activation_map(net, x, y), class_activation_map(net, x, y, batch_size=3), atol=1e-5
    )


def test_the_map_lies_where_the_class_is():
    net = small_convnet(2, widths=(2,), generator=seeded())
    with torch.no_grad():
        net[0].weight.zero_()
        net[0].weight[0, 0, 1, 1] = 1.0  # brightness
        net[-1].weight.copy_(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]))
    x = torch.zeros(1, 1, 8, 8)
    x[0, 0, 2:4, 5:7] = 1.0
    assert torch.equal(class_activation_map(net, x, 0), x[:, 0])
    assert not class_activation_map(net, x, 1).any()  # nowhere positive for the other class


@pytest.mark.parametrize("value", [0.0, 0.3, -2.0, 7e5])
def test_a_flat_map_says_nothing(value):
    assert not normalised_maps(torch.full((1, 3, 3), value), (9, 9)).any()


def test_the_weakest_place_is_0_and_the_strongest_1_however_little_they_differ():
    maps = torch.tensor([[[1.0, 2.0, 3.0]], [[1.0, 1.001, 1.002]]])
    found = normalised_maps(maps, (1, 3))
    assert torch.allclose(found, torch.tensor([[[0.0, 0.5, 1.0]]] * 2), atol=1e-3)


def test_pixels_between_two_places_get_values_between():
    found = normalised_maps(torch.tensor([[[-7.0, 1.0]]]), (1, 4))  # what is negative counts as 0
    assert torch.allclose(found, torch.tensor([[[0.0, 0.25, 0.75, 1.0]]]))


def test_a_feature_map_of_one_row_is_a_map():
    """Of sound, say: only a single position has nothing to tell."""
    net = nn.Sequential(
        nn.Conv2d(1, 3, (16, 1)), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2)
    )
    assert class_maps(net, images(), 0).maps.shape == (6, 1, 16)


class OtherMean(nn.Module):
    """The mean, summed in another order."""

    def forward(self, x):
        return x.flatten(2).flip(2).cumsum(2)[:, :, -1] / x[0, 0].numel()


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize(("pooling", "fits"), [(OtherMean(), True), (nn.AdaptiveMaxPool2d(1), False)])
def test_a_mean_but_for_rounding_is_a_mean_of_features_of_any_size(pooling, fits, size):
    net = nn.Sequential(nn.Conv2d(1, 3, 3, bias=False), nn.ReLU(), pooling, nn.Flatten(), nn.Linear(3, 2))
    nn.init.uniform_(net[0].weight, 0, size, generator=seeded())
    if fits:
        features = net[:2](images())
        assert not torch.equal(pooling(features), features.mean((2, 3)))
        assert class_activation_map(net, images(), 0).shape == (6, 16, 16)
    else:
        with pytest.raises(ValueError, match="global average pooling"):
            class_activation_map(net, images(), 0)


def test_the_network_is_left_as_it_was(net):
    net.train()
    net[1].eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    x = images()
    class_activation_map(net, x, 0)
    class_activation_map(net, x, 0, layer="0")
    assert not x.requires_grad
    assert net.training
    assert not net[1].training
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert all(weight.grad is None for weight in net.parameters())
    assert not any(module._forward_hooks for module in net.modules())


def test_hooks_and_modes_come_off_when_the_network_fails(net):
    net.train()
    with pytest.raises(RuntimeError):
        class_activation_map(net, images(channels=3), 0)
    assert net.training
    assert not any(module._forward_hooks for module in net.modules())


def test_a_frozen_network_has_gradient_maps_too(net):
    net.requires_grad_(False)
    assert class_activation_map(net, images(), 0, layer="3").shape == (6, 16, 16)


def test_a_hidden_linear_layer_is_not_taken_for_the_head():
    net = nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)
    )
    with pytest.raises(ValueError, match=r"one nn\.Linear.*name a layer="):
        class_activation_map(net, images(), 0)
    assert class_activation_map(net, images(), 0, layer="0").shape == (6, 16, 16)


class AfterPooling(nn.Module):
    """Works on the map between the last module and the pooling."""

    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(1, 3, 3), nn.Linear(3, 2)

    def forward(self, x):
        return self.head(self.conv(x).relu().mean((2, 3)))


@pytest.mark.parametrize("module", [True, False])
def test_images_that_leave_one_position_are_said_to_be_too_small(module):
    net = small_convnet(3, widths=(4, 6), generator=seeded())
    if not module:  # a mean of its own in place of the pooling module
        net = nn.Sequential(*net[:-3], Mean(), net[-1])
    assert class_activation_map(net, images(size=4), 0).shape == (6, 4, 4)
    with pytest.raises(ValueError, match=r"2 x 2 pixels has a single position.*take larger images"):
        class_activation_map(net, images(size=2), 0)
    assert class_activation_map(net, images(size=2), 0, layer="0").shape == (6, 2, 2)


class Mean(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))


@pytest.mark.parametrize(
    "net",
    [
        nn.Sequential(nn.Conv2d(1, 3, 3), nn.Flatten(), nn.Linear(3 * 14 * 14, 2)),
        nn.Sequential(nn.Conv2d(1, 3, 3), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(3, 2)),
        nn.Sequential(nn.Conv2d(1, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        AfterPooling(),
        nn.Sequential(nn.Flatten(), nn.Linear(256, 2)),
        nn.Sequential(
            nn.Conv2d(1, 3, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2), nn.Softmax(1)
        ),
    ],
    ids=[
        "no pooling",
        "largest instead of mean",
        "no linear head",
        "relu as a function",
        "no feature map",
        "something after the head",
    ],
)
def test_a_network_without_pooling_and_head_is_told_what_to_do(net):
    with pytest.raises(ValueError, match="global average pooling"):
        class_activation_map(net, images(), 0)


@pytest.mark.parametrize(
    ("x", "y", "error", "said"),
    [
        (torch.zeros(2, 8, 8), 0, ValueError, "channels, height, width"),
        (torch.zeros(0, 1, 8, 8), 0, ValueError, "channels, height, width"),
        (torch.zeros(2, 1, 8, 8, dtype=torch.uint8), 0, TypeError, "uint8"),
        ([[0.0]], 0, TypeError, "list"),
        (images(2), [0, 1, 2], ValueError, "one class per image"),
        (images(2), [0.5, 1.0], TypeError, "whole numbers"),
        (images(2), [0, 4], ValueError, "the model has 0 to 3"),
        (images(2), -1, ValueError, "the model has 0 to 3"),
        (images(2), [[0], [1]], ValueError, "one class per image"),
        (images(2), [True, False], TypeError, "whole numbers"),
        (images(2), torch.zeros(2, dtype=torch.complex64), TypeError, "whole numbers"),
    ],
)
def test_what_is_not_an_image_or_a_class_is_refused(net, x, y, error, said):
    with pytest.raises(error, match=said):
        class_activation_map(net, x, y)


def test_a_batch_of_no_image_is_refused(net):
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        class_activation_map(net, images(), 0, batch_size=0)


def test_a_model_that_gives_maps_instead_of_logits_is_refused():
    with pytest.raises(ValueError, match=r"logits of shape \(n, classes\), it gave \(6, 3, 14, 14\)"):
        class_activation_map(nn.Sequential(nn.Conv2d(1, 3, 3)), images(), 0)


def test_a_layer_that_is_never_reached_is_refused(net):
    net[0].spare = nn.Conv2d(1, 1, 1)
    with pytest.raises(ValueError, match=r"'0\.spare' gave nothing"):
        class_activation_map(net, images(), 0, layer="0.spare")


@pytest.mark.parametrize(
    ("layer", "said"),
    [("12", "has no layer '12'"), (nn.ReLU(), "not part of the model"), ("8", "feature maps")],
)
def test_a_layer_that_is_not_one_of_images_is_refused(net, layer, said):
    with pytest.raises(ValueError, match=said):
        class_activation_map(net, images(), 0, layer=layer)


def test_modes_come_back_after_an_error(net):
    net.train()
    with pytest.raises(KeyError), evaluating(net):
        raise KeyError
    assert net.training


def test_a_small_network_has_weights_of_its_own_generator():
    one, two = (small_convnet(3, generator=seeded(4)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    with pytest.raises(ValueError, match="at least 1"):
        small_convnet(3, widths=())
