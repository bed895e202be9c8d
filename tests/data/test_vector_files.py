"""Vectors and labels from files: what is read, what is refused, and that nothing is executed."""

import io
import zipfile

import numpy as np
import polars as pl
import pytest

from salience.data import vectors
from salience.data.readers import SourceError
from salience.data.vectors import read_labels, read_vectors

X = np.arange(12, dtype=np.float32).reshape(4, 3)


def written(path, values=X):
    if path.suffix == ".npy":
        np.save(path, values)
    elif path.suffix == ".npz":
        np.savez(path, values)
    else:
        frame = pl.DataFrame({"id": range(len(values)), "vector": list(values)})
        frame.write_parquet(path) if path.suffix == ".parquet" else frame.write_ipc(path)
    return path


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".parquet", ".arrow"])
@pytest.mark.parametrize("kind", [np.float32, np.float64, np.float16])
def test_every_form_gives_the_same_numbers_in_their_type(tmp_path, suffix, kind):
    if suffix in (".parquet", ".arrow") and kind is np.float16:
        pytest.skip("polars has no lists of half floats")
    found = read_vectors(written(tmp_path / f"x{suffix}", X.astype(kind)))
    assert found.dtype == kind
    np.testing.assert_array_equal(found, X)


def test_npy_is_mapped_not_read(tmp_path):
    assert isinstance(read_vectors(written(tmp_path / "x.npy")), np.memmap)


def test_an_array_that_memory_cannot_hold_is_refused_before_it_is_unpacked(tmp_path):
    np.savez_compressed(tmp_path / "x.npz", np.zeros((1 << 12, 1 << 8)))  # 8 MiB of zeros in a few kilobytes
    assert (tmp_path / "x.npz").stat().st_size < 1 << 16
    with pytest.raises(SourceError, match=r"unpacks to 0.01 GiB.* save it as .npy"):
        read_vectors(tmp_path / "x.npz", memory=1 << 22)
    assert read_vectors(tmp_path / "x.npz", memory=1 << 24).shape == (1 << 12, 1 << 8)


def test_an_array_counts_by_its_own_header_too(tmp_path):
    head = io.BytesIO()
    shape = (1 << 20, 1 << 12)
    np.lib.format.write_array_header_1_0(head, {"descr": "<f8", "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as file:
        file.writestr("x.npy", head.getvalue() + bytes(100))
    with pytest.raises(SourceError, match=r"unpacks to 32.00 GiB"):
        read_vectors(tmp_path / "x.npz", memory=1 << 30)


@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
def test_a_table_that_memory_cannot_hold_is_refused_before_it_is_read(tmp_path, suffix):
    path = written(tmp_path / f"x{suffix}", np.zeros((1 << 12, 16)))
    with pytest.raises(SourceError, match=r"the vectors of .* save them as .npy"):
        read_vectors(path, memory=1 << 19)
    assert read_vectors(path, memory=1 << 24).shape == (1 << 12, 16)


def test_files_of_a_folder_count_together(tmp_path):
    for name in "abc":
        np.savez(tmp_path / f"{name}.npz", np.zeros((1 << 10, 16)))
    with pytest.raises(SourceError, match=r"c\.npz"):
        read_vectors(tmp_path, memory=5 << 16)


def test_columns_of_numbers_are_dimensions_and_fixed_lists_are_lists(tmp_path):
    pl.DataFrame(X, schema=["a", "b", "c"]).write_parquet(tmp_path / "wide.parquet")
    np.testing.assert_array_equal(read_vectors(tmp_path / "wide.parquet"), X)
    pl.DataFrame({"v": X}, schema={"v": pl.Array(pl.Float32, 3)}).write_parquet(tmp_path / "fixed.parquet")
    np.testing.assert_array_equal(read_vectors(tmp_path / "fixed.parquet"), X)


@pytest.mark.parametrize("limit", [1 << 20, 0])
def test_a_folder_is_joined_by_name_in_memory_or_on_disk(tmp_path, monkeypatch, limit):
    monkeypatch.setattr(vectors, "IN_MEMORY", limit)
    written(tmp_path / "b.npy", X + 100)
    written(tmp_path / "a.parquet", X)
    (tmp_path / "README.md").write_text("not vectors")
    np.testing.assert_array_equal(read_vectors(tmp_path), np.concatenate([X, X + 100]))


def test_a_pickle_is_refused_and_not_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    for name, save in (("x.npy", np.save), ("x.npz", np.savez)):
        save(tmp_path / name, np.array([Bomb()], dtype=object))
        with pytest.raises(SourceError, match="could run code"):
            read_vectors(tmp_path / name)
        with pytest.raises(SourceError, match="could run code"):
            read_labels(tmp_path / name)
    (tmp_path / "y.npy").write_bytes(b"\x80\x04not an array")
    with pytest.raises(SourceError, match="could run code"):
        read_vectors(tmp_path / "y.npy")
    assert not (tmp_path / "ran").exists()


def test_what_is_no_matrix_of_numbers_is_refused_in_words(tmp_path):
    refused = {
        "shape": (np.arange(3), r"shape \(3,\)"),
        "text": (np.array([["a"]]), "vectors are numbers"),
        "none": (np.zeros((0, 3)), r"shape \(0, 3\)"),
    }
    for name, (values, message) in refused.items():
        with pytest.raises(SourceError, match=message):
            read_vectors(written(tmp_path / f"{name}.npy", values))
    (tmp_path / "empty.npy").touch()
    with pytest.raises(SourceError, match="is empty"):
        read_vectors(tmp_path / "empty.npy")
    with pytest.raises(SourceError, match=r"no file.*none"):
        read_vectors(tmp_path / "nine.npy")
    with pytest.raises(SourceError, match="read from"):
        read_vectors(tmp_path / "x.csv")
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(SourceError, match="cut off"):
        read_vectors(tmp_path / "cut.npz")
    (tmp_path / "npy.npz").write_bytes((tmp_path / "shape.npy").read_bytes())
    with pytest.raises(SourceError, match=r"no \.npz file"):
        read_vectors(tmp_path / "npy.npz")
    (tmp_path / "zip.npy").write_bytes(written(tmp_path / "zip.npz").read_bytes())
    with pytest.raises(SourceError, match=r"name it \.npz"):
        read_vectors(tmp_path / "zip.npy")
    damaged = bytearray((tmp_path / "zip.npz").read_bytes())
    damaged[-len(damaged) // 2] ^= 255
    (tmp_path / "damaged.npz").write_bytes(damaged)
    with pytest.raises(SourceError, match="damaged"):
        read_vectors(tmp_path / "damaged.npz")
    pl.DataFrame({"v": [[1.0, 2.0], [1.0]]}).write_parquet(tmp_path / "odd.parquet")
    with pytest.raises(SourceError, match=r"row 1 of 'v'.*1 numbers, others have 2"):
        read_vectors(tmp_path / "odd.parquet")
    pl.DataFrame({"v": [[1.0, 2.0], [None, 1.0]]}).write_parquet(tmp_path / "hole.parquet")
    with pytest.raises(SourceError, match=r"row 1 of 'v'.*missing"):
        read_vectors(tmp_path / "hole.parquet")
    np.savez(tmp_path / "two.npz", a=X, b=X)
    with pytest.raises(SourceError, match="name one of a, b"):
        read_vectors(tmp_path / "two.npz")
    assert read_vectors(tmp_path / "two.npz", "b").shape == (4, 3)


def test_a_folder_of_unequal_dimensions_is_refused(tmp_path):
    written(tmp_path / "a.npy", X)
    written(tmp_path / "b.npy", X[:, :2])
    with pytest.raises(SourceError, match=r"b\.npy has vectors of 2 dimensions, a\.npy of 3"):
        read_vectors(tmp_path)


def test_labels_come_from_arrays_tables_and_lines(tmp_path):
    np.save(tmp_path / "y.npy", np.array([[3], [1]]))
    assert read_labels(tmp_path / "y.npy").tolist() == [3, 1]
    (tmp_path / "y.txt").write_text("cat\ndog\n")
    assert read_labels(tmp_path / "y.txt").tolist() == ["cat", "dog"]
    pl.DataFrame({"id": [1, 2], "y": ["u", "v"]}).write_parquet(tmp_path / "y.parquet")
    assert read_labels(tmp_path / "y.parquet", "y").tolist() == ["u", "v"]
    with pytest.raises(SourceError, match="several columns"):
        read_labels(tmp_path / "y.parquet")
    pl.DataFrame({"y": ["u", None]}).write_parquet(tmp_path / "hole.parquet")
    with pytest.raises(SourceError, match="no label at row 1"):
        read_labels(tmp_path / "hole.parquet")
    with pytest.raises(SourceError, match="one label per vector"):
        read_labels(written(tmp_path / "x.npy"))
