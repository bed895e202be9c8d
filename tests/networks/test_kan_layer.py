"""Spline layers and networks of them: exact checks against scipy, by hand, and by finite differences."""

import copy
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import BSpline
from torch.nn import functional

from salience.networks import KAN, KANLayer, TensorBatches, fit, supervised_step
from salience.networks.splines import bump, cox_de_boor, extended

SHAPES = [(2, 1), (3, 2), (5, 3), (4, 5)]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def rows(n, d, seed=0, scale=1.0):
    return scale * torch.randn(n, d, generator=seeded(seed))


def inside(n, d):
    return 2 * torch.rand(n, d, generator=seeded()) - 1


def by_scipy(x, knots, order):
    """Every basis function on its own, 0 outside, shape (rows, basis)."""
    count = len(knots) - order - 1
    pieces = [BSpline.basis_element(knots[m : m + order + 2], extrapolate=False)(x) for m in range(count)]
    return np.nan_to_num(np.stack(pieces, axis=-1))


# ---- the basis ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("grid", "order"), SHAPES)
def test_the_basis_sums_to_1_between_the_ends_of_the_grid(grid, order):
    x = torch.linspace(-1, 1, 301)[:, None]
    assert torch.allclose(KANLayer(1, 1, grid, order).basis(x).sum(2), torch.ones(301, 1), atol=1e-6)


@pytest.mark.parametrize(("grid", "order"), SHAPES)
@pytest.mark.parametrize("way", ["uniform", "any"])
def test_the_basis_is_that_of_scipy(grid, order, way):
    layer = KANLayer(2, 1, grid, order, -1.5, 2.0)
    x = rows(200, 2, scale=2).double()
    layer.double()
    found = layer.basis(x).numpy() if way == "uniform" else layer._basis_at(x).permute(0, 2, 1).numpy()
    expected = np.stack([by_scipy(x[:, i].numpy(), layer.knots[i].numpy(), order) for i in range(2)], axis=1)
    assert np.abs(found - expected).max() < 1e-6


def test_the_basis_on_uneven_knots_is_that_of_scipy():
    inner = torch.tensor([[-1.0, -0.7, 0.1, 0.15, 2.0]], dtype=torch.float64)
    knots = extended(inner, 3)
    x = torch.linspace(-3, 4, 400, dtype=torch.float64)[:, None]
    found = cox_de_boor(x, knots, 3)[:, :, 0].numpy()
    assert np.abs(found - by_scipy(x[:, 0].numpy(), knots[0].numpy(), 3)).max() < 1e-10


def test_order_1_gives_hat_functions():
    x = torch.linspace(-3, 3, 121)[:, None]
    hats = KANLayer(1, 1, grid=2, order=1).basis(x)[:, 0]
    expected = torch.stack([(1 - (x[:, 0] - centre).abs()).clamp_min(0) for centre in (-1, 0, 1)], dim=1)
    assert torch.allclose(hats, expected, atol=1e-6)


@given(st.integers(1, 6), st.lists(st.floats(-5, 5), min_size=1, max_size=20))
def test_a_bump_is_even_not_negative_and_vanishes_beyond_its_reach(order, distances):
    v = torch.tensor(distances, dtype=torch.float64)
    found = bump(v, order)
    assert torch.equal(found, bump(-v, order))
    assert (found >= -1e-12).all()
    assert (found[v.abs() >= (order + 1) / 2] == 0).all()


def test_equal_knots_give_zeros_and_not_nan():
    knots = torch.tensor([[0.0, 0.0, 0.0, 1.0, 2.0]])
    assert torch.isfinite(cox_de_boor(torch.linspace(-1, 3, 50)[:, None], knots, 2)).all()


# ---- the layer ------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(
    n_in=st.integers(1, 5), n_out=st.integers(1, 5), grid=st.integers(1, 6), order=st.integers(1, 4),
    count=st.integers(0, 20), seed=st.integers(0, 99),
)  # fmt: skip
def test_the_output_is_the_sum_of_the_contributions(n_in, n_out, grid, order, count, seed):
    layer = KANLayer(n_in, n_out, grid, order, generator=seeded(seed))
    x = rows(count, n_in, seed)
    parts = layer.contributions(x)
    assert parts.shape == (count, n_in, n_out)
    assert torch.allclose(layer(x), parts.sum(1), atol=1e-5)


def test_pieces_are_the_contributions_of_some_inputs_at_a_time(monkeypatch):
    monkeypatch.setattr("salience.networks.kanlayer.CELLS", 60)
    layer, x = KANLayer(7, 2), rows(10, 7)
    pieces = list(layer.pieces(x))
    assert [piece.shape[1] for _, piece in pieces] == [3, 3, 1]
    assert torch.allclose(torch.cat([piece for _, piece in pieces], 1), layer.contributions(x), atol=1e-6)


def test_training_builds_nothing_of_rows_by_outputs_by_inputs():
    layer = KANLayer(30, 40, grid=2, order=1)
    sizes = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: sizes.append(t.numel()) or t, lambda t: t):
        layer(rows(64, 30)).sum().backward()
    assert max(sizes) <= max(64 * 30 * 3, 40 * 30 * 3) < 64 * 30 * 40


def test_the_gradient_is_that_of_finite_differences():
    layer = KANLayer(2, 3, grid=3, order=3).double()
    x = rows(5, 2).double().requires_grad_()
    assert torch.autograd.gradcheck(layer, x)


def test_the_first_curves_are_a_little_noise_and_the_scale_is_1():
    layer = KANLayer(4, 50, grid=5, order=3, generator=seeded())
    with torch.no_grad():
        layer.base.zero_()
        at_points = layer.contributions(torch.linspace(-1, 1, 6)[:, None].expand(-1, 4))
    assert (layer.scale == 1).all()
    assert at_points.abs().max() <= 0.5 * 0.1 / 5 + 1e-6
    assert at_points.std() == pytest.approx(0.1 / 5 / 12**0.5, rel=0.1)


def test_the_same_generator_gives_the_same_weights():
    one, two, other = (KANLayer(2, 3, generator=seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(one.coef, two.coef)
    assert torch.equal(one.base, two.base)
    assert not torch.equal(one.coef, other.coef)


def test_curves_are_the_functions_of_one_input():
    layer = KANLayer(3, 2, grid=4, order=3, lo=-2, hi=2)
    points, curves = layer.curves(1, n=50)
    assert (points[0].item(), points[-1].item()) == (-2, 2)
    x = torch.zeros(50, 3)
    x[:, 1] = points
    assert torch.allclose(curves, layer.contributions(x)[:, 1], atol=1e-6)
    with pytest.raises(ValueError, match="inputs 0 to 2, got 3"):
        layer.curves(3)


def test_knocking_out_sets_the_functions_to_0_and_restores_every_bit():
    layer, x = KANLayer(4, 3), rows(9, 4)
    before = copy.deepcopy(layer.state_dict())
    rest = layer.contributions(x)[:, [0, 2]].sum(1)
    with layer.knockout([1, 3]):
        assert torch.allclose(layer(x), rest, atol=1e-6)
        assert (layer.contributions(x)[:, [1, 3]] == 0).all()
        assert all((weight[:, [1, 3]] == 0).all() for weight in (layer.base, layer.coef, layer.scale))
    assert all(torch.equal(before[name], tensor) for name, tensor in layer.state_dict().items())


def test_an_error_while_knocked_out_restores_every_bit_too():
    net = KAN([2, 3, 1])
    before = copy.deepcopy(net.state_dict())
    with pytest.raises(RuntimeError, match="stop"), net.knockout(0):
        raise RuntimeError("stop")
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())


def test_what_lies_beyond_the_knots_meets_the_silu_only():
    layer = KANLayer(1, 2, grid=2, order=1)  # knots from -2 to 2
    x = torch.tensor([[-2.5], [2.5]])
    assert torch.allclose(layer(x), functional.linear(functional.silu(x), layer.base))
    assert layer.outside(torch.tensor([[-2.5], [-1.5], [1.5], [2.5]])) == 0.5


# ---- moving the knots -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("grid", "finer"), [(3, 12), (5, 40)])
def test_a_finer_grid_draws_the_same_curves_at_the_points_it_was_fitted_to(grid, finer):
    layer, x = KANLayer(3, 4, grid, 3), inside(300, 3)
    before = layer(x)
    layer.update_grid(x, finer)
    assert (layer(x) - before).abs().max() < 1e-3


def test_the_same_knots_give_the_same_curves():
    layer = KANLayer(2, 3, grid=4, order=2)
    x = torch.cat([torch.tensor([[-1.0, -1.0], [1.0, 1.0]]), rows(200, 2, scale=0.3).clamp(-1, 1)])
    before = layer(x)
    layer.update_grid(x, eps=1.0, margin=0.0)
    assert torch.allclose(layer.knots, KANLayer(2, 3, grid=4, order=2).knots, atol=1e-6)
    assert (layer(x) - before).abs().max() < 1e-4


def test_no_more_rows_than_coefficients_are_met_exactly():
    layer, x = KANLayer(2, 3, grid=6, order=3), rows(6, 2)
    before = layer(x)
    layer.update_grid(x)
    assert (layer(x) - before).abs().max() < 1e-3


def test_the_scale_does_not_change_the_curves_when_knots_move():
    """Where the fit is not divided by the scale the curves are multiplied by it."""
    layer, x = KANLayer(2, 3, grid=4, order=3), inside(200, 2)
    with torch.no_grad():
        layer.scale.fill_(3.0)
    before = layer(x)
    layer.update_grid(x, 24)
    assert (layer(x) - before).abs().max() < 1e-3


def test_knots_follow_the_quantiles_and_stay_distinct_where_they_tie():
    layer = KANLayer(2, 1, grid=4, order=1)
    x = torch.stack([torch.linspace(0, 1, 101) ** 3, (torch.arange(101) > 90).float()], dim=1)
    layer.update_grid(x)
    assert layer.knots[0, 1:-1] == pytest.approx((torch.linspace(0, 1, 5) ** 3).numpy(), abs=0.02)
    assert layer.knots[1].diff().numpy() == pytest.approx(np.full(6, 1.02 / 4), abs=1e-5)
    assert (layer.knots.diff(dim=1) > 0).all()


def test_a_constant_input_keeps_finite_knots():
    layer, x = KANLayer(1, 2), torch.ones(20, 1)
    before = layer(x)
    layer.update_grid(x, margin=0.0)
    assert torch.isfinite(layer(x)).all()
    assert (layer(x) - before).abs().max() < 1e-3


def test_an_optimizer_keeps_its_hold_of_the_weights_when_knots_move():
    layer, x = KANLayer(2, 3), rows(100, 2)
    coef = layer.coef
    layer.update_grid(x)
    assert layer.coef is coef


@pytest.mark.parametrize(
    ("x", "how"),
    [
        (torch.zeros(0, 2), {}),
        (torch.full((3, 2), torch.nan), {}),
        (torch.zeros(3, 2), {"eps": 2.0}),
        (torch.zeros(3, 2), {"grid": 0}),
        (torch.zeros(3, 2), {"margin": -1.0}),
    ],
)
def test_knots_cannot_follow_what_is_not_there(x, how):
    with pytest.raises(ValueError, match="update_grid needs"):
        KANLayer(2, 1).update_grid(x, **how)


def test_a_copy_and_a_loaded_state_know_that_their_knots_are_uneven():
    layer, x = KANLayer(2, 3, grid=4, order=3), rows(50, 2)
    layer.update_grid(x)
    loaded = KANLayer(2, 3, grid=4, order=3)
    loaded.load_state_dict(layer.state_dict())
    for other in (loaded, pickle.loads(pickle.dumps(layer)), copy.deepcopy(layer)):
        assert torch.equal(other(x), layer(x))


# ---- networks -------------------------------------------------------------------------------------------


def test_the_attribution_of_one_layer_by_hand():
    net = KAN([2, 1], grid=2, order=1)
    with torch.no_grad():
        net.first.coef[:], net.first.base[:] = 0.0, torch.tensor([[2.0, 0.0]])
    flow = net.attribute(rows(100, 2))
    assert flow.inputs.numpy() == pytest.approx([1.0, 0.0], abs=1e-3)
    assert [len(nodes) for nodes in flow.nodes] == [2, 1]


def test_the_attribution_follows_its_formula_through_two_layers():
    net, x = KAN([3, 4, 2]), rows(60, 3)
    hidden = net.layers[0](x)
    last = net.layers[1].contributions(hidden).std(0).T / (net(x).std(0) + 1e-4)[:, None]
    first = net.contributions(x).std(0).T / (hidden.std(0) + 1e-4)[:, None] * last.sum(0)[:, None]
    flow = net.attribute(x)
    assert torch.allclose(flow.edges[1], last, atol=1e-6)
    assert torch.allclose(flow.inputs, first.sum(0), atol=1e-6)


def test_pruning_leaves_out_inputs_that_play_no_part_and_nothing_changes():
    net, x = KAN([4, 5, 1]), rows(50, 4)
    with torch.no_grad():
        for weight in (net.first.base, net.first.coef):
            weight[:, 2] = 0
    smaller, kept = net.prune_input(x)
    assert kept == [0, 1, 3]
    assert smaller.sizes == (3, 5, 1)
    assert torch.allclose(smaller(x[:, kept]), net(x), atol=1e-6)
    with pytest.raises(ValueError, match="no input scores above 99"):
        net.prune_input(x, threshold=99)


def test_interactions_are_the_inputs_that_meet_in_a_node():
    net = KAN([3, 2, 1])
    with torch.no_grad():
        net.layers[0].base[:] = torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
        net.layers[0].coef.zero_()
    x = rows(80, 3)
    assert net.interactions(x) == {(0, 1): 1, (2,): 1}
    assert net.interactions(x, floor=2) == {(0, 1, 2): 1}


def test_the_penalty_is_the_size_and_the_entropy_of_the_coefficients():
    net = KAN([2, 1], grid=2, order=1)
    with torch.no_grad():
        net.first.coef[:] = torch.tensor([[[1.0, -1.0, 1.0], [3.0, 3.0, -3.0]]])
    entropy = -(0.25 * np.log(0.25) + 0.75 * np.log(0.75))
    assert net.penalty().item() == pytest.approx(4 + entropy, rel=1e-5)
    assert net.penalty(l1=2, entropy=0).item() == pytest.approx(8)
    with torch.no_grad():
        net.first.coef.zero_()
    net.penalty().backward()
    assert torch.isfinite(net.first.coef.grad).all()


def test_the_penalty_of_activations_is_that_of_pykan():
    net, x = KAN([3, 2], grid=2, order=1), rows(40, 3)
    size = net.contributions(x).abs().mean(0).T  # (outputs, inputs), as pykan has it
    row = size / (size.sum(1, keepdim=True) + 1)
    column = size / (size.sum(0, keepdim=True) + 1)
    entropy = -(row * (row + 1e-4).log2()).sum(1).mean() - (column * (column + 1e-4).log2()).sum(0).mean()
    assert net.activation_penalty(x).item() == pytest.approx((size.sum() + 2 * entropy).item(), rel=1e-5)


def test_a_network_learns_a_product_of_functions():
    x = 2 * torch.rand(400, 3, generator=seeded()) - 1
    y = torch.sin(3 * x[:, :1]) * x[:, 1:2]
    net = KAN([3, 7, 1], generator=seeded())
    step = supervised_step(net, functional.mse_loss, torch.optim.Adam(net.parameters(), 0.02, fused=True))
    fit(step, TensorBatches(x, y, size=50), epochs=60, generator=seeded())
    assert functional.mse_loss(net(x), y) < 0.05 * y.var()
    assert net.attribute(x).inputs.argmin() == 2


def test_moving_all_knots_changes_little_when_there_are_more_of_them():
    net, x = KAN([3, 5, 2], grid=3), rows(200, 3)
    before = net(x)
    net.update_grid(x, 20)
    assert (net(x) - before).abs().max() < 1e-2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: KANLayer(0, 1), "n_in must be at least 1"),
        (lambda: KANLayer(1, 1, order=0), "order must be at least 1"),
        (lambda: KANLayer(1, 1, lo=1, hi=1), "lo must lie below hi"),
        (lambda: KAN([3]), "at least inputs and outputs"),
        (lambda: KAN([2, 1]).attribute(torch.zeros(1, 2)), "at least two rows"),
        (lambda: KAN([2, 1]).attribute(torch.zeros(5, 2), floor=2), "floor must be from 1 to 1"),
    ],
)
def test_what_makes_no_sense_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_shapes_are_checked_in_tests():
    with pytest.raises(Exception, match=r"rows|type"):
        KANLayer(2, 1)(torch.zeros(2))
