"""Shapes that jaxtyping names in our torch modules are checked at every call; the hook stands before they load."""

from importlib.util import find_spec

CHECKED = ("salience.networks.splines", "salience.networks.kanlayer", "salience.networks.kan")

if find_spec("torch") and find_spec("beartype"):
    from jaxtyping import install_import_hook

    install_import_hook(CHECKED, "shape_checks.checked")
