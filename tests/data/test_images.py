"""Labelled images from .npz files and folders: shapes, scales, and what is no image."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from salience.data.images import read_images
from salience.data.readers.source import SourceError


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    """40 digits as bytes, and their numbers."""
    found = load_digits()
    return (found.images[:40] * 15.9375).astype(np.uint8), found.target[:40]


def saved(folder: Path, name: str = "a.npz", **arrays: object) -> Path:
    np.savez(folder / name, **arrays)
    return folder / name


def folder_of(path: Path, images: np.ndarray, names: list[str], ending: str = "png") -> Path:
    for place, (image, name) in enumerate(zip(images, names, strict=True)):
        (path / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path / name / f"{place:03}.{ending}")
    return path


@pytest.mark.parametrize("names", [("images", "labels"), ("X", "y"), ("x", "y")])
def test_arrays_go_by_either_name(tmp_path, digits, names):
    images, labels = digits
    found = read_images(saved(tmp_path, **dict(zip(names, (images, labels), strict=True))))
    assert found.pixels.dtype == np.float32
    np.testing.assert_allclose(found.pixels[:, 0], images / 255, atol=1e-7)
    np.testing.assert_array_equal(found.classes[found.labels], labels)
    assert (found.rows.tolist(), found.total, found.files, found.notes) == (list(range(40)), 40, (), ())


@pytest.mark.parametrize("shape", ["n h w", "n h w 1", "n 1 h w"])
def test_every_layout_of_grey_gives_the_same(tmp_path, digits, shape):
    images, labels = digits
    given = {"n h w": images, "n h w 1": images[..., None], "n 1 h w": images[:, None]}[shape]
    found = read_images(saved(tmp_path, images=given, labels=labels))
    np.testing.assert_allclose(found.pixels, images[:, None] / 255, atol=1e-7)


@pytest.mark.parametrize("last", [True, False])
def test_both_layouts_of_colours_give_the_same(tmp_path, last):
    images = np.random.default_rng(0).random((6, 3, 9, 12)).astype(np.float32)
    given = images.transpose(0, 2, 3, 1) if last else images
    found = read_images(saved(tmp_path, images=given, labels=list("ababab")))
    np.testing.assert_array_equal(found.pixels, images)


@pytest.mark.parametrize(
    ("largest", "dtype", "scale", "noted"),
    [
        (255, np.uint8, 255, False),
        (200, np.int64, 255, False),
        (16, np.uint8, 16, True),
        (16, np.float64, 16, True),
        (1, np.uint8, 1, False),
        (0.3, np.float32, 1, False),
        (60000, np.uint16, 65535, False),
        (1000, np.uint16, 1000, True),
        (1e6, np.float64, 1e6, True),
    ],
)
def test_white_is_what_the_numbers_say(tmp_path, largest, dtype, scale, noted):
    images = np.zeros((4, 8, 8), dtype)
    images[1, 2, 3] = largest
    found = read_images(saved(tmp_path, images=images, labels=[0, 1, 0, 1]))
    assert found.pixels.max() == pytest.approx(largest / scale)
    assert bool(found.notes) == noted


def test_labels_are_numbers_or_text_and_come_back_as_they_were(tmp_path, digits):
    images, _ = digits
    for labels, classes in (
        (np.array([7, -2] * 20), [-2, 7]),
        (np.array([3.0, 9.0] * 20)[:, None], [3, 9]),
        (np.array(["dog", "cat"] * 20), ["cat", "dog"]),
        (np.array([b"dog", b"cat"] * 20), ["cat", "dog"]),
    ):
        found = read_images(saved(tmp_path, images=images, labels=labels))
        assert found.classes.tolist() == classes
        assert found.labels.tolist()[:2] == [1, 0] if classes != [3, 9] else [0, 1]


def test_some_rows_are_drawn_by_the_seed_and_keep_their_numbers(tmp_path, digits):
    images, labels = digits
    path = saved(tmp_path, images=images, labels=labels)
    found, again, other = (read_images(path, rows=15, seed=seed) for seed in (3, 3, 4))
    assert (len(found.pixels), found.total) == (15, 40)
    np.testing.assert_array_equal(found.classes[found.labels], labels[found.rows])
    np.testing.assert_array_equal(found.rows, again.rows)
    assert found.rows.tolist() != other.rows.tolist()
    assert (np.diff(found.rows) > 0).all()
    np.testing.assert_allclose(found.pixels[:, 0], images[found.rows] / 255, atol=1e-7)


def test_a_folder_of_pngs_reads_as_its_arrays_do(tmp_path, digits):
    images, labels = digits
    path = folder_of(tmp_path / "digits", images, [f"d{label}" for label in labels])
    found = read_images(path)
    place = [int(name.partition("/")[2][:3]) for name in found.files]
    np.testing.assert_allclose(found.pixels[:, 0], images[place] / 255, atol=1e-7)
    assert found.classes[found.labels].tolist() == [f"d{label}" for label in labels[place]]
    some = read_images(path, rows=20, seed=1)
    assert [some.files[row].partition("/")[0] for row in some.rows] == some.classes[some.labels].tolist()


def test_one_picture_of_colours_makes_all_of_them_coloured(tmp_path, digits):
    images, _ = digits
    path = folder_of(tmp_path / "p", images[:4], ["a", "b", "a", "b"])
    colours = np.zeros((8, 8, 4), np.uint8)
    colours[..., 0], colours[..., 3] = 255, 128
    Image.fromarray(colours, "RGBA").save(path / "b" / "zz.png")
    found = read_images(path)
    assert found.pixels.shape == (5, 3, 8, 8)
    np.testing.assert_array_equal(found.pixels[-1, :, 0, 0], [1, 0, 0])
    np.testing.assert_array_equal(found.pixels[0, 0], found.pixels[0, 2])
    assert found.notes == ("transparency was left out of 1 pictures",)


def test_sixteen_bits_of_grey_are_not_cut_off(tmp_path):
    deep = np.full((8, 8), 32768, np.uint16)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.fromarray(deep).save(tmp_path / name / "x.png")
    np.testing.assert_allclose(read_images(tmp_path).pixels, 32768 / 65535, atol=1e-6)


@pytest.mark.parametrize("kind", ["npz", "folder"])
def test_size_makes_all_alike_and_keeps_what_they_show(tmp_path, kind):
    large = np.zeros((4, 24, 16), np.uint8)
    large[:, :12] = 255  # the upper half
    path = (
        saved(tmp_path, images=large, labels=[0, 1, 0, 1])
        if kind == "npz"
        else folder_of(tmp_path / "f", large, ["a", "b", "a", "b"])
    )
    if kind == "folder":
        Image.fromarray(large[0, ::2, ::2]).save(path / "a" / "small.png")
    found = read_images(path, 8)
    assert found.pixels.shape[2:] == (8, 8)
    assert found.pixels[:, 0, :3].min() > 0.99
    assert found.pixels[:, 0, 5:].max() < 0.01


def test_files_that_are_no_pictures_of_a_class_are_left_out_and_counted(tmp_path, digits):
    path = folder_of(tmp_path / "p", digits[0][:4], ["a", "b", "a", "b"])
    (path / "README.txt").write_text("read me")
    (path / "a" / "thumbs.db").write_bytes(b"x")
    (path / "a" / ".hidden.png").write_bytes(b"x")
    found = read_images(path)
    assert len(found.pixels) == 4
    assert found.notes == (
        "2 files that are no PNG or JPEG in a folder of a class are left out, such as README.txt",
    )


ODD = {
    "no such name": ({"pictures": np.zeros((4, 8, 8)), "labels": [0, 1, 0, 1]}, r"has pictures, labels.*images and labels"),
    "flat rows": ({"images": np.zeros((4, 64)), "labels": [0, 1, 0, 1]}, r"\(4, 64\).*reshape"),
    "four channels": ({"images": np.zeros((4, 8, 8, 4)), "labels": [0, 1, 0, 1]}, "transparency"),
    "either axis": ({"images": np.zeros((4, 3, 8, 3)), "labels": [0, 1, 0, 1]}, "either could be the channels"),
    "no images": ({"images": np.zeros((0, 8, 8)), "labels": []}, r"\(0, 8, 8\)"),
    "text for pixels": ({"images": np.full((4, 8, 8), "x"), "labels": [0, 1, 0, 1]}, "pixels are numbers"),
    "too few labels": ({"images": np.zeros((4, 8, 8)), "labels": [0, 1, 0]}, r"\(3,\) for 4 images"),
    "columns of labels": ({"images": np.zeros((4, 8, 8)), "labels": np.eye(4)}, r"labels.argmax\(1\)"),
    "half a label": ({"images": np.zeros((4, 8, 8)), "labels": [0, 1, 0.5, 1]}, "label 2 .* is 0.5"),
    "no label": ({"images": np.zeros((4, 8, 8)), "labels": [0, 1, 0, np.nan]}, "label 3 .* is nan"),
    "complex labels": ({"images": np.zeros((4, 8, 8)), "labels": [0, 1, 0, 1j]}, "complex"),
    "one class": ({"images": np.zeros((4, 8, 8)), "labels": [5, 5, 5, 5]}, "all images .* of the class 5"),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_arrays_that_are_no_labelled_images_are_refused(tmp_path, name):
    arrays, message = ODD[name]
    with pytest.raises(SourceError, match=message):
        read_images(saved(tmp_path, **arrays))


@pytest.mark.parametrize(("value", "message"), [(np.nan, "NaN"), (np.inf, "inf"), (-1, "below 0")])
def test_numbers_that_no_pixel_has_are_named_by_their_image(tmp_path, value, message):
    images = np.zeros((4, 8, 8))
    images[2, 1, 1] = value
    with pytest.raises(SourceError, match=f"image 2 .*{message}"):
        read_images(saved(tmp_path, images=images, labels=[0, 1, 0, 1]))


class Bomb:
    """What would run if a pickle were read."""

    def __reduce__(self):
        return (Path.touch, (Path("ran"),))


@pytest.mark.parametrize("name", ["images", "labels"])
def test_a_pickle_is_refused_and_does_not_run(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    arrays = {"images": np.zeros((2, 8, 8)), "labels": np.arange(2)}
    arrays[name] = np.array([Bomb(), Bomb()], dtype=object)
    path = saved(tmp_path, **arrays)
    with pytest.raises(SourceError, match="pickle"):
        read_images(path)
    (tmp_path / "raw.npz").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(SourceError, match=r"no \.npz file"):
        read_images(tmp_path / "raw.npz")
    assert not Path("ran").exists()


def test_a_damaged_or_missing_file_is_refused(tmp_path, digits):
    images, labels = digits
    np.savez_compressed(tmp_path / "good.npz", images=images, labels=labels)
    whole = bytearray((tmp_path / "good.npz").read_bytes())
    (tmp_path / "cut.npz").write_bytes(whole[:-40])
    whole[200:260] = bytes(60)
    (tmp_path / "bad.npz").write_bytes(whole)
    for name in ("cut.npz", "bad.npz"):
        with pytest.raises(SourceError, match=name):
            read_images(tmp_path / name)
    with pytest.raises(SourceError, match=r"'god.npz'; did you mean 'good.npz'"):
        read_images(tmp_path / "god.npz")
    with pytest.raises(SourceError, match=r"an .npz with the arrays"):
        read_images(tmp_path / "images.csv")
    with pytest.raises(ValueError, match="size is a number"):
        read_images(tmp_path / "good.npz", 0)


def test_a_header_that_promises_more_than_there_is_is_refused(tmp_path):
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        head, {"descr": "|u1", "fortran_order": False, "shape": (1 << 20, 1 << 12, 8)}
    )
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as file:
        file.writestr("images.npy", head.getvalue() + bytes(100))
        file.writestr("labels.npy", head.getvalue())
    with pytest.raises(SourceError, match=r"a\.npz"):
        read_images(tmp_path / "a.npz")


def test_more_than_memory_should_hold_is_refused_before_it_is_unpacked(tmp_path, digits):
    images, labels = digits
    path = saved(tmp_path, images=images, labels=labels)
    with pytest.raises(SourceError, match=r"images in .* unpacks to"):
        read_images(path, memory=1000)
    with pytest.raises(SourceError, match="--size"):
        read_images(path, memory=images.nbytes + labels.nbytes + 2000)
    with pytest.raises(SourceError, match="--rows"):
        read_images(folder_of(tmp_path / "p", images, [f"d{label}" for label in labels]), memory=8000)
    assert len(read_images(path, 4, memory=1 << 20).pixels) == 40


def test_pictures_that_memory_cannot_hold_are_refused_by_their_head(tmp_path, digits):
    path = folder_of(tmp_path / "p", digits[0][:4], ["a", "b"] * 2)
    Image.fromarray(np.zeros((300, 300), np.uint8)).save(path / "b" / "wide.png")
    with pytest.raises(SourceError, match=r"wide.png has 300 x 300 pixels, more than 83,333"):
        read_images(path, 8, memory=10**6)


def test_a_broken_picture_is_named(tmp_path, digits):
    path = folder_of(tmp_path / "p", digits[0][:6], ["a", "b"] * 3)
    good = (path / "a" / "002.png").read_bytes()
    for content, said in ((good[:-30], "002.png"), (b"no picture", "it is no PNG or JPEG"), (b"", "002.png")):
        (path / "a" / "002.png").write_bytes(content)
        with pytest.raises(SourceError, match=said):
            read_images(path)
    Image.fromarray(digits[0][0]).save(path / "a" / "002.png", format="BMP")  # another format under that name
    with pytest.raises(SourceError, match=r"002.png.*no PNG or JPEG"):
        read_images(path)


def test_pictures_of_other_sizes_and_too_large_ones_are_named(tmp_path, digits, monkeypatch):
    path = folder_of(tmp_path / "p", digits[0][:4], ["a", "b"] * 2)
    Image.fromarray(np.zeros((8, 9), np.uint8)).save(path / "b" / "wide.png")
    with pytest.raises(SourceError, match=r"wide.png has 8 x 9 pixels, a/000.png has 8 x 8: --size"):
        read_images(path)
    monkeypatch.setattr("salience.data.images.PIXELS", 70)
    with pytest.raises(SourceError, match=r"wide.png has 9 x 8 pixels, more than 70"):
        read_images(path, 8)


def test_a_folder_without_folders_of_pictures_is_refused(tmp_path, digits):
    with pytest.raises(SourceError, match="no folders of pictures"):
        read_images(tmp_path)
    Image.fromarray(digits[0][0]).save(tmp_path / "loose.png")
    with pytest.raises(SourceError, match="pictures, but no folder for each class"):
        read_images(tmp_path)
    folder_of(tmp_path, digits[0][:2], ["a", "a"])
    with pytest.raises(SourceError, match="of the class a"):
        read_images(tmp_path)
