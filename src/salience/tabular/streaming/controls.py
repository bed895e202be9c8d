"""Columns of which the answer is known: noise of every cardinality, a constant, the row number, the label
itself.

A real column that scores below the noise of its own cardinality carries nothing; one that scores like the
copy of the label is a leak.

A heuristic that reads counts needs no rows of noise: the counts of noise against a label depend on the counts of the
label alone and are drawn at the end (`drawn_tables`), the same whatever the order of the rows. Where rows are needed,
everything random comes from (seed, block), so the same rows are drawn in every run and on every machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
from scipy.special import ndtri

from salience.data.blocks import Column, bin_identities
from salience.data.hashing import MISSING, combine, identities
from salience.measures.contingency import Contingency
from salience.tabular.streaming.naming import no_such_column

if TYPE_CHECKING:
    from salience.data.blocks import Block
    from salience.data.plan import Plan

__all__ = ["CONTROLS", "DRAWN", "Controls", "drawn_tables", "noise_level"]

_BINS = 32
_CELLS = 1 << 22  # of a table that is drawn: 32 MB; of more values a sample is drawn


class Controls:
    """A derivation: noise controls.

    Parameters
    ----------
    plan : Plan
        Of the scan.
    kinds : sequence of str, optional
        Names out of `CONTROLS`, all of them when not given. Every control has a random stream of its own: a
        choice does not change the others.
    label : str, optional
        Which label is copied; the first one of the plan when not given. A plan without label has no copy.
    columns : sequence of str, optional
        Columns that make up the row for ``CONTROL-row-hash``; all columns of the plan when not given.
    seed : int, optional
        The seed of the plan when not given.

    Attributes
    ----------
    names : tuple of str
        ``CONTROL-constant``, ``CONTROL-normal``, ``CONTROL-uniform``, ``CONTROL-binary``,
        ``CONTROL-card101``, ``CONTROL-card2001``, ``CONTROL-card10001``, ``CONTROL-card50001``,
        ``CONTROL-sequence`` (row number), ``CONTROL-label`` (its copy) and ``CONTROL-row-hash``.
    cardinalities : dict
        Number of values of those that are noise with a fixed number of values.
    """

    def __init__(
        self,
        plan: Plan,
        kinds: Sequence[str] | None = None,
        *,
        label: str | None = None,
        columns: Iterable[str] | None = None,
        seed: int | None = None,
    ) -> None:
        labels = [target.name for target in plan.labels]
        if label is not None and label not in labels:
            raise no_such_column(label, labels, "label")
        wanted = list(CONTROLS) if kinds is None else list(dict.fromkeys(kinds))
        unknown = [k for k in wanted if k not in CONTROLS]
        if unknown:
            raise ValueError(f"unknown control {unknown[0]!r}; there are {', '.join(CONTROLS)}")
        if kinds is not None and not labels and "CONTROL-label" in wanted:
            raise ValueError("CONTROL-label copies the label, but the plan has none; plan with label=")
        known = {c.name for c in plan.columns}
        clash = sorted(known & set(wanted))
        if clash:
            raise ValueError(
                f"the data already have a column named {clash[0]!r}; leave that control out with kinds="
            )
        self.row = tuple(c.name for c in plan.columns) if columns is None else tuple(columns)
        for column in self.row:
            if column not in known:
                raise no_such_column(column, known, "CONTROL-row-hash")
        self.label = label if label is not None else (labels[0] if labels else None)
        self.identities = _label_identities(plan, self.label)
        self.seed = plan.seed if seed is None else seed
        self.first_rows = {
            shard.index: first for shard, first in zip(plan.shards, _before(plan), strict=True)
        }
        self.names = tuple(k for k in wanted if k != "CONTROL-label" or self.label is not None)
        self.cardinalities = {k: c for k, c in _CARDINALITIES.items() if k in self.names}

    def derive(self, block: Block, name: str) -> Column:
        """One control in one block."""
        if name not in self.names:
            raise no_such_column(name, self.names, "the scan")
        return CONTROLS[name].make(self, block)

    def edges(self, name: str) -> np.ndarray | None:
        """Edges of equally likely bins, for the continuous controls; None for the others."""
        quantile = CONTROLS[name].quantile if name in self.names else None
        return None if quantile is None else quantile(np.arange(1, _BINS) / _BINS)

    def rng(self, block: Block, name: str) -> np.random.Generator:
        """The random stream of a control in a block."""
        stream = list(CONTROLS).index(name)
        return np.random.default_rng([self.seed, stream, *block.id])


def noise_level(cardinality: float, controls: Mapping[int, float]) -> float:
    """What noise of a given cardinality scores, interpolated between the controls.

    Parameters
    ----------
    cardinality : float
        Of a real column, at least 1.
    controls : mapping of int to float
        Score of the noise control of each cardinality (see `Controls.cardinalities`). Beyond the largest one
        the level stays.

    Returns
    -------
    float
        Linear in the logarithm of the cardinality.

    Examples
    --------
    >>> noise_level(20, {2: 0.0, 200: 0.1})
    0.05
    """
    if not controls or cardinality < 1:
        raise ValueError(
            f"a cardinality of at least 1 and one control are needed, got {cardinality} and {controls}"
        )
    cards = sorted(controls)
    return float(np.interp(np.log(cardinality), np.log(cards), [controls[c] for c in cards]))


def drawn_tables(label_counts: np.ndarray, seed: int) -> dict[tuple[str, str], Contingency]:
    """Draw the counts that controls of noise have with a label, as if its rows had been dealt out.

    Parameters
    ----------
    label_counts : ndarray of int64, shape (classes,)
        Rows of each class.
    seed : int

    Returns
    -------
    dict of (name, view) to Contingency
        Of the controls in `DRAWN`.

    Examples
    --------
    >>> drawn = drawn_tables(np.array([300, 100]), seed=0)
    >>> drawn["CONTROL-binary", "values"].label_counts
    array([300, 100])
    >>> len(drawn["CONTROL-sequence", "values"].keys)
    400
    """
    counts = np.asarray(label_counts, dtype=np.int64)
    tables = {}
    for name in DRAWN:
        rng = np.random.default_rng([seed, list(CONTROLS).index(name)])
        values = _CARDINALITIES.get(name, 1 if name == "CONTROL-constant" else None)
        tables[name, "values"] = (
            _own_values(counts, rng) if values is None else _levelled(counts, values, rng)
        )
        if CONTROLS[name].quantile is not None:
            tables[name, "bins"] = _levelled(counts, _BINS, rng)
    return tables


def _levelled(counts: np.ndarray, values: int, rng: np.random.Generator) -> Contingency:
    """Noise of equally likely values; of too many, some of them."""
    kept = min(values, max(_CELLS // max(len(counts), 1), 1))
    chances = np.append(np.full(kept, 1 / values), 1 - kept / values)
    drawn = np.stack([rng.multinomial(rows, chances)[:kept] for rows in counts], axis=1)
    drawn = drawn[drawn.sum(axis=1) > 0]
    return _sample(drawn, counts, kept / values)


def _own_values(counts: np.ndarray, rng: np.random.Generator) -> Contingency:
    """A value for every row; of too many rows, some of them."""
    rows = int(counts.sum())
    kept = min(rows, max(_CELLS // max(len(counts), 1), 1))
    of_class = counts if kept == rows else rng.multivariate_hypergeometric(counts, kept, method="marginals")
    drawn = np.zeros((kept, len(counts)), dtype=np.int64)
    drawn[np.arange(kept), np.repeat(np.arange(len(counts)), of_class)] = 1
    return _sample(drawn, counts, kept / rows if rows else 1.0)


def _sample(drawn: np.ndarray, counts: np.ndarray, theta: float) -> Contingency:
    keys = np.arange(1, len(drawn) + 1, dtype=np.uint64)  # any but that of a missing value
    return Contingency(keys, drawn, np.full(len(drawn), 1 / theta), counts, theta=theta)


# ------------------------------------------------------------------------------------ the table
class _Control(NamedTuple):
    make: Callable[[Controls, Block], Column]
    quantile: Callable[[np.ndarray], np.ndarray] | None = None


def _numbers(values: np.ndarray) -> Column:
    x = values.astype(np.float64)
    return Column(identities(pa.array(values), "number", ())[0], None, x)


def _levels(codes: np.ndarray, cardinality: int) -> Column:
    hashes = identities(pa.array(np.arange(cardinality)), "number", ())[0]
    return Column(hashes, codes.astype(np.int32), codes.astype(np.float64))


def _constant(controls: Controls, block: Block) -> Column:
    return _levels(np.zeros(block.rows, dtype=np.int32), 1)


def _normal(controls: Controls, block: Block) -> Column:
    return _numbers(controls.rng(block, "CONTROL-normal").standard_normal(block.rows))


def _uniform(controls: Controls, block: Block) -> Column:
    return _numbers(controls.rng(block, "CONTROL-uniform").random(block.rows))


def _levels_of(name: str, cardinality: int) -> Callable[[Controls, Block], Column]:
    def make(controls: Controls, block: Block) -> Column:
        codes = controls.rng(block, name).integers(0, cardinality, size=block.rows, dtype=np.int32)
        return _levels(codes, cardinality)

    return make


def _sequence(controls: Controls, block: Block) -> Column:
    return _numbers(controls.first_rows[block.id[0]] + block.positions)


def _label(controls: Controls, block: Block) -> Column:
    codes = block.labels[str(controls.label)]
    missing = np.int32(len(controls.identities) - 1)
    return Column(controls.identities, np.where(codes < 0, missing, codes).astype(np.int32), None)


def _row_hash(controls: Controls, block: Block) -> Column:
    hashes = np.zeros(block.rows, dtype=np.uint64)
    for name in controls.row:
        hashes = combine(hashes, block.column(name).row_hashes())
    return Column(hashes, None, None)


_CARDINALITIES = {"CONTROL-binary": 2} | {f"CONTROL-card{c}": c for c in (101, 2001, 10001, 50001)}

#: What a control is, by its name.
CONTROLS: dict[str, _Control] = {
    "CONTROL-constant": _Control(_constant),
    "CONTROL-normal": _Control(_normal, ndtri),
    "CONTROL-uniform": _Control(_uniform, lambda q: q),
    **{name: _Control(_levels_of(name, c)) for name, c in _CARDINALITIES.items()},
    "CONTROL-sequence": _Control(_sequence),
    "CONTROL-label": _Control(_label),
    "CONTROL-row-hash": _Control(_row_hash),
}


#: Controls whose counts with a label depend on the label's counts alone.
DRAWN = tuple(name for name in CONTROLS if name not in ("CONTROL-label", "CONTROL-row-hash"))


def _label_identities(plan: Plan, label: str | None) -> np.ndarray:
    """Identity of each class, then that of a missing label."""
    if label is None:
        return np.array([MISSING])
    target = plan.label(label)
    if target.edges is not None:  # a number in bins: class i is the integer i
        return bin_identities(len(target.classes))
    return np.append(target.identities, MISSING)


def _before(plan: Plan) -> np.ndarray:
    """Rows of the source before each shard."""
    rows = np.array([shard.rows for shard in plan.shards], dtype=np.int64)
    return np.cumsum(rows) - rows
