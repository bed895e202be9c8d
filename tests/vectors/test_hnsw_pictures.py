"""Pictures of an audit: axes in, axes out, and what they show."""

import matplotlib
import numpy as np
import pytest

from salience.data.generators import clustered_vectors
from salience.vectors import HnswRecallAudit

pytest.importorskip("faiss")
matplotlib.use("agg")


@pytest.fixture(scope="module")
def audit():
    X, groups = clustered_vectors(900, 64, 10, 4.0)
    audit = HnswRecallAudit(4, 16, 12, orders=("category",), seeds=2, n_bootstrap=100, backend="faiss")
    return audit.fit(X[:800], queries=X[800:], groups=groups[:800])


@pytest.mark.parametrize("kind", ["orders", "dimension"])
def test_axes_come_back(audit, kind):
    import matplotlib.pyplot as plt

    ax = plt.subplots()[1]
    assert audit.plot(kind, ax) is ax
    assert audit.plot(kind).get_xlabel()
    plt.close("all")


def test_every_order_has_a_line_and_its_builds(audit):
    import matplotlib.pyplot as plt

    ax = audit.plot("orders")
    assert [label.get_text().split("\n")[0] for label in ax.get_yticklabels()] == audit.table_[
        "order"
    ].to_list()
    dots = [collection.get_offsets() for collection in ax.collections]
    assert sorted(len(points) for points in dots) == [1, 1, 2, 2]
    assert np.concatenate(dots)[:, 0].min() == pytest.approx(audit.recalls_.min())
    plt.close("all")


def test_recall_that_does_not_vary_has_no_correlation():
    import matplotlib.pyplot as plt

    X = np.random.default_rng(0).normal(size=(200, 4))
    audit = HnswRecallAudit(32, 200, 200, orders=("random",), seeds=1, n_queries=50, backend="faiss").fit(X)
    assert audit.plot("dimension").get_title(loc="left") == "recall does not vary"
    plt.close("all")


def test_what_cannot_be_drawn_is_refused(audit):
    with pytest.raises(ValueError, match="'orders', 'dimension'"):
        audit.plot("rows")
    from salience.vectors.hnsw.pictures import plot_dimension

    with pytest.raises(ValueError, match="fewer bins"):
        plot_dimension(audit, bins=1000)
