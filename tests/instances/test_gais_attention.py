"""The graph attention network against its formula, and what is read off it."""

import numpy as np
import pytest
import torch

from salience.instances.gais import training
from salience.instances.gais.attention import GAT, Edges, GraphAttention
from salience.instances.gais.graphs import GRAPHS, GraphOptions, RowGraph
from salience.instances.gais.training import Learning, read_rows

WEIGHTS = np.linspace(0.3, 1.0, 9)
PAIRS = [(0, 1), (0, 2), (1, 0), (2, 3), (2, 4), (3, 2), (4, 5), (5, 0), (5, 1)]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def edges():
    receiver, sender = torch.tensor(PAIRS).T
    return Edges.with_loops(receiver, sender, torch.tensor(WEIGHTS, dtype=torch.float32), nodes=6)


def by_hand(layer, h):
    """Plain double loop in float64."""
    weight = dict(zip(PAIRS, np.log(WEIGHTS), strict=True)) | {(i, i): 0.0 for i in range(6)}
    W = layer.W.detach().double().view(-1, layer.heads, layer.n_out).numpy()
    a1, a2 = (a.detach().double().numpy() for a in (layer.a1, layer.a2))
    h = h.double().numpy()
    out = np.zeros((6, layer.heads, layer.n_out))
    alpha = np.zeros((6, 6, layer.heads))
    for k in range(layer.heads):
        Wh = h @ W[:, k]
        for i in range(6):
            total = 0.0
            for j in range(6):
                if (i, j) in weight:
                    z = a1[k] @ Wh[i] + a2[k] @ Wh[j] + weight[i, j]
                    alpha[i, j, k] = np.exp(z if z > 0 else 0.2 * z)
                    total += alpha[i, j, k]
            alpha[i, :, k] /= total
            out[i, k] = alpha[i, :, k] @ Wh
    return out, alpha


def test_a_layer_equals_the_double_loop(edges):
    layer = GraphAttention(4, 3, 2, generator())
    h = torch.randn(6, 4, generator=generator(1))
    out, alpha = layer(h, edges)
    wanted, paid = by_hand(layer, h)
    np.testing.assert_allclose(out.detach(), wanted, atol=1e-6)
    np.testing.assert_allclose(alpha.detach(), paid[edges.receiver, edges.sender], atol=1e-6)


def test_attention_sums_to_one_and_vanishes_off_the_graph(edges):
    layer = GraphAttention(4, 3, 2, generator())
    h = torch.randn(6, 4, generator=generator(1))
    out, alpha = layer(h, edges)
    total = torch.zeros(6, 2).index_add(0, edges.receiver, alpha)
    np.testing.assert_allclose(total.detach(), 1.0, atol=1e-6)
    h[3] += 100.0  # only 2 and 3 itself look at 3
    moved = (layer(h, edges)[0] - out).abs().amax((1, 2)) > 0
    assert moved.tolist() == [False, False, True, True, False, False]


def test_without_a_attention_is_uniform_on_a_full_graph():
    receiver, sender = torch.cartesian_prod(torch.arange(6), torch.arange(6)).T
    kept = receiver != sender
    edges = Edges.with_loops(receiver[kept], sender[kept], torch.ones(30), nodes=6)
    layer = GraphAttention(4, 3, 2, generator())
    with torch.no_grad():
        layer.a1.zero_()
        layer.a2.zero_()
        _, alpha = layer(torch.randn(6, 4, generator=generator(1)), edges)
    np.testing.assert_allclose(alpha, 1 / 6, atol=1e-6)


def test_first_weights_are_even_around_zero_within_the_reach_of_glorot():
    layer = GraphAttention(40, 20, 5, generator())
    for weights, reach in (
        (layer.W, (6 / 60) ** 0.5),
        (layer.a1, (6 / 21) ** 0.5),
        (layer.a2, (6 / 21) ** 0.5),
    ):
        assert 0.9 * reach < weights.max() <= reach
        assert -reach <= weights.min() < -0.9 * reach
    assert abs(layer.W.mean()) < 0.01


def test_huge_scores_stay_finite(edges):
    layer = GraphAttention(4, 3, 2, generator())
    out, alpha = layer(1e4 * torch.randn(6, 4, generator=generator(1)), edges)
    assert out.isfinite().all()
    assert alpha.isfinite().all()


def test_masking_drops_a_share_of_the_edges_and_no_loop():
    n = 2000
    receiver = torch.arange(n).repeat_interleave(5)
    edges = Edges.with_loops(receiver, (receiver + 1) % n, torch.ones(5 * n), n)
    masked = edges.masked(0.2, generator())
    assert int(masked.loop.sum()) == n
    assert int((~masked.loop).sum()) == pytest.approx(0.8 * 5 * n, rel=0.03)
    assert len(edges.masked(0.0, generator()).receiver) == len(edges.receiver)


def test_the_network_is_two_layers_of_it(edges):
    network = GAT(4, 3, 2, 5, generator())
    x = torch.randn(6, 4, generator=generator(1))
    logits, (alpha, beta) = network(x, edges)
    h = torch.nn.functional.elu(torch.tensor(by_hand(network.first, x)[0]).flatten(1)).float()
    wanted, _ = by_hand(network.second, h)
    np.testing.assert_allclose(logits.detach(), wanted[:, 0], atol=1e-5)
    assert (alpha.shape[1], beta.shape[1]) == (2, 1)


# ---- what is read ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    codes = np.repeat([0, 1, 2], [50, 40, 30])
    return rng.normal(size=(120, 4)) + 3.0 * np.eye(4)[codes], codes


def graph_of(table, name="minibatch", **options):
    return GRAPHS[name](*table, np.random.default_rng(0), GraphOptions(**{"batch_size": 40, **options}))


QUICK = Learning(epochs=15)


@pytest.mark.parametrize("name", sorted(GRAPHS))
def test_attention_received_and_attention_to_oneself_add_up_to_the_rows(table, name):
    """The part that is not received from others, with the attention of the loops, is 1 per row, layer and head."""
    graph = graph_of(table, name)
    reading = read_rows(*table, graph, QUICK, 0)
    paid = np.bincount(graph.receiver, weights=reading.edge_attention, minlength=120)
    assert (paid <= 1 + 1e-5).all()
    assert reading.attention.sum() + (1 - paid).sum() == pytest.approx(120, rel=1e-5)
    received = np.bincount(graph.sender, weights=reading.edge_attention, minlength=120)
    np.testing.assert_allclose(reading.attention, received, rtol=1e-5)
    assert ((reading.confidence >= 0) & (reading.confidence <= 1)).all()


def test_rows_are_read_the_same_in_blocks_and_at_once(table, monkeypatch):
    graph = graph_of(table, "knn")
    at_once = read_rows(*table, graph, QUICK, 0)
    monkeypatch.setattr("salience.instances.gais.training.AT_ONCE", 100)
    in_blocks = read_rows(*table, graph, QUICK, 0)
    np.testing.assert_allclose(at_once.attention, in_blocks.attention, atol=1e-5)
    np.testing.assert_allclose(at_once.confidence, in_blocks.confidence, atol=1e-5)


def test_reading_is_the_forward_pass_of_each_batch(table, monkeypatch):
    """Batches do not touch: the pass over the whole graph is the dense one of each batch."""
    seen = {}
    original = training._read

    def spy(model, x, graph):
        seen["logits"], seen["paid"] = original(model, x, graph)
        seen["model"], seen["x"] = model, x
        return seen["logits"], seen["paid"]

    monkeypatch.setattr(training, "_read", spy)
    graph = graph_of(table)
    read_rows(*table, graph, QUICK, 0)
    for rows in graph.pieces:
        place = {int(row): at for at, row in enumerate(rows)}
        inside = np.isin(graph.receiver, rows)
        receiver, sender = (
            torch.tensor([place[int(r)] for r in side[inside]]) for side in (graph.receiver, graph.sender)
        )
        edges = Edges.with_loops(receiver, sender, torch.ones(len(receiver)), len(rows))
        with torch.no_grad():
            logits, attention = seen["model"](seen["x"][torch.from_numpy(rows)], edges)
        np.testing.assert_allclose(logits, seen["logits"][rows], atol=1e-4)
        mean = torch.cat(attention, 1).mean(1)[: len(receiver)]
        np.testing.assert_allclose(mean, seen["paid"][inside], atol=1e-5)


def test_the_order_of_the_rows_permutes_the_scores_when_the_partition_is_the_same(table, monkeypatch):
    X, codes = table
    graph = graph_of(table)
    order = np.random.default_rng(1).permutation(120)
    place = np.argsort(order)  # old row -> new row
    moved = RowGraph.of(
        [(place[graph.receiver], place[graph.sender], graph.weight)], [place[p] for p in graph.pieces], 120
    )
    held = np.zeros(120, dtype=bool)
    held[::10] = True
    # rows are held out at random, and edges dropped by their place: neither is to differ between the two
    how = Learning(epochs=15, drop_edges=0.0)
    monkeypatch.setattr("salience.instances.gais.training._held_out", lambda *given: held)
    plain = read_rows(X, codes, graph, how, 0)
    monkeypatch.setattr("salience.instances.gais.training._held_out", lambda *given: held[order])
    permuted = read_rows(X[order], codes[order], moved, how, 0)
    np.testing.assert_allclose(permuted.attention, plain.attention[order], atol=1e-3)
    np.testing.assert_allclose(permuted.confidence, plain.confidence[order], atol=1e-3)


def test_the_same_seed_gives_the_same_bits_and_leaves_torch_alone(table):
    graph = graph_of(table)
    before = torch.random.get_rng_state(), torch.get_num_threads()
    first, again, other = (read_rows(*table, graph, QUICK, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.attention, again.attention)
    np.testing.assert_array_equal(first.confidence, again.confidence)
    assert (first.confidence != other.confidence).any()
    assert torch.equal(torch.random.get_rng_state(), before[0])
    assert torch.get_num_threads() == before[1]


@pytest.mark.parametrize(
    "other",
    [{"drop_edges": 0.6}, {"weight_decay": 0.1}, {"lr": 0.05}, {"heads": 2}, {"hidden": 8}, {"epochs": 16}],
    ids=lambda other: next(iter(other)),
)
def test_what_is_asked_of_the_training_is_done(table, other):
    graph = graph_of(table)
    usual = {"epochs": 15, "heads": 4, "hidden": 16}
    plain, changed = (read_rows(*table, graph, Learning(**{**usual, **more}), 0) for more in ({}, other))
    assert np.abs(plain.confidence - changed.confidence).max() > 1e-3


def test_a_tenth_of_each_class_is_held_out_at_least_one_row_and_never_all():
    codes = np.repeat([0, 1, 2, 3], [200, 12, 2, 1])
    covered = np.ones(215, dtype=bool)
    held = training._held_out(codes, covered, 0.1, np.random.default_rng(0))
    assert np.bincount(codes[held], minlength=4).tolist() == [20, 1, 1, 0]
    most = training._held_out(codes, covered, 0.99, np.random.default_rng(0))
    assert np.bincount(codes[most], minlength=4).tolist() == [198, 11, 1, 0]


def test_the_seed_decides_who_is_held_out_and_how_the_network_begins(table, monkeypatch):
    graph, asked = graph_of(table), []

    def held_out(codes, covered, share, rng):
        asked.append((share, rng.random()))
        return np.arange(120) % 10 == 0

    monkeypatch.setattr(training, "_held_out", held_out)
    read = [read_rows(*table, graph, Learning(epochs=1, held_out=0.3), seed) for seed in (0, 1, 0)]
    assert [share for share, _ in asked] == [0.3] * 3
    assert asked[0] == asked[2] != asked[1]
    assert (read[0].confidence == read[2].confidence).all()
    assert (read[0].confidence != read[1].confidence).any(), (
        "the same rows are held out, and the network is another"
    )


def test_which_pieces_are_learned_from_is_drawn(table, monkeypatch):
    graph, taken = graph_of(table), []
    original = training._piece
    monkeypatch.setattr(
        training, "_piece", lambda graph, rows, *rest: taken.append(rows) or original(graph, rows, *rest)
    )
    for seed in range(8):
        read_rows(*table, graph, Learning(epochs=1, train_batches=1), seed)
    assert len(taken) == 8
    assert len({rows[0] for rows in taken}) > 1


def test_pieces_come_in_a_new_order_each_epoch():
    pieces, source = training._Shuffled(list(range(20))), generator()
    first, second = (list(pieces.epoch(source)) for _ in range(2))
    assert sorted(first) == sorted(second) == list(range(20))
    assert list(range(20)) != first != second


def test_the_accuracy_is_the_mean_recall_of_the_classes_that_are_held_out(table, monkeypatch):
    """All rows are taken for class 0: of four held out of class 0 and one of class 1, half are recognised and not .8."""
    X, codes = table
    held = np.zeros(120, dtype=bool)
    held[[0, 1, 2, 3, 60]] = True
    monkeypatch.setattr(training, "_held_out", lambda *given: held)
    monkeypatch.setattr(
        training,
        "_read",
        lambda model, x, graph: (torch.tensor([[9.0, 0, 0]] * 120), np.zeros(len(graph.sender), np.float32)),
    )
    found = read_rows(X, codes, graph_of(table), Learning(epochs=1), 0)
    assert (found.accuracy, found.chance) == (0.5, 0.5)


def test_labels_held_out_are_not_learned_from(table, monkeypatch):
    X, codes = table
    graph = graph_of(table)
    held = np.zeros(120, dtype=bool)
    held[[0, 60, 100]] = True
    monkeypatch.setattr("salience.instances.gais.training._held_out", lambda *given: held)
    other = codes.copy()
    other[[0, 60, 100]] = [2, 0, 1]
    first, second = (read_rows(X, labels, graph, QUICK, 0) for labels in (codes, other))
    np.testing.assert_array_equal(first.attention, second.attention)
    np.testing.assert_array_equal(first.confidence[~held], second.confidence[~held])
    assert (first.accuracy, second.accuracy) == (1.0, 0.0)


def test_few_batches_are_learned_from_and_all_rows_are_read(table):
    few = read_rows(*table, graph_of(table), Learning(epochs=15, train_batches=1), 0)
    assert np.isfinite(few.attention).all()
    assert few.accuracy > 0.8
    assert len(few.loss) == 15
    assert few.loss[-1] < few.loss[0]


def test_rows_outside_the_drawn_batches_are_not_read(table):
    graph = graph_of(table, n_batches=1)
    reading = read_rows(*table, graph, QUICK, 0)
    np.testing.assert_array_equal(np.isnan(reading.attention), ~graph.covered)
    np.testing.assert_array_equal(np.isnan(reading.confidence), ~graph.covered)


def test_an_interrupted_training_says_so(table):
    def interrupt(epoch):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read_rows(*table, graph_of(table), QUICK, 0, interrupt)
