"""pmap keeps the order; reduce is the same fold wherever it runs."""

import builtins
import os
import sys

import cloudpickle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salience.parallel import cluster, limit_threads, pmap, reduce


def joined(a, b):
    return a + b


def test_pmap_keeps_the_order_and_tells_its_progress():
    told = []
    assert pmap(str, range(5), n_jobs=2, threads=True, progress=lambda *p: told.append(p)) == [
        "0",
        "1",
        "2",
        "3",
        "4",
    ]
    assert told == [(i, 5) for i in range(1, 6)]


def test_pmap_raises_what_the_function_raises():
    with pytest.raises(ZeroDivisionError):
        pmap(lambda x: 1 / x, [1, 0], n_jobs=2, threads=True)


def test_pmap_without_workers_is_refused():
    with pytest.raises(ValueError, match="n_jobs=0"):
        pmap(str, [1], n_jobs=0)


@settings(deadline=None)
@given(st.lists(st.text(max_size=3), min_size=1, max_size=30), st.integers(1, 8))
def test_reduce_folds_neighbours_and_merges_in_order(shards, threads):
    assert reduce("".join, shards, joined, str.upper, threads=threads) == "".join(shards).upper()


def test_reduce_tells_its_progress():
    told = []
    reduce(list, range(10), joined, len, threads=3, progress=lambda *p: told.append(p))
    assert told[-1] == (3, 3)


def test_reduce_of_nothing_is_refused():
    with pytest.raises(ValueError, match="no shards"):
        reduce(list, [], joined, len)


def test_limits_are_set_for_what_is_imported_later(monkeypatch):
    monkeypatch.setattr(os, "environ", dict(os.environ))
    late = limit_threads(2)
    assert os.environ["POLARS_MAX_THREADS"] == os.environ["OMP_NUM_THREADS"] == "2"
    assert "numpy" in late or late == ()
    with pytest.raises(ValueError, match="at least one"):
        limit_threads(0)


def test_without_dask_the_extra_is_named(monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name.startswith("distributed"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"salience\[dask\]"), cluster("tcp://127.0.0.1:1"):
        pass


def test_an_address_where_nobody_answers_is_an_error_that_teaches():
    with pytest.raises(ValueError, match="dask scheduler"), cluster("tcp://127.0.0.1:1", patience="1s"):
        pass


def concatenate(chunk):
    return "".join(chunk)


def test_a_cluster_folds_and_merges_in_order():
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    told = []
    with cluster(1) as client:
        options = {"client": client, "progress": lambda *p: told.append(p)}
        shards = [chr(65 + i) for i in range(23)]
        assert reduce(concatenate, shards, joined, str.lower, **options) == "abcdefghijklmnopqrstuvw"
        assert reduce(concatenate, ["A"], joined, str.lower, client=client) == "a"
        assert client.submit(os.getenv, "POLARS_MAX_THREADS").result() == "1"
        with pytest.raises(TypeError, match="expected str"):
            reduce(concatenate, [1, 2], joined, str.lower, **options)
    assert (6, 6) in told
