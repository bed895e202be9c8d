"""Texts as hashed n-grams: buckets equal to those of the libraries whose hashes are repeated."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, HashingVectorizer

from salience.instances.dsir.ngrams import Features, bucket, mixed, ngrams_of, pieces_of
from salience.instances.dsir.weights import token_counts

TEXTS = [
    "Alice went to the store",
    "",
    " \n\t ",
    "Hello, world!!  İstanbul ΣΟΦΟΣ naïve café_x—y 3.14\u2028a\x1cb 漢字 mixed漢!😀",
    "a" * 300 + " " + "b" * 60 + " c" * 3,
    "x.y.z " * 100,
]


def blocks_of(texts, **options):
    features = Features(
        **{"ngrams": 2, "n_buckets": 10_000, "hash": "murmur3", "chunk_words": None, **options}
    )
    return list(features.blocks(pa.array(texts, pa.large_string()), features.memo()))


def by_piece(texts, **options):
    return [
        (
            int(block.first + block.document[p]),
            block.buckets[block.offsets[p] : block.offsets[p + 1]].tolist(),
        )
        for block in blocks_of(texts, **options)
        for p in range(len(block.document))
    ]


def expected(texts, ngrams=2, n_buckets=10_000, hash="murmur3", chunk_words=None):
    return [
        (i, [bucket(gram, n_buckets, hash) for gram in ngrams_of(piece, ngrams)])
        for i, text in enumerate(texts)
        for piece in pieces_of(text, chunk_words)
    ]


def test_the_buckets_of_alice():
    assert bucket("alice", 10_000, "sha256") == 6720
    assert bucket("alice went", 10_000, "sha256") == 114
    ((_, found),) = by_piece(TEXTS[:1], hash="sha256")
    assert len(found) == 9
    assert found[:2] == [6720, 114]


@pytest.mark.parametrize("hash", ["murmur3", "sha256"])
@pytest.mark.parametrize("n_buckets", [2, 10_000, 2**31 - 1])
@pytest.mark.parametrize(("ngrams", "chunk_words"), [(1, None), (2, 3), (4, None)])
def test_kernels_equal_the_libraries(hash, n_buckets, ngrams, chunk_words):
    options = {"ngrams": ngrams, "n_buckets": n_buckets, "hash": hash, "chunk_words": chunk_words}
    assert by_piece(TEXTS, **options) == expected(TEXTS, **options)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.text(max_size=60), max_size=6),
    st.sampled_from(["murmur3", "sha256"]),
    st.sampled_from([None, 2]),
)
def test_kernels_equal_the_libraries_on_any_text(texts, hash, chunk_words):
    options = {"hash": hash, "chunk_words": chunk_words}
    assert by_piece(texts, **options) == expected(texts, **options)


@pytest.mark.parametrize("length", [*range(48, 72), 119, 120, 128])
def test_sha256_at_the_edges_of_its_blocks(length):
    text = "q" * length
    assert by_piece([text], hash="sha256", ngrams=1) == [(0, [bucket(text, 10_000, "sha256")])]


def test_murmur3_counts_are_those_of_the_hashing_vectorizer():
    theirs = HashingVectorizer(
        n_features=10_000, ngram_range=(1, 2), alternate_sign=False, norm=None, token_pattern=r"\w+|[^\w\s]+"
    ).transform(TEXTS)
    ours = np.zeros(theirs.shape)
    for i, found in by_piece(TEXTS):
        for k, n in Counter(found).items():
            ours[i, k] = n
    assert np.array_equal(ours, theirs.toarray())


@given(st.integers(1, 5), st.integers(0, 60))
def test_the_number_of_tokens_comes_back_from_that_of_n_grams(n, tokens):
    n_grams = len(ngrams_of("w " * tokens, n))
    if tokens >= n - 1 or tokens == 0:
        assert token_counts([n_grams], n) == [tokens]


def test_long_texts_are_cut_into_slices_without_losing_any():
    texts = [f"w{i} " * 200_000 for i in range(9)]
    found = blocks_of(texts)
    assert len(found) > 1
    assert sum(block.documents for block in found) == 9
    assert sum(len(block.buckets) for block in found) == 9 * (2 * 200_000 - 1)


@given(st.text(alphabet="ab \n,", max_size=40), st.integers(1, 5))
def test_pieces_have_the_words_of_the_text_in_order(text, words):
    pieces = pieces_of(text, words)
    assert [word for piece in pieces for word in piece.split()] == text.split()
    assert all(len(piece.split()) == words for piece in pieces[:-1])


def prose(tokens, repeated=4, stop=60, digits=0):
    """So many tokens, of which one comes several times, some are stop words and some single digits."""
    stops = ["the", "of", "and", "to", "in", "for", "on", "with", "as", "by", "at", "from"]
    body = ["river"] * repeated + [stops[i % 12] for i in range(stop)] + [str(i % 10) for i in range(digits)]
    return " ".join(body + [f"word{i}" for i in range(tokens - len(body))])


def varied(repeated):
    """120 tokens, half of them stop words; one comes so many times, the others once."""
    stops = sorted(ENGLISH_STOP_WORDS)[:60]
    return " ".join([*stops, *["river"] * repeated, *(f"word{i}" for i in range(60 - repeated))])


@pytest.mark.parametrize(
    ("text", "good"),
    [
        (varied(2), False),  # share of the most frequent above 0.02
        (varied(3), True),
        (prose(120), True),
        (prose(40, 2, 20), False),  # 40 < length
        (prose(41, 2, 20), True),
        (prose(499, 12, 249), True),
        (prose(500, 12, 250), False),  # length < 500
        (prose(120, repeated=24, stop=48), False),  # share of the most frequent below 0.2
        (prose(120, stop=12), False),  # informative below 0.7
        (prose(120, stop=96), False),  # informative above 0.3
        (prose(120, stop=60, digits=24), False),  # single digits, each a few times: 0.2 of all
        (prose(120, stop=60, digits=23), True),
        (
            prose(90, stop=60) + " ".join(f" {year}" for year in range(1990, 2020)),
            True,
        ),  # these are not single
        (
            prose(78, stop=0) + " ".join(f" {'.' * (i % 7 + 1)}{'!' * (i // 7)}" for i in range(42)),
            True,
        ),  # punctuation
        ("", False),
    ],
)
def test_the_filter_of_quality(text, good):
    (block,) = blocks_of([text], quality=True)
    assert block.good.tolist() == [good]


def test_random_bits_belong_to_seed_and_row():
    rows = np.arange(1000)
    assert np.array_equal(mixed(3, rows)[500:], mixed(3, rows[500:]))
    assert not np.array_equal(mixed(3, rows), mixed(4, rows))
    assert abs((mixed(3, rows) & np.uint64(1)).mean() - 0.5) < 0.05
