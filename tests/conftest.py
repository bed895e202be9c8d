"""Shapes that jaxtyping names in our torch modules are checked at every call; the hook stands before they load."""

from importlib.util import find_spec

import pytest

CHECKED = ("salience.networks.splines", "salience.networks.kanlayer", "salience.networks.kan")

if find_spec("torch") and find_spec("beartype"):
    from jaxtyping import install_import_hook

    install_import_hook(CHECKED, "shape_checks.checked")


@pytest.fixture
def one_thread():
    """Small networks are quickest, and repeat to the last bit, on one thread."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
