"""A sparse layer is the masked dense one, and its topology evolves as SET says."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salience.networks.sparse import SparseLayer, activations
from salience.networks.topology import free_cells, nearest_to_zero

LONG_INPUT, LONG_OUTPUT = (23, 9), (9, 23)
SHAPES = pytest.mark.parametrize("shape", [LONG_INPUT, LONG_OUTPUT], ids=["long-input", "long-output"])


def layer_of(shape, seed=0, **given):
    return SparseLayer(*shape, np.random.default_rng(seed), **{"eps": 2, "dtype": np.float64, **given})


def cells_of(layer):
    inputs, outputs = layer.connections()
    return inputs * layer.n_out + outputs


def by_cell(layer):
    """Weight and momentum of every connection, by its cell."""
    pairs = zip(layer.weight[: layer.size], layer.velocity[: layer.size], strict=True)
    return dict(zip(cells_of(layer).tolist(), pairs, strict=True))


# ---- the layer ------------------------------------------------------------------------------------------


@SHAPES
def test_the_output_is_that_of_the_dense_copy(shape):
    layer = layer_of(shape)
    layer.bias[:] = np.arange(layer.n_out)
    x = np.random.default_rng(1).normal(size=(layer.n_in, 16))
    expected = layer.dense().T @ x + layer.bias[:, None]
    np.testing.assert_allclose(layer.forward(x), expected, atol=1e-12)
    parts = [layer.forward(x, rows=rows) for rows in layer.blocks(5)]
    np.testing.assert_allclose(np.concatenate(parts), expected, atol=1e-12)


@SHAPES
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 1e-5)])
@pytest.mark.parametrize("eps", [2, 5], ids=["less than four in a row", "more than four in a row"])
def test_the_gradient_is_the_dense_one_at_the_connections(shape, dtype, tolerance, eps):
    torch = pytest.importorskip("torch")
    layer = layer_of(shape, dtype=dtype, eps=eps)
    rng = np.random.default_rng(1)
    x = rng.normal(size=(layer.n_in, 16)).astype(dtype)
    target = rng.normal(size=(layer.n_out, 16)).astype(dtype)

    dense = torch.tensor(layer.dense(), requires_grad=True)
    mask = torch.tensor(layer.dense() != 0)
    bias = torch.tensor(layer.bias, requires_grad=True)
    given = torch.tensor(x, requires_grad=True)
    (0.5 * ((dense * mask).T @ given + bias[:, None] - torch.tensor(target)) ** 2).sum().backward()

    before, back = layer.dense(), np.zeros_like(x)
    for rows in layer.blocks(5):
        error = layer.forward(x, rows=rows) - target[rows]
        layer.descend(x, error, lr=1.0, back=back, rows=rows)
    np.testing.assert_allclose(before - layer.dense(), dense.grad.numpy(), atol=tolerance * 10)
    np.testing.assert_allclose(-layer.bias, bias.grad.numpy(), atol=tolerance * 10)
    np.testing.assert_allclose(back, given.grad.numpy(), atol=tolerance * 10)


@SHAPES
def test_momentum_and_decoupled_decay(shape):
    layer = layer_of(shape)
    mask = layer.dense() != 0
    x, error = np.ones((layer.n_in, 16)), np.full((layer.n_out, 16), 0.25)
    weight, velocity, bias, bias_velocity = layer.dense(), 0.0, layer.bias.copy(), 0.0
    for _ in range(3):
        layer.descend(x, error, lr=0.01, momentum=0.9, decay=0.1)
        velocity = 0.9 * velocity - 0.01 * 4.0 * mask
        weight = weight + velocity - 0.1 * weight
        bias_velocity = 0.9 * bias_velocity - 0.01 * 4.0
        bias = bias + bias_velocity - 0.1 * bias
    np.testing.assert_allclose(layer.dense(), weight, atol=1e-12)
    np.testing.assert_allclose(layer.bias, bias, atol=1e-12)


@SHAPES
def test_strength_and_degree_are_those_of_the_dense_copy(shape):
    layer = layer_of(shape)
    dense = layer.dense()
    for axis, strength, degree in zip((1, 0), layer.strength(), layer.degree(), strict=True):
        np.testing.assert_allclose(strength, np.abs(dense).sum(axis))
        np.testing.assert_array_equal(degree, (dense != 0).sum(axis))


def test_a_neuron_without_a_connection_has_no_strength_and_an_output_of_its_bias():
    layer = layer_of((400, 3), eps=0.1)
    inputs, _ = layer.degree()
    assert (inputs == 0).any()
    assert layer.strength()[0][inputs == 0].sum() == 0


# ---- the start ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(784, 1000), (500, 200), (64, 100)])
def test_the_density_is_what_draws_with_replacement_leave(shape):
    layer = layer_of(shape, eps=13)
    cells = shape[0] * shape[1]
    drawn = 13 * sum(shape) / cells
    expected = 1 - (1 - 1 / cells) ** (13 * sum(shape))
    assert expected < drawn
    assert layer.density == pytest.approx(expected, rel=0.02)
    assert layer.weight.std() == pytest.approx(0.1, rel=0.05)


def test_more_connections_than_cells_make_a_dense_layer():
    layer = layer_of((4, 5), eps=13)
    assert (layer.size, layer.density, layer.requested) == (20, 1.0, 117)
    assert layer.evolve(0.2, np.random.default_rng(0)) > 0  # new weights in the cells that became free
    assert layer.size == 20


# ---- evolution ------------------------------------------------------------------------------------------


@SHAPES
@pytest.mark.parametrize("zeta", [0.2, 0.3, 0.9])
def test_what_goes_is_exactly_the_share_nearest_to_zero_of_either_sign(shape, zeta):
    layer = layer_of(shape)
    before = {cell: weight for cell, (weight, _) in by_cell(layer).items()}
    layer.prune(zeta)
    gone = set(before) - set(by_cell(layer))
    for sign in (1, -1):
        cells = sorted((cell for cell in before if sign * before[cell] > 0), key=lambda c: abs(before[c]))
        assert {cell for cell in gone if sign * before[cell] > 0} == set(
            cells[: int(zeta * len(cells) + 1e-9)]
        )


@SHAPES
def test_equal_weights_go_only_as_many_as_the_share(shape):
    layer = layer_of(shape)
    layer.weight[:] = np.where(np.arange(layer.size) % 2, 0.5, -0.5)
    half = (layer.size // 2, layer.size - layer.size // 2)
    assert layer.prune(0.2) == int(0.2 * half[0]) + int(0.2 * half[1])


@SHAPES
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), zeta=st.floats(0.05, 0.95), eps=st.floats(0.3, 8))
def test_evolution_keeps_the_number_of_connections_and_no_cell_is_there_twice(shape, seed, zeta, eps):
    layer = layer_of(shape, seed, eps=eps)
    rng, size = np.random.default_rng(seed), layer.size
    layer.velocity[:] = 1.0
    for _ in range(3):
        before = by_cell(layer)
        layer.prune(zeta)
        kept = by_cell(layer)
        assert kept.items() <= before.items()
        layer.grow(size - layer.size, rng)
        after = by_cell(layer)
        cells = cells_of(layer)
        assert layer.size == size == len(np.unique(cells))
        assert kept.items() <= after.items()  # weights and momentum of what stays
        assert all(after[cell][1] == 0 for cell in set(after) - set(kept))
        rows, columns = layer.connections() if layer.by_input else layer.connections()[::-1]
        assert (np.diff(rows * layer.columns + columns) > 0).all()


def test_all_free_cells_are_equally_likely():
    start, end = np.array([0, 2, 2, 3]), np.array([0, 2, 1], np.uint16)  # 3 x 3, cells 0, 2 and 7 taken
    rng = np.random.default_rng(0)
    for count in (1, 4):  # by rejection, and from a list
        drawn = [free_cells(start, end, 3, count, rng) for _ in range(3000)]
        times = np.bincount(np.concatenate(drawn), minlength=9)
        assert (times[[0, 2, 7]] == 0).all()
        np.testing.assert_allclose(times[[1, 3, 4, 5, 6, 8]], 3000 * count / 6, rtol=0.1)


@pytest.mark.parametrize("eps", [1, 6], ids=["drawn", "listed"])
@SHAPES
def test_growth_by_importance_prefers_important_inputs(shape, eps):
    layer = layer_of(shape, eps=eps)
    layer.prune(0.9)
    before = layer.degree()[0]
    important = np.zeros(layer.n_in)
    important[[2, 3]] = 1.0
    layer.grow(8, np.random.default_rng(0), inputs=important)
    grown = layer.degree()[0] - before
    assert grown.sum() == 8
    assert grown[[2, 3]].sum() >= min(8, 2 * layer.n_out - before[[2, 3]].sum())


def test_growth_by_importance_goes_elsewhere_when_the_important_are_full():
    layer = layer_of((40, 3), eps=1)
    layer.prune(0.9)
    important = np.zeros(40)
    important[0] = 1.0
    layer.grow(10, np.random.default_rng(0), inputs=important)
    assert layer.degree()[0][0] == 3
    assert len(np.unique(cells_of(layer))) == layer.size


def test_the_threshold_is_that_of_a_sort():
    sizes = np.random.default_rng(0).random(101)
    threshold, ties = nearest_to_zero(sizes.copy(), 0.2)
    assert (threshold, ties) == (np.sort(sizes)[19], 1)
    assert nearest_to_zero(np.array([1.0, 2.0]), 0.2) == (0, 0)


def test_the_same_seed_gives_the_same_layer():
    layers = [layer_of(LONG_INPUT, 3) for _ in range(2)]
    for layer in layers:
        layer.evolve(0.3, np.random.default_rng(1))
    np.testing.assert_array_equal(layers[0].dense(), layers[1].dense())


# ---- memory and the door --------------------------------------------------------------------------------


def test_the_peak_of_the_weights_is_below_a_twentieth_of_dense_weights():
    d, hidden = 20_000, 1000
    rng = np.random.default_rng(0)
    SparseLayer(30, 20, rng).evolve(0.2, rng)  # compiles
    tracemalloc.start()
    layers = [SparseLayer(d, hidden, rng), SparseLayer(hidden, d, rng)]
    for layer in layers:
        layer.evolve(0.2, rng)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    dense = 2 * d * hidden * 4  # the weights alone, without momentum and gradient
    assert sum(layer.nbytes for layer in layers) < 0.04 * dense
    assert peak < 0.05 * dense


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_activations_are_padded_and_lie_on_lines_of_the_cache(dtype):
    assert [activations(2, n, dtype).shape[1] for n in (1, 16, 17, 100)] == [16, 16, 32, 112]
    assert all(activations(n, 100, dtype).ctypes.data % 64 == 0 for n in (1, 2, 3, 500))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_in": 0}, "neurons on both sides"),
        ({"eps": 0}, "eps, the connections per neuron"),
        ({"eps": float("nan")}, "eps, the connections per neuron"),
        ({"dtype": np.int32}, "float32 or float64"),
    ],
)
def test_a_layer_that_cannot_be_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        SparseLayer(**{"n_in": 3, "n_out": 2, "rng": np.random.default_rng(0), **change})


def test_wrong_calls_are_refused_with_what_is_allowed():
    layer = layer_of(LONG_INPUT)
    with pytest.raises(ValueError, match=r"must lie in \(0, 1\), got 1"):
        layer.prune(1)
    with pytest.raises(ValueError, match="room for 0 to 0"):
        layer.grow(1, np.random.default_rng(0))
    with pytest.raises(ValueError, match="take all of them"):
        layer.forward(np.zeros((23, 16)), rows=slice(0, 3))
