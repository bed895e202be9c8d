"""``distil``: a few images per class in place of a whole training set, and what they are worth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from salience.cli import options as o

if TYPE_CHECKING:
    import polars as pl

    from salience.data.images import LabelledImages
    from salience.instances.distillation.trial import Teaching, Trial
    from salience.runs.reader import Run
    from salience.runs.writer import RunWriter
    from salience.verify.verdict import Verdict

ITSELF = 1 << 30  # bytes that torch, its networks and their gradients take
ROWS = 3_000  # that two networks learn from, again and again
STUDENT_EPOCHS = 130  # views of each image that a student sees: 260 steps at a hundred images
SPEED = 1e10  # multiply-adds of a second, to say how long it takes
WEAK = 0.7  # of the test images that a teacher should know
COLUMNS = 10  # of the mosaic
LONG_NAME = 8  # letters of a class that fit below an image
LONG = 180  # seconds from which on that is said
MODES = {"onehot": "labels alone", "dbr": "two distances", "soft": "soft labels"}


def distil(
    ctx: typer.Context,
    images: Annotated[
        str,
        typer.Argument(
            help="Labelled images: .npz with images and labels, or a folder with a folder of PNG or JPEG for each class."
        ),
    ],
    options: o.OptionsFile = None,
    size: Annotated[int | None, o.data("--size", min=8, help="Height and width every image gets.")] = None,
    ipc: Annotated[int, o.what("--ipc", "-k", min=1, help="Distilled images per class.")] = 10,
    factor: Annotated[
        int, o.what("--factor", min=1, help="Grid of crops in an image: 2 from about 100 pixels, 1 below.")
    ] = 1,
    confidence: Annotated[
        str, o.measure(help="Crops that are taken, by how sure the teacher is: low, high, random.")
    ] = "low",
    epochs: Annotated[int, o.measure(min=1, help="Passes over the images while the teacher learns.")] = 40,
    students: Annotated[
        int, o.measure(min=1, help="Students of each kind of images and labels, a seed each.")
    ] = 3,
    flip: Annotated[
        bool, o.measure("--flip", help="Students see mirrored images too: not for digits and letters.")
    ] = False,
    kept: Annotated[
        Path | None, o.out("--kept", help="Write images, labels and rows there too: .npz.")
    ] = None,
    verify: Annotated[
        bool,
        o.measure("--verify/--no-verify", help="Do students know more by them than by random real images?"),
    ] = True,
    rows: Annotated[int, o.machine(min=50, help="Most images: of more, so many are drawn.")] = ROWS,
    memory: o.Memory = "4GiB",
    seed: o.Seed = 0,
    output: o.Output = Path("runs"),
    name: o.Name = None,
    force: o.Force = False,
    top: o.Top = 15,
    json: o.Json = False,
    report: o.Report = True,
    strict: o.Strict = False,
) -> None:
    """Which few images stand for all? Crops that carry the class, the rest rewritten; students say what they are worth."""
    from salience.cli import pictures, show
    from salience.cli.ending import shown, tabled, told
    from salience.cli.errors import demand
    from salience.cli.kept import check_kept
    from salience.data.budget import room
    from salience.data.images import read_images
    from salience.runs.writer import RunWriter

    teaching = _teaching(ctx.params)
    o.check_strict(strict, verify)
    if kept is not None:
        check_kept("--kept", kept, force, (".npz",))
    found = read_images(images, size, rows=rows, seed=seed, memory=room(memory, ITSELF) // 2)
    _check(found, ctx.params)
    folder = o.run_folder(output, name, images)
    given = {"source": images, **ctx.params}
    with RunWriter(folder, "distil", given, force=force, argv=ctx.meta.get("argv")) as run:
        _note(run, found, ctx.params, teaching)
        with show.progress("distilling", "steps") as tell, pictures.remarks(run.note):
            trial = _tried(found, ctx.params, teaching, seed, tell)
        _write(run, trial, found)
        pictures.keep(
            run, "mosaic", "Source, critical region and refined image", lambda: _mosaic(trial, found)
        )
        table = _images(trial, found)
        run.write_frame("images", table)
        verdict = None
        if verify:
            with show.progress("teaching", "students") as tell:
                verdict, table = _judged(trial, teaching, tell)
            taught = ", ".join(f"{words} ({mode})" for mode, words in MODES.items())
            title = f"Share of the test images that students know by {taught}: means over {teaching.students} seeds, and deviations"
            tabled(run, "students", title, table)
            run.write_json("verdict", verdict.to_json())
        said = [*_worth(verdict, table), *_of_images(trial)]
        told(run, "Which few images stand for all", said, report)
        if kept is not None:
            _write_npz(kept, trial, found)
    shown(run, table, table.columns, top, said, json=json, verdict=verdict)
    if strict:
        demand(verdict)


def judge_again(run: Run, source: str | None, *, seed: int, progress: Any, **_: Any) -> Verdict:
    """The same with another seed: images held out, networks, crops, random images and students are other ones."""
    from salience.data.images import read_images

    given = run.options
    teaching = _teaching(given)
    found = read_images(source or given["images"], given["size"], rows=given["rows"], seed=given["seed"])
    _check(found, given)
    return _judged(_tried(found, given, teaching, seed, progress), teaching, progress)[0]


# ------------------------------------------------------------------------------------------------- before
def _teaching(given: dict[str, Any]) -> Teaching:
    from salience.lazy import resolve

    ORDERS = resolve("salience.instances.distillation.discovery:ORDERS [torch]")  # says what to install
    from salience.instances.distillation.trial import Teaching

    if given["confidence"] not in ORDERS:
        raise ValueError(f"--confidence {given['confidence']}: give one of {', '.join(ORDERS)}")
    return Teaching(
        epochs=given["epochs"],
        students=given["students"],
        student_epochs=STUDENT_EPOCHS,
        flip=given["flip"],
        modes=tuple(MODES),
    )


def _check(found: LabelledImages, given: dict[str, Any]) -> None:
    """What the images cannot give is said before the work, by the names of the classes."""
    import numpy as np

    from salience.instances.distillation.trial import TEST

    factor, wanted = given["factor"], given["ipc"] * given["factor"] ** 2
    height, width = found.pixels.shape[2:]
    if min(height, width) < 8 * factor:
        raise ValueError(
            f"the images have {height} x {width} pixels, and a network needs 8 x 8 in each crop: give --size {8 * factor} or "
            "more, or a smaller --factor"
        )
    if height % factor or width % factor:
        raise ValueError(f"--factor {factor} does not divide {height} x {width} pixels; give --size, or 1")
    sizes = np.bincount(found.labels)
    short = np.flatnonzero((np.ceil(sizes * (1 - TEST)) < wanted) | (sizes < 4))
    if len(short):
        named = ", ".join(f"{found.classes[place]} ({sizes[place]})" for place in short[:5])
        raise ValueError(
            f"{TEST:.0%} of each class are held out, and of the others {wanted} are needed (--ipc, --factor), 4 images in all "
            f"at least; too few have {named}: take a smaller --ipc, more --rows, or leave those classes out"
        )


def _note(run: RunWriter, found: LabelledImages, given: dict[str, Any], teaching: Teaching) -> None:
    import torch

    from salience.cli import show
    from salience.instances.distillation.trial import SMALL, work

    run.note(*found.notes)
    if len(found.rows) < found.total:
        run.note(f"{len(found.rows):,} of {found.total:,} images are looked at, drawn evenly (--rows)")
    if given["factor"] > 1 and min(found.pixels.shape[2:]) < SMALL:
        run.note(
            f"--factor {given['factor']} below about {SMALL} pixels: students learn from objects of less than half the size "
            "that they are tested on, and are no better than chance; --factor 1 suits these images"
        )
    if teaching.students == 1 and given["verify"]:
        run.note(
            "one student is no measurement: its accuracy moves by 5 to 20 points with its seed (--students)"
        )
    seconds = work(torch.from_numpy(found.pixels), len(found.classes), given["ipc"], teaching) / SPEED
    if seconds > LONG:
        show.say(
            f"this takes about {seconds / 60:,.0f} minutes: --size and --rows make the images smaller and fewer, --students and "
            "--epochs the work on them"
        )


# -------------------------------------------------------------------------------------------------- work
def _tried(found: LabelledImages, given: dict[str, Any], teaching: Teaching, seed: int, tell: Any) -> Trial:
    import torch

    from salience.instances.distillation.trial import SMALL, tried

    settings = {name: given[name] for name in ("ipc", "factor", "confidence")}
    pixels, labels = torch.from_numpy(found.pixels), torch.from_numpy(found.labels)
    try:
        return tried(pixels, labels, teaching, seed=seed, tell=tell, **settings)
    except ValueError as error:  # it knows classes by their numbers
        named = ", ".join(f"{place} is {name}" for place, name in enumerate(found.classes[:10]))
        small = given["factor"] > 1 and min(pixels.shape[2:]) < SMALL
        why = (
            f", and --factor {given['factor']} makes objects too small below about {SMALL} pixels"
            if small
            else ""
        )
        raise ValueError(
            f"{error}. Of the classes {named}{why}. On the command line: a smaller --ipc, more --epochs or --rows"
        ) from None


def _judged(trial: Trial, teaching: Teaching, tell: Any) -> tuple[Verdict, pl.DataFrame]:
    """The verdict, and the table that it is drawn from."""
    import polars as pl

    from salience.instances.distillation.trial import KINDS, checks_of, students_of
    from salience.verify import report

    knows = students_of(trial, teaching, tell)
    rows: list[dict[str, Any]] = []
    for kind in KINDS:
        row: dict[str, Any] = {"learned_from": kind, "images": len(trial.distiller.labels_)}
        for mode in teaching.modes:
            by_student = knows[kind, mode].mean(axis=1)
            row[mode] = float(by_student.mean())
            row[f"{mode}_sd"] = float(by_student.std(ddof=1)) if len(by_student) > 1 else None
        rows.append(row)
    for name, known in (("all, the teacher", trial.known), ("all, the second network", trial.second_known)):
        rows.append({"learned_from": name, "images": len(trial.train), "onehot": known})
    rows.append({"learned_from": "nothing, by chance", "images": 0, "onehot": trial.chance})
    verdict = report(checks_of(trial, knows), method="nrr-dd", seed=trial.seed)
    return verdict, pl.DataFrame(rows, schema_overrides={f"{mode}_sd": pl.Float64 for mode in MODES})


# ------------------------------------------------------------------------------------------------- after
def _write(run: RunWriter, trial: Trial, found: LabelledImages) -> None:
    """The ranking of the training images by their numbers in the source, and the distilled images."""
    from dataclasses import replace

    import polars as pl

    from salience.cli.judging import of_source

    place = found.rows[trial.train]
    scores = of_source(trial.distiller.scores_, place)
    names = pl.Series("class", found.classes[scores.frame["class"].to_numpy()])
    frame = scores.frame.with_columns(names)
    if found.files:
        frame = frame.with_columns(file=pl.Series([found.files[row] for row in place]))
    run.write_scores("scores", replace(scores, frame=frame))
    _write_npz(run.partial / "distilled.npz", trial, found)


def _write_npz(path: Path, trial: Trial, found: LabelledImages) -> None:
    """Images, labels as they were, the rows that crops are from, and what had to stay."""
    import numpy as np

    from salience.results.storage import written_beside

    made = trial.distiller
    arrays = {
        "images": made.images_.numpy(),
        "labels": found.classes[made.labels_.numpy()],
        "rows": found.rows[trial.train[made.source_index_]],
        "originals": made.originals_.numpy(),
        "critical": made.critical_mask_,
    }
    with written_beside(path) as beside, open(beside, "wb") as file:
        np.savez_compressed(file, **arrays)


def _images(trial: Trial, found: LabelledImages) -> pl.DataFrame:
    """A line for each crop: its row in the source, what had to stay, how sure the teacher was and is."""
    import numpy as np
    import polars as pl

    made = trial.distiller
    crops = made.source_index_.shape[1]
    each = np.repeat(np.arange(len(made.labels_)), crops)
    rows = found.rows[trial.train[made.source_index_.ravel()]]
    columns = {
        "image": each,
        "class": found.classes[made.labels_.numpy()][each],
        "row": rows,
        "critical": made.critical_mask_.mean(axis=(1, 2))[each],
        "confidence_before": made.confidence_before_[each],
        "confidence_after": made.confidence_after_[each],
    }
    frame = pl.DataFrame(columns)
    return frame.with_columns(file=pl.Series([found.files[row] for row in rows])) if found.files else frame


def _mosaic(trial: Trial, found: LabelledImages) -> Any:
    """Ten images: the first of each class, and more of each where there are few classes."""
    import numpy as np

    made = trial.distiller
    classes = min(len(found.classes), COLUMNS)
    each = min(COLUMNS // classes, made.ipc)
    rows = [label * made.ipc + place for label in range(classes) for place in range(each)]
    axes = made.plot_mosaic(rows)
    names = [str(name) for name in found.classes[np.asarray(made.labels_)[rows]]]
    long = max(map(len, names)) > LONG_NAME
    axes.set_xticks(
        axes.get_xticks(),
        [name if len(name) <= 2 * LONG_NAME else f"{name[: 2 * LONG_NAME]}..." for name in names],
        rotation=30 if long else 0,
        ha="right" if long else "center",
    )
    return axes


def _worth(verdict: Verdict | None, table: pl.DataFrame) -> list[str]:
    if verdict is None:
        return ["No student has learned from them (--no-verify): what they are worth is not known."]
    worth, second = (verdict.named(name) for name in ("beyond random images", "second network"))
    points = 100 * worth.statistic
    sure = (
        f"{100 * worth.lo:+.1f} to {100 * worth.hi:+.1f}"
        if worth.lo == worth.lo
        else "one student: no interval"
    )
    gap = f"students know {abs(points):.1f} points {'more' if points > 0 else 'less'} of the test images by them ({sure})"
    found = {
        "holds": f"The distilled images beat as many real ones drawn blindly: {gap}.",
        "fails": f"The distilled images do not beat as many real ones drawn blindly: {gap}. Take random ones.",
        "undecided": f"Whether the distilled images beat as many real ones drawn blindly is undecided: {gap}.",
    }[worth.verdict]
    crops = table.filter(table["learned_from"] == "selected, not refined").row(0, named=True)
    own = table.filter(table["learned_from"] == "distilled").row(0, named=True)
    helped = ", ".join(f"{100 * (own[mode] - crops[mode]):+.1f} by {words}" for mode, words in MODES.items())
    said = [found, f"What refining did to the same crops, in points: {helped}."]
    if second.verdict == "fails":
        said.append("What was rewritten speaks to the teacher alone: a second network loses by it.")
    return said


def _of_images(trial: Trial) -> list[str]:
    from salience.instances.distillation.trial import chosen_again

    made = trial.distiller
    check = made.cross_check(trial.second)
    before, after = made.confidence_before_.mean(), made.confidence_after_.mean()
    weak = " That is a weak teacher: what it calls critical means little." if trial.known < WEAK else ""
    return [
        f"{len(made.labels_):,} images stand for {len(trial.train):,}; the teacher knows {trial.known:.0%} of "
        f"{len(trial.test):,} test images, by chance {trial.chance:.0%}.{weak}",
        f"{made.mask_share_:.0%} of their pixels could be rewritten. The teacher is surer of them, {before:.2f} before and "
        f"{after:.2f} after, as it was asked until it agreed; a second network is right about {check.before:.2f} before and "
        f"{check.after:.2f} after.",
        f"Under another seed {chosen_again(trial):,} of the {made.source_index_.size:,} rows are chosen again.",
    ]
