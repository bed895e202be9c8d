"""``import salience`` is light, and its lazy names are what they say."""

import importlib
import inspect
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import salience
from salience.lazy import lazy_namespace, resolve

ROOT = Path(__file__).resolve().parents[1]
HEAVY = {"numpy", "numba", "sklearn", "scipy", "polars", "pandas", "matplotlib", "pyarrow", "torch", "dask"}


def loaded_after(code):
    """Top-level names of the modules that a fresh interpreter has loaded after `code`."""
    script = f"{code}\nimport sys; print(*sorted({{m.partition('.')[0] for m in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_salience_loads_no_library():
    assert loaded_after("import salience; dir(salience); salience.__version__") & HEAVY == set()


def test_importing_salience_loads_only_its_lazy_part():
    code = (
        "import salience, sys; print(*[m for m in sys.modules if m.startswith('salience')]); raise SystemExit"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == {"salience", "salience.lazy"}


def test_reading_scores_loads_neither_numba_nor_scikit_learn_nor_matplotlib():
    code = "import salience; repr(salience.Scores.from_values([1.0, 2.0]))"
    assert loaded_after(code) & {"numba", "sklearn", "matplotlib", "torch"} == set()


@pytest.mark.parametrize("name", salience.__all__)
def test_every_public_name_can_be_had(name):
    assert getattr(salience, name) is not None
    assert name in dir(salience)


def test_the_version_is_that_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert salience.__version__ == project["version"]


def test_an_unknown_name_is_an_attribute_error_that_lists_the_names():
    with pytest.raises(AttributeError, match=r"no attribute 'Score'; it has .*Scores"):
        _ = salience.Score
    assert not hasattr(salience, "nothing")


def test_a_missing_library_says_which_extra_to_install():
    with pytest.raises(ImportError, match=r"pip install 'salience\[torch\]'"):
        resolve("a_library_that_is_not_there.module:Name [torch]")


def test_a_missing_module_of_ours_is_not_blamed_on_an_extra():
    with pytest.raises(ModuleNotFoundError, match=r"salience\.nowhere"):
        resolve("salience.nowhere:Name [torch]")


def test_a_name_is_looked_up_once():
    looked_up, _ = lazy_namespace("salience", {"PurePath": "pathlib:PurePath"})
    try:
        assert looked_up("PurePath") is vars(salience)["PurePath"]
    finally:
        del salience.PurePath


def lazy_packages():
    """The packages of ours with a lazy namespace."""
    found = (ROOT / "src" / "salience").rglob("__init__.py")
    return sorted(p.parent for p in found if "lazy_namespace(" in p.read_text())


@pytest.mark.parametrize("package", lazy_packages(), ids=lambda folder: folder.name)
def test_no_public_name_is_that_of_a_module_beside_it(package):
    """Importing the module would put it where the name was."""
    family = importlib.import_module(".".join(package.relative_to(ROOT / "src").parts))
    modules = {path.stem for path in package.glob("*.py")} | {
        p.parent.name for p in package.glob("*/__init__.py")
    }
    others = {name for name in family.__all__ if not inspect.ismodule(getattr(family, name))}
    assert others & modules == set()
