"""The sparse denoising autoencoder is the masked dense one; noise and standardisation are what they say."""

import numpy as np
import pytest

from salience.networks.sparse import activations
from salience.tabular.quickselection.denoising import Batches, DenoisingAutoencoder


def network_of(d=12, hidden=7, **given):
    defaults = {"eps": 2, "dropout": 0.0, "dtype": np.float64}
    return DenoisingAutoencoder(d, hidden, np.random.default_rng(0), **{**defaults, **given})


def feature_major(X, dtype=np.float64):
    wide = activations(X.shape[1], len(X), dtype)
    wide[:, : len(X)] = X.T
    return wide


def batches_of(d, **given):
    batches = Batches(**{"noise": 0.2, "clip": 5.0, "fixed": False, "seed": 1, "dtype": np.float64, **given})
    batches.scale(np.zeros(d), np.ones(d))
    return batches


@pytest.mark.parametrize("output", ["linear", "tanh"])
@pytest.mark.parametrize("shape", [(12, 7), (7, 12)], ids=["wide", "narrow"])
def test_steps_are_those_of_the_masked_dense_network(output, shape):
    torch = pytest.importorskip("torch")
    d, hidden = shape
    network = network_of(d, hidden, output=output, lr=0.1, momentum=0.9, weight_decay=1e-3)
    rng = np.random.default_rng(1)
    weights = [network.encoder.dense(), np.zeros(hidden), network.decoder.dense(), np.zeros(d)]
    masks = [weights[0] != 0, np.ones(hidden), weights[2] != 0, np.ones(d)]
    velocity = [np.zeros_like(w) for w in weights]
    for _ in range(4):
        X = rng.normal(size=(10, d))
        noisy = X + 0.2 * rng.normal(size=X.shape)
        w1, b1, w2, b2 = (torch.tensor(w, requires_grad=True) for w in weights)
        out = torch.sigmoid(torch.tensor(noisy) @ w1 + b1) @ w2 + b2
        out = torch.tanh(out) if output == "tanh" else out
        loss = 0.5 * ((out - torch.tensor(X)) ** 2).sum(1).mean()
        loss.backward()
        assert network.step(feature_major(X), feature_major(noisy), 10) == pytest.approx(
            loss.item(), rel=1e-10
        )
        for i, tensor in enumerate((w1, b1, w2, b2)):
            velocity[i] = 0.9 * velocity[i] - 0.1 * tensor.grad.numpy() * masks[i]
            weights[i] = weights[i] + velocity[i] - 1e-3 * weights[i]
    for layer, weight, bias in ((network.encoder, *weights[:2]), (network.decoder, *weights[2:])):
        np.testing.assert_allclose(layer.dense(), weight, atol=1e-10)
        np.testing.assert_allclose(layer.bias, bias, atol=1e-10)


def test_float32_takes_the_same_steps():
    X = np.random.default_rng(1).normal(size=(10, 12))
    exact, quick = network_of(), network_of()
    for layer in (quick.encoder, quick.decoder):
        for name in ("weight", "velocity", "bias", "bias_velocity"):
            setattr(layer, name, getattr(layer, name).astype(np.float32))
        layer.dtype = np.dtype(np.float32)
    for _ in range(5):
        exact.step(feature_major(X), feature_major(X), 10)
        quick.step(feature_major(X, np.float32), feature_major(X, np.float32), 10)
    np.testing.assert_allclose(quick.encoder.dense(), exact.encoder.dense(), atol=1e-5)


def test_the_derivative_of_tanh_is_taken_once():
    """The official code takes it at the activated value: tanh twice."""
    network = network_of(output="tanh", lr=1.0, momentum=0.0, weight_decay=0.0)
    X = np.full((1, 12), 0.3)
    hidden = 1 / (1 + np.exp(-X @ network.encoder.dense()))
    y = np.tanh(hidden @ network.decoder.dense())
    network.step(feature_major(X), feature_major(X), 1)
    np.testing.assert_allclose(network.decoder.bias, (-(y - X) * (1 - y**2))[0], atol=1e-12)


def test_padding_takes_no_part():
    X = np.random.default_rng(1).normal(size=(5, 12))
    one, other = network_of(), network_of()
    wide = np.concatenate([feature_major(X), np.zeros((12, 16))], axis=1)
    assert one.step(feature_major(X), feature_major(X), 5) == pytest.approx(other.step(wide, wide, 5))
    np.testing.assert_allclose(one.encoder.dense(), other.encoder.dense(), atol=1e-12)


def test_a_dropped_neuron_learns_nothing_and_the_share_is_right():
    network = network_of(40, 400, dropout=0.2, lr=1.0, momentum=0.0, weight_decay=0.0)
    before = network.decoder.dense()
    X = np.random.default_rng(1).normal(size=(1, 40))
    network.step(feature_major(X), feature_major(X), 1)
    connected = (before != 0).any(axis=1)
    still = (network.decoder.dense() == before).all(axis=1)[connected].mean()
    assert still == pytest.approx(0.2, abs=0.06)


def test_an_extreme_input_saturates_without_a_warning(recwarn):
    X = np.full((2, 12), 1e6)
    assert np.isfinite(network_of(dtype=np.float64).step(feature_major(X), feature_major(X), 2))
    assert not recwarn


# ---- batches --------------------------------------------------------------------------------------------


def test_a_batch_is_standardised_clipped_and_transposed():
    batches = batches_of(3, noise=0.0)
    batches.scale(np.array([1.0, 2.0, 3.0]), np.array([2.0, 1.0, 0.0]))
    clean, noisy = batches.make(np.array([[1.5, 99.0, 3.0], [0.0, 2.5, 4.0]]), np.arange(2), 1)
    np.testing.assert_array_equal(clean[:, :2], [[1.0, -2.0], [5.0, 0.5], [0.0, 0.0]])
    np.testing.assert_array_equal(clean, noisy)
    assert clean.shape == (3, 16)
    assert not clean[:, 2:].any()


def test_noise_is_standard_normal():
    clean, noisy = batches_of(300).make(np.zeros((500, 300)), np.arange(500), 1)
    noise = (noisy - clean)[:, :500] / 0.2
    assert noise.mean() == pytest.approx(0, abs=0.01)
    assert noise.std() == pytest.approx(1, abs=0.01)
    assert (noise**4).mean() == pytest.approx(3, abs=0.06)
    assert abs(np.corrcoef(noise[:-1].ravel(), noise[1:].ravel())[0, 1]) < 0.01
    assert abs(np.corrcoef(noise[:, :-1].ravel(), noise[:, 1:].ravel())[0, 1]) < 0.01


def test_noise_belongs_to_the_row_and_is_new_in_every_epoch():
    X, rows = np.zeros((6, 4)), np.arange(6)
    whole = batches_of(4).make(X, rows, 1)[1].copy()
    part = batches_of(4).make(X[2:4], rows[2:4], 1)[1].copy()
    later = batches_of(4).make(X, rows, 2)[1].copy()
    np.testing.assert_array_equal(whole[:, 2:4], part[:, :2])
    assert not np.isclose(whole[:, :6], later[:, :6]).any()


def test_fixed_noise_is_the_same_in_every_epoch():
    batches = batches_of(4, fixed=True)
    first = batches.make(np.zeros((6, 4)), np.arange(6), 1)[1].copy()
    np.testing.assert_array_equal(first, batches.make(np.zeros((6, 4)), np.arange(6), 2)[1])


def test_a_constant_column_gets_no_noise():
    batches = batches_of(2)
    batches.scale(np.zeros(2), np.array([1.0, 0.0]))
    _, noisy = batches.make(np.ones((3, 2)), np.arange(3), 1)
    assert noisy[0, :3].all()
    assert not noisy[1].any()
