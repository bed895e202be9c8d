"""How many threads a small network is worth."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["threads_that_pay"]

SMALL = 1 << 26  # multiply-adds of a step, some milliseconds: below, threads wait longer than they work


@contextmanager
def threads_that_pay(multiply_adds: float) -> Iterator[None]:
    """One thread where a step is small: with two, and somebody else on the machine, it took ten times as long.

    Parameters
    ----------
    multiply_adds : float
        Of a step; for linear layers the rows of a batch times the number of weights.

    Examples
    --------
    >>> with threads_that_pay(1000):
    ...     torch.get_num_threads()
    1
    """
    before = torch.get_num_threads()
    if multiply_adds < SMALL:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
