"""Interactions over all models that predict about as well: `explorer` is the estimator, `fis` the score in one model.

`parts` are the features that masks act on, `models` asks a model for what a loss needs, `search` walks to
the rim of the set, `members` measures effects in its members, `clouds` are their ranges, `plots` the halo
and the swarm; `tables` takes a table of any columns.
"""
