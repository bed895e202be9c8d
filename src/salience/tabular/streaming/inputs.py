"""Data in memory at the door of an estimator: scikit-learn's checks, without turning a frame into an array."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_consistent_length, column_or_1d, validate_data


def checked(estimator: BaseEstimator, X: Any, y: Any, reset: bool = True) -> tuple[Any, np.ndarray]:
    """Check data in memory as scikit-learn does; frames keep their types, arrays become 2-D arrays.

    Raises
    ------
    ValueError
        Wrong shapes or lengths, fewer than two rows, complex numbers.
    """
    y = column_or_1d(y, warn=True)
    if not (hasattr(X, "columns") or hasattr(X, "column_names")):  # not a pandas, polars or pyarrow table
        X = validate_data(
            estimator,
            X,
            reset=reset,
            dtype=None,
            accept_sparse=True,
            ensure_all_finite=False,
            ensure_min_samples=2,
        )
    else:
        validate_data(estimator, X, reset=reset, skip_check_array=True)
        rows, width = X.shape
        if rows < 2 or width < 1:
            raise ValueError(
                f"Found array with {rows} sample(s) and {width} feature(s) (n_samples={rows}); 2 rows and 1 column are needed"
            )
    check_consistent_length(X, y)
    return X, y
