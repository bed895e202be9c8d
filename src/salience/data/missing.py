"""What stands for no value, in any of the libraries that hold single values."""

from __future__ import annotations

from typing import Any

__all__ = ["is_missing"]


def is_missing(value: Any) -> bool:
    """Whether a single value is None, NaN, NaT or the NA of pandas.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> [is_missing(value) for value in (None, float("nan"), np.datetime64("NaT"), pd.NaT, pd.NA)]
    [True, True, True, True, True]
    >>> [is_missing(value) for value in (0, "", "nan", False, float("inf"), [None], np.zeros(2))]
    [False, False, False, False, False, False, False]
    """
    try:
        return value is None or bool(value != value)
    except TypeError:  # the NA of pandas is neither equal to itself nor not
        return True
    except ValueError:  # an array is no single value
        return False
