"""Data with a planted truth: what a ranking of features ought to find is known.

A `Recipe` says how a block of rows is drawn; `generate` draws a frame, `write` draws a file of any length
block by block. Both draw the same rows for the same seed. Vectors of a chosen intrinsic dimension, or in a narrow cone, are arrays.
"""

from salience.data.generators.categorical import Categorical
from salience.data.generators.classification import CategoricalClassification
from salience.data.generators.clicks import Clicks
from salience.data.generators.drawing import Planted, Recipe, generate, write
from salience.data.generators.needles import AutoML, NaiveNeedle, Needle, TripleNeedle, Xor
from salience.data.generators.vectors import clustered_vectors, cone_vectors, subspace_vectors

#: Recipes by the name a command line uses.
RECIPES = {
    "naive": NaiveNeedle,
    "needle": Needle,
    "triple": TripleNeedle,
    "xor": Xor,
    "categorical-classification": Categorical,
    "ctr": Clicks,
    "automl": AutoML,
}

__all__ = [
    "RECIPES",
    "AutoML",
    "Categorical",
    "CategoricalClassification",
    "Clicks",
    "NaiveNeedle",
    "Needle",
    "Planted",
    "Recipe",
    "TripleNeedle",
    "Xor",
    "clustered_vectors",
    "cone_vectors",
    "generate",
    "subspace_vectors",
    "write",
]
