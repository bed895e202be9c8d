"""What is drawn for which target, from which log ratios, and what is said of pieces that are weighed."""

import inspect

import numpy as np
import pytest

from salience.instances import ImportanceResampler, importance_weights
from salience.instances.dsir.choice import choose, quotas, shares_of
from salience.instances.dsir.ngrams import bucket, mixed, ngrams_of
from salience.instances.dsir.passes import halves
from salience.instances.dsir.ratios import Ratios
from salience.instances.dsir.weights import effective_sample_size, kl_reduction, token_counts

HOW = {"temperature": 1.0, "top_k": False}
TOP = {"temperature": 1.0, "top_k": True}
NAMES = ("fruit", "money")


def logs(counts, added):
    return np.log((counts + added) / (counts + added).sum() + 1e-8)


# ---- draws ----------------------------------------------------------------------------------------------


def test_the_seed_decides_the_draw():
    able, weights = np.ones(500, bool), np.zeros((500, 1))
    one, again, other = (choose(weights, able, [50], seed, **HOW).pieces.tolist() for seed in (0, 0, 1))
    assert one == again != other


def test_what_the_first_target_took_is_gone_and_the_pieces_are_ascending():
    weights = np.array([[1.0, 7.0], [5.0, 9.0], [4.0, 8.0], [0.0, 10.0]])
    found = choose(weights, np.array([True, True, True, False]), [2, 1], 0, **TOP)
    assert (found.pieces.tolist(), found.target.tolist()) == ([0, 1, 2], [1, 0, 0])


def test_a_target_without_a_share_gets_nothing():
    found = choose(np.array([[5.0, 1.0], [1.0, 5.0]]), np.ones(2, bool), [0, 1], 0, **HOW)
    assert (len(found.pieces), found.target.tolist()) == (1, [1])


def test_every_target_has_noise_of_its_own():
    able, weights = np.ones(400, bool), np.zeros((400, 2))
    found = choose(weights, able, [200, 100], 0, **HOW)
    again = choose(weights[:, :1], able, [300], 0, **HOW)
    assert set(found.pieces.tolist()) != set(again.pieces.tolist())


def test_a_high_temperature_makes_weights_nothing():
    weights = np.where(np.arange(1000) < 500, 30.0, 0.0)[:, None]
    able = np.ones(1000, bool)
    assert (choose(weights, able, [100], 0, **HOW).pieces < 500).all()
    assert 30 < (choose(weights, able, [100], 0, temperature=1e4, top_k=False).pieces < 500).sum() < 70


def test_pieces_are_drawn_in_proportion_to_their_weights():
    """Of .5, .3 and .2 two are drawn: by Plackett and Luce with chances .8393, .6750 and .4857."""
    able, weights = np.ones(3, bool), np.log([[0.5], [0.3], [0.2]])
    drawn = np.zeros(3)
    for seed in range(4000):
        drawn[choose(weights, able, [2], seed, **HOW).pieces] += 1
    np.testing.assert_allclose(drawn / 4000, [0.8393, 0.6750, 0.4857], atol=0.03)


@pytest.mark.parametrize(
    ("shares", "wanted"), [([0.33, 0.33, 0.34], [3, 3, 4]), ([0.0, 1.0], [0, 10]), ([1.0], [10])]
)
def test_what_rounding_leaves_goes_to_the_last(shares, wanted):
    assert quotas(10, np.array(shares)) == wanted


def test_shares_are_those_of_the_n_grams_unless_they_are_given():
    assert shares_of(None, NAMES, np.array([30, 10])).tolist() == [0.75, 0.25]
    assert shares_of([0, 1], NAMES, np.array([30, 10])).tolist() == [0, 1]
    for wrong in ([-0.5, 1.5], [0.5, 0.4], [np.nan, 1.0]):
        with pytest.raises(ValueError, match="add up to 1"):
            shares_of(wrong, NAMES, np.array([30, 10]))
    with pytest.raises(ValueError, match=r"shape \(3,\) for 2 targets \(fruit, money\)"):
        shares_of([0.2, 0.3, 0.5], NAMES, np.array([30, 10]))


# ---- ratios ---------------------------------------------------------------------------------------------

HALVES = np.array([[[3, 1, 0], [1, 2, 1]], [[0, 5, 2], [1, 1, 1]]])
RAW = np.array([5, 3, 2])


def test_targets_are_one_together_or_each_by_itself():
    joint, each = (Ratios(NAMES, HALVES, RAW, separate, 1.0) for separate in (False, True))
    np.testing.assert_allclose(joint.drawn(), [logs(HALVES.sum(axis=(0, 1)), 1) - logs(RAW, 0)], atol=1e-12)
    np.testing.assert_allclose(
        each.drawn(), [logs(some.sum(axis=0), 1) - logs(RAW, 0) for some in HALVES], atol=1e-12
    )
    one, other = HALVES.sum(axis=0)
    np.testing.assert_allclose(joint.null(), [logs(one, 1) - logs(other, 1)], atol=1e-12)
    np.testing.assert_allclose(each.null(), [logs(a, 1) - logs(b, 1) for a, b in HALVES], atol=1e-12)


@pytest.mark.parametrize(("n_grams", "added"), [(999_999, 1.0), (1_000_000, 0.0)])
def test_whether_halves_are_smoothed_is_decided_by_the_whole(n_grams, added):
    halves = np.array([[[400_000, 0, 0], [n_grams - 400_001, 1, 0]]])
    ratios = Ratios(("target",), halves, RAW, False, "auto")
    wanted = [logs(half, added) - logs(RAW, 0) for half in halves[0]]
    np.testing.assert_allclose(ratios.of_halves(0), wanted, atol=1e-12)
    np.testing.assert_allclose(
        ratios.null(), [logs(halves[0, 0], added) - logs(halves[0, 1], added)], atol=1e-12
    )


def test_an_empty_half_says_nothing_of_noise_and_the_whole_stands_for_it():
    halves = np.array([[[3, 1, 0], [1, 2, 1]], [[0, 0, 0], [1, 2, 3]]])
    ratios = Ratios(NAMES, halves, RAW, True, 1.0)
    assert ratios.null().shape == (0, 3)
    np.testing.assert_allclose(ratios.of_halves(1), [logs(halves[1, 1], 1) - logs(RAW, 0)] * 2, atol=1e-12)
    with pytest.raises(ValueError, match="money has no n-gram"):
        Ratios(NAMES, halves * [[[1]], [[0]]], RAW, False, 1.0)


# ---- weights --------------------------------------------------------------------------------------------


def test_one_is_added_to_the_target_and_nothing_to_the_pool():
    raw = np.array([[2, 1, 0], [0, 0, 4]])
    ratio = logs(np.array([3, 1, 0]), 1) - logs(raw.sum(axis=0), 0)
    np.testing.assert_allclose(importance_weights(raw, [[3, 1, 0]]), raw @ ratio)


@pytest.mark.parametrize("smoothing", [-0.5, np.nan, np.inf])
def test_what_is_added_is_a_number_from_zero_up(smoothing):
    with pytest.raises(ValueError, match="smoothing"):
        importance_weights([[1, 2]], [[1, 2]], smoothing=smoothing)


def test_no_row_has_no_weights():
    with pytest.raises(ValueError, match="at least one row"):
        importance_weights(np.zeros((0, 2)), [[1, 2]])


def test_the_effective_sample_size_does_not_change_with_the_unit_of_the_weights():
    weights = np.log([4.0, 2.0, 2.0])
    assert [effective_sample_size(weights + shift) for shift in (0.0, 800.0, -800.0)] == pytest.approx(
        [64 / 24] * 3
    )


def test_the_reduction_by_hand_with_and_without_smoothing():
    p, raw, kept = (
        np.array([[3.0, 1.0, 0.0], [0.0, 1.0, 1.0]]),
        np.array([5.0, 4.0, 1.0]),
        np.array([2.0, 2.0, 0.0]),
    )
    shares = p / p.sum(axis=1, keepdims=True)
    assert kl_reduction(p, raw, kept, 2.0) == pytest.approx(
        np.mean(shares @ (np.log((kept + 2) / 10) - np.log((raw + 2) / 16))), abs=1e-14
    )
    floor = np.log(kept / 4 + 1e-8) - np.log(raw / 10 + 1e-8)
    assert kl_reduction(p, raw, kept, 0.0) == pytest.approx(np.mean(shares @ floor), abs=1e-14)


def test_tokens_of_no_n_gram_are_none():
    assert token_counts([0, 1, 3, 6, 9], 3).tolist() == [0, 1, 2, 3, 4]


# ---- pieces that are weighed ----------------------------------------------------------------------------

FRUIT, MONEY = "apple pear juice tree sweet " * 4, "stock bond rate bank price " * 4
POOL = [FRUIT, MONEY, FRUIT + "red", MONEY + "fell", "apple stock " * 9]


@pytest.fixture(scope="module")
def fitted():
    targets = {"fruit": [FRUIT] * 3, "money": [MONEY] * 3}
    model = ImportanceResampler(2, min_words=20, separate_targets=True, top_k=True, random_state=0)
    with pytest.warns(UserWarning, match="mostly noise|too small|effective sample size"):
        return model.fit(POOL, targets)


def test_a_piece_is_explained_by_the_target_that_is_asked_for(fitted):
    for target in (0, 1):
        found = fitted.explain(0, 1000, target=target)["contribution"].sum()
        assert found == pytest.approx(fitted.log_weights_[0, target])
    assert fitted.log_weights_[0, 0] > fitted.log_weights_[0, 1]
    with pytest.raises(ValueError, match="no target 2; there are 2"):
        fitted.explain(0, target=2)


def test_a_piece_of_just_enough_tokens_can_be_drawn_and_is_flagged_by_nothing(fitted):
    assert fitted.n_tokens_.tolist() == [20, 20, 21, 21, 18]
    frame = fitted.scores_.where(target="fruit").frame
    assert frame["flag"].to_list() == [None] * 4 + ["too_few"]
    assert frame["value"].is_null().to_list() == [False] * 4 + [True]


def test_what_is_kept_is_said_of_the_target_it_was_drawn_for(fitted):
    for target, number in (("fruit", 0), ("money", 1)):
        kept = fitted.scores_.where(target=target).frame["kept"].to_numpy()
        assert np.flatnonzero(kept).tolist() == fitted.select()[fitted.selected_for_ == number].tolist()


def test_a_selection_that_is_changed_by_its_reader_stays(fitted):
    first = fitted.select()
    first[:] = 4
    assert 4 not in fitted.select()


@pytest.mark.parametrize("mask", [np.zeros(5, bool), np.ones(5, int), np.ones(4, bool)])
def test_a_mask_is_a_bool_for_each_piece_and_not_empty(fitted, mask):
    with pytest.raises(ValueError, match="bool for each of the 5 pieces, at least one"):
        fitted.kl_reduction(mask)


def test_texts_are_those_of_the_pieces(fitted):
    assert list(fitted.selected_texts()) == [POOL[i].strip() for i in fitted.select()]


def test_each_target_is_weighed_by_the_other_half_of_itself(fitted):
    """With so few documents a half may be empty; then the whole stands for it."""
    for t, text in enumerate((FRUIT, MONEY)):
        half = halves(mixed(fitted._seed, np.arange(3)))
        counts = np.zeros(10_000, np.int64)
        for gram in ngrams_of(text, 2):
            counts[bucket(gram, 10_000, "murmur3")] += 1
        both = np.array([[counts * (half == side).sum() for side in (0, 1)]])
        ratio = Ratios(("target",), both, fitted._raw_counts, False, 1.0).of_halves(0)
        np.testing.assert_allclose(fitted.target_log_weights_[t], (ratio @ counts)[1 - half], rtol=1e-9)


def test_of_documents_that_are_cut_the_texts_and_reasons_are_those_of_the_piece():
    """Three pieces, none, and two: the pieces 1 and 5 are the second of their documents."""
    documents = ["a a a b b b c", "", "d d d e e e"]
    model = ImportanceResampler(2, chunk_words=3, min_words=3, top_k=True, raw_ngrams=None, random_state=0)
    with pytest.warns(UserWarning, match="noise"):
        model.fit(documents, ["b b b e e e"] * 30)
    assert (model.row_.tolist(), model.piece_.tolist()) == ([0, 0, 0, 1, 2, 2], [0, 1, 2, 0, 0, 1])
    assert (model.select().tolist(), list(model.selected_texts())) == ([1, 5], ["b b b", "e e e"])
    for piece, words in enumerate(["a", "b", "c", None, "d", "e"]):
        assert set("".join(model.explain(piece)["ngram"]).replace(" ", "")) == ({words} if words else set())


def test_the_numbers_of_the_method():
    wanted = {
        "ngrams": 2, "n_buckets": 10_000, "hash": "murmur3", "chunk_words": 128, "min_words": 100,
        "target_smoothing": "auto", "temperature": 1.0, "length_normalise": False, "top_k": False,
        "separate_targets": False, "quality_filter": False, "raw_ngrams": "auto",
    }  # fmt: skip
    given = ImportanceResampler(1).get_params()
    assert {name: given[name] for name in wanted} == wanted
    assert inspect.signature(ImportanceResampler.kl_reduction).parameters["smoothing"].default == 1.0
