"""A mixed model whose groups are t: `model` is the estimator, `likelihood` and `objective` are what it minimises.

`picture` draws the weights of the groups.
"""
