"""Sparse linear models with penalties that do not shrink large effects: `model` is the estimator.

`path` goes down the penalties with the strong rule and checks what it left out, `descent` is coordinate
descent, `losses` the squared and the logistic one, `columns` standardises without copying, `picture` draws
the path. The solvers are in :mod:`salience.measures.optimize`.
"""
