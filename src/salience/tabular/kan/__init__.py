"""Kolmogorov-Arnold networks as selectors: `selector` is the estimator, `importance` reads a network that is trained already.

`fold` trains one network on the rows of a fold, `shares` are the five scores of its first layer, `targets`
is what is predicted, `curves` draws what the kept columns do. The layers are in
:mod:`salience.networks.kan`.
"""
