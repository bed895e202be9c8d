"""The table of methods is complete: every row can be imported, read about and verified."""

import ast
import importlib
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from salience import methods
from salience.results.validation import ITEMS

ROOT = Path(__file__).resolve().parents[1]
TABLE = methods.table()


def benches():
    """Names of the builders in the modules of benches of salience.verify, without importing them."""
    modules = [ast.parse(path.read_text()) for path in (ROOT / "src/salience/verify").glob("*bench.py")]
    return {node.name for module in modules for node in module.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("method", TABLE, ids=lambda method: method.name)
def test_its_class_imports(method):
    assert callable(method.load())


@pytest.mark.parametrize("method", TABLE, ids=lambda method: method.name)
def test_its_docs_page_exists(method):
    assert (ROOT / "docs" / method.docs).is_file(), f"{method.name} has no page docs/{method.docs}"


@pytest.mark.parametrize("method", TABLE, ids=lambda method: method.name)
def test_it_has_a_bench_that_exists(method):
    assert method.bench in benches()


@pytest.mark.parametrize("method", TABLE, ids=lambda method: method.name)
def test_its_item_is_registered_and_its_extra_exists(method):
    assert method.item in ITEMS
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert method.extra in {"", *project["optional-dependencies"]}


def test_every_family_with_methods_is_in_the_table():
    listed = {path.parent.name for path in (ROOT / "src/salience").glob("*/methods.toml")}
    assert {method.family for method in TABLE} == listed
    assert TABLE, "there are no methods at all"


def test_reading_the_table_imports_no_family():
    code = (
        "import sys; from salience import methods; methods.table(); "
        "print([m for m in sys.modules if m.startswith('salience.') and m.count('.') and "
        "m not in ('salience.methods', 'salience.lazy')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_name_is_found_or_the_nearest_ones_are_offered():
    assert methods.find("outrank").target == "salience.tabular.ranking:StreamRanker"
    with pytest.raises(ValueError, match="did you mean outrank"):
        methods.find("outrnk")


@pytest.mark.parametrize(
    ("row", "message"),
    [({"name": "x"}, "missing bench, class"), ({"name": "x", "colour": "red"}, "unknown colour")],
)
def test_a_row_that_is_not_complete_is_refused(row, message):
    with pytest.raises(ValueError, match=message):
        methods._method(row, "tabular")


@pytest.mark.parametrize("method", TABLE, ids=lambda method: method.name)
def test_it_is_had_from_its_family_under_the_name_that_is_shown(method):
    module, _, name = method.public.rpartition(".")
    assert getattr(importlib.import_module(module), name) is method.load()
