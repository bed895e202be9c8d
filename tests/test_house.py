"""The house rules, read from the source: floors, circles, islands, drawers, and who reuses what.

Nothing is imported here. An import counts wherever it stands, inside functions too; only those under
``if TYPE_CHECKING`` are free. A target such as ``"salience.x:Name"`` in a table is an import in disguise.
"""

import ast
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src" / "salience"

FLOORS = (
    (
        "lazy",
        "methods",
        "results",
        "data",
        "measures",
        "networks",
        "parallel",
        "plotting",
        "stages",
        "stopping",
    ),
    ("verify",),
    ("tabular", "recsys", "instances", "concepts", "representations", "attention", "vision", "vectors"),
    ("studies",),
    ("runs", "report", "web", "cli", "__main__"),
)
GROUND, VERIFY, FAMILIES, STUDIES, FACES = FLOORS
# On the ground floor a room is entered only from these (docs/architecture.md); `lazy` is open to all.
GROUND_RULES = {
    "lazy": (),
    "parallel": (),
    "stages": (),
    "stopping": (),
    "methods": (),
    "results": ("plotting",),  # Scores.plot, when it is called
    "plotting": ("results",),
    "data": ("results", "parallel", "stopping"),
    "measures": ("results", "data.hashing"),
    "networks": ("results", "stopping"),
}
LONGEST = 420
TARGET = re.compile(r"(salience(?:\.\w+)*):[\w.]+(?: \[\w+\])?")


@dataclass
class Module:
    """One source file: its tree, and what it imports when it runs, and for its types only."""

    name: str
    path: Path
    tree: ast.Module
    is_package: bool
    runs: set[str]
    types: set[str]

    @property
    def room(self) -> str:
        """The part right below salience; empty for the namespace itself."""
        return self.name.split(".")[1] if "." in self.name else ""


@dataclass
class House:
    """All modules by name, and the targets of the tables of methods."""

    modules: dict[str, Module]
    methods: set[str]


def read_house(source: Path) -> House:
    modules = {}
    for path in sorted(source.rglob("*.py")):
        parts = ["salience", *path.relative_to(source).with_suffix("").parts]
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        tree = ast.parse(path.read_text("utf-8"))
        modules[name] = Module(name, path, tree, is_package, set(), set())
    for module in modules.values():
        for node, for_types in _walk(module.tree):
            (module.types if for_types else module.runs).update(_imported(node, module, modules))
    rows = [row for path in source.rglob("methods.toml") for row in tomllib.loads(path.read_text())["method"]]
    return House(modules, {row["class"].partition(":")[0] for row in rows})


def _walk(tree: ast.AST, for_types: bool = False) -> Iterator[tuple[ast.AST, bool]]:
    """All nodes, and whether each is seen by type checkers only."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for inner in node.body:
                yield inner, True
                yield from _walk(inner, True)
            for inner in node.orelse:
                yield inner, for_types
                yield from _walk(inner, for_types)
        else:
            yield node, for_types
            yield from _walk(node, for_types)


def _imported(node: ast.AST, module: Module, modules: dict[str, Module]) -> set[str]:
    """Modules of ours that this node imports."""
    if isinstance(node, ast.Import):
        named = {alias.name for alias in node.names}
    elif isinstance(node, ast.ImportFrom):
        base = _base(node, module)
        named = set()
        for alias in node.names:
            inner = f"{base}.{alias.name}"
            # a name of a lazy namespace comes from where its table says
            named.add(inner if inner in modules else _lazy_table(modules.get(base)).get(alias.name, base))
    elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "resolve")):
        # import_module(f"salience.data.readers.{format}") may import any of them
        start = ast.unparse(node.args[0]).lstrip("f").strip("'\"").partition("{")[0] if node.args else ""
        named = {name for name in modules if start.startswith("salience.") and name.startswith(start)}
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        match = TARGET.fullmatch(node.value)
        named = {match[1]} if match else set()
    else:
        named = set()
    return {name for name in named if name in modules and name != module.name}


def _base(node: ast.ImportFrom, module: Module) -> str:
    if not node.level:
        return node.module or ""
    package = module.name.split(".") if module.is_package else module.name.split(".")[:-1]
    return ".".join([*package[: len(package) - node.level + 1], *(node.module or "").split(".")]).rstrip(".")


def _lazy_table(module: Module | None) -> dict[str, str]:
    """Public name to module, where the namespace is lazy."""
    calls = ast.walk(module.tree) if module else ()
    for call in calls:
        if isinstance(call, ast.Call) and ast.unparse(call.func).endswith("lazy_namespace"):
            return {name: at.partition(":")[0] for name, at in ast.literal_eval(call.args[1]).items()}
    return {}


def _public(module: Module) -> bool:
    """Whether a package spells a public surface out."""
    return module.is_package and any(
        isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        for node in module.tree.body
    )


def _floor(module: Module) -> int | None:
    return next((i for i, rooms in enumerate(FLOORS) if module.room in rooms), None)


# ---- the rules: each returns what breaks it -------------------------------------------------------------


def homeless(house: House) -> list[str]:
    return [m.name for m in house.modules.values() if m.room and _floor(m) is None]


def stairs_up(house: House) -> list[str]:
    """The namespace ``salience`` itself stands above all but the faces."""
    found = []
    for module in house.modules.values():
        here = _floor(module)
        for other in (house.modules[name] for name in sorted(module.runs)):
            there = _floor(other) if other.room else FLOORS.index(FACES)
            if here is not None and there is not None and there > here:
                found.append(f"{module.name} -> {other.name}")
    return found


def doors_between_families(house: House) -> list[str]:
    return [
        f"{module.name} -> {name}"
        for module in house.modules.values()
        for name in sorted(module.runs)
        if module.room in FAMILIES and house.modules[name].room in FAMILIES
        and house.modules[name].room != module.room
    ]  # fmt: skip


def wrong_doors_on_the_ground(house: House) -> list[str]:
    found = []
    for module in house.modules.values():
        for name in sorted(module.runs):
            inside = name.removeprefix("salience.")
            allowed = (module.room, "lazy", *GROUND_RULES.get(module.room, GROUND))
            if module.room in GROUND_RULES and not any(
                inside == door or inside.startswith(f"{door}.") for door in allowed
            ):
                found.append(f"{module.name} -> {name}")
    return found


def circle(house: House) -> str:
    """One circle of imports, empty when there is none. A lazy table does not import."""
    graph = {
        module.name: module.runs - set(_lazy_table(module).values()) for module in house.modules.values()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return " <- ".join(error.args[1])
    return ""


def islands(house: House) -> list[str]:
    doors = [name for name, module in house.modules.items() if _public(module)]
    waiting = [*doors, *house.methods, "salience", "salience.__main__", "salience.cli"]
    reached: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in house.modules and name not in reached:
            reached.add(name)
            module = house.modules[name]
            waiting += [*module.runs, *module.types, name.rpartition(".")[0]]
    return sorted(set(house.modules) - reached)


def imports_through_a_family_namespace(house: House) -> list[str]:
    found = []
    for module in house.modules.values():
        for node, for_types in _walk(module.tree):
            if (
                isinstance(node, ast.ImportFrom)
                and not for_types
                and module.room in (*VERIFY, *FAMILIES, *STUDIES)
            ):
                base = _base(node, module)
                names = [alias.name for alias in node.names if f"{base}.{alias.name}" not in house.modules]
                if names and base in ("salience", *(f"salience.{family}" for family in FAMILIES)):
                    found.append(f"{module.name}: from {base} import {', '.join(names)}")
    return found


def too_long(house: House) -> list[str]:
    lengths = {
        module.name: len(module.path.read_text("utf-8").splitlines()) for module in house.modules.values()
    }
    return [f"{name}: {lines} lines" for name, lines in lengths.items() if lines > LONGEST]


def drawers(house: House) -> list[str]:
    banned = {"utils", "util", "common", "helpers", "helper", "misc", "tools"}
    return [m.name for m in house.modules.values() if banned & set(m.name.strip("_").split("."))]


def unfinished(house: House) -> list[str]:
    found = []
    for module in house.modules.values():
        for number, line in enumerate(module.path.read_text("utf-8").splitlines(), start=1):
            if re.search(r"\b(TODO|FIXME|XXX|NotImplementedError)\b", line):
                found.append(f"{module.name}:{number}: {line.strip()}")
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef) and all(
                isinstance(part, ast.Pass) or (isinstance(part, ast.Expr) and _is_text(part.value))
                for part in node.body
            ) and any(isinstance(part, ast.Pass) for part in node.body):  # fmt: skip
                found.append(f"{module.name}:{node.lineno}: {node.name} does nothing")
    return found


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


# ---- reuse of the ground (DESIGN, "when a method is done", 8) -------------------------------------------

RESULTS = re.compile(r"(?!_)\w*(Scores?|Results?|Attributions?|Importances?|Rankings?)$")
# What only the named rooms may bring in from outside or define themselves.
OWNED = {
    "nearest neighbours": (
        ("measures", "verify", "vectors"),
        re.compile(r"NearestNeighbors|KNeighbors\w*|KDTree|cKDTree|BallTree|faiss|hnswlib|usearch"),
        re.compile(r"nearest_neighbou?rs|knn\w*"),
    ),
    "resampling": (
        ("measures", "verify"),
        re.compile(r"resample|bootstrap|permutation_test|monte_carlo_test"),
        re.compile(r"\w*bootstrap\w*|permutation_test"),
    ),
    "non-negative least squares": (
        ("measures", "networks"),
        re.compile(r"nnls|lsq_linear"),
        re.compile(r"\w*nnls\w*|nonnegative_least_squares"),
    ),
    "sensitivity": (
        ("measures",),
        re.compile(r"SALib|sobol_indices|permutation_importance"),
        re.compile(r"sobol\w*|jansen\w*|permutation_importance"),
    ),
    "curves of keeping and deleting": (
        ("verify",),
        re.compile(r"(?!)"),
        re.compile(r"(retention|deletion|insertion)_curves?"),
    ),
}


def other_results(house: House) -> list[str]:
    return [
        f"{module.name}:{node.lineno}: class {node.name}"
        for module in house.modules.values()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef) and module.room != "results" and RESULTS.match(node.name)
    ]


def written_again(house: House, what: str) -> list[str]:
    owners, foreign, own = OWNED[what]
    found = []
    for module in house.modules.values():
        if module.room in owners:
            continue
        for node in ast.walk(module.tree):
            names = _foreign_names(node)
            if any(foreign.fullmatch(name) for name in names):
                found.append(f"{module.name}:{node.lineno}: {ast.unparse(node)}")
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and own.fullmatch(node.name.lstrip("_")):
                found.append(f"{module.name}:{node.lineno}: defines {node.name}")
    return found


def _foreign_names(node: ast.AST) -> set[str]:
    """Parts of the names that an import of somebody else's library brings in."""
    if isinstance(node, ast.Import):
        return {part for alias in node.names for part in alias.name.split(".")}
    if isinstance(node, ast.ImportFrom) and not (node.module or "").startswith("salience") and not node.level:
        return {*(node.module or "").split("."), *(alias.name for alias in node.names)}
    return set()


def training_loops(house: House) -> list[str]:
    """Loops that call ``backward``, outside the one training loop."""
    return [
        f"{module.name}:{loop.lineno}"
        for module in house.modules.values()
        if module.room != "networks"
        for loop in ast.walk(module.tree)
        if isinstance(loop, ast.For | ast.While)
        and any(isinstance(node, ast.Attribute) and node.attr == "backward" for node in ast.walk(loop))
    ]


# ---- this house -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def house():
    return read_house(SOURCE)


@pytest.mark.parametrize(
    "rule",
    [
        homeless,
        stairs_up,
        doors_between_families,
        wrong_doors_on_the_ground,
        circle,
        islands,
        imports_through_a_family_namespace,
        too_long,
        drawers,
        unfinished,
        other_results,
        training_loops,
    ],
    ids=lambda rule: rule.__name__,
)
def test_the_house_keeps(rule, house):
    broken = rule(house)
    assert not broken, broken if isinstance(broken, str) else "\n  ".join(["", *broken])


@pytest.mark.parametrize("what", sorted(OWNED))
def test_is_written_once(what, house):
    broken = written_again(house, what)
    assert not broken, "\n  ".join(["", *broken])


# ---- the rules see what they are there for --------------------------------------------------------------

SOUND = {
    "__init__.py": "from salience.lazy import lazy_namespace\n"
    "__all__ = ['rank']\n"
    "g, d = lazy_namespace(__name__, {'rank': 'salience.tabular.ranking:rank'})\n",
    "lazy.py": "def lazy_namespace(package, names): return package, names\n",
    "results/__init__.py": "",
    "results/scores.py": "def draw():\n    from salience import plotting\n    return plotting\n",
    "plotting.py": "from typing import TYPE_CHECKING\n"
    "if TYPE_CHECKING:\n    from salience.results.scores import draw\n",
    "tabular/__init__.py": "",
    "tabular/ranking.py": "from ..results import scores\n",
    "cli/__init__.py": "import salience.tabular.ranking\n",
}


def built(folder, **changes):
    for path, text in {**SOUND, **changes}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return read_house(folder)


RULES = (
    *(homeless, stairs_up, doors_between_families, wrong_doors_on_the_ground, circle, islands),
    *(imports_through_a_family_namespace, too_long, drawers, unfinished, other_results, training_loops),
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_sound_house_breaks_no_rule(rule, tmp_path):
    assert not rule(built(tmp_path))


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    [
        (homeless, "shed.py", ""),
        (stairs_up, "plotting.py", "def f():\n    from salience.tabular import ranking\n"),
        (stairs_up, "tabular/ranking.py", "TABLE = {'x': 'salience.cli:main'}\n"),
        (stairs_up, "plotting.py", "import salience\n"),
        (doors_between_families, "vision/tokens.py", "from salience.tabular.ranking import rank\n"),
        (wrong_doors_on_the_ground, "measures/counting.py", "from salience.plotting import draw\n"),
        (circle, "plotting.py", "def f():\n    from salience.results.scores import draw\n"),
        (circle, "plotting.py", "from .results import scores\n"),
        (islands, "tabular/alone.py", ""),
        (imports_through_a_family_namespace, "tabular/again.py", "from salience import rank\n"),
        (too_long, "tabular/long.py", "x = 1\n" * (LONGEST + 1)),
        (stairs_up, "plotting.py", "import importlib\nimportlib.import_module(f'salience.tabular.{x}')\n"),
        (drawers, "tabular/utils.py", ""),
        (unfinished, "tabular/later.py", "# TODO: more\n"),
        (unfinished, "tabular/stub.py", "def f():\n    '''Text.'''\n    pass\n"),
        (other_results, "tabular/own.py", "class PairScores: ...\n"),
        (training_loops, "tabular/train.py", "for x in y:\n    loss(x).backward()\n"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_broken_rule_is_seen(rule, path, text, tmp_path):
    assert rule(built(tmp_path, **{path: text}))


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("nearest neighbours", "from sklearn.neighbors import NearestNeighbors\n"),
        ("resampling", "def paired_bootstrap(x): return x\n"),
        ("non-negative least squares", "from scipy.optimize import nnls\n"),
        ("sensitivity", "import SALib.analyze\n"),
        ("curves of keeping and deleting", "def deletion_curve(x): return x\n"),
    ],
)
def test_what_is_written_again_is_seen(what, text, tmp_path):
    assert written_again(built(tmp_path, **{"tabular/again.py": text}), what)
