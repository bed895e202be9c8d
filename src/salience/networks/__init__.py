"""What more than one family needs of networks: the training loop, plain torch modules, a truly sparse layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from salience.lazy import lazy_namespace

__all__ = [
    "KAN",  # Kolmogorov-Arnold networks
    "History",  # what a training run was like, epoch by epoch
    "KANLayer",  # a layer of learned one-dimensional functions
    "NestedDropout",  # keep the first k neurons, a new k each time: an order of importance
    "SparseLayer",  # a layer that holds its connections only, and evolves them; no torch
    "SupervisedStep",  # one step of one optimizer on one loss
    "TensorBatches",  # shuffled batches of tensors in memory
    "class_activation_map",  # where in an image a network sees a class
    "fit",  # the training loop
    "nested_accuracy",  # accuracy of the first k neurons, every k in one pass
    "nested_logits",  # their logits
    "small_convnet",  # a few convolutions with batch normalisation, for small images
    "supervised_step",  # the common case of a step
]

__getattr__, __dir__ = lazy_namespace(
    __name__,
    {
        "KAN": "salience.networks.kan:KAN [torch]",
        "KANLayer": "salience.networks.kanlayer:KANLayer [torch]",
        "History": "salience.networks.training:History [torch]",
        "NestedDropout": "salience.networks.nested:NestedDropout [torch]",
        "nested_accuracy": "salience.networks.nested:nested_accuracy [torch]",
        "nested_logits": "salience.networks.nested:nested_logits [torch]",
        "SparseLayer": "salience.networks.sparse:SparseLayer",
        "SupervisedStep": "salience.networks.training:SupervisedStep [torch]",
        "TensorBatches": "salience.networks.batches:TensorBatches [torch]",
        "class_activation_map": "salience.networks.cam:class_activation_map [torch]",
        "fit": "salience.networks.training:fit [torch]",
        "small_convnet": "salience.networks.convnet:small_convnet [torch]",
        "supervised_step": "salience.networks.training:supervised_step [torch]",
    },
)

if TYPE_CHECKING:
    from salience.networks.batches import TensorBatches as TensorBatches
    from salience.networks.cam import class_activation_map as class_activation_map
    from salience.networks.convnet import small_convnet as small_convnet
    from salience.networks.kan import KAN as KAN
    from salience.networks.kanlayer import KANLayer as KANLayer
    from salience.networks.nested import NestedDropout as NestedDropout
    from salience.networks.nested import nested_accuracy as nested_accuracy
    from salience.networks.nested import nested_logits as nested_logits
    from salience.networks.sparse import SparseLayer as SparseLayer
    from salience.networks.training import History as History
    from salience.networks.training import SupervisedStep as SupervisedStep
    from salience.networks.training import fit as fit
    from salience.networks.training import supervised_step as supervised_step
