"""One audit of a mapped file, in a process of its own: ``python -m benchmarks.neighbors_runner vectors.npy``."""

from __future__ import annotations

import sys

import numpy as np

from salience.vectors import FunnelAudit


def main() -> None:
    """Label the rows by the sign of their first three numbers, audit, and print what each metric is worth."""
    X = np.load(sys.argv[1], mmap_mode="r")
    y = (np.asarray(X[:, :3]) > 0) @ np.array([1, 2, 4])
    report = FunnelAudit().fit(X, y).report_
    print(", ".join(f"{row['metric']} {row['value']:.3f}" for row in report.by_metric.rows(named=True)))


if __name__ == "__main__":
    main()
