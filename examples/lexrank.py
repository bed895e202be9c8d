"""
The sentences that say what the others say
==========================================

Six short reports of one storm. Each sentence is a point, sentences with rare words in common are linked, and a sentence is
central when central sentences are linked to it. The summary takes the best that do not repeat each other.
"""

import sys
import textwrap

import matplotlib.pyplot as plt
from PIL import Image

from salience.instances import LexRank

REPORTS = [
    "The storm reached the west coast on Monday night with gusts of 140 kilometres an hour. Ferries to the islands stayed in "
    "the harbour and two bridges were closed. Nobody was hurt, the coast guard said. A concert in the harbour was put off.",
    "Gusts of 140 kilometres an hour tore roofs off houses on the west coast on Monday night. Power failed in forty villages "
    "near the coast. Schools in these villages stay closed on Tuesday.",
    "Forty villages on the west coast are without power after the storm of Monday night. The power company wants to have the "
    "lines repaired by Wednesday. Its share price did not move.",
    "Ferries to the islands will run again when the storm is over, the harbour office said. Passengers waited in the harbour "
    "on Monday night. Tickets stay valid until Sunday.",
    "The power company repaired lines near the coast on Tuesday, and in twenty villages power is back. The fire brigade pumped "
    "water out of cellars. A tree fell on an empty bus.",
    "On Tuesday the storm moved east and lost its force. Two bridges on the west coast are open again, and ferries to the "
    "islands run as usual. Weather services had warned of the storm since Saturday.",
]
model = LexRank().fit(REPORTS)
summary = model.summarize(k=4, min_words=8)
for index, sentence, score in summary:
    print(f"[{model.doc_[index]}] {sentence}  ({score:.2f})")

# %%
# Why a sentence is on top: which sentences vote for it, and with what share of its score.
best = model.scores_.top(1).items[0]
why = model.explain(best, k=4)
print(f"sentence {best} has votes from {why.items}")

figure, (graph, words) = plt.subplots(1, 2, figsize=(10.5, 4.9), layout="constrained", width_ratios=(1.25, 1))
model.plot(graph, top=5)
words.axis("off")
words.set_title("the five most central, and by how much", loc="left", fontsize=10)
mean = 1 / len(model.scores_)
height = 0.93
for place, (value, text) in enumerate(model.scores_.top(5).frame["value", "text"].rows(), start=1):
    lines = textwrap.wrap(text, 54)
    words.text(0, height, f"{place}", fontsize=11, fontweight="bold", va="top")
    words.text(0.06, height, "\n".join(lines), fontsize=9, va="top", linespacing=1.35)
    words.text(
        0.06,
        height - 0.053 * len(lines) - 0.005,
        f"{value / mean:.1f} times the mean",
        fontsize=8,
        color="#666666",
        va="top",
    )
    height -= 0.053 * len(lines) + 0.085

# The picture of the documentation: python examples/lexrank.py docs/_static/lexrank.png
if len(sys.argv) > 1:
    figure.savefig(sys.argv[1], dpi=75)
    Image.open(sys.argv[1]).quantize(64).save(sys.argv[1], optimize=True)
