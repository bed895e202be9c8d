"""LexRank against the packages lexrank 0.1.0 and sumy 0.13.0, which compare all pairs of sentences in Python.

Both leave out the (1 - f) of the paper. With f close to 1 and their idf ours gives the same scores (sumy's once its walk is
let go on, which it stops after a step or two): that is compared first.
"""

from __future__ import annotations

import json
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from benchmarks.harness import Row, Settings, seconds
from benchmarks.peer_environment import peer_environment, run_peer
from salience.instances import LexRank

REQUIREMENTS = ("lexrank==0.1.0", "sumy==0.13.0", "rouge-score==0.1.2", "numpy<2", "scipy")
SIZES = {300: 20.0, 2000: 100.0}  # sentences, and how many times faster
LARGE = 10_000
ALWAYS = {"follow": 1 - 1e-9, "tol": 1e-13, "max_iter": 100_000}


def benchmark(settings: Settings) -> Iterator[Row]:
    """Two sizes, each against both; then a book."""
    peer = packages(settings.cache)
    for size, aim in SIZES.items():
        documents = zipf(size // 4 if settings.quick else size)
        sentences = [text for document in documents for text in document]
        # 2,000 sentences take them minutes: once is enough
        found = ranked_by(peer, [sentences], documents, runs=1 if size > 300 else min(settings.runs, 3))
        yield from _against(documents, sentences, found, aim, settings)
    for size in (max(SIZES), LARGE):
        yield _memory(zipf(size // 4 if settings.quick else size))


def packages(cache: Path) -> Path:
    """The environment with both."""
    return peer_environment(cache, "lexrank-0.1.0", REQUIREMENTS)


def ranked_by(
    peer: Path,
    groups: list[list[str]],
    documents: list[list[str]],
    pairs: ArrayLike | list[tuple[str, str]] = (),
    runs: int = 0,
) -> dict[str, Any]:
    """What the packages say of groups of sentences, and rouge-score of pairs of texts."""
    text = json.dumps({"groups": groups, "documents": documents, "pairs": list(pairs)})
    return run_peer(
        peer, "lexrank_packages", {"json": np.frombuffer(text.encode(), np.uint8)}, str(runs), threads=1
    )


def zipf(sentences: int, seed: int = 0) -> list[list[str]]:
    """Documents of 10 sentences of 20 words from 5,000, the second half as often as the first and so on."""
    rng = np.random.default_rng(seed)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    vocabulary = np.unique(["".join(rng.choice(letters, 6)) for _ in range(5000)])
    rng.shuffle(vocabulary)
    weights = 1 / np.arange(1, len(vocabulary) + 1)
    texts = [" ".join(rng.choice(vocabulary, 20, p=weights / weights.sum())) for _ in range(sentences)]
    return [texts[i : i + 10] for i in range(0, sentences, 10)]


def _against(
    documents: list[list[str]], sentences: list[str], found: dict[str, Any], aim: float, settings: Settings
) -> Iterator[Row]:
    n = len(sentences)
    background = [" ".join(document) for document in documents]
    own = float(
        np.median(
            [seconds(partial(LexRank().fit, documents, background=background)) for _ in range(settings.runs)]
        )
    )
    theirs = np.array(found["lexrank"][0]["scores"])
    ours = LexRank(**ALWAYS).fit(documents, background=background).scores_.values
    yield _row("lexrank 0.1.0", n, own, found["lexrank"][0]["seconds"], ours, theirs / theirs.sum(), aim)
    rested = np.array(found["sumy"][0]["rested"])
    holding = Counter(word for text in sentences for word in set(text.split()))
    idf = {word: abs(np.log(n / (1 + number))) for word, number in holding.items()}
    ours = LexRank(idf=idf, **ALWAYS).fit(documents).scores_.values
    own = float(np.median([seconds(partial(LexRank().fit, documents)) for _ in range(settings.runs)]))
    yield _row("sumy 0.13.0", n, own, found["sumy"][0]["seconds"], ours, rested / rested.sum(), aim)


def _row(name: str, n: int, own: float, peer: float, ours: Any, theirs: Any, aim: float) -> Row:
    gap = float(np.abs(ours - theirs).max() * n)
    return Row(
        f"`LexRank().fit` against {name}, {n:,} sentences", own, peer, "s", f">= {aim:g}x",
        peer >= aim * own and gap < 1e-4, f"at its settings, f close to 1: scores equal to {gap:.1g} of their mean",
        "texts to scores, one thread each",
    )  # fmt: skip


def _memory(documents: list[list[str]]) -> Row:
    n = sum(map(len, documents))
    LexRank().fit(documents[:2])  # imports are no part of it
    took = seconds(partial(LexRank().fit, documents))
    tracemalloc.start()
    model = LexRank().fit(documents)
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    whole = 8 * n * n / 1e6
    return Row(
        f"peak memory of `LexRank().fit`, {n:,} sentences", peak, None, "MB", f"< {whole:.3g} MB, n x n floats",
        peak < whole, "-", f"{took:.2g} s, {model.similarity_.nnz / n**2:.1%} of the pairs are links",
    )  # fmt: skip
