"""``distil``: on three kinds of real digits, and on what is wrong with images."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from salience.results import Scores
from salience.runs import Run

pytest.importorskip("torch")
pytest_plugins = ["calling"]  # the fixture `call`

QUICK = ("--ipc", 3, "--epochs", 8)


@pytest.fixture(scope="module", autouse=True)
def _short_lessons():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("salience.cli.distil.STUDENT_EPOCHS", 25)
        yield


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """210 digits 0, 1 and 2 as an .npz and as a folder of PNGs whose classes have names."""
    found = load_digits()
    rows = np.concatenate([np.flatnonzero(found.target == digit)[:70] for digit in range(3)])
    rows = np.random.default_rng(0).permutation(rows)
    images, labels = found.images[rows], found.target[rows]
    folder = tmp_path_factory.mktemp("distil")
    np.savez(folder / "digits.npz", images=images, labels=labels)
    for place, (image, label) in enumerate(zip(images, labels, strict=True)):
        kind = folder / "pictures" / ("zero", "one", "two")[label]
        kind.mkdir(parents=True, exist_ok=True)
        Image.fromarray((image * 15.9375).astype(np.uint8)).save(kind / f"{place:03}.png")
    return folder


@pytest.fixture(scope="module")
def judged(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with two students of each kind, and what it has to say."""
    from typer.testing import CliRunner

    from salience.cli.app import app

    folder = tmp_path_factory.mktemp("judged")
    where = ("--output", folder, "--kept", folder / "kept.npz")
    given = ("distil", digits / "digits.npz", *QUICK, "--students", 2, *where)
    result = CliRunner().invoke(app, [str(one) for one in given])
    assert result.exit_code == 0, result.stderr
    (folder / "stdout.txt").write_text(result.stdout)
    (folder / "stderr.txt").write_text(result.stderr)
    return folder


def test_a_run_has_the_images_their_rows_and_the_masks(judged: Path, digits: Path) -> None:
    with np.load(judged / "digits" / "distilled.npz", allow_pickle=False) as file:
        made = dict(file)
    with np.load(digits / "digits.npz") as file:
        given, labels = file["images"], file["labels"]
    assert made["images"].shape == made["originals"].shape == (9, 1, 8, 8)
    assert made["labels"].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert made["rows"].shape == (9, 1)
    np.testing.assert_array_equal(labels[made["rows"][:, 0]], made["labels"])
    stay = made["critical"][:, None]
    np.testing.assert_array_equal(made["images"][stay], made["originals"][stay])
    assert (made["images"] != made["originals"]).any()
    assert made["originals"].max() <= given.max() / 16
    with np.load(judged / "kept.npz", allow_pickle=False) as file:
        assert all((file[name] == made[name]).all() for name in made)


def test_the_ranking_is_over_the_training_images_by_their_numbers_in_the_source(
    judged: Path, digits: Path
) -> None:
    scores = Scores.load(judged / "digits" / "scores.parquet")
    assert (scores.keys, scores.item, len(scores)) == (("row",), "row", 147)
    assert scores.frame["row"].is_in(range(210)).all()
    with np.load(digits / "digits.npz") as file, np.load(judged / "digits" / "distilled.npz") as made:
        assert (file["labels"][scores.frame["row"].to_numpy()] == scores.frame["class"].to_numpy()).all()
        assert sorted(scores.frame.filter("kept")["row"]) == sorted(made["rows"][:, 0])
    images = pl.read_parquet(judged / "digits" / "images.parquet")
    assert images["confidence_after"].mean() > images["confidence_before"].mean()


def test_random_real_images_are_the_baseline_of_the_table(judged: Path) -> None:
    table = pl.read_parquet(judged / "digits" / "students.parquet")
    assert table["learned_from"].to_list() == [
        *("random real", "selected, not refined", "distilled"),
        *("all, the teacher", "all, the second network", "nothing, by chance"),
    ]
    assert table["images"].to_list() == [9, 9, 9, 147, 147, 0]
    for mode in ("onehot", "dbr", "soft"):
        assert table[mode][:3].is_between(0, 1).all()
        assert table[f"{mode}_sd"].null_count() == 3
    assert table["onehot"][3] > 0.9
    assert table["onehot"][5] == pytest.approx(1 / 3)


def test_the_verdict_stands_on_the_table_and_words_say_it_bluntly(judged: Path) -> None:
    run = Run.open(judged / "digits")
    worth = run.verdict.named("beyond random images")
    table = pl.read_parquet(judged / "digits" / "students.parquet")
    means = table.select(pl.mean_horizontal("onehot", "dbr", "soft"))[:3].to_series()
    assert worth.statistic == pytest.approx(means[2] - means[0])
    assert worth.lo <= worth.statistic <= worth.hi
    assert {check.name for check in run.verdict} == {"beyond random images", "second network"}
    first = run.info["summary"][0]
    said = {"fails": "do not beat as many real ones", "undecided": "undecided", "holds": "beat as many real"}
    assert said[worth.verdict] in first
    assert "of their pixels could be rewritten" in " ".join(run.info["summary"])
    assert first in (judged / "stdout.txt").read_text()
    assert "divided by 16" in (judged / "stderr.txt").read_text()


def test_the_report_shows_the_mosaic_and_the_table(judged: Path, call) -> None:
    page = (judged / "digits" / "report.html").read_text()
    assert "Source, critical region and refined image" in page
    assert "random real" in page
    assert not page.count("http://") - page.count("http://www.w3.org")
    (judged / "digits" / "report.html").unlink()
    assert call("report", judged / "digits").exit_code == 0
    assert "random real" in (judged / "digits" / "report.html").read_text()
    assert call("summary", judged / "digits").exit_code == 0


def test_verify_judges_again_and_the_same_seed_says_the_same(judged: Path, call) -> None:
    before = Run.open(judged / "digits").verdict
    result = call("verify", judged / "digits", "--json")
    assert result.exit_code == 0, result.stderr
    again = Run.open(judged / "digits").verdict
    assert [c.statistic for c in again] == [c.statistic for c in before]
    assert [c.lo for c in again] == [c.lo for c in before]


def test_verify_by_another_seed_judges_the_same_images(
    judged: Path, digits: Path, call, tmp_path: Path, monkeypatch
) -> None:
    from salience.data import images

    asked = []

    def noted(*given: object, **settings: object) -> object:
        asked.append((given, settings))
        return read(*given, **settings)

    read = images.read_images
    monkeypatch.setattr(images, "read_images", noted)
    run = shutil.copytree(judged / "digits", tmp_path / "copy")
    assert call("verify", run, "--seed", 3, "--source", digits / "digits.npz").exit_code == 0
    assert asked == [((str(digits / "digits.npz"), None), {"rows": 3000, "seed": 0})]
    assert Run.open(run).verdict.settings["seed"] == 3


def test_the_same_seed_makes_the_same_images_and_another_others(call, digits: Path) -> None:
    made = []
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        call("distil", digits / "digits.npz", *QUICK, "--no-verify", "--seed", seed, "--name", name)
        with np.load(f"runs/{name}/distilled.npz") as file:
            made.append(file["images"])
    np.testing.assert_array_equal(made[0], made[1])
    assert (made[0] != made[2]).any()


def test_one_student_is_said_to_be_no_measurement(call, digits: Path) -> None:
    result = call("distil", digits / "digits.npz", *QUICK, "--students", 1)
    assert result.exit_code == 0, result.stderr
    assert "one student is no measurement" in result.stderr
    assert "one student: no interval" in result.stdout
    assert Run.open("runs/digits").verdict.named("beyond random images").verdict == "undecided"
    assert "nan" not in Path("runs/digits/report.html").read_text().partition("<main")[2].lower().split()


def test_a_folder_of_pictures_has_names_of_classes_and_files(call, digits: Path) -> None:
    result = call("distil", digits / "pictures", *QUICK, "--no-verify", "--json", "--rows", 150)
    assert result.exit_code == 0, result.stderr
    rows = json.loads(result.stdout)
    assert [row["class"] for row in rows] == ["one"] * 3 + ["two"] * 3 + ["zero"] * 3
    assert all(row["file"].startswith(f"{row['class']}/") for row in rows)
    assert "150 of 210 images are looked at" in result.stderr
    assert "what they are worth is not known" in result.stderr
    scores = Scores.load("runs/pictures/scores.parquet").frame
    files = sorted(
        file.relative_to(digits / "pictures").as_posix() for file in digits.glob("pictures/*/*.png")
    )
    assert scores["file"].to_list() == [files[row] for row in scores["row"]]
    assert scores["class"].to_list() == [name.partition("/")[0] for name in scores["file"]]
    assert Run.open("runs/pictures").verdict is None
    with np.load("runs/pictures/distilled.npz") as file:
        assert file["labels"].tolist() == ["one"] * 3 + ["two"] * 3 + ["zero"] * 3
        assert file["labels"].tolist() == [files[row].partition("/")[0] for row in file["rows"][:, 0]]


def test_labels_that_carry_nothing_are_never_said_to_hold(call, digits: Path) -> None:
    with np.load(digits / "digits.npz") as file:
        labels = np.random.default_rng(1).permutation(file["labels"])
        np.savez("shuffled.npz", images=file["images"], labels=labels)
    result = call("distil", "shuffled.npz", "--ipc", 1, "--epochs", 20, "--students", 2, "--strict")
    assert result.exit_code == 1, result.stderr
    run = Run.open("runs/shuffled")
    assert run.verdict.overall != "holds"
    assert run.verdict.named("beyond random images").verdict != "holds"
    assert "a weak teacher" in " ".join(run.info["summary"])


def test_four_crops_in_one_small_image_come_with_a_warning(call) -> None:
    images = np.random.default_rng(0).random((80, 16, 16, 3), dtype=np.float32) / 4
    images[::2, ..., 0] += 0.7  # red or blue, which is seen at half the size, too
    images[1::2, ..., 2] += 0.7
    np.savez("colours.npz", images=images, labels=["red", "blue"] * 40)
    result = call("distil", "colours.npz", "--ipc", 2, "--factor", 2, "--epochs", 20, "--no-verify")
    assert result.exit_code == 0, result.stderr
    assert "--factor 1 suits these images" in result.stderr
    with np.load("runs/colours/distilled.npz") as file:
        assert file["rows"].shape == (4, 4)
    assert len(pl.read_parquet("runs/colours/images.parquet")) == 16


def test_a_factor_that_makes_objects_too_small_is_named_when_no_crop_is_known(call, digits: Path) -> None:
    given = ("--ipc", 2, "--factor", 2, "--size", 16, "--epochs", 8, "--no-verify")
    result = call("distil", digits / "digits.npz", *given)
    assert result.exit_code == 2
    assert "--factor 2 makes objects too small" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--ipc", 60), r"too few have 0 \(70\), 1 \(70\), 2 \(70\): take a smaller --ipc"),
        (("--factor", 2), "8 x 8 pixels, and a network needs 8 x 8 in each crop: give --size 16"),
        (("--factor", 3, "--size", 32), "--factor 3 does not divide 32 x 32 pixels"),
        (("--confidence", "sure"), "--confidence sure: give one of low, high, random"),
        (("--kept", "kept.csv"), "the name ends in .npz"),
        (("--kept", "nowhere/kept.npz"), "no folder"),
        (("--no-verify", "--strict"), "--strict judges the verdict"),
        (("--name", "../up"), "--name is one folder name"),
        (("--epochs", 0), "--epochs"),
        (("--students", 0), "--students"),
        (("--size", 4), "--size"),
    ],
)
def test_what_cannot_be_done_is_said_before_the_work(call, digits: Path, arguments, message) -> None:
    result = call("distil", digits / "digits.npz", *arguments)
    assert result.exit_code == 2
    assert re.search(message, result.stderr), result.stderr
    assert "Traceback" not in result.stderr
    assert not Path("runs").exists()


def test_images_that_cannot_be_read_are_said_in_one_line(call, digits: Path) -> None:
    Path("a.npz").write_bytes((digits / "digits.npz").read_bytes()[:500])
    np.savez("tiny.npz", images=np.random.default_rng(0).random((20, 4, 4)), labels=[0, 1] * 10)
    np.savez("three.npz", images=np.zeros((20, 8, 8)), labels=[0] * 17 + [1] * 3)
    assert "4 images in all at least; too few have 1 (3)" in call("distil", "three.npz", "--ipc", 1).stderr
    for name, message in (("a.npz", "cut off"), ("tiny.npz", "a network needs 8 x 8"), ("no.npz", "no file")):
        result = call("distil", name)
        assert (result.exit_code, message in result.stderr) == (2, True), result.stderr
        assert len(result.stderr.strip().splitlines()) == 1
    assert not Path("runs").exists()


def test_a_class_that_the_teacher_does_not_know_is_named(call, digits: Path) -> None:
    result = call("distil", digits / "pictures", "--ipc", 30, "--epochs", 1, "--no-verify")
    assert result.exit_code == 2
    assert "Of the classes 0 is one, 1 is two, 2 is zero" in result.stderr
    assert not Path("runs").exists()


def test_a_run_is_not_overwritten_and_a_kept_file_needs_force(call, digits: Path) -> None:
    quick = ("distil", digits / "digits.npz", "--ipc", 1, "--epochs", 8, "--no-verify", "--kept", "k.npz")
    assert call(*quick).exit_code == 0
    result = call(*quick)
    assert (result.exit_code, "--force replaces it" in result.stderr) == (2, True)
    assert call(*quick[:-2]).exit_code == 0
    assert sorted(path.name for path in Path("runs").iterdir()) == ["digits", "digits-2"]
    assert call(*quick, "--force").exit_code == 0
    assert sorted(path.name for path in Path("runs").iterdir()) == ["digits", "digits-2"]


def test_ctrl_c_leaves_nothing_behind(call, digits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from salience.networks import training

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "_epoch", stop)
    result = call("distil", digits / "digits.npz", *QUICK)
    assert (result.exit_code, "stopped by Ctrl-C" in result.stderr) == (130, True)
    assert not Path("runs").exists()
