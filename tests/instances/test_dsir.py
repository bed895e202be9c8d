"""DSIR: weights by hand, draws, streams, what noise looks like, and every way to ask for what cannot be had."""

import gc
import pickle
import random
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from salience.data.readers import ndjson, windows
from salience.instances import ImportanceResampler, importance_weights, plot_weights
from salience.instances.dsir.choice import choose, quotas
from salience.instances.dsir.ngrams import Features, bucket, ngrams_of, pieces_of
from salience.instances.dsir.passes import LEVELS, Tally, WeightPass, in_one
from salience.instances.dsir.pools import TextPool
from salience.instances.dsir.ratios import Ratios
from salience.results import Scores
from salience.verify.bench import rows as rows_bench

FRUIT = ["apple", "pear", "fruit", "tree", "juice", "sweet", "red", "peel"]
MONEY = ["stock", "bond", "rate", "bank", "price", "fell", "rose", "yield"]
GLUE = ["the", "a", "of", "and", "to", "in"]
pytestmark = pytest.mark.filterwarnings("ignore:.*effective sample size", "ignore:.*half|.*halves")


def text(words, n, rng):
    return " ".join(rng.choice(words + GLUE) for _ in range(n))


def texts(words, documents, length=60, seed=0):
    rng = random.Random(seed)
    return [text(words, length, rng) for _ in range(documents)]


def pool(documents=600, share=10, length=60, seed=1):
    rng = random.Random(seed)
    return [text(FRUIT if i % share == 0 else MONEY, length, rng) for i in range(documents)]


RAW, TARGET = pool(), texts(FRUIT, 100)


def resampler(n_select=40, **options):
    return ImportanceResampler(n_select, **{"min_words": 10, "random_state": 0, **options})


@pytest.fixture(scope="module")
def fitted():
    return resampler().fit(RAW, TARGET)


# ---- exact ----------------------------------------------------------------------------------------------


def test_three_buckets_by_hand():
    found = importance_weights([[2, 1, 0], [0, 0, 4]], [[3, 1, 0]], smoothing=0)
    p, q = np.array([3, 1, 0]) / 4, np.array([2, 1, 4]) / 7
    ratio = np.log(p + 1e-8) - np.log(q + 1e-8)
    assert found == pytest.approx([2 * ratio[0] + ratio[1], 4 * ratio[2]], abs=1e-12)
    smooth = importance_weights(sparse.csr_array([[2, 1, 0], [0, 0, 4]]), sparse.csr_matrix([[3, 1, 0]]))
    ratio = np.log(np.array([4, 2, 1]) / 7 + 1e-8) - np.log(q + 1e-8)
    assert smooth == pytest.approx([2 * ratio[0] + ratio[1], 4 * ratio[2]], abs=1e-12)


@pytest.mark.parametrize("hash", ["murmur3", "sha256"])
def test_log_weights_are_those_of_counts_made_with_the_libraries(hash):
    def counts(documents):
        Z = np.zeros((len(documents), 500))
        for i, document in enumerate(documents):
            for gram in ngrams_of(document, 2):
                Z[i, bucket(gram, 500, hash)] += 1
        return Z

    raw, target = counts(RAW), counts(TARGET)
    for a in (0.0, 1.0, 2.5):
        ours = resampler(hash=hash, n_buckets=500, target_smoothing=a).fit(RAW, TARGET)
        p, q = (target.sum(axis=0) + a) / (target.sum() + 500 * a), raw.sum(axis=0) / raw.sum()
        assert ours.log_ratio_ == pytest.approx(np.log(p + 1e-8) - np.log(q + 1e-8), abs=1e-12)
        assert ours.log_weights_ == pytest.approx(raw @ ours.log_ratio_, abs=1e-9)
        assert ours.log_weights_ == pytest.approx(importance_weights(raw, target, smoothing=a), abs=1e-9)


@pytest.mark.parametrize(("n_grams", "added"), [(999_998, 1.0), (1_000_000, 0.0)])
def test_a_target_below_a_million_n_grams_is_smoothed(n_grams, added):
    halves = np.array([[[n_grams // 2, 0, 0], [0, n_grams // 2, 0]]])
    raw = np.array([5, 3, 2])
    found = Ratios(("target",), halves, raw, False, "auto").drawn()[0]
    p = (np.array([n_grams // 2, n_grams // 2, 0]) + added) / (n_grams + 3 * added)
    assert found == pytest.approx(np.log(p + 1e-8) - np.log(raw / 10 + 1e-8), abs=1e-12)


def test_the_signal_is_over_the_noise_between_two_halves_of_the_target():
    ratios = Ratios(("target",), np.array([[[3, 1, 0], [1, 2, 1]]]), np.array([5, 3, 2]), False, 1.0)
    one, other = np.array([4, 2, 1]) / 7, np.array([2, 3, 2]) / 7
    assert ratios.null()[0] == pytest.approx(np.log(one + 1e-8) - np.log(other + 1e-8), abs=1e-12)
    found = resampler().fit([*RAW, *["zebra"] * 200], TARGET)
    able = found.eligible_
    noise = found.null_log_weights_[able].std(dtype=np.float64)
    assert found.signal_ == pytest.approx(found.log_weights_[able].std() / noise)


def test_the_reduction_is_the_difference_of_two_divergences(fitted):
    def shares(documents, a):
        c = np.zeros(10_000)
        for document in documents:
            for gram in ngrams_of(document, 2):
                c[bucket(gram, 10_000, "murmur3")] += 1
        return (c + a) / (c + a).sum()

    p = shares(TARGET, 0)
    there = p > 0

    def divergence(of, a):
        return float((p[there] * np.log(p[there] / shares(of, a)[there])).sum())

    kept = [RAW[i] for i in fitted.select()]
    assert fitted.kl_reduction() == pytest.approx(divergence(RAW, 1) - divergence(kept, 1), abs=1e-9)
    assert fitted.kl_reduction() > 0.3
    assert fitted.kl_reduction(smoothing=0.0) == pytest.approx(
        float((p * (np.log(shares(kept, 0) + 1e-8) - np.log(shares(RAW, 0) + 1e-8))).sum()), abs=1e-9
    )


def test_the_reduction_is_the_mean_over_the_targets():
    money = texts(MONEY, 30)
    mask = np.arange(len(RAW)) < 70
    each = [resampler().fit(RAW, some).kl_reduction(mask) for some in (TARGET, money)]
    assert abs(each[0] - each[1]) > 0.01
    for separate in (False, True):
        both = resampler(separate_targets=separate).fit(RAW, [TARGET, money])
        assert both.kl_reduction(mask) == pytest.approx(np.mean(each), abs=1e-12)


def test_the_reduction_of_pieces_counts_those_pieces_only():
    documents = [" ".join(texts(FRUIT if i % 4 == 0 else MONEY, 3, 40, seed=i)) for i in range(60)]
    found = resampler(20, chunk_words=50).fit(documents, TARGET)
    mask = np.zeros(len(found.n_tokens_), bool)
    mask[[1, 2, 7, -1]] = True
    pieces = [piece for document in documents for piece in pieces_of(document, 50)]
    assert len(pieces) == len(mask)
    counts = np.zeros((2, 10_000))
    for row, some in enumerate((pieces, [pieces[i] for i in np.flatnonzero(mask)])):
        for gram in (gram for piece in some for gram in ngrams_of(piece, 2)):
            counts[row, bucket(gram, 10_000, "murmur3")] += 1
    q, s = (counts + 1) / (counts + 1).sum(axis=1, keepdims=True)
    p = found._target_counts[0] / found._target_counts.sum()
    assert found.kl_reduction(mask) == pytest.approx(float(p @ np.log(s / q)), abs=1e-9)


def test_a_target_is_weighed_by_the_half_it_is_not_in():
    # a word that one target document alone has tells nothing about it from the other half
    target = [*TARGET, "quince " * 60]
    found = resampler(n_buckets=100_000, target_smoothing=0).fit(RAW, target)
    (crossed,) = found.target_log_weights_
    assert crossed[:-1].min() > crossed[-1]
    assert crossed[-1] == pytest.approx(0.0, abs=1e-6)  # neither that half nor the pool has it


def test_a_pool_that_is_its_own_target_has_no_weights():
    same = resampler(target_smoothing=0).fit(RAW, RAW)
    assert not same.log_weights_.any()
    assert same.kl_reduction(np.ones(len(RAW), bool)) == 0
    draws = [
        resampler(300, target_smoothing=0, random_state=seed).fit(RAW, RAW).get_support()
        for seed in range(40)
    ]
    chances = np.mean(draws, axis=0)
    assert chances.mean() == 0.5
    assert abs(chances[::10].mean() - 0.5) < 0.05  # the fruit are drawn as often as the rest


def test_the_budget_of_the_pool_counts_a_random_share_of_its_rows_and_no_more():
    whole = resampler(raw_ngrams=None).fit(RAW, TARGET)
    some = resampler(raw_ngrams=20_000).fit(RAW, TARGET)
    assert 5_000 < some._raw_counts.sum() <= 20_000 < whole._raw_counts.sum()
    assert len(some.log_weights_) == len(RAW)
    assert np.corrcoef(some.log_weights_, whole.log_weights_)[0, 1] > 0.99
    assert np.array_equal(
        some._raw_counts, resampler(raw_ngrams=20_000, n_jobs=2).fit(iter(RAW), TARGET)._raw_counts
    )


# ---- behaviour ------------------------------------------------------------------------------------------


def test_it_finds_what_looks_like_the_target(fitted):
    assert (fitted.select() % 10 == 0).all()
    assert fitted.signal_ > 5
    rng = np.random.default_rng(0)
    chance = np.zeros(len(RAW), bool)
    chance[rng.choice(len(RAW), 40, replace=False)] = True
    assert fitted.kl_reduction() > fitted.kl_reduction(chance) + 0.3


def test_a_random_target_warns_that_the_choice_is_noise():
    with pytest.warns(UserWarning, match="mostly noise"):
        null = resampler().fit(RAW, random.Random(3).sample(RAW, 108))
    assert null.signal_ < 1.2
    assert any("noise" in said for said in null.scores_.meta.warnings)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        resampler(top_k=True).fit(RAW, TARGET)
    assert not [warning for warning in caught if issubclass(warning.category, UserWarning)]


def test_a_target_of_one_document_cannot_say_what_is_noise():
    with pytest.warns(UserWarning, match="too small to know"):
        one = resampler(1).fit(RAW, [TARGET[0]])
    assert np.isnan(one.signal_)
    assert one.null_log_weights_.size == 0


def test_a_block_in_another_language_is_not_drawn():
    foreign = texts(["яблоко", "груша", "дерево", "сок", "красный"], 100, seed=5)
    found = resampler(60).fit([*RAW, *foreign], TARGET)
    assert found.select().max() < len(RAW)


def test_the_temperature_that_is_said_is_that_of_what_can_be_drawn():
    found = resampler().fit([*RAW, *["zebra"] * 200], TARGET)  # these weigh otherwise, and are too short
    able = found.log_weights_[found.eligible_].std()
    assert abs(found.log_weights_.std() - able) > 0.1 * able
    assert any(f"temperature={able:.2g} would" in said for said in found.scores_.meta.warnings)
    keys = found.log_weights_[found.eligible_]
    warm = resampler(temperature=50.0).fit([*RAW, *["zebra"] * 200], TARGET)
    w = np.exp((keys - keys.max()) / 50)
    assert warm.effective_sample_size_ == pytest.approx(w.sum() ** 2 / (w**2).sum())


def test_temperature_gives_real_sampling_back(fitted):
    assert fitted.effective_sample_size_ < 40
    with pytest.warns(UserWarning, match="effective sample size"):
        resampler().fit(RAW, TARGET)
    warm = resampler(temperature=200.0).fit(RAW, TARGET)
    assert warm.effective_sample_size_ > 100
    assert 0 < (warm.select() % 10 == 0).mean() < 1
    top = resampler(top_k=True).fit(RAW, TARGET)
    assert set(top.select()) == set(np.argsort(-top.log_weights_)[:40])
    other = resampler(top_k=True, random_state=9).fit(RAW, TARGET)
    assert np.array_equal(top.select(), other.select())


def test_length_normalised_weights_do_not_grow_with_length():
    short, long = texts(FRUIT, 1, 40)[0], " ".join(texts(FRUIT, 1, 40) * 5)
    plain = resampler(2, chunk_words=None).fit([*RAW, short, long], TARGET).log_weights_
    ours = resampler(2, chunk_words=None, length_normalise=True).fit([*RAW, short, long], TARGET).log_weights_
    assert plain[-1] > 4 * plain[-2]
    assert ours[-1] == pytest.approx(ours[-2], rel=0.1)
    n_grams = 2 * 40 - 1
    assert ours[-2] == pytest.approx(plain[-2] / n_grams * (2 * 128 - 1))


@given(
    st.lists(st.tuples(st.integers(0, 3) | st.just(LEVELS - 1), st.integers(0, 3)), min_size=6, max_size=20),
    st.integers(1, 8),
    st.integers(1, 5),
)
def test_which_rows_are_counted_depends_on_no_order_and_no_partition(rows, budget, cut):
    def tally(some):
        found = Tally(np.zeros((LEVELS, 4), np.int64), 0, budget)
        for level, place in some:
            found.counts[level, place] += level >= found.level
            found.settle()
        return found

    whole = tally(rows)
    assert whole.counts.sum() <= budget or whole.level == LEVELS - 1
    for parts in ((rows[:cut], rows[cut:]), (rows[cut:], rows[:cut])):
        merged = tally(parts[0]).merge(tally(parts[1]))
        assert merged.level == whole.level
        assert np.array_equal(merged.counts, whole.counts)


def test_each_target_has_its_own_noise():
    able, how = np.ones(1000, bool), {"temperature": 1.0, "top_k": False}
    both = choose(np.zeros((1000, 2)), able, [100, 100], 0, **how).pieces
    assert set(both) != set(choose(np.zeros((1000, 1)), able, [200], 0, **how).pieces)


@given(st.integers(0, 50), st.integers(1, 100))
@settings(max_examples=15, deadline=None)
def test_one_seed_gives_one_draw_and_nothing_twice(seed, k):
    one = resampler(k, random_state=seed).fit(RAW[:200], TARGET)
    two = resampler(k, random_state=seed).fit(RAW[:200], TARGET)
    assert np.array_equal(one.select(), two.select())
    assert len(np.unique(one.select())) == k == one.get_support().sum()


# ---- pieces, scores, explanations -----------------------------------------------------------------------


def test_documents_are_cut_into_pieces_and_short_ones_are_left_out():
    documents = [*RAW, " ".join(texts(FRUIT, 4, 40)), "apple pear", ""]
    found = resampler(5, chunk_words=50).fit(documents, TARGET)
    assert found.row_[-6:].tolist() == [600, 600, 600, 600, 601, 602]
    assert found.piece_[-6:].tolist() == [0, 1, 2, 3, 0, 0]
    assert found.n_tokens_[-6:].tolist() == [50, 50, 50, 10, 2, 0]
    assert found.eligible_[-6:].tolist() == [True, True, True, True, False, False]
    last = found.scores_.frame.tail(2)
    assert last["flag"].to_list() == ["too_few"] * 2
    assert last["value"].null_count() == 2
    assert [len(some.split()) for some in found.selected_texts()] == [50] * 5
    assert found.scores_.keys == ("row", "piece")


def test_scores_are_one_item_per_document(fitted, tmp_path):
    scores = fitted.scores_
    assert scores.keys == ("row",)
    assert scores.item == "row"
    assert np.array_equal(scores.values, fitted.log_weights_)
    assert np.array_equal(scores.frame["kept"].to_numpy(), fitted.get_support())
    assert scores.meta.method == "dsir"
    assert scores.meta.rows == len(RAW)
    assert scores.meta.unit == "nats"
    scores.save(tmp_path / "weights.parquet")
    assert Scores.load(tmp_path / "weights.parquet").equals(scores)


def test_the_rows_bench_reads_the_scores(fitted):
    X = np.random.default_rng(0).normal(size=(len(RAW), 2))
    bench = rows_bench("logistic", (X, np.arange(len(RAW)) % 2), (X[:50], np.arange(50) % 2))
    assert list(bench.items) == fitted.scores_.items
    assert fitted.scores_.meta.data[0].startswith(f"{len(RAW)}x1-")


def test_the_explanation_has_strings_and_adds_up(fitted):
    i = int(fitted.select()[0])
    frame = fitted.explain(i, 10_000)
    assert frame["contribution"].sum() == pytest.approx(fitted.log_weights_[i])
    assert frame["count"].sum() == len(ngrams_of(RAW[i], 2))
    top = fitted.explain(i, 5)
    assert top.height == 5
    assert top["contribution"].is_sorted(descending=True)
    assert set(top["ngram"].str.split(" ").explode()) <= set(FRUIT + GLUE)
    for number in (600, -1, 0.5):
        with pytest.raises(ValueError, match=f"no piece {number}; there are 600"):
            fitted.explain(number)


def test_separate_targets_are_drawn_one_after_the_other():
    both = {"fruit": TARGET, "money": texts(MONEY, 300)}
    found = resampler(40, separate_targets=True).fit(RAW, both)
    assert found.log_weights_.shape == (600, 2)
    assert found.log_ratio_.shape == (2, 10_000)
    assert np.bincount(found.selected_for_).tolist() == [10, 30]  # as their n-grams
    assert (found.select()[found.selected_for_ == 0] % 10 == 0).all()
    assert (found.select()[found.selected_for_ == 1] % 10 > 0).all()
    assert found.scores_.by == ("target",)
    assert found.scores_.where(target="money").frame["kept"].sum() == 30
    given = resampler(40, separate_targets=True, target_proportions=[0.29, 0.71]).fit(
        RAW, list(both.values())
    )
    assert np.bincount(given.selected_for_).tolist() == [11, 29]
    # the same target twice: what the first took is not there for the second
    twice = resampler(40, separate_targets=True, top_k=True).fit(RAW, [TARGET, TARGET])
    assert len(np.unique(twice.select())) == 40
    joint = resampler(40).fit(RAW, both)
    assert joint.log_weights_.shape == (600,)
    assert joint.signal_ > 1


def test_all_eligible_pieces_can_be_drawn():  # argpartition fails there in the official tool
    everything = resampler(600).fit(RAW, TARGET)
    assert everything.get_support().all()
    shares = resampler(600, separate_targets=True, target_proportions=[0.5, 0.5]).fit(RAW, [TARGET, TARGET])
    assert shares.get_support().all()


def test_joint_and_separate_targets_are_counted_whole():  # one mode of the official tool takes a part
    one = resampler(separate_targets=True, raw_ngrams=5_000).fit(RAW, TARGET)
    two = resampler(separate_targets=False, raw_ngrams=5_000).fit(RAW, TARGET)
    assert np.array_equal(one.log_weights_[:, 0], two.log_weights_)
    assert one._target_counts.sum() == sum(len(ngrams_of(some, 2)) for some in TARGET)


def test_the_length_filter_counts_tokens_not_n_grams():  # the official tool compares n-grams
    documents = [*RAW, "apple " * 19, "apple " * 20]
    found = resampler(min_words=20, ngrams=3).fit(documents, TARGET)
    assert found.eligible_[-2:].tolist() == [False, True]


def test_the_quality_filter_draws_prose_only():
    found = resampler(30, quality_filter=True).fit([*RAW, "7 " * 100, "apple " * 100], TARGET)
    assert not found.eligible_[-2:].any()
    assert found.scores_.frame["flag"].tail(2).to_list() == ["unscored"] * 2


def test_the_noise_does_not_come_from_the_global_generator():
    np.random.seed(1)  # noqa: NPY002
    one = resampler(temperature=100.0).fit(RAW, TARGET).select()
    np.random.seed(2)  # noqa: NPY002
    assert np.array_equal(one, resampler(temperature=100.0).fit(RAW, TARGET).select())


# ---- where texts come from ------------------------------------------------------------------------------

FRAME = pl.DataFrame({"id": range(len(RAW)), "text": RAW})


@pytest.fixture
def files(tmp_path):
    FRAME.write_parquet(tmp_path / "raw.parquet", row_group_size=70)
    FRAME.write_ndjson(tmp_path / "raw.jsonl")
    FRAME[:300].write_ndjson(tmp_path / "part-1.jsonl")
    FRAME[300:].write_ndjson(tmp_path / "part-2.jsonl")
    for i in range(8):
        FRAME[i * 75 : (i + 1) * 75].write_parquet(tmp_path / f"eighth-{i}.parquet")
    (tmp_path / "raw.csv").write_text(FRAME.write_csv())
    return tmp_path


KINDS = {
    "tuple": lambda f: tuple(RAW),
    "generator": lambda f: (some for some in RAW),
    "numpy": lambda f: np.array(RAW),
    "objects": lambda f: np.array(RAW, dtype=object),
    "arrow": lambda f: pa.array(RAW),
    "chunked": lambda f: pa.chunked_array([RAW[:99], RAW[99:]]),
    "dictionary": lambda f: pa.array(RAW).dictionary_encode(),
    "polars column": lambda f: FRAME["text"],
    "pandas column": lambda f: pd.Series(RAW),
    "polars": lambda f: FRAME,
    "pandas": lambda f: FRAME.to_pandas(),
    "table": lambda f: FRAME.to_arrow(),
    "parquet": lambda f: f / "raw.parquet",
    "parquet files": lambda f: str(f / "eighth-*.parquet"),
    "jsonl": lambda f: str(f / "raw.jsonl"),
    "list of paths": lambda f: [f / "part-1.jsonl", str(f / "part-2.jsonl")],
    "csv": lambda f: f / "raw.csv",
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_form_of_the_same_texts_gives_the_same_draw(kind, files, fitted):
    found = resampler(n_jobs=2).fit(KINDS[kind](files), TARGET)
    assert np.array_equal(found.log_weights_, fitted.log_weights_)
    assert np.array_equal(found.select(), fitted.select())
    assert found.scores_.meta.data == fitted.scores_.meta.data


@pytest.mark.parametrize(
    ("kind", "form"),
    [("polars", pl.DataFrame), ("pandas", pd.DataFrame), ("polars column", pl.Series), ("pandas column", pd.Series),
     ("tuple", list), ("numpy", np.ndarray), ("arrow", pa.Array), ("generator", pl.Series), ("parquet", pl.Series),
     ("list of paths", pl.Series)],
)  # fmt: skip
def test_texts_come_back_in_the_form_they_came_in(kind, form, files, fitted):
    found = resampler().fit_resample(KINDS[kind](files), TARGET)
    assert isinstance(found, form)
    column = found["text"] if isinstance(found, pl.DataFrame | pd.DataFrame) else found
    values = column.to_pylist() if isinstance(column, pa.Array) else list(column)
    assert values == [RAW[i] for i in fitted.select()]
    if isinstance(found, pd.DataFrame | pd.Series):
        assert found.index.tolist() == fitted.select().tolist()


def test_no_more_than_a_batch_of_a_stream_is_held():
    held = []

    class Document(str):
        __slots__ = ("__weakref__",)

    def stream():
        for i in range(20_000):
            if i % 4000 == 0:
                gc.collect()
                held.append(sum(isinstance(some, Document) for some in gc.get_objects()))
            yield Document(RAW[i % len(RAW)])

    resampler().fit(stream(), TARGET)
    assert max(held) <= 2 * 4096


def test_progress_ends_with_everything():
    seen = []
    resampler(progress=lambda done, total: seen.append((done, total))).fit(RAW, TARGET)
    assert seen == sorted(seen)
    assert seen[-1] == (1400, 1400)


def test_it_is_cloned_and_pickled(fitted, files):
    assert clone(fitted).get_params() == fitted.get_params()
    back = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(back.select(), fitted.select())
    with pytest.raises(ValueError, match="give raw="):
        back.explain(0)
    assert back.explain(0, raw=RAW).equals(fitted.explain(0))
    assert back.kl_reduction(raw=RAW) == fitted.kl_reduction()
    with pytest.raises(ValueError, match="has 599 documents, the one that was fitted 600"):
        back.explain(0, raw=RAW[1:])
    filed = pickle.loads(pickle.dumps(resampler().fit(files / "raw.parquet", TARGET)))
    assert filed.explain(0).equals(fitted.explain(0))


def test_two_workers_draw_the_same(files, fitted):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None
        ) as here,
        distributed.Client(here) as client,
    ):
        told = []
        far = resampler(progress=lambda *said: told.append(said))
        far.fit(sorted(files.glob("eighth-*")), TARGET, client=client)
        with pytest.raises(ValueError, match="write it to Parquet"):
            resampler().fit(RAW, TARGET, client=client)
    assert np.array_equal(far.select(), fitted.select())
    assert np.array_equal(far.log_weights_, fitted.log_weights_)
    assert told[-1] == (1400, 1400)
    assert len(told) > 5  # not only at the end of each pass


def test_a_pool_travels_by_its_whole_path_and_is_opened_where_it_is_read(files, monkeypatch):
    monkeypatch.chdir(files)
    sent = pickle.dumps(TextPool("part-1.jsonl", "raw"))
    monkeypatch.chdir("/")  # where a worker was started
    back = pickle.loads(sent)
    assert [text for _, some in back.read(back.parts()) for text in some.to_pylist()] == RAW[:300]
    (files / "part-1.jsonl").unlink()
    lost = pickle.loads(sent)  # a scheduler need not see the files
    with pytest.raises(ValueError, match=r"part-1\.jsonl is not on this machine"):
        lost.parts()


def test_weights_come_as_few_arrays(files):
    whole = TextPool(files / "raw.parquet", "raw")
    features = Features(2, 100, "murmur3", 128)
    ratios = np.random.default_rng(0).normal(size=(2, 100))
    weighing = WeightPass(whole, features, ratios, ratios[:1])
    parts = TextPool(RAW * 5, "raw").parts()
    assert len(parts) == 1  # of several batches
    (found,) = WeightPass(TextPool(RAW * 5, "raw"), features, ratios, ratios[:1])(parts)
    (once,) = weighing(whole.parts())
    assert np.array_equal(found.log_weights, np.tile(once.log_weights, (5, 1)))
    backwards = [found._replace(first=3000), *weighing(whole.parts())]
    both = in_one(backwards)
    assert not backwards
    assert both.first == 0
    assert np.array_equal(both.log_weights, np.concatenate([once.log_weights, found.log_weights]))


def test_the_picture_shows_pool_target_kept_and_chance(fitted):
    ax = plot_weights(fitted)
    assert {entry.get_text() for entry in ax.get_legend().get_texts()} == {"pool", "target", "kept", "chance"}
    assert "log importance weight" in ax.get_xlabel()


# ---- what cannot be had ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (["a", None, "b"], "row 1 of raw is null"),
        (["a", "b", 3], "row 2 of raw is not a string but the int '3'"),
        (["a", float("nan")], "row 1 of raw is null"),
        (["a", b"bytes"], "row 1 of raw is not a string but the bytes"),
        (["a", "\ud800"], "row 1 of raw is a string that UTF-8 cannot hold"),
        ((some for some in ["a", None]), "row 1 of raw is null"),
        (pa.array(["a", None]), "row 1 of raw is null"),
        (pl.Series(["a"] * 2000 + [None]), "row 2000 of raw is null"),
        (pd.Series(["a", None]), "row 1 of raw is null"),
        (pd.Series(["a", None], dtype="string"), "row 1 of raw is null"),
        (pl.DataFrame({"text": ["a", None]}), "row 1 of raw is null"),
        (pl.Series([1, 2]), "holds integer values from row 0 on"),
        ([], "raw is empty"),
        (iter([]), "raw is empty"),
        (["", " "], "raw has no n-gram"),
        (pl.DataFrame({"a": ["x"], "b": ["y"]}), "which column of raw.*one of a, b"),
    ],
)
def test_rows_that_are_no_text_are_named(raw, message):
    with pytest.raises(ValueError, match=message):
        resampler(1, min_words=0).fit(raw, TARGET)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("7", "text of row 3001 is not a string \\(number"),
        ("true", "text of row 3001 is not a string \\(boolean"),
        ('["a"]', "text of row 3001 is not a string \\(array"),
        ('{"a": 1}', "text of row 3001 is not a string \\(object"),
        ('"\\ud800"', "text of row 3001 is not a string \\(The surrogate pair"),
        ("null", "row 3001 of raw is null"),
    ],
)
def test_in_ndjson_what_is_no_string_does_not_become_one(tmp_path, monkeypatch, value, message):
    monkeypatch.setattr(ndjson, "_SHARD_BYTES", 1 << 18)
    monkeypatch.setattr(windows, "_WINDOW", 1 << 18)
    path = tmp_path / "raw.jsonl"
    lines = [f'{{"id": 1, "text": "an apple {"pie" * 100}"}}'] * 4000
    lines[3001] = f'{{"id": 1, "text": {value}}}'
    path.write_text("\n\n".join(lines))
    assert len(TextPool(path, "raw").parts()) > 1
    with pytest.raises(ValueError, match=message):
        resampler(1, min_words=0).fit(path, TARGET)


def test_a_row_of_ndjson_is_counted_over_all_that_is_read_of_a_file(tmp_path):
    path = tmp_path / "raw.jsonl"
    path.write_text(f'{{"text": "{"pie " * 250}"}}\n' * 5000 + '{"text": 1}')
    with pytest.raises(ValueError, match="text of row 5000 is"):
        list(TextPool(path, "raw").take([5000]))


def test_a_pool_named_from_here_is_read_by_workers_in_another_folder(tmp_path, monkeypatch):
    (tmp_path / "raw.jsonl").write_text('{"text": "an apple"}\n{"text": "a pear"}\n')
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    pool = TextPool("raw.jsonl", "raw")
    parts = pool.parts()
    sent = pickle.dumps((pool, parts))
    monkeypatch.chdir("elsewhere")
    there, parts = pickle.loads(sent)
    assert [texts.to_pylist() for _, texts in there.read(parts)] == [["an apple", "a pear"]]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ([], "target is empty"),
        ({}, "target is empty"),
        (["", "\n"], "target has no n-gram"),
        (["a", None], "row 1 of target is null"),
        ([["a"], []], "target 1 is empty"),
        ({"good": ["a"], "bad": ["b", 7]}, "row 1 of bad is not a string"),
    ],
)
def test_targets_that_are_none_are_refused(target, message):
    with pytest.raises(ValueError, match=message):
        resampler().fit(RAW, target)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_select": 0}, "n_select"),
        ({"n_buckets": 1}, "n_buckets"),
        ({"temperature": 0}, "temperature"),
        ({"hash": "md5"}, "hash"),
        ({"target_smoothing": -1}, "target_smoothing"),
        ({"n_select": 601}, "only 600 of the 600 pieces"),
        ({"raw_ngrams": 1}, "raw_ngrams=1 leaves no document"),
        ({"n_jobs": 0}, "n_jobs"),
        ({"min_words": 61}, "only 0 of the 600 pieces of raw have at least 61 tokens"),
        ({"separate_targets": True, "target_proportions": [0.5, 0.5]}, "for 1 targets"),
        ({"separate_targets": True, "target_proportions": [0.7]}, "add up to 1"),
        ({"column": "body"}, None),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message):
    if message is None:
        with pytest.raises(ValueError, match="no column 'body'; it has id, text"):
            resampler(**options).fit(FRAME, TARGET)
        return
    with pytest.raises(ValueError, match=message):
        resampler(**options).fit(RAW, TARGET)


@pytest.mark.parametrize("raw", [3, {"text": RAW}, b"text"])
def test_what_is_no_collection_of_texts_is_refused(raw):
    with pytest.raises(TypeError, match="iterable of strings"):
        resampler().fit(raw, TARGET)


def test_a_missing_file_is_named():
    with pytest.raises(ValueError, match=r"nowhere\.jsonl"):
        resampler().fit("nowhere.jsonl", TARGET)
    with pytest.raises(ValueError, match=r"nowhere\.jsonl"):
        resampler().fit(["nowhere.jsonl"], TARGET)


def test_a_mask_that_does_not_fit_is_refused(fitted):
    for mask in (np.zeros(600, bool), np.ones(3, bool), np.arange(600)):
        with pytest.raises(ValueError, match="bool for each of the 600 pieces"):
            fitted.kl_reduction(mask)


def test_before_fit_there_is_nothing_to_ask():
    for ask in (
        lambda e: e.select(),
        lambda e: e.get_support(),
        lambda e: e.kl_reduction(),
        lambda e: e.explain(0),
        lambda e: e.scores_,
        lambda e: next(e.selected_texts()),
    ):
        with pytest.raises(NotFittedError):
            ask(resampler())


@pytest.mark.parametrize(
    ("raw", "target", "message"),
    [
        ([[1, 2]], [[1, 2, 3]], "2 features and Z_target 3"),
        ([[1, -1]], [[1, 2]], "finite and not negative"),
        ([[1, np.nan]], [[1, 2]], "finite and not negative"),
        ([1, 2], [[1, 2]], "a matrix of counts"),
        ([[0, 0]], [[1, 2]], "raw has no n-gram"),
    ],
)
def test_counts_that_are_none_are_refused(raw, target, message):
    with pytest.raises(ValueError, match=message):
        importance_weights(raw, target)


def test_what_is_whole_but_for_rounding_is_whole():
    assert quotas(100, np.array([0.29, 0.71])) == [29, 71]
    assert quotas(7, np.array([0.5, 0.5])) == [3, 4]
