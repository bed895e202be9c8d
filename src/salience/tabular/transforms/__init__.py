"""Transforms of number columns: presets by name, fitted once on the stream, as columns of a scan."""

from salience.tabular.transforms.binning import SupervisedBins, mdlp_cuts, merge_cuts
from salience.tabular.transforms.derivation import Transforms
from salience.tabular.transforms.functions import PRESETS, Transform, find_transforms
from salience.tabular.transforms.grid import transformation_grid, transformation_json
from salience.tabular.transforms.profile import ProfileState, pilot_statistics
from salience.tabular.transforms.statistics import Statistics
from salience.tabular.transforms.supervised import supervised_bins

__all__ = [
    "PRESETS",
    "ProfileState",
    "Statistics",
    "SupervisedBins",
    "Transform",
    "Transforms",
    "find_transforms",
    "mdlp_cuts",
    "merge_cuts",
    "pilot_statistics",
    "supervised_bins",
    "transformation_grid",
    "transformation_json",
]
