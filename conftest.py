"""In an environment without torch or without hnswlib, tests and doctests that import them are skipped."""

from contextlib import contextmanager
from importlib.util import find_spec

import pytest

MISSING = [name for name in ("torch", "hnswlib") if find_spec(name) is None]


@contextmanager
def skipped_without():
    try:
        yield
    except ImportError as error:
        if error.name in MISSING:
            pytest.skip(f"it imports {error.name}, which is not installed")
        raise


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    """A module that imports one of them is skipped as a whole."""
    report = yield
    for name in MISSING:
        if report.failed and f"No module named '{name}'" in str(report.longrepr):
            report.outcome = "skipped"
            report.longrepr = (
                str(collector.path),
                None,
                f"Skipped: it imports {name}, which is not installed",
            )
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup():
    """So is a test whose fixtures ask for one of them."""
    with skipped_without():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call():
    """So is a test that asks for one itself."""
    with skipped_without():
        return (yield)
