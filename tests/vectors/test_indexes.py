"""One door for all indexes: ids, padding, orders, determinism, and what is refused."""

import builtins
import sys

import numpy as np
import pytest

import salience.vectors
from salience.measures.neighbors import nearest
from salience.vectors import FlatIndex
from salience.vectors.indexes.base import Index, as_permutation

LIBRARIES = {
    "FaissHnswIndex": "faiss",
    "HnswIndex": "hnswlib",
    "HnswIpIndex": "hnswlib",
    "IvfPqIndex": "faiss",
    "RabitqIndex": "faiss",
    "UsearchIndex": "usearch",
}
GRAPHS = ("FaissHnswIndex", "HnswIndex", "UsearchIndex")
WIDE = {name: {"ef_search": 400} for name in (*GRAPHS, "HnswIpIndex")} | {
    "IvfPqIndex": {"m": 4, "nbits": 4, "nprobe": 1000, "rerank": 400},
    "RabitqIndex": {"nprobe": 1000, "rerank": 400},
    "FlatIndex": {},
}
ALL = tuple(WIDE)


def made(name, **settings):
    """An index whose search is as good as exact on 400 rows."""
    if name in LIBRARIES:
        pytest.importorskip(LIBRARIES[name])
    return getattr(salience.vectors, name)(**{**WIDE[name], **settings})


@pytest.fixture(scope="module")
def X():
    return np.random.default_rng(0).normal(size=(400, 16)).astype(np.float32)


@pytest.fixture(scope="module")
def Q():
    return np.random.default_rng(1).normal(size=(25, 16))


@pytest.mark.parametrize("metric", ["l2", "ip", "cosine"])
@pytest.mark.parametrize("name", [name for name in ALL if name != "HnswIpIndex"])
def test_a_search_as_wide_as_the_data_is_exact(name, metric, X, Q):
    found = made(name, metric=metric).build(X).search(Q, 10)
    exact = nearest(X, Q, 10, metric=metric)[0]
    assert found.dtype == np.int64
    assert found.shape == (25, 10)
    # a graph on inner products has no way to rows that nobody is near to, however wide it is searched
    assert np.mean([len(set(a) & set(b)) for a, b in zip(found, exact, strict=True)]) >= (
        9.5 if metric == "ip" else 9.9
    )


def test_the_graph_on_inner_products_finds_them(X, Q):
    found = made("HnswIpIndex").build(X).search(Q, 5)
    assert np.mean(found == nearest(X, Q, 5, metric="ip")[0]) > 0.95


@pytest.mark.parametrize("name", ALL)
def test_ids_are_those_of_the_rows_in_any_order_of_insertion(name, X):
    order = np.random.default_rng(2).permutation(400)
    names = np.arange(400) * 3 + 5
    for index in (
        made(name).build(X, order=order, ids=names),
        made(name).build(X[order], names[order]),
        made(name).build(X, names),
    ):
        if name != "HnswIpIndex":  # the best inner product of a row is not itself
            assert np.array_equal(index.search(X[:20], 1)[:, 0], names[:20])
        assert set(index.search(X[:20], 5).ravel()) <= set(names)


@pytest.mark.parametrize("name", ALL)
def test_what_is_not_found_is_minus_one(name, X, Q):
    found = made(name, **({"ef_search": 600} if "ef_search" in WIDE[name] else {})).build(X).search(Q, 450)
    assert found.shape == (25, 450)
    assert (found[:, 400:] == -1).all()
    assert ((found == -1).cumsum(axis=1).astype(bool) == (found == -1)).all(), "only at the end"
    assert (
        np.diff(np.sort(found[:, :400], axis=1), axis=1)[np.sort(found[:, :400], axis=1)[:, 1:] >= 0] > 0
    ).all()


def test_a_graph_that_falls_apart_is_padded_and_not_an_error(Q):
    # two far clusters and two links per row: from one, the other cannot be reached
    X = np.vstack(
        [
            np.random.default_rng(0).normal(size=(300, 16)),
            np.random.default_rng(1).normal(size=(300, 16)) + 1e3,
        ]
    )
    found = made("HnswIndex", M=2, ef_construction=2, ef_search=600).build(X).search(Q, 600)
    assert (found[:, 0] >= 0).all()
    assert (found == -1).any()


@pytest.mark.parametrize("name", [name for name in ALL if name != "FlatIndex"])
def test_one_thread_gives_the_same_ids_twice(name, X, Q):
    narrow = (
        {"ef_search": 10, "M": 4, "ef_construction": 10}
        if "ef_search" in WIDE[name]
        else {"nprobe": 2, "rerank": 0}
    )
    first, second = (made(name, **narrow).build(X).search(Q, 10) for _ in range(2))
    assert first.tobytes() == second.tobytes()


@pytest.mark.parametrize("name", ["FaissHnswIndex", "HnswIndex"])
def test_the_seed_changes_the_graph(name, X):
    tall = np.vstack([X] + [X + s for s in (0.1, 0.2, 0.3)])
    one, two = (made(name, M=4, ef_construction=10, seed=seed).build(tall).links() for seed in (0, 1))
    assert not np.array_equal(one, two)


@pytest.mark.parametrize("name", GRAPHS)
def test_the_breadth_may_change_after_the_build(name, X, Q):
    index = made(name, M=4, ef_construction=10, ef_search=10).build(X)
    exact = nearest(X, Q, 10)[0]

    def recall():
        return np.mean([len(set(a) & set(b)) for a, b in zip(index.search(Q, 10), exact, strict=True)])

    narrow = recall()
    index.ef_search = 300
    assert recall() > narrow
    assert index.params["ef_search"] == 300


def test_faiss_takes_rows_in_an_order_of_its_own_unless_told_otherwise(X):
    """What an audit of orders must not fall for: a call with all rows hides their order."""
    pytest.importorskip("faiss")
    made_of = {"M": 4, "ef_construction": 20, "ef_search": 20}
    in_order = made("FaissHnswIndex", in_order=True, **made_of).build(X)
    at_once = made("FaissHnswIndex", **made_of).build(X)
    assert in_order.params["in_order"]
    assert not np.array_equal(in_order.links(), at_once.links())


@pytest.mark.parametrize("name", ["FaissHnswIndex", "HnswIndex"])
def test_links_of_the_lowest_level_are_told(name, X):
    index = made(name, M=5).build(X)
    links = index.links()
    assert links.shape == (400, 10)
    assert links.min() == -1
    assert links.max() < 400
    assert not (links == np.arange(400)[:, None]).any(), "no row links to itself"
    # links lead near: the mean distance along them is far below that of random pairs
    real = links >= 0
    along = np.linalg.norm(X[links] - X[:, None], axis=2)[real].mean()
    assert along < 0.85 * np.linalg.norm(X[np.random.default_rng(0).permutation(400)] - X, axis=1).mean()
    degree = index.in_degree()
    assert degree.sum() == real.sum()


@pytest.mark.parametrize("name", ["FaissHnswIndex", "HnswIndex"])
def test_in_degrees_are_in_the_order_of_the_rows(name):
    X = np.random.default_rng(0).normal(size=(300, 4))
    order = np.random.default_rng(1).permutation(300)
    degree = made(name, M=4).build(X, order=order).in_degree()
    assert np.array_equal(degree[order], made(name, M=4).build(X[order]).in_degree())


def test_usearch_does_not_tell_its_links(X):
    index = made("UsearchIndex").build(X)
    assert index.links() is None
    assert index.in_degree() is None


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int32])
def test_other_types_of_numbers_are_taken(name, dtype, X):
    index = made(name).build((X * 8).astype(dtype))
    assert index.search((X[:3] * 8).astype(dtype), 2).shape == (3, 2)


@pytest.mark.parametrize("name", ALL)
def test_params_say_how_to_build_it_again(name, X, Q):
    index = made(name)
    fixed = ("index", "metric") if name == "HnswIpIndex" else ("index",)
    again = type(index)(**{key: value for key, value in index.params.items() if key not in fixed})
    assert np.array_equal(index.build(X).search(Q, 5), again.build(X).search(Q, 5))
    assert isinstance(index, Index)
    assert repr(index).startswith(name)


def test_a_mapped_file_is_read_block_by_block(tmp_path, X, Q):
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    order = np.arange(400)[::-1].copy()
    a, b = (made("FaissHnswIndex").build(rows, order=order).search(Q, 5) for rows in (mapped, X))
    assert np.array_equal(a, b)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda index, X: index.search(X, 3), r"call build\(X\) first"),
        (lambda index, X: index.build(X[:0]), "empty"),
        (lambda index, X: index.build(X[0]), "matrix"),
        (lambda index, X: index.build(np.where(np.arange(400)[:, None] == 7, np.nan, X)), "first row 7"),
        (lambda index, X: index.build(X, np.zeros(400, dtype=int)), "different"),
        (lambda index, X: index.build(X, np.arange(400) - 1), "from 0 up"),
        (lambda index, X: index.build(X, np.arange(3)), "400 rows"),
        (lambda index, X: index.build(X, order=np.zeros(400, dtype=int)), "399 are missing"),
        (lambda index, X: index.build(X).search(X[:, :5], 3), "5 dimensions, the index 16"),
        (lambda index, X: index.build(X).search(X, 0), "k=0"),
    ],
)
def test_what_an_index_cannot_do_is_refused(name, call, message, X):
    with pytest.raises(ValueError, match=message):
        call(made(name), X)


@pytest.mark.parametrize("name", GRAPHS)
def test_wrong_rows_are_named_by_their_own_numbers_in_any_order(name, X):
    for value, metric, words in ((0.0, "cosine", "row 3 of X is zero"), (np.nan, "l2", "first row 3")):
        spoiled = X.copy()
        spoiled[[3, 9]] = value
        with pytest.raises(ValueError, match=words):
            made(name, metric=metric).build(spoiled, order=np.arange(400)[::-1])


@pytest.mark.parametrize("name", [name for name in ALL if name != "HnswIpIndex"])
def test_a_zero_vector_has_no_cosine(name, X):
    with pytest.raises(ValueError, match="row 3 of X is zero"):
        made(name, metric="cosine").build(np.where(np.arange(400)[:, None] == 3, 0, X))


@pytest.mark.parametrize("name", [*GRAPHS, "HnswIpIndex"])
def test_a_search_narrower_than_k_is_refused(name, X):
    index = made(name, ef_search=5).build(X)
    with pytest.raises(ValueError, match="ef_search=5 is smaller than k=10"):
        index.search(X[:2], 10)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("FlatIndex", {"metric": "hamming"}),
        ("HnswIndex", {"M": 1}),
        ("FaissHnswIndex", {"ef_search": 0}),
        ("HnswIndex", {"threads": 0}),
        ("HnswIndex", {"seed": -1}),
        ("IvfPqIndex", {"nbits": 20}),
        ("IvfPqIndex", {"nlist": 0}),
        ("RabitqIndex", {"query_bits": 9}),
        ("RabitqIndex", {"nprobe": 1.5}),
    ],
)
def test_impossible_parameters_are_refused(name, settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        made(name, **settings)


def test_codes_need_rows_to_learn_from(X):
    with pytest.raises(ValueError, match="at least 256 rows"):
        made("IvfPqIndex", nbits=8).build(X[:100])
    with pytest.raises(ValueError, match="m=48 codes for 16"):
        made("IvfPqIndex", m=48).build(X)
    with pytest.raises(ValueError, match="nlist=500"):
        made("RabitqIndex", nlist=500).build(X)


@pytest.mark.parametrize("name", sorted(LIBRARIES))
def test_a_missing_library_says_what_to_install(name, monkeypatch):
    library = LIBRARIES[name]
    real = builtins.__import__

    def without(module, *args, **kwargs):
        if module.partition(".")[0] == library:
            raise ModuleNotFoundError(f"No module named {library!r}", name=library)
        return real(module, *args, **kwargs)

    for module in [m for m in sys.modules if m.startswith("salience.vectors.indexes")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.delitem(vars(salience.vectors), name, raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"pip install 'salience\[vectors\]'"):
        getattr(salience.vectors, name)


def test_exact_search_needs_no_library(X, Q):
    assert np.array_equal(FlatIndex().build(X).search(Q, 7), nearest(X, Q, 7)[0])


def test_an_order_holds_every_row_once():
    assert as_permutation([2, 0, 1], 3).tolist() == [2, 0, 1]
    for wrong in ([0, 1], [0, 1, 3], [0.0, 1.0, 2.0], [0, 1, 1]):
        with pytest.raises(ValueError, match=r"permutation|once"):
            as_permutation(wrong, 3)
