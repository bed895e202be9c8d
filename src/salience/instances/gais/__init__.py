"""Rows by the attention that a graph network pays them: `selector` is the estimator.

`graphs` connects rows without a matrix of all pairs, `batches` cuts rows into pieces that keep the class shares,
`attention` is the network, `training` trains it and reads scores off it, `selection` keeps rows, `rates` finds how
many, `picture` draws them.
"""
