import numpy as np
import pytest

from salience.results.attributions import Attributions
from salience.verify.bench import parts
from salience.verify.checks.faithfulness import fidelity


def model(seed=0, n=40, items=10):
    rng = np.random.default_rng(seed)
    u, weights = (
        rng.normal(size=(n, items)),
        rng.normal(size=items) * np.r_[np.full(3, 3.0), np.full(items - 3, 0.1)],
    )
    bench = parts(lambda inputs: np.tanh(inputs @ weights / 4), u)
    return bench, u * weights, rng


@pytest.mark.parametrize("seed", range(3))
def test_what_the_model_does_holds_and_anything_else_fails(seed):
    bench, true, rng = model(seed)
    items = list(bench.items)
    real = fidelity(Attributions(true, items, keys="part", item="concept"), bench)
    assert real.verdict == "holds"
    assert real.reference < 0.4
    for wrong in (rng.normal(size=true.shape), -true, rng.permuted(true, axis=1)):
        assert fidelity(Attributions(wrong, items, keys="part", item="concept"), bench).verdict == "fails"


def test_a_linear_model_is_explained_perfectly():
    u = np.random.default_rng(0).normal(size=(20, 5))
    attributions = Attributions(u * np.arange(5.0), range(5), keys="part", item="concept")
    assert fidelity(attributions, lambda keep: (keep * np.arange(5.0)) @ u.T).statistic == pytest.approx(1.0)


def test_one_of_several_outputs_is_chosen():
    bench, true, _ = model()
    both = Attributions(np.stack([true, -true], axis=2), list(bench.items), keys="part", item="concept")
    assert fidelity(both, bench, output=0).verdict == "holds"
    assert fidelity(both, bench, output=1).verdict == "fails"
    with pytest.raises(ValueError, match="2 outputs"):
        fidelity(both, bench)


def test_instances_that_never_move_are_left_out_and_counted():
    u = np.ones((4, 3))
    u[0] = 0
    attributions = Attributions(u, range(3), keys="part", item="concept")
    check = fidelity(attributions, parts(lambda inputs: inputs.sum(axis=1), u))
    assert "1 instances never move" in check.why
    assert check.curve.height == 3
    nothing = fidelity(attributions, parts(lambda inputs: np.zeros(len(inputs)), u))
    assert nothing.verdict == "not run"


def test_other_items_instances_or_too_few_subsets_are_refused():
    bench, true, _ = model()
    with pytest.raises(ValueError, match="the bench about"):
        fidelity(Attributions(true, [f"p{i}" for i in range(10)], keys="part", item="concept"), bench)
    with pytest.raises(ValueError, match="one column per instance"):
        fidelity(Attributions(true[:5], range(10), keys="part", item="concept"), bench)
    with pytest.raises(ValueError, match="at least 8"):
        fidelity(Attributions(true, range(10), keys="part", item="concept"), bench, subsets=3)
