"""Sphinx configuration. Nothing is fetched while the pages are built."""

import os
import sys
from pathlib import Path
from typing import Any

import matplotlib
from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx

matplotlib.use("agg")

HERE = Path(__file__).parent
# The examples run in processes of their own and need the package too, installed or not.
sys.path.insert(0, str(HERE.parent / "src"))
os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE.parent / "src"), os.environ.get("PYTHONPATH", "")])

from salience import __version__  # noqa: E402

project = "salience"
author = "The salience developers"
release = version = __version__
copyright = "the salience developers"

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx_gallery.gen_gallery",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = [
    "_build",
    "gallery/*.ipynb",
    "gallery/*.py",
    "gallery/*.md5",
    "**/sg_execution_times.rst",
    "sg_execution_times.rst",
]
nitpicky = False
suppress_warnings = ["config.cache"]  # sphinx-gallery keeps functions in its configuration

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "attrs_inline"]
myst_heading_anchors = 4

autodoc_member_order = "bysource"
# made by scikit-learn for every estimator, and explained there
autodoc_default_options = {
    "exclude-members": ", ".join(f"set_{verb}_request" for verb in ("fit", "partial_fit", "predict", "score"))
}
autodoc_typehints = "none"  # the docstrings say it, with shapes
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

sphinx_gallery_conf = {
    "examples_dirs": str(HERE.parent / "examples"),
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    "show_signature": False,
    "min_reported_time": 1000,
    "write_computation_times": False,
}

html_theme = "furo"
html_title = "salience"
html_static_path = ["_static"]
html_css_files = ["salience.css"]
html_show_sphinx = False
html_copy_source = False
html_math_renderer = "mathml"


def inline_mathml(translator: Any, node: nodes.math) -> None:
    """A formula in a sentence, as MathML: browsers typeset it themselves, without a script from elsewhere."""
    translator.body.append(tex2mathml(node.astext()))
    raise nodes.SkipNode


def block_mathml(translator: Any, node: nodes.math_block) -> None:
    """A formula on a line of its own."""
    formula = tex2mathml(" ".join(node.astext().split()), as_block=True)
    translator.body.append(f'<div class="math">{formula}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Register the renderer of formulas."""
    app.add_html_math_renderer("mathml", (inline_mathml, None), (block_mathml, None))
