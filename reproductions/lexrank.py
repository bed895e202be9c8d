"""LexRank: graph-based lexical centrality as salience in text summarization (arXiv 1109.2128)."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.lexrank import packages, ranked_by
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from reproductions import carriers
from reproductions.claims import Claim, interval
from reproductions.rouge import KINDS, rouge, words
from salience.instances import LexRank, lexrank_scores
from salience.results.scores import Scores
from salience.verify import retention, texts

Order = Sequence[int]
# Figure 1 of the paper, the upper triangle without the diagonal, in hundredths.
FIGURE = (
    "45 2 17 3 22 3 28 6 6 0", "16 27 3 19 3 21 3 15 0", "3 0 1 3 4 0 1 0", "1 16 28 17 0 9 1", "29 5 15 20 4 18",
    "5 29 4 20 3", "6 0 0 1", "25 20 17", "26 38", "12",
)  # fmt: skip
TABLE = {
    "0.1": (0.6007, 0.8466, 0.3491, 0.7520, 0.5907, 0.7993, 0.3548, 1, 0.5921, 0.6910, 0.5921),
    "0.2": (0.6944, 0.7317, 0.6773, 0.6550, 0.4344, 0.8718, 0.4993, 1, 0.7399, 0.6967, 0.4501),
    "0.3": (1.0,) * 11,
}


# ---------------------------------------------------------------------------------------------------- paper
def paper(frozen: dict[str, Any]) -> list[Claim]:
    """The eleven sentences of the paper."""
    wanted = frozen["paper"]
    claims = []
    for threshold, most in wanted["most"].items():
        gap = _gap(threshold, wanted["rounded"])
        claims.append(
            Claim.check(f"Table 2 at threshold {threshold}, f = .85: largest error", f"<= {most:g}", f"{gap:.5f}",
                        gap <= most)
        )  # fmt: skip
    wrong, least = _gap("0.1", wanted["rounded"], follow=0.15), wanted["as_printed_least"]
    claims.append(
        Claim.check("the same with .85 as the chance not to follow a link, as the formula is printed", f">= {least:g}",
                    f"{wrong:.2f}", wrong >= least, control=True)
    )  # fmt: skip
    return claims


def _gap(threshold: str, rounded: float, **made: float) -> float:
    S = np.eye(11)
    for i, line in enumerate(FIGURE):
        S[i, i + 1 :] = np.array(line.split(), dtype=float) / 100
    if threshold == "0.2":
        S[5, 9] = S[7, 9] = rounded
    scores = lexrank_scores(np.maximum(S, S.T), float(threshold), **made)
    return float(np.abs(scores / scores.max() - TABLE[threshold]).max())


# -------------------------------------------------------------------------------------------------- planted
def planted(frozen: dict[str, Any]) -> list[Claim]:
    """A topic that two of five sentences of each document are about."""
    wanted, seeds = frozen["planted"], frozen["seeds"]
    found: dict[str, list[float]] = {
        name: [] for name in ("degree", "continuous", "threshold", "alone", "lead")
    }
    more: dict[str, list[float]] = {name: [] for name in ("top", "noise", "zipf", "told", "shuffled")}
    for seed in seeds:
        rng = np.random.default_rng(seed)
        documents, truth = _documents(rng, wanted)
        fitted = {name: _fitted(LexRank(name), documents) for name in ("degree", "continuous", "threshold")}
        for name, scores in fitted.items():
            found[name].append(roc_auc_score(truth, scores.values))
        alone = _fitted(LexRank(self_links=False), documents)
        found["alone"].append(roc_auc_score(truth, alone.values))
        found["lead"].append(roc_auc_score(truth, -alone.frame["position"].to_numpy()))
        more["top"].append(float(truth[fitted["threshold"].top(10).items].mean()))
        noisy = documents + [[_filler(rng, wanted, 14) for _ in range(5)] for _ in range(2)]
        mixed = _fitted(LexRank("continuous"), noisy).values[: len(truth)]
        more["noise"].append(abs(roc_auc_score(truth, mixed) - found["continuous"][-1]))
        more["shuffled"].append(roc_auc_score(rng.permutation(truth), fitted["continuous"].values))
        zipf, truth = _documents(rng, wanted, zipf=True)
        background = [_filler(rng, wanted, 70, zipf=True) for _ in range(wanted["background"])]
        more["zipf"].append(roc_auc_score(truth, _fitted(LexRank("continuous"), zipf).values))
        told = _fitted(LexRank("continuous"), zipf, background=background)
        more["told"].append(roc_auc_score(truth, told.values))
    gains = np.subtract(more["told"], more["zipf"])
    return [
        *(
            Claim.mean(f"AUC of sentences about the topic, {name}", found[name], least=wanted["auc"])
            for name in ("degree", "continuous")
        ),
        Claim.mean("threshold: precision of the best 10", more["top"], least=wanted["precision_at_10"],
                   why="the best ten are those of the densest part, and isolated sentences have the mean of any part"),
        Claim.mean(f"threshold without self links: AUC (with them {np.mean(found['threshold']):.2f})", found["alone"],
                   least=wanted["isolated_least"]),
        Claim.mean("change of the continuous AUC by 10 sentences about something else", more["noise"],
                   most=wanted["noise_most"]),
        Claim.mean("continuous AUC with function words and no background", more["zipf"], most=wanted["zipf_most"]),
        Claim.mean(f"how much a background raises it (to {np.mean(more['told']):.3f})", gains, least=0.0),
        Claim.mean("AUC of the place in the document", found["lead"], most=wanted["lead_most"], control=True),
        Claim.mean("continuous AUC against labels in another order", more["shuffled"], most=wanted["lead_most"],
                   control=True),
    ]  # fmt: skip


def _documents(
    rng: np.random.Generator, wanted: dict[str, Any], zipf: bool = False
) -> tuple[list[list[str]], NDArray[np.bool_]]:
    topic = [f"topic{i}" for i in range(15)]
    found, truth = [], []
    for _ in range(wanted["documents"]):
        about = rng.permutation(5) < 2
        found.append(
            [
                " ".join([*rng.choice(topic, 8, False), _filler(rng, wanted, 6, zipf)])
                if own
                else _filler(rng, wanted, 14, zipf)
                for own in about
            ]
        )
        truth += about.tolist()
    return found, np.array(truth)


def _filler(rng: np.random.Generator, wanted: dict[str, Any], count: int, zipf: bool = False) -> str:
    size = wanted["vocabulary"]
    weights = 1 / np.arange(1, size + 1) if zipf else np.ones(size)
    return " ".join(f"word{i}" for i in rng.choice(size, count, p=weights / weights.sum()))


def _fitted(model: LexRank, documents: Any, **more: Any) -> Scores:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # most sentences are isolated, as planted
        return model.fit(documents, **more).scores_


# ------------------------------------------------------------------------------------------------- opinosis
def opinosis(frozen: dict[str, Any]) -> list[Claim]:
    """What people wrote about 51 topics, against the first words of rankings of the sentences of customers."""
    wanted = frozen["opinosis"]
    topics = carriers.opinosis()
    groups = [topic["sentences"] for topic in topics.values()]
    gold = [[words(" ".join(summary)) for summary in topic["gold"]] for topic in topics.values()]
    found = _by_packages(groups)
    background = [" ".join(group) for group in groups]
    rankings: dict[str, list[Order]] = {
        **{
            name: [_order(LexRank(method, **made), [group]) for group in groups]
            for name, (method, made) in OURS.items()
        },
        "background": [_order(LexRank(), [group], background=background) for group in groups],
        "lead": [range(len(group)) for group in groups],
        **{name: [one["order"] for one in found[name]] for name in ("lexrank", "sumy")},
    }
    cut = wanted["words"]
    scores = {name: _rouge_of(groups, orders, gold, cut) for name, orders in rankings.items()}  # (topics, 3)
    chance = np.stack(
        [
            _rouge_of(
                groups,
                [np.random.default_rng((seed, i)).permutation(len(g)) for i, g in enumerate(groups)],
                gold,
                cut,
            )
            for seed in range(wanted["random"])
        ]
    )  # (draws, topics, 3)
    random, half = chance.mean(axis=0), len(chance) // 2
    claims = [
        _mean(f"{kind} of LexRank above that of random rankings", scores["threshold"][:, k] - random[:, k],
              (scores["threshold"][:, k], random[:, k]), least=0.0)
        for k, kind in enumerate(KINDS)
    ]  # fmt: skip
    claims += [
        _mean(f"rouge1 of {name} above that of {other}", scores[name][:, 0] - scores[other][:, 0],
              (scores[name][:, 0], scores[other][:, 0]), least=least, why=WHY.get(f"{name}, {other}", ""))
        for name, other, least in (
            ("threshold", "lead", 0.0),
            *((name, "centroid", 0.0) for name in ("degree", "threshold", "continuous")),
            *(("threshold", name, 0.0) for name in ("degree", "continuous")),
            ("background", "threshold", 0.0),
            *(("threshold", name, wanted["not_worse"]) for name in ("lexrank", "sumy")),
            ("background", "lexrank", wanted["not_worse"]),
        )
    ]  # fmt: skip
    apart = chance[:half].mean(axis=0)[:, 0] - chance[half:].mean(axis=0)[:, 0]
    low, high = interval(apart)
    claims.append(
        Claim.check("rouge1 of random rankings above that of other random rankings",
                    f"0 inside the interval, within {wanted['chance_most']:g}", f"{apart.mean():.4f} ({low:.4f} to {high:.4f})",
                    low <= 0 <= high and abs(apart.mean()) <= wanted["chance_most"], control=True)
    )  # fmt: skip
    return [*claims, _repeats(groups, gold, wanted), _same_rouge(found["rouge"])]


OURS: dict[str, tuple[str, dict[str, Any]]] = {
    "threshold": ("threshold", {}),
    "continuous": ("continuous", {}),
    "degree": ("degree", {}),
    "centroid": ("centroid", {}),
}
WHY = {
    "threshold, lexrank": "the package was told by all topics how rare words are, this one by the sentences of the topic alone; "
    "background against lexrank is like for like",
    "threshold, continuous": "in a topic of hundreds of customers most sentences share words with most others, so counting "
    "links says less than weighing them",
}
PAIRS = (
    ("the map is very accurate and easy to read", "The maps are accurate, and very easy to read!"),
    ("rooms were clean. staff was friendly, staff was helpful", "Friendly and helpful staff; clean rooms."),
    ("nothing in common", "another thing"),
)


def _order(model: LexRank, documents: Any, **more: Any) -> Order:
    return [int(i) for i in _fitted(model, documents, **more).order()]


def _by_packages(groups: list[list[str]]) -> dict[str, Any]:
    """The rankings of the packages lexrank and sumy, in an environment of their own."""
    peer = packages(Path(tempfile.gettempdir()) / "salience-peers")
    return ranked_by(peer, groups, groups, PAIRS)


def _rouge_of(
    groups: list[list[str]], orders: Sequence[Order], gold: list[list[list[str]]], cut: int
) -> NDArray[np.float64]:
    """ROUGE of the first `cut` words of each ranking, mean over the summaries people wrote; shape (topics, kinds)."""
    return np.array(
        [
            np.mean([rouge(_first(group, order, cut), reference) for reference in references], axis=0)
            for group, order, references in zip(groups, orders, gold, strict=True)
        ]
    )


def _first(group: list[str], order: Order, cut: int) -> list[str]:
    found: list[str] = []
    for i in order:
        found += words(group[i])
        if len(found) >= cut:
            break
    return found[:cut]


def _repeats(groups: list[list[str]], gold: list[list[list[str]]], wanted: dict[str, Any]) -> Claim:
    """Passing over sentences that repeat one taken, in a longer summary."""
    cut = wanted["longer"]
    orders: dict[float, list[Order]] = {0.5: [], 1.0: []}
    for group in groups:
        model = LexRank()
        scores = _fitted(model, [group])
        for redundancy, found in orders.items():
            chosen = model.summarize(10, redundancy=redundancy, min_words=1)
            place = scores.ranks().to_list()
            found.append(sorted((one.index for one in chosen), key=place.__getitem__))
    passed, all_of_them = (_rouge_of(groups, found, gold, cut)[:, 0] for found in orders.values())
    return _mean(f"rouge1 of {cut} words without sentences that repeat one taken above that with them",
                 passed - all_of_them, (passed, all_of_them), least=wanted["repeats_cost"])  # fmt: skip


def _same_rouge(theirs: list[list[float]]) -> Claim:
    ours = [rouge(words(found), words(reference)) for found, reference in PAIRS]
    gap = float(np.abs(np.array(ours) - np.array(theirs)).max())
    return Claim.check("ROUGE as measured here and by the package rouge-score, three pairs of texts", "equal",
                       f"largest difference {gap:.1g}", gap < 1e-12)  # fmt: skip


# ---------------------------------------------------------------------------------------------------- judged
def judged(frozen: dict[str, Any]) -> list[Claim]:
    """What `verify` says: rankings of half of the sentences of a topic, held against the other half."""
    wanted = frozen["opinosis"]
    verdicts: dict[str, list[str]] = {"LexRank": [], "random": [], "reversed": []}
    for number, topic in enumerate(carriers.opinosis().values()):
        rng = np.random.default_rng((frozen["seeds"][0], number))
        order = rng.permutation(len(topic["sentences"]))
        held = int(wanted["held_share"] * len(order))
        seen, unseen = ([topic["sentences"][i] for i in part] for part in (order[held:], order[:held]))
        scores = _fitted(LexRank(), [seen])
        bench = texts(seen, unseen)
        named = {"keys": "sentence", "item": "sentence"}
        rankings = {
            "LexRank": scores,
            "random": Scores.from_values(rng.random(len(seen)), **named),
            "reversed": Scores.from_values(-scores.values, **named),
        }
        for name, ranking in rankings.items():
            verdicts[name].append(retention(ranking, bench).verdict)
    claims = []
    for name, found in verdicts.items():
        share = found.count("holds") / len(found)
        said = ", ".join(f"{found.count(kind)} {kind}" for kind in ("holds", "undecided", "fails"))
        least, most = wanted["holds_least"], wanted["fails_most"]
        control = name != "LexRank"
        claims.append(
            Claim.check(f"verify, bench texts: the {name} ranking keeps what the other half of the topic says",
                        f"holds in {'<=' if control else '>='} {most if control else least:.0%} of {len(found)} topics",
                        said, share <= most if control else share >= least, control=control)
        )  # fmt: skip
    return claims


# ------------------------------------------------------------------------------------------------------ lee
def lee(frozen: dict[str, Any]) -> list[Claim]:
    """Fifty news items: is the sentence that is kept about what people find alike?"""
    wanted = frozen["lee"]
    background, items, people = carriers.lee()
    models = {
        name: LexRank(method) for name, method in (("threshold", "threshold"), ("continuous", "continuous"))
    }
    fitted = {
        name: [_ranked_item(model, item, background) for item in items] for name, model in models.items()
    }
    split = [scores.frame["text"].to_list() for scores in fitted["threshold"]]
    rankings: dict[str, list[Order]] = {
        **{name: [list(map(int, scores.order())) for scores in found] for name, found in fitted.items()},
        "lead": [range(len(sentences)) for sentences in split],
    }
    draws = [
        [np.random.default_rng((seed, i)).permutation(len(s)) for i, s in enumerate(split)]
        for seed in range(wanted["random"])
    ]
    above = np.triu_indices(len(items), 1)
    best = {
        name: _agreement_with_people(
            [s[o[0]] for s, o in zip(split, orders, strict=True)], background, people[above]
        )
        for name, orders in rankings.items()
    }
    chance = [
        _agreement_with_people(
            [s[o[0]] for s, o in zip(split, orders, strict=True)], background, people[above]
        )
        for orders in draws
    ]
    whole = _agreement_with_people(items, background, people[above])
    claims = [
        Claim.mean(f"correlation with people of the best sentence alone above that of a random one "
                   f"({best[name]:.3f}, random {np.mean(chance):.3f}, whole items {whole:.3f}), {name}",
                   [best[name] - one for one in chance], least=0.0)
        for name in models
    ]  # fmt: skip
    claims.append(
        Claim.check("correlation with people of the best sentence at least that of the first sentence", f">= {best['lead']:.3f}",
                    f"{best['threshold']:.3f}", best["threshold"] >= best["lead"],
                    "news begin with their summary: the first sentence was written to be one")
    )  # fmt: skip
    stories = [
        np.flatnonzero((people[i] >= wanted["alike"]) & (np.arange(len(items)) != i))
        for i in range(len(items))
    ]
    told = [i for i, story in enumerate(stories) if len(story)]
    gold = [[words(items[j]) for j in stories[i]] for i in told]
    kept = [split[i] for i in told]
    scores = {
        name: _rouge_of(kept, [orders[i] for i in told], gold, wanted["words"])
        for name, orders in rankings.items()
    }
    random = np.mean(
        [_rouge_of(kept, [orders[i] for i in told], gold, wanted["words"]) for orders in draws], axis=0
    )
    claims += [
        _mean(f"{kind} of LexRank with other items of its story above that of {name}", scores["threshold"][:, k] - other[:, k],
              (scores["threshold"][:, k], other[:, k]), least=0.0, of="items")
        for name, other in (("random sentences", random), ("the first sentences", scores["lead"]))
        for k, kind in enumerate(KINDS)
    ]  # fmt: skip
    return claims


def _ranked_item(model: LexRank, item: str, background: list[str]) -> Scores:
    return _fitted(model, [item], background=background)


def _agreement_with_people(texts: list[str], background: list[str], people: NDArray[np.float64]) -> float:
    """Correlation over pairs of items of cosines of their texts and what people said."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        S = (
            LexRank("continuous", threshold=0.0)
            .fit([[text] for text in texts], background=background)
            .similarity_
        )
    above = np.triu_indices(len(texts), 1)
    return float(np.corrcoef(S.toarray()[above], people)[0, 1])


# --------------------------------------------------------------------------------------------------- shared
def _mean(
    claim: str, gains: NDArray[np.float64], both: tuple[NDArray[np.float64], NDArray[np.float64]], *, least: float,
    of: str = "topics", why: str = "",
) -> Claim:  # fmt: skip
    """A claim about a mean over topics."""
    low, high = interval(gains)
    verdict = "holds" if low >= least else "does not hold" if high < least else "undecided"
    means = " against ".join(f"{one.mean():.3f}" for one in both)
    measured = f"{gains.mean():.3f} ({low:.3f} to {high:.3f}, {len(gains)} {of}; {means})"
    return Claim(claim, f">= {least:g}", measured, verdict, why if verdict != "holds" else "")


PARTS: dict[str, Callable[[dict[str, Any]], list[Claim]]] = {
    "paper": paper,
    "planted": planted,
    "opinosis": opinosis,
    "judged": judged,
    "lee": lee,
}
