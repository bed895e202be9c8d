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


def test_the_network_is_left_as_it_was(net):
    net.train()
    net[1].eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    class_activation_map(net, images(), 0)
    class_activation_map(net, images(), 0, layer="0")
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


@pytest.mark.parametrize(
    "net",
    [
        nn.Sequential(nn.Conv2d(1, 3, 3), nn.Flatten(), nn.Linear(3 * 14 * 14, 2)),
        nn.Sequential(nn.Conv2d(1, 3, 3), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(3, 2)),
        nn.Sequential(nn.Conv2d(1, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        AfterPooling(),
    ],
    ids=["no pooling", "largest instead of mean", "no linear head", "relu as a function"],
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
    ],
)
def test_what_is_not_an_image_or_a_class_is_refused(net, x, y, error, said):
    with pytest.raises(error, match=said):
        class_activation_map(net, x, y)


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
