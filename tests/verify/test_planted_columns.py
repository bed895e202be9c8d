import numpy as np
import pytest

from salience.results.scores import Scores
from salience.verify.checks.planted import controls


def verdicts(method, data, **settings):
    return {
        check.name.removeprefix("controls: "): check.verdict for check in controls(method, data, **settings)
    }


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_good_method_passes_every_control(seed, table, good_method):
    found = verdicts(good_method, table(d=30, good=4, seed=seed), k=4, seed=seed)
    assert set(found.values()) == {"holds"}, found


def test_random_scores_pass_no_control_that_needs_knowledge(table, worthless_method):
    found = {kind: [] for kind in ("shuffled copy", "duplicate", "label copy")}
    for seed in range(4):

        def restless(frame, label, seed=seed):
            return worthless_method(frame, label, seed=len(frame.columns) * 100 + seed)

        for kind, verdict in verdicts(
            restless, table(n=60, d=40, seed=seed), k=10, n=8, seed=seed, kinds=list(found)
        ).items():
            found[kind].append(verdict)
    assert all("holds" not in verdict for verdict in found.values())
    assert all(verdict.count("fails") >= 3 for verdict in found.values()), found


def test_a_method_that_does_not_look_at_the_target_is_found_out(table):
    def variance(frame, label):
        names = [name for name in frame.columns if name != label]
        return Scores.from_values([frame[name].var() for name in names], names)

    assert verdicts(variance, table(), kinds=["permuted target"]) == {"permuted target": "fails"}


def test_a_method_that_goes_by_position_is_found_out(table):
    def position(frame, label):
        names = [name for name in frame.columns if name != label]
        return Scores.from_values(-np.arange(len(names), dtype=float), names)

    kinds = ["shuffled copy", "label copy"]
    found = [verdicts(position, table(n=60, d=40, seed=s), k=10, n=8, seed=s, kinds=kinds) for s in range(5)]
    assert all("holds" not in one.values() for one in found)
    assert [one["shuffled copy"] for one in found].count("fails") >= 4


def test_a_method_that_punishes_redundancy_is_told_so(table, good_method):
    def first_only(frame, label):
        scores = good_method(frame, label)
        seen, values = set(), []
        for value in np.round(scores.values, 9):
            values.append(0.0 if value in seen else value)
            seen.add(value)
        return Scores.from_values(values, scores.items)

    (check,) = controls(first_only, table(d=30), kinds=["duplicate"], k=3)
    assert check.verdict == "fails"
    assert "on purpose" in check.why


def test_what_stands_before_the_label_copy_is_named(table, good_method):
    def prefers(frame, label):
        scores = good_method(frame, label)
        return scores.replace(
            frame=scores.frame.with_columns(
                value=np.where(np.array(scores.items) == "c05", 9.0, scores.values)
            )
        )

    (check,) = controls(prefers, table(), kinds=["label copy"])
    assert (check.verdict, check.statistic) == ("fails", 2)
    assert "after c05" in check.why


def test_numbers_as_target_and_pandas_work_too(table, good_method):
    X, _ = table()
    y = X["g0"].to_numpy() + 0.5 * X["g1"].to_numpy()

    def regression(frame, label):
        names = [name for name in frame.columns if name != label]
        return Scores.from_values(
            [abs(np.corrcoef(frame[name], frame[label])[0, 1]) for name in names], names
        )

    assert set(verdicts(regression, (X.to_pandas(), y), k=2, n=8).values()) <= {"holds", "undecided"}


def test_thresholds_are_arguments_and_recorded(table, good_method):
    (check,) = controls(good_method, table(), kinds=["shuffled copy"], thresholds={"shuffled copy": 1.0})
    assert (check.verdict, check.threshold) == ("undecided", 1.0)


def test_few_columns_are_not_judged_by_correlation(table, good_method):
    (check,) = controls(good_method, table(d=4), kinds=["permuted target"])
    assert check.verdict == "not run"
    assert "5 are the least" in check.why


def test_an_unknown_kind_is_named(table, good_method):
    with pytest.raises(ValueError, match="'placebo'"):
        controls(good_method, table(), kinds=["placebo"])


def test_a_method_that_returns_no_scores_is_refused(table):
    with pytest.raises(TypeError, match="gave list"):
        controls(lambda frame, label: [1, 2, 3], table())


def test_a_method_that_scores_no_column_is_not_judged_by_its_top(table):
    def silent(frame, label):
        names = [name for name in frame.columns if name != label]
        return Scores.from_values([float("nan")] * len(names), names)

    assert verdicts(silent, table(), kinds=["shuffled copy", "duplicate"]) == dict.fromkeys(
        ["shuffled copy", "duplicate"], "not run"
    )


def test_a_column_that_the_method_leaves_out_counts_as_the_worst(table, good_method):
    def without_copies(frame, label):
        return good_method(frame.select(name for name in frame.columns if "shuffled" not in name), label)

    assert verdicts(without_copies, table(), kinds=["shuffled copy"], n=10) == {"shuffled copy": "holds"}
