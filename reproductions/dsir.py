"""DSIR: data selection for language models via importance resampling (arXiv 2302.03169)."""

from __future__ import annotations

import ast
import re
import sysconfig
import warnings
from collections import Counter
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline

from reproductions import carriers
from reproductions.claims import Claim
from salience.instances import ImportanceResampler

warnings.filterwarnings("ignore", category=UserWarning, module="salience|reproductions")
FOREIGN = (
    "gato",
    "perro",
    "casa",
    "árbol",
    "agua",
    "fuego",
    "cielo",
    "tierra",
    "noche",
    "luz",
    "mano",
    "ojo",
    "pan",
    "vino",
)


class Pieces(NamedTuple):
    """Texts of equal length, and which source each is of."""

    texts: list[str]
    source: NDArray[np.int64]


TEMPLATE = (
    "numpy and scipy write by one template and are drawn for each other; what numpy documents when it is imported is "
    "not in its files, so its share of the pool is smaller than when others saw it"
)
EXTREMES = "at temperature 1 the draw is the top of the list, which is more alike than the target; see the tempered draws"


# ------------------------------------------------------------------------------------------------ docstrings
def docstrings(frozen: dict[str, Any]) -> list[Claim]:
    """Half of a source is the target: is its other half found among all sources?"""
    wanted, seeds = frozen["docstrings"], frozen["seeds"]
    pieces = _docstrings(tuple(wanted["sources"]), wanted["words"])
    claims, gains = [], []
    seen = zip(wanted["sources"], wanted["seen_precision"], wanted["seen_random"], strict=True)
    for number, (name, precise, chance) in enumerate(seen):
        found = [_half_found(pieces, number, seed) for seed in seeds]
        hits, areas, gain, share = (np.array([run[i] for run in found]) for i in range(4))
        gains += [(name, value) for value in gain]
        claims += [
            Claim.mean(f"{name}: share of the drawn that is of the source (chance {share.mean():.2f}; seen {precise}, "
                       f"chance {chance})", hits, least=wanted["precision"], why=TEMPLATE),
            Claim.mean(f"{name}: AUC of the log weights", areas, least=wanted["auc"], why=TEMPLATE),
        ]  # fmt: skip
    worst = min(gains, key=lambda gain: gain[1])
    return [
        *claims,
        Claim.check("KL reduction above that of a random selection, every source and seed", "> 0 everywhere",
                    f"least {worst[1]:.3f} ({worst[0]})", worst[1] > 0),
    ]  # fmt: skip


def _half_found(pieces: Pieces, number: int, seed: int) -> tuple[float, float, float, float]:
    rng = np.random.default_rng(seed)
    own = rng.permutation(np.flatnonzero(pieces.source == number))
    given, rest = own[: len(own) // 2], own[len(own) // 2 :]
    pool = np.concatenate([rest, np.flatnonzero(pieces.source != number)])
    truth = np.arange(len(pool)) < len(rest)
    resampler = _fitted(pieces, pool, given, len(rest), seed)
    random = np.isin(np.arange(len(pool)), rng.choice(len(pool), len(rest), replace=False))
    gain = resampler.kl_reduction() - resampler.kl_reduction(random)
    return (
        float(truth[resampler.select()].mean()),
        float(roc_auc_score(truth, resampler.log_weights_)),
        gain,
        float(truth.mean()),
    )


def _fitted(
    pieces: Pieces, pool: NDArray[Any], given: NDArray[Any], keep: int, seed: int
) -> ImportanceResampler:
    raw, target = ([pieces.texts[i] for i in some] for some in (pool, given))
    return ImportanceResampler(keep, chunk_words=None, random_state=seed).fit(raw, target)


@cache
def _docstrings(sources: tuple[str, ...], words: int) -> Pieces:
    """All docstrings, package by package, each package's joined and cut."""
    texts: list[str] = []
    source: list[int] = []
    for number, name in enumerate(sources):
        joined = " ".join(text for file in _files(name) for text in _docs(file)).split()
        pieces = [" ".join(joined[i : i + words]) for i in range(0, len(joined) - words + 1, words)]
        texts += pieces
        source += [number] * len(pieces)
    return Pieces(texts, np.array(source))


def _files(name: str) -> list[Path]:
    if name == "stdlib":
        root = Path(sysconfig.get_path("stdlib"))
        return sorted(
            path for path in root.rglob("*.py") if not {"site-packages", "test", "tests"} & set(path.parts)
        )
    found = find_spec(name)
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError(f"the docstrings of {name} are needed, which is not installed")
    return sorted(
        path for path in Path(found.submodule_search_locations[0]).rglob("*.py") if "tests" not in path.parts
    )


def _docs(file: Path) -> list[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(file.read_text("utf-8"))
    except (SyntaxError, ValueError):
        return []
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    return [ast.get_docstring(node) or "" for node in ast.walk(tree) if isinstance(node, documented)]


# ------------------------------------------------------------------------------------------------- reduction
def reduction(frozen: dict[str, Any]) -> list[Claim]:
    """Does the KL reduction of a selection say how well a model trained on it predicts the target?"""
    wanted, seeds = frozen["reduction"], frozen["seeds"]
    sources = frozen["docstrings"]["sources"]
    pieces = _docstrings(tuple(sources), frozen["docstrings"]["words"])
    number = sources.index(wanted["target"])
    rhos = [_follows(pieces, number, wanted, seed) for seed in seeds]
    return [
        Claim.mean(f"Spearman of KL reduction and held-out perplexity over {wanted['selections']} selections of "
                   f"{wanted['pieces']} pieces (seen -0.99)", rhos, most=wanted["spearman"]),
    ]  # fmt: skip


def _follows(pieces: Pieces, number: int, wanted: dict[str, Any], seed: int) -> float:
    rng = np.random.default_rng(seed)
    own = rng.permutation(np.flatnonzero(pieces.source == number))
    given, held, rest = np.array_split(own, 3)
    pool = np.concatenate([rest, np.flatnonzero(pieces.source != number)])
    resampler = _fitted(pieces, pool, given, 1, seed)
    test = [pieces.texts[i].split() for i in held]
    values, perplexities = [], []
    for _ in range(wanted["selections"]):
        mixture = rng.dirichlet(np.ones(len(np.unique(pieces.source))))
        of_piece = mixture[pieces.source[pool]] / np.bincount(pieces.source[pool])[pieces.source[pool]]
        drawn = rng.choice(len(pool), wanted["pieces"], replace=False, p=of_piece / of_piece.sum())
        values.append(resampler.kl_reduction(np.isin(np.arange(len(pool)), drawn)))
        perplexities.append(
            _perplexity([pieces.texts[pool[i]].split() for i in drawn], test, wanted["unigram"])
        )
    return float(spearmanr(values, perplexities).statistic)


def _perplexity(train: Sequence[list[str]], test: Sequence[list[str]], share: float) -> float:
    """Of bigrams mixed with unigrams that have one count more each; unknown words are one word."""
    single = Counter(word for text in train for word in text)
    double = Counter(pair for text in train for pair in pairwise(text))
    first = Counter(word for text in train for word in text[:-1])
    total, known = sum(single.values()), len(single) + 1
    logs = [
        np.log(share * (single[b] + 1) / (total + known) + (1 - share) * double[a, b] / max(first[a], 1))
        for text in test
        for a, b in pairwise(text)
    ]
    return float(np.exp(-np.mean(logs)))


# ----------------------------------------------------------------------------------------------------- pools
class Task(NamedTuple):
    """A target, the pool to choose from, and labelled texts of the target's field."""

    target: list[str]
    pool: list[str]
    texts: list[str]
    labels: NDArray[np.bool_]
    labelled: int  # per class


def pools(frozen: dict[str, Any]) -> list[Claim]:
    """Real pools: is the chosen text nearer to the target, and worth more to a task of its field?"""
    wanted, seeds = frozen["pools"], frozen["seeds"]
    claims = []
    for name, make in {"children's books": _books, "sci.space": _space}.items():
        runs = [_compared(make(wanted, seed), wanted, seed) for seed in seeds]
        for peer in ("random", "classifier", "quality"):
            gains = [run["DSIR"][0] - run[peer][0] for run in runs]
            claims.append(Claim.mean(f"{name}: KL reduction above that of {peer}", gains, least=0.0))
        for peer, least in (("random", wanted["gain_random"]), ("classifier", wanted["gain_classifier"]),
                            ("quality", wanted["gain_random"])):  # fmt: skip
            gains = [run["DSIR"][1] - run[peer][1] for run in runs]
            at = " / ".join(f"{np.mean([run[which][1] for run in runs]):.3f}" for which in ("DSIR", peer))
            claims.append(
                Claim.mean(f"{name}: accuracy above that of {peer} ({at})", gains, least=least,
                           why=EXTREMES)
            )  # fmt: skip
    return claims


def tempered(frozen: dict[str, Any]) -> list[Claim]:
    """Added after the first run, without a threshold: the same with a temperature, the deviation of the log weights."""
    wanted, seeds = frozen["pools"], frozen["seeds"]
    claims = []
    for name, make in {"children's books": _books, "sci.space": _space}.items():
        runs = [_tempered(make(wanted, seed), wanted, seed) for seed in seeds]
        for place, what in enumerate(("KL reduction", "accuracy")):
            seen = ", ".join(f"{way} {np.mean([run[way][place] for run in runs]):.3f}" for way in runs[0])
            claims.append(
                Claim(
                    f"{name}: {what} by temperature",
                    "no threshold, added after the first run",
                    seen,
                    "not judged",
                )
            )
    return claims


def _tempered(task: Task, wanted: dict[str, Any], seed: int) -> dict[str, tuple[float, float]]:
    found = {}
    plain = ImportanceResampler(wanted["kept"], chunk_words=None, min_words=0, random_state=seed)
    spread = float(plain.fit(task.pool, task.target).log_weights_.std())
    for way, temperature in (("1", 1.0), ("half a deviation", spread / 2), ("one deviation", spread)):
        drawn = plain.set_params(temperature=temperature).fit(task.pool, task.target)
        found[way] = drawn.kl_reduction(), _accuracy(list(drawn.selected_texts()), task, wanted, seed)
    return found


def _compared(task: Task, wanted: dict[str, Any], seed: int) -> dict[str, tuple[float, float]]:
    """KL reduction and accuracy of each way to choose."""
    rng = np.random.default_rng(seed)
    keep = wanted["kept"]
    resampler = ImportanceResampler(keep, chunk_words=None, min_words=0, random_state=seed).fit(
        task.pool, task.target
    )
    prose = ImportanceResampler(1, chunk_words=None, min_words=0, quality_filter=True).fit(
        task.pool, task.target
    )
    ways = {
        "DSIR": resampler.select(),
        "random": rng.choice(len(task.pool), keep, replace=False),
        "classifier": _by_classifier(task, keep, wanted["pareto"], rng),
        "quality": rng.choice(np.flatnonzero(prose.eligible_), keep, replace=False),
    }
    everyone = np.arange(len(task.pool))
    return {
        name: (
            resampler.kl_reduction(np.isin(everyone, chosen)),
            _accuracy([task.pool[i] for i in chosen], task, wanted, seed),
        )
        for name, chosen in ways.items()
    }


def _by_classifier(task: Task, keep: int, pareto: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """The heuristic filter of GPT-3: a linear classifier of hashed n-grams, with a noisy threshold on its probability."""
    counted = HashingVectorizer(n_features=10_000, ngram_range=(1, 2), alternate_sign=False)
    some = [task.pool[i] for i in rng.choice(len(task.pool), len(task.target), replace=False)]
    X = counted.transform([*task.target, *some])
    model = LogisticRegression(max_iter=300).fit(X, np.arange(X.shape[0]) < len(task.target))
    probability = model.predict_proba(counted.transform(task.pool))[:, 1]
    # it keeps those with a Pareto number above 1 - probability; the likeliest of them first, if they are too many
    passes = rng.pareto(pareto, len(probability)) > 1 - probability
    return (
        np.lexsort((-probability, ~passes))[:keep]
        if passes.sum() < keep
        else rng.permutation(np.flatnonzero(passes))[:keep]
    )


def _accuracy(chosen: list[str], task: Task, wanted: dict[str, Any], seed: int) -> float:
    """Of a classifier with few labels, in a space that was learned from the chosen texts."""
    space = make_pipeline(
        TfidfVectorizer(min_df=2, sublinear_tf=True), TruncatedSVD(wanted["dimensions"], random_state=seed)
    )
    space.fit(chosen)
    X, found = space.transform(task.texts), []
    for repeat in range(wanted["repeats"]):
        order = np.random.default_rng([seed, repeat]).permutation(len(X))
        train = np.concatenate(
            [order[task.labels[order] == label][: task.labelled] for label in (False, True)]
        )
        test = np.setdiff1d(order, train)
        model = LogisticRegression(C=100.0, class_weight="balanced").fit(X[train], task.labels[train])
        found.append(np.mean([(model.predict(X[test]) == task.labels[test])[task.labels[test] == label].mean()
                              for label in (False, True)]))  # fmt: skip
    return float(np.mean(found))


def _books(wanted: dict[str, Any], seed: int) -> Task:
    """Half of the excerpts of children's books are the target; the others are told from books for adults."""
    books = carriers.corpus("book-excerpts")
    children = books.filter(books["Category"] == "children")["Text"].to_list()
    adults = books.filter(books["Category"] != "children")["Text"].to_list()
    order = np.random.default_rng(seed).permutation(len(children))
    half = len(order) // 2
    target = _cut([children[i] for i in order[:half]], wanted["words"])
    own = _cut([children[i] for i in order[half:]], wanted["words"])
    other = _cut(adults, wanted["words"])
    labels = np.arange(len(own) + len(other)) < len(own)
    return Task(target, [*_news(wanted["words"], None), *_tales(wanted["words"])], [*own, *other], labels,
                wanted["labelled_books"])  # fmt: skip


def _space(wanted: dict[str, Any], seed: int) -> Task:
    """Some postings about space are the target; those of the test set are told from other sciences."""
    posts = carriers.corpus("20newsgroups-train")
    space = posts.filter(posts["Category"] == "sci.space")["Text"].drop_nulls().to_list()
    order = np.random.default_rng(seed).permutation(len(space))
    given = order[: wanted["target_space"]]
    test = carriers.corpus("20newsgroups-test")
    science = test.filter(test["Category"].str.starts_with("sci."))
    labels = (science["Category"] == "sci.space").to_numpy()
    left = [space[i] for i in order[wanted["target_space"] :]]
    return Task(
        _cut([space[i] for i in given], wanted["words"]),
        [*_news(wanted["words"], "sci.space"), *_cut(left, wanted["words"]), *_tales(wanted["words"])],
        [_plain(text or "") for text in science["Text"].to_list()], labels, wanted["labelled_space"],
    )  # fmt: skip


@cache
def _news(words: int, without: str | None) -> tuple[str, ...]:
    posts = carriers.corpus("20newsgroups-train")
    posts = posts if without is None else posts.filter(posts["Category"] != without)
    reuters = carriers.corpus("reuters-r52-train")["Text"].drop_nulls().to_list()
    friends = [" ".join(carriers.corpus("friends-transcripts")["Quote"].drop_nulls().to_list())]
    return tuple(_cut([*posts["Text"].drop_nulls().to_list(), *reuters, *friends], words))


@cache
def _tales(words: int) -> tuple[str, ...]:
    tales = [*carriers.corpus("grimm-tales")["Content"], *carriers.corpus("andersen")["Content"]]
    return tuple(_cut([tale for tale in tales if tale], words))


def _cut(texts: Sequence[str], words: int) -> list[str]:
    """Pieces of exactly so many words; what is left of a text is left out."""
    split = [_plain(text).split() for text in texts]
    return [" ".join(text[i : i + words]) for text in split for i in range(0, len(text) - words + 1, words)]


def _plain(text: str) -> str:
    """Lower case without punctuation, as Reuters and the newsgroups come: style is not to be told by commas."""
    return re.sub(r"[^a-z0-9]+", " ", text.lower())


# -------------------------------------------------------------------------------------------------- controls
def controls(frozen: dict[str, Any]) -> list[Claim]:
    """A target that is the pool, another language, and one seed twice."""
    wanted, seeds = frozen["controls"], frozen["seeds"]
    sources = frozen["docstrings"]["sources"]
    pieces = _docstrings(tuple(sources), frozen["docstrings"]["words"])
    everything = np.arange(len(pieces.texts))
    null, moved, real, foreign, same = [], [], [], [], []
    spanish = [" ".join(np.random.default_rng(i).choice(FOREIGN, 100)) for i in range(wanted["foreign"])]
    for seed in seeds:
        rng = np.random.default_rng(seed)
        given = rng.choice(everything, int(wanted["share"] * len(everything)), replace=False)
        found = _fitted(pieces, everything, given, wanted["kept"], seed)
        null.append(found.signal_)
        shares = [np.bincount(some, minlength=len(sources)) / len(some)
                  for some in (pieces.source[found.select()], pieces.source)]  # fmt: skip
        moved.append(float(np.abs(shares[0] - shares[1]).max()))
        for number in range(len(sources)):
            own = rng.permutation(np.flatnonzero(pieces.source == number))
            pool = np.setdiff1d(everything, own[: len(own) // 2])
            real.append(_fitted(pieces, pool, own[: len(own) // 2], 1, seed).signal_)
        mixed = ImportanceResampler(wanted["kept"], chunk_words=None, random_state=seed)
        target = [pieces.texts[i] for i in np.flatnonzero(pieces.source == seed % len(sources))[::2]]
        chosen = mixed.fit([*pieces.texts, *spanish], target).select()
        foreign.append(int((chosen >= len(pieces.texts)).sum()))
        same.append(np.array_equal(chosen, mixed.fit([*pieces.texts, *spanish], target).select()))
    itself = ImportanceResampler(10, chunk_words=None, target_smoothing=0.0).fit(pieces.texts, pieces.texts)
    return [
        Claim.mean(f"a random {wanted['share']:.0%} of the pool as target: signal (a selection from it still moves the "
                   f"share of a source by {np.mean(moved):.2f})", null, most=wanted["signal"], control=True),
        Claim.check("real targets: least signal over sources and seeds", f"> {wanted['signal']}", f"{min(real):.2f}",
                    min(real) > wanted["signal"]),
        Claim.check("pieces of another language drawn", "0", str(sum(foreign)), not any(foreign), control=True),
        Claim.check("the same draw twice under one seed", "always", f"{sum(same)} of {len(same)}", all(same), control=True),
        Claim.check("the pool itself as target: largest log weight", "0", f"{np.abs(itself.log_weights_).max():.1g}",
                    not itself.log_weights_.any(), control=True),
    ]  # fmt: skip


PARTS = {
    "docstrings": docstrings,
    "reduction": reduction,
    "pools": pools,
    "tempered": tempered,
    "controls": controls,
}
