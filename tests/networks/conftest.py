"""All networks are tested on one thread."""

import pytest


@pytest.fixture(autouse=True)
def quick(one_thread):
    """See `one_thread`."""
