"""The packages lexrank 0.1.0 and sumy 0.13.0 on the sentences in an .npz file, and rouge-score 0.1.2 on pairs of texts.

The file holds JSON as bytes: ``groups`` of sentences to rank, ``documents`` by which lexrank counts how rare words are,
and ``pairs`` of texts. sumy's own tokenizer wants data of nltk, so its document is built here.
"""

import json
import re
import sys
import time

import numpy as np
from rouge_score.rouge_scorer import RougeScorer
from sumy.models.dom import ObjectDocumentModel, Paragraph, Sentence
from sumy.summarizers.lex_rank import LexRankSummarizer

from lexrank import LexRank


class Words:
    """A tokenizer for sumy."""

    def to_words(self, text):
        return re.findall(r"\w+", text.lower())


def document(sentences):
    return ObjectDocumentModel([Paragraph([Sentence(text, Words()) for text in sentences])])


def timed(call, runs):
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        found = call()
        seconds.append(time.perf_counter() - start)
    return found, sorted(seconds)[len(seconds) // 2]


def by_lexrank(group, documents, runs):
    scores, seconds = timed(lambda: LexRank(documents).rank_sentences(group, threshold=0.1), runs)
    return {
        "scores": scores.tolist(),
        "order": np.argsort(-scores, kind="stable").tolist(),
        "seconds": seconds,
    }


def by_sumy(group, runs):
    """The scores that its summaries are made by, and those of its matrix when the walk has come to rest."""
    summarizer = LexRankSummarizer()
    seconds = timed(lambda: summarizer(document(group), 5), runs)[1] if runs else 0.0
    words = [summarizer._to_words_set(sentence) for sentence in document(group).sentences]
    matrix = summarizer._create_matrix(
        words, summarizer.threshold, summarizer._compute_tf(words), summarizer._compute_idf(words)
    )
    scores = summarizer.power_method(matrix, summarizer.epsilon)
    rested = summarizer.power_method(matrix, 1e-11)
    order = np.argsort(-scores, kind="stable").tolist()
    return {"scores": scores.tolist(), "rested": rested.tolist(), "order": order, "seconds": seconds}


with np.load(sys.argv[1]) as payload:
    given = json.loads(payload["json"].tobytes())
runs = int(sys.argv[2])
scorer = RougeScorer(["rouge1", "rouge2", "rougeL"])
result = {
    "lexrank": [by_lexrank(group, given["documents"], max(runs, 1)) for group in given["groups"]],
    "sumy": [by_sumy(group, runs) for group in given["groups"]],
    "rouge": [
        [score.fmeasure for score in scorer.score(reference, found).values()]
        for found, reference in given["pairs"]
    ],
}
print(json.dumps(result))
