"""Columns by the strength of their input neurons in a sparse denoising autoencoder: `selector` is the estimator.

`training` runs its epochs, `denoising` is one step, `scale` standardises columns batch by batch. The layer
is :class:`salience.networks.SparseLayer`.
"""
