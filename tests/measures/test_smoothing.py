"""Counts on a grid smoothed by running sums: against a convolution written out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import fftconvolve

from salience.measures.density import Axis
from salience.measures.smoothing import DUST, smooth, spread


def kernel(step_x, step_y):
    """Epanechnikov's, on the points of a grid, in bandwidths."""
    x, y = (step * np.arange(-int(5**0.5 / step), int(5**0.5 / step) + 1) for step in (step_x, step_y))
    return np.maximum(1 - (x[:, None] ** 2 + y**2) / 5, 0.0)


def counts_and_steps(columns, outcome, grid):
    on_x, on_y = Axis.around(columns, grid[0]), Axis.around(outcome[None], grid[1])
    counts = np.zeros((len(columns), *grid))
    spread(on_x.cell, on_x.above, on_y.cell[0], on_y.above[0], counts)
    return counts, on_x.step, on_y.step[0]


def smoothed(counts, steps, step_y):
    found = np.full_like(counts, np.nan)
    smooth(counts, steps, step_y, found)
    return found


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 1000),
    n=st.integers(2, 200),
    spans=st.tuples(st.floats(1e-6, 200.0), st.floats(1e-6, 200.0)),
    grid=st.tuples(st.integers(16, 150), st.integers(16, 150)),
)
def test_running_sums_are_the_convolution(seed, n, spans, grid):
    # from columns far narrower than the kernel, which then spans the grid, to kernels of less than a cell
    rng = np.random.default_rng(seed)
    columns, outcome = spans[0] * rng.random((2, n)), spans[1] * rng.random(n)
    counts, steps, step_y = counts_and_steps(columns, outcome, grid)
    for table, step, found in zip(counts, steps, smoothed(counts, steps, step_y), strict=True):
        plain = fftconvolve(table, kernel(step, step_y))
        beyond = [(extent - size) // 2 for extent, size in zip(plain.shape, grid, strict=True)]
        inner = plain[beyond[0] : beyond[0] + grid[0], beyond[1] : beyond[1] + grid[1]]
        assert np.abs(found - inner).max() < DUST * inner.max()


def test_a_single_count_becomes_the_kernel():
    counts = np.zeros((1, 31, 41))
    counts[0, 15, 20] = 2.0
    found = smoothed(counts, np.array([0.3]), 0.25)[0]
    shape = kernel(0.3, 0.25)
    assert found[15 - 7 : 15 + 8, 20 - 8 : 20 + 9] == pytest.approx(2 * shape, abs=1e-13)
    assert found.sum() == pytest.approx(2 * shape.sum())


def test_every_row_is_spread_over_the_four_cells_around_it():
    counts = np.zeros((1, 3, 4))
    spread(np.array([[1]]), np.array([[0.25]]), np.array([2]), np.array([0.5]), counts)
    assert counts[0].tolist() == [[0, 0, 0, 0], [0, 0, 0.375, 0.375], [0, 0, 0.125, 0.125]]


def test_what_rounding_leaves_in_empty_cells_is_dust():
    # the most rounding: many rows, a fine grid, a wide kernel
    columns, outcome = np.random.default_rng(0).normal(size=(1, 20_000)), np.linspace(-3, 3, 20_000) ** 3 / 9
    counts, steps, step_y = counts_and_steps(columns, outcome, (300, 300))
    found = smoothed(counts, steps, step_y)[0]
    empty = fftconvolve(counts[0] > 0, kernel(steps[0], step_y) > 0, mode="same") < 0.5
    assert empty.any()
    assert np.abs(found[empty]).max() < DUST * found.max()
