"""DSIR in a process of its own, so that its whole memory can be watched; writes what it chose.

::

    python -m benchmarks.dsir_runner here|dask RAW TARGET N_SELECT OUT.npy THREADS
"""

from __future__ import annotations

import sys
import warnings

import numpy as np


def main(where: str, raw: str, target: str, n_select: str, out: str, threads: str) -> None:
    """Choose with this process's threads, or on as many Dask workers."""
    from salience.instances.dsir.resampler import ImportanceResampler
    from salience.parallel import cluster

    warnings.simplefilter("ignore", UserWarning)
    resampler = ImportanceResampler(int(n_select), min_words=50, random_state=0, n_jobs=int(threads))
    if where == "dask":
        with cluster(2) as client:
            resampler.fit(raw, target, client=client)
    else:
        resampler.fit(raw, target)
    np.save(out, resampler.select())


if __name__ == "__main__":
    main(*sys.argv[1:])
