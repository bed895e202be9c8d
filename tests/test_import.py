"""``import salience`` is light, and its lazy names are what they say."""

import importlib
import inspect
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import polars as pl
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


# typer checks arguments by pydantic; cloudpickle and dateutil come with pyarrow, yaml with numba
COMMAND_LINE = {
    "typer", "rich", "shellingham", "markdown_it", "mdurl", "pygments", "annotated_doc", "pydantic", "pydantic_core",
    "annotated_types", "typing_extensions", "typing_inspection",
}  # fmt: skip
RANKING = COMMAND_LINE | {
    "numpy", "scipy", "numba", "llvmlite", "polars", "pyarrow", "jinja2", "markupsafe", "cloudpickle", "dateutil",
    "yaml", "six",
}  # fmt: skip
OF_SCIPY = {"special", "linalg", "version", "cython_special"}  # numba needs the second


PRINTS_MODULES = """
import os, sys
from salience.cli import main
leave = os._exit
os._exit = lambda code: (print("loaded:", *sys.modules, flush=True), leave(code))
main()
"""


def loaded_by(*arguments):
    """Names of all modules of installed libraries that the command ``salience`` has loaded when it ends."""
    command = [sys.executable, "-c", PRINTS_MODULES, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    installed = {name for name in packages_distributions() if not name.startswith("_")} - {"salience"}
    names = done.stdout.rpartition("loaded:")[2].split()
    return {name for name in names if name.partition(".")[0] in installed}


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_rank_and_its_report_load_only_these_libraries(ending, tmp_path):
    frame = pl.DataFrame({"town": ["Rome", "Oslo", "Bonn"] * 20, "age": range(60), "y": [0, 1, 1] * 20})
    file = tmp_path / f"people.{ending}"
    getattr(frame, f"write_{ending}")(file)
    loaded = loaded_by("rank", file, "--target", "y", "--output", tmp_path / "runs")
    assert (tmp_path / "runs" / "people" / "report.html").is_file()
    assert {name.partition(".")[0] for name in loaded} - RANKING == set()
    of_scipy = {name.split(".")[1] for name in loaded if name.startswith("scipy.")}
    assert {part for part in of_scipy if not part.startswith("_")} - OF_SCIPY == set()
    assert "pyarrow.dataset" not in loaded


@pytest.mark.parametrize("arguments", [["--help"], ["methods"], ["--version"]], ids=str)
def test_a_light_command_loads_only_what_reads_and_prints_a_command_line(arguments):
    assert {name.partition(".")[0] for name in loaded_by(*arguments)} - COMMAND_LINE == set()


def test_a_program_that_calls_a_command_keeps_pandas_for_pyarrow():
    code = (
        "from salience.cli.alone import forgo_pandas; forgo_pandas(None); import pandas, pyarrow; "
        "print(pyarrow.array(pandas.Series([1.0, None]), from_pandas=True).null_count)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"
