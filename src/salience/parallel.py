"""Two verbs for many cores and machines: `pmap` for small results, `reduce` to fold where the data is.

`pmap` sends every result to the caller; use it for results of a few kilobytes. Whatever is larger goes
through `reduce`: joblib gathers all results on the client without back-pressure, a merge tree keeps them on
the workers and brings home one.
"""

from __future__ import annotations

import functools
import itertools
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")
S = TypeVar("S")
R = TypeVar("R")
Progress = Callable[[int, int], None]

FOLDS_PER_WORKER = (
    6  # few enough to keep states few, enough for an even load and for cheap repeats after a death
)

_THREAD_VARIABLES = {  # environment variable -> the module that reads it, once, when it is first imported
    "POLARS_MAX_THREADS": "polars",
    "OMP_NUM_THREADS": "numpy",
    "OPENBLAS_NUM_THREADS": "numpy",
    "MKL_NUM_THREADS": "numpy",
    "NUMBA_NUM_THREADS": "numba",
}


def pmap(
    f: Callable[[T], R],
    items: Iterable[T],
    *,
    n_jobs: int = 2,
    threads: bool = False,
    progress: Progress | None = None,
) -> list[R]:
    """Apply a function to every item, in parallel, and return the results in the order of the items.

    Parameters
    ----------
    f : callable
        Called with one item. Its result should be small: all results live in this process at once.
    items : iterable
        Should be small too: descriptors, seeds, configurations.
    n_jobs : int
        Workers; 1 runs inline, -1 takes every core.
    threads : bool
        Threads instead of processes: for functions that release the GIL.
    progress : callable, optional
        ``progress(done, total)`` after each result.

    Examples
    --------
    >>> pmap(lambda x: x * x, [3, 1, 2], n_jobs=2, threads=True)
    [9, 1, 4]
    """
    items = list(items)
    if n_jobs == 0:
        raise ValueError(
            "n_jobs=0 means no worker at all; give 1 (inline), a positive number, or -1 (all cores)."
        )
    from joblib import Parallel, delayed

    backend = "threading" if threads else "loky"
    running = Parallel(n_jobs=n_jobs, backend=backend, return_as="generator")(
        delayed(f)(item) for item in items
    )
    results: list[R] = []
    for result in running:
        results.append(result)
        if progress is not None:
            progress(len(results), len(items))
    return results


def reduce(
    fold: Callable[[Sequence[T]], S],
    shards: Iterable[T],
    merge: Callable[[S, S], S],
    finish: Callable[[S], R],
    *,
    client: Any = None,
    threads: int = 2,
    retries: int = 2,
    progress: Progress | None = None,
) -> R:
    """Fold chunks of shards into states, merge the states pairwise in a tree, finish the last one.

    Parameters
    ----------
    fold : callable
        ``fold(chunk)`` gets a list of neighbouring shards and returns a state.
    shards : iterable
        Small descriptors, never data. At least one.
    merge : callable
        ``merge(a, b)`` returns the joined state and leaves both as they are: on a cluster it may be repeated. It
        must be associative; chunks are merged in order.
    finish : callable
        Called here, with the last state.
    client : distributed.Client, optional
        Folds and merges then run on the cluster (about six folds per worker) and only the last state comes to
        this process. A worker that dies costs the repetition of its own folds; a fold that raises is tried
        `retries` times. `fold` and `merge` must be picklable.
    threads : int
        Without a client: chunks folded at the same time.
    progress : callable, optional
        ``progress(done, total)`` counts chunks.

    Examples
    --------
    >>> reduce(sum, range(10), lambda a, b: a + b, lambda total: total / 10)
    4.5
    """
    shards = list(shards)
    if not shards:
        raise ValueError("reduce() got no shards: there is nothing to fold. Give at least one.")
    if client is not None:
        return finish(_reduce_on_cluster(fold, shards, merge, client, retries, progress))
    chunks = _chunks(shards, max(1, threads))
    if len(chunks) == 1:
        state = fold(chunks[0])
        if progress is not None:
            progress(1, 1)
        return finish(state)
    with ThreadPoolExecutor(len(chunks)) as pool:
        folded = pool.map(fold, chunks)
        state = next(folded)
        for done, other in enumerate(folded, start=2):
            state = merge(state, other)
            if progress is not None:
                progress(done, len(chunks))
    return finish(state)


def _chunks(shards: list[T], n: int) -> list[list[T]]:
    """At most n non-empty runs of neighbouring shards, their lengths differing by one at most."""
    n = min(n, len(shards))
    bounds = [len(shards) * i // n for i in range(n + 1)]
    return [shards[a:b] for a, b in itertools.pairwise(bounds)]


def _reduce_on_cluster(
    fold: Callable[[Sequence[T]], S],
    shards: list[T],
    merge: Callable[[S, S], S],
    client: Any,
    retries: int,
    progress: Progress | None,
) -> S:
    workers = len(client.nthreads())
    if workers == 0:
        raise ValueError("The cluster has no workers yet. Start some (`dask worker ADDRESS`) and try again.")
    # Keys must be new in every call: equal arguments do not mean equal files.
    submit = functools.partial(client.submit, pure=False, retries=retries)
    folds, last = _plant(submit, fold, _chunks(shards, FOLDS_PER_WORKER * workers), merge)
    try:
        if progress is not None:
            _follow(folds, progress)
        folds.clear()  # the scheduler keeps what the tree still needs, and no more
        result: S = last.result()
        return result
    except BaseException:
        client.cancel([*folds, last], force=True)
        raise


def _plant(
    submit: Callable[..., Any], fold: Callable[..., Any], chunks: list[list[T]], merge: Callable[..., Any]
) -> tuple[list[Any], Any]:
    """The futures of the folds and of the last merge.

    The functions travel once, as tasks of their own: lost with a worker, they are made again, which
    scattered data is not.
    """
    folder, merger = submit(_same, fold), submit(_same, merge)
    folds = [submit(_call, folder, chunk) for chunk in chunks]
    level = list(folds)
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        # before further folds, since merging frees memory
        merged = [submit(_call, merger, a, b, priority=1) for a, b in pairs]
        level = merged + level[2 * len(merged) :]
    return folds, level[0]


def _follow(folds: list[Any], progress: Progress) -> None:
    from distributed import as_completed

    for done, future in enumerate(as_completed(folds), start=1):
        if future.status == "error":
            return  # it comes out of the last merge
        progress(done, len(folds))


def _same(x: T) -> T:
    return x


def _call(f: Callable[..., R], *arguments: Any) -> R:
    return f(*arguments)


def limit_threads(n: int = 1) -> tuple[str, ...]:
    """Limit the thread pools of polars, BLAS, OpenMP and numba in this process to n threads, and pyarrow's.

    The environment variables are read when a library is first imported: call this before. pyarrow can be
    limited at any time.

    Returns
    -------
    tuple of str
        The libraries that were imported before the call and therefore keep the number of threads they had.

    Examples
    --------
    >>> import polars
    >>> "polars" in limit_threads(2)    # too late for it
    True
    """
    if n < 1:
        raise ValueError(f"limit_threads(n={n}): a process needs at least one thread.")
    late = tuple(sorted({module for module in _THREAD_VARIABLES.values() if module in sys.modules}))
    for variable, module in _THREAD_VARIABLES.items():
        if module != "numba" or module not in late:  # numba refuses a change once its threads run
            os.environ[variable] = str(n)
    if "pyarrow" in sys.modules:
        import pyarrow as pa

        pa.set_cpu_count(n)
        pa.set_io_thread_count(n)
    return late


def limit_threads_on(client: Any, n: int = 1) -> None:
    """`limit_threads` in every worker of a cluster, those that join later or come back after a crash
    included.

    Set the variables in the workers' environment instead (`cluster` does it for the workers that it starts)
    where the workers' own start-up already imports numpy: then only pyarrow can still be limited from here.
    """
    from distributed import WorkerPlugin

    class ThreadLimit(WorkerPlugin):
        name = f"salience-threads-{n}"

        def setup(self, worker: Any) -> None:
            limit_threads(n)

    client.register_plugin(ThreadLimit())


@contextmanager
def cluster(address: str | int, *, threads: int = 1, patience: str = "10s") -> Iterator[Any]:
    """A Dask client for the length of a with-block.

    Parameters
    ----------
    address : str or int
        ``"tcp://scheduler:8786"`` joins a running cluster; a number starts that many worker processes on this
        machine.
    threads : int
        Threads of each library in each worker (and tasks at a time, in workers started here).

    patience : str
        How long to wait for an answer.

    Raises
    ------
    ImportError
        Dask is not installed.
    ValueError
        No scheduler answers at the address.
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise ImportError(
            'A cluster needs Dask, which is not installed: pip install "salience[dask]"'
        ) from error
    if isinstance(address, int):
        environment = dict.fromkeys(_THREAD_VARIABLES, str(threads))
        with (
            LocalCluster(
                n_workers=address,
                threads_per_worker=threads,
                processes=True,
                dashboard_address=":0",
                env=environment,
            ) as local,
            Client(local) as client,
        ):
            limit_threads_on(client, threads)
            yield client
        return
    try:
        client = Client(address, timeout=patience)
    except (OSError, TimeoutError, ValueError) as error:
        raise ValueError(
            f"No Dask scheduler answers at {address!r}: {error}. Start one with `dask scheduler` and "
            "workers with "
            f"`dask worker {address}`, or give a number to start that many workers on this machine."
        ) from error
    with client:
        limit_threads_on(client, threads)
        yield client
