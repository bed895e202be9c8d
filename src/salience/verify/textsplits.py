"""`verify` of methods that rank the sentences of documents: the ranking is made anew from a part, and judged by the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.base import clone

from salience.results.scores import Scores
from salience.verify.bench import Bench
from salience.verify.check import RANKING, Check, refuse_unknown
from salience.verify.checks.performance import (
    Gains,
    Order,
    Rule,
    gains,
    judge_gains,
    random_orders,
    ranked,
    sizes_of,
)
from salience.verify.checks.relations import agreement, interest, nuisance
from salience.verify.textbench import texts
from salience.verify.verdict import Verdict, report

__all__ = ["are_documents", "verify_documents"]

Progress = Callable[[int, int], object]
FRACTIONS = (0.05, 0.1, 0.2)  # shares of the sentences that summaries take
LEAST = 4  # ranked sentences without which nothing can be said of a ranking
THRESHOLDS = {"retention": 0.0, "nuisance": 0.8, "agreement": 0.5}


def are_documents(data: Any) -> bool:
    """Whether these are documents, each a text or a list of sentences.

    Examples
    --------
    >>> are_documents(["One. Two.", "Three."]), are_documents([["One.", "Two."]]), are_documents(([[1.0]], ["a"]))
    (True, True, False)
    """
    given = data.to_list() if hasattr(data, "to_list") else data  # of a Series
    if not isinstance(given, list | tuple):
        return False
    parts = [[document] if isinstance(document, str) else document for document in given]
    lists = all(isinstance(part, list | tuple) for part in parts)
    return lists and any(parts) and all(isinstance(one, str) for part in parts for one in part)


def verify_documents(
    method: Any,
    documents: Sequence[str] | Sequence[Sequence[str]],
    *,
    splits: int = 2,
    fractions: Sequence[float] = FRACTIONS,
    random: int = 20,
    thresholds: Mapping[str, float] | None = None,
    analyzer: Callable[[str], Iterable[str]] | None = None,
    background: Sequence[str] | None = None,
    other: Any = None,
    level: float = 0.95,
    seed: int = 0,
    progress: Progress | None = None,
) -> Verdict:
    """Make the ranking anew without a part of the documents, and judge it by what it says of that part.

    Each of `splits` parts is held out once: the method ranks the sentences of the others, and its first ones, together,
    are compared with each sentence held out (see `texts`). The same is done with random rankings and with the reversed
    one: these have to fail. Where there are fewer than two documents a part, single sentences are held out.

    Parameters
    ----------
    method : estimator with `scores_`, or callable (documents) -> Scores
        Ranks documents that are lists of sentences. Its scores have the columns ``doc``, ``position`` and ``text``, a row
        per sentence, in the order of the documents. An estimator is cloned.
    documents : sequence or Series of str, or sequence of sequences of str
        Texts, if the method splits them itself.
    splits : int, at least 2
        Two are halves.
    fractions : sequence of float in (0, 1)
        Sizes of the top, as shares of the sentences.
    random : int
        Random rankings, at least 20.
    thresholds : mapping of check to float, optional
        "retention", "nuisance", "agreement".
    analyzer : callable, optional
        From a text to the words that are compared.
    background : sequence of str, optional
        Texts that tell the bench how rare words are: those that the method was told.
    other : method, optional
        Another method, for the agreement.
    level : float
    seed : int
    progress : callable, optional
        ``progress(parts judged, all parts)``.

    Returns
    -------
    Verdict
        The reason alone, where there are too few sentences, or all that are held out stand word for word among the others.

    Raises
    ------
    TypeError, ValueError
        What gives no scores of sentences, too few splits or random rankings, an unknown threshold.
    """
    if random < 20 or splits < 2:
        raise ValueError(
            f"at least 2 splits and 20 random rankings are needed; got splits={splits}, random={random}"
        )
    refuse_unknown(thresholds or (), THRESHOLDS, "threshold:")
    limits = THRESHOLDS | dict(thresholds or {})
    scores = _scores_of(method, documents)
    frame = scores.frame
    masks = _kept(frame["doc"].to_numpy(), splits, seed)
    settings: dict[str, Any] = {"method": scores.meta.method, "sentences": len(frame), "splits": splits}
    if why := _cannot(scores, masks):
        return report([Check.not_run("retention", why, how="hold")], **settings)
    sizes = sizes_of(fractions, min(int(kept.sum()) for kept in masks))
    found = []
    for number, kept in enumerate(masks):
        orders, bench = _benched(method, frame, kept, analyzer, background)
        orders += random_orders(len(bench.items), random, seed + number)
        found.append(gains(bench, orders, sizes, "retention"))
        if progress is not None:
            progress(number + 1, splits)
    shared: dict[str, Any] = {"level": level, "seed": seed}
    drawn = range(2, 2 + random)
    subjects = {RANKING: range(1), "random": drawn, "reversed": range(1, 2)}
    rule = Rule(limits["retention"], **shared)
    covariates = {
        "length": frame["text"].str.len_chars().to_numpy(),
        "position": frame["position"].to_numpy(),
    }
    rows = [
        *judge_gains("retention", Gains.stacked(found), subjects, drawn, rule, how="hold"),
        nuisance(scores, covariates, threshold=limits["nuisance"], **shared),
        Check.not_run("agreement", "no second method was given (other=)")
        if other is None
        else agreement(scores, _scores_of(other, documents), threshold=limits["agreement"], level=level),
    ]
    settings |= {"fractions": list(fractions), "random": random, "thresholds": limits}
    return report(rows, **settings, **shared)


def _scores_of(method: Any, documents: Any) -> Scores:
    if hasattr(method, "fit") and not isinstance(method, type):
        scores = getattr(clone(method).fit(documents), "scores_", None)
    elif callable(method) and not isinstance(method, type):
        scores = method(documents)
    else:
        raise TypeError(
            f"a method is a callable (documents) -> Scores or an estimator with fit and scores_, got {method!r}"
        )
    wanted = ("doc", "position", "text")
    if not isinstance(scores, Scores) or not set(wanted) <= set(scores.frame.columns):
        raise TypeError(
            f"a method that ranks sentences gives Scores with the columns {', '.join(wanted)}, got {scores!r:.60}"
        )
    return scores


def _kept(doc: NDArray[np.int64], splits: int, seed: int) -> list[NDArray[np.bool_]]:
    """Sentences that are not held out, for each split: of whole documents, where there are enough."""
    parts = doc if len(np.unique(doc)) >= 2 * splits else np.arange(len(doc))
    names = np.random.default_rng(seed).permutation(np.unique(parts))
    return [~np.isin(parts, held) for held in np.array_split(names, splits)]


def _cannot(scores: Scores, masks: Sequence[NDArray[np.bool_]]) -> str:
    """Why no ranking can be judged by what is held out; empty, if one can."""
    known, given = np.isfinite(interest(scores)), scores.frame["text"].to_numpy()
    for kept in masks:
        told = set(_said(given[~kept]))
        if (kept & known).sum() < LEAST or not told:
            return f"{len(given)} sentences are too few for some to be judged by others"
        if told <= set(given[kept]):
            return "the sentences held out stand word for word among the others"
    return ""


def _benched(
    method: Any,
    frame: pl.DataFrame,
    kept: NDArray[np.bool_],
    analyzer: Callable[[str], Iterable[str]] | None,
    background: Sequence[str] | None,
) -> tuple[list[Order], Bench]:
    """The ranking of the kept sentences and its reverse, and what they are judged by: the others."""
    own, rest = frame.filter(kept), frame.filter(~kept)
    documents = own.group_by("doc", maintain_order=True).agg("text")["text"].to_list()
    scores = _scores_of(method, documents)
    if scores.frame["text"].to_list() != own["text"].to_list():
        raise ValueError("the method does not score each sentence of lists of sentences, in their order")
    named: dict[str, Any] = {"items": scores.items, "keys": scores.keys}
    words: dict[str, Any] = {"analyzer": analyzer, "background": background}
    bench = texts(own["text"].to_list(), _said(rest["text"]), **words, **named)
    order = ranked(scores, bench)
    return [order, order[::-1]], bench


def _said(given: Iterable[str]) -> list[str]:
    return [text for text in given if text.strip()]
