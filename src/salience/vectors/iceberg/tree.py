"""The published decision tree from meta-features to a metric and a family of indexes, with its margins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from salience.vectors.iceberg.meta import MetaFeatures

__all__ = ["Decision", "Recommendation", "recommend_index"]

MOST_CV, LEAST_RA, LEAST_RC = 0.1, 60.0, 1.5  # the paper's
CLOSE = 0.02  # of the value: ours; the tree was fitted to seven data sets

METHODS: Mapping[tuple[str, str], tuple[str, ...]] = MappingProxyType(
    {
        ("ip", "partition"): ("ScaNN", "Fargo"),
        ("ip", "graph"): ("ip-NSW+", "Mobius", "MAG", "NAPG"),
        ("l2", "partition"): ("RaBitQ", "IVFPQ", "DB-LSH"),
        ("l2", "graph"): ("HNSW", "NSG", "Vamana"),
    }
)
HERE: Mapping[tuple[str, str], tuple[str, ...]] = MappingProxyType(
    {
        ("ip", "partition"): ('IvfPqIndex(metric="ip")',),
        ("ip", "graph"): ("HnswIpIndex()",),
        ("l2", "partition"): ("RabitqIndex()", "IvfPqIndex()"),
        ("l2", "graph"): ("HnswIndex()",),
    }
)


@dataclass(frozen=True)
class Decision:
    """One question of the tree.

    Attributes
    ----------
    question : str
    value, threshold : float
    answer : bool
    margin : float
        How far the value lies on the side of yes; below 0 where the answer is no.
    share : float
        Size of the margin relative to the value that it is a part of.
    """

    question: str
    value: float
    threshold: float
    answer: bool
    margin: float
    share: float

    @property
    def close(self) -> bool:
        """Whether the margin is too small to build on: below 2 %."""
        return self.share < CLOSE

    def __str__(self) -> str:
        said = f"{self.question}? {'yes' if self.answer else 'no'}: {self.value:.4g} against {self.threshold:.4g}"
        return f"{said}, margin {self.margin:+.3g}, {self.share:.1%}" + (
            ": too close to call" if self.close else ""
        )


@dataclass(frozen=True)
class Recommendation:
    """What the tree says. It has seen no search: `FunnelAudit` measures whether it is right.

    Attributes
    ----------
    metric : {"ip", "l2"}
    family : {"partition", "graph"}
    methods : tuple of str
        The paper's for this leaf.
    here : tuple of str
        How to make the ones that are shipped.
    path : tuple of Decision
        Every question, asked or not needed, with its margin.
    """

    metric: str
    family: str
    methods: tuple[str, ...]
    here: tuple[str, ...]
    path: tuple[Decision, ...]

    @property
    def certain(self) -> bool:
        """Whether no question was too close to call."""
        return not any(decision.close for decision in self.path)

    def __str__(self) -> str:
        lines = [
            f"{self.metric} in a {self.family} index: {', '.join(self.methods)}",
            f"here: {' or '.join(self.here)}",
        ]
        return "\n".join([*lines, *(f"  {decision}" for decision in self.path)])


def recommend_index(meta: MetaFeatures) -> Recommendation:
    """Ask the published tree which metric and which family of indexes suit vectors.

    Inner product if ``DBI_E >= DBI_C`` and ``CV <= 0.1``, else Euclidean distance; a partition if ``RA >= 60`` or
    ``RC < 1.5``, else a graph. The thresholds are the paper's, fitted on seven data sets; on scikit-learn's digits, for
    one, the tree is wrong about the metric, which `FunnelAudit` finds by measuring.

    Parameters
    ----------
    meta : MetaFeatures
        From `vector_meta_features`.

    Returns
    -------
    Recommendation

    Raises
    ------
    ValueError
        When a meta-feature is not finite.

    References
    ----------
    Chen et al., 2025, arXiv:2512.12980.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from salience.vectors import vector_meta_features
    >>> X, y = load_digits(return_X_y=True)
    >>> print(recommend_index(vector_meta_features(X, y)).path[0])
    DBI_E >= DBI_C? yes: 2.152 against 2.113, margin +0.0389, 1.8%: too close to call
    """
    for name in ("dbi_e", "dbi_c", "cv", "ra", "rc"):
        if not np.isfinite(getattr(meta, name)):
            raise ValueError(
                f"{name} is {getattr(meta, name)}; the tree needs all five meta-features, so more rows that differ"
            )
    separated = _at_least("DBI_E >= DBI_C", meta.dbi_e, meta.dbi_c, meta.dbi_e)
    even = _at_most("CV <= 0.1", meta.cv, MOST_CV)
    wide = _at_least("RA >= 60", meta.ra, LEAST_RA, LEAST_RA)
    flat = _below("RC < 1.5", meta.rc, LEAST_RC)
    metric = "ip" if separated.answer and even.answer else "l2"
    family = "partition" if wide.answer or flat.answer else "graph"
    leaf = (metric, family)
    return Recommendation(metric, family, METHODS[leaf], HERE[leaf], (separated, even, wide, flat))


def _at_least(question: str, value: float, threshold: float, whole: float) -> Decision:
    margin = value - threshold
    share = abs(margin) / abs(whole) if whole else float(margin != 0)
    return Decision(question, value, threshold, value >= threshold, margin, share)


def _at_most(question: str, value: float, threshold: float) -> Decision:
    margin = threshold - value
    return Decision(question, value, threshold, value <= threshold, margin, abs(margin) / threshold)


def _below(question: str, value: float, threshold: float) -> Decision:
    margin = threshold - value
    return Decision(question, value, threshold, value < threshold, margin, abs(margin) / threshold)
