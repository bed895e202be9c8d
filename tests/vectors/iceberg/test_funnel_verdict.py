"""The verdict in words: which metric is best, which are tied with it, what the tree says, and where most is lost."""

import json

import polars as pl
import pytest

from salience.vectors.iceberg.meta import MetaFeatures
from salience.vectors.iceberg.tree import recommend_index
from salience.vectors.iceberg.verdict import judged

SAYS_IP = (2.0, 1.0, 0.05, 10.0, 2.0)
SAYS_L2 = (1.0, 2.0, 0.05, 10.0, 2.0)


def metric(name, value, behind=(0.0, 0.0, 0.0), lo=0.4):
    return {
        "metric": name, "value": value, "lo": lo, "hi": 0.95,
        "behind": behind[0], "behind_lo": behind[1], "behind_hi": behind[2],
    }  # fmt: skip


def index(name, **losses):
    row = {"metric": "l2", "index": name, "params": json.dumps({}), "value": 0.5, "recall": 0.9}
    return row | {f"loss_{layer}": losses.get(layer, 0.0) for layer in ("embedding", "metric", "index")}


def verdict(*metrics, features=SAYS_IP, chance=0.1, crowds=(), indexes=()):
    tree = recommend_index(MetaFeatures(*features, rows=100, groups="labels", duplicates=0))
    table = pl.DataFrame(list(indexes) or [index("none")]).head(len(indexes))
    return judged(table, pl.DataFrame(list(metrics)), chance, "recall", tree, crowds)


LOSES = (0.3, 0.2, 0.4)
TOUCHES = (0.3, 0.0, 0.4)


def test_a_metric_is_tied_until_its_interval_leaves_nothing():
    clear = verdict(metric("l2", 0.9), metric("ip", 0.6, LOSES))
    assert (clear.metric, clear.tied, clear.agrees) == ("l2", (), False)
    assert "By the inner product (ip) it is 0.600, 0.300 less (0.200 to 0.400)." in clear.words
    touching = verdict(metric("l2", 0.9), metric("ip", 0.6, TOUCHES))
    assert (touching.metric, touching.tied, touching.agrees) == ("l2", ("ip",), True)
    assert not any("less" in words for words in touching.words)


def test_the_best_metric_need_not_stand_first():
    said = verdict(metric("l2", 0.6, LOSES), metric("cosine", 0.9), metric("ip", 0.5, LOSES))
    assert (said.metric, said.tied) == ("cosine", ())
    assert said.words[0].startswith(
        "Exact search by the cosine serves best: recall 0.900 (0.400 to 0.950; random"
    )


@pytest.mark.parametrize(("lo", "said"), [(0.4, False), (0.1, True), (0.05, True)])
def test_an_interval_that_reaches_down_to_random_answers_is_no_better_than_chance(lo, said):
    words = verdict(metric("l2", 0.9, lo=lo), chance=0.1).words
    assert any("no better than chance" in word for word in words) == said


@pytest.mark.parametrize(("share", "said"), [(0.5, False), (0.51, True)])
def test_a_row_in_more_than_half_of_the_lists_is_a_hub(share, said):
    words = verdict(metric("l2", 0.9), crowds=[("l2", 7, share)]).words
    assert (
        any(
            word == f"Row 7 stands in {share:.0%} of all lists by Euclidean distance (l2): a hub."
            for word in words
        )
        == said
    )


@pytest.mark.parametrize(
    ("metrics", "features", "agrees", "words"),
    [
        ([metric("l2", 0.9)], SAYS_L2, True, "does not speak against it"),
        ([metric("l2", 0.9), metric("ip", 0.5, LOSES)], SAYS_IP, False, "it is the measurement that counts"),
        ([metric("l2", 0.9)], SAYS_IP, False, "which was not measured"),
    ],
)
def test_the_tree_is_held_against_what_was_measured(metrics, features, agrees, words):
    said = verdict(*metrics, features=features)
    assert said.agrees == agrees
    assert words in str(said)


def test_questions_of_the_tree_that_were_close_are_named_and_no_others():
    close = verdict(metric("l2", 0.9), features=(2.0, 1.99, 0.0999, 10.0, 2.0))
    assert "(DBI_E >= DBI_C and CV <= 0.1 was too close to call)" in str(close)
    assert "too close" not in str(verdict(metric("l2", 0.9)))


@pytest.mark.parametrize("layer", ["embedding", "metric", "index"])
def test_the_layer_that_loses_most_is_named(layer):
    losses = {"embedding": 0.1, "metric": 0.05, "index": -0.2} | {layer: 0.3}
    said = verdict(metric("l2", 0.9), indexes=[index("hnsw", **losses)])
    assert f"most is lost to the {layer} (" in said.words[-1]
    assert said.words[-1].startswith("hnsw (l2): recall 0.900, worth 0.500;")
