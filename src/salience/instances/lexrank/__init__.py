"""Sentences by how central they are among all sentences: `model` is the estimator.

`sentences` splits texts, `words` weighs their words, `similarity` finds which sentences are alike, `centrality` walks over
that graph, `summary` takes sentences that do not repeat each other, `picture` draws the graph.
"""
