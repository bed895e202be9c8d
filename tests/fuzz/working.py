"""A worker for the tests of one file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fuzzing import Worker


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    """Runs commands in another process."""
    made = Worker(tmp_path_factory.mktemp("worker"))
    yield made
    made.close()
