"""Nested dropout: the distribution of lengths, the cumulative head, and that it orders a linear code as PCA does."""

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn

from salience.networks import TensorBatches, fit
from salience.networks.nested import (
    NestedDropout,
    best_length,
    keep_first,
    length_probabilities,
    nested_accuracy,
    nested_logits,
)


def masked_loop(h, W, y):
    """As the released code does it: one masked product for each length."""
    masks = torch.tril(torch.ones(h.shape[1], h.shape[1]))
    return np.array([((h * mask) @ W).argmax(1).eq(y).float().mean().item() for mask in masks])


# ---- the distribution of lengths --------------------------------------------------------------------------


def test_lengths_have_the_probabilities_of_the_paper():
    assert length_probabilities(4, 2.0).round(4).tolist() == [0.6130, 0.2896, 0.0830, 0.0144]


def test_drawn_lengths_follow_them():
    torch.manual_seed(0)
    layer = NestedDropout(4, 2.0, k_per="sample")
    drawn = np.bincount(layer.draw(40_000).numpy(), minlength=5)[1:] / 40_000
    assert np.abs(drawn - length_probabilities(4, 2.0)).max() < 0.01


def test_mu_moves_the_mode():
    assert length_probabilities(9, 1.5, mu=6.0).argmax() + 1 == 6


def test_a_tiny_sigma_far_from_mu_is_no_division_by_zero():
    assert length_probabilities(3, 1e-3, mu=-5.0).tolist() == [1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dim": 1, "sigma": 2.0}, "at least 2 neurons"),
        ({"dim": 4, "sigma": 0.0}, "sigma must be positive"),
        ({"dim": 4, "sigma": -1.0}, "sigma must be positive"),
        ({"dim": 4, "sigma": float("nan")}, "sigma must be positive"),
        ({"dim": 4, "sigma": 1.0, "mu": float("inf")}, "mu finite"),
        ({"dim": 4, "sigma": 1.0, "k_per": "epoch"}, "'batch' or 'sample'"),
    ],
)
def test_a_wrong_parameter_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        NestedDropout(**arguments)


# ---- the mask ---------------------------------------------------------------------------------------------


def test_a_batch_has_one_length_and_nothing_is_rescaled():
    torch.manual_seed(0)
    masked = NestedDropout(8, 3.0)(torch.full((50, 8), 2.0))
    assert len(masked.unique(dim=0)) == 1
    assert set(masked.unique().tolist()) <= {0.0, 2.0}


def test_each_row_can_have_its_own_length():
    torch.manual_seed(0)
    lengths = NestedDropout(8, 3.0, k_per="sample")(torch.ones(50, 8)).sum(1)
    assert len(lengths.unique()) > 1


def test_channels_of_images_are_masked_whole():
    kept = keep_first(torch.ones(2, 3, 4, 4), 2)
    assert kept.sum(dim=(2, 3)).tolist() == [[16.0, 16.0, 0.0]] * 2


def test_nothing_is_masked_in_evaluation():
    h = torch.randn(5, 4)
    assert NestedDropout(4, 2.0).eval()(h) is h


def test_a_layer_masks_channels_by_the_second_axis():
    torch.manual_seed(0)
    layer = NestedDropout(3, 2.0)
    masked = layer(torch.ones(2, 3, 4, 5))
    assert masked.shape == (2, 3, 4, 5)
    assert masked.sum() in (40, 80, 120)
    for h in (torch.ones(3), torch.ones(2, 4, 3)):
        with pytest.raises(ValueError, match=r"\(n, 3, \.\.\.\), got"):
            layer(h)


def test_another_width_is_refused():
    with pytest.raises(ValueError, match=r"\(n, 4, \.\.\.\), got \(5, 3\)"):
        NestedDropout(4, 2.0)(torch.ones(5, 3))


def test_rows_of_the_head_beyond_k_get_no_gradient():
    torch.manual_seed(0)
    layer, head = NestedDropout(6, 3.0), nn.Linear(6, 3, bias=False)
    loss = nn.functional.cross_entropy(head(layer(torch.randn(20, 6), k=2)), torch.randint(0, 3, (20,)))
    loss.backward()
    gradient = head.weight.grad.T
    assert (gradient[2:] == 0).all()
    assert (gradient[:2] != 0).all()


# ---- every length at once ---------------------------------------------------------------------------------


def test_cumulative_logits_are_those_of_masked_products():
    torch.manual_seed(0)
    h, W = torch.randn(30, 16).relu(), torch.randn(16, 5)
    logits = nested_logits(h, W)
    for k in range(1, 17):
        assert torch.allclose(logits[:, k - 1], keep_first(h, k) @ W, atol=1e-5)
    assert torch.allclose(logits[:, -1], h @ W, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(
    rows=st.integers(1, 150), width=st.integers(1, 40), classes=st.integers(1, 13), seed=st.integers(0, 10**6)
)
@example(rows=70, width=3, classes=1, seed=0)
def test_accuracy_of_every_length_is_that_of_the_masked_loop(rows, width, classes, seed):
    torch.manual_seed(seed)
    # whole numbers: sums are exact, and equal logits are common
    h, W = torch.randint(0, 4, (rows, width)).float(), torch.randint(-3, 4, (width, classes)).float()
    y = torch.randint(0, classes, (rows,))
    assert nested_accuracy(h, W, y) == pytest.approx(masked_loop(h, W, y), abs=1e-6)


def test_two_networks_are_judged_by_the_mean_of_their_logits():
    torch.manual_seed(0)
    hs, Ws, y = torch.randn(2, 70, 8), torch.randn(2, 8, 3), torch.randint(0, 3, (70,))
    mean = (nested_logits(hs[0], Ws[0]) + nested_logits(hs[1], Ws[1])) / 2
    expected = (mean.argmax(2) == y[:, None]).double().mean(0).numpy()
    assert nested_accuracy(list(hs), list(Ws), y) == pytest.approx(expected)


@pytest.mark.parametrize("own", [0, 2])
def test_a_row_with_a_feature_that_is_not_a_number_is_wrong_from_there_on(own):
    h, W = torch.ones(3, 4), torch.zeros(4, 3)
    W[:, own] = 1.0
    h[1, 2] = torch.nan
    assert nested_accuracy(h, W, [own] * 3).tolist() == [1.0, 1.0, pytest.approx(2 / 3), pytest.approx(2 / 3)]


@pytest.mark.parametrize(
    ("h", "W", "y", "message"),
    [
        ((3, 4), (5, 2), [0, 1, 0], r"h must be \(n, D\)"),
        ((3, 4), (4, 2), [0, 1], "one class for each of 3 rows"),
        ((0, 4), (4, 2), [], "at least 1"),
        ((3, 4), (4, 2), [0, 1, 2], "encode them"),
        ((3, 4), (4, 2), [0, 1, -1], "encode them"),
    ],
)
def test_shapes_and_classes_that_do_not_fit_are_refused(h, W, y, message):
    with pytest.raises(ValueError, match=message):
        nested_accuracy(torch.ones(h), torch.ones(W), np.array(y, dtype=np.int64))


@pytest.mark.parametrize(
    ("features", "heads", "message"),
    [
        ([(3, 4), (3, 2)], [(4, 2), (2, 2)], "same number"),
        ([(3, 4), (2, 4)], [(4, 2), (4, 2)], "same number"),
        ([(3, 4), (3, 4)], [(4, 2), (4, 3)], "same number"),
        ([(3, 4), (3, 4)], [(4, 2)], "2 arrays of features and 1 heads"),
        ([], [], "0 arrays of features"),
    ],
)
def test_networks_of_different_shapes_are_refused(features, heads, message):
    with pytest.raises(ValueError, match=message):
        nested_accuracy([torch.ones(s) for s in features], [torch.ones(s) for s in heads], [0, 1, 0])


def test_of_equal_accuracies_the_shortest_length_wins():
    assert best_length([0.5, 0.8, 0.8, 0.8]) == 2


def test_a_length_of_one_stays_one():
    """The released code replaces it by all features."""
    assert best_length([0.9, 0.5, 0.9]) == 1


def test_what_a_neuron_costs_decides_between_nearly_equal_ones():
    assert best_length([0.9, 0.9 + 5e-6]) == 1
    assert best_length([0.9, 0.9 + 5e-5]) == 2


@pytest.mark.parametrize("accuracy", [[], [[0.1, 0.9]], 0.9])
def test_what_is_not_an_accuracy_for_each_length_is_refused(accuracy):
    with pytest.raises(ValueError, match="one number for each length"):
        best_length(accuracy)


# ---- it finds principal components in their order ---------------------------------------------------------

EIGENVALUES = torch.tensor([9.0, 6.0, 4.0, 2.5, 1.5, 0.8])


def autoencoder(loss_of, seed, epochs):
    """A linear code of six dimensions, trained on the expectation over data of this covariance."""
    torch.manual_seed(seed)
    basis = torch.linalg.qr(torch.randn(6, 6))[0]
    half = basis * EIGENVALUES.sqrt()
    model = nn.ParameterList([torch.randn(6, 6) * 0.3, torch.randn(6, 6) * 0.3])
    optimizer = torch.optim.LBFGS(
        model.parameters(), max_iter=60, line_search_fn="strong_wolfe", tolerance_grad=1e-9, tolerance_change=1e-13
    )  # fmt: skip

    def step(_):
        def closure():
            optimizer.zero_grad()
            value = loss_of(model[0], model[1], half)
            value.backward()
            return value

        return {"loss": optimizer.step(closure).item()}

    fit(step, TensorBatches(torch.zeros(1)), epochs=epochs, model=model)
    return basis, model[1].detach(), loss_of(model[0], model[1], half).item()


def angles(basis, decoder):
    """Largest angle between the first k columns of the decoder and the k leading eigenvectors, for each k."""
    found = []
    for k in range(1, 6):
        own = torch.linalg.qr(decoder[:, :k].double())[0]
        cosines = torch.linalg.svdvals(own.T @ basis[:, :k].double())
        found.append(np.degrees(np.arccos(np.clip(cosines.min().item(), -1, 1))))
    return found


def over_all_lengths(E, F, half):
    code = E @ half
    kept = torch.tril(torch.ones(6, 6))
    return ((half - F @ (kept[:, :, None] * code)) ** 2).sum((1, 2)).mean()


def under_plain_dropout(E, F, half):
    """The expectation over masks with half of the entries, rescaled: closed, as masks are independent."""
    code = E @ half
    spread = (F**2).sum(0) @ (code**2).sum(1)
    return ((half - F @ code) ** 2).sum() + spread


@pytest.mark.parametrize("seed", range(4))
def test_a_linear_autoencoder_learns_the_principal_components_in_order(seed):
    basis, decoder, loss = autoencoder(over_all_lengths, seed, 40)
    assert max(angles(basis, decoder)) < 1.0
    tails = [EIGENVALUES[k:].sum().item() for k in range(1, 7)]
    assert loss == pytest.approx(np.mean(tails), rel=1e-5)


def test_plain_dropout_gives_no_order():
    basis, decoder, _ = autoencoder(under_plain_dropout, 0, 40)
    assert max(angles(basis, decoder)) > 20
